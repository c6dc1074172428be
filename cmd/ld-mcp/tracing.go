package main

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// tracing sends one span for each call of a tool, and one for each request to LaunchDarkly below it.
type tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// w3c reads and writes traceparent and tracestate. Baggage is the caller's own affair and goes nowhere.
var w3c = propagation.TraceContext{}

// newTracing returns nil unless OpenTelemetry's own variables name a collector.
func (a *app) newTracing(ctx context.Context) (*tracing, error) {
	if a.getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && a.getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" || a.getenv("OTEL_SDK_DISABLED") == "true" {
		return nil, nil //nolint:nilnil // no tracing is no failure
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	return tracingTo(sdktrace.NewBatchSpanProcessor(exporter)), nil
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
func (t *tracing) upstream(next http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(next, otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(w3c))
}

// Close sends what was not sent yet.
func (t *tracing) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}
