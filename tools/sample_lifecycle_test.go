package tools_test

var _ = addSamples(map[string]func(string) map[string]any{
	"compare-flag-environments": func(environment string) map[string]any {
		return map[string]any{"fromEnv": "staging", "toEnv": environment}
	},
})
