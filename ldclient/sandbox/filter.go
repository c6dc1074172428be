package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// LaunchDarkly's lists have two filter grammars: field:value pairs joined by
// commas, and field operator value with and, or and parentheses.

// fieldFilter is one pair of the first grammar.
type fieldFilter struct{ field, value string }

func parseFields(s string) ([]fieldFilter, error) {
	if s == "" {
		return nil, nil
	}
	var out []fieldFilter
	for _, pair := range splitOutside(s, ',') {
		field, value, ok := strings.Cut(pair, ":")
		if !ok || field == "" {
			return nil, fmt.Errorf("invalid filter %q: expected field:value", pair)
		}
		out = append(out, fieldFilter{strings.TrimSpace(field), strings.TrimSpace(value)})
	}
	return out, nil
}

// splitOutside splits s at sep, but not within quotes, braces, brackets or parentheses.
func splitOutside(s string, sep byte) []string {
	var out []string
	depth, start, quoted, escaped := 0, 0, false, false
	for i := range len(s) {
		switch c := s[i]; {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.IndexByte("{[(", c) >= 0:
			depth++
		case strings.IndexByte("}])", c) >= 0:
			depth--
		case c == sep && depth == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// condition is one field operator value of the second grammar.
type condition struct {
	field, op string
	values    []string
}

// expression is a filter of the second grammar: all of its parts hold, each
// part when one of its alternatives does.
type expression struct {
	all  []expression
	any  []expression
	cond *condition
}

func parseExpression(s string) (expression, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return expression{}, nil
	}
	if parts := splitOutside(s, ','); len(parts) > 1 {
		all, err := parseExpressions(parts)
		return expression{all: all}, err
	}
	if parts := splitOutside(s, '|'); len(parts) > 1 {
		anyOf, err := parseExpressions(parts)
		return expression{any: anyOf}, err
	}
	if s[0] == '(' && s[len(s)-1] == ')' {
		return parseExpression(s[1 : len(s)-1])
	}
	words := slices.DeleteFunc(splitOutside(s, ' '), func(w string) bool { return w == "" })
	if len(words) < 3 {
		return expression{}, fmt.Errorf("invalid filter %q: expected field operator value", s)
	}
	values, err := conditionValues(strings.Join(words[2:], " "))
	if err != nil {
		return expression{}, err
	}
	field := words[0]
	if field[0] == '"' { // a field with blanks
		if err := json.Unmarshal([]byte(words[0]), &field); err != nil {
			return expression{}, fmt.Errorf("invalid filter field %s", words[0])
		}
	}
	return expression{cond: &condition{field: field, op: words[1], values: values}}, nil
}

func parseExpressions(parts []string) ([]expression, error) {
	var out []expression
	for _, p := range parts {
		e, err := parseExpression(p)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func conditionValues(s string) ([]string, error) {
	switch s[0] {
	case '[':
		var list []any
		if err := json.Unmarshal([]byte(s), &list); err != nil {
			return nil, fmt.Errorf("invalid filter list %q", s)
		}
		out := make([]string, len(list))
		for i, v := range list {
			out[i] = fmt.Sprint(v)
		}
		return out, nil
	case '"':
		var v string
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			return nil, fmt.Errorf("invalid filter value %q", s)
		}
		return []string{v}, nil
	}
	return []string{s}, nil
}

// match tells whether the expression holds, given what holds for one condition.
func (e expression) match(holds func(condition) (bool, error)) (bool, error) {
	if e.cond != nil {
		return holds(*e.cond)
	}
	for _, part := range e.all {
		if ok, err := part.match(holds); err != nil || !ok {
			return false, err
		}
	}
	for _, part := range e.any {
		if ok, err := part.match(holds); err != nil || ok {
			return ok, err
		}
	}
	return len(e.any) == 0, nil
}

// compare applies one of the text operators of the second grammar.
func (c condition) compare(have string) (bool, error) {
	switch c.op {
	case "equals", "anyOf":
		return slices.Contains(c.values, have), nil
	case "notEquals":
		return !slices.Contains(c.values, have), nil
	case "startsWith":
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.HasPrefix(have, v) }), nil
	case "contains":
		return slices.ContainsFunc(c.values, func(v string) bool { return containsFold(have, v) }), nil
	}
	return false, fmt.Errorf("invalid filter operator %q for field %s", c.op, c.field)
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
