package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// streamClient speaks HTTP+SSE, and opens its stream again when it ends, after the time that the server names.
type streamClient struct {
	s   *site
	t   *tally
	key string
	n   int

	mu   sync.Mutex
	conn *conn
	up   chan struct{} // closed while there is a stream
}

func newStreamClient(s *site, t *tally, n int) *streamClient {
	return &streamClient{s: s, t: t, n: n, key: s.keys[n%len(s.keys)], up: make(chan struct{})}
}

func (c *streamClient) work(ctx context.Context) {
	kept, stop := context.WithCancel(context.WithoutCancel(ctx))
	var keeper sync.WaitGroup
	keeper.Go(func() { c.keep(kept) })
	(&writer{caller: c, t: c.t, name: fmt.Sprintf("client-%d", c.n)}).write(ctx)
	stop()
	keeper.Wait()
}

// keep holds a stream open and measures how long it takes until a lost one works again.
func (c *streamClient) keep(ctx context.Context) {
	retry := 500 * time.Millisecond
	var lost time.Time
	for ctx.Err() == nil {
		conn, err := c.open(ctx)
		if err != nil {
			pause(ctx, retry)
			continue
		}
		retry = conn.retry
		if !lost.IsZero() {
			c.t.locked(func() {
				c.t.longest = max(c.t.longest, time.Since(lost))
				c.t.moved++
				c.t.lost--
			})
		}
		c.mu.Lock()
		c.conn = conn
		close(c.up)
		c.mu.Unlock()
		<-conn.dead
		lost = time.Now()
		c.mu.Lock()
		c.conn, c.up = nil, make(chan struct{})
		c.mu.Unlock()
		if ctx.Err() == nil {
			c.t.locked(func() { c.t.lost++ })
			pause(ctx, retry)
		}
	}
}

// open opens a stream, says hello and makes a call.
func (c *streamClient) open(ctx context.Context) (_ *conn, err error) {
	conn, err := dial(ctx, c.s.http, c.s.url, c.key)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.close()
		}
	}()
	within, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err = conn.ask(within, "initialize", map[string]any{"protocolVersion": "2024-11-05", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "replicas", "version": "1"}}); err != nil {
		return nil, err
	}
	if err = conn.post(within, map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"}); err != nil {
		return nil, err
	}
	_, _, err = conn.call(within, "get-flag", map[string]any{"projectKey": "shop", "flagKey": "dark-mode"})
	return conn, err
}

func (c *streamClient) call(ctx context.Context, tool string, args map[string]any) (string, bool, error) {
	for {
		c.mu.Lock()
		conn, up := c.conn, c.up
		c.mu.Unlock()
		if conn != nil {
			return conn.call(ctx, tool, args)
		}
		select {
		case <-up:
		case <-ctx.Done():
			return "", false, ctx.Err()
		}
	}
}

// conn is one stream.
type conn struct {
	http     *http.Client
	key      string
	endpoint string
	retry    time.Duration
	close    context.CancelFunc
	dead     chan struct{} // closed when the stream has ended

	mu      sync.Mutex
	asked   int
	waiting map[string]chan json.RawMessage
}

var errLost = errors.New("the stream ended before the answer came")

// dial opens a stream and reads the address for messages.
func dial(ctx context.Context, h *http.Client, base, key string) (*conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &conn{http: h, key: key, retry: 3 * time.Second, close: cancel, dead: make(chan struct{}), waiting: map[string]chan json.RawMessage{}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/sse", nil)
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := h.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		cancel()
		return nil, fmt.Errorf("/sse: %s", resp.Status)
	}
	began := make(chan struct{})
	go func() {
		defer close(c.dead)
		defer cancel()
		defer resp.Body.Close()
		c.read(resp.Body, func(data string) {
			c.endpoint = base + data
			close(began)
		})
	}()
	select {
	case <-began:
	case <-c.dead:
		return nil, errLost
	}
	if !strings.Contains(c.endpoint, "&replica=") {
		cancel()
		return nil, fmt.Errorf("the address for messages names no replica: %s", c.endpoint)
	}
	return c, nil
}

// read hands out the events of a stream until it ends.
func (c *conn) read(body io.Reader, endpoint func(string)) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	event := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case field == "retry":
			if ms, err := strconv.Atoi(value); err == nil {
				c.retry = time.Duration(ms) * time.Millisecond
			}
		case field == "event":
			event = value
		case field == "data" && event == "endpoint":
			endpoint(value)
		case field == "data":
			var m struct {
				ID json.RawMessage
			}
			if json.Unmarshal([]byte(value), &m) != nil {
				continue
			}
			c.mu.Lock()
			if answer := c.waiting[string(m.ID)]; answer != nil {
				answer <- json.RawMessage(value)
				delete(c.waiting, string(m.ID))
			}
			c.mu.Unlock()
		}
	}
}

func (c *conn) post(ctx context.Context, message any) error {
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, strings.NewReader(string(b)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("/message: %s", resp.Status)
	}
	return nil
}

// ask sends a request and waits for its answer.
func (c *conn) ask(ctx context.Context, method string, params any) (json.RawMessage, error) {
	answer := make(chan json.RawMessage, 1)
	c.mu.Lock()
	c.asked++
	id := c.asked
	c.waiting[strconv.Itoa(id)] = answer
	c.mu.Unlock()
	if err := c.post(ctx, map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params}); err != nil {
		return nil, err
	}
	var got struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	select {
	case text := <-answer:
		if err := json.Unmarshal(text, &got); err != nil {
			return nil, err
		}
	case <-c.dead:
		return nil, errLost
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if got.Error != nil {
		return nil, errors.New(got.Error.Message)
	}
	return got.Result, nil
}

func (c *conn) call(ctx context.Context, tool string, args map[string]any) (string, bool, error) {
	result, err := c.ask(ctx, "tools/call", map[string]any{"name": tool, "arguments": args})
	if err != nil {
		return "", false, err
	}
	var got struct{ IsError bool }
	err = json.Unmarshal(result, &got)
	return string(result), got.IsError, err
}
