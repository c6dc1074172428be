package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// boolFlag is a new flag with the variations true and false.
func boolFlag(key, name string) *flag {
	return &flag{
		Key: key, Name: name, Kind: "boolean", Temporary: true,
		Variations: []variation{{Value: json.RawMessage("true")}, {Value: json.RawMessage("false")}},
		Defaults:   flagDefaults{OnVariation: 0, OffVariation: 1}, ClientSideAvailability: clientSide{UsingMobileKey: true},
	}
}

// multiFlag is a new flag that serves the first of its values when it is on, the last when it is off.
func multiFlag(key, name string, values ...variation) *flag {
	f := boolFlag(key, name)
	f.Kind, f.Variations = "multivariate", values
	f.Defaults.OffVariation = len(values) - 1
	return f
}

// addFlag adds f to p and fills in what it leaves out: IDs, salts, dates,
// versions, and a configuration for each environment.
func (a *Account) addFlag(p *project, f *flag) {
	if f.CreationDate == 0 {
		f.CreationDate = a.tick()
	}
	if f.Version == 0 {
		f.Version = 1
	}
	if f.Status == nil {
		f.Status = map[string]flagStatus{}
	}
	f.IncludeInSnippet = f.ClientSideAvailability.UsingEnvironmentID
	if f.Environments == nil {
		f.Environments = map[string]*flagConfig{}
	}
	for _, e := range p.Envs {
		if f.Environments[e.Key] == nil {
			f.Environments[e.Key] = a.newFlagConfig(f, e)
		}
		a.completeConfig(f, e, f.Environments[e.Key])
	}
	a.completeFlag(f)
	p.Flags = append(p.Flags, f)
}

// newFlagConfig is what a flag starts with in an environment: off, no targeting.
func (a *Account) newFlagConfig(f *flag, e *environment) *flagConfig {
	on, off := f.Defaults.OnVariation, f.Defaults.OffVariation
	c := &flagConfig{Fallthrough: serve{Variation: &on}, OffVariation: &off, TrackEvents: e.DefaultTrackEvents, Archived: f.Archived}
	a.completeConfig(f, e, c)
	return c
}

func (a *Account) completeConfig(f *flag, e *environment, c *flagConfig) {
	if c.Salt == "" {
		c.Salt = strings.ReplaceAll(a.uuid(), "-", "")
	}
	if c.Sel == "" {
		c.Sel = strings.ReplaceAll(a.uuid(), "-", "")
	}
	if c.Version == 0 {
		c.Version = 1
	}
	if c.LastModified == 0 {
		c.LastModified = f.CreationDate
	}
	c.EnvironmentName = e.Name
}

// completeFlag gives IDs to the variations, rules and clauses that have none, sorts
// targets into the list they belong in, and makes absent lists empty ones.
func (a *Account) completeFlag(f *flag) {
	f.Tags = filled(f.Tags)
	if f.CustomProperties == nil {
		f.CustomProperties = map[string]customProperty{}
	}
	for i := range f.Variations {
		if f.Variations[i].ID == "" {
			f.Variations[i].ID = a.uuid()
		}
	}
	for _, e := range slices.Sorted(maps.Keys(f.Environments)) {
		c := f.Environments[e]
		c.Rules, c.Prerequisites = filled(c.Rules), filled(c.Prerequisites)
		for _, r := range c.Rules {
			if r.ID == "" {
				r.ID = a.uuid()
			}
			a.completeClauses(r.Clauses)
		}
		all := slices.Concat(c.Targets, c.ContextTargets)
		c.Targets, c.ContextTargets = []flagTarget{}, []flagTarget{}
		for _, t := range all {
			if t.ContextKind == "" {
				t.ContextKind = "user"
			}
			if len(t.Values) > 0 {
				list := c.targetList(t.ContextKind)
				*list = append(*list, t)
			}
		}
	}
}

func (a *Account) completeClauses(clauses []clause) {
	for i := range clauses {
		c := &clauses[i]
		if c.ID == "" {
			c.ID = a.uuid()
		}
		if c.ContextKind == "" {
			c.ContextKind = "user"
		}
		c.Values = filled(c.Values)
	}
}

// filled is list, or an empty one that JSON shows as such.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

type flagPost struct {
	Key                    string                    `json:"key"`
	Name                   string                    `json:"name"`
	Description            string                    `json:"description"`
	Tags                   []string                  `json:"tags"`
	Temporary              *bool                     `json:"temporary"`
	Variations             []variation               `json:"variations"`
	Defaults               *flagDefaults             `json:"defaults"`
	ClientSideAvailability *clientSide               `json:"clientSideAvailability"`
	IncludeInSnippet       bool                      `json:"includeInSnippet"`
	CustomProperties       map[string]customProperty `json:"customProperties"`
	MaintainerID           string                    `json:"maintainerId"`
	MaintainerTeamKey      string                    `json:"maintainerTeamKey"`
	Purpose                string                    `json:"purpose"`
	InitialPrerequisites   []prerequisiteParams      `json:"initialPrerequisites"`
	IsFlagOn               bool                      `json:"isFlagOn"`
}

func (a *Account) createFlag(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	var in flagPost
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	f, actions, err := a.newFlag(p, in, r.URL.Query().Get("clone"))
	if err != nil {
		refuse(w, err)
		return
	}
	a.addFlag(p, f)
	a.record(r, a.flagChange(p, nil, f, actions, ""))
	send(w, http.StatusCreated, a.flagView(p, f, everyEnvironment))
}

// newFlag is the flag that a create request asks for, not yet in p.
func (a *Account) newFlag(p *project, in flagPost, clone string) (*flag, []string, *apiError) {
	if err := checkKey(in.Key, 256); err != nil {
		return nil, nil, invalid("%v", err)
	}
	if p.flag(in.Key) != nil {
		return nil, nil, conflict("A flag with the key '%s' already exists in project '%s'", in.Key, p.Key)
	}
	if in.Purpose != "" {
		return nil, nil, invalid("purpose '%s' is not available in this account", in.Purpose)
	}
	f, actions := boolFlag(in.Key, in.Name), []string{"createFlag"}
	if clone != "" {
		source := p.flag(clone)
		if source == nil {
			return nil, nil, invalid("the flag to clone, '%s', does not exist", clone)
		}
		f, actions = a.copyOf(source, in.Key, in.Name), []string{"cloneFlag", "createFlag"}
	}
	if len(in.Variations) > 0 {
		f.Variations, f.Kind = in.Variations, "multivariate"
		for i := range f.Variations {
			if f.Variations[i].Value == nil {
				return nil, nil, invalid("variation %d has no value", i)
			}
			f.Variations[i].ID = ""
		}
		if areBooleans(f.Variations) {
			f.Kind = "boolean"
		}
		f.Defaults = flagDefaults{OnVariation: 0, OffVariation: len(f.Variations) - 1}
	}
	if in.Defaults != nil {
		f.Defaults = *in.Defaults
	}
	if in.Temporary != nil {
		f.Temporary = *in.Temporary
	}
	if in.ClientSideAvailability != nil {
		f.ClientSideAvailability = *in.ClientSideAvailability
	} else if in.IncludeInSnippet {
		f.ClientSideAvailability.UsingEnvironmentID = true
	}
	if in.Description != "" {
		f.Description = in.Description
	}
	if in.Tags != nil {
		f.Tags = in.Tags
	}
	if in.CustomProperties != nil {
		f.CustomProperties = in.CustomProperties
	}
	if in.MaintainerID != "" || in.MaintainerTeamKey != "" {
		f.MaintainerID, f.MaintainerTeamKey = in.MaintainerID, in.MaintainerTeamKey
	}
	if f.Defaults.OnVariation < 0 || f.Defaults.OnVariation >= len(f.Variations) ||
		f.Defaults.OffVariation < 0 || f.Defaults.OffVariation >= len(f.Variations) {
		return nil, nil, invalid("defaults must be indexes of the flag's variations")
	}
	if err := a.startConfigs(p, f, in); err != nil {
		return nil, nil, err
	}
	a.completeFlag(f)
	return f, actions, a.checkFlag(p, nil, f)
}

// startConfigs gives a new flag its configurations.
func (a *Account) startConfigs(p *project, f *flag, in flagPost) *apiError {
	f.CreationDate = a.tick()
	if f.Environments == nil {
		f.Environments = map[string]*flagConfig{}
	}
	for _, e := range p.Envs {
		c := f.Environments[e.Key]
		if c == nil {
			c = a.newFlagConfig(f, e)
			f.Environments[e.Key] = c
		}
		c.On = c.On || in.IsFlagOn
		for _, one := range in.InitialPrerequisites {
			q, err := newPrerequisite(p, f.Key, one.Key, one.VariationID)
			if err != nil {
				return err
			}
			c.Prerequisites = append(c.Prerequisites, q)
		}
	}
	return nil
}

// copyOf is a clone of a flag: the same variations and configurations, with IDs and salts of its own.
func (a *Account) copyOf(source *flag, key, name string) *flag {
	f := cloneOf(source)
	f.Key, f.Name, f.Version, f.CreationDate = key, name, 0, 0
	f.Archived, f.ArchivedDate, f.Deprecated, f.DeprecatedDate = false, 0, false, 0
	for i := range f.Variations {
		f.Variations[i].ID = ""
	}
	for _, c := range f.Environments {
		c.Salt, c.Sel, c.Version, c.LastModified, c.Archived = "", "", 0, 0, false
		c.Rules = freshRules(c.Rules)
	}
	return f
}

// freshRules are copies of rules without IDs.
func freshRules(rules []*flagRule) []*flagRule {
	out := []*flagRule{}
	for _, r := range rules {
		next := cloneOf(r)
		next.ID = ""
		for i := range next.Clauses {
			next.Clauses[i].ID = ""
		}
		out = append(out, next)
	}
	return out
}
