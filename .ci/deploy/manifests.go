package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// manifests are the objects of one rendering.
type manifests struct {
	count    int
	deploy   *apps.Deployment
	config   *core.ConfigMap
	scaler   *autoscaling.HorizontalPodAutoscaler
	budget   *policy.PodDisruptionBudget
	network  *networking.NetworkPolicy
	services []*core.Service
	ingress  *networking.Ingress
	monitor  *monitoring.ServiceMonitor
	rule     *monitoring.PrometheusRule
}

// decode reads objects strictly: a field that the API does not know, or that comes twice, is an error.
func decode(text []byte) (*manifests, error) {
	m := &manifests{}
	docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return nil, err
		}
		var kind meta.TypeMeta
		if err := yaml.Unmarshal(doc, &kind); err != nil {
			return nil, err
		}
		into := m.place(kind)
		if into == nil {
			return nil, fmt.Errorf("no type to hold %s %s against", kind.APIVersion, kind.Kind)
		}
		text, err := yaml.YAMLToJSONStrict(doc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.Kind, err)
		}
		unknown, err := json.UnmarshalStrict(text, into) // as the API server does, capitals and all
		if err := errors.Join(append(unknown, err)...); err != nil {
			return nil, fmt.Errorf("%s: %w", kind.Kind, err)
		}
		m.count++
	}
}

func (m *manifests) place(kind meta.TypeMeta) any {
	switch kind.APIVersion + " " + kind.Kind {
	case "apps/v1 Deployment":
		m.deploy = &apps.Deployment{}
		return m.deploy
	case "v1 ConfigMap":
		m.config = &core.ConfigMap{}
		return m.config
	case "v1 Service":
		m.services = append(m.services, &core.Service{})
		return m.services[len(m.services)-1]
	case "v1 Namespace":
		return &core.Namespace{}
	case "autoscaling/v2 HorizontalPodAutoscaler":
		m.scaler = &autoscaling.HorizontalPodAutoscaler{}
		return m.scaler
	case "policy/v1 PodDisruptionBudget":
		m.budget = &policy.PodDisruptionBudget{}
		return m.budget
	case "networking.k8s.io/v1 NetworkPolicy":
		m.network = &networking.NetworkPolicy{}
		return m.network
	case "networking.k8s.io/v1 Ingress":
		m.ingress = &networking.Ingress{}
		return m.ingress
	case "monitoring.coreos.com/v1 ServiceMonitor":
		m.monitor = &monitoring.ServiceMonitor{}
		return m.monitor
	case "monitoring.coreos.com/v1 PrometheusRule":
		m.rule = &monitoring.PrometheusRule{}
		return m.rule
	}
	return nil
}

// drainWithin is the longest that ld-mcp takes from the signal to its end.
const drainWithin = 15 * time.Second

// check finds what the types allow and would not work.
func (m *manifests) check(p *program) (wrong []error) {
	no := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	if m.deploy == nil || m.config == nil || m.scaler == nil || m.budget == nil || m.network == nil || len(m.services) == 0 {
		return []error{errors.New("an object is missing")}
	}
	for name := range m.config.Data {
		no(p.variables[name], "the ConfigMap sets %s, which ld-mcp does not read", name)
	}
	pod := m.deploy.Spec.Template
	selects := func(what string, s *meta.LabelSelector) {
		by, err := meta.LabelSelectorAsSelector(s)
		no(err == nil && !by.Empty() && by.Matches(labels.Set(pod.Labels)), "%s does not select the replicas: %v", what, err)
	}
	selects("the Deployment", m.deploy.Spec.Selector)
	selects("the budget", m.budget.Spec.Selector)
	selects("the network policy", &m.network.Spec.PodSelector)
	for i := range pod.Spec.TopologySpreadConstraints {
		selects("a spread constraint", pod.Spec.TopologySpreadConstraints[i].LabelSelector)
	}
	no(m.scaler.Spec.ScaleTargetRef.Name == m.deploy.Name && m.scaler.Spec.ScaleTargetRef.Kind == "Deployment", "the scaler scales something else")
	no(*m.scaler.Spec.MinReplicas >= 2 && *m.deploy.Spec.Replicas >= 2, "there may be fewer than two replicas")
	wrong = append(wrong, m.checkPod(&pod.Spec, p)...)
	ports := map[string]bool{}
	for _, port := range pod.Spec.Containers[0].Ports {
		ports[port.Name] = true
	}
	known := func(what string, port intstr.IntOrString) {
		no(port.Type == intstr.Int || ports[port.StrVal], "%s: no port %q", what, port.StrVal)
	}
	served := map[string]*core.Service{}
	for _, s := range m.services {
		served[s.Name] = s
		selects("the Service "+s.Name, &meta.LabelSelector{MatchLabels: s.Spec.Selector})
		for _, port := range s.Spec.Ports {
			known("the Service "+s.Name, port.TargetPort)
		}
	}
	for _, rule := range m.network.Spec.Ingress {
		for _, port := range rule.Ports {
			known("the network policy", *port.Port)
		}
	}
	if m.ingress != nil {
		for _, rule := range m.ingress.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				s := served[path.Backend.Service.Name]
				no(s != nil && slices.ContainsFunc(s.Spec.Ports, func(port core.ServicePort) bool { return port.Name == path.Backend.Service.Port.Name }),
					"the Ingress sends %s nowhere", path.Path)
			}
		}
	}
	if m.monitor != nil {
		by, err := meta.LabelSelectorAsSelector(&m.monitor.Spec.Selector)
		found := 0
		for _, s := range m.services {
			if err == nil && by.Matches(labels.Set(s.Labels)) {
				found++
				for _, e := range m.monitor.Spec.Endpoints {
					no(slices.ContainsFunc(s.Spec.Ports, func(port core.ServicePort) bool { return port.Name == e.Port }), "the monitor asks for the port %s", e.Port)
				}
			}
		}
		no(found == 1, "the monitor selects %d Services", found)
	}
	return wrong
}

// checkPod holds a replica against the restricted profile and against ld-mcp.
func (m *manifests) checkPod(pod *core.PodSpec, p *program) (wrong []error) {
	no := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	yes := func(b *bool) bool { return b != nil && *b }
	is := func(b *bool) bool { return b != nil && !*b }
	c := pod.Containers[0]
	s, ps := c.SecurityContext, pod.SecurityContext
	no(yes(ps.RunAsNonRoot) && ps.RunAsUser != nil && *ps.RunAsUser > 0, "it may run as root")
	no(ps.SeccompProfile != nil && ps.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault, "it has no seccomp profile")
	no(is(pod.AutomountServiceAccountToken), "it has a token of the cluster's")
	no(yes(s.ReadOnlyRootFilesystem) && is(s.AllowPrivilegeEscalation) && slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}), "the container may do more than it needs")
	no(!c.Resources.Requests.Cpu().IsZero() && !c.Resources.Limits.Memory().IsZero(), "it has no requests or limits")
	env := maps.Clone(m.config.Data)
	for _, v := range c.Env {
		no(p.variables[v.Name] || v.Name == "GOMEMLIMIT", "the container sets %s, which ld-mcp does not read", v.Name)
		env[v.Name] = v.Value
	}
	no(slices.ContainsFunc(c.EnvFrom, func(e core.EnvFromSource) bool { return e.ConfigMapRef != nil && e.ConfigMapRef.Name == m.config.Name }), "the container does not read the ConfigMap %s", m.config.Name)
	for _, arg := range c.Args {
		name, _, _ := strings.Cut(arg, "=")
		no(!strings.HasPrefix(name, "--") || p.options[name], "ld-mcp has no option %s", name)
	}
	if pre := c.Lifecycle.PreStop.Sleep; pre != nil && pod.TerminationGracePeriodSeconds != nil {
		no(time.Duration(*pod.TerminationGracePeriodSeconds-pre.Seconds)*time.Second > drainWithin, "calls in progress are killed before ld-mcp has drained")
	} else {
		no(false, "nothing waits for the proxies before the signal")
	}
	for _, port := range c.Ports {
		variable := map[string]string{"http": "LD_MCP_HTTP", "metrics": "LD_MCP_METRICS_HTTP"}[port.Name]
		no(env[variable] == fmt.Sprintf(":%d", port.ContainerPort), "%s is %q and the port %s is %d", variable, env[variable], port.Name, port.ContainerPort)
	}
	for what, probe := range map[string]*core.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		no(probe != nil && probe.HTTPGet != nil && probe.HTTPGet.Path == what && probe.HTTPGet.Port.StrVal == "metrics", "no probe asks %s", what)
	}
	for name, value := range env {
		if !strings.HasSuffix(name, "_FILE") || value == "" || name == "LD_MCP_AUDIT_FILE" {
			continue
		}
		no(slices.ContainsFunc(c.VolumeMounts, func(v core.VolumeMount) bool {
			return v.ReadOnly && v.SubPath == "" && strings.HasPrefix(value, v.MountPath+"/")
		}), "%s: nothing is mounted at %s", name, value)
	}
	return wrong
}
