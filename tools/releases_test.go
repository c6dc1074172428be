package tools_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// TestRolloutArguments: what cannot be right is refused with the way to repair it, before any write.
func TestRolloutArguments(t *testing.T) {
	stages := func(s ...map[string]any) map[string]any {
		list := []any{}
		for _, one := range s {
			list = append(list, one)
		}
		return map[string]any{"stages": list}
	}
	for name, test := range map[string]struct {
		tool string
		with map[string]any
		want string
	}{
		"unknown variation":        {"start-guarded-rollout", map[string]any{"testVariationId": "01234567-89ab-4def-8123-456789abcdef"}, "has no variation"},
		"equal variations":         {"start-progressive-rollout", map[string]any{"controlVariationId": "0"}, "both mean true"},
		"no stages":                {"start-progressive-rollout", stages(), "must hold at least 1, got 0"},
		"no metrics":               {"start-guarded-rollout", map[string]any{"metrics": []any{}}, "must hold at least 1, got 0"},
		"a metric twice":           {"start-guarded-rollout", map[string]any{"metrics": []any{map[string]any{"metricKey": "a"}, map[string]any{"key": "a"}}}, "name each metric once"},
		"over 50 % guarded":        {"start-guarded-rollout", stages(map[string]any{"percent": 50.5, "hours": 1}), "holds at most 50 %, got 50.5 %"},
		"over 100 %":               {"start-progressive-rollout", stages(map[string]any{"percent": 10000, "hours": 1}), "thousandths go into rolloutWeight"},
		"percent as thousandths":   {"start-progressive-rollout", stages(map[string]any{"rolloutWeight": 10, "hours": 1}), "give percent if you mean 10 %"},
		"over 100 % in thousandth": {"start-progressive-rollout", stages(map[string]any{"rolloutWeight": 100_001, "hours": 1}), "at most 100 percent"},
		"nothing":                  {"start-progressive-rollout", stages(map[string]any{"percent": 0, "hours": 1}), "more than 0"},
		"negative":                 {"start-progressive-rollout", stages(map[string]any{"rolloutWeight": -5, "hours": 1}), "more than 0"},
		"both units":               {"start-progressive-rollout", stages(map[string]any{"percent": 10, "rolloutWeight": 10000, "hours": 1}), "not both"},
		"no time":                  {"start-progressive-rollout", stages(map[string]any{"percent": 10}), "give hours, or monitoringWindowMilliseconds"},
		"seconds as milliseconds":  {"start-progressive-rollout", stages(map[string]any{"percent": 10, "monitoringWindowMilliseconds": 3600}), "3600000 is an hour"},
		"milliseconds as hours":    {"start-progressive-rollout", stages(map[string]any{"percent": 10, "hours": 3_600_000_000}), ""},
		"no hours":                 {"start-progressive-rollout", stages(map[string]any{"percent": 10, "hours": -1}), "at least a minute"},
		"downwards":                {"start-progressive-rollout", stages(map[string]any{"percent": 50, "hours": 1}, map[string]any{"percent": 20, "hours": 1}), "stages[1]: 20 % is less than 50 %"},
		"unknown rule":             {"start-progressive-rollout", map[string]any{"ruleId": "nope"}, `no rule "nope" here`},
		"off":                      {"start-progressive-rollout", map[string]any{"environmentKey": "production", "turnOn": false}, "give turnOn: true"},
		"already running":          {"start-progressive-rollout", map[string]any{"flagKey": "product-reviews"}, "stop it with stop-guarded-rollout first"},
		"the other kind":           {"stop-progressive-rollout", map[string]any{"flagKey": "product-reviews"}, "which stop-guarded-rollout stops"},
		"nothing to stop":          {"stop-guarded-rollout", map[string]any{"flagKey": "dark-mode"}, "no guarded rollout runs on flag dark-mode in test; nothing was changed"},
		"not on this rule":         {"stop-guarded-rollout", map[string]any{"flagKey": "product-reviews", "ruleId": "nope"}, `no rule "nope" here`},
		"a wrong end":              {"stop-guarded-rollout", map[string]any{"flagKey": "product-reviews", "finalVariation": "maybe"}, `no variation "maybe"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.want == "" {
				test.want = "more than a year"
			}
			r := start(t)
			args := maps.Clone(known("test"))
			for _, extra := range []string{"segmentKey", "on"} {
				delete(args, extra)
			}
			maps.Copy(args, samples[test.tool]("test"))
			maps.Copy(args, test.with)
			if got := r.callWith(test.tool, args); !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if n := len(r.Writes()); n > 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// TestRolloutOnRule: rollouts start, show and stop on a targeting rule, which stop finds without being told.
func TestRolloutOnRule(t *testing.T) {
	r := start(t)
	f, err := direct(t, r).Flags.Get(t.Context(), "shop", "production", "currency-switcher")
	if err != nil {
		t.Fatal(err)
	}
	patchDirectly(t, r, "test", "dark-mode", map[string]any{"kind": "addRule", "variationId": variationOf(t, r, "dark-mode", 1), "clauses": f.Environments["production"].Rules[0].Clauses})
	now, err := direct(t, r).Flags.Get(t.Context(), "shop", "test", "dark-mode")
	if err != nil {
		t.Fatal(err)
	}
	rule := now.Environments["test"].Rules[0].ID
	const at = `{"projectKey":"shop","flagKey":"dark-mode","env":"test"`
	got := r.call("start-progressive-rollout", at+`,"ruleId":"`+rule+`","testVariationId":"on","controlVariationId":"off","stages":[{"percent":10,"hours":1}]}`)
	if !strings.Contains(got, `"serves":"10 % true, 90 % false"`) || !strings.Contains(got, `"serves":"false"`) {
		t.Error(got)
	}
	if got := r.call("get-rollout-status", at+`}`); !strings.Contains(got, `"ruleId":"`+rule+`"`) || !strings.Contains(got, "1 of 1: 10 % for 1 h") {
		t.Error(got)
	}
	if got := r.call("stop-progressive-rollout", at+`,"ruleId":"fallthrough"}`); !strings.Contains(got, "no progressive rollout runs") {
		t.Error(got)
	}
	if got := r.call("stop-progressive-rollout", at+`}`); !strings.Contains(got, `"changed":true`) || !strings.Contains(got, `"rollout":"stopped"`) {
		t.Error(got)
	}
	if got := r.call("get-rollout-status", at+`}`); !strings.Contains(got, `"running":[]`) || !strings.Contains(got, `"serves":"10 % true, 90 % false"`) {
		t.Error(got)
	}
}

func variationOf(t *testing.T, r *rig, flag string, i int) string {
	t.Helper()
	f, err := direct(t, r).Flags.Get(t.Context(), "shop", "", flag)
	if err != nil {
		t.Fatal(err)
	}
	return f.Variations[i].ID
}

// TestRolloutUnread: where rollouts cannot be read, the flag's own state is shown, and LaunchDarkly decides.
func TestRolloutUnread(t *testing.T) {
	r := start(t, func(s *setup) {
		account := s.client.Transport.(*sandbox.Account)
		s.client.Transport = failing{account, "/internal/"}
		s.Confirm = tools.ConfirmNever
	})
	const at = `{"projectKey":"shop","comment":"c","env":"test","flagKey":`
	if got := r.call("get-rollout-status", `{"projectKey":"shop","flagKey":"product-reviews"}`); !strings.Contains(got, `"serves":"50 % true, 50 % false"`) || !strings.Contains(got, "rollouts could not be read") {
		t.Error(got)
	}
	for _, test := range []struct{ tool, args, want string }{
		{"stop-guarded-rollout", `"dark-mode"}`, "serves true alone in test, so no rollout runs on it"},
		{"stop-guarded-rollout", `"product-reviews","dryRun":true}`, "it could not be read which rollout runs"},
		{"stop-guarded-rollout", `"product-reviews","finalVariation":"true"}`, `"serves":"true"`},
		{"start-progressive-rollout", `"one-click-buy","testVariationId":"true","controlVariationId":"false","stages":[{"percent":10,"hours":1}]}`, "end it with stop-progressive-rollout first"},
	} {
		if got := r.call(test.tool, at+test.args); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %s, want %s", test.tool, got, test.want)
		}
	}
}

// TestRolloutRefusals: each of LaunchDarkly's refusals has a next step of its own.
func TestRolloutRefusals(t *testing.T) {
	steps := map[string]bool{}
	for _, message := range []string{
		"flag dark-mode is off", "Flag must not have ongoing guarded rollout", "Flag must not have ongoing progressive rollout",
		"instruction kind 'startAutomatedRelease' unsupported", "instruction kind startAutomatedRelease is not enabled for guarded releases",
		"instruction targetVariationId and originalVariationId must be different", "originalVariationId must be a valid variation id",
		"stage allocation must be greater than 0", "stage allocation must not exceed 50%", "cannot start an automated release on a disabled rule",
		"Automated releases cannot be created on the default rule", "no active automated release found on this target",
	} {
		r := start(t)
		r.Next(sandbox.Fault{Status: 400, Body: `{"code":"invalid_request","message":"` + message + `"}`, Match: func(r *http.Request) bool { return r.Method == http.MethodPatch }})
		args := samples["start-guarded-rollout"]("test")
		maps.Copy(args, map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test"})
		got := r.callWith("start-guarded-rollout", args)
		_, step, found := strings.Cut(got, "invalid_request). ")
		if !found || steps[step] || strings.HasPrefix(step, "Read the resource again") {
			t.Errorf("%s: %s", message, got)
		}
		steps[step] = true
	}
}

// TestRolloutGoesOn: the status follows the clock.
func TestRolloutGoesOn(t *testing.T) {
	now := noon
	account := sandbox.New(sandbox.Options{Now: func() time.Time { return now }})
	r := start(t, func(s *setup) { s.client.Transport = account })
	const at = `{"projectKey":"shop","flagKey":"dark-mode","env":"test"`
	r.call("start-progressive-rollout", at+`,"testVariationId":"on","controlVariationId":"off","stages":[{"percent":10,"hours":1},{"percent":40,"hours":2}]}`)
	for _, want := range []string{`"stage":"1 of 2: 10 % for 1 h"`, `"serves":"40 % true, 60 % false"`, `"stage":"2 of 2: 40 % for 2 h"`, `"status":"completed"`} {
		if got := r.call("get-rollout-status", at+`}`); !strings.Contains(got, want) {
			t.Errorf("at %s: no %s in %s", now, want, got)
		}
		now = now.Add(61 * time.Minute)
	}
}
