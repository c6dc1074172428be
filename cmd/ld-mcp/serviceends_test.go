package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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
	type span struct{ TraceID, SpanID, ParentSpanID, Name string }
	var got []span
	raw := ""
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []span }
			}
		}
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(b, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Team") != "a,b" {
			t.Errorf("%s: %v, %v", r.URL, err, r.Header)
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
	call(startServer(t, []string{token, "OTEL_EXPORTER_OTLP_ENDPOINT=" + sink.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-team=a%2Cb"}, "--base-url", u.url))
	mu.Lock()
	defer mu.Unlock()
	id := ""
	for _, s := range got {
		if s.Name == "tools/call get-flag" {
			id = s.SpanID
			if s.TraceID != trace || s.ParentSpanID != parent {
				t.Errorf("the call is in %s below %s", s.TraceID, s.ParentSpanID)
			}
		}
	}
	below := map[string]bool{}
	for _, s := range got {
		if s.ParentSpanID == id && id != "" {
			below["00-"+s.TraceID+"-"+s.SpanID+"-01"] = true
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

// A collector that refuses is told of in the log, and one that cannot be spoken to before anything is served.
func TestServiceTracingFails(t *testing.T) {
	t.Parallel()
	const secret = "hush-0123456789"
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such key: "+secret, http.StatusUnauthorized)
	}))
	defer sink.Close()
	u := newUpstream(t, nil)
	p := startServer(t, []string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken, "OTEL_EXPORTER_OTLP_ENDPOINT=" + sink.URL,
		"OTEL_EXPORTER_OTLP_HEADERS=x-key=" + secret, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"}, "--base-url", u.url)
	has(t, "call", p.call("", "get-flag", getFlag, ""), 200, "dark-mode")
	p.Process.Signal(syscall.SIGTERM)
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	log := p.log()
	for _, want := range []string{"traces are sent in JSON", "traces were not sent", "answered 401 Unauthorized", "no such key"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
	if strings.Contains(log, secret) {
		t.Errorf("the log holds %s", secret)
	}
	grpc := []string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken, "OTEL_EXPORTER_OTLP_ENDPOINT=" + sink.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}
	if got := invoke(t, grpc, "", "--http", "127.0.0.1:0", "--base-url", u.url); got.code() != 2 || !strings.Contains(got.err.Error(), "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL to http/json") {
		t.Errorf("a protocol that is not spoken: %d, %v", got.code(), got.err)
	}
}
