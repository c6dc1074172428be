package ldclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// ReleasesService reads rollouts and reads and changes release policies and pipelines.
type ReleasesService service

// internalRoot is where LaunchDarkly serves what its own pages read. It takes
// ordinary tokens but is no public contract, so nothing may depend on it.
const internalRoot = "/internal"

// AutomatedRelease is a guarded or progressive rollout on one rule of a flag.
type AutomatedRelease struct {
	ID                  string            `json:"id"`
	Kind                string            `json:"kind"` // guarded or progressive
	Status              string            `json:"status"`
	OriginalVariationID string            `json:"originalVariationId"`
	TargetVariationID   string            `json:"targetVariationId"`
	RandomizationUnit   string            `json:"randomizationUnit"`
	Rule                string            `json:"ruleIdOrFallthrough"` // a rule's id, or fallthrough
	Created             Millis            `json:"createdAt"`
	Started             Millis            `json:"startedAtMillis"`
	Ended               Millis            `json:"endedAtMillis"`
	LatestStage         int               `json:"latestStageIndex"`
	Stages              []AutomatedStage  `json:"stages"`
	Events              []AutomatedEvent  `json:"events"`
	Metrics             []AutomatedMetric `json:"metricConfigurations"`
}

// AutomatedStage is one stage of a rollout as it runs.
type AutomatedStage struct {
	ReleaseStage
	Started Millis `json:"startedAtMillis"`
}

// AutomatedEvent is something that happened to a rollout.
type AutomatedEvent struct {
	Kind      string `json:"kind"`
	Stage     int    `json:"stageIndex"`
	MetricKey string `json:"metricKey"`
	Created   Millis `json:"createdAt"`
}

// AutomatedMetric is a metric that guards a rollout.
type AutomatedMetric struct {
	Key          string `json:"metricKey"`
	AutoRollback bool   `json:"autoRollback"`
	Status       string `json:"status"` // ok, regressed or regression_dismissed
}

// Running reports whether the rollout is not over. A status that is not known counts as running.
func (r AutomatedRelease) Running() bool {
	switch r.Status {
	case "completed", "manually_completed", "reverted", "manually_reverted", "archived":
		return false
	}
	return true
}

// OnDefaultRule reports whether the rollout is on the default rule.
func (r AutomatedRelease) OnDefaultRule() bool { return r.Rule == "" || r.Rule == "fallthrough" }

// maxAutomated is the most rollouts that can be asked for at once; there is no offset.
const maxAutomated = 100

// Automated returns the rollouts of a flag in one environment. It reads a path
// that LaunchDarkly does not promise to keep: expect it to fail.
func (s *ReleasesService) Automated(ctx context.Context, project, environment, flag string) ([]AutomatedRelease, error) {
	q := url.Values{"filter": {"environmentKey:" + environment}, "limit": {strconv.Itoa(maxAutomated)}}
	got, err := do[Page[AutomatedRelease]](ctx, s.c, call{method: http.MethodGet, at: flagAt(project, environment, flag), root: internalRoot,
		path: path("projects", project, "flags", flag, "automated-releases"), query: q, beta: true})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}
