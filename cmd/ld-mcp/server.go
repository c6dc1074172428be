package main

import (
	"context"
	"net/url"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// newClient returns the LaunchDarkly client that the options describe.
func (a *app) newClient(edits ...func(*ldclient.Config)) (*ldclient.Client, error) {
	if a.Sandbox {
		return a.clientWith(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: a.newSandbox()}, edits...)
	}
	found, err := findToken(a.getenv, a.secrets)
	if err != nil {
		return nil, err
	}
	a.log.Debug("access token found", "variable", found.Variable, "ignored", found.Ignored)
	return a.clientWith(ldclient.Config{Token: found.Get}, edits...)
}

func (a *app) newSandbox() *sandbox.Account {
	return sandbox.New(sandbox.Options{Flags: a.SandboxFlags})
}

// clientWithout returns a client for what needs no account, such as listing the tools.
func (a *app) clientWithout() (*ldclient.Client, error) {
	return a.clientWith(ldclient.Config{Token: func() (ldclient.Token, error) { return "", errNoToken }})
}

func (a *app) clientWith(cfg ldclient.Config, edits ...func(*ldclient.Config)) (*ldclient.Client, error) {
	cfg.BaseURL = a.BaseURL
	if cfg.BaseURL == "" || a.Sandbox {
		cfg.BaseURL = ldclient.Regions[a.Region]
	}
	cfg.UserAgent = "ld-mcp/" + currentVersion().Version
	cfg.ReadOnly = a.ReadOnly
	cfg.Scope = ldclient.Scope{Projects: a.AllowProjects, Environments: a.AllowEnvironments}
	cfg.Log = a.log
	for _, edit := range edits {
		edit(&cfg)
	}
	client, err := ldclient.New(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	return client, nil
}

// newServer returns the tools on client, as the options want them served.
func (a *app) newServer(client *ldclient.Client) (*tools.Server, error) {
	o, err := a.serverOptions(client)
	if err != nil {
		return nil, err
	}
	s, err := tools.New(o)
	if err != nil {
		return nil, usageError{err}
	}
	a.closers = append(a.closers, s)
	return s, nil
}

func (a *app) serverOptions(client *ldclient.Client) (tools.Options, error) {
	o := tools.Options{
		Client: client, Version: currentVersion().Version,
		ReadOnly: a.ReadOnly, Project: a.Project, Environment: a.Environment,
		Protect: a.Protect, Confirm: tools.Confirm(a.Confirm),
		Toolsets: a.Toolsets, Tools: a.Tools, ExcludeTools: a.ExcludeTools,
		Hosted:        tools.Hosted{Names: a.HostedTools, URLs: a.HostedURL},
		MaxReplyBytes: a.MaxReplyBytes, OutputSchemas: a.OutputSchemas, AllowReview: a.AllowReview, AllowOperations: a.AllowOperations, Timeout: a.Timeout, Log: a.log,
	}
	var err error
	if o.Key, err = a.key(); err != nil {
		return o, err
	}
	if a.AuditFile != "" {
		f, err := openAuditFile(a.AuditFile, a.secrets)
		if err != nil {
			return o, err
		}
		a.closers = append(a.closers, f)
		o.Audit, o.AuditRequired = f, a.AuditRequired
	}
	return o, nil
}

type serveCmd struct{}

func (serveCmd) Run(ctx context.Context, a *app) error {
	if a.HTTP != "" {
		return a.serveMCP(ctx)
	}
	client, err := a.newClient()
	if err != nil {
		return err
	}
	s, err := a.newServer(client)
	if err != nil {
		return err
	}
	a.announce("stdio", client, s)
	learning, stop := context.WithCancel(ctx)
	defer stop()
	s.Learn(learning)
	if a.isTerminal(a.stdin) {
		a.log.Info("waiting for an MCP client on standard input; ld-mcp demo shows what it can do, ld-mcp --help lists the options")
	}
	return a.serveStdio(ctx, s.MCP())
}

// announce logs what is served.
func (a *app) announce(transport string, client *ldclient.Client, s *tools.Server) {
	account := "sandbox"
	if base, err := url.Parse(client.BaseURL()); err == nil && !a.Sandbox {
		account = base.Host
	}
	a.log.Info("serving", "version", currentVersion().Version, "transport", transport, "launchdarkly", account, "tools", s.Served(),
		"readOnly", a.ReadOnly, "projects", scopeText(a.AllowProjects), "environments", scopeText(a.AllowEnvironments))
}

func scopeText(list []string) any {
	if len(list) == 0 {
		return "all"
	}
	return list
}
