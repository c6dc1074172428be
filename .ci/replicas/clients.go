package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// caller calls a tool. failed is the tool's own error, err that of the way there.
type caller interface {
	call(ctx context.Context, tool string, args map[string]any) (text string, failed bool, err error)
}

const patience = 20 * time.Second // until a failed call must have been repeated with success

// writer makes writes that each have a comment of their own.
type writer struct {
	caller
	t    *tally
	name string
}

func (w *writer) args(more map[string]any) map[string]any {
	args := map[string]any{"projectKey": "shop", "flagKey": w.name, "environmentKey": "test"}
	for k, v := range more {
		args[k] = v
	}
	return args
}

// write changes the client's own flags until ctx ends; what is in progress is finished.
func (w *writer) write(ctx context.Context) {
	until := context.WithoutCancel(ctx)
	if !w.repeat(until, "create-flag", "", map[string]any{"projectKey": "shop", "key": w.name, "name": w.name}) {
		return
	}
	w.t.locked(func() { w.t.arrived++ })
	for n := 1; ctx.Err() == nil; n++ {
		pause(ctx, 2*time.Second+rand.N(2*time.Second))
		if !w.repeat(until, "toggle-flag", fmt.Sprintf("%s toggle %d", w.name, n), w.args(map[string]any{"on": n%2 == 1})) {
			return
		}
		w.once(until, fmt.Sprintf("%s rule %d", w.name, n))
	}
}

// repeat makes a write that may be said twice: the second time there is nothing
// left to do. LaunchDarkly takes no comment with a new flag.
func (w *writer) repeat(ctx context.Context, tool, comment string, args map[string]any) bool {
	if comment != "" {
		args["comment"] = comment
		w.t.locked(func() { w.t.writes.Tried[comment] = true })
	}
	start, tries := time.Now(), 0
	for {
		text, failed, err := w.count(ctx, tool, args)
		switch {
		case err == nil && (!failed || tries > 0 && strings.Contains(text, "There is a flag "+w.name)):
			w.t.locked(func() {
				if comment != "" {
					w.t.writes.Done[comment] = true
				}
				if tries > 0 {
					w.t.repeated = max(w.t.repeated, time.Since(start))
				}
			})
			return true
		case err == nil:
			w.t.complain("%s %s: %s", w.name, comment, text)
			return false
		case time.Since(start) > patience:
			w.t.complain("%s did not succeed in %s: %w", comment, patience, err)
			return false
		}
		tries++
		pause(ctx, 100*time.Millisecond)
	}
}

// once makes a write that would be another one if it were sent again, by anything on the way.
func (w *writer) once(ctx context.Context, comment string) {
	w.t.locked(func() { w.t.writes.Tried[comment] = true })
	rule := map[string]any{"kind": "addRule", "variation": "true", "clauses": []any{map[string]any{"attribute": "name", "op": "in", "values": []any{comment}}}}
	text, failed, err := w.count(ctx, "update-targeting-rules", w.args(map[string]any{"comment": comment, "instructions": []any{rule}}))
	if failed {
		w.t.complain("%s: %s", comment, text)
	} else if err == nil {
		w.t.locked(func() { w.t.writes.Done[comment] = true })
	}
}

func (w *writer) count(ctx context.Context, tool string, args map[string]any) (string, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, failed, err := w.call(ctx, tool, args)
	w.t.locked(func() {
		w.t.calls++
		if err != nil {
			w.t.failed++
		}
	})
	if errors.Is(err, transport.ErrSessionTerminated) {
		w.t.complain("%s lost its session, which every replica should know", w.name)
	}
	return text, failed, err
}

// streamableClient speaks streamable HTTP through mcp-go.
type streamableClient struct {
	s       *site
	t       *tally
	n       int
	version string
	c       *client.Client
}

func newStreamableClient(s *site, t *tally, n int) *streamableClient {
	version := mcp.LATEST_PROTOCOL_VERSION
	if n%2 == 0 {
		version = "2025-06-18"
	}
	return &streamableClient{s: s, t: t, n: n, version: version}
}

func (c *streamableClient) work(ctx context.Context) {
	var err error
	if c.c, err = c.s.connect(ctx, c.s.http, c.s.url, c.n, c.version); err != nil {
		c.t.complain("client %d: %w", c.n, err)
		return
	}
	defer c.c.Close()
	(&writer{caller: c, t: c.t, name: fmt.Sprintf("client-%d", c.n)}).write(ctx)
}

func (c *streamableClient) call(ctx context.Context, tool string, args map[string]any) (string, bool, error) {
	return callTool(ctx, c.c, tool, args)
}

// connect begins a conversation in one version of the protocol.
func (s *site) connect(ctx context.Context, h *http.Client, url string, n int, version string, opts ...client.ClientOption) (*client.Client, error) {
	tr, err := transport.NewStreamableHTTP(url+"/mcp", transport.WithHTTPBasicClient(h),
		transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + s.keys[n%len(s.keys)]}))
	if err != nil {
		return nil, err
	}
	c := client.NewClient(tr, append(opts, client.WithProtocolVersion(version))...)
	if err := c.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = version
	hello.Params.ClientInfo = mcp.Implementation{Name: "replicas", Version: "1"}
	got, err := c.Initialize(ctx, hello)
	if err != nil {
		return nil, fmt.Errorf("initialize: %w", err)
	}
	if got.ProtocolVersion != version {
		return nil, fmt.Errorf("asked for %s and got %s", version, got.ProtocolVersion)
	}
	return c, nil
}

func callTool(ctx context.Context, c *client.Client, tool string, args map[string]any) (string, bool, error) {
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, args
	got, err := c.CallTool(ctx, req)
	if err != nil {
		return "", false, err
	}
	return fmt.Sprint(got.Content), got.IsError, nil
}
