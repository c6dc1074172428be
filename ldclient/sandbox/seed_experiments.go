package sandbox

import "time"

// seedExperiments gives the shop an experiment that runs, one that waits and one
// that is over, in production and test each, a holdout and a layer.
func (a *Account) seedExperiments(shop *project, ago func(time.Duration) int64) {
	if shop.flag("express-shipping") == nil {
		return // the account holds generated flags
	}
	unit, owner := "user", a.memberNamed("Alan").ID
	between := func(f *flag, names [2]string, winner int) []treatment {
		out := []treatment{}
		for i, name := range names {
			out = append(out, treatment{Name: name, Baseline: i != winner, Percent: "50", Parameters: []parameter{{f.Key, f.Variations[i].ID}}})
		}
		return out
	}
	for _, env := range []string{"production", "test"} {
		for _, s := range []struct {
			key, name, flag, hypothesis, metric string
			names                               [2]string
			status                              string
			age                                 int
			analysis                            *analysisConfig
		}{
			{"same-day", "Same-day delivery", "express-shipping", "Who gets it today buys more", "cart-added", [2]string{"Same day", "As always"}, iterationRunning, 35, nil},
			{"homepage-grid", "Grid or list", "homepage-layout", "A grid shows more, so more is bought", "cart-added", [2]string{"Grid", "List"}, iterationDraft, 3, nil},
			{"button-colour", "Button colour", "button-color", "Green is clicked more", "cart-added", [2]string{"Green", "Blue"}, iterationStopped, 250,
				&analysisConfig{BayesianThreshold: "95"}},
		} {
			f := shop.flag(s.flag)
			then := ago(time.Duration(s.age) * day)
			it := &iteration{ID: a.uuid(), Status: s.status, Created: then, iterationFields: iterationFields{
				Hypothesis: s.hypothesis, PrimarySingle: s.metric, Metrics: []iterationMetric{{Key: s.metric}}, RandomizationUnit: unit,
				Treatments: between(f, s.names, 0), Flags: map[string]iterationFlag{f.Key: {fallthroughRule, f.in(env).Version, ""}},
			}}
			x := &experiment{ID: a.uuid(), Key: s.key, Name: s.name, MaintainerID: owner, Created: then, Environment: env, Methodology: "bayesian",
				DataSource: "launchdarkly", Type: "experiment", Tags: []string{"web"}, Analysis: s.analysis, Iterations: []*iteration{it}}
			switch s.status {
			case iterationRunning:
				it.Started = then
				f.in(env).Fallthrough = it.serves(f, f.Key)
			case iterationStopped:
				it.Started, it.Ended = then, then+30*day.Milliseconds()
				it.WinnerID, it.WinningReason = f.Variations[0].ID, "Green won"
			}
			shop.Experiments = append(shop.Experiments, x)
		}
	}
	shop.Units = []randomizationUnit{{unit, true}, {"organization", false}}
	then := ago(60 * day)
	h := &holdout{ID: a.uuid(), Environment: "production", Status: "running", Amount: "5", Created: then, Updated: then, Base: &experiment{
		ID: a.uuid(), Key: "checkout-holdout", Name: "Checkout holdout", Description: "Sees none of the checkout's experiments", MaintainerID: owner, Created: then,
		Environment: "production", Methodology: "bayesian", DataSource: "launchdarkly", Type: "holdout", Iterations: []*iteration{{ID: a.uuid(), Status: iterationRunning,
			Created: then, Started: then, iterationFields: iterationFields{Hypothesis: "All of it together sells more", PrimarySingle: "cart-added",
				Metrics: []iterationMetric{{Key: "cart-added"}}, RandomizationUnit: unit}}}}}
	shop.Holdouts = []*holdout{h}
	shop.experiment("production", "same-day").HoldoutID = h.ID
	shop.Layers = []*layer{
		{Key: "checkout-flow", Name: "Checkout flow", Description: "One experiment at a time on the way to the order", Created: then, RandomizationUnit: unit,
			Environments: map[string]layerConfig{"production": {[]reservation{{"same-day", "express-shipping", 40}}}}},
		{Key: "home-page", Name: "Home page", Description: "", Created: then, RandomizationUnit: unit},
	}
}
