package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
)

// kindCase applies one instruction kind through a tool to flag search-ranking
// in test, which is on and serves control by default, off hybrid.
type kindCase struct {
	before []string          // calls that come first, as in a transcript without what at adds
	call   string            // $rule0 is the first rule's id, $clause0 its first clause's
	want   map[string]string // by context: what it gets before and after
	shows  string            // what the reply holds besides, for kinds that do not change what is served
}

const (
	addPro  = `update-targeting-rules {"instructions":[{"kind":"addRule","clauses":[{"attribute":"plan","values":["pro"]},{"attribute":"age","op":"greaterThan","values":[17]}],"variation":"semantic"}]}`
	addFree = `update-targeting-rules {"instructions":[{"kind":"addRule","clauses":[{"attribute":"plan","values":["pro","free"]}],"variation":"hybrid"}]}`
	aim     = `update-individual-targets {"instructions":[{"kind":"addTargets","variation":"semantic","values":["ann","bob"]},{"kind":"addTargets","variation":"hybrid","contextKind":"device","values":["phone"]}]}`
	require = `update-prerequisites {"instructions":[{"kind":"addPrerequisite","key":"gift-cards","variation":"true"}]}`
	refuse  = `update-prerequisites {"instructions":[{"kind":"addPrerequisite","key":"gift-cards","variation":"false"}]}`

	adult = "user:ann,plan=pro,age=30"
	minor = "user:tim,plan=pro,age=12"
	free  = "user:fay,plan=free,age=40"
)

func rule(body string) string {
	return `update-targeting-rules {"instructions":[` + body + `]}`
}

func target(body string) string {
	return `update-individual-targets {"instructions":[` + body + `]}`
}

func prerequisite(body string) string {
	return `update-prerequisites {"instructions":[` + body + `]}`
}

// flagKindCases has every kind that concerns what a flag serves in one environment.
var flagKindCases = map[string]kindCase{
	"turnFlagOff": {nil, `toggle-flag {"on":false}`, map[string]string{adult: "control hybrid"}, ""},
	"turnFlagOn":  {[]string{`toggle-flag {"on":false}`}, `toggle-flag {"on":true}`, map[string]string{adult: "hybrid control"}, ""},

	"addRule":    {nil, addPro, map[string]string{adult: "control semantic", minor: "control control", free: "control control"}, ""},
	"removeRule": {[]string{addPro}, rule(`{"kind":"removeRule","ruleId":"$rule0"}`), map[string]string{adult: "semantic control", minor: "control control"}, ""},
	"replaceRules": {[]string{addPro}, rule(`{"kind":"replaceRules","rules":[{"clauses":[{"attribute":"plan","values":["free"]}],"variation":"hybrid"}]}`),
		map[string]string{adult: "semantic control", free: "control hybrid", minor: "control control"}, ""},
	"reorderRules": {[]string{addPro, addFree}, rule(`{"kind":"reorderRules","ruleIds":["$rule1","$rule0"]}`), map[string]string{adult: "semantic hybrid", minor: "hybrid hybrid"}, ""},
	"updateRuleVariationOrRollout": {[]string{addPro}, rule(`{"kind":"updateRuleVariationOrRollout","ruleId":"$rule0","rolloutWeights":{"hybrid":100,"control":0}}`),
		map[string]string{adult: "semantic hybrid", minor: "control control"}, ""},
	"updateRuleDescription": {[]string{addPro}, rule(`{"kind":"updateRuleDescription","ruleId":"$rule0","description":"Pros"}`), map[string]string{adult: "semantic semantic"}, `"description":"Pros"`},
	"updateRuleTrackEvents": {[]string{addPro}, rule(`{"kind":"updateRuleTrackEvents","ruleId":"$rule0","trackEvents":true}`), map[string]string{adult: "semantic semantic"}, `"trackEvents":true`},
	"addClauses": {[]string{addFree}, rule(`{"kind":"addClauses","ruleId":"$rule0","clauses":[{"attribute":"age","op":"lessThan","values":[18]}]}`),
		map[string]string{minor: "hybrid hybrid", adult: "hybrid control", free: "hybrid control"}, ""},
	"removeClauses": {[]string{addPro}, rule(`{"kind":"removeClauses","ruleId":"$rule0","clauseIds":["$clause1"]}`),
		map[string]string{minor: "control semantic", adult: "semantic semantic", free: "control control"}, ""},
	"updateClause": {[]string{addPro}, rule(`{"kind":"updateClause","ruleId":"$rule0","clauseId":"$clause1","clause":{"attribute":"age","op":"lessThan","values":[18]}}`),
		map[string]string{minor: "control semantic", adult: "semantic control"}, ""},
	"addValuesToClause": {[]string{addPro}, rule(`{"kind":"addValuesToClause","ruleId":"$rule0","clauseId":"$clause0","values":["free"]}`),
		map[string]string{free: "control semantic", adult: "semantic semantic", minor: "control control"}, ""},
	"removeValuesFromClause": {[]string{addFree}, rule(`{"kind":"removeValuesFromClause","ruleId":"$rule0","clauseId":"$clause0","values":["free"]}`),
		map[string]string{free: "hybrid control", adult: "hybrid hybrid"}, ""},

	"updateFallthroughVariationOrRollout": {[]string{addPro}, `update-rollout {"weights":[{"variationIndex":1,"percent":0},{"variation":"hybrid","percent":100}]}`,
		map[string]string{free: "control hybrid", adult: "semantic semantic"}, ""},
	"updateOffVariation": {[]string{`toggle-flag {"on":false}`}, `update-off-variation {"variationIndex":1}`, map[string]string{adult: "hybrid semantic"}, ""},

	"addTargets": {nil, target(`{"kind":"addTargets","variation":"hybrid","contextKind":"device","values":["phone"]}`), map[string]string{"device:phone": "control hybrid", "user:phone": "control control"}, ""},
	"removeTargets": {[]string{aim}, target(`{"kind":"removeTargets","values":["ann"]}`),
		map[string]string{adult: "semantic control", "user:bob": "semantic semantic", "device:phone": "hybrid hybrid"}, ""},
	"replaceTargets": {[]string{aim}, target(`{"kind":"replaceTargets","targets":[{"variation":"hybrid","values":["bob"]}]}`),
		map[string]string{adult: "semantic control", "user:bob": "semantic hybrid", "device:phone": "hybrid control"}, ""},
	"clearTargets": {[]string{aim}, target(`{"kind":"clearTargets","variation":"hybrid"}`), map[string]string{"device:phone": "hybrid control", "user:bob": "semantic semantic"}, ""},
	"addUserTargets": {[]string{aim}, target(`{"kind":"addUserTargets","variation":"hybrid","values":["ann","eve"]}`),
		map[string]string{adult: "semantic hybrid", "user:eve": "control hybrid", "user:bob": "semantic semantic", "device:eve": "control control"}, ""},
	"removeUserTargets": {[]string{aim}, target(`{"kind":"removeUserTargets","variation":"semantic","values":["bob"]}`), map[string]string{"user:bob": "semantic control", adult: "semantic semantic"}, ""},
	"replaceUserTargets": {[]string{aim}, target(`{"kind":"replaceUserTargets","targets":[{"variation":"hybrid","values":["ann"]}]}`),
		map[string]string{adult: "semantic hybrid", "user:bob": "semantic control", "device:phone": "hybrid hybrid"}, ""},
	"clearUserTargets": {[]string{aim}, target(`{"kind":"clearUserTargets","variation":"semantic"}`), map[string]string{adult: "semantic control", "device:phone": "hybrid hybrid"}, ""},

	"addPrerequisite":    {nil, refuse, map[string]string{adult: "control hybrid"}, ""},
	"updatePrerequisite": {[]string{require}, prerequisite(`{"kind":"updatePrerequisite","key":"gift-cards","variation":"false"}`), map[string]string{adult: "control hybrid"}, ""},
	"removePrerequisite": {[]string{refuse}, prerequisite(`{"kind":"removePrerequisite","key":"gift-cards"}`), map[string]string{adult: "hybrid control"}, ""},
	"replacePrerequisites": {[]string{refuse}, prerequisite(`{"kind":"replacePrerequisites","prerequisites":[{"key":"split-payments","variation":"true"}]}`),
		map[string]string{adult: "hybrid control"}, ""},

	"updateTrackEvents":            {nil, `update-track-events {"trackEvents":true}`, map[string]string{adult: "control control"}, `"trackEvents":true`},
	"updateTrackEventsFallthrough": {nil, `update-track-events {"trackEventsFallthrough":true}`, map[string]string{adult: "control control"}, `"trackEventsFallthrough":true`},
}

// TestFlagKinds applies each kind through its tool and asks LaunchDarkly's engine
// what contexts get that it should and should not concern.
func TestFlagKinds(t *testing.T) {
	for kind, test := range flagKindCases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			for _, call := range test.before {
				r.flagKindCall(call)
			}
			gets := map[string]string{}
			for context := range test.want {
				gets[context] = r.serves(context)
			}
			reply := r.flagKindCall(test.call)
			for context, want := range test.want {
				if got := gets[context] + " " + r.serves(context); got != want {
					t.Errorf("%s gets %s, want %s", context, got, want)
				}
			}
			if !strings.Contains(reply, test.shows) {
				t.Errorf("no %s in %s", test.shows, reply)
			}
			writes := r.Writes()
			if sent := string(writes[len(writes)-1].Body); !strings.Contains(sent, `"kind":"`+kind+`"`) {
				t.Errorf("sent %s", sent)
			}
		})
	}
}

// TestFlagKindsAreAll: whatever kind a tool of this toolset lets a caller write is tested above.
func TestFlagKindsAreAll(t *testing.T) {
	same := map[string]string{"addContextTargets": "addTargets", "removeContextTargets": "removeTargets"} // names of the hosted server
	for _, tool := range []string{"update-targeting-rules", "update-individual-targets", "update-prerequisites"} {
		var s struct {
			Properties struct {
				Instructions struct {
					Items struct {
						Properties struct{ Kind struct{ Enum []string } }
					}
				}
			}
		}
		if err := json.Unmarshal(inputSchema(t, tool), &s); err != nil {
			t.Fatal(err)
		}
		kinds := s.Properties.Instructions.Items.Properties.Kind.Enum
		if len(kinds) == 0 {
			t.Errorf("%s lists no kinds", tool)
		}
		for _, kind := range kinds {
			if as := same[kind]; as != "" {
				kind = as
			}
			if _, ok := flagKindCases[kind]; !ok {
				t.Errorf("%s: %s is not tested", tool, kind)
			}
		}
	}
}

// flagKindCall calls a tool on the flag of these tests, with ids filled in; the call must change something.
func (r *rig) flagKindCall(call string) string {
	r.t.Helper()
	f, err := direct(r.t, r).Flags.Get(r.t.Context(), "shop", "test", "search-ranking")
	if err != nil {
		r.t.Fatal(err)
	}
	ids := []string{}
	for n, rule := range f.Environments["test"].Rules {
		ids = append(ids, fmt.Sprintf("$rule%d", n), rule.ID)
		if n == 0 {
			for i, clause := range rule.Clauses {
				ids = append(ids, fmt.Sprintf("$clause%d", i), clause.ID)
			}
		}
	}
	name, body, _ := strings.Cut(strings.NewReplacer(ids...).Replace(call), " ")
	args := map[string]any{"projectKey": "shop", "flagKey": "search-ranking", "comment": "because"}
	if bytes.Contains(inputSchema(r.t, name), []byte(`"environmentKey"`)) {
		args["environmentKey"] = "test"
	}
	var own map[string]any
	if err := json.Unmarshal([]byte(body), &own); err != nil {
		r.t.Fatalf("%s: %v", call, err)
	}
	maps.Copy(args, own)
	got := r.callWith(name, args)
	if !strings.Contains(got, `"changed":true`) {
		r.t.Fatalf("%s: %s", call, got)
	}
	return got
}

// serves is what a context gets in test, written like user:ann,plan=pro,age=30, or the error instead.
func (r *rig) serves(context string) string {
	r.t.Helper()
	return r.servesIn("test", context)
}

func (r *rig) servesIn(environment, context string) string {
	r.t.Helper()
	parts := strings.Split(context, ",")
	kind, key, _ := strings.Cut(parts[0], ":")
	b := ldcontext.NewBuilder(key).Kind(ldcontext.Kind(kind))
	for _, attribute := range parts[1:] {
		name, text, _ := strings.Cut(attribute, "=")
		var n int
		if err := json.Unmarshal([]byte(text), &n); err == nil {
			b.SetInt(name, n)
		} else {
			b.SetString(name, text)
		}
	}
	detail, err := r.Evaluate("shop", environment, "search-ranking", b.Build())
	if err != nil {
		r.t.Fatal(err)
	}
	if kind := detail.Reason.GetErrorKind(); kind != "" {
		return string(kind)
	}
	return detail.Value.StringValue()
}
