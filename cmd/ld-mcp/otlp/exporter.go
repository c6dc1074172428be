// Package otlp sends spans to an OpenTelemetry collector, by OTLP over HTTP in JSON.
package otlp

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	maxRetries = 4                // requests after the first
	maxWait    = 30 * time.Second // longest single wait
	maxReply   = 64 << 10         // bytes read of a reply
)

// Exporter is a sdktrace.SpanExporter.
type Exporter struct {
	cfg     Config
	http    *retryablehttp.Client
	stopped context.Context
	stop    context.CancelFunc
}

// New makes an exporter. It sends nothing before there are spans.
func New(cfg Config) *Exporter {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if cfg.TLS != nil {
		transport.TLSClientConfig = cfg.TLS
	}
	e := &Exporter{cfg: cfg, http: &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: transport,
			Timeout:   cfg.Timeout,
			// A header may hold a key, which is for this address alone.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: maxRetries, RetryWaitMin: time.Second, RetryWaitMax: 8 * time.Second,
		CheckRetry: again, Backoff: wait, ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}}
	e.stopped, e.stop = context.WithCancel(context.Background())
	return e
}

// ExportSpans sends spans, several times if the collector is busy or cannot be reached.
func (e *Exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 || e.stopped.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.stopped, cancel)() //nolint:contextcheck // that of the exporter ends an export too
	body, err := e.encode(spans)
	if err != nil {
		return err
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, e.cfg.Endpoint.String(), body)
	if err != nil {
		return e.failed(err)
	}
	for name, values := range e.cfg.Header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", cmp.Or(req.Header.Get("User-Agent"), e.cfg.UserAgent, "ld-mcp"))
	req.Header.Set("Content-Type", "application/json")
	if e.cfg.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := e.http.Do(req)
	if err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return e.failed(err)
	}
	defer resp.Body.Close()
	return e.answered(resp)
}

// Shutdown ends what is being sent, and sends no more.
func (e *Exporter) Shutdown(context.Context) error {
	e.stop()
	e.http.HTTPClient.CloseIdleConnections()
	return nil
}

func (e *Exporter) encode(spans []sdktrace.ReadOnlySpan) ([]byte, error) {
	text, err := json.Marshal(requestOf(spans))
	if err != nil || !e.cfg.Gzip {
		return text, err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

// failed names the collector by its host only: the rest of an address may hold a key.
func (e *Exporter) failed(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("the collector at %s cannot be reached: %w", e.cfg.Endpoint.Host, err)
}

// answered tells whether the collector took all spans.
func (e *Exporter) answered(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	var reply struct {
		Message string
		Partial struct {
			Rejected any    `json:"rejectedSpans"` // a string by the letter of OTLP, a number with some
			Message  string `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	_ = json.Unmarshal(text, &reply) // it may be a page of a proxy
	switch rejected := fmt.Sprint(reply.Partial.Rejected); {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		message := cmp.Or(reply.Message, string(text))
		return fmt.Errorf("the collector at %s answered %s: %.300q", e.cfg.Endpoint.Host, resp.Status, message)
	case reply.Partial.Rejected != nil && rejected != "0":
		return fmt.Errorf("the collector at %s refused %s spans: %.300q", e.cfg.Endpoint.Host, rejected, reply.Partial.Message)
	}
	return nil
}

// again tells whether a try that ended so is to be followed by another.
func again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return retryablehttp.DefaultRetryPolicy(ctx, nil, err)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		asked, _ := retryAfter(resp)
		deadline, bounded := ctx.Deadline()
		return asked <= maxWait && (!bounded || asked < time.Until(deadline)), nil
	}
	return false, nil
}

func wait(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil {
		if asked, ok := retryAfter(resp); ok {
			return asked
		}
	}
	d := min(least<<attempt, most)
	return d + rand.N(d/4+1)
}

// retryAfter returns how long a reply asks to wait, in either form of the header.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	text := resp.Header.Get("Retry-After")
	if s, err := strconv.ParseUint(text, 10, 32); err == nil {
		return time.Duration(s) * time.Second, true
	}
	at, err := http.ParseTime(text)
	return max(0, time.Until(at)), err == nil
}
