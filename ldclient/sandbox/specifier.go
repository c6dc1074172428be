package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// specifier is a parsed resource specifier, such as proj/shop:env/*:flag/ops_*;web.
type specifier struct {
	everything bool // the bare *
	parts      []specifierPart
}

type specifierPart struct {
	kind, name string
	filters    []string // tags or {property:value}; all must hold
}

func parseSpecifier(s string) (specifier, error) {
	if s == "*" {
		return specifier{everything: true}, nil
	}
	var out specifier
	for _, text := range splitOutside(s, ':') {
		text, filters, tagged := strings.Cut(strings.TrimPrefix(text, "/"), ";")
		kind, name, named := strings.Cut(text, "/")
		nameless := kind == "acct"
		if kind == "" || named == nameless || named && name == "" || strings.Contains(kind, "*") {
			return out, fmt.Errorf("error parsing resource specifier %q", s)
		}
		part := specifierPart{kind: kind, name: name}
		if tagged {
			part.filters = strings.Split(filters, ",")
		}
		out.parts = append(out.parts, part)
	}
	return out, nil
}

// kind is what the specifier names, such as proj:env:flag.
func (s specifier) kind() string {
	kinds := make([]string, len(s.parts))
	for i, p := range s.parts {
		kinds[i] = p.kind
	}
	return strings.Join(kinds, ":")
}

// matches tells whether the specifier covers a resource. A name of * in the
// resource stands for a change to all of them, so every name covers it.
func (s specifier) matches(a *Account, resource specifier) bool {
	if s.everything {
		return true
	}
	if s.kind() != resource.kind() {
		return false
	}
	for i, p := range s.parts {
		have := resource.parts[i]
		if have.name != "*" && !glob(p.name, have.name) {
			return false
		}
		for _, f := range p.filters {
			if !a.hasProperty(resource.parts[:i+1], f) {
				return false
			}
		}
	}
	return true
}

// hasProperty tells whether the resource that the parts name now has a tag or property.
func (a *Account) hasProperty(parts []specifierPart, filter string) bool {
	var tags []string
	critical := false
	p := a.findProject(parts[0].name)
	if p == nil {
		return false
	}
	switch last := parts[len(parts)-1]; last.kind {
	case "proj":
		tags = p.Tags
	case "env":
		if e := p.env(last.name); e != nil {
			tags, critical = e.Tags, e.Critical
		}
	case "flag":
		if i := slices.IndexFunc(p.Flags, func(f *flag) bool { return f.Key == last.name }); i >= 0 {
			tags = p.Flags[i].Tags
		}
	case "segment":
		if e := p.env(parts[1].name); e != nil {
			if i := slices.IndexFunc(e.Segments, func(s *segment) bool { return s.Key == last.name }); i >= 0 {
				tags = e.Segments[i].Tags
			}
		}
	}
	if inner, ok := strings.CutPrefix(filter, "{"); ok {
		return inner == "critical:"+strconv.FormatBool(critical)+"}"
	}
	return slices.ContainsFunc(tags, func(t string) bool { return glob(filter, t) })
}

// glob matches s against a pattern in which * stands for any run of characters.
func glob(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for i := range len(s) + 1 {
		if glob(rest, s[i:]) {
			return true
		}
	}
	return false
}

// statement is one statement of LaunchDarkly's policy language.
type statement struct {
	Effect       string   `json:"effect"`
	Resources    []string `json:"resources,omitempty"`
	NotResources []string `json:"notResources,omitempty"`
	Actions      []string `json:"actions,omitempty"`
	NotActions   []string `json:"notActions,omitempty"`

	parsed []specifier
}

type policy []statement

func (p policy) parse() error {
	for i := range p {
		s := &p[i]
		if s.Effect != "allow" && s.Effect != "deny" {
			return fmt.Errorf("invalid effect %q: expected allow or deny", s.Effect)
		}
		if (len(s.Resources) == 0) == (len(s.NotResources) == 0) {
			return errors.New("a statement must have either resources or notResources")
		}
		if (len(s.Actions) == 0) == (len(s.NotActions) == 0) {
			return errors.New("a statement must have either actions or notActions")
		}
		for _, text := range slices.Concat(s.Resources, s.NotResources) {
			spec, err := parseSpecifier(text)
			if err != nil {
				return err
			}
			if len(s.parsed) > 0 && spec.kind() != s.parsed[0].kind() {
				return errors.New("resource specifiers in a single statement must represent the same kind of resource")
			}
			s.parsed = append(s.parsed, spec)
		}
	}
	return nil
}

// allows tells whether a parsed policy allows an action on a resource.
func (p policy) allows(a *Account, action string, resource specifier) bool {
	allowed := false
	for _, s := range p {
		if !s.covers(a, action, resource) {
			continue
		}
		if s.Effect == "deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func (s statement) covers(a *Account, action string, resource specifier) bool {
	matchesAction := func(pattern string) bool { return glob(pattern, action) }
	if s.Actions != nil && !slices.ContainsFunc(s.Actions, matchesAction) || slices.ContainsFunc(s.NotActions, matchesAction) {
		return false
	}
	named := slices.ContainsFunc(s.parsed, func(spec specifier) bool { return spec.matches(a, resource) })
	if len(s.NotResources) == 0 {
		return named
	}
	return !named && s.parsed[0].kind() == resource.kind()
}
