package ldclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// InsightsService reads engineering insights.
type InsightsService service

// InsightsQuery says what insights are about. What is not given is LaunchDarkly's default: seven days, all applications.
type InsightsQuery struct {
	Project, Environment, Application string
	From, To                          Millis
	GroupBy                           string
	Query                             string // a flag's key, or a pull request's title or author
	Status                            string
	Limit                             int
	After                             string // cursor of the page before
}

func (o InsightsQuery) at() Target { return Target{Project: o.Project, Environment: o.Environment} }

func (o InsightsQuery) values() url.Values {
	q := url.Values{}
	for _, p := range [][2]string{{"projectKey", o.Project}, {"environmentKey", o.Environment}, {"applicationKey", o.Application},
		{"groupBy", o.GroupBy}, {"query", o.Query}, {"status", o.Status}, {"after", o.After}} {
		if p[1] != "" {
			q.Set(p[0], p[1])
		}
	}
	for _, t := range []struct {
		name string
		n    int64
	}{{"from", int64(o.From)}, {"to", int64(o.To)}, {"limit", int64(o.Limit)}} {
		if t.n > 0 {
			q.Set(t.name, strconv.FormatInt(t.n, 10))
		}
	}
	return q
}

func insights[T any](ctx context.Context, s *InsightsService, at Target, p apiPath, q url.Values) (*T, error) {
	return do[T](ctx, s.c, call{method: http.MethodGet, at: at, path: p, query: q, beta: true})
}

// InsightScores are how well a project's environment does, each from 0 to 100.
type InsightScores struct {
	Period struct {
		Start Millis `json:"startTime"`
		End   Millis `json:"endTime"`
	} `json:"period"`
	Scores map[string]InsightScore `json:"scores"` // by metric, such as leadTime
}

func (s *InsightScores) missing() string {
	if s.Scores == nil {
		return "insight scores"
	}
	return ""
}

// InsightScore is one score.
type InsightScore struct {
	Score     int    `json:"score"`
	Change    *int   `json:"diffVsLastPeriod"`
	Indicator string `json:"indicator"` // excellent, good, fair, needsAttention, notCalculated or unknown
}

// Scores returns the scores of one environment.
func (s *InsightsService) Scores(ctx context.Context, o InsightsQuery) (*InsightScores, error) {
	return insights[InsightScores](ctx, s, o.at(), path("engineering-insights", "insights", "scores"), o.values())
}

// InsightChart is a chart of one metric.
type InsightChart struct {
	Metadata struct {
		Name    string                   `json:"name"`
		Metrics map[string]InsightMetric `json:"metrics"`
		X       chartAxis                `json:"xAxis"`
		Y       chartAxis                `json:"yAxis"`
	} `json:"metadata"`
	Series []struct {
		Metadata struct {
			Name  string `json:"name"`
			Count *int64 `json:"count"`
		} `json:"metadata"`
		Data []struct {
			X int64 `json:"x"`
			Y int64 `json:"y"`
		} `json:"data"`
	} `json:"series"`
}

type chartAxis struct {
	Unit string `json:"unit"`
}

// InsightMetric is a chart in one number.
type InsightMetric struct {
	Indicator string  `json:"indicator"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Modifier  string  `json:"modifier"` // such as per day
}

func (c *InsightChart) missing() string {
	if c.Series == nil && c.Metadata.X.Unit+c.Metadata.Y.Unit == "" {
		return "chart"
	}
	return ""
}

// Chart returns a chart: deployment-frequency, stale-flags, flag-status, lead-time or release-frequency.
func (s *InsightsService) Chart(ctx context.Context, chart string, o InsightsQuery) (*InsightChart, error) {
	q := o.values()
	var segments []any
	switch chart {
	case "deployment-frequency":
		segments = []any{"engineering-insights", "charts", "deployments", "frequency"}
	case "stale-flags":
		segments = []any{"engineering-insights", "charts", "flags", "stale"}
	case "flag-status":
		segments = []any{"engineering-insights", "charts", "flags", "status"}
	case "lead-time":
		segments = []any{"engineering-insights", "charts", "lead-time"}
	case "release-frequency":
		segments = []any{"engineering-insights", "charts", "releases", "frequency"}
	default:
		return nil, &InvalidError{Message: "there is no chart " + chart}
	}
	if chart != "flag-status" {
		q.Set("expand", "metrics")
	}
	return insights[InsightChart](ctx, s, o.at(), path(segments...), q)
}

// InsightPage is a page of things that are paged by cursor.
type InsightPage[T any] struct{ Page[T] }

// Next is the cursor of the next page, "" where there is none.
func (p *InsightPage[T]) Next() string {
	if p.Links.Next == nil {
		return ""
	}
	_, query, _ := strings.Cut(p.Links.Next.Href, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	return q.Get("after")
}

// Deployment is a deployment of an application to an environment.
type Deployment struct {
	ID           string `json:"id"`
	Application  string `json:"applicationKey"`
	Version      string `json:"applicationVersion"`
	Environment  string `json:"environmentKey"`
	Started      Millis `json:"startedAt"`
	Ended        Millis `json:"endedAt"`
	Duration     int64  `json:"durationMs"`
	Status       string `json:"status"`
	Kind         string `json:"kind"`
	Active       bool   `json:"active"`
	LeadTime     int64  `json:"leadTime"` // ms
	Contributors int    `json:"numberOfContributors"`
	PullRequests int    `json:"numberOfPullRequests"`
}

// Deployments returns a page of deployments.
func (s *InsightsService) Deployments(ctx context.Context, o InsightsQuery) (*InsightPage[Deployment], error) {
	return insights[InsightPage[Deployment]](ctx, s, o.at(), path("engineering-insights", "deployments"), o.values())
}

// FlagEvent is a change of a flag, and how much of what contexts get it changed.
type FlagEvent struct {
	Flag        string  `json:"flagKey"`
	Environment string  `json:"environmentKey"`
	Type        string  `json:"eventType"`
	At          Millis  `json:"eventTime"`
	Text        string  `json:"description"`
	AuditEntry  string  `json:"auditLogEntryId"`
	Member      *Person `json:"member"`
	Impact      struct {
		Size       string   `json:"size"` // none, small, medium or large
		Percentage *float64 `json:"percentage"`
	} `json:"impact"`
}

// FlagEvents returns a page of changes of flags.
func (s *InsightsService) FlagEvents(ctx context.Context, o InsightsQuery) (*InsightPage[FlagEvent], error) {
	return insights[InsightPage[FlagEvent]](ctx, s, o.at(), path("engineering-insights", "flag-events"), o.values())
}

// PullRequest is a change of code that LaunchDarkly was told of.
type PullRequest struct {
	ID      string `json:"externalId"`
	Title   string `json:"title"`
	Author  string `json:"author"`
	Status  string `json:"status"` // open, merged, closed or deployed
	Created Millis `json:"createTime"`
	Merged  Millis `json:"mergeTime"`
	URL     string `json:"url"`
	Files   int    `json:"filesChanged"`
	Added   int    `json:"linesAdded"`
	Deleted int    `json:"linesDeleted"`
}

// PullRequests returns a page of pull requests.
func (s *InsightsService) PullRequests(ctx context.Context, o InsightsQuery) (*InsightPage[PullRequest], error) {
	return insights[InsightPage[PullRequest]](ctx, s, o.at(), path("engineering-insights", "pull-requests"), o.values())
}

// InsightRepository is a repository whose deployments and pull requests are known, and the projects that they count for.
type InsightRepository struct {
	Key        string `json:"key"` // such as owner/name
	Type       string `json:"type"`
	URL        string `json:"url"`
	MainBranch string `json:"mainBranch"`
	Projects   struct {
		Items []struct {
			Key string `json:"key"`
		} `json:"items"`
	} `json:"projects"`
}

// Repositories returns all repositories of the account.
func (s *InsightsService) Repositories(ctx context.Context) ([]InsightRepository, error) {
	got, err := insights[Page[InsightRepository]](ctx, s, Target{}, path("engineering-insights", "repositories"), url.Values{"expand": {"projects"}})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// InsightGroup is an environment whose scores are followed.
type InsightGroup struct {
	Key          string   `json:"key"`
	Name         string   `json:"name"`
	Project      string   `json:"projectKey"`
	Environment  string   `json:"environmentKey"`
	Applications []string `json:"applicationKeys"`
}

// Groups returns a page of the groups that insights are collected for.
func (s *InsightsService) Groups(ctx context.Context, p Paging) (*Page[InsightGroup], error) {
	p.Limit = min(p.Limit, 20) // more is refused
	return insights[Page[InsightGroup]](ctx, s, Target{}, path("engineering-insights", "insights", "groups"), p.query())
}
