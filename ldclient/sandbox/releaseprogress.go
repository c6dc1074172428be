package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

func (a *Account) releaseRoutes() {
	a.route("GET "+internalSegment+"/projects/{project}/flags/{flag}/automated-releases", a.listReleases).beta = true
	a.policyRoutes()
	a.pipelineRoutes()
}

// internalSegment stands in routes for the root of what LaunchDarkly's own pages read.
const internalSegment = "/internal:"

// advance moves every release to the stage that the clock has reached, and ends those whose last stage is over.
func (a *Account) advance() {
	now := a.now().UnixMilli()
	for _, p := range a.projects {
		for _, f := range p.Flags {
			for i := range f.Releases {
				if f.Releases[i].Status == releaseInProgress {
					f.advance(&f.Releases[i], now)
				}
			}
		}
	}
}

func (f *flag) advance(r *release, now int64) {
	c := f.Environments[r.Environment]
	served := c.servedBy(r.Rule)
	target, original := f.variationIndex(r.TargetVariationID), f.variationIndex(r.OriginalVariationID)
	if served == nil || target < 0 || original < 0 {
		return // its environment, rule or variation is gone
	}
	moved := func(at int64) {
		c.Version++
		c.LastModified = at
		f.Version++
	}
	for {
		at := r.StageStarted + r.Stages[r.Stage].DurationMillis
		if at > now {
			return
		}
		moved(at)
		if r.Stage++; r.Stage == len(r.Stages) {
			r.Stage--
			r.Status, r.Ended = "completed", at
			*served = serve{Variation: &target}
			return
		}
		r.StageStarted = at
		*served = r.serves(target, original)
	}
}

// serves is what the release's rule gives in its present stage.
func (r *release) serves(target, original int) serve {
	w := r.Stages[r.Stage].Allocation
	parts := []weightedVariation{{Variation: target, Weight: w}, {Variation: original, Weight: fullWeight - w}}
	// In the order of the flag's variations, so that a split that is kept deals nobody anew.
	slices.SortFunc(parts, func(a, b weightedVariation) int { return a.Variation - b.Variation })
	return serve{Rollout: &rollout{ContextKind: r.RandomizationUnit, Variations: parts}}
}

// servedBy is what a rule, or the default rule, gives; nil if there is no such rule.
func (c *flagConfig) servedBy(rule string) *serve {
	if c == nil {
		return nil
	}
	if rule == fallthroughRule {
		return &c.Fallthrough
	}
	i := slices.IndexFunc(c.Rules, func(r *flagRule) bool { return r.ID == rule })
	if i < 0 {
		return nil
	}
	return &c.Rules[i].serve
}

type releaseRep struct {
	ID                  string             `json:"id"`
	Kind                string             `json:"kind"`
	Status              string             `json:"status"`
	FlagKey             string             `json:"flagKey"`
	EnvironmentID       string             `json:"environmentId"`
	OriginalVariationID string             `json:"originalVariationId"`
	TargetVariationID   string             `json:"targetVariationId"`
	RandomizationUnit   string             `json:"randomizationUnit"`
	Rule                string             `json:"ruleIdOrFallthrough"`
	Created             int64              `json:"createdAt"`
	Started             int64              `json:"startedAtMillis"`
	Ended               int64              `json:"endedAtMillis,omitempty"`
	LatestStage         int                `json:"latestStageIndex"`
	Stages              []releaseStageRep  `json:"stages"`
	Events              []releaseEventRep  `json:"events"`
	Metrics             []releaseMetricRep `json:"metricConfigurations"`
}

type releaseStageRep struct {
	Index int `json:"stageIndex"`
	releaseStage
	Started int64 `json:"startedAtMillis,omitempty"`
}

type releaseEventRep struct {
	Kind    string `json:"kind"`
	Stage   int    `json:"stageIndex"`
	Created int64  `json:"createdAt"`
}

type releaseMetricRep struct {
	Key          string `json:"metricKey"`
	AutoRollback bool   `json:"autoRollback"`
	Status       string `json:"status"`
}

func (r *release) rep(p *project, f *flag) releaseRep {
	out := releaseRep{ID: r.ID, Kind: r.Kind, Status: r.Status, FlagKey: f.Key, OriginalVariationID: r.OriginalVariationID,
		TargetVariationID: r.TargetVariationID, RandomizationUnit: r.RandomizationUnit, Rule: r.Rule, Created: r.Created, Started: r.Created,
		Ended: r.Ended, LatestStage: r.Stage, Stages: []releaseStageRep{}, Events: []releaseEventRep{}, Metrics: []releaseMetricRep{}}
	if e := p.env(r.Environment); e != nil {
		out.EnvironmentID = e.ID
	}
	at := r.Created
	for i, s := range r.Stages {
		rep := releaseStageRep{Index: i, releaseStage: s}
		if i <= r.Stage {
			rep.Started = at
			out.Events = append(out.Events, releaseEventRep{"stage_started", i, at})
		}
		at += s.DurationMillis
		out.Stages = append(out.Stages, rep)
	}
	for _, m := range r.Metrics {
		out.Metrics = append(out.Metrics, releaseMetricRep{m.Key, r.AutoRollback[m.Key], "ok"})
	}
	return out
}

// listReleases answers with a flag's releases, newest first.
func (a *Account) listReleases(w http.ResponseWriter, r *http.Request) {
	p, f := a.flag(w, r)
	if f == nil {
		return
	}
	env, filtered := strings.CutPrefix(r.URL.Query().Get("filter"), "environmentKey:")
	var out []release
	for _, rel := range slices.Backward(f.Releases) {
		if !filtered || rel.Environment == env {
			out = append(out, rel)
		}
	}
	sendPage(w, r, out, 100, func(rel release) releaseRep { return rel.rep(p, f) })
}
