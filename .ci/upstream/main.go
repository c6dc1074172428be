// Command upstream serves a sandbox account behind a check of every request
// and answer against LaunchDarkly's OpenAPI document. When it is told to stop
// it says what it found, and fails unless all requests seen kept the contract.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox/contract"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("upstream", flag.ContinueOnError)
	addr := fs.String("addr", "127.0.0.1:0", "loopback address to listen on")
	document := fs.String("openapi", "", "LaunchDarkly's OpenAPI document")
	if err := fs.Parse(args); err != nil {
		return err
	}
	checker, err := contract.Load(*document)
	if err != nil {
		return fmt.Errorf("no contract to check against: %w; give the OpenAPI document with --openapi", err)
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	var seen tally
	srv := &http.Server{Handler: seen.count(checker.Handler(sandbox.New(sandbox.Options{}), seen.violation))}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	fmt.Fprintln(out, "listening on", ln.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	if err := srv.Close(); err != nil {
		return err
	}
	return seen.report(out)
}

// tally is what the checks found so far.
type tally struct {
	mu         sync.Mutex
	requests   int
	violations []error
}

func (t *tally) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.mu.Lock()
		t.requests++
		t.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (t *tally) violation(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.violations = append(t.violations, err)
}

func (t *tally) report(out io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(out, "%d requests checked, %d violations\n", t.requests, len(t.violations))
	for _, v := range t.violations {
		fmt.Fprintln(out, "violation:", v)
	}
	switch {
	case t.requests == 0:
		return errors.New("no request came, so nothing was checked; point a client at the address above")
	case len(t.violations) > 0:
		return errors.New("requests broke the contract; see the violations above")
	}
	return nil
}
