package ldclient

import (
	"context"
	"strings"
)

// ProjectsService reads projects.
type ProjectsService service

// Project is one project.
type Project struct {
	Key  string   `json:"key"`
	Name string   `json:"name"`
	Tags []string `json:"tags"`
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
