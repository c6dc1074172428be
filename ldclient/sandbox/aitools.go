package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// aiToolState is what a project has of them.
type aiToolState struct {
	Tools      []*aiTool        // in order of creation
	Snippets   []*promptSnippet // in order of creation
	Models     []*modelConfig   // the project's own
	Restricted []string         // keys of models that may not be used
}

func (a *Account) aiToolRoutes() {
	const tools = "/projects/{project}/ai-tools"
	a.route("GET "+tools, a.listAITools)
	a.route("POST "+tools, a.createAITool)
	a.route("GET "+tools+"/{tool}", a.getAITool)
	a.route("PATCH "+tools+"/{tool}", a.updateAITool)
	a.route("DELETE "+tools+"/{tool}", a.deleteAITool)
	a.route("GET "+tools+"/{tool}/versions", a.listAIToolVersions)
	a.route("GET "+tools+"/{tool}/references", a.listAIToolReferences)
	a.snippetRoutes()
	a.modelRoutes()
}

// aiTool is a function that AI configs offer to a model.
type aiTool struct {
	Key      string
	Versions []aiToolVersion // oldest first
	maintained
}

type aiToolVersion struct {
	Version     int
	Created     int64
	Description string
	Schema      json.RawMessage // a JSON object
	Custom      json.RawMessage // customParameters; nil where there are none
}

// latest is the version that is shown, and that a variation gets which asks for no other.
func (t *aiTool) latest() aiToolVersion { return t.Versions[len(t.Versions)-1] }

// maintained is who looks after something: a member, a team or nobody.
type maintained struct{ MaintainerID, MaintainerTeam string }

func (a *Account) maintainerOf(m maintained) any {
	if who := a.maintainer(m.MaintainerID); who != nil {
		return struct {
			Kind string `json:"kind"`
			memberSummary
		}{"member", who.summary()}
	}
	if t := a.maintainerTeam(m.MaintainerTeam); t != nil {
		return map[string]string{"kind": "team", "key": t.Key, "name": t.Name}
	}
	return nil
}

// maintain changes the maintainer by what a request gives; "" leaves nobody.
func (a *Account) maintain(m *maintained, id, team *string) *apiError {
	switch {
	case id != nil && *id != "" && team != nil && *team != "":
		return invalid("Only one of maintainerId and maintainerTeamKey can be set")
	case id != nil && *id != "" && a.maintainer(*id) == nil:
		return invalid("Unknown maintainerId %s", *id)
	case team != nil && *team != "" && a.maintainerTeam(*team) == nil:
		return invalid("Unknown maintainerTeamKey %s", *team)
	case id != nil && *id != "":
		*m = maintained{MaintainerID: *id}
	case team != nil && *team != "":
		*m = maintained{MaintainerTeam: *team}
	case id != nil || team != nil:
		*m = maintained{}
	}
	return nil
}

// aiTool is the tool with a key, nil where there is none.
func (p *project) aiTool(key string) *aiTool {
	if i := slices.IndexFunc(p.Tools, func(t *aiTool) bool { return t.Key == key }); i >= 0 {
		return p.Tools[i]
	}
	return nil
}

type aiToolRep struct {
	Links       links           `json:"_links"`
	Key         string          `json:"key"`
	Maintainer  any             `json:"_maintainer,omitempty"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema"`
	Custom      json.RawMessage `json:"customParameters,omitempty"`
	Version     int             `json:"version"`
	CreatedAt   int64           `json:"createdAt"`
}

func (a *Account) aiToolRep(p *project, t *aiTool, v aiToolVersion) aiToolRep {
	return aiToolRep{links{"self": linkTo("projects", p.Key, "ai-tools", t.Key), "parent": linkTo("projects", p.Key, "ai-tools")},
		t.Key, a.maintainerOf(t.maintained), v.Description, v.Schema, v.Custom, v.Version, v.Created}
}

// namedAITool finds the tool named in the path; it answers and returns nil where there is none.
func (a *Account) namedAITool(w http.ResponseWriter, r *http.Request) (*project, *aiTool) {
	return inPath(a, w, r, "AI tool", "tool", (*project).aiTool)
}

var aiToolSorts = map[string]func(a, b *aiTool) int{
	"key":       func(a, b *aiTool) int { return cmp.Compare(a.Key, b.Key) },
	"createdAt": func(a, b *aiTool) int { return cmp.Compare(a.Versions[0].Created, b.Versions[0].Created) },
}

func (a *Account) listAITools(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	found, err := filterAndSort(r, p.Tools, func(t *aiTool, f fieldFilter) (bool, error) {
		if f.field != "query" {
			return false, fmt.Errorf("invalid filter field %q", f.field)
		}
		return containsFold(t.Key, f.value) || containsFold(t.latest().Description, f.value), nil
	}, aiToolSorts)
	if err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, found, anyLimit, func(t *aiTool) aiToolRep { return a.aiToolRep(p, t, t.latest()) })
}

func (a *Account) getAITool(w http.ResponseWriter, r *http.Request) {
	if p, t := a.namedAITool(w, r); t != nil {
		send(w, http.StatusOK, a.aiToolRep(p, t, t.latest()))
	}
}

func (a *Account) listAIToolVersions(w http.ResponseWriter, r *http.Request) {
	if p, t := a.namedAITool(w, r); t != nil {
		sendPage(w, r, t.Versions, anyLimit, func(v aiToolVersion) aiToolRep { return a.aiToolRep(p, t, v) })
	}
}

type aiToolFields struct {
	Description    *string         `json:"description"`
	Schema         json.RawMessage `json:"schema"`
	Custom         json.RawMessage `json:"customParameters"`
	MaintainerID   *string         `json:"maintainerId"`
	MaintainerTeam *string         `json:"maintainerTeamKey"`
}

// into is a tool's next version by these fields.
func (in aiToolFields) into(v aiToolVersion) (aiToolVersion, *apiError) {
	if in.Description != nil {
		v.Description = *in.Description
	}
	for _, x := range []struct {
		name string
		from json.RawMessage
		to   *json.RawMessage
	}{{"schema", in.Schema, &v.Schema}, {"customParameters", in.Custom, &v.Custom}} {
		if x.from == nil {
			continue
		}
		if !isObject(x.from) {
			return v, invalid("%s must be a JSON object", x.name)
		}
		*x.to = x.from
	}
	return v, nil
}

func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

func (a *Account) createAITool(w http.ResponseWriter, r *http.Request) {
	p, key, in := posted[aiToolFields](a, w, r)
	if p == nil {
		return
	}
	t := &aiTool{Key: key}
	v, err := in.into(aiToolVersion{Version: 1})
	switch {
	case err != nil:
	case v.Schema == nil:
		err = invalid("schema is required")
	case p.aiTool(key) != nil:
		err = conflict("An AI tool with key %s already exists", key)
	default:
		err = a.maintain(&t.maintained, in.MaintainerID, in.MaintainerTeam)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	v.Created = a.tick()
	t.Versions = []aiToolVersion{v}
	p.Tools = append(p.Tools, t)
	rep := a.aiToolRep(p, t, v)
	a.recordAITool(r, p, t, "createAITool", "created the AI tool", nil, rep)
	send(w, http.StatusCreated, rep)
}

func (a *Account) updateAITool(w http.ResponseWriter, r *http.Request) {
	p, t := a.namedAITool(w, r)
	if t == nil {
		return
	}
	var in aiToolFields
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	before := a.aiToolRep(p, t, t.latest())
	v, err := in.into(t.latest())
	if err == nil {
		err = a.maintain(&t.maintained, in.MaintainerID, in.MaintainerTeam)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	v.Version, v.Created = v.Version+1, a.tick()
	t.Versions = append(t.Versions, v)
	after := a.aiToolRep(p, t, v)
	a.recordAITool(r, p, t, "updateAITool", "updated the AI tool", before, after)
	send(w, http.StatusOK, after)
}

// deleteAITool leaves the variations that name the tool as they are.
func (a *Account) deleteAITool(w http.ResponseWriter, r *http.Request) {
	p, t := a.namedAITool(w, r)
	if t == nil {
		return
	}
	p.Tools = slices.DeleteFunc(p.Tools, func(other *aiTool) bool { return other == t })
	a.recordAITool(r, p, t, "deleteAITool", "deleted the AI tool", a.aiToolRep(p, t, t.latest()), nil)
	send(w, http.StatusNoContent, nil)
}

func (a *Account) recordAITool(r *http.Request, p *project, t *aiTool, action, verb string, before, after any) {
	a.recordPart(r, p, "ai-tool", t.Key, t.Key, action, verb, before, after)
}

// recordPart records a change of something that a project has, whatever its environments.
func (a *Account) recordPart(r *http.Request, p *project, kind, key, name, action, verb string, before, after any) {
	written := func(v any) json.RawMessage {
		if v == nil {
			return nil
		}
		return jsonValue(v)
	}
	a.record(r, change{Kind: kind, Name: name, Resource: p.spec() + ":" + kind + "/" + key, Actions: []string{action}, Verb: verb,
		Before: written(before), After: written(after), ParentName: p.Name, Parent: p.spec()})
}

func (a *Account) seedAITools(shop *project, ago func(time.Duration) int64) {
	tool := func(key string, texts ...string) {
		t := &aiTool{Key: key, maintained: maintained{MaintainerTeam: "checkout"}}
		for i := 0; i < len(texts); i += 2 {
			t.Versions = append(t.Versions, aiToolVersion{Version: i/2 + 1, Created: ago(time.Duration(60-10*i) * day), Description: texts[i], Schema: json.RawMessage(texts[i+1])})
		}
		shop.Tools = append(shop.Tools, t)
	}
	tool("search-orders",
		"Finds a customer's orders", `{"type":"object","properties":{"customer":{"type":"string"}},"required":["customer"]}`,
		"Finds a customer's orders, latest first", `{"type":"object","properties":{"customer":{"type":"string"},"limit":{"type":"integer","minimum":1,"maximum":50}},"required":["customer"]}`)
	tool("refund-order",
		"Gives the money for an order back", `{"type":"object","properties":{"order":{"type":"string"},"reason":{"type":"string"}},"required":["order","reason"]}`)
	tool("track-parcel",
		"Tells where a parcel is", `{"type":"object","properties":{"parcel":{"type":"string"}},"required":["parcel"]}`)
	shop.aiTool("refund-order").Versions[0].Custom = json.RawMessage(`{"approval":"supervisor"}`)
	a.seedAgents(shop, ago)
	a.seedSnippets(shop, ago)
	a.seedModels(shop)
}
