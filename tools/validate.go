package tools

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/invopop/jsonschema"
)

// faults are what is wrong with the arguments of a call: the first ones in
// words, the others counted.
type faults struct {
	says []string
	more int
	at   []step // from the arguments to the value that is looked at
}

// step leads to a property of an object, or to an item of an array.
type step struct {
	name string
	item int // -1 for a property
}

const (
	maxFaults  = 20 // told in one reply
	maxUnknown = 10 // names that one object does not take
	maxNamed   = 60 // characters of a name that the caller made up
)

// wrong says what does not fit a schema in args, nil where all does. It goes as
// deep as the schema does, and looks at each value once.
func wrong(s *jsonschema.Schema, args map[string]any) error {
	var f faults
	f.check(s, args)
	if f.says == nil {
		return nil
	}
	text := strings.Join(f.says, "; ")
	if f.more > 0 {
		text += fmt.Sprintf("; and %d more mistakes", f.more)
	}
	return badArguments(text)
}

// enough counts a mistake without words where there are words of enough others.
func (f *faults) enough() bool {
	if len(f.says) < maxFaults {
		return false
	}
	f.more++
	return true
}

func (f *faults) say(format string, args ...any) {
	if f.enough() {
		return
	}
	var b strings.Builder
	for i, s := range f.at {
		switch {
		case s.item >= 0:
			fmt.Fprintf(&b, "[%d]", s.item)
		case i > 0:
			b.WriteString("." + short(s.name, maxNamed))
		default:
			b.WriteString(short(s.name, maxNamed))
		}
	}
	if len(f.at) > 0 {
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, format, args...)
	f.says = append(f.says, b.String())
}

// inner checks what stands one step further.
func (f *faults) inner(s *jsonschema.Schema, to step, v any) {
	f.at = append(f.at, to)
	f.check(s, v)
	f.at = f.at[:len(f.at)-1]
}

// check holds v to a schema as our reflector makes it. TestSchemaKeywords fails
// where a tool's schema has a keyword that is not looked at here.
func (f *faults) check(s *jsonschema.Schema, v any) {
	if len(s.AnyOf) > 0 {
		f.anyOf(s.AnyOf, v)
		return
	}
	if !isOf(s.Type, v) {
		n, numeric := v.(json.Number)
		switch {
		case numeric && s.Type == "integer":
			f.say("must be a whole number, got %s", short(n.String(), maxNamed))
		default:
			f.say("must be %s, got %s", article(s.Type), article(typeOf(v)))
		}
		return
	}
	switch v := v.(type) {
	case string:
		f.text(s, v)
	case json.Number:
		f.number(s, v)
	case []any:
		f.array(s, v)
	case map[string]any:
		f.object(s, v)
	}
}

func (f *faults) anyOf(choices []*jsonschema.Schema, v any) {
	var names []string
	for _, s := range choices {
		if isOf(s.Type, v) {
			return
		}
		names = append(names, article(s.Type))
	}
	last := len(names) - 1
	f.say("must be %s or %s", strings.Join(names[:last], ", "), names[last])
}

func (f *faults) text(s *jsonschema.Schema, v string) {
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, any(v)) && !f.enough() {
		var known []string
		for _, e := range s.Enum {
			known = append(known, fmt.Sprint(e))
		}
		f.say("must be one of %s%s", strings.Join(known, ", "), perhaps(v, known))
	}
	if s.MinLength != nil && uint64(utf8.RuneCountInString(v)) < *s.MinLength {
		if *s.MinLength == 1 {
			f.say("must not be empty")
		} else {
			f.say("must be at least %d characters long, got %d", *s.MinLength, utf8.RuneCountInString(v))
		}
	}
}

func (f *faults) number(s *jsonschema.Schema, v json.Number) {
	if s.Minimum != "" && decimalOf(v).compare(decimalOf(s.Minimum)) < 0 {
		f.say("must be at least %s, got %s", s.Minimum, short(v.String(), maxNamed))
	}
	if s.Maximum != "" && decimalOf(v).compare(decimalOf(s.Maximum)) > 0 {
		f.say("must be at most %s, got %s", s.Maximum, short(v.String(), maxNamed))
	}
}

func (f *faults) array(s *jsonschema.Schema, v []any) {
	n := uint64(len(v))
	if s.MinItems != nil && n < *s.MinItems {
		f.say("must hold at least %d, got %d", *s.MinItems, n)
	}
	if s.MaxItems != nil && n > *s.MaxItems {
		f.say("must hold at most %d, got %d", *s.MaxItems, n)
	}
	if s.Items == nil {
		return
	}
	for i, item := range v {
		f.inner(s.Items, step{"", i}, item)
	}
}

func (f *faults) object(s *jsonschema.Schema, v map[string]any) {
	others := len(v)
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		if inner, ok := v[p.Key]; ok {
			f.inner(p.Value, step{p.Key, -1}, inner)
			others--
		}
	}
	var missing []string
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		f.say("missing %s", strings.Join(missing, ", "))
	}
	if others > 0 && s.AdditionalProperties != nil {
		f.others(s, v)
	}
}

// others checks what an object holds besides the properties with names of their own.
func (f *faults) others(s *jsonschema.Schema, v map[string]any) {
	var known, unknown []string
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		known = append(known, p.Key)
	}
	given := slices.DeleteFunc(slices.Sorted(maps.Keys(v)), func(name string) bool { return slices.Contains(known, name) })
	if s.AdditionalProperties != jsonschema.FalseSchema {
		for _, name := range given {
			f.inner(s.AdditionalProperties, step{name, -1}, v[name])
		}
		return
	}
	if f.enough() {
		return
	}
	for _, name := range given[:min(len(given), maxUnknown)] {
		unknown = append(unknown, short(name, maxNamed)+perhaps(name, known))
	}
	if len(known) == 0 {
		f.say("no argument %s; it takes none", listed(unknown, len(given)))
		return
	}
	f.say("no argument %s; there are %s", listed(unknown, len(given)), strings.Join(known, ", "))
}

// perhaps offers what a caller who said given may have meant, "" where nothing is near.
func perhaps(given string, known []string) string {
	if len(given) < 3 || len(given) > maxNamed {
		return ""
	}
	return nearest(given, known)
}

// isOf reports whether v is of a type as schemas name it; "" is any.
func isOf(want string, v any) bool {
	got := typeOf(v)
	if want == "integer" {
		n, ok := v.(json.Number)
		return ok && decimalOf(n).whole()
	}
	return want == "" || got == want
}

// typeOf is what JSON calls the type of a decoded value.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "value that is not JSON"
}

// article names a JSON type as people do.
func article(jsonType string) string {
	switch jsonType {
	case "boolean":
		return "true or false"
	case "integer":
		return "a whole number"
	case "array", "object":
		return "an " + jsonType
	case "null":
		return jsonType
	}
	return "a " + jsonType
}
