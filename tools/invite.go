package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// toMembers is the target of what adds members, who have no ids yet.
type toMembers struct{}

func (toMembers) target() ldclient.Target { return ldclient.Target{Kind: "member"} }

// invitee is one person to be invited.
type invitee struct {
	Email     string   `json:"email"`
	Role      string   `json:"role,omitempty" alias:"baseRole" jsonschema:"enum=reader,enum=writer,enum=admin,enum=no_access"`
	Roles     []string `json:"customRoles,omitempty" alias:"customRoleKeys,roles"`
	FirstName string   `json:"firstName,omitempty"`
	LastName  string   `json:"lastName,omitempty"`
	Teams     []string `json:"teamKeys,omitempty" alias:"teams"`
}

// invited are people after they were invited.
type invited struct {
	Members []invitedRow `json:"invited"`
}

type invitedRow struct {
	ID    string   `json:"_id,omitempty"`
	Email string   `json:"email"`
	Name  string   `json:"name,omitempty"`
	Role  string   `json:"role,omitempty"`
	Roles []string `json:"customRoles,omitempty" doc:"keys"`
	Teams []string `json:"teams,omitempty" doc:"keys"`
}

var inviteMembers = create(Spec{
	Name: "invite-members", Title: "Invite members", Action: "createMember",
	Doc: "Invite people into the account, all of them or none.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	toMembers
	Members []invitee `json:"members" brief:"true" doc:"{email, role: reader, writer, admin or no_access, or else customRoles (keys)}; also firstName, lastName, teamKeys"`
	because
}) (*plan[invited], error) {
	if err := checkInvitees(in.Members); err != nil {
		return nil, err
	}
	if err := strangers(ctx, ld, in.Members); err != nil {
		return nil, err
	}
	k, err := readGrants(ctx, ld, in.Members)
	if err != nil {
		return nil, err
	}
	var list []ldclient.Invitation
	after := invited{}
	for _, m := range in.Members {
		roles := k.roleKeys(m.Roles)
		list = append(list, ldclient.Invitation{Email: m.Email, Role: m.Role, Roles: roles, FirstName: m.FirstName, LastName: m.LastName, Teams: m.Teams})
		after.Members = append(after.Members, invitedRow{"", m.Email, strings.TrimSpace(m.FirstName + " " + m.LastName), m.Role, roles, m.Teams})
	}
	p := &plan[invited]{intent: intent{Says: k.says(list), Version: "grants " + digest(k.seen()), Notes: append(uncommented(in.because), k.unfilled(in.Members)...)}}
	p.Apply = func(ctx context.Context, how manner) (*invited, error) {
		if how.DryRun {
			return &after, nil
		}
		got, err := ld.Members.Invite(ctx, list)
		if err != nil {
			return nil, err
		}
		for i := range after.Members {
			row := &after.Members[i]
			at := slices.IndexFunc(got, func(m ldclient.Member) bool { return strings.EqualFold(m.Email, row.Email) })
			if at < 0 {
				p.Noticed = append(p.Noticed, fmt.Sprintf("LaunchDarkly's answer does not name %s: look with find-members", row.Email))
				continue
			}
			if row.ID = got[at].ID; row.Role != "" && got[at].Role != row.Role {
				p.Noticed = append(p.Noticed, fmt.Sprintf("LaunchDarkly gave %s the role %s, not %s", row.Email, short(clean(got[at].Role), 40), row.Role))
				row.Role = got[at].Role
			}
		}
		return &after, nil
	}
	return p, nil
})

// An address is written plainly, in letters that a person who confirms tells apart.
var emailAddress = pattern.Of(`^[A-Za-z0-9!#$%&'*+/=?^_{}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_{}~-]+)*@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$`)

func checkInvitees(list []invitee) error {
	if n := len(list); n == 0 || n > ldclient.MaxInvitations {
		return badf("members: must be 1 to %d people, got %d; more take several calls", ldclient.MaxInvitations, n)
	}
	for i, m := range list {
		at := fmt.Sprintf("members[%d]", i)
		switch {
		case !emailAddress().MatchString(m.Email) || len(m.Email) > 254:
			return badf("%s.email: %q is not a plain address such as ada@example.com", at, short(clean(m.Email), 100))
		case slices.ContainsFunc(list[:i], func(o invitee) bool { return strings.EqualFold(o.Email, m.Email) }):
			return badf("%s.email: %s is named twice", at, m.Email)
		case m.Role != "" && len(m.Roles) > 0:
			return badf("%s: give role or customRoles, not both: customRoles take the place of role", at)
		case m.Role == "" && len(m.Roles) == 0:
			return badf("%s: missing role (reader, writer, admin or no_access) or customRoles", at)
		}
		for _, name := range []string{m.FirstName, m.LastName} {
			if name != clean(name) || len(name) > 100 {
				return badf("%s: a name has at most 100 plain characters on one line, got %q", at, short(clean(name), 100))
			}
		}
		for _, key := range slices.Concat(m.Roles, m.Teams) {
			if err := ldclient.CheckKey(key); err != nil {
				return badf("%s: %v", at, err)
			}
		}
	}
	return nil
}

// strangers refuses people who are members already, or were invited.
func strangers(ctx context.Context, ld *ldclient.Client, list []invitee) error {
	var emails []string
	for _, m := range list { // they are compared as they are written
		for _, email := range []string{m.Email, strings.ToLower(m.Email)} {
			if !slices.Contains(emails, email) {
				emails = append(emails, email)
			}
		}
	}
	var known []string
	for m, err := range ldclient.All(func(offset int) (*ldclient.Page[ldclient.Member], error) {
		return ld.Members.List(ctx, ldclient.ListMembers{Emails: emails, Paging: ldclient.Paging{Limit: upstreamPage, Offset: offset}})
	}) {
		if err != nil {
			return err
		}
		is := "is a member already, with role " + short(clean(m.Role), 40)
		if m.PendingInvite {
			is = "was invited already"
		}
		known = append(known, fmt.Sprintf("%s %s", short(clean(m.Email), 100), is))
	}
	if len(known) > 0 {
		return badf("%s; leave them out, or change their role in LaunchDarkly", strings.Join(ten(known, 0), ", "))
	}
	return nil
}

// grants are the roles and teams that people are to get.
type grants struct {
	roles map[string]*ldclient.Role // by key or id as said
	teams map[string]*ldclient.Team
}

// readGrants reads all roles and teams that a call names, and the roles that these teams give.
func readGrants(ctx context.Context, ld *ldclient.Client, list []invitee) (*grants, error) {
	k := &grants{map[string]*ldclient.Role{}, map[string]*ldclient.Team{}}
	role := func(said string) error {
		if k.roles[said] != nil {
			return nil
		}
		r, err := roleNamed(ctx, ld, said)
		k.roles[said] = r
		return err
	}
	for _, m := range list {
		for _, said := range m.Roles {
			if err := role(said); err != nil {
				return nil, err
			}
		}
		for _, key := range m.Teams {
			if k.teams[key] != nil {
				continue
			}
			t, err := teamNamed(ctx, ld, key)
			if err != nil {
				return nil, err
			}
			k.teams[key] = t
			for _, r := range t.Roles.Items {
				if err := role(r.Key); err != nil {
					return nil, err
				}
			}
		}
	}
	return k, nil
}

// roleNamed reads a role by key or id; where there is none, it says which ones there are.
func roleNamed(ctx context.Context, ld *ldclient.Client, said string) (*ldclient.Role, error) {
	r, err := ld.Roles.Get(ctx, said)
	if err == nil && r.Key != said && r.ID != said {
		return nil, cannot("asked for role %q, LaunchDarkly answered %q; check the key with list-roles", said, short(clean(r.Key), 100))
	}
	return r, orOthers(err, "role", said, func() ([]string, error) {
		return keysOn(func(r ldclient.Role) string { return r.Key })(ld.Roles.List(ctx, ldclient.Paging{Limit: upstreamPage}))
	})
}

// teamNamed reads a team; where there is none, it says which ones there are.
func teamNamed(ctx context.Context, ld *ldclient.Client, key string) (*ldclient.Team, error) {
	t, err := ld.Teams.Get(ctx, key)
	if err == nil && t.Key != key {
		return nil, cannot("asked for team %q, LaunchDarkly answered %q; check the key with list-teams", key, short(clean(t.Key), 100))
	}
	return t, orOthers(err, "team", key, func() ([]string, error) {
		return keysOn(func(t ldclient.Team) string { return t.Key })(ld.Teams.List(ctx, ldclient.ListTeams{Paging: ldclient.Paging{Limit: upstreamPage}}))
	})
}

// seen is what a yes is given for: what the roles allow and the teams give.
func (k *grants) seen() any { return []any{k.roles, k.teams} }

// unfilled notes which of the roles depend on attributes, of which an invitation gives none.
func (k *grants) unfilled(list []invitee) (notes []string) {
	for _, m := range list {
		for _, said := range m.Roles {
			r := k.roles[said]
			note := fmt.Sprintf("role %s grants by attributes, which are set in LaunchDarkly", r.Key)
			if slices.ContainsFunc(slices.Concat(r.PresetStatements, r.Policy), policy.UsesAttributes) && !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	return notes
}

func (k *grants) roleKeys(said []string) []string {
	var out []string
	for _, s := range said {
		if key := k.roles[s].Key; !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

// says tells who would get what, those with the same together, and calls out who could change what others may do.
func (k *grants) says(list []ldclient.Invitation) string {
	var whats []string
	who := map[string][]string{}
	for _, in := range list {
		what := k.what(in)
		if who[what] == nil {
			whats = append(whats, what)
		}
		who[what] = append(who[what], in.Email)
	}
	for i, what := range whats {
		whats[i] = strings.Join(who[what], ", ") + " " + what
	}
	people := "1 person"
	if n := len(list); n > 1 {
		people = fmt.Sprintf("%d people", n)
	}
	return fmt.Sprintf("invite %s into the whole account: %s", people, strings.Join(whats, "; "))
}

func (k *grants) what(in ldclient.Invitation) string {
	what := "as " + in.Role
	if in.Role == "admin" {
		what = "as ADMIN, who may change everything and everybody's rights"
	}
	if len(in.Roles) > 0 {
		var roles []string
		for _, key := range in.Roles {
			roles = append(roles, k.described(key))
		}
		what = "with role " + strings.Join(roles, " and ")
	}
	for _, key := range in.Teams {
		t := k.teams[key]
		what += ", in team " + key
		var roles []string
		for _, r := range t.Roles.Items {
			roles = append(roles, k.described(r.Key))
		}
		if more := t.Roles.Total - len(roles); more > 0 {
			roles = append(roles, fmt.Sprintf("%d more roles, WHICH WERE NOT READ", more))
		}
		if len(roles) > 0 {
			what += ", which adds role " + strings.Join(roles, " and ")
		}
		if t.Synced {
			what += " (whose members an identity provider decides)"
		}
	}
	return what
}

// rights are actions that let their holder give rights to others, or to themselves.
var rights = [][2]string{{"createMember", "member"}, {"updateRole", "member"}, {"updateCustomRole", "member"}, {"createRole", "role"}, {"updatePolicy", "role"},
	{"updateMembers", "role"}, {"updateTeamCustomRoles", "team"}, {"updateTeamMembers", "team"}}

// described is a role's key, and what is wide about it.
func (k *grants) described(key string) string {
	var r *ldclient.Role
	for _, one := range k.roles {
		if one.Key == key {
			r = one
		}
	}
	if r == nil {
		return short(clean(key), 100)
	}
	all := policy.Roles{policy.NewRole(key, r.BasePermissions == "reader", slices.Concat(r.PresetStatements, r.Policy), nil)}
	for _, right := range rights {
		if could, _ := all.CouldEver(right[0], right[1]); could {
			return short(clean(key), 100) + " (WHICH MAY CHANGE WHAT PEOPLE ARE ALLOWED)"
		}
	}
	return short(clean(key), 100)
}
