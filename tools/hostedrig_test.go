package tools_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/tools"
)

// hostedToken has no shape by which it would be masked.
const hostedToken = "opaque-token-of-the-hosted-tests"

// fakeHosted stands in for the MCP server that LaunchDarkly hosts. It says whatever a test wants, however wrong.
type fakeHosted struct {
	URL string

	mu       sync.Mutex
	tools    []string // their JSON
	answer   func(name string, args map[string]any) string
	around   func(w http.ResponseWriter, r *http.Request, method string) bool // answers itself when it returns true
	sessions int
	requests int  // id of the request under way
	lost     bool // the current session is not known any more
	calls    []string
	methods  []string
	tokens   []string
}

func newFake(t *testing.T, defs ...string) *fakeHosted {
	t.Helper()
	f := &fakeHosted{tools: defs, answer: func(string, map[string]any) string { return textResult("done") }}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.URL = srv.URL + "/mcp"
	return f
}

func textResult(text string) string {
	return string(must(json.Marshal(map[string]any{"content": []any{map[string]any{"type": "text", "text": text}}})))
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// def is the JSON of a tool that takes these arguments, all of them strings.
func def(name, annotations string, args ...string) string {
	props := map[string]any{}
	for _, a := range args {
		props[a] = map[string]any{"type": "string"}
	}
	schema := must(json.Marshal(map[string]any{"type": "object", "properties": props}))
	return fmt.Sprintf(`{"name":%q,"description":"Does %s.","inputSchema":%s,"annotations":{%s}}`, name, name, schema, annotations)
}

const (
	readsOnly = `"readOnlyHint":true`
	adds      = `"destructiveHint":false`
)

func (f *fakeHosted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var req struct {
		ID     any
		Method string
		Params struct {
			Name      string
			Arguments map[string]any
		}
	}
	json.Unmarshal(body, &req)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = append(f.tokens, r.Header.Get("Authorization"))
	if n, ok := req.ID.(float64); ok {
		f.requests = int(n)
	}
	method := req.Method
	if r.Method != http.MethodPost {
		method = r.Method
	}
	f.methods = append(f.methods, method)
	if method == "tools/call" {
		f.calls = append(f.calls, req.Params.Name+" "+string(must(json.Marshal(req.Params.Arguments))))
	}
	if f.around != nil && f.around(w, r, method) {
		return
	}
	if id := r.Header.Get("Mcp-Session-Id"); id != "" && (f.lost || id != fmt.Sprint("session-", f.sessions)) {
		http.Error(w, `{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}`, http.StatusNotFound)
		return
	}
	result := ""
	switch method {
	case "initialize":
		f.sessions++
		f.lost = false
		w.Header().Set("Mcp-Session-Id", fmt.Sprint("session-", f.sessions))
		result = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}`
	case "tools/list":
		result = `{"tools":[` + joined(f.tools) + `]}`
	case "tools/call":
		result = f.answer(req.Params.Name, req.Params.Arguments)
	case "DELETE", "notifications/initialized", "notifications/cancelled":
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	id, _ := json.Marshal(req.ID)
	if result == "" {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, id)
		return
	}
	if len(result) > 8 && result[:8] == `{"error"` {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%s`, id, result[1:])
		return
	}
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result)
}

func joined(list []string) string {
	out := ""
	for i, s := range list {
		if i > 0 {
			out += ","
		}
		out += s
	}
	return out
}

// change edits what the fake says from now on.
func (f *fakeHosted) change(edit func(*fakeHosted)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit(f)
}

// seen returns the calls of tools that arrived.
func (f *fakeHosted) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fakeHosted) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, m := range f.methods {
		if m == method {
			n++
		}
	}
	return n
}

// startHosted starts a server that passes tools of the fake through.
func startHosted(t *testing.T, f *fakeHosted, names []string, change ...func(*setup)) *rig {
	t.Helper()
	return start(t, append([]func(*setup){func(s *setup) {
		s.Hosted = tools.Hosted{Names: names, URLs: []string{f.URL}}
	}}, change...)...)
}

// ofToken makes a client send another token to hosted servers than the sandbox wants.
func ofToken(s *setup) {
	next := s.client.Transport
	s.client.Token = ldclient.StaticToken(hostedToken)
	s.client.Transport = asWriter{next}
}

type asWriter struct{ next http.RoundTripper }

func (a asWriter) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "api-sandbox")
	return a.next.RoundTrip(r)
}

func (r *rig) hostedRead(t *testing.T) tools.HostedTools {
	t.Helper()
	got, err := r.server.ReadHosted(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// listChanges counts the notifications that another list is to be read.
func listChanges(r *rig) chan struct{} {
	told := make(chan struct{}, 10)
	r.client.OnNotification(func(n mcp.JSONRPCNotification) {
		if n.Method == mcp.MethodNotificationToolsListChanged {
			told <- struct{}{}
		}
	})
	return told
}
