package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"get-experiment": func(string) map[string]any { return map[string]any{"experimentKey": "same-day"} },
	"create-experiment": func(string) map[string]any {
		return map[string]any{"key": "search-order", "name": "Search order", "iteration": map[string]any{
			"hypothesis": "Semantic finds more", "primarySingleMetricKey": "cart-added",
			"treatments": []any{
				map[string]any{"name": "As it is", "baseline": true, "allocationPercent": 50, "parameters": []any{map[string]any{"flagKey": "search-ranking", "variationId": "Control"}}},
				map[string]any{"name": "Semantic", "allocationPercent": "50", "parameters": []any{map[string]any{"flagKey": "search-ranking", "variationId": "semantic"}}},
			}}}
	},
	"update-experiment": func(string) map[string]any {
		return map[string]any{"experimentKey": "homepage-grid", "name": "Grid", "hypothesis": "A list is read", "tags": []any{"x"}}
	},
	"start-experiment-iteration": func(string) map[string]any { return map[string]any{"experimentKey": "homepage-grid"} },
	"save-and-start-experiment-iteration": func(string) map[string]any {
		return map[string]any{"experimentKey": "same-day", "changeJustification": "Too slow", "metrics": []any{map[string]any{"key": "order-value"}}}
	},
	"stop-experiment-iteration": func(string) map[string]any {
		return map[string]any{"experimentKey": "same-day", "winningTreatmentId": "same day", "winningReason": "More orders"}
	},
	"get-holdout": func(string) map[string]any {
		return map[string]any{"holdoutKey": "checkout-holdout", "environmentKey": "production"}
	},
})

func init() {
	for _, name := range []string{"create-experiment", "update-experiment", "start-experiment-iteration", "save-and-start-experiment-iteration", "stop-experiment-iteration"} {
		noApproval[name] = "LaunchDarkly takes approval requests for flags, segments and AI configs, not for experiments"
	}
	stepsOf["update-experiment"], stepsOf["save-and-start-experiment-iteration"] = 2, 2
	plain = append(plain, "hypothesis", "primarySingleMetricKey", "primaryFunnelKey", "treatments", "flags", "archived", "changeJustification", "winningReason")
	givenLater = append(givenLater, "startedAt", "endedAt")
}
