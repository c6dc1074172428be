package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ld-mcp/ld-mcp/internal/written"
)

// site is two replicas behind nginx, on one made-up account.
type site struct {
	dir, bin string
	account  string // address of the sandbox
	slow     string // the same, as far away as LaunchDarkly, so that a kill meets calls in progress
	url      string // of nginx
	keys     []string
	replicas []*replica
	others   []*exec.Cmd
	http     *http.Client
	far      far
}

// far is what stands between the replicas and the sandbox.
type far struct {
	server *http.Server
	under  atomic.Int64 // requests under way
}

type replica struct {
	name, addr string
	cmd        *exec.Cmd
	log        *os.File
}

const token = "api-sandbox"

func newSite(ctx context.Context, bin, conf, dir string) (*site, error) {
	s := &site{dir: dir, bin: bin, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 400}}}
	if err := s.startSandbox(ctx); err != nil {
		return s, err
	}
	if err := s.startDistance(); err != nil {
		return s, err
	}
	var lines []string
	for i := range callers {
		got, err := exec.CommandContext(ctx, bin, "key", fmt.Sprintf("team-%d", i)).Output()
		if err != nil {
			return s, fmt.Errorf("ld-mcp key: %w", err)
		}
		key, line, _ := strings.Cut(strings.TrimSpace(string(got)), "\n")
		s.keys, lines = append(s.keys, key), append(lines, line)
	}
	seal := make([]byte, 32)
	rand.Read(seal)
	for name, text := range map[string]string{"auth-keys": strings.Join(lines, "\n"), "seal-key": hex.EncodeToString(seal), "token": token} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			return s, err
		}
	}
	for _, name := range []string{"a", "b"} {
		addr, err := freeAddr()
		if err != nil {
			return s, err
		}
		file, err := os.Create(filepath.Join(dir, name+".log"))
		if err != nil {
			return s, err
		}
		r := &replica{name: name, addr: addr, log: file}
		s.replicas = append(s.replicas, r)
		if err := s.startReplica(ctx, r); err != nil {
			return s, err
		}
	}
	return s, s.startNginx(ctx, conf)
}

func (s *site) startSandbox(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.bin, "sandbox")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.others = append(s.others, cmd)
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), " account is at "); ok {
			s.account, _, _ = strings.Cut(rest, " ")
			go io.Copy(io.Discard, pipe)
			return nil
		}
	}
	return errors.New("the sandbox did not say where it is")
}

const distance = 10 * time.Millisecond

func (s *site) startDistance() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.slow = "http://" + ln.Addr().String()
	s.far.server = &http.Server{Handler: http.HandlerFunc(s.pass), ReadHeaderTimeout: time.Minute}
	go s.far.server.Serve(ln)
	return nil
}

// pass hands a request on to the sandbox. What was sent arrives, whoever is gone meanwhile.
func (s *site) pass(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.far.under.Add(1)
	defer s.far.under.Add(-1)
	time.Sleep(distance)
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, s.account+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	req.Header = r.Header.Clone()
	resp, err := s.http.Do(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	for name, values := range resp.Header {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(resp.StatusCode)
	w.Write(text)
}

func (s *site) startReplica(ctx context.Context, r *replica) error {
	r.cmd = exec.Command(s.bin, "serve", "--http", r.addr, "--auth", "bearer", "--auth-keys-file", s.dir+"/auth-keys", "--key-file", s.dir+"/seal-key",
		"--replica", r.name, "--trusted-proxies", "127.0.0.1", "--base-url", s.slow, "--log-level", "warn", "--log-format", "json")
	r.cmd.Env = append(os.Environ(), "LAUNCHDARKLY_ACCESS_TOKEN_FILE="+s.dir+"/token")
	r.cmd.Stderr = r.log
	if err := r.cmd.Start(); err != nil {
		return err
	}
	return s.ready(ctx, "http://"+r.addr+"/readyz", http.StatusOK)
}

// busy waits for a moment in which calls are in progress.
func (s *site) busy(ctx context.Context) {
	for range 2000 {
		if s.far.under.Load() >= 4 || ctx.Err() != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// end sends a signal and waits until the replica is gone.
func (r *replica) end(signal os.Signal) error {
	if err := r.cmd.Process.Signal(signal); err != nil {
		return err
	}
	err := r.cmd.Wait()
	if signal == syscall.SIGKILL {
		err = nil
	}
	return err
}

// startNginx serves the documented configuration, with loopback addresses and without TLS.
func (s *site) startNginx(ctx context.Context, conf string) error {
	text, err := os.ReadFile(conf)
	if err != nil {
		return err
	}
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	site := string(text)
	for from, to := range map[string]string{
		"ld-mcp-a.internal:8080": s.replicas[0].addr, "ld-mcp-b.internal:8080": s.replicas[1].addr,
		"listen 443 ssl;": "listen " + addr + ";",
	} {
		if !strings.Contains(site, from) {
			return fmt.Errorf("%s does not hold %q any more", conf, from)
		}
		site = strings.ReplaceAll(site, from, to)
	}
	var kept []string
	for line := range strings.Lines(site) {
		if !strings.HasPrefix(strings.TrimSpace(line), "ssl_") {
			kept = append(kept, line)
		}
	}
	whole := `daemon off; worker_processes 1; pid DIR/nginx.pid; error_log DIR/nginx.log warn;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
` + strings.Join(kept, "") + "}\n"
	if os.Getuid() == 0 { // else its worker would be somebody who may not enter here
		whole = "user root;\n" + whole
	}
	file := filepath.Join(s.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(whole, "DIR", s.dir)), 0o600); err != nil {
		return err
	}
	cmd := exec.Command("nginx", "-c", file, "-e", filepath.Join(s.dir, "nginx.log"))
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("nginx: %w", err)
	}
	s.others = append(s.others, cmd)
	s.url = "http://" + addr
	return s.ready(ctx, s.url+"/mcp", http.StatusUnauthorized)
}

// ready waits until an address answers as it should.
func (s *site) ready(ctx context.Context, url string, want int) error {
	var last error
	for range 200 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := s.http.Do(req)
		if last = err; err == nil {
			resp.Body.Close()
			if resp.StatusCode == want {
				return nil
			}
			last = fmt.Errorf("it answers %s", resp.Status)
		}
		pause(ctx, 25*time.Millisecond)
	}
	return fmt.Errorf("%s: %w", url, last)
}

func (s *site) close() {
	if s.far.server != nil {
		s.far.server.Close()
	}
	for _, r := range s.replicas {
		if r.cmd != nil && r.cmd.Process != nil {
			_ = r.cmd.Process.Signal(syscall.SIGKILL) // it may be gone
			_ = r.cmd.Wait()
		}
		r.log.Close()
	}
	for _, cmd := range s.others {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
}

// logs is what the servers said, for when something went wrong.
func (s *site) logs() error {
	var all []error
	for _, name := range []string{"a.log", "b.log", "nginx.log"} {
		text, err := os.ReadFile(filepath.Join(s.dir, name))
		if err == nil && len(text) > 0 {
			lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
			all = append(all, fmt.Errorf("%s: %s", name, bytes.Join(lines[max(0, len(lines)-10):], []byte("\n"))))
		}
	}
	return errors.Join(all...)
}

// audit counts the account's audit entries by their comment.
func (s *site) audit(ctx context.Context) (map[string]int, error) {
	return written.Comments(func(path string) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.account+"/api/v2/"+path, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", token)
		req.Header.Set("LD-API-Version", "20240415")
		resp, err := s.http.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("the audit log: %s", resp.Status)
		}
		return text, err
	})
}

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}
