package tools

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
)

// gathering runs the requests of one composed tool side by side; the client
// keeps them within the rate limit.
type gathering struct {
	group   *errgroup.Group
	ctx     context.Context
	mu      sync.Mutex
	missing []string
}

func gather(ctx context.Context) *gathering {
	group, ctx := errgroup.WithContext(ctx)
	return &gathering{group: group, ctx: ctx}
}

// need runs a request without which there is no reply.
func (g *gathering) need(f func(context.Context) error) {
	g.group.Go(func() error { return f(g.ctx) })
}

// want runs a request that the reply can do without; what is then missing is said.
func (g *gathering) want(what string, f func(context.Context) error) {
	g.group.Go(func() error {
		if err := f(g.ctx); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.missing = append(g.missing, fmt.Sprintf("%s could not be read (%s)", what, short(clean(err.Error()), 200)))
		}
		return nil
	})
}

// wait returns when all requests have ended: what is missing, or the first error of one that was needed.
func (g *gathering) wait() (missing []string, err error) {
	err = g.group.Wait()
	return g.missing, err
}
