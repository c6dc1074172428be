package openapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Schema is what a JSON Schema says, as far as it is used here.
type Schema struct {
	Ref         string             `json:"$ref,omitempty"`
	Types       types              `json:"type,omitempty"`
	Nullable    bool               `json:"nullable,omitempty"`
	Description string             `json:"description,omitempty"`
	Enum        []any              `json:"enum,omitempty"`
	Default     any                `json:"default,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Properties  map[string]*Schema `json:"properties,omitempty"`
	Items       *Schema            `json:"items,omitempty"`
	Additional  *Additional        `json:"additionalProperties,omitempty"`
	AllOf       []*Schema          `json:"allOf,omitempty"`
	OneOf       []*Schema          `json:"oneOf,omitempty"`
	AnyOf       []*Schema          `json:"anyOf,omitempty"`
	Minimum     *json.Number       `json:"minimum,omitempty"`
	Maximum     *json.Number       `json:"maximum,omitempty"`
	MaxLength   *int               `json:"maxLength,omitempty"`
}

// types are the types that a schema allows, mostly one.
type types []string

func (t types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// Additional says what an object holds besides its properties: nothing, or values of a schema.
type Additional struct {
	No     bool
	Schema *Schema
}

// MarshalJSON writes a as JSON Schema does.
func (a Additional) MarshalJSON() ([]byte, error) {
	switch {
	case a.No:
		return []byte("false"), nil
	case a.Schema == nil:
		return []byte("true"), nil
	}
	return json.Marshal(a.Schema)
}

const (
	maxNesting = 24 // of schemas written inside of each other
	maxRefs    = 16 // references that lead to references
)

// decodeSchema reads a schema. What it cannot read says nothing, so it allows anything.
func decodeSchema(raw json.RawMessage) *Schema { return schemaAt(raw, 0) }

func schemaAt(raw json.RawMessage, depth int) *Schema {
	s := &Schema{}
	var m map[string]json.RawMessage
	if depth > maxNesting || len(raw) == 0 || json.Unmarshal(raw, &m) != nil {
		return s
	}
	if s.Ref = text(m["$ref"]); s.Ref != "" {
		s.Description = prose(text(m["description"]))
		return s
	}
	if json.Unmarshal(m["type"], (*[]string)(&s.Types)) != nil {
		s.Types = nil
		if t := text(m["type"]); t != "" {
			s.Types = types{t}
		}
	}
	if i := slices.Index(s.Types, "null"); i >= 0 {
		s.Types, s.Nullable = slices.Delete(s.Types, i, i+1), true
	}
	s.Nullable = s.Nullable || string(m["nullable"]) == "true"
	s.Description = prose(text(m["description"]))
	s.Enum, _ = value(m["enum"]).([]any)
	s.Default = value(m["default"])
	_ = json.Unmarshal(m["required"], &s.Required)
	_ = json.Unmarshal(m["minimum"], &s.Minimum)
	_ = json.Unmarshal(m["maximum"], &s.Maximum)
	_ = json.Unmarshal(m["maxLength"], &s.MaxLength)
	var properties map[string]json.RawMessage
	if json.Unmarshal(m["properties"], &properties) == nil && len(properties) > 0 {
		s.Properties = map[string]*Schema{}
		for name, p := range properties {
			s.Properties[name] = schemaAt(p, depth+1)
		}
	}
	if m["items"] != nil {
		s.Items = schemaAt(m["items"], depth+1)
	}
	switch a := strings.TrimSpace(string(m["additionalProperties"])); {
	case a == "false":
		s.Additional = &Additional{No: true}
	case strings.HasPrefix(a, "{"):
		s.Additional = &Additional{Schema: schemaAt(m["additionalProperties"], depth+1)}
	case a == "true":
		s.Additional = &Additional{}
	}
	for name, into := range map[string]*[]*Schema{"allOf": &s.AllOf, "oneOf": &s.OneOf, "anyOf": &s.AnyOf} {
		for _, part := range list(m[name]) {
			*into = append(*into, schemaAt(part, depth+1))
		}
	}
	return s
}

// value decodes any JSON value, numbers as they are written.
func value(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

func (s *Schema) encode() json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return b
}

// component is the name of the component that s stands for, "" where it stands for itself.
func (s *Schema) component() string {
	name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/")
	if !ok {
		return ""
	}
	return unescape(name)
}

func unescape(pointer string) string {
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(pointer)
}

func (s *Schema) is(name string) bool { return len(s.Types) == 1 && s.Types[0] == name }

// walk calls visit for s and every schema written inside of it, references not followed.
func (s *Schema) walk(visit func(*Schema)) {
	if s == nil {
		return
	}
	visit(s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		s.Properties[name].walk(visit)
	}
	s.Items.walk(visit)
	if s.Additional != nil {
		s.Additional.Schema.walk(visit)
	}
	for _, parts := range [][]*Schema{s.AllOf, s.OneOf, s.AnyOf} {
		for _, part := range parts {
			part.walk(visit)
		}
	}
}

// schemas decodes the components of a document, each once, for as long as one answer takes.
type schemas struct {
	doc   *Document
	known map[string]*Schema
}

func (d *Document) lookup() *schemas { return &schemas{d, map[string]*Schema{}} }

// follow is what a reference leads to, and the name of the last component on the way.
func (x *schemas) follow(s *Schema) (*Schema, string) {
	last := ""
	for range maxRefs {
		if s.Ref == "" {
			return s, last
		}
		last = s.component()
		next, ok := x.known[last]
		if !ok {
			next = decodeSchema(x.doc.schemas[last])
			x.known[last] = next
		}
		s = next
	}
	return &Schema{}, "" // they lead in a circle
}

// shape is what a schema says of one value, its parts put together.
type shape struct {
	*Schema
	required []string
	closed   bool // an object has no other members
	others   *Schema
	choices  [][]*Schema // of each, one must fit
}

// shapeOf puts together a schema and what it says by allOf.
func (x *schemas) shapeOf(s *Schema) shape {
	out := shape{Schema: &Schema{Properties: map[string]*Schema{}}}
	declared := false
	seen := map[*Schema]bool{}
	var add func(s *Schema)
	add = func(s *Schema) {
		if s, _ = x.follow(s); seen[s] {
			return
		}
		seen[s] = true
		if len(out.Types) == 0 {
			out.Types = s.Types
		}
		out.Nullable = out.Nullable || s.Nullable
		if out.Enum == nil {
			out.Enum = s.Enum
		}
		if out.Description == "" {
			out.Description = s.Description
		}
		if out.Items == nil {
			out.Items = s.Items
		}
		if out.Default == nil {
			out.Default = s.Default
		}
		for _, limit := range []struct{ to, from **json.Number }{{&out.Minimum, &s.Minimum}, {&out.Maximum, &s.Maximum}} {
			if *limit.to == nil {
				*limit.to = *limit.from
			}
		}
		if out.MaxLength == nil {
			out.MaxLength = s.MaxLength
		}
		out.required = append(out.required, s.Required...)
		for name, p := range s.Properties {
			declared = true
			if out.Properties[name] == nil {
				out.Properties[name] = p
			}
		}
		if s.Additional != nil {
			if s.Additional.No {
				out.closed = true
			} else {
				declared = true
				out.others = s.Additional.Schema
				if out.others == nil {
					out.others = &Schema{}
				}
			}
		}
		for _, part := range s.AllOf {
			add(part)
		}
		for _, parts := range [][]*Schema{s.OneOf, s.AnyOf} {
			if len(parts) > 0 {
				out.choices = append(out.choices, parts)
			}
		}
	}
	add(s)
	if out.others == nil && declared && len(out.choices) == 0 {
		out.closed = true
	}
	slices.Sort(out.required)
	out.required = slices.Compact(out.required)
	return out
}
