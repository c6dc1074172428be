// Command ld-mcp serves LaunchDarkly to AI assistants over the Model Context Protocol.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"golang.org/x/term"
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(150) // the least at which a start ends before its first collection, which would read in more than it frees
	}
	err := run(untilSignal(), os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ld-mcp: "+err.Error())
	}
	os.Exit(exitCode(err))
}

// untilSignal returns a context that ends with the first signal. A second one ends the program at once.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2) // none is missed, however soon the second comes
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		code := 1
		if s, ok := (<-signals).(syscall.Signal); ok {
			code = 128 + int(s) // as a shell has it
		}
		os.Exit(code)
	}()
	return ctx
}

// run is main without the process around it.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	a := newApp(getenv, stdin, stdout, stderr)
	defer a.close()
	cmd, err := a.parse(args)
	if cmd != nil && err == nil {
		err = cmd.Run(ctx, a)
	}
	if err != nil {
		return failure{a.secrets.mask(err.Error()), exitCode(err)}
	}
	return nil
}

// app is what the commands share.
type app struct {
	options
	given          []string // options that the command line gives
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	isTerminal     func(stream any) bool
	secrets        *secrets
	log            *slog.Logger
	closers        []io.Closer
}

func newApp(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr, isTerminal: isTerminal, secrets: new(secrets)}
}

// close closes the latest first.
func (a *app) close() {
	for _, c := range slices.Backward(a.closers) {
		c.Close()
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours reports whether stream is a terminal whose user wants colours.
func (a *app) colours(stream any) bool {
	return a.isTerminal(stream) && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
}

// usageError is a mistake in the command line or the environment.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// failure is how run ends when it does not end well; its text holds no secret.
type failure struct {
	text string
	code int
}

func (f failure) Error() string { return f.text }

func exitCode(err error) int {
	var f failure
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &usage):
		return 2
	}
	return 1
}
