package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAuditFileMoves: after a rotation the next line begins a new file, and a torn line spoils no other.
func TestAuditFileMoves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit")
	if err := os.WriteFile(path, []byte("one\ntor"), 0o600); err != nil {
		t.Fatal(err)
	}
	known := new(secrets)
	known.add(ldclient.Token("my own token"))
	f, err := openAuditFile(path, known)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(line string) {
		if n, err := io.WriteString(f, line); err != nil || n != len(line) {
			t.Errorf("%q: %d, %v", line, n, err)
		}
	}
	write("two my own token\n")
	write("three\n")
	if runtime.GOOS == "windows" {
		t.Skip("Windows renames no open file")
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("four\n")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write("five\n")
	for file, want := range map[string]string{".1": "one\ntor\ntwo ****oken\nthree\n", "": "five\n"} {
		if got := read(t, path+file); got != want {
			t.Errorf("audit%s holds %q, want %q", file, got, want)
		}
	}
	// Where no new file can be made, the line is not quietly lost.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "six\n"); err == nil {
		t.Error("no error without a directory")
	}
}

// TestAuditFileFollowsNoLink: a link that is put in the file's place takes no
// lines; one that the operator named is followed, also after a rotation.
func TestAuditFileFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, other, given := filepath.Join(dir, "audit"), filepath.Join(dir, "other"), filepath.Join(dir, "given")
	if err := os.WriteFile(other, []byte("keep\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, given); err != nil {
		t.Skip(err)
	}
	f, err := openAuditFile(given, new(secrets))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if runtime.GOOS == "windows" {
		t.Skip("Windows renames no open file")
	}
	write := func(line string) error {
		_, err := io.WriteString(f, line)
		return err
	}
	move := func() {
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := write("one\n"); err != nil {
		t.Error(err)
	}
	move()
	if err := write("two\n"); err != nil || read(t, path) != "two\n" || read(t, given) != "two\n" {
		t.Errorf("%v, %q", err, read(t, path))
	}
	move()
	for _, to := range []string{other, filepath.Join(dir, "new")} {
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		if err := write("three\n"); err == nil || !strings.Contains(err.Error(), "a link now") {
			t.Errorf("%s: %v", to, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := write("four\n"); err != nil || read(t, path) != "four\n" || read(t, other) != "keep\n" {
		t.Errorf("%v: %q, other %q", err, read(t, path), read(t, other))
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); err == nil {
		t.Error("a file was made where the link leads")
	}
}

// TestAuditFileShortWrite: what was put before a line, or masked in it, does not count as part of it.
func TestAuditFileShortWrite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ n, text, line, want int }{
		{0, 10, 10, 0}, {4, 10, 10, 4}, {10, 10, 10, 10}, {1, 11, 10, 0}, {5, 11, 10, 4}, {11, 11, 10, 10}, {0, 4, 10, 0}, {4, 4, 10, 10}, {3, 4, 10, 9},
	} {
		if got := ofLine(test.n, test.text, test.line); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

// TestAuditFileIsShared: processes that append to one file do not cut into each other's lines.
func TestAuditFileIsShared(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit")
	var wg sync.WaitGroup
	for i := range 4 {
		f, err := openAuditFile(path, new(secrets))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		wg.Go(func() {
			for range 100 {
				fmt.Fprintf(f, "%s\n", strings.Repeat(fmt.Sprint(i), 500))
			}
		})
	}
	wg.Wait()
	n := 0
	for line := range strings.Lines(read(t, path)) {
		if n++; line != strings.Repeat(line[:1], 500)+"\n" {
			t.Errorf("a mixed line: %s", line)
		}
	}
	if n != 400 {
		t.Errorf("%d lines", n)
	}
}

const flipTest = `{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"test","on":false,"comment":"c"}`

// TestAuditFileIsComplete: the line of the last change is in the file when the
// program ends, however it ends, with the person and the entry.
func TestAuditFileIsComplete(t *testing.T) {
	t.Parallel()
	request := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"toggle-flag","arguments":` + flipTest + `}}` + "\n"
	check := func(how, file string) {
		t.Helper()
		var line struct{ Outcome, Person, Entry string }
		if err := json.Unmarshal([]byte(read(t, file)), &line); err != nil || line.Outcome != "ok" || line.Person != "Ada Lovelace" || line.Entry == "" {
			t.Errorf("%s: %v: %s", how, err, read(t, file))
		}
	}
	file := filepath.Join(t.TempDir(), "call")
	if got := invoke(t, nil, "", "call", "toggle-flag", flipTest, "--sandbox", "--audit-file", file); got.err != nil {
		t.Error(got.err)
	}
	check("call", file)
	file = filepath.Join(t.TempDir(), "stdio")
	if got := invoke(t, nil, request, "--sandbox", "--audit-file", file); got.err != nil {
		t.Error(got.err)
	}
	check("end of input", file)
	if runtime.GOOS == "windows" {
		return
	}
	file = filepath.Join(t.TempDir(), "signal")
	p := exec.CommandContext(t.Context(), "ld-mcp", "--sandbox", "--audit-file", file)
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
	io.WriteString(in, request)
	if answer, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(answer, `\"changed\":true`) {
		t.Errorf("%s, %v", answer, err)
	}
	p.Process.Signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	check("signal", file)
}

// TestAuditRequired: --audit-required wants a file, and no change without it.
func TestAuditRequired(t *testing.T) {
	t.Parallel()
	if got := invoke(t, nil, "", "call", "whoami", "--sandbox", "--audit-required"); got.code() != 2 || !strings.Contains(got.err.Error(), "name one with --audit-file") {
		t.Errorf("code %d, %v", got.code(), got.err)
	}
	if got := invoke(t, []string{"LD_MCP_AUDIT_REQUIRED=true"}, "", "tools"); got.code() != 2 || !strings.Contains(got.err.Error(), "LD_MCP_AUDIT_REQUIRED") {
		t.Errorf("code %d, %v", got.code(), got.err)
	}
	file := filepath.Join(t.TempDir(), "audit")
	if got := invoke(t, nil, "", "call", "toggle-flag", flipTest, "--sandbox", "--audit-required", "--audit-file", file); got.err != nil {
		t.Error(got.err)
	}
	if text := read(t, file); strings.Count(text, "\n") != 2 || !strings.Contains(text, `"outcome":"attempt"`) || !strings.Contains(text, `"outcome":"ok"`) {
		t.Error(text)
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	if got := invoke(t, nil, "", "call", "toggle-flag", flipTest, "--sandbox", "--audit-required", "--audit-file", "/dev/full"); got.code() != 1 || !strings.Contains(got.err.Error(), "Nothing was changed") {
		t.Errorf("code %d, %v", got.code(), got.err)
	}
	if got := invoke(t, nil, "", "call", "toggle-flag", flipTest, "--sandbox", "--audit-file", "/dev/full"); got.err != nil || strings.Count(got.stderr, "cannot be written") != 1 {
		t.Errorf("%v: %s", got.err, got.stderr)
	}
}
