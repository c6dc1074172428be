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

// thousandthsOf reads a treatment's part of the contexts.
func thousandthsOf(part string) int {
	x, err := strconv.ParseFloat(part, 64)
	if err != nil || math.IsNaN(x) {
		return 0
	}
	return int(math.Round(max(0, min(x, 100)) * 1000))
}

// startable refuses to start an iteration that would measure nobody.
func (t tested) startable(x *ldclient.Experiment, it *ldclient.Iteration, at ldclient.Target) error {
	switch {
	case x.Archived != 0:
		return badf("the experiment is archived; restore it with update-experiment first")
	case it.RandomizationUnit == "":
		return badf("the draft has no randomizationUnit; set it with update-experiment first")
	case !slices.ContainsFunc(it.Treatments, func(x ldclient.Treatment) bool { return thousandthsOf(x.Percent) > 0 }):
		return badf("no treatment of the draft has an allocationPercent above 0; set them with update-experiment first")
	case len(it.Flags) == 0:
		return badf("the draft is on no flag; set flags and treatments with update-experiment first")
	}
	for key := range it.Flags {
		f := t[key]
		if f == nil {
			return badf("flag %s of the draft could not be read, so nothing can be started on it", key)
		}
		if c := f.Environments[at.Environment]; !c.On {
			return badf("flag %s is off in %s, so nobody would get into the experiment; turn it on with toggle-flag first", key, at.Environment)
		}
	}
	return nil
}

// ready reads the flags of an iteration that is to be started, and refuses one that cannot run.
func ready(ctx context.Context, ld *ldclient.Client, at ldclient.Target, x *ldclient.Experiment, it *ldclient.Iteration) (*drafting, error) {
	d := &drafting{ld: ld, at: at, runs: x.Running(), flags: tested{}, saw: map[string]int{}, post: ldclient.NewIteration{Flags: map[string]ldclient.NewIterationFlag{}}}
	d.base(it)
	if err := d.readFlags(ctx); err != nil {
		return nil, err
	}
	for key := range d.post.Flags {
		if err := d.mayRunOn(ctx, key); err != nil {
			return nil, err
		}
	}
	return d, d.flags.startable(x, it, at)
}

// started is the experiment as it would be with an iteration running.
func started(x *ldclient.Experiment, it *ldclient.Iteration) *ldclient.Experiment {
	then, runs := *x, *it
	runs.Status = ldclient.IterationRunning
	then.Current, then.Draft = &runs, nil
	return &then
}

// rulesRunning says what the rules would serve while an iteration runs on them.
func (t tested) rulesRunning(environment string, it *ldclient.Iteration) []testedRule {
	out := t.rules(environment, it)
	for n := range out {
		f := t[out[n].Flag]
		r, left := &ldclient.Rollout{ContextKind: it.RandomizationUnit}, whole
		base := 0
		for _, x := range it.Treatments {
			for _, p := range x.Parameters {
				if p.Flag != f.Key {
					continue
				}
				i := slices.IndexFunc(f.Variations, func(v ldclient.Variation) bool { return v.ID == p.VariationID })
				if x.Baseline {
					base = i
				}
				w := min(left, thousandthsOf(x.Percent))
				left -= w
				r.Variations = append(r.Variations, ldclient.WeightedVariation{Variation: i, Weight: w})
			}
		}
		if i := slices.IndexFunc(f.Variations, func(v ldclient.Variation) bool { return v.ID == it.Flags[f.Key].NotIncludedVar }); i >= 0 {
			base = i
		}
		if left > 0 {
			r.Variations = append(r.Variations, ldclient.WeightedVariation{Variation: base, Weight: left})
		}
		out[n].Serves = serves(f, ldclient.RuleServe{Rollout: r})
	}
	return out
}

// runningPlan begins the plan of a change of what runs, past the approvals of the flags that it changes.
func runningPlan(x *ldclient.Experiment, at ldclient.Target, flags tested) *plan[experimentState] {
	before := flags.state(x)
	before.Rules = flags.rules(at.Environment, latest(x))
	p := &plan[experimentState]{Before: &before, Differ: experimentsDiffer, intent: intent{PastReview: true}}
	versions := map[string]any{}
	for key, f := range flags {
		versions[key] = []any{f.Environments[at.Environment], f.Variations}
		p.Tags = append(p.Tags, f.Tags...)
	}
	slices.Sort(p.Tags)
	p.Version = "experiment " + digest([]any{x, versions})
	return p
}

var startIteration = update(Spec{
	Name: "start-experiment-iteration", Title: "Start an experiment", Action: "updateExperiment",
	Doc: "Start an experiment's draft iteration. What runs ends then, and needs changeJustification.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atExperiment
	Why string `json:"changeJustification,omitempty"`
	because
}) (*plan[experimentState], error) {
	at := in.target()
	x, err := experimentNamed(ctx, ld, at)
	if err != nil {
		return nil, err
	}
	draft := x.NotStarted()
	if draft == nil {
		return nil, badf("%s has no draft to start, its status is %s; draft one with update-experiment, or do both with save-and-start-experiment-iteration", experimentWords(x, at), experimentStatus(x))
	}
	d, err := ready(ctx, ld, at, x, draft)
	if err != nil {
		return nil, err
	}
	ends, err := endingWords(x, in.Why)
	if err != nil {
		return nil, err
	}
	p := runningPlan(x, at, d.flags)
	p.Before.Rules = d.flags.rules(at.Environment, draft)
	p.Says = fmt.Sprintf("start %s%s: %s", experimentWords(x, at), ends, d.inWords(draft))
	p.Notes = staleNotes(d.flags, at, draft)
	p.Apply = func(ctx context.Context, how manner) (*experimentState, error) {
		if how.DryRun {
			after := d.flags.state(started(x, draft))
			after.Rules = d.flags.rulesRunning(at.Environment, draft)
			return &after, nil
		}
		if err := sameExperiment(ctx, ld, at, x); err != nil {
			return nil, err
		}
		now, err := ready(ctx, ld, at, x, draft)
		if err != nil {
			return nil, err
		}
		if digest(now.versions()) != digest(d.versions()) {
			return nil, changedMeanwhile("a flag of the experiment")
		}
		if _, err := ld.Experiments.Patch(ctx, at.Project, at.Environment, at.Key, how.Comment, ldclient.StartIteration(in.Why)); err != nil {
			return nil, err
		}
		return experimentAs(ctx, ld, at, x, started(x, draft), p), nil
	}
	return p, nil
})

// endingWords says what a start ends, and wants a reason for it.
func endingWords(x *ldclient.Experiment, why string) (string, error) {
	running := x.Running()
	switch {
	case running == nil:
		return "", nil
	case clean(why) == "":
		return "", badf("an iteration is running; starting another one ends it, so give changeJustification: why that is done")
	}
	return fmt.Sprintf(", which ends the iteration that runs since %s (justification: %s)", running.Started, short(clean(why), 200)), nil
}

// staleNotes warns of a draft that was made on an older version of a flag.
func staleNotes(flags tested, at ldclient.Target, it *ldclient.Iteration) []string {
	var out []string
	for _, on := range flags.view(it).Flags {
		f := flags[on.Flag]
		if f == nil || on.Version == 0 {
			continue
		}
		if now := f.Environments[at.Environment].Version; now != on.Version {
			out = append(out, fmt.Sprintf("the draft was made on version %d of flag %s in %s, which has version %d now; should LaunchDarkly refuse it, save-and-start-experiment-iteration drafts it anew", on.Version, on.Flag, at.Environment, now))
		}
	}
	return out
}

var saveAndStartIteration = update(Spec{
	Name: "save-and-start-experiment-iteration", Title: "Change and restart an experiment", Action: "updateExperiment", Additive: true,
	Doc: "Draft a new iteration of an experiment with changes, as update-experiment takes them, and start it; what runs ends then.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atExperiment
	Why         string  `json:"changeJustification"`
	Name        *string `json:"name,omitempty" quiet:"true"`
	Description *string `json:"description,omitempty" quiet:"true"`
	Archived    *bool   `json:"archived,omitempty" quiet:"true"`
	iterationInput
	experimentFixed
	because
}) (*plan[experimentState], error) {
	at, edit := in.target(), experimentEdit{in.Name, in.Description, in.Archived, in.iterationInput, in.experimentFixed}
	x, err := experimentNamed(ctx, ld, at)
	if err != nil {
		return nil, err
	}
	if clean(in.Why) == "" {
		return nil, badf("changeJustification: say why a new iteration is started")
	}
	if in.Archived != nil && *in.Archived {
		return nil, badf("archived: an archived experiment cannot be started; leave it out")
	}
	then := *x
	do, says, err := edit.steps(&then)
	if err != nil {
		return nil, err
	}
	_, skipped := edit.sorted(x, "")
	if x.Archived != 0 && then.Archived != 0 {
		return nil, badf("the experiment is archived; restore it with update-experiment first")
	}
	base := x.NotStarted()
	if base == nil {
		base = latest(x)
	}
	d, err := draftOf(ctx, ld, at, in.iterationInput, base, x.Running())
	if err != nil {
		return nil, err
	}
	next := d.iteration()
	if err := d.flags.startable(&then, next, at); err != nil {
		return nil, err
	}
	ends, err := endingWords(x, in.Why)
	if err != nil {
		return nil, err
	}
	flags, missing := flagsTested(ctx, ld, at, x.Current, x.Draft)
	p := runningPlan(x, at, flags)
	for _, f := range d.flags {
		p.Tags = append(p.Tags, f.Tags...)
	}
	p.Version, p.Notes = "experiment "+digest([]any{p.Version, d.versions()}), missing
	p.Says = fmt.Sprintf("draft an iteration of %s and start it%s: %s", experimentWords(x, at), ends, d.inWords(next))
	if len(says) > 0 {
		p.Says += "; and " + strings.Join(says, "; ")
	}
	if n := len(skipped); n > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s cannot be changed by the public API and would stay", keyList(keysOf(skipped, func(s skippedField) string { return s.Field }))))
	}
	p.Apply = func(ctx context.Context, how manner) (*experimentState, error) {
		notes, err := d.settle(ctx)
		if err != nil {
			return nil, err
		}
		p.Noticed = notes
		next := d.iteration()
		if err := d.flags.startable(&then, next, at); err != nil {
			return nil, err
		}
		if how.DryRun {
			after := d.flags.state(started(&then, next))
			after.Rules, after.Skipped = d.flags.rulesRunning(at.Environment, next), skipped
			return &after, nil
		}
		if err := sameExperiment(ctx, ld, at, x); err != nil {
			return nil, err
		}
		if x.Archived != 0 { // no draft before that
			if _, err := ld.Experiments.Patch(ctx, at.Project, at.Environment, at.Key, how.Comment, ldclient.RestoreExperiment()); err != nil {
				return nil, err
			}
			do = slices.DeleteFunc(do, func(i ldclient.Instruction) bool { return i.Kind() == "restoreExperiment" })
		}
		runs := "nothing runs, as before"
		if x.Running() != nil {
			runs = "the iteration that ran before still runs"
		}
		made, err := ld.Experiments.Draft(ctx, at.Project, at.Environment, at.Key, d.post)
		if err != nil {
			if x.Archived == 0 {
				return nil, err
			}
			return nil, halfway(err, "the experiment was restored from the archive", "drafting the iteration", runs, "call update-experiment with the fields of the iteration, then start-experiment-iteration")
		}
		if _, err := ld.Experiments.Patch(ctx, at.Project, at.Environment, at.Key, how.Comment, append(do, ldclient.StartIteration(in.Why))...); err != nil {
			return nil, halfway(err, "the new iteration was drafted ("+made.ID+")", "starting it", runs,
				"read it with get-experiment, mend what is in the way, then call start-experiment-iteration with changeJustification")
		}
		after := experimentAs(ctx, ld, at, x, started(&then, next), p)
		after.Skipped = skipped
		return after, nil
	}
	return p, nil
})

var stopIteration = update(Spec{
	Name: "stop-experiment-iteration", Title: "Stop an experiment", Action: "updateExperiment",
	Doc: "Stop an experiment with a winner, which its rule then serves to all.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atExperiment
	Winner string `json:"winningTreatmentId" alias:"winningTreatment,winner" doc:"_id or name"`
	Reason string `json:"winningReason"`
	because
}) (*plan[experimentState], error) {
	at := in.target()
	x, err := experimentNamed(ctx, ld, at)
	if err != nil {
		return nil, err
	}
	running := x.Running()
	if running == nil {
		return nil, badf("%s is not running, its status is %s; there is nothing to stop", experimentWords(x, at), experimentStatus(x))
	}
	if clean(in.Reason) == "" {
		return nil, badf("winningReason: say why this treatment wins")
	}
	flags, missing := flagsTested(ctx, ld, at, running)
	if len(missing) > 0 {
		return nil, badf("%s, so it cannot be said what its rule would serve; try again", missing[0])
	}
	winner, err := flags.treatment(running, in.Winner)
	if err != nil {
		return nil, err
	}
	p := runningPlan(x, at, flags)
	then := flags.rules(at.Environment, running)
	for i, r := range then {
		for _, set := range winner.Parameters {
			if set.Flag == r.Flag && !r.gone {
				then[i].Serves = flags.variation(set.Flag, set.VariationID)
			}
		}
	}
	var says []string
	for i, r := range then {
		if r.gone { // and nothing takes its place
			p.Notes = append(p.Notes, fmt.Sprintf("the experiment ran on %s from flag %s, so nothing serves the winner there", r.Rule, r.Flag))
			continue
		}
		says = append(says, fmt.Sprintf("%s of flag %s would serve %s to everyone it matches, instead of %s", r.Rule, r.Flag, r.Serves, p.Before.Rules[i].Serves))
	}
	p.Says = fmt.Sprintf("stop %s, which runs since %s, with %s as the winner (%s)", experimentWords(x, at), running.Started, treatmentName(flags, winner),
		short(clean(in.Reason), 200))
	if len(says) > 0 {
		p.Says += ": " + strings.Join(says, ", ")
	}
	p.Apply = func(ctx context.Context, how manner) (*experimentState, error) {
		over, ended := *x, *running
		ended.Status, ended.WinnerID, ended.WinningReason = ldclient.IterationStopped, winner.ID, in.Reason
		over.Current = &ended
		if how.DryRun {
			after := flags.state(&over)
			after.Rules = then
			return &after, nil
		}
		if err := sameExperiment(ctx, ld, at, x); err != nil {
			return nil, err
		}
		if _, err := ld.Experiments.Patch(ctx, at.Project, at.Environment, at.Key, how.Comment, ldclient.StopIteration(winner.ID, in.Reason)); err != nil {
			return nil, err
		}
		return experimentAs(ctx, ld, at, x, &over, p), nil
	}
	return p, nil
})

// treatment finds the one treatment that said means: by id, by name, or by the variation that it gives.
func (t tested) treatment(it *ldclient.Iteration, said string) (ldclient.Treatment, error) {
	said = strings.TrimSpace(said)
	if clean(said) == "" {
		return ldclient.Treatment{}, badf("winningTreatmentId: there is no treatment without a name; the winner is one of %s", t.treatments(it.Treatments))
	}
	for _, means := range []func(ldclient.Treatment) bool{
		func(x ldclient.Treatment) bool { return x.ID == said },
		func(x ldclient.Treatment) bool { return x.Name == said },
		func(x ldclient.Treatment) bool { return strings.EqualFold(x.Name, said) },
		func(x ldclient.Treatment) bool { return t.gives(x) == said },
	} {
		hits := slices.DeleteFunc(slices.Clone(it.Treatments), func(x ldclient.Treatment) bool { return !means(x) })
		switch len(hits) {
		case 0:
			continue
		case 1:
			if hits[0].ID == "" {
				return hits[0], badf("LaunchDarkly shows no _id of treatment %s, so it cannot be named as the winner; stop the experiment on LaunchDarkly's page", hits[0].Name)
			}
			return hits[0], nil
		}
		return hits[0], badf("winningTreatmentId: %q means several treatments; give the _id of one: %s", said, t.treatments(hits))
	}
	return ldclient.Treatment{}, badf("winningTreatmentId: there is no treatment %q; the winner is one of %s", short(said, 100), t.treatments(it.Treatments))
}

func (t tested) treatments(list []ldclient.Treatment) string {
	var out []string
	for _, x := range ten(list, 0) {
		out = append(out, fmt.Sprintf("%s (_id %s)", treatmentName(t, x), x.ID))
	}
	return strings.Join(out, ", ")
}
