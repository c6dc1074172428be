package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// targetInstruction is one instruction on individual targets, with LaunchDarkly's names.
type targetInstruction struct {
	Kind        string         `json:"kind" jsonschema:"enum=addTargets,enum=removeTargets,enum=addContextTargets,enum=removeContextTargets,enum=addUserTargets,enum=removeUserTargets,enum=replaceTargets,enum=replaceUserTargets,enum=clearTargets,enum=clearUserTargets" brief:"true"`
	Variation   string         `json:"variation,omitempty" alias:"variationId,variationKey,variationName,variationIndex"`
	ContextKind string         `json:"contextKind,omitempty" told:"true" doc:"user if not given"`
	Values      []string       `json:"values,omitempty" alias:"keys,contextKeys,userKeys"`
	Targets     *[]targetInput `json:"targets,omitempty" brief:"true"`
}

type targetInput struct {
	Variation   string   `json:"variation" alias:"variationId,variationKey,variationName,variationIndex"`
	ContextKind string   `json:"contextKind,omitempty"`
	Values      []string `json:"values" alias:"keys,contextKeys,userKeys"`
}

var targetNeeds = map[string][2][]string{
	"addTargets":           {{"variation", "values"}, {"contextKind"}},
	"addContextTargets":    {{"variation", "values", "contextKind"}, nil},
	"addUserTargets":       {{"variation", "values"}, nil},
	"removeTargets":        {{"values"}, {"variation", "contextKind"}},
	"removeContextTargets": {{"values", "contextKind"}, {"variation"}},
	"removeUserTargets":    {{"values"}, {"variation"}},
	"replaceTargets":       {{"targets"}, nil},
	"replaceUserTargets":   {{"targets"}, nil},
	"clearTargets":         {{"variation"}, nil},
	"clearUserTargets":     {{"variation"}, nil},
}

// targetList is the individual targets of one variation and context kind.
type targetList struct {
	Variation   string   `json:"variation"`
	ContextKind string   `json:"contextKind,omitempty" told:"true" doc:"user if not given"`
	Count       int      `json:"count"`
	Keys        []string `json:"keys" doc:"ten of them; where a change was made, of those that the other side does not have"`
	all         []string
}

// targetsState is what changing individual targets changes.
type targetsState struct {
	Version int          `json:"version" doc:"of the flag in this environment"`
	Targets []targetList `json:"targets" doc:"where a change was made, the lists that it concerns"`
}

func targetsStateIn(environment string) func(*ldclient.Flag) targetsState {
	return func(f *ldclient.Flag) targetsState {
		c := f.Environments[environment]
		out := targetsState{Version: c.Version, Targets: []targetList{}}
		for _, t := range append(slices.Clone(c.Targets), c.ContextTargets...) {
			if len(t.Values) == 0 {
				continue
			}
			kind := t.ContextKind
			if kind == "user" {
				kind = ""
			}
			out.Targets = append(out.Targets, targetList{label(f, t.Variation), kind, len(t.Values), ten(t.Values, 0), t.Values})
		}
		return out
	}
}

// targetsDiffer leaves in both states the lists and keys that differ.
func targetsDiffer(before, after *targetsState) {
	was, is := slices.Clone(before.Targets), slices.Clone(after.Targets)
	for _, side := range []struct {
		*targetsState
		own, other []targetList
	}{{before, was, is}, {after, is, was}} {
		side.Targets = []targetList{}
		for _, t := range side.own {
			n := slices.IndexFunc(side.other, func(o targetList) bool { return o.Variation == t.Variation && o.ContextKind == t.ContextKind })
			var there []string
			if n >= 0 {
				there = side.other[n].all
			}
			t.Keys = ten(without(t.all, there), 0)
			if len(t.Keys) > 0 || len(t.all) != len(there) {
				t.all = nil
				side.Targets = append(side.Targets, t)
			}
		}
	}
}

// without returns what of list is not in others.
func without(list, others []string) []string {
	in := map[string]bool{}
	for _, s := range others {
		in[s] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return in[s] })
}

var updateIndividualTargets = update(Spec{
	Name: "update-individual-targets", Title: "Change individual targets", Action: "updateTargets",
	Doc: "Add, remove or replace the contexts that a flag targets one by one. A key that another variation targets moves.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagEnvironment
	Instructions []targetInstruction `json:"instructions" jsonschema:"minItems=1" doc:"In order. addTargets {variation, values}, removeTargets {values}, clearTargets {variation}, replaceTargets {targets}: all, each {variation, values, contextKind}"`
	because
}) (*plan[targetsState], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	b := newTargetBuilder(f, c)
	for n, i := range in.Instructions {
		if err := b.build(i); err != nil {
			return nil, badf("instructions[%d] (%s): %v", n, i.Kind, err)
		}
	}
	words := fmt.Sprintf("change the individual targets of flag %s in %s of project %s: %s", in.Flag, in.Environment, in.Project, strings.Join(b.says, "; "))
	p := flagPlan(ld, in.target(), f, targetsStateIn(in.Environment), words, b.do...)
	p.Differ, p.Notes = targetsDiffer, b.notes
	if len(b.do) == 0 {
		p.Nothing = "the individual targets are so already"
	}
	if !c.On {
		p.Notes = append(p.Notes, fmt.Sprintf("targeting of %s is off in %s, so individual targets have no effect until it is turned on", in.Flag, in.Environment))
	}
	return p, nil
})

// contextID is one context.
type contextID struct{ kind, key string }

// targetBuilder turns instructions as callers write them into LaunchDarkly's,
// following what each context is targeted with on the way.
type targetBuilder struct {
	flag  *ldclient.Flag
	has   map[contextID]int // index of the variation
	do    []ldclient.Instruction
	says  []string
	notes []string
}

func newTargetBuilder(f *ldclient.Flag, c ldclient.FlagConfig) *targetBuilder {
	b := &targetBuilder{flag: f, has: map[contextID]int{}}
	for _, t := range append(slices.Clone(c.Targets), c.ContextTargets...) {
		for _, key := range t.Values {
			b.has[contextID{kindOr(t.ContextKind), key}] = t.Variation
		}
	}
	return b
}

// kindOr is a context kind, user where none is given.
func kindOr(kind string) string {
	if kind == "" {
		return "user"
	}
	return kind
}

func (b *targetBuilder) build(i targetInstruction) error {
	if err := fit(i.Kind, i, targetNeeds); err != nil {
		return err
	}
	v := -1
	if i.Variation != "" {
		var err error
		if v, err = variation(b.flag, i.Variation); err != nil {
			return err
		}
	}
	values, err := keysGiven(i.Values)
	if err != nil {
		return err
	}
	switch i.Kind {
	case "addTargets", "addContextTargets", "addUserTargets":
		b.add(i.Kind, v, kindOr(i.ContextKind), values)
	case "removeTargets", "removeContextTargets", "removeUserTargets":
		b.remove(i.Kind, v, kindOr(i.ContextKind), values)
	case "replaceTargets", "replaceUserTargets":
		return b.replace(i.Kind, *i.Targets)
	case "clearTargets", "clearUserTargets":
		b.clear(i.Kind, v)
	}
	return nil
}

// keysGiven refuses keys that no context has.
func keysGiven(values []string) ([]string, error) {
	var out []string
	for n, key := range values {
		if strings.TrimSpace(key) == "" {
			return nil, fmt.Errorf("values[%d] is empty; give context keys", n)
		}
		if !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out, nil
}

// whichContexts names some contexts of one kind for people.
func whichContexts(kind string, keys []string) string {
	values := make([]any, len(keys))
	for i, key := range keys {
		values[i] = key
	}
	return kind + " " + strings.ReplaceAll(anyOf(values), " or ", ", ")
}

func (b *targetBuilder) name(v int) string { return label(b.flag, v) }

func (b *targetBuilder) add(kind string, v int, contextKind string, keys []string) {
	moved := map[int][]string{}
	var fresh []string
	for _, key := range keys {
		id := contextID{contextKind, key}
		had, ok := b.has[id]
		if ok && had == v {
			continue
		}
		if ok {
			moved[had] = append(moved[had], key)
		}
		fresh = append(fresh, key)
		b.has[id] = v
	}
	if len(fresh) == 0 {
		return
	}
	words := fmt.Sprintf("target %s with %s", whichContexts(contextKind, fresh), b.name(v))
	for other := range b.flag.Variations { // LaunchDarkly refuses a key that another variation has
		if len(moved[other]) == 0 {
			continue
		}
		b.do = append(b.do, b.instruction(kind, false, other, contextKind, moved[other]))
		was := whichContexts(contextKind, moved[other])
		words += fmt.Sprintf(" (%s instead of with %s)", was, b.name(other))
		b.notes = append(b.notes, fmt.Sprintf("%s moves from %s to %s, because a context has one individual target", was, b.name(other), b.name(v)))
	}
	b.do, b.says = append(b.do, b.instruction(kind, true, v, contextKind, fresh)), append(b.says, words)
}

func (b *targetBuilder) remove(kind string, v int, contextKind string, keys []string) {
	gone := map[int][]string{}
	var absent, elsewhere []string
	for _, key := range keys {
		id := contextID{contextKind, key}
		had, ok := b.has[id]
		switch {
		case !ok:
			absent = append(absent, key)
		case v >= 0 && had != v:
			elsewhere = append(elsewhere, fmt.Sprintf("%s (with %s)", word(key), b.name(had)))
		default:
			gone[had] = append(gone[had], key)
			delete(b.has, id)
		}
	}
	for i := range b.flag.Variations {
		if len(gone[i]) > 0 {
			b.do = append(b.do, b.instruction(kind, false, i, contextKind, gone[i]))
			b.says = append(b.says, fmt.Sprintf("no longer target %s with %s", whichContexts(contextKind, gone[i]), b.name(i)))
		}
	}
	if len(absent) > 0 {
		b.notes = append(b.notes, whichContexts(contextKind, absent)+" was not targeted")
	}
	if len(elsewhere) > 0 {
		b.notes = append(b.notes, fmt.Sprintf("targeted with another variation than %s, so left as it is: %s", b.name(v), strings.Join(elsewhere[:min(5, len(elsewhere))], ", ")))
	}
}

// instruction makes the one of LaunchDarkly's kinds that fits; its own hosted tools call targets of other kinds than user context targets.
func (b *targetBuilder) instruction(kind string, adds bool, v int, contextKind string, keys []string) ldclient.Instruction {
	id := b.flag.Variations[v].ID
	t := ldclient.NewTarget{ContextKind: contextKind, VariationID: id, Values: keys}
	users := strings.HasSuffix(kind, "UserTargets")
	switch {
	case users && adds:
		return ldclient.AddUserTargets(id, keys)
	case users:
		return ldclient.RemoveUserTargets(id, keys)
	case adds:
		return ldclient.AddTargets(t)
	}
	return ldclient.RemoveTargets(t)
}

func (b *targetBuilder) replace(kind string, targets []targetInput) error {
	users := kind == "replaceUserTargets"
	next := map[contextID]int{}
	type list struct {
		variation int
		kind      string
	}
	lists := map[list][]string{}
	var order []list
	for n, t := range targets {
		v, err := variation(b.flag, t.Variation)
		if err != nil {
			return fmt.Errorf("targets[%d]: %w", n, err)
		}
		if users && t.ContextKind != "" && t.ContextKind != "user" {
			return fmt.Errorf("targets[%d]: takes no contextKind %s; use replaceTargets", n, t.ContextKind)
		}
		keys, err := keysGiven(t.Values)
		if err != nil {
			return fmt.Errorf("targets[%d]: %w", n, err)
		}
		l := list{v, kindOr(t.ContextKind)}
		if _, known := lists[l]; !known {
			order = append(order, l)
		}
		for _, key := range keys {
			id := contextID{l.kind, key}
			had, twice := next[id]
			if twice && had != v {
				return fmt.Errorf("targets[%d]: %s is given to %s and to %s; a context has one variation", n, whichContexts(l.kind, []string{key}), b.name(had), b.name(v))
			}
			if !twice {
				next[id] = v
				lists[l] = append(lists[l], key)
			}
		}
	}
	if users { // every variation must be named
		for v := range b.flag.Variations {
			if l := (list{v, "user"}); !slices.Contains(order, l) {
				order = append(order, l)
			}
		}
	}
	var out []ldclient.NewTarget
	var words []string
	for _, l := range order {
		t := ldclient.NewTarget{ContextKind: l.kind, VariationID: b.flag.Variations[l.variation].ID, Values: lists[l]}
		if users {
			t.ContextKind = ""
		}
		if t.Values == nil {
			t.Values = []string{}
		} else {
			words = append(words, fmt.Sprintf("%s with %s", whichContexts(l.kind, t.Values), b.name(l.variation)))
		}
		out = append(out, t)
	}
	if len(words) == 0 {
		words = []string{"none"}
	}
	was, lost, same := 0, 0, true
	for id, v := range b.has {
		if users && id.kind != "user" {
			next[id] = v
			continue
		}
		was++
		if is, ok := next[id]; !ok {
			lost++
		} else if is != v {
			same = false
		}
	}
	if same && lost == 0 && len(next) == len(b.has) {
		return nil
	}
	b.has = next
	do, what := ldclient.ReplaceTargets(out), "individual targets"
	if users {
		do, what = ldclient.ReplaceUserTargets(out), "targeted users"
	}
	if out == nil {
		do = ldclient.ReplaceTargets([]ldclient.NewTarget{})
	}
	b.do = append(b.do, do)
	b.says = append(b.says, fmt.Sprintf("replace all %d %s, %d of which would be targeted no longer, by %s", was, what, lost, strings.Join(words, "; ")))
	return nil
}

func (b *targetBuilder) clear(kind string, v int) {
	n := 0
	for id, had := range b.has {
		if had == v && (kind == "clearTargets" || id.kind == "user") {
			delete(b.has, id)
			n++
		}
	}
	if n == 0 {
		return
	}
	do, what := ldclient.ClearTargets, "contexts"
	if kind == "clearUserTargets" {
		do, what = ldclient.ClearUserTargets, "users"
	}
	b.do = append(b.do, do(b.flag.Variations[v].ID))
	b.says = append(b.says, fmt.Sprintf("no longer target any of the %d %s that get %s one by one", n, what, b.name(v)))
}
