package tools

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
)

// apicovered.txt holds a line for each operation that a tool of ours makes by
// itself: method, path with {} for parameters, and the tools. It is written by go
// test -update from the requests that the tools send.
//
//go:embed apicovered.txt
var coveredText string

var covered = sync.OnceValue(func() map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(coveredText) {
		if f := strings.Fields(line); len(f) > 2 {
			out[f[0]+" "+f[1]] = f[2:]
		}
	}
	for twin, name := range twins {
		out[twin] = append(out[twin], name)
	}
	return out
})

// twins are other ways to do what a tool does.
var twins = map[string]string{
	"POST /approval-requests": "create-approval-request",
	"POST /projects/{}/flags/{}/environments/{}/approval-requests-flag-copy":  "create-approval-request",
	"POST /projects/{}/flags/{}/environments/{}/approval-requests/{}/apply":   "apply-approval-request",
	"POST /projects/{}/flags/{}/environments/{}/approval-requests/{}/reviews": "review-approval-request",
	"PATCH /flags/{}/{}/expiring-user-targets/{}":                             "manage-expiring-targets",
	"PATCH /users/{}/{}/expiring-user-targets/{}":                             "manage-expiring-targets",
	"PATCH /segments/{}/{}/expiring-user-targets/{}":                          "manage-segment-expiring-targets",
	"PUT /projects/{}/environments/{}/contexts/{}/{}/flags/{}":                "update-individual-targets",
	"PUT /users/{}/{}/{}/flags/{}":                                            "update-individual-targets",
}

// shapeOfPath is an operation's method and path with {} for parameters.
func shapeOfPath(op *openapi.Operation) string {
	var b strings.Builder
	for _, seg := range op.Segments() {
		if _, isName := op.Parameter(seg); isName {
			seg = "{}"
		}
		b.WriteString("/" + seg)
	}
	return op.Method + " " + b.String()
}

// toolsFor names the tools that do what an operation does, and whether they are served here.
func (s *Server) toolsFor(op *openapi.Operation) (names []string, served bool) {
	all := covered()[shapeOfPath(op)]
	for _, name := range all {
		if s.serves(name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return names, true
	}
	return all, false
}

// instead says what to call an operation with.
func (c *call) instead(op *openapi.Operation, otherwise string) string {
	if names, served := c.srv.toolsFor(op); served {
		return "use " + oneOf(names)
	}
	return "call it with " + otherwise
}

// oneOf names some tools of which one fits.
func oneOf(names []string) string {
	const most = 8
	if len(names) == 1 {
		return names[0]
	}
	return "one of " + listed(names[:min(len(names), most)], len(names))
}
