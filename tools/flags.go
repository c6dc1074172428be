package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var flags = Toolset{
	Name: "flags", Doc: "Find, read and change feature flags.",
	Default: []string{"list-flags", "get-flag", "create-flag", "update-flag-settings", "archive-flag"},
	Tools: []Tool{listFlags, getFlag, createFlag, updateFlagSettings, updateFlagVariations, archiveFlag, restoreFlag,
		deprecateFlag, deleteFlag, getFlagDefaults, createFeatureFlag, updateFeatureFlag},
}

// flagRow is a flag in a list. What it leaves out is false, none, or the same as the key.
type flagRow struct {
	Key           string   `json:"key"`
	Name          string   `json:"name,omitempty" doc:"only where it says more than the key"`
	On            *bool    `json:"on,omitempty" doc:"whether targeting is on in the environment"`
	Serves        string   `json:"serves,omitempty" doc:"default rule when on, off variation when off"`
	Rules         int      `json:"rules,omitempty"`
	Targets       int      `json:"targets,omitempty"`
	Prerequisites int      `json:"prerequisites,omitempty"`
	Status        string   `json:"status,omitempty" doc:"new, active, launched or inactive"`
	Tags          []string `json:"tags,omitempty"`
	Permanent     bool     `json:"permanent,omitempty" doc:"most flags are temporary"`
	Archived      bool     `json:"archived,omitempty"`
	Deprecated    bool     `json:"deprecated,omitempty"`
}

func flagRowIn(environment string, status map[string]ldclient.FlagStatus) func(ldclient.Flag) flagRow {
	return func(f ldclient.Flag) flagRow {
		row := flagRow{Key: f.Key, Name: nameBeside(f.Key, f.Name), Tags: f.Tags, Permanent: !f.Temporary,
			Archived: f.Archived, Deprecated: f.Deprecated, Status: status[f.Key].Name}
		c, ok := f.Environments[environment]
		if !ok {
			return row
		}
		row.On, row.Serves, row.Prerequisites = &c.On, servesByDefault(&f, c), c.Summary.Prerequisites
		for _, v := range c.Summary.Variations {
			row.Rules += v.Rules
			row.Targets += v.Targets + v.ContextTargets
		}
		return row
	}
}

var unseparated = strings.NewReplacer("-", "", "_", "", ".", "", " ", "")

// nameBeside returns name, or "" where it is the key in other letters.
func nameBeside(key, name string) string {
	if strings.EqualFold(unseparated.Replace(key), unseparated.Replace(name)) {
		return ""
	}
	return name
}

var listFlags = read(Spec{
	Name: "list-flags", Title: "List flags", Aliases: []string{"list-feature-flags"},
	Doc: "List or search a project's flags with their state in one environment; archived ones only with state archived.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	Query string   `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key or name"`
	Tags  []string `json:"tags,omitempty" alias:"tag" doc:"All of these"`
	State string   `json:"state,omitempty" jsonschema:"enum=live,enum=active,enum=inactive,enum=new,enum=launched,enum=deprecated,enum=archived" doc:"In the environment: active, inactive, new, launched"`
	Type  string   `json:"type,omitempty" jsonschema:"enum=temporary,enum=permanent"`
	Sort  string   `json:"sort,omitempty" jsonschema:"enum=key,enum=-key,enum=name,enum=-name,enum=creationDate,enum=-creationDate"`
	paged
}) (page[flagRow], error) {
	o := ldclient.ListFlags{Environment: in.Environment, Query: in.Query, Tags: in.Tags, Type: in.Type, Sort: in.Sort}
	switch in.State {
	case "live", "deprecated", "archived":
		o.State = in.State
	case "active", "inactive", "new", "launched":
		return flagsByStatus(ctx, ld, in.Project, in.State, o, in.paged)
	}
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.Flag], error) {
		o := o // another page may be read at the same time
		o.Paging = p
		return ld.Flags.List(ctx, in.Project, o)
	})
	if err != nil {
		return page[flagRow]{}, err
	}
	return pageOf(got, in.Offset, flagRowIn(in.Environment, nil)), nil
})

// upstreamPage is the most items that are asked for in one request of a list.
const upstreamPage = 100

// manyPages reads what one call asks for. A caller that wants more than a page waits
// for the slowest request, not for all of them: they set out together, which is more
// requests than needed where the list ends early.
func manyPages[T any](ctx context.Context, p paged, fetch func(context.Context, ldclient.Paging) (*ldclient.Page[T], error)) (*ldclient.Page[T], error) {
	perhaps, cancel := context.WithCancel(ldclient.WithProgress(ctx, nil)) // it may turn out that nobody waits for them
	defer cancel()
	type answer struct {
		page *ldclient.Page[T]
		err  error
	}
	ahead := map[int]chan answer{} // by offset
	for offset := p.Offset + upstreamPage; offset < p.Offset+p.Limit; offset += upstreamPage {
		got := make(chan answer, 1)
		ahead[offset] = got
		go func() {
			page, err := fetch(perhaps, ldclient.Paging{Limit: min(p.Offset+p.Limit-offset, upstreamPage), Offset: offset})
			got <- answer{page, err}
		}()
	}
	var out *ldclient.Page[T]
	for offset, left := p.Offset, p.Limit; left > 0; {
		var got answer
		if coming, ok := ahead[offset]; ok {
			got = <-coming
		} else {
			got.page, got.err = fetch(ctx, ldclient.Paging{Limit: min(left, upstreamPage), Offset: offset})
		}
		if got.err != nil {
			return nil, got.err
		}
		page := got.page
		if out == nil {
			out = page
		} else {
			out.Items, out.Links, out.Total = append(out.Items, page.Items...), page.Links, page.Total
		}
		if !page.More(offset) {
			break
		}
		offset, left = offset+len(page.Items), left-len(page.Items)
	}
	return out, nil
}

// flagsByStatus filters by a status that LaunchDarkly's list does not filter by:
// one request for all statuses, then pages of flags until the reply is full.
func flagsByStatus(ctx context.Context, ld *ldclient.Client, project, want string, o ldclient.ListFlags, p paged) (page[flagRow], error) {
	status, err := ld.Flags.Statuses(ctx, project, o.Environment)
	if err != nil {
		return page[flagRow]{}, err
	}
	view := flagRowIn(o.Environment, status)
	out := page[flagRow]{Items: []flagRow{}}
	seen := 0
	for f, err := range ldclient.All(func(offset int) (*ldclient.Page[ldclient.Flag], error) {
		o.Paging = ldclient.Paging{Limit: upstreamPage, Offset: offset}
		return ld.Flags.List(ctx, project, o)
	}) {
		if err != nil {
			return out, err
		}
		if status[f.Key].Name != want {
			continue
		}
		if seen++; seen <= p.Offset {
			continue
		}
		if len(out.Items) == p.Limit {
			out.NextOffset = p.Offset + p.Limit
			return out, nil
		}
		out.add(view(f), seen-1)
	}
	out.TotalCount = seen
	return out, nil
}

// flagDetail is one flag as it stands in one environment.
type flagDetail struct {
	Key              string              `json:"key"`
	Name             string              `json:"name,omitempty"`
	Description      string              `json:"description,omitempty"`
	Kind             string              `json:"kind"`
	Environment      string              `json:"environment"`
	On               bool                `json:"on"`
	Version          int                 `json:"version" doc:"of the flag in this environment"`
	LastModified     string              `json:"lastModified,omitempty"`
	Serves           string              `json:"serves,omitempty" doc:"what contexts get that match no target and no rule, or everyone while off"`
	Variations       []variationView     `json:"variations"`
	Prerequisites    []prerequisiteView  `json:"prerequisites,omitempty"`
	Targets          []targetView        `json:"targets,omitempty"`
	Expiring         []expiringView      `json:"expiringTargets,omitempty" doc:"who leaves their target by themselves, the next ten"`
	Rules            []ruleView          `json:"rules,omitempty"`
	MoreRules        int                 `json:"moreRules,omitempty" doc:"rules left out here; read them with rulesOffset"`
	Fallthrough      string              `json:"fallthrough,omitempty"`
	OffVariation     string              `json:"offVariation,omitempty"`
	Temporary        bool                `json:"temporary"`
	Tags             []string            `json:"tags,omitempty"`
	Maintainer       string              `json:"maintainer,omitempty"`
	ClientSide       []string            `json:"clientSide,omitempty" doc:"client-side SDKs that see the flag"`
	CustomProperties map[string][]string `json:"customProperties,omitempty"`
	Created          string              `json:"created,omitempty"`
	Archived         bool                `json:"archived,omitempty"`
	Deprecated       bool                `json:"deprecated,omitempty"`
	Experiment       bool                `json:"experiment,omitempty" doc:"an experiment runs on it: do not edit its rollout"`
	URL              string              `json:"url,omitempty"`
	Missing          []string            `json:"missing,omitempty" doc:"what could not be read"`
}

type variationView struct {
	ID          string `json:"_id,omitempty"`
	Value       any    `json:"value"`
	Cut         bool   `json:"valueIsCut,omitempty" doc:"value is only the beginning of it"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// lighten leaves of long values their beginning only.
func (d flagDetail) lighten() (any, bool) {
	d.Variations = slices.Clone(d.Variations)
	for i, v := range d.Variations {
		if text := string(mustJSON(v.Value)); len(text) > 200 {
			d.Variations[i].Value, d.Variations[i].Cut = short(text, 200), true
		}
		d.Variations[i].Description = short(v.Description, 200)
	}
	d.Description = short(d.Description, 500)
	return d, true
}

type prerequisiteView struct {
	Key       string `json:"key"`
	Variation int    `json:"variationIndex"`
}

type targetView struct {
	Variation   string   `json:"variation"`
	ContextKind string   `json:"contextKind,omitempty" told:"true" doc:"user if not given"`
	Count       int      `json:"count"`
	Values      []string `json:"values" doc:"ten of them"`
}

type ruleView struct {
	ID          string       `json:"_id"`
	Description string       `json:"description,omitempty"`
	Clauses     []clauseView `json:"clauses"`
	Serves      string       `json:"serves"`
	Disabled    bool         `json:"disabled,omitempty"`
	TrackEvents bool         `json:"trackEvents,omitempty"`
}

type clauseView struct {
	ID          string `json:"_id"`
	ContextKind string `json:"contextKind,omitempty" told:"true" doc:"user if not given"`
	Attribute   string `json:"attribute"`
	Op          string `json:"op"`
	Negate      bool   `json:"negate,omitempty"`
	Values      []any  `json:"values"`
	MoreValues  int    `json:"moreValues,omitempty" doc:"values left out here"`
}

// firstOf is how many of anything long a detail shows at once.
const firstOf = 10

// ten is up to firstOf of a list, from an offset on.
func ten[T any](list []T, skip int) []T {
	list = list[min(skip, len(list)):]
	return list[:min(firstOf, len(list))]
}

var getFlag = read(Spec{
	Name: "get-flag", Title: "Get a flag", Aliases: []string{"get-feature-flag"},
	Doc: "Read one flag as it stands in one environment: variations, targets, rules with ids, default rule, prerequisites, version.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inFlagEnvironment
	longLists
}) (flagDetail, error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return flagDetail{}, err
	}
	d := flagDetail{
		Key: f.Key, Name: nameBeside(f.Key, f.Name), Description: f.Description, Kind: f.Kind, Environment: in.Environment,
		On: c.On, Version: c.Version, LastModified: c.LastModified.String(), Serves: serving(f, c),
		Targets: targetViews(f, c, in.ValuesOffset), Fallthrough: serves(f, c.Fallthrough),
		Temporary: f.Temporary, Tags: f.Tags, Maintainer: maintainer(f), Created: f.CreationDate.String(),
		Archived: f.Archived, Deprecated: f.Deprecated, URL: pageURL(ld, in.target()),
	}
	if len(d.Targets) > 0 {
		g := gather(ctx)
		g.want("when targets expire", func(ctx context.Context) error {
			list, err := ld.Flags.ExpiringTargets(ctx, in.Project, in.Environment, in.Flag)
			d.Expiring = ten(expiringStateOf(f, list, func(ldclient.ExpiringTarget) bool { return true }).Targets, 0)
			return err
		})
		d.Missing, _ = g.wait()
	}
	d.Variations = variationViews(f)
	for _, p := range c.Prerequisites {
		d.Prerequisites = append(d.Prerequisites, prerequisiteView{p.Key, p.Variation})
	}
	rules := c.Rules[min(in.RulesOffset, len(c.Rules)):]
	for _, r := range rules[:min(firstOf, len(rules))] {
		d.Rules = append(d.Rules, ruleOf(f, r, in.ValuesOffset))
	}
	d.MoreRules = max(0, len(rules)-firstOf)
	if c.OffVariation != nil {
		d.OffVariation = label(f, *c.OffVariation)
	}
	d.ClientSide = clientSideOf(f.ClientSideAvailability)
	for _, key := range slices.Sorted(maps.Keys(f.CustomProperties)) {
		if d.CustomProperties == nil {
			d.CustomProperties = map[string][]string{}
		}
		d.CustomProperties[key] = f.CustomProperties[key].Value
	}
	for _, s := range append([]ldclient.RuleServe{c.Fallthrough}, rulesServe(c.Rules)...) {
		d.Experiment = d.Experiment || s.InExperiment()
	}
	return d, nil
})

// flagIn reads a flag and its configuration in one environment.
func flagIn(ctx context.Context, ld *ldclient.Client, at ldclient.Target) (*ldclient.Flag, ldclient.FlagConfig, error) {
	f, err := ld.Flags.Get(ctx, at.Project, at.Environment, at.Key)
	if err != nil {
		return nil, ldclient.FlagConfig{}, err
	}
	c, ok := f.Environments[at.Environment]
	if !ok {
		envs, _ := ld.Environments.All(ctx, at.Project)
		return nil, c, absent("environment", at.Environment, keysOf(envs, func(e ldclient.Environment) string { return e.Key }))
	}
	return f, c, nil
}

// serving says what contexts get that match no target and no rule, or everyone while targeting is off.
func serving(f *ldclient.Flag, c ldclient.FlagConfig) string {
	switch {
	case c.On:
		return serves(f, c.Fallthrough)
	case c.OffVariation == nil:
		return "the fallback in code"
	}
	return label(f, *c.OffVariation)
}

// clientSideOf names the client-side SDKs that see a flag, as LaunchDarkly's own pages do.
func clientSideOf(c ldclient.ClientSideAvailability) []string {
	var out []string
	if c.UsingEnvironmentID {
		out = append(out, "client-side ID")
	}
	if c.UsingMobileKey {
		out = append(out, "mobile key")
	}
	return out
}

func maintainer(f *ldclient.Flag) string {
	if f.MaintainerTeamKey != "" {
		return "team " + f.MaintainerTeamKey
	}
	return f.Maintainer.String()
}

func rulesServe(rules []ldclient.Rule) []ldclient.RuleServe {
	out := make([]ldclient.RuleServe, len(rules))
	for i, r := range rules {
		out[i] = r.RuleServe
	}
	return out
}

// targetViews merges the two lists that LaunchDarkly keeps of individual targets.
func targetViews(f *ldclient.Flag, c ldclient.FlagConfig, skip int) []targetView {
	var out []targetView
	for _, t := range append(slices.Clone(c.Targets), c.ContextTargets...) {
		if len(t.Values) == 0 { // a placeholder whose keys stand in targets
			continue
		}
		kind := t.ContextKind
		if kind == "user" {
			kind = ""
		}
		out = append(out, targetView{label(f, t.Variation), kind, len(t.Values), ten(t.Values, skip)})
	}
	return out
}

func ruleOf(f *ldclient.Flag, r ldclient.Rule, skip int) ruleView {
	return ruleView{r.ID, r.Description, clauseViews(r.Clauses, skip), serves(f, r.RuleServe), r.Disabled, r.TrackEvents}
}

func clauseViews(clauses []ldclient.Clause, skip int) []clauseView {
	out := make([]clauseView, len(clauses))
	for i, c := range clauses {
		kind := c.ContextKind
		if kind == "user" {
			kind = ""
		}
		out[i] = clauseView{c.ID, kind, c.Attribute, c.Op, c.Negate, ten(c.Values, skip), max(0, len(c.Values)-firstOf-skip)}
	}
	return out
}

// word writes one value of a clause for people.
func word(v any) string {
	return short(clean(fmt.Sprint(v)), 60)
}

// anyOf names the first few of some values.
func anyOf(values []any) string {
	var out []string
	for _, v := range values[:min(5, len(values))] {
		out = append(out, word(v))
	}
	if len(values) > 5 {
		out = append(out, strconv.Itoa(len(values)-5)+" more")
	}
	return strings.Join(out, " or ")
}

// inWords says a rule's conditions in words.
func inWords(clauses []ldclient.Clause) string {
	var parts []string
	for _, c := range clauses {
		not := ""
		if c.Negate {
			not = "not "
		}
		what := c.Attribute
		if c.ContextKind != "" && c.ContextKind != "user" {
			what = c.ContextKind + " " + what
		}
		if c.Op == "segmentMatch" {
			parts = append(parts, not+"in segment "+anyOf(c.Values))
		} else {
			parts = append(parts, fmt.Sprintf("%s %s%s %s", short(clean(what), 60), not, c.Op, anyOf(c.Values)))
		}
	}
	return strings.Join(parts, " and ")
}
