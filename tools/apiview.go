package tools

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Replies of operations that no tool knows are shown without what models have
// no use for, and as much of them as fits.

// untold are members that lead elsewhere or repeat what LaunchDarkly's own pages need.
var untold = []string{"_links", "_access", "_site"}

// measure says how much of a value is shown.
type measure struct{ items, inner, members, depth, text int }

// measures go from all that is shown at best to the least.
var measures = []measure{
	{items: 1000, inner: 10, members: 1000, depth: 64, text: 100000}, {items: 20, inner: 10, members: 100, depth: 12, text: 4000}, {items: 10, inner: 5, members: 60, depth: 8, text: 2000},
	{items: 10, inner: 3, members: 40, depth: 5, text: 1000}, {items: 5, inner: 3, members: 30, depth: 4, text: 500}, {items: 5, inner: 2, members: 20, depth: 3, text: 300},
	{items: 3, inner: 1, members: 15, depth: 2, text: 200}, {items: 1, inner: 1, members: 10, depth: 2, text: 100},
}

// pruned is a value as it is shown.
type pruned struct {
	data  any
	cut   map[string]int // by JSON Pointer: how many there are where fewer are shown
	shown int            // of the main list
	whole int
}

const maxCut = 20 // pointers in one reply

// prune makes what is shown of a value. The main list is the value itself or its items.
func prune(v any, at string, m measure) pruned {
	p := pruned{cut: map[string]int{}}
	p.data = p.value(v, at, m, m.depth, true)
	return p
}

func (p *pruned) value(v any, at string, m measure, depth int, main bool) any {
	switch v := v.(type) {
	case []any:
		most := m.inner
		if main {
			most = m.items
			p.shown, p.whole = min(len(v), most), len(v)
		}
		if depth <= 0 && len(v) > 0 {
			return fmt.Sprintf("… a list of %d", len(v))
		}
		if len(v) > most {
			p.note(at, len(v))
		}
		out := []any{}
		for i, item := range v[:min(len(v), most)] {
			out = append(out, p.value(item, at+"/"+strconv.Itoa(i), m, depth-1, false))
		}
		return out
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		names = slices.DeleteFunc(names, func(name string) bool { return v[name] == nil || slices.Contains(untold, name) })
		if depth <= 0 && len(names) > 0 {
			return fmt.Sprintf("… an object of %d members", len(names))
		}
		if len(names) > m.members {
			p.note(at, len(names))
		}
		out := map[string]any{}
		for _, name := range names[:min(len(names), m.members)] {
			out[name] = p.value(v[name], at+"/"+escapePointer(name), m, depth-1, main && name == "items")
		}
		return out
	case string:
		if r := []rune(v); len(v) > m.text && len(r) > m.text {
			return fmt.Sprintf("%s… (%d characters)", string(r[:m.text]), len(r))
		}
	}
	return v
}

func (p *pruned) note(at string, n int) {
	if len(p.cut) < maxCut {
		p.cut[at] = n
	}
}

func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// pick follows a JSON Pointer into a value.
func pick(v any, pointer string) (any, error) {
	if pointer == "" || pointer == "/" {
		return v, nil
	}
	pointer = "/" + strings.Trim(pointer, "/")
	at := ""
	for part := range strings.SplitSeq(pointer[1:], "/") {
		name := strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch here := v.(type) {
		case map[string]any:
			inner, ok := here[name]
			if !ok {
				names := slices.DeleteFunc(slices.Sorted(maps.Keys(here)), func(n string) bool { return slices.Contains(untold, n) })
				return nil, badf("pointer: there is no %q in %s%s; there are %s", short(name, 60), cmp.Or(at, "the reply"), perhaps(name, names), listed(names[:min(len(names), 30)], len(names)))
			}
			v = inner
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(here) {
				return nil, badf("pointer: %s is a list of %d, and %q is no place in it", cmp.Or(at, "the reply"), len(here), short(name, 60))
			}
			v = here[i]
		default:
			return nil, badf("pointer: %s holds nothing further", cmp.Or(at, "the reply"))
		}
		at += "/" + part
	}
	return v, nil
}

// onlyFields keeps some members of an object, or of each object in a list.
func onlyFields(v any, fields []string) any {
	if len(fields) == 0 {
		return v
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = onlyFields(item, fields)
		}
		return out
	case map[string]any:
		if items, ok := v["items"].([]any); ok && !slices.Contains(fields, "items") {
			out := maps.Clone(v)
			out["items"] = onlyFields(items, fields)
			return out
		}
		out := map[string]any{}
		for _, name := range fields {
			if inner, ok := v[name]; ok {
				out[name] = inner
			}
		}
		return out
	}
	return v
}

// section is a part of a list.
func section(list []any, limit, offset int) any {
	from := min(offset, len(list))
	return list[from:min(from+limit, len(list))]
}

// more reports whether a page that was read at offset is followed by another one.
func more(page any, offset, items int) bool {
	m, _ := page.(map[string]any)
	links, _ := m["_links"].(map[string]any)
	if links["next"] != nil {
		return true
	}
	total, err := strconv.Atoi(fmt.Sprint(m["totalCount"]))
	return err == nil && items > 0 && offset+items < total
}
