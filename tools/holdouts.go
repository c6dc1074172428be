package tools

import (
	"context"
	"maps"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// holdoutRow is a holdout in a list.
type holdoutRow struct {
	ID          string   `json:"_id" doc:"as an experiment's holdoutId"`
	Key         string   `json:"key"`
	Name        string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Status      string   `json:"status" doc:"created, enabled, running or ended"`
	Experiments []string `json:"experimentKeys,omitempty" doc:"the first ten"`
}

func holdoutRowOf(h ldclient.Holdout) holdoutRow {
	row := holdoutRow{ID: h.ID, Key: h.Key, Name: nameBeside(h.Key, h.Name), Status: h.Status}
	for _, x := range ten(slices.Concat(h.Experiments, h.Related), 0) {
		row.Experiments = append(row.Experiments, x.Key)
	}
	return row
}

var listHoldouts = read(Spec{
	Name: "list-holdouts", Title: "List holdouts",
	Doc: "List the holdouts of an environment: contexts kept out of experiments.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	paged
}) (page[holdoutRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Holdout], error) {
		return ld.Experiments.Holdouts(ctx, in.Project, in.Environment, p)
	})
	if err != nil {
		return page[holdoutRow]{}, err
	}
	return pageOf(got, in.Offset, holdoutRowOf), nil
})

// inHoldout is a holdout in an environment, which may fall back to production.
type inHoldout struct {
	Project     string `json:"projectKey" alias:"project"`
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"production" told:"true" doc:"production if not given"`
	Holdout     string `json:"holdoutKey" alias:"holdout,key"`
}

func (a inHoldout) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment, Kind: "holdout", Key: a.Holdout}
}

type holdoutDetail struct {
	holdoutRow
	Description string         `json:"description,omitempty"`
	Amount      string         `json:"holdoutAmount" doc:"percent of the contexts"`
	Created     string         `json:"created,omitempty"`
	Measures    *iterationView `json:"currentIteration,omitempty" doc:"what the holdout itself is measured by"`
}

var getHoldout = read(Spec{
	Name: "get-holdout", Title: "Get a holdout",
	Doc: "Read one holdout: how much it keeps out, and of which experiments.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ inHoldout }) (holdoutDetail, error) {
	h, err := ld.Experiments.Holdout(ctx, in.Project, in.Environment, in.Holdout)
	if err != nil {
		return holdoutDetail{}, orOthers(err, "holdout", in.Holdout, func() ([]string, error) {
			return keysOn(func(h ldclient.Holdout) string { return h.Key })(ld.Experiments.Holdouts(ctx, in.Project, in.Environment, ldclient.Paging{Limit: 100}))
		})
	}
	if b := h.Base; b != nil {
		h.Key, h.Name = b.Key, b.Name
	}
	d := holdoutDetail{holdoutRow: holdoutRowOf(*h), Description: h.Description, Amount: h.Amount, Created: h.Created.String()}
	if h.Base != nil {
		d.Measures = tested{}.view(latest(h.Base))
	}
	return d, nil
})

// layerRow is a layer. Reservations are shown where LaunchDarkly shows them.
type layerRow struct {
	Key          string         `json:"key"`
	Name         string         `json:"name,omitempty" doc:"only where it says more than the key"`
	Description  string         `json:"description,omitempty"`
	Unit         string         `json:"randomizationUnit,omitempty"`
	Reservations []reservedView `json:"reservations,omitempty" doc:"the first ten"`
}

type reservedView struct {
	Environment string `json:"environmentKey"`
	Experiment  string `json:"experimentKey"`
	Flag        string `json:"flagKey"`
	Percent     int    `json:"reservationPercent"`
}

var listLayers = read(Spec{
	Name: "list-layers", Title: "List layers",
	Doc: "List a project's layers; with experimentKey, those it is in and what is reserved there.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	Experiment string `json:"experimentKey,omitempty" alias:"experiment"`
	paged
}) (page[layerRow], error) {
	got, err := ld.Experiments.Layers(ctx, in.Project, in.Experiment)
	if err != nil {
		return page[layerRow]{}, err
	}
	return pageWithin(got.Items, in.paged, layerRowIn(ld.Scope())), nil
})

// layerRowIn shows a layer without the environments outside the scope.
func layerRowIn(scope ldclient.Scope) func(ldclient.Layer) layerRow {
	return func(l ldclient.Layer) layerRow {
		row := layerRow{Key: l.Key, Name: nameBeside(l.Key, l.Name), Description: short(l.Description, 200), Unit: l.RandomizationUnit}
		for _, env := range slices.Sorted(maps.Keys(l.Environments)) {
			if !scope.AllowsEnvironment(env) {
				continue
			}
			for _, r := range l.Environments[env].Reservations {
				row.Reservations = append(row.Reservations, reservedView{env, r.Experiment, r.Flag, r.Percent})
			}
		}
		row.Reservations = ten(row.Reservations, 0)
		return row
	}
}
