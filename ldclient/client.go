// Package ldclient is a client for the parts of LaunchDarkly's REST API that
// ld-mcp uses: one file per resource, each method one or a few requests.
package ldclient

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Regions maps the name of a LaunchDarkly instance to its address.
var Regions = map[string]string{
	"us":      "https://app.launchdarkly.com",
	"eu":      "https://app.eu.launchdarkly.com",
	"federal": "https://app.launchdarkly.us",
}

// Config holds everything New needs. The client reads no environment variables
// and makes no request until a method is called.
type Config struct {
	Token     TokenSource       // asked once a request, so that a rotated token is picked up
	BaseURL   string            // default Regions["us"]; https, or http to loopback
	UserAgent string            // default "ld-mcp"
	Transport http.RoundTripper // default a clone of http.DefaultTransport
	ReadOnly  bool              // refuse every call that would change something
	Cache     time.Duration     // how old the reply to a harmless read may be; default 0, none is kept
	MaxBody   int64             // of a reply, in bytes after decompression; default 64 MB
	Scope     Scope             // refuse every call outside it
	Log       *slog.Logger      // one debug line a request; default none
	Retried   func()            // called before a request is sent again
}

// Client talks to one LaunchDarkly account. It is safe for concurrent use.
type Client struct {
	Flags          *FlagsService
	Segments       *SegmentsService
	AuditLog       *AuditLogService
	Projects       *ProjectsService
	Environments   *EnvironmentsService
	Contexts       *ContextsService
	Identity       *IdentityService
	Approvals      *ApprovalsService
	Scheduled      *ScheduledChangesService
	Triggers       *TriggersService
	Members        *MembersService
	Teams          *TeamsService
	Roles          *RolesService
	CodeRefs       *CodeRefsService
	Releases       *ReleasesService
	Metrics        *MetricsService
	Experiments    *ExperimentsService
	AIConfigs      *AIConfigsService
	AITools        *AIToolsService
	PromptSnippets *PromptSnippetsService
	ModelConfigs   *ModelConfigsService
	AgentGraphs    *AgentGraphsService
	Views          *ViewsService
	FlagLinks      *FlagLinksService
	Followers      *FollowersService
	Applications   *ApplicationsService
	Tokens         *TokensService
	Webhooks       *WebhooksService
	Integrations   *IntegrationsService
	Destinations   *DestinationsService
	Relay          *RelayService
	Usage          *UsageService
	Insights       *InsightsService
	API            *APIService

	cfg Config
	*account
}

// account is what all clients of one token share.
type account struct {
	base    *url.URL
	http    *retryablehttp.Client
	limiter *limiter
	reads   *reads
	order   *order
	written writtenParts // of AI configs
	print   [32]byte     // key of fingerprints
	spec    apiDocument
}

type service struct{ c *Client }

// New checks cfg and returns a client. It makes no request.
func New(cfg Config) (*Client, error) {
	if cfg.Token == nil {
		return nil, errors.New("ldclient: no access token")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = Regions["us"]
	}
	base, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	for _, globs := range [][]string{cfg.Scope.Projects, cfg.Scope.Environments} {
		if err := CheckGlobs(globs); err != nil {
			return nil, err
		}
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "ld-mcp"
	}
	if cfg.Transport == nil {
		cfg.Transport = DefaultTransport()
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = maxBody
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &account{base: base, http: newRetrier(cfg.Transport), limiter: newLimiter(), reads: newReads(cfg.Cache, cfg.MaxBody), order: newOrder(), spec: newAPIDocument()}
	rand.Read(a.print[:])
	if cfg.Retried != nil {
		a.http.RequestLogHook = func(_ retryablehttp.Logger, _ *http.Request, attempt int) {
			if attempt > 0 {
				cfg.Retried()
			}
		}
	}
	return newClient(cfg, a), nil
}

// Narrow returns a client of the same account that is allowed less: what c and
// s both allow, and no writes if readOnly. Check s with CheckGlobs first; a glob
// that cannot be read allows nothing.
func (c *Client) Narrow(readOnly bool, s Scope) *Client {
	cfg := c.cfg
	cfg.ReadOnly = cfg.ReadOnly || readOnly
	cfg.Scope = cfg.Scope.And(s)
	return newClient(cfg, c.account)
}

func newClient(cfg Config, a *account) *Client {
	c := &Client{cfg: cfg, account: a}
	s := service{c}
	c.Flags = (*FlagsService)(&s)
	c.Segments = (*SegmentsService)(&s)
	c.AuditLog = (*AuditLogService)(&s)
	c.Projects = (*ProjectsService)(&s)
	c.Environments = (*EnvironmentsService)(&s)
	c.Contexts = (*ContextsService)(&s)
	c.Identity = (*IdentityService)(&s)
	c.Approvals = (*ApprovalsService)(&s)
	c.Scheduled = (*ScheduledChangesService)(&s)
	c.Triggers = (*TriggersService)(&s)
	c.Members = (*MembersService)(&s)
	c.Teams = (*TeamsService)(&s)
	c.Roles = (*RolesService)(&s)
	c.CodeRefs = (*CodeRefsService)(&s)
	c.Releases = (*ReleasesService)(&s)
	c.Metrics = (*MetricsService)(&s)
	c.Experiments = (*ExperimentsService)(&s)
	c.AIConfigs = (*AIConfigsService)(&s)
	c.AITools = (*AIToolsService)(&s)
	c.PromptSnippets = (*PromptSnippetsService)(&s)
	c.ModelConfigs = (*ModelConfigsService)(&s)
	c.AgentGraphs = (*AgentGraphsService)(&s)
	c.Views = (*ViewsService)(&s)
	c.FlagLinks = (*FlagLinksService)(&s)
	c.Followers = (*FollowersService)(&s)
	c.Applications = (*ApplicationsService)(&s)
	c.Tokens = (*TokensService)(&s)
	c.Webhooks = (*WebhooksService)(&s)
	c.Integrations = (*IntegrationsService)(&s)
	c.Destinations = (*DestinationsService)(&s)
	c.Relay = (*RelayService)(&s)
	c.Usage = (*UsageService)(&s)
	c.Insights = (*InsightsService)(&s)
	c.API = (*APIService)(&s)
	return c
}

// DefaultTransport is how a client sends requests unless it is told otherwise.
func DefaultTransport() http.RoundTripper {
	return transport{sync.OnceValue(func() *http.Transport {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = maxInFlight
		return t
	})}
}

// transport readies TLS and HTTP/2 for its first request, since nobody's start should wait for them.
type transport struct{ ready func() *http.Transport }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.ready().RoundTrip(r) }

// CloseIdleConnections is what http.Client asks for.
func (t transport) CloseIdleConnections() { t.ready().CloseIdleConnections() }

// Scope returns the projects and environments that the client may touch.
func (c *Client) Scope() Scope { return c.cfg.Scope }

// BaseURL returns the address of the LaunchDarkly instance, without a trailing slash.
func (c *Client) BaseURL() string { return c.base.String() }

// RateLimit returns what LaunchDarkly's latest reply said of the rate limit.
func (c *Client) RateLimit() RateLimit { return c.limiter.last() }

// ServerTime returns the earliest and the latest time that LaunchDarkly's clock
// may have shown at a time of this machine's clock, as far as its latest reply tells.
func (c *Client) ServerTime(at time.Time) (earliest, latest time.Time) {
	return c.limiter.serverTime(at)
}

// parseBase refuses an address that would send the token in clear text across a network.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(raw, "/"))
	switch {
	case err != nil:
		return nil, fmt.Errorf("base URL %q is not a URL; write it like %s", Mask(raw), Regions["us"])
	case u.Host == "" || !slices.Contains([]string{"https", "http"}, u.Scheme):
		return nil, fmt.Errorf("base URL %q must begin with https://, like %s", Mask(raw), Regions["us"])
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("base URL for %s must hold no user, query or fragment; write it like %s", u.Host, Regions["us"])
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("base URL %q would send the access token unencrypted; use https://", raw)
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/api/v2")
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Millis is an instant as LaunchDarkly writes most of them: ms since the epoch, 0 for never.
type Millis int64

// Time converts m; the zero Millis is the zero Time.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// String formats m as RFC 3339 in UTC, "" for never.
func (m Millis) String() string {
	if m == 0 {
		return ""
	}
	return m.Time().Format(time.RFC3339)
}
