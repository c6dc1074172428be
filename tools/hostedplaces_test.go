package tools_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/tools"
)

// TestHostedScope: a server with a scope passes on what lies in it whole, and nothing that cannot be checked.
func TestHostedScope(t *testing.T) {
	t.Parallel()
	projects := ldclient.Scope{Projects: []string{"shop", "shop-*"}}
	both := ldclient.Scope{Projects: []string{"shop"}, Environments: []string{"test", "staging"}}
	environments := ldclient.Scope{Environments: []string{"test"}}
	takes := strings.Fields(`projectKey project projectKeys note query project_key PROJECT-ID project.key projects inner sourceProject resource url options env fromEnv toEnv environments environmentId`)
	f := newFake(t, def("query-logs", readsOnly, takes...), def("create-graph", adds, takes...))
	rigs := map[string]*rig{}
	on := func(scope ldclient.Scope) *rig {
		key := fmt.Sprint(scope)
		if rigs[key] == nil {
			rigs[key] = startHosted(t, f, []string{"query-logs", "create-graph"}, func(s *setup) { s.client.Scope, s.Confirm = scope, tools.ConfirmNever })
		}
		return rigs[key]
	}
	for _, test := range []struct {
		scope ldclient.Scope
		args  string
		ok    bool
	}{
		{projects, `{"projectKey":"shop"}`, true},
		{projects, `{"project":"shop","env":"production"}`, true},
		{projects, `{"projectKey":"shop","projectKeys":["shop-eu"]}`, true},
		{projects, `{"projectKey":"shop","note":"/api/v2/projects/shop/x"}`, true},
		{projects, `{}`, false},
		{projects, `{"query":"errors"}`, false},
		{projects, `{"projectKey":""}`, false},
		{projects, `{"projectKey":null}`, false},
		{projects, `{"projectKey":"mobile"}`, false},
		{projects, `{"project_key":"mobile"}`, false},
		{projects, `{"PROJECT-ID":"mobile"}`, false},
		{projects, `{"project.key":"mobile"}`, false},
		{projects, `{"projectKey":"shop-a,mobile"}`, false},
		{projects, `{"projectKey":"shop-a/../mobile"}`, false},
		{projects, `{"projectKey":["shop","mobile"]}`, false},
		{projects, `{"projectKey":7}`, false},
		{projects, `{"projectKey":{"key":"mobile"}}`, false},
		{projects, `{"projects":{"mobile":{"limit":1}}}`, false},
		{projects, `{"projectKey":"shop","inner":{"list":[{"projectKey":"mobile"}]}}`, false},
		{projects, `{"projectKey":"shop","sourceProject":"mobile"}`, false},
		{projects, `{"projectKey":"shop","resource":"proj/mobile:env/*"}`, false},
		{projects, `{"projectKey":"shop","url":"https://app.launchdarkly.com/projects/mobile/flags"}`, false},
		{projects, `{"projectKey":"shop","options":"{\"projectKey\":\"mobile\"}"}`, false},
		{projects, `{"projectKey":"shop","options":"[\"{\\\"project\\\":\\\"mobile\\\"}\"]"}`, false},
		{both, `{"projectKey":"shop","env":"test"}`, true},
		{both, `{"projectKey":"shop","fromEnv":"test","toEnv":"staging"}`, true},
		{both, `{"projectKey":"shop","environments":[{"environmentKey":"test"},{"environmentKey":"staging"}]}`, true},
		{both, `{"projectKey":"shop","environments":{"test":{"on":true}}}`, true},
		{both, `{"projectKey":"shop","environments":{"test":{"on":true},"production":{}}}`, false},
		{both, `{"projectKey":"shop","environments":[{"environmentKey":"test","key":"production"}]}`, false},
		{both, `{"projectKey":"shop"}`, false},
		{both, `{"projectKey":"shop","env":"production"}`, false},
		{both, `{"projectKey":"shop","fromEnv":"test","toEnv":"production"}`, false},
		{both, `{"projectKey":"shop","environments":[{"environmentKey":"test"},{"environmentKey":"production"}]}`, false},
		{both, `{"projectKey":"shop","env":"test","resource":"proj/shop:env/production"}`, false},
		{both, `{"projectKey":"shop","environmentId":"5f0c"}`, false},
		{both, `{"projectKey":"shop","env":true}`, false},
		{environments, `{"projectKey":"mobile","env":"test"}`, true},
		{environments, `{"projectKey":"mobile"}`, false},
		{environments, `{"env":"test"}`, false},
	} {
		for _, name := range []string{"query-logs", "create-graph"} {
			r, before := on(test.scope), len(f.seen())
			got := r.call(name, test.args)
			if name == "create-graph" && test.ok && strings.Contains(got, "requires a comment") { // another rule
				continue
			}
			if ok := got == "done"; ok != test.ok || len(f.seen()) > before != test.ok {
				t.Errorf("%+v %s %s: %s", test.scope, name, test.args, got)
			}
		}
	}
}

// TestHostedDecoys: what a hosted tool may pass over is not what a call is judged by.
func TestHostedDecoys(t *testing.T) {
	t.Parallel()
	open := strings.Replace(def("query-logs", readsOnly, "limit", "options"), `"type":"object"`, `"type":"object","additionalProperties":true`, 1)
	f := newFake(t, open)
	r := startHosted(t, f, []string{"query-logs"}, func(s *setup) { s.client.Scope = ldclient.Scope{Projects: []string{"shop"}} })
	for _, args := range []string{`{"projectKey":"shop"}`, `{"options":"{\"projectKey\":\"shop\"}"}`, `{"limit":1,"project":"shop"}`} {
		if got := r.call("query-logs", args); !strings.Contains(got, "names none") || len(f.seen()) > 0 {
			t.Errorf("%s: %s", args, got)
		}
	}
}
