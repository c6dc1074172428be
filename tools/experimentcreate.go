package tools

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// newExperiment names an experiment that is yet to be created.
type newExperiment struct {
	Project     string `json:"projectKey" alias:"project"`
	Environment string `json:"environmentKey" alias:"env,environment"`
	Key         string `json:"key" alias:"experimentKey"`
}

func (a newExperiment) target() ldclient.Target {
	return atExperiment{a.Project, a.Environment, a.Key}.target()
}

// experimentFixed is what can be said of an experiment only when it is created.
type experimentFixed struct {
	Tags        []string       `json:"tags,omitempty" quiet:"true"`
	Methodology string         `json:"methodology,omitempty" quiet:"true"`
	HoldoutID   string         `json:"holdoutId,omitempty" quiet:"true"`
	DataSource  string         `json:"dataSource,omitempty" quiet:"true"`
	Analysis    *analysisInput `json:"analysisConfig,omitempty" quiet:"true"`
	Maintainer  string         `json:"maintainerId,omitempty" quiet:"true"`
	Type        string         `json:"type,omitempty" quiet:"true"`
}

// fields lists the names of what a caller said.
func (in experimentFixed) fields() []string {
	var out []string
	for _, f := range []struct {
		name string
		is   bool
	}{{"tags", in.Tags != nil}, {"methodology", in.Methodology != ""}, {"holdoutId", in.HoldoutID != ""}, {"dataSource", in.DataSource != ""},
		{"analysisConfig", in.Analysis != nil}, {"maintainerId", in.Maintainer != ""}, {"type", in.Type != ""}} {
		if f.is {
			out = append(out, f.name)
		}
	}
	return out
}

// check refuses words that LaunchDarkly does not know.
func (in experimentFixed) check() error {
	for _, w := range []struct {
		field, given string
		known        []string
	}{
		{"methodology", in.Methodology, []string{"bayesian", "frequentist", "export_only"}},
		{"dataSource", in.DataSource, []string{"launchdarkly", "snowflake", "databricks", "redshift"}},
		{"type", in.Type, []string{"experiment", "mab"}},
	} {
		if w.given != "" && !slices.Contains(w.known, w.given) {
			return badf("%s: must be one of %s, got %q", w.field, strings.Join(w.known, ", "), short(w.given, 40))
		}
	}
	return nil
}

type analysisInput struct {
	Bayesian     scalar `json:"bayesianThreshold,omitzero"`
	Significance scalar `json:"significanceThreshold,omitzero"`
	Direction    string `json:"testDirection,omitempty"`
	Method       string `json:"multipleComparisonCorrectionMethod,omitempty"`
	Scope        string `json:"multipleComparisonCorrectionScope,omitempty"`
	Sequential   *bool  `json:"sequentialTestingEnabled,omitempty"`
}

func (in *analysisInput) config() *ldclient.AnalysisConfig {
	if in == nil {
		return nil
	}
	out := &ldclient.AnalysisConfig{TestDirection: in.Direction, CorrectionMethod: in.Method, CorrectionScope: in.Scope, SequentialTesting: in.Sequential}
	if in.Bayesian.any != nil {
		out.BayesianThreshold = word(in.Bayesian.any)
	}
	if in.Significance.any != nil {
		out.SignificanceThreshold = word(in.Significance.any)
	}
	return out
}

var createExperiment = create(Spec{
	Name: "create-experiment", Title: "Create an experiment", Action: "createExperiment",
	Doc: "Create an experiment with a draft iteration, which start-experiment-iteration starts. " +
		"Also takes primaryFunnelKey, methodology (bayesian, frequentist, export_only), holdoutId, dataSource, analysisConfig, maintainerId, tags.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newExperiment
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Iteration   iterationInput `json:"iteration" brief:"true" doc:"{\"hypothesis\":\"…\",\"primarySingleMetricKey\":\"m\",\"treatments\":[{\"name\":\"A\",\"baseline\":true,\"allocationPercent\":50,\"parameters\":[{\"flagKey\":\"f\",\"variationId\":\"off\"}]},…],\"flags\":{\"f\":{\"ruleId\":\"fallthrough\"}},\"metrics\":[{\"key\":\"m\"}]}"`
	experimentFixed
	because
}) (*plan[experimentState], error) {
	tags, err := checkedSettings(in.Key, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	at := in.target()
	switch _, err := ld.Experiments.Get(ctx, in.Project, in.Environment, in.Key); {
	case err == nil:
		return nil, badf("there is an experiment %s in %s already; change it with update-experiment, or choose another key", in.Key, in.Environment)
	case !ldclient.IsNotFound(err):
		return nil, err
	}
	d, err := draftOf(ctx, ld, at, in.Iteration, nil, nil)
	if err != nil {
		return nil, err
	}
	post := ldclient.NewExperiment{Key: in.Key, Name: in.Name, Description: in.Description, MaintainerID: in.Maintainer, Tags: tags, Methodology: in.Methodology,
		DataSource: in.DataSource, Type: in.Type, HoldoutID: in.HoldoutID, Analysis: in.Analysis.config()}
	if post.MaintainerID == "" {
		if post.MaintainerID, err = ownMember(ctx, ld); err != nil {
			return nil, err
		}
	}
	if post.HoldoutID, err = holdoutID(ctx, ld, at, in.HoldoutID); err != nil {
		return nil, err
	}
	p := &plan[experimentState]{intent: intent{Again: true, Version: "draft " + digest(d.versions()),
		Says:  fmt.Sprintf("create experiment %s (%s) in %s of project %s, as a draft that does not run yet: %s", in.Key, short(clean(in.Name), 80), in.Environment, in.Project, d.inWords(d.iteration())),
		Notes: uncommented(in.because)}}
	p.Apply = func(ctx context.Context, how manner) (*experimentState, error) {
		notes, err := d.settle(ctx)
		if err != nil {
			return nil, err
		}
		p.Noticed = notes
		post.Iteration = d.post
		then := &ldclient.Experiment{Key: in.Key, Name: in.Name, Description: in.Description, MaintainerID: post.MaintainerID, Current: d.iteration()}
		if how.DryRun {
			after := d.flags.state(then)
			after.Rules, after.Maintainer = d.flags.rules(in.Environment, then.Current), post.MaintainerID
			return &after, nil
		}
		if _, err := ld.Experiments.Create(ctx, in.Project, in.Environment, post); err != nil {
			return nil, err
		}
		after := experimentAs(ctx, ld, at, nil, then, p)
		after.Maintainer = post.MaintainerID
		return after, nil
	}
	return p, nil
})

// ownMember is the id of the member to whom the token belongs.
func ownMember(ctx context.Context, ld *ldclient.Client) (string, error) {
	who, err := ld.Identity.Caller(ctx)
	if err != nil {
		return "", err
	}
	if who.MemberID == "" || who.ServiceToken {
		return "", badf("maintainerId: the token is a service token, which is nobody's; give the id of a member, as find-members shows them")
	}
	return who.MemberID, nil
}

// holdoutID finds the holdout that is meant, by id or key.
func holdoutID(ctx context.Context, ld *ldclient.Client, at ldclient.Target, said string) (string, error) {
	if said == "" {
		return "", nil
	}
	got, err := ld.Experiments.Holdouts(ctx, at.Project, at.Environment, ldclient.Paging{Limit: 100})
	if err != nil {
		return "", err
	}
	for _, h := range got.Items {
		if h.ID == said || h.Key == said {
			return h.ID, nil
		}
	}
	return "", absent("holdout", said, keysOf(got.Items, func(h ldclient.Holdout) string { return h.Key }))
}

// versions is what a draft was made on.
func (d *drafting) versions() any {
	out := map[string]any{}
	for key, f := range d.flags {
		out[key] = []any{f.Environments[d.at.Environment].Version, f.Variations}
	}
	return []any{out, d.post}
}

// inWords says what an iteration compares, where, and by what.
func (d *drafting) inWords(it *ldclient.Iteration) string {
	return d.flags.inWords(it, d.at.Environment)
}

func (t tested) inWords(it *ldclient.Iteration, environment string) string {
	var on, parts []string
	sum := 0.0
	for _, r := range t.rules(environment, it) {
		on = append(on, fmt.Sprintf("on %s of flag %s, which serves %s now", r.Rule, r.Flag, r.Serves))
	}
	for _, x := range ten(it.Treatments, 0) {
		part := fmt.Sprintf("%s %% get %s", x.Percent, treatmentName(t, x))
		if x.Baseline {
			part += " (baseline)"
		}
		parts = append(parts, part)
	}
	for _, x := range it.Treatments { // added up before they are rounded, since three thirds are all
		part, _ := strconv.ParseFloat(x.Percent, 64)
		sum += part
	}
	rest := int(math.Round((100 - sum) * 1000))
	if n := len(it.Treatments) - firstOf; n > 0 {
		parts = append(parts, fmt.Sprintf("%d more treatments", n))
	}
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("the other %s are not in it and get %s", percent(rest), t.outside(it)))
	}
	moves := ""
	if it.CanReshuffle {
		moves = ", who may be moved to another treatment when the audience changes"
	}
	return fmt.Sprintf("%s; of the contexts of kind %s that reach it, %s%s; measured by %s", strings.Join(on, ", "), short(clean(it.RandomizationUnit), 60),
		strings.Join(parts, ", "), moves, short(clean(primaryOf(it)), 100))
}

func treatmentName(t tested, x ldclient.Treatment) string {
	name, gives := short(clean(x.Name), 60), t.gives(x)
	if name == gives {
		return name
	}
	return fmt.Sprintf("%s: %s", name, gives)
}

// outside says what those get who are not in the experiment.
func (t tested) outside(it *ldclient.Iteration) string {
	var out []string
	for _, on := range t.view(it).Flags {
		if on.Outside != "" {
			out = append(out, on.Outside)
		}
	}
	if len(out) == 0 {
		i := slices.IndexFunc(it.Treatments, func(x ldclient.Treatment) bool { return x.Baseline })
		if i < 0 {
			return "what LaunchDarkly chooses"
		}
		return t.gives(it.Treatments[i])
	}
	return strings.Join(out, ", ")
}
