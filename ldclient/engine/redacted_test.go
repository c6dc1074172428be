package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
)

// large is a flag with 2,000 rules of 50 values each.
func large(t testing.TB, on bool) *ldclient.Flag {
	f := flagOf(t, "f", `{"on":true,"salt":"s","offVariation":2,"fallthrough":{"variation":0}}`)
	c := f.Environments["test"]
	c.On = on
	for n := range 2000 {
		var values []any
		for m := range 50 {
			values = append(values, fmt.Sprintf("person%d-%d@example.com", n, m))
		}
		variation := n % 3
		c.Rules = append(c.Rules, ldclient.Rule{ID: fmt.Sprint("r", n), Clauses: []ldclient.Clause{{ContextKind: "user", Attribute: "email", Op: "in", Values: values}}, RuleServe: ldclient.RuleServe{Variation: &variation}})
	}
	f.Environments["test"] = c
	return f
}

// TestManyRedacted: contexts that hide an attribute cost little, however many rules look at it and whatever else each hides.
func TestManyRedacted(t *testing.T) {
	before := engine.New("test")
	before.AddFlag("f", large(t, true))
	after := before.Clone()
	after.AddFlag("f", large(t, false))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // a small part of it is enough
	defer cancel()
	for n := range 100 {
		out := engine.Compare(before, after, "f", subject(t, fmt.Sprintf(`{"kind":"user","key":"u%d","_meta":{"redactedAttributes":["email","other%d"]}}`, n, n)), nil)
		if out.Known() {
			t.Fatal("what a redacted attribute decides is known")
		}
		if ctx.Err() != nil {
			t.Fatalf("time was up after %d contexts", n)
		}
	}
}

// TestEnough: no more ways are followed than are asked for, and the outcome says so.
func TestEnough(t *testing.T) {
	e := engine.New("test")
	e.AddFlag("f", large(t, true))
	asked := 0
	out := engine.Compare(e, e, "f", subject(t, `{"kind":"user","key":"u","_meta":{"redactedAttributes":["email"]}}`), func(engine.Pair) bool { asked++; return asked == 2 })
	if !out.Cut || len(out.Pairs) != 2 || asked != 2 {
		t.Errorf("%d pairs, cut %t, asked %d times", len(out.Pairs), out.Cut, asked)
	}
}

// TestLost: a flag of which a change leaves nothing known is another unknown than before.
func TestLost(t *testing.T) {
	before := engine.New("test")
	before.AddFlag("f", flagOf(t, "f", `{"on":true,"offVariation":2,"fallthrough":{"variation":0},"prerequisites":[{"key":"gate","variation":1}]}`))
	after := before.Clone()
	if out := engine.Compare(before, after, "f", subject(t, ann), nil); len(out.Pairs) != 2 {
		t.Errorf("one unknown: %v", out.Pairs)
	}
	after.LoseFlag("gate", "flag gate is gone")
	out := engine.Compare(before, after, "f", subject(t, ann), nil)
	if len(out.Pairs) != 4 || fmt.Sprint(out.Causes) != "[prerequisite gate could not be read flag gate is gone]" {
		t.Errorf("two unknowns: %v, %v", out.Pairs, out.Causes)
	}
	if after.Added("gate") || after.Lost("gate") != "flag gate is gone" {
		t.Error("it is not lost")
	}
}

// TestPartlyRedacted: in one environment, what one context hides and another shows is a guess for the first alone.
func TestPartlyRedacted(t *testing.T) {
	e := engine.New("test")
	rollout := func(weights string) string {
		return `{"on":true,"salt":"s","rules":[{"_id":"r","variation":2,"clauses":[{"contextKind":"user","attribute":"country","op":"in","values":["ch"]}]}],"fallthrough":{"rollout":{"contextKind":"user","bucketBy":"plan","variations":[` + weights + `]}}}`
	}
	e.AddFlag("f", flagOf(t, "f", rollout(`{"variation":0,"weight":50000},{"variation":1,"weight":50000}`)))
	e.AddFlag("s", flagOf(t, "s", `{"on":true,"fallthrough":{"variation":0},"rules":[{"_id":"r","variation":1,"clauses":[{"contextKind":"user","op":"segmentMatch","values":["half"]}]}]}`))
	e.AddSegment("half", segmentOf(t, `{"key":"half","salt":"grain","rules":[{"clauses":[{"contextKind":"user","attribute":"key","op":"startsWith","values":["u"]}],"weight":50000,"bucketBy":"plan"}]}`))
	for n := range 50 {
		about := map[string]any{"kind": "user", "key": fmt.Sprint("u", n), "plan": fmt.Sprint("plan", n), "country": []string{"ch", "de"}[n%2]}
		open, err := engine.Given(about)
		if err != nil {
			t.Fatal(err)
		}
		about["_meta"] = map[string]any{"redactedAttributes": []any{"unrelated"}}
		hides, err := engine.Given(about)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"f", "s"} {
			a, b := engine.Evaluate(e, key, open), engine.Evaluate(e, key, hides)
			if !a.Known() || !b.Known() || mustJSON(t, a.Pairs) != mustJSON(t, b.Pairs) {
				t.Fatalf("%s: %v, and with something unrelated redacted %v", key, a, b)
			}
		}
	}
	for about, want := range map[string]int{
		`{"kind":"user","key":"u1","country":"ch","_meta":{"redactedAttributes":["plan"]}}`: 1,
		`{"kind":"user","key":"u1","country":"de","_meta":{"redactedAttributes":["plan"]}}`: 2,
		`{"kind":"user","key":"u1","_meta":{"redactedAttributes":["plan","country"]}}`:      3,
	} {
		if out := engine.Evaluate(e, "f", subject(t, about)); len(out.Pairs) != want {
			t.Errorf("%s: %v, want %d", about, out.Pairs, want)
		}
	}
	if out := engine.Evaluate(e, "s", subject(t, `{"kind":"user","key":"u1","_meta":{"redactedAttributes":["plan"]}}`)); len(out.Pairs) != 2 {
		t.Errorf("share: %v", out.Pairs)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// BenchmarkRedacted is the same flag turned off, for 100 contexts that each hide another attribute besides.
func BenchmarkRedacted(b *testing.B) {
	was, is := large(b, true), large(b, false)
	var subjects []*engine.Subject
	for n := range 100 {
		subjects = append(subjects, subject(b, fmt.Sprintf(`{"kind":"user","key":"u%d","_meta":{"redactedAttributes":["email","other%d"]}}`, n, n)))
	}
	for b.Loop() {
		before, after := engine.New("test"), engine.New("test")
		before.AddFlag("f", was)
		after.AddFlag("f", is)
		for _, s := range subjects {
			engine.Compare(before, after, "f", s, nil)
		}
	}
}
