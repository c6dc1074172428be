package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// Unknown is an instruction of a kind whose effect is not worked out here.
type Unknown struct{ Kind string }

func (u Unknown) Error() string {
	return fmt.Sprintf("what %s does is known to LaunchDarkly alone", u.Kind)
}

// Apply returns a flag as targeting instructions would leave it in the
// environment, for when LaunchDarkly does not say. Versions stay as they are,
// and new rules and clauses have ids of their own. The flag and the
// prerequisites that the instructions name must have been added.
func (e *Environment) Apply(flag string, do []ldclient.Instruction) (*ldclient.Flag, error) {
	f := e.flags[flag]
	if f == nil {
		return nil, fmt.Errorf("there is no flag %s here", flag)
	}
	config, ok := f.Environments[e.key]
	if !ok {
		return nil, fmt.Errorf("flag %s is not in environment %s", flag, e.key)
	}
	a := &applying{env: e, flag: f, c: clone(config)}
	for n, i := range do {
		in, err := fieldsOf(i)
		if err != nil {
			return nil, fmt.Errorf("instructions[%d] (%s): %w", n, i.Kind(), err)
		}
		act, ok := kinds()[i.Kind()]
		if !ok {
			return nil, Unknown{i.Kind()}
		}
		if err := act(a, in); err != nil {
			return nil, fmt.Errorf("instructions[%d] (%s): %w", n, i.Kind(), err)
		}
	}
	out := *f
	out.Environments = maps.Clone(f.Environments)
	out.Environments[e.key] = *a.c
	return &out, nil
}

// Prerequisites lists the flags that instructions name as prerequisites.
func Prerequisites(do []ldclient.Instruction) []string {
	var out []string
	for _, i := range do {
		in, err := fieldsOf(i)
		if err != nil {
			continue
		}
		if i.Kind() == "addPrerequisite" || i.Kind() == "updatePrerequisite" {
			out = append(out, in.Key)
		}
		for _, p := range in.Prerequisites {
			out = append(out, p.Key)
		}
	}
	return out
}

// applying is a change to a copy of a flag's targeting.
type applying struct {
	env  *Environment
	flag *ldclient.Flag
	c    *ldclient.FlagConfig
	made int // new rules and clauses
}

// fields are the fields of all kinds that are known here.
type fields struct {
	Kind            string
	VariationID     string
	RolloutWeights  map[string]int
	RolloutBucketBy string
	RolloutKind     string `json:"rolloutContextKind"`
	RuleID          string
	RuleIDs         []string
	BeforeRuleID    string
	Ref             string
	Rules           []fields
	ClauseID        string
	ClauseIDs       []string
	Clause          *ldclient.Clause
	Clauses         []ldclient.Clause
	Values          []any
	Description     *string
	TrackEvents     *bool
	ContextKind     string
	Targets         []fields
	Key             string
	Prerequisites   []fields
}

func fieldsOf(i ldclient.Instruction) (fields, error) {
	var out fields
	b, err := json.Marshal(i)
	if err != nil {
		return out, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return out, d.Decode(&out)
}

func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// clone copies the lists that instructions work on.
func clone(c ldclient.FlagConfig) *ldclient.FlagConfig {
	c.Rules = slices.Clone(c.Rules)
	for i := range c.Rules {
		c.Rules[i].Clauses = slices.Clone(c.Rules[i].Clauses)
	}
	c.Prerequisites = slices.Clone(c.Prerequisites)
	return &c
}

var kinds = sync.OnceValue(func() map[string]func(*applying, fields) error {
	return map[string]func(*applying, fields) error{
		"turnFlagOn":  func(a *applying, _ fields) error { a.c.On = true; return nil },
		"turnFlagOff": func(a *applying, _ fields) error { a.c.On = false; return nil },

		"updateFallthroughVariationOrRollout": func(a *applying, in fields) (err error) { a.c.Fallthrough, err = a.serve(in); return err },
		"updateOffVariation":                  (*applying).offVariation,
		"updateTrackEvents":                   func(a *applying, in fields) error { a.c.TrackEvents = orZero(in.TrackEvents); return nil },
		"updateTrackEventsFallthrough":        func(a *applying, in fields) error { a.c.TrackEventsFallthrough = orZero(in.TrackEvents); return nil },

		"addRule":                      (*applying).addRule,
		"removeRule":                   (*applying).removeRule,
		"replaceRules":                 (*applying).replaceRules,
		"reorderRules":                 (*applying).reorderRules,
		"updateRuleVariationOrRollout": (*applying).updateRule,
		"updateRuleDescription":        (*applying).updateRule,
		"updateRuleTrackEvents":        (*applying).updateRule,
		"addClauses":                   (*applying).addClauses,
		"removeClauses":                (*applying).removeClauses,
		"updateClause":                 (*applying).updateClause,
		"addValuesToClause":            (*applying).updateClause,
		"removeValuesFromClause":       (*applying).updateClause,

		"addTargets":         (*applying).addTargets,
		"addUserTargets":     (*applying).addTargets,
		"removeTargets":      (*applying).removeTargets,
		"removeUserTargets":  (*applying).removeTargets,
		"replaceTargets":     (*applying).replaceTargets,
		"replaceUserTargets": (*applying).replaceTargets,
		"clearTargets":       (*applying).clearTargets,
		"clearUserTargets":   (*applying).clearTargets,

		"addPrerequisite":      (*applying).addPrerequisite,
		"updatePrerequisite":   (*applying).updatePrerequisite,
		"removePrerequisite":   (*applying).removePrerequisite,
		"replacePrerequisites": (*applying).replacePrerequisites,
	}
})

func (a *applying) variation(id string) (int, error) { return variationOf(a.flag, id) }

func variationOf(f *ldclient.Flag, id string) (int, error) {
	n := slices.IndexFunc(f.Variations, func(v ldclient.Variation) bool { return v.ID == id && id != "" })
	if n < 0 {
		return 0, fmt.Errorf("flag %s has no variation %q", f.Key, id)
	}
	return n, nil
}

func (a *applying) serve(in fields) (ldclient.RuleServe, error) {
	if len(in.RolloutWeights) == 0 {
		n, err := a.variation(in.VariationID)
		return ldclient.RuleServe{Variation: &n}, err
	}
	r := &ldclient.Rollout{BucketBy: in.RolloutBucketBy, ContextKind: cmp.Or(in.RolloutKind, "user")}
	for id, weight := range in.RolloutWeights {
		n, err := a.variation(id)
		if err != nil {
			return ldclient.RuleServe{}, err
		}
		r.Variations = append(r.Variations, ldclient.WeightedVariation{Variation: n, Weight: weight})
	}
	slices.SortFunc(r.Variations, func(x, y ldclient.WeightedVariation) int { return cmp.Compare(x.Variation, y.Variation) })
	return ldclient.RuleServe{Rollout: r}, nil
}

func (a *applying) offVariation(in fields) error {
	n, err := a.variation(in.VariationID)
	a.c.OffVariation = &n
	return err
}

func (a *applying) addPrerequisite(in fields) error {
	p, err := a.prerequisite(in)
	if err != nil {
		return err
	}
	n := a.place(in.Key)
	switch {
	case n < 0:
		a.c.Prerequisites = append(a.c.Prerequisites, p)
	case a.c.Prerequisites[n] != p:
		return fmt.Errorf("flag %s is a prerequisite already, with another variation", in.Key)
	}
	return nil
}

func (a *applying) updatePrerequisite(in fields) error {
	p, err := a.prerequisite(in)
	if err != nil {
		return err
	}
	n := a.place(in.Key)
	if n < 0 {
		return fmt.Errorf("flag %s is no prerequisite", in.Key)
	}
	a.c.Prerequisites[n] = p
	return nil
}

func (a *applying) removePrerequisite(in fields) error {
	a.c.Prerequisites = slices.DeleteFunc(a.c.Prerequisites, func(p ldclient.Prerequisite) bool { return p.Key == in.Key })
	return nil
}

func (a *applying) replacePrerequisites(in fields) error {
	a.c.Prerequisites = []ldclient.Prerequisite{}
	for _, one := range in.Prerequisites {
		if err := a.addPrerequisite(one); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) place(key string) int {
	return slices.IndexFunc(a.c.Prerequisites, func(p ldclient.Prerequisite) bool { return p.Key == key })
}

func (a *applying) prerequisite(in fields) (ldclient.Prerequisite, error) {
	f := a.env.flags[in.Key]
	if f == nil {
		return ldclient.Prerequisite{}, fmt.Errorf("flag %s could not be read", in.Key)
	}
	n, err := variationOf(f, in.VariationID)
	return ldclient.Prerequisite{Key: in.Key, Variation: n}, err
}
