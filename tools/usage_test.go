package tools_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// TestEveryUsage: each kind that is offered is known to the client, and LaunchDarkly is asked for it in its own unit of time.
func TestEveryUsage(t *testing.T) {
	r := start(t)
	var offered []string
	for _, word := range r.server.Words()["get-account-usage"] {
		if _, known := ldclient.UsageKinds()[word]; known {
			offered = append(offered, word)
		}
	}
	if len(offered) != len(ldclient.UsageKinds()) {
		t.Errorf("%d of %d kinds are offered", len(offered), len(ldclient.UsageKinds()))
	}
	for _, name := range offered {
		kind := ldclient.UsageKinds()[name]
		args := map[string]any{"kind": name, "after": "2026-02-25T00:00:00Z", "before": "2026-03-02T00:00:00Z"}
		if kind.Flag {
			args["projectKey"], args["environmentKey"], args["flagKey"] = "shop", "production", "new-checkout"
		}
		for _, group := range append([]string{""}, kind.Groups...) {
			if args["groupBy"] = []string{group}; group == "" {
				delete(args, "groupBy")
			}
			got := r.callWith("get-account-usage", args)
			var reply struct {
				Series []struct {
					Total  *float64
					Latest map[string]float64
					Points map[string]float64
				}
				From, To string
			}
			if err := json.Unmarshal([]byte(got), &reply); err != nil || len(reply.Series) == 0 || len(reply.Series[0].Points)+len(reply.Series[0].Latest) == 0 || !strings.HasPrefix(reply.From, "2026-02-25") {
				t.Errorf("%s by %q: %s", name, group, got)
			}
		}
		requests := r.Requests()
		last := requests[len(requests)-1]
		if strings.HasSuffix(last.Path, "/environments") || strings.HasSuffix(last.Path, "/projects") { // which tell the names
			last = requests[len(requests)-2]
		}
		want := "from=1771977600000&"
		if strings.HasPrefix(name, "observability") || name == "vega-ai" {
			want = "from=1771977600&"
		}
		if !strings.Contains(last.Query+"&", want) {
			t.Errorf("%s: %s, want %s", name, last.Query, want)
		}
	}
}

// TestUsageAdds: only what may be added up is, and the largest series comes first.
func TestUsageAdds(t *testing.T) {
	series := func(metadata, points string) func(*setup) {
		return func(s *setup) {
			s.client.Transport = answering{`{"metadata":` + metadata + `,"series":` + points + `,"_links":{}}`}
		}
	}
	const two, points = `[{"sdkName":"a"},{"sdkName":"b"}]`, `[{"time":1772323200000,"0":1,"1":7},{"time":1772409600000,"0":2.5,"1":0}]`
	for args, want := range map[string]string{
		`{"kind":"total-mau"}`:                                    `"series":[{"of":{"sdkName":"a"},"points":{"2026-03-01":1,"2026-03-02":2.5}},{"of":{"sdkName":"b"},"points"`,
		`{"kind":"total-mau","aggregationType":"incremental"}`:    `"series":[{"of":{"sdkName":"b"},"total":7,"points"`,
		`{"kind":"total-mau","aggregationType":"rolling_30d"}`:    `"series":[{"of":{"sdkName":"a"},"points"`,
		`{"kind":"events-received"}`:                              `"series":[{"of":{"sdkName":"b"},"total":7,"points"`,
		`{"kind":"streams-client"}`:                               `"series":[{"of":{"sdkName":"a"},"points"`,
		`{"kind":"streams-client","limit":1,"offset":1}`:          `"series":[{"of":{"sdkName":"b"},"points"`,
		`{"kind":"total-mau","limit":1}`:                          `"nextOffset":1`,
		`{"kind":"observability-metrics","granularity":"hourly"}`: `"aggregationType":"month_to_date"`,
	} {
		if got := start(t, series(two, points)).call("get-account-usage", args); !strings.Contains(got, want) || strings.Contains(args, "total-mau\"}") && strings.Contains(got, "total\":") {
			t.Errorf("%s: no %s in %s", args, want, got)
		}
	}
	var many, values []string
	for i := range 300 {
		many, values = append(many, fmt.Sprintf(`{"eventKey":"%d %s"}`, i, strings.Repeat("x", 300))), append(values, fmt.Sprintf(`"%d":%d`, i, i))
	}
	got := start(t, series("["+strings.Join(many, ",")+"]", `[{"time":1772323200000,`+strings.Join(values, ",")+"}]")).call("get-account-usage", `{"kind":"experimentation-events","groupBy":"eventKey","limit":200}`)
	if len(got) > 20_000 || !strings.Contains(got, `"seriesCount":300`) || !strings.Contains(got, `"eventKey":"299 xx`) || !strings.Contains(got, `"nextOffset":`) {
		t.Errorf("%d bytes: %.300s", len(got), got)
	}
	for _, empty := range [][2]string{{"null", "null"}, {"[]", "[]"}, {"[{}]", "[]"}} {
		if got := start(t, series(empty[0], empty[1])).call("get-account-usage", `{"kind":"total-mau"}`); !strings.Contains(got, "no numbers for this") {
			t.Error(got)
		}
	}
}

// TestUsageIsRefusedEarly: what a kind of usage cannot be asked makes no request.
func TestUsageIsRefusedEarly(t *testing.T) {
	r := start(t)
	for args, want := range map[string]string{
		`{"kind":"mau"}`: "kind",
		`{"kind":"evaluations","projectKey":"shop","environmentKey":"test"}`:            "wants projectKey, environmentKey and flagKey",
		`{"kind":"total-mau","flagKey":"dark-mode"}`:                                    "evaluations is",
		`{"kind":"streams-client","projectKey":"shop"}`:                                 "for the account as a whole",
		`{"kind":"observability-logs","projectKey":"shop","environmentKey":"test"}`:     "not counted by environment",
		`{"kind":"total-mau","environmentKey":"test"}`:                                  "missing projectKey",
		`{"kind":"total-mau","groupBy":["eventKey"]}`:                                   "takes projectId, environmentId",
		`{"kind":"total-mau","groupBy":[""]}`:                                           "takes projectId, environmentId",
		`{"kind":"vega-ai","groupBy":["sdkName"]}`:                                      "takes none",
		`{"kind":"streams-client","aggregationType":"incremental"}`:                     "takes none",
		`{"kind":"total-mau","aggregationType":"average"}`:                              "takes month_to_date, incremental, rolling_30d",
		`{"kind":"total-mau","granularity":"hourly"}`:                                   "takes daily, monthly",
		`{"kind":"total-mau","granularity":"monthly","aggregationType":"incremental"}`:  "month_to_date",
		`{"kind":"total-mau","after":"2026-03-01","before":"2026-02-01"}`:               "earlier than before",
		`{"kind":"total-mau","after":"soon"}`:                                           "must be a time",
		`{"kind":"evaluations","projectKey":"../x","environmentKey":"e","flagKey":"f"}`: "is not a key",
		`{"kind":"total-mau","projectKey":"shop","environmentKey":"a,b"}`:               "is not a key",
	} {
		got := r.call("get-account-usage", args)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(want)) {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
	for args, want := range map[string]string{
		`{"list":"repositories","projectKey":"shop","after":"7d"}`: "does not take it",
		`{"list":"deployments","projectKey":"shop","query":"x"}`:   "does not take it",
		`{"list":"flag-events","projectKey":"shop","status":"x"}`:  "does not take it",
		`{"list":"pull-requests","projectKey":"shop","limit":101}`: "100",
		`{"list":"everything","projectKey":"shop"}`:                "list",
	} {
		if got := r.call("list-insights", args); !strings.HasPrefix(got, "! ") || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
	if n := len(r.Requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// TestInsightLists: pages follow one another without loss, and every chart is read with what it takes.
func TestInsightLists(t *testing.T) {
	r := start(t)
	for _, list := range []string{"deployments", "flag-events", "pull-requests"} {
		args := map[string]any{"list": list, "projectKey": "shop", "after": "2026-01-01", "limit": 4}
		seen, total := map[string]bool{}, 0
		for calls := 0; ; calls++ {
			var page struct {
				Deployments  []struct{ ID string }
				FlagEvents   []struct{ AuditLogEntryID string }
				PullRequests []struct{ Number string }
				TotalCount   int
				NextCursor   string
			}
			text := r.callWith("list-insights", args)
			if err := json.Unmarshal([]byte(text), &page); err != nil || calls > 50 {
				t.Fatal(text)
			}
			for _, x := range page.Deployments {
				seen[x.ID] = true
			}
			for _, x := range page.FlagEvents {
				seen[x.AuditLogEntryID] = true
			}
			for _, x := range page.PullRequests {
				seen[x.Number] = true
			}
			total = page.TotalCount
			if args["cursor"] = page.NextCursor; page.NextCursor == "" {
				break
			}
		}
		if len(seen) != total || total < 5 {
			t.Errorf("%s: %d of %d", list, len(seen), total)
		}
	}
	for chart, groups := range map[string][]string{"deployment-frequency": {"", "application", "kind"}, "stale-flags": {"", "maintainer"}, "flag-status": {""},
		"lead-time": {"", "application", "stage"}, "release-frequency": {"", "impact"}} {
		for _, group := range groups {
			args := map[string]any{"chart": chart, "projectKey": "shop", "groupBy": group, "applicationKey": "shop-web"}
			if group == "" {
				delete(args, "groupBy")
			}
			if !slices.Contains([]string{"stale-flags", "flag-status"}, chart) {
				args["after"], args["before"] = "2026-02-20", "2026-03-01"
			}
			if got := r.callWith("get-insights", args); strings.HasPrefix(got, "!") || !strings.Contains(got, `"points":{"2026-`) {
				t.Errorf("%s by %q: %s", chart, group, got)
			}
		}
	}
}

// TestPullRequestAddresses: an address that could hold a secret is left out.
func TestPullRequestAddresses(t *testing.T) {
	for url, shown := range map[string]bool{
		"https://github.com/o/r/pull/1":               true,
		"https://u:hunter2@github.com/o/r/pull/1":     false,
		"https://github.com/o/r/pull/1?token=hunter2": false,
		"javascript:hunter2":                          false,
		"http://x/hunter2":                            false,
	} {
		body, _ := json.Marshal(map[string]any{"items": []any{map[string]any{"externalId": "1", "title": "t", "url": url}}, "totalCount": 1})
		r := start(t, func(s *setup) { s.client.Transport = answering{string(body)} })
		if got := r.call("list-insights", `{"list":"pull-requests","projectKey":"shop"}`); strings.Contains(got, `"url"`) != shown || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %s", url, got)
		}
	}
}
