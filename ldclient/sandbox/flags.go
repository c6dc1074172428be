package sandbox

import (
	"net/http"
	"slices"
)

func (a *Account) flagRoutes() {
	a.route("GET /flags/{project}", a.listFlags)
	a.route("POST /flags/{project}", a.createFlag)
	a.route("GET /flags/{project}/{flag}", a.getFlag)
	a.route("PATCH /flags/{project}/{flag}", a.patchFlag)
	a.route("DELETE /flags/{project}/{flag}", a.deleteFlag)
	a.route("POST /flags/{project}/{flag}/copy", a.copyFlag)
	a.route("GET /flags/{project}/{flag}/dependent-flags", a.dependentFlags)
	a.route("GET /projects/{project}/flag-defaults", a.getFlagDefaults)
	a.route("GET /flags/{project}/{environment}/{flag}/dependent-flags", a.dependentFlagsIn)
	a.route("GET /flag-statuses/{project}/{environment}", a.listFlagStatuses)
	a.route("GET /flag-statuses/{project}/{environment}/{flag}", a.getFlagStatus)
	a.route("GET /flag-status/{project}/{flag}", a.flagStatusAcross)
	a.route("POST /projects/{project}/environments/{environment}/flags/evaluate", a.evaluateFlags)
}

// flag is the one named in the path; when it is missing, flag answers 404 and the result is nil.
func (a *Account) flag(w http.ResponseWriter, r *http.Request) (*project, *flag) {
	return inPath(a, w, r, "feature flag", "flag", (*project).flag)
}

func (a *Account) getFlag(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	shown := everyEnvironment
	if keys := r.URL.Query()["env"]; len(keys) > 0 {
		if err := p.knows(keys); err != nil {
			refuse(w, err)
			return
		}
		shown = func(env string) bool { return slices.Contains(keys, env) }
	}
	send(w, http.StatusOK, a.flagView(p, f, shown))
}

// knows refuses environment keys that the project does not have.
func (p *project) knows(envs []string) *apiError {
	for _, key := range envs {
		if p.env(key) == nil {
			return invalid("Unknown environment key %s", key)
		}
	}
	return nil
}

func (a *Account) deleteFlag(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	_, actions, err := a.applyToFlag(p, f, "", []instruction{{"kind": "deleteFlag"}})
	if err != nil {
		refuse(w, err)
		return
	}
	c := a.flagChange(p, f, nil, actions, "")
	a.commitFlag(p, f, nil, actions)
	a.record(r, c)
	send(w, http.StatusNoContent, nil)
}

// flagActions tells what the role actions on flags do, for the audit log: the
// verb of the title and the line of the description.
var flagActions = map[string][2]string{
	"createFlag":                           {"created the flag", "Created the flag"},
	"cloneFlag":                            {"cloned the flag", "Cloned the flag from another one"},
	"deleteFlag":                           {"deleted the flag", "Deleted the flag"},
	"updateRules":                          {"updated the rules of the flag", "Changed the targeting rules"},
	"updateFlagRuleDescription":            {"updated the rules of the flag", "Changed the description of a rule"},
	"updateFallthrough":                    {"updated the default rule of the flag", "Changed what the default rule serves"},
	"updateOffVariation":                   {"updated the off variation of the flag", "Changed the off variation"},
	"updateTargets":                        {"updated the targets of the flag", "Changed the individual targets"},
	"updatePrerequisites":                  {"updated the prerequisites of the flag", "Changed the prerequisites"},
	"updateTrackEvents":                    {"updated the event tracking of the flag", "Changed whether events are tracked"},
	"updateFlagFallthroughTrackEvents":     {"updated the event tracking of the flag", "Changed whether events of the default rule are tracked"},
	"updateFallthroughWithMeasuredRollout": {"started a rollout on the flag", "Started a rollout on the default rule"},
	"updateRulesWithMeasuredRollout":       {"started a rollout on the flag", "Started a rollout on a rule"},
	"stopMeasuredRolloutOnFlagFallthrough": {"stopped a rollout on the flag", "Stopped the rollout on the default rule"},
	"stopMeasuredRolloutOnFlagRule":        {"stopped a rollout on the flag", "Stopped the rollout on a rule"},
	"updateFlagVariations":                 {"updated the variations of the flag", "Changed the variations"},
	"updateFlagDefaultVariations":          {"updated the default variations of the flag", "Changed the default variations"},
	"updateName":                           {"renamed the flag", "Changed the name"},
	"updateDescription":                    {"updated the description of the flag", "Changed the description"},
	"updateTags":                           {"updated the tags of the flag", "Changed the tags"},
	"updateTemporary":                      {"updated the flag", "Changed whether the flag is temporary"},
	"updateClientSideFlagAvailability":     {"updated the client-side availability of the flag", "Changed the client-side availability"},
	"updateFlagCustomProperties":           {"updated the custom properties of the flag", "Changed the custom properties"},
	"updateMaintainer":                     {"updated the maintainer of the flag", "Changed the maintainer"},
	"copyFlagConfigFrom":                   {"copied the settings of the flag", "Copied the settings from another environment"},
	"updateExpiringTargets":                {"updated the expiring targets of the flag", "Changed when individual targets expire"},
	"copyFlagConfigTo":                     {"copied the settings of the flag", ""},
}

// flagChange is the audit log's view of a change from f to g. g is nil when the flag is deleted, f when it is new.
func (a *Account) flagChange(p *project, f, g *flag, actions []string, comment string) change {
	env := "*"
	var envs []string
	if f != nil && g != nil {
		for _, e := range p.Envs {
			if len(configActions(f.Environments[e.Key], g.Environments[e.Key])) > 0 {
				envs = append(envs, e.Key)
			}
		}
	}
	scoped := slices.ContainsFunc(actions, func(s string) bool { return slices.Contains(configurationActions, s) })
	if scoped && len(envs) == 1 {
		env = envs[0]
	}
	c := change{Kind: "flag", Actions: actions, Verb: "updated the flag", Comment: comment, ParentName: p.Name, Parent: p.spec()}
	for i, action := range actions {
		verb, text := a.flagAction(action, g, env)
		if i == 0 && (len(actions) == 1 || action == "cloneFlag" || action == "copyFlagConfigFrom") {
			c.Verb = verb
		}
		if text != "" {
			c.Text += "* " + text + "\n"
		}
	}
	for _, v := range []*flag{f, g} {
		if v != nil {
			c.Name = v.Name
			c.Resource = p.spec() + ":env/" + env + ":flag/" + v.Key
		}
	}
	if f != nil {
		c.Before = jsonValue(a.flagView(p, f, everyEnvironment))
	}
	if g != nil && !slices.Contains(actions, "deleteFlag") {
		c.After = jsonValue(a.flagView(p, g, everyEnvironment))
	}
	return c
}

func (a *Account) flagAction(action string, g *flag, env string) (verb, text string) {
	switch action {
	case "updateOn":
		if c := g.Environments[env]; c == nil {
			return "updated the flag", "Turned the flag on or off"
		} else if c.On {
			return "turned on the flag", "Turned the flag **on**"
		}
		return "turned off the flag", "Turned the flag **off**"
	case "updateGlobalArchived":
		if g.Archived {
			return "archived the flag", "Archived the flag"
		}
		return "restored the flag", "Restored the flag"
	case "updateDeprecated":
		if g.Deprecated {
			return "deprecated the flag", "Deprecated the flag"
		}
		return "restored the flag", "Restored the flag from deprecation"
	}
	words, ok := flagActions[action]
	if !ok {
		return "updated the flag", "Updated the flag"
	}
	return words[0], words[1]
}
