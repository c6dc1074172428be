package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/tools"
)

const (
	maxRequest = 1 << 20          // bytes of a request's body
	maxStreams = 100              // event streams at once
	heartbeat  = 20 * time.Second // of an idle event stream; proxies and clients drop one after half a minute or more
	ioTimeout  = 30 * time.Second // to read one body, or to write one piece of a reply
	farewell   = 10 * time.Second // for calls in progress at shutdown
)

// serveMCP serves the tools over HTTP until ctx ends.
func (a *app) serveMCP(ctx context.Context, s *tools.Server) error {
	ln, err := listen(a.HTTP)
	if err != nil {
		return err
	}
	slog.SetDefault(a.log) // mcp-go logs some failures through package log
	g := newGateway(s.MCP(), a.log, heartbeat)
	a.log.Info("listening", "streamable", "http://"+ln.Addr().String()+"/mcp", "sse", "http://"+ln.Addr().String()+"/sse")
	return serveHTTP(ctx, ln, g, g.closeStreams, a.log)
}

// checkLoopback refuses an address that other machines could reach.
func checkLoopback(option, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil || port == "":
		return usagef("%s wants an address and a port, such as 127.0.0.1:8080, got %q", option, addr)
	case host == "":
		return usagef("%s %s would listen on every interface, and there is no inbound authentication: write 127.0.0.1%s, and put a proxy that authenticates in front if others need it", option, addr, addr)
	case !isLoopback(host):
		return usagef("%s %s could be reached from other machines, and there is no inbound authentication: use 127.0.0.1:%s, and put a proxy that authenticates in front if others need it", option, addr, port)
	}
	return nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func listen(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w. Choose another port, or end the program that uses it", err)
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		ln.Close()
		return nil, fmt.Errorf("%s is not a loopback address on this machine; use 127.0.0.1", addr)
	}
	return ln, nil
}

// serveHTTP serves h on ln until ctx ends, then ends the streams and waits for calls in progress.
func serveHTTP(ctx context.Context, ln net.Listener, h http.Handler, closeStreams func(), log *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      ioTimeout, // stream has its own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("the HTTP server stopped: %w", err)
	case <-ctx.Done():
	}
	closeStreams()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Warn("calls in progress were cut off", "error", err)
		srv.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		log.Warn("the HTTP server stopped", "error", err)
	}
	return nil
}

// gateway is the MCP server over HTTP: streamable HTTP without sessions at
// /mcp, and the older HTTP+SSE at /sse and /message.
type gateway struct {
	http.Handler
	heartbeat    time.Duration
	closing      context.Context // done when the streams shall end
	closeStreams context.CancelFunc
	streams      chan struct{} // one slot a stream
	sessions     sync.Map      // ids of the open /sse streams
}

type sessionKey struct{}

func newGateway(m *server.MCPServer, log *slog.Logger, beat time.Duration) *gateway {
	g := &gateway{heartbeat: beat, streams: make(chan struct{}, maxStreams)}
	g.closing, g.closeStreams = context.WithCancel(context.Background())
	// No GET on /mcp: without sessions a listening stream would belong to no one.
	streamable := server.NewStreamableHTTPServer(m, server.WithStateLess(true), server.WithDisableStreaming(true),
		server.WithStreamableHTTPLogger(log))
	// The endpoint that a client is told is a path alone, so no Host header can lead it elsewhere.
	sse := server.NewSSEServer(m, server.WithUseFullURLForMessageEndpoint(false),
		server.WithSessionIDGenerator(func(ctx context.Context, _ *http.Request) (string, error) {
			return ctx.Value(sessionKey{}).(string), nil
		}))
	mux := http.NewServeMux()
	mux.Handle("POST /mcp", jsonBody(g.streaming(streamable)))
	mux.Handle("GET /sse", g.streaming(g.session(sse.SSEHandler())))
	mux.Handle("POST /message", jsonBody(g.known(sse.MessageHandler())))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	g.Handler = localOnly(mux)
	return g
}

// localOnly refuses requests that a web page could have sent: those whose Host
// is not this machine, and those with an Origin from elsewhere.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if !isLoopback(host) {
			http.Error(w, "The Host header must name this machine, as 127.0.0.1 or localhost.", http.StatusForbidden)
			return
		}
		for _, origin := range r.Header.Values("Origin") {
			u, err := url.Parse(origin)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isLoopback(u.Hostname()) {
				http.Error(w, "Requests from other web sites are refused.", http.StatusForbidden)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// jsonBody reads the body before h is called, and refuses one that is not JSON or too large.
func jsonBody(h http.Handler) http.Handler {
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
		conn := http.NewResponseController(w)
		conn.SetReadDeadline(time.Now().Add(ioTimeout))
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		conn.SetReadDeadline(time.Time{})
		var over *http.MaxBytesError
		switch {
		case errors.As(err, &over):
			http.Error(w, tooLarge, http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "The body could not be read.", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

// streaming lets h answer with an event stream. Streams that last as long as
// their client wants end when the server closes.
func (g *gateway) streaming(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get(mcp.HeaderMethod) == string(mcp.MethodSubscriptionsListen) {
			select {
			case g.streams <- struct{}{}:
				defer func() { <-g.streams }()
			default:
				http.Error(w, "Too many event streams are open; close one first.", http.StatusServiceUnavailable)
				return
			}
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(g.closing, cancel)() //nolint:contextcheck // g.closing is the server's own end
			r = r.WithContext(ctx)
		}
		s := newStream(w, g.heartbeat)
		defer s.end()
		h.ServeHTTP(s, r)
	})
}

// session names the stream that h opens, so that known can tell it.
func (g *gateway) session(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		g.sessions.Store(id, nil)
		defer g.sessions.Delete(id)
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, id)))
	})
}

// known answers 404 for a session that is not open, which makes clients start a new one.
func (g *gateway) known(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := g.sessions.Load(r.URL.Query().Get("sessionId")); !ok {
			http.Error(w, "There is no such session; open a new one at /sse.", http.StatusNotFound)
			return
		}
		// With it mcp-go wants the other headers of streamable HTTP too, which clients leave out here.
		r.Header.Del(mcp.HeaderProtocolVersion)
		h.ServeHTTP(w, r)
	})
}
