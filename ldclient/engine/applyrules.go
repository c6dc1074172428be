package engine

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

func (a *applying) newID() string {
	a.made++
	return fmt.Sprintf("new-%d", a.made)
}

func (a *applying) rule(id string) (int, error) {
	n := slices.IndexFunc(a.c.Rules, func(r ldclient.Rule) bool { return r.ID == id && id != "" })
	if n < 0 {
		return 0, fmt.Errorf("there is no rule %q", id)
	}
	return n, nil
}

func (a *applying) newRule(in fields) (ldclient.Rule, error) {
	s, err := a.serve(in)
	return ldclient.Rule{ID: a.newID(), Clauses: a.newClauses(in.Clauses), Description: orZero(in.Description), TrackEvents: orZero(in.TrackEvents), Ref: in.Ref, RuleServe: s}, err
}

func (a *applying) newClauses(list []ldclient.Clause) []ldclient.Clause {
	out := make([]ldclient.Clause, len(list))
	for i, c := range list {
		c.ID = a.newID()
		out[i] = complete(c)
	}
	return out
}

// complete fills in what a clause may leave out.
func complete(c ldclient.Clause) ldclient.Clause {
	c.ContextKind = cmp.Or(c.ContextKind, "user")
	if c.Op == segmentMatch {
		c.Attribute = segmentMatch
	}
	return c
}

func (a *applying) addRule(in fields) error {
	r, err := a.newRule(in)
	if err != nil {
		return err
	}
	at := len(a.c.Rules)
	if in.BeforeRuleID != "" {
		if at, err = a.rule(in.BeforeRuleID); err != nil {
			return err
		}
	}
	a.c.Rules = slices.Insert(a.c.Rules, at, r)
	return nil
}

func (a *applying) removeRule(in fields) error {
	a.c.Rules = slices.DeleteFunc(a.c.Rules, func(r ldclient.Rule) bool { return r.ID == in.RuleID })
	return nil
}

func (a *applying) replaceRules(in fields) error {
	rules := []ldclient.Rule{}
	for _, one := range in.Rules {
		r, err := a.newRule(one)
		if err != nil {
			return err
		}
		rules = append(rules, r)
	}
	a.c.Rules = rules
	return nil
}

func (a *applying) reorderRules(in fields) error {
	rules := make([]ldclient.Rule, 0, len(a.c.Rules))
	for _, id := range in.RuleIDs {
		n, err := a.rule(id)
		if err != nil {
			return err
		}
		rules = append(rules, a.c.Rules[n])
	}
	if len(rules) != len(a.c.Rules) {
		return fmt.Errorf("there are %d rules, and %d were named", len(a.c.Rules), len(rules))
	}
	a.c.Rules = rules
	return nil
}

func (a *applying) updateRule(in fields) error {
	n, err := a.rule(in.RuleID)
	if err != nil {
		return err
	}
	r := &a.c.Rules[n]
	switch in.Kind {
	case "updateRuleDescription":
		r.Description = orZero(in.Description)
	case "updateRuleTrackEvents":
		r.TrackEvents = orZero(in.TrackEvents)
	default:
		r.RuleServe, err = a.serve(in)
	}
	return err
}

func (a *applying) addClauses(in fields) error {
	n, err := a.rule(in.RuleID)
	if err == nil {
		a.c.Rules[n].Clauses = append(a.c.Rules[n].Clauses, a.newClauses(in.Clauses)...)
	}
	return err
}

func (a *applying) clause(in fields, id string) (list *[]ldclient.Clause, at int, err error) {
	n, err := a.rule(in.RuleID)
	if err != nil {
		return nil, 0, err
	}
	list = &a.c.Rules[n].Clauses
	if at = slices.IndexFunc(*list, func(c ldclient.Clause) bool { return c.ID == id && id != "" }); at < 0 {
		err = fmt.Errorf("there is no clause %q", id)
	}
	return list, at, err
}

func (a *applying) removeClauses(in fields) error {
	for _, id := range in.ClauseIDs {
		list, at, err := a.clause(in, id)
		if err != nil {
			return err
		}
		*list = slices.Delete(*list, at, at+1)
	}
	return nil
}

func (a *applying) updateClause(in fields) error {
	list, at, err := a.clause(in, in.ClauseID)
	if err != nil {
		return err
	}
	c := &(*list)[at]
	switch in.Kind {
	case "addValuesToClause":
		values := slices.Clone(c.Values)
		for _, v := range in.Values {
			if !holdsValue(values, v) {
				values = append(values, v)
			}
		}
		c.Values = values
	case "removeValuesFromClause":
		c.Values = slices.DeleteFunc(slices.Clone(c.Values), func(v any) bool { return holdsValue(in.Values, v) })
	default:
		if in.Clause == nil {
			return fmt.Errorf("there is no clause in it")
		}
		next := complete(*in.Clause)
		next.ID = c.ID
		*c = next
	}
	return nil
}

func holdsValue(list []any, v any) bool {
	return slices.ContainsFunc(list, func(have any) bool { return plain(have).Equal(plain(v)) })
}
