package sandbox

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// flagCase is one instruction: what it changes in the flag color, and what contexts get afterwards.
type flagCase struct {
	name   string
	given  []instruction
	do     instruction
	want   map[string]string // path in the flag: JSON
	serves map[string]string
}

var (
	proRule   = instruction{"kind": "addRule", "variationId": "$v1", "clauses": clauses(clauseOn("plan", "in", "pro"))}
	freeRule  = instruction{"kind": "addRule", "variationId": "$v2", "clauses": clauses(clauseOn("plan", "in", "free"))}
	annTarget = instruction{"kind": "addTargets", "variationId": "$v1", "values": []string{"ann"}}
	orgTarget = instruction{"kind": "addTargets", "variationId": "$v1", "contextKind": "org", "values": []string{"acme"}}
	gated     = instruction{"kind": "addPrerequisite", "key": "gate", "variationId": "$gate0"}
	addPink   = instruction{"kind": "addVariation", "value": "pink", "name": "Pink"}
	jira      = instruction{"kind": "addCustomProperties", "key": "jira", "name": "Jira", "values": []string{"A-1", "A-2"}}
)

const config = "environments.test."

var flagCases = []flagCase{
	{"turnFlagOff", nil, instruction{"kind": "turnFlagOff"},
		map[string]string{config + "on": `false`, config + "version": `3`, "_version": `3`, "environments.other.version": `1`},
		map[string]string{ann: `"blue"`}},
	{"turnFlagOn", []instruction{{"kind": "turnFlagOff"}}, instruction{"kind": "turnFlagOn"},
		map[string]string{config + "on": `true`}, map[string]string{ann: `"red"`}},

	{"addRule", nil, proRule,
		map[string]string{config + "rules.0.variation": `1`, config + "rules.0.clauses.0.values": `["pro"]`, config + "_summary.variations.1.rules": `1`},
		map[string]string{ann: `"green"`, bob: `"red"`}},
	{"addRule", []instruction{proRule}, instruction{"kind": "addRule", "variationId": "$v2", "beforeRuleId": "$rule0", "description": "First", "ref": "r1", "trackEvents": true, "clauses": clauses(clauseOn("age", "greaterThan", 30))},
		map[string]string{config + "rules.0.description": `"First"`, config + "rules.0.ref": `"r1"`, config + "rules.0.trackEvents": `true`, config + "rules.1.variation": `1`},
		map[string]string{ann: `"blue"`, bob: `"red"`}},
	{"addRule", nil, instruction{"kind": "addRule", "rolloutWeights": map[string]int{"$v1": 100000, "$v0": 0}, "rolloutBucketBy": "plan", "rolloutContextKind": "user", "clauses": clauses(clauseOn("plan", "in", "pro"))},
		map[string]string{config + "rules.0.rollout": `{"variations":[{"variation":0,"weight":0},{"variation":1,"weight":100000}],"bucketBy":"plan","contextKind":"user"}`, config + "rules.0.variation": ""},
		map[string]string{ann: `"green"`, bob: `"red"`}},
	{"removeRule", []instruction{proRule, freeRule}, instruction{"kind": "removeRule", "ruleId": "$rule0"},
		map[string]string{config + "rules.0.variation": `2`, config + "rules.1": ""}, map[string]string{ann: `"red"`, bob: `"blue"`}},
	{"replaceRules", []instruction{proRule}, instruction{"kind": "replaceRules", "rules": []any{
		map[string]any{"variationId": "$v2", "description": "New", "trackEvents": true, "clauses": clauses(clauseOn("segmentMatch", "segmentMatch", "beta"))}}},
		map[string]string{config + "rules.0.description": `"New"`, config + "rules.0.trackEvents": `true`, config + "rules.1": ""},
		map[string]string{ann: `"blue"`, bob: `"red"`}},
	{"reorderRules", []instruction{proRule, {"kind": "addRule", "variationId": "$v2", "clauses": clauses(clauseOn("age", "greaterThan", 10))}},
		instruction{"kind": "reorderRules", "ruleIds": []string{"$rule1", "$rule0"}},
		map[string]string{config + "rules.0.variation": `2`, config + "rules.1.variation": `1`}, map[string]string{ann: `"blue"`}},
	{"updateRuleVariationOrRollout", []instruction{proRule}, instruction{"kind": "updateRuleVariationOrRollout", "ruleId": "$rule0", "variationId": "$v2"},
		map[string]string{config + "rules.0.variation": `2`}, map[string]string{ann: `"blue"`, bob: `"red"`}},
	{"updateRuleVariationOrRollout", []instruction{proRule}, instruction{"kind": "updateRuleVariationOrRollout", "ruleId": "$rule0", "rolloutWeights": map[string]int{"$v2": 100000}},
		map[string]string{config + "rules.0.variation": "", config + "rules.0.rollout.contextKind": `"user"`}, map[string]string{ann: `"blue"`, bob: `"red"`}},
	{"updateRuleDescription", []instruction{proRule}, instruction{"kind": "updateRuleDescription", "ruleId": "$rule0", "description": "Pros"},
		map[string]string{config + "rules.0.description": `"Pros"`}, nil},
	{"updateRuleTrackEvents", []instruction{proRule}, instruction{"kind": "updateRuleTrackEvents", "ruleId": "$rule0", "trackEvents": true},
		map[string]string{config + "rules.0.trackEvents": `true`}, nil},
	{"addClauses", []instruction{proRule}, instruction{"kind": "addClauses", "ruleId": "$rule0", "clauses": clauses(clauseOn("age", "lessThan", 30))},
		map[string]string{config + "rules.0.clauses.1.values": `[30]`}, map[string]string{ann: `"red"`}},
	{"removeClauses", []instruction{proRule, {"kind": "addClauses", "ruleId": "$rule0", "clauses": clauses(clauseOn("age", "lessThan", 30))}},
		instruction{"kind": "removeClauses", "ruleId": "$rule0", "clauseIds": []string{"$clause0"}},
		map[string]string{config + "rules.0.clauses.0.attribute": `"age"`, config + "rules.0.clauses.1": ""}, map[string]string{ann: `"red"`, bob: `"green"`}},
	{"updateClause", []instruction{proRule}, instruction{"kind": "updateClause", "ruleId": "$rule0", "clauseId": "$clause0", "clause": clauseOn("plan", "startsWith", "fr")},
		map[string]string{config + "rules.0.clauses.0.op": `"startsWith"`}, map[string]string{ann: `"red"`, bob: `"green"`}},
	{"addValuesToClause", []instruction{proRule}, instruction{"kind": "addValuesToClause", "ruleId": "$rule0", "clauseId": "$clause0", "values": []string{"free", "pro"}},
		map[string]string{config + "rules.0.clauses.0.values": `["pro","free"]`}, map[string]string{ann: `"green"`, bob: `"green"`, acme: `"red"`}},
	{"removeValuesFromClause", []instruction{{"kind": "addRule", "variationId": "$v1", "clauses": clauses(clauseOn("plan", "in", "pro", "free"))}},
		instruction{"kind": "removeValuesFromClause", "ruleId": "$rule0", "clauseId": "$clause0", "values": []string{"pro"}},
		map[string]string{config + "rules.0.clauses.0.values": `["free"]`}, map[string]string{ann: `"red"`, bob: `"green"`}},

	{"updateFallthroughVariationOrRollout", nil, instruction{"kind": "updateFallthroughVariationOrRollout", "variationId": "$v1"},
		map[string]string{config + "fallthrough": `{"variation":1}`, config + "_summary.variations.1.isFallthrough": `true`}, map[string]string{bob: `"green"`}},
	{"updateOffVariation", []instruction{{"kind": "turnFlagOff"}}, instruction{"kind": "updateOffVariation", "variationId": "$v1"},
		map[string]string{config + "offVariation": `1`}, map[string]string{bob: `"green"`}},

	{"addTargets", nil, annTarget,
		map[string]string{config + "targets": `[{"contextKind":"user","variation":1,"values":["ann"]}]`, config + "contextTargets": `[{"contextKind":"user","variation":1,"values":[]}]`},
		map[string]string{ann: `"green"`, bob: `"red"`}},
	{"addTargets", nil, orgTarget,
		map[string]string{config + "targets": `[]`, config + "contextTargets": `[{"contextKind":"org","variation":1,"values":["acme"]}]`},
		map[string]string{acme: `"green"`, ann: `"red"`}},
	{"removeTargets", []instruction{{"kind": "addTargets", "variationId": "$v1", "values": []string{"ann", "bob"}}},
		instruction{"kind": "removeTargets", "variationId": "$v1", "values": []string{"ann", "nobody"}},
		map[string]string{config + "targets.0.values": `["bob"]`}, map[string]string{ann: `"red"`, bob: `"green"`}},
	{"replaceTargets", []instruction{annTarget}, instruction{"kind": "replaceTargets", "targets": []any{
		map[string]any{"variationId": "$v2", "values": []string{"bob"}}, map[string]any{"variationId": "$v1", "contextKind": "org", "values": []string{"acme"}}}},
		map[string]string{config + "targets.0.values": `["bob"]`, config + "targets.1": ""}, map[string]string{ann: `"red"`, bob: `"blue"`, acme: `"green"`}},
	{"clearTargets", []instruction{annTarget, orgTarget}, instruction{"kind": "clearTargets", "variationId": "$v1"},
		map[string]string{config + "targets": `[]`, config + "contextTargets": `[]`}, map[string]string{ann: `"red"`, acme: `"red"`}},
	{"addUserTargets", nil, instruction{"kind": "addUserTargets", "variationId": "$v2", "values": []string{"ann"}},
		map[string]string{config + "targets.0.variation": `2`}, map[string]string{ann: `"blue"`, bob: `"red"`}},
	{"removeUserTargets", []instruction{annTarget}, instruction{"kind": "removeUserTargets", "variationId": "$v1", "values": []string{"ann"}},
		map[string]string{config + "targets": `[]`}, map[string]string{ann: `"red"`}},
	{"replaceUserTargets", []instruction{annTarget, orgTarget}, instruction{"kind": "replaceUserTargets", "targets": []any{
		map[string]any{"variationId": "$v0", "values": []string{}}, map[string]any{"variationId": "$v1", "values": []string{}}, map[string]any{"variationId": "$v2", "values": []string{"bob"}}}},
		map[string]string{config + "targets": `[{"contextKind":"user","variation":2,"values":["bob"]}]`}, map[string]string{ann: `"red"`, bob: `"blue"`, acme: `"green"`}},
	{"clearUserTargets", []instruction{annTarget, orgTarget}, instruction{"kind": "clearUserTargets", "variationId": "$v1"},
		map[string]string{config + "targets": `[]`}, map[string]string{ann: `"red"`, acme: `"green"`}},

	{"addPrerequisite", nil, instruction{"kind": "addPrerequisite", "key": "gate", "variationId": "$gate1"},
		map[string]string{config + "prerequisites": `[{"key":"gate","variation":1}]`, config + "_summary.prerequisites": `1`}, map[string]string{ann: `"blue"`}},
	{"updatePrerequisite", []instruction{{"kind": "addPrerequisite", "key": "gate", "variationId": "$gate1"}},
		instruction{"kind": "updatePrerequisite", "key": "gate", "variationId": "$gate0"},
		map[string]string{config + "prerequisites.0.variation": `0`}, map[string]string{ann: `"red"`}},
	{"removePrerequisite", []instruction{{"kind": "addPrerequisite", "key": "gate", "variationId": "$gate1"}},
		instruction{"kind": "removePrerequisite", "key": "gate"}, map[string]string{config + "prerequisites": `[]`}, map[string]string{ann: `"red"`}},
	{"replacePrerequisites", []instruction{gated}, instruction{"kind": "replacePrerequisites", "prerequisites": []any{map[string]any{"key": "gate", "variationId": "$gate1"}}},
		map[string]string{config + "prerequisites": `[{"key":"gate","variation":1}]`}, map[string]string{ann: `"blue"`}},

	{"updateTrackEvents", nil, instruction{"kind": "updateTrackEvents", "trackEvents": true}, map[string]string{config + "trackEvents": `true`}, nil},
	{"updateTrackEventsFallthrough", nil, instruction{"kind": "updateTrackEventsFallthrough", "trackEvents": true}, map[string]string{config + "trackEventsFallthrough": `true`}, nil},

	{"addVariation", nil, addPink, map[string]string{"variations.3.value": `"pink"`, "variations.3.name": `"Pink"`, config + "version": `2`}, nil},
	{"removeVariation", []instruction{{"kind": "updateDefaultVariation", "offVariationValue": "red"}, {"kind": "updateOffVariation", "variationId": "$v0"}, freeRule},
		instruction{"kind": "removeVariation", "variationId": "$v1"}, // only green is unused
		map[string]string{"variations.1.value": `"blue"`, "variations.2": "", config + "rules.0.variation": `1`, "environments.other.offVariation": `1`},
		map[string]string{ann: `"red"`, bob: `"blue"`}},
	{"updateVariation", nil, instruction{"kind": "updateVariation", "variationId": "$v0", "value": "scarlet", "name": "Scarlet", "description": "Brighter"},
		map[string]string{"variations.0.name": `"Scarlet"`, "variations.0.description": `"Brighter"`, "environments.other.version": `1`}, map[string]string{ann: `"scarlet"`}},
	{"updateDefaultVariation", nil, instruction{"kind": "updateDefaultVariation", "onVariationValue": "green", "offVariationValue": "red"},
		map[string]string{"defaults": `{"onVariation":1,"offVariation":0}`, config + "fallthrough.variation": `0`}, map[string]string{ann: `"red"`}},

	{"updateName", nil, instruction{"kind": "updateName", "value": "Colour"}, map[string]string{"name": `"Colour"`}, nil},
	{"updateDescription", nil, instruction{"kind": "updateDescription", "value": "Paint"}, map[string]string{"description": `"Paint"`}, nil},
	{"addTags", nil, instruction{"kind": "addTags", "values": []string{"ui", "UI", "paint"}}, map[string]string{"tags": `["ui","paint"]`}, nil},
	{"removeTags", []instruction{{"kind": "addTags", "values": []string{"ui", "paint"}}}, instruction{"kind": "removeTags", "values": []string{"Ui", "none"}}, map[string]string{"tags": `["paint"]`}, nil},
	{"makeFlagPermanent", nil, instruction{"kind": "makeFlagPermanent"}, map[string]string{"temporary": `false`}, nil},
	{"makeFlagTemporary", []instruction{{"kind": "makeFlagPermanent"}}, instruction{"kind": "makeFlagTemporary"}, map[string]string{"temporary": `true`}, nil},
	{"turnOnClientSideAvailability", nil, instruction{"kind": "turnOnClientSideAvailability", "value": "usingEnvironmentId"},
		map[string]string{"clientSideAvailability": `{"usingMobileKey":true,"usingEnvironmentId":true}`, "includeInSnippet": `true`}, nil},
	{"turnOffClientSideAvailability", nil, instruction{"kind": "turnOffClientSideAvailability", "value": "usingMobileKey"},
		map[string]string{"clientSideAvailability": `{"usingMobileKey":false,"usingEnvironmentId":false}`}, nil},
	{"addCustomProperties", nil, jira, map[string]string{"customProperties": `{"jira":{"name":"Jira","value":["A-1","A-2"]}}`}, nil},
	{"replaceCustomProperties", []instruction{jira}, instruction{"kind": "replaceCustomProperties", "key": "jira", "name": "Tracker", "values": []string{"B-1"}},
		map[string]string{"customProperties": `{"jira":{"name":"Tracker","value":["B-1"]}}`}, nil},
	{"removeCustomProperties", []instruction{jira}, instruction{"kind": "removeCustomProperties", "key": "jira", "values": []string{"A-1"}},
		map[string]string{"customProperties.jira.value": `["A-2"]`}, nil},
	{"removeCustomProperties", []instruction{jira}, instruction{"kind": "removeCustomProperties", "key": "jira", "values": []string{"A-2", "A-1"}},
		map[string]string{"customProperties": `{}`}, nil},
	{"updateMaintainerMember", nil, instruction{"kind": "updateMaintainerMember", "value": "$member"}, map[string]string{"_maintainer.firstName": `"Margaret"`}, nil},
	{"updateMaintainerTeam", []instruction{{"kind": "updateMaintainerMember", "value": "$member"}}, instruction{"kind": "updateMaintainerTeam", "value": "$team"},
		map[string]string{"maintainerId": "", "_maintainerTeam.key": `"platform"`}, nil},
	{"removeMaintainer", []instruction{{"kind": "updateMaintainerMember", "value": "$member"}}, instruction{"kind": "removeMaintainer"},
		map[string]string{"maintainerId": "", "_maintainer": ""}, nil},

	{"archiveFlag", nil, instruction{"kind": "archiveFlag"}, map[string]string{"archived": `true`, config + "archived": `true`}, map[string]string{ann: `null`}},
	{"restoreFlag", []instruction{{"kind": "archiveFlag"}}, instruction{"kind": "restoreFlag"},
		map[string]string{"archived": `false`, "archivedDate": "", config + "archived": `false`}, map[string]string{ann: `"red"`}},
	{"deprecateFlag", nil, instruction{"kind": "deprecateFlag"}, map[string]string{"deprecated": `true`}, map[string]string{ann: `"red"`}},
	{"restoreDeprecatedFlag", []instruction{{"kind": "deprecateFlag"}}, instruction{"kind": "restoreDeprecatedFlag"}, map[string]string{"deprecated": `false`, "deprecatedDate": ""}, nil},
	{"deleteFlag", nil, instruction{"kind": "deleteFlag"}, nil, map[string]string{ann: `null`}},
	{"startAutomatedRelease", nil, startRelease(nil),
		map[string]string{config + "fallthrough.rollout": `{"variations":[{"variation":0,"weight":75000},{"variation":1,"weight":25000}],"contextKind":"user"}`}, nil},
	{"stopAutomatedRelease", []instruction{startRelease(nil)}, instruction{"kind": "stopAutomatedRelease", "finalVariationId": "$v1"},
		map[string]string{config + "fallthrough": `{"variation":1}`}, map[string]string{ann: `"green"`, bob: `"green"`}},
}

// startRelease is a progressive release from red to green with changes.
func startRelease(with map[string]any) instruction {
	in := instruction{
		"kind": "startAutomatedRelease", "releaseKind": "progressive", "originalVariationId": "$v0", "targetVariationId": "$v1",
		"randomizationUnit": "user", "stages": []any{map[string]any{"allocation": 25000, "durationMillis": 3600000}},
	}
	maps.Copy(in, with)
	return in
}

// people replaces the names of a member and a team in an instruction.
func (l *lab) people(in instruction) instruction {
	in = maps.Clone(in)
	switch in["value"] {
	case "$member":
		in["value"] = l.a.members[0].ID
	case "$team":
		in["value"] = "platform"
	}
	return in
}

func TestFlagInstructions(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, tc := range flagCases {
		covered[tc.name] = true
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			for _, in := range tc.given {
				l.patch("color", "test", l.people(in))
			}
			before, entries := l.flag("color").Version, len(l.a.audit)
			got := l.patch("color", "test", l.people(tc.do))
			l.expect(got, tc.want)
			if len(l.a.audit) != entries+1 {
				t.Fatalf("%d audit entries were added, want 1", len(l.a.audit)-entries)
			}
			if entry := l.a.audit[entries]; entry.Comment != "in the lab" || len(entry.Actions) != 1 || len(entry.Before) == 0 {
				t.Errorf("the audit entry is %+v", entry.change)
			}
			l.serves("color", tc.serves)
			if tc.name == "deleteFlag" {
				l.ask(404, "GET", "/flags/lab/color", "", nil)
				return
			}
			if after := l.flag("color").Version; after != before+1 {
				t.Errorf("the flag's version went from %d to %d", before, after)
			}
			l.expect(l.get("/flags/lab/color"), tc.want)
		})
	}
	for kind := range flagKinds() {
		if !covered[kind] {
			t.Errorf("no case for instruction kind %s", kind)
		}
	}
}

func TestFlagInstructionsThatChangeNothing(t *testing.T) {
	t.Parallel()
	for _, in := range []instruction{
		{"kind": "turnFlagOn"},
		{"kind": "removeRule", "ruleId": "4f1c1b1e-0000-4000-8000-000000000000"},
		{"kind": "removeTargets", "variationId": "$v1", "values": []string{"ann"}},
		{"kind": "clearTargets", "variationId": "$v0"},
		{"kind": "removePrerequisite", "key": "gate"},
		{"kind": "updateFallthroughVariationOrRollout", "variationId": "$v0"},
		{"kind": "updateVariation", "variationId": "$v0", "value": "red"},
		{"kind": "updateName", "value": "Color"},
		{"kind": "removeTags", "values": []string{"none"}},
		{"kind": "makeFlagTemporary"},
		{"kind": "removeMaintainer"},
		{"kind": "restoreFlag"},
		{"kind": "restoreDeprecatedFlag"},
		{"kind": "removeCustomProperties", "key": "none", "values": []string{"x"}},
	} {
		t.Run(in["kind"].(string), func(t *testing.T) {
			l := newLab(t)
			l.unchanged(func() { l.patch("color", "test", in) })
		})
	}
}

func TestFlagInstructionErrors(t *testing.T) {
	t.Parallel()
	const none = "4f1c1b1e-0000-4000-8000-000000000000"
	rule := func(with map[string]any) instruction {
		in := maps.Clone(proRule)
		maps.Copy(in, with)
		return in
	}
	for _, tc := range []struct {
		name    string
		given   []instruction
		do      instruction
		message string
	}{
		{"unknown kind", nil, instruction{"kind": "paintFlag"}, "unknown instruction kind 'paintFlag'"},
		{"no kind", nil, instruction{"value": "x"}, "has no kind"},
		{"no variation", nil, instruction{"kind": "updateOffVariation"}, "requires the parameter variationId"},
		{"unknown variation", nil, instruction{"kind": "updateOffVariation", "variationId": none}, "unknown variationId"},
		{"wrong type", nil, instruction{"kind": "addTargets", "variationId": "$v1", "values": "ann"}, "values must not be a string"},
		{"wrong element", nil, instruction{"kind": "addTargets", "variationId": "$v1", "values": []any{1}}, "values must be non-empty strings"},
		{"no values", nil, instruction{"kind": "addTargets", "variationId": "$v1"}, "requires the parameter values"},
		{"context kind", nil, instruction{"kind": "addTargets", "variationId": "$v1", "contextKind": "multi", "values": []string{"x"}}, "not a valid context kind"},
		{"targeted twice", []instruction{annTarget}, instruction{"kind": "addTargets", "variationId": "$v2", "values": []string{"bob", "ann"}}, "already targeted by another variation"},
		{"targets clash", nil, instruction{"kind": "replaceTargets", "targets": []any{
			map[string]any{"variationId": "$v1", "values": []string{"ann"}}, map[string]any{"variationId": "$v2", "values": []string{"ann"}}}}, "already targeted"},
		{"targets of one variation", nil, instruction{"kind": "replaceUserTargets", "targets": []any{map[string]any{"variationId": "$v1", "values": []string{"ann"}}}}, "must name every variation"},
		{"weights", nil, rule(map[string]any{"variationId": "", "rolloutWeights": map[string]int{"$v0": 60000, "$v1": 30000}}), "must sum to 100000, not 90000"},
		{"negative weight", nil, rule(map[string]any{"variationId": "", "rolloutWeights": map[string]int{"$v0": -1, "$v1": 100001}}), "not between 0 and 100000"},
		{"variation and weights", nil, rule(map[string]any{"rolloutWeights": map[string]int{"$v0": 100000}}), "not both"},
		{"no clauses", nil, rule(map[string]any{"clauses": nil}), "requires the parameter clauses"},
		{"op", nil, rule(map[string]any{"clauses": clauses(clauseOn("plan", "endswith", "o"))}), "invalid op 'endswith'"},
		{"attribute", nil, rule(map[string]any{"clauses": clauses(clauseOn("", "in", "o"))}), "no attribute"},
		{"regular expression", nil, rule(map[string]any{"clauses": clauses(clauseOn("plan", "matches", "("))}), "invalid regular expression"},
		{"unknown beforeRuleId", nil, rule(map[string]any{"beforeRuleId": none}), "unknown beforeRuleId"},
		{"unknown rule", nil, instruction{"kind": "addClauses", "ruleId": none, "clauses": clauses(clauseOn("plan", "in", "x"))}, "unknown ruleId"},
		{"unknown clause", []instruction{proRule}, instruction{"kind": "updateClause", "ruleId": "$rule0", "clauseId": none, "clause": clauseOn("plan", "in", "x")}, "unknown clauseId"},
		{"last clause", []instruction{proRule}, instruction{"kind": "removeClauses", "ruleId": "$rule0", "clauseIds": []string{"$clause0"}}, "at least one clause"},
		{"order of some rules", []instruction{proRule, freeRule}, instruction{"kind": "reorderRules", "ruleIds": []string{"$rule1"}}, "exactly the IDs"},
		{"order with a stranger", []instruction{proRule}, instruction{"kind": "reorderRules", "ruleIds": []string{"$rule0", none}}, "exactly the IDs"},
		{"order with a repetition", []instruction{proRule, freeRule}, instruction{"kind": "reorderRules", "ruleIds": []string{"$rule0", "$rule0"}}, "exactly the IDs"},
		{"unknown prerequisite", nil, instruction{"kind": "addPrerequisite", "key": "nothing", "variationId": "$gate0"}, "does not exist"},
		{"own prerequisite", nil, instruction{"kind": "addPrerequisite", "key": "color", "variationId": "$v0"}, "its own prerequisite"},
		{"variation of the wrong flag", nil, instruction{"kind": "addPrerequisite", "key": "gate", "variationId": "$v0"}, "no variation with the variationId"},
		{"prerequisite not there", nil, instruction{"kind": "updatePrerequisite", "key": "gate", "variationId": "$gate0"}, "is not a prerequisite"},
		{"variation in use", nil, instruction{"kind": "removeVariation", "variationId": "$v0"}, "is in use"},
		{"variation used by a rule", []instruction{{"kind": "updateDefaultVariation", "offVariationValue": "red"}, proRule}, instruction{"kind": "removeVariation", "variationId": "$v1"}, "is in use in environment 'test'"},
		{"same value", nil, instruction{"kind": "addVariation", "value": "red"}, "the same value"},
		{"default by ID", nil, instruction{"kind": "updateDefaultVariation", "onVariationValue": "$v1"}, "no variation has the value"},
		{"empty name", nil, instruction{"kind": "updateName", "value": " "}, "must not be empty"},
		{"tag", nil, instruction{"kind": "addTags", "values": []string{"two words"}}, "not a valid tag"},
		{"maintainer", nil, instruction{"kind": "updateMaintainerMember", "value": none}, "unknown maintainerId"},
		{"team", nil, instruction{"kind": "updateMaintainerTeam", "value": "none"}, "unknown maintainerTeamKey"},
		{"side", nil, instruction{"kind": "turnOnClientSideAvailability", "value": "web"}, "usingMobileKey or usingEnvironmentId"},
		{"property without name", nil, instruction{"kind": "addCustomProperties", "key": "jira", "values": []string{"A-1"}}, "requires the parameter name"},
		{"release while off", []instruction{{"kind": "turnFlagOff"}}, startRelease(nil), "flag color is off"},
		{"two releases", []instruction{startRelease(nil)}, startRelease(nil), "must not have ongoing progressive rollout"},
		{"release of one variation", nil, startRelease(map[string]any{"targetVariationId": "$v0"}), "must be different"},
		{"release without stages", nil, startRelease(map[string]any{"stages": []any{}}), "at least one stage"},
		{"release of nothing", nil, startRelease(map[string]any{"stages": []any{map[string]any{"allocation": 0, "durationMillis": 1}}}), "greater than 0"},
		{"guarded release without metrics", nil, startRelease(map[string]any{"releaseKind": "guarded"}), "metrics are required"},
		{"guarded release of most", nil, startRelease(map[string]any{"releaseKind": "guarded", "metrics": []any{map[string]any{"key": "m"}}, "stages": []any{map[string]any{"allocation": 60000, "durationMillis": 1}}}), "must not exceed 50%"},
		{"malformed release variation", nil, startRelease(map[string]any{"originalVariationId": "red"}), "originalVariationId must be a valid variation id"},
		{"edit under a release", []instruction{startRelease(nil)}, instruction{"kind": "updateFallthroughVariationOrRollout", "variationId": "$v1"}, "ongoing progressive rollout"},
		{"no release to stop", nil, instruction{"kind": "stopAutomatedRelease", "finalVariationId": "$v1"}, "no active automated release"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			for _, in := range tc.given {
				l.patch("color", "test", in)
			}
			l.unchanged(func() {
				// The first instruction is fine and must be undone with the bad one.
				body := l.named("color", semanticBody("test", instruction{"kind": "updateDescription", "value": "half"}, tc.do))
				got := l.ask(400, "PATCH", "/flags/lab/color", semantic, body)
				if message, _ := at(got, "message").(string); !strings.Contains(message, tc.message) || at(got, "code") != "invalid_request" {
					t.Errorf("got %v, want a message with %q", got, tc.message)
				}
			})
		})
	}
}

func TestFlagEnvironmentKey(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for kind, k := range flagKinds() {
		if !k.env {
			continue
		}
		got := l.ask(400, "PATCH", "/flags/lab/color", semantic, semanticBody("", instruction{"kind": kind}))
		if message, _ := at(got, "message").(string); !strings.Contains(message, "requires environmentKey") {
			t.Errorf("%s without environmentKey: %v", kind, got)
		}
	}
	l.ask(400, "PATCH", "/flags/lab/color", semantic, semanticBody("nowhere", instruction{"kind": "turnFlagOff"}))
	l.ask(200, "PATCH", "/flags/lab/color", semantic, semanticBody("", addPink))
	l.ask(400, "PATCH", "/flags/lab/color", semantic, semanticBody("test"))
	l.ask(400, "PATCH", "/flags/lab/color", "application/json", semanticBody("test", instruction{"kind": "turnFlagOff"}))
}

func TestFlagDryRun(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.unchanged(func() {
		got := l.ask(200, "PATCH", "/flags/lab/color?dryRun=true", semantic, l.named("color", semanticBody("test", proRule, instruction{"kind": "turnFlagOff"})))
		l.expect(got, map[string]string{config + "on": `false`, config + "rules.0.variation": `1`, config + "version": `3`})
		l.ask(400, "PATCH", "/flags/lab/color?dryRun=true", semantic, semanticBody("test", instruction{"kind": "updateOffVariation"}))
	})
}

func TestFlagApproval(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const message = "Flag configuration updates require approval: action 'updateOn' not allowed"
	l.unchanged(func() {
		for _, path := range []string{"/flags/lab/color", "/flags/lab/color?ignoreConflicts=true"} {
			got := l.ask(405, "PATCH", path, semantic, semanticBody("guarded", addPink, instruction{"kind": "turnFlagOn"}))
			l.expect(got, map[string]string{"code": `"method_not_allowed"`, "message": `"` + message + `"`})
		}
		l.ask(405, "PATCH", "/flags/lab/color", "application/json", []any{map[string]any{"op": "replace", "path": "/environments/guarded/on", "value": true}})
		l.ask(405, "POST", "/flags/lab/color/copy", "application/json", map[string]any{"source": map[string]any{"key": "test"}, "target": map[string]any{"key": "guarded"}})
		l.ask(200, "PATCH", "/flags/lab/color", semantic, semanticBody("guarded", instruction{"kind": "turnFlagOff"}))
	})
	l.ask(200, "PATCH", "/flags/lab/color", semantic, semanticBody("guarded", addPink))

	e := l.p.env("other")
	e.FlagApprovals.RequiredApprovalTags = []string{"critical"}
	l.patch("color", "other", instruction{"kind": "turnFlagOn"})
	l.patch("color", "other", instruction{"kind": "addTags", "values": []string{"critical"}})
	l.ask(405, "PATCH", "/flags/lab/color", semantic, semanticBody("other", instruction{"kind": "turnFlagOff"}))
}

func TestFlagAuditEntries(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, tc := range []struct {
		do             []instruction
		verb, resource string
		actions        []string
	}{
		{[]instruction{{"kind": "turnFlagOff"}}, "turned off the flag", "proj/lab:env/test:flag/color", []string{"updateOn"}},
		{[]instruction{proRule, freeRule}, "updated the rules of the flag", "proj/lab:env/test:flag/color", []string{"updateRules"}},
		{[]instruction{addPink}, "updated the variations of the flag", "proj/lab:env/*:flag/color", []string{"updateFlagVariations"}},
		{[]instruction{{"kind": "turnFlagOn"}, annTarget}, "updated the flag", "proj/lab:env/test:flag/color", []string{"updateOn", "updateTargets"}},
		{[]instruction{startRelease(map[string]any{"ruleId": "$rule0"})}, "started a rollout on the flag", "proj/lab:env/test:flag/color", []string{"updateRulesWithMeasuredRollout"}},
		{[]instruction{{"kind": "archiveFlag"}}, "archived the flag", "proj/lab:env/*:flag/color", []string{"updateGlobalArchived"}},
	} {
		l.patch("color", "test", tc.do...)
		got := l.a.audit[len(l.a.audit)-1]
		if got.Verb != tc.verb || got.Resource != tc.resource || !slices.Equal(got.Actions, tc.actions) || got.Kind != "flag" {
			t.Errorf("%v is logged as %q %s %v", tc.do, got.Verb, got.Resource, got.Actions)
		}
	}
}
