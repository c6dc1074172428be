package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// resource is a thing that clients can attach by address; a tool that reads it answers.
type resource struct {
	template, name, title, tool string
}

const allProjects = "launchdarkly:///projects"

var resources = []resource{
	{"launchdarkly://{projectKey}", "project", "A project and its environments", "get-project"},
	{"launchdarkly://{projectKey}/environments/{environmentKey}", "environment", "An environment", "get-environment"},
	{"launchdarkly://{projectKey}/flags", "flags", "A project's flags in production", "list-flags"},
	{"launchdarkly://{projectKey}/flags/{flagKey}", "flag", "A flag in production", "get-flag"},
	{"launchdarkly://{projectKey}/environments/{environmentKey}/flags", "environment-flags", "A project's flags in one environment", "list-flags"},
	{"launchdarkly://{projectKey}/environments/{environmentKey}/flags/{flagKey}", "environment-flag", "A flag in one environment", "get-flag"},
	{"launchdarkly://{projectKey}/environments/{environmentKey}/segments", "segments", "An environment's segments", "list-segments"},
	{"launchdarkly://{projectKey}/environments/{environmentKey}/segments/{segmentKey}", "segment", "A segment", "get-segment"},
}

const jsonMIME = "application/json"

func (s *Server) addResources() {
	if s.serves("list-projects") {
		s.mcp.AddResource(mcp.NewResource(allProjects, "projects", mcp.WithResourceTitle("Projects"), mcp.WithMIMEType(jsonMIME)), s.reads("list-projects"))
	}
	for _, r := range resources {
		if !s.serves(r.tool) {
			continue
		}
		t := mcp.NewResourceTemplate(r.template, r.name, mcp.WithTemplateTitle(r.title), mcp.WithTemplateDescription(r.title+", as "+r.tool+" shows it."), mcp.WithTemplateMIMEType(jsonMIME))
		s.mcp.AddResourceTemplate(t, server.ResourceTemplateHandlerFunc(s.reads(r.tool)))
	}
}

// reads answers a resource with what a tool says, so that limits, scope and masking are the tool's.
func (s *Server) reads(tool string) server.ResourceHandlerFunc {
	t := s.tools[slices.IndexFunc(s.tools, func(t *served) bool { return t.Name == tool })]
	return func(ctx context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		args := map[string]any{}
		for name, v := range req.Params.Arguments {
			if list, ok := v.([]string); ok && len(list) == 1 {
				v = list[0]
			}
			args[name] = v
		}
		var call mcp.CallToolRequest
		call.Params.Name, call.Params.Arguments = tool, args
		res, err := s.handler(t)(ctx, call)
		if err != nil {
			return nil, err
		}
		text, ok := res.Content[0].(mcp.TextContent)
		switch {
		case !ok:
			return nil, fmt.Errorf("%s gave no text", tool)
		case res.IsError:
			return nil, errors.New(text.Text)
		}
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: jsonMIME, Text: text.Text}}, nil
	}
}

// completer offers keys for the arguments of prompts and resources.
type completer struct{ s *Server }

// CompletePromptArgument offers values for one argument of a prompt.
func (c completer) CompletePromptArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, given mcp.CompleteContext) (*mcp.Completion, error) {
	return c.complete(ctx, argument, given.Arguments), nil
}

// CompleteResourceArgument offers values for one part of a resource's address.
func (c completer) CompleteResourceArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, given mcp.CompleteContext) (*mcp.Completion, error) {
	return c.complete(ctx, argument, given.Arguments), nil
}

const maxCompletions = 100 // the protocol's own bound

// complete lists the keys that begin with, or else hold, what was typed. What cannot be read is no completion.
func (c completer) complete(ctx context.Context, argument mcp.CompleteArgument, given map[string]string) *mcp.Completion {
	ctx = ldclient.WithoutWrites(ctx)
	project := cmp.Or(given["projectKey"], c.s.opts.Project)
	environment := cmp.Or(given["environmentKey"], c.s.opts.Environment, "production")
	ld, typed, page := c.s.opts.Client, argument.Value, ldclient.Paging{Limit: maxCompletions}
	var have []string
	switch argument.Name {
	case "projectKey":
		if got, err := ld.Projects.List(ctx, ldclient.ListProjects{Paging: page, Query: typed}); err == nil {
			have = keysOf(got.Items, func(p ldclient.Project) string { return p.Key })
		}
		have = slices.DeleteFunc(have, func(k string) bool { return !ld.Scope().AllowsProject(k) })
	case "environmentKey":
		if envs, err := ld.Environments.All(ctx, project); err == nil {
			have = keysOf(envs, func(e ldclient.Environment) string { return e.Key })
		}
		have = slices.DeleteFunc(have, func(k string) bool { return !ld.Scope().AllowsEnvironment(k) })
	case "flagKey":
		if got, err := ld.Flags.List(ctx, project, ldclient.ListFlags{Paging: page, Query: typed}); err == nil {
			have = keysOf(got.Items, func(f ldclient.Flag) string { return f.Key })
		}
	case "segmentKey":
		if got, err := ld.Segments.List(ctx, project, environment, ldclient.ListSegments{Paging: page, Query: typed}); err == nil {
			have = keysOf(got.Items, func(s ldclient.Segment) string { return s.Key })
		}
	}
	typed = strings.ToLower(typed)
	have = slices.DeleteFunc(have, func(k string) bool { return !strings.Contains(strings.ToLower(k), typed) })
	slices.SortStableFunc(have, func(a, b string) int {
		return prefixed(b, typed) - prefixed(a, typed)
	})
	total := len(have)
	return &mcp.Completion{Values: append([]string{}, have[:min(maxCompletions, total)]...), Total: total, HasMore: total >= maxCompletions}
}

func prefixed(key, typed string) int {
	if strings.HasPrefix(strings.ToLower(key), typed) {
		return 1
	}
	return 0
}
