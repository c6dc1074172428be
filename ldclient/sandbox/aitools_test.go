package sandbox

func init() {
	moreSamples = append(moreSamples, func(*Account) map[string][]string {
		return map[string][]string{"tool": {"search-orders", "refund-order"}, "snippet": {"tone-of-voice", "refund-policy"},
			"model": {"OpenAI.gpt-4o", "shop-summaries"}, "graph": {"support", "returns"}}
	})
	const project = "/projects/{project}"
	queries[project+"/ai-tools"] = []string{"sort=-key&limit=1", "filter=query:order&offset=1"}
	queries[project+"/ai-tools/{tool}/versions"] = []string{"limit=1"}
	queries[project+"/ai-configs/prompt-snippets"] = []string{"filter=query:tone,tags:brand&limit=1"}
	queries[project+"/ai-configs/model-configs"] = []string{"restricted=true"}
	queries[project+"/agent-graphs"] = []string{"limit=1&offset=1"}
}
