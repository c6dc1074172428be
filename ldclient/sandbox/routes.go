package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is one method and path pattern. The account has its own router because
// net/http's answers unclean paths with a redirect and refuses LaunchDarkly's
// overlapping patterns.
type route struct {
	method string
	segs   []string // literal, or a name in braces that matches anything
	beta   bool     // answers only with LD-API-Version: beta
	public bool     // needs no token
	handle func(w http.ResponseWriter, r *http.Request)
}

func (a *Account) routes() {
	a.projectRoutes()
	a.environmentRoutes()
	a.flagRoutes()
	a.expiringFlagRoutes()
	a.segmentRoutes()
	a.expiringSegmentRoutes()
	a.contextRoutes()
	a.auditRoutes()
	a.identityRoutes()
	a.codeReferenceRoutes()
	a.approvalRoutes()
	a.scheduledRoutes()
	a.triggerRoutes()
	a.releaseRoutes()
	a.metricRoutes()
	a.experimentRoutes()
	a.aiConfigRoutes()
	a.aiToolRoutes()
	a.agentGraphRoutes()
	a.viewRoutes()
	a.integrationRoutes()
	a.usageRoutes()
	a.openAPIRoutes()
}

// route registers a handler that runs under the account's lock. pattern is relative to /api/v2.
func (a *Account) route(pattern string, h func(w http.ResponseWriter, r *http.Request)) *route {
	method, path, _ := strings.Cut(pattern, " ")
	rt := &route{method: method, handle: h}
	if path != "/" && path != "" {
		rt.segs = strings.Split(path[1:], "/")
	}
	rt.beta = isBeta(method, rt.segs)
	a.routed = append(a.routed, rt)
	return rt
}

// find returns the most literal route for a path, and whether the path has a route of any method.
func (a *Account) find(method string, segs []string) (best *route, known bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, rt := range a.routed {
		if !matches(rt.segs, segs) {
			continue
		}
		known = true
		if rt.method == method && (best == nil || rt.moreLiteral(best)) {
			best = rt
		}
	}
	return best, known
}

func (rt *route) moreLiteral(than *route) bool {
	for i := range rt.segs {
		_, a := wildcard(rt.segs[i])
		_, b := wildcard(than.segs[i])
		if a != b {
			return b
		}
	}
	return false
}

// segments splits a path below /api/v2 and decodes each segment by itself, so
// that an escaped slash does not separate. clean is false for a path that some
// server on the way could read as another one.
func segments(escaped string) (segs []string, clean bool) {
	rest, ok := strings.CutPrefix(escaped, "/api/v2")
	if inner, internal := strings.CutPrefix(escaped, "/internal/"); internal {
		rest, ok = internalSegment+"/"+inner, true
	}
	if !ok {
		return []string{escaped}, false
	}
	if rest == "" || rest == "/" {
		return nil, true
	}
	if rest[0] != '/' {
		return []string{escaped}, false
	}
	segs = strings.Split(rest[1:], "/")
	clean = true
	for i, s := range segs {
		decoded, err := url.PathUnescape(s)
		if err != nil || decoded == "" || decoded == "." || decoded == ".." {
			clean = false
			continue
		}
		segs[i] = decoded
	}
	return segs, clean
}

var betaSegments = []string{
	"agent-graphs", "applications", "big-segment-store", "default-release-plan", "dependent-flags",
	"engineering-insights", "experimentation-settings", "experiments", "featureStore", "flag-import",
	"flag-links", "flag-release-plans", "holdouts", "integration-configurations", "ip-allowlist",
	"metric-groups", "release", "release-pipelines", "release-plans", "release-policies", "releases",
	"sdk-keys", "usage", "user-attributes", "view-associations", "views",
}

// isBeta tells whether LaunchDarkly answers a route only with the beta version header.
func isBeta(method string, segs []string) bool {
	if slices.ContainsFunc(segs, func(s string) bool { return slices.Contains(betaSegments, s) }) {
		return true
	}
	if n := len(segs); n > 1 && segs[n-1] == "settings" && segs[0] == "approval-requests" {
		return true
	}
	if method == http.MethodPatch {
		n := len(segs)
		return n == 1 && segs[0] == "teams" || n > 1 && segs[n-2] == "approval-requests"
	}
	return false
}

func (a *Account) findProject(key string) *project {
	i := slices.IndexFunc(a.projects, func(p *project) bool { return p.Key == key })
	if i < 0 {
		return nil
	}
	return a.projects[i]
}

// project is the one named in the path; when it is missing, project answers 404 and returns nil.
func (a *Account) project(w http.ResponseWriter, r *http.Request) *project {
	p := a.findProject(r.PathValue("project"))
	if p == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown project key "+r.PathValue("project"))
	}
	return p
}

// inPath is what a part of the path names in its project; where there is none, inPath answers 404 and the result is nil.
func inPath[T any](a *Account, w http.ResponseWriter, r *http.Request, what, part string, find func(*project, string) *T) (*project, *T) {
	p := a.project(w, r)
	if p == nil {
		return nil, nil
	}
	x := find(p, r.PathValue(part))
	if x == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown "+what+" key "+r.PathValue(part))
	}
	return p, x
}

// environment is p's environment with this key; when it is missing, environment answers 404 and returns nil.
func (a *Account) environment(w http.ResponseWriter, p *project, key string) *environment {
	e := p.env(key)
	if e == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown environment key "+key)
	}
	return e
}

func (p *project) env(key string) *environment {
	i := slices.IndexFunc(p.Envs, func(e *environment) bool { return e.Key == key })
	if i < 0 {
		return nil
	}
	return p.Envs[i]
}
