package main

import (
	"path"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// options are what every command takes. Each has an environment variable too:
// LD_MCP_ and the option's name in capitals.
type options struct {
	Region       string `group:"LaunchDarkly" enum:"us,eu,federal" default:"us" placeholder:"NAME" help:"LaunchDarkly instance: us, eu or federal."`
	BaseURL      string `name:"base-url" group:"LaunchDarkly" placeholder:"URL" help:"Address of LaunchDarkly or of a proxy in front of it; wins over --region."`
	Project      string `group:"LaunchDarkly" placeholder:"KEY" help:"Project used where a call names none, which makes projectKey optional."`
	Environment  string `group:"LaunchDarkly" placeholder:"KEY" help:"Environment used where a call names none, which makes environmentKey optional."`
	Sandbox      bool   `group:"LaunchDarkly" help:"Use a made-up account in memory: no token, no network."`
	SandboxFlags int    `group:"LaunchDarkly" placeholder:"N" help:"Fill the sandbox with this many generated flags."`

	ReadOnly          bool     `group:"Safety" help:"Offer only tools that change nothing, and refuse every change before it is sent."`
	AllowProjects     []string `group:"Safety" placeholder:"KEY" help:"Projects that may be touched, as keys or globs; all if not given."`
	AllowEnvironments []string `group:"Safety" placeholder:"KEY" help:"Environments that may be touched, as keys or globs; all if not given."`
	Protect           []string `group:"Safety" placeholder:"KEY" help:"Environments whose changes want confirming, as keys or globs, besides those that LaunchDarkly marks as critical."`
	Confirm           string   `group:"Safety" enum:"auto,ask,never" default:"auto" placeholder:"HOW" help:"How changes of protected environments and deletions are confirmed: auto asks the person where the client can and else wants the call again with confirm, ask refuses where the client cannot ask, never lets them pass."`
	AllowReview       bool     `group:"Safety" help:"Serve review-approval-request, which approves or declines other people's requests. Leave it to people unless you are sure."`
	AllowOperations   []string `group:"Safety" placeholder:"ID" help:"Operations that write-api calls although they delete, give out or take secrets, or have a tool of their own, as operationIds, kinds of instructions or globs. They are always confirmed."`
	AuditFile         string   `group:"Safety" placeholder:"FILE" help:"Append one JSON line to this file for each change and each refusal."`
	AuditRequired     bool     `group:"Safety" help:"Refuse every change that the audit file does not take a line of first; goes with --audit-file."`

	Toolsets      []string      `group:"Tools" placeholder:"NAME" help:"Toolsets to serve: default, all, dynamic (four tools that find and call all the others), or names that the tools command shows; default if not given."`
	Tools         []string      `group:"Tools" placeholder:"NAME" help:"Tools to serve, as names or globs: on top of --toolsets, or these alone when --toolsets is not given."`
	ExcludeTools  []string      `group:"Tools" placeholder:"NAME" help:"Tools to leave out, as names or globs."`
	HostedTools   []string      `group:"Tools" placeholder:"NAME" help:"Tools of the MCP server that LaunchDarkly hosts to pass through, as names or globs, such as query-logs; none if not given. They are called with the same access token."`
	HostedURL     []string      `name:"hosted-url" group:"Tools" placeholder:"URL" help:"Address of a hosted MCP server for --hosted-tools, several where there are several; LaunchDarkly's own if not given, which there is for --region us alone."`
	MaxReplyBytes int           `group:"Tools" default:"20000" placeholder:"N" help:"Longest reply of a tool; a longer one is shortened and says how to go on."`
	OutputSchemas bool          `group:"Tools" help:"Announce output schemas and send structuredContent besides text."`
	Timeout       time.Duration `group:"Tools" default:"30s" placeholder:"TIME" help:"Longest time that one call of a tool may take."`

	HTTP                 string   `name:"http" group:"Serving" placeholder:"ADDR" help:"Serve over HTTP at this address, such as 127.0.0.1:8080, instead of stdio: streamable HTTP at /mcp, HTTP+SSE at /sse. Other machines can reach it only with --auth."`
	Auth                 string   `group:"Serving" enum:"none,bearer,passthrough,oidc" default:"none" placeholder:"HOW" help:"Who may call over HTTP: none is everyone on this machine, bearer whoever has a key of yours, passthrough whoever sends a LaunchDarkly access token, which is then used for their calls, and oidc whoever has a token of your identity provider."`
	AuthKeysFile         string   `group:"Serving" placeholder:"FILE" help:"For --auth bearer: file of keys, as the key command prints them, one a line; read again when it changes."`
	AuthKeys             []string `group:"Serving" placeholder:"KEY" help:"For --auth bearer: keys as the key command prints them, instead of a file."`
	OIDCIssuer           string   `name:"oidc-issuer" group:"Serving" placeholder:"URL" help:"For --auth oidc: the identity provider."`
	OIDCAudience         string   `name:"oidc-audience" group:"Serving" placeholder:"NAME" help:"For --auth oidc: the audience that tokens must be issued for."`
	OIDCGroupsClaim      string   `name:"oidc-groups-claim" group:"Serving" default:"groups" placeholder:"NAME" help:"For --auth oidc: the claim that holds a caller's groups."`
	OIDCReaders          []string `name:"oidc-readers" group:"Serving" placeholder:"GROUP" help:"For --auth oidc: groups that may read, each as GROUP or GROUP=PROJECT with a key or glob, to be repeated for several projects."`
	OIDCWriters          []string `name:"oidc-writers" group:"Serving" placeholder:"GROUP" help:"For --auth oidc: groups that may change things too, in the same form."`
	PublicURL            string   `name:"public-url" group:"Serving" placeholder:"URL" help:"Address that callers know the HTTP service by, such as https://mcp.example.com/launchdarkly. Its path comes before /mcp and /sse."`
	AllowHosts           []string `group:"Serving" placeholder:"NAME" help:"Host headers to accept besides this machine's own and the one of --public-url."`
	AllowOrigins         []string `group:"Serving" placeholder:"URL" help:"Origins of web pages that may call, besides those on this machine."`
	TrustedProxies       []string `group:"Serving" placeholder:"RANGE" help:"Addresses or ranges of proxies whose X-Forwarded headers count, such as 10.0.0.0/8."`
	TLSCert              string   `name:"tls-cert" group:"Serving" placeholder:"FILE" help:"Certificate to serve HTTPS with, as PEM; read again when it changes."`
	TLSKey               string   `name:"tls-key" group:"Serving" placeholder:"FILE" help:"Key of --tls-cert, as PEM."`
	MetricsHTTP          string   `name:"metrics-http" group:"Serving" placeholder:"ADDR" help:"Serve /metrics for Prometheus, /healthz and /readyz at this address too, without asking who calls."`
	Stateless            bool     `group:"Serving" help:"Keep no sessions at /mcp, so that any replica can answer any call. Clients older than protocol 2026-07-28 cannot put questions to their person then."`
	KeyFile              string   `group:"Serving" placeholder:"FILE" help:"File with a key of at least 32 bytes that seals confirmations and session ids, the same for all replicas; made anew at each start if not given."`
	Replica              string   `group:"Serving" placeholder:"NAME" help:"Name of this replica. /sse then tells its clients to send messages with replica=NAME, by which a proxy finds the replica that holds the stream."`
	MaxSessions          int      `group:"Serving" default:"2000" placeholder:"N" help:"Most sessions over HTTP at once."`
	MaxSessionsPerCaller int      `group:"Serving" default:"500" placeholder:"N" help:"Most sessions over HTTP of one caller at once."`

	LogLevel  string `group:"Serving" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least level to log: debug, info, warn or error; info when serving, warn in other commands if not given."`
	LogFormat string `group:"Serving" enum:"auto,text,json" default:"auto" placeholder:"FORMAT" help:"Format of the log on stderr: text, json, or auto for text on a terminal and json elsewhere."`
}

const variablePrefix = "LD_MCP_"

// variableOf returns the environment variable of an option.
func variableOf(option string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

// check finishes the options and refuses what the parser could not judge.
func (o *options) check() error {
	for _, list := range []struct {
		option string
		values *[]string
	}{
		{"allow-projects", &o.AllowProjects}, {"allow-environments", &o.AllowEnvironments}, {"protect", &o.Protect},
		{"allow-operations", &o.AllowOperations}, {"toolsets", &o.Toolsets}, {"tools", &o.Tools}, {"exclude-tools", &o.ExcludeTools}, {"hosted-tools", &o.HostedTools},
	} {
		var out []string
		for _, v := range *list.values {
			v = strings.TrimSpace(v)
			if v == "" {
				continue
			}
			// A glob that cannot match would quietly allow or protect nothing.
			if _, err := path.Match(v, ""); err != nil {
				return usagef("--%s: %q is not a glob; write a key, or a pattern such as prod*", list.option, v)
			}
			out = append(out, v)
		}
		if len(*list.values) > 0 && len(out) == 0 {
			return usagef("--%s holds no name; leave it out, or name at least one", list.option)
		}
		*list.values = out
	}
	switch {
	case o.MaxReplyBytes < 1000:
		return usagef("--max-reply-bytes must be at least 1000, got %d", o.MaxReplyBytes)
	case o.Timeout < time.Second || o.Timeout > 10*time.Minute:
		return usagef("--timeout must be between 1s and 10m, got %s", o.Timeout)
	case o.AuditRequired && o.AuditFile == "":
		return usagef("--audit-required refuses changes that are not in the audit file, and there is none; name one with --audit-file")
	case o.SandboxFlags < 0:
		return usagef("--sandbox-flags must not be negative, got %d", o.SandboxFlags)
	}
	if err := o.checkHosted(); err != nil {
		return err
	}
	return o.checkHTTP()
}

// checkHosted finds the hosted servers, and refuses what would send the access token elsewhere than was meant.
func (o *options) checkHosted() error {
	if len(o.HostedTools) == 0 {
		return nil
	}
	own := ldclient.Hosted[o.Region]
	for _, address := range o.HostedURL {
		if err := ldclient.CheckHosted(address); err != nil {
			return usagef("--hosted-url: %w", err)
		}
		if o.Sandbox && !ldclient.HostedHere(address) {
			return usagef("--hosted-url: what --sandbox shows is made up, so only a server on this machine goes with it")
		}
	}
	switch {
	case len(o.HostedURL) > 0:
		return nil
	case o.Sandbox:
		return usagef("--hosted-tools: the sandbox has no hosted server; name one on this machine with --hosted-url")
	case o.BaseURL != "" && strings.TrimRight(o.BaseURL, "/") != ldclient.Regions[o.Region]:
		return usagef("--hosted-tools: with --base-url it is not known which hosted server the access token is for; name it with --hosted-url")
	case own == "":
		return usagef("--hosted-tools: LaunchDarkly hosts no MCP server for --region %s; leave it out, or name one with --hosted-url", o.Region)
	}
	o.HostedURL = []string{own}
	return nil
}

// checkHTTP refuses options that would serve to more callers than was meant.
func (o *options) checkHTTP() error {
	switch {
	case o.HTTP == "":
		return nil
	case (o.TLSCert == "") != (o.TLSKey == ""):
		return usagef("--tls-cert and --tls-key belong together; give both")
	case o.MaxSessions < 1 || o.MaxSessionsPerCaller < 1:
		return usagef("--max-sessions and --max-sessions-per-caller must be at least 1")
	case o.Auth == "none":
		return checkLoopback("--http", o.HTTP, "choose who may call with --auth bearer, passthrough or oidc")
	case o.Auth == "bearer" && (o.AuthKeysFile == "") == (len(o.AuthKeys) == 0):
		return usagef("--auth bearer needs --auth-keys-file or --auth-keys; make a key with ld-mcp key NAME")
	case o.Auth == "oidc" && (o.OIDCIssuer == "" || o.OIDCAudience == "" || o.PublicURL == "" || len(o.OIDCReaders)+len(o.OIDCWriters) == 0):
		return usagef("--auth oidc needs --oidc-issuer, --oidc-audience, --public-url, and --oidc-readers or --oidc-writers")
	case o.Auth == "passthrough" && o.Sandbox:
		return usagef("--auth passthrough and --sandbox do not go together: leave out one")
	}
	return nil
}
