package ldclient

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// MetricGroup is metrics that are used together. Those of a funnel are its steps, in order.
type MetricGroup struct {
	ID          string          `json:"_id"`
	Key         string          `json:"key"`
	Name        string          `json:"name"`
	Kind        string          `json:"kind"` // funnel or standard
	Description string          `json:"description"`
	Tags        []string        `json:"tags"`
	Version     int             `json:"_version"`
	Maintainer  GroupMaintainer `json:"maintainer"`
	Metrics     []GroupedMetric `json:"metrics"`

	Experiments       []MetricExperiment `json:"experiments"`
	ExperimentCount   *int               `json:"experimentCount"`
	ActiveExperiments *int               `json:"activeExperimentCount"`
	ActiveRollouts    *int               `json:"activeGuardedRolloutCount"`
}

func (g *MetricGroup) missing() string {
	if g.Key == "" {
		return "metric group"
	}
	return ""
}

// GroupMaintainer is the member or team that maintains a group. LaunchDarkly
// answers with the first three fields and documents the other two.
type GroupMaintainer struct {
	Key    string  `json:"key"`  // a member's id or a team's key
	Kind   string  `json:"kind"` // member or team
	Person *Person `json:"_member"`
	Member *Person `json:"member"`
	Team   *struct {
		Key string `json:"key"`
	} `json:"team"`
}

// GroupedMetric is one metric of a group.
type GroupedMetric struct {
	Key         string   `json:"key"`
	Name        string   `json:"name"`
	NameInGroup string   `json:"nameInGroup"` // of a funnel's step
	Kind        string   `json:"kind"`
	EventKey    string   `json:"eventKey"`
	Numeric     bool     `json:"isNumeric"`
	Aggregation string   `json:"unitAggregationType"`
	Units       []string `json:"randomizationUnits"`
}

// MetricStep names one metric of a group when the group is written.
type MetricStep struct {
	Key         string `json:"key"`
	NameInGroup string `json:"nameInGroup"`
}

// NewMetricGroup is a metric group that is yet to be created.
type NewMetricGroup struct {
	Key          string       `json:"key"`
	Name         string       `json:"name"`
	Kind         string       `json:"kind"`
	Description  string       `json:"description,omitempty"`
	Tags         []string     `json:"tags"`
	MaintainerID string       `json:"maintainerId"`
	Metrics      []MetricStep `json:"metrics"`
}

// ListMetricGroups are the filters of a list of metric groups; all that are given must hold.
type ListMetricGroups struct {
	Paging
	Query string // part of a key or name
	Kind  string // funnel or standard
}

// ListGroups returns one page of a project's metric groups.
func (s *MetricsService) ListGroups(ctx context.Context, project string, o ListMetricGroups) (*Page[MetricGroup], error) {
	q := o.Paging.query()
	var filter []string
	if o.Query != "" {
		filter = append(filter, "query equals "+operand(o.Query))
	}
	if o.Kind != "" {
		filter = append(filter, "kind equals "+operand(o.Kind))
	}
	if len(filter) > 0 {
		q.Set("filter", strings.Join(filter, ","))
	}
	return do[Page[MetricGroup]](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project}, path: path("projects", project, "metric-groups"), query: q, beta: true})
}

// Group returns one metric group with the experiments that use it.
func (s *MetricsService) Group(ctx context.Context, project, key string) (*MetricGroup, error) {
	return do[MetricGroup](ctx, s.c, call{method: http.MethodGet, at: metricGroupAt(project, key), path: metricGroupPath(project, key),
		query: url.Values{"expand": {"experiments,experimentCount"}}, beta: true})
}

// CreateGroup creates a metric group.
func (s *MetricsService) CreateGroup(ctx context.Context, project string, in NewMetricGroup) (*MetricGroup, error) {
	return do[MetricGroup](ctx, s.c, call{method: http.MethodPost, at: metricGroupAt(project, in.Key), path: path("projects", project, "metric-groups"),
		body: in, contentType: jsonType, beta: true, writes: true})
}

// UpdateGroup changes a metric group by JSON Patch.
func (s *MetricsService) UpdateGroup(ctx context.Context, project, key string, steps []Operation) (*MetricGroup, error) {
	return do[MetricGroup](ctx, s.c, call{method: http.MethodPatch, at: metricGroupAt(project, key), path: metricGroupPath(project, key),
		body: steps, contentType: jsonType, beta: true, writes: true})
}

// DeleteGroup removes a metric group for good; its metrics stay.
func (s *MetricsService) DeleteGroup(ctx context.Context, project, key string) error {
	_, err := do[gone](ctx, s.c, call{method: http.MethodDelete, at: metricGroupAt(project, key), path: metricGroupPath(project, key), beta: true, writes: true})
	return err
}

func metricGroupAt(project, key string) Target {
	return Target{Project: project, Kind: "metric-group", Key: key}
}

func metricGroupPath(project, key string) apiPath {
	return path("projects", project, "metric-groups", key)
}
