package tools

import (
	"context"
	"fmt"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var projects = Toolset{
	Name: "projects", Doc: "Find, create and change projects and environments.",
	Default: []string{"list-projects", "list-environments"},
	Tools: []Tool{listProjects, getProject, createProject, updateProject, deleteProject,
		listEnvironments, getEnvironment, createEnvironment, updateEnvironment},
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
	Query string `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key or name"`
	paged
}) (page[projectRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Project], error) {
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
	ClientSide   []string         `json:"clientSide,omitempty" doc:"client-side SDKs that see new flags"`
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
	return projectDetail{p.Key, p.Name, p.Tags, clientSideOf(p.ClientSide), list.Items, list.Note}, nil
})

// clientSideEdit says which client-side SDKs new flags are open to; what is left out stays as it is.
type clientSideEdit struct {
	EnvironmentID *bool `json:"usingEnvironmentId,omitempty"`
	MobileKey     *bool `json:"usingMobileKey,omitempty"`
}

func (in *clientSideEdit) on(a ldclient.ClientSideAvailability) ldclient.ClientSideAvailability {
	if in != nil && in.EnvironmentID != nil {
		a.UsingEnvironmentID = *in.EnvironmentID
	}
	if in != nil && in.MobileKey != nil {
		a.UsingMobileKey = *in.MobileKey
	}
	return a
}

// projectState is what changing a project changes.
type projectState struct {
	Name         string           `json:"name"`
	Tags         []string         `json:"tags"`
	ClientSide   []string         `json:"clientSide" doc:"client-side SDKs that see new flags"`
	Environments []environmentRow `json:"environments,omitempty" doc:"of a new project"`
}

func projectStateOf(p *ldclient.Project) projectState {
	return projectState{Name: p.Name, Tags: append([]string{}, p.Tags...), ClientSide: append([]string{}, clientSideOf(p.ClientSide)...)}
}

// newProject names a project that is yet to be created.
type newProject struct {
	Key string `json:"key" alias:"projectKey" doc:"For good"`
}

func (a newProject) target() ldclient.Target { return ldclient.Target{Project: a.Key} }

var createProject = create(Spec{
	Name: "create-project", Title: "Create a project", Action: "createProject",
	Doc: "Create a project with LaunchDarkly's default environments, test and production.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newProject
	Name       string          `json:"name"`
	Tags       []string        `json:"tags,omitempty"`
	ClientSide *clientSideEdit `json:"defaultClientSideAvailability,omitempty" alias:"clientSideAvailability" doc:"Of new flags; mobile if not given"`
	because
}) (*plan[projectState], error) {
	tags, err := checkedSettings(in.Key, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	if p, err := ld.Projects.Get(ctx, in.Key); err == nil {
		return nil, badf("there is a project %s already (%s); choose another key, or change that one with update-project", in.Key, short(clean(p.Name), 100))
	} else if !ldclient.IsNotFound(err) {
		return nil, err
	}
	post := ldclient.NewProject{Key: in.Key, Name: in.Name, Tags: tags}
	side := in.ClientSide.on(ldclient.ClientSideAvailability{UsingMobileKey: true})
	if in.ClientSide != nil {
		post.ClientSide = &side
	}
	p := &plan[projectState]{intent: intent{Says: fmt.Sprintf("create project %s (%s)", in.Key, in.Name), Notes: uncommented(in.because)}}
	p.Apply = func(ctx context.Context, how manner) (*projectState, error) {
		got := &ldclient.Project{Name: in.Name, Tags: tags, ClientSide: side}
		if !how.DryRun {
			if got, err = ld.Projects.Create(ctx, post); err != nil {
				return nil, err
			}
		}
		after := projectStateOf(got)
		if how.DryRun { // those that LaunchDarkly gives every new project
			after.Environments = []environmentRow{{Key: "test"}, {Key: "production"}}
		}
		for _, e := range got.Environments {
			after.Environments = append(after.Environments, environmentRowOf(e))
		}
		return &after, nil
	}
	return p, nil
})

var updateProject = update(Spec{
	Name: "update-project", Title: "Update a project", Action: "updateProjectName",
	Or:  "updateTags, updateDefaultClientSideAvailability, updateIncludeInSnippetByDefault, updateProjectFlagDefaults, updateDefaultReleasePipeline",
	Doc: "Change a project's name, tags, or which client-side SDKs see its new flags.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	projectEdit
	because
}) (*plan[projectState], error) {
	was, err := ld.Projects.Get(ctx, in.Project)
	if err != nil {
		return nil, err
	}
	p, err := projectPlan(ld, in.target(), was, in.projectEdit, in.because)
	if err == nil && in.projectEdit == (projectEdit{}) {
		return nil, badf("nothing to change: give name, tags or defaultClientSideAvailability")
	}
	return p, err
})

// projectEdit is how a project's settings shall be; nil leaves one as it is.
type projectEdit struct {
	Name       *string         `json:"name,omitempty"`
	Tags       *[]string       `json:"tags,omitempty" doc:"All; [] for none"`
	ClientSide *clientSideEdit `json:"defaultClientSideAvailability,omitempty" alias:"clientSideAvailability" doc:"Of new flags"`
}

// projectPlan plans a change of a project's settings.
func projectPlan(ld *ldclient.Client, at ldclient.Target, was *ldclient.Project, in projectEdit, why because) (*plan[projectState], error) {
	var e edits
	is := *was
	if err := e.nameAndTags(&is.Name, in.Name, &is.Tags, in.Tags); err != nil {
		return nil, err
	}
	if is.ClientSide = in.ClientSide.on(was.ClientSide); is.ClientSide != was.ClientSide {
		e.set("/defaultClientSideAvailability", is.ClientSide, "let new flags be seen by SDKs with %s instead of %s",
			orNone(clientSideOf(is.ClientSide)), orNone(clientSideOf(was.ClientSide)))
	}
	before, then := projectStateOf(was), projectStateOf(&is)
	p := &plan[projectState]{intent: e.intent("project "+at.Project, before, why), Before: &before}
	p.Apply = func(ctx context.Context, how manner) (*projectState, error) {
		if how.DryRun {
			return &then, nil
		}
		got, err := ld.Projects.Update(ctx, at.Project, e.steps)
		if err != nil {
			return nil, err
		}
		after := projectStateOf(got)
		return &after, nil
	}
	return p, nil
}

// projectContents is what goes when a project is deleted.
type projectContents struct {
	Name         string   `json:"name"`
	Environments []string `json:"environments" doc:"keys, the first ten"`
	EnvsCount    int      `json:"environmentsCount"`
	Flags        int      `json:"flagsCount"`
	Archived     int      `json:"archivedFlagsCount"`
}

var deleteProject = remove(Spec{
	Name: "delete-project", Title: "Delete a project", Action: "deleteProject",
	Doc: "Delete a project for good, with every environment, flag and segment in it. SDKs that use its keys stop getting flags.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	because
}) (*plan[projectContents], error) {
	project, err := ld.Projects.Get(ctx, in.Project)
	if err != nil {
		return nil, err
	}
	var envs []ldclient.Environment
	var others *ldclient.Page[ldclient.Project]
	before := projectContents{Name: project.Name}
	g := gather(ctx)
	g.need(func(ctx context.Context) (err error) { envs, err = ld.Environments.All(ctx, in.Project); return err })
	g.need(func(ctx context.Context) (err error) {
		others, err = ld.Projects.List(ctx, ldclient.ListProjects{Paging: ldclient.Paging{Limit: 2}})
		return err
	})
	for state, count := range map[string]*int{"": &before.Flags, "archived": &before.Archived} {
		g.need(func(ctx context.Context) error {
			got, err := ld.Flags.List(ctx, in.Project, ldclient.ListFlags{State: state, Paging: ldclient.Paging{Limit: 1}})
			if err == nil {
				*count = got.Total
			}
			return err
		})
	}
	if _, err := g.wait(); err != nil {
		return nil, err
	}
	if len(others.Items) < 2 {
		return nil, &ldclient.InvalidError{Message: fmt.Sprintf("project %s is the only one that the token sees, and LaunchDarkly does not delete an account's last one; if there are others, delete it in LaunchDarkly itself", in.Project)}
	}
	keys := keysOf(envs, func(e ldclient.Environment) string { return e.Key })
	before.Environments, before.EnvsCount = ten(keys, 0), len(keys)
	says := fmt.Sprintf("delete project %s (%s) for good, with its %d environments (%s), %d flags and %d archived flags, and all its segments",
		in.Project, short(clean(project.Name), 100), len(keys), keyList(keys), before.Flags, before.Archived)
	return &plan[projectContents]{
		intent: intent{Says: says, Version: "project " + digest(before), Notes: uncommented(in.because)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*projectContents, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.Projects.Delete(ctx, in.Project)
		},
	}, nil
})
