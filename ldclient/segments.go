package ldclient

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// SegmentsService reads and changes segments.
type SegmentsService service

// Segment is a list of contexts that flags can target, by key or by rule.
type Segment struct {
	Key                  string            `json:"key"`
	Name                 string            `json:"name"`
	Description          string            `json:"description"`
	Tags                 []string          `json:"tags"`
	CreationDate         Millis            `json:"creationDate"`
	LastModifiedDate     Millis            `json:"lastModifiedDate"`
	Version              int               `json:"version"`
	Included             []string          `json:"included"` // kind user
	Excluded             []string          `json:"excluded"`
	IncludedContexts     []SegmentTarget   `json:"includedContexts"` // the other kinds
	ExcludedContexts     []SegmentTarget   `json:"excludedContexts"`
	Rules                []SegmentRule     `json:"rules"`
	Unbounded            bool              `json:"unbounded"` // a big segment, whose members the API never lists
	UnboundedContextKind string            `json:"unboundedContextKind"`
	UnboundedMetadata    *UnboundedSegment `json:"_unboundedMetadata"`
	Flags                []SegmentFlag     `json:"_flags"` // only when one segment is read
}

func (s *Segment) missing() string {
	if s.Key == "" {
		return "segment"
	}
	return ""
}

// UnboundedSegment counts the members of a big segment.
type UnboundedSegment struct {
	IncludedCount int `json:"includedCount"`
	ExcludedCount int `json:"excludedCount"`
}

// SegmentTarget is the contexts of one kind that a segment includes or excludes.
type SegmentTarget struct {
	Values      []string `json:"values"`
	ContextKind string   `json:"contextKind"`
}

// SegmentRule puts the contexts that match it into the segment.
type SegmentRule struct {
	ID                 string   `json:"_id"`
	Clauses            []Clause `json:"clauses"`
	Weight             *int     `json:"weight"` // thousandths of a percent; nil is all
	RolloutContextKind string   `json:"rolloutContextKind"`
	BucketBy           string   `json:"bucketBy"`
	Description        string   `json:"description"`
}

// SegmentFlag is a flag that targets a segment.
type SegmentFlag struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

// ListSegments are the filters of a list of segments.
type ListSegments struct {
	Paging
	Query string   // part of a key, name or description
	Tags  []string // any of them
}

// List returns one page of an environment's segments.
func (s *SegmentsService) List(ctx context.Context, project, environment string, o ListSegments) (*Page[Segment], error) {
	q := o.Paging.query()
	var filter []string
	if o.Query != "" {
		filter = append(filter, fmt.Sprintf("query equals %q", o.Query))
	}
	if len(o.Tags) > 0 {
		tags, err := json.Marshal(o.Tags)
		if err != nil {
			return nil, err
		}
		filter = append(filter, "tags anyOf "+string(tags))
	}
	if len(filter) > 0 {
		q.Set("filter", strings.Join(filter, ","))
	}
	return get[Page[Segment]](ctx, s.c, Target{Project: project, Environment: environment}, path("segments", project, environment), q)
}

// Get returns one segment with the flags that target it.
func (s *SegmentsService) Get(ctx context.Context, project, environment, key string) (*Segment, error) {
	return get[Segment](ctx, s.c, Target{Project: project, Environment: environment, Kind: "segment", Key: key}, path("segments", project, environment, key), nil)
}
