package tools

import (
	"context"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// Confirmations hold for this long.
const ConfirmWithin = confirmWithin

// SetClock sets the clock by which confirmations expire.
func (s *Server) SetClock(now func() time.Time) { s.guard.seal.now = now }

// SetBypass says for every target whether the token may do without an approval.
func (s *Server) SetBypass(v policy.Verdict) {
	s.guard.bypass = func(context.Context, ldclient.Target) policy.Verdict { return v }
}

// LearnNow reads what the token may do.
func (s *Server) LearnNow(ctx context.Context) { s.learnOnce(ctx) }
