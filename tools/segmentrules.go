package tools

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// segmentRuleInstruction is one instruction on a segment's rules.
type segmentRuleInstruction struct {
	Kind        string        `json:"kind" jsonschema:"enum=addRule,enum=removeRule,enum=addClauses,enum=removeClauses,enum=updateClause,enum=addValuesToClause,enum=removeValuesFromClause,enum=reorderRules,enum=updateRuleDescription,enum=updateRuleRolloutAndContextKind" brief:"true"`
	RuleID      string        `json:"ruleId,omitempty"`
	RuleIDs     []string      `json:"ruleIds,omitempty"`
	ClauseID    string        `json:"clauseId,omitempty"`
	ClauseIDs   []string      `json:"clauseIds,omitempty"`
	Clauses     []clauseInput `json:"clauses,omitempty" brief:"true" doc:"All must match: {attribute, op, values, contextKind, negate}; op is in, endsWith, startsWith, matches, contains, lessThan, lessThanOrEqual, greaterThan, greaterThanOrEqual, before, after, segmentMatch, semVerEqual, semVerLessThan, semVerGreaterThan"`
	Clause      *clauseInput  `json:"clause,omitempty" brief:"true"`
	Values      []scalar      `json:"values,omitempty"`
	Description *string       `json:"description,omitempty"`
	Percent     *float64      `json:"percent,omitempty" jsonschema:"minimum=0,maximum=100" doc:"Of the matching contexts"`
	ContextKind string        `json:"contextKind,omitempty" alias:"rolloutContextKind" told:"true" doc:"With percent: kind to divide, user if not given"`
	BucketBy    string        `json:"bucketBy,omitempty" alias:"rolloutBucketBy" told:"true" doc:"With percent: attribute to divide by, key if not given"`
}

// segmentRuleNeeds lists, by kind, the fields that must be there, then those that may.
var segmentRuleNeeds = map[string][2][]string{
	"addRule":                         {{"clauses"}, {"description", "percent", "contextKind", "bucketBy"}},
	"removeRule":                      {{"ruleId"}, nil},
	"addClauses":                      {{"ruleId", "clauses"}, nil},
	"removeClauses":                   {{"ruleId", "clauseIds"}, nil},
	"updateClause":                    {{"ruleId", "clauseId", "clause"}, nil},
	"addValuesToClause":               {{"ruleId", "clauseId", "values"}, nil},
	"removeValuesFromClause":          {{"ruleId", "clauseId", "values"}, nil},
	"reorderRules":                    {{"ruleIds"}, nil},
	"updateRuleDescription":           {{"ruleId", "description"}, nil},
	"updateRuleRolloutAndContextKind": {{"ruleId", "percent"}, {"contextKind"}},
}

// segmentRuleBuilder turns instructions as callers write them into LaunchDarkly's, and words for the person who confirms.
type segmentRuleBuilder struct {
	rules []ldclient.SegmentRule
	clauseBuilder
}

func (b *segmentRuleBuilder) build(i segmentRuleInstruction) (ldclient.Instruction, string, error) {
	if err := fit(i.Kind, i, segmentRuleNeeds); err != nil {
		return nil, "", err
	}
	switch i.Kind {
	case "addRule":
		return b.addRule(i)
	case "reorderRules":
		return b.reorder(i.RuleIDs)
	}
	n := slices.IndexFunc(b.rules, func(r ldclient.SegmentRule) bool { return r.ID == i.RuleID })
	if n < 0 {
		return nil, "", fmt.Errorf("the segment has no rule %q; %s", i.RuleID, b.list())
	}
	rule, what := b.rules[n], b.name(n)
	for _, id := range append(slices.Clone(i.ClauseIDs), i.ClauseID) {
		if id != "" && !slices.ContainsFunc(rule.Clauses, func(c ldclient.Clause) bool { return c.ID == id }) {
			return nil, "", fmt.Errorf("%s has no clause %q; its clauses are %s", what, id, strings.Join(clauseIDs(rule.Clauses), ", "))
		}
	}
	switch i.Kind {
	case "removeRule":
		return ldclient.RemoveRule(i.RuleID), "remove " + what, nil
	case "updateRuleDescription":
		return ldclient.UpdateRuleDescription(i.RuleID, *i.Description), fmt.Sprintf("describe %s as %q", what, short(clean(*i.Description), 60)), nil
	case "updateRuleRolloutAndContextKind":
		weight, kind := thousandths(*i.Percent), i.ContextKind
		if kind == "" {
			kind = rule.RolloutContextKind
		}
		if kind == "" {
			kind = "user"
		}
		return ldclient.UpdateSegmentRuleRollout(i.RuleID, weight, kind),
			fmt.Sprintf("let %s take %s of the matching contexts by %s instead of %s", what, percent(weight), short(clean(kind), 60), share(rule)), nil
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
		c := clausesWith(rule.Clauses, []string{i.ClauseID})[0]
		values := valuesFor(c.Op, i.Values)
		if i.Kind == "addValuesToClause" {
			b.noteSegments(c.Op, values)
			return ldclient.AddValuesToClause(i.RuleID, i.ClauseID, values), fmt.Sprintf("add %s to what %s matches", anyOf(values), what), nil
		}
		if err := leavesValues(c, values); err != nil {
			return nil, "", err
		}
		return ldclient.RemoveValuesFromClause(i.RuleID, i.ClauseID, values), fmt.Sprintf("take %s from what %s matches", anyOf(values), what), nil
	}
	return nil, "", fmt.Errorf("this kind is not known here")
}

func (b *segmentRuleBuilder) addRule(i segmentRuleInstruction) (ldclient.Instruction, string, error) {
	clauses, err := b.clauses(i.Clauses)
	if err != nil {
		return nil, "", err
	}
	r := ldclient.NewSegmentRule{Clauses: clauses, BucketBy: i.BucketBy, ContextKind: i.ContextKind}
	if i.Description != nil {
		r.Description = *i.Description
	}
	words := "add a rule: if " + inWords(clauses)
	if i.Percent != nil {
		w := thousandths(*i.Percent)
		r.Weight = &w
		words += ", " + percent(w) + " of those"
	} else if i.BucketBy+i.ContextKind != "" {
		return nil, "", fmt.Errorf("contextKind and bucketBy go with percent; the context kind of a clause stands in the clause")
	}
	return ldclient.AddSegmentRule(r), words, nil
}

func (b *segmentRuleBuilder) reorder(ids []string) (ldclient.Instruction, string, error) {
	have := keysOf(b.rules, func(r ldclient.SegmentRule) string { return r.ID })
	if !slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(ids))) {
		return nil, "", fmt.Errorf("ruleIds must name each present rule once; %s", b.list())
	}
	var order []string
	for _, id := range ids {
		order = append(order, strconv.Itoa(slices.Index(have, id)+1))
	}
	return ldclient.ReorderRules(ids), "reorder the rules to " + strings.Join(order, ", "), nil
}

func (b *segmentRuleBuilder) name(n int) string {
	return ruleName(n, b.rules[n].Description, b.rules[n].Clauses)
}

func (b *segmentRuleBuilder) list() string {
	return listRules(keysOf(b.rules, func(r ldclient.SegmentRule) string { return r.ID }), b.name)
}

// thousandths turns a percentage as people write it into LaunchDarkly's unit.
func thousandths(percent float64) int { return int(math.Round(percent * 1000)) }

func share(r ldclient.SegmentRule) string {
	if r.Weight == nil {
		return "all"
	}
	return percent(*r.Weight)
}

// segmentRulesState is what changing a segment's rules changes.
type segmentRulesState struct {
	Version int               `json:"version"`
	Count   int               `json:"rulesCount"`
	Rules   []segmentRuleView `json:"rules" doc:"those that the change concerns, the first ten"`
	Order   []string          `json:"order,omitempty" doc:"_ids of all rules, where their order changed"`
}

func segmentRulesOf(s *ldclient.Segment) segmentRulesState {
	out := segmentRulesState{Version: s.Version, Count: len(s.Rules), Rules: []segmentRuleView{}}
	for _, r := range s.Rules {
		out.Rules, out.Order = append(out.Rules, segmentRuleOf(r, 0)), append(out.Order, r.ID)
	}
	return out
}

// segmentRulesDiffer leaves in both states what differs between them.
func segmentRulesDiffer(before, after *segmentRulesState) {
	common := func(ids, others []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(others, id) })
	}
	if slices.Equal(common(before.Order, after.Order), common(after.Order, before.Order)) {
		before.Order, after.Order = nil, nil
	}
	was, is := before.Rules, after.Rules
	before.Rules, after.Rules = apart(was, is), apart(is, was)
}

// apart is the first ten of a list that another one does not hold.
func apart[T any](list, other []T) []T {
	out := slices.DeleteFunc(slices.Clone(list), func(a T) bool {
		return slices.ContainsFunc(other, func(b T) bool { return reflect.DeepEqual(a, b) })
	})
	return ten(out, 0)
}

var updateSegmentRules = update(Spec{
	Name: "update-segment-rules", Title: "Change a segment's rules", Action: "updateRules", Additive: true,
	Doc: "Add, remove, edit or reorder the rules that put contexts into a segment. Take ids from get-segment.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atSegment
	Instructions []segmentRuleInstruction `json:"instructions" jsonschema:"minItems=1" doc:"In order. addRule {clauses, percent}; with ruleId: removeRule, updateRuleDescription, updateRuleRolloutAndContextKind {percent}, addClauses, removeClauses {clauseIds}, updateClause {clauseId, clause}, addValuesToClause or removeValuesFromClause {clauseId, values}; reorderRules {ruleIds}: all of them"`
	because
}) (*plan[segmentRulesState], error) {
	s, err := ld.Segments.Get(ctx, in.Project, in.Environment, in.Segment)
	if err != nil {
		return nil, err
	}
	var do []ldclient.Instruction
	var says []string
	b := segmentRuleBuilder{rules: s.Rules}
	for n, i := range in.Instructions {
		instruction, words, err := b.build(i)
		if err != nil {
			return nil, badf("instructions[%d] (%s): %v", n, i.Kind, err)
		}
		do, says = append(do, instruction), append(says, words)
	}
	if err := noCircle(ctx, ld, in.target(), b.segments); err != nil {
		return nil, err
	}
	words := fmt.Sprintf("change the rules of segment %s in %s of project %s, which %s: %s",
		in.Segment, in.Environment, in.Project, targetedBy(s), strings.Join(says, "; "))
	p := segmentPlan(ld, in.target(), s, segmentRulesOf, words, do...)
	p.Differ = segmentRulesDiffer
	return p, nil
})

// targetedBy names the flags that a change of a segment reaches.
func targetedBy(s *ldclient.Segment) string {
	keys := keysOf(s.Flags, func(f ldclient.SegmentFlag) string { return f.Key })
	switch n := len(keys) - 3; {
	case len(keys) == 0:
		return "no flag targets"
	case n > 0:
		return fmt.Sprintf("the flags %s and %d more target", strings.Join(keys[:3], ", "), n)
	case len(keys) == 1:
		return "flag " + keys[0] + " targets"
	}
	return "the flags " + strings.Join(keys, ", ") + " target"
}

// noCircle refuses rules on segments that are not there or that depend on the
// segment at hand: SDKs give up on a circle, and every flag in it fails.
func noCircle(ctx context.Context, ld *ldclient.Client, at ldclient.Target, keys []string) error {
	if err := segmentsExist(ctx, ld, at, keys); err != nil {
		return err
	}
	seen := map[string]bool{}
	for len(keys) > 0 {
		key := keys[0]
		keys = keys[1:]
		if key == at.Key {
			return badf("a rule on segment %s would make it depend on itself; name another segment", at.Key)
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		s, err := ld.Segments.Get(ctx, at.Project, at.Environment, key)
		if ldclient.IsNotFound(err) {
			continue // an old rule on a segment that is gone
		}
		if err != nil {
			return err
		}
		keys = append(keys, segmentsIn(s)...)
	}
	return nil
}
