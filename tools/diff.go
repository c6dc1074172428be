package tools

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// fieldDiff is one difference between an entity before and after a change.
type fieldDiff struct {
	Field  string `json:"field"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// leaveOut deletes from an entity what belongs to environments out of scope, and reports whether there was any.
func leaveOut(scope ldclient.Scope, entity any) bool {
	m, _ := entity.(map[string]any)
	envs, _ := m["environments"].(map[string]any)
	had := len(envs)
	maps.DeleteFunc(envs, func(key string, _ any) bool { return !scope.AllowsEnvironment(key) })
	return len(envs) < had
}

// unseen are fields of an entity that change with every edit, or that hold secrets.
var unseen = []string{"_links", "_access", "_site", "_summary", "_environmentName", "_version", "version", "lastModified", "lastModifiedDate", "sel", "salt", "generation",
	"apiKey", "mobileKey", "token", "triggerURL", "fullKey", "config"}

func isUnseen(name string) bool {
	return strings.Contains(fold(name), "secret") || slices.ContainsFunc(unseen, func(u string) bool { return fold(u) == fold(name) })
}

// decoded is raw as plain data, numbers as they were written; nil where there is none.
func decoded(raw json.RawMessage) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// diff lists the leaves in which two entities differ. Objects in a list that carry ids are matched by id.
func diff(at string, before, after any) []fieldDiff {
	if reflect.DeepEqual(before, after) {
		return nil
	}
	b, bok := before.(map[string]any)
	a, aok := after.(map[string]any)
	if !bok && !aok {
		b, bok = byID(before)
		a, aok = byID(after)
		if was, is := ids(before), ids(after); len(was) > 1 && !slices.Equal(was, is) && slices.Equal(slices.Sorted(slices.Values(was)), slices.Sorted(slices.Values(is))) {
			return append([]fieldDiff{{at + " (order)", was, is}}, diff(at, b, a)...)
		}
	}
	if bok && aok || bok && after == nil && at == "" || aok && before == nil && at == "" {
		var out []fieldDiff
		for _, k := range keysOfBoth(b, a) {
			if !isUnseen(k) {
				out = append(out, diff(strings.TrimPrefix(at+"."+k, "."), b[k], a[k])...)
			}
		}
		return out
	}
	return []fieldDiff{{at, briefly(before), briefly(after)}}
}

func keysOfBoth[V any](a, b map[string]V) []string {
	var out []string
	for _, m := range []map[string]V{a, b} {
		out = slices.AppendSeq(out, maps.Keys(m))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// byID turns a list of objects with ids into a map, so that a rule that moved is not shown as changed throughout.
func byID(v any) (map[string]any, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, v == nil
	}
	out := map[string]any{}
	for _, item := range list {
		m, _ := item.(map[string]any)
		id, ok := m["_id"].(string)
		if !ok {
			return nil, false
		}
		out["["+id+"]"] = m
	}
	return out, true
}

// ids lists the ids of the objects in a list, in order.
func ids(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		m, _ := item.(map[string]any)
		if id, ok := m["_id"].(string); ok {
			out = append(out, id)
		}
	}
	return out
}

// briefly keeps a value of a diff short.
func briefly(v any) any {
	switch v := v.(type) {
	case nil, bool, json.Number:
		return v
	case string:
		return short(v, 300)
	}
	scrubbed := scrub(v)
	b, err := json.Marshal(scrubbed)
	if err != nil || len(b) <= 600 {
		return scrubbed
	}
	return short(string(b), 600)
}

// scrub removes the fields that no diff shows, at any depth.
func scrub(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, inner := range v {
			if !isUnseen(k) {
				out[k] = scrub(inner)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = scrub(v[i])
		}
		return out
	}
	return v
}
