package tools_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// segmentInstruction draws one instruction of a kind on a segment, nil where it
// has nothing that it could be about. LaunchDarkly may still refuse it.
func (l *lottery) segmentInstruction(s *ldclient.Segment, kind string) ldclient.Instruction {
	switch {
	case strings.Contains(kind, "BigSegment") || strings.HasSuffix(kind, "Users"):
		return ldclient.SegmentTargets(kind, "", some(l, 3, lotKeys...))
	case strings.HasSuffix(kind, "Targets"):
		return ldclient.SegmentTargets(kind, pick(l, lotKinds...), some(l, 3, lotKeys...))
	}
	switch kind {
	case "updateName":
		return ldclient.UpdateSegmentName(pick(l, "Renamed", "Renamed again"))
	case "addTags":
		return ldclient.AddSegmentTags(some(l, 2, "alpha", "beta", "drawn"))
	case "removeTags":
		return ldclient.RemoveSegmentTags(some(l, 2, "alpha", "beta", "drawn"))
	case "addRule":
		r := ldclient.NewSegmentRule{Clauses: l.clauses(), Description: pick(l, "", "drawn")}
		if l.chance(40) {
			weight := pick(l, 0, 20_000, 50_000, 100_000)
			r.Weight, r.ContextKind, r.BucketBy = &weight, pick(l, lotKinds...), pick(l, "", "plan")
		}
		return ldclient.AddSegmentRule(r)
	case "reorderRules":
		ids := []string{}
		for _, r := range s.Rules {
			ids = append(ids, r.ID)
		}
		l.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		return ldclient.ReorderRules(ids)
	}
	if len(s.Rules) == 0 {
		return nil
	}
	r := pick(l, s.Rules...)
	if kind == "updateRuleRolloutAndContextKind" {
		return ldclient.UpdateSegmentRuleRollout(r.ID, pick(l, 0, 30_000, 70_000, 100_000), pick(l, lotKinds...))
	}
	rule := ldclient.Rule{ID: r.ID, Clauses: r.Clauses}
	return l.onRule(nil, ldclient.FlagConfig{Rules: []ldclient.Rule{rule}}, kind)
}

// segmentInstructions draws up to four instructions that LaunchDarkly takes one after the other.
func (l *lottery) segmentInstructions(s *ldclient.Segment, kinds ...string) []ldclient.Instruction {
	l.t.Helper()
	var out []ldclient.Instruction
	want := 1 + l.IntN(4)
	for tries := 0; len(out) < want && tries < 20; tries++ {
		i := l.segmentInstruction(s, pick(l, kinds...))
		if i == nil {
			continue
		}
		with := append(slices.Clone(out), i)
		if _, err := l.ld.Segments.Patch(l.t.Context(), l.project, l.env, s.Key, ldclient.Patch{Instructions: with, DryRun: true}); err == nil {
			out = with
		}
	}
	return out
}

// applyTo carries instructions on a segment out and returns it after them.
func (l *lottery) applyTo(s *ldclient.Segment, do ...ldclient.Instruction) *ldclient.Segment {
	l.t.Helper()
	if len(do) == 0 {
		return s
	}
	got, err := l.ld.Segments.Patch(l.t.Context(), l.project, l.env, s.Key, ldclient.Patch{Instructions: do})
	if err != nil {
		l.t.Fatal(err)
	}
	return got
}

// segmentFlag makes a segment, and a flag that serves true to its members alone.
func (l *lottery) segmentFlag(big bool) (*ldclient.Segment, string) {
	l.t.Helper()
	l.drawn++
	key := fmt.Sprintf("seg-%d-%d", l.drawn, l.Uint32())
	others := l.segments
	l.segment(key, big)
	l.segments = others // no rule names it, so that there is no circle
	f, err := l.ld.Flags.Create(l.t.Context(), l.project, ldclient.NewFlag{Key: "of-" + key, Name: "Drawn"})
	if err != nil {
		l.t.Fatal(err)
	}
	l.apply(f, ldclient.TurnFlagOn(), ldclient.UpdateFallthrough(ldclient.Serve{VariationID: f.Variations[1].ID}),
		ldclient.AddRule(ldclient.NewRule{Clauses: []ldclient.Clause{{Attribute: "segmentMatch", Op: "segmentMatch", Values: []any{key}}},
			Serve: ldclient.Serve{VariationID: f.Variations[0].ID}}, ""))
	s, err := l.ld.Segments.Get(l.t.Context(), l.project, l.env, key)
	if err != nil {
		l.t.Fatal(err)
	}
	return s, f.Key
}
