package ldclient

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ViewsService reads views and what is linked to them.
type ViewsService service

// View is a group of flags and segments of a project. Roles and SDK keys can be limited to one.
type View struct {
	Key         string    `json:"key"` // lower case
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Tags        []string  `json:"tags"`
	Archived    bool      `json:"archived"`
	Version     int       `json:"version"`
	Maintainer  *struct { // only when one view is read
		Member *struct {
			ID        string `json:"id"`
			Email     string `json:"email"`
			FirstName string `json:"firstName"`
			LastName  string `json:"lastName"`
		} `json:"maintainerMember"`
		Team *struct {
			Key string `json:"key"`
		} `json:"maintainerTeam"`
	} `json:"maintainer"`
	Flags    *ViewCount `json:"flagsSummary"`
	Segments *ViewCount `json:"segmentsSummary"`
}

// ViewCount is how many resources of one type are linked to a view.
type ViewCount struct {
	Count int `json:"count"`
}

func (v *View) missing() string {
	if v.Key == "" {
		return "view"
	}
	return ""
}

// The types of resources that can be linked to a view.
const (
	ViewFlags    = "flags"
	ViewSegments = "segments"
)

// ListViews are the filters of a list of views.
type ListViews struct {
	Paging
	Query string // part of a key or name
}

// List returns one page of a project's views.
func (s *ViewsService) List(ctx context.Context, project string, o ListViews) (*Page[View], error) {
	q := o.Paging.query()
	q.Set("expand", "flagsSummary,segmentsSummary")
	if o.Query != "" {
		if strings.ContainsAny(o.Query, `"\`) {
			return nil, &InvalidError{Message: `a filter may not hold any of " and \`}
		}
		q.Set("filter", fmt.Sprintf("key contains %q|name contains %q", o.Query, o.Query))
	}
	return do[Page[View]](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project}, path: path("projects", project, "views"), query: q, beta: true})
}

// Get returns one view with its maintainer.
func (s *ViewsService) Get(ctx context.Context, project, key string) (*View, error) {
	return do[View](ctx, s.c, call{method: http.MethodGet, at: viewAt(project, key), path: viewPath(project, key),
		query: url.Values{"expand": {"maintainer,flagsSummary,segmentsSummary"}}, beta: true})
}

// ViewSettings are what creating and changing a view sets; nil leaves a field as it is.
type ViewSettings struct {
	Name              *string   `json:"name,omitempty"`
	Description       *string   `json:"description,omitempty"`
	Tags              *[]string `json:"tags,omitempty"`
	MaintainerID      string    `json:"maintainerId,omitempty"`
	MaintainerTeamKey string    `json:"maintainerTeamKey,omitempty"`
}

// Create adds a view, to which nothing is linked.
func (s *ViewsService) Create(ctx context.Context, project, key string, v ViewSettings) (*View, error) {
	return do[View](ctx, s.c, call{method: http.MethodPost, at: viewAt(project, key), path: path("projects", project, "views"), body: struct {
		Key string `json:"key"`
		ViewSettings
	}{key, v}, contentType: jsonType, beta: true, writes: true})
}

// Update changes what of a view's settings is given.
func (s *ViewsService) Update(ctx context.Context, project, key string, v ViewSettings) (*View, error) {
	return do[View](ctx, s.c, call{method: http.MethodPatch, at: viewAt(project, key), path: viewPath(project, key), body: v,
		contentType: jsonType, beta: true, writes: true})
}

// Delete removes a view for good. What was linked to it stays.
func (s *ViewsService) Delete(ctx context.Context, project, key string) error {
	_, err := do[gone](ctx, s.c, call{method: http.MethodDelete, at: viewAt(project, key), path: viewPath(project, key), beta: true, writes: true})
	return err
}

// SegmentRef names a segment by its environment's id, which is the public client-side ID.
type SegmentRef struct {
	EnvironmentID string `json:"environmentId"`
	Key           string `json:"segmentKey"`
}

// ViewLink is what to link to a view or to unlink: flags by key, or segments.
type ViewLink struct {
	Flags    []string     `json:"keys,omitempty"`
	Segments []SegmentRef `json:"segmentIdentifiers,omitempty"`
	Comment  string       `json:"comment,omitempty"`
}

// ViewLinkResult tells how much of a ViewLink LaunchDarkly carried out.
type ViewLinkResult struct {
	Succeeded *int `json:"successCount"`
	Failed    int  `json:"failureCount"`
	Failures  []struct {
		Key     string `json:"resourceKey"`
		Message string `json:"errorMessage"`
	} `json:"failedResources"`
}

func (r *ViewLinkResult) missing() string {
	if r.Succeeded == nil {
		return "count of what was linked"
	}
	return ""
}

// Link adds flags or segments to a view. environment is the segments', "" for flags.
func (s *ViewsService) Link(ctx context.Context, project, environment, view string, l ViewLink) (*ViewLinkResult, error) {
	return s.link(ctx, http.MethodPost, project, environment, view, l)
}

// Unlink takes flags or segments out of a view.
func (s *ViewsService) Unlink(ctx context.Context, project, environment, view string, l ViewLink) (*ViewLinkResult, error) {
	return s.link(ctx, http.MethodDelete, project, environment, view, l)
}

func (s *ViewsService) link(ctx context.Context, method, project, environment, view string, l ViewLink) (*ViewLinkResult, error) {
	at, kind := viewAt(project, view), ViewFlags
	if len(l.Segments) > 0 {
		at.Environment, kind = environment, ViewSegments
	}
	return do[ViewLinkResult](ctx, s.c, call{method: method, at: at, path: path("projects", project, "views", view, "link", kind), body: l,
		contentType: jsonType, beta: true, writes: true})
}

// LinkedResource is a flag or segment that is linked to a view.
type LinkedResource struct {
	Key           string `json:"resourceKey"`
	EnvironmentID string `json:"environmentId"` // of a segment
	Environment   string `json:"environmentKey"`
	Type          string `json:"resourceType"`
	LinkedAt      Millis `json:"linkedAt"`
}

// Linked returns one page of the flags or segments that are linked to a view.
func (s *ViewsService) Linked(ctx context.Context, project, view, kind, query string, p Paging) (*Page[LinkedResource], error) {
	q := p.query()
	if query != "" {
		q.Set("query", query)
	}
	return do[Page[LinkedResource]](ctx, s.c, call{method: http.MethodGet, at: viewAt(project, view),
		path: path("projects", project, "views", view, "linked", kind), query: q, beta: true})
}

// OfFlag returns one page of the views that a flag is linked to.
func (s *ViewsService) OfFlag(ctx context.Context, project, flag string, p Paging) (*Page[View], error) {
	return do[Page[View]](ctx, s.c, call{method: http.MethodGet, at: flagAt(project, "", flag),
		path: path("projects", project, "view-associations", ViewFlags, flag), query: p.query(), beta: true})
}

// OfSegment returns one page of the views that a segment is linked to.
func (s *ViewsService) OfSegment(ctx context.Context, at Target, environmentID string, p Paging) (*Page[View], error) {
	q := p.query()
	q.Set("environmentId", environmentID)
	return do[Page[View]](ctx, s.c, call{method: http.MethodGet, at: at,
		path: path("projects", at.Project, "view-associations", ViewSegments, at.Key), query: q, beta: true})
}

func viewAt(project, key string) Target {
	return Target{Project: project, Kind: "view", Key: key}
}

func viewPath(project, key string) apiPath {
	return path("projects", project, "views", key)
}
