package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
)

// alternating sends each request to another replica than the one before, past nginx, and keeps the latest.
type alternating struct {
	mu    sync.Mutex
	hosts []string
	next  int
	sent  *http.Request
	body  []byte
}

func (a *alternating) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	host := a.hosts[a.next%len(a.hosts)]
	a.next++
	r = r.Clone(r.Context())
	r.URL.Host, r.Host = host, host
	a.sent, a.body = r, body
	a.mu.Unlock()
	return http.DefaultTransport.RoundTrip(again(r, body))
}

func again(r *http.Request, body []byte) *http.Request {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r
}

// agreeing says yes, and counts how often it was asked.
type agreeing struct{ asked int }

func (a *agreeing) Elicit(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	a.asked++
	got := &mcp.ElicitationResult{}
	got.Action = mcp.ElicitationResponseActionAccept
	return got, nil
}

// checkConfirmations has one replica ask for a yes and another carry out what
// it was given for, and shows the yes once more to each.
func (s *site) checkConfirmations(ctx context.Context) error {
	for first := range s.replicas {
		way := &alternating{hosts: []string{s.replicas[0].addr, s.replicas[1].addr}, next: first}
		person := &agreeing{}
		c, err := s.connect(ctx, &http.Client{Transport: way}, "http://"+s.replicas[0].addr, 0, mcp.LATEST_PROTOCOL_VERSION, client.WithElicitationHandler(person))
		if err != nil {
			return err
		}
		defer c.Close()
		begun := way.next
		comment := fmt.Sprintf("confirmed by replica %d first", first)
		rule := map[string]any{"kind": "addRule", "variation": "true", "clauses": []any{map[string]any{"attribute": "name", "op": "in", "values": []any{comment}}}}
		text, failed, err := callTool(ctx, c, "update-targeting-rules", map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "production",
			"comment": comment, "instructions": []any{rule}})
		if err != nil || failed || !strings.Contains(text, `"changed":true`) {
			return fmt.Errorf("a confirmation of the other replica: %s, %w", text, err)
		}
		if person.asked != 1 || way.next != begun+2 || !bytes.Contains(way.body, []byte("requestState")) {
			return fmt.Errorf("asked %d times in %d requests, the last of them %s", person.asked, way.next-begun, way.body)
		}
		for _, r := range s.replicas {
			req := again(way.sent, way.body)
			req.URL.Host, req.Host = r.addr, r.addr
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(text, []byte("changed since")) {
				return fmt.Errorf("the same yes once more at replica %s: %s %s, %w", r.name, resp.Status, text, err)
			}
		}
		written, err := s.audit(ctx)
		if err != nil {
			return err
		}
		if written[comment] != 1 {
			return fmt.Errorf("what was confirmed was done %d times", written[comment])
		}
	}
	return nil
}

// checkSession goes on with a session at the replica that did not begin it.
func (s *site) checkSession(ctx context.Context) error {
	way := &alternating{hosts: []string{s.replicas[0].addr, s.replicas[1].addr}}
	c, err := s.connect(ctx, &http.Client{Transport: way}, (&url.URL{Scheme: "http", Host: s.replicas[0].addr}).String(), 0, "2025-06-18")
	if err != nil {
		return err
	}
	defer c.Close()
	for range 6 {
		if text, failed, err := callTool(ctx, c, "get-flag", map[string]any{"projectKey": "shop", "flagKey": "dark-mode"}); err != nil || failed {
			return fmt.Errorf("a session at another replica: %s, %w", text, err)
		}
	}
	if c.GetSessionId() == "" {
		return fmt.Errorf("there was no session")
	}
	return nil
}
