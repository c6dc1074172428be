package sandbox

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

func (a *Account) aiConfigRoutes() {
	const list = "/projects/{project}/ai-configs"
	a.route("GET "+list, a.listAIConfigs)
	a.route("POST "+list, a.createAIConfig)
	a.route("GET "+list+"/{config}", a.getAIConfig)
	a.route("PATCH "+list+"/{config}", a.patchAIConfig)
	a.route("DELETE "+list+"/{config}", a.deleteAIConfig)
	a.route("POST "+list+"/{config}/variations", a.createAIVariation)
	a.route("GET "+list+"/{config}/variations/{variation}", a.getAIVariation)
	a.route("PATCH "+list+"/{config}/variations/{variation}", a.patchAIVariation)
	a.route("DELETE "+list+"/{config}/variations/{variation}", a.deleteAIVariation)
	a.route("GET "+list+"/{config}/targeting", a.getAITargeting)
	a.route("PATCH "+list+"/{config}/targeting", a.patchAITargeting)
	a.route("GET "+list+"/{config}/metrics", a.aiMetrics)
	a.route("GET "+list+"/{config}/metrics-by-variation", a.aiMetricsByVariation)
}

// aiConfigState is what a project has of AI configs, in order of creation.
type aiConfigState struct {
	AIConfigs []*aiConfig
}

// aiConfig is a prompt with its model in variations, and the flag that serves them.
type aiConfig struct {
	Key               string
	Mode              string // agent, completion or judge
	Version           int
	Created, Updated  int64
	MaintainerID      string
	MaintainerTeamKey string
	Variations        []*aiVariation
	Usage             map[string]map[string]aiUsage // by environment and variation key
	Flag              *flag                         // not one of the project's flags; its first variation is the generated one
	aiConfigSettings

	// What a lagging account shows for a while, and how long it refuses to delete.
	shown       *aiConfig
	showing     int
	undeletable int
}

// aiConfigSettings is what a PATCH may change of an AI config.
type aiConfigSettings struct {
	Name                string   `json:"name"`
	Description         string   `json:"description"`
	Tags                []string `json:"tags"`
	EvaluationMetricKey string   `json:"evaluationMetricKey,omitempty"`
	IsInverted          bool     `json:"isInverted,omitempty"`
}

// LagAIConfigs makes changes of AI configs show late: after each one, so many
// reads of its AI config, or attempts to delete it, still find what was there before.
func (a *Account) LagAIConfigs(reads int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.aiLag = reads
}

func (p *project) aiConfig(key string) *aiConfig {
	i := slices.IndexFunc(p.AIConfigs, func(c *aiConfig) bool { return c.Key == key })
	if i < 0 {
		return nil
	}
	return p.AIConfigs[i]
}

// aiConfigNamed is the one in the path; it answers and returns nil where there is none.
func (a *Account) aiConfigNamed(w http.ResponseWriter, r *http.Request) (*project, *aiConfig) {
	return inPath(a, w, r, "AI Config", "config", (*project).aiConfig)
}

// aiConfigShown is aiConfigNamed for reads, which may lag behind.
func (a *Account) aiConfigShown(w http.ResponseWriter, r *http.Request) (*project, *aiConfig) {
	p, c := a.aiConfigNamed(w, r)
	if c != nil && c.showing > 0 {
		c.showing--
		return p, c.shown
	}
	return p, c
}

// changing keeps what the AI config is before a change, for reads that lag.
func (a *Account) changing(c *aiConfig) {
	if a.aiLag == 0 {
		return
	}
	if c.showing == 0 {
		old := *c
		old.shown = nil
		c.shown = copier{}.pointer(reflect.ValueOf(&old)).Interface().(*aiConfig)
	}
	c.showing = a.aiLag
}

func (c *aiConfig) spec(p *project) string { return p.spec() + ":aiconfig/" + c.Key }

func (a *Account) recordAIConfig(r *http.Request, p *project, c *aiConfig, action, verb, comment string, before, after json.RawMessage) {
	a.record(r, change{Kind: "aiconfig", Name: c.Name, Resource: c.spec(p), Actions: []string{action}, Verb: verb, Comment: comment,
		Before: before, After: after, ParentName: p.Name, Parent: p.spec()})
}

type aiConfigRep struct {
	Links links  `json:"_links"`
	Key   string `json:"key"`
	Mode  string `json:"mode"`
	aiConfigSettings
	Version      int            `json:"version"`
	CreatedAt    int64          `json:"createdAt"`
	UpdatedAt    int64          `json:"updatedAt"`
	Maintainer   map[string]any `json:"_maintainer,omitempty"`
	Variations   []aiVersion    `json:"variations"`
	Dependencies []aiDependency `json:"dependencies,omitempty"`
}

type aiDependency struct {
	Type string `json:"type"`
	Key  string `json:"key"`
}

func (a *Account) aiConfigRep(p *project, c *aiConfig) aiConfigRep {
	rep := aiConfigRep{
		Links: links{"self": linkTo("projects", p.Key, "ai-configs", c.Key), "parent": linkTo("projects", p.Key, "ai-configs")},
		Key:   c.Key, Mode: c.Mode, aiConfigSettings: c.aiConfigSettings, Version: c.Version, CreatedAt: c.Created, UpdatedAt: c.Updated,
		Variations: []aiVersion{}, Dependencies: p.aiDependencies(c.Key),
	}
	for _, v := range c.Variations {
		rep.Variations = append(rep.Variations, v.latest())
	}
	if m := a.maintainer(c.MaintainerID); m != nil {
		rep.Maintainer = map[string]any{"kind": "member", "_id": m.ID, "email": m.Email, "firstName": m.FirstName, "lastName": m.LastName, "role": m.Role}
	} else if t := a.maintainerTeam(c.MaintainerTeamKey); t != nil {
		rep.Maintainer = map[string]any{"kind": "aiConfigsTeam", "key": t.Key, "name": t.Name}
	}
	return rep
}

func (a *Account) listAIConfigs(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	found, err := filterAndSort(r, p.AIConfigs, nil, nil)
	if err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, found, anyLimit, func(c *aiConfig) aiConfigRep { return a.aiConfigRep(p, c) })
}

func (a *Account) getAIConfig(w http.ResponseWriter, r *http.Request) {
	if p, c := a.aiConfigShown(w, r); c != nil {
		send(w, http.StatusOK, a.aiConfigRep(p, c))
	}
}

// check says what is wrong with the settings of an AI config.
func (s aiConfigSettings) check() *apiError {
	if strings.TrimSpace(s.Name) == "" || len(s.Name) > 256 {
		return invalid("name must have 1 to 256 characters")
	}
	return checkTags(s.Tags)
}

func (a *Account) createAIConfig(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	in := struct {
		Key               string         `json:"key"`
		Mode              string         `json:"mode"`
		Description       *string        `json:"description"`
		MaintainerID      string         `json:"maintainerId"`
		MaintainerTeamKey string         `json:"maintainerTeamKey"`
		DefaultVariation  *aiVersionPost `json:"defaultVariation"`
		aiConfigSettings
	}{Mode: "completion"}
	err := decodeBody(r, &in)
	if err == nil {
		err = checkKey(in.Key, 256)
	}
	if err != nil {
		badRequest(w, err)
		return
	}
	if in.Description != nil {
		in.aiConfigSettings.Description = *in.Description
	}
	var refused *apiError
	switch {
	case !slices.Contains([]string{"agent", "completion", "judge"}, in.Mode):
		refused = invalid("mode must be one of agent, completion, judge, not '%s'", in.Mode)
	case in.Description != nil && *in.Description == "":
		refused = invalid("description must not be empty")
	case p.aiConfig(in.Key) != nil || p.flag(in.Key) != nil:
		refused = conflict("An AI Config or flag with the key '%s' already exists in project '%s'", in.Key, p.Key)
	default:
		refused = in.check()
	}
	c := a.newAIConfig(p, in.Key, in.Mode, in.aiConfigSettings)
	if refused == nil && in.DefaultVariation != nil {
		_, refused = a.addAIVariation(p, c, *in.DefaultVariation)
	}
	if refused != nil {
		refuse(w, refused)
		return
	}
	c.MaintainerID, c.MaintainerTeamKey = in.MaintainerID, in.MaintainerTeamKey
	p.AIConfigs = append(p.AIConfigs, c)
	a.recordAIConfig(r, p, c, "createAIConfig", "created the AI config", "", nil, jsonValue(a.aiConfigRep(p, c)))
	send(w, http.StatusCreated, a.aiConfigRep(p, c))
}

// newAIConfig is an AI config that serves nothing but its generated variation.
func (a *Account) newAIConfig(p *project, key, mode string, s aiConfigSettings) *aiConfig {
	s.Tags = filled(s.Tags)
	now := a.tick()
	f := &flag{Key: key, Name: s.Name, Kind: "multivariate", Version: 1, CreationDate: now, Tags: s.Tags,
		Variations:   []variation{{Name: "disabled", Value: json.RawMessage(`{"_ldMeta":{"enabled":false}}`)}},
		Environments: map[string]*flagConfig{}}
	for _, e := range p.Envs {
		f.Environments[e.Key] = a.newAITargeting(f, e)
	}
	a.completeFlag(f)
	return &aiConfig{Key: key, Mode: mode, Version: 1, Created: now, Updated: now, aiConfigSettings: s, Flag: f}
}

func (a *Account) patchAIConfig(w http.ResponseWriter, r *http.Request) {
	p, c := a.aiConfigNamed(w, r)
	if c == nil {
		return
	}
	in := struct {
		MaintainerID      *string `json:"maintainerId"`
		MaintainerTeamKey *string `json:"maintainerTeamKey"`
		aiConfigSettings
	}{aiConfigSettings: c.aiConfigSettings}
	in.Tags = slices.Clone(in.Tags)
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	if err := in.check(); err != nil {
		refuse(w, err)
		return
	}
	a.changing(c)
	before := jsonValue(a.aiConfigRep(p, c))
	c.aiConfigSettings = in.aiConfigSettings
	c.Tags = filled(c.Tags)
	if in.MaintainerID != nil {
		c.MaintainerID, c.MaintainerTeamKey = *in.MaintainerID, ""
	}
	if in.MaintainerTeamKey != nil {
		c.MaintainerID, c.MaintainerTeamKey = "", *in.MaintainerTeamKey
	}
	c.Version++
	c.Updated = a.tick()
	c.Flag.Name, c.Flag.Tags = c.Name, c.Tags
	a.recordAIConfig(r, p, c, "updateAIConfig", "updated the AI config", "", before, jsonValue(a.aiConfigRep(p, c)))
	send(w, http.StatusOK, a.aiConfigRep(p, c))
}

func (a *Account) deleteAIConfig(w http.ResponseWriter, r *http.Request) {
	p, c := a.aiConfigNamed(w, r)
	if c == nil {
		return
	}
	if c.undeletable > 0 || len(p.aiDependencies(c.Key)) > 0 {
		c.undeletable = max(0, c.undeletable-1)
		refuse(w, invalid("Could not delete AI Config '%s'", c.Key))
		return
	}
	a.tick()
	p.AIConfigs = slices.DeleteFunc(p.AIConfigs, func(other *aiConfig) bool { return other == c })
	a.recordAIConfig(r, p, c, "deleteAIConfig", "deleted the AI config", "", jsonValue(a.aiConfigRep(p, c)), nil)
	send(w, http.StatusNoContent, nil)
}
