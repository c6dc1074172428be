package ldclient

import (
	"context"
	"net/http"
	"net/url"
)

// Holdout is a part of the contexts that is kept out of experiments.
type Holdout struct {
	ID          string              `json:"_id"`
	Key         string              `json:"key"`  // only in a list
	Name        string              `json:"name"` // only in a list
	Status      string              `json:"status"`
	Description string              `json:"description"`
	Amount      string              `json:"holdoutAmount"` // percent
	Created     Millis              `json:"createdAt"`
	Updated     Millis              `json:"updatedAt"`
	Base        *Experiment         `json:"baseExperiment"` // measures the holdout itself, and has its key and name
	Experiments []HoldoutExperiment `json:"experiments"`
	Related     []HoldoutExperiment `json:"relatedExperiments"` // where one holdout is read
}

func (h *Holdout) missing() string {
	if h.ID == "" {
		return "holdout"
	}
	return ""
}

// HoldoutExperiment is an experiment that a holdout keeps contexts out of.
type HoldoutExperiment struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	Environment string `json:"environment"`
}

// Holdouts returns one page of an environment's holdouts.
func (s *ExperimentsService) Holdouts(ctx context.Context, project, environment string, p Paging) (*Page[Holdout], error) {
	return do[Page[Holdout]](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project, Environment: environment},
		path: path("projects", project, "environments", environment, "holdouts"), query: p.query(), beta: true})
}

// Holdout returns one holdout with the experiments that it concerns.
func (s *ExperimentsService) Holdout(ctx context.Context, project, environment, key string) (*Holdout, error) {
	return do[Holdout](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project, Environment: environment, Kind: "holdout", Key: key},
		path: path("projects", project, "environments", environment, "holdouts", key), query: url.Values{"expand": {"treatments,secondaryMetrics"}}, beta: true})
}

// Layer lets experiments that reserve parts of it run on contexts of their own.
type Layer struct {
	Key               string `json:"key"`
	Name              string `json:"name"`
	Description       string `json:"description"`
	Created           Millis `json:"createdAt"`
	RandomizationUnit string `json:"randomizationUnit"`
	Environments      map[string]struct {
		Reservations []Reservation `json:"reservations"`
	} `json:"environments"` // where LaunchDarkly shows them
}

// Reservation is the part of a layer that an experiment has for itself.
type Reservation struct {
	Experiment string `json:"experimentKey"`
	Flag       string `json:"flagKey"`
	Percent    int    `json:"reservationPercent"`
}

// Layers returns a project's layers, all or those in which an experiment has a reservation.
func (s *ExperimentsService) Layers(ctx context.Context, project, experiment string) (*Page[Layer], error) {
	q := url.Values{}
	if experiment != "" {
		if err := CheckKey(experiment); err != nil {
			return nil, &InvalidError{Message: err.Error()}
		}
		q.Set("filter", "reservations.experimentKey contains "+experiment)
	}
	return get[Page[Layer]](ctx, s.c, Target{Project: project}, path("projects", project, "layers"), q)
}
