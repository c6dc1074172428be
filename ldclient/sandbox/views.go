package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// viewState is what a project has of them.
type viewState struct {
	Views     []*view // in order of creation
	FlagLinks []*flagLink
	Followers []follower
}

func (a *Account) viewRoutes() {
	const list = "/projects/{project}/views"
	a.route("GET "+list, a.listViews)
	a.route("POST "+list, a.createView)
	a.route("GET "+list+"/{view}", a.getView)
	a.route("PATCH "+list+"/{view}", a.updateView)
	a.route("DELETE "+list+"/{view}", a.deleteView)
	a.route("POST "+list+"/{view}/link/{type}", a.linkToView)
	a.route("DELETE "+list+"/{view}/link/{type}", a.unlinkFromView)
	a.route("GET "+list+"/{view}/linked/{type}", a.listLinked)
	a.route("GET /projects/{project}/view-associations/{type}/{resource}", a.listViewsOf)
	a.flagLinkRoutes()
	a.followerRoutes()
	a.applicationRoutes()
	a.invitationRoutes()
}

// view groups flags and segments of a project.
type view struct {
	ID       string
	Key      string
	Version  int
	Created  int64
	Updated  int64
	Flags    []linkedResource
	Segments []linkedResource
	viewSettings
}

// viewSettings is what a patch may change of a view.
type viewSettings struct {
	Name              string   `json:"name"`
	Description       string   `json:"description"`
	GenerateSDKKeys   bool     `json:"generateSdkKeys"`
	Archived          bool     `json:"archived"`
	Tags              []string `json:"tags"`
	MaintainerID      string   `json:"maintainerId,omitempty"`
	MaintainerTeamKey string   `json:"maintainerTeamKey,omitempty"`
}

// linkedResource is a flag, or a segment of an environment.
type linkedResource struct {
	Key string
	Env string // the environment's id
	At  int64
}

func (l linkedResource) same(o linkedResource) bool { return l.Key == o.Key && l.Env == o.Env }

func (p *project) view(key string) *view {
	i := slices.IndexFunc(p.Views, func(v *view) bool { return v.Key == key })
	if i < 0 {
		return nil
	}
	return p.Views[i]
}

// linked is what a view holds that still exists.
func (p *project) linked(v *view, kind string) []linkedResource {
	out := []linkedResource{}
	if kind == "flags" {
		for _, l := range v.Flags {
			if p.flag(l.Key) != nil {
				out = append(out, l)
			}
		}
		return out
	}
	for _, l := range v.Segments {
		if e := p.envByID(l.Env); e != nil && e.segment(l.Key) != nil {
			out = append(out, l)
		}
	}
	return out
}

func (p *project) envByID(id string) *environment {
	i := slices.IndexFunc(p.Envs, func(e *environment) bool { return e.ID == id })
	if i < 0 {
		return nil
	}
	return p.Envs[i]
}

// view finds the view named in the path; it answers and returns nil where there is none.
func (a *Account) view(w http.ResponseWriter, r *http.Request) (*project, *view) {
	return inPath(a, w, r, "view", "view", (*project).view)
}

// viewRep is a view with the parts that expand names.
func (a *Account) viewRep(p *project, v *view, expand string) map[string]any {
	rep := map[string]any{
		"id": v.ID, "accountId": accountID, "projectId": p.ID, "projectKey": p.Key, "key": v.Key, "name": v.Name, "description": v.Description,
		"generateSdkKeys": v.GenerateSDKKeys, "version": v.Version, "tags": filled(v.Tags), "createdAt": v.Created, "updatedAt": v.Updated,
		"archived": v.Archived, "deleted": false,
		"_links": links{"self": linkTo("projects", p.Key, "views", v.Key), "parent": linkTo("projects", p.Key)},
	}
	flags, segments := len(p.linked(v, "flags")), len(p.linked(v, "segments"))
	for field := range strings.SplitSeq(expand, ",") {
		switch field {
		case "flagsSummary":
			rep[field] = map[string]any{"count": flags}
		case "segmentsSummary":
			rep[field] = map[string]any{"count": segments}
		case "resourceSummary":
			rep[field] = map[string]any{"flagCount": flags, "segmentCount": segments, "totalCount": flags + segments}
		case "maintainer":
			if m := a.viewMaintainer(v); m != nil {
				rep[field] = m
			}
		}
	}
	return rep
}

func (a *Account) viewMaintainer(v *view) map[string]any {
	if m := a.member(v.MaintainerID); m != nil {
		return map[string]any{"id": m.ID, "kind": "member", "maintainerMember": map[string]any{"id": m.ID, "email": m.Email, "role": m.Role, "firstName": m.FirstName, "lastName": m.LastName}}
	}
	if t := a.team(v.MaintainerTeamKey); t != nil {
		return map[string]any{"id": t.Key, "kind": "team", "maintainerTeam": map[string]any{"id": t.Key, "key": t.Key, "name": t.Name}}
	}
	return nil
}

func (a *Account) member(id string) *member {
	i := slices.IndexFunc(a.members, func(m *member) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return a.members[i]
}

func (a *Account) listViews(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	list, err := found(r, p.Views, (*view).matches, viewSorts)
	if err != nil {
		badRequest(w, err)
		return
	}
	expand := r.URL.Query().Get("expand")
	sendPage(w, r, list, anyLimit, func(v *view) map[string]any { return a.viewRep(p, v, expand) })
}

func (v *view) matches(c condition) (bool, error) {
	switch c.field {
	case "key":
		return c.compare(v.Key)
	case "name":
		return c.compare(v.Name)
	case "maintainerId":
		return c.compare(v.MaintainerID)
	case "tag":
		return slices.ContainsFunc(c.values, func(tag string) bool { return hasTags(v.Tags, tag) }), nil
	case "isPayloadView":
		return c.compare(fmt.Sprint(v.GenerateSDKKeys))
	}
	return false, fmt.Errorf("invalid filter field %q", c.field)
}

var viewSorts = map[string]func(a, b *view) int{
	"key":       func(a, b *view) int { return cmp.Compare(a.Key, b.Key) },
	"name":      func(a, b *view) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
	"updatedAt": func(a, b *view) int { return cmp.Compare(a.Updated, b.Updated) },
}

func (a *Account) getView(w http.ResponseWriter, r *http.Request) {
	if p, v := a.view(w, r); v != nil {
		send(w, http.StatusOK, a.viewRep(p, v, r.URL.Query().Get("expand")))
	}
}

// check says what is wrong with a view's settings.
func (in viewSettings) check(a *Account) *apiError {
	switch {
	case strings.TrimSpace(in.Name) == "" || len(in.Name) > 256:
		return invalid("name must have 1 to 256 characters")
	case in.MaintainerID != "" && in.MaintainerTeamKey != "":
		return invalid("only one of maintainerId and maintainerTeamKey can be specified")
	case in.MaintainerID != "" && a.member(in.MaintainerID) == nil:
		return invalid("Unknown member %s", in.MaintainerID)
	case in.MaintainerTeamKey != "" && a.team(in.MaintainerTeamKey) == nil:
		return invalid("Unknown team %s", in.MaintainerTeamKey)
	}
	return nil
}

func (a *Account) createView(w http.ResponseWriter, r *http.Request) {
	p, key, in := posted[viewSettings](a, w, r)
	if p == nil {
		return
	}
	key = strings.ToLower(key) // as LaunchDarkly does without a word
	if err := in.check(a); err != nil {
		refuse(w, err)
		return
	}
	if p.view(key) != nil {
		refuse(w, conflict("A view with key %s already exists", key))
		return
	}
	in.Archived = false
	if in.MaintainerID == "" && in.MaintainerTeamKey == "" {
		if m := a.caller(r).Member; m != nil {
			in.MaintainerID = m.ID
		}
	}
	now := a.tick()
	v := &view{ID: a.uuid(), Key: key, Version: 1, Created: now, Updated: now, viewSettings: *in}
	p.Views = append(p.Views, v)
	a.recordView(r, p, v, "createView", "created the view", "", nil, a.viewVersion(p, v))
	send(w, http.StatusOK, a.viewRep(p, v, "maintainer"))
}

func (a *Account) updateView(w http.ResponseWriter, r *http.Request) {
	p, v := a.view(w, r)
	if v == nil {
		return
	}
	next := v.viewSettings
	var maintainer struct {
		Member string `json:"maintainerId"`
		Team   string `json:"maintainerTeamKey"`
	}
	var body json.RawMessage
	err := decodeBody(r, &body)
	if err == nil {
		next.Tags = slices.Clone(next.Tags)
		err = cmp.Or(json.Unmarshal(body, &next), json.Unmarshal(body, &maintainer))
	}
	if err != nil {
		badRequest(w, err)
		return
	}
	if maintainer.Member != "" || maintainer.Team != "" { // the one takes the place of the other
		next.MaintainerID, next.MaintainerTeamKey = maintainer.Member, maintainer.Team
	}
	if err := next.check(a); err != nil {
		refuse(w, err)
		return
	}
	before := a.viewVersion(p, v)
	v.viewSettings, v.Updated = next, a.tick()
	v.Version++
	a.recordView(r, p, v, "updateView", "updated the view", "", before, a.viewVersion(p, v))
	send(w, http.StatusOK, a.viewRep(p, v, "maintainer"))
}

func (a *Account) deleteView(w http.ResponseWriter, r *http.Request) {
	p, v := a.view(w, r)
	if v == nil {
		return
	}
	a.tick()
	a.recordView(r, p, v, "deleteView", "deleted the view", "", a.viewVersion(p, v), nil)
	p.Views = slices.DeleteFunc(p.Views, func(o *view) bool { return o == v })
	send(w, http.StatusNoContent, nil)
}

func (a *Account) viewVersion(p *project, v *view) json.RawMessage {
	return jsonValue(a.viewRep(p, v, "maintainer,resourceSummary"))
}

func (a *Account) recordView(r *http.Request, p *project, v *view, action, verb, comment string, before, after json.RawMessage) {
	a.record(r, change{Kind: "view", Name: v.Name, Resource: p.spec() + ":view/" + v.Key, Actions: []string{action}, Verb: verb, Comment: comment,
		Before: before, After: after, ParentName: p.Name, Parent: p.spec()})
}

func (a *Account) seedViews(shop *project, ago func(time.Duration) int64) {
	for _, s := range []struct {
		key, name, about string
		tags             []string
		member           int
		team             string
		flags, segments  []string
	}{
		{"checkout", "Checkout", "What the checkout team looks after", []string{"web"}, 0, "checkout", []string{"new-checkout", "payments-v2", "one-click-buy", "gift-cards"}, []string{"beta-testers"}},
		{"search", "Search", "Ranking and its kill switch", nil, 4, "", []string{"search-ranking", "search-kill-switch"}, nil},
		{"empty-shelf", "Empty shelf", "", nil, 1, "", nil, nil},
	} {
		at := ago(time.Duration(90-len(s.key)) * day)
		v := &view{ID: a.uuid(), Key: s.key, Version: 1, Created: at, Updated: at,
			viewSettings: viewSettings{Name: s.name, Description: s.about, Tags: s.tags, MaintainerTeamKey: s.team}}
		if s.team == "" {
			v.MaintainerID = a.members[s.member].ID
		}
		for _, key := range s.flags {
			v.Flags = append(v.Flags, linkedResource{Key: key, At: at})
		}
		for _, key := range s.segments {
			for _, env := range []string{"production", "test"} {
				v.Segments = append(v.Segments, linkedResource{Key: key, Env: shop.env(env).ID, At: at})
			}
		}
		shop.Views = append(shop.Views, v)
	}
	a.seedFlagLinks(shop, ago)
	a.seedFollowers(shop)
	a.seedApplications(ago)
}
