package tools

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// staleRow is one candidate for cleanup.
type staleRow struct {
	Key           string `json:"key"`
	Name          string `json:"name,omitempty" doc:"only where it says more than the key"`
	Category      string `json:"category"`
	StaleDays     int    `json:"staleDays" doc:"days since it was created, last requested or last changed, by category"`
	LastRequested string `json:"lastRequested,omitempty"`
	Serves        string `json:"serves,omitempty" doc:"default rule when on, off variation when off"`
	Permanent     bool   `json:"permanent,omitempty"`
	Deprecated    bool   `json:"deprecated,omitempty"`
	Maintainer    string `json:"maintainer,omitempty"`
}

// The categories of stale flags.
const (
	neverAsked  = "never_requested"
	idle30d     = "inactive_30d"
	launchedOut = "launched_no_changes"
)

type staleFlags struct {
	Counts staleCounts `json:"counts" doc:"of all stale flags, not of this page"`
	page[staleRow]
}

type staleCounts struct {
	Checked        int `json:"flagsChecked"`
	NeverRequested int `json:"never_requested"`
	Inactive       int `json:"inactive_30d" doc:"not requested for inactiveDays"`
	Launched       int `json:"launched_no_changes" doc:"one variation for everyone, unchanged for inactiveDays"`
}

func (s staleFlags) shorten(items int) (any, int) {
	cut, had := s.page.shorten(items)
	s.page = cut.(page[staleRow])
	return s, had
}

var findStaleFlags = read(Spec{
	Name: "find-stale-flags", Title: "Find stale flags",
	Doc: "List flags to clean up, the stalest first: never_requested, inactive_30d and launched_no_changes (one variation for everyone). " +
		"Judge one with check-removal-readiness before removing it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	InactiveDays int    `json:"inactiveDays,omitempty" jsonschema:"minimum=1,maximum=3650" default:"30" doc:"Default 30"`
	IncludeOnly  string `json:"includeOnly,omitempty" jsonschema:"enum=temporary,enum=all" default:"temporary" doc:"Default temporary"`
	paged
}) (staleFlags, error) {
	status, err := ld.Flags.Statuses(ctx, in.Project, in.Environment)
	if err != nil {
		return staleFlags{}, err
	}
	o := ldclient.ListFlags{Environment: in.Environment, Sort: "key"}
	if in.IncludeOnly == "temporary" {
		o.Type = "temporary"
	}
	all, err := everyPage(ctx, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Flag], error) {
		o := o
		o.Paging = p
		return ld.Flags.List(ctx, in.Project, o)
	})
	if err != nil {
		return staleFlags{}, err
	}
	out := staleFlags{Counts: staleCounts{Checked: len(all)}}
	now, limit := present(ld), time.Duration(in.InactiveDays)*oneDay
	type candidate struct {
		*ldclient.Flag
		category string
		since    time.Time
	}
	var found []candidate
	for i := range all {
		f := &all[i]
		s, known := status[f.Key]
		category, since := staleness(f, f.Environments[in.Environment], s)
		if !known || category == "" || now.Sub(since) < limit {
			continue
		}
		found = append(found, candidate{f, category, since})
		switch category {
		case neverAsked:
			out.Counts.NeverRequested++
		case idle30d:
			out.Counts.Inactive++
		case launchedOut:
			out.Counts.Launched++
		}
	}
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.Key, b.Key)) })
	out.page = pageWithin(found, in.paged, func(f candidate) staleRow {
		return staleRow{
			Key: f.Key, Name: nameBeside(f.Key, f.Name), Category: f.category, StaleDays: wholeDays(f.since, now),
			LastRequested: status[f.Key].LastRequested.String(), Serves: servesByDefault(f.Flag, f.Environments[in.Environment]),
			Permanent: !f.Temporary, Deprecated: f.Deprecated, Maintainer: maintainer(f.Flag),
		}
	})
	return out, nil
})

// staleness says in which way a flag could be stale, and since when.
func staleness(f *ldclient.Flag, c ldclient.FlagConfig, s ldclient.FlagStatus) (category string, since time.Time) {
	switch {
	case neverRequested(s):
		return neverAsked, f.CreationDate.Time()
	case s.Name == "launched":
		return launchedOut, cmp.Or(c.LastModified, f.CreationDate).Time()
	case !s.LastRequested.IsZero():
		return idle30d, s.LastRequested.Time
	}
	return "", time.Time{}
}

// everyPage reads a whole list: the first page tells how long it is, the others are read side by side.
func everyPage[T any](ctx context.Context, fetch func(context.Context, ldclient.Paging) (*ldclient.Page[T], error)) ([]T, error) {
	first, err := fetch(ctx, ldclient.Paging{Limit: upstreamPage})
	if err != nil {
		return nil, err
	}
	if !first.More(0) {
		return first.Items, nil
	}
	step := len(first.Items)
	pages := make([][]T, (first.Total+step-1)/step)
	if len(pages) < 2 {
		return nil, errors.New("LaunchDarkly did not say how long the list is")
	}
	pages[0] = first.Items
	g := gather(ctx)
	for i := 1; i < len(pages); i++ {
		g.need(func(ctx context.Context) error {
			got, err := fetch(ctx, ldclient.Paging{Limit: step, Offset: i * step})
			if err == nil {
				pages[i] = got.Items
			}
			return err
		})
	}
	if _, err := g.wait(); err != nil {
		return nil, err
	}
	return slices.Concat(pages...), nil
}
