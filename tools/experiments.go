package tools

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var experimentTools = Toolset{
	Name: "experiments", Doc: "Experiments and their iterations, holdouts and layers.",
	Tools: []Tool{listExperiments, getExperiment, createExperiment, updateExperiment, startIteration, saveAndStartIteration, stopIteration,
		listHoldouts, getHoldout, listLayers},
}

// atExperiment is an experiment in one environment.
type atExperiment struct {
	Project     string `json:"projectKey" alias:"project"`
	Environment string `json:"environmentKey" alias:"env,environment"`
	Experiment  string `json:"experimentKey" alias:"experiment,key"`
}

func (a atExperiment) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment, Kind: "experiment", Key: a.Experiment}
}

// inExperiment is atExperiment for tools that read, which may fall back to production.
type inExperiment struct {
	Project     string `json:"projectKey" alias:"project"`
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"production" told:"true" doc:"production if not given"`
	Experiment  string `json:"experimentKey" alias:"experiment,key"`
}

func (a inExperiment) target() ldclient.Target { return atExperiment(a).target() }

// experimentRow is an experiment in a list. What it leaves out is false or none.
type experimentRow struct {
	Key      string   `json:"key"`
	Name     string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Status   string   `json:"status" doc:"not_started, running or stopped"`
	Draft    bool     `json:"draft,omitempty" doc:"true: a next iteration waits"`
	Flags    []string `json:"flagKeys,omitempty"`
	Metric   string   `json:"primaryMetricKey,omitempty"`
	Type     string   `json:"type,omitempty" doc:"only where it is not a plain experiment"`
	Archived bool     `json:"archived,omitempty"`
}

func experimentRowOf(x ldclient.Experiment) experimentRow {
	row := experimentRow{Key: x.Key, Name: nameBeside(x.Key, x.Name), Status: experimentStatus(&x), Archived: x.Archived != 0}
	if x.Type != "experiment" {
		row.Type = x.Type
	}
	if it := latest(&x); it != nil {
		row.Flags, row.Metric = ten(slices.Sorted(maps.Keys(it.Flags)), 0), primaryOf(it)
		row.Draft = draftBeside(&x) != nil
	}
	return row
}

// latest is the iteration that runs, else the last one that ran, else the draft.
func latest(x *ldclient.Experiment) *ldclient.Iteration {
	if x.Current != nil {
		return x.Current
	}
	return x.Draft
}

// experimentStatus is what the experiment does: the state of its latest iteration.
func experimentStatus(x *ldclient.Experiment) string {
	if it := latest(x); it != nil {
		return it.Status
	}
	return ldclient.IterationDraft
}

func primaryOf(it *ldclient.Iteration) string {
	switch {
	case it.PrimarySingle != nil:
		return it.PrimarySingle.Key
	case it.PrimaryFunnel != nil:
		return it.PrimaryFunnel.Key
	}
	return ""
}

var listExperiments = read(Spec{
	Name: "list-experiments", Title: "List experiments",
	Doc: "List the experiments of an environment.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	Flag     string `json:"flagKey,omitempty" alias:"flag"`
	Metric   string `json:"metricKey,omitempty" alias:"metric"`
	Status   string `json:"status,omitempty" jsonschema:"enum=not_started,enum=running,enum=stopped"`
	Archived bool   `json:"archived,omitempty" quiet:"true"`
	paged
}) (page[experimentRow], error) {
	o := ldclient.ListExperiments{Flag: in.Flag, Metric: in.Metric, Status: in.Status}
	if in.Archived {
		o.Lifecycle = "archived"
	}
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Experiment], error) {
		o := o
		o.Paging = p
		return ld.Experiments.List(ctx, in.Project, in.Environment, o)
	})
	if err != nil {
		return page[experimentRow]{}, err
	}
	return pageOf(got, in.Offset, experimentRowOf), nil
})

// treatmentView is one of the things that an iteration compares.
type treatmentView struct {
	ID       string `json:"_id,omitempty" doc:"as winningTreatmentId wants it"`
	Name     string `json:"name"`
	Percent  string `json:"allocationPercent"`
	Baseline bool   `json:"baseline,omitempty"`
	Gives    string `json:"variation,omitempty"`
}

type iterationView struct {
	ID         string          `json:"_id,omitempty"`
	Status     string          `json:"status"`
	Hypothesis string          `json:"hypothesis,omitempty"`
	Unit       string          `json:"randomizationUnit,omitempty"`
	Primary    string          `json:"primaryMetricKey,omitempty"`
	Metrics    []string        `json:"metricKeys,omitempty" doc:"the first ten"`
	Treatments []treatmentView `json:"treatments,omitempty" doc:"the first ten"`
	Flags      []iterationOn   `json:"flags,omitempty"`
	Attributes []string        `json:"attributes,omitempty" doc:"by which results are sliced"`
	Reshuffles bool            `json:"canReshuffleTraffic,omitempty"`
	Reallocate int64           `json:"reallocationFrequencyMillis,omitempty"`
	Covariate  string          `json:"covariateId,omitempty"`
	Started    string          `json:"startedAt,omitempty"`
	Ended      string          `json:"endedAt,omitempty"`
	Winner     string          `json:"winningTreatment,omitempty"`
	Reason     string          `json:"winningReason,omitempty"`
}

// iterationOn is where on a flag an iteration runs.
type iterationOn struct {
	Flag    string `json:"flagKey"`
	Rule    string `json:"ruleId"`
	Version int    `json:"flagConfigVersion,omitempty"`
	Outside string `json:"notInExperiment,omitempty" doc:"what those get who are not in the experiment"`
}

// tested are the flags that iterations are about, by key, as far as they could be read.
type tested map[string]*ldclient.Flag

// variation is what people call a variation, or else its id.
func (t tested) variation(flag, id string) string {
	f := t[flag]
	if f == nil {
		return id
	}
	i := slices.IndexFunc(f.Variations, func(v ldclient.Variation) bool { return v.ID == id })
	if i < 0 {
		return id
	}
	return label(f, i)
}

// gives says what a treatment gives.
func (t tested) gives(x ldclient.Treatment) string {
	var out []string
	for _, p := range x.Parameters {
		says := t.variation(p.Flag, p.VariationID)
		if len(x.Parameters) > 1 {
			says = p.Flag + ": " + says
		}
		out = append(out, says)
	}
	return short(strings.Join(out, ", "), 200)
}

func (t tested) view(it *ldclient.Iteration) *iterationView {
	if it == nil {
		return nil
	}
	v := &iterationView{ID: it.ID, Status: it.Status, Hypothesis: short(it.Hypothesis, 500), Unit: it.RandomizationUnit, Primary: primaryOf(it), Attributes: ten(it.Attributes, 0),
		Reshuffles: it.CanReshuffle, Reallocate: it.ReallocationMS, Started: it.Started.String(), Ended: it.Ended.String(), Reason: short(it.WinningReason, 500)}
	if it.Covariate != nil {
		v.Covariate = it.Covariate.ID
	}
	for _, m := range ten(it.Metrics, 0) {
		v.Metrics = append(v.Metrics, m.Key)
	}
	for _, x := range ten(it.Treatments, 0) {
		v.Treatments = append(v.Treatments, treatmentView{x.ID, x.Name, x.Percent, x.Baseline, t.gives(x)})
	}
	for _, x := range it.Treatments {
		if x.ID == it.WinnerID && x.ID != "" {
			v.Winner = x.Name
		}
	}
	for _, key := range ten(slices.Sorted(maps.Keys(it.Flags)), 0) {
		on := iterationOn{Flag: key, Rule: it.Flags[key].Rule, Version: it.Flags[key].ConfigVersion}
		if id := it.Flags[key].NotIncludedVar; id != "" {
			on.Outside = t.variation(key, id)
		}
		v.Flags = append(v.Flags, on)
	}
	return v
}

type experimentDetail struct {
	Key         string         `json:"key"`
	Name        string         `json:"name,omitempty" doc:"only where it says more than the key"`
	Description string         `json:"description,omitempty"`
	Environment string         `json:"environmentKey"`
	Status      string         `json:"status" doc:"not_started, running or stopped"`
	Type        string         `json:"type,omitempty"`
	Methodology string         `json:"methodology,omitempty"`
	DataSource  string         `json:"dataSource,omitempty"`
	Tags        []string       `json:"tags,omitempty"`
	HoldoutID   string         `json:"holdoutId,omitempty"`
	Maintainer  string         `json:"maintainerId,omitempty"`
	Archived    bool           `json:"archived,omitempty"`
	Current     *iterationView `json:"currentIteration,omitempty"`
	Draft       *iterationView `json:"draftIteration,omitempty" doc:"what waits to be started next"`
	Previous    int            `json:"previousIterationsCount,omitempty"`
	Rules       []testedRule   `json:"rules,omitempty"`
	Notes       []string       `json:"notes,omitempty"`
}

// testedRule is what a rule that an experiment is about serves.
type testedRule struct {
	Flag   string `json:"flagKey"`
	Rule   string `json:"rule"`
	On     bool   `json:"on" doc:"whether the flag's targeting is"`
	Serves string `json:"serves"`
	gone   bool
}

var getExperiment = read(Spec{
	Name: "get-experiment", Title: "Get an experiment",
	Doc: "Read one experiment: status, treatments with _id, metrics, current and draft iteration. The API has no results.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ inExperiment }) (experimentDetail, error) {
	x, err := experimentNamed(ctx, ld, in.target())
	if err != nil {
		return experimentDetail{}, err
	}
	d := experimentDetail{Key: x.Key, Name: nameBeside(x.Key, x.Name), Description: x.Description, Environment: in.Environment, Status: experimentStatus(x), Type: x.Type,
		Methodology: x.Methodology, DataSource: x.DataSource, Tags: x.Tags, HoldoutID: x.HoldoutID, Maintainer: x.MaintainerID, Archived: x.Archived != 0,
		Previous: len(x.Previous)}
	flags, missing := flagsTested(ctx, ld, in.target(), x.Current, x.Draft)
	d.Current, d.Draft, d.Notes = flags.view(latest(x)), flags.view(draftBeside(x)), missing
	d.Rules = flags.rules(in.Environment, latest(x))
	return d, nil
})

// draftBeside is the draft of an experiment that has another iteration too, nil where it has none.
func draftBeside(x *ldclient.Experiment) *ldclient.Iteration {
	draft, last := x.NotStarted(), latest(x)
	if draft == nil || last == nil || draft == last || draft.ID != "" && draft.ID == last.ID {
		return nil
	}
	return draft
}

// experimentNamed reads an experiment; where there is none, it says which ones there are.
func experimentNamed(ctx context.Context, ld *ldclient.Client, at ldclient.Target) (*ldclient.Experiment, error) {
	x, err := ld.Experiments.Get(ctx, at.Project, at.Environment, at.Key)
	return x, orOthers(err, "experiment", at.Key, func() ([]string, error) {
		return keysOn(func(x ldclient.Experiment) string { return x.Key })(ld.Experiments.List(ctx, at.Project, at.Environment, ldclient.ListExperiments{Paging: ldclient.Paging{Limit: 100}}))
	})
}

// flagsTested reads the flags that iterations are about; it says which of them could not be read.
func flagsTested(ctx context.Context, ld *ldclient.Client, at ldclient.Target, iterations ...*ldclient.Iteration) (tested, []string) {
	var keys []string
	for _, it := range iterations {
		if it != nil {
			keys = append(keys, slices.Sorted(maps.Keys(it.Flags))...)
		}
	}
	slices.Sort(keys)
	keys = ten(slices.Compact(keys), 0)
	got := make([]*ldclient.Flag, len(keys))
	g := gather(ctx)
	for i, key := range keys {
		g.want("flag "+short(clean(key), 60), func(ctx context.Context) (err error) {
			got[i], err = ld.Flags.Get(ctx, at.Project, at.Environment, key)
			return err
		})
	}
	missing, _ := g.wait()
	out := tested{}
	for i, key := range keys {
		if got[i] != nil {
			out[key] = got[i]
		}
	}
	return out, missing
}

// rules says what the rules serve that an iteration is about.
func (t tested) rules(environment string, it *ldclient.Iteration) []testedRule {
	if it == nil {
		return nil
	}
	var out []testedRule
	for _, key := range ten(slices.Sorted(maps.Keys(it.Flags)), 0) {
		f := t[key]
		if f == nil {
			continue
		}
		c := f.Environments[environment]
		rule, err := ruleAt(c, it.Flags[key].Rule)
		if err != nil {
			out = append(out, testedRule{key, fmt.Sprintf("rule %s, which is gone", short(clean(it.Flags[key].Rule), 60)), c.On, "", true})
			continue
		}
		out = append(out, testedRule{key, rule.name, c.On, serves(f, rule.serve), false})
	}
	return out
}

// experimentState is what changing an experiment changes.
type experimentState struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Status      string         `json:"status"`
	Archived    bool           `json:"archived,omitempty"`
	Current     *iterationView `json:"currentIteration,omitempty"`
	Draft       *iterationView `json:"draftIteration,omitempty"`
	Rules       []testedRule   `json:"rules,omitempty" doc:"of the flags, and what they serve while these are on"`
	Maintainer  string         `json:"maintainerId,omitempty"`
	Skipped     []skippedField `json:"skipped,omitempty"`
}

// skippedField is a change that was asked for and cannot be made now.
type skippedField struct {
	Field   string   `json:"field"`
	Status  string   `json:"currentStatus"`
	Allowed []string `json:"allowedFields"`
	Why     string   `json:"why"`
}

func (t tested) state(x *ldclient.Experiment) experimentState {
	return experimentState{Name: x.Name, Description: x.Description, Status: experimentStatus(x), Archived: x.Archived != 0, Current: t.view(latest(x)), Draft: t.view(draftBeside(x))}
}

// experimentsDiffer leaves out what is the same before and after.
func experimentsDiffer(before, after *experimentState) {
	if before == nil || after == nil {
		return
	}
	if same := digest(before.Current) == digest(after.Current); same && before.Current != nil {
		before.Current, after.Current = nil, nil
	}
	if digest(before.Draft) == digest(after.Draft) {
		before.Draft, after.Draft = nil, nil
	}
	if before.Description == after.Description {
		before.Description, after.Description = "", ""
	}
	if digest(before.Rules) == digest(after.Rules) {
		before.Rules, after.Rules = nil, nil
	}
}

// experimentAs reads what an experiment is after a change that was made, since
// LaunchDarkly's answers to changes leave iterations out. Where that cannot be
// read, or is still what was there before, then, what the change makes, is shown.
func experimentAs(ctx context.Context, ld *ldclient.Client, at ldclient.Target, was, then *ldclient.Experiment, p *plan[experimentState]) *experimentState {
	x, err := ld.Experiments.Get(ctx, at.Project, at.Environment, at.Key)
	switch {
	case err != nil:
		p.Noticed = append(p.Noticed, fmt.Sprintf("the change was made; what is there now could not be read, so what was asked for is shown (%s)", short(clean(err.Error()), 200)))
		x = then
	case was != nil && digest(x) == digest(was):
		p.Noticed = append(p.Noticed, "the change was made, and LaunchDarkly does not show it yet, so what was asked for is shown; read it again with get-experiment")
		x = then
	}
	flags, missing := flagsTested(ctx, ld, at, x.Current, x.Draft)
	p.Noticed = append(p.Noticed, missing...)
	out := flags.state(x)
	out.Rules = flags.rules(at.Environment, latest(x))
	return &out
}

// experimentWords names an experiment for the person who confirms.
func experimentWords(x *ldclient.Experiment, at ldclient.Target) string {
	name := ""
	if n := nameBeside(x.Key, x.Name); n != "" {
		name = fmt.Sprintf(" (%s)", short(clean(n), 80))
	}
	return fmt.Sprintf("experiment %s%s in %s of project %s", cmp.Or(x.Key, at.Key), name, at.Environment, at.Project)
}
