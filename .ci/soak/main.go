// Command soak runs ld-mcp over stdio and as the HTTP service for some time,
// behind a proxy that fails in every way, with clients that call, cancel, vanish
// and come back, and checks that nothing of it is left: no goroutine, no
// descriptor, no memory that grows, no write that is lost or made twice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("soak", flag.ContinueOnError)
	bin := fs.String("bin", "", "the ld-mcp binary")
	length := fs.Duration("for", 30*time.Second, "how long the clients work; a tenth of it more is quiet")
	clients := fs.Int("clients", 12, "clients at once of each process")
	if err := fs.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ld-mcp-soak-")
	if err != nil {
		return err
	}
	s := &soak{bin: *bin, dir: dir, out: out, length: *length, clients: *clients}
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("%w\nwhat the processes said is in %s", err, dir)
	}
	return os.RemoveAll(dir)
}

type soak struct {
	bin, dir  string
	out       io.Writer
	length    time.Duration
	clients   int
	upstream  *upstream
	processes []*process
	t         *tally
}

// atLeast is how long a quiet phase lasts in the shortest run: longer than what idle connections are kept.
const atLeast = 4 * time.Second

func (s *soak) run(ctx context.Context) error {
	var err error
	if s.upstream, err = newUpstream(); err != nil {
		return err
	}
	defer s.upstream.close()
	defer func() {
		for _, p := range s.processes {
			p.kill()
		}
	}()
	s.t = newTally()
	for _, start := range []func(context.Context) (*process, error){s.startStdio, s.startBearer, s.startOpen} {
		p, err := start(ctx)
		if p != nil {
			s.processes = append(s.processes, p)
		}
		if err != nil {
			return err
		}
	}
	quiet := max(atLeast, s.length/20)
	s.load(ctx, max(5*time.Second, s.length/10)) // what is made once and kept
	s.t.leave()
	s.quiet(ctx, quiet)
	for _, p := range s.processes {
		p.first = p.settled()
	}
	s.load(ctx, s.length)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	errs := []error{s.t.sessions(s.processes)}
	s.t.leave()
	s.quiet(ctx, quiet)
	fmt.Fprintln(s.out, "In the first quiet phase, at most, and in the last one; memory on average in the first half and in the second.")
	fmt.Fprintf(s.out, "%-9s %9s %17s %17s %17s %25s\n", "", "sessions", "goroutines", "descriptors", "threads", "anonymous memory, MiB")
	for _, p := range s.processes {
		errs = append(errs, p.back(ctx))
		errs = append(errs, p.judge(s.out, s.length))
	}
	fmt.Fprintf(s.out, "upstream: %s\n", s.upstream)
	errs = append(errs, s.t.judge(s.out, s.upstream.account))
	for _, p := range s.processes {
		errs = append(errs, p.end())
	}
	return errors.Join(errs...)
}

// load lets the clients work against all processes for some time, and samples the processes meanwhile.
func (s *soak) load(ctx context.Context, length time.Duration) {
	ctx, stop := context.WithTimeout(ctx, length)
	defer stop()
	s.upstream.faulty.Store(true)
	defer s.upstream.faulty.Store(false)
	var working sync.WaitGroup
	working.Go(func() { s.passers(ctx) })
	for _, p := range s.processes {
		p.samples = nil
		for range s.clients {
			working.Go(func() { s.t.worker(p).work(ctx) })
		}
		working.Go(func() { p.watch(ctx) })
	}
	working.Wait()
}

// passers begin with ld-mcp over stdio and are gone in the middle of it: the process must end by itself.
func (s *soak) passers(ctx context.Context) {
	for ctx.Err() == nil {
		p, err := s.startStdio(ctx)
		if err != nil {
			s.t.complain("stdio: %w", err)
			return
		}
		w := &worker{t: s.t, p: p}
		var calling sync.WaitGroup
		for range 3 {
			calling.Go(func() {
				w.call(ctx, p.stdio, true, "what-changed", map[string]any{"projectKey": "shop", "environmentKey": "test"})
			})
		}
		pause(ctx, rand.N(100*time.Millisecond))
		if err := p.end(); err != nil {
			s.t.complain("%w", err)
		}
		p.log.Close()
		calling.Wait()
		s.t.locked(func() { s.t.passed++ })
		pause(ctx, time.Second)
	}
}

// quiet waits while nobody calls.
func (s *soak) quiet(ctx context.Context, length time.Duration) {
	for _, p := range s.processes {
		if p.http != nil {
			p.http.CloseIdleConnections()
		}
	}
	pause(ctx, length)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
