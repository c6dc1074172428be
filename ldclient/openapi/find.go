package openapi

import (
	"fmt"
	"slices"
	"strings"
)

// Find returns the operation that is named by its id, or by method and path
// with parameters of any name in braces.
func (d *Document) Find(name string) (*Operation, error) {
	name = strings.TrimSpace(name)
	if method, path, ok := strings.Cut(name, " "); ok {
		return d.findPath(strings.ToUpper(method), strings.TrimSpace(path))
	}
	var same, folded []*Operation
	for _, op := range d.ops {
		switch {
		case op.ID == name:
			same = append(same, op)
		case strings.EqualFold(op.ID, name):
			folded = append(folded, op)
		}
	}
	if len(same) == 0 {
		same = folded
	}
	switch len(same) {
	case 0:
		return nil, fmt.Errorf("there is no operation %q%s", cut(name, 80), d.like(name))
	case 1:
		return same[0], nil
	}
	var names []string
	for _, op := range same[:min(len(same), 5)] {
		names = append(names, op.String())
	}
	return nil, fmt.Errorf("%d operations are called %s; name the one that is meant by its path: %s", len(same), cut(name, 80), strings.Join(names, ", "))
}

// Unique reports whether an operation's id is that of no other one.
func (d *Document) Unique(op *Operation) bool {
	return !slices.ContainsFunc(d.ops, func(o *Operation) bool { return o != op && strings.EqualFold(o.ID, op.ID) })
}

func (d *Document) findPath(method, path string) (*Operation, error) {
	if !strings.HasPrefix(path, Root+"/") && path != Root {
		path = Root + "/" + strings.TrimLeft(path, "/")
	}
	path = strings.TrimRight(path, "/")
	segs, ok := segments(path)
	if !ok {
		return nil, fmt.Errorf("%q is not a path of an operation; write it like GET /flags/{projectKey}, keys apart from it", cut(path, 80))
	}
	var others []string
	var filled *Operation
	for _, op := range d.ops {
		switch {
		case !samePath(op.segs, segs):
			if filled == nil && op.Method == method && matches(op.segs, segs) {
				filled = op
			}
		case op.Method == method:
			return op, nil
		default:
			others = append(others, op.Method)
		}
	}
	switch {
	case len(others) > 0:
		return nil, fmt.Errorf("%s has no %s; there are %s", strings.TrimPrefix(path, Root), cut(method, 20), strings.Join(others, ", "))
	case filled != nil:
		return nil, fmt.Errorf("%q holds values; write %s and give them in path", cut(path, 80), filled)
	}
	return nil, fmt.Errorf("there is no operation at %q; look for it with a few words", cut(strings.TrimPrefix(path, Root), 80))
}

func samePath(a, b []string) bool {
	return slices.EqualFunc(a, b, func(x, y string) bool {
		_, p := parameterOf(x)
		_, q := parameterOf(y)
		return p && q || x == y
	})
}

func matches(template, segs []string) bool {
	return slices.EqualFunc(template, segs, func(x, y string) bool {
		_, p := parameterOf(x)
		return p || x == y
	})
}
