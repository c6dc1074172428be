package tools

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

type insightScoreRow struct {
	Metric    string `json:"metric"`
	Score     int    `json:"score" doc:"0 to 100"`
	Indicator string `json:"indicator,omitempty"`
	Change    int    `json:"change,omitempty" doc:"since the period before"`
}

type insightScores struct {
	From   string            `json:"from,omitempty"`
	To     string            `json:"to,omitempty"`
	Scores []insightScoreRow `json:"scores"`
}

var getInsightScores = read(Spec{
	Name: "get-insight-scores", Title: "Get insight scores",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "Tell how well an environment does by engineering insights: deployment frequency, lead time, flag health and so on.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	Application string `json:"applicationKey,omitempty" alias:"application"`
}) (insightScores, error) {
	got, err := ld.Insights.Scores(ctx, ldclient.InsightsQuery{Project: in.Project, Environment: in.Environment, Application: in.Application})
	if err != nil {
		return insightScores{}, err
	}
	out := insightScores{From: got.Period.Start.String(), To: got.Period.End.String(), Scores: []insightScoreRow{}}
	for metric, s := range got.Scores {
		out.Scores = append(out.Scores, insightScoreRow{metric, s.Score, s.Indicator, orElse(s.Change, 0)})
	}
	place := func(metric string) string { return strings.TrimPrefix(metric, "overall") } // which comes first
	slices.SortFunc(out.Scores, func(a, b insightScoreRow) int { return cmp.Compare(place(a.Metric), place(b.Metric)) })
	return out, nil
})

type insightChart struct {
	Chart  string        `json:"chart"`
	Says   []string      `json:"metrics,omitempty" doc:"the chart in numbers"`
	Unit   string        `json:"unit,omitempty"`
	Series []insightLine `json:"series"`
	Count  int           `json:"seriesCount,omitempty" doc:"where not all are shown"`
}

type insightLine struct {
	Name   string       `json:"name"`
	Total  *int64       `json:"total,omitempty"`
	Points pointsByTime `json:"points,omitempty" doc:"the last ten by time"`
}

// chartGroups is what the charts can be broken down by; those that are not over time take no times.
var chartGroups = map[string]string{"deployment-frequency": "application kind", "stale-flags": "maintainer", "flag-status": "", "lead-time": "application stage", "release-frequency": "impact"}

var getInsights = read(Spec{
	Name: "get-insights", Title: "Get an insights chart",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "Read a chart of engineering insights, of the last seven days unless after is given.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Chart string `json:"chart" jsonschema:"enum=deployment-frequency,enum=stale-flags,enum=flag-status,enum=lead-time,enum=release-frequency" doc:"Which"`
	inEnvironment
	Application string `json:"applicationKey,omitempty" alias:"application"`
	After       string `json:"after,omitempty" alias:"from,since,startDate" told:"true" doc:"A time or an age"`
	Before      string `json:"before,omitempty" alias:"to,until,endDate" told:"true" doc:"A time or an age"`
	GroupBy     string `json:"groupBy,omitempty" brief:"true" jsonschema:"enum=application,enum=kind,enum=stage,enum=impact,enum=maintainer" doc:"application, kind, stage, impact or maintainer, by chart"`
}) (insightChart, error) {
	q := ldclient.InsightsQuery{Project: in.Project, Environment: in.Environment, Application: in.Application, GroupBy: in.GroupBy}
	if groups := strings.Fields(chartGroups[in.Chart]); in.GroupBy != "" && !slices.Contains(groups, in.GroupBy) {
		return insightChart{}, badf("groupBy: %s takes %s, got %s", in.Chart, orNone(groups), in.GroupBy)
	}
	if in.After+in.Before != "" && (in.Chart == "stale-flags" || in.Chart == "flag-status") {
		return insightChart{}, badf("%s is of now; leave after and before out", in.Chart)
	}
	var err error
	if q.From, q.To, err = span(in.After, in.Before); err != nil {
		return insightChart{}, err
	}
	got, err := ld.Insights.Chart(ctx, in.Chart, q)
	if err != nil {
		return insightChart{}, err
	}
	out := insightChart{Chart: in.Chart, Unit: short(clean(got.Metadata.Y.Unit), 60), Series: []insightLine{}}
	for name, m := range got.Metadata.Metrics {
		out.Says = append(out.Says, short(clean(fmt.Sprintf("%s: %s %s %s (%s)", name, number(rounded(m.Value)), m.Unit, m.Modifier, m.Indicator)), 120))
	}
	slices.Sort(out.Says)
	out.Says = ten(out.Says, 0)
	for _, s := range ten(got.Series, 0) {
		line := insightLine{Name: short(clean(s.Metadata.Name), 120), Total: s.Metadata.Count}
		for _, p := range s.Data[max(0, len(s.Data)-firstOf):] {
			if line.Points == nil {
				line.Points = pointsByTime{}
			}
			at := strconv.FormatInt(p.X, 10)
			if p.X > 1e11 { // and else no time
				at = usageTime(ldclient.Millis(p.X))
			}
			line.Points[at] = float64(p.Y)
		}
		out.Series = append(out.Series, line)
	}
	if len(got.Series) > firstOf {
		out.Count = len(got.Series)
	}
	return out, nil
})

// span reads two times, the first of which must be the earlier one.
func span(after, before string) (from, to ldclient.Millis, err error) {
	if from, err = instant("after", after); err != nil {
		return 0, 0, err
	}
	if to, err = instant("before", before); err != nil {
		return 0, 0, err
	}
	if from > 0 && to > 0 && from >= to {
		return 0, 0, badf("after must be earlier than before")
	}
	return from, to, nil
}

// insightList is one of its lists.
type insightList struct {
	Deployments  []deploymentRow        `json:"deployments,omitempty"`
	FlagEvents   []flagEventRow         `json:"flagEvents,omitempty"`
	PullRequests []pullRequestRow       `json:"pullRequests,omitempty"`
	Repositories []insightRepositoryRow `json:"repositories,omitempty"`
	Groups       []insightGroupRow      `json:"groups,omitempty"`
	TotalCount   int                    `json:"totalCount"`
	Next         string                 `json:"nextCursor,omitempty" doc:"Pass as cursor for more"`
}

type deploymentRow struct {
	ID           string `json:"id"`
	Application  string `json:"applicationKey"`
	Version      string `json:"version"`
	Started      string `json:"started"`
	Status       string `json:"status"`
	Minutes      int64  `json:"durationMinutes,omitempty"`
	LeadHours    int64  `json:"leadTimeHours,omitempty"`
	PullRequests int    `json:"pullRequestsCount,omitempty"`
}

type flagEventRow struct {
	Flag    string `json:"flagKey"`
	Time    string `json:"time"`
	Type    string `json:"type"`
	Did     string `json:"did,omitempty"`
	By      string `json:"by,omitempty"`
	Impact  string `json:"impact,omitempty" doc:"how much of what contexts get changed"`
	Entry   string `json:"auditLogEntryId,omitempty"`
	Percent *int   `json:"percent,omitempty"`
}

type pullRequestRow struct {
	Number  string `json:"number"`
	Title   string `json:"title"`
	Author  string `json:"author"`
	Status  string `json:"status"`
	Created string `json:"created"`
	Merged  string `json:"merged,omitempty"`
	Lines   int    `json:"linesChanged"`
	URL     string `json:"url,omitempty"`
}

type insightRepositoryRow struct {
	Key    string `json:"key"`
	Type   string `json:"type"`
	Branch string `json:"mainBranch"`
}

type insightGroupRow struct {
	Key          string   `json:"key"`
	Name         string   `json:"name,omitempty"`
	Environment  string   `json:"environmentKey"`
	Applications []string `json:"applicationKeys,omitempty"`
}

// insightArguments are what each list can be narrowed by.
var insightArguments = map[string]string{"deployments": "applicationKey status after before cursor", "flag-events": "applicationKey query after before cursor",
	"pull-requests": "applicationKey query status after before cursor", "repositories": "", "groups": ""}

type insightsInput struct {
	List string `json:"list" jsonschema:"enum=deployments,enum=flag-events,enum=pull-requests,enum=repositories,enum=groups" doc:"Which"`
	inEnvironment
	Application string `json:"applicationKey,omitempty" alias:"application"`
	Query       string `json:"query,omitempty" alias:"search,flagKey" told:"true" doc:"Part of a flag's key, or of a title or author"`
	Status      string `json:"status,omitempty"`
	After       string `json:"after,omitempty" alias:"from,since,startDate" told:"true" doc:"A time or an age, seven days ago if not given"`
	Before      string `json:"before,omitempty" alias:"to,until,endDate" told:"true" doc:"A time or an age"`
	Limit       int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100" default:"20" told:"true" doc:"1 to 100, 20 if not given"`
	Cursor      string `json:"cursor,omitempty" told:"true" doc:"nextCursor of the last reply"`
}

var listInsights = read(Spec{
	Name: "list-insights", Title: "List insights data",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "List what engineering insights rest on, newest first, of the last seven days unless after is given.",
}, func(ctx context.Context, ld *ldclient.Client, in insightsInput) (insightList, error) {
	for _, a := range [][2]string{{"applicationKey", in.Application}, {"query", in.Query}, {"status", in.Status}, {"after", in.After}, {"before", in.Before}, {"cursor", in.Cursor}} {
		if a[1] != "" && !slices.Contains(strings.Fields(insightArguments[in.List]), a[0]) {
			return insightList{}, badf("%s: the list of %s does not take it", a[0], in.List)
		}
	}
	q := ldclient.InsightsQuery{Project: in.Project, Environment: in.Environment, Application: in.Application, Query: in.Query, Status: in.Status, Limit: in.Limit, After: in.Cursor}
	var err error
	if q.From, q.To, err = span(in.After, in.Before); err != nil {
		return insightList{}, err
	}
	out := insightList{}
	switch in.List {
	case "deployments":
		got, err := ld.Insights.Deployments(ctx, q)
		if err != nil {
			return out, err
		}
		out.TotalCount, out.Next = got.Total, got.Next()
		out.Deployments = each(got.Items, func(d ldclient.Deployment) deploymentRow {
			return deploymentRow{d.ID, d.Application, short(d.Version, 60), d.Started.String(), d.Status, d.Duration / 60_000, d.LeadTime / 3_600_000, d.PullRequests}
		})
	case "flag-events":
		got, err := ld.Insights.FlagEvents(ctx, q)
		if err != nil {
			return out, err
		}
		out.TotalCount, out.Next = got.Total, got.Next()
		out.FlagEvents = each(got.Items, flagEventRowOf)
	case "pull-requests":
		got, err := ld.Insights.PullRequests(ctx, q)
		if err != nil {
			return out, err
		}
		out.TotalCount, out.Next = got.Total, got.Next()
		out.PullRequests = each(got.Items, func(p ldclient.PullRequest) pullRequestRow {
			return pullRequestRow{p.ID, short(p.Title, 120), p.Author, p.Status, p.Created.String(), p.Merged.String(), p.Added + p.Deleted, plainURL(p.URL)}
		})
	case "repositories":
		err = out.repositories(ctx, ld, in)
	case "groups":
		err = out.groups(ctx, ld, in)
	}
	return out, err
})

// plainURL is an address that holds nothing but a host and a path, "" for any other.
func plainURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Scheme != "https" {
		return ""
	}
	return s
}

func flagEventRowOf(e ldclient.FlagEvent) flagEventRow {
	row := flagEventRow{Flag: e.Flag, Time: e.At.String(), Type: e.Type, Did: short(e.Text, 200), By: e.Member.String(), Impact: e.Impact.Size, Entry: e.AuditEntry}
	if p := e.Impact.Percentage; p != nil {
		whole := int(*p + 0.5)
		row.Percent = &whole
	}
	return row
}

// repositories are those that count for a project.
func (l *insightList) repositories(ctx context.Context, ld *ldclient.Client, in insightsInput) error {
	if err := ld.Scope().Check(in.target(), false); err != nil {
		return err
	}
	all, err := ld.Insights.Repositories(ctx)
	for _, r := range all {
		for _, p := range r.Projects.Items {
			if p.Key == in.Project {
				l.TotalCount++
				if len(l.Repositories) < in.Limit {
					l.Repositories = append(l.Repositories, insightRepositoryRow{r.Key, r.Type, r.MainBranch})
				}
				break
			}
		}
	}
	return err
}

// maxGroupPages bounds how many groups are looked through.
const maxGroupPages = 10

// groups are those of a project.
func (l *insightList) groups(ctx context.Context, ld *ldclient.Client, in insightsInput) error {
	scope := ld.Scope()
	if err := scope.Check(in.target(), false); err != nil {
		return err
	}
	offset := 0
	for range maxGroupPages {
		got, err := ld.Insights.Groups(ctx, ldclient.Paging{Limit: 20, Offset: offset})
		if err != nil {
			return err
		}
		for _, x := range got.Items {
			if x.Project == in.Project && scope.AllowsEnvironment(x.Environment) {
				l.TotalCount++
				if len(l.Groups) < in.Limit {
					l.Groups = append(l.Groups, insightGroupRow{x.Key, nameBeside(x.Key, x.Name), x.Environment, ten(x.Applications, 0)})
				}
			}
		}
		if !got.More(offset) {
			break
		}
		offset += len(got.Items)
	}
	return nil
}
