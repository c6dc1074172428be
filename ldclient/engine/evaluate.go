package engine

import (
	"cmp"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// Result is what a flag gives a context.
type Result struct {
	Variation int // index, or None where code gets its fallback
	Reason    ldclient.EvaluationReason
}

// None stands for no variation.
const None = -1

// Pair is what a flag gives one context before and after a change.
type Pair struct{ Before, After Result }

// Outcome is what may be, each way once: one pair where everything that matters
// is known. Causes say what is not known and was come to.
type Outcome struct {
	Pairs  []Pair
	Causes []string
	Cut    bool // there are more ways than were followed
}

// Known reports whether there is but one way.
func (o Outcome) Known() bool { return len(o.Pairs) == 1 && !o.Cut }

// maxWays bounds how many ways of what is not known are followed for one context.
const maxWays = 64

// Compare evaluates a flag for a context in an environment before and after a
// change. What is not known is taken to be the same in both. Once enough, which
// may be nil, holds for a pair, no more ways are followed.
func Compare(before, after *Environment, flag string, s *Subject, enough func(Pair) bool) Outcome {
	return explore(before.model(s), after.model(s), s, func(m *model) Result { return m.evaluate(flag) }, enough)
}

// Evaluate evaluates a flag for a context; each pair holds the same result twice.
func Evaluate(e *Environment, flag string, s *Subject) Outcome { return Compare(e, e, flag, s, nil) }

// Members asks whether a context is in a segment before and after a change: variation 1 says that it is.
func Members(before, after *Environment, segment string, s *Subject, enough func(Pair) bool) Outcome {
	return explore(before.model(s), after.model(s), s, func(m *model) Result { return m.member(segment) }, enough)
}

func explore(before, after *model, s *Subject, ask func(*model) Result, enough func(Pair) bool) Outcome {
	var out Outcome
	ways := 0
	in := func(m *model, w world) (Result, string) {
		m.about, m.world, m.asked = s, w, ""
		r := ask(m)
		return r, m.asked
	}
	var follow func(world)
	follow = func(w world) {
		if out.Cut = out.Cut || ways >= maxWays; out.Cut {
			return
		}
		pair := Pair{}
		var asked string
		m := before
		if pair.Before, asked = in(m, w); asked == "" {
			if pair.After = pair.Before; after != before {
				m = after
				pair.After, asked = in(m, w)
			}
		}
		if asked == "" {
			ways++
			if !slices.ContainsFunc(out.Pairs, pair.same) {
				out.Pairs = append(out.Pairs, pair)
				out.Cut = enough != nil && enough(pair)
			}
			return
		}
		if cause := m.guesses[asked].cause; !slices.Contains(out.Causes, cause) {
			out.Causes = append(out.Causes, cause)
		}
		for _, is := range []bool{true, false} {
			next := world{asked: is}
			for name, was := range w {
				next[name] = was
			}
			follow(next)
		}
	}
	follow(nil)
	return out
}

func (p Pair) same(q Pair) bool { return p.Before.same(q.Before) && p.After.same(q.After) }

// same holds for results with the same value, whatever the reason.
func (r Result) same(o Result) bool { return r.Variation == o.Variation }

func (m *model) evaluate(key string) Result {
	if _, added := m.env.flags[key]; !added {
		name := m.unknown(guess{cause: cmp.Or(m.env.lost[key], "flag "+key+" could not be read")}, "flag %s%s", key, m.env.lost[key])
		if m.guess(name) {
			return Result{Variation: 0}
		}
		return Result{Variation: None}
	}
	f := m.flag(key)
	if f == nil {
		return Result{None, ldclient.EvaluationReason{Kind: string(ldreason.EvalReasonError), ErrorKind: string(ldreason.EvalErrorFlagNotFound)}}
	}
	d := m.engine.Evaluate(f.FeatureFlag, m.about.context, nil).Detail
	return Result{d.VariationIndex.OrElse(None), m.reason(f, d.Reason)}
}

// reason puts the evaluation's reason in terms of the flag's own rules and prerequisites.
func (m *model) reason(f *flagModel, r ldreason.EvaluationReason) ldclient.EvaluationReason {
	out := ldclient.EvaluationReason{Kind: string(r.GetKind()), PrerequisiteKey: r.GetPrerequisiteKey(), InExperiment: r.IsInExperiment(), ErrorKind: string(r.GetErrorKind())}
	for key, need := range f.guessed {
		if need == out.PrerequisiteKey {
			out.PrerequisiteKey = key
		}
	}
	if r.GetKind() != ldreason.EvalReasonRuleMatch {
		return out
	}
	place := f.rules[r.GetRuleIndex()]
	if place == byDefault {
		out.Kind = string(ldreason.EvalReasonFallthrough)
		return out
	}
	out.RuleIndex, out.RuleID = &place, r.GetRuleID()
	return out
}

func (m *model) member(key string) Result {
	clause := m.inSegments(ldclient.Clause{Op: segmentMatch, Values: []any{key}})
	f := &ldmodel.FeatureFlag{Key: "member", On: true, Variations: []ldvalue.Value{ldvalue.Bool(false), ldvalue.Bool(true)}}
	r := ldmodel.FlagRule{Clauses: []ldmodel.Clause{clause}}
	r.Variation, f.Fallthrough.Variation = ldvalue.NewOptionalInt(1), ldvalue.NewOptionalInt(0)
	f.Rules = []ldmodel.FlagRule{r}
	return Result{Variation: m.engine.Evaluate(f, m.about.context, nil).Detail.VariationIndex.OrElse(None)}
}
