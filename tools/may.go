package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// actions that LaunchDarkly documents, by the kind of resource they are on, as far as tools need them.
var actions = map[string][]string{
	"proj": {"createProject", "deleteProject", "updateProjectName", "updateTags", "updateDefaultClientSideAvailability", "updateIncludeInSnippetByDefault",
		"updateProjectFlagDefaults", "updateDefaultReleasePipeline"},
	"env": {"createEnvironment", "deleteEnvironment", "updateName", "updateColor", "updateTtl", "updateSecureMode", "updateDefaultTrackEvents", "updateTags",
		"updateRequireComments", "updateConfirmChanges", "updateCritical", "updateApprovalSettings"},
	"member": {"createMember"},
	"flag": {"updateOn", "updateTargets", "updateRules", "updateFallthrough", "updateOffVariation", "updatePrerequisites", "updateExpiringTargets",
		"updateScheduledChanges", "updateFallthroughWithMeasuredRollout", "updateRulesWithMeasuredRollout", "stopMeasuredRolloutOnFlagFallthrough",
		"stopMeasuredRolloutOnFlagRule", "createTriggers", "updateTriggers", "deleteTriggers", "updateTrackEvents", "updateFlagRuleDescription",
		"updateFlagFallthroughTrackEvents", "copyFlagConfigFrom", "copyFlagConfigTo", "createFlag", "deleteFlag", "updateName", "updateDescription",
		"updateTags", "updateTemporary", "updateMaintainer", "updateFlagVariations", "updateFlagCustomProperties", "updateIncludeInSnippet",
		"updateClientSideFlagAvailability", "updateFlagDefaultVariations", "updateGlobalArchived", "createApprovalRequest", "updateApprovalRequest",
		"reviewApprovalRequest", "applyApprovalRequest", "deleteApprovalRequest"},
	"aiconfig": {"createAIConfig", "updateAIConfig", "deleteAIConfig", "updateAIConfigVariation", "deleteAIConfigVariation", "updateAIConfigTargeting",
		"createApprovalRequest", "updateApprovalRequest", "reviewApprovalRequest", "applyApprovalRequest", "deleteApprovalRequest"},
	"prompt-snippet": {"createPromptSnippet", "updatePromptSnippet", "deletePromptSnippet"},
	"agent-graph":    {"createAgentGraph", "updateAgentGraph", "deleteAgentGraph"},
	"metric": {"createMetric", "deleteMetric", "updateName", "updateDescription", "updateTags", "updateMaintainer", "updateEventKey", "updateEventDefault",
		"updateNumeric", "updateNumericSuccess", "updateNumericUnit", "updateOn", "updateRandomizationUnits", "updateSelector", "updateUnitAggregationType",
		"updateUrls", "updateArchived", "updateAnalysisType"},
	"metric-group": {"createMetricGroup", "deleteMetricGroup", "updateMetricGroupName", "updateMetricGroupDescription", "updateMetricGroupTags",
		"updateMetricGroupMaintainer", "updateMetricGroupMetrics"},
	"segment": {"createSegment", "deleteSegment", "updateName", "updateDescription", "updateTags", "updateIncluded", "updateExcluded", "updateRules",
		"updateExpiringTargets", "updateScheduledChanges", "createApprovalRequest", "updateApprovalRequest", "reviewApprovalRequest",
		"applyApprovalRequest", "deleteApprovalRequest"},
	"experiment": {"createExperiment", "updateExperiment", "updateExperimentArchived"},
}

// Actions that readers may have without a role that says so.
var unsure = []string{"manageFlagFollowers"}

// Actions whose effect on each environment of the project is documented: a token needs them in all.
var everywhere = []string{"createFlag", "deleteFlag", "cloneFlag", "updateName", "updateDescription", "updateTags", "updateTemporary", "updateMaintainer",
	"updateFlagVariations", "updateFlagCustomProperties", "updateIncludeInSnippet"}

// instructionActions are the actions that instructions on a flag, or on a segment, need for certain.
var instructionActions = map[string]map[string]string{
	"flag": {
		"turnFlagOn": "updateOn", "turnFlagOff": "updateOn", "addRule": "updateRules", "removeRule": "updateRules", "replaceRules": "updateRules",
		"reorderRules": "updateRules", "updateRuleVariationOrRollout": "updateRules", "addClauses": "updateRules", "removeClauses": "updateRules",
		"updateClause": "updateRules", "addValuesToClause": "updateRules", "removeValuesFromClause": "updateRules",
		"updateFallthroughVariationOrRollout": "updateFallthrough", "addTargets": "updateTargets", "removeTargets": "updateTargets",
		"replaceTargets": "updateTargets", "clearTargets": "updateTargets", "addUserTargets": "updateTargets", "removeUserTargets": "updateTargets",
		"replaceUserTargets": "updateTargets", "addPrerequisite": "updatePrerequisites", "updatePrerequisite": "updatePrerequisites",
		"removePrerequisite": "updatePrerequisites", "replacePrerequisites": "updatePrerequisites", "updateOffVariation": "updateOffVariation",
		"updateTrackEvents": "updateTrackEvents", "addVariation": "updateFlagVariations", "removeVariation": "updateFlagVariations",
		"updateVariation": "updateFlagVariations", "updateName": "updateName", "updateDescription": "updateDescription", "addTags": "updateTags",
		"removeTags": "updateTags", "makeFlagTemporary": "updateTemporary", "makeFlagPermanent": "updateTemporary",
		"updateMaintainerMember": "updateMaintainer", "addCustomProperties": "updateFlagCustomProperties",
		"replaceCustomProperties": "updateFlagCustomProperties", "removeCustomProperties": "updateFlagCustomProperties",
		"archiveFlag": "updateGlobalArchived", "restoreFlag": "updateGlobalArchived", "deleteFlag": "deleteFlag",
	},
	"segment": {
		"addIncludedTargets": "updateIncluded", "removeIncludedTargets": "updateIncluded", "addIncludedUsers": "updateIncluded",
		"removeIncludedUsers": "updateIncluded", "addExcludedTargets": "updateExcluded", "removeExcludedTargets": "updateExcluded",
		"addExcludedUsers": "updateExcluded", "removeExcludedUsers": "updateExcluded", "addRule": "updateRules", "removeRule": "updateRules",
		"reorderRules": "updateRules", "addClauses": "updateRules", "removeClauses": "updateRules", "updateClause": "updateRules",
		"updateName": "updateName", "updateDescription": "updateDescription", "addTags": "updateTags", "removeTags": "updateTags",
	},
}

// kindsOf tells on which kinds of resource a tool's actions are, none where
// that is not known: what its declaration says, else what its arguments name.
func kindsOf(t Tool) []string {
	if t.On != "" {
		return strings.Split(t.On, ", ")
	}
	in := t.code.in()
	if json.Unmarshal([]byte(`{"projectKey":"p","environmentKey":"e","flagKey":"f","segmentKey":"s","key":"k"}`), in) != nil {
		return nil
	}
	if _, later := in.(interface{ knownLater() }); later {
		return nil
	}
	target, ok := in.(interface{ target() ldclient.Target })
	if !ok {
		return nil
	}
	spec := target.target().String()
	if strings.HasSuffix(spec, "/") { // the key is an argument of another name
		spec += "k"
	}
	resource, err := policy.ParseResource(spec)
	if err != nil || resource.Kind() == "acct" { // an account is what is left when nothing else is named
		return nil
	}
	if resource.Kind() == "ai-tool" { // what policies call it is not documented
		return nil
	}
	return []string{resource.Kind()}
}

// neverOf finds the tools that the token can certainly never use, and says why.
func (s *Server) neverOf(k *knowledge) map[string]string {
	out := map[string]string{}
	for _, t := range s.tools {
		if t.hidden != "" { // it is not listed anyway, so that clients need not be told
			continue
		}
		if why, never := k.rulesOut(t.Tool); never {
			out[t.Name] = why
		}
	}
	return out
}

// rulesOut tells why the token can certainly never use a tool.
func (k *knowledge) rulesOut(t Tool) (string, bool) {
	kinds := kindsOf(t)
	if t.Effect == Read {
		return k.unseen(kinds)
	}
	var reasons []string
	var tried []need
	for _, kind := range kinds {
		for _, action := range splitActions(t) {
			if slices.Contains(unsure, action) {
				return "", false
			}
			if !slices.Contains(actions[kind], action) {
				action = policy.AnyChange // what it needs is not documented
			}
			could, because := k.who.CouldEver(action, kind)
			if could {
				return "", false
			}
			action = cmp.Or(action, "any change of a "+kind)
			tried = append(tried, need{action: action})
			reasons = append(reasons, k.because(action, "", because))
		}
	}
	switch len(slices.Compact(slices.Clone(reasons))) {
	case 0:
		return "", false
	case 1:
		return reasons[0], true
	}
	return fmt.Sprintf("its roles allow none of %s (%s)", someOf(tried), strings.Join(k.roleNames(), ", ")), true
}

// unseen tells why a tool that reads in a project can never be used.
func (k *knowledge) unseen(kinds []string) (string, bool) {
	if len(kinds) == 0 || !slices.Contains([]string{"proj", "env", "flag", "segment"}, kinds[0]) {
		return "", false
	}
	could, because := k.who.CouldEver("viewProject", "proj")
	if could {
		return "", false
	}
	return k.because("viewProject", "", because), true
}

// splitActions lists the actions of which a tool needs one at least.
func splitActions(t Tool) []string {
	all := t.Action
	if t.Or != "" {
		all += ", " + t.Or
	}
	return strings.Split(all, ", ")
}

// whyHidden tells why a tool is not listed, "" when it is: what the operator decided, or what the token can never do.
func (s *Server) whyHidden(t *served) string {
	if t.hidden != "" {
		return t.hidden
	}
	if never, ok := s.knows().hidden()[t.Name]; ok {
		return "the token can never use it, for " + never
	}
	return ""
}

// refusedFor tells which statement or role refused a call, "" where that is not certain.
func (c *call) refusedFor(ctx context.Context) string {
	k := c.srv.knows()
	if k == nil {
		return ""
	}
	wanted, all := []need{{"", c.target}}, true
	if c.tool.Effect != Read {
		wanted, all = c.wanted()
	}
	var reasons []string
	for _, w := range wanted {
		why := k.refuses(ctx, c.ld, w.at, w.action)
		if why != "" && all {
			return why
		}
		if why == "" && !all { // it is enough by itself
			reasons = nil
			break
		}
		reasons = append(reasons, why)
	}
	switch slices.Sort(reasons); {
	case all || len(reasons) == 0:
		c.srv.may.again()
		return ""
	case len(slices.Compact(slices.Clone(reasons))) == 1:
		return reasons[0]
	}
	return fmt.Sprintf("the token may do none of %s on %s", someOf(wanted), c.target)
}

// someOf lists actions for people.
func someOf(list []need) string {
	const most = 6
	names := keysOf(list, func(n need) string { return n.action })
	if n := len(names) - most; n > 1 {
		return fmt.Sprintf("%s and %d more actions", strings.Join(names[:most], ", "), n)
	}
	return strings.Join(names, ", ")
}

// wanted is what a call needs: all of it, or else one of it at least. None when it is not known.
func (c *call) wanted() (list []need, all bool) {
	if len(c.needs) > 0 {
		return c.needs, true
	}
	if c.tool.Action == anyAction { // one of any, and nobody knows which
		return nil, true
	}
	if len(c.does) == 0 || c.target.Kind == ldclient.AIConfigKind { // all of its instructions need one action
		for _, action := range splitActions(c.tool.Tool) {
			list = append(list, need{action, c.target})
		}
		return list, len(list) == 1
	}
	for _, i := range c.does {
		action := instructionActions[c.target.Kind][i.Kind()]
		if action == "" {
			return nil, true
		}
		if n := (need{action, c.target}); !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list, true
}

// allowances says what LaunchDarkly must allow a call, where it is not known what of it is refused.
func (c *call) allowances() string {
	list, all := c.wanted()
	if c.tool.Action == anyAction {
		return fmt.Sprintf("to allow this operation on %s", c.target)
	}
	if len(list) == 0 {
		for _, action := range splitActions(c.tool.Tool) {
			list = append(list, need{action, c.target})
		}
		all = len(list) == 1
	}
	var says []string
	for _, n := range list {
		says = append(says, fmt.Sprintf("the action %q on %s", n.action, n.at))
	}
	if all {
		return strings.Join(says, " and ")
	}
	return fmt.Sprintf("at least one of the actions %s on %s", someOf(list), c.target)
}

// refuses tells why an action on t, or viewing its project where action is "",
// is certainly refused.
func (k *knowledge) refuses(ctx context.Context, ld *ldclient.Client, t ldclient.Target, action string) string {
	if t.Project == "" {
		return ""
	}
	if action == "" {
		action, t = "viewProject", ldclient.Target{Project: t.Project}
	}
	if t.Kind == ldclient.AIConfigKind {
		return k.refusesAIConfig(ctx, ld, t, action)
	}
	var needs []policy.Need
	for _, r := range k.resources(ctx, ld, t, action) {
		needs = append(needs, policy.Need{Action: action, Resource: r})
	}
	v, why, at := k.who.CanAll(needs)
	if v != policy.No {
		return ""
	}
	return k.because(action, needs[at].Resource.String(), why)
}

// resources are what an action on t needs a permission on, with as much of
// them read as some statement asks for. An environment that is not named
// stands for each of the project's where the action reaches all.
func (k *knowledge) resources(ctx context.Context, ld *ldclient.Client, t ldclient.Target, action string) []policy.Resource {
	r, err := policy.ParseResource(t.String())
	if err != nil {
		return nil
	}
	if k.uses("proj") {
		if p, err := ld.Projects.Get(ctx, t.Project); err == nil {
			r = r.With("proj", policy.Facts{Tags: p.Tags})
		}
	}
	if t.Kind == "flag" && k.uses("flag") {
		if f, err := ld.Flags.Get(ctx, t.Project, t.Environment, t.Key); err == nil {
			r = r.With("flag", policy.Facts{Tags: f.Tags})
		}
	}
	if t.Kind == ldclient.AIConfigKind && k.uses("aiconfig") {
		if c, err := ld.AIConfigs.Get(ctx, t.Project, t.Key); err == nil {
			r = r.With("aiconfig", policy.Facts{Tags: c.Tags})
		}
	}
	if t.Kind == "segment" && t.Environment != "" && k.uses("segment") {
		if s, err := ld.Segments.Get(ctx, t.Project, t.Environment, t.Key); err == nil {
			r = r.With("segment", policy.Facts{Tags: s.Tags})
		}
	}
	all := t.Environment == "" && slices.Contains(everywhere, action) && t.Kind == "flag"
	if !all && (t.Environment == "" || !k.uses("env")) {
		return []policy.Resource{r}
	}
	envs, err := touched(ctx, ld, t)
	if err != nil {
		return []policy.Resource{r}
	}
	var out []policy.Resource
	for _, e := range envs {
		out = append(out, r.Named("env", e.Key).With("env", policy.Facts{Tags: e.Tags, Critical: e.Critical.Known()}))
	}
	return out
}

func (k *knowledge) uses(kind string) bool {
	return slices.ContainsFunc(slices.Concat(k.who.Token, k.who.Owner), func(r policy.Role) bool { return r.Uses(kind) })
}

// mayBypassApproval tells whether the token may change t although the environment requires an approval.
func (s *Server) mayBypassApproval(ctx context.Context, t ldclient.Target) policy.Verdict {
	action := map[string]string{"flag": "bypassRequiredApproval", "segment": "bypassRequiredSegmentApproval"}[t.Kind]
	k := s.knows()
	if k == nil || action == "" || t.Environment == "" {
		return policy.Unknown
	}
	v := policy.Yes
	for _, r := range k.resources(ldclient.WithoutWrites(ctx), s.opts.Client, t, action) {
		got, _ := k.who.Can(action, r)
		v = min(v, got)
	}
	return v
}

// mayWrite lists in words what the token might change, by kind of resource.
func (k *knowledge) mayWrite() []string {
	out := []string{}
	for _, kind := range []string{"proj", "env", "flag", "segment"} {
		var may []string
		for _, action := range actions[kind] {
			if could, _ := k.who.CouldEver(action, kind); could {
				may = append(may, action)
			}
		}
		const most = 6
		switch {
		case len(may) == 0:
		case len(may) == len(actions[kind]):
			out = append(out, kind+": everything")
		case len(may) > most:
			out = append(out, fmt.Sprintf("%s: %s and %d more actions", kind, strings.Join(may[:most], ", "), len(may)-most))
		default:
			out = append(out, kind+": "+strings.Join(may, ", "))
		}
	}
	return out
}
