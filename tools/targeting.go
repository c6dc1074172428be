package tools

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var targeting = Toolset{
	Name: "targeting", Doc: "Change who gets which variation of a flag in one environment.",
	Default: []string{"toggle-flag", "update-targeting-rules", "update-rollout", "update-individual-targets", "copy-flag-config", "update-prerequisites", "update-off-variation"},
	Tools: []Tool{toggleFlag, updateTargetingRules, updateRollout, updateIndividualTargets, updateOffVariation, updatePrerequisites, copyFlagConfig,
		manageExpiringTargets, updateTrackEvents},
}

// flagState is what toggling changes.
type flagState struct {
	On      bool   `json:"on"`
	Serves  string `json:"serves,omitempty" doc:"what contexts get that match no target and no rule, or everyone while off"`
	Version int    `json:"version" doc:"of the flag in this environment"`
}

func flagStateIn(environment string) func(*ldclient.Flag) flagState {
	return func(f *ldclient.Flag) flagState {
		c := f.Environments[environment]
		return flagState{c.On, serving(f, c), c.Version}
	}
}

var toggleFlag = update(Spec{
	Name: "toggle-flag", Title: "Turn a flag on or off", Action: "updateOn",
	Doc: "Turn a flag's targeting on or off in one environment. While off, everyone gets the off variation.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagEnvironment
	On bool `json:"on" alias:"enabled"`
	because
}) (*plan[flagState], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	then := c
	then.On = in.On
	do, word, effect := ldclient.TurnFlagOff(), "off", fmt.Sprintf("everyone would get %s, whatever targets and rules say", serving(f, then))
	if in.On {
		do, word = ldclient.TurnFlagOn(), "on"
		effect = fmt.Sprintf("everyone would get %s instead of %s", serving(f, then), serving(f, c))
		if n := len(targetViews(f, c, 0)) + len(c.Rules) + len(c.Prerequisites); n > 0 {
			effect = fmt.Sprintf("its %d rules, individual targets and %d prerequisites would take effect, and the rest would get %s instead of %s",
				len(c.Rules), len(c.Prerequisites), serving(f, then), serving(f, c))
		}
	}
	says := fmt.Sprintf("turn flag %s %s in %s of project %s: %s", in.Flag, word, in.Environment, in.Project, effect)
	p := flagPlan(ld, in.target(), f, flagStateIn(in.Environment), says, do)
	if c.On == in.On {
		p.Nothing = fmt.Sprintf("%s is %s already in %s", in.Flag, word, in.Environment)
	}
	return p, nil
})

// rulesState is what changing targeting rules changes.
type rulesState struct {
	Version int        `json:"version" doc:"of the flag in this environment"`
	Count   int        `json:"rulesCount"`
	Rules   []ruleView `json:"rules" doc:"those that the change concerns, the first ten"`
	Order   []string   `json:"order,omitempty" doc:"_ids of all rules, where their order changed"`
}

func rulesStateIn(environment string) func(*ldclient.Flag) rulesState {
	return func(f *ldclient.Flag) rulesState {
		c := f.Environments[environment]
		out := rulesState{Version: c.Version, Count: len(c.Rules), Rules: []ruleView{}}
		for _, r := range c.Rules {
			out.Rules = append(out.Rules, ruleOf(f, r, 0))
			out.Order = append(out.Order, r.ID)
		}
		return out
	}
}

// rulesDiffer leaves in both states what differs between them.
func rulesDiffer(before, after *rulesState) {
	both := func(ids, others []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(others, id) })
	}
	moved := !slices.Equal(both(before.Order, after.Order), both(after.Order, before.Order))
	was, is := slices.Clone(before.Rules), slices.Clone(after.Rules)
	for _, side := range []struct {
		*rulesState
		other []ruleView
	}{{before, is}, {after, was}} {
		side.Rules = slices.DeleteFunc(slices.Clone(side.Rules), func(r ruleView) bool {
			return slices.ContainsFunc(side.other, func(o ruleView) bool { return reflect.DeepEqual(r, o) })
		})
		side.Rules = side.Rules[:min(firstOf, len(side.Rules))]
		if !moved {
			side.Order = nil
		}
	}
}

var updateTargetingRules = update(Spec{
	Name: "update-targeting-rules", Title: "Change targeting rules", Action: "updateRules",
	Or: "updateFlagRuleDescription, updateTrackEvents", Additive: true,
	Doc: "Add, remove, edit or reorder a flag's targeting rules. " +
		`Example: [{"kind":"addRule","clauses":[{"op":"segmentMatch","values":["beta-testers"]}],"variation":"true"}]. Take rule and clause ids from get-flag.`,
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagEnvironment
	Instructions []ruleInstruction `json:"instructions" jsonschema:"minItems=1" doc:"In order. addRule {clauses, variation or percent or rolloutWeights, beforeRuleId}; with ruleId: removeRule, updateRuleVariationOrRollout, updateRuleDescription, updateRuleTrackEvents, addClauses, removeClauses {clauseIds}, updateClause {clauseId, clause}, addValuesToClause or removeValuesFromClause {clauseId, values}; reorderRules {ruleIds}, replaceRules {rules}: all of them"`
	because
}) (*plan[rulesState], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	var do []ldclient.Instruction
	var says []string
	b := ruleBuilder{flag: f, rules: c.Rules}
	for n, i := range in.Instructions {
		instruction, words, err := b.build(i)
		if err != nil {
			return nil, badf("instructions[%d] (%s): %v", n, i.Kind, err)
		}
		do, says = append(do, instruction), append(says, words)
	}
	if err := segmentsExist(ctx, ld, in.target(), b.segments); err != nil {
		return nil, err
	}
	words := fmt.Sprintf("change the targeting rules of flag %s in %s of project %s: %s", in.Flag, in.Environment, in.Project, strings.Join(says, "; "))
	p := flagPlan(ld, in.target(), f, rulesStateIn(in.Environment), words, do...)
	p.Differ = rulesDiffer
	if !c.On {
		p.Notes = append(p.Notes, fmt.Sprintf("targeting of %s is off in %s, so its rules have no effect until it is turned on", in.Flag, in.Environment))
	}
	return p, nil
})

// segmentsExist refuses rules on segments that are not there: LaunchDarkly takes them, and they match nobody.
func segmentsExist(ctx context.Context, ld *ldclient.Client, at ldclient.Target, keys []string) error {
	for _, key := range keys {
		if _, err := ld.Segments.Get(ctx, at.Project, at.Environment, key); ldclient.IsNotFound(err) {
			got, _ := ld.Segments.List(ctx, at.Project, at.Environment, ldclient.ListSegments{Paging: ldclient.Paging{Limit: 100}})
			var have []string
			if got != nil {
				have = keysOf(got.Items, func(s ldclient.Segment) string { return s.Key })
			}
			return absent("segment", key, have)
		} else if err != nil {
			return err
		}
	}
	return nil
}
