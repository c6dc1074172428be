package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/rank"
)

const dynamicName = "dynamic"

// dynamic stands for the whole catalogue in a fraction of its tokens: a client
// lists four tools, and the model finds the others by words.
var dynamic = Toolset{
	Name: dynamicName, Doc: "Stand for all tools that are not listed: search them, describe them, call them.",
	Alone: true,
	Tools: []Tool{searchTools, describeTools, callReadTool, callWriteTool},
}

// foundTool is a tool as a search shows it.
type foundTool struct {
	Name    string `json:"name"`
	Effect  Effect `json:"effect"`
	Doc     string `json:"description"`
	Toolset string `json:"toolset"`
}

const (
	mostFound     = 10
	mostDescribed = 10
)

var searchTools = readCall(Spec{
	Name: "search-tools", Title: "Search tools",
	Doc: "Find LaunchDarkly tools by words, best first; without words, the names of all. There are tools for flags, targeting, rollouts, releases, segments, contexts, " +
		"approvals, scheduled changes, the audit log, previews and undo, projects, environments, members, metrics, experiments, AI configs, views, integrations, usage and any operation of the REST API. " +
		"Then describe-tools, then call-read-tool or call-write-tool.",
}, func(_ context.Context, c *call, in struct {
	Query string `json:"query,omitempty" alias:"search,words" doc:"What shall be done, such as: turn a flag on"`
}) (map[string]any, error) {
	if clean(in.Query) == "" {
		all := map[string]any{}
		for _, t := range c.srv.reachable() {
			names, _ := all[t.set].([]string)
			all[t.set] = append(names, t.Name)
		}
		return all, nil
	}
	found := []foundTool{}
	for _, t := range c.srv.search(in.Query) {
		found = append(found, foundTool{t.Name, t.Effect, t.Doc, t.set})
	}
	out := map[string]any{"items": found}
	if len(found) == 0 {
		out["note"] = "No tool matches. Use other words, or none to see all names; search-api finds operations of the REST API that no tool is for."
	}
	return out, nil
})

// described is what a call of a tool takes.
type described struct {
	Name   string          `json:"name"`
	Effect Effect          `json:"effect"`
	Doc    string          `json:"description"`
	Schema json.RawMessage `json:"arguments" doc:"JSON schema"`
}

var describeTools = readCall(Spec{
	Name: "describe-tools", Title: "Describe tools",
	Doc: "Give the arguments of up to ten tools as JSON schemas. Read it before the first call of a tool.",
}, func(_ context.Context, c *call, in struct {
	Names []string `json:"names" alias:"name,tools,tool" jsonschema:"minItems=1,maxItems=10" doc:"From search-tools"`
}) (page[described], error) {
	out := page[described]{Items: []described{}}
	for i, name := range in.Names[:min(mostDescribed, len(in.Names))] {
		t, err := c.srv.reach(name)
		if err != nil {
			return out, err
		}
		out.add(described{t.Name, t.Effect, t.Doc, c.srv.published(t)}, i)
	}
	return out, nil
})

// relayed is a call of another tool.
type relayed struct {
	Tool      string `json:"name" alias:"tool,toolName" doc:"From search-tools"`
	Arguments object `json:"arguments,omitempty" alias:"args,input" doc:"As describe-tools says, such as {\"projectKey\":\"shop\"}"`
}

// A relay is the code of a tool that stands for others.
type relay struct{}

func (relay) in() any           { return new(relayed) }
func (relay) out() reflect.Type { return reflect.TypeFor[object]() }

var callReadTool = Tool{Spec{
	Name: "call-read-tool", Title: "Call a tool that reads",
	Doc: "Call a tool whose effect is read, by name and with its arguments.",
}, Read, relay{}}

var callWriteTool = Tool{Spec{
	Name: "call-write-tool", Title: "Call a tool that changes something", Additive: true,
	Doc: "Call a tool whose effect is create, update or delete, by name and with its arguments. dryRun among them shows what would be done.",
}, Update, relay{}}

// redirect makes a call of what stands for other tools a call of the one that is meant.
func (c *call) redirect() error {
	stands := c.tool
	if _, ok := stands.code.(relay); !ok {
		return nil
	}
	if why := c.srv.whyHidden(stands); why != "" {
		return nil // the call itself is refused
	}
	var in relayed
	if err := c.bind(&in); err != nil {
		return err
	}
	t, err := c.srv.reach(in.Tool)
	if err != nil {
		return err
	}
	c.tool, c.by, c.args = t, stands.Name, nil
	if !t.unread() && t.hidden == "" { // what is hidden is refused with its reason
		if err := c.fits(); err != nil {
			c.tool, c.by = stands, ""
			return err
		}
	}
	c.req.Params.Name, c.req.Params.Arguments, c.req.Params.RawArguments = in.Tool, map[string]any(in.Arguments), nil
	return nil
}

// fits refuses what a tool that stands for others must not be used for: clients let what reads pass.
func (c *call) fits() error {
	if right := relayFor(c.tool); c.by != "" && c.by != right && !(c.tool.isHosted() && c.tool.Effect == Read) {
		return badf("%s has the effect %q: call it with %s", c.tool.Name, c.tool.Effect, right)
	}
	return nil
}

func relayFor(t *served) string {
	if t.Effect == Read {
		return callReadTool.Name
	}
	return callWriteTool.Name
}

// through names the tool that t is called with, "" where it is listed.
func (t *served) through() string {
	if !t.behind {
		return ""
	}
	return relayFor(t)
}

// again says how to make the same call once more.
func (c *call) again() string {
	if c.by != "" {
		return fmt.Sprintf("%s with name %s", c.by, c.tool.Name)
	}
	return c.tool.Name
}

// reachable are the tools that a search finds: those that are listed by themselves are among them.
func (s *Server) reachable() []*served {
	return slices.DeleteFunc(s.all(), func(t *served) bool {
		_, stands := t.code.(relay)
		return stands || t.unlisted || t.set == dynamicName || s.whyHidden(t) != ""
	})
}

// reach finds a tool that may be called through what stands for it.
func (s *Server) reach(name string) (*served, error) {
	t := s.find(name)
	if t == nil || t.set == dynamicName {
		return nil, badf("name: there is no tool %q%s; find it with search-tools", short(name, 60), didYouMean(name, keysOf(s.reachable(), func(t *served) string { return t.Name })))
	}
	return t, nil
}

// search returns the tools that words describe, best first.
func (s *Server) search(words string) []*served {
	tools := s.reachable()
	texts := make([][]rank.Field, len(tools))
	for i, t := range tools {
		texts[i] = []rank.Field{{Text: t.Name, Weight: 4}, {Text: t.Title, Weight: 2}, {Text: t.set, Weight: 1}, {Text: t.Doc, Weight: 1},
			{Text: strings.Join(t.Aliases, " "), Weight: 1}}
	}
	var out []*served
	hits := rank.New(texts).Search(words, nil)
	for _, hit := range hits[:min(len(hits), mostFound)] {
		out = append(out, tools[hit.Text])
	}
	return out
}
