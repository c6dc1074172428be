package tools_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// everyFlagKind are LaunchDarkly's instruction kinds of flags, the two for rollouts last, which its document leaves out.
var everyFlagKind = strings.Fields(`turnFlagOn turnFlagOff
	addRule removeRule replaceRules reorderRules updateRuleVariationOrRollout updateRuleDescription updateRuleTrackEvents
	addClauses removeClauses updateClause addValuesToClause removeValuesFromClause
	updateFallthroughVariationOrRollout updateOffVariation
	addTargets removeTargets replaceTargets clearTargets addUserTargets removeUserTargets replaceUserTargets clearUserTargets
	addPrerequisite updatePrerequisite removePrerequisite replacePrerequisites
	updateTrackEvents updateTrackEventsFallthrough
	addVariation removeVariation updateVariation updateDefaultVariation
	updateName updateDescription addTags removeTags makeFlagTemporary makeFlagPermanent
	turnOnClientSideAvailability turnOffClientSideAvailability
	addCustomProperties replaceCustomProperties removeCustomProperties
	updateMaintainerMember updateMaintainerTeam removeMaintainer
	archiveFlag restoreFlag deprecateFlag restoreDeprecatedFlag deleteFlag
	startAutomatedRelease stopAutomatedRelease`)

// untooledFlagKinds are the kinds that no tool sends, and why.
var untooledFlagKinds = map[string]string{
	"deleteFlag": "delete-flag sends the DELETE request alone, so that no list of instructions can hold a deletion",
}

// settingCase applies one kind that concerns a flag everywhere through a tool to search-ranking.
type settingCase struct {
	kind   string
	before []string // calls that come first
	call   string
	then   []string          // calls after it
	config map[string]string // by path in LaunchDarkly's answer: JSON before and after the call, "-" where there is none
	shows  string            // what get-flag shows after the call and did not before
	want   map[string]string // by context: what it gets before the call, after it, and after then
}

func setting(body string) string    { return `update-flag-settings {"instructions":[` + body + `]}` }
func variations(body string) string { return `update-flag-variations {"instructions":[` + body + `]}` }

const (
	alan, ada = "6c0ac9669e5651b0ef953636", "7125423563033b0ca389c35a"

	ticket  = `{"kind":"addCustomProperties","key":"jira","name":"Jira","values":["A-1","A-2"]}`
	lexical = `{"kind":"addVariation","value":"lexical","name":"Lexical","description":"By words"}`
	plainly = `{"kind":"addVariation","value":"plain"}`
)

// same is what contexts get, by rule addPro, before and after a kind that does not change what is served.
var same = map[string]string{adult: "semantic semantic", minor: "control control", free: "control control"}

var settingCases = []settingCase{
	{kind: "updateName", call: setting(`{"kind":"updateName","value":"Order of results"}`),
		config: map[string]string{"name": `"Search ranking" "Order of results"`}, shows: `"name":"Order of results"`},
	{kind: "updateDescription", call: setting(`{"kind":"updateDescription","value":"By what"}`),
		config: map[string]string{"description": `"Which ranking the product search uses" "By what"`}, shows: `"description":"By what"`},
	{kind: "addTags", call: setting(`{"kind":"addTags","values":["search","eu"]}`),
		config: map[string]string{"tags": `["search","experiment"] ["search","experiment","eu"]`}, shows: `"tags":["search","experiment","eu"]`},
	{kind: "removeTags", call: setting(`{"kind":"removeTags","values":["search","eu"]}`),
		config: map[string]string{"tags": `["search","experiment"] ["experiment"]`}, shows: `"tags":["experiment"]`},
	{kind: "makeFlagPermanent", call: setting(`{"kind":"markPermanent"}`), config: map[string]string{"temporary": "true false"}},
	{kind: "makeFlagTemporary", before: []string{setting(`{"kind":"makeFlagPermanent"}`)}, call: setting(`{"kind":"makeFlagTemporary"}`),
		config: map[string]string{"temporary": "false true"}, shows: `"temporary":true`},
	{kind: "turnOnClientSideAvailability", call: setting(`{"kind":"turnOnClientSideAvailability","value":"usingEnvironmentId"}`),
		config: map[string]string{"clientSideAvailability.usingEnvironmentId": "false true", "includeInSnippet": "false true"}, shows: `"clientSide":["client-side ID","mobile key"]`},
	{kind: "turnOffClientSideAvailability", call: setting(`{"kind":"turnOffClientSideAvailability","value":"usingMobileKey"}`),
		config: map[string]string{"clientSideAvailability.usingMobileKey": "true false"}},
	{kind: "addCustomProperties", call: setting(ticket),
		config: map[string]string{"customProperties.jira.name": `- "Jira"`, "customProperties.jira.value": `- ["A-1","A-2"]`}, shows: `"A-2"`},
	{kind: "addCustomProperties", before: []string{setting(ticket)}, call: setting(`{"kind":"addCustomProperties","key":"jira","values":["A-2","A-3"]}`),
		config: map[string]string{"customProperties.jira.value": `["A-1","A-2"] ["A-1","A-2","A-3"]`}, shows: `"A-3"`},
	{kind: "replaceCustomProperties", before: []string{setting(ticket)}, call: setting(`{"kind":"replaceCustomProperties","key":"jira","name":"Ticket","values":["A-3"]}`),
		config: map[string]string{"customProperties.jira.name": `"Jira" "Ticket"`, "customProperties.jira.value": `["A-1","A-2"] ["A-3"]`}, shows: `"A-3"`},
	{kind: "removeCustomProperties", before: []string{setting(ticket)}, call: setting(`{"kind":"removeCustomProperties","key":"jira","values":["A-1"]}`),
		config: map[string]string{"customProperties.jira.value": `["A-1","A-2"] ["A-2"]`}},
	{kind: "removeCustomProperties", before: []string{setting(ticket)}, call: setting(`{"kind":"removeCustomProperties","key":"jira","values":["A-2","A-1"]}`),
		config: map[string]string{"customProperties.jira.name": `"Jira" -`, "customProperties.jira.value": `["A-1","A-2"] -`}},
	{kind: "updateMaintainerMember", call: setting(`{"kind":"updateMaintainerMember","value":"ada@example.com"}`),
		config: map[string]string{"maintainerId": `"` + alan + `" "` + ada + `"`}, shows: `"maintainer":"Ada Lovelace"`},
	{kind: "updateMaintainerTeam", call: setting(`{"kind":"updateMaintainerTeam","value":"growth"}`),
		config: map[string]string{"maintainerId": `"` + alan + `" -`, "maintainerTeamKey": `- "growth"`}, shows: `growth`},
	{kind: "removeMaintainer", call: setting(`{"kind":"removeMaintainer"}`), config: map[string]string{"maintainerId": `"` + alan + `" -`}},

	{kind: "addVariation", before: []string{addPro}, call: variations(lexical), then: []string{`update-rollout {"variation":"lexical"}`},
		config: map[string]string{"variations.3.value": `- "lexical"`, "variations.3.name": `- "Lexical"`, "variations.3.description": `- "By words"`}, shows: `"value":"lexical"`,
		want: map[string]string{adult: "semantic semantic semantic", minor: "control control lexical", free: "control control lexical"}},
	{kind: "updateVariation", before: []string{addPro}, call: variations(`{"kind":"updateVariation","variation":"semantic","value":"meaning"}`),
		config: map[string]string{"variations.1.value": `"semantic" "meaning"`}, shows: `"value":"meaning"`,
		want: map[string]string{adult: "semantic meaning", minor: "control control", free: "control control"}},
	{kind: "updateVariation", call: variations(`{"kind":"updateVariation","variation":"semantic","name":"Meaning","description":"By meaning"}`),
		config: map[string]string{"variations.1.name": `"Semantic" "Meaning"`, "variations.1.description": `- "By meaning"`}, shows: `"name":"Meaning"`},
	// What is served by a rule moves up one place when a variation before it goes.
	{kind: "removeVariation", before: []string{addPro, variations(lexical + "," + plainly), rule(`{"kind":"updateRuleVariationOrRollout","ruleId":"$rule0","variation":"plain"}`)},
		call: variations(`{"kind":"removeVariation","variation":"lexical"}`),
		config: map[string]string{"variations.3.value": `"lexical" "plain"`, "variations.3.name": `"Lexical" -`, "variations.3.description": `"By words" -`,
			"variations.4.value": `"plain" -`, "environments.test.rules.0.variation": "4 3"},
		want: map[string]string{adult: "plain plain", minor: "control control", free: "control control"}},
	// The environments that are there keep what they serve: TestDefaultVariation has those that come later.
	{kind: "updateDefaultVariation", call: variations(`{"kind":"updateDefaultVariation","onVariation":"semantic","offVariation":"control"}`),
		config: map[string]string{"defaults.onVariation": "0 1", "defaults.offVariation": "2 0"}},

	{kind: "archiveFlag", before: []string{addPro}, call: "archive-flag {}", then: []string{"restore-flag {}"}, config: archived("false true"), shows: `"archived":true`,
		want: map[string]string{adult: "semantic FLAG_NOT_FOUND semantic", minor: "control FLAG_NOT_FOUND control"}},
	{kind: "restoreFlag", before: []string{addPro, "archive-flag {}"}, call: "restore-flag {}", config: archived("true false"),
		want: map[string]string{adult: "FLAG_NOT_FOUND semantic", minor: "FLAG_NOT_FOUND control"}},
	{kind: "deprecateFlag", call: "deprecate-flag {}", config: map[string]string{"deprecated": "false true"}, shows: `"deprecated":true`},
	{kind: "restoreDeprecatedFlag", before: []string{"deprecate-flag {}"}, call: `deprecate-flag {"deprecated":false}`, config: map[string]string{"deprecated": "true false"}},
}

// neverAsked lets changes of a flag through that is on in a critical environment, too.
func neverAsked(s *setup) { s.Confirm = tools.ConfirmNever }

func archived(values string) map[string]string {
	out := map[string]string{"archived": values}
	for _, env := range []string{"production", "staging", "test", "regulated"} {
		out["environments."+env+".archived"] = values
	}
	return out
}

// TestFlagSettingKinds applies each kind through its tool, and compares all of the
// flag's configuration and what contexts get before and after.
func TestFlagSettingKinds(t *testing.T) {
	for _, test := range settingCases {
		t.Run(test.kind, func(t *testing.T) {
			t.Parallel()
			r := start(t, neverAsked)
			want, calls := test.want, test.before
			if want == nil {
				want, calls = same, append([]string{addPro}, calls...)
			}
			for _, call := range calls {
				r.flagKindCall(call)
			}
			gets := map[string][]string{}
			look := func() {
				for context := range want {
					gets[context] = append(gets[context], r.serves(context))
				}
			}
			look()
			before, shown := r.flagAnswer(), r.call("get-flag", searchRanking)
			sent := len(r.Requests())
			r.flagKindCall(test.call)
			if kinds := sentKinds(t, r, sent); !slices.Equal(kinds, []string{test.kind}) {
				t.Errorf("LaunchDarkly was sent %v", kinds)
			}
			look()
			if got := differences(before, r.flagAnswer()); !maps.Equal(got, test.config) {
				t.Errorf("changed %v, want %v", got, test.config)
			}
			if now := r.call("get-flag", searchRanking); test.shows != "" && (strings.Contains(shown, test.shows) || !strings.Contains(now, test.shows)) {
				t.Errorf("get-flag shows %s, and then %s", shown, now)
			}
			if len(test.then) > 0 {
				for _, call := range test.then {
					r.flagKindCall(call)
				}
				look()
			}
			for context, want := range want {
				if got := strings.Join(gets[context], " "); got != want {
					t.Errorf("%s gets %s, want %s", context, got, want)
				}
			}
		})
	}
}

const searchRanking = `{"projectKey":"shop","flagKey":"search-ranking","env":"test"}`

// flagAnswer is LaunchDarkly's answer on the flag, by path, without what any change touches.
func (r *rig) flagAnswer() map[string]string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "https://app.launchdarkly.com/api/v2/flags/shop/search-ranking", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", sandbox.WriterToken)
	res, err := r.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != http.StatusOK {
		r.t.Fatalf("status %d: %v", res.StatusCode, err)
	}
	out := map[string]string{}
	flatten("", body, out)
	return out
}

func flatten(path string, v any, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			// Those with _ but for ids are shown for people, and made of others.
			if !strings.HasPrefix(name, "_") && !slices.Contains([]string{"version", "lastModified", "archivedDate", "deprecatedDate"}, name) {
				flatten(strings.TrimPrefix(path+"."+name, "."), inner, out)
			}
		}
		return
	case []any:
		if len(v) > 0 {
			if _, ok := v[0].(map[string]any); ok {
				for i, inner := range v {
					flatten(fmt.Sprint(path, ".", i), inner, out)
				}
				return
			}
		}
	}
	text, _ := json.Marshal(v)
	out[path] = string(text)
}

func differences(before, after map[string]string) map[string]string {
	out := map[string]string{}
	for _, path := range slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after))) {
		if before[path] != after[path] {
			out[path] = cmp.Or(before[path], "-") + " " + cmp.Or(after[path], "-")
		}
	}
	return out
}

// TestDefaultVariation: new defaults hold for environments made after them, on and off, and for no other ones.
func TestDefaultVariation(t *testing.T) {
	t.Parallel()
	r := start(t, neverAsked)
	r.mustCall("create-environment", `{"projectKey":"shop","key":"early","name":"Early","color":"112233"}`)
	r.flagKindCall(variations(`{"kind":"updateDefaultVariation","onVariation":"semantic","offVariation":"control"}`))
	r.mustCall("create-environment", `{"projectKey":"shop","key":"later","name":"Later","color":"112233"}`)
	for env, want := range map[string]string{"early": "hybrid control", "later": "control semantic"} {
		off := r.servesIn(env, adult)
		r.mustCall("toggle-flag", `{"projectKey":"shop","flagKey":"search-ranking","on":true,"env":"`+env+`"}`)
		if got := off + " " + r.servesIn(env, adult); got != want {
			t.Errorf("%s serves %s when off and on, want %s", env, got, want)
		}
	}
}

// copyCases say of each part of a flag's targeting that copy-flag-config can take from
// test to staging what contexts get in staging before and after.
var copyCases = []struct {
	parts  string // an argument
	before []string
	want   map[string]string
}{
	{`"includedActions":["updateOn"]`, []string{`toggle-flag {"on":false}`}, map[string]string{adult: "control hybrid"}},
	{`"includedActions":["updateRules"]`, []string{addPro, aim}, map[string]string{"user:pat,plan=pro,age=30": "control semantic", minor: "control control", "user:bob": "control control"}},
	{`"includedActions":["updateFallthrough"]`, []string{`update-rollout {"variation":"semantic"}`, aim}, map[string]string{free: "control semantic", "device:phone": "control semantic"}},
	{`"includedActions":["updateOffVariation"]`, []string{`toggle-flag {"environmentKey":"staging","on":false}`, `update-off-variation {"variationIndex":1}`}, map[string]string{adult: "hybrid semantic"}},
	{`"includedActions":["updatePrerequisites"]`, []string{refuse, addPro}, map[string]string{adult: "control hybrid"}},
	{`"includedActions":["updateTargets"]`, []string{addFree, aim}, map[string]string{adult: "control semantic", "device:phone": "control hybrid", free: "control control"}},
	{`"excludedActions":["updateTargets","updateOn"]`, []string{addFree, aim, `toggle-flag {"on":false}`}, map[string]string{adult: "control hybrid", "device:phone": "control control", free: "control hybrid"}},
	{`"comment":"all"`, []string{addFree, aim}, map[string]string{adult: "control semantic", "device:phone": "control hybrid", free: "control hybrid", "user:eve": "control control"}},
}

// TestCopiedTargeting: a copy changes its target environment alone, and there what contexts get by the copied parts.
func TestCopiedTargeting(t *testing.T) {
	for _, test := range copyCases {
		t.Run(test.parts, func(t *testing.T) {
			t.Parallel()
			r := start(t, neverAsked)
			for _, call := range test.before {
				r.flagKindCall(call)
			}
			gets, config := map[string]string{}, r.flagAnswer()
			for context := range test.want {
				gets[context] = r.servesIn("staging", context)
			}
			r.flagKindCall(`copy-flag-config {"fromEnv":"test","toEnv":"staging",` + test.parts + `}`)
			for context, want := range test.want {
				if got := gets[context] + " " + r.servesIn("staging", context); got != want {
					t.Errorf("%s gets %s, want %s", context, got, want)
				}
			}
			for path, values := range differences(config, r.flagAnswer()) {
				if !strings.HasPrefix(path, "environments.staging.") {
					t.Errorf("%s changed: %s", path, values)
				}
			}
		})
	}
}

// share is how many percent of a plan's users get semantic before and after a call; the others get control after it.
type share struct{ before, after int }

const (
	ofControl  = `"testVariationId":"semantic","controlVariationId":"control","stages":[{"percent":`
	roll       = `start-progressive-rollout {` + ofControl + `25,"hours":1},{"percent":80,"hours":1}]}`
	guard      = `start-guarded-rollout {` + ofControl + `10,"hours":1}],"metrics":[{"metricKey":"errors"}]}`
	addControl = `update-targeting-rules {"instructions":[{"kind":"addRule","clauses":[{"attribute":"plan","values":["pro"]}],"variation":"control"}]}`
	rollRule   = `start-progressive-rollout {"ruleId":"$rule0",` + ofControl + `60,"hours":1}]}`
)

// releaseKindCases say of rollouts which share of users with plans pro and free they give the new variation.
var releaseKindCases = []struct {
	kind      string
	before    []string
	call      string
	with      string // a kind that is sent beside it
	pro, free share
}{
	{"startAutomatedRelease", nil, roll, "", share{0, 25}, share{0, 25}},
	{"startAutomatedRelease", nil, guard, "", share{0, 10}, share{0, 10}},
	{"startAutomatedRelease", []string{addControl}, rollRule, "", share{0, 60}, share{0, 0}},
	{"startAutomatedRelease", []string{`toggle-flag {"on":false}`}, strings.Replace(roll, "{", `{"turnOn":true,`, 1), "turnFlagOn", share{0, 25}, share{0, 25}},
	{"stopAutomatedRelease", []string{roll}, `stop-progressive-rollout {"finalVariation":"semantic"}`, "", share{25, 100}, share{25, 100}},
	{"stopAutomatedRelease", []string{roll}, `stop-progressive-rollout {"finalVariation":"control"}`, "", share{25, 0}, share{25, 0}},
	{"stopAutomatedRelease", []string{roll}, `stop-progressive-rollout {}`, "updateFallthroughVariationOrRollout", share{25, 25}, share{25, 25}},
	{"stopAutomatedRelease", []string{guard}, `stop-guarded-rollout {"finalVariation":"semantic"}`, "", share{10, 100}, share{10, 100}},
	{"stopAutomatedRelease", []string{guard}, `stop-guarded-rollout {"finalVariation":"control"}`, "", share{10, 0}, share{10, 0}},
	{"stopAutomatedRelease", []string{addControl, rollRule}, `stop-progressive-rollout {"finalVariation":"semantic"}`, "", share{60, 100}, share{0, 0}},
	{"stopAutomatedRelease", []string{addControl, rollRule}, `stop-progressive-rollout {}`, "updateRuleVariationOrRollout", share{60, 60}, share{0, 0}},
}

func TestReleaseKinds(t *testing.T) {
	for n, test := range releaseKindCases {
		t.Run(fmt.Sprint(test.kind, n), func(t *testing.T) {
			t.Parallel()
			r := start(t, neverAsked)
			for _, call := range test.before {
				r.flagKindCall(call)
			}
			before := map[string][]string{"pro": r.users("pro"), "free": r.users("free")}
			sent := len(r.Requests())
			r.flagKindCall(test.call)
			kinds := sentKinds(t, r, sent)
			if others := slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return k == test.kind }); !slices.Contains(kinds, test.kind) || strings.Join(others, " ") != test.with {
				t.Errorf("LaunchDarkly was sent %v", kinds)
			}
			for plan, want := range map[string]share{"pro": test.pro, "free": test.free} {
				is := r.users(plan)
				near(t, plan+" before", before[plan], want.before)
				near(t, plan+" after", is, want.after)
				if i := slices.Index(is, "hybrid"); i >= 0 {
					t.Errorf("%s user %d gets hybrid", plan, i)
				}
			}
			// Other environments do not take part.
			if got := r.servesIn("staging", adult); got != start(t).servesIn("staging", adult) {
				t.Errorf("staging serves %s", got)
			}
		})
	}
}

// users is what each of a thousand users of a plan gets.
func (r *rig) users(plan string) []string {
	r.t.Helper()
	var out []string
	for n := range 1000 {
		out = append(out, r.serves(fmt.Sprintf("user:u%d,plan=%s", n, plan)))
	}
	return out
}

// near checks which percentage of a thousand gets semantic: all or none exactly, other shares but for chance.
func near(t *testing.T, who string, got []string, want int) {
	t.Helper()
	n := 0
	for _, v := range got {
		if v == "semantic" {
			n++
		}
	}
	if off := max(n-10*want, 10*want-n); off > 45 || (want == 0 || want == 100) && off > 0 {
		t.Errorf("%s: %d of 1000 get semantic, want %d %%", who, n, want)
	}
}

// TestEveryFlagKind: each kind has a test with a tool, or a reason to have none.
func TestEveryFlagKind(t *testing.T) {
	covered := map[string]bool{}
	for kind := range flagKindCases {
		covered[kind] = true
	}
	for _, test := range settingCases {
		covered[test.kind] = true
	}
	for _, test := range releaseKindCases {
		covered[test.kind] = true
	}
	r := start(t, neverAsked)
	for _, kind := range everyFlagKind {
		if covered[kind] == (untooledFlagKinds[kind] != "") {
			t.Errorf("%s: wants a case or a reason to have none", kind)
		}
		delete(covered, kind)
		_, err := direct(t, r).Flags.Patch(t.Context(), "shop", "test", "search-ranking", ldclient.Patch{DryRun: true, Instructions: []ldclient.Instruction{{"kind": kind}}})
		if err != nil && strings.Contains(err.Error(), "unknown instruction kind") {
			t.Error(err)
		}
	}
	if len(covered) > 0 || len(everyFlagKind) != 55 {
		t.Errorf("%d kinds are listed, and %v are not", len(everyFlagKind), slices.Collect(maps.Keys(covered)))
	}
}

// TestDocumentedFlagKinds: LaunchDarkly's document has no kind that is not listed here.
func TestDocumentedFlagKinds(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(document)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var api struct {
		Paths map[string]struct{ Patch struct{ Description string } }
	}
	if err := json.Unmarshal(b, &api); err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`(?m)^#### (\w+)$`).FindAllStringSubmatch(api.Paths["/api/v2/flags/{projectKey}/{featureFlagKey}"].Patch.Description, -1)
	if len(kinds) < 50 {
		t.Fatalf("the document names %d kinds", len(kinds))
	}
	for _, kind := range kinds {
		if !slices.Contains(everyFlagKind, kind[1]) {
			t.Errorf("%s is not listed", kind[1])
		}
	}
}

// TestNoDeletionByInstruction: delete-flag deletes by a request of its own, and no tool that takes instructions takes this one.
func TestNoDeletionByInstruction(t *testing.T) {
	t.Parallel()
	r := start(t, neverAsked)
	for _, call := range []string{
		`update-targeting-rules {"env":"test",`, `update-individual-targets {"env":"test",`, `update-prerequisites {"env":"test",`,
		"update-flag-settings {", "update-flag-variations {",
		`create-approval-request {"env":"test","description":"Delete it",`, `create-scheduled-change {"env":"test","executionDate":"2099-01-01T00:00:00Z",`,
	} {
		tool, args, _ := strings.Cut(call, " ")
		got := r.call(tool, args+`"projectKey":"shop","flagKey":"search-ranking","comment":"c","instructions":[{"kind":"deleteFlag"}]}`)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(got, "instructions[0]") || !strings.Contains(got, "Nothing was changed") {
			t.Errorf("%s: %s", tool, got)
		}
	}
	if n := len(r.Writes()); n > 0 || r.serves(adult) != "control" {
		t.Fatalf("%d writes", n)
	}
	r.flagKindCall("delete-flag {}")
	if w := r.Writes(); len(w) != 1 || w[0].Method != http.MethodDelete || len(w[0].Body) > 0 {
		t.Errorf("%d writes", len(w))
	}
	if got := r.serves(adult); got != string(ldreason.EvalErrorFlagNotFound) {
		t.Errorf("the deleted flag serves %s", got)
	}
}
