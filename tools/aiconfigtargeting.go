package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
)

// aiTargetingKinds are the instructions that the targeting of an AI config takes.
var aiTargetingKinds = []string{
	"addClauses", "addRule", "addTargets", "addValuesToClause", "clearTargets", "removeClauses", "removeRule", "removeTargets",
	"removeValuesFromClause", "reorderRules", "replaceRules", "replaceTargets", "updateClause", "updateDefaultVariation",
	"updateFallthroughVariationOrRollout", "updateOffVariation", "updateRuleDescription", "updateRuleTrackEvents",
	"updateRuleVariationOrRollout", "updateTrackEvents", "updateTrackEventsFallthrough",
}

type atAITargeting struct {
	Project     string `json:"projectKey" alias:"project"`
	Config      string `json:"configKey" alias:"config,aiConfigKey,agentcontrolConfigKey,key"`
	Environment string `json:"environmentKey" alias:"env,environment"`
}

func (a atAITargeting) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment, Kind: ldclient.AIConfigKind, Key: a.Config}
}

type inAITargeting struct {
	Project     string `json:"projectKey" alias:"project"`
	Config      string `json:"configKey" alias:"config,aiConfigKey,agentcontrolConfigKey,key"`
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"production" told:"true" doc:"production if not given"`
}

func (a inAITargeting) target() ldclient.Target { return atAITargeting(a).target() }

// aiVersion is what a plan on the targeting in one environment was made on.
func aiVersion(f *ldclient.Flag, environment string) string {
	return fmt.Sprintf("targeting %d %s", f.Environments[environment].Version, digest(f.Variations))
}

// aiPlan plans a semantic patch of the targeting of an AI config, as flagPlan does for a flag.
func aiPlan[View any](ld *ldclient.Client, at ldclient.Target, s *aiServed, view func(*ldclient.Flag) View, says string, do ...ldclient.Instruction) *plan[View] {
	before := view(s.Flag)
	p := &plan[View]{
		intent: intent{Says: says, Version: aiVersion(s.Flag, at.Environment), Instructions: do, Tags: s.Tags},
		Before: &before,
	}
	p.Apply = func(ctx context.Context, how manner) (*View, error) {
		if how.DryRun { // LaunchDarkly has no dry run of these
			env := engine.New(at.Environment)
			env.AddFlag(at.Key, s.Flag)
			got, err := env.Apply(at.Key, do)
			if err != nil {
				return nil, badf("%v", err)
			}
			after := view(got)
			return &after, nil
		}
		got, err := ld.AIConfigs.PatchTargeting(ctx, at.Project, at.Environment, at.Key, ldclient.Patch{Comment: how.Comment, Instructions: do})
		if err != nil {
			return nil, err
		}
		noticeLate(&p.intent, got.Behind)
		f := &got.Flag
		for i, v := range f.Variations { // with the keys that are known
			if n := slices.IndexFunc(s.Variations, func(o ldclient.Variation) bool { return o.ID == v.ID }); n >= 0 {
				f.Variations[i].Key = s.Variations[n].Key
			}
		}
		after := view(f)
		return &after, nil
	}
	return p
}

// aiTargetingDetail is the targeting of an AI config in one environment.
type aiTargetingDetail struct {
	Key          string              `json:"key"`
	Environment  string              `json:"environment"`
	On           bool                `json:"on" doc:"as toggle-ai-config means it: the default rule serves more than the disabled variation"`
	TargetingOn  bool                `json:"targetingOn" doc:"false: everyone gets the off variation"`
	Version      int                 `json:"version"`
	LastModified string              `json:"lastModified,omitempty"`
	Serves       string              `json:"serves,omitempty" doc:"what contexts get that match no target and no rule"`
	Variations   []aiTargetVariation `json:"variations"`
	Targets      []targetView        `json:"targets,omitempty"`
	Rules        []ruleView          `json:"rules,omitempty"`
	MoreRules    int                 `json:"moreRules,omitempty" doc:"rules left out here; read them with rulesOffset"`
	OffVariation string              `json:"offVariation,omitempty"`
	Experiment   bool                `json:"experiment,omitempty" doc:"an experiment runs on it: do not edit its rollout"`
	URL          string              `json:"url,omitempty"`
	Note         string              `json:"note,omitempty"`
}

type aiTargetVariation struct {
	ID       string `json:"_id"`
	Key      string `json:"key,omitempty"`
	Name     string `json:"name,omitempty"`
	Disabled bool   `json:"disabled,omitempty" doc:"generated: serves nothing"`
}

var getAITargeting = read(Spec{
	Name: "get-ai-config-targeting", Title: "Get an AI config's targeting", Aliases: []string{"get-agentcontrol-config-targeting"},
	Doc: "Read who gets which variation of an AI config in one environment.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inAITargeting
	longLists
}) (aiTargetingDetail, error) {
	s, c, err := aiServedIn(ctx, ld, in.target())
	if err != nil {
		return aiTargetingDetail{}, err
	}
	d := aiTargetingDetail{Key: in.Config, Environment: in.Environment, On: s.servesReal(c), TargetingOn: c.On, Version: c.Version, LastModified: c.LastModified.String(),
		Serves: serving(s.Flag, c), Targets: targetViews(s.Flag, c, in.ValuesOffset), URL: pageURL(ld, in.target()), Note: lateNote(s.behind)}
	for i, v := range s.Variations {
		d.Variations = append(d.Variations, aiTargetVariation{v.ID, v.Key, nameBeside(v.Key, v.Name), i == s.disabled})
	}
	rules := c.Rules[min(in.RulesOffset, len(c.Rules)):]
	for _, r := range rules[:min(firstOf, len(rules))] {
		d.Rules = append(d.Rules, ruleOf(s.Flag, r, in.ValuesOffset))
	}
	d.MoreRules = max(0, len(rules)-firstOf)
	if c.OffVariation != nil {
		d.OffVariation = label(s.Flag, *c.OffVariation)
	}
	for _, r := range append([]ldclient.RuleServe{c.Fallthrough}, rulesServe(c.Rules)...) {
		d.Experiment = d.Experiment || r.InExperiment()
	}
	return d, nil
})

// aiRolloutState is rolloutState for AI configs, where on is what toggle-ai-config switches.
type aiRolloutState struct {
	Fallthrough string `json:"fallthrough" doc:"what the default rule serves"`
	TargetingOn bool   `json:"targetingOn"`
	Version     int    `json:"version" doc:"of the targeting in this environment"`
}

func aiRolloutStateIn(environment string) func(*ldclient.Flag) aiRolloutState {
	return func(f *ldclient.Flag) aiRolloutState {
		c := f.Environments[environment]
		return aiRolloutState{serves(f, c.Fallthrough), c.On, c.Version}
	}
}

var updateAIRollout = update(Spec{
	Name: "update-ai-config-rollout", Title: "Change an AI config's rollout", Action: "updateAIConfigTargeting", Aliases: []string{"update-agentcontrol-config-rollout"},
	Doc: "Set what an AI config serves by default: one variation or percentages.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAITargeting
	Type        string              `json:"rolloutType,omitempty" jsonschema:"enum=variation,enum=percentage" quiet:"true" doc:"Follows from the rest if not given"`
	Variation   string              `json:"variationKey,omitempty" alias:"variation,variationId,variationName"`
	Percent     *float64            `json:"percent,omitempty" jsonschema:"minimum=0,maximum=100" quiet:"true" doc:"Of variationKey; a second one gets the rest"`
	Weights     []map[string]scalar `json:"weights,omitempty" alias:"rolloutWeights,variations" brief:"true" doc:"[{variation, percent}]"`
	BucketBy    string              `json:"rolloutBucketBy,omitempty" alias:"bucketBy" quiet:"true" doc:"Attribute to divide by"`
	ContextKind string              `json:"rolloutContextKind,omitempty" alias:"contextKind" quiet:"true" doc:"Context kind to divide"`
	because
}) (*plan[aiRolloutState], error) {
	s, c, err := aiToChange(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	if c.Fallthrough.InExperiment() {
		return nil, badf("an experiment runs on the default rule of %s in %s; stop the experiment before changing the rollout", in.Config, in.Environment)
	}
	rule, err := rolloutInput{Type: in.Type, chosen: chosen{Variation: in.Variation}, Percent: in.Percent, Weights: in.Weights, BucketBy: in.BucketBy, ContextKind: in.ContextKind}.rule(s.Flag, c)
	if err != nil {
		return nil, err
	}
	b := ruleBuilder{flag: s.Flag}
	serve, _, err := b.serve(rule)
	if err != nil {
		return nil, badf("%v", err)
	}
	then := ruleServe(s.Flag, serve)
	says := fmt.Sprintf("serve %s by the default rule of AI config %s in %s of project %s instead of %s",
		serves(s.Flag, then), in.Config, in.Environment, in.Project, serves(s.Flag, c.Fallthrough))
	p := aiPlan(ld, in.target(), s, aiRolloutStateIn(in.Environment), says, ldclient.UpdateFallthrough(serve))
	if sameServe(then, c.Fallthrough) {
		p.Nothing = fmt.Sprintf("the default rule of %s serves %s already in %s", in.Config, serves(s.Flag, then), in.Environment)
	}
	p.Notes = append(p.Notes, s.switchedOff(c, in.target())...)
	return p, nil
})

// switchedOff warns where targeting is off, so that no rule takes effect.
func (s *aiServed) switchedOff(c ldclient.FlagConfig, at ldclient.Target) []string {
	if c.On {
		return nil
	}
	return []string{fmt.Sprintf("targeting of %s is off in %s, so everyone gets %s whatever its rules say, until somebody turns it on in LaunchDarkly", at.Key, at.Environment, serving(s.Flag, c))}
}

// aiRuleInstruction is one instruction on the rules of an AI config, with LaunchDarkly's names.
type aiRuleInstruction struct {
	Kind         string       `json:"kind"`
	RuleID       string       `json:"ruleId,omitempty"`
	RuleIDs      []string     `json:"ruleIds,omitempty"`
	BeforeRuleID string       `json:"beforeRuleId,omitempty"`
	ClauseID     string       `json:"clauseId,omitempty"`
	ClauseIDs    []string     `json:"clauseIds,omitempty"`
	Clause       *clauseInput `json:"clause,omitempty" brief:"true"`
	Values       []scalar     `json:"values,omitempty"`
	TrackEvents  *bool        `json:"trackEvents,omitempty"`
	Rules        *[]newRule   `json:"rules,omitempty" brief:"true"`
	newRule
}

// aiRuleNeeds is ruleNeeds for the kinds that are not on rules.
var aiRuleNeeds = map[string][2][]string{
	"updateOffVariation":           {{"variation"}, nil},
	"updateTrackEvents":            {{"trackEvents"}, nil},
	"updateTrackEventsFallthrough": {{"trackEvents"}, nil},
}

// buildAI is build for the kinds of an AI config.
func (b *ruleBuilder) buildAI(i aiRuleInstruction) (ldclient.Instruction, string, error) {
	_, other := aiRuleNeeds[i.Kind]
	if _, known := ruleNeeds[i.Kind]; known {
		return b.build(ruleInstruction(i))
	} else if !other {
		kinds := append(slices.Sorted(maps.Keys(ruleNeeds)), slices.Sorted(maps.Keys(aiRuleNeeds))...)
		return nil, "", fmt.Errorf("no such kind; it takes %s", strings.Join(kinds, ", "))
	}
	if err := fit(i.Kind, i, aiRuleNeeds); err != nil {
		return nil, "", err
	}
	switch i.Kind {
	case "updateTrackEvents":
		return ldclient.UpdateTrackEvents(*i.TrackEvents), fmt.Sprintf("set event tracking of every evaluation to %t", *i.TrackEvents), nil
	case "updateTrackEventsFallthrough":
		return ldclient.UpdateTrackEventsFallthrough(*i.TrackEvents), fmt.Sprintf("set event tracking of the default rule to %t", *i.TrackEvents), nil
	}
	v, err := variation(b.flag, i.Variation)
	if err != nil {
		return nil, "", err
	}
	return ldclient.UpdateOffVariation(b.flag.Variations[v].ID), "make " + label(b.flag, v) + " the off variation", nil
}

// aiRulesState is rulesState with the settings that stand beside the rules.
type aiRulesState struct {
	rulesState
	OffVariation           string `json:"offVariation,omitempty"`
	TrackEvents            bool   `json:"trackEvents,omitempty"`
	TrackEventsFallthrough bool   `json:"trackEventsFallthrough,omitempty"`
}

func aiRulesStateIn(environment string) func(*ldclient.Flag) aiRulesState {
	return func(f *ldclient.Flag) aiRulesState {
		c := f.Environments[environment]
		return aiRulesState{rulesStateIn(environment)(f), offServes(f, c), c.TrackEvents, c.TrackEventsFallthrough}
	}
}

var updateAIRules = update(Spec{
	Name: "update-ai-config-targeting-rules", Title: "Change AI config rules", Action: "updateAIConfigTargeting", Additive: true,
	Aliases: []string{"update-agentcontrol-config-targeting-rules", "update-ai-config-targeting"},
	Doc:     "Add, remove, edit or reorder an AI config's targeting rules.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAITargeting
	Instructions []aiRuleInstruction `json:"instructions" jsonschema:"minItems=1" brief:"true" doc:"addRule {clauses [{attribute, op, values}], variation or rolloutWeights}, removeRule {ruleId}, all of update-targeting-rules; updateOffVariation {variation}, updateTrackEvents. op: in, endsWith, startsWith, matches, contains, lessThan, lessThanOrEqual, greaterThan, greaterThanOrEqual, before, after, segmentMatch, semVerEqual, semVerLessThan, semVerGreaterThan"`
	because
}) (*plan[aiRulesState], error) {
	s, c, err := aiToChange(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	var do []ldclient.Instruction
	var says []string
	b := ruleBuilder{flag: s.Flag, rules: c.Rules}
	for n, i := range in.Instructions {
		instruction, words, err := b.buildAI(i)
		if err != nil {
			return nil, badf("instructions[%d] (%s): %v", n, i.Kind, err)
		}
		do, says = append(do, instruction), append(says, words)
	}
	if err := segmentsExist(ctx, ld, in.target(), b.segments); err != nil {
		return nil, err
	}
	words := fmt.Sprintf("change the targeting of AI config %s in %s of project %s: %s", in.Config, in.Environment, in.Project, strings.Join(says, "; "))
	p := aiPlan(ld, in.target(), s, aiRulesStateIn(in.Environment), words, do...)
	p.Differ = func(before, after *aiRulesState) { rulesDiffer(&before.rulesState, &after.rulesState) }
	p.Notes = s.switchedOff(c, in.target())
	return p, nil
})

// aiTargetInstruction is one instruction on individual targets of an AI config.
type aiTargetInstruction struct {
	Kind        string         `json:"kind" jsonschema:"enum=addTargets,enum=removeTargets,enum=clearTargets,enum=replaceTargets"`
	Variation   string         `json:"variation,omitempty" alias:"variationId,variationKey,variationName,variationIndex"`
	ContextKind string         `json:"contextKind,omitempty" told:"true" doc:"user if not given"`
	Values      []string       `json:"values,omitempty" alias:"keys,contextKeys,userKeys"`
	Targets     *[]targetInput `json:"targets,omitempty" brief:"true"`
}

var updateAITargets = update(Spec{
	Name: "update-ai-config-individual-targets", Title: "Change AI config targets", Action: "updateAIConfigTargeting",
	Aliases: []string{"update-agentcontrol-config-individual-targets"},
	Doc:     "Add, remove or replace an AI config's individual targets.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAITargeting
	Instructions []aiTargetInstruction `json:"instructions" jsonschema:"minItems=1" brief:"true" doc:"addTargets {variation, values, contextKind}, removeTargets, clearTargets, replaceTargets {targets}"`
	because
}) (*plan[targetsState], error) {
	s, c, err := aiToChange(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	b := newTargetBuilder(s.Flag, c)
	for n, i := range in.Instructions {
		if err := b.build(targetInstruction(i)); err != nil {
			return nil, badf("instructions[%d] (%s): %v", n, i.Kind, err)
		}
	}
	words := fmt.Sprintf("change the individual targets of AI config %s in %s of project %s: %s", in.Config, in.Environment, in.Project, strings.Join(b.says, "; "))
	p := aiPlan(ld, in.target(), s, targetsStateIn(in.Environment), words, b.do...)
	p.Differ, p.Notes = targetsDiffer, append(b.notes, s.switchedOff(c, in.target())...)
	if len(b.do) == 0 {
		p.Nothing = "the individual targets are so already"
	}
	return p, nil
})
