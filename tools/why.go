package tools

import (
	"fmt"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// why says in words why a context gets what it gets, as far as the flag was read.
func (e *evaluation) why(x ldclient.Evaluation) string {
	f := e.flags[x.Key]
	var c ldclient.FlagConfig
	if f != nil {
		c = f.Environments[e.at.Environment]
	}
	if x.Value == nil {
		switch {
		case f == nil:
			return "there is no such flag"
		case f.Archived:
			return "the flag is archived, so SDKs do not get it: the fallback in code"
		}
		return "LaunchDarkly did not evaluate the flag"
	}
	says := ""
	switch r := x.Reason; r.Kind {
	case "OFF":
		says = "targeting is off: off variation"
		if f != nil && c.OffVariation == nil {
			says = "targeting is off and there is no off variation: the fallback in code"
		}
	case "FALLTHROUGH":
		says = "no target and no rule matched: default rule"
		if c.Fallthrough.Rollout != nil {
			says += " (" + serves(f, c.Fallthrough) + ")"
		}
	case "TARGET_MATCH":
		says = "individually targeted"
		if who := e.targeted(c); who != "" {
			says += " (" + who + ")"
		}
	case "RULE_MATCH":
		says = matchedRule(f, c, r)
	case "PREREQUISITE_FAILED":
		says = fmt.Sprintf("prerequisite %s is not met (off, or another variation than the one wanted): off variation", clean(r.PrerequisiteKey))
	case "":
		says = "LaunchDarkly gave no reason"
	case "ERROR":
		says = "LaunchDarkly could not evaluate it: " + clean(r.ErrorKind)
	default:
		says = clean(r.Kind)
	}
	if x.Reason.InExperiment {
		says += ", in an experiment"
	}
	return says
}

// matchedRule names a rule by its place, counted from 1, and says it in words.
func matchedRule(f *ldclient.Flag, c ldclient.FlagConfig, r ldclient.EvaluationReason) string {
	i := slices.IndexFunc(c.Rules, func(rule ldclient.Rule) bool { return r.RuleID != "" && rule.ID == r.RuleID })
	if i < 0 && r.RuleID == "" && r.RuleIndex != nil && *r.RuleIndex < len(c.Rules) {
		i = *r.RuleIndex
	}
	if i < 0 {
		if r.RuleIndex == nil {
			return "a rule"
		}
		return fmt.Sprintf("rule %d", *r.RuleIndex+1)
	}
	rule := c.Rules[i]
	what := inWords(rule.Clauses)
	if what == "" {
		what = "everyone"
	}
	says := fmt.Sprintf("rule %d (%s)", i+1, what)
	if rule.Description != "" {
		says = fmt.Sprintf("rule %d %q (%s)", i+1, short(clean(rule.Description), 80), what)
	}
	if rule.Rollout != nil {
		says += ", which gives " + serves(f, rule.RuleServe)
	}
	return says
}

// targeted names the context that is individually targeted, "" if the flag was not read.
func (e *evaluation) targeted(c ldclient.FlagConfig) string {
	all := contextsIn(e.about)
	for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
		kind := t.ContextKind
		if kind == "" {
			kind = "user"
		}
		if key, ok := all[kind]["key"].(string); ok && slices.Contains(t.Values, key) {
			return kind + " " + short(clean(key), 60)
		}
	}
	return ""
}
