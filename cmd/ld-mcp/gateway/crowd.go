package gateway

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// crowd bounds the connections of a server. When there are too many, the one
// that has been without a request for longest makes room, so that clients who
// open connections and say nothing keep nobody out.
type crowd struct {
	most int

	mu   sync.Mutex
	open map[net.Conn]time.Time // since when it has no request; zero while it has one
}

// changed is an http.Server's ConnState.
func (c *crowd) changed(conn net.Conn, state http.ConnState) {
	if tooMany := c.note(conn, state); tooMany != nil {
		hangUp(tooMany)
	}
}

// hangUp closes a connection without a farewell, which could wait for the client.
func hangUp(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close() // it may have ended by itself
}

// leave closes the connections that have no request.
func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, at := range c.open {
		if !at.IsZero() {
			hangUp(conn)
		}
	}
}

// note returns the connection to close, if one is too many.
func (c *crowd) note(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
		return nil
	case http.StateActive:
		if _, ok := c.open[conn]; ok { // else it was closed here
			c.open[conn] = time.Time{}
		}
		return nil
	case http.StateIdle:
		if _, ok := c.open[conn]; ok {
			c.open[conn] = time.Now()
		}
		return nil
	}
	if c.open == nil {
		c.open = map[net.Conn]time.Time{}
	}
	idlest, since := conn, time.Now()
	c.open[conn] = since
	if len(c.open) <= c.most {
		return nil
	}
	for other, at := range c.open {
		if !at.IsZero() && at.Before(since) {
			idlest, since = other, at
		}
	}
	delete(c.open, idlest)
	return idlest
}
