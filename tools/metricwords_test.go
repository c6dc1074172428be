package tools_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestLaterPagesAreChanges: a page of a metric that a reply does not show is a change like any other.
func TestLaterPagesAreChanges(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	pages := func(n int, last string) string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf(`{"kind":"exact","url":"https://shop.example.com/%d"}`, i))
		}
		return `"urls":[` + strings.Join(append(out, `{"kind":"exact","url":"https://shop.example.com/`+last+`"}`), ",") + `]`
	}
	r.call("create-metric", `{"projectKey":"shop","key":"m","name":"M","kind":"pageview","measureType":"count","successCriteria":"HigherThanBaseline",`+pages(12, "old")+`}`)
	got := r.call("update-metric", `{"projectKey":"shop","metricKey":"m","comment":"c",`+pages(12, "new")+`}`)
	if !strings.Contains(got, `"changed":true`) || strings.Contains(got, "found nothing to change") || len(r.Writes()) != 2 {
		t.Error(got)
	}
}

// TestMetricGroupsUntold: a metric is not deleted from groups that LaunchDarkly only counts, and what it does not tell is said.
func TestMetricGroupsUntold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, to, want string }{
		{`"metricGroups":[`, `"other":[`, "is in 1 metric group; take it out"},
		{`"metricGroupCount":1`, `"otherCount":1`, "is in metric groups (g)"},
	} {
		r := start(t, never, retelling("/metrics/shop/m", test.from, test.to))
		for _, key := range []string{"m", "n"} {
			r.call("create-metric", `{"projectKey":"shop","key":"`+key+`","name":"M","kind":"custom","eventKey":"e","measureType":"occurrence","successCriteria":"HigherThanBaseline"}`)
		}
		r.call("create-metric-group", `{"projectKey":"shop","key":"g","name":"G","kind":"standard","metrics":[{"key":"m"},{"key":"n"}]}`)
		if got := r.call("delete-metric", `{"projectKey":"shop","metricKey":"m","comment":"c"}`); !strings.Contains(got, test.want) || len(r.Writes()) != 3 {
			t.Errorf("%s: %s", test.from, got)
		}
	}
	r := start(t, never, retelling("/metrics/shop/", `"metricGroup`, `"other`))
	r.call("create-metric", `{"projectKey":"shop","key":"m","name":"M","kind":"custom","eventKey":"e","measureType":"count","successCriteria":"HigherThanBaseline"}`)
	if got := r.call("delete-metric", `{"projectKey":"shop","metricKey":"m","comment":"c","dryRun":true}`); !strings.Contains(got, "did not tell whether metric groups hold it") {
		t.Error(got)
	}
}
