package tools_test

import (
	"strings"
	"testing"
	"testing/synctest"
)

// TestAITargetingLate: what was just put into service is not deleted, nor called unserved, while reads do not show it.
func TestAITargetingLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, never)
		r.LagAIConfigs(1000)
		const at = `{"projectKey":"shop","configKey":"shopping-agent","comment":"c","variationKey":"concise"`
		if got := r.call("update-ai-config-rollout", at+`,"env":"test"}`); !strings.Contains(got, `"changed":true`) {
			t.Fatal(got)
		}
		n := len(r.Writes())
		for tool, more := range map[string]string{"delete-ai-config-variation": `}`, "update-ai-config-variation": `,"instructions":"Be brief."}`} {
			if got := r.call(tool, at+more); !strings.Contains(got, "does not show the latest change yet (version 2 of targeting in test was written, and version 1 is shown)") || len(r.Writes()) != n {
				t.Errorf("%s: %d writes: %s", tool, len(r.Writes())-n, got)
			}
		}
		r.client.Close()
	})
}

// TestAIVariationTargetedWhileOff: a variation is not deleted from under targets that are off for now.
func TestAIVariationTargetedWhileOff(t *testing.T) {
	t.Parallel()
	r := rewriting(t, func(s string) string {
		return strings.ReplaceAll(s, `"enabled":true,"_version"`, `"enabled":false,"_version"`)
	})
	if got := r.call("update-ai-config-individual-targets", `{"projectKey":"shop","configKey":"shopping-agent","env":"test","comment":"c","instructions":[{"kind":"addTargets","variation":"concise","values":["u1"]}]}`); !strings.Contains(got, `"changed":true`) {
		t.Fatal(got)
	}
	n := len(r.Writes())
	if got := r.call("delete-ai-config-variation", `{"projectKey":"shop","configKey":"shopping-agent","variationKey":"concise","comment":"c"}`); !strings.Contains(got, "is served or targeted in test") || len(r.Writes()) != n {
		t.Error(got)
	}
}
