package sandbox

import (
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strings"
)

const maxInvitations = 50

func (a *Account) invitationRoutes() {
	a.route("POST /members", a.invite)
}

// invitation is a person who is to become a member.
type invitation struct {
	Email     string   `json:"email"`
	Role      string   `json:"role"`
	Roles     []string `json:"customRoles"`
	FirstName string   `json:"firstName"`
	LastName  string   `json:"lastName"`
	Teams     []string `json:"teamKeys"`
}

func (in invitation) check(a *Account) *apiError {
	if at, err := mail.ParseAddress(in.Email); err != nil || at.Address != in.Email {
		return invalid("invalid email address %q", in.Email)
	}
	if in.Role == "" && len(in.Roles) == 0 {
		return invalid("%s must have a role or customRoles", in.Email)
	}
	if in.Role != "" && !slices.Contains([]string{"reader", "writer", "admin", "no_access"}, in.Role) {
		return invalid("invalid role %q", in.Role)
	}
	for _, key := range in.Roles {
		if r := a.role(key); r == nil || r.Key != key {
			return invalid("Unknown custom role key %s", key)
		}
	}
	for _, key := range in.Teams {
		if a.team(key) == nil {
			return invalid("Unknown team key %s", key)
		}
	}
	return nil
}

// invite adds all of the people as members who have not accepted yet, or none of them.
func (a *Account) invite(w http.ResponseWriter, r *http.Request) {
	var list []invitation
	if err := decodeBody(r, &list); err != nil {
		badRequest(w, err)
		return
	}
	if len(list) == 0 || len(list) > maxInvitations {
		refuse(w, invalid("between 1 and %d members can be invited at once", maxInvitations))
		return
	}
	var taken, twice []string
	for i, in := range list {
		if err := in.check(a); err != nil {
			refuse(w, err)
			return
		}
		if slices.ContainsFunc(a.members, func(m *member) bool { return strings.EqualFold(m.Email, in.Email) }) {
			taken = append(taken, in.Email)
		}
		if slices.ContainsFunc(list[:i], func(o invitation) bool { return strings.EqualFold(o.Email, in.Email) }) {
			twice = append(twice, in.Email)
		}
	}
	conflicting := func(code, message string, emails []string) {
		send(w, http.StatusBadRequest, map[string]any{"code": code, "message": message, "invalid_emails": emails})
	}
	switch {
	case len(twice) > 0:
		conflicting("duplicate_emails", "Emails must be unique", twice)
		return
	case len(taken) > 0:
		conflicting("email_already_exists_in_account", "Email already exists in account", taken)
		return
	}
	items := []memberRep{}
	for _, in := range list {
		m := &member{ID: a.objectID(), Email: in.Email, FirstName: in.FirstName, LastName: in.LastName, Role: in.Role, CustomRoles: []string{},
			Teams: slices.Clone(in.Teams), Created: a.tick(), Pending: true}
		if m.Role == "" {
			m.Role = "reader"
		}
		for _, key := range in.Roles {
			m.CustomRoles = append(m.CustomRoles, a.role(key).ID)
		}
		a.members = append(a.members, m)
		a.record(r, change{Kind: "member", Name: m.Email, Resource: "member/" + m.ID, Actions: []string{"createMember"}, Verb: "invited",
			Text: fmt.Sprintf("Invited with role %s", m.Role), After: jsonValue(a.memberRep(m))})
		items = append(items, a.memberRep(m))
	}
	send(w, http.StatusCreated, map[string]any{"items": items, "totalCount": len(items), "_links": links{"self": linkTo("members")}})
}
