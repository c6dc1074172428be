package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

type newAIVariation struct {
	Key  string `json:"key" alias:"variationKey,newKey"`
	Name string `json:"name" alias:"variationName,newName"`
}

func (n newAIVariation) check(c *ldclient.AIConfig) error {
	if _, err := checkedSettings(n.Key, n.Name, nil); err != nil {
		return err
	}
	if err := ownName(n.Name); err != nil {
		return err
	}
	if i := slices.IndexFunc(c.Variations, func(v ldclient.AIVariation) bool { return strings.EqualFold(v.Key, n.Key) }); i >= 0 {
		return badf("key: %s has a variation %s already; update-ai-config-variation changes it", c.Key, c.Variations[i].Key)
	}
	return nil
}

// ownName refuses the name of the variation that serves nothing, which who is asked would take another of that name for.
func ownName(name string) error {
	if strings.EqualFold(clean(name), "disabled") {
		return badf("name: %s is the name of the variation that LaunchDarkly generates, which serves nothing; choose another", clean(name))
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
	Doc: "Add a variation, not served yet. modelConfigKey is Provider.model-id.",
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
			after := aiVariationOf(applied(ldclient.AIVariation{}, f)).cut(sentPrompt)
			return &after, nil
		}
		f.Comment = how.Comment
		got, err := ld.AIConfigs.CreateVariation(ctx, at.Project, at.Config, f)
		if err != nil {
			return nil, err
		}
		noticeLate(&p.intent, got.Behind)
		after := aiVariationOf(*got).cut(sentPrompt)
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
	Doc: "Change a variation; lists and parameters are replaced. It is live at once where it is served.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAIVariation
	Name string `json:"name,omitempty"`
	aiPrompt
	because
}) (*plan[aiVariationView], error) {
	c, v, err := in.variationToChange(ctx, ld, in.Variation)
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
	if in.Name != v.Name {
		if err := ownName(in.Name); err != nil {
			return nil, err
		}
	}
	t, err := aiServingNow(ctx, ld, in.target(), c)
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

// aiVariationsDiffer leaves in both the parts of a prompt that differ: what was there
// whole, of what was sent the beginning.
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
	*after = after.cut(sentPrompt)
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
	c, v, err := in.variationToChange(ctx, ld, in.Variation)
	if err != nil {
		return nil, err
	}
	gone := *v
	t, err := aiServingNow(ctx, ld, in.target(), c)
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
		t, err := aiServingNow(ctx, ld, in.target(), c)
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
	c, v, err := in.variationToChange(ctx, ld, in.Source)
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
