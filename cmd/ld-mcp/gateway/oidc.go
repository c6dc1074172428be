package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"
)

// OIDCConfig says whose tokens are accepted, and what their groups may do.
type OIDCConfig struct {
	Issuer      string // URL of the identity provider
	Audience    string // that tokens must be issued for
	GroupsClaim string // default groups
	NameClaim   string // for the log; default email, then preferred_username, then sub
	PublicURL   string // of this service, for the metadata of RFC 9728
	Groups      map[string]Rights
	Client      *http.Client  // for the identity provider; nil for one that waits at most 10 s
	Hold        time.Duration // how long its keys are not asked for again; default 10 s
	Log         *slog.Logger
}

// Rights are what a group may do. A caller in several groups may do what any of them may.
type Rights struct {
	Write    bool
	Projects []string // keys or globs; empty for all that the operator allows
}

// OIDC lets in who sends an access token of the company's identity provider.
type OIDC struct {
	cfg      OIDCConfig
	verifier func(context.Context) (*oidc.IDTokenVerifier, error)
}

// algorithms are those whose keys an identity provider can publish; none and HMAC are not among them.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// NewOIDC checks cfg. The identity provider is asked when the first caller comes.
func NewOIDC(cfg OIDCConfig) (*OIDC, error) {
	issuer, err := url.Parse(cfg.Issuer)
	switch {
	case err != nil || issuer.Host == "" || issuer.Scheme != "https" && !(issuer.Scheme == "http" && IsLoopback(issuer.Hostname())):
		return nil, fmt.Errorf("the issuer %q is not an https address", cfg.Issuer)
	case cfg.Audience == "":
		return nil, errors.New("the audience that tokens must be issued for is missing")
	case len(cfg.Groups) == 0:
		return nil, errors.New("no group may do anything; name at least one")
	case cfg.PublicURL == "":
		return nil, errors.New("the address that callers know this service by is missing")
	}
	cfg.GroupsClaim = cmp.Or(cfg.GroupsClaim, "groups")
	o := &OIDC{cfg: cfg}
	o.verifier = o.discover()
	return o, nil
}

// discover asks the identity provider for its keys once, and again after a
// failure. Callers that come meanwhile wait for the same answer, each as long as it likes.
func (o *OIDC) discover() func(context.Context) (*oidc.IDTokenVerifier, error) {
	var found atomic.Pointer[oidc.IDTokenVerifier]
	var asking singleflight.Group
	client := o.cfg.Client
	if client == nil {
		client = &http.Client{Timeout: tenantWithin, Transport: &sparing{next: http.DefaultTransport, hold: cmp.Or(o.cfg.Hold, 10*time.Second)}}
	}
	ask := func() (any, error) {
		if v := found.Load(); v != nil {
			return v, nil
		}
		ctx := oidc.ClientContext(context.Background(), client) // the keys outlive the request
		p, err := oidc.NewProvider(ctx, o.cfg.Issuer)
		if err != nil {
			if o.cfg.Log != nil {
				o.cfg.Log.Warn("the identity provider cannot be used", "error", err)
			}
			time.Sleep(time.Second) // whoever comes meanwhile gets this answer
			return nil, err
		}
		v := p.VerifierContext(ctx, &oidc.Config{ClientID: o.cfg.Audience, SupportedSigningAlgs: algorithms})
		found.Store(v)
		return v, nil
	}
	return func(ctx context.Context) (*oidc.IDTokenVerifier, error) {
		if v := found.Load(); v != nil {
			return v, nil
		}
		select {
		case got := <-asking.DoChan("", ask):
			v, _ := got.Val.(*oidc.IDTokenVerifier)
			return v, got.Err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// sparing answers a request for the same address from memory for a while, so
// that tokens with made-up key ids cost the identity provider nothing.
type sparing struct {
	next http.RoundTripper
	hold time.Duration

	mu    sync.Mutex
	known map[string]spared
}

type spared struct {
	at     time.Time
	header http.Header
	body   []byte
}

func (s *sparing) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	x, ok := s.known[r.URL.String()]
	s.mu.Unlock()
	if !ok || time.Since(x.at) > s.hold {
		resp, err := s.next.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		defer resp.Body.Close()
		x = spared{at: time.Now(), header: resp.Header}
		if x.body, err = io.ReadAll(io.LimitReader(resp.Body, maxRequest)); err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.known == nil {
			s.known = map[string]spared{}
		}
		s.known[r.URL.String()] = x // discovery and keys are all that is asked for
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: x.header.Clone(),
		Body: io.NopCloser(bytes.NewReader(x.body)), ContentLength: int64(len(x.body)), Request: r}, nil
}

// Authenticate checks the token of a request: issuer, audience, expiry, signature, and that a group of it is known.
func (o *OIDC) Authenticate(r *http.Request) (Caller, *Denial) {
	raw, denied := bearer(r)
	if denied != nil {
		denied.Message = "Send an access token of your identity provider in the Authorization header, as Bearer."
		denied.Challenge = o.challenge("", "")
		return Caller{}, denied
	}
	ctx, cancel := context.WithTimeout(r.Context(), tenantWithin)
	defer cancel()
	v, err := o.verifier(ctx)
	if err != nil {
		return Caller{}, &Denial{Status: http.StatusServiceUnavailable, Message: "The identity provider cannot be reached; try again later."}
	}
	token, err := v.Verify(ctx, raw)
	if err != nil {
		why := whyInvalid(err)
		return Caller{}, &Denial{Status: http.StatusUnauthorized, Challenge: o.challenge("invalid_token", why), Message: why}
	}
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil || token.Subject == "" {
		return Caller{}, &Denial{Status: http.StatusUnauthorized, Challenge: o.challenge("invalid_token", "The token names no subject."), Message: "The token names no subject."}
	}
	rights, ok := o.rights(groupsIn(claims[o.cfg.GroupsClaim]))
	if !ok {
		why := "None of the groups in the token may use this service; ask whoever runs it."
		return Caller{}, &Denial{Status: http.StatusForbidden, Challenge: o.challenge("insufficient_scope", why), Message: why}
	}
	name := token.Subject
	for _, claim := range []string{o.cfg.NameClaim, "email", "preferred_username"} {
		var said string
		if claim == "" || json.Unmarshal(claims[claim], &said) != nil || said == "" || claim == "email" && string(claims["email_verified"]) == "false" {
			continue
		}
		name = said + " (" + token.Subject + ")" // the subject alone is the provider's own
		break
	}
	return Caller{ID: "oidc:" + token.Subject, Name: name, Tenant: rights.id(), Rights: &rights}, nil
}

// whyInvalid says what is wrong with a token without repeating anything of it.
func whyInvalid(err error) string {
	var expired *oidc.TokenExpiredError
	text := err.Error()
	switch {
	case errors.As(err, &expired):
		return "The token has expired."
	case strings.Contains(text, "different provider"), strings.Contains(text, "issuer"):
		return "The token is of another issuer."
	case strings.Contains(text, "audience"):
		return "The token is for another audience."
	case strings.Contains(text, "before the nbf"):
		return "The token is not valid yet."
	case strings.Contains(text, "malformed"):
		return "That is no token."
	}
	return "The token's signature does not hold."
}

// groupsIn reads a claim that holds one group or several.
func groupsIn(claim json.RawMessage) []string {
	var several []string
	if json.Unmarshal(claim, &several) == nil {
		return several
	}
	var one string
	if json.Unmarshal(claim, &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}

// rights are what any of the groups may do. Where one may write only in some
// projects and another only read elsewhere, what may be written is what counts for writing.
func (o *OIDC) rights(groups []string) (Rights, bool) {
	var all []Rights
	for _, g := range groups {
		if r, ok := o.cfg.Groups[g]; ok {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return Rights{}, false
	}
	out := Rights{Write: slices.ContainsFunc(all, func(r Rights) bool { return r.Write })}
	for _, r := range all {
		if out.Write && !r.Write {
			continue // reading elsewhere would become writing elsewhere
		}
		if len(r.Projects) == 0 {
			out.Projects = nil
			return out, true
		}
		out.Projects = append(out.Projects, r.Projects...)
	}
	slices.Sort(out.Projects)
	out.Projects = slices.Compact(out.Projects)
	return out, true
}

func (r Rights) id() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return "rights:" + string(b)
}

// challenge tells a client where to get a token, as RFC 9728 has it.
func (o *OIDC) challenge(code, message string) string {
	out := fmt.Sprintf(`Bearer realm="ld-mcp", resource_metadata=%q`, o.metadataURL())
	if code != "" {
		out += fmt.Sprintf(`, error=%q, error_description=%q`, code, message)
	}
	return out
}

const metadataPath = "/.well-known/oauth-protected-resource"

// metadataURL is where the metadata of the service's /mcp is: the well-known path comes before the resource's own.
func (o *OIDC) metadataURL() string {
	u, err := url.Parse(strings.TrimRight(o.cfg.PublicURL, "/") + "/mcp")
	if err != nil {
		return ""
	}
	u.Path = metadataPath + u.Path
	return u.String()
}

// metadata serves what RFC 9728 asks of a protected resource.
func (o *OIDC) metadata(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "max-age=3600")
	_ = json.NewEncoder(w).Encode(map[string]any{ // else the client is gone
		"resource":                 strings.TrimRight(o.cfg.PublicURL, "/") + "/mcp",
		"authorization_servers":    []string{o.cfg.Issuer},
		"bearer_methods_supported": []string{"header"},
		"resource_name":            "ld-mcp",
	})
}
