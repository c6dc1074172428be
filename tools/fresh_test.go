package tools_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// noting notes what is read.
type noting struct {
	*sandbox.Account
	mu    sync.Mutex
	reads []string
}

func (n *noting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && r.URL.Path != "/api/v2/openapi.json" { // which tells of no state
		n.mu.Lock()
		n.reads = append(n.reads, r.URL.RequestURI())
		n.mu.Unlock()
	}
	return n.Account.RoundTrip(r)
}

func (n *noting) taken() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.reads
	n.reads = nil
	slices.Sort(out)
	return out
}

// TestWritersReadAnew: with a cache that forgets nothing, a writer that is
// refused and called again asks LaunchDarkly everything again, and a reader does not.
func TestWritersReadAnew(t *testing.T) {
	anew := 0
	for _, tool := range everyTool() {
		if tool.Effect == tools.Read {
			continue
		}
		var n *noting
		r := start(t, func(s *setup) {
			n = &noting{Account: s.client.Transport.(*sandbox.Account)}
			s.client.Transport, s.client.Cache, s.Confirm = n, time.Hour, tools.ConfirmAsk
		})
		args := sample(t, tool, "production")
		if got := r.callWith(tool.Name, args); !strings.HasPrefix(got, "! ") || len(n.Writes()) > 0 {
			continue // it needs no confirmation
		}
		first := n.taken()
		r.callWith(tool.Name, args)
		if d := cmp.Diff(first, n.taken()); d != "" {
			t.Errorf("%s: the second call reads other than the first: %s", tool.Name, d)
		}
		if len(first) > 0 {
			anew++
		}
	}
	if anew < 30 {
		t.Errorf("only %d writers were refused", anew)
	}
	var n *noting
	r := start(t, func(s *setup) {
		n = &noting{Account: s.client.Transport.(*sandbox.Account)}
		s.client.Transport, s.client.Cache = n, time.Hour
	})
	for range 2 {
		r.callWith("list-environments", map[string]any{"projectKey": "shop"})
	}
	if got := n.taken(); len(got) != 1 {
		t.Errorf("a reader asked for %v", got)
	}
}
