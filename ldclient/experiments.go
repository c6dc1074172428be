package ldclient

import (
	"context"
	"net/http"
	"net/url"
)

// ExperimentsService reads and changes experiments, holdouts and layers.
type ExperimentsService service

// Experiment is an experiment in one environment with its iterations.
type Experiment struct {
	ID           string      `json:"_id"`
	Key          string      `json:"key"`
	Name         string      `json:"name"`
	Description  string      `json:"description"`
	MaintainerID string      `json:"_maintainerId"`
	Created      Millis      `json:"_creationDate"`
	Archived     Millis      `json:"archivedDate"`
	Environment  string      `json:"environmentKey"`
	Methodology  string      `json:"methodology"` // bayesian, frequentist or export_only
	DataSource   string      `json:"dataSource"`
	Type         string      `json:"type"` // experiment, mab or holdout
	Tags         []string    `json:"tags"`
	HoldoutID    string      `json:"holdoutId"`
	Current      *Iteration  `json:"currentIteration"`
	Draft        *Iteration  `json:"draftIteration"`     // only when it is asked for
	Previous     []Iteration `json:"previousIterations"` // only when they are asked for
}

func (e *Experiment) missing() string {
	if e.Key == "" {
		return "experiment"
	}
	return ""
}

// The states of an iteration.
const (
	IterationDraft   = "not_started"
	IterationRunning = "running"
	IterationStopped = "stopped"
)

// NotStarted returns the iteration that waits to be started, nil where there is none.
func (e *Experiment) NotStarted() *Iteration {
	if e.Draft != nil {
		return e.Draft
	}
	if e.Current != nil && e.Current.Status == IterationDraft {
		return e.Current
	}
	return nil
}

// Running returns the iteration that runs, nil where none does.
func (e *Experiment) Running() *Iteration {
	if e.Current != nil && e.Current.Status == IterationRunning {
		return e.Current
	}
	return nil
}

// Iteration is one run of an experiment, or the draft of one.
type Iteration struct {
	ID                string                   `json:"_id"`
	Status            string                   `json:"status"`
	Hypothesis        string                   `json:"hypothesis"`
	Created           Millis                   `json:"createdAt"`
	Started           Millis                   `json:"startedAt"`
	Ended             Millis                   `json:"endedAt"`
	WinnerID          string                   `json:"winningTreatmentId"`
	WinningReason     string                   `json:"winningReason"`
	CanReshuffle      bool                     `json:"canReshuffleTraffic"`
	ReallocationMS    int64                    `json:"reallocationFrequencyMillis"`
	RandomizationUnit string                   `json:"randomizationUnit"`
	Attributes        []string                 `json:"attributes"`
	Flags             map[string]IterationFlag `json:"flags"` // by key
	Treatments        []Treatment              `json:"treatments"`
	PrimarySingle     *IterationMetric         `json:"primarySingleMetric"`
	PrimaryFunnel     *IterationMetric         `json:"primaryFunnel"`
	Metrics           []IterationMetric        `json:"metrics"`
	Covariate         *Covariate               `json:"covariateInfo"`
}

// Covariate is a file by which results are adjusted.
type Covariate struct {
	ID string `json:"id"`
}

// IterationFlag is where on a flag an iteration runs.
type IterationFlag struct {
	Rule           string `json:"targetingRule"` // a rule's id, or fallthrough
	ConfigVersion  int    `json:"flagConfigVersion"`
	NotIncludedVar string `json:"notInExperimentVariationId"` // what those outside of it get
}

// Treatment is one of the things that an iteration compares.
type Treatment struct {
	ID         string      `json:"_id"`
	Name       string      `json:"name"`
	Percent    string      `json:"allocationPercent"`
	Baseline   bool        `json:"baseline"`
	Parameters []Parameter `json:"parameters"`
}

// Parameter is the variation of a flag that a treatment gives.
type Parameter struct {
	Flag        string `json:"flagKey"`
	VariationID string `json:"variationId"`
}

// IterationMetric is a metric or metric group as an iteration measures by it.
type IterationMetric struct {
	Key     string `json:"key"`
	Name    string `json:"name"`
	IsGroup bool   `json:"isGroup"`
}

// NewIteration is an iteration that is yet to be drafted.
type NewIteration struct {
	Hypothesis        string                      `json:"hypothesis"`
	CanReshuffle      *bool                       `json:"canReshuffleTraffic,omitempty"`
	Metrics           []NewIterationMetric        `json:"metrics"`
	PrimarySingle     string                      `json:"primarySingleMetricKey,omitempty"`
	PrimaryFunnel     string                      `json:"primaryFunnelKey,omitempty"`
	Treatments        []NewTreatment              `json:"treatments"`
	Flags             map[string]NewIterationFlag `json:"flags"`
	RandomizationUnit string                      `json:"randomizationUnit,omitempty"`
	ReallocationMS    int64                       `json:"reallocationFrequencyMillis,omitempty"`
	CovariateID       string                      `json:"covariateId,omitempty"`
	Attributes        []string                    `json:"attributes,omitempty"`
}

// NewIterationMetric names a metric or a metric group.
type NewIterationMetric struct {
	Key     string `json:"key"`
	IsGroup bool   `json:"isGroup,omitempty"`
}

// NewTreatment is a treatment that is yet to be drafted.
type NewTreatment struct {
	Name       string      `json:"name"`
	Baseline   bool        `json:"baseline"`
	Percent    string      `json:"allocationPercent"` // a decimal number
	Parameters []Parameter `json:"parameters"`
}

// NewIterationFlag says where on a flag an iteration shall run. ConfigVersion is the flag's version in the environment.
type NewIterationFlag struct {
	Rule           string `json:"ruleId"`
	ConfigVersion  int    `json:"flagConfigVersion"`
	NotIncludedVar string `json:"notInExperimentVariationId,omitempty"`
}

// AnalysisConfig is how results are analysed. Thresholds are percentages in text.
type AnalysisConfig struct {
	BayesianThreshold     string `json:"bayesianThreshold,omitempty"`
	SignificanceThreshold string `json:"significanceThreshold,omitempty"`
	TestDirection         string `json:"testDirection,omitempty"`
	CorrectionMethod      string `json:"multipleComparisonCorrectionMethod,omitempty"`
	CorrectionScope       string `json:"multipleComparisonCorrectionScope,omitempty"`
	SequentialTesting     *bool  `json:"sequentialTestingEnabled,omitempty"`
}

// NewExperiment is an experiment that is yet to be made, with the draft of its first iteration.
type NewExperiment struct {
	Key          string          `json:"key"`
	Name         string          `json:"name"`
	Description  string          `json:"description,omitempty"`
	MaintainerID string          `json:"maintainerId,omitempty"`
	Tags         []string        `json:"tags,omitempty"`
	Methodology  string          `json:"methodology,omitempty"`
	DataSource   string          `json:"dataSource,omitempty"`
	Type         string          `json:"type,omitempty"`
	HoldoutID    string          `json:"holdoutId,omitempty"`
	Analysis     *AnalysisConfig `json:"analysisConfig,omitempty"`
	Iteration    NewIteration    `json:"iteration"`
}

// ListExperiments are the filters of a list of experiments; all that are given must hold.
type ListExperiments struct {
	Paging
	Flag, Metric string // keys
	Status       string // of an iteration: not_started, running or stopped
	Lifecycle    string // active or archived; active if ""
}

// List returns one page of an environment's experiments, with their drafts.
func (s *ExperimentsService) List(ctx context.Context, project, environment string, o ListExperiments) (*Page[Experiment], error) {
	q := o.Paging.query()
	if err := setFilter(q, [][2]string{{"flagKey", o.Flag}, {"metricKey", o.Metric}, {"status", o.Status}}); err != nil {
		return nil, err
	}
	if o.Lifecycle != "" {
		q.Set("lifecycleState", o.Lifecycle)
	}
	q.Set("expand", "draftIteration,treatments")
	return do[Page[Experiment]](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project, Environment: environment},
		path: path("projects", project, "environments", environment, "experiments"), query: q, beta: true})
}

// Get returns one experiment with all its iterations.
func (s *ExperimentsService) Get(ctx context.Context, project, environment, key string) (*Experiment, error) {
	q := url.Values{"expand": {"draftIteration,previousIterations,treatments,secondaryMetrics"}}
	return do[Experiment](ctx, s.c, call{method: http.MethodGet, at: experimentAt(project, environment, key), path: experimentPath(project, environment, key), query: q, beta: true})
}

// RandomizationUnit is a context kind by which experiments of a project may divide.
type RandomizationUnit struct {
	Unit    string `json:"randomizationUnit"`
	Default bool   `json:"default"`
}

// Units returns the context kinds by which experiments of a project may divide.
func (s *ExperimentsService) Units(ctx context.Context, project string) ([]RandomizationUnit, error) {
	type settings struct {
		Units []RandomizationUnit `json:"randomizationUnits"`
	}
	got, err := do[settings](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project}, path: path("projects", project, "experimentation-settings"), beta: true})
	if err != nil {
		return nil, err
	}
	return got.Units, nil
}

// Create makes an experiment with a draft iteration.
func (s *ExperimentsService) Create(ctx context.Context, project, environment string, n NewExperiment) (*Experiment, error) {
	return do[Experiment](ctx, s.c, call{method: http.MethodPost, at: experimentAt(project, environment, n.Key),
		path: path("projects", project, "environments", environment, "experiments"), body: n, contentType: jsonType, beta: true, writes: true})
}

// Draft gives an experiment a new draft iteration. LaunchDarkly calls this deprecated and has nothing in its place.
func (s *ExperimentsService) Draft(ctx context.Context, project, environment, key string, n NewIteration) (*Iteration, error) {
	return do[Iteration](ctx, s.c, call{method: http.MethodPost, at: experimentAt(project, environment, key),
		path: path("projects", project, "environments", environment, "experiments", key, "iterations"), body: n, contentType: jsonType, beta: true, writes: true})
}

// Patch applies a semantic patch and returns the experiment after it, without what has to be asked for.
func (s *ExperimentsService) Patch(ctx context.Context, project, environment, key, comment string, instructions ...Instruction) (*Experiment, error) {
	return do[Experiment](ctx, s.c, call{method: http.MethodPatch, at: experimentAt(project, environment, key), path: experimentPath(project, environment, key),
		body: Patch{Comment: comment, Instructions: instructions}.body(""), contentType: semanticPatch, beta: true, writes: true})
}

func (i *Iteration) missing() string {
	if i.Status == "" {
		return "iteration"
	}
	return ""
}

// UpdateExperimentName renames an experiment.
func UpdateExperimentName(name string) Instruction {
	return Instruction{"kind": "updateName", "value": name}
}

// UpdateExperimentDescription sets an experiment's description.
func UpdateExperimentDescription(text string) Instruction {
	return Instruction{"kind": "updateDescription", "value": text}
}

// ArchiveExperiment hides an experiment; no iteration of it can start.
func ArchiveExperiment() Instruction { return Instruction{"kind": "archiveExperiment"} }

// RestoreExperiment takes an archived experiment back.
func RestoreExperiment() Instruction { return Instruction{"kind": "restoreExperiment"} }

// StartIteration starts the draft iteration, which ends the one that runs; then it needs a justification.
func StartIteration(justification string) Instruction {
	i := Instruction{"kind": "startIteration"}
	if justification != "" {
		i["changeJustification"] = justification
	}
	return i
}

// StopIteration ends the running iteration with a winner.
func StopIteration(treatmentID, reason string) Instruction {
	i := Instruction{"kind": "stopIteration", "winningTreatmentId": treatmentID}
	if reason != "" {
		i["winningReason"] = reason
	}
	return i
}

func experimentAt(project, environment, key string) Target {
	return Target{Project: project, Environment: environment, Kind: "experiment", Key: key}
}

func experimentPath(project, environment, key string) apiPath {
	return path("projects", project, "environments", environment, "experiments", key)
}
