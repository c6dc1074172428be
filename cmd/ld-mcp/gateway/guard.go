package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/semaphore"
)

// hosts are the names that the service answers to, and whom it believes.
type hosts struct {
	names, origins []string
	proxies        []netip.Prefix
}

func hostsOf(cfg Config) (hosts, string, error) {
	h := hosts{proxies: cfg.Proxies}
	base := ""
	if cfg.PublicURL != "" {
		u, err := url.Parse(cfg.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return h, "", fmt.Errorf("%q is not the address of a service; write it like https://mcp.example.com/launchdarkly", cfg.PublicURL)
		}
		if base = strings.TrimRight(u.EscapedPath(), "/"); base != "" && (path.Clean(base) != base || strings.ContainsAny(base, "{}")) {
			return h, "", fmt.Errorf("the path of %q is not a plain one; write it like https://mcp.example.com/launchdarkly", cfg.PublicURL)
		}
		h.names = append(h.names, strings.ToLower(u.Hostname()))
		h.origins = append(h.origins, strings.ToLower(u.Scheme+"://"+u.Host))
	}
	for _, name := range cfg.Hosts {
		if name == "" || strings.ContainsAny(name, "/*") {
			return h, "", fmt.Errorf("%q is not a host name; write it like mcp.example.com", name)
		}
		h.names = append(h.names, strings.ToLower(hostname(name)))
	}
	for _, origin := range cfg.Origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || strings.Trim(u.Path, "/") != "" || strings.Contains(origin, "*") {
			return h, "", fmt.Errorf("%q is not an origin; write it like https://app.example.com", origin)
		}
		h.origins = append(h.origins, strings.ToLower(u.Scheme+"://"+u.Host))
	}
	return h, base, nil
}

// hostname is the host of a Host header, without port and brackets.
func hostname(header string) string { return (&url.URL{Host: header}).Hostname() }

// IsLoopback reports whether a host names this machine alone.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// LocalOnly is the guard of a service that only this machine may use.
func LocalOnly(h http.Handler) http.Handler { return hosts{}.guard(h) }

// guard refuses what a web page elsewhere could have sent: requests whose Host
// is not the service's, and those with an Origin that is not allowed.
func (h hosts) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.knows(r) {
			http.Error(w, "The Host header names another server. Use the address that this one was told to answer to.", http.StatusForbidden)
			return
		}
		for _, origin := range r.Header.Values("Origin") {
			u, err := url.Parse(origin)
			local := err == nil && (u.Scheme == "http" || u.Scheme == "https") && IsLoopback(u.Hostname())
			if !local && !slices.Contains(h.origins, strings.ToLower(origin)) {
				http.Error(w, "Requests from other web sites are refused.", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// knows reports whether a request is meant for this service. An address that
// the connection really came in at is fine too: only names can be rebound.
func (h hosts) knows(r *http.Request) bool {
	host := r.Host
	if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" && h.trusts(r) {
		host = forwarded[strings.LastIndex(forwarded, ",")+1:] // what the proxy nearest to us says
	}
	name := strings.ToLower(hostname(strings.TrimSpace(host)))
	if IsLoopback(name) || slices.Contains(h.names, name) {
		return true
	}
	at, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if at == nil {
		return false
	}
	own, err1 := netip.ParseAddrPort(at.String())
	asked, err2 := netip.ParseAddr(name)
	return err1 == nil && err2 == nil && own.Addr().Unmap() == asked.Unmap()
}

// trusts reports whether a request comes from a proxy whose headers count.
func (h hosts) trusts(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(h.proxies, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}

// client is the address that a request comes from: the last one in
// X-Forwarded-For that is not a trusted proxy itself.
func (h hosts) client(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	at := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		if !slices.ContainsFunc(h.proxies, func(p netip.Prefix) bool { return p.Contains(at) }) {
			break
		}
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		at = hop.Unmap()
	}
	return at.String()
}

type bodyKey struct{}

func bodyOf(r *http.Request) []byte {
	b, _ := r.Context().Value(bodyKey{}).([]byte)
	return b
}

// bodies bounds the bytes that requests in progress hold.
type bodies struct{ held *semaphore.Weighted }

// read reads the body before h is called, and refuses one that is not JSON or too large.
func (b bodies) read(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
			http.Error(w, "The Content-Type must be application/json.", http.StatusUnsupportedMediaType)
			return
		}
		tooLarge := fmt.Sprintf("The body must not be larger than %d bytes.", maxRequest)
		if r.ContentLength > maxRequest {
			http.Error(w, tooLarge, http.StatusRequestEntityTooLarge)
			return
		}
		size := r.ContentLength
		if size < 0 {
			size = maxRequest
		}
		if !b.held.TryAcquire(size) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "Too much is being sent at once; try again.", http.StatusServiceUnavailable)
			return
		}
		defer b.held.Release(size)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest)) // within the server's own read timeout
		var over *http.MaxBytesError
		switch {
		case errors.As(err, &over):
			http.Error(w, tooLarge, http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "The body could not be read.", http.StatusBadRequest)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

// openEnded guards a reply that lasts as long as its client wants.
func openEnded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet { // HEAD comes here too, and would wait for a stream that it cannot see
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "This is an event stream; use GET.", http.StatusMethodNotAllowed)
			return
		}
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxRequest)); err != nil { // a GET needs none
			http.Error(w, "The body could not be read.", http.StatusBadRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// sentence makes an error into one.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
