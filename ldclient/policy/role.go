package policy

import (
	"slices"
	"strings"
	"sync"
)

// Role is one of the roles that a token or a member has: a built-in one, or a policy.
type Role struct {
	Name    string // for people
	BuiltIn string // reader, writer, admin, owner or no_access; "" for a policy
	Unread  bool   // it could not be read, so what it allows is not known

	Policy []Statement
	base   rules // what holds where the policy is silent
	rules  rules
	ever   *sync.Map // answers of couldEver by question
}

// BuiltIn returns one of LaunchDarkly's built-in roles.
func BuiltIn(name string) Role { return Role{Name: name, BuiltIn: name} }

// Unread returns a role that could not be read.
func Unread(name string) Role { return Role{Name: name, Unread: true} }

// NewRole returns a role of the account. reader says that it has the permissions
// of a reader where its policy is silent; attrs fill in what depends on whom it is given to.
func NewRole(name string, reader bool, policy []Statement, attrs Attributes) Role {
	r := Role{Name: name, Policy: policy, rules: readAll(policy, attrs), ever: new(sync.Map)}
	if reader {
		r.base = readerBase()
	}
	return r
}

var readerBase = sync.OnceValue(func() []rule {
	return readAll([]Statement{
		{Effect: "allow", Actions: []string{"view*"}, Resources: []string{"*"}},
		{Effect: "allow", Actions: []string{"createAccessToken"}, Resources: []string{"member/*:token/*"}},
	}, nil)
})

// Uses tells whether what the role allows may depend on the tags, properties or views of a kind of resource.
func (r Role) Uses(kind string) bool {
	return slices.ContainsFunc(r.rules, func(x rule) bool {
		return x.filtered && slices.ContainsFunc(x.specs, func(s Specifier) bool {
			return slices.ContainsFunc(s.parts, func(p part) bool { return p.kind == kind && len(p.filters) > 0 })
		})
	})
}

// Reason is what decided.
type Reason struct {
	Owner     bool // the owner of a personal token, not the token itself
	Gate      bool // that the project may not be viewed
	Role      int  // index of the role
	Statement int  // index in its policy; -1 where no statement speaks of it
	Base      bool // the role's base, or a built-in role
}

func (r Role) decide(action string, res Resource) (Verdict, Reason) {
	switch {
	case r.Unread:
		return Unknown, Reason{Statement: -1}
	case r.BuiltIn != "":
		return builtIn(r.BuiltIn, action, res.Kind()), Reason{Statement: -1, Base: true}
	}
	v, at := r.rules.decide(action, res)
	why := Reason{Statement: at}
	if at < 0 && r.base != nil {
		why.Base = true
		v, _ = r.base.decide(action, res)
		if denied, _ := r.rules.strongest("deny", action, res); denied == Unknown {
			v = min(v, Unknown)
		}
	}
	return v, why
}

// billing are the actions that admins may not do.
var billing = []string{"updateSubscription", "deleteSubscription", "updatePaymentCard", "getPaymentCard", "updateBillingContact", "updateAccountOwner"}

// Top-level kinds that writers may change, besides all that is in a project.
var writable = []string{"webhook", "integration", "relay-proxy-config", "code-reference-repository", "application", "template"}

// builtIn tells what a built-in role allows. What LaunchDarkly does not document is unknown.
func builtIn(role, action, kind string) Verdict {
	views := strings.HasPrefix(action, "view")
	own := kind == "token" && action == "createAccessToken"
	switch role {
	case "owner":
		return Yes
	case "admin":
		return Known(!slices.Contains(billing, action))
	case "no_access":
		return No
	case "reader":
		if action == "createApprovalRequest" || action == "manageFlagFollowers" {
			return Unknown
		}
		return Known(views || own)
	case "writer":
		return writer(action, kind, views || own)
	}
	return Unknown
}

func writer(action, kind string, reads bool) Verdict {
	switch {
	case reads:
		return Yes
	case kind == "member", kind == "acct" && !strings.HasSuffix(action, "Announcement"):
		return No
	case strings.HasPrefix(kind, "ai"), strings.HasPrefix(kind, "agent-"), kind == "prompt-snippet", strings.HasPrefix(action, "bypass"):
		return Unknown
	case slices.Contains(writable, kind), inProject(kind):
		return Yes
	}
	return Unknown
}

func inProject(kind string) bool {
	for ; kind != ""; kind = kinds()[kind] {
		if kind == "proj" {
			return true
		}
	}
	return false
}

// Roles are all the roles of a token or member together: what one of them allows is allowed.
type Roles []Role

// alone tells what the roles say of an action without asking whether the project may be viewed.
func (rs Roles) alone(action string, res Resource) (Verdict, Reason) {
	best, why := No, Reason{Statement: -1}
	for i, r := range rs {
		v, because := r.decide(action, res)
		because.Role = i
		denies := v == No && because.Statement >= 0 && why.Statement < 0 // a statement says more than silence
		if i == 0 || v > best || best == No && denies {
			best, why = v, because
		}
	}
	return best, why
}

// Can tells whether the roles allow an action on a resource. Whoever may not
// view a project may change nothing in it.
func (rs Roles) Can(action string, res Resource) (Verdict, Reason) {
	v, why := rs.alone(action, res)
	project, ok := res.project()
	if v == No || !ok || action == "viewProject" || action == "createProject" {
		return v, why
	}
	gate, gated := rs.alone("viewProject", project)
	if gate < v {
		gated.Gate = true
		return gate, gated
	}
	return v, why
}

// Principal is who makes a request: a service token, or a personal token, which may do no more than its owner.
type Principal struct {
	Token Roles
	Owner Roles // of a personal token, else nil
}

// Can tells whether the principal may do something.
func (p Principal) Can(action string, res Resource) (Verdict, Reason) {
	v, why := p.Token.Can(action, res)
	if p.Owner == nil {
		return v, why
	}
	if owners, because := p.Owner.Can(action, res); owners < v {
		because.Owner = true
		return owners, because
	}
	return v, why
}

// Need is an action on a resource.
type Need struct {
	Action   string
	Resource Resource
}

// CanAll tells whether the principal may do all of several things, and the index of the one that decides.
func (p Principal) CanAll(needs []Need) (Verdict, Reason, int) {
	worst, why, at := Yes, Reason{Statement: -1}, -1
	for i, n := range needs {
		if v, because := p.Can(n.Action, n.Resource); at < 0 || v < worst {
			worst, why, at = v, because, i
		}
	}
	return worst, why, at
}

// Deciding returns the role that a reason is about, and its statement if one decided.
func (p Principal) Deciding(why Reason) (Role, *Statement) {
	roles := p.Token
	if why.Owner {
		roles = p.Owner
	}
	if why.Role >= len(roles) {
		return Role{}, nil
	}
	r := roles[why.Role]
	if why.Statement < 0 || why.Statement >= len(r.Policy) {
		return r, nil
	}
	return r, &r.Policy[why.Statement]
}

// Grant returns what a member may do without a role. What a set of actions
// holds is not documented, so all updates of the resource are unknown with it.
func Grant(name string, actions []string, set, resource string) Role {
	r := NewRole(name, false, []Statement{{Effect: "allow", Actions: actions, Resources: []string{resource}}}, nil)
	if set != "" {
		r.rules[0].Actions, r.rules[0].specs, r.rules[0].unread = []string{"update*"}, nil, true
	}
	return r
}
