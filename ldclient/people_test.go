package ldclient_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// TestScopeOfNewThings: what is yet to be created is in scope by its own key.
func TestScopeOfNewThings(t *testing.T) {
	for _, test := range []struct {
		scope   ldclient.Scope
		target  ldclient.Target
		allowed bool
	}{
		{ldclient.Scope{}, ldclient.Target{Project: "p", Kind: "env", Key: "e"}, true},
		{ldclient.Scope{Environments: []string{"e*"}}, ldclient.Target{Project: "p", Kind: "env", Key: "e"}, true},
		{ldclient.Scope{Environments: []string{"x"}}, ldclient.Target{Project: "p", Kind: "env", Key: "e"}, false},
		{ldclient.Scope{Projects: []string{"q"}, Environments: []string{"e"}}, ldclient.Target{Project: "p", Kind: "env", Key: "e"}, false},
		{ldclient.Scope{Environments: []string{"e"}}, ldclient.Target{Project: "p", Kind: "metric", Key: "e"}, false},
		{ldclient.Scope{Projects: []string{"p"}}, ldclient.Target{Project: "p"}, true},
		{ldclient.Scope{Projects: []string{"q"}}, ldclient.Target{Project: "p"}, false},
	} {
		var scope *ldclient.ScopeError
		if err := test.scope.Check(test.target, true); (err == nil) != test.allowed || err != nil && !errors.As(err, &scope) {
			t.Errorf("%v on %s: %v", test.scope, test.target, err)
		}
	}
	if got := (ldclient.Target{Project: "p", Kind: "env", Key: "e"}).String(); got != "proj/p:env/e" {
		t.Error(got)
	}
}

// TestDeleteIsSure: a deletion counts as made only when LaunchDarkly's answer is whole.
func TestDeleteIsSure(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		sure   bool
	}{
		{"no content", answer(204, ""), true},
		{"content", answer(200, "{}"), true},
		{"cut short", answer(200, `{"key":"x`), false},
		{"not LaunchDarkly's", answer(200, "<html>", "Content-Type", "text/html"), false},
		{"empty", answer(200, ""), false},
	} {
		w := &wire{answers: []func(*http.Request) (*http.Response, error){test.answer}}
		err := newClient(t, w).Projects.Delete(t.Context(), "p")
		var lost *ldclient.TransportError
		if (err == nil) != test.sure || err != nil && (!errors.As(err, &lost) || !lost.Unsure) {
			t.Errorf("%s: %v", test.name, err)
		}
		if r := w.seen[0]; r.Method != http.MethodDelete || r.URL.Path != "/api/v2/projects/p" {
			t.Errorf("%s: sent %s %s", test.name, r.Method, r.URL)
		}
	}
}

// TestFiltersCannotBeEscaped: text in a filter cannot add a condition of its own.
func TestFiltersCannotBeEscaped(t *testing.T) {
	w := &wire{}
	c := newClient(t, w)
	for _, bad := range []string{"a,role:admin", "a:b", "a|b"} {
		for _, o := range []ldclient.ListMembers{{Query: bad}, {Email: bad}, {Team: bad}, {Role: bad}} {
			var invalid *ldclient.InvalidError
			if _, err := c.Members.List(t.Context(), o); !errors.As(err, &invalid) {
				t.Errorf("%+v: %v", o, err)
			}
		}
		if _, err := c.Teams.List(t.Context(), ldclient.ListTeams{Query: bad}); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if len(w.seen) > 0 {
		t.Errorf("%d requests", len(w.seen))
	}
	w.answers = append(w.answers, answer(200, `{"items":[],"_links":{"self":{}}}`))
	if _, err := c.Members.List(t.Context(), ldclient.ListMembers{Query: "ada+x@example.com", Team: "t", Paging: ldclient.Paging{Limit: 5}}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.seen[0].URL.Query().Encode(), "filter=query%3Aada%2Bx%40example.com%2Cteam%3At&limit=5"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
