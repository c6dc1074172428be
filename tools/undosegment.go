package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// segmentUndo is the undo of an entry on a segment.
type segmentUndo struct {
	undoing
	was, is, now *ldclient.Segment
	wasIn, isIn  map[string]any
	describe     bool // the description is to be taken back, which no instruction does
}

func undoSegment(ctx context.Context, ld *ldclient.Client, at ldclient.Target, e *ldclient.AuditEntry) (*plan[undoneView], error) {
	u := &segmentUndo{wasIn: fieldsAt(decoded(e.Previous)), isIn: fieldsAt(decoded(e.Current))}
	var err error
	if u.was, err = versionOf[ldclient.Segment](e, e.Previous); err != nil {
		return nil, err
	}
	if u.is, err = versionOf[ldclient.Segment](e, e.Current); err != nil {
		return nil, err
	}
	switch {
	case at.Environment == "":
		return nil, cannot("entry %s does not say in which environment segment %s was changed; undo it in LaunchDarkly itself", e.ID, at.Key)
	case u.was.Key != at.Key || u.is.Key != at.Key:
		return nil, cannot("what entry %s holds is not segment %s; undo it in LaunchDarkly itself", e.ID, at.Key)
	case u.is.Unbounded && slices.ContainsFunc(e.Accesses, func(a ldclient.Access) bool { return a.Action == "updateIncluded" || a.Action == "updateExcluded" }):
		return nil, cannot("entry %s changed who is in the big segment %s, and LaunchDarkly's log does not tell which keys; change them back with update-segment-targets", e.ID, at.Key)
	}
	if err := ld.Scope().Check(at, true); err != nil {
		return nil, err
	}
	if u.now, err = ld.Segments.Get(ctx, at.Project, at.Environment, at.Key); err != nil {
		return nil, err
	}
	if u.now.CreationDate != u.is.CreationDate {
		return nil, cannot("segment %s was deleted after entry %s and made anew, so the entry is about another segment", at.Key, e.ID)
	}
	u.compare()
	if err := u.whyNot(e); err != nil {
		return nil, err
	}
	if err := u.later(ctx, ld, e, at.String(), u.takenFrom); err != nil {
		return nil, err
	}
	on := changingSegment(ld, at, u.now)
	says, err := u.words(ctx, on)
	if err != nil {
		return nil, err
	}
	do := u.instructions()
	if err := u.segments(ctx, ld, at, on.segments(do)); err != nil {
		return nil, err
	}
	if err := u.whyNot(e); err != nil {
		return nil, err
	}
	patch := func(ctx context.Context, how manner) (*ldclient.Segment, error) {
		return ld.Segments.Patch(ctx, at.Project, at.Environment, at.Key, ldclient.Patch{Comment: how.Comment, Instructions: do, DryRun: how.DryRun})
	}
	version := func(s *ldclient.Segment) string { return fmt.Sprintf("segment %d", s.Version) }
	p := &plan[undoneView]{intent: intent{Version: version(u.now), Target: at, Instructions: do, Tags: u.now.Tags, Again: true}}
	if u.describe {
		says = append(says, fmt.Sprintf("describe it as %s instead of %s", quoted(u.was.Description), quoted(u.now.Description)))
		set := ldclient.SegmentSettings{Description: &u.was.Description}
		p.Instructions, patch = nil, func(ctx context.Context, how manner) (*ldclient.Segment, error) {
			return ld.Segments.SetSettings(ctx, at.Project, at.Environment, at.Key, u.now.Version, set, how.Comment, how.DryRun)
		}
	}
	u.finish(e, p, says)
	if len(says) == 0 {
		return p, nil
	}
	return p, undoSteps[ldclient.Segment]{
		at: at, now: u.now, version: version, patch: patch, words: segmentInWords,
		count: func(s *ldclient.Segment) int { return s.Version },
		read: func(ctx context.Context) (*ldclient.Segment, error) {
			return ld.Segments.Get(ctx, at.Project, at.Environment, at.Key)
		},
		restores: func(_ context.Context, tried *ldclient.Segment) error {
			again := &segmentUndo{was: u.was, is: u.is, now: tried, wasIn: u.wasIn, isIn: u.isIn}
			again.compare()
			if n := len(again.all()); n > 0 || again.describe || len(again.collisions)+len(again.blocked) > 0 {
				return cannot("LaunchDarkly would not make segment %s what it was before entry %s (%d steps would be left; %s), so nothing was changed; undo it by hand",
					at.Key, e.ID, n, short(strings.Join(slices.Concat(again.collisions, again.blocked), "; "), 300))
			}
			return nil
		},
	}.ready(ctx, p)
}

// takenFrom gives the parts that would have been taken back from a version that a later entry holds.
func (u *segmentUndo) takenFrom(l *ldclient.AuditEntry, raw json.RawMessage) ([]string, error) {
	then, err := versionOf[ldclient.Segment](l, raw)
	if err != nil {
		return nil, err
	}
	past := &segmentUndo{was: u.was, is: u.is, now: then, wasIn: u.wasIn, isIn: u.isIn}
	past.compare()
	return past.taken, nil
}

// compare goes through all parts of the segment.
func (u *segmentUndo) compare() {
	was, is, now := u.was, u.is, u.now
	u.leaves(u.wasIn, u.isIn, "name", "description", "tags", "included", "excluded", "includedContexts", "excludedContexts", "rules")
	if u.takes("the name", was.Name, is.Name, now.Name) {
		u.add(changingSettings, ldclient.UpdateSegmentName(was.Name), fmt.Sprintf("rename it from %s to %s", quoted(now.Name), quoted(was.Name)))
	}
	more, fewer := u.tags(was.Tags, is.Tags, now.Tags)
	if len(fewer) > 0 {
		u.add(changingSettings, ldclient.RemoveSegmentTags(fewer), "take off the tags "+keyList(fewer))
	}
	if len(more) > 0 {
		u.add(changingSettings, ldclient.AddSegmentTags(more), "add the tags "+keyList(more))
	}
	keys := u.members()
	rules := ruleUndo{undoing: &u.undoing, was: segmentRulesByID(was), is: segmentRulesByID(is), now: segmentRulesByID(now)}
	rules.compare()
	if u.describe = u.takes("the description", was.Description, is.Description, now.Description); u.describe && len(u.all()) > 0 {
		u.block("the description was changed together with other things, and LaunchDarkly takes no patch of both; undo them by hand")
	}
	if keys > ldclient.MaxSegmentTargets {
		u.block("%d keys were moved, and LaunchDarkly takes %d in one patch; move them with update-segment-targets", keys, ldclient.MaxSegmentTargets)
	}
}

func segmentRulesByID(s *ldclient.Segment) []ruleByID {
	var out []ruleByID
	for _, r := range s.Rules {
		out = append(out, ruleByID{ID: r.ID, Clauses: r.Clauses, Description: r.Description, Weight: r.Weight, ContextKind: r.RolloutContextKind, BucketBy: r.BucketBy})
	}
	return out
}

// membersOf lists the contexts that a segment includes or excludes by key.
func membersOf(users []string, others []ldclient.SegmentTarget) map[contextKey]bool {
	out := map[contextKey]bool{}
	for _, t := range append([]ldclient.SegmentTarget{{Values: users}}, others...) {
		for _, key := range t.Values {
			out[contextKey{kindOr(t.ContextKind), key}] = true
		}
	}
	return out
}

// members takes back exactly those keys that an entry moved, and counts them.
func (u *segmentUndo) members() int {
	count := 0
	type keys = map[contextKey]bool
	included := func(s *ldclient.Segment) keys { return membersOf(s.Included, s.IncludedContexts) }
	excluded := func(s *ldclient.Segment) keys { return membersOf(s.Excluded, s.ExcludedContexts) }
	side := func(list string, of, other func(*ldclient.Segment) keys) {
		was, is, now := of(u.was), of(u.is), of(u.now)
		otherIs, otherNow := other(u.is), other(u.now)
		steps := map[string]map[string][]string{"add": {}, "remove": {}}
		for _, k := range slices.SortedFunc(maps.Keys(both(was, is)), func(a, b contextKey) int { return strings.Compare(a.String(), b.String()) }) {
			if !u.takes(fmt.Sprintf("%s in the %s contexts", k, strings.ToLower(list)), was[k], is[k], now[k]) {
				continue
			}
			verb := "remove"
			if was[k] {
				verb = "add"
				if otherNow[k] && !otherIs[k] {
					u.collisions = append(u.collisions, fmt.Sprintf("%s was put on the other list later, and would be both included and excluded", k))
				}
			}
			steps[verb][k.kind] = append(steps[verb][k.kind], k.key)
			count++
		}
		for verb, at := range map[string]phase{"remove": changingTargets, "add": addingTargets} {
			for _, kind := range slices.Sorted(maps.Keys(steps[verb])) {
				u.add(at, ldclient.SegmentTargets(verb+list+"Targets", kind, steps[verb][kind]), "")
			}
		}
	}
	side("Included", included, excluded)
	side("Excluded", excluded, included)
	return count
}

func both(a, b map[contextKey]bool) map[contextKey]bool {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// segments refuses rules on segments that are not there any more, or that have this one in them.
func (u *segmentUndo) segments(ctx context.Context, ld *ldclient.Client, at ldclient.Target, keys []string) error {
	for _, key := range keys {
		if _, err := ld.Segments.Get(ctx, at.Project, at.Environment, key); ldclient.IsNotFound(err) {
			u.block("a rule named segment %s, which is not there any more", word(key))
		} else if err != nil {
			return err
		}
	}
	if len(u.blocked) > 0 {
		return nil
	}
	return noCircle(ctx, ld, at, keys)
}

// segmentInWords says part by part what a segment is.
func segmentInWords(s *ldclient.Segment) *undoneView {
	v := &undoneView{Version: s.Version, State: map[string]string{}}
	say := func(part, words string) { v.State[part] = short(clean(words), 300) }
	say("name", s.Name)
	say("description", s.Description)
	say("tags", orNone(slices.Sorted(slices.Values(s.Tags))))
	for k := range membersOf(s.Included, s.IncludedContexts) {
		say(k.String(), "included")
	}
	for k := range membersOf(s.Excluded, s.ExcludedContexts) {
		say(k.String(), "excluded")
	}
	var order []string
	for _, r := range s.Rules {
		order = append(order, r.ID)
		words := "contexts where " + inWords(r.Clauses)
		if r.Weight != nil && *r.Weight < whole {
			words = percent(*r.Weight) + " of the " + words + dividedBy(r.BucketBy, r.RolloutContextKind)
		}
		if r.Description != "" {
			words += fmt.Sprintf(" (%s)", short(r.Description, 100))
		}
		say("rule "+r.ID, words)
	}
	if len(order) > 1 {
		say("ruleOrder", strings.Join(order, ", "))
	}
	return v
}
