package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// aiHealth is the verdict on an AI config.
type aiHealth struct {
	Verdict string    `json:"verdict" doc:"healthy, warning or unhealthy"`
	Issues  []aiIssue `json:"issues" doc:"the first ten"`
	More    int       `json:"moreIssues,omitempty"`
	Serves  []string  `json:"serves,omitempty" doc:"by environment, where it serves anything"`
	Missing []string  `json:"missing,omitempty" doc:"what could not be read"`
	Note    string    `json:"note,omitempty"`
}

type aiIssue struct {
	Severity  string `json:"severity" doc:"error or warning"`
	Code      string `json:"code"`
	Variation string `json:"variationKey,omitempty"`
	Message   string `json:"message"`
}

// configIssues is what an AI config shows by itself.
func configIssues(c *ldclient.AIConfig) []aiIssue {
	var out []aiIssue
	add := func(severity, code string, v ldclient.AIVariation, format string, args ...any) {
		out = append(out, aiIssue{severity, code, v.Key, fmt.Sprintf(format, args...)})
	}
	if len(c.Variations) == 0 {
		add("error", "no_variations", ldclient.AIVariation{}, "%s has no variations; create-ai-config-variation adds one", c.Key)
	}
	for _, v := range c.Variations {
		if v.State == "archived" {
			continue
		}
		name, _ := v.Model["modelName"].(string)
		if v.ModelConfigKey == "" {
			severity := "error"
			if name != "" { // SDKs get a model, and LaunchDarkly's page shows none
				severity = "warning"
			}
			add(severity, "missing_model", v, "variation %s names no model config", v.Key)
		}
		switch {
		case c.Mode == "agent" && v.Instructions == nil:
			add("warning", "missing_prompt", v, "LaunchDarkly shows no instructions of variation %s", v.Key)
		case c.Mode == "agent" && strings.TrimSpace(*v.Instructions) == "", c.Mode != "agent" && len(v.Messages) == 0:
			add("error", "missing_prompt", v, "variation %s has no prompt", v.Key)
		}
	}
	return out
}

var getAIConfigHealth = read(Spec{
	Name: "get-ai-config-health", Title: "Get an AI config's health", Aliases: []string{"get-agentcontrol-config-health"},
	Doc: "Check an AI config: missing models or prompts, tools and judges that are not there, nothing served.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAIConfig
}) (aiHealth, error) {
	c, err := ld.AIConfigs.Get(ctx, in.Project, in.Config)
	if err != nil {
		return aiHealth{}, err
	}
	var t *aiServed
	var tools, all map[string]string
	var models []ldclient.ModelConfig
	g := gather(ctx)
	g.want("its targeting", func(ctx context.Context) (err error) {
		t, err = aiServing(ctx, ld, in.target(), c)
		return err
	})
	g.want("the AI tools", func(ctx context.Context) error {
		got := map[string]string{}
		for tool, err := range ldclient.All(func(offset int) (*ldclient.Page[ldclient.AITool], error) {
			return ld.AITools.List(ctx, in.Project, ldclient.Paging{Limit: upstreamPage, Offset: offset})
		}) {
			if err != nil {
				return err
			}
			got[tool.Key] = "tool"
		}
		tools = got
		return nil
	})
	g.want("the models", func(ctx context.Context) (err error) {
		if models, err = ld.ModelConfigs.List(ctx, in.Project); err == nil && models == nil {
			err = errors.New("there is no list of them")
		}
		return err
	})
	missing, _ := g.wait() // all of it can be done without
	if slices.ContainsFunc(c.Variations, func(v ldclient.AIVariation) bool { return len(v.Judges.Judges) > 0 }) {
		got := map[string]string{}
		for other, err := range everyAIConfig(ctx, ld, in.Project) {
			if err != nil {
				missing, got = append(missing, "the judges could not be read ("+short(clean(err.Error()), 200)+")"), nil
				break
			}
			got[other.Key] = other.Mode
		}
		all = got
	}
	issues := append(configIssues(c), strayIssues(c, models, tools, all)...)
	out := aiHealth{Verdict: "healthy", Missing: missing, Note: lateNote(c.Behind)}
	if t != nil {
		if out.Serves, _ = t.inService(); len(out.Serves) == 0 && len(c.Variations) > 0 && t.disabled >= 0 {
			issues = append(issues, aiIssue{"warning", "serves_nothing", "", "every environment serves the disabled variation alone; update-ai-config-rollout chooses another one"})
		}
	}
	for _, i := range issues {
		if i.Severity == "error" {
			out.Verdict = "unhealthy"
		} else if out.Verdict == "healthy" {
			out.Verdict = "warning"
		}
	}
	if out.Verdict == "healthy" && len(missing) > 0 {
		out.Verdict = "warning"
	}
	out.Issues, out.More = append([]aiIssue{}, ten(issues, 0)...), max(0, len(issues)-firstOf)
	return out, nil
})

// strayIssues is what variations name that is not there, as far as that could be read.
func strayIssues(c *ldclient.AIConfig, models []ldclient.ModelConfig, tools, configs map[string]string) []aiIssue {
	var out []aiIssue
	for _, v := range c.Variations {
		if v.State == "archived" {
			continue
		}
		add := func(severity, code, format string, args ...any) {
			out = append(out, aiIssue{severity, code, v.Key, fmt.Sprintf(format, args...)})
		}
		if models != nil && v.ModelConfigKey != "" && !slices.ContainsFunc(models, func(m ldclient.ModelConfig) bool { return m.Key == v.ModelConfigKey }) {
			add("error", "missing_model", "variation %s names the model config %s, which is not there", v.Key, short(clean(v.ModelConfigKey), 100))
		}
		for _, use := range v.Tools {
			if tools != nil && tools[use.Key] == "" {
				add("warning", "orphaned_tool", "variation %s offers the tool %s, which is not there", v.Key, short(clean(use.Key), 100))
			}
		}
		for _, j := range v.Judges.Judges {
			if configs != nil && configs[j.Key] != "judge" {
				add("warning", "missing_judge", "variation %s is judged by %s, which is no AI config of mode judge", v.Key, short(clean(j.Key), 100))
			}
		}
	}
	return out
}

// aiMetricsView is what an AI config was used for.
type aiMetricsView struct {
	From        string            `json:"from"`
	To          string            `json:"to"`
	Total       aiUsageView       `json:"total"`
	ByVariation []aiVariationUsed `json:"byVariation,omitempty" doc:"the first ten"`
	Missing     []string          `json:"missing,omitempty" doc:"what could not be read"`
}

type aiVariationUsed struct {
	Variation string `json:"variationKey"`
	aiUsageView
}

// aiUsageView leaves out what is zero.
type aiUsageView struct {
	Generations  int64   `json:"generations"`
	Errors       int64   `json:"errors,omitempty"`
	InputTokens  int64   `json:"inputTokens,omitempty"`
	OutputTokens int64   `json:"outputTokens,omitempty"`
	MeanDuration int64   `json:"meanDurationMs,omitempty"`
	MeanFirst    int64   `json:"meanTimeToFirstTokenMs,omitempty"`
	ThumbsUp     int64   `json:"thumbsUp,omitempty"`
	ThumbsDown   int64   `json:"thumbsDown,omitempty"`
	InputCost    float64 `json:"inputCostUSD,omitempty"`
	OutputCost   float64 `json:"outputCostUSD,omitempty"`
	Accuracy     float64 `json:"judgeAccuracy,omitempty"`
	Relevance    float64 `json:"judgeRelevance,omitempty"`
	Toxicity     float64 `json:"judgeToxicity,omitempty"`
}

func aiUsageOf(m ldclient.AIMetrics) aiUsageView {
	n := max(m.Generations, m.Successes+m.Errors)
	v := aiUsageView{Generations: n, Errors: m.Errors, InputTokens: m.InputTokens, OutputTokens: m.OutputTokens, ThumbsUp: m.ThumbsUp, ThumbsDown: m.ThumbsDown,
		InputCost: m.InputCost, OutputCost: m.OutputCost, Accuracy: m.Accuracy, Relevance: m.Relevance, Toxicity: m.Toxicity}
	if n > 0 {
		v.MeanDuration, v.MeanFirst = m.DurationMillis/n, m.FirstToken/n
	}
	return v
}

const hundredDays = 100 * 24 * time.Hour

var getAIConfigMetrics = read(Spec{
	Name: "get-ai-config-metrics", Title: "Get an AI config's metrics", Aliases: []string{"get-agentcontrol-config-metrics"},
	Doc: "Read an AI config's use in one environment by variation: tokens, cost, feedback. Default 7 days.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inAITargeting
	After  string `json:"after,omitempty" alias:"since,from,startDate" told:"true" doc:"From: a time (RFC 3339 or ms) or an age such as 7d"`
	Before string `json:"before,omitempty" alias:"until,to,endDate" told:"true" doc:"Up to: a time or an age; now if not given"`
}) (aiMetricsView, error) {
	from, err := instant("after", in.After)
	if err != nil {
		return aiMetricsView{}, err
	}
	to, err := instant("before", in.Before)
	if err != nil {
		return aiMetricsView{}, err
	}
	if to == 0 {
		to = ldclient.Millis(time.Now().UnixMilli())
	}
	if from == 0 {
		from = to - ldclient.Millis((7 * 24 * time.Hour).Milliseconds())
	}
	if from >= to || to-from > ldclient.Millis(hundredDays.Milliseconds()) {
		return aiMetricsView{}, badf("after must be earlier than before, by at most 100 days; got %s and %s", from, to)
	}
	out := aiMetricsView{From: from.String(), To: to.String()}
	total, err := ld.AIConfigs.Metrics(ctx, in.Project, in.Environment, in.Config, from, to)
	if err != nil {
		return out, err
	}
	out.Total = aiUsageOf(*total)
	g := gather(ctx)
	g.want("the metrics by variation", func(ctx context.Context) error {
		got, err := ld.AIConfigs.MetricsByVariation(ctx, in.Project, in.Environment, in.Config, from, to)
		for _, m := range ten(got, 0) {
			out.ByVariation = append(out.ByVariation, aiVariationUsed{m.Variation, aiUsageOf(m.Metrics)})
		}
		return err
	})
	out.Missing, err = g.wait()
	return out, err
})
