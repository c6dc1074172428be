package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// aiGone is what was there of an AI config that is deleted.
type aiGone struct {
	Name       string   `json:"name"`
	Mode       string   `json:"mode"`
	Variations []string `json:"variations,omitempty"`
	Serves     []string `json:"serves,omitempty" doc:"by environment"`
}

var deleteAIConfig = remove(Spec{
	Name: "delete-ai-config", Title: "Delete an AI config", Action: "deleteAIConfig", Aliases: []string{"delete-agentcontrol-config"},
	Doc: "Delete an AI config with its variations, for good.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAIConfig
	because
}) (*plan[aiGone], error) {
	c, err := inTheConfig(in.atAIConfig).toChange(ctx, ld)
	if err != nil {
		return nil, err
	}
	if len(c.Dependencies) > 0 {
		var graphs []string
		for _, d := range c.Dependencies {
			graphs = append(graphs, d.Key)
		}
		return nil, cannot("%s is part of the agent graph %s; take it out there first, with update-agent-graph", in.Config, keyList(graphs))
	}
	judged, err := judgedBy(ctx, ld, in.Project, c)
	if err != nil {
		return nil, err
	}
	if len(judged) > 0 {
		return nil, cannot("%s judges %s; take it out of their judgeConfiguration first, with update-ai-config-variation", in.Config, keyList(judged))
	}
	t, err := aiServingNow(ctx, ld, in.target(), c)
	if err != nil {
		return nil, err
	}
	before := aiGone{Name: c.Name, Mode: c.Mode}
	for _, v := range c.Variations {
		before.Variations = append(before.Variations, aiVariationName(v))
	}
	serves, keys := t.inService()
	before.Serves = serves
	says := fmt.Sprintf("delete the AI config %s of project %s with %d variations, for good", in.Config, in.Project, len(c.Variations))
	if len(serves) > 0 {
		says += "; it IS IN SERVICE: " + strings.Join(ten(serves, 0), "; ")
		if more := keys[min(firstOf, len(keys)):]; len(more) > 0 {
			says += fmt.Sprintf("; and in %d more environments: %s", len(more), keyList(more))
		}
	}
	p := &plan[aiGone]{intent: intent{Says: says, Version: fmt.Sprintf("AI config %d %s", c.Version, digest(before)), Notes: uncommented(in.because)}, Before: &before}
	if len(keys) > 0 {
		p.Notes = append(p.Notes, "toggle-ai-config stops serving it, which can be undone")
	}
	p.Apply = func(ctx context.Context, how manner) (*aiGone, error) {
		if how.DryRun {
			return nil, nil
		}
		now, err := aiServingNow(ctx, ld, in.target(), c)
		if err != nil {
			return nil, err
		}
		if is, _ := now.inService(); !slices.Equal(is, serves) {
			return nil, changedMeanwhile("the targeting of " + in.Config)
		}
		return nil, ld.AIConfigs.Delete(ctx, in.Project, in.Config)
	}
	return p, nil
})

// judgedBy lists the AI configs that a judge scores.
func judgedBy(ctx context.Context, ld *ldclient.Client, project string, judge *ldclient.AIConfig) ([]string, error) {
	var out []string
	if judge.Mode != "judge" {
		return nil, nil
	}
	for c, err := range everyAIConfig(ctx, ld, project) {
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(c.Variations, func(v ldclient.AIVariation) bool {
			return slices.ContainsFunc(v.Judges.Judges, func(j ldclient.AIJudge) bool { return j.Key == judge.Key })
		}) {
			out = append(out, c.Key)
		}
	}
	return out, nil
}
