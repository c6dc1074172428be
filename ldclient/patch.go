package ldclient

import (
	"context"
	"net/http"
	"net/url"
	"slices"
)

// Instruction is one step of a semantic patch. Variations, rules and clauses in it are ids, weights thousandths of a percent.
type Instruction map[string]any

// Kind returns the instruction's kind.
func (i Instruction) Kind() string {
	kind, _ := i["kind"].(string)
	return kind
}

// Patch is a semantic patch of one flag or segment. All its instructions are carried out, or none.
type Patch struct {
	Comment      string
	Instructions []Instruction
	DryRun       bool // validate and answer what would be, without writing
}

func (p Patch) query() url.Values {
	q := url.Values{}
	if p.DryRun {
		q.Set("dryRun", "true")
	}
	return q
}

func (p Patch) body(environment string) any {
	return struct {
		Environment  string        `json:"environmentKey,omitempty"`
		Comment      string        `json:"comment,omitempty"`
		Instructions []Instruction `json:"instructions"`
	}{environment, p.Comment, p.Instructions}
}

// repeatable are the kinds that end in the same state when they are carried out twice.
var repeatable = []string{
	"turnFlagOn", "turnFlagOff", "updateFallthroughVariationOrRollout", "updateOffVariation",
	"updateRuleVariationOrRollout", "updateRuleDescription", "updateRuleTrackEvents", "removeRule",
	"addTags", "removeTags", "updateName", "updateDescription",
}

// Repeatable reports whether carrying the instructions out twice is the same as once.
func Repeatable(instructions []Instruction) bool {
	return !slices.ContainsFunc(instructions, func(i Instruction) bool { return !slices.Contains(repeatable, i.Kind()) })
}

// patch sends a semantic patch.
func patch[T any](ctx context.Context, c *Client, at Target, p apiPath, in Patch) (*T, error) {
	return do[T](ctx, c, call{method: http.MethodPatch, at: at, path: p, query: in.query(), body: in.body(at.Environment),
		contentType: semanticPatch, writes: !in.DryRun})
}

// TurnFlagOn turns a flag's targeting on in one environment.
func TurnFlagOn() Instruction { return Instruction{"kind": "turnFlagOn"} }

// TurnFlagOff turns a flag's targeting off in one environment.
func TurnFlagOff() Instruction { return Instruction{"kind": "turnFlagOff"} }

// Serve is what a rule or the default rule gives: one variation, or a rollout over several.
type Serve struct {
	VariationID string         `json:"variationId,omitempty"`
	Weights     map[string]int `json:"rolloutWeights,omitempty"` // by variation id, thousandths of a percent, 100,000 in all
	BucketBy    string         `json:"rolloutBucketBy,omitempty"`
	ContextKind string         `json:"rolloutContextKind,omitempty"`
}

func (s Serve) into(i Instruction) Instruction {
	set := func(name, value string) {
		if value != "" {
			i[name] = value
		}
	}
	set("variationId", s.VariationID)
	if len(s.Weights) > 0 {
		i["rolloutWeights"] = s.Weights
		set("rolloutBucketBy", s.BucketBy)
		set("rolloutContextKind", s.ContextKind)
	}
	return i
}

// NewRule is a rule that is yet to be added.
type NewRule struct {
	Clauses     []Clause `json:"clauses"`
	Description string   `json:"description,omitempty"`
	TrackEvents bool     `json:"trackEvents,omitempty"`
	Ref         string   `json:"ref,omitempty"`
	Serve
}

// AddRule adds a targeting rule before another one, or after all others when beforeRuleID is "".
func AddRule(r NewRule, beforeRuleID string) Instruction {
	i := Instruction{"kind": "addRule", "clauses": r.Clauses}
	if beforeRuleID != "" {
		i["beforeRuleId"] = beforeRuleID
	}
	if r.Description != "" {
		i["description"] = r.Description
	}
	if r.TrackEvents {
		i["trackEvents"] = true
	}
	if r.Ref != "" {
		i["ref"] = r.Ref
	}
	return r.Serve.into(i)
}

// RemoveRule removes a targeting rule; one that is not there is left so.
func RemoveRule(ruleID string) Instruction {
	return Instruction{"kind": "removeRule", "ruleId": ruleID}
}

// ReplaceRules replaces all targeting rules, which gives every rule and clause a new id.
func ReplaceRules(rules []NewRule) Instruction {
	return Instruction{"kind": "replaceRules", "rules": rules}
}

// ReorderRules sets the order of the targeting rules. ruleIDs must be exactly the present ones.
func ReorderRules(ruleIDs []string) Instruction {
	return Instruction{"kind": "reorderRules", "ruleIds": ruleIDs}
}

// UpdateRuleServe sets what a targeting rule gives.
func UpdateRuleServe(ruleID string, s Serve) Instruction {
	return s.into(Instruction{"kind": "updateRuleVariationOrRollout", "ruleId": ruleID})
}

// UpdateRuleDescription sets a targeting rule's description.
func UpdateRuleDescription(ruleID, description string) Instruction {
	return Instruction{"kind": "updateRuleDescription", "ruleId": ruleID, "description": description}
}

// UpdateRuleTrackEvents sets whether evaluations by a targeting rule send full events.
func UpdateRuleTrackEvents(ruleID string, track bool) Instruction {
	return Instruction{"kind": "updateRuleTrackEvents", "ruleId": ruleID, "trackEvents": track}
}

// AddClauses adds clauses to a rule.
func AddClauses(ruleID string, clauses []Clause) Instruction {
	return Instruction{"kind": "addClauses", "ruleId": ruleID, "clauses": clauses}
}

// RemoveClauses removes clauses from a rule.
func RemoveClauses(ruleID string, clauseIDs []string) Instruction {
	return Instruction{"kind": "removeClauses", "ruleId": ruleID, "clauseIds": clauseIDs}
}

// UpdateClause replaces one clause of a rule.
func UpdateClause(ruleID, clauseID string, c Clause) Instruction {
	return Instruction{"kind": "updateClause", "ruleId": ruleID, "clauseId": clauseID, "clause": c}
}

// AddValuesToClause adds values to one clause of a rule.
func AddValuesToClause(ruleID, clauseID string, values []any) Instruction {
	return Instruction{"kind": "addValuesToClause", "ruleId": ruleID, "clauseId": clauseID, "values": values}
}

// RemoveValuesFromClause removes values from one clause of a rule.
func RemoveValuesFromClause(ruleID, clauseID string, values []any) Instruction {
	return Instruction{"kind": "removeValuesFromClause", "ruleId": ruleID, "clauseId": clauseID, "values": values}
}
