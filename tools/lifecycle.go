package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var lifecycle = Toolset{
	Name: "lifecycle", Doc: "Find stale flags and judge whether they can go.",
	Default: []string{"get-flag-status-across-envs", "get-flag-health", "find-stale-flags", "check-removal-readiness"},
	Tools: []Tool{getFlagStatusAcrossEnvs, getFlagHealth, findStaleFlags, checkRemovalReadiness, compareFlagEnvironments,
		listDependentFlags, getFlagDependencies},
}

// oneOrAllFlags is a flag as a whole, or every flag of a project, for tools that read.
type oneOrAllFlags struct {
	Project string `json:"projectKey" alias:"project"`
	Flag    string `json:"flagKey,omitempty" alias:"flag,featureFlagKey,key" doc:"Every flag if not given"`
}

func (a oneOrAllFlags) target() ldclient.Target {
	if a.Flag == "" {
		return ldclient.Target{Project: a.Project}
	}
	return ldclient.Target{Project: a.Project, Kind: "flag", Key: a.Flag}
}

// present is LaunchDarkly's clock as its latest reply told it; ages count by it.
func present(ld *ldclient.Client) time.Time {
	if t := ld.RateLimit().ServerTime; !t.IsZero() {
		return t.UTC()
	}
	return time.Now().UTC()
}

const oneDay = 24 * time.Hour

// wholeDays is how many full days lie between two instants.
func wholeDays(from, to time.Time) int { return max(0, int(to.Sub(from)/oneDay)) }

// several writes a number with its noun.
func several(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func inDays(n int) string { return several(n, "day", "days") }

// neverRequested reports whether no SDK ever asked for a flag. The name goes
// first: a flag in use was requested, whatever became of the time.
func neverRequested(s ldclient.FlagStatus) bool {
	return s.LastRequested.IsZero() && s.Name != "active" && s.Name != "launched"
}

type statusRow struct {
	Environment   string `json:"environmentKey"`
	Critical      bool   `json:"critical,omitempty"`
	Status        string `json:"status" doc:"new, active, launched or inactive"`
	LastRequested string `json:"lastRequested,omitempty" doc:"not given if never"`
}

var getFlagStatusAcrossEnvs = read(Spec{
	Name: "get-flag-status-across-envs", Title: "Get a flag's status everywhere", Aliases: []string{"get-flag-status-across-environments"},
	Doc: "Read one flag's lifecycle status and latest request in every environment at once.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Offset int `json:"offset,omitempty" jsonschema:"minimum=0,maximum=100000" told:"true" doc:"nextOffset of the last reply"`
}) (page[statusRow], error) {
	status, err := ld.Flags.StatusAcross(ctx, in.Project, in.Flag)
	if err != nil {
		return page[statusRow]{}, err
	}
	out := page[statusRow]{Items: []statusRow{}, TotalCount: len(status)}
	critical := map[string]bool{}
	var order []string
	if envs, err := ld.Environments.All(ctx, in.Project); err == nil {
		for _, e := range envs {
			critical[e.Key] = e.Critical.On()
			if _, ok := status[e.Key]; ok {
				order = append(order, e.Key)
			}
		}
		out.Note = unseenNote(ld, envs)
	} else {
		out.Note = fmt.Sprintf("Which environments are critical could not be read (%s).", short(clean(err.Error()), 200))
	}
	for _, key := range slices.Sorted(maps.Keys(status)) {
		if !slices.Contains(order, key) {
			order = append(order, key)
		}
	}
	for i, key := range order[min(in.Offset, len(order)):] {
		out.add(statusRow{key, critical[key], status[key].Name, status[key].LastRequested.String()}, in.Offset+i)
	}
	return out, nil
})

// unseenNote says how many of some environments are out of scope, "" if none is.
func unseenNote(ld *ldclient.Client, envs []ldclient.Environment) string {
	n := 0
	for _, e := range envs {
		if !ld.Scope().AllowsEnvironment(e.Key) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s outside this server's scope left out.", several(n, "environment is", "environments are"))
}

// flagHealth merges a flag's status and configuration in one environment.
type flagHealth struct {
	Key           string   `json:"key"`
	Name          string   `json:"name,omitempty"`
	Environment   string   `json:"environment"`
	Health        string   `json:"health" doc:"healthy, new, maybe_stale, likely_stale or likely_abandoned"`
	Because       string   `json:"because"`
	Status        string   `json:"status" doc:"new, active, launched or inactive"`
	LastRequested string   `json:"lastRequested,omitempty" doc:"not given if never"`
	On            bool     `json:"on"`
	Serves        string   `json:"serves,omitempty" doc:"what contexts get that match no target and no rule, or everyone while off"`
	Rules         int      `json:"rules,omitempty"`
	Targets       int      `json:"targets,omitempty" doc:"contexts targeted one by one"`
	Prerequisites int      `json:"prerequisites,omitempty"`
	LastModified  string   `json:"lastModified,omitempty"`
	Created       string   `json:"created,omitempty"`
	AgeDays       int      `json:"ageDays"`
	Temporary     bool     `json:"temporary"`
	Deprecated    bool     `json:"deprecated,omitempty"`
	Archived      bool     `json:"archived,omitempty"`
	Maintainer    string   `json:"maintainer,omitempty"`
	Tags          []string `json:"tags,omitempty"`
	URL           string   `json:"url,omitempty"`
}

var getFlagHealth = read(Spec{
	Name: "get-flag-health", Title: "Get a flag's health",
	Doc: "Judge one flag: lifecycle, latest request, targeting in short, age, and whether it looks stale or abandoned.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ inFlagEnvironment }) (flagHealth, error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return flagHealth{}, err
	}
	s, err := ld.Flags.Status(ctx, in.Project, in.Environment, in.Flag)
	if err != nil {
		return flagHealth{}, err
	}
	now, created := present(ld), f.CreationDate.Time()
	h := flagHealth{
		Key: f.Key, Name: nameBeside(f.Key, f.Name), Environment: in.Environment, Status: s.Name, LastRequested: s.LastRequested.String(),
		On: c.On, Serves: serving(f, c), Rules: len(c.Rules), Targets: targetCount(c), Prerequisites: len(c.Prerequisites),
		LastModified: c.LastModified.String(), Created: f.CreationDate.String(), AgeDays: wholeDays(created, now),
		Temporary: f.Temporary, Deprecated: f.Deprecated, Archived: f.Archived, Maintainer: maintainer(f), Tags: f.Tags,
		URL: pageURL(ld, in.target()),
	}
	h.Health, h.Because = health(*s, created, now)
	if unchanged := wholeDays(c.LastModified.Time(), now); s.Name == "launched" && f.Temporary && h.Health == "healthy" {
		h.Because += fmt.Sprintf("; temporary, launched and unchanged for %s, so perhaps ready to be removed", inDays(unchanged))
	}
	return h, nil
})

func targetCount(c ldclient.FlagConfig) int {
	n := 0
	for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
		n += len(t.Values)
	}
	return n
}

const (
	maybeStaleDays  = 7
	likelyStaleDays = 30
)

// health says in one word how well a flag is used, and why.
func health(s ldclient.FlagStatus, created, now time.Time) (word, because string) {
	age := wholeDays(created, now)
	if neverRequested(s) {
		if now.Sub(created) > maybeStaleDays*oneDay {
			return "likely_abandoned", fmt.Sprintf("never requested since it was created %s ago", inDays(age))
		}
		return "new", fmt.Sprintf("never requested yet, created %s ago", inDays(age))
	}
	if s.LastRequested.IsZero() {
		return "healthy", "in use"
	}
	idle := wholeDays(s.LastRequested.Time, now)
	switch {
	case idle >= likelyStaleDays:
		return "likely_stale", fmt.Sprintf("not requested for %s", inDays(idle))
	case idle >= maybeStaleDays:
		return "maybe_stale", fmt.Sprintf("not requested for %s", inDays(idle))
	case idle == 0:
		return "healthy", "requested in the last 24 hours"
	}
	return "healthy", fmt.Sprintf("last requested %s ago", inDays(idle))
}
