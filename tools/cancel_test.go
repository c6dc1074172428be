package tools_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// held answers no request that it is told to hold, and notes when each of them is given up.
type held struct {
	mu    sync.Mutex
	got   int
	ended []time.Time
}

func (h *held) hold(r *http.Request) {
	h.mu.Lock()
	h.got++
	h.mu.Unlock()
	<-r.Context().Done()
	h.mu.Lock()
	h.ended = append(h.ended, time.Now())
	h.mu.Unlock()
}

// TestCancel cancels calls in every place where they can wait: what is under
// way at LaunchDarkly ends at that moment, and nothing follows.
func TestCancel(t *testing.T) {
	t.Parallel()
	usedUp := func(u *upstream, w http.ResponseWriter, r *http.Request) bool {
		got := u.carryOut(r)
		got.Header().Set("X-Ratelimit-Global-Limit", "100")
		got.Header().Set("X-Ratelimit-Global-Remaining", "0")
		got.Header().Set("X-Ratelimit-Reset", millisIn(11*time.Second)(time.Now()))
		pass(w, got)
		return true
	}
	for name, test := range map[string]struct {
		tool   string
		args   map[string]any
		flags  int // generated ones, in place of the shop's
		before func(h *held, u *upstream, w http.ResponseWriter, r *http.Request) bool
		after  time.Duration // when the call is cancelled
		sent   int           // requests in all
		held   int           // of them without an answer by then
		says   string
		audit  string // how the call ended in the audit file, "" without a line
	}{
		"read": {tool: "get-flag", args: inFlag, before: func(h *held, _ *upstream, _ http.ResponseWriter, r *http.Request) bool {
			h.hold(r)
			return true
		}, sent: 1, held: 1},
		"body of a read": {tool: "get-flag", args: inFlag, before: func(h *held, _ *upstream, w http.ResponseWriter, r *http.Request) bool {
			fmt.Fprint(w, half)
			http.NewResponseController(w).Flush()
			h.hold(r)
			return true
		}, sent: 1, held: 1},
		"pages": {tool: "compare-flag-environments", args: map[string]any{"projectKey": "shop", "fromEnvironmentKey": "test", "toEnvironmentKey": "production", "limit": 100}, flags: 2000,
			before: func(h *held, _ *upstream, _ http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("offset") == "" {
					return false
				}
				h.hold(r)
				return true
			}, sent: 6, held: 5},
		"requests side by side": {tool: "check-removal-readiness", args: inFlag, before: func(h *held, _ *upstream, _ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/environments") {
				return false
			}
			h.hold(r)
			return true
		}, sent: 7, held: 6}, // one more waits its turn
		"pause before another try": {tool: "get-flag", args: inFlag, before: func(_ *held, _ *upstream, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, after: 150 * time.Millisecond, sent: 1},
		"pause that LaunchDarkly asks for": {tool: "get-flag", args: inFlag, before: func(_ *held, _ *upstream, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "8")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, after: 5 * time.Second, sent: 1},
		"queue of the limiter": {tool: "get-flag-health", args: inFlag, before: func(_ *held, u *upstream, w http.ResponseWriter, r *http.Request) bool {
			return usedUp(u, w, r)
		}, after: 3 * time.Second, sent: 1},
		"look before a write": {tool: "toggle-flag", args: switched, before: func(h *held, _ *upstream, _ http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/environments/test") {
				return false
			}
			h.hold(r)
			return true
		}, sent: 2, held: 1, says: "Nothing was changed.", audit: "refused"},
		"write": {tool: "toggle-flag", args: switched, before: func(h *held, u *upstream, _ http.ResponseWriter, r *http.Request) bool {
			if !writes(r) {
				return false
			}
			u.carryOut(r)
			h.hold(r)
			return true
		}, sent: 3, held: 1, says: unknownEnd, audit: "error"},
		"pause before another try of a write": {tool: "toggle-flag", args: switched, before: func(_ *held, _ *upstream, w http.ResponseWriter, r *http.Request) bool {
			if writes(r) {
				w.Header().Set("Retry-After", "8")
				w.WriteHeader(http.StatusTooManyRequests)
			}
			return writes(r)
		}, after: 5 * time.Second, sent: 3, says: "Nothing was changed.", audit: "error"},
		"write in the queue of the limiter": {tool: "toggle-flag", args: switched, before: func(_ *held, u *upstream, w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/environments/test") && usedUp(u, w, r)
		}, after: 3 * time.Second, sent: 2, says: "Nothing was changed.", audit: "error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var h held
				u := newUpstream(t, sandbox.New(sandbox.Options{Flags: test.flags}))
				var sent atomic.Int32
				u.before = func(w http.ResponseWriter, r *http.Request) bool {
					if strings.HasSuffix(r.URL.Path, "/members/me") { // the audit file wants to know it
						return false
					}
					sent.Add(1)
					return test.before(&h, u, w, r)
				}
				var file bytes.Buffer
				r := u.open(t, func(s *setup) { s.Audit = &file })
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var text string
				done := make(chan struct{})
				go func() {
					defer close(done)
					var req mcp.CallToolRequest
					req.Params.Name, req.Params.Arguments = test.tool, test.args
					res, err := r.client.CallTool(ctx, req)
					if err != nil {
						text = err.Error()
						return
					}
					text = res.Content[0].(mcp.TextContent).Text
				}()
				time.Sleep(cmp.Or(test.after, 500*time.Millisecond)) // every request that can be made is made by then
				synctest.Wait()
				select {
				case <-done:
					t.Fatalf("the call did not wait: %s", text)
				default:
				}
				cancelled := time.Now()
				cancel()
				<-done
				if took := time.Since(cancelled); took > 0 {
					t.Errorf("the call went on for %s", took)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := int(sent.Load()); n != test.sent || h.got != test.held || len(h.ended) != h.got {
					t.Errorf("%d requests, %d of them held and %d given up, want %d and %d", n, h.got, len(h.ended), test.sent, test.held)
				}
				for _, at := range h.ended {
					if !at.Equal(cancelled) {
						t.Errorf("a request went on for %s", at.Sub(cancelled))
					}
				}
				if !strings.Contains(text, "cancelled") || !strings.Contains(text, test.says) {
					t.Errorf("the call says: %s", text)
				}
				audit := lines(t, r, &file)
				if (test.audit != "") != (len(audit) == 1) {
					t.Errorf("%d lines in the audit file", len(audit))
				}
				for _, line := range audit {
					if line.Outcome != test.audit || line.Tool != test.tool || !strings.Contains(line.Message, test.says) {
						t.Errorf("the audit file says: %+v", line)
					}
				}
			})
		})
	}
}
