package gateway

import (
	"context"
	"io"
	"net/http"
	"time"
)

// healthz says that the process answers.
func (g *Gateway) healthz(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") }

// readiness remembers for a while whether LaunchDarkly could be reached, so that probes cost no requests.
type readiness struct {
	turn  chan struct{} // holds something while one asks
	asked time.Time
	err   error
}

const (
	readyFor    = 15 * time.Second
	notReadyFor = 3 * time.Second
)

func (x *readiness) check(ctx context.Context, ask func(context.Context) error) error {
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	keep := readyFor
	if x.err != nil {
		keep = notReadyFor
	}
	if time.Since(x.asked) < keep {
		return x.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // the answer is for other probes too
	defer cancel()
	x.err, x.asked = ask(ctx), time.Now()
	return x.err
}

// readyz says whether calls can be served: not while shutting down, nor while LaunchDarkly does not know the token.
func (g *Gateway) readyz(w http.ResponseWriter, r *http.Request) {
	if g.draining.Load() {
		g.refuse(w, http.StatusServiceUnavailable, "The service is shutting down.")
		return
	}
	if g.cfg.Ready != nil {
		if err := g.ready.check(r.Context(), g.cfg.Ready); err != nil {
			g.refuse(w, http.StatusServiceUnavailable, "The service is not ready: %v.", err)
			return
		}
	}
	io.WriteString(w, "ready\n")
}

// Probes serves the metrics and what says whether the service works, to everyone who can reach it.
func (g *Gateway) Probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", g.healthz)
	mux.HandleFunc("GET /readyz", g.readyz)
	if g.cfg.Metrics != nil {
		mux.Handle("GET /metrics", g.cfg.Metrics.Handler())
	}
	return g.hosts.guard(mux)
}
