// Package faults collects what is wrong with a JSON value: the first mistakes
// in words that name the place, the others counted.
package faults

import (
	"encoding/json"
	"fmt"
	"strings"
)

// List is what was found so far, and where in the value the check is.
type List struct {
	Says []string
	More int
	Show func(name string) string // makes a name that the caller made up fit for a sentence
	at   []Step
}

// Step leads to a property of an object, or to an item of an array.
type Step struct {
	name string
	item int // -1 for a property
}

// Property leads to a property of an object.
func Property(name string) Step { return Step{name, -1} }

// Item leads to an item of an array.
func Item(i int) Step { return Step{"", i} }

const most = 20 // mistakes told in one reply

// Enough counts a mistake without words where there are words of enough others.
func (l *List) Enough() bool {
	if len(l.Says) < most {
		return false
	}
	l.More++
	return true
}

// Say notes a mistake at the place where the check is.
func (l *List) Say(format string, args ...any) {
	if l.Enough() {
		return
	}
	text := fmt.Sprintf(format, args...)
	if at := l.Where(); at != "" {
		text = at + ": " + text
	}
	l.Says = append(l.Says, text)
}

// Where names the place where the check is, "" for the whole.
func (l *List) Where() string {
	var b strings.Builder
	for i, s := range l.at {
		name := s.name
		if l.Show != nil {
			name = l.Show(name)
		}
		switch {
		case s.item >= 0:
			fmt.Fprintf(&b, "[%d]", s.item)
		case i > 0:
			b.WriteString("." + name)
		default:
			b.WriteString(name)
		}
	}
	return b.String()
}

// Into does a check one step further.
func (l *List) Into(to Step, check func()) {
	l.at = append(l.at, to)
	check()
	l.at = l.at[:len(l.at)-1]
}

// Depth is how many steps the check is away from the whole.
func (l *List) Depth() int { return len(l.at) }

// Text is all that was found in one sentence, "" where nothing was.
func (l *List) Text() string {
	text := strings.Join(l.Says, "; ")
	if l.More > 0 {
		text += fmt.Sprintf("; and %d more mistakes", l.More)
	}
	return text
}

// TypeOf is what JSON calls the type of a decoded value.
func TypeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "value that is not JSON"
}

// Article names a JSON type as people do.
func Article(jsonType string) string {
	switch jsonType {
	case "boolean":
		return "true or false"
	case "integer":
		return "a whole number"
	case "array", "object":
		return "an " + jsonType
	case "null":
		return jsonType
	}
	return "a " + jsonType
}
