package ldclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

type freshKey struct{}

// Fresh returns a context under which every read is a request of its own. What
// decides about a write is read so: it is never older than the question.
func Fresh(ctx context.Context) context.Context {
	return context.WithValue(ctx, freshKey{}, true)
}

// readKey is what two reads must have in common to share a reply.
type readKey struct {
	root, path, query string
	beta              bool
	token             Token
}

// reads shares the replies to reads that are the same: those made at once, and,
// where Config.Cache allows it, those made within a few seconds.
type reads struct {
	mu      sync.Mutex
	flights map[readKey]*flight
	epoch   int // counts what made earlier replies old
	cache   cache
	most    int64 // bytes of one body
}

func newReads(ttl time.Duration, most int64) *reads {
	return &reads{flights: map[readKey]*flight{}, cache: cache{ttl: ttl, pages: map[readKey]page{}}, most: most}
}

// flight is one request that several callers may wait for. What follows done is
// set before that closes.
type flight struct {
	key       readKey
	epoch     int
	members   int
	until     time.Time // the latest deadline of a member
	unbounded bool      // one has none
	cancel    context.CancelFunc

	done     chan struct{}
	sent     time.Time
	resp     *http.Response
	err      error
	panicked string
	stream   bool   // the body is left for the only member to read
	body     []byte // else here it is
	failed   error  // why the body ends early
	small    bool   // the body may be kept
}

// deadline returns when the last member stops waiting.
func (r *reads) deadline(f *flight) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return f.until, !f.unbounded
}

// get answers a read from what is kept, from a request that is under way, or by
// a new one. The flight is for keep.
func (r *reads) get(ctx context.Context, key readKey, send func(context.Context, *flight) (*http.Response, error)) (*http.Response, *flight, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	if p, ok := r.cache.get(key, time.Now()); ok {
		r.mu.Unlock()
		return p.response(), nil, nil
	}
	f := r.flights[key]
	if f == nil {
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight{key: key, epoch: r.epoch, cancel: cancel, done: make(chan struct{})}
		r.flights[key] = f
		go r.fly(shared, f, send)
	}
	f.members++
	if deadline, ok := ctx.Deadline(); !ok {
		f.unbounded = true
	} else if deadline.After(f.until) {
		f.until = deadline
	}
	r.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		r.leave(f)
		return nil, nil, ctx.Err()
	}
	switch {
	case f.panicked != "":
		panic(f.panicked) // in the goroutine of each caller, whose business it is
	case f.err != nil:
		return nil, nil, f.err
	case f.stream:
		f.resp.Body = &streamed{ReadCloser: f.resp.Body, ctx: ctx, stop: context.AfterFunc(ctx, f.cancel), end: f.cancel}
		return f.resp, nil, nil
	}
	resp := *f.resp
	resp.Body = &replay{Reader: bytes.NewReader(f.body), failed: f.failed}
	return &resp, f, nil
}

// fly makes the request of a flight. The body is read here only if there is
// somebody to share it with, or if it may be kept.
func (r *reads) fly(ctx context.Context, f *flight, send func(context.Context, *flight) (*http.Response, error)) {
	defer func() {
		if p := recover(); p != nil {
			f.panicked = fmt.Sprintf("%v\n\n%s", p, debug.Stack())
			r.land(f)
		}
	}()
	if f.resp, f.err = send(ctx, f); f.err != nil { //nolint:bodyclose // closed below, or by the member who reads it
		r.land(f)
		return
	}
	body := f.resp.Body
	if r.cache.ttl > 0 && f.resp.StatusCode == http.StatusOK && f.key.lasting() {
		f.body, f.failed = io.ReadAll(io.LimitReader(body, maxPage+1))
		f.small = f.failed == nil && len(f.body) <= maxPage
	}
	if !f.small && f.failed == nil {
		if r.handOver(f) {
			return
		}
		rest, err := io.ReadAll(io.LimitReader(body, r.most-int64(len(f.body))))
		f.body, f.failed = append(f.body, rest...), err
	}
	body.Close()
	r.land(f)
}

// handOver leaves the body to the only member, if nobody else wants it.
func (r *reads) handOver(f *flight) bool {
	r.mu.Lock()
	if f.members > 1 {
		r.mu.Unlock()
		return false
	}
	if len(f.body) > 0 {
		f.resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(f.body), f.resp.Body), f.resp.Body}
		f.body = nil
	}
	f.stream = true
	r.remove(f)
	close(f.done)
	r.mu.Unlock()
	return true
}

func (r *reads) land(f *flight) {
	r.mu.Lock()
	r.remove(f)
	close(f.done)
	r.mu.Unlock()
	f.cancel()
}

func (r *reads) remove(f *flight) {
	if r.flights[f.key] == f {
		delete(r.flights, f.key)
	}
}

// leave takes one member off a flight. The last one ends the request, and does not go before it has ended.
func (r *reads) leave(f *flight) {
	r.mu.Lock()
	f.members--
	gone := f.members == 0
	if gone {
		r.remove(f)
	}
	r.mu.Unlock()
	if !gone {
		return
	}
	f.cancel()
	<-f.done
	if f.stream {
		f.resp.Body.Close()
	}
}

// keep stores a reply that turned out to be good, unless something was written since it was asked for.
func (r *reads) keep(f *flight) {
	if !f.small {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.epoch == r.epoch {
		r.cache.put(f.key, page{f.resp.StatusCode, f.resp.Header.Get("Content-Type"), f.body, f.sent.Add(r.cache.ttl)}, r.sweep)
	}
}

func (r *reads) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache.sweep(time.Now())
}

// forget makes all replies old: those that are kept, and those to come of requests under way.
func (r *reads) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	clear(r.flights)
	r.cache.clear()
}

// overtake makes replies old that may be older than a fresh one.
func (r *reads) overtake(key readKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	delete(r.flights, key)
	r.cache.remove(key)
}

// streamed is a body that its only reader gets as it comes. Its request ends with its reader.
type streamed struct {
	io.ReadCloser
	ctx  context.Context
	stop func() bool
	end  context.CancelFunc
}

func (s *streamed) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && s.ctx.Err() != nil {
		err = s.ctx.Err() // the reader's own reason, rather than the request's
	}
	return n, err
}

func (s *streamed) Close() error {
	err := s.ReadCloser.Close()
	s.stop()
	s.end()
	return err
}

// replay is a body that was read before, with the error that it ended in.
type replay struct {
	*bytes.Reader
	failed error
}

func (r *replay) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && r.failed != nil {
		err = r.failed
	}
	return n, err
}

func (*replay) Close() error { return nil }
