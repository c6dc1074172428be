package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// badArguments is an error in a call's arguments; its text says what was expected.
type badArguments string

func (e badArguments) Error() string { return string(e) }

func badf(format string, args ...any) error { return badArguments(fmt.Sprintf(format, args...)) }

// bind turns a call's arguments into in: other spellings are renamed, defaults
// filled in, quoting that models add undone, the whole checked against the schema.
func (c *call) bind(in any) error {
	args, err := arguments(c)
	if err != nil {
		return err
	}
	for range 2 { // what was quoted may hold other spellings, and those may hold quoted values
		if err := rename(c.tool.fields, args); err != nil {
			return err
		}
		args, _ = unquote(c.tool.accepted(), args).(map[string]any)
	}
	if err := c.readAddresses(args); err != nil {
		return err
	}
	c.srv.fill(c.tool, args)
	if err := c.tool.validate(args); err != nil {
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
		return badf("%s: %s is out of range", mistyped.Field, mistyped.Value)
	} else if err != nil {
		return err
	}
	return nil
}

// checkKeys refuses what cannot be the key or id of a resource before anything
// is read. The key of a context may be any text.
func checkKeys(args map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(args)) {
		key, ok := args[name].(string)
		if !ok || name == "contextKey" || name != "id" && !strings.HasSuffix(name, "Key") {
			continue
		}
		if err := ldclient.CheckKey(key); err != nil {
			return badf("%s: %v", name, err)
		}
	}
	return nil
}

// shapesOnly are arguments of the older server's tools that changed nothing but the shape of a reply.
var shapesOnly = []string{"summary", "expand", "compare"}

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
	args := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&args); err != nil {
		return nil, badf(`the arguments must be a JSON object, such as {"projectKey": "…"}`)
	}
	if args == nil {
		args = map[string]any{}
	}
	// LaunchDarkly's older local server wrapped all arguments in one called request.
	if inner, ok := args["request"].(map[string]any); ok && len(args) == 1 {
		args = inner
	}
	maps.DeleteFunc(args, func(name string, v any) bool {
		return v == nil || c.req.Params.Name != c.tool.Name && slices.Contains(shapesOnly, name)
	})
	return args, nil
}

// rename moves arguments from their other spellings to their names, those of nested objects too.
func rename(fields []field, args map[string]any) error {
	for _, given := range slices.Sorted(maps.Keys(args)) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == given })
		if i < 0 {
			i = slices.IndexFunc(fields, func(f field) bool {
				return fold(f.name) == fold(given) || slices.ContainsFunc(f.aliases, func(a string) bool { return fold(a) == fold(given) })
			})
		}
		if i < 0 {
			continue // validate lists it as unknown
		}
		name := fields[i].name
		if name != given {
			if was, ok := args[name]; ok && !reflect.DeepEqual(was, args[given]) {
				return badf("%s and %s mean the same and differ; give one of them", name, given)
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

// fill puts in what the caller left out: the configured project and environment, then the tool's own defaults.
func (s *Server) fill(t *served, args map[string]any) {
	for _, f := range t.fields {
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
			d := json.NewDecoder(strings.NewReader(f.fallback))
			d.UseNumber()
			if d.Decode(&plain) != nil {
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
			if r, ok := new(big.Rat).SetString(n.String()); ok && r.IsInt() && r.Num().IsInt64() {
				return json.Number(r.Num().String())
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
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&plain) != nil || d.More() {
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

// compile prepares a tool's argument check, at its first call.
func (t *served) compile() *validator.Schema {
	s := *t.accepted()
	s.Required = without(s.Required, t.standIns)
	doc, err := validator.UnmarshalJSON(bytes.NewReader(mustJSON(&s)))
	if err != nil {
		panic(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("mem:arguments", doc); err != nil {
		panic(err)
	}
	return c.MustCompile("mem:arguments")
}

func (t *served) validate(args map[string]any) error {
	var bad *validator.ValidationError
	check := checks.get(t.variant(), t.compile)
	if !errors.As(check.Validate(args), &bad) {
		return nil
	}
	var says []string
	complaints(bad, t.accepted(), &says)
	slices.Sort(says)
	return badArguments(strings.Join(slices.Compact(says), "; "))
}

// complaints collects what is wrong in one sentence each, innermost first.
func complaints(e *validator.ValidationError, s *jsonschema.Schema, says *[]string) {
	at := ""
	for _, step := range e.InstanceLocation {
		if strings.Trim(step, "0123456789") == "" {
			at += "[" + step + "]"
		} else {
			at = strings.TrimPrefix(at+"."+step, ".")
		}
	}
	say := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if at != "" {
			text = at + ": " + text
		}
		*says = append(*says, text)
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference:
		for _, cause := range e.Causes {
			complaints(cause, s, says)
		}
	case *kind.AdditionalProperties:
		known := ""
		if in := within(s, e.InstanceLocation); in != nil && in.Properties != nil {
			var names []string
			for p := range in.Properties.KeysFromOldest() {
				names = append(names, p)
			}
			known = strings.Join(names, ", ")
		}
		if known == "" {
			say("no argument %s; it takes none", strings.Join(k.Properties, ", "))
			return
		}
		say("no argument %s; there are %s", strings.Join(k.Properties, ", "), known)
	case *kind.Required:
		say("missing %s", strings.Join(k.Missing, ", "))
	case *kind.Type:
		if len(k.Want) == 1 && k.Want[0] == "integer" && k.Got == "number" {
			say("must be a whole number")
			return
		}
		say("must be %s, got %s", article(strings.Join(k.Want, " or ")), article(k.Got))
	case *kind.AnyOf, *kind.OneOf:
		say("must be a string, a number or true or false")
	case *kind.Enum:
		var want []string
		for _, w := range k.Want {
			want = append(want, fmt.Sprint(w))
		}
		say("must be one of %s", strings.Join(want, ", "))
	case *kind.Minimum:
		say("must be at least %s, got %s", decimal(k.Want), decimal(k.Got))
	case *kind.Maximum:
		say("must be at most %s, got %s", decimal(k.Want), decimal(k.Got))
	case *kind.MinItems:
		say("must hold at least %d, got %d", k.Want, k.Got)
	case *kind.MaxItems:
		say("must hold at most %d, got %d", k.Want, k.Got)
	default:
		say("%s", e.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
	}
}

func decimal(r *big.Rat) string {
	f, _ := r.Float64()
	return number(f)
}

// within follows a location down a schema.
func within(s *jsonschema.Schema, location []string) *jsonschema.Schema {
	for _, step := range location {
		if s == nil {
			return nil
		}
		if s.Items != nil {
			s = s.Items
		} else if s.Properties != nil {
			s, _ = s.Properties.Get(step)
		}
	}
	return s
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
	}
	return "a " + jsonType
}
