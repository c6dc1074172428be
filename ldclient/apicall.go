package ldclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
)

// APICall is a call of one operation, as it was checked against the document.
type APICall struct {
	Op       *openapi.Operation
	Path     map[string]string
	Query    url.Values
	Body     any  // as decoded from JSON, nil for none
	Semantic bool // the body is a semantic patch
	DryRun   bool // LaunchDarkly validates and answers, and nothing is written; only where CanDryRun says so
}

// APIReply is what came back.
type APIReply struct {
	Value  any  // nil for an answer without a body
	Masked bool // some of it was a secret
	Cut    bool // some of it lies outside the client's scope
}

// readingPosts are the operations that only read, although they are POSTs.
var readingPosts = [][]string{
	{"auditlog"},
	{"auditlog", "counts"},
	{"projects", "", "environments", "", "contexts", "search"},
	{"projects", "", "environments", "", "context-instances", "search"},
	{"projects", "", "environments", "", "flags", "evaluate"},
	{"projects", "", "environments", "", "segments", "evaluate"},
	{"projects", "", "flags", "", "environments", "", "migration-safety-issues"},
}

// Writes reports whether an operation changes anything. What is not known to read writes.
func (*APIService) Writes(op *openapi.Operation) bool {
	switch op.Method {
	case http.MethodGet, http.MethodHead:
		return false
	case http.MethodPost:
		return !slices.ContainsFunc(readingPosts, func(p []string) bool { return pathIs(op, p...) })
	}
	return true
}

// CanDryRun reports whether LaunchDarkly itself can try a change out. What a
// document says of others is not relied on: it would be the change itself.
func (*APIService) CanDryRun(op *openapi.Operation) bool {
	known := op.Is("PATCH") && (pathIs(op, "flags", "", "") || pathIs(op, "segments", "", "", "")) ||
		op.Is("POST") && pathIs(op, "projects", "", "flags", "", "environments", "", "workflows")
	return known && slices.ContainsFunc(op.Parameters, func(p openapi.Parameter) bool { return p.In == "query" && p.Name == "dryRun" })
}

// pathIs compares an operation's path with segments, of which an empty one stands for a parameter.
func pathIs(op *openapi.Operation, segs ...string) bool {
	return slices.EqualFunc(op.Segments(), segs, func(have, want string) bool {
		_, free := op.Parameter(have)
		return free && want == "" || !free && have == want
	})
}

// Call makes a call, and returns the reply without secrets and without what
// lies outside the client's scope.
func (s *APIService) Call(ctx context.Context, k APICall) (*APIReply, error) {
	at, also, err := s.Targets(k)
	if err != nil {
		return nil, err
	}
	writes := s.Writes(k.Op) && !k.DryRun
	if k.DryRun && !s.CanDryRun(k.Op) {
		return nil, &InvalidError{Message: "LaunchDarkly has no dry run of " + k.Op.String()}
	}
	for _, t := range also {
		if err := s.c.cfg.Scope.Check(t, writes); err != nil {
			return nil, err
		}
	}
	if err := s.outside(k, at, also); err != nil {
		return nil, err
	}
	query := url.Values{}
	for name, values := range k.Query {
		query[name] = values
	}
	if k.DryRun {
		query.Set("dryRun", "true")
	} else if writes {
		query.Del("dryRun")
	}
	do := call{method: k.Op.Method, at: at, path: s.path(k), query: query, beta: k.Op.Beta, writes: writes}
	if k.Body != nil {
		do.body, do.contentType = k.Body, jsonType
		if k.Semantic {
			do.contentType = semanticPatch
		}
	}
	var got anyReply
	if err := s.c.carryOut(ctx, do, &got); err != nil {
		return nil, err
	}
	out := &APIReply{Value: got.value}
	out.Value, out.Cut = s.c.cfg.Scope.cutReply(k.Op, out.Value)
	out.Value, out.Masked = MaskSecrets(out.Value, k.holdsSecrets())
	return out, nil
}

// freeNames are parameters that may hold any text. All others are keys and ids.
var freeNames = []string{"contextKey", "userKey", "attributeName", "branch", "repo", "repositoryKey", "versionKey"}

func (s *APIService) path(k APICall) apiPath {
	var segs []any
	for _, seg := range k.Op.Segments() {
		name, isName := k.Op.Parameter(seg)
		value := k.Path[name]
		switch {
		case !isName:
			segs = append(segs, seg)
		case slices.Contains(freeNames, name) || name == "key" && slices.Contains(k.Op.Segments(), "contexts"):
			if climbs(value) {
				return apiPath{err: &InvalidError{Message: fmt.Sprintf("%s: %q could be taken for the path of something else", name, cut(value, 80))}}
			}
			segs = append(segs, free(value))
		default:
			segs = append(segs, value)
		}
	}
	return path(segs...)
}

// climbs reports whether something between LaunchDarkly and here that decodes paths could take a value for a path that leads elsewhere.
func climbs(value string) bool {
	low := strings.ToLower(value)
	if strings.Contains(low, "%2e") || strings.Contains(low, "%2f") || strings.Contains(low, "%5c") || strings.Contains(low, "%25") {
		return true
	}
	return slices.ContainsFunc(strings.FieldsFunc(value, func(r rune) bool { return r == '/' || r == '\\' || r == ';' }), func(part string) bool {
		return part == "." || part == ".."
	})
}

// anyReply is a reply of any form, numbers as they are written.
type anyReply struct{ value any }

func (r *anyReply) stream(d *json.Decoder) error {
	if err := d.Decode(&r.value); err != nil && !errors.Is(err, io.EOF) { // an answer may have no body
		return err
	}
	return nil
}

// accountReads are the parts of the API that show the account itself and nothing of its projects.
var accountReads = []string{"", "caller-identity", "versions", "public-ip-list", "openapi.json", "members", "teams", "roles", "tokens", "announcements"}

// mingled are the parts of the API whose replies do not tell to which environment each item belongs.
var mingled = []string{"auditlog", "usage", "engineering-insights"}

// outside refuses to read what shows all projects where only some may be touched: such a reply cannot be told apart.
func (s *APIService) outside(k APICall, at Target, also []Target) error {
	first := ""
	if segs := k.Op.Segments(); len(segs) > 0 {
		first = segs[0]
	}
	inProject := at.Project != "" || len(also) > 0
	inEnvironment := at.Environment != "" || slices.ContainsFunc(also, func(t Target) bool { return t.Environment != "" })
	switch scope := s.c.cfg.Scope; {
	case scope.all(), !inProject && slices.Contains(accountReads, first):
		return nil
	case inProject && (inEnvironment || s.Writes(k.Op) || !scope.limitsEnvironments() || !slices.Contains(mingled, first)):
		return nil
	case inProject:
		return &ScopeError{Target: at, Reason: k.Op.String() + " shows more than the environments of this server's scope, unless it is given one of them"}
	}
	return &ScopeError{Target: at, Reason: k.Op.String() + " shows more than the projects and environments of this server's scope"}
}

// all reports whether everything is in scope.
func (s Scope) all() bool {
	return len(s.Projects)+len(s.Environments) == 0 && !slices.ContainsFunc(s.also, func(o Scope) bool { return !o.all() })
}

func (s Scope) limitsEnvironments() bool {
	return len(s.Environments) > 0 || slices.ContainsFunc(s.also, Scope.limitsEnvironments)
}

// cutReply takes out of a reply what belongs to environments and projects outside the scope, where the reply says so.
func (s Scope) cutReply(op *openapi.Operation, v any) (any, bool) {
	if s.all() {
		return v, false
	}
	cut := false
	var walk func(v any, of string) any // of is what the list holds: environments, projects, or something else
	outside := func(m map[string]any, of string) bool {
		for name, v := range m {
			key, _ := v.(string)
			if key == "" {
				if inner, ok := v.(map[string]any); ok {
					key, _ = inner["key"].(string)
				}
			}
			name = foldName(name)
			if key != "" && ((slices.Contains(projectNames, name) || name == "key" && of == "projects") && !s.AllowsProject(key) ||
				(slices.Contains(environmentNames, name) || name == "key" && of == "environments") && !s.AllowsEnvironment(key)) {
				return true
			}
		}
		return false
	}
	walk = func(v any, of string) any {
		switch v := v.(type) {
		case []any:
			kept := make([]any, 0, len(v))
			for _, item := range v {
				if m, ok := item.(map[string]any); ok && outside(m, of) {
					cut = true
					continue
				}
				kept = append(kept, walk(item, ""))
			}
			return kept
		case map[string]any:
			for name, inner := range v {
				here := foldName(name)
				if name == "items" {
					here = of
				}
				if m, ok := inner.(map[string]any); ok && here == "environments" && m["items"] == nil {
					for key := range m {
						if !s.AllowsEnvironment(key) {
							delete(m, key)
							cut = true
						}
					}
				}
				v[name] = walk(inner, here)
			}
		}
		return v
	}
	last := ""
	if segs := op.Segments(); len(segs) > 0 {
		last = segs[len(segs)-1]
	}
	return walk(v, last), cut
}

// thirdParty are the parts of the API that keep secrets of other services in settings of any name.
var thirdParty = []string{"integrations", "integration-configurations", "integration-capabilities", "destinations", "webhooks"}

func (k APICall) holdsSecrets() bool { return HoldsThirdParty(k.Op) }

// HoldsThirdParty reports whether an operation is about settings for other services, which hold their secrets.
func HoldsThirdParty(op *openapi.Operation) bool {
	segs := op.Segments()
	return len(segs) > 0 && slices.Contains(thirdParty, strings.ToLower(segs[0]))
}
