package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var agentGraphTools = Toolset{
	Name: "agent-graphs", Doc: "Graphs of agents that hand over to each other.",
	Tools: []Tool{listAgentGraphs, getAgentGraph, createAgentGraph, updateAgentGraph, deleteAgentGraph},
}

// agentGraphView is a graph. Lists leave its edges out.
type agentGraphView struct {
	Key         string      `json:"key"`
	Name        string      `json:"name,omitempty"`
	Description string      `json:"description,omitempty"`
	Root        string      `json:"rootConfigKey,omitempty" doc:"not given: nothing is drawn yet"`
	Edges       []agentEdge `json:"edges,omitempty"`
	Updated     string      `json:"updatedAt,omitempty"`
}

type agentEdge struct {
	Key     string `json:"key"`
	Source  string `json:"sourceConfig"`
	Target  string `json:"targetConfig"`
	Handoff object `json:"handoff,omitempty"`
}

func (e agentEdge) path() string { return e.Source + " → " + e.Target }

func agentGraphOf(g ldclient.AgentGraph) agentGraphView {
	v := agentGraphView{g.Key, g.Name, g.Description, g.Root, nil, ldclient.Millis(g.UpdatedAt).String()}
	for _, e := range g.Edges {
		v.Edges = append(v.Edges, agentEdge{e.Key, e.Source, e.Target, schemaIn(e.Handoff)})
	}
	return v
}

// drawn is a graph without what differs with each write.
func (v agentGraphView) drawn() agentGraphView {
	v.Updated = ""
	return v
}

var listAgentGraphs = read(Spec{
	Name: "list-agent-graphs", Title: "List agent graphs",
	Doc: "List a project's agent graphs, without their edges.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	paged
}) (page[agentGraphView], error) {
	got, err := manyPages(ctx, in.paged, func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.AgentGraph], error) {
		return ld.AgentGraphs.List(ctx, in.Project, p)
	})
	if err != nil {
		return page[agentGraphView]{}, err
	}
	return pageOf(got, in.Offset, func(g ldclient.AgentGraph) agentGraphView {
		v := agentGraphOf(g)
		v.Edges, v.Description = nil, short(v.Description, 200)
		return v
	}), nil
})

type atAgentGraph struct {
	Project string `json:"projectKey" alias:"project"`
	Graph   string `json:"graphKey" alias:"key,graph,agentGraphKey"`
}

func (a atAgentGraph) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "agent-graph", Key: a.Graph}
}

// agentGraphDetail is a graph with all its edges, for whoever changes them gives them all.
type agentGraphDetail struct {
	agentGraphView
	Notes []string `json:"notes,omitempty"`
}

// lighten leaves the handoffs out of a reply that is too large.
func (d agentGraphDetail) lighten() (any, bool) {
	d.Edges = slices.Clone(d.Edges)
	for i := range d.Edges {
		d.Edges[i].Handoff = nil
	}
	d.Notes = append(slices.Clip(d.Notes), "the handoffs of the edges do not fit and are left out; do not send these edges back")
	return d, true
}

var getAgentGraph = read(Spec{
	Name: "get-agent-graph", Title: "Get an agent graph",
	Doc: "Read an agent graph with all its edges, and what is odd about it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atAgentGraph }) (agentGraphDetail, error) {
	g, err := agentGraphNamed(ctx, ld, in.atAgentGraph)
	if err != nil {
		return agentGraphDetail{}, err
	}
	v := agentGraphOf(*g)
	return agentGraphDetail{v, v.oddities()}, nil
})

func drawnGraphOf(g ldclient.AgentGraph) agentGraphView { return agentGraphOf(g).drawn() }

// agentGraphNamed reads a graph; where there is none, it says which ones there are.
func agentGraphNamed(ctx context.Context, ld *ldclient.Client, at atAgentGraph) (*ldclient.AgentGraph, error) {
	g, err := ld.AgentGraphs.Get(ctx, at.Project, at.Graph)
	return g, orOthers(err, "agent graph", at.Graph, func() ([]string, error) {
		return keysOn(func(g ldclient.AgentGraph) string { return g.Key })(ld.AgentGraphs.List(ctx, at.Project, ldclient.Paging{Limit: upstreamPage}))
	})
}

// newAgentGraph names a graph that is yet to be created.
type newAgentGraph struct {
	Project string `json:"projectKey" alias:"project"`
	Key     string `json:"key" alias:"graphKey,agentGraphKey"`
}

func (a newAgentGraph) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "agent-graph", Key: a.Key}
}

type agentEdgeInput struct {
	Key     string `json:"key" jsonschema:"minLength=1"`
	Source  string `json:"sourceConfig" alias:"sourceConfigKey,source" jsonschema:"minLength=1"`
	Target  string `json:"targetConfig" alias:"targetConfigKey,target" jsonschema:"minLength=1"`
	Handoff object `json:"handoff,omitempty" alias:"handoffData"`
}

// draw gives a graph a root and edges, after it has checked that its nodes are agents.
func (v *agentGraphView) draw(ctx context.Context, ld *ldclient.Client, project string, root *string, edges *[]agentEdgeInput) error {
	if root != nil {
		v.Root = *root
	}
	if edges != nil {
		had := v.Edges
		v.Edges = nil
		for _, e := range *edges {
			if i := slices.IndexFunc(had, func(was agentEdge) bool { return was.Key == e.Key }); i >= 0 {
				if err := keepsSecrets("handoff of edge "+short(e.Key, maxNamed), string(mustJSON(had[i].Handoff)), string(mustJSON(e.Handoff))); err != nil {
					return err
				}
			}
			if slices.ContainsFunc(v.Edges, func(other agentEdge) bool { return other.Key == e.Key }) {
				return badf("edges: two have the key %s; each needs one of its own", short(e.Key, maxNamed))
			}
			v.Edges = append(v.Edges, agentEdge(e))
		}
	}
	if v.Root == "" {
		return badf("missing rootConfigKey: the agent with which the graph begins")
	}
	nodes := v.nodes()
	if len(nodes) > maxAgents {
		return badf("the graph has %d agents; at most %d can be checked, so draw larger ones in LaunchDarkly", len(nodes), maxAgents)
	}
	return checkAgents(ctx, ld, project, nodes)
}

// maxAgents bounds the requests that check a graph.
const maxAgents = 100

// nodes lists the AI configs of a graph, the root first.
func (v agentGraphView) nodes() []string {
	var out []string
	add := func(key string) {
		if key != "" && !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	add(v.Root)
	for _, e := range v.Edges {
		add(e.Source)
		add(e.Target)
	}
	return out
}

// checkAgents refuses nodes that are no AI configs in agent mode.
func checkAgents(ctx context.Context, ld *ldclient.Client, project string, keys []string) error {
	wrong := make([]error, len(keys))
	g := gather(ctx)
	for i, key := range keys {
		if err := ldclient.CheckKey(key); err != nil {
			return badf("%q cannot be the key of an AI config: %v", short(key, maxNamed), err)
		}
		g.need(func(ctx context.Context) error {
			c, err := ld.AIConfigs.Get(ctx, project, key)
			switch {
			case ldclient.IsNotFound(err):
				wrong[i] = noAgent(ctx, ld, project, key)
			case err != nil:
				return err
			case c.Mode != "agent":
				wrong[i] = badf("AI config %q is in %s mode; a graph holds only those in agent mode", key, cmp.Or(c.Mode, "another"))
			}
			return nil
		})
	}
	if _, err := g.wait(); err != nil {
		return err
	}
	return cmp.Or(wrong...)
}

// noAgent offers the keys near to one of an AI config that does not exist.
func noAgent(ctx context.Context, ld *ldclient.Client, project, key string) error {
	var have []string
	if got, err := ld.AIConfigs.List(ctx, project, ldclient.Paging{Limit: 100}); err == nil {
		for _, c := range got.Items {
			if c.Mode == "agent" {
				have = append(have, c.Key)
			}
		}
	}
	return badf("there is no AI config %q in project %s%s; create-ai-config makes one", key, project, didYouMean(key, have))
}

// oddities are what a graph may hold and its author may not have meant.
func (v agentGraphView) oddities() []string {
	if v.Root == "" {
		return []string{"nothing is drawn yet; update-agent-graph takes rootConfigKey and edges"}
	}
	next := map[string][]string{}
	for _, e := range v.Edges {
		next[e.Source] = append(next[e.Source], e.Target)
	}
	reached := map[string]bool{v.Root: true}
	for todo := []string{v.Root}; len(todo) > 0; todo = todo[1:] {
		for _, key := range next[todo[0]] {
			if !reached[key] {
				reached[key] = true
				todo = append(todo, key)
			}
		}
	}
	var notes, lost []string
	for _, key := range v.nodes() {
		if !reached[key] {
			lost = append(lost, key)
		}
	}
	if len(lost) > 0 {
		notes = append(notes, fmt.Sprintf("no way leads from %s to %s", v.Root, short(clean(keyList(lost)), 400)))
	}
	if circle := circleIn(v.nodes(), next); circle != nil {
		notes = append(notes, fmt.Sprintf("agents hand over in a circle (%s); LaunchDarkly allows that, and the application must end it", short(clean(strings.Join(circle, " → ")), 400)))
	}
	return notes
}

// circleIn finds a way that leads back to where it began, nil where there is none.
func circleIn(nodes []string, next map[string][]string) []string {
	done := map[string]bool{}
	var way []string
	var follow func(key string) []string
	follow = func(key string) []string {
		if i := slices.Index(way, key); i >= 0 {
			return append(slices.Clone(way[i:]), key)
		}
		if done[key] {
			return nil
		}
		way = append(way, key)
		for _, to := range next[key] {
			if circle := follow(to); circle != nil {
				return circle
			}
		}
		way, done[key] = way[:len(way)-1], true
		return nil
	}
	for _, key := range nodes {
		if circle := follow(key); circle != nil {
			return circle
		}
	}
	return nil
}

// edges are what LaunchDarkly takes.
func (v agentGraphView) edges() *[]ldclient.AgentEdge {
	out := []ldclient.AgentEdge{}
	for _, e := range v.Edges {
		edge := ldclient.AgentEdge{Key: e.Key, Source: e.Source, Target: e.Target}
		if e.Handoff != nil {
			edge.Handoff = mustJSON(e.Handoff)
		}
		out = append(out, edge)
	}
	return &out
}

var createAgentGraph = create(Spec{
	Name: "create-agent-graph", Title: "Create an agent graph", Action: "createAgentGraph",
	Doc: "Create a graph of AI configs in agent mode: where it begins and who hands over to whom.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newAgentGraph
	Name        string           `json:"name"`
	Root        string           `json:"rootConfigKey" alias:"root,rootConfig" doc:"Agent that it begins with"`
	Edges       []agentEdgeInput `json:"edges" brief:"true" doc:"{\"key\":\"e1\",\"sourceConfig\":\"a\",\"targetConfig\":\"b\",\"handoff\":{…}}"`
	Description string           `json:"description,omitempty"`
	because
}) (*plan[agentGraphView], error) {
	if _, err := checkedSettings(in.Key, in.Name, nil); err != nil {
		return nil, err
	}
	_, err := ld.AgentGraphs.Get(ctx, in.Project, in.Key)
	if err := taken(err, in.Project, "an agent graph", in.Key, "update-agent-graph"); err != nil {
		return nil, err
	}
	after := agentGraphView{Key: in.Key, Name: in.Name, Description: in.Description}
	if err := after.draw(ctx, ld, in.Project, &in.Root, &in.Edges); err != nil {
		return nil, err
	}
	return &plan[agentGraphView]{
		intent: intent{Says: fmt.Sprintf("create agent graph %s in project %s, which begins with %s and has %s", in.Key, in.Project, after.Root, edgeCount(len(after.Edges))),
			Notes: append(after.oddities(), uncommented(in.because)...)},
		Apply: func(ctx context.Context, how manner) (*agentGraphView, error) {
			if how.DryRun {
				return &after, nil
			}
			f := ldclient.AgentGraphFields{Key: in.Key, Name: &in.Name, Root: &after.Root, Edges: after.edges()}
			if in.Description != "" {
				f.Description = &in.Description
			}
			return shows(drawnGraphOf)(ld.AgentGraphs.Create(ctx, in.Project, f))
		},
	}, nil
})

var updateAgentGraph = update(Spec{
	Name: "update-agent-graph", Title: "Change an agent graph", Action: "updateAgentGraph",
	Doc: "Change an agent graph's root, edges, name or description. Applications follow it at once.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAgentGraph
	Root        *string           `json:"rootConfigKey,omitempty" alias:"root,rootConfig" doc:"Agent that it begins with"`
	Edges       *[]agentEdgeInput `json:"edges,omitempty" brief:"true" doc:"All of them, as in create-agent-graph; others are removed"`
	Name        *string           `json:"name,omitempty"`
	Description *string           `json:"description,omitempty"`
	because
}) (*plan[agentGraphView], error) {
	if in.Root == nil && in.Edges == nil && in.Name == nil && in.Description == nil {
		return nil, badf("nothing to change: give rootConfigKey, edges, name or description")
	}
	g, err := agentGraphNamed(ctx, ld, in.atAgentGraph)
	if err != nil {
		return nil, err
	}
	before := agentGraphOf(*g).drawn()
	after := before
	var f ldclient.AgentGraphFields
	var says, notes []string
	if n := in.Name; n != nil && *n != before.Name {
		if clean(*n) == "" {
			return nil, badf("name: must not be empty")
		}
		f.Name, after.Name = n, *n
		says = append(says, fmt.Sprintf("rename it from %q to %q", short(clean(before.Name), 100), short(clean(*n), 100)))
	}
	if d := in.Description; d != nil && *d != before.Description {
		f.Description, after.Description = d, *d
		says = append(says, fmt.Sprintf("change the description from %q to %q", short(clean(before.Description), 200), short(clean(*d), 200)))
	}
	if in.Root != nil || in.Edges != nil {
		if err := after.draw(ctx, ld, in.Project, in.Root, in.Edges); err != nil {
			return nil, err
		}
		if redrawn := before.redraw(after); redrawn != "" {
			f.Root, f.Edges = &after.Root, after.edges() // LaunchDarkly takes both or none
			says, notes = append(says, redrawn), after.oddities()
		}
	}
	if says == nil {
		return &plan[agentGraphView]{intent: intent{Nothing: fmt.Sprintf("agent graph %s is so already", in.Graph)}, Before: &before}, nil
	}
	return &plan[agentGraphView]{
		intent: intent{Says: fmt.Sprintf("change agent graph %s of project %s: %s", in.Graph, in.Project, strings.Join(says, "; ")),
			Version: "agent graph " + digest(before), Notes: append(notes, uncommented(in.because)...)},
		Before: &before, Differ: (*agentGraphView).differ,
		Apply: func(ctx context.Context, how manner) (*agentGraphView, error) {
			if how.DryRun {
				return &after, nil
			}
			if f.Edges != nil { // they replace all, so what somebody else has drawn since would be lost
				now, err := ld.AgentGraphs.Get(ctx, in.Project, in.Graph)
				if err != nil {
					return nil, cannot("agent graph %s could not be read again just before the change: %v", in.Graph, err)
				}
				if digest(agentGraphOf(*now).drawn()) != digest(before) {
					return nil, &ldclient.Error{Status: 409, Code: "optimistic_locking_error", Message: fmt.Sprintf("agent graph %s was changed meanwhile", in.Graph)}
				}
			}
			return shows(drawnGraphOf)(ld.AgentGraphs.Update(ctx, in.Project, in.Graph, f))
		},
	}, nil
})

// differ leaves out what a change left as it was.
func (v *agentGraphView) differ(after *agentGraphView) {
	if v.Name == after.Name {
		v.Name, after.Name = "", ""
	}
	if v.Description == after.Description {
		v.Description, after.Description = "", ""
	}
	if v.Root == after.Root {
		v.Root, after.Root = "", ""
	}
	same := func(in []agentEdge) func(agentEdge) bool {
		return func(e agentEdge) bool {
			return slices.ContainsFunc(in, func(other agentEdge) bool { return digest(e) == digest(other) })
		}
	}
	had, has := v.Edges, after.Edges
	v.Edges, after.Edges = slices.DeleteFunc(slices.Clone(had), same(has)), slices.DeleteFunc(slices.Clone(has), same(had))
}

// redraw says which edges come, go and change, and whether the root does; "" where nothing does.
func (v agentGraphView) redraw(to agentGraphView) string {
	var says, added, removed, changed []string
	if v.Root != to.Root {
		says = append(says, fmt.Sprintf("begin with %s instead of %s", to.Root, cmp.Or(v.Root, "nothing")))
	}
	find := func(list []agentEdge, key string) *agentEdge {
		if i := slices.IndexFunc(list, func(e agentEdge) bool { return e.Key == key }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for _, e := range to.Edges {
		switch was := find(v.Edges, e.Key); {
		case was == nil:
			added = append(added, fmt.Sprintf("%s (%s)", e.Key, e.path()))
		case was.path() != e.path():
			changed = append(changed, fmt.Sprintf("%s (from %s to %s)", e.Key, was.path(), e.path()))
		case digest(was.Handoff) != digest(e.Handoff):
			from, to := parting(jsonWhole(was.Handoff), jsonWhole(e.Handoff), 100)
			changed = append(changed, fmt.Sprintf("%s (%s, handoff from %s to %s)", e.Key, e.path(), from, to))
		}
	}
	for _, e := range v.Edges {
		if find(to.Edges, e.Key) == nil {
			removed = append(removed, fmt.Sprintf("%s (%s)", e.Key, e.path()))
		}
	}
	for _, x := range []struct {
		word string
		list []string
	}{{"add", added}, {"remove", removed}, {"change", changed}} {
		if len(x.list) > 0 {
			says = append(says, fmt.Sprintf("%s %s: %s", x.word, edgeCount(len(x.list)), short(clean(keyList(x.list)), 400)))
		}
	}
	return strings.Join(says, "; ")
}

func edgeCount(n int) string {
	if n == 1 {
		return "1 edge"
	}
	return fmt.Sprintf("%d edges", n)
}

var deleteAgentGraph = remove(Spec{
	Name: "delete-agent-graph", Title: "Delete an agent graph", Action: "deleteAgentGraph",
	Doc: "Delete an agent graph for good. Its agents stay.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAgentGraph
	because
}) (*plan[agentGraphView], error) {
	g, err := agentGraphNamed(ctx, ld, in.atAgentGraph)
	if err != nil {
		return nil, err
	}
	before := agentGraphOf(*g).drawn()
	what := "nothing drawn in it"
	if g.Root != "" {
		what = fmt.Sprintf("agents %s and %s; applications that follow it would find no graph", short(clean(keyList(before.nodes())), 400), edgeCount(len(before.Edges)))
	}
	return &plan[agentGraphView]{
		intent: intent{Says: fmt.Sprintf("delete agent graph %s of project %s for good, with %s", in.Graph, in.Project, what),
			Version: "agent graph " + digest(before), Notes: uncommented(in.because)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*agentGraphView, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.AgentGraphs.Delete(ctx, in.Project, in.Graph)
		},
	}, nil
})
