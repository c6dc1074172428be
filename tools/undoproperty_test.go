package tools_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/tools"
)

// plainFlag is a flag without what an undo cannot bring back: ids, versions,
// the place of a variation that was made anew, and the order of clauses and
// targets, which means nothing.
func plainFlag(f *ldclient.Flag) map[string]any {
	value := func(i int) string { return string(f.Variations[i].Value) }
	serve := func(s ldclient.RuleServe) any {
		if s.Rollout == nil {
			return value(*s.Variation)
		}
		out := map[string]any{"by": s.Rollout.BucketBy, "kind": s.Rollout.ContextKind}
		for _, w := range s.Rollout.Variations {
			if w.Weight > 0 {
				out[value(w.Variation)] = w.Weight
			}
		}
		return out
	}
	out := map[string]any{"name": f.Name, "description": f.Description, "temporary": f.Temporary, "maintainer": f.MaintainerID + f.MaintainerTeamKey,
		"client": f.ClientSideAvailability, "archived": f.Archived, "deprecated": f.Deprecated, "on": value(f.Defaults.OnVariation), "off": value(f.Defaults.OffVariation)}
	tags := slices.Sorted(slices.Values(f.Tags))
	out["tags"] = tags
	for key, p := range f.CustomProperties {
		out["property "+key] = []any{p.Name, slices.Sorted(slices.Values(p.Value))}
	}
	for _, v := range f.Variations {
		out["variation "+string(v.Value)] = v.Name + "/" + v.Description
	}
	for env, c := range f.Environments {
		in := map[string]any{"on": c.On, "fallthrough": serve(c.Fallthrough), "track": c.TrackEvents, "trackDefault": c.TrackEventsFallthrough}
		if c.OffVariation != nil {
			in["off"] = value(*c.OffVariation)
		}
		var rules []any
		for _, r := range c.Rules {
			rules = append(rules, []any{plainClauses(r.Clauses), serve(r.RuleServe), r.Description, r.TrackEvents, r.Ref})
		}
		in["rules"] = rules
		for _, p := range c.Prerequisites {
			in["prerequisite "+p.Key] = p.Variation
		}
		for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
			for _, key := range t.Values {
				in[fmt.Sprintf("target %s %s", t.ContextKind, key)] = value(t.Variation)
			}
		}
		out["in "+env] = in
	}
	return out
}

func plainClauses(clauses []ldclient.Clause) []string {
	var out []string
	for _, c := range clauses {
		c.ID = ""
		b, _ := json.Marshal(c)
		out = append(out, string(b))
	}
	slices.Sort(out)
	return out
}

// wholly writes something out to the last field.
func wholly(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// neverUndone are the kinds that no undo takes back, and why.
var neverUndone = map[string]string{
	"startAutomatedRelease": "its rollout runs, and stopping it asks what everybody shall get then",

	"addBigSegmentIncludedTargets": "the log does not hold who is in a big segment", "removeBigSegmentIncludedTargets": "the same",
	"addBigSegmentExcludedTargets": "the same", "removeBigSegmentExcludedTargets": "the same", "processBigSegmentImport": "the same",
}

// firstThen are kinds that want another one before them to have an effect.
var firstThen = map[string]string{
	"restoreFlag": "archiveFlag", "restoreDeprecatedFlag": "deprecateFlag", "turnFlagOn": "turnFlagOff", "removeVariation": "addVariation",
	"removePrerequisite": "addPrerequisite", "updatePrerequisite": "addPrerequisite", "removeMaintainer": "updateMaintainerTeam",
	"removeCustomProperties": "addCustomProperties", "clearTargets": "replaceTargets", "makeFlagPermanent": "makeFlagTemporary", "stopAutomatedRelease": "startAutomatedRelease", "removeTags": "addTags", "replacePrerequisites": "addPrerequisite", "reorderRules": "addRule", "removeClauses": "addClauses",
}

// outcome counts what became of undos.
type outcome struct {
	undone, refused map[string]int
}

// check calls undo-change on what was just done and reports whether it took it
// back; read tells what is there, plainly and wholly.
func (o outcome) check(t *testing.T, r *rig, entry string, did []ldclient.Instruction, plain map[string]any, contexts func() string, before string, read func() (map[string]any, string)) bool {
	t.Helper()
	_, now := read()
	writes := len(r.Writes())
	got := r.undo(entry, nil)
	is, then := read()
	if strings.HasPrefix(got, "!") {
		if then != now || len(r.Writes()) != writes {
			t.Errorf("%s\nrefused (%s) and yet something was written", wholly(did), got)
		}
		if len(got) < 60 || strings.Contains(got, "internal") {
			t.Errorf("%s\ndoes not say why: %s", wholly(did), got)
		}
		o.refused[did[0].Kind()]++
		return false
	}
	if d := cmp.Diff(plain, is); d != "" {
		t.Errorf("%s\nis not restored (%s):\n%s", wholly(did), got, d)
	}
	if after := contexts(); after != before {
		t.Errorf("%s\ncontexts get\n%s, not\n%s", wholly(did), after, before)
	}
	if len(r.Writes()) > writes+1 {
		t.Errorf("%d writes for one undo", len(r.Writes())-writes)
	}
	return strings.Contains(got, `"changed":true`)
}

// lotteries runs play with several seeds side by side and sums up how often each kind was undone.
func lotteries(t *testing.T, seeds uint64, kinds []string, play func(t *testing.T, seed uint64, o outcome)) {
	t.Helper()
	t.Parallel()
	all := make([]outcome, seeds)
	t.Run("seeds", func(t *testing.T) {
		for seed := range seeds {
			all[seed] = outcome{map[string]int{}, map[string]int{}}
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				play(t, seed, all[seed])
			})
		}
	})
	undone, refused, sum := map[string]int{}, map[string]int{}, 0
	for _, o := range all {
		for kind, n := range o.undone {
			undone[kind] += n
			sum += n
		}
		for kind, n := range o.refused {
			refused[kind] += n
		}
	}
	for _, kind := range kinds {
		if why := neverUndone[kind]; (undone[kind] > 0) == (why != "") {
			t.Errorf("%s was undone %d times and refused %d times", kind, undone[kind], refused[kind])
		}
	}
	t.Logf("%d undone, refused: %v", sum, refused)
}

// TestUndoRestores makes random changes of random flags and undoes them: contexts
// get what they got before, and the flag is what it was, or nothing is written.
func TestUndoRestores(t *testing.T) {
	lotteries(t, 4, everyKind(), func(t *testing.T, seed uint64, o outcome) {
		r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
		l := draw(t, r.Account, seed)
		kinds := everyKind()
		var crowd []ldcontext.Context
		for range 12 {
			crowd = append(crowd, l.context())
		}
		play := func(first string, kinds ...string) (did []ldclient.Instruction, undone bool) {
			f := l.flag()
			if first != "" {
				f = l.apply(f, l.instructions(f, first)...)
			}
			contexts := func() string { return l.gets(f.Key, crowd) }
			read := l.reader(f.Key)
			plain, _ := read()
			before, entry := contexts(), l.newest()
			did = l.instructions(f, kinds...)
			l.apply(f, did...)
			now := l.newest()
			if now == entry {
				return nil, false // it changed nothing
			}
			if !o.check(t, r, now, did, plain, contexts, before, read) {
				return did, false
			}
			if again := r.undo(now, nil); !strings.Contains(again, `"changed":false`) && !strings.HasPrefix(again, "!") {
				t.Errorf("%s\nundone twice: %s", wholly(did), again)
			}
			return did, true
		}
		for _, kind := range kinds {
			for range 4 {
				if did, undone := play(firstThen[kind], kind); undone {
					o.undone[kind]++
					break
				} else if did != nil {
					break
				}
			}
			if did, undone := play(""); undone {
				o.undone["mixed"] += len(did)
			}
		}
	})
}

// reader reads a flag, plainly and wholly.
func (l *lottery) reader(flag string) func() (map[string]any, string) {
	return func() (map[string]any, string) {
		l.t.Helper()
		got, err := l.ld.Flags.Get(l.t.Context(), l.project, "", flag)
		if err != nil {
			l.t.Fatal(err)
		}
		return plainFlag(got), wholly(got)
	}
}

// TestUndoKeepsLaterChanges undoes changes after which came others: either that is
// refused, or undoing the undo brings back exactly what was there with all of them.
func TestUndoKeepsLaterChanges(t *testing.T) {
	t.Parallel()
	r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
	l := draw(t, r.Account, 100)
	var crowd []ldcontext.Context
	for range 12 {
		crowd = append(crowd, l.context())
	}
	kept, o := 0, outcome{map[string]int{}, map[string]int{}}
	for range 80 {
		f := l.flag()
		entry := l.newest()
		did := l.instructions(f)
		f = l.apply(f, did...)
		first := l.newest()
		f = l.apply(f, l.instructions(f)...)
		second := l.newest()
		if first == entry || second == first {
			continue
		}
		read := l.reader(f.Key)
		plain, whole := read()
		gets := l.gets(f.Key, crowd)
		got := r.undo(first, nil)
		if strings.HasPrefix(got, "!") {
			if _, is := read(); is != whole {
				t.Errorf("%s\nrefused (%s) and yet something was written", wholly(did), got)
			}
			o.refused["later"]++
			continue
		}
		undo := l.newest()
		if undo == second {
			continue // it was so already
		}
		kept++
		if again := r.undo(undo, nil); !strings.Contains(again, `"changed":true`) {
			t.Errorf("%s\nthe undo is not undone: %s", wholly(did), again)
			continue
		}
		is, _ := read()
		if d := cmp.Diff(plain, is); d != "" {
			t.Errorf("%s\nis not what it was before the undo:\n%s", wholly(did), d)
		}
		if after := l.gets(f.Key, crowd); after != gets {
			t.Errorf("%s\ncontexts get\n%s, not\n%s", wholly(did), after, gets)
		}
	}
	if kept < 10 || o.refused["later"] < 5 {
		t.Errorf("%d undone beside later changes, %d refused", kept, o.refused["later"])
	}
}

// newest is the id of the account's newest audit log entry.
func (l *lottery) newest() string {
	l.t.Helper()
	got, err := l.ld.AuditLog.Search(l.t.Context(), ldclient.AuditQuery{Limit: 1, After: l.latest - 1})
	if err != nil || len(got.Items) == 0 {
		l.t.Fatal("no entries", err)
	}
	l.latest = got.Items[0].Date
	return got.Items[0].ID
}

// gets is what some contexts get of a flag, always the same ones.
func (l *lottery) gets(flag string, crowd []ldcontext.Context) string {
	l.t.Helper()
	var out []string
	for _, c := range crowd {
		got, err := l.Evaluate(l.project, l.env, flag, c)
		if err != nil {
			l.t.Fatal(err)
		}
		out = append(out, got.Value.JSONString())
	}
	return strings.Join(out, " ")
}
