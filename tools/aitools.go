package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var aiToolTools = Toolset{
	Name: "ai-tools", Doc: "Tools, prompt snippets and models that AI configs use.",
	Tools: []Tool{
		listAITools, getAITool, createAITool, updateAITool, deleteAITool,
		listPromptSnippets, getPromptSnippet, createPromptSnippet, updatePromptSnippet, deletePromptSnippet,
		listModelConfigs,
	},
}

// aiToolRow is a tool in a list.
type aiToolRow struct {
	Key         string   `json:"key"`
	Version     int      `json:"version"`
	Description string   `json:"description,omitempty"`
	Parameters  []string `json:"parameters,omitempty" doc:"the first ten"`
}

func aiToolRowOf(t ldclient.AITool) aiToolRow {
	return aiToolRow{t.Key, t.Version, short(t.Description, listedText), ten(parametersOf(schemaIn(t.Schema)), 0)}
}

// schemaIn is a tool's schema, nil where it is no object.
func schemaIn(raw json.RawMessage) object {
	var o object
	if decode(raw, (*map[string]any)(&o)) {
		return o
	}
	return nil
}

// parametersOf lists what a model gives to a tool with this schema.
func parametersOf(schema object) []string {
	properties, _ := schema["properties"].(map[string]any)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(requiredBy(schema), name) {
			name += " (required)"
		}
		out = append(out, name)
	}
	return out
}

func requiredBy(schema object) []string {
	list, _ := schema["required"].([]any)
	var out []string
	for _, v := range list {
		if name, ok := v.(string); ok {
			out = append(out, name)
		}
	}
	return out
}

var listAITools = read(Spec{
	Name: "list-ai-tools", Title: "List AI tools",
	Doc: "List the function-calling tools that a project's AI configs can use.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	paged
}) (page[aiToolRow], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.AITool], error) {
		return ld.AITools.List(ctx, in.Project, p)
	})
	if err != nil {
		return page[aiToolRow]{}, err
	}
	return pageOf(got, in.Offset, aiToolRowOf), nil
})

type atAITool struct {
	Project string `json:"projectKey" alias:"project"`
	Tool    string `json:"toolKey" alias:"key,tool"`
}

func (a atAITool) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "ai-tool", Key: a.Tool}
}

// aiToolView is a version of a tool.
type aiToolView struct {
	Key         string `json:"key"`
	Version     int    `json:"version"`
	Description string `json:"description,omitempty"`
	Schema      object `json:"schema,omitempty"`
	Custom      object `json:"customParameters,omitempty"`
}

func aiToolOf(t ldclient.AITool) aiToolView {
	return aiToolView{t.Key, t.Version, t.Description, schemaIn(t.Schema), schemaIn(t.Custom)}
}

// differ leaves out what a change left as it was.
func (v *aiToolView) differ(after *aiToolView) {
	if v.Description == after.Description {
		v.Description, after.Description = "", ""
	}
	if digest(v.Schema) == digest(after.Schema) {
		v.Schema, after.Schema = nil, nil
	}
	if digest(v.Custom) == digest(after.Custom) {
		v.Custom, after.Custom = nil, nil
	}
}

type aiToolDetail struct {
	aiToolView
	usedBy
}

var getAITool = read(Spec{
	Name: "get-ai-tool", Title: "Get an AI tool",
	Doc: "Read an AI tool with its schema, and which AI config variations use it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atAITool }) (aiToolDetail, error) {
	t, err := aiToolNamed(ctx, ld, in.atAITool)
	if err != nil {
		return aiToolDetail{}, err
	}
	return aiToolDetail{aiToolOf(*t), toolUses(ctx, ld, in.Project, in.Tool).firstTen()}, nil
})

// aiToolNamed reads a tool; where there is none, it says which ones there are.
func aiToolNamed(ctx context.Context, ld *ldclient.Client, at atAITool) (*ldclient.AITool, error) {
	t, err := ld.AITools.Get(ctx, at.Project, at.Tool)
	return t, orOthers(err, "AI tool", at.Tool, func() ([]string, error) {
		return keysOn(func(t ldclient.AITool) string { return t.Key })(ld.AITools.List(ctx, at.Project, ldclient.Paging{Limit: upstreamPage}))
	})
}

// newAITool names a tool that is yet to be created.
type newAITool struct {
	Project string `json:"projectKey" alias:"project"`
	Key     string `json:"key" alias:"toolKey"`
}

func (a newAITool) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "ai-tool", Key: a.Key}
}

var createAITool = create(Spec{
	Name: "create-ai-tool", Title: "Create an AI tool", Action: "createAITool",
	Doc: "Define a function-calling tool. A variation has it once update-ai-config-variation names it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newAITool
	Description string `json:"description" doc:"Tells the model when to call it"`
	Schema      object `json:"schema" doc:"JSON Schema of type object, without OpenAI's wrapper"`
	Custom      object `json:"customParameters,omitempty" doc:"For the application, not the model"`
	because
}) (*plan[aiToolView], error) {
	if !plainKey().MatchString(in.Key) {
		return nil, badf("key: must begin with a letter or digit and hold at most 100 letters, digits, \".\", \"_\" and \"-\", got %q", short(in.Key, 100))
	}
	if clean(in.Description) == "" {
		return nil, badf("description: must not be empty, for it tells the model when to call the tool")
	}
	notes, err := checkedToolSchema(in.Schema)
	if err != nil {
		return nil, err
	}
	_, err = ld.AITools.Get(ctx, in.Project, in.Key)
	if err := taken(err, in.Project, "an AI tool", in.Key, "update-ai-tool"); err != nil {
		return nil, err
	}
	after := aiToolView{in.Key, 1, in.Description, in.Schema, in.Custom}
	return &plan[aiToolView]{
		intent: intent{Says: fmt.Sprintf("create AI tool %s in project %s with %s", in.Key, in.Project, parametersText(in.Schema)),
			Notes: append(notes, uncommented(in.because)...)},
		Apply: func(ctx context.Context, how manner) (*aiToolView, error) {
			if how.DryRun {
				return &after, nil
			}
			f := ldclient.AIToolFields{Key: in.Key, Description: &in.Description, Schema: mustJSON(in.Schema)}
			if in.Custom != nil {
				f.Custom = mustJSON(in.Custom)
			}
			return shows(aiToolOf)(ld.AITools.Create(ctx, in.Project, f))
		},
	}, nil
})

func parametersText(schema object) string {
	if all := parametersOf(schema); len(all) > 0 {
		return "parameters " + short(clean(keyList(all)), 400)
	}
	return "no parameters"
}

// checkedToolSchema refuses what no model could call a tool by, and notes what looks like a slip.
func checkedToolSchema(s object) (notes []string, err error) {
	for _, wrapper := range [][]string{{"function", "parameters"}, {"parameters"}, {"input_schema"}, {"inputSchema"}, {"toolSpec", "inputSchema", "json"}} {
		inner := any(map[string]any(s))
		for _, name := range wrapper {
			outer, _ := inner.(map[string]any)
			inner = outer[name]
		}
		if _, ok := inner.(map[string]any); ok && s["properties"] == nil {
			return nil, badf("schema: this is a tool as a model's provider wants it; give only what is in schema.%s, which is the JSON Schema of the parameters (the name and the description are the arguments key and description)", strings.Join(wrapper, "."))
		}
	}
	switch kind := s["type"].(type) {
	case string:
		if kind == "function" {
			return nil, badf("schema: this is OpenAI's wrapper without parameters; give {\"type\":\"object\",\"properties\":{}} for a tool that takes none")
		}
		if kind != "object" {
			return nil, badf("schema: its type must be \"object\", with a property for each parameter, got %q", short(kind, 40))
		}
	case nil:
		return nil, badf("schema: its type is missing; it must be \"object\", with a property for each parameter")
	default:
		return nil, badf("schema: its type must be the text \"object\"")
	}
	properties, ok := s["properties"].(map[string]any)
	if s["properties"] != nil && !ok {
		return nil, badf("schema.properties: must be an object that holds a schema for each parameter")
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		switch properties[name].(type) {
		case map[string]any, bool:
		default:
			return nil, badf("schema.properties.%s: must be a schema, such as {\"type\":\"string\"}", short(name, maxNamed))
		}
	}
	if s["required"] == nil {
		return nil, nil
	}
	list, ok := s["required"].([]any)
	if !ok || len(requiredBy(s)) < len(list) {
		return nil, badf("schema.required: must be a list of names of parameters")
	}
	var unknown []string
	for _, name := range requiredBy(s) {
		if _, ok := properties[name]; !ok && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		notes = append(notes, "the schema requires "+short(clean(keyList(unknown)), 200)+", which is not among its properties")
	}
	return notes, nil
}

const versionsKept = "variations keep the version that they name; update-ai-config-variation moves them"

var updateAITool = update(Spec{
	Name: "update-ai-tool", Title: "Change an AI tool", Action: "updateAITool",
	Doc: "Make a new version of an AI tool. Variations keep the version that they name.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAITool
	Description *string `json:"description,omitempty"`
	Schema      object  `json:"schema,omitempty" doc:"Whole JSON Schema"`
	Custom      object  `json:"customParameters,omitempty" doc:"Replaces all"`
	because
}) (*plan[aiToolView], error) {
	if in.Description == nil && in.Schema == nil && in.Custom == nil {
		return nil, badf("nothing to change: give description, schema or customParameters")
	}
	t, err := aiToolNamed(ctx, ld, in.atAITool)
	if err != nil {
		return nil, err
	}
	before := aiToolOf(*t)
	after := before
	after.Version++
	f, notes, says := ldclient.AIToolFields{}, []string(nil), []string(nil)
	if d := in.Description; d != nil && *d != before.Description {
		if clean(*d) == "" {
			return nil, badf("description: must not be empty, for it tells the model when to call the tool")
		}
		if err := cmp.Or(keepsSecrets("description", before.Description, *d), keepsWhole("description", before.Description, *d, listedText)); err != nil {
			return nil, err
		}
		f.Description, after.Description = d, *d
		says = append(says, "description "+fromTo(before.Description, *d, 200))
	}
	if in.Schema != nil && digest(in.Schema) != digest(before.Schema) {
		if notes, err = checkedToolSchema(in.Schema); err != nil {
			return nil, err
		}
		f.Schema, after.Schema = mustJSON(in.Schema), in.Schema
		if err := keepsSecrets("schema", string(t.Schema), string(f.Schema)); err != nil {
			return nil, err
		}
		says = append(says, schemaChange(before.Schema, in.Schema))
	}
	if in.Custom != nil && digest(in.Custom) != digest(before.Custom) {
		f.Custom, after.Custom = mustJSON(in.Custom), in.Custom
		if err := keepsSecrets("customParameters", string(t.Custom), string(f.Custom)); err != nil {
			return nil, err
		}
		from, to := parting(jsonWhole(before.Custom), jsonWhole(in.Custom), 200)
		says = append(says, fmt.Sprintf("customParameters from %s to %s", from, to))
	}
	if says == nil {
		return &plan[aiToolView]{intent: intent{Nothing: fmt.Sprintf("AI tool %s is so already", in.Tool)}, Before: &before}, nil
	}
	uses := toolUses(ctx, ld, in.Project, in.Tool)
	notes = append(notes, uses.says("it is used by"), versionsKept)
	p := &plan[aiToolView]{
		intent: intent{Says: fmt.Sprintf("make version %d of AI tool %s of project %s: %s", after.Version, in.Tool, in.Project, strings.Join(says, "; ")),
			Version: "ai tool " + digest([]any{before, uses.Uses}), Notes: append(notes, uncommented(in.because)...)},
		Before: &before, Differ: (*aiToolView).differ,
	}
	p.Apply = func(ctx context.Context, how manner) (*aiToolView, error) {
		if how.DryRun {
			return &after, nil
		}
		v, err := shows(aiToolOf)(ld.AITools.Update(ctx, in.Project, in.Tool, f))
		if err == nil {
			p.overtaken(in.target(), before.Version, after.Version, v.Version)
		}
		return v, err
	}
	return p, nil
})

func jsonWhole(o object) string {
	if o == nil {
		return "none"
	}
	return clean(string(mustJSON(o)))
}

// schemaChange says which parameters come, go and change.
func schemaChange(from, to object) string {
	had, _ := from["properties"].(map[string]any)
	has, _ := to["properties"].(map[string]any)
	var added, removed, changed []string
	for _, name := range keysOfBoth(had, has) {
		was, before := had[name]
		is, after := has[name]
		switch {
		case !before:
			added = append(added, name)
		case !after:
			removed = append(removed, name)
		case digest(was) != digest(is):
			changed = append(changed, name)
		}
	}
	var says []string
	for _, x := range []struct {
		word string
		list []string
	}{{"added", added}, {"removed", removed}, {"changed", changed}} {
		if len(x.list) > 0 {
			says = append(says, x.word+" "+short(clean(keyList(x.list)), 300))
		}
	}
	was, is := slices.Sorted(slices.Values(requiredBy(from))), slices.Sorted(slices.Values(requiredBy(to)))
	if !slices.Equal(was, is) {
		says = append(says, fmt.Sprintf("required were %s and would be %s", short(clean(orNone(was)), 200), short(clean(orNone(is)), 200)))
	}
	return "parameters: " + cmp.Or(strings.Join(says, ", "), "the same, with other rules for them together")
}

var deleteAITool = remove(Spec{
	Name: "delete-ai-tool", Title: "Delete an AI tool", Action: "deleteAITool",
	Doc: "Delete an AI tool for good. Variations that use it keep an orphaned tool.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAITool
	because
}) (*plan[aiToolView], error) {
	t, err := aiToolNamed(ctx, ld, in.atAITool)
	if err != nil {
		return nil, err
	}
	before := aiToolOf(*t)
	uses := toolUses(ctx, ld, in.Project, in.Tool)
	return &plan[aiToolView]{
		intent: intent{Says: fmt.Sprintf("delete AI tool %s of project %s for good, with all its versions", in.Tool, in.Project),
			Version: "ai tool " + digest([]any{before, uses.Uses}),
			Notes:   append([]string{uses.says("it would be an orphaned tool in")}, uncommented(in.because)...)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*aiToolView, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.AITools.Delete(ctx, in.Project, in.Tool)
		},
	}, nil
})
