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

// aiServed is the targeting of an AI config with the keys of its variations, as far as they can be told.
type aiServed struct {
	*ldclient.Flag
	scope    ldclient.Scope
	disabled int // index of the generated variation that serves nothing, -1 where it cannot be told
	behind   string
}

// aiServing reads the targeting of an AI config, of all environments where at names none.
func aiServing(ctx context.Context, ld *ldclient.Client, at ldclient.Target, c *ldclient.AIConfig) (*aiServed, error) {
	t, err := ld.AIConfigs.Targeting(ctx, at.Project, at.Environment, at.Key)
	if err != nil {
		return nil, err
	}
	f := &t.Flag
	f.Variations = slices.Clone(f.Variations)
	nameAIVariations(f, c)
	return &aiServed{Flag: f, scope: ld.Scope(), disabled: disabledVariation(f, c), behind: t.Behind}, nil
}

// aiServingNow is aiServing for what decides about a change, which must show the latest one.
func aiServingNow(ctx context.Context, ld *ldclient.Client, at ldclient.Target, c *ldclient.AIConfig) (*aiServed, error) {
	s, err := aiServing(ctx, ld, at, c)
	if err == nil && s.behind != "" {
		return nil, tooLate(s.behind)
	}
	return s, err
}

// nameAIVariations gives the variations of a targeting, which have ids and names,
// the keys that they have in the AI config: by id, or by a name that is one's only
// on both sides. A key that LaunchDarkly tells must be one of the AI config's.
func nameAIVariations(f *ldclient.Flag, c *ldclient.AIConfig) {
	tells := slices.ContainsFunc(f.Variations, func(v ldclient.Variation) bool { return v.Key != "" }) // then one without is the generated one
	for i := range f.Variations {
		v := &f.Variations[i]
		if v.Key != "" {
			continue
		}
		for _, own := range c.Variations {
			sameName := func(name string) bool { return name == own.Name }
			switch {
			case own.ID != "" && own.ID == v.ID:
				v.Key = own.Key
			case !tells && v.Name == own.Name && count(f.Variations, func(o ldclient.Variation) bool { return sameName(o.Name) }) == 1 &&
				count(c.Variations, func(o ldclient.AIVariation) bool { return sameName(o.Name) }) == 1:
				v.Key = own.Key
			}
		}
	}
	for i := range f.Variations { // a key that stands for two of them stands for neither
		if v := f.Variations[i]; v.Key != "" && count(f.Variations, func(o ldclient.Variation) bool { return o.Key == v.Key }) > 1 {
			for j := range f.Variations {
				if f.Variations[j].Key == v.Key {
					f.Variations[j].Key = ""
				}
			}
		}
	}
}

func count[T any](list []T, is func(T) bool) int {
	n := 0
	for _, item := range list {
		if is(item) {
			n++
		}
	}
	return n
}

// disabledVariation finds the variation that LaunchDarkly generates, which serves
// nothing: by what it says of itself, or else by its name, if nobody gave a variation that name.
func disabledVariation(f *ldclient.Flag, c *ldclient.AIConfig) int {
	says, named := -1, -1
	for i, v := range f.Variations {
		var value struct {
			Meta *struct {
				Enabled *bool `json:"enabled"`
			} `json:"_ldMeta"`
		}
		own := slices.ContainsFunc(c.Variations, func(o ldclient.AIVariation) bool {
			return o.ID != "" && o.ID == v.ID || v.Key != "" && o.Key == v.Key
		})
		likeOwn := slices.ContainsFunc(c.Variations, func(o ldclient.AIVariation) bool { return strings.EqualFold(o.Name, v.Name) })
		told := json.Unmarshal(v.Value, &value) == nil && value.Meta != nil && value.Meta.Enabled != nil
		switch {
		case own:
		case likeOwn && (!told || *value.Meta.Enabled || !strings.EqualFold(v.Name, "disabled")): // only its own word tells it from one that somebody has given its name
		case told:
			if *value.Meta.Enabled {
				continue
			}
			if says >= 0 {
				return -1
			}
			says = i
		case strings.EqualFold(strings.TrimSpace(v.Name), "disabled"):
			if named >= 0 {
				return -1
			}
			named = i
		}
	}
	if says >= 0 {
		return says
	}
	return named
}

// gives lists the variations that a rule may give.
func gives(s ldclient.RuleServe) []int {
	if s.Variation != nil {
		return []int{*s.Variation}
	}
	var out []int
	if s.Rollout != nil {
		for _, w := range s.Rollout.Variations {
			if w.Weight > 0 {
				out = append(out, w.Variation)
			}
		}
	}
	return out
}

// inUse lists the variations that somebody gets in an environment, or that are its off variation where that matters.
func inUse(c ldclient.FlagConfig) []int {
	if !c.On {
		if c.OffVariation == nil {
			return nil
		}
		return []int{*c.OffVariation}
	}
	out := gives(c.Fallthrough)
	for _, r := range c.Rules {
		if !r.Disabled {
			out = append(out, gives(r.RuleServe)...)
		}
	}
	for _, t := range append(slices.Clone(c.Targets), c.ContextTargets...) {
		if len(t.Values) > 0 {
			out = append(out, t.Variation)
		}
	}
	return out
}

func (s *aiServed) environments() []string { return slices.Sorted(maps.Keys(s.Environments)) }

// inService says by environment what its default rule serves and how much else
// does, where that is something, and gives the keys of these environments.
func (s *aiServed) inService() (says, keys []string) {
	for _, key := range s.environments() {
		c := s.Environments[key]
		real := slices.DeleteFunc(inUse(c), func(i int) bool { return i == s.disabled })
		if len(real) == 0 || !s.scope.AllowsEnvironment(key) {
			continue
		}
		keys = append(keys, key)
		says = append(says, fmt.Sprintf("%s serves %s by default%s", key, serving(s.Flag, c), besides(c)))
	}
	return says, keys
}

// besides says how many rules and targets stand beside the default rule.
func besides(c ldclient.FlagConfig) string {
	targets := 0
	for _, t := range append(slices.Clone(c.Targets), c.ContextTargets...) {
		targets += len(t.Values)
	}
	if len(c.Rules)+targets == 0 {
		return ""
	}
	return ", with " + numberOf(len(c.Rules), "rule") + " and " + numberOf(targets, "individual target")
}

// uses names the environments in which anything leads to a variation; known is
// whether that can be told at all.
func (s *aiServed) uses(key string) (where []string, known bool) {
	at := slices.IndexFunc(s.Variations, func(v ldclient.Variation) bool { return v.Key == key })
	known = at >= 0 || s.allNamed()
	for _, env := range s.environments() {
		c := s.Environments[env]
		targeted := c
		targeted.On = true // what is off may be turned on
		all := append(inUse(c), inUse(targeted)...)
		for _, r := range c.Rules {
			all = append(all, gives(r.RuleServe)...)
		}
		if c.OffVariation != nil {
			all = append(all, *c.OffVariation)
		}
		if at >= 0 && slices.Contains(all, at) {
			where = append(where, env)
		}
	}
	return where, known
}

// allNamed reports whether each variation but the generated one has its key.
func (s *aiServed) allNamed() bool {
	for i, v := range s.Variations {
		if v.Key == "" && i != s.disabled {
			return false
		}
	}
	return true
}

// reaches says where a change of a variation takes effect.
func (s *aiServed) reaches(key string) string {
	at := slices.IndexFunc(s.Variations, func(v ldclient.Variation) bool { return v.Key == key })
	if at < 0 {
		return "is live at once wherever the variation is served, which could not be told"
	}
	var where []string
	for _, env := range s.environments() {
		if slices.Contains(inUse(s.Environments[env]), at) && s.scope.AllowsEnvironment(env) {
			where = append(where, env)
		}
	}
	if len(where) == 0 {
		return "is served in no environment yet"
	}
	return "is LIVE AT ONCE in " + keyList(where) + ", where the variation is served"
}

// aiTargetingIn reads the targeting of an AI config in one environment, variations with their keys.
func aiTargetingIn(ctx context.Context, ld *ldclient.Client, at ldclient.Target) (*ldclient.Flag, ldclient.FlagConfig, error) {
	s, c, err := aiServedIn(ctx, ld, at)
	if err != nil {
		return nil, c, err
	}
	return s.Flag, c, nil
}

func aiServedIn(ctx context.Context, ld *ldclient.Client, at ldclient.Target) (*aiServed, ldclient.FlagConfig, error) {
	config, err := ld.AIConfigs.Get(ctx, at.Project, at.Key)
	if err != nil {
		return nil, ldclient.FlagConfig{}, err
	}
	t, err := aiServing(ctx, ld, at, config)
	if err != nil {
		return nil, ldclient.FlagConfig{}, err
	}
	c, ok := t.Environments[at.Environment]
	if !ok {
		envs, _ := ld.Environments.All(ctx, at.Project)
		return nil, c, absent("environment", at.Environment, keysOf(envs, func(e ldclient.Environment) string { return e.Key }))
	}
	return t, c, nil
}

// aiToChange is aiServedIn for what is to be changed, which must show the latest change.
func aiToChange(ctx context.Context, ld *ldclient.Client, at ldclient.Target) (*aiServed, ldclient.FlagConfig, error) {
	s, c, err := aiServedIn(ctx, ld, at)
	if err == nil && s.behind != "" {
		err = tooLate(s.behind)
	}
	return s, c, err
}
