package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// process is one ld-mcp that runs.
type process struct {
	name    string
	cmd     *exec.Cmd
	log     *os.File
	url     string // of the HTTP service
	metrics string
	keys    []string
	http    *http.Client // nil over stdio
	stdio   *peer
	input   io.Closer

	upstream *sandbox.Account

	samples []sample
	first   sample // in the first quiet phase
	last    sample
}

// sample is what a process holds at one moment.
type sample struct {
	at                                              time.Time
	goroutines, descriptors, threads, sessions, mib float64
}

func (s *soak) newProcess(name string, args ...string) (*process, error) {
	file, err := os.CreateTemp(s.dir, name+"-*.log")
	if err != nil {
		return nil, err
	}
	p := &process{name: name, log: file, upstream: s.upstream.account}
	p.cmd = exec.Command(s.bin, append([]string{"serve", "--base-url", s.upstream.url, "--timeout", "5s", "--toolsets", "all", "--log-level", "warn"}, args...)...)
	p.cmd.Env = append(os.Environ(), "LAUNCHDARKLY_ACCESS_TOKEN=api-sandbox", "GOTRACEBACK=all")
	p.cmd.Stderr = file
	return p, nil
}

func (s *soak) startStdio(context.Context) (*process, error) {
	p, err := s.newProcess("stdio")
	if err != nil {
		return nil, err
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	read, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.input = in
	p.stdio = newPeer(func(_ context.Context, m []byte) error {
		_, err := in.Write(append(m, '\n'))
		return err
	})
	go func() {
		lines := bufio.NewScanner(read)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			p.stdio.heard(lines.Bytes())
		}
		p.stdio.lost()
	}()
	return p, p.stdio.begin(context.Background())
}

func (s *soak) startBearer(ctx context.Context) (*process, error) {
	var keys, lines []string
	for i := range 3 {
		got, err := exec.CommandContext(ctx, s.bin, "key", fmt.Sprintf("team-%d", i)).Output()
		if err != nil {
			return nil, fmt.Errorf("ld-mcp key: %w", err)
		}
		key, line, _ := strings.Cut(strings.TrimSpace(string(got)), "\n")
		keys, lines = append(keys, key), append(lines, line)
	}
	file := filepath.Join(s.dir, "keys")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	return s.startHTTP(ctx, "bearer", keys, "--auth", "bearer", "--auth-keys-file", file)
}

func (s *soak) startOpen(ctx context.Context) (*process, error) {
	return s.startHTTP(ctx, "open", []string{""}, "--auth", "none")
}

func (s *soak) startHTTP(ctx context.Context, name string, keys []string, args ...string) (*process, error) {
	addrs := make([]string, 2)
	for i := range addrs {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		addrs[i] = ln.Addr().String()
		ln.Close()
	}
	p, err := s.newProcess(name, append(args, "--http", addrs[0], "--metrics-http", addrs[1])...)
	if err != nil {
		return nil, err
	}
	p.url, p.metrics, p.keys = "http://"+addrs[0], "http://"+addrs[1]+"/metrics", keys
	p.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		if _, err = p.gauges(ctx); err == nil {
			return p, nil
		}
		pause(ctx, 25*time.Millisecond)
	}
	return p, fmt.Errorf("%s does not serve: %w", name, err)
}

// gauges reads the metrics over a connection of its own, which is not there any more afterwards.
func (p *process) gauges(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.metrics, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil && !strings.HasPrefix(name, "#") {
			out[name] = n
		}
	}
	if _, ok := out["go_goroutines"]; !ok {
		return nil, errors.New("the metrics hold no go_goroutines")
	}
	return out, lines.Err()
}

// look samples the process.
func (p *process) look() (sample, error) {
	dir := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	out := sample{at: time.Now()}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return out, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseFloat(strings.Fields(value + " 0")[0], 64)
		switch name {
		case "Threads":
			out.threads = n
		case "RssAnon":
			out.mib = n / 1024
		}
	}
	open, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return out, err
	}
	out.descriptors = float64(len(open))
	if p.http != nil {
		g, err := p.gauges(context.Background())
		if err != nil {
			return out, err
		}
		out.goroutines, out.sessions = g["go_goroutines"], g["ld_mcp_sessions"]
	}
	return out, nil
}

// watch samples the process until ctx ends.
func (p *process) watch(ctx context.Context) {
	for ctx.Err() == nil {
		if x, err := p.look(); err == nil {
			p.samples = append(p.samples, x)
		}
		pause(ctx, 500*time.Millisecond)
	}
}

// settled is the least of what a few moments show: what looks at the process is seen too.
func (p *process) settled() sample {
	var out sample
	for n := range 5 {
		x, err := p.look()
		if err != nil {
			continue
		}
		if n == 0 || out.at.IsZero() {
			out = x
		}
		out.goroutines, out.descriptors, out.mib = min(out.goroutines, x.goroutines), min(out.descriptors, x.descriptors), min(out.mib, x.mib)
		time.Sleep(50 * time.Millisecond)
	}
	return out
}

// What a quiet phase may hold more than the one before: a connection that comes or goes.
const (
	spareGoroutines  = 3
	spareDescriptors = 1
)

// back waits until the process holds no more than in the first quiet phase.
func (p *process) back(ctx context.Context) error {
	for range 40 {
		p.last = p.settled()
		if p.last.goroutines <= p.first.goroutines+spareGoroutines && p.last.descriptors <= p.first.descriptors+spareDescriptors && p.last.sessions <= p.first.sessions {
			return nil
		}
		pause(ctx, 500*time.Millisecond)
	}
	return fmt.Errorf("%s does not come to rest: %.0f goroutines, %.0f descriptors and %.0f sessions, at first %.0f, %.0f and %.0f",
		p.name, p.last.goroutines, p.last.descriptors, p.last.sessions, p.first.goroutines, p.first.descriptors, p.first.sessions)
}

// judge prints what the process held, and looks for growth.
func (p *process) judge(out io.Writer, length time.Duration) error {
	if len(p.samples) < 20 {
		return fmt.Errorf("%s was seen only %d times", p.name, len(p.samples))
	}
	var most sample
	for _, x := range p.samples {
		most.goroutines, most.descriptors, most.threads = max(most.goroutines, x.goroutines), max(most.descriptors, x.descriptors), max(most.threads, x.threads)
		most.sessions, most.mib = max(most.sessions, x.sessions), max(most.mib, x.mib)
	}
	half := len(p.samples) / 2
	before, after := average(p.samples[:half]), average(p.samples[half:])
	grows := slope(p.samples[len(p.samples)/5:]) * length.Seconds() * 0.8
	triple := func(a, b, c float64) string { return fmt.Sprintf("%.0f…%.0f…%.0f", a, b, c) }
	sessions, goroutines := "-", "-" // nothing tells them over stdio
	if p.http != nil {
		sessions, goroutines = fmt.Sprintf("%.0f", most.sessions), triple(p.first.goroutines, most.goroutines, p.last.goroutines)
	}
	fmt.Fprintf(out, "%-9s %9s %17s %17s %17s %25s\n", p.name, sessions, goroutines,
		triple(p.first.descriptors, most.descriptors, p.last.descriptors), triple(p.first.threads, most.threads, p.last.threads),
		fmt.Sprintf("%.1f, %.1f; trend %+.1f", before, after, grows))
	// A collector that is asked at any moment shows a heap between once and twice what lives.
	if bound := max(4, before/10); after > before+bound || grows > 2*bound {
		return fmt.Errorf("the memory of %s grows: %.1f MiB in the first half and %.1f in the second, %.1f by the trend; %.1f are allowed", p.name, before, after, grows, bound)
	}
	return nil
}

func average(list []sample) float64 {
	sum := 0.0
	for _, x := range list {
		sum += x.mib
	}
	return sum / float64(len(list))
}

// slope is the linear trend of the memory, in MiB a second.
func slope(list []sample) float64 {
	var n, x, y, xx, xy float64
	for _, s := range list {
		t := s.at.Sub(list[0].at).Seconds()
		n, x, y, xx, xy = n+1, x+t, y+s.mib, xx+t*t, xy+t*s.mib
	}
	if d := n*xx - x*x; math.Abs(d) > 1e-9 {
		return (n*xy - x*y) / d
	}
	return 0
}

// end asks the process to end, which it must do soon and well; the stacks of one that does not are in its log.
func (p *process) end() error {
	if p.input != nil {
		p.input.Close()
	} else if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			err = fmt.Errorf("%s ended with %w", p.name, err)
		}
		text, _ := os.ReadFile(p.log.Name())
		if bytes.Contains(text, []byte("panicked")) || bytes.Contains(text, []byte("panic:")) {
			err = errors.Join(err, fmt.Errorf("%s panicked", p.name))
		}
		return err
	case <-time.After(15 * time.Second):
		p.kill()
		return fmt.Errorf("%s does not end", p.name)
	}
}

// kill lets the process write its stacks, and ends it.
func (p *process) kill() {
	if p.cmd.ProcessState == nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it may be gone
		_, _ = p.cmd.Process.Wait()
	}
	p.log.Close()
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
