package tools

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// outcome says in a word how a call ended, for the log and the audit file.
type outcome string

const (
	succeeded outcome = "ok"
	refused   outcome = "refused" // by the guard or a limit of this server, before anything was written
	asked     outcome = "asked"   // a person was asked to confirm
	gated     outcome = "approval"
	failed    outcome = "error"
	attempted outcome = "attempt" // the change is about to be sent
)

// recorder writes one log line a call, and one audit line a write or refusal.
type recorder struct {
	log   *slog.Logger
	audit *auditTrail // nil without an audit file
}

// record notes how a call ended; changed says that LaunchDarkly's audit log has an entry of it.
func (r *recorder) record(ctx context.Context, c *call, o outcome, message string, size int, took time.Duration, changed bool) {
	level := slog.LevelInfo
	if o == failed {
		level = slog.LevelWarn
	}
	attrs := []any{"tool", c.tool.Name, "resource", c.resource(), "outcome", o, "bytes", size, "ms", took.Milliseconds(), "client", caller(ctx)}
	if c.raw != "" {
		attrs = append(attrs, "operation", c.raw)
	}
	if who := person(ctx); who != "" {
		attrs = append(attrs, "caller", who)
	}
	r.log.Log(ctx, level, "call", attrs...)
	if r.audit == nil || c.id == "" && !c.wrote && o != refused && o != asked && o != gated {
		return
	}
	line := c.line(ctx, o)
	line.Message, line.Millis = message, took.Milliseconds()
	if o == succeeded && !changed {
		line.Message = "nothing was changed"
	}
	by := c.ld.Fingerprint()
	if c.sentBy != "" && c.sentBy != by { // the token was changed meanwhile, so which one was sent is not known
		by = noToken
	}
	var sent *sentChange
	if changed && !c.tool.isHosted() { // whose entries in LaunchDarkly's audit log are not known
		sent = &sentChange{at: c.target, actions: splitActions(c.tool.Tool), comment: c.sentAs, after: c.sentAt, before: time.Now()}
	}
	r.audit.add(c.ld, line, by, sent) //nolint:contextcheck // the line is completed after the call
}

// attempt notes that a change is about to be sent, where none may go without a line in the audit file.
func (r *recorder) attempt(ctx context.Context, c *call) error {
	if r.audit == nil || !r.audit.required || c.id != "" {
		return nil
	}
	id := r.audit.nextID()
	line := c.line(ctx, attempted)
	line.Call = id
	if err := r.audit.write(line); err != nil {
		return refuse("The audit file of this server cannot be written, and it makes no change without it. Nothing was changed. Tell whoever runs this server to make room for --audit-file, or to repair it.")
	}
	c.id = id
	return nil
}

// resource names what a call is about, "" where it is not known.
func (c *call) resource() string {
	if c.target == (ldclient.Target{}) {
		return ""
	}
	return clean(c.target.String())
}

// line is what the audit file says of a call.
func (c *call) line(ctx context.Context, o outcome) auditLine {
	return auditLine{Time: time.Now().UTC(), Call: c.id, Client: caller(ctx), Person: person(ctx), Tool: c.tool.Name,
		Raw: c.raw, Resource: c.resource(), Outcome: o, Comment: clean(c.given.Comment)}
}

type personKey struct{}

// WithPerson returns a context whose calls are made for the person of this name, for the audit file.
func WithPerson(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, personKey{}, name)
}

func person(ctx context.Context) string {
	name, _ := ctx.Value(personKey{}).(string)
	return clean(name)
}

// caller names the client software of a request, "" where it did not say.
func caller(ctx context.Context) string {
	name := ""
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientInfo != nil {
		name = info.ClientInfo.Name
	} else if s, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		name = s.GetClientInfo().Name
	}
	name = clean(name)
	if r := []rune(name); len(r) > 64 {
		name = string(r[:64])
	}
	return name
}

// attribution is the comment that LaunchDarkly's audit log gets: the caller's reason and what carried it.
func attribution(ctx context.Context, comment string) string {
	via := "via ld-mcp"
	if name := caller(ctx); name != "" {
		via += " (" + name + ")"
	}
	if comment = strings.TrimSpace(comment); comment != "" {
		return comment + " [" + via + "]"
	}
	return via
}
