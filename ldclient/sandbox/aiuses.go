package sandbox

import (
	"encoding/json"
	"net/http"
	"time"
)

// usesOfTool lists the variations that offer a tool now.
func (p *project) usesOfTool(key string) []variationUse {
	var out []variationUse
	for _, c := range p.AIConfigs {
		for _, v := range c.Variations {
			for _, t := range v.latest().Tools {
				if t.Key == key {
					out = append(out, variationUse{c.Key, v.Key, t.Version})
				}
			}
		}
	}
	return out
}

func (a *Account) listAIToolReferences(w http.ResponseWriter, r *http.Request) {
	if p, t := a.namedAITool(w, r); t != nil {
		a.sendUses(w, r, p, t.Key, "tool", "toolVersion", p.usesOfTool(t.Key))
	}
}

func (a *Account) listSnippetReferences(w http.ResponseWriter, r *http.Request) {
	if p, s := a.namedSnippet(w, r); s != nil {
		a.sendUses(w, r, p, s.Key, "snippet", "resourceVersion", s.Uses)
	}
}

// sendUses answers with those of the uses whose variations are there.
func (a *Account) sendUses(w http.ResponseWriter, r *http.Request, p *project, key, kind, version string, uses []variationUse) {
	limit, offset, err := pageParams(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	reps := []any{}
	for _, u := range uses {
		c := p.aiConfig(u.Config)
		if c == nil || len(c.Variations) == 0 {
			continue
		}
		v := c.Variations[0].latest()
		if named := c.variation(u.Variation); named != nil {
			v = named.latest()
		} else if u.Variation != "" {
			continue
		}
		reps = append(reps, map[string]any{"aiConfigKey": c.Key, "aiConfigName": c.Name, "variationId": v.ID, "variationKey": v.Key, "variationName": v.Name, version: u.Version})
	}
	out := page(r, reps, limit, offset)
	out["resourceKey"], out["resourceType"] = key, kind
	send(w, http.StatusOK, out)
}

// mustBeAgent refuses what cannot be a node of a graph.
func (p *project) mustBeAgent(key string) *apiError {
	switch c := p.aiConfig(key); {
	case c == nil:
		return invalid("Unknown AI Config key %s", key)
	case c.Mode != "agent":
		return invalid("AI Config %s is not in agent mode", key)
	}
	return nil
}

// seedAgents adds the agents of the shop's graph, unless they are there.
func (a *Account) seedAgents(shop *project, ago func(time.Duration) int64) {
	for _, s := range []struct {
		key, name, variation, instructions string
		tools                              []aiToolUse
	}{
		{"support-agent", "Support agent", "polite", "Answer questions about orders politely.", []aiToolUse{{"search-orders", 2}, {"refund-order", 1}}},
		{"triage-agent", "Triage agent", "brief", "Find out what the customer wants.", []aiToolUse{{"search-orders", 1}}},
	} {
		if shop.aiConfig(s.key) != nil {
			continue
		}
		a.past = ago(45 * day)
		c := a.newAIConfig(shop, s.key, "agent", aiConfigSettings{Name: s.name})
		v := aiVersion{ID: a.uuid(), Key: s.variation, Version: 1, CreatedAt: a.past, PublishedAt: a.past, State: "published", aiVersionFields: aiVersionFields{
			Name: s.name, Instructions: &s.instructions, ModelConfigKey: "OpenAI.gpt-4o", Model: json.RawMessage(`{"modelName":"gpt-4o"}`), Tools: s.tools}}
		served := v.served("agent")
		served.ID = a.uuid()
		c.Variations = append(c.Variations, &aiVariation{Key: s.variation, Served: served.ID, Versions: []aiVersion{v}})
		c.Flag.Variations = append(c.Flag.Variations, served)
		shop.AIConfigs = append(shop.AIConfigs, c)
	}
}
