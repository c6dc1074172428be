package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

type toolsCmd struct {
	All  bool `help:"Show what is not served too, and why."`
	JSON bool `name:"json" help:"Print what an MCP client gets from tools/list."`
}

func (cmd toolsCmd) Run(ctx context.Context, a *app) error {
	ld, err := a.clientWithout()
	if err != nil {
		return err
	}
	if known, err := a.newClient(); err == nil && len(a.HostedTools) > 0 {
		ld = known
	}
	s, err := a.newServer(ld)
	if err != nil {
		return err
	}
	if _, err := s.ReadHosted(ctx); err != nil {
		a.log.Warn("hosted tools are shown as they are named", "error", err)
	}
	if cmd.JSON {
		c, err := connect(ctx, s, "ld-mcp tools")
		if err != nil {
			return err
		}
		defer c.Close()
		got, err := c.GetTransport().SendRequest(ctx, transport.JSONRPCRequest{
			JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId("tools"), Method: string(mcp.MethodToolsList)})
		if err != nil {
			return err
		}
		if got.Error != nil {
			return errors.New(got.Error.Message)
		}
		text := string(got.Result)
		if a.isTerminal(a.stdout) {
			text = indent(text)
		}
		_, err = fmt.Fprintln(a.stdout, text)
		return err
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "TOOLSET\tNAME\tEFFECT\tTITLE")
	if cmd.All {
		fmt.Fprint(w, "\tSERVED")
	}
	fmt.Fprintln(w)
	for _, t := range s.Tools() {
		if t.Hidden != "" && !cmd.All {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s", t.Toolset, t.Name, t.Effect, t.Title)
		if cmd.All {
			served := "yes"
			switch {
			case t.Hidden != "":
				served = "no: " + t.Hidden
			case t.Through != "":
				served = "through " + t.Through
			}
			fmt.Fprintf(w, "\t%s", served)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
