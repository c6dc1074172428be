package tools

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
)

// refusedOperation says why write-api does not make a call, and by which name
// the operator may allow it, "" where nobody may.
type refusedOperation struct {
	why, name string
}

// secretFamilies are words in paths of operations that make secrets, hand them out or take those of other services.
var secretFamilies = []string{"tokens", "apikey", "mobilekey", "sdkkeys", "oauth", "reset", "secret", "secrets", "credentials",
	"generatewarehousedestinationkeypair", "keypair", "generatetrustpolicy"}

// refuses says why an operation is not called, as far as that does not depend on what it is given.
func (s *Server) refuses(doc *openapi.Document, op *openapi.Operation, allow []string) refusedOperation {
	last := lastLiteral(op)
	r := refusedOperation{name: op.ID}
	names, served := s.toolsFor(op)
	switch {
	case last == "reviews" && !s.opts.AllowReview:
		return refusedOperation{why: "reviewing is for people, and whoever runs this server has not allowed it"}
	case len(names) > 0 && !served && s.leftOut(names):
		r.why = "whoever runs this server left out " + listed(names, len(names)) + ", which would do this"
	case len(names) > 0 && !beyondTools(op):
		r.why = "use " + oneOf(names) + " instead, which checks more"
		if !served {
			r.why = oneOf(names) + " does this, and is not served here"
		}
	case op.Is("DELETE"):
		r.why = "it deletes"
	case last == "settings" && op.Segments()[0] == "approval-requests":
		r.why = "it decides which changes need an approval"
	case slices.ContainsFunc(op.Segments(), func(seg string) bool { return slices.Contains(secretFamilies, foldedWord(seg)) }):
		r.why = "it is about secrets"
	case op.Reveals && !op.Is("PATCH"):
		r.why = "its answer holds a secret"
	case ldclient.HoldsThirdParty(op) && !op.Is("PATCH"):
		r.why = "it takes secrets of another service"
	case op.Is("POST") && (last == "relay-auto-configs" || last == "triggers" || last == "webhooks"):
		r.why = "its answer holds a secret"
	default:
		return refusedOperation{}
	}
	if listsOperation(allow, doc, op, op.ID) {
		return refusedOperation{}
	}
	return r
}

// leftOut reports whether the operator left out all of some tools by name.
func (s *Server) leftOut(names []string) bool {
	return len(s.opts.ExcludeTools) > 0 && !slices.ContainsFunc(names, func(name string) bool { return !ldclient.MatchAny(s.opts.ExcludeTools, name) })
}

// refusesCall says why a call is not made, for what it is given too.
func (s *Server) refusesCall(doc *openapi.Document, k ldclient.APICall, allow []string) refusedOperation {
	if r := s.refuses(doc, k.Op, allow); r.why != "" {
		return r
	}
	for _, kind := range instructionKinds(k.Body) {
		if why := dangerousKind(kind); why != "" && !listsOperation(allow, nil, nil, kind) {
			return refusedOperation{fmt.Sprintf("its instruction %s %s", short(clean(kind), 60), why), kind}
		}
	}
	if at := takesSecret(k.Body, ldclient.HoldsThirdParty(k.Op)); at != "" && !listsOperation(allow, doc, k.Op, k.Op.ID) {
		return refusedOperation{fmt.Sprintf("%s in the body is a secret", short(clean(at), 60)), k.Op.ID}
	}
	return refusedOperation{}
}

// onlyListed reports whether a call is made for the operator's list alone.
func (s *Server) onlyListed(doc *openapi.Document, k ldclient.APICall) bool {
	return s.refusesCall(doc, k, nil).why != ""
}

// listsOperation reports whether the operator's list has a name. An id that a
// document gives to several operations is none to rely on.
func listsOperation(allow []string, doc *openapi.Document, op *openapi.Operation, name string) bool {
	if doc != nil && !doc.Unique(op) {
		return false
	}
	return slices.ContainsFunc(allow, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return ok && err == nil
	})
}

// says is what a caller is told of a refusal.
func (r refusedOperation) says(op *openapi.Operation) error {
	allow := ""
	if r.name != "" {
		allow = fmt.Sprintf(" Whoever runs this server may allow %s with --allow-operations.", clean(r.name))
	}
	return refuse("write-api does not call %s: %s.%s", op, r.why, allow)
}

// beyondTools are the parts of the API of which our tools do a part, and where nothing but the frame's guard is asked for.
func beyondTools(op *openapi.Operation) bool {
	if op.Is("DELETE") {
		return false
	}
	return slices.ContainsFunc(op.Segments(), func(seg string) bool {
		return slices.Contains([]string{"metrics", "metric-groups", "views", "ai-tools", "prompt-snippets", "model-configs", "agent-graphs",
			"flag-links", "applications", "followers", "members", "teams", "roles", "code-refs", "engineering-insights"}, seg)
	})
}

func lastLiteral(op *openapi.Operation) string {
	for _, seg := range slices.Backward(op.Segments()) {
		if _, isName := op.Parameter(seg); !isName {
			return seg
		}
	}
	return ""
}

// foldedWord makes words alike that a server may take for the same.
func foldedWord(s string) string {
	return strings.Map(func(r rune) rune {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return -1
		}
		return r
	}, strings.ToLower(strings.ToUpper(s)))
}

// instructionKinds are the kinds of all that may be an instruction in a body, at
// any depth and in any spelling that a server may take for kind.
func instructionKinds(v any) []string {
	var out []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			out = append(out, instructionKinds(item)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if kind, ok := v[name].(string); ok && foldedWord(name) == "kind" {
				out = append(out, kind)
			}
			out = append(out, instructionKinds(v[name])...)
		}
	}
	return out
}

// dangerousKind says what kinds of instructions do that are refused inside of any body.
func dangerousKind(kind string) string {
	kind = foldedWord(kind)
	switch {
	case strings.HasPrefix(kind, "delete"):
		return "deletes"
	case strings.HasPrefix(kind, "cycle") || strings.HasPrefix(kind, "reset") || strings.HasPrefix(kind, "rotate"),
		strings.Contains(kind, "secret"), strings.Contains(kind, "apikey"), strings.Contains(kind, "sdkkey"), strings.Contains(kind, "mobilekey"):
		return "makes a secret"
	}
	return ""
}

// takesSecret finds a secret that a body would set: a field, or the path of a
// step of a JSON Patch, which with config may lead to settings as well. "" where there is none.
func takesSecret(v any, config bool) string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if at := takesSecret(item, config); at != "" {
				return at
			}
		}
	case map[string]any:
		_, isPatch := member(v, "op")
		for _, name := range slices.Sorted(maps.Keys(v)) {
			inner := v[name]
			text, isText := inner.(string)
			switch {
			case isPatch && isText && (foldedWord(name) == "path" || foldedWord(name) == "from") && secretPointer(text, config):
				return upTo(text, 60)
			case isText && text != "" && ldclient.SecretName(name), config && ldclient.ConfigName(name) && inner != nil:
				return name
			}
			if list, ok := inner.([]any); ok && len(list) > 0 && ldclient.SecretName(name) {
				return name
			}
			if at := takesSecret(inner, config); at != "" {
				return at
			}
		}
	}
	return ""
}

func member(m map[string]any, name string) (any, bool) {
	for given, v := range m {
		if foldedWord(given) == name {
			return v, true
		}
	}
	return nil, false
}

func upTo(s string, n int) string {
	if s == "" {
		return "the whole"
	}
	return short(s, n)
}

// secretPointer reports whether a JSON Pointer leads to a secret, or to all there is and so to secrets too.
func secretPointer(pointer string, config bool) bool {
	if strings.Trim(pointer, "/") == "" || ldclient.SecretPath(pointer) {
		return true
	}
	return config && slices.ContainsFunc(strings.Split(pointer, "/"), ldclient.ConfigName)
}
