package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

type doctorCmd struct {
	JSON bool `name:"json" help:"Print the findings as JSON."`
}

const (
	fine    = "ok"
	warning = "warn"
	broken  = "fail"
)

// finding is the result of one check.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Says   string `json:"message"`
}

// examination is one run of the doctor.
type examination struct {
	*app
	transport http.RoundTripper
	token     ldclient.TokenSource
	client    *ldclient.Client
	role      string // of the token, "" when unknown
	findings  []finding
}

const (
	patience    = 10 * time.Second // for one request of the doctor
	clockAllows = 30 * time.Second
)

func (cmd doctorCmd) Run(ctx context.Context, a *app) error {
	x := &examination{app: a}
	x.run(ctx)
	works := !slices.ContainsFunc(x.findings, func(f finding) bool { return f.Status == broken })
	if err := x.print(cmd.JSON, works); err != nil {
		return err
	}
	if !works {
		return errors.New("it would not work as it is set up; see what failed above")
	}
	return nil
}

func (x *examination) run(ctx context.Context) {
	x.checkToken()
	client, err := x.clientWith(ldclient.Config{Token: x.token, Transport: x.transport})
	if err != nil {
		x.fail("host", "%v", err)
		return
	}
	x.client = client
	if x.checkHost(ctx) && !x.failed("token") && x.checkIdentity(ctx) {
		x.checkRate()
		x.checkDefaults(ctx)
		x.checkTools()
		x.checkPermissions(ctx)
		x.checkHostedTools(ctx)
		return
	}
	x.checkTools()
}

func (x *examination) add(check, status, format string, args ...any) {
	x.findings = append(x.findings, finding{check, status, x.secrets.mask(fmt.Sprintf(format, args...))})
}
func (x *examination) ok(check, format string, args ...any)   { x.add(check, fine, format, args...) }
func (x *examination) warn(check, format string, args ...any) { x.add(check, warning, format, args...) }
func (x *examination) fail(check, format string, args ...any) { x.add(check, broken, format, args...) }

func (x *examination) failed(check string) bool {
	return slices.ContainsFunc(x.findings, func(f finding) bool { return f.Check == check && f.Status == broken })
}

var usualToken = pattern.Of(`^api-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (x *examination) checkToken() {
	if x.Sandbox {
		x.token, x.transport = ldclient.StaticToken(sandbox.WriterToken), x.newSandbox()
		x.ok("token", "the sandbox needs none")
		return
	}
	x.transport = http.DefaultTransport.(*http.Transport).Clone()
	found, err := findToken(x.getenv, x.secrets)
	if err != nil {
		x.token = func() (ldclient.Token, error) { return "", err }
		x.fail("token", "%v", err)
		return
	}
	x.token = found.Get
	token, err := found.Get()
	if err != nil {
		x.fail("token", "%v", err)
		return
	}
	says := fmt.Sprintf("%s, from %s", token, found.Variable)
	if len(found.Ignored) > 0 {
		says += fmt.Sprintf("; %s is set too and not used", strings.Join(found.Ignored, ", "))
	}
	if !usualToken().MatchString(string(token)) && token != sandbox.WriterToken && token != sandbox.ReaderToken {
		x.warn("token", "%s; it does not look like an access token (api- and a UUID)", says)
		return
	}
	x.ok("token", "%s", says)
}

// checkHost asks without the token whether LaunchDarkly answers, and compares its clock with ours.
func (x *examination) checkHost(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	base, _ := url.Parse(x.client.BaseURL())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.client.BaseURL()+"/api/v2/caller-identity", nil)
	if err != nil {
		x.fail("host", "%v", err)
		return false
	}
	start := time.Now()
	resp, err := x.transport.RoundTrip(req)
	took := time.Since(start)
	if err != nil {
		x.fail("host", "%s cannot be reached: %v. Check --region, --base-url, the network and HTTPS_PROXY", base.Host, err)
		return false
	}
	resp.Body.Close()
	switch kind := resp.Header.Get("Content-Type"); {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		x.fail("host", "%s redirects elsewhere (HTTP %d). Set --base-url to LaunchDarkly's own address", base.Host, resp.StatusCode)
		return false
	case resp.StatusCode >= 500:
		x.fail("host", "%s answers with an error (HTTP %d). Try again later", base.Host, resp.StatusCode)
		return false
	case kind != "" && !strings.HasPrefix(kind, "application/json"):
		x.fail("host", "%s answers, but not as LaunchDarkly does (HTTP %d, %s). Check --base-url and any proxy in between", base.Host, resp.StatusCode, kind)
		return false
	}
	if x.Sandbox {
		x.ok("host", "the sandbox answers")
	} else {
		x.ok("host", "%s answers, in %d ms", base.Host, took.Milliseconds())
	}
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return true
	}
	if off := time.Since(theirs); off.Abs() > clockAllows {
		direction := "ahead of"
		if off < 0 {
			direction = "behind"
		}
		x.warn("clock", "this machine is %s %s LaunchDarkly, so relative times such as the last day will be off. Set the clock", off.Abs().Round(time.Second), direction)
	} else {
		x.ok("clock", "in step with LaunchDarkly's")
	}
	return true
}

func (x *examination) checkIdentity(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	who, err := x.client.Identity.Caller(ctx)
	if err != nil {
		advice := "Try again, and check the network if it stays so"
		if ldclient.Status(err) == http.StatusUnauthorized {
			advice = "Check that the token belongs to this instance (--region) and was not deleted"
		}
		x.fail("identity", "%s. %s", sentence(err), advice)
		return false
	}
	name := cmp.Or(who.TokenName, who.TokenID, "a token without a name")
	if who.ServiceToken || who.MemberID == "" {
		x.ok("identity", "service token %q", name)
		if token, err := x.client.Identity.Token(ctx, who.TokenID); err == nil {
			x.role = token.Role
		}
	} else if member, err := x.client.Identity.Me(ctx); err != nil {
		x.warn("identity", "token %q; its member could not be read: %s", name, sentence(err))
	} else {
		x.ok("identity", "token %q of %s", name, member.Email)
		x.role = member.Role
		if token, err := x.client.Identity.Token(ctx, who.TokenID); err == nil && token.Role != "" {
			x.role = token.Role
		}
	}
	switch x.role {
	case "":
		x.ok("role", "not known, as the token may not read it; LaunchDarkly decides at each call")
	case "reader", "no_access":
		if x.ReadOnly {
			x.ok("role", "%s", x.role)
		} else {
			x.warn("role", "%s, so LaunchDarkly would refuse every change; use --read-only, or a token that may write", x.role)
		}
	default:
		x.ok("role", "%s", x.role)
	}
	return true
}

func (x *examination) checkRate() {
	switch rate := x.client.RateLimit(); {
	case rate.GlobalLimit < 0 && rate.RouteLimit < 0:
		x.ok("rate limit", "LaunchDarkly named none")
	case rate.GlobalRemaining == 0 || rate.RouteRemaining == 0:
		x.warn("rate limit", "used up for the moment, perhaps by another program with the same account")
	case rate.GlobalLimit < 0:
		x.ok("rate limit", "%d of %d requests left in this window", rate.RouteRemaining, rate.RouteLimit)
	default:
		x.ok("rate limit", "%d of %d requests left in this window", rate.GlobalRemaining, rate.GlobalLimit)
	}
}

// checkDefaults looks whether the configured project and environment are there.
func (x *examination) checkDefaults(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if x.Project != "" {
		if _, err := x.client.Projects.Get(ctx, x.Project); err != nil {
			x.fail("project", "%s cannot be used: %s. Check --project", x.Project, sentence(err))
			return
		}
		x.ok("project", "%s is there", x.Project)
	}
	switch {
	case x.Environment == "":
	case x.Project == "":
		x.warn("environment", "%s is set without --project, so calls still have to name a project", x.Environment)
	default:
		if _, err := x.client.Environments.Get(ctx, x.Project, x.Environment); err != nil {
			x.fail("environment", "%s of project %s cannot be used: %s. Check --environment", x.Environment, x.Project, sentence(err))
			return
		}
		x.ok("environment", "%s is there", x.Environment)
	}
}

func (x *examination) checkTools() {
	s, err := x.newServer(x.client)
	if err != nil {
		x.fail("tools", "%v", err)
		return
	}
	served, writers, behind := 0, 0, 0
	hidden := map[string]int{}
	for _, t := range s.Tools() {
		if t.Hidden != "" {
			hidden[t.Hidden]++
			continue
		}
		served++
		if t.Through != "" {
			behind++
		}
		if t.Effect != tools.Read {
			writers++
		}
	}
	says := fmt.Sprintf("%d served, %d of them change something", served, writers)
	if behind > 0 {
		says += fmt.Sprintf("; %d of them are not listed and called through the others", behind)
	}
	for _, why := range slices.Sorted(maps.Keys(hidden)) {
		says += fmt.Sprintf("; %d hidden because %s", hidden[why], why)
	}
	if served == 0 {
		x.fail("tools", "%s. Check --toolsets, --tools and --exclude-tools", says)
		return
	}
	x.ok("tools", "%s", says)
}

// checkPermissions looks which of the tools the token can never use.
func (x *examination) checkPermissions(ctx context.Context) {
	s, err := x.newServer(x.client)
	if err != nil {
		return // checkTools tells
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := s.Permissions(ctx)
	if err != nil {
		x.warn("permissions", "what the token may do could not be read: %s. LaunchDarkly decides at each call", sentence(err))
		return
	}
	says := "no tool is known to be useless with this token"
	if n := len(found.Never); n > 0 {
		names := strings.Join(found.Never[:min(n, 10)], ", ")
		if n > 10 {
			names += " and more"
		}
		says = fmt.Sprintf("the token can never use %d of the tools, which are not listed: %s", n, names)
	}
	if len(found.Unread) > 0 {
		x.warn("permissions", "%s; not read, so LaunchDarkly decides: %s", says, strings.Join(found.Unread, ", "))
		return
	}
	x.ok("permissions", "%s", says)
}

// checkHostedTools looks whether LaunchDarkly's hosted server takes the token and has the tools.
func (x *examination) checkHostedTools(ctx context.Context) {
	if len(x.HostedTools) == 0 {
		return
	}
	s, err := x.newServer(x.client)
	if err != nil {
		return // checkTools tells
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := s.ReadHosted(ctx)
	switch {
	case err != nil:
		x.warn("hosted", "%s. LaunchDarkly documents OAuth for it, so it may not take an access token; all other tools work without it", sentence(err))
		return
	case len(found.Missing)+len(found.Left) > 0:
		left := found.Left
		if n := len(left) - 10; n > 0 {
			left = append(left[:10:10], fmt.Sprintf("and %d more", n))
		}
		x.warn("hosted", "%d of %d tools are passed through; not there: %s; left out: %s", len(found.Served), found.Offered, cmp.Or(strings.Join(found.Missing, ", "), "none"), cmp.Or(strings.Join(left, "; "), "none"))
	default:
		x.ok("hosted", "%d of %d tools are passed through", len(found.Served), found.Offered)
	}
}

func sentence(err error) string { return strings.TrimRight(err.Error(), ".") }

func (x *examination) print(asJSON, works bool) error {
	if asJSON {
		e := json.NewEncoder(x.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"ok": works, "checks": x.findings})
	}
	colour := map[string]string{fine: "\x1b[32m", warning: "\x1b[33m", broken: "\x1b[31m"}
	for _, f := range x.findings {
		mark := fmt.Sprintf("%-4s", f.Status)
		if x.colours(x.stdout) {
			mark = colour[f.Status] + mark + "\x1b[0m"
		}
		if _, err := fmt.Fprintf(x.stdout, "%s  %-12s %s\n", mark, f.Check, f.Says); err != nil {
			return err
		}
	}
	return nil
}
