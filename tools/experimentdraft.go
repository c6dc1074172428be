package tools

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// iterationInput is what a caller says of an iteration. What it leaves out stays as in the iteration before.
type iterationInput struct {
	Hypothesis   string                   `json:"hypothesis,omitempty" quiet:"true"`
	Primary      string                   `json:"primarySingleMetricKey,omitempty" alias:"primaryMetricKey" quiet:"true"`
	Funnel       string                   `json:"primaryFunnelKey,omitempty" quiet:"true"`
	Metrics      *[]measureInput          `json:"metrics,omitempty" brief:"true"`
	Treatments   []treatmentInput         `json:"treatments,omitempty" brief:"true"`
	Flags        map[string]testedAtInput `json:"flags,omitempty" quiet:"true"`
	Unit         string                   `json:"randomizationUnit,omitempty" quiet:"true"`
	Attributes   *[]string                `json:"attributes,omitempty" quiet:"true"`
	Covariate    string                   `json:"covariateId,omitempty" quiet:"true"`
	CanReshuffle *bool                    `json:"canReshuffleTraffic,omitempty" quiet:"true"`
	Reallocation int64                    `json:"reallocationFrequencyMillis,omitempty" jsonschema:"minimum=0" quiet:"true"`
}

type measureInput struct {
	Key     string `json:"key" alias:"metricKey"`
	IsGroup bool   `json:"isGroup,omitempty"`
}

type treatmentInput struct {
	Name       string           `json:"name,omitempty"`
	Baseline   bool             `json:"baseline,omitempty"`
	Percent    scalar           `json:"allocationPercent" alias:"percent"`
	Variation  string           `json:"variation,omitempty" alias:"variationId"`
	Parameters []parameterInput `json:"parameters,omitempty"`
}

type parameterInput struct {
	Flag      string `json:"flagKey" alias:"flag"`
	Variation string `json:"variationId" alias:"variation,variationKey,variationName,variationValue,variationIndex"`
}

type testedAtInput struct {
	Rule    string `json:"ruleId,omitempty"`
	Version int    `json:"flagConfigVersion,omitempty"`
	Outside string `json:"notInExperimentVariationId,omitempty" alias:"notInExperimentVariation"`
}

// fields lists the names of what a caller said.
func (in iterationInput) fields() []string {
	var out []string
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"hypothesis", in.Hypothesis != ""}, {"primarySingleMetricKey", in.Primary != ""}, {"primaryFunnelKey", in.Funnel != ""}, {"metrics", in.Metrics != nil},
		{"treatments", in.Treatments != nil}, {"flags", in.Flags != nil}, {"randomizationUnit", in.Unit != ""}, {"attributes", in.Attributes != nil},
		{"covariateId", in.Covariate != ""}, {"canReshuffleTraffic", in.CanReshuffle != nil}, {"reallocationFrequencyMillis", in.Reallocation != 0},
	} {
		if f.is {
			out = append(out, f.name)
		}
	}
	return out
}

// drafting is an iteration in the making, checked against the flags and metrics that it is about.
type drafting struct {
	ld    *ldclient.Client
	at    ldclient.Target // the experiment
	runs  *ldclient.Iteration
	post  ldclient.NewIteration
	flags tested
	saw   map[string]int // flagConfigVersion as the caller gave it
}

// draftOf makes an iteration of what a caller says and, where that says nothing,
// of base, which is nil for a first one. runs is what runs of the experiment, which may keep its rules.
func draftOf(ctx context.Context, ld *ldclient.Client, at ldclient.Target, in iterationInput, base, runs *ldclient.Iteration) (*drafting, error) {
	d := &drafting{ld: ld, at: at, runs: runs, flags: tested{}, saw: map[string]int{}, post: ldclient.NewIteration{Flags: map[string]ldclient.NewIterationFlag{}}}
	if base != nil {
		d.base(base)
	}
	d.settings(in)
	if d.post.Hypothesis == "" {
		return nil, badf("hypothesis: say what is expected, and why")
	}
	if err := d.named(in); err != nil {
		return nil, err
	}
	if err := d.readFlags(ctx); err != nil {
		return nil, err
	}
	if err := d.treat(in); err != nil {
		return nil, err
	}
	if err := d.measure(ctx, in); err != nil {
		return nil, err
	}
	if err := d.unit(ctx); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(d.post.Flags)) {
		if err := d.mayRunOn(ctx, key); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// base begins as another iteration is.
func (d *drafting) base(it *ldclient.Iteration) {
	d.post.Hypothesis, d.post.RandomizationUnit, d.post.ReallocationMS, d.post.Attributes = it.Hypothesis, it.RandomizationUnit, it.ReallocationMS, it.Attributes
	if it.CanReshuffle {
		d.post.CanReshuffle = &it.CanReshuffle
	}
	if it.Covariate != nil {
		d.post.CovariateID = it.Covariate.ID
	}
	if it.PrimarySingle != nil {
		d.post.PrimarySingle = it.PrimarySingle.Key
	}
	if it.PrimaryFunnel != nil {
		d.post.PrimaryFunnel = it.PrimaryFunnel.Key
	}
	for _, m := range it.Metrics {
		d.post.Metrics = append(d.post.Metrics, ldclient.NewIterationMetric{Key: m.Key, IsGroup: m.IsGroup})
	}
	for _, t := range it.Treatments {
		d.post.Treatments = append(d.post.Treatments, ldclient.NewTreatment{Name: t.Name, Baseline: t.Baseline, Percent: t.Percent, Parameters: t.Parameters})
	}
	for key, on := range it.Flags {
		d.post.Flags[key] = ldclient.NewIterationFlag{Rule: on.Rule, NotIncludedVar: on.NotIncludedVar}
	}
}

// settings takes over what needs no look at anything.
func (d *drafting) settings(in iterationInput) {
	if in.Hypothesis != "" {
		d.post.Hypothesis = in.Hypothesis
	}
	if in.Unit != "" {
		d.post.RandomizationUnit = in.Unit
	}
	set(&d.post.Attributes, in.Attributes)
	if in.CanReshuffle != nil {
		d.post.CanReshuffle = in.CanReshuffle
	}
	if in.Covariate != "" {
		d.post.CovariateID = in.Covariate
	}
	if in.Reallocation != 0 {
		d.post.ReallocationMS = in.Reallocation
	}
}

// named finds the flags that the iteration is about: those given, else those of the treatments, else those of before.
func (d *drafting) named(in iterationInput) error {
	before := d.post.Flags
	if in.Flags != nil || in.Treatments != nil && slices.ContainsFunc(in.Treatments, func(t treatmentInput) bool { return len(t.Parameters) > 0 }) {
		d.post.Flags = map[string]ldclient.NewIterationFlag{}
	}
	for _, t := range in.Treatments {
		for _, p := range t.Parameters {
			d.post.Flags[p.Flag] = before[p.Flag]
		}
	}
	for key, on := range in.Flags {
		next := before[key]
		if on.Rule != "" {
			next.Rule = on.Rule
		}
		if on.Outside != "" {
			next.NotIncludedVar = on.Outside
		}
		d.post.Flags[key] = next
		if on.Version != 0 {
			d.saw[key] = on.Version
		}
	}
	switch n := len(d.post.Flags); {
	case n == 0:
		return badf(`flags: name the flag and the rule that the experiment is on, such as {"my-flag":{"ruleId":"fallthrough"}}`)
	case n > firstOf:
		return badf("flags: %d flags are more than one experiment can be read with; at most %d", n, firstOf)
	}
	for key, on := range d.post.Flags {
		if on.Rule == "" {
			on.Rule = "fallthrough"
			d.post.Flags[key] = on
		}
	}
	return nil
}

func (d *drafting) readFlags(ctx context.Context) error {
	var mu sync.Mutex
	g := gather(ctx)
	for key := range d.post.Flags {
		g.need(func(ctx context.Context) error {
			f, _, err := flagIn(ctx, d.ld, d.flagAt(key))
			mu.Lock()
			defer mu.Unlock()
			d.flags[key] = f
			return orOthers(err, "flag", key, func() ([]string, error) {
				return keysOn(func(f ldclient.Flag) string { return f.Key })(d.ld.Flags.List(ctx, d.at.Project, ldclient.ListFlags{Paging: ldclient.Paging{Limit: 100}}))
			})
		})
	}
	_, err := g.wait()
	return err
}

func (d *drafting) flagAt(key string) ldclient.Target {
	return ldclient.Target{Project: d.at.Project, Environment: d.at.Environment, Kind: "flag", Key: key}
}

// treat checks the treatments and writes their variations as ids and their parts as LaunchDarkly does.
func (d *drafting) treat(in iterationInput) error {
	if in.Treatments != nil {
		d.post.Treatments = nil
		for n, t := range in.Treatments {
			x, err := d.treatment(t)
			if err != nil {
				return badf("treatments[%d]: %v", n, err)
			}
			d.post.Treatments = append(d.post.Treatments, x)
		}
	}
	if len(d.post.Treatments) < 2 {
		return badf("treatments: an experiment compares two treatments at least, one of them the baseline")
	}
	baselines, sum := 0, 0.0
	seen := map[string]bool{}
	var base ldclient.NewTreatment
	for n, t := range d.post.Treatments {
		gives := d.flags.gives(ldclient.Treatment{Parameters: t.Parameters})
		if t.Baseline {
			base = t
			baselines++
		}
		part, err := strconv.ParseFloat(t.Percent, 64)
		switch {
		case err != nil || part < 0 || part > 100 || math.IsNaN(part):
			return badf("treatments[%d]: allocationPercent is 0 to 100, got %q", n, short(clean(t.Percent), 40))
		case seen[digest(t.Parameters)]:
			return badf("treatments[%d]: another treatment gives %s too; each gives something else", n, gives)
		case len(t.Parameters) != len(d.post.Flags), slices.ContainsFunc(t.Parameters, func(p ldclient.Parameter) bool { return d.flags[p.Flag] == nil }):
			return badf("treatments[%d]: parameters must name a variation of each of the flags once: %s", n, keyList(slices.Sorted(maps.Keys(d.post.Flags))))
		}
		sum += part
		seen[digest(t.Parameters)] = true
	}
	if baselines != 1 {
		return badf("treatments: exactly one is the baseline, got %d; give baseline: true to that one alone", baselines)
	}
	return d.rest(sum, base)
}

// rest settles what the contexts get that are not in the experiment.
func (d *drafting) rest(sum float64, base ldclient.NewTreatment) error {
	outside := false
	for _, key := range slices.Sorted(maps.Keys(d.post.Flags)) {
		on := d.post.Flags[key]
		if on.NotIncludedVar == "" {
			continue
		}
		outside = true
		i, err := variation(d.flags[key], on.NotIncludedVar)
		if err != nil {
			return badf("flags.%s.notInExperimentVariationId: %v", key, err)
		}
		on.NotIncludedVar = d.flags[key].Variations[i].ID
		d.post.Flags[key] = on
	}
	left := 100 - sum
	switch {
	case left < -0.0005:
		return badf("treatments: allocationPercent adds up to %s, more than 100", number(sum))
	case sum == 0:
		return badf("treatments: one at least must have an allocationPercent above 0")
	case left > 0.0005 && !outside:
		key := slices.Sorted(maps.Keys(d.post.Flags))[0]
		return badf("treatments: allocationPercent adds up to %s; make it 100, or say in flags.%s.notInExperimentVariationId what the other %s %% get, who are not in the experiment (the baseline is %s)",
			number(sum), key, number(math.Round(left*1000)/1000), d.flags.gives(ldclient.Treatment{Parameters: base.Parameters}))
	}
	return nil
}

func (d *drafting) treatment(in treatmentInput) (ldclient.NewTreatment, error) {
	out := ldclient.NewTreatment{Name: in.Name, Baseline: in.Baseline}
	part := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(word(in.Percent.any)), "%"))
	if x, err := strconv.ParseFloat(part, 64); err == nil && !math.IsInf(x, 0) {
		part = number(x)
	}
	out.Percent = part
	if in.Variation != "" {
		if len(d.post.Flags) != 1 || len(in.Parameters) > 0 {
			return out, fmt.Errorf("give parameters, or variation where there is one flag, not both")
		}
		for key := range d.post.Flags {
			in.Parameters = []parameterInput{{key, in.Variation}}
		}
	}
	for _, p := range in.Parameters {
		f := d.flags[p.Flag]
		if f == nil {
			return out, fmt.Errorf("flag %s is not among the flags of the experiment: %s", p.Flag, keyList(slices.Sorted(maps.Keys(d.post.Flags))))
		}
		i, err := variation(f, p.Variation)
		if err != nil {
			return out, err
		}
		if slices.ContainsFunc(out.Parameters, func(q ldclient.Parameter) bool { return q.Flag == p.Flag }) {
			return out, fmt.Errorf("parameters names flag %s twice", p.Flag)
		}
		out.Parameters = append(out.Parameters, ldclient.Parameter{Flag: p.Flag, VariationID: f.Variations[i].ID})
		if out.Name == "" {
			out.Name = label(f, i)
		}
	}
	slices.SortFunc(out.Parameters, func(a, b ldclient.Parameter) int { return strings.Compare(a.Flag, b.Flag) })
	return out, nil
}

// measure checks that the metrics exist, and that one is the primary one.
func (d *drafting) measure(ctx context.Context, in iterationInput) error {
	if in.Primary != "" || in.Funnel != "" {
		d.post.PrimarySingle, d.post.PrimaryFunnel = in.Primary, in.Funnel
	}
	if (d.post.PrimarySingle == "") == (d.post.PrimaryFunnel == "") {
		return badf("give exactly one of primarySingleMetricKey and primaryFunnelKey")
	}
	if in.Metrics != nil {
		d.post.Metrics = nil
		for _, m := range *in.Metrics {
			d.post.Metrics = append(d.post.Metrics, ldclient.NewIterationMetric{Key: m.Key, IsGroup: m.IsGroup})
		}
	}
	primary := ldclient.NewIterationMetric{Key: d.post.PrimarySingle + d.post.PrimaryFunnel, IsGroup: d.post.PrimaryFunnel != ""}
	if !slices.Contains(d.post.Metrics, primary) {
		d.post.Metrics = slices.Insert(d.post.Metrics, 0, primary)
	}
	for i, m := range d.post.Metrics {
		if slices.Contains(d.post.Metrics[:i], m) {
			return badf("metrics names %s twice", m.Key)
		}
	}
	g := gather(ctx)
	for _, m := range d.post.Metrics {
		g.need(func(ctx context.Context) error { return metricExists(ctx, d.ld, d.at.Project, m) })
	}
	_, err := g.wait()
	return err
}

// unit settles by which context kind is divided: one of the project's, the default one if none is given.
func (d *drafting) unit(ctx context.Context) error {
	all, err := d.ld.Experiments.Units(ctx, d.at.Project)
	if err != nil || len(all) == 0 { // LaunchDarkly's own refusal has to do
		d.post.RandomizationUnit = cmp.Or(d.post.RandomizationUnit, "user")
		return nil //nolint:nilerr // it is no more than a look
	}
	if d.post.RandomizationUnit == "" {
		i := slices.IndexFunc(all, func(u ldclient.RandomizationUnit) bool { return u.Default })
		d.post.RandomizationUnit = all[max(0, i)].Unit
	}
	have := keysOf(all, func(u ldclient.RandomizationUnit) string { return u.Unit })
	if !slices.Contains(have, d.post.RandomizationUnit) {
		return badf("randomizationUnit: experiments of project %s divide by %s, not by %s", d.at.Project, keyList(have), short(d.post.RandomizationUnit, 60))
	}
	return nil
}

// metricExists says which metrics, or groups of them, there are where one is not.
func metricExists(ctx context.Context, ld *ldclient.Client, project string, m ldclient.NewIterationMetric) error {
	if m.IsGroup {
		_, err := ld.Metrics.Group(ctx, project, m.Key)
		return orOthers(err, "metric group", m.Key, func() ([]string, error) {
			return keysOn(func(g ldclient.MetricGroup) string { return g.Key })(ld.Metrics.ListGroups(ctx, project, ldclient.ListMetricGroups{Paging: ldclient.Paging{Limit: 50}}))
		})
	}
	got, err := ld.Metrics.Get(ctx, project, m.Key)
	if err == nil && got.Archived {
		return badf("metric %s is archived; choose another one with list-metrics", m.Key)
	}
	return orOthers(err, "metric", m.Key, func() ([]string, error) {
		return keysOn(func(m ldclient.Metric) string { return m.Key })(ld.Metrics.List(ctx, project, ldclient.ListMetrics{Paging: ldclient.Paging{Limit: 50}}))
	})
}

// mayRunOn refuses a rule on which no experiment can run.
func (d *drafting) mayRunOn(ctx context.Context, key string) error {
	f, on := d.flags[key], d.post.Flags[key]
	c := f.Environments[d.at.Environment]
	if f.Archived {
		return badf("flag %s is archived; restore it first, with restore-flag", key)
	}
	rule, err := ruleAt(c, on.Rule)
	switch {
	case err != nil:
		return err
	case rule.disabled:
		return badf("%s of flag %s is disabled, so nobody would get into the experiment; enable it, or choose another rule", rule.name, key)
	case rule.serve.InExperiment() && (d.runs == nil || d.runs.Flags[key].Rule != on.Rule):
		return badf("another experiment runs on %s of flag %s in %s; stop that first, or choose another rule", rule.name, key, d.at.Environment)
	}
	running, _ := runningRollouts(ctx, d.ld, d.flagAt(key)) // without this look, LaunchDarkly's own refusal has to do
	for _, r := range running {
		if same, err := ruleAt(c, r.Rule); err == nil && same.id == rule.id {
			return badf("%s runs on flag %s in %s; stop it with stop-%s-rollout first, or let it end", rolloutName(f, c, r), key, d.at.Environment, r.Kind)
		}
	}
	return nil
}

// settle reads the flags once more and takes over their versions, since each edit of a flag makes the last one stale.
func (d *drafting) settle(ctx context.Context) (notes []string, err error) {
	shown := map[string]string{}
	for key, f := range d.flags {
		shown[key] = digest(f.Variations)
	}
	if err := d.readFlags(ctx); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(d.post.Flags)) {
		if digest(d.flags[key].Variations) != shown[key] {
			return nil, changedMeanwhile("flag " + key)
		}
		if err := d.mayRunOn(ctx, key); err != nil {
			return nil, err
		}
		on := d.post.Flags[key]
		on.ConfigVersion = d.flags[key].Environments[d.at.Environment].Version
		d.post.Flags[key] = on
		if given := d.saw[key]; given != 0 && given != on.ConfigVersion {
			notes = append(notes, fmt.Sprintf("flagConfigVersion %d was given, and flag %s has version %d in %s, which was used", given, key, on.ConfigVersion, d.at.Environment))
		}
	}
	return notes, nil
}

// iteration is the draft as it would be read.
func (d *drafting) iteration() *ldclient.Iteration {
	n := d.post
	out := &ldclient.Iteration{Status: ldclient.IterationDraft, Hypothesis: n.Hypothesis, RandomizationUnit: n.RandomizationUnit, Attributes: n.Attributes,
		ReallocationMS: n.ReallocationMS, CanReshuffle: orElse(n.CanReshuffle, false), Flags: map[string]ldclient.IterationFlag{}}
	if n.CovariateID != "" {
		out.Covariate = &ldclient.Covariate{ID: n.CovariateID}
	}
	for key, on := range n.Flags {
		out.Flags[key] = ldclient.IterationFlag(on)
	}
	for _, t := range n.Treatments {
		out.Treatments = append(out.Treatments, ldclient.Treatment{Name: t.Name, Percent: t.Percent, Baseline: t.Baseline, Parameters: t.Parameters})
	}
	for _, m := range n.Metrics {
		out.Metrics = append(out.Metrics, ldclient.IterationMetric{Key: m.Key, IsGroup: m.IsGroup})
	}
	if n.PrimaryFunnel != "" {
		out.PrimaryFunnel = &ldclient.IterationMetric{Key: n.PrimaryFunnel, IsGroup: true}
	} else {
		out.PrimarySingle = &ldclient.IterationMetric{Key: n.PrimarySingle}
	}
	return out
}
