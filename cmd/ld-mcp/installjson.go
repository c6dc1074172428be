package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// member is one name and value of an object.
type member struct {
	name  string
	value any // string, bool, []string, []object or object
}

// object is a JSON object whose members keep their order.
type object []member

// set returns o with one more member, unless the value is empty.
func (o object) set(name string, value any) object {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Slice && v.IsNil() {
		return o
	}
	return append(o, member{name, value})
}

func (o object) get(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// style is how a document breaks its lines. Without indent everything is on one line.
type style struct{ indent, newline string }

var usualStyle = style{"  ", "\n"}

// render writes a value as JSON; prefix is the indentation of the line that it begins on.
func (s style) render(v any, prefix string) string {
	var open, end string
	var items []string
	inner := prefix + s.indent
	simple := true
	switch v := v.(type) {
	case object:
		open, end = "{", "}"
		simple = len(v) < 2
		for _, m := range v {
			if _, scalar := m.value.(string); !scalar {
				simple = false
			}
			items = append(items, quote(m.name)+": "+s.render(m.value, inner))
		}
	case []object:
		open, end = "[", "]"
		simple = false
		for _, e := range v {
			items = append(items, s.render(e, inner))
		}
	case []string:
		open, end = "[", "]"
		for _, e := range v {
			items = append(items, quote(e))
		}
	default:
		return quote(v)
	}
	if simple || s.indent == "" || len(items) == 0 {
		return open + strings.Join(items, ", ") + end
	}
	between := s.newline + inner
	return open + between + strings.Join(items, ","+between) + s.newline + prefix + end
}

func quote(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings and booleans can be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// document is the text of a JSON file, with or without comments, that is changed in place:
// hujson says where things are, and only the bytes of what changes are touched.
type document struct{ text []byte }

var byteOrderMark = []byte("\ufeff")

// parse returns the syntax tree of the document, whose offsets are those of its text.
func (d *document) parse() (hujson.Value, error) {
	v, err := hujson.Parse(d.text)
	if err != nil {
		return v, errors.New(strings.TrimPrefix(err.Error(), "hujson: "))
	}
	if v.Value.Kind() != '{' {
		return v, errors.New("it holds something else than a JSON object")
	}
	return v, nil
}

// lookup follows a path and returns the values along it, the outermost first, as far as they are there.
func (d *document) lookup(path []string) ([]hujson.Value, error) {
	v, err := d.parse()
	if err != nil {
		return nil, err
	}
	found := []hujson.Value{v}
	for i, name := range path {
		o, ok := v.Value.(*hujson.Object)
		if !ok {
			return nil, fmt.Errorf("%s is not an object", quote(strings.Join(path[:i], ".")))
		}
		at := -1
		for j, m := range o.Members {
			if m.Name.Value.(hujson.Literal).String() != name {
				continue
			}
			if at >= 0 {
				return nil, fmt.Errorf("%s is there twice", quote(strings.Join(path[:i+1], ".")))
			}
			at = j
		}
		if at < 0 {
			break
		}
		v = o.Members[at].Value
		found = append(found, v)
	}
	return found, nil
}

// get returns the text and the decoded value at a path, nil when there is none.
func (d *document) get(path ...string) (text []byte, value any, err error) {
	found, err := d.lookup(path)
	if err != nil || len(found) <= len(path) {
		return nil, nil, err
	}
	v := found[len(path)]
	value, err = decodeValue(v)
	return d.text[v.StartOffset:v.EndOffset], value, err
}

func decodeValue(v hujson.Value) (out any, err error) {
	v = v.Clone()
	v.Standardize()
	d := json.NewDecoder(bytes.NewReader(v.Pack()))
	d.UseNumber()
	return out, d.Decode(&out)
}

// set puts a value at a path and makes the objects that lead there.
// A value that says the same already stays as it is written.
func (d *document) set(value any, path ...string) error {
	found, err := d.lookup(path)
	if err != nil {
		return err
	}
	last := found[len(found)-1]
	if len(found) > len(path) {
		want, err := decoded(value)
		if err != nil {
			return err
		}
		if is, err := decodeValue(last); err != nil || reflect.DeepEqual(is, want) {
			return err
		}
		d.splice(last.StartOffset, last.EndOffset, d.style().render(value, d.lineIndent(last.StartOffset)))
		return nil
	}
	if last.Value.Kind() != '{' {
		return fmt.Errorf("%s is not an object", quote(strings.Join(path[:len(found)-1], ".")))
	}
	for i := len(path) - 1; i >= len(found); i-- {
		value = object{{path[i], value}}
	}
	d.insert(last, path[len(found)-1], value)
	return nil
}

func decoded(value any) (any, error) {
	v, err := hujson.Parse([]byte(style{}.render(value, "")))
	if err != nil {
		return nil, err
	}
	return decodeValue(v)
}

// add appends an element to the array at a path, or makes one.
func (d *document) add(element object, path ...string) error {
	found, err := d.lookup(path)
	switch {
	case err != nil:
		return err
	case len(found) <= len(path):
		return d.set([]object{element}, path...)
	case found[len(path)].Value.Kind() != '[':
		return fmt.Errorf("%s is not an array", quote(strings.Join(path, ".")))
	}
	d.insert(found[len(path)], "", element)
	return nil
}

// slot is the place of a member or element in its container.
type slot struct {
	start, end int
	comma      int // offset of the comma behind it, -1 when there is none
}

func slots(v hujson.Value) []slot {
	var out []slot
	put := func(start int, v hujson.Value, last bool) {
		s := slot{start, v.EndOffset, v.EndOffset + len(v.AfterExtra)}
		if last && v.AfterExtra == nil {
			s.comma = -1
		}
		out = append(out, s)
	}
	switch c := v.Value.(type) {
	case *hujson.Object:
		for i, m := range c.Members {
			put(m.Name.StartOffset, m.Value, i == len(c.Members)-1)
		}
	case *hujson.Array:
		for i, e := range c.Elements {
			put(e.StartOffset, e, i == len(c.Elements)-1)
		}
	}
	return out
}

// insert puts a member, or an element when name is empty, at the end of a container.
func (d *document) insert(into hujson.Value, name string, value any) {
	open, end := into.StartOffset, into.EndOffset-1
	in, s := slots(into), d.style()
	gap, comma := open+1, -1
	prefix := d.lineIndent(open) + s.indent
	manyLines := bytes.ContainsRune(d.text[open:end], '\n')
	if len(in) > 0 {
		last := in[len(in)-1]
		gap = last.comma + 1
		if last.comma < 0 {
			gap, comma = last.end, last.end
		}
		if indent := d.lineIndent(in[0].start); d.lineStart(in[0].start)+len(indent) == in[0].start && d.lineStart(in[0].start) > open {
			prefix = indent
		}
	} else {
		manyLines = s.indent != ""
	}
	at := gap + len(bytes.TrimRight(d.text[gap:end], " \t\r\n"))
	written := ""
	if !manyLines {
		s = style{newline: s.newline}
	}
	if name != "" {
		written = quote(name) + ": "
	}
	written += s.render(value, prefix)
	if len(in) > 0 && comma < 0 {
		written += ","
	}
	switch {
	case manyLines:
		written = s.newline + prefix + written
		if len(in) == 0 && !bytes.ContainsRune(d.text[at:end], '\n') {
			written += s.newline + d.lineIndent(open)
		}
	case at > open+1:
		written = " " + written
	}
	d.splice(at, at, written)
	if comma >= 0 {
		d.splice(comma, comma, ",")
	}
}

// remove takes out the member at a path, if it is there.
func (d *document) remove(path ...string) error {
	found, err := d.lookup(path)
	if err != nil || len(found) <= len(path) {
		return err
	}
	d.cut(found[len(path)-1], found[len(path)])
	return nil
}

// cut takes one value, with its name if it has one, out of its container.
func (d *document) cut(from, v hujson.Value) {
	in := slots(from)
	i := slices.IndexFunc(in, func(s slot) bool { return s.end == v.EndOffset })
	s := in[i]
	start, end := s.start, s.end
	if s.comma >= 0 {
		end = s.comma + 1
	}
	before := len(bytes.TrimRight(d.text[:start], " \t"))
	after := end + len(d.text[end:]) - len(bytes.TrimLeft(d.text[end:], " \t"))
	ownLine := before == d.lineStart(start) && before > 0
	rest := bytes.TrimPrefix(d.text[after:], []byte("\r"))
	switch {
	case len(in) == 1 && len(bytes.TrimSpace(d.text[from.StartOffset+1:start])) == 0 && len(bytes.TrimSpace(d.text[end:from.EndOffset-1])) == 0:
		start, end = from.StartOffset+1, from.EndOffset-1
	case ownLine && bytes.HasPrefix(rest, []byte("\n")):
		// The line break before goes with it, the one behind stays.
		start = before - 1
		if start > 0 && d.text[start-1] == '\r' {
			start--
		}
	case s.comma >= 0:
		end = after
	case i > 0 && len(bytes.TrimSpace(d.text[in[i-1].comma+1:start])) == 0:
		start = in[i-1].comma + 1
	}
	d.splice(start, end, "")
	if s.comma < 0 && i > 0 {
		d.splice(in[i-1].comma, in[i-1].comma+1, "")
	}
}

func (d *document) splice(start, end int, with string) {
	d.text = slices.Concat(d.text[:start], []byte(with), d.text[end:])
}

func (d *document) lineStart(at int) int { return bytes.LastIndexByte(d.text[:at], '\n') + 1 }

// lineIndent returns the white space that the line at an offset begins with.
func (d *document) lineIndent(at int) string {
	line := d.text[d.lineStart(at):at]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// style reads from a document how it is laid out.
func (d *document) style() style {
	s := usualStyle
	if bytes.Contains(d.text, []byte("\r\n")) {
		s.newline = "\r\n"
	}
	text := bytes.TrimSpace(d.text)
	if !bytes.ContainsRune(text, '\n') && len(bytes.Trim(text, "{} \t")) > 0 {
		s.indent = ""
		return s
	}
	if v, err := d.parse(); err == nil {
		for _, member := range slots(v) {
			if indent := d.lineIndent(member.start); indent != "" {
				s.indent = indent
				break
			}
		}
	}
	return s
}
