package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// rawInstruction is one instruction of a semantic patch as LaunchDarkly takes it.
type rawInstruction ldclient.Instruction

func (r *rawInstruction) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode((*map[string]any)(r))
}

func (rawInstruction) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "object"} }

// The kinds that raw instructions may be of: those that the tools for targeting, rollouts, variations and
// segments send. What deletes or archives is not among them, and so cannot come in by a detour.
var (
	targetingKinds = []string{
		"turnFlagOn", "turnFlagOff", "updateFallthroughVariationOrRollout", "updateOffVariation",
		"addRule", "removeRule", "updateRuleVariationOrRollout", "updateRuleDescription", "updateRuleTrackEvents", "addClauses", "removeClauses",
		"updateClause", "addValuesToClause", "removeValuesFromClause", "reorderRules", "replaceRules",
		"addTargets", "removeTargets", "replaceTargets", "clearTargets", "addUserTargets", "removeUserTargets", "replaceUserTargets", "clearUserTargets",
		"addPrerequisite", "updatePrerequisite", "removePrerequisite", "replacePrerequisites", "updateTrackEvents", "updateTrackEventsFallthrough",
	}
	releaseKinds   = []string{"startAutomatedRelease", "stopAutomatedRelease"}
	variationKinds = []string{"addVariation", "removeVariation", "updateVariation", "updateDefaultVariation"}
	segmentKinds   = []string{
		"addIncludedTargets", "removeIncludedTargets", "addExcludedTargets", "removeExcludedTargets",
		"addIncludedUsers", "removeIncludedUsers", "addExcludedUsers", "removeExcludedUsers",
		"addBigSegmentIncludedTargets", "removeBigSegmentIncludedTargets", "addBigSegmentExcludedTargets", "removeBigSegmentExcludedTargets",
		"addRule", "removeRule", "reorderRules", "updateRuleDescription", "updateRuleRolloutAndContextKind",
		"addClauses", "removeClauses", "updateClause", "addValuesToClause", "removeValuesFromClause",
	}
)

// allowed refuses an instruction that is of another kind than those given, or that could be read as one.
func allowed(i ldclient.Instruction, kinds []string) error {
	kind := i.Kind()
	if kind == "" {
		return fmt.Errorf("missing kind")
	}
	if !slices.Contains(kinds, kind) {
		return fmt.Errorf("instructions of kind %q are not sent from here%s", short(kind, 60), didYouMean(kind, kinds))
	}
	for name, v := range i {
		if name == "kind" || (name == "value" || strings.HasSuffix(name, "VariationValue")) && slices.Contains(variationKinds, kind) { // a flag's own data
			continue
		}
		if strings.EqualFold(name, "kind") {
			return fmt.Errorf("%q and kind mean the same; give kind alone", name)
		}
		if hidden := innerKind(v); hidden != "" {
			return fmt.Errorf("%s holds an instruction (%s); instructions stand in a list of their own", short(name, 60), short(hidden, 60))
		}
	}
	return nil
}

// innerKind finds what may be an instruction inside of another one.
func innerKind(v any) string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if k := innerKind(item); k != "" {
				return k
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if strings.EqualFold(name, "kind") || strings.EqualFold(name, "instructions") {
				return fmt.Sprint(v[name])
			}
			if k := innerKind(v[name]); k != "" {
				return k
			}
		}
	}
	return ""
}

// rawTakes lists, by kind, the fields that an instruction must have, then those that it may have.
var rawTakes = map[string][2]string{
	"turnFlagOn": {}, "turnFlagOff": {},
	"updateFallthroughVariationOrRollout": {"", serveFields},
	"updateOffVariation":                  {"variationId", ""},
	"addRule":                             {"clauses", serveFields + " description trackEvents beforeRuleId ref"},
	"removeRule":                          {"ruleId", ""},
	"updateRuleVariationOrRollout":        {"ruleId", serveFields},
	"updateRuleDescription":               {"ruleId", "description"},
	"updateRuleTrackEvents":               {"ruleId trackEvents", ""},
	"addClauses":                          {"ruleId clauses", ""},
	"removeClauses":                       {"ruleId clauseIds", ""},
	"updateClause":                        {"ruleId clauseId clause", ""},
	"addValuesToClause":                   {"ruleId clauseId values", ""},
	"removeValuesFromClause":              {"ruleId clauseId values", ""},
	"reorderRules":                        {"ruleIds", ""},
	"replaceRules":                        {"rules", ""},
	"addTargets":                          {"variationId values", "contextKind"},
	"removeTargets":                       {"variationId values", "contextKind"},
	"addUserTargets":                      {"variationId values", ""},
	"removeUserTargets":                   {"variationId values", ""},
	"replaceTargets":                      {"targets", ""},
	"replaceUserTargets":                  {"targets", ""},
	"clearTargets":                        {"variationId", ""},
	"clearUserTargets":                    {"variationId", ""},
	"addPrerequisite":                     {"key variationId", ""},
	"updatePrerequisite":                  {"key variationId", ""},
	"removePrerequisite":                  {"key", ""},
	"replacePrerequisites":                {"prerequisites", ""},
	"updateTrackEvents":                   {"trackEvents", ""},
	"updateTrackEventsFallthrough":        {"trackEvents", ""},
	"startAutomatedRelease": {"releaseKind originalVariationId targetVariationId randomizationUnit stages",
		"ruleId metrics metricMonitoringPreferences"},
	"stopAutomatedRelease":            {"finalVariationId", "ruleId"},
	"addVariation":                    {"value", "name description"},
	"removeVariation":                 {"variationId", ""},
	"updateVariation":                 {"variationId", "value name description"},
	"updateDefaultVariation":          {"", "onVariationValue offVariationValue"},
	"updateRuleRolloutAndContextKind": {"ruleId weight", "contextKind"},
}

const serveFields = "variationId rolloutWeights rolloutBucketBy rolloutContextKind"

// innerTakes is rawTakes for the objects in a field's list, by the field's name.
var innerTakes = map[string][2]string{
	"clause":        {"op values", "contextKind attribute negate _id"},
	"clauses":       {"op values", "contextKind attribute negate _id"},
	"rules":         {"clauses", serveFields + " description trackEvents"},
	"targets":       {"variationId", "contextKind values"},
	"prerequisites": {"key variationId", ""},
	"stages":        {"allocation durationMillis", ""},
	"metrics":       {"key", "isGroup"},
}

// takes gives the fields of an instruction of some kind.
func (c changing) takes(kind string) [2]string {
	switch _, _, members := membersVerb(kind); {
	case c.flag != nil:
	case kind == "addRule":
		return [2]string{"clauses", "description weight rolloutContextKind bucketBy"}
	case members && strings.HasSuffix(kind, "Targets") && !strings.Contains(kind, "BigSegment"):
		return [2]string{"values", "contextKind"}
	case members:
		return [2]string{"values", ""}
	}
	return rawTakes[kind]
}

// mayBeEmpty are the fields of which an empty one says something.
var mayBeEmpty = []string{"value", "description", "name", "rules", "targets", "prerequisites", "onVariationValue", "offVariationValue"}

// fieldsFit checks the names of the fields of an instruction, and of all that is in it: LaunchDarkly may read
// another spelling of a name as the same field, and would then do something else than was confirmed.
func fieldsFit(fields map[string]any, takes [2]string) error {
	need, all := strings.Fields(takes[0]), strings.Fields(takes[0]+" "+takes[1])
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name == "kind" {
			continue
		}
		if !slices.Contains(all, name) {
			if len(all) == 0 {
				return fmt.Errorf("takes no %s; it takes no fields besides kind", word(name))
			}
			return fmt.Errorf("takes no %s; it takes %s", word(name), strings.Join(all, ", "))
		}
		inner, ok := innerTakes[name]
		if !ok {
			continue
		}
		list, isList := fields[name].([]any)
		if name == "clause" {
			list, isList = []any{fields[name]}, true
		}
		if !isList {
			return fmt.Errorf("%s must be a list", name)
		}
		for n, item := range list {
			object, ok := item.(map[string]any)
			if !ok {
				return fmt.Errorf("%s[%d] must be an object", name, n)
			}
			if err := fieldsFit(object, inner); err != nil {
				return fmt.Errorf("%s[%d]: %w", name, n, err)
			}
		}
	}
	for _, name := range need {
		v, given := fields[name]
		if !given || !slices.Contains(mayBeEmpty, name) && isEmpty(v) {
			return fmt.Errorf("missing %s", name)
		}
	}
	return nil
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// changing is what raw instructions are about, so that they can be checked and put in words.
type changing struct {
	ld            *ldclient.Client
	at            ldclient.Target
	flag          *ldclient.Flag // nil for a segment
	rules         []ldclient.Rule
	prerequisites []ldclient.Prerequisite
	allKinds      []string
}

func changingFlag(ld *ldclient.Client, at ldclient.Target, f *ldclient.Flag, c ldclient.FlagConfig, kinds ...[]string) changing {
	return changing{ld, at, f, c.Rules, c.Prerequisites, slices.Concat(kinds...)}
}

func changingSegment(ld *ldclient.Client, at ldclient.Target, s *ldclient.Segment) changing {
	out := changing{ld: ld, at: at, allKinds: segmentKinds}
	for _, r := range s.Rules {
		out.rules = append(out.rules, ldclient.Rule{ID: r.ID, Clauses: r.Clauses, Description: r.Description})
	}
	return out
}

// rawFields are the fields of instructions that words are made of.
type rawFields struct {
	RuleID          string                   `json:"ruleId"`
	RuleIDs         []string                 `json:"ruleIds"`
	BeforeRuleID    string                   `json:"beforeRuleId"`
	ClauseID        string                   `json:"clauseId"`
	ClauseIDs       []string                 `json:"clauseIds"`
	Clause          *ldclient.Clause         `json:"clause"`
	Clauses         []ldclient.Clause        `json:"clauses"`
	Rules           []rawFields              `json:"rules"`
	Values          []any                    `json:"values"`
	Value           json.RawMessage          `json:"value"`
	OnValue         json.RawMessage          `json:"onVariationValue"`
	OffValue        json.RawMessage          `json:"offVariationValue"`
	VariationID     string                   `json:"variationId"`
	RolloutWeights  map[string]float64       `json:"rolloutWeights"`
	RolloutBucketBy string                   `json:"rolloutBucketBy"`
	RolloutKind     string                   `json:"rolloutContextKind"`
	Targets         []rawFields              `json:"targets"`
	ContextKind     string                   `json:"contextKind"`
	Description     *string                  `json:"description"`
	Name            *string                  `json:"name"`
	TrackEvents     bool                     `json:"trackEvents"`
	Weight          *float64                 `json:"weight"`
	BucketBy        string                   `json:"bucketBy"`
	Original        string                   `json:"originalVariationId"`
	Target          string                   `json:"targetVariationId"`
	Final           string                   `json:"finalVariationId"`
	ReleaseKind     string                   `json:"releaseKind"`
	Unit            string                   `json:"randomizationUnit"`
	Stages          []ldclient.ReleaseStage  `json:"stages"`
	Metrics         []ldclient.ReleaseMetric `json:"metrics"`
	Preferences     map[string]struct {
		AutoRollback bool `json:"autoRollback"`
	} `json:"metricMonitoringPreferences"`
}

// settle checks raw instructions, puts ids where names or values of variations stand, and says them in words.
func (c changing) settle(ctx context.Context, raw []rawInstruction) ([]ldclient.Instruction, []string, error) {
	var do []ldclient.Instruction
	var says []string
	b := c.requirements()
	for n, r := range raw {
		i, words, err := c.settleOne(ctx, ldclient.Instruction(r), b)
		if err != nil {
			return nil, nil, atRaw(n, r, err)
		}
		if i.Kind() == "removeRule" {
			c.rules = slices.DeleteFunc(slices.Clone(c.rules), func(rule ldclient.Rule) bool { return rule.ID == i["ruleId"] })
		}
		do, says = append(do, i), append(says, words)
	}
	if b != nil {
		if err := b.others.noCircle(ctx, c.at.Key, c.prerequisites, b.list); err != nil {
			return nil, nil, err
		}
	}
	keys := c.segments(do)
	if c.flag == nil {
		return do, says, noCircle(ctx, c.ld, c.at, keys)
	}
	return do, says, segmentsExist(ctx, c.ld, c.at, keys)
}

// atRaw says which instruction cannot be; what could not be read is reported as it is.
func atRaw(n int, r rawInstruction, err error) error {
	if _, failed := errors.AsType[unread](err); failed {
		return errors.Unwrap(err)
	}
	return badf("instructions[%d] (%s): %v", n, short(ldclient.Instruction(r).Kind(), 60), err)
}

// unread is a failure to read what an instruction names.
type unread struct{ error }

func (u unread) Unwrap() error { return u.error }

// requirements follows the prerequisites of a flag through a list of instructions.
func (c changing) requirements() *prerequisiteBuilder {
	if c.flag == nil {
		return nil
	}
	return &prerequisiteBuilder{flag: c.flag, list: slices.Clone(c.prerequisites), others: flagReader{c.ld, c.at, map[string]*ldclient.Flag{}}}
}

// segments are those that new clauses name.
func (c changing) segments(do []ldclient.Instruction) []string {
	var b clauseBuilder
	for _, i := range do {
		f, err := rawFieldsOf(i)
		if err != nil {
			continue
		}
		clauses := f.Clauses
		for _, r := range f.Rules {
			clauses = append(clauses, r.Clauses...)
		}
		if f.Clause != nil {
			clauses = append(clauses, *f.Clause)
		}
		for _, clause := range clauses {
			b.noteSegments(clause.Op, clause.Values)
		}
		if i.Kind() == "addValuesToClause" {
			for _, r := range c.rules {
				for _, clause := range clausesWith(r.Clauses, []string{f.ClauseID}) {
					b.noteSegments(clause.Op, f.Values)
				}
			}
		}
	}
	return b.segments
}

func rawFieldsOf(i map[string]any) (f rawFields, err error) {
	d := json.NewDecoder(bytes.NewReader(mustJSON(i)))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("a field is of another type than LaunchDarkly takes (%w)", err)
	}
	return f, nil
}

func (c changing) settleOne(ctx context.Context, raw ldclient.Instruction, b *prerequisiteBuilder) (ldclient.Instruction, string, error) {
	if err := allowed(raw, c.allKinds); err != nil {
		return nil, "", err
	}
	i, _ := decoded(mustJSON(raw)).(map[string]any)
	if err := fieldsFit(i, c.takes(raw.Kind())); err != nil {
		return nil, "", err
	}
	if strings.HasSuffix(raw.Kind(), "Prerequisite") || strings.HasSuffix(raw.Kind(), "Prerequisites") {
		words, err := require(ctx, b, i)
		return i, words, err
	}
	if err := c.resolve(i); err != nil {
		return nil, "", err
	}
	f, err := rawFieldsOf(i)
	if err != nil {
		return nil, "", err
	}
	words, err := c.words(raw.Kind(), f)
	return i, words, err
}

// resolve puts the ids of variations where they are named otherwise, and thousandths where percentages stand.
func (c changing) resolve(fields map[string]any) error {
	if c.flag == nil {
		return nil
	}
	for _, name := range []string{"variationId", "originalVariationId", "targetVariationId", "finalVariationId"} {
		said, given := fields[name]
		if !given || isEmpty(said) {
			continue
		}
		n, err := variation(c.flag, fmt.Sprint(said))
		if err != nil {
			return err
		}
		fields[name] = c.flag.Variations[n].ID
	}
	f, err := rawFieldsOf(fields)
	if err != nil {
		return err
	}
	if len(f.RolloutWeights) > 0 {
		if f.VariationID != "" {
			return fmt.Errorf("give variationId or rolloutWeights, not both")
		}
		if fields["rolloutWeights"], err = weights(c.flag, f.RolloutWeights); err != nil {
			return err
		}
	} else if f.RolloutBucketBy+f.RolloutKind != "" {
		return fmt.Errorf("rolloutBucketBy and rolloutContextKind go with rolloutWeights")
	}
	for _, name := range []string{"rules", "targets"} {
		list, _ := fields[name].([]any)
		for n, item := range list {
			if err := c.resolve(item.(map[string]any)); err != nil {
				return fmt.Errorf("%s[%d]: %w", name, n, err)
			}
		}
	}
	return nil
}

// require settles an instruction on prerequisites, whose variations are those of the prerequisite flags.
func require(ctx context.Context, b *prerequisiteBuilder, fields map[string]any) (string, error) {
	text := func(from map[string]any, name string) string {
		if s := from[name]; s != nil {
			return fmt.Sprint(s)
		}
		return ""
	}
	in := prerequisiteInstruction{Kind: text(fields, "kind"), Key: text(fields, "key"), Variation: text(fields, "variationId")}
	var err error
	id := func(fields map[string]any) {
		if err != nil || fields["variationId"] == nil {
			return
		}
		var of string
		if _, of, _, err = b.resolve(ctx, prerequisiteInput{text(fields, "key"), text(fields, "variationId")}); err == nil {
			fields["variationId"] = of
		}
	}
	id(fields)
	if list, ok := fields["prerequisites"].([]any); ok {
		all := []prerequisiteInput{}
		for _, item := range list {
			one := item.(map[string]any)
			all = append(all, prerequisiteInput{text(one, "key"), text(one, "variationId")})
			id(one)
		}
		in.Prerequisites = &all
	}
	before := len(b.says)
	if err == nil {
		err = b.build(ctx, in)
	}
	if _, bad := errors.AsType[badArguments](err); err != nil && !bad {
		return "", unread{err}
	}
	if err != nil {
		return "", err
	}
	if len(b.says) == before {
		return "leave prerequisite " + word(in.Key) + " as it is", nil
	}
	return b.says[len(b.says)-1], nil
}

// says puts instructions of somebody else's in words; one that cannot be is given as it is.
func (c changing) says(ctx context.Context, list []ldclient.Instruction) []string {
	var out []string
	b := c.requirements()
	for _, i := range list {
		_, words, err := c.settleOne(ctx, i, b)
		if err != nil {
			words = fmt.Sprintf("%s (%v)", short(clean(string(mustJSON(i))), 200), short(clean(err.Error()), 100))
		}
		out = append(out, words)
	}
	return out
}
