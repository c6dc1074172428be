package tools

import (
	"encoding/json"
	"reflect"
	"sync"

	"github.com/invopop/jsonschema"
)

// What is the same for every server of a program, made when it is first needed.
var (
	argumentsOf memo[reflect.Type, []field]
	schemas     memo[reflect.Type, *jsonschema.Schema]
	outputs     memo[reflect.Type, json.RawMessage]
	anyObject   = json.RawMessage(`{"type":"object"}`)
)

type memo[K comparable, V any] struct{ known sync.Map }

func (m *memo[K, V]) get(k K, make func() V) V {
	if v, ok := m.known.Load(k); ok {
		return v.(V)
	}
	v, _ := m.known.LoadOrStore(k, make())
	return v.(V)
}

// fields are a tool's arguments.
func (t Tool) fields() []field {
	return argumentsOf.get(reflect.TypeOf(t.code), func() []field { return fieldsOf(t.in()) })
}

// accepted is the schema of what a tool accepts. It is shared; nobody changes it.
func (t Tool) accepted() *jsonschema.Schema {
	return schemas.get(reflect.TypeOf(t.code), func() *jsonschema.Schema { return strict(t.in()) })
}

// strict is reflector with what is really accepted of a scalar and of any value.
func strict(t reflect.Type) *jsonschema.Schema {
	r := reflector
	r.Mapper = func(t reflect.Type) *jsonschema.Schema {
		if t == reflect.TypeFor[scalar]() {
			return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}}
		}
		if t == reflect.TypeFor[anyValue]() {
			return &jsonschema.Schema{}
		}
		return nil
	}
	s := r.ReflectFromType(t)
	s.Version = ""
	return s
}
