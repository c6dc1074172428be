package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func keysOf(items []map[string]any) []string {
	out := []string{}
	for _, item := range items {
		out = append(out, item["key"].(string))
	}
	return out
}

func TestLists(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	tests := []struct {
		path string
		want []string
	}{
		{"/projects", []string{"shop", "mobile"}},
		{"/projects?sort=name", []string{"mobile", "shop"}},
		{"/projects?filter=query:APP", []string{"mobile"}},
		{"/projects?filter=tags:ios%2Bandroid", []string{"mobile"}},
		{"/projects?filter=tags:ios%2Bweb", []string{}},
		{"/projects?filter=keys:shop|other", []string{"shop"}},
		{"/projects?filter=keys:shop|mobile,query:shop", []string{"shop"}},
		{"/projects?limit=1&offset=1", []string{"mobile"}},
		{"/projects/shop/environments", []string{"production", "staging", "test", "regulated"}},
		{"/projects/shop/environments?sort=-critical,name", []string{"production", "regulated", "staging", "test"}},
		{"/projects/shop/environments?filter=tags:live", []string{"production", "regulated"}},
		{"/projects/shop/environments?filter=query:stag", []string{"staging"}},
		{"/teams?filter=query:grow", []string{"growth"}},
		{"/teams?filter=nomembers:true", []string{}},
		{"/roles?limit=2", []string{"production-approver", "mobile-developer"}},
	}
	for _, test := range tests {
		got := into[listing](t, ask(t, a, "GET", test.path, nil), 200)
		if diff := cmp.Diff(test.want, keysOf(got.Items)); diff != "" {
			t.Errorf("%s: %s", test.path, diff)
		}
	}
	for _, bad := range []string{"/projects?filter=nope:1", "/projects?sort=nope", "/projects?expand=nope", "/projects/shop/environments?limit=x"} {
		into[failure](t, ask(t, a, "GET", bad, nil), 400)
	}
}

func TestEnvironmentSecrets(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	for _, path := range []string{"/projects/shop/environments", "/projects?expand=environments", "/projects/shop/environments/test", "/projects/shop?expand=environments"} {
		body := string(checked(t, a, "GET", path, nil).body)
		if !strings.Contains(body, `"apiKey":"sdk-`) || !strings.Contains(body, `"mobileKey":"mob-`) {
			t.Errorf("%s has no keys: a client that shows them would go unnoticed", path)
		}
	}
	if strings.Contains(string(ask(t, a, "GET", "/projects/shop", nil).body), "sdk-") {
		t.Error("a project that is not expanded shows its environments")
	}
}

func TestProjectChanges(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	type created struct {
		Key          string
		Environments []map[string]any
	}
	p := into[created](t, checked(t, a, "POST", "/projects", map[string]any{"key": "new", "name": "New", "tags": []string{"x"}}), 201)
	if diff := cmp.Diff([]string{"test", "production"}, keysOf(p.Environments)); diff != "" {
		t.Error(diff)
	}
	for status, body := range map[int]map[string]any{
		409: {"key": "new", "name": "Again"},
		400: {"key": "no spaces", "name": "Bad"},
	} {
		into[failure](t, checked(t, a, "POST", "/projects", body), status)
	}
	into[failure](t, checked(t, a, "POST", "/projects", map[string]any{"key": "twice", "name": "Twice", "environments": []map[string]any{
		{"key": "e", "name": "E", "color": "aaaaaa"}, {"key": "e", "name": "E", "color": "aaaaaa"}}}), 409)
	if a.findProject("twice") != nil {
		t.Error("a refused project exists")
	}
	type op = map[string]any
	tests := []struct {
		patch  any
		status int
	}{
		{[]op{{"op": "replace", "path": "/name", "value": "Newer"}, {"op": "add", "path": "/tags/-", "value": "y"}}, 200},
		{[]op{{"op": "replace", "path": "/key", "value": "other"}}, 400},
		{[]op{{"op": "replace", "path": "/name", "value": ""}}, 400},
		{[]op{{"op": "replace", "path": "/name", "value": 3}}, 400},
		{[]op{{"op": "remove", "path": "/nothing"}}, 400},
		{[]op{{"op": "add", "path": "/_id", "value": "x"}}, 400},
		{[]op{{"op": "test", "path": "/name", "value": "Old"}, {"op": "replace", "path": "/name", "value": "Newest"}}, 409},
	}
	for _, test := range tests {
		if got := checked(t, a, "PATCH", "/projects/new", test.patch); got.status != test.status {
			t.Errorf("%v: status %d, want %d: %s", test.patch, got.status, test.status, got.body)
		}
	}
	if got := a.findProject("new"); got.Name != "Newer" || !slices.Equal(got.Tags, []string{"x", "y"}) {
		t.Errorf("project %+v", got.projectSettings)
	}
	last := a.audit[len(a.audit)-1]
	if diff := cmp.Diff([]string{"updateProjectName", "updateTags"}, last.Actions); diff != "" {
		t.Error(diff)
	}
	for _, key := range []string{"new", "mobile"} {
		if got := checked(t, a, "DELETE", "/projects/"+key, nil); got.status != 204 {
			t.Errorf("delete %s: %d", key, got.status)
		}
	}
	into[failure](t, checked(t, a, "DELETE", "/projects/shop", nil), 400)
	into[failure](t, checked(t, a, "GET", "/projects/new", nil), 404)
}

func TestEnvironmentChanges(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	shop := a.findProject("shop")
	const path = "/projects/shop/environments"
	post := map[string]any{"key": "qa", "name": "QA", "color": "0074b7", "critical": true}
	into[environmentRep](t, checked(t, a, "POST", path, post), 201)
	into[failure](t, checked(t, a, "POST", path, post), 409)
	into[failure](t, checked(t, a, "POST", path, map[string]any{"key": "x", "name": "X", "color": "red"}), 400)
	into[failure](t, checked(t, a, "POST", path, map[string]any{"key": "x", "name": "X", "color": "aaaaaa", "source": map[string]any{"key": "nope"}}), 404)
	into[environmentRep](t, checked(t, a, "POST", path, map[string]any{"key": "twin", "name": "Twin", "color": "aaaaaa", "source": map[string]any{"key": "production"}}), 201)
	for _, f := range shop.Flags {
		if c := f.Environments["qa"]; c == nil || c.On || c.EnvironmentName != "QA" {
			t.Fatalf("%s in qa: %+v", f.Key, c)
		}
		if c, source := f.Environments["twin"], f.Environments["production"]; c.On != source.On || len(c.Rules) != len(source.Rules) || c.Version != 1 {
			t.Fatalf("%s in twin: %+v", f.Key, c)
		}
	}
	if len(shop.env("twin").Segments) != 3 || !shop.env("twin").segment("vip").BigIncluded["user-1003"] {
		t.Errorf("twin's segments: %+v", shop.env("twin").Segments)
	}

	type op = map[string]any
	replace := func(path string, value any) []op { return []op{{"op": "replace", "path": path, "value": value}} }
	tests := []struct {
		patch  any
		status int
		action string
	}{
		{replace("/name", "Quality"), 200, "updateName"},
		{replace("/approvalSettings/required", true), 200, "updateApprovalSettings"},
		{replace("/approvalSettings/requiredApprovalTags", []string{"x"}), 400, ""},
		{replace("/approvalSettings/minNumApprovals", 6), 400, ""},
		{replace("/approvalSettings/serviceKind", "servicenow"), 400, ""},
		{replace("/apiKey", "sdk-mine"), 400, ""},
		{replace("/color", "blue"), 400, ""},
		{replace("/critical", false), 200, "updateCritical"},
	}
	for _, test := range tests {
		got := checked(t, a, "PATCH", path+"/qa", test.patch)
		if got.status != test.status {
			t.Errorf("%v: status %d, want %d: %s", test.patch, got.status, test.status, got.body)
		}
		if last := a.audit[len(a.audit)-1]; test.action != "" && !slices.Equal(last.Actions, []string{test.action}) {
			t.Errorf("%v: recorded as %v", test.patch, last.Actions)
		}
	}
	if c := shop.flag("dark-mode").Environments["qa"]; c.EnvironmentName != "Quality" {
		t.Errorf("a flag calls the environment %s", c.EnvironmentName)
	}
	for name, key := range map[string]func(environmentRep) string{
		"apiKey": func(e environmentRep) string { return e.APIKey }, "mobileKey": func(e environmentRep) string { return e.MobileKey },
	} {
		before := key(shop.env("qa").rep(shop))
		after := into[environmentRep](t, checked(t, a, "POST", path+"/qa/"+name, nil), 200)
		if key(after) == before || key(after)[:4] != before[:4] {
			t.Errorf("%s: %s became %s", name, before, key(after))
		}
	}
	if got := checked(t, a, "DELETE", path+"/qa", nil); got.status != http.StatusNoContent {
		t.Errorf("delete: %d", got.status)
	}
	if shop.flag("dark-mode").Environments["qa"] != nil {
		t.Error("flags still have the deleted environment")
	}
}

func TestRequireApproval(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	if err := a.RequireApproval("shop", "test", "segment"); err != nil {
		t.Fatal(err)
	}
	if e := a.findProject("shop").env("test"); e.FlagApprovals.Required || !e.SegmentApprovals.Required {
		t.Error("approvals for segments alone")
	}
	if err := a.RequireApproval("shop", "staging"); err != nil {
		t.Fatal(err)
	}
	if e := a.findProject("shop").env("staging"); !e.FlagApprovals.Required || !e.SegmentApprovals.Required {
		t.Error("approvals for both kinds")
	}
	if a.RequireApproval("shop", "nope") == nil || a.RequireApproval("nope", "test") == nil || a.RequireApproval("shop", "test", "role") == nil {
		t.Error("unknown names are taken")
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	ada, grace := a.memberNamed("Ada"), a.memberNamed("Grace")
	for token, want := range map[string]*member{WriterToken: ada, ReaderToken: grace} {
		id := into[map[string]any](t, checked(t, a, "GET", "/caller-identity", nil, "Authorization", token), 200)
		me := into[map[string]any](t, checked(t, a, "GET", "/members/me", nil, "Authorization", token), 200)
		if id["memberId"] != want.ID || me["_id"] != want.ID || me["email"] != want.Email || id["serviceToken"] != false {
			t.Errorf("%s belongs to %v, %v", token, id, me)
		}
	}
	emails := func(query string) []string {
		var out []string
		for _, m := range into[listing](t, checked(t, a, "GET", "/members?"+query, nil), 200).Items {
			out = append(out, strings.TrimSuffix(m["email"].(string), "@example.com"))
		}
		return out
	}
	for query, want := range map[string][]string{
		"filter=query:hop":                              {"grace"},
		"filter=role:admin|owner":                       {"margaret", "katherine"},
		"filter=role:admin":                             {"margaret", "katherine"},
		"filter=role:mobile-developer":                  {"radia"},
		"filter=team:PLATFORM":                          {"margaret", "katherine", "edsger"},
		"filter=email:ada@example.com|mary@example.com": {"ada", "mary"},
		"filter=team:platform":                          {"margaret", "katherine", "edsger"},
		"filter=noteam:platform&limit=2":                {"ada", "grace"},
		"filter=id:" + ada.ID:                           {"ada"},
		"filter=lastSeen:{\"never\":true}":              {"mary"},
		"sort=-lastSeen&limit=1":                        {"ada"},
	} {
		if diff := cmp.Diff(want, emails(query)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	for path, status := range map[string]int{"/members/nope": 404, "/teams/nope": 404, "/roles/nope": 404, "/tokens/nope": 404, "/roles/" + a.roles[0].ID: 200} {
		if got := checked(t, a, "GET", path, nil); got.status != status {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
	body := string(checked(t, a, "GET", "/tokens?showAll=true", nil).body)
	if strings.Contains(body, WriterToken) || !strings.Contains(body, `"token":"dbox"`) {
		t.Errorf("a token's value is shown, or not its ending: %s", body)
	}
}
