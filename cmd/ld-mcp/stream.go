package main

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// stream is a reply that may be an event stream. When nothing has been written
// to one for a while it writes an SSE comment, which clients pass over but
// which keeps those in between from closing the connection.
type stream struct {
	http.ResponseWriter
	conn     *http.ResponseController
	interval time.Duration

	mu    sync.Mutex
	begun bool
	ended bool
	beat  *time.Timer // nil unless this is an event stream
}

func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *stream) WriteHeader(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(code)
}

func (s *stream) begin(code int) {
	if s.begun {
		return
	}
	s.begun = true
	h := s.Header()
	h.Del("Access-Control-Allow-Origin") // mcp-go lets every web page read an SSE stream
	if strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") {
		h.Set("X-Accel-Buffering", "no")
		s.beat = time.AfterFunc(s.interval, s.ping)
	}
	s.extend()
	s.ResponseWriter.WriteHeader(code)
}

// extend gives the client time to take what is written next.
func (s *stream) extend() { s.conn.SetWriteDeadline(time.Now().Add(ioTimeout)) }

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(http.StatusOK)
	s.extend()
	if s.beat != nil {
		s.beat.Reset(s.interval)
	}
	return s.ResponseWriter.Write(p)
}

func (s *stream) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(http.StatusOK)
	s.conn.Flush()
}

func (s *stream) ping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.extend()
	if _, err := s.ResponseWriter.Write([]byte(": ping\n\n")); err != nil || s.conn.Flush() != nil {
		return // the client is gone, and the request's context ends
	}
	s.beat.Reset(s.interval)
}

// end stops the heartbeat. Afterwards nothing touches the connection.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.beat != nil {
		s.beat.Stop()
	}
}
