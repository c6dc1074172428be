package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"search-api": func(string) map[string]any { return map[string]any{"query": "approval requests of a flag"} },
	"read-api": func(string) map[string]any {
		return map[string]any{"operation": "getProject", "path": map[string]any{"projectKey": "shop"}}
	},
	"write-api": func(environment string) map[string]any {
		return map[string]any{"operation": "updateBigSegmentContextTargets",
			"path": map[string]any{"projectKey": "shop", "environmentKey": environment, "segmentKey": "vip"},
			"body": map[string]any{"included": map[string]any{"add": []any{"user-1002"}}}}
	},
})

func init() {
	withoutRequest = append(withoutRequest, "write-api")
	noApproval["write-api"] = "a raw operation is not put into an approval request"
}
