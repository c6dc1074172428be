package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// model is an environment as an SDK has it, for contexts of which the same
// attributes are redacted. Each thing that cannot be known stands in it as a
// segment or prerequisite of its own, whose name begins with "?".
type model struct {
	env      *Environment
	hidden   []hidden
	engine   evaluation.Evaluator
	flags    map[string]*flagModel
	segments map[string]*ldmodel.Segment
	guesses  map[string]guess

	// of the evaluation that goes on
	about *Subject
	world world
	asked string // the first guess that was needed and that the world does not hold
}

// world holds how the things that are not known are taken to be.
type world map[string]bool

// guess is something that cannot be known of a context.
type guess struct {
	cause   string
	kind    string // the context kind that it is about, "" for any
	without bool   // how it is for contexts without that kind, which is known
}

// flagModel is a flag as an SDK has it; rules are the places of its rules in the
// REST API's list, of which none is the default rule's.
type flagModel struct {
	*ldmodel.FeatureFlag
	rules   []int
	guessed map[string]string // by key of a prerequisite that is not known, the name that it has here
}

const byDefault = -1

func (e *Environment) model(s *Subject) *model {
	m := e.models[s.hides]
	if m == nil {
		m = &model{env: e, hidden: s.hidden, flags: map[string]*flagModel{}, segments: map[string]*ldmodel.Segment{}, guesses: map[string]guess{}}
		m.engine = evaluation.NewEvaluator(m)
		if e.models == nil {
			e.models = map[string]*model{}
		}
		e.models[s.hides] = m
	}
	return m
}

// GetFeatureFlag serves the evaluation with prerequisites.
func (m *model) GetFeatureFlag(key string) *ldmodel.FeatureFlag {
	if strings.HasPrefix(key, "?") {
		f := &ldmodel.FeatureFlag{Key: key, On: true, Variations: []ldvalue.Value{ldvalue.Bool(false), ldvalue.Bool(true)}}
		f.Fallthrough.Variation = ldvalue.NewOptionalInt(0)
		if m.guess(key) {
			f.Fallthrough.Variation = ldvalue.NewOptionalInt(1)
		}
		return f
	}
	if f := m.flag(key); f != nil {
		return f.FeatureFlag
	}
	return nil
}

// everyone is what a guess that holds is to the evaluation.
var everyone = &ldmodel.Segment{Key: "?", Rules: []ldmodel.SegmentRule{{}}}

// GetSegment serves the evaluation.
func (m *model) GetSegment(key string) *ldmodel.Segment {
	if strings.HasPrefix(key, "?") {
		if m.guess(key) {
			return everyone
		}
		return nil
	}
	s, ok := m.segments[key]
	if !ok {
		s = m.segment(key)
		m.segments[key] = s
	}
	return s
}

func (m *model) guess(name string) bool {
	g := m.guesses[name]
	if g.kind != "" && !m.has(g.kind) {
		return g.without
	}
	v, settled := m.world[name]
	if !settled && m.asked == "" {
		m.asked = name
	}
	return v
}

func (m *model) has(kind string) bool {
	return m.about.context.IndividualContextByKind(ldcontext.Kind(kind)).IsDefined()
}

// unknown enters a guess and returns its name.
func (m *model) unknown(g guess, what string, args ...any) string {
	name := "?" + fmt.Sprintf(what, args...)
	m.guesses[name] = g
	return name
}

// holds is the clause that a guess is to the evaluation.
func holds(name string) ldmodel.Clause {
	return ldmodel.Clause{Op: ldmodel.OperatorSegmentMatch, Values: []ldvalue.Value{ldvalue.String(name)}}
}

func (m *model) flag(key string) *flagModel {
	if f, ok := m.flags[key]; ok {
		return f
	}
	var out *flagModel
	f := m.env.flags[key]
	if c, ok := m.env.delivered(f); ok {
		out = m.newFlag(f, c)
	}
	m.flags[key] = out
	return out
}

func (m *model) newFlag(f *ldclient.Flag, c ldclient.FlagConfig) *flagModel {
	out := &flagModel{FeatureFlag: &ldmodel.FeatureFlag{Key: f.Key, On: c.On, Salt: c.Salt, Version: c.Version}}
	for _, v := range f.Variations {
		out.Variations = append(out.Variations, ldvalue.Parse(v.Value))
	}
	if c.OffVariation != nil {
		out.OffVariation = ldvalue.NewOptionalInt(*c.OffVariation)
	}
	for _, p := range c.Prerequisites {
		need := ldmodel.Prerequisite{Key: p.Key, Variation: p.Variation}
		if _, added := m.env.flags[p.Key]; !added {
			cause := fmt.Sprintf("prerequisite %s could not be read", p.Key)
			need = ldmodel.Prerequisite{Key: m.unknown(guess{cause: cause}, "prerequisite %s variation %d", p.Key, p.Variation), Variation: 1}
			if out.guessed == nil {
				out.guessed = map[string]string{}
			}
			out.guessed[p.Key] = need.Key
		}
		out.Prerequisites = append(out.Prerequisites, need)
	}
	out.Targets, out.ContextTargets = targets(c.Targets), targets(c.ContextTargets)
	for i, r := range c.Rules {
		if !r.Disabled {
			m.serve(out, i, ldmodel.FlagRule{ID: r.ID, Clauses: m.clauses(r.Clauses)}, r.RuleServe)
		}
	}
	m.serve(out, byDefault, ldmodel.FlagRule{}, c.Fallthrough)
	ldmodel.PreprocessFlag(out.FeatureFlag)
	return out
}

func targets(list []ldclient.FlagTarget) []ldmodel.Target {
	var out []ldmodel.Target
	for _, t := range list {
		out = append(out, ldmodel.Target{ContextKind: ldcontext.Kind(t.ContextKind), Values: t.Values, Variation: t.Variation})
	}
	return out
}

// serve gives a flag a rule, or its default rule. A rollout that cannot be told
// becomes a rule for each of its parts, each of which may hold.
func (m *model) serve(f *flagModel, place int, r ldmodel.FlagRule, s ldclient.RuleServe) {
	add := func(r ldmodel.FlagRule) {
		f.Rules, f.rules = append(f.Rules, r), append(f.rules, place)
	}
	switch {
	case s.Variation != nil:
		r.Variation = ldvalue.NewOptionalInt(*s.Variation)
	case s.Rollout != nil:
		cause := m.uncertain(s.Rollout, f.Salt)
		parts := slices.DeleteFunc(slices.Clone(s.Rollout.Variations), func(v ldclient.WeightedVariation) bool { return v.Weight <= 0 })
		if cause == "" || len(parts) == 0 {
			r.Rollout = rollout(s)
			break
		}
		below := 0
		for i, part := range parts {
			r.Variation = ldvalue.NewOptionalInt(part.Variation)
			if i == len(parts)-1 {
				break
			}
			below += part.Weight
			kind := cmp.Or(s.Rollout.ContextKind, "user")
			name := m.unknown(guess{cause, kind, true}, "flag %s salt %s seed %s by %s of %s below %d",
				f.Key, f.Salt, s.Rollout.Seed, cmp.Or(s.Rollout.BucketBy, "key"), kind, below)
			part := r
			part.Clauses = append(slices.Clone(r.Clauses), holds(name))
			add(part)
		}
	}
	if place == byDefault {
		f.Fallthrough = r.VariationOrRollout
		return
	}
	add(r)
}

// uncertain says why it cannot be told which part of a rollout a context gets, "" where it can.
func (m *model) uncertain(r *ldclient.Rollout, salt string) string {
	if salt == "" && seed(r) == nil {
		return "what a rollout divides contexts by is not shown"
	}
	if r.BucketBy == "" || inExperiment(r) {
		return ""
	}
	return m.redacted(r.ContextKind, r.BucketBy)
}

func inExperiment(r *ldclient.Rollout) bool { return ldclient.RuleServe{Rollout: r}.InExperiment() }

func seed(r *ldclient.Rollout) *int {
	var n *int
	if len(r.Seed) > 0 && json.Unmarshal(r.Seed, &n) != nil {
		return nil
	}
	return n
}

func rollout(s ldclient.RuleServe) ldmodel.Rollout {
	r := s.Rollout
	out := ldmodel.Rollout{ContextKind: ldcontext.Kind(r.ContextKind), BucketBy: reference(r.BucketBy, r.ContextKind)}
	if inExperiment(r) {
		out.Kind = ldmodel.RolloutKindExperiment
	}
	if n := seed(r); n != nil {
		out.Seed = ldvalue.NewOptionalInt(*n)
	}
	for _, v := range r.Variations {
		out.Variations = append(out.Variations, ldmodel.WeightedVariation{Variation: v.Variation, Weight: v.Weight, Untracked: v.Untracked})
	}
	return out
}

// reference reads the name of an attribute. Where no context kind is given it is an older, plain name.
func reference(attribute, kind string) ldattr.Ref {
	switch {
	case attribute == "":
		return ldattr.Ref{}
	case kind == "":
		return ldattr.NewLiteralRef(attribute)
	}
	return ldattr.NewRef(attribute)
}

func (m *model) clauses(list []ldclient.Clause) []ldmodel.Clause {
	out := make([]ldmodel.Clause, 0, len(list))
	for _, c := range list {
		if c.Op == segmentMatch {
			out = append(out, m.inSegments(c))
			continue
		}
		if cause := m.redacted(c.ContextKind, c.Attribute); cause != "" {
			out = append(out, holds(m.unknown(guess{cause: cause}, "clause %s %s %s %t %v", cmp.Or(c.ContextKind, "user"), c.Attribute, c.Op, c.Negate, c.Values)))
			continue
		}
		clause := ldmodel.Clause{ContextKind: ldcontext.Kind(c.ContextKind), Attribute: reference(c.Attribute, c.ContextKind), Op: ldmodel.Operator(c.Op), Negate: c.Negate}
		for _, v := range c.Values {
			clause.Values = append(clause.Values, plain(v))
		}
		out = append(out, clause)
	}
	return out
}

// inSegments is a clause on segments, of which those that are not known are guesses.
func (m *model) inSegments(c ldclient.Clause) ldmodel.Clause {
	out := ldmodel.Clause{Op: ldmodel.OperatorSegmentMatch, Negate: c.Negate}
	for _, v := range c.Values {
		key, _ := v.(string)
		s, added := m.env.segments[key]
		switch {
		case !added:
			key = m.unknown(guess{cause: fmt.Sprintf("segment %s could not be read", key)}, "segment %s", key)
		case s != nil && s.Unbounded:
			key = m.unknown(guess{cause: fmt.Sprintf("segment %s is a big segment, whose members are not listed", key), kind: cmp.Or(s.UnboundedContextKind, "user")}, "segment %s", key)
		}
		out.Values = append(out.Values, ldvalue.String(key))
	}
	return out
}

// redacted says which attribute is not known, "" where it is.
func (m *model) redacted(kind, attribute string) string {
	if len(m.hidden) == 0 {
		return ""
	}
	steps := ldclient.AttributeSteps(attribute)
	if kind == "" {
		steps = []string{attribute}
	}
	for _, h := range m.hidden {
		common := min(len(h.steps), len(steps)) // a part is redacted with the whole, and the whole shows its parts
		if h.kind == cmp.Or(kind, "user") && slices.Equal(h.steps[:common], steps[:common]) {
			return fmt.Sprintf("attribute %s of %s contexts is redacted", attribute, h.kind)
		}
	}
	return ""
}

const whole = 100_000 // thousandths of a percent

func (m *model) segment(key string) *ldmodel.Segment {
	s := m.env.segments[key]
	if s == nil || s.Unbounded {
		return nil
	}
	out := &ldmodel.Segment{Key: s.Key, Salt: s.Salt, Version: s.Version, Included: s.Included, Excluded: s.Excluded,
		IncludedContexts: members(s.IncludedContexts), ExcludedContexts: members(s.ExcludedContexts)}
	for _, r := range s.Rules {
		rule := ldmodel.SegmentRule{ID: r.ID, Clauses: m.clauses(r.Clauses)}
		cause := ""
		if r.Weight != nil && *r.Weight > 0 && *r.Weight < whole {
			cause = m.redacted(r.RolloutContextKind, cmp.Or(r.BucketBy, "key"))
			if s.Salt == "" {
				cause = fmt.Sprintf("which share of contexts a rule of segment %s takes in is not shown", s.Key)
			}
		}
		switch {
		case cause != "":
			kind := cmp.Or(r.RolloutContextKind, "user")
			rule.Clauses = append(rule.Clauses, holds(m.unknown(guess{cause: cause, kind: kind}, "segment %s by %s of %s below %d", s.Key, cmp.Or(r.BucketBy, "key"), kind, *r.Weight)))
		case r.Weight != nil:
			rule.Weight, rule.RolloutContextKind = ldvalue.NewOptionalInt(*r.Weight), ldcontext.Kind(r.RolloutContextKind)
			rule.BucketBy = reference(r.BucketBy, r.RolloutContextKind)
		}
		out.Rules = append(out.Rules, rule)
	}
	ldmodel.PreprocessSegment(out)
	return out
}

func members(list []ldclient.SegmentTarget) []ldmodel.SegmentTarget {
	var out []ldmodel.SegmentTarget
	for _, t := range list {
		out = append(out, ldmodel.SegmentTarget{ContextKind: ldcontext.Kind(t.ContextKind), Values: t.Values})
	}
	return out
}
