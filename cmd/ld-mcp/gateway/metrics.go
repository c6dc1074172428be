package gateway

import (
	"net/http"
	"strconv"
	"time"
)

// Metrics counts what the service does, for Prometheus. None of it names a
// caller, a key or a resource.
type Metrics struct {
	metrics  []metric
	calls    *counter
	took     *histogram
	upstream *counter
	waited   *histogram
	retries  *counter
	denied   *counter
	readers  chan struct{}
}

// NewMetrics returns metrics that are all zero. rateLimit tells how many requests LaunchDarkly has left in this
// window, less than zero where it is not known.
func NewMetrics(rateLimit func() float64) *Metrics {
	m := &Metrics{
		calls: newCounter("ld_mcp_calls_total", "Calls of tools by how they ended.", "outcome", "tool"),
		took: newHistogram("ld_mcp_call_duration_seconds", "Time that calls of tools took.",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, "tool"),
		upstream: newCounter("ld_mcp_upstream_requests_total", "Requests to LaunchDarkly, retries among them; status 0 where no reply came.", "method", "status"),
		waited: newHistogram("ld_mcp_upstream_duration_seconds", "Time until LaunchDarkly's reply began.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}),
		retries: newCounter("ld_mcp_upstream_retries_total", "Requests to LaunchDarkly that were sent again."),
		denied:  newCounter("ld_mcp_denied_total", "HTTP requests that were not let in, by status.", "status"),
		readers: make(chan struct{}, 4),
	}
	m.metrics = []metric{m.calls, m.took, m.upstream, m.waited, m.retries, m.denied, goMetrics{}, processMetrics{}}
	m.gauge("ld_mcp_rate_limit_remaining", "Requests that LaunchDarkly's rate limit leaves in this window, of the operator's token; -1 where it is not known.", rateLimit)
	return m
}

func (m *Metrics) gauge(name, help string, value func() float64) {
	m.metrics = append(m.metrics, gauge{family{name: name, help: help, kind: "gauge"}, value})
}

// Called counts one call of a tool.
func (m *Metrics) Called(tool, outcome string, took time.Duration) {
	m.calls.add(outcome, tool)
	m.took.observe(took.Seconds(), tool)
}

// Retried counts a request to LaunchDarkly that is sent again.
func (m *Metrics) Retried() { m.retries.add() }

func (m *Metrics) refused(status int) { m.denied.add(strconv.Itoa(status)) }

// Upstream counts what is sent through next.
func (m *Metrics) Upstream(next http.RoundTripper) http.RoundTripper { return counted{m, next} }

type counted struct {
	m    *Metrics
	next http.RoundTripper
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := c.next.RoundTrip(r)
	status := 0
	if err == nil {
		status = resp.StatusCode
		c.m.waited.observe(time.Since(start).Seconds())
	}
	c.m.upstream.add(r.Method, strconv.Itoa(status))
	return resp, err
}

// watch adds what a service holds.
func (m *Metrics) watch(g *Gateway) {
	m.gauge("ld_mcp_sessions", "Sessions that are open.", func() float64 { return float64(g.sessions.count()) })
	m.gauge("ld_mcp_calls_in_progress", "Messages that are being handled.", func() float64 { return float64(g.calls.count()) })
}
