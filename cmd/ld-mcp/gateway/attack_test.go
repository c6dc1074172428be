package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// made counts the tenants that were made and refuses those whose name begins with bad.
func refusing(t *testing.T, c *Config, made *atomic.Int32) {
	t.Helper()
	c.Authenticate = byHeader{}
	c.Tenant = func(_ context.Context, who Caller) (Tenant, error) {
		made.Add(1)
		if strings.HasPrefix(who.Name, "bad") {
			return nil, unknownToken()
		}
		return sandboxed(t), nil
	}
}

// Whoever is not known to LaunchDarkly takes no session and no call from those who are.
func TestStrangersTakeNoPlace(t *testing.T) {
	t.Parallel()
	var made atomic.Int32
	base, stop := serve(t, func(c *Config) {
		refusing(t, c, &made)
		c.Limits.Sessions, c.Limits.Calls, c.Limits.Tenants = 2, 2, 2
	})
	defer finish(t, stop)
	for i := range 6 {
		for _, route := range []string{"POST /mcp", "GET /sse"} {
			method, path, _ := strings.Cut(route, " ")
			if status, _, text := send(t, method, base+path, fmt.Sprintf("bad%d", i), "", hello); status != http.StatusUnauthorized {
				t.Errorf("%s: %d %s", route, status, text)
			}
		}
	}
	if status, _, text := send(t, "POST", base+"/mcp", "good", "", hello); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	for range 4 { // an initialize that comes to nothing keeps no session
		send(t, "POST", base+"/mcp", "good", "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":7}`)
	}
	if status, _, text := send(t, "POST", base+"/mcp", "good", "", hello); status != 200 {
		t.Errorf("%d %s", status, text)
	}
}

// Requests that are cancelled while their tenant is being made leave the service as it was.
func TestCancelledWhileMade(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	g, err := New(Config{Authenticate: byHeader{}, Limits: Limits{Tenants: 3}, Tenant: func(ctx context.Context, who Caller) (Tenant, error) {
		if strings.HasPrefix(who.Name, "slow") {
			select {
			case <-hold:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return sandboxed(t), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_, leave, err := g.tenants.enter(ctx, Caller{Name: "slow", Tenant: fmt.Sprint(i)})
			if err == nil {
				leave()
			}
		})
	}
	wait.Wait()
	if _, _, err := g.tenants.enter(t.Context(), Caller{Tenant: "more"}); err == nil {
		t.Error("there was room beside those that are being made")
	}
	close(hold)
	for { // those that were made are dropped for others
		_, leave, err := g.tenants.enter(t.Context(), Caller{Tenant: "good"})
		if err == nil {
			leave()
			break
		}
		var denied *Denial
		if !errors.As(err, &denied) {
			t.Fatal(err)
		}
	}
	g.drain()
}

// A stream ends with the rights that it was opened with.
func TestRightsThatChangeEndAStream(t *testing.T) {
	t.Parallel()
	var rights atomic.Value
	rights.Store("writer")
	base, stop := serve(t, func(c *Config) { c.Authenticate = changing{&rights} })
	defer finish(t, stop)
	_, lines := openStream(t, "GET", base+"/sse", "", nil)
	endpoint := ""
	for !strings.HasPrefix(endpoint, "/") && lines.Scan() {
		endpoint, _ = strings.CutPrefix(lines.Text(), "data: ")
	}
	if status, _, _ := send(t, "POST", base+endpoint, "", "", hello); status != http.StatusAccepted {
		t.Errorf("with the same rights: %d", status)
	}
	rights.Store("reader")
	if status, _, _ := send(t, "POST", base+endpoint, "", "", toggle); status != http.StatusNotFound {
		t.Errorf("with other rights: %d", status)
	}
	for lines.Scan() {
	}
}

type changing struct{ rights *atomic.Value }

func (c changing) Authenticate(*http.Request) (Caller, *Denial) {
	return Caller{ID: "ann", Tenant: c.rights.Load().(string)}, nil
}

// A session that is ended takes its stream along.
func TestEndedSessionEndsItsStream(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, nil)
	defer finish(t, stop)
	_, id, _ := send(t, "POST", base+"/mcp", "", "", hello)
	_, lines := openStream(t, "GET", base+"/mcp", "", map[string]string{"Mcp-Session-Id": id, "Accept": "text/event-stream"})
	if status, _, _ := send(t, "DELETE", base+"/mcp", "", id, ""); status != 200 {
		t.Errorf("%d", status)
	}
	for lines.Scan() {
	}
}

// The answer to a question is not held up by the calls that wait for it.
func TestAnswersNeedNoPlace(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, func(c *Config) { c.Limits.Calls = 1 })
	defer finish(t, stop)
	_, id, _ := send(t, "POST", base+"/mcp", "", "", strings.Replace(hello, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1))
	_, lines := openStream(t, "POST", base+"/mcp", toggle, map[string]string{"Mcp-Session-Id": id, "Content-Type": "application/json", "Accept": "application/json, text/event-stream"})
	answered := false
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case !ok:
		case strings.Contains(data, "elicitation/create"):
			asked := strings.SplitN(strings.SplitN(data, `"id":`, 2)[1], ",", 2)[0]
			if status, _, text := send(t, "POST", base+"/mcp", "", id, `{"jsonrpc":"2.0","id":`+strings.TrimRight(asked, "}")+`,"result":{"action":"accept","content":{}}}`); status != http.StatusAccepted {
				t.Errorf("the answer: %d %s", status, text)
			}
		case strings.Contains(data, `\"changed\":true`):
			answered = true
		}
	}
	if !answered {
		t.Error("the call did not end well")
	}
}

// An identity provider that says nothing holds nobody longer than they want to wait.
func TestSilentIdentityProvider(t *testing.T) {
	t.Parallel()
	silent := make(chan struct{})
	i := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer i.Close()
	defer close(silent)
	o, err := NewOIDC(OIDCConfig{Issuer: i.URL, Audience: "a", PublicURL: "https://x", Groups: map[string]Rights{"g": {}}})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, "POST", "/mcp", nil)
			r.Header.Set("Authorization", "Bearer x.y.z")
			if _, denied := o.Authenticate(r); denied == nil || denied.Status != http.StatusServiceUnavailable {
				t.Errorf("%+v", denied)
			}
		})
	}
	wait.Wait()
}

// Tokens with made-up key ids do not send the service to the identity provider each time.
func TestMadeUpKeysAreNotLookedUp(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := &sparing{hold: time.Hour, next: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked.Add(1)
		w := httptest.NewRecorder()
		fmt.Fprintf(w, "reply %d", asked.Load())
		resp := w.Result()
		resp.Request = r
		return resp, nil
	})}
	for range 5 {
		resp, err := (&http.Client{Transport: s}).Get("https://id.example/keys") //nolint:noctx // it goes nowhere
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// With LaunchDarkly's own tokens nobody is known before LaunchDarkly was asked, so the metrics are not for whoever sends one.
func TestMetricsAreNotForStrangers(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, func(c *Config) {
		c.Authenticate = NewPassthrough([]byte("k"))
		c.Metrics = NewMetrics(func() float64 { return -1 })
	})
	defer finish(t, stop)
	if status, _, _ := send(t, "GET", base+"/metrics", "Bearer api-0123456789abcdef", "", ""); status != http.StatusNotFound {
		t.Errorf("%d", status)
	}
}
