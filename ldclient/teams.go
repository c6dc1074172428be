package ldclient

import (
	"context"
	"net/url"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// TeamsService reads teams.
type TeamsService service

// Team is a group of members who share roles.
type Team struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Synced      bool   `json:"_idpSynced"` // its members come from an identity provider
	Members     struct {
		Total int `json:"totalCount"`
	} `json:"members"`
	Roles struct { // only when one team is read
		Total int `json:"totalCount"`
		Items []struct {
			Key string `json:"key"`
		} `json:"items"`
	} `json:"roles"`
	Maintainers struct {
		Total int      `json:"totalCount"`
		Items []Person `json:"items"`
	} `json:"maintainers"`
	RoleAttributes policy.Attributes `json:"roleAttributes"` // only from Attributes
}

func (t *Team) missing() string {
	if t.Key == "" {
		return "team"
	}
	return ""
}

// ListTeams are the filters of a list of teams.
type ListTeams struct {
	Paging
	Query string // part of a key or name
}

// List returns one page of teams with their number of members.
func (s *TeamsService) List(ctx context.Context, o ListTeams) (*Page[Team], error) {
	q := o.Paging.query()
	q.Set("expand", "members,maintainers")
	if err := setFilter(q, [][2]string{{"query", o.Query}}); err != nil {
		return nil, err
	}
	return get[Page[Team]](ctx, s.c, Target{}, path("teams"), q)
}

// Get returns one team with its roles and maintainers.
func (s *TeamsService) Get(ctx context.Context, key string) (*Team, error) {
	return get[Team](ctx, s.c, Target{Kind: "team", Key: key}, path("teams", key), url.Values{"expand": {"members,roles,maintainers"}})
}

// Attributes returns the values that one team gives to the attributes in its roles.
func (s *TeamsService) Attributes(ctx context.Context, key string) (policy.Attributes, error) {
	t, err := get[Team](ctx, s.c, Target{Kind: "team", Key: key}, path("teams", key), url.Values{"expand": {"roleAttributes"}})
	if err != nil {
		return nil, err
	}
	if t.RoleAttributes == nil {
		t.RoleAttributes = policy.Attributes{} // it gives none
	}
	return t.RoleAttributes, nil
}
