package tools_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// sown puts a secret into every place of a reply in which LaunchDarkly may keep one.
type sown struct {
	http.RoundTripper
	secret string
}

var secretFields = []string{"secret", "fullKey", "displayKey", "token", "apiKey", "responseBody", "config", "configValues", "snowflakeSetupScript", "url"}

func (s sown) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	var v any
	if err != nil || json.Unmarshal(b, &v) != nil {
		return resp, err
	}
	var sow func(any)
	sow = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if _, thing := v["_id"]; thing {
				v["snowflakeSetupScript"], v["fullKey"], v["apiKey"], v["secret"] = s.secret, s.secret, s.secret, s.secret
			}
			for k, inner := range v {
				switch {
				case !slices.Contains(secretFields, k):
					sow(inner)
				case k == "config" || k == "configValues":
					v[k] = map[string]any{"field": s.secret, "more": map[string]any{s.secret: s.secret}}
				case k == "url":
					v[k] = "https://" + s.secret + ":" + s.secret + "@example.com/hooks/" + s.secret + "?" + s.secret + "=" + s.secret + "#" + s.secret
				default:
					v[k] = s.secret
				}
			}
		case []any:
			for _, inner := range v {
				sow(inner)
			}
		}
	}
	sow(v)
	if b, err = json.Marshal(v); err != nil {
		return nil, err
	}
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(string(b))), int64(len(b))
	return resp, nil
}

// TestIntegrationSecrets: nothing that opens another service, or lets anybody speak to it, is shown.
func TestIntegrationSecrets(t *testing.T) {
	const secret = "swordfish-4711-hunter"
	r := start(t, func(s *setup) { s.client.Transport = sown{s.client.Transport, secret} })
	at := connectedTo()
	for _, call := range []struct{ tool, args string }{
		{"list-webhooks", `{}`},
		{"get-webhook", fmt.Sprintf(`{"id":%q}`, at.webhook)},
		{"list-integrations", `{}`},
		{"get-integration", fmt.Sprintf(`{"integrationKey":"slack","id":%q}`, at.subscription)},
		{"list-destinations", `{}`},
		{"get-destination", fmt.Sprintf(`{"projectKey":"shop","environmentKey":"production","id":%q}`, at.destination)},
		{"list-relay-configs", `{}`},
		{"get-relay-config", fmt.Sprintf(`{"id":%q}`, at.relay)},
		{"list-access-tokens", `{}`},
		{"list-access-tokens", `{"query":"a"}`},
	} {
		got := r.call(call.tool, call.args)
		if strings.HasPrefix(got, "!") || !strings.Contains(got, `"_id":"`) {
			t.Errorf("%s: %s", call.tool, got)
		}
		for _, part := range []string{secret, "swordfish", "4711", "-hunter"} {
			if strings.Contains(got, part) {
				t.Errorf("%s shows %q of a secret: %s", call.tool, part, got)
			}
		}
	}
	for _, want := range []string{"list-webhooks", "get-webhook"} {
		if got := r.callWith(want, sampleOf(t, want)); !strings.Contains(got, `"https://…@example.com/hooks/…?…"`) {
			t.Errorf("%s: the address is not shown: %s", want, got)
		}
	}
}

func sampleOf(t *testing.T, name string) map[string]any {
	t.Helper()
	for _, tool := range everyTool() {
		if tool.Name == name {
			return sample(t, tool, "production")
		}
	}
	t.Fatalf("no tool %s", name)
	return nil
}

// TestIntegrationsInScope: what the account connects for other projects and environments than those in scope is not shown, nor named.
func TestIntegrationsInScope(t *testing.T) {
	at := connectedTo()
	for name, test := range map[string]struct {
		scope        ldclient.Scope
		has, hasNot  []string
		oneWebhook   bool
		usage, shop  string // what the whole account, and the project, come to
		shopInsights bool
	}{
		"a project": {scope: ldclient.Scope{Projects: []string{"shop"}}, oneWebhook: true, shopInsights: true,
			has:    []string{"Deploy watcher", "Archive", "#releases", "Events", "Event stream", "Shop relay", "Edge store", "outside this server's scope are left out"},
			hasNot: []string{"mobile", "Mobile", "Customer data"}, usage: "! Missing projectKey", shop: `"series":[{`},
		"a pattern": {scope: ldclient.Scope{Projects: []string{"sh?p*"}}, oneWebhook: true, shopInsights: true,
			has: []string{"Deploy watcher", "Event stream", "Shop relay"}, hasNot: []string{"mobile", "Mobile", "Customer data"}, usage: "! Missing projectKey", shop: `"series":[{`},
		"an environment": {scope: ldclient.Scope{Environments: []string{"test"}},
			has: []string{"Archive", "Shop relay", "Mobile channel"}, hasNot: []string{"production", "Deploy watcher", "Event stream", "Edge store", "#releases", "Mobile relay"},
			usage: "! Missing projectKey", shop: "! Missing environmentKey"},
		"the other project": {scope: ldclient.Scope{Projects: []string{"mobile"}},
			has: []string{"Mobile channel", "Mobile relay", "#releases", "Customer data"}, hasNot: []string{"shop:", "proj/shop", "Deploy watcher", "Event stream", "Shop relay", "Edge store"},
			usage: "! Missing projectKey", shop: `! Project "shop" is outside`},
		"neither": {scope: ldclient.Scope{Projects: []string{"none"}},
			has: []string{"Archive", "Change requests"}, hasNot: []string{"shop:", "proj/shop", "proj/mobile", "Mobile", "Event stream"}, usage: "! Missing projectKey", shop: `! Project "shop" is outside`},
	} {
		r := start(t, func(s *setup) { s.client.Scope = test.scope })
		all := ""
		for _, tool := range []string{"list-webhooks", "list-integrations", "list-destinations", "list-relay-configs"} {
			all += r.call(tool, `{}`)
		}
		for _, want := range test.has {
			if !strings.Contains(all, want) {
				t.Errorf("%s: no %s in %s", name, want, all)
			}
		}
		for _, not := range test.hasNot {
			if strings.Contains(all, not) {
				t.Errorf("%s: %s in %s", name, not, all)
			}
		}
		for tool, args := range map[string]string{
			"get-webhook":      fmt.Sprintf(`{"id":%q}`, at.webhook),
			"get-relay-config": fmt.Sprintf(`{"id":%q}`, at.relay),
			"get-destination":  fmt.Sprintf(`{"projectKey":"shop","environmentKey":"production","id":%q}`, at.destination),
		} {
			got, allowed := r.call(tool, args), test.oneWebhook || tool == "get-relay-config" && name == "an environment"
			if strings.HasPrefix(got, "!") == allowed || !allowed && !strings.Contains(got, "scope") {
				t.Errorf("%s: %s: %s", name, tool, got)
			}
		}
		if got := r.call("get-account-usage", `{"kind":"total-mau"}`); !strings.HasPrefix(got, test.usage) {
			t.Errorf("%s: the account's usage: %s", name, got)
		}
		if got := r.call("get-account-usage", `{"kind":"total-mau","projectKey":"shop"}`); !strings.Contains(got, test.shop) {
			t.Errorf("%s: the shop's usage: %s", name, got)
		}
		for _, kind := range []string{"streams-server", "events-received", "mau-by-category"} {
			if got := r.call("get-account-usage", fmt.Sprintf(`{"kind":%q}`, kind)); !strings.Contains(got, "outside this server's scope") {
				t.Errorf("%s: %s: %s", name, kind, got)
			}
		}
		for tool, args := range map[string]string{
			"get-insight-scores": `{"projectKey":"shop"}`, "get-insights": `{"chart":"lead-time","projectKey":"shop"}`,
			"list-insights": `{"list":"groups","projectKey":"shop"}`, "list-destinations": `{"projectKey":"shop","environmentKey":"production"}`,
		} {
			if got := r.call(tool, args); strings.HasPrefix(got, "! ") == test.shopInsights {
				t.Errorf("%s: %s: %s", name, tool, got)
			}
		}
		if got := r.call("list-insights", `{"list":"repositories","projectKey":"shop"}`); strings.HasPrefix(got, "! ") == test.shopInsights {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestListIntegrationsAsksLittle: one call makes a bounded number of requests, stops at the first where the token may not, and tells what it could not read.
func TestListIntegrationsAsksLittle(t *testing.T) {
	r := start(t)
	r.call("list-integrations", `{}`)
	if n := len(r.Requests()); n < 20 || n > 26 {
		t.Errorf("%d requests", n)
	}
	r = start(t)
	r.call("list-integrations", `{"integrationKey":"slack"}`)
	if n := len(r.Requests()); n != 4 {
		t.Errorf("%d requests for one integration", n)
	}
	forbidden := sandbox.Fault{Status: 403, Body: `{"code":"forbidden","message":"You may not"}`}
	r = start(t)
	r.Next(forbidden)
	if got := r.call("list-integrations", `{}`); !strings.HasPrefix(got, "! ") || len(r.Requests()) > 6 { // the others find out why
		t.Errorf("%d requests: %s", len(r.Requests()), got)
	}
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(s *setup) { s.client.Transport = withoutBeta{s.client.Transport.(*sandbox.Account), &sync.Map{}} })
		got := r.call("list-integrations", `{}`)
		for _, want := range []string{`"name":"Events"`, `"name":"Big segments"`, "Could not be read: configurations of servicenow, honeycomb, splunk (", "listed by their integrationKey"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in %s", want, got)
			}
		}
		if strings.Contains(got, "Change requests") || strings.Contains(got, "grafana") {
			t.Error(got)
		}
	})
}

// TestListIntegrationsInTime: where LaunchDarkly lets most of them wait, the others are told of before the call's time is up.
func TestListIntegrationsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(s *setup) { s.client.Transport = slowBeyond{s.client.Transport.(*sandbox.Account)} })
		got := r.call("list-integrations", `{}`)
		if !strings.Contains(got, `"name":"Events"`) || !strings.Contains(got, "Could not be read: ") || !strings.Contains(got, "did not answer in time") || strings.HasPrefix(got, "!") {
			t.Error(got)
		}
	})
}

// slowBeyond never answers of anything after grafana.
type slowBeyond struct{ *sandbox.Account }

func (s slowBeyond) RoundTrip(r *http.Request) (*http.Response, error) {
	if key, ok := strings.CutPrefix(r.URL.Path, "/api/v2/integrations/"); ok && key > "grafana" {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.Account.RoundTrip(r)
}

// withoutBeta is an account without the beta parts of a plan, which knows no grafana and has trouble with two more.
type withoutBeta struct {
	*sandbox.Account
	seen *sync.Map
}

func (f withoutBeta) RoundTrip(r *http.Request) (*http.Response, error) {
	f.seen.Store(r.URL.Path, true)
	status, body := 0, ""
	switch path := r.URL.Path; {
	case strings.Contains(path, "integration-configurations"):
		status, body = 403, `{"code":"forbidden","message":"not in your plan"}`
	case strings.HasSuffix(path, "/honeycomb"), strings.HasSuffix(path, "/splunk"):
		status, body = 500, `{"code":"internal_service_error","message":"it broke"}`
	case strings.HasSuffix(path, "/grafana"):
		status, body = 400, `{"code":"invalid_request","message":"unknown integration"}`
	default:
		return f.Account.RoundTrip(r)
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// TestTokenFilters: tokens that were not used for long are found, whoever they belong to, the longest unused first.
func TestTokenFilters(t *testing.T) {
	r := start(t)
	admin := r.AddToken(sandbox.TokenOptions{Name: "Audit", Role: "admin"})
	statement := []policy.Statement{{Effect: "allow", Actions: []string{"updateOn"}, Resources: []string{"proj/mobile:env/*:flag/*"}}}
	r.AddToken(sandbox.TokenOptions{Name: "Inline", InlineRole: statement})
	r = connect(t, r.Account, setup{Options: tools.Options{Toolsets: []string{"all"}}, client: ldclient.Config{Token: ldclient.StaticToken(ldclient.Token(admin)), Transport: r.Account}})
	names := func(args string) string {
		t.Helper()
		var page struct {
			Items []struct {
				Name, Role string
				Statements []string
			}
		}
		text := r.call("list-access-tokens", args)
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			t.Fatal(text)
		}
		var out []string
		for _, i := range page.Items {
			out = append(out, i.Name)
			if i.Name == "Inline" && (i.Role != "inline policy" || len(i.Statements) != 1 || strings.Contains(text, admin)) {
				t.Error(text)
			}
		}
		return strings.Join(out, ", ")
	}
	for args, want := range map[string]string{
		`{}`:                                     "Ada's laptop, Grace's dashboard, Katherine's terraform, Deploy pipeline, Alan's laptop, Audit, Inline",
		`{"limit":2,"offset":5}`:                 "Audit, Inline",
		`{"query":"katherine"}`:                  "Katherine's terraform",
		`{"query":"9f3a"}`:                       "Deploy pipeline",
		`{"unusedSince":"2026-03-02T11:30:00Z"}`: "Alan's laptop, Katherine's terraform, Grace's dashboard, Deploy pipeline",
		`{"unusedSince":"2026-03-02T11:30:00Z","query":"grace"}`:      "Grace's dashboard",
		`{"unusedSince":"2026-03-02T11:30:00Z","limit":1,"offset":2}`: "Grace's dashboard",
		`{"unusedSince":"2025-01-01"}`:                                "",
	} {
		if got := names(args); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}
