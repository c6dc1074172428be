package tools_test

import (
	"maps"
	"strings"
	"testing"
)

// TestArguments: what models send, and the one sentence that they get for what does not fit.
func TestArguments(t *testing.T) {
	const ok = ""
	for _, test := range []struct{ name, tool, args, want string }{
		{"quoted number", "list-flags", `{"projectKey":"shop","limit":"5"}`, ok},
		{"whole float", "list-flags", `{"projectKey":"shop","limit":5.0}`, ok},
		{"quoted boolean", "toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","on":"true"}`, ok},
		{"quoted array", "list-flags", `{"projectKey":"shop","tags":"[\"ui\"]"}`, ok},
		{"single value for an array", "list-flags", `{"projectKey":"shop","tags":"ui"}`, ok},
		{"snake case", "get-flag", `{"project_key":"shop","flag_key":"dark-mode","environment_key":"test"}`, ok},
		{"short names", "get-flag", `{"project":"shop","flag":"dark-mode","env":"test"}`, ok},
		{"wrapped", "get-flag", `{"request":{"projectKey":"shop","flagKey":"dark-mode"}}`, ok},
		{"an older name's own arguments", "list-feature-flags", `{"request":{"projectKey":"shop","env":"test","summary":true,"expand":"evaluation","limit":5}}`, ok},
		{"an older filter", "list-feature-flags", `{"request":{"projectKey":"shop","filter":"query:cart,tags:web+ui,type:temporary","sort":"-creationDate","archived":true,"compare":false}}`, ok},
		{"an older filter by something else", "list-feature-flags", `{"request":{"projectKey":"shop","filter":"followerId:1"}}`, "filter: nothing here is filtered by followerId:1; it takes query, tags, state, type"},
		{"an older filter of another list", "list-ai-configs", `{"request":{"projectKey":"shop","filter":"query:agent","sort":"name"}}`, ok},
		{"an older filter of what is not filtered", "get-environments", `{"request":{"projectKey":"shop","filter":"query:prod"}}`, "filter: this list takes none; leave it out"},
		{"an older order", "get-environments", `{"request":{"projectKey":"shop","sort":"name"}}`, ok},
		{"an older environment", "get-flag-status-across-environments", `{"request":{"projectKey":"shop","featureFlagKey":"dark-mode","env":"test"}}`, ok},
		{"an older project", "get-code-references", `{"request":{"projKey":"shop","flagKey":"dark-mode"}}`, ok},
		{"an older flag in the snippet", "create-feature-flag", `{"request":{"projectKey":"shop","FeatureFlagBody":{"name":"F","key":"snippet","includeInSnippet":true}}}`, ok},
		{"an older patch", "update-feature-flag", `{"request":{"projectKey":"shop","featureFlagKey":"dark-mode","ignoreConflicts":true,"PatchWithComment":{"comment":"c","patch":[{"op":"replace","path":"/environments/test/on","value":false}]}}}`, ok},
		{"an older resource", "get-audit-log-entries", `{"request":{"spec":"proj/shop:env/*:flag/dark-mode","limit":2}}`, ok},
		{"an older resource of another kind", "get-audit-log-entries", `{"request":{"spec":"member/*"}}`, "spec: \"member/*\" names no project, environment, flag or segment"},
		{"an older resource and another project", "get-audit-log-entries", `{"request":{"spec":"proj/shop","projectKey":"mobile"}}`, "spec and projectKey name different ones"},
		{"an older way to target", "update-ai-config-targeting", `{"request":{"projectKey":"shop","configKey":"product-summary","AIConfigTargetingPatch":{"environmentKey":"test","instructions":[{"kind":"addTargets","contextKind":"user","values":["u"]}]}}}`, "addTargets is what update-ai-config-individual-targets does"},
		{"an older way without a mode", "create-ai-config", `{"request":{"projectKey":"shop","AIConfigPost":{"key":"older","name":"Older","description":"","tags":[]}}}`, ok},
		{"not under its own name", "list-flags", `{"projectKey":"shop","summary":true}`, "no argument summary"},
		{"numbers for times", "get-audit-log-entries", `{"request":{"after":1700000000000,"q":"Dark","limit":2}}`, ok},
		{"null", "get-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":null}`, ok},
		{"empty default", "get-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":""}`, ok},
		{"twice the same", "get-flag", `{"projectKey":"shop","project":"shop","flagKey":"dark-mode"}`, ok},
		{"nested alias and quotes", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","dryRun":"true","instructions":"[{\"kind\":\"addRule\",\"variationId\":\"true\",\"clauses\":{\"attribute\":\"key\",\"values\":\"a\"}}]"}`, ok},
		{"numbers and booleans as values", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","dryRun":true,"instructions":[{"kind":"addRule","variation":"on","clauses":[{"attribute":"n","values":[5,true,"x"]}]}]}`, ok},
		{"twice and different", "get-flag", `{"projectKey":"shop","project":"mobile","flagKey":"dark-mode"}`, "ProjectKey and project mean the same and differ; give one of them"},
		{"number for a key", "get-flag", `{"projectKey":7,"flagKey":"dark-mode"}`, `There is no project "7"`},
		{"wrong type", "get-flag", `{"projectKey":{},"flagKey":"dark-mode"}`, "projectKey: must be a string, got an object"},
		{"boolean for a variation", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","dryRun":true,"instructions":[{"kind":"addRule","variation":true,"clauses":[{"attribute":"key","values":["a"]}]}]}`, ok},
		{"a year as a tag", "list-flags", `{"projectKey":"shop","tags":"2024"}`, ok},
		{"a decimal limit", "list-flags", `{"projectKey":"shop","limit":1.5}`, "limit: must be a whole number"},
		{"a huge offset", "get-flag", `{"projectKey":"shop","flagKey":"dark-mode","rulesOffset":1e30}`, "rulesOffset: must be at most 100000, got 1"},
		{"a percentage over 100", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","instructions":[{"kind":"addRule","percent":100.5}]}`, "instructions[0].percent: must be at most 100, got 100.5"},
		{"an argument of a tool without any", "whoami", `{"a":1}`, "no argument a; it takes none"},
		{"a list for a tool without any", "whoami", `[1]`, "the arguments must be a JSON object"},
		{"empty environment of a writer", "toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"","on":true}`, "Missing environmentKey"},
		{"not a number", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","dryRun":true,"instructions":[{"kind":"addRule","variation":"on","clauses":[{"attribute":"n","op":"lessThan","values":["NaN"]}]}]}`, ok},
		{"all rules replaced by none, unsaid", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","instructions":[{"kind":"replaceRules"}]}`, "missing rules"},
		{"all rules replaced by none", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","dryRun":true,"instructions":[{"kind":"replaceRules","rules":[]}]}`, ok},
		{"out of range", "list-flags", `{"projectKey":"shop","limit":500}`, "limit: must be at most 200, got 500"},
		{"not a number", "list-flags", `{"projectKey":"shop","limit":"many"}`, "limit: must be a whole number, got a string"},
		{"unknown", "list-flags", `{"projectKey":"shop","colour":"red"}`, "no argument colour; there are projectKey, environmentKey"},
		{"unknown enum value", "list-flags", `{"projectKey":"shop","state":"asleep"}`, "state: must be one of live, active"},
		{"missing", "toggle-flag", `{"projectKey":"shop"}`, "Missing flagKey, environmentKey, on"},
		{"not an object", "list-flags", `["shop"]`, "the arguments must be a JSON object"},
		{"nothing", "list-flags", `null`, "Missing projectKey"},
		{"nested unknown", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","instructions":[{"kind":"addRule","colour":1}]}`, "instructions[0]: no argument colour; there are kind"},
		{"nested wrong type", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","instructions":[{"kind":"addRule","clauses":[{"values":[{}]}]}]}`, "instructions[0].clauses[0].values[0]: must be a string, a number or true or false"},
		{"field of another kind", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","instructions":[{"kind":"removeRule","ruleId":"x","variation":"true"}]}`, "instructions[0] (removeRule): takes no variation; it takes ruleId"},
		{"no instructions", "update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","instructions":[]}`, "instructions: must hold at least 1, got 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t)
			got := r.call(test.tool, test.args)
			if test.want == ok && strings.HasPrefix(got, "!") {
				t.Errorf("got %s", got)
			}
			if test.want != ok && (!strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(test.want))) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if strings.Contains(got, "&{") || strings.Contains(got, "map[") {
				t.Errorf("a Go value shows in %s", got)
			}
		})
	}
}

// TestOlderNamesNarrow: what an older tool was asked for is what its successor answers.
func TestOlderNamesNarrow(t *testing.T) {
	r := start(t)
	for _, test := range []struct{ older, args, now, same string }{
		{"list-feature-flags", `{"request":{"projectKey":"shop","filter":"query:cart,tags:checkout"}}`, "list-flags", `{"projectKey":"shop","query":"cart","tags":["checkout"]}`},
		{"list-feature-flags", `{"request":{"projectKey":"shop","filter":"state:archived"}}`, "list-flags", `{"projectKey":"shop","state":"archived"}`},
		{"list-feature-flags", `{"request":{"projectKey":"shop","archived":true}}`, "list-flags", `{"projectKey":"shop","state":"archived"}`},
		{"get-ai-configs", `{"request":{"projectKey":"shop","filter":"query:agent"}}`, "list-ai-configs", `{"projectKey":"shop","query":"agent"}`},
		{"get-audit-log-entries", `{"request":{"spec":"proj/shop:env/production:flag/dark-mode"}}`, "query-audit-log", `{"projectKey":"shop","environmentKey":"production","flagKey":"dark-mode"}`},
	} {
		got, want := r.call(test.older, test.args), r.call(test.now, test.same)
		if all := r.call(test.now, `{"projectKey":"shop"}`); got != want || got == all {
			t.Errorf("%s %s: got %s, want %s", test.older, test.args, got, want)
		}
	}
}

// TestOlderModel: the name of a model is not that of its variation.
func TestOlderModel(t *testing.T) {
	r := start(t)
	got := r.call("create-ai-config-variation", `{"request":{"projectKey":"shop","configKey":"product-summary","AIConfigVariationPost":{"key":"third","name":"Third way","modelConfigKey":"OpenAI.gpt-4o","model":{"name":"gpt-4o"},"messages":[{"role":"system","content":"Hi."}]}}}`)
	if !strings.Contains(got, `"name":"Third way"`) || !strings.Contains(got, `"modelName":"gpt-4o"`) {
		t.Error(got)
	}
}

// TestConfiguredDefaults: a configured project and environment make the arguments optional, in the schema too.
func TestConfiguredDefaults(t *testing.T) {
	r := start(t, func(s *setup) { s.Project, s.Environment = "shop", "test" })
	if got := r.call("get-flag", `{"flagKey":"dark-mode"}`); !strings.Contains(got, `"environment":"test"`) {
		t.Error(got)
	}
	if got := r.call("toggle-flag", `{"flagKey":"dark-mode","on":false}`); !strings.Contains(got, "proj/shop:env/test:flag/dark-mode") {
		t.Error(got)
	}
	if got := r.call("get-flag", `{"projectKey":"mobile","flagKey":"dark-mode","env":"production"}`); strings.Contains(got, `"environment":"test"`) {
		t.Error("a default won over an argument:", got)
	}
	in := listed(t, r)["toggle-flag"]["inputSchema"].(map[string]any)
	if req := in["required"].([]any); len(req) != 2 {
		t.Errorf("required: %v, want flagKey and on", req)
	}
}

// TestKeysCannotClimb calls every tool with keys that would reach another resource, in every argument that is a key.
func TestKeysCannotClimb(t *testing.T) {
	r := start(t)
	for _, tool := range everyTool() {
		args := sample(t, tool, "test")
		for name := range args {
			if !strings.HasSuffix(name, "Key") && name != "id" || name == "contextKey" || name == "eventKey" { // the key of a context or an event may be any text
				continue
			}
			for _, bad := range []string{".", "..", "...", "a/b", "../flags", "a?b=c", "a#b", "%2e%2e", "%2f", "a\x00b", "a\nb", "a b", `a\b`, "a:b", "*", "*;x"} {
				with := maps.Clone(args)
				with[name] = bad
				got := r.callWith(tool.Name, with)
				if !strings.HasPrefix(got, "! ") {
					t.Errorf("%s %s=%q: %s", tool.Name, name, bad, got)
				}
				if n := len(r.Requests()); n > 0 {
					t.Fatalf("%s %s=%q: LaunchDarkly saw %s %s", tool.Name, name, bad, r.Requests()[0].Method, r.Requests()[0].Path)
				}
			}
		}
	}
}

// TestVariations: a variation is meant by id, name, value or index, and ambiguity is an error that lists them.
func TestVariations(t *testing.T) {
	for _, test := range []struct{ flag, said, want string }{
		{"search-ranking", "0", `"serves":"Control"`},
		{"search-ranking", "Semantic", `"serves":"Semantic"`},
		{"search-ranking", "semantic", `"serves":"Semantic"`},
		{"max-items", "25", `"serves":"Default"`},
		{"dark-mode", "on", `"serves":"true"`},
		{"dark-mode", "0", `"serves":"true"`},
		{"max-items", "2", `"serves":"Large"`},
		{"dark-mode", "maybe", `flag dark-mode has no variation "maybe"; it has true (index 0, _id `},
	} {
		r := start(t)
		got := r.callWith("update-targeting-rules", map[string]any{"projectKey": "shop", "flagKey": test.flag, "env": "test", "dryRun": true,
			"instructions": []any{map[string]any{"kind": "addRule", "variation": test.said, "clauses": []any{map[string]any{"attribute": "key", "values": []any{"a"}}}}}})
		if !strings.Contains(got, test.want) {
			t.Errorf("%s of %s: got %s, want %s", test.said, test.flag, got, test.want)
		}
	}
}
