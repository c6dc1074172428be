package ldclient

import (
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// MayHold reports whether the keys of a project and of an environment of it, in
// which * stands for anything, may mean something in scope. An environment of "" is none.
func (s Scope) MayHold(project, environment string) bool {
	return mayMeet(project, s.Projects) && (environment == "" || mayMeet(environment, s.Environments)) &&
		!slices.ContainsFunc(s.also, func(o Scope) bool { return !o.MayHold(project, environment) })
}

// mayMeet reports whether a pattern and one of the globs, or no glob, may match the same key.
func mayMeet(pattern string, globs []string) bool {
	if !strings.Contains(pattern, "*") {
		return MatchAny(globs, pattern)
	}
	before, _, _ := strings.Cut(pattern, "*")
	return len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool {
		i := strings.IndexAny(g, `*?[\`)
		if i < 0 {
			return policy.Glob(pattern, g)
		}
		return strings.HasPrefix(before, g[:i]) || strings.HasPrefix(g[:i], before)
	})
}
