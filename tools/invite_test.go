package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

const inviteReader = `{"members":[{"email":"new@example.com","role":"reader"}]}`

// TestInvitationsAreChecked: what cannot be right is refused before anybody is asked, and no one is invited.
func TestInvitationsAreChecked(t *testing.T) {
	t.Parallel()
	one := func(fields string) string { return `{"confirm":"account","members":[` + fields + `]}` }
	many := strings.TrimSuffix(strings.Repeat(`{"email":"x@example.com","role":"reader"},`, 51), ",")
	for args, want := range map[string]string{
		`{"members":[]}`:                   "must be 1 to 50 people, got 0",
		one(many):                          "must be 1 to 50 people, got 51",
		one(`{"email":"new@example.com"}`): "missing role",
		one(`{"email":"new@example.com","role":"owner"}`):                                               "must be one of reader, writer, admin, no_access",
		one(`{"email":"new@example.com","role":"owner/admin"}`):                                         "must be one of",
		one(`{"email":"new@example.com","role":"reader","Role":"admin"}`):                               "mean the same and differ",
		one(`{"email":"new@example.com","role":"reader","base_role":"admin"}`):                          "mean the same and differ",
		one(`{"email":"new@example.com","role":"reader","customRoles":["segment-manager"]}`):            "give role or customRoles, not both",
		one(`{"email":"new@example.com","role":"reader","permissionGrants":[]}`):                        "permissionGrants",
		one(`{"email":"new@example.com","role":"reader","roleAttributes":{}}`):                          "roleAttributes",
		one(`{"email":"new@example.com","customRoles":["segment-manger"]}`):                             "did you mean segment-manager?",
		one(`{"email":"new@example.com","customRoles":["../tokens"]}`):                                  "is not a key",
		one(`{"email":"new@example.com","role":"reader","teamKeys":["platfom"]}`):                       "did you mean platform?",
		one(`{"email":"a@example.com","role":"reader"},{"email":"A@EXAMPLE.com","role":"admin"}`):       "members[1].email: A@EXAMPLE.com is named twice",
		one(`{"email":"new@example.com","role":"reader"},{"email":"GRACE@example.com","role":"admin"}`): "grace@example.com is a member already, with role reader",
		one(`{"email":"new@exаmple.com","role":"reader"}`):                                              "is not a plain address", // a Cyrillic а
		one(`{"email":"a@example.com,b@example.com","role":"reader"}`):                                  "is not a plain address",
		one(`{"email":"a@example.com|b@example.com","role":"reader"}`):                                  "is not a plain address",
		one(`{"email":"new@example.com\nBcc: x@example.com","role":"reader"}`):                          "is not a plain address",
		one(`{"email":" new@example.com","role":"reader"}`):                                             "is not a plain address",
		one(`{"email":"new@localhost","role":"reader"}`):                                                "is not a plain address",
		one(`{"email":"` + strings.Repeat("x", 250) + `@example.com","role":"reader"}`):                 "is not a plain address",
		one(`{"email":"new@example.com","role":"reader","firstName":"Ada\u202eadA"}`):                   "plain characters on one line",
		one(`{"email":"new@example.com","role":"reader","lastName":"a\nb"}`):                            "plain characters on one line",
	} {
		p := &person{action: "accept"}
		r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
		got := r.call("invite-members", args)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(got, want) || !strings.HasSuffix(got, "Nothing was changed.") || p.question != "" || len(r.Writes()) > 0 {
			t.Errorf("%.200s: asked %q, %d writes: %s, want %s", args, p.question, len(r.Writes()), got, want)
		}
	}
}

// TestInvitationsAreConfirmed: a person reads who would get what, whatever name it goes by, and no mode but --confirm=never does without.
func TestInvitationsAreConfirmed(t *testing.T) {
	t.Parallel()
	wide := sandbox.RoleOptions{Key: "harmless", Policy: []policy.Statement{{Effect: "allow", Actions: []string{"*"}, Resources: []string{"*"}}}}
	raising := sandbox.RoleOptions{Key: "helper", Base: "reader", Policy: []policy.Statement{{Effect: "allow", Actions: []string{"updateRole"}, Resources: []string{"member/*"}}}}
	scoped := sandbox.RoleOptions{Key: "scoped", Policy: []policy.Statement{{Effect: "allow", Actions: []string{"updateOn"}, Resources: []string{"proj/${roleAttribute/project}:env/*:flag/*"}}}}
	narrow := sandbox.RoleOptions{Key: "narrow", Policy: []policy.Statement{{Effect: "allow", Actions: []string{"updateOn"}, Resources: []string{"proj/shop:env/test:flag/*"}}}}
	for args, want := range map[string]string{
		`{"email":"new@example.com","role":"reader","firstName":"Root"}`:                      "This would invite 1 person into the whole account: new@example.com as reader. Go ahead?",
		`{"email":"new@example.com","role":"admin"}`:                                          "new@example.com as ADMIN, who may change everything and everybody's rights.",
		`{"email":"new@example.com","customRoles":["harmless"]}`:                              "with role harmless (WHICH MAY CHANGE WHAT PEOPLE ARE ALLOWED).",
		`{"email":"new@example.com","customRoles":["narrow","helper"]}`:                       "with role narrow and helper (WHICH MAY CHANGE WHAT PEOPLE ARE ALLOWED).",
		`{"email":"new@example.com","customRoles":["segment-manager"]}`:                       "new@example.com with role segment-manager.",
		`{"email":"new@example.com","role":"no_access","teamKeys":["platform"]}`:              "as no_access, in team platform, which adds role production-approver.",
		`{"email":"new@example.com","role":"no_access","teamKeys":["growth","%s"]}`:           "as no_access, in team growth, in team %s, which adds role harmless (WHICH MAY CHANGE WHAT PEOPLE ARE ALLOWED).",
		`{"email":"new@example.com","customRoles":["scoped"]}`:                                "with role scoped. Role scoped grants by attributes, which are set in LaunchDarkly.",
		`{"email":"a@example.com","role":"writer"},{"email":"b@example.com","role":"writer"}`: "invite 2 people into the whole account: a@example.com, b@example.com as writer.",
	} {
		p := &person{action: "decline"}
		r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
		r.AddToken(sandbox.TokenOptions{Name: "x", Role: "reader", Owner: &sandbox.OwnerOptions{Role: "reader", Roles: []sandbox.RoleOptions{narrow, raising, scoped}, TeamRoles: []sandbox.RoleOptions{wide}}})
		team := ""
		for _, row := range replied[struct{ Items []struct{ Key string } }](t, r.call("list-teams", `{}`)).Items {
			if strings.HasPrefix(row.Key, "team-") {
				team = row.Key
			}
		}
		args, want = strings.Replace(args, "%s", team, 1), strings.Replace(want, "%s", team, 1)
		got := r.call("invite-members", `{"confirm":"account","members":[`+args+`]}`)
		if !strings.Contains(p.question, want) || !strings.HasPrefix(got, "! ") || len(r.Writes()) > 0 {
			t.Errorf("%s: asked %q, want %q; %d writes: %s", args, p.question, want, len(r.Writes()), got)
		}
	}
	for name, change := range map[string]func(*setup){
		"read-only":    func(s *setup) { s.ReadOnly = true },
		"project":      func(s *setup) { s.client.Scope.Projects = []string{"shop"} },
		"environment":  func(s *setup) { s.client.Scope.Environments = []string{"*"} },
		"client":       func(s *setup) { s.client.ReadOnly = true },
		"not a person": func(s *setup) { s.Confirm = tools.ConfirmAsk },
	} {
		r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever }, change)
		for _, confirm := range []string{"", "account", "member", "*", "shop"} {
			got := r.call("invite-members", strings.Replace(inviteReader, "{", fmt.Sprintf(`{"confirm":%q,`, confirm), 1))
			if !strings.HasPrefix(got, "! ") || len(r.Writes()) > 0 {
				t.Errorf("%s, %q: %d writes: %s", name, confirm, len(r.Writes()), got)
			}
		}
	}
}

// TestInvitationsOnce: a call that is made twice invites once, as does one that somebody else was faster than.
func TestInvitationsOnce(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	if got := r.call("invite-members", inviteReader); !strings.Contains(got, `"changed":true`) || !strings.Contains(got, `"role":"reader"`) {
		t.Fatal(got)
	}
	if got := r.call("invite-members", inviteReader); !strings.Contains(got, "new@example.com was invited already") || len(r.Writes()) != 1 {
		t.Errorf("%d writes: %s", len(r.Writes()), got)
	}
	p := &person{action: "accept"}
	r = start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	other, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: r.Account})
	if err != nil {
		t.Fatal(err)
	}
	p.before = func() {
		if _, err := other.Members.Invite(t.Context(), []ldclient.Invitation{{Email: "new@example.com", Role: "reader"}}); err != nil {
			t.Error(err)
		}
	}
	if got := r.call("invite-members", inviteReader); !strings.Contains(got, "was invited already") || len(r.Writes()) != 1 {
		t.Errorf("%d writes: %s", len(r.Writes()), got)
	}
}

// TestInvitationsRefused: LaunchDarkly's own reasons are told in words, and an answer that differs from the call is not passed over.
func TestInvitationsRefused(t *testing.T) {
	t.Parallel()
	posts := func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/members")
	}
	for code, want := range map[string]string{
		"email_already_exists_in_account":  "they belong to members of this account",
		"email_taken_in_different_account": "they belong to members of another account",
		"duplicate_emails":                 "they are named twice",
		"something_new":                    "no room for them",
	} {
		r := start(t, never)
		r.Next(sandbox.Fault{Status: 400, Match: posts, Body: fmt.Sprintf(`{"code":%q,"message":"no room for them","invalid_emails":["new@example.com"]}`, code)})
		got := r.call("invite-members", inviteReader)
		if !strings.HasPrefix(got, "! Nobody was invited, because of new@example.com: "+want) {
			t.Errorf("%s: %s", code, got)
		}
	}
	for body, want := range map[string]string{
		`{"items":[{"_id":"1","email":"NEW@example.com","role":"admin"}],"totalCount":1}`: "LaunchDarkly gave new@example.com the role admin, not reader",
		`{"items":[{"_id":"1","email":"else@example.com","role":"reader"}]}`:              "answer does not name new@example.com: look with find-members",
	} {
		r := start(t, never)
		r.Next(sandbox.Fault{Status: 201, Match: posts, Body: body})
		if got := r.call("invite-members", inviteReader); !strings.Contains(got, `"changed":true`) || !strings.Contains(got, want) {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// TestInvitationSent: LaunchDarkly is told what was confirmed and nothing else.
func TestInvitationSent(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	r.call("invite-members", `{"members":[{"email":"a@example.com","role":"no_access","firstName":"A"},{"email":"b@example.com","customRoles":["mobile-developer","mobile-developer"],"teams":["growth"]}]}`)
	var got []ldclient.Invitation
	if w := r.Writes(); len(w) != 1 || json.Unmarshal(w[0].Body, &got) != nil {
		t.Fatalf("%d writes", len(w))
	}
	want := `[{a@example.com no_access [] A  []} {b@example.com  [mobile-developer]   [growth]}]`
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// TestWhoMayInvite: the tool is not listed for a token that can certainly not invite, and following is left to LaunchDarkly.
func TestWhoMayInvite(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]bool{"reader": false, "writer": false, "admin": true} {
		r := start(t, func(s *setup) {
			account := s.client.Transport.(*sandbox.Account)
			s.client.Token = ldclient.StaticToken(ldclient.Token(account.AddToken(sandbox.TokenOptions{Name: role, Role: role})))
		})
		got, err := r.server.Permissions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(got.Never, "invite-members") == want || slices.Contains(got.Never, "add-flag-follower") {
			t.Errorf("%s may never use %v", role, got.Never)
		}
		if got := r.call("invite-members", strings.Replace(inviteReader, "{", `{"confirm":"account",`, 1)); strings.Contains(got, `"changed":true`) != want {
			t.Errorf("%s: %s", role, got)
		}
	}
}
