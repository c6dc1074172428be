package ldclient

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
)

// UsageService reads what the account uses.
type UsageService service

// UsageKind is one of the things that LaunchDarkly counts, and what a query of it may ask.
type UsageKind struct {
	Project     bool     // may be narrowed to projects
	Environment bool     // and to environments of one project
	Flag        bool     // is of one flag in one environment
	Groups      []string // what it may be broken down by
	Methods     []string // of aggregation, the default first; none where each point counts by itself
	Granularity []string // the default first; none where the age of the data decides
	Gauge       bool     // points cannot be added up

	path    []any
	grouped []any // the path of what is broken down by sdkVersion
	seconds bool  // times in a query are seconds since the epoch, not ms
}

// How points are counted.
const (
	MonthToDate = "month_to_date" // each is all of its month so far
	Incremental = "incremental"   // each by itself
	Rolling30   = "rolling_30d"   // each is the last 30 days
	Average     = "average"
)

// UsageKinds lists what can be asked for by name.
var UsageKinds = sync.OnceValue(func() map[string]UsageKind {
	contexts := []string{"projectId", "environmentId", "sdkName", "sdkAppId", "anonymousV2"}
	total := append(slices.Clone(contexts), "sdkType")
	all, two := []string{MonthToDate, Incremental, Rolling30}, []string{MonthToDate, Incremental}
	days, hours := []string{"daily", "monthly"}, []string{"daily", "hourly", "monthly"}
	in := func(groups, methods, granularity []string, path ...any) UsageKind {
		return UsageKind{Project: true, Environment: true, Groups: groups, Methods: methods, Granularity: granularity, path: path}
	}
	observed := func(methods, granularity []string, path ...any) UsageKind {
		return UsageKind{Project: true, Methods: methods, Granularity: granularity, seconds: true, path: path}
	}
	return map[string]UsageKind{
		"total-contexts":         in(total, all, days, []any{"usage", "total-contexts"}...),
		"clientside-contexts":    in(contexts, all, days, []any{"usage", "clientside-contexts"}...),
		"serverside-contexts":    in(contexts, all, days, []any{"usage", "serverside-contexts"}...),
		"total-mau":              in(total, all, days, []any{"usage", "total-mau"}...),
		"clientside-mau":         in(contexts, all, days, []any{"usage", "clientside-mau"}...),
		"data-export-events":     in([]string{"environmentId", "eventKind"}, two, hours, []any{"usage", "data-export-events"}...),
		"experimentation-events": in([]string{"environmentId", "eventKey", "eventKind"}, two, hours, []any{"usage", "experimentation-events"}...),
		"experimentation-keys":   in([]string{"projectId", "environmentId", "experimentId"}, two, hours, []any{"usage", "experimentation-keys"}...),
		"service-connections": in([]string{"projectId", "environmentId", "connectionType", "relayVersion", "sdkName", "sdkVersion", "sdkType", "sdkAppId"},
			two, hours, []any{"usage", "service-connections"}...),
		"evaluations":      {Flag: true, path: []any{"usage", "evaluations"}},
		"events-received":  {path: []any{"usage", "events", "received"}},
		"events-published": {path: []any{"usage", "events", "published"}},
		"streams-client": {Gauge: true, Groups: []string{"sdkVersion"}, path: []any{"usage", "streams", "client"},
			grouped: []any{"usage", "streams", "client", "bysdkversion"}},
		"streams-server": {Gauge: true, Groups: []string{"sdkVersion"}, path: []any{"usage", "streams", "server"},
			grouped: []any{"usage", "streams", "server", "bysdkversion"}},
		"mau-by-category":        {Gauge: true, path: []any{"usage", "mau", "bycategory"}},
		"observability-errors":   observed(all, days, []any{"usage", "observability", "errors"}...),
		"observability-logs":     observed(all, days, []any{"usage", "observability", "logs"}...),
		"observability-sessions": observed(all, days, []any{"usage", "observability", "sessions"}...),
		"observability-traces":   observed(all, days, []any{"usage", "observability", "traces"}...),
		"observability-metrics":  observed([]string{MonthToDate, Average}, []string{"daily", "hourly", "monthly"}, []any{"usage", "observability", "metrics"}...),
		"vega-ai":                observed(all, days, []any{"usage", "vega-ai"}...),
	}
})

// UsageQuery asks for one kind of usage. What is not given is LaunchDarkly's default.
type UsageQuery struct {
	Kind                       string
	From, To                   Millis
	Project, Environment, Flag string
	GroupBy                    []string
	Method, Granularity        string
}

// UsageReport is one kind of usage over time.
type UsageReport struct {
	Series []UsageSeries
}

// UsageSeries is one line of the numbers.
type UsageSeries struct {
	Of     map[string]string // what it counts, such as sdkName and environmentId
	Points []UsagePoint
}

// UsagePoint is a number at a time.
type UsagePoint struct {
	At    Millis
	Value float64
}

// usageReply is a UsageReport as LaunchDarkly writes it: each point has the values of all series, under their numbers.
type usageReply struct {
	Metadata []map[string]any             `json:"metadata"`
	Points   []map[string]json.RawMessage `json:"series"`
	Links    map[string]json.RawMessage   `json:"_links"`
}

func (r *usageReply) missing() string {
	if r.Metadata == nil && r.Points == nil && r.Links == nil {
		return "usage"
	}
	return ""
}

// Get returns what one kind of usage came to.
func (s *UsageService) Get(ctx context.Context, o UsageQuery) (*UsageReport, error) {
	kind, ok := UsageKinds()[o.Kind]
	if !ok {
		return nil, &InvalidError{Message: "there is no kind of usage " + o.Kind}
	}
	q := url.Values{}
	for _, p := range [][2]string{{"aggregationType", o.Method}, {"granularity", o.Granularity}} {
		if p[1] != "" {
			q.Set(p[0], p[1])
		}
	}
	unit := Millis(1)
	if kind.seconds {
		unit = 1000
	}
	for _, t := range []struct {
		name string
		at   Millis
	}{{"from", o.From}, {"to", o.To}} {
		if t.at > 0 {
			q.Set(t.name, strconv.FormatInt(int64(t.at/unit), 10))
		}
	}
	at, segments := Target{Project: o.Project, Environment: o.Environment}, kind.path
	switch {
	case kind.Flag:
		at.Kind, at.Key = "flag", o.Flag
		segments = append(slices.Clone(segments), o.Project, o.Environment, o.Flag)
	case len(o.GroupBy) > 0 && kind.grouped != nil:
		segments = kind.grouped
	default:
		q["groupBy"] = o.GroupBy
		if o.Project != "" {
			q.Set("projectKey", o.Project)
		}
		if o.Environment != "" {
			q.Set("environmentKey", o.Environment)
		}
	}
	got, err := do[usageReply](ctx, s.c, call{method: http.MethodGet, at: at, path: path(segments...), query: q, beta: true})
	if err != nil {
		return nil, err
	}
	return got.usage(), nil
}

func (r *usageReply) usage() *UsageReport {
	out := &UsageReport{}
	for i, said := range r.Metadata {
		line := UsageSeries{Of: map[string]string{}}
		for _, name := range slices.Sorted(maps.Keys(said)) {
			switch v := said[name].(type) {
			case string:
				line.Of[name] = v
			case json.Number:
				line.Of[name] = v.String()
			case bool:
				line.Of[name] = strconv.FormatBool(v)
			}
		}
		name := strconv.Itoa(i)
		for _, p := range r.Points {
			var at, value *float64
			if json.Unmarshal(p["time"], &at) != nil || json.Unmarshal(p[name], &value) != nil || at == nil || value == nil {
				continue
			}
			if *at < 1e11 { // ten digits are seconds
				*at *= 1000
			}
			line.Points = append(line.Points, UsagePoint{Millis(*at), *value})
		}
		slices.SortStableFunc(line.Points, func(a, b UsagePoint) int { return cmp.Compare(a.At, b.At) })
		out.Series = append(out.Series, line)
	}
	return out
}
