package ldclient

import (
	"context"
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
	Query string // part of a name or email
	Email string // a whole one
	Team  string // a key
	Role  string // a base role, or a role's key
}

// List returns one page of members.
func (s *MembersService) List(ctx context.Context, o ListMembers) (*Page[Member], error) {
	q := o.Paging.query()
	if err := setFilter(q, [][2]string{{"query", o.Query}, {"email", o.Email}, {"team", o.Team}, {"role", o.Role}}); err != nil {
		return nil, err
	}
	return get[Page[Member]](ctx, s.c, Target{}, path("members"), q)
}

// Get returns one member by id; "me" is the one that the token belongs to.
func (s *MembersService) Get(ctx context.Context, id string) (*Member, error) {
	return get[Member](ctx, s.c, Target{}, path("members", id), nil)
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
