package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// insightState is what engineering insights rest on.
type insightState struct {
	deployments  []*deployment // newest first
	pullRequests []*pullRequest
	repositories []*insightRepository
	groups       []*insightGroup
}

type deployment struct {
	ID           string `json:"id"`
	Project      string `json:"-"`
	Application  string `json:"applicationKey"`
	Version      string `json:"applicationVersion"`
	Environment  string `json:"environmentKey"`
	Started      int64  `json:"startedAt"`
	Ended        int64  `json:"endedAt"`
	Duration     int64  `json:"durationMs"`
	Status       string `json:"status"`
	Kind         string `json:"kind"`
	Active       bool   `json:"active"`
	Archived     bool   `json:"archived"`
	Contributors int    `json:"numberOfContributors"`
	PullRequests int    `json:"numberOfPullRequests"`
	Added        int64  `json:"linesAdded"`
	Deleted      int64  `json:"linesDeleted"`
	LeadTime     int64  `json:"leadTime"`
}

type pullRequest struct {
	ID         string `json:"id"`
	Project    string `json:"-"`
	ExternalID string `json:"externalId"`
	Title      string `json:"title"`
	Status     string `json:"status"`
	Author     string `json:"author"`
	Created    int64  `json:"createTime"`
	Merged     int64  `json:"mergeTime,omitempty"`
	Base       string `json:"baseCommitKey"`
	Head       string `json:"headCommitKey"`
	Files      int    `json:"filesChanged"`
	Added      int    `json:"linesAdded"`
	Deleted    int    `json:"linesDeleted"`
	URL        string `json:"url"`
}

type insightRepository struct {
	ID         string         `json:"_id"`
	Version    int            `json:"version"`
	Key        string         `json:"key"`
	Type       string         `json:"type"`
	URL        string         `json:"url"`
	MainBranch string         `json:"mainBranch"`
	Projects   map[string]any `json:"projects,omitempty"`
	of         []string       // project keys
}

type insightGroup struct {
	Key          string   `json:"key"`
	Name         string   `json:"name"`
	Project      string   `json:"projectKey"`
	Environment  string   `json:"environmentKey"`
	Applications []string `json:"applicationKeys"`
	Created      int64    `json:"createdAt"`
}

func (a *Account) insightRoutes() {
	const root = "/engineering-insights"
	for path, series := range insightCharts {
		a.route("GET "+root+"/charts/"+path, func(w http.ResponseWriter, r *http.Request) { a.insightChart(w, r, path, series) })
	}
	a.route("GET "+root+"/insights/scores", a.insightScores)
	a.route("GET "+root+"/insights/groups", func(w http.ResponseWriter, r *http.Request) {
		sendPage(w, r, having(a.insights.groups, func(x *insightGroup) bool { return a.findProject(x.Project) != nil }), 20, func(x *insightGroup) *insightGroup { return x })
	})
	a.route("GET "+root+"/deployments", a.listDeployments)
	a.route("GET "+root+"/flag-events", a.listFlagEvents)
	a.route("GET "+root+"/pull-requests", a.listPullRequests)
	a.route("GET "+root+"/repositories", a.listInsightRepositories)
}

// insightPlace reads the project and environment of a query; it answers and returns nil where they are not right.
func (a *Account) insightPlace(w http.ResponseWriter, r *http.Request, environment bool) *project {
	q := r.URL.Query()
	if q.Get("projectKey") == "" || environment && q.Get("environmentKey") == "" {
		badRequest(w, fmt.Errorf("projectKey and environmentKey are required"))
		return nil
	}
	p := a.findProject(q.Get("projectKey"))
	if p == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown project key "+q.Get("projectKey"))
		return nil
	}
	if key := q.Get("environmentKey"); key != "" && a.environment(w, p, key) == nil {
		return nil
	}
	return p
}

// insightCharts are the series of each chart.
var insightCharts = map[string][]string{
	"deployments/frequency": {"deployments"},
	"flags/stale":           {"stale flags"},
	"flags/status":          {"new", "active", "launched", "inactive"},
	"lead-time":             {"coding", "review", "wait", "deploy"},
	"releases/frequency":    {"releases"},
}

func (a *Account) insightChart(w http.ResponseWriter, r *http.Request, path string, names []string) {
	p := a.insightPlace(w, r, path != "deployments/frequency" && path != "lead-time")
	if p == nil {
		return
	}
	now := a.now().UTC()
	from, to, err := usageSpan(r, time.Millisecond, now.Add(-7*day), now)
	if err != nil {
		badRequest(w, err)
		return
	}
	times, y := usageTimes(from, to, "daily"), "count"
	switch {
	case strings.HasPrefix(path, "flags/"):
		times = times[len(times)-1:]
	case path == "lead-time":
		y = "milliseconds"
	}
	all, series := int64(0), []map[string]any{}
	for _, name := range names {
		sum, data := int64(0), []map[string]any{}
		for _, at := range times {
			n := a.insightCount(p, r.URL.Query().Get("environmentKey"), path, name, at.UnixMilli())
			sum += n
			data = append(data, map[string]any{"x": at.UnixMilli(), "y": n})
		}
		all += sum
		series = append(series, map[string]any{"metadata": map[string]any{"name": name, "count": sum}, "data": data})
	}
	metadata := map[string]any{"name": path, "summary": map[string]any{}, "xAxis": map[string]any{"unit": "time"}, "yAxis": map[string]any{"unit": y}}
	if r.URL.Query().Get("expand") == "metrics" {
		metadata["metrics"] = map[string]any{"overall": map[string]any{"indicator": "good", "value": float64(all) / float64(len(times)), "unit": y, "modifier": "per day", "tiers": []any{}}}
	}
	send(w, http.StatusOK, map[string]any{"metadata": metadata, "series": series})
}

// insightCount is a point of a chart: what is counted in the day that begins at a time, or now.
func (a *Account) insightCount(p *project, env, path, name string, at int64) int64 {
	n, end := int64(0), at+day.Milliseconds()
	switch path {
	case "flags/status", "flags/stale":
		for _, f := range p.Flags {
			status := a.status(f, env).Name
			if !f.Archived && (status == name || path == "flags/stale" && f.Temporary && (status == "launched" || status == "inactive")) {
				n++
			}
		}
	case "releases/frequency":
		for _, e := range a.audit {
			if e.Date >= at && e.Date < end && strings.HasPrefix(e.Resource, p.spec()+":env/"+env+":flag/") {
				n++
			}
		}
	default:
		for i, d := range a.insights.deployments {
			if d.Project != p.Key || d.Started < at || d.Started >= end || env != "" && d.Environment != env {
				continue
			}
			if path == "lead-time" {
				n = d.LeadTime / int64(2+len(name)+i%3)
			} else {
				n++
			}
		}
	}
	return n
}

func (a *Account) insightScores(w http.ResponseWriter, r *http.Request) {
	if a.insightPlace(w, r, true) == nil {
		return
	}
	now := a.now()
	period := func(before int) map[string]any {
		return map[string]any{"startTime": now.AddDate(0, 0, -7*(before+1)).UnixMilli(), "endTime": now.AddDate(0, 0, -7*before).UnixMilli()}
	}
	scores := map[string]any{}
	for i, metric := range []string{"overall", "deploymentFrequency", "deploymentFailureRate", "leadTime", "impactSize", "experimentationCoverage", "flagHealth", "velocity", "risk", "efficiency"} {
		n := 95 - 7*i
		indicator := []string{"excellent", "good", "fair", "needsAttention"}[(100-n)/25]
		scores[metric] = map[string]any{"score": n, "diffVsLastPeriod": 3 - i, "indicator": indicator, "indicatorRange": map[string]any{"min": n / 25 * 25, "max": n/25*25 + 24}}
	}
	send(w, http.StatusOK, map[string]any{"period": period(0), "lastPeriod": period(1), "scores": scores, "_links": links{"self": requestLink(r, r.URL.Query())}})
}

// sendByCursor answers with the items of a span of time that come after the one that the request names.
func sendByCursor[T any](a *Account, w http.ResponseWriter, r *http.Request, items []T, id func(T) string, at func(T) int64) {
	now := a.now().UTC()
	from, to, err := usageSpan(r, time.Millisecond, now.Add(-7*day), now)
	limit, _, bad := pageParams(r)
	if err = cmp.Or(err, bad); err == nil && limit > 100 {
		err = fmt.Errorf("invalid limit %d: it must be at most 100", limit)
	}
	if err != nil {
		badRequest(w, err)
		return
	}
	items = having(items, func(x T) bool { return at(x) >= from.UnixMilli() && at(x) <= to.UnixMilli() })
	total, start := len(items), 0
	if after := r.URL.Query().Get("after"); after != "" {
		start = slices.IndexFunc(items, func(x T) bool { return id(x) == after }) + 1
		if start == 0 {
			badRequest(w, fmt.Errorf("invalid after %q", after))
			return
		}
	}
	items = items[start:]
	l := links{"self": requestLink(r, r.URL.Query())}
	if len(items) > limit {
		items = items[:limit]
		q := r.URL.Query()
		q.Set("after", id(items[limit-1]))
		q.Set("limit", strconv.Itoa(limit))
		l["next"] = requestLink(r, q)
	}
	send(w, http.StatusOK, map[string]any{"totalCount": total, "items": filled(items), "_links": l})
}

func (a *Account) listDeployments(w http.ResponseWriter, r *http.Request) {
	p := a.insightPlace(w, r, true)
	if p == nil {
		return
	}
	q := r.URL.Query()
	found := having(a.insights.deployments, func(x *deployment) bool {
		return x.Project == p.Key && x.Environment == q.Get("environmentKey") && (q.Get("status") == "" || x.Status == q.Get("status")) &&
			(q.Get("applicationKey") == "" || slices.Contains(strings.Split(q.Get("applicationKey"), ","), x.Application))
	})
	sendByCursor(a, w, r, found, func(x *deployment) string { return x.ID }, func(x *deployment) int64 { return x.Started })
}

func (a *Account) listPullRequests(w http.ResponseWriter, r *http.Request) {
	p := a.insightPlace(w, r, false)
	if p == nil {
		return
	}
	q := r.URL.Query()
	found := having(a.insights.pullRequests, func(x *pullRequest) bool {
		return x.Project == p.Key && (q.Get("status") == "" || x.Status == q.Get("status")) && (containsFold(x.Title, q.Get("query")) || containsFold(x.Author, q.Get("query")))
	})
	sendByCursor(a, w, r, found, func(x *pullRequest) string { return x.ID }, func(x *pullRequest) int64 { return max(x.Created, x.Merged) })
}

// insightEvent is what insights make of an entry of the audit log.
type insightEvent struct {
	ID            string         `json:"id"`
	ProjectID     string         `json:"projectId"`
	ProjectKey    string         `json:"projectKey"`
	EnvironmentID string         `json:"environmentId"`
	Environment   string         `json:"environmentKey"`
	Flag          string         `json:"flagKey"`
	Type          string         `json:"eventType"`
	At            int64          `json:"eventTime"`
	Text          string         `json:"description"`
	AuditEntry    string         `json:"auditLogEntryId"`
	Member        map[string]any `json:"member,omitempty"`
	Actions       []string       `json:"actions"`
	Impact        map[string]any `json:"impact"`
}

func (a *Account) listFlagEvents(w http.ResponseWriter, r *http.Request) {
	p := a.insightPlace(w, r, true)
	if p == nil {
		return
	}
	q := r.URL.Query()
	e := p.env(q.Get("environmentKey"))
	var found []*insightEvent
	for i, x := range slices.Backward(a.audit) {
		flag, ok := strings.CutPrefix(x.Resource, p.spec()+":env/"+e.Key+":flag/")
		flag, _, _ = strings.Cut(flag, ";")
		if !ok || !containsFold(flag, q.Get("query")) {
			continue
		}
		event := &insightEvent{ID: uuidFrom(1<<50 + uint64(i)), ProjectID: p.ID, ProjectKey: p.Key, EnvironmentID: e.ID, Environment: e.Key, Flag: flag, Type: "updated_targeting",
			At: x.Date, Text: x.Verb + " " + x.Name, AuditEntry: x.ID, Actions: filled(x.Actions), Impact: map[string]any{"size": []string{"none", "small", "medium", "large"}[i%4], "percentage": i % 4 * 25}}
		if m := x.Member; m != nil {
			event.Member = map[string]any{"id": m.ID, "email": m.Email, "firstName": m.FirstName, "lastName": m.LastName}
		}
		found = append(found, event)
	}
	sendByCursor(a, w, r, found, func(x *insightEvent) string { return x.ID }, func(x *insightEvent) int64 { return x.At })
}

func (a *Account) listInsightRepositories(w http.ResponseWriter, r *http.Request) {
	items := []insightRepository{}
	for _, x := range a.insights.repositories {
		rep := *x
		if r.URL.Query().Get("expand") == "projects" {
			of := []map[string]any{}
			for _, key := range x.of {
				if p := a.findProject(key); p != nil {
					of = append(of, map[string]any{"_id": p.ID, "key": p.Key, "name": p.Name, "_links": links{"self": linkTo("projects", p.Key)}})
				}
			}
			rep.Projects = map[string]any{"totalCount": len(of), "items": of}
		}
		items = append(items, rep)
	}
	send(w, http.StatusOK, map[string]any{"totalCount": len(items), "items": items, "_links": links{"self": requestLink(r, r.URL.Query())}})
}

func (a *Account) seedInsights(shop *project, ago func(time.Duration) int64) {
	s := &a.insights
	for i := range 40 {
		began := time.Duration(i)*13*time.Hour + 3*time.Hour
		d := &deployment{ID: a.uuid(), Project: shop.Key, Application: "shop-web", Version: fmt.Sprintf("2.%d.0", 80-i), Environment: []string{"production", "staging"}[i%2],
			Started: ago(began), Ended: ago(began - 12*time.Minute), Duration: (12 * time.Minute).Milliseconds(), Status: "finished", Kind: "deployment", Active: i < 2,
			Contributors: 1 + i%3, PullRequests: 1 + i%4, Added: int64(20 + i*7), Deleted: int64(5 + i*3), LeadTime: (time.Duration(20+i) * time.Hour).Milliseconds()}
		if i%9 == 4 {
			d.Status, d.Active = "failed", false
		}
		s.deployments = append(s.deployments, d)
	}
	for i, title := range []string{"Let people pay with gift cards", "Show reviews sooner", "Remove the old checkout", "Try another ranking", "Fix the banner on phones", "Read flags from the relay"} {
		began := time.Duration(i+1) * 22 * time.Hour
		x := &pullRequest{ID: a.uuid(), Project: shop.Key, ExternalID: strconv.Itoa(412 - i), Title: title, Status: []string{"open", "merged", "deployed"}[i%3], Author: []string{"ada", "alan"}[i%2],
			Created: ago(began), Base: fmt.Sprintf("%040x", mix(uint64(i))), Head: fmt.Sprintf("%040x", mix(uint64(i+100))), Files: 2 + i, Added: 30 + 11*i, Deleted: 4 * i,
			URL: fmt.Sprintf("https://github.com/example/shop-web/pull/%d", 412-i)}
		if x.Status != "open" {
			x.Merged = ago(began - 9*time.Hour)
		}
		s.pullRequests = append(s.pullRequests, x)
	}
	s.repositories = []*insightRepository{
		{ID: a.uuid(), Version: 1, Key: "example/shop-web", Type: "github", URL: "https://github.com/example/shop-web", MainBranch: "main", of: []string{shop.Key}},
		{ID: a.uuid(), Version: 1, Key: "example/mobile", Type: "github", URL: "https://github.com/example/mobile", MainBranch: "main", of: []string{"mobile"}},
	}
	s.groups = []*insightGroup{
		{Key: "shop-production", Name: "Shop in production", Project: shop.Key, Environment: "production", Applications: []string{"shop-web"}, Created: ago(100 * day)},
		{Key: "mobile-production", Name: "Mobile in production", Project: "mobile", Environment: "production", Applications: []string{}, Created: ago(60 * day)},
	}
}
