package sandbox

import "net/http"

// usesOfTool lists the variations that offer a tool.
func (p *project) usesOfTool(key string) []variationUse { return nil }

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

func (a *Account) sendUses(w http.ResponseWriter, r *http.Request, p *project, key, kind, version string, uses []variationUse) {
	limit, offset, err := pageParams(r)
	if err != nil {
		badRequest(w, err)
		return
	}
	reps := []any{}
	for _, u := range uses {
		reps = append(reps, map[string]any{"aiConfigKey": u.Config, "aiConfigName": u.Config, "variationId": u.Config + "." + u.Variation,
			"variationKey": u.Variation, "variationName": u.Variation, version: u.Version})
	}
	out := page(r, reps, limit, offset)
	out["resourceKey"], out["resourceType"] = key, kind
	send(w, http.StatusOK, out)
}

// mustBeAgent refuses what cannot be a node of a graph.
func (p *project) mustBeAgent(key string) *apiError { return nil }
