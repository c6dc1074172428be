package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Serve answers on ln until ctx ends, then lets calls in progress finish and ends the streams.
func (g *Gateway) Serve(ctx context.Context, ln net.Listener) error {
	return serveOn(ctx, ln, newServer(g, g.cfg.Limits.Connections, g.cfg.Log), g.drain, g.cfg.Log)
}

// Serve serves h on ln until ctx ends. Then drain must see to it that requests in progress end.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, drain func(), log *slog.Logger) error {
	return serveOn(ctx, ln, newServer(h, besideConnections, log), drain, log)
}

const besideConnections = 200 // of what few have reason to call

// newServer returns a server that bounds how long, and how often at once, a client may do nothing.
func newServer(h http.Handler, connections int, log *slog.Logger) *limitedServer {
	c := &crowd{most: connections}
	return &limitedServer{crowd: c, Server: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       ioTimeout, // also of a body that nobody wants; streams do without
		WriteTimeout:      ioTimeout, // streams have their own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnState:         c.changed,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),

		DisableGeneralOptionsHandler: true, // every request goes through the guard
	}}
}

type limitedServer struct {
	*http.Server
	crowd *crowd
}

func serveOn(ctx context.Context, ln net.Listener, srv *limitedServer, drain func(), log *slog.Logger) error {
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("the HTTP server stopped: %w", err)
	case <-ctx.Done():
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		drain()
		srv.crowd.leave() // Shutdown alone waits seconds for a client that says nothing
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Warn("calls in progress were cut off", "error", err)
		srv.Close()
	}
	<-drained
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		log.Warn("the HTTP server stopped", "error", err)
	}
	return nil
}

const shutdownWithin = 15 * time.Second

// TLS returns a configuration for a certificate in files, which are read again when they change.
func TLS(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{cert: certFile, key: keyFile, log: log}
	if _, err := c.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}, nil
}

type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	changed [2]time.Time
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var changed [2]time.Time
	for i, file := range []string{c.cert, c.key} {
		info, err := os.Stat(file)
		if err != nil {
			return c.keep(err)
		}
		changed[i] = info.ModTime()
	}
	if c.loaded != nil && changed == c.changed {
		return c.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return c.keep(err)
	}
	c.loaded, c.changed = &pair, changed
	return c.loaded, nil
}

// keep goes on with the certificate that was loaded before, since files are often replaced one after the other.
func (c *certificate) keep(err error) (*tls.Certificate, error) {
	if c.loaded == nil {
		return nil, fmt.Errorf("the TLS certificate cannot be loaded: %w", err)
	}
	c.log.Warn("the TLS certificate could not be loaded again, so the one before stays in use", "error", err)
	return c.loaded, nil
}
