package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
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
	f.Instructions, f.ModelConfigKey = in.Instructions, in.ModelConfigKey
	if before != nil && before.Instructions != nil && in.Instructions != nil {
		if err := keepsSecrets("instructions", *before.Instructions, *in.Instructions); err != nil {
			return f, nil, err
		}
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
	return f, notes, nil
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

type newAIVariation struct {
	Key  string `json:"key" alias:"variationKey,newKey"`
	Name string `json:"name" alias:"variationName,newName"`
}

func (n newAIVariation) check(c *ldclient.AIConfig) error {
	if _, err := checkedSettings(n.Key, n.Name, nil); err != nil {
		return err
	}
	if i := slices.IndexFunc(c.Variations, func(v ldclient.AIVariation) bool { return strings.EqualFold(v.Key, n.Key) }); i >= 0 {
		return badf("key: %s has a variation %s already; update-ai-config-variation changes it", c.Key, c.Variations[i].Key)
	}
	return nil
}

// inTheConfig are the arguments that a variation's tools have besides the variation.
type inTheConfig struct {
	Project string `json:"projectKey" alias:"project"`
	Config  string `json:"configKey" alias:"config,aiConfigKey,agentcontrolConfigKey"`
}

func (a inTheConfig) target() ldclient.Target { return atAIConfig(a).target() }

var createAIVariation = create(Spec{
	Name: "create-ai-config-variation", Title: "Create an AI config variation", Action: "updateAIConfigVariation", Aliases: []string{"create-agentcontrol-config-variation"},
	Doc: "Add a variation to an AI config; targeting serves it later. modelConfigKey is Provider.model-id.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inTheConfig
	newAIVariation
	aiPrompt
	because
}) (*plan[aiVariationView], error) {
	c, err := ld.AIConfigs.Get(ctx, in.Project, in.Config)
	if err != nil {
		return nil, err
	}
	return in.plan(ctx, ld, in.inTheConfig, in.aiPrompt, c)
})

func (n newAIVariation) plan(ctx context.Context, ld *ldclient.Client, at inTheConfig, prompt aiPrompt, c *ldclient.AIConfig) (*plan[aiVariationView], error) {
	if err := n.check(c); err != nil {
		return nil, err
	}
	f, notes, err := prompt.fields(ctx, ld, at.Project, c.Mode, nil)
	if err != nil {
		return nil, err
	}
	if f.ModelConfigKey == "" {
		return nil, badf("missing modelConfigKey, such as OpenAI.gpt-4o: without it LaunchDarkly shows no model; list-model-configs shows the keys")
	}
	f.Key, f.Name = n.Key, n.Name
	return addAIVariation(ld, at, c, f, notes), nil
}

// addAIVariation plans a new variation.
func addAIVariation(ld *ldclient.Client, at inTheConfig, c *ldclient.AIConfig, f ldclient.AIVariationFields, notes []string) *plan[aiVariationView] {
	p := &plan[aiVariationView]{intent: intent{Says: fmt.Sprintf("add the variation %s to AI config %s of project %s", f.Key, c.Key, at.Project), Notes: notes}}
	p.Apply = func(ctx context.Context, how manner) (*aiVariationView, error) {
		if how.DryRun {
			after := aiVariationOf(applied(ldclient.AIVariation{}, f))
			return &after, nil
		}
		f.Comment = how.Comment
		got, err := ld.AIConfigs.CreateVariation(ctx, at.Project, at.Config, f)
		if err != nil {
			return nil, err
		}
		noticeLate(&p.intent, got.Behind)
		after := aiVariationOf(*got)
		return &after, nil
	}
	return p
}

type atAIVariation struct {
	inTheConfig
	Variation string `json:"variationKey" alias:"variation,variationId,variationName,key" told:"true" doc:"A variation's key, _id or name"`
}

var updateAIVariation = update(Spec{
	Name: "update-ai-config-variation", Title: "Update an AI config variation", Action: "updateAIConfigVariation", Aliases: []string{"update-agentcontrol-config-variation"},
	Doc: "Change a variation; parameters and lists are replaced whole. The new version is live at once wherever the variation is served.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAIVariation
	Name string `json:"name,omitempty"`
	aiPrompt
	because
}) (*plan[aiVariationView], error) {
	c, err := in.toChange(ctx, ld)
	if err != nil {
		return nil, err
	}
	v, err := aiVariationIn(c, in.Variation)
	if err != nil {
		return nil, err
	}
	f, notes, err := in.aiPrompt.fields(ctx, ld, in.Project, c.Mode, v)
	if err != nil {
		return nil, err
	}
	if f.Name = in.Name; in.Name != "" && clean(in.Name) == "" {
		return nil, badf("name: must not be empty")
	}
	t, err := aiServing(ctx, ld, in.target(), c)
	if err != nil {
		return nil, err
	}
	now := *v
	before, after := aiVariationOf(now), aiVariationOf(applied(now, f))
	changes := aiChanges(before, after)
	effect := t.reaches(v.Key)
	p := &plan[aiVariationView]{Before: &before, intent: intent{Notes: notes, Version: fmt.Sprintf("variation %s %d of %d", v.Key, v.Version, c.Version),
		Says: fmt.Sprintf("change variation %s of AI config %s in project %s: %s. Its version %d %s", aiVariationName(now), in.Config, in.Project,
			strings.Join(changes, "; "), v.Version+1, effect)}}
	p.Noticed = []string{fmt.Sprintf("version %d %s", v.Version+1, effect)}
	if len(changes) == 0 {
		p.Nothing, p.Notes = "the variation is so already", nil
	}
	p.Differ = aiVariationsDiffer
	p.Apply = func(ctx context.Context, how manner) (*aiVariationView, error) {
		if how.DryRun {
			return &after, nil
		}
		c, err := ld.AIConfigs.Get(ctx, in.Project, in.Config)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(c.Variations, func(is ldclient.AIVariation) bool { return is.Key == now.Key }); i < 0 || !sameAIVariation(c.Variations[i], now) {
			return nil, changedMeanwhile("variation " + now.Key)
		}
		f.Comment = how.Comment
		got, err := ld.AIConfigs.UpdateVariation(ctx, in.Project, in.Config, now.Key, f)
		if err != nil {
			return nil, err
		}
		noticeLate(&p.intent, got.Behind)
		is := aiVariationOf(*got)
		return &is, nil
	}
	return p, nil
})

func sameAIVariation(a, b ldclient.AIVariation) bool {
	a.Behind, b.Behind = "", ""
	return reflect.DeepEqual(a, b)
}

// aiChanges says what differs between two versions of a variation.
func aiChanges(before, after aiVariationView) []string {
	var out []string
	add := func(same bool, format string, args ...any) {
		if !same {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	named := func(s string) string {
		if s == "" {
			return "none"
		}
		return short(clean(s), 60)
	}
	add(before.Name == after.Name, "rename it to %s", named(after.Name))
	add(before.ModelConfigKey == after.ModelConfigKey, "model config %s instead of %s", named(after.ModelConfigKey), named(before.ModelConfigKey))
	add(before.ModelName == after.ModelName, "model %s instead of %s", named(after.ModelName), named(before.ModelName))
	add(sameParts(before.Parameters, after.Parameters), "parameters %s instead of %s", short(string(mustJSON(after.Parameters)), 100), short(string(mustJSON(before.Parameters)), 100))
	add(before.Instructions == after.Instructions, "other instructions, which begin %q", short(clean(after.Instructions), 100))
	if !sameParts(before.Messages, after.Messages) {
		begin := ""
		if len(after.Messages) > 0 {
			begin = fmt.Sprintf(", which begin %q", short(clean(after.Messages[0].Content), 100))
		}
		out = append(out, fmt.Sprintf("%d messages instead of %d%s", len(after.Messages), len(before.Messages), begin))
	}
	add(sameParts(before.Tools, after.Tools), "tools %s instead of %s", orNone(toolNames(after.Tools)), orNone(toolNames(before.Tools)))
	add(sameParts(before.Judges, after.Judges), "judges %s instead of %s", orNone(judgeNames(after.Judges)), orNone(judgeNames(before.Judges)))
	return out
}

func toolNames(list []ldclient.AIToolUse) []string {
	return keysOf(list, func(t ldclient.AIToolUse) string { return fmt.Sprintf("%s version %d", t.Key, t.Version) })
}

func judgeNames(list []ldclient.AIJudge) []string {
	return keysOf(list, func(j ldclient.AIJudge) string { return fmt.Sprintf("%s for %s %%", j.Key, number(j.Rate*100)) })
}

// sameParts reports whether two values are written the same; empty lists and none are.
func sameParts(a, b any) bool {
	text := func(v any) string {
		if r := reflect.ValueOf(v); r.Len() == 0 {
			return ""
		}
		var plain any
		_ = json.Unmarshal(mustJSON(v), &plain) // what was just written can be read
		return string(mustJSON(plain))
	}
	return text(a) == text(b)
}

// aiVariationsDiffer leaves in both the parts of a prompt that differ.
func aiVariationsDiffer(before, after *aiVariationView) {
	if before == nil || after == nil {
		return
	}
	if before.Instructions == after.Instructions {
		before.Instructions, after.Instructions = "", ""
	}
	if sameParts(before.Messages, after.Messages) {
		before.Messages, after.Messages = nil, nil
	}
}

// aiVariationGone is what was there of a variation that is deleted.
type aiVariationGone struct {
	Key     string `json:"key"`
	Name    string `json:"name"`
	Version int    `json:"version"`
}

var deleteAIVariation = remove(Spec{
	Name: "delete-ai-config-variation", Title: "Delete an AI config variation", Action: "deleteAIConfigVariation", Aliases: []string{"delete-agentcontrol-config-variation"},
	Doc: "Delete a variation that is not served, for good.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAIVariation
	because
}) (*plan[aiVariationGone], error) {
	c, err := in.toChange(ctx, ld)
	if err != nil {
		return nil, err
	}
	v, err := aiVariationIn(c, in.Variation)
	if err != nil {
		return nil, err
	}
	gone := *v
	t, err := aiServing(ctx, ld, in.target(), c)
	if err != nil {
		return nil, err
	}
	if where, known := t.uses(gone.Key); len(where) > 0 {
		return nil, cannot("variation %s of %s is served or targeted in %s; let another one take its place there first, with update-ai-config-rollout and update-ai-config-targeting-rules",
			aiVariationName(gone), in.Config, keyList(where))
	} else if !known {
		return nil, cannot("it could not be told which of the variations that targeting serves is %s, so not whether it is in service; delete it on LaunchDarkly's page (%s)", aiVariationName(gone), pageURL(ld, in.target()))
	}
	before := aiVariationGone{gone.Key, gone.Name, gone.Version}
	p := &plan[aiVariationGone]{Before: &before, intent: intent{Version: fmt.Sprintf("variation %s %d", gone.Key, gone.Version), Notes: uncommented(in.because),
		Says: fmt.Sprintf("delete variation %s of AI config %s in project %s with its %d versions, for good", aiVariationName(gone), in.Config, in.Project, gone.Version)}}
	p.Apply = func(ctx context.Context, how manner) (*aiVariationGone, error) {
		if how.DryRun {
			return nil, nil
		}
		t, err := aiServing(ctx, ld, in.target(), c)
		if err != nil {
			return nil, err
		}
		if where, known := t.uses(gone.Key); len(where) > 0 || !known {
			return nil, changedMeanwhile("the targeting of " + in.Config)
		}
		return nil, ld.AIConfigs.DeleteVariation(ctx, in.Project, in.Config, gone.Key)
	}
	return p, nil
})

var cloneAIVariation = create(Spec{
	Name: "clone-ai-config-variation", Title: "Clone an AI config variation", Action: "updateAIConfigVariation", Aliases: []string{"clone-agentcontrol-config-variation"},
	Doc: "Copy a variation; arguments of create-ai-config-variation change the copy.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inTheConfig
	Source string `json:"sourceVariationKey" alias:"source,sourceVariation,variationKey"`
	Key    string `json:"key" alias:"newKey,newVariationKey"`
	Name   string `json:"name" alias:"newName,newVariationName"`
	aiOverrides
	because
}) (*plan[aiVariationView], error) {
	c, err := in.toChange(ctx, ld)
	if err != nil {
		return nil, err
	}
	v, err := aiVariationIn(c, in.Source)
	if err != nil {
		return nil, err
	}
	if err := (newAIVariation{in.Key, in.Name}).check(c); err != nil {
		return nil, err
	}
	f, notes, err := aiPrompt(in.aiOverrides).fields(ctx, ld, in.Project, c.Mode, v)
	if err != nil {
		return nil, err
	}
	if c.Mode == "agent" && f.Instructions == nil && v.Instructions == nil {
		return nil, badf("missing instructions: LaunchDarkly does not show those of %s, so they cannot be copied; give them", aiVariationName(*v))
	}
	f.Key, f.Name = in.Key, in.Name
	whole := copyOfAI(*v, f)
	p := addAIVariation(ld, in.inTheConfig, c, whole, append(notes, "copied from version "+fmt.Sprint(v.Version)+" of "+aiVariationName(*v)))
	p.Says = fmt.Sprintf("copy variation %s of AI config %s in project %s as %s", aiVariationName(*v), in.Config, in.Project, in.Key)
	return p, nil
})

// copyOfAI fills in of a variation what the fields leave out.
func copyOfAI(v ldclient.AIVariation, f ldclient.AIVariationFields) ldclient.AIVariationFields {
	f.Description = v.Description
	if f.Instructions == nil {
		f.Instructions = v.Instructions
	}
	if f.Messages == nil && len(v.Messages) > 0 {
		f.Messages = &v.Messages
	}
	if f.Model == nil {
		f.Model = v.Model
	}
	if f.ModelConfigKey == "" {
		f.ModelConfigKey = v.ModelConfigKey
	}
	if f.Tools == nil && len(v.Tools) > 0 {
		f.Tools = &v.Tools
	}
	if f.Judges == nil && len(v.Judges.Judges) > 0 {
		f.Judges = &v.Judges
	}
	return f
}
