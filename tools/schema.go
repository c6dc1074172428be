package tools

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// scalar is a JSON string, number or boolean. Its published schema says string,
// because union types break some clients; what is accepted is all three.
type scalar struct{ any }

func (s *scalar) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // a key of nineteen digits is not a float64
	return d.Decode(&s.any)
}
func (s scalar) MarshalJSON() ([]byte, error) { return json.Marshal(s.any) }

func (scalar) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// anyValue is any JSON value. Its published schema says string, as that of a scalar does.
type anyValue json.RawMessage

func (v *anyValue) UnmarshalJSON(b []byte) error { *v = bytes.Clone(b); return nil }

func (v anyValue) MarshalJSON() ([]byte, error) { return json.RawMessage(v).MarshalJSON() }

func (anyValue) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// reflector reads descriptions from a plain doc tag, which, unlike the
// jsonschema tag, may hold commas. Fields are required unless omitempty.
var reflector = jsonschema.Reflector{
	Anonymous:      true,
	DoNotReference: true,
	ExpandedStruct: true,
	LookupComment: func(t reflect.Type, field string) string {
		if field == "" || t.Kind() != reflect.Struct { // asked about a type, or about a slice's element
			return ""
		}
		f, _ := t.FieldByName(field)
		return f.Tag.Get("doc")
	},
}

// schemaOf reflects the JSON schema of a tool's input or output.
func schemaOf(t reflect.Type) *jsonschema.Schema {
	s := reflector.ReflectFromType(t)
	s.Version = "" // every client assumes 2020-12; 60 bytes a tool
	return s
}

// field is what the frame knows of one argument beside its schema.
type field struct {
	name     string
	aliases  []string
	fallback string  // the default tag, a JSON value or plain text
	inner    []field // of an object, or of the objects in an array
	brief    bool    // its shape or its values are not published, because a description or another argument tells them
	told     bool    // its description is not published, because the server's instructions say it once for all tools
	quiet    bool    // accepted and not published: another spelling of what a published argument says
}

// fieldsOf lists the arguments of an input struct, embedded groups included.
func fieldsOf(t reflect.Type) []field {
	out := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			out = append(out, fieldsOf(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		x := field{name: name, fallback: f.Tag.Get("default"), brief: f.Tag.Get("brief") != "", told: f.Tag.Get("told") != "", quiet: f.Tag.Get("quiet") != ""}
		if inner := elem(f.Type); inner.Kind() == reflect.Struct && inner != reflect.TypeFor[scalar]() {
			x.inner = fieldsOf(inner)
		}
		if a := f.Tag.Get("alias"); a != "" {
			x.aliases = strings.Split(a, ",")
		}
		out = append(out, x)
	}
	return out
}

// publish takes out of a schema what clients need not be told twice. That an object takes
// nothing else is checked in each call and not published: it would be a twentieth of tools/list.
func publish(s *jsonschema.Schema, fields []field) *jsonschema.Schema {
	s.AdditionalProperties = nil
	for _, f := range fields {
		if f.quiet {
			s.Properties.Delete(f.name)
			continue
		}
		p, _ := s.Properties.Get(f.name)
		if p != nil && f.told {
			p.Description = ""
		}
		if p != nil { // what of the limits matters to a caller is in the description
			p.Minimum, p.Maximum, p.MinItems, p.MaxItems, p.MinLength = "", "", nil, nil, nil
		}
		for p != nil && p.Items != nil {
			p = p.Items
		}
		switch {
		case p == nil:
		case f.brief:
			p.Enum = nil
			p.Properties, p.Required, p.AdditionalProperties = nil, nil, nil
		case len(f.inner) > 0:
			publish(p, f.inner)
		}
	}
	return s
}

// elem is what t holds, through pointers and slices.
func elem(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a schema is made of plain data
	}
	return b
}
