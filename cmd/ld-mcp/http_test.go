package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// sandboxed is the tools on a sandbox.
func sandboxed(t *testing.T) *server.MCPServer {
	t.Helper()
	a := appFor(t, "--sandbox")
	ld, err := a.newClient()
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.newServer(ld)
	if err != nil {
		t.Fatal(err)
	}
	return s.MCP()
}

// serve serves m over HTTP, with the middleware and the shutdown of the real command.
func serve(t *testing.T, m *server.MCPServer, beat time.Duration) (base string, stop func() error) {
	t.Helper()
	ln, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	g := newGateway(m, log, beat)
	stop = within(context.WithoutCancel(t.Context()), func(ctx context.Context) error { return serveHTTP(ctx, ln, g, g.closeStreams, log) })
	return "http://" + ln.Addr().String(), stop
}

func finish(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

const listTools = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`

func TestHTTPRefusals(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, sandboxed(t), time.Minute)
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
		{"unknown session is ignored", "POST", "/mcp", header{"Mcp-Session-Id": "mcp-session-gone"}, strings.NewReader(listTools), 200},
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
		{"listening without a session", "GET", "/mcp", header{"Accept": "text/event-stream"}, nil, 405},
		{"ending a session", "DELETE", "/mcp", nil, nil, 405},
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

func TestListenOnlyOnLoopback(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:8080", "localhost:0", "[::1]:8080", "127.8.9.1:80"} {
		if err := checkLoopback("--http", addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, addr := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "192.168.1.7:80", "example.com:80", "8080", "127.0.0.1", "127.0.0.1:", "localhost.evil.example:80"} {
		if err := checkLoopback("--http", addr); err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, command := range []string{"serve", "sandbox"} {
		option := map[string]string{"serve": "--http", "sandbox": "--addr"}[command]
		if got := invoke(t, nil, "", command, "--sandbox", option, "0.0.0.0:0"); got.code() != 2 {
			t.Errorf("%s on every interface: %d, %v", command, got.code(), got.err)
		}
	}
	taken, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if got := invoke(t, nil, "", "--sandbox", "--http", taken.Addr().String()); got.code() != 1 || !strings.Contains(got.err.Error(), "Choose another port") {
		t.Errorf("a port that is taken: %d, %v", got.code(), got.err)
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
	for _, version := range mcp.ValidProtocolVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			base, stop := serve(t, sandboxed(t), time.Minute)
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
				if id := tr.GetSessionId(); id != "" {
					t.Errorf("got the session %q from a server without sessions", id)
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
	base, stop := serve(t, sandboxed(t), time.Minute)
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

func TestSandboxCommand(t *testing.T) {
	t.Parallel()
	out, in := io.Pipe()
	a := newApp(func(string) string { return "" }, strings.NewReader(""), in, io.Discard)
	cmd, err := a.parse([]string{"sandbox"})
	if err != nil {
		t.Fatal(err)
	}
	stop := within(t.Context(), func(ctx context.Context) error {
		defer in.Close()
		cmd.BindTo(ctx, (*context.Context)(nil))
		return cmd.Run(a)
	})
	var said strings.Builder
	lines := bufio.NewScanner(io.TeeReader(out, &said))
	base := ""
	for base == "" && lines.Scan() {
		if i := strings.Index(lines.Text(), "http://127.0.0.1:"); i >= 0 {
			base, _, _ = strings.Cut(lines.Text()[i:], " ")
		}
	}
	rest := make(chan struct{})
	go func() {
		defer close(rest)
		for lines.Scan() {
		}
	}()
	got := invoke(t, []string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken}, "", "call", "list-projects", "--base-url", base)
	if got.err != nil || !strings.Contains(got.stdout, `"shop"`) {
		t.Errorf("%s, %v", got.stdout, got.err)
	}
	finish(t, stop)
	<-rest
	if !strings.Contains(said.String(), sandbox.WriterToken) || !strings.Contains(said.String(), fmt.Sprintf("curl -H 'Authorization: %s'", sandbox.WriterToken)) {
		t.Errorf("said %s", said.String())
	}
}
