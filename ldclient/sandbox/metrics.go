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

// metricState is what a project has of them, each in order of creation.
type metricState struct {
	Metrics      []*metric
	MetricGroups []*metricGroup
}

func (a *Account) metricRoutes() {
	a.route("GET /metrics/{project}", a.listMetrics)
	a.route("POST /metrics/{project}", a.createMetric)
	a.route("GET /metrics/{project}/{metric}", a.onMetric(a.getMetric))
	a.route("PATCH /metrics/{project}/{metric}", a.onMetric(a.patchMetric))
	a.route("DELETE /metrics/{project}/{metric}", a.onMetric(a.deleteMetric))
	a.metricGroupRoutes()
}

// metric is what experiments and guarded rollouts measure by.
type metric struct {
	ID        string
	VersionID string // of its definition
	Version   int
	Key       string
	Created   int64
	Modified  int64
	LastSeen  int64 // when an event of it came in last; 0 is never
	metricSettings
}

// metricSettings is what a JSON Patch may change of a metric.
type metricSettings struct {
	Name         string             `json:"name"`
	Description  string             `json:"description"`
	Tags         []string           `json:"tags"`
	MaintainerID string             `json:"maintainerId"`
	Archived     bool               `json:"archived"`
	Kind         string             `json:"kind"` // pageview, click or custom; never changes
	EventKey     string             `json:"eventKey"`
	Numeric      bool               `json:"isNumeric"`
	Unit         string             `json:"unit"`
	Success      string             `json:"successCriteria"`
	URLs         []metricURL        `json:"urls"`
	Selector     string             `json:"selector"`
	Units        []string           `json:"randomizationUnits"`
	Aggregation  string             `json:"unitAggregationType"`
	Analysis     string             `json:"analysisType"`
	Percentile   *int               `json:"percentileValue"`
	Default      metricEventDefault `json:"eventDefault"`
}

type metricURL struct {
	Kind      string `json:"kind"`
	URL       string `json:"url,omitempty"`
	Substring string `json:"substring,omitempty"`
	Pattern   string `json:"pattern,omitempty"`
}

type metricEventDefault struct {
	Disabled bool    `json:"disabled"`
	Value    float64 `json:"value"`
}

// definition is what results of the metric depend on.
func (s metricSettings) definition() string {
	s.Name, s.Description, s.Tags, s.MaintainerID, s.Archived = "", "", nil, "", false
	return string(jsonValue(s))
}

// complete fills in what a request left out.
func (s *metricSettings) complete(key string) {
	s.Name = cmp.Or(s.Name, key)
	s.Aggregation = cmp.Or(s.Aggregation, "average")
	s.Analysis = cmp.Or(s.Analysis, "mean")
	if s.Tags == nil {
		s.Tags = []string{}
	}
	if len(s.Units) == 0 {
		s.Units = []string{"user"}
	}
}

func (s metricSettings) check() *apiError {
	custom := s.Kind == "custom"
	switch {
	case !slices.Contains([]string{"pageview", "click", "custom"}, s.Kind):
		return invalid("invalid metric kind '%s': it must be pageview, click or custom", s.Kind)
	case custom && strings.TrimSpace(s.EventKey) == "":
		return invalid("eventKey is required for custom metrics")
	case !custom && s.EventKey != "":
		return invalid("eventKey is for custom metrics only")
	case custom && len(s.URLs) > 0:
		return invalid("urls are for pageview and click metrics only")
	case !custom && len(s.URLs) == 0:
		return invalid("urls are required for %s metrics", s.Kind)
	case s.Kind == "click" && strings.TrimSpace(s.Selector) == "":
		return invalid("selector is required for click metrics")
	case s.Kind != "click" && s.Selector != "":
		return invalid("selector is for click metrics only")
	case s.Numeric && !custom:
		return invalid("only custom metrics can be numeric")
	case s.Numeric && s.Success == "":
		return invalid("successCriteria is required for numeric metrics")
	case s.Success != "" && s.Success != "HigherThanBaseline" && s.Success != "LowerThanBaseline":
		return invalid("successCriteria must be HigherThanBaseline or LowerThanBaseline")
	case s.Unit != "" && !s.Numeric:
		return invalid("unit is for numeric metrics only")
	case s.Aggregation != "average" && s.Aggregation != "sum":
		return invalid("unitAggregationType must be average or sum")
	case s.Analysis != "mean" && s.Analysis != "percentile":
		return invalid("analysisType must be mean or percentile")
	case s.Analysis == "percentile" && (s.Percentile == nil || *s.Percentile < 0 || *s.Percentile > 100):
		return invalid("percentileValue must be between 0 and 100")
	}
	for _, u := range s.URLs {
		value, ok := map[string]string{"exact": u.URL, "canonical": u.URL, "substring": u.Substring, "regex": u.Pattern}[u.Kind]
		if !ok || value == "" {
			return invalid("each url needs a kind of exact, canonical, substring or regex, and url, substring or pattern with it")
		}
	}
	return nil
}

// metric finds a metric of the project, archived ones too; nil where there is none.
func (p *project) metric(key string) *metric {
	i := slices.IndexFunc(p.Metrics, func(m *metric) bool { return m.Key == key })
	if i < 0 {
		return nil
	}
	return p.Metrics[i]
}

func (m *metric) spec(p *project) string { return p.spec() + ":metric/" + m.Key }

type metricRep struct {
	Links        links               `json:"_links"`
	Site         link                `json:"_site"`
	ID           string              `json:"_id"`
	VersionID    string              `json:"_versionId"`
	Version      int                 `json:"_version"`
	Key          string              `json:"key"`
	Kind         string              `json:"kind"`
	Name         string              `json:"name"`
	Description  string              `json:"description,omitempty"`
	Tags         []string            `json:"tags"`
	Created      int64               `json:"_creationDate"`
	LastModified map[string]string   `json:"lastModified,omitempty"`
	MaintainerID string              `json:"maintainerId,omitempty"`
	Maintainer   *memberSummary      `json:"_maintainer,omitempty"`
	DataSource   map[string]string   `json:"dataSource"`
	Archived     bool                `json:"archived"`
	LastSeen     int64               `json:"lastSeen,omitempty"`
	Active       bool                `json:"isActive"`
	EventKey     string              `json:"eventKey,omitempty"`
	Numeric      *bool               `json:"isNumeric,omitempty"`
	Unit         string              `json:"unit,omitempty"`
	Success      string              `json:"successCriteria,omitempty"`
	URLs         []metricURL         `json:"urls,omitempty"`
	Selector     string              `json:"selector,omitempty"`
	Units        []string            `json:"randomizationUnits"`
	Aggregation  string              `json:"unitAggregationType"`
	Analysis     string              `json:"analysisType"`
	Percentile   *int                `json:"percentileValue,omitempty"`
	Default      *metricEventDefault `json:"eventDefault,omitempty"`

	Experiments     []experimentRef   `json:"experiments,omitempty"`
	ExperimentCount *int              `json:"experimentCount,omitempty"`
	Groups          []metricGroupRef  `json:"metricGroups,omitempty"`
	GroupCount      *int              `json:"metricGroupCount,omitempty"`
	LastRollout     *guardedReleaseOf `json:"lastUsedInGuardedRollout,omitempty"`

	ActiveExperiments int `json:"activeExperimentCount"`
	ActiveRollouts    int `json:"activeGuardedRolloutCount"`
}

func (a *Account) metricRep(p *project, m *metric) metricRep {
	rep := metricRep{
		Links: links{"self": linkTo("metrics", p.Key, m.Key), "parent": linkTo("metrics", p.Key)},
		Site:  link{Href: "/projects/" + p.Key + "/metrics/" + m.Key, Type: "text/html"},
		ID:    m.ID, VersionID: m.VersionID, Version: m.Version, Key: m.Key, Kind: m.Kind, Name: m.Name, Description: m.Description,
		Tags: m.Tags, Created: m.Created, MaintainerID: m.MaintainerID, DataSource: map[string]string{"key": "launchdarkly-hosted"},
		Archived: m.Archived, LastSeen: m.LastSeen, EventKey: m.EventKey, Unit: m.Unit, Success: m.Success, URLs: m.URLs, Selector: m.Selector,
		Units: m.Units, Aggregation: m.Aggregation, Analysis: m.Analysis, Percentile: m.Percentile,
	}
	if m.Modified != 0 {
		rep.LastModified = map[string]string{"date": time.UnixMilli(m.Modified).UTC().Format(time.RFC3339Nano)}
	}
	if m.Kind == "custom" {
		rep.Numeric, rep.Default = &m.Numeric, &m.Default
	}
	if by := a.maintainer(m.MaintainerID); by != nil {
		s := by.summary()
		rep.Maintainer = &s
	}
	uses := p.usesOf(m.Key)
	rep.ActiveExperiments, rep.ActiveRollouts = uses.running(), uses.rollouts()
	rep.Active = rep.ActiveExperiments+rep.ActiveRollouts > 0
	return rep
}

// onMetric looks up the project and metric named in the path.
func (a *Account) onMetric(h func(http.ResponseWriter, *http.Request, *project, *metric)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		if p, m := inPath(a, w, r, "metric", "metric", (*project).metric); m != nil {
			h(w, r, p, m)
		}
	}
}

const maxMetricsLimit = 50

func (a *Account) listMetrics(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	counted, err := expands(r, "experimentCount")
	if err != nil {
		badRequest(w, err)
		return
	}
	filter, err := parseExpression(r.URL.Query().Get("filter"))
	if err != nil {
		badRequest(w, err)
		return
	}
	found := []*metric{}
	for _, m := range p.Metrics {
		ok, err := filter.match(func(c condition) (bool, error) { return p.metricMatches(m, c) })
		if err != nil {
			badRequest(w, err)
			return
		}
		if ok && !m.Archived {
			found = append(found, m)
		}
	}
	if err := sortItems(found, r.URL.Query().Get("sort"), metricSorts); err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, found, maxMetricsLimit, func(m *metric) metricRep {
		rep := a.metricRep(p, m)
		if counted["experimentCount"] {
			n := len(p.usesOf(m.Key).Experiments)
			rep.ExperimentCount = &n
		}
		return rep
	})
}

// expands reads the names in the request's expand parameter, all of which must be known.
func expands(r *http.Request, known ...string) (map[string]bool, error) {
	out := map[string]bool{}
	for name := range strings.SplitSeq(r.URL.Query().Get("expand"), ",") {
		if name != "" && !slices.Contains(known, name) {
			return nil, fmt.Errorf("invalid value %q for parameter expand", name)
		}
		out[name] = true
	}
	return out, nil
}

var metricSorts = map[string]func(a, b *metric) int{
	"name":      func(a, b *metric) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
	"createdAt": func(a, b *metric) int { return cmp.Compare(a.Created, b.Created) },
}

func (p *project) metricMatches(m *metric, c condition) (bool, error) {
	anyOf := func(have func(string) bool) bool { return slices.ContainsFunc(c.values, have) }
	switch c.field + " " + c.op {
	case "query equals":
		return anyOf(func(v string) bool { return containsFold(m.Key, v) || containsFold(m.Name, v) }), nil
	case "tags contains":
		return !anyOf(func(v string) bool { return !hasTags(m.Tags, v) }), nil
	case "eventKind equals":
		return c.compare(m.Kind)
	case "isNumeric equals":
		return c.compare(fmt.Sprint(m.Numeric))
	case "unitAggregationType equals":
		return c.compare(m.Aggregation)
	case "maintainerIds anyOf":
		return c.compare(m.MaintainerID)
	case "maintainerTeamKey equals":
		return false, nil // members maintain them here
	case "hasConnections equals":
		return c.compare(fmt.Sprint(!p.usesOf(m.Key).none()))
	case "eventKeys anyOf":
		return c.compare(m.EventKey)
	}
	return false, fmt.Errorf("invalid filter field or operator: %s %s", c.field, c.op)
}

func (a *Account) getMetric(w http.ResponseWriter, r *http.Request, p *project, m *metric) {
	shown, err := expands(r, "experiments", "experimentCount", "metricGroups", "metricGroupCount", "eventSources", "guardedRollouts", "guardedRolloutCount",
		"lastUsedInExperiment", "lastUsedInGuardedRollout")
	if err != nil {
		badRequest(w, err)
		return
	}
	if v := r.URL.Query().Get("versionId"); v != "" && v != m.VersionID {
		fail(w, http.StatusNotFound, "not_found", "Unknown metric version "+v)
		return
	}
	rep, uses := a.metricRep(p, m), p.usesOf(m.Key)
	if shown["experiments"] {
		rep.Experiments = p.experimentRefs(uses.Experiments)
	}
	if n := len(uses.Experiments); shown["experimentCount"] {
		rep.ExperimentCount = &n
	}
	if shown["metricGroups"] {
		for _, g := range uses.Groups {
			rep.Groups = append(rep.Groups, g.ref(p))
		}
	}
	if n := len(uses.Groups); shown["metricGroupCount"] {
		rep.GroupCount = &n
	}
	if shown["lastUsedInGuardedRollout"] {
		rep.LastRollout = p.lastRollout(uses.Rollouts)
	}
	send(w, http.StatusOK, rep)
}

func (a *Account) createMetric(w http.ResponseWriter, r *http.Request) {
	p, key, in := posted[metricSettings](a, w, r)
	if p == nil {
		return
	}
	in.complete(key)
	in.Archived = false
	if err := in.check(); err != nil {
		refuse(w, err)
		return
	}
	if p.metric(key) != nil {
		refuse(w, conflict("A metric with key %s already exists", key))
		return
	}
	if in.MaintainerID == "" {
		in.MaintainerID = a.callerID(r)
	} else if a.maintainer(in.MaintainerID) == nil {
		refuse(w, invalid("unknown maintainer '%s'", in.MaintainerID))
		return
	}
	m := &metric{ID: a.objectID(), VersionID: a.uuid(), Version: 1, Key: key, Created: a.tick(), metricSettings: *in}
	p.Metrics = append(p.Metrics, m)
	a.recordMetric(r, p, m, "created the metric", nil, jsonValue(a.metricRep(p, m)), "createMetric")
	send(w, http.StatusCreated, a.metricRep(p, m))
}

// callerID is the id of the member whose token makes a request, "" for a service token.
func (a *Account) callerID(r *http.Request) string {
	if tok := a.caller(r); tok != nil && tok.Member != nil {
		return tok.Member.ID
	}
	return ""
}

var metricActions = map[string]string{
	"name": "updateName", "description": "updateDescription", "tags": "updateTags", "maintainerId": "updateMaintainer", "archived": "updateArchived",
	"eventKey": "updateEventKey", "isNumeric": "updateNumeric", "unit": "updateNumericUnit", "successCriteria": "updateNumericSuccess",
	"urls": "updateUrls", "selector": "updateSelector", "randomizationUnits": "updateRandomizationUnits",
	"unitAggregationType": "updateUnitAggregationType", "analysisType": "updateAnalysisType", "percentileValue": "updateAnalysisType",
	"eventDefault": "updateEventDefault",
}

func (a *Account) patchMetric(w http.ResponseWriter, r *http.Request, p *project, m *metric) {
	before, next := jsonValue(a.metricRep(p, m)), m.metricSettings
	fields, err := patchDocument(r, &next)
	if err != nil {
		failPatch(w, err)
		return
	}
	if err := checkName(next.Name); err != nil {
		badRequest(w, err)
		return
	}
	next.complete(m.Key)
	switch err := next.check(); {
	case err != nil:
		refuse(w, err)
		return
	case next.Kind != m.Kind:
		refuse(w, invalid("the kind of a metric cannot be changed"))
		return
	case next.MaintainerID != "" && a.maintainer(next.MaintainerID) == nil:
		refuse(w, invalid("unknown maintainer '%s'", next.MaintainerID))
		return
	}
	if next.definition() != m.definition() {
		m.VersionID = a.uuid()
	}
	m.metricSettings, m.Modified = next, a.tick()
	m.Version++
	a.recordMetric(r, p, m, "updated the metric", before, jsonValue(a.metricRep(p, m)), actionsOf(fields, metricActions)...)
	send(w, http.StatusOK, a.metricRep(p, m))
}

// actionsOf are the role actions for the fields that a JSON Patch names, each once.
func actionsOf(fields []string, actions map[string]string) []string {
	var out []string
	for _, f := range fields {
		if action := actions[f]; action != "" && !slices.Contains(out, action) {
			out = append(out, action)
		}
	}
	return out
}

func (a *Account) deleteMetric(w http.ResponseWriter, r *http.Request, p *project, m *metric) {
	if uses := p.usesOf(m.Key); len(uses.Groups) > 0 || uses.running()+uses.rollouts() > 0 {
		refuse(w, conflict("The metric %s is in use and cannot be deleted", m.Key))
		return
	}
	p.Metrics = slices.DeleteFunc(p.Metrics, func(other *metric) bool { return other == m })
	a.tick()
	a.recordMetric(r, p, m, "deleted the metric", jsonValue(a.metricRep(p, m)), nil, "deleteMetric")
	send(w, http.StatusNoContent, nil)
}

func (a *Account) recordMetric(r *http.Request, p *project, m *metric, verb string, before, after json.RawMessage, actions ...string) {
	a.record(r, change{Kind: "metric", Name: m.Name, Resource: m.spec(p), Actions: actions, Verb: verb,
		Before: before, After: after, ParentName: p.Name, Parent: p.spec()})
}
