package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A signal ends either server cleanly, with exit status 0.
func TestSignalsEndTheServer(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such signals")
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run("stdio "+signal.String(), func(t *testing.T) {
			t.Parallel()
			p := exec.CommandContext(t.Context(), "ld-mcp", "--sandbox")
			p.Env = append(p.Environ(), "GORACE="+withoutPause)
			in, err := p.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(in, `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
			answer, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || !strings.Contains(answer, `"result"`) {
				t.Errorf("%s, %v", answer, err)
			}
			p.Process.Signal(signal)
			if err := p.Wait(); err != nil {
				t.Error(err)
			}
		})
		t.Run("http "+signal.String(), func(t *testing.T) {
			t.Parallel()
			p := exec.CommandContext(t.Context(), "ld-mcp", "--sandbox", "--http", "127.0.0.1:0", "--log-format", "json")
			p.Env = append(p.Environ(), "GORACE="+withoutPause)
			errs, err := p.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(errs)
			base := ""
			for base == "" && lines.Scan() {
				_, rest, _ := strings.Cut(lines.Text(), `"sse":"`)
				base, _, _ = strings.Cut(rest, `/sse"`)
			}
			resp, err := http.Get(base + "/sse") // a client that stays
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			p.Process.Signal(signal)
			io.Copy(io.Discard, resp.Body)
			for lines.Scan() {
				if strings.Contains(lines.Text(), "cut off") {
					t.Error(lines.Text())
				}
			}
			if err := p.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
