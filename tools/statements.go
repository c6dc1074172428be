package tools

import (
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// followed says what something of the account follows, by statements of the policy language.
type followed struct {
	Statements []string `json:"statements,omitempty" doc:"what it covers"`
	Count      int      `json:"statementsCount,omitempty" doc:"where not all are shown"`
	outside    bool     // nothing of it is in the server's scope
}

// followedIn says what statements cover of a scope, in at most most sentences.
func followedIn(scope ldclient.Scope, all []ldclient.Statement, most int) followed {
	kept := scopedStatements(scope, all)
	out := followed{outside: len(all) > 0 && !slices.ContainsFunc(kept, func(s ldclient.Statement) bool { return s.Effect != "deny" })}
	for _, s := range kept[:min(most, len(kept))] {
		out.Statements = append(out.Statements, short(clean(s.String()), 200))
	}
	if len(kept) > most {
		out.Count = len(kept)
	}
	return out
}

// scopedStatements cuts statements to the resources that may lie within a scope.
func scopedStatements(scope ldclient.Scope, all []ldclient.Statement) []ldclient.Statement {
	if len(scope.Projects)+len(scope.Environments) == 0 {
		return all
	}
	outside := func(spec string) bool { return !mayNameWithin(scope, spec) }
	var out []ldclient.Statement
	for _, s := range all {
		s.Resources = slices.DeleteFunc(slices.Clone(s.Resources), outside)
		if all := len(s.NotResources); all > 0 {
			s.NotResources = slices.DeleteFunc(slices.Clone(s.NotResources), outside)
			if len(s.NotResources) < all {
				s.NotResources = append(s.NotResources, "what is outside this server's scope")
			}
		}
		if len(s.Resources)+len(s.NotResources) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// mayNameWithin reports whether a resource specifier may name something within a
// scope. One that names a project or environment outside of it does not, nor does one that is not about projects.
func mayNameWithin(scope ldclient.Scope, spec string) bool {
	r, err := policy.ParseResource(spec)
	if err != nil {
		return false
	}
	if r.Kind() == "" { // everything
		return true
	}
	project := r.Name("proj")
	return project != "" && scope.MayHold(project, r.Name("env"))
}
