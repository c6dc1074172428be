package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// Readiness asks LaunchDarkly once for many probes.
func TestServiceReadiness(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	p := startServer(t, []string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken}, "--base-url", u.url)
	for range 30 {
		has(t, "ready", p.request("GET", p.base+"/readyz", "", ""), 200, "ready")
		has(t, "ready, beside", p.request("GET", p.metrics+"/readyz", "", ""), 200, "ready")
	}
	if n := u.requests("", "/caller-identity"); n != 1 {
		t.Errorf("LaunchDarkly was asked %d times", n)
	}
	p = startServer(t, []string{"LD_ACCESS_TOKEN=api-of-nobody"}, "--base-url", u.url)
	has(t, "not ready", p.request("GET", p.base+"/readyz", "", ""), 503, "The service is not ready: ", "!api-of-nobody")
	has(t, "healthy", p.request("GET", p.base+"/healthz", "", ""), 200, "ok")
}

// At the first signal calls in progress finish and streams end with a reason, at the second nothing is waited for.
func TestServiceShutdown(t *testing.T) {
	t.Parallel()
	for _, patient := range []bool{true, false} {
		t.Run(fmt.Sprintf("patient %t", patient), func(t *testing.T) {
			t.Parallel()
			begun, goOn := make(chan struct{}, 9), make(chan struct{})
			release := sync.OnceFunc(func() { close(goOn) })
			u := newUpstream(t, func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/flags/") {
					begun <- struct{}{}
					<-goOn
				}
				return false
			})
			defer release()
			p := startServer(t, []string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken}, "--base-url", u.url)
			stream, err := http.Get(p.base + "/sse")
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Body.Close()
			answered := make(chan string, 1)
			go func() {
				resp, err := http.Post(p.base+"/mcp", "application/json", strings.NewReader(toolCall("1", "get-flag", getFlag, "")))
				if err != nil {
					answered <- err.Error()
					return
				}
				defer resp.Body.Close()
				text, _ := io.ReadAll(resp.Body)
				answered <- string(text)
			}()
			<-begun
			p.Process.Signal(syscall.SIGTERM)
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); { // until it does not listen any more
				resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(p.base + "/readyz")
				if err != nil {
					break
				}
				resp.Body.Close()
			}
			if !patient {
				start := time.Now()
				p.Process.Signal(syscall.SIGTERM)
				if err := p.wait(); err == nil || time.Since(start) > 2*time.Second {
					t.Errorf("%v after %s", err, time.Since(start))
				}
				return
			}
			release()
			if text := <-answered; !strings.Contains(text, "dark-mode") {
				t.Errorf("the call in progress: %s", text)
			}
			if text, _ := io.ReadAll(stream.Body); !strings.Contains(string(text), "shutting down") {
				t.Errorf("the stream ended without a reason: %s", text)
			}
			start := time.Now()
			if err := p.wait(); err != nil || time.Since(start) > 3*time.Second || strings.Contains(p.log(), "cut off") {
				t.Errorf("%v after %s", err, time.Since(start))
			}
		})
	}
}

// A call's span belongs to the trace that its caller named, and so does the request to LaunchDarkly.
func TestServiceTracing(t *testing.T) {
	t.Parallel()
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	var mu sync.Mutex
	var got []*spans.Span
	raw := ""
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		b, err := io.ReadAll(body)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(b, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		raw += string(b)
		for _, resource := range sent.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				got = append(got, scope.Spans...)
			}
		}
	}))
	defer sink.Close()
	u := newUpstream(t, nil)
	token := "LD_ACCESS_TOKEN=" + sandbox.WriterToken
	call := func(p *process) {
		t.Helper()
		has(t, "call", p.call("", "get-flag", getFlag, `,"_meta":{"traceparent":"00-`+trace+`-`+parent+`-01"}`), 200, "dark-mode")
		p.Process.Signal(syscall.SIGTERM)
		if err := p.wait(); err != nil {
			t.Error(err)
		}
	}
	call(startServer(t, []string{token}, "--base-url", u.url))
	if len(got) > 0 || u.seen[0].Header.Get("Traceparent") != "" {
		t.Errorf("traced without a collector: %d spans, %v", len(got), u.seen[0].Header)
	}
	before := len(u.seen)
	call(startServer(t, []string{token, "OTEL_EXPORTER_OTLP_ENDPOINT=" + sink.URL}, "--base-url", u.url))
	mu.Lock()
	defer mu.Unlock()
	id := ""
	for _, s := range got {
		if s.Name == "tools/call get-flag" {
			id = fmt.Sprintf("%x", s.SpanId)
			if fmt.Sprintf("%x/%x", s.TraceId, s.ParentSpanId) != trace+"/"+parent {
				t.Errorf("the call is in %x below %x", s.TraceId, s.ParentSpanId)
			}
		}
	}
	below := map[string]bool{}
	for _, s := range got {
		if fmt.Sprintf("%x", s.ParentSpanId) == id && id != "" {
			below[fmt.Sprintf("00-%x-%x-01", s.TraceId, s.SpanId)] = true
		}
	}
	if len(below) == 0 {
		t.Errorf("no request below the call in %d spans", len(got))
	}
	sent := 0
	for _, r := range u.seen[before:] {
		if strings.HasSuffix(r.URL.Path, "/flags/shop/dark-mode") {
			if sent++; !below[r.Header.Get("Traceparent")] {
				t.Errorf("LaunchDarkly was told %q", r.Header.Get("Traceparent"))
			}
		}
	}
	if sent == 0 {
		t.Error("nothing was asked")
	}
	for _, secret := range []string{sandbox.WriterToken, "Authorization"} {
		if strings.Contains(raw, secret) {
			t.Errorf("a span holds %s", secret)
		}
	}
}
