package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"
)

func (a *Account) flagLinkRoutes() {
	const list = "/flag-links/projects/{project}/flags/{flag}"
	a.route("GET "+list, a.listFlagLinks)
	a.route("POST "+list, a.createFlagLink)
	a.route("PATCH "+list+"/{link}", a.updateFlagLink)
	a.route("DELETE "+list+"/{link}", a.deleteFlagLink)
}

// flagLink leads from a flag to something outside.
type flagLink struct {
	ID          string
	Key         string
	Flag        string
	Integration string
	Created     int64
	Timestamp   int64
	Metadata    map[string]string
	Member      *member
	flagLinkSettings
}

// flagLinkSettings is what a JSON Patch may change of a link.
type flagLinkSettings struct {
	DeepLink    string `json:"deepLink"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

func (in flagLinkSettings) check() *apiError {
	if u, err := url.Parse(in.DeepLink); err != nil || u.Host == "" || len(in.DeepLink) > 2048 {
		return invalid("deepLink must be a URL")
	}
	return nil
}

type flagLinkRep struct {
	Links       links             `json:"_links"`
	ID          string            `json:"_id"`
	Key         string            `json:"_key,omitempty"`
	Integration string            `json:"_integrationKey,omitempty"`
	DeepLink    string            `json:"_deepLink"`
	Timestamp   timestampRep      `json:"_timestamp"`
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"_metadata,omitempty"`
	Created     int64             `json:"_createdAt"`
	Member      *flagLinkMember   `json:"_member,omitempty"`
}

type timestampRep struct {
	Millis  int64  `json:"milliseconds"`
	Seconds int64  `json:"seconds"`
	RFC3339 string `json:"rfc3339"`
	Simple  string `json:"simple"`
}

type flagLinkMember struct {
	Links     links  `json:"_links"`
	ID        string `json:"_id"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
}

func (l *flagLink) rep(p *project) flagLinkRep {
	at := time.UnixMilli(l.Timestamp).UTC()
	rep := flagLinkRep{
		Links: links{"self": linkTo("flag-links", "projects", p.Key, "flags", l.Flag, l.ID), "parent": linkTo("flag-links", "projects", p.Key, "flags", l.Flag)},
		ID:    l.ID, Key: l.Key, Integration: l.Integration, DeepLink: l.DeepLink, Title: l.Title, Description: l.Description, Metadata: l.Metadata, Created: l.Created,
		Timestamp: timestampRep{l.Timestamp, at.Unix(), at.Format(time.RFC3339), at.Format(time.DateTime)},
	}
	if m := l.Member; m != nil {
		rep.Member = &flagLinkMember{links{"self": linkTo("members", m.ID)}, m.ID, m.FirstName, m.LastName}
	}
	return rep
}

func (a *Account) listFlagLinks(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	items := []flagLinkRep{}
	for _, l := range p.FlagLinks {
		if l.Flag == f.Key {
			items = append(items, l.rep(p))
		}
	}
	send(w, http.StatusOK, map[string]any{"items": items, "_links": links{"self": requestLink(r, r.URL.Query())}})
}

func (a *Account) createFlagLink(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	var in struct {
		Key         string            `json:"key"`
		Integration string            `json:"integrationKey"`
		Timestamp   int64             `json:"timestamp"`
		Metadata    map[string]string `json:"metadata"`
		flagLinkSettings
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	if err := in.check(); err != nil {
		refuse(w, err)
		return
	}
	if in.Key != "" && slices.ContainsFunc(p.FlagLinks, func(l *flagLink) bool { return l.Flag == f.Key && l.Key == in.Key }) {
		refuse(w, conflict("A flag link with key %s already exists", in.Key))
		return
	}
	now := a.tick()
	l := &flagLink{ID: a.objectID(), Flag: f.Key, Integration: in.Integration, Created: now, Timestamp: cmp.Or(in.Timestamp, now), Metadata: in.Metadata,
		Member: a.caller(r).Member, flagLinkSettings: in.flagLinkSettings}
	l.Key = cmp.Or(in.Key, l.ID)
	p.FlagLinks = append(p.FlagLinks, l)
	a.recordFlagLink(r, p, f, "createFlagLink", "added a link to the flag", nil, jsonValue(l.rep(p)))
	send(w, http.StatusCreated, l.rep(p))
}

// flagLink finds the link named in the path; it answers and returns nil where there is none.
func (a *Account) flagLink(w http.ResponseWriter, r *http.Request) (*project, *flag, *flagLink) {
	p, f := a.flag(w, r)
	if f == nil {
		return nil, nil, nil
	}
	i := slices.IndexFunc(p.FlagLinks, func(l *flagLink) bool { return l.Flag == f.Key && l.ID == r.PathValue("link") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown flag link "+r.PathValue("link"))
		return p, f, nil
	}
	return p, f, p.FlagLinks[i]
}

func (a *Account) updateFlagLink(w http.ResponseWriter, r *http.Request) {
	p, f, l := a.flagLink(w, r)
	if l == nil {
		return
	}
	before, next := jsonValue(l.rep(p)), l.flagLinkSettings
	if _, err := patchDocument(r, &next); err != nil {
		failPatch(w, err)
		return
	}
	if err := next.check(); err != nil {
		refuse(w, err)
		return
	}
	a.tick()
	l.flagLinkSettings = next
	a.recordFlagLink(r, p, f, "updateFlagLink", "changed a link of the flag", before, jsonValue(l.rep(p)))
	send(w, http.StatusOK, l.rep(p))
}

func (a *Account) deleteFlagLink(w http.ResponseWriter, r *http.Request) {
	p, f, l := a.flagLink(w, r)
	if l == nil {
		return
	}
	a.tick()
	p.FlagLinks = slices.DeleteFunc(p.FlagLinks, func(o *flagLink) bool { return o == l })
	a.recordFlagLink(r, p, f, "deleteFlagLink", "removed a link of the flag", jsonValue(l.rep(p)), nil)
	send(w, http.StatusNoContent, nil)
}

func (a *Account) recordFlagLink(r *http.Request, p *project, f *flag, action, verb string, before, after json.RawMessage) {
	a.record(r, change{Kind: "flag-link", Name: f.Name, Resource: p.spec() + ":env/*:flag/" + f.Key, Actions: []string{action}, Verb: verb,
		Before: before, After: after, ParentName: p.Name, Parent: p.spec()})
}

func (a *Account) seedFlagLinks(shop *project, ago func(time.Duration) int64) {
	for i, s := range []flagLink{
		{Flag: "new-checkout", flagLinkSettings: flagLinkSettings{"https://wiki.example.com/checkout", "Design of the new checkout", "Why, for whom, how it is measured"}},
		{Flag: "new-checkout", Integration: "tracker", Metadata: map[string]string{"issue": "SHOP-1204"}, flagLinkSettings: flagLinkSettings{"https://tracker.example.com/SHOP-1204", "SHOP-1204", ""}},
		{Flag: "search-ranking", flagLinkSettings: flagLinkSettings{"https://dash.example.com/search?range=7d", "Ranking dashboard", ""}},
	} {
		l := s
		l.ID, l.Created, l.Member = a.objectID(), ago(time.Duration(60-i)*day), a.members[1]
		l.Key, l.Timestamp = l.ID, l.Created
		shop.FlagLinks = append(shop.FlagLinks, &l)
	}
}
