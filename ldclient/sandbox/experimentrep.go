package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// experimentRep is an experiment as the API shows it.
type experimentRep struct {
	*experiment
	Links    links           `json:"_links"`
	Current  *iterationRep   `json:"currentIteration,omitempty"`
	Draft    *iterationRep   `json:"draftIteration,omitempty"`
	Previous []iterationRep  `json:"previousIterations,omitempty"`
	Analysis *analysisConfig `json:"analysisConfig,omitempty"`
}

type iterationRep struct {
	ID                string                      `json:"_id"`
	Status            string                      `json:"status"`
	Created           int64                       `json:"createdAt"`
	Started           int64                       `json:"startedAt,omitempty"`
	Ended             int64                       `json:"endedAt,omitempty"`
	WinnerID          string                      `json:"winningTreatmentId,omitempty"`
	WinningReason     string                      `json:"winningReason,omitempty"`
	Hypothesis        string                      `json:"hypothesis"`
	CanReshuffle      bool                        `json:"canReshuffleTraffic"`
	Flags             map[string]iterationFlagRep `json:"flags"`
	RandomizationUnit string                      `json:"randomizationUnit,omitempty"`
	ReallocationMS    int64                       `json:"reallocationFrequencyMillis,omitempty"`
	Attributes        []string                    `json:"attributes,omitempty"`
	PrimarySingle     *metricUse                  `json:"primarySingleMetric,omitempty"`
	PrimaryFunnel     *metricUse                  `json:"primaryFunnel,omitempty"`
	Metrics           []metricUse                 `json:"metrics,omitempty"`
	Treatments        []treatmentRep              `json:"treatments,omitempty"`
	Covariate         *covariateRep               `json:"covariateInfo,omitempty"`
}

type iterationFlagRep struct {
	Links         links     `json:"_links"`
	Rule          string    `json:"targetingRule"`
	Description   string    `json:"targetingRuleDescription,omitempty"`
	Clauses       *[]clause `json:"targetingRuleClauses,omitempty"`
	ConfigVersion int       `json:"flagConfigVersion"`
	OutsideID     string    `json:"notInExperimentVariationId,omitempty"`
}

// metricUse is a metric, or a group of them, in an iteration.
type metricUse struct {
	Links     links  `json:"_links"`
	Key       string `json:"key"`
	VersionID string `json:"_versionId"`
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	IsGroup   bool   `json:"isGroup"`
}

type treatmentRep struct {
	ID string `json:"_id"`
	treatment
}

type covariateRep struct {
	ID       string `json:"id"`
	FileName string `json:"fileName"`
	Created  int64  `json:"createdAt"`
}

var experimentExpansions = []string{"previousIterations", "draftIteration", "secondaryMetrics", "treatments", "analysisConfig"}

func everything(string) bool { return true }

// expanded tells what of an experiment a request asks for.
func expanded(r *http.Request) (func(string) bool, *apiError) {
	var asked []string
	for _, name := range strings.FieldsFunc(r.URL.Query().Get("expand"), func(c rune) bool { return c == ',' }) {
		name = strings.TrimPrefix(name, "rel-")
		if name != "metrics" && !slices.Contains(experimentExpansions, name) {
			return nil, invalid("expand: unknown field '%s'", name)
		}
		asked = append(asked, name)
	}
	return func(name string) bool { return slices.Contains(asked, name) }, nil
}

func (p *project) experimentRep(x *experiment, shown func(string) bool) experimentRep {
	rep := experimentRep{experiment: cloneOf(x), Links: links{
		"self":   linkTo("projects", p.Key, "environments", x.Environment, "experiments", x.Key),
		"parent": linkTo("projects", p.Key, "environments", x.Environment),
	}}
	if it := x.current(); it != nil {
		one := p.iterationRep(x.Environment, it, shown)
		rep.Current = &one
	}
	if it := x.of(iterationDraft); it != nil && shown("draftIteration") {
		one := p.iterationRep(x.Environment, it, shown)
		rep.Draft = &one
	}
	for _, it := range x.Iterations {
		if shown("previousIterations") && it != x.current() && it.Status != iterationDraft {
			rep.Previous = append(rep.Previous, p.iterationRep(x.Environment, it, shown))
		}
	}
	if shown("analysisConfig") {
		rep.Analysis = x.Analysis
	}
	return rep
}

func (p *project) iterationRep(environment string, it *iteration, shown func(string) bool) iterationRep {
	rep := iterationRep{ID: it.ID, Status: it.Status, Created: it.Created, Started: it.Started, Ended: it.Ended, WinnerID: it.WinnerID, WinningReason: it.WinningReason,
		Hypothesis: it.Hypothesis, CanReshuffle: it.CanReshuffle, RandomizationUnit: it.RandomizationUnit, ReallocationMS: it.ReallocationMS,
		Attributes: it.Attributes, Flags: map[string]iterationFlagRep{}}
	for key, use := range it.Flags {
		one := iterationFlagRep{links{"self": linkTo("flags", p.Key, key)}, use.Rule, "", nil, use.ConfigVersion, use.OutsideID}
		if f := p.flag(key); f != nil && f.in(environment) != nil {
			if i := ruleIndex(f.in(environment).Rules, use.Rule); i >= 0 {
				rule := f.in(environment).Rules[i]
				one.Description, one.Clauses = rule.Description, &rule.Clauses
			}
		}
		rep.Flags[key] = one
	}
	if it.PrimarySingle != "" {
		rep.PrimarySingle = p.metricUse(it.PrimarySingle, false)
	}
	if it.PrimaryFunnel != "" {
		rep.PrimaryFunnel = p.metricUse(it.PrimaryFunnel, true)
	}
	for _, m := range it.Metrics {
		if use := p.metricUse(m.Key, m.IsGroup); use != nil && shown("secondaryMetrics") {
			rep.Metrics = append(rep.Metrics, *use)
		}
	}
	for _, t := range it.Treatments {
		if shown("treatments") {
			rep.Treatments = append(rep.Treatments, treatmentRep{t.id(), t})
		}
	}
	if it.CovariateID != "" {
		rep.Covariate = &covariateRep{it.CovariateID, "covariates.csv", it.Created}
	}
	return rep
}

// measures tells whether the project has a metric, or a group of them.
func (p *project) measures(key string, group bool) bool { return p.metricUse(key, group) != nil }

func (a *Account) recordExperiment(r *http.Request, p *project, x *experiment, action, verb, comment string, before json.RawMessage) {
	a.record(r, change{Kind: "experiment", Name: x.Name, Resource: x.spec(p), Actions: []string{action}, Verb: verb, Comment: comment,
		Before: before, After: jsonValue(p.experimentRep(x, everything)), ParentName: p.Name, Parent: p.spec() + ":env/" + x.Environment})
}
