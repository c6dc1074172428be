package sandbox

import (
	"slices"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

const aiConfigs = "/projects/shop/ai-configs"

// TestAITargetingKinds applies every kind of instruction that the targeting of an AI config takes, and refuses all others.
func TestAITargetingKinds(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	c := a.findProject("shop").aiConfig("product-summary")
	short, detailed := c.Variations[0].Served, c.Variations[1].Served
	on := func() *flagConfig { return c.Flag.Environments["test"] }
	patch := func(status int, in ...instruction) {
		t.Helper()
		got := checked(t, a, "PATCH", aiConfigs+"/product-summary/targeting", semanticBody("test", in...), "Content-Type", semantic)
		if got.status != status {
			t.Fatalf("%v: status %d: %s", in, got.status, got.body)
		}
	}
	clause := map[string]any{"attribute": "email", "op": "endsWith", "values": []any{"@example.com"}, "contextKind": "user", "negate": false}
	patch(200, instruction{"kind": "addRule", "variationId": short, "clauses": []any{clause}}, instruction{"kind": "addRule", "variationId": detailed, "clauses": []any{clause}})
	first, second := on().Rules[0].ID, on().Rules[1].ID
	at := on().Rules[0].Clauses[0].ID
	patch(200, instruction{"kind": "addClauses", "ruleId": first, "clauses": []any{clause}})
	patch(200,
		instruction{"kind": "removeClauses", "ruleId": first, "clauseIds": []any{on().Rules[0].Clauses[1].ID}},
		instruction{"kind": "updateClause", "ruleId": first, "clauseId": at, "clause": clause},
		instruction{"kind": "addValuesToClause", "ruleId": first, "clauseId": at, "values": []any{"a"}},
		instruction{"kind": "removeValuesFromClause", "ruleId": first, "clauseId": at, "values": []any{"a"}},
		instruction{"kind": "updateRuleDescription", "ruleId": first, "description": "d"},
		instruction{"kind": "updateRuleTrackEvents", "ruleId": first, "trackEvents": true},
		instruction{"kind": "updateRuleVariationOrRollout", "ruleId": first, "rolloutWeights": map[string]any{short: 60_000, detailed: 40_000}},
		instruction{"kind": "reorderRules", "ruleIds": []any{second, first}},
		instruction{"kind": "addTargets", "variationId": short, "values": []any{"user-1", "user-2"}},
		instruction{"kind": "removeTargets", "variationId": short, "values": []any{"user-2"}},
		instruction{"kind": "updateFallthroughVariationOrRollout", "variationId": detailed},
		instruction{"kind": "updateOffVariation", "variationId": short},
		instruction{"kind": "updateTrackEvents", "trackEvents": true},
		instruction{"kind": "updateTrackEventsFallthrough", "trackEvents": true})
	if k := on(); k.Rules[0].ID != second || k.Rules[1].Rollout == nil || k.Rules[1].Description != "d" || !k.TrackEvents || len(k.Targets) != 1 || *k.Fallthrough.Variation != 2 || k.Version != 4 {
		t.Errorf("%s", jsonValue(k))
	}
	patch(200, instruction{"kind": "replaceTargets", "targets": []any{map[string]any{"variationId": detailed, "contextKind": "device", "values": []any{"d"}}}},
		instruction{"kind": "clearTargets", "variationId": detailed}, instruction{"kind": "removeRule", "ruleId": first},
		instruction{"kind": "replaceRules", "rules": []any{map[string]any{"variationId": short, "clauses": []any{clause}}}},
		instruction{"kind": "updateDefaultVariation", "onVariationValue": c.Flag.Variations[1].Value})
	if k := on(); len(k.Rules) != 1 || len(k.Targets)+len(k.ContextTargets) != 0 || c.Flag.Defaults.OnVariation != 1 {
		t.Errorf("%s", jsonValue(k))
	}
	detail, err := a.Evaluate("shop", "test", "product-summary", ldcontext.New("user-9"))
	if err != nil || !strings.Contains(detail.Value.JSONString(), `"variationKey":"detailed"`) {
		t.Errorf("%v, %v", detail, err)
	}
	for kind := range flagKinds() {
		if !slices.Contains(aiTargetingKinds, kind) {
			patch(400, instruction{"kind": kind, "variationId": short, "values": []any{"x"}})
		}
	}
	if n := len(aiTargetingKinds); n != 21 {
		t.Errorf("%d kinds", n)
	}
}

// TestNewAIConfigServesNothing: until targeting says otherwise, everyone gets the generated variation.
func TestNewAIConfigServesNothing(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	ok := func(status int, method, path string, body any) answer {
		t.Helper()
		got := checked(t, a, method, path, body, "Content-Type", "application/json")
		if got.status != status {
			t.Fatalf("%s %s: status %d: %s", method, path, got.status, got.body)
		}
		return got
	}
	serves := func(want string) {
		t.Helper()
		detail, err := a.Evaluate("shop", "production", "new", ldcontext.New("user-9"))
		if err != nil || !strings.Contains(detail.Value.JSONString(), want) {
			t.Errorf("%v, %v, want %s", detail, err, want)
		}
	}
	ok(400, "POST", aiConfigs, object{"key": "new", "name": "New", "description": ""})
	ok(201, "POST", aiConfigs, object{"key": "new", "name": "New", "mode": "agent"})
	ok(409, "POST", aiConfigs, object{"key": "new", "name": "New"})
	serves(`"enabled":false`)
	ok(400, "POST", aiConfigs+"/new/variations", object{"key": "v", "name": "V", "messages": []any{object{"role": "user", "content": "x"}}})
	ok(400, "POST", aiConfigs+"/new/variations", object{"key": "v", "name": "V", "modelConfigKey": "No.such"})
	made := ok(201, "POST", aiConfigs+"/new/variations", object{"key": "v", "name": "V", "instructions": "Do.", "model": object{"modelName": "m"}, "toolKeys": []any{"search-orders"}})
	if body := string(made.body); !strings.Contains(body, `"instructions":"Do."`) || strings.Contains(body, `"tools"`) {
		t.Errorf("toolKeys attaches, or instructions are not shown: %s", body)
	}
	serves(`"enabled":false`)
	c := a.findProject("shop").aiConfig("new")
	got := checked(t, a, "PATCH", aiConfigs+"/new/targeting", semanticBody("production", instruction{"kind": "updateFallthroughVariationOrRollout", "variationId": c.Variations[0].Served}), "Content-Type", semantic)
	if got.status != 200 {
		t.Fatalf("%s", got.body)
	}
	serves(`"instructions":"Do."`)
	ok(200, "PATCH", aiConfigs+"/new/variations/v", object{"instructions": "Do more.", "tools": []any{object{"key": "search-orders", "version": 1}}})
	serves(`"instructions":"Do more."`)
	versions := ok(200, "GET", aiConfigs+"/new/variations/v", nil)
	if body := string(versions.body); !strings.Contains(body, `"totalCount":2`) || strings.Contains(body, "Do more.") || !strings.Contains(body, `"modelName":"m"`) {
		t.Errorf("%s", body)
	}
	ok(400, "DELETE", aiConfigs+"/new/variations/v", nil) // in service
	if err := a.RequireApproval("shop", "production", "aiconfig"); err != nil {
		t.Fatal(err)
	}
	got = checked(t, a, "PATCH", aiConfigs+"/new/targeting", semanticBody("production", instruction{"kind": "updateTrackEvents", "trackEvents": true}), "Content-Type", semantic)
	if got.status != 403 || !strings.Contains(string(got.body), "approval") {
		t.Errorf("%d: %s", got.status, got.body)
	}
	ok(204, "DELETE", aiConfigs+"/new", nil)
	ok(404, "GET", aiConfigs+"/new", nil)
}

// TestAIConfigNames: of the two names that an AI config has for roles, either is enough.
func TestAIConfigNames(t *testing.T) {
	t.Parallel()
	for resource, want := range map[string]int{"proj/shop:aiconfig/*": 200, "proj/shop:env/*:aiconfig/*": 200, "proj/shop:env/test:aiconfig/*": 403, "proj/shop": 403} {
		a, _ := newTestAccount(Options{})
		token := a.AddToken(TokenOptions{Name: "t", InlineRole: []policy.Statement{{Effect: "allow", Actions: []string{"viewProject"}, Resources: []string{"proj/*"}},
			{Effect: "allow", Actions: []string{"*"}, Resources: []string{resource}}}})
		got := ask(t, a, "PATCH", aiConfigs+"/returns-helper", object{"name": "x"}, "Authorization", token, "Content-Type", "application/json")
		if got.status != want {
			t.Errorf("%s: status %d, want %d: %s", resource, got.status, want, got.body)
		}
	}
}
