package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// flagUndo is the undo of an entry on a flag. was and is are the flag before
// and after the entry, now as it is.
type flagUndo struct {
	undoing
	ld           *ldclient.Client // nil where only parts are compared
	at           ldclient.Target  // its environment is the one whose targeting the entry changed, if any
	entry        *ldclient.AuditEntry
	was, is, now *ldclient.Flag
	wasIn, isIn  map[string]any // the versions as they stand in the log
	// as gives the id that a variation has now, where it was removed and made anew.
	as map[string]string
	// back are the removed variations that this undo adds again, by their old ids.
	back map[string]bool
	// valued are the variations that get their earlier values back.
	valued map[string]bool
}

// settingFields are the fields of a flag that are the same in all environments and can be turned back.
var settingFields = []string{"environments", "name", "description", "tags", "temporary", "maintainerId", "maintainerTeamKey", "clientSideAvailability",
	"customProperties", "variations", "defaults", "archived", "deprecated"}

func undoFlag(ctx context.Context, ld *ldclient.Client, at ldclient.Target, e *ldclient.AuditEntry) (*plan[undoneView], error) {
	u := &flagUndo{ld: ld, at: at, entry: e, wasIn: fieldsAt(decoded(e.Previous)), isIn: fieldsAt(decoded(e.Current))}
	var err error
	if u.was, err = versionOf[ldclient.Flag](e, e.Previous); err != nil {
		return nil, err
	}
	if u.is, err = versionOf[ldclient.Flag](e, e.Current); err != nil {
		return nil, err
	}
	if u.was.Key != at.Key || u.is.Key != at.Key {
		return nil, cannot("what entry %s holds is not flag %s; undo it in LaunchDarkly itself", e.ID, at.Key)
	}
	envs := u.changedEnvironments()
	u.at.Environment = ""
	switch {
	case len(envs) > 1:
		return nil, cannot("entry %s changed flag %s in several environments at once (%s), and one call of LaunchDarkly changes one; undo it in each by hand", e.ID, at.Key, outOfSight(ld.Scope(), envs))
	case len(envs) == 1 && !ld.Scope().AllowsEnvironment(envs[0]):
		return nil, &ldclient.ScopeError{Target: at, Reason: fmt.Sprintf("entry %s changed flag %s in an environment outside this server's scope", e.ID, at.Key)}
	case len(envs) == 1:
		u.at.Environment = envs[0]
	}
	target := u.at
	everywhere := u.everywhere()
	if everywhere {
		target.Environment = ""
	}
	if err := ld.Scope().Check(target, true); err != nil {
		return nil, err
	}
	if u.now, err = ld.Flags.Get(ctx, at.Project, target.Environment, at.Key); err != nil {
		return nil, err
	}
	if _, ok := u.now.Environments[u.at.Environment]; u.at.Environment != "" && !ok {
		return nil, cannot("environment %s, in which entry %s changed flag %s, is not there any more", u.at.Environment, e.ID, at.Key)
	}
	if u.now.CreationDate != u.is.CreationDate {
		return nil, cannot("flag %s was deleted after entry %s and made anew, so the entry is about another flag", at.Key, e.ID)
	}
	if err := u.compare(ctx); err != nil {
		return nil, err
	}
	if err := u.whyNot(e); err != nil {
		return nil, err
	}
	resource := fmt.Sprintf("proj/%s:env/%s:flag/%s", at.Project, cmp.Or(target.Environment, "*"), at.Key)
	if err := u.later(ctx, ld, e, resource, u.takenFrom); err != nil {
		return nil, err
	}
	do := u.instructions()
	on := changingFlag(ld, u.at, u.now, u.now.Environments[u.at.Environment], targetingKinds)
	if err := u.whyNot(e); err != nil {
		return nil, err
	}
	says, err := u.words(ctx, on)
	if err != nil {
		return nil, err
	}
	if u.at.Environment != "" {
		if err := u.namedSegments(ctx, on.segments(do)); err != nil {
			return nil, err
		}
	}
	if err := u.whyNot(e); err != nil {
		return nil, err
	}
	version := func(f *ldclient.Flag) string {
		of := fmt.Sprintf("environment %d %s", f.Environments[u.at.Environment].Version, digest(f.Variations))
		if everywhere {
			of = fmt.Sprintf("flag %d %s", f.Version, of)
		}
		return of
	}
	p := &plan[undoneView]{intent: intent{Version: version(u.now), Target: target, Instructions: do, Tags: u.now.Tags, Again: true}}
	if everywhere {
		p.Within = u.at.Environment
	}
	u.finish(e, p, says)
	if len(do) == 0 {
		return p, nil
	}
	return p, undoSteps[ldclient.Flag]{
		at: at, now: u.now, version: version, count: u.versionIn(everywhere),
		read: func(ctx context.Context) (*ldclient.Flag, error) {
			return ld.Flags.Get(ctx, at.Project, target.Environment, at.Key)
		},
		patch: func(ctx context.Context, how manner) (*ldclient.Flag, error) {
			return ld.Flags.Patch(ctx, at.Project, u.at.Environment, at.Key, ldclient.Patch{Comment: how.Comment, Instructions: do, DryRun: how.DryRun})
		},
		restores: u.restores,
		words:    func(f *ldclient.Flag) *undoneView { return flagInWords(f, u.at.Environment) },
	}.ready(ctx, p)
}

// versionIn counts the changes of a flag, or those in the environment of the undo.
func (u *flagUndo) versionIn(everywhere bool) func(*ldclient.Flag) int {
	return func(f *ldclient.Flag) int {
		if everywhere {
			return f.Version
		}
		return f.Environments[u.at.Environment].Version
	}
}

// takenFrom gives the parts that would have been taken back from a version that a later entry holds.
func (u *flagUndo) takenFrom(l *ldclient.AuditEntry, raw json.RawMessage) ([]string, error) {
	then, err := versionOf[ldclient.Flag](l, raw)
	if err != nil {
		return nil, err
	}
	if _, ok := then.Environments[u.at.Environment]; !ok && u.at.Environment != "" { // it is about other things
		then.Environments = u.now.Environments
	}
	past := &flagUndo{at: u.at, entry: u.entry, was: u.was, is: u.is, now: then, wasIn: u.wasIn, isIn: u.isIn}
	err = past.compare(context.Background())
	return past.taken, err
}

// compare goes through all parts of the flag.
func (u *flagUndo) compare(ctx context.Context) error {
	u.as, u.back, u.valued = map[string]string{}, map[string]bool{}, map[string]bool{}
	u.leaves(u.wasIn, u.isIn, settingFields...)
	if err := u.variations(ctx); err != nil {
		return err
	}
	if err := u.settings(ctx); err != nil {
		return err
	}
	if u.at.Environment == "" {
		return nil
	}
	return u.targeting(ctx)
}

// restores checks what LaunchDarkly says the flag would be: comparing it again must leave nothing to do.
func (u *flagUndo) restores(ctx context.Context, then *ldclient.Flag) error {
	again := &flagUndo{ld: u.ld, at: u.at, entry: u.entry, was: u.was, is: u.is, now: then, wasIn: u.wasIn, isIn: u.isIn}
	if err := again.compare(ctx); err != nil {
		return err
	}
	left := slices.Concat(again.collisions, again.blocked)
	if n := len(again.all()); n > 0 || len(left) > 0 {
		return cannot("LaunchDarkly would not make flag %s what it was before entry %s (%d steps would be left; %s), so nothing was changed; undo it by hand",
			u.at.Key, u.entry.ID, n, short(strings.Join(left, "; "), 300))
	}
	return nil
}

// changedEnvironments lists the environments in which an entry changed the targeting.
func (u *flagUndo) changedEnvironments() []string {
	var out []string
	envs := maps.Clone(u.was.Environments)
	maps.Copy(envs, u.is.Environments)
	for _, env := range slices.Sorted(maps.Keys(envs)) {
		_, had := u.was.Environments[env]
		_, has := u.is.Environments[env]
		if had != has || digest(targetingOf(u.was, env, nil)) != digest(targetingOf(u.is, env, nil)) ||
			len(leftOver(fieldsAt(u.wasIn, "environments", env), fieldsAt(u.isIn, "environments", env), targetingFields...)) > 0 {
			out = append(out, env)
		}
	}
	return out
}

// everywhere reports whether an entry changed something that is the same in all environments.
func (u *flagUndo) everywhere() bool {
	known := slices.DeleteFunc(slices.Clone(noise), func(k string) bool { return k == "includeInSnippet" })
	return u.at.Environment == "" || len(leftOver(u.wasIn, u.isIn, append(known, "environments", "includeInSnippet", "maintainer")...)) > 0
}

// variationAt is the place of a variation, -1 where there is none of this id.
func variationAt(f *ldclient.Flag, id string) int {
	return slices.IndexFunc(f.Variations, func(v ldclient.Variation) bool { return v.ID == id })
}

// today is the id that a variation of an earlier version has now.
func (u *flagUndo) today(id string) string {
	if as := u.as[id]; as != "" {
		return as
	}
	return id
}

// variations takes back what an entry did to the variations themselves.
func (u *flagUndo) variations(ctx context.Context) error {
	var order [2][]string
	for n, sides := range [][2]*ldclient.Flag{{u.was, u.is}, {u.is, u.was}} {
		for _, v := range sides[0].Variations {
			if variationAt(sides[1], v.ID) >= 0 {
				order[n] = append(order[n], v.ID)
			}
		}
	}
	if !slices.Equal(order[0], order[1]) {
		u.block("the order of the variations was changed, which no instruction turns back")
	}
	values := map[string]bool{} // that variations get again
	for _, v := range u.was.Variations {
		n := variationAt(u.is, v.ID)
		if n >= 0 {
			u.variationBack(v, u.is.Variations[n], values)
			continue
		}
		name := "variation " + label(u.was, variationAt(u.was, v.ID))
		i := slices.IndexFunc(u.now.Variations, func(o ldclient.Variation) bool { return sameJSON(o.Value, v.Value) && variationAt(u.is, o.ID) < 0 })
		switch {
		case i >= 0 && u.now.Variations[i].Name == v.Name && u.now.Variations[i].Description == v.Description:
			u.as[v.ID] = u.now.Variations[i].ID
			u.same = append(u.same, name)
		case i >= 0:
			u.block("%s cannot come back: another variation has its value now", name)
		default:
			u.back[v.ID] = true
			u.taken = append(u.taken, name)
			values[compact(v.Value)] = true
			u.add(addingVariations, ldclient.AddVariation(ldclient.NewVariation{Value: v.Value, Name: v.Name, Description: v.Description}),
				"add variation "+told(v)+" again")
		}
	}
	for _, v := range u.is.Variations {
		if variationAt(u.was, v.ID) >= 0 {
			continue
		}
		name, i := "variation "+label(u.is, variationAt(u.is, v.ID)), variationAt(u.now, v.ID)
		switch {
		case i < 0:
			u.same = append(u.same, name)
		case !u.takes(name, nil, v, u.now.Variations[i]):
		default:
			if err := u.removable(ctx, i); err != nil {
				return err
			}
			when := removingVariations
			if values[compact(v.Value)] {
				when = removingFirst
			}
			u.add(when, ldclient.RemoveVariation(v.ID), "remove variation "+told(v))
		}
	}
	return nil
}

func compact(v json.RawMessage) string { return digest(decoded(v)) }

// variationBack takes back what changed of one variation.
func (u *flagUndo) variationBack(was, is ldclient.Variation, values map[string]bool) {
	i := variationAt(u.now, was.ID)
	if i < 0 {
		if digest(was) != digest(is) {
			u.block("variation %s was removed later", told(is))
		}
		return
	}
	now := u.now.Variations[i]
	var value json.RawMessage
	var name, description *string
	var words []string
	part := func(what string) string {
		return fmt.Sprintf("the %s of variation %s", what, label(u.is, variationAt(u.is, is.ID)))
	}
	if u.takes(part("value"), decoded(was.Value), decoded(is.Value), decoded(now.Value)) {
		value = was.Value
		u.valued[was.ID] = true
		values[compact(value)] = true
		words = append(words, fmt.Sprintf("value to %s instead of %s", short(clean(valueText(was.Value)), 100), short(clean(valueText(now.Value)), 100)))
		if uses := usesOf(u.now, i); len(uses) > 0 {
			u.notes = append(u.notes, fmt.Sprintf("the value of %s reaches contexts at once: %s", label(u.now, i), keyList(uses)))
		}
	}
	if u.takes(part("name"), was.Name, is.Name, now.Name) {
		name = &was.Name
		words = append(words, "name to "+quoted(was.Name))
	}
	if u.takes(part("description"), was.Description, is.Description, now.Description) {
		description = &was.Description
		words = append(words, "description to "+quoted(was.Description))
	}
	if len(words) > 0 {
		u.add(updatingVariations, ldclient.UpdateVariation(was.ID, value, name, description), fmt.Sprintf("of variation %s set the %s", label(u.now, i), strings.Join(words, " and the ")))
	}
}

// removable looks for what uses a variation that is to go. The environment whose targeting is taken back too is LaunchDarkly's to judge.
func (u *flagUndo) removable(ctx context.Context, n int) error {
	if u.ld == nil {
		return nil
	}
	others := *u.now
	others.Environments = maps.Clone(u.now.Environments)
	delete(others.Environments, u.at.Environment)
	for _, use := range usesOf(&others, n) {
		u.block("variation %s cannot go: it is in use in %s", label(u.now, n), use)
	}
	b := variationBuilder{ld: u.ld, at: u.at}
	needs, err := b.neededBy(ctx, n)
	for _, need := range needs {
		u.block("variation %s cannot go: it is a %s", label(u.now, n), need)
	}
	u.notes = append(u.notes, b.notes...)
	return err
}
