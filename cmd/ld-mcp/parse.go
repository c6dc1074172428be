package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// commands is the command line.
type commands struct {
	Options options    `embed:""`
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Serve MCP over stdio, or over HTTP with --http. This is what no command does."`
	Call    callCmd    `cmd:"" help:"Call one tool and print its reply."`
	Tools   toolsCmd   `cmd:"" help:"List the tools as they would be served."`
	Demo    demoCmd    `cmd:"" help:"Show a session on a made-up account: no token, no network, no questions."`
	Doctor  doctorCmd  `cmd:"" help:"Check token, network and settings, and say what is wrong."`
	Sandbox sandboxCmd `cmd:"" help:"Serve the made-up account itself over HTTP, for other clients of LaunchDarkly's REST API."`
	Key     keyCmd     `cmd:"" help:"Make a key for --auth bearer."`
	Install installCmd `cmd:"" help:"Tell an MCP client of ld-mcp, or list the clients."`
	Docs    docsCmd    `cmd:"" help:"Print the tables of options and tools, or keep them current in a file."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

const about = "ld-mcp lets AI assistants work with LaunchDarkly feature flags through the Model Context Protocol. Try it without an account: ld-mcp demo."

// parse reads the command line and the environment. It returns no command when it printed help.
func (a *app) parse(args []string) (*kong.Context, error) {
	if err := refuseTokenFlags(args); err != nil {
		return nil, err
	}
	if len(args) == 1 && args[0] == "--version" {
		args = []string{"version"}
	}
	var cli commands
	helped := false
	k, err := newParser(&cli,
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(int) { helped = true }),
		kong.Help(printHelp),
	)
	if err != nil {
		return nil, err
	}
	fromEnv := map[string]string{}
	for _, f := range optionsOf(k) {
		name := variableOf(f.Name)
		value := strings.TrimSpace(a.getenv(name))
		if isReference(value) {
			return nil, usagef("%s holds a reference that your MCP client did not expand; write the value itself, or remove the variable", name)
		}
		if value != "" {
			fromEnv[f.Name] = value
		}
	}
	if err := kong.Resolvers(environment(fromEnv)).Apply(k); err != nil {
		return nil, err
	}
	cmd, err := k.Parse(args)
	if helped {
		return nil, nil
	}
	if err != nil {
		var bad *kong.ParseError
		word, surplus := strings.CutPrefix(err.Error(), "unexpected argument ")
		if surplus && errors.As(err, &bad) && (bad.Context.Selected() == nil || bad.Context.Selected().Name == "serve") {
			err = fmt.Errorf("there is no command %s; there are %s", word, strings.Join(commandNames(k), ", "))
		}
		return nil, explainUsage(err, fromEnv)
	}
	a.options = cli.Options
	if err := a.options.check(); err != nil {
		return nil, explainUsage(err, fromEnv)
	}
	a.log = a.newLogger(cmd.Selected().Name)
	return cmd, nil
}

func newParser(cli *commands, opts ...kong.Option) (*kong.Kong, error) {
	return kong.New(cli, append([]kong.Option{
		kong.Name("ld-mcp"),
		kong.Description(about),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 110}),
		kong.ValueFormatter(func(v *kong.Value) string {
			if v.Flag == nil || v.Flag.Group == nil {
				return v.Help
			}
			help := v.Help
			if v.HasDefault && v.Default != "" {
				help += " Default: " + v.Default + "."
			}
			return help + " $" + variableOf(v.Name)
		}),
	}, opts...)...)
}

// optionsOf lists the options that every command takes, in their order.
func optionsOf(k *kong.Kong) []*kong.Flag {
	var out []*kong.Flag
	for _, f := range k.Model.Flags {
		if f.Group != nil {
			out = append(out, f)
		}
	}
	return out
}

func commandNames(k *kong.Kong) []string {
	var out []string
	for _, c := range k.Model.Children {
		out = append(out, c.Name)
	}
	return out
}

// environment gives the options that the command line leaves out.
type environment map[string]string

func (environment) Validate(*kong.Application) error { return nil }

func (e environment) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	if v, ok := e[flag.Name]; ok && parent.App != nil {
		return v, nil
	}
	return nil, nil
}

// explainUsage says what to do about a mistake, and where the value came from if it was the environment.
func explainUsage(err error, fromEnv map[string]string) error {
	text := err.Error()
	for option := range fromEnv {
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

func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil || ctx.Selected() != nil {
		return err
	}
	_, err := fmt.Fprint(ctx.Stdout, helpTail())
	return err
}

func helpTail() string {
	var b strings.Builder
	b.WriteString("\nAccess token, from the first of these that is set; never an option:\n")
	for _, name := range tokenVariables {
		fmt.Fprintf(&b, "  $%-30s or $%s_FILE\n", name, name)
	}
	b.WriteString(`  A _FILE variable names a file that holds the token; it is read again when it changes.

Every option can be given as the environment variable beside it; the command line wins.
Lists are comma-separated. An empty variable counts as not set.
HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE work as in other programs.

Examples:
  ld-mcp demo
  ld-mcp doctor
  ld-mcp --read-only --project shop
  ld-mcp --http 127.0.0.1:8080 --allow-environments test,staging
  ld-mcp call list-flags projectKey=shop --sandbox
  ld-mcp call toggle-flag '{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"test","on":true}'
  ld-mcp tools --toolsets all
  ld-mcp install cursor -- --read-only

Exit status: 0 when all went well, 1 on an error, 2 when the command line or a variable is wrong.
`)
	return b.String()
}
