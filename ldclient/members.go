package ldclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// MembersService reads the members of the account.
type MembersService service

// Member is one person in the account.
type Member struct {
	Person
	Role          string   `json:"role"`        // the base role
	CustomRoles   []string `json:"customRoles"` // ids; any of them replaces the base role
	PendingInvite bool     `json:"_pendingInvite"`
	LastSeen      Millis   `json:"_lastSeen"`
	Teams         []struct {
		Key         string   `json:"key"`
		Name        string   `json:"name"`
		CustomRoles []string `json:"customRoleKeys"`
	} `json:"teams"`
	PermissionGrants []PermissionGrant `json:"permissionGrants"`
	RoleAttributes   policy.Attributes `json:"roleAttributes"` // only when the token's own member is read
}

// PermissionGrant allows something without a role, by actions or by the name of a set of them.
type PermissionGrant struct {
	Resource  string   `json:"resource"`
	Actions   []string `json:"actions"`
	ActionSet string   `json:"actionSet"`
}

func (m *Member) missing() string {
	if m.ID == "" {
		return "member"
	}
	return ""
}

// ListMembers are the filters of a list of members; all that are given must hold.
type ListMembers struct {
	Paging
	Query  string   // part of a name or email
	Email  string   // a whole one
	Emails []string // any of these whole ones
	Team   string   // a key
	Role   string   // a base role, or a role's key
}

// List returns one page of members.
func (s *MembersService) List(ctx context.Context, o ListMembers) (*Page[Member], error) {
	q := o.Paging.query()
	if err := setFilter(q, [][2]string{{"query", o.Query}, {"email", o.Email}, {"team", o.Team}, {"role", o.Role}}); err != nil {
		return nil, err
	}
	if len(o.Emails) > 0 {
		for _, email := range o.Emails {
			if err := setFilter(url.Values{}, [][2]string{{"email", email}}); err != nil {
				return nil, err
			}
		}
		q.Set("filter", strings.Trim(q.Get("filter")+",email:"+strings.Join(o.Emails, "|"), ","))
	}
	return get[Page[Member]](ctx, s.c, Target{}, path("members"), q)
}

// Get returns one member by id; "me" is the one that the token belongs to.
func (s *MembersService) Get(ctx context.Context, id string) (*Member, error) {
	return get[Member](ctx, s.c, Target{}, path("members", id), nil)
}

// Invitation lets one more person into the account, by a base role or by roles of the account.
type Invitation struct {
	Email     string   `json:"email"`
	Role      string   `json:"role,omitempty"`
	Roles     []string `json:"customRoles,omitempty"` // keys
	FirstName string   `json:"firstName,omitempty"`
	LastName  string   `json:"lastName,omitempty"`
	Teams     []string `json:"teamKeys,omitempty"`
}

// MaxInvitations is how many people one request may invite.
const MaxInvitations = 50

// Invite sends all of the invitations, or none where one of them cannot be sent.
func (s *MembersService) Invite(ctx context.Context, list []Invitation) ([]Member, error) {
	got, err := do[Page[Member]](ctx, s.c, call{method: http.MethodPost, at: Target{Kind: "member"}, path: path("members"),
		body: list, contentType: jsonType, writes: true})
	if e, ok := errors.AsType[*Error](err); ok && len(e.Emails) > 0 {
		why := map[string]string{
			"email_already_exists_in_account":  "they belong to members of this account",
			"email_taken_in_different_account": "they belong to members of another account",
			"duplicate_emails":                 "they are named twice",
		}[e.Code]
		e.Message = fmt.Sprintf("nobody was invited, because of %s: %s", strings.Join(e.Emails[:min(10, len(e.Emails))], ", "), cmp.Or(why, e.Message))
	}
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// setFilter writes field:value pairs, which have no way to escape what separates them.
func setFilter(q url.Values, fields [][2]string) error {
	var pairs []string
	for _, f := range fields {
		if f[1] == "" {
			continue
		}
		if strings.ContainsAny(f[1], ",:|") {
			return &InvalidError{Message: "a filter may not hold any of , : and |"}
		}
		pairs = append(pairs, f[0]+":"+f[1])
	}
	if len(pairs) > 0 {
		q.Set("filter", strings.Join(pairs, ","))
	}
	return nil
}
