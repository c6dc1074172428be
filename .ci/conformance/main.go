// Command conformance serves what the protocol's conformance suite asks a
// server for, through the gateway that ld-mcp serve uses.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/cmd/ld-mcp/gateway"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("conformance", flag.ContinueOnError)
	addr := fs.String("addr", "127.0.0.1:0", "loopback address to listen on")
	if err := fs.Parse(args); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(*addr)
	if err != nil {
		return err
	}
	if !gateway.IsLoopback(host) {
		return errors.New("everyone may call, so only this machine may reach it; give a loopback address with --addr")
	}
	t := newFixtures()
	g, err := gateway.New(gateway.Config{
		Tenant: func(context.Context, gateway.Caller) (gateway.Tenant, error) { return t, nil },
		Log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "listening on", ln.Addr())
	return g.Serve(ctx, ln)
}

// fixtures is a server of nothing but what the suite asks for.
type fixtures struct{ mcp *server.MCPServer }

func (f fixtures) MCP() *server.MCPServer { return f.mcp }
func (fixtures) Close() error             { return nil }

func newFixtures() fixtures {
	f := fixtures{server.NewMCPServer("ld-mcp-conformance", "1.0.0",
		server.WithToolCapabilities(true), server.WithPromptCapabilities(true), server.WithResourceCapabilities(true, true),
		server.WithCompletions(), server.WithPromptCompletionProvider(completer{}),
		server.WithLogging(), server.WithElicitation(), server.WithRoots())}
	f.mcp.EnableSampling()
	f.addContent()
	f.addStreaming()
	f.addAsking()
	f.addRounds()
	f.addResources()
	f.addPrompts()
	return f
}
