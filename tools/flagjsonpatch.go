package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// inFlagPatch is how the older local server took a change of a flag: a JSON
// Patch of the whole flag, which is turned into the same instructions as other tools give.
type inFlagPatch struct {
	atFlag
	Patch flagPatch `json:"PatchWithComment" doc:"The change"`
	because
}

type flagPatch struct {
	Patch   []patchStep `json:"patch" jsonschema:"minItems=1" doc:"JSON Patch of the flag"`
	Comment string      `json:"comment,omitempty" doc:"Why, for the audit log"`
}

type patchStep struct {
	Op    string   `json:"op" jsonschema:"enum=add,enum=replace,enum=remove"`
	Path  string   `json:"path" doc:"JSON Pointer, such as /description or /environments/test/on"`
	Value anyValue `json:"value,omitempty"`
}

// target is one environment only where all of the patch concerns that one.
func (in inFlagPatch) target() ldclient.Target {
	t := in.atFlag.target()
	envs, whole := in.environments()
	if len(envs) == 1 && !whole {
		t.Environment = envs[0]
	}
	return t
}

func (in inFlagPatch) given() because {
	b := in.because
	if b.Comment == "" {
		b.Comment = in.Patch.Comment
	}
	return b
}

// environments lists the environments that a patch names, and whether it changes what is not in one.
func (in inFlagPatch) environments() (envs []string, whole bool) {
	for _, s := range in.Patch.Patch {
		at, err := pointer(s.Path)
		if err != nil || at[0] != "environments" || len(at) < 2 {
			whole = true
		} else if !slices.Contains(envs, at[1]) {
			envs = append(envs, at[1])
		}
	}
	return envs, whole
}

// pointer splits a JSON Pointer.
func pointer(path string) ([]string, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("a path begins with /, such as /description")
	}
	at := strings.Split(path[1:], "/")
	for i := range at {
		at[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(at[i])
	}
	return at, nil
}

// patchedFlag is what such a patch changes. What is the same before and after is left out.
type patchedFlag struct {
	Version      int            `json:"version" doc:"of the flag"`
	Archived     *bool          `json:"archived,omitempty"`
	Deprecated   *bool          `json:"deprecated,omitempty"`
	On           *bool          `json:"on,omitempty"`
	Fallthrough  string         `json:"fallthrough,omitempty"`
	OffVariation string         `json:"offVariation,omitempty"`
	TrackEvents  *bool          `json:"trackEvents,omitempty"`
	Settings     *settingsState `json:"settings,omitempty"`
}

func patchedIn(environment string) func(*ldclient.Flag) patchedFlag {
	return func(f *ldclient.Flag) patchedFlag {
		s := settingsOf(f)
		s.Version = 0
		out := patchedFlag{Version: f.Version, Archived: &f.Archived, Deprecated: &f.Deprecated, Settings: &s}
		if c, ok := f.Environments[environment]; ok {
			out.On, out.Fallthrough, out.TrackEvents = &c.On, serves(f, c.Fallthrough), &c.TrackEvents
			if c.OffVariation != nil {
				out.OffVariation = label(f, *c.OffVariation)
			}
		}
		return out
	}
}

var updateFeatureFlag = update(Spec{
	Name: "update-feature-flag", Title: "Change a flag by JSON Patch", Additive: true,
	StandsFor: []string{"toggle-flag", "update-rollout", "update-off-variation", "update-track-events", "update-flag-settings", "archive-flag", "restore-flag", "deprecate-flag"},
	Action:    "updateOn, updateName, updateDescription, updateTags, updateTemporary, updateMaintainer, updateGlobalArchived, updateFallthrough, updateOffVariation",
	Or:        "updateTargets, updateRules, updatePrerequisites, updateTrackEvents, updateClientSideFlagAvailability, updateFlagCustomProperties, updateFlagVariations, updateFlagDefaultVariations, updateIncludeInSnippet, updateDeprecated",
	Doc:       "Change a flag by a JSON Patch of at most one environment. The older way of toggle-flag, update-flag-settings, update-rollout and archive-flag.",
}, func(ctx context.Context, ld *ldclient.Client, in inFlagPatch) (*plan[patchedFlag], error) {
	envs, _ := in.environments()
	environment := ""
	switch len(envs) {
	case 0:
	case 1:
		environment = envs[0]
		if err := ldclient.CheckKey(environment); err != nil {
			return nil, badf("path: %v", err)
		}
	default:
		return nil, badf("the patch changes %d environments (%s); make one call for each", len(envs), strings.Join(envs, ", "))
	}
	at := in.target()
	f, err := ld.Flags.Get(ctx, at.Project, at.Environment, at.Key)
	if err != nil {
		return nil, err
	}
	c, ok := f.Environments[environment]
	if environment != "" && !ok {
		return nil, absent("environment", environment, keysOfMap(f.Environments))
	}
	t := patchTranslator{settingBuilder: settingBuilder{ld: ld, flag: *f}, at: at, config: c}
	for n, s := range in.Patch.Patch {
		if err := t.step(ctx, s); err != nil {
			var no *ldclient.Error
			var lost *ldclient.TransportError
			if errors.As(err, &no) || errors.As(err, &lost) {
				return nil, err
			}
			return nil, badf("patch[%d] (%s %s): %v", n, s.Op, short(clean(s.Path), 100), err)
		}
	}
	where := "project " + at.Project
	if environment != "" {
		where = fmt.Sprintf("%s of project %s", environment, at.Project)
	}
	says := fmt.Sprintf("change flag %s in %s: %s", at.Key, where, strings.Join(t.says, "; "))
	if environment != "" && at.Environment == "" && len(t.do) == len(t.says) {
		says = fmt.Sprintf("change flag %s of project %s: %s", at.Key, at.Project, inBoth(environment, t.do, t.says))
	}
	p := flagPlan(ld, ldclient.Target{Project: at.Project, Environment: environment, Kind: "flag", Key: at.Key}, f, patchedIn(environment), says, t.do...)
	p.Version = fmt.Sprintf("flag %d", f.Version)
	p.Notes = t.notes
	if at.Environment == "" {
		p.Within = environment
	}
	p.Differ = func(before, after *patchedFlag) {
		if before != nil && after != nil {
			leaveOutSame(before.Settings, after.Settings)
		}
		leaveOutSame(before, after)
	}
	if len(t.do) == 0 {
		p.Nothing = at.Key + " is like this already"
	}
	return p, nil
})

func keysOfMap[T any](m map[string]T) []string {
	var out []string
	for key := range m {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// patchTranslator turns steps of a JSON Patch into instructions.
type patchTranslator struct {
	settingBuilder
	at     ldclient.Target
	config ldclient.FlagConfig // in the one environment of the patch
}

// elsewhere names the tool for what a JSON Patch here does not reach.
var elsewhere = map[string]string{
	"rules": "update-targeting-rules", "targets": "update-individual-targets", "contextTargets": "update-individual-targets",
	"prerequisites": "update-prerequisites", "variations": "update-flag-variations", "defaults": "update-flag-variations",
	"customProperties": "update-flag-settings",
}

func (t *patchTranslator) step(ctx context.Context, s patchStep) error {
	at, err := pointer(s.Path)
	if err != nil {
		return err
	}
	if s.Op != "remove" && s.Value == nil {
		return fmt.Errorf("missing value")
	}
	if at[0] == "environments" {
		if len(at) < 3 {
			return fmt.Errorf("name one field of one environment, such as /environments/test/on")
		}
		return t.environment(s, at[2:])
	}
	field, rest := at[0], at[1:]
	if tool := elsewhere[field]; tool != "" {
		return fmt.Errorf("use %s for this", tool)
	}
	if len(rest) > 1 || len(rest) > 0 && field != "tags" && field != "clientSideAvailability" {
		return fmt.Errorf("there is no such field of a flag; use update-flag-settings")
	}
	setting := func(kind string, value string) error {
		return t.add(ctx, settingInstruction{Kind: kind, Value: &value})
	}
	switch field {
	case "tags":
		return t.tagStep(s, rest)
	case "clientSideAvailability":
		return t.clientSideStep(s, rest)
	case "name", "description", "maintainerId", "maintainerTeamKey":
		text := ""
		if s.Op != "remove" {
			if err := decodeInto(s.Value, &text, "a string"); err != nil {
				return err
			}
		}
		switch {
		case field == "name":
			return setting("updateName", text)
		case field == "description":
			return setting("updateDescription", text)
		case text == "":
			return t.add(ctx, settingInstruction{Kind: "removeMaintainer"})
		case field == "maintainerId":
			return setting("updateMaintainerMember", text)
		}
		return setting("updateMaintainerTeam", text)
	case "temporary", "includeInSnippet", "archived", "deprecated":
		var on bool
		if err := decodeInto(s.Value, &on, "true or false"); err != nil {
			return err
		}
		switch field {
		case "temporary":
			return t.add(ctx, settingInstruction{Kind: map[bool]string{true: "markTemporary", false: "markPermanent"}[on]})
		case "includeInSnippet":
			return t.clientSide("usingEnvironmentId", on)
		}
		return t.lifecycle(ctx, field, on)
	}
	return fmt.Errorf("no tool here changes this; read the flag with get-flag for what there is")
}

func (t *patchTranslator) lifecycle(ctx context.Context, field string, on bool) error {
	f := &t.flag
	switch {
	case field == "archived" && f.Archived != on && on:
		all, err := t.ld.Flags.Get(ctx, t.at.Project, "", t.at.Key)
		if err != nil {
			return err
		}
		notes, err := retirable(ctx, t.ld, t.at, all)
		if err != nil {
			return err
		}
		t.notes = append(t.notes, notes...)
		t.settingBuilder.step(ldclient.ArchiveFlag(), "archive it%s", onIn(all))
	case field == "archived" && f.Archived != on:
		t.settingBuilder.step(ldclient.RestoreFlag(), "restore it from the archive")
	case field == "deprecated" && f.Deprecated != on && on:
		t.settingBuilder.step(ldclient.DeprecateFlag(), "mark it as deprecated")
	case field == "deprecated" && f.Deprecated != on:
		t.settingBuilder.step(ldclient.RestoreDeprecatedFlag(), "mark it as no longer deprecated")
	}
	if field == "archived" {
		f.Archived = on
	} else {
		f.Deprecated = on
	}
	return nil
}

// decodeInto reads a value that must be of one type.
func decodeInto(raw anyValue, v any, what string) error {
	if raw == nil || json.Unmarshal(raw, v) != nil || jsonType(json.RawMessage(raw)) == "null" {
		return fmt.Errorf("value must be %s", what)
	}
	return nil
}

func (t *patchTranslator) tagStep(s patchStep, rest []string) error {
	have := t.flag.Tags
	if len(rest) == 0 {
		var want []string
		if s.Op != "remove" {
			if err := decodeInto(s.Value, &want, "an array of tags"); err != nil {
				return err
			}
		}
		if err := t.tags(false, slices.DeleteFunc(slices.Clone(have), func(tag string) bool { return slices.Contains(want, tag) })); err != nil {
			return err
		}
		return t.tags(true, want)
	}
	if s.Op != "add" {
		n, err := strconv.Atoi(rest[0])
		if err != nil || n < 0 || n >= len(have) {
			return fmt.Errorf("the flag has no tag at %q", rest[0])
		}
		if err := t.tags(false, have[n:n+1]); err != nil || s.Op == "remove" {
			return err
		}
	}
	var tag string
	if err := decodeInto(s.Value, &tag, "a tag"); err != nil {
		return err
	}
	return t.tags(true, []string{tag})
}

func (t *patchTranslator) clientSideStep(s patchStep, rest []string) error {
	want := map[string]bool{}
	if len(rest) == 1 {
		var on bool
		if err := decodeInto(s.Value, &on, "true or false"); err != nil {
			return err
		}
		want[rest[0]] = on
	} else if err := decodeInto(s.Value, &want, "an object of usingMobileKey and usingEnvironmentId"); err != nil {
		return err
	}
	for _, sdk := range keysOfMap(want) {
		if err := t.clientSide(sdk, want[sdk]); err != nil {
			return err
		}
	}
	return nil
}

// environment takes a step on one field of the environment.
func (t *patchTranslator) environment(s patchStep, at []string) error {
	f, c := &t.flag, &t.config
	if tool := elsewhere[at[0]]; tool != "" {
		return fmt.Errorf("use %s for this", tool)
	}
	if s.Op == "remove" {
		return fmt.Errorf("this cannot be removed here; give it another value")
	}
	switch strings.Join(at, "/") {
	case "on", "trackEvents":
		var on bool
		if err := decodeInto(s.Value, &on, "true or false"); err != nil {
			return err
		}
		if at[0] == "trackEvents" {
			if c.TrackEvents != on {
				t.settingBuilder.step(ldclient.UpdateTrackEvents(on), "set event tracking to %t", on)
			}
			c.TrackEvents = on
			return nil
		}
		if c.On == on {
			return nil
		}
		then := *c
		then.On = on
		do, word := ldclient.TurnFlagOff(), "off"
		if on {
			do, word = ldclient.TurnFlagOn(), "on"
		}
		t.settingBuilder.step(do, "turn it %s, so that contexts get by default %s instead of %s", word, serving(f, then), serving(f, *c))
		c.On = on
	case "offVariation":
		n, err := t.index(s.Value)
		if err != nil {
			return err
		}
		if c.OffVariation != nil && *c.OffVariation == n {
			return nil
		}
		t.settingBuilder.step(ldclient.UpdateOffVariation(f.Variations[n].ID), "serve %s while it is off", label(f, n))
		c.OffVariation = &n
	case "fallthrough", "fallthrough/variation", "fallthrough/rollout":
		return t.fallthroughStep(s, at)
	default:
		return fmt.Errorf("there is no such field of an environment; there are on, offVariation, fallthrough and trackEvents")
	}
	return nil
}

// index reads the index of a variation, which is how JSON Patch names them.
func (t *patchTranslator) index(raw anyValue) (int, error) {
	n := -1
	if err := decodeInto(raw, &n, "the index of a variation"); err != nil {
		return 0, err
	}
	if n < 0 || n >= len(t.flag.Variations) {
		return 0, fmt.Errorf("the flag has the variations 0 to %d", len(t.flag.Variations)-1)
	}
	return n, nil
}

func (t *patchTranslator) fallthroughStep(s patchStep, at []string) error {
	f, c := &t.flag, &t.config
	if c.Fallthrough.InExperiment() {
		return fmt.Errorf("an experiment runs on the default rule; stop it first")
	}
	var want ldclient.RuleServe
	switch at[len(at)-1] {
	case "variation":
		n, err := t.index(s.Value)
		if err != nil {
			return err
		}
		want.Variation = &n
	case "rollout":
		if err := decodeInto(s.Value, &want.Rollout, "a rollout"); err != nil {
			return err
		}
	default:
		if err := decodeInto(s.Value, &want, "an object with variation or rollout"); err != nil {
			return err
		}
	}
	var serve ldclient.Serve
	switch {
	case (want.Variation == nil) == (want.Rollout == nil):
		return fmt.Errorf("give either variation or rollout")
	case want.Variation != nil:
		n, err := t.index(anyValue(mustJSON(*want.Variation)))
		if err != nil {
			return err
		}
		serve.VariationID = f.Variations[n].ID
	default:
		serve = ldclient.Serve{Weights: map[string]int{}, BucketBy: want.Rollout.BucketBy, ContextKind: want.Rollout.ContextKind}
		sum := 0
		for _, w := range want.Rollout.Variations {
			if _, err := t.index(anyValue(mustJSON(w.Variation))); err != nil {
				return err
			}
			if _, twice := serve.Weights[f.Variations[w.Variation].ID]; twice || w.Weight < 0 {
				return fmt.Errorf("each variation may have one weight, which is not negative")
			}
			serve.Weights[f.Variations[w.Variation].ID] = w.Weight
			sum += w.Weight
		}
		if sum != whole {
			return fmt.Errorf("the weights of a rollout are thousandths of a percent and must add up to %d, got %d", whole, sum)
		}
	}
	was := serves(f, c.Fallthrough)
	if serves(f, want) == was && want.Variation != nil {
		return nil
	}
	t.settingBuilder.step(ldclient.UpdateFallthrough(serve), "serve by default %s instead of %s", serves(f, want), was)
	c.Fallthrough = want
	return nil
}
