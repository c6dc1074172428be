package tools

import (
	"context"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var segments = Toolset{
	Name: "segments", Doc: "Find, read, make and change segments, and see who is in them.",
	Default: []string{"list-segments", "get-segment"},
	Tools: []Tool{listSegments, getSegment, getSegmentMembership, createSegment, updateSegmentSettings, updateSegmentRules,
		updateSegmentTargets, manageSegmentExpiringTargets, deleteSegment},
}

type segmentRow struct {
	Key      string   `json:"key"`
	Name     string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Rules    int      `json:"rules,omitempty"`
	Included int      `json:"included,omitempty" doc:"contexts included by key"`
	Excluded int      `json:"excluded,omitempty" doc:"contexts excluded by key"`
	Big      bool     `json:"big,omitempty" doc:"a big segment, whose members cannot be listed"`
	Tags     []string `json:"tags,omitempty"`
}

func segmentRowOf(s ldclient.Segment) segmentRow {
	in, out := members(&s)
	return segmentRow{s.Key, nameBeside(s.Key, s.Name), len(s.Rules), in, out, s.Unbounded, s.Tags}
}

// members counts the contexts that a segment includes and excludes by key.
func members(s *ldclient.Segment) (included, excluded int) {
	if s.UnboundedMetadata != nil {
		return s.UnboundedMetadata.IncludedCount, s.UnboundedMetadata.ExcludedCount
	}
	included, excluded = len(s.Included), len(s.Excluded)
	for _, t := range s.IncludedContexts {
		included += len(t.Values)
	}
	for _, t := range s.ExcludedContexts {
		excluded += len(t.Values)
	}
	return included, excluded
}

var listSegments = read(Spec{
	Name: "list-segments", Title: "List segments",
	Doc: "List or search the segments of one environment.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	Query string   `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key, name or description"`
	Tags  []string `json:"tags,omitempty" alias:"tag" doc:"Any of these"`
	paged
}) (page[segmentRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Segment], error) {
		return ld.Segments.List(ctx, in.Project, in.Environment, ldclient.ListSegments{Paging: p, Query: in.Query, Tags: in.Tags})
	})
	if err != nil {
		return page[segmentRow]{}, err
	}
	return pageOf(got, in.Offset, segmentRowOf), nil
})

type segmentDetail struct {
	Key           string            `json:"key"`
	Name          string            `json:"name,omitempty"`
	Description   string            `json:"description,omitempty"`
	Environment   string            `json:"environment"`
	Version       int               `json:"version"`
	LastModified  string            `json:"lastModified,omitempty"`
	Big           bool              `json:"big,omitempty" doc:"a big segment, whose members cannot be listed"`
	BigKind       string            `json:"bigContextKind,omitempty"`
	IncludedCount int               `json:"includedCount"`
	ExcludedCount int               `json:"excludedCount"`
	Included      []segmentTargets  `json:"included,omitempty" doc:"ten of each context kind"`
	Excluded      []segmentTargets  `json:"excluded,omitempty" doc:"ten of each context kind"`
	Expiring      []segmentExpiry   `json:"expiringTargets,omitempty" doc:"who leaves a list by themselves, the next ten"`
	RulesCount    int               `json:"rulesCount"`
	Rules         []segmentRuleView `json:"rules,omitempty" doc:"the first ten"`
	FlagsCount    int               `json:"flagsCount" doc:"flags that target it"`
	Flags         []string          `json:"flags,omitempty" doc:"their keys, the first ten"`
	Tags          []string          `json:"tags,omitempty"`
	URL           string            `json:"url,omitempty"`
	Missing       []string          `json:"missing,omitempty" doc:"what could not be read"`
}

type segmentTargets struct {
	ContextKind string   `json:"contextKind"`
	Count       int      `json:"count"`
	Values      []string `json:"values"`
}

type segmentRuleView struct {
	ID          string       `json:"_id"`
	Description string       `json:"description,omitempty"`
	Clauses     []clauseView `json:"clauses"`
	Percent     string       `json:"percent,omitempty" doc:"share of the matching contexts, all if not given"`
	ContextKind string       `json:"contextKind,omitempty" doc:"divided by percent; user if not given"`
	BucketBy    string       `json:"bucketBy,omitempty"`
}

func segmentRuleOf(r ldclient.SegmentRule, skip int) segmentRuleView {
	v := segmentRuleView{ID: r.ID, Description: r.Description, Clauses: clauseViews(r.Clauses, skip), BucketBy: r.BucketBy}
	if r.Weight != nil && *r.Weight < whole {
		v.Percent = percent(*r.Weight)
		if r.RolloutContextKind != "user" {
			v.ContextKind = r.RolloutContextKind
		}
	}
	return v
}

var getSegment = read(Spec{
	Name: "get-segment", Title: "Get a segment",
	Doc: "Read one segment of an environment: rules with ids, included and excluded contexts, the flags that target it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inSegment
	longLists
}) (segmentDetail, error) {
	s, err := ld.Segments.Get(ctx, in.Project, in.Environment, in.Segment)
	if err != nil {
		return segmentDetail{}, err
	}
	d := segmentDetail{
		Key: s.Key, Name: nameBeside(s.Key, s.Name), Description: s.Description, Environment: in.Environment, Version: s.Version,
		LastModified: s.LastModifiedDate.String(), Big: s.Unbounded, BigKind: s.UnboundedContextKind,
		Included: targetsOf(s.Included, s.IncludedContexts, in.ValuesOffset), Excluded: targetsOf(s.Excluded, s.ExcludedContexts, in.ValuesOffset),
		RulesCount: len(s.Rules), FlagsCount: len(s.Flags), Tags: s.Tags, URL: pageURL(ld, in.target()),
	}
	d.IncludedCount, d.ExcludedCount = members(s)
	if s.Unbounded || d.IncludedCount+d.ExcludedCount > 0 {
		g := gather(ctx)
		g.want("when targets expire", func(ctx context.Context) error {
			list, err := ld.Segments.ExpiringTargets(ctx, in.Project, in.Environment, in.Segment)
			d.Expiring = ten(segmentExpiriesOf(list).Targets, 0)
			return err
		})
		d.Missing, _ = g.wait()
	}
	rules := s.Rules[min(in.RulesOffset, len(s.Rules)):]
	for _, r := range rules[:min(firstOf, len(rules))] {
		d.Rules = append(d.Rules, segmentRuleOf(r, in.ValuesOffset))
	}
	for _, f := range s.Flags[:min(firstOf, len(s.Flags))] {
		d.Flags = append(d.Flags, f.Key)
	}
	return d, nil
})

// targetsOf merges the two lists that LaunchDarkly keeps of a segment's members.
func targetsOf(users []string, others []ldclient.SegmentTarget, skip int) []segmentTargets {
	var out []segmentTargets
	for _, t := range append([]ldclient.SegmentTarget{{Values: users, ContextKind: "user"}}, others...) {
		if len(t.Values) > 0 {
			out = append(out, segmentTargets{t.ContextKind, len(t.Values), ten(t.Values, skip)})
		}
	}
	return out
}
