package ldclient

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

const (
	apiVersion    = "20240415"
	maxBody       = 64 << 20
	jsonType      = "application/json"
	semanticPatch = "application/json; domain-model=launchdarkly.semanticpatch"
)

// call is one request. writes says whether it changes anything: the HTTP method
// does not tell, because several LaunchDarkly POSTs only read.
type call struct {
	method      string
	root        string // "" for /api/v2
	path        apiPath
	at          Target
	query       url.Values
	body        any
	contentType string
	beta        bool
	writes      bool
	etag        string // of what is known already; the answer is 304 when it is so still
}

func get[T any](ctx context.Context, c *Client, at Target, p apiPath, q url.Values) (*T, error) {
	return do[T](ctx, c, call{method: http.MethodGet, at: at, path: p, query: q})
}

// search is a POST that only reads.
func search[T any](ctx context.Context, c *Client, at Target, p apiPath, q url.Values, body any) (*T, error) {
	return do[T](ctx, c, call{method: http.MethodPost, at: at, path: p, query: q, body: body, contentType: jsonType})
}

func do[T any](ctx context.Context, c *Client, k call) (*T, error) {
	out := new(T)
	if err := c.carryOut(ctx, k, out); err != nil {
		return nil, err
	}
	return out, nil
}

// carryOut makes a call and reads the reply into out.
func (c *Client) carryOut(ctx context.Context, k call, out any) error {
	if err := c.allowed(ctx, k); err != nil {
		return err
	}
	if k.writes {
		if err := c.order.enter(ctx, k.at); err != nil {
			return c.noReply(k, err, false)
		}
		defer c.order.leave(k.at)
		c.reads.forget()
		defer c.reads.forget()
	}
	defer underWay(ctx)()
	resp, f, err := c.reply(ctx, k)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.failure(k, resp)
	}
	err = c.decode(k, resp, out)
	if err == nil && f != nil {
		c.reads.keep(f)
	}
	return err
}

// reply returns LaunchDarkly's reply to k, and the flight that brought it if it may be kept.
func (c *Client) reply(ctx context.Context, k call) (*http.Response, *flight, error) {
	token, err := c.cfg.Token()
	if err != nil {
		return nil, nil, err
	}
	query := k.query.Encode()
	if k.method != http.MethodGet || k.writes || k.path.escaped == documentPath {
		resp, err := c.send(ctx, k, query, token, nil)
		return resp, nil, err
	}
	key := readKey{k.root, k.path.escaped, query, k.beta, token}
	if ctx.Value(freshKey{}) != nil {
		resp, err := c.send(ctx, k, query, token, nil)
		c.reads.overtake(key)
		return resp, nil, err
	}
	resp, f, err := c.reads.get(ctx, key, func(ctx context.Context, f *flight) (*http.Response, error) {
		return c.send(ctx, k, query, token, f)
	})
	if err != nil && ctx.Err() != nil {
		err = c.noReply(k, ctx.Err(), false)
	}
	return resp, f, err
}

// send makes the requests of a call, for those who wait for f or, if that is nil, for ctx alone.
func (c *Client) send(ctx context.Context, k call, query string, token Token, f *flight) (*http.Response, error) {
	t := &trip{account: c.account, flight: f, method: k.method, path: k.path.escaped, writes: k.writes}
	req, err := c.request(context.WithValue(ctx, tripKey{}, t), k, query, token)
	if err != nil {
		return nil, err
	}
	if sent, ok := ctx.Value(writeSent{}).(*atomic.Bool); ok && k.writes {
		sent.Store(true)
	}
	start := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		c.cfg.Log.Debug("request failed", "method", k.method, "path", k.path.escaped, "error", c.mask(err.Error()))
		return nil, c.noReply(k, err, t.unsure)
	}
	if f != nil {
		f.sent = t.sent
	}
	c.cfg.Log.Debug("request", "method", k.method, "path", k.path.escaped, "status", resp.StatusCode, "ms", time.Since(start).Milliseconds())
	return resp, nil
}

// allowed refuses a call by its declaration, before a byte leaves.
func (c *Client) allowed(ctx context.Context, k call) error {
	if k.path.err != nil {
		return k.path.err
	}
	for _, key := range []string{k.at.Project, k.at.Environment, k.at.Key} { // some travel in the query or the body
		if err := CheckKey(key); key != "" && err != nil {
			return &InvalidError{Message: err.Error()}
		}
	}
	if k.writes && (c.cfg.ReadOnly || ctx.Value(noWrites{}) != nil) {
		return ErrReadOnly
	}
	return c.cfg.Scope.Check(k.at, k.writes)
}

func (c *Client) request(ctx context.Context, k call, query string, token Token) (*retryablehttp.Request, error) {
	u, err := url.Parse(c.base.String() + cmp.Or(k.root, "/api/v2") + k.path.escaped)
	if err != nil {
		return nil, err
	}
	u.RawQuery = query
	var body any // retryablehttp wants a true nil for no body
	if k.body != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(k.body); err != nil {
			return nil, err
		}
		body = b.Bytes()
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, k.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", string(token))
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	req.Header.Set("Accept", jsonType)
	req.Header.Set("LD-API-Version", apiVersion)
	if k.beta {
		req.Header.Set("LD-API-Version", "beta")
	}
	if k.etag != "" {
		req.Header.Set("If-None-Match", k.etag)
	}
	if k.contentType != "" {
		req.Header.Set("Content-Type", k.contentType)
	}
	return req, nil
}

// checked is implemented by replies that can tell whether they hold what was asked for.
type checked interface{ missing() string }

// decode reads a reply straight into out. Unknown fields, new enum values, nulls
// and single fields of an unexpected type do not fail it; a reply that is cut
// short or not LaunchDarkly's does.
func (c *Client) decode(k call, resp *http.Response, out any) error {
	if _, nothing := out.(*gone); nothing && resp.StatusCode == http.StatusNoContent {
		return nil
	}
	source := &watched{r: resp.Body}
	body := &io.LimitedReader{R: source, N: c.cfg.MaxBody}
	var err error
	fail := func(format string, args ...any) error {
		return &TransportError{Method: k.method, Path: k.path.escaped, Unsure: k.writes, Err: err,
			Message: fmt.Sprintf("the reply from %s ", c.base.Host) + fmt.Sprintf(format, args...)}
	}
	if resp.ContentLength > c.cfg.MaxBody {
		body.N = 0
	}
	d := json.NewDecoder(body)
	d.UseNumber() // values of clauses may be larger than a float64 holds
	if s, ok := out.(interface{ stream(*json.Decoder) error }); ok {
		err = s.stream(d)
	} else {
		err = d.Decode(out)
	}
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil, errors.As(err, &mistyped) && mistyped.Field != "" && mistyped.Field != "items": // a list that is none is not an empty one
	case body.N <= 0:
		return fail("is larger than %d MB; ask for less at once", c.cfg.MaxBody>>20)
	case source.failed != nil && !errors.Is(source.failed, io.ErrUnexpectedEOF) && !errors.Is(source.failed, context.Canceled) && !errors.Is(source.failed, context.DeadlineExceeded):
		return fail("was cut short: %s", c.mask(source.failed.Error()))
	case source.failed != nil:
		return c.noReply(k, source.failed, k.writes)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return c.noReply(k, err, k.writes)
	default:
		return fail("is not LaunchDarkly's (%s); check --base-url and any proxy in between", contentOf(resp))
	}
	if v, ok := out.(checked); ok {
		if what := v.missing(); what != "" {
			return fail("holds no %s; check --base-url and any proxy in between", what)
		}
	}
	return nil
}

// watched remembers why reading a body failed, to tell a lost connection from a bad reply.
type watched struct {
	r      io.Reader
	failed error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.failed = err
	}
	return n, err
}

func contentOf(resp *http.Response) string {
	if t := resp.Header.Get("Content-Type"); t != "" && !strings.HasPrefix(t, jsonType) {
		return "it is " + t
	}
	return "it is not the JSON that was expected"
}

var htmlTag = pattern.Of(`(?s)<(script|style)[^>]*>.*?</(script|style)>|<[^>]*>`)

// failure turns a reply that is not a success into an *Error, whatever its body is.
func (c *Client) failure(k call, resp *http.Response) error {
	e := &Error{Method: k.method, Path: k.path.escaped, Status: resp.StatusCode, RetryAfter: waitFor(resp, time.Now())}
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var said struct {
		Code, Message, ID string
		Emails            []string `json:"invalid_emails"`
	}
	text := c.mask(strings.Join(strings.Fields(htmlTag().ReplaceAllString(string(data), " ")), " ")) // before it is cut
	if err := json.Unmarshal(data, &said); (err == nil || said.Message != "") && said.Message+said.Code != "" {
		e.Code, e.Message, e.ID, e.Emails = said.Code, said.Message, said.ID, said.Emails
	} else if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.Message = fmt.Sprintf("%s redirects elsewhere, which is not followed because the access token would leave with it; set --base-url to LaunchDarkly's own address", c.base.Host)
	} else if text != "" {
		e.Message = fmt.Sprintf("%s answered %q instead of LaunchDarkly's JSON", c.base.Host, cut(text, 200))
	}
	if e.Message == "" {
		e.Message = strings.TrimSpace(fmt.Sprintf("%s %s", http.StatusText(e.Status), e.Code))
	}
	e.Message = c.mask(e.Message)
	return e
}

// noReply turns a failure without a reply into a *TransportError.
func (c *Client) noReply(k call, err error, unsure bool) error {
	e := &TransportError{Method: k.method, Path: k.path.escaped, Unsure: unsure, Err: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Message = "the call was cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = fmt.Sprintf("%s did not answer in time", c.base.Host)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		e.Message = fmt.Sprintf("the reply from %s was cut short", c.base.Host)
	default:
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		e.Message = fmt.Sprintf("%s could not be reached: %s", c.base.Host, c.mask(err.Error()))
	}
	return e
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
