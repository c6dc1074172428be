package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"update-rollout": func(string) map[string]any {
		return map[string]any{"weights": []any{map[string]any{"variationIndex": 0, "percent": 20}, map[string]any{"variationIndex": 1, "percent": 80}}}
	},
	"update-individual-targets": func(string) map[string]any {
		return map[string]any{"instructions": []any{map[string]any{"kind": "addTargets", "variation": "true", "values": []any{"user-7"}}}}
	},
	"update-off-variation": func(string) map[string]any { return map[string]any{"variation": "true"} },
	"update-prerequisites": func(string) map[string]any {
		return map[string]any{"instructions": []any{map[string]any{"kind": "addPrerequisite", "key": "payments-v2", "variation": "true"}}}
	},
	"update-track-events": func(string) map[string]any { return map[string]any{"trackEvents": true} },
	"copy-flag-config": func(environment string) map[string]any {
		return map[string]any{"flagKey": "new-checkout", "fromEnv": map[string]string{"production": "staging", "test": "production"}[environment], "toEnv": environment}
	},
	"manage-expiring-targets": func(string) map[string]any { // context is contextKey, which travels in a body, so any text may be one
		return map[string]any{"flagKey": "live-chat", "action": "add", "context": "user-1001", "expiresAt": "2099-01-01T00:00:00Z"}
	},
})
