package gateway

import (
	"cmp"
	"compress/gzip"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// metric is one or more families of series, written in Prometheus' text format.
type metric interface{ appendTo(b []byte) []byte }

// family is what all series of one name share.
type family struct {
	name, help, kind string
	labels           []string // at most as many as values has
}

// values are those of a family's labels, in their order.
type values [2]string

func valuesOf(list []string) (v values) {
	copy(v[:], list)
	return v
}

// forHelp, forValue escape what would end a line or a label.
var (
	forHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	forValue = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func (f family) begin(b []byte) []byte {
	b = append(b, "# HELP "+f.name+" "+forHelp.Replace(f.help)+"\n"...)
	return append(b, "# TYPE "+f.name+" "+f.kind+"\n"...)
}

// series appends one line; extra is a further label, and its value, where it is not empty.
func (f family) series(b []byte, suffix string, v values, extra, value string, n float64) []byte {
	b = append(b, f.name+suffix...)
	before := "{"
	label := func(name, value string) {
		b = append(b, before+name+`="`+forValue.Replace(strings.ToValidUTF8(value, "\uFFFD"))+`"`...)
		before = ","
	}
	for i, name := range f.labels {
		label(name, v[i])
	}
	if extra != "" {
		label(extra, value)
	}
	if before == "," {
		b = append(b, '}')
	}
	return append(append(append(b, ' '), number(n)...), '\n')
}

func number(n float64) string {
	switch {
	case math.IsInf(n, 1):
		return "+Inf"
	case n == math.Trunc(n) && math.Abs(n) < 1<<53:
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

func inOrder(a, b values) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }

// counter only grows, once for each set of values.
type counter struct {
	family
	mu sync.Mutex
	n  map[values]uint64
}

func newCounter(name, help string, labels ...string) *counter {
	c := &counter{family: family{name, help, "counter", labels}, n: map[values]uint64{}}
	if len(labels) == 0 {
		c.n[values{}] = 0
	}
	return c
}

func (c *counter) add(labels ...string) {
	v := valuesOf(labels)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[v]++
}

func (c *counter) appendTo(b []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.n) > 0 {
		b = c.begin(b)
	}
	for _, v := range slices.SortedFunc(maps.Keys(c.n), inOrder) {
		b = c.series(b, "", v, "", "", float64(c.n[v]))
	}
	return b
}

// histogram counts what is at most each of its bounds.
type histogram struct {
	family
	bounds []float64
	mu     sync.Mutex
	seen   map[values]*distribution
}

type distribution struct {
	counts []uint64 // between one bound and the next, and above the last
	sum    float64
}

func newHistogram(name, help string, bounds []float64, labels ...string) *histogram {
	h := &histogram{family: family{name, help, "histogram", labels}, bounds: bounds, seen: map[values]*distribution{}}
	if len(labels) == 0 {
		h.of(values{})
	}
	return h
}

func (h *histogram) of(v values) *distribution {
	d := h.seen[v]
	if d == nil {
		d = &distribution{counts: make([]uint64, len(h.bounds)+1)}
		h.seen[v] = d
	}
	return d
}

func (h *histogram) observe(n float64, labels ...string) {
	v := valuesOf(labels)
	i, _ := slices.BinarySearch(h.bounds, n)
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.of(v)
	d.counts[i]++
	d.sum += n
}

func (h *histogram) appendTo(b []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seen) > 0 {
		b = h.begin(b)
	}
	for _, v := range slices.SortedFunc(maps.Keys(h.seen), inOrder) {
		d, n := h.seen[v], uint64(0)
		for i, count := range d.counts {
			bound := math.Inf(1)
			if i < len(h.bounds) {
				bound = h.bounds[i]
			}
			n += count
			b = h.series(b, "_bucket", v, "le", number(bound), float64(n))
		}
		b = h.series(b, "_sum", v, "", "", d.sum)
		b = h.series(b, "_count", v, "", "", float64(n))
	}
	return b
}

// gauge is asked for its value.
type gauge struct {
	family
	value func() float64
}

func (g gauge) appendTo(b []byte) []byte {
	return g.series(g.begin(b), "", values{}, "", "", g.value())
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case m.readers <- struct{}{}:
			defer func() { <-m.readers }()
		default:
			http.Error(w, "The metrics are being read by too many at once. Try again in a moment.", http.StatusServiceUnavailable)
			return
		}
		var text []byte
		for _, one := range m.metrics {
			text = one.appendTo(text)
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Header().Set("Vary", "Accept-Encoding")
		if !takesGzip(r) {
			w.Write(text)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if _, err := z.Write(text); err == nil {
			_ = z.Close() // either fails where whoever reads has gone
		}
	})
}

// takesGzip reports whether r's sender reads gzip.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}
