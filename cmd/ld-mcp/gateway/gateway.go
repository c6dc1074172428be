// Package gateway serves the tools over HTTP to many callers: streamable HTTP
// at /mcp, and the older HTTP+SSE at /sse and /message.
package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

// Tenant is what callers of the same rights are served with; a tools.Server is one.
type Tenant interface {
	MCP() *server.MCPServer
	Close() error
}

// Config is what the operator decides.
type Config struct {
	Authenticate Authenticator                                 // nil lets everyone in
	Tenant       func(context.Context, Caller) (Tenant, error) // what a caller gets; asked once a Caller.Tenant
	PublicURL    string                                        // where callers reach the service; its path comes before every route
	Hosts        []string                                      // Host headers to accept besides this machine's own and PublicURL's
	Origins      []string                                      // Origins to accept besides this machine's own
	Proxies      []netip.Prefix                                // peers whose X-Forwarded headers count
	Stateless    bool                                          // keep no sessions at /mcp
	Key          []byte                                        // signs session ids, so that replicas know each other's; random if not given
	Replica      string                                        // goes with the address for messages of an /sse stream, so that a proxy finds this process again
	Limits       Limits
	Heartbeat    time.Duration // of an idle event stream; default 20 s
	Ready        func(context.Context) error
	Metrics      *Metrics // served at /metrics to those who may call; nil for none
	Log          *slog.Logger
}

// Limits bound what callers may hold at once. Zero is the default.
type Limits struct {
	Sessions          int           // of all callers; default 2,000
	SessionsPerCaller int           // default 500
	Calls             int           // in progress, of all callers; default 512
	CallsPerCaller    int           // default 64
	Connections       int           // of clients; default two for each session and 500 more
	Tenants           int           // default 1,000
	Idle              time.Duration // after which a session without a stream is forgotten; default 30 min
	Farewell          time.Duration // for calls in progress at shutdown; default 10 s
}

const (
	maxRequest = 1 << 20          // bytes of a request's body
	maxBodies  = 256 << 20        // bytes of all bodies that are held at once
	heartbeat  = 20 * time.Second // proxies and clients drop a silent stream after half a minute or more
	ioTimeout  = 30 * time.Second // to read one body, or to write one piece of a reply
)

func (l *Limits) fill() {
	l.Sessions = cmp.Or(l.Sessions, 2000)
	l.SessionsPerCaller = cmp.Or(l.SessionsPerCaller, 500)
	l.Calls = cmp.Or(l.Calls, 512)
	l.CallsPerCaller = cmp.Or(l.CallsPerCaller, 64)
	l.Connections = cmp.Or(l.Connections, 2*l.Sessions+500)
	l.Tenants = cmp.Or(l.Tenants, 1000)
	l.Idle = cmp.Or(l.Idle, 30*time.Minute)
	l.Farewell = cmp.Or(l.Farewell, 10*time.Second)
}

// replicaName holds nothing that means more than itself in a URL or in a proxy's configuration.
var replicaName = pattern.Of(`^[A-Za-z0-9._-]{0,63}$`)

// Gateway is the service.
type Gateway struct {
	http.Handler
	cfg      Config
	base     string // path before every route, "" or /like-this
	hosts    hosts
	tenants  tenants
	sessions *sessions
	calls    calls
	bodies   bodies
	streams  sync.Map // id of an /sse session: *sseSession
	closing  context.Context
	close    context.CancelCauseFunc // ends the streams
	draining atomic.Bool
	ready    readiness
}

// New checks cfg and returns a service that is not yet listening.
func New(cfg Config) (*Gateway, error) {
	cfg.Limits.fill()
	if cfg.Authenticate == nil { // then all callers are one
		cfg.Limits.SessionsPerCaller, cfg.Limits.CallsPerCaller = cfg.Limits.Sessions, cfg.Limits.Calls
	}
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, heartbeat)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if len(cfg.Key) == 0 {
		cfg.Key = make([]byte, 32)
		rand.Read(cfg.Key)
	}
	if !replicaName().MatchString(cfg.Replica) {
		return nil, fmt.Errorf("%q is not the name of a replica; write at most 63 letters, digits, dots, hyphens and underscores", cfg.Replica)
	}
	if cfg.Tenant == nil {
		return nil, errors.New("gateway: no tools")
	}
	g := &Gateway{cfg: cfg}
	var err error
	if g.hosts, g.base, err = hostsOf(cfg); err != nil {
		return nil, err
	}
	g.closing, g.close = context.WithCancelCause(context.Background())
	g.tenants.g, g.calls.limits = g, cfg.Limits
	g.tenants.known, g.tenants.making = map[string]*tenant{}, make(chan struct{}, makesAtOnce)
	g.bodies.held = semaphore.NewWeighted(maxBodies)
	g.ready.turn = make(chan struct{}, 1)
	g.sessions = newSessions(cfg.Key, cfg.Limits)
	mux := http.NewServeMux()
	route := func(pattern string, h http.Handler) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" "+g.base+path, h)
	}
	route("POST /mcp", g.authenticated(g.bodies.read(http.HandlerFunc(g.postMCP))))
	if !cfg.Stateless {
		route("GET /mcp", g.authenticated(openEnded(g.inSession(g.listenMCP))))
		route("DELETE /mcp", g.authenticated(g.inSession(g.endMCP)))
	}
	route("GET /sse", g.authenticated(openEnded(http.HandlerFunc(g.openSSE))))
	route("POST /message", g.authenticated(g.bodies.read(http.HandlerFunc(g.postMessage))))
	route("GET /healthz", http.HandlerFunc(g.healthz))
	route("GET /readyz", http.HandlerFunc(g.readyz))
	if cfg.Metrics != nil {
		cfg.Metrics.watch(g)
		if _, anyToken := cfg.Authenticate.(*Passthrough); !anyToken { // it knows no token before LaunchDarkly was asked
			route("GET /metrics", g.authenticated(cfg.Metrics.Handler()))
		}
	}
	if o, ok := cfg.Authenticate.(*OIDC); ok { // the well-known path comes before the service's own
		mux.HandleFunc("GET "+metadataPath+g.base+"/mcp", o.metadata)
		mux.HandleFunc("GET "+metadataPath, o.metadata)
	}
	g.Handler = g.hosts.guard(mux)
	return g, nil
}

// errShutdown is why streams end when the service does.
var errShutdown = errors.New("the server is shutting down; connect again")

// drain waits for calls in progress, then ends the streams with a reason.
func (g *Gateway) drain() {
	g.draining.Store(true)
	if !g.calls.wait(g.cfg.Limits.Farewell) {
		g.cfg.Log.Warn("calls in progress were cut off")
	}
	g.close(errShutdown)
	g.tenants.closeAll()
}

func (g *Gateway) refuse(w http.ResponseWriter, status int, format string, args ...any) {
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, fmt.Sprintf(format, args...), status)
}

// enterCall counts a call, and refuses it where there is no place for it.
func (g *Gateway) enterCall(w http.ResponseWriter, r *http.Request, c Caller) bool {
	ok := g.calls.enter(r.Context(), c.ID)
	if !ok {
		g.refuse(w, http.StatusTooManyRequests, "Too many calls are in progress; wait for one to end.")
	}
	return ok
}
