package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// TokenOptions describe a token to add, and whom it belongs to.
type TokenOptions struct {
	Name       string
	InlineRole []policy.Statement // counts before the other two
	Roles      []RoleOptions      // count before the base role
	Role       string             // reader, writer, admin or owner
	Owner      *OwnerOptions      // nil for a service token
}

// RoleOptions describe a role.
type RoleOptions struct {
	Key, Base string // Base is no_access unless given
	Policy    []policy.Statement
}

// OwnerOptions describe the member that a token belongs to.
type OwnerOptions struct {
	Role       string // the base role
	Roles      []RoleOptions
	TeamRoles  []RoleOptions // of a team that the member is in
	Attributes policy.Attributes
	// TeamAttributes are the values that the team gives.
	TeamAttributes policy.Attributes
	Grants         []Grant
}

// Grant allows a member something without a role.
type Grant struct {
	Resource  string   `json:"resource"`
	Actions   []string `json:"actions,omitempty"`
	ActionSet string   `json:"actionSet,omitempty"`
}

// AddToken adds a token, and an owner for it where one is described, and
// returns its value. Unlike the tokens of the shop it may do just what its roles say.
func (a *Account) AddToken(o TokenOptions) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now().UnixMilli()
	t := &token{ID: a.objectID(), Name: o.Name, Value: "api-" + a.uuid(), InlineRole: o.InlineRole, Role: o.Role, Created: now, LastUsed: now, Enforced: true}
	t.Ending = t.Value[len(t.Value)-4:]
	if len(o.InlineRole) == 0 {
		t.CustomRoleIDs = a.addRoles(o.Roles, func(r *role) string { return r.ID })
	}
	if w := o.Owner; w != nil {
		id := a.objectID()
		m := &member{ID: id, FirstName: "Owner", LastName: id[:6], Email: id[:6] + "@example.com", Role: w.Role, Created: now, LastSeen: now,
			Attributes: w.Attributes, Grants: w.Grants}
		m.CustomRoles = a.addRoles(w.Roles, func(r *role) string { return r.ID })
		if len(w.TeamRoles) > 0 {
			m.Teams = []string{"team-" + id[:6]}
			a.teams = append(a.teams, &team{Key: m.Teams[0], Name: m.Teams[0], Created: now, Attributes: w.TeamAttributes,
				Roles: a.addRoles(w.TeamRoles, func(r *role) string { return r.Key })})
		}
		a.members = append(a.members, m)
		t.Member = m
	}
	a.tokens = append(a.tokens, t)
	return t.Value
}

func (a *Account) addRoles(list []RoleOptions, named func(*role) string) []string {
	var out []string
	for _, o := range list {
		r := &role{ID: a.objectID(), Key: o.Key, Name: o.Key, BasePermissions: "no_access", Policy: jsonValue(o.Policy)}
		if o.Base != "" {
			r.BasePermissions = o.Base
		}
		if len(o.Policy) == 0 {
			r.Policy = json.RawMessage("[]")
		}
		a.roles = append(a.roles, r)
		out = append(out, named(r))
	}
	return out
}

// principal is who a token acts for.
func (a *Account) principal(t *token) policy.Principal {
	var p policy.Principal
	var attributes policy.Attributes
	if t.Member != nil {
		attributes = filledAttributes(t.Member.Attributes)
		p.Owner = a.rolesOf(t.Member)
	}
	switch {
	case len(t.InlineRole) > 0:
		p.Token = policy.Roles{policy.NewRole(t.Name, true, t.InlineRole, attributes)}
	case len(t.CustomRoleIDs) > 0:
		for _, id := range t.CustomRoleIDs {
			p.Token = append(p.Token, a.policyRole(id, attributes))
		}
	default:
		p.Token = policy.Roles{policy.BuiltIn(t.Role)}
	}
	return p
}

func (a *Account) rolesOf(m *member) policy.Roles {
	var out policy.Roles
	for _, name := range m.CustomRoles {
		out = append(out, a.policyRole(name, filledAttributes(m.Attributes)))
	}
	if len(out) == 0 {
		out = append(out, policy.BuiltIn(m.Role))
	}
	for _, key := range m.Teams {
		if t := a.team(key); t != nil {
			for _, name := range t.Roles {
				out = append(out, a.policyRole(name, filledAttributes(t.Attributes)))
			}
		}
	}
	for _, g := range m.Grants {
		out = append(out, policy.Grant("grant", g.Actions, g.ActionSet, g.Resource))
	}
	return out
}

func (a *Account) policyRole(keyOrID string, attributes policy.Attributes) policy.Role {
	r := a.role(keyOrID)
	if r == nil {
		return policy.BuiltIn("no_access")
	}
	var statements []policy.Statement
	if err := json.Unmarshal(r.Policy, &statements); err != nil {
		panic(err) // the account's own state
	}
	return policy.NewRole(r.Key, r.BasePermissions == "reader", statements, attributes)
}

// filledAttributes are values that are known: none, where nobody gave any.
func filledAttributes(of policy.Attributes) policy.Attributes {
	if of == nil {
		return policy.Attributes{}
	}
	return of
}

const noPermission = "You do not have permission to perform this action"

// enforced answers a request as the roles of its token allow. Which action is
// missing LaunchDarkly does not tell.
func (a *Account) enforced(w *reply, r *http.Request, rt *route, tok *token) {
	who := a.principal(tok)
	forbid := func() { fail(w, http.StatusForbidden, "forbidden", noPermission) }
	if p := a.findProject(r.PathValue("project")); p != nil && !a.sees(who, p) {
		forbid()
		return
	}
	if !changes(r.Method, rt.segs, r.URL.Query().Get("dryRun")) {
		all := a.projects
		a.projects = slices.DeleteFunc(slices.Clone(all), func(p *project) bool { return !a.sees(who, p) })
		rt.handle(w, r)
		a.projects = all
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		badRequest(w, err)
		return
	}
	rewind := func() { r.Body = io.NopCloser(bytes.NewReader(body)) }
	rewind()
	would := a.trial(func() { rt.handle(a.newReply(), r) })
	rewind()
	bypass := len(would) > 0
	for _, e := range would {
		for _, x := range e.accesses() {
			if a.can(who, x) != policy.Yes {
				forbid()
				return
			}
		}
		bypass = bypass && a.mayBypass(who, e.Resource)
	}
	a.bypasses = a.bypasses || bypass
	rt.handle(w, r)
}

func (a *Account) sees(who policy.Principal, p *project) bool {
	return a.can(who, access{"viewProject", p.spec()}) == policy.Yes
}

// can tells whether a principal may do what the audit log would tell; of every environment where it names none.
func (a *Account) can(who policy.Principal, x access) policy.Verdict {
	r, err := policy.ParseResource(x.Resource)
	if err != nil {
		panic(err) // the account's own state
	}
	if r.Kind() == "aiconfig" && r.Name("env") == "" { // one form of its name is enough
		every := x
		every.Resource = strings.Replace(x.Resource, ":aiconfig/", ":env/*:aiconfig/", 1)
		v, _, _ := who.CanAll([]policy.Need{{Action: x.Action, Resource: a.known(r)}})
		return max(v, a.can(who, every))
	}
	needs := []policy.Need{{Action: x.Action, Resource: a.known(r)}}
	if p := a.findProject(r.Name("proj")); p != nil && r.Name("env") == "*" {
		needs = nil
		for _, e := range p.Envs {
			needs = append(needs, policy.Need{Action: x.Action, Resource: a.known(r.Named("env", e.Key))})
		}
	}
	v, _, _ := who.CanAll(needs)
	return v
}

func (a *Account) mayBypass(who policy.Principal, resource string) bool {
	switch {
	case strings.Contains(resource, ":flag/"):
		return a.can(who, access{"bypassRequiredApproval", resource}) == policy.Yes
	case strings.Contains(resource, ":segment/"):
		return a.can(who, access{"bypassRequiredSegmentApproval", resource}) == policy.Yes
	}
	return false
}
