package tools

import (
	"context"
	"errors"
	"fmt"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

type aiSetupInput struct {
	Project        string               `json:"projectKey" alias:"project"`
	Key            string               `json:"key" alias:"configKey,aiConfigKey"`
	Name           string               `json:"name"`
	Mode           string               `json:"mode" jsonschema:"enum=agent,enum=completion,enum=judge"`
	Description    string               `json:"description,omitempty" quiet:"true" doc:"Of the AI config"`
	Tags           []string             `json:"tags,omitempty" quiet:"true" doc:"Of the AI config"`
	VariationKey   string               `json:"variationKey"`
	VariationName  string               `json:"variationName"`
	ModelConfigKey string               `json:"modelConfigKey"`
	ModelName      string               `json:"modelName,omitempty"`
	Parameters     *map[string]anyValue `json:"parameters,omitempty" quiet:"true" doc:"Such as temperature"`
	Instructions   *string              `json:"instructions,omitempty"`
	Messages       *[]aiMessageInput    `json:"messages,omitempty" brief:"true" doc:"[{role, content}]"`
	Tools          *[]aiToolInput       `json:"tools,omitempty" quiet:"true" doc:"[{key, version}]"`
	Judges         *aiJudgesInput       `json:"judgeConfiguration,omitempty" quiet:"true" doc:"{judges [{judgeConfigKey, samplingRate}]}"`
	ToolKeys       []string             `json:"toolKeys,omitempty" quiet:"true" doc:"Not used: LaunchDarkly ignores it"`
	because
}

func (in aiSetupInput) target() ldclient.Target { return in.config().target() }

func (in aiSetupInput) config() newAIConfig {
	return newAIConfig{in.Project, in.Key, in.Name, in.Mode, in.Description, in.Tags}
}

func (in aiSetupInput) prompt() aiPrompt {
	return aiPrompt{in.ModelConfigKey, in.ModelName, in.Parameters, in.Instructions, in.Messages, in.Tools, in.Judges, in.ToolKeys}
}

var setupAIConfig = create(Spec{
	Name: "setup-ai-config", Title: "Set up an AI config", Action: "createAIConfig", Or: "updateAIConfigVariation", Aliases: []string{"setup-agentcontrol-config"},
	Doc: "Create an AI config with its first variation, not served yet.",
}, func(ctx context.Context, ld *ldclient.Client, in aiSetupInput) (*plan[aiConfigDetail], error) {
	n, err := in.config().fields(ctx, ld)
	if err != nil {
		return nil, err
	}
	first := newAIVariation{in.VariationKey, in.VariationName}
	config := &ldclient.AIConfig{Key: in.Key, Mode: in.Mode}
	at := inTheConfig{in.Project, in.Key}
	v, err := first.plan(ctx, ld, at, in.prompt(), config)
	if err != nil {
		return nil, err
	}
	if err := in.prompted(); err != nil {
		return nil, err
	}
	p := &plan[aiConfigDetail]{intent: intent{Notes: v.Notes,
		Says: fmt.Sprintf("create the AI config %s (%s) in project %s with the variation %s", in.Key, in.Mode, in.Project, in.VariationKey)}}
	p.Needs = []need{{"createAIConfig", in.target()}, {"updateAIConfigVariation", in.target()}}
	p.Apply = func(ctx context.Context, how manner) (*aiConfigDetail, error) {
		if how.DryRun {
			after := in.config().shown(n)
			made, err := v.Apply(ctx, how)
			if err == nil {
				after.Variations = append(after.Variations, *made)
			}
			return &after, err
		}
		if _, err := ld.AIConfigs.Create(ctx, in.Project, n); err != nil {
			return nil, err
		}
		if _, err := v.Apply(ctx, how); err != nil {
			return nil, halfSetUp(in.Key, in.VariationKey, err)
		}
		got, err := ld.AIConfigs.Get(ctx, in.Project, in.Key)
		if err != nil {
			p.Noticed = append(p.Noticed, "both were made, but they could not be read back: "+short(clean(err.Error()), 200))
			after := in.config().shown(n)
			return &after, nil
		}
		noticeLate(&p.intent, got.Behind)
		got.Behind = ""
		for _, i := range configIssues(got) {
			p.Noticed = append(p.Noticed, i.Message)
		}
		after := aiConfigOf(got)
		for i, v := range after.Variations {
			after.Variations[i] = v.cut(sentPrompt)
		}
		after.URL = pageURL(ld, in.target())
		return &after, nil
	}
	return p, nil
})

// prompted wants what the first variation is made for: something to say.
func (in aiSetupInput) prompted() error {
	switch {
	case in.Mode == "agent" && (in.Instructions == nil || clean(*in.Instructions) == ""):
		return badf("missing instructions, which an AI config of mode agent is made of")
	case in.Mode != "agent" && (in.Messages == nil || len(*in.Messages) == 0):
		return badf("missing messages, which an AI config of mode %s is made of", in.Mode)
	}
	return nil
}

// halfSetUp tells that the AI config was made and its variation was not, or perhaps not.
func halfSetUp(config, variation string, err error) error {
	was := "its variation " + variation + " was not"
	if transport, ok := errors.AsType[*ldclient.TransportError](err); ok && transport.Unsure || ldclient.Status(err) >= 500 {
		was = "it is not known whether its variation " + variation + " was"
	}
	return fmt.Errorf("the AI config %s was created, but %s: %s. Do not set it up again: read it with get-ai-config, and add the variation with create-ai-config-variation if it is missing",
		config, was, short(clean(err.Error()), 300))
}
