package tools_test

import (
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// TestRepairable: what can be known to be wrong is refused before any write, with a sentence that lets a model repair the call.
func TestRepairable(t *testing.T) {
	const at = `{"projectKey":"shop","env":"test","comment":"c",`
	r := start(t)
	for _, test := range []struct{ name, tool, args, want string }{
		{"unknown variation in a rollout", "update-rollout", at + `"flagKey":"dark-mode","rolloutType":"variation","variation":"purple"}`, "it has true (index 0"},
		{"unknown variation when off", "update-off-variation", at + `"flagKey":"dark-mode","variation":"purple"}`, "it has true (index 0"},
		{"unknown variation of a target", "update-individual-targets", at + `"flagKey":"dark-mode","instructions":[{"kind":"addTargets","variation":"purple","values":["u"]}]}`, "it has true (index 0"},
		{"unknown rule", "update-targeting-rules", at + `"flagKey":"new-checkout","instructions":[{"kind":"removeRule","ruleId":"nope"}]}`, `no rule "nope"`},
		{"unknown rule of a segment", "update-segment-rules", at + `"segmentKey":"employees","instructions":[{"kind":"removeRule","ruleId":"nope"}]}`, `no rule "nope"`},
		{"a percentage of an AI config", "update-ai-config-rollout", `{"projectKey":"shop","env":"production","comment":"c","configKey":"product-summary","variationKey":"detailed","percent":10}`,
			`give weights instead of percent, such as [{"variation":"detailed","percent":10},{"variation":"short","percent":90}] where the rest keeps what it gets now`},
		{"a percentage of what is served", "update-ai-config-rollout", `{"projectKey":"shop","env":"production","comment":"c","configKey":"product-summary","variationKey":"short","percent":10}`, "give weights instead of percent: disabled"},
		{"an agent nearly named", "create-agent-graph", `{"projectKey":"shop","comment":"c","key":"g","name":"G","rootConfigKey":"support-agent","edges":[{"key":"e","sourceConfig":"support-agent","targetConfig":"triage-agen"}]}`,
			`there is no AI config "triage-agen" in project shop (did you mean triage-agent?)`},
		{"weights below 100", "update-rollout", at + `"flagKey":"dark-mode","rolloutType":"percentage","weights":[{"variation":"true","percent":60},{"variation":"false","percent":30}]}`, "must add up to 100 percent"},
		{"weights above 100 in a rule", "update-targeting-rules", at + `"flagKey":"dark-mode","instructions":[{"kind":"addRule","clauses":[{"attribute":"key","values":["a"]}],"rolloutWeights":{"true":60,"false":60}}]}`, "must add up to 100 percent"},
		{"prerequisite of itself", "update-prerequisites", at + `"flagKey":"dark-mode","instructions":[{"kind":"addPrerequisite","key":"dark-mode","variation":"true"}]}`, "itself"},
		{"prerequisite circle", "update-prerequisites", `{"projectKey":"shop","env":"production","comment":"c","flagKey":"payments-v2","instructions":[{"kind":"addPrerequisite","key":"new-checkout","variation":"true"}]}`, "circle"},
		{"unknown prerequisite", "update-prerequisites", at + `"flagKey":"dark-mode","instructions":[{"kind":"addPrerequisite","key":"drak-mode","variation":"true"}]}`, "drak-mode"},
		{"copy onto itself", "copy-flag-config", `{"projectKey":"shop","flagKey":"dark-mode","fromEnv":"test","toEnv":"test"}`, "two environments"},
		{"comparison with itself", "compare-flag-environments", `{"projectKey":"shop","flagKey":"dark-mode","fromEnv":"test","toEnv":"test"}`, "name two environments"},
		{"schedule in seconds", "create-scheduled-change", at + `"flagKey":"dark-mode","executionDate":"1893456000","instructions":[{"kind":"turnFlagOff"}]}`, "millisecond"},
		{"expiry in seconds", "manage-expiring-targets", at + `"flagKey":"live-chat","action":"add","contextKey":"user-1001","variation":"true","expiresAt":1893456000}`, "millisecond"},
		{"expiry in seconds of a segment", "manage-segment-expiring-targets", at + `"segmentKey":"beta-testers","action":"add","targetType":"included","contextKey":"user-1002","expiresAt":1893456000}`, "millisecond"},
		{"unknown segment in a rule", "update-targeting-rules", at + `"flagKey":"dark-mode","instructions":[{"kind":"addRule","variation":"true","clauses":[{"op":"segmentMatch","values":["beta-tester"]}]}]}`, "did you mean beta-testers"},
		{"a key on both lists", "update-segment-targets", at + `"segmentKey":"beta-testers","instructions":[{"kind":"addExcludedTargets","contextKind":"user","values":["user-1002"]}]}`, "user-1002"},
	} {
		got := r.call(test.tool, test.args)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(test.want)) || !strings.Contains(got, "othing was changed") && test.tool != "compare-flag-environments" {
			t.Errorf("%s: %s %s: got %s, want %s", test.name, test.tool, test.args, got, test.want)
		}
		if w := r.Writes(); len(w) > 0 {
			t.Fatalf("%s: LaunchDarkly saw %s %s", test.name, w[0].Method, w[0].Path)
		}
	}
}

// TestAmbiguousVariation: a name that two variations have is refused with both, in every tool that takes one.
func TestAmbiguousVariation(t *testing.T) {
	r := start(t)
	f, err := direct(t, r).Flags.Get(t.Context(), "shop", "test", "search-ranking")
	if err != nil {
		t.Fatal(err)
	}
	patchDirectly(t, r, "", "search-ranking", ldclient.Instruction{"kind": "updateVariation", "variationId": f.Variations[1].ID, "name": f.Variations[0].Name})
	const at = `{"projectKey":"shop","env":"test","flagKey":"search-ranking",`
	for tool, args := range map[string]string{
		"update-rollout":            at + `"rolloutType":"variation","variation":"Control"}`,
		"update-off-variation":      at + `"variation":"Control"}`,
		"update-targeting-rules":    at + `"instructions":[{"kind":"addRule","variation":"Control","clauses":[{"attribute":"key","values":["a"]}]}]}`,
		"update-individual-targets": at + `"instructions":[{"kind":"addTargets","variation":"Control","values":["u"]}]}`,
		"update-prerequisites":      strings.Replace(at, "search-ranking", "dark-mode", 1) + `"instructions":[{"kind":"addPrerequisite","key":"search-ranking","variation":"Control"}]}`,
	} {
		got := r.call(tool, args)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(got, "means several variations") || !strings.Contains(got, f.Variations[1].ID) || len(r.Writes()) != 1 {
			t.Errorf("%s: %s", tool, got)
		}
	}
}
