package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"get-ai-config":         aiSample(nil),
	"get-ai-config-health":  aiSample(nil),
	"get-ai-config-metrics": aiSample(map[string]any{"after": "2026-03-01", "before": "2026-03-03"}),
	"create-ai-config": func(string) map[string]any {
		return map[string]any{"key": "new-config", "name": "New config", "mode": "agent"}
	},
	"update-ai-config": func(env string) map[string]any {
		return agreed(env, "product-summary", map[string]any{"configKey": "product-summary", "description": "Says what reviews say"})
	},
	"delete-ai-config": func(env string) map[string]any {
		return agreed(env, "returns-helper", map[string]any{"configKey": "returns-helper"})
	},
	"setup-ai-config": func(string) map[string]any {
		return map[string]any{"key": "new-config", "name": "New config", "mode": "completion", "variationKey": "first", "variationName": "First",
			"modelConfigKey": "OpenAI.gpt-4o", "modelName": "gpt-4o", "messages": []any{map[string]any{"role": "system", "content": "Be brief."}}}
	},
	"create-ai-config-variation": aiSample(map[string]any{"key": "brief", "name": "Brief", "modelConfigKey": "OpenAI.gpt-4o", "modelName": "gpt-4o",
		"messages": []any{map[string]any{"role": "system", "content": "Be brief."}}}),
	"update-ai-config-variation": func(env string) map[string]any {
		return agreed(env, "product-summary", map[string]any{"configKey": "product-summary", "variationKey": "short", "parameters": map[string]any{"temperature": 0.1}})
	},
	"delete-ai-config-variation": func(env string) map[string]any {
		return agreed(env, "shopping-agent", map[string]any{"configKey": "shopping-agent", "variationKey": "concise"})
	},
	"clone-ai-config-variation": func(string) map[string]any {
		return map[string]any{"configKey": "product-summary", "sourceVariationKey": "short", "key": "shorter", "name": "Shorter"}
	},
	"get-ai-config-targeting":  aiSample(nil),
	"update-ai-config-rollout": aiSample(map[string]any{"rolloutType": "variation", "variationKey": "detailed"}),
	"update-ai-config-targeting-rules": aiSample(map[string]any{"instructions": []any{map[string]any{"kind": "addRule", "variation": "detailed",
		"clauses": []any{map[string]any{"attribute": "email", "op": "endsWith", "values": []any{"@example.com"}}}}}}),
	"update-ai-config-individual-targets": aiSample(map[string]any{"instructions": []any{map[string]any{"kind": "addTargets", "variation": "short", "values": []any{"user-7"}}}}),
	"toggle-ai-config": func(environment string) map[string]any {
		if environment == "test" {
			return map[string]any{"configKey": "product-summary", "on": true, "variationKey": "short"}
		}
		return map[string]any{"configKey": "product-summary", "on": false}
	},
})

// aiSample names an AI config of the shop that is in service in production.
func aiSample(args map[string]any) func(string) map[string]any {
	return func(string) map[string]any {
		out := map[string]any{"configKey": "product-summary"}
		for name, v := range args {
			out[name] = v
		}
		return out
	}
}

func init() {
	stepsOf["setup-ai-config"] = 2
	for _, name := range []string{"create-ai-config", "update-ai-config", "delete-ai-config", "setup-ai-config", "create-ai-config-variation",
		"update-ai-config-variation", "delete-ai-config-variation", "clone-ai-config-variation"} {
		noApproval[name] = "approvals are for the targeting of an AI config, not for what it is"
	}
}
