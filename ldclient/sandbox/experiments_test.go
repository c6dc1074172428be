package sandbox

import (
	"testing"
)

func init() {
	moreSamples = append(moreSamples, func(*Account) map[string][]string {
		return map[string][]string{"experiment": {"same-day", "homepage-grid", "button-colour"}, "holdout": {"checkout-holdout"}, "layer": {"checkout-flow"}}
	})
	moreSamples = append(moreSamples, func(a *Account) map[string][]string {
		return map[string][]string{"holdoutId": {a.findProject("shop").Holdouts[0].ID}}
	})
	const in = "/projects/{project}/environments/{environment}"
	queries[in+"/experiments"] = []string{"expand=draftIteration,treatments", "filter=flagKey:express-shipping,status:running&limit=1", "lifecycleState=archived"}
	queries["/projects/{project}/experiments"] = []string{"limit=2&offset=1", "filter=metricKey:cart-added"}
	queries[in+"/experiments/{experiment}"] = []string{"expand=draftIteration,previousIterations,treatments,secondaryMetrics,analysisConfig"}
	queries[in+"/holdouts/{holdout}"] = []string{"expand=treatments,rel-treatments,secondaryMetrics"}
	queries["/projects/{project}/layers"] = []string{"filter=reservations.experimentKey+contains+same-day"}
}

func TestExperimentsX(t *testing.T) {}
