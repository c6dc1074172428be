package tools_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// lottery draws segments, flags, instructions and contexts at random, so that
// every kind, operator and value meets every other. One seed always draws the same.
type lottery struct {
	*rand.Rand
	*sandbox.Account
	t        *testing.T
	ld       *ldclient.Client
	project  string
	env      string
	segments []string // keys of the segments that rules name
	needed   []*ldclient.Flag
	drawn    int
	latest   ldclient.Millis // of the audit log, where newest looked
}

// draw begins a lottery in environment test of project shop: six segments, one
// of them big, and four flags that may be prerequisites.
func draw(t *testing.T, account *sandbox.Account, seed uint64) *lottery {
	t.Helper()
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account})
	if err != nil {
		t.Fatal(err)
	}
	l := &lottery{Rand: rand.New(rand.NewPCG(seed, 1)), Account: account, t: t, ld: ld, project: "shop", env: "test"}
	for n := range 6 {
		l.segment(fmt.Sprintf("lot-%d-%d", seed, n), n == 5)
	}
	for range 4 {
		l.needed = append(l.needed, l.flag())
	}
	return l
}

func pick[T any](l *lottery, from ...T) T { return from[l.IntN(len(from))] }

// some picks between one and most of from, each at most once.
func some[T any](l *lottery, most int, from ...T) []T {
	out := slices.Clone(from)
	l.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(len(out), 1+l.IntN(most))]
}

func (l *lottery) chance(percent int) bool { return l.IntN(100) < percent }

var (
	lotKinds = []string{"user", "user", "organization", "device"}
	lotKeys  = []string{"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"}
	lotPlans = []any{"free", "pro", "team", "enterprise"}
	lotAges  = []any{12, 17, 18, 30, 65, 17.5}
	lotTimes = []any{"2024-01-01T00:00:00Z", "2025-06-01T12:00:00+02:00", 1700000000000, 1735689600000}
	lotApps  = []any{"1.0.0", "1.2.0", "2.0.0-beta.1", "2.0.0", "10.1.3"}
	lotMails = []any{"ann@example.com", "bob@acme.example", "x@corp.test"}
	lotTexts = []any{"alpha", "beta", "gamma"}
)

// clause is one condition; most can match some of the contexts that context draws.
func (l *lottery) clause() ldclient.Clause {
	c := ldclient.Clause{ContextKind: pick(l, lotKinds...), Negate: l.chance(20)}
	set := func(attribute, op string, values ...any) { c.Attribute, c.Op, c.Values = attribute, op, values }
	switch l.IntN(18) {
	case 0:
		set("plan", "in", some(l, 3, lotPlans...)...)
	case 1:
		set("age", pick(l, "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual", "in"), some(l, 2, lotAges...)...)
	case 2:
		set("joined", pick(l, "before", "after"), some(l, 1, lotTimes...)...)
	case 3:
		set("app", pick(l, "semVerEqual", "semVerLessThan", "semVerGreaterThan"), some(l, 2, lotApps...)...)
	case 4:
		set("email", pick(l, "endsWith", "contains"), pick[any](l, "@example.com", "acme", ".test"))
	case 5:
		set("email", "startsWith", pick[any](l, "ann", "b", "x@"))
	case 6:
		set("email", "matches", pick[any](l, "^[a-n].*", `\.example$`, "corp|acme"))
	case 7:
		set("key", "in", some(l, 4, anys(lotKeys)...)...)
	case 8:
		set("groups", pick(l, "in", "startsWith"), some(l, 2, lotTexts...)...)
	case 9:
		set("/address/city", "in", some(l, 2, lotTexts...)...)
	case 10:
		set("kind", "in", some(l, 2, anys(lotKinds[1:])...)...)
	case 11:
		set("beta", "in", l.chance(50))
	default:
		set("segmentMatch", "segmentMatch", some(l, 2, anys(l.segments)...)...)
	}
	if c.Op == "segmentMatch" && len(l.segments) == 0 {
		set("plan", "in", "pro")
	}
	return c
}

func anys(in []string) []any {
	out := make([]any, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}

func (l *lottery) clauses() []ldclient.Clause {
	out := []ldclient.Clause{l.clause()}
	if l.chance(30) {
		out = append(out, l.clause())
	}
	return out
}

// segment makes a segment with targets and rules of both sorts, some of which take a share only.
func (l *lottery) segment(key string, big bool) {
	l.t.Helper()
	if _, err := l.ld.Segments.Create(l.t.Context(), l.project, l.env, ldclient.NewSegment{Key: key, Name: key, Unbounded: big}); err != nil {
		l.t.Fatal(err)
	}
	var do []ldclient.Instruction
	if big {
		do = append(do, ldclient.Instruction{"kind": "addBigSegmentIncludedTargets", "values": some(l, 4, lotKeys...)})
	} else {
		do = append(do, ldclient.SegmentTargets("addIncludedTargets", pick(l, lotKinds...), some(l, 3, lotKeys[:5]...)),
			ldclient.SegmentTargets("addExcludedTargets", pick(l, lotKinds...), some(l, 2, lotKeys[5:]...)))
	}
	for range 1 + l.IntN(2) {
		r := ldclient.NewSegmentRule{Clauses: l.clauses()}
		if l.chance(40) {
			weight := pick(l, 0, 20_000, 50_000, 100_000)
			r.Weight, r.ContextKind, r.BucketBy = &weight, pick(l, lotKinds...), pick(l, "", "plan")
		}
		do = append(do, ldclient.AddSegmentRule(r))
	}
	if _, err := l.ld.Segments.Patch(l.t.Context(), l.project, l.env, key, ldclient.Patch{Instructions: do}); err != nil {
		l.t.Fatal(err)
	}
	l.segments = append(l.segments, key)
}

// flag makes a flag and configures it at random in the lottery's environment, where it is mostly on.
func (l *lottery) flag() *ldclient.Flag {
	l.t.Helper()
	l.drawn++
	n := ldclient.NewFlag{Key: fmt.Sprintf("lot-%d-%d", l.drawn, l.Uint32()), Name: "Drawn", Tags: []string{"drawn"}}
	if l.chance(70) {
		for _, value := range some(l, 4, `"one"`, `"two"`, `3`, `{"four":4}`, `[5]`) {
			n.Variations = append(n.Variations, ldclient.NewVariation{Value: json.RawMessage(value), Name: pick(l, "", "Name of "+value)})
		}
		if len(n.Variations) < 2 {
			n.Variations = nil
		}
	}
	f, err := l.ld.Flags.Create(l.t.Context(), l.project, n)
	if err != nil {
		l.t.Fatal(err)
	}
	for range 9 {
		f = l.try(f, configurationKinds...)
	}
	if c := f.Environments[l.env]; !c.On && l.chance(85) {
		f = l.apply(f, ldclient.TurnFlagOn())
	}
	if l.chance(30) {
		f = l.try(f, "addVariation", "addVariation", "addTags", "addCustomProperties", "deprecateFlag")
	}
	if l.chance(20) {
		f = l.try(f, "startAutomatedRelease")
	}
	return f
}

// try carries out an instruction of one of the kinds, unless LaunchDarkly refuses it.
func (l *lottery) try(f *ldclient.Flag, kinds ...string) *ldclient.Flag {
	i := l.instruction(f, pick(l, kinds...))
	if i == nil {
		return f
	}
	got, err := l.ld.Flags.Patch(l.t.Context(), l.project, l.env, f.Key, ldclient.Patch{Instructions: []ldclient.Instruction{i}})
	if err != nil {
		return f
	}
	return got
}

// apply carries instructions out and returns the flag after them.
func (l *lottery) apply(f *ldclient.Flag, do ...ldclient.Instruction) *ldclient.Flag {
	l.t.Helper()
	if len(do) == 0 {
		return f
	}
	got, err := l.ld.Flags.Patch(l.t.Context(), l.project, l.env, f.Key, ldclient.Patch{Instructions: do})
	if err != nil {
		l.t.Fatal(err)
	}
	return got
}

// instructions draws up to four instructions that LaunchDarkly takes one after
// the other, of the given kinds or, without any, of every kind but deleteFlag.
func (l *lottery) instructions(f *ldclient.Flag, kinds ...string) []ldclient.Instruction {
	l.t.Helper()
	if len(kinds) == 0 {
		kinds = slices.Concat(configurationKinds, configurationKinds, releasing, settingKinds)
	}
	var out []ldclient.Instruction
	want := 1 + l.IntN(4)
	for tries := 0; len(out) < want && tries < 25; tries++ {
		i := l.instruction(f, pick(l, kinds...))
		if i == nil {
			continue
		}
		with := append(slices.Clone(out), i)
		if _, err := l.ld.Flags.Patch(l.t.Context(), l.project, l.env, f.Key, ldclient.Patch{Instructions: with, DryRun: true}); err == nil {
			out = with
		}
	}
	return out
}

// context draws a context of one kind, or of two or three.
func (l *lottery) context() ldcontext.Context {
	if l.chance(70) {
		return l.single(pick(l, lotKinds...))
	}
	b := ldcontext.NewMultiBuilder()
	for _, kind := range some(l, 3, lotKinds[1:]...) {
		b.Add(l.single(kind))
	}
	return b.Build()
}

func (l *lottery) single(kind string) ldcontext.Context {
	b := ldcontext.NewBuilder(pick(l, lotKeys...)).Kind(ldcontext.Kind(kind))
	for _, a := range []struct {
		name   string
		values []any
	}{{"plan", lotPlans}, {"age", lotAges}, {"joined", lotTimes}, {"app", lotApps}, {"email", lotMails}, {"beta", []any{true, false}},
		{"groups", []any{[]any{"alpha", "beta"}, []any{"gamma"}, []any{}}},
		{"address", []any{map[string]any{"city": "alpha"}, map[string]any{"city": "beta"}}}} {
		if l.chance(65) {
			b.SetValue(a.name, ldvalue.CopyArbitraryValue(pick(l, a.values...)))
		}
	}
	return b.Build()
}
