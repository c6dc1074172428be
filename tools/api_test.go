package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// overheard remembers the bodies of requests.
type overheard struct {
	http.RoundTripper
	bodies []string
	heads  []http.Header
	answer map[string]string // by method and path
}

func (r *overheard) RoundTrip(q *http.Request) (*http.Response, error) {
	if q.Body != nil {
		b, _ := io.ReadAll(q.Body)
		q.Body = io.NopCloser(bytes.NewReader(b))
		r.bodies, r.heads = append(r.bodies, strings.TrimSpace(string(b))), append(r.heads, q.Header)
	}
	if a, ok := r.answer[q.Method+" "+q.URL.Path]; ok {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(a)), Request: q}, nil
	}
	return r.RoundTripper.RoundTrip(q)
}

// raw calls a tool with arguments as they are written.
func (r *rig) raw(name, args string) string {
	r.t.Helper()
	reply := r.server.MCP().HandleMessage(r.t.Context(), json.RawMessage(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, name, args)))
	b, _ := json.Marshal(reply)
	var m struct{ Result mcp.CallToolResult }
	if err := json.Unmarshal(b, &m); err != nil || len(m.Result.Content) == 0 {
		r.t.Fatalf("%s %v", b, err)
	}
	return m.Result.Content[0].(mcp.TextContent).Text
}

const workflow = `{"operation":"postWorkflow","path":{"projectKey":"shop","environmentKey":"test","featureFlagKey":"f"},"comment":"c","confirm":"test","body":{"name":"w","stages":[{"name":"s","action":{"instructions":%s}}]}}`

// TestWriteAPIRefusesWhatBodiesHold: deletions and secrets inside of a body, in every spelling that a server may take.
func TestWriteAPIRefusesWhatBodiesHold(t *testing.T) {
	w := newWholeAPI(t)
	r := w.rigOf(t, func(s *setup) { s.Confirm, s.AllowReview = "never", false })
	for body, want := range map[string]string{
		`[{"kind":"deleteFlag"}]`:                                         "its instruction deleteFlag deletes",
		`[{"kind":"\u0064eleteFlag"}]`:                                    "its instruction deleteFlag deletes",
		`[{"Kind":"deleteFlag"}]`:                                         "its instruction deleteFlag deletes",
		`[{"\u212aind":"deleteFlag"}]`:                                    "its instruction deleteFlag deletes",
		`[{"kind":" DELETEFLAG "}]`:                                       "its instruction",
		`[{"kind":"delete\u200bFlag"}]`:                                   "its instruction deleteFlag deletes",
		`[{"kind":"turnFlagOn","kind":"deleteFlag"}]`:                     "its instruction deleteFlag deletes",
		`[{"kind":"turnFlagOn","then":{"deep":[{"kind":"deleteFlag"}]}}]`: "its instruction deleteFlag deletes",
		`{"kind":"cycleTriggerUrl"}`:                                      "its instruction cycleTriggerUrl makes a secret",
		`[{"kind":"turnFlagOn","secret":"x"}]`:                            "secret in the body is a secret",
		`[{"kind":"turnFlagOn","API_KEY":"x"}]`:                           "API_KEY in the body is a secret",
	} {
		w.writes = nil
		if got := r.raw("write-api", fmt.Sprintf(workflow, body)); !strings.Contains(got, want) || len(w.writes) > 0 {
			t.Errorf("%s: %s", body, got)
		}
		if got := r.raw("write-api", fmt.Sprintf(strings.Replace(workflow, `"body":{`, `"body":{"description":"d",`, 1), `[{"kind":"turnFlagOn"}]`)); !strings.Contains(got, `"changed":true`) || len(w.writes) != 1 {
			t.Errorf("a harmless one: %s", got)
		}
	}
	for args, want := range map[string]string{
		`{"operation":"patchWebhook","path":{"id":"1"},"body":[{"op":"replace","path":"/secret","value":"x"}]}`:                                     "/secret in the body is a secret",
		`{"operation":"patchWebhook","path":{"id":"1"},"body":[{"op":"replace","path":"/SECRET","value":"x"}]}`:                                     "/SECRET in the body is a secret",
		`{"operation":"patchWebhook","path":{"id":"1"},"body":[{"op":"copy","from":"/secret","path":"/name"}]}`:                                     "body",
		`{"operation":"patchWebhook","path":{"id":"1"},"body":[{"op":"replace","path":"","value":{"name":"x"}}]}`:                                   "the whole in the body is a secret",
		`{"operation":"patchWebhook","path":{"id":"1"},"body":[{"op":"add","path":"/x","value":{"a":[{"clientSecret":"x"}]}}]}`:                     "clientSecret in the body is a secret",
		`{"operation":"updateSubscription","path":{"integrationKey":"datadog","id":"1"},"body":[{"op":"add","path":"/config/apiUrl","value":"x"}]}`: "/config/apiUrl in the body is a secret",
		`{"operation":"createSubscription","path":{"integrationKey":"datadog"},"body":{"name":"n","config":{}}}`:                                    "its answer holds a secret",
		`{"operation":"postApprovalRequestReview","path":{"id":"1"},"body":{"kind":"approve"}}`:                                                     "reviewing is for people",
		`{"operation":"patchApprovalRequestSettings","path":{"projectKey":"shop"},"body":{}}`:                                                       "it decides which changes need an approval",
		`{"operation":"POST /tokens/{tokenId}/reset","path":{"id":"1"}}`:                                                                            "it is about secrets",
	} {
		w.writes = nil
		if got := r.raw("write-api", args); !strings.Contains(got, want) || len(w.writes) > 0 {
			t.Errorf("%s: %s", args, got)
		}
	}
}

// TestAllowOperations: the operator's list lets through what it names and nothing else, and that is always confirmed.
func TestAllowOperations(t *testing.T) {
	deletes := `{"operation":"deleteView","path":{"projectKey":"empty","viewKey":"v"}%s}`
	for name, test := range map[string]struct {
		allow []string
		call  string
		want  string
	}{
		"nothing":            {nil, deletes, "--allow-operations"},
		"something else":     {[]string{"deleteViews", "getView"}, deletes, "--allow-operations"},
		"its id":             {[]string{"deleteView"}, deletes, `confirm: "v"`},
		"a glob":             {[]string{"delete*"}, deletes, `confirm: "v"`},
		"another case":       {[]string{"DELETEVIEW"}, deletes, "--allow-operations"},
		"reviews stay":       {[]string{"*"}, `{"operation":"postApprovalRequestReview","path":{"id":"1"},"body":{"kind":"approve"}%s}`, "reviewing is for people"},
		"kinds by their own": {[]string{"postWorkflow"}, strings.TrimSuffix(fmt.Sprintf(workflow, `[{"kind":"deleteFlag"}]`), "}") + "%s}", "may allow deleteFlag"},
		"a kind":             {[]string{"deleteFlag"}, strings.Replace(strings.TrimSuffix(fmt.Sprintf(workflow, `[{"kind":"deleteFlag"}]`), "}"), `"confirm":"test"`, `"dryRun":false`, 1) + "%s}", `confirm: "f"`},
		"not the other way":  {[]string{"deleteFlag"}, `{"operation":"deleteFeatureFlag","path":{"projectKey":"shop","featureFlagKey":"f"}%s}`, "use delete-flag"},
	} {
		w := newWholeAPI(t)
		r := w.rigOf(t, func(s *setup) { s.AllowOperations, s.AllowReview = test.allow, false })
		if got := r.raw("write-api", fmt.Sprintf(test.call, `,"comment":"c"`)); !strings.Contains(got, test.want) || len(w.writes) > 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestWriteAPIKeepsToTools: what a tool does is left to it, reviews too, and what the operator left out is not done in another way.
func TestWriteAPIKeepsToTools(t *testing.T) {
	const (
		review = `{"operation":"postApprovalRequestReview","path":{"id":"1"},"body":{"kind":"approve"},"comment":"c"}`
		ofFlag = `{"operation":"postApprovalRequestReviewForFlag","path":{"projectKey":"shop","featureFlagKey":"f","environmentKey":"test","id":"1"},"body":{"kind":"approve"},"comment":"c"}`
		metric = `{"operation":"patchMetric","path":{"projectKey":"shop","metricKey":"m"},"body":[{"op":"replace","path":"/name","value":"n"}],"comment":"c","confirm":"m"}`
		invite = `{"operation":"postMembers","body":[{"email":"a@example.com"}],"comment":"c","confirm":"account"}`
	)
	for name, test := range map[string]struct {
		exclude, allow []string
		call, want     string
	}{
		"a review":                {nil, nil, review, "use review-approval-request instead"},
		"a review of a flag's":    {nil, nil, ofFlag, "use review-approval-request instead"},
		"a review, left out":      {[]string{"review-*"}, nil, review, "left out review-approval-request"},
		"a metric":                {nil, nil, metric, `"changed":true`},
		"a metric, left out":      {[]string{"update-metric"}, nil, metric, "left out update-metric"},
		"a metric, listed though": {[]string{"update-metric"}, []string{"patchMetric"}, metric, `"changed":true`},
		"members, left out":       {[]string{"invite-*"}, nil, invite, "left out invite-members"},
		"something else left out": {[]string{"create-metric"}, nil, metric, `"changed":true`},
	} {
		w := newWholeAPI(t)
		r := w.rigOf(t, func(s *setup) { s.AllowReview, s.ExcludeTools, s.AllowOperations = true, test.exclude, test.allow })
		got := r.raw("write-api", test.call)
		if !strings.Contains(got, test.want) || (len(w.writes) > 0) != strings.Contains(test.want, "changed") {
			t.Errorf("%s: %v %s", name, w.writes, got)
		}
	}
}

// TestRawCallsAreReviewed: approvals are asked for by raw operations on flags too, in all environments that they reach, and by the flag's tags.
func TestRawCallsAreReviewed(t *testing.T) {
	const (
		plain    = `{"_id":"2","key":"test","name":"T","critical":false,"confirmChanges":false,"requireComments":false}`
		required = `{"_id":"1","key":"production","name":"P","critical":false,"confirmChanges":false,"requireComments":false,"approvalSettings":{"required":true}}`
		tagged   = `{"_id":"1","key":"production","name":"P","critical":false,"confirmChanges":false,"requireComments":false,"approvalSettings":{"required":false,"requiredApprovalTags":["careful"]}}`
		release  = `{"operation":"patchReleaseByFlagKey","path":{"projectKey":"shop","flagKey":"f"},"body":[{"op":"replace","path":"/phases/0/complete","value":true}],"comment":"c"}`
		onWork   = `{"operation":"postWorkflow","path":{"projectKey":"shop","environmentKey":"production","featureFlagKey":"f"},"comment":"c","body":{"name":"w","stages":[{"name":"s","action":{"instructions":[{"kind":"turnFlagOn"}]}}]}}`
		metric   = `{"operation":"patchMetric","path":{"projectKey":"shop","metricKey":"m"},"body":[{"op":"replace","path":"/name","value":"n"}],"comment":"c"}`
	)
	for name, test := range map[string]struct {
		environment, tags, call string
		reviewed                bool
	}{
		"a release":                     {required, `[]`, release, true},
		"a release, by tag":             {tagged, `["careful"]`, release, true},
		"a release, other tag":          {tagged, `["other"]`, release, false},
		"a workflow":                    {required, `[]`, onWork, true},
		"a workflow, by tag":            {tagged, `["careful"]`, onWork, true},
		"a workflow, other tag":         {tagged, `["other"]`, onWork, false},
		"what contexts get not by this": {required, `[]`, metric, false},
	} {
		w := newWholeAPI(t)
		r := w.rigOf(t, func(s *setup) {
			s.client.Transport = &overheard{RoundTripper: w, answer: map[string]string{
				"GET /api/v2/projects/shop/environments":            `{"items":[` + plain + `,` + test.environment + `],"totalCount":2}`,
				"GET /api/v2/projects/shop/environments/production": test.environment,
				"GET /api/v2/flags/shop/f":                          `{"key":"f","name":"F","kind":"boolean","variations":[{"_id":"1","value":true},{"_id":"2","value":false}],"tags":` + test.tags + `,"environments":{}}`,
			}}
		})
		if got := r.raw("write-api", test.call); strings.Contains(got, "asks for an approval of flag changes") != test.reviewed || (len(w.writes) == 0) != test.reviewed {
			t.Errorf("%s: %v %s", name, w.writes, got)
		}
	}
}

// TestRawCallsAreNoted: the audit file and the log tell which operation was called, allowed or refused.
func TestRawCallsAreNoted(t *testing.T) {
	var audit, log bytes.Buffer
	w := newWholeAPI(t)
	r := w.rigOf(t, func(s *setup) {
		s.Toolsets, s.Audit, s.Confirm, s.Log = []string{"dynamic"}, &audit, "never", slog.New(slog.NewJSONHandler(&log, nil))
	})
	for _, args := range []string{
		`{"name":"write-api","arguments":{"operation":"patchTeam","path":{"teamKey":"t"},"body":{"instructions":[{"kind":"updateName","value":"n"}]}}}`,
		`{"name":"write-api","arguments":{"operation":"postToken","body":{}}}`,
	} {
		r.raw("call-write-tool", args)
	}
	r.raw("call-read-tool", `{"name":"read-api","arguments":{"operation":"getTeams"}}`)
	r.server.Close()
	for _, want := range []string{`"tool":"write-api","operation":"PATCH /teams/{teamKey}","resource":"team/t","outcome":"ok"`, `"tool":"write-api","operation":"POST /tokens","outcome":"refused"`} {
		if !strings.Contains(audit.String(), want) {
			t.Errorf("%s is not in %s", want, audit.String())
		}
	}
	if !strings.Contains(log.String(), `"operation":"GET /teams"`) {
		t.Error(log.String())
	}
}

// TestWriteAPISendsWhatItShows: one body, canonical, with the caller's reason, and never a header that a caller names.
func TestWriteAPISendsWhatItShows(t *testing.T) {
	w := newWholeAPI(t)
	rec := &overheard{RoundTripper: w}
	r := w.rigOf(t, func(s *setup) { s.client.Transport = rec })
	got := r.raw("write-api", `{"operation":"patchTeam","path":{"teamKey":"t"},"comment":"because","confirm":"t","headers":{"X-HTTP-Method-Override":"DELETE"},"body":{"instructions":[{"kind":"updateName","value":"n"}]}}`)
	if !strings.Contains(got, "o argument headers") || len(w.writes) > 0 {
		t.Error(got)
	}
	got = r.raw("write-api", `{"operation":"patchTeam","path":{"teamKey":"t"},"comment":"because","confirm":"t","body":{"instructions":[{"kind":"addMembers","values":["x"]}],"instructions":[{"kind":"updateName","value":"n"}]}}`)
	if len(w.writes) != 1 || rec.bodies[0] != `{"comment":"because [via ld-mcp]","instructions":[{"kind":"updateName","value":"n"}]}` ||
		rec.heads[0].Get("Content-Type") != "application/json; domain-model=launchdarkly.semanticpatch" || !strings.Contains(got, `"changed":true`) {
		t.Errorf("%v %v %s", w.writes, rec.bodies, got)
	}
	rec.bodies, w.writes = nil, nil
	got = r.raw("write-api", `{"operation":"patchRelayAutoConfig","path":{"id":"1"},"confirm":"1","body":"{\"patch\":[{\"op\":\"replace\",\"path\":\"/name\",\"value\":\"n\"}],\"comment\":\"mine\"}"}`)
	if len(w.writes) != 1 || rec.bodies[0] != `{"comment":"mine [via ld-mcp]","patch":[{"op":"replace","path":"/name","value":"n"}]}` || strings.Contains(got, "rel-") {
		t.Errorf("%v %v %s", w.writes, rec.bodies, got)
	}
}

// TestOperationsAskedForOddly: values that would change the request are refused, or only values.
func TestOperationsAskedForOddly(t *testing.T) {
	w := newWholeAPI(t)
	r := w.rigOf(t)
	for args, want := range map[string]string{
		`{"operation":"getProject","path":{"projectKey":"../tokens"}}`:                                            `is not a key`,
		`{"operation":"getProject","path":{"projectKey":"shop?expand=environments"}}`:                             `is not a key`,
		`{"operation":"getProject","path":{"projectKey":"shop%2F..%2F..%2Ftokens"}}`:                              `is not a key`,
		`{"operation":"getProject","path":{"projectKey":["shop","mobile"]}}`:                                      "must be one value",
		`{"operation":"getProject","path":{"projectKey":"shop","ProjectKey":"mobile"}}`:                           "no ProjectKey",
		`{"operation":"getProject","path":{"projectKey":"shop"},"query":{"Authorization":"x"}}`:                   "no Authorization",
		`{"operation":"getProject","path":{"projectKey":"shop"},"body":{"a":1}}`:                                  "takes no body",
		`{"operation":"GET /api/v2/projects/{key}/../../tokens"}`:                                                 "is not a path of an operation",
		`{"operation":"GET https://evil.example/api/v2/tokens"}`:                                                  "is not a path of an operation",
		`{"operation":"GET /projects/{a}","path":{"a":"shop"}}`:                                                   "missing projectKey",
		`{"operation":"GET /projects/{a}","path":{"project":"shop"}}`:                                             `"operation":"getProject"`,
		`{"operation":"getCodeRefs"}`:                                                                             "there is no operation",
		`{"operation":"getBranch","path":{"repo":"../../tokens","branch":"main"}}`:                                "could be taken for the path of something else",
		`{"operation":"getBranch","path":{"repo":"org/repo","branch":"feature/a?b"}}`:                             `"operation":"getBranch"`,
		`{"operation":"getProject","path":"{\"projectKey\":\"shop\"}","pointer":"/_links"}`:                       `"operation":"getProject"`,
		`{"operation":"getProject","path":{"projectKey":"shop"},"pointer":"/environments/items/0/apiKey/../key"}`: "pointer:",
	} {
		before := len(w.seen)
		got := r.raw("read-api", args)
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", args, got)
		}
		for _, line := range w.seen[before:] {
			if strings.Contains(line, "tokens") && !strings.Contains(line, "%") || strings.Contains(line, "..") {
				t.Errorf("%s: asked for %s", args, line)
			}
		}
	}
	if len(w.writes) > 0 {
		t.Error(w.writes)
	}
}

// TestLyingDocument: what a document calls an operation does not make it harmless.
func TestLyingDocument(t *testing.T) {
	account := sandbox.New(sandbox.Options{})
	doc := `{"servers":[{"url":"https://evil.example"}],"paths":{
		"/api/v2/projects/{projectKey}":{"delete":{"operationId":"patchNothing"},"get":{"operationId":"readNothing","requestBody":{"content":{"application/json":{"schema":{}}}}}},
		"/api/v2/tokens/{id}/reset":{"post":{"operationId":"searchTokens"}},
		"/api/v2/approval-requests/{id}/reviews":{"post":{"operationId":"applyNothing","requestBody":{"content":{"application/json":{"schema":{}}}}}},
		"/api/v2/flags/{projectKey}/{featureFlagKey}":{"patch":{"operationId":"patchMetric","requestBody":{"content":{"application/json":{"schema":{}}}}}},
		"/api/v2/segments/{environmentKey}/{projectKey}/{segmentKey}":{"post":{"operationId":"swap"}},
		"/api/v2/views/{projectKey}":{"delete":{"operationId":"twin"}},"/api/v2/layers/{projectKey}":{"delete":{"operationId":"Twin"}},
		"/api/v2/things/{thing}":{"put":{"operationId":"things","parameters":[{"name":"dryRun","in":"query","schema":{"type":"boolean"}}],"requestBody":{"content":{"application/json":{"schema":{}}}}}}}}`
	r := start(t, func(s *setup) {
		s.client.Transport = &overheard{RoundTripper: account, answer: map[string]string{"GET /api/v2/openapi.json": doc}}
		s.AllowOperations, s.AllowReview = []string{"patchNothing2", "Twin", "twin", "search"}, false
	})
	for args, want := range map[string]string{
		`{"operation":"patchNothing","path":{"projectKey":"shop"}}`:                                       "use delete-project",
		`{"operation":"searchTokens","path":{"id":"1"}}`:                                                  "it is about secrets",
		`{"operation":"applyNothing","path":{"id":"1"},"body":{"kind":"approve"}}`:                        "reviewing is for people",
		`{"operation":"patchMetric","path":{"projectKey":"shop","featureFlagKey":"dark-mode"},"body":[]}`: "use one of update-flag-settings",
		`{"operation":"swap","path":{"projectKey":"shop","environmentKey":"test","segmentKey":"s"}}`:      "names environmentKey where something else belongs",
		`{"operation":"DELETE /views/{p}","path":{"projectKey":"shop"}}`:                                  "it deletes",
		`{"operation":"things","path":{"thing":"shop"},"body":{}}`:                                        `confirm: "account"`,
		`{"operation":"readNothing","path":{"projectKey":"shop"}}`:                                        "call it with read-api",
	} {
		if got := r.raw("write-api", args); !strings.Contains(got, want) && !strings.Contains(got, "use get-project") {
			t.Errorf("%s: %s", args, got)
		}
	}
	got := r.raw("write-api", `{"operation":"things","path":{"thing":"shop"},"body":{},"dryRun":true}`)
	if !strings.Contains(got, `"dryRun":true`) || slices.ContainsFunc(account.Requests(), func(q sandbox.Request) bool { return q.Method != "GET" }) {
		t.Errorf("a dry run was sent: %s", got)
	}
	if got := r.raw("read-api", `{"operation":"readNothing","path":{"projectKey":"shop"},"body":{"a":1}}`); !strings.Contains(got, "takes no body") {
		t.Error(got)
	}
	if n := len(account.Writes()); n > 0 {
		t.Errorf("%d writes", n)
	}
}

// TestAPIStandIns: the configured project and environment stand in for parameters of the path, as for other tools.
func TestAPIStandIns(t *testing.T) {
	r := start(t, func(s *setup) { s.Project, s.Environment = "shop", "test" })
	if got := r.call("read-api", `{"operation":"getEnvironment","fields":["key"]}`); !strings.Contains(got, `"data":{"key":"test"}`) {
		t.Error(got)
	}
}

// TestAPIPages: a list is read page by page, at LaunchDarkly's offset where it has one and here where not.
func TestAPIPages(t *testing.T) {
	r := start(t)
	var keys []string
	for offset, rounds := 0, 0; rounds < 30; rounds++ {
		var page struct {
			Data       struct{ Items []struct{ Key string } }
			NextOffset int
		}
		got := r.call("read-api", fmt.Sprintf(`{"operation":"getFeatureFlags","path":{"projectKey":"shop"},"limit":9,"offset":%d,"fields":["key"]}`, offset))
		if err := json.Unmarshal([]byte(got), &page); err != nil {
			t.Fatal(got)
		}
		for _, f := range page.Data.Items {
			keys = append(keys, f.Key)
		}
		if page.NextOffset == 0 {
			break
		}
		offset = page.NextOffset
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k] {
			t.Errorf("%s comes twice", k)
		}
		seen[k] = true
	}
	if len(keys) < 40 {
		t.Errorf("%d flags", len(keys))
	}
	got := r.call("read-api", `{"operation":"getFeatureFlag","path":{"projectKey":"shop","featureFlagKey":"new-checkout"},"pointer":"/variations","fields":["value"],"limit":1}`)
	if got != `{"operation":"getFeatureFlag","data":[{"value":true}],"nextOffset":1}` {
		t.Error(got)
	}
	small := start(t, func(s *setup) { s.MaxReplyBytes = 1500 })
	got = small.call("read-api", `{"operation":"getFeatureFlag","path":{"projectKey":"shop","featureFlagKey":"new-checkout"}}`)
	if strings.HasPrefix(got, "!") || len(got) > 1500 || !strings.Contains(got, "shortened to fit") {
		t.Error(len(got), got)
	}
}

// TestSearchTellsWhatIsNotThere: operations that fit the rest of a question are not taken for its answer.
func TestSearchTellsWhatIsNotThere(t *testing.T) {
	r := start(t)
	for query, want := range map[string]string{
		"create announcement": `"note":"No operation has the word announcement; these fit the others."`,
		"list invoices!":      `"note":"No operation has the word invoices; these fit the others."`,
		"announcement":        `{"note":"No operation is about that; try other words."}`,
	} {
		if got := r.call("search-api", `{"query":"`+query+`"}`); !strings.Contains(got, want) {
			t.Errorf("%s: %s", query, got)
		}
	}
	for _, query := range []string{"list teams", "change the name of a flag", "views"} {
		if got := r.call("search-api", `{"query":"`+query+`"}`); strings.Contains(got, `"note"`) {
			t.Errorf("%s: %s", query, got)
		}
	}
}
