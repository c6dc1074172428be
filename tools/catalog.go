package tools

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Toolset is a group of tools that an operator can switch on.
type Toolset struct {
	Name, Doc string
	Default   []string // names of the tools that are on by default
	Tools     []Tool
	// Alone marks what stands for tools that are not listed; no other choice brings it in.
	Alone bool
}

// Catalog lists every toolset in the order that the docs show them. It is the
// only list of tools: what is served, documented and tested is read from it.
func Catalog() []Toolset {
	return []Toolset{
		flags, lifecycle, codeReferences, targeting, safety, approvals, scheduledChanges, segments, contexts,
		auditLog, projects, memberTools, releases, triggers, metricTools,
		experimentTools, aiConfigTools, aiToolTools, agentGraphTools, viewTools, integrationTools, usageTools, account, apiTools,
		dynamic,
	}
}

// choice is what an operator wants served.
type choice struct {
	toolsets, tools, exclude []string
	hosted                   bool // there are tools whose names nobody knows yet
}

// wants returns the names that a choice picks from the catalogue, and of those
// the ones behind the dynamic toolset, which are not listed. --tools picks by
// name from all toolsets and stands in for --toolsets when it is given alone.
func (c choice) wants() (picked, behind map[string]bool, err error) {
	if len(c.toolsets) == 0 && len(c.tools) == 0 {
		c.toolsets = []string{"default"}
	}
	picked, behind = map[string]bool{}, map[string]bool{}
	excluded := map[string]bool{}
	var sets, names []string
	for _, set := range Catalog() {
		sets = append(sets, set.Name)
		for _, t := range set.Tools {
			names = append(names, t.Name)
			if slices.Contains(c.toolsets, "all") && !set.Alone || slices.Contains(c.toolsets, set.Name) ||
				slices.Contains(c.toolsets, "default") && (len(t.StandsFor) > 0 || slices.Contains(set.Default, t.Name)) {
				picked[t.Name] = true
			}
		}
	}
	for _, s := range c.toolsets {
		if s != "default" && s != "all" && !slices.Contains(sets, s) {
			return nil, nil, fmt.Errorf("there is no toolset %q; there are default, all, %s", s, strings.Join(sets, ", "))
		}
	}
	for _, list := range []struct {
		option string
		globs  []string
		on     bool
	}{{"--tools", c.tools, true}, {"--exclude-tools", c.exclude, false}} {
		for _, glob := range list.globs {
			hit := false
			for _, name := range names {
				ok, err := path.Match(glob, name)
				if err != nil {
					return nil, nil, fmt.Errorf("%s: %q is not a glob", list.option, glob)
				}
				if ok {
					hit, picked[name] = true, list.on
					excluded[name] = !list.on
				}
			}
			if !hit && (list.on || !c.hosted) {
				return nil, nil, fmt.Errorf("%s: no tool is called %q%s", list.option, glob, didYouMean(glob, names))
			}
		}
	}
	stands := slices.Contains(c.toolsets, dynamicName)
	for _, set := range Catalog() {
		for _, t := range set.Tools {
			if stands && !set.Alone && !picked[t.Name] && !excluded[t.Name] {
				picked[t.Name], behind[t.Name] = true, true
			}
		}
	}
	// What stands for tools that were left out must not bring them back.
	for _, set := range Catalog() {
		for _, t := range set.Tools {
			byName := !stands && !slices.ContainsFunc([]string{"default", "all", set.Name}, func(s string) bool { return slices.Contains(c.toolsets, s) })
			if slices.ContainsFunc(t.StandsFor, func(name string) bool { return excluded[name] || byName && !picked[name] }) {
				picked[t.Name] = false
			}
		}
	}
	return picked, behind, nil
}
