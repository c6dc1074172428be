package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

func (a *applying) keys(in fields) ([]string, error) {
	var out []string
	for _, v := range in.Values {
		key, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("a targeted key is no text")
		}
		out = append(out, key)
	}
	return out, nil
}

// lists are the targets of contexts of kind user, and those of the other kinds
// without the empty ones that stand for users.
func (a *applying) lists() (users, others []ldclient.FlagTarget) {
	copied := func(t ldclient.FlagTarget) ldclient.FlagTarget {
		t.Values = slices.Clone(t.Values)
		t.ContextKind = cmp.Or(t.ContextKind, "user")
		return t
	}
	for _, t := range a.c.Targets {
		users = append(users, copied(t))
	}
	for _, t := range a.c.ContextTargets {
		if t.ContextKind != "user" && t.ContextKind != "" {
			others = append(others, copied(t))
		}
	}
	return users, others
}

// target sets both lists of targets, with what stands for users among the others.
func (a *applying) target(users, others []ldclient.FlagTarget) {
	empty := func(t ldclient.FlagTarget) bool { return len(t.Values) == 0 }
	a.c.Targets = slices.DeleteFunc(append([]ldclient.FlagTarget{}, users...), empty)
	a.c.ContextTargets = slices.DeleteFunc(append([]ldclient.FlagTarget{}, others...), empty)
	for _, t := range a.c.Targets {
		a.c.ContextTargets = append(a.c.ContextTargets, ldclient.FlagTarget{ContextKind: "user", Variation: t.Variation, Values: []string{}})
	}
}

// targeted is the target of a kind and variation in a list, made where there is none.
func targeted(list *[]ldclient.FlagTarget, kind string, variation int) *ldclient.FlagTarget {
	n := slices.IndexFunc(*list, func(t ldclient.FlagTarget) bool { return t.ContextKind == kind && t.Variation == variation })
	if n < 0 {
		n = len(*list)
		*list = append(*list, ldclient.FlagTarget{ContextKind: kind, Variation: variation})
	}
	return &(*list)[n]
}

func (in fields) kind() string {
	if strings.Contains(in.Kind, "User") {
		return "user"
	}
	return cmp.Or(in.ContextKind, "user")
}

func listFor(kind string, users, others *[]ldclient.FlagTarget) *[]ldclient.FlagTarget {
	if kind == "user" {
		return users
	}
	return others
}

func (a *applying) addTargets(in fields) error {
	users, others := a.lists()
	if err := a.addTo(in, &users, &others); err != nil {
		return err
	}
	a.target(users, others)
	return nil
}

func (a *applying) addTo(in fields, users, others *[]ldclient.FlagTarget) error {
	keys, err := a.keys(in)
	if err != nil {
		return err
	}
	n, err := a.variation(in.VariationID)
	if err != nil {
		return err
	}
	list := listFor(in.kind(), users, others)
	for _, t := range *list {
		for _, key := range keys {
			if t.ContextKind == in.kind() && t.Variation != n && slices.Contains(t.Values, key) {
				return fmt.Errorf("%s %q is targeted with another variation", in.kind(), key)
			}
		}
	}
	t := targeted(list, in.kind(), n)
	for _, key := range keys {
		if !slices.Contains(t.Values, key) {
			t.Values = append(t.Values, key)
		}
	}
	return nil
}

func (a *applying) removeTargets(in fields) error {
	keys, err := a.keys(in)
	if err != nil {
		return err
	}
	n, err := a.variation(in.VariationID)
	if err != nil {
		return err
	}
	users, others := a.lists()
	t := targeted(listFor(in.kind(), &users, &others), in.kind(), n)
	t.Values = slices.DeleteFunc(t.Values, func(key string) bool { return slices.Contains(keys, key) })
	a.target(users, others)
	return nil
}

func (a *applying) replaceTargets(in fields) error {
	_, others := a.lists()
	if in.Kind == "replaceTargets" {
		others = nil
	}
	var users []ldclient.FlagTarget
	for _, one := range in.Targets {
		if in.Kind == "replaceUserTargets" {
			one.ContextKind = "user"
		}
		if err := a.addTo(one, &users, &others); err != nil {
			return err
		}
	}
	a.target(users, others)
	return nil
}

func (a *applying) clearTargets(in fields) error {
	n, err := a.variation(in.VariationID)
	if err != nil {
		return err
	}
	of := func(t ldclient.FlagTarget) bool { return t.Variation == n }
	users, others := a.lists()
	users = slices.DeleteFunc(users, of)
	if in.Kind == "clearTargets" {
		others = slices.DeleteFunc(others, of)
	}
	a.target(users, others)
	return nil
}
