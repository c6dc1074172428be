package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

type drawn struct {
	Name  string
	Root  string `json:"rootConfigKey"`
	Edges []struct{ Key, SourceConfig, TargetConfig string }
}

// TestAgentGraphIsNotOverwritten: edges replace all others, so those that somebody else has drawn since must not be lost.
func TestAgentGraphIsNotOverwritten(t *testing.T) {
	t.Parallel()
	r := start(t, unasked, func(s *setup) {
		s.client.Transport = &meddling{Account: s.client.Transport.(*sandbox.Account), method: http.MethodGet, part: "/agent-graphs/support", nth: 2, do: func(a *sandbox.Account) {
			sendPast(t, a, http.MethodPatch, "agent-graphs/support", `{"rootConfigKey":"triage-agent","edges":[{"key":"theirs","sourceConfig":"triage-agent","targetConfig":"support-agent"}]}`, nil)
		}}
	})
	got := r.call("update-agent-graph", `{"projectKey":"shop","graphKey":"support","edges":[],"comment":"c"}`)
	if !strings.Contains(got, "changed meanwhile") || !strings.Contains(got, "Nothing was changed") {
		t.Error(got)
	}
	var g drawn
	r.get("agent-graphs/support", &g)
	if len(g.Edges) != 1 || g.Edges[0].Key != "theirs" {
		t.Errorf("the edges are %v", g.Edges)
	}
}

// TestAgentGraphParts: a new root keeps the edges, new edges keep the root, and a new name keeps both.
func TestAgentGraphParts(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		`"rootConfigKey":"support-agent"`:                                                 `{Customer support support-agent [{to-support triage-agent support-agent} {back support-agent triage-agent}]}`,
		`"edges":[{"key":"n","source":"triage-agent","targetConfigKey":"support-agent"}]`: `{Customer support triage-agent [{n triage-agent support-agent}]}`,
		`"edges":[]`:       `{Customer support triage-agent []}`,
		`"name":"Helpers"`: `{Helpers triage-agent [{to-support triage-agent support-agent} {back support-agent triage-agent}]}`,
	} {
		r := start(t, unasked)
		if got := r.call("update-agent-graph", `{"projectKey":"shop","graphKey":"support","comment":"c",`+args+`}`); !strings.Contains(got, `"changed":true`) {
			t.Errorf("%s: %s", args, got)
		}
		var g drawn
		r.get("agent-graphs/support", &g)
		if got := fmt.Sprint(g); got != want {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
		if strings.Contains(args, "name") && strings.Contains(string(r.Account.Writes()[0].Body), "edges") {
			t.Errorf("a new name sends the edges: %s", r.Account.Writes()[0].Body)
		}
	}
}

// TestAgentGraphHandoffs: what an edge hands over stays as it was given, and losing it is told.
func TestAgentGraphHandoffs(t *testing.T) {
	t.Parallel()
	r := start(t)
	const edge = `{"projectKey":"shop","graphKey":"support","comment":"c","edges":[{"key":"back","sourceConfig":"support-agent","targetConfig":"triage-agent"},{"key":"to-support","sourceConfig":"triage-agent","targetConfig":"support-agent"}]}`
	if got := r.call("update-agent-graph", edge); !strings.Contains(got, `handoff from {"when":"the customer asks about an order"} to none`) || strings.Contains(got, "back (") {
		t.Error(got)
	}
	got := r.callWith("create-agent-graph", json.RawMessage(`{"projectKey":"shop","key":"n","name":"N","rootConfigKey":"triage-agent","edges":[{"key":"e","sourceConfig":"triage-agent","targetConfig":"triage-agent","handoff":{"n":9007199254740993}}]}`))
	if !strings.Contains(got, `"handoff":{"n":9007199254740993}`) || !strings.Contains(got, "in a circle (triage-agent → triage-agent)") {
		t.Error(got)
	}
}

// TestAgentGraphNodes: a graph's nodes are agents of the project, and all of them are looked at before anything is written.
func TestAgentGraphNodes(t *testing.T) {
	t.Parallel()
	r := start(t, unasked)
	edges := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"key":"e%d","sourceConfig":"triage-agent","targetConfig":"a%d"}`, i, i))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	for _, c := range []struct{ root, edges, want string }{
		{`"nobody"`, `[]`, `there is no AI config "nobody"`},
		{`"product-summary"`, `[]`, "is in completion mode"},
		{`""`, `[]`, "missing rootConfigKey"},
		{`"../flags"`, `[]`, "rootConfigKey"},
		{`"triage-agent"`, `[{"key":"e","sourceConfig":"triage-agent","targetConfig":"../x"}]`, "cannot be the key of an AI config"},
		{`"triage-agent"`, `[{"sourceConfig":"triage-agent","targetConfig":"support-agent"}]`, "missing key"},
		{`"triage-agent"`, `[{"key":"","sourceConfig":"triage-agent","targetConfig":"support-agent"}]`, "must not be empty"},
		{`"triage-agent"`, `[{"key":"e","sourceConfig":"triage-agent","targetConfig":"support-agent","handoff":"now"}]`, "must be an object"},
		{`"triage-agent"`, edges(100), "at most 100 can be checked"},
		{`"triage-agent"`, edges(3), `there is no AI config "a0"`},
	} {
		if got := r.call("create-agent-graph", `{"projectKey":"shop","key":"n","name":"N","rootConfigKey":`+c.root+`,"edges":`+c.edges+`}`); !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(c.want)) {
			t.Errorf("%s %s: got %s, want %s", c.root, c.edges[:min(len(c.edges), 100)], got, c.want)
		}
	}
	r.Account.Next(sandbox.Fault{Status: 500, Body: `{"code":"internal","message":"it broke"}`, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/ai-configs/support-agent") }})
	if got := r.call("create-agent-graph", `{"projectKey":"shop","key":"n","name":"N","rootConfigKey":"support-agent","edges":[]}`); !strings.Contains(got, "It broke") {
		t.Error(got)
	}
	if n := len(r.Account.Writes()); n != 0 {
		t.Errorf("%d writes", n)
	}
}

// TestAgentGraphTooLarge: LaunchDarkly's refusal comes with what to do.
func TestAgentGraphTooLarge(t *testing.T) {
	t.Parallel()
	r := start(t, unasked)
	big, _ := json.Marshal(strings.Repeat("x", 300<<10))
	got := r.call("create-agent-graph", `{"projectKey":"shop","key":"n","name":"N","rootConfigKey":"triage-agent","edges":[{"key":"e","sourceConfig":"triage-agent","targetConfig":"support-agent","handoff":{"x":`+string(big)+`}}]}`)
	if !strings.Contains(got, "too large (HTTP 413") || !strings.Contains(got, "make it smaller. Nothing was changed") {
		t.Error(got)
	}
}
