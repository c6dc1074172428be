package main

import (
	"bytes"
	"errors"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/tailscale/hujson"
)

// edit is what happens to one entry of a client's file.
type edit struct {
	client *knownClient
	name   string
	entry  object // nil to take it out
	inputs []object
	url    string
}

// edited is a file's text after an edit, and the text of the entry before and after.
type edited struct {
	text    []byte
	was, is []byte
	foreign bool // the entry that was there starts something else
}

func (e edit) path() []string { return []string{e.client.top, e.name} }

// apply edits a text. All but the entry, and the question for its secret, says the same afterwards.
func (e edit) apply(text []byte) (edited, error) {
	apply, read := e.applyJSON, readJSON
	if e.client.format == "toml" {
		apply, read = e.applyTOML, readTOML
	}
	out, err := apply(text)
	if err != nil || bytes.Equal(out.text, text) {
		return out, err
	}
	before, err := read(text)
	if err != nil {
		return out, err
	}
	after, err := read(out.text)
	if err != nil || !reflect.DeepEqual(e.rest(before), e.rest(after)) {
		return out, errOtherForm
	}
	return out, nil
}

// rest is what an edit leaves alone.
func (e edit) rest(values map[string]any) map[string]any {
	values = maps.Clone(values)
	if servers, ok := values[e.client.top].(map[string]any); ok {
		servers = maps.Clone(servers)
		delete(servers, e.name)
		values[e.client.top] = servers
		if len(servers) == 0 {
			delete(values, e.client.top)
		}
	}
	if e.client.inputs {
		delete(values, "inputs")
	}
	return values
}

func readJSON(text []byte) (map[string]any, error) {
	d := newDocument(text)
	v, err := d.parse()
	if err != nil {
		return nil, err
	}
	value, err := decodeValue(v)
	out, _ := value.(map[string]any)
	return out, err
}

func readTOML(text []byte) (out map[string]any, err error) {
	err = toml.Unmarshal(text, &out)
	return out, err
}

// newDocument takes an empty file for an empty object.
func newDocument(text []byte) *document {
	text = bytes.TrimPrefix(text, byteOrderMark)
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}\n")
	}
	return &document{text}
}

func (e edit) applyJSON(text []byte) (edited, error) {
	d := newDocument(text)
	was, old, err := d.get(e.path()...)
	out := edited{was: slices.Clone(was)}
	if err != nil {
		return out, err
	}
	switch is, ours := old.(map[string]any); {
	case was == nil && e.entry == nil:
		out.text = text
		return out, nil
	case e.entry == nil:
		err = errors.Join(d.remove(e.path()...), e.removeInputs(d))
	case ours && e.ours(is):
		err = errors.Join(e.addInputs(d), e.update(d, is))
	default:
		err = errors.Join(e.addInputs(d), d.set(e.entry, e.path()...))
	}
	if err != nil {
		return out, err
	}
	out.is, _, err = d.get(e.path()...)
	out.foreign = was != nil && !e.ours(old) && !bytes.Equal(out.was, out.is)
	out.text = d.text
	if bytes.HasPrefix(text, byteOrderMark) {
		out.text = slices.Concat(byteOrderMark, d.text)
	}
	return out, err
}

// ours reports whether an entry starts ld-mcp, or has the address that is to be written.
func (e edit) ours(entry any) bool {
	m, _ := entry.(map[string]any)
	command := m["command"]
	if list, ok := command.([]any); ok && len(list) > 0 {
		command = list[0]
	}
	if s, ok := command.(string); ok {
		return strings.TrimSuffix(path.Base(strings.ReplaceAll(s, `\`, "/")), ".exe") == "ld-mcp"
	}
	return e.url != "" && (m["url"] == e.url || m["serverUrl"] == e.url)
}

// update brings the members that are ours to their new values, and leaves a user's own.
func (e edit) update(d *document, old map[string]any) error {
	at := func(names ...string) []string { return append(e.path(), names...) }
	var errs []error
	for _, m := range e.entry {
		was, there := old[m.name]
		group, isGroup := m.value.(object)
		wasGroup, _ := was.(map[string]any)
		switch {
		case there && slices.Contains(e.client.initial, m.name):
		case isGroup && wasGroup != nil:
			for _, v := range group {
				errs = append(errs, d.set(v.value, at(m.name, v.name)...))
			}
			for _, name := range slices.Sorted(maps.Keys(wasGroup)) {
				if _, wanted := group.get(name); !wanted && isCredential(name) {
					errs = append(errs, d.remove(at(m.name, name)...))
				}
			}
		default:
			errs = append(errs, d.set(m.value, at(m.name)...))
		}
	}
	mine := e.client.members(e.url != "")
	for _, name := range e.client.surplus(e.entry) {
		was, there := old[name]
		group, _ := was.(map[string]any)
		names := slices.Sorted(maps.Keys(group))
		switch {
		case !there:
		case slices.Contains(mine, name) && slices.ContainsFunc(names, isOther):
			for _, v := range names {
				if isCredential(v) {
					errs = append(errs, d.remove(at(name, v)...))
				}
			}
		default:
			errs = append(errs, d.remove(at(name)...))
		}
	}
	return errors.Join(errs...)
}

// isCredential reports whether a variable or header is how ld-mcp gets its token or key.
func isCredential(name string) bool {
	return name == "Authorization" || slices.Contains(tokenVariables, strings.TrimSuffix(name, "_FILE"))
}

func isOther(name string) bool { return !isCredential(name) }

func (e edit) addInputs(d *document) error {
	for _, input := range e.inputs {
		id, _ := input.get("id")
		_, is, err := d.get("inputs")
		if err != nil {
			return err
		}
		list, _ := is.([]any)
		if !slices.ContainsFunc(list, func(v any) bool { m, _ := v.(map[string]any); return m["id"] == id }) {
			if err := d.add(input, "inputs"); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeInputs takes out the questions that nothing refers to any more.
func (e edit) removeInputs(d *document) error {
	if !e.client.inputs {
		return nil
	}
	for _, id := range []string{inputID(e.name, "token"), inputID(e.name, "key")} {
		found, err := d.lookup([]string{"inputs"})
		if err != nil || len(found) < 2 || bytes.Contains(d.text, []byte("${input:"+id+"}")) {
			return err
		}
		list, ok := found[1].Value.(*hujson.Array)
		if !ok {
			return nil
		}
		for _, v := range list.Elements {
			is, err := decodeValue(v)
			if err != nil {
				return err
			}
			if m, _ := is.(map[string]any); m["id"] == id {
				d.cut(found[1], v)
				break
			}
		}
	}
	return nil
}

func inputID(name, what string) string { return strings.ReplaceAll(name, "-", "_") + "_" + what }

func (e edit) applyTOML(text []byte) (edited, error) {
	t := &tables{text}
	was, old, err := t.get(e.path()...)
	out := edited{was: slices.Clone(was), text: text}
	if err != nil || old == nil && e.entry == nil {
		return out, err
	}
	is, _ := old.(map[string]any)
	switch {
	case e.entry == nil:
		err = t.remove(e.path()...)
	case is != nil && e.ours(is):
		var entry object
		if entry, err = mergeTOML(e.entry, is, e.client.members(e.url != "")); err == nil {
			err = t.set(entry, e.client.surplus(entry), e.path()...)
		}
	default:
		err = t.replace(e.entry, e.path()...)
	}
	if err != nil {
		return out, err
	}
	out.is, _, err = t.get(e.path()...)
	out.foreign = old != nil && !e.ours(old) && !bytes.Equal(out.was, out.is)
	out.text = t.text
	return out, err
}

// mergeTOML adds a user's own variables and headers to an entry that can have them.
func mergeTOML(entry object, old map[string]any, members []string) (object, error) {
	out := slices.Clone(entry)
	put := func(name string, value any) {
		if i := slices.IndexFunc(out, func(m member) bool { return m.name == name }); i >= 0 {
			out[i].value = value
		} else {
			out = append(out, member{name, value})
		}
	}
	for _, name := range []string{"env", "http_headers"} {
		group, _ := old[name].(map[string]any)
		if !slices.Contains(members, name) {
			continue
		}
		var merged object
		for _, v := range slices.Sorted(maps.Keys(group)) {
			if isOther(v) {
				s, ok := group[v].(string)
				if !ok {
					return nil, errOtherForm
				}
				merged = append(merged, member{v, s})
			}
		}
		if wanted, _ := entry.get(name); len(merged) > 0 {
			more, _ := wanted.(object)
			put(name, append(merged, more...))
		}
	}
	if names, ok := old["env_vars"].([]any); ok && slices.Contains(members, "env_vars") {
		wanted, _ := entry.get("env_vars")
		more, _ := wanted.([]string)
		var merged []string
		for _, v := range names {
			if s, ok := v.(string); ok && (isOther(s) || slices.Contains(more, s)) {
				merged = append(merged, s)
			}
		}
		for _, s := range more {
			if !slices.Contains(merged, s) {
				merged = append(merged, s)
			}
		}
		if len(merged) > 0 {
			put("env_vars", merged)
		}
	}
	return out, nil
}
