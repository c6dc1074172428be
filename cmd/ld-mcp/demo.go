package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/tools"
)

type demoCmd struct{}

// step is one call of the demo.
type step struct {
	says      string
	tool      string
	arguments map[string]any
	entry     bool // auditLogEntryId is the first entry of the reply before
	refused   bool // the reply is meant to be an error
}

const demoFlag = "dark-mode"

var demoSteps = []step{
	{says: "An assistant looks for flags", tool: "list-flags",
		arguments: map[string]any{"projectKey": "shop", "query": "dark", "environmentKey": "production"}},
	{says: "It turns one off in test, which it may do at once", tool: "toggle-flag",
		arguments: map[string]any{"projectKey": "shop", "flagKey": demoFlag, "environmentKey": "test", "on": false}},
	{says: "It looks what turning it on in production would do", tool: "preview-change",
		arguments: map[string]any{"projectKey": "shop", "flagKey": demoFlag, "environmentKey": "production", "sample": 20, "instructions": `[{"kind":"turnFlagOn"}]`}},
	{says: "In production it is stopped, and told to ask its user first", tool: "toggle-flag",
		arguments: map[string]any{"projectKey": "shop", "flagKey": demoFlag, "environmentKey": "production", "on": true, "comment": "Launch of the dark theme"}, refused: true},
	{says: "The user agrees, so it calls again with confirm", tool: "toggle-flag",
		arguments: map[string]any{"projectKey": "shop", "flagKey": demoFlag, "environmentKey": "production", "on": true, "comment": "Launch of the dark theme", "confirm": "production"}},
	{says: "LaunchDarkly's audit log shows who did it, why, and through what", tool: "query-audit-log",
		arguments: map[string]any{"projectKey": "shop", "flagKey": demoFlag, "environmentKey": "production", "limit": 1}},
	{says: "Something broke, so it takes that change back, which wants a yes again", tool: "undo-change", entry: true,
		arguments: map[string]any{"projectKey": "shop", "comment": "Checkout fails in dark mode", "confirm": "production"}},
}

func (demoCmd) Run(ctx context.Context, a *app) error {
	// Whatever else is configured, the demo touches no account and always shows the same.
	a.options = options{Sandbox: true, Region: "us", Confirm: string(tools.ConfirmAuto), Timeout: a.Timeout, MaxReplyBytes: a.MaxReplyBytes}
	client, err := a.newClient()
	if err != nil {
		return err
	}
	s, err := a.newServer(client)
	if err != nil {
		return err
	}
	c, err := connect(ctx, s, "ld-mcp demo")
	if err != nil {
		return err
	}
	defer c.Close()
	bold, dim, plain := "", "", ""
	if a.colours(a.stdout) {
		bold, dim, plain = "\x1b[1m", "\x1b[2m", "\x1b[0m"
	}
	fmt.Fprintf(a.stdout, "A session with a made-up account, in memory. Nothing here touches LaunchDarkly.\n")
	last := ""
	for i, st := range demoSteps {
		if st.entry {
			st.arguments = maps.Clone(st.arguments)
			st.arguments["auditLogEntryId"] = firstID(last)
		}
		text, failed, err := callTool(ctx, c, st.tool, st.arguments)
		if err != nil {
			return err
		}
		if failed != st.refused {
			return fmt.Errorf("the demo went astray at %q: %s", st.tool, text)
		}
		last = text
		fmt.Fprintf(a.stdout, "\n%s%d. %s%s\n%s%s%s\n%s\n", bold, i+1, st.says, plain, dim, st, plain, beginning(text, 30))
	}
	fmt.Fprintf(a.stdout, "\n%sTo use it with your own account%s\n%s", bold, plain, setup())
	return nil
}

// firstID is the _id of the first item of a list.
func firstID(reply string) string {
	var list struct {
		Items []struct {
			ID string `json:"_id"`
		} `json:"items"`
	}
	if json.Unmarshal([]byte(reply), &list) != nil || len(list.Items) == 0 {
		return ""
	}
	return list.Items[0].ID
}

// String writes the call as a person would type it.
func (s step) String() string {
	line := "> " + s.tool
	for _, key := range slices.Sorted(maps.Keys(s.arguments)) {
		value := fmt.Sprint(s.arguments[key])
		if strings.ContainsAny(value, ` "`) {
			value = "'" + value + "'"
		}
		line += " " + key + "=" + value
	}
	return line
}

// beginning returns the first lines of a reply, indented for reading.
func beginning(text string, most int) string {
	lines := strings.Split(indent(text), "\n")
	if rest := len(lines) - most; rest > 0 {
		lines = append(lines[:most], fmt.Sprintf("… %d more lines", rest))
	}
	return "  " + strings.Join(lines, "\n  ")
}

// setup tells how to make a client start this program.
func setup() string {
	command, err := os.Executable()
	install := ""
	if err != nil || strings.Contains(filepath.ToSlash(command), "/go-build") {
		command = "ld-mcp"
		install = "Install it first: go install github.com/ld-mcp/ld-mcp/cmd/ld-mcp@latest, or go build ./cmd/ld-mcp in the source.\n"
	}
	quoted, _ := json.Marshal(command)
	return fmt.Sprintf(`%[1]sCreate an access token in LaunchDarkly under Organization settings > Authorization
and set %[3]s to it. Then, in

Claude Code, on the command line:
  claude mcp add launchdarkly -- %[4]s
Cursor, in ~/.cursor/mcp.json:
  {"mcpServers": {"launchdarkly": {"command": %[2]s,
    "env": {"%[3]s": "${env:%[3]s}"}}}}
VS Code, in .vscode/mcp.json:
  {"inputs": [{"type": "promptString", "id": "launchdarkly-token", "description": "LaunchDarkly access token", "password": true}],
   "servers": {"launchdarkly": {"type": "stdio", "command": %[2]s,
    "env": {"%[3]s": "${input:launchdarkly-token}"}}}}

Without a token yet, add --sandbox to the command's arguments. ld-mcp doctor checks the set-up.
`, install, quoted, tokenVariables[0], command)
}
