package sandbox

import (
	"cmp"

	"maps"
	"slices"
)

const fullWeight = 100_000 // thousandths of a percent

func (f *flag) variationIndex(id string) int {
	return slices.IndexFunc(f.Variations, func(v variation) bool { return v.ID == id })
}

func (e *flagEdit) variation(in params, id string) (int, *apiError) {
	if id == "" {
		return 0, in.missing("variationId")
	}
	i := e.f.variationIndex(id)
	if i < 0 {
		return 0, invalid("instruction kind '%s': unknown variationId '%s'", in.Kind, id)
	}
	return i, nil
}

// serves is the variation or rollout that an instruction asks for.
func (e *flagEdit) serves(in params) (serve, *apiError) {
	if in.RolloutWeights == nil {
		i, err := e.variation(in, in.VariationID)
		return serve{Variation: &i}, err
	}
	if in.VariationID != "" {
		return serve{}, invalid("instruction kind '%s' takes either variationId or rolloutWeights, not both", in.Kind)
	}
	r := &rollout{BucketBy: in.RolloutBucketBy, ContextKind: cmp.Or(in.RolloutContextKind, "user")}
	for _, id := range slices.Sorted(maps.Keys(in.RolloutWeights)) {
		i, err := e.variation(in, id)
		if err != nil {
			return serve{}, err
		}
		r.Variations = append(r.Variations, weightedVariation{Variation: i, Weight: in.RolloutWeights[id]})
	}
	slices.SortFunc(r.Variations, func(a, b weightedVariation) int { return a.Variation - b.Variation })
	return serve{Rollout: r}, checkRollout(r)
}

func checkRollout(r *rollout) *apiError {
	sum := 0
	for _, v := range r.Variations {
		if v.Weight < 0 || v.Weight > fullWeight {
			return invalid("rollout weight %d is not between 0 and %d", v.Weight, fullWeight)
		}
		sum += v.Weight
	}
	if sum != fullWeight {
		return invalid("rollout weights must sum to %d, not %d", fullWeight, sum)
	}
	return checkContextKind(r.ContextKind)
}

func (e *flagEdit) newRule(in params) (*flagRule, *apiError) {
	r := &flagRule{Ref: in.Ref}
	var err *apiError
	if r.serve, err = e.serves(in); err != nil {
		return nil, err
	}
	if r.Clauses, err = e.a.newClauses(in, in.Clauses); err != nil {
		return nil, err
	}
	if in.Description != nil {
		r.Description = *in.Description
	}
	if in.TrackEvents != nil {
		r.TrackEvents = *in.TrackEvents
	}
	r.ID = e.a.uuid()
	return r, nil
}

func (e *flagEdit) insertRule(in params, r *flagRule) *apiError {
	at := len(e.c.Rules)
	if in.BeforeRuleID != "" {
		if at = ruleIndex(e.c.Rules, in.BeforeRuleID); at < 0 {
			return invalid("instruction kind '%s': unknown beforeRuleId '%s'", in.Kind, in.BeforeRuleID)
		}
	}
	e.c.Rules = slices.Insert(e.c.Rules, at, r)
	return nil
}

func (e *flagEdit) addRule(in params) *apiError {
	r, err := e.newRule(in)
	if err != nil {
		return err
	}
	return e.insertRule(in, r)
}

func (e *flagEdit) removeRule(in params) *apiError {
	if err := e.notReleasing(in.RuleID); err != nil {
		return err
	}
	return removeRule(&e.c.Rules, in)
}

func (e *flagEdit) replaceRules(in params) *apiError {
	if in.Rules == nil {
		return in.missing("rules")
	}
	for _, r := range e.c.Rules {
		if err := e.notReleasing(r.ID); err != nil {
			return err
		}
	}
	rules := []*flagRule{}
	for _, raw := range in.Rules {
		one := params{Kind: in.Kind}
		if err := decodeParams(raw, &one); err != nil {
			return err
		}
		one.Kind = in.Kind
		r, err := e.newRule(one)
		if err != nil {
			return err
		}
		rules = append(rules, r)
	}
	e.c.Rules = rules
	return nil
}

func (e *flagEdit) editClauses(in params) *apiError { return editRuleClauses(e.a, &e.c.Rules, in) }

func (e *flagEdit) updateRuleServe(in params) *apiError {
	r, err := findRule(e.c.Rules, in)
	if err != nil {
		return err
	}
	if err := e.notReleasing(r.ID); err != nil {
		return err
	}
	s, err := e.serves(in)
	if err != nil {
		return err
	}
	r.serve = s
	return nil
}

func (e *flagEdit) updateRuleTrackEvents(in params) *apiError {
	r, err := findRule(e.c.Rules, in)
	if err != nil {
		return err
	}
	if in.TrackEvents == nil {
		return in.missing("trackEvents")
	}
	r.TrackEvents = *in.TrackEvents
	return nil
}

func (e *flagEdit) updateTrackEvents(in params) *apiError {
	if in.TrackEvents == nil {
		return in.missing("trackEvents")
	}
	if in.Kind == "updateTrackEvents" {
		e.c.TrackEvents = *in.TrackEvents
	} else {
		e.c.TrackEventsFallthrough = *in.TrackEvents
	}
	return nil
}

func (e *flagEdit) updateFallthrough(in params) *apiError {
	if err := e.notReleasing(fallthroughRule); err != nil {
		return err
	}
	s, err := e.serves(in)
	if err != nil {
		return err
	}
	e.c.Fallthrough = s
	return nil
}

func (e *flagEdit) updateOffVariation(in params) *apiError {
	i, err := e.variation(in, in.VariationID)
	if err != nil {
		return err
	}
	e.c.OffVariation = &i
	return nil
}

// targetList is where the targets of a context kind are kept.
func (c *flagConfig) targetList(kind string) *[]flagTarget {
	if kind == "user" {
		return &c.Targets
	}
	return &c.ContextTargets
}

// addKeys adds keys to a variation's targets. A key that another variation has is refused.
func (c *flagConfig) addKeys(kind string, variation int, keys []string) *apiError {
	if err := checkContextKind(kind); err != nil {
		return err
	}
	list := c.targetList(kind)
	at := -1
	for i, t := range *list {
		if t.ContextKind != kind {
			continue
		}
		if t.Variation == variation {
			at = i
			continue
		}
		for _, k := range keys {
			if slices.Contains(t.Values, k) {
				return invalid("the %s '%s' is already targeted by another variation", kind, k)
			}
		}
	}
	if at < 0 {
		at = len(*list)
		*list = append(*list, flagTarget{ContextKind: kind, Variation: variation, Values: []string{}})
	}
	t := &(*list)[at]
	for _, k := range keys {
		if !slices.Contains(t.Values, k) {
			t.Values = append(t.Values, k)
		}
	}
	return nil
}

func (e *flagEdit) addTargets(in params) *apiError {
	i, keys, kind, err := e.targets(in)
	if err != nil {
		return err
	}
	return e.c.addKeys(kind, i, keys)
}

func (e *flagEdit) removeTargets(in params) *apiError {
	i, keys, kind, err := e.targets(in)
	if err != nil {
		return err
	}
	list := e.c.targetList(kind)
	for n := range *list {
		t := &(*list)[n]
		if t.ContextKind == kind && t.Variation == i {
			t.Values = slices.DeleteFunc(t.Values, func(k string) bool { return slices.Contains(keys, k) })
		}
	}
	dropEmptyTargets(list)
	return nil
}

func dropEmptyTargets(list *[]flagTarget) {
	*list = slices.DeleteFunc(*list, func(t flagTarget) bool { return len(t.Values) == 0 })
}

func (e *flagEdit) targets(in params) (variation int, keys []string, kind string, err *apiError) {
	if variation, err = e.variation(in, in.VariationID); err != nil {
		return
	}
	kind = "user"
	if in.Kind == "addTargets" || in.Kind == "removeTargets" {
		kind = cmp.Or(in.ContextKind, "user")
	}
	keys, err = in.texts()
	return
}

func (e *flagEdit) replaceTargets(in params) *apiError {
	if in.Targets == nil {
		return in.missing("targets")
	}
	e.c.Targets, e.c.ContextTargets = []flagTarget{}, []flagTarget{}
	for _, t := range in.Targets {
		i, err := e.variation(in, t.VariationID)
		if err != nil {
			return err
		}
		if err := e.c.addKeys(cmp.Or(t.ContextKind, "user"), i, t.Values); err != nil {
			return err
		}
	}
	dropEmptyTargets(&e.c.Targets)
	dropEmptyTargets(&e.c.ContextTargets)
	return nil
}

// replaceUserTargets replaces the targets of kind user; every variation must be named.
func (e *flagEdit) replaceUserTargets(in params) *apiError {
	if in.Targets == nil {
		return in.missing("targets")
	}
	for _, v := range e.f.Variations {
		if !slices.ContainsFunc(in.Targets, func(t targetParams) bool { return t.VariationID == v.ID }) {
			return invalid("instruction kind 'replaceUserTargets': targets must name every variation; '%s' is missing", v.ID)
		}
	}
	for i := range in.Targets {
		in.Targets[i].ContextKind = "user"
	}
	others := e.c.ContextTargets
	err := e.replaceTargets(in)
	e.c.ContextTargets = others
	return err
}

func (e *flagEdit) clearTargets(in params) *apiError {
	i, err := e.variation(in, in.VariationID)
	if err != nil {
		return err
	}
	gone := func(t flagTarget) bool { return t.Variation == i }
	e.c.Targets = slices.DeleteFunc(e.c.Targets, gone)
	if in.Kind == "clearTargets" {
		e.c.ContextTargets = slices.DeleteFunc(e.c.ContextTargets, gone)
	}
	return nil
}

func (p *project) flag(key string) *flag {
	i := slices.IndexFunc(p.Flags, func(f *flag) bool { return f.Key == key })
	if i < 0 {
		return nil
	}
	return p.Flags[i]
}

func (e *flagEdit) prerequisite(in params, key, variationID string) (prerequisite, *apiError) {
	if key == "" {
		return prerequisite{}, in.missing("key")
	}
	return newPrerequisite(e.p, e.f.Key, key, variationID)
}

// newPrerequisite is the flag key as a prerequisite of the flag dependent.
func newPrerequisite(p *project, dependent, key, variationID string) (prerequisite, *apiError) {
	if key == dependent {
		return prerequisite{}, invalid("flag '%s' cannot be its own prerequisite", key)
	}
	of := p.flag(key)
	if of == nil || of.Archived {
		return prerequisite{}, invalid("prerequisite flag '%s' does not exist or is archived", key)
	}
	i := of.variationIndex(variationID)
	if i < 0 {
		return prerequisite{}, invalid("prerequisite flag '%s' has no variation with the variationId '%s'", key, variationID)
	}
	return prerequisite{Key: key, Variation: i}, nil
}

func (e *flagEdit) prerequisiteAt(key string) int {
	return slices.IndexFunc(e.c.Prerequisites, func(q prerequisite) bool { return q.Key == key })
}

func (e *flagEdit) addPrerequisite(in params) *apiError {
	q, err := e.prerequisite(in, in.Key, in.VariationID)
	if err != nil {
		return err
	}
	if i := e.prerequisiteAt(q.Key); i >= 0 {
		if e.c.Prerequisites[i] != q {
			return invalid("flag '%s' is a prerequisite already, with another variation; use updatePrerequisite", q.Key)
		}
		return nil
	}
	e.c.Prerequisites = append(e.c.Prerequisites, q)
	return nil
}

func (e *flagEdit) updatePrerequisite(in params) *apiError {
	q, err := e.prerequisite(in, in.Key, in.VariationID)
	if err != nil {
		return err
	}
	i := e.prerequisiteAt(q.Key)
	if i < 0 {
		return invalid("flag '%s' is not a prerequisite; use addPrerequisite", q.Key)
	}
	e.c.Prerequisites[i] = q
	return nil
}

func (e *flagEdit) removePrerequisite(in params) *apiError {
	if in.Key == "" {
		return in.missing("key")
	}
	e.c.Prerequisites = slices.DeleteFunc(e.c.Prerequisites, func(q prerequisite) bool { return q.Key == in.Key })
	return nil
}

func (e *flagEdit) replacePrerequisites(in params) *apiError {
	if in.Prerequisites == nil {
		return in.missing("prerequisites")
	}
	list := []prerequisite{}
	for _, one := range in.Prerequisites {
		q, err := e.prerequisite(in, one.Key, one.VariationID)
		if err != nil {
			return err
		}
		list = append(list, q)
	}
	e.c.Prerequisites = list
	return nil
}

// used tells whether the configuration serves or targets the variation.
func (c *flagConfig) used(variation int) bool {
	served := func(s serve) bool {
		if s.Rollout == nil {
			return s.Variation != nil && *s.Variation == variation
		}
		return slices.ContainsFunc(s.Rollout.Variations, func(v weightedVariation) bool {
			return v.Variation == variation && v.Weight > 0
		})
	}
	targeted := func(t flagTarget) bool { return t.Variation == variation }
	return served(c.Fallthrough) || c.OffVariation != nil && *c.OffVariation == variation ||
		slices.ContainsFunc(c.Rules, func(r *flagRule) bool { return served(r.serve) }) ||
		slices.ContainsFunc(c.Targets, targeted) || slices.ContainsFunc(c.ContextTargets, targeted)
}

// forget renumbers the configuration for a flag that loses an unused variation.
func (c *flagConfig) forget(variation int) {
	shift := func(i *int) {
		if i != nil && *i > variation {
			*i--
		}
	}
	renumber := func(s *serve) {
		shift(s.Variation)
		if s.Rollout != nil {
			s.Rollout.Variations = slices.DeleteFunc(s.Rollout.Variations, func(v weightedVariation) bool { return v.Variation == variation })
			for i := range s.Rollout.Variations {
				shift(&s.Rollout.Variations[i].Variation)
			}
		}
	}
	renumber(&c.Fallthrough)
	shift(c.OffVariation)
	for _, r := range c.Rules {
		renumber(&r.serve)
	}
	for _, list := range [][]flagTarget{c.Targets, c.ContextTargets} {
		for i := range list {
			shift(&list[i].Variation)
		}
	}
}
