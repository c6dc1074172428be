package tools

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// entire is one part of a flag or segment, all of it, however long its words are.
type entire struct {
	digest string
	items  func() []string // what it is a list of, nil where it is none
	text   string          // what it says, where it is no list
}

func allOf(v any, items func() []string) entire { return entire{digest(v), items, ""} }

func these(list []string) func() []string { return func() []string { return list } }

func saying(text string) entire { return entire{digest(text), nil, text} }

// flagWhole gives the parts of flagInWords that are longer than their words.
func flagWhole(f *ldclient.Flag, environment string) map[string]entire {
	out := map[string]entire{"name": saying(f.Name), "description": saying(f.Description)}
	tags := slices.Sorted(slices.Values(f.Tags))
	out["tags"] = allOf(tags, these(tags))
	for key, p := range f.CustomProperties {
		out["customProperty "+word(key)] = allOf([]any{p.Name, p.Value}, these(p.Value))
	}
	for _, v := range f.Variations {
		out["variation "+v.ID] = entire{digest([]any{v.Name, decoded(v.Value), v.Description}), nil, fmt.Sprintf("%s %s %s", v.Name, valueText(v.Value), v.Description)}
	}
	c := f.Environments[environment]
	out["fallthrough"] = entire{digest: given(f, c.Fallthrough)}
	for _, r := range c.Rules {
		items := func() []string {
			return append(clauseItems(r.Clauses), "serve "+serves(f, r.RuleServe), "description "+r.Description)
		}
		out["rule "+r.ID] = allOf([]any{withoutIDs(r.Clauses), given(f, r.RuleServe), r.Description, r.TrackEvents, r.Disabled}, items)
	}
	if len(c.Rules) > 1 {
		out["ruleOrder"] = allOf(keysOf(c.Rules, func(r ldclient.Rule) string { return r.ID }), nil)
	}
	return out
}

// segmentWhole gives the parts of segmentInWords that are longer than their words.
func segmentWhole(s *ldclient.Segment) map[string]entire {
	out := map[string]entire{"name": saying(s.Name), "description": saying(s.Description)}
	tags := slices.Sorted(slices.Values(s.Tags))
	out["tags"] = allOf(tags, these(tags))
	for _, r := range s.Rules {
		items := func() []string { return append(clauseItems(r.Clauses), "description "+r.Description) }
		out["rule "+r.ID] = allOf([]any{withoutIDs(r.Clauses), r.Weight, r.RolloutContextKind, r.BucketBy, r.Description}, items)
	}
	if len(s.Rules) > 1 {
		out["ruleOrder"] = allOf(keysOf(s.Rules, func(r ldclient.SegmentRule) string { return r.ID }), nil)
	}
	return out
}

// clauseItems says each value of each clause.
func clauseItems(list []ldclient.Clause) []string {
	var out []string
	for _, c := range list {
		for _, v := range c.Values {
			one := c
			one.Values = []any{v}
			out = append(out, inWords([]ldclient.Clause{one}))
		}
	}
	return out
}

// apart says what tells two parts from each other whose words are the same.
func (e entire) apart(from entire) string {
	const beyond = "differs beyond what is shown"
	if e.items != nil && from.items != nil {
		mine, others := e.items(), from.items()
		switch only := beyondThose(mine, others); {
		case len(only) > 0:
			return "with " + keyList(only)
		case len(beyondThose(others, mine)) > 0:
			return "without that"
		}
		return beyond
	}
	mine, other := []rune(e.text), []rune(from.text)
	n := 0
	for n < min(len(mine), len(other)) && mine[n] == other[n] {
		n++
	}
	if n == len(mine) && n == len(other) {
		return beyond
	}
	return "…" + short(clean(string(mine[max(0, n-20):])), 100) + " (from character " + strconv.Itoa(n+1) + " on)"
}

// beyondThose are the items of a list that another one has not.
func beyondThose(list, other []string) []string {
	has := map[string]bool{}
	for _, item := range other {
		has[item] = true
	}
	var out []string
	for _, item := range list {
		if !has[item] {
			out = append(out, short(clean(item), 100))
		}
	}
	return out
}

// differ lists the parts that differ.
func (p *preview) differ(before, after *undoneView, was, is map[string]entire) {
	wholes := maps.Clone(was)
	maps.Copy(wholes, is)
	keys := append(keysOfBoth(before.State, after.State), slices.Collect(maps.Keys(wholes))...)
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		b, had := before.State[key]
		a, has := after.State[key]
		d := fieldDiff{Field: key}
		switch {
		case had != has || b != a:
			if had {
				d.Before = b
			}
			if has {
				d.After = a
			}
		case was[key].digest == is[key].digest:
			continue
		default:
			d.Before, d.After = was[key].apart(is[key]), is[key].apart(was[key])
		}
		p.Changes = append(p.Changes, d)
	}
	if p.More = max(0, len(p.Changes)-shownParts); p.More > 0 {
		p.Changes = p.Changes[:shownParts]
	}
}

// settle says what differs besides the parts that are shown: nothing at all, or what lies elsewhere.
func (p *preview) settle(same bool, elsewhere []string) {
	switch {
	case len(elsewhere) > 0:
		p.Notes = append(p.Notes, "it would change the flag in other environments too, which are not shown: "+keyList(elsewhere))
	case len(p.Changes) > 0:
	case same:
		p.Notes = append(p.Notes, "everything is so already; nothing would change")
	default:
		p.Notes = append(p.Notes, "what it would change is not among the parts that are shown here")
	}
}

// bareFlag is a flag without what changes with every edit, as JSON.
func bareFlag(f *ldclient.Flag) map[string]any {
	g := *f
	g.Version, g.Environments = 0, maps.Clone(f.Environments)
	for key, c := range g.Environments {
		c.Version, c.LastModified, c.Summary = 0, 0, ldclient.FlagSummary{}
		g.Environments[key] = c
	}
	m, _ := bare(decoded(mustJSON(g))).(map[string]any)
	return m
}

// bareSegment is a segment without what changes with every edit, as JSON.
func bareSegment(s *ldclient.Segment) any {
	t := *s
	t.Version, t.LastModifiedDate, t.Flags, t.UnboundedMetadata = 0, 0, nil, nil
	return bare(decoded(mustJSON(t)))
}

// bare leaves out of JSON the fields that are null or an empty list, which mean
// the same, but not of values that people gave.
func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, inner := range v {
			if key == "value" || key == "values" {
				out[key] = inner
				continue
			}
			inner = bare(inner)
			if list, ok := inner.([]any); inner == nil || ok && len(list) == 0 {
				continue
			}
			out[key] = inner
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n := range v {
			out[n] = bare(v[n])
		}
		return out
	}
	return v
}

// otherwise lists the other environments in which two versions of a flag differ, and tells whether nothing differs at all.
func otherwise(was, is *ldclient.Flag, environment string) (same bool, others []string) {
	before, after := bareFlag(was), bareFlag(is)
	same = digest(before) == digest(after)
	a, _ := before["environments"].(map[string]any)
	b, _ := after["environments"].(map[string]any)
	for _, key := range keysOfBoth(a, b) {
		if key != environment && digest(a[key]) != digest(b[key]) {
			others = append(others, word(key))
		}
	}
	return same, others
}

// sameEnvironments leaves in two versions of a flag the environments that both show.
func sameEnvironments(was, is *ldclient.Flag) (_, _ *ldclient.Flag) {
	only := func(f, other ldclient.Flag) *ldclient.Flag {
		f.Environments = maps.Clone(f.Environments)
		maps.DeleteFunc(f.Environments, func(key string, _ ldclient.FlagConfig) bool { _, both := other.Environments[key]; return !both })
		return &f
	}
	return only(*was, *is), only(*is, *was)
}
