package policy

import (
	"slices"
	"strings"
)

// CouldEver tells whether one policy by itself might allow an action on some
// resource of a kind, such as flag. False is certain, true is not.
func CouldEver(policy []Statement, action, kind string) bool {
	return readAll(policy, Attributes{}).couldEver(action, kind)
}

// AnyChange stands for some action that is not viewing, in questions of what could ever be.
const AnyChange = ""

func (p rules) couldEver(action, kind string) bool {
	if p.tooMany() {
		return true
	}
	return slices.ContainsFunc(p, func(r rule) bool {
		return r.Effect != "deny" && r.matchAction(action) && r.couldName(kind, func(s Specifier) bool { return !p.rulesOut(s, action, kind) })
	})
}

// couldName tells whether a statement may name a resource of a kind, within one of the specifiers that keep accepts.
func (r rule) couldName(kind string, keep func(Specifier) bool) bool {
	switch {
	case r.unread:
		return true
	case len(r.NotResources) > 0:
		return slices.ContainsFunc(r.specs, func(s Specifier) bool { return s.Kind() == kind }) && keep(Specifier{})
	}
	return slices.ContainsFunc(r.specs, func(s Specifier) bool { return (s.Kind() == kind || len(s.parts) == 0) && keep(s) })
}

// rulesOut tells whether some statement denies an action on every resource of a kind that a specifier names.
func (p rules) rulesOut(s Specifier, action, kind string) bool {
	return p.denying(s, action, kind) >= 0
}

// denying is the index of the first statement that rules a specifier out, -1 if none does.
func (p rules) denying(s Specifier, action, kind string) int {
	for _, r := range p {
		if r.Effect == "deny" && len(r.NotResources) == 0 && r.matchAction(action) &&
			slices.ContainsFunc(r.specs, func(d Specifier) bool { return d.covers(s, kind) }) {
			return r.index
		}
	}
	return -1
}

// covers tells whether s names for certain all resources of a kind that o names.
func (s Specifier) covers(o Specifier, kind string) bool {
	switch {
	case s.unsure:
		return false
	case len(s.parts) == 0:
		return true
	case len(o.parts) == 0: // o names all of the kind, so s must
		return s.Kind() == kind && !slices.Contains(twofold, kind) &&
			!slices.ContainsFunc(s.parts, func(p part) bool { return p.name != "*" && p.name != "" || len(p.filters) > 0 })
	case !s.SameKinds(o):
		return false
	}
	for i, p := range s.parts {
		if !coversName(p.name, o.parts[i].name) || strings.Contains(p.name, unset) {
			return false
		}
		for _, f := range p.filters {
			if strings.Contains(f, unset) || !slices.Contains(o.parts[i].filters, f) {
				return false
			}
		}
	}
	return true
}

// twofold kinds exist both in a project and in an environment.
var twofold = []string{"aiconfig"}

// coversName tells whether all names that the pattern s matches are matched by d.
func coversName(d, s string) bool {
	prefix, open := strings.CutSuffix(d, "*")
	return d == s || open && !strings.Contains(prefix, "*") && strings.HasPrefix(s, prefix)
}

// couldEver tells whether the role might allow an action on some resource of a kind.
func (r Role) couldEver(action, kind string) bool {
	switch {
	case r.Unread:
		return true
	case r.BuiltIn != "":
		return builtIn(r.BuiltIn, action, kind) != No
	}
	question := [2]string{action, kind}
	if r.ever != nil {
		if known, ok := r.ever.Load(question); ok {
			return known.(bool)
		}
	}
	could := r.rules.couldEver(action, kind) || slices.ContainsFunc(r.base, func(b rule) bool {
		return b.matchAction(action) && b.couldName(kind, func(s Specifier) bool { return !r.rules.rulesOut(s, action, kind) })
	})
	if r.ever != nil {
		r.ever.Store(question, could)
	}
	return could
}

// CouldEver tells whether the roles might allow an action on some resource of a
// kind; where not, it says why as far as one role tells.
func (rs Roles) CouldEver(action, kind string) (bool, Reason) {
	could := func(action, kind string) bool {
		return slices.ContainsFunc(rs, func(r Role) bool { return r.couldEver(action, kind) })
	}
	if !could(action, kind) {
		return false, rs.against(action, kind)
	}
	if inProject(kind) && action != "viewProject" && action != "createProject" && !could("viewProject", "proj") {
		why := rs.against("viewProject", "proj")
		why.Gate = true
		return false, why
	}
	return true, Reason{Statement: -1}
}

// against finds the first statement that takes away an action on a kind of
// resource that its role allows otherwise, else the first role.
func (rs Roles) against(action, kind string) Reason {
	for i, r := range rs {
		for _, allow := range slices.Concat(r.rules, r.base) {
			at := -1
			if allow.Effect != "deny" && allow.matchAction(action) {
				allow.couldName(kind, func(s Specifier) bool {
					at = r.rules.denying(s, action, kind)
					return at >= 0
				})
			}
			if at >= 0 {
				return Reason{Role: i, Statement: at}
			}
		}
	}
	return Reason{Statement: -1, Base: len(rs) > 0 && (rs[0].BuiltIn != "" || rs[0].base != nil)}
}

// CouldEver tells whether the principal might be allowed an action on some
// resource of a kind. False is certain.
func (p Principal) CouldEver(action, kind string) (bool, Reason) {
	if could, why := p.Token.CouldEver(action, kind); !could || p.Owner == nil {
		return could, why
	}
	could, why := p.Owner.CouldEver(action, kind)
	why.Owner = true
	return could, why
}
