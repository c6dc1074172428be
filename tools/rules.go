package tools

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// ruleInstruction is one instruction on targeting rules, with LaunchDarkly's
// names and the short forms that need no ids.
type ruleInstruction struct {
	Kind         string       `json:"kind" jsonschema:"enum=addRule,enum=removeRule,enum=updateRuleVariationOrRollout,enum=updateRuleDescription,enum=updateRuleTrackEvents,enum=addClauses,enum=removeClauses,enum=updateClause,enum=addValuesToClause,enum=removeValuesFromClause,enum=reorderRules,enum=replaceRules" brief:"true"`
	RuleID       string       `json:"ruleId,omitempty"`
	RuleIDs      []string     `json:"ruleIds,omitempty"`
	BeforeRuleID string       `json:"beforeRuleId,omitempty"`
	ClauseID     string       `json:"clauseId,omitempty"`
	ClauseIDs    []string     `json:"clauseIds,omitempty"`
	Clause       *clauseInput `json:"clause,omitempty" brief:"true"`
	Values       []scalar     `json:"values,omitempty"`
	TrackEvents  *bool        `json:"trackEvents,omitempty"`
	Rules        *[]newRule   `json:"rules,omitempty" brief:"true"`
	newRule                   // addRule; the variation or rollout also for updateRuleVariationOrRollout
}

// newRule is a rule as a caller writes it.
type newRule struct {
	Clauses            []clauseInput      `json:"clauses,omitempty"`
	Variation          string             `json:"variation,omitempty" alias:"variationId,variationKey,variationName" told:"true" doc:"What to serve: a variation's _id, name, value or index"`
	Percent            *float64           `json:"percent,omitempty" jsonschema:"minimum=0,maximum=100" doc:"Of variation; a second one gets the rest"`
	RolloutWeights     map[string]float64 `json:"rolloutWeights,omitempty" alias:"weights" doc:"Percent by variation"`
	RolloutBucketBy    string             `json:"rolloutBucketBy,omitempty" told:"true" doc:"Attribute to divide by, key if not given"`
	RolloutContextKind string             `json:"rolloutContextKind,omitempty" told:"true" doc:"Context kind to divide, user if not given"`
	Description        string             `json:"description,omitempty"`
}

// ruleNeeds lists, by kind, the fields that must be there, then those that may.
var ruleNeeds = map[string][2][]string{
	"addRule":                      {{"clauses"}, {"variation", "percent", "rolloutWeights", "rolloutBucketBy", "rolloutContextKind", "description", "beforeRuleId", "trackEvents"}},
	"removeRule":                   {{"ruleId"}, nil},
	"updateRuleVariationOrRollout": {{"ruleId"}, {"variation", "percent", "rolloutWeights", "rolloutBucketBy", "rolloutContextKind"}},
	"updateRuleDescription":        {{"ruleId"}, {"description"}},
	"updateRuleTrackEvents":        {{"ruleId", "trackEvents"}, nil},
	"addClauses":                   {{"ruleId", "clauses"}, nil},
	"removeClauses":                {{"ruleId", "clauseIds"}, nil},
	"updateClause":                 {{"ruleId", "clauseId", "clause"}, nil},
	"addValuesToClause":            {{"ruleId", "clauseId", "values"}, nil},
	"removeValuesFromClause":       {{"ruleId", "clauseId", "values"}, nil},
	"reorderRules":                 {{"ruleIds"}, nil},
	"replaceRules":                 {{"rules"}, nil},
}

// fit checks that an instruction holds the fields that its kind needs and no
// others: one that is silently ignored would do something else than was meant.
func fit(kind string, instruction any, needs map[string][2][]string) error {
	need, may := needs[kind][0], needs[kind][1]
	given := givenFields(reflect.ValueOf(instruction))
	for _, name := range need {
		if !slices.Contains(given, name) {
			return fmt.Errorf("missing %s; it needs %s", name, strings.Join(need, " and "))
		}
	}
	for _, name := range given {
		if name != "kind" && !slices.Contains(need, name) && !slices.Contains(may, name) {
			return fmt.Errorf("takes no %s; it takes %s", name, strings.Join(append(slices.Clone(need), may...), ", "))
		}
	}
	return nil
}

// givenFields names the fields of a struct that are not zero or empty, as JSON does.
func givenFields(v reflect.Value) []string {
	var out []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.Anonymous:
			out = append(out, givenFields(v.Field(i))...)
		case f.Type.Kind() == reflect.Slice && v.Field(i).Len() == 0:
		case !v.Field(i).IsZero():
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			out = append(out, name)
		}
	}
	return out
}

// ruleBuilder turns instructions as callers write them into LaunchDarkly's, and words for the person who confirms.
type ruleBuilder struct {
	flag  *ldclient.Flag
	rules []ldclient.Rule
	clauseBuilder
}

func (b *ruleBuilder) build(i ruleInstruction) (ldclient.Instruction, string, error) {
	if err := fit(i.Kind, i, ruleNeeds); err != nil {
		return nil, "", err
	}
	var rule *ldclient.Rule
	var what string
	if i.RuleID != "" {
		n := slices.IndexFunc(b.rules, func(r ldclient.Rule) bool { return r.ID == i.RuleID })
		if n < 0 {
			return nil, "", fmt.Errorf("the %s has no rule %q here; %s", nounOf(b.flag), i.RuleID, b.listRules())
		}
		rule, what = &b.rules[n], b.name(n)
	}
	for _, id := range append(slices.Clone(i.ClauseIDs), i.ClauseID) {
		if rule != nil && id != "" && !slices.ContainsFunc(rule.Clauses, func(c ldclient.Clause) bool { return c.ID == id }) {
			return nil, "", fmt.Errorf("%s has no clause %q; its clauses are %s", what, id, strings.Join(clauseIDs(rule.Clauses), ", "))
		}
	}
	switch i.Kind {
	case "addRule":
		return b.addRule(i)
	case "removeRule":
		if rule.InExperiment() {
			return nil, "", fmt.Errorf("an experiment runs on %s; stop it before removing the rule", what)
		}
		return ldclient.RemoveRule(i.RuleID), "remove " + what + ", which serves " + serves(b.flag, rule.RuleServe), nil
	case "updateRuleVariationOrRollout":
		if rule.InExperiment() {
			return nil, "", fmt.Errorf("an experiment runs on %s; stop it before changing what the rule serves", what)
		}
		s, words, err := b.serve(i.newRule)
		if err != nil {
			return nil, "", err
		}
		return ldclient.UpdateRuleServe(i.RuleID, s), fmt.Sprintf("serve %s by %s instead of %s", words, what, serves(b.flag, rule.RuleServe)), nil
	case "updateRuleDescription":
		return ldclient.UpdateRuleDescription(i.RuleID, i.Description), fmt.Sprintf("describe %s as %q", what, short(clean(i.Description), 60)), nil
	case "updateRuleTrackEvents":
		return ldclient.UpdateRuleTrackEvents(i.RuleID, *i.TrackEvents), fmt.Sprintf("set event tracking of %s to %t", what, *i.TrackEvents), nil
	case "addClauses":
		clauses, err := b.clauses(i.Clauses)
		if err != nil {
			return nil, "", err
		}
		return ldclient.AddClauses(i.RuleID, clauses), fmt.Sprintf("let %s match only where also %s", what, inWords(clauses)), nil
	case "removeClauses":
		gone := clausesWith(rule.Clauses, i.ClauseIDs)
		if len(gone) == len(rule.Clauses) {
			return nil, "", fmt.Errorf("this would leave %s without a clause; use removeRule", what)
		}
		return ldclient.RemoveClauses(i.RuleID, clauseIDs(gone)), fmt.Sprintf("let %s match without %s", what, inWords(gone)), nil
	case "updateClause":
		clauses, err := b.clauses([]clauseInput{*i.Clause})
		if err != nil {
			return nil, "", err
		}
		return ldclient.UpdateClause(i.RuleID, i.ClauseID, clauses[0]), fmt.Sprintf("change %s of %s to %s", inWords(clausesWith(rule.Clauses, []string{i.ClauseID})), what, inWords(clauses)), nil
	case "addValuesToClause", "removeValuesFromClause":
		n := slices.IndexFunc(rule.Clauses, func(c ldclient.Clause) bool { return c.ID == i.ClauseID })
		values := valuesFor(rule.Clauses[n].Op, i.Values)
		if i.Kind == "removeValuesFromClause" {
			if err := leavesValues(rule.Clauses[n], values); err != nil {
				return nil, "", err
			}
			return ldclient.RemoveValuesFromClause(i.RuleID, i.ClauseID, values), fmt.Sprintf("take %s from what %s matches", anyOf(values), what), nil
		}
		b.noteSegments(rule.Clauses[n].Op, values)
		return ldclient.AddValuesToClause(i.RuleID, i.ClauseID, values), fmt.Sprintf("add %s to what %s matches", anyOf(values), what), nil
	case "reorderRules":
		have := keysOf(b.rules, func(r ldclient.Rule) string { return r.ID })
		if !slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(i.RuleIDs))) {
			return nil, "", fmt.Errorf("ruleIds must name each present rule once; %s", b.listRules())
		}
		var order []string
		for _, id := range i.RuleIDs {
			order = append(order, strconv.Itoa(slices.Index(have, id)+1))
		}
		return ldclient.ReorderRules(i.RuleIDs), "reorder the rules to " + strings.Join(order, ", "), nil
	case "replaceRules":
		return b.replaceRules(*i.Rules)
	}
	return nil, "", fmt.Errorf("this kind is not known here")
}

func (b *ruleBuilder) addRule(i ruleInstruction) (ldclient.Instruction, string, error) {
	rule, words, err := b.newRule(i.newRule)
	if err != nil {
		return nil, "", err
	}
	rule.TrackEvents = i.TrackEvents != nil && *i.TrackEvents
	if i.BeforeRuleID != "" {
		n := slices.IndexFunc(b.rules, func(r ldclient.Rule) bool { return r.ID == i.BeforeRuleID })
		if n < 0 {
			return nil, "", fmt.Errorf("the %s has no rule %q here to put it before; %s", nounOf(b.flag), i.BeforeRuleID, b.listRules())
		}
		words += ", before " + b.name(n)
	}
	return ldclient.AddRule(rule, i.BeforeRuleID), "add a rule: " + words, nil
}

func (b *ruleBuilder) replaceRules(rules []newRule) (ldclient.Instruction, string, error) {
	for n, r := range b.rules {
		if r.InExperiment() {
			return nil, "", fmt.Errorf("an experiment runs on %s; stop it before replacing the rules", b.name(n))
		}
	}
	out, all := []ldclient.NewRule{}, []string{}
	for n, r := range rules {
		if len(r.Clauses) == 0 {
			return nil, "", fmt.Errorf("rules[%d]: missing clauses", n)
		}
		rule, words, err := b.newRule(r)
		if err != nil {
			return nil, "", fmt.Errorf("rules[%d]: %w", n, err)
		}
		out, all = append(out, rule), append(all, words)
	}
	var gone []string
	for n, r := range b.rules {
		gone = append(gone, b.name(n)+", which serves "+serves(b.flag, r.RuleServe))
	}
	words := fmt.Sprintf("replace all %d rules", len(b.rules))
	if len(gone) > 0 {
		words += " (" + short(keyList(gone), 600) + ")"
	}
	if len(all) == 0 {
		return ldclient.ReplaceRules(out), words + " by none", nil
	}
	return ldclient.ReplaceRules(out), fmt.Sprintf("%s by %d: %s", words, len(out), strings.Join(all, "; ")), nil
}

func (b *ruleBuilder) newRule(r newRule) (ldclient.NewRule, string, error) {
	clauses, err := b.clauses(r.Clauses)
	if err != nil {
		return ldclient.NewRule{}, "", err
	}
	s, words, err := b.serve(r)
	if err != nil {
		return ldclient.NewRule{}, "", err
	}
	return ldclient.NewRule{Clauses: clauses, Description: r.Description, Serve: s}, "if " + inWords(clauses) + " serve " + words, nil
}

// serve resolves what a rule shall give.
func (b *ruleBuilder) serve(r newRule) (ldclient.Serve, string, error) {
	parts := r.RolloutWeights
	switch {
	case r.Variation != "" && len(parts) > 0:
		return ldclient.Serve{}, "", fmt.Errorf("give variation or rolloutWeights, not both")
	case r.Variation == "" && len(parts) == 0:
		return ldclient.Serve{}, "", fmt.Errorf("missing variation (or rolloutWeights): what to serve")
	case r.Percent != nil && r.Variation == "":
		return ldclient.Serve{}, "", fmt.Errorf("percent goes with variation; rolloutWeights holds its own percentages")
	case r.Variation != "":
		i, err := variation(b.flag, r.Variation)
		if err != nil {
			return ldclient.Serve{}, "", err
		}
		if r.Percent == nil {
			if r.RolloutBucketBy+r.RolloutContextKind != "" {
				return ldclient.Serve{}, "", fmt.Errorf("rolloutBucketBy and rolloutContextKind go with rolloutWeights or percent")
			}
			return ldclient.Serve{VariationID: b.flag.Variations[i].ID}, label(b.flag, i), nil
		}
		if len(b.flag.Variations) != 2 {
			return ldclient.Serve{}, "", fmt.Errorf("the %s has %d variations, so say in rolloutWeights which ones the rest gets", nounOf(b.flag), len(b.flag.Variations))
		}
		parts = map[string]float64{b.flag.Variations[i].ID: *r.Percent, b.flag.Variations[1-i].ID: 100 - *r.Percent}
	}
	byID, err := weights(b.flag, parts)
	if err != nil {
		return ldclient.Serve{}, "", err
	}
	var words []string
	for i, v := range b.flag.Variations {
		if w := byID[v.ID]; w > 0 {
			words = append(words, percent(w)+" "+label(b.flag, i))
		}
	}
	return ldclient.Serve{Weights: byID, BucketBy: r.RolloutBucketBy, ContextKind: r.RolloutContextKind}, strings.Join(words, ", "), nil
}

func (b *ruleBuilder) name(n int) string {
	return ruleName(n, b.rules[n].Description, b.rules[n].Clauses)
}

func (b *ruleBuilder) listRules() string {
	return listRules(keysOf(b.rules, func(r ldclient.Rule) string { return r.ID }), b.name)
}
