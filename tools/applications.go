package tools

import (
	"context"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// applicationRow is an application in a list. What it leaves out is false or none.
type applicationRow struct {
	Key         string `json:"key"`
	Name        string `json:"name,omitempty" doc:"only where it says more than the key"`
	Kind        string `json:"kind" doc:"browser, mobile or server"`
	Description string `json:"description,omitempty"`
	AutoAdded   bool   `json:"autoAdded,omitempty" doc:"true: an SDK reported it"`
	Maintainer  string `json:"maintainer,omitempty"`
}

func applicationRowOf(a ldclient.Application) applicationRow {
	row := applicationRow{Key: a.Key, Name: nameBeside(a.Key, a.Name), Kind: a.Kind, Description: short(a.Description, 120), AutoAdded: a.AutoAdded}
	switch m := a.Maintainer; {
	case m == nil:
	case m.Team != nil:
		row.Maintainer = "team " + m.Team.Key
	default:
		row.Maintainer = m.Member.String()
	}
	return row
}

var listApplications = read(Spec{
	Name: "list-applications", Title: "List applications",
	Doc: "List the account's applications: the programs that SDKs said they run in.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Kind string `json:"kind,omitempty" jsonschema:"enum=browser,enum=mobile,enum=server"`
	paged
}) (page[applicationRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Application], error) {
		return ld.Applications.List(ctx, in.Kind, p)
	})
	if err != nil {
		return page[applicationRow]{}, err
	}
	return pageOf(got, in.Offset, applicationRowOf), nil
})

type atApplication struct {
	Application string `json:"applicationKey" alias:"application,key"`
}

func (a atApplication) target() ldclient.Target {
	return ldclient.Target{Kind: "application", Key: a.Application}
}

type versionRow struct {
	Key       string `json:"key"`
	Name      string `json:"name,omitempty"`
	Supported *bool  `json:"supported,omitempty" doc:"of a mobile application"`
	Created   string `json:"createdAt,omitempty"`
}

type applicationDetail struct {
	applicationRow
	Versions      []versionRow `json:"versions"`
	VersionsCount int          `json:"versionsCount,omitempty"`
	NextOffset    int          `json:"nextOffset,omitempty" doc:"Set when there are more versions"`
}

var getApplication = read(Spec{
	Name: "get-application", Title: "Get an application",
	Doc: "Read one application and its versions, which limit and offset page through.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atApplication
	paged
}) (applicationDetail, error) {
	a, err := ld.Applications.Get(ctx, in.Application)
	if err != nil {
		return applicationDetail{}, orOthers(err, "application", in.Application, func() ([]string, error) {
			return keysOn(func(a ldclient.Application) string { return a.Key })(ld.Applications.List(ctx, "", ldclient.Paging{Limit: upstreamPage}))
		})
	}
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.ApplicationVersion], error) {
		return ld.Applications.Versions(ctx, in.Application, p)
	})
	if err != nil {
		return applicationDetail{}, err
	}
	versions := pageOf(got, in.Offset, func(v ldclient.ApplicationVersion) versionRow {
		return versionRow{v.Key, nameBeside(v.Key, v.Name), v.Supported, v.Created.String()}
	})
	d := applicationDetail{applicationRowOf(*a), versions.Items, versions.TotalCount, versions.NextOffset}
	d.Description = a.Description
	return d, nil
})
