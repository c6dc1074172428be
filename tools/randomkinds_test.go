package tools_test

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// The kinds of flag instructions that a lottery draws, apart from deleteFlag.
var (
	configurationKinds = []string{
		"turnFlagOn", "turnFlagOff", "updateFallthroughVariationOrRollout", "updateOffVariation",
		"addRule", "addRule", "removeRule", "replaceRules", "reorderRules", "updateRuleVariationOrRollout", "updateRuleDescription",
		"updateRuleTrackEvents", "addClauses", "removeClauses", "updateClause", "addValuesToClause", "removeValuesFromClause",
		"addTargets", "removeTargets", "replaceTargets", "clearTargets", "addUserTargets", "removeUserTargets", "replaceUserTargets", "clearUserTargets",
		"addPrerequisite", "updatePrerequisite", "removePrerequisite", "replacePrerequisites", "updateTrackEvents", "updateTrackEventsFallthrough",
	}
	releasing    = []string{"startAutomatedRelease", "stopAutomatedRelease", "stopAutomatedRelease"}
	settingKinds = []string{
		"addVariation", "removeVariation", "removeVariation", "updateVariation", "updateDefaultVariation", "updateName", "updateDescription", "addTags", "removeTags",
		"makeFlagTemporary", "makeFlagPermanent", "turnOnClientSideAvailability", "turnOffClientSideAvailability",
		"addCustomProperties", "replaceCustomProperties", "removeCustomProperties", "updateMaintainerMember", "updateMaintainerTeam", "removeMaintainer",
		"archiveFlag", "restoreFlag", "deprecateFlag", "restoreDeprecatedFlag",
	}
)

func (l *lottery) variation(f *ldclient.Flag) string { return pick(l, f.Variations...).ID }

func (l *lottery) serve(f *ldclient.Flag) ldclient.Serve {
	if l.chance(60) {
		return ldclient.Serve{VariationID: l.variation(f)}
	}
	s := ldclient.Serve{Weights: map[string]int{}, BucketBy: pick(l, "", "", "plan", "age", "/address/city"), ContextKind: pick(l, "", "user", "organization")}
	left := 100_000
	for i, v := range f.Variations {
		weight := pick(l, 0, 20_000, 33_333, 50_000)
		if weight = min(weight, left); i == len(f.Variations)-1 {
			weight = left
		}
		s.Weights[v.ID] = weight
		left -= weight
	}
	return s
}

func (l *lottery) rule(f *ldclient.Flag) ldclient.NewRule {
	return ldclient.NewRule{Clauses: l.clauses(), Serve: l.serve(f), Description: pick(l, "", "", "drawn"), TrackEvents: l.chance(10)}
}

func (l *lottery) target(f *ldclient.Flag) ldclient.NewTarget {
	return ldclient.NewTarget{VariationID: l.variation(f), ContextKind: pick(l, "", "user", "organization"), Values: some(l, 3, lotKeys...)}
}

func (l *lottery) prerequisite() (ldclient.NewPrerequisite, bool) {
	if len(l.needed) == 0 {
		return ldclient.NewPrerequisite{}, false
	}
	f := pick(l, l.needed...)
	return ldclient.NewPrerequisite{Key: f.Key, VariationID: l.variation(f)}, true
}

// instruction draws one instruction of a kind, nil where the flag has nothing
// that it could be about. LaunchDarkly may still refuse it.
func (l *lottery) instruction(f *ldclient.Flag, kind string) ldclient.Instruction {
	c := f.Environments[l.env]
	with := func(more ldclient.Instruction) ldclient.Instruction {
		more["kind"] = kind
		return more
	}
	switch kind {
	case "updateFallthroughVariationOrRollout":
		return ldclient.UpdateFallthrough(l.serve(f))
	case "updateOffVariation", "removeVariation", "clearTargets", "clearUserTargets":
		return with(ldclient.Instruction{"variationId": l.variation(f)})
	case "addRule":
		before := ""
		if len(c.Rules) > 0 && l.chance(40) {
			before = pick(l, c.Rules...).ID
		}
		return ldclient.AddRule(l.rule(f), before)
	case "replaceRules":
		rules := []ldclient.NewRule{}
		for range l.IntN(3) {
			rules = append(rules, l.rule(f))
		}
		return ldclient.ReplaceRules(rules)
	case "reorderRules":
		ids := []string{}
		for _, r := range c.Rules {
			ids = append(ids, r.ID)
		}
		l.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		return ldclient.ReorderRules(ids)
	case "addTargets", "removeTargets":
		t := l.target(f)
		i := ldclient.Instruction{"kind": kind, "variationId": t.VariationID, "values": t.Values}
		if t.ContextKind != "" {
			i["contextKind"] = t.ContextKind
		}
		return i
	case "addUserTargets", "removeUserTargets":
		return with(ldclient.Instruction{"variationId": l.variation(f), "values": some(l, 3, lotKeys...)})
	case "replaceTargets":
		targets := []ldclient.NewTarget{}
		for range l.IntN(3) {
			targets = append(targets, l.target(f))
		}
		return ldclient.ReplaceTargets(targets)
	case "replaceUserTargets":
		var targets []ldclient.NewTarget
		for i, v := range f.Variations {
			targets = append(targets, ldclient.NewTarget{VariationID: v.ID, Values: lotKeys[min(2*i, 10):min(2*i+2, 10)]})
		}
		return ldclient.ReplaceUserTargets(targets)
	case "addPrerequisite", "updatePrerequisite", "replacePrerequisites":
		p, ok := l.prerequisite()
		if !ok {
			return nil
		}
		switch {
		case kind == "replacePrerequisites" && l.chance(50):
			return ldclient.ReplacePrerequisites([]ldclient.NewPrerequisite{})
		case kind == "replacePrerequisites":
			return ldclient.ReplacePrerequisites([]ldclient.NewPrerequisite{p})
		}
		return with(ldclient.Instruction{"key": p.Key, "variationId": p.VariationID})
	case "removePrerequisite":
		if len(c.Prerequisites) == 0 {
			return nil
		}
		return ldclient.RemovePrerequisite(pick(l, c.Prerequisites...).Key)
	case "updateTrackEvents", "updateTrackEventsFallthrough":
		return with(ldclient.Instruction{"trackEvents": l.chance(50)})
	case "startAutomatedRelease", "stopAutomatedRelease":
		return l.release(f, c, kind)
	}
	if slices.Contains(settingKinds, kind) {
		return l.setting(f, kind)
	}
	if kind == "turnFlagOn" || kind == "turnFlagOff" {
		return with(ldclient.Instruction{})
	}
	return l.onRule(f, c, kind)
}

// onRule draws an instruction on a rule that is there.
func (l *lottery) onRule(f *ldclient.Flag, c ldclient.FlagConfig, kind string) ldclient.Instruction {
	if len(c.Rules) == 0 {
		return nil
	}
	r := pick(l, c.Rules...)
	clause := pick(l, r.Clauses...)
	switch kind {
	case "removeRule":
		return ldclient.RemoveRule(r.ID)
	case "updateRuleVariationOrRollout":
		return ldclient.UpdateRuleServe(r.ID, l.serve(f))
	case "updateRuleDescription":
		return ldclient.UpdateRuleDescription(r.ID, pick(l, "", "one", "another"))
	case "updateRuleTrackEvents":
		return ldclient.UpdateRuleTrackEvents(r.ID, l.chance(50))
	case "addClauses":
		return ldclient.AddClauses(r.ID, l.clauses())
	case "removeClauses":
		if len(r.Clauses) < 2 {
			return nil
		}
		return ldclient.RemoveClauses(r.ID, []string{clause.ID})
	case "updateClause":
		return ldclient.UpdateClause(r.ID, clause.ID, l.clause())
	case "addValuesToClause":
		values := l.clause()
		for tries := 0; values.Op != clause.Op && tries < 30; tries++ {
			values = l.clause()
		}
		return ldclient.AddValuesToClause(r.ID, clause.ID, values.Values)
	case "removeValuesFromClause":
		return ldclient.RemoveValuesFromClause(r.ID, clause.ID, clause.Values[:1])
	}
	panic("a lottery draws no " + kind)
}

func (l *lottery) release(f *ldclient.Flag, c ldclient.FlagConfig, kind string) ldclient.Instruction {
	rule, serves := "", c.Fallthrough
	if len(c.Rules) > 0 && l.chance(50) {
		r := pick(l, c.Rules...)
		rule, serves = r.ID, r.RuleServe
	}
	if kind == "stopAutomatedRelease" {
		if serves.Rollout == nil {
			return nil
		}
		return ldclient.StopRelease(rule, f.Variations[pick(l, serves.Rollout.Variations...).Variation].ID)
	}
	r := ldclient.NewRelease{Kind: "progressive", RuleID: rule, OriginalID: l.variation(f), TargetID: l.variation(f),
		RandomizationUnit: "user", Stages: []ldclient.ReleaseStage{{Allocation: 25_000, Duration: 3_600_000}}}
	if l.chance(30) {
		r.Kind, r.Metrics, r.Rollback = "guarded", []ldclient.ReleaseMetric{{Key: "errors"}}, map[string]bool{"errors": true}
	}
	return ldclient.StartRelease(r)
}

// setting draws an instruction on what holds for a flag in all environments.
func (l *lottery) setting(f *ldclient.Flag, kind string) ldclient.Instruction {
	text := func(s string) *string { return &s }
	value := json.RawMessage(pick(l, `"one"`, `"six"`, `7`, fmt.Sprintf(`"new %d"`, l.IntN(100))))
	switch kind {
	case "addVariation":
		return ldclient.AddVariation(ldclient.NewVariation{Value: value, Name: pick(l, "", "Added")})
	case "updateVariation":
		if l.chance(50) || f.Kind == "boolean" {
			return ldclient.UpdateVariation(l.variation(f), nil, text(pick(l, "Renamed", "")), nil)
		}
		return ldclient.UpdateVariation(l.variation(f), value, nil, text("described"))
	case "updateDefaultVariation":
		return ldclient.UpdateDefaultVariation(pick(l, f.Variations...).Value, pick(l, f.Variations...).Value)
	case "updateName":
		return ldclient.UpdateFlagName(pick(l, "Renamed", "Renamed again"))
	case "updateDescription":
		return ldclient.UpdateFlagDescription(pick(l, "", "Described"))
	case "addTags":
		return ldclient.AddFlagTags(some(l, 2, "alpha", "beta", "drawn"))
	case "removeTags":
		return ldclient.RemoveFlagTags(some(l, 2, "alpha", "beta", "drawn"))
	case "turnOnClientSideAvailability", "turnOffClientSideAvailability":
		return ldclient.SetClientSideAvailability(pick(l, "usingMobileKey", "usingEnvironmentId"), kind == "turnOnClientSideAvailability")
	case "addCustomProperties":
		return ldclient.AddCustomProperties("drawn", "Drawn", some(l, 2, "a", "b", "c"))
	case "replaceCustomProperties":
		return ldclient.ReplaceCustomProperties("drawn", "Drawn", some(l, 2, "a", "b", "c"))
	case "removeCustomProperties":
		return ldclient.RemoveCustomProperties("drawn", some(l, 2, "a", "b", "c"))
	case "updateMaintainerMember":
		members, err := l.ld.Members.List(l.t.Context(), ldclient.ListMembers{})
		if err != nil || len(members.Items) == 0 {
			l.t.Fatal("no members", err)
		}
		return ldclient.UpdateMaintainerMember(pick(l, members.Items...).ID)
	case "updateMaintainerTeam":
		return ldclient.UpdateMaintainerTeam(pick(l, "checkout", "growth", "platform"))
	}
	return ldclient.Instruction{"kind": kind} // archiveFlag, makeFlagPermanent and the like
}

// everyKind lists the kinds that a lottery draws, for tests to check that they met them all.
func everyKind() []string {
	out := slices.Concat(configurationKinds, releasing, settingKinds)
	slices.Sort(out)
	return slices.Compact(out)
}
