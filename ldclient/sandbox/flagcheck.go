package sandbox

import (
	"maps"
	"slices"
)

// checkFlag checks the whole of g, which replaces f or, when f is nil, is new.
func (a *Account) checkFlag(p *project, f, g *flag) *apiError {
	if err := checkFlagName(g.Name); err != nil {
		return err
	}
	if err := checkTags(g.Tags); err != nil {
		return err
	}
	if err := checkVariations(g); err != nil {
		return err
	}
	if err := a.checkMaintainer(g); err != nil {
		return err
	}
	for _, i := range []int{g.Defaults.OnVariation, g.Defaults.OffVariation} {
		if err := g.checkIndex(i); err != nil {
			return err
		}
	}
	if f != nil {
		for i, v := range f.Variations {
			if g.variationIndex(v.ID) < 0 && variationUser(p, f.Key, i) != "" {
				return invalid("variation '%s' is in use: it is a prerequisite of flag '%s'", v.ID, variationUser(p, f.Key, i))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(g.Environments)) {
		c := g.Environments[key]
		if err := g.checkConfig(c); err != nil {
			return err
		}
		if err := checkPrerequisites(p, key, g); err != nil {
			return err
		}
	}
	return nil
}

func (f *flag) checkIndex(i int) *apiError {
	if i < 0 || i >= len(f.Variations) {
		return invalid("%d is not the index of a variation of flag '%s'", i, f.Key)
	}
	return nil
}

func (f *flag) checkServe(s *serve) *apiError {
	if (s.Variation == nil) == (s.Rollout == nil) {
		return invalid("a rule must serve either a variation or a rollout")
	}
	if s.Variation != nil {
		return f.checkIndex(*s.Variation)
	}
	if s.Rollout.ContextKind == "" {
		s.Rollout.ContextKind = "user"
	}
	for _, v := range s.Rollout.Variations {
		if err := f.checkIndex(v.Variation); err != nil {
			return err
		}
	}
	return checkRollout(s.Rollout)
}

func (f *flag) checkConfig(c *flagConfig) *apiError {
	if c.OffVariation != nil {
		if err := f.checkIndex(*c.OffVariation); err != nil {
			return err
		}
	}
	if err := f.checkServe(&c.Fallthrough); err != nil {
		return err
	}
	for _, r := range c.Rules {
		if err := f.checkServe(&r.serve); err != nil {
			return err
		}
		if len(r.Clauses) == 0 {
			return invalid("a rule must have at least one clause")
		}
		for i := range r.Clauses {
			if err := completeClause(&r.Clauses[i]); err != nil {
				return err
			}
		}
	}
	type who struct{ kind, key string }
	seen := map[who]bool{}
	for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
		if err := f.checkIndex(t.Variation); err != nil {
			return err
		}
		for _, key := range t.Values {
			if seen[who{t.ContextKind, key}] {
				return invalid("the %s '%s' is targeted more than once", t.ContextKind, key)
			}
			seen[who{t.ContextKind, key}] = true
		}
	}
	return nil
}

// checkPrerequisites checks that g's prerequisites in an environment exist and do not lead back to g.
func checkPrerequisites(p *project, env string, g *flag) *apiError {
	var keys []string
	for _, q := range g.Environments[env].Prerequisites {
		of := p.flag(q.Key)
		if of == nil || of.Archived || q.Key == g.Key {
			return invalid("'%s' is not a flag that can be a prerequisite of '%s'", q.Key, g.Key)
		}
		if err := of.checkIndex(q.Variation); err != nil {
			return err
		}
		if slices.Contains(keys, q.Key) {
			return invalid("flag '%s' is listed twice as a prerequisite", q.Key)
		}
		keys = append(keys, q.Key)
	}
	visited := map[string]bool{}
	for len(keys) > 0 {
		key := keys[len(keys)-1]
		keys = keys[:len(keys)-1]
		if key == g.Key {
			return invalid("the prerequisites of flag '%s' form a cycle", g.Key)
		}
		if of := p.flag(key); of != nil && !visited[key] && of.Environments[env] != nil {
			visited[key] = true
			for _, q := range of.Environments[env].Prerequisites {
				keys = append(keys, q.Key)
			}
		}
	}
	return nil
}
