package tools

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// aiChanges says what differs between two versions of a variation, for the person who is asked.
func aiChanges(before, after aiVariationView) []string {
	var out []string
	add := func(same bool, format string, args ...any) {
		if !same {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	named := func(s string) string {
		if s == "" {
			return "none"
		}
		return short(clean(s), 60)
	}
	add(before.Name == after.Name, "rename it to %s", named(after.Name))
	add(before.ModelConfigKey == after.ModelConfigKey, "model config %s instead of %s", named(after.ModelConfigKey), named(before.ModelConfigKey))
	add(before.ModelName == after.ModelName, "model %s instead of %s", named(after.ModelName), named(before.ModelName))
	add(sameParts(before.Parameters, after.Parameters), "parameters %s", changedParameters(before.Parameters, after.Parameters))
	add(before.Instructions == after.Instructions, "instructions %s", otherText(before.Instructions, after.Instructions))
	if !sameParts(before.Messages, after.Messages) {
		out = append(out, otherMessages(before.Messages, after.Messages))
	}
	add(sameParts(before.Tools, after.Tools), "tools %s", otherList(toolNames(before.Tools), toolNames(after.Tools)))
	add(sameParts(before.Judges, after.Judges), "judges %s", otherList(judgeNames(before.Judges), judgeNames(after.Judges)))
	return out
}

func toolNames(list []ldclient.AIToolUse) []string {
	return keysOf(list, func(t ldclient.AIToolUse) string { return fmt.Sprintf("%s version %d", t.Key, t.Version) })
}

func judgeNames(list []ldclient.AIJudge) []string {
	return keysOf(list, func(j ldclient.AIJudge) string { return fmt.Sprintf("%s for %.6g %%", j.Key, j.Rate*100) })
}

// otherList says what takes the place of what. Of long lists it says what comes and goes.
func otherList(was, is []string) string {
	if len(was) <= firstOf && len(is) <= firstOf {
		return orNone(is) + " instead of " + orNone(was)
	}
	added, gone := without(is, was), without(was, is)
	if len(added)+len(gone) == 0 {
		return "in another order"
	}
	return fmt.Sprintf("(%d instead of %d) with %s, without %s", len(is), len(was), orNone(added), orNone(gone))
}

// changedParameters says of each parameter that changes what it is and was.
func changedParameters(was, is map[string]any) string {
	text := func(in map[string]any, name string) string {
		if v, ok := in[name]; ok {
			return string(mustJSON(v))
		}
		return "none"
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(keysIn(was, is))) {
		if before, after := text(was, name), text(is, name); before != after {
			from, to := parting(clean(before), clean(after), 60)
			out = append(out, fmt.Sprintf("%s %s instead of %s", short(clean(name), 60), to, from))
		}
	}
	return keyList(out)
}

func keysIn(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, b)
	return out
}

const (
	quotedText = 120 // characters of a changed text that are put to a person
	leadingUp  = 20  // characters before these
	manyTexts  = 3
)

// otherText quotes two texts from where they part, so that what is new is seen wherever it is.
func otherText(was, is string) string {
	size := fmt.Sprintf("(%d characters instead of %d)", utf8.RuneCountInString(is), utf8.RuneCountInString(was))
	from, to := parting(clean(was), clean(is), quotedText)
	switch {
	case was == "":
		return fmt.Sprintf("%q %s", to, size)
	case from == to:
		return size + " that differ in what is not shown here, such as spaces and secrets"
	}
	return fmt.Sprintf("%q instead of %q %s", to, from, size)
}

// fromTo quotes two texts whole where they are short, else from where they part.
func fromTo(was, is string, most int) string {
	a, b := clean(was), clean(is)
	if a == b || utf8.RuneCountInString(a) > most || utf8.RuneCountInString(b) > most {
		return "to " + otherText(was, is)
	}
	return fmt.Sprintf("from %q to %q", a, b)
}

// parting cuts from two texts what both begin with, and of the rest all but the beginning.
func parting(was, is string, most int) (from, to string) {
	a, b := []rune(was), []rune(is)
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	lead := ""
	if n = max(0, n-leadingUp); n > 0 {
		lead = "…"
	}
	return lead + short(string(a[n:]), most), lead + short(string(b[n:]), most)
}

// otherMessages says which messages come, go and change.
func otherMessages(was, is []ldclient.AIMessage) string {
	var out []string
	for i := range max(len(was), len(is)) {
		switch at := fmt.Sprintf("message %d", i+1); {
		case i >= len(was):
			out = append(out, fmt.Sprintf("%s added (%s): %s", at, is[i].Role, otherText("", is[i].Content)))
		case i >= len(is):
			out = append(out, fmt.Sprintf("%s removed (%s): %q", at, short(clean(was[i].Role), 20), short(clean(was[i].Content), quotedText)))
		case was[i].Role != is[i].Role && was[i].Content == is[i].Content:
			out = append(out, fmt.Sprintf("%s as %s instead of %s", at, is[i].Role, short(clean(was[i].Role), 20)))
		case was[i] != is[i]:
			out = append(out, fmt.Sprintf("%s (%s) %s", at, is[i].Role, otherText(was[i].Content, is[i].Content)))
		}
	}
	if more := len(out) - manyTexts; more > 0 {
		out = append(out[:manyTexts:manyTexts], fmt.Sprintf("and %d more messages that differ", more))
	}
	return fmt.Sprintf("%d messages instead of %d: %s", len(is), len(was), strings.Join(out, ", "))
}
