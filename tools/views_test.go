package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// TestViewsAreChecked: what cannot be right is refused before anybody is asked and before any write.
func TestViewsAreChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ tool, args, want string }{
		{"create-view", `"key":"Web","name":"Web"`, "lower-case"},
		{"create-view", `"key":"a/b","name":"Web"`, "lower-case"},
		{"create-view", `"key":"web","name":" "`, "Name: must not be empty"},
		{"create-view", `"key":"web","name":"Web","tags":["two words"]`, `Tags: "two words" must be`},
		{"create-view", `"key":"web","name":"Web","maintainerId":"nobody"`, `There is no member "nobody"`},
		{"create-view", `"key":"web","name":"Web","maintainerId":"grace@example.org"`, "did you mean grace@example.com?"},
		{"create-view", `"key":"web","name":"Web","maintainerId":"me","maintainerTeamKey":"growth"`, "not both"},
		{"create-view", `"key":"search","name":"Search"`, "has a view search already (Search)"},
		{"update-view", `"viewKey":"search"`, "Nothing to change"},
		{"update-view", `"viewKey":"search","archived":true`, "archived"},
		{"update-view", `"viewKey":"serch","name":"S"`, "did you mean search?"},
		{"delete-view", `"viewKey":"serch"`, "did you mean search?"},
		{"link-to-view", `"viewKey":"search"`, "Missing flagKeys"},
		{"link-to-view", `"viewKey":"search","flagKeys":["dark-mode"],"segmentKeys":["vip"]`, "not both"},
		{"link-to-view", `"viewKey":"search","flagKeys":["dark-mode"],"env":"test"`, "environmentKey is for segments"},
		{"link-to-view", `"viewKey":"search","flagKeys":["dark/mode"]`, "is not a key"},
		{"link-to-view", `"viewKey":"search","flagKeys":["drak-mode","dark-mode"]`, "did you mean dark-mode?"},
		{"link-to-view", `"viewKey":"search","segmentKeys":["vpi"],"env":"test"`, "did you mean vip?"},
		{"link-to-view", `"viewKey":"search","segmentKeys":["vip"],"env":"tset"`, "did you mean test?"},
		{"link-to-view", `"viewKey":"search","flagKeys":["` + strings.Repeat(`x","`, 20) + `x"]`, "at most 20 can be linked at once, got 21"},
		{"unlink-from-view", `"viewKey":"serch","flagKeys":["dark-mode"]`, "did you mean search?"},
	} {
		p := &person{action: "accept"}
		r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
		got := r.call(test.tool, `{"projectKey":"shop","comment":"c",`+test.args+`}`)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(test.want)) || !strings.HasSuffix(got, "Nothing was changed.") || p.question != "" || len(r.Writes()) > 0 {
			t.Errorf("%s %s: asked %q, %d writes: %s, want %s", test.tool, test.args, p.question, len(r.Writes()), got, test.want)
		}
	}
}

// TestViewLinksInScope: a server that may touch some environments links their segments alone, shows no others, and no flags, which are linked in all.
func TestViewLinksInScope(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		`"segmentKeys":["vip"],"env":"test"`:       `"changed":true`,
		`"segmentKeys":["vip"],"env":"production"`: `environment "production" is outside this server's scope`,
		`"flagKeys":["dark-mode"]`:                 "this would change every environment",
	} {
		r := start(t, never, func(s *setup) { s.client.Scope.Environments = []string{"te*"} })
		got := r.call("link-to-view", `{"projectKey":"shop","viewKey":"checkout","comment":"c",`+args+`}`)
		if !strings.Contains(strings.ToLower(got), strings.ToLower(want)) || (len(r.Writes()) > 0) != strings.HasPrefix(got, "{") {
			t.Errorf("%s: %d writes: %s", args, len(r.Writes()), got)
		}
	}
	r := start(t, func(s *setup) { s.client.Scope.Environments = []string{"test"} })
	got := r.call("list-view-links", `{"projectKey":"shop","viewKey":"checkout","resourceType":"segments"}`)
	if strings.Contains(got, "production") || !strings.Contains(got, `"environmentKey":"test"`) || !strings.Contains(got, "1 segments outside this server's scope") {
		t.Error(got)
	}
	if got := r.call("get-flag-views", `{"projectKey":"shop","segmentKey":"beta-testers","env":"production"}`); !strings.HasPrefix(got, "! ") || !strings.Contains(got, "scope") {
		t.Error(got)
	}
}

// TestViewLinksSent: only what changes is sent, with the comment, segments by their environment's id.
func TestViewLinksSent(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	for _, call := range [][2]string{
		{"link-to-view", `"flagKeys":["new-checkout","dark-mode","dark-mode"]`}, {"link-to-view", `"segmentKeys":["vip","beta-testers"],"env":"test"`},
		{"unlink-from-view", `"flagKeys":["new-checkout","live-chat"]`}, {"link-to-view", `"flagKeys":["dark-mode"]`}, {"unlink-from-view", `"segmentKeys":["vip"],"env":"staging"`},
	} {
		if got := r.call(call[0], `{"projectKey":"shop","viewKey":"checkout","comment":"why",`+call[1]+`}`); strings.HasPrefix(got, "!") {
			t.Errorf("%v: %s", call, got)
		}
	}
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: r.Account})
	if err != nil {
		t.Fatal(err)
	}
	env, err := ld.Environments.Get(t.Context(), "shop", "test")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`POST flags {"keys":["dark-mode"],"comment":"why [via ld-mcp (test)]"}`,
		`POST segments {"segmentIdentifiers":[{"environmentId":"` + env.ID + `","segmentKey":"vip"}],"comment":"why [via ld-mcp (test)]"}`,
		`DELETE flags {"keys":["new-checkout"],"comment":"why [via ld-mcp (test)]"}`,
	}
	var got []string
	for _, w := range r.Writes() {
		got = append(got, w.Method+" "+w.Path[strings.LastIndex(w.Path, "/")+1:]+" "+strings.TrimSpace(string(w.Body)))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestViewLinksInPart: what LaunchDarkly carried out in part is told, and what it refused altogether is no success.
func TestViewLinksInPart(t *testing.T) {
	t.Parallel()
	const args = `{"projectKey":"shop","viewKey":"search","comment":"c","flagKeys":["dark-mode","live-chat"]}`
	for body, want := range map[string]string{
		`{"successCount":1,"failureCount":1,"failedResources":[{"resourceKey":"live-chat","resourceType":"flag","errorMessage":"no \u202epermission"}]}`:        `"after":{"linked":["dark-mode"]},"notes":["LaunchDarkly carried out 1 of 2 and refused live-chat: no permission"]`,
		`{"successCount":0,"failureCount":2,"failedResources":[{"resourceKey":"live-chat","errorMessage":"a"},{"resourceKey":"dark-mode","errorMessage":"b"}]}`: "! LaunchDarkly carried out 0 of 2 and refused live-chat: a; dark-mode: b. Nothing was changed.",
		`{"successCount":1,"failureCount":1}`:                "carried out 1 of 2; which ones is not certain: list-view-links shows what is linked",
		`{"successCount":1,"failureCount":0}`:                "carried out 1 of 2; which ones is not certain",
		`{"key":"search","name":"Search","successCount":""}`: "It is not known whether the change was made",
	} {
		r := start(t, never)
		r.Next(sandbox.Fault{Status: 200, Body: body, Match: func(r *http.Request) bool { return r.Method == http.MethodPost }})
		if got := r.call("link-to-view", args); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

// TestFlagLinkAddresses: a link leads to a web page, and gives away no password.
func TestFlagLinkAddresses(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	for _, address := range []string{"javascript:alert(1)", "JavaScript://x/%0aalert(1)", "data:text/html,x", "//wiki.example.com", "/x", "wiki.example.com", "ftp://wiki.example.com", "file:///etc/passwd", "https://",
		"https:///x", "https://:443/x", "https://ada@wiki.example.com", "https://ada:pass@wiki.example.com", "https://wiki.example.com/a b", "https://wiki.example.com/\u202egpj", "https://wiki.example.com/<script>",
		"https://wiki.example.com/\nx", " https://wiki.example.com", "https:wiki.example.com", `https:\\wiki.example.com`, "https://wiki.example.com/" + strings.Repeat("x", 2100),
		"https://wiki.example.com/?token=api-12345678-1234-1234-1234-123456789abc", ""} {
		for tool, args := range map[string]map[string]any{"create-flag-link": {"flagKey": "dark-mode", "title": "X"}, "update-flag-link": {"flagKey": "search-ranking", "id": linkID("search-ranking")}} {
			args["projectKey"], args["deepLink"] = "shop", address
			got := r.callWith(tool, args)
			if !strings.HasPrefix(got, "! deepLink") || !strings.HasSuffix(got, "Nothing was changed.") || strings.Contains(got, "pass@") || strings.Contains(got, "123456789abc") {
				t.Errorf("%s %q: %s", tool, address, got)
			}
		}
	}
	if n := len(r.Writes()); n > 0 {
		t.Errorf("%d writes", n)
	}
	if got := r.call("create-flag-link", `{"projectKey":"shop","flagKey":"dark-mode","deepLink":"http://localhost:8080/x?y=1#z","title":"Local"}`); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: r.Account})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ld.FlagLinks.Create(t.Context(), "shop", "live-chat", ldclient.NewFlagLink{URL: "https://ada:hunter2@wiki.example.com", Title: "Ignore\u200b all"}); err != nil {
		t.Fatal(err)
	}
	if got := r.call("list-flag-links", `{"projectKey":"shop","flagKey":"live-chat"}`); strings.Contains(got, "hunter2") || !strings.Contains(got, `"title":"Ignore all"`) {
		t.Error(got)
	}
}

// TestFollowersOfOthers: whether it is somebody else is said, to the person who confirms and in the reply; a service token is nobody.
func TestFollowersOfOthers(t *testing.T) {
	t.Parallel()
	const follow = `{"projectKey":"shop","flagKey":"dark-mode","env":"%s","comment":"c","memberId":"%s"}`
	for _, who := range []string{"me", "ada@example.com", memberID("Ada"), "grace@example.com"} {
		p := &person{action: "accept"}
		r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
		got := r.call("add-flag-follower", fmt.Sprintf(follow, "production", who))
		other := strings.HasPrefix(who, "grace")
		if strings.Contains(p.question, "SOMEBODY ELSE than the token's own member, Grace Hopper (grace@example.com)") != other || strings.Contains(got, "is somebody else") != other || !strings.Contains(got, `"changed":true`) {
			t.Errorf("%s: asked %q: %s", who, p.question, got)
		}
		if w := r.Writes(); len(w) != 1 || w[0].Method != http.MethodPut {
			t.Errorf("%s: %d writes", who, len(w))
		}
	}
	r := start(t, func(s *setup) {
		account := s.client.Transport.(*sandbox.Account)
		s.client.Token = ldclient.StaticToken(ldclient.Token(account.AddToken(sandbox.TokenOptions{Name: "pipeline", InlineRole: []policy.Statement{{Effect: "allow", Actions: []string{"*"}, Resources: []string{"proj/*", "proj/*:env/*:flag/*"}}}})))
	})
	if got := r.call("add-flag-follower", fmt.Sprintf(follow, "test", "me")); !strings.Contains(got, "The token belongs to no member; name one by id or email") || len(r.Writes()) > 0 {
		t.Error(got)
	}
	if got := r.call("add-flag-follower", fmt.Sprintf(follow, "test", "grace@example.com")); !strings.Contains(got, `"changed":true`) || !strings.Contains(got, "is somebody else") {
		t.Error(got)
	}
}

// TestUndoOfLinks: what is no setting of a flag is not undone as one.
func TestUndoOfLinks(t *testing.T) {
	t.Parallel()
	for tool, args := range map[string]string{
		"link-to-view":      `{"projectKey":"shop","viewKey":"search","flagKeys":["dark-mode"],"comment":"c"}`,
		"create-flag-link":  `{"projectKey":"shop","flagKey":"dark-mode","deepLink":"https://wiki.example.com/x","title":"X"}`,
		"add-flag-follower": `{"projectKey":"shop","flagKey":"dark-mode","env":"test"}`,
		"invite-members":    inviteReader,
	} {
		r := start(t, never)
		if got := r.call(tool, args); !strings.Contains(got, `"changed":true`) {
			t.Fatal(got)
		}
		got := r.callWith("undo-change", map[string]any{"auditLogEntryId": firstEntry(t, r)})
		if !strings.HasPrefix(got, "! ") || !strings.HasSuffix(got, "Nothing was changed.") || len(r.Writes()) != 1 {
			t.Errorf("%s: %d writes: %s", tool, len(r.Writes()), got)
		}
		if got := r.callWith("get-audit-log-entry", map[string]any{"id": firstEntry(t, r)}); !json.Valid([]byte(got)) {
			t.Errorf("%s: %s", tool, got)
		}
	}
}

// TestLinksHoldForAState: a yes for a view, a link or a follower is gone when somebody else changes it meanwhile.
func TestLinksHoldForAState(t *testing.T) {
	t.Parallel()
	link := "/flag-links/projects/shop/flags/search-ranking/" + linkID("search-ranking")
	for name, test := range map[string]struct{ tool, args, method, path, body string }{
		"view renamed": {"update-view", `"viewKey":"search","description":"x"`, "PATCH", "/projects/shop/views/search", `{"name":"By another"}`},
		"view filled":  {"delete-view", `"viewKey":"search"`, "POST", "/projects/shop/views/search/link/flags", `{"keys":["dark-mode"]}`},
		"other link":   {"link-to-view", `"viewKey":"search","flagKeys":["dark-mode","live-chat"]`, "POST", "/projects/shop/views/search/link/flags", `{"keys":["dark-mode"]}`},
		"view gone":    {"unlink-from-view", `"viewKey":"search","flagKeys":["search-ranking"]`, "DELETE", "/projects/shop/views/search", ``},
		"link changed": {"delete-flag-link", `"flagKey":"search-ranking","id":"` + linkID("search-ranking") + `"`, "PATCH", link, `[{"op":"replace","path":"/title","value":"By another"}]`},
		"follower":     {"remove-flag-follower", `"flagKey":"search-ranking","env":"production"`, "DELETE", "/projects/shop/flags/search-ranking/environments/production/followers/" + memberID("Grace"), ``},
	} {
		p := &person{action: "accept"}
		r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
		args := `{"projectKey":"shop","comment":"c",` + test.args + `}`
		if name == "follower" {
			r.call("add-flag-follower", args)
		}
		n := len(r.Writes())
		p.question, p.before = "", func() {
			req, err := http.NewRequestWithContext(t.Context(), test.method, "https://sandbox.test/api/v2"+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = http.Header{"Authorization": {sandbox.WriterToken}, "Ld-Api-Version": {"beta"}, "Content-Type": {"application/json"}}
			resp, err := r.RoundTrip(req)
			if err != nil || resp.StatusCode > 299 {
				t.Fatal(resp, err)
			}
		}
		if got := r.call(test.tool, args); p.question == "" || !strings.HasSuffix(got, "Nothing was changed.") || len(r.Writes()) != n+1 {
			t.Errorf("%s: asked %q, %d writes: %s", name, p.question, len(r.Writes())-n, got)
		}
	}
}
