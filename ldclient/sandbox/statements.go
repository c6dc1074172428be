package sandbox

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// known tells of a resource, and of what it belongs to, what the account has now.
func (a *Account) known(r policy.Resource) policy.Resource {
	for _, kind := range []string{"proj", "env", "flag", "segment", "aiconfig"} {
		r = r.With(kind, policy.Plain)
	}
	p := a.findProject(r.Name("proj"))
	if p == nil {
		return r
	}
	r = r.With("proj", a.facts(p.Tags, false))
	if f := p.flag(r.Name("flag")); f != nil {
		r = r.With("flag", a.facts(f.Tags, false))
	}
	if c := p.aiConfig(r.Name("aiconfig")); c != nil {
		r = r.With("aiconfig", a.facts(c.Tags, false))
	}
	if e := p.env(r.Name("env")); e != nil {
		r = r.With("env", a.facts(e.Tags, e.Critical))
		if s := e.segment(r.Name("segment")); s != nil {
			r = r.With("segment", a.facts(s.Tags, false))
		}
	}
	return r
}

func (a *Account) facts(tags []string, critical bool) policy.Facts {
	return policy.Facts{Tags: filled(tags), Views: []string{}, Critical: policy.Known(critical)}
}

// names tells whether a specifier names a resource. A name of * in the resource
// stands for a change to all of them, so every name covers it.
func (a *Account) names(spec policy.Specifier, resource string) bool {
	r, err := policy.ParseResource(resource)
	return err == nil && spec.Match(a.known(r)) != policy.No
}

// query is a policy that says which entries of the audit log are wanted.
type query []policy.Statement

func (q query) check() error {
	for _, s := range q {
		if s.Effect != "allow" && s.Effect != "deny" {
			return fmt.Errorf("invalid effect %q: expected allow or deny", s.Effect)
		}
		if (len(s.Resources) == 0) == (len(s.NotResources) == 0) {
			return errors.New("a statement must have either resources or notResources")
		}
		if (len(s.Actions) == 0) == (len(s.NotActions) == 0) {
			return errors.New("a statement must have either actions or notActions")
		}
		var first policy.Specifier
		for i, text := range slices.Concat(s.Resources, s.NotResources) {
			spec, err := policy.ParseSpecifier(text)
			if err != nil {
				return err
			}
			if i == 0 {
				first = spec
			} else if !spec.SameKinds(first) {
				return errors.New("resource specifiers in a single statement must represent the same kind of resource")
			}
		}
	}
	return nil
}

// wants tells whether a checked query allows an access.
func (q query) wants(a *Account, x access) bool {
	wanted := len(q) == 0
	for _, s := range q {
		switch {
		case !a.covers(s, x):
		case s.Effect == "deny":
			return false
		default:
			wanted = true
		}
	}
	return wanted
}

func (a *Account) covers(s policy.Statement, x access) bool {
	matches := func(pattern string) bool { return policy.Glob(pattern, x.Action) }
	if s.Actions != nil && !slices.ContainsFunc(s.Actions, matches) || slices.ContainsFunc(s.NotActions, matches) {
		return false
	}
	same := false
	named := slices.ContainsFunc(slices.Concat(s.Resources, s.NotResources), func(text string) bool {
		spec, err := policy.ParseSpecifier(text)
		r, bad := policy.ParseResource(x.Resource)
		same = err == nil && bad == nil && spec.SameKinds(r.Specifier)
		return err == nil && a.names(spec, x.Resource)
	})
	if len(s.NotResources) == 0 {
		return named
	}
	return !named && same
}
