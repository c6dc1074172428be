package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// Each request to LaunchDarkly is told of in a span that ends with its reply, and holds neither who asked nor whom about.
func TestRequestsAreTraced(t *testing.T) {
	t.Parallel()
	told := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told = r.Header.Get("Traceparent")
		switch r.URL.Path {
		case "/missing":
			http.NotFound(w, r)
		case "/torn":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "short")
		default:
			io.WriteString(w, "well")
		}
	}))
	defer srv.Close()
	host, port, _ := strings.Cut(strings.TrimPrefix(srv.URL, "http://"), ":")
	for name, c := range map[string]struct {
		path, shown string
		status      codes.Code
		want        map[string]string
	}{
		"well":    {"/x%2Fy?limit=20&filter=email+equals+%22ann@example.com%22&secret=1&secret=2", "/x%2Fy?filter=REDACTED&limit=20&secret=REDACTED", codes.Unset, map[string]string{"http.response.status_code": "200"}},
		"missing": {"/missing", "/missing", codes.Error, map[string]string{"http.response.status_code": "404", "error.type": "404"}},
		"torn":    {"/torn", "/torn", codes.Error, map[string]string{"http.response.status_code": "200", "error.type": "*errors.errorString"}},
		"refused": {"/refused", "/refused", codes.Error, map[string]string{"error.type": "*errors.errorString"}},
	} {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			tr := tracingTo(sdktrace.NewSimpleSpanProcessor(spans))
			next := http.DefaultTransport
			if name == "refused" {
				next = roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("no such host") })
			}
			ctx, parent := tr.tracer.Start(t.Context(), "call")
			r, err := http.NewRequestWithContext(ctx, "GET", strings.Replace(srv.URL, "//", "//ann:hush@", 1)+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "hush")
			resp, err := tr.upstream(next).RoundTrip(r)
			if err == nil {
				if n := len(spans.GetSpans()); n != 0 {
					t.Errorf("ended before its reply: %d", n)
				}
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if (err != nil) != (name == "torn" || name == "refused") {
				t.Errorf("failed by %v", err)
			}
			if len(r.Header) != 1 {
				t.Errorf("the caller's request was changed: %v", r.Header)
			}
			got := spans.GetSpans()
			if len(got) != 1 {
				t.Fatalf("%d spans", len(got))
			}
			s := got[0]
			if s.Name != "HTTP GET" || s.SpanKind != trace.SpanKindClient || s.Parent.SpanID() != parent.SpanContext().SpanID() || s.Status.Code != c.status {
				t.Errorf("%+v", s)
			}
			want := map[string]string{"http.request.method": "GET", "url.full": srv.URL + c.shown, "server.address": host, "server.port": port}
			for k, v := range c.want {
				want[k] = v
			}
			if name != "refused" {
				want["network.protocol.version"] = "1.1"
				if told != "00-"+s.SpanContext.TraceID().String()+"-"+s.SpanContext.SpanID().String()+"-01" {
					t.Errorf("LaunchDarkly was told %q", told)
				}
			}
			attributes := map[string]string{}
			for _, a := range s.Attributes {
				attributes[string(a.Key)] = a.Value.String()
			}
			if d := cmp.Diff(want, attributes); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
