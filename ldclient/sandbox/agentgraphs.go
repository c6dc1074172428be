package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// agentGraphState is what a project has of them.
type agentGraphState struct {
	Graphs []*agentGraph // in order of creation
}

func (a *Account) agentGraphRoutes() {
	const graphs = "/projects/{project}/agent-graphs"
	a.route("GET "+graphs, a.listAgentGraphs)
	a.route("POST "+graphs, a.createAgentGraph)
	a.route("GET "+graphs+"/{graph}", a.getAgentGraph)
	a.route("PATCH "+graphs+"/{graph}", a.updateAgentGraph)
	a.route("DELETE "+graphs+"/{graph}", a.deleteAgentGraph)
}

// agentGraph tells which agents hand over to which.
type agentGraph struct {
	Key                     string
	Name, Description, Root string
	Edges                   []agentEdge
	Created, Updated        int64
	maintained
}

type agentEdge struct {
	Key     string          `json:"key"`
	Source  string          `json:"sourceConfig"`
	Target  string          `json:"targetConfig"`
	Handoff json.RawMessage `json:"handoff,omitempty"`
}

type agentGraphRep struct {
	Key         string      `json:"key"`
	Name        string      `json:"name"`
	Description string      `json:"description,omitempty"`
	Maintainer  any         `json:"_maintainer,omitempty"`
	Root        string      `json:"rootConfigKey,omitempty"`
	Edges       []agentEdge `json:"edges,omitempty"`
	Created     int64       `json:"createdAt"`
	Updated     int64       `json:"updatedAt"`
}

func (a *Account) agentGraphRep(g *agentGraph) agentGraphRep {
	return agentGraphRep{g.Key, g.Name, g.Description, a.maintainerOf(g.maintained), g.Root, g.Edges, g.Created, g.Updated}
}

func (p *project) agentGraph(key string) *agentGraph {
	if i := slices.IndexFunc(p.Graphs, func(g *agentGraph) bool { return g.Key == key }); i >= 0 {
		return p.Graphs[i]
	}
	return nil
}

// graphsWith lists the keys of the graphs that a config is in.
func (p *project) graphsWith(config string) []string {
	var out []string
	for _, g := range p.Graphs {
		if g.Root == config || slices.ContainsFunc(g.Edges, func(e agentEdge) bool { return e.Source == config || e.Target == config }) {
			out = append(out, g.Key)
		}
	}
	return out
}

// namedAgentGraph finds the graph named in the path; it answers and returns nil where there is none.
func (a *Account) namedAgentGraph(w http.ResponseWriter, r *http.Request) (*project, *agentGraph) {
	return inPath(a, w, r, "agent graph", "graph", (*project).agentGraph)
}

// listAgentGraphs leaves the edges out.
func (a *Account) listAgentGraphs(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil {
		return
	}
	sendPage(w, r, p.Graphs, anyLimit, func(g *agentGraph) agentGraphRep {
		rep := a.agentGraphRep(g)
		rep.Edges = nil
		return rep
	})
}

func (a *Account) getAgentGraph(w http.ResponseWriter, r *http.Request) {
	if _, g := a.namedAgentGraph(w, r); g != nil {
		send(w, http.StatusOK, a.agentGraphRep(g))
	}
}

type agentGraphFields struct {
	Name           *string      `json:"name"`
	Description    *string      `json:"description"`
	Root           *string      `json:"rootConfigKey"`
	Edges          *[]agentEdge `json:"edges"`
	MaintainerID   *string      `json:"maintainerId"`
	MaintainerTeam *string      `json:"maintainerTeamKey"`
}

// maxGraph bounds a graph, in bytes of JSON.
const maxGraph = 256 << 10

// into changes a graph of this project.
func (in agentGraphFields) into(p *project, g *agentGraph) *apiError {
	given(&g.Name, in.Name)
	given(&g.Description, in.Description)
	switch {
	case strings.TrimSpace(g.Name) == "":
		return invalid("name is required")
	case (in.Root == nil) != (in.Edges == nil):
		return invalid("rootConfigKey and edges must be given together")
	case in.Root == nil:
		return nil
	}
	seen := map[string]bool{}
	for _, e := range *in.Edges {
		switch {
		case e.Key == "" || e.Source == "" || e.Target == "":
			return invalid("an edge needs key, sourceConfig and targetConfig")
		case seen[e.Key]:
			return invalid("edge key %s is used more than once", e.Key)
		case len(e.Handoff) > 0 && !isObject(e.Handoff):
			return invalid("handoff must be a JSON object")
		}
		seen[e.Key] = true
		if err := cmpError(p.mustBeAgent(e.Source), p.mustBeAgent(e.Target)); err != nil {
			return err
		}
	}
	if err := p.mustBeAgent(*in.Root); err != nil {
		return err
	}
	g.Root, g.Edges = *in.Root, *in.Edges
	if len(jsonValue(g.Edges)) > maxGraph {
		return &apiError{http.StatusRequestEntityTooLarge, "payload_too_large", "The agent graph is too large"}
	}
	return nil
}

func cmpError(errs ...*apiError) *apiError {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *Account) createAgentGraph(w http.ResponseWriter, r *http.Request) {
	p, key, in := posted[agentGraphFields](a, w, r)
	if p == nil {
		return
	}
	g := &agentGraph{Key: key}
	err := in.into(p, g)
	if err == nil && p.agentGraph(key) != nil {
		err = conflict("An agent graph with key %s already exists", key)
	}
	if err == nil {
		err = a.maintain(&g.maintained, in.MaintainerID, in.MaintainerTeam)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	g.Created = a.tick()
	g.Updated = g.Created
	p.Graphs = append(p.Graphs, g)
	rep := a.agentGraphRep(g)
	a.recordPart(r, p, "agent-graph", g.Key, g.Name, "createAgentGraph", "created the agent graph", nil, rep)
	send(w, http.StatusCreated, rep)
}

func (a *Account) updateAgentGraph(w http.ResponseWriter, r *http.Request) {
	p, g := a.namedAgentGraph(w, r)
	if g == nil {
		return
	}
	var in agentGraphFields
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	next := *g
	err := in.into(p, &next)
	if err == nil {
		err = a.maintain(&next.maintained, in.MaintainerID, in.MaintainerTeam)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	before := a.agentGraphRep(g)
	next.Updated = a.tick()
	*g = next
	after := a.agentGraphRep(g)
	a.recordPart(r, p, "agent-graph", g.Key, g.Name, "updateAgentGraph", "updated the agent graph", before, after)
	send(w, http.StatusOK, after)
}

func (a *Account) deleteAgentGraph(w http.ResponseWriter, r *http.Request) {
	p, g := a.namedAgentGraph(w, r)
	if g == nil {
		return
	}
	p.Graphs = slices.DeleteFunc(p.Graphs, func(other *agentGraph) bool { return other == g })
	a.recordPart(r, p, "agent-graph", g.Key, g.Name, "deleteAgentGraph", "deleted the agent graph", a.agentGraphRep(g), nil)
	send(w, http.StatusNoContent, nil)
}

func (a *Account) seedAgentGraphs(shop *project, ago func(time.Duration) int64) {
	shop.Graphs = []*agentGraph{
		{Key: "support", Name: "Customer support", Description: "Sorts what customers ask and answers it", Root: "triage-agent", Created: ago(40 * day), Updated: ago(12 * day),
			maintained: maintained{MaintainerTeam: "checkout"},
			Edges: []agentEdge{
				{"to-support", "triage-agent", "support-agent", json.RawMessage(`{"when":"the customer asks about an order"}`)},
				{"back", "support-agent", "triage-agent", nil},
			}},
		{Key: "returns", Name: "Returns", Created: ago(5 * day), Updated: ago(5 * day)},
	}
}
