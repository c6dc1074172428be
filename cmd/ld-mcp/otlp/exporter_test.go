package otlp

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const secret = "hush-0123456789"

// collector answers with each of its replies in turn, and with the last ever after.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	got    []*http.Request
	bodies []string
}

// seen returns the requests that came, and their bodies.
func (c *collector) seen() ([]*http.Request, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got), slices.Clone(c.bodies)
}

func collecting(t *testing.T, replies ...http.HandlerFunc) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		n := len(c.got)
		c.got, c.bodies = append(c.got, r), append(c.bodies, string(body))
		c.mu.Unlock()
		if len(replies) > 0 {
			replies[min(n, len(replies)-1)](w, r)
		}
	}))
	c.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // some tests break connections
	t.Cleanup(c.Close)
	return c
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func exporter(t *testing.T, variables map[string]string) *Exporter {
	t.Helper()
	cfg, err := FromEnvironment(func(name string) string { return variables[name] })
	if err != nil {
		t.Fatal(err)
	}
	e := New(*cfg)
	e.http.RetryWaitMin, e.http.RetryWaitMax = time.Millisecond, 2*time.Millisecond
	t.Cleanup(func() { e.Shutdown(context.Background()) })
	return e
}

func TestExporterSends(t *testing.T) {
	t.Parallel()
	c := collecting(t, says(200, `{"partialSuccess":{}}`))
	c.Start()
	e := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL + "/base/", "OTEL_EXPORTER_OTLP_HEADERS": "X-Team=" + secret + ", X-Odd =a%2Cb%3D1 ,,content-type=text/html"})
	if err := e.ExportSpans(t.Context(), samples()); err != nil {
		t.Fatal(err)
	}
	if err := e.ExportSpans(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	got, bodies := c.seen()
	if len(got) != 1 {
		t.Fatalf("%d requests", len(got))
	}
	r := got[0]
	if r.Method != "POST" || r.URL.Path != "/base/v1/traces" || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "X-Team": secret, "X-Odd": "a,b=1", "User-Agent": "ld-mcp"} {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if n := len(decode(t, []byte(bodies[0])).ResourceSpans); n != 2 {
		t.Errorf("%d resources", n)
	}
	e.Shutdown(t.Context())
	if err := e.ExportSpans(t.Context(), samples()); err != nil {
		t.Error(err)
	}
	if got, _ := c.seen(); len(got) != 1 {
		t.Errorf("%d requests after the end", len(got)-1)
	}
}

func TestExporterCompresses(t *testing.T) {
	t.Parallel()
	c := collecting(t, says(503, "", "Retry-After", "0"), says(200, ""))
	c.Start()
	e := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.URL, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
	if err := e.ExportSpans(t.Context(), samples()); err != nil {
		t.Fatal(err)
	}
	got, bodies := c.seen()
	if len(got) != 2 {
		t.Errorf("%d requests", len(got))
	}
	for i, r := range got {
		z, err := gzip.NewReader(strings.NewReader(bodies[i]))
		if err != nil || r.Header.Get("Content-Encoding") != "gzip" || r.URL.Path != "/" {
			t.Fatalf("%v %s %v", err, r.URL, r.Header)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		decode(t, text)
	}
}

func TestExporterTrusts(t *testing.T) {
	t.Parallel()
	c := collecting(t)
	c.StartTLS()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "OTEL_EXPORTER_OTLP_CERTIFICATE": file}).ExportSpans(t.Context(), samples()); err != nil {
		t.Error(err)
	}
	err := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL}).ExportSpans(t.Context(), samples())
	if err == nil || !strings.Contains(err.Error(), x509.UnknownAuthorityError{}.Error()) {
		t.Errorf("an unknown certificate: %v", err)
	}
	if got, _ := c.seen(); len(got) != 1 {
		t.Errorf("%d requests", len(got))
	}
}

// Only what the collector may take later is sent again, a bounded number of times, and what it was refused for is told.
func TestExporterRetries(t *testing.T) {
	t.Parallel()
	tell := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	past := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	for name, c := range map[string]struct {
		replies []http.HandlerFunc
		sent    int
		err     string
	}{
		"429, then well":         {[]http.HandlerFunc{says(429, "", "Retry-After", "0"), says(200, "{}")}, 2, ""},
		"502, 503, 504":          {[]http.HandlerFunc{says(502, "<html>"), says(503, ""), says(504, "", "Retry-After", past), says(202, "<html>")}, 4, ""},
		"lost connections":       {[]http.HandlerFunc{tell, tell, says(200, "")}, 3, ""},
		"never well":             {[]http.HandlerFunc{says(503, `{"code":14,"message":"too busy"}`)}, 5, `answered 503 Service Unavailable: "too busy"`},
		"never there":            {[]http.HandlerFunc{tell}, 5, "cannot be reached: EOF"},
		"later than is waited":   {[]http.HandlerFunc{says(429, "slow down", "Retry-After", "3600")}, 1, `answered 429 Too Many Requests: "slow down"`},
		"much later":             {[]http.HandlerFunc{says(503, "", "Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))}, 1, "answered 503"},
		"bad data":               {[]http.HandlerFunc{says(400, `{"message":"unexpected field"}`)}, 1, `answered 400 Bad Request: "unexpected field"`},
		"a broken server":        {[]http.HandlerFunc{says(500, strings.Repeat("x", 9999))}, 1, `answered 500 Internal Server Error: "` + strings.Repeat("x", 300) + `"`},
		"partly":                 {[]http.HandlerFunc{says(200, `{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}`)}, 1, `refused 3 spans: "too old"`},
		"partly, as a number":    {[]http.HandlerFunc{says(200, `{"partialSuccess":{"rejectedSpans":3}}`)}, 1, `refused 3 spans`},
		"a warning":              {[]http.HandlerFunc{says(200, `{"partialSuccess":{"rejectedSpans":"0","errorMessage":"hm"}}`)}, 1, ""},
		"a redirect is no place": {[]http.HandlerFunc{says(307, "", "Location", "/v1/elsewhere"), says(200, "")}, 1, "answered 307"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := collecting(t, c.replies...)
			to.Start()
			e := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": strings.Replace(to.URL, "//", "//ann:"+secret+"@", 1) + "/v1/traces?key=" + secret, "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=" + secret})
			err := e.ExportSpans(t.Context(), samples())
			got, bodies := to.seen()
			if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), secret)) || len(got) != c.sent {
				t.Errorf("%v after %d requests", err, len(got))
			}
			for i, r := range got {
				if user, password, _ := r.BasicAuth(); bodies[i] != bodies[0] || user != "ann" || password != secret || r.Header.Get("X-Key") != secret || r.URL.RawQuery != "key="+secret {
					t.Errorf("request %d differs", i)
				}
			}
		})
	}
}

// Whoever waits for an export, and whoever shuts down, is not kept by a collector that hangs or asks for patience.
func TestExporterEnds(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]http.HandlerFunc{
		"hangs":    func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"patience": says(503, "", "Retry-After", "20"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := make(chan struct{}, 9)
			to := collecting(t, func(w http.ResponseWriter, r *http.Request) {
				begun <- struct{}{}
				reply(w, r)
			})
			to.Start()
			start := time.Now()
			for _, by := range []string{"shutdown", "cancel"} {
				e := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to.URL})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- e.ExportSpans(ctx, samples()) }()
				<-begun
				if by == "cancel" {
					cancel()
				} else {
					e.Shutdown(t.Context())
				}
				if err := <-ended; err == nil {
					t.Errorf("%s: nothing failed", by)
				}
				cancel()
			}
			if name == "hangs" {
				e := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to.URL, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "20"})
				if err := e.ExportSpans(t.Context(), samples()); err == nil || !strings.Contains(err.Error(), "Client.Timeout") {
					t.Error(err)
				}
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("took %s", d)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	const endpoint, own = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value, says string }{
		{endpoint, "localhost:4318", endpoint + " is not an address; write it like http://"},
		{own, "grpc://localhost:4317", own + " is not an address"},
		{own, "http://", "is not an address"},
		{endpoint, "https://ann:" + secret + "@%zz", "is not an address"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and traces are sent over HTTP in JSON only"},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is grpc"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "thrift", "is no protocol"},
		{"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "set it to gzip or none"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "milliseconds"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "X-Key " + secret, "not written as name=value"},
		{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "X-Key=" + secret + "%zz", "OTEL_EXPORTER_OTLP_TRACES_HEADERS: one"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "X-Key=" + secret + "%0d%0aX: 1", "not written as"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "X Key=" + secret, "not written as"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file", "OTEL_EXPORTER_OTLP_CERTIFICATE: open"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", junk, "holds no certificate"},
		{"OTEL_EXPORTER_OTLP_CLIENT_KEY", junk, "set both"},
		{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", junk, "set both"},
	} {
		variables := map[string]string{endpoint: "http://localhost:4318", c.name: c.value}
		cfg, err := FromEnvironment(func(name string) string { return variables[name] })
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s=%s: %+v, %v", c.name, c.value, cfg, err)
		}
	}
	for _, variables := range []map[string]string{
		{},
		{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://localhost:1"},
		{endpoint: "http://localhost:1", "OTEL_SDK_DISABLED": "True"},
		{endpoint: "http://localhost:1", "OTEL_TRACES_EXPORTER": "none"},
	} {
		if cfg, err := FromEnvironment(func(name string) string { return variables[name] }); cfg != nil || err != nil {
			t.Errorf("%v: %+v, %v", variables, cfg, err)
		}
	}
	variables := map[string]string{
		endpoint: "http://a:1", own: " https://b:2/x?y=1 ", "OTEL_EXPORTER_OTLP_HEADERS": "a=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2",
		"OTEL_EXPORTER_OTLP_TIMEOUT": "1", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2500", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
		"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
	}
	cfg, err := FromEnvironment(func(name string) string { return variables[name] })
	if err != nil || cfg.Endpoint.String() != "https://b:2/x?y=1" || len(cfg.Header) != 1 || cfg.Header.Get("B") != "2" || cfg.Timeout != 2500*time.Millisecond || cfg.Gzip || cfg.Asked != "http/protobuf" || cfg.TLS != nil {
		t.Errorf("%+v, %v", cfg, err)
	}
}
