package tools

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// TestMetricEdits: whatever a metric measures, the steps to another definition make just that, say each part of it, and fail
// where somebody else changed the same part meanwhile. What LaunchDarkly does not show where it is none is not expected.
func TestMetricEdits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	draw := func() ldclient.NewMetric {
		return ldclient.NewMetric{Key: "m", EventKey: pick("", "a", "b / c"), Numeric: r.IntN(2) == 0, Aggregation: pick("average", "sum"), Unit: pick("", "ms", "s"),
			Success: pick("HigherThanBaseline", "LowerThanBaseline"), Selector: pick("", "#a"), Units: [][]string{{"user"}, {"user", "device"}, {"org"}}[r.IntN(3)],
			URLs: [][]ldclient.MetricURL{{}, {{Kind: "exact", URL: "https://a"}}, {{Kind: "substring", Substring: "/b"}, {Kind: "regex", Pattern: "c+"}}}[r.IntN(3)]}
	}
	document := func(f ldclient.NewMetric) map[string]any {
		var doc map[string]any
		if err := json.Unmarshal(mustJSON(f), &doc); err != nil {
			t.Fatal(err)
		}
		if !f.Numeric {
			delete(doc, "isNumeric")
		}
		for _, field := range []string{"isNumeric", "eventKey", "unit", "selector", "urls"} { // a patch may replace what is not shown
			if _, ok := doc[field]; !ok {
				doc[field] = map[string]any{"isNumeric": false, "urls": []any{}}[field]
				if doc[field] == nil {
					doc[field] = ""
				}
			}
		}
		return doc
	}
	lost := 0
	for range 2000 {
		was, is := draw(), draw()
		var e edits
		names := e.measures(was, is)
		if (len(names) == 0) != cmp.Equal(document(was), document(is)) || len(names) != len(e.says) {
			t.Fatalf("%+v to %+v changes %v in words %q", was, is, names, e.says)
		}
		var got map[string]any
		if err := json.Unmarshal(carriedOut(t, e.steps, mustJSON(document(was))), &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(document(is), got); d != "" {
			t.Fatalf("%+v: the steps %s make something else (-want +got):\n%s", was, mustJSON(e.steps), d)
		}
		for field, other := range map[string]any{"eventKey": "theirs", "unit": "theirs", "selector": "theirs", "unitAggregationType": "theirs", "randomizationUnits": []any{"theirs"}} {
			changes := slices.ContainsFunc(e.steps, func(s ldclient.Operation) bool { return s.Op == "replace" && s.Path == "/"+field })
			theirs := document(was)
			if theirs[field] == "" || !changes {
				continue
			}
			theirs[field] = other
			p, err := jsonPatchOf(e.steps)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Apply(mustJSON(theirs)); err == nil {
				t.Fatalf("%s overwrite what somebody else set %s to", mustJSON(e.steps), field)
			}
			lost++
		}
		for _, s := range e.steps {
			if v := string(mustJSON(s.Value)); s.Op == "test" && (v == `""` || v == "false" || v == "null" || v == "[]") {
				t.Fatalf("expects %s to be there as %s", s.Path, v)
			}
		}
	}
	if lost < 1000 {
		t.Errorf("only %d changes of somebody else's were tried", lost)
	}
}
