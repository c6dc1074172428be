package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"preview-change": func(string) map[string]any {
		return map[string]any{"flagKey": "dark-mode", "instructions": []any{map[string]any{"kind": "turnFlagOn"}}}
	},
})
