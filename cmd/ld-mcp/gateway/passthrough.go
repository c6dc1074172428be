package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// Passthrough lets in whoever sends a LaunchDarkly access token, which is then
// used for their calls and no others'.
type Passthrough struct {
	key []byte // so that an id tells nothing of its token

	mu      sync.Mutex
	refused map[string]time.Time // tenants whose token LaunchDarkly does not know
}

const (
	refusedFor = 30 * time.Second
	maxRefused = 10_000
)

// NewPassthrough returns an authenticator. key is any secret of this process.
func NewPassthrough(key []byte) *Passthrough {
	return &Passthrough{key: key, refused: map[string]time.Time{}}
}

// Authenticate takes the token of a request. Whether LaunchDarkly knows it is found out when its tools are made.
func (p *Passthrough) Authenticate(r *http.Request) (Caller, *Denial) {
	if r.Header.Get("Authorization") != "" && len(r.Header.Values("Authorization")) == 1 {
		if token := r.Header.Get("Authorization"); looksLikeToken(token) { // as LaunchDarkly itself takes it
			return p.caller(ldclient.Token(token))
		}
	}
	given, denied := bearer(r)
	if denied != nil {
		denied.Message = "Send your LaunchDarkly access token in the Authorization header, as Bearer."
		return Caller{}, denied
	}
	if !looksLikeToken(given) {
		return Caller{}, unauthorized("invalid_token", "That is no LaunchDarkly access token; those begin with api-.")
	}
	return p.caller(ldclient.Token(given))
}

// looksLikeToken tells access tokens from SDK keys and from what could not be sent on in a header.
func looksLikeToken(s string) bool {
	if len(s) < 10 || len(s) > 512 || s[:4] != "api-" {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func (p *Passthrough) caller(token ldclient.Token) (Caller, *Denial) {
	m := hmac.New(sha256.New, p.key)
	m.Write([]byte("token\x00" + string(token)))
	id := hex.EncodeToString(m.Sum(nil)[:16])
	p.mu.Lock()
	defer p.mu.Unlock()
	if when, refused := p.refused[id]; refused && time.Since(when) < refusedFor {
		return Caller{}, unknownToken()
	}
	return Caller{ID: id, Tenant: id, Token: token}, nil
}

func unknownToken() *Denial {
	return unauthorized("invalid_token", "LaunchDarkly does not know this access token.")
}

// Refuse notes that LaunchDarkly does not know a caller's token, so that it is not asked again at once.
func (p *Passthrough) Refuse(c Caller) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.refused) >= maxRefused {
		maps.DeleteFunc(p.refused, func(_ string, when time.Time) bool { return time.Since(when) > refusedFor })
		if len(p.refused) >= maxRefused {
			clear(p.refused)
		}
	}
	p.refused[c.Tenant] = time.Now()
	return unknownToken()
}
