package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// TestMeasureTypes: a metric is read as what it was created or changed to, and LaunchDarkly is told it in its own two fields.
func TestMeasureTypes(t *testing.T) {
	kinds := []struct{ args, sent, shown string }{
		{`"measureType":"count"`, `"isNumeric":false,"unitAggregationType":"sum"`, `"measureType":"count","eventKey"`},
		{`"measureType":"occurrence"`, `"isNumeric":false,"unitAggregationType":"average"`, `"measureType":"occurrence","eventKey"`},
		{`"measureType":"value"`, `"isNumeric":true,"unitAggregationType":"average"`, `"measureType":"value","valueAggregation":"average"`},
		{`"measureType":"value","valueAggregation":"sum"`, `"isNumeric":true,"unitAggregationType":"sum"`, `"measureType":"value","valueAggregation":"sum"`},
	}
	for _, from := range kinds {
		for _, to := range kinds {
			r := start(t, never)
			r.call("create-metric", `{"projectKey":"shop","key":"m","name":"M","kind":"custom","eventKey":"e","successCriteria":"LowerThanBaseline",`+from.args+`}`)
			if body := string(r.Writes()[0].Body); !strings.Contains(body, from.sent) {
				t.Errorf("%s: sent %s", from.args, body)
			}
			if got := r.call("get-metric", `{"projectKey":"shop","metricKey":"m"}`); !strings.Contains(got, from.shown) {
				t.Errorf("%s: read %s", from.args, got)
			}
			got := r.call("update-metric", `{"projectKey":"shop","metricKey":"m","comment":"c",`+to.args+`}`)
			// A new way to measure that does not say how to aggregate averages; of values it stays as it was.
			want := to.shown
			if from.shown == kinds[3].shown && to.shown == kinds[2].shown {
				want = from.shown
			}
			if strings.Contains(got, `"changed":true`) != (from.shown != want) {
				t.Errorf("%s to %s: %s", from.args, to.args, got)
			}
			if got := r.call("get-metric", `{"projectKey":"shop","metricKey":"m"}`); !strings.Contains(got, want) {
				t.Errorf("%s to %s: read %s", from.args, to.args, got)
			}
		}
	}
}

// TestMetricsFitTheirKind: what does not fit a metric's kind is refused before LaunchDarkly is asked for anything.
func TestMetricsFitTheirKind(t *testing.T) {
	r := start(t, never)
	const page = `"urls":[{"kind":"exact","url":"https://shop.example.com"}]`
	before := len(r.Requests())
	for args, want := range map[string]string{
		`"kind":"custom","measureType":"count"`:                                           "eventKey: kind custom wants",
		`"kind":"custom","measureType":"count","eventKey":"\u200b "`:                      "eventKey: must be one line",
		`"kind":"custom","measureType":"count","eventKey":"e",` + page:                    "urls are for kinds pageview and click",
		`"kind":"custom","measureType":"count","eventKey":"e","selector":"#a"`:            "selector is for kind click",
		`"kind":"custom","measureType":"count","eventKey":"a\nb"`:                         "eventKey: must be one line",
		`"kind":"custom","measureType":"count","eventKey":" "`:                            "eventKey: kind custom wants",
		`"kind":"custom","measureType":"count","eventKey":"e","unit":"ms"`:                "unit is for measureType value",
		`"kind":"custom","measureType":"count","eventKey":"e","valueAggregation":"sum"`:   "valueAggregation is for measureType value",
		`"kind":"custom","measureType":"count","eventKey":"e","randomizationUnits":[]`:    "name one context kind",
		`"kind":"pageview","measureType":"value",` + page:                                 "measureType value is for kind custom",
		`"kind":"pageview","measureType":"count"`:                                         "urls: kind pageview wants",
		`"kind":"pageview","measureType":"count","urls":[]`:                               "urls: kind pageview wants",
		`"kind":"pageview","measureType":"count","eventKey":"e",` + page:                  "eventKey is for kind custom",
		`"kind":"pageview","measureType":"count","selector":"#a",` + page:                 "selector is for kind click",
		`"kind":"pageview","measureType":"count","urls":[{"kind":"exact","url":" "}]`:     "each wants a url",
		`"kind":"pageview","measureType":"count","urls":[{"kind":"glob","url":"*"}]`:      "kind must be exact, canonical, substring or regex",
		`"kind":"click","measureType":"count",` + page:                                    "selector: kind click wants",
		`"kind":"click","measureType":"count","selector":"#a"`:                            "urls: kind click wants",
		`"kind":"custom","measureType":"count","eventKey":"e","tags":["a b"]`:             "tags:",
		`"kind":"custom","measureType":"count","eventKey":"e","key":"a b"`:                "key:",
		`"kind":"custom","measureType":"count","eventKey":"e","name":" "`:                 "name: must not be empty",
		`"kind":"custom","measureType":"average","eventKey":"e"`:                          "measureType",
		`"kind":"custom","measureType":"count","eventKey":"e","successCriteria":"Higher"`: "successCriteria",
		`"kind":"custom","measureType":"value","eventKey":"e","valueAggregation":"max"`:   "valueAggregation",
	} {
		for _, more := range []string{`"key":"m"`, `"name":"M"`, `"successCriteria":"LowerThanBaseline"`} {
			if name, _, _ := strings.Cut(more, ":"); !strings.Contains(args, name) || name == `"key"` && !strings.Contains(args, `"key":`) {
				args += "," + more
			}
		}
		if got := r.call("create-metric", `{"projectKey":"shop",`+args+`}`); !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(want)) {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
	if n := len(r.Requests()) - before; n > 0 {
		t.Errorf("%d requests were made", n)
	}
	// The key of an event may be any text, unlike that of a resource.
	if got := r.call("create-metric", `{"projectKey":"shop","key":"placed","name":"M","kind":"custom","measureType":"count","successCriteria":"HigherThanBaseline","eventKey":"Order / placed: ✓"}`); !strings.Contains(got, `"eventKey":"Order / placed: ✓"`) {
		t.Error(got)
	}
	// Each way to name a page is sent in the field that it has.
	got := r.call("create-metric", `{"projectKey":"shop","key":"m","name":"M","kind":"pageview","measureType":"count","successCriteria":"HigherThanBaseline","urls":[
		{"kind":"exact","url":"https://a"},{"kind":"canonical","url":"https://b"},{"kind":"substring","substring":"/c"},{"kind":"regex","pattern":"d+"}]}`)
	if want := `"urls":[{"kind":"exact","url":"https://a"},{"kind":"canonical","url":"https://b"},{"kind":"substring","substring":"/c"},{"kind":"regex","pattern":"d+"}]`; len(r.Writes()) != 2 || !strings.Contains(string(r.Writes()[1].Body), want) {
		t.Errorf("%s: sent %v", got, r.Writes())
	}
}

// edited answers some GETs with what edit made of the account's answer.
type edited struct {
	*sandbox.Account
	path string
	edit func(rep map[string]any)
}

func (e edited) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := e.Account.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || r.URL.Path != e.path || res.StatusCode != http.StatusOK {
		return res, err
	}
	var rep map[string]any
	if err := json.NewDecoder(res.Body).Decode(&rep); err != nil {
		return nil, err
	}
	e.edit(rep)
	b, err := json.Marshal(rep)
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	res.Header.Del("Content-Length")
	return res, err
}

// TestMetricsInUse: what is measured does not change while something running measures by it; all else does, unasked.
func TestMetricsInUse(t *testing.T) {
	experiment := map[string]any{"key": "x", "name": "X", "environmentId": "1", "environmentKey": "test", "creationDate": 1, "_links": map[string]any{}}
	elsewhere := map[string]any{"key": "y", "name": "Y", "environmentId": "2", "environmentKey": "secret-lab", "creationDate": 1, "archivedDate": 2, "_links": map[string]any{}}
	forget := func(rep map[string]any) {
		for _, name := range []string{"experiments", "experimentCount", "activeExperimentCount", "activeGuardedRolloutCount"} {
			delete(rep, name)
		}
	}
	uses := map[string]func(map[string]any){
		"running": func(rep map[string]any) {
			rep["experiments"], rep["activeExperimentCount"] = []any{experiment}, 1
		},
		"elsewhere": func(rep map[string]any) {
			rep["experiments"], rep["activeExperimentCount"] = []any{experiment, elsewhere}, 1
		},
		"in doubt": forget,
		"no counts": func(rep map[string]any) {
			forget(rep)
			rep["experiments"], rep["experimentCount"] = []any{experiment}, 1
			rep["activeGuardedRolloutCount"] = 0
		},
		"past": func(rep map[string]any) { rep["experiments"], rep["experimentCount"] = []any{experiment}, 1 },
		"free": func(map[string]any) {},
	}
	const metric, group = `"metricKey":"order-value"`, `"metricGroupKey":"shop-health"`
	for _, test := range []struct{ use, tool, args, want string }{
		{"running", "update-metric", metric + `,"unit":"EUR"`, "! Metric order-value of project shop is measured by 1 running experiment (experiments with it: x in test), so its unit cannot change"},
		{"running", "update-metric", metric + `,"name":"N","measureType":"count"`, "so its measureType, unit cannot change"},
		{"running", "update-metric", metric + `,"archived":true`, "so its archived cannot change"},
		{"running", "update-metric", metric + `,"unit":"USD","name":"N"`, `"changed":true`}, // it is so already
		{"running", "update-metric", metric + `,"name":"N","description":"D","tags":["a"],"maintainerId":"grace@example.com"`, `"maintainer":"Grace Hopper"`},
		{"running", "delete-metric", metric, "is measured by 1 running experiment (experiments with it: x in test); stop them first"},
		{"running", "update-metric-group", group + `,"metrics":[{"key":"error-rate"},{"key":"order-value"}]`, "is measured by 1 running experiment (experiments with it: x in test), so its metrics cannot change"},
		{"running", "update-metric-group", group + `,"metrics":[{"key":"error-rate"},{"key":"search-latency"}]`, "is so already"},
		{"running", "update-metric-group", group + `,"name":"N"`, `"changed":true`},
		{"running", "delete-metric-group", group, "is measured by 1 running experiment"},
		{"elsewhere", "get-metric", metric, `"experiments":["x in test"],"experimentCount":1,"activeExperimentCount":1`},
		{"elsewhere", "get-metric-group", group, `"experiments":["x in test"],"experimentCount":1,"activeExperimentCount":1`},
		{"in doubt", "update-metric", metric + `,"unit":"EUR"`, "LaunchDarkly did not tell whether a running experiment uses it; look before you agree. LaunchDarkly did not tell whether a guarded rollout under way uses it"},
		{"in doubt", "update-metric", metric + `,"name":"N"`, `"changed":true`},
		{"in doubt", "delete-metric", metric, "LaunchDarkly did not tell whether a running experiment uses it"},
		{"in doubt", "update-metric-group", group + `,"metrics":[{"key":"error-rate"},{"key":"order-value"}]`, "LaunchDarkly did not tell whether a guarded rollout under way uses it"},
		{"no counts", "update-metric", metric + `,"unit":"EUR"`, "LaunchDarkly did not tell whether a running experiment uses it (experiments with it: x in test); look before you agree."},
		{"past", "update-metric", metric + `,"unit":"EUR"`, "1 experiment used it (experiments with it: x in test); what is measured from now on does not compare with that"},
		{"past", "delete-metric", metric, "left without: 1 experiment (experiments with it: x in test)"},
		{"past", "delete-metric-group", group, "left without: 1 experiment"},
		{"free", "update-metric", metric + `,"unit":"EUR"`, `change its unit from "USD" to "EUR". Protected: production (critical), regulated (critical). LaunchDarkly's audit log takes no comment for this kind of change. Nothing was changed yet`},
	} {
		r := start(t, func(s *setup) {
			path := "/api/v2/metrics/shop/order-value"
			if strings.Contains(test.tool, "group") {
				path = "/api/v2/projects/shop/metric-groups/shop-health"
			}
			s.client.Transport = edited{s.client.Transport.(*sandbox.Account), path, uses[test.use]}
			if strings.HasPrefix(test.tool, "get") {
				s.client.Scope.Environments = []string{"production", "staging", "test", "regulated"}
			}
		})
		if !strings.HasPrefix(test.tool, "get") && !strings.HasPrefix(test.want, `"changed"`) { // what reaches nothing wants no comment either
			test.args += `,"comment":"c"`
		}
		got := r.call(test.tool, `{"projectKey":"shop",`+test.args+`}`)
		if !strings.Contains(got, test.want) || strings.Contains(got, "secret-lab") {
			t.Errorf("%s, %s %s: got %s, want %s", test.use, test.tool, test.args, got, test.want)
		}
		if n := len(r.Writes()); (n > 0) != (strings.Contains(got, `"changed":true`)) {
			t.Errorf("%s, %s %s: %d writes: %s", test.use, test.tool, test.args, n, got)
		}
	}
}

// TestMetricsInRollouts: a guarded rollout under way keeps its metrics, and a policy the ones it attaches.
func TestMetricsInRollouts(t *testing.T) {
	r := start(t, never)
	for _, test := range []struct{ tool, args, want string }{
		{"update-metric", `"metricKey":"reviews-written","measureType":"occurrence"`, "is measured by 2 guarded rollouts under way (the latest: flag product-reviews in production (in_progress))"},
		{"update-release-policy", `"policyKey":"checkout-guarded","metricKeys":["buy-clicks"],"metricGroupKeys":["shop-health"]`, `"changed":true`},
		{"delete-metric", `"metricKey":"buy-clicks"`, "is attached to guarded rollouts by release policies (checkout-guarded)"},
		{"delete-metric-group", `"metricGroupKey":"shop-health"`, "is attached to guarded rollouts by release policies (checkout-guarded)"},
		{"update-metric", `"metricKey":"buy-clicks","archived":true`, "these release policies go on attaching it to guarded rollouts: checkout-guarded"},
		{"update-metric", `"metricKey":"buy-clicks","archived":true`, "is so already"},
		{"update-metric", `"metricKey":"buy-clicks","archived":false`, `"changed":true`},
		{"update-release-policy", `"policyKey":"checkout-guarded","metricKeys":["error-rate"],"metricGroupKeys":[]`, `"changed":true`},
		{"delete-metric", `"metricKey":"buy-clicks"`, `"changed":true`},
		{"delete-metric", `"metricKey":"buy-clicks"`, `There is no metric "buy-clicks"`},
		{"delete-metric-group", `"metricGroupKey":"shop-health"`, `"changed":true`},
	} {
		if got := r.call(test.tool, `{"projectKey":"shop","comment":"c",`+test.args+`}`); !strings.Contains(got, test.want) {
			t.Errorf("%s %s: got %s, want %s", test.tool, test.args, got, test.want)
		}
	}
	// Where policies cannot be read, that is said to who confirms.
	r = start(t, func(s *setup) {
		s.client.Transport = failing{s.client.Transport.(*sandbox.Account), "/release-policies"}
	})
	if got := r.call("delete-metric", `{"projectKey":"shop","comment":"c","metricKey":"buy-clicks"}`); !strings.Contains(got, "Release policies could not be read") || len(r.Writes()) > 0 {
		t.Error(got)
	}
}

// between runs do once, before the n-th request of a method to a path.
type between struct {
	*sandbox.Account
	method, path string
	n            *int
	do           func(*sandbox.Account)
}

func (b between) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == b.method && r.URL.Path == b.path {
		if *b.n--; *b.n == 0 {
			b.do(b.Account)
		}
	}
	return b.Account.RoundTrip(r)
}

// TestMetricsAreNotOverwritten: what somebody else changes between reading and writing is not lost unseen.
func TestMetricsAreNotOverwritten(t *testing.T) {
	const metrics, groups = "/api/v2/metrics/shop/", "/api/v2/projects/shop/metric-groups/"
	for _, test := range []struct {
		tool, args   string
		method, path string
		n            int
		theirs       string // what the other one sets
		want         string
	}{
		{"update-metric", `"metricKey":"order-value","unit":"EUR"`, "PATCH", metrics + "order-value", 1, `{"op":"replace","path":"/unit","value":"GBP"}`, `"before":{"key":"order-value","unit":"GBP"},"after":{"key":"order-value","unit":"EUR"}`},
		{"update-metric", `"metricKey":"order-value","measureType":"count","unit":""`, "PATCH", metrics + "order-value", 1, `{"op":"replace","path":"/unitAggregationType","value":"average"}`, `"valueAggregation":"average","unit":"USD"},"after":{"key":"order-value","measureType":"count"}`},
		{"update-metric", `"metricKey":"order-value","eventKey":"e"`, "PATCH", metrics + "order-value", 1, `{"op":"replace","path":"/eventKey","value":"e"}`, "is so already"},
		{"update-metric", `"metricKey":"order-value","description":"mine"`, "PATCH", metrics + "order-value", 1, `{"op":"replace","path":"/name","value":"Theirs"}`, `"after":{"key":"order-value","name":"Theirs","description":"mine"}`},
		{"update-metric", `"metricKey":"buy-clicks","urls":[{"kind":"substring","url":"/mine"}]`, "GET", metrics + "buy-clicks", 2, `{"op":"replace","path":"/urls","value":[{"kind":"substring","substring":"/theirs"}]}`, `"urls":[{"kind":"substring","url":"/theirs"}]},"after"`},
		{"update-metric", `"metricKey":"buy-clicks","randomizationUnits":["device"]`, "PATCH", metrics + "buy-clicks", 1, `{"op":"replace","path":"/randomizationUnits","value":["org"]}`, `"before":{"key":"buy-clicks","randomizationUnits":["org"]}`},
		{"update-metric-group", `"metricGroupKey":"checkout-funnel","metrics":[{"key":"product-views"},{"key":"cart-added"}]`, "GET", groups + "checkout-funnel", 2,
			`{"op":"replace","path":"/metrics","value":[{"key":"cart-added","nameInGroup":"Cart"},{"key":"checkout-conversion","nameInGroup":"Paid"}]}`, `"before":{"key":"checkout-funnel","metrics":[{"key":"cart-added","nameInGroup":"Cart"`},
	} {
		r := start(t, never, func(s *setup) {
			account := s.client.Transport.(*sandbox.Account)
			s.client.Transport = between{account, test.method, test.path, new(test.n), func(a *sandbox.Account) {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "https://app.launchdarkly.com"+test.path, strings.NewReader("["+test.theirs+"]"))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", sandbox.WriterToken)
				req.Header.Set("LD-API-Version", "beta")
				if res, err := a.RoundTrip(req); err != nil || res.StatusCode != 200 {
					t.Fatalf("the other change failed: %v, %v", res, err)
				}
			}}
		})
		if got := r.call(test.tool, `{"projectKey":"shop","comment":"c",`+test.args+`}`); !strings.Contains(got, test.want) {
			t.Errorf("%s %s: got %s, want %s", test.tool, test.args, got, test.want)
		}
	}
}

// TestMetricGroups: a group's metrics are there, fit its kind and keep their order and names.
func TestMetricGroups(t *testing.T) {
	r := start(t, never)
	for _, test := range []struct{ tool, args, want string }{
		{"create-metric-group", `"key":"g","name":"G","kind":"funnel","metrics":[{"key":"cart-added"}]`, "two metrics at least"},
		{"create-metric-group", `"key":"g","name":"G","kind":"funnel","metrics":[{"key":"cart-added"},{"key":"product-views"},{"key":"cart-added"}]`, "names cart-added twice"},
		{"create-metric-group", `"key":"g","name":"G","kind":"funnel","metrics":[{"key":"cart-added"},{"key":"search-latency"}]`, "search-latency measures values"},
		{"create-metric-group", `"key":"g","name":"G","kind":"funnel","metrics":[{"key":"cart-aded"},{"key":"product-views"}]`, "did you mean cart-added?"},
		{"create-metric-group", `"key":"g","name":"G","kind":"funnel","metrics":[{"key":"cart-added"},{"key":"product-views"}],"maintainerId":"nobody@example.com"`, "there is no member nobody@example.com"},
		{"create-metric-group", `"key":"shop-health","name":"G","kind":"funnel","metrics":[{"key":"cart-added"},{"key":"product-views"}]`, "has a metric group shop-health already"},
		{"create-metric-group", `"key":"g","name":"G","kind":"funnel","metrics":[{"key":"product-views"},{"key":"buy-clicks"},{"key":"newsletter-signups"}],"dryRun":true`, `"buy-clicks counts events, and a funnel asks whether there was one","newsletter-signups is archived"]`},
		{"update-metric", `"metricKey":"buy-clicks","randomizationUnits":["device"]`, `"changed":true`},
		{"create-metric-group", `"key":"g","name":"G","kind":"standard","metrics":[{"key":"product-views"},{"key":"buy-clicks"}],"dryRun":true`, "share no randomization unit"},
		{"create-metric-group", `"key":"g","name":"G","kind":"standard","metrics":[{"metricKey":"product-views","name":"Views"},{"key":"order-value"}],"maintainerId":"alan@example.com"`, `"metrics":[{"key":"product-views","nameInGroup":"Views","measureType":"occurrence"},{"key":"order-value","nameInGroup":"Order value","measureType":"value"}],"maintainer":"Alan Turing"`},
		{"update-metric-group", `"metricGroupKey":"g"`, "othing to change"},
		{"update-metric-group", `"metricGroupKey":"g","metrics":[{"key":"order-value"},{"key":"product-views"}]`, `"after":{"key":"g","metrics":[{"key":"order-value","nameInGroup":"Order value","measureType":"value"},{"key":"product-views","nameInGroup":"Views"`},
		{"update-metric-group", `"metricGroupKey":"g","metrics":[{"key":"order-value"},{"key":"product-views"}]`, "is so already"},
		{"update-metric-group", `"metricGroupKey":"g","metrics":[]`, "two metrics at least"},
		{"delete-metric", `"metricKey":"order-value"`, "is in metric groups (g)"},
		{"get-metric", `"metricKey":"order-value"`, `"metricGroups":["g"]`},
		{"get-metric-group", `"metricGroupKey":"checkout"`, "did you mean checkout-funnel?"},
	} {
		why := `"comment":"c",`
		if strings.HasPrefix(test.tool, "get") {
			why = ""
		}
		if got := r.call(test.tool, `{"projectKey":"shop",`+why+test.args+`}`); !strings.Contains(got, test.want) {
			t.Errorf("%s %s: got %s, want %s", test.tool, test.args, got, test.want)
		}
	}
}

// TestMetricGroupMaintainer: a group wants a maintainer, which a service token cannot be.
func TestMetricGroupMaintainer(t *testing.T) {
	const group = `{"projectKey":"shop","key":"g","name":"G","kind":"standard","metrics":[{"key":"order-value"},{"key":"cart-added"}]`
	r := start(t, never, func(s *setup) {
		account := s.client.Transport.(*sandbox.Account)
		s.client.Token = ldclient.StaticToken(ldclient.Token(account.AddToken(sandbox.TokenOptions{Name: "service", InlineRole: []policy.Statement{
			{Effect: "allow", Resources: []string{"proj/*", "proj/*:metric/*", "proj/*:metric-group/*"}, Actions: []string{"*"}},
			{Effect: "allow", Resources: []string{"member/*"}, Actions: []string{"*"}}}})))
	})
	if got := r.call("create-metric-group", group+`}`); !strings.Contains(got, "issing maintainerId: the token belongs to no member") || len(r.Writes()) > 0 {
		t.Error(got)
	}
	if got := r.call("create-metric-group", group+`,"maintainerId":"`+memberID("Grace")+`"}`); !strings.Contains(got, `"maintainer":"Grace Hopper"`) {
		t.Error(got)
	}
}

// TestManyMetrics: lists longer than LaunchDarkly's pages of them are read whole and in order.
func TestManyMetrics(t *testing.T) {
	r := start(t, never)
	for i := range 115 {
		body := fmt.Sprintf(`{"key":"m%03d","kind":"custom","eventKey":"e"}`, i)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://app.launchdarkly.com/api/v2/metrics/mobile", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", sandbox.WriterToken)
		if res, err := r.RoundTrip(req); err != nil || res.StatusCode != 201 {
			t.Fatal(res, err)
		}
	}
	type list struct {
		Items      []struct{ Key string }
		TotalCount int
		NextOffset int
	}
	for _, test := range []struct{ limit, offset, want, next int }{
		{20, 0, 20, 20}, {50, 0, 50, 50}, {51, 3, 51, 54}, {100, 10, 100, 110}, {100, 70, 45, 0}, {200, 0, 115, 0}, {120, 60, 55, 0}, {1, 114, 1, 0},
	} {
		got := replied[list](t, r.call("list-metrics", fmt.Sprintf(`{"projectKey":"mobile","limit":%d,"offset":%d}`, test.limit, test.offset)))
		if len(got.Items) != test.want || got.TotalCount != 115 || got.NextOffset != test.next {
			t.Errorf("limit %d, offset %d: %d items of %d, next %d", test.limit, test.offset, len(got.Items), got.TotalCount, got.NextOffset)
		}
		for i, m := range got.Items {
			if m.Key != fmt.Sprintf("m%03d", test.offset+i) {
				t.Fatalf("limit %d, offset %d: item %d is %s", test.limit, test.offset, i, m.Key)
			}
		}
	}
	if !slices.ContainsFunc(r.Requests(), func(q sandbox.Request) bool { return strings.Contains(q.Query, "limit=50") }) {
		t.Error("no page was asked for in halves")
	}
}
