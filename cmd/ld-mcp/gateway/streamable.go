package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// newStreamable returns mcp-go's streamable HTTP, told what is checked here already.
func (g *Gateway) newStreamable(m *server.MCPServer) *server.StreamableHTTPServer {
	opts := []server.StreamableHTTPOption{
		server.WithStreamableHTTPLogger(slog.New(quiet{g.cfg.Log.Handler()})),
		server.WithDisableLocalhostProtection(true), // hosts.guard is stricter
	}
	if g.cfg.Stateless {
		opts = append(opts, server.WithStateLess(true), server.WithDisableStreaming(true))
	} else {
		opts = append(opts, server.WithSessionIdManagerResolver(begun{}), server.WithSessionIdleTTL(g.cfg.Limits.Idle))
	}
	return server.NewStreamableHTTPServer(m, opts...)
}

// quiet keeps what mcp-go tells of single sessions, their ids among it, out of the log.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

// begun gives mcp-go the session that was begun or checked for a request.
type begun struct{}

type begunKey struct{}

//nolint:staticcheck // mcp-go's name
func (begun) ResolveSessionIdManager(r *http.Request) server.SessionIdManager {
	if r == nil {
		return begunSession{}
	}
	s, _ := r.Context().Value(begunKey{}).(begunSession)
	return s
}

type begunSession struct{ id string }

func (s begunSession) Generate() string { return s.id }
func (s begunSession) Validate(id string) (bool, error) {
	if id != s.id {
		return false, errSession
	}
	return false, nil
}
func (begunSession) Terminate(string) (bool, error) { return false, nil }

// message is what the gateway reads of a JSON-RPC message.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// postMCP serves POST /mcp.
func (g *Gateway) postMCP(w http.ResponseWriter, r *http.Request) {
	caller := callerOf(r.Context())
	t, leave, err := g.tenants.enter(r.Context(), caller) // first, so that nobody unknown takes a place
	if err != nil {
		g.refuseTenant(w, r, err)
		return
	}
	defer leave()
	var m message
	_ = json.Unmarshal(bodyOf(r), &m) // mcp-go says what is wrong with it
	modern := mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion))
	// From 2026-07-28 mcp-go refuses a header that is not the body's method; before, nobody looks at it.
	listens := modern && r.Header.Get(mcp.HeaderMethod) == string(mcp.MethodSubscriptionsListen)
	var ctx context.Context
	var cancel func()
	switch {
	case listens: // lives as long as its client wants, and is counted as a session
		id, err := g.sessions.begin(caller.ID, true)
		if err != nil {
			g.refuseSession(w, err)
			return
		}
		defer g.sessions.end(id)
		ctx, cancel = g.untilClosing(r.Context())
	case m.answers(): // to a question that a call waits for, so it needs no place of its own
		ctx, cancel = context.WithTimeout(r.Context(), ioTimeout)
	case !g.enterCall(w, r, caller):
		return
	default:
		defer g.calls.leave(caller.ID)
		ctx, cancel = context.WithTimeout(r.Context(), answerWithin)
	}
	defer cancel()
	if !modern && !g.cfg.Stateless {
		id, err := g.sessionOf(r, m)
		if err != nil {
			g.refuseSession(w, err)
			return
		}
		ctx = context.WithValue(ctx, begunKey{}, begunSession{id})
		if m.Method == string(mcp.MethodInitialize) {
			said := &heard{ResponseWriter: w}
			w = said
			defer func() {
				var reply message
				if json.Unmarshal(said.body.Bytes(), &reply) != nil || reply.Result == nil { // it came to nothing
					g.sessions.end(id)
				}
			}()
		}
	}
	s := newStream(w, g.cfg.Heartbeat)
	defer s.end()
	t.streamable.ServeHTTP(s, r.WithContext(ctx))
}

// heard keeps a copy of a short reply.
type heard struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (h *heard) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *heard) Write(p []byte) (int, error) {
	h.body.Write(p)
	return h.ResponseWriter.Write(p)
}

// answers reports whether a message is the client's answer to a question.
func (m message) answers() bool { return m.Method == "" && (m.Result != nil || m.Error != nil) }

// sessionOf begins a session for an initialize, and checks the one that any other message names.
func (g *Gateway) sessionOf(r *http.Request, m message) (string, error) {
	caller := callerOf(r.Context())
	if m.Method == string(mcp.MethodInitialize) {
		if g.draining.Load() {
			return "", errShutdown
		}
		return g.sessions.begin(caller.ID, false)
	}
	id := r.Header.Get(server.HeaderKeySessionID)
	if id == "" { // a single call, which needs none
		return "", nil
	}
	return id, g.sessions.touch(id, caller.ID)
}

var errNoSession = errors.New("the header Mcp-Session-Id is missing; begin with initialize")

// refuseSession says why there is no session. An unknown one is a 404, which makes clients begin anew.
func (g *Gateway) refuseSession(w http.ResponseWriter, err error) {
	status := http.StatusNotFound
	switch {
	case errors.Is(err, errNoSession):
		status = http.StatusBadRequest
	case errors.Is(err, errTooMany), errors.Is(err, errShutdown):
		status = http.StatusServiceUnavailable
	case errors.Is(err, errOfCaller):
		status = http.StatusTooManyRequests
	}
	g.refuse(w, status, "%s", sentence(err))
}

func (g *Gateway) refuseTenant(w http.ResponseWriter, r *http.Request, err error) {
	var denied *Denial
	if errors.As(err, &denied) {
		g.deny(w, r, denied)
		return
	}
	if r.Context().Err() != nil { // nobody waits for an answer
		return
	}
	g.cfg.Log.Warn("the tools of a caller are not available", "error", err)
	g.refuse(w, http.StatusBadGateway, "The tools are not available now: %v.", err)
}

// untilClosing derives a context that ends when the service closes its streams.
func (g *Gateway) untilClosing(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.closing, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// inSession leads a request that names a session at /mcp to h. From 2026-07-28 on there are none.
func (g *Gateway) inSession(h func(w http.ResponseWriter, r *http.Request, id string, t *tenant)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)) {
			w.Header().Set("Allow", http.MethodPost)
			g.refuse(w, http.StatusMethodNotAllowed, "Protocol version %s has no sessions; listen with subscriptions/listen.", mcp.ProtocolVersion20260728)
			return
		}
		caller := callerOf(r.Context())
		id := r.Header.Get(server.HeaderKeySessionID)
		if id == "" {
			g.refuseSession(w, errNoSession)
			return
		}
		if err := g.sessions.touch(id, caller.ID); err != nil {
			g.refuseSession(w, err)
			return
		}
		t, leave, err := g.tenants.enter(r.Context(), caller)
		if err != nil {
			g.refuseTenant(w, r, err)
			return
		}
		defer leave()
		h(w, r.WithContext(context.WithValue(r.Context(), begunKey{}, begunSession{id})), id, t)
	})
}

// listenMCP serves GET /mcp, the stream of what a server sends unasked. A second one of a session ends the first.
func (g *Gateway) listenMCP(w http.ResponseWriter, r *http.Request, id string, t *tenant) {
	ctx, cancel := g.untilClosing(r.Context())
	defer cancel()
	l := &listening{end: cancel, done: make(chan struct{})}
	if !g.sessions.listen(id, l) {
		g.refuseSession(w, errSession)
		return
	}
	defer g.sessions.unlisten(id, l)
	s := newStream(w, g.cfg.Heartbeat)
	defer s.end()
	t.streamable.ServeHTTP(s, r.WithContext(ctx))
}

// endMCP serves DELETE /mcp.
func (g *Gateway) endMCP(w http.ResponseWriter, r *http.Request, id string, t *tenant) {
	t.streamable.ServeHTTP(w, r)
	g.sessions.end(id)
}
