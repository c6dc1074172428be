package tools

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var aiConfigTools = Toolset{
	Name: "ai-configs", Doc: "AI configs, their variations and their targeting.",
	Tools: []Tool{listAIConfigs, getAIConfig, createAIConfig, updateAIConfig, deleteAIConfig, setupAIConfig, getAIConfigHealth, getAIConfigMetrics,
		createAIVariation, updateAIVariation, deleteAIVariation, cloneAIVariation,
		getAITargeting, updateAIRollout, updateAIRules, updateAITargets, toggleAIConfig},
}

type atAIConfig struct {
	Project string `json:"projectKey" alias:"project"`
	Config  string `json:"configKey" alias:"config,aiConfigKey,agentcontrolConfigKey,key"`
}

func (a atAIConfig) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: ldclient.AIConfigKind, Key: a.Config}
}

// aiConfigRow is an AI config in a list.
type aiConfigRow struct {
	Key        string   `json:"key"`
	Name       string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Mode       string   `json:"mode,omitempty"`
	Tags       []string `json:"tags,omitempty"`
	Variations int      `json:"variationCount"`
}

func aiConfigRowOf(c ldclient.AIConfig) aiConfigRow {
	return aiConfigRow{c.Key, nameBeside(c.Key, c.Name), c.Mode, c.Tags, len(c.Variations)}
}

var listAIConfigs = read(Spec{
	Name: "list-ai-configs", Title: "List AI configs", Aliases: []string{"get-ai-configs", "list-agentcontrol-configs"},
	Doc: "List or search a project's AI configs.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	Query string   `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key or name"`
	Tags  []string `json:"tags,omitempty" alias:"tag" quiet:"true" doc:"All of these"`
	paged
}) (page[aiConfigRow], error) {
	if in.Query == "" && len(in.Tags) == 0 {
		got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.AIConfig], error) {
			return ld.AIConfigs.List(ctx, in.Project, p)
		})
		if err != nil {
			return page[aiConfigRow]{}, err
		}
		return pageOf(got, in.Offset, aiConfigRowOf), nil
	}
	out := page[aiConfigRow]{Items: []aiConfigRow{}}
	seen := 0
	for c, err := range everyAIConfig(ctx, ld, in.Project) {
		if err != nil {
			return out, err
		}
		if !containsFold(c.Key, in.Query) && !containsFold(c.Name, in.Query) || len(without(in.Tags, c.Tags)) > 0 {
			continue
		}
		if seen++; seen <= in.Offset {
			continue
		}
		if len(out.Items) == in.Limit {
			out.NextOffset = in.Offset + in.Limit
			return out, nil
		}
		out.add(aiConfigRowOf(c), seen-1)
	}
	out.TotalCount = seen
	return out, nil
})

// everyAIConfig reads a project's AI configs page by page.
func everyAIConfig(ctx context.Context, ld *ldclient.Client, project string) func(func(ldclient.AIConfig, error) bool) {
	return ldclient.All(func(offset int) (*ldclient.Page[ldclient.AIConfig], error) {
		return ld.AIConfigs.List(ctx, project, ldclient.Paging{Limit: upstreamPage, Offset: offset})
	})
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// aiConfigDetail is one AI config with its variations.
type aiConfigDetail struct {
	Key           string            `json:"key"`
	Name          string            `json:"name,omitempty"`
	Description   string            `json:"description,omitempty"`
	Mode          string            `json:"mode"`
	Version       int               `json:"version,omitempty"`
	Tags          []string          `json:"tags,omitempty"`
	Maintainer    string            `json:"maintainer,omitempty"`
	EvaluationKey string            `json:"evaluationMetricKey,omitempty"`
	Graphs        []string          `json:"agentGraphs,omitempty" doc:"those that it is part of"`
	Variations    []aiVariationView `json:"variations" doc:"the first ten"`
	More          int               `json:"moreVariations,omitempty"`
	URL           string            `json:"url,omitempty"`
	Note          string            `json:"note,omitempty"`
}

// aiVariationView is a variation in its latest version.
type aiVariationView struct {
	Key            string               `json:"key"`
	Name           string               `json:"name"`
	Version        int                  `json:"version,omitempty"`
	Archived       bool                 `json:"archived,omitempty"`
	ModelConfigKey string               `json:"modelConfigKey,omitempty"`
	ModelName      string               `json:"modelName,omitempty"`
	Parameters     map[string]any       `json:"parameters,omitempty"`
	Custom         map[string]any       `json:"custom,omitempty"`
	Instructions   string               `json:"instructions,omitempty"`
	Messages       []ldclient.AIMessage `json:"messages,omitempty"`
	Tools          []ldclient.AIToolUse `json:"tools,omitempty"`
	Judges         []ldclient.AIJudge   `json:"judges,omitempty"`
	Cut            bool                 `json:"isCut,omitempty" doc:"prompts are only their beginning"`
}

func aiVariationOf(v ldclient.AIVariation) aiVariationView {
	out := aiVariationView{Key: v.Key, Name: v.Name, Version: v.Version, Archived: v.State == "archived", ModelConfigKey: v.ModelConfigKey,
		Messages: v.Messages, Tools: v.Tools, Judges: v.Judges.Judges}
	out.ModelName, _ = v.Model["modelName"].(string)
	out.Parameters, _ = v.Model["parameters"].(map[string]any)
	out.Custom, _ = v.Model["custom"].(map[string]any)
	if v.Instructions != nil {
		out.Instructions = *v.Instructions
	}
	return out
}

func (v aiVariationView) lighten() (any, bool) {
	v = v.cut(cutPrompt)
	v.Messages, v.Cut = ten(v.Messages, 0), true
	return v, true
}

// cut leaves of prompts their first n characters.
func (v aiVariationView) cut(n int) aiVariationView {
	cut := func(s string) string {
		v.Cut = v.Cut || len([]rune(s)) > n
		return short(s, n)
	}
	v.Instructions, v.Messages = cut(v.Instructions), slices.Clone(v.Messages)
	for i, m := range v.Messages {
		v.Messages[i].Content = cut(m.Content)
	}
	return v
}

// cutPrompt is how much of a prompt is told where all of it does not fit, in characters.
const cutPrompt = 300

// sentPrompt is how much of a prompt is told to the caller who has just sent it, in characters.
const sentPrompt = 500

// lighten leaves of prompts their beginning only.
func (d aiConfigDetail) lighten() (any, bool) {
	d.Variations = slices.Clone(d.Variations)
	for i, v := range d.Variations {
		less, _ := v.lighten()
		d.Variations[i], _ = less.(aiVariationView)
	}
	d.Description = short(d.Description, 500)
	return d, true
}

func aiConfigOf(c *ldclient.AIConfig) aiConfigDetail {
	d := aiConfigDetail{Key: c.Key, Name: nameBeside(c.Key, c.Name), Description: c.Description, Mode: c.Mode, Version: c.Version, Tags: c.Tags,
		EvaluationKey: c.EvaluationKey, Variations: []aiVariationView{}, Note: lateNote(c.Behind)}
	if m := c.Maintainer; m != nil {
		if d.Maintainer = m.String(); m.TeamKey != "" {
			d.Maintainer = "team " + m.TeamKey
		}
	}
	for _, g := range c.Dependencies {
		d.Graphs = append(d.Graphs, g.Key)
	}
	for _, v := range ten(c.Variations, 0) {
		d.Variations = append(d.Variations, aiVariationOf(v))
	}
	d.More = max(0, len(c.Variations)-firstOf)
	return d
}

// lateNote says what LaunchDarkly does not show of the latest changes, "" if it shows all.
func lateNote(behind string) string {
	if behind == "" {
		return ""
	}
	return "LaunchDarkly does not show the latest change yet: " + behind + "; read it again in some seconds"
}

// toChange reads an AI config that is to be changed. One that does not show the
// latest change is no ground for another.
func (a inTheConfig) toChange(ctx context.Context, ld *ldclient.Client) (*ldclient.AIConfig, error) {
	c, err := ld.AIConfigs.Get(ctx, a.Project, a.Config)
	if err == nil && c.Behind != "" {
		return nil, tooLate(c.Behind)
	}
	return c, err
}

// variationToChange reads a config to be changed, and finds one of its variations.
func (a inTheConfig) variationToChange(ctx context.Context, ld *ldclient.Client, said string) (*ldclient.AIConfig, *ldclient.AIVariation, error) {
	c, err := a.toChange(ctx, ld)
	if err != nil {
		return nil, nil, err
	}
	v, err := aiVariationIn(c, said)
	return c, v, err
}

func tooLate(behind string) error {
	return cannot("LaunchDarkly does not show the latest change yet (%s), so nothing is changed on top of it; try again in some seconds", behind)
}

// noticeLate adds lateNote to what is noticed while a change is made.
func noticeLate(p *intent, behind string) {
	if behind != "" {
		p.Noticed = append(p.Noticed, "the change was made, but "+strings.Replace(lateNote(behind), "LaunchDarkly does", "LaunchDarkly's reads do", 1))
	}
}

var getAIConfig = read(Spec{
	Name: "get-ai-config", Title: "Get an AI config", Aliases: []string{"get-agentcontrol-config", "get-ai-config-variation"},
	Doc: "Read an AI config with its variations: models, prompts, tools, judges.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAIConfig
	Variation string `json:"variationKey,omitempty" alias:"variation,variationId,variationName" quiet:"true" doc:"This variation alone"`
}) (aiConfigDetail, error) {
	c, err := ld.AIConfigs.Get(ctx, in.Project, in.Config)
	if err != nil {
		return aiConfigDetail{}, err
	}
	if in.Variation != "" {
		v, err := aiVariationIn(c, in.Variation)
		if err != nil {
			return aiConfigDetail{}, err
		}
		c.Variations = []ldclient.AIVariation{*v}
	}
	d := aiConfigOf(c)
	d.URL = pageURL(ld, in.target())
	return d, nil
})

// aiVariationIn finds the one variation that said means, by key, id or name. An index
// would mean another one here than in the targeting, whose list begins with the generated one.
func aiVariationIn(c *ldclient.AIConfig, said string) (*ldclient.AIVariation, error) {
	said = strings.TrimSpace(said)
	for _, means := range []func(ldclient.AIVariation) bool{
		func(v ldclient.AIVariation) bool { return v.Key == said || v.ID == said || v.Name == said },
		func(v ldclient.AIVariation) bool {
			return strings.EqualFold(v.Key, said) || strings.EqualFold(v.Name, said)
		},
	} {
		var hits []int
		for i, v := range c.Variations {
			if means(v) {
				hits = append(hits, i)
			}
		}
		switch len(hits) {
		case 1:
			return &c.Variations[hits[0]], nil
		case 0:
		default:
			return nil, badf("%q means several variations of %s: %s; give the key", said, c.Key, listAIVariations(c, hits))
		}
	}
	all := make([]int, len(c.Variations))
	for i := range all {
		all[i] = i
	}
	if len(all) == 0 {
		return nil, badf("AI config %s has no variations yet; create-ai-config-variation adds one", c.Key)
	}
	return nil, badf("AI config %s has no variation %q; it has %s", c.Key, said, listAIVariations(c, all))
}

func listAIVariations(c *ldclient.AIConfig, indexes []int) string {
	var out []string
	for _, i := range indexes[:min(firstOf, len(indexes))] {
		out = append(out, aiVariationName(c.Variations[i]))
	}
	if more := len(indexes) - firstOf; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

func aiVariationName(v ldclient.AIVariation) string {
	if name := nameBeside(v.Key, v.Name); name != "" {
		return short(clean(name), 60) + " (" + v.Key + ")"
	}
	return v.Key
}

type newAIConfig struct {
	Project     string   `json:"projectKey" alias:"project"`
	Key         string   `json:"key" alias:"configKey,aiConfigKey"`
	Name        string   `json:"name"`
	Mode        string   `json:"mode" jsonschema:"enum=agent,enum=completion,enum=judge"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty" quiet:"true" doc:"Of the AI config"`
}

func (in newAIConfig) target() ldclient.Target {
	return ldclient.Target{Project: in.Project, Kind: ldclient.AIConfigKind, Key: in.Key}
}

// fields checks what a new AI config is to be; a key that is taken is said now, as far as it can be read.
func (in newAIConfig) fields(ctx context.Context, ld *ldclient.Client) (ldclient.NewAIConfig, error) {
	tags, err := checkedSettings(in.Key, in.Name, in.Tags)
	if err != nil {
		return ldclient.NewAIConfig{}, err
	}
	if _, err := ld.AIConfigs.Get(ctx, in.Project, in.Key); err == nil {
		return ldclient.NewAIConfig{}, badf("key: project %s has an AI config %s already; choose another key, or add to it with create-ai-config-variation", in.Project, in.Key)
	} else if !ldclient.IsNotFound(err) {
		return ldclient.NewAIConfig{}, err
	}
	return ldclient.NewAIConfig{Key: in.Key, Name: in.Name, Mode: in.Mode, Description: strings.TrimSpace(in.Description), Tags: tags}, nil
}

// shown is the AI config as it would be.
func (in newAIConfig) shown(n ldclient.NewAIConfig) aiConfigDetail {
	return aiConfigOf(&ldclient.AIConfig{Key: n.Key, Name: n.Name, Description: n.Description, Mode: n.Mode, Tags: n.Tags, Version: 1})
}

var createAIConfig = create(Spec{
	Name: "create-ai-config", Title: "Create an AI config", Action: "createAIConfig", Aliases: []string{"create-agentcontrol-config"},
	Doc: "Create an AI config without variations; its mode stays.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newAIConfig
	because
}) (*plan[aiConfigDetail], error) {
	n, err := in.fields(ctx, ld)
	if err != nil {
		return nil, err
	}
	p := &plan[aiConfigDetail]{intent: intent{Says: fmt.Sprintf("create the AI config %s (%s) in project %s", in.Key, in.Mode, in.Project), Notes: uncommented(in.because)}}
	p.Apply = func(ctx context.Context, how manner) (*aiConfigDetail, error) {
		if how.DryRun {
			after := in.shown(n)
			return &after, nil
		}
		got, err := ld.AIConfigs.Create(ctx, in.Project, n)
		if err != nil {
			return nil, err
		}
		noticeLate(&p.intent, got.Behind)
		got.Behind = ""
		after := aiConfigOf(got)
		after.URL = pageURL(ld, in.target())
		return &after, nil
	}
	return p, nil
})

// aiSettings is what an update of an AI config changes.
type aiSettings struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	Version     int      `json:"version,omitempty"`
}

func aiSettingsOf(c *ldclient.AIConfig) aiSettings {
	return aiSettings{c.Name, c.Description, c.Tags, c.Version}
}

var updateAIConfig = update(Spec{
	Name: "update-ai-config", Title: "Update an AI config", Action: "updateAIConfig", Aliases: []string{"update-agentcontrol-config"},
	Doc: "Change an AI config's name, description or tags, not its variations.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAIConfig
	Name        *string   `json:"name,omitempty"`
	Description *string   `json:"description,omitempty"`
	Tags        *[]string `json:"tags,omitempty"`
	Archived    *bool     `json:"archived,omitempty" quiet:"true" doc:"Not in LaunchDarkly's API"`
	because
}) (*plan[aiSettings], error) {
	if in.Archived != nil {
		return nil, badf("archived: LaunchDarkly's API cannot archive AI configs; do it on its page (%s), or stop serving it with toggle-ai-config", pageURL(ld, in.target()))
	}
	c, err := inTheConfig(in.atAIConfig).toChange(ctx, ld)
	if err != nil {
		return nil, err
	}
	if in.Description != nil && strings.TrimSpace(*in.Description) == "" && c.Description != "" {
		return nil, badf("description: LaunchDarkly takes no empty one; give another text, or leave it out")
	}
	before := aiSettingsOf(c)
	after, f := before, ldclient.AIConfigFields{}
	e := edits{}
	if err := e.nameAndTags(&after.Name, in.Name, &after.Tags, in.Tags); err != nil {
		return nil, err
	}
	if after.Name != before.Name {
		f.Name = &after.Name
	}
	if !reflect.DeepEqual(after.Tags, before.Tags) {
		f.Tags = &after.Tags
	}
	if d := in.Description; d != nil && *d != c.Description {
		after.Description, f.Description = *d, d
		e.set("/description", *d, "change the description to %q", short(clean(*d), 100))
	}
	p := &plan[aiSettings]{intent: e.intent(fmt.Sprintf("AI config %s of project %s", in.Config, in.Project), before, in.because), Before: &before}
	p.Apply = func(ctx context.Context, how manner) (*aiSettings, error) {
		if how.DryRun {
			return &after, nil
		}
		if now, err := ld.AIConfigs.Get(ctx, in.Project, in.Config); err != nil {
			return nil, err
		} else if !reflect.DeepEqual(aiSettingsOf(now), before) {
			return nil, changedMeanwhile("AI config " + in.Config)
		}
		got, err := ld.AIConfigs.Update(ctx, in.Project, in.Config, f)
		if err != nil {
			return nil, err
		}
		noticeLate(&p.intent, got.Behind)
		is := aiSettingsOf(got)
		return &is, nil
	}
	return p, nil
})
