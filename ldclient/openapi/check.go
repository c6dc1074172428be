package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ld-mcp/ld-mcp/internal/faults"
	"github.com/ld-mcp/ld-mcp/internal/typo"
)

const (
	maxSteps  = 200_000 // schemas that one check looks at
	maxDepth  = 64      // of a body
	maxNamed  = 60      // characters of a name that the caller made up
	maxListed = 30      // names in one sentence
)

// checker checks one call.
type checker struct {
	faults.List
	*schemas
	steps int
}

func (d *Document) checker() *checker {
	return &checker{List: faults.List{Show: func(s string) string { return cut(s, maxNamed) }}, schemas: d.lookup()}
}

// CheckPath says what does not fit in the values of an operation's path, nil where all does.
func (d *Document) CheckPath(op *Operation, path map[string]any) error {
	c := d.checker()
	c.named(op, "path", path)
	return c.err()
}

// CheckQuery says what does not fit in the values of an operation's query, nil
// where all does, and returns the query as it is sent.
func (d *Document) CheckQuery(op *Operation, query map[string]any) (url.Values, error) {
	c := d.checker()
	c.named(op, "query", query)
	if err := c.err(); err != nil {
		return nil, err
	}
	out := url.Values{}
	for _, p := range op.Parameters {
		v, ok := query[p.Name]
		if p.In != "query" || !ok {
			continue
		}
		var values []string
		for _, item := range several(v) {
			values = append(values, plain(item))
		}
		if p.Joined {
			values = []string{strings.Join(values, ",")}
		}
		out[p.Name] = values
	}
	return out, nil
}

// PathValue is how a value stands in a path.
func PathValue(v any) string { return plain(v) }

func several(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// plain is how a value stands in a path or in a query.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return fmt.Sprint(v)
}

func (c *checker) err() error {
	if text := c.Text(); text != "" {
		return errors.New(text)
	}
	return nil
}

// named checks the parameters in one place, the path or the query.
func (c *checker) named(op *Operation, in string, given map[string]any) {
	var known, missing []string
	for _, p := range op.Parameters {
		if p.In != in {
			continue
		}
		known = append(known, p.Name)
		v, ok := given[p.Name]
		if !ok {
			if p.Required {
				missing = append(missing, p.Name)
			}
			continue
		}
		c.Into(faults.Property(in), func() { c.Into(faults.Property(p.Name), func() { c.parameter(p, v) }) })
	}
	slices.Sort(known)
	if len(missing) > 0 {
		c.Into(faults.Property(in), func() { c.Say("missing %s", strings.Join(missing, ", ")) })
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if slices.Contains(known, name) || c.Enough() {
			continue
		}
		c.Into(faults.Property(in), func() { c.Say("%s", noMember(name, known, "takes none")) })
	}
}

// parameter checks a value of the path or of the query, which is written as text.
func (c *checker) parameter(p Parameter, v any) {
	s := c.shapeOf(decodeSchema(p.schema))
	if _, isList := v.([]any); isList && !p.List && (p.In == "path" || p.Name != "env") { // env may be repeated, whatever documents say
		c.Say("must be one value, got an array")
		return
	}
	if p.List && s.Items != nil {
		s = c.shapeOf(s.Items)
	}
	for _, item := range several(v) {
		switch item.(type) {
		case string, json.Number, bool:
			c.scalar(s, plain(item))
		default:
			c.Say("must be text, a number, true or false, got %s", faults.Article(faults.TypeOf(item)))
		}
	}
	if p.In == "path" && plain(v) == "" {
		c.Say("must not be empty")
	}
}

// scalar checks text that stands for a value.
func (c *checker) scalar(s shape, text string) {
	switch {
	case s.is("integer"):
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			c.Say("must be a whole number, got %s", cut(text, maxNamed))
			return
		}
		c.limits(s, json.Number(text))
	case s.is("number"):
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			c.Say("must be a number, got %s", cut(text, maxNamed))
			return
		}
		c.limits(s, json.Number(text))
	case s.is("boolean"):
		if text != "true" && text != "false" {
			c.Say("must be true or false, got %s", cut(text, maxNamed))
		}
	default:
		c.enum(s, text)
	}
}

func (c *checker) enum(s shape, v any) {
	if len(s.Enum) == 0 {
		return
	}
	var known []string
	for _, e := range s.Enum {
		if plain(e) == plain(v) {
			return
		}
		known = append(known, plain(e))
	}
	c.Say("must be one of %s%s", listed(known), near(plain(v), known))
}

func (c *checker) limits(s shape, n json.Number) {
	got, ok := rational(n)
	if !ok {
		return
	}
	if least, ok := rational(orNone(s.Minimum)); ok && got.Cmp(least) < 0 {
		c.Say("must be at least %s, got %s", *s.Minimum, cut(n.String(), maxNamed))
	}
	if most, ok := rational(orNone(s.Maximum)); ok && got.Cmp(most) > 0 {
		c.Say("must be at most %s, got %s", *s.Maximum, cut(n.String(), maxNamed))
	}
}

func orNone(n *json.Number) json.Number {
	if n == nil {
		return ""
	}
	return *n
}

// rational is a number as it is written; one that is too long to be meant is none.
func rational(n json.Number) (*big.Rat, bool) {
	if len(n) == 0 || len(n) > 40 || strings.ContainsAny(string(n), "eE") {
		return nil, false
	}
	return new(big.Rat).SetString(string(n))
}

// CheckBody says what does not fit in an operation's body, nil where all does.
// semantic tells that it is to be sent as a semantic patch.
func (d *Document) CheckBody(op *Operation, body any) (semantic bool, err error) {
	c := d.checker()
	if body == nil {
		if op.Body != nil && op.Body.Required {
			return false, fmt.Errorf("missing body%s", d.bodyHint(op))
		}
		return false, nil
	}
	if op.Is("GET", "HEAD") || op.Body == nil && !op.Is("PATCH") {
		return false, fmt.Errorf("%s takes no body", op)
	}
	if op.Body != nil && !slices.Contains(op.Body.Types, jsonType) {
		return false, fmt.Errorf("%s takes %s, which is not sent from here", op, strings.Join(op.Body.Types, " or "))
	}
	s := c.bodySchema(op)
	c.Into(faults.Property("body"), func() {
		switch fields, isObject := body.(map[string]any); {
		case isObject && c.takesInstructions(op, fields):
			semantic = true
			c.semantic(s, fields)
		case !isObject && s.Properties["patch"] != nil && op.Is("PATCH"): // a JSON Patch without its comment
			c.value(s.Properties["patch"], body)
		default:
			c.value(s.Schema, body)
		}
	})
	return semantic, c.err()
}

// SendsComment reports whether an operation's body, as it is given, has a place for a comment.
func (d *Document) SendsComment(op *Operation, body any) bool {
	fields, ok := body.(map[string]any)
	if !ok || op.Body == nil && !op.Is("PATCH") {
		return false
	}
	c := d.checker()
	s := c.bodySchema(op)
	return c.takesInstructions(op, fields) && op.Semantic || s.Properties["comment"] != nil && c.shapeOf(s.Properties["comment"]).is("string")
}

func (c *checker) bodySchema(op *Operation) shape {
	if op.Body == nil {
		return c.shapeOf(&Schema{})
	}
	s := c.shapeOf(decodeSchema(op.Body.schema))
	s.Required = s.required
	if s.others != nil {
		s.Additional = &Additional{Schema: s.others}
	}
	if len(s.choices) > 0 { // they were taken apart
		s.Schema = decodeSchema(op.Body.schema)
	}
	return s
}

// takesInstructions reports whether a body is a semantic patch of an operation that takes those.
func (c *checker) takesInstructions(op *Operation, fields map[string]any) bool {
	if !op.Is("PATCH") || fields["instructions"] == nil {
		return false
	}
	if p := c.bodySchema(op).Properties["instructions"]; p != nil {
		return c.shapeOf(p).is("array") || len(c.shapeOf(p).Types) == 0
	}
	return op.Semantic
}

// semantic checks a semantic patch: its own form, and what the document says of it.
func (c *checker) semantic(s shape, fields map[string]any) {
	if s.Properties["instructions"] != nil {
		c.value(s.Schema, fields)
	} else {
		known := []string{"comment", "environmentKey", "ignoreConflicts", "instructions"}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if !slices.Contains(known, name) {
				c.Say("%s", noMember(name, known, ""))
			}
		}
		for _, name := range known[:2] {
			if v, ok := fields[name]; ok {
				c.Into(faults.Property(name), func() { c.value(&Schema{Types: types{"string"}}, v) })
			}
		}
	}
	c.Into(faults.Property("instructions"), func() {
		list, ok := fields["instructions"].([]any)
		if !ok || len(list) == 0 {
			c.Say("must be a list of at least one instruction")
			return
		}
		for i, one := range list {
			c.Into(faults.Item(i), func() {
				fields, _ := one.(map[string]any)
				if kind, _ := fields["kind"].(string); kind == "" {
					c.Say("missing kind")
				}
				for name := range fields {
					if name != "kind" && strings.EqualFold(name, "kind") {
						c.Say("%s means kind; write kind", name)
					}
				}
			})
		}
	})
}

// value checks a value against a schema.
func (c *checker) value(s *Schema, v any) {
	if c.steps++; c.steps > maxSteps || c.Depth() > maxDepth {
		if c.Depth() > maxDepth {
			c.Say("is nested too deep")
		}
		return
	}
	c.shaped(c.shapeOf(s), v)
}

func (c *checker) shaped(s shape, v any) {
	if v == nil && (s.Nullable || len(s.Types) == 0) {
		return
	}
	if len(s.Types) > 0 && !slices.ContainsFunc(s.Types, func(t string) bool { return isOf(t, v) }) {
		var names []string
		for _, t := range s.Types {
			names = append(names, faults.Article(t))
		}
		c.Say("must be %s, got %s", strings.Join(names, " or "), faults.Article(faults.TypeOf(v)))
		return
	}
	switch v := v.(type) {
	case string:
		c.enum(s, v)
		if s.MaxLength != nil && utf8.RuneCountInString(v) > *s.MaxLength {
			c.Say("must be at most %d characters long", *s.MaxLength)
		}
	case json.Number:
		c.enum(s, v)
		c.limits(s, v)
	case []any:
		if s.Items == nil {
			break
		}
		for i, item := range v {
			c.Into(faults.Item(i), func() { c.value(s.Items, item) })
		}
	case map[string]any:
		c.object(s, v)
	}
	for _, choices := range s.choices {
		c.oneOf(choices, v)
	}
}

// oneOf wants one of several schemas to fit, and tells of the one that comes nearest.
func (c *checker) oneOf(choices []*Schema, v any) {
	var best *checker
	for _, s := range choices {
		try := &checker{List: faults.List{Show: c.Show}, schemas: c.schemas, steps: c.steps + 1}
		if c.Depth() < maxDepth {
			try.value(s, v)
		}
		c.steps = try.steps
		if try.Text() == "" {
			return
		}
		if best == nil || len(try.Says)+try.More < len(best.Says)+best.More {
			best = try
		}
	}
	if best != nil {
		c.Say("fits none of %d forms; the nearest: %s", len(choices), best.Text())
	}
}

func (c *checker) object(s shape, v map[string]any) {
	known := slices.Sorted(maps.Keys(s.Properties))
	var missing []string
	for _, name := range s.required {
		if _, ok := v[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		c.Say("missing %s", listed(missing))
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		p := s.Properties[name]
		switch {
		case p != nil && v[name] == nil && !slices.Contains(s.required, name): // as if it were left out
		case p != nil:
			c.Into(faults.Property(name), func() { c.value(p, v[name]) })
		case slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }):
			i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
			c.Say("%s is written %s", cut(name, maxNamed), known[i]) // some servers would read it as that
		case s.others != nil:
			c.Into(faults.Property(name), func() { c.value(s.others, v[name]) })
		case s.closed && !c.Enough():
			c.Say("%s", noMember(name, known, "takes none"))
		}
	}
}

func noMember(name string, known []string, none string) string {
	if len(known) == 0 {
		return fmt.Sprintf("no %s; it %s", cut(name, maxNamed), none)
	}
	return fmt.Sprintf("no %s%s; there are %s", cut(name, maxNamed), near(name, known), listed(known))
}

func near(name string, known []string) string {
	if len(name) < 3 || len(name) > maxNamed {
		return ""
	}
	return typo.Nearest(name, known)
}

func listed(names []string) string {
	if n := len(names) - maxListed; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), n)
	}
	return strings.Join(names, ", ")
}

// isOf reports whether v is of a type as schemas name it.
func isOf(want string, v any) bool {
	got := faults.TypeOf(v)
	if want == "integer" {
		n, ok := v.(json.Number)
		if _, err := strconv.ParseInt(n.String(), 10, 64); ok && err == nil {
			return true
		}
		r, whole := rational(n)
		return ok && whole && r.IsInt()
	}
	return got == want || !slices.Contains([]string{"boolean", "number", "string", "array", "object"}, want) // a type that is unknown here allows anything
}
