package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// experimentEdit is what of an experiment can be asked to change.
type experimentEdit struct {
	Name        *string `json:"name,omitempty"`
	Description *string `json:"description,omitempty"`
	Archived    *bool   `json:"archived,omitempty"`
	iterationInput
	experimentFixed
}

// atOnce are the fields that the API changes whatever the status is.
var atOnce = []string{"name", "description", "archived"}

// sorted says which of the fields of an iteration can be drafted now, and what is skipped.
func (in experimentEdit) sorted(x *ldclient.Experiment, running string) (drafts bool, skipped []skippedField) {
	status, asked := experimentStatus(x), in.iterationInput.fields()
	skip := func(fields, allowed []string, why string) {
		for _, f := range fields {
			skipped = append(skipped, skippedField{f, status, allowed, why})
		}
	}
	every := slices.Concat(atOnce, []string{"hypothesis", "primarySingleMetricKey", "primaryFunnelKey", "metrics", "treatments", "flags", "randomizationUnit",
		"attributes", "covariateId", "canReshuffleTraffic"})
	allowed := every
	switch archived := x.Archived != 0; {
	case archived && (in.Archived == nil || *in.Archived) || !archived && in.Archived != nil && *in.Archived:
		allowed = atOnce
		skip(asked, allowed, "an archived experiment takes no draft; restore it with archived: false")
	case x.NotStarted() == nil && x.Running() != nil && running != "":
		allowed = atOnce
		skip(asked, allowed, running)
	default:
		drafts = len(asked) > 0
	}
	skip(in.experimentFixed.fields(), allowed, "the public API sets it only when an experiment is created; change it on LaunchDarkly's page")
	return drafts, skipped
}

// steps are the instructions for what a patch changes, and words for them; then is changed with them.
func (in experimentEdit) steps(then *ldclient.Experiment) (do []ldclient.Instruction, says []string, err error) {
	if in.Name != nil && *in.Name != then.Name {
		if clean(*in.Name) == "" {
			return nil, nil, badf("name: must not be empty")
		}
		says = append(says, fmt.Sprintf("rename it from %s to %s", short(clean(then.Name), 100), short(clean(*in.Name), 100)))
		do, then.Name = append(do, ldclient.UpdateExperimentName(*in.Name)), *in.Name
	}
	if in.Description != nil && *in.Description != then.Description {
		says = append(says, fmt.Sprintf("change its description from %q to %q", short(clean(then.Description), 100), short(clean(*in.Description), 100)))
		do, then.Description = append(do, ldclient.UpdateExperimentDescription(*in.Description)), *in.Description
	}
	switch is := then.Archived != 0; {
	case in.Archived == nil || *in.Archived == is:
	case *in.Archived && then.Running() != nil:
		return nil, nil, badf("archived: the experiment is running; stop it with stop-experiment-iteration first")
	case *in.Archived:
		says = append(says, "archive it, which hides it")
		do, then.Archived = append(do, ldclient.ArchiveExperiment()), 1
	default:
		says = append(says, "restore it from the archive")
		do, then.Archived = append(do, ldclient.RestoreExperiment()), 0
	}
	return do, says, nil
}

var updateExperiment = update(Spec{
	Name: "update-experiment", Title: "Update an experiment", Action: "updateExperiment", Or: "updateExperimentArchived",
	Doc: "Edit an experiment; fields of create-experiment's iteration go into its draft. What its status does not allow comes back as skipped.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atExperiment
	experimentEdit
	because
}) (*plan[experimentState], error) {
	at := in.target()
	x, err := experimentNamed(ctx, ld, at)
	if err != nil {
		return nil, err
	}
	drafts, skipped := in.sorted(x, "an iteration runs, and there is no draft; save-and-start-experiment-iteration ends it and starts one with the change")
	if len(skipped) == 0 && !drafts && in.Name == nil && in.Description == nil && in.Archived == nil {
		return nil, badf("nothing to change: give name, description, archived, hypothesis, metrics, treatments, flags or another field of the iteration")
	}
	flags, missing := flagsTested(ctx, ld, at, x.Current, x.Draft)
	before, then := flags.state(x), *x
	do, says, err := in.steps(&then)
	if err != nil {
		return nil, err
	}
	p := &plan[experimentState]{intent: intent{Again: true, Version: "experiment " + digest(x), Notes: missing}, Before: &before, Differ: experimentsDiffer}
	var d *drafting
	if drafts {
		base := x.NotStarted()
		if base == nil {
			base = latest(x)
		}
		if d, err = draftOf(ctx, ld, at, in.iterationInput, base, x.Running()); err != nil {
			return nil, err
		}
		was := flags.view(x.NotStarted())
		is := d.flags.view(d.iteration())
		if was != nil && sameDraft(*was, *is) && sameBeyondView(x.NotStarted(), d.iteration()) {
			d = nil
		} else {
			then.Draft = d.iteration()
			if then.Current != nil && then.Current.Status == ldclient.IterationDraft {
				then.Current = then.Draft
			}
			says = append(says, draftWords(was)+d.inWords(then.Draft))
			p.Version = "experiment " + digest([]any{x, d.versions()})
		}
	}
	p.Says = fmt.Sprintf("change %s: %s", experimentWords(x, at), strings.Join(says, "; "))
	if len(do) == 0 && d == nil {
		p.Nothing = "the experiment is so already"
		if len(skipped) > 0 {
			p.Nothing = "what was skipped cannot be changed now"
			before.Current, before.Draft, before.Skipped = nil, nil, skipped
		}
		return p, nil
	}
	p.Apply = func(ctx context.Context, how manner) (*experimentState, error) {
		if d != nil {
			notes, err := d.settle(ctx)
			if err != nil {
				return nil, err
			}
			p.Noticed = notes
		}
		if how.DryRun {
			used := flags
			if d != nil {
				used = d.flags
			}
			after := used.state(&then)
			after.Skipped = skipped
			return &after, nil
		}
		if err := sameExperiment(ctx, ld, at, x); err != nil {
			return nil, err
		}
		if len(do) > 0 {
			if _, err := ld.Experiments.Patch(ctx, at.Project, at.Environment, at.Key, how.Comment, do...); err != nil {
				return nil, err
			}
		}
		if d != nil {
			if _, err := ld.Experiments.Draft(ctx, at.Project, at.Environment, at.Key, d.post); err != nil {
				if len(do) == 0 {
					return nil, err
				}
				return nil, halfway(err, "the experiment's own fields were changed ("+strings.Join(kindsIn(do), ", ")+")", "drafting the iteration",
					"the draft is as it was", "read it with get-experiment, then call update-experiment with the fields of the iteration alone")
			}
		}
		after := experimentAs(ctx, ld, at, x, &then, p)
		after.Rules, after.Skipped = nil, skipped
		return after, nil
	}
	return p, nil
})

func kindsIn(do []ldclient.Instruction) []string {
	return keysOf(do, func(i ldclient.Instruction) string { return i.Kind() })
}

// draftWords begins the words for a draft, with what it takes the place of.
func draftWords(was *iterationView) string {
	if was == nil {
		return "draft an iteration, which does not run yet: "
	}
	var had []string
	for _, t := range was.Treatments {
		had = append(had, fmt.Sprintf("%s %% %s", t.Percent, short(clean(t.Name), 40)))
	}
	return fmt.Sprintf("draft its next iteration anew in place of %s (%s), which does not run yet: ", strings.Join(had, ", "), short(clean(was.Primary), 60))
}

// sameDraft tells whether two drafts say the same, whatever versions they were made on.
func sameDraft(a, b iterationView) bool {
	for _, v := range []*iterationView{&a, &b} {
		v.ID = ""
		v.Treatments, v.Flags = slices.Clone(v.Treatments), slices.Clone(v.Flags)
		for i := range v.Treatments {
			v.Treatments[i].ID = ""
		}
		for i := range v.Flags {
			v.Flags[i].Version = 0
		}
	}
	return digest(a) == digest(b)
}

// sameBeyondView compares what a view of a draft shows only the beginning of.
func sameBeyondView(a, b *ldclient.Iteration) bool {
	measured := func(it *ldclient.Iteration) []string {
		out := keysOf(it.Metrics, func(m ldclient.IterationMetric) string { return fmt.Sprint(m.IsGroup, m.Key) })
		slices.Sort(out)
		return out
	}
	given := func(it *ldclient.Iteration) []string {
		return keysOf(it.Treatments, func(x ldclient.Treatment) string {
			return digest([]any{x.Name, x.Baseline, thousandthsOf(x.Percent), x.Parameters})
		})
	}
	return a.Hypothesis == b.Hypothesis && slices.Equal(a.Attributes, b.Attributes) && slices.Equal(measured(a), measured(b)) && slices.Equal(given(a), given(b))
}

// sameExperiment reads an experiment once more before it is written to.
func sameExperiment(ctx context.Context, ld *ldclient.Client, at ldclient.Target, was *ldclient.Experiment) error {
	now, err := ld.Experiments.Get(ctx, at.Project, at.Environment, at.Key)
	if err == nil && digest(now) != digest(was) {
		err = changedMeanwhile("experiment " + at.Key)
	}
	return err
}

// halfway is a change of several requests of which a later one failed. It hides
// what LaunchDarkly said from those who would take it for the answer to the whole.
func halfway(err error, done, failed, left, next string) error {
	transport, lost := errors.AsType[*ldclient.TransportError](err)
	says := fmt.Sprintf("Only part of it was done: %s. Then %s failed: %s.", done, failed, short(clean(strings.TrimSuffix(err.Error(), ".")), maxWords))
	if lost && transport.Unsure || ldclient.Status(err) >= 500 {
		return partDone(fmt.Sprintf("%s It is not known whether that was carried out all the same: do not repeat this call, but %s.", says, next))
	}
	return partDone(fmt.Sprintf("%s So %s. Do not repeat this call; to go on, %s.", says, left, next))
}

type partDone string

func (e partDone) Error() string { return string(e) }
