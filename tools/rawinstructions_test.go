package tools_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// filed asks for an approval of instructions on a flag or segment in test.
func filed(r *rig, on, instructions string) string {
	kind, key, _ := strings.Cut(on, "/")
	return r.call("create-approval-request", fmt.Sprintf(`{"projectKey":"shop","env":"test","%sKey":%q,"description":"d","dryRun":true,"instructions":[%s]}`, kind, key, instructions))
}

// TestRawRefused: what LaunchDarkly would refuse, or read otherwise than it is said, is refused before a person is asked.
func TestRawRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, test := range []struct{ on, instruction, want string }{
		{"flag/dark-mode", `{"kind":"turnFlagOn","environmentKey":"production"}`, "takes no environmentKey; it takes no fields besides kind"},
		{"flag/dark-mode", `{"kind":"removeRule","ruleId":"a","ruleid":"b"}`, "takes no ruleid; it takes ruleId"},
		{"flag/dark-mode", `{"kind":"addTargets","variationId":"true","contextKind":"device","context_kind":"user","values":["a"]}`, "takes no context_kind; it takes variationId, values, contextKind"},
		{"flag/dark-mode", `{"kind":"addRule","variationId":"true","clauses":[{"attribute":"a","op":"in","values":["b"],"Negate":true}]}`, "clauses[0]: takes no Negate"},
		{"flag/dark-mode", `{"kind":"addRule","variationId":"true","clauses":[{"attribute":"a","op":"is","values":["b"]}]}`, `there is no op "is"`},
		{"flag/dark-mode", `{"kind":"addRule","variationId":"true","clauses":[{"attribute":"a","op":"in","values":[]}]}`, "clauses[0]: missing values"},
		{"flag/dark-mode", `{"kind":"addRule","variationId":"true","clauses":[]}`, "missing clauses"},
		{"flag/dark-mode", `{"kind":"addRule","variationId":"true","clauses":"all"}`, "clauses must be a list"},
		{"flag/dark-mode", `{"kind":"addRule","variationId":"true","beforeRuleId":"x","clauses":[{"attribute":"a","op":"in","values":["b"]}]}`, `there is no rule "x"`},
		{"flag/dark-mode", `{"kind":"addRule","variationId":"true","clauses":[{"op":"segmentMatch","values":["nope"]}]}`, `here is no segment "nope"`},
		{"flag/dark-mode", `{"kind":"replaceRules","rules":[{"variationId":"blue","clauses":[{"attribute":"a","op":"in","values":["b"]}]}]}`, `rules[0]: flag dark-mode has no variation "blue"`},
		{"flag/dark-mode", `{"kind":"updateFallthroughVariationOrRollout","variationId":"true","rolloutWeights":{"true":50,"false":50}}`, "give variationId or rolloutWeights, not both"},
		{"flag/dark-mode", `{"kind":"clearTargets"}`, "missing variationId"},
		{"flag/dark-mode", `{"kind":"addTargets","variationId":"true","values":[]}`, "missing values"},
		{"flag/dark-mode", `{"kind":"reorderRules","ruleIds":["x"]}`, "must name each present rule once"},
		{"flag/dark-mode", `{"kind":"addPrerequisite","key":"dark-mode","variationId":"true"}`, "cannot be a prerequisite of itself"},
		{"flag/dark-mode", `{"kind":"addPrerequisite","key":"no-such","variationId":"true"}`, `here is no flag "no-such"`},
		{"flag/dark-mode", `{"kind":"addPrerequisite","key":"search-ranking","variationId":"true"}`, `flag search-ranking has no variation "true"`},
		{"flag/dark-mode", `{"kind":"updatePrerequisite","key":"new-checkout","variationId":"true"}`, "is no prerequisite of dark-mode"},
		{"flag/dark-mode", `{"kind":"updateVariation","variationId":"true"}`, "missing value, name or description"},
		{"flag/dark-mode", `{"kind":"updateDefaultVariation","onVariationValue":7}`, "no variation has the value 7"},
		{"flag/dark-mode", `{"kind":"startAutomatedRelease","releaseKind":"progressive","originalVariationId":"false","targetVariationId":"true","randomizationUnit":"user","stages":[{"allocation":10,"durationMillis":3600000}]}`, "thousandths"},
		{"segment/employees", `{"kind":"addRule","weight":10,"clauses":[{"attribute":"a","op":"in","values":["b"]}]}`, "10000 is 10 %, so 10 would be 0.01 %"},
		{"segment/employees", `{"kind":"addRule","variationId":"true","clauses":[{"attribute":"a","op":"in","values":["b"]}]}`, "takes no variationId"},
		{"segment/employees", `{"kind":"addRule","clauses":[{"op":"segmentMatch","values":["employees"]}]}`, "depend on itself"},
		{"segment/employees", `{"kind":"addRule","clauses":[{"op":"segmentMatch","values":["nope"]}]}`, `here is no segment "nope"`},
	} {
		if got := filed(r, test.on, test.instruction); !strings.HasPrefix(got, "! ") || !strings.Contains(got, test.want) {
			t.Errorf("%s %s\n got %s\nwant %s", test.on, test.instruction, got, test.want)
		}
	}
	if n := len(r.Writes()); n > 0 {
		t.Errorf("%d writes", n)
	}
}

// TestRawInWords: what a person confirms or reviews says all that an instruction does.
func TestRawInWords(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, test := range []struct{ on, instruction, want string }{
		{"flag/dark-mode", `{"kind":"updateVariation","variationId":"true","value":"drop","name":"Drop all"}`, `give variation true, which has the value true, in every environment the value \"drop\", name \"Drop all\"`},
		{"flag/dark-mode", `{"kind":"updateDefaultVariation","onVariationValue":false,"offVariationValue":true}`, "start with false while on and true while off"},
		{"flag/dark-mode", `{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"true":40,"false":60},"rolloutBucketBy":"email","rolloutContextKind":"device"}`, "serve 40 % true, 60 % false (divided by email of device contexts) by default"},
		{"flag/dark-mode", `{"kind":"startAutomatedRelease","releaseKind":"guarded","originalVariationId":"false","targetVariationId":"true","randomizationUnit":"device","stages":[{"allocation":10000,"durationMillis":3600000}],"metrics":[{"key":"errors"}],"metricMonitoringPreferences":{"errors":{"autoRollback":true}}}`,
			"start a guarded rollout of true instead of false on the default rule to device contexts: 10 % for 1 h, then everyone, watching errors (goes back on a regression)"},
		{"flag/dark-mode", `{"kind":"replaceTargets","targets":[{"variationId":"true","values":["ann"]}]}`, "target exactly ann with true and no others"},
		{"segment/employees", `{"kind":"addRule","weight":10000,"rolloutContextKind":"device","bucketBy":"email","clauses":[{"attribute":"a","op":"in","values":["b"]}]}`, "10 % of those with a in b (divided by email of device contexts)"},
	} {
		if got := filed(r, test.on, test.instruction); !strings.Contains(got, test.want) {
			t.Errorf("%s %s\n got %s\nwant %s", test.on, test.instruction, got, test.want)
		}
	}
}

// TestRawNothingIsCutOff: among many instructions, the one that reaches everyone is named first.
func TestRawNothingIsCutOff(t *testing.T) {
	t.Parallel()
	r := start(t)
	var all []string
	for n := range 14 {
		all = append(all, fmt.Sprintf(`{"kind":"addRule","variationId":"false","clauses":[{"attribute":"country-%02d-and-a-name-that-is-long","op":"in","values":["some long value %02d"]}]}`, n, n))
	}
	all = append(all, `{"kind":"turnFlagOn"}`)
	got := r.call("create-scheduled-change", `{"projectKey":"shop","env":"production","flagKey":"dark-mode","comment":"c","executionDate":"2099-01-01T00:00:00Z","instructions":[`+strings.Join(all, ",")+`]}`)
	if !strings.Contains(got, "15 changes: turn targeting on; ") || strings.Count(got, "add a rule") != 14 {
		t.Error(got)
	}
}

// TestRawPrerequisites takes a refused change of prerequisites through an approval, and into a schedule.
func TestRawPrerequisites(t *testing.T) {
	t.Parallel()
	r := start(t)
	if err := r.RequireApproval("shop", "test", "flag"); err != nil {
		t.Fatal(err)
	}
	refused := replied[blocked](t, r.call("update-prerequisites",
		`{"projectKey":"shop","env":"test","flagKey":"dark-mode","confirm":"test","instructions":[{"kind":"addPrerequisite","key":"search-ranking","variation":"Semantic"}]}`))
	if !refused.RequiresApproval {
		t.Fatalf("%+v", refused)
	}
	made := replied[blocked](t, r.callWith(refused.Request.Tool, refused.Request.Arguments))
	people := start(t, func(s *setup) { s.client.Transport = approving{r.Account} })
	got := people.call("apply-approval-request", fmt.Sprintf(`{"projectKey":"shop","id":%q,"dryRun":true}`, made.After.ID))
	if !strings.Contains(got, "require flag search-ranking to serve Semantic") {
		t.Error(got)
	}

	r = start(t)
	got = r.call("create-scheduled-change", `{"projectKey":"shop","env":"test","flagKey":"dark-mode","executionDate":"2099-01-01T00:00:00Z","instructions":[{"kind":"addPrerequisite","key":"search-ranking","variationId":"Semantic"}]}`)
	if !strings.Contains(got, `"changed":true`) || !strings.Contains(got, "require flag search-ranking to serve Semantic") {
		t.Error(got)
	}
	r.call("update-prerequisites", `{"projectKey":"shop","env":"test","flagKey":"dark-mode","instructions":[{"kind":"addPrerequisite","key":"search-ranking","variation":"Semantic"}]}`)
	for _, instruction := range []string{
		`{"kind":"addPrerequisite","key":"dark-mode","variationId":"true"}`,
		`{"kind":"replacePrerequisites","prerequisites":[{"key":"dark-mode","variationId":"true"}]}`,
	} {
		if got := filed(r, "flag/search-ranking", instruction); !strings.Contains(got, "would make a circle") {
			t.Errorf("%s: %s", instruction, got)
		}
	}
}

// approving shows every approval request as approved.
type approving struct{ *sandbox.Account }

func (a approving) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := a.Account.RoundTrip(q)
	if err != nil || q.Method != http.MethodGet || !strings.Contains(q.URL.Path, "/approval-requests/") {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	text := strings.Replace(string(b), `"reviewStatus":"pending"`, `"reviewStatus":"approved"`, 1)
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	resp.Header.Del("Content-Length")
	return resp, err
}

// TestRawApplyPutsNothingRight: a request by somebody else is carried out as it is, so it must be right as it is.
func TestRawApplyPutsNothingRight(t *testing.T) {
	t.Parallel()
	r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
	r.Next(sandbox.Fault{Status: 200, Body: `{"_id":"abc","resourceId":"proj/shop:env/test:flag/dark-mode","status":"pending","reviewStatus":"approved","conflicts":[],` +
		`"instructions":[{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"true":50,"false":50}}]}`})
	if got := r.call("apply-approval-request", `{"projectKey":"shop","id":"abc"}`); !strings.Contains(got, "does not say in ids and thousandths") || len(r.Writes()) > 0 {
		t.Error(got)
	}
}

// TestRawApplyCopy: a copy says what it would change, and stays in scope.
func TestRawApplyCopy(t *testing.T) {
	t.Parallel()
	copied := sandbox.Fault{Status: 200, Body: `{"_id":"abc","resourceId":"proj/shop:env/production:flag/dark-mode","status":"pending","reviewStatus":"approved","conflicts":[],"instructions":[],"source":{"key":"test"}}`}
	r := start(t)
	r.Next(copied)
	if got := r.call("apply-approval-request", `{"projectKey":"shop","id":"abc","comment":"c"}`); !strings.Contains(got, "copy the settings of test to production, which would turn it on") || !strings.Contains(got, `confirm: "production"`) {
		t.Error(got)
	}
	r = start(t, func(s *setup) { s.client.Scope.Environments = []string{"production"} })
	r.Next(copied)
	if got := r.call("apply-approval-request", `{"projectKey":"shop","id":"abc","comment":"c"}`); !strings.Contains(got, "outside this server's scope") {
		t.Error(got)
	}
}

// TestScheduledTimes: not too soon, not twice, and exactly when the person who confirmed was told.
func TestScheduledTimes(t *testing.T) {
	t.Parallel()
	schedule := func(r *rig, more string) string {
		return r.call("create-scheduled-change", `{"projectKey":"shop","flagKey":"dark-mode","comment":"c","instructions":[{"kind":"turnFlagOn"}],`+more+`}`)
	}
	r := start(t)
	if got := schedule(r, `"env":"test","executionDate":"in 30s"`); !strings.Contains(got, "less than a minute from now") {
		t.Error(got)
	}
	at := `"env":"test","executionDate":"2099-01-01T00:00:00Z"`
	if got := schedule(r, at); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
	if got := schedule(r, at); !strings.Contains(got, "does the same at 2099-01-01T00:00:00Z already") || len(r.Writes()) != 1 {
		t.Error(got)
	}
	for _, more := range []string{`"env":"production","executionDate":"in 2h"`, `"env":"test","executionDate":"in 2h","confirm":"test"`} {
		got := schedule(r, more)
		_, after, _ := strings.Cut(got, `executionDate "`)
		absolute, _, _ := strings.Cut(after, `"`)
		if absolute == "" {
			t.Fatal(got)
		}
		p := &person{action: "accept"}
		again := start(t, func(s *setup) { s.mcp = append(s.mcp, client.WithElicitationHandler(p)) })
		fixed := strings.Replace(more, "in 2h", absolute, 1)
		if got := schedule(again, fixed); !json.Valid([]byte(got)) || !strings.Contains(got, `"changed":true`) {
			t.Error(got)
		}
		if strings.Contains(more, "production") && !strings.Contains(p.question, absolute) {
			t.Error(p.question)
		}
	}
}
