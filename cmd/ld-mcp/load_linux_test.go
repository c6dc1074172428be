package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The command's process tells its memory after a collection when it gets SIGUSR1.
func init() {
	beforeMain = func() {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGUSR1)
		go func() {
			log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
			for n := 1; ; n++ {
				<-asked
				debug.FreeOSMemory()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				log.Info("memory", "memory"+strconv.Itoa(n), fmt.Sprintf("%d %d %d %d", resident(), m.HeapAlloc, m.StackInuse, runtime.NumGoroutine()))
			}
		}()
	}
}

// resident is the memory of this process, in bytes.
func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return pages * os.Getpagesize()
}

type memory struct{ rss, heap, stack, goroutines int }

// memory asks for the nth time.
func (p *process) memory(n int) (m memory) {
	p.t.Helper()
	p.Process.Signal(syscall.SIGUSR1)
	if _, err := fmt.Sscan(p.expect("memory"+strconv.Itoa(n)), &m.rss, &m.heap, &m.stack, &m.goroutines); err != nil {
		p.t.Fatal(err)
	}
	return m
}

// sseClient is one session of HTTP+SSE.
type sseClient struct {
	client   *http.Client
	body     io.Closer
	lines    *bufio.Scanner
	endpoint string
}

func openSSE(client *http.Client, base string) (*sseClient, error) {
	resp, err := client.Get(base + "/sse")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("/sse: %s", resp.Status)
	}
	s := &sseClient{client: client, body: resp.Body, lines: bufio.NewScanner(resp.Body)}
	s.lines.Buffer(nil, 1<<20)
	path, err := s.next()
	s.endpoint = base + path
	return s, err
}

// next is the data of the next event.
func (s *sseClient) next() (string, error) {
	for s.lines.Scan() {
		if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok {
			return data, nil
		}
	}
	return "", fmt.Errorf("the stream ended: %w", s.lines.Err())
}

func (s *sseClient) post(body string) error {
	resp, err := s.client.Post(s.endpoint, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("/message: %s", resp.Status)
	}
	return nil
}

// begin initialises the session.
func (s *sseClient) begin() error {
	if err := s.post(initialize); err != nil {
		return err
	}
	if data, err := s.next(); err != nil || !strings.Contains(data, `"id":"hello"`) {
		return fmt.Errorf("initialize: %s, %w", data, err)
	}
	return s.post(initialized)
}

// newHTTPClient returns a client that keeps few connections besides its streams.
func newHTTPClient(t *testing.T, most int) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: most}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// each does something for n clients at once and ends the test if one fails.
func each(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	errs := make(chan error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			if err := do(i); err != nil {
				errs <- fmt.Errorf("client %d: %w", i, err)
			}
		})
	}
	wait.Wait()
	close(errs)
	failed := 0
	for err := range errs {
		if failed++; failed <= 3 {
			t.Error(err)
		}
	}
	if failed > 0 {
		t.Fatalf("%d of %d clients failed", failed, n)
	}
}

// roomFor skips a test that needs more descriptors than there may be.
func roomFor(t *testing.T, descriptors uint64) {
	t.Helper()
	if testing.Short() {
		t.Skip("many clients take seconds")
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < descriptors {
		t.Skipf("%d descriptors are needed, and %d may be open: raise ulimit -n", descriptors, limit.Cur)
	}
}

// answers reports whether a reply is to the call of this id and about this flag.
func answers(text, id, flag string) error {
	var m struct {
		ID     string
		Result struct{ Content []struct{ Text string } }
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	if m.ID != id || len(m.Result.Content) != 1 || !strings.Contains(m.Result.Content[0].Text, flag) {
		return fmt.Errorf("asked %s about %s, got %s", id, flag, text)
	}
	return nil
}

// TestManyClients: five hundred clients of each transport at once get their own replies and nobody else's.
func TestManyClients(t *testing.T) {
	const calls = 3
	clients := 500
	roomFor(t, 2000)
	if raceEnabled() {
		clients = 100
	}
	p := startServer(t, nil, "--sandbox", "--max-sessions", "1100")
	client := newHTTPClient(t, 100)
	start := time.Now()
	each(t, 2*clients, func(i int) error {
		flag := func(n int) string { return fmt.Sprintf("flag-%d-of-%d.", n, i) }
		body := func(n int) (id, text string) {
			id = fmt.Sprintf("call-%d-of-%d", n, i)
			return id, toolCall(id, "get-flag", fmt.Sprintf(`{"projectKey":"shop","flagKey":%q,"environmentKey":"test"}`, flag(n)), "")
		}
		if i%2 == 0 {
			s, err := openSSE(client, p.base)
			if err != nil {
				return err
			}
			defer s.body.Close()
			if err := s.begin(); err != nil {
				return err
			}
			open := map[string]string{}
			for n := range calls { // all at once
				id, text := body(n)
				open[id] = flag(n)
				if err := s.post(text); err != nil {
					return err
				}
			}
			for len(open) > 0 {
				data, err := s.next()
				if err != nil {
					return err
				}
				var m struct{ ID string }
				if json.Unmarshal([]byte(data), &m); open[m.ID] == "" {
					return fmt.Errorf("got what was not asked for, or twice: %s", data)
				}
				if err := answers(data, m.ID, open[m.ID]); err != nil {
					return err
				}
				delete(open, m.ID)
			}
			return nil
		}
		session := ""
		post := func(body string) (string, error) {
			req, err := http.NewRequestWithContext(t.Context(), "POST", p.base+"/mcp", strings.NewReader(body))
			if err != nil {
				return "", err
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Accept", "application/json, text/event-stream")
			req.Header.Set("Mcp-Session-Id", session)
			if session == "" {
				req.Header.Del("Mcp-Session-Id")
			}
			resp, err := client.Do(req)
			if err != nil {
				return "", err
			}
			defer resp.Body.Close()
			if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
				session = id
			}
			text, err := io.ReadAll(resp.Body)
			if resp.StatusCode >= 300 {
				err = fmt.Errorf("%s: %s", resp.Status, text)
			}
			return string(text), err
		}
		if text, err := post(initialize); err != nil || session == "" {
			return fmt.Errorf("no session: %s, %w", text, err)
		}
		if _, err := post(initialized); err != nil {
			return err
		}
		for n := range calls {
			id, body := body(n)
			text, err := post(body)
			if err != nil {
				return err
			}
			if err := answers(text, id, flag(n)); err != nil {
				return err
			}
		}
		return nil
	})
	t.Logf("%d clients made %d calls in %s", 2*clients, 2*clients*calls, time.Since(start).Round(time.Millisecond))
	p.Process.Signal(syscall.SIGTERM)
	if err := p.wait(); err != nil {
		t.Error(err)
	}
}

// TestMemoryOfIdleSessions: a session of HTTP+SSE that says nothing costs little.
func TestMemoryOfIdleSessions(t *testing.T) {
	const sessions, most = 500, 60 << 10
	roomFor(t, 4*sessions)
	p := startServer(t, nil, "--sandbox")
	client := newHTTPClient(t, 4)
	open := func(n int) {
		var mu sync.Mutex
		each(t, n, func(int) error {
			s, err := openSSE(client, p.base)
			if err != nil {
				return err
			}
			mu.Lock()
			t.Cleanup(func() { s.body.Close() })
			mu.Unlock()
			return s.begin()
		})
		client.CloseIdleConnections()
	}
	open(20) // what is made once is there
	before := p.memory(1)
	open(sessions)
	after := p.memory(2)
	each := func(a, b int) float64 { return float64(b-a) / sessions / 1024 }
	t.Logf("an idle session holds %.1f KiB: heap %.1f, stacks %.1f, %.1f goroutines", each(before.rss, after.rss), each(before.heap, after.heap),
		each(before.stack, after.stack), each(before.goroutines, after.goroutines)*1024)
	if raceEnabled() {
		t.Skip("the race detector needs memory of its own")
	}
	if got := (after.rss - before.rss) / sessions; got > most {
		t.Errorf("%d bytes a session, at most %d are fine", got, most)
	}
}

// raceEnabled reports whether this binary, which is the command too, was built with the race detector.
func raceEnabled() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// TestHugeBodies: a body of 64 MiB is refused without being kept, whether or not its length is told.
func TestHugeBodies(t *testing.T) {
	t.Parallel()
	const size, atOnce = 64 << 20, 8
	p := startServer(t, nil, "--sandbox")
	client := newHTTPClient(t, 1)
	client.Transport.(*http.Transport).ExpectContinueTimeout = 10 * time.Second
	before := p.memory(1)
	piece := bytes.Repeat([]byte("a"), 64<<10)
	for _, path := range []string{"/mcp", "/message?sessionId=x"} {
		for _, length := range []int64{size, -1} {
			each(t, atOnce, func(int) error {
				out, in := io.Pipe()
				go func() {
					defer in.Close()
					for range size / len(piece) {
						if _, err := in.Write(piece); err != nil {
							return
						}
					}
				}()
				req, err := http.NewRequestWithContext(t.Context(), "POST", p.base+path, out)
				if err != nil {
					return err
				}
				req.ContentLength = length
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Expect", "100-continue") // so that the refusal is read before the connection is cut
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				if resp.StatusCode != http.StatusRequestEntityTooLarge {
					return fmt.Errorf("%s of length %d: %s", path, length, resp.Status)
				}
				return nil
			})
		}
	}
	after := p.memory(2)
	t.Logf("%d bodies of 64 MiB left %.1f MiB more", 4*atOnce, float64(after.rss-before.rss)/(1<<20))
	if after.rss-before.rss > 24<<20 && !raceEnabled() {
		t.Errorf("%d bytes more", after.rss-before.rss)
	}
}
