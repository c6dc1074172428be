package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

func init() {
	moreSamples = append(moreSamples, func(a *Account) map[string][]string {
		return map[string][]string{"view": {"checkout", "search"}, "type": {"flags"}, "resource": {"new-checkout"}, "application": {"com.example.shop", "order-service"},
			"link": {a.findProject("shop").FlagLinks[0].ID}}
	})
	queries["/projects/{project}/views"] = []string{"expand=flagsSummary,segmentsSummary", "filter=key+contains+%22che%22%7Cname+contains+%22che%22&sort=name&limit=1", "expand=resourceSummary"}
	queries["/projects/{project}/views/{view}"] = []string{"expand=maintainer,flagsSummary,segmentsSummary"}
	queries["/projects/{project}/views/{view}/linked/{type}"] = []string{"query=pay", "limit=1&sort=linkedAt"}
	queries["/applications"] = []string{"filter=kind+equals+%22mobile%22", "sort=name&limit=1"}
	queries["/applications/{application}/versions"] = []string{"filter=supported+equals+true"}
}

var beta = []string{"LD-API-Version", "beta"}

func shown(t *testing.T, got answer, status int) map[string]any {
	t.Helper()
	if got.status != status {
		t.Fatalf("status %d, want %d: %s", got.status, status, got.body)
	}
	var out map[string]any
	if status != 204 {
		if err := json.Unmarshal(got.body, &out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestViews(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	const list = "/projects/shop/views"
	if got := ask(t, a, "GET", list, nil); got.status != 403 || !strings.Contains(string(got.body), "beta") {
		t.Errorf("without the beta header: %d %s", got.status, got.body)
	}
	made := shown(t, checked(t, a, "POST", list, map[string]any{"key": "Mobile-Web", "name": "Mobile web", "tags": []string{"web"}}, beta...), 200)
	if made["key"] != "mobile-web" {
		t.Errorf("the key is %v", made["key"])
	}
	for _, bad := range []map[string]any{{"key": "mobile-web", "name": "Again"}, {"key": "x y", "name": "X"}, {"key": "x", "name": " "}, {"key": "x", "name": "X", "maintainerId": "nobody"},
		{"key": "x", "name": "X", "maintainerId": a.members[0].ID, "maintainerTeamKey": "growth"}} {
		if got := checked(t, a, "POST", list, bad, beta...); got.status != 400 && got.status != 409 {
			t.Errorf("%v: %d %s", bad, got.status, got.body)
		}
	}
	got := shown(t, checked(t, a, "PATCH", list+"/mobile-web", map[string]any{"name": "Web", "maintainerTeamKey": "growth"}, beta...), 200)
	if d := cmp.Diff([]any{"Web", []any{"web"}, 2.0}, []any{got["name"], got["tags"], got["version"]}); d != "" {
		t.Error(d)
	}
	if v := a.findProject("shop").view("mobile-web"); v.MaintainerID != "" || v.MaintainerTeamKey != "growth" {
		t.Errorf("maintainers %q and %q", v.MaintainerID, v.MaintainerTeamKey)
	}
	shown(t, checked(t, a, "DELETE", list+"/mobile-web", nil, beta...), 204)
	shown(t, checked(t, a, "GET", list+"/mobile-web", nil, beta...), 404)
}

func TestViewLinks(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	shop := a.findProject("shop")
	const link = "/projects/shop/views/search/link/"
	test := shop.env("test").ID
	count := func(kind string) any {
		return shown(t, checked(t, a, "GET", "/projects/shop/views/search/linked/"+kind, nil, beta...), 200)["totalCount"]
	}
	for _, step := range []struct {
		method, kind string
		body         map[string]any
		want         string // succeeded and failed, "" for a refusal
		linked       float64
	}{
		{"POST", "flags", map[string]any{"keys": []string{"dark-mode", "no-such", "search-ranking"}}, "2 1", 3},
		{"POST", "flags", map[string]any{"filter": "tags:checkout", "keys": []string{}}, fmt.Sprintf("%d 0", tagged(shop, "checkout")), 3 + float64(tagged(shop, "checkout"))},
		{"DELETE", "flags", map[string]any{"filter": "tags:checkout"}, fmt.Sprintf("%d 0", tagged(shop, "checkout")), 3},
		{"DELETE", "flags", map[string]any{"keys": []string{"dark-mode", "live-chat"}}, "2 0", 2},
		{"POST", "flags", map[string]any{"keys": []string{}}, "", 2},
		{"POST", "flags", map[string]any{"filter": "color:red"}, "", 2},
		{"POST", "segments", map[string]any{"segmentIdentifiers": []any{map[string]any{"environmentId": test, "segmentKey": "vip"}, map[string]any{"environmentId": "test", "segmentKey": "vip"}}}, "1 1", 1},
		{"POST", "segments", map[string]any{"filter": `tags anyOf ["internal"]`, "environmentId": test}, "1 0", 2},
		{"POST", "segments", map[string]any{"filter": `tags anyOf ["internal"]`}, "", 2},
		{"POST", "segments", map[string]any{"keys": []string{"vip"}}, "", 2},
		{"DELETE", "segments", map[string]any{"segmentIdentifiers": []any{map[string]any{"environmentId": test, "segmentKey": "vip"}}}, "1 0", 1},
	} {
		got := checked(t, a, step.method, link+step.kind, step.body, beta...)
		if step.want == "" {
			shown(t, got, 400)
		} else if body := shown(t, got, 200); fmt.Sprint(body["successCount"], " ", body["failureCount"]) != step.want {
			t.Errorf("%v: %s, want %s", step.body, got.body, step.want)
		}
		if n := count(step.kind); n != step.linked {
			t.Errorf("%v: %v are linked, want %v", step.body, n, step.linked)
		}
	}
	of := func(path string) (keys []any) {
		for _, v := range shown(t, checked(t, a, "GET", "/projects/shop/view-associations/"+path, nil, beta...), 200)["items"].([]any) {
			keys = append(keys, v.(map[string]any)["key"])
		}
		return keys
	}
	if d := cmp.Diff([]any{"search"}, of("segments/employees?environmentId="+test)); d != "" {
		t.Error(d)
	}
	if got := of("segments/employees?environmentId=" + shop.env("production").ID); len(got) > 0 {
		t.Errorf("of production: %v", got)
	}
	if d := cmp.Diff([]any{"checkout"}, of("flags/new-checkout")); d != "" {
		t.Error(d)
	}
	shown(t, ask(t, a, "DELETE", "/flags/shop/search-ranking", nil), 204)
	if n := count("flags"); n != 1.0 {
		t.Errorf("%v flags are linked after one was deleted", n)
	}
}

func tagged(p *project, tag string) int {
	n := 0
	for _, f := range p.Flags {
		if !f.Archived && slices.Contains(f.Tags, tag) {
			n++
		}
	}
	return n
}

func TestFlagLinksAndFollowers(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	const list = "/flag-links/projects/shop/flags/dark-mode"
	made := shown(t, checked(t, a, "POST", list, map[string]any{"deepLink": "https://wiki.example.com/x", "title": "X"}, beta...), 201)
	one := list + "/" + made["_id"].(string)
	got := shown(t, checked(t, a, "PATCH", one, []any{map[string]any{"op": "replace", "path": "/title", "value": "Y"}}, beta...), 200)
	if got["title"] != "Y" || got["_deepLink"] != "https://wiki.example.com/x" {
		t.Errorf("%v", got)
	}
	shown(t, checked(t, a, "PATCH", one, []any{map[string]any{"op": "replace", "path": "/deepLink", "value": "x"}}, beta...), 400)
	shown(t, checked(t, a, "POST", list, map[string]any{"title": "no address"}, beta...), 400)
	shown(t, checked(t, a, "DELETE", strings.Replace(one, "dark-mode", "new-checkout", 1), nil, beta...), 404)
	shown(t, checked(t, a, "DELETE", one, nil, beta...), 204)

	const followers = "/projects/shop/flags/dark-mode/environments/test/followers"
	for range 2 {
		shown(t, checked(t, a, "PUT", followers+"/"+a.members[2].ID, nil), 204)
	}
	if items := shown(t, checked(t, a, "GET", followers, nil), 200)["items"].([]any); len(items) != 1 {
		t.Errorf("%d followers", len(items))
	}
	for range 2 {
		shown(t, checked(t, a, "DELETE", followers+"/"+a.members[2].ID, nil), 204)
	}
	if items := shown(t, checked(t, a, "GET", followers, nil), 200)["items"].([]any); len(items) != 0 {
		t.Errorf("%d followers", len(items))
	}
	shown(t, checked(t, a, "PUT", followers+"/nobody", nil), 404)
}

// TestInvitations: all of them are sent or none.
func TestInvitations(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	one := func(email string, more ...string) map[string]any {
		out := map[string]any{"email": email, "role": "reader"}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	n := len(a.members)
	for name, test := range map[string]struct {
		list []any
		want string
	}{
		"taken":   {[]any{one("new@example.com"), one("ADA@example.com")}, `"invalid_emails":["ADA@example.com"]`},
		"twice":   {[]any{one("new@example.com"), one("New@example.com")}, "duplicate_emails"},
		"no one":  {[]any{}, "between 1 and 50"},
		"bad":     {[]any{one("new@example.com"), one("Ada <x@example.com>")}, "invalid email"},
		"no role": {[]any{one("new@example.com", "role", "")}, "must have a role"},
		"unknown": {[]any{map[string]any{"email": "x@example.com", "customRoles": []string{"nope"}}}, "Unknown custom role"},
		"no team": {[]any{map[string]any{"email": "x@example.com", "role": "reader", "teamKeys": []string{"nope"}}}, "Unknown team"},
	} {
		got := ask(t, a, "POST", "/members", test.list)
		if got.status != 400 || !strings.Contains(string(got.body), test.want) || len(a.members) != n {
			t.Errorf("%s: %d, %d members: %s", name, got.status, len(a.members), got.body)
		}
	}
	got := shown(t, checked(t, a, "POST", "/members", []any{one("new@example.com", "firstName", "New"),
		map[string]any{"email": "x@example.com", "customRoles": []string{"mobile-developer"}, "teamKeys": []string{"growth"}}}), 201)
	if len(a.members) != n+2 || got["totalCount"] != 2.0 || got["items"].([]any)[0].(map[string]any)["_pendingInvite"] != true {
		t.Errorf("%v", got)
	}
	writer := a.AddToken(TokenOptions{Name: "writer", Role: "writer"})
	inviter := a.AddToken(TokenOptions{Name: "inviter", InlineRole: []policy.Statement{{Effect: "allow", Actions: []string{"createMember"}, Resources: []string{"member/*"}}}})
	for token, want := range map[string]int{writer: 403, inviter: 201} {
		if got := ask(t, a, "POST", "/members", []any{one(fmt.Sprintf("y%d@example.com", want))}, "Authorization", token); got.status != want {
			t.Errorf("status %d, want %d: %s", got.status, want, got.body)
		}
	}
}

// TestViewsByRole: roles name views, and linking is an action of its own.
func TestViewsByRole(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	token := a.AddToken(TokenOptions{Name: "linker", InlineRole: []policy.Statement{{Effect: "allow", Actions: []string{"viewProject"}, Resources: []string{"proj/shop"}},
		{Effect: "allow", Actions: []string{"linkFlagToView"}, Resources: []string{"proj/shop:view/search"}}, {Effect: "allow", Actions: []string{"manageFlagFollowers"}, Resources: []string{"proj/shop:env/test:flag/*"}}}})
	for _, step := range []struct {
		method, path string
		want         int
	}{
		{"POST", "/projects/shop/views/search/link/flags", 200}, {"POST", "/projects/shop/views/checkout/link/flags", 403}, {"DELETE", "/projects/shop/views/search/link/flags", 403},
		{"DELETE", "/projects/shop/views/search", 403}, {"PUT", "/projects/shop/flags/dark-mode/environments/test/followers/" + a.members[1].ID, 204},
		{"PUT", "/projects/shop/flags/dark-mode/environments/production/followers/" + a.members[1].ID, 403},
	} {
		got := ask(t, a, step.method, step.path, map[string]any{"keys": []string{"dark-mode"}}, append(beta, "Authorization", token)...)
		if got.status != step.want {
			t.Errorf("%s %s: status %d, want %d: %s", step.method, step.path, got.status, step.want, got.body)
		}
	}
}
