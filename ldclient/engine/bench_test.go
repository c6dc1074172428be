package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
)

func valueOf(t testing.TB, raw []byte) ldvalue.Value {
	t.Helper()
	var v ldvalue.Value
	if err := v.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return v
}

// BenchmarkCompare is a change of the last of 50 rules, 20 of them on segments, for 1,000 contexts.
func BenchmarkCompare(b *testing.B) {
	var rules []string
	var segments []*ldclient.Segment
	for n := range 50 {
		clause := fmt.Sprintf(`{"contextKind":"user","attribute":"email","op":"endsWith","values":["@corp%d.example","@team%d.example"]}`, n, n)
		if n < 20 {
			segments = append(segments, segmentOf(b, fmt.Sprintf(`{"key":"s%d","included":["u%d"],"rules":[{"clauses":[%s]}]}`, n, n, clause)))
			clause = fmt.Sprintf(`{"contextKind":"user","attribute":"segmentMatch","op":"segmentMatch","values":["s%d"]}`, n)
		}
		rules = append(rules, fmt.Sprintf(`{"_id":"r%d","variation":%d,"clauses":[%s]}`, n, n%3, clause))
	}
	config := `{"on":true,"salt":"s","rules":[` + strings.Join(rules, ",") + `],"fallthrough":{"rollout":{"contextKind":"user","variations":[{"variation":0,"weight":%d},{"variation":1,"weight":%d}]}}}`
	was, is := flagOf(b, "f", fmt.Sprintf(config, 90_000, 10_000)), flagOf(b, "f", fmt.Sprintf(config, 50_000, 50_000))
	var subjects []*engine.Subject
	for n := range 1000 {
		subjects = append(subjects, subject(b, fmt.Sprintf(`{"kind":"user","key":"u%d","email":"person%d@corp%d.example","plan":"pro"}`, n, n, n%80)))
	}
	b.ReportAllocs()
	for b.Loop() {
		before := engine.New("test")
		before.AddFlag("f", was)
		for _, s := range segments {
			before.AddSegment(s.Key, s)
		}
		after := before.Clone()
		after.AddFlag("f", is)
		changed := 0
		for _, s := range subjects {
			if out := engine.Compare(before, after, "f", s, nil); out.Pairs[0].Before.Variation != out.Pairs[0].After.Variation {
				changed++
			}
		}
		if changed == 0 {
			b.Fatal("nothing changed")
		}
	}
}
