package tools

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

type clauseInput struct {
	ContextKind string   `json:"contextKind,omitempty" told:"true" doc:"user if not given"`
	Attribute   string   `json:"attribute,omitempty" doc:"Such as email or /address/city; not for segmentMatch"`
	Op          string   `json:"op,omitempty" jsonschema:"enum=in,enum=endsWith,enum=startsWith,enum=matches,enum=contains,enum=lessThan,enum=lessThanOrEqual,enum=greaterThan,enum=greaterThanOrEqual,enum=before,enum=after,enum=segmentMatch,enum=semVerEqual,enum=semVerLessThan,enum=semVerGreaterThan"`
	Negate      bool     `json:"negate,omitempty"`
	Values      []scalar `json:"values" jsonschema:"minItems=1" doc:"Any; segment keys for segmentMatch"`
}

// clauseBuilder turns clauses as callers write them into LaunchDarkly's.
type clauseBuilder struct {
	segments []string // that new clauses name
}

func (b *clauseBuilder) clauses(in []clauseInput) ([]ldclient.Clause, error) {
	var out []ldclient.Clause
	for n, c := range in {
		if c.Op == "" {
			c.Op = "in"
		}
		values := valuesFor(c.Op, c.Values)
		switch {
		case c.Op == "segmentMatch":
			if c.Attribute != "" && c.Attribute != "segmentMatch" {
				return nil, fmt.Errorf("clauses[%d]: segmentMatch takes no attribute", n)
			}
			c.Attribute = "segmentMatch"
			b.noteSegments(c.Op, values)
		case c.Attribute == "":
			return nil, fmt.Errorf("clauses[%d]: missing attribute", n)
		case c.ContextKind == "":
			c.ContextKind = "user"
		}
		out = append(out, ldclient.Clause{ContextKind: c.ContextKind, Attribute: c.Attribute, Op: c.Op, Negate: c.Negate, Values: values})
	}
	return out, nil
}

func (b *clauseBuilder) noteSegments(op string, values []any) {
	for _, v := range values {
		if key, ok := v.(string); ok && op == "segmentMatch" && !slices.Contains(b.segments, key) {
			b.segments = append(b.segments, key)
		}
	}
}

// valuesFor gives an operator that compares numbers numbers, since models often quote them.
func valuesFor(op string, in []scalar) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v.any
		if s, ok := v.any.(string); ok && (strings.HasPrefix(op, "lessThan") || strings.HasPrefix(op, "greaterThan")) {
			var n json.Number
			if json.Unmarshal([]byte(s), &n) == nil {
				out[i] = n
			}
		}
	}
	return out
}

// leavesValues refuses to take all values from a clause, which LaunchDarkly would not do.
func leavesValues(c ldclient.Clause, taken []any) error {
	goes := func(have any) bool {
		return slices.ContainsFunc(taken, func(v any) bool { return sameValue(mustJSON(v), mustJSON(have)) })
	}
	if slices.ContainsFunc(c.Values, func(have any) bool { return !goes(have) }) {
		return nil
	}
	return fmt.Errorf("this would leave the clause without a value; use removeClauses or removeRule")
}

func clausesWith(clauses []ldclient.Clause, ids []string) []ldclient.Clause {
	var out []ldclient.Clause
	for _, c := range clauses {
		if slices.Contains(ids, c.ID) {
			out = append(out, c)
		}
	}
	return out
}

func clauseIDs(clauses []ldclient.Clause) []string {
	return keysOf(clauses, func(c ldclient.Clause) string { return c.ID })
}

// ruleName is what people call the rule at index n.
func ruleName(n int, description string, clauses []ldclient.Clause) string {
	if description != "" {
		return fmt.Sprintf("rule %d (%s)", n+1, short(clean(description), 60))
	}
	return fmt.Sprintf("rule %d (%s)", n+1, short(inWords(clauses), 120))
}

// listRules names the first rules with their ids.
func listRules(ids []string, name func(int) string) string {
	if len(ids) == 0 {
		return "it has no rules"
	}
	var out []string
	for n, id := range ids[:min(firstOf, len(ids))] {
		out = append(out, id+" is "+name(n))
	}
	return strings.Join(out, ", ")
}
