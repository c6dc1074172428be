package main

import (
	"fmt"
	"slices"
	"strings"
)

// launch is how a client gets at ld-mcp: a command to start, or the address of one that runs.
type launch struct {
	command string
	args    []string
	env     object
	pass    []string // names of variables to hand on, where the client has its own way for that

	url     string
	headers object
	key     string // name of the variable with the key, where the client has its own way for that
}

// knownClient is an MCP client that can be told of ld-mcp.
type knownClient struct {
	name, title string
	user        place
	project     string // path in a project, "" where there is none
	top         string // what the file calls its list of servers
	format      string // json, toml or yaml
	printOnly   bool   // for a file that is not ours to edit, or not known well enough
	reference   string // how the file refers to a variable, "" when it cannot
	byName      bool   // the client hands on variables that the file names
	inputs      bool   // the client itself asks for secrets
	stdio       func(launch) object
	remote      func(launch) object // nil when there is none
	noRemote    string              // what to do then
	initial     []string            // members that are only set in a new entry
	after       string              // what makes it read its file
	doc         string              // what its user should know, for the README
}

func command(kind string) func(launch) object {
	return func(l launch) object {
		var o object
		if kind != "" {
			o = o.set("type", kind)
		}
		return o.set("command", l.command).set("args", l.args).set("env", l.env)
	}
}

func address(kind string) func(launch) object {
	return func(l launch) object {
		var o object
		if kind != "" {
			o = o.set("type", kind)
		}
		return o.set("url", l.url).set("headers", l.headers)
	}
}

// documented is how many clients the README shows in full.
const documented = 10

// knownClients are those that the README shows in full, in its order, and the others.
var knownClients = []*knownClient{
	{
		name: "claude-code", title: "Claude Code", top: "mcpServers", format: "json", reference: "${%s}",
		user: movedBy("CLAUDE_CONFIG_DIR", ".claude.json"), project: ".mcp.json",
		stdio: command("stdio"), remote: address("http"),
		after: "Start a new session of Claude Code, or look at /mcp in one.",
		doc:   "It has Claude Code change that file itself, since running sessions keep writing to it:",
	},
	{
		name: "claude-desktop", title: "Claude Desktop", top: "mcpServers", format: "json",
		user: claudeDesktopFile, stdio: command(""),
		noRemote: "Its connectors are called from Anthropic's servers and take no key. Leave --url out, so that it starts ld-mcp itself",
		after:    "Quit Claude Desktop and start it again.",
	},
	{
		name: "cursor", title: "Cursor", top: "mcpServers", format: "json", reference: "${env:%s}",
		user: under(places.home, ".cursor", "mcp.json"), project: ".cursor/mcp.json",
		stdio: command("stdio"), remote: address(""),
		after: "Start Cursor again, and turn the server on in its MCP settings.",
	},
	{
		name: "vscode", title: "VS Code", top: "servers", format: "json", reference: "${input:%s}", inputs: true,
		user: under(places.settings, "Code", "User", "mcp.json"), project: ".vscode/mcp.json",
		stdio: command("stdio"), remote: address("http"),
		after: "Start the server in VS Code with MCP: List Servers.",
		doc:   "VS Code asks for the token once and keeps it in its own secret storage.",
	},
	{
		name: "codex", title: "Codex CLI", top: "mcp_servers", format: "toml", byName: true,
		user: movedBy("CODEX_HOME", "config.toml", ".codex"), project: ".codex/config.toml",
		stdio: func(l launch) object {
			return object{{"command", l.command}}.set("args", l.args).set("env_vars", l.pass).set("env", l.env)
		},
		remote: func(l launch) object {
			o := object{{"url", l.url}}
			if l.key != "" {
				o = o.set("bearer_token_env_var", l.key)
			}
			return o.set("http_headers", l.headers)
		},
		after: "Start Codex again.",
		doc:   "The variable is passed on by name.",
	},
	{
		name: "gemini", title: "Gemini CLI", top: "mcpServers", format: "json", reference: "$%s",
		user: under(places.home, ".gemini", "settings.json"), project: ".gemini/settings.json",
		stdio: command(""), remote: address("http"),
		after: "Start Gemini CLI again, in a folder that it trusts.",
		doc:   "Do not use `gemini mcp add`: it saves the whole file with every variable already resolved, which writes your secrets into it.",
	},
	{
		name: "copilot", title: "Copilot CLI", top: "mcpServers", format: "json", reference: "${%s}",
		user: movedBy("COPILOT_HOME", "mcp-config.json", ".copilot"), project: ".github/mcp.json",
		stdio: func(l launch) object {
			return object{{"type", "local"}, {"command", l.command}, {"args", orEmpty(l.args)}}.set("env", l.env).set("tools", []string{"*"})
		},
		remote:  func(l launch) object { return address("http")(l).set("tools", []string{"*"}) },
		initial: []string{"tools"},
		after:   "Start Copilot CLI again.",
	},
	{
		name: "opencode", title: "OpenCode", top: "mcp", format: "json", reference: "{env:%s}",
		user: openCodeFile, project: "opencode.json",
		stdio: func(l launch) object {
			return object{{"type", "local"}, {"command", append([]string{l.command}, l.args...)}, {"enabled", true}}.set("environment", l.env)
		},
		remote: func(l launch) object {
			return object{{"type", "remote"}, {"url", l.url}, {"enabled", true}, {"oauth", false}}.set("headers", l.headers)
		},
		initial: []string{"enabled"},
		after:   "Start OpenCode again.",
	},
	{
		name: "zed", title: "Zed", top: "context_servers", format: "json", user: zedFile,
		stdio: func(l launch) object {
			return object{{"command", l.command}, {"args", orEmpty(l.args)}}.set("env", l.env)
		},
		remote: address(""),
		after:  "Zed reads the file at once; its agent panel shows whether the server runs.",
	},
	{
		name: "devin", title: "Devin Desktop", top: "mcpServers", format: "json",
		user: under(places.roaming, "devin", "mcp_config.json"), project: ".devin/mcp_config.json",
		stdio: func(l launch) object {
			return object{{"command", l.command}, {"args", orEmpty(l.args)}}.set("env", l.env)
		},
		remote: func(l launch) object { return object{{"url", l.url}, {"transport", "http"}}.set("headers", l.headers) },
		after:  "Start Devin again.",
		doc:    "Formerly Windsurf, whose older Cascade agent has its own file: `ld-mcp install windsurf`.",
	},
	{
		name: "windsurf", title: "Windsurf's Cascade agent", top: "mcpServers", format: "json", user: windsurfFile,
		stdio: func(l launch) object {
			return object{{"command", l.command}, {"args", orEmpty(l.args)}}.set("env", l.env)
		},
		remote: func(l launch) object { return object{{"serverUrl", l.url}}.set("headers", l.headers) },
		after:  "Start Windsurf again.",
	},
	{
		name: "visual-studio", title: "Visual Studio", top: "servers", format: "json", reference: "${input:%s}", inputs: true,
		user: visualStudioFile, project: ".vs/mcp.json",
		stdio: command("stdio"), remote: address("http"),
		after: "Turn the server's tools on in Visual Studio's chat window.",
	},
	{
		name: "cline", title: "Cline", top: "mcpServers", format: "json", reference: "${env:%s}", user: clineFile,
		stdio: command(""), remote: address("streamableHttp"),
		after: "Cline reads the file at once; its MCP page shows whether the server runs.",
	},
	{
		name: "kiro", title: "Kiro", top: "mcpServers", format: "json", reference: "${%s}",
		user: under(places.home, ".kiro", "settings", "mcp.json"), project: ".kiro/settings/mcp.json",
		stdio: command(""), remote: address(""),
		after: "Start Kiro again, and let it use the variable when it asks.",
	},
	{
		name: "lm-studio", title: "LM Studio", top: "mcpServers", format: "json",
		user: under(places.home, ".lmstudio", "mcp.json"), stdio: command(""), remote: address(""),
		after: "LM Studio reads the file at once; turn the server on in a chat.",
	},
	{
		name: "goose", title: "Goose", top: "extensions", format: "yaml", printOnly: true, reference: "${%s}", byName: true, user: gooseFile,
		stdio: func(l launch) object {
			return object{{"name", "LaunchDarkly"}, {"type", "stdio"}, {"enabled", true}, {"cmd", l.command}, {"args", orEmpty(l.args)}}.set("envs", l.env).set("env_keys", l.pass)
		},
		remote: func(l launch) object {
			o := object{{"name", "LaunchDarkly"}, {"type", "streamable_http"}, {"enabled", true}, {"uri", l.url}}.set("headers", l.headers)
			if l.key != "" {
				o = o.set("env_keys", []string{l.key})
			}
			return o
		},
		after: "Put the token into Goose's own secret storage with goose configure.",
	},
	{
		name: "junie", title: "Junie", top: "mcpServers", format: "json", printOnly: true,
		user: under(places.home, ".junie", "mcp", "mcp.json"), project: ".junie/mcp/mcp.json", stdio: command(""),
		noRemote: "It only starts servers itself. Leave --url out",
		after:    "Start the IDE again.",
	},
	{
		name: "jetbrains", title: "JetBrains AI Assistant", top: "mcpServers", format: "json", printOnly: true, stdio: command(""),
		noRemote: "Its settings have no place for a key. Leave --url out, so that it starts ld-mcp itself",
		after:    "Paste this under Settings > Tools > AI Assistant > Model Context Protocol.",
	},
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func findClient(name string) (*knownClient, error) {
	var names []string
	for _, c := range knownClients {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	return nil, usagef("there is no client %q; there are %s. Any other client takes the command that ld-mcp install cursor --print shows", name, strings.Join(names, ", "))
}

// members are the names that an entry can have for ld-mcp's sake: one that starts it, or one with its address.
func (c *knownClient) members(remote bool) []string {
	entry, sample := c.stdio, launch{command: "x", args: []string{"x"}, env: object{{"x", "x"}}, pass: []string{"x"}, url: "x", headers: object{{"x", "x"}}, key: "x"}
	if remote {
		entry = c.remote
	}
	var out []string
	if entry != nil {
		for _, m := range entry(sample) {
			out = append(out, m.name)
		}
	}
	return out
}

// surplus are the members that ld-mcp decides on and that an entry does without; a user's other ones stay.
func (c *knownClient) surplus(entry object) []string {
	var out []string
	for _, name := range append(c.members(false), c.members(true)...) {
		if _, wanted := entry.get(name); !wanted && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// snippet is what a new file of the client would hold.
func (c *knownClient) snippet(name string, entry object, inputs []object) string {
	switch c.format {
	case "toml":
		return renderTable(entry, []string{c.top, name})
	case "yaml":
		return renderYAML(object{{c.top, object{{name, entry}}}}, "")
	}
	return usualStyle.render(c.root(name, entry, inputs), "") + "\n"
}

func (c *knownClient) root(name string, entry object, inputs []object) object {
	return object(nil).set("inputs", inputs).set(c.top, object{{name, entry}})
}

// renderYAML writes objects as YAML mappings, and the rest as JSON, which is YAML too.
func renderYAML(o object, prefix string) string {
	var b strings.Builder
	for _, m := range o {
		switch v := m.value.(type) {
		case object:
			fmt.Fprintf(&b, "%s%s:\n%s", prefix, m.name, renderYAML(v, prefix+"  "))
		default:
			fmt.Fprintf(&b, "%s%s: %s\n", prefix, m.name, style{}.render(v, ""))
		}
	}
	return b.String()
}
