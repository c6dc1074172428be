package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What other servers and proxies stumble over: each raw request gets one of these statuses, and no second request is read out of it.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, func(c *Config) { c.Metrics = NewMetrics(func() float64 { return -1 }) })
	defer finish(t, stop)
	at := strings.TrimPrefix(base, "http://")
	const json = "Content-Type: application/json\r\n"
	body := func(text string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text) }
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(listTools), listTools)
	for name, c := range map[string]struct {
		raw    string
		status int
		has    string
	}{
		"HTTP/1.0":                      {"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", 200, "ok"},
		"HTTP/1.0 call":                 {"POST /mcp HTTP/1.0\r\nHost: localhost\r\nAccept: application/json, text/event-stream\r\n" + json + body(listTools), 200, "list-flags"},
		"HTTP/1.0 without a host":       {"POST /mcp HTTP/1.0\r\n" + json + body(listTools), 403, ""},
		"no host":                       {"GET /healthz HTTP/1.1\r\n\r\n", 400, ""},
		"empty host":                    {"GET /healthz HTTP/1.1\r\nHost: \r\n\r\n", 403, ""},
		"two hosts":                     {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n" + json + body(listTools), 400, ""},
		"absolute target":               {"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "ok"},
		"absolute foreign target":       {"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, ""},
		"absolute target, foreign host": {"GET http://localhost/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, "ok"}, // RFC 9112: the target wins
		"proxy":                         {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 403, ""},
		"options of all":                {"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, ""},
		"chunked":                       {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: application/json, text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n" + json + "\r\n" + chunk, 200, "list-flags"},
		"other encoding":                {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n" + json + "\r\n" + chunk, 501, ""},
		"two encodings":                 {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n" + json + "\r\n" + chunk, 501, ""},
		"two lengths":                   {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n" + json + body(listTools), 400, ""},
		"a negative length":             {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n" + json + "\r\n", 400, ""},
		"a space before the colon":      {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n" + json + body(listTools), 400, ""},
		"head of a stream":              {"HEAD /sse HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405, ""},
		"head of the other stream":      {"HEAD /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405, ""},
		"head":                          {"HEAD /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200, ""},
		"path with dots":                {"GET /../healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, ""},
		"huge header":                   {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + strings.Repeat("a", 80<<10) + "\r\n\r\n", 431, ""},
	} {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(conn, c.raw)
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: strings.Fields(c.raw)[0]})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			conn.Close()
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != c.status || !strings.Contains(string(text), c.has) {
			t.Errorf("%s: %d, want %d: %.200s", name, resp.StatusCode, c.status, text)
		}
		for header := range resp.Header {
			if strings.HasPrefix(header, "Access-Control-") {
				t.Errorf("%s: %s", name, header)
			}
		}
		conn.Close()
	}

	// With both a length and chunks the chunks count, as RFC 9112 wants, and what follows them is not a request of its own.
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /message?sessionId=x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+json+
		"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if text, _ := io.ReadAll(conn); bytes.Count(text, []byte("HTTP/1.1 ")) != 1 {
		t.Errorf("smuggled: %s", text)
	}
}

// The listener for probes is guarded as the service is.
func TestProbesAreGuarded(t *testing.T) {
	t.Parallel()
	g, err := New(Config{Tenant: func(context.Context, Caller) (Tenant, error) { return sandboxed(t), nil }, Metrics: NewMetrics(func() float64 { return 1 })})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, g.Probes(), func() {}, slog.New(slog.DiscardHandler)) }()
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/mcp", "/sse", metadataPath} {
		for header, want := range map[string]int{"": 200, "Origin: https://evil.example": 403, "Host: evil.example": 403, "Origin: null": 403} {
			if want == 200 && (path == "/mcp" || path == "/sse" || path == metadataPath) {
				want = 404 // nothing to call here
			}
			for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
				req, err := http.NewRequestWithContext(t.Context(), method, "http://"+ln.Addr().String()+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				name, value, _ := strings.Cut(header, ": ")
				if req.Header.Set(name, value); name == "Host" {
					req.Host = value
				}
				if name == "" {
					req.Header = http.Header{}
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				expected := want
				if want == 200 && (method == "OPTIONS" || method == "POST") {
					expected = 405
				}
				if resp.StatusCode != expected || resp.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s %s, %s: %d, want %d", method, path, header, resp.StatusCode, expected)
				}
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A client that does not read its reply is cut off, and holds up nobody meanwhile.
func TestUnreadReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := onPipes(t, nil)
		call := "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" +
			fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(listTools), listTools)
		var deaf []net.Conn
		for range 20 {
			conn := p.dial()
			defer conn.Close()
			io.WriteString(conn, call)
			deaf = append(deaf, conn)
		}
		synctest.Wait()
		start := time.Now()
		conn := p.dial()
		defer conn.Close()
		io.WriteString(conn, call)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(resp.Body); !bytes.Contains(text, []byte("list-flags")) || time.Since(start) > 0 {
			t.Errorf("after %s: %.200s", time.Since(start), text)
		}
		time.Sleep(2*ioTimeout + time.Second)
		for _, c := range deaf { // what was written before is lost with a pipe, so a closed one has nothing
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
				t.Fatalf("still open: %d, %v", n, err)
			}
		}
	})
}

// Whoever calls, whatever route: a web page gets nowhere.
func TestDriveBy(t *testing.T) {
	t.Parallel()
	provider, err := NewOIDC(OIDCConfig{Issuer: "http://127.0.0.1:1", Audience: "a", PublicURL: "https://mcp.example.com/ld", Groups: map[string]Rights{"g": {}}})
	if err != nil {
		t.Fatal(err)
	}
	base, stop := serve(t, func(c *Config) {
		c.PublicURL, c.Authenticate, c.Metrics = "https://mcp.example.com/ld", provider, NewMetrics(func() float64 { return -1 })
	})
	defer finish(t, stop)
	for _, route := range []string{"POST /ld/mcp", "GET /ld/mcp", "DELETE /ld/mcp", "GET /ld/sse", "POST /ld/message?sessionId=x", "GET /ld/healthz", "GET /ld/readyz", "OPTIONS /ld/mcp", "OPTIONS /ld/sse", "GET /", "GET /ld/metrics", "HEAD /ld/metrics", "HEAD /ld/sse",
		"GET " + metadataPath, "GET " + metadataPath + "/ld/mcp", "PUT /ld/mcp", "TRACE /ld/healthz"} {
		method, path, _ := strings.Cut(route, " ")
		for name, header := range map[string]map[string]string{
			"foreign origin":     {"Origin": "https://evil.example"},
			"null origin":        {"Origin": "null"},
			"origin like ours":   {"Origin": "https://mcp.example.com.evil.example"},
			"other scheme":       {"Origin": "http://mcp.example.com"},
			"foreign host":       {"Host": "evil.example"},
			"host with our name": {"Host": "evil.example:80@mcp.example.com"},
			"untrusted proxy":    {"Host": "evil.example", "X-Forwarded-Host": "mcp.example.com"},
			"simple request":     {"Origin": "https://evil.example", "Content-Type": "text/plain"},
			"two origins":        {"Origin": "http://localhost https://evil.example"},
			"numeric host":       {"Host": "8.8.8.8"},
		} {
			req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(hello))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			for k, v := range header {
				if k == "Host" {
					req.Host = v
				}
				req.Header.Set(k, v)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s, %s: %d", route, name, resp.StatusCode)
			}
			for header := range resp.Header {
				if strings.HasPrefix(header, "Access-Control-") {
					t.Errorf("%s, %s: %s", route, name, header)
				}
			}
		}
		for name, header := range map[string]string{"own name": "mcp.example.com", "own name and port": "MCP.example.com:443", "loopback": "127.0.0.1"} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/ld/healthz", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = header
			req.Header.Set("Origin", "https://mcp.example.com")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Errorf("%s: %d", name, resp.StatusCode)
			}
		}
	}
}
