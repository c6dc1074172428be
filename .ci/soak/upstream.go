package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// upstream is the sandbox behind a proxy that fails now and then.
type upstream struct {
	account *sandbox.Account
	server  *http.Server
	url     string
	faulty  atomic.Bool

	mu    sync.Mutex
	count map[string]int
}

func newUpstream() (*upstream, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &upstream{account: sandbox.New(sandbox.Options{}), url: "http://" + ln.Addr().String(), count: map[string]int{}}
	// Connections that nobody needs are closed soon, so that a quiet phase is quiet.
	u.server = &http.Server{Handler: http.HandlerFunc(u.serve), ReadHeaderTimeout: time.Minute, IdleTimeout: time.Second}
	go u.server.Serve(ln)
	return u, nil
}

func (u *upstream) close() { u.server.Close() }

func (u *upstream) counted(what string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count[what]++
}

func (u *upstream) String() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []string
	for _, what := range slices.Sorted(maps.Keys(u.count)) {
		out = append(out, fmt.Sprintf("%d %s", u.count[what], what))
	}
	return strings.Join(out, ", ")
}

// faults are what happens instead of an answer, each to so many of a thousand requests.
var faults = []struct {
	name  string
	often int
	do    func(*upstream, http.ResponseWriter, *http.Request)
}{
	{"too many", 10, func(_ *upstream, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ratelimit-Reset", strconv.FormatInt(time.Now().Add(rand.N(500*time.Millisecond)).UnixMilli(), 10))
		http.Error(w, `{"code":"rate_limited","message":"slow down"}`, http.StatusTooManyRequests)
	}},
	{"5xx", 20, func(_ *upstream, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>no</html>", []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}[rand.IntN(4)])
	}},
	{"reset before", 10, func(_ *upstream, w http.ResponseWriter, _ *http.Request) { reset(w) }},
	{"reset after", 10, func(u *upstream, w http.ResponseWriter, r *http.Request) {
		u.answer(r)
		reset(w)
	}},
	{"truncated", 20, func(u *upstream, w http.ResponseWriter, r *http.Request) {
		got := u.answer(r)
		maps.Copy(w.Header(), got.Header())
		w.Header().Set("Content-Length", strconv.Itoa(got.Body.Len()+1))
		w.WriteHeader(got.Code)
		w.Write(got.Body.Bytes()[:got.Body.Len()/2])
	}},
	{"slow", 30, func(u *upstream, w http.ResponseWriter, r *http.Request) {
		got := u.answer(r)
		pause(r.Context(), rand.N(time.Second))
		maps.Copy(w.Header(), got.Header())
		w.WriteHeader(got.Code)
		for b := range slices.Chunk(got.Body.Bytes(), max(1, got.Body.Len()/4)) {
			w.Write(b)
			http.NewResponseController(w).Flush()
			pause(r.Context(), rand.N(200*time.Millisecond))
		}
	}},
	{"hanging", 3, func(_ *upstream, _ http.ResponseWriter, r *http.Request) { pause(r.Context(), time.Minute) }},
}

func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	if u.faulty.Load() {
		n := rand.IntN(1000)
		for _, f := range faults {
			if n -= f.often; n < 0 {
				u.counted(f.name)
				f.do(u, w, r)
				return
			}
		}
	}
	got := u.answer(r)
	u.counted("answered")
	maps.Copy(w.Header(), got.Header())
	w.WriteHeader(got.Code)
	w.Write(got.Body.Bytes())
}

// answer carries a request out, whoever is gone meanwhile.
func (u *upstream) answer(r *http.Request) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	u.account.ServeHTTP(out, r.WithContext(context.WithoutCancel(r.Context())))
	return out
}

// reset ends a connection without a word.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// ask makes a request of the account itself, past all faults.
func ask(account *sandbox.Account, method, path, body string) ([]byte, error) {
	r, err := http.NewRequest(method, "http://sandbox/api/v2/"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", sandbox.WriterToken)
	r.Header.Set("Content-Type", "application/json")
	resp, err := account.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s %s", path, resp.Status, text)
	}
	return text, err
}
