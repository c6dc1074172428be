package tools

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/invopop/jsonschema"

	"github.com/ld-mcp/ld-mcp/internal/faults"
)

// mistakes are what is wrong with the arguments of a call.
type mistakes struct{ faults.List }

const (
	maxUnknown = 10 // names that one object does not take
	maxNamed   = 60 // characters of a name that the caller made up
)

// wrong says what does not fit a schema in args, nil where all does. It goes as
// deep as the schema does, and looks at each value once.
func wrong(s *jsonschema.Schema, args map[string]any) error {
	f := mistakes{faults.List{Show: func(name string) string { return short(name, maxNamed) }}}
	f.check(s, args)
	if f.Says == nil {
		return nil
	}
	return badArguments(f.Text())
}

// inner checks what stands one step further.
func (f *mistakes) inner(s *jsonschema.Schema, to faults.Step, v any) {
	f.Into(to, func() { f.check(s, v) })
}

// check holds v to a schema as our reflector makes it. TestSchemaKeywords fails
// where a tool's schema has a keyword that is not looked at here.
func (f *mistakes) check(s *jsonschema.Schema, v any) {
	if len(s.AnyOf) > 0 {
		f.anyOf(s.AnyOf, v)
		return
	}
	if !isOf(s.Type, v) {
		n, numeric := v.(json.Number)
		switch {
		case numeric && s.Type == "integer":
			f.Say("must be a whole number, got %s", short(n.String(), maxNamed))
		default:
			f.Say("must be %s, got %s", faults.Article(s.Type), faults.Article(faults.TypeOf(v)))
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

func (f *mistakes) anyOf(choices []*jsonschema.Schema, v any) {
	var names []string
	for _, s := range choices {
		if isOf(s.Type, v) {
			return
		}
		names = append(names, faults.Article(s.Type))
	}
	last := len(names) - 1
	f.Say("must be %s or %s", strings.Join(names[:last], ", "), names[last])
}

func (f *mistakes) text(s *jsonschema.Schema, v string) {
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, any(v)) && !f.Enough() {
		known := wordsIn(s)
		f.Say("must be one of %s%s", strings.Join(known, ", "), perhaps(v, known))
	}
	if s.MinLength != nil && uint64(utf8.RuneCountInString(v)) < *s.MinLength {
		if *s.MinLength == 1 {
			f.Say("must not be empty")
		} else {
			f.Say("must be at least %d characters long, got %d", *s.MinLength, utf8.RuneCountInString(v))
		}
	}
}

func (f *mistakes) number(s *jsonschema.Schema, v json.Number) {
	if s.Minimum != "" && decimalOf(v).compare(decimalOf(s.Minimum)) < 0 {
		f.Say("must be at least %s, got %s", s.Minimum, short(v.String(), maxNamed))
	}
	if s.Maximum != "" && decimalOf(v).compare(decimalOf(s.Maximum)) > 0 {
		f.Say("must be at most %s, got %s", s.Maximum, short(v.String(), maxNamed))
	}
}

func (f *mistakes) array(s *jsonschema.Schema, v []any) {
	n := uint64(len(v))
	if s.MinItems != nil && n < *s.MinItems {
		f.Say("must hold at least %d, got %d", *s.MinItems, n)
	}
	if s.MaxItems != nil && n > *s.MaxItems {
		f.Say("must hold at most %d, got %d", *s.MaxItems, n)
	}
	if s.Items == nil {
		return
	}
	for i, item := range v {
		f.inner(s.Items, faults.Item(i), item)
	}
}

func (f *mistakes) object(s *jsonschema.Schema, v map[string]any) {
	others := len(v)
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		if inner, ok := v[p.Key]; ok {
			f.inner(p.Value, faults.Property(p.Key), inner)
			others--
		}
	}
	var missing []string
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			missing = append(missing, name+amongWords(s, name))
		}
	}
	if len(missing) > 0 {
		f.Say("missing %s", strings.Join(missing, ", "))
	}
	if others > 0 && s.AdditionalProperties != nil {
		f.others(s, v)
	}
}

// amongWords lists the words that a property may be, where it is one of several.
func amongWords(s *jsonschema.Schema, name string) string {
	p, _ := s.Properties.Get(name)
	if p == nil || len(p.Enum) == 0 {
		return ""
	}
	return " (one of " + strings.Join(wordsIn(p), ", ") + ")"
}

func wordsIn(s *jsonschema.Schema) (words []string) {
	for _, e := range s.Enum {
		words = append(words, fmt.Sprint(e))
	}
	return words
}

// others checks what an object holds besides the properties with names of their own.
func (f *mistakes) others(s *jsonschema.Schema, v map[string]any) {
	var known, unknown []string
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		known = append(known, p.Key)
	}
	given := slices.DeleteFunc(slices.Sorted(maps.Keys(v)), func(name string) bool { return slices.Contains(known, name) })
	if s.AdditionalProperties != jsonschema.FalseSchema {
		for _, name := range given {
			f.inner(s.AdditionalProperties, faults.Property(name), v[name])
		}
		return
	}
	if f.Enough() {
		return
	}
	for _, name := range given[:min(len(given), maxUnknown)] {
		unknown = append(unknown, short(name, maxNamed)+perhaps(name, known))
	}
	if len(known) == 0 {
		f.Say("no argument %s; it takes none", listed(unknown, len(given)))
		return
	}
	f.Say("no argument %s; there are %s", listed(unknown, len(given)), strings.Join(known, ", "))
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
	got := faults.TypeOf(v)
	if want == "integer" {
		n, ok := v.(json.Number)
		return ok && decimalOf(n).whole()
	}
	return want == "" || got == want
}
