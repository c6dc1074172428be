package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/install")

const bearerKey = "ldm-THISISAKEYOFASERVICE"

// machine is a home directory with nothing in it, and an environment that holds a token and a key.
type machine struct {
	t    *testing.T
	home string
	env  []string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	home := t.TempDir()
	env := []string{"HOME=" + home, "USERPROFILE=" + home, "APPDATA=" + filepath.Join(home, "appdata"), "LAUNCHDARKLY_ACCESS_TOKEN=" + realToken, "LD_MCP_BEARER_KEY=" + bearerKey}
	return machine{t, home, env}
}

// install runs ld-mcp install, and looks for the token and the key in what it says and leaves.
func (m machine) install(args ...string) outcome {
	m.t.Helper()
	got := invoke(m.t, m.env, "", append([]string{"install"}, args...)...)
	text := got.stdout + got.stderr
	if got.err != nil {
		text += got.err.Error()
	}
	filepath.WalkDir(m.home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			b, _ := os.ReadFile(path)
			text += string(b)
			if strings.HasPrefix(d.Name(), ".ld-mcp-") {
				m.t.Errorf("%s was left behind", path)
			}
		}
		return nil
	})
	for _, secret := range []string{realToken, bearerKey} {
		if strings.Contains(text, secret) && !slices.Contains(args, "--write-token") {
			m.t.Errorf("install %q shows a secret:\n%s", args, text)
		}
	}
	return got
}

func (m machine) write(file, text string, mode fs.FileMode) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) read(file string) string {
	m.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b)
}

// others is a file with settings and servers that are not ours; old has an entry of ours besides.
func others(c *knownClient) string {
	if c.format == "toml" {
		return "# mine\nmodel = \"m\"   # keep\n\n[mcp_servers.other]\ncommand = \"other\"\nargs = [\n  \"x\", # why\n]\n\n[tui]\nnotes = \"\"\"\n[mcp_servers.launchdarkly]\n\"\"\"\n"
	}
	return "// mine\n{\n    \"theme\": \"dark\", // keep\n    /* servers */\n    \"" + c.top + "\": {\n        \"other\": {\"command\": \"other\", \"n\": 1.50} // last\n    },\n    \"z\": [1,  2]\n}\n"
}

func old(c *knownClient, command string) string {
	if c.format == "toml" {
		return "# mine\nmodel = \"m\"   # keep\n\n[mcp_servers.launchdarkly] # ours\ncommand = \"" + command + "\" # where\nargs = [\"--region\", \"eu\"]\nstartup_timeout_sec = 20\nenv_vars = [\"HTTPS_PROXY\", \"LD_API_KEY\"]\n\n# other\n[mcp_servers.other]\ncommand = \"other\"\n"
	}
	first := `"command": "` + command + `", "args": ["--region", "eu"]`
	env := "env"
	if c.name == "opencode" {
		first, env = `"command": ["`+command+`", "--region", "eu"]`, "environment"
	}
	return "// mine\n{\n  \"" + c.top + "\": {\n    \"launchdarkly\": {\n      " + first + ", // where\n      \"" + env + "\": {\"LD_API_KEY\": \"an-old-token-in-clear\", \"HTTPS_PROXY\": \"http://proxy\"},\n      \"mine\": true /* keep */\n    },\n    \"other\": {\"command\": \"other\"}\n  },\n  \"z\": [1,  2]\n}\n"
}

// fileOf is the file that install changes; Claude Code's user file is not for it to change.
func (m machine) fileOf(c *knownClient) (file string, args []string) {
	m.t.Helper()
	args = []string{c.name}
	if c.name == "claude-code" || c.name == "visual-studio" {
		args = append(args, "--scope", "project", "--dir", m.home)
		return filepath.Join(m.home, filepath.FromSlash(c.project)), args
	}
	file, err := c.user(places{runtime.GOOS, getenvOf(m.env), filepath.Glob, func(string) bool { return false }})
	if err != nil {
		m.t.Fatal(err)
	}
	return file, args
}

// TestInstall installs for each client into each kind of file and holds what comes out against testdata/install.
func TestInstall(t *testing.T) {
	t.Parallel()
	for _, c := range knownClients {
		if c.printOnly {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var golden strings.Builder
			for _, mode := range []string{"stdio", "url"} {
				if mode == "url" && c.remote == nil {
					continue
				}
				for _, kind := range []string{"no file", "others", "ours", "foreign", "broken"} {
					m := newMachine(t)
					file, args := m.fileOf(c)
					extra := []string{"--command", "/path/to/ld-mcp", "--", "--read-only", "--region=eu"}
					if mode == "url" {
						extra = []string{"--url", "https://mcp.example.com/mcp"}
						if c.reference == "" && !c.byName {
							extra = append(extra, "--no-key")
						}
					}
					args = append(args, extra...)
					fmt.Fprintf(&golden, "== %s, %s\n", mode, kind)
					m.check(kind, c, file, args, &golden)
				}
			}
			holdAgainst(t, filepath.Join("testdata", "install", c.name+".txt"), golden.String())
		})
	}
}

func (m machine) check(kind string, c *knownClient, file string, args []string, golden *strings.Builder) {
	t := m.t
	t.Helper()
	before := map[string]string{"others": others(c), "ours": old(c, "/old/ld-mcp"), "foreign": old(c, "/old/other"), "broken": "{\n  \"a\": \n"}[kind]
	if kind != "no file" {
		m.write(file, before, 0o640)
	}
	got := m.install(args...)
	switch kind {
	case "broken":
		if got.code() != 1 || !strings.Contains(got.err.Error(), "line ") || !strings.Contains(got.err.Error(), file) {
			t.Errorf("%s: %v", kind, got.err)
		}
	case "foreign":
		if got.code() != 1 || !strings.Contains(got.err.Error(), "--force") || !strings.Contains(got.stderr, "\n+") || strings.Contains(got.stderr, "an-old-token") {
			t.Errorf("%s: %v\n%s", kind, got.err, got.stderr)
		}
	default:
		if got.err != nil {
			t.Fatalf("%s: %v", kind, got.err)
		}
	}
	if kind == "broken" || kind == "foreign" {
		if after := m.read(file); after != before {
			t.Errorf("%s: the file was changed:\n%s", kind, after)
		}
		if kind == "broken" {
			return
		}
		if got = m.install(append([]string{"--force"}, args...)...); got.err != nil {
			t.Fatalf("%s: %v", kind, got.err)
		}
	}
	after := m.read(file)
	said := strings.ReplaceAll(got.stdout, m.home, "HOME")
	if runtime.GOOS == "linux" {
		fmt.Fprintf(golden, "%s-- file\n%s", said, strings.ReplaceAll(after, m.home, "HOME"))
		if !strings.HasSuffix(after, "\n") {
			golden.WriteString("\n")
		}
	}
	if strings.Contains(got.stdout, "an-old-token") || strings.Contains(after, "an-old-token") {
		t.Errorf("%s: the old token is still there:\n%s\n%s", kind, got.stdout, after)
	}
	if kind == "ours" && (!strings.Contains(after, "mine") || !strings.Contains(after, "HTTPS_PROXY")) && !slices.Contains(args, "--url") {
		t.Errorf("a user's own settings of the entry are gone:\n%s", after)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	want := fs.FileMode(0o640)
	if kind == "no file" {
		want = 0o600
		if slices.Contains(args, "project") {
			want = 0o644
		}
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != want {
		t.Errorf("%s: mode %o, want %o", kind, info.Mode().Perm(), want)
	}
	if again := m.install(args...); again.err != nil || !strings.Contains(again.stdout, "nothing to do") || m.read(file) != after {
		t.Errorf("%s: a second time: %v\n%s\n%s", kind, again.err, again.stdout, m.read(file))
	}
	if kind == "others" && !contains(after, before) {
		t.Errorf("bytes were lost:\n%s", after)
	}
	remove := []string{c.name, "--remove"}
	if i := slices.Index(args, "--url"); i >= 0 {
		remove = append(remove, args[i:i+2]...)
	}
	if i := slices.Index(args, "--scope"); i >= 0 {
		remove = append(remove, args[i:i+4]...)
	}
	gone := m.install(remove...)
	if gone.err != nil || !strings.Contains(gone.stdout, "Removed launchdarkly") {
		t.Fatalf("%s: removing: %v\n%s", kind, gone.err, gone.stdout)
	}
	left := m.read(file)
	if kind == "others" && !c.inputs && left != before {
		t.Errorf("install and remove is not nothing: %s", cmp.Diff(before, left))
	}
	e := edit{client: c, name: "launchdarkly"}
	if out, err := e.apply([]byte(left)); err != nil || out.was != nil {
		t.Errorf("%s: after removing there is %s, %v", kind, out.was, err)
	}
	if gone := m.install(remove...); gone.err != nil || !strings.Contains(gone.stdout, "nothing to do") {
		t.Errorf("%s: removing twice: %v\n%s", kind, gone.err, gone.stdout)
	}
}

func holdAgainst(t *testing.T, file, got string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (run with -update to accept): %s", file, d)
	}
}

// What --print shows is what a new file holds, and what the README shows.
func TestPrintedEntries(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range knownClients {
		m := newMachine(t)
		args := []string{c.name, "--command", "/path/to/ld-mcp"}
		if c.name == "visual-studio" {
			args = append(args, "--scope", "project", "--dir", m.home)
		}
		printed := m.install(append(args, "--print")...)
		if printed.err != nil {
			t.Errorf("%s: %v", c.name, printed.err)
			continue
		}
		entries, err := os.ReadDir(m.home)
		if err != nil || len(entries) > 0 {
			t.Errorf("%s: --print left %v, %v", c.name, entries, err)
		}
		entry := printed.stdout
		if first, rest, _ := strings.Cut(entry, "\n"); strings.HasSuffix(first, ":") && filepath.IsAbs(strings.TrimSuffix(first, ":")) {
			entry = rest
		}
		if c.format == "json" && c.name != "claude-code" && !json.Valid([]byte(entry)) {
			t.Errorf("%s: not JSON:\n%s", c.name, entry)
		}
		if i < documented {
			shown := strings.ReplaceAll(entry, m.home, exampleHome)
			if !strings.Contains(string(readme), "\n"+shown+"```\n") && runtime.GOOS != "windows" {
				t.Errorf("the README does not show this for %s:\n%s", c.name, shown)
			}
			if !strings.Contains(string(readme), "`ld-mcp install "+c.name+"`") {
				t.Errorf("the README does not name %s", c.name)
			}
		}
		if c.printOnly || c.name == "claude-code" {
			continue
		}
		file, _ := m.fileOf(c)
		if got := m.install(args...); got.err != nil || m.read(file) != entry {
			t.Errorf("%s: printed\n%s\nwritten\n%s\n%v", c.name, entry, m.read(file), got.err)
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		want string
	}{
		{"emacs", `there is no client "emacs"; there are claude-code, claude-desktop`},
		{"cursor --name my.server", "letters, digits and hyphens"},
		{"zed --scope project", "leave --scope out"},
		{"cursor --read-only", "put it behind --, as in: ld-mcp install cursor -- --read-only"},
		{"cursor -- --raed-only", "unknown flag --raed-only"},
		{"cursor -- --http 127.0.0.1:1", "--http has no place"},
		{"cursor -- --help", "options of the server alone"},
		{"cursor -- shop", "there is no command shop"},
		{"cursor -- --token x", "there is no --token"},
		{"cursor -- --project " + realToken, "hold a token"},
		{"cursor --url mcp.example.com", "whole address"},
		{"cursor --url https://user:pass@mcp.example.com/mcp", "neither user nor query"},
		{"cursor --url https://mcp.example.com/mcp?api_key=abc", "neither user nor query nor fragment"},
		{"cursor --url https://mcp.example.com/mcp?", "neither user nor query nor fragment"},
		{"cursor --url https://mcp.example.com/mcp#abc", "neither user nor query nor fragment"},
		{"cursor --url https://mcp.example.com/" + realToken + "/mcp", "--url holds a token or key"},
		{"cursor --url https://mcp.example.com/mcp/" + bearerKey, "--url holds a token or key"},
		{"cursor --url https://mcp.example.com/mcp --key-variable " + bearerKey, "not the key itself"},
		{"cursor --url https://mcp.example.com/mcp -- --read-only", "give them to the server there"},
		{"claude-desktop --url https://mcp.example.com/mcp", "Leave --url out"},
		{"zed --url https://mcp.example.com/mcp", "Zed expands no variables"},
		{"junie --url https://mcp.example.com/mcp", "only starts servers itself"},
		{"claude-code --write-token", "use --token-file"},
		{"cursor --write-token --scope project", "shared with others"},
		{"cursor --write-token --print", "never printed"},
		{"goose --remove", "remove the entry there yourself"},
		{"cursor --remove --print", "takes neither"},
		{"cursor", "built by go run"}, // this test's binary is such a one
	} {
		m := newMachine(t)
		got := m.install(strings.Fields(c.args)...)
		if got.err == nil || !strings.Contains(got.err.Error(), c.want) {
			t.Errorf("install %s: %v, want %s", c.args, got.err, c.want)
		}
		if left, _ := os.ReadDir(m.home); len(left) > 0 {
			t.Errorf("install %s left %v", c.args, left)
		}
	}
}

func TestWriteToken(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	file := filepath.Join(m.home, ".cursor", "mcp.json")
	m.write(file, "{}\n", 0o644)
	got := m.install("cursor", "--command", "/x/ld-mcp", "--write-token")
	if got.err != nil || !strings.Contains(m.read(file), realToken) {
		t.Fatalf("%v\n%s", got.err, m.read(file))
	}
	if strings.Contains(got.stdout, realToken) || !strings.Contains(got.stdout, "The token is in that file now") {
		t.Errorf("it says\n%s", got.stdout)
	}
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, %v", info.Mode().Perm(), err)
	}
	back := m.install("cursor", "--command", "/x/ld-mcp")
	if back.err != nil || !strings.Contains(back.stdout, "Replaced") || !strings.Contains(back.stdout, "(hidden)") {
		t.Errorf("%v\n%s", back.err, back.stdout)
	}
	zed := m.install("zed", "--url", "https://mcp.example.com/mcp", "--write-token")
	if zed.err != nil || strings.Contains(zed.stdout, bearerKey) || !strings.Contains(m.read(filepath.Join(m.home, ".config", "zed", "settings.json")), "Bearer "+bearerKey) && runtime.GOOS != "windows" {
		t.Errorf("%v\n%s", zed.err, zed.stdout)
	}
	m.env = m.env[:3]
	if got := m.install("cursor", "--command", "/x/ld-mcp", "--write-token"); got.err == nil || !strings.Contains(got.err.Error(), "no LaunchDarkly access token") {
		t.Errorf("without a token: %v", got.err)
	}
}

// TestClaudeCode lets a script take the place of claude.
func TestClaudeCode(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the script is for a shell")
	}
	m := newMachine(t)
	args := []string{"claude-code", "--command", "/it's/ld-mcp"}
	const entry = `{"type":"stdio","command":"/it's/ld-mcp","env":{"LAUNCHDARKLY_ACCESS_TOKEN":"${LAUNCHDARKLY_ACCESS_TOKEN}"}}`
	got := m.install(args...)
	if got.err != nil || !strings.Contains(got.stdout, `claude mcp add-json -s user launchdarkly '`+strings.ReplaceAll(entry, "'", `'\''`)+`'`) {
		t.Errorf("without claude: %v\n%s", got.err, got.stdout)
	}
	bin := t.TempDir()
	m.write(filepath.Join(bin, "claude"), "#!/bin/sh\nfor w in \"$@\"; do printf '[%s]' \"$w\"; done >>\"${0%/*}/ran\"\n[ ! -e \"${0%/*}/fail\" ] || { echo no such luck; exit 3; }\n", 0o755)
	m.env = append(m.env, "PATH="+bin)
	if got := m.install(args...); got.err != nil || !strings.Contains(got.stdout, "Added launchdarkly") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	add := "[mcp][add-json][-s][user][launchdarkly][" + entry + "]"
	if ran := m.read(filepath.Join(bin, "ran")); ran != add {
		t.Errorf("it ran %s", ran)
	}
	file := filepath.Join(m.home, ".claude.json")
	m.write(file, `{"mcpServers": {"launchdarkly": {"type": "stdio", "command": "/old/ld-mcp", "alwaysLoad": true}}, "projects": {}}`, 0o600)
	if got := m.install(args...); got.err != nil || !strings.Contains(got.stdout, "Replaced launchdarkly") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	replaced := "[mcp][remove][-s][user][launchdarkly]" + strings.Replace(add, `","env"`, `","alwaysLoad":true,"env"`, 1)
	if ran := m.read(filepath.Join(bin, "ran")); ran != add+replaced {
		t.Errorf("it ran %s", ran)
	}
	m.write(file, `{"mcpServers": {"launchdarkly": `+entry+`}}`, 0o600)
	if got := m.install(args...); got.err != nil || !strings.Contains(got.stdout, "nothing to do") || m.read(filepath.Join(bin, "ran")) != add+replaced {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	m.write(filepath.Join(bin, "fail"), "", 0o600)
	if got := m.install("claude-code", "--remove"); got.code() != 1 || !strings.Contains(got.err.Error(), "no such luck") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	if !strings.HasSuffix(m.read(filepath.Join(bin, "ran")), "[mcp][remove][-s][user][launchdarkly]") {
		t.Errorf("it ran %s", m.read(filepath.Join(bin, "ran")))
	}
}

func TestInstallJSONAndList(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.write(filepath.Join(m.home, ".gemini", "settings.json"), "{", 0o600)
	got := m.install("cursor", "--command", "/x/ld-mcp", "--json")
	var done installed
	if err := json.Unmarshal([]byte(got.stdout), &done); err != nil || got.err != nil {
		t.Fatalf("%v, %v\n%s", err, got.err, got.stdout)
	}
	file := filepath.Join(m.home, ".cursor", "mcp.json")
	if done.Client != "cursor" || done.Action != added || done.File != file || len(done.Next) == 0 || !strings.Contains(done.Entry, "/x/ld-mcp") {
		t.Errorf("%+v", done)
	}
	list := m.install()
	if list.err != nil {
		t.Fatal(list.err)
	}
	for name, state := range map[string]string{"cursor": "installed", "gemini": "unreadable", "codex": "not seen", "jetbrains": "not seen"} {
		if !slices.ContainsFunc(strings.Split(list.stdout, "\n"), func(line string) bool {
			return strings.HasPrefix(line, name+" ") && strings.Contains(line, "  "+state+"  ")
		}) {
			t.Errorf("%s is not %s in\n%s", name, state, list.stdout)
		}
	}
	var rows []listedClient
	if err := json.Unmarshal([]byte(m.install("--json").stdout), &rows); err != nil || len(rows) != len(knownClients) {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestProjectScope(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	dir := filepath.Join(m.home, "project")
	for _, c := range knownClients {
		if c.project == "" || c.printOnly {
			continue
		}
		got := m.install(c.name, "--scope", "project", "--dir", dir, "--command", "ld-mcp")
		if text := m.read(filepath.Join(dir, filepath.FromSlash(c.project))); got.err != nil || !strings.Contains(text, `"ld-mcp"`) {
			t.Errorf("%s: %v\n%s", c.name, got.err, text)
		}
	}
}

// A client's file may be a link into somebody's collection of settings.
func TestLinksAreFollowed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	m := newMachine(t)
	real, link := filepath.Join(m.home, "dotfiles", "cursor.json"), filepath.Join(m.home, ".cursor", "mcp.json")
	m.write(real, "{}\n", 0o600)
	if err := os.Mkdir(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..", "dotfiles", "cursor.json"), link); err != nil {
		t.Fatal(err)
	}
	if got := m.install("cursor", "--command", "/x/ld-mcp"); got.err != nil || !strings.Contains(m.read(real), "/x/ld-mcp") {
		t.Errorf("%v\n%s", got.err, m.read(real))
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if err := os.Remove(real); err != nil {
		t.Fatal(err)
	}
	if got := m.install("cursor", "--command", "/x/ld-mcp"); got.code() != 1 || !strings.Contains(got.err.Error(), "link") {
		t.Errorf("a link to nothing: %v", got.err)
	}
}

func TestFilesChangedMeanwhileAreLeft(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.json")
	f, err := readSettings(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.write([]byte("ours"), 0o600, 0o700); err == nil || !strings.Contains(err.Error(), "changed by another program") {
		t.Error(err)
	}
	if b, _ := os.ReadFile(file); string(b) != "theirs" {
		t.Errorf("the file holds %s", b)
	}
}
