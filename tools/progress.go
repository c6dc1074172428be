package tools

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// progressEvery is the least time between two notifications of one call.
const progressEvery = 100 * time.Millisecond

// progress tells a client how far a call of several requests is. It tells only
// while more requests follow: no notification may come after the reply.
type progress struct {
	tell func(done int)

	mu       sync.Mutex
	done     int
	underway int
	told     int
	last     time.Time
}

// withProgress tells the client of ctx what becomes of a call, if it asked to be told.
func withProgress(ctx context.Context, req mcp.CallToolRequest) context.Context {
	srv := server.ServerFromContext(ctx)
	if srv == nil || req.Params.Meta == nil || req.Params.Meta.ProgressToken == nil {
		return ctx
	}
	token := req.Params.Meta.ProgressToken
	return ldclient.WithProgress(ctx, &progress{tell: func(done int) {
		// A client that reads too slowly misses one; the next one says as much.
		_ = srv.SendNotificationToClient(ctx, string(mcp.MethodNotificationProgress), map[string]any{
			"progressToken": token, "progress": done, "message": fmt.Sprintf("%d of LaunchDarkly's replies read", done),
		})
	}})
}

// RequestBegins implements ldclient.Progress.
func (p *progress) RequestBegins() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underway++
	p.report()
}

// RequestEnds implements ldclient.Progress.
func (p *progress) RequestEnds() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underway--
	p.done++
	if p.underway > 0 {
		p.report()
	}
}

func (p *progress) report() {
	if p.done == p.told || time.Since(p.last) < progressEvery {
		return
	}
	p.told, p.last = p.done, time.Now()
	p.tell(p.done)
}
