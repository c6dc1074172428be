package ldclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

const token = "api-01234567-89ab-cdef-0123-456789abcdef"

// wire answers requests one after the other and keeps them.
type wire struct {
	answers []func(*http.Request) (*http.Response, error)
	seen    []*http.Request
	at      []time.Time
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.seen, w.at = append(w.seen, r), append(w.at, time.Now())
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if len(w.answers) == 0 {
		return nil, errors.New("no more answers")
	}
	answer := w.answers[0]
	w.answers = w.answers[1:]
	return answer(r)
}

func answer(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i+1 < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func broken(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection reset by peer")
}

func unreachable(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

func newClient(t *testing.T, w http.RoundTripper, change ...func(*ldclient.Config)) *ldclient.Client {
	t.Helper()
	cfg := ldclient.Config{Token: ldclient.StaticToken(token), Transport: w}
	for _, c := range change {
		c(&cfg)
	}
	c, err := ldclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const flagBody = `{"key":"f","environments":{"e":{"on":true,"version":3}}}`

func getFlag(ctx context.Context, c *ldclient.Client) error {
	_, err := c.Flags.Get(ctx, "p", "e", "f")
	return err
}

func patchFlag(ctx context.Context, c *ldclient.Client) error {
	_, err := c.Flags.Patch(ctx, "p", "e", "f", ldclient.Patch{Instructions: []ldclient.Instruction{ldclient.TurnFlagOn()}})
	return err
}

// TestRetry: who is tried again, how often, and how long is waited.
func TestRetry(t *testing.T) {
	ok := answer(200, flagBody)
	later := func(seconds int) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			return answer(429, `{"code":"rate_limited","message":"slow down"}`,
				"X-Ratelimit-Reset", fmt.Sprint(time.Now().Add(time.Duration(seconds)*time.Second).UnixMilli()))(r)
		}
	}
	lock := answer(409, `{"code":"optimistic_locking_error","message":"changed"}`)
	type answers = []func(*http.Request) (*http.Response, error)
	for _, test := range []struct {
		name    string
		do      func(context.Context, *ldclient.Client) error
		answers answers
		sent    int
		status  int           // of the error, 0 for none, -1 for one without a reply
		wait    time.Duration // at least, in all
	}{
		{"read", getFlag, answers{ok}, 1, 0, 0},
		{"read, connection lost", getFlag, answers{broken, broken, ok}, 3, 0, 0},
		{"read, 502, 503, 504", getFlag, answers{answer(502, "<html>"), answer(503, ""), answer(504, ""), ok}, 4, 0, 0},
		{"read, 500", getFlag, answers{answer(500, `{"message":"x"}`)}, 1, 500, 0},
		{"read, for ever", getFlag, answers{broken, broken, broken, broken, broken, ok}, 5, -1, 0},
		{"read, 429 with reset", getFlag, answers{later(3), ok}, 2, 0, 3 * time.Second},
		{"read, 429 with Retry-After", getFlag, answers{answer(429, "{}", "Retry-After", "4"), ok}, 2, 0, 4 * time.Second},
		{"read, 429 with reset in the past", getFlag, answers{later(-30), ok}, 2, 0, 0},
		{"read, 429 with the token's own reset", getFlag, answers{func(r *http.Request) (*http.Response, error) {
			return answer(429, "{}", "X-Ratelimit-Auth-Token-Reset", fmt.Sprint(time.Now().Add(5*time.Second).UnixMilli()))(r)
		}, ok}, 2, 0, 5 * time.Second},
		{"read, 429 with a date", getFlag, answers{func(r *http.Request) (*http.Response, error) {
			return answer(429, "{}", "Retry-After", time.Now().Add(4*time.Second).UTC().Format(http.TimeFormat))(r)
		}, ok}, 2, 0, 4 * time.Second},
		{"read, 429 with a date that has passed", getFlag, answers{answer(429, "{}", "Retry-After", "Mon, 02 Jan 1995 15:04:05 GMT"), ok}, 2, 0, 0},
		{"read, 429 with less than nothing", getFlag, answers{answer(429, "{}", "Retry-After", "-5"), ok}, 2, 0, 0},
		{"read, 429 with no number", getFlag, answers{answer(429, "{}", "Retry-After", "NaN"), ok}, 2, 0, 0},
		{"read, 429 for decades", getFlag, answers{answer(429, "{}", "Retry-After", "1000000000")}, 1, 429, 0},
		{"read, 429 for longer than there are numbers", getFlag, answers{answer(429, "{}", "Retry-After", "1e300")}, 1, 429, 0},
		{"read, 429 for longer than is waited", getFlag, answers{answer(429, "{}", "Retry-After", "60")}, 1, 429, 0},
		{"read, 429 without headers", getFlag, answers{answer(429, ""), ok}, 2, 0, 0},
		{"read, 404", getFlag, answers{answer(404, `{"code":"not_found","message":"no"}`)}, 1, 404, 0},
		{"write", patchFlag, answers{ok}, 1, 0, 0},
		{"write, connection lost", patchFlag, answers{broken, ok}, 1, -1, 0},
		{"write, no connection", patchFlag, answers{unreachable, unreachable, ok}, 3, 0, 0},
		{"write, no connection for ever", patchFlag, answers{unreachable, unreachable, unreachable, unreachable, unreachable, ok}, 5, -1, 0},
		{"write, connection lost after none", patchFlag, answers{unreachable, broken, ok}, 2, -1, 0},
		{"write, 502", patchFlag, answers{answer(502, ""), ok}, 1, 502, 0},
		{"write, 503", patchFlag, answers{answer(503, ""), ok}, 1, 503, 0},
		{"write, 429", patchFlag, answers{later(2), ok}, 2, 0, 2 * time.Second},
		{"write, lost race", patchFlag, answers{lock, ok}, 1, 409, 0},
		{"write, duplicate", patchFlag, answers{answer(409, `{"code":"conflict","message":"x"}`), ok}, 1, 409, 0},
		{"redirect", getFlag, answers{answer(302, "", "Location", "https://evil.example/api/v2/flags/p/f")}, 1, 302, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answers: test.answers}
				start := time.Now()
				err := test.do(t.Context(), newClient(t, w))
				status := ldclient.Status(err)
				if err != nil && status == 0 {
					status = -1
				}
				if status != test.status || len(w.seen) != test.sent {
					t.Errorf("%d requests and status %d (%v), want %d and %d", len(w.seen), status, err, test.sent, test.status)
				}
				if waited := time.Since(start); waited < test.wait || waited > test.wait+test.wait/3+20*time.Second {
					t.Errorf("waited %v, want %v or a little more", waited, test.wait)
				}
			})
		})
	}
}

// TestUsedUpWindow: when a reply says that nothing is left, the next request waits for the reset.
func TestUsedUpWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reset := time.Now().Add(4 * time.Second)
		w := &wire{answers: []func(*http.Request) (*http.Response, error){
			answer(200, flagBody, "X-Ratelimit-Global-Remaining", "0", "X-Ratelimit-Reset", fmt.Sprint(reset.UnixMilli())), answer(200, flagBody)}}
		c := newClient(t, w)
		for range 2 {
			if err := getFlag(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if w.at[1].Before(reset) {
			t.Errorf("the second request went out %v early", reset.Sub(w.at[1]))
		}
	})
}

// TestDeadline: no wait outlasts the caller.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []func(*http.Request) (*http.Response, error){answer(429, `{"message":"slow down"}`, "Retry-After", "9")}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		err := getFlag(ctx, newClient(t, w))
		var e *ldclient.Error
		if !errors.As(err, &e) || e.Status != 429 || e.RetryAfter != 9*time.Second || time.Since(start) > time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// TestHeaders: the token bare, one API version, the semantic patch's own media type.
func TestHeaders(t *testing.T) {
	w := &wire{answers: []func(*http.Request) (*http.Response, error){answer(200, flagBody)}}
	if err := patchFlag(t.Context(), newClient(t, w)); err != nil {
		t.Fatal(err)
	}
	h := w.seen[0].Header
	for name, want := range map[string]string{
		"Authorization": token, "Ld-Api-Version": "20240415", "User-Agent": "ld-mcp",
		"Content-Type": "application/json; domain-model=launchdarkly.semanticpatch",
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	body, _ := io.ReadAll(w.seen[0].Body)
	if got := strings.TrimSpace(string(body)); got != `{"environmentKey":"e","instructions":[{"kind":"turnFlagOn"}]}` {
		t.Errorf("body: %s", got)
	}
}

// TestPaths: what a key may hold, and how it travels.
func TestPaths(t *testing.T) {
	for key, want := range map[string]string{
		"a":       "/api/v2/flags/p/a",
		"a.b-c_d": "/api/v2/flags/p/a.b-c_d",
		"ключ":    "/api/v2/flags/p/%D0%BA%D0%BB%D1%8E%D1%87",
		"a@b":     "/api/v2/flags/p/a@b",
		"":        "", ".": "", "..": "", "...": "", "a/b": "", "/": "", "a?x=1": "", "a#b": "", "%2e%2e": "", "a%2Fb": "",
		"a b": "", "a\tb": "", "a\x00": "", "a\u0085": "", `a\b`: "", "a:b": "", "a;b": "", "*": "", "\xff": "",
	} {
		w := &wire{answers: []func(*http.Request) (*http.Response, error){answer(200, flagBody)}}
		_, err := newClient(t, w).Flags.Get(t.Context(), "p", "e", key)
		var invalid *ldclient.InvalidError
		switch {
		case want == "" && (!errors.As(err, &invalid) || len(w.seen) > 0):
			t.Errorf("%q: %d requests, %v", key, len(w.seen), err)
		case want != "" && (err != nil || w.seen[0].URL.EscapedPath() != want):
			t.Errorf("%q: %v, %v", key, w.seen[0].URL, err)
		}
	}
}

// TestReplies: what is no usable reply says so, and says what came instead.
func TestReplies(t *testing.T) {
	html := `<!doctype html><html><head><title>Sign in</title><style>b{}</style></head><body>Please sign in to Corp Proxy</body></html>`
	for _, test := range []struct{ name, body, contentType, want string }{
		{"page of a proxy", html, "text/html", "is not LaunchDarkly's (it is text/html)"},
		{"truncated", `{"key":"f","name":"x`, "", "was cut short"},
		{"nothing", ``, "", "was cut short"},
		{"null", `null`, "", "holds no flag"},
		{"something else", `{"items":[]}`, "", "holds no flag"},
		{"a lot", `{"key":"` + strings.Repeat("x", 1<<20) + `"}`, "", "is larger than 1 MB"},
		{"an array", `[1]`, "", "is not LaunchDarkly's"},
		{"unknown fields and values", `{"key":"f","kind":"quantum","new":{"a":[1]},"environments":{"e":{"on":true}}}`, "", ""},
		{"nulls", `{"key":"f","variations":null,"tags":null,"name":null,"environments":{"e":{"on":null,"rules":null,"fallthrough":null,"offVariation":null}}}`, "", ""},
		{"fields of another type", `{"key":"f","name":5,"tags":"x","environments":{"e":{"version":"seven","on":true}}}`, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &wire{answers: []func(*http.Request) (*http.Response, error){answer(200, test.body, "Content-Type", test.contentType)}}
			err := getFlag(t.Context(), newClient(t, w, func(c *ldclient.Config) { c.MaxBody = 1 << 20 }))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	w := &wire{answers: []func(*http.Request) (*http.Response, error){answer(403, html, "Content-Type", "text/html")}}
	err := getFlag(t.Context(), newClient(t, w))
	if got := fmt.Sprint(err); got != `app.launchdarkly.com answered "Sign in Please sign in to Corp Proxy" instead of LaunchDarkly's JSON (HTTP 403)` {
		t.Error(got)
	}
	w = &wire{answers: []func(*http.Request) (*http.Response, error){answer(200, `{"key":"f","na`)}}
	var lost *ldclient.TransportError
	if err := patchFlag(t.Context(), newClient(t, w)); !errors.As(err, &lost) || !lost.Unsure {
		t.Errorf("a write whose reply is cut short may have been carried out: %v", err)
	}
	w = &wire{answers: []func(*http.Request) (*http.Response, error){unreachable, unreachable, unreachable, unreachable, unreachable}}
	synctest.Test(t, func(t *testing.T) {
		if err := patchFlag(t.Context(), newClient(t, w)); !errors.As(err, &lost) || lost.Unsure {
			t.Errorf("a write that did not leave was not carried out: %v", err)
		}
	})
	for body, want := range map[string]string{`{"items":{},"_links":{"self":{}}}`: "is not LaunchDarkly's", `{"items":[],"_links":{"self":{}}}`: "", `{"_links":{"self":{}}}`: ""} {
		w = &wire{answers: []func(*http.Request) (*http.Response, error){answer(200, body)}}
		if _, err := newClient(t, w).Environments.All(t.Context(), "p"); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("a list %s: %v, want %q", body, err, want)
		}
	}
}

// TestLargeReply: a reply that says that it is too large is not read at all.
func TestLargeReply(t *testing.T) {
	read := false
	w := &wire{answers: []func(*http.Request) (*http.Response, error){func(r *http.Request) (*http.Response, error) {
		resp, err := answer(200, flagBody)(r)
		resp.ContentLength, resp.Body = 65<<20, io.NopCloser(readFunc(func([]byte) (int, error) {
			read = true
			return 0, io.EOF
		}))
		return resp, err
	}}}
	if err := getFlag(t.Context(), newClient(t, w)); err == nil || !strings.Contains(err.Error(), "is larger than 64 MB") || read {
		t.Errorf("%v, read %t", err, read)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// TestRefusals: read-only, scope and a context without writes refuse before a byte leaves.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*ldclient.Config)
		ctx    func(context.Context) context.Context
		do     func(context.Context, *ldclient.Client) error
		ok     bool
	}{
		"read-only write":       {func(c *ldclient.Config) { c.ReadOnly = true }, nil, patchFlag, false},
		"read-only read":        {func(c *ldclient.Config) { c.ReadOnly = true }, nil, getFlag, true},
		"without writes":        {nil, ldclient.WithoutWrites, patchFlag, false},
		"project in scope":      {func(c *ldclient.Config) { c.Scope.Projects = []string{"p*"} }, nil, getFlag, true},
		"project out of scope":  {func(c *ldclient.Config) { c.Scope.Projects = []string{"q"} }, nil, getFlag, false},
		"environment in scope":  {func(c *ldclient.Config) { c.Scope.Environments = []string{"x", "e"} }, nil, patchFlag, true},
		"environment out":       {func(c *ldclient.Config) { c.Scope.Environments = []string{"x"} }, nil, patchFlag, false},
		"environment out, read": {func(c *ldclient.Config) { c.Scope.Environments = []string{"x"} }, nil, getFlag, false},
		"all environments": {func(c *ldclient.Config) { c.Scope.Environments = []string{"e"} }, nil, func(ctx context.Context, c *ldclient.Client) error {
			_, err := c.Flags.Patch(ctx, "p", "", "f", ldclient.Patch{Instructions: []ldclient.Instruction{{"kind": "archiveFlag"}}})
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{answers: []func(*http.Request) (*http.Response, error){answer(200, flagBody)}}
			ctx := t.Context()
			if test.ctx != nil {
				ctx = test.ctx(ctx)
			}
			var changes []func(*ldclient.Config)
			if test.change != nil {
				changes = append(changes, test.change)
			}
			err := test.do(ctx, newClient(t, w, changes...))
			if (err == nil) != test.ok || (len(w.seen) == 1) != test.ok {
				t.Errorf("%d requests, %v", len(w.seen), err)
			}
		})
	}
}

// TestTokenNeverShows prints, logs and marshals a token every way there is.
func TestTokenNeverShows(t *testing.T) {
	var log strings.Builder
	tok := ldclient.Token(token)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", tok, "config", struct{ T ldclient.Token }{tok})
	b, _ := json.Marshal(map[string]any{"t": tok})
	for _, s := range []string{tok.String(), fmt.Sprintf("%v %s %q %x %#v %+v %d", tok, tok, tok, tok, tok, tok, tok),
		fmt.Sprintf("%#v %v", struct{ T ldclient.Token }{tok}, []ldclient.Token{tok}), string(b), log.String(),
		ldclient.Mask("it is " + token + "."), ldclient.Mask(`{"apiKey":"sdk-01234567-89ab-cdef-0123-456789abcdef","m":"MOB-0123456789abcdef01234567"}`)} {
		if strings.Contains(s, "01234567") {
			t.Errorf("a secret shows in %s", s)
		}
	}
	for _, s := range []string{"api-gateway-v2", "sdk-rollout", "use-mob-app-2024"} {
		if ldclient.Mask(s) != s {
			t.Errorf("%s is no secret", s)
		}
	}
	w := &wire{answers: []func(*http.Request) (*http.Response, error){answer(401, `{"code":"unauthorized","message":"Invalid key `+token+`"}`), func(*http.Request) (*http.Response, error) {
		return nil, errors.New("dial with " + token)
	}}}
	c := newClient(t, w)
	for range 2 {
		if err := patchFlag(t.Context(), c); strings.Contains(fmt.Sprint(err), "01234567") {
			t.Errorf("the token shows in %v", err)
		}
	}
}

func TestBaseURL(t *testing.T) {
	for raw, ok := range map[string]bool{
		"https://app.eu.launchdarkly.com": true, "https://app.launchdarkly.us/": true, "https://proxy.corp/ld/api/v2/": true,
		"http://127.0.0.1:8080": true, "http://localhost:1": true, "http://[::1]:1": true,
		"http://app.launchdarkly.com": false, "http://127.0.0.1.evil.example": false, "app.launchdarkly.com": false, "ftp://x": false,
		"https://user:pass@x": false, "https://x/?q=1": false, "https://x/#f": false, "https://": false, "::": false,
	} {
		_, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(token), BaseURL: raw})
		if (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
	}
	w := &wire{answers: []func(*http.Request) (*http.Response, error){answer(200, flagBody)}}
	c := newClient(t, w, func(cfg *ldclient.Config) { cfg.BaseURL = "https://proxy.corp/ld/api/v2/" })
	if err := getFlag(t.Context(), c); err != nil || w.seen[0].URL.String() != "https://proxy.corp/ld/api/v2/flags/p/f?env=e" {
		t.Errorf("%v %v", w.seen[0].URL, err)
	}
}

// TestAll asks for pages only while the caller ranges, and trusts links and items before counts.
func TestAll(t *testing.T) {
	page := func(next bool, keys ...string) func(*http.Request) (*http.Response, error) {
		p := map[string]any{"items": []any{}}
		for _, k := range keys {
			p["items"] = append(p["items"].([]any), map[string]any{"key": k})
		}
		if next {
			p["_links"] = map[string]any{"next": map[string]any{"href": "/api/v2/x"}}
		}
		b, _ := json.Marshal(p)
		return answer(200, string(b))
	}
	for _, test := range []struct {
		pages []func(*http.Request) (*http.Response, error)
		want  string
	}{
		{[]func(*http.Request) (*http.Response, error){page(true, "a", "b"), page(true, "c", "d"), page(false, "e")}, "a b c d e"},
		{[]func(*http.Request) (*http.Response, error){page(false)}, ""},
		{[]func(*http.Request) (*http.Response, error){page(true, "a"), page(true)}, "a"},
	} {
		w := &wire{answers: test.pages}
		envs, err := newClient(t, w).Environments.All(t.Context(), "p")
		var keys []string
		for _, e := range envs {
			keys = append(keys, e.Key)
		}
		if err != nil || strings.Join(keys, " ") != test.want || len(w.answers) > 0 {
			t.Errorf("%v %v, %d pages left, want %s", keys, err, len(w.answers), test.want)
		}
	}
}

// TestFingerprint: it tells tokens apart, holds nothing of them, and means nothing to another client.
func TestFingerprint(t *testing.T) {
	current, failing := ldclient.Token(token), error(nil)
	source := func(c *ldclient.Config) {
		c.Token = func() (ldclient.Token, error) { return current, failing }
	}
	c, other := newClient(t, &wire{}, source), newClient(t, &wire{}, source)
	first := c.Fingerprint()
	if first == "" || first != c.Fingerprint() || first == other.Fingerprint() || strings.Contains(first, token[len(token)-4:]) {
		t.Errorf("%s, another client's %s", first, other.Fingerprint())
	}
	current = "api-11111111-89ab-cdef-0123-456789abcdef"
	if got := c.Fingerprint(); got == first || got == "" {
		t.Errorf("%s after the token was changed", got)
	}
	failing = errors.New("gone")
	if got := c.Fingerprint(); got != "" {
		t.Errorf("%s without a token", got)
	}
}

// TestServerTime: the bounds hold LaunchDarkly's time, and are narrow once a reply told it.
func TestServerTime(t *testing.T) {
	for _, ahead := range []time.Duration{0, 3*time.Hour + 400*time.Millisecond, -90*time.Second - 999*time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{}
			w.answers = append(w.answers, func(r *http.Request) (*http.Response, error) {
				time.Sleep(80 * time.Millisecond)
				date := time.Now().Add(ahead).UTC().Format(http.TimeFormat)
				time.Sleep(120 * time.Millisecond)
				return answer(200, `{"key":"f"}`, "Date", date)(r)
			})
			c := newClient(t, w)
			if least, most := c.ServerTime(time.Now()); most.Sub(least) < 5*time.Second {
				t.Errorf("before any reply: %s to %s", least, most)
			}
			if err := getFlag(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			least, most := c.ServerTime(now)
			if is := now.Add(ahead); is.Before(least) || is.After(most) || most.Sub(least) > 2*time.Second {
				t.Errorf("%s ahead: %s to %s", ahead, least.Sub(now), most.Sub(now))
			}
		})
	}
}

// TestMark: what was not said counts as on, and is not known.
func TestMark(t *testing.T) {
	for text, want := range map[string]policy.Verdict{`{"critical":true}`: policy.Yes, `{"critical":false}`: policy.No, `{}`: policy.Unknown, `{"critical":null}`: policy.Unknown, `{"critical":"no"}`: policy.Unknown} {
		var e ldclient.Environment
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if e.Critical.Known() != want || e.Critical.On() != (want != policy.No) {
			t.Errorf("%s: %s, on %t", text, e.Critical.Known(), e.Critical.On())
		}
	}
}
