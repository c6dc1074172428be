package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// environmentRow is an environment in a list. What it leaves out is false or none.
type environmentRow struct {
	Key             string   `json:"key"`
	Name            string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Critical        bool     `json:"critical,omitempty"`
	RequireComments bool     `json:"requireComments,omitempty"`
	ConfirmChanges  bool     `json:"confirmChanges,omitempty"`
	Approvals       []string `json:"approvals,omitempty" doc:"resources whose changes need an approval"`
	ClientSideID    string   `json:"clientSideId,omitempty" doc:"public id for client-side SDKs"`
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
	Doc: "List a project's environments and what each asks for before a change.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	paged
}) (page[environmentRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Environment], error) {
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
	Color       string `json:"color,omitempty"`
	SecureMode  bool   `json:"secureMode,omitempty"`
	TrackEvents bool   `json:"defaultTrackEvents,omitempty"`
	DefaultTTL  int    `json:"defaultTtlMinutes,omitempty"`
}

var getEnvironment = read(Spec{
	Name: "get-environment", Title: "Get an environment",
	Doc: "Read one environment: what it asks for before a change, and its public client-side ID.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atEnvironment }) (environmentDetail, error) {
	e, err := ld.Environments.Get(ctx, in.Project, in.Environment)
	if err != nil {
		return environmentDetail{}, err
	}
	return environmentDetail{environmentRowOf(*e), e.Color, e.SecureMode, e.TrackEvents, e.DefaultTTL}, nil
})

// environmentState is what changing an environment changes.
type environmentState struct {
	ClientSideID    string   `json:"clientSideId,omitempty" doc:"public id for client-side SDKs"`
	Name            string   `json:"name"`
	Color           string   `json:"color"`
	Tags            []string `json:"tags"`
	Critical        bool     `json:"critical"`
	RequireComments bool     `json:"requireComments"`
	ConfirmChanges  bool     `json:"confirmChanges"`
	SecureMode      bool     `json:"secureMode"`
	TrackEvents     bool     `json:"defaultTrackEvents"`
	DefaultTTL      int      `json:"defaultTtlMinutes"`
}

func environmentStateOf(e *ldclient.Environment) environmentState {
	return environmentState{e.ID, e.Name, e.Color, append([]string{}, e.Tags...), e.Critical.On(), e.RequireComments.On(), e.ConfirmChanges.On(),
		e.SecureMode, e.TrackEvents, e.DefaultTTL}
}

// newEnvironment names an environment that is yet to be created.
type newEnvironment struct {
	Project string `json:"projectKey" alias:"project"`
	Key     string `json:"key" alias:"environmentKey,env" doc:"For good"`
}

func (a newEnvironment) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "env", Key: a.Key}
}

var createEnvironment = create(Spec{
	Name: "create-environment", Title: "Create an environment", Action: "createEnvironment",
	Doc: "Create an environment, empty or as a copy of another one's flag targeting and segments.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newEnvironment
	Name            string   `json:"name"`
	Color           string   `json:"color,omitempty" doc:"Six hexadecimal digits"`
	Tags            []string `json:"tags,omitempty"`
	Source          string   `json:"source,omitempty" alias:"sourceEnvironmentKey" doc:"Environment to copy"`
	Critical        bool     `json:"critical,omitempty" doc:"Changes in it are confirmed"`
	RequireComments bool     `json:"requireComments,omitempty" doc:"Changes in it need a comment"`
	ConfirmChanges  bool     `json:"confirmChanges,omitempty" doc:"As critical, also on LaunchDarkly's pages"`
	environmentExtras
	because
}) (*plan[environmentState], error) {
	tags, err := checkedSettings(in.Key, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	color, err := checkedColor(cmp.Or(in.Color, "417505"))
	if err != nil {
		return nil, err
	}
	envs, err := ld.Environments.All(ctx, in.Project)
	if err != nil {
		return nil, err
	}
	envs = slices.DeleteFunc(envs, func(e ldclient.Environment) bool { return e.Key != in.Key && !ld.Scope().AllowsEnvironment(e.Key) })
	post := ldclient.NewEnvironment{Key: in.Key, Name: in.Name, Color: color, Tags: tags, Critical: in.Critical, RequireComments: in.RequireComments,
		ConfirmChanges: in.ConfirmChanges, SecureMode: orElse(in.SecureMode, false), TrackEvents: orElse(in.TrackEvents, false), DefaultTTL: orElse(in.DefaultTTL, 0)}
	keys := keysOf(envs, func(e ldclient.Environment) string { return e.Key })
	notes := uncommented(in.because)
	switch {
	case slices.Contains(keys, in.Key):
		return nil, badf("there is an environment %s in %s already; choose another key, or change that one with update-environment", in.Key, in.Project)
	case in.Source == "":
		notes = append(notes, "every flag is off there until it is turned on")
	case !slices.Contains(keys, in.Source):
		return nil, absent("environment", in.Source, keys)
	default:
		post.Source = &ldclient.Source{Key: in.Source}
		notes = append(notes, "flags and segments there begin as they are in "+in.Source)
	}
	p := &plan[environmentState]{intent: intent{Says: fmt.Sprintf("create environment %s (%s) in project %s", in.Key, in.Name, in.Project), Notes: notes}}
	p.Apply = func(ctx context.Context, how manner) (*environmentState, error) {
		if how.DryRun {
			return &environmentState{"", in.Name, color, tags, in.Critical, in.RequireComments, in.ConfirmChanges, post.SecureMode, post.TrackEvents, post.DefaultTTL}, nil
		}
		got, err := ld.Environments.Create(ctx, in.Project, post)
		if err != nil {
			return nil, err
		}
		after := environmentStateOf(got)
		return &after, nil
	}
	return p, nil
})

// environmentExtras are settings that few environments need.
type environmentExtras struct {
	SecureMode  *bool `json:"secureMode,omitempty"`
	TrackEvents *bool `json:"defaultTrackEvents,omitempty"`
	DefaultTTL  *int  `json:"defaultTtl,omitempty" jsonschema:"minimum=0,maximum=60" doc:"Minutes, 0 to 60"`
}

var updateEnvironment = update(Spec{
	Name: "update-environment", Title: "Update an environment", Action: "updateName",
	Or:  "updateColor, updateTtl, updateSecureMode, updateDefaultTrackEvents, updateTags, updateRequireComments, updateConfirmChanges, updateCritical, updateApprovalSettings",
	Doc: "Change an environment's name, color, tags or what it asks for before a change.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atEnvironment
	environmentEdit
	because
}) (*plan[environmentState], error) {
	was, err := ld.Environments.Get(ctx, in.Project, in.Environment)
	if err != nil {
		return nil, err
	}
	if in.environmentEdit == (environmentEdit{}) {
		return nil, badf("nothing to change: give name, color, tags, critical, requireComments, confirmChanges, defaultTtl, secureMode or defaultTrackEvents")
	}
	return environmentPlan(ld, in.target(), was, in.environmentEdit, in.because)
})

// environmentEdit is how an environment's settings shall be; nil leaves one as it is.
type environmentEdit struct {
	Name            *string   `json:"name,omitempty"`
	Color           *string   `json:"color,omitempty" doc:"Six hexadecimal digits"`
	Tags            *[]string `json:"tags,omitempty" doc:"All; [] for none"`
	Critical        *bool     `json:"critical,omitempty" doc:"Changes in it are confirmed"`
	RequireComments *bool     `json:"requireComments,omitempty" doc:"Changes in it need a comment"`
	ConfirmChanges  *bool     `json:"confirmChanges,omitempty" doc:"As critical, also on LaunchDarkly's pages"`
	environmentExtras
}

// environmentPlan plans a change of an environment's settings.
func environmentPlan(ld *ldclient.Client, at ldclient.Target, was *ldclient.Environment, in environmentEdit, why because) (*plan[environmentState], error) {
	before := environmentStateOf(was)
	then := before
	var e edits
	e.protection("critical", &then.Critical, in.Critical, "changes there would no longer be confirmed as in a critical environment")
	e.protection("requireComments", &then.RequireComments, in.RequireComments, "changes there would no longer need a comment")
	e.protection("confirmChanges", &then.ConfirmChanges, in.ConfirmChanges, "changes there would no longer need a confirmation")
	e.protection("secureMode", &then.SecureMode, in.SecureMode, "client-side SDKs could ask for anybody's flags")
	if err := e.nameAndTags(&then.Name, in.Name, &then.Tags, in.Tags); err != nil {
		return nil, err
	}
	if in.Color != nil {
		color, err := checkedColor(*in.Color)
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(color, then.Color) {
			e.set("/color", color, "change the color from %s to %s", then.Color, color)
			then.Color = color
		}
	}
	if is := orElse(in.TrackEvents, then.TrackEvents); is != then.TrackEvents {
		e.set("/defaultTrackEvents", is, "set defaultTrackEvents from %t to %t", then.TrackEvents, is)
		then.TrackEvents = is
	}
	if is := orElse(in.DefaultTTL, then.DefaultTTL); is != then.DefaultTTL {
		e.set("/defaultTtl", is, "set defaultTtl from %d to %d minutes", then.DefaultTTL, is)
		then.DefaultTTL = is
	}
	what := fmt.Sprintf("environment %s of project %s", at.Environment, at.Project)
	p := &plan[environmentState]{intent: e.intent(what, before, why), Before: &before}
	p.Apply = func(ctx context.Context, how manner) (*environmentState, error) {
		if how.DryRun {
			return &then, nil
		}
		got, err := ld.Environments.Update(ctx, at.Project, at.Environment, e.steps)
		if err != nil {
			return nil, err
		}
		after := environmentStateOf(got)
		return &after, nil
	}
	return p, nil
}
