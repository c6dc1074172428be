package ldclient

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Names that stand for a project and for an environment, folded.
var (
	projectNames     = []string{"projectkey", "projkey", "project", "projectkeys"}
	environmentNames = []string{"environmentkey", "envkey", "environment", "env", "environmentkeys", "sourceenvironmentkey"}
)

// kindNames are the resources that the parameters of a path name.
var kindNames = map[string]string{
	"featureFlagKey": "flag", "flagKey": "flag", "segmentKey": "segment", "metricKey": "metric", "metricGroupKey": "metric-group",
	"experimentKey": "experiment", "holdoutKey": "holdout", "layerKey": "layer", "configKey": "aiconfig", "toolKey": "ai-tool",
	"graphKey": "agent-graph", "modelConfigKey": "ai-model-config", "snippetKey": "prompt-snippet", "viewKey": "view",
	"pipelineKey": "release-pipeline", "policyKey": "release-policy", "teamKey": "team", "customRoleKey": "role",
	"applicationKey": "application", "repo": "code-reference-repository",
}

// positions tells which segments of a path name its project and its environment,
// -1 where none does, as far as LaunchDarkly's paths are known.
func positions(segs []string) (project, environment int) {
	project, environment = -1, -1
	for i, s := range segs[:max(len(segs)-1, 0)] {
		if next := segs[i+1]; strings.HasPrefix(next, "{") {
			switch s {
			case "projects":
				project = i + 1
			case "environments", "triggers", "expiring-targets", "expiring-user-targets":
				environment = i + 1
			}
		}
	}
	if len(segs) < 2 || project >= 0 {
		return project, environment
	}
	at := func(p, e int) {
		if project = p; environment < 0 && e < len(segs) {
			environment = e
		}
	}
	switch segs[0] {
	case "flags":
		at(1, -1)
		if segs[len(segs)-1] == "dependent-flags" && len(segs) == 5 {
			environment = 2
		}
	case "flag-status", "metrics":
		at(1, -1)
	case "segments", "flag-statuses", "users", "user-search", "user-attributes", "destinations":
		at(1, 2)
	case "integration-capabilities":
		if len(segs) > 2 {
			at(2, 3)
			if segs[1] == "flag-import" {
				environment = -1
			}
		}
	case "code-refs":
		if segs[1] == "statistics" && len(segs) > 2 {
			at(2, -1)
		}
	case "usage":
		if segs[1] == "evaluations" && len(segs) > 3 {
			at(2, 3)
		}
	}
	if project >= 0 && !strings.HasPrefix(segs[project], "{") {
		project = -1
	}
	if environment >= 0 && !strings.HasPrefix(segs[environment], "{") {
		environment = -1
	}
	return project, environment
}

// place is what a call names.
type place struct {
	projects, environments []string
	elsewhere              bool // a project is named that cannot be told
	vague                  bool // an environment is
}

func add(list *[]string, key string) {
	if !slices.Contains(*list, key) {
		*list = append(*list, key)
	}
}

// Targets tells what a call is about, and what else it names. A write whose
// project cannot be told is one of the account, and one whose environment
// cannot be told is one of all the project's environments.
func (s *APIService) Targets(k APICall) (at Target, also []Target, err error) {
	writes := s.Writes(k.Op)
	at, err = pathTarget(k)
	if err != nil {
		return at, nil, err
	}
	var query, body place
	for name, values := range k.Query {
		for _, v := range values {
			query.named(foldName(name), v)
		}
	}
	if !writes { // the bodies of searches hold attributes of contexts
		at, also := readTarget(at, query)
		return at, also, nil
	}
	body.value(k.Body)
	return writeTarget(k, at, query, body), nil, nil
}

// pathTarget is what the path says. Where the document's names of parameters
// and what is known of the path differ, it says nothing that can be relied on.
func pathTarget(k APICall) (Target, error) {
	var at Target
	segs := k.Op.Segments()
	project, environment := positions(segs)
	for i, seg := range segs {
		name, isName := k.Op.Parameter(seg)
		if !isName {
			continue
		}
		folded := foldName(name)
		isProject, isEnvironment := slices.Contains(projectNames, folded), slices.Contains(environmentNames, folded)
		if isProject && project >= 0 && project != i || isEnvironment && environment >= 0 && environment != i ||
			(project == i) && isEnvironment || (environment == i) && isProject {
			return at, &InvalidError{Message: fmt.Sprintf("%s names %s where something else belongs, so it is not called", k.Op, name)}
		}
		switch {
		case i == project || isProject:
			at.Project = k.Path[name]
		case i == environment || isEnvironment:
			at.Environment = k.Path[name]
		case CheckKey(k.Path[name]) == nil && kindNames[name] != "":
			at.Kind, at.Key = kindNames[name], k.Path[name]
		case CheckKey(k.Path[name]) == nil && at.Kind == "" && strings.EqualFold(name, "id"):
			at.Kind, at.Key = strings.TrimSuffix(lastWord(segs[:i]), "s"), k.Path[name]
		}
	}
	if at.Project == "" {
		at.Environment = ""
	}
	return at, nil
}

// lastWord is the last segment that is not a parameter.
func lastWord(segs []string) string {
	for _, s := range slices.Backward(segs) {
		if !strings.HasPrefix(s, "{") {
			return s
		}
	}
	return ""
}

// readTarget adds what the query of a read names; all of it must be in scope.
func readTarget(at Target, query place) (Target, []Target) {
	projects, environments := query.projects, query.environments
	if query.elsewhere { // nobody can tell where
		return Target{Kind: at.Kind, Key: at.Key}, nil
	}
	if len(projects)+len(environments) == 0 {
		return at, nil
	}
	if at.Project != "" {
		projects = append(projects, at.Project)
	}
	if at.Project == "" && len(projects) == 1 && len(environments) <= 1 {
		at.Project = projects[0]
		if len(environments) == 1 {
			at.Environment = environments[0]
		}
		return at, nil
	}
	var also []Target
	for _, p := range projects {
		also = append(also, Target{Project: p})
		for _, e := range environments {
			also = append(also, Target{Project: p, Environment: e})
		}
	}
	return at, also
}

// writeTarget widens what the path says by what the query and the body of a
// write name, and narrows it only where that is known to hold.
func writeTarget(k APICall, at Target, query, body place) Target {
	projects, environments := slices.Concat(query.projects, body.projects), slices.Concat(query.environments, body.environments)
	inPath := at.Project != ""
	for _, p := range projects {
		if at.Project == "" {
			at.Project = p
		}
		if p != at.Project {
			return Target{}
		}
	}
	switch {
	case query.elsewhere || body.elsewhere:
		return Target{}
	case at.Project == "":
		return Target{Kind: at.Kind, Key: at.Key}
	case query.vague || body.vague:
		at.Environment = ""
	case at.Environment != "":
		if slices.ContainsFunc(environments, func(e string) bool { return e != at.Environment }) {
			at.Environment = ""
		}
	case len(environments) == 1 && (!inPath || onlyEnvironment(k)):
		at.Environment = environments[0]
	}
	return at
}

// environmentKinds are the instructions for flags that reach the one environment which their patch names.
var environmentKinds = sync.OnceValue(func() []string {
	return strings.Fields(`turnFlagOn turnFlagOff updateFallthroughVariationOrRollout updateOffVariation addRule removeRule replaceRules
	updateRuleVariationOrRollout updateRuleDescription updateRuleTrackEvents addClauses removeClauses updateClause addValuesToClause
	removeValuesFromClause reorderRules addTargets removeTargets replaceTargets clearTargets addUserTargets removeUserTargets replaceUserTargets
	clearUserTargets addPrerequisite updatePrerequisite removePrerequisite replacePrerequisites updateTrackEvents updateTrackEventsFallthrough`)
})

// onlyEnvironment reports whether a semantic patch reaches one environment alone.
func onlyEnvironment(k APICall) bool {
	fields, _ := k.Body.(map[string]any)
	list, _ := fields["instructions"].([]any)
	if !k.Semantic || len(list) == 0 || fields["environmentKey"] == nil {
		return false
	}
	return !slices.ContainsFunc(list, func(v any) bool {
		one, _ := v.(map[string]any)
		kind, _ := one["kind"].(string)
		return !slices.Contains(environmentKinds(), kind)
	})
}

func (p *place) named(name, value string) {
	switch {
	case value == "":
	case slices.Contains(projectNames, name):
		add(&p.projects, value)
	case slices.Contains(environmentNames, name):
		add(&p.environments, value)
	case strings.HasPrefix(name, "env"):
		p.vague = true
	case name == "resourceid" || name == "resource" || name == "spec":
		p.specifier(value)
	}
}

// specifier reads what a resource specifier such as proj/shop:env/test:flag/f names.
func (p *place) specifier(text string) {
	for part := range strings.SplitSeq(text, ":") {
		kind, rest, _ := strings.Cut(part, "/")
		key, _, _ := strings.Cut(rest, ";")
		switch {
		case kind != "proj" && kind != "env":
		case (strings.ContainsAny(key, "*,{}") || key == "") && kind == "env":
			p.vague = true
		case strings.ContainsAny(key, "*,{}") || key == "":
			p.elsewhere = true
		case kind == "proj":
			add(&p.projects, key)
		default:
			add(&p.environments, key)
		}
	}
}

// value looks through a body for what it names, at any depth and in any spelling that a server may take.
func (p *place) value(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			p.value(item)
		}
	case map[string]any:
		for name, inner := range v {
			name = foldName(name)
			for _, one := range severalOf(inner) {
				switch one := one.(type) {
				case string:
					p.named(name, one)
				case map[string]any:
					p.vague = p.vague || strings.HasPrefix(name, "env")
					if key, ok := one["key"].(string); ok && (name == "source" || name == "target") {
						p.named("environment", key)
					}
				}
			}
			p.value(inner)
		}
	}
}

func severalOf(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}
