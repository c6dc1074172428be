package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

const referencePath = "../../../shared/reference/launchdarkly-openapi.json"

var loadReference = sync.OnceValues(func() (*Document, error) {
	data, err := os.ReadFile(referencePath)
	if err != nil {
		return nil, err
	}
	return Read(json.NewDecoder(bytes.NewReader(data)), func(name string) bool { return name == "token" || name == "apiKey" })
})

// reference is LaunchDarkly's document; a test that needs it is skipped where it is not at hand, but not in CI.
func reference(t testing.TB) *Document {
	t.Helper()
	d, err := loadReference()
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t testing.TB, text string) *Document {
	t.Helper()
	d, err := Read(json.NewDecoder(strings.NewReader(text)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReadsTheReference(t *testing.T) {
	d := reference(t)
	by := map[string]int{}
	for _, op := range d.Operations() {
		by[op.Method]++
		if op.ID == "" || op.Summary == "" || !d.Unique(op) {
			t.Errorf("%s: id %q, summary %q", op, op.ID, op.Summary)
		}
		found, err := d.Find(op.ID)
		if err != nil || found != op {
			t.Errorf("%s is not found: %v", op.ID, err)
		}
		if b, err := json.Marshal(d.Describe(op)); err != nil || len(b) > 8000 {
			t.Errorf("%s is described in %d bytes: %v", op.ID, len(b), err)
		}
	}
	if fmt.Sprint(by) != "map[DELETE:46 GET:169 PATCH:49 POST:75 PUT:12]" {
		t.Errorf("operations %v", by)
	}
	size := 0
	for _, s := range d.schemas {
		size += len(s)
	}
	if size > 150_000 {
		t.Errorf("%d bytes of schemas are kept", size)
	}
	op, err := d.Find("postToken")
	if err != nil || !op.Reveals {
		t.Errorf("postToken reveals nothing: %v", err)
	}
}

// TestSearch: what people ask for is among the first.
func TestSearch(t *testing.T) {
	d := reference(t)
	for words, want := range map[string]string{
		"create a view":                 "createView",
		"link flags to a view":          "linkResource",
		"rotate the sdk key":            "resetEnvironmentSDKKey",
		"new access token":              "postToken",
		"list webhooks":                 "getAllWebhooks",
		"edit webhook":                  "patchWebhook",
		"agentcontrol model configs":    "listModelConfigs",
		"add an ai config":              "postAIConfig",
		"monthly active users":          "getMAUTotalUsage",
		"releaze pipeline":              "getAllReleasePipelines",
		"experimnt settings":            "getExperimentationSettings",
		"remove a colleague":            "deleteMember",
		"invite people":                 "postMembers",
		"roles of a team":               "getTeamRoles",
		"which ip addresses":            "getIps",
		"data export destinations":      "getDestinations",
		"copy flag settings":            "copyFeatureFlag",
		"relay proxy configuration":     "getRelayProxyConfigs",
		"approval request apply":        "postApprovalRequestApply",
		"stale flags chart":             "getStaleFlagsChart",
		"announcement":                  "getAnnouncementsPublic",
		"delete code repository":        "deleteRepository",
		"what tags are there":           "getTags",
		"holdout":                       "getAllHoldouts",
		"segments of a context":         "getContextInstanceSegmentsMembershipByEnv",
		"audit log entry":               "getAuditLogEntry",
		"metric groups":                 "getMetricGroups",
		"followers of flags":            "getFlagFollowers",
		"flag import":                   "getFlagImportConfigurations",
		"putExperimentationSettings":    "putExperimentationSettings",
		"scheduled changes for a flag":  "getFlagConfigScheduledChanges",
		"persistent store integrations": "getBigSegmentStoreIntegrations",
	} {
		got := d.Search(words, 6)
		if !slices.ContainsFunc(got, func(f Found) bool { return f.ID == want }) {
			var ids []string
			for _, f := range got {
				ids = append(ids, f.ID)
			}
			t.Errorf("%q: %v, want %s among them", words, ids, want)
		}
		for range 3 {
			again := d.Search(words, 6)
			if !slices.EqualFunc(got, again, func(a, b Found) bool { return a.Operation == b.Operation }) {
				t.Errorf("%q: the order changes", words)
			}
		}
	}
	for _, nothing := range []string{"", "the of", "xyzzy quux", strings.Repeat("a", 100_000)} {
		if got := d.Search(nothing, 5); len(got) > 0 {
			t.Errorf("%.20q finds %v", nothing, got)
		}
	}
}

func TestFind(t *testing.T) {
	d := reference(t)
	for name, want := range map[string]string{
		"getFeatureFlag":                      "getFeatureFlag",
		"GETFEATUREFLAG":                      "getFeatureFlag",
		"get /flags/{a}/{b}":                  "getFeatureFlag",
		"GET /api/v2/flags/{a}/{b}/":          "getFeatureFlag",
		"GET /api/v2":                         "getRoot",
		"GET /projects/{projectKey}/ai-tools": "listAITools",
		"getFeatureFlg":                       `! there is no operation "getFeatureFlg" (did you mean getFeatureFlag`,
		"GET /flags/shop/dark-mode":           "! \"/api/v2/flags/shop/dark-mode\" holds values; write GET /flags/{projectKey}/{featureFlagKey} and give them in path",
		"PUT /flags/{a}/{b}":                  "! /flags/{a}/{b} has no PUT; there are GET, PATCH, DELETE",
		"GET /../tokens":                      "! \"/api/v2/../tokens\" is not a path of an operation",
		"GET /flags/%2e%2e":                   "! \"/api/v2/flags/%2e%2e\" is not a path of an operation",
		"GET https://evil.example/flags":      "! \"/api/v2/https://evil.example/flags\" is not a path of an operation",
		"GET /nothing":                        `! there is no operation at "/nothing"`,
	} {
		op, err := d.Find(name)
		got := ""
		if err != nil {
			got = "! " + err.Error()
		} else {
			got = op.ID
		}
		if got != want && !(strings.HasPrefix(want, "!") && strings.HasPrefix(got, want)) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// lies is a document that says what it should not.
const lies = `{
	"openapi": "3.0.3", "servers": [{"url": "https://evil.example"}],
	"paths": {
		"/api/v2/../internal": {"get": {"operationId": "climb"}},
		"/api/v2/a%2fb": {"get": {"operationId": "escape"}},
		"/api/v2/a?b=c": {"get": {"operationId": "query"}},
		"/api/v2/a{b}c": {"get": {"operationId": "half"}},
		"//evil.example/api/v2": {"get": {"operationId": "elsewhere"}},
		"/internal/flags": {"get": {"operationId": "internal"}},
		"/api/v2/loops": {"post": {"operationId": "loop", "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}},
			"trace": {"operationId": "trace"}, "get": {"operationId": "body", "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}}}},
		"/api/v2/same": {"get": {"operationId": "twin"}, "delete": {"operationId": "twin"}},
		"/api/v2/tree/{leaf}": {"put": {"operationId": "tree", "parameters": [{"name": "X-HTTP-Method-Override", "in": "header", "required": true}, {"name": "other", "in": "path"}, 7, null],
			"requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tree"}}}}}},
		"/api/v2/odd": 7, "/api/v2/odder": {"get": [], "post": null, "put": {"operationId": {}, "parameters": {}, "requestBody": [], "tags": "x", "responses": 1}}
	},
	"components": {"schemas": {
		"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"},
		"Tree": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}, "any": {"allOf": [{"$ref": "#/components/schemas/All"}]}}},
		"All": {"allOf": [{"$ref": "#/components/schemas/All"}, {"oneOf": [{"$ref": "#/components/schemas/All"}]}]}
	}}
}`

func TestLies(t *testing.T) {
	d := read(t, lies)
	var ids []string
	for _, op := range d.Operations() {
		ids = append(ids, op.ID)
	}
	if got := strings.Join(ids, " "); got != "body loop PUT /odder twin twin tree" {
		t.Errorf("operations %s", got)
	}
	if _, err := d.Find("twin"); err == nil || !strings.Contains(err.Error(), "GET /same, DELETE /same") {
		t.Errorf("twin: %v", err)
	}
	loop, tree, body := d.ops[1], d.ops[5], d.ops[0]
	if d.Unique(d.ops[3]) || !d.Unique(tree) {
		t.Error("unique")
	}
	if _, err := d.CheckBody(loop, map[string]any{"x": "y"}); err != nil {
		t.Errorf("a reference that leads nowhere says nothing: %v", err)
	}
	if _, err := d.CheckBody(body, map[string]any{}); err == nil {
		t.Error("a GET took a body")
	}
	for _, op := range d.ops {
		if _, err := json.Marshal(d.Describe(op)); err != nil {
			t.Error(err)
		}
	}
	if len(tree.Parameters) != 1 || tree.Parameters[0].Name != "leaf" || !tree.Parameters[0].Required {
		t.Errorf("parameters %+v", tree.Parameters)
	}
	var deep any = map[string]any{"name": "leaf"}
	for range 200 {
		deep = map[string]any{"name": "x", "children": []any{deep}}
	}
	if _, err := d.CheckBody(tree, deep); err == nil || !strings.Contains(err.Error(), "nested too deep") {
		t.Errorf("too deep: %.100v", err)
	}
	for _, none := range []string{``, `{`, `[]`, `null`, `7`, `{"paths":{}}`, `{"paths":[]}`, `{"paths":{"/api/v2/x":{"get":{}}}`} {
		if _, err := Read(json.NewDecoder(strings.NewReader(none)), nil); err == nil {
			t.Errorf("%s is read", none)
		}
	}
}

func TestCheck(t *testing.T) {
	d := reference(t)
	for _, test := range []struct{ op, path, query, body, want string }{
		{"getFeatureFlags", `{"projectKey":"shop"}`, `{"env":["a","b"],"limit":20,"summary":false}`, ``, ""},
		{"getFeatureFlags", `{}`, `{"limit":"x","summary":"yes","nonesuch":1}`, ``, "path: missing projectKey | query.limit: must be a whole number, got x; query.summary: must be true or false, got yes; query: no nonesuch; there are archived, compare, env, expand, filter, limit, offset, sort, summary, tag"},
		{"getFeatureFlags", `{"projectKey":{"a":1}}`, `{"sort":["a","b"]}`, ``, "path.projectKey: must be text, a number, true or false, got an object | query.sort: must be one value, got an array"},
		{"linkResource", `{"projectKey":"p","viewKey":"v","resourceType":"flag"}`, `{}`, `{"keys":["a"]}`, "path.resourceType: must be one of flags, segments (did you mean flags?)"},
		{"postMetric", `{"projectKey":"p"}`, `{}`, `{"key":"m","kind":"custm"}`, "body.kind: must be one of pageview, click, custom (did you mean custom?)"},
		{"postMetric", `{"projectKey":"p"}`, `{}`, `{"kind":"custom","nam":"M"}`, "body: missing key; body: no nam (did you mean name?); there are analysisType, dataSource, description, eventDefault, eventKey, filters, isNumeric, key, kind, maintainerId, name, percentileValue, randomizationUnits, selector, successCriteria, tags, unit, unitAggregationType, urls"},
		{"postMetric", `{"projectKey":"p"}`, `{}`, `{"key":"m","kind":"custom","Key":"n"}`, "body: Key is written key"},
		{"postMetric", `{"projectKey":"p"}`, `{}`, `{"key":"m","kind":"custom","\u212aey":"n"}`, "body: \u212aey is written key"},
		{"postMetric", `{"projectKey":"p"}`, `{}`, ``, "missing body, which holds key, kind"},
		{"postMetric", `{"projectKey":"p"}`, `{}`, `{"key":"m","kind":"custom","tags":"t","percentileValue":1.5,"description":null}`, "body.percentileValue: must be a whole number, got a number; body.tags: must be an array, got a string"},
		{"getFeatureFlag", `{"projectKey":"p","featureFlagKey":"f"}`, `{}`, `{}`, "GET /flags/{projectKey}/{featureFlagKey} takes no body"},
		{"patchFeatureFlag", `{"projectKey":"p","featureFlagKey":"f"}`, `{}`, `{"instructions":[{"kind":"x"}],"environmentKey":"e"}`, "semantic"},
		{"patchFeatureFlag", `{"projectKey":"p","featureFlagKey":"f"}`, `{}`, `{"instructions":[{"Kind":"x"}],"environment":"e"}`, "body: no environment (did you mean environmentKey?); there are comment, environmentKey, ignoreConflicts, instructions; body.instructions[0]: missing kind; body.instructions[0]: Kind means kind; write kind"},
		{"patchFeatureFlag", `{"projectKey":"p","featureFlagKey":"f"}`, `{}`, `[{"op":"replace","path":"/name","value":"n"}]`, ""},
		{"patchFeatureFlag", `{"projectKey":"p","featureFlagKey":"f"}`, `{}`, `{"patch":[{"path":"/name"}],"comment":"c"}`, "body.patch[0]: missing op"},
		{"patchFlagConfigApprovalRequest", `{"projectKey":"p","featureFlagKey":"f","environmentKey":"e","id":"i"}`, `{}`, `{"instructions":[{"kind":"updateDescription"}]}`, "semantic"},
		{"patchAIConfigVariation", `{"projectKey":"p","configKey":"c","variationKey":"v"}`, `{}`, `{"instructions":"be kind"}`, ""},
		{"patchTeam", `{"teamKey":"t"}`, `{}`, `{"instructions":[]}`, "body.instructions: must be a list of at least one instruction"},
		{"postTeamMembers", `{"teamKey":"t"}`, `{}`, `{}`, "POST /teams/{teamKey}/members takes multipart/form-data, which is not sent from here"},
		{"linkResource", `{"projectKey":"p","viewKey":"v","resourceType":"flags"}`, `{}`, `{"key":["a"]}`, "body: fits none of 3 forms; the nearest: missing keys; no key (did you mean keys?); there are comment, filter, keys"},
	} {
		op, err := d.Find(test.op)
		if err != nil {
			t.Fatal(err)
		}
		var says []string
		path, _ := value(json.RawMessage(test.path)).(map[string]any)
		query, _ := value(json.RawMessage(test.query)).(map[string]any)
		if err := d.CheckPath(op, path); err != nil {
			says = append(says, err.Error())
		}
		if _, err := d.CheckQuery(op, query); err != nil {
			says = append(says, err.Error())
		}
		semantic, err := d.CheckBody(op, value(json.RawMessage(test.body)))
		if err != nil {
			says = append(says, err.Error())
		} else if semantic {
			says = append(says, "semantic")
		}
		if got := strings.Join(says, " | "); got != test.want {
			t.Errorf("%s %s %s %s\ngot  %s\nwant %s", test.op, test.path, test.query, test.body, got, test.want)
		}
	}
}

func TestQueryIsEncoded(t *testing.T) {
	d := reference(t)
	op, _ := d.Find("getFeatureFlags")
	q, err := d.CheckQuery(op, map[string]any{"filter": "tags:a+b&limit=1", "env": []any{"a", "b"}})
	if err != nil || q.Encode() != "env=a&env=b&filter=tags%3Aa%2Bb%26limit%3D1" {
		t.Errorf("%s %v", q.Encode(), err)
	}
}

func TestDescribe(t *testing.T) {
	d := read(t, lies)
	b, err := json.Marshal(d.Describe(d.ops[5]))
	if err != nil || string(b) != `{"path":{"leaf":"string"},"body":{"any":{"oneOf":[{"oneOf":["object: another All"]}]},"children":["object: another Tree"],"name*":"string"}}` {
		t.Errorf("%s %v", b, err)
	}
}
