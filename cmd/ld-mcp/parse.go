package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// runner is a command, with what the command line gives it.
type runner interface {
	Run(ctx context.Context, a *app) error
}

// commandKind is a command that is made when a command line names it.
type commandKind struct {
	name, help string
	make       func() runner
}

var commands = []commandKind{
	{"serve", "Serve MCP over stdio, or over HTTP with --http. This is what no command does.", func() runner { return new(serveCmd) }},
	{"call", "Call one tool and print its reply.", func() runner { return new(callCmd) }},
	{"tools", "List the tools as they would be served.", func() runner { return new(toolsCmd) }},
	{"demo", "Show a session on a made-up account: no token, no network, no questions.", func() runner { return new(demoCmd) }},
	{"doctor", "Check token, network and settings, and say what is wrong.", func() runner { return new(doctorCmd) }},
	{"sandbox", "Serve the made-up account itself over HTTP, for other clients of LaunchDarkly's REST API.", func() runner { return new(sandboxCmd) }},
	{"key", "Make a key for --auth bearer.", func() runner { return new(keyCmd) }},
	{"install", "Tell an MCP client of ld-mcp, or list the clients.", func() runner { return new(installCmd) }},
	{"docs", "Print the tables of options and tools, or keep them current in a file.", func() runner { return new(docsCmd) }},
	{"version", "Print the version.", func() runner { return new(versionCmd) }},
}

// parse reads the command line and the environment. It returns no command when it printed help.
func (a *app) parse(args []string) (runner, error) {
	if err := refuseTokenFlags(args); err != nil {
		return nil, err
	}
	if slices.Equal(args, []string{"--version"}) {
		args = []string{"version"}
	}
	l := newLine(&a.options)
	if err := l.read(args); err != nil {
		return nil, explainUsage(err, nil)
	}
	if l.help.given != nil {
		return nil, a.printHelp(l)
	}
	fromEnv, err := a.settle(l)
	if err == nil {
		err = a.options.check()
	}
	if err != nil {
		return nil, explainUsage(err, fromEnv)
	}
	a.log = a.newLogger(l.kind.name)
	return l.command, nil
}

// settle gives every parameter its value: that of the command line, else of the
// environment, else its default. It returns the options that the environment gave.
func (a *app) settle(l *line) (fromEnv []string, err error) {
	for i := range l.options {
		p := &l.options[i]
		variable := variableOf(p.name)
		value := strings.TrimSpace(a.getenv(variable))
		switch {
		case isReference(value):
			return nil, fmt.Errorf("%s holds a reference that your MCP client did not expand; write the value itself, or remove the variable", variable)
		case p.given != nil:
			a.given = append(a.given, p.name)
		case value != "":
			fromEnv = append(fromEnv, p.name)
			p.given = []string{value}
		}
		if err := p.settle(); err != nil {
			return fromEnv, err
		}
	}
	for i := range l.own {
		if err := l.own[i].settle(); err != nil {
			return fromEnv, err
		}
	}
	return fromEnv, nil
}

// explainUsage says what to do about a mistake, and where the value came from if it was the environment.
func explainUsage(err error, fromEnv []string) error {
	text := err.Error()
	for _, option := range fromEnv {
		rest, named := strings.CutPrefix(text, "--"+option)
		if named && (rest == "" || strings.ContainsAny(rest[:1], ": =")) {
			text += fmt.Sprintf(" (from %s)", variableOf(option))
			break
		}
	}
	end := ";"
	if strings.HasSuffix(text, "?") {
		end = ""
	}
	return usagef("%s%s see ld-mcp --help", text, end)
}

// refuseTokenFlags stops a token on the command line, where every process on the machine can read it.
func refuseTokenFlags(args []string) error {
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		switch name {
		case "--":
			return nil
		case "--token", "--api-key", "--apikey", "--access-token", "--api-token":
			return usagef("there is no %s: a token on the command line can be read by every program on this machine. Set %s or %s_FILE instead", name, tokenVariables[0], tokenVariables[0])
		}
	}
	return nil
}
