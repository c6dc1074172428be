package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// TestTargetingRefusals: what cannot be right is refused before any write, and the message says how to repair it.
func TestTargetingRefusals(t *testing.T) {
	r := start(t)
	for _, call := range []string{
		`update-prerequisites {"flagKey":"gift-cards","instructions":[{"kind":"addPrerequisite","key":"split-payments","variation":"true"}]}`,
		`update-prerequisites {"flagKey":"split-payments","instructions":[{"kind":"addPrerequisite","key":"dark-mode","variation":"true"}]}`,
		`update-individual-targets {"flagKey":"dark-mode","instructions":[{"kind":"addTargets","variation":"true","values":["ann"]}]}`,
		`manage-expiring-targets {"flagKey":"dark-mode","action":"add","contextKey":"ann","expiresAt":"2090-01-01"}`,
	} {
		if got := r.inTest(call); !strings.Contains(got, `"changed":true`) {
			t.Fatal(got)
		}
	}
	prepared := len(r.Writes())
	for call, want := range map[string]string{
		`update-rollout {"flagKey":"dark-mode"}`:                                                                                                                                                        "Missing variation (or variationIndex); flag dark-mode has true (index 0",
		`update-rollout {"flagKey":"dark-mode","rolloutType":"percentage","variation":"true"}`:                                                                                                          "needs weights, 100 in all",
		`update-rollout {"flagKey":"dark-mode","rolloutType":"variation","weights":{"true":100}}`:                                                                                                       "for percentages use rolloutType percentage",
		`update-rollout {"flagKey":"dark-mode","weights":{"true":60,"false":60}}`:                                                                                                                       "must add up to 100 percent (or 100000 thousandths), got 120",
		`update-rollout {"flagKey":"dark-mode","weights":{"true":60,"maybe":40}}`:                                                                                                                       `has no variation "maybe"`,
		`update-rollout {"flagKey":"dark-mode","weights":[{"variation":"true","percent":60},{"variationIndex":0,"percent":40}]}`:                                                                        "variation true is named twice",
		`update-rollout {"flagKey":"dark-mode","weights":[{"variation":"true"},{"variation":"false","percent":40}]}`:                                                                                    `takes variation (or variationIndex) and percent`,
		`update-rollout {"flagKey":"dark-mode","weights":[{"variation":"true","percent":"many"},{"variation":"1","percent":4}]}`:                                                                        "must have a percentage",
		`update-rollout {"flagKey":"dark-mode","rolloutWeights":[100]}`:                                                                                                                                 "has 1 percentages and the flag 2 variations",
		`update-rollout {"flagKey":"dark-mode","variationIndex":2}`:                                                                                                                                     "has no variation with index 2",
		`update-rollout {"flagKey":"dark-mode","variationIndex":0,"variation":"false"}`:                                                                                                                 `variation "false" is not the one with index 0`,
		`update-rollout {"flagKey":"dark-mode","weights":{"true":110,"false":-10}}`:                                                                                                                     "cannot be negative",
		`update-rollout {"flagKey":"image-quality","variation":"true"}`:                                                                                                                                 `has no variation "true"; it has 60 (index 0`,
		`update-off-variation {"flagKey":"image-quality","variation":""}`:                                                                                                                               "Missing variation",
		`update-track-events {"flagKey":"dark-mode"}`:                                                                                                                                                   "say what to set",
		`update-individual-targets {"flagKey":"dark-mode","instructions":[]}`:                                                                                                                           "must hold at least 1",
		`update-individual-targets {"flagKey":"dark-mode","instructions":[{"kind":"addTargets","variation":"true"}]}`:                                                                                   "Instructions[0] (addTargets): missing values",
		`update-individual-targets {"flagKey":"dark-mode","instructions":[{"kind":"addTargets","values":["a"]}]}`:                                                                                       "missing variation",
		`update-individual-targets {"flagKey":"dark-mode","instructions":[{"kind":"addTargets","variation":"x","values":["a"]}]}`:                                                                       `has no variation "x"`,
		`update-individual-targets {"flagKey":"dark-mode","instructions":[{"kind":"addTargets","variation":"1","values":[" "]}]}`:                                                                       "values[0] is empty",
		`update-individual-targets {"flagKey":"dark-mode","instructions":[{"kind":"addContextTargets","variation":"1","values":["a"]}]}`:                                                                "missing contextKind",
		`update-individual-targets {"flagKey":"dark-mode","instructions":[{"kind":"addUserTargets","variation":"1","values":["a"],"contextKind":"device"}]}`:                                            "takes no contextKind",
		`update-individual-targets {"flagKey":"dark-mode","instructions":[{"kind":"replaceTargets","targets":[{"variation":"0","values":["a"]},{"variation":"1","values":["a"]}]}]}`:                    "a context has one variation",
		`update-individual-targets {"flagKey":"dark-mode","instructions":[{"kind":"replaceUserTargets","targets":[{"variation":"0","values":["a"],"contextKind":"device"}]}]}`:                          "use replaceTargets",
		`update-prerequisites {"flagKey":"dark-mode","instructions":[{"kind":"addPrerequisite","key":"dark-mode","variation":"true"}]}`:                                                                 "cannot be a prerequisite of itself",
		`update-prerequisites {"flagKey":"dark-mode","instructions":[{"kind":"addPrerequisite","key":"gift-cards","variation":"true"}]}`:                                                                "circle: dark-mode requires gift-cards requires split-payments requires dark-mode",
		`update-prerequisites {"flagKey":"dark-mode","instructions":[{"kind":"replacePrerequisites","prerequisites":[{"key":"wishlist","variation":"true"},{"key":"gift-cards","variation":"true"}]}]}`: "circle: dark-mode requires gift-cards",
		`update-prerequisites {"flagKey":"dark-mode","instructions":[{"kind":"addPrerequisite","key":"gift-card","variation":"true"}]}`:                                                                 `there is no flag "gift-card" (did you mean gift-cards?)`,
		`update-prerequisites {"flagKey":"dark-mode","instructions":[{"kind":"addPrerequisite","key":"old-checkout","variation":"true"}]}`:                                                              "is archived",
		`update-prerequisites {"flagKey":"dark-mode","instructions":[{"kind":"addPrerequisite","key":"max-items","variation":"true"}]}`:                                                                 "flag max-items has no variation",
		`update-prerequisites {"flagKey":"gift-cards","instructions":[{"kind":"addPrerequisite","key":"split-payments","variation":"false"}]}`:                                                          "use updatePrerequisite",
		`update-prerequisites {"flagKey":"gift-cards","instructions":[{"kind":"updatePrerequisite","key":"wishlist","variation":"false"}]}`:                                                             "use addPrerequisite",
		`copy-flag-config {"flagKey":"dark-mode","fromEnv":"test","toEnv":"test"}`:                                                                                                                      "a copy needs two environments",
		`copy-flag-config {"flagKey":"dark-mode","fromEnv":"stagin","toEnv":"test"}`:                                                                                                                    "stagin",
		`copy-flag-config {"flagKey":"dark-mode","fromEnv":"staging","toEnv":""}`:                                                                                                                       "missing fromEnv or toEnv",
		`copy-flag-config {"flagKey":"dark-mode","fromEnv":"staging","toEnv":"test","includedActions":["updateOn"],"excludedActions":["updateRules"]}`:                                                  "not both",
		`copy-flag-config {"flagKey":"dark-mode","fromEnv":"staging","toEnv":"test","excludedActions":["rules"]}`:                                                                                       `there is no part "rules" to copy`,
		`manage-expiring-targets {"flagKey":"dark-mode","action":"add","contextKey":"ann","expiresAt":"1790000000"}`:                                                                                    "looks like seconds, or a number without a unit; give milliseconds since the epoch (13 digits), RFC 3339",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"add","contextKey":"ann","expiresAt":7}`:                                                                                               "a number without a unit",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"update","contextKey":"ann","expiresAt":"2020-01-01T00:00:00Z"}`:                                                                       "is past",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"update","contextKey":"ann","expiresAt":"soon"}`:                                                                                       "must be a time such as",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"update","contextKey":"ann","expiresAt":"32503680000000000"}`:                                                                          "more than a hundred years",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"update","contextKey":"ann"}`:                                                                                                          "missing expiresAt",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"add","contextKey":"ann","expiresAt":"2091-01-01"}`:                                                                                    "expires already, at 2090-01-01T00:00:00Z; use action update",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"add","contextKey":"bob","expiresAt":"7d"}`:                                                                                            "user bob is not individually targeted by dark-mode in test",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"add","contextKey":"ann","contextKind":"device","expiresAt":"7d"}`:                                                                     "device ann is not individually targeted",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"add","contextKey":"ann","variation":"false","expiresAt":"7d"}`:                                                                        "is targeted with true, not with false",
		`manage-expiring-targets {"flagKey":"dark-mode","action":"add","expiresAt":"7d"}`:                                                                                                               "missing contextKey",
	} {
		got := r.inTest(call)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(want)) || !strings.Contains(got, "Nothing was changed.") {
			t.Errorf("%s: got %s, want %s", call, got, want)
		}
	}
	if n := len(r.Writes()) - prepared; n != 0 {
		t.Errorf("%d writes", n)
	}
}

// inTest makes a call written as in a transcript, of project shop and environment test.
func (r *rig) inTest(call string) string {
	r.t.Helper()
	name, args, _ := strings.Cut(call, " ")
	where := `{"projectKey":"shop",`
	if name != "copy-flag-config" {
		where += `"env":"test",`
	}
	return r.call(name, where+strings.TrimPrefix(args, "{"))
}

// TestRolloutSpellings: the ways to write a rollout mean the same.
func TestRolloutSpellings(t *testing.T) {
	for _, args := range []string{
		`"rolloutType":"percentage","weights":[{"variationIndex":0,"percent":20},{"variationIndex":1,"percent":80}]`,
		`"weights":[{"variation":"true","percent":"20"},{"variation":"off","percent":"80 %"}]`,
		`"weights":"[{\"variationName\":\"true\",\"weight\":20},{\"variationId\":\"false\",\"percent\":80}]"`,
		`"weights":{"true":20,"false":80}`,
		`"rolloutWeights":[20,80]`,
		`"rolloutWeights":[20000,80000]`,
		`"variation":"on","percent":20`,
		`"variationIndex":1,"percent":"80"`,
	} {
		r := start(t)
		got := r.inTest(`update-rollout {"flagKey":"dark-mode",` + args + `}`)
		if !strings.Contains(got, `"after":{"fallthrough":"20 % true, 80 % false"`) {
			t.Errorf("%s: %s", args, got)
		}
		if got := r.inTest(`update-rollout {"flagKey":"dark-mode",` + args + `}`); !strings.Contains(got, "serves 20 % true, 80 % false already") || len(r.Writes()) != 1 {
			t.Errorf("%s again: %s", args, got)
		}
	}
}

// TestRolloutKeepsItsKind: new percentages do not deal everyone anew by another attribute.
func TestRolloutKeepsItsKind(t *testing.T) {
	r := start(t)
	r.inTest(`update-rollout {"flagKey":"dark-mode","weights":{"true":20,"false":80},"rolloutContextKind":"device","rolloutBucketBy":"serial"}`)
	if got := r.inTest(`update-rollout {"flagKey":"dark-mode","weights":{"true":30,"false":70}}`); !strings.Contains(got, `"30 % true, 70 % false by device by serial"`) {
		t.Error(got)
	}
}

// TestExperimentsAreLeftAlone: a default rule that an experiment runs on is not changed.
func TestExperimentsAreLeftAlone(t *testing.T) {
	const flag = `{"key":"f","kind":"boolean","variations":[{"_id":"a","value":true},{"_id":"b","value":false}],"environments":{"test":{"on":true,"version":3,
		"fallthrough":{"rollout":{"variations":[{"variation":0,"weight":50000},{"variation":1,"weight":50000}],"experimentAllocation":{"defaultVariation":1}}}},
		"staging":{"on":true,"version":1,"fallthrough":{"variation":0}}}}`
	r := start(t, func(s *setup) { s.client.Transport = answering{flag} })
	for _, call := range []string{
		`update-rollout {"flagKey":"f","variation":"true"}`,
		`copy-flag-config {"flagKey":"f","fromEnv":"staging","toEnv":"test"}`,
	} {
		if got := r.inTest(call); !strings.Contains(got, "xperiment runs on") || !strings.Contains(got, "Nothing was changed.") {
			t.Errorf("%s: %s", call, got)
		}
	}
}

// TestTargetsMove: a key that another variation targets is moved in one request, and the reply says so.
func TestTargetsMove(t *testing.T) {
	r := start(t)
	got := r.inTest(`update-individual-targets {"flagKey":"live-chat","instructions":[{"kind":"addTargets","variation":"false","values":["user-1001","user-1"]}]}`)
	for _, want := range []string{`"changed":true`, "user user-1001 moves from true to false", `{"variation":"false","count":2,"keys":["user-1001","user-1"]}`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if w := r.Writes(); len(w) != 1 || !strings.Contains(string(w[0].Body), `"removeTargets"`) || !strings.Contains(string(w[0].Body), `"addTargets"`) {
		t.Errorf("%d writes", len(w))
	}
	// Ten thousand targets do not make a long reply.
	var keys []string
	for i := range 10_000 {
		keys = append(keys, fmt.Sprintf("user-%06d", i))
	}
	many := map[string]any{"projectKey": "shop", "env": "test", "flagKey": "live-chat", "instructions": []any{map[string]any{"kind": "addTargets", "variation": "true", "values": keys}}}
	if got := r.callWith("update-individual-targets", many); !strings.Contains(got, `"changed":true`) || len(got) > 1500 {
		t.Errorf("%d bytes: %.300s", len(got), got)
	}
	if got := r.callWith("update-individual-targets", many); !strings.Contains(got, "are so already") || len(got) > 1500 {
		t.Errorf("%d bytes: %.300s", len(got), got)
	}
}

// TestCopyHoldsItsVersions: a copy that was decided on other versions is not made, and an approval can be asked for.
func TestCopyHoldsItsVersions(t *testing.T) {
	const args = `{"flagKey":"new-checkout","fromEnv":"production","toEnv":"test"}`
	r := start(t)
	r.Next(sandbox.Fault{Status: 409, Body: `{"code":"optimistic_locking_error","message":"stale"}`, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/copy") }})
	if got := r.inTest(`copy-flag-config ` + args); !strings.Contains(got, "It was changed at the same moment") {
		t.Error(got)
	}
	if body := string(r.Writes()[0].Body); !strings.Contains(body, `"source":{"key":"production","currentVersion":9},"target":{"key":"test","currentVersion":1}`) {
		t.Error(body)
	}
	// The instructions that stand for a copy do what the copy does.
	if err := r.RequireApproval("shop", "test", "flag"); err != nil {
		t.Fatal(err)
	}
	got := r.inTest(`copy-flag-config ` + strings.TrimSuffix(args, "}") + `,"excludedActions":["updateFlagConfigMigrationSettings"],"confirm":"test"}`)
	for _, want := range []string{`"requiresApproval":true`, `"kind":"replaceRules"`, `"kind":"replacePrerequisites"`, `"kind":"updateFallthroughVariationOrRollout"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	var asked struct {
		Request struct {
			Arguments struct{ Instructions []ldclient.Instruction }
		}
	}
	if err := json.Unmarshal([]byte(got), &asked); err != nil {
		t.Fatal(err)
	}
	other := start(t)
	patchDirectly(t, other, "test", "new-checkout", asked.Request.Arguments.Instructions...)
	if got := other.inTest(`copy-flag-config ` + args); !strings.Contains(got, "what it has in production already") {
		t.Error(got)
	}
}

// TestCopyNeedsItsSegments: segments belong to one environment each.
func TestCopyNeedsItsSegments(t *testing.T) {
	r := start(t)
	if got := r.inTest(`update-targeting-rules {"flagKey":"dark-mode","instructions":[{"kind":"addRule","variation":"true","clauses":[{"op":"segmentMatch","values":["beta-testers"]}]}]}`); strings.HasPrefix(got, "!") {
		t.Fatal(got)
	}
	r.Next(sandbox.Fault{Status: 404, Body: `{"code":"not_found","message":"Unknown segment key beta-testers"}`,
		Match: func(r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/segments/shop/staging/beta-testers")
		}})
	const copied = `copy-flag-config {"flagKey":"dark-mode","fromEnv":"test","toEnv":"staging"}`
	if got := r.inTest(copied); !strings.Contains(got, "segment beta-testers, which staging does not have") {
		t.Error(got)
	}
	if got := r.inTest(copied); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
}

// TestExpiringTargetsFail: instructions that LaunchDarkly did not carry out are an error, though it answers 200.
func TestExpiringTargetsFail(t *testing.T) {
	r := start(t)
	r.Next(sandbox.Fault{Status: 200, Body: `{"items":[],"totalInstructions":1,"failedInstructions":1,"errors":[{"instructionIndex":0,"message":"no such target"}]}`,
		Match: func(r *http.Request) bool { return r.Method == http.MethodPatch }})
	got := r.inTest(`manage-expiring-targets {"flagKey":"live-chat","action":"add","contextKey":"user-1001","expiresAt":"2099-01-01T00:00:00Z"}`)
	if !strings.HasPrefix(got, "! 1 of 1 instructions failed: no such target") {
		t.Error(got)
	}
}

// TestExpiringTargetsExpire: when the time has come, the context is targeted no longer.
func TestExpiringTargetsExpire(t *testing.T) {
	clock := noon
	account := sandbox.New(sandbox.Options{Now: func() time.Time { return clock }})
	r := start(t, func(s *setup) { s.client.Transport = account })
	if got := r.inTest(`manage-expiring-targets {"flagKey":"live-chat","action":"add","contextKey":"user-1001","expiresAt":"in 2w"}`); !strings.Contains(got, `"changed":true`) {
		t.Fatal(got)
	}
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.ReaderToken), Transport: account})
	if err != nil {
		t.Fatal(err)
	}
	list, err := ld.Flags.ExpiringTargets(t.Context(), "shop", "test", "live-chat")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	for _, step := range []struct {
		at   time.Time
		want string
	}{{list[0].Expires.Time().Add(-time.Second), `"user-1001"`}, {list[0].Expires.Time(), `"serves":"`}} {
		clock = step.at
		got := r.inTest(`get-flag {"flagKey":"live-chat"}`)
		if !strings.Contains(got, step.want) || strings.Contains(got, `"targets"`) != (step.want == `"user-1001"`) {
			t.Errorf("at %s: %s", step.at, got)
		}
	}
	if got := r.inTest(`manage-expiring-targets {"flagKey":"live-chat","action":"list"}`); !strings.Contains(got, `"totalCount":0`) {
		t.Error(got)
	}
}

// TestExpiryIsConfirmedAsTold: a time from now is the one that the person was
// told, however long they took; where nobody can be asked the reply names it.
func TestExpiryIsConfirmedAsTold(t *testing.T) {
	for _, call := range []string{
		`manage-expiring-targets {"projectKey":"shop","flagKey":"live-chat","env":"production","comment":"c","action":"add","contextKey":"user-1001","expiresAt":"1h"%s}`,
		`manage-segment-expiring-targets {"projectKey":"shop","segmentKey":"beta-testers","env":"production","comment":"c","action":"add","contextKey":"user-1002","expiresAt":"1h"%s}`,
		`create-scheduled-change {"projectKey":"shop","flagKey":"dark-mode","env":"production","comment":"c","instructions":[{"kind":"turnFlagOn"}],"executionDate":"in 1h"%s}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &person{action: mcp.ElicitationResponseActionAccept, before: func() { time.Sleep(9 * time.Minute) }}
			asking := start(t, func(s *setup) {
				s.client.Transport = sandbox.New(sandbox.Options{})
				s.mcp, s.Timeout = append(s.mcp, client.WithElicitationHandler(p)), time.Hour
			})
			at := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
			name, args, _ := strings.Cut(call, " ")
			if got := asking.call(name, fmt.Sprintf(args, "")); !strings.Contains(got, `"changed":true`) || !strings.Contains(got, at) || !strings.Contains(p.question, at) {
				t.Errorf("asked %q: %s", p.question, got)
			}
			r := start(t, func(s *setup) { s.client.Transport = sandbox.New(sandbox.Options{}) })
			at = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
			got := r.call(name, fmt.Sprintf(args, ""))
			if !strings.HasPrefix(got, "!") || !strings.Contains(got, `with the same arguments, but with `) || !strings.Contains(got, `"`+at+`", and confirm: "production"`) {
				t.Error(got)
			}
			if got := r.call(name, fmt.Sprintf(args, `,"confirm":"production"`)); !strings.Contains(got, "moves on while a person decides; give ") || len(r.Writes()) > 0 {
				t.Error(got)
			}
			fixed := strings.NewReplacer(`"1h"`, `"`+at+`"`, `"in 1h"`, `"`+at+`"`).Replace(args)
			if got := r.call(name, fmt.Sprintf(fixed, `,"confirm":"production"`)); !strings.Contains(got, `"changed":true`) || !strings.Contains(got, at) {
				t.Error(got)
			}
		})
	}
}

// TestReadersSeeExpiries: whoever may change nothing still learns who leaves when.
func TestReadersSeeExpiries(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	for _, call := range []string{
		`manage-expiring-targets {"projectKey":"shop","flagKey":"live-chat","env":"production","comment":"c","action":"add","contextKey":"user-1001","expiresAt":"2099-01-01"}`,
		`manage-segment-expiring-targets {"projectKey":"shop","segmentKey":"beta-testers","env":"production","comment":"c","action":"add","contextKey":"user-1002","expiresAt":"2099-01-01"}`,
	} {
		name, args, _ := strings.Cut(call, " ")
		if got := r.call(name, args); !strings.Contains(got, `"changed":true`) {
			t.Fatal(got)
		}
	}
	for _, call := range []string{`get-flag {"projectKey":"shop","flagKey":"live-chat"}`, `get-segment {"projectKey":"shop","segmentKey":"beta-testers"}`} {
		name, args, _ := strings.Cut(call, " ")
		reader := start(t, func(s *setup) { s.client.Transport, s.ReadOnly = r.Account, true })
		if got := reader.call(name, args); !strings.Contains(got, `"expiringTargets":[{`) || !strings.Contains(got, `"expiresAt":"2099-01-01T00:00:00Z"`) {
			t.Errorf("%s: %s", name, got)
		}
		r.Next(sandbox.Fault{Status: 403, Match: func(q *http.Request) bool { return strings.Contains(q.URL.Path, "expiring-targets") }})
		if got := reader.call(name, args); !strings.Contains(got, `"missing":["when targets expire could not be read (`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
