package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var metricTools = Toolset{
	Name: "metrics", Doc: "Metrics and metric groups: what experiments and guarded rollouts measure.",
	Tools: []Tool{listMetrics, getMetric, createMetric, updateMetric, deleteMetric,
		listMetricGroups, getMetricGroup, createMetricGroup, updateMetricGroup, deleteMetricGroup},
}

// The three ways to measure. LaunchDarkly writes each as two fields.
const (
	measureCount      = "count"      // events of a context are counted
	measureOccurrence = "occurrence" // whether there was an event
	measureValue      = "value"      // numbers that events carry
)

func measureOf(numeric bool, aggregation string) string {
	switch {
	case numeric:
		return measureValue
	case aggregation == "sum":
		return measureCount
	}
	return measureOccurrence
}

// metricRow is a metric in a list.
type metricRow struct {
	Key      string   `json:"key"`
	Name     string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Kind     string   `json:"kind"`
	Measure  string   `json:"measureType"`
	EventKey string   `json:"eventKey,omitempty"`
	Unit     string   `json:"unit,omitempty"`
	Success  string   `json:"successCriteria,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

func metricRowOf(m ldclient.Metric) metricRow {
	return metricRow{m.Key, nameBeside(m.Key, m.Name), m.Kind, measureOf(m.Numeric, m.Aggregation), m.EventKey, m.Unit, m.Success, ten(m.Tags, 0)}
}

var listMetrics = read(Spec{
	Name: "list-metrics", Title: "List metrics",
	Doc: "List or search a project's metrics that are not archived.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	Query string   `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key or name"`
	Tags  []string `json:"tags,omitempty" alias:"tag" doc:"All of these"`
	paged
}) (page[metricRow], error) {
	got, err := manyPages(ctx, in.paged, inHalves(func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Metric], error) {
		return ld.Metrics.List(ctx, in.Project, ldclient.ListMetrics{Paging: p, Query: in.Query, Tags: in.Tags})
	}))
	if err != nil {
		return page[metricRow]{}, err
	}
	return pageOf(got, in.Offset, metricRowOf), nil
})

// inHalves reads a page in two where LaunchDarkly's pages are half as long as those of most lists.
func inHalves[T any](fetch func(context.Context, ldclient.Paging) (*ldclient.Page[T], error)) func(context.Context, ldclient.Paging) (*ldclient.Page[T], error) {
	return func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[T], error) {
		rest := p.Limit - ldclient.MaxMetricLimit
		if p.Limit = min(p.Limit, ldclient.MaxMetricLimit); rest <= 0 {
			return fetch(ctx, p)
		}
		first, err := fetch(ctx, p)
		if err != nil || !first.More(p.Offset) {
			return first, err
		}
		next, err := fetch(ctx, ldclient.Paging{Limit: rest, Offset: p.Offset + len(first.Items)})
		if err != nil {
			return nil, err
		}
		next.Items = slices.Concat(first.Items, next.Items)
		return next, nil
	}
}

// atMetric names one metric.
type atMetric struct {
	Project string `json:"projectKey" alias:"project"`
	Metric  string `json:"metricKey" alias:"metric,key"`
}

func (a atMetric) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "metric", Key: a.Metric}
}

// metricState is what creating or changing a metric shows; of a change, what differs.
type metricState struct {
	Key         string    `json:"key"`
	Name        string    `json:"name,omitempty"`
	Description string    `json:"description,omitempty"`
	Tags        []string  `json:"tags,omitempty"`
	Kind        string    `json:"kind,omitempty"`
	Measure     string    `json:"measureType,omitempty"`
	Aggregation string    `json:"valueAggregation,omitempty" doc:"of values"`
	EventKey    string    `json:"eventKey,omitempty"`
	URLs        []pageURI `json:"urls,omitempty" doc:"the first ten"`
	OtherURLs   []pageURI `json:"-"` // so that a change of them is one
	Selector    string    `json:"selector,omitempty"`
	Unit        string    `json:"unit,omitempty"`
	Success     string    `json:"successCriteria,omitempty"`
	Units       []string  `json:"randomizationUnits,omitempty" doc:"context kinds"`
	Maintainer  string    `json:"maintainer,omitempty"`
	Archived    bool      `json:"archived,omitempty"`
	URL         string    `json:"url,omitempty" doc:"LaunchDarkly's own page"`
}

func metricStateOf(m *ldclient.Metric) metricState {
	v := viewOfFields(metricFields(m))
	v.Archived = m.Archived
	if m.Maintainer != nil {
		v.Maintainer = m.Maintainer.String()
	}
	return v
}

// viewOfFields is a metric as it would be with these fields.
func viewOfFields(f ldclient.NewMetric) metricState {
	v := metricState{Key: f.Key, Name: f.Name, Description: f.Description, Tags: f.Tags, Kind: f.Kind, Measure: measureOf(f.Numeric, f.Aggregation),
		EventKey: f.EventKey, Selector: f.Selector, Unit: f.Unit, Success: f.Success, Units: f.Units}
	if f.Numeric {
		v.Aggregation = f.Aggregation
	}
	for i, u := range f.URLs {
		page := pageURI{u.Kind, u.URL + u.Substring + u.Pattern}
		if i < firstOf {
			v.URLs = append(v.URLs, page)
		} else {
			v.OtherURLs = append(v.OtherURLs, page)
		}
	}
	return v
}

// metricFields are the settings of a metric that is there.
func metricFields(m *ldclient.Metric) ldclient.NewMetric {
	return ldclient.NewMetric{Key: m.Key, Name: m.Name, Kind: m.Kind, Description: m.Description, Tags: m.Tags, EventKey: m.EventKey, Numeric: m.Numeric,
		Aggregation: m.Aggregation, Unit: m.Unit, Success: m.Success, URLs: m.URLs, Selector: m.Selector, Units: m.Units}
}

// metricPage is LaunchDarkly's own page of a metric.
func metricPage(ld *ldclient.Client, project string, m *ldclient.Metric) string {
	at := m.Site.Href
	if !strings.HasPrefix(at, "/") || strings.HasPrefix(at, "//") {
		at = "/projects/" + project + "/metrics/" + m.Key
	}
	return ld.BaseURL() + at
}

type metricDetail struct {
	metricState
	Percentile  *int     `json:"percentile,omitempty" doc:"analyzed instead of the mean"`
	Source      string   `json:"dataSource,omitempty" doc:"where events come from, if not LaunchDarkly's SDKs"`
	LastSeen    string   `json:"lastSeen,omitempty" doc:"latest data"`
	Experiments []string `json:"experiments,omitempty" doc:"that use it, the first ten"`
	Count       int      `json:"experimentCount,omitempty"`
	Running     int      `json:"activeExperimentCount,omitempty"`
	Rollouts    int      `json:"activeGuardedRolloutCount,omitempty"`
	LastRollout string   `json:"lastGuardedRollout,omitempty"`
	Groups      []string `json:"metricGroups,omitempty" doc:"the first ten"`
}

var getMetric = read(Spec{
	Name: "get-metric", Title: "Get a metric",
	Doc: "Read one metric: what it measures, and what uses it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atMetric }) (metricDetail, error) {
	m, err := metricNamed(ctx, ld, in.atMetric)
	if err != nil {
		return metricDetail{}, err
	}
	u := usesOfMetric(ld, m)
	d := metricDetail{metricState: metricStateOf(m), LastSeen: m.LastSeen.String(), Experiments: ten(u.experiments, 0), Count: u.count(), Running: u.running(),
		Rollouts: u.rollouts(), LastRollout: u.lastRollout, Groups: ten(u.groups, 0)}
	d.Tags = ten(d.Tags, 0)
	d.URL = metricPage(ld, in.Project, m)
	if m.Analysis == "percentile" {
		d.Percentile = m.Percentile
	}
	if !strings.HasPrefix(m.DataSource.Key, "launchdarkly") {
		d.Source = m.DataSource.Key
	}
	return d, nil
})

// metricNamed reads a metric; where there is none, it offers the ones with keys like it.
func metricNamed(ctx context.Context, ld *ldclient.Client, at atMetric) (*ldclient.Metric, error) {
	m, err := ld.Metrics.Get(ctx, at.Project, at.Metric)
	if !ldclient.IsNotFound(err) {
		return m, err
	}
	near := keysLike(at.Metric, func(query string) ([]string, error) {
		got, err := ld.Metrics.List(ctx, at.Project, ldclient.ListMetrics{Query: query, Paging: ldclient.Paging{Limit: ldclient.MaxMetricLimit}})
		if err != nil {
			return nil, err
		}
		return keysOf(got.Items, func(m ldclient.Metric) string { return m.Key }), nil
	})
	if len(near) == 0 { // perhaps it is the project that is not there
		return nil, err
	}
	return nil, absent("metric", at.Metric, near)
}

// pageURI is a page that a metric counts.
type pageURI struct {
	Kind string `json:"kind"`
	URL  string `json:"url" alias:"substring,pattern"`
}

// metricSettings are what says what a metric measures, besides its kind.
type metricSettings struct {
	Measure     string     `json:"measureType" brief:"true" jsonschema:"enum=count,enum=occurrence,enum=value" doc:"count, occurrence or value"`
	Success     string     `json:"successCriteria" brief:"true" doc:"HigherThanBaseline or LowerThanBaseline" jsonschema:"enum=HigherThanBaseline,enum=LowerThanBaseline"`
	EventKey    *string    `json:"eventKey,omitempty" doc:"If custom"`
	URLs        *[]pageURI `json:"urls,omitempty" brief:"true" doc:"Else: {\"kind\":\"exact|canonical|substring|regex\",\"url\":\"/cart\"}"`
	Selector    *string    `json:"selector,omitempty" doc:"If click"`
	Aggregation string     `json:"valueAggregation,omitempty" brief:"true" jsonschema:"enum=average,enum=sum" doc:"average or sum"`
	Unit        *string    `json:"unit,omitempty" doc:"If value"`
	Units       *[]string  `json:"randomizationUnits,omitempty" alias:"randomizationUnit" doc:"user if not given"`
}

// metricChanges are metricSettings as they are changed: none has to be given, and create-metric tells what they are.
type metricChanges struct {
	Measure     string     `json:"measureType,omitempty" quiet:"true"`
	Success     string     `json:"successCriteria,omitempty" quiet:"true"`
	EventKey    *string    `json:"eventKey,omitempty" quiet:"true"`
	URLs        *[]pageURI `json:"urls,omitempty" quiet:"true"`
	Selector    *string    `json:"selector,omitempty" quiet:"true"`
	Aggregation string     `json:"valueAggregation,omitempty" quiet:"true"`
	Unit        *string    `json:"unit,omitempty" quiet:"true"`
	Units       *[]string  `json:"randomizationUnits,omitempty" alias:"randomizationUnit" quiet:"true"`
}

// into changes a metric's fields by what was given, and says what does not fit together.
func (s metricSettings) into(f *ldclient.NewMetric) error {
	for _, w := range []struct {
		name, said string
		words      []string
	}{
		{"measureType", s.Measure, []string{measureCount, measureOccurrence, measureValue}},
		{"successCriteria", s.Success, []string{"HigherThanBaseline", "LowerThanBaseline"}},
		{"valueAggregation", s.Aggregation, []string{"average", "sum"}},
	} {
		if w.said != "" && !slices.Contains(w.words, w.said) {
			return badf("%s: must be %s, got %q", w.name, strings.Join(w.words, " or "), short(w.said, 40))
		}
	}
	was := measureOf(f.Numeric, f.Aggregation)
	is := cmp.Or(s.Measure, was)
	switch {
	case is == measureValue && f.Kind != "custom":
		return badf("measureType value is for kind custom, whose events carry numbers; a %s metric measures count or occurrence", f.Kind)
	case is != measureValue && s.Aggregation != "":
		return badf("valueAggregation is for measureType value, not %s", is)
	case is != measureValue && s.Unit != nil && *s.Unit != "":
		return badf("unit is for measureType value, not %s", is)
	case s.EventKey != nil && (visible(*s.EventKey) != *s.EventKey || strings.ContainsAny(*s.EventKey, "\n\t")):
		return badf("eventKey: must be one line without invisible characters")
	}
	switch {
	case is == measureValue && was == measureValue:
		f.Aggregation = cmp.Or(s.Aggregation, f.Aggregation, "average")
	case is == measureValue:
		f.Aggregation = cmp.Or(s.Aggregation, "average")
	case is != was:
		f.Aggregation = map[string]string{measureCount: "sum", measureOccurrence: "average"}[is]
	}
	if f.Numeric = is == measureValue; !f.Numeric {
		f.Unit = ""
	}
	set(&f.Unit, s.Unit)
	set(&f.EventKey, s.EventKey)
	set(&f.Selector, s.Selector)
	f.Success = cmp.Or(s.Success, f.Success)
	if s.Units != nil {
		if f.Units = *s.Units; len(f.Units) == 0 {
			return badf("randomizationUnits: name one context kind at least, such as user")
		}
	}
	if s.URLs != nil {
		f.URLs = []ldclient.MetricURL{}
		for _, u := range *s.URLs {
			if clean(u.URL) == "" {
				return badf("urls: each wants a url: the address, a part of it (substring) or a pattern (regex)")
			}
			page := ldclient.MetricURL{Kind: u.Kind}
			switch u.Kind {
			case "substring":
				page.Substring = u.URL
			case "regex":
				page.Pattern = u.URL
			case "exact", "canonical":
				page.URL = u.URL
			default:
				return badf("urls: kind must be exact, canonical, substring or regex, got %q", short(u.Kind, 40))
			}
			f.URLs = append(f.URLs, page)
		}
	}
	return nil
}

// kindTakes says what a metric's kind wants or cannot have.
func kindTakes(f *ldclient.NewMetric) error {
	custom, click := f.Kind == "custom", f.Kind == "click"
	switch {
	case custom && clean(f.EventKey) == "":
		return badf("eventKey: kind custom wants the key of the event that the SDK's track call sends")
	case !custom && f.EventKey != "":
		return badf("eventKey is for kind custom; kind %s wants urls", f.Kind)
	case custom && len(f.URLs) > 0:
		return badf("urls are for kinds pageview and click; kind custom wants eventKey")
	case !custom && len(f.URLs) == 0:
		return badf("urls: kind %s wants the pages that it counts on", f.Kind)
	case click && clean(f.Selector) == "":
		return badf("selector: kind click wants the CSS selector of what is clicked")
	case !click && f.Selector != "":
		return badf("selector is for kind click, not %s", f.Kind)
	}
	return nil
}

// newMetric names a metric that is yet to be created.
type newMetric struct {
	Project string `json:"projectKey" alias:"project"`
	Key     string `json:"key" alias:"metricKey"`
}

func (a newMetric) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "metric", Key: a.Key}
}

var createMetric = create(Spec{
	Name: "create-metric", Title: "Create a metric", Action: "createMetric",
	Doc: "Create a metric: what experiments and guarded rollouts measure by.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newMetric
	Name string `json:"name"`
	Kind string `json:"kind" jsonschema:"enum=custom,enum=pageview,enum=click"`
	metricSettings
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	because
}) (*plan[metricState], error) {
	tags, err := checkedSettings(in.Key, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	f := ldclient.NewMetric{Key: in.Key, Name: in.Name, Kind: in.Kind, Description: in.Description, Tags: tags, Aggregation: "average", Units: []string{"user"}}
	if err := cmp.Or(in.into(&f), kindTakes(&f)); err != nil {
		return nil, err
	}
	switch was, err := ld.Metrics.Get(ctx, in.Project, in.Key); {
	case err == nil:
		return nil, badf("project %s has a metric %s already%s; choose another key, or change that one with update-metric", in.Project, in.Key, archivedNote(was.Archived))
	case !ldclient.IsNotFound(err):
		return nil, err
	}
	return &plan[metricState]{
		intent: intent{Says: fmt.Sprintf("create %s metric %s (%s) in project %s", in.Kind, in.Key, short(clean(in.Name), 100), in.Project), Notes: uncommented(in.because)},
		Apply: func(ctx context.Context, how manner) (*metricState, error) {
			if how.DryRun {
				after := viewOfFields(f)
				_, err := ld.Projects.Get(ctx, in.Project)
				return &after, err
			}
			m, err := ld.Metrics.Create(ctx, in.Project, f)
			if err != nil {
				return nil, err
			}
			after := metricStateOf(m)
			after.URL = metricPage(ld, in.Project, m)
			return &after, nil
		},
	}, nil
})

func archivedNote(archived bool) string {
	if archived {
		return " (archived)"
	}
	return ""
}
