package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// flagOf reads a flag's configuration in environment test from JSON. It has the variations red, green and blue.
func flagOf(t testing.TB, key, config string) *ldclient.Flag {
	t.Helper()
	text := fmt.Sprintf(`{"key":%q,"variations":[{"value":"red"},{"value":"green"},{"value":"blue"}],"environments":{"test":%s}}`, key, config)
	var f ldclient.Flag
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

func segmentOf(t testing.TB, text string) *ldclient.Segment {
	t.Helper()
	var s ldclient.Segment
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

func subject(t testing.TB, text string) *engine.Subject {
	t.Helper()
	var about map[string]any
	if err := json.Unmarshal([]byte(text), &about); err != nil {
		t.Fatal(err)
	}
	s, err := engine.Given(about)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	ann     = `{"kind":"user","key":"ann","plan":"pro"}`
	private = `{"kind":"user","key":"ann","_meta":{"redactedAttributes":["plan"]}}`
	phone   = `{"kind":"device","key":"phone"}`
)

// TestNotKnown: what the REST API does not tell makes a result unknown where it matters, and nowhere else.
func TestNotKnown(t *testing.T) {
	clause := func(op, attribute, value string, more string) string {
		return fmt.Sprintf(`{"contextKind":"user","attribute":%q,"op":%q,"values":[%q]%s}`, attribute, op, value, more)
	}
	rule := func(variation int, clauses string) string {
		return fmt.Sprintf(`{"_id":"r%d","variation":%d,"clauses":[%s]}`, variation, variation, clauses)
	}
	config := func(rules string) string {
		return `{"on":true,"salt":"s","offVariation":2,"fallthrough":{"variation":0},"rules":[` + rules + `]}`
	}
	rollout := func(salt, more string) string {
		return `{"on":true,"salt":"` + salt + `","fallthrough":{"rollout":{"contextKind":"user"` + more + `,"variations":[{"variation":0,"weight":50000},{"variation":1,"weight":50000},{"variation":2,"weight":0}]}}}`
	}
	for name, test := range map[string]struct {
		config, about string
		can           string // variations that may be
		cause         string
	}{
		"big segment":             {config(rule(1, clause("segmentMatch", "", "crowd", ""))), ann, "[1 0]", "segment crowd is a big segment, whose members are not listed"},
		"big segment, negated":    {config(rule(1, clause("segmentMatch", "", "crowd", `,"negate":true`))), ann, "[0 1]", "segment crowd is a big segment, whose members are not listed"},
		"no such kind":            {config(rule(1, clause("segmentMatch", "", "crowd", ""))), phone, "[0]", ""},
		"same either way":         {config(rule(0, clause("segmentMatch", "", "crowd", ""))), ann, "[0]", "segment crowd is a big segment, whose members are not listed"},
		"not come to":             {config(rule(1, clause("in", "plan", "pro", "")) + "," + rule(2, clause("segmentMatch", "", "crowd", ""))), ann, "[1]", ""},
		"decided by another":      {config(rule(1, clause("in", "plan", "free", "")+","+clause("segmentMatch", "", "crowd", ""))), ann, "[0]", ""},
		"unread segment":          {config(rule(1, clause("segmentMatch", "", "unread", ""))), ann, "[1 0]", "segment unread could not be read"},
		"no such segment":         {config(rule(1, clause("segmentMatch", "", "gone", ""))), ann, "[0]", ""},
		"segment names unread":    {config(rule(1, clause("segmentMatch", "", "nested", ""))), ann, "[1 0]", "segment unread could not be read"},
		"share of a segment":      {config(rule(1, clause("segmentMatch", "", "share", ""))), ann, "[1 0]", "which share of contexts a rule of segment share takes in is not shown"},
		"share of nobody":         {config(rule(1, clause("segmentMatch", "", "share", ""))), phone, "[0]", ""},
		"redacted attribute":      {config(rule(1, clause("in", "plan", "pro", ""))), private, "[1 0]", "attribute plan of user contexts is redacted"},
		"other attribute":         {config(rule(1, clause("in", "country", "CH", ""))), private, "[0]", ""},
		"redacted in a segment":   {config(rule(1, clause("segmentMatch", "", "pros", ""))), private, "[1 0]", "attribute plan of user contexts is redacted"},
		"known in a segment":      {config(rule(1, clause("segmentMatch", "", "pros", ""))), ann, "[1]", ""},
		"two rules":               {config(rule(1, clause("in", "plan", "pro", "")) + "," + rule(2, clause("segmentMatch", "", "crowd", ""))), private, "[1 2 0]", "attribute plan of user contexts is redacted; segment crowd is a big segment, whose members are not listed"},
		"unread prerequisite":     {`{"on":true,"offVariation":2,"fallthrough":{"variation":0},"prerequisites":[{"key":"unread","variation":1}]}`, ann, "[0 2]", "prerequisite unread could not be read"},
		"no such prerequisite":    {`{"on":true,"offVariation":2,"fallthrough":{"variation":0},"prerequisites":[{"key":"gone","variation":1}]}`, ann, "[2]", ""},
		"archived prerequisite":   {`{"on":true,"offVariation":2,"fallthrough":{"variation":0},"prerequisites":[{"key":"archived","variation":1}]}`, ann, "[2]", ""},
		"no salt":                 {rollout("", ""), ann, "[0 1]", "what a rollout divides contexts by is not shown"},
		"no salt, no such kind":   {rollout("", ""), phone, "[0]", ""},
		"seed, no salt":           {rollout("", `,"seed":61`), ann, "[1]", ""},
		"divided by redacted":     {rollout("s", `,"bucketBy":"plan"`), private, "[0 1]", "attribute plan of user contexts is redacted"},
		"disabled rule":           {config(`{"_id":"x","disabled":true,"variation":1,"clauses":[` + clause("in", "plan", "pro", "") + `]}`), ann, "[0]", ""},
		"off":                     {`{"on":false,"offVariation":2,"fallthrough":{"variation":0},"prerequisites":[{"key":"unread","variation":1}]}`, ann, "[2]", ""},
		"off without a variation": {`{"on":false,"fallthrough":{"variation":0}}`, ann, "[-1]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := engine.New("test")
			e.AddFlag("f", flagOf(t, "f", test.config))
			archived := flagOf(t, "archived", `{"on":true,"fallthrough":{"variation":1}}`)
			archived.Archived = true
			e.AddFlag("archived", archived)
			e.AddFlag("gone", nil)
			e.AddSegment("gone", nil)
			e.AddSegment("crowd", segmentOf(t, `{"key":"crowd","unbounded":true,"unboundedContextKind":"user"}`))
			e.AddSegment("nested", segmentOf(t, `{"key":"nested","rules":[{"clauses":[`+clause("segmentMatch", "", "unread", "")+`]}]}`))
			e.AddSegment("pros", segmentOf(t, `{"key":"pros","rules":[{"clauses":[`+clause("in", "plan", "pro", "")+`]}]}`))
			e.AddSegment("share", segmentOf(t, `{"key":"share","rules":[{"clauses":[`+clause("startsWith", "key", "a", "")+`],"weight":50000}]}`))
			out := engine.Evaluate(e, "f", subject(t, test.about))
			var can []int
			for _, p := range out.Pairs {
				can = append(can, p.Before.Variation)
			}
			if got := fmt.Sprint(can); got != test.can || out.Known() != (len(can) == 1) {
				t.Errorf("may give %s, want %s", got, test.can)
			}
			if got := strings.Join(out.Causes, "; "); got != test.cause {
				t.Errorf("cause %q, want %q", got, test.cause)
			}
		})
	}
}

// TestUnknownInBoth: what is not known is the same before and after, so a change beside it is known.
func TestUnknownInBoth(t *testing.T) {
	before, crowd := engine.New("test"), segmentOf(t, `{"key":"crowd","unbounded":true}`)
	const config = `{"on":true,"salt":"s","rules":[{"_id":"r","variation":1,"clauses":[{"contextKind":"user","op":"segmentMatch","values":["crowd"]}]}],"fallthrough":{"variation":%d}}`
	before.AddFlag("f", flagOf(t, "f", fmt.Sprintf(config, 0)))
	before.AddSegment("crowd", crowd)
	for then, want := range []string{"[{0 0} {1 1}]", "[{0 1} {1 1}]", "[{0 2} {1 1}]"} {
		after := before.Clone()
		after.AddFlag("f", flagOf(t, "f", fmt.Sprintf(config, then)))
		var got []string
		for _, p := range engine.Compare(before, after, "f", subject(t, ann), nil).Pairs {
			got = append(got, fmt.Sprintf("{%d %d}", p.Before.Variation, p.After.Variation))
		}
		slices.Sort(got)
		if fmt.Sprint(got) != want {
			t.Errorf("fallthrough %d: %v, want %s", then, got, want)
		}
	}
}

// TestTooManyWays: a context with more unknowns than can be followed is not known.
func TestTooManyWays(t *testing.T) {
	var rules []string
	for n := range 10 {
		rules = append(rules, fmt.Sprintf(`{"_id":"r%d","variation":0,"clauses":[{"contextKind":"user","op":"segmentMatch","values":["a%d"]},{"contextKind":"user","op":"segmentMatch","values":["b%d"]}]}`, n, n, n))
	}
	e := engine.New("test")
	e.AddFlag("f", flagOf(t, "f", `{"on":true,"rules":[`+strings.Join(rules, ",")+`],"fallthrough":{"variation":0}}`))
	if out := engine.Evaluate(e, "f", subject(t, ann)); out.Known() || !out.Cut {
		t.Errorf("%d pairs, cut %t", len(out.Pairs), out.Cut)
	}
}

func TestReasons(t *testing.T) {
	e := engine.New("test")
	e.AddFlag("f", flagOf(t, "f", `{"on":true,"prerequisites":[{"key":"gate","variation":1}],"offVariation":2,
		"rules":[{"_id":"off","disabled":true,"variation":1,"clauses":[]},{"_id":"second","variation":1,"clauses":[{"contextKind":"user","attribute":"plan","op":"in","values":["pro"]}]}],
		"fallthrough":{"rollout":{"contextKind":"user","variations":[{"variation":0,"weight":60000},{"variation":1,"weight":40000}]}}}`))
	e.AddFlag("gate", flagOf(t, "gate", `{"on":true,"fallthrough":{"variation":1},"targets":[{"variation":0,"values":["ben"]}],"contextTargets":[{"contextKind":"user","variation":0,"values":[]},{"contextKind":"device","variation":0,"values":["phone"]}]}`))
	for about, want := range map[string]string{
		ann:                           "RULE_MATCH second 1 ",
		`{"kind":"user","key":"ben"}`: "PREREQUISITE_FAILED   gate",
		phone:                         "PREREQUISITE_FAILED   gate",
		`{"kind":"user","key":"eve"}`: "FALLTHROUGH   ", // by a rollout that cannot be told
	} {
		r := engine.Evaluate(e, "f", subject(t, about)).Pairs[0].Before.Reason
		place := ""
		if r.RuleIndex != nil {
			place = fmt.Sprint(*r.RuleIndex)
		}
		if got := fmt.Sprintf("%s %s %s %s", r.Kind, r.RuleID, place, r.PrerequisiteKey); got != want {
			t.Errorf("%s: %q, want %q", about, got, want)
		}
	}
	if r := engine.Evaluate(engine.New("test"), "f", subject(t, ann)); r.Known() {
		t.Error("a flag that was not read is known")
	}
	e.AddFlag("gate", nil)
	if flags, segments := e.Wants(); len(flags)+len(segments) > 0 {
		t.Error("wants", flags, segments)
	}
}

// TestShares: with its salt, a rule that takes in a share of contexts is known, and takes in about as many.
func TestShares(t *testing.T) {
	e := engine.New("test")
	e.AddSegment("half", segmentOf(t, `{"key":"half","salt":"grain","rules":[{"clauses":[{"contextKind":"user","attribute":"key","op":"startsWith","values":["u"]}],"weight":50000}]}`))
	in := 0
	for n := range 1000 {
		out := engine.Members(e, e, "half", subject(t, fmt.Sprintf(`{"kind":"user","key":"u%d"}`, n)), nil)
		if !out.Known() {
			t.Fatal(out.Causes)
		}
		in += out.Pairs[0].Before.Variation
	}
	if in < 430 || in > 570 {
		t.Errorf("%d of 1000 are in", in)
	}
}

// TestShop: every flag gives every context that was seen what LaunchDarkly's own copy of the environment gives it.
func TestShop(t *testing.T) {
	account := sandbox.New(sandbox.Options{})
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account})
	if err != nil {
		t.Fatal(err)
	}
	e := engine.New("production")
	all, err := ld.Flags.List(t.Context(), "shop", ldclient.ListFlags{Paging: ldclient.Paging{Limit: 100}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all.Items {
		full, err := ld.Flags.Get(t.Context(), "shop", "production", f.Key)
		if err != nil {
			t.Fatal(err)
		}
		e.AddFlag(f.Key, full)
	}
	for {
		flags, segments := e.Wants()
		if len(flags) > 0 {
			t.Fatal("flags are not in the list:", flags)
		}
		if len(segments) == 0 {
			break
		}
		for _, key := range segments {
			s, err := ld.Segments.Get(t.Context(), "shop", "production", key)
			if err != nil {
				t.Fatal(err)
			}
			e.AddSegment(key, s)
		}
	}
	seen, err := ld.Contexts.Search(t.Context(), "shop", "production", ldclient.ContextQuery{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	known, asked := 0, 0
	for _, c := range seen.Items {
		s, err := engine.Seen(c.Context)
		if err != nil {
			t.Fatal(err)
		}
		b := ldcontext.NewBuilder(c.Context.Key).Kind(ldcontext.Kind(c.Context.Kind))
		for name, v := range c.Context.Attributes {
			var raw json.RawMessage
			if raw, err = json.Marshal(v); err != nil {
				t.Fatal(err)
			}
			b.SetValue(name, valueOf(t, raw))
		}
		about := b.Build()
		for _, f := range all.Items {
			want, err := account.Evaluate("shop", "production", f.Key, about)
			if err != nil {
				t.Fatal(err)
			}
			out := engine.Evaluate(e, f.Key, s)
			if asked++; !out.Known() {
				continue
			}
			known++
			got := out.Pairs[0].Before
			if d := cmp.Diff([]any{want.VariationIndex.OrElse(engine.None), string(want.Reason.GetKind()), want.Reason.GetRuleID(), string(want.Reason.GetErrorKind())},
				[]any{got.Variation, got.Reason.Kind, got.Reason.RuleID, got.Reason.ErrorKind}); d != "" {
				t.Errorf("%s for %s: %s", f.Key, s, d)
			}
		}
	}
	if known < asked*9/10 || asked < 1000 {
		t.Errorf("%d of %d are known", known, asked)
	}
}
