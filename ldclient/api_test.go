package ldclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
)

// operations make a document of operations, each a method and a path.
func operations(t *testing.T, lines ...string) *openapi.Document {
	t.Helper()
	paths := map[string]map[string]any{}
	for _, line := range lines {
		method, path, _ := strings.Cut(line, " ")
		path = "/api/v2" + path
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(method)] = map[string]any{"operationId": line, "requestBody": map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": map[string]any{}}}}}
	}
	b, err := json.Marshal(map[string]any{"paths": paths})
	if err != nil {
		t.Fatal(err)
	}
	d, err := openapi.Read(json.NewDecoder(strings.NewReader(string(b))), SecretName)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func apiCall(t *testing.T, line string, path map[string]string, query url.Values, body string) APICall {
	t.Helper()
	k := APICall{Op: operations(t, line).Operations()[0], Path: path, Query: query}
	if body != "" {
		if err := json.Unmarshal([]byte(body), &k.Body); err != nil {
			t.Fatal(err)
		}
		m, _ := k.Body.(map[string]any)
		_, k.Semantic = m["instructions"].([]any)
	}
	return k
}

var inShop = map[string]string{"projectKey": "shop", "projKey": "shop", "environmentKey": "test", "envKey": "test", "featureFlagKey": "dark", "flagKey": "dark", "segmentKey": "vip", "id": "42", "repo": "a/b",
	"x": "x1", "y": "y1", "z": "z1", "teamKey": "crew", "contextKey": "c", "contextKind": "user", "integrationKey": "datadog"}

// TestTargets: what a call is about, from everything that it names.
func TestTargets(t *testing.T) {
	c, err := New(Config{Token: StaticToken("api-x")})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ op, query, body, want string }{
		{"PATCH /flags/{projectKey}/{featureFlagKey}", "", `[{"op":"replace","path":"/name","value":"n"}]`, "proj/shop:env/*:flag/dark"},
		{"PATCH /flags/{projectKey}/{featureFlagKey}", "", `{"environmentKey":"test","instructions":[{"kind":"turnFlagOn"}]}`, "proj/shop:env/test:flag/dark"},
		{"PATCH /flags/{projectKey}/{featureFlagKey}", "", `{"environmentKey":"test","instructions":[{"kind":"updateName"}]}`, "proj/shop:env/*:flag/dark"},
		{"PATCH /flags/{projectKey}/{featureFlagKey}", "", `{"environmentKey":"test","instructions":[{"kind":"turnFlagOn","environmentKey":"production"}]}`, "proj/shop:env/*:flag/dark"},
		{"PATCH /flags/{projectKey}/{featureFlagKey}", "", `{"environmentKey":"test","EnvironmentKey":"production","instructions":[{"kind":"turnFlagOn"}]}`, "proj/shop:env/*:flag/dark"},
		{"PATCH /flags/{projectKey}/{featureFlagKey}", "", `{"environmentKey":"test","environmentId":"5f","instructions":[{"kind":"turnFlagOn"}]}`, "proj/shop:env/*:flag/dark"},
		{"PATCH /flags/{projectKey}/{featureFlagKey}", "", `{"environmentKey":"test","PROJECT_KEY":"mobile","instructions":[{"kind":"turnFlagOn"}]}`, "acct/*"},
		{"POST /flags/{projectKey}/{featureFlagKey}/copy", "", `{"source":{"key":"test"},"target":{"key":"production"}}`, "proj/shop:env/*:flag/dark"},
		{"PATCH /segments/{projectKey}/{environmentKey}/{segmentKey}", "", `{"instructions":[{"kind":"addRule"}]}`, "proj/shop:env/test:segment/vip"},
		{"PATCH /segments/{projectKey}/{environmentKey}/{segmentKey}", "", `{"instructions":[{"kind":"addRule"}],"environmentKey":"production"}`, "proj/shop:env/*:segment/vip"},
		{"PATCH /segments/{x}/{y}/{z}", "", `{}`, "proj/x1:env/y1"},
		{"PATCH /segments/{environmentKey}/{projectKey}/{segmentKey}", "", `{}`, "! PATCH /segments/{environmentKey}/{projectKey}/{segmentKey} names environmentKey where something else belongs, so it is not called"},
		{"PATCH /projects/{x}/flags/{projectKey}", "", `{}`, "! PATCH /projects/{x}/flags/{projectKey} names projectKey where something else belongs, so it is not called"},
		{"PATCH /projects/{x}/environments/{y}", "", `{}`, "proj/x1:env/y1"},
		{"POST /projects/{projectKey}/environments/{envKey}/holdouts", "", `{}`, "proj/shop:env/test"},
		{"PATCH /segments/{projectKey}/{segmentKey}/expiring-targets/{environmentKey}", "", `{}`, "proj/shop:env/test:segment/vip"},
		{"POST /approval-requests", "", `{"resourceId":"proj/shop:env/production:flag/dark"}`, "proj/shop:env/production"},
		{"POST /approval-requests", "", `{"resourceId":"proj/*:env/production:flag/dark"}`, "acct/*"},
		{"POST /approval-requests", "", `{"resourceId":"nonsense"}`, "acct/*"},
		{"POST /engineering-insights/deployment-events", "", `{"projectKey":"shop","environmentKey":"test"}`, "proj/shop:env/test"},
		{"POST /engineering-insights/deployment-events", "", `{"projectKey":"shop","environmentKey":"test","environments":["production"]}`, "proj/shop"},
		{"PUT /engineering-insights/repositories/projects", "", `{"mappings":[{"projectKey":"shop"},{"projectKey":"mobile"}]}`, "acct/*"},
		{"PUT /engineering-insights/repositories/projects", "", `{"mappings":[{"projectKey":"shop"}]}`, "proj/shop"},
		{"PATCH /teams/{teamKey}", "", `{}`, "team/crew"},
		{"PATCH /webhooks/{id}", "", `[]`, "webhook/42"},
		{"PATCH /code-refs/repositories/{repo}", "", `[]`, "acct/*"},
		{"PATCH /code-refs/repositories/{repo}", "projKey=shop", `[]`, "proj/shop"},
		{"POST /destinations/projects/{projKey}/environments/{envKey}/generate-trust-policy", "", ``, "proj/shop:env/test"},
		{"PATCH /destinations/{projectKey}/{environmentKey}/{id}", "", `[]`, "proj/shop:env/test:destination/42"},
		{"GET /usage/total-mau", "projectKey=shop&environmentKey=test", ``, "proj/shop:env/test"},
		{"GET /usage/total-mau", "projectKey=shop&projectKey=mobile", ``, "acct/* + proj/shop + proj/mobile"},
		{"GET /flags/{projectKey}", "env=test&env=production", ``, "proj/shop + proj/shop + proj/shop:env/test + proj/shop:env/production"},
		{"GET /code-refs/repositories", "projKey=shop", ``, "proj/shop"},
		{"POST /projects/{projectKey}/environments/{environmentKey}/flags/evaluate", "", `{"kind":"user","key":"u","environment":"mars","project":"x"}`, "proj/shop:env/test"},
	} {
		query, err := url.ParseQuery(test.query)
		if err != nil {
			t.Fatal(err)
		}
		at, also, err := c.API.Targets(apiCall(t, test.op, inShop, query, test.body))
		got := at.String()
		for _, o := range also {
			got += " + " + o.String()
		}
		if err != nil {
			got = "! " + err.Error()
		}
		if got != test.want {
			t.Errorf("%s ?%s %s: %s, want %s", test.op, test.query, test.body, got, test.want)
		}
	}
}

// TestPositions: each parameter of LaunchDarkly's paths is where this client looks for it.
func TestPositions(t *testing.T) {
	for line, want := range map[string][2]int{
		"flags/{}/{}": {1, -1}, "flags/{}/{}/{}/dependent-flags": {1, 2}, "flags/{}/{}/dependent-flags": {1, -1}, "flags/{}/{}/triggers/{}/{}": {1, 4},
		"flag-statuses/{}/{}/{}": {1, 2}, "segments/{}/{}/{}/contexts": {1, 2}, "segments/{}/{}/expiring-targets/{}": {1, 4}, "users/{}/{}/{}/flags/{}": {1, 2},
		"users/{}/{}/expiring-user-targets/{}": {1, 4}, "metrics/{}/{}": {1, -1}, "integration-capabilities/flag-import/{}/{}": {2, -1},
		"integration-capabilities/featureStore/{}/{}/{}": {2, 3}, "usage/evaluations/{}/{}/{}": {2, 3}, "code-refs/statistics/{}": {2, -1},
		"projects/{}/flags/{}/environments/{}/workflows": {1, 5}, "destinations/generate-warehouse-destination-key-pair": {-1, -1}, "tokens/{}": {-1, -1}, "": {-1, -1},
	} {
		p, e := positions(strings.Split(line, "/"))
		if got := [2]int{p, e}; got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}

// answering is a server that answers each request with what a function says.
type answering func(*http.Request) (int, http.Header, string)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	status, head, body := a(r)
	if head == nil {
		head = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: head, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestPathsDoNotClimb: no value of a parameter makes a request for something else.
func TestPathsDoNotClimb(t *testing.T) {
	var seen []string
	c, err := New(Config{Token: StaticToken("api-x"), Transport: answering(func(r *http.Request) (int, http.Header, string) {
		seen = append(seen, r.Method+" "+r.URL.Host+" "+r.URL.EscapedPath()+"?"+r.URL.RawQuery)
		return 200, nil, `{"ok":true}`
	})})
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"../tokens", "..", ".", "a/../../tokens", "%2e%2e", "..%2Ftokens", "..%5ctokens", "%252e", "a;/../b", `..\tokens`, "", "a\x00b", "a\r\nHost: evil", "\ufffd"} {
		for _, op := range []string{"GET /code-refs/repositories/{repo}", "GET /projects/{projectKey}/environments/{environmentKey}/contexts/{contextKind}/{key}", "GET /tokens/{id}", "GET /flags/{projectKey}"} {
			for _, name := range []string{"repo", "key", "id", "projectKey"} {
				path := maps.Clone(inShop)
				path["key"] = "k"
				path[name] = value
				if !strings.Contains(op, "{"+name+"}") {
					continue
				}
				if _, err := c.API.Call(t.Context(), apiCall(t, op, path, nil, "")); err == nil {
					t.Errorf("%s with %q: asked for %s", op, value, seen[len(seen)-1])
				}
			}
		}
	}
	if len(seen) > 0 {
		t.Errorf("requests %v", seen)
	}
	for value, want := range map[string]string{"org/repo": "org%2Frepo", "a?b=c#d": "a%3Fb=c%23d", "feature/x..y": "feature%2Fx..y", "a b": "a%20b"} {
		seen = nil
		if _, err := c.API.Call(t.Context(), apiCall(t, "GET /code-refs/repositories/{repo}", map[string]string{"repo": value}, nil, "")); err != nil || seen[0] != "GET app.launchdarkly.com /api/v2/code-refs/repositories/"+want+"?" {
			t.Errorf("%q: %v %v", value, seen, err)
		}
	}
}

// TestDocumentIsKept: it is read once for many, looked after once an hour, and used on when that fails.
func TestDocumentIsKept(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	status, etag := 200, `"a"`
	c, err := New(Config{Token: StaticToken("api-x"), Transport: answering(func(r *http.Request) (int, http.Header, string) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path+" "+r.Header.Get("If-None-Match")+" "+r.Header.Get("LD-API-Version"))
		if status == 200 && r.Header.Get("If-None-Match") == etag {
			return 304, nil, ""
		}
		return status, http.Header{"Etag": {etag}}, `{"paths":{"/api/v2/x` + strings.Trim(etag, `"`) + `":{"get":{}}}}`
	})})
	if err != nil {
		t.Fatal(err)
	}
	path := func() string {
		d, err := c.API.Document(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d.Operations()[0].Path
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() { c.API.Document(t.Context()) })
	}
	group.Wait()
	older := func() { c.spec.checked = time.Now().Add(-2 * documentAge) }
	if path() != "/xa" || len(asked) != 1 {
		t.Errorf("%s, asked %v", path(), asked)
	}
	older()
	path()
	if path() != "/xa" || len(asked) != 2 || asked[1] != `/api/v2/openapi.json "a" 20240415` {
		t.Errorf("asked %v", asked)
	}
	etag = `"b"`
	older()
	if path() != "/xb" || len(asked) != 3 {
		t.Errorf("asked %v", asked)
	}
	status = 500
	older()
	path()
	if path() != "/xb" || len(asked) != 4 {
		t.Errorf("asked %v", asked)
	}
	if got := c.Narrow(true, Scope{}); got.API.c == c || got.spec.doc == nil {
		t.Error("a narrowed client does not share the document")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c.spec.turn <- struct{}{}
	if _, err := c.API.Document(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for nothing: %v", err)
	}
}

// TestMaskSecrets: secrets go by name and by shape, and nothing else does.
func TestMaskSecrets(t *testing.T) {
	const key = "sdk-01234567-89ab-cdef-0123-456789abcdef"
	in := `{"apiKey":"x","api_key":"x","API-KEY":"x","mobileKey":"x","_clientSecret":"x","clientSecret":"x","fullKey":"x","triggerURL":"https://x","token":"x","Token":"x",
		"secret":["x",{"a":"x"}],"privateKey":"x","awsSecretAccessKey":"x","dbPassword":"x","accessToken":"x","note":"the key is ` + key + `","\u017fecret":"x","to\u212aen":"x"}`
	var v map[string]any
	if err := json.Unmarshal([]byte(in), &v); err != nil {
		t.Fatal(err)
	}
	got, found := MaskSecrets(v, false)
	b, _ := json.Marshal(got)
	if !found || strings.Contains(string(b), `"x"`) || strings.Contains(string(b), "https") || strings.Contains(string(b), "0123-456") {
		t.Errorf("%s", b)
	}
	for _, plain := range []string{
		`{"tokens":[{"_id":"1"}],"keys":["a"],"tokenId":"1","tokenName":"ci","maxTokens":5,"continuationToken":"abc","token":{"_id":"1","ending":"abcd"},"key":"secret","keyName":"x","clientSideId":"abc",
			"flags":{"secret":{"on":true},"token":{"key":"token"}},"displayKey":"abcd","name":"My secret flag","variations":[{"value":"password","name":"token"}],"secure":true,"config":{"a":"b"},"path":"/name","value":"v"}`,
	} {
		var was, is any
		json.Unmarshal([]byte(plain), &was)
		json.Unmarshal([]byte(plain), &is)
		is, found := MaskSecrets(is, false)
		if d := cmp.Diff(was, is); d != "" || found {
			t.Errorf("masked too much: %s", d)
		}
	}
	for in, want := range map[string]string{
		`{"config":{"url":"u","nested":{"deep":["x",1]}},"name":"n"}`:                                                                                  `{"config":{"nested":{"deep":["****",1]},"url":"****"},"name":"n"}`,
		`{"url":"https://hooks.example/services/T/B/x?y=z","siteUrl":"https://me:pw@example.com","selfUrl":"/api/v2/x","plain":"https://example.com"}`: `{"plain":"https://example.com","selfUrl":"/api/v2/x","siteUrl":"https://example.com/****","url":"https://hooks.example/****"}`,
		`[{"op":"replace","path":"/secret","value":"x"},{"op":"add","path":"/name","value":"n"}]`:                                                      `[{"op":"replace","path":"/secret","value":"****"},{"op":"add","path":"/name","value":"n"}]`,
		`[{"op":"replace","path":"/config/deep/x","value":"x"},{"op":"replace","path":"/url","value":"https://hooks.example/T/x"}]`:                    `[{"op":"replace","path":"/config/deep/x","value":"****"},{"op":"replace","path":"/url","value":"https://hooks.example/****"}]`,
	} {
		var v any
		json.Unmarshal([]byte(in), &v)
		got, _ := MaskSecrets(v, true)
		if b, _ := json.Marshal(got); string(b) != want {
			t.Errorf("%s: %s", in, b)
		}
	}
}

// TestMaskAuditEntries: the audit log shows settings for other services whole, and those of flags.
func TestMaskAuditEntries(t *testing.T) {
	for in, want := range map[string]string{
		`{"kind":"webhook","titleVerb":"changed","currentVersion":{"name":"n","url":"https://hooks.example/T/x"},"delta":[{"op":"replace","path":"/url","value":"https://hooks.example/T/x"}]}`: `{"currentVersion":{"name":"n","url":"https://hooks.example/****"},"delta":[{"op":"replace","path":"/url","value":"https://hooks.example/****"}],"kind":"webhook","titleVerb":"changed"}`,
		`{"items":[{"kind":"integration","currentVersion":{"config":{"region":"x"}}},{"kind":"flag","currentVersion":{"config":{"a":"b"},"url":"https://example.com/a"}}]}`:                     `{"items":[{"currentVersion":{"config":{"region":"****"}},"kind":"integration"},{"currentVersion":{"config":{"a":"b"},"url":"https://example.com/a"},"kind":"flag"}]}`,
		`{"kind":"flag","currentVersion":{"environments":{"test":{"apiKey":"x"}}},"previousVersion":{"mobileKey":"x"}}`:                                                                         `{"currentVersion":{"environments":{"test":{"apiKey":"****"}}},"kind":"flag","previousVersion":{"mobileKey":"****"}}`,
		`{"kind":"webhook","url":"https://example.com/a"}`: `{"kind":"webhook","url":"https://example.com/a"}`,
	} {
		var v any
		json.Unmarshal([]byte(in), &v)
		got, _ := MaskSecrets(v, false)
		if b, _ := json.Marshal(got); string(b) != want {
			t.Errorf("%s: %s", in, b)
		}
	}
}

// TestRepliesAreCutToTheScope: what belongs to other projects and environments is taken out, and what cannot be told apart is not asked for.
func TestRepliesAreCutToTheScope(t *testing.T) {
	asked := 0
	c, err := New(Config{Token: StaticToken("api-x"), Scope: Scope{Projects: []string{"shop"}, Environments: []string{"test"}}, Transport: answering(func(*http.Request) (int, http.Header, string) {
		asked++
		return 200, nil, `{"environments":{"test":{"on":true},"production":{"on":false}},"items":[{"key":"a","environmentKey":"production"},{"key":"b","environmentKey":"test"},{"key":"c","projectKey":"mobile"},{"key":"d","project":{"key":"mobile"}}]}`
	})})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.API.Call(t.Context(), apiCall(t, "GET /flags/{projectKey}/{featureFlagKey}", inShop, nil, ""))
	if err != nil || !got.Cut {
		t.Fatal(got, err)
	}
	if b, _ := json.Marshal(got.Value); string(b) != `{"environments":{"test":{"on":true}},"items":[{"environmentKey":"test","key":"b"}]}` {
		t.Errorf("%s", b)
	}
	asked = 0
	for _, test := range []struct{ op, query string }{
		{"GET /projects", ""}, {"GET /approval-requests", ""}, {"POST /auditlog", ""}, {"GET /usage/total-mau", ""}, {"GET /usage/total-mau", "environmentKey=test"},
		{"GET /usage/total-mau", "projectKey=mobile"}, {"GET /usage/total-mau", "projectKey=shop&projectKey=mobile"}, {"GET /usage/total-mau", "projectKey=shop&environmentKey=production"},
		{"GET /flags/{projectKey}", "env=test&env=production"}, {"GET /destinations", ""}, {"GET /webhooks", ""},
		{"GET /auditlog", "spec=proj/shop"}, {"GET /auditlog", "spec=proj/shop:env/*:flag/*"}, {"GET /auditlog", "spec=proj/*:env/test:flag/*"}, {"GET /auditlog", "spec=proj/shop:proj/*:env/test"},
		{"GET /usage/total-mau", "projectKey=shop"}, {"GET /engineering-insights/deployments", "projectKey=shop"},
	} {
		query, _ := url.ParseQuery(test.query)
		_, err := c.API.Call(t.Context(), apiCall(t, test.op, inShop, query, ""))
		if _, ok := errors.AsType[*ScopeError](err); !ok || asked > 0 {
			t.Errorf("%s ?%s: %v, %d requests", test.op, test.query, err, asked)
		}
	}
	for _, op := range []string{"PATCH /roles/{id}", "POST /webhooks", "PATCH /flags/{projectKey}/{featureFlagKey}", "POST /unheard-of/{id}"} {
		if _, err := c.API.Call(t.Context(), apiCall(t, op, inShop, nil, `{"environmentKey":"test"}`)); err == nil || asked > 0 {
			t.Errorf("%s: %v", op, err)
		}
	}
	for _, test := range []struct{ op, query string }{
		{"GET /auditlog", "spec=proj/shop:env/test:flag/*"}, {"GET /usage/total-mau", "projectKey=shop&environmentKey=test"}, {"GET /projects/{projectKey}/experiments", ""},
	} {
		query, _ := url.ParseQuery(test.query)
		if _, err := c.API.Call(t.Context(), apiCall(t, test.op, inShop, query, "")); err != nil {
			t.Errorf("%s ?%s: %v", test.op, test.query, err)
		}
	}
	for _, op := range []string{"GET /members", "GET /caller-identity", "GET /versions"} {
		if _, err := c.API.Call(t.Context(), apiCall(t, op, inShop, nil, "")); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// TestTeamsAreCutToTheScope: what a reply on the account lists of projects is only what is in scope.
func TestTeamsAreCutToTheScope(t *testing.T) {
	c, err := New(Config{Token: StaticToken("api-x"), Scope: Scope{Projects: []string{"shop"}}, Transport: answering(func(*http.Request) (int, http.Header, string) {
		return 200, nil, `{"items":[{"key":"crew","projects":{"totalCount":2,"items":[{"key":"shop"},{"key":"secret"}]},"roles":{"items":[{"key":"r"}]}},{"key":"b","projects":[{"key":"secret"}]}]}`
	})})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.API.Call(t.Context(), apiCall(t, "GET /teams", nil, nil, ""))
	if err != nil || !got.Cut {
		t.Fatal(got, err)
	}
	if b, _ := json.Marshal(got.Value); string(b) != `{"items":[{"key":"crew","projects":{"items":[{"key":"shop"}],"totalCount":2},"roles":{"items":[{"key":"r"}]}},{"key":"b","projects":[]}]}` {
		t.Errorf("%s", b)
	}
}

// TestWritesByPath: what writes is known by method and path, whatever an operation calls itself.
func TestWritesByPath(t *testing.T) {
	var got []string
	for _, op := range operations(t, "GET /a", "POST /a", "PUT /a", "PATCH /a", "DELETE /a", "POST /auditlog", "POST /auditlog/{id}", "POST /auditlog/counts",
		"POST /projects/{x}/environments/{y}/contexts/search", "POST /projects/{x}/environments/{y}/{z}/search").Operations() {
		if !(*APIService)(nil).Writes(op) {
			got = append(got, op.String())
		}
	}
	want := []string{"GET /a", "POST /auditlog", "POST /auditlog/counts", "POST /projects/{x}/environments/{y}/contexts/search"}
	if !slices.Equal(got, want) {
		t.Errorf("%v only read, want %v", got, want)
	}
}

// TestAnswersOfAnyForm: an operation may answer with a list, with a number or with nothing; what is cut short is an error.
func TestAnswersOfAnyForm(t *testing.T) {
	for body, want := range map[string]string{"": "<nil>", "[1,2]": "[1 2]", "7": "7", `{"a":null}`: "map[a:<nil>]", "null": "<nil>", `{"a":`: "!", "<html>": "!"} {
		c, err := New(Config{Token: StaticToken("api-x"), Transport: answering(func(*http.Request) (int, http.Header, string) { return 200, nil, body })})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.API.Call(t.Context(), apiCall(t, "GET /things", nil, nil, ""))
		says := "!"
		if err == nil {
			says = fmt.Sprint(got.Value)
		}
		if says != want {
			t.Errorf("%q: %s %v, want %s", body, says, err, want)
		}
	}
}
