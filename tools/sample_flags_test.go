package tools_test

var _ = addSamples(map[string]func(string) map[string]any{
	"create-flag": func(string) map[string]any { return map[string]any{"key": "spring-sale", "name": "Spring sale"} },
	"update-flag-settings": func(string) map[string]any {
		return map[string]any{"instructions": []any{map[string]any{"kind": "addTags", "values": []any{"reviewed"}}}}
	},
	"update-flag-variations": func(string) map[string]any {
		return map[string]any{"instructions": []any{map[string]any{"kind": "updateVariation", "variation": "true", "name": "Dark"}}}
	},
	"restore-flag": func(string) map[string]any { return map[string]any{"flagKey": "old-checkout"} },
})

func init() {
	noApproval["create-flag"] = "a new flag is off everywhere, and LaunchDarkly takes no request for one"
	noApproval["delete-flag"] = "LaunchDarkly takes requests for changes of a flag's configuration, not for its deletion"
}
