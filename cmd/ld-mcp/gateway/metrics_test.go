package gateway

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/testing/protocmp"
)

// scrape reads metrics as Prometheus does.
func scrape(t *testing.T, h http.Handler) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	got, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// What the service counts reads exactly as if Prometheus' own client had counted it.
func TestMetricsAreThoseOfPrometheusClient(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counts := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		registry.MustRegister(c)
		return c
	}
	times := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		registry.MustRegister(h)
		return h
	}
	calls := counts("ld_mcp_calls_total", "Calls of tools by how they ended.", "outcome", "tool")
	took := times("ld_mcp_call_duration_seconds", "Time that calls of tools took.", []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, "tool")
	upstream := counts("ld_mcp_upstream_requests_total", "Requests to LaunchDarkly, retries among them; status 0 where no reply came.", "method", "status")
	waited := times("ld_mcp_upstream_duration_seconds", "Time until LaunchDarkly's reply began.", []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}).WithLabelValues()
	retries := counts("ld_mcp_upstream_retries_total", "Requests to LaunchDarkly that were sent again.").WithLabelValues()
	denied := counts("ld_mcp_denied_total", "HTTP requests that were not let in, by status.", "status")
	remaining := prometheus.NewGauge(prometheus.GaugeOpts{Name: "ld_mcp_rate_limit_remaining",
		Help: "Requests that LaunchDarkly's rate limit leaves in this window, of the operator's token; -1 where it is not known."})
	registry.MustRegister(remaining)
	remaining.Set(-1)

	m := NewMetrics(func() float64 { return -1 })
	own := func() map[string]*dto.MetricFamily {
		got := scrape(t, m.Handler())
		for name := range got {
			if !strings.HasPrefix(name, "ld_mcp_") {
				delete(got, name)
			}
		}
		return got
	}
	if d := cmp.Diff(scrape(t, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})), own(), protocmp.Transform()); d != "" {
		t.Errorf("before anything happened (-client +ours):\n%s", d)
	}

	hostile := "a\"b\\c\nd{}é,="
	for _, took1 := range []time.Duration{0, 5 * time.Millisecond, 5*time.Millisecond + 1, 70 * time.Millisecond, 30 * time.Second, time.Hour} {
		for _, tool := range []string{"get-flag", "toggle-flag", hostile} {
			m.Called(tool, "ok", took1)
			calls.WithLabelValues("ok", tool).Inc()
			took.WithLabelValues(tool).Observe(took1.Seconds())
		}
	}
	m.Called("get-flag", "refused", time.Second)
	calls.WithLabelValues("refused", "get-flag").Inc()
	took.WithLabelValues("get-flag").Observe(1)
	m.Retried()
	retries.Inc()
	m.refused(401)
	denied.WithLabelValues("401").Inc()
	for _, status := range []int{200, 200, 429, 0} {
		r := httptest.NewRequest("PATCH", "/", nil)
		resp, err := m.Upstream(answer(status)).RoundTrip(r)
		if (err != nil) != (status == 0) || err == nil && resp.StatusCode != status {
			t.Errorf("%v, %v", resp, err)
		}
	}
	upstream.WithLabelValues("PATCH", "200").Add(2)
	upstream.WithLabelValues("PATCH", "429").Inc()
	upstream.WithLabelValues("PATCH", "0").Inc()
	got := own()
	waits := got["ld_mcp_upstream_duration_seconds"].GetMetric()[0].GetHistogram()
	if waits.GetSampleCount() != 3 || waits.GetSampleSum() <= 0 || waits.GetSampleSum() > 60 {
		t.Errorf("the time of three replies: %v", waits)
	}
	for range 3 {
		waited.Observe(0)
	}
	if d := cmp.Diff(scrape(t, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})), got, protocmp.Transform(),
		protocmp.FilterField(&dto.Histogram{}, "sample_sum", cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < .5 }))); d != "" {
		t.Errorf("(-client +ours):\n%s", d)
	}
}

// answer is a transport that answers at once, with no reply for 0.
type answer int

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	if a == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: int(a), Body: http.NoBody}, nil
}

// The runtime and the process are told of under the names and types of Prometheus' own client, with values near its own.
func TestRuntimeMetricsAreThoseOfPrometheusClient(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	runtime.GC()
	client := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	before := scrape(t, client)
	ours := scrape(t, NewMetrics(func() float64 { return 0 }).Handler())
	for name, theirs := range scrape(t, client) {
		if strings.HasPrefix(name, "process_") && runtime.GOOS != "linux" {
			continue
		}
		own := ours[name]
		if own.GetType() != theirs.GetType() || own.GetHelp() == "" || len(own.GetMetric()) != 1 {
			t.Errorf("%s: %v, want %v", name, own, theirs)
			continue
		}
		value := func(m *dto.Metric) float64 {
			return m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetSummary().GetSampleSum()
		}
		a, b, c := before[name].GetMetric()[0], own.Metric[0], theirs.Metric[0]
		x, y, z := value(a), value(b), value(c)
		if y < min(x, z)/2 || y > max(x, z)*2 {
			t.Errorf("%s: %v, want between %v and %v", name, y, x, z)
		}
		if d := cmp.Diff(c.GetLabel(), b.GetLabel(), protocmp.Transform()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if d := cmp.Diff(c.GetSummary(), b.GetSummary(), protocmp.Transform(), protocmp.IgnoreFields(&dto.Quantile{}, "value"), protocmp.IgnoreFields(&dto.Summary{}, "sample_count", "sample_sum")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestMetricsPassPrometheusLinter(t *testing.T) {
	t.Parallel()
	m := NewMetrics(func() float64 { return 7 })
	m.Called("get-flag", "ok", time.Second)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	problems, err := promlint.New(w.Body).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "ld_mcp_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestMetricsAreCompressedForWhoAsks(t *testing.T) {
	t.Parallel()
	m := NewMetrics(func() float64 { return 7 })
	for header, want := range map[string]string{"": "", "gzip": "gzip", "br, gzip;q=0.5": "gzip", "gzip;q=0": "", "identity": "", "zstd,GZIP": "gzip"} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
		r.Header.Set("Accept-Encoding", header)
		if m.Handler().ServeHTTP(w, r); w.Header().Get("Content-Encoding") != want {
			t.Errorf("%q got %q", header, w.Header().Get("Content-Encoding"))
		}
	}
	srv := httptest.NewServer(m.Handler())
	defer srv.Close()
	resp, err := http.Get(srv.URL) // asks for gzip by itself
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !resp.Uncompressed || !strings.Contains(string(text), "\nld_mcp_rate_limit_remaining 7\n") {
		t.Errorf("%v %t %s", err, resp.Uncompressed, text)
	}
}

func TestMetricsWhileCounting(t *testing.T) {
	t.Parallel()
	m := NewMetrics(func() float64 { return 7 })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				m.Called("get-flag", "ok", time.Millisecond)
			}
		})
	}
	for range 20 {
		scrape(t, m.Handler())
	}
	wg.Wait()
	if got := scrape(t, m.Handler())["ld_mcp_calls_total"].GetMetric()[0].GetCounter().GetValue(); got != 2000 {
		t.Errorf("%v of 2000 calls", got)
	}
	for range cap(m.readers) {
		m.readers <- struct{}{}
	}
	w := httptest.NewRecorder()
	if m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a reader too many: %d", w.Code)
	}
}

// A process may have any name, also one that looks like the rest of the line.
func TestProcessFiles(t *testing.T) {
	t.Parallel()
	const rest = " S 1 7 7 0 -1 4194304 900 0 3 0 250 50 0 0 20 0 9 0 12345 2048000 4096 18446744073709551615"
	for name, want := range map[string]bool{"(ld-mcp)": true, "(a) S 1 (b)": true, "": false} {
		s, ok := parseStat([]byte("7 "+name+rest), []byte("cpu 1 2\nbtime 1700000000\nprocesses 9\n"))
		if ok != want || want && s != (stat{3, 1700000123.45, 2048000, 4096}) {
			t.Errorf("%q: %+v %t", name, s, ok)
		}
	}
	if _, ok := parseStat([]byte("7 (x)"+rest), []byte("cpu 1 2\n")); ok {
		t.Error("a start without the system's")
	}
	limits := []byte("Limit   Soft Limit   Hard Limit   Units\nMax open files            1024        4096     files\nMax address space         unlimited   unlimited   bytes\nMax core file size x\n")
	for name, want := range map[string]float64{"Max open files": 1024, "Max address space": math.MaxUint64, "Max core file size": -1, "Max other": -1} {
		if n, ok := limit(limits, name); ok != (want >= 0) || ok && n != want {
			t.Errorf("%s: %v %t", name, n, ok)
		}
	}
	if in, out, ok := octets([]byte("TcpExt: A B\nTcpExt: 1 2\nIpExt: InMcast InOctets OutOctets\nIpExt: 5 60 70\n")); !ok || in != 60 || out != 70 {
		t.Errorf("%v %v %t", in, out, ok)
	}
	if _, _, ok := octets([]byte("IpExt: InOctets\n")); ok {
		t.Error("names without numbers")
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		if text := string(processMetrics{}.appendTo(nil)); strings.Count(text, "# TYPE ") != 9 {
			t.Errorf("this process: %s", text)
		}
	}
}
