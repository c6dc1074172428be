package ldclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
	Salt                 string            `json:"salt"`   // "" where LaunchDarkly does not show it
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
	return get[Segment](ctx, s.c, segmentAt(project, environment, key), path("segments", project, environment, key), nil)
}

// NewSegment is a segment that is yet to be made. It has neither rules nor targets: patches add those.
type NewSegment struct {
	Key                  string   `json:"key"`
	Name                 string   `json:"name"`
	Description          string   `json:"description,omitempty"`
	Tags                 []string `json:"tags,omitempty"`
	Unbounded            bool     `json:"unbounded,omitempty"`
	UnboundedContextKind string   `json:"unboundedContextKind,omitempty"`
}

// Create makes a segment in one environment.
func (s *SegmentsService) Create(ctx context.Context, project, environment string, n NewSegment) (*Segment, error) {
	return do[Segment](ctx, s.c, call{method: http.MethodPost, at: segmentAt(project, environment, n.Key), path: path("segments", project, environment),
		body: n, contentType: jsonType, writes: true})
}

// Patch applies a semantic patch and returns the segment after it.
func (s *SegmentsService) Patch(ctx context.Context, project, environment, key string, p Patch) (*Segment, error) {
	return patch[Segment](ctx, s.c, segmentAt(project, environment, key), path("segments", project, environment, key), p)
}

// SegmentSettings are a segment's settings as they shall be; nil leaves one as it is.
type SegmentSettings struct {
	Name, Description *string
	Tags              *[]string
}

// SetSettings sets settings of a segment of this version and returns the segment
// after it. Semantic patches do not know the description, so this is a JSON
// Patch; it fails with a lock error when the segment has another version by then.
func (s *SegmentsService) SetSettings(ctx context.Context, project, environment, key string, version int, set SegmentSettings, comment string, dryRun bool) (*Segment, error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"` // nil for remove; an empty text is sent
	}
	steps := []operation{{"test", "/version", version}}
	if set.Name != nil {
		steps = append(steps, operation{"replace", "/name", *set.Name})
	}
	if set.Description != nil {
		steps = append(steps, operation{"add", "/description", *set.Description})
	}
	if set.Tags != nil && len(*set.Tags) == 0 {
		steps = append(steps, operation{Op: "remove", Path: "/tags"}) // LaunchDarkly takes no empty list here
	} else if set.Tags != nil {
		steps = append(steps, operation{"add", "/tags", *set.Tags})
	}
	body := struct {
		Comment string      `json:"comment,omitempty"`
		Patch   []operation `json:"patch"`
	}{comment, steps}
	return do[Segment](ctx, s.c, call{method: http.MethodPatch, at: segmentAt(project, environment, key), path: path("segments", project, environment, key),
		query: Patch{DryRun: dryRun}.query(), body: body, contentType: jsonType, writes: !dryRun})
}

// Delete removes a segment for good.
func (s *SegmentsService) Delete(ctx context.Context, project, environment, key string) error {
	return erase(ctx, s.c, segmentAt(project, environment, key), path("segments", project, environment, key))
}

// SegmentMembership says whether a context is in a segment, and by what.
type SegmentMembership struct {
	Key        string `json:"key"`
	Name       string `json:"name"`
	Unbounded  bool   `json:"unbounded"`
	IsMember   bool   `json:"isMember"`
	IsTargeted bool   `json:"isIndividuallyTargeted"`
}

// Evaluate returns the membership of a context in every segment of an
// environment. instance is the context as an SDK would send it; attributes that
// it leaves out count as absent.
func (s *SegmentsService) Evaluate(ctx context.Context, project, environment string, instance map[string]any) ([]SegmentMembership, error) {
	got, err := search[Page[SegmentMembership]](ctx, s.c, Target{Project: project, Environment: environment},
		path("projects", project, "environments", environment, "segments", "evaluate"), nil, instance)
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// BigSegmentMember says on which of a big segment's lists a context key stands.
type BigSegmentMember struct {
	Included bool `json:"included"`
	Excluded bool `json:"excluded"`
}

// BigMember returns on which lists of a big segment a context key stands. LaunchDarkly may answer 404 for a key on neither.
func (s *SegmentsService) BigMember(ctx context.Context, project, environment, key, contextKey string) (*BigSegmentMember, error) {
	return get[BigSegmentMember](ctx, s.c, segmentAt(project, environment, key), path("segments", project, environment, key, "contexts", free(contextKey)), nil)
}

// ExpiringTargets returns a segment's targets that expire.
func (s *SegmentsService) ExpiringTargets(ctx context.Context, project, environment, key string) ([]ExpiringTarget, error) {
	return getExpiring(ctx, s.c, segmentAt(project, environment, key), path("segments", project, key, "expiring-targets", environment))
}

// PatchExpiringTargets changes which of a segment's targets expire, and returns those that do afterwards.
func (s *SegmentsService) PatchExpiringTargets(ctx context.Context, project, environment, key, comment string, instructions ...Instruction) ([]ExpiringTarget, error) {
	return patchExpiring(ctx, s.c, segmentAt(project, environment, key), path("segments", project, key, "expiring-targets", environment), comment, instructions)
}

func segmentAt(project, environment, key string) Target {
	return Target{Project: project, Environment: environment, Kind: "segment", Key: key}
}

// SegmentImport is an upload of keys into a big segment.
type SegmentImport struct {
	ID     string `json:"id"`
	Mode   string `json:"mode"`   // merge or replace
	Status string `json:"status"` // preparing, pending_approval, ready, in_progress, complete or stopped
}

func (i *SegmentImport) missing() string {
	if i.ID == "" {
		return "import"
	}
	return ""
}

// Import returns one import into the big segment at.
func (s *SegmentsService) Import(ctx context.Context, at Target, id string) (*SegmentImport, error) {
	return get[SegmentImport](ctx, s.c, at, path("segments", at.Project, at.Environment, at.Key, "imports", id), nil)
}
