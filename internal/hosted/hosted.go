// Package hosted is a client of an MCP server that LaunchDarkly hosts. It reads
// what the server says leniently and within bounds, and judges nothing of it.
package hosted

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

const (
	maxBody   = 8 << 20 // of a reply, in bytes
	maxPages  = 20      // of a list of tools
	farewells = 500 * time.Millisecond
)

// Config is what a Server needs.
type Config struct {
	URL       string
	Transport http.RoundTripper // adds the access token
	Version   string            // of this program
}

// Server is a hosted MCP server. Nothing is sent until a method is called. It is safe for concurrent use.
type Server struct {
	cfg  Config
	host string
	http *http.Client

	turn    chan struct{} // held while a session begins
	current *session      // nil before the first, and after one was lost; guarded by turn
	tokens  atomic.Int64
	watched sync.Map // progress token to watcher
}

type session struct {
	client *client.Client
	stream *transport.StreamableHTTP
}

// New returns a client of the server at cfg.URL, which must be a URL.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, host: cfg.URL, turn: make(chan struct{}, 1)}
	if u, err := url.Parse(cfg.URL); err == nil {
		s.host = u.Host
	}
	s.http = &http.Client{
		Transport:     &door{s.host, cfg.Transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

// Host names the server for people.
func (s *Server) Host() string { return s.host }

// Tool is a tool as the server describes it.
type Tool struct {
	Name, Title, Description                     string
	InputSchema                                  json.RawMessage
	ReadOnly, Destructive, Idempotent, OpenWorld *bool // nil where the server does not say
}

// Tools reads the list of all tools. What is not a tool at all is left out.
func (s *Server) Tools(ctx context.Context) ([]Tool, error) {
	out, err := s.list(ctx)
	if lost(err) {
		out, err = s.list(ctx)
	}
	return out, err
}

func (s *Server) list(ctx context.Context) ([]Tool, error) {
	t := &trip{}
	ctx = context.WithValue(ctx, tripKey{}, t)
	at, err := s.session(ctx)
	if err != nil {
		return nil, s.failure(ctx, t, err)
	}
	var out []Tool
	var req mcp.ListToolsRequest
	for range maxPages {
		t.result = nil
		if _, err := at.client.ListToolsByPage(ctx, req); err != nil {
			return nil, s.failed(ctx, t, err, at)
		}
		var page struct {
			Tools      []json.RawMessage
			NextCursor mcp.Cursor
		}
		if json.Unmarshal(t.result, &page) != nil || page.Tools == nil {
			return nil, s.failed(ctx, t, errNoTools, at)
		}
		for _, raw := range page.Tools {
			if tool, ok := readTool(raw); ok {
				out = append(out, tool)
			}
		}
		if page.NextCursor == "" || page.NextCursor == req.Params.Cursor {
			break
		}
		req.Params.Cursor = page.NextCursor
	}
	return out, nil
}

var errNoTools = errors.New("its list of tools is none")

func readTool(raw json.RawMessage) (Tool, bool) {
	var in struct {
		Name, Title, Description string
		InputSchema              json.RawMessage
		Annotations              struct {
			Title                                                        string
			ReadOnlyHint, DestructiveHint, IdempotentHint, OpenWorldHint *bool
		}
	}
	if json.Unmarshal(raw, &in) != nil || in.Name == "" {
		return Tool{}, false
	}
	if in.Title == "" {
		in.Title = in.Annotations.Title
	}
	a := in.Annotations
	return Tool{in.Name, in.Title, in.Description, in.InputSchema, a.ReadOnlyHint, a.DestructiveHint, a.IdempotentHint, a.OpenWorldHint}, true
}

// Result is what a tool answered.
type Result struct {
	IsError    bool
	Content    []Content
	Structured json.RawMessage // nil when there is none
}

// Content is one part of an answer.
type Content struct {
	Type, Text, Data, MIMEType, URI, Name string
	Resource                              *struct{ URI, MIMEType, Text, Blob string }
}

// Progress is how far a call is. Its numbers grow; total is 0 where it is not known.
type Progress func(done, total float64, message string)

// Call calls a tool. A call that writes is sent once at most; any other once more when the session was lost before.
func (s *Server) Call(ctx context.Context, tool string, arguments map[string]any, writes bool, progress Progress) (*Result, error) {
	out, err := s.call(ctx, tool, arguments, progress)
	if lost(err) && !writes {
		out, err = s.call(ctx, tool, arguments, progress)
	}
	return out, err
}

func (s *Server) call(ctx context.Context, tool string, arguments map[string]any, progress Progress) (*Result, error) {
	t := &trip{}
	ctx = context.WithValue(ctx, tripKey{}, t)
	at, err := s.session(ctx)
	if err != nil {
		return nil, s.failure(ctx, t, err)
	}
	t.sent.Store(false) // of the call itself
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, arguments
	if progress != nil {
		token := s.tokens.Add(1)
		w := &watcher{tell: progress}
		s.watched.Store(token, w)
		defer w.end()
		defer s.watched.Delete(token)
		req.Params.Meta = &mcp.Meta{ProgressToken: token}
	}
	if _, err := at.client.CallTool(ctx, req); err != nil {
		return nil, s.failed(ctx, t, err, at)
	}
	var got struct {
		ResultType        string
		IsError           bool
		Content           []json.RawMessage
		StructuredContent json.RawMessage
	}
	if err := json.Unmarshal(t.result, &got); err != nil {
		return nil, s.failed(ctx, t, errors.New("its answer is none of a tool"), at)
	}
	if got.ResultType == "input_required" {
		return nil, &Error{Host: s.host, Kind: Asks, Message: "the tool asks its caller something, which is not passed on", Sent: true}
	}
	out := &Result{IsError: got.IsError}
	if string(got.StructuredContent) != "null" {
		out.Structured = got.StructuredContent
	}
	for _, raw := range got.Content {
		var c Content
		if json.Unmarshal(raw, &c) != nil {
			c = Content{Type: "unknown"}
		}
		out.Content = append(out.Content, c)
	}
	return out, nil
}

// session returns the session there is, or begins one.
func (s *Server) session(ctx context.Context) (*session, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.current != nil {
		return s.current, nil
	}
	silent := slog.New(slog.DiscardHandler) // failures are returned, and the server's words must not get into a log unmasked
	stream, err := transport.NewStreamableHTTP(s.cfg.URL, transport.WithHTTPBasicClient(s.http), transport.WithHTTPLogger(silent))
	if err != nil {
		return nil, err
	}
	c := client.NewClient(&tap{stream}, client.WithMaxInputRoundTrips(1))
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	c.OnNotification(s.notified)
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	hello.Params.ClientInfo = mcp.Implementation{Name: "ld-mcp", Version: s.cfg.Version}
	if _, err := c.Initialize(ctx, hello); err != nil {
		return nil, err
	}
	s.current = &session{c, stream}
	return s.current, nil
}

// forget gives up a session that the server does not know any more.
func (s *Server) forget(was *session) {
	s.turn <- struct{}{}
	if s.current == was {
		s.current = nil
	}
	<-s.turn
}

// Close ends the session. It waits a moment at most for the server.
func (s *Server) Close() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.turn <- struct{}{}
		at := s.current
		s.current = nil
		<-s.turn
		if at != nil {
			at.client.Close()
		}
	}()
	select {
	case <-ended:
	case <-time.After(farewells):
	}
}

// watcher passes the progress of one call on, the latest now and then, until the call ends.
type watcher struct {
	mu      sync.Mutex
	tell    Progress // nil once the call has ended
	done    float64
	total   float64
	message string
	soon    *time.Timer // nil while there is nothing to tell
}

// tellEvery keeps the last words of a call from overtaking its reply, which mostly comes right behind them.
const tellEvery = 100 * time.Millisecond

func (w *watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell = nil
	if w.soon != nil {
		w.soon.Stop()
	}
}

func (w *watcher) note(done, total float64, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tell == nil || done <= w.done {
		return
	}
	w.done, w.total, w.message = done, total, message
	if w.soon != nil {
		return
	}
	w.soon = time.AfterFunc(tellEvery, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.soon = nil; w.tell != nil {
			w.tell(w.done, w.total, w.message)
		}
	})
}

func (s *Server) notified(n mcp.JSONRPCNotification) {
	if n.Method != string(mcp.MethodNotificationProgress) {
		return
	}
	fields := n.Params.AdditionalFields
	token, _ := fields["progressToken"].(float64)
	w, ok := s.watched.Load(int64(token))
	if !ok {
		return
	}
	done, _ := fields["progress"].(float64)
	total, _ := fields["total"].(float64)
	message, _ := fields["message"].(string)
	w.(*watcher).note(done, total, message)
}
