package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// withoutRequest are writers of whose blocked change no tool makes a request: LaunchDarkly takes requests
// for changes of a flag or segment itself, and for all phases of a release on its own page.
var withoutRequest = []string{"update-scheduled-change", "delete-scheduled-change", "start-release-phase"}

// gatedInTest starts a rig on whose environment test every change of targeting takes one approval.
func gatedInTest(t *testing.T, change ...func(*setup)) *rig {
	t.Helper()
	r := start(t, change...)
	if err := r.RequireApproval("shop", "test"); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReadyRequests sends the request that each blocked change comes with, has
// another member approve it, applies it, and finds what the change itself would have made.
func TestReadyRequests(t *testing.T) {
	t.Parallel()
	made := 0
	for _, tool := range everyTool() {
		if tool.Effect == tools.Read || tool.Name == "apply-approval-request" {
			continue
		}
		args := sample(t, tool, "test")
		r := gatedInTest(t, never)
		text := r.callWith(tool.Name, args)
		if !strings.Contains(text, `"requiresApproval":true`) {
			if !allSent(tool.Name, len(r.Writes())) || r.Writes()[0].Status >= 300 {
				t.Errorf("%s: neither made nor blocked: %s", tool.Name, text)
			}
			continue
		}
		got := replied[blocked](t, text)
		if got.Request == nil {
			if !slices.Contains(withoutRequest, tool.Name) || !strings.Contains(got.Message, "on the page at url") {
				t.Errorf("%s: no request: %s", tool.Name, text)
			}
			continue
		}
		if len(got.Instructions) > 0 || !strings.Contains(got.Message, "with the arguments of request") {
			t.Errorf("%s: %s", tool.Name, text)
		}
		if tool.Name == "create-scheduled-change" {
			if got.Request.Arguments["executionDate"] != "2099-01-01T00:00:00Z" {
				t.Errorf("%s: %s", tool.Name, text)
			}
			delete(got.Request.Arguments, "executionDate")
			tool.Name, args = "toggle-flag", map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test", "on": true}
		}
		made++
		request := replied[blocked](t, r.callWith(got.Request.Tool, got.Request.Arguments))
		people := start(t, never, func(s *setup) {
			s.client.Transport, s.client.Token = r.Account, ldclient.StaticToken(sandbox.ReviewerToken)
		})
		on := map[string]any{"projectKey": "shop", "id": request.After.ID, "kind": "approve"}
		if said := people.callWith("review-approval-request", on); !strings.Contains(said, `"reviewStatus":"approved"`) {
			t.Errorf("%s: %s", tool.Name, said)
		}
		delete(on, "kind")
		if said := r.callWith("apply-approval-request", on); !strings.Contains(said, `"status":"completed"`) {
			t.Errorf("%s: %s", tool.Name, said)
		}
		plain := start(t, never)
		if said := plain.callWith(tool.Name, args); strings.HasPrefix(said, "!") {
			t.Errorf("%s: %s", tool.Name, said)
		}
		if diff := cmp.Diff(standing(t, plain, got.Request.Arguments), standing(t, r, got.Request.Arguments)); diff != "" {
			t.Errorf("%s: the request made something else than the change (-change +request):\n%s", tool.Name, diff)
		}
	}
	if made < 8 {
		t.Errorf("only %d requests were made", made)
	}
}

// standing is how the flag or segment of a request stands in test, without what differs from one making to the other.
func standing(t *testing.T, r *rig, args map[string]any) any {
	t.Helper()
	path := fmt.Sprintf("/api/v2/flags/shop/%v?env=test", args["flagKey"])
	if args["segmentKey"] != nil {
		path = fmt.Sprintf("/api/v2/segments/shop/test/%v", args["segmentKey"])
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://sandbox.test"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", sandbox.WriterToken)
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return lasting(v)
}

// lasting leaves out ids that are made anew, versions and times.
func lasting(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = lasting(v[i])
		}
	case map[string]any:
		for name, inner := range v {
			if l := strings.ToLower(name); l == "_id" || l == "id" || strings.Contains(l, "version") || strings.Contains(l, "date") || l == "lastmodified" || l == "ref" || l == "seed" {
				delete(v, name)
				continue
			}
			v[name] = lasting(inner)
		}
	}
	return v
}

const onInTest = `{"projectKey":"shop","flagKey":"dark-mode","env":"test","on":false,"comment":"c"%s}`

// TestBypassIsTold: who may do without an approval confirms first, in an
// environment that nothing else protects, and is told what was bypassed.
func TestBypassIsTold(t *testing.T) {
	t.Parallel()
	for verdict, words := range map[policy.Verdict]string{
		policy.Yes:     "asks for an approval of flag changes; this token may make them without, so nobody else would look at this one.",
		policy.Unknown: "asks for an approval of flag changes; this one goes through at once only if the token may do without.",
	} {
		p := &person{action: "accept"}
		for _, asks := range []bool{true, false} {
			r := gatedInTest(t, func(s *setup) {
				if asks {
					s.mcp = []client.ClientOption{client.WithElicitationHandler(p)}
				}
			})
			r.server.SetBypass(verdict)
			r.BypassApprovals(sandbox.WriterToken)
			got := r.call("toggle-flag", fmt.Sprintf(onInTest, ""))
			if !asks {
				if p.question = got; !strings.HasPrefix(got, "! ") || len(r.Writes()) > 0 {
					t.Errorf("%s: not asked: %s", verdict, got)
				}
				got = r.call("toggle-flag", fmt.Sprintf(onInTest, `,"confirm":"test"`))
			}
			if !strings.Contains(p.question, "Protected: test (asks for approvals). Environment test "+words) {
				t.Errorf("%s: asked %q", verdict, p.question)
			}
			if made := replied[blocked](t, got); !made.Changed || !slices.Contains(made.Notes, "environment test asks for an approval of flag changes, and this token did without") {
				t.Errorf("%s: %s", verdict, got)
			}
		}
	}
}

// TestCertainlyBlocked: nobody is asked to confirm what cannot succeed, and nothing is sent.
func TestCertainlyBlocked(t *testing.T) {
	t.Parallel()
	for _, call := range []string{
		`toggle-flag ` + fmt.Sprintf(onInTest, ""),
		`toggle-flag {"projectKey":"shop","flagKey":"dark-mode","env":"regulated","on":true,"comment":"c"}`,
		`update-segment-targets {"projectKey":"shop","segmentKey":"beta-testers","env":"test","instructions":[{"kind":"addIncludedTargets","values":["zoe"]}]}`,
		`copy-flag-config {"projectKey":"shop","flagKey":"new-checkout","fromEnv":"production","toEnv":"test"}`,
	} {
		p := &person{action: "accept"}
		r := gatedInTest(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
		r.server.SetBypass(policy.No)
		name, args, _ := strings.Cut(call, " ")
		got := replied[blocked](t, r.call(name, args))
		if !got.RequiresApproval || got.Changed || got.Request == nil || p.question != "" || len(r.Writes()) > 0 ||
			!strings.Contains(got.Message, "Nothing was changed.") || !strings.HasPrefix(got.Message, "Environment ") {
			t.Errorf("%s: asked %q, %d writes, %+v", call, p.question, len(r.Writes()), got)
		}
		if made := replied[blocked](t, r.callWith(got.Request.Tool, got.Request.Arguments)); !made.Changed {
			t.Errorf("%s: the request cannot be made: %+v", call, made)
		}
	}
	// A comment that the environment wants is still asked for first.
	r := start(t)
	r.server.SetBypass(policy.No)
	if got := r.call("toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"regulated","on":true}`); !strings.HasPrefix(got, "! ") || !strings.Contains(got, "requires a comment") {
		t.Error(got)
	}
}

// TestApprovalsCover: what needs no approval is neither blocked nor protected for its sake.
func TestApprovalsCover(t *testing.T) {
	t.Parallel()
	for _, call := range []string{
		`update-flag-settings {"projectKey":"shop","flagKey":"dark-mode","confirm":"dark-mode","comment":"c","instructions":[{"kind":"addTags","values":["reviewed"]}]}`,
		`update-segment-settings {"projectKey":"shop","segmentKey":"beta-testers","env":"test","instructions":[{"kind":"updateName","value":"Early birds"}]}`,
		`create-segment {"projectKey":"shop","env":"test","key":"new-segment","name":"New segment"}`,
		`update-environment {"projectKey":"shop","env":"test","name":"Renamed"}`,
		`create-approval-request {"projectKey":"shop","env":"test","flagKey":"dark-mode","description":"d","instructions":[{"kind":"turnFlagOn"}]}`,
	} {
		for _, v := range []policy.Verdict{policy.No, policy.Unknown, policy.Yes} {
			r := gatedInTest(t)
			r.server.SetBypass(v)
			name, args, _ := strings.Cut(call, " ")
			if got := r.call(name, args); !strings.Contains(got, `"changed":true`) || strings.Contains(got, "an approval of") {
				t.Errorf("%s, %s: %s", call, v, got)
			}
		}
	}
}

// TestApprovalWords: where requests are reviewed, how many approvals they need, and approvals for some tags alone.
func TestApprovalWords(t *testing.T) {
	t.Parallel()
	for body, test := range map[string]struct {
		message string // "" where the change goes through
	}{
		`{"required":true,"minNumApprovals":1,"serviceKind":"launchdarkly"}`:                                {"To have it reviewed, call create-approval-request with the arguments of request once the user agrees."},
		`{"required":true,"minNumApprovals":3,"serviceKind":"servicenow"}`:                                  {"once the user agrees; it needs 3 approvals; the request is reviewed in ServiceNow."},
		`{"required":true,"minNumApprovals":1,"serviceKind":"else\u200bwhere"}`:                             {"once the user agrees; the request is reviewed in elsewhere."},
		`{"required":false,"minNumApprovals":1,"serviceKind":"launchdarkly","requiredApprovalTags":["ui"]}`: {"To have it reviewed,"},
		`{"required":false,"minNumApprovals":1,"serviceKind":"launchdarkly","requiredApprovalTags":["no"]}`: {""},
		`{"required":false,"minNumApprovals":1,"serviceKind":"launchdarkly"}`:                               {""},
	} {
		r := start(t)
		r.server.SetBypass(policy.No)
		patchDirectly(t, r, "test", "dark-mode", ldclient.Instruction{"kind": "addTags", "values": []string{"ui"}})
		r.Next(sandbox.Fault{Status: 200, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/environments/test") },
			Body: `{"key":"test","critical":false,"confirmChanges":false,"requireComments":false,"approvalSettings":` + body + `}`})
		got := replied[blocked](t, r.call("toggle-flag", fmt.Sprintf(onInTest, "")))
		if got.RequiresApproval != (test.message != "") || !strings.Contains(got.Message, test.message) {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

// TestRequestIsOnlyOffered where a tool makes one.
func TestRequestIsOnlyOffered(t *testing.T) {
	t.Parallel()
	r := gatedInTest(t, never, func(s *setup) { s.ExcludeTools = []string{"create-approval-request"} })
	got := replied[blocked](t, r.call("toggle-flag", fmt.Sprintf(onInTest, "")))
	if got.Request != nil || len(got.Instructions) != 1 || !strings.Contains(got.Message, "a person can request it on the page at url") {
		t.Errorf("%+v", got)
	}
	// What it is for is what the caller says, or else the plan.
	for comment, want := range map[string]string{"": "Turn flag dark-mode off in test of project shop: everyone would get", "why\u200b not": "why not"} {
		r := gatedInTest(t, never)
		got := replied[blocked](t, r.callWith("toggle-flag", map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "env": "test", "on": false, "comment": comment}))
		if d, _ := got.Request.Arguments["description"].(string); !strings.HasPrefix(d, want) {
			t.Errorf("%q: description %q", comment, d)
		}
	}
}

// TestBypassIsKnown: whether a token may do without an approval is read from its roles.
func TestBypassIsKnown(t *testing.T) {
	t.Parallel()
	everything := []policy.Statement{
		{Effect: "allow", Resources: []string{"proj/*"}, Actions: []string{"*"}}, {Effect: "allow", Resources: []string{"proj/*:env/*"}, Actions: []string{"*"}},
		{Effect: "allow", Resources: []string{"proj/*:env/*:flag/*"}, Actions: []string{"*"}},
	}
	subject := append(slices.Clone(everything), policy.Statement{Effect: "deny", Resources: []string{"proj/*:env/*:flag/*"}, Actions: []string{"bypassRequiredApproval"}})
	for name, test := range map[string]struct {
		role []policy.Statement
		want string
		sent int
	}{
		"may bypass":      {everything, `"changed":true`, 1},
		"is bound to ask": {subject, `"requiresApproval":true,"message":"Environment test asks for an approval of flag changes. Nothing was changed.`, 0},
	} {
		r := gatedInTest(t, never, func(s *setup) {
			account := s.client.Transport.(*sandbox.Account)
			s.client.Token = ldclient.StaticToken(ldclient.Token(account.AddToken(sandbox.TokenOptions{Name: name, InlineRole: test.role})))
		})
		r.server.LearnNow(t.Context())
		got := r.call("toggle-flag", fmt.Sprintf(onInTest, ""))
		if !strings.Contains(got, test.want) || len(r.Writes()) != test.sent {
			t.Errorf("%s: %d writes: %s", name, len(r.Writes()), got)
		}
	}
}

// TestRequestsSayAll: no request is prepared that would not hold what was attempted.
func TestRequestsSayAll(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a\u200db", "\u2764\ufe0f", "sdk-01234567-89ab-cdef-0123-456789abcdef", "x\x01y", "a\u2028b"} {
		for _, hidden := range []string{"", "create-approval-request"} {
			r := gatedInTest(t, never, func(s *setup) {
				if hidden != "" {
					s.ExcludeTools = []string{hidden}
				}
			})
			got := replied[blocked](t, r.callWith("update-individual-targets", map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test", "comment": "c",
				"instructions": []any{map[string]any{"kind": "addTargets", "variation": "true", "values": []any{value}}}}))
			if !got.RequiresApproval || got.Request != nil || len(got.Instructions) > 0 || !strings.Contains(got.Message, "on the page at url, because it holds characters or secrets that are not shown here.") {
				t.Errorf("%q: %+v", value, got)
			}
		}
	}
	r := gatedInTest(t, never)
	got := replied[blocked](t, r.call("copy-flag-config", `{"projectKey":"shop","flagKey":"dark-mode","fromEnv":"production","toEnv":"test","comment":"c","includedActions":["updateFlagConfigMigrationSettings","updateOn","updateRules","updateFallthrough"]}`))
	if !got.RequiresApproval || got.Request != nil || len(got.Instructions) > 0 || !strings.Contains(got.Message, "because no instruction sets the migration settings.") {
		t.Errorf("%+v", got)
	}
}

// TestApprovalsProtect: an environment that asks for approvals and for nothing
// else is protected from what comes without instructions, or along with a change of all environments.
func TestApprovalsProtect(t *testing.T) {
	t.Parallel()
	at := `{"projectKey":"shop","flagKey":"dark-mode","env":"test","comment":"c",`
	id := fmt.Sprintf(`"id":%q`, waitingIn()["test"].scheduled)
	for _, call := range []string{
		`copy-flag-config {"projectKey":"shop","flagKey":"dark-mode","fromEnv":"production","toEnv":"test","includedActions":["updateFlagConfigMigrationSettings"]}`,
		`update-scheduled-change ` + at + id + `,"executionDate":"2099-01-01T00:00:00Z"}`,
		`delete-scheduled-change ` + at + id + `}`,
		`create-scheduled-change ` + at + `"executionDate":"2099-01-01T00:00:00Z","instructions":[{"kind":"turnFlagOff"}]}`,
		`create-flag-trigger ` + at + `"action":"turnFlagOff"}`,
		`update-feature-flag {"projectKey":"shop","flagKey":"dark-mode","comment":"c","PatchWithComment":{"patch":[{"op":"replace","path":"/description","value":"x"},{"op":"replace","path":"/environments/test/on","value":false}]}}`,
	} {
		name, args, _ := strings.Cut(call, " ")
		trigger := name == "create-flag-trigger"
		for _, verdict := range []policy.Verdict{policy.No, policy.Unknown, policy.Yes} {
			r := gatedInTest(t)
			r.BypassApprovals(sandbox.WriterToken)
			r.server.SetBypass(verdict)
			got := r.call(name, args)
			stopped := strings.HasPrefix(got, "! ") && strings.Contains(got, "test (asks for approvals)")
			if verdict == policy.No && !trigger {
				stopped = strings.Contains(got, `"requiresApproval":true`) && strings.Contains(got, "nvironment test asks for an approval of flag changes")
			}
			if !stopped || len(r.Writes()) > 0 {
				t.Errorf("%s, bypass %s: %d writes: %s", name, verdict, len(r.Writes()), got)
			}
			if trigger && !strings.Contains(got, "which what this makes would not need") {
				t.Error(got)
			}
		}
	}
}
