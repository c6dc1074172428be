package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	wireresource "go.opentelemetry.io/proto/otlp/resource/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
)

// decode reads OTLP's JSON by OpenTelemetry's own definition, which takes bytes in base 64 where OTLP has ids in hexadecimal.
func decode(t *testing.T, text []byte) *wire.TracesData {
	t.Helper()
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var ids func(any)
	ids = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				ids(one)
			}
		case map[string]any:
			for key, one := range v {
				if key == "traceId" || key == "spanId" || key == "parentSpanId" {
					b, err := hex.DecodeString(one.(string))
					if err != nil || len(b) != 8 && len(b) != 16 {
						t.Errorf("%s is %v", key, one)
					}
					v[key] = base64.StdEncoding.EncodeToString(b)
					continue
				}
				ids(one)
			}
		}
	}
	ids(tree)
	again, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var out wire.TracesData
	if err := protojson.Unmarshal(again, &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return &out
}

var (
	traceID  = trace.TraceID{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	spanID   = trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8}
	parentID = trace.SpanID{0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}
	began    = time.Unix(1700000000, 123456789)
)

func sc(id trace.SpanID, state string, remote bool) trace.SpanContext {
	s, err := trace.ParseTraceState(state)
	if err != nil {
		panic(err)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: id, TraceFlags: trace.FlagsSampled, TraceState: s, Remote: remote})
}

// samples are spans with everything that a span can have.
func samples() []sdktrace.ReadOnlySpan {
	own := sdkresource.NewWithAttributes("https://example.com/schema", attribute.String("service.name", "ld-mcp"))
	other := sdkresource.NewSchemaless(attribute.String("service.name", "other"))
	scope := instrumentation.Scope{Name: "a", Version: "1", SchemaURL: "https://example.com/scope", Attributes: attribute.NewSet(attribute.Bool("x", true))}
	return tracetest.SpanStubs{
		{
			Name: "tools/call <get-flag> \"é\"\n", SpanContext: sc(spanID, "vendor=1", false), Parent: sc(parentID, "", true), SpanKind: trace.SpanKindServer,
			StartTime: began, EndTime: began.Add(time.Millisecond), Status: sdktrace.Status{Code: codes.Error, Description: "broken"},
			DroppedAttributes: 1, DroppedEvents: 2, DroppedLinks: 3, Resource: own, InstrumentationScope: scope,
			Attributes: []attribute.KeyValue{
				attribute.Bool("bool", true), attribute.Int64("int", math.MinInt64), attribute.Float64("float", 1.5), attribute.String("string", "s"),
				attribute.Float64("nan", math.NaN()), attribute.Float64("inf", math.Inf(1)), attribute.Float64("-inf", math.Inf(-1)),
				attribute.BoolSlice("bools", []bool{true, false}), attribute.Int64Slice("ints", []int64{1, math.MaxInt64}),
				attribute.Float64Slice("floats", []float64{0, .25}), attribute.StringSlice("strings", []string{"", "b"}), attribute.StringSlice("none", nil),
				{Key: "bytes", Value: attribute.ByteSliceValue([]byte{0, 0xff})},
				{Key: "mixed", Value: attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("two"))},
				{Key: "map", Value: attribute.MapValue(attribute.Int("n", 1))},
				{Key: "empty"},
			},
			Events: []sdktrace.Event{{Name: "e", Time: began, Attributes: []attribute.KeyValue{attribute.Int("n", 1)}, DroppedAttributeCount: 4}, {Name: "before 1970", Time: time.Unix(-1, 0)}},
			Links:  []sdktrace.Link{{SpanContext: sc(parentID, "vendor=2", true), Attributes: []attribute.KeyValue{attribute.Int("n", 2)}, DroppedAttributeCount: 5}},
		},
		{Name: "other resource", SpanContext: sc(spanID, "", false), SpanKind: trace.SpanKindProducer, Resource: other, InstrumentationScope: scope, StartTime: began, EndTime: began},
		{Name: "other scope", SpanContext: sc(spanID, "", false), Parent: sc(parentID, "", false), SpanKind: trace.SpanKindClient, Resource: own, StartTime: began, EndTime: began, Status: sdktrace.Status{Code: codes.Ok}},
		{Name: "same", SpanContext: sc(spanID, "", false), SpanKind: trace.SpanKindConsumer, Resource: own, InstrumentationScope: scope, StartTime: began, EndTime: began},
	}.Snapshots()
}

func TestJSONIsOTLP(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(requestOf(samples()))
	if err != nil {
		t.Fatal(err)
	}
	num := func(n int64) *common.AnyValue { return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: n}} }
	str := func(s string) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
	}
	dbl := func(n float64) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: n}}
	}
	yes := func(b bool) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: b}}
	}
	list := func(v ...*common.AnyValue) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: v}}}
	}
	kv := func(key string, v *common.AnyValue) *common.KeyValue { return &common.KeyValue{Key: key, Value: v} }
	const at = 1700000000123456789
	scope := &common.InstrumentationScope{Name: "a", Version: "1", Attributes: []*common.KeyValue{kv("x", yes(true))}}
	id, parent := spanID[:], parentID[:]
	want := &wire.TracesData{ResourceSpans: []*wire.ResourceSpans{
		{
			Resource:  &wireresource.Resource{Attributes: []*common.KeyValue{kv("service.name", str("ld-mcp"))}},
			SchemaUrl: "https://example.com/schema",
			ScopeSpans: []*wire.ScopeSpans{
				{Scope: scope, SchemaUrl: "https://example.com/scope", Spans: []*wire.Span{
					{
						TraceId: traceID[:], SpanId: id, ParentSpanId: parent, TraceState: "vendor=1", Flags: 0x301, Name: "tools/call <get-flag> \"é\"\n",
						Kind: wire.Span_SPAN_KIND_SERVER, StartTimeUnixNano: at, EndTimeUnixNano: at + 1e6,
						Status:                 &wire.Status{Code: wire.Status_STATUS_CODE_ERROR, Message: "broken"},
						DroppedAttributesCount: 1, DroppedEventsCount: 2, DroppedLinksCount: 3,
						Attributes: []*common.KeyValue{
							kv("bool", yes(true)), kv("int", num(math.MinInt64)), kv("float", dbl(1.5)), kv("string", str("s")),
							kv("nan", dbl(math.NaN())), kv("inf", dbl(math.Inf(1))), kv("-inf", dbl(math.Inf(-1))),
							kv("bools", list(yes(true), yes(false))), kv("ints", list(num(1), num(math.MaxInt64))),
							kv("floats", list(dbl(0), dbl(.25))), kv("strings", list(str(""), str("b"))), kv("none", list()),
							kv("bytes", &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte{0, 0xff}}}),
							kv("mixed", list(num(1), str("two"))),
							kv("map", &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: []*common.KeyValue{kv("n", num(1))}}}}),
							kv("empty", &common.AnyValue{}),
						},
						Events: []*wire.Span_Event{
							{Name: "e", TimeUnixNano: at, Attributes: []*common.KeyValue{kv("n", num(1))}, DroppedAttributesCount: 4},
							{Name: "before 1970"},
						},
						Links: []*wire.Span_Link{{TraceId: traceID[:], SpanId: parent, TraceState: "vendor=2", Attributes: []*common.KeyValue{kv("n", num(2))}, DroppedAttributesCount: 5, Flags: 0x301}},
					},
					{TraceId: traceID[:], SpanId: id, Flags: 0x101, Name: "same", Kind: wire.Span_SPAN_KIND_CONSUMER, StartTimeUnixNano: at, EndTimeUnixNano: at},
				}},
				{Scope: &common.InstrumentationScope{}, Spans: []*wire.Span{
					{TraceId: traceID[:], SpanId: id, ParentSpanId: parent, Flags: 0x101, Name: "other scope", Kind: wire.Span_SPAN_KIND_CLIENT, StartTimeUnixNano: at, EndTimeUnixNano: at, Status: &wire.Status{Code: wire.Status_STATUS_CODE_OK}},
				}},
			},
		},
		{
			Resource: &wireresource.Resource{Attributes: []*common.KeyValue{kv("service.name", str("other"))}},
			ScopeSpans: []*wire.ScopeSpans{{Scope: scope, SchemaUrl: "https://example.com/scope", Spans: []*wire.Span{
				{TraceId: traceID[:], SpanId: id, Flags: 0x101, Name: "other resource", Kind: wire.Span_SPAN_KIND_PRODUCER, StartTimeUnixNano: at, EndTimeUnixNano: at},
			}}},
		},
	}}
	if d := cmp.Diff(want, decode(t, text), protocmp.Transform(), cmpopts.EquateNaNs()); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", d, text)
	}
}

// Receivers that go by the letter want numbers of 64 bits as strings and enums as numbers; protojson takes either.
func TestJSONIsWrittenByTheLetter(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(requestOf(samples()[:1]))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ResourceSpans []struct {
			ScopeSpans []struct{ Spans []map[string]json.RawMessage }
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	span := got.ResourceSpans[0].ScopeSpans[0].Spans[0]
	for name, want := range map[string]string{
		"traceId": `"4bf92f3577b34da6a3ce929d0e0e4736"`, "spanId": `"0102030405060708"`, "parentSpanId": `"00f067aa0ba902b7"`, "kind": "2",
		"startTimeUnixNano": `"1700000000123456789"`, "status": `{"message":"broken","code":2}`, "droppedAttributesCount": "1", "flags": "769",
	} {
		if string(span[name]) != want {
			t.Errorf("%s is %s, want %s", name, span[name], want)
		}
	}
}
