package contract

import (
	"errors"
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// kinds are the instruction kinds that an operation takes; true needs an environmentKey.
type kinds map[string]bool

func names(needEnvironment bool, list ...string) kinds {
	out := kinds{}
	for _, name := range list {
		out[name] = needEnvironment
	}
	return out
}

func union(sets ...kinds) kinds {
	out := kinds{}
	for _, set := range sets {
		for name, env := range set {
			out[name] = env
		}
	}
	return out
}

var (
	flagKinds = union(
		names(true,
			"turnFlagOn", "turnFlagOff",
			"addRule", "removeRule", "replaceRules", "reorderRules", "updateRuleVariationOrRollout", "updateRuleDescription",
			"updateRuleTrackEvents", "addClauses", "removeClauses", "updateClause", "addValuesToClause", "removeValuesFromClause",
			"updateFallthroughVariationOrRollout", "updateOffVariation",
			"addTargets", "removeTargets", "replaceTargets", "clearTargets",
			"addUserTargets", "removeUserTargets", "replaceUserTargets", "clearUserTargets",
			"addPrerequisite", "updatePrerequisite", "removePrerequisite", "replacePrerequisites",
			"updateTrackEvents", "updateTrackEventsFallthrough",
			"startAutomatedRelease", "stopAutomatedRelease", // work, but the document does not name them
		),
		names(false,
			"addVariation", "removeVariation", "updateVariation", "updateDefaultVariation",
			"updateName", "updateDescription", "addTags", "removeTags", "makeFlagTemporary", "makeFlagPermanent",
			"turnOnClientSideAvailability", "turnOffClientSideAvailability",
			"addCustomProperties", "replaceCustomProperties", "removeCustomProperties",
			"updateMaintainerMember", "updateMaintainerTeam", "removeMaintainer",
			"archiveFlag", "restoreFlag", "deprecateFlag", "restoreDeprecatedFlag", "deleteFlag",
		))
	segmentKinds = names(true,
		"updateName", "addTags", "removeTags",
		"addIncludedTargets", "removeIncludedTargets", "addExcludedTargets", "removeExcludedTargets",
		"addIncludedUsers", "removeIncludedUsers", "addExcludedUsers", "removeExcludedUsers",
		"addRule", "removeRule", "reorderRules", "addClauses", "removeClauses", "updateClause",
		"addValuesToClause", "removeValuesFromClause", "updateRuleDescription", "updateRuleRolloutAndContextKind",
		"addBigSegmentIncludedTargets", "removeBigSegmentIncludedTargets",
		"addBigSegmentExcludedTargets", "removeBigSegmentExcludedTargets", "processBigSegmentImport",
	)
	expiringTargets     = names(false, "addExpiringTarget", "updateExpiringTarget", "removeExpiringTarget")
	expiringUserTargets = names(false, "addExpireUserTargetDate", "updateExpireUserTargetDate", "removeExpireUserTargetDate")
	approvalKinds       = names(false, "addReviewers", "updateDescription")
)

// patchKinds are the operations that take a semantic patch. Those without kinds
// of their own are checked for the patch's form only.
var patchKinds = map[string]kinds{
	"patchFeatureFlag":                   flagKinds,
	"patchSegment":                       segmentKinds,
	"patchExpiringTargets":               expiringTargets,
	"patchExpiringUserTargets":           expiringUserTargets,
	"patchExpiringTargetsForSegment":     expiringTargets,
	"patchExpiringUserTargetsForSegment": expiringUserTargets,
	"patchExpiringFlagsForUser":          expiringUserTargets,
	"patchApprovalRequest":               approvalKinds,
	"patchFlagConfigApprovalRequest":     approvalKinds,
	"patchTriggerWorkflow":               names(false, "replaceTriggerActionInstructions", "cycleTriggerUrl", "disableTrigger", "enableTrigger"),
	"patchFlagConfigScheduledChange": names(false,
		"deleteScheduledChange", "replaceScheduledChangesInstructions", "updateScheduledChangesExecutionDate"),
	"patchMembers": names(false, "replaceMembersRoles", "replaceAllMembersRoles", "replaceMembersCustomRoles",
		"replaceAllMembersCustomRoles", "replaceMembersRoleAttributes"),
	"patchTeam": names(false, "addMembers", "removeMembers", "replaceMembers", "addCustomRoles", "removeCustomRoles",
		"addPermissionGrants", "removePermissionGrants", "addRoleAttribute", "updateRoleAttribute", "removeRoleAttribute",
		"replaceRoleAttributes", "updateName", "updateDescription"),
	"patchTeams":             names(false, "addMembersToTeams", "addAllMembersToTeams"),
	"patchExperiment":        nil,
	"patchHoldout":           nil,
	"updateLayer":            nil,
	"patchAIConfigTargeting": nil,
}

// plainPatches are the operations that take a JSON Patch or a merge patch as well.
var plainPatches = map[string]bool{"patchFeatureFlag": true, "patchSegment": true}

func hasInstructions(v any) bool {
	body, _ := v.(map[string]any)
	_, has := body["instructions"]
	return has
}

// checkSemanticPatch checks a body with instructions; declared tells whether the media type says that it is one.
func checkSemanticPatch(allowed kinds, declared bool, v any) error {
	if !declared {
		return errors.New("a semantic patch needs the media type parameter domain-model=launchdarkly.semanticpatch")
	}
	if !hasInstructions(v) {
		return errors.New("a semantic patch has instructions, this body has none")
	}
	body := v.(map[string]any)
	for name := range body {
		if !slices.Contains([]string{"comment", "environmentKey", "instructions", "ignoreConflicts"}, name) {
			return fmt.Errorf("a semantic patch has no field %s", name)
		}
	}
	list, ok := body["instructions"].([]any)
	if !ok || len(list) == 0 {
		return errors.New("instructions is not a list of at least one")
	}
	env, _ := body["environmentKey"].(string)
	for i, one := range list {
		fields, _ := one.(map[string]any)
		kind, _ := fields["kind"].(string)
		needsEnv, known := allowed[kind]
		switch {
		case kind == "":
			return fmt.Errorf("instruction %d has no kind", i)
		case allowed != nil && !known:
			return fmt.Errorf("instruction %d: no kind %s is documented here", i, kind)
		case needsEnv && env == "":
			return fmt.Errorf("instruction %d: kind %s needs environmentKey", i, kind)
		}
	}
	return nil
}

// checkPlainPatch checks a JSON Patch, with or without a comment, or a merge patch.
func (c *Checker) checkPlainPatch(v any) error {
	switch v := v.(type) {
	case []any:
		return checkValue(c.schemas["JSONPatch"], v)
	case map[string]any:
		if _, ok := v["patch"]; ok {
			return checkValue(c.schemas["PatchWithComment"], v)
		}
		return nil
	}
	return errors.New("a patch is neither a list nor an object")
}

// repeatable are the query parameters that the document declares as one string, but that may be repeated.
var repeatable = map[string]bool{
	"getFeatureFlags env":                        true,
	"getFeatureFlag env":                         true,
	"getFeatureFlagStatusAcrossEnvironments env": true,
}

// correct sets the document's known mistakes right.
func correct(doc *openapi3.T) error {
	schemas := doc.Components.Schemas
	field := func(schema, name string) (*openapi3.SchemaRef, error) {
		if s := schemas[schema]; s != nil && s.Value.Properties[name] != nil {
			return s.Value.Properties[name], nil
		}
		return nil, fmt.Errorf("the document has no %s.%s", schema, name)
	}
	// A flag that was never requested has a null here.
	for _, schema := range []string{"FlagStatusRep", "FeatureFlagStatus"} {
		f, err := field(schema, "lastRequested")
		if err != nil {
			return err
		}
		f.Value.Nullable = true
	}
	// Views can be named on creation.
	viewKeys := openapi3.NewSchemaRef("", openapi3.NewArraySchema().WithItems(openapi3.NewStringSchema()))
	for _, schema := range []string{"FeatureFlagBody", "SegmentBody"} {
		if schemas[schema] == nil {
			return fmt.Errorf("the document has no %s", schema)
		}
		schemas[schema].Value.Properties["viewKeys"] = viewKeys
	}
	return nil
}
