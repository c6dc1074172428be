package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

func allow(resource string, actions ...string) policy.Statement {
	return policy.Statement{Effect: "allow", Actions: actions, Resources: []string{resource}}
}

func deny(resource string, actions ...string) policy.Statement {
	return policy.Statement{Effect: "deny", Actions: actions, Resources: []string{resource}}
}

// patchOf is the body of a semantic patch.
func patchOf(environment string, kinds ...string) map[string]any {
	var list []any
	for _, k := range kinds {
		list = append(list, map[string]any{"kind": k})
	}
	return map[string]any{"environmentKey": environment, "instructions": list}
}

// written is a state as text, as far as requests often change it.
func written(s state) string {
	var b strings.Builder
	for _, p := range s.projects {
		fmt.Fprintf(&b, "%s %+v %s\n", p.Key, p.projectSettings, jsonValue(p.Flags))
		for _, e := range p.Envs {
			fmt.Fprintf(&b, "%s %+v %+v %s\n", e.Key, e.environmentSettings, e.SegmentApprovals, jsonValue(e.Segments))
		}
	}
	for _, q := range s.requests {
		fmt.Fprintf(&b, "%s %s %v\n", q.ID, q.Status, q.Reviews)
	}
	return b.String()
}

// TestPoliciesAreEnforced: a token may do what its roles say, and a refusal leaves no trace.
func TestPoliciesAreEnforced(t *testing.T) {
	t.Parallel()
	view := allow("proj/shop", "viewProject")
	for name, test := range map[string]struct {
		token        TokenOptions
		method, path string
		body         any
		status       int
	}{
		"allowed":               {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/test:flag/*", "updateOn")}}, "PATCH", "/flags/shop/dark-mode", patchOf("test", "turnFlagOff"), 200},
		"other environment":     {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/test:flag/*", "updateOn")}}, "PATCH", "/flags/shop/dark-mode", patchOf("staging", "turnFlagOn"), 403},
		"other action":          {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/test:flag/*", "updateRules")}}, "PATCH", "/flags/shop/dark-mode", patchOf("test", "turnFlagOff"), 403},
		"one of two":            {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/test:flag/*", "updateOn")}}, "PATCH", "/flags/shop/dark-mode", patchOf("test", "turnFlagOff", "archiveFlag"), 403},
		"every environment":     {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/*:flag/*", "*")}}, "PATCH", "/flags/shop/dark-mode", patchOf("", "archiveFlag"), 200},
		"not every environment": {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/*:flag/*", "*"), deny("proj/*:env/production:flag/*", "*")}}, "PATCH", "/flags/shop/dark-mode", patchOf("", "archiveFlag"), 403},
		"hidden project":        {TokenOptions{Roles: []RoleOptions{{Key: "r", Policy: []policy.Statement{view}}}}, "GET", "/flags/mobile", nil, 403},
		"seen project":          {TokenOptions{Roles: []RoleOptions{{Key: "r", Policy: []policy.Statement{view}}}}, "GET", "/flags/shop", nil, 200},
		"built-in reader":       {TokenOptions{Role: "reader"}, "PATCH", "/flags/shop/dark-mode", patchOf("test", "turnFlagOff"), 403},
		"built-in writer":       {TokenOptions{Role: "writer"}, "PATCH", "/flags/shop/dark-mode", patchOf("test", "turnFlagOff"), 200},
		"less than its owner":   {TokenOptions{Role: "reader", Owner: &OwnerOptions{Role: "admin"}}, "PATCH", "/flags/shop/dark-mode", patchOf("test", "turnFlagOff"), 403},
		"no more than its owner": {TokenOptions{Role: "admin", Owner: &OwnerOptions{Role: "admin", Roles: []RoleOptions{{Key: "r", Policy: []policy.Statement{view}}}}},
			"PATCH", "/flags/shop/dark-mode", patchOf("test", "turnFlagOff"), 403},
		"by a team": {TokenOptions{Role: "admin", Owner: &OwnerOptions{Role: "reader", TeamRoles: []RoleOptions{{Key: "r",
			Policy: []policy.Statement{allow("proj/${roleAttribute/p}:env/*:flag/*", "updateOn")}}}, TeamAttributes: policy.Attributes{"p": {"shop"}}}},
			"PATCH", "/flags/shop/dark-mode", patchOf("test", "turnFlagOff"), 200},
		"permission before approval": {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/*:flag/*", "updateRules")}}, "PATCH", "/flags/shop/dark-mode", patchOf("regulated", "turnFlagOn"), 403},
		"approval":                   {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/*:flag/*", "updateOn")}}, "PATCH", "/flags/shop/dark-mode", patchOf("regulated", "turnFlagOn"), 405},
		"bypassed approval":          {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/*:flag/*", "updateOn", "bypassRequiredApproval")}}, "PATCH", "/flags/shop/dark-mode", patchOf("regulated", "turnFlagOn"), 200},
		"outside critical":           {TokenOptions{InlineRole: []policy.Statement{allow("proj/*:env/*;{critical:false}:flag/*", "updateOn")}}, "PATCH", "/flags/shop/dark-mode", patchOf("production", "turnFlagOn"), 403},
		"new project":                {TokenOptions{InlineRole: []policy.Statement{allow("proj/kiosk*", "createProject")}}, "POST", "/projects", map[string]any{"key": "kiosk-1", "name": "Kiosk"}, 201},
		"new project of a name":      {TokenOptions{InlineRole: []policy.Statement{allow("proj/kiosk*", "createProject")}}, "POST", "/projects", map[string]any{"key": "other", "name": "Other"}, 403},
	} {
		a, _ := newTestAccount(Options{})
		token := a.AddToken(test.token)
		ids, entries, state := a.ids, len(a.audit), written(a.state)
		header := []string{"Authorization", token, "Content-Type", semantic}
		if test.method == "POST" {
			header = header[:2]
		}
		got := ask(t, a, test.method, test.path, test.body, header...)
		if got.status != test.status {
			t.Errorf("%s: status %d, want %d: %s", name, got.status, test.status, got.body)
		}
		if got.status >= 400 && (a.ids != ids || len(a.audit) != entries || state != written(a.state)) {
			t.Errorf("%s: a refused change left a trace", name)
		}
		if got.status < 300 && test.method != "GET" && len(a.audit) != entries+1 {
			t.Errorf("%s: %d entries in the audit log, want one", name, len(a.audit)-entries)
		}
	}
}

func TestHiddenProjectsAreNotListed(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	token := a.AddToken(TokenOptions{InlineRole: []policy.Statement{{Effect: "deny", Actions: []string{"viewProject"}, NotResources: []string{"proj/mobile"}}}})
	type listing struct{ Items []struct{ Key string } }
	got := into[listing](t, ask(t, a, "GET", "/projects", nil, "Authorization", token), 200)
	if len(got.Items) != 1 || got.Items[0].Key != "mobile" {
		t.Errorf("listed %v", got.Items)
	}
	if all := into[listing](t, ask(t, a, "GET", "/projects", nil), 200); len(all.Items) != 2 {
		t.Errorf("others see %v", all.Items)
	}
}

// TestCopiedState: a copy looks the same and shares nothing that could change.
func TestCopiedState(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	was := written(a.state)
	c := copied(a.state)
	if d := cmp.Diff(was, written(c)); d != "" {
		t.Errorf("the copy differs: %s", d)
	}
	for _, p := range c.projects {
		p.Name = "changed"
		for _, e := range p.Envs {
			e.Tags = append(e.Tags[:0], "changed")
			e.Segments = nil
		}
		for _, f := range p.Flags {
			clear(f.Environments)
			f.Tags = append(f.Tags[:0], "changed")
		}
	}
	if d := cmp.Diff(was, written(a.state)); d != "" {
		t.Errorf("the original changed with it: %s", d)
	}
	for f := range c.projects[0].Progress {
		if f != c.projects[0].flag(f.Key) {
			t.Error("the copy points into the original")
		}
	}
	if c.tokens[0].Member != c.members[1] {
		t.Error("the copy's token belongs to nobody of the copy")
	}
}
