package sandbox

import (
	"strings"
	"testing"
)

func op(kind, path string, value any) map[string]any {
	return map[string]any{"op": kind, "path": path, "value": value}
}

func TestFlagJSONPatch(t *testing.T) {
	t.Parallel()
	const env = "/environments/test/"
	for _, tc := range []struct {
		name   string
		given  []instruction
		body   any
		want   map[string]string
		serves map[string]string
		action string
	}{
		{"name", nil, []any{op("replace", "/name", "Colour")}, map[string]string{"name": `"Colour"`}, nil, "updateName"},
		{"with a comment", nil, object{"comment": "why", "patch": []any{op("replace", "/description", "Paint")}}, map[string]string{"description": `"Paint"`}, nil, "updateDescription"},
		{"tags", nil, []any{op("add", "/tags/-", "ui")}, map[string]string{"tags": `["ui"]`}, nil, "updateTags"},
		{"temporary", nil, []any{op("replace", "/temporary", false)}, map[string]string{"temporary": "false"}, nil, "updateTemporary"},
		{"archived", nil, []any{op("replace", "/archived", true)}, map[string]string{config + "archived": "true"}, map[string]string{ann: "null"}, "updateGlobalArchived"},
		{"deprecated", nil, []any{op("replace", "/deprecated", true)}, map[string]string{"deprecated": "true"}, nil, "updateDeprecated"},
		{"variation value", nil, []any{op("replace", "/variations/0/value", "scarlet")}, map[string]string{"variations.0.value": `"scarlet"`}, map[string]string{ann: `"scarlet"`}, "updateFlagVariations"},
		{"defaults", nil, []any{op("replace", "/defaults", object{"onVariation": 1, "offVariation": 1})}, map[string]string{"defaults.offVariation": "1"}, nil, "updateFlagDefaultVariations"},
		{"client side", nil, []any{op("replace", "/clientSideAvailability/usingEnvironmentId", true)}, map[string]string{"includeInSnippet": "true"}, nil, "updateClientSideFlagAvailability"},
		{"snippet", nil, []any{op("replace", "/includeInSnippet", true)}, map[string]string{"clientSideAvailability.usingEnvironmentId": "true"}, nil, "updateClientSideFlagAvailability"},
		{"custom properties", nil, []any{op("add", "/customProperties/jira", object{"name": "Jira", "value": []string{"A-1"}})}, map[string]string{"customProperties.jira.value": `["A-1"]`}, nil, "updateFlagCustomProperties"},
		{"team", nil, []any{op("add", "/maintainerTeamKey", "platform")}, map[string]string{"_maintainerTeam.key": `"platform"`}, nil, "updateMaintainer"},
		{"off", nil, []any{op("test", env+"version", 2), op("replace", env+"on", false)}, map[string]string{config + "on": "false", config + "version": "3"}, map[string]string{ann: `"blue"`}, "updateOn"},
		{"off variation", []instruction{{"kind": "turnFlagOff"}}, []any{op("replace", env+"offVariation", 1)}, map[string]string{config + "offVariation": "1"}, map[string]string{ann: `"green"`}, "updateOffVariation"},
		{"no off variation", []instruction{{"kind": "turnFlagOff"}}, []any{op("remove", env+"offVariation", nil)}, map[string]string{config + "offVariation": ""}, map[string]string{ann: "null"}, "updateOffVariation"},
		{"rule", nil, []any{op("add", env+"rules/-", object{"variation": 1, "clauses": clauses(clauseOn("plan", "in", "pro"))})},
			map[string]string{config + "rules.0.variation": "1"}, map[string]string{ann: `"green"`, bob: `"red"`}, "updateRules"},
		{"fallthrough", nil, []any{op("replace", env+"fallthrough", object{"rollout": object{"variations": []object{{"variation": 2, "weight": 100000}}}})},
			map[string]string{config + "fallthrough.rollout.contextKind": `"user"`}, map[string]string{ann: `"blue"`}, "updateFallthrough"},
		{"new target", nil, []any{op("add", env+"targets/-", object{"variation": 1, "values": []string{"ann"}})},
			map[string]string{config + "targets.0.contextKind": `"user"`}, map[string]string{ann: `"green"`, bob: `"red"`}, "updateTargets"},
		{"one more target", []instruction{annTarget}, []any{op("add", env+"targets/0/values/-", "bob")}, map[string]string{config + "targets.0.values": `["ann","bob"]`}, map[string]string{bob: `"green"`}, "updateTargets"},
		{"context target", nil, []any{op("add", env+"contextTargets/-", object{"variation": 1, "contextKind": "org", "values": []string{"acme"}})},
			map[string]string{config + "targets": "[]"}, map[string]string{acme: `"green"`}, "updateTargets"},
		{"prerequisite", nil, []any{op("add", env+"prerequisites/-", object{"key": "gate", "variation": 1})}, map[string]string{config + "prerequisites.0.key": `"gate"`}, map[string]string{ann: `"blue"`}, "updatePrerequisites"},
		{"events", nil, []any{op("replace", env+"trackEvents", true)}, map[string]string{config + "trackEvents": "true"}, nil, "updateTrackEvents"},
		{"merge patch", nil, object{"name": "Colour", "tags": []string{"ui"}}, map[string]string{"name": `"Colour"`, "tags": `["ui"]`}, nil, "updateName"},
		{"merge of a configuration", nil, object{"comment": "why", "merge": object{"environments": object{"test": object{"on": false}}}},
			map[string]string{config + "on": "false", "environments.other.version": "1"}, map[string]string{ann: `"blue"`}, "updateOn"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			for _, in := range tc.given {
				l.patch("color", "test", in)
			}
			version := l.flag("color").Version
			l.unchanged(func() { l.ask(200, "PATCH", "/flags/lab/color?dryRun=true", plain, tc.body) })
			l.expect(l.ask(200, "PATCH", "/flags/lab/color", plain, tc.body), tc.want)
			l.expect(l.get("/flags/lab/color"), tc.want)
			l.serves("color", tc.serves)
			if entry := l.a.audit[len(l.a.audit)-1]; entry.Actions[0] != tc.action {
				t.Errorf("logged as %v, want %s", entry.Actions, tc.action)
			}
			if l.flag("color").Version != version+1 {
				t.Errorf("the flag's version went from %d to %d", version, l.flag("color").Version)
			}
		})
	}
}

func TestFlagJSONPatchErrors(t *testing.T) {
	t.Parallel()
	const env = "/environments/test/"
	for _, tc := range []struct {
		name   string
		body   any
		status int
		code   string
	}{
		{"remove what is not there", []any{op("remove", "/maintainerId", nil)}, 400, "invalid_patch"},
		{"unknown field", []any{op("add", "/color", "red")}, 400, "invalid_patch"},
		{"read-only field", []any{op("replace", "/_version", 9)}, 400, "invalid_patch"},
		{"key", []any{op("replace", "/key", "x")}, 400, "invalid_patch"},
		{"version of a configuration", []any{op("replace", env+"version", 9)}, 400, "invalid_patch"},
		{"unknown environment", []any{op("add", "/environments/nowhere/on", true)}, 400, "invalid_patch"},
		{"whole configuration", []any{op("replace", "/environments/test", object{})}, 400, "invalid_patch"},
		{"release pipeline", []any{op("add", "/releasePipelineKey", "p")}, 400, "invalid_patch"},
		{"wrong type", []any{op("replace", "/name", 7)}, 400, "invalid_patch"},
		{"stale test", []any{op("test", env+"version", 9), op("replace", env+"on", false)}, 409, "optimistic_locking_error"},
		{"weights", []any{op("replace", env+"fallthrough", object{"rollout": object{"variations": []object{{"variation": 0, "weight": 1}}}})}, 400, "invalid_request"},
		{"index", []any{op("replace", env+"offVariation", 3)}, 400, "invalid_request"},
		{"targets twice", []any{op("add", env+"targets/-", object{"variation": 1, "values": []string{"ann"}}), op("add", env+"targets/-", object{"variation": 2, "values": []string{"ann"}})}, 400, "invalid_request"},
		{"unknown prerequisite", []any{op("add", env+"prerequisites/-", object{"key": "none", "variation": 0})}, 400, "invalid_request"},
		{"no name", object{"name": nil}, 400, "invalid_request"},
		{"unknown member", object{"colour": "red"}, 400, "invalid_patch"},
		{"text", "on", 400, "invalid_patch"},
		{"null", nil, 400, "invalid_patch"},
		{"null merge", object{"merge": nil}, 400, "invalid_patch"},
		{"null configuration", object{"environments": object{"test": nil}}, 400, "invalid_patch"},
		{"null rule", []any{op("add", env+"rules/-", nil)}, 400, "invalid_patch"},
		{"empty path", []any{op("replace", "", object{})}, 400, "invalid_patch"},
		{"root member", []any{op("replace", "/", object{})}, 400, "invalid_patch"},
		{"null variation", []any{op("add", "/variations/-", nil)}, 400, "invalid_patch"},
		{"null fallthrough", []any{op("replace", env+"fallthrough", nil)}, 400, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			l.unchanged(func() {
				l.expect(l.ask(tc.status, "PATCH", "/flags/lab/color", plain, tc.body), map[string]string{"code": `"` + tc.code + `"`})
			})
		})
	}
	l := newLab(t)
	got := l.ask(400, "PATCH", "/flags/lab/color", plain, semanticBody("test", instruction{"kind": "turnFlagOff"}))
	if message := at(got, "message").(string); !strings.Contains(message, "domain-model=launchdarkly.semanticpatch") {
		t.Errorf("a semantic patch without its media type answers %q", message)
	}
	l.unchanged(func() { l.ask(200, "PATCH", "/flags/lab/color", plain, []any{op("replace", "/name", "Color")}) })
}
