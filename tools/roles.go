package tools

import (
	"context"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

type roleRow struct {
	Key         string `json:"key"`
	ID          string `json:"_id"`
	Name        string `json:"name,omitempty" doc:"only where it says more than the key"`
	Description string `json:"description,omitempty"`
	Statements  int    `json:"statementsCount"`
	Members     int    `json:"membersCount,omitempty" doc:"members who have it directly"`
	Teams       int    `json:"teamsCount,omitempty" doc:"teams that give it"`
}

func roleRowOf(r ldclient.Role) roleRow {
	return roleRow{r.Key, r.ID, nameBeside(r.Key, r.Name), short(r.Description, 120), len(statementsOf(&r)), r.AssignedTo.Members, r.AssignedTo.Teams}
}

// statementsOf lists a role's own statements and those of its preset, each once.
func statementsOf(r *ldclient.Role) []string {
	var out []string
	for _, s := range slices.Concat(r.Policy, r.PresetStatements) {
		if words := s.String(); !slices.Contains(out, words) {
			out = append(out, words)
		}
	}
	return out
}

var listRoles = read(Spec{
	Name: "list-roles", Title: "List roles",
	Doc: "List the account's custom and preset roles. The base roles are not among them.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ paged }) (page[roleRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Role], error) {
		return ld.Roles.List(ctx, p)
	})
	if err != nil {
		return page[roleRow]{}, err
	}
	return pageOf(got, in.Offset, roleRowOf), nil
})

// inRole names one role.
type inRole struct {
	Role string `json:"roleKey" alias:"role,key,id,roleId" doc:"Role key or id"`
}

func (a inRole) target() ldclient.Target { return ldclient.Target{Kind: "role", Key: a.Role} }

type roleDetail struct {
	roleRow
	Base   string   `json:"basePermissions,omitempty" doc:"what holds where no statement says: reader may see, no_access nothing"`
	Policy []string `json:"policy" doc:"ten statements; within a role deny wins, and another role may still allow"`
	Next   int      `json:"nextStatementsOffset,omitempty" doc:"Set when there are more"`
}

var getRole = read(Spec{
	Name: "get-role", Title: "Get a role",
	Doc: "Read one custom or preset role: what it allows and denies.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inRole
	Offset int `json:"statementsOffset,omitempty" jsonschema:"minimum=0,maximum=100000" doc:"Statements to skip; a reply shows ten"`
}) (roleDetail, error) {
	r, err := ld.Roles.Get(ctx, in.Role)
	if err != nil {
		return roleDetail{}, err
	}
	all := statementsOf(r)
	d := roleDetail{roleRow: roleRowOf(*r), Base: r.BasePermissions, Policy: []string{}}
	d.Description = r.Description
	for _, words := range ten(all, in.Offset) {
		d.Policy = append(d.Policy, short(words, 600))
	}
	if next := in.Offset + len(d.Policy); next < len(all) {
		d.Next = next
	}
	return d, nil
})
