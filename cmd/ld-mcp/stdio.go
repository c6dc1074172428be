package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// lastWords is how long calls in progress may go on after a signal.
const lastWords = 3 * time.Second

func (a *app) serveStdio(ctx context.Context, mcp *server.MCPServer) error {
	s := server.NewStdioServer(mcp)
	s.SetErrorLogger(slog.NewLogLogger(a.log.Handler(), slog.LevelWarn))
	c := converse(ctx, a.stdin, a.stdout, a.Timeout)
	// The signal reaches the server as the end of its input, so that calls in progress are not cut off.
	return s.Listen(context.WithoutCancel(ctx), c, c)
}

// conversation is the input and output of a stdio server. It holds the end of
// the input back until the requests before it are answered: the server drops
// what is in progress when its input ends, which could be a change half made.
type conversation struct {
	ctx      context.Context
	lines    chan []byte
	rest     []byte
	out      io.Writer
	patience time.Duration

	mu       sync.Mutex
	open     map[string]bool // requests without an answer
	answered chan struct{}
}

// converse reads in until it ends. The reading goroutine cannot be stopped
// before that; it ends with the process.
func converse(ctx context.Context, in io.Reader, out io.Writer, patience time.Duration) *conversation {
	c := &conversation{ctx: ctx, lines: make(chan []byte), out: out, patience: patience,
		open: map[string]bool{}, answered: make(chan struct{}, 1)}
	go func() {
		defer close(c.lines)
		r := bufio.NewReader(in)
		for {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				if err != nil {
					line = append(line, '\n')
				}
				select {
				case c.lines <- line:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return c
}

func (c *conversation) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		select {
		case line, ok := <-c.lines:
			if !ok {
				c.drain()
				return 0, io.EOF
			}
			c.note(line, true)
			c.rest = line
		case <-c.ctx.Done():
			c.drain()
			return 0, io.EOF
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *conversation) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	c.note(p, false)
	return n, err
}

// note keeps the list of open requests: what comes in opens one, its answer or cancellation closes it.
func (c *conversation) note(line []byte, incoming bool) {
	var m struct {
		ID     any
		Method string
		Params struct{ RequestID any }
	}
	if json.Unmarshal(line, &m) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case incoming && m.Method == "notifications/cancelled":
		delete(c.open, fmt.Sprintf("%#v", m.Params.RequestID))
	case incoming && m.ID != nil && m.Method != "" && m.Method != "subscriptions/listen": // which is answered at the very end
		c.open[fmt.Sprintf("%#v", m.ID)] = true
	case !incoming && m.ID != nil && m.Method == "":
		delete(c.open, fmt.Sprintf("%#v", m.ID))
		select {
		case c.answered <- struct{}{}:
		default:
		}
	}
}

// drain waits until every request is answered, but not for ever.
func (c *conversation) drain() {
	timer := time.NewTimer(c.patience)
	defer timer.Stop()
	signal := c.ctx.Done()
	for {
		c.mu.Lock()
		n := len(c.open)
		c.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-c.answered:
		case <-signal:
			signal = nil
			timer.Reset(min(lastWords, c.patience))
		case <-timer.C:
			return
		}
	}
}
