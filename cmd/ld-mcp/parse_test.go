package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parsed is the app and the command that a command line makes.
func parsed(t *testing.T, environment []string, args ...string) (*app, runner, error) {
	t.Helper()
	a := newApp(getenvOf(environment), nil, io.Discard, io.Discard)
	cmd, err := a.parse(args)
	return a, cmd, err
}

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]runner{
		"":                                     &serveCmd{},
		"--read-only":                          &serveCmd{},
		"serve":                                &serveCmd{},
		"--version":                            &versionCmd{},
		"-- version":                           &versionCmd{},
		"--project shop version --read-only":   &versionCmd{},
		"tools --json --all=no":                &toolsCmd{JSON: true},
		"tools --all=YES":                      &toolsCmd{All: true},
		"call t":                               &callCmd{Tool: "t"},
		"call t a=1,2 --project shop b=2":      &callCmd{Tool: "t", Arguments: []string{"a=1,2", "b=2"}},
		"call -- t --a=1":                      &callCmd{Tool: "t", Arguments: []string{"--a=1"}},
		"-- call t --a=1":                      &callCmd{Tool: "t", Arguments: []string{"--a=1"}},
		"call t -":                             &callCmd{Tool: "t", Arguments: []string{"-"}},
		"sandbox":                              &sandboxCmd{Addr: "127.0.0.1:0"},
		"sandbox --addr= --addr 127.0.0.1:1":   &sandboxCmd{Addr: "127.0.0.1:1"},
		"install":                              &installCmd{Scope: "user", Dir: ".", Name: "launchdarkly", KeyVariable: "LD_MCP_BEARER_KEY"},
		"install c --scope=project -- -x --yy": &installCmd{Client: "c", Options: []string{"-x", "--yy"}, Scope: "project", Dir: ".", Name: "launchdarkly", KeyVariable: "LD_MCP_BEARER_KEY"},
	} {
		_, cmd, err := parsed(t, nil, strings.Fields(line)...)
		if diff := cmp.Diff(want, cmd); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", line, err, diff)
		}
	}
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	env := []string{"LD_MCP_PROTECT=live,prod*", "LD_MCP_REGION=eu", "LD_MCP_TIMEOUT= 45s ", "LD_MCP_SANDBOX=Yes", "LD_MCP_LOG_LEVEL="}
	for line, want := range map[string]func(*options){
		"tools":                           func(*options) {},
		"--region us tools":               func(o *options) { o.Region = "us" },
		"--protect a tools --protect=b,c": func(o *options) { o.Protect = []string{"a", "b", "c"} },
		`tools --protect a\,b,c`:          func(o *options) { o.Protect = []string{"a,b", "c"} },
		"tools --protect=":                func(o *options) { o.Protect = nil },
		"tools --project a --project b":   func(o *options) { o.Project = "b" },
		"tools --project=--b":             func(o *options) { o.Project = "--b" },
		"tools --sandbox=0":               func(o *options) { o.Sandbox = false },
		"tools --max-reply-bytes 0x4000":  func(o *options) { o.MaxReplyBytes = 1 << 14 },
		"tools --timeout 1m30s":           func(o *options) { o.Timeout = 90 * time.Second },
		"tools --log-level=":              func(*options) {},
	} {
		base, _, err := parsed(t, env, "tools")
		if err != nil {
			t.Fatal(err)
		}
		want(&base.options)
		a, _, err := parsed(t, env, strings.Fields(line)...)
		if diff := cmp.Diff(base.options, a.options); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", line, err, diff)
		}
	}
	a, _, err := parsed(t, env, "tools")
	if o := a.options; err != nil || o.Region != "eu" || !cmp.Equal(o.Protect, []string{"live", "prod*"}) || o.Timeout != 45*time.Second || !o.Sandbox || o.MaxReplyBytes != 20000 || o.LogLevel != "" {
		t.Errorf("%v, %+v", err, o)
	}
}

// A mistake is refused with one sentence that says what to write.
func TestParseMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{"--raed-only", `unknown flag --raed-only, did you mean "--read-only"? see ld-mcp --help`},
		{"-read-only", `unknown flag -read-only, did you mean "--read-only"? see ld-mcp --help`},
		{"tools --jsn", `unknown flag --jsn, did you mean "--json"? see ld-mcp --help`},
		{"--audit-", `unknown flag --audit-, did you mean one of "--audit-file", "--audit-required"? see ld-mcp --help`},
		{"--nothing-like-it", "unknown flag --nothing-like-it; see ld-mcp --help"},
		{"--json tools", "unknown flag --json; see ld-mcp --help"}, // options of a command come behind it
		{"-x", "unknown flag -x; see ld-mcp --help"},
		{"---x", "bad flag syntax: ---x; see ld-mcp --help"},
		{"--project", "--project wants a value; see ld-mcp --help"},
		{"--project --read-only", "--project wants a value, and --read-only looks like an option; if it is the value, write --project=--read-only; see ld-mcp --help"},
		{"--protect --read-only", "--protect wants a value, and --read-only looks like an option; if it is the value, write --protect=--read-only; see ld-mcp --help"},
		{"--max-reply-bytes -1", "--max-reply-bytes wants a value, and -1 looks like an option; if it is the value, write --max-reply-bytes=-1; see ld-mcp --help"},
		{"--max-reply-bytes many", `--max-reply-bytes: write a whole number, not "many"; see ld-mcp --help`},
		{"--max-reply-bytes 99999999999999999999", `--max-reply-bytes: write a whole number, not "99999999999999999999"; see ld-mcp --help`},
		{"--timeout soon", `--timeout: write a time such as 30s or 2m, not "soon"; see ld-mcp --help`},
		{"--read-only=", `--read-only: write true or false, not ""; see ld-mcp --help`},
		{"--region mars", `--region must be one of "us","eu","federal" but got "mars"; see ld-mcp --help`},
		{"--region=", `--region must be one of "us","eu","federal" but got ""; see ld-mcp --help`},
		{"install c --scope mine", `--scope must be one of "user","project" but got "mine"; see ld-mcp --help`},
		{"call", "expected <tool>, as in: ld-mcp call <tool> [<key=value> ...] [flags]; see ld-mcp --help"},
		{"tools extra", "unexpected argument extra; see ld-mcp --help"},
		{"key a b", "unexpected argument b; see ld-mcp --help"},
		{"dmeo", "there is no command dmeo; there are serve, call, tools, demo, doctor, sandbox, key, install, docs, version; see ld-mcp --help"},
		{"serve dmeo", "there is no command dmeo; there are serve, call, tools, demo, doctor, sandbox, key, install, docs, version; see ld-mcp --help"},
		{"tools --read-only no", "unexpected argument no; see ld-mcp --help"},
	} {
		a, cmd, err := parsed(t, nil, strings.Fields(c.line)...)
		if err == nil || err.Error() != c.want || exitCode(err) != 2 || cmd != nil || a.log != nil {
			t.Errorf("%s: %v\nwant %s", c.line, err, c.want)
		}
	}
}

// A mistake in a variable names the variable, and one on the command line does not.
func TestParseNamesTheVariable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env, line string
		named     bool
	}{
		{"LD_MCP_REGION=mars", "tools", true},
		{"LD_MCP_REGION=eu", "tools --region mars", false},
		{"LD_MCP_MAX_REPLY_BYTES=10", "tools", true},
		{"LD_MCP_AUDIT_FILE=x", "tools --max-reply-bytes 10", false},
		{"LD_MCP_PROTECT=[", "tools", true},
	} {
		_, _, err := parsed(t, []string{c.env}, strings.Fields(c.line)...)
		name, _, _ := strings.Cut(c.env, "=")
		if err == nil || exitCode(err) != 2 || c.named != strings.Contains(err.Error(), " (from "+name+"); see") {
			t.Errorf("%s %s: %v", c.env, c.line, err)
		}
	}
}

// Help is there whatever else is wrong, but for a flag that does not exist.
func TestHelpComesFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{"--help", "Usage: ld-mcp <command> [flags]\n"},
		{"-h --region mars", "Usage: ld-mcp <command> [flags]\n"},
		{"call -h", "Usage: ld-mcp call <tool> [<key=value> ...] [flags]\n"},
		{"--help tools", "Usage: ld-mcp tools [flags]\n"},
		{"install x y z --help", "Usage: ld-mcp install [<client>] [<option> ...] [flags]\n"},
	} {
		got := invoke(t, []string{"LD_MCP_PROJECT=${PROJECT}", "LD_MCP_TIMEOUT=never"}, "", strings.Fields(c.line)...)
		if got.err != nil || !strings.HasPrefix(got.stdout, c.want) || got.stderr != "" {
			t.Errorf("%s: %v\n%.200s", c.line, got.err, got.stdout)
		}
	}
	if got := invoke(t, nil, "", "--help", "--bogus"); got.code() != 2 {
		t.Errorf("a flag that does not exist: %v", got.err)
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		a := newApp(func(string) string { return "" }, nil, io.Discard, io.Discard)
		if _, err := a.parse([]string{"--read-only", "--project", "shop", "--protect=prod*,live"}); err != nil {
			b.Fatal(err)
		}
	}
}
