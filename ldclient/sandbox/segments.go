package sandbox

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
)

func (a *Account) segmentRoutes() {
	a.route("GET /segments/{project}/{environment}", a.listSegments)
	a.route("POST /segments/{project}/{environment}", a.createSegment)
	a.route("GET /segments/{project}/{environment}/{segment}", a.getSegment)
	a.route("PATCH /segments/{project}/{environment}/{segment}", a.patchSegment)
	a.route("DELETE /segments/{project}/{environment}/{segment}", a.deleteSegment)
	a.route("POST /segments/{project}/{environment}/{segment}/contexts", a.updateBigSegment)
	a.route("GET /segments/{project}/{environment}/{segment}/contexts/{context}", a.bigSegmentMember)
	a.route("POST /segments/{project}/{environment}/{segment}/imports", a.importBigSegment)
	a.route("GET /segments/{project}/{environment}/{segment}/imports/{import}", a.getImport)
	a.route("POST /projects/{project}/environments/{environment}/segments/evaluate", a.evaluateSegments)
}

func (e *environment) segment(key string) *segment {
	i := slices.IndexFunc(e.Segments, func(s *segment) bool { return s.Key == key })
	if i < 0 {
		return nil
	}
	return e.Segments[i]
}

// segment is the one named in the path; when something is missing, segment answers 404 and s is nil.
func (a *Account) segment(w http.ResponseWriter, r *http.Request) (p *project, e *environment, s *segment) {
	if p = a.project(w, r); p == nil {
		return
	}
	if e = a.environment(w, p, r.PathValue("environment")); e == nil {
		return
	}
	if s = e.segment(r.PathValue("segment")); s == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown segment key "+r.PathValue("segment"))
	}
	return
}

// addSegment adds s to e and fills in what it leaves out.
func (a *Account) addSegment(e *environment, s *segment) {
	if s.CreationDate == 0 {
		s.CreationDate = a.tick()
	}
	if s.LastModifiedDate == 0 {
		s.LastModifiedDate = s.CreationDate
	}
	if s.Version == 0 {
		s.Version = 1
	}
	if s.Generation == 0 {
		s.Generation = 1
	}
	if s.Salt == "" {
		s.Salt = strings.ReplaceAll(a.uuid(), "-", "")
	}
	a.completeSegment(s)
	e.Segments = append(e.Segments, s)
}

// completeSegment gives IDs to rules and clauses, puts targets of kind user where
// they belong, and makes absent lists empty ones.
func (a *Account) completeSegment(s *segment) {
	s.Tags, s.Included, s.Excluded, s.Rules = filled(s.Tags), filled(s.Included), filled(s.Excluded), filled(s.Rules)
	s.IncludedContexts = sortTargets(s.IncludedContexts, &s.Included)
	s.ExcludedContexts = sortTargets(s.ExcludedContexts, &s.Excluded)
	for _, r := range s.Rules {
		if r.ID == "" {
			r.ID = a.uuid()
		}
		a.completeClauses(r.Clauses)
	}
	if s.Unbounded {
		s.UnboundedContextKind = cmp.Or(s.UnboundedContextKind, "user")
		if s.BigIncluded == nil {
			s.BigIncluded = map[string]bool{}
		}
		if s.BigExcluded == nil {
			s.BigExcluded = map[string]bool{}
		}
	}
}

// sortTargets moves keys of kind user to users and returns the other targets, one for each kind.
func sortTargets(targets []segmentTarget, users *[]string) []segmentTarget {
	out := []segmentTarget{}
	for _, t := range targets {
		if cmp.Or(t.ContextKind, "user") == "user" {
			*users = append(*users, t.Values...)
			continue
		}
		i := slices.IndexFunc(out, func(o segmentTarget) bool { return o.ContextKind == t.ContextKind })
		if i < 0 {
			i = len(out)
			out = append(out, segmentTarget{ContextKind: t.ContextKind})
		}
		out[i].Values = append(out[i].Values, t.Values...)
	}
	return slices.DeleteFunc(out, func(t segmentTarget) bool { return len(t.Values) == 0 })
}

// segmentRep is a segment as the API shows it. The members of a big segment are only counted.
type segmentRep struct {
	*segment
	Included          *[]string         `json:"included,omitempty"`
	Excluded          *[]string         `json:"excluded,omitempty"`
	IncludedContexts  *[]segmentTarget  `json:"includedContexts,omitempty"`
	ExcludedContexts  *[]segmentTarget  `json:"excludedContexts,omitempty"`
	UnboundedMetadata *unboundedRep     `json:"_unboundedMetadata,omitempty"`
	Flags             *[]flagListingRep `json:"_flags,omitempty"`
	Links             links             `json:"_links"`
}

type unboundedRep struct {
	EnvID         string `json:"envId"`
	SegmentID     string `json:"segmentId"`
	Version       int    `json:"version"`
	IncludedCount int    `json:"includedCount"`
	ExcludedCount int    `json:"excludedCount"`
	LastModified  int64  `json:"lastModified"`
	Deleted       bool   `json:"deleted"`
}

type flagListingRep struct {
	Name  string `json:"name"`
	Key   string `json:"key"`
	Links links  `json:"_links"`
	Site  link   `json:"_site"`
}

func segmentView(p *project, e *environment, s *segment) segmentRep {
	v := segmentRep{segment: s, Links: links{
		"self": linkTo("segments", p.Key, e.Key, s.Key), "parent": linkTo("segments", p.Key, e.Key),
		"site": {Href: "/" + url.PathEscape(p.Key) + "/" + url.PathEscape(e.Key) + "/segments/" + url.PathEscape(s.Key), Type: "text/html"},
	}}
	if !s.Unbounded {
		v.Included, v.Excluded = &s.Included, &s.Excluded
		v.IncludedContexts, v.ExcludedContexts = &s.IncludedContexts, &s.ExcludedContexts
		return v
	}
	v.UnboundedMetadata = &unboundedRep{
		EnvID: e.ID, SegmentID: s.Key, Version: s.Version, LastModified: s.LastModifiedDate,
		IncludedCount: len(s.BigIncluded), ExcludedCount: len(s.BigExcluded),
	}
	return v
}

// usersOf lists the flags whose rules in e use the segment.
func usersOf(p *project, e *environment, s *segment) []flagListingRep {
	out := []flagListingRep{}
	for _, f := range p.Flags {
		uses := func(c clause) bool {
			return c.Op == "segmentMatch" && slices.ContainsFunc(c.texts(), func(key string) bool { return key == s.Key })
		}
		if slices.ContainsFunc(f.Environments[e.Key].Rules, func(r *flagRule) bool { return slices.ContainsFunc(r.Clauses, uses) }) {
			out = append(out, flagListingRep{
				Name: f.Name, Key: f.Key, Links: links{"self": linkTo("flags", p.Key, f.Key)}, Site: flagSite(p, e.Key, f.Key),
			})
		}
	}
	return out
}

func (a *Account) listSegments(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	e := a.environment(w, p, r.PathValue("environment"))
	if e == nil {
		return
	}
	limit, offset, err := pageParams(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	filter, err := parseExpression(r.URL.Query().Get("filter"))
	if err != nil {
		badRequest(w, err)
		return
	}
	found := []*segment{}
	for _, s := range e.Segments {
		ok, err := filter.match(s.matches)
		if err != nil {
			badRequest(w, err)
			return
		}
		if ok {
			found = append(found, s)
		}
	}
	if err := sortItems(found, r.URL.Query().Get("sort"), segmentSorts); err != nil {
		badRequest(w, err)
		return
	}
	reps := make([]segmentRep, len(found))
	for i, s := range found {
		reps[i] = segmentView(p, e, s)
	}
	send(w, http.StatusOK, page(r, reps, limit, offset))
}

var segmentSorts = map[string]func(a, b *segment) int{
	"name":         func(a, b *segment) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
	"creationDate": func(a, b *segment) int { return cmp.Compare(a.CreationDate, b.CreationDate) },
	"lastModified": func(a, b *segment) int { return cmp.Compare(a.LastModifiedDate, b.LastModifiedDate) },
}

func (s *segment) matches(c condition) (bool, error) {
	anyOf := func(have func(string) bool) bool { return slices.ContainsFunc(c.values, have) }
	switch c.field + " " + c.op {
	case "query equals":
		return anyOf(func(v string) bool {
			return containsFold(s.Key, v) || containsFold(s.Name, v) || containsFold(s.Description, v)
		}), nil
	case "tags anyOf":
		return anyOf(func(v string) bool { return hasTags(s.Tags, v) }), nil
	case "unbounded equals":
		return anyOf(func(v string) bool { return v == fmt.Sprint(s.Unbounded) }), nil
	case "external exists":
		return anyOf(func(v string) bool { return v == "false" }), nil // the account has no synced segments
	case "includedKeys anyOf":
		return anyOf(func(v string) bool { return holdsKey(s.Included, s.IncludedContexts, v) || s.BigIncluded[v] }), nil
	case "excludedKeys anyOf":
		return anyOf(func(v string) bool { return holdsKey(s.Excluded, s.ExcludedContexts, v) || s.BigExcluded[v] }), nil
	}
	return false, fmt.Errorf("invalid filter field or operator: %s %s", c.field, c.op)
}

func holdsKey(users []string, contexts []segmentTarget, key string) bool {
	return slices.Contains(users, key) ||
		slices.ContainsFunc(contexts, func(t segmentTarget) bool { return slices.Contains(t.Values, key) })
}

func (a *Account) createSegment(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	e := a.environment(w, p, r.PathValue("environment"))
	if e == nil {
		return
	}
	var in struct {
		Key, Name, Description string
		Tags                   []string
		Unbounded              bool
		UnboundedContextKind   string
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	if err := cmp.Or(checkKey(in.Key, 256), checkName(in.Name)); err != nil {
		badRequest(w, err)
		return
	}
	if e.segment(in.Key) != nil {
		refuse(w, conflict("A segment with the key '%s' already exists in environment '%s'", in.Key, e.Key))
		return
	}
	s := &segment{Key: in.Key, Name: in.Name, Description: in.Description, Tags: in.Tags, Unbounded: in.Unbounded}
	if in.Unbounded {
		s.UnboundedContextKind = in.UnboundedContextKind
	}
	if err := checkTags(s.Tags); err != nil {
		refuse(w, err)
		return
	}
	a.addSegment(e, s)
	a.record(r, segmentChange(p, e, nil, s, []string{"createSegment"}, ""))
	send(w, http.StatusCreated, segmentView(p, e, s))
}

func (a *Account) getSegment(w http.ResponseWriter, r *http.Request) {
	p, e, s := a.segment(w, r)
	if s == nil {
		return
	}
	v := segmentView(p, e, s)
	users := usersOf(p, e, s)
	v.Flags = &users
	send(w, http.StatusOK, v)
}

func (a *Account) deleteSegment(w http.ResponseWriter, r *http.Request) {
	p, e, s := a.segment(w, r)
	if s == nil {
		return
	}
	c := segmentChange(p, e, s, nil, []string{"deleteSegment"}, "")
	e.Segments = slices.DeleteFunc(e.Segments, func(o *segment) bool { return o == s })
	a.record(r, c)
	send(w, http.StatusNoContent, nil)
}

var segmentActions = map[string][2]string{
	"createSegment":     {"created the segment", "Created the segment"},
	"deleteSegment":     {"deleted the segment", "Deleted the segment"},
	"updateName":        {"renamed the segment", "Changed the name"},
	"updateDescription": {"updated the description of the segment", "Changed the description"},
	"updateTags":        {"updated the tags of the segment", "Changed the tags"},
	"updateIncluded":    {"updated the included targets of the segment", "Changed the included targets"},
	"updateExcluded":    {"updated the excluded targets of the segment", "Changed the excluded targets"},
	"updateRules":       {"updated the rules of the segment", "Changed the rules"},

	"updateExpiringTargets": {"updated the expiring targets of the segment", "Changed the expiring targets"},
}

// segmentChange is the audit log's view of a change from before to after; one of them is nil for a new or deleted segment.
func segmentChange(p *project, e *environment, before, after *segment, actions []string, comment string) change {
	c := change{Kind: "segment", Actions: actions, Verb: "updated the segment", Comment: comment, ParentName: e.Name, Parent: e.spec(p)}
	if len(actions) == 1 {
		c.Verb = segmentActions[actions[0]][0]
	}
	for _, action := range actions {
		c.Text += "* " + segmentActions[action][1] + "\n"
	}
	for _, s := range []*segment{before, after} {
		if s != nil {
			c.Name = s.Name
			c.Resource = e.spec(p) + ":segment/" + s.Key
		}
	}
	if before != nil {
		c.Before = jsonValue(segmentView(p, e, before))
	}
	if after != nil {
		c.After = jsonValue(segmentView(p, e, after))
	}
	return c
}

type segmentMembershipRep struct {
	Key                    string `json:"key"`
	Name                   string `json:"name"`
	Description            string `json:"description"`
	Unbounded              bool   `json:"unbounded"`
	External               string `json:"external"`
	IsMember               bool   `json:"isMember"`
	IsIndividuallyTargeted bool   `json:"isIndividuallyTargeted"`
	IsRuleTargeted         bool   `json:"isRuleTargeted"`
	Links                  links  `json:"_links"`
}

func (a *Account) evaluateSegments(w http.ResponseWriter, r *http.Request) {
	p, e, c := a.evaluable(w, r)
	if e == nil {
		return
	}
	ev := newEvaluator(p, e)
	items := []segmentMembershipRep{}
	for _, s := range e.Segments {
		member, named := ev.inSegment(s, c), s.names(c)
		items = append(items, segmentMembershipRep{
			Key: s.Key, Name: s.Name, Description: s.Description, Unbounded: s.Unbounded,
			IsMember: member, IsIndividuallyTargeted: named, IsRuleTargeted: member && !named,
			Links: links{"self": linkTo("segments", p.Key, e.Key, s.Key)},
		})
	}
	send(w, http.StatusOK, map[string]any{
		"items": items, "_links": links{"self": linkTo("projects", p.Key, "environments", e.Key, "segments", "evaluate")},
	})
}

// names tells whether the segment includes one of the context's keys by itself.
func (s *segment) names(c ldcontext.Context) bool {
	for _, one := range c.GetAllIndividualContexts(nil) {
		kind, key := string(one.Kind()), one.Key()
		switch {
		case s.Unbounded:
			if kind == s.UnboundedContextKind && s.BigIncluded[key] {
				return true
			}
		case kind == "user" && slices.Contains(s.Included, key):
			return true
		case slices.ContainsFunc(s.IncludedContexts, func(t segmentTarget) bool {
			return t.ContextKind == kind && slices.Contains(t.Values, key)
		}):
			return true
		}
	}
	return false
}

func (s *segment) clone() *segment {
	next := cloneOf(s)
	next.Salt, next.Imports = s.Salt, slices.Clone(s.Imports)
	next.BigIncluded, next.BigExcluded = maps.Clone(s.BigIncluded), maps.Clone(s.BigExcluded)
	return next
}
