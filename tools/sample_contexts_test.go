package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"get-context": func(environment string) map[string]any {
		if environment == "production" {
			return map[string]any{"key": "user-1002"}
		}
		return map[string]any{"key": "tester-1", "environmentKey": "staging"}
	},
	"evaluate-flags": func(string) map[string]any {
		return map[string]any{"context": map[string]any{"kind": "user", "key": "user-1002"}, "flagKey": "dark-mode"}
	},
})
