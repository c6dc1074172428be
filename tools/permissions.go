package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

const (
	learnAfter  = 100 * time.Millisecond // the first list, so that a client's start waits for nothing
	learnEvery  = 5 * time.Minute
	learnAtMost = 20 * time.Second // between two readings that calls ask for
	learnWithin = 30 * time.Second
)

// permissions is what is known of what the token may do. It is safe for concurrent use.
type permissions struct {
	known atomic.Pointer[knowledge] // nil as long as nothing is
	asked chan struct{}             // for reading anew
	inUse chan struct{}             // closed once a client uses the server
	once  sync.Once
}

func (p *permissions) used() { p.once.Do(func() { close(p.inUse) }) }

// knowledge is what one reading found. Nobody changes it.
type knowledge struct {
	by     string // fingerprint of the token
	caller *ldclient.Caller
	token  *ldclient.AccessToken // nil when it could not be read
	member *ldclient.Member      // nil for a service token, and when it could not be read
	who    policy.Principal
	unread []string          // what could not be read
	never  map[string]string // why a tool can certainly never be used, by its name
}

// Learn reads what the token may do once a client uses the server, in the background until ctx ends or the server is
// closed, so that tools which LaunchDarkly would refuse in any case are not listed. It returns at once.
func (s *Server) Learn(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.open, cancel) //nolint:contextcheck // s.open is the server's own end
	go func() {
		defer stop()
		defer cancel()
		if s.hosted != nil {
			var other sync.WaitGroup
			other.Go(func() { s.hosted.until(ctx) })
			defer other.Wait()
		}
		s.learnUntil(ctx)
	}()
}

// Permissions is what a token can do with a server's tools, as far as it is known.
type Permissions struct {
	Never  []string // tools that would be served and that it can never use
	Unread []string // what could not be read
}

// Permissions reads what the token may do and waits for it.
func (s *Server) Permissions(ctx context.Context) (Permissions, error) {
	k, err := learn(ctx, s.opts.Client)
	if err != nil {
		return Permissions{}, err
	}
	out := Permissions{Unread: k.unread}
	never := s.neverOf(k)
	for _, t := range s.tools {
		if never[t.Name] != "" && t.hidden == "" && !t.unlisted {
			out.Never = append(out.Never, t.Name)
		}
	}
	return out, nil
}

// learnUntil reads again every few minutes, since roles change while a server runs, and when a call asks for it.
func (s *Server) learnUntil(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-s.may.inUse:
	}
	tick := time.NewTicker(learnEvery)
	defer tick.Stop()
	for {
		s.learnOnce(ctx)
		read := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.may.asked:
			select {
			case <-ctx.Done():
				return
			case <-time.After(learnAtMost - time.Since(read)):
			}
		}
	}
}

// learnOnce reads what the token may do and tells clients if other tools are listed now. Where
// it cannot be read, what was known before may be out of date, so it is forgotten.
func (s *Server) learnOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, learnWithin)
	defer cancel()
	k, err := learn(ctx, s.opts.Client)
	if err != nil {
		s.opts.Log.Debug("what the token may do could not be read", "error", err)
	} else {
		k.never = s.neverOf(k)
	}
	before := s.may.known.Swap(k)
	if !maps.Equal(before.hidden(), k.hidden()) {
		s.opts.Log.Info("tools that the token can never use are not listed", "tools", slices.Sorted(maps.Keys(k.hidden())))
		s.mcp.SendNotificationToAllClients(mcp.MethodNotificationToolsListChanged, nil)
	}
}

// knows is what is known of what the token may do, nil where nothing is, as of a token that is new.
func (s *Server) knows() *knowledge {
	k := s.may.known.Load()
	if k != nil && k.by != s.opts.Client.Fingerprint() {
		s.may.again()
		return nil
	}
	return k
}

// again asks for another reading, because a call was answered otherwise than what is known lets expect.
func (p *permissions) again() {
	select {
	case p.asked <- struct{}{}:
	default: // it is asked for already
	}
}

func (k *knowledge) hidden() map[string]string {
	if k == nil {
		return nil
	}
	return k.never
}

// maxRoles is how many roles are read one by one; more are looked up in the list of all.
const maxRoles = 4

// learn reads whose token ld uses and what its roles allow. It fails only if
// nothing at all can be read, or if the token is changed meanwhile; whatever else is missing is unknown.
func learn(ctx context.Context, ld *ldclient.Client) (*knowledge, error) {
	ctx = ldclient.WithoutWrites(ctx)
	by := ld.Fingerprint()
	caller, err := ld.Identity.Caller(ctx)
	if err != nil {
		return nil, err
	}
	k := &knowledge{by: by, caller: caller}
	service := caller.ServiceToken || caller.MemberID == ""
	if caller.TokenID != "" {
		if k.token, err = ld.Identity.Token(ctx, caller.TokenID); err != nil {
			k.missing("the token's role")
		}
	}
	if !service {
		if k.member, err = ld.Identity.Me(ctx); err != nil {
			k.missing("the member")
		}
	}
	r := k.reader(ctx, ld)
	k.who.Token = r.ofToken()
	if !service {
		k.who.Owner = r.ofMember()
	}
	if ld.Fingerprint() != by {
		return nil, errors.New("the token was changed meanwhile")
	}
	return k, nil
}

func (k *knowledge) missing(what string) {
	if !slices.Contains(k.unread, what) {
		k.unread = append(k.unread, what)
	}
}

// roleReader turns the ids and keys of roles into roles.
type roleReader struct {
	*knowledge
	roles map[string]*ldclient.Role // by id and by key
	teams map[string]policy.Attributes
	own   policy.Attributes // of the member
	all   policy.Attributes // of the member and the teams; nil when not known
}

func (k *knowledge) reader(ctx context.Context, ld *ldclient.Client) *roleReader {
	r := &roleReader{knowledge: k, roles: map[string]*ldclient.Role{}, teams: map[string]policy.Attributes{}}
	var names []string
	if k.token != nil && len(k.token.InlineRole) == 0 {
		names = append(names, k.token.CustomRoleIDs...)
	}
	if k.member != nil {
		names = append(names, k.member.CustomRoles...)
		for _, t := range k.member.Teams {
			names = append(names, t.CustomRoles...)
		}
	}
	slices.Sort(names)
	r.readRoles(ctx, ld, slices.Compact(names))
	r.readAttributes(ctx, ld)
	return r
}

func (r *roleReader) readRoles(ctx context.Context, ld *ldclient.Client, names []string) {
	keep := func(role *ldclient.Role) { r.roles[role.ID], r.roles[role.Key] = role, role }
	if len(names) > maxRoles {
		for role, err := range ldclient.All(func(offset int) (*ldclient.Page[ldclient.Role], error) {
			return ld.Roles.List(ctx, ldclient.Paging{Limit: upstreamPage, Offset: offset})
		}) {
			if err != nil {
				break // they are missed below
			}
			keep(&role)
		}
	} else {
		for _, name := range names {
			if role, err := ld.Roles.Get(ctx, name); err == nil {
				keep(role)
			}
		}
	}
	for _, name := range names {
		if r.roles[name] == nil {
			r.missing("role " + name)
		}
	}
}

// readAttributes reads the values of role attributes, if some role has any.
func (r *roleReader) readAttributes(ctx context.Context, ld *ldclient.Client) {
	uses := false
	for _, role := range r.roles {
		for _, s := range statementsIn(role) {
			uses = uses || policy.UsesAttributes(s)
		}
	}
	if r.member == nil || !uses {
		return
	}
	r.own = policy.Attributes{}
	maps.Copy(r.own, r.member.RoleAttributes)
	r.all = maps.Clone(r.own)
	for _, t := range r.member.Teams {
		got, err := ld.Teams.Attributes(ctx, t.Key)
		if err != nil {
			r.missing("role attributes of team " + t.Key)
			r.all = nil
			return
		}
		r.teams[t.Key] = got
		for key, values := range got {
			r.all[key] = append(slices.Clip(r.all[key]), values...)
		}
	}
}

func statementsIn(r *ldclient.Role) []policy.Statement {
	return slices.Concat(r.Policy, r.PresetStatements)
}

// role returns one role twice where it uses attributes: with the values of who
// was given it, and with all that the member has. Which of them LaunchDarkly
// takes is documented in both ways, and what one of them allows is shown.
func (r *roleReader) role(name string, attrs policy.Attributes) policy.Roles {
	role := r.roles[name]
	if role == nil {
		return policy.Roles{policy.Unread(name)}
	}
	reader, statements := role.BasePermissions != "no_access", statementsIn(role)
	if r.all == nil || !slices.ContainsFunc(statements, policy.UsesAttributes) {
		return policy.Roles{policy.NewRole(role.Key, reader, statements, nil)}
	}
	return policy.Roles{policy.NewRole(role.Key, reader, statements, attrs), policy.NewRole(role.Key, reader, statements, r.all)}
}

func (r *roleReader) ofToken() policy.Roles {
	switch t := r.token; {
	case t == nil && r.caller.TokenID == "" && len(r.caller.Scopes) > 0: // OAuth
		scope := slices.MaxFunc(r.caller.Scopes, func(a, b string) int { return cmp.Compare(standing(a), standing(b)) })
		return policy.Roles{policy.BuiltIn(scope)}
	case t == nil:
		return policy.Roles{policy.Unread("of the token")}
	case len(t.InlineRole) > 0:
		return policy.Roles{policy.NewRole(ownPolicy, true, t.InlineRole, r.all)}
	case len(t.CustomRoleIDs) > 0:
		var out policy.Roles
		for _, id := range t.CustomRoleIDs {
			out = append(out, r.role(id, r.own)...)
		}
		return out
	case t.Role == "":
		return policy.Roles{policy.Unread("of the token")}
	default:
		return policy.Roles{policy.BuiltIn(t.Role)}
	}
}

// standing orders built-in roles; one that is not known may allow the most.
func standing(role string) int {
	if i := slices.Index([]string{"no_access", "reader", "writer", "admin", "owner"}, role); i >= 0 {
		return i
	}
	return 5
}

func (r *roleReader) ofMember() policy.Roles {
	m := r.member
	if m == nil {
		return policy.Roles{policy.Unread("of the token's owner")}
	}
	var out policy.Roles
	if m.Role == "owner" || len(m.CustomRoles) == 0 { // other base roles are replaced
		out = append(out, policy.BuiltIn(m.Role))
	}
	for _, name := range m.CustomRoles {
		out = append(out, r.role(name, r.own)...)
	}
	for _, t := range m.Teams {
		for _, name := range t.CustomRoles {
			out = append(out, r.role(name, r.teams[t.Key])...)
		}
	}
	for _, g := range m.PermissionGrants {
		out = append(out, policy.Grant("permission grant", g.Actions, g.ActionSet, g.Resource))
	}
	return out
}

// ownPolicy stands for the name of a policy that is written into the token.
const ownPolicy = "inline policy"

// roleNames are the roles of the token, and of its owner if it has one, for people.
func (k *knowledge) roleNames() []string {
	names := func(rs policy.Roles, of string) []string {
		var out []string
		for _, r := range rs {
			if n := of + r.Name; !r.Unread && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
		return out
	}
	return append(names(k.who.Token, "token: "), names(k.who.Owner, "owner: ")...)
}

// because says which role or statement refuses an action, to go on after a
// subject has been named; at is the resource.
func (k *knowledge) because(action, at string, why policy.Reason) string {
	if why.Gate {
		action = "viewProject"
	}
	role, statement := k.who.Deciding(why)
	says := ""
	if statement != nil && statement.Effect == "deny" {
		says = fmt.Sprintf("%s denies %s on %s (statement %d)", named(role), action, where(*statement), why.Statement+1)
	} else {
		roles := k.who.Token
		if why.Owner {
			roles = k.who.Owner
		}
		says = fmt.Sprintf("%s allows %s", noneOf(roles), action)
		if at != "" && !why.Gate {
			says += " on " + at
		}
	}
	if why.Owner {
		says = "of the token's owner, " + says
	}
	if why.Gate {
		says += ", and what may not be viewed may not be changed"
	}
	return says
}

func named(r policy.Role) string {
	switch {
	case r.BuiltIn != "":
		return "the built-in role " + r.Name
	case r.Name == ownPolicy:
		return "the token's own policy"
	}
	return "role " + r.Name
}

// noneOf is the subject of a sentence that denies something of all roles.
func noneOf(rs policy.Roles) string {
	var out []string
	for _, r := range rs {
		if n := named(r); !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	switch {
	case len(out) == 1 && rs[0].BuiltIn != "":
		return "nothing in " + out[0]
	case len(out) == 1:
		return "no statement of " + out[0]
	case len(out) > 3:
		return fmt.Sprintf("none of %s and %d more roles", strings.Join(out[:3], ", "), len(out)-3)
	}
	return "none of " + strings.Join(out, ", ")
}

// where is what a statement is about.
func where(s policy.Statement) string {
	if len(s.NotResources) > 0 {
		return "all but " + short(strings.Join(s.NotResources, ", "), 120)
	}
	return short(strings.Join(s.Resources, ", "), 120)
}
