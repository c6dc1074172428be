package gateway

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

func newStream(w http.ResponseWriter, interval time.Duration) *stream {
	s := &stream{ResponseWriter: w, conn: http.NewResponseController(w), interval: interval}
	s.conn.SetWriteDeadline(time.Time{}) // a call may take longer than the server's own
	return s
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
	s.ResponseWriter.WriteHeader(code)
}

// within gives the client time to take what op writes. There is no deadline in
// between, since one that has passed cannot be extended.
func (s *stream) within(op func() error) error {
	s.conn.SetWriteDeadline(time.Now().Add(ioTimeout))
	defer s.conn.SetWriteDeadline(time.Time{})
	return op()
}

func (s *stream) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(http.StatusOK)
	if s.beat != nil {
		s.beat.Reset(s.interval)
	}
	err = s.within(func() error {
		n, err = s.ResponseWriter.Write(p)
		return err
	})
	return n, err
}

func (s *stream) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(http.StatusOK)
	_ = s.within(s.conn.Flush) // a client that is gone ends the request by its context
}

func (s *stream) ping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	err := s.within(func() error {
		if _, err := s.ResponseWriter.Write([]byte(": ping\n\n")); err != nil {
			return err
		}
		return s.conn.Flush()
	})
	if err == nil { // else the client is gone, and the request's context ends
		s.beat.Reset(s.interval)
	}
}

// end stops the heartbeat and leaves the server time to write the rest. Afterwards nothing here touches the connection.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.beat != nil {
		s.beat.Stop()
	}
	s.conn.SetWriteDeadline(time.Now().Add(ioTimeout))
}
