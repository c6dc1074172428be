package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// byHeader takes a caller's name at its word.
type byHeader struct{}

func (byHeader) Authenticate(r *http.Request) (Caller, *Denial) {
	name := r.Header.Get("Authorization")
	if name == "" {
		return Caller{}, &Denial{Status: http.StatusUnauthorized, Challenge: "Bearer", Message: "Say who you are."}
	}
	return Caller{ID: name, Name: name, Tenant: name}, nil
}

// send sends one request and returns the status, the session in the reply, and the reply.
func send(t *testing.T, method, url, caller, session, body string) (status int, id, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if caller != "" {
		req.Header.Set("Authorization", caller)
	}
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Mcp-Session-Id"), string(b)
}

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

func TestSessionsBelongToTheirCaller(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, func(c *Config) {
		c.Authenticate = byHeader{}
		c.Limits.SessionsPerCaller = 2
	})
	defer finish(t, stop)
	if status, _, _ := send(t, "POST", base+"/mcp", "", "", hello); status != http.StatusUnauthorized {
		t.Errorf("nobody: %d", status)
	}
	_, id, _ := send(t, "POST", base+"/mcp", "ann", "", hello)
	if status, _, text := send(t, "POST", base+"/mcp", "ann", id, listTools); status != 200 || !strings.Contains(text, "list-flags") {
		t.Errorf("own session: %d %s", status, text)
	}
	for _, method := range []string{"POST", "GET", "DELETE"} {
		if status, _, _ := send(t, method, base+"/mcp", "bob", id, listTools); status != http.StatusNotFound {
			t.Errorf("another's session, %s: %d", method, status)
		}
	}
	if status, _, _ := send(t, "POST", base+"/mcp", "ann", id[:len(id)-1]+"x", listTools); status != http.StatusNotFound {
		t.Errorf("forged: %d", status)
	}
	send(t, "POST", base+"/mcp", "ann", "", hello)
	if status, _, text := send(t, "POST", base+"/mcp", "ann", "", hello); status != http.StatusTooManyRequests || !strings.Contains(text, "end one first") {
		t.Errorf("a third: %d %s", status, text)
	}
	if status, _, _ := send(t, "POST", base+"/mcp", "bob", "", hello); status != 200 {
		t.Errorf("somebody else's first: %d", status)
	}
	if status, _, _ := send(t, "DELETE", base+"/mcp", "ann", id, ""); status != 200 {
		t.Errorf("ended: %d", status)
	}
	if status, _, _ := send(t, "POST", base+"/mcp", "ann", id, listTools); status != http.StatusNotFound {
		t.Errorf("after its end: %d", status)
	}
	if status, _, _ := send(t, "POST", base+"/mcp", "ann", "", hello); status != 200 {
		t.Errorf("in the place of the one that ended: %d", status)
	}

	_, lines := openStream(t, "GET", base+"/sse", "", map[string]string{"Authorization": "cleo"})
	endpoint := ""
	for endpoint == "" && lines.Scan() {
		endpoint, _ = strings.CutPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(endpoint, "/") {
			endpoint = ""
		}
	}
	if status, _, _ := send(t, "POST", base+endpoint, "bob", "", hello); status != http.StatusNotFound {
		t.Errorf("another's stream: %d", status)
	}
	if status, _, _ := send(t, "POST", base+endpoint, "cleo", "", hello); status != http.StatusAccepted {
		t.Errorf("own stream: %d", status)
	}
	sse := endpoint[strings.Index(endpoint, "=")+1:]
	if status, _, _ := send(t, "POST", base+"/mcp", "cleo", sse, listTools); status != http.StatusNotFound {
		t.Errorf("an /sse session at /mcp: %d", status)
	}
}

// Replicas with one key know each other's sessions; one with another key does not.
func TestSessionsOfReplicas(t *testing.T) {
	t.Parallel()
	limits := Limits{}
	limits.fill()
	now := time.Now()
	replica := func(key string) *sessions {
		s := newSessions([]byte(key), limits)
		s.now = func() time.Time { return now }
		return s
	}
	a, b, other := replica("k"), replica("k"), replica("l")
	id, err := a.begin("ann", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.touch(id, "ann"); err != nil || b.count() != 1 {
		t.Errorf("%v, %d", err, b.count())
	}
	if b.touch(id, "bob") == nil || other.touch(id, "ann") == nil || a.touch("", "ann") == nil || a.touch(".", "ann") == nil {
		t.Error("a session was accepted that is none")
	}
	now = now.Add(limits.Idle + 2*time.Minute)
	if _, err := a.begin("ann", false); err != nil || a.count() != 1 {
		t.Errorf("%v, %d", err, a.count())
	}
	if err := a.touch(id, "ann"); err != nil {
		t.Errorf("after a pause: %v", err)
	}
	a.end(id)
	if a.touch(id, "ann") == nil {
		t.Error("it was ended")
	}
	now = now.Add(idLifetime)
	if replica("k").touch(id, "ann") == nil {
		t.Error("it is a day old")
	}
}

func TestLimitsOfSessions(t *testing.T) {
	t.Parallel()
	s := newSessions([]byte("k"), Limits{Sessions: 3, SessionsPerCaller: 2, Idle: time.Hour})
	var ids []string
	for _, c := range []struct {
		caller string
		want   error
	}{{"ann", nil}, {"ann", nil}, {"ann", errOfCaller}, {"bob", nil}, {"bob", errTooMany}} {
		id, err := s.begin(c.caller, true)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.caller, err, c.want)
		}
		ids = append(ids, id)
	}
	s.end(ids[0])
	s.end(ids[0])
	if _, err := s.begin("ann", true); err != nil || s.count() != 3 || len(s.ended) != 0 {
		t.Errorf("%v, %d live, %d ended", err, s.count(), len(s.ended))
	}
}

// A second stream of a session ends the first and gets what comes next.
func TestSecondStreamReplacesTheFirst(t *testing.T) {
	t.Parallel()
	var mcpServer Tenant
	base, stop := serve(t, func(c *Config) {
		mcpServer, _ = c.Tenant(t.Context(), Caller{})
	})
	defer finish(t, stop)
	_, id, _ := send(t, "POST", base+"/mcp", "", "", hello)
	send(t, "POST", base+"/mcp", "", id, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	header := map[string]string{"Mcp-Session-Id": id, "Accept": "text/event-stream"}
	_, first := openStream(t, "GET", base+"/mcp", "", header)
	_, second := openStream(t, "GET", base+"/mcp", "", header)
	for first.Scan() {
	}
	mcpServer.MCP().SendNotificationToAllClients(mcp.MethodNotificationToolsListChanged, nil)
	for second.Scan() {
		if strings.Contains(second.Text(), mcp.MethodNotificationToolsListChanged) {
			return
		}
	}
	t.Error("the second stream got nothing")
}

const toggle = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"toggle-flag","arguments":{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"production","on":true,"comment":"launch"}}}`

// A client without a stream of its own has its person asked on the stream of the call.
func TestQuestionOverStreamableHTTP(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, nil)
	defer finish(t, stop)
	tr, err := transport.NewStreamableHTTP(base + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1)
	c := client.NewClient(tr, client.WithProtocolVersion("2025-11-25"), client.WithElicitationHandler(accepting{asked}))
	defer c.Close()
	converseWith(t, c, "2025-11-25")
	text, failed, err := callTool(t.Context(), c, "toggle-flag",
		map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "production", "on": true, "comment": "launch"})
	if err != nil || failed || !strings.Contains(text, `"changed":true`) || !strings.Contains(<-asked, "production") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestQuestionOverSSE(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`"result":{"action":"accept","content":{}}`: `\"changed\":true`,
		`"result":{"action":"decline"}`:             "did not confirm",
		`"error":{"code":-1,"message":"no screen"}`: "did not take the question",
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			base, stop := serve(t, nil)
			defer finish(t, stop)
			_, lines := openStream(t, "GET", base+"/sse", "", nil)
			endpoint := ""
			for lines.Scan() {
				data, ok := strings.CutPrefix(lines.Text(), "data: ")
				switch {
				case !ok:
				case strings.HasPrefix(data, "/"):
					endpoint = data
					send(t, "POST", base+endpoint, "", "", strings.Replace(hello, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1))
				case strings.Contains(data, `"protocolVersion"`):
					send(t, "POST", base+endpoint, "", "", toggle)
				case strings.Contains(data, `"elicitation/create"`):
					if !strings.Contains(data, "production") || !strings.Contains(data, `"id":"ask-1"`) {
						t.Error(data)
					}
					send(t, "POST", base+endpoint, "", "", `{"jsonrpc":"2.0","id":"ask-7",`+answer+`}`) // to another question
					if status, _, _ := send(t, "POST", base+endpoint, "", "", `{"jsonrpc":"2.0","id":"ask-1",`+answer+`}`); status != http.StatusAccepted {
						t.Errorf("the answer: %d", status)
					}
				default:
					if !strings.Contains(data, want) {
						t.Errorf("want %s: %s", want, data)
					}
					return
				}
			}
			t.Error("the stream ended")
		})
	}
}

// slowLD answers after a signal.
type slowLD struct {
	http.RoundTripper
	begun, go_ chan struct{}
}

func (s slowLD) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/flags/shop") {
		s.begun <- struct{}{}
		<-s.go_
	}
	return s.RoundTripper.RoundTrip(r)
}

// At shutdown calls in progress finish, and streams end with a reason.
func TestShutdownLetsCallsFinish(t *testing.T) {
	t.Parallel()
	slow := slowLD{begun: make(chan struct{}, 2), go_: make(chan struct{})}
	base, stop := serve(t, func(c *Config) {
		s := sandboxedThrough(t, func(next http.RoundTripper) http.RoundTripper {
			slow.RoundTripper = next
			return slow
		})
		c.Tenant = func(context.Context, Caller) (Tenant, error) { return s, nil }
	})
	call := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"list-flags","arguments":{"projectKey":"shop","limit":1}}}`
	_, lines := openStream(t, "GET", base+"/sse", "", nil)
	endpoint := ""
	for !strings.HasPrefix(endpoint, "/") && lines.Scan() {
		endpoint, _ = strings.CutPrefix(lines.Text(), "data: ")
	}
	send(t, "POST", base+endpoint, "", "", hello)
	send(t, "POST", base+endpoint, "", "", strings.Replace(call, `"limit":1`, `"limit":2`, 1)) // else both would share one request
	var wait sync.WaitGroup
	var text string
	wait.Go(func() { _, _, text = send(t, "POST", base+"/mcp", "", "", call) })
	<-slow.begun
	<-slow.begun
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	for { // until the service has begun to shut down
		resp, err := http.Get(base + "/readyz") //nolint:noctx // the connection may be refused
		if err != nil || resp.StatusCode != 200 {
			break
		}
		resp.Body.Close()
	}
	close(slow.go_)
	wait.Wait()
	if !strings.Contains(text, "totalCount") {
		t.Errorf("streamable: %s", text)
	}
	answered, reason := false, false
	for lines.Scan() {
		answered = answered || strings.Contains(lines.Text(), "totalCount")
		reason = reason || strings.Contains(lines.Text(), "shutting down")
	}
	if !answered || !reason {
		t.Errorf("answered: %t, reason: %t", answered, reason)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A reader that stalls is dropped, and others go on.
func TestStalledReaderIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, err := New(Config{Tenant: func(context.Context, Caller) (Tenant, error) { return sandboxed(t), nil }, Heartbeat: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		s := &sseSession{g: g, id: "x", events: make(chan []byte, queued)}
		s.gone, s.end = context.WithCancel(t.Context())
		w := &stalling{header: http.Header{}, until: make(chan time.Time, 10)}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer s.end()
			s.serve(w)
		}()
		for range queued + 3 {
			_ = s.send("x")
		}
		<-ended
		if s.send("x") == nil {
			t.Error("a stream that ended took a message")
		}
	})
}

// stalling is a client that reads the first event and then nothing.
type stalling struct {
	header   http.Header
	writes   int
	deadline time.Time
	until    chan time.Time
}

func (s *stalling) Header() http.Header                 { return s.header }
func (s *stalling) WriteHeader(int)                     {}
func (s *stalling) FlushError() error                   { return nil }
func (s *stalling) SetWriteDeadline(at time.Time) error { s.deadline = at; return nil }
func (s *stalling) Write(p []byte) (int, error) {
	if s.writes++; s.writes == 1 {
		return len(p), nil
	}
	if s.deadline.IsZero() {
		select {} // a write without a deadline would last for ever
	}
	time.Sleep(time.Until(s.deadline))
	return 0, context.DeadlineExceeded
}

func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	h := hosts{names: []string{"mcp.example.com"}, proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, c := range []struct {
		peer, host, forwardedHost, forwardedFor, client string
		known                                           bool
	}{
		{"10.1.2.3:99", "internal", "mcp.example.com", "203.0.113.9", "203.0.113.9", true},
		{"10.1.2.3:99", "internal", "evil.example", "203.0.113.9", "203.0.113.9", false},
		{"10.1.2.3:99", "mcp.example.com", "", "198.51.100.1, 203.0.113.9, 10.9.9.9", "203.0.113.9", true},
		{"10.1.2.3:99", "mcp.example.com", "", "nonsense", "10.1.2.3", true},
		{"192.0.2.7:99", "mcp.example.com", "", "203.0.113.9", "192.0.2.7", true},
		{"192.0.2.7:99", "evil.example", "mcp.example.com", "", "192.0.2.7", false},
		{"[::ffff:10.1.2.3]:99", "mcp.example.com", "", "203.0.113.9", "203.0.113.9", true},
	} {
		r := &http.Request{Host: c.host, RemoteAddr: c.peer, Header: http.Header{}}
		for name, value := range map[string]string{"X-Forwarded-Host": c.forwardedHost, "X-Forwarded-For": c.forwardedFor} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if got := h.knows(r); got != c.known {
			t.Errorf("%+v: known %t", c, got)
		}
		if got := h.client(r); got != c.client {
			t.Errorf("%+v: client %s", c, got)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	tenant := func(context.Context, Caller) (Tenant, error) { return nil, errors.New("none") }
	for name, cfg := range map[string]Config{
		"no tools":           {},
		"public path":        {Tenant: tenant, PublicURL: "/mcp"},
		"public query":       {Tenant: tenant, PublicURL: "https://mcp.example.com/?x=y"},
		"host is a URL":      {Tenant: tenant, Hosts: []string{"https://mcp.example.com"}},
		"host is a glob":     {Tenant: tenant, Hosts: []string{"*.example.com"}},
		"origin is a glob":   {Tenant: tenant, Origins: []string{"*"}},
		"origin is a name":   {Tenant: tenant, Origins: []string{"example.com"}},
		"replica is a query": {Tenant: tenant, Replica: "a&sessionId=b"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	base, stop := serve(t, func(c *Config) { c.Tenant = tenant })
	defer finish(t, stop)
	for _, route := range []string{"POST /mcp", "GET /sse"} {
		method, path, _ := strings.Cut(route, " ")
		if status, _, text := send(t, method, base+path, "", "", hello); status != http.StatusBadGateway {
			t.Errorf("%s: %d %s", route, status, text)
		}
	}
}
