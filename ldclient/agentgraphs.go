package ldclient

import (
	"context"
	"encoding/json"
	"net/http"
)

// AgentGraphsService reads and changes agent graphs.
type AgentGraphsService service

// AgentGraph tells which agents hand over to which.
type AgentGraph struct {
	Key         string      `json:"key"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Root        string      `json:"rootConfigKey"` // "" for a graph that is yet to be drawn
	Edges       []AgentEdge `json:"edges"`         // not in lists
	UpdatedAt   int64       `json:"updatedAt"`
}

func (g *AgentGraph) missing() string {
	if g.Key == "" {
		return "agent graph"
	}
	return ""
}

// AgentEdge leads from one agent's AI config to another's.
type AgentEdge struct {
	Key     string          `json:"key"`
	Source  string          `json:"sourceConfig"`
	Target  string          `json:"targetConfig"`
	Handoff json.RawMessage `json:"handoff,omitempty"`
}

// AgentGraphFields are what creating and updating a graph set; what is nil stays
// as it is. Root and Edges replace the whole graph and go together.
type AgentGraphFields struct {
	Key         string       `json:"key,omitempty"` // only when it is created
	Name        *string      `json:"name,omitempty"`
	Description *string      `json:"description,omitempty"`
	Root        *string      `json:"rootConfigKey,omitempty"`
	Edges       *[]AgentEdge `json:"edges,omitempty"`
}

// List returns one page of a project's graphs, without their edges.
func (s *AgentGraphsService) List(ctx context.Context, project string, p Paging) (*Page[AgentGraph], error) {
	return do[Page[AgentGraph]](ctx, s.c, call{method: http.MethodGet, at: Target{Project: project}, path: path("projects", project, "agent-graphs"),
		query: p.query(), beta: true})
}

// Get returns a graph with its edges.
func (s *AgentGraphsService) Get(ctx context.Context, project, key string) (*AgentGraph, error) {
	return do[AgentGraph](ctx, s.c, call{method: http.MethodGet, at: agentGraphAt(project, key), path: agentGraphPath(project, key), beta: true})
}

// Create adds a graph.
func (s *AgentGraphsService) Create(ctx context.Context, project string, f AgentGraphFields) (*AgentGraph, error) {
	return do[AgentGraph](ctx, s.c, call{method: http.MethodPost, at: agentGraphAt(project, f.Key), path: path("projects", project, "agent-graphs"),
		body: f, contentType: jsonType, beta: true, writes: true})
}

// Update changes a graph.
func (s *AgentGraphsService) Update(ctx context.Context, project, key string, f AgentGraphFields) (*AgentGraph, error) {
	f.Key = ""
	return do[AgentGraph](ctx, s.c, call{method: http.MethodPatch, at: agentGraphAt(project, key), path: agentGraphPath(project, key),
		body: f, contentType: jsonType, beta: true, writes: true})
}

// Delete removes a graph for good. Its agents stay.
func (s *AgentGraphsService) Delete(ctx context.Context, project, key string) error {
	_, err := do[gone](ctx, s.c, call{method: http.MethodDelete, at: agentGraphAt(project, key), path: agentGraphPath(project, key), beta: true, writes: true})
	return err
}

func agentGraphAt(project, key string) Target {
	return Target{Project: project, Kind: "agent-graph", Key: key}
}

func agentGraphPath(project, key string) apiPath {
	return path("projects", project, "agent-graphs", key)
}
