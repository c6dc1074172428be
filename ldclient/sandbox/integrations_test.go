package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

func init() {
	moreSamples = append(moreSamples, func(a *Account) map[string][]string {
		return map[string][]string{
			"webhook": {a.webhooks[0].ID, a.webhooks[2].ID}, "integration": {"slack"}, "subscription": {a.subscriptions[0].ID},
			"configuration": {a.configurations[0].ID}, "destination": {a.destinations[0].ID}, "relay": {a.relays[0].ID},
			"eventType": {"received", "published"}, "source": {"client", "server"},
		}
	})
	const root, place = "/engineering-insights/", "projectKey=shop&environmentKey=production"
	for _, path := range []string{"charts/deployments/frequency", "charts/flags/stale", "charts/flags/status", "charts/lead-time", "charts/releases/frequency",
		"insights/scores", "deployments", "flag-events", "pull-requests"} {
		asking[root+path] = true
		queries[root+path] = []string{place, place + "&applicationKey=shop-web"}
	}
	for _, path := range []string{"deployments", "flag-events", "pull-requests"} {
		queries[root+path] = append(queries[root+path], fmt.Sprintf("%s&from=%d&to=%d&limit=2", place, labTime.AddDate(0, 0, -20).UnixMilli(), labTime.UnixMilli()))
	}
	queries[root+"charts/lead-time"] = append(queries[root+"charts/lead-time"], place+"&expand=metrics")
	queries[root+"insights/groups"] = []string{"limit=1&offset=1"}
	queries[root+"repositories"] = []string{"expand=projects"}
	maps.Copy(queries, map[string][]string{
		"/usage/total-contexts":                             {"projectKey=shop&environmentKey=production&groupBy=sdkName&aggregationType=incremental", "granularity=monthly&groupBy=projectId&groupBy=environmentId"},
		"/usage/service-connections":                        {"groupBy=connectionType&aggregationType=incremental&granularity=hourly"},
		"/usage/observability/logs":                         {fmt.Sprintf("from=%d", labTime.AddDate(0, 0, -9).Unix())},
		"/usage/evaluations/{project}/{environment}/{flag}": {fmt.Sprintf("from=%d", labTime.Add(-time.Hour).UnixMilli())},
	})
}

// TestUsage: counts follow from the clock, and how they are aggregated and broken down does not change what they come to.
func TestUsage(t *testing.T) {
	a, _ := newTestAccount(Options{})
	now := a.now()
	type reply struct {
		Metadata []map[string]any
		Series   []map[string]float64
	}
	month := time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC)
	span := fmt.Sprintf("from=%d&to=%d", month.UnixMilli(), month.AddDate(0, 1, 0).UnixMilli())
	read := func(query string) reply {
		t.Helper()
		got := checked(t, a, "GET", "/usage/total-mau?"+query, nil, "LD-API-Version", "beta")
		var r reply
		if err := json.Unmarshal(got.body, &r); err != nil || got.status != 200 || len(r.Series) == 0 {
			t.Fatalf("%s: %d %s", query, got.status, got.body)
		}
		return r
	}
	sum := 0.0
	for _, p := range read(span + "&aggregationType=incremental").Series {
		sum += p["0"]
	}
	days := read(span).Series
	if last := days[len(days)-1]["0"]; last != sum || sum == 0 {
		t.Errorf("the month comes to %v, its days to %v", last, sum)
	}
	parts := 0.0
	grouped := read(span + "&granularity=monthly&groupBy=environmentId&groupBy=sdkName")
	for i := range grouped.Metadata {
		parts += grouped.Series[0][fmt.Sprint(i)]
	}
	if len(grouped.Series) != 1 || len(grouped.Metadata) < 8 || parts != sum {
		t.Errorf("%d points of %d series come to %v, want %v", len(grouped.Series), len(grouped.Metadata), parts, sum)
	}
}

// TestUsageUnits: times in the wrong unit, and what a count cannot be asked, are refused.
func TestUsageUnits(t *testing.T) {
	a, _ := newTestAccount(Options{})
	week := a.now().AddDate(0, 0, -7)
	for path, status := range map[string]int{
		fmt.Sprintf("/usage/total-contexts?from=%d", week.UnixMilli()):          200,
		fmt.Sprintf("/usage/total-contexts?from=%d", week.Unix()):               400,
		fmt.Sprintf("/usage/observability/errors?from=%d", week.Unix()):         200,
		fmt.Sprintf("/usage/observability/errors?from=%d", week.UnixMilli()):    400,
		"/usage/total-contexts?environmentKey=production":                       400,
		"/usage/total-contexts?projectKey=nope":                                 404,
		"/usage/total-contexts?groupBy=eventKind":                               400,
		"/usage/data-export-events?aggregationType=rolling_30d":                 400,
		"/usage/total-contexts?aggregationType=incremental&granularity=monthly": 400,
		"/usage/events/lost":                                                      400,
		"/usage/evaluations/shop/production/nope":                                 404,
		"/engineering-insights/deployments?projectKey=shop":                       400,
		"/engineering-insights/insights/scores?projectKey=shop&environmentKey=no": 404,
		"/integrations/nope":                                                      404,
		"/webhooks/nope":                                                          404,
		"/destinations/shop/test/nope":                                            404,
	} {
		if got := ask(t, a, "GET", path, nil, "LD-API-Version", "beta"); got.status != status {
			t.Errorf("%s: %d %s, want %d", path, got.status, strings.TrimSpace(string(got.body)), status)
		}
	}
}

// TestCursors: pages of insights follow one another without loss.
func TestCursors(t *testing.T) {
	a, _ := newTestAccount(Options{})
	path := fmt.Sprintf("/engineering-insights/deployments?projectKey=shop&environmentKey=production&limit=3&from=%d", a.now().AddDate(0, 0, -30).UnixMilli())
	seen := map[string]bool{}
	for pages := 0; path != ""; pages++ {
		var page struct {
			Items []struct{ ID string }
			Total int   `json:"totalCount"`
			Links links `json:"_links"`
		}
		got := checked(t, a, "GET", path, nil, "LD-API-Version", "beta")
		if err := json.Unmarshal(got.body, &page); err != nil || pages > 10 {
			t.Fatalf("%s", got.body)
		}
		for _, x := range page.Items {
			seen[x.ID] = true
		}
		path = strings.TrimPrefix(page.Links["next"].Href, "/api/v2")
		if path == "" && len(seen) != page.Total {
			t.Errorf("%d deployments, want %d", len(seen), page.Total)
		}
	}
}
