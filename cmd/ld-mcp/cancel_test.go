package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// atOnce is for what ought to happen at once.
const atOnce = 20 * time.Second

// await waits for c, but not for ever.
func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(atOnce):
		t.Fatalf("%s: nothing happened", what)
	}
}

// holding serves a sandbox that carries requests whose path ends in /dark-mode
// out but answers none of this method: it tells when one came and when it was given up.
func holding(t *testing.T, method string) (u *upstream, came, ended chan struct{}) {
	came, ended = make(chan struct{}, 9), make(chan struct{}, 9)
	u = newUpstream(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.HasSuffix(r.URL.Path, "/dark-mode") {
			return false
		}
		u.ServeHTTP(httptest.NewRecorder(), r)
		came <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
		return true
	})
	return u, came, ended
}

// TestCancelOverStdio: notifications/cancelled ends the request at LaunchDarkly,
// the server goes on, and the audit file says what may have happened.
func TestCancelOverStdio(t *testing.T) {
	t.Parallel()
	for method, call := range map[string]string{
		http.MethodGet:   toolCall("7", "get-flag", getFlag, ""),
		http.MethodPatch: toolCall("7", "toggle-flag", turnOff, ""),
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			u, came, ended := holding(t, method)
			file := filepath.Join(t.TempDir(), "audit")
			in, client := io.Pipe()
			answers, out := io.Pipe()
			done := make(chan error, 1)
			go func() {
				done <- run(t.Context(), []string{"--base-url", u.url, "--audit-file", file, "--log-level", "error"},
					getenvOf([]string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken}), in, out, io.Discard)
				out.Close()
			}()
			said := make(chan string, 1)
			pong := make(chan struct{})
			go func() {
				var all strings.Builder
				d := json.NewDecoder(answers)
				for {
					var answer json.RawMessage
					if d.Decode(&answer) != nil {
						break
					}
					all.Write(answer)
					if strings.Contains(string(answer), `"id":"ping"`) {
						close(pong)
					}
				}
				said <- all.String()
			}()
			io.WriteString(client, call+"\n")
			await(t, "request", came)
			io.WriteString(client, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"7","reason":"enough"}}`+"\n")
			await(t, "end of the request", ended)
			io.WriteString(client, `{"jsonrpc":"2.0","id":"ping","method":"ping"}`+"\n")
			await(t, "answer to a ping", pong)
			client.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if text := <-said; strings.Contains(text, `"changed":true`) {
				t.Errorf("the server said %s", text)
			}
			text := read(t, file)
			if method == http.MethodGet {
				if text != "" {
					t.Errorf("a read is in the audit file: %s", text)
				}
				return
			}
			var line struct{ Outcome, Tool, Message string }
			if err := json.Unmarshal([]byte(text), &line); err != nil || line.Outcome != "error" || line.Tool != "toggle-flag" || !strings.Contains(line.Message, "It is not known whether the change was made") {
				t.Errorf("%v: %s", err, text)
			}
			if n := len(u.Writes()); n != 1 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// TestCancelOverHTTP: a caller that hangs up ends its request at LaunchDarkly, and nobody else's.
func TestCancelOverHTTP(t *testing.T) {
	t.Parallel()
	for method, call := range map[string]string{
		http.MethodGet:   toolCall("7", "get-flag", getFlag, ""),
		http.MethodPatch: toolCall("7", "toggle-flag", turnOff, ""),
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			u, came, ended := holding(t, method)
			file := filepath.Join(t.TempDir(), "audit")
			p := startServer(t, []string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken}, "--base-url", u.url, "--audit-file", file)
			ctx, hangUp := context.WithCancel(t.Context())
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/mcp", strings.NewReader(call))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Accept", "application/json, text/event-stream")
				if resp, err := http.DefaultClient.Do(req); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
			await(t, "request", came)
			hangUp()
			await(t, "end of the request", ended)
			<-gone
			has(t, "another call", p.call("", "list-environments", `{"projectKey":"shop"}`, ""), 200, "production")
			p.Process.Signal(syscall.SIGTERM)
			if err := p.wait(); err != nil {
				t.Error(err)
			}
			if text := read(t, file); strings.Contains(text, "It is not known whether the change was made") != (method == http.MethodPatch) {
				t.Errorf("the audit file says %q", text)
			}
		})
	}
}
