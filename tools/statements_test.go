package tools

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// TestStatementsWithin: what is cut to a scope names nothing that the scope does not allow, and keeps whatever may cover something that it does.
func TestStatementsWithin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	keys := []string{"shop", "shops", "mobile", "mob", "web"}
	kept, cut := 0, 0
	for range 20_000 {
		draw := func() (scope ldclient.Scope) {
			for range r.IntN(3) {
				scope.Projects = append(scope.Projects, one("shop", "sh*", "s?op", "[ms]*", "mobile", "*"))
			}
			for range r.IntN(3) {
				scope.Environments = append(scope.Environments, one("web", "w*", "mob", "*"))
			}
			return scope
		}
		scope := draw()
		if r.IntN(3) == 0 {
			scope = scope.And(draw())
		}
		if len(scope.Projects)+len(scope.Environments) == 0 {
			continue
		}
		spec := "proj/" + one(append(keys, "*", "sh*", "*op", "m*b*")...)
		if r.IntN(3) > 0 {
			spec += ":env/" + one(append(keys, "*", "w*", "*b")...)
			if r.IntN(2) == 0 {
				spec += ":flag/" + one("*", "a")
			}
		}
		s := ldclient.Statement{Effect: "allow", Resources: []string{spec}, Actions: []string{"*"}}
		got := scopedStatements(scope, []ldclient.Statement{s})
		parsed, err := policy.ParseResource(spec)
		if err != nil {
			t.Fatal(err)
		}
		covers := false
		for _, p := range keys {
			for _, e := range keys {
				covers = covers || scope.AllowsProject(p) && policy.Glob(parsed.Name("proj"), p) &&
					(parsed.Name("env") == "" || scope.AllowsEnvironment(e) && policy.Glob(parsed.Name("env"), e))
			}
		}
		if covers && len(got) == 0 {
			t.Fatalf("%s is cut out of %v", spec, scope)
		}
		named := parsed.Name("proj")
		if len(got) > 0 && !strings.Contains(named, "*") && !scope.AllowsProject(named) {
			t.Fatalf("%s is shown in %v", spec, scope)
		}
		if env := parsed.Name("env"); len(got) > 0 && env != "" && !strings.Contains(env, "*") && !scope.AllowsEnvironment(env) {
			t.Fatalf("%s is shown in %v", spec, scope)
		}
		if len(got) > 0 {
			kept++
		} else {
			cut++
		}
		s.Resources, s.NotResources = nil, []string{spec}
		if not := scopedStatements(scope, []ldclient.Statement{s}); len(not) != 1 || slices.Contains(not[0].NotResources, spec) != (len(got) > 0) {
			t.Fatalf("all but %s in %v: %v", spec, scope, not)
		}
	}
	if kept < 1000 || cut < 1000 {
		t.Errorf("%d kept, %d cut", kept, cut)
	}
	scope := ldclient.Scope{Projects: []string{"shop"}}
	if narrowed := scope.And(ldclient.Scope{Projects: []string{"*"}}); mayNameWithin(narrowed, "proj/mob*") || !mayNameWithin(narrowed, "proj/sh*") {
		t.Error("a narrowed scope forgot what it was narrowed from")
	}
	for spec, shown := range map[string]bool{"*": true, "member/*": false, "acct": false, "team/a": false, "nonsense": false, "proj/shop,mobile": false,
		"proj/*;team-a": true, "proj/shop:metric/*": true, "proj/${roleAttribute/p}": false} {
		if got := mayNameWithin(scope, spec); got != shown {
			t.Errorf("%s: %t", spec, got)
		}
	}
}
