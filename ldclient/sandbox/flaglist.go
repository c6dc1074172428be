package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (a *Account) listFlags(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	limit, offset, err := pageParams(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	envs := r.URL.Query()["env"]
	fields, err := parseFields(r.URL.Query().Get("filter"))
	if err != nil {
		badRequest(w, err)
		return
	}
	scope := flagScope{
		env: fieldValue(fields, "filterEnv"), state: fieldValue(fields, "state"), archived: fieldValue(fields, "archived"),
		references: map[string]int{},
		tested:     p.tested,
	}
	for _, repo := range a.repos {
		for _, ref := range repo.References {
			if ref.Project == p.Key {
				scope.references[ref.Flag]++
			}
		}
	}
	if v := r.URL.Query().Get("archived"); v != "" {
		scope.archived = v
	}
	if scope.env != "" && !slices.Contains(envs, scope.env) {
		envs = append(envs, scope.env)
	}
	if err := p.knows(envs); err != nil {
		refuse(w, err)
		return
	}
	if err := scope.check(fields); err != nil {
		badRequest(w, err)
		return
	}
	sorts, err := flagSorts(r, envs)
	if err != nil {
		badRequest(w, err)
		return
	}
	live := slices.DeleteFunc(slices.Clone(p.Flags), func(f *flag) bool { return !scope.covers(f) })
	if tag := r.URL.Query().Get("tag"); tag != "" {
		live = slices.DeleteFunc(live, func(f *flag) bool { return !hasTags(f.Tags, tag) })
	}
	found, err := filterAndSort(r, live, scope.holds, sorts)
	if err != nil {
		badRequest(w, err)
		return
	}
	full := r.URL.Query().Get("summary") == "0" || r.URL.Query().Get("summary") == "false"
	answer := page(r, found, limit, offset)
	reps := []flagRep{}
	for _, f := range answer["items"].([]*flag) {
		if full && len(envs) > 0 {
			reps = append(reps, a.flagView(p, f, func(env string) bool { return slices.Contains(envs, env) }))
		} else {
			reps = append(reps, a.flagListView(p, f, envs))
		}
	}
	answer["items"] = reps
	send(w, http.StatusOK, answer)
}

func fieldValue(fields []fieldFilter, name string) string {
	for _, f := range fields {
		if f.field == name {
			return f.value
		}
	}
	return ""
}

// flagScope is what holds for the whole list: which states it covers, and the
// environment that filters look at.
type flagScope struct {
	env, state, archived string
	references           map[string]int // code references by flag key
	tested               func(flag string) bool
}

var flagFilters = []string{
	"query", "tags", "state", "archived", "type", "maintainerId", "maintainerTeamKey", "creationDate", "evaluated",
	"filterEnv", "hasExperiment", "sdkAvailability", "codeReferences.min", "codeReferences.max", "guardedRollout",
	"releasePipeline", "purpose",
}

func (s flagScope) check(fields []fieldFilter) error {
	for _, f := range fields {
		if !slices.Contains(flagFilters, f.field) {
			return fmt.Errorf("invalid filter field %q", f.field)
		}
		if f.field == "evaluated" && s.env == "" {
			return fmt.Errorf("the filter evaluated requires filterEnv")
		}
	}
	if s.state != "" && !slices.Contains([]string{"live", "deprecated", "archived"}, s.state) {
		return fmt.Errorf("invalid state %q: it is live, deprecated or archived", s.state)
	}
	return nil
}

// covers tells whether the list may hold f at all: without a state it holds every flag that is not archived.
func (s flagScope) covers(f *flag) bool {
	switch s.state {
	case "live":
		return !f.Archived && !f.Deprecated
	case "deprecated":
		return !f.Archived && f.Deprecated
	case "archived":
		return f.Archived
	}
	return f.Archived == (s.archived == "true" || s.archived == "1")
}

func (s flagScope) holds(f *flag, by fieldFilter) (bool, error) {
	switch by.field {
	case "query":
		return containsFold(f.Key, by.value) || containsFold(f.Name, by.value), nil
	case "tags":
		return hasTags(f.Tags, by.value), nil
	case "type":
		if by.value != "temporary" && by.value != "permanent" {
			return false, fmt.Errorf("invalid type %q: it is temporary or permanent", by.value)
		}
		return f.Temporary == (by.value == "temporary"), nil
	case "maintainerId":
		return f.MaintainerID == by.value, nil
	case "maintainerTeamKey":
		return f.MaintainerTeamKey == by.value, nil
	case "creationDate", "evaluated":
		var span struct{ Before, After int64 }
		if err := json.Unmarshal([]byte(by.value), &span); err != nil {
			return false, fmt.Errorf("invalid value %q for filter %s: expected an object with a time in milliseconds", by.value, by.field)
		}
		at := f.CreationDate
		if by.field == "evaluated" {
			at = f.Status[s.env].LastRequested
		}
		return (span.Before == 0 || at < span.Before) && at > span.After, nil
	case "sdkAvailability":
		c := f.ClientSideAvailability
		switch by.value {
		case "client":
			return c.UsingEnvironmentID, nil
		case "mobile":
			return c.UsingMobileKey, nil
		case "anyClient":
			return c.UsingEnvironmentID || c.UsingMobileKey, nil
		case "server":
			return !c.UsingEnvironmentID && !c.UsingMobileKey, nil
		}
		return false, fmt.Errorf("invalid sdkAvailability %q", by.value)
	case "guardedRollout":
		return slices.ContainsFunc(f.Releases, func(r release) bool { return r.Kind == "guarded" && r.matches(by.value) }), nil
	case "hasExperiment":
		return (by.value == "true") == s.tested(f.Key), nil
	case "releasePipeline": // the account has none in this
		return false, nil
	case "codeReferences.min", "codeReferences.max":
		n, err := strconv.Atoi(by.value)
		if by.field == "codeReferences.min" {
			return s.references[f.Key] >= n, err
		}
		return s.references[f.Key] <= n, err
	}
	return true, nil
}

func (r release) matches(state string) bool {
	switch state {
	case "any":
		return true
	case "monitoring":
		return r.Status == releaseInProgress
	case "rolledBack":
		return r.Status == "manually_reverted"
	case "completed":
		return r.Status == "manually_completed"
	}
	return false
}

func flagSorts(r *http.Request, envs []string) (map[string]func(a, b *flag) int, error) {
	kind := func(f *flag) string {
		if f.Temporary {
			return "temporary"
		}
		return "permanent"
	}
	sorts := map[string]func(a, b *flag) int{
		"creationDate": func(a, b *flag) int { return cmp.Compare(a.CreationDate, b.CreationDate) },
		"key":          func(a, b *flag) int { return cmp.Compare(a.Key, b.Key) },
		"name":         func(a, b *flag) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
		"maintainerId": func(a, b *flag) int { return cmp.Compare(a.MaintainerID, b.MaintainerID) },
		"tags":         func(a, b *flag) int { return slices.Compare(a.Tags, b.Tags) },
		"type":         func(a, b *flag) int { return cmp.Compare(kind(a), kind(b)) },
	}
	by := r.URL.Query().Get("sort")
	if !strings.Contains(by, "targetingModifiedDate") {
		return sorts, nil
	}
	if len(envs) == 0 || strings.Contains(by, ",") {
		return nil, fmt.Errorf("the sort field targetingModifiedDate requires env and cannot be combined with others")
	}
	sorts["targetingModifiedDate"] = func(a, b *flag) int {
		return cmp.Compare(a.Environments[envs[0]].LastModified, b.Environments[envs[0]].LastModified)
	}
	return sorts, nil
}

// sortItems sorts by a comma-separated list of fields; a leading dash reverses one.
func sortItems[T any](items []T, by string, sorts map[string]func(a, b T) int) error {
	if by == "" {
		return nil
	}
	fields := strings.Split(by, ",")
	slices.Reverse(fields) // a stable sort by the last field first
	for _, field := range fields {
		name, down := strings.CutPrefix(field, "-")
		order, ok := sorts[name]
		if !ok {
			return fmt.Errorf("invalid sort field %q", field)
		}
		slices.SortStableFunc(items, func(a, b T) int {
			if down {
				return order(b, a)
			}
			return order(a, b)
		})
	}
	return nil
}
