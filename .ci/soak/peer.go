package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// peer speaks JSON-RPC over any two ways of messages.
type peer struct {
	send func(context.Context, []byte) error

	mu      sync.Mutex
	asked   int
	waiting map[int]chan json.RawMessage
	gone    chan struct{}
	over    bool
}

var errLost = errors.New("the connection ended before the answer came")

func newPeer(send func(context.Context, []byte) error) *peer {
	return &peer{send: send, waiting: map[int]chan json.RawMessage{}, gone: make(chan struct{})}
}

func (c *peer) heard(m []byte) {
	var got struct {
		ID     *int
		Method string
	}
	if json.Unmarshal(m, &got) != nil || got.ID == nil || got.Method != "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.waiting[*got.ID]; answer != nil {
		answer <- append(json.RawMessage(nil), m...)
		delete(c.waiting, *got.ID)
	}
}

func (c *peer) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over = true
		close(c.gone)
	}
}

func (c *peer) tell(ctx context.Context, id int, method string, params any) error {
	m := map[string]any{"jsonrpc": "2.0", "method": method, "params": params}
	if id > 0 {
		m["id"] = id
	}
	c.mu.Lock() // one message after the other
	over := c.over
	c.mu.Unlock()
	if over {
		return errLost
	}
	return c.send(ctx, asJSON(m))
}

// ask sends a request and waits for its answer. Where ctx ends before, it says that nobody waits any more.
func (c *peer) ask(ctx context.Context, method string, params any) (json.RawMessage, error) {
	answer := make(chan json.RawMessage, 1)
	c.mu.Lock()
	c.asked++
	id := c.asked
	c.waiting[id] = answer
	c.mu.Unlock()
	if err := c.tell(context.WithoutCancel(ctx), id, method, params); err != nil {
		return nil, err
	}
	select {
	case m := <-answer:
		return resultOf(m)
	case <-c.gone:
		return nil, errLost
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
		if err := c.tell(context.WithoutCancel(ctx), 0, "notifications/cancelled", map[string]any{"requestId": id}); err != nil {
			return nil, err
		}
		return nil, ctx.Err()
	}
}

func resultOf(m []byte) (json.RawMessage, error) {
	var got struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.Unmarshal(m, &got); err != nil {
		return nil, err
	}
	if got.Error != nil {
		return nil, errors.New(got.Error.Message)
	}
	return got.Result, nil
}

var hello = map[string]any{"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "soak", "version": "1"}}

func (c *peer) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := c.ask(ctx, "initialize", hello); err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	return c.tell(ctx, 0, "notifications/initialized", nil)
}

func (c *peer) call(ctx context.Context, tool string, args map[string]any) (string, bool, error) {
	result, err := c.ask(ctx, "tools/call", map[string]any{"name": tool, "arguments": args})
	if err != nil {
		return "", false, err
	}
	return said(result)
}

func said(result json.RawMessage) (string, bool, error) {
	var got struct {
		Content []struct{ Text string }
		IsError bool
	}
	if err := json.Unmarshal(result, &got); err != nil {
		return "", false, err
	}
	if len(got.Content) == 0 || got.Content[0].Text == "" {
		return "", false, fmt.Errorf("an empty answer: %s", result)
	}
	return got.Content[0].Text, got.IsError, nil
}

func (c *peer) leave(bool) {}

// stream is a session of HTTP+SSE.
type stream struct {
	*peer
	end context.CancelFunc
}

func (s *stream) leave(bool) { s.end() }

func openStream(ctx context.Context, p *process, key string) (*stream, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	resp, err := p.request(ctx, http.MethodGet, "/sse", key, "", nil)
	if err != nil {
		cancel()
		return nil, err
	}
	endpoint := make(chan string, 1)
	s := &stream{end: cancel}
	where := ""
	s.peer = newPeer(func(ctx context.Context, m []byte) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		resp, err := p.request(ctx, http.MethodPost, where, key, "", m)
		if err == nil {
			resp.Body.Close()
		}
		return err
	})
	go func() {
		defer resp.Body.Close()
		defer s.lost()
		events(resp.Body, func(event, data string) {
			if event == "endpoint" {
				endpoint <- data
				return
			}
			s.heard([]byte(data))
		})
	}()
	select {
	case where = <-endpoint:
	case <-s.gone:
		cancel()
		return nil, errLost
	}
	if err := s.begin(ctx); err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

// events hands out the events of a stream until it ends.
func events(body io.Reader, each func(event, data string)) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 16<<20)
	event := ""
	for lines.Scan() {
		switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
		case "event":
			event = value
		case "data":
			each(event, value)
			event = ""
		}
	}
}

// session is one of streamable HTTP.
type session struct {
	p       *process
	t       *tally
	key, id string
	asked   int
	streams []context.CancelFunc
}

func (p *process) request(ctx context.Context, method, path, key, id string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + key, "Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Session-Id": id} {
		if value != "" && value != "Bearer " {
			req.Header.Set(name, value)
		}
	}
	if method == http.MethodGet {
		req.Header.Set("Accept", "text/event-stream")
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, fmt.Errorf("%s %s: %s %s", method, path, resp.Status, text)
	}
	return resp, nil
}

func openSession(ctx context.Context, p *process, t *tally, key string) (*session, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	resp, err := p.request(ctx, http.MethodPost, "/mcp", key, "", asJSON(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	return &session{p: p, t: t, key: key, id: resp.Header.Get("Mcp-Session-Id"), asked: 1}, nil
}

// listen opens the session's own stream, in place of an earlier one.
func (s *session) listen(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	resp, err := s.p.request(ctx, http.MethodGet, "/mcp", s.key, s.id, nil)
	if err != nil {
		cancel()
		return err
	}
	s.streams = append(s.streams, cancel)
	go func() {
		defer resp.Body.Close()
		events(resp.Body, func(string, string) {})
	}()
	return nil
}

func (s *session) call(ctx context.Context, tool string, args map[string]any) (string, bool, error) {
	s.asked++
	resp, err := s.p.request(ctx, http.MethodPost, "/mcp", s.key, s.id, asJSON(map[string]any{"jsonrpc": "2.0", "id": s.asked, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": args}}))
	if err != nil {
		return "", false, err
	}
	defer resp.Body.Close()
	var result json.RawMessage
	take := func(_, data string) {
		if m, err := resultOf([]byte(data)); err == nil && m != nil {
			result = m
		}
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		events(resp.Body, take)
	} else if text, err := io.ReadAll(resp.Body); err == nil {
		take("", string(text))
	}
	if result == nil {
		return "", false, errors.Join(errLost, ctx.Err())
	}
	return said(result)
}

// leave ends the session, or is just not there any more.
func (s *session) leave(goodbye bool) {
	for _, end := range s.streams {
		end()
	}
	if !goodbye {
		s.t.abandon(s)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	resp, err := s.p.request(ctx, http.MethodDelete, "/mcp", s.key, s.id, nil)
	if err != nil {
		s.t.complain("DELETE: %w", err)
		return
	}
	resp.Body.Close()
}

// modern is a client of the newest protocol, which has no sessions.
type modern struct{ c *client.Client }

func openModern(ctx context.Context, p *process, key string) (*modern, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	opts := []transport.StreamableHTTPCOption{transport.WithHTTPBasicClient(p.http)}
	if key != "" {
		opts = append(opts, transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + key}))
	}
	tr, err := transport.NewStreamableHTTP(p.url+"/mcp", opts...)
	if err != nil {
		return nil, err
	}
	c := client.NewClient(tr, client.WithProtocolVersion(mcp.LATEST_PROTOCOL_VERSION))
	if err := c.Start(context.Background()); err != nil {
		return nil, err
	}
	var req mcp.InitializeRequest
	req.Params.ProtocolVersion, req.Params.ClientInfo = mcp.LATEST_PROTOCOL_VERSION, mcp.Implementation{Name: "soak", Version: "1"}
	if _, err := c.Initialize(ctx, req); err != nil {
		c.Close()
		return nil, err
	}
	return &modern{c}, nil
}

func (m *modern) call(ctx context.Context, tool string, args map[string]any) (string, bool, error) {
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, args
	got, err := m.c.CallTool(ctx, req)
	if err != nil {
		return "", false, err
	}
	text, ok := got.Content[0].(mcp.TextContent)
	if !ok || text.Text == "" {
		return "", false, errors.New("an empty answer")
	}
	return text.Text, got.IsError, nil
}

func (m *modern) leave(bool) { m.c.Close() }
