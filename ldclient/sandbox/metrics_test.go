package sandbox

import (
	"maps"
	"net/http"
	"strings"
	"testing"
)

func init() {
	moreSamples = append(moreSamples, func(a *Account) map[string][]string {
		return map[string][]string{
			"metric":      {"error-rate", "search-latency", "product-views", "buy-clicks", "newsletter-signups", "cart-added"},
			"metricGroup": {"checkout-funnel", "shop-health"},
		}
	})
	maps.Copy(queries, map[string][]string{
		"/metrics/{project}": {"expand=experimentCount&limit=2&offset=1&sort=-name", "filter=query+equals+%22rate%22,tags+contains+%5B%22reliability%22%5D",
			"filter=eventKind+equals+custom,isNumeric+equals+true", "filter=hasConnections+equals+true&sort=createdAt"},
		"/metrics/{project}/{metric}":                     {"expand=experiments,experimentCount,metricGroups,metricGroupCount,lastUsedInGuardedRollout"},
		"/projects/{project}/metric-groups":               {"filter=kind+equals+funnel,query+equals+check&sort=-connectionCount", "filter=hasConnections+equals+false&limit=1"},
		"/projects/{project}/metric-groups/{metricGroup}": {"expand=experiments,experimentCount"},
	})
}

// TestMetricsChange walks metrics and groups through all that changes them; each request and answer is held against the document.
func TestMetricsChange(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	beta := []string{"LD-API-Version", "beta"}
	member := a.memberNamed("Grace").ID
	object := func(pairs ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i].(string)] = pairs[i+1]
		}
		return out
	}
	patch := func(pairs ...any) []any {
		var out []any
		for i := 0; i < len(pairs); i += 3 {
			out = append(out, object("op", pairs[i], "path", pairs[i+1], "value", pairs[i+2]))
		}
		return out
	}
	const metrics, groups = "/metrics/shop", "/projects/shop/metric-groups"
	page := []any{object("kind", "exact", "url", "https://shop.example.com")}
	for _, test := range []struct {
		method, path string
		body         any
		status       int
		want         string
	}{
		{"POST", metrics, object("key", "latency", "kind", "custom", "eventKey", "e", "isNumeric", true, "successCriteria", "LowerThanBaseline", "unit", "ms"), 201,
			`"unitAggregationType":"average"`},
		{"POST", metrics, object("key", "latency", "kind", "custom", "eventKey", "e"), 409, "already exists"},
		{"POST", metrics, object("key", "a b", "kind", "custom", "eventKey", "e"), 400, "Invalid key"},
		{"POST", metrics, object("key", "m", "kind", "custom"), 400, "eventKey is required"},
		{"POST", metrics, object("key", "m", "kind", "custom", "eventKey", "e", "isNumeric", true), 400, "successCriteria is required"},
		{"POST", metrics, object("key", "m", "kind", "custom", "eventKey", "e", "unit", "ms"), 400, "unit is for numeric"},
		{"POST", metrics, object("key", "m", "kind", "custom", "eventKey", "e", "urls", page), 400, "urls are for"},
		{"POST", metrics, object("key", "m", "kind", "custom", "eventKey", "e", "maintainerId", "nobody"), 400, "unknown maintainer"},
		{"POST", metrics, object("key", "m", "kind", "pageview"), 400, "urls are required"},
		{"POST", metrics, object("key", "m", "kind", "pageview", "urls", page, "selector", "#a"), 400, "selector is for"},
		{"POST", metrics, object("key", "m", "kind", "pageview", "urls", page, "eventKey", "e"), 400, "eventKey is for"},
		{"POST", metrics, object("key", "m", "kind", "click", "urls", page), 400, "selector is required"},
		{"POST", metrics, object("key", "m", "kind", "click", "urls", page, "selector", "#a"), 201, `"selector":"#a"`},
		{"POST", metrics, object("key", "v", "kind", "pageview", "urls", []any{object("kind", "regex", "url", "x")}), 400, "each url needs"},
		{"PATCH", metrics + "/latency", patch("test", "/unit", "s", "replace", "/unit", "us"), 409, "test operation"},
		{"PATCH", metrics + "/latency", patch("test", "/unit", "ms", "replace", "/unit", "us"), 200, `"_version":2`},
		{"PATCH", metrics + "/latency", patch("replace", "/kind", "click"), 400, "only"},
		{"PATCH", metrics + "/latency", patch("replace", "/isNumeric", false), 400, "unit is for numeric"},
		{"PATCH", metrics + "/latency", patch("replace", "/isNumeric", false, "replace", "/unit", ""), 200, `"isNumeric":false`},
		{"PATCH", metrics + "/latency", patch("replace", "/_id", "x"), 400, "Invalid JSON Patch path"},
		{"PATCH", metrics + "/latency", patch("replace", "/name", " "), 400, "Invalid name"},
		{"PATCH", metrics + "/latency", patch("replace", "/archived", true), 200, `"archived":true`},
		{"GET", metrics + "/error-rate?expand=metricGroups,metricGroupCount,lastUsedInGuardedRollout", nil, 200, `"metricGroupCount":1`},
		{"GET", metrics + "/error-rate?expand=everything", nil, 400, "expand"},
		{"GET", metrics + "?limit=51", nil, 400, "at most 50"},
		{"GET", metrics + "?filter=query+equals+latency", nil, 200, `"totalCount":1`}, // the archived one is not listed
		{"GET", metrics + "?filter=color+equals+red", nil, 400, "filter"},
		{"GET", metrics + "/nothing", nil, 404, "Unknown metric key nothing"},
		{"DELETE", metrics + "/error-rate", nil, 409, "is in use"},
		{"DELETE", metrics + "/latency", nil, 204, ""},

		{"POST", groups, object("key", "g", "name", "G", "kind", "funnel", "maintainerId", member, "tags", []any{}, "metrics",
			[]any{object("key", "cart-added", "nameInGroup", "First"), object("key", "m", "nameInGroup", "Then")}), 201, `"kind":"funnel"`},
		{"POST", groups, object("key", "g", "name", "G", "kind", "funnel", "maintainerId", member, "tags", []any{}, "metrics",
			[]any{object("key", "m", "nameInGroup", "m")}), 409, "already exists"},
		{"POST", groups, object("key", "h", "name", "H", "kind", "standard", "maintainerId", member, "tags", []any{}, "metrics",
			[]any{object("key", "nothing", "nameInGroup", "m")}), 400, "unknown metric key 'nothing'"},
		{"POST", groups, object("key", "h", "name", "H", "kind", "standard", "maintainerId", "", "tags", []any{}, "metrics",
			[]any{object("key", "m", "nameInGroup", "m")}), 400, "maintainerId"},
		{"POST", groups, object("key", "h", "name", "H", "kind", "standard", "maintainerId", member, "tags", []any{}, "metrics", []any{}), 400, "at least one"},
		{"DELETE", metrics + "/m", nil, 409, "is in use"},
		{"PATCH", groups + "/g", patch("replace", "/metrics", []any{object("key", "m", "nameInGroup", "1"), object("key", "cart-added", "nameInGroup", "2")}), 200,
			`"_version":2`},
		{"PATCH", groups + "/g", patch("replace", "/metrics", []any{object("key", "m", "nameInGroup", "1"), object("key", "m", "nameInGroup", "2")}), 400, "twice"},
		{"PATCH", groups + "/g", patch("replace", "/kind", "standard"), 400, "kind"},
		{"DELETE", groups + "/g", nil, 204, ""},
		{"DELETE", metrics + "/m", nil, 204, ""},
		{"GET", groups + "/g", nil, 404, "Unknown metric group key g"},
	} {
		header := []string{}
		if strings.HasPrefix(test.path, groups) {
			header = beta
		}
		check := checked
		if test.status == http.StatusConflict || test.status == http.StatusBadRequest || test.status == http.StatusNotFound {
			check = ask // the document does not list each refusal
		}
		if got := check(t, a, test.method, test.path, test.body, header...); got.status != test.status || !strings.Contains(string(got.body), test.want) {
			t.Errorf("%s %s %v: %d %s, want %d %s", test.method, test.path, test.body, got.status, got.body, test.status, test.want)
		}
	}
}

// TestMetricVersions: the version ID of a metric changes with its definition, not with its name.
func TestMetricVersions(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	m := a.findProject("shop").metric("search-latency")
	was := m.VersionID
	ask(t, a, "PATCH", "/metrics/shop/search-latency", []any{map[string]any{"op": "replace", "path": "/name", "value": "Latency"}})
	if m.VersionID != was || m.Version != 2 || m.Name != "Latency" {
		t.Errorf("after a new name: %s, version %d, %s", m.VersionID, m.Version, m.Name)
	}
	ask(t, a, "PATCH", "/metrics/shop/search-latency", []any{map[string]any{"op": "replace", "path": "/unit", "value": "s"}})
	if m.VersionID == was || m.Version != 3 {
		t.Errorf("after a new unit: %s, version %d", m.VersionID, m.Version)
	}
	if got := a.audit[len(a.audit)-1]; got.Actions[0] != "updateNumericUnit" || got.Resource != "proj/shop:metric/search-latency" {
		t.Errorf("the audit log has %v on %s", got.Actions, got.Resource)
	}
}
