package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

type dependentRow struct {
	Key          string   `json:"key"`
	Environments []string `json:"environments"`
}

var listDependentFlags = read(Spec{
	Name: "list-dependent-flags", Title: "List dependent flags",
	Doc: "List the flags that have this flag as a prerequisite, and in which environments.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"-" doc:"All if not given"`
	paged
}) (page[dependentRow], error) {
	at := in.target()
	at.Environment = in.Environment
	// Later a 404 can only mean that this part of the API is not there.
	if in.Environment != "" {
		if _, err := ld.Flags.Status(ctx, in.Project, in.Environment, in.Flag); err != nil {
			return page[dependentRow]{}, err
		}
	} else if _, err := ld.Flags.StatusAcross(ctx, in.Project, in.Flag); err != nil {
		return page[dependentRow]{}, err
	}
	all, note, err := dependentsOf(ctx, ld, at)
	if err != nil {
		return page[dependentRow]{}, err
	}
	out := pageWithin(all, in.paged, func(d dependentRow) dependentRow { return d })
	out.Note = note
	return out, nil
})

// dependentsOf finds the flags that have one as a prerequisite, in one
// environment or in all that are in scope. note says how, where LaunchDarkly did not tell.
func dependentsOf(ctx context.Context, ld *ldclient.Client, at ldclient.Target) (rows []dependentRow, note string, err error) {
	if at.Environment != "" {
		keys, err := ld.Flags.DependentsIn(ctx, at.Project, at.Environment, at.Key)
		if err == nil {
			for _, key := range keys {
				rows = append(rows, dependentRow{key, []string{at.Environment}})
			}
			return rows, "", nil
		}
		if !withoutDependents(err) {
			return nil, "", err
		}
		all, err := flagsWithPrerequisites(ctx, ld, at.Project, []string{at.Environment})
		return dependentsAmong(all, at.Key), fromSummaries, err
	}
	got, err := ld.Flags.Dependents(ctx, at.Project, at.Key)
	if err == nil {
		for _, f := range got {
			row := dependentRow{Key: f.Key}
			for _, e := range f.Environments {
				if ld.Scope().AllowsEnvironment(e.Key) {
					row.Environments = append(row.Environments, e.Key)
				}
			}
			if len(row.Environments) == 0 {
				row.Environments = []string{"outside this server's scope"}
			}
			rows = append(rows, row)
		}
		return rows, "", nil
	}
	if !withoutDependents(err) {
		return nil, "", err
	}
	envs, err := ld.Environments.All(ctx, at.Project)
	if err != nil {
		return nil, "", err
	}
	keys := keysOf(envs, func(e ldclient.Environment) string { return e.Key })
	keys = slices.DeleteFunc(keys, func(key string) bool { return !ld.Scope().AllowsEnvironment(key) })
	all, err := flagsWithPrerequisites(ctx, ld, at.Project, keys)
	return dependentsAmong(all, at.Key), fromSummaries, err
}

const fromSummaries = "LaunchDarkly's list of dependent flags is in beta or not in the account's plan, so these were read from the flags themselves; archived flags are not among them."

// withoutDependents reports whether an account does not have the list of dependent flags.
func withoutDependents(err error) bool {
	return ldclient.IsNotFound(err) || ldclient.Status(err) == 403
}

func dependentsAmong(flags []*ldclient.Flag, key string) []dependentRow {
	var out []dependentRow
	for _, f := range flags {
		row := dependentRow{Key: f.Key}
		for _, env := range slices.Sorted(maps.Keys(f.Environments)) {
			if slices.ContainsFunc(f.Environments[env].Prerequisites, func(p ldclient.Prerequisite) bool { return p.Key == key }) {
				row.Environments = append(row.Environments, env)
			}
		}
		if len(row.Environments) > 0 {
			out = append(out, row)
		}
	}
	return out
}

// maxPrerequisiteReads bounds how many flags are read one by one.
const maxPrerequisiteReads = 100

// flagsWithPrerequisites reads the flags of a project that have prerequisites
// in some environments: summaries tell which they are, each is then read in full.
func flagsWithPrerequisites(ctx context.Context, ld *ldclient.Client, project string, envs []string) ([]*ldclient.Flag, error) {
	if len(envs) == 0 {
		return nil, nil
	}
	all, err := everyPage(ctx, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Flag], error) {
		return ld.Flags.ListIn(ctx, project, ldclient.ListFlags{Paging: p, Sort: "key"}, false, envs...)
	})
	if err != nil {
		return nil, err
	}
	type reading struct {
		key  string
		envs []string
	}
	var todo []reading
	for _, f := range all {
		var in []string
		for _, env := range envs {
			if f.Environments[env].Summary.Prerequisites > 0 {
				in = append(in, env)
			}
		}
		if len(in) > 0 {
			todo = append(todo, reading{f.Key, in})
		}
	}
	if len(todo) > maxPrerequisiteReads {
		return nil, fmt.Errorf("%d flags have prerequisites, too many to read one by one; look at the flag's dependent flags in LaunchDarkly", len(todo))
	}
	out := make([]*ldclient.Flag, len(todo))
	g := gather(ctx)
	for i, t := range todo {
		g.need(func(ctx context.Context) (err error) {
			out[i], err = ld.Flags.GetIn(ctx, project, t.key, t.envs...)
			return err
		})
	}
	if _, err := g.wait(); err != nil {
		return nil, err
	}
	return out, nil
}
