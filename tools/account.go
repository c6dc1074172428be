package tools

import (
	"context"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var account = Toolset{
	Name: "account", Doc: "Whose token is in use, and what this server allows.",
	Default: []string{"whoami"},
	Tools:   []Tool{whoami, listAccessTokens},
}

type identity struct {
	AccountID    string         `json:"accountId,omitempty"`
	Token        string         `json:"token,omitempty" doc:"the token's name"`
	ServiceToken bool           `json:"serviceToken,omitempty" doc:"true: no member stands behind it"`
	Member       string         `json:"member,omitempty"`
	Email        string         `json:"email,omitempty"`
	Role         string         `json:"role,omitempty"`
	CustomRoles  []string       `json:"customRoles,omitempty" doc:"ids or keys"`
	Roles        []string       `json:"roles,omitempty" doc:"that count: the token's and, if it has one, its owner's; both must allow"`
	MayWrite     []string       `json:"mayWrite" doc:"by kind of resource, perhaps not on every one; LaunchDarkly decides at each call"`
	Unknown      []string       `json:"unknown,omitempty" doc:"what could not be read, so mayWrite may name too much"`
	Scopes       []string       `json:"scopes,omitempty"`
	Instance     string         `json:"instance"`
	RateLimit    *rateLimitView `json:"rateLimit,omitempty"`
	Note         string         `json:"note,omitempty"`
}

type rateLimitView struct {
	Remaining int    `json:"remaining"`
	Limit     int    `json:"limit,omitempty" doc:"requests of the whole account in 10 s"`
	Reset     string `json:"reset,omitempty"`
}

var whoami = read(Spec{
	Name: "whoami", Title: "Who am I",
	Doc: "Tell whose access token this server uses: token, member, role, account, LaunchDarkly instance, rate limit left.",
}, func(ctx context.Context, ld *ldclient.Client, _ struct{}) (identity, error) {
	k, err := learn(ctx, ld)
	if err != nil {
		return identity{}, err
	}
	caller := k.caller
	out := identity{AccountID: caller.AccountID, Token: caller.TokenName, ServiceToken: caller.ServiceToken, Scopes: caller.Scopes, Instance: ld.BaseURL(),
		Roles: ten(k.roleNames(), 0), MayWrite: k.mayWrite(), Unknown: ten(k.unread, 0)}
	if me := k.member; me != nil {
		out.Member, out.Email, out.Role, out.CustomRoles = me.String(), me.Email, me.Role, me.CustomRoles
	} else if !caller.ServiceToken {
		out.Note = "The member could not be read; the token's role may not allow it."
	}
	if r := ld.RateLimit(); r.GlobalRemaining >= 0 {
		out.RateLimit = &rateLimitView{Remaining: r.GlobalRemaining, Limit: max(r.GlobalLimit, 0)}
		if !r.Reset.IsZero() {
			out.RateLimit.Reset = r.Reset.UTC().Format(time.RFC3339)
		}
	}
	return out, nil
})
