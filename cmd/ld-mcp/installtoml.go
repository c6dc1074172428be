package main

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tables is the text of a TOML file in which single tables are changed.
type tables struct{ text []byte }

// expression is a table header, or a key with its value, in a TOML file.
type expression struct {
	path       []string
	header     bool
	start, end int // of its text; of the first key where it is a header
}

// parse decodes the file and says where its expressions are.
func (t *tables) parse() (map[string]any, []expression, error) {
	values := map[string]any{}
	if err := toml.Unmarshal(t.text, &values); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, column := at.Position()
			return nil, nil, fmt.Errorf("line %d, column %d: %s", line, column, strings.TrimPrefix(at.Error(), "toml: "))
		}
		return nil, nil, err
	}
	var out []expression
	var table []string
	p := new(unstable.Parser)
	p.Reset(t.text)
	for p.NextExpression() {
		e := p.Expression()
		var path []string
		first := -1
		for keys := e.Key(); keys.Next(); {
			if first < 0 {
				first = int(keys.Node().Raw.Offset)
			}
			path = append(path, string(keys.Node().Data))
		}
		if e.Kind != unstable.KeyValue {
			table = path
			out = append(out, expression{path, true, first, first})
			continue
		}
		raw := e.Raw
		out = append(out, expression{slices.Concat(table, path), false, int(raw.Offset), int(raw.Offset + raw.Length)})
	}
	return values, out, p.Error()
}

// get returns the text and the decoded value of a table, nil when there is none.
func (t *tables) get(path ...string) (text []byte, value any, err error) {
	values, all, err := t.parse()
	if err != nil {
		return nil, nil, err
	}
	value = any(values)
	for i, name := range path {
		m, ok := value.(map[string]any)
		if !ok {
			return nil, nil, fmt.Errorf("%q is not a table", strings.Join(path[:i], "."))
		}
		if value, ok = m[name]; !ok {
			return nil, nil, nil
		}
	}
	for _, b := range t.blocks(all, path) {
		text = append(text, t.text[b.start:b.end]...)
	}
	return text, value, nil
}

// block is the part of a file that holds one table: its header, and all up to
// the comments and empty lines before the next one.
type block struct {
	path       []string
	start, end int
}

// blocks are the parts of the file that hold the table at path and the tables in it.
func (t *tables) blocks(all []expression, path []string) []block {
	var out []block
	for i, e := range all {
		if !e.header || !inTable(e.path, path) {
			continue
		}
		last := i
		for last+1 < len(all) && !all[last+1].header {
			last++
		}
		out = append(out, block{e.path, t.lineStart(e.start), t.lineEnd(all[last].end)})
	}
	return out
}

func inTable(path, parent []string) bool {
	return len(path) >= len(parent) && slices.Equal(path[:len(parent)], parent)
}

func (t *tables) lineStart(at int) int { return bytes.LastIndexByte(t.text[:at], '\n') + 1 }

// lineEnd returns where the line after the one at an offset begins.
func (t *tables) lineEnd(at int) int {
	if i := bytes.IndexByte(t.text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(t.text)
}

func (t *tables) splice(start, end int, with string) {
	t.text = slices.Concat(t.text[:start], []byte(with), t.text[end:])
}

func (t *tables) newline() string {
	if bytes.Contains(t.text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

var errOtherForm = errors.New("it is written in a form that cannot be changed without touching the rest")

// replace puts a whole table in the place of the one at path, or at the end of the file.
func (t *tables) replace(entry object, path ...string) error {
	_, old, err := t.get(path...)
	if err != nil {
		return err
	}
	nl := t.newline()
	text := strings.ReplaceAll(renderTable(entry, path), "\n", nl)
	if old != nil {
		_, all, err := t.parse()
		if err != nil {
			return err
		}
		in := t.blocks(all, path)
		if len(in) == 0 {
			return errOtherForm
		}
		for _, b := range slices.Backward(in[1:]) {
			t.splice(b.start, b.end, "")
		}
		t.splice(in[0].start, in[0].end, text)
		return nil
	}
	if n := len(t.text); n > 0 {
		if t.text[n-1] != '\n' {
			text = nl + text
		}
		text = nl + text
	}
	t.splice(len(t.text), len(t.text), text)
	return nil
}

// remove takes out the table at path with the tables in it.
func (t *tables) remove(path ...string) error {
	_, old, err := t.get(path...)
	if err != nil || old == nil {
		return err
	}
	_, all, err := t.parse()
	if err != nil {
		return err
	}
	in := t.blocks(all, path)
	if len(in) == 0 {
		return errOtherForm
	}
	for _, b := range slices.Backward(in) {
		start := b.start
		if b.end == len(t.text) {
			// The empty line that sets the last table apart has lost its use.
			for _, blank := range []string{"\r\n", "\n"} {
				if before := string(t.text[:start]); strings.HasSuffix(before, "\n"+blank) {
					start -= len(blank)
					break
				}
			}
		}
		t.splice(start, b.end, "")
	}
	return nil
}

// set brings single keys of the table at path to new values, and takes out those that unset names.
func (t *tables) set(entry object, unset []string, path ...string) error {
	_, old, err := t.get(path...)
	if err != nil {
		return err
	}
	is, _ := old.(map[string]any)
	var fresh strings.Builder
	for _, m := range entry {
		want, err := decodedTOML(m.value)
		if err != nil {
			return err
		}
		switch value, there := is[m.name]; {
		case !there:
			fmt.Fprintf(&fresh, "%s = %s%s", m.name, tomlValue(m.value), t.newline())
		case !reflect.DeepEqual(value, want):
			e, err := t.find(path, m.name)
			if err != nil {
				return err
			}
			t.splice(e.start, e.end, m.name+" = "+tomlValue(m.value))
		}
	}
	for _, name := range unset {
		if _, there := is[name]; there {
			e, err := t.find(path, name)
			if err != nil {
				return err
			}
			t.splice(t.lineStart(e.start), t.lineEnd(e.end), "")
		}
	}
	if fresh.Len() == 0 {
		return nil
	}
	_, all, err := t.parse()
	if err != nil {
		return err
	}
	in := t.blocks(all, path)
	i := slices.IndexFunc(in, func(b block) bool { return slices.Equal(b.path, path) })
	if i < 0 {
		return errOtherForm
	}
	text := fresh.String()
	if at := in[i].end; at > 0 && t.text[at-1] != '\n' {
		text = t.newline() + text
	}
	t.splice(in[i].end, in[i].end, text)
	return nil
}

// find returns where a key of a table is written, as long as it stands in that table alone.
func (t *tables) find(path []string, name string) (expression, error) {
	_, all, err := t.parse()
	if err != nil {
		return expression{}, err
	}
	key := append(slices.Clone(path), name)
	i := slices.IndexFunc(all, func(e expression) bool { return slices.Equal(e.path, key) })
	if i < 0 || all[i].header || !t.underHeader(all[:i], path) {
		return expression{}, errOtherForm
	}
	return all[i], nil
}

func (t *tables) underHeader(before []expression, path []string) bool {
	for _, e := range slices.Backward(before) {
		if e.header {
			return slices.Equal(e.path, path)
		}
	}
	return false
}

func decodedTOML(value any) (any, error) {
	var out map[string]any
	err := toml.Unmarshal([]byte("x = "+tomlValue(value)), &out)
	return out["x"], err
}

// renderTable writes a table with its header.
func renderTable(entry object, path []string) string {
	var b strings.Builder
	var keys []string
	for _, name := range path {
		keys = append(keys, tomlKey(name))
	}
	fmt.Fprintf(&b, "[%s]\n", strings.Join(keys, "."))
	for _, m := range entry {
		fmt.Fprintf(&b, "%s = %s\n", tomlKey(m.name), tomlValue(m.value))
	}
	return b.String()
}

func tomlKey(name string) string {
	if name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" {
		return name
	}
	return quote(name)
}

// tomlValue writes a value on one line. JSON's strings are TOML's too, but for U+007F.
func tomlValue(v any) string {
	if o, ok := v.(object); ok {
		var items []string
		for _, m := range o {
			items = append(items, tomlKey(m.name)+" = "+tomlValue(m.value))
		}
		return "{ " + strings.Join(items, ", ") + " }"
	}
	return strings.ReplaceAll(style{}.render(v, ""), "\x7f", `\u007F`)
}
