package sandbox

import "time"

// seededReleaseIDs begins ids of their own, so that more of them leave all others as they are.
const seededReleaseIDs = 1 << 59

// seedReleases gives the shop policies, a pipeline with a flag in it, and
// rollouts that started before the audit log begins.
func (a *Account) seedReleases(shop *project, now int64, ago func(time.Duration) int64) {
	next := uint64(seededReleaseIDs)
	id := func() string { next++; return uuidFrom(next) }
	stages := func(percentAndDays ...int) []releaseStage {
		var out []releaseStage
		for i := 0; i < len(percentAndDays); i += 2 {
			out = append(out, releaseStage{percentAndDays[i] * 1000, int64(percentAndDays[i+1]) * day.Milliseconds()})
		}
		return out
	}
	shop.Policies = []*releasePolicy{
		{ID: id(), Key: "checkout-guarded", policyFields: policyFields{Name: "Guard the checkout", Method: "guarded-release",
			Scope: policyScope{Environments: []string{"production"}, FlagTags: []string{"checkout"}},
			Guarded: &guardedPolicy{progressivePolicies: progressivePolicies{ContextKind: "user", Stages: stages(5, 1, 25, 1, 50, 1)},
				MinSampleSize: 100, Rollback: true, Metrics: []string{"error-rate", "checkout-conversion"}}}},
		{ID: id(), Key: "web-progressive", policyFields: policyFields{Name: "Step by step on the web", Method: "progressive-release",
			Scope:       policyScope{Environments: []string{"production", "staging"}, FlagTags: []string{"web"}},
			Progressive: &progressivePolicies{ContextKind: "user", Stages: stages(10, 1, 50, 1)}}},
	}
	shop.rank()

	pipeline := &releasePipeline{Key: "standard", Name: "Standard", Description: "Test, staging, then customers", Tags: []string{"web"}, Created: ago(100 * day),
		Phases: []pipelinePhase{
			{id(), "Testing", []pipelineAudience{{Name: "Test", Environment: "test"}}},
			{id(), "Staging", []pipelineAudience{{Name: "Staging", Environment: "staging"}}},
			{id(), "Customers", []pipelineAudience{{Name: "Production", Environment: "production", RequireApproval: true,
				Guard: &audienceGuard{Window: 2 * day.Milliseconds(), Weight: 20, Rollback: true, Unit: "user"}}}},
		}}
	shop.Pipelines = []*releasePipeline{pipeline}
	shop.Progress = map[*flag]*flagProgress{}
	if f := shop.flag("gift-cards"); f != nil {
		way := &flagProgress{Pipeline: pipeline, VariationID: f.Variations[0].ID, Version: 2}
		for range pipeline.Phases {
			way.Phases = append(way.Phases, phaseProgress{ID: id(), AudienceIDs: []string{id()}, Created: ago(40 * day)})
		}
		way.Phases[0].Started, way.Phases[0].Complete = ago(39*day), ago(35*day)
		shop.Progress[f] = way
	}

	for _, s := range []struct {
		kind, flag string
		stages     []releaseStage
		metrics    []releaseMetric
	}{
		{"guarded", "product-reviews", stages(10, 7, 25, 21, 50, 14), []releaseMetric{{Key: "error-rate"}, {Key: "reviews-written"}}},
		{"progressive", "one-click-buy", stages(20, 10, 40, 10, 60, 21, 80, 21), nil},
	} {
		f := shop.flag(s.flag)
		if f == nil {
			continue // the account holds generated flags
		}
		for _, env := range []string{"production", "test"} {
			began := ago(31 * day)
			r := release{ID: id(), Kind: s.kind, Environment: env, Rule: fallthroughRule, Status: releaseInProgress,
				OriginalVariationID: f.Variations[1].ID, TargetVariationID: f.Variations[0].ID, RandomizationUnit: "user",
				Stages: s.stages, Metrics: s.metrics, AutoRollback: map[string]bool{"error-rate": true}, Created: began, StageStarted: began}
			f.in(env).Fallthrough = r.serves(0, 1)
			f.advance(&r, now)
			f.Releases = append(f.Releases, r)
		}
	}
}
