package tools

import (
	"context"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

type destinationRow struct {
	ID          string `json:"_id"`
	Name        string `json:"name,omitempty"`
	Kind        string `json:"kind"`
	Project     string `json:"projectKey,omitempty"`
	Environment string `json:"environmentKey,omitempty"`
	On          bool   `json:"on"`
}

func destinationRowOf(d ldclient.Destination) destinationRow {
	project, environment := d.Place()
	return destinationRow{d.ID, short(d.Name, 120), d.Kind, project, environment, d.On}
}

var listDestinations = read(Spec{
	Name: "list-destinations", Title: "List Data Export destinations",
	Doc: "List Data Export destinations, of all environments unless some are named.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Project     string `json:"projectKey,omitempty" alias:"project" default:"-"`
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"-"`
	paged
}) (page[destinationRow], error) {
	if err := ld.Scope().Check(ldclient.Target{Project: in.Project, Environment: in.Environment}, false); err != nil {
		return page[destinationRow]{}, err
	}
	all, err := ld.Destinations.List(ctx)
	if err != nil {
		return page[destinationRow]{}, err
	}
	all = slices.DeleteFunc(all, func(d ldclient.Destination) bool {
		project, environment := d.Place()
		return in.Project != "" && project != in.Project || in.Environment != "" && environment != in.Environment
	})
	out := pageWithin(all, in.paged, destinationRowOf)
	out.keep("destination", func(d destinationRow) bool { return allowsPlace(ld.Scope(), d.Project, d.Environment) })
	return out, nil
})

// inDestination names one Data Export destination.
type inDestination struct {
	Project     string `json:"projectKey" alias:"project"`
	Environment string `json:"environmentKey" alias:"env,environment"`
	ID          string `json:"id" alias:"destinationId,destination,_id"`
}

func (a inDestination) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment, Kind: "destination", Key: a.ID}
}

type destinationDetail struct {
	destinationRow
	Fields  []string `json:"configFields,omitempty" doc:"names of what is configured; the values are never shown"`
	Version float64  `json:"version,omitempty"`
}

var getDestination = read(Spec{
	Name: "get-destination", Title: "Get a Data Export destination",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "Read one Data Export destination: kind, whether it is on, what is configured.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ inDestination }) (destinationDetail, error) {
	d, err := ld.Destinations.Get(ctx, in.Project, in.Environment, in.ID)
	if err != nil {
		return destinationDetail{}, err
	}
	row := destinationRowOf(*d)
	row.Project, row.Environment = in.Project, in.Environment
	return destinationDetail{row, fieldNames(d.Config), d.Version}, nil
})
