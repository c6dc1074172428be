package tools

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

var viewTools = Toolset{
	Name: "views", Doc: "Views, links and followers of flags, applications.",
	Tools: []Tool{listViews, getView, createView, updateView, deleteView, linkToView, unlinkFromView, listViewLinks, getFlagViews,
		listFlagLinks, createFlagLink, updateFlagLink, deleteFlagLink, listFlagFollowers, addFlagFollower, removeFlagFollower,
		listApplications, getApplication},
}

// viewRow is a view in a list. What it leaves out is false or none.
type viewRow struct {
	Key         string   `json:"key"`
	Name        string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	Archived    bool     `json:"archived,omitempty"`
	Flags       *int     `json:"flagsCount,omitempty" doc:"linked flags"`
	Segments    *int     `json:"segmentsCount,omitempty"`
}

func viewRowOf(v ldclient.View) viewRow {
	row := viewRow{Key: v.Key, Name: nameBeside(v.Key, v.Name), Description: short(v.Description, 120), Tags: ten(v.Tags, 0), Archived: v.Archived}
	if v.Flags != nil {
		row.Flags = &v.Flags.Count
	}
	if v.Segments != nil {
		row.Segments = &v.Segments.Count
	}
	return row
}

var listViews = read(Spec{
	Name: "list-views", Title: "List views",
	Doc: "List or search a project's views, which group flags and segments.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	Query string `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key or name"`
	paged
}) (page[viewRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.View], error) {
		return ld.Views.List(ctx, in.Project, ldclient.ListViews{Paging: p, Query: in.Query})
	})
	if err != nil {
		return page[viewRow]{}, err
	}
	return pageOf(got, in.Offset, viewRowOf), nil
})

type atView struct {
	Project string `json:"projectKey" alias:"project"`
	View    string `json:"viewKey" alias:"view,key"`
}

func (a atView) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "view", Key: a.View}
}

// viewState is what changing a view changes.
type viewState struct {
	Key         string   `json:"key"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags"`
	Maintainer  string   `json:"maintainer,omitempty"`
}

func viewStateOf(v *ldclient.View) viewState {
	return viewState{v.Key, v.Name, v.Description, append([]string{}, v.Tags...), viewMaintainer(v)}
}

func viewMaintainer(v *ldclient.View) string {
	switch m := v.Maintainer; {
	case m == nil:
		return ""
	case m.Team != nil:
		return "team " + m.Team.Key
	case m.Member != nil:
		return (&ldclient.Person{Email: m.Member.Email, FirstName: m.Member.FirstName, LastName: m.Member.LastName}).String()
	}
	return ""
}

type viewDetail struct {
	viewState
	Archived bool `json:"archived,omitempty"`
	Flags    *int `json:"flagsCount,omitempty"`
	Segments *int `json:"segmentsCount,omitempty"`
}

var getView = read(Spec{
	Name: "get-view", Title: "Get a view",
	Doc: "Read one view and how much is linked to it; list-view-links shows what.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atView }) (viewDetail, error) {
	v, err := viewNamed(ctx, ld, in.atView)
	if err != nil {
		return viewDetail{}, err
	}
	row := viewRowOf(*v)
	return viewDetail{viewStateOf(v), v.Archived, row.Flags, row.Segments}, nil
})

// viewNamed reads a view; where there is none, it says which ones there are.
func viewNamed(ctx context.Context, ld *ldclient.Client, at atView) (*ldclient.View, error) {
	v, err := ld.Views.Get(ctx, at.Project, at.View)
	return v, orOthers(err, "view", at.View, func() ([]string, error) {
		return keysOn(func(v ldclient.View) string { return v.Key })(ld.Views.List(ctx, at.Project, ldclient.ListViews{Paging: ldclient.Paging{Limit: 100}}))
	})
}

// newView names a view that is yet to be created.
type newView struct {
	Project string `json:"projectKey" alias:"project"`
	Key     string `json:"key" alias:"viewKey" doc:"Lower case, for good"`
}

func (a newView) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "view", Key: a.Key}
}

// maintainerInput names who looks after something: a member or a team.
type maintainerInput struct {
	Member string `json:"maintainerId,omitempty" alias:"maintainer" doc:"Id, email or me; for a team maintainerTeamKey"`
	Team   string `json:"maintainerTeamKey,omitempty" quiet:"true"`
}

// into puts the id of the member, or the key of the team, into a view's settings, and says who that is.
func (in maintainerInput) into(ctx context.Context, ld *ldclient.Client, set *ldclient.ViewSettings) (who string, err error) {
	switch {
	case in.Member != "" && in.Team != "":
		return "", badf("give maintainerId or maintainerTeamKey, not both")
	case in.Team != "":
		t, err := teamNamed(ctx, ld, in.Team)
		if err != nil {
			return "", err
		}
		set.MaintainerTeamKey = t.Key
		return "team " + t.Key, nil
	case in.Member != "":
		m, err := personNamed(ctx, ld, in.Member)
		if err != nil {
			return "", err
		}
		set.MaintainerID = m.ID
		return m.String(), nil
	}
	return "", nil
}

var viewKey = pattern.Of(`^[a-z0-9][a-z0-9_.-]{0,255}$`)

var createView = create(Spec{
	Name: "create-view", Title: "Create a view", Action: "createView",
	Doc: "Create a view, with nothing linked to it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newView
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	maintainerInput
	because
}) (*plan[viewState], error) {
	if !viewKey().MatchString(in.Key) { // LaunchDarkly would make another key of it without a word
		return nil, badf("key: must begin with a letter or digit and hold at most 256 lower-case letters, digits, \".\", \"_\" and \"-\", got %q", short(in.Key, 100))
	}
	if clean(in.Name) == "" {
		return nil, badf("name: must not be empty")
	}
	tags, err := checkedTags(in.Tags)
	if err != nil {
		return nil, err
	}
	switch v, err := ld.Views.Get(ctx, in.Project, in.Key); {
	case err == nil:
		return nil, badf("project %s has a view %s already (%s); change it with update-view, or choose another key", in.Project, in.Key, short(clean(v.Name), 100))
	case !ldclient.IsNotFound(err):
		return nil, err
	}
	set := ldclient.ViewSettings{Name: &in.Name, Tags: &tags}
	if in.Description != "" {
		set.Description = &in.Description
	}
	who, err := in.into(ctx, ld, &set)
	if err != nil {
		return nil, err
	}
	return &plan[viewState]{
		intent: intent{Says: fmt.Sprintf("create view %s in project %s", in.Key, in.Project), Notes: uncommented(in.because)},
		Apply: func(ctx context.Context, how manner) (*viewState, error) {
			if how.DryRun {
				return &viewState{in.Key, in.Name, in.Description, tags, who}, nil
			}
			return viewMade(who)(ld.Views.Create(ctx, in.Project, in.Key, set))
		},
	}, nil
})

// viewMade shows a view after a change; LaunchDarkly's answer need not name the maintainer that was set.
func viewMade(maintainer string) func(*ldclient.View, error) (*viewState, error) {
	return func(v *ldclient.View, err error) (*viewState, error) {
		if err != nil {
			return nil, err
		}
		after := viewStateOf(v)
		after.Maintainer = cmp.Or(maintainer, after.Maintainer)
		return &after, nil
	}
}

var updateView = update(Spec{
	Name: "update-view", Title: "Update a view", Action: "updateView",
	Doc: "Change a view's name, description, tags or maintainer.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atView
	Name        *string   `json:"name,omitempty"`
	Description *string   `json:"description,omitempty"`
	Tags        *[]string `json:"tags,omitempty" doc:"All; [] for none"`
	maintainerInput
	because
}) (*plan[viewState], error) {
	if in.Name == nil && in.Description == nil && in.Tags == nil && in.maintainerInput == (maintainerInput{}) {
		return nil, badf("nothing to change: give name, description, tags, maintainerId or maintainerTeamKey")
	}
	v, err := viewNamed(ctx, ld, in.atView)
	if err != nil {
		return nil, err
	}
	before := viewStateOf(v)
	then := viewStateOf(v)
	var set ldclient.ViewSettings
	var e edits // for its words
	if err := e.nameAndTags(&then.Name, in.Name, &then.Tags, in.Tags); err != nil {
		return nil, err
	}
	if then.Name != before.Name {
		set.Name = &then.Name
	}
	if !reflect.DeepEqual(then.Tags, before.Tags) {
		set.Tags = &then.Tags
	}
	if in.Description != nil && *in.Description != then.Description {
		then.Description = *in.Description
		set.Description = in.Description
		e.says = append(e.says, fmt.Sprintf("set the description to %q", short(clean(then.Description), 200)))
	}
	if who, err := in.into(ctx, ld, &set); err != nil {
		return nil, err
	} else if who != "" && who != then.Maintainer {
		e.says = append(e.says, fmt.Sprintf("change the maintainer from %s to %s", cmp.Or(clean(then.Maintainer), "nobody"), clean(who)))
		then.Maintainer = who
	} else {
		set.MaintainerID, set.MaintainerTeamKey = "", ""
	}
	what := fmt.Sprintf("view %s of project %s", in.View, in.Project)
	out := &plan[viewState]{
		intent: intent{Says: "change " + what + ": " + strings.Join(e.says, "; "), Version: "view " + digest(v), Notes: uncommented(in.because)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*viewState, error) {
			if how.DryRun {
				return &then, nil
			}
			return viewMade(then.Maintainer)(ld.Views.Update(ctx, in.Project, in.View, set))
		},
	}
	if len(e.says) == 0 {
		out.Nothing, out.Notes = what+" is so already", nil
	}
	return out, nil
})

var deleteView = remove(Spec{
	Name: "delete-view", Title: "Delete a view", Action: "deleteView",
	Doc: "Delete a view for good. What is linked to it stays.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atView
	because
}) (*plan[viewDetail], error) {
	v, err := viewNamed(ctx, ld, in.atView)
	if err != nil {
		return nil, err
	}
	row := viewRowOf(*v)
	before := viewDetail{viewStateOf(v), v.Archived, row.Flags, row.Segments}
	holds := "what is linked to it stays"
	if row.Flags != nil && row.Segments != nil {
		holds += fmt.Sprintf(" (flags: %d, segments: %d)", *row.Flags, *row.Segments)
	}
	return &plan[viewDetail]{
		intent: intent{Says: fmt.Sprintf("delete view %s of project %s (%s) for good; %s, but roles and SDK keys that are limited to this view no longer reach them", in.View, in.Project,
			short(clean(v.Name), 100), holds), Version: "view " + digest(v), Notes: uncommented(in.because)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*viewDetail, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.Views.Delete(ctx, in.Project, in.View)
		},
	}, nil
})
