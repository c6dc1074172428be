package tools

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// targetingFields are the fields of a flag in one environment that can be turned back.
var targetingFields = []string{"on", "archived", "targets", "contextTargets", "rules", "fallthrough", "offVariation", "prerequisites", "trackEvents", "trackEventsFallthrough"}

// serveByID is what a rule gives, by the ids of variations, as it is compared.
type serveByID struct {
	Variation             string
	Weights               map[string]int
	BucketBy, ContextKind string
	Seed, Experiment      string
}

// serveIn is what a rule of a version of the flag gives. today translates ids, and parts of no weight for variations that are gone count as none.
func serveIn(f *ldclient.Flag, s ldclient.RuleServe, today func(string) string, there func(string) bool) serveByID {
	var out serveByID
	if s.Variation != nil {
		out.Variation = today(idOf(f, *s.Variation))
	}
	if s.Rollout == nil {
		return out
	}
	out.Weights = map[string]int{}
	for _, w := range s.Rollout.Variations {
		if id := today(idOf(f, w.Variation)); w.Weight > 0 || there(id) {
			out.Weights[id] += w.Weight
		}
	}
	out.BucketBy, out.ContextKind = cmp.Or(s.Rollout.BucketBy, "key"), cmp.Or(s.Rollout.ContextKind, "user")
	out.Seed, out.Experiment = notNull(s.Rollout.Seed), notNull(s.Rollout.ExperimentAllocation)
	return out
}

func notNull(raw []byte) string {
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}

// targetingByID is a flag's targeting in one environment as it is compared.
type targetingByID struct {
	On, Track, TrackDefault bool
	Default                 serveByID
	Off                     string
	Rules                   []ruleByID
	Targets                 map[contextKey]string
	Prerequisites           map[string]int
}

// contextKey is a context that is targeted by key.
type contextKey struct{ kind, key string }

func (k contextKey) MarshalText() ([]byte, error) { return []byte(k.kind + "\x00" + k.key), nil }

func (k contextKey) String() string { return k.kind + " " + word(k.key) }

// targetingOf is a flag's targeting in an environment. Where u is nil, ids stay as they are.
func targetingOf(f *ldclient.Flag, env string, u *flagUndo) targetingByID {
	c := f.Environments[env]
	today, there := func(id string) string { return id }, func(string) bool { return false }
	if u != nil {
		today, there = u.today, func(id string) bool { return variationAt(u.now, id) >= 0 }
	}
	out := targetingByID{On: c.On, Track: c.TrackEvents, TrackDefault: c.TrackEventsFallthrough, Default: serveIn(f, c.Fallthrough, today, there),
		Targets: map[contextKey]string{}, Prerequisites: map[string]int{}}
	if c.OffVariation != nil {
		out.Off = today(idOf(f, *c.OffVariation))
	}
	for _, r := range c.Rules {
		out.Rules = append(out.Rules, ruleByID{r.ID, r.Clauses, serveIn(f, r.RuleServe, today, there), r.Description, r.TrackEvents, r.Disabled, r.Ref, nil, "", ""})
	}
	for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
		for _, key := range t.Values {
			out.Targets[contextKey{kindOr(t.ContextKind), key}] = today(idOf(f, t.Variation))
		}
	}
	for _, p := range c.Prerequisites {
		out.Prerequisites[p.Key] = p.Variation
	}
	return out
}

// targeting takes back what an entry did to the flag in one environment.
func (u *flagUndo) targeting(ctx context.Context) error {
	env := u.at.Environment
	was, is, now := targetingOf(u.was, env, u), targetingOf(u.is, env, u), targetingOf(u.now, env, u)
	u.leaves(fieldsAt(u.wasIn, "environments", env), fieldsAt(u.isIn, "environments", env), targetingFields...)
	if u.takes("whether targeting is on", was.On, is.On, now.On) {
		do := ldclient.TurnFlagOff()
		if was.On {
			do = ldclient.TurnFlagOn()
		}
		u.add(changingServes, do, "")
	}
	if u.takes("what the default rule serves", was.Default, is.Default, now.Default) {
		if s, ok := u.serveBack("the default rule", was.Default, is.Default, now.Default); ok {
			u.add(changingServes, ldclient.UpdateFallthrough(s), "")
		}
	}
	if u.takes("the off variation", was.Off, is.Off, now.Off) {
		if was.Off == "" {
			u.block("there was no off variation, and LaunchDarkly has no instruction that leaves a flag without one")
		} else if u.alive("the off variation was", was.Off) {
			u.add(changingServes, ldclient.UpdateOffVariation(was.Off), "")
		}
	}
	if u.takes("whether events are tracked", was.Track, is.Track, now.Track) {
		u.add(changingServes, ldclient.UpdateTrackEvents(was.Track), "")
	}
	if u.takes("whether events of the default rule are tracked", was.TrackDefault, is.TrackDefault, now.TrackDefault) {
		u.add(changingServes, ldclient.UpdateTrackEventsFallthrough(was.TrackDefault), "")
	}
	rules := ruleUndo{undoing: &u.undoing, was: was.Rules, is: is.Rules, now: now.Rules, serves: u.serveBack}
	rules.compare()
	u.targets(was, is, now)
	if err := u.prerequisites(ctx, was, is, now); err != nil {
		return err
	}
	u.rollouts(ctx)
	return nil
}

// alive reports whether a variation is there to be served, and says why not.
func (u *flagUndo) alive(what, id string) bool {
	switch {
	case variationAt(u.now, id) >= 0:
		return u.sameValue(what, id)
	case u.back[id]:
		u.block("%s variation %s, which has to be there first; add it with update-flag-variations and undo the rest by hand", what, u.labelOnce(id))
	default:
		u.block("%s variation %s, which is not there any more", what, u.labelOnce(id))
	}
	return false
}

// sameValue reports whether a variation gives what it gave before the entry, or will again.
func (u *flagUndo) sameValue(what, id string) bool {
	n := slices.IndexFunc(u.was.Variations, func(v ldclient.Variation) bool { return u.today(v.ID) == id })
	i := variationAt(u.now, id)
	if n < 0 || i < 0 || u.valued[id] || sameJSON(u.was.Variations[n].Value, u.now.Variations[i].Value) {
		return true
	}
	value := func(f *ldclient.Flag, n int) string { return said(valueText(f.Variations[n].Value), 60) }
	why := fmt.Sprintf("%s variation %s, which had the value %s then, and has %s now", what, label(u.was, n), value(u.was, n), value(u.now, i))
	if !slices.Contains(u.collisions, why) {
		u.collisions = append(u.collisions, why)
	}
	return false
}

func (u *flagUndo) labelOnce(id string) string { return label(u.was, variationAt(u.was, id)) }

// serveBack is what a rule is to give again.
func (u *flagUndo) serveBack(name string, was, is, now serveByID) (ldclient.Serve, bool) {
	if now.Experiment != "" || was.Experiment != "" || was.Seed != is.Seed {
		u.block("an experiment has to do with %s; change that in the experiment", name)
		return ldclient.Serve{}, false
	}
	out := ldclient.Serve{VariationID: was.Variation, Weights: map[string]int{}}
	ok := was.Variation == "" || u.alive(name+" served", was.Variation)
	for _, id := range slices.Sorted(maps.Keys(was.Weights)) {
		ok = u.alive(name+" served", id) && ok
		out.Weights[id] = was.Weights[id]
	}
	if was.BucketBy != "key" {
		out.BucketBy = was.BucketBy
	}
	if was.ContextKind != "user" {
		out.ContextKind = was.ContextKind
	}
	return out, ok
}

// targets takes back the individual targeting of exactly those keys that an entry moved.
func (u *flagUndo) targets(was, is, now targetingByID) {
	type group struct{ kind, variation string }
	gone, come := map[group][]string{}, map[group][]string{}
	all := maps.Clone(was.Targets)
	maps.Copy(all, is.Targets)
	for _, k := range slices.SortedFunc(maps.Keys(all), func(a, b contextKey) int { return cmp.Compare(a.String(), b.String()) }) {
		if !u.takes("the target "+k.String(), was.Targets[k], is.Targets[k], now.Targets[k]) {
			continue
		}
		if id := is.Targets[k]; id != "" {
			gone[group{k.kind, id}] = append(gone[group{k.kind, id}], k.key)
		}
		if id := was.Targets[k]; id != "" {
			come[group{k.kind, id}] = append(come[group{k.kind, id}], k.key)
		}
	}
	order := func(a, b group) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.variation, b.variation))
	}
	for _, g := range slices.SortedFunc(maps.Keys(gone), order) {
		u.add(changingTargets, ldclient.RemoveTargets(ldclient.NewTarget{ContextKind: g.kind, VariationID: g.variation, Values: gone[g]}), "")
	}
	for _, g := range slices.SortedFunc(maps.Keys(come), order) {
		if u.alive(fmt.Sprintf("contexts of kind %s were targeted with", word(g.kind)), g.variation) {
			u.add(addingTargets, ldclient.AddTargets(ldclient.NewTarget{ContextKind: g.kind, VariationID: g.variation, Values: come[g]}), "")
		}
	}
}

// prerequisites takes back the prerequisites that an entry added, removed or changed.
func (u *flagUndo) prerequisites(ctx context.Context, was, is, now targetingByID) error {
	has := func(t targetingByID, key string) any {
		if n, ok := t.Prerequisites[key]; ok {
			return n
		}
		return nil
	}
	for _, key := range keysOfBoth(was.Prerequisites, is.Prerequisites) {
		if has(was, key) == has(is, key) {
			continue
		}
		// Prerequisites name variations by place, which does not tell the same variation once that flag's variations were changed.
		if u.ld != nil && (has(was, key) != nil || has(now, key) != nil) {
			same, err := u.sameVariations(ctx, key)
			if err != nil {
				return err
			}
			if !same {
				u.block("the variations of flag %s were changed later, so it cannot be told which one was required; set it with update-prerequisites", word(key))
				continue
			}
		}
		if !u.takes("the prerequisite "+word(key), has(was, key), has(is, key), has(now, key)) || u.ld == nil {
			continue
		}
		n, had := was.Prerequisites[key]
		if !had {
			u.add(changingTargets, ldclient.RemovePrerequisite(key), "")
			continue
		}
		f, err := u.ld.Flags.Get(ctx, u.at.Project, u.at.Environment, key)
		if ldclient.IsNotFound(err) {
			u.block("flag %s, which was required, is not there any more", word(key))
			continue
		}
		if err != nil {
			return err
		}
		switch {
		case f.Archived:
			u.block("flag %s, which was required, is archived now; restore it with restore-flag first", word(key))
		case n >= len(f.Variations):
			u.block("flag %s, which was required, has no variation at that place any more; set it with update-prerequisites", word(key))
		default:
			p := ldclient.NewPrerequisite{Key: key, VariationID: f.Variations[n].ID}
			if _, there := is.Prerequisites[key]; there {
				u.add(addingTargets, ldclient.UpdatePrerequisite(p), "")
			} else {
				u.add(addingTargets, ldclient.AddPrerequisite(p), "")
			}
		}
	}
	return nil
}

// sameVariations reports whether another flag has the variations that it had at the time of the entry, which names them by place.
func (u *flagUndo) sameVariations(ctx context.Context, key string) (bool, error) {
	got, err := u.ld.AuditLog.Search(ctx, ldclient.AuditQuery{After: u.entry.Date - 1, Limit: 1, Statements: []ldclient.Statement{{Effect: "allow",
		Resources: []string{"proj/" + u.at.Project + ":env/*:flag/" + key}, Actions: []string{"updateFlagVariations"}}}})
	return err == nil && len(got.Items) == 0, err
}

// namedSegments refuses rules on segments that are not there any more.
func (u *flagUndo) namedSegments(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if _, err := u.ld.Segments.Get(ctx, u.at.Project, u.at.Environment, key); ldclient.IsNotFound(err) {
			u.block("a rule named segment %s, which is not there any more", word(key))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// rollouts refuses to undo what a rollout changes at this moment.
func (u *flagUndo) rollouts(ctx context.Context) {
	if u.ld == nil {
		return
	}
	touched := map[string]bool{}
	for _, s := range u.all() {
		switch s.do.Kind() {
		case "updateFallthroughVariationOrRollout":
			touched[""] = true
		case "updateRuleVariationOrRollout", "removeRule":
			touched[fmt.Sprint(s.do["ruleId"])] = true
		}
	}
	if len(touched) == 0 {
		return
	}
	// This is no promised part of the API. Without it, LaunchDarkly's own refusal has to do.
	running, _ := runningRollouts(ctx, u.ld, u.at)
	for _, r := range running {
		id := r.Rule
		if r.OnDefaultRule() {
			id = ""
		}
		if touched[id] {
			u.block("%s runs now; stop it with stop-%s-rollout, which says what is served then", rolloutName(u.now, u.now.Environments[u.at.Environment], r), short(clean(r.Kind), 20))
		}
	}
}
