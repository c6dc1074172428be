package tools

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// tokenRow is an access token's metadata. What it leaves out is none.
type tokenRow struct {
	ID          string          `json:"_id"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Ending      ldclient.Ending `json:"ending,omitempty" doc:"of its value"`
	Service     bool            `json:"serviceToken,omitempty" doc:"true: belongs to nobody; owner is who made it"`
	Owner       string          `json:"owner,omitempty"`
	Role        string          `json:"role,omitempty"`
	CustomRoles []string        `json:"customRoles,omitempty" doc:"ids, for get-role"`
	Created     string          `json:"created,omitempty"`
	LastUsed    string          `json:"lastUsed,omitempty" doc:"never if not given"`
	followed
}

func tokenRowIn(scope ldclient.Scope) func(ldclient.TokenRecord) tokenRow {
	return func(t ldclient.TokenRecord) tokenRow {
		row := tokenRow{ID: t.ID, Name: short(t.Name, 120), Description: short(t.Description, 120), Ending: t.Ending, Service: t.ServiceToken, Owner: t.Owner.String(),
			Created: t.Created.String(), LastUsed: t.LastUsed.String()}
		switch { // the order in which they count
		case len(t.InlineRole) > 0:
			row.Role = "inline policy"
			row.followed = followedIn(scope, t.InlineRole, fewStatements)
		case len(t.CustomRoleIDs) > 0:
			row.CustomRoles = ten(t.CustomRoleIDs, 0)
		default:
			row.Role = t.Role
		}
		return row
	}
}

// maxTokenPages bounds how many tokens are looked through.
const maxTokenPages = 20

var listAccessTokens = read(Spec{
	Name: "list-access-tokens", Title: "List access tokens",
	Doc: "List access tokens by metadata: role, owner, last use. Members see their own and service tokens, administrators all.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Query  string `json:"query,omitempty" alias:"search,name" told:"true" doc:"Part of a name, an owner or an ending"`
	Unused string `json:"unusedSince,omitempty" alias:"notUsedSince,inactiveSince" doc:"Only those not used since a time or age such as 90d"`
	paged
}) (page[tokenRow], error) {
	since, err := instant("unusedSince", in.Unused)
	if err != nil {
		return page[tokenRow]{}, err
	}
	fetch := func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.TokenRecord], error) {
		return ld.Tokens.List(ctx, p)
	}
	view := tokenRowIn(ld.Scope())
	if in.Query == "" && since == 0 {
		got, err := manyPages(ctx, in.paged, fetch)
		if err != nil {
			return page[tokenRow]{}, err
		}
		return pageOf(got, in.Offset, view), nil
	}
	var found []ldclient.TokenRecord
	n := 0
	for t, err := range ldclient.All(func(offset int) (*ldclient.Page[ldclient.TokenRecord], error) {
		return fetch(ctx, ldclient.Paging{Limit: upstreamPage, Offset: offset})
	}) {
		if err != nil {
			return page[tokenRow]{}, err
		}
		if n++; n > maxTokenPages*upstreamPage {
			break
		}
		if tokenMatches(t, in.Query) && (since == 0 || t.LastUsed < since && t.Created < since) {
			found = append(found, t)
		}
	}
	slices.SortStableFunc(found, func(a, b ldclient.TokenRecord) int { return cmp.Compare(a.LastUsed, b.LastUsed) })
	out := pageWithin(found, in.paged, view)
	if n > maxTokenPages*upstreamPage {
		out.Note = "Only the first 2,000 tokens were looked through."
	}
	return out, nil
})

func tokenMatches(t ldclient.TokenRecord, query string) bool {
	return slices.ContainsFunc([]string{t.Name, t.Owner.String(), string(t.Ending)}, func(s string) bool {
		return strings.Contains(strings.ToLower(s), strings.ToLower(strings.TrimSpace(query)))
	})
}
