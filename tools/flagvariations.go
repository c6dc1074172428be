package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// variationInstruction is one instruction on a flag's variations.
type variationInstruction struct {
	Kind         string   `json:"kind" jsonschema:"enum=addVariation,enum=updateVariation,enum=removeVariation,enum=updateDefaultVariation"`
	Variation    string   `json:"variation,omitempty" alias:"variationId,variationKey,variationName,variationIndex"`
	Value        anyValue `json:"value,omitempty" doc:"Of the flag's type"`
	Name         *string  `json:"name,omitempty"`
	Description  *string  `json:"description,omitempty"`
	OnVariation  string   `json:"onVariation,omitempty" alias:"on,onVariationValue" doc:"updateDefaultVariation: what new environments serve"`
	OffVariation string   `json:"offVariation,omitempty" alias:"off,offVariationValue"`
}

// variationNeeds lists, by kind, the fields that must be there, then those that may.
var variationNeeds = map[string][2][]string{
	"addVariation":           {{"value"}, {"name", "description"}},
	"updateVariation":        {{"variation"}, {"value", "name", "description"}},
	"removeVariation":        {{"variation"}, nil},
	"updateDefaultVariation": {nil, {"onVariation", "offVariation"}},
}

// variationsState is what a flag can serve. Variations that stay the same are left out.
type variationsState struct {
	Version      int             `json:"version" doc:"of the flag"`
	Count        int             `json:"variationsCount"`
	Variations   []variationView `json:"variations" doc:"those that the change concerns"`
	OnVariation  string          `json:"onVariation,omitempty" doc:"default when targeting is on, for new environments"`
	OffVariation string          `json:"offVariation,omitempty"`
}

func variationsOf(f *ldclient.Flag) variationsState {
	s := variationsState{Version: f.Version, Count: len(f.Variations), Variations: variationViews(f)}
	if f.Defaults != nil {
		s.OnVariation, s.OffVariation = label(f, f.Defaults.OnVariation), label(f, f.Defaults.OffVariation)
	}
	return s
}

// variationsDiffer leaves in both states what differs between them.
func variationsDiffer(before, after *variationsState) {
	without := func(list, other []variationView) []variationView {
		return slices.DeleteFunc(slices.Clone(list), func(v variationView) bool {
			return slices.ContainsFunc(other, func(o variationView) bool { return reflect.DeepEqual(v, o) })
		})
	}
	before.Variations, after.Variations = without(before.Variations, after.Variations), without(after.Variations, before.Variations)
}

var updateFlagVariations = update(Spec{
	Name: "update-flag-variations", Title: "Change a flag's variations", Action: "updateFlagVariations, updateFlagDefaultVariations", Additive: true,
	Doc: "Add, change or remove a flag's variations in all environments, or set which ones new environments start with. " +
		`Example: [{"kind":"addVariation","value":"blue","name":"Blue"}].`,
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Instructions []variationInstruction `json:"instructions" jsonschema:"minItems=1" doc:"What to change, in order; indexes are those before the call"`
	because
}) (*plan[variationsState], error) {
	f, err := ld.Flags.Get(ctx, in.Project, "", in.Flag)
	if err != nil {
		return nil, err
	}
	b := variationBuilder{ld: ld, at: in.target(), flag: f, removed: map[int]bool{}, now: *f}
	b.now.Variations = slices.Clone(f.Variations)
	if f.Defaults != nil {
		b.on, b.off = f.Defaults.OnVariation, f.Defaults.OffVariation
	} else {
		b.on, b.off = -1, -1
	}
	for n, i := range in.Instructions {
		if err := b.add(ctx, i); err != nil {
			return nil, atInstruction(n, i.Kind, err)
		}
	}
	if err := b.sound(); err != nil {
		return nil, badf("instructions: %v", err)
	}
	says := fmt.Sprintf("change the variations of flag %s of project %s: %s", in.Flag, in.Project, strings.Join(b.says, "; "))
	p := flagPlan(ld, in.target(), f, variationsOf, says, b.do...)
	p.Differ, p.Notes = variationsDiffer, b.notes
	if len(b.do) == 0 {
		p.Nothing = "the variations of " + in.Flag + " are like this already"
	}
	return p, nil
})

// atInstruction says which instruction an error is about, unless it is not about the arguments.
func atInstruction(n int, kind string, err error) error {
	var api *ldclient.Error
	var transport *ldclient.TransportError
	if errors.As(err, &api) || errors.As(err, &transport) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return badf("instructions[%d] (%s): %v", n, kind, err)
}

// variationBuilder turns instructions as callers write them into LaunchDarkly's, and words for the person who confirms.
type variationBuilder struct {
	ld      *ldclient.Client
	at      ldclient.Target
	flag    *ldclient.Flag // as it was read
	now     ldclient.Flag  // as the instructions so far leave it: what is removed stays in its place
	removed map[int]bool   // places in now
	on, off int            // places in now, -1 where not known
	do      []ldclient.Instruction
	says    []string
	notes   []string
}

func (b *variationBuilder) step(do ldclient.Instruction, format string, args ...any) {
	b.do, b.says = append(b.do, do), append(b.says, fmt.Sprintf(format, args...))
}

func (b *variationBuilder) add(ctx context.Context, i variationInstruction) error {
	if err := fit(i.Kind, i, variationNeeds); err != nil {
		return err
	}
	switch i.Kind {
	case "addVariation":
		v := ldclient.Variation{Value: b.value(i.Value)}
		added := ldclient.NewVariation{Value: v.Value}
		if i.Name != nil {
			v.Name, added.Name = *i.Name, *i.Name
		}
		if i.Description != nil {
			v.Description, added.Description = *i.Description, *i.Description
		}
		b.now.Variations = append(b.now.Variations, v)
		b.step(ldclient.AddVariation(added), "add variation %s", told(v))
		return nil
	case "updateDefaultVariation":
		return b.defaults(i)
	}
	n, err := variation(b.flag, i.Variation)
	if err != nil {
		return err
	}
	if b.removed[n] {
		return fmt.Errorf("an earlier instruction removes variation %s", label(b.flag, n))
	}
	if i.Kind == "removeVariation" {
		return b.remove(ctx, n)
	}
	return b.update(n, i)
}

// told is a variation's value and name for people.
func told(v ldclient.Variation) string {
	value := short(clean(valueText(v.Value)), 100)
	if v.Name == "" {
		return value
	}
	return fmt.Sprintf("%s (%s)", short(clean(v.Name), 60), value)
}

// value reads a value that a caller may have had to quote as one of the flag's type.
func (b *variationBuilder) value(raw anyValue) json.RawMessage {
	s := ""
	if len(b.flag.Variations) > 0 && json.Unmarshal(raw, &s) == nil && jsonType(json.RawMessage(s)) == jsonType(b.flag.Variations[0].Value) && jsonType(b.flag.Variations[0].Value) != "string" {
		return json.RawMessage(s)
	}
	return json.RawMessage(raw)
}

func (b *variationBuilder) update(n int, i variationInstruction) error {
	if i.Value == nil && i.Name == nil && i.Description == nil {
		return fmt.Errorf("missing value, name or description: what to change")
	}
	was := b.now.Variations[n]
	v := was
	var value json.RawMessage
	var words []string
	if i.Value != nil && !sameJSON(b.value(i.Value), was.Value) {
		value = b.value(i.Value)
		v.Value = value
		words = append(words, fmt.Sprintf("its value to %s instead of %s", short(clean(valueText(value)), 100), short(clean(valueText(was.Value)), 100)))
		if uses := usesOf(b.flag, n); len(uses) > 0 {
			b.notes = append(b.notes, fmt.Sprintf("the new value of %s reaches contexts at once: %s", label(b.flag, n), keyList(uses)))
		}
	}
	if i.Name != nil && *i.Name != was.Name {
		v.Name = *i.Name
		words = append(words, "its name to "+quoted(v.Name))
	} else {
		i.Name = nil
	}
	if i.Description != nil && *i.Description != was.Description {
		v.Description = *i.Description
		words = append(words, "its description to "+quoted(v.Description))
	} else {
		i.Description = nil
	}
	if len(words) == 0 {
		return nil
	}
	b.now.Variations[n] = v
	b.step(ldclient.UpdateVariation(was.ID, value, i.Name, i.Description), "of variation %s set %s", label(b.flag, n), strings.Join(words, " and "))
	return nil
}

func (b *variationBuilder) remove(ctx context.Context, n int) error {
	uses := usesOf(b.flag, n)
	if n == b.on {
		uses = append(uses, "default when targeting is on (updateDefaultVariation changes it)")
	}
	if n == b.off {
		uses = append(uses, "default when targeting is off (updateDefaultVariation changes it)")
	}
	needs, err := b.neededBy(ctx, n)
	if err != nil {
		return err
	}
	if uses = append(uses, needs...); len(uses) > 0 {
		return fmt.Errorf("variation %s is in use: %s; serve another one there first", label(b.flag, n), keyList(uses))
	}
	b.removed[n] = true
	b.step(ldclient.RemoveVariation(b.flag.Variations[n].ID), "remove variation %s", told(b.flag.Variations[n]))
	return nil
}

// neededBy names flags that have a variation as a prerequisite, of the first ten that depend on the flag.
func (b *variationBuilder) neededBy(ctx context.Context, n int) ([]string, error) {
	dependents, err := b.ld.Flags.Dependents(ctx, b.at.Project, b.at.Key)
	if err != nil && ldclient.Status(err) == 0 {
		return nil, err
	}
	if err != nil { // a beta that not every account has; LaunchDarkly refuses by itself
		b.notes = append(b.notes, fmt.Sprintf("flags that depend on it could not be read (%s)", short(clean(err.Error()), 200)))
		return nil, nil
	}
	var out []string
	for _, d := range dependents[:min(firstOf, len(dependents))] {
		f, err := b.ld.Flags.Get(ctx, b.at.Project, "", d.Key)
		if err != nil {
			return nil, err
		}
		for _, env := range slices.Sorted(maps.Keys(f.Environments)) {
			if slices.Contains(f.Environments[env].Prerequisites, ldclient.Prerequisite{Key: b.at.Key, Variation: n}) {
				out = append(out, fmt.Sprintf("prerequisite of %s in %s", d.Key, env))
			}
		}
	}
	return out, nil
}

// usesOf says where a variation is served or targeted, by environment.
func usesOf(f *ldclient.Flag, n int) []string {
	gives := func(s ldclient.RuleServe) bool {
		return s.Variation != nil && *s.Variation == n ||
			s.Rollout != nil && slices.ContainsFunc(s.Rollout.Variations, func(w ldclient.WeightedVariation) bool { return w.Variation == n && w.Weight > 0 })
	}
	var out []string
	for _, env := range slices.Sorted(maps.Keys(f.Environments)) {
		c := f.Environments[env]
		var uses []string
		if gives(c.Fallthrough) {
			uses = append(uses, "default rule")
		}
		if c.OffVariation != nil && *c.OffVariation == n {
			uses = append(uses, "off variation")
		}
		for i, r := range c.Rules {
			if gives(r.RuleServe) {
				uses = append(uses, fmt.Sprintf("rule %d", i+1))
			}
		}
		if slices.ContainsFunc(slices.Concat(c.Targets, c.ContextTargets), func(t ldclient.FlagTarget) bool { return t.Variation == n && len(t.Values) > 0 }) {
			uses = append(uses, "individual targets")
		}
		if len(uses) > 0 {
			out = append(out, fmt.Sprintf("%s: %s", env, strings.Join(uses, ", ")))
		}
	}
	return out
}

func (b *variationBuilder) defaults(i variationInstruction) error {
	if i.OnVariation+i.OffVariation == "" {
		return fmt.Errorf("missing onVariation or offVariation: what new environments start with")
	}
	var values [2]json.RawMessage
	for side, d := range []struct {
		name, said string
		index      *int
	}{{"on", i.OnVariation, &b.on}, {"off", i.OffVariation, &b.off}} {
		if d.said == "" {
			continue
		}
		n, err := variation(&b.now, d.said) // those that were added just now, too
		if err != nil {
			return err
		}
		if b.removed[n] {
			return fmt.Errorf("an earlier instruction removes variation %s", label(&b.now, n))
		}
		if n == *d.index {
			continue
		}
		values[side] = b.now.Variations[n].Value
		b.says = append(b.says, fmt.Sprintf("let new environments serve %s when targeting is %s", label(&b.now, n), d.name))
		*d.index = n
	}
	if values[0] != nil || values[1] != nil {
		b.do = append(b.do, ldclient.UpdateDefaultVariation(values[0], values[1]))
	}
	return nil
}

// sound checks what the variations must fulfil together.
func (b *variationBuilder) sound() error {
	var left []ldclient.Variation
	for n, v := range b.now.Variations {
		if !b.removed[n] {
			left = append(left, v)
		}
	}
	if len(left) < 2 {
		return fmt.Errorf("this would leave %d variations, and a flag needs at least two; archive-flag retires one", len(left))
	}
	if b.flag.Kind == "boolean" && (len(left) != 2 || jsonType(left[0].Value) != "boolean" || jsonType(left[1].Value) != "boolean") {
		return fmt.Errorf("a boolean flag has exactly the variations true and false; create a multivariate flag for other values")
	}
	want := jsonType(b.flag.Variations[0].Value)
	for n, v := range left {
		if is := jsonType(v.Value); is != want && !slices.ContainsFunc(b.flag.Variations, func(o ldclient.Variation) bool { return jsonType(o.Value) == is }) {
			return fmt.Errorf("the flag's values are of type %s, and %s is of type %s, which code that reads the flag cannot take", want, short(valueText(v.Value), 60), is)
		}
		for _, other := range left[:n] {
			if sameJSON(other.Value, v.Value) {
				return fmt.Errorf("two variations would have the value %s; give each its own", short(valueText(v.Value), 60))
			}
		}
	}
	return nil
}
