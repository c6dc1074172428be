package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// aiVariation is one variation of an AI config in all its versions, oldest first.
type aiVariation struct {
	Key      string
	Served   string // id of the variation that the flag serves
	Versions []aiVersion
}

func (v *aiVariation) latest() aiVersion { return v.Versions[len(v.Versions)-1] }

// aiVersion is one version of a variation.
type aiVersion struct {
	ID          string `json:"_id"`
	Key         string `json:"key"`
	Version     int    `json:"version"`
	CreatedAt   int64  `json:"createdAt"`
	PublishedAt int64  `json:"_publishedAt,omitempty"`
	ArchivedAt  int64  `json:"_archivedAt,omitempty"`
	State       string `json:"state"`
	aiVersionFields
}

// aiVersionFields is what a request sets of a version.
type aiVersionFields struct {
	Name           string          `json:"name"`
	Comment        string          `json:"comment,omitempty"`
	Description    *string         `json:"description,omitempty"`
	Instructions   *string         `json:"instructions,omitempty"`
	Messages       []aiMessage     `json:"messages,omitempty"`
	Model          json.RawMessage `json:"model"`
	ModelConfigKey string          `json:"modelConfigKey,omitempty"`
	Tools          []aiToolUse     `json:"tools,omitempty"`
	Judges         *aiJudges       `json:"judgeConfiguration,omitempty"`
}

type aiMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type aiToolUse struct {
	Key     string `json:"key"`
	Version int    `json:"version"`
}

type aiJudges struct {
	Judges []aiJudge `json:"judges"`
}

type aiJudge struct {
	Key  string  `json:"judgeConfigKey"`
	Rate float64 `json:"samplingRate"`
}

// aiVersionPost is a version as a request asks for it; toolKeys is taken and ignored.
type aiVersionPost struct {
	Key      string   `json:"key"`
	State    string   `json:"state"`
	ToolKeys []string `json:"toolKeys"`
	aiVersionFields
}

func (c *aiConfig) variation(key string) *aiVariation {
	i := slices.IndexFunc(c.Variations, func(v *aiVariation) bool { return v.Key == key })
	if i < 0 {
		return nil
	}
	return c.Variations[i]
}

// check says what is wrong with a version of a variation of this AI config.
func (f aiVersionFields) check(p *project, c *aiConfig) *apiError {
	if strings.TrimSpace(f.Name) == "" {
		return invalid("name is required")
	}
	if c.Mode == "agent" && len(f.Messages) > 0 {
		return invalid("messages are not allowed in agent mode")
	}
	if c.Mode != "agent" && f.Instructions != nil && *f.Instructions != "" {
		return invalid("instructions are only allowed in agent mode")
	}
	var model map[string]any
	if json.Unmarshal(f.Model, &model) != nil {
		return invalid("model must be an object")
	}
	for _, m := range f.Messages {
		if !slices.Contains([]string{"system", "user", "assistant"}, m.Role) {
			return invalid("invalid message role '%s'", m.Role)
		}
	}
	if f.Judges != nil {
		for _, j := range f.Judges.Judges {
			if judge := p.aiConfig(j.Key); judge == nil || judge.Mode != "judge" {
				return invalid("'%s' is not an AI Config in judge mode", j.Key)
			}
			if j.Rate < 0 || j.Rate > 1 {
				return invalid("samplingRate must be between 0 and 1")
			}
		}
	}
	return p.checkAIResources(f)
}

// served is what the flag serves for a version.
func (v aiVersion) served(mode string) variation {
	value := map[string]any{"_ldMeta": map[string]any{"enabled": true, "variationKey": v.Key, "version": v.Version, "mode": mode}, "model": v.Model}
	if v.Instructions != nil {
		value["instructions"] = *v.Instructions
	}
	if len(v.Messages) > 0 {
		value["messages"] = v.Messages
	}
	return variation{Name: v.Name, Value: jsonValue(value)}
}

// addAIVariation adds a variation, which nobody gets before the targeting says so.
func (a *Account) addAIVariation(p *project, c *aiConfig, in aiVersionPost) (*aiVariation, *apiError) {
	if err := checkKey(in.Key, 256); err != nil {
		return nil, invalid("%v", err)
	}
	if c.variation(in.Key) != nil {
		return nil, conflict("A variation with the key '%s' already exists", in.Key)
	}
	if in.Model == nil {
		in.Model = json.RawMessage("{}")
	}
	if err := in.check(p, c); err != nil {
		return nil, err
	}
	now := a.tick()
	v := &aiVariation{Key: in.Key, Served: a.uuid()}
	v.Versions = []aiVersion{{ID: a.uuid(), Key: in.Key, Version: 1, CreatedAt: now, PublishedAt: now, State: "published", aiVersionFields: in.aiVersionFields}}
	c.Variations = append(c.Variations, v)
	s := v.latest().served(c.Mode)
	s.ID = v.Served
	c.Flag.Variations = append(c.Flag.Variations, s)
	c.Flag.Version++
	return v, nil
}

func (a *Account) createAIVariation(w http.ResponseWriter, r *http.Request) {
	p, c := a.aiConfigNamed(w, r)
	if c == nil {
		return
	}
	var in aiVersionPost
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	a.changing(c)
	v, err := a.addAIVariation(p, c, in)
	if err != nil {
		c.showing = 0
		refuse(w, err)
		return
	}
	c.Updated = a.tick()
	a.recordAIConfig(r, p, c, "updateAIConfigVariation", "added a variation to the AI config", in.Comment, nil, jsonValue(v.latest()))
	send(w, http.StatusCreated, v.latest())
}

// aiVariationNamed is the one in the path; it answers and returns nil where there is none.
func aiVariationNamed(w http.ResponseWriter, r *http.Request, c *aiConfig) *aiVariation {
	v := c.variation(r.PathValue("variation"))
	if v == nil {
		fail(w, http.StatusNotFound, "not_found", "Unknown AI Config variation key "+r.PathValue("variation"))
	}
	return v
}

// getAIVariation lists every version of a variation, without what an agent is told.
func (a *Account) getAIVariation(w http.ResponseWriter, r *http.Request) {
	_, c := a.aiConfigShown(w, r)
	if c == nil {
		return
	}
	v := aiVariationNamed(w, r, c)
	if v == nil {
		return
	}
	items := slices.Clone(v.Versions)
	for i := range items {
		items[i].Description, items[i].Instructions = nil, nil
	}
	send(w, http.StatusOK, map[string]any{"items": items, "totalCount": len(items)})
}

func (a *Account) patchAIVariation(w http.ResponseWriter, r *http.Request) {
	p, c := a.aiConfigNamed(w, r)
	if c == nil {
		return
	}
	v := aiVariationNamed(w, r, c)
	if v == nil {
		return
	}
	now := v.latest()
	in := aiVersionPost{State: now.State, aiVersionFields: now.aiVersionFields}
	in.Comment, in.Judges, in.Messages, in.Tools = "", nil, nil, nil // nothing is decoded into what was there
	in.Model, in.Instructions, in.Description = nil, nil, nil
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	if in.Judges == nil {
		in.Judges = now.Judges
	}
	if in.Messages == nil {
		in.Messages = now.Messages
	}
	if in.Tools == nil {
		in.Tools = now.Tools
	}
	if in.Model == nil {
		in.Model = now.Model
	}
	in.Instructions, in.Description = cmp.Or(in.Instructions, now.Instructions), cmp.Or(in.Description, now.Description)
	if !slices.Contains([]string{"published", "archived"}, in.State) {
		refuse(w, invalid("state must be archived or published, not '%s'", in.State))
		return
	}
	if err := in.check(p, c); err != nil {
		refuse(w, err)
		return
	}
	a.changing(c)
	next := aiVersion{ID: a.uuid(), Key: v.Key, Version: now.Version + 1, CreatedAt: a.tick(), PublishedAt: now.PublishedAt, State: in.State, aiVersionFields: in.aiVersionFields}
	if in.State == "archived" {
		next.ArchivedAt = next.CreatedAt
	}
	v.Versions = append(v.Versions, next)
	s := next.served(c.Mode)
	s.ID = v.Served
	c.Flag.Variations[c.Flag.variationIndex(v.Served)] = s
	c.Flag.Version++
	c.Updated = next.CreatedAt
	a.recordAIConfig(r, p, c, "updateAIConfigVariation", "updated a variation of the AI config", in.Comment, jsonValue(now), jsonValue(next))
	send(w, http.StatusOK, next)
}

func (a *Account) deleteAIVariation(w http.ResponseWriter, r *http.Request) {
	p, c := a.aiConfigNamed(w, r)
	if c == nil {
		return
	}
	v := aiVariationNamed(w, r, c)
	if v == nil {
		return
	}
	at := c.Flag.variationIndex(v.Served)
	for _, e := range p.Envs {
		if c.Flag.Environments[e.Key] != nil && c.Flag.Environments[e.Key].used(at) {
			refuse(w, invalid("variation '%s' is in use in environment '%s'", v.Key, e.Key))
			return
		}
	}
	a.changing(c)
	c.undeletable = a.aiLag
	for _, e := range p.Envs {
		if k := c.Flag.Environments[e.Key]; k != nil {
			k.forget(at)
		}
	}
	c.Flag.Variations = slices.Delete(c.Flag.Variations, at, at+1)
	c.Flag.Version++
	c.Variations = slices.DeleteFunc(c.Variations, func(other *aiVariation) bool { return other == v })
	c.Updated = a.tick()
	a.recordAIConfig(r, p, c, "deleteAIConfigVariation", "deleted a variation of the AI config", "", jsonValue(v.latest()), nil)
	send(w, http.StatusNoContent, nil)
}
