package tools_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/tools"
)

func everyTool() []tools.Tool {
	var out []tools.Tool
	for _, set := range tools.Catalog() {
		for _, tool := range set.Tools {
			if len(tool.StandsFor) == 0 {
				out = append(out, tool)
			}
		}
	}
	return out
}

// listed is what a client is told of the tools, in wire form.
func listed(t *testing.T, r *rig) map[string]map[string]any {
	t.Helper()
	got, err := r.client.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for _, tool := range got.Tools {
		b, err := json.Marshal(tool)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		out[tool.Name] = m
	}
	return out
}

var kebab = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// TestEveryTool holds each tool to the rules of the house.
func TestEveryTool(t *testing.T) {
	seen := map[string]bool{}
	r := start(t)
	wire := listed(t, r)
	for words := range maps.Values(told) {
		if !strings.Contains(r.instructions, words) {
			t.Errorf("the server's instructions do not say %q", words)
		}
	}
	for _, tool := range everyTool() {
		for _, name := range append([]string{tool.Name}, tool.Aliases...) {
			if seen[name] {
				t.Errorf("%s: declared twice", name)
			}
			seen[name] = true
		}
		if !kebab.MatchString(tool.Name) || len(tool.Name) > 40 {
			t.Errorf("%s: names are kebab-case of at most 40 characters", tool.Name)
		}
		if (tool.Effect != tools.Read) != (tool.Action != "") {
			t.Errorf("%s: a writer names its LaunchDarkly role action, a reader none", tool.Name)
		}
		if tool.Title == "" || len(tool.Doc) < 20 || len(tool.Doc) > 500 || !strings.HasSuffix(tool.Doc, ".") {
			t.Errorf("%s: wants a title and a description of 20 to 500 bytes that ends in a full stop, has %d", tool.Name, len(tool.Doc))
		}
		def := wire[tool.Name]
		if d := cmp.Diff(hintsOf(tool), def["annotations"]); d != "" {
			t.Errorf("%s: the hints do not follow from its effect (-want +got):\n%s", tool.Name, d)
		}
		in, _ := def["inputSchema"].(map[string]any)
		if in["type"] != "object" {
			t.Errorf("%s: the input schema is not that of an object", tool.Name)
		}
		plainSchema(t, tool.Name, in, "")
		if tool.Effect == tools.Read {
			if got := r.call(tool.Name, `{"noSuchArgument":1}`); !strings.Contains(got, "noSuchArgument") {
				t.Errorf("%s: takes an argument that it does not know: %s", tool.Name, got)
			}
		}
		props, _ := in["properties"].(map[string]any)
		_, comment := props["comment"]
		_, confirm := props["confirm"]
		_, dryRun := props["dryRun"]
		if want := tool.Effect != tools.Read; comment != want || confirm != want || dryRun != want {
			t.Errorf("%s: comment, confirm and dryRun are for writers, and for all of them", tool.Name)
		}
	}
}

// hintsOf is what clients must be told: a reader is read-only, and nothing else
// is; what adds is not destructive; no tool reaches beyond the account.
func hintsOf(tool tools.Tool) any {
	hints := map[string]any{"openWorldHint": false}
	switch {
	case tool.Effect == tools.Read:
		hints = map[string]any{"readOnlyHint": true}
	case tool.Effect == tools.Create:
		hints["destructiveHint"] = false
	case !tool.Additive:
		hints["idempotentHint"] = true
	}
	return hints
}

// plain are arguments whose names say it all.
var plain = strings.Fields(`projectKey environmentKey flagKey flagKeys segmentKey policyKey policyKeys pipelineKey teamKey metricKey key id
	auditLogEntryId name description tags email status reviewStatus type sort action on enabled fromEnv toEnv includedActions excludedActions
	repository integrationKey kind op negate clauses values value trackEvents trackEventsFallthrough randomizationUnit hours rollback isGroup
	metrics releaseMethod metricGroupKeys rollbackOnRegression minSampleSize usingMobileKey usingEnvironmentId secureMode defaultTrackEvents
	mode variationName sourceVariationKey modelConfigKey modelName parameters instructions
	metricGroupKey experimentKey holdoutKey layerKey configKey variationKey toolKey snippetKey graphKey viewKey applicationKey webhookId
	notifyMemberIds notifyTeamKeys unboundedContextKind startsWith arguments contextKey offVariation`)

// told are arguments that the server's instructions explain, once for all tools, in these words.
var told = map[string]string{
	"comment": "comment (why", "confirm": "confirm (what a reply asked for)", "dryRun": "dryRun (shows",
	"limit": "limit goes to 200", "offset": "offset takes nextOffset", "cursor": "cursor takes nextCursor",
	"rulesOffset": "offset", "valuesOffset": "offset", "filesOffset": "offset", "changesOffset": "offset", "attributesOffset": "offset",
	"query": "query is a part of keys and names", "variation": "a variation is given by _id, name, value or index",
	"contextKind": "a context kind is user", "kind": "a context kind is user", "rolloutContextKind": "a context kind is user",
	"rolloutBucketBy": "the attribute to divide by is key", "bucketBy": "the attribute to divide by is key",
	"after": "times are", "before": "times are", "executionDate": "times are",
}

// plainSchema walks a schema and refuses what some clients cannot read, and
// arguments that are explained nowhere: not by themselves, not by what they are part of, not for all tools.
func plainSchema(t *testing.T, at string, s map[string]any, around string) {
	t.Helper()
	for _, key := range []string{"oneOf", "anyOf", "allOf", "$ref", "$schema", "$defs", "patternProperties"} {
		if _, ok := s[key]; ok {
			t.Errorf("%s: the schema holds %s", at, key)
		}
	}
	if _, ok := s["type"].(string); !ok {
		t.Errorf("%s: type is %v, not one name", at, s["type"])
	}
	props, _ := s["properties"].(map[string]any)
	for name, v := range props {
		p, ok := v.(map[string]any)
		if !ok {
			t.Errorf("%s.%s: the schema is a bare %v", at, name, v)
			continue
		}
		doc, _ := p["description"].(string)
		if doc == "" && !slices.Contains(plain, name) && told[name] == "" && !strings.Contains(around, name) {
			t.Errorf("%s.%s: has no description", at, name)
		}
		plainSchema(t, at+"."+name, p, doc+around)
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if inner, ok := s[key].(map[string]any); ok {
			plainSchema(t, at+"."+key, inner, around)
		} else if s[key] == true {
			t.Errorf("%s.%s: is a bare true", at, key)
		}
	}
}

// TestCatalogGolden compares what each toolset tells a client, so that a review shows a whole group.
func TestCatalogGolden(t *testing.T) {
	wire := listed(t, start(t))
	for _, set := range tools.Catalog() {
		var defs []any
		for _, tool := range set.Tools {
			if len(tool.StandsFor) == 0 {
				defs = append(defs, wire[tool.Name])
			}
		}
		b, err := json.MarshalIndent(defs, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", "catalog", set.Name+".json"), string(b)+"\n")
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (run go test ./tools -update and read the change):\n%s", file, d)
	}
}

// TestListIsSorted: the list must be the same on every connection, in one order.
func TestListIsSorted(t *testing.T) {
	got, err := start(t).client.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(got.Tools, func(a, b mcp.Tool) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("tools are not sorted by name")
	}
}

// TestAliases: names of older servers can be called but are not listed.
func TestAliases(t *testing.T) {
	r := start(t)
	wire := listed(t, r)
	n := 0
	for _, tool := range everyTool() {
		for _, alias := range tool.Aliases {
			n++
			if wire[alias] != nil {
				t.Errorf("%s is listed", alias)
			}
			if got := r.callWith(alias, map[string]any{}); strings.HasPrefix(got, "!!") {
				t.Errorf("%s cannot be called: %s", alias, got)
			}
		}
	}
	if n == 0 {
		t.Error("no aliases")
	}
}

func TestSelection(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*setup)
		want   string // tools listed, or the error
	}{
		{"one toolset", func(s *setup) { s.Toolsets = []string{"code-references"} }, "get-code-references get-flag-extinctions list-code-repositories"},
		{"globs alone", func(s *setup) { s.Toolsets, s.Tools = nil, []string{"get-c*", "whoami"} }, "get-code-references get-context whoami"},
		{"excluded", func(s *setup) {
			s.Toolsets, s.ExcludeTools = []string{"code-references"}, []string{"list-*", "*-extinctions"}
		}, "get-code-references"},
		{"read-only", func(s *setup) { s.Toolsets, s.ReadOnly = []string{"targeting", "account"}, true }, "whoami"},
		{"unknown toolset", func(s *setup) { s.Toolsets = []string{"segment"} }, `there is no toolset "segment"; there are default, all, flags, lifecycle, code-references, targeting, safety, approvals, scheduled-changes, segments, contexts, audit, projects, members, releases, triggers, metrics, experiments, ai-configs, ai-tools, agent-graphs, views, integrations, usage, account, api`},
		{"unknown tool", func(s *setup) { s.Tools = []string{"togle-flag"} }, `--tools: no tool is called "togle-flag" (did you mean toggle-flag?)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := setup{}
			test.change(&s)
			if _, err := tools.New(s.Options); err != nil {
				if err.Error() != test.want {
					t.Errorf("got %v, want %s", err, test.want)
				}
				return
			}
			var got []string
			for name := range listed(t, start(t, test.change)) {
				got = append(got, name)
			}
			slices.Sort(got)
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}

// TestStandIns: an unlisted tool of an older server does nothing that the operator left out.
func TestStandIns(t *testing.T) {
	const archive = `{"request":{"projectKey":"shop","featureFlagKey":"dark-mode","PatchWithComment":{"comment":"c","patch":[{"op":"replace","path":"/environments/test/on","value":false}]}}}`
	for name, test := range map[string]struct {
		change func(*setup)
		served bool
	}{
		"default":         {func(s *setup) { s.Toolsets = nil }, true},
		"one excluded":    {func(s *setup) { s.Toolsets, s.ExcludeTools = nil, []string{"toggle-flag"} }, false},
		"other one":       {func(s *setup) { s.ExcludeTools = []string{"restore-*"} }, false},
		"not among names": {func(s *setup) { s.Toolsets, s.Tools = nil, []string{"update-*"} }, false},
		"another toolset": {func(s *setup) { s.Toolsets = []string{"segments"} }, false},
		"read-only":       {func(s *setup) { s.ReadOnly = true }, false},
	} {
		r := start(t, test.change)
		got := r.call("update-feature-flag", archive)
		if strings.Contains(got, `"changed":true`) != test.served || (len(r.Writes()) > 0) != test.served {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestHiddenToolsSayWhy: a tool that is known but not served is refused with the reason.
func TestHiddenToolsSayWhy(t *testing.T) {
	r := start(t, func(s *setup) { s.ReadOnly = true })
	want := "! toggle-flag is not available: this server is read-only. Nothing was changed."
	if got := r.call("toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","on":false}`); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestOutputs: with output schemas on, every success carries the same JSON twice and fits its schema.
func TestOutputs(t *testing.T) {
	r := start(t, func(s *setup) { s.OutputSchemas = true })
	wire := listed(t, r)
	for _, tool := range everyTool() {
		if out, ok := wire[tool.Name]["outputSchema"].(map[string]any); !ok || out["type"] != "object" {
			t.Errorf("%s: the output schema is %v", tool.Name, wire[tool.Name]["outputSchema"])
		}
		var req mcp.CallToolRequest
		req.Params.Name, req.Params.Arguments = tool.Name, sample(t, tool, "test")
		res, err := r.client.CallTool(t.Context(), req)
		if err != nil {
			t.Errorf("%s: %v", tool.Name, err)
			continue
		}
		text := res.Content[0].(mcp.TextContent).Text
		if res.IsError {
			if res.StructuredContent != nil {
				t.Errorf("%s: an error carries structured content", tool.Name)
			}
			continue
		}
		b, err := json.Marshal(res.StructuredContent)
		var a, c any
		if err != nil || json.Unmarshal(b, &a) != nil || json.Unmarshal([]byte(text), &c) != nil || cmp.Diff(a, c) != "" {
			t.Errorf("%s: text and structured content differ", tool.Name)
		}
		fitsSchema(t, tool.Name, wire[tool.Name]["outputSchema"], c)
	}
}

// older are kinds of instructions that are accepted and no longer shown: each does what another one does.
var older = strings.Fields(`makeFlagTemporary makeFlagPermanent addContextTargets removeContextTargets addUserTargets removeUserTargets
	replaceUserTargets clearUserTargets addIncludedUsers removeIncludedUsers addExcludedUsers removeExcludedUsers`)

// TestWordsAreShown: a client is shown every word that an argument may be, in its schema or in a description.
func TestWordsAreShown(t *testing.T) {
	r := start(t)
	wire := listed(t, r)
	for name, words := range r.server.Words() {
		shown := wireJSON(t, wire[name])
		for _, word := range words {
			if !slices.Contains(older, word) && !strings.Contains(shown, word) {
				t.Errorf("%s accepts %s, which is neither in its schema nor in its description", name, word)
			}
		}
	}
}
