package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is the command serving HTTP, in a process of its own.
type process struct {
	*exec.Cmd
	t             *testing.T
	base, metrics string

	mu    sync.Mutex
	lines []string
	said  chan struct{} // gets something with each line
	ended chan struct{} // closed when the log has ended
}

// startServer starts the command and waits until it listens. It is ended with the test if it still runs.
func startServer(t *testing.T, environment []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, said: make(chan struct{}, 1), ended: make(chan struct{})}
	p.Cmd = exec.CommandContext(t.Context(), "ld-mcp", append([]string{"--http", "127.0.0.1:0", "--metrics-http", "127.0.0.1:0", "--log-format", "json"}, args...)...)
	p.Env = append(append(p.Environ(), "GORACE="+withoutPause, "OTEL_SDK_DISABLED="), environment...)
	errs, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(errs)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.mu.Lock()
			p.lines = append(p.lines, lines.Text())
			p.mu.Unlock()
			select {
			case p.said <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() {
		if p.ProcessState == nil {
			p.Process.Kill()
			p.wait()
		}
		if t.Failed() {
			t.Logf("the server said:\n%s", p.log())
		}
	})
	p.base = p.expect("streamable")
	p.base = strings.TrimSuffix(p.base, "/mcp")
	p.metrics = strings.TrimSuffix(p.expect("metrics"), "/metrics")
	return p
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// expect waits for a log line with this attribute and returns its value.
func (p *process) expect(attribute string) string {
	p.t.Helper()
	timeout := time.After(20 * time.Second)
	for seen := 0; ; {
		p.mu.Lock()
		fresh := p.lines[seen:]
		seen = len(p.lines)
		p.mu.Unlock()
		for _, line := range fresh {
			var attributes map[string]any
			if json.Unmarshal([]byte(line), &attributes) == nil && attributes[attribute] != nil {
				return fmt.Sprint(attributes[attribute])
			}
		}
		select {
		case <-p.said:
		case <-p.ended:
			p.t.Fatalf("the server ended without saying %s:\n%s", attribute, p.log())
		case <-timeout:
			p.t.Fatalf("the server does not say %s:\n%s", attribute, p.log())
		}
	}
}

// wait waits for the process to end and returns how it did.
func (p *process) wait() error {
	<-p.ended
	return p.Wait()
}

// reply is what came of one HTTP request.
type reply struct {
	status int
	header http.Header
	text   string
}

// request sends one to the server; who is the Authorization header.
func (p *process) request(method, url, who, body string) reply {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if who != "" {
		req.Header.Set("Authorization", who)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Error(err)
		return reply{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Error(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// call calls a tool at /mcp without a session, with more of params.
func (p *process) call(who, tool, arguments, more string) reply {
	p.t.Helper()
	return p.request("POST", p.base+"/mcp", who, toolCall("1", tool, arguments, more))
}

func toolCall(id, tool, arguments, more string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"method":"tools/call","params":{"name":%q,"arguments":%s%s}}`, id, tool, arguments, more)
}

const (
	listTheTools = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	initialize   = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`
	initialized  = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)
