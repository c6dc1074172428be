package sandbox

import (
	"encoding/json"
	"time"
)

// seedAIConfigs adds the shop's AI configs: a completion config in service, an
// agent with tools, a judge, and one that serves nothing yet.
func (a *Account) seedAIConfigs(shop *project, ago func(time.Duration) int64) {
	add := func(key, name, mode, description string, age time.Duration, tags []string, versions ...[]aiVersion) *aiConfig {
		a.past = ago(age)
		c := a.newAIConfig(shop, key, mode, aiConfigSettings{Name: name, Description: description, Tags: tags})
		c.MaintainerTeamKey = "growth"
		for _, list := range versions {
			v := &aiVariation{Key: list[0].Key, Served: a.uuid()}
			for i, version := range list {
				version.ID, version.Version, version.State = a.uuid(), i+1, "published"
				version.CreatedAt = ago(age - time.Duration(i+1)*day)
				version.PublishedAt = version.CreatedAt
				v.Versions = append(v.Versions, version)
			}
			s := v.latest().served(mode)
			s.ID = v.Served
			c.Variations, c.Flag.Variations = append(c.Variations, v), append(c.Flag.Variations, s)
		}
		shop.AIConfigs = append(shop.AIConfigs, c)
		return c
	}
	version := func(key, name, modelKey, model string, more func(*aiVersionFields)) aiVersion {
		v := aiVersion{Key: key, aiVersionFields: aiVersionFields{Name: name, ModelConfigKey: modelKey, Model: json.RawMessage(model)}}
		more(&v.aiVersionFields)
		return v
	}
	says := func(list ...string) func(*aiVersionFields) {
		return func(f *aiVersionFields) {
			for i, text := range list {
				f.Messages = append(f.Messages, aiMessage{[]string{"system", "user"}[min(i, 1)], text})
			}
		}
	}
	agent := func(instructions string, tools ...string) func(*aiVersionFields) {
		return func(f *aiVersionFields) {
			f.Instructions = &instructions
			for _, key := range tools {
				f.Tools = append(f.Tools, aiToolUse{key, 1})
			}
		}
	}

	a.withAIUsage(add("product-summary", "Product summary", "completion", "Sums up a product's reviews on its page", 90*day, []string{"web", "growth"},
		[]aiVersion{
			version("short", "Short", "OpenAI.gpt-4o", `{"modelName":"gpt-4o","parameters":{"temperature":0.7}}`, says("Sum up reviews.")),
			version("short", "Short", "OpenAI.gpt-4o", `{"modelName":"gpt-4o","parameters":{"temperature":0.3,"maxTokens":200}}`,
				func(f *aiVersionFields) {
					says("Sum up the reviews of {{product}} in two sentences.", "{{reviews}}")(f)
					f.Judges = &aiJudges{[]aiJudge{{"accuracy-judge", 0.1}}}
				}),
		},
		[]aiVersion{version("detailed", "Detailed", "Anthropic.claude-sonnet-4", `{"modelName":"claude-sonnet-4","parameters":{"maxTokens":800}}`,
			says("Sum up the reviews of {{product}} with what people liked and disliked.", "{{reviews}}"))},
	))
	summary := shop.aiConfig("product-summary").Flag
	for env, serves := range map[string]int{"production": 1, "regulated": 1, "staging": 2} {
		k := summary.Environments[env]
		k.Fallthrough, k.Version = always(serves), 3
	}
	one := 2
	summary.Environments["production"].Rules = []*flagRule{{ID: a.uuid(), Description: "Long texts for employees", serve: serve{Variation: &one}, Clauses: []clause{
		{ID: a.uuid(), Attribute: "segmentMatch", Op: "segmentMatch", ContextKind: "user", Values: rawValues("employees")}}}}
	targets(summary.Environments["production"], 2, "user", "user-1001")
	a.completeFlag(summary)

	helper := add("shopping-agent", "Shopping agent", "agent", "Finds products and answers questions about orders", 40*day, []string{"growth"},
		[]aiVersion{version("assistant", "Assistant", "Anthropic.claude-sonnet-4", `{"modelName":"claude-sonnet-4"}`,
			agent("Help {{ldctx.name}} to find products. Ask before anything is ordered.", "search-orders", "refund-order"))},
		[]aiVersion{version("concise", "Concise", "OpenAI.gpt-4o", `{"modelName":"gpt-4o"}`, agent("Help to find products. Be brief.", "search-products"))},
	).Flag
	helper.Environments["staging"].Fallthrough = always(1)
	helper.Environments["production"].Fallthrough = serve{Rollout: &rollout{ContextKind: "user", Variations: []weightedVariation{{Variation: 1, Weight: 20_000}, {Variation: 0, Weight: 80_000}}}}

	judge := add("accuracy-judge", "Accuracy judge", "judge", "Scores whether a summary says what the reviews say", 85*day, nil,
		[]aiVersion{version("strict", "Strict", "OpenAI.gpt-4o", `{"modelName":"gpt-4o"}`, says("Score from 0 to 1 how accurate {{answer}} is."))})
	judge.EvaluationMetricKey = "$ld:ai:judge:accuracy"
	for _, e := range shop.Envs {
		judge.Flag.Environments[e.Key].Fallthrough = always(1)
	}

	add("returns-helper", "Returns helper", "completion", "Not written yet", 3*day, nil)
}

// withAIUsage gives an AI config some use in production.
func (a *Account) withAIUsage(c *aiConfig) {
	c.Usage = map[string]map[string]aiUsage{"production": {
		"short": {InputTokens: 412_000, OutputTokens: 38_400, TotalTokens: 450_400, Generations: 1200, Successes: 1188, Errors: 12, ThumbsUp: 90, ThumbsDown: 10,
			DurationMillis: 1_080_000, FirstToken: 312_000, Satisfaction: 0.9, InputCost: 1.03, OutputCost: 0.384},
		"detailed": {InputTokens: 20_600, OutputTokens: 9_100, TotalTokens: 29_700, Generations: 60, Successes: 60, ThumbsUp: 3, ThumbsDown: 1,
			DurationMillis: 132_000, FirstToken: 21_000, Satisfaction: 0.75, InputCost: 0.062, OutputCost: 0.137},
	}}
}
