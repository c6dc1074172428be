package main

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// claudeScript keeps the user's servers in claude.json as claude does, as far as one entry goes,
// and refuses an entry that holds the words of the file refuse.
const claudeScript = `#!/bin/sh
case "$2" in
remove) printf '{}' >"$HOME/.claude.json" ;;
add-json)
	while read -r word; do case "$6" in *"$word"*) echo no such luck; exit 3 ;; esac; done <"$HOME/refuse"
	printf '{"mcpServers":{"%s":%s}}' "$5" "$6" >"$HOME/.claude.json" ;;
esac
`

// An entry that was removed for one that claude then refuses comes back, or the way to bring it back is told.
func TestClaudeCodeKeepsWhatItCannotReplace(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the script is for a shell")
	}
	const plain = `{"mcpServers":{"launchdarkly":{"type":"stdio","command":"/old/ld-mcp","args":["--region","eu"]}}}`
	const literal = `{"mcpServers":{"launchdarkly":{"type":"stdio","command":"/old/ld-mcp","env":{"LD_API_KEY":"an-old-token-in-clear"}}}}`
	const inArgs = `{"mcpServers":{"launchdarkly":{"command":"/old/other","args":["--api-key","an-old-token-in-clear"]}}}`
	for _, c := range []struct {
		name, before, refuse, after string
		says                        []string
	}{
		{"taken", plain, "nothing", `{"mcpServers":{"launchdarkly":{"type":"stdio","command":"/new/ld-mcp","env":{"LAUNCHDARKLY_ACCESS_TOKEN":"${LAUNCHDARKLY_ACCESS_TOKEN}"}}}}`, nil},
		{"back", plain, "/new/", plain, []string{"no such luck", "The launchdarkly that was there is back as it was"}},
		{"not back", plain, "ld-mcp", "{}", []string{"no such luck", "could not be put back (exit status 3)", `claude mcp add-json -s user launchdarkly '{"type":"stdio","command":"/old/ld-mcp","args":["--region","eu"]}'`}},
		{"secret", literal, "/new/", "{}", []string{"is removed, and was not put back", `add-json -s user launchdarkly '{"type":"stdio","command":"/old/ld-mcp","env":{"LD_API_KEY":"(hidden)"}}'`}},
		{"secret in arguments", inArgs, "/new/", "{}", []string{"is removed, and was not put back", `"args":["--api-key","(hidden)"]`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			bin := t.TempDir()
			m.write(filepath.Join(bin, "claude"), strings.ReplaceAll(claudeScript, "$HOME", m.home), 0o755)
			m.write(filepath.Join(m.home, "refuse"), c.refuse+"\n", 0o600)
			m.env = append(m.env, "PATH="+bin)
			file := filepath.Join(m.home, ".claude.json")
			m.write(file, c.before, 0o600)
			got := m.install("claude-code", "--force", "--command", "/new/ld-mcp")
			if after := m.read(file); after != c.after {
				t.Errorf("the file holds %s", after)
			}
			if (got.err == nil) != (c.says == nil) {
				t.Fatal(got.err)
			}
			for _, s := range c.says {
				if !strings.Contains(got.err.Error(), s) {
					t.Errorf("%v\ndoes not say %s", got.err, s)
				}
			}
			if text := got.stdout + got.stderr; strings.Contains(text, "an-old-token") || got.err != nil && strings.Contains(got.err.Error(), "an-old-token") {
				t.Errorf("a secret is shown: %s%v", text, got.err)
			}
		})
	}
}
