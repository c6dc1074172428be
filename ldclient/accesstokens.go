package ldclient

import (
	"context"
	"encoding/json"
)

// TokensService reads what access tokens there are.
type TokensService service

// Ending is the last few characters of a key, by which people know it again. No more than four are ever kept.
type Ending string

// UnmarshalJSON keeps the last four characters.
func (e *Ending) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if len(s) > 4 && len(s) < 12 {
		s = "" // four of these would be too many
	}
	*e = Ending(s[max(0, len(s)-4):])
	return nil
}

// TokenRecord is what the list of access tokens says of one. Its value is not decoded.
type TokenRecord struct {
	AccessToken
	Description string  `json:"description"`
	Ending      Ending  `json:"token"`
	Owner       *Person `json:"_member"` // of a service token, who made it
	Created     Millis  `json:"creationDate"`
	LastUsed    Millis  `json:"lastUsed"`
}

// List returns one page of the access tokens that the token in use may see: an administrator's sees those of all members.
func (s *TokensService) List(ctx context.Context, p Paging) (*Page[TokenRecord], error) {
	q := p.query()
	q.Set("showAll", "true")
	return get[Page[TokenRecord]](ctx, s.c, Target{}, path("tokens"), q)
}
