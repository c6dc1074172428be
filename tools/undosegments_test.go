package tools_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/tools"
)

// plainSegment is a segment without what an undo cannot bring back: ids,
// versions, and orders that mean nothing.
func plainSegment(s *ldclient.Segment) map[string]any {
	out := map[string]any{"name": s.Name, "description": s.Description, "tags": slices.Sorted(slices.Values(s.Tags))}
	for side, list := range map[string][]ldclient.SegmentTarget{
		"included": append([]ldclient.SegmentTarget{{Values: s.Included, ContextKind: "user"}}, s.IncludedContexts...),
		"excluded": append([]ldclient.SegmentTarget{{Values: s.Excluded, ContextKind: "user"}}, s.ExcludedContexts...),
	} {
		for _, t := range list {
			for _, key := range t.Values {
				out[fmt.Sprintf("%s %s %s", side, t.ContextKind, key)] = true
			}
		}
	}
	var rules []string
	for _, r := range s.Rules {
		share := "all"
		if r.Weight != nil {
			share = fmt.Sprint(*r.Weight, r.RolloutContextKind, r.BucketBy)
		}
		rules = append(rules, fmt.Sprint(plainClauses(r.Clauses), r.Description, share))
	}
	slices.Sort(rules)
	out["rules"] = rules
	return out
}

// TestUndoRestoresSegments makes random changes of random segments, small and big, and undoes them.
func TestUndoRestoresSegments(t *testing.T) {
	lotteries(t, 4, segmentKinds, func(t *testing.T, seed uint64, o outcome) {
		r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
		l := draw(t, r.Account, 200+seed)
		var crowd []ldcontext.Context
		for range 15 {
			crowd = append(crowd, l.context())
		}
		first := map[string]string{"removeTags": "addTags", "removeClauses": "addClauses", "removeValuesFromClause": "addValuesToClause", "reorderRules": "addRule"}
		play := func(kind string) ([]ldclient.Instruction, bool) {
			big := strings.Contains(kind, "Big")
			s, flag := l.segmentFlag(big)
			kinds := []string{kind}
			if kind == "" {
				kinds = slices.DeleteFunc(slices.Clone(segmentKinds), func(k string) bool { return strings.Contains(k, "Big") })
			}
			if before := first[kind]; before != "" {
				s = l.applyTo(s, l.segmentInstructions(s, before)...)
			}
			contexts := func() string { return l.gets(flag, crowd) }
			read := func() (map[string]any, string) {
				got, err := l.ld.Segments.Get(t.Context(), l.project, l.env, s.Key)
				if err != nil {
					t.Fatal(err)
				}
				return plainSegment(got), wholly(got)
			}
			plain, _ := read()
			before, entry := contexts(), l.newest()
			did := l.segmentInstructions(s, kinds...)
			l.applyTo(s, did...)
			now := l.newest()
			if now == entry || !o.check(t, r, now, did, plain, contexts, before, read) {
				return nil, false
			}
			if again := r.undo(now, nil); !strings.Contains(again, `"changed":false`) {
				t.Errorf("%s\nundone twice: %s", wholly(did), again)
			}
			return did, true
		}
		for _, kind := range segmentKinds {
			if kind == "processBigSegmentImport" {
				continue
			}
			for range 4 {
				if _, undone := play(kind); undone {
					o.undone[kind]++
					break
				}
			}
			if did, undone := play(""); undone {
				o.undone["mixed"] += len(did)
			}
		}
	})
}
