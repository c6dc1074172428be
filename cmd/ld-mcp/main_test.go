package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ld-mcp": func() {
		beforeMain()
		main()
	}})
}

// beforeMain is what a test needs inside of the command's process.
var beforeMain = func() {}

// withoutPause keeps the race detector from pausing for a second at the end of each process.
const withoutPause = "atexit_sleep_ms=0"

// TestScripts runs real command lines: each file of testdata is a few of them and what they print.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", withoutPause)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"jsonrpc": checkProtocol},
	})
}

// checkProtocol is the script command jsonrpc FILE ID...: FILE holds nothing but
// JSON-RPC messages, one a line, and among them the answers to the ids.
func checkProtocol(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: jsonrpc FILE ID...")
	}
	open := map[string]bool{}
	for _, id := range args[1:] {
		open[id] = true
	}
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m struct {
			JSONRPC string
			ID      json.Number
			Result  json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil || m.JSONRPC != "2.0" {
			ts.Fatalf("not a JSON-RPC message: %s", lines.Text())
		}
		if m.Result != nil {
			delete(open, m.ID.String())
		}
	}
	if len(open) > 0 {
		ts.Fatalf("no answer to %v", open)
	}
}

// outcome is what one command line did.
type outcome struct {
	stdout, stderr string
	err            error
}

func (o outcome) code() int { return exitCode(o.err) }

// invoke runs a command line in this process; environment is NAME=value.
func invoke(t *testing.T, environment []string, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, getenvOf(environment), strings.NewReader(stdin), &stdout, &stderr)
	return outcome{stdout.String(), stderr.String(), err}
}

func getenvOf(environment []string) func(string) string {
	return func(name string) string {
		for _, pair := range environment {
			if n, v, _ := strings.Cut(pair, "="); n == name {
				return v
			}
		}
		return ""
	}
}

func TestHelpNamesEveryOption(t *testing.T) {
	t.Parallel()
	got := invoke(t, nil, "", "--help")
	if got.err != nil {
		t.Fatal(got.err)
	}
	options := parameters(new(options))
	if len(options) < 20 {
		t.Fatalf("only %d options", len(options))
	}
	for _, f := range options {
		if !strings.Contains(got.stdout, "--"+f.name) || !strings.Contains(got.stdout, "$"+variableOf(f.name)) {
			t.Errorf("--help does not show --%s with %s", f.name, variableOf(f.name))
		}
		if !strings.HasSuffix(f.help, ".") || !strings.Contains(f.help, " ") {
			t.Errorf("--%s: %q is not a sentence", f.name, f.help)
		}
	}
	for _, name := range tokenVariables {
		if !strings.Contains(got.stdout, name+"_FILE") {
			t.Errorf("--help does not show %s and its _FILE form", name)
		}
	}
	for _, c := range commands {
		if !strings.Contains(got.stdout, "\n  "+c.name+" ") {
			t.Errorf("--help does not show the command %s", c.name)
		}
	}
}

func TestEveryOptionHasAVariable(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"region": "eu", "base-url": "https://proxy.example", "project": "shop", "environment": "test", "sandbox": "1", "sandbox-flags": "7",
		"read-only": "true", "allow-projects": "shop, mob*", "allow-environments": "test,staging", "protect": "live-*", "confirm": "ask", "audit-file": "audit.jsonl", "audit-required": "true", "allow-review": "true", "allow-operations": "deleteView,reset*",
		"toolsets": "flags,audit", "tools": "whoami", "exclude-tools": "toggle-*", "hosted-tools": "query-*,get-keys", "hosted-url": "http://127.0.0.1:3001/mcp", "max-reply-bytes": "5000", "output-schemas": "yes", "timeout": "45s",
		"http": "127.0.0.1:8080", "auth": "bearer", "auth-keys-file": "", "auth-keys": "ci sha256:ab", "oidc-issuer": "https://id.example", "oidc-audience": "ld-mcp", "oidc-groups-claim": "roles",
		"oidc-readers": "all", "oidc-writers": "shop=shop,mobile=mob*", "public-url": "https://mcp.example/ld", "allow-hosts": "mcp.example", "allow-origins": "https://app.example",
		"trusted-proxies": "10.0.0.0/8", "tls-cert": "/cert.pem", "tls-key": "/key.pem", "metrics-http": "127.0.0.1:9090", "stateless": "true", "key-file": "/key", "replica": "a",
		"max-sessions": "10", "max-sessions-per-caller": "5",
		"log-level": "debug", "log-format": "text",
	}
	byFlag, byVariable := []string{"version"}, []string{}
	for _, f := range parameters(new(options)) {
		v, ok := values[f.name]
		if !ok {
			t.Fatalf("the test has no value for --%s", f.name)
		}
		byFlag = append(byFlag, "--"+f.name+"="+v)
		byVariable = append(byVariable, variableOf(f.name)+"="+v)
	}
	parsed := func(environment []string, args ...string) string {
		a := newApp(getenvOf(environment), nil, new(bytes.Buffer), new(bytes.Buffer))
		if _, err := a.parse(args); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(a.options)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	flags, variables, neither := parsed(nil, byFlag...), parsed(byVariable, "version"), parsed(nil, "version")
	if flags != variables {
		t.Errorf("flags give\n%s\nvariables give\n%s", flags, variables)
	}
	if flags == neither {
		t.Error("the options made no difference")
	}
	if got := parsed([]string{"LD_MCP_PROJECT=shop"}, "version", "--project", "mobile"); !strings.Contains(got, `"Project":"mobile"`) {
		t.Errorf("a flag does not win over its variable: %s", got)
	}
	var empty []string
	for _, f := range parameters(new(options)) {
		empty = append(empty, variableOf(f.name)+"= ")
	}
	if got := parsed(empty, "version"); got != neither {
		t.Errorf("empty variables are not unset:\n%s\n%s", got, neither)
	}
}

func TestReferencesInVariablesAreRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"${PROJECT}", "$PROJECT", "{env:PROJECT}", "%PROJECT%", "${input:project}", "${user_config.project}"} {
		got := invoke(t, []string{"LD_MCP_PROJECT=" + value}, "", "tools")
		if got.code() != 2 || !strings.Contains(got.err.Error(), "LD_MCP_PROJECT holds a reference") {
			t.Errorf("%s: code %d, %v", value, got.code(), got.err)
		}
	}
}

func TestAuditFile(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/audit.jsonl"
	for _, args := range [][]string{
		{"environmentKey=test", "on=false", "comment=first"},
		{"environmentKey=production", "on=true", "comment=second"},
	} {
		invoke(t, nil, "", append([]string{"call", "toggle-flag", "--sandbox", "--audit-file", file, "projectKey=shop", "flagKey=dark-mode"}, args...)...)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"outcome":"ok"`) || !strings.Contains(lines[0], "first") || !strings.Contains(lines[1], `"outcome":"refused"`) {
		t.Errorf("audit file:\n%s", text)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the audit file's mode is %o", info.Mode().Perm())
	}
	if got := invoke(t, nil, "", "call", "whoami", "--sandbox", "--audit-file", t.TempDir()); got.code() != 1 || !strings.Contains(got.err.Error(), "--audit-file") {
		t.Errorf("a directory as audit file: %v", got.err)
	}
}

func TestVersionIsAlwaysKnown(t *testing.T) {
	t.Parallel()
	got := invoke(t, nil, "", "--version")
	if got.err != nil || !strings.HasPrefix(got.stdout, "ld-mcp "+currentVersion().Version) || !strings.Contains(got.stdout, "go1.") {
		t.Errorf("%q, %v", got.stdout, got.err)
	}
}

// within runs f in the background and returns its result when it is done; the context ends it.
func within(ctx context.Context, f func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}
