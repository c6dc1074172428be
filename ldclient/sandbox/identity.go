package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

func (a *Account) identityRoutes() {
	a.route("GET /", a.root).public = true
	a.route("GET /versions", a.versions).public = true
	a.route("GET /public-ip-list", a.publicIPs).public = true
	a.route("GET /caller-identity", a.callerIdentity)
	a.route("GET /members", a.listMembers)
	a.route("GET /members/me", a.me)
	a.route("GET /members/{member}", a.getMember)
	a.route("GET /teams", a.listTeams)
	a.route("GET /teams/{team}", a.getTeam)
	a.route("GET /teams/{team}/roles", a.teamRoles)
	a.route("GET /teams/{team}/maintainers", a.teamMaintainers)
	a.route("GET /roles", a.listRoles)
	a.route("GET /roles/{role}", a.getRole)
	a.route("GET /tokens", a.listTokens)
	a.route("GET /tokens/{token}", a.getToken)
}

func (a *Account) root(w http.ResponseWriter, r *http.Request) {
	l := links{"self": linkTo()}
	for _, name := range []string{"caller-identity", "projects", "flags", "segments", "auditlog", "members", "teams", "roles", "tokens", "versions"} {
		l[name] = linkTo(name)
	}
	send(w, http.StatusOK, map[string]any{"links": l})
}

func (a *Account) versions(w http.ResponseWriter, r *http.Request) {
	var valid []int
	for _, v := range apiVersions {
		n, _ := strconv.Atoi(v)
		valid = append(valid, n)
	}
	latest := valid[len(valid)-1]
	current := latest
	header := r.Header.Get("LD-API-Version")
	if n, err := strconv.Atoi(header); err == nil && slices.Contains(valid, n) {
		current = n
	}
	body := map[string]any{"validVersions": valid, "latestVersion": latest, "currentVersion": current}
	if header == "beta" {
		body["beta"] = true
	}
	send(w, http.StatusOK, body)
}

// The addresses are from the block that is set aside for documentation.
func (a *Account) publicIPs(w http.ResponseWriter, r *http.Request) {
	send(w, http.StatusOK, map[string]any{"addresses": []string{"192.0.2.0/24"}, "outboundAddresses": []string{"198.51.100.7/32"}})
}

func (a *Account) callerIdentity(w http.ResponseWriter, r *http.Request) {
	t := a.caller(r)
	body := map[string]any{
		"accountId": accountID, "authKind": "token", "tokenKind": "auth", "tokenName": t.Name, "tokenId": t.ID,
		"serviceToken": t.Member == nil, "scopes": []string{},
	}
	if t.Member != nil {
		body["memberId"] = t.Member.ID
	}
	send(w, http.StatusOK, body)
}

type memberSummary struct {
	Links     links  `json:"_links"`
	ID        string `json:"_id"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Role      string `json:"role"`
	Email     string `json:"email"`
}

func (m *member) summary() memberSummary {
	return memberSummary{links{"self": linkTo("members", m.ID)}, m.ID, m.FirstName, m.LastName, m.Role, m.Email}
}

type memberRep struct {
	memberSummary
	PendingInvite    bool              `json:"_pendingInvite"`
	Verified         bool              `json:"_verified"`
	CustomRoles      []string          `json:"customRoles"`
	MFA              string            `json:"mfa"`
	LastSeen         int64             `json:"_lastSeen"`
	Teams            []memberTeam      `json:"teams"`
	CreationDate     int64             `json:"creationDate"`
	PermissionGrants []Grant           `json:"permissionGrants"`
	RoleAttributes   policy.Attributes `json:"roleAttributes,omitempty"`
}

type memberTeam struct {
	Links          links    `json:"_links"`
	CustomRoleKeys []string `json:"customRoleKeys"`
	Key            string   `json:"key"`
	Name           string   `json:"name"`
}

func (a *Account) memberRep(m *member) memberRep {
	rep := memberRep{
		memberSummary: m.summary(), PendingInvite: m.Pending, Verified: !m.Pending, CustomRoles: filled(m.CustomRoles), MFA: "enabled",
		LastSeen: m.LastSeen, CreationDate: m.Created, Teams: []memberTeam{}, PermissionGrants: filled(m.Grants),
	}
	for _, key := range m.Teams {
		if t := a.team(key); t != nil {
			rep.Teams = append(rep.Teams, memberTeam{links{"self": linkTo("teams", key)}, filled(t.Roles), key, t.Name})
		}
	}
	return rep
}

func (a *Account) listMembers(w http.ResponseWriter, r *http.Request) {
	found, err := filterAndSort(r, a.members, a.memberMatches, memberSorts)
	if err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, found, 1000, a.memberRep)
}

func (a *Account) memberMatches(m *member, f fieldFilter) (bool, error) {
	oneOf := strings.Split(f.value, "|")
	switch f.field {
	case "query":
		return containsFold(m.FirstName+" "+m.LastName, f.value) || containsFold(m.Email, f.value), nil
	case "role":
		asked := m.Role
		if asked == "owner" { // the filter counts the owner among the admins
			asked = "admin"
		}
		return slices.Contains(oneOf, m.Role) || slices.Contains(oneOf, asked) || slices.ContainsFunc(m.CustomRoles, func(key string) bool { return slices.Contains(oneOf, key) }), nil
	case "id":
		return slices.Contains(oneOf, m.ID), nil
	case "email":
		return slices.Contains(oneOf, m.Email), nil
	case "team":
		return slices.ContainsFunc(m.Teams, func(key string) bool { return strings.EqualFold(key, f.value) }), nil
	case "noteam":
		return !slices.Contains(m.Teams, f.value), nil
	case "lastSeen":
		var when struct {
			Never, NoData bool
			Before        int64
		}
		if err := json.Unmarshal([]byte(f.value), &when); err != nil {
			return false, fmt.Errorf("invalid lastSeen filter %q", f.value)
		}
		return m.LastSeen == 0 && (when.Never || when.NoData) || m.LastSeen > 0 && m.LastSeen < when.Before, nil
	}
	return false, fmt.Errorf("invalid filter field %q", f.field)
}

var memberSorts = map[string]func(a, b *member) int{
	"displayName": func(a, b *member) int { return cmp.Compare(a.FirstName+a.LastName, b.FirstName+b.LastName) },
	"lastSeen":    func(a, b *member) int { return cmp.Compare(a.LastSeen, b.LastSeen) },
}

func (a *Account) me(w http.ResponseWriter, r *http.Request) {
	m := a.caller(r).Member
	if m == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown member")
		return
	}
	send(w, http.StatusOK, a.expandedMember(r, m))
}

// expandedMember is a member with the part that expand names.
func (a *Account) expandedMember(r *http.Request, m *member) memberRep {
	rep := a.memberRep(m)
	if r.URL.Query().Get("expand") == "roleAttributes" {
		rep.RoleAttributes = m.Attributes
	}
	return rep
}

func (a *Account) getMember(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(a.members, func(m *member) bool { return m.ID == r.PathValue("member") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown member")
		return
	}
	send(w, http.StatusOK, a.expandedMember(r, a.members[i]))
}

func (a *Account) team(key string) *team {
	i := slices.IndexFunc(a.teams, func(t *team) bool { return t.Key == key })
	if i < 0 {
		return nil
	}
	return a.teams[i]
}

func (a *Account) role(keyOrID string) *role {
	i := slices.IndexFunc(a.roles, func(r *role) bool { return r.Key == keyOrID || r.ID == keyOrID })
	if i < 0 {
		return nil
	}
	return a.roles[i]
}

func (a *Account) teamMembers(key string) []*member {
	var out []*member
	for _, m := range a.members {
		if slices.Contains(m.Teams, key) {
			out = append(out, m)
		}
	}
	return out
}

// teamRep is a team with the parts that expand names.
func (a *Account) teamRep(t *team, expand string) map[string]any {
	rep := map[string]any{
		"key": t.Key, "name": t.Name, "description": t.Description, "_creationDate": t.Created, "_lastModified": t.Created,
		"_version": 1, "_idpSynced": false, "_links": links{"self": linkTo("teams", t.Key), "roles": linkTo("teams", t.Key, "roles")},
	}
	for field := range strings.SplitSeq(expand, ",") {
		switch field {
		case "members":
			rep["members"] = map[string]any{"totalCount": len(a.teamMembers(t.Key))}
		case "roles":
			rep["roles"] = map[string]any{"totalCount": len(t.Roles), "items": a.teamRoleReps(t), "_links": links{"self": linkTo("teams", t.Key, "roles")}}
		case "maintainers":
			rep["maintainers"] = map[string]any{"totalCount": len(t.Maintainers), "items": summaries(t.Maintainers), "_links": links{"self": linkTo("teams", t.Key, "maintainers")}}
		case "roleAttributes":
			rep["roleAttributes"] = filledAttributes(t.Attributes)
		case "projects":
			rep["projects"] = map[string]any{"totalCount": 0, "items": []any{}}
		}
	}
	return rep
}

type teamRole struct {
	Key       string `json:"key"`
	Name      string `json:"name"`
	AppliedOn int64  `json:"appliedOn"`
}

func (a *Account) teamRoleReps(t *team) []teamRole {
	out := []teamRole{}
	for _, key := range t.Roles {
		if r := a.role(key); r != nil {
			out = append(out, teamRole{r.Key, r.Name, t.Created})
		}
	}
	return out
}

func summaries(members []*member) []memberSummary {
	out := make([]memberSummary, len(members))
	for i, m := range members {
		out[i] = m.summary()
	}
	return out
}

func (a *Account) listTeams(w http.ResponseWriter, r *http.Request) {
	found, err := filterAndSort(r, a.teams, a.teamMatches, nil)
	if err != nil {
		badRequest(w, err)
		return
	}
	expand := r.URL.Query().Get("expand")
	sendPage(w, r, found, 100, func(t *team) map[string]any { return a.teamRep(t, expand) })
}

func (a *Account) teamMatches(t *team, f fieldFilter) (bool, error) {
	switch f.field {
	case "query":
		return containsFold(t.Key, f.value) || containsFold(t.Name, f.value), nil
	case "nomembers":
		return (len(a.teamMembers(t.Key)) == 0) == (f.value == "true"), nil
	}
	return false, fmt.Errorf("invalid filter field %q", f.field)
}

func (a *Account) namedTeam(w http.ResponseWriter, r *http.Request) *team {
	t := a.team(r.PathValue("team"))
	if t == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown team")
	}
	return t
}

func (a *Account) getTeam(w http.ResponseWriter, r *http.Request) {
	if t := a.namedTeam(w, r); t != nil {
		send(w, http.StatusOK, a.teamRep(t, r.URL.Query().Get("expand")))
	}
}

func (a *Account) teamRoles(w http.ResponseWriter, r *http.Request) {
	if t := a.namedTeam(w, r); t != nil {
		sendPage(w, r, a.teamRoleReps(t), 100, func(t teamRole) teamRole { return t })
	}
}

func (a *Account) teamMaintainers(w http.ResponseWriter, r *http.Request) {
	if t := a.namedTeam(w, r); t != nil {
		sendPage(w, r, t.Maintainers, 100, (*member).summary)
	}
}

type roleRep struct {
	Links           links           `json:"_links"`
	ID              string          `json:"_id"`
	Key             string          `json:"key"`
	Name            string          `json:"name"`
	Description     string          `json:"description,omitempty"`
	BasePermissions string          `json:"basePermissions"`
	Category        string          `json:"resourceCategory"`
	Policy          json.RawMessage `json:"policy"`
	AssignedTo      struct {
		Members int `json:"membersCount"`
		Teams   int `json:"teamsCount"`
	} `json:"assignedTo"`
}

func (a *Account) roleRep(x *role) roleRep {
	rep := roleRep{
		Links: links{"self": linkTo("roles", x.Key)}, ID: x.ID, Key: x.Key, Name: x.Name, Description: x.Description,
		BasePermissions: x.BasePermissions, Category: "any", Policy: x.Policy,
	}
	for _, m := range a.members {
		if slices.Contains(m.CustomRoles, x.Key) || slices.Contains(m.CustomRoles, x.ID) {
			rep.AssignedTo.Members++
		}
	}
	for _, t := range a.teams {
		if slices.Contains(t.Roles, x.Key) {
			rep.AssignedTo.Teams++
		}
	}
	return rep
}

func (a *Account) listRoles(w http.ResponseWriter, r *http.Request) {
	sendPage(w, r, a.roles, anyLimit, a.roleRep)
}

func (a *Account) getRole(w http.ResponseWriter, r *http.Request) {
	x := a.role(r.PathValue("role"))
	if x == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown custom role")
		return
	}
	send(w, http.StatusOK, a.roleRep(x))
}

func (a *Account) tokenRep(t *token) map[string]any {
	owner := cmp.Or(t.Member, a.members[0])
	rep := map[string]any{
		"_links": links{"self": linkTo("tokens", t.ID)}, "_id": t.ID, "ownerId": owner.ID, "memberId": owner.ID, "_member": owner.summary(),
		"name": t.Name, "role": t.Role, "token": t.Ending, "serviceToken": t.Member == nil, "defaultApiVersion": 20240415,
		"creationDate": t.Created, "lastModified": t.Created, "lastUsed": t.LastUsed,
	}
	switch {
	case len(t.InlineRole) > 0:
		rep["inlineRole"] = t.InlineRole
		delete(rep, "role")
	case len(t.CustomRoleIDs) > 0:
		rep["customRoleIds"] = t.CustomRoleIDs
		delete(rep, "role")
	}
	return rep
}

// listTokens shows the caller's own personal tokens and all service tokens, or everyone's to an admin who asks for them.
func (a *Account) listTokens(w http.ResponseWriter, r *http.Request) {
	caller := a.caller(r)
	all := r.URL.Query().Get("showAll") == "true" && (caller.Role == "admin" || caller.Role == "owner")
	var found []*token
	for _, t := range a.tokens {
		if all || t.Member == nil || t.Member == caller.Member {
			found = append(found, t)
		}
	}
	sendPage(w, r, found, anyLimit, a.tokenRep)
}

func (a *Account) getToken(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(a.tokens, func(t *token) bool { return t.ID == r.PathValue("token") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown access token")
		return
	}
	send(w, http.StatusOK, a.tokenRep(a.tokens[i]))
}
