package sandbox

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
)

// share is how many of a thousand users get the value from color in test.
func (l *lab) share(value string) int {
	l.Helper()
	n := 0
	for i := range 1000 {
		detail, err := l.a.Evaluate("lab", "test", "color", ldcontext.New(fmt.Sprintf("user-%d", i)))
		if err != nil {
			l.Fatal(err)
		}
		if detail.Value.StringValue() == value {
			n++
		}
	}
	return n
}

func TestRollout(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.patch("color", "test", instruction{"kind": "updateFallthroughVariationOrRollout", "rolloutWeights": map[string]int{"$v0": 70000, "$v1": 30000}})
	if n := l.share("green"); n < 250 || n > 350 {
		t.Errorf("%d of 1000 users get a variation with 30%%", n)
	}
	if n := l.share("blue"); n != 0 {
		t.Errorf("%d users get a variation outside of the rollout", n)
	}
	l.expect(l.get("/flags/lab?env=test"), map[string]string{"items.0." + config + "_summary.variations.1.rollout": "30000"})
}

// TestRemoveVariationUnderRollout removes green, which a rollout lists at 0%, and keeps what the others get.
func TestRemoveVariationUnderRollout(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	remove := instruction{"kind": "removeVariation", "variationId": "$v1"}
	l.patch("color", "test", proRule, instruction{"kind": "updateFallthroughVariationOrRollout", "rolloutWeights": map[string]int{"$v0": 60000, "$v1": 10000, "$v2": 30000}})
	l.patch("color", "test", instruction{"kind": "addTargets", "variationId": "$v2", "values": []string{"user-0"}}, instruction{"kind": "removeRule", "ruleId": "$rule0"})
	l.unchanged(func() { l.ask(400, "PATCH", "/flags/lab/color", semantic, l.named("color", semanticBody("", remove))) })
	l.patch("color", "test", instruction{"kind": "updateFallthroughVariationOrRollout", "rolloutWeights": map[string]int{"$v0": 60000, "$v1": 0, "$v2": 40000}})
	before := l.share("blue")
	l.patch("color", "", remove)
	if after := l.share("blue"); after != before || before == 0 {
		t.Errorf("%d users got blue before, %d do now", before, after)
	}
	l.expect(l.get("/flags/lab/color"), map[string]string{
		config + "fallthrough.rollout.variations": `[{"variation":0,"weight":60000},{"variation":1,"weight":40000}]`, config + "targets.0.variation": "1",
	})
}

func TestRelease(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	start := startRelease(map[string]any{
		"releaseKind": "guarded", "ruleId": "$rule0", "metrics": []any{map[string]any{"key": "errors"}, map[string]any{"key": "latency"}},
		"metricMonitoringPreferences": map[string]any{"errors": map[string]any{"autoRollback": true}, "other": map[string]any{"autoRollback": true}},
	})
	l.patch("color", "test", instruction{"kind": "addRule", "variationId": "$v0", "clauses": clauses(clauseOn("key", "startsWith", "user-"))})
	l.patch("color", "test", start)
	if n := l.share("green"); n < 200 || n > 300 {
		t.Errorf("%d of 1000 users get the target of a release at 25%%", n)
	}
	got := l.flag("color").Releases[0]
	if got.Kind != "guarded" || got.Rule != l.flag("color").Environments["test"].Rules[0].ID || got.Status != releaseInProgress || got.Environment != "test" {
		t.Errorf("the release is %+v", got)
	}
	if diff := cmp.Diff(map[string]bool{"errors": true, "latency": false}, got.AutoRollback); diff != "" {
		t.Errorf("automatic rollback (-want +got):\n%s", diff)
	}
	for _, in := range []instruction{
		{"kind": "removeRule", "ruleId": "$rule0"}, {"kind": "replaceRules", "rules": []any{}},
		{"kind": "updateRuleVariationOrRollout", "ruleId": "$rule0", "variationId": "$v1"}, {"kind": "stopAutomatedRelease", "finalVariationId": "$v1"},
		{"kind": "stopAutomatedRelease", "ruleId": "$rule0", "finalVariationId": "$v2"},
	} {
		l.unchanged(func() {
			l.ask(400, "PATCH", "/flags/lab/color", semantic, l.named("color", semanticBody("test", in)))
		})
	}
	l.patch("color", "test", instruction{"kind": "stopAutomatedRelease", "ruleId": "$rule0", "finalVariationId": "$v0"})
	if n := l.share("red"); n != 1000 || l.flag("color").Releases[0].Status != "manually_reverted" {
		t.Errorf("after the rollback %d users get the original; the release is %s", n, l.flag("color").Releases[0].Status)
	}
	l.patch("color", "test", startRelease(map[string]any{"clauses": clauses(clauseOn("plan", "in", "pro")), "beforeRuleId": "$rule0", "description": "Pros first"}))
	l.expect(l.get("/flags/lab/color"), map[string]string{config + "rules.0.description": `"Pros first"`, config + "rules.0.rollout.variations.1.weight": "25000"})

	// A rule may be named by its ref instead of its ID.
	l = newLab(t)
	l.patch("color", "test", instruction{"kind": "addRule", "ref": "r", "variationId": "$v0", "clauses": clauses(clauseOn("plan", "in", "pro"))})
	l.patch("color", "test", startRelease(map[string]any{"ref": "r"}))
	l.ask(400, "PATCH", "/flags/lab/color", semantic, l.named("color", semanticBody("test", instruction{"kind": "stopAutomatedRelease", "ref": "s", "finalVariationId": "$v1"})))
	l.patch("color", "test", instruction{"kind": "stopAutomatedRelease", "ref": "r", "finalVariationId": "$v1"})
	l.serves("color", map[string]string{ann: `"green"`, bob: `"red"`})

	// An unknown but well-formed ID is LaunchDarkly's 500, not a 400.
	l = newLab(t)
	l.unchanged(func() {
		bad := startRelease(map[string]any{"targetVariationId": "4f1c1b1e-0000-4000-8000-000000000000"})
		l.ask(500, "PATCH", "/flags/lab/color", semantic, l.named("color", semanticBody("test", bad)))
	})
}

func TestEvaluateFlags(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.catalogue()
	l.patch("color", "test", proRule, orgTarget, gated)
	const path = "/projects/lab/environments/test/flags/evaluate"
	ask := func(path, context string) any { return l.ask(200, "POST", path, plain, json.RawMessage(context)) }
	only := path + "?filter=query+equals+COL"
	for context, want := range map[string]map[string]string{
		ann:  {"_value": `"green"`, "reason.kind": `"RULE_MATCH"`, "reason.ruleIndex": "0", "reason.ruleID": `"` + l.flag("color").Environments["test"].Rules[0].ID + `"`},
		bob:  {"_value": `"red"`, "reason": `{"kind":"FALLTHROUGH"}`},
		acme: {"_value": `"green"`, "reason": `{"kind":"TARGET_MATCH"}`},
		`{"kind":"multi","user":{"key":"bob"},"org":{"key":"acme"}}`: {"_value": `"green"`, "reason.kind": `"TARGET_MATCH"`},
	} {
		got := ask(only, context)
		l.expect(at(got, "items.0"), want)
		l.expect(got, map[string]string{"totalCount": "1", "items.0.key": `"color"`, "items.0.name": `"Color"`})
	}
	l.patch("gate", "test", instruction{"kind": "turnFlagOff"})
	l.expect(ask(only, ann), map[string]string{"items.0.reason": `{"kind":"PREREQUISITE_FAILED","prerequisiteKey":"gate"}`, "items.0._value": `"blue"`})

	if diff := cmp.Diff([]string{"color", "gate", "zebra", "apple", "mango", "deprecated"}, keys(ask(path, ann))); diff != "" {
		t.Errorf("all flags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"apple"}, keys(ask(path+`?filter=query+equals+%22a%22%2Ctags+contains+%5B%22ui%22%2C%22fruit%22%5D`, ann))); diff != "" {
		t.Errorf("by query and tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"mango", "gate"}, keys(ask(path+"?sort=-key&limit=2&offset=1", ann))); diff != "" {
		t.Errorf("by page (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"?filter=key+equals+x", "?filter=query:x", "?sort=size", "?limit=x"} {
		l.ask(400, "POST", path+bad, plain, json.RawMessage(ann))
	}
	l.ask(400, "POST", path, plain, json.RawMessage(`{"kind":"user"}`))
	l.ask(404, "POST", "/projects/lab/environments/nowhere/flags/evaluate", plain, json.RawMessage(ann))
	if _, err := l.a.Evaluate("lab", "nowhere", "color", l.context(ann)); err == nil {
		t.Error("an unknown environment is no error")
	}
}

func TestEvaluateSegments(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.segment("beta", instruction{"kind": "addRule", "clauses": clauses(clauseOn("plan", "in", "free"))})
	l.segment("beta", instruction{"kind": "addExcludedUsers", "values": []string{"out"}})
	l.segment("crowd", instruction{"kind": "addBigSegmentIncludedTargets", "values": []string{"ann"}})
	const path = "/projects/lab/environments/test/segments/evaluate"
	for context, want := range map[string]map[string]string{
		ann: {"items.0.key": `"beta"`, "items.0.isMember": "true", "items.0.isIndividuallyTargeted": "true", "items.1.isMember": "true", "items.1.unbounded": "true"},
		bob: {"items.0.isMember": "true", "items.0.isIndividuallyTargeted": "false", "items.0.isRuleTargeted": "true", "items.1.isMember": "false"},
		`{"kind":"user","key":"out","plan":"free"}`: {"items.0.isMember": "false", "items.0.isRuleTargeted": "false"},
	} {
		l.expect(l.ask(200, "POST", path, plain, json.RawMessage(context)), want)
	}
}
