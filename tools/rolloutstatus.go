package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// rolloutStatus is what runs on a flag in one environment.
type rolloutStatus struct {
	Flag        string        `json:"flagKey"`
	Environment string        `json:"environmentKey"`
	On          bool          `json:"on"`
	Version     int           `json:"version" doc:"of the flag in this environment"`
	Splits      []splitView   `json:"splits" doc:"rules that serve percentages, with or without a rollout, the first ten"`
	Running     []rolloutView `json:"running"`
	Ended       []rolloutView `json:"ended,omitempty" doc:"the last three"`
	Missing     []string      `json:"missing,omitempty" doc:"what could not be read"`
	URL         string        `json:"url,omitempty"`
}

type splitView struct {
	Rule   string `json:"rule"`
	RuleID string `json:"ruleId,omitempty" doc:"not given for the default rule"`
	Serves string `json:"serves"`
}

type rolloutView struct {
	ID         string       `json:"id"`
	Kind       string       `json:"kind"`
	Status     string       `json:"status"`
	Rule       string       `json:"rule"`
	RuleID     string       `json:"ruleId,omitempty" doc:"not given for the default rule"`
	Test       string       `json:"testVariation"`
	TestID     string       `json:"testVariationId"`
	Control    string       `json:"controlVariation"`
	ControlID  string       `json:"controlVariationId"`
	Unit       string       `json:"randomizationUnit,omitempty"`
	Started    string       `json:"started,omitempty"`
	Ended      string       `json:"ended,omitempty"`
	Stage      string       `json:"stage,omitempty" doc:"present stage"`
	StageEnds  string       `json:"stageEnds,omitempty" doc:"when the next one begins, if nothing regresses"`
	Stages     []string     `json:"stages,omitempty" doc:"the first ten"`
	Metrics    []metricView `json:"metrics,omitempty" doc:"the first ten"`
	LastEvents []string     `json:"lastEvents,omitempty" doc:"ten of them"`
}

type metricView struct {
	Key      string `json:"metricKey"`
	Status   string `json:"status,omitempty" doc:"ok, regressed or regression_dismissed"`
	Rollback bool   `json:"rollback,omitempty"`
}

func rolloutOf(f *ldclient.Flag, c ldclient.FlagConfig, r ldclient.AutomatedRelease) rolloutView {
	v := rolloutView{ID: r.ID, Kind: r.Kind, Status: r.Status, Rule: ruleNameOf(c, r), Test: labelOf(f, r.TargetVariationID), TestID: r.TargetVariationID,
		Control: labelOf(f, r.OriginalVariationID), ControlID: r.OriginalVariationID, Unit: r.RandomizationUnit, Started: max(r.Started, r.Created).String(), Ended: r.Ended.String()}
	if !r.OnDefaultRule() {
		v.RuleID = r.Rule
	}
	for _, s := range ten(r.Stages, 0) {
		v.Stages = append(v.Stages, stageText(s.ReleaseStage))
	}
	if i := r.LatestStage; r.Running() && i >= 0 && i < len(r.Stages) {
		v.Stage = fmt.Sprintf("%d of %d: %s", i+1, len(r.Stages), stageText(r.Stages[i].ReleaseStage))
		if at := r.Stages[i].Started; at > 0 {
			v.StageEnds = (at + ldclient.Millis(r.Stages[i].Duration)).String()
		}
	}
	for _, m := range ten(r.Metrics, 0) {
		v.Metrics = append(v.Metrics, metricView{m.Key, m.Status, m.AutoRollback})
	}
	for _, e := range r.Events[max(0, len(r.Events)-firstOf):] {
		text := fmt.Sprintf("%s %s, stage %d", e.Created, e.Kind, e.Stage+1)
		if e.MetricKey != "" {
			text += ", metric " + e.MetricKey
		}
		v.LastEvents = append(v.LastEvents, strings.TrimSpace(text))
	}
	return v
}

var getRolloutStatus = read(Spec{
	Name: "get-rollout-status", Title: "Get the status of rollouts",
	Doc: "Tell which guarded or progressive rollouts run on a flag, and which rules serve percentages.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inFlagEnvironment
}) (rolloutStatus, error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return rolloutStatus{}, err
	}
	out := rolloutStatus{Flag: f.Key, Environment: in.Environment, On: c.On, Version: c.Version, Splits: []splitView{}, Running: []rolloutView{}, URL: pageURL(ld, in.target())}
	for _, id := range append([]string{""}, keysOf(c.Rules, func(r ldclient.Rule) string { return r.ID })...) {
		if r, err := ruleAt(c, id); err == nil && r.serve.Rollout != nil && len(out.Splits) < firstOf {
			out.Splits = append(out.Splits, splitView{r.name, r.id, serves(f, r.serve)})
		}
	}
	all, err := ld.Releases.Automated(ctx, in.Project, in.Environment, in.Flag)
	if err != nil {
		out.Missing = []string{fmt.Sprintf("rollouts could not be read, so splits is all that is known; the flag's page shows them (%s)", short(clean(err.Error()), 200))}
		return out, nil
	}
	slices.SortStableFunc(all, func(a, b ldclient.AutomatedRelease) int { return cmp.Compare(b.Created, a.Created) })
	for _, r := range all {
		switch {
		case r.Running():
			out.Running = append(out.Running, rolloutOf(f, c, r))
		case len(out.Ended) < 3:
			out.Ended = append(out.Ended, rolloutOf(f, c, r))
		}
	}
	return out, nil
})

// rolloutSteps say what to do about LaunchDarkly's refusals of rollouts, by a part of the message.
var rolloutSteps = []struct{ part, step string }{
	{"must not have ongoing guarded rollout", "A guarded rollout has the rule in its hands: look at it with get-rollout-status, and end it with stop-guarded-rollout first."},
	{"must not have ongoing progressive rollout", "A progressive rollout has the rule in its hands: look at it with get-rollout-status, and end it with stop-progressive-rollout first."},
	{"'startAutomatedRelease' unsupported", "Rollouts in stages are not part of this account: give a percentage with update-rollout or update-targeting-rules instead."},
	{"not enabled for guarded releases", "Guarded rollouts are not part of this account: start-progressive-rollout does without metrics."},
	{"targetVariationId and originalVariationId must be different", "Name two variations: testVariationId is the new one, controlVariationId the one that it replaces."},
	{"must be a valid variation id", "Read the variations with get-flag and name one of them."},
	{"stage allocation must be greater than 0", "Give every stage a percent above 0."},
	{"stage allocation must not exceed 50", "Give guarded stages at most 50 percent: after the last one everyone gets the test variation anyway."},
	{"automated release on a disabled rule", "Enable the rule first, or choose another one with ruleId."},
	{"cannot be created on the default rule", "Choose a targeting rule with ruleId; update-targeting-rules can add one."},
	{"no active automated release found", "No rollout runs on this rule, perhaps it has just ended: read get-rollout-status, and give ruleId where the rollout is on another rule."},
}

// rolloutStep is the next step after a refusal of a rollout, "" for any other message.
func rolloutStep(message string) string {
	if strings.HasPrefix(message, "flag ") && strings.HasSuffix(message, " is off") {
		return "Rollouts need the flag on: give turnOn: true to turn it on in the same change."
	}
	for _, s := range rolloutSteps {
		if strings.Contains(message, s.part) {
			return s.step
		}
	}
	return ""
}
