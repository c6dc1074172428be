package sandbox

import "slices"

// experimentUse is an experiment that measures by a metric, or by a group of metrics.
type experimentUse struct {
	Key, Name         string
	Environment       string // key
	Created, Archived int64  // Archived is 0 while it is not
	Running           bool
}

// experimentsBy lists the experiments that measure by a metric, or by a metric group.
func (p *project) experimentsBy(key string, group bool) []experimentUse {
	var out []experimentUse
	for _, x := range p.Experiments {
		if slices.ContainsFunc(x.Iterations, func(it *iteration) bool { return slices.Contains(it.Metrics, iterationMetric{key, group}) }) {
			out = append(out, experimentUse{x.Key, x.Name, x.Environment, x.Created, x.Archived, x.of(iterationRunning) != nil})
		}
	}
	return out
}

// metricUses is what measures by a metric.
type metricUses struct {
	Experiments []experimentUse
	Groups      []*metricGroup
	Rollouts    []rolloutUse // guarded ones, oldest first
}

type rolloutUse struct {
	Flag *flag
	release
}

func (u metricUses) none() bool { return len(u.Experiments)+len(u.Groups)+len(u.Rollouts) == 0 }

// running counts the experiments that run.
func (u metricUses) running() int {
	n := 0
	for _, e := range u.Experiments {
		if e.Running {
			n++
		}
	}
	return n
}

// rollouts counts the guarded rollouts under way.
func (u metricUses) rollouts() int {
	n := 0
	for _, r := range u.Rollouts {
		if r.Status == releaseInProgress {
			n++
		}
	}
	return n
}

// usesOf finds what measures by a metric, by itself or in a group.
func (p *project) usesOf(metric string) metricUses {
	u := metricUses{Experiments: p.experimentsBy(metric, false), Rollouts: p.rolloutsBy(metric, false)}
	for _, g := range p.MetricGroups {
		if g.holds(metric) {
			u.Groups = append(u.Groups, g)
			u.Rollouts = append(u.Rollouts, p.rolloutsBy(g.Key, true)...)
			for _, e := range p.experimentsBy(g.Key, true) {
				if !slices.ContainsFunc(u.Experiments, func(x experimentUse) bool { return x.Key == e.Key && x.Environment == e.Environment }) {
					u.Experiments = append(u.Experiments, e)
				}
			}
		}
	}
	return u
}

// rolloutsBy lists the guarded rollouts that watch a metric, or a metric group.
func (p *project) rolloutsBy(key string, group bool) []rolloutUse {
	var out []rolloutUse
	for _, f := range p.Flags {
		for _, r := range f.Releases {
			if r.Kind == "guarded" && slices.Contains(r.Metrics, releaseMetric{key, group}) {
				out = append(out, rolloutUse{f, r})
			}
		}
	}
	return out
}

type experimentRef struct {
	Links         links  `json:"_links"`
	Key           string `json:"key"`
	Name          string `json:"name"`
	EnvironmentID string `json:"environmentId"`
	Environment   string `json:"environmentKey"`
	Created       int64  `json:"creationDate"`
	Archived      int64  `json:"archivedDate,omitempty"`
}

func (p *project) experimentRefs(list []experimentUse) []experimentRef {
	var out []experimentRef
	for _, x := range list {
		ref := experimentRef{links{"self": linkTo("projects", p.Key, "environments", x.Environment, "experiments", x.Key)}, x.Key, x.Name, "", x.Environment, x.Created, x.Archived}
		if e := p.env(x.Environment); e != nil {
			ref.EnvironmentID = e.ID
		}
		out = append(out, ref)
	}
	return out
}

// guardedReleaseOf is a guarded rollout as a metric names it.
type guardedReleaseOf struct {
	Links           links  `json:"_links"`
	ID              string `json:"_id"`
	FlagKey         string `json:"flagKey"`
	FlagName        string `json:"flagName"`
	Environment     string `json:"environmentKey"`
	EnvironmentName string `json:"environmentName"`
	Status          string `json:"status"`
	Created         int64  `json:"creationDate"`
}

func (p *project) lastRollout(list []rolloutUse) *guardedReleaseOf {
	var out *guardedReleaseOf
	for _, u := range list {
		if out != nil && u.Created <= out.Created {
			continue
		}
		out = &guardedReleaseOf{links{"parent": linkTo("flags", p.Key, u.Flag.Key)}, u.ID, u.Flag.Key, u.Flag.Name, u.Environment, u.Environment, u.Status, u.Created}
		if e := p.env(u.Environment); e != nil {
			out.EnvironmentName = e.Name
		}
	}
	return out
}
