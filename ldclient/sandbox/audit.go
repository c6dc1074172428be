package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

const (
	accountID   = "5f0c1e7a9b3d2f4860a1b2c3"
	accountName = "Sandbox"

	defaultAuditLimit = 10
	maxAuditLimit     = 20
)

func (a *Account) auditRoutes() {
	a.route("GET /auditlog", a.listAudit)
	a.route("POST /auditlog", a.searchAudit)
	a.route("POST /auditlog/counts", a.countAudit)
	a.route("GET /auditlog/{entry}", a.getAudit)
}

// record adds a change to the audit log. r is nil where a.actor made the change.
func (a *Account) record(r *http.Request, c change) {
	tok := a.actor
	if r != nil {
		tok = a.caller(r)
	}
	e := &auditEntry{ID: a.objectID(), change: c, Token: tok, Date: a.past}
	if e.Date == 0 {
		if n := len(a.audit); n == 0 || a.audit[n-1].Date >= a.last {
			a.tick()
		}
		e.Date = a.last
	}
	if tok != nil {
		e.Member = tok.Member
	}
	a.audit = append(a.audit, e)
}

type auditRep struct {
	Links            links        `json:"_links"`
	ID               string       `json:"_id"`
	AccountID        string       `json:"_accountId"`
	Date             int64        `json:"date"`
	Accesses         []access     `json:"accesses"`
	Kind             string       `json:"kind"`
	Name             string       `json:"name"`
	Description      string       `json:"description"`
	ShortDescription string       `json:"shortDescription"`
	Comment          string       `json:"comment,omitempty"`
	Subject          *auditPerson `json:"subject,omitempty"`
	Member           *auditMember `json:"member,omitempty"`
	Token            *auditToken  `json:"token,omitempty"`
	TitleVerb        string       `json:"titleVerb"`
	Title            string       `json:"title"`
	Target           auditTarget  `json:"target"`
	Parent           *auditParent `json:"parent,omitempty"`

	PreviousVersion json.RawMessage `json:"previousVersion,omitempty"`
	CurrentVersion  json.RawMessage `json:"currentVersion,omitempty"`
	Subentries      []auditRep      `json:"subentries,omitempty"`
}

type access struct {
	Action   string `json:"action"`
	Resource string `json:"resource"`
}

type auditPerson struct {
	Links links  `json:"_links"`
	Name  string `json:"name"`
}

type auditMember struct {
	Links     links  `json:"_links"`
	ID        string `json:"_id"`
	Email     string `json:"email"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
}

type auditToken struct {
	Links        links  `json:"_links"`
	ID           string `json:"_id"`
	Name         string `json:"name"`
	Ending       string `json:"ending"`
	ServiceToken bool   `json:"serviceToken"`
}

type auditTarget struct {
	Links     links    `json:"_links"`
	Name      string   `json:"name"`
	Resources []string `json:"resources"`
}

type auditParent struct {
	Links    links  `json:"_links"`
	Name     string `json:"name"`
	Resource string `json:"resource"`
}

func (e *auditEntry) accesses() []access {
	out := make([]access, len(e.Actions))
	for i, action := range e.Actions {
		out[i] = access{action, e.Resource}
	}
	return out
}

func (e *auditEntry) rep() auditRep {
	rep := auditRep{
		Links: links{
			"self":      linkTo("auditlog", e.ID),
			"canonical": resourceLink(e.Resource),
		},
		ID: e.ID, AccountID: accountID, Date: e.Date, Accesses: e.accesses(), Kind: e.Kind, Name: e.Name,
		Description: e.Text, ShortDescription: e.Text, Comment: e.Comment, TitleVerb: e.Verb,
		Target: auditTarget{links{"canonical": resourceLink(e.Resource)}, e.Name, []string{e.Resource}},
	}
	actor := "A service token"
	if m := e.Member; m != nil {
		self := links{"self": linkTo("members", m.ID)}
		actor = "[" + m.FirstName + " " + m.LastName + "](mailto:" + m.Email + ")"
		rep.Member = &auditMember{self, m.ID, m.Email, m.FirstName, m.LastName}
		rep.Subject = &auditPerson{self, m.FirstName + " " + m.LastName}
	}
	if t := e.Token; t != nil {
		rep.Token = &auditToken{links{"self": linkTo("tokens", t.ID)}, t.ID, t.Name, t.Ending, t.Member == nil}
	}
	rep.Title = actor + " " + e.Verb + " " + e.Name
	if e.Parent != "" {
		rep.Links["parent"] = resourceLink(e.Parent)
		rep.Parent = &auditParent{links{"canonical": resourceLink(e.Parent)}, e.ParentName, e.Parent}
	}
	return rep
}

// resourceLink is where the resource of a specifier is read.
func resourceLink(resource string) link {
	var names, kinds []string
	for part := range strings.SplitSeq(resource, ":") {
		kind, name, _ := strings.Cut(part, "/")
		kinds, names = append(kinds, kind), append(names, name)
	}
	switch strings.Join(kinds, ":") {
	case "proj":
		return linkTo("projects", names[0])
	case "proj:env":
		return linkTo("projects", names[0], "environments", names[1])
	case "proj:env:flag":
		return linkTo("flags", names[0], names[2])
	case "proj:env:segment":
		return linkTo("segments", names[0], names[1], names[2])
	case "proj:aiconfig":
		return linkTo("projects", names[0], "ai-configs", names[1])
	case "proj:env:aiconfig":
		return linkTo("projects", names[0], "ai-configs", names[2], "targeting")
	case "member", "team", "role":
		return linkTo(kinds[0]+"s", names[0])
	}
	return linkTo()
}

// auditQuery is what the list and the search have in common.
type auditQuery struct {
	before, after int64 // exclusive; 0 is none
	q             string
	limit         int
}

func readAuditQuery(r *http.Request) (auditQuery, error) {
	q := auditQuery{q: r.URL.Query().Get("q"), limit: defaultAuditLimit}
	var err error
	if q.before, err = millisParam(r, "before"); err != nil {
		return q, err
	}
	if q.after, err = millisParam(r, "after"); err != nil {
		return q, err
	}
	if s := r.URL.Query().Get("limit"); s != "" {
		q.limit, err = strconv.Atoi(s)
		if err != nil || q.limit < 1 || q.limit > maxAuditLimit {
			return q, fmt.Errorf("invalid limit %q: it must be between 1 and %d", s, maxAuditLimit)
		}
	}
	return q, nil
}

func millisParam(r *http.Request, name string) (int64, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("invalid %s %q: expected epoch milliseconds", name, s)
	}
	return n, nil
}

// find returns the entries that match, newest first.
func (q auditQuery) find(a *Account, shows func(access) bool) []*auditEntry {
	var out []*auditEntry
	for _, e := range slices.Backward(a.audit) {
		if q.before > 0 && e.Date >= q.before || q.after > 0 && e.Date <= q.after {
			continue
		}
		if containsFold(e.Name, q.q) && slices.ContainsFunc(e.accesses(), shows) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b *auditEntry) int { return int(b.Date - a.Date) })
	return out
}

func (q auditQuery) send(w http.ResponseWriter, r *http.Request, found []*auditEntry) {
	l := links{"self": requestLink(r, r.URL.Query())}
	shown := found[:min(q.limit, len(found))]
	if len(found) > len(shown) {
		next := r.URL.Query()
		next.Set("before", strconv.FormatInt(shown[len(shown)-1].Date, 10))
		next.Set("limit", strconv.Itoa(q.limit))
		l["next"] = requestLink(r, next)
	}
	reps := make([]auditRep, len(shown))
	for i, e := range shown {
		reps[i] = e.rep()
	}
	send(w, http.StatusOK, map[string]any{"items": reps, "_links": l})
}

func (a *Account) listAudit(w http.ResponseWriter, r *http.Request) {
	q, err := readAuditQuery(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	var spec policy.Specifier // names everything
	if s := r.URL.Query().Get("spec"); s != "" {
		if spec, err = policy.ParseSpecifier(s); err != nil {
			badRequest(w, err)
			return
		}
	}
	q.send(w, r, q.find(a, func(x access) bool { return a.names(spec, x.Resource) }))
}

func (a *Account) searchAudit(w http.ResponseWriter, r *http.Request) {
	q, err := readAuditQuery(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	shows, err := a.readStatements(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	q.send(w, r, q.find(a, shows))
}

// readStatements reads the policy in the body; none allows everything.
func (a *Account) readStatements(r *http.Request) (func(access) bool, error) {
	var p query
	if r.ContentLength != 0 {
		if err := decodeBody(r, &p); err != nil {
			return nil, err
		}
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return func(x access) bool { return p.wants(a, x) }, nil
}

func (a *Account) countAudit(w http.ResponseWriter, r *http.Request) {
	q, err := readAuditQuery(&http.Request{URL: withoutLimit(r.URL)})
	if err == nil && r.URL.Query().Get("after") == "" {
		err = errors.New("missing parameter after")
	}
	buckets := 50
	if s := r.URL.Query().Get("buckets"); err == nil && s != "" {
		if buckets, err = strconv.Atoi(s); err != nil || buckets < 1 || buckets > 500 {
			err = fmt.Errorf("invalid buckets %q: it must be between 1 and 500", s)
		}
	}
	if q.before == 0 {
		q.before = a.now().UnixMilli() + 1
	}
	if err == nil && q.before <= q.after {
		err = errors.New("before must be later than after")
	}
	if err != nil {
		badRequest(w, err)
		return
	}
	shows, err := a.readStatements(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	type bucket struct {
		Timestamp int64 `json:"timestamp"`
		Count     int   `json:"count"`
	}
	interval := max((q.before-q.after+int64(buckets)-1)/int64(buckets), 1)
	list := make([]bucket, buckets)
	for i := range list {
		list[i].Timestamp = q.after + int64(i)*interval
	}
	found := q.find(a, shows)
	for _, e := range found {
		list[(e.Date-q.after)/interval].Count++
	}
	send(w, http.StatusOK, map[string]any{"buckets": list, "totalCount": len(found), "bucketIntervalMs": interval})
}

func withoutLimit(u *url.URL) *url.URL {
	q := u.Query()
	q.Del("limit")
	return &url.URL{RawQuery: q.Encode()}
}

func (a *Account) getAudit(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(a.audit, func(e *auditEntry) bool { return e.ID == r.PathValue("entry") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown audit log entry")
		return
	}
	e := a.audit[i]
	rep := e.rep()
	rep.PreviousVersion, rep.CurrentVersion = e.Before, e.After
	if e.Versions != nil {
		rep.PreviousVersion, rep.CurrentVersion = e.Versions()
	}
	send(w, http.StatusOK, rep)
}
