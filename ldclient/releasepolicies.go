package ldclient

import (
	"context"
	"net/http"
	"net/url"
)

// ReleasePolicy says how flags within its scope are released.
type ReleasePolicy struct {
	ID          string              `json:"_id"`
	Key         string              `json:"key"`
	Name        string              `json:"name"`
	Method      string              `json:"releaseMethod"` // guarded-release or progressive-release
	Rank        int                 `json:"rank"`          // the lowest one that applies wins
	Scope       *ReleaseScope       `json:"scope"`
	Guarded     *GuardedRelease     `json:"guardedReleaseConfig"`
	Progressive *ProgressiveRelease `json:"progressiveReleaseConfig"`
}

func (p *ReleasePolicy) missing() string {
	if p.Key == "" {
		return "release policy"
	}
	return ""
}

// ReleaseScope is what a policy applies to. An empty list means all.
type ReleaseScope struct {
	Environments []string `json:"environmentKeys,omitempty"`
	FlagTags     []string `json:"flagTagKeys,omitempty"` // any of them
}

// ProgressiveRelease is how a policy rolls out in stages.
type ProgressiveRelease struct {
	ContextKind string         `json:"rolloutContextKindKey,omitempty"`
	Stages      []ReleaseStage `json:"stages,omitempty"`
}

// GuardedRelease is how a policy rolls out in stages that metrics watch.
type GuardedRelease struct {
	ProgressiveRelease
	MinSampleSize int      `json:"minSampleSize,omitempty"`
	Rollback      bool     `json:"rollbackOnRegression"`
	Metrics       []string `json:"metricKeys,omitempty"`
	MetricGroups  []string `json:"metricGroupKeys,omitempty"`
}

// ReleasePolicyFields are what creating and updating a policy set, all at once.
type ReleasePolicyFields struct {
	Key         string              `json:"key,omitempty"` // only when it is created
	Name        string              `json:"name"`
	Method      string              `json:"releaseMethod"`
	Scope       *ReleaseScope       `json:"scope,omitempty"`
	Guarded     *GuardedRelease     `json:"guardedReleaseConfig,omitempty"`
	Progressive *ProgressiveRelease `json:"progressiveReleaseConfig,omitempty"`
}

// Policies returns all release policies of a project.
func (s *ReleasesService) Policies(ctx context.Context, project string, excludeDefault bool) ([]ReleasePolicy, error) {
	q := url.Values{}
	if excludeDefault {
		q.Set("excludeDefault", "true")
	}
	got, err := do[Page[ReleasePolicy]](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project},
		path: path("projects", project, "release-policies"), query: q, beta: true})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// Policy returns one release policy.
func (s *ReleasesService) Policy(ctx context.Context, project, key string) (*ReleasePolicy, error) {
	return do[ReleasePolicy](ctx, s.c, call{method: http.MethodGet, at: policyAt(project, key), path: policyPath(project, key), beta: true})
}

// CreatePolicy adds a release policy.
func (s *ReleasesService) CreatePolicy(ctx context.Context, project string, p ReleasePolicyFields) (*ReleasePolicy, error) {
	return do[ReleasePolicy](ctx, s.c, call{method: http.MethodPost, at: policyAt(project, p.Key), path: path("projects", project, "release-policies"),
		body: p, contentType: jsonType, beta: true, writes: true})
}

// UpdatePolicy replaces everything of a release policy but its key and its rank.
func (s *ReleasesService) UpdatePolicy(ctx context.Context, project, key string, p ReleasePolicyFields) (*ReleasePolicy, error) {
	p.Key = ""
	return do[ReleasePolicy](ctx, s.c, call{method: http.MethodPut, at: policyAt(project, key), path: policyPath(project, key),
		body: p, contentType: jsonType, beta: true, writes: true})
}

// DeletePolicy removes a release policy for good.
func (s *ReleasesService) DeletePolicy(ctx context.Context, project, key string) error {
	_, err := do[gone](ctx, s.c, call{method: http.MethodDelete, at: policyAt(project, key), path: policyPath(project, key), beta: true, writes: true})
	return err
}

// OrderPolicies sets the ranks of a project's release policies: keys are all of them, first wins.
func (s *ReleasesService) OrderPolicies(ctx context.Context, project string, keys []string) ([]ReleasePolicy, error) {
	got, err := do[[]ReleasePolicy](ctx, s.c, call{method: http.MethodPost, at: Target{Project: project}, path: path("projects", project, "release-policies", "order"),
		body: keys, contentType: jsonType, beta: true, writes: true})
	if err != nil {
		return nil, err
	}
	return *got, nil
}

func policyAt(project, key string) Target {
	return Target{Project: project, Kind: "release-policy", Key: key}
}

func policyPath(project, key string) apiPath {
	return path("projects", project, "release-policies", key)
}
