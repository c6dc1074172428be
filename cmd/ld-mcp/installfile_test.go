package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A project's settings are its own: links in it lead nowhere else.
func TestProjectLinksOutwards(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	for _, c := range []struct {
		name, link, to string
		existing       string // a file, next to project
		refused        string
	}{
		{"file", "project/.cursor/mcp.json", "../../.cursor/mcp.json", ".cursor/mcp.json", "outside of the project"},
		{"directory", "project/.cursor", "../elsewhere", "elsewhere/other", "outside of the project"},
		{"directory with a file", "project/.cursor", "../elsewhere", "elsewhere/mcp.json", "outside of the project"},
		{"similar name", "project/.cursor", "../project2", "project2/mcp.json", "outside of the project"},
		{"directory that is not there", "project/.cursor", "../elsewhere", "", "Mend or remove the link"},
		{"inside", "project/.cursor", "config", "project/config/mcp.json", ""},
		{"the project itself", "project", "elsewhere", "elsewhere/.cursor/mcp.json", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			existing, link := filepath.Join(m.home, c.existing), filepath.Join(m.home, c.link)
			if c.existing != "" {
				m.write(existing, "{}\n", 0o600)
			}
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(c.to, link); err != nil {
				t.Fatal(err)
			}
			args := []string{"cursor", "--scope", "project", "--dir", filepath.Join(m.home, "project"), "--command", "ld-mcp"}
			got := m.install(args...)
			if c.refused == "" {
				if got.err != nil || !strings.Contains(m.read(existing), `"ld-mcp"`) {
					t.Errorf("%v\n%s", got.err, m.read(existing))
				}
				return
			}
			if got.code() != 1 || !strings.Contains(got.err.Error(), c.refused) {
				t.Errorf("it says %v", got.err)
			}
			if c.existing == "" {
				return
			}
			if entries, err := os.ReadDir(filepath.Dir(existing)); err != nil || len(entries) != 1 || m.read(existing) != "{}\n" {
				t.Errorf("%v, %v\n%s", entries, err, m.read(existing))
			}
			const ours = `{"mcpServers": {"launchdarkly": {"command": "ld-mcp"}}}`
			m.write(existing, ours, 0o600)
			if got := m.install("--remove", "cursor", "--scope", "project", "--dir", filepath.Join(m.home, "project")); got.code() != 1 || m.read(existing) != ours {
				t.Errorf("--remove: %v\n%s", got.err, m.read(existing))
			}
		})
	}
}
