package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"create-segment": func(string) map[string]any {
		return map[string]any{"key": "new-segment", "name": "New segment"}
	},
	"update-segment-settings": func(string) map[string]any {
		return map[string]any{"instructions": []any{map[string]any{"kind": "updateName", "value": "Early birds"}}}
	},
	"update-segment-rules": func(string) map[string]any {
		return map[string]any{"instructions": []any{map[string]any{"kind": "addRule",
			"clauses": []any{map[string]any{"attribute": "email", "op": "endsWith", "values": []any{"@example.com"}}}}}}
	},
	"update-segment-targets": func(string) map[string]any {
		return map[string]any{"instructions": []any{map[string]any{"kind": "addIncludedTargets", "contextKind": "user", "values": []any{"user-1"}}}}
	},
	"manage-segment-expiring-targets": func(string) map[string]any {
		// context is contextKey, which travels in a body, so any text may be one
		return map[string]any{"action": "add", "context": "user-1002", "expiresAt": "2045-01-01T00:00:00Z"}
	},
	// Rules of flags use the segment employees in staging alone. A deletion is confirmed everywhere.
	"delete-segment": func(environment string) map[string]any {
		args := map[string]any{"segmentKey": "employees"}
		if environment == "test" {
			args["confirm"] = "employees"
		}
		return args
	},
	"get-segment-membership": func(string) map[string]any {
		return map[string]any{"context": map[string]any{"kind": "user", "key": "user-1002"}}
	},
})

func init() {
	noApproval["create-segment"] = "making a segment needs no approval, and is no semantic patch"
	noApproval["delete-segment"] = "deleting a segment needs no approval, and is no semantic patch"
}
