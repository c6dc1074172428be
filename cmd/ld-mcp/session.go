package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/tools"
)

// connect opens an MCP session with the tools inside this process.
func connect(ctx context.Context, s *tools.Server, name string, opts ...client.ClientOption) (*client.Client, error) {
	c, err := client.NewInProcessClientWithOptions(s.MCP(), opts...)
	if err != nil {
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	hello.Params.ClientInfo = mcp.Implementation{Name: name, Version: currentVersion().Version}
	if _, err := c.Initialize(ctx, hello); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// callTool calls a tool and returns the text of its reply, and whether the reply is an error.
func callTool(ctx context.Context, c *client.Client, tool string, arguments map[string]any) (text string, failed bool, err error) {
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, arguments
	got, err := c.CallTool(ctx, req)
	if err != nil {
		return "", false, fmt.Errorf("%s could not be called: %w", tool, err)
	}
	var parts []string
	for _, content := range got.Content {
		if t, ok := content.(mcp.TextContent); ok {
			parts = append(parts, t.Text)
		}
	}
	return strings.Join(parts, "\n"), got.IsError, nil
}
