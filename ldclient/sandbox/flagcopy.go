package sandbox

import (
	"fmt"
	"net/http"
	"slices"
)

var copyActions = []string{
	"updateOn", "updateRules", "updateFallthrough", "updateOffVariation", "updatePrerequisites", "updateTargets",
	"updateFlagConfigMigrationSettings",
}

type copyPost struct {
	Source, Target struct {
		Key            string `json:"key"`
		CurrentVersion *int   `json:"currentVersion"`
	}
	Comment         string   `json:"comment"`
	IncludedActions []string `json:"includedActions"`
	ExcludedActions []string `json:"excludedActions"`
}

// actions are the parts of the configuration to copy: all but the excluded ones, or the included ones.
func (in copyPost) actions() ([]string, *apiError) {
	if len(in.IncludedActions) > 0 && len(in.ExcludedActions) > 0 {
		return nil, invalid("give includedActions or excludedActions, not both")
	}
	for _, action := range slices.Concat(in.IncludedActions, in.ExcludedActions) {
		if !slices.Contains(copyActions, action) {
			return nil, invalid("unknown action '%s'", action)
		}
	}
	if len(in.IncludedActions) > 0 {
		return in.IncludedActions, nil
	}
	return slices.DeleteFunc(slices.Clone(copyActions), func(s string) bool { return slices.Contains(in.ExcludedActions, s) }), nil
}

func (a *Account) copyFlag(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	var in copyPost
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	g, err := a.copyConfig(p, f, in, false)
	if err != nil {
		refuse(w, err)
		return
	}
	if g.Version != f.Version {
		c := a.flagChange(p, f, g, []string{"copyFlagConfigFrom", "copyFlagConfigTo"}, in.Comment)
		c.Resource = p.spec() + ":env/" + in.Target.Key + ":flag/" + f.Key
		a.commitFlag(p, f, g, nil)
		a.record(r, c)
	}
	send(w, http.StatusCreated, a.flagView(p, f, everyEnvironment))
}

// copyConfig returns f with the source environment's configuration in the target environment; approved says that people agreed to it.
func (a *Account) copyConfig(p *project, f *flag, in copyPost, approved bool) (*flag, *apiError) {
	actions, err := in.actions()
	if err != nil {
		return nil, err
	}
	g := f.clone()
	from, to := g.Environments[in.Source.Key], g.Environments[in.Target.Key]
	if from == nil || to == nil {
		return nil, invalid("source.key and target.key must name environments of project '%s'", p.Key)
	}
	if v := in.Source.CurrentVersion; v != nil && *v != from.Version {
		return nil, stale("the flag's version in environment '%s' is %d, not %d", in.Source.Key, from.Version, *v)
	}
	if v := in.Target.CurrentVersion; v != nil && *v != to.Version {
		return nil, stale("the flag's version in environment '%s' is %d, not %d", in.Target.Key, to.Version, *v)
	}
	old := cloneOf(to)
	from = cloneOf(from)
	from.endExperiments()
	for _, action := range actions {
		switch action {
		case "updateOn":
			to.On = from.On
		case "updateRules":
			if string(jsonValue(freshRules(from.Rules))) != string(jsonValue(freshRules(to.Rules))) {
				to.Rules = freshRules(from.Rules)
			}
		case "updateFallthrough":
			to.Fallthrough = from.Fallthrough
		case "updateOffVariation":
			to.OffVariation = from.OffVariation
		case "updatePrerequisites":
			to.Prerequisites = from.Prerequisites
		case "updateTargets":
			to.Targets, to.ContextTargets = from.Targets, from.ContextTargets
		}
	}
	a.completeFlag(g)
	if err := a.flagApproval(p.env(in.Target.Key), f, configActions(old, to)); err != nil && !approved {
		return nil, err
	}
	return g, a.finishFlag(p, f, g)
}

type dependentRep struct {
	Key          string          `json:"key"`
	Name         string          `json:"name"`
	Environments []environmentAt `json:"environments,omitempty"`
	Links        links           `json:"_links,omitempty"`
	Site         *link           `json:"_site,omitempty"`
}

type environmentAt struct {
	Key   string `json:"key"`
	Name  string `json:"name"`
	Links links  `json:"_links"`
	Site  link   `json:"_site"`
}

func (c *flagConfig) dependsOn(key string) bool {
	return slices.ContainsFunc(c.Prerequisites, func(q prerequisite) bool { return q.Key == key })
}

func (a *Account) dependentFlags(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	items := []dependentRep{}
	for _, other := range p.Flags {
		rep := dependentRep{Key: other.Key, Name: other.Name}
		for _, e := range p.Envs {
			if other.Environments[e.Key].dependsOn(f.Key) {
				rep.Environments = append(rep.Environments, environmentAt{
					Key: e.Key, Name: e.Name,
					Links: links{"self": linkTo("flags", p.Key, other.Key)}, Site: flagSite(p, e.Key, other.Key),
				})
			}
		}
		if len(rep.Environments) > 0 {
			items = append(items, rep)
		}
	}
	send(w, http.StatusOK, map[string]any{
		"items": items, "_site": flagSite(p, p.Envs[0].Key, f.Key),
		"_links": links{"self": linkTo("flags", p.Key, f.Key, "dependent-flags"), "parent": linkTo("flags", p.Key, f.Key)},
	})
}

func (a *Account) dependentFlagsIn(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	e := a.environment(w, p, r.PathValue("environment"))
	if e == nil {
		return
	}
	items := []dependentRep{}
	for _, other := range p.Flags {
		if other.Environments[e.Key].dependsOn(f.Key) {
			site := flagSite(p, e.Key, other.Key)
			items = append(items, dependentRep{
				Key: other.Key, Name: other.Name, Links: links{"self": linkTo("flags", p.Key, other.Key)}, Site: &site,
			})
		}
	}
	send(w, http.StatusOK, map[string]any{
		"items": items, "_site": flagSite(p, e.Key, f.Key),
		"_links": links{"self": linkTo("flags", p.Key, e.Key, f.Key, "dependent-flags"), "parent": linkTo("flags", p.Key, f.Key)},
	})
}

func stale(format string, args ...any) *apiError {
	return &apiError{http.StatusConflict, "optimistic_locking_error", fmt.Sprintf(format, args...)}
}
