// Command bench measures ld-mcp and LaunchDarkly's own local MCP server side by
// side, in turns and against the same sandbox account. It needs Linux, Go, Node.js and npm.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	peer, binary, write string
	quick, check, json  bool
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	if len(args) == 1 && args[0] == asUpstream {
		return serveUpstream(ctx, out)
	}
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.StringVar(&o.peer, "peer", "", "folder with an installed "+peerPackage+"; installed into the user's cache if not given")
	fs.StringVar(&o.binary, "binary", "", "ld-mcp to measure; built as for a release if not given")
	fs.StringVar(&o.write, "write", "", "README.md to put the table in")
	fs.BoolVar(&o.quick, "quick", false, "measure each thing a few times only")
	fs.BoolVar(&o.check, "check", false, "fail when a target is missed")
	fs.BoolVar(&o.json, "json", false, "print JSON")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%q is not an option; see --help", fs.Arg(0))
	}
	dir, err := os.MkdirTemp("", "ld-mcp-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left there does no harm
	say := progress(errs)
	defer say("")

	report, err := measure(ctx, o, dir, say)
	if err != nil {
		return err
	}
	say("")
	if o.write != "" {
		if err := writeInto(o.write, report.markdown()); err != nil {
			return err
		}
	}
	switch {
	case o.json:
		err = report.json(out)
	default:
		err = report.text(out, colours(out))
	}
	if err != nil {
		return err
	}
	if missed := report.missed(); o.check && len(missed) > 0 {
		return fmt.Errorf("%d targets are missed: %s", len(missed), strings.Join(missed, "; "))
	}
	return nil
}

// progress returns what tells a person at a terminal what goes on; "" wipes it away.
func progress(w io.Writer) func(string) {
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return func(string) {}
	}
	return func(what string) {
		io.WriteString(w, "\r\x1b[K"+what)
	}
}

func colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}

// measure starts what takes part and runs every phase.
func measure(ctx context.Context, o options, dir string, say func(string)) (*report, error) {
	m, err := machine(ctx)
	if err != nil {
		return nil, err
	}
	binary := o.binary
	if binary == "" {
		say("building ld-mcp")
		binary = filepath.Join(dir, "ld-mcp")
		if err := build(ctx, binary); err != nil {
			return nil, err
		}
	}
	if o.peer == "" {
		say("installing " + peerPackage)
		if o.peer, err = installPeer(ctx); err != nil {
			return nil, err
		}
	}
	ours, theirs := newOurs(binary), newPeer(o.peer)
	up, err := startUpstream(ctx)
	if err != nil {
		return nil, err
	}
	defer up.stop()
	b := &bench{both: [2]*contender{ours, theirs}, up: up, say: say, times: long}
	if o.quick {
		b.times = short
	}
	r := &report{machine: m, quick: o.quick}
	for _, phase := range []func(context.Context) ([]row, error){b.starts, b.memory, b.replies, b.latency, b.crowds, b.sizes} {
		rows, err := phase(ctx)
		if err != nil {
			return nil, err
		}
		r.rows = append(r.rows, rows...)
	}
	return r, nil
}
