package tools

import (
	"fmt"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// ruleByID is a rule of a flag or a segment as it is compared.
type ruleByID struct {
	ID          string
	Clauses     []ldclient.Clause
	Serves      serveByID // of a flag
	Description string
	Track       bool
	Disabled    bool
	Ref         string
	Weight      *int // of a segment; nil is all
	ContextKind string
	BucketBy    string
}

// content is a rule without the ids that LaunchDarkly gave it.
func (r ruleByID) content() string {
	r.ID = ""
	if r.Weight == nil { // nothing is divided
		r.ContextKind, r.BucketBy = "", ""
	} else {
		r.ContextKind = kindOr(r.ContextKind)
	}
	var clauses []string
	for _, c := range r.Clauses {
		clauses = append(clauses, clauseContent(c))
	}
	slices.Sort(clauses)
	r.Clauses = nil
	return digest([]any{r, clauses})
}

func clauseContent(c ldclient.Clause) string {
	c.ID, c.ContextKind = "", kindOr(c.ContextKind)
	return digest(c)
}

func (r ruleByID) name() string {
	if r.Description != "" {
		return "the rule " + quoted(r.Description)
	}
	return fmt.Sprintf("the rule %q", "if "+short(inWords(r.Clauses), 80))
}

func ruleWith(list []ruleByID, id string) int {
	return slices.IndexFunc(list, func(r ruleByID) bool { return r.ID == id })
}

func ruleIDs(list []ruleByID) []string { return keysOf(list, func(r ruleByID) string { return r.ID }) }

// ruleUndo takes back what an entry did to the rules of a flag or a segment.
type ruleUndo struct {
	*undoing
	was, is, now []ruleByID
	// serves is what a flag's rule is to give again; nil for a segment.
	serves func(name string, was, is, now serveByID) (ldclient.Serve, bool)
}

func (u *ruleUndo) compare() {
	gone := map[string]bool{} // rules that this undo removes
	for _, r := range u.is {
		if ruleWith(u.was, r.ID) >= 0 {
			continue
		}
		i := ruleWith(u.now, r.ID)
		switch {
		case i < 0:
			u.same = append(u.same, r.name())
		case u.takes(r.name(), nil, r.content(), u.now[i].content()):
			if u.now[i].Serves.Experiment != "" {
				u.block("an experiment runs on %s", r.name())
			}
			gone[r.ID] = true
			u.add(takingAway, ldclient.RemoveRule(r.ID), "")
		}
	}
	var stay []ruleByID
	for _, r := range u.was {
		n := ruleWith(u.is, r.ID)
		if n < 0 {
			continue
		}
		i := ruleWith(u.now, r.ID)
		switch is := u.is[n]; {
		case i < 0 && r.content() == is.content():
		case i < 0 && slices.ContainsFunc(u.now, func(o ruleByID) bool { return o.content() == r.content() && ruleWith(u.is, o.ID) < 0 }):
			u.same = append(u.same, r.name())
		case i < 0:
			u.collisions = append(u.collisions, is.name()+" was removed later")
		case r.Weight != nil || is.Weight == nil:
			stay = append(stay, r)
		case u.takes(is.name(), r.content(), is.content(), u.now[i].content()):
			// Once a segment's rule takes a share, no instruction lets it take all again: not even 100 % is the same.
			gone[r.ID] = true
			u.add(takingAway, ldclient.RemoveRule(r.ID), "")
			u.again(r, "")
		}
	}
	u.order(gone)
	for _, r := range stay {
		u.changed(r, u.is[ruleWith(u.is, r.ID)], u.now[ruleWith(u.now, r.ID)])
	}
	u.removed(gone)
}

// order takes back how an entry ordered the rules that were there before and after it.
func (u *ruleUndo) order(gone map[string]bool) {
	var was, is, now []string
	common := func(id string) bool {
		return ruleWith(u.was, id) >= 0 && ruleWith(u.is, id) >= 0 && ruleWith(u.now, id) >= 0
	}
	for _, side := range []struct {
		from []ruleByID
		to   *[]string
	}{{u.was, &was}, {u.is, &is}, {u.now, &now}} {
		*side.to = slices.DeleteFunc(ruleIDs(side.from), func(id string) bool { return !common(id) })
	}
	if !u.takes("the order of the rules", was, is, now) {
		return
	}
	var order []string
	for _, r := range u.now {
		switch {
		case gone[r.ID]:
		case common(r.ID):
			order, was = append(order, was[0]), was[1:]
		default:
			order = append(order, r.ID)
		}
	}
	u.add(putInOrder, ldclient.ReorderRules(order), "")
	slices.SortFunc(u.now, func(a, b ruleByID) int { // where rules come back, this order holds
		return slices.Index(order, a.ID) - slices.Index(order, b.ID)
	})
}

// removed adds the rules again that an entry removed, each at its place.
func (u *ruleUndo) removed(gone map[string]bool) {
	var later []ruleByID // rules that came after the entry
	last := -1
	for n, r := range u.now {
		if ruleWith(u.was, r.ID) >= 0 || ruleWith(u.is, r.ID) >= 0 {
			last = n
		} else {
			later = append(later, r)
		}
	}
	end := "" // what comes after all that were there
	if last+1 < len(u.now) && last >= 0 {
		end = u.now[last+1].ID
	}
	order := slices.DeleteFunc(slices.Clone(u.now), func(r ruleByID) bool { return gone[r.ID] })
	since := func(r ruleByID) bool { return ruleWith(u.was, r.ID) < 0 && ruleWith(u.is, r.ID) < 0 }
	type comeback struct {
		r     ruleByID
		step  int
		known bool // some rule that stood next to it is there
	}
	var back []comeback
	for n, r := range u.was {
		if ruleWith(u.is, r.ID) >= 0 {
			continue
		}
		if i := slices.IndexFunc(later, func(o ruleByID) bool { return o.content() == r.content() }); i >= 0 {
			later = slices.Delete(later, i, i+1)
			u.same = append(u.same, r.name())
			continue
		}
		if ruleWith(u.now, r.ID) >= 0 {
			u.same = append(u.same, r.name())
			continue
		}
		before := end
		for _, next := range u.was[n+1:] {
			if ruleWith(u.now, next.ID) >= 0 && !gone[next.ID] {
				before = next.ID
				break
			}
		}
		known := slices.ContainsFunc(u.was, func(o ruleByID) bool { return o.ID != r.ID && ruleWith(order, o.ID) >= 0 })
		if i := ruleWith(order, before); i >= 0 && before != "" {
			order = slices.Insert(order, i, r)
		} else {
			order = append(order, r)
		}
		if u.taken = append(u.taken, r.name()); u.again(r, before) {
			back = append(back, comeback{r, len(u.steps[addingRules]) - 1, known})
		}
	}
	for _, c := range back {
		if u.serves != nil { // a segment's rules have no order
			u.steps[addingRules][c.step].where = placed(order, ruleWith(order, c.r.ID), c.known, since)
		}
	}
}

// again adds one rule that was removed, and reports whether it can.
func (u *ruleUndo) again(r ruleByID, before string) bool {
	clauses := slices.Clone(r.Clauses)
	for n := range clauses {
		clauses[n].ID = ""
	}
	if u.serves == nil {
		u.add(addingRules, ldclient.AddSegmentRule(ldclient.NewSegmentRule{Clauses: clauses, Description: r.Description, Weight: r.Weight,
			ContextKind: r.ContextKind, BucketBy: r.BucketBy}), "")
		return true
	}
	if r.Disabled {
		u.block("%s was disabled, and LaunchDarkly has no instruction that adds such a rule", r.name())
		return false
	}
	if r.Serves.Seed != "" {
		u.block("an experiment ran on %s; set it up in LaunchDarkly itself", r.name())
		return false
	}
	s, ok := u.serves(r.name(), r.Serves, r.Serves, serveByID{})
	if ok {
		u.add(addingRules, ldclient.AddRule(ldclient.NewRule{Clauses: clauses, Description: r.Description, TrackEvents: r.Track, Ref: r.Ref, Serve: s}, before), "")
	}
	return ok
}

// changed takes back what an entry did to a rule that was there before and after it.
func (u *ruleUndo) changed(was, is, now ruleByID) {
	if u.takes("what "+is.name()+" serves", was.Serves, is.Serves, now.Serves) {
		if s, ok := u.serves(is.name(), was.Serves, is.Serves, now.Serves); ok {
			u.add(changingRules, ldclient.UpdateRuleServe(was.ID, s), "")
		}
	}
	if u.takes("the description of "+is.name(), was.Description, is.Description, now.Description) {
		u.add(changingRules, ldclient.UpdateRuleDescription(was.ID, was.Description), "")
	}
	if u.takes("the event tracking of "+is.name(), was.Track, is.Track, now.Track) {
		u.add(changingRules, ldclient.UpdateRuleTrackEvents(was.ID, was.Track), "")
	}
	if was.Disabled != is.Disabled || was.Ref != is.Ref {
		u.block("%s was enabled, disabled or named, which no instruction turns back", is.name())
	}
	u.share(was, is, now)
	u.clauses(was, is, now)
}

// share takes back what part of the matching contexts a segment's rule takes.
func (u *ruleUndo) share(was, is, now ruleByID) {
	if was.Weight == nil {
		return
	}
	if was.BucketBy != is.BucketBy {
		u.block("the attribute that %s divides by was changed, which no instruction turns back", is.name())
		return
	}
	of := func(r ruleByID) []any {
		if r.Weight == nil {
			return nil
		}
		return []any{*r.Weight, kindOr(r.ContextKind)}
	}
	if u.takes("the share that "+is.name()+" takes", of(was), of(is), of(now)) {
		u.add(changingRules, ldclient.UpdateSegmentRuleRollout(was.ID, *was.Weight, kindOr(was.ContextKind)), "")
	}
}

func clauseWith(list []ldclient.Clause, id string) int {
	return slices.IndexFunc(list, func(c ldclient.Clause) bool { return c.ID == id })
}

// clauses takes back what an entry did to the clauses of a rule. Those that come back come last, which is the same: all must match.
func (u *ruleUndo) clauses(was, is, now ruleByID) {
	name := func(c ldclient.Clause) string {
		return fmt.Sprintf("the condition %q of %s", inWords([]ldclient.Clause{c}), is.name())
	}
	later := slices.DeleteFunc(slices.Clone(now.Clauses), func(c ldclient.Clause) bool {
		return clauseWith(is.Clauses, c.ID) >= 0 || clauseWith(was.Clauses, c.ID) >= 0
	})
	var back []ldclient.Clause
	var gone []string
	for _, c := range was.Clauses {
		n, i := clauseWith(is.Clauses, c.ID), clauseWith(now.Clauses, c.ID)
		if n >= 0 && i >= 0 {
			if u.takes(name(is.Clauses[n]), clauseContent(c), clauseContent(is.Clauses[n]), clauseContent(now.Clauses[i])) {
				u.add(changingRules, clauseBack(was.ID, c, now.Clauses[i]), "")
			}
			continue
		}
		if n >= 0 {
			if clauseContent(c) != clauseContent(is.Clauses[n]) {
				u.collisions = append(u.collisions, name(is.Clauses[n])+" was removed later")
			}
			continue
		}
		if k := slices.IndexFunc(later, func(o ldclient.Clause) bool { return clauseContent(o) == clauseContent(c) }); k >= 0 {
			later = slices.Delete(later, k, k+1)
			u.same = append(u.same, name(c))
			continue
		}
		u.taken = append(u.taken, name(c))
		c.ID = ""
		back = append(back, c)
	}
	for _, c := range is.Clauses {
		if clauseWith(was.Clauses, c.ID) >= 0 {
			continue
		}
		i := clauseWith(now.Clauses, c.ID)
		if i < 0 {
			u.same = append(u.same, name(c))
		} else if u.takes(name(c), nil, clauseContent(c), clauseContent(now.Clauses[i])) {
			gone = append(gone, c.ID)
		}
	}
	if len(gone) > 0 && len(gone) == len(now.Clauses) && len(back) == 0 {
		u.block("%s would be left without a condition, since its others were removed later", is.name())
		return
	}
	if len(back) > 0 {
		u.add(changingRules, ldclient.AddClauses(was.ID, back), "")
	}
	if len(gone) > 0 {
		u.add(changingRules, ldclient.RemoveClauses(was.ID, gone), "")
	}
}

// clauseBack makes a clause what it was, by its values alone where that is enough.
func clauseBack(ruleID string, was, now ldclient.Clause) ldclient.Instruction {
	then := was
	then.Values = now.Values
	if clauseContent(then) == clauseContent(now) {
		more, fewer := valuesWithout(was.Values, now.Values), valuesWithout(now.Values, was.Values)
		switch {
		case len(fewer) == 0 && digest(slices.Concat(now.Values, more)) == digest(was.Values):
			return ldclient.AddValuesToClause(ruleID, was.ID, more)
		case len(more) == 0 && digest(valuesWithout(now.Values, fewer)) == digest(was.Values):
			return ldclient.RemoveValuesFromClause(ruleID, was.ID, fewer)
		}
	}
	id := was.ID
	was.ID = ""
	return ldclient.UpdateClause(ruleID, id, was)
}

// valuesWithout is a list without the values of another one.
func valuesWithout(list, of []any) []any {
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		return slices.ContainsFunc(of, func(o any) bool { return digest(o) == digest(v) })
	})
}
