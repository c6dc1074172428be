package otlp

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// request is OTLP's ExportTraceServiceRequest in JSON: ids in hexadecimal, numbers of 64 bits as strings, enums as
// numbers, and nothing where a value is zero.
type request struct {
	ResourceSpans []*resourceSpans `json:"resourceSpans"`
}

type resourceSpans struct {
	Resource   resource      `json:"resource"`
	ScopeSpans []*scopeSpans `json:"scopeSpans"`
	SchemaURL  string        `json:"schemaUrl,omitempty"`
}

type resource struct {
	Attributes []keyValue `json:"attributes,omitempty"`
}

type scopeSpans struct {
	Scope     scope  `json:"scope"`
	Spans     []span `json:"spans"`
	SchemaURL string `json:"schemaUrl,omitempty"`
}

type scope struct {
	Name       string     `json:"name,omitempty"`
	Version    string     `json:"version,omitempty"`
	Attributes []keyValue `json:"attributes,omitempty"`
}

type span struct {
	TraceID           string         `json:"traceId"`
	SpanID            string         `json:"spanId"`
	TraceState        string         `json:"traceState,omitempty"`
	ParentSpanID      string         `json:"parentSpanId,omitempty"`
	Flags             uint32         `json:"flags,omitempty"`
	Name              string         `json:"name"`
	Kind              trace.SpanKind `json:"kind,omitempty"` // OTLP numbers kinds as the SDK does
	Start             int64          `json:"startTimeUnixNano,string"`
	End               int64          `json:"endTimeUnixNano,string"`
	Attributes        []keyValue     `json:"attributes,omitempty"`
	DroppedAttributes int            `json:"droppedAttributesCount,omitempty"`
	Events            []event        `json:"events,omitempty"`
	DroppedEvents     int            `json:"droppedEventsCount,omitempty"`
	Links             []link         `json:"links,omitempty"`
	DroppedLinks      int            `json:"droppedLinksCount,omitempty"`
	Status            status         `json:"status,omitzero"`
}

type event struct {
	Time              int64      `json:"timeUnixNano,string"`
	Name              string     `json:"name"`
	Attributes        []keyValue `json:"attributes,omitempty"`
	DroppedAttributes int        `json:"droppedAttributesCount,omitempty"`
}

type link struct {
	TraceID           string     `json:"traceId"`
	SpanID            string     `json:"spanId"`
	TraceState        string     `json:"traceState,omitempty"`
	Attributes        []keyValue `json:"attributes,omitempty"`
	DroppedAttributes int        `json:"droppedAttributesCount,omitempty"`
	Flags             uint32     `json:"flags,omitempty"`
}

type status struct {
	Message string `json:"message,omitempty"`
	Code    int    `json:"code,omitempty"`
}

type keyValue struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

// requestOf puts spans below the resource and the scope that they are of.
func requestOf(spans []sdktrace.ReadOnlySpan) request {
	type place struct {
		of    attribute.Distinct
		scope instrumentation.Scope
	}
	var r request
	resources, scopes := map[attribute.Distinct]*resourceSpans{}, map[place]*scopeSpans{}
	for _, s := range spans {
		at := place{s.Resource().Equivalent(), s.InstrumentationScope()}
		of := resources[at.of]
		if of == nil {
			of = &resourceSpans{Resource: resource{keyValues(s.Resource().Attributes())}, SchemaURL: s.Resource().SchemaURL()}
			resources[at.of] = of
			r.ResourceSpans = append(r.ResourceSpans, of)
		}
		in := scopes[at]
		if in == nil {
			in = &scopeSpans{Scope: scope{at.scope.Name, at.scope.Version, keyValues(at.scope.Attributes.ToSlice())}, SchemaURL: at.scope.SchemaURL}
			scopes[at] = in
			of.ScopeSpans = append(of.ScopeSpans, in)
		}
		in.Spans = append(in.Spans, spanOf(s))
	}
	return r
}

func spanOf(s sdktrace.ReadOnlySpan) span {
	self, parent := s.SpanContext(), s.Parent()
	out := span{
		TraceID: self.TraceID().String(), SpanID: self.SpanID().String(), TraceState: self.TraceState().String(), Flags: flags(self.TraceFlags(), parent),
		Name: s.Name(), Kind: trace.ValidateSpanKind(s.SpanKind()), Start: nanos(s.StartTime()), End: nanos(s.EndTime()),
		Attributes: keyValues(s.Attributes()), DroppedAttributes: s.DroppedAttributes(), DroppedEvents: s.DroppedEvents(), DroppedLinks: s.DroppedLinks(),
	}
	if parent.SpanID().IsValid() {
		out.ParentSpanID = parent.SpanID().String()
	}
	for _, e := range s.Events() {
		out.Events = append(out.Events, event{nanos(e.Time), e.Name, keyValues(e.Attributes), e.DroppedAttributeCount})
	}
	for _, l := range s.Links() {
		to := l.SpanContext
		out.Links = append(out.Links, link{to.TraceID().String(), to.SpanID().String(), to.TraceState().String(), keyValues(l.Attributes), l.DroppedAttributeCount, flags(to.TraceFlags(), to)})
	}
	switch out.Status.Message = s.Status().Description; s.Status().Code {
	case codes.Ok:
		out.Status.Code = 1
	case codes.Error:
		out.Status.Code = 2
	}
	return out
}

// flags are a span's own, and whether what it belongs to is in another process.
func flags(own trace.TraceFlags, of trace.SpanContext) uint32 {
	const known, remote = 0x100, 0x200
	f := uint32(own) | known
	if of.IsRemote() {
		f |= remote
	}
	return f
}

func nanos(t time.Time) int64 { return max(0, t.UnixNano()) }

func keyValues(list []attribute.KeyValue) []keyValue {
	out := make([]keyValue, len(list))
	for i, kv := range list {
		out[i] = keyValue{string(kv.Key), value(kv.Value)}
	}
	return out
}

func value(v attribute.Value) map[string]any {
	switch v.Type() {
	case attribute.BOOL:
		return boolean(v.AsBool())
	case attribute.INT64:
		return integer(v.AsInt64())
	case attribute.FLOAT64:
		return double(v.AsFloat64())
	case attribute.STRING:
		return text(v.AsString())
	case attribute.BOOLSLICE:
		return array(v.AsBoolSlice(), boolean)
	case attribute.INT64SLICE:
		return array(v.AsInt64Slice(), integer)
	case attribute.FLOAT64SLICE:
		return array(v.AsFloat64Slice(), double)
	case attribute.STRINGSLICE:
		return array(v.AsStringSlice(), text)
	case attribute.BYTESLICE:
		return map[string]any{"bytesValue": base64.StdEncoding.EncodeToString(v.AsByteSlice())}
	case attribute.SLICE:
		return array(v.AsSlice(), value)
	case attribute.MAP:
		return map[string]any{"kvlistValue": map[string]any{"values": keyValues(v.AsMap())}}
	}
	return map[string]any{}
}

func boolean(b bool) map[string]any { return map[string]any{"boolValue": b} }

func integer(n int64) map[string]any {
	return map[string]any{"intValue": strconv.FormatInt(n, 10)}
}

func text(s string) map[string]any { return map[string]any{"stringValue": s} }

func double(n float64) map[string]any {
	switch {
	case math.IsNaN(n):
		return map[string]any{"doubleValue": "NaN"}
	case math.IsInf(n, 1):
		return map[string]any{"doubleValue": "Infinity"}
	case math.IsInf(n, -1):
		return map[string]any{"doubleValue": "-Infinity"}
	}
	return map[string]any{"doubleValue": n}
}

func array[T any](list []T, one func(T) map[string]any) map[string]any {
	out := make([]map[string]any, len(list))
	for i, v := range list {
		out[i] = one(v)
	}
	return map[string]any{"arrayValue": map[string]any{"values": out}}
}
