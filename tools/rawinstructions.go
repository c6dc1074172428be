package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
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
		if name == "kind" || name == "value" && slices.Contains(variationKinds, kind) { // a flag's own data
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

// changing is what raw instructions are about, so that they can be checked and put in words.
type changing struct {
	flag     *ldclient.Flag // nil for a segment
	rules    []ldclient.Rule
	allKinds []string
}

func changingFlag(f *ldclient.Flag, c ldclient.FlagConfig, kinds ...[]string) changing {
	return changing{f, c.Rules, slices.Concat(kinds...)}
}

func changingSegment(s *ldclient.Segment) changing {
	out := changing{allKinds: segmentKinds}
	for _, r := range s.Rules {
		out.rules = append(out.rules, ldclient.Rule{ID: r.ID, Clauses: r.Clauses, Description: r.Description})
	}
	return out
}

// rawFields are the fields of instructions that words are made of.
type rawFields struct {
	RuleID         string             `json:"ruleId"`
	RuleIDs        []string           `json:"ruleIds"`
	ClauseID       string             `json:"clauseId"`
	ClauseIDs      []string           `json:"clauseIds"`
	Clause         *ldclient.Clause   `json:"clause"`
	Clauses        []ldclient.Clause  `json:"clauses"`
	Rules          []rawFields        `json:"rules"`
	Values         []any              `json:"values"`
	Value          any                `json:"value"`
	VariationID    string             `json:"variationId"`
	RolloutWeights map[string]float64 `json:"rolloutWeights"`
	Targets        []rawFields        `json:"targets"`
	Prerequisites  []rawFields        `json:"prerequisites"`
	ContextKind    string             `json:"contextKind"`
	Description    string             `json:"description"`
	Name           string             `json:"name"`
	Key            string             `json:"key"`
	TrackEvents    bool               `json:"trackEvents"`
	Weight         *float64           `json:"weight"`
	Target         string             `json:"targetVariationId"`
	Final          string             `json:"finalVariationId"`
	ReleaseKind    string             `json:"releaseKind"`
}

// settle checks raw instructions, puts ids where names or values of variations stand, and says them in words.
func (c changing) settle(raw []rawInstruction) ([]ldclient.Instruction, []string, error) {
	var do []ldclient.Instruction
	var says []string
	for n, r := range raw {
		i, words, err := c.settleOne(ldclient.Instruction(r))
		if err != nil {
			return nil, nil, badf("instructions[%d] (%s): %v", n, short(ldclient.Instruction(r).Kind(), 60), err)
		}
		do, says = append(do, i), append(says, words)
	}
	return do, says, nil
}

func (c changing) settleOne(raw ldclient.Instruction) (ldclient.Instruction, string, error) {
	if err := allowed(raw, c.allKinds); err != nil {
		return nil, "", err
	}
	var f rawFields
	d := json.NewDecoder(bytes.NewReader(mustJSON(raw)))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		return nil, "", fmt.Errorf("a field is of another type than LaunchDarkly takes (%w)", err)
	}
	i := maps.Clone(raw)
	if f.VariationID != "" && c.flag != nil {
		n, err := variation(c.flag, f.VariationID)
		if err != nil {
			return nil, "", err
		}
		f.VariationID = c.flag.Variations[n].ID
		i["variationId"] = f.VariationID
	}
	if len(f.RolloutWeights) > 0 && c.flag != nil {
		byID, err := weights(c.flag, f.RolloutWeights)
		if err != nil {
			return nil, "", err
		}
		i["rolloutWeights"] = byID
	}
	words, err := c.words(i.Kind(), f)
	return i, words, err
}

// says puts instructions of somebody else's in words; one that cannot be is given as it is.
func (c changing) says(list []ldclient.Instruction) []string {
	var out []string
	for _, i := range list {
		_, words, err := c.settleOne(i)
		if err != nil {
			words = fmt.Sprintf("%s (%v)", short(clean(string(mustJSON(i))), 200), short(clean(err.Error()), 100))
		}
		out = append(out, words)
	}
	return out
}

func (c changing) rule(id string) (string, ldclient.Rule, error) {
	if id == "" {
		return "the default rule", ldclient.Rule{}, nil
	}
	n := slices.IndexFunc(c.rules, func(r ldclient.Rule) bool { return r.ID == id })
	b := ruleBuilder{rules: c.rules}
	if n < 0 {
		return "", ldclient.Rule{}, fmt.Errorf("there is no rule %q here now; %s", short(id, 60), b.listRules())
	}
	return b.name(n), c.rules[n], nil
}

// serve says what a rule or rollout gives.
func (c changing) serve(f rawFields) (string, error) {
	if len(f.RolloutWeights) == 0 {
		if f.VariationID == "" {
			return "", fmt.Errorf("missing variationId (or rolloutWeights)")
		}
		return c.variation(f.VariationID)
	}
	byID, err := weights(c.flag, f.RolloutWeights)
	if err != nil {
		return "", err
	}
	var parts []string
	for i, v := range c.flag.Variations {
		if byID[v.ID] > 0 {
			parts = append(parts, percent(byID[v.ID])+" "+label(c.flag, i))
		}
	}
	return strings.Join(parts, ", "), nil
}

func (c changing) variation(id string) (string, error) {
	n, err := variation(c.flag, id)
	if err != nil {
		return "", err
	}
	return label(c.flag, n), nil
}

func (c changing) words(kind string, f rawFields) (string, error) {
	if c.flag == nil {
		if verb, list, ok := membersVerb(kind); ok {
			if len(f.Values) == 0 {
				return "", fmt.Errorf("missing values")
			}
			return fmt.Sprintf("%s %s (%s) %s contexts", verb, anyOf(f.Values), word(cmp.Or(f.ContextKind, "user")), list), nil
		}
	}
	switch kind {
	case "turnFlagOn":
		return "turn targeting on", nil
	case "turnFlagOff":
		return "turn targeting off", nil
	case "updateFallthroughVariationOrRollout":
		s, err := c.serve(f)
		return "serve " + s + " by default", err
	case "updateOffVariation":
		s, err := c.variation(f.VariationID)
		return "serve " + s + " while targeting is off", err
	case "addRule":
		return c.newRule(f)
	case "replaceRules":
		var all []string
		for _, r := range f.Rules {
			s, err := c.newRule(r)
			if err != nil {
				return "", err
			}
			all = append(all, s)
		}
		return fmt.Sprintf("replace all %d rules by %d: %s", len(c.rules), len(f.Rules), strings.Join(all, ", ")), nil
	case "reorderRules":
		var order []string
		for _, id := range f.RuleIDs {
			name, _, err := c.rule(id)
			if err != nil {
				return "", err
			}
			order = append(order, name)
		}
		return "reorder the rules to " + strings.Join(order, ", "), nil
	case "addTargets", "addUserTargets", "removeTargets", "removeUserTargets", "replaceTargets", "replaceUserTargets", "clearTargets", "clearUserTargets":
		return c.targets(kind, f)
	case "addPrerequisite", "updatePrerequisite":
		return fmt.Sprintf("require flag %s to serve its variation %s", word(f.Key), word(f.VariationID)), nil
	case "removePrerequisite":
		return "no longer require flag " + word(f.Key), nil
	case "replacePrerequisites":
		return "require these flags alone: " + strings.Join(keysOf(f.Prerequisites, func(p rawFields) string { return word(p.Key) }), ", "), nil
	case "updateTrackEvents", "updateTrackEventsFallthrough":
		return fmt.Sprintf("set event tracking to %t", f.TrackEvents), nil
	case "startAutomatedRelease":
		s, err := c.variation(f.Target)
		where, _, missing := c.rule(f.RuleID)
		return fmt.Sprintf("start a %s rollout of %s on %s", word(f.ReleaseKind), s, where), cmp.Or(err, missing)
	case "stopAutomatedRelease":
		s, err := c.variation(f.Final)
		where, _, missing := c.rule(f.RuleID)
		return fmt.Sprintf("stop the rollout on %s and serve %s", where, s), cmp.Or(err, missing)
	case "addVariation":
		return fmt.Sprintf("add variation %s with value %s", word(f.Name), word(string(mustJSON(f.Value)))), nil
	case "removeVariation", "updateVariation":
		s, err := c.variation(f.VariationID)
		return map[string]string{"removeVariation": "remove", "updateVariation": "change"}[kind] + " variation " + s, err
	case "updateDefaultVariation":
		return "change the variations that new environments start with", nil
	}
	return c.onRule(kind, f)
}

// onRule says what is done to one rule that is there.
func (c changing) onRule(kind string, f rawFields) (string, error) {
	if f.RuleID == "" {
		return "", fmt.Errorf("missing ruleId")
	}
	name, rule, err := c.rule(f.RuleID)
	if err != nil {
		return "", err
	}
	with := clausesWith(rule.Clauses, append(f.ClauseIDs, f.ClauseID))
	switch kind {
	case "removeRule":
		return "remove " + name, nil
	case "updateRuleVariationOrRollout":
		s, err := c.serve(f)
		return "serve " + s + " by " + name, err
	case "updateRuleDescription":
		return fmt.Sprintf("describe %s as %q", name, short(clean(f.Description), 60)), nil
	case "updateRuleTrackEvents":
		return fmt.Sprintf("set event tracking of %s to %t", name, f.TrackEvents), nil
	case "updateRuleRolloutAndContextKind":
		if f.Weight == nil {
			return "", fmt.Errorf("missing weight")
		}
		return fmt.Sprintf("let %s take %s of what matches", name, percent(int(*f.Weight))), nil
	case "addClauses":
		return fmt.Sprintf("let %s match only where also %s", name, inWords(f.Clauses)), nil
	}
	if len(with) == 0 {
		return "", fmt.Errorf("%s has no such clause now", name)
	}
	switch kind {
	case "removeClauses":
		return fmt.Sprintf("let %s match without %s", name, inWords(with)), nil
	case "updateClause":
		if f.Clause == nil {
			return "", fmt.Errorf("missing clause")
		}
		return fmt.Sprintf("change %s of %s to %s", inWords(with), name, inWords([]ldclient.Clause{*f.Clause})), nil
	case "addValuesToClause":
		return fmt.Sprintf("add %s to what %s matches", anyOf(f.Values), name), nil
	case "removeValuesFromClause":
		return fmt.Sprintf("take %s from what %s matches", anyOf(f.Values), name), nil
	}
	return "", fmt.Errorf("this kind is not known here")
}

func (c changing) newRule(f rawFields) (string, error) {
	if len(f.Clauses) == 0 && f.Weight == nil {
		return "", fmt.Errorf("missing clauses")
	}
	when := inWords(f.Clauses)
	if c.flag == nil {
		if f.Weight != nil {
			when = percent(int(*f.Weight)) + " of those with " + when
		}
		return "add a rule that takes in contexts where " + when, nil
	}
	s, err := c.serve(f)
	return "add a rule: if " + when + " serve " + s, err
}

func (c changing) targets(kind string, f rawFields) (string, error) {
	list := f.Targets
	if f.Targets == nil {
		list = []rawFields{f}
	}
	var parts []string
	for _, t := range list {
		s, err := c.variation(t.VariationID)
		if err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf("%s %s %s", anyOf(t.Values), ofKind(t.ContextKind), s))
	}
	switch {
	case strings.HasPrefix(kind, "clear"):
		return "target no contexts with" + strings.TrimPrefix(parts[0], " "+ofKind(f.ContextKind)), nil
	case strings.HasPrefix(kind, "remove"):
		return "no longer target " + parts[0], nil
	case strings.HasPrefix(kind, "replace"):
		return "target exactly " + strings.Join(parts, "; "), nil
	}
	return "target " + parts[0], nil
}

func ofKind(contextKind string) string {
	if contextKind == "" || contextKind == "user" {
		return "with"
	}
	return "(" + word(contextKind) + ") with"
}

// membersVerb says what an instruction on a segment's members does.
func membersVerb(kind string) (verb, list string, ok bool) {
	list = map[bool]string{true: "included", false: "excluded"}[strings.Contains(kind, "Included")]
	if !strings.Contains(kind, "Included") && !strings.Contains(kind, "Excluded") {
		return "", "", false
	}
	if strings.HasPrefix(kind, "add") {
		return "add", "to the " + list, true
	}
	return "remove", "from the " + list, true
}
