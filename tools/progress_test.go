package tools_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// slow answers each request later than the one before, so that the requests of a call end one after the other.
type slow struct {
	next http.RoundTripper
	mu   sync.Mutex
	n    int
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.n++
	wait := time.Duration(s.n) * 200 * time.Millisecond
	s.mu.Unlock()
	time.Sleep(wait)
	return s.next.RoundTrip(r)
}

// TestProgress: a client that asks is told how far a composed or paged call is, never less than before and never after
// the reply; others are not.
func TestProgress(t *testing.T) {
	for _, test := range []struct {
		tool  string
		args  map[string]any
		token mcp.ProgressToken
		least int
	}{
		{"check-removal-readiness", map[string]any{"projectKey": "shop", "flagKey": "dark-mode"}, "a", 2},
		{"what-changed", map[string]any{"projectKey": "shop"}, 7.0, 1},
		{"list-flags", map[string]any{"projectKey": "shop", "state": "active"}, "b", 1},
		{"list-flags", map[string]any{"projectKey": "shop", "limit": 200}, "b", 0}, // what is read ahead is not awaited
		{"toggle-flag", map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test", "on": false}, "c", 1},
		{"list-projects", map[string]any{}, "d", 0}, // one request: there is nothing to tell
		{"check-removal-readiness", map[string]any{"projectKey": "shop", "flagKey": "dark-mode"}, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, func(s *setup) { s.client.Transport = &slow{next: s.client.Transport} })
			var mu sync.Mutex
			var told []float64
			replied := false
			r.client.OnNotification(func(n mcp.JSONRPCNotification) {
				mu.Lock()
				defer mu.Unlock()
				if n.Method != string(mcp.MethodNotificationProgress) {
					return
				}
				if replied {
					t.Errorf("%s: progress after the reply", test.tool)
				}
				if n.Params.AdditionalFields["progressToken"] != test.token {
					t.Errorf("%s: progress of %v, want %v", test.tool, n.Params.AdditionalFields["progressToken"], test.token)
				}
				done, _ := n.Params.AdditionalFields["progress"].(int)
				if len(told) > 0 && float64(done) <= told[len(told)-1] {
					t.Errorf("%s: progress %v after %v", test.tool, done, told)
				}
				told = append(told, float64(done))
			})
			var call mcp.CallToolRequest
			call.Params.Name, call.Params.Arguments = test.tool, test.args
			if test.token != nil {
				call.Params.Meta = &mcp.Meta{ProgressToken: test.token}
			}
			if got, err := r.client.CallTool(t.Context(), call); err != nil || got.IsError {
				t.Fatal(test.tool, err, got)
			}
			mu.Lock()
			replied = true
			mu.Unlock()
			time.Sleep(time.Minute) // what was asked for ahead ends too
			if len(told) < test.least || test.least == 0 && len(told) > 0 {
				t.Errorf("%s: told %v, want at least %d", test.tool, told, test.least)
			}
		})
	}
}
