package tools

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
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
)

// auditLine is one line of the audit file.
type auditLine struct {
	Time     time.Time `json:"time"`
	Client   string    `json:"client,omitempty"`
	Tool     string    `json:"tool"`
	Resource string    `json:"resource,omitempty"`
	Outcome  outcome   `json:"outcome"`
	Comment  string    `json:"comment,omitempty"`
	Message  string    `json:"message,omitempty"`
	Millis   int64     `json:"ms"`
}

// recorder writes one log line a call, and one audit line a write or refusal.
type recorder struct {
	log   *slog.Logger
	mu    sync.Mutex
	audit io.Writer
}

func (r *recorder) record(ctx context.Context, c *call, o outcome, message string, size int, took time.Duration) {
	resource := ""
	if c.target != (ldclient.Target{}) {
		resource = clean(c.target.String())
	}
	level := slog.LevelInfo
	if o == failed {
		level = slog.LevelWarn
	}
	r.log.Log(ctx, level, "call", "tool", c.tool.Name, "resource", resource, "outcome", o, "bytes", size,
		"ms", took.Milliseconds(), "client", caller(ctx))
	if r.audit == nil || !c.wrote && o != refused && o != asked && o != gated {
		return
	}
	line := append(mustJSON(auditLine{time.Now().UTC(), caller(ctx), c.tool.Name, resource, o,
		clean(c.given.Comment), message, took.Milliseconds()}), '\n')
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.audit.Write(line); err != nil {
		r.log.Warn("the audit file could not be written", "error", err)
	}
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
