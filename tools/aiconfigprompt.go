package tools

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// aiPrompt is what a call says of a variation; what is nil stays or is none.
type aiPrompt struct {
	ModelConfigKey string               `json:"modelConfigKey,omitempty"`
	ModelName      string               `json:"modelName,omitempty"`
	Parameters     *map[string]anyValue `json:"parameters,omitempty" brief:"true"`
	Instructions   *string              `json:"instructions,omitempty"`
	Messages       *[]aiMessageInput    `json:"messages,omitempty" brief:"true" doc:"[{role, content}]"`
	Tools          *[]aiToolInput       `json:"tools,omitempty" brief:"true" doc:"[{key, version}]"`
	Judges         *aiJudgesInput       `json:"judgeConfiguration,omitempty" brief:"true" doc:"{judges [{judgeConfigKey, samplingRate}]}"`
	ToolKeys       []string             `json:"toolKeys,omitempty" quiet:"true" doc:"Not used: LaunchDarkly ignores it"`
}

// aiOverrides is aiPrompt where the description of a tool tells of it.
type aiOverrides struct {
	ModelConfigKey string               `json:"modelConfigKey,omitempty" quiet:"true" doc:"Provider.model-id"`
	ModelName      string               `json:"modelName,omitempty" quiet:"true" doc:"Provider's model id"`
	Parameters     *map[string]anyValue `json:"parameters,omitempty" quiet:"true" doc:"Such as temperature"`
	Instructions   *string              `json:"instructions,omitempty" quiet:"true" doc:"Mode agent"`
	Messages       *[]aiMessageInput    `json:"messages,omitempty" quiet:"true" doc:"Other modes"`
	Tools          *[]aiToolInput       `json:"tools,omitempty" quiet:"true" doc:"[{key, version}]"`
	Judges         *aiJudgesInput       `json:"judgeConfiguration,omitempty" quiet:"true" doc:"{judges: [{judgeConfigKey, samplingRate}]}"`
	ToolKeys       []string             `json:"toolKeys,omitempty" quiet:"true" doc:"Not used: LaunchDarkly ignores it"`
}

type aiMessageInput struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type aiToolInput struct {
	Key     string `json:"key" alias:"toolKey"`
	Version int    `json:"version" jsonschema:"minimum=1"`
}

type aiJudgesInput struct {
	Judges []aiJudgeInput `json:"judges"`
}

type aiJudgeInput struct {
	Key  string  `json:"judgeConfigKey" alias:"key,configKey"`
	Rate float64 `json:"samplingRate" jsonschema:"minimum=0,maximum=1"`
}

// fields checks what a call says of a variation that is now as before is, and
// gives it as LaunchDarkly takes it, with notes on what is odd.
func (in aiPrompt) fields(ctx context.Context, ld *ldclient.Client, project, mode string, before *ldclient.AIVariation) (f ldclient.AIVariationFields, notes []string, err error) {
	switch {
	case len(in.ToolKeys) > 0:
		return f, nil, badf("toolKeys: LaunchDarkly ignores it; give tools: [{key, version}] (get-ai-tool tells the version)")
	case mode == "agent" && in.Messages != nil:
		return f, nil, badf("messages: an AI config of mode agent takes instructions instead")
	case mode != "agent" && in.Instructions != nil:
		return f, nil, badf("instructions: an AI config of mode %s takes messages instead", mode)
	}
	var unseen []string
	f.Instructions, f.ModelConfigKey = in.Instructions, in.ModelConfigKey
	if before != nil && before.Instructions != nil && in.Instructions != nil {
		if err := cmp.Or(keepsSecrets("instructions", *before.Instructions, *in.Instructions), keepsWhole("instructions", *before.Instructions, *in.Instructions, cutPrompt, sentPrompt)); err != nil {
			return f, nil, err
		}
		unseen = losesUnseen("prompt", *before.Instructions, *in.Instructions)
	}
	if in.Messages != nil {
		list := []ldclient.AIMessage{}
		for n, m := range *in.Messages {
			switch {
			case !slices.Contains([]string{"system", "user", "assistant"}, m.Role):
				return f, nil, badf("messages[%d]: role must be system, user or assistant, got %q", n, short(m.Role, 60))
			case strings.TrimSpace(m.Content) == "":
				return f, nil, badf("messages[%d]: content must not be empty", n)
			}
			list = append(list, ldclient.AIMessage(m))
		}
		f.Messages = &list
		if before != nil {
			if err := keepsSecrets("messages", contents(before.Messages), contents(list)); err != nil {
				return f, nil, err
			}
			for _, m := range before.Messages {
				if err := keepsWhole("messages", m.Content, contents(list), cutPrompt, sentPrompt); err != nil {
					return f, nil, err
				}
			}
			unseen = losesUnseen("prompt", contents(before.Messages), contents(list))
		}
	}
	if in.ModelConfigKey != "" {
		id, more, err := modelExists(ctx, ld, project, in.ModelConfigKey, in.ModelName)
		if err != nil {
			return f, nil, err
		}
		if notes = more; in.ModelName == "" { // the model that was there is another one's
			in.ModelName = id
		}
	} else if in.ModelName != "" && before != nil && before.ModelConfigKey != "" && !strings.HasSuffix(before.ModelConfigKey, in.ModelName) {
		notes = append(notes, fmt.Sprintf("the model config stays %s, although modelName is another one; give modelConfigKey to change both", before.ModelConfigKey))
	}
	if in.ModelName != "" || in.Parameters != nil {
		f.Model = map[string]any{}
		if before != nil {
			maps.Copy(f.Model, before.Model) // it is replaced whole
		}
		if in.ModelName != "" {
			f.Model["modelName"] = in.ModelName
		}
		if in.Parameters != nil {
			parameters := map[string]any{}
			for name, v := range *in.Parameters {
				var value any
				if !decode(v, &value) {
					return f, nil, badf("parameters: %s is no JSON value", short(name, 60))
				}
				parameters[name] = value
			}
			if before != nil {
				if err := keepsSecrets("parameters", string(mustJSON(before.Model["parameters"])), string(mustJSON(parameters))); err != nil {
					return f, nil, err
				}
			}
			f.Model["parameters"] = parameters
		}
	}
	if in.Tools != nil {
		list := []ldclient.AIToolUse{}
		for n, t := range *in.Tools {
			if slices.ContainsFunc(list, func(u ldclient.AIToolUse) bool { return u.Key == t.Key }) {
				return f, nil, badf("tools[%d]: %s is named twice", n, t.Key)
			}
			if err := toolExists(ctx, ld, project, t); err != nil {
				return f, nil, err
			}
			list = append(list, ldclient.AIToolUse(t))
		}
		f.Tools = &list
	}
	if in.Judges != nil {
		list := ldclient.AIJudges{Judges: []ldclient.AIJudge{}}
		for n, j := range in.Judges.Judges {
			if slices.ContainsFunc(list.Judges, func(u ldclient.AIJudge) bool { return u.Key == j.Key }) {
				return f, nil, badf("judges[%d]: %s is named twice", n, j.Key)
			}
			if err := judgeExists(ctx, ld, project, j.Key); err != nil {
				return f, nil, err
			}
			list.Judges = append(list.Judges, ldclient.AIJudge(j))
		}
		f.Judges = &list
	}
	return f, append(notes, unseen...), nil
}

func contents(list []ldclient.AIMessage) string {
	return strings.Join(keysOf(list, func(m ldclient.AIMessage) string { return m.Content }), "\n")
}

// modelExists gives a model's id at its provider. It refuses a key that no model of the
// project has, with which LaunchDarkly would show no model.
func modelExists(ctx context.Context, ld *ldclient.Client, project, key, name string) (id string, notes []string, err error) {
	models, err := ld.ModelConfigs.List(ctx, project)
	if err != nil {
		if ldclient.Status(err) == 403 {
			return "", []string{"whether there is a model config " + key + " could not be read"}, nil
		}
		return "", nil, err
	}
	i := slices.IndexFunc(models, func(m ldclient.ModelConfig) bool { return m.Key == key })
	if i < 0 {
		return "", nil, badf("modelConfigKey: there is no model config %q%s; list-model-configs shows them", key,
			didYouMean(key, keysOf(models, func(m ldclient.ModelConfig) string { return m.Key })))
	}
	if m := models[i]; m.Restricted {
		notes = append(notes, "the model config "+key+" is restricted in this project")
	} else if name != "" && m.ID != "" && m.ID != name {
		notes = append(notes, fmt.Sprintf("modelName is %s, and the model config %s is of %s", short(clean(name), 60), key, short(clean(m.ID), 60)))
	}
	return models[i].ID, notes, nil
}

func toolExists(ctx context.Context, ld *ldclient.Client, project string, use aiToolInput) error {
	t, err := ld.AITools.Get(ctx, project, use.Key)
	if ldclient.IsNotFound(err) {
		got, _ := ld.AITools.List(ctx, project, ldclient.Paging{Limit: upstreamPage})
		var have []string
		if got != nil {
			have = keysOf(got.Items, func(t ldclient.AITool) string { return t.Key })
		}
		return badf("tools: there is no AI tool %q%s; list-ai-tools shows them", use.Key, didYouMean(use.Key, have))
	}
	if err != nil {
		return err
	}
	if t.Version > 0 && use.Version > t.Version {
		return badf("tools: the AI tool %s has no version %d; its latest is %d", use.Key, use.Version, t.Version)
	}
	return nil
}

func judgeExists(ctx context.Context, ld *ldclient.Client, project, key string) error {
	c, err := ld.AIConfigs.Get(ctx, project, key)
	switch {
	case ldclient.IsNotFound(err):
		var have []string
		for c, err := range everyAIConfig(ctx, ld, project) {
			if err != nil {
				break
			}
			if c.Mode == "judge" {
				have = append(have, c.Key)
			}
		}
		return badf("judgeConfiguration: there is no AI config %q%s", key, didYouMean(key, have))
	case err != nil:
		return err
	case c.Mode != "judge":
		return badf("judgeConfiguration: %s is an AI config of mode %s, not judge", key, c.Mode)
	}
	return nil
}

// applied is a variation as the fields would leave it, in its next version.
func applied(v ldclient.AIVariation, f ldclient.AIVariationFields) ldclient.AIVariation {
	v.Version++
	if f.Key != "" {
		v.Key = f.Key
	}
	if f.Name != "" {
		v.Name = f.Name
	}
	if f.Instructions != nil {
		v.Instructions = f.Instructions
	}
	if f.Messages != nil {
		v.Messages = *f.Messages
	}
	if f.Model != nil {
		v.Model = f.Model
	}
	if f.ModelConfigKey != "" {
		v.ModelConfigKey = f.ModelConfigKey
	}
	if f.Tools != nil {
		v.Tools = *f.Tools
	}
	if f.Judges != nil {
		v.Judges = *f.Judges
	}
	return v
}
