package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/ld-mcp/ld-mcp/cmd/ld-mcp/gateway"
	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/tools"
)

// readsHold is how long a reply of LaunchDarkly's may serve other callers too.
const readsHold = 3 * time.Second

// service is ld-mcp over HTTP: a gateway, and what its callers' tools are made of.
type service struct {
	*app
	options     tools.Options // of every caller's tools; with passthrough without a client
	metrics     *gateway.Metrics
	tracing     *tracing
	passthrough *gateway.Passthrough
	once        sync.Once
	transport   http.RoundTripper // to LaunchDarkly
}

// serveMCP serves the tools over HTTP until ctx ends.
func (a *app) serveMCP(ctx context.Context) error {
	s, err := a.newService()
	if err != nil {
		return err
	}
	cfg, err := s.config() //nolint:contextcheck // the identity provider's keys outlive every call
	if err != nil {
		return err
	}
	g, err := gateway.New(cfg)
	if err != nil {
		return usageError{err}
	}
	ln, at, err := a.listen()
	if err != nil {
		return err
	}
	slog.SetDefault(a.log) // mcp-go logs some failures through package log
	if a.MetricsHTTP != "" {
		beside, err := listen(a.MetricsHTTP)
		if err != nil {
			ln.Close()
			return err
		}
		a.log.Info("listening", "metrics", "http://"+beside.Addr().String()+"/metrics")
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		go func() {
			if err := gateway.Serve(ctx, beside, g.Probes(), func() {}, a.log); err != nil {
				a.log.Error("the metrics are not served any more", "error", err)
			}
		}()
	}
	a.log.Info("listening", "address", ln.Addr().String(), "streamable", at+"/mcp", "sse", at+"/sse", "auth", a.Auth)
	return g.Serve(ctx, ln)
}

func (a *app) newService() (*service, error) {
	s := &service{app: a}
	var err error
	if s.tracing, err = a.newTracing(); err != nil {
		return nil, err
	}
	s.metrics = gateway.NewMetrics(func() float64 {
		if s.options.Client == nil {
			return -1
		}
		return float64(s.options.Client.RateLimit().GlobalRemaining)
	})
	if s.tracing != nil {
		a.closers = append(a.closers, s.tracing)
	}
	var client *ldclient.Client
	if a.Auth != "passthrough" {
		if client, err = a.newClient(s.upstream); err != nil {
			return nil, err
		}
	}
	if s.options, err = a.serverOptions(client); err != nil {
		return nil, err
	}
	s.options.Around = s.around
	return s, s.check()
}

// check makes the tools once, so that options which do not fit are refused at the start and not to the first caller.
func (s *service) check() error {
	o := s.options
	if o.Client == nil {
		client, err := s.clientWithout()
		if err != nil {
			return err
		}
		o.Client = client
	}
	t, err := tools.New(o)
	if err != nil {
		return usageError{err}
	}
	s.announce("http", o.Client, t)
	return t.Close()
}

// upstream makes a client one of a service, which many callers share.
func (s *service) upstream(cfg *ldclient.Config) {
	s.once.Do(func() {
		if s.transport = cfg.Transport; s.transport == nil {
			s.transport = ldclient.DefaultTransport()
		}
		if s.tracing != nil {
			s.transport = s.tracing.upstream(s.transport)
		}
		s.transport = s.metrics.Upstream(s.transport)
	})
	cfg.Transport, cfg.Cache, cfg.Retried = s.transport, readsHold, s.metrics.Retried
}

// around counts and traces each call of a tool.
func (s *service) around(ctx context.Context, tool string, meta map[string]any) (context.Context, func(outcome, resource string)) {
	start := time.Now()
	ended := func(string, string) {}
	if s.tracing != nil {
		ctx, ended = s.tracing.around(ctx, tool, meta)
	}
	return ctx, func(outcome, resource string) {
		ended(outcome, resource)
		s.metrics.Called(tool, outcome, time.Since(start))
	}
}

// aroundFor names the caller too, where only LaunchDarkly knows who that is.
func (s *service) aroundFor(name string) func(context.Context, string, map[string]any) (context.Context, func(outcome, resource string)) {
	return func(ctx context.Context, tool string, meta map[string]any) (context.Context, func(outcome, resource string)) {
		return s.around(tools.WithPerson(ctx, name), tool, meta)
	}
}

func (s *service) config() (gateway.Config, error) {
	cfg := gateway.Config{
		PublicURL: s.PublicURL, Hosts: s.AllowHosts, Origins: s.AllowOrigins, Stateless: s.Stateless, Key: s.options.Key, Replica: s.Replica,
		Limits: gateway.Limits{Sessions: s.MaxSessions, SessionsPerCaller: s.MaxSessionsPerCaller},
		Tenant: s.tenant, Metrics: s.metrics, Log: s.log,
	}
	for _, text := range s.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if ip, err2 := netip.ParseAddr(text); err2 == nil {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return cfg, usagef("--trusted-proxies: %q is not an address or a range; write it like 10.0.0.0/8", text)
		}
		cfg.Proxies = append(cfg.Proxies, p.Masked())
	}
	if client := s.options.Client; client != nil {
		cfg.Ready = func(ctx context.Context) error {
			_, err := client.Identity.Caller(ctx)
			return err
		}
	}
	var err error
	cfg.Authenticate, err = s.authenticator()
	return cfg, err
}

func (s *service) authenticator() (gateway.Authenticator, error) {
	switch s.Auth {
	case "bearer":
		if s.AuthKeysFile != "" {
			f, err := gateway.NewKeyFile(s.AuthKeysFile, s.log)
			if err != nil {
				return nil, usagef("--auth-keys-file: %w", err)
			}
			return f, nil
		}
		k, err := gateway.ParseKeys(strings.Join(s.AuthKeys, "\n"))
		if err != nil {
			return nil, usagef("--auth-keys: %w", err)
		}
		if err := k.Empty(); err != nil {
			return nil, usagef("--auth-keys: %w", err)
		}
		return k, nil
	case "passthrough":
		key := make([]byte, 32)
		rand.Read(key)
		if len(s.options.Key) > 0 {
			key = s.options.Key // so that a caller's sessions are theirs at every replica
		}
		s.passthrough = gateway.NewPassthrough(key)
		return s.passthrough, nil
	case "oidc":
		groups := map[string]gateway.Rights{}
		if err := addGroups(groups, "--oidc-readers", s.OIDCReaders, false); err != nil {
			return nil, err
		}
		if err := addGroups(groups, "--oidc-writers", s.OIDCWriters, true); err != nil {
			return nil, err
		}
		o, err := gateway.NewOIDC(gateway.OIDCConfig{Issuer: s.OIDCIssuer, Audience: s.OIDCAudience, GroupsClaim: s.OIDCGroupsClaim, PublicURL: s.PublicURL, Groups: groups, Log: s.log})
		if err != nil {
			return nil, usagef("--auth oidc: %w", err)
		}
		return o, nil
	}
	return nil, nil //nolint:nilnil // nobody is asked
}

// addGroups reads groups and the projects that each may touch.
func addGroups(groups map[string]gateway.Rights, option string, list []string, write bool) error {
	everywhere := map[string]bool{}
	for _, text := range list {
		group, project, limited := strings.Cut(text, "=")
		if group == "" || limited && project == "" {
			return usagef("%s: %q is not a group; write GROUP, or GROUP=PROJECT", option, text)
		}
		if limited {
			if err := ldclient.CheckGlobs([]string{project}); err != nil {
				return usagef("%s: %w", option, err)
			}
		}
		r, known := groups[group]
		if known && r.Write != write {
			return usagef("%s: the group %s is among the readers and the writers; name it once", option, group)
		}
		r.Write = write
		if everywhere[group] = everywhere[group] || !limited; everywhere[group] {
			r.Projects = nil
		} else {
			r.Projects = append(r.Projects, project)
		}
		groups[group] = r
	}
	return nil
}

// tenant makes the tools of one caller, or of all who may do the same.
func (s *service) tenant(ctx context.Context, c gateway.Caller) (gateway.Tenant, error) {
	o := s.options
	switch {
	case c.Token != "":
		client, err := s.clientWith(ldclient.Config{Token: ldclient.StaticToken(c.Token)}, s.upstream)
		if err != nil {
			return nil, err
		}
		who, err := client.Identity.Caller(ctx)
		if err != nil {
			var refused *ldclient.Error
			if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
				return nil, s.passthrough.Refuse(c)
			}
			return nil, err
		}
		// A token's name is its owner's to choose, so it is not what the log goes by.
		o.Client, o.Around = client, s.aroundFor(cmp.Or(who.MemberID, who.TokenID))
	case c.Rights != nil:
		o.Client = o.Client.Narrow(!c.Rights.Write, ldclient.Scope{Projects: c.Rights.Projects})
		o.ReadOnly = o.ReadOnly || !c.Rights.Write
	}
	t, err := tools.New(o)
	if err != nil {
		return nil, err
	}
	t.Learn(context.WithoutCancel(ctx)) // until the gateway closes it
	return t, nil
}

// listen opens the service's own listener and tells the address that callers know it by.
func (a *app) listen() (ln net.Listener, at string, err error) {
	open := listen
	if a.Auth == "none" {
		open = listenHere
	}
	var secure *tls.Config
	scheme := "http"
	if a.TLSCert != "" {
		if secure, err = gateway.TLS(a.TLSCert, a.TLSKey, a.log); err != nil {
			return nil, "", err
		}
		scheme = "https"
	}
	if ln, err = open(a.HTTP); err != nil {
		return nil, "", err
	}
	if secure != nil {
		ln = tls.NewListener(ln, secure)
	}
	if a.PublicURL != "" {
		return ln, strings.TrimRight(a.PublicURL, "/"), nil
	}
	return ln, scheme + "://" + ln.Addr().String(), nil
}
