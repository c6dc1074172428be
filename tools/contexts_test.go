package tools_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// TestContextPaging walks all contexts with several limits and byte caps: every context comes once.
func TestContextPaging(t *testing.T) {
	for _, limit := range []int{4, 20, 50} {
		for _, bytes := range []int{700, 2500, 20_000} {
			r := start(t, func(s *setup) { s.MaxReplyBytes = bytes })
			seen := map[string]int{}
			args := map[string]any{"projectKey": "shop", "limit": limit}
			for calls := 0; ; calls++ {
				var page struct {
					Items      []struct{ Kind, Key, ApplicationID string }
					TotalCount int
					NextCursor string
				}
				text := r.callWith("search-contexts", args)
				if err := json.Unmarshal([]byte(text), &page); err != nil || calls > 200 {
					t.Fatalf("limit %d, %d bytes, call %d: %s", limit, bytes, calls, text)
				}
				for _, c := range page.Items {
					seen[c.Kind+":"+c.Key+" "+c.ApplicationID]++
				}
				if page.NextCursor == "" {
					if len(seen) != page.TotalCount {
						t.Errorf("limit %d, %d bytes: %d of %d contexts", limit, bytes, len(seen), page.TotalCount)
					}
					break
				}
				args["cursor"] = page.NextCursor
			}
			for c, n := range seen {
				if n != 1 {
					t.Errorf("limit %d, %d bytes: %s came %d times", limit, bytes, c, n)
				}
			}
		}
	}
}

// leaking is LaunchDarkly, were it to send values of redacted attributes.
type leaking struct{ *sandbox.Account }

func (l leaking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.Account.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	text := strings.ReplaceAll(string(b), `"_meta":{`, `"phone":"+41 79 555 01 02","_meta":{`)
	if strings.HasSuffix(r.URL.Path, "/context-attributes/phone") {
		text = `{"items":[{"kind":"device","values":[{"name":"office","weight":2}]},{"kind":"user","values":[{"name":"+41 79 555 01 02","weight":1}]}]}`
	}
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return resp, err
}

func TestRedactedIsNeverShown(t *testing.T) {
	var account *sandbox.Account
	r := start(t, func(s *setup) {
		account = s.client.Transport.(*sandbox.Account)
		s.client.Transport = leaking{account}
	})
	for _, call := range []string{
		`search-contexts {"projectKey":"shop","key":"user-1002"}`,
		`get-context {"projectKey":"shop","key":"user-1002"}`,
		`list-context-attributes {"projectKey":"shop"}`,
		`list-context-attributes {"projectKey":"shop","attribute":"phone"}`,
		`list-context-attributes {"projectKey":"shop","attribute":"/phone"}`,
		`evaluate-flags {"projectKey":"shop","flagKey":"dark-mode","contextKey":"user-1002","stored":true}`,
	} {
		name, args, _ := strings.Cut(call, " ")
		got := r.call(name, args)
		if strings.HasPrefix(got, "!") || strings.Contains(got, "555") {
			t.Errorf("%s: %s", call, got)
		}
	}
	if got := r.call("list-context-attributes", `{"projectKey":"shop","attribute":"phone"}`); !strings.Contains(got, "office") || !strings.Contains(got, "kind user are not shown") {
		t.Error("other kinds are left out too:", got)
	}
}

type evaluated struct {
	Items []struct {
		FlagKey, ReasonKind, Reason, RuleID, PrerequisiteKey, Variation string
		Value                                                           any
	}
	NextOffset int
	Note       string
}

func evaluate(t *testing.T, r *rig, args map[string]any) evaluated {
	t.Helper()
	var out evaluated
	text := r.callWith("evaluate-flags", args)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(text)
	}
	return out
}

// TestReasons: each of LaunchDarkly's reasons is said in words that a person can check against the flag.
func TestReasons(t *testing.T) {
	r := start(t)
	const env = "test"
	variation := func(flag string, index int) string {
		f, err := direct(t, r).Flags.Get(t.Context(), "shop", env, flag)
		if err != nil {
			t.Fatal(err)
		}
		return f.Variations[index].ID
	}
	clauses := func(attribute, op string, values ...any) []any {
		return []any{map[string]any{"contextKind": "user", "attribute": attribute, "op": op, "negate": false, "values": values}}
	}
	add := func(flag string, do ...ldclient.Instruction) { patchDirectly(t, r, env, flag, do...) }
	add("dark-mode", ldclient.Instruction{"kind": "turnFlagOn"},
		ldclient.Instruction{"kind": "addRule", "variationId": variation("dark-mode", 0), "clauses": clauses("plan", "in", "pro")},
		ldclient.Instruction{"kind": "addRule", "variationId": variation("dark-mode", 0), "clauses": clauses("email", "endsWith", "@x.com")},
		ldclient.Instruction{"kind": "addTargets", "variationId": variation("dark-mode", 0), "values": []any{"chosen"}})
	add("wishlist", ldclient.Instruction{"kind": "turnFlagOn"},
		ldclient.Instruction{"kind": "addPrerequisite", "key": "gift-cards", "variationId": variation("gift-cards", 0)})
	add("gift-cards", ldclient.Instruction{"kind": "turnFlagOff"})
	for _, test := range []struct{ flag, context, kind, why string }{
		{"dark-mode", `{"kind":"user","key":"u","email":"a@x.com"}`, "RULE_MATCH", "rule 2 (email endsWith @x.com)"},
		{"dark-mode", `{"key":"u","plan":"pro","email":"a@x.com"}`, "RULE_MATCH", "rule 1 (plan in pro)"},
		{"dark-mode", `{"user":{"key":"u","plan":"pro"},"organization":{"key":"acme"}}`, "RULE_MATCH", "rule 1 (plan in pro)"},
		{"dark-mode", `{"kind":"multi","user":{"key":"chosen"},"organization":{"key":"acme"}}`, "TARGET_MATCH", "individually targeted (user chosen)"},
		{"dark-mode", `{"kind":"organization","key":"chosen"}`, "FALLTHROUGH", "no target and no rule matched: default rule"},
		{"dark-mode", `{"kind":"user","key":7}`, "FALLTHROUGH", "no target and no rule matched: default rule"},
		{"wishlist", `{"kind":"user","key":"u"}`, "PREREQUISITE_FAILED", "prerequisite gift-cards is not met (off, or another variation than the one wanted): off variation"},
		{"gift-cards", `{"kind":"user","key":"u"}`, "OFF", "targeting is off: off variation"},
		{"old-checkout", `{"kind":"user","key":"u"}`, "ARCHIVED", "the flag is archived, so SDKs do not get it: the fallback in code"},
	} {
		var about any
		if err := json.Unmarshal([]byte(test.context), &about); err != nil {
			t.Fatal(err)
		}
		got := evaluate(t, r, map[string]any{"projectKey": "shop", "env": env, "flagKey": test.flag, "context": about})
		if len(got.Items) != 1 || got.Items[0].FlagKey != test.flag || got.Items[0].ReasonKind != test.kind || got.Items[0].Reason != test.why {
			t.Errorf("%s %s: got %+v", test.flag, test.context, got.Items)
		}
		if test.kind == "RULE_MATCH" && got.Items[0].RuleID == "" || (test.kind == "PREREQUISITE_FAILED") != (got.Items[0].PrerequisiteKey == "gift-cards") {
			t.Errorf("%s: %+v", test.flag, got.Items[0])
		}
	}
	if len(r.Writes()) != 3 {
		t.Errorf("%d writes, want the 3 of the test itself", len(r.Writes()))
	}
}

// TestExactFlag: LaunchDarkly's filter is by part of a key; what comes back is the flag that was asked for.
func TestExactFlag(t *testing.T) {
	r := start(t)
	all := evaluate(t, r, map[string]any{"projectKey": "shop", "contextKey": "u", "limit": 200})
	var keys []any
	for _, x := range all.Items {
		keys = append(keys, x.FlagKey)
	}
	if len(keys) < 30 {
		t.Fatalf("%d flags", len(keys))
	}
	for _, x := range all.Items {
		got := evaluate(t, r, map[string]any{"projectKey": "shop", "contextKey": "u", "flagKey": x.FlagKey})
		if len(got.Items) != 1 || got.Items[0].FlagKey != x.FlagKey || got.Items[0].ReasonKind != x.ReasonKind || cmp.Diff(x.Value, got.Items[0].Value) != "" {
			t.Errorf("%s: got %+v, want %+v", x.FlagKey, got.Items, x)
		}
	}
	// In pages, in the order in which they were asked for.
	var paged []any
	for offset := 0; ; {
		got := evaluate(t, r, map[string]any{"projectKey": "shop", "contextKey": "u", "flagKeys": keys, "limit": 9, "offset": offset})
		for _, x := range got.Items {
			paged = append(paged, x.FlagKey)
		}
		if offset = got.NextOffset; offset == 0 {
			break
		}
	}
	if d := cmp.Diff(keys, paged); d != "" {
		t.Error(d)
	}
}

// TestStored: stored attributes count only when they are asked for, and given ones win.
func TestStored(t *testing.T) {
	r := start(t)
	args := func(more string) map[string]any {
		out := map[string]any{"projectKey": "shop", "flagKey": "currency-switcher"}
		if err := json.Unmarshal([]byte(more), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, test := range []struct{ more, kind, note string }{
		{`{"contextKey":"user-1003"}`, "FALLTHROUGH", "Only a key was given"},
		{`{"contextKey":"user-1003","stored":true}`, "RULE_MATCH", "User user-1003 as web-shop saw it at "},
		{`{"contextKey":"user-1003","stored":"true","attributes":{"country":"FR"}}`, "FALLTHROUGH", "address, betaTester, email"},
		{`{"context":{"kind":"multi","user":{"key":"user-1003"},"organization":{"key":"nobody"}},"stored":true}`, "RULE_MATCH", "Organization nobody was not seen lately in production"},
		{`{"contextKey":"a/b c:d","stored":true}`, "FALLTHROUGH", "country, name"},
		{`{"contextKey":"user-1003","attributes":{"country":"CH"}}`, "RULE_MATCH", ""},
	} {
		got := evaluate(t, r, args(test.more))
		if got.Items[0].ReasonKind != test.kind || !strings.Contains(got.Note, test.note) || test.note == "" && got.Note != "" {
			t.Errorf("%s: %+v", test.more, got)
		}
	}
}

func TestContextArguments(t *testing.T) {
	r := start(t)
	for _, test := range []struct{ args, want string }{
		{`{}`, "Missing context"},
		{`{"context":{}}`, "Missing context.key"},
		{`{"context":{"kind":"user"}}`, "Missing context.key"},
		{`{"context":{"kind":"user","key":""}}`, "Context.key is empty"},
		{`{"context":{"kind":"user","key":["u"]}}`, "context.key must be a string"},
		{`{"context":{"kind":"kind","key":"u"}}`, `context.kind must be a context kind such as user, got "kind"`},
		{`{"context":{"kind":5,"key":"u"}}`, "context.kind must be a context kind"},
		{`{"context":{"kind":"multi","user":"u"}}`, "context.user must be an object"},
		{`{"context":{"kind":"multi","user":{"kind":"org","key":"u"}}}`, "context.user.kind differs from user"},
		{`{"context":{"kind":"multi","user":{}}}`, "missing context.user.key"},
		{`{"context":{"kind":"user","key":"u"},"contextKey":"u"}`, "give context, or contextKind, contextKey and attributes, not both"},
		{`{"context":"u"}`, "context: must be an object"},
		{`{"contextKey":"u","contextKind":"multi"}`, "contextKind must be a context kind"},
		{`{"contextKey":"u","attributes":{"key":"v"}}`, "attributes holds a key that differs"},
		{`{"contextKey":"u","flagKeys":["../x"]}`, "is not a key"},
		{`{"contextKey":"..","stored":true}`, "holds only dots"},
	} {
		args := map[string]any{"projectKey": "shop"}
		if err := json.Unmarshal([]byte(test.args), &args); err != nil {
			t.Fatal(err)
		}
		got := r.callWith("evaluate-flags", args)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(test.want)) {
			t.Errorf("%s: got %s, want %s", test.args, got, test.want)
		}
	}
	if n := len(r.Requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// TestEvaluateWithoutRules: where a flag's targeting cannot be read, its value is told nevertheless.
func TestEvaluateWithoutRules(t *testing.T) {
	r := start(t, func(s *setup) {
		s.client.Transport = failing{s.client.Transport.(*sandbox.Account), "/flags/shop/"}
	})
	got := evaluate(t, r, map[string]any{"projectKey": "shop", "flagKey": "currency-switcher", "contextKey": "u", "attributes": map[string]any{"country": "CH"}})
	if got.Items[0].Reason != "rule 1" || got.Items[0].Value != true || !strings.Contains(got.Note, "targeting of currency-switcher could not be read") {
		t.Errorf("%+v", got)
	}
}
