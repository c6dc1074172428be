package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// patience is how long one answer may take.
const patience = time.Minute

// process is an MCP server as a child of this program, spoken to over stdio.
type process struct {
	*session
	cmd     *exec.Cmd
	in      io.WriteCloser
	started time.Time
}

// start starts a program. It ends with ctx at the latest.
func start(ctx context.Context, command, env []string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	p.cmd.Env = append(os.Environ(), env...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.session = &session{in: p.in, out: bufio.NewReaderSize(out, 1<<20)}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s does not start: %w", command[0], err)
	}
	p.giveUp = func() { p.cmd.Process.Kill() } //nolint:errcheck // it may have ended
	return p, nil
}

// stop ends the process as clients do, by the end of its input.
func (p *process) stop() {
	p.in.Close()
	timer := time.AfterFunc(5*time.Second, p.giveUp)
	defer timer.Stop()
	p.cmd.Wait() //nolint:errcheck // how it ends does not matter
}

// peak is the most memory that the process ever held, in bytes.
func (p *process) peak() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("memory can be measured on Linux only: %w", err)
	}
	return peakIn(string(text))
}

func peakIn(status string) (float64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return float64(n) * 1024, err
		}
	}
	return 0, errors.New("/proc tells no VmHWM")
}

// session is a conversation with an MCP server.
type session struct {
	in     io.Writer
	out    *bufio.Reader
	last   int
	giveUp func() // ends the server, so that reading from it ends
}

// question is a call of a tool.
type question struct {
	Tool string `json:"name"`
	Args any    `json:"arguments"`
}

type message struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func request(id int, method string, params any) ([]byte, error) {
	type request struct {
		JSONRPC string `json:"jsonrpc"`
		ID      int    `json:"id,omitempty"`
		Method  string `json:"method"`
		Params  any    `json:"params,omitempty"`
	}
	text, err := json.Marshal(request{"2.0", id, method, params})
	return append(text, '\n'), err
}

// ask sends a request and returns the result, and when its answer was there in full.
func (s *session) ask(method string, params any) (json.RawMessage, time.Time, error) {
	s.last++
	line, err := request(s.last, method, params)
	if err != nil {
		return nil, time.Time{}, err
	}
	timer := time.AfterFunc(patience, s.giveUp)
	defer timer.Stop()
	if _, err := s.in.Write(line); err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: %w", method, err)
	}
	for {
		m, at, err := s.next()
		switch {
		case err != nil:
			return nil, at, fmt.Errorf("%s: %w", method, err)
		case m.ID != s.last: // something else that the server says
		case m.Error != nil:
			return nil, at, fmt.Errorf("%s: %s", method, m.Error)
		default:
			return m.Result, at, nil
		}
	}
}

func (s *session) next() (message, time.Time, error) {
	var m message
	line, err := s.out.ReadBytes('\n')
	at := time.Now()
	if err != nil {
		return m, at, fmt.Errorf("no answer: %w", err)
	}
	var any struct {
		message
		ID json.RawMessage `json:"id"` // a server's own requests may have ids of any form
	}
	if err := json.Unmarshal(line, &any); err != nil {
		return m, at, fmt.Errorf("%w in %.200s", err, line)
	}
	m = any.message
	if id, err := strconv.Atoi(string(any.ID)); err == nil && (m.Result != nil || m.Error != nil) {
		m.ID = id
	}
	return m, at, nil
}

// initialize opens the session and returns when the answer was there.
func (s *session) initialize() (time.Time, error) {
	_, at, err := s.ask("initialize", map[string]any{
		"protocolVersion": "2025-06-18", "capabilities": struct{}{},
		"clientInfo": map[string]string{"name": "ld-mcp-bench", "version": "1"},
	})
	if err != nil {
		return at, err
	}
	line, err := request(0, "notifications/initialized", nil)
	if err != nil {
		return at, err
	}
	_, err = s.in.Write(line)
	return at, err
}

// text is what a model sees of a tool's reply.
func text(result json.RawMessage) (string, error) {
	var r struct {
		Content []struct{ Text string }
		IsError bool
	}
	if err := json.Unmarshal(result, &r); err != nil {
		return "", err
	}
	var all bytes.Buffer
	for _, c := range r.Content {
		all.WriteString(c.Text)
	}
	if r.IsError || all.Len() == 0 {
		return "", fmt.Errorf("a refusal: %.300s", all.String())
	}
	return all.String(), nil
}

// call calls a tool and returns its text and how long it took.
func (s *session) call(q question) (string, time.Duration, error) {
	start := time.Now()
	result, at, err := s.ask("tools/call", q)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", q.Tool, err)
	}
	reply, err := text(result)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", q.Tool, err)
	}
	return reply, at.Sub(start), nil
}

// callAll makes several calls one after the other, as one task.
func (s *session) callAll(qs []question) (string, time.Duration, error) {
	var all strings.Builder
	var took time.Duration
	for _, q := range qs {
		reply, d, err := s.call(q)
		if err != nil {
			return "", 0, err
		}
		all.WriteString(reply)
		took += d
	}
	return all.String(), took, nil
}

// callAtOnce sends all calls before it waits for any answer. It returns how
// many were not answered as right says, and when the last answer was there.
func (s *session) callAtOnce(qs []question, right func(i int, reply string) bool) (failed int, took time.Duration, err error) {
	first := s.last + 1
	var lines bytes.Buffer
	for i, q := range qs {
		line, err := request(first+i, "tools/call", q)
		if err != nil {
			return 0, 0, err
		}
		lines.Write(line)
	}
	s.last += len(qs)
	timer := time.AfterFunc(patience, s.giveUp)
	defer timer.Stop()
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		_, err := s.in.Write(lines.Bytes())
		sent <- err
	}()
	answered := map[int]bool{}
	for len(answered) < len(qs) {
		m, at, err := s.next()
		if err != nil {
			return 0, 0, fmt.Errorf("%d of %d calls at once were answered: %w", len(answered), len(qs), err)
		}
		i := m.ID - first
		if i < 0 || i >= len(qs) || answered[m.ID] {
			continue
		}
		answered[m.ID], took = true, at.Sub(start)
		if reply, err := text(m.Result); err != nil || m.Error != nil || !right(i, reply) {
			failed++
		}
	}
	return failed, took, <-sent
}
