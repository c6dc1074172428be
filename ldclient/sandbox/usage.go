package sandbox

import (
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the account uses is not kept: it follows from the time that is asked about.

// usageKind is one of the things that are counted.
type usageKind struct {
	path, filters, groups, methods, granularity string // lists of words
	unit                                        time.Duration
	always                                      string // a dimension that always divides
	float                                       bool
}

const (
	contextGroups  = "projectId environmentId sdkName sdkAppId anonymousV2"
	contextFilters = "projectKey environmentKey sdkName anonymous"
	allMethods     = "month_to_date incremental rolling_30d"
	twoMethods     = "month_to_date incremental"
)

var usageKinds = []usageKind{
	{path: "total-contexts", filters: contextFilters + " contextKind sdkType", groups: contextGroups + " sdkType", methods: allMethods, granularity: "daily monthly", unit: time.Millisecond, always: "contextKind"},
	{path: "clientside-contexts", filters: contextFilters + " contextKind", groups: contextGroups, methods: allMethods, granularity: "daily monthly", unit: time.Millisecond, always: "contextKind"},
	{path: "serverside-contexts", filters: contextFilters + " contextKind", groups: contextGroups, methods: allMethods, granularity: "daily monthly", unit: time.Millisecond, always: "contextKind"},
	{path: "total-mau", filters: contextFilters + " sdkType", groups: contextGroups + " sdkType", methods: allMethods, granularity: "daily monthly", unit: time.Millisecond},
	{path: "clientside-mau", filters: contextFilters, groups: contextGroups, methods: allMethods, granularity: "daily monthly", unit: time.Millisecond},
	{path: "data-export-events", filters: "projectKey environmentKey eventKind", groups: "environmentId eventKind", methods: twoMethods, granularity: "daily hourly monthly", unit: time.Millisecond},
	{path: "experimentation-events", filters: "projectKey environmentKey eventKey eventKind", groups: "environmentId eventKey eventKind", methods: twoMethods, granularity: "daily hourly monthly", unit: time.Millisecond},
	{path: "experimentation-keys", filters: "projectKey environmentKey experimentId", groups: "projectId environmentId experimentId", methods: twoMethods, granularity: "daily hourly monthly", unit: time.Millisecond},
	{path: "service-connections", filters: "projectKey environmentKey connectionType sdkName sdkVersion sdkType sdkAppId relayVersion",
		groups: "projectId environmentId connectionType relayVersion sdkName sdkVersion sdkType sdkAppId", methods: twoMethods, granularity: "daily hourly monthly", unit: time.Millisecond, float: true},
	{path: "observability/errors", filters: "projectKey", methods: allMethods, granularity: "daily monthly", unit: time.Second},
	{path: "observability/logs", filters: "projectKey", methods: allMethods, granularity: "daily monthly", unit: time.Second},
	{path: "observability/sessions", filters: "projectKey", methods: allMethods, granularity: "daily monthly", unit: time.Second},
	{path: "observability/traces", filters: "projectKey", methods: allMethods, granularity: "daily monthly", unit: time.Second},
	{path: "observability/metrics", filters: "projectKey", methods: "month_to_date average", granularity: "daily hourly monthly", unit: time.Second},
	{path: "vega-ai", filters: "projectKey", methods: allMethods, granularity: "daily monthly", unit: time.Second},
}

func (a *Account) usageRoutes() {
	for _, k := range usageKinds {
		a.route("GET /usage/"+k.path, func(w http.ResponseWriter, r *http.Request) { a.usage(w, r, k) })
	}
	a.route("GET /usage/evaluations/{project}/{environment}/{flag}", a.evaluationsUsage)
	a.route("GET /usage/events/{eventType}", func(w http.ResponseWriter, r *http.Request) {
		a.sendByAge(w, r, day, r.PathValue("eventType"), []string{"received", "published"}, "type", []map[string]any{{"eventKind": "summary"}, {"eventKind": "custom"}})
	})
	a.route("GET /usage/streams/{source}", func(w http.ResponseWriter, r *http.Request) {
		a.sendByAge(w, r, 30*day, r.PathValue("source"), []string{"client", "server"}, "source", []map[string]any{{"source": r.PathValue("source")}})
	})
	a.route("GET /usage/streams/{source}/bysdkversion", func(w http.ResponseWriter, r *http.Request) {
		a.sendByAge(w, r, day, r.PathValue("source"), []string{"client", "server"}, "source", []map[string]any{{"sdk": "node-server", "version": "9.7.0"}, {"sdk": "go", "version": "7.4.0"}})
	})
	a.route("GET /usage/mau/bycategory", func(w http.ResponseWriter, r *http.Request) {
		a.sendByAge(w, r, 30*day, "", []string{""}, "", []map[string]any{{"category": "client"}, {"category": "server"}})
	})
	a.insightRoutes()
}

// cell is the smallest thing that is counted: what all dimensions say of it.
type cell map[string]string

// usageCells are all combinations that have been seen.
func (a *Account) usageCells() []cell {
	var out []cell
	for _, p := range a.projects {
		for _, e := range p.Envs {
			for i, sdk := range []string{"node-server", "react-client"} {
				for _, kind := range []string{"user", "device"} {
					out = append(out, cell{
						"projectKey": p.Key, "projectId": p.ID, "environmentKey": e.Key, "environmentId": e.ID, "sdkName": sdk, "sdkType": []string{"server", "client"}[i],
						"sdkVersion": "9.7.0", "sdkAppId": "web", "contextKind": kind, "anonymous": strconv.FormatBool(kind == "device"), "anonymousV2": strconv.FormatBool(kind == "device"),
						"eventKind": []string{"summary", "custom"}[i], "eventKey": "checkout", "experimentId": "checkout-test", "connectionType": []string{"streaming", "polling"}[i], "relayVersion": "",
					})
				}
			}
		}
	}
	return out
}

// usage is how much of a kind a cell comes to in the hour that begins at a time.
func (c cell) usage(kind string) func(at time.Time) int64 {
	h := fnv.New32a()
	fmt.Fprint(h, kind, c["projectKey"], c["environmentKey"], c["sdkName"], c["contextKind"])
	usual := int64(h.Sum32() % 20)
	if c["environmentKey"] != "production" {
		usual /= 4
	}
	return func(at time.Time) int64 {
		n := usual
		if hour := at.Hour(); hour >= 8 && hour < 20 {
			n *= 2
		}
		return n + int64(at.YearDay())%3
	}
}

func (a *Account) usage(w http.ResponseWriter, r *http.Request, k usageKind) {
	q := r.URL.Query()
	now := a.now().UTC()
	from, to, err := usageSpan(r, k.unit, time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC), now)
	pick := func(name, allowed string) string {
		word := q.Get(name)
		first, _, _ := strings.Cut(allowed, " ")
		if word == "" {
			return first
		}
		if !slices.Contains(strings.Fields(allowed), word) && err == nil {
			err = fmt.Errorf("invalid value %q for parameter %s: expected one of %s", word, name, allowed)
		}
		return word
	}
	method, granularity := pick("aggregationType", k.methods), pick("granularity", k.granularity)
	if granularity == "monthly" && method != "month_to_date" && err == nil {
		err = fmt.Errorf("granularity monthly is not supported with aggregationType %s", method)
	}
	for _, g := range q["groupBy"] {
		if !slices.Contains(strings.Fields(k.groups), g) && err == nil {
			err = fmt.Errorf("invalid value %q for parameter groupBy", g)
		}
	}
	if len(q["environmentKey"]) > 0 && len(q["projectKey"]) != 1 && err == nil {
		err = fmt.Errorf("exactly one projectKey must be given with environmentKey")
	}
	if err != nil {
		badRequest(w, err)
		return
	}
	for _, key := range q["projectKey"] {
		if a.findProject(key) == nil {
			fail(w, http.StatusNotFound, "not_found", "Unknown project key "+key)
			return
		}
	}
	groups := q["groupBy"]
	if k.always != "" {
		groups = append([]string{k.always}, groups...)
	}
	series := map[string][]cell{}
	for _, c := range a.usageCells() {
		wanted := !strings.HasPrefix(k.path, "clientside") || c["sdkType"] == "client"
		wanted = wanted && (!strings.HasPrefix(k.path, "serverside") || c["sdkType"] == "server")
		for _, f := range strings.Fields(k.filters) {
			wanted = wanted && (len(q[f]) == 0 || slices.Contains(q[f], c[f]))
		}
		if wanted {
			var names []string
			for _, g := range groups {
				names = append(names, c[g])
			}
			series[strings.Join(names, "\x00")] = append(series[strings.Join(names, "\x00")], c)
		}
	}
	var metadata []map[string]any
	var lines [][]cell
	for _, name := range slices.Sorted(maps.Keys(series)) {
		meta := map[string]any{}
		for i, v := range strings.Split(name, "\x00") {
			if len(groups) > 0 {
				meta[groups[i]] = v
			}
		}
		metadata, lines = append(metadata, meta), append(lines, series[name])
	}
	points := []map[string]any{}
	for _, at := range usageTimes(from, to, granularity) {
		point := map[string]any{"time": at.UnixMilli()}
		for i, cells := range lines {
			n := int64(0)
			for _, c := range cells {
				n += counted(c, k.path, method, granularity, at, to)
			}
			point[strconv.Itoa(i)] = n
			if k.float {
				point[strconv.Itoa(i)] = float64(n) / 8
			}
		}
		points = append(points, point)
	}
	sendSeries(w, r, metadata, points)
}

// counted is what a point at a time shows of a cell.
func counted(c cell, kind, method, granularity string, at, to time.Time) int64 {
	end := at.Add(day)
	switch granularity {
	case "hourly":
		end = at.Add(time.Hour)
	case "monthly":
		end = at.AddDate(0, 1, 0)
	}
	begin := at
	switch method {
	case "month_to_date":
		begin = time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	case "rolling_30d":
		begin = end.Add(-30 * day)
	}
	if end.After(to) {
		end = to
	}
	n, used := int64(0), c.usage(kind)
	for t := begin; t.Before(end); t = t.Add(time.Hour) {
		n += used(t)
	}
	return n
}

// usageTimes are when points begin.
func usageTimes(from, to time.Time, granularity string) []time.Time {
	at, next := from.Truncate(day), func(t time.Time) time.Time { return t.Add(day) }
	switch granularity {
	case "minutely":
		at, next = from.Truncate(time.Minute), func(t time.Time) time.Time { return t.Add(time.Minute) }
	case "hourly":
		at, next = from.Truncate(time.Hour), func(t time.Time) time.Time { return t.Add(time.Hour) }
	case "monthly":
		at, next = time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC), func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
	}
	var out []time.Time
	for ; at.Before(to); at = next(at) {
		out = append(out, at)
	}
	return out
}

// usageSpan reads the times of a query, which are in seconds or in milliseconds.
func usageSpan(r *http.Request, unit time.Duration, from, to time.Time) (time.Time, time.Time, error) {
	word, latest := "milliseconds", to
	if unit == time.Second {
		word = "seconds"
	}
	for _, t := range []struct {
		name string
		at   *time.Time
	}{{"from", &from}, {"to", &to}} {
		s := r.URL.Query().Get(t.name)
		if s == "" {
			continue
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 || n > 1<<47 {
			return from, to, fmt.Errorf("invalid %s %q: expected a Unix timestamp in %s", t.name, s, word)
		}
		*t.at = time.UnixMilli(n * unit.Milliseconds()).UTC()
	}
	if to.After(latest) {
		to = latest
	}
	if !from.Before(to) || to.Sub(from) > 366*day {
		return from, to, fmt.Errorf("invalid time range: from must be before to and at most 365 days earlier, in %s", word)
	}
	return from, to, nil
}

func sendSeries(w http.ResponseWriter, r *http.Request, metadata, points []map[string]any) {
	send(w, http.StatusOK, map[string]any{"metadata": filled(metadata), "series": filled(points), "_links": links{"self": requestLink(r, r.URL.Query())}})
}

func (a *Account) evaluationsUsage(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil || a.environment(w, p, r.PathValue("environment")) == nil {
		return
	}
	f := p.flag(r.PathValue("flag"))
	if f == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown feature flag key "+r.PathValue("flag"))
		return
	}
	var metadata []map[string]any
	for i, v := range f.Variations {
		metadata = append(metadata, map[string]any{"variation": i, "key": f.Key, "environment": r.PathValue("environment"), "value": v.Value})
	}
	a.sendByAge(w, r, 30*day, "", []string{""}, "", metadata)
}

// sendByAge answers with counts whose points are the closer the younger they are.
func (a *Account) sendByAge(w http.ResponseWriter, r *http.Request, age time.Duration, given string, allowed []string, what string, metadata []map[string]any) {
	now := a.now().UTC()
	from, to, err := usageSpan(r, time.Millisecond, now.Add(-age), now)
	if !slices.Contains(allowed, given) {
		err = fmt.Errorf("invalid %s %q: expected %s", what, given, strings.Join(allowed, " or "))
	}
	if err != nil {
		badRequest(w, err)
		return
	}
	granularity, hours := "daily", 24
	switch {
	case now.Sub(from) <= 2*time.Hour:
		granularity, hours = "minutely", 1
	case now.Sub(from) <= 2*day:
		granularity, hours = "hourly", 1
	}
	points := []map[string]any{}
	for _, at := range usageTimes(from, to, granularity) {
		point := map[string]any{"time": at.UnixMilli()}
		for i, meta := range metadata {
			c := cell{"projectKey": r.URL.Path, "environmentKey": "production", "sdkName": fmt.Sprint(meta)}
			point[strconv.Itoa(i)] = c.usage("")(at) * int64(hours)
		}
		points = append(points, point)
	}
	sendSeries(w, r, metadata, points)
}
