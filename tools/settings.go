package tools

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// What projects and environments have in common: settings that LaunchDarkly
// changes by JSON Patch, which takes no comment.

// edits collects the steps of a JSON Patch, and words for the person who confirms.
type edits struct {
	steps []ldclient.Operation
	says  []string
}

func (e *edits) set(path string, value any, format string, args ...any) {
	e.steps = append(e.steps, ldclient.Replace(path, value))
	e.says = append(e.says, fmt.Sprintf(format, args...))
}

// protection sets something that keeps people safe; that it would be off is called out.
func (e *edits) protection(name string, was *bool, want *bool, without string) {
	is := orElse(want, *was)
	switch {
	case is == *was:
		return
	case is:
		e.set("/"+name, is, "turn %s on", name)
	default:
		e.set("/"+name, is, "turn the protection %s OFF, so that %s", name, without)
	}
	*was = is
}

func (e *edits) nameAndTags(name, newName *string, tags, newTags *[]string) error {
	if newName != nil && *newName != *name {
		if clean(*newName) == "" {
			return badf("name: must not be empty")
		}
		e.set("/name", *newName, "rename it from %s to %s", short(clean(*name), 100), short(clean(*newName), 100))
		*name = *newName
	}
	if newTags == nil {
		return nil
	}
	want, err := checkedTags(*newTags)
	if err != nil {
		return err
	}
	had := *tags
	if slices.Equal(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(had))) {
		return nil
	}
	if len(had) > 0 { // or else a tag that somebody adds meanwhile would be lost
		e.steps = append(e.steps, ldclient.Expect("/tags", had))
	}
	e.set("/tags", want, "change the tags from %s to %s", orNone(had), orNone(want))
	*tags = want
	return nil
}

// orElse is what a call gave, or what holds otherwise.
func orElse[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

// intent is a plan's, for what was read as before.
func (e *edits) intent(what string, before any, why because) intent {
	out := intent{Says: "change " + what + ": " + strings.Join(e.says, "; "), Version: "settings " + digest(before), Notes: uncommented(why), Again: true}
	if len(e.steps) == 0 {
		out.Nothing, out.Notes = what+" is so already", nil
	}
	return out
}

// uncommented warns that a comment goes nowhere but into this server's own records.
func uncommented(why because) []string {
	if clean(why.Comment) == "" {
		return nil
	}
	return []string{"LaunchDarkly's audit log takes no comment for this kind of change"}
}

var (
	plainKey = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$`)
	hexColor = pattern.Of(`^[0-9a-fA-F]{6}$`)
)

// checkedSettings checks what every new project and environment has, and returns the tags.
func checkedSettings(key, name string, tags []string) ([]string, error) {
	if !plainKey().MatchString(key) {
		return nil, badf("key: must begin with a letter or digit and hold at most 100 letters, digits, \".\", \"_\" and \"-\", got %q", short(key, 100))
	}
	if clean(name) == "" {
		return nil, badf("name: must not be empty")
	}
	return checkedTags(tags)
}

// checkedTags drops repeated tags; LaunchDarkly does not tell upper from lower case in them.
func checkedTags(tags []string) ([]string, error) {
	out := []string{}
	for _, t := range tags {
		if !validTag().MatchString(t) {
			return nil, badf("tags: %q must be 1 to 64 letters, digits, \".\", \"_\" and \"-\"", short(t, 100))
		}
		if !slices.ContainsFunc(out, func(have string) bool { return strings.EqualFold(have, t) }) {
			out = append(out, t)
		}
	}
	return out, nil
}

func checkedColor(s string) (string, error) {
	if color := strings.TrimPrefix(s, "#"); hexColor().MatchString(color) {
		return color, nil
	}
	return "", badf("color: must be six hexadecimal digits such as 417505, got %q", short(s, 40))
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return keyList(list)
}
