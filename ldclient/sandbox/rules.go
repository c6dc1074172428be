package sandbox

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

// rule is what flag rules and segment rules have in common.
type rule interface {
	comparable
	ruleID() string
	clauseList() *[]clause
	setDescription(string)
}

func (r *flagRule) ruleID() string           { return r.ID }
func (r *flagRule) clauseList() *[]clause    { return &r.Clauses }
func (r *flagRule) setDescription(s string)  { r.Description = s }
func (r *segmentRule) ruleID() string        { return r.ID }
func (r *segmentRule) clauseList() *[]clause { return &r.Clauses }
func (r *segmentRule) setDescription(s string) {
	r.Description = s
}

func findRule[R rule](rules []R, in params) (R, *apiError) {
	var none R
	if in.RuleID == "" {
		return none, in.missing("ruleId")
	}
	i := ruleIndex(rules, in.RuleID)
	if i < 0 {
		return none, invalid("instruction kind '%s': unknown ruleId '%s'", in.Kind, in.RuleID)
	}
	return rules[i], nil
}

func ruleIndex[R rule](rules []R, id string) int {
	return slices.IndexFunc(rules, func(r R) bool { return r.ruleID() == id })
}

// removeRule drops a rule; one that is not there is no error.
func removeRule[R rule](rules *[]R, in params) *apiError {
	if in.RuleID == "" {
		return in.missing("ruleId")
	}
	*rules = slices.DeleteFunc(*rules, func(r R) bool { return r.ruleID() == in.RuleID })
	return nil
}

func reorderRules[R rule](rules *[]R, in params) *apiError {
	if in.RuleIDs == nil {
		return in.missing("ruleIds")
	}
	var out []R
	for _, id := range in.RuleIDs {
		if i := ruleIndex(*rules, id); i >= 0 && !slices.Contains(out, (*rules)[i]) {
			out = append(out, (*rules)[i])
		}
	}
	if len(out) != len(*rules) || len(in.RuleIDs) != len(*rules) {
		return invalid("instruction kind 'reorderRules': ruleIds must be exactly the IDs of the current rules")
	}
	copy(*rules, out)
	return nil
}

func describeRule[R rule](rules *[]R, in params) *apiError {
	r, err := findRule(*rules, in)
	if err != nil {
		return err
	}
	if in.Description == nil {
		return in.missing("description")
	}
	r.setDescription(*in.Description)
	return nil
}

// editClauses carries out the five instruction kinds on the clauses of one rule.
func (a *Account) editClauses(list *[]clause, in params) *apiError {
	switch in.Kind {
	case "addClauses":
		added, err := a.newClauses(in, in.Clauses)
		*list = append(*list, added...)
		return err
	case "removeClauses":
		if len(in.ClauseIDs) == 0 {
			return in.missing("clauseIds")
		}
		for _, id := range in.ClauseIDs {
			i := clauseIndex(*list, id)
			if i < 0 {
				return unknownClause(in, id)
			}
			*list = slices.Delete(*list, i, i+1)
		}
		if len(*list) == 0 {
			return invalid("instruction kind 'removeClauses': a rule must keep at least one clause; use removeRule")
		}
		return nil
	}
	if in.ClauseID == "" {
		return in.missing("clauseId")
	}
	i := clauseIndex(*list, in.ClauseID)
	if i < 0 {
		return unknownClause(in, in.ClauseID)
	}
	c := &(*list)[i]
	switch in.Kind {
	case "updateClause":
		if in.Clause == nil {
			return in.missing("clause")
		}
		next := *in.Clause
		next.ID = c.ID
		if err := completeClause(&next); err != nil {
			return err
		}
		*c = next
		return nil
	case "addValuesToClause":
		if len(in.Values) == 0 {
			return in.missing("values")
		}
		for _, v := range in.Values {
			if !slices.ContainsFunc(c.Values, func(have json.RawMessage) bool { return sameJSON(have, v) }) {
				c.Values = append(c.Values, v)
			}
		}
	case "removeValuesFromClause":
		if len(in.Values) == 0 {
			return in.missing("values")
		}
		c.Values = slices.DeleteFunc(c.Values, func(have json.RawMessage) bool {
			return slices.ContainsFunc(in.Values, func(v json.RawMessage) bool { return sameJSON(have, v) })
		})
	}
	return completeClause(c)
}

func editRuleClauses[R rule](a *Account, rules *[]R, in params) *apiError {
	r, err := findRule(*rules, in)
	if err != nil {
		return err
	}
	return a.editClauses(r.clauseList(), in)
}

func clauseIndex(list []clause, id string) int {
	return slices.IndexFunc(list, func(c clause) bool { return c.ID == id })
}

func unknownClause(in params, id string) *apiError {
	return invalid("instruction kind '%s': unknown clauseId '%s'", in.Kind, id)
}

// newClauses returns checked copies of clauses with IDs of their own.
func (a *Account) newClauses(in params, clauses []clause) ([]clause, *apiError) {
	if len(clauses) == 0 {
		return nil, in.missing("clauses")
	}
	out := slices.Clone(clauses)
	for i := range out {
		if err := completeClause(&out[i]); err != nil {
			return nil, err
		}
		out[i].ID = a.uuid()
	}
	return out, nil
}

var operators = []string{
	"in", "endsWith", "startsWith", "matches", "contains", "lessThan", "lessThanOrEqual", "greaterThan",
	"greaterThanOrEqual", "before", "after", "segmentMatch", "semVerEqual", "semVerLessThan", "semVerGreaterThan",
}

var contextKindPattern = pattern.Of(`^[a-zA-Z0-9._-]+$`)

func checkContextKind(kind string) *apiError {
	if kind == "kind" || kind == "multi" || !contextKindPattern().MatchString(kind) {
		return invalid("'%s' is not a valid context kind", kind)
	}
	return nil
}

// completeClause checks a clause and fills in what may be left out.
func completeClause(c *clause) *apiError {
	if !slices.Contains(operators, c.Op) {
		return invalid("clause has the invalid op '%s'", c.Op)
	}
	if c.Op == "segmentMatch" {
		c.Attribute = "segmentMatch"
	}
	if c.Attribute == "" {
		return invalid("clause has no attribute")
	}
	if c.ContextKind == "" {
		c.ContextKind = "user"
	}
	if err := checkContextKind(c.ContextKind); err != nil {
		return err
	}
	if len(c.Values) == 0 {
		return invalid("clause on attribute '%s' has no values", c.Attribute)
	}
	for _, v := range c.Values {
		var s string
		isText := json.Unmarshal(v, &s) == nil && !bytes.Equal(v, []byte("null"))
		switch c.Op {
		case "segmentMatch", "startsWith", "endsWith", "contains", "matches", "semVerEqual", "semVerLessThan", "semVerGreaterThan":
			if !isText {
				return invalid("clause with op '%s' takes strings, not %s", c.Op, v)
			}
		}
		if c.Op == "matches" {
			if _, err := regexp.Compile(s); err != nil {
				return invalid("clause with op 'matches' has an invalid regular expression: %v", err)
			}
		}
		if v[0] == '{' || v[0] == '[' || string(v) == "null" {
			return invalid("clause values must be strings, numbers or booleans, not %s", v)
		}
	}
	return nil
}

// sameJSON tells whether two documents mean the same.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	return canonical(a) == canonical(b)
}

func canonical(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	return string(jsonValue(v))
}

// jsonValue is v as JSON; v must be something that JSON can hold.
func jsonValue(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// texts are the clause's values that are strings.
func (c clause) texts() []string {
	var out []string
	for _, v := range c.Values {
		var s string
		if json.Unmarshal(v, &s) == nil {
			out = append(out, s)
		}
	}
	return out
}
