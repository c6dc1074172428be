package ldclient

import (
	"context"
	"net/url"
)

// IdentityService tells whose token the client uses.
type IdentityService service

// Caller is what LaunchDarkly knows of the token in use.
type Caller struct {
	AccountID    string   `json:"accountId"`
	AuthKind     string   `json:"authKind"`
	TokenID      string   `json:"tokenId"`
	TokenName    string   `json:"tokenName"`
	MemberID     string   `json:"memberId"`
	ServiceToken bool     `json:"serviceToken"`
	Scopes       []string `json:"scopes"`
}

func (c *Caller) missing() string {
	if c.AccountID == "" && c.TokenID == "" && c.TokenName == "" && c.MemberID == "" && c.AuthKind == "" {
		return "caller identity"
	}
	return ""
}

// AccessToken is a token's metadata. Its value is not decoded.
type AccessToken struct {
	ID            string      `json:"_id"`
	Name          string      `json:"name"`
	InlineRole    []Statement `json:"inlineRole"`    // counts before the other two
	CustomRoleIDs []string    `json:"customRoleIds"` // count before the base role
	Role          string      `json:"role"`
	ServiceToken  bool        `json:"serviceToken"`
}

func (t *AccessToken) missing() string {
	if t.ID == "" {
		return "access token"
	}
	return ""
}

// Caller returns the identity of the token in use.
func (s *IdentityService) Caller(ctx context.Context) (*Caller, error) {
	return get[Caller](ctx, s.c, Target{}, path("caller-identity"), nil)
}

// Me returns the member that the token belongs to, with role attributes. A service token has none and gets a 403 or 404.
func (s *IdentityService) Me(ctx context.Context) (*Member, error) {
	return get[Member](ctx, s.c, Target{}, path("members", "me"), url.Values{"expand": {"roleAttributes"}})
}

// Token returns the metadata of one access token.
func (s *IdentityService) Token(ctx context.Context, id string) (*AccessToken, error) {
	return get[AccessToken](ctx, s.c, Target{}, path("tokens", id), nil)
}
