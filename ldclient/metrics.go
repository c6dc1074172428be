package ldclient

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// MetricsService reads and changes metrics and metric groups.
type MetricsService service

// Metric is what experiments and guarded rollouts measure by. Counts and lists
// of what uses it are nil where LaunchDarkly did not tell.
type Metric struct {
	ID          string      `json:"_id"`
	VersionID   string      `json:"_versionId"` // of the definition
	Version     int         `json:"_version"`
	Key         string      `json:"key"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Tags        []string    `json:"tags"`
	Kind        string      `json:"kind"` // custom, pageview or click
	Archived    bool        `json:"archived"`
	LastSeen    Millis      `json:"lastSeen"`
	Created     Millis      `json:"_creationDate"`
	EventKey    string      `json:"eventKey"` // custom
	Numeric     bool        `json:"isNumeric"`
	Aggregation string      `json:"unitAggregationType"` // average or sum of a context's events
	Unit        string      `json:"unit"`                // numeric
	Success     string      `json:"successCriteria"`     // HigherThanBaseline or LowerThanBaseline
	URLs        []MetricURL `json:"urls"`                // pageview and click
	Selector    string      `json:"selector"`            // click
	Units       []string    `json:"randomizationUnits"`  // context kinds
	Analysis    string      `json:"analysisType"`        // mean or percentile
	Percentile  *int        `json:"percentileValue"`

	MaintainerID string  `json:"maintainerId"`
	Maintainer   *Person `json:"_maintainer"`
	DataSource   struct {
		Key string `json:"key"`
	} `json:"dataSource"`
	Site struct {
		Href string `json:"href"`
	} `json:"_site"`

	Experiments       []MetricExperiment `json:"experiments"` // by itself or in a group
	ExperimentCount   *int               `json:"experimentCount"`
	ActiveExperiments *int               `json:"activeExperimentCount"`
	ActiveRollouts    *int               `json:"activeGuardedRolloutCount"`
	Groups            []MetricGroupRef   `json:"metricGroups"`
	GroupCount        *int               `json:"metricGroupCount"`
	LastRollout       *MetricRollout     `json:"lastUsedInGuardedRollout"`
}

func (m *Metric) missing() string {
	if m.Key == "" {
		return "metric"
	}
	return ""
}

// MetricURL is a page that a metric counts, in the field that its kind calls for.
type MetricURL struct {
	Kind      string `json:"kind"`                // exact, canonical, substring or regex
	URL       string `json:"url,omitempty"`       // exact, canonical
	Substring string `json:"substring,omitempty"` // substring
	Pattern   string `json:"pattern,omitempty"`   // regex
}

// MetricExperiment is an experiment that uses a metric or a group.
type MetricExperiment struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	Environment string `json:"environmentKey"`
	Archived    Millis `json:"archivedDate"`
}

// MetricGroupRef names a metric group.
type MetricGroupRef struct {
	Key  string `json:"key"`
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// MetricRollout is a guarded rollout that watched a metric.
type MetricRollout struct {
	Flag        string `json:"flagKey"`
	Environment string `json:"environmentKey"`
	Status      string `json:"status"`
}

// NewMetric is a metric that is yet to be created.
type NewMetric struct {
	Key         string      `json:"key"`
	Name        string      `json:"name"`
	Kind        string      `json:"kind"`
	Description string      `json:"description,omitempty"`
	Tags        []string    `json:"tags,omitempty"`
	EventKey    string      `json:"eventKey,omitempty"`
	Numeric     bool        `json:"isNumeric"`
	Aggregation string      `json:"unitAggregationType,omitempty"`
	Unit        string      `json:"unit,omitempty"`
	Success     string      `json:"successCriteria,omitempty"`
	URLs        []MetricURL `json:"urls,omitempty"`
	Selector    string      `json:"selector,omitempty"`
	Units       []string    `json:"randomizationUnits,omitempty"`
}

// MaxMetricLimit is the most metrics, or groups, that LaunchDarkly gives on one page.
const MaxMetricLimit = 50

// ListMetrics are the filters of a list of metrics; all that are given must hold.
type ListMetrics struct {
	Paging
	Query string   // part of a key or name
	Tags  []string // all of them
}

// List returns one page of a project's metrics, without archived ones.
func (s *MetricsService) List(ctx context.Context, project string, o ListMetrics) (*Page[Metric], error) {
	q := o.Paging.query()
	var filter []string
	if o.Query != "" {
		filter = append(filter, "query equals "+operand(o.Query))
	}
	if len(o.Tags) > 0 {
		filter = append(filter, "tags contains "+operand(o.Tags))
	}
	if len(filter) > 0 {
		q.Set("filter", strings.Join(filter, ","))
	}
	return get[Page[Metric]](ctx, s.c, Target{Project: project}, path("metrics", project), q)
}

// Get returns one metric, archived or not, with what uses it.
func (s *MetricsService) Get(ctx context.Context, project, key string) (*Metric, error) {
	q := url.Values{"expand": {"experiments,experimentCount,metricGroups,metricGroupCount,lastUsedInGuardedRollout"}}
	return get[Metric](ctx, s.c, metricAt(project, key), path("metrics", project, key), q)
}

// Create creates a metric.
func (s *MetricsService) Create(ctx context.Context, project string, in NewMetric) (*Metric, error) {
	return do[Metric](ctx, s.c, call{method: http.MethodPost, at: metricAt(project, in.Key), path: path("metrics", project),
		body: in, contentType: jsonType, writes: true})
}

// Update changes a metric by JSON Patch.
func (s *MetricsService) Update(ctx context.Context, project, key string, steps []Operation) (*Metric, error) {
	return patchJSON[Metric](ctx, s.c, metricAt(project, key), path("metrics", project, key), steps)
}

// Delete removes a metric for good.
func (s *MetricsService) Delete(ctx context.Context, project, key string) error {
	return erase(ctx, s.c, metricAt(project, key), path("metrics", project, key))
}

func metricAt(project, key string) Target {
	return Target{Project: project, Kind: "metric", Key: key}
}
