package tools

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// roomForAll is how much of a question the instructions may take up together, in characters.
const roomForAll = 700

// together puts what several instructions do in one sentence, the most far-reaching first, so that
// none of them is cut off from what a person confirms.
func together(do []ldclient.Instruction, says []string) string {
	if len(says) < 2 || len(do) != len(says) {
		return strings.Join(says, "; ")
	}
	order := make([]int, len(do))
	for n := range order {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(reach(do[a].Kind()), reach(do[b].Kind())) })
	long := 0
	for _, s := range says {
		long += len([]rune(s))
	}
	var out []string
	for _, n := range order {
		s := says[n]
		if long > roomForAll {
			s = short(s, max(20, roomForAll/len(says)))
		}
		out = append(out, s)
	}
	return fmt.Sprintf("%d changes: %s", len(says), strings.Join(out, "; "))
}

// reach orders kinds of instructions by how many contexts they concern, the most first.
func reach(kind string) int {
	switch {
	case slices.Contains([]string{"turnFlagOn", "turnFlagOff", "updateFallthroughVariationOrRollout", "updateOffVariation"}, kind),
		slices.Contains(releaseKinds, kind), slices.Contains(variationKinds, kind):
		return 0
	case strings.HasPrefix(kind, "replace"):
		return 1
	case strings.HasPrefix(kind, "remove"), strings.HasPrefix(kind, "clear"), strings.HasSuffix(kind, "Prerequisite"), kind == "reorderRules":
		return 2
	}
	return 3
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
	return strings.Join(parts, ", ") + dividedBy(f.RolloutBucketBy, f.RolloutKind), nil
}

// dividedBy says what contexts are divided by, where it is not the key of users.
func dividedBy(attribute, contextKind string) string {
	if cmp.Or(attribute, "key") == "key" && cmp.Or(contextKind, "user") == "user" {
		return ""
	}
	return fmt.Sprintf(" (divided by %s of %s contexts)", word(cmp.Or(attribute, "key")), word(cmp.Or(contextKind, "user")))
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
		for n, r := range f.Rules {
			s, err := c.newRule(r)
			if err != nil {
				return "", fmt.Errorf("rules[%d]: %w", n, err)
			}
			all = append(all, s)
		}
		if len(all) == 0 {
			return fmt.Sprintf("remove all %d rules", len(c.rules)), nil
		}
		return fmt.Sprintf("replace all %d rules by %d: %s", len(c.rules), len(f.Rules), strings.Join(all, ", ")), nil
	case "reorderRules":
		return c.reorder(f.RuleIDs)
	case "addTargets", "addUserTargets", "removeTargets", "removeUserTargets", "replaceTargets", "replaceUserTargets", "clearTargets", "clearUserTargets":
		return c.targets(kind, f)
	case "updateTrackEvents":
		return fmt.Sprintf("set event tracking to %t", f.TrackEvents), nil
	case "updateTrackEventsFallthrough":
		return fmt.Sprintf("set event tracking of the default rule to %t", f.TrackEvents), nil
	case "startAutomatedRelease":
		return c.startRelease(f)
	case "stopAutomatedRelease":
		s, err := c.variation(f.Final)
		where, _, missing := c.rule(f.RuleID)
		return fmt.Sprintf("stop the rollout on %s and serve %s", where, s), cmp.Or(err, missing)
	case "addVariation", "removeVariation", "updateVariation", "updateDefaultVariation":
		return c.ofVariation(kind, f)
	}
	return c.onRule(kind, f)
}

func (c changing) reorder(ids []string) (string, error) {
	have := keysOf(c.rules, func(r ldclient.Rule) string { return r.ID })
	if !slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(ids))) {
		b := ruleBuilder{rules: c.rules}
		return "", fmt.Errorf("ruleIds must name each present rule once; %s", b.listRules())
	}
	var order []string
	for _, id := range ids {
		name, _, err := c.rule(id)
		if err != nil {
			return "", err
		}
		order = append(order, name)
	}
	return "reorder the rules to " + strings.Join(order, ", "), nil
}

// ofVariation says how the variations themselves change.
func (c changing) ofVariation(kind string, f rawFields) (string, error) {
	var parts []string
	say := func(name string, text *string) {
		if text != nil {
			parts = append(parts, fmt.Sprintf("%s %q", name, short(clean(*text), 60)))
		}
	}
	if len(f.Value) > 0 {
		parts = append(parts, "value "+short(clean(string(f.Value)), 200))
	}
	say("name", f.Name)
	say("description", f.Description)
	switch kind {
	case "addVariation":
		return "add a variation with " + strings.Join(parts, ", "), nil
	case "removeVariation":
		s, err := c.variation(f.VariationID)
		return "remove variation " + s, err
	case "updateVariation":
		n, err := variation(c.flag, f.VariationID)
		if err != nil {
			return "", err
		}
		if len(parts) == 0 {
			return "", fmt.Errorf("missing value, name or description: what is to be different")
		}
		return fmt.Sprintf("give variation %s, which has the value %s, in every environment the %s", label(c.flag, n),
			short(clean(valueText(c.flag.Variations[n].Value)), 60), strings.Join(parts, ", ")), nil
	}
	for name, value := range map[string]json.RawMessage{"on": f.OnValue, "off": f.OffValue} {
		if len(value) == 0 {
			continue
		}
		n := slices.IndexFunc(c.flag.Variations, func(v ldclient.Variation) bool { return sameValue(v.Value, value) })
		if n < 0 {
			return "", fmt.Errorf("%sVariationValue: no variation has the value %s; the flag has %s", name, word(string(value)), everyVariation(c.flag))
		}
		parts = append(parts, label(c.flag, n)+" while "+name)
	}
	if len(parts) == 0 {
		return "", fmt.Errorf("missing onVariationValue or offVariationValue")
	}
	slices.Sort(parts)
	return "let new environments start with " + strings.Join(parts, " and "), nil
}

func sameValue(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(bytes.TrimSpace(a), &x) == nil && json.Unmarshal(bytes.TrimSpace(b), &y) == nil && reflect.DeepEqual(x, y)
}

func (c changing) startRelease(f rawFields) (string, error) {
	target, err := c.variation(f.Target)
	if err != nil {
		return "", err
	}
	control, err := c.variation(f.Original)
	if err != nil {
		return "", err
	}
	where, _, err := c.rule(f.RuleID)
	if err != nil {
		return "", err
	}
	var stages []stageInput
	for _, s := range f.Stages {
		stages = append(stages, stageInput{Weight: &s.Allocation, Duration: &s.Duration})
	}
	_, steps, err := stagesOf(f.ReleaseKind, stages)
	switch {
	case f.ReleaseKind != guarded && f.ReleaseKind != "progressive":
		return "", fmt.Errorf("releaseKind must be guarded or progressive, got %q", short(f.ReleaseKind, 60))
	case f.Target == f.Original:
		return "", fmt.Errorf("originalVariationId and targetVariationId are the same variation")
	case (f.ReleaseKind == guarded) != (len(f.Metrics) > 0):
		return "", fmt.Errorf("metrics go with releaseKind guarded, which needs at least one")
	case err != nil:
		return "", err
	}
	watching := ""
	for n, m := range f.Metrics {
		watching += []string{", watching ", ", "}[min(n, 1)] + word(m.Key)
		if f.Preferences[m.Key].AutoRollback {
			watching += " (goes back on a regression)"
		} else {
			watching += " (pauses on a regression)"
		}
	}
	return fmt.Sprintf("start a %s rollout of %s instead of %s on %s to %s contexts: %s, then everyone%s", f.ReleaseKind, target, control, where, word(f.Unit), steps, watching), nil
}

// onRule says what is done to one rule that is there.
func (c changing) onRule(kind string, f rawFields) (string, error) {
	name, rule, err := c.rule(f.RuleID)
	if err != nil {
		return "", err
	}
	switch kind {
	case "removeRule":
		return "remove " + name, nil
	case "updateRuleVariationOrRollout":
		s, err := c.serve(f)
		return "serve " + s + " by " + name, err
	case "updateRuleDescription":
		var text string
		if f.Description != nil {
			text = *f.Description
		}
		return fmt.Sprintf("describe %s as %q", name, short(clean(text), 60)), nil
	case "updateRuleTrackEvents":
		return fmt.Sprintf("set event tracking of %s to %t", name, f.TrackEvents), nil
	case "updateRuleRolloutAndContextKind":
		share, err := weightWords(*f.Weight)
		return fmt.Sprintf("let %s take %s of what matches%s", name, share, dividedBy("", f.ContextKind)), err
	case "addClauses":
		return fmt.Sprintf("let %s match only where also %s", name, inWords(f.Clauses)), clausesFit(f.Clauses)
	}
	ids := append(slices.Clone(f.ClauseIDs), f.ClauseID)
	ids = slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(ids, func(id string) bool { return id == "" }))))
	with := clausesWith(rule.Clauses, ids)
	if len(with) != len(ids) {
		return "", fmt.Errorf("%s has no such clause now; its clauses are %s", name, strings.Join(keysOf(rule.Clauses, func(c ldclient.Clause) string { return c.ID }), ", "))
	}
	switch kind {
	case "removeClauses":
		if len(with) == len(rule.Clauses) {
			return "", fmt.Errorf("this would leave %s without a clause; use removeRule", name)
		}
		return fmt.Sprintf("let %s match without %s", name, inWords(with)), nil
	case "updateClause":
		changed := []ldclient.Clause{*f.Clause}
		return fmt.Sprintf("change %s of %s to %s", inWords(with), name, inWords(changed)), clausesFit(changed)
	case "addValuesToClause":
		return fmt.Sprintf("add %s to what %s matches", anyOf(f.Values), name), nil
	case "removeValuesFromClause":
		return fmt.Sprintf("take %s from what %s matches", anyOf(f.Values), name), nil
	}
	return "", fmt.Errorf("this kind is not known here")
}

// weightWords says the share that a segment's rule takes.
func weightWords(weight float64) (string, error) {
	switch {
	case weight > 0 && weight <= leastTold:
		return "", fmt.Errorf("weight is in thousandths of a percent: 10000 is 10 %%, so %s would be %s", number(weight), percent(int(weight)))
	case weight < 0 || weight > whole || weight != float64(int(weight)):
		return "", fmt.Errorf("weight must be a whole number from 0 to %d, in thousandths of a percent: 10000 is 10 %%", whole)
	}
	return percent(int(weight)), nil
}

// clauseOps are the operators that clauses may have.
var clauseOps = []string{
	"in", "endsWith", "startsWith", "matches", "contains", "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual",
	"before", "after", "segmentMatch", "semVerEqual", "semVerLessThan", "semVerGreaterThan",
}

func clausesFit(clauses []ldclient.Clause) error {
	for n, c := range clauses {
		switch {
		case !slices.Contains(clauseOps, c.Op):
			return fmt.Errorf("clauses[%d]: there is no op %q; there are %s", n, short(c.Op, 60), strings.Join(clauseOps, ", "))
		case c.Attribute == "" && c.Op != "segmentMatch":
			return fmt.Errorf("clauses[%d]: missing attribute", n)
		}
	}
	return nil
}

func (c changing) newRule(f rawFields) (string, error) {
	if err := clausesFit(f.Clauses); err != nil {
		return "", err
	}
	where := ""
	if f.BeforeRuleID != "" {
		name, _, err := c.rule(f.BeforeRuleID)
		if err != nil {
			return "", fmt.Errorf("beforeRuleId: %w", err)
		}
		where = " before " + name
	}
	if f.Description != nil && *f.Description != "" {
		where += fmt.Sprintf(" (%s)", word(*f.Description))
	}
	when := inWords(f.Clauses)
	if c.flag == nil {
		if f.Weight != nil {
			share, err := weightWords(*f.Weight)
			if err != nil {
				return "", err
			}
			when = share + " of those with " + when + dividedBy(f.BucketBy, f.RolloutKind)
		} else if f.BucketBy+f.RolloutKind != "" {
			return "", fmt.Errorf("rolloutContextKind and bucketBy go with weight")
		}
		return "add a rule" + where + " that takes in contexts where " + when, nil
	}
	s, err := c.serve(f)
	if f.TrackEvents {
		s += ", with event tracking"
	}
	return "add a rule" + where + ": if " + when + " serve " + s, err
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
	case strings.HasPrefix(kind, "replace") && len(parts) == 0:
		return "target no contexts individually", nil
	case strings.HasPrefix(kind, "clear"):
		return "target no contexts with" + strings.TrimPrefix(parts[0], " "+ofKind(f.ContextKind)), nil
	case strings.HasPrefix(kind, "remove"):
		return "no longer target " + parts[0], nil
	case strings.HasPrefix(kind, "replace"):
		others := map[bool]string{true: " and no other users", false: " and no others"}[kind == "replaceUserTargets"]
		return "target exactly " + strings.Join(parts, ", ") + others, nil
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

// requested says what an approved request would do, and on which versions, and refuses what cannot be told for certain.
func requested(ctx context.Context, ld *ldclient.Client, r *ldclient.ApprovalRequest, on changing, version string) ([]string, string, error) {
	if r.Source != nil {
		words, from, err := copyWords(ctx, ld, on.at, r.Source.Key)
		if bad, ok := errors.AsType[badArguments](err); ok {
			err = cannot("request %s cannot be applied from here: %v. Look at it on LaunchDarkly's page (%s)", r.ID, bad, pageURL(ld, on.at))
		}
		return []string{words}, version + ", " + from, err
	}
	raw := make([]rawInstruction, len(r.Instructions))
	for n, i := range r.Instructions {
		raw[n] = rawInstruction(i)
	}
	do, would, err := on.settle(ctx, raw)
	if bad, ok := errors.AsType[badArguments](err); ok {
		err = cannot("request %s cannot be applied from here: %v. Look at it on LaunchDarkly's page (%s)", r.ID, bad, pageURL(ld, on.at))
	} else if err == nil && digest(do) != digest(r.Instructions) { // nothing is put right in what people have approved
		err = cannot("request %s does not say in ids and thousandths what to serve; look at it on LaunchDarkly's page (%s)", r.ID, pageURL(ld, on.at))
	}
	return would, version, err
}

// copyWords says what copying a flag's settings would change, and the version of those that would be copied.
func copyWords(ctx context.Context, ld *ldclient.Client, at ldclient.Target, source string) (string, string, error) {
	there := at
	there.Environment = source
	_, from, err := flagIn(ctx, ld, there)
	if err != nil {
		return "", "", err
	}
	f, to, err := flagIn(ctx, ld, at)
	if err != nil {
		return "", "", err
	}
	c := copying{f: f, from: from, to: to, then: to, at: at}
	for _, action := range copyActions {
		if err := c.part(ctx, ld, action); err != nil {
			return "", "", err
		}
	}
	what := "which has the same already"
	if len(c.says) > 0 {
		what = "which would " + together(c.do, c.says)
	}
	return fmt.Sprintf("copy the settings of %s to %s, %s", word(source), at.Environment, what), fmt.Sprintf("%s %d", source, from.Version), nil
}
