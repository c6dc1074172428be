package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Each line is: client, system, variables, and the file that results.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const linux, mac, win = "HOME=/home/u", "HOME=/Users/u", `USERPROFILE=C:\Users\u APPDATA=C:\Users\u\AppData\Roaming LOCALAPPDATA=C:\Users\u\AppData\Local`
	const roaming = `C:\Users\u\AppData\Roaming`
	for _, c := range []struct{ client, goos, env, want string }{
		{"claude-code", "linux", linux, "/home/u/.claude.json"},
		{"claude-code", "windows", win, `C:\Users\u\.claude.json`},
		{"claude-code", "linux", linux + " CLAUDE_CONFIG_DIR=/c/", "/c/.claude.json"},
		{"claude-desktop", "linux", linux, "/home/u/.config/Claude/claude_desktop_config.json"},
		{"claude-desktop", "darwin", mac, "/Users/u/Library/Application Support/Claude/claude_desktop_config.json"},
		{"claude-desktop", "windows", win, roaming + `\Claude\claude_desktop_config.json`},
		{"claude-desktop", "windows", win + ` PACKAGES=Claude_abc`, `C:\Users\u\AppData\Local\Packages\Claude_abc\LocalCache\Roaming\Claude\claude_desktop_config.json`},
		{"claude-desktop", "windows", win + ` PACKAGES=Claude_abc,Claude_def`, "error: several packages"},
		{"cursor", "darwin", mac, "/Users/u/.cursor/mcp.json"},
		{"cursor", "windows", win, `C:\Users\u\.cursor\mcp.json`},
		{"cursor", "linux", "", "error: HOME is not set"},
		{"vscode", "linux", linux, "/home/u/.config/Code/User/mcp.json"},
		{"vscode", "linux", linux + " XDG_CONFIG_HOME=/x", "/x/Code/User/mcp.json"},
		{"vscode", "darwin", mac, "/Users/u/Library/Application Support/Code/User/mcp.json"},
		{"vscode", "windows", win, roaming + `\Code\User\mcp.json`},
		{"codex", "linux", linux, "/home/u/.codex/config.toml"},
		{"codex", "darwin", mac + " CODEX_HOME=/c", "/c/config.toml"},
		{"gemini", "windows", win, `C:\Users\u\.gemini\settings.json`},
		{"copilot", "linux", linux, "/home/u/.copilot/mcp-config.json"},
		{"copilot", "linux", linux + " COPILOT_HOME=/c", "/c/mcp-config.json"},
		{"opencode", "darwin", mac, "/Users/u/.config/opencode/opencode.json"},
		{"opencode", "linux", linux + " EXISTS=/home/u/.config/opencode/opencode.jsonc", "/home/u/.config/opencode/opencode.jsonc"},
		{"zed", "darwin", mac, "/Users/u/.config/zed/settings.json"},
		{"zed", "windows", win, roaming + `\Zed\settings.json`},
		{"devin", "linux", linux, "/home/u/.config/devin/mcp_config.json"},
		{"devin", "windows", win, roaming + `\devin\mcp_config.json`},
		{"windsurf", "darwin", mac, "/Users/u/.codeium/windsurf/mcp_config.json"},
		{"visual-studio", "windows", win, `C:\Users\u\.mcp.json`},
		{"visual-studio", "linux", linux, "error: on Windows only"},
		{"cline", "linux", linux, "/home/u/.cline/data/settings/cline_mcp_settings.json"},
		{"cline", "linux", linux + " CLINE_DIR=/c", "/c/data/settings/cline_mcp_settings.json"},
		{"cline", "linux", linux + " CLINE_DIR=/c CLINE_DATA_DIR=/d", "/d/settings/cline_mcp_settings.json"},
		{"cline", "linux", linux + " CLINE_DATA_DIR=/d CLINE_MCP_SETTINGS_PATH=/e.json", "/e.json"},
		{"kiro", "linux", linux, "/home/u/.kiro/settings/mcp.json"},
		{"lm-studio", "darwin", mac, "/Users/u/.lmstudio/mcp.json"},
		{"goose", "windows", win, roaming + `\Block\goose\config\config.yaml`},
		{"goose", "darwin", mac, "/Users/u/.config/goose/config.yaml"},
		{"junie", "linux", linux, "/home/u/.junie/mcp/mcp.json"},
	} {
		getenv := getenvOf(strings.Fields(c.env))
		p := places{goos: c.goos, getenv: getenv,
			glob: func(pattern string) (out []string, err error) {
				dir, found := strings.CutSuffix(pattern, `\Claude_*`)
				if !found || dir != `C:\Users\u\AppData\Local\Packages` {
					t.Errorf("glob %s", pattern)
				}
				for _, name := range strings.FieldsFunc(getenv("PACKAGES"), func(r rune) bool { return r == ',' }) {
					out = append(out, dir+`\`+name)
				}
				return out, nil
			},
			exists: func(file string) bool { return file == getenv("EXISTS") },
		}
		client, err := findClient(c.client)
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.user(p)
		if err != nil {
			if want, ok := strings.CutPrefix(c.want, "error: "); !ok || !strings.Contains(err.Error(), want) {
				t.Errorf("%s on %s: %v, want %s", c.client, c.goos, err, c.want)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s on %s with %s: %s, want %s", c.client, c.goos, c.env, got, c.want)
		}
	}
}

// A package manager's link to this program outlives the version that it leads to.
func TestCommandPath(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program := func(parts ...string) string {
		file := filepath.Join(append([]string{dir}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	cellar, other := program("Cellar", "1.2.3", "ld-mcp"), program("other", "ld-mcp")
	link := filepath.Join(dir, "bin", "ld-mcp")
	if err := os.Mkdir(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(cellar, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"": cellar, filepath.Dir(link): link, filepath.Dir(other): cellar} {
		got, err := commandPath(cellar, getenvOf([]string{"PATH=" + path}))
		if err != nil || got != want {
			t.Errorf("PATH=%s: %s, %v, want %s", path, got, err, want)
		}
	}
	if got, err := commandPath(program("go-build123", "b001", "exe", "ld-mcp"), getenvOf(nil)); err == nil {
		t.Errorf("a program of go run is named as %s", got)
	}
}

// Paths of the command line are written so that they hold in whatever directory a client starts ld-mcp.
func TestPathsAreAbsolute(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"~/t": filepath.Join(m.home, "t"), "t": filepath.Join(here, "t"), "../t": filepath.Join(filepath.Dir(here), "t"), filepath.Join(m.home, "x", "t"): filepath.Join(m.home, "x", "t")} {
		var done installed
		got := m.install("cursor", "--print", "--json", "--command", "/x/ld-mcp", "--scope", "project", "--dir", path, "--token-file", path)
		if err := json.Unmarshal([]byte(got.stdout), &done); err != nil || got.err != nil {
			t.Fatalf("%v, %v", err, got.err)
		}
		quoted, _ := json.Marshal(want)
		if !strings.Contains(done.Entry, string(quoted)) || done.File != filepath.Join(want, ".cursor", "mcp.json") {
			t.Errorf("%s: %s\n%s", path, done.File, done.Entry)
		}
	}
}
