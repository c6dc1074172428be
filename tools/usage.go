package tools

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var usageTools = Toolset{
	Name: "usage", Doc: "What the account uses, and engineering insights.",
	Tools: []Tool{getAccountUsage, getInsightScores, getInsights, listInsights},
}

// usageReport is one kind of usage, the largest series first.
type usageReport struct {
	Kind        string      `json:"kind"`
	Aggregation string      `json:"aggregationType,omitempty" doc:"month_to_date: each point is its month so far; rolling_30d: the 30 days before it"`
	From        string      `json:"from,omitempty"`
	To          string      `json:"to,omitempty"`
	Items       []usageLine `json:"series"`
	Count       int         `json:"seriesCount"`
	NextOffset  int         `json:"nextOffset,omitempty" doc:"Set when there is more"`
	Notes       []string    `json:"notes,omitempty"`
	offset      int
}

type usageLine struct {
	Of     map[string]string `json:"of,omitempty" doc:"what it counts"`
	Total  *float64          `json:"total,omitempty" doc:"all points added up, where they can be"`
	Latest pointsByTime      `json:"latest,omitempty" doc:"where no points are shown"`
	Peak   pointsByTime      `json:"peak,omitempty" doc:"where not all points are shown"`
	Points pointsByTime      `json:"points,omitempty" doc:"the last ten by time"`
}

// pointsByTime are numbers by the time that they are of.
type pointsByTime map[string]float64

func pointsOf(points ...ldclient.UsagePoint) pointsByTime {
	out := pointsByTime{}
	for _, p := range points {
		out[usageTime(p.At)] = rounded(p.Value)
	}
	return out
}

// shorten keeps the first series.
func (r usageReport) shorten(items int) (any, int) {
	had := len(r.Items)
	if items < had {
		r.Items, r.NextOffset = r.Items[:items], r.offset+items
	}
	return r, had
}

// lighten leaves the points out.
func (r usageReport) lighten() (any, bool) {
	r.Items = slices.Clone(r.Items)
	for i := range r.Items {
		r.Items[i].Points = nil
	}
	return r, true
}

// fewSeries is how many series are shown with their points.
const fewSeries = 4

type usageInput struct {
	Kind        string   `json:"kind" jsonschema:"enum=total-contexts,enum=clientside-contexts,enum=serverside-contexts,enum=total-mau,enum=clientside-mau,enum=mau-by-category,enum=service-connections,enum=data-export-events,enum=experimentation-events,enum=experimentation-keys,enum=evaluations,enum=events-received,enum=events-published,enum=streams-client,enum=streams-server,enum=observability-errors,enum=observability-logs,enum=observability-metrics,enum=observability-sessions,enum=observability-traces,enum=vega-ai"`
	Project     string   `json:"projectKey,omitempty" alias:"project" default:"-"`
	Environment string   `json:"environmentKey,omitempty" alias:"env,environment" default:"-"`
	Flag        string   `json:"flagKey,omitempty" alias:"flag,featureFlagKey"`
	After       string   `json:"after,omitempty" alias:"from,since,startDate" told:"true" doc:"A time or an age"`
	Before      string   `json:"before,omitempty" alias:"to,until,endDate" told:"true" doc:"A time or an age"`
	GroupBy     []string `json:"groupBy,omitempty" doc:"Such as projectId, environmentId, sdkName"`
	Method      string   `json:"aggregationType,omitempty" alias:"aggregation" brief:"true" jsonschema:"enum=month_to_date,enum=incremental,enum=rolling_30d,enum=average" doc:"month_to_date (usual), incremental, rolling_30d, average"`
	Granularity string   `json:"granularity,omitempty" brief:"true" jsonschema:"enum=daily,enum=hourly,enum=monthly" doc:"daily, hourly, monthly"`
	Limit       int      `json:"limit,omitempty" jsonschema:"minimum=1,maximum=200" default:"10" quiet:"true" doc:"Series to show"`
	Offset      int      `json:"offset,omitempty" jsonschema:"minimum=0,maximum=1000000" quiet:"true" doc:"Series to skip"`
}

func (in usageInput) target() ldclient.Target {
	if in.Flag != "" {
		return ldclient.Target{Project: in.Project, Environment: in.Environment, Kind: "flag", Key: in.Flag}
	}
	return ldclient.Target{Project: in.Project, Environment: in.Environment}
}

var getAccountUsage = read(Spec{
	Name: "get-account-usage", Title: "Get account usage",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "Tell what the account, a project or an environment uses, by day. evaluations wants projectKey, environmentKey and flagKey.",
}, func(ctx context.Context, ld *ldclient.Client, in usageInput) (usageReport, error) {
	kind := ldclient.UsageKinds()[in.Kind]
	q, err := in.query(kind, ld.Scope())
	if err != nil {
		return usageReport{}, err
	}
	got, err := ld.Usage.Get(ctx, q)
	if err != nil {
		return usageReport{}, err
	}
	if q.Method == "" && len(kind.Methods) > 0 {
		q.Method = kind.Methods[0]
	}
	out := usageReport{Kind: in.Kind, Aggregation: q.Method, Items: []usageLine{}, Count: len(got.Series), offset: in.Offset}
	slices.SortStableFunc(got.Series, func(a, b ldclient.UsageSeries) int {
		return cmp.Compare(weightOf(kind, q.Method, b.Points), weightOf(kind, q.Method, a.Points))
	})
	shown := got.Series[min(in.Offset, len(got.Series)):]
	if len(shown) > in.Limit {
		shown, out.NextOffset = shown[:in.Limit], in.Offset+in.Limit
	}
	names, missing := usageNames(ctx, ld, q)
	out.Notes = missing
	var first, last ldclient.Millis
	for _, s := range shown {
		out.Items = append(out.Items, usageLineOf(kind, q.Method, s, names, len(shown) <= fewSeries))
		if n := len(s.Points); n > 0 {
			if first == 0 || s.Points[0].At < first {
				first = s.Points[0].At
			}
			last = max(last, s.Points[n-1].At)
		}
	}
	out.From, out.To = usageTime(first), usageTime(last)
	switch {
	case len(shown) > fewSeries:
		out.Notes = append(out.Notes, fmt.Sprintf("points are shown for %d series at most: narrow what is asked for, or give limit %d", fewSeries, fewSeries))
	case first == 0:
		out.Notes = append(out.Notes, "LaunchDarkly has no numbers for this")
	}
	return out, nil
})

// query checks what a kind of usage can be asked, and that it tells of nothing outside the scope.
func (in usageInput) query(kind ldclient.UsageKind, scope ldclient.Scope) (ldclient.UsageQuery, error) {
	q := ldclient.UsageQuery{Kind: in.Kind, Project: in.Project, Environment: in.Environment, Flag: in.Flag, Method: in.Method, Granularity: in.Granularity}
	limited := len(scope.Projects)+len(scope.Environments) > 0
	switch {
	case kind.Flag && (in.Project == "" || in.Environment == "" || in.Flag == ""):
		return q, badf("%s wants projectKey, environmentKey and flagKey", in.Kind)
	case !kind.Flag && in.Flag != "":
		return q, badf("flagKey: %s is not counted by flag; evaluations is", in.Kind)
	case !kind.Flag && !kind.Project && in.Project != "":
		return q, badf("projectKey: %s is counted for the account as a whole", in.Kind)
	case !kind.Flag && !kind.Environment && in.Environment != "":
		return q, badf("environmentKey: %s is not counted by environment", in.Kind)
	case in.Environment != "" && in.Project == "":
		return q, badf("missing projectKey: it goes with environmentKey")
	case limited && !kind.Flag && (!kind.Project || len(scope.Environments) > 0 && !kind.Environment):
		return q, &ldclient.ScopeError{Reason: in.Kind + " counts what is outside this server's scope too"}
	case limited && in.Project == "":
		return q, badf("missing projectKey: this server's scope is limited, so say what to count")
	case len(scope.Environments) > 0 && in.Environment == "":
		return q, badf("missing environmentKey: this server's scope is limited, so say what to count")
	case in.Method != "" && !slices.Contains(kind.Methods, in.Method):
		return q, badf("aggregationType: %s takes %s, got %s", in.Kind, orNone(kind.Methods), in.Method)
	case in.Granularity != "" && !slices.Contains(kind.Granularity, in.Granularity):
		return q, badf("granularity: %s takes %s, got %s", in.Kind, orNone(kind.Granularity), in.Granularity)
	case in.Granularity == "monthly" && cmp.Or(in.Method, ldclient.MonthToDate) != ldclient.MonthToDate && in.Method != ldclient.Average:
		return q, badf("granularity: monthly goes with aggregationType month_to_date")
	}
	for _, said := range in.GroupBy {
		i := slices.IndexFunc(kind.Groups, func(g string) bool { return strings.HasPrefix(fold(g), fold(strings.TrimSuffix(said, "Key"))) })
		if i < 0 || said == "" {
			return q, badf("groupBy: %s takes %s, got %s", in.Kind, orNone(kind.Groups), short(said, 60))
		}
		if !slices.Contains(q.GroupBy, kind.Groups[i]) {
			q.GroupBy = append(q.GroupBy, kind.Groups[i])
		}
	}
	var err error
	if q.From, err = instant("after", in.After); err != nil {
		return q, err
	}
	if q.To, err = instant("before", in.Before); err != nil {
		return q, err
	}
	if q.From > 0 && q.To > 0 && q.From >= q.To {
		return q, badf("after must be earlier than before")
	}
	return q, nil
}

// usageNames maps the ids in a report to keys, as far as one request tells them.
func usageNames(ctx context.Context, ld *ldclient.Client, q ldclient.UsageQuery) (names map[string]string, missing []string) {
	names = map[string]string{}
	g := gather(ctx)
	if q.Project != "" && slices.Contains(q.GroupBy, "environmentId") {
		g.want("the keys of environments", func(ctx context.Context) error {
			all, err := ld.Environments.All(ctx, q.Project)
			for _, e := range all {
				names[e.ID] = e.Key
			}
			return err
		})
	} else if slices.Contains(q.GroupBy, "projectId") {
		g.want("the keys of projects", func(ctx context.Context) error {
			got, err := ld.Projects.List(ctx, ldclient.ListProjects{Paging: ldclient.Paging{Limit: upstreamPage}})
			if err != nil {
				return err
			}
			for _, p := range got.Items {
				names[p.ID] = p.Key
			}
			return nil
		})
	}
	missing, _ = g.wait()
	return names, missing
}

func usageLineOf(kind ldclient.UsageKind, method string, s ldclient.UsageSeries, names map[string]string, points bool) usageLine {
	out := usageLine{}
	for name, value := range s.Of {
		if key, ok := names[value]; ok {
			name, value = strings.TrimSuffix(name, "Id")+"Key", key
		}
		if value != "" && len(out.Of) < 2*firstOf {
			if out.Of == nil {
				out.Of = map[string]string{}
			}
			out.Of[short(clean(name), 60)] = short(clean(value), 120)
		}
	}
	if len(s.Points) == 0 {
		return out
	}
	if additive(kind, method) {
		total := weightOf(kind, method, s.Points)
		out.Total = &total
	}
	last := s.Points[max(0, len(s.Points)-firstOf):]
	if !points {
		last = nil
		out.Latest = pointsOf(s.Points[len(s.Points)-1])
	} else {
		out.Points = pointsOf(last...)
	}
	if method != ldclient.MonthToDate && len(s.Points) > max(1, len(last)) {
		out.Peak = pointsOf(slices.MaxFunc(s.Points, func(a, b ldclient.UsagePoint) int { return cmp.Compare(a.Value, b.Value) }))
	}
	return out
}

// additive reports whether the points of a report count different things.
func additive(kind ldclient.UsageKind, method string) bool {
	return !kind.Gauge && (method == "" || method == ldclient.Incremental)
}

// weightOf is what a series comes to: all of it, or its latest value.
func weightOf(kind ldclient.UsageKind, method string, points []ldclient.UsagePoint) float64 {
	if len(points) == 0 {
		return 0
	}
	if !additive(kind, method) {
		return rounded(points[len(points)-1].Value)
	}
	sum := 0.0
	for _, p := range points {
		sum += p.Value
	}
	return rounded(sum)
}

func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }

// usageTime writes a time as briefly as it can be.
func usageTime(at ldclient.Millis) string {
	if t := at.Time(); at > 0 && t.Truncate(24*time.Hour).Equal(t) {
		return t.Format(time.DateOnly)
	}
	return at.String()
}
