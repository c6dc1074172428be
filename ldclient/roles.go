package ldclient

import "context"

// RolesService reads the roles that are not built in.
type RolesService service

// Role is a set of permissions that members, teams and tokens can be given.
type Role struct {
	ID               string      `json:"_id"`
	Key              string      `json:"key"`
	Name             string      `json:"name"`
	Description      string      `json:"description"`
	BasePermissions  string      `json:"basePermissions"` // what holds where no statement says: reader or no_access
	Policy           []Statement `json:"policy"`
	PresetStatements []Statement `json:"_presetStatements"` // LaunchDarkly's own, in a role made from a preset
	AssignedTo       struct {
		Members int `json:"membersCount"`
		Teams   int `json:"teamsCount"`
	} `json:"assignedTo"`
}

func (r *Role) missing() string {
	if r.Key == "" {
		return "role"
	}
	return ""
}

// List returns one page of roles. The API has no filter for them.
func (s *RolesService) List(ctx context.Context, p Paging) (*Page[Role], error) {
	return get[Page[Role]](ctx, s.c, Target{}, path("roles"), p.query())
}

// Get returns one role by key or id.
func (s *RolesService) Get(ctx context.Context, keyOrID string) (*Role, error) {
	return get[Role](ctx, s.c, Target{Kind: "role", Key: keyOrID}, path("roles", keyOrID), nil)
}
