package tools_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/tools"
)

// TestPublished compares what is embedded with the code.
func TestPublished(t *testing.T) {
	before, err := os.ReadFile("published.txt")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "published.txt", tools.Published())
	if *rewrite && string(before) != tools.Published() {
		t.Error("published.txt was written anew, and this program still holds the old one; run the tests with -update once more")
	}
}

// TestConfiguredMayBeLeftOut: what the operator configured may be left out, in every tool, and nothing else changes.
func TestConfiguredMayBeLeftOut(t *testing.T) {
	for _, o := range []struct {
		project, environment string
		standIns             []string
	}{
		{"shop", "", []string{"projectKey"}},
		{"", "test", []string{"environmentKey"}},
		{"shop", "test", []string{"projectKey", "environmentKey"}},
	} {
		wire := listed(t, start(t, func(s *setup) { s.Project, s.Environment = o.project, o.environment }))
		for _, tool := range everyTool() {
			if len(tool.StandsFor) > 0 {
				continue
			}
			var want any
			if err := json.Unmarshal(tools.PublishedWith(tool, o.standIns...), &want); err != nil {
				t.Fatal(err)
			}
			got, _ := wire[tool.Name]["inputSchema"].(map[string]any)
			if list, _ := got["required"].([]any); len(list) == 0 {
				delete(got, "required") // which the client adds
			}
			if d := cmp.Diff(want, any(got)); d != "" {
				t.Errorf("%s with %v (-want +got):\n%s", tool.Name, o.standIns, d)
			}
		}
	}
}
