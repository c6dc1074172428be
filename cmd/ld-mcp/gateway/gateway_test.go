package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// sandboxed is the tools on an account of their own.
func sandboxed(t *testing.T) *tools.Server {
	t.Helper()
	return sandboxedThrough(t, func(next http.RoundTripper) http.RoundTripper { return next })
}

func sandboxedThrough(t *testing.T, wrap func(http.RoundTripper) http.RoundTripper) *tools.Server {
	t.Helper()
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: wrap(sandbox.New(sandbox.Options{}))})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tools.New(tools.Options{Client: ld})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve starts a service with the shutdown of the real command.
func serve(t *testing.T, edit func(*Config)) (base string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := sandboxed(t)
	cfg := Config{Tenant: func(context.Context, Caller) (Tenant, error) { return s, nil }}
	if edit != nil {
		edit(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, ln) }()
	return "http://" + ln.Addr().String(), func() error {
		cancel()
		return <-done
	}
}

func finish(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// callTool calls a tool and returns the text of its reply, and whether the reply is an error.
func callTool(ctx context.Context, c *client.Client, tool string, arguments map[string]any) (text string, failed bool, err error) {
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, arguments
	got, err := c.CallTool(ctx, req)
	if err != nil {
		return "", false, err
	}
	return fmt.Sprint(got.Content), got.IsError, nil
}

const listTools = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`

func TestHTTPRefusals(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, nil)
	defer finish(t, stop)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	type header = map[string]string
	long := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("a", maxRequest) + `"}}`
	for _, c := range []struct {
		name, method, path string
		header             header
		body               io.Reader
		want               int
	}{
		{"plain call", "POST", "/mcp", nil, strings.NewReader(listTools), 200},
		{"charset", "POST", "/mcp", header{"Content-Type": "application/json; charset=utf-8"}, strings.NewReader(listTools), 200},
		{"unknown session", "POST", "/mcp", header{"Mcp-Session-Id": "mcp-session-gone"}, strings.NewReader(listTools), 404},
		{"health", "GET", "/healthz", nil, nil, 200},

		{"own origin", "POST", "/mcp", header{"Origin": base}, strings.NewReader(listTools), 200},
		{"local origin", "POST", "/mcp", header{"Origin": "http://localhost:5173"}, strings.NewReader(listTools), 200},
		{"local IPv6 origin", "POST", "/mcp", header{"Origin": "http://[::1]:80"}, strings.NewReader(listTools), 200},
		{"foreign origin", "POST", "/mcp", header{"Origin": "https://evil.example"}, strings.NewReader(listTools), 403},
		{"foreign origin that looks local", "POST", "/mcp", header{"Origin": "http://localhost.evil.example"}, strings.NewReader(listTools), 403},
		{"null origin", "POST", "/mcp", header{"Origin": "null"}, strings.NewReader(listTools), 403},
		{"extension origin", "POST", "/mcp", header{"Origin": "chrome-extension://localhost"}, strings.NewReader(listTools), 403},
		{"foreign origin on sse", "GET", "/sse", header{"Origin": "https://evil.example"}, nil, 403},
		{"foreign origin on message", "POST", "/message?sessionId=x", header{"Origin": "https://evil.example"}, strings.NewReader(listTools), 403},
		{"foreign origin on health", "GET", "/healthz", header{"Origin": "https://evil.example"}, nil, 403},

		{"localhost", "POST", "/mcp", header{"Host": "localhost:" + port}, strings.NewReader(listTools), 200},
		{"IPv6 host", "POST", "/mcp", header{"Host": "[::1]:" + port}, strings.NewReader(listTools), 200},
		{"rebound host", "POST", "/mcp", header{"Host": "evil.example:" + port}, strings.NewReader(listTools), 403},
		{"rebound host on sse", "GET", "/sse", header{"Host": "evil.example"}, nil, 403},
		{"rebound host on message", "POST", "/message?sessionId=x", header{"Host": "127.0.0.1.evil.example"}, strings.NewReader(listTools), 403},
		{"host with a trick", "POST", "/mcp", header{"Host": "localhost:x@evil.example"}, strings.NewReader(listTools), 403},

		{"no content type", "POST", "/mcp", header{"Content-Type": ""}, strings.NewReader(listTools), 415},
		{"text", "POST", "/mcp", header{"Content-Type": "text/plain"}, strings.NewReader(listTools), 415},
		{"form", "POST", "/message?sessionId=x", header{"Content-Type": "application/x-www-form-urlencoded"}, strings.NewReader(listTools), 415},
		{"too long", "POST", "/mcp", nil, strings.NewReader(long), 413},
		{"too long, length not told", "POST", "/mcp", nil, io.MultiReader(strings.NewReader(long)), 413},
		{"too long for message", "POST", "/message?sessionId=x", nil, strings.NewReader(long), 413},

		{"unknown sse session", "POST", "/message?sessionId=3f1c", nil, strings.NewReader(listTools), 404},
		{"no sse session", "POST", "/message", nil, strings.NewReader(listTools), 404},
		{"listening without a session", "GET", "/mcp", header{"Accept": "text/event-stream"}, nil, 400},
		{"listening in an unknown session", "GET", "/mcp", header{"Accept": "text/event-stream", "Mcp-Session-Id": "x.y"}, nil, 404},
		{"ending no session", "DELETE", "/mcp", nil, nil, 400},
		{"ending an unknown session", "DELETE", "/mcp", header{"Mcp-Session-Id": "x.y"}, nil, 404},
		{"listening as before 2026-07-28", "GET", "/mcp", header{mcp.HeaderProtocolVersion: mcp.ProtocolVersion20260728}, nil, 405},
		{"ending as before 2026-07-28", "DELETE", "/mcp", header{mcp.HeaderProtocolVersion: mcp.ProtocolVersion20260728}, nil, 405},
		{"preflight", "OPTIONS", "/mcp", header{"Origin": "http://localhost:5173", "Access-Control-Request-Method": "POST"}, nil, 405},
		{"elsewhere", "GET", "/", nil, nil, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if c.method == "POST" {
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Accept", "application/json, text/event-stream")
			}
			for name, value := range c.header {
				switch {
				case name == "Host":
					req.Host = value
				case value == "":
					req.Header.Del(name)
				default:
					req.Header.Set(name, value)
				}
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.want {
				t.Errorf("%d, want %d: %s", resp.StatusCode, c.want, body)
			}
			if c.want == 200 && c.path == "/mcp" && !bytes.Contains(body, []byte(`"list-flags"`)) {
				t.Errorf("no tools: %s", body)
			}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Mcp-Session-Id" {
					t.Errorf("header %s: %s", name, resp.Header.Get(name))
				}
			}
		})
	}
}

// A header that is not the body's method takes no call out of the limit.
func TestEveryCallIsCounted(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, func(c *Config) { c.Limits.Calls = -1 })
	defer finish(t, stop)
	for name, header := range map[string]map[string]string{
		"plain":   {},
		"renamed": {mcp.HeaderMethod: string(mcp.MethodSubscriptionsListen)},
		"older":   {mcp.HeaderMethod: string(mcp.MethodSubscriptionsListen), mcp.HeaderProtocolVersion: "2025-11-25"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", base+"/mcp", strings.NewReader(listTools))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for key, value := range header {
			req.Header.Set(key, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
}

// converseWith opens a session and calls a tool on it.
func converseWith(t *testing.T, c *client.Client, version string) {
	t.Helper()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = version
	hello.Params.ClientInfo = mcp.Implementation{Name: "test", Version: "1"}
	if _, err := c.Initialize(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		text, failed, err := callTool(t.Context(), c, "list-flags", map[string]any{"projectKey": "shop", "limit": 1})
		if err != nil || failed || !strings.Contains(text, `"totalCount"`) {
			t.Fatalf("%s, %v", text, err)
		}
	}
}

func TestStreamableClients(t *testing.T) {
	t.Parallel()
	for i, version := range append(mcp.ValidProtocolVersions, mcp.ValidProtocolVersions...) {
		stateless := i < len(mcp.ValidProtocolVersions)
		t.Run(fmt.Sprintf("%s stateless %t", version, stateless), func(t *testing.T) {
			t.Parallel()
			base, stop := serve(t, func(c *Config) { c.Stateless = stateless })
			defer finish(t, stop)
			for range 2 { // two clients beside each other, neither holding a stream
				tr, err := transport.NewStreamableHTTP(base + "/mcp")
				if err != nil {
					t.Fatal(err)
				}
				c := client.NewClient(tr, client.WithProtocolVersion(version))
				defer c.Close()
				converseWith(t, c, version)
				if c.ProtocolVersion() != version {
					t.Errorf("speaks %s", c.ProtocolVersion())
				}
				if id := tr.GetSessionId(); (id == "") != (stateless || version >= mcp.ProtocolVersion20260728) {
					t.Errorf("session %q, stateless: %t", id, stateless)
				}
			}
		})
	}
}

type accepting struct{ asked chan string }

func (a accepting) Elicit(_ context.Context, q mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	a.asked <- q.Params.Message
	got := &mcp.ElicitationResult{}
	got.Action = mcp.ElicitationResponseActionAccept
	return got, nil
}

// A person can be asked although the server keeps no session.
func TestConfirmationOverHTTP(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, nil)
	defer finish(t, stop)
	tr, err := transport.NewStreamableHTTP(base + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1)
	c := client.NewClient(tr, client.WithElicitationHandler(accepting{asked}))
	defer c.Close()
	converseWith(t, c, mcp.LATEST_PROTOCOL_VERSION)
	text, failed, err := callTool(t.Context(), c, "toggle-flag",
		map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "production", "on": true, "comment": "launch"})
	if err != nil || failed || !strings.Contains(text, `"changed":true`) {
		t.Fatalf("%s, %v", text, err)
	}
	if q := <-asked; !strings.Contains(q, "production") {
		t.Errorf("asked %q", q)
	}
}
