package tools_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/tools"
)

// viewed is what a writer shows of a change.
type viewed struct {
	Changed, DryRun bool
	Before, After   any
}

// TestDryRuns calls every writer as a dry run, then really: the dry run writes
// nothing, asks nobody, and shows what the change then makes.
func TestDryRuns(t *testing.T) {
	t.Parallel()
	for _, environment := range []string{"test", "production"} {
		for _, tool := range everyTool() {
			if tool.Effect == tools.Read {
				continue
			}
			args := sample(t, tool, environment)
			r := start(t)
			args["dryRun"] = true
			text := r.callWith(tool.Name, args)
			if n := len(r.Writes()); n > 0 {
				t.Errorf("%s: a dry run wrote %s", tool.Name, r.Writes()[0].Path)
			}
			if strings.HasPrefix(text, "!") {
				t.Errorf("%s: %s", tool.Name, text)
				continue
			}
			dry := replied[viewed](t, text)
			if dry.Changed || !dry.DryRun {
				t.Errorf("%s: %s", tool.Name, text)
			}
			delete(args, "dryRun")
			real := start(t, never)
			text = real.callWith(tool.Name, args)
			if strings.HasPrefix(text, "!") {
				t.Errorf("%s: %s", tool.Name, text)
				continue
			}
			made := replied[viewed](t, text)
			if dry.After == nil && (tool.Effect != tools.Delete || made.After != nil) {
				t.Errorf("%s shows no after", tool.Name)
			}
			if dry.Before == nil && tool.Effect != tools.Create && made.Before != nil {
				t.Errorf("%s shows no before", tool.Name)
			}
			if !cmp.Equal(plainView(dry.After), plainView(made.After)) {
				t.Errorf("%s in %s shows something else than it makes (-shown +made):\n%s", tool.Name, environment, cmp.Diff(plainView(dry.After), plainView(made.After)))
			}
			if !cmp.Equal(plainView(dry.Before), plainView(made.Before)) {
				t.Errorf("%s in %s shows another before (-dry +real):\n%s", tool.Name, environment, cmp.Diff(plainView(dry.Before), plainView(made.Before)))
			}
		}
	}
}

// givenLater are fields that LaunchDarkly alone fills in, when a change is made.
var givenLater = []string{"url", "clientSideId", "maintainer", "maintainerId", "applied", "started"}

// plainView copies a view without ids that are made anew, versions, times and what else is known later.
func plainView(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return without(lasting(out))
}

func without(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = without(v[i])
		}
	case map[string]any:
		for name, inner := range v {
			if slices.Contains(givenLater, name) {
				delete(v, name)
			} else {
				v[name] = without(inner)
			}
		}
	}
	return v
}
