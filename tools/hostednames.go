package tools

import (
	"context"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// hostedNames are tools of LaunchDarkly's hosted server that have no public
// endpoint. Prompts and skills written for that server call them by these names.
const hostedNames = `list-metric-events create-automated-rollout-config
list-datasets get-dataset create-dataset delete-dataset
list-evaluations get-evaluation create-evaluation run-evaluation get-evaluation-run-summary
list-playgrounds get-playground create-playground update-playground
query-logs query-traces query-error-groups query-sessions query-aggregations query-timeline-events query-flag-evaluations
get-keys preview-graph create-graph create-dashboard list-dashboards get-dashboard github_repositories
get-factory-settings update-factory-settings list-factory-github-repos
list-factory-repo-settings get-factory-repo-settings update-factory-repo-settings delete-factory-repo-settings`

// addHostedNames lets a call of a tool that is not passed through end in a sentence that says how it could be.
func (s *Server) addHostedNames() {
	var callable []server.ServerTool
	for name := range strings.FieldsSeq(hostedNames) {
		callable = append(callable, server.ServerTool{Tool: mcp.Tool{Name: name, RawInputSchema: anyObject}, Handler: func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultError(name + " is only on the MCP server that LaunchDarkly hosts, and this server does not pass it through; whoever runs it can allow that with --hosted-tools " + name + ". Nothing was changed."), nil
		}})
	}
	s.mcp.AddTools(callable...)
}
