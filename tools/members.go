package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var memberTools = Toolset{
	Name: "members", Doc: "Find members, teams and roles; invite members.",
	Tools: []Tool{findMembers, getMember, listTeams, getTeam, listRoles, getRole,
		inviteMembers},
}

// memberRow is a member in a list. What it leaves out is false or none.
type memberRow struct {
	ID          string   `json:"_id" doc:"as a flag's maintainer or an approval's reviewer wants it"`
	Name        string   `json:"name,omitempty"`
	Email       string   `json:"email"`
	Role        string   `json:"role" doc:"base role; custom roles replace it"`
	CustomRoles []string `json:"customRoles,omitempty" doc:"their ids, for get-role"`
	Teams       []string `json:"teams,omitempty" doc:"keys"`
	LastSeen    string   `json:"lastSeen,omitempty"`
	Invited     bool     `json:"invited,omitempty" doc:"true: has not accepted the invitation yet"`
}

func memberRowOf(m ldclient.Member) memberRow {
	row := memberRow{ID: m.ID, Name: strings.TrimSpace(m.FirstName + " " + m.LastName), Email: m.Email, Role: m.Role,
		CustomRoles: ten(m.CustomRoles, 0), LastSeen: m.LastSeen.String(), Invited: m.PendingInvite}
	for _, t := range ten(m.Teams, 0) {
		row.Teams = append(row.Teams, t.Key)
	}
	return row
}

var findMembers = read(Spec{
	Name: "find-members", Title: "Find members", Aliases: []string{"list-members"},
	Doc: "Find members by name, email, team or role, with their ids; pending invites too.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Query string `json:"query,omitempty" alias:"search,name" told:"true" doc:"Part of a name or email"`
	Email string `json:"email,omitempty"`
	Team  string `json:"teamKey,omitempty" alias:"team"`
	Role  string `json:"role,omitempty" doc:"Base role or custom role key"`
	paged
}) (page[memberRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Member], error) {
		return ld.Members.List(ctx, ldclient.ListMembers{Paging: p, Query: in.Query, Email: in.Email, Team: in.Team, Role: in.Role})
	})
	if err != nil {
		return page[memberRow]{}, err
	}
	out := pageOf(got, in.Offset, memberRowOf)
	if len(out.Items) == 0 && in.Team != "" && in.Offset == 0 {
		if _, err := ld.Teams.Get(ctx, in.Team); ldclient.IsNotFound(err) {
			out.Note = fmt.Sprintf("There is no team %s, or the token may not see it; list-teams shows the keys.", short(clean(in.Team), 100))
		}
	}
	return out, nil
})

type memberDetail struct {
	memberRow
	TeamRoles []string `json:"teamRoles,omitempty" doc:"keys of the roles that teams add"`
}

var getMember = read(Spec{
	Name: "get-member", Title: "Get a member",
	Doc: "Read one member: role, custom roles, teams and the roles that these add.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	ID string `json:"id,omitempty" alias:"memberId,_id,email" default:"me" doc:"Id, email or me"`
}) (memberDetail, error) {
	m, err := memberBy(ctx, ld, in.ID)
	if err != nil {
		return memberDetail{}, err
	}
	d := memberDetail{memberRow: memberRowOf(*m)}
	for _, t := range m.Teams {
		for _, role := range t.CustomRoles {
			if !slices.Contains(d.TeamRoles, role) && len(d.TeamRoles) < firstOf {
				d.TeamRoles = append(d.TeamRoles, role)
			}
		}
	}
	return d, nil
})

// memberBy reads a member by id or email; "me" is the token's own.
func memberBy(ctx context.Context, ld *ldclient.Client, said string) (*ldclient.Member, error) {
	if !strings.Contains(said, "@") {
		return ld.Members.Get(ctx, said)
	}
	got, err := ld.Members.List(ctx, ldclient.ListMembers{Email: said})
	if err != nil {
		return nil, err
	}
	if len(got.Items) != 1 || !strings.EqualFold(got.Items[0].Email, said) { // part of an address is somebody else's
		return nil, absent("member", short(clean(said), 100), nil)
	}
	return &got.Items[0], nil
}

type teamRow struct {
	Key         string `json:"key"`
	Name        string `json:"name,omitempty" doc:"only where it says more than the key"`
	Description string `json:"description,omitempty"`
	Members     int    `json:"membersCount"`
}

var listTeams = read(Spec{
	Name: "list-teams", Title: "List teams",
	Doc: "List or search the account's teams. Members of one: find-members with teamKey.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Query string `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key or name"`
	paged
}) (page[teamRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Team], error) {
		return ld.Teams.List(ctx, ldclient.ListTeams{Paging: p, Query: in.Query})
	})
	if err != nil {
		return page[teamRow]{}, err
	}
	return pageOf(got, in.Offset, func(t ldclient.Team) teamRow {
		return teamRow{t.Key, nameBeside(t.Key, t.Name), short(t.Description, 120), t.Members.Total}
	}), nil
})

// inTeam names one team.
type inTeam struct {
	Team string `json:"teamKey" alias:"team,key"`
}

func (a inTeam) target() ldclient.Target { return ldclient.Target{Kind: "team", Key: a.Team} }

type teamDetail struct {
	teamRow
	Roles       []string    `json:"roles,omitempty" doc:"keys, the first ten"`
	RolesCount  int         `json:"rolesCount"`
	Maintainers []personRow `json:"maintainers,omitempty" doc:"the first ten"`
	First       []personRow `json:"members,omitempty" doc:"the first ten; all with find-members"`
	Synced      bool        `json:"synced,omitempty" doc:"true: an identity provider decides who belongs to it"`
	Notes       []string    `json:"notes,omitempty"`
}

type personRow struct {
	ID    string `json:"_id"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email"`
}

func personRowOf(p ldclient.Person) personRow {
	return personRow{p.ID, strings.TrimSpace(p.FirstName + " " + p.LastName), p.Email}
}

var getTeam = read(Spec{
	Name: "get-team", Title: "Get a team",
	Doc: "Read one team: members, maintainers and the roles that it gives.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ inTeam }) (teamDetail, error) {
	t, err := ld.Teams.Get(ctx, in.Team)
	if err != nil {
		return teamDetail{}, err
	}
	d := teamDetail{teamRow: teamRow{t.Key, nameBeside(t.Key, t.Name), t.Description, t.Members.Total}, RolesCount: t.Roles.Total, Synced: t.Synced}
	for _, r := range ten(t.Roles.Items, 0) {
		d.Roles = append(d.Roles, r.Key)
	}
	for _, p := range ten(t.Maintainers.Items, 0) {
		d.Maintainers = append(d.Maintainers, personRowOf(p))
	}
	g := gather(ctx)
	g.want("members", func(ctx context.Context) error {
		got, err := ld.Members.List(ctx, ldclient.ListMembers{Team: in.Team, Paging: ldclient.Paging{Limit: firstOf}})
		if err != nil {
			return err
		}
		for _, m := range got.Items {
			d.First = append(d.First, personRowOf(m.Person))
		}
		return nil
	})
	d.Notes, err = g.wait()
	return d, err
})
