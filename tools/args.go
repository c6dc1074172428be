package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// badArguments is an error in a call's arguments; its text says what was expected.
type badArguments string

func (e badArguments) Error() string { return string(e) }

func badf(format string, args ...any) error { return badArguments(fmt.Sprintf(format, args...)) }

// bind turns a call's arguments into in: other spellings are renamed, defaults
// filled in, quoting that models add undone, the whole checked against the schema.
func (c *call) bind(in any) error {
	args, err := c.settled()
	if err != nil {
		return err
	}
	if err := wrong(c.tool.accepted(), args); err != nil {
		return err
	}
	if err := checkKeys(args); err != nil {
		return err
	}
	c.args = args
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	var mistyped *json.UnmarshalTypeError
	if err := json.Unmarshal(b, in); errors.As(err, &mistyped) {
		return badf("%s: %s is out of range", mistyped.Field, short(mistyped.Value, maxNamed))
	} else if err != nil {
		return err
	}
	return nil
}

// settled is a call's arguments under their own names and in their own types, as far as that can be told.
func (c *call) settled() (map[string]any, error) {
	args, err := arguments(c)
	if err != nil {
		return nil, err
	}
	for range 2 { // what was quoted may hold other spellings, and those may hold quoted values
		if err := rename(c.tool.fields(), args); err != nil {
			return nil, err
		}
		args, _ = unquote(c.tool.accepted(), args).(map[string]any)
	}
	if err := c.readAddresses(args); err != nil {
		return nil, err
	}
	c.srv.fill(c.tool, args)
	return args, nil
}

// checkKeys refuses what cannot be the key or id of a resource before anything
// is read. The keys of contexts and of events may be any text.
func checkKeys(args map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(args)) {
		key, ok := args[name].(string)
		if !ok || name == "contextKey" || name == "eventKey" || name != "id" && !strings.HasSuffix(name, "Key") {
			continue
		}
		if err := ldclient.CheckKey(key); err != nil {
			return badf("%s: %v", name, err)
		}
	}
	return nil
}

// arguments decodes what the client sent, numbers as they were written.
func arguments(c *call) (map[string]any, error) {
	raw := c.req.Params.RawArguments
	if len(raw) == 0 {
		b, err := json.Marshal(c.req.Params.Arguments)
		if err != nil {
			return nil, err
		}
		raw = b
	}
	var args map[string]any
	if !decode(raw, &args) {
		return nil, badf(`the arguments must be a JSON object, such as {"projectKey": "…"}`)
	}
	if args == nil {
		args = map[string]any{}
	}
	args, err := c.tool.unwrapOlder(c.req.Params.Name, args)
	maps.DeleteFunc(args, func(_ string, v any) bool { return v == nil })
	return args, err
}

// decode reads one JSON value and nothing else, numbers as they were written.
func decode(raw []byte, into any) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(into) != nil {
		return false
	}
	_, err := d.Token()
	return err == io.EOF
}

// rename moves arguments from their other spellings to their names, those of nested objects too.
func rename(fields []field, args map[string]any) error {
	for _, given := range slices.Sorted(maps.Keys(args)) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == given })
		if i < 0 {
			i = slices.IndexFunc(fields, func(f field) bool {
				return sameName(f.name, given) || slices.ContainsFunc(f.aliases, func(a string) bool { return sameName(a, given) })
			})
		}
		if i < 0 {
			continue // the check lists it as unknown
		}
		name := fields[i].name
		if name != given {
			if was, ok := args[name]; ok && !reflect.DeepEqual(was, args[given]) {
				return badf("%s and %s mean the same and differ; give one of them", name, short(given, maxNamed))
			}
			args[name] = args[given]
			delete(args, given)
		}
		list, ok := args[name].([]any)
		if !ok {
			list = []any{args[name]}
		}
		for _, item := range list {
			if inner, ok := item.(map[string]any); ok && len(fields[i].inner) > 0 {
				if err := rename(fields[i].inner, inner); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

var folder = strings.NewReplacer("_", "", "-", "")

func fold(name string) string { return strings.ToLower(folder.Replace(name)) }

// sameName reports whether fold makes the same of two names, one of them in
// ASCII, without making it: callers may send many and long ones.
func sameName(a, b string) bool {
	i, j := 0, 0
	for {
		for i < len(a) && (a[i] == '_' || a[i] == '-') {
			i++
		}
		for j < len(b) && (b[j] == '_' || b[j] == '-') {
			j++
		}
		switch {
		case i == len(a) || j == len(b):
			return i == len(a) && j == len(b)
		case !strings.EqualFold(a[i:i+1], b[j:j+1]):
			return false
		}
		i, j = i+1, j+1
	}
}

// fill puts in what the caller left out: the configured project and environment, then the tool's own defaults.
func (s *Server) fill(t *served, args map[string]any) {
	for _, f := range t.fields() {
		if v, ok := args[f.name]; ok && v != "" {
			continue
		}
		if strings.HasSuffix(f.name, "Key") { // an empty key is none
			delete(args, f.name)
		}
		switch v := s.configured(f); {
		case f.fallback == "-":
		case v != "":
			args[f.name] = v
		case f.fallback != "":
			var plain any
			if !decode([]byte(f.fallback), &plain) {
				plain = f.fallback
			}
			args[f.name] = plain
		}
	}
}

// configured is the operator's stand-in for an argument; "-" as its default tag says that it wants none.
func (s *Server) configured(f field) string {
	switch {
	case f.fallback == "-":
	case f.name == "projectKey":
		return s.opts.Project
	case f.name == "environmentKey":
		return s.opts.Environment
	}
	return ""
}

// unquote undoes the quoting that models add where s wants something else than
// a string ("10", "true", "[…]") or leave out where it wants one, and wraps a
// single value where s wants an array.
func unquote(s *jsonschema.Schema, v any) any {
	if text, ok := v.(string); ok {
		v = unquoted(s, text)
	}
	switch s.Type {
	case "string":
		switch v.(type) {
		case json.Number, bool:
			return fmt.Sprint(v)
		}
	case "integer":
		if n, ok := v.(json.Number); ok {
			if whole, ok := decimalOf(n).int64(); ok {
				return json.Number(strconv.FormatInt(whole, 10))
			}
		}
	case "array":
		list, ok := v.([]any)
		if !ok {
			if _, object := v.(map[string]any); v == nil || object != (s.Items.Type == "object") {
				return v
			}
			list = []any{v}
		}
		for i := range list {
			list[i] = unquote(s.Items, list[i])
		}
		return list
	case "object":
		m, _ := v.(map[string]any)
		for name, inner := range m {
			p := s.AdditionalProperties
			if s.Properties != nil {
				if named, ok := s.Properties.Get(name); ok {
					p = named
				}
			}
			if inner == nil {
				delete(m, name)
			} else if p != nil {
				m[name] = unquote(p, inner)
			}
		}
	}
	return v
}

// unquoted decodes text where it holds JSON of the type that s wants, and leaves it as it is elsewhere.
func unquoted(s *jsonschema.Schema, text string) any {
	var plain any
	if s.Type == "" || s.Type == "string" || !decode([]byte(text), &plain) {
		return text
	}
	fits := false
	switch plain.(type) {
	case json.Number:
		fits = s.Type == "integer" || s.Type == "number"
	case bool:
		fits = s.Type == "boolean"
	case []any:
		fits = s.Type == "array"
	case map[string]any:
		fits = s.Type == "object" || s.Type == "array" && s.Items.Type == "object"
	}
	if fits {
		return plain
	}
	return text
}
