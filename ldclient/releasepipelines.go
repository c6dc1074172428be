package ldclient

import (
	"context"
	"net/http"
	"strings"
)

// ReleasePipeline is an order of phases through which flags are released.
type ReleasePipeline struct {
	Key            string          `json:"key"`
	Name           string          `json:"name"`
	Description    string          `json:"description"`
	Tags           []string        `json:"tags"`
	Created        string          `json:"createdAt"` // RFC 3339
	Version        int             `json:"_version"`
	ProjectDefault bool            `json:"isProjectDefault"`
	Legacy         bool            `json:"_isLegacy"`
	Phases         []PipelinePhase `json:"phases"`
}

func (p *ReleasePipeline) missing() string {
	if p.Key == "" {
		return "release pipeline"
	}
	return ""
}

// PipelinePhase is one step of a pipeline.
type PipelinePhase struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Audiences []ReleaseAudience `json:"audiences"`
}

// ReleaseAudience is an environment, or some segments in it, that a phase releases to.
type ReleaseAudience struct {
	ID          string `json:"_id"` // only in a flag's release
	Name        string `json:"name"`
	Status      string `json:"status"` // only in a flag's release
	Environment *struct {
		Key  string `json:"key"`
		Name string `json:"name"`
	} `json:"environment"` // nil once it is deleted
	Segments      []string `json:"segmentKeys"`
	Configuration struct {
		Strategy        string `json:"releaseStrategy"`
		RequireApproval bool   `json:"requireApproval"`
		Guardian        *struct {
			Window   int64 `json:"monitoringWindowMilliseconds"`
			Weight   int   `json:"rolloutWeight"` // percent
			Rollback bool  `json:"rollbackOnRegression"`
		} `json:"releaseGuardianConfiguration"`
	} `json:"configuration"`
}

// FlagRelease is a flag's way through a pipeline.
type FlagRelease struct {
	Name        string         `json:"name"`
	Pipeline    string         `json:"releasePipelineKey"`
	VariationID string         `json:"_releaseVariationId"` // what is released, "" where it is not known
	Version     int            `json:"_version"`
	Phases      []ReleasePhase `json:"phases"`
}

func (r *FlagRelease) missing() string {
	if r.Pipeline == "" && r.Phases == nil {
		return "release"
	}
	return ""
}

// ReleasePhase is one phase of a flag's release.
type ReleasePhase struct {
	ID        string            `json:"_id"`
	Name      string            `json:"_name"`
	Complete  bool              `json:"complete"`
	Status    string            `json:"status"` // NotStarted, ReadyToStart, Started, Paused or Complete
	Began     bool              `json:"started"`
	Started   Millis            `json:"_startedDate"`
	Completed Millis            `json:"_completionDate"`
	Audiences []ReleaseAudience `json:"_audiences"`
}

// Pipelines returns one page of a project's release pipelines.
func (s *ReleasesService) Pipelines(ctx context.Context, project, query string, p Paging) (*Page[ReleasePipeline], error) {
	q := p.query()
	if strings.ContainsAny(query, flagFilterReserved) {
		return nil, &InvalidError{Message: "a filter may not hold any of , + and :"}
	}
	if query != "" {
		q.Set("filter", "query:"+query)
	}
	return do[Page[ReleasePipeline]](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project}, path: path("projects", project, "release-pipelines"), query: q, beta: true})
}

// Pipeline returns one release pipeline.
func (s *ReleasesService) Pipeline(ctx context.Context, project, key string) (*ReleasePipeline, error) {
	return do[ReleasePipeline](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project, Kind: "release-pipeline", Key: key},
		path: path("projects", project, "release-pipelines", key), beta: true})
}

// OfFlag returns a flag's release; a flag without one is a 404.
func (s *ReleasesService) OfFlag(ctx context.Context, project, flag string) (*FlagRelease, error) {
	return do[FlagRelease](ctx, s.c, call{method: http.MethodGet, at: flagAt(project, "", flag), path: path("flags", project, flag, "release"), beta: true})
}

// StartPhase starts a phase of a flag's release, with the settings of its pipeline.
func (s *ReleasesService) StartPhase(ctx context.Context, project, flag, phaseID string) (*FlagRelease, error) {
	body := map[string]string{"status": "Started"}
	return do[FlagRelease](ctx, s.c, call{method: http.MethodPut, at: flagAt(project, "", flag), path: path("projects", project, "flags", flag, "release", "phases", phaseID),
		body: body, contentType: jsonType, beta: true, writes: true})
}
