package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// segmentTargetInstruction is one instruction on the keys that a segment includes or excludes.
type segmentTargetInstruction struct {
	Kind        string   `json:"kind" jsonschema:"enum=addIncludedTargets,enum=removeIncludedTargets,enum=addExcludedTargets,enum=removeExcludedTargets,enum=addIncludedUsers,enum=removeIncludedUsers,enum=addExcludedUsers,enum=removeExcludedUsers,enum=processBigSegmentImport" brief:"true"`
	ContextKind string   `json:"contextKind,omitempty" told:"true" doc:"user, or the big segment's own kind, if not given"`
	Values      []string `json:"values,omitempty"`
	ImportID    string   `json:"importId,omitempty"`
}

var segmentTargetNeeds = map[string][2][]string{
	"addIncludedTargets":      {{"values"}, {"contextKind"}},
	"removeIncludedTargets":   {{"values"}, {"contextKind"}},
	"addExcludedTargets":      {{"values"}, {"contextKind"}},
	"removeExcludedTargets":   {{"values"}, {"contextKind"}},
	"addIncludedUsers":        {{"values"}, nil},
	"removeIncludedUsers":     {{"values"}, nil},
	"addExcludedUsers":        {{"values"}, nil},
	"removeExcludedUsers":     {{"values"}, nil},
	"processBigSegmentImport": {{"importId"}, nil},
}

// who is one context by its key.
type who struct{ kind, key string }

// targetsEdit carries out target instructions on a copy of a segment's lists,
// to see what they would do. It knows nothing of who is in a big segment.
type targetsEdit struct {
	segment  *ldclient.Segment
	included map[who]bool // false where it was taken off
	excluded map[who]bool
	do       []targetStep
	same     int // keys that are as they shall be already
}

// targetStep is what is left of an instruction without the keys that change nothing.
type targetStep struct {
	instruction string // LaunchDarkly's kind
	contextKind string
	values      []string
	words       string // such as "include 2 user keys", "a" and "b"
}

func newTargetsEdit(s *ldclient.Segment) *targetsEdit {
	e := &targetsEdit{segment: s, included: map[who]bool{}, excluded: map[who]bool{}}
	put := func(into map[who]bool, users []string, others []ldclient.SegmentTarget) {
		for _, t := range append([]ldclient.SegmentTarget{{Values: users, ContextKind: "user"}}, others...) {
			for _, key := range t.Values {
				into[who{t.ContextKind, key}] = true
			}
		}
	}
	put(e.included, s.Included, s.IncludedContexts)
	put(e.excluded, s.Excluded, s.ExcludedContexts)
	return e
}

func (e *targetsEdit) add(i segmentTargetInstruction) error {
	if err := fit(i.Kind, i, segmentTargetNeeds); err != nil {
		return err
	}
	kind := cmp.Or(i.ContextKind, "user")
	if e.segment.Unbounded {
		own := cmp.Or(e.segment.UnboundedContextKind, "user")
		kind = cmp.Or(i.ContextKind, own)
		if strings.HasSuffix(i.Kind, "Users") {
			kind = "user"
		}
		if kind != own {
			return fmt.Errorf("this big segment holds contexts of kind %s alone, not %s", own, kind)
		}
	}
	adds, includes := strings.HasPrefix(i.Kind, "add"), strings.Contains(i.Kind, "Included")
	list, other, verb, remedy := e.included, e.excluded, "include", "removeExcludedTargets"
	if !includes {
		list, other, verb, remedy = e.excluded, e.included, "exclude", "removeIncludedTargets"
	}
	if !adds {
		verb = "no longer " + verb
	}
	step := targetStep{contextKind: kind}
	for _, key := range i.Values {
		w := who{kind, key}
		in, known := list[w]
		switch {
		case strings.TrimSpace(key) == "":
			return fmt.Errorf("values: a context key must not be empty")
		case adds && other[w]:
			return fmt.Errorf("the %s %q would be both included and excluded; put %s with it before this instruction", kind, short(key, 80), remedy)
		case in == adds && (known || !e.segment.Unbounded):
			e.same++
		default:
			list[w] = adds
			step.values = append(step.values, key)
		}
	}
	if len(step.values) == 0 {
		return nil
	}
	step.instruction = i.Kind
	switch {
	case e.segment.Unbounded: // addIncludedTargets is addBigSegmentIncludedTargets there
		step.contextKind = ""
		step.instruction = map[bool]string{true: "add", false: "remove"}[adds] + "BigSegment" + map[bool]string{true: "Included", false: "Excluded"}[includes] + "Targets"
	case strings.HasSuffix(i.Kind, "Users"):
		step.contextKind = ""
	}
	step.words = fmt.Sprintf("%s %s keys", verb, short(clean(kind), 60))
	e.do = append(e.do, step)
	return nil
}

// said says what a step does, with its first keys.
func (s targetStep) said() string {
	keys := make([]any, len(s.values))
	for i, v := range s.values {
		keys[i] = v
	}
	return fmt.Sprintf("%s (%d): %s", s.words, len(s.values), strings.ReplaceAll(anyOf(keys), " or ", ", "))
}

// batches cuts steps so that each request stays within what LaunchDarkly takes.
func batches(steps []targetStep) [][]targetStep {
	var out [][]targetStep
	room := 0
	for _, s := range steps {
		for len(s.values) > 0 {
			if room == 0 {
				out, room = append(out, nil), ldclient.MaxSegmentTargets
			}
			part := s
			part.values = s.values[:min(room, len(s.values))]
			s.values = s.values[len(part.values):]
			room -= len(part.values)
			out[len(out)-1] = append(out[len(out)-1], part)
		}
	}
	return out
}

func patchOf(steps []targetStep) []ldclient.Instruction {
	var out []ldclient.Instruction
	for _, s := range steps {
		out = append(out, ldclient.SegmentTargets(s.instruction, s.contextKind, s.values))
	}
	return out
}

// segmentMembers is what changing a segment's targets changes.
type segmentMembers struct {
	Version       int              `json:"version"`
	IncludedCount int              `json:"includedCount"`
	ExcludedCount int              `json:"excludedCount"`
	Included      []segmentTargets `json:"included,omitempty" doc:"keys that the change concerns, ten of each context kind"`
	Excluded      []segmentTargets `json:"excluded,omitempty" doc:"keys that the change concerns, ten of each context kind"`
}

// segmentMembersOf counts a segment's targets, and shows those of them that the steps name.
func segmentMembersOf(steps []targetStep) func(*ldclient.Segment) segmentMembers {
	named := map[who]bool{}
	for _, s := range steps {
		for _, key := range s.values {
			named[who{cmp.Or(s.contextKind, "user"), key}] = true
		}
	}
	shown := func(users []string, others []ldclient.SegmentTarget) []segmentTargets {
		var out []segmentTargets
		for _, t := range append([]ldclient.SegmentTarget{{Values: users, ContextKind: "user"}}, others...) {
			keys := slices.DeleteFunc(slices.Clone(t.Values), func(key string) bool { return !named[who{t.ContextKind, key}] })
			if len(keys) > 0 {
				out = append(out, segmentTargets{t.ContextKind, len(keys), ten(keys, 0)})
			}
		}
		return out
	}
	return func(s *ldclient.Segment) segmentMembers {
		out := segmentMembers{Version: s.Version, Included: shown(s.Included, s.IncludedContexts), Excluded: shown(s.Excluded, s.ExcludedContexts)}
		out.IncludedCount, out.ExcludedCount = members(s)
		return out
	}
}

// maxTargets bounds one call, which sends a request for each 1,500 keys.
const maxTargets = 30_000

var updateSegmentTargets = update(Spec{
	Name: "update-segment-targets", Title: "Change a segment's targets", Action: "updateIncluded",
	Or:  "updateExcluded",
	Doc: "Add or remove the context keys that a segment, also a big one, includes or excludes whatever its rules say.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atSegment
	Instructions []segmentTargetInstruction `json:"instructions" jsonschema:"minItems=1" doc:"In order. addIncludedTargets, removeIncludedTargets, addExcludedTargets, removeExcludedTargets {contextKind, values}; or alone processBigSegmentImport {importId}"`
	because
}) (*plan[segmentMembers], error) {
	s, err := ld.Segments.Get(ctx, in.Project, in.Environment, in.Segment)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(in.Instructions, func(i segmentTargetInstruction) bool { return i.Kind == "processBigSegmentImport" }) {
		return importPlan(ctx, ld, in.target(), s, in.Instructions)
	}
	e := newTargetsEdit(s)
	count := 0
	for n, i := range in.Instructions {
		if count += len(i.Values); count > maxTargets {
			return nil, badf("instructions: more than %d keys in one call; make several calls", maxTargets)
		}
		if err := e.add(i); err != nil {
			return nil, badf("instructions[%d] (%s): %v", n, i.Kind, err)
		}
	}
	var words []string
	for _, step := range e.do {
		words = append(words, step.said())
	}
	parts := batches(e.do)
	patches := make([][]ldclient.Instruction, len(parts))
	for n, part := range parts {
		patches[n] = patchOf(part)
	}
	says := fmt.Sprintf("change who is in segment %s in %s of project %s, which %s: %s", in.Segment, in.Environment, in.Project, targetedBy(s), strings.Join(words, "; "))
	view := segmentMembersOf(e.do)
	p := segmentPlan(ld, in.target(), s, view, says, slices.Concat(patches...)...)
	if len(parts) == 0 {
		p.Nothing = "the keys are on the lists, or off them, as they shall be"
	} else if e.same > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("keys that are on the list, or off it, as they shall be are left out: %d", e.same))
	}
	if len(parts) > 1 {
		p.Notes = append(p.Notes, fmt.Sprintf("it takes %d requests; if one fails, those before it stay carried out", len(parts)))
		p.Apply = func(ctx context.Context, how manner) (*segmentMembers, error) {
			return applyParts(ctx, ld, in.target(), s, parts, view, how)
		}
	}
	return p, nil
})

// importPlan carries out an uploaded list of keys that waits to be approved.
func importPlan(ctx context.Context, ld *ldclient.Client, at ldclient.Target, s *ldclient.Segment, instructions []segmentTargetInstruction) (*plan[segmentMembers], error) {
	i := instructions[0]
	if len(instructions) > 1 {
		return nil, badf("processBigSegmentImport stands alone; make a call of its own for the other instructions")
	}
	if err := fit(i.Kind, i, segmentTargetNeeds); err != nil {
		return nil, badf("instructions[0] (%s): %v", i.Kind, err)
	}
	if !s.Unbounded {
		return nil, badf("segment %s is not big; an import goes into a big segment", s.Key)
	}
	upload, err := ld.Segments.Import(ctx, at, i.ImportID)
	if err != nil {
		return nil, err
	}
	if upload.Status != "pending_approval" {
		return nil, blocked(fmt.Sprintf("import %s is %s, and only one that waits for approval can be carried out", i.ImportID, upload.Status))
	}
	says := fmt.Sprintf("carry out import %s (%s) into segment %s in %s of project %s, which %s", i.ImportID, upload.Mode, at.Key, at.Environment, at.Project, targetedBy(s))
	return segmentPlan(ld, at, s, segmentMembersOf(nil), says, ldclient.ProcessBigSegmentImport(i.ImportID)), nil
}

// applyParts sends one request after the other.
func applyParts(ctx context.Context, ld *ldclient.Client, at ldclient.Target, s *ldclient.Segment, parts [][]targetStep, view func(*ldclient.Segment) segmentMembers, how manner) (*segmentMembers, error) {
	after := view(s)
	for n, part := range parts {
		got, err := ld.Segments.Patch(ctx, at.Project, at.Environment, at.Key, ldclient.Patch{Comment: how.Comment, Instructions: patchOf(part), DryRun: how.DryRun})
		if err != nil {
			if n == 0 || how.DryRun {
				return nil, err
			}
			return nil, partly{done: parts[:n], failed: part, left: parts[n+1:], err: err}
		}
		next := view(got)
		if how.DryRun { // each request is tried on the segment as it is now
			next.IncludedCount += after.IncludedCount - view(s).IncludedCount
			next.ExcludedCount += after.ExcludedCount - view(s).ExcludedCount
			next.Included, next.Excluded = nil, nil
		}
		after = next
	}
	return &after, nil
}

// partly is a change of which only the first requests were carried out. It does
// not unwrap: what follows from a failure as a whole does not hold for it.
type partly struct {
	done   [][]targetStep
	failed []targetStep
	left   [][]targetStep
	err    error
}

func (e partly) Error() string {
	failed := "was refused, so these are not done"
	if transport, ok := errors.AsType[*ldclient.TransportError](e.err); ok && transport.Unsure || ldclient.Status(e.err) >= 500 {
		failed = "may or may not have been carried out, so read the segment before sending these again"
	}
	left := "nothing is left"
	if len(e.left) > 0 {
		left = "not tried were: " + ranges(slices.Concat(e.left...))
	}
	return fmt.Sprintf("Only a part was carried out, which stays: %s. Request %d of %d %s: %s (%s); %s. Call update-segment-targets again with what is missing.",
		ranges(slices.Concat(e.done...)), len(e.done)+1, len(e.done)+1+len(e.left), failed, ranges(e.failed), short(clean(e.err.Error()), 200), left)
}

// ranges names the first and the last key of each step, in the order of the call.
func ranges(steps []targetStep) string {
	var out []string
	for n := 0; n < len(steps); n++ {
		s := steps[n]
		first, last, count := s.values[0], s.values[len(s.values)-1], len(s.values)
		for n+1 < len(steps) && steps[n+1].words == s.words { // parts of one instruction
			n++
			last, count = steps[n].values[len(steps[n].values)-1], count+len(steps[n].values)
		}
		out = append(out, fmt.Sprintf("%s (%d), from %q to %q", s.words, count, short(first, 60), short(last, 60)))
	}
	return strings.Join(out, "; ")
}
