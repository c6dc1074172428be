package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// maxLater is how many later entries an undo reads to see what each of them did.
const maxLater = 10

// said quotes somebody else's words, so that they cannot pass for the sentence around them.
func said(words string, most int) string { return fmt.Sprintf("%q", short(clean(words), most)) }

// madeBy says when an entry was made and by whom.
func madeBy(e *ldclient.AuditEntry) string {
	row := changeRowOf(*e)
	if row.By == "" {
		return "of " + row.Time
	}
	return fmt.Sprintf("of %s by %s", row.Time, said(row.By, 60))
}

// laterEntries are those on a resource after an entry, newest first. It tells whether these are all.
func laterEntries(ctx context.Context, ld *ldclient.Client, e *ldclient.AuditEntry, resource string, actions ...string) ([]ldclient.AuditEntry, bool, error) {
	got, err := ld.AuditLog.Search(ctx, ldclient.AuditQuery{After: e.Date - 1, Limit: ldclient.MaxAuditLimit,
		Statements: []ldclient.Statement{{Effect: "allow", Resources: []string{resource}, Actions: actions}}})
	if err != nil {
		return nil, false, err
	}
	list, all := got.Items, len(got.Items) < ldclient.MaxAuditLimit
	if n := slices.IndexFunc(list, func(l ldclient.AuditEntry) bool { return l.ID == e.ID }); n >= 0 {
		list, all = list[:n], true
	}
	return slices.DeleteFunc(list, func(l ldclient.AuditEntry) bool { return entryInScope(ld.Scope(), &l) != nil }), all, nil
}

// sweeping reports whether a role action may change what other ones are for.
func sweeping(action string) bool {
	return strings.HasPrefix(action, "copyFlagConfig") || strings.Contains(action, "MeasuredRollout") || action == "applyApprovalRequest"
}

// related reports whether two entries may be about the same part of a resource.
func related(a, b *ldclient.AuditEntry) bool {
	for _, x := range a.Accesses {
		for _, y := range b.Accesses {
			if x.Action == y.Action || sweeping(x.Action) || sweeping(y.Action) {
				return true
			}
		}
	}
	return len(a.Accesses) == 0 || len(b.Accesses) == 0
}

// later notes what was done after an entry. A part that was something else in
// between is what it is by somebody's later decision, and is not taken back.
// taken gives the parts that would be taken back from an earlier version.
func (u *undoing) later(ctx context.Context, ld *ldclient.Client, e *ldclient.AuditEntry, resource string, taken func(l *ldclient.AuditEntry, raw json.RawMessage) ([]string, error)) error {
	if len(u.taken) == 0 {
		return nil
	}
	list, all, err := laterEntries(ctx, ld, e, resource, "*")
	if err != nil || len(list) == 0 {
		return err
	}
	count := fmt.Sprint(len(list))
	if !all {
		count += " or more"
	}
	last := changeRowOf(list[0])
	u.notes = append(u.notes, fmt.Sprintf("later changes that stay: %s, the last %s: %s", count, madeBy(&list[0]), said(last.Did, 100)))
	same := slices.DeleteFunc(list, func(l ldclient.AuditEntry) bool { return !related(e, &l) })
	if !all {
		var actions []string
		for _, a := range e.Accesses {
			actions = append(actions, a.Action)
		}
		if slices.ContainsFunc(actions, sweeping) || len(actions) == 0 {
			actions = []string{"*"}
		}
		if same, all, err = laterEntries(ctx, ld, e, resource, actions...); err != nil {
			return err
		}
	}
	if !all || len(same) > maxLater {
		u.collisions = append(u.collisions, fmt.Sprintf("%d later entries are about the same kinds of things, the last is %s %s: too many to tell whether one of them was made on purpose what it is now",
			len(same), same[0].ID, madeBy(&same[0])))
		return nil
	}
	by := map[string][]string{} // entries by the part that they changed
	for _, l := range slices.Backward(same) {
		full, err := ld.AuditLog.Get(ctx, l.ID)
		if err != nil {
			return err
		}
		parts := map[string]bool{}
		for _, raw := range []json.RawMessage{full.Previous, full.Current} {
			if m, ok := decoded(raw).(map[string]any); !ok || len(m) == 0 {
				continue // it made nothing of this resource, such as a request
			}
			then, err := taken(full, raw)
			if err != nil {
				return err
			}
			for _, part := range fewer(u.taken, then) {
				parts[part] = true
			}
		}
		for part := range parts {
			by[part] = append(by[part], fmt.Sprintf("entry %s %s", full.ID, madeBy(full)))
		}
	}
	for _, part := range keysOfMap(by) {
		entries := by[part]
		if n := len(entries) - 3; n > 0 {
			entries = append(entries[n:], fmt.Sprintf("%d before them", n))
		}
		u.collisions = append(u.collisions, fmt.Sprintf("%s was changed again later and then back, by %s", part, strings.Join(entries, " and ")))
	}
	return nil
}

// fewer lists what occurs fewer times in a list than in another one.
func fewer(than, list []string) []string {
	left := slices.Clone(list)
	var out []string
	for _, s := range than {
		if n := slices.Index(left, s); n >= 0 {
			left = slices.Delete(left, n, n+1)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// lostRace is LaunchDarkly's own refusal of a change that another one came before.
func lostRace(at ldclient.Target) error {
	return &ldclient.Error{Status: 409, Code: "optimistic_locking_error", Message: fmt.Sprintf("%s %s was changed after this undo was planned, so it was not made", at.Kind, at.Key)}
}

// overtaken notes that a version moved on by more than what a dry run said.
func (p *plan[View]) overtaken(at ldclient.Target, planned, tried, got int) {
	if got > planned+max(1, tried-planned) {
		p.Noticed = append(p.Noticed, fmt.Sprintf("somebody else changed %s %s at the same moment (its version went from %d to %d): look at both changes with query-audit-log, and at what is there now",
			at.Kind, at.Key, planned, got))
	}
}

// inBoth says what an undo changes in one environment, and apart from that what it changes in all of them.
func inBoth(environment string, do []ldclient.Instruction, says []string) string {
	var kinds [2][]ldclient.Instruction
	var words [2][]string
	for n, i := range do {
		side := 1
		if slices.Contains(targetingKinds, i.Kind()) || slices.Contains(releaseKinds, i.Kind()) {
			side = 0
		}
		kinds[side], words[side] = append(kinds[side], i), append(words[side], says[n])
	}
	var out []string
	for side, where := range []string{"in " + environment, "in all environments"} {
		if len(words[side]) > 0 {
			out = append(out, where+": "+together(kinds[side], words[side]))
		}
	}
	return strings.Join(out, "; ")
}

// outOfSight names the environments in scope, and counts those that are not.
func outOfSight(scope ldclient.Scope, envs []string) string {
	seen := slices.DeleteFunc(slices.Clone(envs), func(env string) bool { return !scope.AllowsEnvironment(env) })
	hidden := len(envs) - len(seen)
	switch {
	case hidden == 0:
		return keyList(seen)
	case len(seen) == 0:
		return "all outside this server's scope"
	}
	return keyList(seen) + " and others outside this server's scope"
}

// placed says where a rule that comes back would stand among the others.
func placed(order []ruleByID, n int, known bool, since func(ruleByID) bool) string {
	words := fmt.Sprintf(", as rule %d of %d", n+1, len(order))
	if !known && len(order) > 1 {
		words += ", for none of the rules that stood next to it is there any more"
	}
	var near []string
	for _, side := range []struct {
		n     int
		where string
	}{{n - 1, "below"}, {n + 1, "above"}} {
		if side.n >= 0 && side.n < len(order) && since(order[side.n]) {
			near = append(near, fmt.Sprintf("right %s %s, which was added since", side.where, order[side.n].name()))
		}
	}
	if len(near) > 0 {
		words += ", " + strings.Join(near, " and ")
	}
	return words
}
