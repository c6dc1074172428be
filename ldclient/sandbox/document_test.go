package sandbox

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox/contract"
)

const documentPath = "../../../shared/reference/launchdarkly-openapi.json"

var loadDocument = sync.OnceValues(func() (*contract.Checker, error) { return contract.Load(documentPath) })

// document is the OpenAPI document; a test that needs it is skipped where it is not at hand, but not in CI.
func document(t *testing.T) *contract.Checker {
	t.Helper()
	c, err := loadDocument()
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checked sends a request, which the document must allow, and checks the answer against the document.
func checked(t *testing.T, a *Account, method, path string, body any, header ...string) answer {
	t.Helper()
	doc := document(t)
	var b []byte
	if body != nil {
		b = jsonValue(body)
	}
	r := newRequest(t, method, path, body, header...)
	if err := doc.Request(r, b); err != nil {
		t.Error(err)
	}
	got := ask(t, a, method, path, body, header...)
	if err := doc.Response(r, got.status, got.header, got.body); err != nil {
		t.Errorf("%v\n%s", err, bytes.TrimSpace(got.body[:min(len(got.body), 2000)]))
	}
	return got
}

// moreSamples are added by the tests of further nouns, as they add to queries and searches.
var moreSamples []func(a *Account) map[string][]string

// samples are the values that stand for the names in routes.
func samples(a *Account) map[string][]string {
	out := map[string][]string{
		"project": {"shop"}, "environment": {"production"}, "segment": {"beta-testers", "employees", "vip"},
		"flag": {"new-checkout", "max-items", "banner-config", "old-checkout", "mobile-banner", "review-summary", "live-chat"},
		"kind": {"user"}, "key": {"user-1002"}, "attribute": {"email", "orders", "%2Faddress%2Fcity", "groups"}, "context": {"user-1003"},
		"member": {a.members[1].ID, a.members[len(a.members)-1].ID}, "team": {"platform", a.teams[len(a.teams)-1].Key},
		"role": {"mobile-developer", a.roles[0].ID}, "token": {a.tokens[0].ID, a.tokens[len(a.tokens)-1].ID, a.tokens[len(a.tokens)-2].ID},
		"repo": {"shop-web"}, "policy": {"checkout-guarded", "web-progressive"}, "pipeline": {"standard"},
		"entry":   {a.audit[0].ID, a.audit[len(a.audit)/2].ID, a.audit[len(a.audit)-1].ID},
		"request": {a.requests[0].ID}, "change": {a.scheduled[0].ID}, "trigger": {a.triggers[0].ID},
	}
	for _, more := range moreSamples {
		maps.Copy(out, more(a))
	}
	return out
}

// queries are more requests for some routes.
var queries = map[string][]string{
	"/projects":                        {"expand=environments", "filter=keys:shop|mobile,tags:web&sort=-createdOn"},
	"/projects/{project}":              {"expand=environments"},
	"/projects/{project}/environments": {"filter=query:prod&sort=critical&limit=1"},
	"/flags/{project}":                 {"env=production&summary=0&limit=100", "env=production&env=test", "filter=state:archived", "sort=-creationDate&offset=20"},
	"/flags/{project}/{flag}":          {"env=test", "env=production&env=regulated"},
	"/flag-status/{project}/{flag}":    {"env=test"},
	"/segments/{project}/{environment}": {
		"limit=1&sort=name", "filter=unbounded+equals+true"},
	"/auditlog":                             {"limit=20", "q=checkout", "spec=proj/shop:env/production:flag/*", "spec=proj/*:env/*:segment/*", "spec=member/*"},
	"/projects/{project}/release-pipelines": {"filter=query:stand,env:test&limit=1"},
	"/projects/{project}/release-policies":  {"excludeDefault=true"},
	"/members":                              {"filter=role:reader|admin&sort=lastSeen"},
	"/teams":                                {"expand=members,roles,maintainers,roleAttributes,projects"},
	"/members/me":                           {"expand=roleAttributes"},
	"/members/{member}":                     {"expand=roleAttributes"},
	"/teams/{team}":                         {"expand=members,roles,maintainers", "expand=roleAttributes"},
	"/tokens":                               {"showAll=true"},
	"/code-refs/repositories":               {"withBranches=1", "withReferencesForDefaultBranch=1&projKey=shop&flagKey=new-checkout"},
	"/code-refs/statistics/{project}":       {"flagKey=new-checkout"},
	"/code-refs/extinctions":                {"projKey=shop&flagKey=old-checkout", "repoName=shop-web&from=1&to=99999999999999"},
	"/projects/{project}/environments/{environment}/context-attributes":    {"filter=kind+equals+user&limit=3"},
	"/projects/{project}/environments/{environment}/contexts/{kind}/{key}": {"sort=ts&limit=1", "includeTotalCount=false"},
}

// needed are the queries without which some routes do not answer.
var needed = map[string]string{}

// searches are the bodies of POSTs that only read.
var searches = map[string][]any{
	"/auditlog":        {[]any{}, []any{map[string]any{"effect": "allow", "resources": []string{"proj/*:env/*:flag/*"}, "actions": []string{"update*"}}}},
	"/auditlog/counts": {[]any{}},
	"/projects/{project}/environments/{environment}/contexts/search":   {map[string]any{"filter": "kind equals device", "limit": 3}},
	"/projects/{project}/environments/{environment}/flags/evaluate":    {map[string]any{"kind": "user", "key": "user-1002"}},
	"/projects/{project}/environments/{environment}/segments/evaluate": {map[string]any{"kind": "user", "key": "user-1002"}},
}

// addPolicies adds tokens, a member, a team and roles with all that they can have.
func addPolicies(a *Account) {
	statements := []policy.Statement{{Effect: "allow", Actions: []string{"updateOn"}, NotResources: []string{"proj/*:env/production:flag/*"}}}
	role := []RoleOptions{{Key: "own-role", Policy: statements}}
	a.AddToken(TokenOptions{Name: "inline", InlineRole: statements})
	a.AddToken(TokenOptions{Name: "roles", Roles: role, Owner: &OwnerOptions{Role: "reader", Roles: role, TeamRoles: role,
		Attributes: policy.Attributes{"project": {"shop"}}, TeamAttributes: policy.Attributes{"project": {"shop", "mobile"}},
		Grants: []Grant{{Resource: "team/growth", ActionSet: "maintainTeam"}, {Resource: "team/platform", Actions: []string{"updateTeamName"}}}}})
}

// ofWaiting names the flag that has what a route leads to.
func ofWaiting(pattern string) string {
	for _, name := range []string{"/{request}", "/{change}", "/{trigger}"} {
		if strings.Contains(pattern, name) {
			return strings.Replace(pattern, "{flag}", waitingFlag, 1)
		}
	}
	return pattern
}

func fill(pattern string, samples map[string][]string) []string {
	_, rest, ok := strings.Cut(pattern, "{")
	if !ok {
		return []string{pattern}
	}
	name, _, _ := strings.Cut(rest, "}")
	var out []string
	for _, s := range samples[name] {
		out = append(out, fill(strings.Replace(pattern, "{"+name+"}", s, 1), samples)...)
	}
	return out
}

// TestAnswersFollowTheDocument asks for everything that the account can show.
func TestAnswersFollowTheDocument(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	addPolicies(a)
	known := samples(a)
	seen := map[string]bool{}
	for _, rt := range slices.Clone(a.routed) {
		pattern := "/" + strings.Join(rt.segs, "/")
		seen[pattern] = true
		if changes(rt.method, rt.segs, "") || strings.Contains(pattern, "{import}") || rt.segs != nil && rt.segs[0] == internalSegment[1:] {
			continue
		}
		if pattern == "/" {
			pattern = ""
		}
		known := known
		if strings.HasSuffix(pattern, "/release") {
			known = map[string][]string{"project": {"shop"}, "flag": {"gift-cards"}} // the one that has a release
		}
		t.Run(rt.method+" "+pattern, func(t *testing.T) {
			header := []string{}
			if rt.beta {
				header = []string{"LD-API-Version", "beta"}
			}
			// Only a big segment tells of one context.
			paths := fill(ofWaiting(strings.Replace(pattern, "{segment}/contexts", "vip/contexts", 1)), known)
			if len(paths) == 0 {
				t.Fatal("no sample for a name in this route")
			}
			if rt.method == http.MethodPost {
				if searches[pattern] == nil {
					t.Fatal("no sample of a body")
				}
				for _, body := range searches[pattern] {
					if pattern == "/auditlog/counts" {
						paths[0] = "/auditlog/counts?after=1700000000000&buckets=10"
					}
					if got := checked(t, a, "POST", paths[0], body, header...); got.status != 200 {
						t.Errorf("status %d: %s", got.status, got.body)
					}
				}
				return
			}
			if query := needed[pattern]; query != "" {
				for i := range paths {
					paths[i] += "?" + query
				}
			}
			for _, query := range queries[pattern] {
				paths = append(paths, paths[0]+"?"+query)
			}
			for _, path := range paths {
				if got := checked(t, a, "GET", path, nil, header...); got.status != 200 {
					t.Errorf("%s: status %d: %s", path, got.status, got.body)
				}
			}
		})
	}
	for pattern := range queries {
		if !seen[pattern] {
			t.Errorf("queries for %s, which is no route", pattern)
		}
	}
}
