// Package openapi reads an OpenAPI document into an index that is small enough
// to keep: what there is to call, what each call takes, and words to find it by.
package openapi

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/internal/rank"
)

// Document is what a server offers. It is safe for concurrent use.
type Document struct {
	ops     []*Operation // by path, then by method
	schemas map[string]json.RawMessage
	words   func() *rank.Index
}

// ErrNoOperations is what Read returns for JSON that is no document, or one of nothing to call.
var ErrNoOperations = errors.New("the document tells of no operations")

// Operation is one method on one path.
type Operation struct {
	ID, Method string
	Path       string // below Root, parameters in braces
	Tag        string
	Summary    string
	Beta       bool // LaunchDarkly answers it only with the beta version header
	Deprecated bool
	Semantic   bool // its description tells of semantic patches
	Reveals    bool // an answer may hold a secret
	Parameters []Parameter
	Body       *Body // nil where it takes none
	segs       []string
}

// Parameter is a named value in the path or in the query.
type Parameter struct {
	Name, In string
	Doc      string
	Required bool
	List     bool // takes several values
	Joined   bool // several values stand in one, with commas
	schema   json.RawMessage
}

// Body is what an operation takes as its body.
type Body struct {
	Required bool
	Types    []string // media types
	schema   json.RawMessage
}

// Root is where all paths begin.
const Root = "/api/v2"

const (
	maxOperations = 5000
	maxPath       = 400
	maxProse      = 160 // characters of a description that are kept
	jsonType      = "application/json"
)

var methods = []string{"get", "head", "post", "put", "patch", "delete"}

// Operations lists all operations by path, then by method.
func (d *Document) Operations() []*Operation { return d.ops }

// reader holds what is read until it is known what is needed of it.
type reader struct {
	doc        *Document
	parts      map[string]map[string]json.RawMessage // components, by their kind and name
	found      map[*Operation]rawOperation
	secret     func(name string) bool
	describing map[string]*Schema
}

type rawOperation struct {
	parameters []json.RawMessage
	body       json.RawMessage
	answers    map[string]json.RawMessage
}

// Read reads a document as it comes in. It leaves out what it cannot use, and
// fails only where the document is none. secret tells which names of fields in an answer are those of secrets.
func Read(d *json.Decoder, secret func(name string) bool) (*Document, error) {
	r := &reader{doc: &Document{schemas: map[string]json.RawMessage{}}, parts: map[string]map[string]json.RawMessage{},
		found: map[*Operation]rawOperation{}, secret: secret, describing: map[string]*Schema{}}
	err := eachMember(d, func(name string) error {
		switch name {
		case "paths":
			return eachMember(d, func(path string) error {
				var item json.RawMessage
				if err := d.Decode(&item); err != nil {
					return err
				}
				r.path(path, item)
				return nil
			})
		case "components":
			return eachMember(d, func(kind string) error {
				var part json.RawMessage
				if err := d.Decode(&part); err != nil {
					return err
				}
				var named map[string]json.RawMessage
				if json.Unmarshal(part, &named) == nil {
					r.parts[kind] = named
				}
				return nil
			})
		}
		return d.Decode(&skipped{})
	})
	if err != nil {
		return nil, err
	}
	return r.finish()
}

// skipped is a value that nobody reads.
type skipped struct{}

func (*skipped) UnmarshalJSON([]byte) error { return nil }

// eachMember reads an object member by member; anything else is skipped.
func eachMember(d *json.Decoder, member func(name string) error) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
	case json.Delim('['):
		for d.More() {
			if err := d.Decode(&skipped{}); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return err
	default:
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		text, _ := name.(string)
		if err := member(text); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// path takes over the operations on one path, if it is one that can be asked for.
func (r *reader) path(path string, raw json.RawMessage) {
	segs, ok := segments(path)
	var item map[string]json.RawMessage
	if !ok || json.Unmarshal(raw, &item) != nil {
		return
	}
	below := strings.TrimPrefix(path, Root)
	if below == "" {
		below = "/"
	}
	shared := list(item["parameters"])
	for _, method := range methods {
		var op map[string]json.RawMessage
		if item[method] == nil || json.Unmarshal(item[method], &op) != nil || op == nil || len(r.doc.ops) >= maxOperations {
			continue
		}
		x := &Operation{ID: text(op["operationId"]), Method: strings.ToUpper(method), Path: below, Summary: prose(text(op["summary"])),
			Deprecated: string(op["deprecated"]) == "true", segs: segs}
		if x.ID == "" {
			x.ID = x.Method + " " + x.Path
		}
		var tags []string
		if json.Unmarshal(op["tags"], &tags) == nil && len(tags) > 0 {
			x.Tag = tags[0]
		}
		x.Beta = slices.ContainsFunc(tags, func(t string) bool { return strings.HasSuffix(t, "(beta)") || t == "Experiments" })
		x.Semantic = method == "patch" && strings.Contains(strings.ToLower(text(op["description"])), "semantic patch")
		found := rawOperation{parameters: append(slices.Clip(shared), list(op["parameters"])...), body: op["requestBody"]}
		_ = json.Unmarshal(op["responses"], &found.answers)
		r.doc.ops = append(r.doc.ops, x)
		r.found[x] = found
	}
}

// segments splits a path below Root into literal segments and parameters in
// braces. Another form could be read as another path by a server.
func segments(path string) ([]string, bool) {
	below, ok := strings.CutPrefix(path, Root)
	if !ok || len(path) > maxPath {
		return nil, false
	}
	if below == "" || below == "/" {
		return nil, true
	}
	if below[0] != '/' {
		return nil, false
	}
	segs := strings.Split(below[1:], "/")
	for _, s := range segs {
		name, isName := parameterOf(s)
		if isName {
			s = name
		}
		if strings.Trim(s, ".") == "" || strings.ContainsFunc(s, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.~", c)
		}) {
			return nil, false
		}
	}
	return segs, true
}

// parameterOf is the name in a segment such as {projectKey}.
func parameterOf(seg string) (string, bool) {
	if len(seg) > 2 && seg[0] == '{' && seg[len(seg)-1] == '}' {
		return seg[1 : len(seg)-1], true
	}
	return "", false
}

// Segments are the parts of the path, parameters in braces.
func (op *Operation) Segments() []string { return op.segs }

// Parameter is the name of a parameter in braces, and whether a segment is one.
func (*Operation) Parameter(seg string) (string, bool) { return parameterOf(seg) }

// Is reports whether the operation has one of some methods.
func (op *Operation) Is(methods ...string) bool { return slices.Contains(methods, op.Method) }

func (op *Operation) String() string { return op.Method + " " + op.Path }

// finish keeps of the components what operations need.
func (r *reader) finish() (*Document, error) {
	if len(r.doc.ops) == 0 {
		return nil, ErrNoOperations
	}
	for op, raw := range r.found {
		r.parameters(op, raw.parameters)
		r.body(op, raw.body)
		op.Reveals = r.reveals(raw.answers)
	}
	for _, op := range r.doc.ops {
		for _, p := range op.Parameters {
			r.keep(decodeSchema(p.schema))
		}
		if op.Body != nil {
			r.keep(decodeSchema(op.Body.schema))
		}
	}
	slices.SortStableFunc(r.doc.ops, func(a, b *Operation) int {
		if n := strings.Compare(a.Path, b.Path); n != 0 {
			return n
		}
		return slices.Index(methods, strings.ToLower(a.Method)) - slices.Index(methods, strings.ToLower(b.Method))
	})
	d := r.doc
	d.words = sync.OnceValue(func() *rank.Index { return indexOf(d.ops) })
	return d, nil
}

// keep takes over the components that a schema names, and what they name.
func (r *reader) keep(s *Schema) {
	s.walk(func(inner *Schema) {
		name := inner.component()
		if _, have := r.doc.schemas[name]; have || name == "" || r.parts["schemas"][name] == nil {
			return
		}
		whole := decodeSchema(r.parts["schemas"][name])
		r.doc.schemas[name] = whole.encode()
		r.keep(whole)
	})
}

// lookup follows a reference to a component of some kind, once.
func (r *reader) lookup(kind string, raw json.RawMessage) json.RawMessage {
	var ref struct {
		Ref string `json:"$ref"`
	}
	if json.Unmarshal(raw, &ref) == nil && ref.Ref != "" {
		name, ok := strings.CutPrefix(ref.Ref, "#/components/"+kind+"/")
		if !ok {
			return nil
		}
		return r.parts[kind][unescape(name)]
	}
	return raw
}

func (r *reader) parameters(op *Operation, all []json.RawMessage) {
	known := map[string]int{}
	for _, raw := range all {
		var p map[string]json.RawMessage
		if json.Unmarshal(r.lookup("parameters", raw), &p) != nil {
			continue
		}
		x := Parameter{Name: text(p["name"]), In: text(p["in"]), Doc: prose(text(p["description"])), Required: string(p["required"]) == "true"}
		switch {
		case x.Name == "" || len(x.Name) > maxPath:
			continue
		case x.In == "header" && strings.EqualFold(x.Name, "LD-API-Version"):
			op.Beta = op.Beta || x.Required
			continue
		case x.In == "path" && !slices.Contains(op.segs, "{"+x.Name+"}"), x.In != "path" && x.In != "query":
			continue
		}
		s := decodeSchema(p["schema"])
		x.List = r.resolve(s).is("array")
		x.Joined = x.List && string(p["explode"]) == "false"
		x.Required = x.Required || x.In == "path"
		x.schema = s.encode()
		if i, ok := known[x.In+" "+x.Name]; ok {
			op.Parameters[i] = x // the operation's own wins over its path's
			continue
		}
		known[x.In+" "+x.Name] = len(op.Parameters)
		op.Parameters = append(op.Parameters, x)
	}
	for _, seg := range op.segs {
		if name, ok := parameterOf(seg); ok && !slices.ContainsFunc(op.Parameters, func(p Parameter) bool { return p.In == "path" && p.Name == name }) {
			op.Parameters = append(op.Parameters, Parameter{Name: name, In: "path", Required: true, schema: json.RawMessage(`{"type":"string"}`)})
		}
	}
}

// resolve follows a schema's references as far as they lead.
func (r *reader) resolve(s *Schema) *Schema {
	for range maxRefs {
		name := s.component()
		if name == "" || r.parts["schemas"][name] == nil {
			return s
		}
		s = r.component(name)
	}
	return s
}

func (r *reader) component(name string) *Schema {
	s, ok := r.describing[name]
	if !ok {
		s = decodeSchema(r.parts["schemas"][name])
		r.describing[name] = s
	}
	return s
}

func (r *reader) body(op *Operation, raw json.RawMessage) {
	var body struct {
		Required any                        `json:"required"`
		Content  map[string]json.RawMessage `json:"content"`
	}
	raw = r.lookup("requestBodies", raw)
	if raw == nil || json.Unmarshal(raw, &body) != nil || op.Is("GET", "HEAD") {
		return
	}
	op.Body = &Body{Required: body.Required == true, Types: slices.Sorted(maps.Keys(body.Content)), schema: json.RawMessage(`{}`)}
	var media map[string]json.RawMessage
	if json.Unmarshal(body.Content[jsonType], &media) == nil && media["schema"] != nil {
		op.Body.schema = decodeSchema(media["schema"]).encode()
	}
}

// reveals reports whether a good answer has a field with the name of a secret.
func (r *reader) reveals(answers map[string]json.RawMessage) bool {
	if r.secret == nil {
		return false
	}
	seen := map[string]bool{}
	found := false
	var look func(s *Schema)
	look = func(s *Schema) {
		s.walk(func(inner *Schema) {
			for name, p := range inner.Properties {
				if r.secret(name) && (p.Ref == "" && len(p.Types) == 0 || p.is("string")) {
					found = true
				}
			}
			if name := inner.component(); name != "" && !seen[name] {
				seen[name] = true
				look(r.component(name))
			}
		})
	}
	for status, raw := range answers {
		var answer struct {
			Content map[string]map[string]json.RawMessage `json:"content"`
		}
		if strings.HasPrefix(status, "2") && json.Unmarshal(r.lookup("responses", raw), &answer) == nil {
			for _, media := range answer.Content {
				look(decodeSchema(media["schema"]))
			}
		}
	}
	return found
}

func list(raw json.RawMessage) []json.RawMessage {
	var out []json.RawMessage
	_ = json.Unmarshal(raw, &out)
	return out
}

func text(raw json.RawMessage) string {
	var out string
	_ = json.Unmarshal(raw, &out)
	return out
}

var tag = pattern.Of(`</?[a-z]+ ?/?>`)

// prose is the first sentence of a description, as text, at most maxProse characters of it.
func prose(s string) string {
	s, _, _ = strings.Cut(s, "\n\n")
	s = strings.Join(strings.Fields(strings.ReplaceAll(tag().ReplaceAllString(s, " "), "`", "")), " ")
	if i := strings.Index(s, ". "); i > 0 {
		s = s[:i+1]
	}
	if r := []rune(s); len(r) > maxProse {
		s = string(r[:maxProse]) + "…"
	}
	return strings.ToValidUTF8(s, "")
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
