package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// flagDifference is one flag that is not the same in two environments.
type flagDifference struct {
	Key     string   `json:"key"`
	Name    string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Differs []string `json:"differs" doc:"of targeting, default rule, off variation, rules, targets and prerequisites"`
	From    string   `json:"from" doc:"in short"`
	To      string   `json:"to"`
	Details []detail `json:"details,omitempty" doc:"only where one flag is compared"`
}

// detail is one aspect in which a flag differs.
type detail struct {
	What     string   `json:"what"`
	From     string   `json:"from,omitempty"`
	To       string   `json:"to,omitempty"`
	OnlyFrom []string `json:"onlyFrom,omitempty" doc:"the first ten"`
	OnlyTo   []string `json:"onlyTo,omitempty" doc:"the first ten"`
}

type comparison struct {
	From     string `json:"fromEnv"`
	To       string `json:"toEnv"`
	Compared int    `json:"flagsCompared"`
	page[flagDifference]
}

func (c comparison) shorten(items int) (any, int) {
	cut, had := c.page.shorten(items)
	c.page = cut.(page[flagDifference])
	return c, had
}

var compareFlagEnvironments = read(Spec{
	Name: "compare-flag-environments", Title: "Compare flags between environments",
	Doc: "Show how one flag, or every flag of a project, differs between two environments.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	oneOrAllFlags
	From string `json:"fromEnv" alias:"source,from,fromEnvironmentKey,sourceEnvironmentKey"`
	To   string `json:"toEnv" alias:"target,to,toEnvironmentKey,targetEnvironmentKey"`
	paged
}) (comparison, error) {
	out := comparison{From: in.From, To: in.To, page: page[flagDifference]{Items: []flagDifference{}}}
	if in.From == in.To {
		return out, badf("fromEnv and toEnv are both %q; name two environments", in.From)
	}
	d := differ{in.From, in.To}
	if in.Flag == "" {
		err := d.project(ctx, ld, in.Project, in.paged, &out)
		return out, d.explain(ctx, ld, in.Project, err)
	}
	f, err := ld.Flags.GetIn(ctx, in.Project, in.Flag, in.From, in.To)
	if err != nil {
		return out, d.explain(ctx, ld, in.Project, err)
	}
	out.Compared = 1
	if row := d.compare(f, true); row != nil {
		out.add(*row, 0)
	} else {
		out.Note = fmt.Sprintf("%s is the same in %s and %s.", f.Key, in.From, in.To)
	}
	out.TotalCount = len(out.Items)
	return out, nil
})

// differ compares flags between two environments.
type differ struct{ from, to string }

// explain names the environment that is not there, since the call's target has two.
func (d differ) explain(ctx context.Context, ld *ldclient.Client, project string, err error) error {
	if status := ldclient.Status(err); status != 400 && status != 404 {
		return err
	}
	envs, failed := ld.Environments.All(ctx, project)
	if failed != nil {
		return err
	}
	keys := keysOf(envs, func(e ldclient.Environment) string { return e.Key })
	keys = slices.DeleteFunc(keys, func(key string) bool { return !ld.Scope().AllowsEnvironment(key) })
	for _, env := range []string{d.from, d.to} {
		if !slices.Contains(keys, env) {
			return absent("environment", env, keys)
		}
	}
	return err
}

const (
	comparePages = 20 // of upstreamPage flags that one call reads at most
	compareAhead = 5  // of them side by side
)

// project compares every flag from an offset on, until the reply is full.
func (d differ) project(ctx context.Context, ld *ldclient.Client, project string, p paged, out *comparison) error {
	fetch := func(ctx context.Context, offset int) (*ldclient.Page[ldclient.Flag], error) {
		o := ldclient.ListFlags{Sort: "key", Paging: ldclient.Paging{Limit: upstreamPage, Offset: offset}}
		return ld.Flags.ListIn(ctx, project, o, true, d.from, d.to)
	}
	total := p.Offset + 1 // until the first page tells
	for offset, pages := p.Offset, 0; offset < total; {
		if pages == comparePages {
			out.NextOffset = offset
			out.Note = "There are more flags than one call compares."
			return nil
		}
		wave := 1 // the first page tells how many there are
		if pages > 0 {
			wave = min(compareAhead, comparePages-pages, (total-offset+upstreamPage-1)/upstreamPage)
		}
		got := make([]*ldclient.Page[ldclient.Flag], wave)
		g := gather(ctx)
		for i := range got {
			g.need(func(ctx context.Context) (err error) {
				got[i], err = fetch(ctx, offset+i*upstreamPage)
				return err
			})
		}
		if _, err := g.wait(); err != nil {
			return err
		}
		for i, page := range got {
			for n := range page.Items {
				at := offset + i*upstreamPage + n
				row := d.compare(&page.Items[n], false)
				if row != nil && len(out.Items) == p.Limit {
					out.NextOffset = at
					return nil
				}
				out.Compared++
				if row != nil {
					out.add(*row, at)
				}
			}
			total = page.Total
		}
		offset, pages = offset+wave*upstreamPage, pages+wave
	}
	if p.Offset == 0 {
		out.TotalCount = len(out.Items)
	}
	return nil
}

// compare returns how a flag differs, nil where it does not.
func (d differ) compare(f *ldclient.Flag, detailed bool) *flagDifference {
	from, to := f.Environments[d.from], f.Environments[d.to]
	var details []detail
	add := func(what, a, b string) {
		if a != b {
			details = append(details, detail{What: what, From: a, To: b})
		}
	}
	lists := func(what string, a, b []aspect) {
		onlyFrom, onlyTo := onlyIn(a, b), onlyIn(b, a)
		x := detail{What: what, OnlyFrom: ten(onlyFrom, 0), OnlyTo: ten(onlyTo, 0)}
		switch {
		case len(onlyFrom)+len(onlyTo) > 0:
			x.From, x.To = counted(a, onlyFrom), counted(b, onlyTo)
		case !slices.EqualFunc(a, b, func(a, b aspect) bool { return a.exact == b.exact }):
			x.From, x.To = "in another order", "in another order"
		default:
			return
		}
		details = append(details, x)
	}
	add("targeting", onOff(from), onOff(to))
	if exactServe(from.Fallthrough) != exactServe(to.Fallthrough) {
		details = append(details, detail{What: "default rule", From: serves(f, from.Fallthrough), To: serves(f, to.Fallthrough)})
	}
	add("off variation", offResult(f, from), offResult(f, to))
	lists("rules", ruleAspects(f, from), ruleAspects(f, to))
	lists("targets", targetAspects(f, from), targetAspects(f, to))
	lists("prerequisites", prerequisiteAspects(from), prerequisiteAspects(to))
	if len(details) == 0 {
		return nil
	}
	out := &flagDifference{Key: f.Key, Name: nameBeside(f.Key, f.Name), From: inShort(f, from), To: inShort(f, to)}
	out.Differs = keysOf(details, func(d detail) string { return d.What })
	if detailed {
		out.Details = details
	}
	return out
}

// inShort is a configuration in a few words.
func inShort(f *ldclient.Flag, c ldclient.FlagConfig) string {
	out := onOff(c) + ", serves " + serving(f, c)
	for _, n := range []struct {
		count int
		what  string
	}{{len(c.Rules), "rule"}, {targetCount(c), "target"}, {len(c.Prerequisites), "prerequisite"}} {
		if n.count > 0 {
			out += ", " + several(n.count, n.what, n.what+"s")
		}
	}
	return out
}

func onOff(c ldclient.FlagConfig) string {
	if c.On {
		return "on"
	}
	return "off"
}

func offResult(f *ldclient.Flag, c ldclient.FlagConfig) string {
	if c.OffVariation == nil {
		return resultLabel(f, -1)
	}
	return fmt.Sprintf("%s (index %d)", label(f, *c.OffVariation), *c.OffVariation)
}

// aspect is one rule, target or prerequisite: exact tells two apart, words are for people.
type aspect struct{ exact, words string }

// onlyIn lists what a has more of than b.
func onlyIn(a, b []aspect) []string {
	have := map[string]int{}
	for _, x := range b {
		have[x.exact]++
	}
	var out []string
	for _, x := range a {
		if have[x.exact]--; have[x.exact] < 0 {
			out = append(out, x.words)
		}
	}
	return out
}

func counted(all []aspect, only []string) string {
	switch {
	case len(all) == 0:
		return "none"
	case len(all) == len(only):
		return fmt.Sprintf("%d, only here", len(all))
	}
	return fmt.Sprintf("%d, %d of them only here", len(all), len(only))
}

// exactServe is what a rule gives, with nothing that two environments need not share.
func exactServe(s ldclient.RuleServe) string {
	switch {
	case s.Variation != nil:
		return fmt.Sprintf("variation %d", *s.Variation)
	case s.Rollout != nil:
		parts := slices.DeleteFunc(slices.Clone(s.Rollout.Variations), func(w ldclient.WeightedVariation) bool { return w.Weight == 0 })
		slices.SortFunc(parts, func(a, b ldclient.WeightedVariation) int { return cmp.Compare(a.Variation, b.Variation) })
		return fmt.Sprintf("rollout %v by %s %s", parts, cmp.Or(s.Rollout.ContextKind, "user"), cmp.Or(s.Rollout.BucketBy, "key"))
	}
	return ""
}

func ruleAspects(f *ldclient.Flag, c ldclient.FlagConfig) []aspect {
	var out []aspect
	for _, r := range c.Rules {
		var exact []string
		for _, clause := range r.Clauses {
			clause.ID, clause.ContextKind = "", cmp.Or(clause.ContextKind, "user")
			values := keysOf(clause.Values, func(v any) string { b, _ := json.Marshal(v); return string(b) })
			slices.Sort(values)
			clause.Values = nil
			exact = append(exact, string(mustJSON(clause))+strings.Join(values, ","))
		}
		slices.Sort(exact)
		words := fmt.Sprintf("if %s: %s", inWords(r.Clauses), serves(f, r.RuleServe))
		if r.Disabled {
			words += " (disabled)"
		}
		out = append(out, aspect{fmt.Sprint(exact, exactServe(r.RuleServe), r.Disabled), words})
	}
	return out
}

func targetAspects(f *ldclient.Flag, c ldclient.FlagConfig) []aspect {
	var out []aspect
	for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
		kind := cmp.Or(t.ContextKind, "user")
		for _, key := range t.Values {
			out = append(out, aspect{fmt.Sprintf("%d %s %q", t.Variation, kind, key), fmt.Sprintf("%s %s: %s", kind, short(clean(key), 60), label(f, t.Variation))})
		}
	}
	slices.SortFunc(out, func(a, b aspect) int { return cmp.Compare(a.exact, b.exact) }) // their order means nothing
	return out
}

func prerequisiteAspects(c ldclient.FlagConfig) []aspect {
	var out []aspect
	for _, p := range c.Prerequisites {
		words := fmt.Sprintf("%s gives variation %d", p.Key, p.Variation)
		out = append(out, aspect{words, words})
	}
	slices.SortFunc(out, func(a, b aspect) int { return cmp.Compare(a.exact, b.exact) })
	return out
}
