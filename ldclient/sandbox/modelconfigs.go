package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

func (a *Account) modelRoutes() {
	const models = "/projects/{project}/ai-configs/model-configs"
	a.route("GET "+models, a.listModels)
	a.route("POST "+models, a.createModel)
	a.route("GET "+models+"/{model}", a.getModel)
	a.route("DELETE "+models+"/{model}", a.deleteModel)
	a.route("POST "+models+"/restricted", a.restrictModels)
	a.route("DELETE "+models+"/restricted", a.restrictModels)
}

// modelConfig is a model that variations may use.
type modelConfig struct {
	Name       string          `json:"name"`
	Key        string          `json:"key"` // such as OpenAI.gpt-4o
	ID         string          `json:"id"`  // the provider's
	Icon       string          `json:"icon,omitempty"`
	Provider   string          `json:"provider,omitempty"`
	Global     bool            `json:"global"` // LaunchDarkly's own
	Params     json.RawMessage `json:"params,omitempty"`
	Custom     json.RawMessage `json:"customParams,omitempty"`
	Tags       []string        `json:"tags"`
	Version    int             `json:"version"`
	InputCost  *float64        `json:"costPerInputToken,omitempty"` // USD
	OutputCost *float64        `json:"costPerOutputToken,omitempty"`
	Restricted bool            `json:"isRestricted"`
}

// globalModels are those that every project has.
func globalModels() []*modelConfig {
	model := func(provider, id, name string, in, out float64) *modelConfig {
		return &modelConfig{Name: name, Key: provider + "." + id, ID: id, Icon: provider, Provider: provider, Global: true, Tags: []string{}, Version: 1,
			InputCost: &in, OutputCost: &out}
	}
	return []*modelConfig{
		model("OpenAI", "gpt-4o", "GPT-4o", 2.5e-6, 1e-5),
		model("OpenAI", "gpt-4o-mini", "GPT-4o mini", 1.5e-7, 6e-7),
		model("Anthropic", "claude-sonnet-4", "Claude Sonnet 4", 3e-6, 1.5e-5),
		model("Anthropic", "claude-haiku-3-5", "Claude Haiku 3.5", 8e-7, 4e-6),
	}
}

// modelConfigs are the models of a project: everybody's, and then its own.
func (p *project) modelConfigs() []*modelConfig {
	all := globalModels()
	for _, m := range p.Models {
		own := *m
		all = append(all, &own)
	}
	for _, m := range all {
		m.Restricted = slices.Contains(p.Restricted, m.Key)
	}
	return all
}

// modelConfig is the model with a key, nil where there is none.
func (p *project) modelConfig(key string) *modelConfig {
	all := p.modelConfigs()
	if i := slices.IndexFunc(all, func(m *modelConfig) bool { return m.Key == key }); i >= 0 {
		return all[i]
	}
	return nil
}

// listModels answers with all models at once, in no envelope.
func (a *Account) listModels(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	restricted := r.URL.Query().Get("restricted")
	only, err := strconv.ParseBool(restricted)
	if restricted != "" && err != nil {
		refuse(w, invalid("restricted must be true or false, not '%s'", restricted))
		return
	}
	send(w, http.StatusOK, slices.DeleteFunc(p.modelConfigs(), func(m *modelConfig) bool { return only && !m.Restricted }))
}

// namedModel finds the model named in the path; it answers and returns nil where there is none.
func (a *Account) namedModel(w http.ResponseWriter, r *http.Request) (*project, *modelConfig) {
	return inPath(a, w, r, "model config", "model", (*project).modelConfig)
}

func (a *Account) getModel(w http.ResponseWriter, r *http.Request) {
	if _, m := a.namedModel(w, r); m != nil {
		send(w, http.StatusOK, m)
	}
}

func (a *Account) createModel(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	var m modelConfig
	if err := decodeBody(r, &m); err != nil {
		badRequest(w, err)
		return
	}
	switch {
	case m.Key == "" || m.Name == "" || m.ID == "":
		refuse(w, invalid("key, name and id are required"))
		return
	case p.modelConfig(m.Key) != nil:
		refuse(w, conflict("A model config with key %s already exists", m.Key))
		return
	}
	m.Global, m.Restricted, m.Version, m.Tags = false, false, 1, filled(m.Tags)
	p.Models = append(p.Models, &m)
	a.recordPart(r, p, "ai-model-config", m.Key, m.Name, "createAIModelConfig", "created the AI model config", nil, &m)
	send(w, http.StatusOK, &m)
}

func (a *Account) deleteModel(w http.ResponseWriter, r *http.Request) {
	p, m := a.namedModel(w, r)
	switch {
	case m == nil:
		return
	case m.Global:
		fail(w, http.StatusForbidden, "forbidden", "A global model config cannot be deleted")
		return
	}
	p.Models = slices.DeleteFunc(p.Models, func(other *modelConfig) bool { return other.Key == m.Key })
	a.recordPart(r, p, "ai-model-config", m.Key, m.Name, "deleteAIModelConfig", "deleted the AI model config", m, nil)
	send(w, http.StatusNoContent, nil)
}

// restrictModels adds models to those that may not be used, or takes them out.
func (a *Account) restrictModels(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	var in struct {
		Keys []string `json:"keys"`
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	done, failed := []string{}, []any{}
	for _, key := range in.Keys {
		m := p.modelConfig(key)
		switch {
		case m == nil:
			failed = append(failed, map[string]any{"key": key, "message": "Unknown model config key " + key, "code": http.StatusNotFound})
			continue
		case r.Method == http.MethodDelete:
			p.Restricted = slices.DeleteFunc(p.Restricted, func(other string) bool { return other == key })
		case !m.Restricted:
			p.Restricted = append(p.Restricted, key)
		}
		done = append(done, key)
		restricted := p.modelConfig(key)
		a.recordPart(r, p, "ai-model-config", key, m.Name, "updateAIModelConfig", "updated the AI model config", m, restricted)
	}
	if r.Method == http.MethodDelete {
		send(w, http.StatusNoContent, nil)
		return
	}
	send(w, http.StatusOK, map[string]any{"successes": done, "errors": failed})
}

func (a *Account) seedModels(shop *project) {
	in, out := 3e-7, 1.2e-6
	shop.Models = []*modelConfig{{Name: "Shop summaries", Key: "shop-summaries", ID: "ft:gpt-4o-mini:shop:summaries", Provider: "OpenAI", Version: 1,
		Tags: []string{"tuned"}, Params: json.RawMessage(`{"temperature":0.2}`), InputCost: &in, OutputCost: &out}}
	shop.Restricted = []string{"OpenAI.gpt-4o-mini"}
}
