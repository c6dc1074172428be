package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"go.uber.org/goleak"
)

// quick makes heartbeats frequent.
func quick(c *Config) { c.Heartbeat = time.Millisecond }

func TestSSEClients(t *testing.T) {
	before := goleak.IgnoreCurrent()
	base, stop := serve(t, quick)
	hc := &http.Client{Transport: new(http.Transport)}
	var open []*client.Client
	for range 2 {
		c, err := client.NewSSEMCPClient(base+"/sse", transport.WithHTTPClient(hc))
		if err != nil {
			t.Fatal(err)
		}
		converseWith(t, c, mcp.LATEST_PROTOCOL_VERSION)
		open = append(open, c)
	}
	for _, c := range open { // the first still works beside the second
		if _, failed, err := callTool(t.Context(), c, "whoami", nil); failed || err != nil {
			t.Errorf("%t, %v", failed, err)
		}
		if endpoint := client.GetEndpoint(c).String(); !strings.HasPrefix(endpoint, base+"/message?sessionId=") {
			t.Errorf("endpoint %s", endpoint)
		}
	}
	open[0].Close()
	if _, failed, err := callTool(t.Context(), open[1], "whoami", nil); failed || err != nil {
		t.Errorf("after the other client left: %t, %v", failed, err)
	}
	finish(t, stop) // with a client still connected
	open[1].Close()
	hc.CloseIdleConnections()
	goleak.VerifyNone(t, before)
}

// openStream opens an event stream and returns its lines.
func openStream(t *testing.T, method, url, body string, header map[string]string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %s", resp.Status, text)
	}
	if resp.Header.Get("X-Accel-Buffering") != "no" {
		t.Error("proxies may buffer the stream")
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("header %s: %s", name, resp.Header.Get(name))
		}
	}
	return resp, bufio.NewScanner(resp.Body)
}

func TestIdleStreamsAreKeptAlive(t *testing.T) {
	t.Parallel()
	listen, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": mcp.MethodSubscriptionsListen,
		"params": map[string]any{
			"_meta": map[string]any{
				mcp.MetaKeyProtocolVersion:    mcp.ProtocolVersion20260728,
				mcp.MetaKeyClientCapabilities: map[string]any{},
			},
			"notifications": map[string]any{"toolsListChanged": true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, method, path, body string
		header                   map[string]string
	}{
		{"sse", "GET", "/sse", "", nil},
		{"listen", "POST", "/mcp", string(listen), map[string]string{
			"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
			mcp.HeaderProtocolVersion: mcp.ProtocolVersion20260728, mcp.HeaderMethod: string(mcp.MethodSubscriptionsListen)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base, stop := serve(t, quick)
			_, lines := openStream(t, c.method, base+c.path, c.body, c.header)
			pings, acknowledged := 0, false
			for pings < 3 && lines.Scan() {
				if strings.HasPrefix(lines.Text(), ":") {
					pings++
				} else if strings.Contains(lines.Text(), `"ping"`) {
					t.Errorf("a JSON-RPC ping: %s", lines.Text())
				} else if strings.Contains(lines.Text(), mcp.MethodNotificationSubscriptionsAcknowledged) {
					acknowledged = true
				}
			}
			if acknowledged != (c.name == "listen") {
				t.Errorf("acknowledged: %t", acknowledged)
			}
			if pings < 3 {
				t.Errorf("the stream ended after %d heartbeats: %v", pings, lines.Err())
			}
			finish(t, stop) // ends the stream too
			for lines.Scan() {
			}
		})
	}
}

// Clients of the newest protocol speak it over HTTP+SSE too, without the headers that streamable HTTP requires.
func TestNewestProtocolOverSSE(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, nil)
	defer finish(t, stop)
	resp, lines := openStream(t, "GET", base+"/sse", "", nil)
	defer resp.Body.Close()
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if !strings.HasPrefix(data, "/message") {
			if !strings.Contains(data, `"list-flags"`) {
				t.Error(data)
			}
			return
		}
		req, err := http.NewRequestWithContext(t.Context(), "POST", base+data, strings.NewReader(fmt.Sprintf(
			`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{%q:%q,%q:{}}}}`,
			mcp.MetaKeyProtocolVersion, mcp.ProtocolVersion20260728, mcp.MetaKeyClientCapabilities)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(mcp.HeaderProtocolVersion, mcp.ProtocolVersion20260728)
		posted, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		posted.Body.Close()
		if posted.StatusCode != http.StatusAccepted {
			t.Errorf("posted: %s", posted.Status)
		}
	}
	t.Errorf("the stream ended: %v", lines.Err())
}

// The endpoint event must not depend on what the client says of the host.
func TestSSEEndpointIsAPath(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, nil)
	defer finish(t, stop)
	resp, lines := openStream(t, "GET", base+"/sse?x=y", "", map[string]string{"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"})
	defer resp.Body.Close()
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if !strings.HasPrefix(data, "/message?sessionId=") {
				t.Errorf("endpoint %q", data)
			}
			return
		}
	}
	t.Error("no endpoint event")
}

// A proxy finds the replica of a stream by the name in the address for its messages.
func TestSSEEndpointNamesItsReplica(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, func(c *Config) { c.Replica = "ld-mcp-1.eu" })
	defer finish(t, stop)
	_, lines := openStream(t, "GET", base+"/sse", "", nil)
	endpoint := ""
	for endpoint == "" && lines.Scan() {
		endpoint, _ = strings.CutPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(endpoint, "/") {
			endpoint = ""
		}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Query().Get("replica") != "ld-mcp-1.eu" {
		t.Fatalf("endpoint %q, %v", endpoint, err)
	}
	if status, _, text := send(t, "POST", base+endpoint, "", "", hello); status != http.StatusAccepted {
		t.Errorf("%d %s", status, text)
	}
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"serverInfo"`) {
			return
		}
	}
	t.Error("no answer to initialize")
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ping = ": ping\n\n"
		rec := httptest.NewRecorder()
		s := newStream(rec, heartbeat)
		expect := func(want string) {
			t.Helper()
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			if got := rec.Body.String(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		time.Sleep(2 * heartbeat)
		expect("") // nothing before the handler has decided what the reply is
		s.Header().Set("Content-Type", "text/event-stream")
		s.Header().Set("Access-Control-Allow-Origin", "*")
		io.WriteString(s, "a")
		time.Sleep(heartbeat - time.Second)
		io.WriteString(s, "b") // the stream is not idle
		time.Sleep(heartbeat - time.Second)
		expect("ab")
		time.Sleep(heartbeat)
		expect("ab" + ping)
		time.Sleep(heartbeat)
		expect("ab" + ping + ping)
		s.end()
		time.Sleep(10 * heartbeat)
		expect("ab" + ping + ping)
		if rec.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Error("every web page may read the stream")
		}

		rec = httptest.NewRecorder()
		s = newStream(rec, heartbeat)
		s.Header().Set("Content-Type", "application/json")
		io.WriteString(s, "{}")
		time.Sleep(3 * heartbeat)
		expect("{}")
		s.end()
	})
}
