package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts what the service does, for Prometheus. None of it names a
// caller, a key or a resource.
type Metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	took     *prometheus.HistogramVec
	upstream *prometheus.CounterVec
	waited   prometheus.Histogram
	retries  prometheus.Counter
	denied   *prometheus.CounterVec
}

// NewMetrics returns metrics that are all zero. rateLimit tells how many requests LaunchDarkly has left in this
// window, less than zero where it is not known.
func NewMetrics(rateLimit func() float64) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ld_mcp_calls_total", Help: "Calls of tools by how they ended."}, []string{"tool", "outcome"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "ld_mcp_call_duration_seconds", Help: "Time that calls of tools took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"tool"}),
		upstream: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ld_mcp_upstream_requests_total", Help: "Requests to LaunchDarkly, retries among them; status 0 where no reply came."}, []string{"method", "status"}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ld_mcp_upstream_duration_seconds", Help: "Time until LaunchDarkly's reply began.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{Name: "ld_mcp_upstream_retries_total", Help: "Requests to LaunchDarkly that were sent again."}),
		denied:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ld_mcp_denied_total", Help: "HTTP requests that were not let in, by status."}, []string{"status"}),
	}
	m.registry.MustRegister(m.calls, m.took, m.upstream, m.waited, m.retries, m.denied,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.gauge("ld_mcp_rate_limit_remaining", "Requests that LaunchDarkly's rate limit leaves in this window, of the operator's token; -1 where it is not known.", rateLimit)
	return m
}

func (m *Metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Called counts one call of a tool.
func (m *Metrics) Called(tool, outcome string, took time.Duration) {
	m.calls.WithLabelValues(tool, outcome).Inc()
	m.took.WithLabelValues(tool).Observe(took.Seconds())
}

// Retried counts a request to LaunchDarkly that is sent again.
func (m *Metrics) Retried() { m.retries.Inc() }

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
		c.m.waited.Observe(time.Since(start).Seconds())
	}
	c.m.upstream.WithLabelValues(r.Method, strconv.Itoa(status)).Inc()
	return resp, err
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// watch adds what a service holds.
func (m *Metrics) watch(g *Gateway) {
	m.gauge("ld_mcp_sessions", "Sessions that are open.", func() float64 { return float64(g.sessions.count()) })
	m.gauge("ld_mcp_calls_in_progress", "Messages that are being handled.", func() float64 { return float64(g.calls.count()) })
}
