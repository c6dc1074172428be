package engine

import (
	"cmp"
	"crypto/sha256"
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

// model is an environment as an SDK has it. Each thing that cannot be known
// stands in it as a segment or prerequisite of its own, whose name begins with "?".
type model struct {
	env      *Environment
	redacts  bool // it is for contexts with redacted attributes: all that looks at attributes is a guess
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
	// The attribute that has to be redacted for it to be a guess, and what it is where that is not.
	attribute hidden
	shown     *ldmodel.Segment
	holds     bool // it is no guess: it says that the attribute is redacted
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
	n := 0
	if s.Redacted() {
		n = 1
	}
	if e.models[n] == nil {
		m := &model{env: e, redacts: s.Redacted(), flags: map[string]*flagModel{}, segments: map[string]*ldmodel.Segment{}, guesses: map[string]guess{}}
		m.engine = evaluation.NewEvaluator(m)
		e.models[n] = m
	}
	return e.models[n]
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
		g := m.guesses[key]
		switch {
		case len(g.attribute.steps) > 0 && !m.about.hides(g.attribute):
			return g.shown
		case g.holds || m.guess(key):
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
	return v || m.asked != "" // of an evaluation that asks, only the end matters
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
			cause := cmp.Or(m.env.lost[p.Key], fmt.Sprintf("prerequisite %s could not be read", p.Key))
			need = ldmodel.Prerequisite{Key: m.unknown(guess{cause: cause}, "prerequisite %s variation %d%s", p.Key, p.Variation, m.env.lost[p.Key]), Variation: 1}
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
	add := func(r ldmodel.FlagRule, name string) {
		if name != "" {
			r.Clauses = append(slices.Clone(r.Clauses), holds(name))
		}
		f.Rules, f.rules = append(f.Rules, r), append(f.rules, place)
	}
	switch {
	case s.Variation != nil:
		r.Variation = ldvalue.NewOptionalInt(*s.Variation)
	case s.Rollout != nil:
		g := m.uncertain(s.Rollout, f.Salt)
		parts := slices.DeleteFunc(slices.Clone(s.Rollout.Variations), func(v ldclient.WeightedVariation) bool { return v.Weight <= 0 })
		if g.cause == "" || len(parts) == 0 {
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
			add(r, m.unknown(g, "flag %s salt %s seed %s by %s of %s below %d", f.Key, f.Salt, s.Rollout.Seed, cmp.Or(s.Rollout.BucketBy, "key"), g.kind, below))
		}
		if len(g.attribute.steps) > 0 { // for contexts that show the attribute it can be told
			add(r, m.redacted(g))
			r.Variation, r.Rollout = ldvalue.OptionalInt{}, rollout(s)
		}
	}
	if place == byDefault {
		f.Fallthrough = r.VariationOrRollout
		return
	}
	add(r, "")
}

// uncertain is what is not known of which part of a rollout a context gets; it has no cause where that can be told.
func (m *model) uncertain(r *ldclient.Rollout, salt string) guess {
	g := guess{}
	switch {
	case salt == "" && seed(r) == nil:
		g.cause = "what a rollout divides contexts by is not shown"
	case m.redacts && r.BucketBy != "" && !inExperiment(r):
		g = looks(r.ContextKind, r.BucketBy)
	}
	g.kind, g.without = cmp.Or(r.ContextKind, "user"), true
	return g
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
		clause := ldmodel.Clause{ContextKind: ldcontext.Kind(c.ContextKind), Attribute: reference(c.Attribute, c.ContextKind), Op: ldmodel.Operator(c.Op), Negate: c.Negate}
		for _, v := range c.Values {
			clause.Values = append(clause.Values, plain(v))
		}
		if m.redacts {
			clause = m.guarded(c, clause)
		}
		out = append(out, clause)
	}
	return out
}

// guarded is a clause that is a guess for contexts of which its attribute is redacted.
func (m *model) guarded(c ldclient.Clause, is ldmodel.Clause) ldmodel.Clause {
	c.ID = ""
	text, err := json.Marshal(c)
	if err != nil { // never, for values come from JSON
		return is
	}
	g := looks(c.ContextKind, c.Attribute)
	g.shown = &ldmodel.Segment{Key: "?", Rules: []ldmodel.SegmentRule{{Clauses: []ldmodel.Clause{is}}}}
	ldmodel.PreprocessSegment(g.shown)
	return holds(m.unknown(g, "clause %x", sha256.Sum256(text)))
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

// looks is what is not known where an attribute is redacted.
func looks(kind, attribute string) guess {
	steps := ldclient.AttributeSteps(attribute)
	if kind == "" {
		steps = []string{attribute}
	}
	kind = cmp.Or(kind, "user")
	return guess{cause: fmt.Sprintf("attribute %s of %s contexts is redacted", attribute, kind), attribute: hidden{kind, steps}}
}

// redacted names what says that the attribute of a guess is redacted.
func (m *model) redacted(g guess) string {
	return m.unknown(guess{attribute: g.attribute, holds: true}, "redacted %s %q", g.attribute.kind, g.attribute.steps)
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
		if r.Weight == nil {
			out.Rules = append(out.Rules, rule)
			continue
		}
		var g guess
		if *r.Weight > 0 && *r.Weight < whole {
			if m.redacts {
				g = looks(r.RolloutContextKind, cmp.Or(r.BucketBy, "key"))
			}
			if s.Salt == "" {
				g = guess{cause: fmt.Sprintf("which share of contexts a rule of segment %s takes in is not shown", s.Key)}
			}
		}
		if g.cause != "" {
			g.kind = cmp.Or(r.RolloutContextKind, "user")
			either := rule
			either.Clauses = append(slices.Clone(rule.Clauses), holds(m.unknown(g, "segment %s by %s of %s below %d", s.Key, cmp.Or(r.BucketBy, "key"), g.kind, *r.Weight)))
			out.Rules = append(out.Rules, either)
			if len(g.attribute.steps) == 0 {
				continue
			}
			// For contexts that show the attribute it can be told.
			known := holds(m.redacted(g))
			known.Negate = true
			rule.Clauses = append(slices.Clone(rule.Clauses), known)
		}
		rule.Weight, rule.RolloutContextKind = ldvalue.NewOptionalInt(*r.Weight), ldcontext.Kind(r.RolloutContextKind)
		rule.BucketBy = reference(r.BucketBy, r.RolloutContextKind)
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
