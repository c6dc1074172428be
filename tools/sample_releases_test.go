package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"start-guarded-rollout": func(string) map[string]any {
		return map[string]any{"testVariationId": "true", "controlVariationId": "false", "turnOn": true, "stages": []any{map[string]any{"percent": 10, "hours": 24}},
			"metrics": []any{map[string]any{"metricKey": "error-rate", "onRegression": map[string]any{"rollback": true}}}}
	},
	"start-progressive-rollout": func(string) map[string]any {
		return map[string]any{"testVariationId": "true", "controlVariationId": "false", "turnOn": true, "stages": []any{map[string]any{"percent": 60, "hours": 24}}}
	},
	"stop-guarded-rollout": func(string) map[string]any { return map[string]any{"flagKey": "product-reviews"} },
	"stop-progressive-rollout": func(string) map[string]any {
		return map[string]any{"flagKey": "one-click-buy", "finalVariation": "true"}
	},
	"match-release-policies": func(string) map[string]any { return map[string]any{"flagKey": "new-checkout"} },
	"get-release-policy":     func(string) map[string]any { return map[string]any{"policyKey": "checkout-guarded"} },
	"create-release-policy": func(string) map[string]any {
		return map[string]any{"policyKey": "new-policy", "name": "New policy", "releaseMethod": "progressive-release"}
	},
	"update-release-policy": func(env string) map[string]any {
		return agreed(env, "checkout-guarded", map[string]any{"policyKey": "checkout-guarded", "rollbackOnRegression": false})
	},
	"delete-release-policy": func(env string) map[string]any {
		return agreed(env, "checkout-guarded", map[string]any{"policyKey": "checkout-guarded"})
	},
	"order-release-policies": func(env string) map[string]any {
		return agreed(env, "shop", map[string]any{"policyKeys": []any{"web-progressive"}})
	},
	"get-release-pipeline": func(string) map[string]any { return map[string]any{"pipelineKey": "standard"} },
	"get-flag-release":     func(string) map[string]any { return map[string]any{"flagKey": "gift-cards"} },
	"start-release-phase": func(env string) map[string]any {
		return agreed(env, "gift-cards", map[string]any{"flagKey": "gift-cards"})
	},
})

// agreed confirms in test what reaches every environment, and so protected ones too.
func agreed(environment, word string, args map[string]any) map[string]any {
	if environment == "test" {
		args["confirm"] = word
	}
	return args
}

func init() {
	for _, name := range []string{"create-release-policy", "update-release-policy", "delete-release-policy", "order-release-policies"} {
		noApproval[name] = "approvals are for flags, segments and AI configs"
	}
	noApproval["start-release-phase"] = "a phase is no semantic patch; its pipeline asks for approvals itself"
}
