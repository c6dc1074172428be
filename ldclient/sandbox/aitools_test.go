package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func init() {
	moreSamples = append(moreSamples, func(*Account) map[string][]string {
		return map[string][]string{"tool": {"search-orders", "refund-order"}, "snippet": {"tone-of-voice", "refund-policy"},
			"model": {"OpenAI.gpt-4o", "shop-summaries"}, "graph": {"support", "returns"}}
	})
	const project = "/projects/{project}"
	queries[project+"/ai-tools"] = []string{"sort=-key&limit=1", "filter=query:order&offset=1"}
	queries[project+"/ai-tools/{tool}/versions"] = []string{"limit=1"}
	queries[project+"/ai-configs/prompt-snippets"] = []string{"filter=query:tone,tags:brand&limit=1"}
	queries[project+"/ai-configs/model-configs"] = []string{"restricted=true"}
	queries[project+"/agent-graphs"] = []string{"limit=1&offset=1"}
}

// lastActions are those of the latest audit entry.
func lastActions(a *Account) string {
	e := a.audit[len(a.audit)-1]
	return e.Resource + " " + strings.Join(e.Actions, ",")
}

type versioned struct {
	Key, Text, Description string
	Version, TotalCount    int
	Schema                 map[string]any
	Tags                   []string
	Items                  []map[string]any
	Maintainer             map[string]any `json:"_maintainer"`
}

func TestAITools(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	const list = "/projects/shop/ai-tools"
	schema := map[string]any{"type": "object"}
	got := into[versioned](t, checked(t, a, "POST", list, map[string]any{"key": "new", "schema": schema, "maintainerTeamKey": "growth"}), 201)
	if got.Version != 1 || got.Maintainer["key"] != "growth" || lastActions(a) != "proj/shop:ai-tool/new createAITool" {
		t.Errorf("%+v, %s", got, lastActions(a))
	}
	for _, c := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"POST", list, map[string]any{"key": "new", "schema": schema}, 409},
		{"POST", list, map[string]any{"key": "no schema", "schema": schema}, 400},
		{"POST", list, map[string]any{"key": "none"}, 400},
		{"POST", list, map[string]any{"key": "none", "schema": []any{}}, 400},
		{"POST", list, map[string]any{"key": "none", "schema": schema, "maintainerId": "nobody"}, 400},
		{"PATCH", list + "/new", map[string]any{"schema": "x"}, 400},
		{"PATCH", list + "/none", map[string]any{}, 404},
		{"DELETE", list + "/none", nil, 404},
		{"GET", list + "/none/versions", nil, 404},
		{"GET", list + "/none/references", nil, 404},
		{"GET", list + "?filter=nope:1", nil, 400},
		{"GET", list + "?sort=nope", nil, 400},
	} {
		entries := len(a.audit)
		into[failure](t, ask(t, a, c.method, c.path, c.body), c.status)
		if len(a.audit) != entries {
			t.Errorf("%s %s %v: a refusal is in the audit log", c.method, c.path, c.body)
		}
	}
	got = into[versioned](t, checked(t, a, "PATCH", list+"/new", map[string]any{"description": "Does it", "maintainerTeamKey": ""}), 200)
	if got.Version != 2 || got.Description != "Does it" || got.Schema["type"] != "object" || got.Maintainer != nil || lastActions(a) != "proj/shop:ai-tool/new updateAITool" {
		t.Errorf("%+v, %s", got, lastActions(a))
	}
	if got := into[versioned](t, checked(t, a, "GET", list+"/new/versions", nil), 200); got.TotalCount != 2 || got.Items[0]["description"] != nil {
		t.Errorf("the versions are %v", got.Items)
	}
	wantStatus(t, 204, checked(t, a, "DELETE", list+"/new", nil))
	into[failure](t, ask(t, a, "GET", list+"/new", nil), 404)
}

// TestReferences: what a variation uses now is listed, and what it used before is not.
func TestReferences(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	uses := func(path string) string {
		var out []string
		for _, item := range into[versioned](t, checked(t, a, "GET", path+"/references", nil), 200).Items {
			out = append(out, fmt.Sprint(item["aiConfigKey"], " ", item["variationKey"], " ", cmp.Or(item["toolVersion"], item["resourceVersion"])))
		}
		return strings.Join(out, ", ")
	}
	const tool, snippet = "/projects/shop/ai-tools/search-orders", "/projects/shop/ai-configs/prompt-snippets/tone-of-voice"
	c := a.findProject("shop").aiConfig("support-agent")
	want := "support-agent " + c.Variations[0].Key + " 2"
	if got := uses(tool); !strings.Contains(got, want) {
		t.Errorf("the tool is used by %s, want %s", got, want)
	}
	if got := uses(snippet); !strings.Contains(got, want) || !strings.Contains(got, "product-summary") {
		t.Errorf("the snippet is used by %s", got)
	}
	into[any](t, checked(t, a, "PATCH", "/projects/shop/ai-configs/support-agent/variations/"+c.Variations[0].Key, map[string]any{"tools": []any{}}), 200)
	if got := uses(tool); strings.Contains(got, "support-agent") {
		t.Errorf("the tool is used by %s, which has let it go", got)
	}
}

func TestPromptSnippets(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	const list = "/projects/shop/ai-configs/prompt-snippets"
	into[versioned](t, checked(t, a, "POST", list, map[string]any{"key": "new", "name": "New", "text": "Hello.", "tags": []string{"a"}}), 201)
	if got := into[versioned](t, checked(t, a, "PATCH", list+"/new", map[string]any{"text": "Hi."}), 200); got.Version != 2 || got.Text != "Hi." || !slices.Equal(got.Tags, []string{"a"}) {
		t.Errorf("%+v", got)
	}
	if got := into[versioned](t, checked(t, a, "GET", list+"/new/versions", nil), 200); got.Items[0]["text"] != "Hello." || got.Items[1]["text"] != "Hi." {
		t.Errorf("the versions are %v", got.Items)
	}
	for _, c := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"POST", list, map[string]any{"key": "new", "name": "New", "text": "Hello."}, 409},
		{"POST", list, map[string]any{"key": "none", "text": "Hello."}, 400},
		{"POST", list, map[string]any{"key": "none", "name": "None"}, 400},
		{"PATCH", list + "/new", map[string]any{"text": ""}, 400},
		{"PATCH", list + "/none", map[string]any{"text": "x"}, 404},
		{"GET", list + "?filter=nope:1", nil, 400},
	} {
		into[failure](t, ask(t, a, c.method, c.path, c.body), c.status)
	}
	wantStatus(t, 204, checked(t, a, "DELETE", list+"/new", nil))
	if lastActions(a) != "proj/shop:prompt-snippet/new deletePromptSnippet" {
		t.Error(lastActions(a))
	}
}

func TestModelConfigs(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	const list = "/projects/shop/ai-configs/model-configs"
	keys := func(query string) []string {
		return keysOf(into[[]map[string]any](t, checked(t, a, "GET", list+query, nil), 200))
	}
	into[any](t, checked(t, a, "POST", list, map[string]any{"key": "own", "id": "own-1", "name": "Own"}), 200)
	if got := keys(""); len(got) != 6 || got[5] != "own" {
		t.Errorf("the models are %v", got)
	}
	into[failure](t, ask(t, a, "POST", list, map[string]any{"key": "OpenAI.gpt-4o", "id": "x", "name": "X"}), 409)
	into[failure](t, ask(t, a, "POST", list, map[string]any{"key": "x"}), 400)
	into[failure](t, ask(t, a, "DELETE", list+"/OpenAI.gpt-4o", nil), 403)
	into[failure](t, ask(t, a, "GET", list+"?restricted=maybe", nil), 400)
	into[any](t, checked(t, a, "POST", list+"/restricted", map[string]any{"keys": []string{"own", "none"}}), 200)
	if got := keys("?restricted=true"); !slices.Equal(got, []string{"OpenAI.gpt-4o-mini", "own"}) {
		t.Errorf("restricted are %v", got)
	}
	wantStatus(t, 204, ask(t, a, "DELETE", list+"/restricted", map[string]any{"keys": []string{"own"}}))
	wantStatus(t, 204, checked(t, a, "DELETE", list+"/own", nil))
	if got := keys("?restricted=true"); !slices.Equal(got, []string{"OpenAI.gpt-4o-mini"}) {
		t.Errorf("restricted are %v", got)
	}
}

func TestAgentGraphs(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	const list = "/projects/shop/agent-graphs"
	beta := []string{"LD-API-Version", "beta"}
	edge := func(key, from, to string) map[string]any {
		return map[string]any{"key": key, "sourceConfig": from, "targetConfig": to}
	}
	type graph struct {
		Key, RootConfigKey string
		Edges              []map[string]any
		Items              []map[string]any
	}
	into[failure](t, ask(t, a, "GET", list, nil), 403)
	into[graph](t, checked(t, a, "POST", list, map[string]any{"key": "new", "name": "New"}, beta...), 201)
	both := edge("e", "triage-agent", "support-agent")
	for _, c := range []struct {
		body   map[string]any
		status int
	}{
		{map[string]any{"rootConfigKey": "triage-agent"}, 400},
		{map[string]any{"edges": []any{}}, 400},
		{map[string]any{"rootConfigKey": "nobody", "edges": []any{}}, 400},
		{map[string]any{"rootConfigKey": "product-summary", "edges": []any{}}, 400},
		{map[string]any{"rootConfigKey": "triage-agent", "edges": []any{both, both}}, 400},
		{map[string]any{"rootConfigKey": "triage-agent", "edges": []any{edge("e", "triage-agent", "nobody")}}, 400},
		{map[string]any{"rootConfigKey": "triage-agent", "edges": []any{edge("", "triage-agent", "support-agent")}}, 400},
		{map[string]any{"name": ""}, 400},
		{map[string]any{"rootConfigKey": "triage-agent", "edges": []any{map[string]any{"key": "e", "sourceConfig": "triage-agent", "targetConfig": "support-agent",
			"handoff": map[string]any{"x": strings.Repeat("x", maxGraph)}}}}, 413},
	} {
		into[failure](t, ask(t, a, "PATCH", list+"/new", c.body, beta...), c.status)
	}
	if g := into[graph](t, checked(t, a, "GET", list+"/new", nil, beta...), 200); g.RootConfigKey != "" || g.Edges != nil {
		t.Errorf("a refusal has drawn %+v", g)
	}
	into[failure](t, ask(t, a, "POST", list, map[string]any{"key": "new", "name": "New"}, beta...), 409)
	g := into[graph](t, checked(t, a, "PATCH", list+"/new", map[string]any{"rootConfigKey": "triage-agent", "edges": []any{both}}, beta...), 200)
	if len(g.Edges) != 1 || lastActions(a) != "proj/shop:agent-graph/new updateAgentGraph" {
		t.Errorf("%+v, %s", g, lastActions(a))
	}
	for _, item := range into[graph](t, checked(t, a, "GET", list, nil, beta...), 200).Items {
		if item["edges"] != nil {
			t.Errorf("the list shows the edges of %v", item["key"])
		}
	}
	if got := a.findProject("shop").graphsWith("support-agent"); !slices.Equal(got, []string{"support", "new"}) {
		t.Errorf("support-agent is in %v", got)
	}
	wantStatus(t, 204, checked(t, a, "DELETE", list+"/new", nil, beta...))
	into[failure](t, ask(t, a, "GET", list+"/new", nil, beta...), 404)
}

func wantStatus(t *testing.T, want int, got answer) {
	t.Helper()
	if got.status != want {
		t.Errorf("status %d, want %d: %s", got.status, want, got.body)
	}
}
