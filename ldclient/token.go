package ldclient

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"unicode"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

// Token is a LaunchDarkly access token. Every way of printing it shows its last four characters only.
type Token string

// TokenSource yields the token for the next request.
type TokenSource func() (Token, error)

// StaticToken is a source that always yields t.
func StaticToken(t Token) TokenSource { return func() (Token, error) { return t, nil } }

// String shows the last four characters of a token of ordinary length, none of a short one.
func (t Token) String() string {
	if len(t) < 12 {
		return "****"
	}
	return "****" + string(t[len(t)-4:])
}

// Format keeps every verb of package fmt from printing the token.
func (t Token) Format(f fmt.State, verb rune) { fmt.Fprint(f, t.String()) }

// GoString keeps %#v from printing the token.
func (t Token) GoString() string { return t.String() }

// MarshalJSON keeps the token out of JSON.
func (t Token) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// LogValue keeps the token out of logs.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// secret matches SDK keys, mobile keys, access tokens and Relay Proxy keys: a prefix and a UUID, or a long run of hex digits.
var secret = pattern.Of(`(?i)(sdk|mob|api|rel)-(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{20,})`)

// Mask replaces whatever in s has the shape of a LaunchDarkly secret.
func Mask(s string) string {
	if !mayHoldSecret(s) {
		return s
	}
	return secret().ReplaceAllString(s, "$1-****")
}

// mayHoldSecret spares long replies the expression, which is slow.
func mayHoldSecret(s string) bool {
	for at := 0; ; at++ {
		i := strings.IndexByte(s[at:], '-')
		if i < 0 {
			return false
		}
		if at += i; len(s)-at > 8 && isHex(s[at+1:at+9]) && at >= 3 {
			switch word := s[at-3 : at]; strings.ToLower(word) {
			case "sdk", "mob", "api", "rel":
				return true
			default:
				if strings.IndexFunc(word, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 { // the expression takes the Kelvin sign for a k
					return true
				}
			}
		}
	}
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// Fingerprint tells whether the token is the same as before, without telling
// what it is: each client makes others. It is "" while the token cannot be read.
func (c *Client) Fingerprint() string {
	t, err := c.cfg.Token()
	if err != nil || t == "" {
		return ""
	}
	h := hmac.New(sha256.New, c.print[:])
	h.Write([]byte(t))
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// mask also replaces the client's own token, whatever its shape.
func (c *Client) mask(s string) string {
	if t, err := c.cfg.Token(); err == nil && len(t) >= 12 {
		s = strings.ReplaceAll(s, string(t), t.String())
	}
	return Mask(s)
}
