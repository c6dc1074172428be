package sandbox

import (
	"maps"
	"net/http"
	"slices"
)

// What becomes of flags when iterations start and stop.

type experimentAllocation struct {
	DefaultVariation int  `json:"defaultVariation"`
	CanReshuffle     bool `json:"canReshuffle"`
}

// sdkServe is a serve in the form that SDKs receive.
type sdkServe struct {
	Variation *int        `json:"variation,omitempty"`
	Rollout   *sdkRollout `json:"rollout,omitempty"`
}

type sdkRollout struct {
	*rollout
	Kind       string        `json:"kind,omitempty"`
	Variations []sdkWeighted `json:"variations"`
}

type sdkWeighted struct {
	weightedVariation
	Untracked bool `json:"untracked,omitempty"`
}

func sdkServeOf(s serve) sdkServe {
	if s.Rollout == nil {
		return sdkServe{Variation: s.Variation}
	}
	out := &sdkRollout{rollout: s.Rollout}
	if s.Rollout.ExperimentAllocation != nil {
		out.Kind = "experiment"
	}
	for _, v := range s.Rollout.Variations {
		out.Variations = append(out.Variations, sdkWeighted{v, v.Untracked})
	}
	return sdkServe{Rollout: out}
}

// endExperiments makes plain rollouts of those of experiments, as for a copy, which takes part in none.
func (c *flagConfig) endExperiments() {
	served := []*serve{&c.Fallthrough}
	for _, r := range c.Rules {
		served = append(served, &r.serve)
	}
	for _, s := range served {
		if s.Rollout == nil || s.Rollout.ExperimentAllocation == nil {
			continue
		}
		s.Rollout.ExperimentAllocation = nil
		for i := range s.Rollout.Variations {
			s.Rollout.Variations[i].Untracked = false
		}
	}
}

// experimentParams are the parameters of the instructions on an experiment.
type experimentParams struct {
	ChangeJustification string `json:"changeJustification"`
	WinningTreatmentID  string `json:"winningTreatmentId"`
	WinningReason       string `json:"winningReason"`
	ExperimentKey       string `json:"experimentKey"`
	ReservationPercent  *int   `json:"reservationPercent"`
}

// flagStep is a change of a flag that comes with one of an experiment.
type flagStep struct{ f, g *flag }

func (a *Account) patchExperiment(w http.ResponseWriter, r *http.Request) {
	p, x := a.experiment(w, r)
	if x == nil {
		return
	}
	body, err := readPatch(r)
	if err == nil && !body.Semantic {
		err = invalidPatch("an experiment takes semantic patches only")
	}
	if err != nil {
		refuse(w, err)
		return
	}
	before := jsonValue(p.experimentRep(x, everything))
	next := x.clone()
	action, verb := "", ""
	var steps []flagStep
	for _, raw := range body.Instructions {
		in, err := raw.params()
		if err == nil && in.Kind == "" {
			err = invalid("an instruction has no kind")
		}
		action, verb = "updateExperiment", "updated the experiment"
		if err == nil {
			switch in.Kind {
			case "updateName":
				if next.Name, err = in.text(); err == nil && next.Name == "" {
					err = invalid("name must have 1 to 256 characters")
				}
			case "updateDescription":
				next.Description, err = in.text()
			case "archiveExperiment", "restoreExperiment":
				action = "updateExperimentArchived"
				err = next.archive(a, in.Kind == "archiveExperiment")
			case "startIteration":
				verb = "started an iteration of the experiment"
				steps, err = a.startIteration(p, next, in)
			case "stopIteration":
				verb = "stopped an iteration of the experiment"
				steps, err = a.stopIteration(p, next, in)
			default:
				err = invalid("unknown instruction kind '%s'", in.Kind)
			}
		}
		if err != nil {
			refuse(w, err)
			return
		}
	}
	held := x.Iterations
	x.Iterations = nil // the experiment itself may change the rules that it runs on
	for _, s := range steps {
		if err := a.finishFlag(p, s.f, s.g); err != nil {
			x.Iterations = held
			refuse(w, err)
			return
		}
	}
	*x = *next
	a.recordExperiment(r, p, x, action, verb, body.Comment, before)
	for _, s := range steps {
		actions := configActions(s.f.in(x.Environment), s.g.in(x.Environment))
		c := a.flagChange(p, s.f, s.g, actions, body.Comment)
		a.commitFlag(p, s.f, s.g, actions)
		a.record(r, c)
	}
	send(w, http.StatusOK, p.experimentRep(x, func(string) bool { return false }))
}

func (x *experiment) clone() *experiment {
	out := *x
	out.Iterations = make([]*iteration, len(x.Iterations))
	for i, it := range x.Iterations {
		one := *it
		out.Iterations[i] = &one
	}
	return &out
}

func (x *experiment) archive(a *Account, archived bool) *apiError {
	switch {
	case !archived:
		x.Archived = 0
	case x.of(iterationRunning) != nil:
		return invalid("experiment '%s' is running: stop it first", x.Key)
	case x.Archived == 0:
		x.Archived = a.tick()
	}
	return nil
}

// startIteration starts the draft, which ends the iteration that runs, and takes over the rules of its flags.
func (a *Account) startIteration(p *project, x *experiment, in params) ([]flagStep, *apiError) {
	draft, running := x.of(iterationDraft), x.of(iterationRunning)
	switch {
	case x.Archived != 0:
		return nil, invalid("experiment '%s' is archived", x.Key)
	case draft == nil:
		return nil, invalid("experiment '%s' has no iteration that could be started", x.Key)
	case running != nil && in.ChangeJustification == "":
		return nil, in.missing("changeJustification")
	case draft.RandomizationUnit == "":
		return nil, invalid("the iteration has no randomizationUnit")
	case !slices.ContainsFunc(draft.Treatments, func(t treatment) bool { return t.thousandths() > 0 }):
		return nil, invalid("at least one treatment must have an allocationPercent above 0")
	}
	var steps []flagStep
	edit := func(key string) *flag {
		i := slices.IndexFunc(steps, func(s flagStep) bool { return s.f.Key == key })
		if i < 0 {
			f := p.flag(key)
			if f == nil {
				return nil
			}
			steps, i = append(steps, flagStep{f, f.clone()}), len(steps)
		}
		return steps[i].g
	}
	if running != nil {
		for _, key := range slices.Sorted(maps.Keys(running.Flags)) {
			use := running.Flags[key]
			if edit(key) == nil {
				continue
			}
			if served := edit(key).in(x.Environment).served(use.Rule); served != nil && draft.Flags[key].Rule != use.Rule {
				*served = serve{Variation: &served.Rollout.ExperimentAllocation.DefaultVariation}
			}
		}
		running.Status, running.Ended = iterationStopped, a.tick()
	}
	for _, key := range slices.Sorted(maps.Keys(draft.Flags)) {
		f, use := edit(key), draft.Flags[key]
		switch {
		case f == nil || f.Archived:
			return nil, invalid("flag '%s' does not exist or is archived", key)
		case !f.in(x.Environment).On:
			return nil, invalid("flag '%s' is off", key)
		case f.in(x.Environment).served(use.Rule) == nil:
			return nil, invalid("flag '%s' has no rule '%s'", key, use.Rule)
		}
		if i := f.running(x.Environment); i >= 0 && f.Releases[i].Rule == use.Rule {
			return nil, invalid("Flag must not have ongoing %s rollout", f.Releases[i].Kind)
		}
		for _, other := range p.Experiments {
			if it := other.of(iterationRunning); other.Key != x.Key && other.Environment == x.Environment && it != nil && it.Flags[key].Rule == use.Rule {
				return nil, invalid("experiment '%s' runs on this rule", other.Key)
			}
		}
		*f.in(x.Environment).served(use.Rule) = draft.serves(f, key)
	}
	draft.Status, draft.Started = iterationRunning, a.tick()
	return steps, nil
}

// serves is the rollout by which a flag's rule divides contexts among the treatments.
func (it *iteration) serves(f *flag, key string) serve {
	r := &rollout{ContextKind: it.RandomizationUnit, ExperimentAllocation: &experimentAllocation{CanReshuffle: it.CanReshuffle}}
	left := fullWeight
	for _, t := range it.Treatments {
		for _, set := range t.Parameters {
			if set.Flag != key {
				continue
			}
			i := f.variationIndex(set.VariationID)
			if t.Baseline {
				r.ExperimentAllocation.DefaultVariation = i
			}
			w := min(t.thousandths(), left)
			left -= w
			r.Variations = append(r.Variations, weightedVariation{Variation: i, Weight: w})
		}
	}
	if i := f.variationIndex(it.Flags[key].OutsideID); i >= 0 {
		r.ExperimentAllocation.DefaultVariation = i
	}
	if left > 0 {
		r.Variations = append(r.Variations, weightedVariation{Variation: r.ExperimentAllocation.DefaultVariation, Weight: left, Untracked: true})
	}
	return serve{Rollout: r}
}

// stopIteration ends the running iteration; its rules serve the winner then.
func (a *Account) stopIteration(p *project, x *experiment, in params) ([]flagStep, *apiError) {
	running := x.of(iterationRunning)
	if running == nil {
		return nil, invalid("experiment '%s' is not running", x.Key)
	}
	i := slices.IndexFunc(running.Treatments, func(t treatment) bool { return t.id() == in.WinningTreatmentID })
	if in.WinningTreatmentID == "" || i < 0 {
		return nil, invalid("winningTreatmentId must be the id of one of the iteration's treatments")
	}
	var steps []flagStep
	for _, set := range running.Treatments[i].Parameters {
		f := p.flag(set.Flag)
		if f == nil {
			continue
		}
		g := f.clone()
		if served := g.in(x.Environment).served(running.Flags[set.Flag].Rule); served != nil {
			winner := g.variationIndex(set.VariationID)
			*served = serve{Variation: &winner}
		}
		steps = append(steps, flagStep{f, g})
	}
	running.Status, running.Ended = iterationStopped, a.tick()
	running.WinnerID, running.WinningReason = in.WinningTreatmentID, in.WinningReason
	return steps, nil
}
