package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Description is what an operation takes, in few words: an object shows its
// members, "*" after the name of one that is required; a list shows its item;
// all else is text such as "integer: how many", with the values that are allowed divided by "|".
type Description struct {
	Path  map[string]any `json:"path,omitempty"`
	Query map[string]any `json:"query,omitempty"`
	Body  any            `json:"body,omitempty"`
}

const (
	maxDescribed = 5000 // bytes of one description
	maxFieldDoc  = 80   // characters that tell of one field
	maxValues    = 25   // of an enum
)

// Describe tells what an operation takes, as deep as there is room for.
func (d *Document) Describe(op *Operation) Description {
	out := Description{}
	for _, p := range op.Parameters {
		into := &out.Query
		if p.In == "path" {
			into = &out.Path
		}
		if *into == nil {
			*into = map[string]any{}
		}
		w := &writer{schemas: d.lookup(), left: 2, prose: maxFieldDoc}
		s := decodeSchema(p.schema)
		if s.Description == "" {
			s.Description = p.Doc
		}
		(*into)[named(p.Name, p.Required && p.In != "path")] = w.write(s)
	}
	if op.Body == nil && op.Semantic {
		out.Body = semanticForm
	}
	if op.Body == nil {
		return out
	}
	if !slices.Contains(op.Body.Types, jsonType) {
		out.Body = strings.Join(op.Body.Types, " or ")
		return out
	}
	for depth, prose := 6, maxFieldDoc; ; depth-- {
		w := &writer{schemas: d.lookup(), left: depth, prose: prose}
		out.Body = w.write(decodeSchema(op.Body.schema))
		if b, err := json.Marshal(out.Body); err != nil || len(b) <= maxDescribed || depth == 1 {
			break
		}
		if depth < 4 {
			prose = 0
		}
	}
	if op.Semantic {
		if shown, ok := out.Body.(map[string]any); !ok || shown["instructions*"] == nil && shown["instructions"] == nil {
			out.Body = []any{semanticForm, out.Body}
		}
	}
	return out
}

// semanticForm is the form of every semantic patch, which documents tell in prose alone.
var semanticForm = map[string]any{"instructions*": []any{map[string]any{"kind*": "string", "<name>": "what the kind needs"}}, "comment": "string", "environmentKey": "string: where the kinds are about one environment"}

// bodyHint names what a body has to hold.
func (d *Document) bodyHint(op *Operation) string {
	s := d.checker().bodySchema(op)
	if len(s.required) == 0 {
		return ""
	}
	return ", which holds " + listed(s.required)
}

func named(name string, required bool) string {
	if required {
		return name + "*"
	}
	return name
}

// writer writes schemas in few words.
type writer struct {
	*schemas
	inside []string // components around what is written
	left   int      // levels to go
	prose  int
}

func (w *writer) write(s *Schema) any {
	_, name := w.follow(s)
	if name != "" {
		if slices.Contains(w.inside, name) {
			return "object: another " + name
		}
		w.inside = append(w.inside, name)
		defer func() { w.inside = w.inside[:len(w.inside)-1] }()
	}
	doc := s.Description
	x := w.shapeOf(s)
	if doc == "" {
		doc = x.Description
	}
	if len(x.choices) > 0 {
		return w.choices(x)
	}
	w.left--
	defer func() { w.left++ }()
	switch {
	case x.is("array") || x.Items != nil:
		if x.Items == nil {
			return []any{}
		}
		if w.left <= 0 {
			return w.line("array", doc)
		}
		return []any{w.write(x.Items)}
	case len(x.Properties) > 0 || x.others != nil && !empty(x.others):
		if w.left <= 0 {
			return w.line("object", doc)
		}
		return w.object(x)
	case len(x.Enum) > 0:
		var values []string
		for _, v := range x.Enum[:min(len(x.Enum), maxValues)] {
			values = append(values, plain(v))
		}
		if len(x.Enum) > maxValues {
			values = append(values, "…")
		}
		return w.line(strings.Join(values, "|"), doc)
	}
	kind := strings.Join(x.Types, "|")
	if kind == "" {
		kind = "any"
	}
	if x.Default != nil && plain(x.Default) != "" {
		kind += fmt.Sprintf(" (%s if not given)", cut(plain(x.Default), 40))
	}
	return w.line(kind, doc)
}

func empty(s *Schema) bool { return string(s.encode()) == "{}" }

func (w *writer) line(kind, doc string) string {
	if w.prose == 0 || doc == "" {
		return kind
	}
	return kind + ": " + cut(doc, w.prose)
}

func (w *writer) object(x shape) any {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(x.Properties)) {
		out[named(name, slices.Contains(x.required, name))] = w.write(x.Properties[name])
	}
	if x.others != nil {
		out["<name>"] = w.write(x.others)
	}
	return out
}

func (w *writer) choices(x shape) any {
	forms := []any{}
	for _, choices := range x.choices {
		for _, s := range choices {
			if w.left > 0 {
				w.left--
				forms = append(forms, w.write(s))
				w.left++
			}
		}
	}
	out := map[string]any{"oneOf": forms}
	if len(x.Properties) > 0 && w.left > 0 {
		out["and"] = w.object(x)
	}
	return out
}
