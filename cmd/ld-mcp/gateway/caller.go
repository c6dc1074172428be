package gateway

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/tools"
)

// Caller is who sends a request.
type Caller struct {
	ID     string         // for sessions and limits; never shown
	Name   string         // for the log and the audit file
	Tenant string         // callers of one tenant are served with the same Tenant
	Rights *Rights        // what the identity provider's groups allow; nil for whatever the operator does
	Token  ldclient.Token // the caller's own LaunchDarkly access token, with passthrough
}

// Authenticator tells who sends a request, or why they are not let in.
type Authenticator interface {
	Authenticate(*http.Request) (Caller, *Denial)
}

// Denial is the answer to a request that is not let in.
type Denial struct {
	Status    int
	Challenge string // WWW-Authenticate
	Message   string
}

func (d *Denial) Error() string { return d.Message }

type callerKey struct{}

func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// authenticated lets known callers through to h, with who they are in the context.
func (g *Gateway) authenticated(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := Caller{ID: "anyone"}
		if g.cfg.Authenticate != nil {
			var denied *Denial
			if caller, denied = g.cfg.Authenticate.Authenticate(r); denied != nil {
				g.deny(w, r, denied)
				return
			}
		}
		ctx := context.WithValue(r.Context(), callerKey{}, caller)
		ctx = ldclient.WithCaller(ctx, caller.ID)
		if caller.Name != "" {
			ctx = tools.WithPerson(ctx, caller.Name)
		}
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (g *Gateway) deny(w http.ResponseWriter, r *http.Request, d *Denial) {
	if d.Challenge != "" {
		w.Header().Set("WWW-Authenticate", d.Challenge)
	}
	if g.cfg.Metrics != nil {
		g.cfg.Metrics.refused(d.Status)
	}
	g.cfg.Log.Info("not let in", "status", d.Status, "why", d.Message, "from", g.hosts.client(r))
	g.refuse(w, d.Status, "%s", d.Message)
}

// tenant is a Tenant with its transports.
type tenant struct {
	Tenant
	streamable *server.StreamableHTTPServer
	made       chan struct{} // closed once it is, or err says why not
	err        error
	used       time.Time
	busy       int // requests and streams in progress, and its making
}

// tenants are those in use, one for all callers or one for each of their rights.
type tenants struct {
	g       *Gateway
	mu      sync.Mutex
	known   map[string]*tenant
	making  chan struct{} // one slot for each that is being made: each costs a request to LaunchDarkly
	closing sync.WaitGroup
}

const (
	tenantWithin = 10 * time.Second
	makesAtOnce  = 16
)

// enter returns the tenant of a caller, and what to call when the request ends.
func (t *tenants) enter(ctx context.Context, c Caller) (*tenant, func(), error) {
	x, err := t.of(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		x.busy--
		x.used = time.Now()
	}
	select {
	case <-x.made:
	case <-ctx.Done():
		leave()
		return nil, nil, ctx.Err()
	}
	if x.err != nil {
		leave()
		return nil, nil, x.err
	}
	return x, leave, nil
}

// of finds the tenant of a caller or begins to make it, and counts the request that asks.
func (t *tenants) of(ctx context.Context, c Caller) (*tenant, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.known[c.Tenant]
	if x == nil {
		select {
		case t.making <- struct{}{}:
		default:
			return nil, &Denial{Status: http.StatusTooManyRequests, Message: "Too many callers come in at once; try again."}
		}
		if t.makeRoom(); len(t.known) >= t.g.cfg.Limits.Tenants { //nolint:contextcheck // what is dropped ends by itself
			<-t.making
			return nil, &Denial{Status: http.StatusServiceUnavailable, Message: "Too many callers are connected; try again later."}
		}
		x = &tenant{made: make(chan struct{}), busy: 1}
		t.known[c.Tenant] = x
		go t.make(context.WithoutCancel(ctx), x, c) // others may wait for it when this request has ended
	}
	x.busy++
	return x, nil
}

// make fills in a tenant. One that could not be made is forgotten, so that the next request tries again.
func (t *tenants) make(ctx context.Context, x *tenant, c Caller) {
	ctx, cancel := context.WithTimeout(ctx, tenantWithin)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			x.err = fmt.Errorf("an internal error: %v", p)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if x.err != nil && t.known[c.Tenant] == x {
			delete(t.known, c.Tenant)
		}
		x.busy--
		x.used = time.Now()
		<-t.making
		close(x.made)
	}()
	if x.Tenant, x.err = t.g.cfg.Tenant(ctx, c); x.err == nil {
		x.streamable = t.g.newStreamable(x.MCP())
	}
}

// makeRoom drops the tenants that were not used for long, and the one that waits longest where there are too many.
func (t *tenants) makeRoom() {
	oldest := ""
	for id, x := range t.known {
		if x.busy > 0 {
			continue
		}
		if time.Since(x.used) > t.g.cfg.Limits.Idle {
			t.drop(id)
		} else if oldest == "" || x.used.Before(t.known[oldest].used) {
			oldest = id
		}
	}
	if len(t.known) >= t.g.cfg.Limits.Tenants && oldest != "" {
		t.drop(oldest)
	}
}

// drop forgets a tenant and ends it beside, since its last lines of the audit file may take a while.
func (t *tenants) drop(id string) {
	x := t.known[id]
	delete(t.known, id)
	t.closing.Go(func() {
		_ = x.streamable.Shutdown(context.Background()) // it serves on no listener, so there is nothing to wait for
		if err := x.Close(); err != nil {
			t.g.cfg.Log.Warn("the tools of a caller did not close well", "error", err)
		}
	})
}

// closeAll ends all tenants, once no call is in progress.
func (t *tenants) closeAll() {
	t.mu.Lock()
	for id, x := range t.known {
		select {
		case <-x.made:
			t.drop(id)
		default: // it is being made for a request that was cut off
		}
	}
	t.mu.Unlock()
	t.closing.Wait()
}
