package sandbox

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
)

// flagRep is a flag as the API shows it; what stands in it replaces the fields of the same name.
type flagRep struct {
	*flag
	Links          links                `json:"_links"`
	Maintainer     *maintainerRep       `json:"_maintainer,omitempty"`
	MaintainerTeam *teamRep             `json:"_maintainerTeam,omitempty"`
	GoalIDs        []string             `json:"goalIds"`
	Experiments    experimentsRep       `json:"experiments"`
	Environments   map[string]configRep `json:"environments,omitempty"`
}

type experimentsRep struct {
	BaselineIdx int   `json:"baselineIdx"`
	Items       []any `json:"items"`
}

type maintainerRep struct {
	Links     links  `json:"_links"`
	ID        string `json:"_id"`
	FirstName string `json:"firstName,omitempty"`
	LastName  string `json:"lastName,omitempty"`
	Role      string `json:"role"`
	Email     string `json:"email"`
}

type teamRep struct {
	Links links  `json:"_links"`
	Key   string `json:"key"`
	Name  string `json:"name"`
}

// configRep is one environment of a flag. The pointers are nil in a list, which leaves the targeting out.
type configRep struct {
	*flagConfig
	Targets        *[]flagTarget   `json:"targets,omitempty"`
	ContextTargets *[]flagTarget   `json:"contextTargets,omitempty"`
	Rules          *[]*flagRule    `json:"rules,omitempty"`
	Fallthrough    *serve          `json:"fallthrough,omitempty"`
	OffVariation   *int            `json:"offVariation,omitempty"`
	Prerequisites  *[]prerequisite `json:"prerequisites,omitempty"`
	Site           link            `json:"_site"`
	Summary        flagSummary     `json:"_summary"`
}

type flagSummary struct {
	Variations    map[string]*variationSummary `json:"variations"` // by index
	Prerequisites int                          `json:"prerequisites"`
}

type variationSummary struct {
	Rules          int    `json:"rules"`
	NullRules      int    `json:"nullRules"`
	Targets        int    `json:"targets"`
	ContextTargets int    `json:"contextTargets"`
	IsFallthrough  bool   `json:"isFallthrough,omitempty"`
	IsOff          bool   `json:"isOff,omitempty"`
	Rollout        int    `json:"rollout,omitempty"`
	BucketBy       string `json:"bucketBy,omitempty"`
}

func everyEnvironment(string) bool { return true }

// flagView is the flag with the full targeting of the environments that shown names.
func (a *Account) flagView(p *project, f *flag, shown func(env string) bool) flagRep {
	v := a.bareFlagView(p, f)
	v.Environments = map[string]configRep{}
	for _, e := range p.Envs {
		c := f.Environments[e.Key]
		if c == nil || !shown(e.Key) {
			continue
		}
		rep := summaryView(p, f, e, c)
		contexts := c.shownContextTargets()
		rep.Targets, rep.ContextTargets, rep.Rules = &c.Targets, &contexts, &c.Rules
		rep.Fallthrough, rep.OffVariation, rep.Prerequisites = &c.Fallthrough, c.OffVariation, &c.Prerequisites
		v.Environments[e.Key] = rep
	}
	return v
}

// flagListView is the flag as an item of a list: environments named in envs, as summaries.
func (a *Account) flagListView(p *project, f *flag, envs []string) flagRep {
	v := a.bareFlagView(p, f)
	for _, key := range envs {
		if c := f.Environments[key]; c != nil {
			if v.Environments == nil {
				v.Environments = map[string]configRep{}
			}
			v.Environments[key] = summaryView(p, f, p.env(key), c)
		}
	}
	return v
}

func (a *Account) bareFlagView(p *project, f *flag) flagRep {
	v := flagRep{
		flag:        f,
		Links:       links{"self": linkTo("flags", p.Key, f.Key), "parent": linkTo("flags", p.Key)},
		GoalIDs:     []string{},
		Experiments: experimentsRep{Items: []any{}},
	}
	if m := a.maintainer(f.MaintainerID); m != nil {
		v.Maintainer = &maintainerRep{
			Links: links{"self": linkTo("members", m.ID)}, ID: m.ID,
			FirstName: m.FirstName, LastName: m.LastName, Role: m.Role, Email: m.Email,
		}
	}
	if t := a.maintainerTeam(f.MaintainerTeamKey); t != nil {
		v.MaintainerTeam = &teamRep{Links: links{"self": linkTo("teams", t.Key), "parent": linkTo("teams")}, Key: t.Key, Name: t.Name}
	}
	return v
}

// flagSite is a flag's page in the web application.
func flagSite(p *project, env, flag string) link {
	return link{Href: "/" + url.PathEscape(p.Key) + "/" + url.PathEscape(env) + "/features/" + url.PathEscape(flag), Type: "text/html"}
}

func summaryView(p *project, f *flag, e *environment, c *flagConfig) configRep {
	return configRep{flagConfig: c, Site: flagSite(p, e.Key, f.Key), Summary: c.summary()}
}

// shownContextTargets adds an empty target of kind user for each variation that
// has user targets, which are listed elsewhere: together they give the order of all targets.
func (c *flagConfig) shownContextTargets() []flagTarget {
	out := slices.Clone(c.ContextTargets)
	if out == nil {
		out = []flagTarget{}
	}
	for _, t := range c.Targets {
		out = append(out, flagTarget{ContextKind: "user", Variation: t.Variation, Values: []string{}})
	}
	return out
}

func (c *flagConfig) summary() flagSummary {
	s := flagSummary{Variations: map[string]*variationSummary{}, Prerequisites: len(c.Prerequisites)}
	of := func(variation int) *variationSummary {
		key := strconv.Itoa(variation)
		if s.Variations[key] == nil {
			s.Variations[key] = &variationSummary{}
		}
		return s.Variations[key]
	}
	for _, t := range c.Targets {
		of(t.Variation).Targets += len(t.Values)
	}
	for _, t := range c.ContextTargets {
		of(t.Variation).ContextTargets += len(t.Values)
	}
	for _, r := range c.Rules {
		if r.Variation != nil {
			of(*r.Variation).Rules++
		}
		if r.Rollout != nil {
			for _, v := range r.Rollout.Variations {
				of(v.Variation).Rules++
			}
		}
	}
	if c.OffVariation != nil {
		of(*c.OffVariation).IsOff = true
	}
	if c.Fallthrough.Variation != nil {
		of(*c.Fallthrough.Variation).IsFallthrough = true
	}
	if r := c.Fallthrough.Rollout; r != nil {
		for _, v := range r.Variations {
			of(v.Variation).Rollout = v.Weight
			of(v.Variation).BucketBy = r.BucketBy
		}
	}
	return s
}

// configActions are the role actions that lead from one configuration to the other.
func configActions(before, after *flagConfig) []string {
	var out []string
	if before == nil || after == nil {
		return out
	}
	same := func(a, b any) bool { return string(jsonValue(a)) == string(jsonValue(b)) }
	add := func(action string, unchanged bool) {
		if !unchanged && !slices.Contains(out, action) {
			out = append(out, action)
		}
	}
	add("updateOn", before.On == after.On)
	add("updateRules", same(before.Rules, after.Rules))
	add("updateFallthrough", same(before.Fallthrough, after.Fallthrough))
	add("updateOffVariation", same(before.OffVariation, after.OffVariation))
	add("updateTargets", same(before.Targets, after.Targets))
	add("updateTargets", same(before.ContextTargets, after.ContextTargets))
	add("updatePrerequisites", same(before.Prerequisites, after.Prerequisites))
	add("updateTrackEvents", before.TrackEvents == after.TrackEvents)
	add("updateFlagFallthroughTrackEvents", before.TrackEventsFallthrough == after.TrackEventsFallthrough)
	return out
}

// settingActions are the role actions that lead from f's project-wide settings to g's.
func settingActions(f, g *flag) []string {
	var out []string
	for _, d := range []struct {
		action  string
		changed bool
	}{
		{"updateName", f.Name != g.Name},
		{"updateDescription", f.Description != g.Description},
		{"updateTags", !slices.Equal(f.Tags, g.Tags)},
		{"updateTemporary", f.Temporary != g.Temporary},
		{"updateMaintainer", f.MaintainerID != g.MaintainerID || f.MaintainerTeamKey != g.MaintainerTeamKey},
		{"updateFlagVariations", string(jsonValue(f.Variations)) != string(jsonValue(g.Variations))},
		{"updateFlagDefaultVariations", f.Defaults != g.Defaults},
		{"updateClientSideFlagAvailability", f.ClientSideAvailability != g.ClientSideAvailability},
		{"updateFlagCustomProperties", !maps.EqualFunc(f.CustomProperties, g.CustomProperties, func(a, b customProperty) bool {
			return a.Name == b.Name && slices.Equal(a.Value, b.Value)
		})},
		{"updateGlobalArchived", f.Archived != g.Archived},
		{"updateDeprecated", f.Deprecated != g.Deprecated},
	} {
		if d.changed {
			out = append(out, d.action)
		}
	}
	return out
}
