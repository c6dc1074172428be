package ldclient

import (
	"context"
	"net/http"
	"strings"
)

// ProjectsService reads and changes projects.
type ProjectsService service

// Project is one project.
type Project struct {
	ID   string   `json:"_id"`
	Key  string   `json:"key"`
	Name string   `json:"name"`
	Tags []string `json:"tags"`
	// ClientSide is what new flags of the project begin with.
	ClientSide ClientSideAvailability `json:"defaultClientSideAvailability"`
	// Environments is there in the answer to a write alone.
	Environments []Environment `json:"environments"`
}

func (p *Project) missing() string {
	if p.Key == "" {
		return "project"
	}
	return ""
}

// ListProjects are the filters of a list of projects.
type ListProjects struct {
	Paging
	Query string // part of a key or name
}

// List returns one page of the projects that the token may see, without their environments.
func (s *ProjectsService) List(ctx context.Context, o ListProjects) (*Page[Project], error) {
	q := o.Paging.query()
	if o.Query != "" {
		if strings.ContainsAny(o.Query, flagFilterReserved) {
			return nil, &InvalidError{Message: "a filter may not hold any of , + and :"}
		}
		q.Set("filter", "query:"+o.Query)
	}
	return get[Page[Project]](ctx, s.c, Target{}, path("projects"), q)
}

// Get returns one project without its environments, which EnvironmentsService.List gives without a limit of twenty.
func (s *ProjectsService) Get(ctx context.Context, key string) (*Project, error) {
	return get[Project](ctx, s.c, Target{Project: key}, path("projects", key), nil)
}

// NewProject is a project that is yet to be created.
type NewProject struct {
	Key        string                  `json:"key"`
	Name       string                  `json:"name"`
	Tags       []string                `json:"tags,omitempty"`
	ClientSide *ClientSideAvailability `json:"defaultClientSideAvailability,omitempty"`
}

// Create creates a project, which LaunchDarkly gives environments of its own choice.
func (s *ProjectsService) Create(ctx context.Context, in NewProject) (*Project, error) {
	return do[Project](ctx, s.c, call{method: http.MethodPost, at: Target{Project: in.Key}, path: path("projects"), body: in, contentType: jsonType, writes: true})
}

// Update changes a project by JSON Patch.
func (s *ProjectsService) Update(ctx context.Context, key string, steps []Operation) (*Project, error) {
	return patchJSON[Project](ctx, s.c, Target{Project: key}, path("projects", key), steps)
}

// Delete deletes a project with everything in it.
func (s *ProjectsService) Delete(ctx context.Context, key string) error {
	return erase(ctx, s.c, Target{Project: key}, path("projects", key))
}
