package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// apply carries out a JSON Patch or merge patch on a document and returns the
// paths that it changes, each split at its slashes.
func (b patchBody) apply(doc json.RawMessage) (out []byte, paths [][]string, _ *apiError) {
	if b.Merge != nil {
		if b.Merge[0] != '{' {
			return nil, nil, invalidPatch("invalid merge patch: expected an object")
		}
		out, err := jsonpatch.MergePatch(doc, b.Merge)
		if err != nil {
			return nil, nil, invalidPatch("invalid merge patch: %v", err)
		}
		return out, mergePaths(nil, b.Merge), nil
	}
	patch, err := jsonpatch.DecodePatch(b.Patch)
	if err != nil {
		return nil, nil, invalidPatch("invalid JSON patch: expected an array of operations: %v", err)
	}
	for _, op := range patch {
		if op.Kind() == "test" {
			continue
		}
		path, err := op.Path()
		if err != nil || !strings.HasPrefix(path, "/") {
			return nil, nil, invalidPatch("invalid JSON patch path %q", path)
		}
		paths = append(paths, strings.Split(path[1:], "/"))
		if from, err := op.From(); err == nil && op.Kind() == "move" {
			paths = append(paths, strings.Split(strings.TrimPrefix(from, "/"), "/"))
		}
	}
	out, err = patch.Apply(doc)
	if errors.Is(err, jsonpatch.ErrTestFailed) {
		return nil, nil, &apiError{http.StatusConflict, "optimistic_locking_error", "a test operation of the JSON patch failed: the resource has changed"}
	}
	if err != nil {
		return nil, nil, invalidPatch("could not apply the JSON patch: %v", err)
	}
	return out, paths, nil
}

// mergePaths lists the members of a merge patch, those of environments by their own fields.
func mergePaths(at []string, merge json.RawMessage) [][]string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(merge, &fields) != nil || fields == nil {
		return [][]string{at}
	}
	var out [][]string
	for name, value := range fields {
		path := append(slices.Clone(at), name)
		if path[0] == "environments" && len(path) < 3 {
			out = append(out, mergePaths(path, value)...)
			continue
		}
		out = append(out, path)
	}
	return out
}

var flagFields = []string{
	"name", "description", "tags", "temporary", "archived", "deprecated", "variations", "defaults",
	"clientSideAvailability", "includeInSnippet", "customProperties", "maintainerId", "maintainerTeamKey",
}

var configFields = []string{
	"on", "offVariation", "rules", "targets", "contextTargets", "prerequisites", "fallthrough",
	"trackEvents", "trackEventsFallthrough",
}

// patchFlagJSON returns f as a JSON Patch or merge patch would leave it, and
// the role actions for what differs. It answers for approvals too, because such a patch may span environments.
func (a *Account) patchFlagJSON(p *project, f *flag, body patchBody) (*flag, []string, *apiError) {
	doc, paths, err := body.apply(jsonValue(a.flagView(p, f, everyEnvironment)))
	if err != nil {
		return nil, nil, err
	}
	for _, path := range paths {
		if err := p.patchable(path); err != nil {
			return nil, nil, err
		}
	}
	var next flag
	if err := json.Unmarshal(doc, &next); err != nil {
		return nil, nil, invalidPatch("the patched flag is not a valid flag: %v", err)
	}
	g := f.clone()
	if err := a.takeSettings(p, f, g, &next); err != nil {
		return nil, nil, err
	}
	for key, c := range g.Environments {
		n := next.Environments[key]
		if n == nil {
			continue
		}
		if slices.Contains(n.Rules, nil) {
			return nil, nil, invalidPatch("a rule must be an object")
		}
		c.On, c.OffVariation, c.Fallthrough = n.On, n.OffVariation, n.Fallthrough
		c.Rules, c.Targets, c.ContextTargets, c.Prerequisites = n.Rules, n.Targets, n.ContextTargets, n.Prerequisites
		c.TrackEvents, c.TrackEventsFallthrough = n.TrackEvents, n.TrackEventsFallthrough
	}
	a.completeFlag(g)
	if err := a.finishFlag(p, f, g); err != nil {
		return nil, nil, err
	}
	actions := settingActions(f, g)
	for _, e := range p.Envs {
		changed := configActions(f.Environments[e.Key], g.Environments[e.Key])
		if err := a.flagApproval(e, f, changed); err != nil {
			return nil, nil, err
		}
		for _, action := range changed {
			if !slices.Contains(actions, action) {
				actions = append(actions, action)
			}
		}
	}
	return g, actions, nil
}

// patchable refuses paths that are read-only or unknown.
func (p *project) patchable(path []string) *apiError {
	switch {
	case path[0] == "releasePipelineKey":
		return invalidPatch("the release pipeline does not exist in project '%s'", p.Key)
	case path[0] != "environments" && slices.Contains(flagFields, path[0]):
		return nil
	case path[0] == "environments" && len(path) > 2 && slices.Contains(configFields, path[2]):
		if p.env(path[1]) == nil {
			return invalidPatch("unknown environment '%s' in the path", path[1])
		}
		return nil
	}
	return invalidPatch("the path '/%s' is unknown or read-only", strings.Join(path, "/"))
}

// takeSettings copies what a patch may change project-wide from next, a flag decoded from the patched document.
func (a *Account) takeSettings(p *project, f, g, next *flag) *apiError {
	g.Name, g.Description, g.Tags, g.Temporary = next.Name, next.Description, next.Tags, next.Temporary
	g.Defaults, g.CustomProperties = next.Defaults, next.CustomProperties
	g.MaintainerID, g.MaintainerTeamKey = next.MaintainerID, next.MaintainerTeamKey
	switch { // naming a new maintainer of one sort removes the other
	case g.MaintainerID != f.MaintainerID && g.MaintainerID != "":
		g.MaintainerTeamKey = ""
	case g.MaintainerTeamKey != f.MaintainerTeamKey && g.MaintainerTeamKey != "":
		g.MaintainerID = ""
	}
	g.ClientSideAvailability = next.ClientSideAvailability
	if next.IncludeInSnippet != f.IncludeInSnippet {
		g.ClientSideAvailability.UsingEnvironmentID = next.IncludeInSnippet
	}
	g.IncludeInSnippet = g.ClientSideAvailability.UsingEnvironmentID
	g.Variations = next.Variations
	for i := range g.Variations {
		v := &g.Variations[i]
		if v.Value == nil {
			return invalidPatch("variation %d has no value", i)
		}
		old := slices.IndexFunc(f.Variations, func(o variation) bool { return sameJSON(o.Value, v.Value) })
		if v.ID == "" && old >= 0 {
			v.ID = f.Variations[old].ID
		}
	}
	if g.Deprecated = next.Deprecated; g.Deprecated != f.Deprecated {
		g.DeprecatedDate = 0
		if g.Deprecated {
			g.DeprecatedDate = a.tick()
		}
	}
	if g.Archived = next.Archived; g.Archived != f.Archived {
		return a.completeArchive(p, g)
	}
	return nil
}
