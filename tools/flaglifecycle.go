package tools

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// lifecycleState is what archiving and deprecating a flag changes.
type lifecycleState struct {
	Archived   bool `json:"archived"`
	Deprecated bool `json:"deprecated,omitempty"`
	Version    int  `json:"version" doc:"of the flag"`
}

func lifecycleOf(f *ldclient.Flag) lifecycleState {
	return lifecycleState{f.Archived, f.Deprecated, f.Version}
}

var archiveFlag = update(Spec{
	Name: "archive-flag", Title: "Archive a flag", Action: "updateGlobalArchived",
	Doc: "Retire a flag in every environment; SDKs then get the fallback in code. restore-flag brings it back; prefer this to delete-flag.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	because
}) (*plan[lifecycleState], error) {
	f, err := ld.Flags.Get(ctx, in.Project, "", in.Flag)
	if err != nil {
		return nil, err
	}
	says := fmt.Sprintf("archive flag %s of project %s%s", in.Flag, in.Project, onIn(f))
	p := flagPlan(ld, in.target(), f, lifecycleOf, says, ldclient.ArchiveFlag())
	if f.Archived {
		p.Nothing = in.Flag + " is archived already"
		return p, nil
	}
	p.Notes, err = retirable(ctx, ld, in.target(), f)
	return p, err
})

var restoreFlag = update(Spec{
	Name: "restore-flag", Title: "Restore an archived flag", Action: "updateGlobalArchived",
	Doc: "Bring an archived flag back in every environment, with the settings that it had.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	because
}) (*plan[lifecycleState], error) {
	f, err := ld.Flags.Get(ctx, in.Project, "", in.Flag)
	if err != nil {
		return nil, err
	}
	says := fmt.Sprintf("restore archived flag %s of project %s%s", in.Flag, in.Project, onIn(f))
	p := flagPlan(ld, in.target(), f, lifecycleOf, says, ldclient.RestoreFlag())
	if !f.Archived {
		p.Nothing = in.Flag + " is not archived"
	}
	return p, nil
})

var deprecateFlag = update(Spec{
	Name: "deprecate-flag", Title: "Deprecate a flag", Action: "updateDeprecated",
	Doc: "Mark a flag as one that new code should not use, or take the mark off.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Deprecated bool `json:"deprecated,omitempty" default:"true" doc:"false takes the mark off"`
	because
}) (*plan[lifecycleState], error) {
	f, err := ld.Flags.Get(ctx, in.Project, "", in.Flag)
	if err != nil {
		return nil, err
	}
	do, words := ldclient.DeprecateFlag(), "deprecated"
	if !in.Deprecated {
		do, words = ldclient.RestoreDeprecatedFlag(), "no longer deprecated"
	}
	p := flagPlan(ld, in.target(), f, lifecycleOf, fmt.Sprintf("mark flag %s of project %s as %s", in.Flag, in.Project, words), do)
	if f.Deprecated == in.Deprecated {
		p.Nothing = in.Flag + " is " + words + " already"
	}
	return p, nil
})

// goneFlag is a flag before it is deleted.
type goneFlag struct {
	Key      string   `json:"key"`
	Name     string   `json:"name,omitempty"`
	Archived bool     `json:"archived"`
	Created  string   `json:"created,omitempty"`
	OnIn     []string `json:"onIn,omitempty" doc:"environments where targeting is on"`
	Version  int      `json:"version"`
}

var deleteFlag = remove(Spec{
	Name: "delete-flag", Title: "Delete a flag", Action: "deleteFlag", Aliases: []string{"delete-feature-flag"},
	Doc: "Delete a flag with its targeting in every environment, for good. Prefer archive-flag, which can be undone.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	because
}) (*plan[goneFlag], error) {
	f, err := ld.Flags.Get(ctx, in.Project, "", in.Flag)
	if err != nil {
		return nil, err
	}
	before := goneFlag{f.Key, nameBeside(f.Key, f.Name), f.Archived, f.CreationDate.String(), environmentsOn(f), f.Version}
	p := &plan[goneFlag]{
		intent: intent{Says: fmt.Sprintf("delete flag %s of project %s for good%s", in.Flag, in.Project, onIn(f)), Version: fmt.Sprintf("flag %d", f.Version)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*goneFlag, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.Flags.Delete(ctx, in.Project, in.Flag)
		},
	}
	if p.Notes, err = retirable(ctx, ld, in.target(), f); err != nil {
		return nil, err
	}
	if in.Comment != "" {
		p.Notes = append(p.Notes, "LaunchDarkly's audit log keeps no comment with a deletion")
	}
	return p, nil
})

// environmentsOn lists where a flag's targeting is on.
func environmentsOn(f *ldclient.Flag) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(f.Environments)) {
		if f.Environments[key].On {
			out = append(out, key)
		}
	}
	return out
}

func onIn(f *ldclient.Flag) string {
	on := environmentsOn(f)
	if len(on) == 0 {
		return ", which is off in every environment"
	}
	return ", which is on in " + keyList(on)
}

// keyList names the first ten of some keys.
func keyList(keys []string) string {
	if len(keys) > firstOf {
		return fmt.Sprintf("%s and %d more", strings.Join(keys[:firstOf], ", "), len(keys)-firstOf)
	}
	return strings.Join(keys, ", ")
}

// retirable refuses to take away a flag that others need, and notes what a person should know who does so.
func retirable(ctx context.Context, ld *ldclient.Client, at ldclient.Target, f *ldclient.Flag) (notes []string, err error) {
	g := gather(ctx)
	var dependents []ldclient.DependentFlag
	var critical []string
	g.want("flags that depend on it", func(ctx context.Context) (err error) {
		dependents, err = ld.Flags.Dependents(ctx, at.Project, at.Key)
		return err
	})
	g.want("which environments are critical", func(ctx context.Context) error {
		envs, err := ld.Environments.All(ctx, at.Project)
		for _, e := range envs {
			if c := f.Environments[e.Key]; e.Critical.On() && c.On {
				critical = append(critical, fmt.Sprintf("%s (%s)", e.Key, serving(f, c)))
			}
		}
		return err
	})
	missing, err := g.wait()
	if err != nil {
		return nil, err
	}
	if len(dependents) > 0 {
		return nil, errors.New(needed(at.Key, dependents))
	}
	if len(critical) > 0 && !f.Archived {
		notes = append(notes, "it is on in a critical environment and serves by default: "+keyList(critical))
	}
	return append(notes, missing...), nil
}

func needed(key string, by []ldclient.DependentFlag) string {
	var names []string
	for _, d := range by {
		var envs []string
		for _, e := range d.Environments {
			envs = append(envs, e.Key)
		}
		names = append(names, fmt.Sprintf("%s (in %s)", d.Key, keyList(envs)))
	}
	return fmt.Sprintf("Flag %s is a prerequisite of %s. Remove the prerequisite there first, with update-prerequisites.", key, keyList(names))
}
