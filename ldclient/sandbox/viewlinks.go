package sandbox

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// viewLinks is what a request wants linked or unlinked.
type viewLinks struct {
	Keys     []string `json:"keys"`
	Segments []struct {
		Env string `json:"environmentId"`
		Key string `json:"segmentKey"`
	} `json:"segmentIdentifiers"`
	Filter  string `json:"filter"`
	Env     string `json:"environmentId"`
	Comment string `json:"comment"`
}

type failedLink struct {
	Key     string `json:"resourceKey"`
	Env     string `json:"environmentId,omitempty"`
	Type    string `json:"resourceType"`
	Message string `json:"errorMessage"`
}

func (a *Account) linkToView(w http.ResponseWriter, r *http.Request)     { a.changeLinks(w, r, true) }
func (a *Account) unlinkFromView(w http.ResponseWriter, r *http.Request) { a.changeLinks(w, r, false) }

func (a *Account) changeLinks(w http.ResponseWriter, r *http.Request, link bool) {
	p, v := a.view(w, r)
	if v == nil {
		return
	}
	kind := linkType(w, r)
	if kind == "" {
		return
	}
	var in viewLinks
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	wanted, failed, bad := p.wantedLinks(in, kind)
	if bad != nil {
		refuse(w, bad)
		return
	}
	before, now := a.viewVersion(p, v), a.tick()
	held := &v.Flags
	if kind == "segments" {
		held = &v.Segments
	}
	next := slices.Clone(*held)
	for _, l := range wanted {
		at := slices.IndexFunc(next, l.same)
		switch {
		case link && at < 0:
			l.At = now
			next = append(next, l)
		case !link && at >= 0:
			next = slices.Delete(next, at, at+1)
		}
	}
	if len(next) != len(*held) {
		*held = next
		v.Updated = now
		v.Version++
		thing := map[string]string{"flags": "Flag", "segments": "Segment"}[kind]
		action, verb := "link"+thing+"ToView", "linked "+kind+" to the view"
		if !link {
			action, verb = "unlink"+thing+"FromView", "unlinked "+kind+" from the view"
		}
		a.recordView(r, p, v, action, verb, in.Comment, before, a.viewVersion(p, v))
	}
	send(w, http.StatusOK, map[string]any{"successCount": len(wanted), "failureCount": len(failed), "failedResources": failed})
}

// linkType is the type in the path; it answers and returns "" where that is none.
func linkType(w http.ResponseWriter, r *http.Request) string {
	kind := r.PathValue("type")
	if kind != "flags" && kind != "segments" {
		refuse(w, invalid("invalid resource type %q: it is flags or segments", kind))
		return ""
	}
	return kind
}

// wantedLinks finds what a request names, by keys, by a filter or by both.
func (p *project) wantedLinks(in viewLinks, kind string) (wanted []linkedResource, failed []failedLink, bad *apiError) {
	failed = []failedLink{}
	if len(in.Keys)+len(in.Segments) == 0 && in.Filter == "" {
		return nil, nil, invalid("one of keys, segmentIdentifiers and filter is required")
	}
	if kind == "flags" {
		if len(in.Segments) > 0 {
			return nil, nil, invalid("segmentIdentifiers are not flags")
		}
		for _, key := range in.Keys {
			if p.flag(key) == nil {
				failed = append(failed, failedLink{Key: key, Type: "flag", Message: "flag not found"})
				continue
			}
			wanted = append(wanted, linkedResource{Key: key})
		}
		more, err := p.flagsOf(in.Filter)
		if err != nil {
			return nil, nil, invalid("%v", err)
		}
		return append(wanted, more...), failed, nil
	}
	if len(in.Keys) > 0 {
		return nil, nil, invalid("segments are named by segmentIdentifiers")
	}
	for _, s := range in.Segments {
		if e := p.envByID(s.Env); e == nil || e.segment(s.Key) == nil {
			failed = append(failed, failedLink{Key: s.Key, Env: s.Env, Type: "segment", Message: "segment not found"})
			continue
		}
		wanted = append(wanted, linkedResource{Key: s.Key, Env: s.Env})
	}
	if in.Filter == "" {
		return wanted, failed, nil
	}
	e := p.envByID(in.Env)
	if e == nil {
		return nil, nil, invalid("environmentId is required with a filter for segments")
	}
	filter, err := parseExpression(in.Filter)
	for _, s := range e.Segments {
		var ok bool
		if err == nil {
			ok, err = filter.match(s.matches)
		}
		if ok {
			wanted = append(wanted, linkedResource{Key: s.Key, Env: e.ID})
		}
	}
	if err != nil {
		return nil, nil, invalid("%v", err)
	}
	return wanted, failed, nil
}

// flagsOf finds the flags that a filter holds for, none where there is no filter.
func (p *project) flagsOf(filter string) ([]linkedResource, error) {
	if filter == "" {
		return nil, nil
	}
	fields, err := parseFields(filter)
	if err != nil {
		return nil, err
	}
	scope := flagScope{env: fieldValue(fields, "filterEnv"), state: fieldValue(fields, "state"), archived: fieldValue(fields, "archived")}
	if err := scope.check(fields); err != nil {
		return nil, err
	}
	var out []linkedResource
	for _, f := range p.Flags {
		ok := scope.covers(f)
		for _, by := range fields {
			if ok {
				if ok, err = scope.holds(f, by); err != nil {
					return nil, err
				}
			}
		}
		if ok {
			out = append(out, linkedResource{Key: f.Key})
		}
	}
	return out, nil
}

type linkedRep struct {
	Links    links  `json:"_links"`
	Key      string `json:"resourceKey"`
	EnvID    string `json:"environmentId,omitempty"`
	Env      string `json:"environmentKey,omitempty"`
	Type     string `json:"resourceType"`
	LinkedAt int64  `json:"linkedAt"`
}

func (a *Account) listLinked(w http.ResponseWriter, r *http.Request) {
	p, v := a.view(w, r)
	if v == nil {
		return
	}
	kind := linkType(w, r)
	if kind == "" {
		return
	}
	found := slices.DeleteFunc(p.linked(v, kind), func(l linkedResource) bool { return !containsFold(l.Key, r.URL.Query().Get("query")) })
	if err := sortItems(found, r.URL.Query().Get("sort"), linkedSorts); err != nil {
		badRequest(w, err)
		return
	}
	parent := linkTo("projects", p.Key, "views", v.Key)
	sendPage(w, r, found, anyLimit, func(l linkedResource) linkedRep {
		rep := linkedRep{Links: links{"parent": parent, "self": linkTo("flags", p.Key, l.Key)}, Key: l.Key, Type: "flag", LinkedAt: l.At}
		if e := p.envByID(l.Env); e != nil {
			rep.Links["self"] = linkTo("segments", p.Key, e.Key, l.Key)
			rep.EnvID, rep.Env, rep.Type = e.ID, e.Key, "segment"
		}
		return rep
	})
}

var linkedSorts = map[string]func(a, b linkedResource) int{
	"linkedAt": func(a, b linkedResource) int { return cmp.Compare(a.At, b.At) },
	"name":     func(a, b linkedResource) int { return strings.Compare(a.Key, b.Key) },
}

// listViewsOf lists the views that hold one flag or segment.
func (a *Account) listViewsOf(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	of := linkedResource{Key: r.PathValue("resource"), Env: r.URL.Query().Get("environmentId")}
	kind := linkType(w, r)
	switch {
	case kind == "":
		return
	case kind == "flags" && p.flag(of.Key) == nil:
		fail(w, http.StatusNotFound, "not_found", "Unknown flag key "+of.Key)
		return
	case kind == "flags":
		of.Env = ""
	case of.Env == "":
		refuse(w, invalid("environmentId is required for segments"))
		return
	default:
		if e := p.envByID(of.Env); e == nil || e.segment(of.Key) == nil {
			fail(w, http.StatusNotFound, "not_found", "Unknown segment "+of.Key)
			return
		}
	}
	var found []*view
	for _, v := range p.Views {
		if slices.ContainsFunc(p.linked(v, kind), of.same) {
			found = append(found, v)
		}
	}
	sendPage(w, r, found, anyLimit, func(v *view) map[string]any { return a.viewRep(p, v, "") })
}
