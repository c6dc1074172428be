package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

func (a *Account) projectRoutes() {
	a.route("GET /projects", a.listProjects)
	a.route("POST /projects", a.createProject)
	a.route("GET /projects/{project}", a.getProject)
	a.route("PATCH /projects/{project}", a.patchProject)
	a.route("DELETE /projects/{project}", a.deleteProject)
}

func (p *project) spec() string { return "proj/" + p.Key }

type projectRep struct {
	Links links  `json:"_links"`
	ID    string `json:"_id"`
	Key   string `json:"key"`
	projectSettings
	Environments any `json:"environments,omitempty"`
}

func (p *project) rep() projectRep {
	return projectRep{
		Links: links{
			"self":         linkTo("projects", p.Key),
			"environments": linkTo("projects", p.Key, "environments"),
		},
		ID: p.ID, Key: p.Key, projectSettings: p.projectSettings,
	}
}

// repWithAll is how the API answers a write: with every environment, unpaged.
func (p *project) repWithAll() projectRep {
	rep := p.rep()
	envs := make([]environmentRep, len(p.Envs))
	for i, e := range p.Envs {
		envs[i] = e.rep(p)
	}
	rep.Environments = envs
	return rep
}

// expanded adds the first page of environments when the request asks for it.
func (p *project) expanded(r *http.Request) (projectRep, error) {
	rep := p.rep()
	for _, field := range strings.Split(r.URL.Query().Get("expand"), ",") {
		switch field {
		case "":
		case "environments":
			envs := make([]environmentRep, min(len(p.Envs), defaultLimit))
			for i := range envs {
				envs[i] = p.Envs[i].rep(p)
			}
			rep.Environments = map[string]any{
				"_links": links{"self": linkTo("projects", p.Key, "environments")}, "totalCount": len(p.Envs), "items": envs,
			}
		default:
			return rep, fmt.Errorf("invalid value %q for parameter expand", field)
		}
	}
	return rep, nil
}

func (a *Account) listProjects(w http.ResponseWriter, r *http.Request) {
	found, err := filterAndSort(r, a.projects, projectMatches, projectSorts)
	if err != nil {
		badRequest(w, err)
		return
	}
	limit, offset, err := pageParams(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	reps := make([]projectRep, len(found))
	for i, p := range found {
		if reps[i], err = p.expanded(r); err != nil {
			badRequest(w, err)
			return
		}
	}
	send(w, http.StatusOK, page(r, reps, limit, offset))
}

func projectMatches(p *project, f fieldFilter) (bool, error) {
	switch f.field {
	case "query":
		return containsFold(p.Key, f.value) || containsFold(p.Name, f.value), nil
	case "tags":
		return hasTags(p.Tags, f.value), nil
	case "keys":
		return slices.Contains(strings.Split(f.value, "|"), p.Key), nil
	}
	return false, fmt.Errorf("invalid filter field %q", f.field)
}

var projectSorts = map[string]func(a, b *project) int{
	"name":      func(a, b *project) int { return cmp.Compare(a.Name, b.Name) },
	"createdOn": func(a, b *project) int { return cmp.Compare(a.Created, b.Created) },
}

// hasTags tells whether all of the tags in a+b+c are among have, whatever their case.
func hasTags(have []string, want string) bool {
	for tag := range strings.SplitSeq(want, "+") {
		if !slices.ContainsFunc(have, func(t string) bool { return strings.EqualFold(t, tag) }) {
			return false
		}
	}
	return true
}

// filterAndSort applies a list's filter, in the first grammar, and sort parameters.
func filterAndSort[T any](r *http.Request, items []T, holds func(T, fieldFilter) (bool, error), sorts map[string]func(a, b T) int) ([]T, error) {
	filters, err := parseFields(r.URL.Query().Get("filter"))
	if err != nil {
		return nil, err
	}
	var out []T
	for _, item := range items {
		ok := true
		for _, f := range filters {
			if ok, err = holds(item, f); err != nil {
				return nil, err
			}
			if !ok {
				break
			}
		}
		if ok {
			out = append(out, item)
		}
	}
	fields := strings.Split(r.URL.Query().Get("sort"), ",")
	slices.Reverse(fields) // a stable sort by the last field first
	for _, field := range fields {
		if field == "" {
			continue
		}
		name, down := strings.CutPrefix(field, "-")
		by, ok := sorts[name]
		if !ok {
			return nil, fmt.Errorf("invalid sort field %q", field)
		}
		slices.SortStableFunc(out, func(a, b T) int {
			if down {
				return by(b, a)
			}
			return by(a, b)
		})
	}
	return out, nil
}

func (a *Account) getProject(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	rep, err := p.expanded(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	send(w, http.StatusOK, rep)
}

var validKey = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

func checkKey(key string, maxLen int) error {
	if !validKey().MatchString(key) || len(key) > maxLen {
		return fmt.Errorf("invalid key %q: it must start with a letter or digit, hold only letters, digits, '.', '_' and '-', and be at most %d long", key, maxLen)
	}
	return nil
}

func (a *Account) createProject(w http.ResponseWriter, r *http.Request) {
	in := struct {
		Key string `json:"key"`
		projectSettings
		Environments []environmentPost `json:"environments"`
	}{projectSettings: projectSettings{DefaultClientSideAvailability: clientSide{UsingMobileKey: true}}}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	if err := cmp.Or(checkKey(in.Key, 100), checkName(in.Name)); err != nil {
		badRequest(w, err)
		return
	}
	if a.findProject(in.Key) != nil {
		fail(w, http.StatusConflict, "conflict", "Project key already exists")
		return
	}
	if len(in.Environments) == 0 {
		in.Environments = defaultEnvironments()
	}
	p := a.newProject(in.Key, in.projectSettings)
	for _, post := range in.Environments {
		e, status, err := a.newEnvironment(p, post)
		if err != nil {
			a.projects = slices.DeleteFunc(a.projects, func(q *project) bool { return q == p })
			fail(w, status, codeFor(status), sentence(err))
			return
		}
		p.Envs = append(p.Envs, e)
	}
	a.record(r, p.change("createProject", "created the project", nil, p.snapshot()))
	send(w, http.StatusCreated, p.repWithAll())
}

func checkName(name string) error {
	if strings.TrimSpace(name) == "" {
		return errors.New("invalid name: it must not be empty")
	}
	return nil
}

func codeFor(status int) string {
	switch status {
	case http.StatusConflict:
		return "conflict"
	case http.StatusNotFound:
		return "not_found"
	}
	return "invalid_request"
}

func (a *Account) newProject(key string, s projectSettings) *project {
	if s.Tags == nil {
		s.Tags = []string{}
	}
	p := &project{ID: a.objectID(), Key: key, Created: a.tick(), projectSettings: s}
	a.projects = append(a.projects, p)
	return p
}

func (p *project) snapshot() json.RawMessage { return jsonValue(p.repWithAll()) }

func (p *project) change(action, verb string, before, after json.RawMessage) change {
	return change{
		Kind: "project", Name: p.Name, Resource: p.spec(), Actions: []string{action}, Verb: verb,
		Before: before, After: after, ParentName: accountName, Parent: "acct",
	}
}

func (a *Account) patchProject(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	before, next := p.snapshot(), p.projectSettings
	paths, err := patchDocument(r, &next)
	if err == nil {
		err = checkName(next.Name)
	}
	if err != nil {
		failPatch(w, err)
		return
	}
	a.tick()
	p.projectSettings = next
	c := p.change("", "updated the project", before, p.snapshot())
	c.Actions = actionsFor(paths, projectActions, "updateProjectName")
	a.record(r, c)
	send(w, http.StatusOK, p.repWithAll())
}

var projectActions = map[string]string{
	"name":                          "updateProjectName",
	"tags":                          "updateTags",
	"includeInSnippetByDefault":     "updateIncludeInSnippetByDefault",
	"defaultClientSideAvailability": "updateDefaultClientSideAvailability",
	"defaultReleasePipelineKey":     "updateDefaultReleasePipeline",
}

// actionsFor names the role actions of a patch by the fields that it touches.
func actionsFor(fields []string, names map[string]string, other string) []string {
	var out []string
	for _, f := range fields {
		action := cmp.Or(names[f], other)
		if !slices.Contains(out, action) {
			out = append(out, action)
		}
	}
	return out
}

func (a *Account) deleteProject(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	if len(a.projects) == 1 {
		badRequest(w, errors.New("the last project of an account cannot be deleted"))
		return
	}
	a.tick()
	a.record(r, p.change("deleteProject", "deleted the project", p.snapshot(), nil))
	a.projects = slices.DeleteFunc(a.projects, func(q *project) bool { return q == p })
	a.contexts = slices.DeleteFunc(a.contexts, func(c *seenContext) bool { return c.Project == p.Key })
	send(w, http.StatusNoContent, nil)
}

var errTestFailed = errors.New("a test operation of the patch failed: the resource has changed")

// patchDocument applies the request's JSON Patch to doc and returns the
// top-level fields that it names. doc stays as it was when there is an error.
func patchDocument[T any](r *http.Request, doc *T) (fields []string, err error) {
	var raw json.RawMessage
	if err := decodeBody(r, &raw); err != nil {
		return nil, err
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		return nil, fmt.Errorf("invalid JSON Patch: expected an array of operations: %w", err)
	}
	for _, op := range patch {
		path, err := op.Path()
		if err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/_") {
			return nil, fmt.Errorf("invalid JSON Patch path %q", path)
		}
		field, _, _ := strings.Cut(path[1:], "/")
		fields = append(fields, field)
	}
	old, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	patched, err := patch.Apply(old)
	if errors.Is(err, jsonpatch.ErrTestFailed) {
		return nil, errTestFailed
	}
	if err != nil {
		return nil, err
	}
	var next T
	d := json.NewDecoder(strings.NewReader(string(patched)))
	d.DisallowUnknownFields()
	if err := d.Decode(&next); err != nil {
		return nil, err
	}
	*doc = next
	return fields, nil
}

func failPatch(w http.ResponseWriter, err error) {
	if errors.Is(err, errTestFailed) {
		fail(w, http.StatusConflict, "optimistic_locking_error", sentence(err))
		return
	}
	fail(w, http.StatusBadRequest, "invalid_patch", sentence(err))
}
