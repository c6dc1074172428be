package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that they keep to a test's clock.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

// onPipes serves in memory until the test ends.
func onPipes(t *testing.T, edit func(*Config)) *pipes {
	t.Helper()
	s := sandboxed(t)
	cfg := Config{Tenant: func(context.Context, Caller) (Tenant, error) { return s, nil }}
	if edit != nil {
		edit(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := newPipes()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, p) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return p
}

// A client that says little, and that slowly, holds a connection no longer than one that says nothing.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	const post = " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct {
		first, dribble string
		atMost         time.Duration
	}{
		"headers":                   {"POST /mcp HTTP/1.1\r\nHost: localhost\r\n", "X-A: b\r\n", 12 * time.Second},
		"no line":                   {"P", "O", 12 * time.Second},
		"body":                      {"POST /mcp" + post + "Content-Length: 100000\r\n\r\n{", " ", ioTimeout + 2*time.Second},
		"chunks":                    {"POST /message?sessionId=x" + post + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", ioTimeout + 2*time.Second},
		"body that is not let in":   {"POST /mcp HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100000\r\n\r\n", "x", ioTimeout + 2*time.Second},
		"body of the wrong type":    {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n", "x", ioTimeout + 2*time.Second},
		"body that is too long":     {"POST /mcp" + post + "Content-Length: 67108864\r\n\r\n", "x", ioTimeout + 2*time.Second},
		"body of a route elsewhere": {"POST /nowhere" + post + "Content-Length: 100000\r\n\r\n", "x", ioTimeout + 2*time.Second},
		"body of a stream":          {"GET /sse" + post + "Content-Length: 100000\r\n\r\n", "x", ioTimeout + 2*time.Second},
		"body of a probe":           {"GET /healthz" + post + "Content-Length: 100000\r\n\r\n", "x", ioTimeout + 2*time.Second},
		"idle":                      {"GET /healthz" + post + "\r\n", "", 2*time.Minute + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				conn := onPipes(t, nil).dial()
				defer conn.Close()
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					io.Copy(io.Discard, conn)
				}()
				start := time.Now()
				if _, err := io.WriteString(conn, c.first); err != nil {
					t.Fatal(err)
				}
				go func() {
					for {
						select {
						case <-closed:
							return
						case <-time.After(time.Second):
						}
						conn.SetWriteDeadline(time.Now().Add(time.Second / 2))
						io.WriteString(conn, c.dribble)
					}
				}()
				<-closed
				if took := time.Since(start); took > c.atMost {
					t.Errorf("closed after %s", took)
				}
			})
		})
	}
}

// A stream outlives the times that requests have to come in and go out.
func TestStreamsOutliveTimeouts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := onPipes(t, nil).dial()
		defer conn.Close()
		io.WriteString(conn, "GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n")
		start, pings := time.Now(), 0
		lines := bufio.NewScanner(conn)
		for pings < 20 && lines.Scan() {
			if strings.HasPrefix(lines.Text(), ": ping") {
				pings++
			}
		}
		if took := time.Since(start); pings < 20 || took < 20*heartbeat {
			t.Errorf("%d heartbeats in %s", pings, took)
		}
	})
}

// Idle connections make room for new ones, so that they keep nobody out; those in use stay.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := onPipes(t, func(c *Config) { c.Limits.Connections = 10 })
		stream := p.dial()
		defer stream.Close()
		io.WriteString(stream, "GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n")
		lines := bufio.NewScanner(stream)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: /message") {
		}
		var idle []net.Conn
		for range 30 {
			conn := p.dial()
			defer conn.Close()
			idle = append(idle, conn)
			time.Sleep(time.Millisecond)
		}
		conn := p.dial()
		defer conn.Close()
		io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != 200 {
			t.Errorf("a client among idle ones: %v, %v", resp, err)
		}
		closed := 0
		for i, c := range idle {
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
				if closed++; i != closed-1 {
					t.Errorf("connection %d was closed before older ones", i)
				}
			}
		}
		if closed != 22 { // 30 and the one in use make 31, and beside the stream 9 may be open
			t.Errorf("%d of 30 were closed", closed)
		}
		if !lines.Scan() {
			t.Error("the stream was closed")
		}
	})
}

// A call that finds no room waits for it a little, and a caller with many leaves room to others.
func TestCallsWaitTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &calls{limits: Limits{Calls: 3, CallsPerCaller: 2}}
		var mu sync.Mutex
		most, now, of := 0, 0, map[string]int{}
		var wait sync.WaitGroup
		work := func(who string) bool {
			if !c.enter(t.Context(), who) {
				return false
			}
			mu.Lock()
			now++
			of[who]++
			most = max(most, now)
			if of[who] > 2 {
				t.Errorf("%s has %d", who, of[who])
			}
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			of[who]--
			mu.Unlock()
			c.leave(who)
			return true
		}
		start := time.Now()
		for range 4 {
			wait.Go(func() {
				if !work("ann") {
					t.Error("ann was refused")
				}
			})
		}
		synctest.Wait()
		wait.Go(func() {
			if !work("bob") || time.Since(start) > time.Second {
				t.Error("bob waited for ann")
			}
		})
		wait.Wait()
		if took := time.Since(start); most != 3 || took != 2*time.Second || c.count() != 0 {
			t.Errorf("%d at once, %s, %d left", most, took, c.count())
		}
		c.enter(t.Context(), "ann")
		c.enter(t.Context(), "ann")
		start = time.Now()
		if c.enter(t.Context(), "ann") || time.Since(start) != turnWithin {
			t.Errorf("no room: after %s", time.Since(start))
		}
		for range 4 {
			wait.Go(func() { c.enter(t.Context(), "ann") })
		}
		synctest.Wait()
		if start = time.Now(); c.enter(t.Context(), "ann") || time.Since(start) > 0 {
			t.Error("too many wait already")
		}
		wait.Wait()
		c.leave("ann")
		c.leave("ann")
		if c.all != 0 || len(c.of) != 0 || len(c.waiting) != 0 || !c.wait(0) {
			t.Errorf("%+v", c)
		}
	})
}

// Readiness costs one request for many probes, takes no longer than a probe waits, and says why not.
func TestReadiness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, silent := 0, true
		g, err := New(Config{
			Tenant: func(context.Context, Caller) (Tenant, error) { return sandboxed(t), nil },
			Ready: func(ctx context.Context) error {
				if asked++; silent {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		probe := func(path string, status int, says string) {
			t.Helper()
			w := httptest.NewRecorder()
			g.Probes().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost"+path, nil))
			if w.Code != status || !strings.Contains(w.Body.String(), says) {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		start := time.Now()
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() { probe("/readyz", 503, "The service is not ready: context deadline exceeded.") })
		}
		wait.Wait()
		if took := time.Since(start); asked != 1 || took > 5*time.Second {
			t.Errorf("asked %d times in %s", asked, took)
		}
		probe("/healthz", 200, "ok")
		silent = false
		time.Sleep(notReadyFor)
		for range 20 {
			probe("/readyz", 200, "ready")
		}
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
		g.draining.Store(true)
		probe("/readyz", 503, "shutting down")
		probe("/healthz", 200, "ok")
	})
}

// A session whose client never listens lives on after it was idle for long.
func TestSessionOutlivesIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := onPipes(t, func(c *Config) { c.Limits.Idle = 2 * time.Minute })
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return p.dial(), nil }}}
		session := ""
		post := func(body string) string {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), "POST", "http://localhost/mcp", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Accept", "application/json, text/event-stream")
			if session != "" {
				req.Header.Set("Mcp-Session-Id", session)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if session == "" {
				session = resp.Header.Get("Mcp-Session-Id")
			}
			text, _ := io.ReadAll(resp.Body)
			return resp.Status + string(text)
		}
		post(hello)
		if session == "" {
			t.Fatal("no session")
		}
		for range 5 {
			time.Sleep(10 * time.Minute)
			if got := post(listTools); !strings.Contains(got, "list-flags") {
				t.Errorf("after a pause: %.200s", got)
			}
		}
	})
}
