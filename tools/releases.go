package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var releases = Toolset{
	Name: "releases", Doc: "Guarded and progressive rollouts, release policies and pipelines.",
	Tools: []Tool{startGuardedRollout, stopGuardedRollout, startProgressiveRollout, stopProgressiveRollout, getRolloutStatus,
		listReleasePolicies, matchReleasePolicies, getReleasePolicy, createReleasePolicy, updateReleasePolicy, deleteReleasePolicy, orderReleasePolicies,
		listReleasePipelines, getReleasePipeline, getFlagRelease, startReleasePhase},
}

const guarded, progressive = "guarded", "progressive"

// releaseState is what starting or stopping a rollout changes.
type releaseState struct {
	On      bool   `json:"on"`
	Rule    string `json:"rule"`
	Serves  string `json:"serves" doc:"by that rule, while the flag is on"`
	Rollout string `json:"rollout"`
	Version int    `json:"version" doc:"of the flag in this environment"`
}

// releasePlan is flagPlan with what becomes of the rollout, which LaunchDarkly's answer to a patch does not tell.
func releasePlan(ld *ldclient.Client, at ldclient.Target, f *ldclient.Flag, rule ruleRef, was, is, says string, do ...ldclient.Instruction) *plan[releaseState] {
	p := flagPlan(ld, at, f, releaseStateOf(at.Environment, rule.id), says, do...)
	p.Before.Rollout = was
	apply := p.Apply
	p.Apply = func(ctx context.Context, how manner) (*releaseState, error) {
		after, err := apply(ctx, how)
		if err == nil {
			after.Rollout = is
		}
		return after, err
	}
	return p
}

func releaseStateOf(environment, ruleID string) func(*ldclient.Flag) releaseState {
	return func(f *ldclient.Flag) releaseState {
		c := f.Environments[environment]
		out := releaseState{On: c.On, Version: c.Version}
		if r, err := ruleAt(c, ruleID); err == nil {
			out.Rule, out.Serves = r.name, serves(f, r.serve)
		}
		return out
	}
}

// ruleRef is a rule that a rollout can be on, the default rule among them.
type ruleRef struct {
	id, name string // id is "" for the default rule
	serve    ldclient.RuleServe
	disabled bool
}

func ruleAt(c ldclient.FlagConfig, id string) (ruleRef, error) {
	if id == "" || id == "fallthrough" {
		return ruleRef{name: "the default rule", serve: c.Fallthrough}, nil
	}
	b := ruleBuilder{rules: c.Rules}
	n := slices.IndexFunc(c.Rules, func(r ldclient.Rule) bool { return r.ID == id })
	if n < 0 {
		return ruleRef{}, badf("the flag has no rule %q here; %s", id, b.listRules())
	}
	return ruleRef{id, b.name(n), c.Rules[n].RuleServe, c.Rules[n].Disabled}, nil
}

type newRollout struct {
	atFlagEnvironment
	Test    string       `json:"testVariationId" alias:"targetVariationId,testVariation,variation" doc:"Variation to roll out"`
	Control string       `json:"controlVariationId" alias:"originalVariationId,controlVariation" doc:"Variation that it replaces"`
	Unit    string       `json:"randomizationUnit,omitempty" default:"user" told:"true" doc:"Context kind to divide, user if not given"`
	Stages  []stageInput `json:"stages" jsonschema:"minItems=1" doc:"In order, then everyone"`
	RuleID  string       `json:"ruleId,omitempty" doc:"Default rule if not given"`
	TurnOn  bool         `json:"turnOn,omitempty" doc:"Turn the flag on too"`
}

type stageInput struct {
	Percent  *float64 `json:"percent,omitempty" doc:"At most 50 where guarded"`
	Hours    *float64 `json:"hours,omitempty"`
	Weight   *int     `json:"rolloutWeight,omitempty" alias:"allocation" quiet:"true" doc:"For percent, in thousandths: 10000 is 10 %"`
	Duration *int64   `json:"monitoringWindowMilliseconds,omitempty" alias:"durationMillis" quiet:"true" doc:"For hours"`
}

const (
	hour      = 3_600_000 // milliseconds
	minStage  = 60_000
	maxStage  = 366 * 24 * hour
	maxGuard  = whole / 2
	leastTold = 100 // thousandths: a smaller weight is taken for a percentage
)

// stagesOf turns stages as people write them into LaunchDarkly's, and into words.
func stagesOf(kind string, in []stageInput) ([]ldclient.ReleaseStage, string, error) {
	var out []ldclient.ReleaseStage
	for n, s := range in {
		stage, err := s.stage()
		if err != nil {
			return nil, "", badf("stages[%d]: %v", n, err)
		}
		switch {
		case kind == guarded && stage.Allocation > maxGuard:
			return nil, "", badf("stages[%d]: a stage of a guarded rollout holds at most 50 %%, got %s; after the last stage everyone gets the test variation anyway", n, percent(stage.Allocation))
		case n > 0 && stage.Allocation < out[n-1].Allocation:
			return nil, "", badf("stages[%d]: %s is less than %s before it; a rollout goes up, and stopping it is how to go back", n, percent(stage.Allocation), percent(out[n-1].Allocation))
		}
		out = append(out, stage)
	}
	return out, stageWords(out), nil
}

func (s stageInput) stage() (ldclient.ReleaseStage, error) {
	var out ldclient.ReleaseStage
	switch {
	case (s.Percent == nil) == (s.Weight == nil):
		return out, fmt.Errorf("give percent, or rolloutWeight in thousandths of a percent, not both")
	case (s.Hours == nil) == (s.Duration == nil):
		return out, fmt.Errorf("give hours, or monitoringWindowMilliseconds, not both")
	case s.Percent != nil:
		out.Allocation = int(*s.Percent*1000 + 0.5)
		if *s.Percent > 100 {
			return out, fmt.Errorf("percent is 0 to 100, got %s; thousandths go into rolloutWeight", number(*s.Percent))
		}
	case *s.Weight > 0 && *s.Weight <= leastTold:
		return out, fmt.Errorf("rolloutWeight is in thousandths of a percent, so %d would be %s; give percent if you mean %d %%", *s.Weight, percent(*s.Weight), *s.Weight)
	default:
		out.Allocation = *s.Weight
	}
	if out.Allocation <= 0 || out.Allocation > whole {
		return out, fmt.Errorf("the share must be more than 0 and at most 100 percent, got %s", percent(out.Allocation))
	}
	if s.Hours != nil {
		out.Duration = int64(min(max(*s.Hours, 0), maxStage)*hour + 0.5)
	} else {
		out.Duration = *s.Duration
	}
	switch {
	case out.Duration < minStage && s.Duration != nil:
		return out, fmt.Errorf("monitoringWindowMilliseconds is %d ms, less than a minute; 3600000 is an hour, or give hours", out.Duration)
	case out.Duration < minStage:
		return out, fmt.Errorf("a stage lasts at least a minute; give more hours")
	case out.Duration > maxStage:
		return out, fmt.Errorf("a stage of more than a year is not meant; hours is in hours, monitoringWindowMilliseconds in milliseconds")
	}
	return out, nil
}

func stageWords(stages []ldclient.ReleaseStage) string {
	var out []string
	for _, s := range stages[:min(firstOf, len(stages))] {
		out = append(out, stageText(s))
	}
	if n := len(stages) - firstOf; n > 0 {
		out = append(out, fmt.Sprintf("%d more stages", n))
	}
	return strings.Join(out, ", ")
}

func stageText(s ldclient.ReleaseStage) string {
	return fmt.Sprintf("%s for %s h", percent(s.Allocation), number(float64(s.Duration*100/hour)/100))
}

type metricInput struct {
	Key          string       `json:"metricKey" alias:"key"`
	IsGroup      bool         `json:"isGroup,omitempty"`
	Threshold    *float64     `json:"regressionThreshold,omitempty" quiet:"true" doc:"Taken, but not part of the public API"`
	OnRegression onRegression `json:"onRegression,omitzero" doc:"Pauses if not given"`
}

type onRegression struct {
	Notify   bool `json:"notify,omitempty" quiet:"true" doc:"LaunchDarkly always does"`
	Rollback bool `json:"rollback,omitempty"`
}

func metricsOf(in []metricInput, r *ldclient.NewRelease) (words string, notes []string, err error) {
	var all []string
	r.Rollback = map[string]bool{}
	for n, m := range in {
		if _, twice := r.Rollback[m.Key]; twice || m.Key == "" {
			return "", nil, badf("metrics[%d]: name each metric once by its key", n)
		}
		r.Metrics = append(r.Metrics, ldclient.ReleaseMetric{Key: m.Key, IsGroup: m.IsGroup})
		r.Rollback[m.Key] = m.OnRegression.Rollback
		does := "pauses it"
		if m.OnRegression.Rollback {
			does = "rolls it back"
		}
		all = append(all, fmt.Sprintf("%s (a regression %s)", short(clean(m.Key), 60), does))
		if m.Threshold != nil && len(notes) == 0 {
			notes = []string{"regressionThreshold is left out: the public API has no such setting, so LaunchDarkly's own judgement of a regression holds"}
		}
	}
	return "; watched by " + strings.Join(all, ", "), notes, nil
}

var startGuardedRollout = update(Spec{
	Name: "start-guarded-rollout", Title: "Start a guarded rollout", Action: "updateFallthroughWithMeasuredRollout",
	Or: "updateRulesWithMeasuredRollout", Additive: true,
	Doc: "Roll a variation out in stages while metrics watch; a regression pauses the rollout or takes it back. " +
		`Example: stages [{"percent":10,"hours":24},{"percent":50,"hours":24}], metrics [{"metricKey":"errors","onRegression":{"rollback":true}}].`,
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newRollout
	Metrics []metricInput `json:"metrics" jsonschema:"minItems=1"`
	because
}) (*plan[releaseState], error) {
	return startRollout(ctx, ld, guarded, in.newRollout, in.Metrics)
})

var startProgressiveRollout = update(Spec{
	Name: "start-progressive-rollout", Title: "Start a progressive rollout", Action: "updateFallthroughWithMeasuredRollout",
	Or: "updateRulesWithMeasuredRollout", Additive: true,
	Doc: "Roll a variation out in stages by the clock, without metrics. For a split that stays use update-rollout.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newRollout
	because
}) (*plan[releaseState], error) {
	return startRollout(ctx, ld, progressive, in.newRollout, nil)
})

func startRollout(ctx context.Context, ld *ldclient.Client, kind string, in newRollout, metrics []metricInput) (*plan[releaseState], error) {
	start := ldclient.NewRelease{Kind: kind, RandomizationUnit: in.Unit}
	stages, words, err := stagesOf(kind, in.Stages)
	if err != nil {
		return nil, err
	}
	watched, notes := "", []string(nil)
	if kind == guarded {
		if watched, notes, err = metricsOf(metrics, &start); err != nil {
			return nil, err
		}
	}
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	test, err := variation(f, in.Test)
	if err != nil {
		return nil, err
	}
	control, err := variation(f, in.Control)
	if err != nil {
		return nil, err
	}
	rule, err := ruleAt(c, in.RuleID)
	switch {
	case err != nil:
		return nil, err
	case test == control:
		return nil, badf("testVariationId and controlVariationId both mean %s; a rollout goes from one variation to another one: %s", label(f, test), listVariations(f, []int{0, 1}[:min(2, len(f.Variations))]))
	case f.Archived:
		return nil, badf("flag %s is archived; restore it first, with restore-flag", in.Flag)
	case rule.serve.InExperiment():
		return nil, badf("an experiment runs on %s; stop it first", rule.name)
	case rule.disabled:
		return nil, badf("%s is disabled, and no rollout can start on it; enable it, or choose another rule", rule.name)
	case !c.On && !in.TurnOn:
		return nil, badf("flag %s is off in %s, and a rollout needs it on; give turnOn: true to turn it on in the same change", in.Flag, in.Environment)
	}
	// Without this look, LaunchDarkly's own refusal has to do.
	if running, err := runningRollouts(ctx, ld, in.target()); err == nil && len(running) > 0 {
		return nil, badf("%s runs on flag %s in %s already; stop it with stop-%s-rollout first, or let it end", rolloutName(f, c, running[0]), in.Flag, in.Environment, running[0].Kind)
	}
	start.RuleID, start.Stages = rule.id, stages
	start.OriginalID, start.TargetID = f.Variations[control].ID, f.Variations[test].ID
	do := []ldclient.Instruction{ldclient.StartRelease(start)}
	turning := ""
	if !c.On {
		do = slices.Insert(do, 0, ldclient.TurnFlagOn())
		turning = fmt.Sprintf("turn flag %s on in %s of project %s, so that its targets and rules take effect, and ", in.Flag, in.Environment, in.Project)
	}
	says := fmt.Sprintf("%sstart a %s rollout of %s in place of %s to contexts of kind %s on %s of flag %s in %s of project %s, which serves %s: %s, then everyone%s",
		turning, kind, label(f, test), label(f, control), short(clean(in.Unit), 60), rule.name, in.Flag, in.Environment, in.Project, serves(f, rule.serve), words, watched)
	p := releasePlan(ld, in.target(), f, rule, "none", kind+", running", says, do...)
	p.Notes = notes
	if v := rule.serve.Variation; v == nil || *v != control {
		p.Notes = append(p.Notes, fmt.Sprintf("%s does not serve %s alone now; those who get something else go to it or to %s", rule.name, label(f, control), label(f, test)))
	}
	return p, nil
}

func runningRollouts(ctx context.Context, ld *ldclient.Client, at ldclient.Target) ([]ldclient.AutomatedRelease, error) {
	all, err := ld.Releases.Automated(ctx, at.Project, at.Environment, at.Key)
	return slices.DeleteFunc(all, func(r ldclient.AutomatedRelease) bool { return !r.Running() }), err
}

func rolloutName(f *ldclient.Flag, c ldclient.FlagConfig, r ldclient.AutomatedRelease) string {
	return fmt.Sprintf("a %s rollout of %s on %s", r.Kind, labelOf(f, r.TargetVariationID), ruleNameOf(c, r))
}

func ruleNameOf(c ldclient.FlagConfig, r ldclient.AutomatedRelease) string {
	if rule, err := ruleAt(c, r.Rule); err == nil {
		return rule.name
	}
	return "rule " + short(clean(r.Rule), 60)
}

// labelOf is label by a variation's id.
func labelOf(f *ldclient.Flag, id string) string {
	return label(f, slices.IndexFunc(f.Variations, func(v ldclient.Variation) bool { return v.ID == id }))
}

type endRollout struct {
	atFlagEnvironment
	Final  string `json:"finalVariation,omitempty" alias:"finalVariationId,variation" doc:"Test or control variation"`
	RuleID string `json:"ruleId,omitempty" doc:"Where several run"`
}

var stopGuardedRollout = update(Spec{
	Name: "stop-guarded-rollout", Title: "Stop a guarded rollout", Action: "stopMeasuredRolloutOnFlagFallthrough",
	Or:  "stopMeasuredRolloutOnFlagRule",
	Doc: "Stop a flag's guarded rollout: everyone gets finalVariation, or the present split stays, unwatched.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	endRollout
	because
}) (*plan[releaseState], error) {
	return stopRollout(ctx, ld, guarded, in.endRollout)
})

var stopProgressiveRollout = update(Spec{
	Name: "stop-progressive-rollout", Title: "Stop a progressive rollout", Action: "stopMeasuredRolloutOnFlagFallthrough",
	Or:  "stopMeasuredRolloutOnFlagRule",
	Doc: "Stop a flag's progressive rollout: everyone gets finalVariation, or the present split stays.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	endRollout
	because
}) (*plan[releaseState], error) {
	return stopRollout(ctx, ld, progressive, in.endRollout)
})

func stopRollout(ctx context.Context, ld *ldclient.Client, kind string, in endRollout) (*plan[releaseState], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	rule, err := ruleAt(c, in.RuleID)
	if err != nil {
		return nil, err
	}
	running, unread := runningRollouts(ctx, ld, in.target())
	running = slices.DeleteFunc(running, func(r ldclient.AutomatedRelease) bool {
		return in.RuleID != "" && r.Rule != in.RuleID
	})
	same := slices.DeleteFunc(slices.Clone(running), func(r ldclient.AutomatedRelease) bool { return r.Kind != kind })
	idle := fmt.Sprintf("no %s rollout runs on flag %s in %s", kind, in.Flag, in.Environment)
	var ends []string // the variations between which the rollout goes, the one it came from first
	switch {
	case unread != nil && rule.serve.Rollout != nil:
		w := slices.Clone(rule.serve.Rollout.Variations)
		slices.SortStableFunc(w, func(a, b ldclient.WeightedVariation) int { return b.Weight - a.Weight })
		for _, v := range w {
			if v.Variation >= 0 && v.Variation < len(f.Variations) {
				ends = append(ends, f.Variations[v.Variation].ID)
			}
		}
	case unread != nil:
		idle = fmt.Sprintf("%s of flag %s serves %s alone in %s, so no rollout runs on it", rule.name, in.Flag, serves(f, rule.serve), in.Environment)
	case len(same) == 0 && len(running) > 0:
		return nil, badf("%s; %s does, which stop-%s-rollout stops", idle, rolloutName(f, c, running[0]), running[0].Kind)
	case len(same) > 1:
		var ids []string
		for _, r := range same {
			ids = append(ids, fmt.Sprintf("%s (%s)", r.Rule, ruleNameOf(c, r)))
		}
		return nil, badf("%d %s rollouts run; give the ruleId of one: %s", len(same), kind, strings.Join(ids, ", "))
	case len(same) == 1:
		if rule, err = ruleAt(c, same[0].Rule); err != nil {
			return nil, err
		}
		ends = []string{same[0].OriginalVariationID, same[0].TargetVariationID}
	}
	if len(ends) == 0 {
		p := releasePlan(ld, in.target(), f, rule, "none", "none", idle)
		p.Nothing = idle
		return p, nil
	}
	do, effect, err := endOf(f, rule, in.Final, ends)
	if err != nil {
		return nil, err
	}
	says := fmt.Sprintf("stop the %s rollout on %s of flag %s in %s of project %s: %s", kind, rule.name, in.Flag, in.Environment, in.Project, effect)
	p := releasePlan(ld, in.target(), f, rule, kind+", running", "stopped", says, do...)
	if unread != nil {
		p.Notes = append(p.Notes, fmt.Sprintf("it could not be read which rollout runs, so LaunchDarkly decides whether one does (%s)", short(clean(unread.Error()), 200)))
	}
	return p, nil
}

// endOf is how to stop the rollout on a rule, and what comes of it.
func endOf(f *ldclient.Flag, rule ruleRef, final string, ends []string) ([]ldclient.Instruction, string, error) {
	if final != "" {
		i, err := variation(f, final)
		if err != nil {
			return nil, "", err
		}
		if !slices.Contains(ends, f.Variations[i].ID) {
			var may []string
			for _, id := range ends {
				may = append(may, labelOf(f, id))
			}
			return nil, "", badf("finalVariation is %s, and a rollout can only end with one of its own variations: %s", label(f, i), strings.Join(may, ", "))
		}
		return []ldclient.Instruction{ldclient.StopRelease(rule.id, f.Variations[i].ID)},
			fmt.Sprintf("all that the rule matches would get %s instead of %s", label(f, i), serves(f, rule.serve)), nil
	}
	if v := rule.serve.Variation; v != nil && *v >= 0 && *v < len(f.Variations) && slices.Contains(ends, f.Variations[*v].ID) {
		return []ldclient.Instruction{ldclient.StopRelease(rule.id, f.Variations[*v].ID)}, "it would go on to serve " + label(f, *v), nil
	}
	if rule.serve.Rollout == nil {
		return nil, "", badf("%s serves no split that could stay; give finalVariation", rule.name)
	}
	hold := ldclient.Serve{Weights: map[string]int{}, BucketBy: rule.serve.Rollout.BucketBy, ContextKind: rule.serve.Rollout.ContextKind}
	for _, w := range rule.serve.Rollout.Variations {
		if w.Variation >= 0 && w.Variation < len(f.Variations) {
			hold.Weights[f.Variations[w.Variation].ID] = w.Weight
		}
	}
	return ldclient.HoldRelease(rule.id, ends[0], hold), fmt.Sprintf("the rule would keep serving %s, and go no further", serves(f, rule.serve)), nil
}
