// Package pattern holds regular expressions that cost nothing until they are used: an MCP client waits for the
// program to start, and most calls need none.
package pattern

import (
	"regexp"
	"sync"
)

// Of returns a regular expression that is compiled when it is first asked for. It panics then if text is none.
func Of(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
