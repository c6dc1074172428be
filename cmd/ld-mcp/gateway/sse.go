package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// sseSession is one client of HTTP+SSE: a stream at /sse, and messages posted
// to /message. mcp-go has the same transport; this one holds a tenth of the
// memory, drops readers that stall, and can put a question to the client.
type sseSession struct {
	g      *Gateway
	id     string
	caller Caller
	tenant *tenant
	events chan []byte
	notes  chan mcp.JSONRPCNotification
	gone   context.Context // done when the stream has ended
	end    context.CancelFunc

	listens      atomic.Bool
	mu           sync.Mutex
	ready        bool
	info         mcp.Implementation
	capabilities mcp.ClientCapabilities
	protocol     string
	level        mcp.LoggingLevel
	asked        map[string]chan message // questions to the client that wait for an answer
	questions    int
}

// answerWithin is the longest that a call waits for a person; some clients say that they can ask one and never do.
const answerWithin = 10 * time.Minute

const queued = 8 // events that may wait for a slow reader before senders wait too

var (
	_ server.SessionWithClientInfo  = (*sseSession)(nil)
	_ server.SessionWithElicitation = (*sseSession)(nil)
	_ server.SessionWithLogging     = (*sseSession)(nil)
)

func (s *sseSession) SessionID() string { return s.id }
func (s *sseSession) NotificationChannel() chan<- mcp.JSONRPCNotification {
	return s.notes
}

func (s *sseSession) Initialize() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready, s.level = true, mcp.LoggingLevelError
}

func (s *sseSession) Initialized() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready
}

func (s *sseSession) GetClientInfo() mcp.Implementation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

func (s *sseSession) SetClientInfo(info mcp.Implementation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = info
}

func (s *sseSession) GetClientCapabilities() mcp.ClientCapabilities {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.capabilities
}

func (s *sseSession) SetClientCapabilities(c mcp.ClientCapabilities) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capabilities = c
}

func (s *sseSession) ProtocolVersion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.protocol
}

func (s *sseSession) SetProtocolVersion(v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.protocol = v
}

func (s *sseSession) SetLogLevel(level mcp.LoggingLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.level = level
}

func (s *sseSession) GetLogLevel() mcp.LoggingLevel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.level
}

// RequestElicitation puts a question to the client and waits for its answer.
func (s *sseSession) RequestElicitation(ctx context.Context, q mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	answer := make(chan message, 1)
	s.mu.Lock()
	s.questions++
	id := "ask-" + strconv.Itoa(s.questions)
	if s.asked == nil {
		s.asked = map[string]chan message{}
	}
	s.asked[id] = answer
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.asked, id)
	}()
	if err := s.send(mcp.JSONRPCRequest{JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(id),
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: q.Params}); err != nil {
		return nil, err
	}
	select {
	case m := <-answer:
		if len(m.Error) > 0 {
			return nil, fmt.Errorf("the client did not take the question: %s", m.Error)
		}
		var got mcp.ElicitationResult
		if err := json.Unmarshal(m.Result, &got); err != nil {
			return nil, fmt.Errorf("the client's answer is not understood: %w", err)
		}
		return &got, nil
	case <-s.gone.Done():
		return nil, errGone
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answered takes a client's answer to a question.
func (s *sseSession) answered(m message) {
	var id string
	if json.Unmarshal(m.ID, &id) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiting := s.asked[id]; waiting != nil {
		waiting <- m
		delete(s.asked, id)
	}
}

var errGone = errors.New("the client has closed its stream")

// send queues a message for the stream, and waits while the reader is slow.
func (s *sseSession) send(message any) error {
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	select {
	case s.events <- b:
		return nil
	case <-s.gone.Done():
		return errGone
	}
}

// openSSE serves GET /sse.
func (g *Gateway) openSSE(w http.ResponseWriter, r *http.Request) {
	caller := callerOf(r.Context())
	if g.draining.Load() {
		g.refuseSession(w, errShutdown)
		return
	}
	t, leave, err := g.tenants.enter(r.Context(), caller) // first, so that nobody unknown takes a place
	if err != nil {
		g.refuseTenant(w, r, err)
		return
	}
	defer leave()
	id, err := g.sessions.begin(caller.ID, true)
	if err != nil {
		g.refuseSession(w, err)
		return
	}
	defer g.sessions.end(id)
	s := &sseSession{g: g, id: id, caller: caller, tenant: t, events: make(chan []byte, queued), notes: make(chan mcp.JSONRPCNotification, queued)}
	s.gone, s.end = context.WithCancel(r.Context())
	defer s.end()
	if err := t.MCP().RegisterSession(s.gone, s); err != nil { //nolint:contextcheck // it is the request's own, until the stream ends
		g.refuse(w, http.StatusInternalServerError, "The session could not be opened: %v.", err)
		return
	}
	defer t.MCP().UnregisterSession(s.gone, id) //nolint:contextcheck // as above
	g.streams.Store(id, s)
	defer g.streams.Delete(id)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	s.serve(w)
}

// serve writes the stream until the client is gone, stalls, or the service closes.
func (s *sseSession) serve(w http.ResponseWriter) {
	conn := http.NewResponseController(w)
	write := func(format string, args ...any) bool {
		conn.SetWriteDeadline(time.Now().Add(ioTimeout))
		_, err := fmt.Fprintf(w, format, args...)
		if err == nil {
			err = conn.Flush()
		}
		conn.SetWriteDeadline(time.Time{})
		return err == nil
	}
	// The endpoint is a path alone, so no Host header can lead the client elsewhere.
	endpoint := s.g.base + "/message?sessionId=" + s.id
	if s.g.cfg.Replica != "" {
		endpoint += "&replica=" + s.g.cfg.Replica
	}
	ok := write("retry: 500\nevent: endpoint\ndata: %s\n\n", endpoint)
	beat := time.NewTimer(s.g.cfg.Heartbeat)
	defer beat.Stop()
	for ok {
		select {
		case event := <-s.events:
			ok = write("event: message\ndata: %s\n\n", event)
		case note := <-s.notes:
			b, err := json.Marshal(note)
			ok = err != nil || write("event: message\ndata: %s\n\n", b)
		case <-beat.C:
			ok = write(": ping\n\n")
		case <-s.gone.Done():
			return
		case <-s.g.closing.Done():
			s.farewell(write)
			return
		}
		beat.Reset(s.g.cfg.Heartbeat)
	}
}

// farewell writes what is queued, and why the stream ends.
func (s *sseSession) farewell(write func(string, ...any) bool) {
	for {
		select {
		case event := <-s.events:
			if !write("event: message\ndata: %s\n\n", event) {
				return
			}
		default:
			write(": %v\n\n", context.Cause(s.g.closing))
			return
		}
	}
}

// postMessage serves POST /message: the answer to a call goes over the session's stream.
func (g *Gateway) postMessage(w http.ResponseWriter, r *http.Request) {
	caller := callerOf(r.Context())
	v, ok := g.streams.Load(r.URL.Query().Get("sessionId"))
	if !ok || v.(*sseSession).caller.ID != caller.ID {
		g.refuse(w, http.StatusNotFound, "There is no such session; open a new one at %s/sse.", g.base)
		return
	}
	s := v.(*sseSession)
	if s.caller.Tenant != caller.Tenant { // the caller's rights have changed since the stream was opened
		s.end()
		g.refuse(w, http.StatusNotFound, "The rights of this session have changed; open a new one at %s/sse.", g.base)
		return
	}
	body := bodyOf(r)
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		g.refuse(w, http.StatusBadRequest, "The body is not a JSON-RPC message.")
		return
	}
	if m.answers() {
		s.answered(m)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if m.Method == string(mcp.MethodSubscriptionsListen) { // lives as long as the stream, so one is enough and it is no call
		if !s.listens.CompareAndSwap(false, true) {
			g.refuse(w, http.StatusTooManyRequests, "This stream listens already.")
			return
		}
		w.WriteHeader(http.StatusAccepted)
		ctx, cancel := g.untilClosing(context.WithoutCancel(r.Context()))
		stop := context.AfterFunc(s.gone, cancel) //nolint:contextcheck // the stream's own end
		go func() {
			defer s.listens.Store(false)
			defer cancel()
			defer stop()
			s.answer(ctx, m, body)
		}()
		return
	}
	if !g.enterCall(w, r, caller) {
		return
	}
	// The call goes on when this request has ended, and stops when the stream has.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	stop := context.AfterFunc(s.gone, cancel) //nolint:contextcheck // the stream's own end
	w.WriteHeader(http.StatusAccepted)
	go func() {
		defer g.calls.leave(caller.ID)
		defer stop()
		defer cancel()
		s.answer(ctx, m, body)
	}()
}

// answer handles one message and queues the reply.
func (s *sseSession) answer(ctx context.Context, m message, body []byte) {
	defer func() {
		if p := recover(); p != nil {
			s.g.cfg.Log.Error("a message panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if m.ID != nil {
				_ = s.send(mcp.NewJSONRPCError(mcp.NewRequestId(m.ID), mcp.INTERNAL_ERROR, "an internal error stopped the call", nil))
			}
		}
	}()
	m2 := s.tenant.MCP()
	if reply := m2.HandleMessage(m2.WithContext(ctx, s), body); reply != nil {
		_ = s.send(reply) // else the client is gone
	}
}
