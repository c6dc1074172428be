// Command replicas runs two ld-mcp behind nginx, as deploy/nginx.conf sets it
// up, kills one after the other under load, and checks that no write is lost
// or made twice and that streams are back within two seconds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	streamables = 200 // half of them with sessions, half of protocol 2026-07-28
	streams     = 50
	callers     = 10 // keys, which the clients share
	calm        = 3 * time.Second
	attempts    = 3 // of a round, where the machine was too busy for the two seconds, or the kill met no call
	backWithin  = 2 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "replicas:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("replicas", flag.ContinueOnError)
	bin := fs.String("bin", "", "the ld-mcp binary")
	conf := fs.String("nginx-conf", "deploy/nginx.conf", "nginx's configuration, as documented")
	if err := fs.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ld-mcp-replicas-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := newSite(ctx, *bin, *conf, dir)
	defer s.close()
	if err != nil {
		return errors.Join(err, s.logs())
	}
	if err := s.checkConfirmations(ctx); err != nil {
		return errors.Join(err, s.logs())
	}
	fmt.Fprintln(out, "ok confirmations asked by one replica are honoured by the other, once")
	if err := s.checkSession(ctx); err != nil {
		return errors.Join(err, s.logs())
	}
	fmt.Fprintln(out, "ok a session goes on at another replica")
	if err := s.load(ctx, out); err != nil {
		return errors.Join(err, s.logs())
	}
	return nil
}

// load runs all clients while replicas go and come back.
func (s *site) load(ctx context.Context, out io.Writer) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var clients sync.WaitGroup
	t := newTally()
	for i := range streamables {
		clients.Go(func() { newStreamableClient(s, t, i).work(working) })
	}
	for i := range streams {
		clients.Go(func() { newStreamClient(s, t, streamables+i).work(working) })
	}
	if err := t.everyone(working, streamables+streams); err != nil {
		return err
	}
	pause(working, calm)
	var late error
	ended := 0 // in turns, since the streams are at the one that was left
	for _, round := range []struct {
		name   string
		signal os.Signal
	}{{"SIGKILL", syscall.SIGKILL}, {"SIGTERM", syscall.SIGTERM}} {
		for range attempts {
			r := s.replicas[ended%2]
			ended++
			t.begin()
			s.busy(working)
			if err := r.end(round.signal); err != nil {
				return fmt.Errorf("%s: %w", round.name, err)
			}
			pause(working, calm)
			if err := s.startReplica(ctx, r); err != nil {
				return err
			}
			pause(working, calm)
			moved, longest, failed, repeated := t.round()
			fmt.Fprintf(out, "  %s of replica %s: %d streams lost, all back after at most %d ms; %d calls failed, repeated with success after at most %d ms\n",
				round.name, r.name, moved, longest.Milliseconds(), failed, repeated.Milliseconds())
			if moved == 0 {
				return fmt.Errorf("%s of replica %s ended no stream, so nothing was shown", round.name, r.name)
			}
			late = nil
			switch {
			case longest >= backWithin:
				late = fmt.Errorf("%s: a stream was back only after %s", round.name, longest)
			case round.signal == syscall.SIGKILL && failed == 0:
				late = errors.New("SIGKILL met no call in progress, so nothing was shown")
			}
			if late == nil {
				break
			}
		}
		if late != nil {
			return late
		}
	}
	stop()
	clients.Wait()
	written, err := s.audit(ctx)
	if err != nil {
		return err
	}
	return t.judge(out, written)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
