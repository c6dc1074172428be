package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// unasked lets writers go ahead.
func unasked(s *setup) { s.Confirm = tools.ConfirmNever }

// get reads the account itself.
func (r *rig) get(path string, into any) {
	r.t.Helper()
	sendPast(r.t, r.Account, http.MethodGet, path, "", into)
}

// sendPast makes a request of the account, past this server.
func sendPast(t *testing.T, account http.RoundTripper, method, path, body string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://app.launchdarkly.com/api/v2/projects/shop/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", sandbox.WriterToken)
	req.Header.Set("LD-API-Version", "beta")
	req.Header.Set("Content-Type", "application/json")
	res, err := account.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode > 299 {
		t.Fatalf("%s %s: status %d", method, path, res.StatusCode)
	}
	if into != nil {
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAIToolSchemas(t *testing.T) {
	t.Parallel()
	r := start(t, unasked)
	const inner = `{"type":"object","properties":{"q":{"type":"string"}}}`
	for _, c := range []struct{ schema, want string }{
		{`{"type":"function","function":{"name":"f","parameters":` + inner + `}}`, "schema.function.parameters"},
		{`{"function":{"name":"f","parameters":` + inner + `}}`, "schema.function.parameters"},
		{`{"type":"function","name":"f","parameters":` + inner + `}`, "schema.parameters"},
		{`{"name":"f","input_schema":` + inner + `}`, "schema.input_schema"},
		{`{"name":"f","inputSchema":` + inner + `}`, "schema.inputSchema"},
		{`{"toolSpec":{"name":"f","inputSchema":{"json":` + inner + `}}}`, "schema.toolSpec.inputSchema.json"},
		{`{"type":"function","function":{"name":"f"}}`, "OpenAI's wrapper without parameters"},
		{`{"properties":{}}`, "its type is missing"},
		{`{"type":"array"}`, `its type must be "object"`},
		{`{"type":["object","null"]}`, `its type must be the text "object"`},
		{`{"type":"object","properties":["q"]}`, "must be an object that holds a schema for each parameter"},
		{`{"type":"object","properties":{"q":"string"}}`, "schema.properties.q: must be a schema"},
		{`{"type":"object","required":"q"}`, "schema.required: must be a list"},
		{`{"type":"object","required":[1]}`, "schema.required: must be a list"},
		{`["object"]`, "schema: must be an object"},
		{`"{\"type\":\"array\"}"`, `its type must be "object"`},
	} {
		for _, call := range []string{`create-ai-tool {"key":"new","description":"d",`, `update-ai-tool {"toolKey":"search-orders",`} {
			name, args, _ := strings.Cut(call, " ")
			if got := r.call(name, args+`"projectKey":"shop","comment":"c","schema":`+c.schema+`}`); !strings.HasPrefix(got, "! ") || !strings.Contains(got, c.want) {
				t.Errorf("%s %s: got %s, want %s", name, c.schema, got, c.want)
			}
		}
	}
	// A parameter may be called as a wrapper's field is.
	if got := r.call("create-ai-tool", `{"projectKey":"shop","key":"apply","description":"d","schema":{"type":"object","properties":{"parameters":{"type":"object"}}}}`); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
	if n := len(r.Account.Writes()); n != 1 {
		t.Errorf("%d writes, want the last one alone", n)
	}
}

// TestAIToolKeepsNumbers: what a schema says is written as it was given.
func TestAIToolKeepsNumbers(t *testing.T) {
	t.Parallel()
	r := start(t, unasked)
	r.callWith("create-ai-tool", json.RawMessage(`{"projectKey":"shop","key":"exact","description":"d","schema":{"type":"object","properties":{"n":{"type":"integer","maximum":9007199254740993,"default":null}}}}`))
	var got struct{ Schema json.RawMessage }
	r.get("ai-tools/exact", &got)
	if want := `{"properties":{"n":{"default":null,"maximum":9007199254740993,"type":"integer"}},"type":"object"}`; string(got.Schema) != want {
		t.Errorf("got %s, want %s", got.Schema, want)
	}
}

// TestAIToolUpdateTouchesNothingElse: only what was given is sent, and earlier versions stay.
func TestAIToolUpdateTouchesNothingElse(t *testing.T) {
	t.Parallel()
	r := start(t, unasked)
	got := r.call("update-ai-tool", `{"projectKey":"shop","toolKey":"refund-order","description":"Pays back","comment":"c"}`)
	if !strings.Contains(got, `"after":{"key":"refund-order","version":2,"description":"Pays back"}`) {
		t.Error(got)
	}
	if w := r.Account.Writes(); len(w) != 1 || strings.TrimSpace(string(w[0].Body)) != `{"description":"Pays back"}` {
		t.Errorf("wrote %s", w[0].Body)
	}
	var versions struct {
		Items []struct {
			Version int
			Schema  struct{ Required []string }
			Custom  map[string]any `json:"customParameters"`
		}
	}
	r.get("ai-tools/refund-order/versions", &versions)
	if len(versions.Items) != 2 {
		t.Fatalf("%d versions, want 2", len(versions.Items))
	}
	first := versions.Items[0]
	first.Version = 2
	if d := cmp.Diff(first, versions.Items[1]); d != "" {
		t.Error(d)
	}
}

// TestUsesAreTold: before a tool or a snippet goes, who uses it is named, however that is found out.
func TestUsesAreTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, tool, args string
		status           int
		want             string
	}{
		{"tool", "delete-ai-tool", `"toolKey":"refund-order"`, 0, "It would be an orphaned tool in"},
		{"tool without references", "delete-ai-tool", `"toolKey":"refund-order"`, 404, "It would be an orphaned tool in"},
		{"tool, not to be told", "delete-ai-tool", `"toolKey":"refund-order"`, 403, "It could not be found out which AI configs use it (you may not (HTTP 403 forbidden))"},
		{"unused tool without references", "delete-ai-tool", `"toolKey":"track-parcel"`, 404, "No AI config uses it"},
		{"snippet", "delete-prompt-snippet", `"snippetKey":"tone-of-voice"`, 0, "It would be gone from product-summary"},
		{"snippet without references", "delete-prompt-snippet", `"snippetKey":"tone-of-voice"`, 404, "It could not be found out which AI configs use it"},
		{"changed snippet", "update-prompt-snippet", `"snippetKey":"tone-of-voice","text":"Shout."`, 0, "It is used by product-summary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			if c.status != 0 {
				code := map[int]string{404: "not_found", 403: "forbidden"}[c.status]
				r.Account.Next(sandbox.Fault{Status: c.status, Body: fmt.Sprintf(`{"code":%q,"message":"you may not"}`, code), Match: func(r *http.Request) bool {
					return strings.HasSuffix(r.URL.Path, "/references")
				}})
			}
			got := r.call(c.tool, `{"projectKey":"shop","comment":"c",`+c.args+`}`)
			if !strings.Contains(got, c.want) || !strings.Contains(got, "Nothing was changed yet") {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if strings.HasPrefix(c.want, "It would be an orphaned") && !strings.Contains(got, "support-agent") {
				t.Errorf("%s does not name support-agent", got)
			}
			if n := len(r.Account.Writes()); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// TestSecretsAreNotWrittenBack: what was read masked does not take the place of what is there.
func TestSecretsAreNotWrittenBack(t *testing.T) {
	t.Parallel()
	r := start(t, unasked)
	const key = "sdk-01234567-89ab-cdef-0123-456789abcdef"
	sendPast(t, r.Account, http.MethodPatch, "ai-configs/prompt-snippets/refund-policy", `{"text":"Use `+key+` for it."}`, nil)
	sendPast(t, r.Account, http.MethodPatch, "ai-tools/track-parcel", `{"schema":{"type":"object","description":"`+key+`"}}`, nil)
	sendPast(t, r.Account, http.MethodPatch, "agent-graphs/support", `{"rootConfigKey":"triage-agent","edges":[{"key":"a","sourceConfig":"triage-agent","targetConfig":"support-agent","handoff":{"with":"`+key+`"}}]}`, nil)
	before := len(r.Account.Writes())
	for name, args := range map[string]string{
		"update-prompt-snippet": `"snippetKey":"refund-policy","text":"Use sdk-**** for all of it."`,
		"update-ai-tool":        `"toolKey":"track-parcel","schema":{"type":"object","description":"sdk-****","properties":{}}`,
		"update-agent-graph":    `"graphKey":"support","edges":[{"key":"a","sourceConfig":"triage-agent","targetConfig":"support-agent","handoff":{"with":"sdk-****"}}]`,
	} {
		if got := r.call(name, `{"projectKey":"shop","comment":"c",`+args+`}`); !strings.Contains(got, "LaunchDarkly secret in it") || strings.Contains(got, key) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, read := range []string{`get-prompt-snippet {"snippetKey":"refund-policy",`, `get-ai-tool {"toolKey":"track-parcel",`, `get-agent-graph {"graphKey":"support",`} {
		name, args, _ := strings.Cut(read, " ")
		if got := r.call(name, args+`"projectKey":"shop"}`); !strings.Contains(got, "sdk-****") || strings.Contains(got, key) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if n := len(r.Account.Writes()); n != before {
		t.Errorf("%d writes", n-before)
	}
}

// TestModelConfigsPage: LaunchDarkly sends all models at once, and a reply shows a part.
func TestModelConfigsPage(t *testing.T) {
	t.Parallel()
	r := start(t)
	var seen []string
	for offset := 0; ; {
		var got struct {
			Items      []struct{ Key string }
			TotalCount int
			NextOffset int
		}
		if err := json.Unmarshal([]byte(r.call("list-model-configs", fmt.Sprintf(`{"projectKey":"shop","limit":2,"offset":%d}`, offset))), &got); err != nil {
			t.Fatal(err)
		}
		for _, m := range got.Items {
			seen = append(seen, m.Key)
		}
		if offset = got.NextOffset; offset == 0 {
			if len(seen) != got.TotalCount || len(seen) != 5 {
				t.Errorf("saw %v of %d", seen, got.TotalCount)
			}
			break
		}
	}
	if got := r.call("list-model-configs", `{"projectKey":"shop","offset":99}`); got != `{"items":[],"totalCount":5}` {
		t.Error(got)
	}
}

// TestVersionsInBetween: a version that somebody else made at the same moment is told of.
func TestVersionsInBetween(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, body, args string }{
		"update-ai-tool":        {"ai-tools/track-parcel", `{"schema":{"type":"object"}}`, `"toolKey":"track-parcel","description":"Finds parcels"`},
		"update-prompt-snippet": {"ai-configs/prompt-snippets/refund-policy", `{"name":"Theirs"}`, `"snippetKey":"refund-policy","text":"Ours."`},
	} {
		r := start(t, unasked, func(s *setup) {
			s.client.Transport = &meddling{Account: s.client.Transport.(*sandbox.Account), method: http.MethodGet, part: "/references", nth: 1, do: func(a *sandbox.Account) {
				sendPast(t, a, http.MethodPatch, c.path, c.body, nil)
			}}
		})
		if got := r.call(name, `{"projectKey":"shop","comment":"c",`+c.args+`}`); !strings.Contains(got, "its version went from 1 to 3") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
