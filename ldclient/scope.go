package ldclient

import (
	"cmp"
	"context"
	"fmt"
	glob "path"
	"slices"
	"strings"
	"sync/atomic"
)

// Target is what a call reads or changes.
type Target struct {
	Project     string // "" for the whole account
	Environment string // "" for all environments of the project
	Kind        string // flag, segment, ...; "" for the project or environment itself
	Key         string
}

// String returns t as LaunchDarkly's resource specifier, such as proj/shop:env/test:flag/dark-mode.
func (t Target) String() string {
	if t.Project == "" {
		if t.Kind == "" {
			return "acct/*"
		}
		return t.Kind + "/" + cmp.Or(t.Key, "*") // one that is yet to be made has no key
	}
	s := "proj/" + t.Project
	switch {
	case t.Environment != "" && t.Kind != "view": // which lies in the project, whatever is linked to it
		s += ":env/" + t.Environment
	case t.Kind == "flag" || t.Kind == "segment":
		s += ":env/*"
	}
	if t.Kind != "" {
		s += ":" + t.Kind + "/" + t.Key
	}
	return s
}

// Scope limits what a client may touch. Its entries are globs; an empty list allows everything.
type Scope struct {
	Projects     []string
	Environments []string
	also         []Scope // if any, what is allowed is what all of them allow
}

// And returns the scope of what both s and t allow. Its lists are t's, or s's
// where t has none; the scope may allow less than they do.
func (s Scope) And(t Scope) Scope {
	out := Scope{Projects: t.Projects, Environments: t.Environments, also: []Scope{s, t}}
	if len(out.Projects) == 0 {
		out.Projects = s.Projects
	}
	if len(out.Environments) == 0 {
		out.Environments = s.Environments
	}
	return out
}

// ScopeError is a call that was refused because it lies outside the client's scope. No request was made.
type ScopeError struct {
	Target Target
	Reason string
}

func (e *ScopeError) Error() string { return e.Reason }

// AllowsProject reports whether project is in scope.
func (s Scope) AllowsProject(project string) bool {
	return MatchAny(s.Projects, project) && !slices.ContainsFunc(s.also, func(o Scope) bool { return !o.AllowsProject(project) })
}

// AllowsEnvironment reports whether an environment with this key is in scope, in a project that is.
func (s Scope) AllowsEnvironment(environment string) bool {
	return MatchAny(s.Environments, environment) && !slices.ContainsFunc(s.also, func(o Scope) bool { return !o.AllowsEnvironment(environment) })
}

// Check returns a *ScopeError when t may not be touched. Reading across
// environments is allowed, since each reply is cut to the scope; a write across
// environments is allowed only where every environment is.
func (s Scope) Check(t Target, writes bool) error {
	for _, o := range s.also {
		if err := o.Check(t, writes); err != nil {
			return err
		}
	}
	refuse := func(format string, args ...any) error {
		return &ScopeError{Target: t, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case t.Project == "" && writes && len(s.Projects)+len(s.Environments) > 0:
		return refuse("account-wide changes are outside this server's scope")
	case t.Project == "":
		return nil
	case !s.AllowsProject(t.Project):
		return refuse("project %q is outside this server's scope, which is %s", t.Project, strings.Join(s.Projects, ", "))
	case t.Environment != "" && !s.AllowsEnvironment(t.Environment):
		return refuse("environment %q is outside this server's scope, which is %s", t.Environment, strings.Join(s.Environments, ", "))
	case t.Kind == "env" && !s.AllowsEnvironment(t.Key): // one that is yet to be created
		return refuse("environment %q is outside this server's scope, which is %s", t.Key, strings.Join(s.Environments, ", "))
	case t.Kind == "env":
		return nil
	case t.Environment == "" && writes && len(s.Environments) > 0:
		return refuse("this would change every environment of project %q, and this server may only touch %s", t.Project, strings.Join(s.Environments, ", "))
	}
	return nil
}

// CheckGlobs says which of the globs cannot be read, nil if all can.
func CheckGlobs(globs []string) error {
	for _, g := range globs {
		if _, err := glob.Match(g, ""); err != nil {
			return fmt.Errorf("%q is not a glob; write a key, or a part of one with *", g)
		}
	}
	return nil
}

// MatchAny reports whether s matches one of the globs, or there are none.
func MatchAny(globs []string, s string) bool {
	for _, g := range globs {
		if ok, _ := glob.Match(g, s); ok {
			return true
		}
	}
	return len(globs) == 0
}

type writeSent struct{}

// NotingWrites returns a context under which sent is set once a request that
// changes something is on its way; before that, whatever fails has changed nothing.
func NotingWrites(ctx context.Context, sent *atomic.Bool) context.Context {
	return context.WithValue(ctx, writeSent{}, sent)
}

type noWrites struct{}

// WithoutWrites returns a context under which every call that would change
// something fails with ErrReadOnly before a byte leaves.
func WithoutWrites(ctx context.Context) context.Context {
	return context.WithValue(ctx, noWrites{}, true)
}
