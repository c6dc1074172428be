package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// flagCount is how many flags the account has, archived ones among them. Of
// the others there are enough for pageSpan, which lists walk over again and again.
const (
	flagCount = 1200
	pageSpan  = 1000
)

// asUpstream as the only argument makes this program the upstream.
const asUpstream = "upstream"

// serveUpstream serves a sandbox account until ctx ends. The command ld-mcp
// sandbox takes a couple of hundred connections only, and the official server
// opens one for each call that it makes at once.
func serveUpstream(ctx context.Context, out io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, ln.Addr())
	srv := &http.Server{Handler: sandbox.New(sandbox.Options{Flags: flagCount}), ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// upstream is the sandbox account in a process of its own.
type upstream struct {
	url    string
	flags  []string
	client *http.Client
	stop   func()
}

func startUpstream(ctx context.Context) (*upstream, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, asUpstream)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	u := &upstream{client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
	u.stop = func() {
		cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		cmd.Wait()                          //nolint:errcheck // how it ends does not matter
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		u.stop()
		return nil, fmt.Errorf("the sandbox does not say where it is: %w", err)
	}
	u.url = "http://" + strings.TrimSpace(addr)
	for offset := 0; offset < pageSpan; offset += pageSize {
		body, _, err := u.get(ctx, fmt.Sprintf("/api/v2/flags/%s?limit=%d&offset=%d", project, pageSize, offset))
		var page struct{ Items []struct{ Key string } }
		if err == nil {
			err = json.Unmarshal(body, &page)
		}
		if err != nil {
			u.stop()
			return nil, fmt.Errorf("the sandbox: %w", err)
		}
		for _, item := range page.Items {
			u.flags = append(u.flags, item.Key)
		}
	}
	if len(u.flags) != pageSpan {
		u.stop()
		return nil, fmt.Errorf("the sandbox lists %d flags, %d are needed", len(u.flags), pageSpan)
	}
	return u, nil
}

// get makes the plain HTTP request that a tool's call is compared with, and reads the whole answer.
func (u *upstream) get(ctx context.Context, target string) ([]byte, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url+target, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Authorization", sandbox.WriterToken)
	req.Header.Set("LD-API-Version", "20240415")
	start := time.Now()
	resp, err := u.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	took := time.Since(start)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", target, resp.Status, body)
	}
	return body, took, err
}

// isOn reports whether a flag is on in the environment.
func (u *upstream) isOn(ctx context.Context, flag string) (bool, error) {
	body, _, err := u.get(ctx, plainGet(flag)[0])
	if err != nil {
		return false, err
	}
	var f struct {
		Environments map[string]struct{ On bool }
	}
	err = json.Unmarshal(body, &f)
	return f.Environments[environment].On, err
}

// getAll makes several requests one after the other.
func (u *upstream) getAll(ctx context.Context, targets []string) (time.Duration, error) {
	var took time.Duration
	for _, target := range targets {
		_, d, err := u.get(ctx, target)
		if err != nil {
			return 0, err
		}
		took += d
	}
	return took, nil
}

func plainGet(flag string) []string {
	return []string{fmt.Sprintf("/api/v2/flags/%s/%s?env=%s", project, flag, environment)}
}

func plainList(offset, limit int) []string {
	var out []string
	for end := offset + limit; offset < end; offset += pageSize {
		q := url.Values{"env": {environment}, "limit": {strconv.Itoa(min(pageSize, end-offset))}}
		if offset > 0 {
			q.Set("offset", strconv.Itoa(offset))
		}
		out = append(out, "/api/v2/flags/"+project+"?"+q.Encode())
	}
	return out
}

// witness passes requests on to the upstream and remembers them.
type witness struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func (u *upstream) watch() (*witness, error) {
	to, err := url.Parse(u.url)
	if err != nil {
		return nil, err
	}
	w := &witness{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen = append(w.seen, requestLine(r))
		w.mu.Unlock()
		proxy.ServeHTTP(rw, r)
	}))
	return w, nil
}

// requestLine is a request's method and target, in the form that plainGet and plainList write.
func requestLine(r *http.Request) string {
	q := r.URL.Query()
	if q.Get("offset") == "0" {
		q.Del("offset")
	}
	target := r.URL.EscapedPath()
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	return r.Method + " " + target
}

// take returns the requests since it was last called.
func (w *witness) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}
