package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (a *Account) metricGroupRoutes() {
	const list = "/projects/{project}/metric-groups"
	a.route("GET "+list, a.listMetricGroups)
	a.route("POST "+list, a.createMetricGroup)
	a.route("GET "+list+"/{metricGroup}", a.onMetricGroup(a.getMetricGroup))
	a.route("PATCH "+list+"/{metricGroup}", a.onMetricGroup(a.patchMetricGroup))
	a.route("DELETE "+list+"/{metricGroup}", a.onMetricGroup(a.deleteMetricGroup))
}

// metricGroup is metrics that are measured together; a funnel's are its steps, in order.
type metricGroup struct {
	ID, Key  string
	Kind     string // funnel or standard
	Version  int
	Created  int64
	Modified int64
	metricGroupSettings
}

// metricGroupSettings is what a JSON Patch may change of a metric group.
type metricGroupSettings struct {
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	Tags         []string        `json:"tags"`
	MaintainerID string          `json:"maintainerId"`
	Metrics      []metricInGroup `json:"metrics"`
}

type metricInGroup struct {
	Key         string `json:"key"`
	NameInGroup string `json:"nameInGroup"`
}

func (g *metricGroup) holds(metric string) bool {
	return slices.ContainsFunc(g.Metrics, func(m metricInGroup) bool { return m.Key == metric })
}

func (g *metricGroup) spec(p *project) string { return p.spec() + ":metric-group/" + g.Key }

// metricGroup finds a metric group of the project, nil where there is none.
func (p *project) metricGroup(key string) *metricGroup {
	i := slices.IndexFunc(p.MetricGroups, func(g *metricGroup) bool { return g.Key == key })
	if i < 0 {
		return nil
	}
	return p.MetricGroups[i]
}

func (a *Account) checkMetricGroup(p *project, s metricGroupSettings) *apiError {
	switch {
	case strings.TrimSpace(s.Name) == "":
		return invalid("name must not be empty")
	case a.maintainer(s.MaintainerID) == nil:
		return invalid("maintainerId must be the ID of a member, not '%s'", s.MaintainerID)
	case len(s.Metrics) == 0:
		return invalid("a metric group needs at least one metric")
	}
	seen := map[string]bool{}
	for _, m := range s.Metrics {
		switch {
		case p.metric(m.Key) == nil:
			return invalid("unknown metric key '%s'", m.Key)
		case seen[m.Key]:
			return invalid("the metric '%s' is in the group twice", m.Key)
		}
		seen[m.Key] = true
	}
	return nil
}

type metricGroupRef struct {
	Links links  `json:"_links"`
	Key   string `json:"key"`
	Name  string `json:"name"`
	Kind  string `json:"kind"`
}

func (g *metricGroup) ref(p *project) metricGroupRef {
	return metricGroupRef{links{"self": linkTo("projects", p.Key, "metric-groups", g.Key)}, g.Key, g.Name, g.Kind}
}

type metricInGroupRep struct {
	Links       links    `json:"_links"`
	Key         string   `json:"key"`
	VersionID   string   `json:"_versionId"`
	Name        string   `json:"name"`
	Kind        string   `json:"kind"`
	Numeric     *bool    `json:"isNumeric,omitempty"`
	Aggregation string   `json:"unitAggregationType"`
	EventKey    string   `json:"eventKey,omitempty"`
	NameInGroup string   `json:"nameInGroup,omitempty"`
	Units       []string `json:"randomizationUnits"`
}

type groupMaintainer struct {
	Key    string        `json:"key"`
	Kind   string        `json:"kind"`
	Member memberSummary `json:"_member"`
}

type metricGroupRep struct {
	metricGroupRef
	ID          string             `json:"_id"`
	Description string             `json:"description,omitempty"`
	Tags        []string           `json:"tags"`
	Created     int64              `json:"_creationDate"`
	Modified    int64              `json:"_lastModified"`
	Version     int                `json:"_version"`
	Maintainer  *groupMaintainer   `json:"maintainer"`
	Metrics     []metricInGroupRep `json:"metrics"`

	Experiments     []experimentRef `json:"experiments,omitempty"`
	ExperimentCount *int            `json:"experimentCount,omitempty"`

	ActiveExperiments int `json:"activeExperimentCount"`
	ActiveRollouts    int `json:"activeGuardedRolloutCount"`
}

// uses is what measures by the group.
func (g *metricGroup) uses(p *project) metricUses {
	return metricUses{Experiments: p.experimentsBy(g.Key, true), Rollouts: p.rolloutsBy(g.Key, true)}
}

func (a *Account) metricGroupRep(p *project, g *metricGroup) metricGroupRep {
	uses := g.uses(p)
	rep := metricGroupRep{metricGroupRef: g.ref(p), ID: g.ID, Description: g.Description, Tags: g.Tags, Created: g.Created, Modified: g.Modified, Version: g.Version,
		Metrics: []metricInGroupRep{}, ActiveExperiments: uses.running(), ActiveRollouts: uses.rollouts()}
	if m := a.maintainer(g.MaintainerID); m != nil {
		rep.Maintainer = &groupMaintainer{m.ID, "member", m.summary()}
	}
	for _, in := range g.Metrics {
		m := p.metric(in.Key)
		if m == nil {
			continue
		}
		x := metricInGroupRep{Links: links{"self": linkTo("metrics", p.Key, m.Key)}, Key: m.Key, VersionID: m.VersionID, Name: m.Name, Kind: m.Kind,
			Aggregation: m.Aggregation, EventKey: m.EventKey, NameInGroup: in.NameInGroup, Units: m.Units}
		if m.Kind == "custom" {
			x.Numeric = &m.Numeric
		}
		rep.Metrics = append(rep.Metrics, x)
	}
	return rep
}

// onMetricGroup looks up the project and metric group named in the path.
func (a *Account) onMetricGroup(h func(http.ResponseWriter, *http.Request, *project, *metricGroup)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		if p, g := inPath(a, w, r, "metric group", "metricGroup", (*project).metricGroup); g != nil {
			h(w, r, p, g)
		}
	}
}

func (a *Account) listMetricGroups(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	filter, err := parseExpression(r.URL.Query().Get("filter"))
	if err != nil {
		badRequest(w, err)
		return
	}
	found := []*metricGroup{}
	for _, g := range p.MetricGroups {
		ok, err := filter.match(func(c condition) (bool, error) { return p.metricGroupMatches(g, c) })
		if err != nil {
			badRequest(w, err)
			return
		}
		if ok {
			found = append(found, g)
		}
	}
	if err := sortItems(found, r.URL.Query().Get("sort"), p.metricGroupSorts()); err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, found, maxMetricsLimit, func(g *metricGroup) metricGroupRep { return a.metricGroupRep(p, g) })
}

func (p *project) metricGroupSorts() map[string]func(a, b *metricGroup) int {
	return map[string]func(a, b *metricGroup) int{
		"name":      func(a, b *metricGroup) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
		"createdAt": func(a, b *metricGroup) int { return cmp.Compare(a.Created, b.Created) },
		"connectionCount": func(a, b *metricGroup) int {
			return cmp.Compare(len(a.uses(p).Experiments), len(b.uses(p).Experiments))
		},
	}
}

func (p *project) metricGroupMatches(g *metricGroup, c condition) (bool, error) {
	switch c.field + " " + c.op {
	case "query equals":
		return slices.ContainsFunc(c.values, func(v string) bool { return containsFold(g.Key, v) || containsFold(g.Name, v) }), nil
	case "kind equals":
		return c.compare(g.Kind)
	case "maintainerIds anyOf":
		return c.compare(g.MaintainerID)
	case "maintainerTeamKey equals":
		return false, nil // members maintain them here
	case "hasConnections equals":
		return c.compare(fmt.Sprint(!g.uses(p).none()))
	case "experimentStatus equals":
		return slices.ContainsFunc(g.uses(p).Experiments, func(e experimentUse) bool {
			return slices.Contains(c.values, "running") && e.Running || slices.Contains(c.values, "stopped") && !e.Running
		}), nil
	}
	return false, fmt.Errorf("invalid filter field or operator: %s %s", c.field, c.op)
}

func (a *Account) getMetricGroup(w http.ResponseWriter, r *http.Request, p *project, g *metricGroup) {
	shown, err := expands(r, "experiments", "experimentCount")
	if err != nil {
		badRequest(w, err)
		return
	}
	rep, uses := a.metricGroupRep(p, g), g.uses(p)
	if shown["experiments"] {
		rep.Experiments = p.experimentRefs(uses.Experiments)
	}
	if n := len(uses.Experiments); shown["experimentCount"] {
		rep.ExperimentCount = &n
	}
	send(w, http.StatusOK, rep)
}

type metricGroupPost struct {
	Kind string `json:"kind"`
	metricGroupSettings
}

func (a *Account) createMetricGroup(w http.ResponseWriter, r *http.Request) {
	p, key, in := posted[metricGroupPost](a, w, r)
	if p == nil {
		return
	}
	if in.Kind != "funnel" && in.Kind != "standard" {
		refuse(w, invalid("kind must be funnel or standard, not '%s'", in.Kind))
		return
	}
	if err := a.checkMetricGroup(p, in.metricGroupSettings); err != nil {
		refuse(w, err)
		return
	}
	if p.metricGroup(key) != nil {
		refuse(w, conflict("A metric group with key %s already exists", key))
		return
	}
	if in.Tags == nil {
		in.Tags = []string{}
	}
	g := &metricGroup{ID: a.uuid(), Key: key, Kind: in.Kind, Version: 1, Created: a.tick(), metricGroupSettings: in.metricGroupSettings}
	g.Modified = g.Created
	p.MetricGroups = append(p.MetricGroups, g)
	a.recordMetricGroup(r, p, g, "created the metric group", nil, jsonValue(a.metricGroupRep(p, g)), "createMetricGroup")
	send(w, http.StatusCreated, a.metricGroupRep(p, g))
}

var metricGroupActions = map[string]string{
	"name": "updateMetricGroupName", "description": "updateMetricGroupDescription", "tags": "updateMetricGroupTags",
	"maintainerId": "updateMetricGroupMaintainer", "metrics": "updateMetricGroupMetrics",
}

func (a *Account) patchMetricGroup(w http.ResponseWriter, r *http.Request, p *project, g *metricGroup) {
	before, next := jsonValue(a.metricGroupRep(p, g)), g.metricGroupSettings
	fields, err := patchDocument(r, &next)
	if err != nil {
		failPatch(w, err)
		return
	}
	if err := a.checkMetricGroup(p, next); err != nil {
		refuse(w, err)
		return
	}
	if next.Tags == nil {
		next.Tags = []string{}
	}
	g.metricGroupSettings, g.Modified = next, a.tick()
	g.Version++
	a.recordMetricGroup(r, p, g, "updated the metric group", before, jsonValue(a.metricGroupRep(p, g)), actionsOf(fields, metricGroupActions)...)
	send(w, http.StatusOK, a.metricGroupRep(p, g))
}

func (a *Account) deleteMetricGroup(w http.ResponseWriter, r *http.Request, p *project, g *metricGroup) {
	if uses := g.uses(p); uses.running()+uses.rollouts() > 0 {
		refuse(w, conflict("The metric group %s is in use and cannot be deleted", g.Key))
		return
	}
	p.MetricGroups = slices.DeleteFunc(p.MetricGroups, func(other *metricGroup) bool { return other == g })
	a.tick()
	a.recordMetricGroup(r, p, g, "deleted the metric group", jsonValue(a.metricGroupRep(p, g)), nil, "deleteMetricGroup")
	send(w, http.StatusNoContent, nil)
}

func (a *Account) recordMetricGroup(r *http.Request, p *project, g *metricGroup, verb string, before, after json.RawMessage, actions ...string) {
	a.record(r, change{Kind: "metric-group", Name: g.Name, Resource: g.spec(p), Actions: actions, Verb: verb,
		Before: before, After: after, ParentName: p.Name, Parent: p.spec()})
}
