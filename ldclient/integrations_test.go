package ldclient_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// TestAddress: of an address only what could not be a secret is kept.
func TestAddress(t *testing.T) {
	for url, want := range map[string]ldclient.Address{
		"": "",
		"https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX":     "https://hooks.slack.com/services/…/…/…",
		"https://http-intake.logs.datadoghq.com/api/v2/logs?dd-api-key=0123456789abcdef":    "https://http-intake.logs.datadoghq.com/api/v2/logs?…",
		"https://us5.datadoghq.com/v1/input/0123456789abcdef":                               "https://us5.datadoghq.com/v1/input/…",
		"https://acme.webhook.office.com/webhookb2/5f1e@9c2d/IncomingWebhook/aabb/1122":     "https://acme.webhook.office.com/webhookb2/…/IncomingWebhook/…/…",
		"https://events.pagerduty.com/integration/0123456789abcdef0123456789abcdef/enqueue": "https://events.pagerduty.com/integration/…/enqueue",
		"https://hooks.zapier.com/hooks/catch/1234567/bqyzkfa/":                             "https://hooks.zapier.com/hooks/catch/…/…",
		"https://user:hunter2@example.com/hooks":                                            "https://…@example.com/hooks",
		"https://hunter2@example.com:8443":                                                  "https://…@example.com:8443",
		"https://example.com/flag-changes#hunter2":                                          "https://example.com/flag-changes?…",
		"https://example.com/hooks/swordfish/v1":                                            "https://example.com/hooks/…/v1",
		"https://example.com/hooks/%73%77%6f%72%64":                                         "https://example.com/hooks/…",
		"https://example.com/Flags.Changes;token=hunter2":                                   "https://example.com/…",
		"https://eo8x2k4qz7w1v9.m.pipedream.net/":                                           "https://….m.pipedream.net",
		"https://2f9c1a7b3d5e4f60.lambda-url.eu-west-1.on.aws/":                             "https://….lambda-url.eu-west-1.on.aws",
		"https://kjqwpoeirutyalskdj.ngrok.io":                                               "https://….ngrok.io",
		"http://10.0.0.7:8080/webhook":                                                      "http://10.0.0.7:8080/webhook",
		"http://[fe80::1]/hooks":                                                            "http://[fe80::1]/hooks",
		"HTTPS://Example.com/hooks":                                                         "https://example.com/hooks",
		"ftp://example.com/hooks":                                                           "…",
		"hunter2":                                                                           "…",
		"https:hunter2":                                                                     "…",
		"https://exa mple.com/hunter2":                                                      "…",
		"https://example.com/hooks/\x00hunter2":                                             "…",
		"https://example.com/release-flag-production-toggle-staging-hunter":                 "https://example.com/…",
		"https://example.com/release-flag-production-toggle":                                "https://example.com/…",
		"https://outlook.example.com/webhook/prod/../../secret":                             "https://outlook.example.com/webhook/prod/…/…/…",
	} {
		b, err := json.Marshal(url)
		if err != nil {
			t.Fatal(err)
		}
		var got ldclient.Address
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Errorf("%q: %q, want %q (%v)", url, got, want, err)
		}
	}
	for _, odd := range []string{`null`, `7`, `{"a":"hunter2"}`, `["hunter2"]`} {
		var got ldclient.Address
		if err := json.Unmarshal([]byte(odd), &got); err != nil || strings.Contains(string(got), "hunter") {
			t.Errorf("%s: %q, %v", odd, got, err)
		}
	}
}

// TestAddressHidesSecrets plants random secrets wherever an address can hold one.
func TestAddressHidesSecrets(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	alphabets := []string{"0123456789abcdef", "abcdefghijklmnopqrstuvwxyz0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz", "0123456789"}
	for range 5000 {
		alphabet := alphabets[r.IntN(len(alphabets))]
		secret := ""
		for range 10 + r.IntN(30) {
			secret += string(alphabet[r.IntN(len(alphabet))])
		}
		url := fmt.Sprintf([]string{"https://x:%s@example.com/hooks", "https://%s@example.com/", "https://example.com/hooks/%s", "https://example.com/%s/hooks", "https://example.com/v1-%s",
			"https://example.com/hooks?token=%s", "https://example.com/hooks?%s", "https://example.com/#%s", "https://example.com/hooks;k=%s", "%s", "mailto:%s@example.com", "https://example.com/a%%2f%s"}[r.IntN(12)], secret)
		b, _ := json.Marshal(map[string]string{"_id": "w", "url": url, "secret": secret})
		var w ldclient.Webhook
		if err := json.Unmarshal(b, &w); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%+v", w); strings.Contains(strings.ToLower(got), strings.ToLower(secret)) {
			t.Fatalf("%s shows as %s", url, got)
		}
	}
}

// TestSecretsAreNotDecoded: what LaunchDarkly shows beside the metadata of what it is connected with is in no struct.
func TestSecretsAreNotDecoded(t *testing.T) {
	const secret = "hunter2-swordfish-42"
	for name, test := range map[string]struct {
		into any
		body string
	}{
		"subscription":  {&ldclient.Subscription{}, `{"_id":"a","config":{"apiKey":"S","nested":{"S":1}},"url":"https://x/S","apiKey":"S","_status":{"errors":[{"statusCode":403,"responseBody":"S","timestamp":5}]}}`},
		"configuration": {&ldclient.IntegrationConfiguration{}, `{"_id":"a","configValues":{"password":"S"},"snowflakeSetupScript":"S","capabilityConfig":{"approvals":{"additionalFormVariables":[{"defaultValue":"S"}]}}}`},
		"store":         {&ldclient.StoreIntegration{}, `{"_id":"a","config":{"password":"S"},"_status":{"errors":[{"message":"S"}]}}`},
		"destination":   {&ldclient.Destination{}, `{"_id":"a","config":{"writeKey":"S","userIdentities":[{"S":"S"}]}}`},
		"config text":   {&ldclient.Destination{}, `{"_id":"a","config":"S"}`},
		"config list":   {&ldclient.Destination{}, `{"_id":"a","config":["S"]}`},
		"relay":         {&ldclient.RelayConfig{}, `{"_id":"a","fullKey":"S","displayKey":"S"}`},
		"token":         {&ldclient.TokenRecord{}, `{"_id":"a","token":"S"}`},
	} {
		if err := json.Unmarshal([]byte(strings.ReplaceAll(test.body, "S", secret)), test.into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b, err := json.Marshal(test.into)
		if got := fmt.Sprintf("%+v", test.into) + string(b); err != nil || strings.Contains(got, secret) || strings.Contains(got, secret[:12]) {
			t.Errorf("%s holds the secret: %s", name, got)
		}
	}
	for said, want := range map[string]ldclient.Ending{`"7f30"`: "7f30", `"abc"`: "abc", `"abcdefgh"`: "", `"api-01234567-89ab"`: "89ab", `""`: "", `null`: ""} {
		var got ldclient.Ending
		if err := json.Unmarshal([]byte(said), &got); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", said, got, want, err)
		}
	}
}

// TestPlace: which environment a destination belongs to is read from its link, and from no other one.
func TestPlace(t *testing.T) {
	for href, want := range map[string][2]string{
		"/api/v2/destinations/shop/production/610a": {"shop", "production"},
		"/api/v2/destinations/a%2Fb/production/610": {},
		"/api/v2/destinations/shop/production":      {},
		"/api/v2/destinations/../production/610a":   {},
		"/api/v2/destinations//production/610a":     {},
		"/api/v2/webhooks/shop/production/610a":     {},
		"":                                          {},
	} {
		var d ldclient.Destination
		d.Links.Self.Href = href
		if p, e := d.Place(); p != want[0] || e != want[1] {
			t.Errorf("%s: %q %q", href, p, e)
		}
	}
}

// TestUsageQueries: each kind is asked for at its own address, with times in its own unit.
func TestUsageQueries(t *testing.T) {
	for name, kind := range ldclient.UsageKinds() {
		var asked *http.Request
		c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = r
			return answer(200, `{"metadata":[{"sdkName":"go","n":1,"b":true,"o":{}}],"series":[{"time":1677888000000,"0":11},{"time":1677801600,"0":2.5},{"time":1677888000000,"0":null},{"0":3}],"_links":{}}`)(r)
		}))
		q := ldclient.UsageQuery{Kind: name, From: 1_677_000_000_000, To: 1_677_900_000_000}
		if kind.Flag {
			q.Project, q.Environment, q.Flag = "p", "e", "f"
		}
		got, err := c.Usage.Get(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seconds := strings.HasPrefix(name, "observability") || name == "vega-ai"
		if from := asked.URL.Query().Get("from"); (len(from) == 10) != seconds || !strings.HasPrefix(from, "1677") {
			t.Errorf("%s: from=%s", name, from)
		}
		want := []ldclient.UsageSeries{{Of: map[string]string{"sdkName": "go", "n": "1", "b": "true"}, Points: []ldclient.UsagePoint{{At: 1677801600000, Value: 2.5}, {At: 1677888000000, Value: 11}}}}
		if d := cmp.Diff(want, got.Series); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if asked.Header.Get("LD-API-Version") != "beta" {
			t.Errorf("%s: not asked as beta", name)
		}
	}
	c := newClient(t, roundTrip(func(*http.Request) (*http.Response, error) { t.Error("asked"); return nil, nil }))
	if _, err := c.Usage.Get(t.Context(), ldclient.UsageQuery{Kind: "../flags"}); err == nil {
		t.Error("a kind that there is not was asked for")
	}
}
