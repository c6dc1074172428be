package tools

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// shapesOnly are arguments of the older server's tools that changed nothing but
// the shape of a reply, or asked for less care than is taken here.
var shapesOnly = []string{"summary", "expand", "compare", "ignoreConflicts"}

// unwrapOlder takes a call's arguments out of what LaunchDarkly's older local
// server wrapped them in, and gives them the names that they have here.
func (t *served) unwrapOlder(calledAs string, args map[string]any) (map[string]any, error) {
	inner, wrapped := args["request"].(map[string]any)
	if wrapped = wrapped && len(args) == 1; wrapped {
		args = inner
	}
	unwrapAI(args)
	if err := t.misdirected(args); err != nil {
		return nil, err
	}
	if !wrapped && calledAs == t.Name && len(t.StandsFor) == 0 {
		return args, nil
	}
	takes := func(name string) bool {
		return slices.ContainsFunc(t.fields(), func(f field) bool { return f.name == name })
	}
	maps.DeleteFunc(args, func(name string, _ any) bool { return !takes(name) && slices.Contains(shapesOnly, name) })
	if _, sorted := args["sort"].(string); sorted && !takes("sort") {
		delete(args, "sort") // a list that is always in one order
	}
	if t.Name == "get-flag-status-across-envs" {
		delete(args, "env") // the reply has it among all
	}
	if project, ok := args["projKey"]; ok && args["projectKey"] == nil {
		args["projectKey"] = project
		delete(args, "projKey")
	}
	if archived, ok := args["archived"].(bool); ok && t.Name == "list-flags" {
		delete(args, "archived")
		if archived {
			args["state"] = "archived"
		}
	}
	if body, ok := args["FeatureFlagBody"].(map[string]any); ok {
		inSnippet(body)
	}
	if err := t.filtered(args); err != nil {
		return nil, err
	}
	return args, specified(args)
}

// inSnippet turns what includeInSnippet once said of a new flag into clientSideAvailability.
func inSnippet(body map[string]any) {
	on, ok := body["includeInSnippet"].(bool)
	if !ok {
		return
	}
	client, given := body["clientSideAvailability"].(map[string]any)
	switch {
	case !given:
		body["clientSideAvailability"] = map[string]any{"usingEnvironmentId": on, "usingMobileKey": false}
	case client["usingEnvironmentId"] != on:
		return // it is not clear which one is meant, and the check says what is unknown
	}
	delete(body, "includeInSnippet")
}

// filtered turns a filter such as query:dark,tags:web+beta into arguments of their own.
func (t *served) filtered(args map[string]any) error {
	filter, ok := args["filter"].(string)
	if !ok || slices.ContainsFunc(t.fields(), func(f field) bool { return f.name == "filter" }) {
		return nil
	}
	if len(t.filters()) == 0 {
		return badf("filter: this list takes none; leave it out")
	}
	delete(args, "filter")
	for part := range strings.SplitSeq(filter, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), ":")
		if part == "" {
			continue
		}
		if by := t.filters(); !ok || !slices.Contains(by, name) {
			return badf("filter: nothing here is filtered by %s; it takes %s", short(part, maxNamed), strings.Join(by, ", "))
		}
		if _, given := args[name]; given {
			return badf("filter: %s is given twice", name)
		}
		args[name] = value
		if name == "tags" {
			args[name] = splitTags(value)
		}
	}
	return nil
}

// filters names the arguments that narrow a list.
func (t *served) filters() (names []string) {
	for _, f := range t.fields() {
		if slices.Contains([]string{"query", "tags", "state", "type"}, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

func splitTags(value string) []any {
	var tags []any
	for tag := range strings.SplitSeq(value, "+") {
		tags = append(tags, tag)
	}
	return tags
}

// specified turns a resource such as proj/shop:env/*:flag/dark-mode into the keys that it names.
func specified(args map[string]any) error {
	spec, ok := args["spec"].(string)
	if !ok {
		return nil
	}
	delete(args, "spec")
	for part := range strings.SplitSeq(spec, ":") {
		kind, key, ok := strings.Cut(part, "/")
		name := map[string]string{"proj": "projectKey", "env": "environmentKey", "flag": "flagKey", "segment": "segmentKey"}[kind]
		if !ok || name == "" || strings.ContainsAny(strings.TrimSuffix(key, "*"), "*;,") || key != "*" && strings.HasSuffix(key, "*") {
			return badf("spec: %q names no project, environment, flag or segment; give projectKey, environmentKey, flagKey or segmentKey instead", short(spec, maxNamed))
		}
		if key == "*" || args[name] == key {
			continue
		}
		if args[name] != nil {
			return badf("spec and %s name different ones; give one of them", name)
		}
		args[name] = key
	}
	return nil
}

// aiKinds says which tool has the instructions that update-ai-config-targeting once took all of.
var aiKinds = map[string]string{
	"addTargets": "update-ai-config-individual-targets", "removeTargets": "update-ai-config-individual-targets",
	"clearTargets": "update-ai-config-individual-targets", "replaceTargets": "update-ai-config-individual-targets",
	"updateFallthroughVariationOrRollout": "update-ai-config-rollout",
}

func (t *served) misdirected(args map[string]any) error {
	list, _ := args["instructions"].([]any)
	for n, one := range list {
		i, _ := one.(map[string]any)
		kind, _ := i["kind"].(string)
		if tool := aiKinds[kind]; tool != "" && t.Name == "update-ai-config-targeting-rules" {
			return badf("instructions[%d]: %s is what %s does", n, kind, tool)
		}
	}
	return nil
}

// unwrapAI takes the arguments for AI configs out of the body that LaunchDarkly's
// older local server wrapped them in, such as AIConfigVariationPost, as far as
// they are not given beside it.
func unwrapAI(args map[string]any) {
	for name, v := range args {
		inner, ok := v.(map[string]any)
		if !ok || !strings.HasPrefix(name, "AIConfig") || !strings.HasSuffix(name, "Post") && !strings.HasSuffix(name, "Patch") {
			continue
		}
		flat := maps.Clone(inner)
		if model, ok := inner["model"].(map[string]any); ok {
			delete(flat, "model")
			for part, value := range model {
				if part == "name" || part == "id" { // the model's, not the variation's
					part = "modelName"
				}
				if was, given := flat[part]; given && !reflect.DeepEqual(was, value) {
					return
				}
				flat[part] = value
			}
		}
		for field := range flat {
			if _, given := args[field]; given || field == "model" {
				return // it is not clear which one is meant, and the check says what is unknown
			}
		}
		delete(args, name)
		maps.Copy(args, flat)
		if name == "AIConfigPost" && args["mode"] == nil {
			args["mode"] = "completion" // as LaunchDarkly takes it
		}
		return
	}
}
