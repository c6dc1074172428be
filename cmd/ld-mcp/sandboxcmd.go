package main

import (
	"context"
	"fmt"

	"github.com/ld-mcp/ld-mcp/cmd/ld-mcp/gateway"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

type sandboxCmd struct {
	Addr string `default:"127.0.0.1:0" placeholder:"ADDR" help:"Loopback address to serve at; port 0 picks a free one."`
}

func (cmd sandboxCmd) Run(ctx context.Context, a *app) error {
	if err := checkLoopback("--addr", cmd.Addr, "put a proxy in front that asks"); err != nil {
		return err
	}
	ln, err := listenHere(cmd.Addr)
	if err != nil {
		return err
	}
	base := "http://" + ln.Addr().String()
	fmt.Fprintf(a.stdout, `A made-up LaunchDarkly account is at %[1]s until this program ends.

Token: %[2]s (may write), %[3]s (may only read)
Try:   curl -H 'Authorization: %[2]s' -H 'LD-API-Version: 20240415' %[1]s/api/v2/projects
`, base, sandbox.WriterToken, sandbox.ReaderToken)
	return gateway.Serve(ctx, ln, gateway.LocalOnly(a.newSandbox()), func() {}, a.log)
}
