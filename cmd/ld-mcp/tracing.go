package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/ld-mcp/ld-mcp/cmd/ld-mcp/otlp"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// tracing sends one span for each call of a tool, and one for each request to LaunchDarkly below it.
type tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// w3c reads and writes traceparent and tracestate. Baggage is the caller's own affair and goes nowhere.
var w3c = propagation.TraceContext{}

// newTracing returns nil unless OpenTelemetry's own variables name a collector.
func (a *app) newTracing() (*tracing, error) {
	cfg, err := otlp.FromEnvironment(a.getenv)
	if err != nil {
		return nil, usageError{err}
	}
	if cfg == nil {
		return nil, nil //nolint:nilnil // no tracing is no failure
	}
	for _, values := range cfg.Header {
		a.secrets.add(ldclient.Token(values[0]))
	}
	if cfg.Asked == "http/protobuf" {
		a.log.Info("traces are sent in JSON, which a collector takes at the same address", "asked", cfg.Asked)
	}
	cfg.UserAgent = "ld-mcp/" + currentVersion().Version
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { a.log.Warn("traces were not sent", "error", err) }))
	return tracingTo(sdktrace.NewBatchSpanProcessor(otlp.New(*cfg))), nil
}

func tracingTo(p sdktrace.SpanProcessor) *tracing {
	about := resource.Default()
	if own, err := resource.Merge(resource.NewSchemaless(attribute.String("service.name", "ld-mcp"), attribute.String("service.version", currentVersion().Version)), about); err == nil {
		about = own // OTEL_SERVICE_NAME wins
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p), sdktrace.WithResource(about))
	return &tracing{provider, provider.Tracer("github.com/ld-mcp/ld-mcp")}
}

// around begins the span of a call, below the one that the caller's _meta names.
func (t *tracing) around(ctx context.Context, tool string, meta map[string]any) (context.Context, func(outcome, resource string)) {
	carrier := propagation.MapCarrier{}
	for _, name := range w3c.Fields() {
		if v, ok := meta[name].(string); ok && len(v) <= 1024 {
			carrier[name] = v
		}
	}
	ctx, span := t.tracer.Start(w3c.Extract(ctx, carrier), "tools/call "+tool, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("mcp.method.name", "tools/call"), attribute.String("gen_ai.tool.name", tool)))
	return ctx, func(outcome, resource string) {
		span.SetAttributes(attribute.String("ld_mcp.outcome", outcome), attribute.String("launchdarkly.resource", resource))
		if outcome == "error" {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// upstream puts a span around each request to LaunchDarkly and tells it of the trace.
func (t *tracing) upstream(next http.RoundTripper) http.RoundTripper { return traced{t.tracer, next} }

type traced struct {
	tracer trace.Tracer
	next   http.RoundTripper
}

func (t traced) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(r.Context(), "HTTP "+r.Method, trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(requestAttributes(r)...)
	}
	r = r.Clone(ctx)
	w3c.Inject(ctx, propagation.HeaderCarrier(r.Header))
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		failed(span, err)
		span.End()
		return resp, err
	}
	span.SetAttributes(semconv.HTTPResponseStatusCode(resp.StatusCode))
	switch resp.ProtoMajor {
	case 0:
	case 1:
		span.SetAttributes(semconv.NetworkProtocolVersion("1." + strconv.Itoa(resp.ProtoMinor)))
	default:
		span.SetAttributes(semconv.NetworkProtocolVersion(strconv.Itoa(resp.ProtoMajor)))
	}
	if resp.StatusCode >= 400 {
		span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(resp.StatusCode)))
		span.SetStatus(codes.Error, "")
	}
	resp.Body = tracedBody{resp.Body, span}
	return resp, nil
}

func failed(span trace.Span, err error) {
	span.SetAttributes(semconv.ErrorType(err))
	span.SetStatus(codes.Error, err.Error())
}

// tracedBody ends its span once a reply has been read or is given up.
type tracedBody struct {
	io.ReadCloser
	span trace.Span
}

func (b tracedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		if err != io.EOF {
			failed(b.span, err)
		}
		b.span.End()
	}
	return n, err
}

func (b tracedBody) Close() error {
	b.span.End()
	return b.ReadCloser.Close()
}

func requestAttributes(r *http.Request) []attribute.KeyValue {
	list := []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(r.Method), semconv.URLFull(shownURL(r.URL)), semconv.ServerAddress(r.URL.Hostname())}
	port, err := strconv.Atoi(r.URL.Port())
	if err == nil && (r.URL.Scheme != "https" || port != 443) && (r.URL.Scheme != "http" || port != 80) {
		list = append(list, semconv.ServerPort(port))
	}
	return list
}

// shownURL leaves out who asks, and what is asked for in the query, which may name people. Paging and the like stay.
func shownURL(u *url.URL) string {
	shown := *u
	shown.User = nil
	query := shown.Query()
	for name := range query {
		if !slices.Contains([]string{"limit", "offset", "sort", "expand", "summary", "env", "dryRun"}, name) {
			query[name] = []string{"REDACTED"}
		}
	}
	shown.RawQuery = query.Encode()
	return shown.String()
}

// Close sends what was not sent yet.
func (t *tracing) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}
