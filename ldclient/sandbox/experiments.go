package sandbox

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// experimentState is what a project has of them.
type experimentState struct {
	Experiments []*experiment // in order of creation
	Holdouts    []*holdout
	Layers      []*layer
	Units       []randomizationUnit
}

func (a *Account) experimentRoutes() {
	const in = "/projects/{project}/environments/{environment}"
	a.route("GET /projects/{project}/experiments", a.listExperiments)
	a.route("GET "+in+"/experiments", a.listExperiments)
	a.route("POST "+in+"/experiments", a.createExperiment)
	a.route("GET "+in+"/experiments/{experiment}", a.getExperiment)
	a.route("PATCH "+in+"/experiments/{experiment}", a.patchExperiment)
	a.route("POST "+in+"/experiments/{experiment}/iterations", a.draftIteration)
	a.route("GET /projects/{project}/experimentation-settings", a.getUnits)
	a.route("PUT /projects/{project}/experimentation-settings", a.putUnits)
	a.route("GET "+in+"/holdouts", a.listHoldouts)
	a.route("POST "+in+"/holdouts", a.createHoldout)
	a.route("GET "+in+"/holdouts/{holdout}", a.getHoldout)
	a.route("GET "+in+"/holdouts/id/{holdoutId}", a.getHoldout)
	a.route("PATCH "+in+"/holdouts/{holdout}", a.patchHoldout)
	a.route("GET /projects/{project}/layers", a.listLayers)
	a.route("POST /projects/{project}/layers", a.createLayer)
	a.route("PATCH /projects/{project}/layers/{layer}", a.patchLayer)
}

// experiment is an experiment in one environment.
type experiment struct {
	ID           string          `json:"_id"`
	Key          string          `json:"key"`
	Name         string          `json:"name"`
	Description  string          `json:"description,omitempty"`
	MaintainerID string          `json:"_maintainerId"`
	Created      int64           `json:"_creationDate"`
	Environment  string          `json:"environmentKey"`
	Methodology  string          `json:"methodology"`
	DataSource   string          `json:"dataSource"`
	Type         string          `json:"type"`
	Archived     int64           `json:"archivedDate,omitempty"`
	Tags         []string        `json:"tags,omitempty"`
	HoldoutID    string          `json:"holdoutId,omitempty"`
	Analysis     *analysisConfig `json:"-"`
	Iterations   []*iteration    `json:"-"` // oldest first
}

type analysisConfig struct {
	BayesianThreshold     string `json:"bayesianThreshold,omitempty"`
	SignificanceThreshold string `json:"significanceThreshold,omitempty"`
	TestDirection         string `json:"testDirection,omitempty"`
	CorrectionMethod      string `json:"multipleComparisonCorrectionMethod,omitempty"`
	CorrectionScope       string `json:"multipleComparisonCorrectionScope,omitempty"`
	SequentialTesting     *bool  `json:"sequentialTestingEnabled,omitempty"`
}

// iteration is one run of an experiment, or the draft of one.
type iteration struct {
	ID            string `json:"_id"`
	Status        string `json:"status"`
	Created       int64  `json:"createdAt"`
	Started       int64  `json:"startedAt,omitempty"`
	Ended         int64  `json:"endedAt,omitempty"`
	WinnerID      string `json:"winningTreatmentId,omitempty"`
	WinningReason string `json:"winningReason,omitempty"`
	iterationFields
}

// iterationFields is what a caller says of an iteration.
type iterationFields struct {
	Hypothesis        string                   `json:"hypothesis"`
	CanReshuffle      bool                     `json:"canReshuffleTraffic"`
	Metrics           []iterationMetric        `json:"metrics"`
	PrimarySingle     string                   `json:"primarySingleMetricKey"`
	PrimaryFunnel     string                   `json:"primaryFunnelKey"`
	Treatments        []treatment              `json:"treatments"`
	Flags             map[string]iterationFlag `json:"flags"`
	RandomizationUnit string                   `json:"randomizationUnit"`
	ReallocationMS    int64                    `json:"reallocationFrequencyMillis"`
	CovariateID       string                   `json:"covariateId"`
	Attributes        []string                 `json:"attributes"`
}

type iterationMetric struct {
	Key     string `json:"key"`
	IsGroup bool   `json:"isGroup"`
}

type treatment struct {
	Name       string      `json:"name"`
	Baseline   bool        `json:"baseline"`
	Percent    string      `json:"allocationPercent"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Flag        string `json:"flagKey"`
	VariationID string `json:"variationId"`
}

type iterationFlag struct {
	Rule          string `json:"ruleId"`
	ConfigVersion int    `json:"flagConfigVersion"`
	OutsideID     string `json:"notInExperimentVariationId"`
}

const (
	iterationDraft   = "not_started"
	iterationRunning = "running"
	iterationStopped = "stopped"
)

// id is the treatment's: that of its variation.
func (t treatment) id() string {
	if len(t.Parameters) == 0 {
		return ""
	}
	return t.Parameters[0].VariationID
}

// thousandths is the treatment's part of the contexts; check has read it before.
func (t treatment) thousandths() int {
	x, _ := strconv.ParseFloat(t.Percent, 64)
	return int(math.Round(x * 1000))
}

func (x *experiment) of(status string) *iteration {
	i := slices.IndexFunc(x.Iterations, func(it *iteration) bool { return it.Status == status })
	if i < 0 {
		return nil
	}
	return x.Iterations[i]
}

// current is the iteration that runs, else the last one that ran, else the draft.
func (x *experiment) current() *iteration {
	for _, it := range slices.Backward(x.Iterations) {
		if it.Status != iterationDraft {
			return it
		}
	}
	return x.of(iterationDraft)
}

func (x *experiment) spec(p *project) string {
	return p.spec() + ":env/" + x.Environment + ":experiment/" + x.Key
}

func (p *project) experiment(environment, key string) *experiment {
	i := slices.IndexFunc(p.Experiments, func(x *experiment) bool { return x.Environment == environment && x.Key == key })
	if i < 0 {
		return nil
	}
	return p.Experiments[i]
}

// runningOn is an experiment that runs on a flag, in any environment.
func (p *project) runningOn(flag string) *experiment {
	i := slices.IndexFunc(p.Experiments, func(x *experiment) bool {
		it := x.of(iterationRunning)
		return it != nil && it.Flags[flag].Rule != ""
	})
	if i < 0 {
		return nil
	}
	return p.Experiments[i]
}

// tested tells whether an experiment is, or was, about a flag.
func (p *project) tested(flag string) bool {
	return slices.ContainsFunc(p.Experiments, func(x *experiment) bool {
		return slices.ContainsFunc(x.Iterations, func(it *iteration) bool { return it.Flags[flag].Rule != "" })
	})
}

// experimentsHold refuses a change of a flag that takes from a running experiment what it runs on.
func (p *project) experimentsHold(f, g *flag) *apiError {
	for _, x := range p.Experiments {
		it := x.of(iterationRunning)
		if it == nil || it.Flags[f.Key].Rule == "" {
			continue
		}
		was, is := f.in(x.Environment).served(it.Flags[f.Key].Rule), g.in(x.Environment).served(it.Flags[f.Key].Rule)
		switch {
		case g.Archived:
			return invalid("cannot archive flag '%s': experiment '%s' runs on it", f.Key, x.Key)
		case was != nil && (is == nil || string(jsonValue(was)) != string(jsonValue(is))):
			return invalid("the rule cannot be changed while experiment '%s' runs on it", x.Key)
		}
	}
	return nil
}

// served is what the rule with this id, or the default rule, serves; nil where there is no such rule.
func (c *flagConfig) served(rule string) *serve {
	if c == nil {
		return nil
	}
	if rule == fallthroughRule {
		return &c.Fallthrough
	}
	if i := ruleIndex(c.Rules, rule); i >= 0 {
		return &c.Rules[i].serve
	}
	return nil
}

// experiment finds the one named in the path; it answers and returns nil where there is none.
func (a *Account) experiment(w http.ResponseWriter, r *http.Request) (*project, *experiment) {
	p, e := a.experimenting(w, r)
	if e == nil {
		return p, nil
	}
	x := p.experiment(e.Key, r.PathValue("experiment"))
	if x == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown experiment key "+r.PathValue("experiment"))
	}
	return p, x
}

// experimenting finds the environment named in the path; it answers and returns nil where there is none.
func (a *Account) experimenting(w http.ResponseWriter, r *http.Request) (*project, *environment) {
	p := a.project(w, r)
	if p == nil {
		return nil, nil
	}
	return p, a.environment(w, p, r.PathValue("environment"))
}

func (a *Account) listExperiments(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	env := r.PathValue("environment")
	if env != "" && a.environment(w, p, env) == nil {
		return
	}
	shown, err := expanded(r)
	if err != nil {
		refuse(w, err)
		return
	}
	filter, bad := parseFields(r.URL.Query().Get("filter"))
	if bad != nil {
		badRequest(w, bad)
		return
	}
	state := r.URL.Query().Get("lifecycleState")
	if state == "" {
		state = "active"
	}
	if !slices.Contains([]string{"active", "archived", "active,archived", "archived,active"}, state) {
		refuse(w, invalid("lifecycleState must be active or archived, not '%s'", state))
		return
	}
	var found []*experiment
	for _, x := range p.Experiments {
		held, err := x.holds(filter)
		if err != nil {
			refuse(w, err)
			return
		}
		life := "active"
		if x.Archived != 0 {
			life = "archived"
		}
		if held && (env == "" || x.Environment == env) && slices.Contains(strings.Split(state, ","), life) {
			found = append(found, x)
		}
	}
	sendCounted(w, r, found, func(x *experiment) experimentRep { return p.experimentRep(x, shown) })
}

// sendCounted is sendPage for lists that count under another name.
func sendCounted[T, R any](w http.ResponseWriter, r *http.Request, found []T, rep func(T) R) {
	limit, offset, err := pageParams(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	reps := make([]R, len(found))
	for i, item := range found {
		reps[i] = rep(item)
	}
	body := page(r, reps, limit, offset)
	body["total_count"] = body["totalCount"]
	delete(body, "totalCount")
	send(w, http.StatusOK, body)
}

func (x *experiment) holds(filter []fieldFilter) (bool, *apiError) {
	some := func(ok func(*iteration) bool) bool { return slices.ContainsFunc(x.Iterations, ok) }
	for _, by := range filter {
		var is func(*iteration) bool
		switch by.field {
		case "flagKey":
			is = func(it *iteration) bool { return it.Flags[by.value].Rule != "" }
		case "metricKey":
			is = func(it *iteration) bool {
				return slices.ContainsFunc(it.Metrics, func(m iterationMetric) bool { return m.Key == by.value })
			}
		case "status":
			is = func(it *iteration) bool { return it.Status == by.value }
		default:
			return false, invalid("unknown filter field '%s'", by.field)
		}
		if !some(is) {
			return false, nil
		}
	}
	return true, nil
}

func (a *Account) getExperiment(w http.ResponseWriter, r *http.Request) {
	p, x := a.experiment(w, r)
	if x == nil {
		return
	}
	shown, err := expanded(r)
	if err != nil {
		refuse(w, err)
		return
	}
	send(w, http.StatusOK, p.experimentRep(x, shown))
}

func (a *Account) createExperiment(w http.ResponseWriter, r *http.Request) {
	p, e := a.experimenting(w, r)
	if e == nil {
		return
	}
	var in struct {
		Key          string          `json:"key"`
		Name         string          `json:"name"`
		Description  string          `json:"description"`
		MaintainerID string          `json:"maintainerId"`
		Tags         []string        `json:"tags"`
		Methodology  string          `json:"methodology"`
		DataSource   string          `json:"dataSource"`
		Type         string          `json:"type"`
		HoldoutID    string          `json:"holdoutId"`
		Analysis     *analysisConfig `json:"analysisConfig"`
		Iteration    iterationFields `json:"iteration"`
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	if err := checkKey(in.Key, 256); err != nil {
		badRequest(w, err)
		return
	}
	var err *apiError
	switch h := p.holdoutByID(in.HoldoutID); {
	case in.Name == "" || len(in.Name) > 256:
		err = invalid("name must have 1 to 256 characters")
	case a.maintainer(in.MaintainerID) == nil:
		err = invalid("maintainerId must be the id of a member")
	case in.HoldoutID != "" && (h == nil || h.Environment != e.Key):
		err = invalid("unknown holdoutId '%s'", in.HoldoutID)
	case !oneOf(in.Methodology, "", "bayesian", "frequentist", "export_only"), !oneOf(in.DataSource, "", "launchdarkly", "snowflake", "databricks", "redshift"), !oneOf(in.Type, "", "experiment", "mab", "holdout"):
		err = invalid("methodology, dataSource or type is not a known one")
	default:
		err = in.Iteration.check(p, e)
	}
	if err == nil && p.experiment(e.Key, in.Key) != nil {
		err = conflict("An experiment with key %s already exists", in.Key)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	x := &experiment{ID: a.uuid(), Key: in.Key, Name: in.Name, Description: in.Description, MaintainerID: in.MaintainerID, Created: a.tick(), Environment: e.Key,
		Methodology: orDefault(in.Methodology, "bayesian"), DataSource: orDefault(in.DataSource, "launchdarkly"), Type: orDefault(in.Type, "experiment"),
		Tags: in.Tags, HoldoutID: in.HoldoutID, Analysis: in.Analysis}
	x.Iterations = []*iteration{{ID: a.uuid(), Status: iterationDraft, Created: x.Created, iterationFields: in.Iteration}}
	p.Experiments = append(p.Experiments, x)
	rep := p.experimentRep(x, everything)
	a.recordExperiment(r, p, x, "createExperiment", "created the experiment", "", nil)
	send(w, http.StatusCreated, rep)
}

func oneOf(s string, of ...string) bool { return slices.Contains(of, s) }

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (a *Account) draftIteration(w http.ResponseWriter, r *http.Request) {
	p, x := a.experiment(w, r)
	if x == nil {
		return
	}
	var in iterationFields
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	err := in.check(p, p.env(x.Environment))
	if err == nil && x.Archived != 0 {
		err = invalid("experiment '%s' is archived", x.Key)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	before := jsonValue(p.experimentRep(x, everything))
	it := &iteration{ID: a.uuid(), Status: iterationDraft, Created: a.tick(), iterationFields: in}
	x.Iterations = append(slices.DeleteFunc(x.Iterations, func(old *iteration) bool { return old.Status == iterationDraft }), it)
	a.recordExperiment(r, p, x, "updateExperiment", "created an iteration of the experiment", "", before)
	send(w, http.StatusOK, p.iterationRep(x.Environment, it, everything))
}

// check says what is wrong with an iteration that would be drafted in an environment.
func (in iterationFields) check(p *project, e *environment) *apiError {
	if in.Hypothesis == "" {
		return invalid("hypothesis is required")
	}
	if (in.PrimarySingle == "") == (in.PrimaryFunnel == "") {
		return invalid("exactly one of primarySingleMetricKey and primaryFunnelKey is required")
	}
	if in.PrimarySingle != "" && !p.measures(in.PrimarySingle, false) || in.PrimaryFunnel != "" && !p.measures(in.PrimaryFunnel, true) {
		return invalid("unknown metric '%s%s'", in.PrimarySingle, in.PrimaryFunnel)
	}
	for _, m := range in.Metrics {
		if !p.measures(m.Key, m.IsGroup) {
			return invalid("unknown metric '%s'", m.Key)
		}
	}
	if len(in.Flags) == 0 {
		return invalid("flags must name a flag")
	}
	if in.RandomizationUnit != "" && !slices.ContainsFunc(p.units(), func(u randomizationUnit) bool { return u.Unit == in.RandomizationUnit }) {
		return invalid("'%s' is not a randomization unit of the project", in.RandomizationUnit)
	}
	for key, use := range in.Flags {
		f := p.flag(key)
		switch {
		case f == nil || f.Archived:
			return invalid("flag '%s' does not exist or is archived", key)
		case f.in(e.Key).served(use.Rule) == nil:
			return invalid("flag '%s' has no rule '%s'", key, use.Rule)
		case f.in(e.Key).Version != use.ConfigVersion:
			return invalid("flagConfigVersion %d of flag '%s' is not its current version", use.ConfigVersion, key)
		case use.OutsideID != "" && f.variationIndex(use.OutsideID) < 0:
			return invalid("flag '%s' has no variation '%s'", key, use.OutsideID)
		}
	}
	return in.checkTreatments(p)
}

func (in iterationFields) checkTreatments(p *project) *apiError {
	baselines, sum := 0, 0.0
	seen := map[string]bool{}
	for _, t := range in.Treatments {
		part, err := strconv.ParseFloat(t.Percent, 64)
		if err != nil || part < 0 || t.Name == "" || len(t.Parameters) == 0 {
			return invalid("a treatment needs a name, an allocationPercent from 0 to 100 and parameters")
		}
		if sum += part; t.Baseline {
			baselines++
		}
		for _, set := range t.Parameters {
			f := p.flag(set.Flag)
			if f == nil || in.Flags[set.Flag].Rule == "" || f.variationIndex(set.VariationID) < 0 {
				return invalid("treatment '%s': flag '%s' is not in flags, or has no variation '%s'", t.Name, set.Flag, set.VariationID)
			}
		}
		if seen[t.id()] {
			return invalid("two treatments have the same parameters")
		}
		seen[t.id()] = true
	}
	switch {
	case len(in.Treatments) < 2:
		return invalid("at least two treatments are required")
	case baselines != 1:
		return invalid("exactly one treatment must be the baseline")
	case sum > 100.0005:
		return invalid("allocationPercent must sum to at most 100, not %s", fmt.Sprint(sum))
	}
	return nil
}
