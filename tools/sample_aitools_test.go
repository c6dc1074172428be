package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"get-ai-tool": func(string) map[string]any { return map[string]any{"toolKey": "search-orders"} },
	"create-ai-tool": func(string) map[string]any {
		return map[string]any{"key": "new-tool", "description": "Finds products", "schema": map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}}}
	},
	"update-ai-tool": func(env string) map[string]any {
		return agreed(env, "search-orders", map[string]any{"toolKey": "search-orders", "description": "Finds orders"})
	},
	"delete-ai-tool": func(env string) map[string]any {
		return agreed(env, "track-parcel", map[string]any{"toolKey": "track-parcel"})
	},
	"get-prompt-snippet": func(string) map[string]any { return map[string]any{"snippetKey": "tone-of-voice"} },
	"create-prompt-snippet": func(string) map[string]any {
		return map[string]any{"key": "new-snippet", "name": "New snippet", "text": "Say please."}
	},
	"update-prompt-snippet": func(env string) map[string]any {
		return agreed(env, "tone-of-voice", map[string]any{"snippetKey": "tone-of-voice", "text": "Be brief."})
	},
	"delete-prompt-snippet": func(env string) map[string]any {
		return agreed(env, "refund-policy", map[string]any{"snippetKey": "refund-policy"})
	},
	"get-agent-graph": func(string) map[string]any { return map[string]any{"graphKey": "support"} },
	"create-agent-graph": func(string) map[string]any {
		return map[string]any{"key": "new-graph", "name": "New graph", "rootConfigKey": "triage-agent",
			"edges": []any{map[string]any{"key": "e1", "sourceConfig": "triage-agent", "targetConfig": "support-agent"}}}
	},
	"update-agent-graph": func(env string) map[string]any {
		return agreed(env, "support", map[string]any{"graphKey": "support", "rootConfigKey": "support-agent", "edges": []any{}})
	},
	"delete-agent-graph": func(env string) map[string]any {
		return agreed(env, "support", map[string]any{"graphKey": "support"})
	},
})

func init() {
	for _, name := range []string{"create-ai-tool", "update-ai-tool", "delete-ai-tool", "create-prompt-snippet", "update-prompt-snippet", "delete-prompt-snippet",
		"create-agent-graph", "update-agent-graph", "delete-agent-graph"} {
		noApproval[name] = "approvals are for flags, segments and the targeting of AI configs"
	}
}
