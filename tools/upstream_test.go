package tools_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// An upstream is a sandbox account behind net/http's own server and transport,
// on connections in memory: a fault is what it would be on a wire, and the
// clock of a bubble runs it.
type upstream struct {
	*sandbox.Account
	wire    *http.Transport
	dial    chan net.Conn
	serving sync.WaitGroup
	// before, if set, may answer a request itself; then it answers true.
	before func(w http.ResponseWriter, r *http.Request) bool
	// refuse, if set, tells of which requests no connection comes about.
	refuse func(*http.Request) bool

	mu            sync.Mutex
	reads, writes int
	applied       int      // writes that the account carried out
	elsewhere     []string // addresses that are not ours
	longest       int64    // body that was read, in bytes after decompression
	reset         bool     // connections that end do so without a word
}

// ours is where an upstream seems to be.
const ours = "localhost:80"

// latency is how long an account takes to answer.
const latency = 7 * time.Millisecond

func newUpstream(t *testing.T, account *sandbox.Account) *upstream {
	u := &upstream{Account: account, dial: make(chan net.Conn)}
	u.wire = &http.Transport{DialContext: u.connect, MaxIdleConnsPerHost: 10}
	srv := &http.Server{Handler: http.HandlerFunc(u.serve), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		srv.Serve(u)
	}()
	t.Cleanup(func() {
		u.wire.CloseIdleConnections()
		srv.Close()
		<-ended
		u.serving.Wait()
	})
	return u
}

// Accept, Close and Addr make an upstream a listener.
func (u *upstream) Accept() (net.Conn, error) {
	if c, ok := <-u.dial; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (u *upstream) Close() error {
	close(u.dial)
	return nil
}

func (*upstream) Addr() net.Addr { return &net.TCPAddr{} }

func (u *upstream) connect(_ context.Context, _, addr string) (net.Conn, error) {
	if addr != ours {
		u.mu.Lock()
		u.elsewhere = append(u.elsewhere, addr)
		u.mu.Unlock()
	}
	client, server := net.Pipe()
	u.dial <- server
	return resettable{client, u}, nil
}

// RoundTrip is the client's side.
func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	if u.refuse != nil && u.refuse(r) {
		u.count(r)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	if !writes(r) {
		u.count(r)
	}
	resp, err := u.wire.RoundTrip(r)
	if err == nil {
		resp.Body = &weighed{ReadCloser: resp.Body, u: u}
	}
	return resp, err
}

// serve is the other side.
func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	u.serving.Add(1)
	defer u.serving.Done()
	if writes(r) {
		u.count(r)
	}
	body, err := io.ReadAll(r.Body) // only then it is noticed when the other side hangs up
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if u.before != nil && u.before(w, r) {
		return
	}
	time.Sleep(latency)
	pass(w, u.carryOut(r))
}

// carryOut gives a request to the account.
func (u *upstream) carryOut(r *http.Request) *httptest.ResponseRecorder {
	got := httptest.NewRecorder()
	u.ServeHTTP(got, r)
	if writes(r) && got.Code < 300 {
		u.mu.Lock()
		u.applied++
		u.mu.Unlock()
	}
	return got
}

func pass(w http.ResponseWriter, got *httptest.ResponseRecorder) {
	for name, values := range got.Header() {
		w.Header()[name] = values
	}
	w.Header().Del("Date") // net/http knows better: accounts outlive bubbles
	w.WriteHeader(got.Code)
	w.Write(got.Body.Bytes())
}

// writes tells the requests that change something from those that search or try.
func writes(r *http.Request) bool { return mayWrite(r) && !r.URL.Query().Has("dryRun") }

// count counts reads where they set out, as net/http itself repeats some of
// those that meet a dead connection, and writes where they arrive.
func (u *upstream) count(r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if writes(r) {
		u.writes++
	} else {
		u.reads++
	}
}

// resettable is a connection that can end as one does that the other side forgot.
type resettable struct {
	net.Conn
	u *upstream
}

func (c resettable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF { //nolint:errorlint // net.Pipe's own
		c.u.mu.Lock()
		defer c.u.mu.Unlock()
		if c.u.reset {
			err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
		}
	}
	return n, err
}

// weighed is a body of which it is counted how much is read.
type weighed struct {
	io.ReadCloser
	u *upstream
	n int64
}

func (b *weighed) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	b.u.mu.Lock()
	defer b.u.mu.Unlock()
	b.u.longest = max(b.u.longest, b.n)
	return n, err
}

// open connects a client of a server that asks u.
func (u *upstream) open(t *testing.T, change func(*setup)) *rig {
	t.Helper()
	s := setup{
		Options: tools.Options{Version: "test", Toolsets: []string{"all"}, Confirm: tools.ConfirmNever},
		client:  ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: u, BaseURL: "http://" + ours},
	}
	change(&s)
	return connect(t, u.Account, s)
}

// noteOutcome takes down how the last call ended.
func noteOutcome(into *string) func(context.Context, string, map[string]any) (context.Context, func(outcome, resource string)) {
	return func(ctx context.Context, _ string, _ map[string]any) (context.Context, func(outcome, resource string)) {
		return ctx, func(outcome, _ string) { *into = outcome }
	}
}
