package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// replied decodes a reply of a tool that succeeded.
func replied[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("not a success: %s", text)
	}
	return out
}

type blocked struct {
	RequiresApproval bool
	Message          string
	Request          *struct {
		Tool      string
		Arguments map[string]any
	}
	Instructions []ldclient.Instruction
	Notes        []string
	Changed      bool
	After        struct {
		ID           string `json:"_id"`
		Status       string
		ReviewStatus string
	}
}

// TestApprovalCircle goes from a refused change to the applied request, for a
// flag (405) and for a segment (403), as two members with a tool each.
func TestApprovalCircle(t *testing.T) {
	for name, test := range map[string]struct {
		tool, args string
		state      func(*rig) string
		want       string
		approvals  int
	}{
		"flag": {"toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"regulated","on":true,"comment":"launch","confirm":"regulated"}`,
			func(r *rig) string {
				return r.call("get-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"regulated"}`)
			}, `"on":true`, 2},
		"segment": {"update-segment-targets", `{"projectKey":"shop","segmentKey":"beta-testers","env":"regulated","instructions":[{"kind":"addIncludedTargets","contextKind":"user","values":["zoe"]}],"comment":"launch","confirm":"regulated"}`,
			func(r *rig) string {
				return r.call("get-segment", `{"projectKey":"shop","segmentKey":"beta-testers","env":"regulated"}`)
			}, `"zoe"`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			people := start(t, func(s *setup) {
				s.client.Transport = r.Account
				s.client.Token = ldclient.StaticToken(sandbox.ReviewerToken)
			})
			refused := replied[blocked](t, r.call(test.tool, test.args))
			if !refused.RequiresApproval || refused.Request == nil || !strings.Contains(refused.Message, "create-approval-request") {
				t.Fatalf("%+v", refused)
			}
			if strings.Contains(test.state(r), test.want) {
				t.Fatal("changed already")
			}
			made := replied[blocked](t, r.callWith(refused.Request.Tool, refused.Request.Arguments))
			if !made.Changed || made.After.ID == "" {
				t.Fatalf("%+v", made)
			}
			on := func(more string) string {
				return fmt.Sprintf(`{"projectKey":"shop","id":%q,"comment":"c","confirm":"regulated"%s}`, made.After.ID, more)
			}
			if got := r.call("apply-approval-request", on("")); !strings.HasPrefix(got, "! ") || !strings.Contains(got, "is not approved yet") {
				t.Error(got)
			}
			if got := r.call("review-approval-request", on(`,"kind":"approve"`)); !strings.Contains(got, "You cannot review your own request") {
				t.Error(got)
			}
			reviewed := replied[blocked](t, people.call("review-approval-request", on(`,"kind":"approve"`)))
			if test.approvals == 2 { // a second member is needed, whose token is not at hand
				if reviewed.After.ReviewStatus != "pending" {
					t.Errorf("%+v", reviewed)
				}
				oneApproval(t, r)
			} else if reviewed.After.ReviewStatus != "approved" {
				t.Errorf("%+v", reviewed)
			}
			if got := r.call("apply-approval-request", strings.Replace(on(""), `,"confirm":"regulated"`, "", 1)); !strings.Contains(got, "Nothing was changed yet") || !strings.Contains(got, "confirm: \"regulated\"") {
				t.Error(got)
			}
			applied := replied[blocked](t, r.call("apply-approval-request", on("")))
			if !applied.Changed || applied.After.Status != "completed" || !strings.Contains(test.state(r), test.want) {
				t.Errorf("%+v\n%s", applied, test.state(r))
			}
			if got := r.call("apply-approval-request", on("")); !strings.Contains(got, "is completed already") {
				t.Error(got)
			}
		})
	}
}

// oneApproval lets a single approval do in the regulated environment.
func oneApproval(t *testing.T, r *rig) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "https://sandbox.test/api/v2/projects/shop/environments/regulated",
		strings.NewReader(`[{"op":"replace","path":"/approvalSettings/minNumApprovals","value":1}]`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", sandbox.WriterToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(err, resp)
	}
}

// TestReviewIsOff: nobody approves through this server unless whoever runs it says so.
func TestReviewIsOff(t *testing.T) {
	for _, sets := range [][]string{nil, {"all"}, {"approvals"}} {
		r := start(t, func(s *setup) { s.Toolsets, s.Tools, s.AllowReview = sets, []string{"review-*"}, false })
		if listed(t, r)["review-approval-request"] != nil {
			t.Errorf("%v: listed", sets)
		}
		got := r.call("review-approval-request", fmt.Sprintf(`{"projectKey":"shop","id":%q,"kind":"approve"}`, waitingIn()["test"].open))
		if !strings.HasPrefix(got, "! review-approval-request is not available: reviewing is for people") || len(r.Requests()) != 0 {
			t.Errorf("%v: %s", sets, got)
		}
	}
}

// TestApplyStaysInScope: the environment of a request counts, though no argument names it.
func TestApplyStaysInScope(t *testing.T) {
	ids := waitingIn()
	r := start(t, func(s *setup) { s.client.Scope.Environments = []string{"test"}; s.Confirm = tools.ConfirmNever })
	for _, name := range []string{"apply-approval-request", "get-approval-request", "review-approval-request"} {
		args := map[string]any{"projectKey": "shop", "id": ids["production"].approved}
		if name == "review-approval-request" {
			args["kind"] = "approve"
		}
		if got := r.callWith(name, args); !strings.HasPrefix(got, "! ") || !strings.Contains(got, `nvironment "production" is outside this server's scope`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := r.call("list-approval-requests", `{"projectKey":"shop"}`); strings.Contains(got, `"production"`) || !strings.Contains(got, "2 requests outside") {
		t.Error(got)
	}
	if got := r.callWith("apply-approval-request", map[string]any{"projectKey": "shop", "id": ids["test"].approved}); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
	if got := r.call("create-approval-request", `{"projectKey":"shop","env":"test","flagKey":"dark-mode","sourceEnvironmentKey":"production","description":"d"}`); !strings.Contains(got, "outside this server's scope") {
		t.Error(got)
	}
	if n := len(r.Writes()); n != 1 {
		t.Errorf("%d writes", n)
	}
}

// TestApplyOnlyWhatCanBeSaid: a request by somebody else that deletes, or that no longer fits, is not applied.
func TestApplyOnlyWhatCanBeSaid(t *testing.T) {
	for body, want := range map[string]string{
		`"instructions":[{"kind":"deleteFlag"}],"conflicts":[]`:                                              "are not sent from here",
		`"instructions":[{"kind":"removeRule","ruleId":"none"}],"conflicts":[]`:                              "there is no rule",
		`"instructions":[{"kind":"turnFlagOn"}],"conflicts":[{"reason":"gone"}]`:                             "has changed since: gone",
		`"instructions":[{"kind":"turnFlagOn"}],"conflicts":[],"operatingOnId":"x"`:                          "something else than the flag itself",
		`"instructions":[],"conflicts":[]`:                                                                   "something else than the flag itself",
		`"instructions":[{"kind":"turnFlagOn"}],"resourceId":"proj/mobile:env/test:flag/x"`:                  "here is no approval request",
		`"instructions":[{"kind":"turnFlagOn"}],"resourceId":"proj/shop:env/*:flag/dark-mode"`:               "handled on LaunchDarkly's own page",
		`"instructions":[{"kind":"turnFlagOn"}],"resourceId":""`:                                             "here is no approval request",
		`"instructions":[{"kind":"turnFlagOn"}],"resourceId":"proj/shop:env/test:flag/dark-mode","_id":"no"`: "here is no approval request",
	} {
		r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
		reply := `{"_id":"abc","resourceId":"proj/shop:env/test:flag/dark-mode","status":"pending","reviewStatus":"approved",` + body + `}`
		r.Next(sandbox.Fault{Status: 200, Body: reply})
		if got := r.call("apply-approval-request", `{"projectKey":"shop","id":"abc"}`); !strings.HasPrefix(got, "! ") || !strings.Contains(got, want) || len(r.Writes()) > 0 {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// TestScheduleInWords: a time from now is counted from now.
func TestScheduleInWords(t *testing.T) {
	for said, want := range map[string]time.Duration{"in 2h": 2 * time.Hour, "90m": 90 * time.Minute, "in 3d": 72 * time.Hour} {
		r := start(t)
		before := time.Now().Add(want).Truncate(time.Second)
		got := replied[struct {
			After struct{ ExecutionDate time.Time }
		}](t, r.callWith("create-scheduled-change", map[string]any{
			"projectKey": "shop", "flagKey": "dark-mode", "env": "test", "executionDate": said, "instructions": turnOn}))
		if at := got.After.ExecutionDate; at.Before(before) || at.After(before.Add(time.Minute)) {
			t.Errorf("%s: %v, want %v", said, at, before)
		}
	}
	for _, said := range []string{"1893456000", "2020-01-01T00:00:00Z", "in -2h", "1600000000000", "2099-01-01", "now", "", "99999999999999999999"} {
		r := start(t)
		got := r.callWith("create-scheduled-change", map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "env": "test", "executionDate": said, "instructions": turnOn})
		if !strings.HasPrefix(got, "! ") || !strings.Contains(got, "xecutionDate") || len(r.Requests()) != 0 {
			t.Errorf("%q: %s", said, got)
		}
	}
}

// TestTriggerURLIsNotShown: not when it is made, not when it is made anew, not in a list.
func TestTriggerURLIsNotShown(t *testing.T) {
	r := start(t)
	id := waitingIn()["test"].trigger
	for _, call := range []string{
		`create-flag-trigger {"projectKey":"shop","flagKey":"dark-mode","env":"test","action":"turnFlagOff"}`,
		fmt.Sprintf(`update-flag-trigger {"projectKey":"shop","flagKey":"dark-mode","env":"test","id":%q,"cycleUrl":true}`, id),
		`list-flag-triggers {"projectKey":"shop","flagKey":"dark-mode","env":"test"}`,
	} {
		name, args, _ := strings.Cut(call, " ")
		got := r.call(name, args)
		if strings.HasPrefix(got, "!") || strings.Contains(got, "webhook") || strings.Contains(got, "triggerURL") {
			t.Errorf("%s: %s", name, got)
		}
		if name != "list-flag-triggers" && !strings.Contains(got, "https://app.launchdarkly.com/projects/shop/flags/dark-mode") {
			t.Errorf("%s does not say where the URL is: %s", name, got)
		}
	}
}
