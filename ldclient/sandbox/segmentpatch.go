package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
)

// segmentEdit is a change to a segment in the making, on a copy.
type segmentEdit struct {
	a *Account
	s *segment
}

// segmentKind is one instruction kind: the role action it needs, what it does,
// and whether it is for ordinary or big segments only.
type segmentKind struct {
	action string
	apply  func(*segmentEdit, params) *apiError
	only   string // "", ordinary or big
}

const (
	ordinary = "ordinary"
	big      = "big"

	maxTargetOperations = 1500
)

var segmentKinds = sync.OnceValue(func() map[string]segmentKind {
	rule := func(apply func(*segmentEdit, params) *apiError) segmentKind {
		return segmentKind{"updateRules", apply, ""}
	}
	clauses := rule(func(e *segmentEdit, in params) *apiError { return editRuleClauses(e.a, &e.s.Rules, in) })
	target := func(action string) segmentKind { return segmentKind{action, (*segmentEdit).editTargets, ordinary} }
	bigTarget := func(action string) segmentKind { return segmentKind{action, (*segmentEdit).editBigTargets, big} }
	tags := segmentKind{"updateTags", func(e *segmentEdit, in params) *apiError { return editTags(&e.s.Tags, in) }, ""}
	return map[string]segmentKind{
		"updateName": {"updateName", (*segmentEdit).updateName, ""},
		"addTags":    tags,
		"removeTags": tags,

		"addIncludedTargets":    target("updateIncluded"),
		"removeIncludedTargets": target("updateIncluded"),
		"addExcludedTargets":    target("updateExcluded"),
		"removeExcludedTargets": target("updateExcluded"),
		"addIncludedUsers":      target("updateIncluded"),
		"removeIncludedUsers":   target("updateIncluded"),
		"addExcludedUsers":      target("updateExcluded"),
		"removeExcludedUsers":   target("updateExcluded"),

		"addRule":                         rule((*segmentEdit).addRule),
		"removeRule":                      rule(func(e *segmentEdit, in params) *apiError { return removeRule(&e.s.Rules, in) }),
		"reorderRules":                    rule(func(e *segmentEdit, in params) *apiError { return reorderRules(&e.s.Rules, in) }),
		"updateRuleDescription":           rule(func(e *segmentEdit, in params) *apiError { return describeRule(&e.s.Rules, in) }),
		"updateRuleRolloutAndContextKind": rule((*segmentEdit).updateRuleRollout),
		"addClauses":                      clauses,
		"removeClauses":                   clauses,
		"updateClause":                    clauses,
		"addValuesToClause":               clauses,
		"removeValuesFromClause":          clauses,

		"addBigSegmentIncludedTargets":    bigTarget("updateIncluded"),
		"removeBigSegmentIncludedTargets": bigTarget("updateIncluded"),
		"addBigSegmentExcludedTargets":    bigTarget("updateExcluded"),
		"removeBigSegmentExcludedTargets": bigTarget("updateExcluded"),
		"processBigSegmentImport":         {"updateIncluded", (*segmentEdit).processImport, big},
	}
})

// segmentState is everything about a segment that a change may touch.
func segmentState(s *segment) []byte {
	return jsonValue(map[string]any{"segment": s, "included": s.BigIncluded, "excluded": s.BigExcluded, "imports": s.Imports})
}

// applyToSegment returns s as the instructions would leave it and the role
// actions: of those that changed something, and of all that were asked for.
func (a *Account) applyToSegment(s *segment, instructions []instruction) (next *segment, changed, asked []string, _ *apiError) {
	e := &segmentEdit{a: a, s: s.clone()}
	operations := 0
	before := segmentState(e.s)
	for i, raw := range instructions {
		in, err := raw.params()
		if err != nil {
			return nil, nil, nil, err
		}
		kind, ok := segmentKinds()[in.Kind]
		switch {
		case in.Kind == "":
			return nil, nil, nil, invalid("instruction %d has no kind", i)
		case !ok:
			return nil, nil, nil, invalid("unknown instruction kind '%s'", in.Kind)
		case kind.only == big && !s.Unbounded:
			return nil, nil, nil, invalid("instruction kind '%s' is for big segments only", in.Kind)
		case kind.only == ordinary && s.Unbounded:
			return nil, nil, nil, invalid("instruction kind '%s' is not for big segments", in.Kind)
		}
		if kind.only == ordinary {
			if operations += len(in.Values); operations > maxTargetOperations {
				return nil, nil, nil, invalid("the number of operations on targets exceeds the batch limit of 1,500")
			}
		}
		if err := kind.apply(e, in); err != nil {
			return nil, nil, nil, err
		}
		if !slices.Contains(asked, kind.action) {
			asked = append(asked, kind.action)
		}
		after := segmentState(e.s)
		if !bytes.Equal(after, before) && !slices.Contains(changed, kind.action) {
			changed = append(changed, kind.action)
		}
		before = after
	}
	return e.s, changed, asked, a.finishSegment(s, e.s)
}

// finishSegment checks next, the changed copy of s, and raises its version if it differs.
func (a *Account) finishSegment(s, next *segment) *apiError {
	if err := checkSegment(next); err != nil {
		return err
	}
	if !bytes.Equal(segmentState(s), segmentState(next)) {
		next.Version++
		next.LastModifiedDate = a.tick()
	}
	return nil
}

func (e *segmentEdit) updateName(in params) *apiError {
	name, err := in.text()
	e.s.Name = name
	return err
}

// side is the list that a target instruction works on, and whether it adds to it.
func (in params) side() (included, adds bool) {
	switch in.Kind {
	case "addIncludedTargets", "addIncludedUsers", "addBigSegmentIncludedTargets":
		return true, true
	case "removeIncludedTargets", "removeIncludedUsers", "removeBigSegmentIncludedTargets":
		return true, false
	case "addExcludedTargets", "addExcludedUsers", "addBigSegmentExcludedTargets":
		return false, true
	}
	return false, false
}

func (e *segmentEdit) editTargets(in params) *apiError {
	keys, err := in.texts()
	if err != nil {
		return err
	}
	kind := "user"
	switch in.Kind {
	case "addIncludedTargets", "removeIncludedTargets", "addExcludedTargets", "removeExcludedTargets":
		kind = cmp.Or(in.ContextKind, "user")
	}
	if err := checkContextKind(kind); err != nil {
		return err
	}
	included, adds := in.side()
	users, contexts := &e.s.Excluded, &e.s.ExcludedContexts
	if included {
		users, contexts = &e.s.Included, &e.s.IncludedContexts
	}
	list := users
	if kind != "user" {
		i := slices.IndexFunc(*contexts, func(t segmentTarget) bool { return t.ContextKind == kind })
		if i < 0 {
			i = len(*contexts)
			*contexts = append(*contexts, segmentTarget{ContextKind: kind, Values: []string{}})
		}
		list = &(*contexts)[i].Values
	}
	for _, key := range keys {
		switch at := slices.Index(*list, key); {
		case adds && at < 0:
			*list = append(*list, key)
		case !adds && at >= 0:
			*list = slices.Delete(*list, at, at+1)
		}
	}
	*contexts = slices.DeleteFunc(*contexts, func(t segmentTarget) bool { return len(t.Values) == 0 })
	return checkSegment(e.s)
}

func (e *segmentEdit) editBigTargets(in params) *apiError {
	keys, err := in.texts()
	if err != nil {
		return err
	}
	included, adds := in.side()
	list := e.s.BigExcluded
	if included {
		list = e.s.BigIncluded
	}
	for _, key := range keys {
		if adds {
			list[key] = true
		} else {
			delete(list, key)
		}
	}
	return checkSegment(e.s)
}

func (e *segmentEdit) addRule(in params) *apiError {
	r := &segmentRule{Clauses: []clause{}, Weight: in.Weight, RolloutContextKind: in.RolloutContextKind, BucketBy: in.BucketBy}
	if in.Description != nil {
		r.Description = *in.Description
	}
	if r.Weight != nil {
		r.RolloutContextKind = cmp.Or(r.RolloutContextKind, "user")
	}
	if len(in.Clauses) > 0 || r.Weight == nil {
		clauses, err := e.a.newClauses(in, in.Clauses)
		if err != nil {
			return err
		}
		r.Clauses = clauses
	}
	r.ID = e.a.uuid()
	e.s.Rules = append(e.s.Rules, r)
	return checkSegment(e.s)
}

func (e *segmentEdit) updateRuleRollout(in params) *apiError {
	r, err := findRule(e.s.Rules, in)
	if err != nil {
		return err
	}
	if in.Weight == nil {
		return in.missing("weight")
	}
	r.Weight = in.Weight
	r.RolloutContextKind = cmp.Or(in.ContextKind, r.RolloutContextKind, "user")
	return checkSegment(e.s)
}

// checkSegment checks the whole of a segment.
func checkSegment(s *segment) *apiError {
	if err := checkFlagName(s.Name); err != nil {
		return err
	}
	if err := checkTags(s.Tags); err != nil {
		return err
	}
	for key := range s.BigIncluded {
		if s.BigExcluded[key] {
			return invalid("the %s '%s' would be both included and excluded", s.UnboundedContextKind, key)
		}
	}
	type who struct{ kind, key string }
	included := map[who]bool{}
	for _, t := range append([]segmentTarget{{ContextKind: "user", Values: s.Included}}, s.IncludedContexts...) {
		for _, key := range t.Values {
			included[who{t.ContextKind, key}] = true
		}
	}
	for _, t := range append([]segmentTarget{{ContextKind: "user", Values: s.Excluded}}, s.ExcludedContexts...) {
		for _, key := range t.Values {
			if included[who{t.ContextKind, key}] {
				return invalid("the %s '%s' would be both included and excluded", t.ContextKind, key)
			}
		}
	}
	for _, r := range s.Rules {
		if len(r.Clauses) == 0 && r.Weight == nil {
			return invalid("a rule must have at least one clause")
		}
		if r.Weight != nil && (*r.Weight < 0 || *r.Weight > fullWeight) {
			return invalid("weight %d is not between 0 and %d", *r.Weight, fullWeight)
		}
		if r.RolloutContextKind != "" {
			if err := checkContextKind(r.RolloutContextKind); err != nil {
				return err
			}
		}
		for i := range r.Clauses {
			if err := completeClause(&r.Clauses[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// segmentFields are the fields that a JSON Patch may change, with their role actions.
var segmentFields = map[string]string{
	"name": "updateName", "description": "updateDescription", "tags": "updateTags",
	"included": "updateIncluded", "includedContexts": "updateIncluded",
	"excluded": "updateExcluded", "excludedContexts": "updateExcluded", "rules": "updateRules",
}

// patchSegmentJSON returns s as a JSON Patch or merge patch would leave it, and
// the role actions of the fields that it touches.
func (a *Account) patchSegmentJSON(p *project, e *environment, s *segment, body patchBody) (*segment, []string, *apiError) {
	doc, paths, err := body.apply(jsonValue(segmentView(p, e, s)))
	if err != nil {
		return nil, nil, err
	}
	var actions []string
	for _, path := range paths {
		action, ok := segmentFields[path[0]]
		switch {
		case !ok:
			return nil, nil, invalidPatch("the path '/%s' is unknown or read-only", path[0])
		case s.Unbounded && (action == "updateIncluded" || action == "updateExcluded"):
			return nil, nil, invalidPatch("the targets of a big segment cannot be changed by a JSON patch")
		case !slices.Contains(actions, action):
			actions = append(actions, action)
		}
	}
	var patched segment
	if err := json.Unmarshal(doc, &patched); err != nil {
		return nil, nil, invalidPatch("the patched segment is not a valid segment: %v", err)
	}
	if slices.Contains(patched.Rules, nil) {
		return nil, nil, invalidPatch("a rule must be an object")
	}
	next := s.clone()
	next.Name, next.Description, next.Tags, next.Rules = patched.Name, patched.Description, patched.Tags, patched.Rules
	next.Included, next.IncludedContexts = patched.Included, patched.IncludedContexts
	next.Excluded, next.ExcludedContexts = patched.Excluded, patched.ExcludedContexts
	a.completeSegment(next)
	return next, actions, a.finishSegment(s, next)
}

// segmentApproval refuses a change of targeting that takes an approval, even when it changes nothing.
func (a *Account) segmentApproval(e *environment, s *segment, asked []string) *apiError {
	gated := slices.ContainsFunc(asked, func(action string) bool {
		return action == "updateIncluded" || action == "updateExcluded" || action == "updateRules"
	})
	if gated && !a.bypasses && e.SegmentApprovals.needed(s.Tags) {
		return &apiError{http.StatusForbidden, "forbidden", "approval is required"}
	}
	return nil
}

func (a *Account) patchSegment(w http.ResponseWriter, r *http.Request) {
	p, e, s := a.segment(w, r)
	if s == nil {
		return
	}
	body, err := readPatch(r)
	if err != nil {
		refuse(w, err)
		return
	}
	var next *segment
	var changed, asked []string
	switch {
	case !body.Semantic:
		next, changed, err = a.patchSegmentJSON(p, e, s, body)
		asked = changed
	case body.EnvironmentKey == "":
		err = invalid("environmentKey is required")
	case body.EnvironmentKey != e.Key:
		err = invalid("environmentKey '%s' does not match the environment '%s' of the path", body.EnvironmentKey, e.Key)
	default:
		next, changed, asked, err = a.applyToSegment(s, body.Instructions)
	}
	if err == nil {
		err = a.segmentApproval(e, s, asked)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	if r.URL.Query().Get("dryRun") != "true" && next.Version != s.Version {
		c := segmentChange(p, e, s, next, changed, body.Comment)
		*s = *next
		a.record(r, c)
	}
	send(w, http.StatusOK, segmentView(p, e, next))
}
