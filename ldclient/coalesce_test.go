package ldclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// slow answers every request after a second, and counts them.
type slow struct {
	answer  func(*http.Request) (*http.Response, error)
	asked   atomic.Int32
	stopped atomic.Int32
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	select {
	case <-time.After(time.Second):
		return s.answer(r)
	case <-r.Context().Done():
		s.stopped.Add(1)
		return nil, r.Context().Err()
	}
}

// TestCoalesced: reads that are the same make one request, and share nothing that can be changed.
func TestCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{answer: answer(200, `{"key":"f","tags":["a"],"environments":{"e":{"on":true}}}`)}
		c := newClient(t, s)
		flags := make([]*ldclient.Flag, 20)
		var wg sync.WaitGroup
		for i := range flags {
			wg.Go(func() {
				client := c
				if i%2 > 0 {
					client = c.Narrow(true, ldclient.Scope{Projects: []string{"p"}})
				}
				f, err := client.Flags.Get(t.Context(), "p", "e", "f")
				if err != nil {
					t.Error(err)
					return
				}
				f.Tags[0] += fmt.Sprint(i)
				delete(f.Environments, "e")
				flags[i] = f
			})
		}
		wg.Wait()
		if s.asked.Load() != 1 {
			t.Errorf("%d requests", s.asked.Load())
		}
		for i, f := range flags {
			if f != nil && f.Tags[0] != "a"+fmt.Sprint(i) {
				t.Errorf("flag %d is shared: %v", i, f.Tags)
			}
		}
		other := newClient(t, s)
		for _, do := range []func() error{
			func() error { return getFlag(t.Context(), c) },
			func() error { return getFlag(t.Context(), other) }, // another token, as far as anybody knows
			func() error { return getFlag(ldclient.Fresh(t.Context()), c) },
			func() error { return getFlag(ldclient.Fresh(t.Context()), c) },
			func() error { _, err := c.Flags.Get(t.Context(), "p", "x", "f"); return err },
			func() error { _, err := c.Flags.Get(t.Context(), "q", "e", "f"); return err },
		} {
			wg.Go(func() {
				if err := do(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if s.asked.Load() != 7 {
			t.Errorf("%d requests for six different reads and one before", s.asked.Load())
		}
	})
}

// TestCoalescedCancel: a caller that leaves takes nobody along, and the last one ends the request.
func TestCoalescedCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{answer: answer(200, flagBody)}
		c := newClient(t, s)
		first, leave := context.WithCancel(t.Context())
		late, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for _, test := range []struct {
			ctx  context.Context
			want error
		}{{first, context.Canceled}, {late, context.DeadlineExceeded}, {t.Context(), nil}} {
			wg.Go(func() {
				if err := getFlag(test.ctx, c); !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
			})
			synctest.Wait()
		}
		time.Sleep(time.Second / 2)
		leave()
		wg.Wait()
		if s.asked.Load() != 1 || s.stopped.Load() != 0 {
			t.Errorf("%d requests, %d stopped", s.asked.Load(), s.stopped.Load())
		}
		all, end := context.WithCancel(t.Context())
		for range 3 {
			wg.Go(func() {
				if err := getFlag(all, c); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "cancelled") {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		end()
		wg.Wait()
		synctest.Wait()
		if s.asked.Load() != 2 || s.stopped.Load() != 1 {
			t.Errorf("%d requests, %d stopped", s.asked.Load(), s.stopped.Load())
		}
		if err := getFlag(t.Context(), c); err != nil || s.asked.Load() != 3 {
			t.Errorf("%d requests, %v", s.asked.Load(), err)
		}
	})
}

// body is a reply's body that comes in parts and tells when it is closed.
type body struct {
	io.Reader
	closed *atomic.Int32
}

func (b body) Close() error { b.closed.Add(1); return nil }

type untilCancel struct{ ctx context.Context }

func (u untilCancel) Read([]byte) (int, error) { <-u.ctx.Done(); return 0, u.ctx.Err() }

// TestStreamed: the body of a read that nobody shares is decoded as it comes,
// ends with its reader, and is closed.
func TestStreamed(t *testing.T) {
	for name, change := range map[string]func(*ldclient.Config){"without a cache": func(*ldclient.Config) {}, "with a cache, too large for it": cached} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var closed atomic.Int32
				parts := []string{flagBody}
				if name != "without a cache" {
					parts = []string{`{"description":"` + strings.Repeat("x", 300<<10), `","key":"f","environments":{"e":{"on":true}}}`}
				}
				cut := false
				c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
					resp, err := answer(200, "")(r)
					whole := strings.Join(parts, "")
					if cut {
						whole = whole[:len(whole)-1]
					}
					resp.Body = body{io.MultiReader(strings.NewReader(whole), untilCancel{r.Context()}), &closed}
					return resp, err
				}), change)
				if err := getFlag(t.Context(), c); err != nil { // a body that is read to its end would never come to one
					t.Error(err)
				}
				cut = true
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := getFlag(ctx, c); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "in time") {
					t.Error(err)
				}
				synctest.Wait()
				if closed.Load() != 2 {
					t.Errorf("%d of 2 bodies were closed", closed.Load())
				}
			})
		})
	}
}

// TestShared: what goes wrong with a shared read goes wrong for all, and is not kept.
func TestShared(t *testing.T) {
	large := `{"key":"f","description":"` + strings.Repeat("x", 300<<10) + `"}`
	for name, test := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		status int
		says   string
		again  int32 // requests of one more read
	}{
		"answer":       {answer(200, flagBody), 0, "", 0},
		"large answer": {answer(200, large), 0, "", 1},
		"not found":    {answer(404, `{"code":"not_found","message":"Unknown flag"}`), 404, "Unknown flag", 1},
		"no content":   {answer(204, ``), 0, "cut short", 1},
		"html":         {answer(200, `<html>`, "Content-Type", "text/html"), 0, "text/html", 1},
		"cut short":    {answer(200, `{"key":"f"`), 0, "cut short", 1},
		"nothing":      {answer(200, `{}`), 0, "holds no flag", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slow{answer: test.answer}
				c := newClient(t, s, cached)
				read := func() {
					err := getFlag(t.Context(), c)
					if ldclient.Status(err) != test.status || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
						t.Errorf("%v, want %d %s", err, test.status, test.says)
					}
				}
				var wg sync.WaitGroup
				for range 5 {
					wg.Go(read)
				}
				wg.Wait()
				if s.asked.Load() != 1 {
					t.Errorf("%d requests", s.asked.Load())
				}
				read()
				if got := s.asked.Load() - 1; got != test.again {
					t.Errorf("%d more requests, want %d", got, test.again)
				}
			})
		})
	}
}

// TestSharedPanic: a request that panics does so for those who wait for it, and holds no place.
func TestSharedPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, roundTrip(func(*http.Request) (*http.Response, error) { panic("oops") }))
		panics := func(do func() error) (text string) {
			defer func() { text = fmt.Sprint(recover()) }()
			return fmt.Sprint(do())
		}
		for range 10 {
			if got := panics(func() error { return getFlag(t.Context(), c) }); !strings.Contains(got, "oops") || !strings.Contains(got, "RoundTrip") {
				t.Errorf("a read: %s", got)
			}
			if got := panics(func() error { return patchFlag(t.Context(), c) }); got != "oops" {
				t.Errorf("a write: %s", got)
			}
		}
	})
}

// TestSharedDeadline: a request waits out the rate limit only while somebody has the time.
func TestSharedDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			if asked.Add(1) == 1 {
				return answer(429, `{"message":"slow down"}`, "Retry-After", "8")(r)
			}
			return answer(200, flagBody)(r)
		}))
		var wg sync.WaitGroup
		for _, patience := range []time.Duration{4 * time.Second, 30 * time.Second, 2 * time.Second} {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if err := getFlag(ctx, c); (err == nil) != (patience > 9*time.Second) {
					t.Errorf("with %v: %v", patience, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if asked.Load() != 2 {
			t.Errorf("%d requests", asked.Load())
		}
	})
}

// leaving is a body whose reader goes away while it is read.
type leaving struct {
	io.Reader
	leave func()
}

func (l leaving) Read(p []byte) (int, error) {
	l.leave()
	return l.Reader.Read(p)
}

// TestLeftBehind: a body that its reader does not wait for is closed.
func TestLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		ctx, cancel := context.WithCancel(t.Context())
		c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := answer(200, "")(r)
			resp.Body = body{leaving{strings.NewReader(strings.Repeat(" ", 300<<10)), func() { cancel(); time.Sleep(time.Second) }}, &closed}
			return resp, err
		}), cached)
		if err := getFlag(ctx, c); !errors.Is(err, context.Canceled) || closed.Load() != 1 {
			t.Errorf("closed %d times, %v", closed.Load(), err)
		}
	})
}
