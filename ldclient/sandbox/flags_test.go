package sandbox

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// keys are the keys of a list's items.
func keys(list any) []string {
	out := []string{}
	items, _ := at(list, "items").([]any)
	for _, item := range items {
		out = append(out, at(item, "key").(string))
	}
	return out
}

// catalogue adds flags that differ in what lists filter and sort by.
func (l *lab) catalogue() {
	l.Helper()
	old := labTime.Add(-400 * 24 * time.Hour).UnixMilli()
	for i, name := range []string{"Zebra", "apple", "Mango"} {
		f := boolFlag(strings.ToLower(name), name)
		f.CreationDate = old + int64(i)
		f.Temporary = i != 1
		f.Tags = [][]string{{"ui"}, {"ui", "Fruit"}, {"fruit"}}[i]
		f.ClientSideAvailability = []clientSide{{true, false}, {false, true}, {false, false}}[i]
		f.Status = map[string]flagStatus{"test": {LastRequested: old + int64(i*1000)}}
		l.a.addFlag(l.p, f)
	}
	l.patch("apple", "", instruction{"kind": "updateMaintainerTeam", "value": "platform"})
	l.patch("mango", "", instruction{"kind": "updateMaintainerMember", "value": l.a.members[0].ID})
	for _, gone := range []string{"archived", "deprecated"} {
		l.a.addFlag(l.p, boolFlag(gone, gone))
	}
	l.patch("archived", "", instruction{"kind": "archiveFlag"})
	l.patch("deprecated", "", instruction{"kind": "deprecateFlag"})
	l.a.repos = append(l.a.repos, &repository{Name: "lab", References: []codeReference{{Project: "lab", Flag: "mango"}, {Project: "shop", Flag: "zebra"}}})
}

func TestListFlags(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.catalogue()
	l.patch("mango", "test", instruction{"kind": "turnFlagOn"})
	l.patch("color", "test", startRelease(map[string]any{"releaseKind": "guarded", "metrics": []any{map[string]any{"key": "m"}}}))
	all := []string{"color", "gate", "zebra", "apple", "mango", "deprecated"}
	created := l.flag("color").CreationDate
	for _, tc := range []struct {
		query url.Values
		want  []string
	}{
		{url.Values{}, all},
		{url.Values{"filter": {"query:AN"}}, []string{"mango"}},
		{url.Values{"filter": {"tags:ui"}}, []string{"zebra", "apple"}},
		{url.Values{"filter": {"tags:ui+fruit"}}, []string{"apple"}},
		{url.Values{"filter": {"tags:fruit,type:temporary"}}, []string{"mango"}},
		{url.Values{"tag": {"ui"}}, []string{"zebra", "apple"}},
		{url.Values{"filter": {"state:live"}}, all[:5]},
		{url.Values{"filter": {"state:deprecated"}}, []string{"deprecated"}},
		{url.Values{"filter": {"state:archived"}}, []string{"archived"}},
		{url.Values{"archived": {"true"}}, []string{"archived"}},
		{url.Values{"filter": {"type:permanent"}}, []string{"apple"}},
		{url.Values{"filter": {"maintainerTeamKey:platform"}}, []string{"apple"}},
		{url.Values{"filter": {"maintainerId:" + l.a.members[0].ID}}, []string{"mango"}},
		{url.Values{"filter": {fmt.Sprintf(`creationDate:{"before":%d},type:temporary`, created)}}, []string{"zebra", "mango"}},
		{url.Values{"filter": {fmt.Sprintf(`evaluated:{"after":%d},filterEnv:test`, l.flag("zebra").Status["test"].LastRequested)}}, []string{"apple", "mango"}},
		{url.Values{"filter": {"sdkAvailability:anyClient,type:temporary,tags:ui"}}, []string{"zebra"}},
		{url.Values{"filter": {"sdkAvailability:server"}}, []string{"mango"}},
		{url.Values{"filter": {"codeReferences.min:1"}}, []string{"mango"}},
		{url.Values{"filter": {"codeReferences.max:0,query:ang"}}, []string{}},
		{url.Values{"filter": {"hasExperiment:true"}}, []string{}},
		{url.Values{"filter": {"hasExperiment:false,query:gate"}}, []string{"gate"}},
		{url.Values{"filter": {"guardedRollout:monitoring"}}, []string{"color"}},
		{url.Values{"filter": {"guardedRollout:completed"}}, []string{}},
		{url.Values{"filter": {"state:live"}, "sort": {"name"}}, []string{"apple", "color", "gate", "mango", "zebra"}},
		{url.Values{"filter": {"state:live"}, "sort": {"-key"}}, []string{"zebra", "mango", "gate", "color", "apple"}},
		{url.Values{"filter": {"state:live"}, "sort": {"creationDate"}}, []string{"zebra", "apple", "mango", "color", "gate"}},
		{url.Values{"filter": {"state:live"}, "sort": {"type,-name"}}, []string{"apple", "zebra", "mango", "gate", "color"}},
		{url.Values{"env": {"test"}, "sort": {"-targetingModifiedDate"}, "limit": {"2"}}, []string{"color", "mango"}},
		{url.Values{"limit": {"2"}, "offset": {"2"}}, []string{"zebra", "apple"}},
	} {
		got := keys(l.get("/flags/lab?" + tc.query.Encode()))
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tc.query, diff)
		}
	}
	for _, query := range []string{
		"filter=followerId:x", "filter=state:hidden", "filter=query", "filter=type:odd", "filter=sdkAvailability:tv", "sort=size",
		`filter=evaluated:{"after":1}`, "sort=targetingModifiedDate", "sort=targetingModifiedDate,name&env=test", "env=nowhere", "limit=x",
	} {
		l.expect(l.ask(400, "GET", "/flags/lab?"+query, "", nil), map[string]string{"code": `"invalid_request"`})
	}
	l.ask(404, "GET", "/flags/nowhere", "", nil)
}

func TestListFlagsByPage(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i := range 43 {
		l.a.addFlag(l.p, boolFlag(fmt.Sprintf("flag-%02d", i), "Flag"))
	}
	path, seen := "/flags/lab?env=test", []string{}
	for path != "" {
		list := l.get(path)
		seen = append(seen, keys(list)...)
		l.expect(list, map[string]string{"totalCount": "45"})
		next, _ := at(list, "_links.next.href").(string)
		path = strings.TrimPrefix(next, "/api/v2")
	}
	if slices.Sort(seen); len(slices.Compact(seen)) != 45 {
		t.Errorf("paging showed %d different flags, want 45", len(slices.Compact(seen)))
	}
	if n := len(keys(l.get("/flags/lab"))); n != 20 {
		t.Errorf("a page has %d flags by default, want 20", n)
	}
}

func TestFlagShapes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.patch("color", "test", proRule, annTarget, orgTarget, gated)
	first := "items.0."
	l.expect(l.get("/flags/lab"), map[string]string{first + "environments": "", first + "variations.0.value": `"red"`, first + "experiments": `{"baselineIdx":0,"items":[]}`})
	summary := l.get("/flags/lab?env=test&env=other")
	l.expect(summary, map[string]string{
		first + config + "rules": "", first + config + "targets": "", first + config + "contextTargets": "", first + config + "prerequisites": "",
		first + config + "fallthrough": "", first + config + "offVariation": "", first + config + "on": "true", first + config + "_environmentName": `"Test"`,
		first + config + "_summary": `{"prerequisites":1,"variations":{
			"0":{"rules":0,"nullRules":0,"targets":0,"contextTargets":0,"isFallthrough":true},
			"1":{"rules":1,"nullRules":0,"targets":1,"contextTargets":1},
			"2":{"rules":0,"nullRules":0,"targets":0,"contextTargets":0,"isOff":true}}}`,
		first + "environments.other.on": "false", first + "environments.guarded": "",
	})
	l.expect(l.get("/flags/lab?env=test&summary=0"), map[string]string{first + config + "rules.0.variation": "1", first + config + "targets.0.values": `["ann"]`})
	l.expect(l.get("/flags/lab?filter=filterEnv:test"), map[string]string{first + config + "on": "true", first + config + "rules": ""})
	l.expect(l.get("/flags/lab/color?env=test"), map[string]string{config + "prerequisites": `[{"key":"gate","variation":0}]`, "environments.other": ""})
	l.expect(l.get("/flags/lab/color"), map[string]string{
		config + "contextTargets":    `[{"contextKind":"org","variation":1,"values":["acme"]},{"contextKind":"user","variation":1,"values":[]}]`,
		"environments.other.version": "1", "environments.guarded.on": "false", "_links.self.href": `"/api/v2/flags/lab/color"`,
	})
	l.ask(400, "GET", "/flags/lab/color?env=nowhere", "", nil)
	l.ask(404, "GET", "/flags/lab/nothing", "", nil)
}

const plain = "application/json"

func TestCreateFlag(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	got := l.ask(201, "POST", "/flags/lab", plain, object{"key": "new", "name": "New"})
	l.expect(got, map[string]string{
		"kind": `"boolean"`, "temporary": "true", "tags": "[]", "_version": "1", "defaults": `{"onVariation":0,"offVariation":1}`,
		"clientSideAvailability": `{"usingMobileKey":true,"usingEnvironmentId":false}`, config + "on": "false", config + "fallthrough": `{"variation":0}`,
		config + "offVariation": "1", "environments.guarded.version": "1", "customProperties": "{}",
	})
	entry := l.a.audit[len(l.a.audit)-1]
	if entry.Verb != "created the flag" || entry.Resource != "proj/lab:env/*:flag/new" || entry.Before != nil || entry.After == nil {
		t.Errorf("the audit entry is %+v", entry.change)
	}
	got = l.ask(201, "POST", "/flags/lab", plain, l.named("color", object{
		"key": "size", "name": "Size", "tags": []string{"ui"}, "temporary": false, "isFlagOn": true, "description": "How big",
		"variations":             []object{{"value": 1}, {"value": object{"b": 1, "a": 2}}, {"value": "l", "name": "Large"}},
		"defaults":               object{"onVariation": 2, "offVariation": 0},
		"clientSideAvailability": object{"usingEnvironmentId": true, "usingMobileKey": false},
		"initialPrerequisites":   []object{{"key": "gate", "variationId": "$gate0"}},
		"customProperties":       object{"jira": object{"name": "Jira", "value": []string{"A-1"}}},
		"maintainerId":           l.a.members[0].ID,
	}))
	l.expect(got, map[string]string{
		"kind": `"multivariate"`, "temporary": "false", "variations.2.name": `"Large"`, "variations.1.value": `{"a":2,"b":1}`, "includeInSnippet": "true",
		config + "on": "true", "environments.guarded.on": "true", config + "prerequisites": `[{"key":"gate","variation":0}]`,
		config + "fallthrough.variation": "2", "_maintainer.email": string(jsonValue(l.a.members[0].Email)), "customProperties.jira.value": `["A-1"]`,
	})
	l.serves("size", map[string]string{ann: `"l"`})
	l.patch("gate", "", instruction{"kind": "deprecateFlag"})
	l.a.addFlag(l.p, boolFlag("old", "Old"))
	l.patch("old", "", instruction{"kind": "archiveFlag"})
	l.unchanged(func() {
		for _, key := range []string{"color", "old"} {
			l.expect(l.ask(409, "POST", "/flags/lab", plain, object{"key": key, "name": "Again"}), map[string]string{"code": `"conflict"`})
		}
		two := []object{{"value": 1}, {"value": 2}}
		for _, body := range []object{
			{"key": "bad key", "name": "N"}, {"key": "-x", "name": "N"}, {"key": strings.Repeat("k", 257), "name": "N"}, {"key": "x"}, {"name": "N"},
			{"key": "x", "name": "N", "variations": two[:1]},
			{"key": "x", "name": "N", "variations": []object{{"value": 1}, {"name": "none"}}},
			{"key": "x", "name": "N", "variations": []object{{"value": 1}, {"value": 1.0}}},
			{"key": "x", "name": "N", "variations": two, "defaults": object{"onVariation": 0, "offVariation": 2}},
			{"key": "x", "name": "N", "tags": []string{"a b"}},
			{"key": "x", "name": "N", "maintainerId": "nobody"},
			{"key": "x", "name": "N", "initialPrerequisites": []object{{"key": "nothing", "variationId": "v"}}},
			{"key": "x", "name": 7},
		} {
			l.ask(400, "POST", "/flags/lab", plain, body)
		}
		l.ask(400, "POST", "/flags/lab?clone=nothing", plain, object{"key": "x", "name": "N"})
	})
}

func TestCloneFlag(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.patch("color", "test", proRule, annTarget)
	got := l.ask(201, "POST", "/flags/lab?clone=color", plain, object{"key": "colour", "name": "Colour"})
	l.expect(got, map[string]string{config + "on": "true", config + "version": "1", "_version": "1", config + "rules.0.variation": "1", config + "targets.0.values": `["ann"]`})
	old := l.flag("color")
	for _, path := range []string{"variations.0._id", config + "salt", config + "rules.0._id", config + "rules.0.clauses.0._id"} {
		if at(got, path) == nil || at(got, path) == at(l.get("/flags/lab/"+old.Key), path) {
			t.Errorf("the clone's %s is %v", path, at(got, path))
		}
	}
	l.serves("colour", map[string]string{ann: `"green"`, bob: `"red"`})
	if entry := l.a.audit[len(l.a.audit)-1]; entry.Verb != "cloned the flag" || !slices.Contains(entry.Actions, "createFlag") {
		t.Errorf("the audit entry is %+v", entry.change)
	}
}

func TestDeleteFlag(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.patch("color", "test", gated)
	l.unchanged(func() {
		l.ask(409, "DELETE", "/flags/lab/gate", "", nil)
		l.ask(400, "PATCH", "/flags/lab/gate", semantic, semanticBody("", instruction{"kind": "archiveFlag"}))
		l.ask(409, "PATCH", "/flags/lab/gate", semantic, semanticBody("", instruction{"kind": "deleteFlag"}))
	})
	l.ask(204, "DELETE", "/flags/lab/color", "", nil)
	l.ask(404, "GET", "/flags/lab/color", "", nil)
	l.ask(204, "DELETE", "/flags/lab/gate", "", nil)
	if entry := l.a.audit[len(l.a.audit)-1]; entry.Verb != "deleted the flag" || entry.Name != "Gate" || entry.After != nil || entry.Before == nil {
		t.Errorf("the audit entry is %+v", entry.change)
	}
}

func TestPrerequisites(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.patch("color", "test", gated)
	l.serves("color", map[string]string{ann: `"red"`})
	l.patch("gate", "test", instruction{"kind": "turnFlagOff"})
	l.serves("color", map[string]string{ann: `"blue"`})
	l.unchanged(func() {
		body := l.named("gate", semanticBody("test", instruction{"kind": "addPrerequisite", "key": "color", "variationId": "$v0"}))
		got := l.ask(400, "PATCH", "/flags/lab/gate", semantic, body)
		if message := at(got, "message").(string); !strings.Contains(message, "cycle") {
			t.Errorf("a cycle answers %q", message)
		}
	})
	l.expect(l.get("/flags/lab/gate/dependent-flags"), map[string]string{"items.0.key": `"color"`, "items.0.environments.0.key": `"test"`, "items.0.environments.1": "", "items.1": ""})
	l.expect(l.get("/flags/lab/test/gate/dependent-flags"), map[string]string{"items.0.key": `"color"`})
	l.expect(l.get("/flags/lab/other/gate/dependent-flags"), map[string]string{"items": "[]"})

	// A prerequisite is kept by index and must go with its variation.
	l.patch("color", "", instruction{"kind": "updateDefaultVariation", "offVariationValue": "red"})
	for _, env := range []string{"test", "other"} {
		l.patch("color", env, instruction{"kind": "updateOffVariation", "variationId": "$v0"})
	}
	l.p.env("guarded").FlagApprovals.Required = false
	l.patch("color", "guarded", instruction{"kind": "updateOffVariation", "variationId": "$v0"})
	l.patch("color", "test", instruction{"kind": "removePrerequisite", "key": "gate"})
	l.patch("gate", "test", instruction{"kind": "addPrerequisite", "key": "color", "variationId": "$v2"})
	l.ask(400, "PATCH", "/flags/lab/color", semantic, l.named("color", semanticBody("", instruction{"kind": "removeVariation", "variationId": "$v2"})))
	l.patch("color", "", instruction{"kind": "removeVariation", "variationId": "$v1"})
	l.expect(l.get("/flags/lab/gate"), map[string]string{config + "prerequisites": `[{"key":"color","variation":1}]`})
}

func TestCopyFlag(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.patch("color", "test", proRule, annTarget, instruction{"kind": "updateFallthroughVariationOrRollout", "variationId": "$v1"})
	source, target := object{"key": "test", "currentVersion": 3}, object{"key": "other", "currentVersion": 1}
	l.unchanged(func() {
		for _, body := range []object{
			{"source": source, "target": object{"key": "other", "currentVersion": 9}},
			{"source": object{"key": "test", "currentVersion": 1}, "target": target},
		} {
			l.ask(409, "POST", "/flags/lab/color/copy", plain, body)
		}
		for _, body := range []object{
			{"source": source, "target": object{"key": "nowhere"}},
			{"source": source, "target": target, "includedActions": []string{"updateAll"}},
			{"source": source, "target": target, "includedActions": []string{"updateOn"}, "excludedActions": []string{"updateRules"}},
		} {
			l.ask(400, "POST", "/flags/lab/color/copy", plain, body)
		}
	})
	other := "environments.other."
	got := l.ask(201, "POST", "/flags/lab/color/copy", plain, object{"source": source, "target": target, "includedActions": []string{"updateRules"}})
	l.expect(got, map[string]string{other + "on": "false", other + "rules.0.variation": "1", other + "targets": "[]", other + "version": "2", config + "version": "3"})
	got = l.ask(201, "POST", "/flags/lab/color/copy", plain, object{"source": source, "target": object{"key": "other"}, "excludedActions": []string{"updateOn"}, "comment": "why"})
	l.expect(got, map[string]string{other + "on": "false", other + "fallthrough.variation": "1", other + "targets.0.values": `["ann"]`})
	if entry := l.a.audit[len(l.a.audit)-1]; entry.Comment != "why" || entry.Resource != "proj/lab:env/other:flag/color" {
		t.Errorf("the audit entry is %+v", entry.change)
	}
	l.unchanged(func() {
		l.ask(201, "POST", "/flags/lab/color/copy", plain, object{"source": source, "target": object{"key": "other"}, "excludedActions": []string{"updateOn"}})
	})
}

func TestFlagStatuses(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	ago := func(days int) int64 { return labTime.Add(-time.Duration(days) * 24 * time.Hour).UnixMilli() }
	for name, at := range map[string][2]int64{ // created, requested
		"new": {ago(2), 0}, "inactive": {ago(60), ago(20)}, "forgotten": {ago(60), 0}, "launched": {ago(60), ago(1)}, "active": {ago(60), ago(1)},
	} {
		f := boolFlag(name, name)
		f.CreationDate = at[0]
		f.Status = map[string]flagStatus{"test": {LastRequested: at[1]}}
		l.a.addFlag(l.p, f)
		f.Environments["test"].On = name != "active"
	}
	want := map[string]string{"new": "new", "inactive": "inactive", "forgotten": "inactive", "launched": "launched", "active": "active"}
	list := l.get("/flag-statuses/lab/test")
	got := map[string]string{}
	for _, item := range at(list, "items").([]any) {
		href := at(item, "_links.self.href").(string)
		key := href[strings.LastIndex(href, "/")+1:]
		if at(item, "key") != nil {
			t.Error("a status names its flag")
		}
		if want[key] != "" {
			got[key] = at(item, "name").(string)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	l.expect(l.get("/flag-statuses/lab/test/launched"), map[string]string{"name": `"launched"`, "lastRequested": `"2026-03-01T12:00:00Z"`})
	l.expect(l.get("/flag-status/lab/launched?env=test&env=other"), map[string]string{
		"key": `"launched"`, "environments.test.name": `"launched"`, "environments.other": `{"name":"inactive","lastRequested":null}`, "environments.guarded": "",
	})
	l.patch("launched", "test", instruction{"kind": "updateTrackEvents", "trackEvents": true})
	l.expect(l.get("/flag-statuses/lab/test/launched"), map[string]string{"name": `"active"`})
	l.ask(404, "GET", "/flag-statuses/lab/nowhere", "", nil)
}
