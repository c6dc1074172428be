package sandbox

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// flagEdit is a change to a flag in the making. Instructions work on a copy, so
// that a refused one leaves nothing behind.
type flagEdit struct {
	a   *Account
	p   *project
	f   *flag        // the copy
	env *environment // nil when the request names none
	c   *flagConfig  // the copy's configuration in env
}

// flagKind is one instruction kind: the role action it needs and what it does.
type flagKind struct {
	env    bool // it needs an environmentKey
	action string
	apply  func(*flagEdit, params) *apiError
}

var flagKinds = sync.OnceValue(func() map[string]flagKind {
	return map[string]flagKind{
		"turnFlagOn":  {true, "updateOn", func(e *flagEdit, _ params) *apiError { e.c.On = true; return nil }},
		"turnFlagOff": {true, "updateOn", func(e *flagEdit, _ params) *apiError { e.c.On = false; return nil }},

		"addRule":                      {true, "updateRules", (*flagEdit).addRule},
		"removeRule":                   {true, "updateRules", (*flagEdit).removeRule},
		"replaceRules":                 {true, "updateRules", (*flagEdit).replaceRules},
		"reorderRules":                 {true, "updateRules", func(e *flagEdit, in params) *apiError { return reorderRules(&e.c.Rules, in) }},
		"updateRuleVariationOrRollout": {true, "updateRules", (*flagEdit).updateRuleServe},
		"updateRuleDescription":        {true, "updateFlagRuleDescription", func(e *flagEdit, in params) *apiError { return describeRule(&e.c.Rules, in) }},
		"updateRuleTrackEvents":        {true, "updateRules", (*flagEdit).updateRuleTrackEvents},
		"addClauses":                   {true, "updateRules", (*flagEdit).editClauses},
		"removeClauses":                {true, "updateRules", (*flagEdit).editClauses},
		"updateClause":                 {true, "updateRules", (*flagEdit).editClauses},
		"addValuesToClause":            {true, "updateRules", (*flagEdit).editClauses},
		"removeValuesFromClause":       {true, "updateRules", (*flagEdit).editClauses},

		"updateFallthroughVariationOrRollout": {true, "updateFallthrough", (*flagEdit).updateFallthrough},
		"updateOffVariation":                  {true, "updateOffVariation", (*flagEdit).updateOffVariation},

		"addTargets":         {true, "updateTargets", (*flagEdit).addTargets},
		"removeTargets":      {true, "updateTargets", (*flagEdit).removeTargets},
		"replaceTargets":     {true, "updateTargets", (*flagEdit).replaceTargets},
		"clearTargets":       {true, "updateTargets", (*flagEdit).clearTargets},
		"addUserTargets":     {true, "updateTargets", (*flagEdit).addTargets},
		"removeUserTargets":  {true, "updateTargets", (*flagEdit).removeTargets},
		"replaceUserTargets": {true, "updateTargets", (*flagEdit).replaceUserTargets},
		"clearUserTargets":   {true, "updateTargets", (*flagEdit).clearTargets},

		"addPrerequisite":      {true, "updatePrerequisites", (*flagEdit).addPrerequisite},
		"updatePrerequisite":   {true, "updatePrerequisites", (*flagEdit).updatePrerequisite},
		"removePrerequisite":   {true, "updatePrerequisites", (*flagEdit).removePrerequisite},
		"replacePrerequisites": {true, "updatePrerequisites", (*flagEdit).replacePrerequisites},

		"updateTrackEvents":            {true, "updateTrackEvents", (*flagEdit).updateTrackEvents},
		"updateTrackEventsFallthrough": {true, "updateFlagFallthroughTrackEvents", (*flagEdit).updateTrackEvents},

		"startAutomatedRelease": {true, "", (*flagEdit).startRelease},
		"stopAutomatedRelease":  {true, "", (*flagEdit).stopRelease},

		"addVariation":           {false, "updateFlagVariations", (*flagEdit).addVariation},
		"removeVariation":        {false, "updateFlagVariations", (*flagEdit).removeVariation},
		"updateVariation":        {false, "updateFlagVariations", (*flagEdit).updateVariation},
		"updateDefaultVariation": {false, "updateFlagDefaultVariations", (*flagEdit).updateDefaults},

		"updateName":        {false, "updateName", (*flagEdit).updateName},
		"updateDescription": {false, "updateDescription", (*flagEdit).updateDescription},
		"addTags":           {false, "updateTags", (*flagEdit).updateTags},
		"removeTags":        {false, "updateTags", (*flagEdit).updateTags},
		"makeFlagTemporary": {false, "updateTemporary", func(e *flagEdit, _ params) *apiError { e.f.Temporary = true; return nil }},
		"makeFlagPermanent": {false, "updateTemporary", func(e *flagEdit, _ params) *apiError { e.f.Temporary = false; return nil }},

		"turnOnClientSideAvailability":  {false, "updateClientSideFlagAvailability", (*flagEdit).updateClientSide},
		"turnOffClientSideAvailability": {false, "updateClientSideFlagAvailability", (*flagEdit).updateClientSide},

		"addCustomProperties":     {false, "updateFlagCustomProperties", (*flagEdit).updateCustomProperties},
		"replaceCustomProperties": {false, "updateFlagCustomProperties", (*flagEdit).updateCustomProperties},
		"removeCustomProperties":  {false, "updateFlagCustomProperties", (*flagEdit).updateCustomProperties},

		"updateMaintainerMember": {false, "updateMaintainer", (*flagEdit).updateMaintainer},
		"updateMaintainerTeam":   {false, "updateMaintainer", (*flagEdit).updateMaintainer},
		"removeMaintainer":       {false, "updateMaintainer", (*flagEdit).updateMaintainer},

		"archiveFlag":           {false, "updateGlobalArchived", (*flagEdit).archive},
		"restoreFlag":           {false, "updateGlobalArchived", (*flagEdit).archive},
		"deprecateFlag":         {false, "updateDeprecated", (*flagEdit).deprecate},
		"restoreDeprecatedFlag": {false, "updateDeprecated", (*flagEdit).deprecate},
		"deleteFlag":            {false, "deleteFlag", (*flagEdit).deletable},
	}
})

// applyToFlag returns f as the instructions would leave it, with its versions
// raised, and the role actions of those that changed something. No action means
// that everything was true already. It leaves f alone: commitFlag puts the result in place.
func (a *Account) applyToFlag(p *project, f *flag, envKey string, instructions []instruction) (*flag, []string, *apiError) {
	e := &flagEdit{a: a, p: p, f: f.clone()}
	if envKey != "" {
		if e.env = p.env(envKey); e.env == nil {
			return nil, nil, invalid("unknown environmentKey '%s'", envKey)
		}
		e.c = e.f.Environments[envKey]
	}
	var actions []string
	before := string(jsonValue(e.f))
	for i, raw := range instructions {
		in, err := raw.params()
		if err != nil {
			return nil, nil, err
		}
		kind, ok := flagKinds()[in.Kind]
		switch {
		case in.Kind == "":
			return nil, nil, invalid("instruction %d has no kind", i)
		case !ok:
			return nil, nil, invalid("unknown instruction kind '%s'", in.Kind)
		case kind.env && e.c == nil:
			return nil, nil, invalid("instruction kind '%s' requires environmentKey", in.Kind)
		}
		if err := kind.apply(e, in); err != nil {
			return nil, nil, err
		}
		after := string(jsonValue(e.f))
		if after == before && in.Kind != "deleteFlag" {
			continue
		}
		before = after
		action := kind.action
		if action == "" {
			action = releaseAction(in)
		}
		if !slices.Contains(actions, action) {
			actions = append(actions, action)
		}
	}
	if err := a.finishFlag(p, f, e.f); err != nil {
		return nil, nil, err
	}
	return e.f, actions, nil
}

// finishFlag checks the changed copy g of f and raises the versions of what differs.
func (a *Account) finishFlag(p *project, f, g *flag) *apiError {
	if err := a.checkFlag(p, f, g); err != nil {
		return err
	}
	if err := p.experimentsHold(f, g); err != nil {
		return err
	}
	if bytes.Equal(jsonValue(f), jsonValue(g)) {
		return nil
	}
	now := a.tick()
	g.Version++
	for key, c := range g.Environments {
		if bytes.Equal(jsonValue(f.Environments[key]), jsonValue(c)) {
			continue
		}
		c.Version++
		c.LastModified = now
	}
	return nil
}

// commitFlag puts g, which applyToFlag returned, in f's place.
func (a *Account) commitFlag(p *project, f, g *flag, actions []string) {
	if slices.Contains(actions, "deleteFlag") {
		p.Flags = slices.DeleteFunc(p.Flags, func(other *flag) bool { return other == f })
		return
	}
	for _, other := range p.Flags {
		for _, c := range other.Environments {
			for i := range c.Prerequisites {
				q := &c.Prerequisites[i]
				if q.Key != f.Key || q.Variation >= len(f.Variations) {
					continue
				}
				at := g.variationIndex(f.Variations[q.Variation].ID)
				if at >= 0 && at != q.Variation { // variations before it were removed
					q.Variation = at
					c.Version++
					c.LastModified = a.tick()
				}
			}
		}
	}
	*f = *g
}

func (f *flag) clone() *flag {
	g := cloneOf(f)
	g.Status = maps.Clone(f.Status)
	g.Releases = slices.Clone(f.Releases)
	return g
}

func (a *Account) patchFlag(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	body, err := readPatch(r)
	if err != nil {
		refuse(w, err)
		return
	}
	var g *flag
	var actions []string
	if body.Semantic {
		g, actions, err = a.applyToFlag(p, f, body.EnvironmentKey, body.Instructions)
	} else {
		g, actions, err = a.patchFlagJSON(p, f, body)
	}
	if err == nil && body.Semantic {
		err = a.flagApproval(p.env(body.EnvironmentKey), f, actions)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	if r.URL.Query().Get("dryRun") == "true" || len(actions) == 0 {
		send(w, http.StatusOK, a.flagView(p, g, everyEnvironment))
		return
	}
	c := a.flagChange(p, f, g, actions, body.Comment)
	a.commitFlag(p, f, g, actions)
	a.record(r, c)
	send(w, http.StatusOK, a.flagView(p, g, everyEnvironment))
}

// configurationActions are the role actions that concern one environment.
var configurationActions = []string{
	"updateOn", "updateRules", "updateFlagRuleDescription", "updateFallthrough", "updateOffVariation", "updateTargets",
	"updatePrerequisites", "updateTrackEvents", "updateFlagFallthroughTrackEvents",
	"updateFallthroughWithMeasuredRollout", "updateRulesWithMeasuredRollout",
	"stopMeasuredRolloutOnFlagFallthrough", "stopMeasuredRolloutOnFlagRule",
}

// flagApproval refuses a change to the flag's configuration in e when that takes an approval.
func (a *Account) flagApproval(e *environment, f *flag, actions []string) *apiError {
	if e == nil || a.bypasses || !e.FlagApprovals.needed(f.Tags) {
		return nil
	}
	for _, action := range actions {
		if slices.Contains(configurationActions, action) {
			return &apiError{
				http.StatusMethodNotAllowed, "method_not_allowed",
				"Flag configuration updates require approval: action '" + action + "' not allowed",
			}
		}
	}
	return nil
}

func (s approvalSettings) needed(tags []string) bool {
	return s.Required || slices.ContainsFunc(s.RequiredApprovalTags, func(t string) bool { return slices.Contains(tags, t) })
}
