package tools

import (
	"context"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var projects = Toolset{
	Name: "projects", Doc: "Find projects and environments.",
	Default: []string{"list-projects", "get-project", "list-environments", "get-environment"},
	Tools:   []Tool{listProjects, getProject, listEnvironments, getEnvironment},
}

type projectRow struct {
	Key  string   `json:"key"`
	Name string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Tags []string `json:"tags,omitempty"`
}

var listProjects = read(Spec{
	Name: "list-projects", Title: "List projects",
	Doc: "List or search the projects that the token may see.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Query string `json:"query,omitempty" alias:"search" doc:"Part of a key or name"`
	paged
}) (page[projectRow], error) {
	got, err := manyPages(in.paged, func(p ldclient.Paging) (*ldclient.Page[ldclient.Project], error) {
		return ld.Projects.List(ctx, ldclient.ListProjects{Paging: p, Query: in.Query})
	})
	if err != nil {
		return page[projectRow]{}, err
	}
	out := pageOf(got, in.Offset, func(p ldclient.Project) projectRow { return projectRow{p.Key, nameBeside(p.Key, p.Name), p.Tags} })
	out.keep("project", func(p projectRow) bool { return ld.Scope().AllowsProject(p.Key) })
	return out, nil
})

type projectDetail struct {
	Key          string           `json:"key"`
	Name         string           `json:"name"`
	Tags         []string         `json:"tags,omitempty"`
	Environments []environmentRow `json:"environments"`
	Note         string           `json:"note,omitempty"`
}

var getProject = read(Spec{
	Name: "get-project", Title: "Get a project",
	Doc: "Read one project with its environments and what each asks for before a change.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atProject }) (projectDetail, error) {
	p, err := ld.Projects.Get(ctx, in.Project)
	if err != nil {
		return projectDetail{}, err
	}
	envs, err := ld.Environments.All(ctx, in.Project)
	if err != nil {
		return projectDetail{}, err
	}
	list := page[environmentRow]{}
	for i, e := range envs {
		list.add(environmentRowOf(e), i)
	}
	list.keep("environment", func(e environmentRow) bool { return ld.Scope().AllowsEnvironment(e.Key) })
	return projectDetail{p.Key, p.Name, p.Tags, list.Items, list.Note}, nil
})

// environmentRow is an environment in a list. What it leaves out is false or none.
type environmentRow struct {
	Key             string   `json:"key"`
	Name            string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Critical        bool     `json:"critical,omitempty"`
	RequireComments bool     `json:"requireComments,omitempty"`
	ConfirmChanges  bool     `json:"confirmChanges,omitempty"`
	Approvals       []string `json:"approvals,omitempty" doc:"resources whose changes need an approval"`
	ClientSideID    string   `json:"clientSideId" doc:"public id for client-side SDKs"`
	Tags            []string `json:"tags,omitempty"`
}

func environmentRowOf(e ldclient.Environment) environmentRow {
	row := environmentRow{e.Key, nameBeside(e.Key, e.Name), e.Critical.On(), e.RequireComments.On(), e.ConfirmChanges.On(), nil, e.ID, e.Tags}
	for _, a := range []struct {
		kind string
		ldclient.Approval
	}{{"flag", e.ApprovalSettings}, {"segment", e.ResourceApprovals.Segment}, {"aiconfig", e.ResourceApprovals.AIConfig}} {
		if a.Required {
			row.Approvals = append(row.Approvals, a.kind)
		}
		for _, tag := range a.RequiredApprovalTags {
			row.Approvals = append(row.Approvals, a.kind+" tagged "+tag)
		}
	}
	return row
}

var listEnvironments = read(Spec{
	Name: "list-environments", Title: "List environments", Aliases: []string{"get-environments"},
	Doc: "List a project's environments and what each asks for before a change. SDK keys are never shown.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	paged
}) (page[environmentRow], error) {
	got, err := manyPages(in.paged, func(p ldclient.Paging) (*ldclient.Page[ldclient.Environment], error) {
		return ld.Environments.List(ctx, in.Project, p)
	})
	if err != nil {
		return page[environmentRow]{}, err
	}
	out := pageOf(got, in.Offset, environmentRowOf)
	out.keep("environment", func(e environmentRow) bool { return ld.Scope().AllowsEnvironment(e.Key) })
	return out, nil
})

type environmentDetail struct {
	environmentRow
	SecureMode bool `json:"secureMode,omitempty"`
	DefaultTTL int  `json:"defaultTtlMinutes,omitempty"`
}

var getEnvironment = read(Spec{
	Name: "get-environment", Title: "Get an environment",
	Doc: "Read one environment: what it asks for before a change, and its public client-side ID. SDK keys are never shown.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atEnvironment }) (environmentDetail, error) {
	e, err := ld.Environments.Get(ctx, in.Project, in.Environment)
	if err != nil {
		return environmentDetail{}, err
	}
	return environmentDetail{environmentRowOf(*e), e.SecureMode, e.DefaultTTL}, nil
})
