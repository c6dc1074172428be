package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/cmd/ld-mcp/gateway"
	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

type installCmd struct {
	Client  string   `arg:"" optional:"" help:"The client, such as cursor. Without it, the clients are listed."`
	Options []string `arg:"" optional:"" name:"option" help:"Options that the client starts ld-mcp with, behind --."`

	URL         string `name:"url" placeholder:"URL" help:"Have the client use ld-mcp at this address, such as https://mcp.example.com/mcp, instead of starting it."`
	Scope       string `enum:"user,project" default:"user" placeholder:"WHERE" help:"Whose settings to change: user, or project for those in --dir."`
	Dir         string `default:"." placeholder:"DIR" help:"Directory of the project. Default: the current one."`
	Name        string `default:"launchdarkly" placeholder:"NAME" help:"What the client calls the server. Default: launchdarkly."`
	Command     string `placeholder:"PATH" help:"Command to write instead of the path of this program."`
	TokenFile   string `placeholder:"FILE" help:"Have ld-mcp read the token from this file instead of from a variable."`
	KeyVariable string `default:"LD_MCP_BEARER_KEY" placeholder:"NAME" help:"Variable with the key that the server at --url asks for. Default: LD_MCP_BEARER_KEY."`
	NoKey       bool   `help:"Send no key to the server at --url."`
	WriteToken  bool   `help:"Write the token itself into the file, or the key with --url, where every program of yours can read it."`
	Print       bool   `help:"Print the file's path and the entry, and change nothing."`
	Remove      bool   `help:"Take the entry out."`
	Force       bool   `help:"Replace or remove an entry of this name that starts something else."`
	JSON        bool   `name:"json" help:"Print what was done as JSON."`
}

// installed is what an install did, or would do.
type installed struct {
	Client string   `json:"client"`
	Name   string   `json:"name"`
	File   string   `json:"file,omitempty"`
	Action string   `json:"action"`
	Diff   string   `json:"diff,omitempty"`
	Entry  string   `json:"entry,omitempty"`
	Run    string   `json:"run,omitempty"`
	Next   []string `json:"next,omitempty"`
}

var serverName = pattern.Of(`^[A-Za-z0-9][A-Za-z0-9-]{0,39}$`)

func (cmd installCmd) Run(ctx context.Context, a *app) error {
	p := places{runtime.GOOS, a.getenv, filepath.Glob, func(file string) bool { _, err := os.Stat(file); return err == nil }}
	if cmd.Client == "" {
		return a.listClients(p, cmd.Name, cmd.JSON)
	}
	c, err := findClient(cmd.Client)
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(tokenVariables, []string{cmd.KeyVariable}) {
		a.secrets.add(ldclient.Token(strings.TrimSpace(a.getenv(name))))
	}
	if err := cmd.check(a, c); err != nil {
		return err
	}
	if cmd.TokenFile, err = p.absolute(cmd.TokenFile); err != nil {
		return err
	}
	if cmd.Dir, err = p.absolute(cmd.Dir); err != nil && cmd.Scope == "project" {
		return err
	}
	e := edit{client: c, name: cmd.Name, url: cmd.URL}
	var next []string
	if !cmd.Remove {
		if next, err = cmd.fill(&e, a, p); err != nil {
			return err
		}
	}
	file, err := cmd.file(c, p)
	if err != nil && !cmd.Print {
		return err
	}
	done := installed{Client: c.name, Name: cmd.Name, File: file, Next: next}
	switch {
	case cmd.Print || c.printOnly:
		done.Action, done.Entry = toPrint, c.snippet(cmd.Name, e.entry, e.inputs)
		done.Run = c.claude(cmd, e)
	case c.name == "claude-code" && cmd.Scope == "user":
		err = cmd.runClaude(ctx, a, e, &done)
	default:
		err = cmd.edit(a, e, &done)
	}
	if err != nil {
		fmt.Fprint(a.stderr, done.Diff)
		return err
	}
	return a.printInstalled(cmd, done)
}

// check refuses what does not go together.
func (cmd installCmd) check(a *app, c *knownClient) error {
	for _, option := range a.given {
		if !strings.HasPrefix(option, "log-") {
			return usagef("--%[1]s is an option of the server; put it behind --, as in: ld-mcp install %[2]s -- --%[1]s", option, c.name)
		}
	}
	project := cmd.Scope == "project"
	switch {
	case !serverName().MatchString(cmd.Name):
		return usagef("--name %q is not accepted by all clients; use up to 40 letters, digits and hyphens", cmd.Name)
	case project && c.project == "":
		return usagef("%s has no settings of a project that ld-mcp knows; leave --scope out", c.title)
	case cmd.Remove && c.printOnly:
		return usagef("ld-mcp does not change the settings of %s; remove the entry there yourself", c.title)
	case cmd.Remove && (cmd.Print || len(cmd.Options) > 0):
		return usagef("--remove takes neither --print nor options behind --")
	case cmd.WriteToken && (cmd.Print || c.printOnly || cmd.Remove):
		return usagef("--write-token has no meaning where nothing is written; a token is never printed")
	case cmd.WriteToken && project:
		return usagef("--write-token is for the user's own settings: those of a project are shared with others")
	case cmd.WriteToken && c.name == "claude-code":
		return usagef("--write-token is not for claude-code, whose command line would show the token; use --token-file FILE")
	case cmd.WriteToken && cmd.TokenFile != "":
		return usagef("--write-token and --token-file exclude each other; use the file")
	case cmd.URL != "" && (len(cmd.Options) > 0 || cmd.TokenFile != "" || cmd.Command != ""):
		return usagef("with --url the client starts nothing, so --command, --token-file and options behind -- have no meaning; give them to the server there")
	}
	if cmd.URL != "" {
		return cmd.checkURL(a.secrets, c)
	}
	return checkServerOptions(a.secrets, cmd.Options)
}

func (cmd installCmd) checkURL(s *secrets, c *knownClient) error {
	u, err := url.Parse(cmd.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return usagef("--url must be a whole address, such as https://mcp.example.com/mcp")
	case u.User != nil || strings.ContainsAny(cmd.URL, "?#"):
		return usagef("--url must hold neither user nor query nor fragment; a key goes into the variable that --key-variable names")
	case s.mask(cmd.URL) != cmd.URL:
		return usagef("--url holds a token or key; put a key into the variable that --key-variable names")
	case !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(cmd.KeyVariable):
		return usagef("--key-variable must be the name of a variable, not the key itself")
	case c.remote == nil && !cmd.Remove:
		return usagef("%s cannot be given an address. %s", c.title, c.noRemote)
	case c.reference == "" && !c.byName && !cmd.NoKey && !cmd.WriteToken && !cmd.Remove:
		return usagef("%s expands no variables, so the key would have to stand in its file. Leave --url out, or add --no-key when the server asks for none, or --write-token to write the key in $%s", c.title, cmd.KeyVariable)
	}
	return nil
}

// checkServerOptions parses options as the server will when a client starts it.
func checkServerOptions(s *secrets, options []string) error {
	if text := strings.Join(options, " "); s.mask(text) != text {
		return usagef("the options behind -- hold a token or key; a client's file is no place for it")
	}
	b, cmd, err := parseServerOptions(options)
	switch {
	case err != nil:
		return usagef("behind --: %w", err)
	case cmd == nil:
		return usagef("behind --: options of the server alone; see ld-mcp --help")
	case b.HTTP != "":
		return usagef("behind --: a client starts ld-mcp to talk to it directly, so --http has no place; for a server that runs already use --url")
	}
	return nil
}

func parseServerOptions(options []string) (*app, runner, error) {
	b := newApp(func(string) string { return "" }, strings.NewReader(""), io.Discard, io.Discard)
	defer b.close()
	cmd, err := b.parse(append([]string{"serve"}, options...))
	return b, cmd, err
}

// fill makes the entry, and says what else has to be done for it to work.
func (cmd installCmd) fill(e *edit, a *app, p places) (next []string, err error) {
	c := e.client
	if cmd.URL != "" {
		return cmd.fillRemote(e, a)
	}
	l := launch{command: cmd.Command, args: cmd.Options}
	if l.command == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("this program's own file cannot be found: %w. Name it with --command", err)
		}
		if l.command, err = commandPath(self, a.getenv); err != nil {
			return nil, err
		}
	}
	file := cmd.TokenFile
	if file == "" && c.reference == "" && !c.byName {
		if file, err = tokenFilePlace(p); err != nil {
			return nil, err
		}
	}
	b, _, err := parseServerOptions(cmd.Options)
	variable := tokenVariables[0]
	check := "Check it with: ld-mcp doctor"
	switch {
	case err != nil:
		return nil, err
	case b.Sandbox:
	case cmd.WriteToken:
		found, err := findToken(a.getenv, a.secrets)
		if err != nil {
			return nil, err
		}
		token, err := found.Get()
		if err != nil {
			return nil, err
		}
		l.env = object{{variable, string(token)}}
		check = "The token is in that file now, for every program of yours to read. Take it out again with --token-file FILE."
	case file != "":
		l.env = object{{variable + "_FILE", file}}
		check = fmt.Sprintf("Its token is read from %s, which must be readable by you alone (chmod 600). Check it with: %s_FILE=%s ld-mcp doctor", file, variable, file)
		if !p.exists(file) {
			check = fmt.Sprintf("Put the token into %s, readable by you alone (chmod 600), and check it with: %s_FILE=%s ld-mcp doctor", file, variable, file)
		}
	case c.inputs:
		id := inputID(e.name, "token")
		e.inputs = []object{{{"type", "promptString"}, {"id", id}, {"description", "LaunchDarkly access token"}, {"password", true}}}
		l.env = object{{variable, fmt.Sprintf(c.reference, id)}}
		check = c.title + " will ask for the token. " + check
	case c.byName:
		l.pass = []string{variable}
		check = fmt.Sprintf("%s must be set where %s starts. %s", variable, c.title, check)
	default:
		l.env = object{{variable, fmt.Sprintf(c.reference, variable)}}
		check = fmt.Sprintf("%s must be set where %s starts. %s", variable, c.title, check)
	}
	e.entry = c.stdio(l)
	if cmd.Scope == "project" && cmd.Command == "" {
		check += "\nThe file is usually shared with others: --command ld-mcp leaves this machine's path out of it."
	}
	return append([]string{c.after}, strings.Split(check, "\n")...), nil
}

func (cmd installCmd) fillRemote(e *edit, a *app) (next []string, err error) {
	c, l := e.client, launch{url: cmd.URL}
	check := fmt.Sprintf("%s must be set where %s starts, to a key that the server at that address accepts.", cmd.KeyVariable, c.title)
	bearer := func(key string) object { return object{{"Authorization", "Bearer " + key}} }
	switch {
	case cmd.NoKey:
		check = "No key is sent, so the server must let everyone in who reaches it."
	case cmd.WriteToken:
		key := strings.TrimSpace(a.getenv(cmd.KeyVariable))
		if key == "" || isReference(key) || strings.ContainsAny(key, " \t\r\n") {
			return nil, usagef("--write-token: %s holds no key; set it, or name another variable with --key-variable", cmd.KeyVariable)
		}
		a.secrets.add(ldclient.Token(key))
		l.headers = bearer(key)
		check = "The key is in that file now, for every program of yours to read."
	case c.inputs:
		id := inputID(e.name, "key")
		e.inputs = []object{{{"type", "promptString"}, {"id", id}, {"description", "Key for the LaunchDarkly MCP server"}, {"password", true}}}
		l.headers = bearer(fmt.Sprintf(c.reference, id))
		check = c.title + " will ask for the key."
	default:
		if c.byName {
			l.key = cmd.KeyVariable
		}
		if c.reference != "" {
			l.headers = bearer(fmt.Sprintf(c.reference, cmd.KeyVariable))
		}
	}
	if u, _ := url.Parse(cmd.URL); u.Scheme == "http" && !gateway.IsLoopback(u.Hostname()) {
		check += "\nThe address is not https, so everyone on the way can read the key and the replies."
	}
	e.entry = c.remote(l)
	return append([]string{c.after}, strings.Split(check, "\n")...), nil
}

// file is the path of the settings that are meant.
func (cmd installCmd) file(c *knownClient, p places) (string, error) {
	switch {
	case cmd.Scope == "project":
		return filepath.Join(cmd.Dir, filepath.FromSlash(c.project)), nil
	case c.user == nil:
		return "", nil
	}
	return c.user(p)
}
