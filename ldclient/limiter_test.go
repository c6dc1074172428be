package ldclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// windows answers within LaunchDarkly's rate limits, in windows of ten seconds.
type windows struct {
	limit, route int // 0 for none
	skew         time.Duration
	latency      time.Duration

	mu       sync.Mutex
	ends     time.Time
	used     int
	routes   map[string]int
	seen     []string
	at       []time.Time
	refused  int
	inFlight int
	most     int
}

func (w *windows) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.inFlight++
	w.most = max(w.most, w.inFlight)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.inFlight--
	}()
	select {
	case <-time.After(w.latency / 2):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	w.mu.Lock()
	now := time.Now()
	if !now.Before(w.ends) {
		w.ends, w.used, w.routes = now.Add(10*time.Second), 0, map[string]int{}
	}
	parts := strings.Split(r.URL.Path, "/")
	w.used++
	w.routes[parts[3]]++
	w.seen, w.at = append(w.seen, parts[len(parts)-1]), append(w.at, now)
	headers := []string{"Date", now.Add(w.skew).UTC().Format(http.TimeFormat), "X-Ratelimit-Reset", fmt.Sprint(w.ends.Add(w.skew).UnixMilli())}
	refuse := false
	for name, c := range map[string][2]int{"Global": {w.limit, w.used}, "Route": {w.route, w.routes[parts[3]]}} {
		if c[0] > 0 {
			headers = append(headers, "X-Ratelimit-"+name+"-Limit", fmt.Sprint(c[0]), "X-Ratelimit-"+name+"-Remaining", fmt.Sprint(max(c[0]-c[1], 0)))
			refuse = refuse || c[1] > c[0]
		}
	}
	if refuse {
		w.refused++
	}
	w.mu.Unlock()
	time.Sleep(w.latency / 2)
	if refuse {
		return answer(429, `{"code":"rate_limited","message":"slow down"}`, headers...)(r)
	}
	return answer(200, `{"key":"f","_id":"m","environments":{"e":{"on":true}}}`, headers...)(r)
}

// run reads n flags at once for a caller, each of its own name.
func run(t *testing.T, wg *sync.WaitGroup, c *ldclient.Client, caller string, n int) {
	for i := range n {
		wg.Go(func() {
			if _, err := c.Flags.Get(ldclient.WithCaller(t.Context(), caller), "p", "e", caller+strconv.Itoa(i)); err != nil {
				t.Errorf("%s: %v", caller, err)
			}
		})
	}
}

// TestWindows: however many ask at once and whatever the clocks show, no window
// is exceeded, none goes unused, and nobody rushes when one begins.
func TestWindows(t *testing.T) {
	for _, skew := range []time.Duration{0, 1, 700 * time.Millisecond, -700 * time.Millisecond, 3 * time.Second, -3 * time.Second, time.Hour, -time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit := 10
				if skew == 1 { // not worth a name
					limit = 3
				}
				w := &windows{limit: limit, skew: skew, latency: 60 * time.Millisecond}
				c := newClient(t, w)
				var wg sync.WaitGroup
				run(t, &wg, c, "first", 1)
				wg.Wait()
				start := time.Now()
				n := 5*limit - 2
				for i := range n {
					run(t, &wg, c, fmt.Sprintf("caller%d-%d-", i%8, i), 1)
				}
				wg.Wait()
				if w.refused > 8 || skew <= 1 && skew >= 0 && w.refused > 0 {
					t.Errorf("%d requests were refused", w.refused)
				}
				if took := time.Since(start); took > 52*time.Second {
					t.Errorf("%d requests at %d a window took %v", n, limit, took)
				}
				if w.most > 6 {
					t.Errorf("%d requests at once", w.most)
				}
				for i := 1; i < len(w.at); i++ {
					if w.at[i].Sub(w.at[i-1]) > 3*time.Second && i+1 < len(w.at) && w.at[i+1].Sub(w.at[i]) < 50*time.Millisecond {
						t.Errorf("two requests went out at once when a window began, %v after the last: %v", w.at[i].Sub(w.at[i-1]), w.at[i+1].Sub(w.at[i]))
					}
				}
			})
		})
	}
}

// TestTurns: a caller that asks for little does not wait behind one that asks for much.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{limit: 20, latency: 20 * time.Millisecond}
		c := newClient(t, w)
		var wg sync.WaitGroup
		run(t, &wg, c, "much", 100)
		synctest.Wait()
		run(t, &wg, c, "little", 5)
		run(t, &wg, c, "few", 5)
		wg.Wait()
		last := 0
		for i, name := range w.seen {
			if !strings.HasPrefix(name, "much") {
				last = i
			}
		}
		if last > 6+3*5+3 {
			t.Errorf("the last request of the small callers was number %d of %d", last, len(w.seen))
		}
		var order []string
		for _, name := range w.seen {
			if n, ok := strings.CutPrefix(name, "little"); ok {
				order = append(order, n)
			}
		}
		if len(order) != 5 {
			t.Errorf("%d requests", len(order))
		}
	})
}

// TestFirstComeFirstServed: the requests of one caller go out in their order.
func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{limit: 12, latency: 10 * time.Millisecond}
		c := newClient(t, w)
		var wg sync.WaitGroup
		for i := range 40 {
			name := fmt.Sprint(i)
			wg.Go(func() {
				if _, err := c.Flags.Get(t.Context(), "p", "e", name); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		for at, name := range w.seen { // six that are under way may overtake each other
			if n, _ := strconv.Atoi(name); n > at+6 || n < at-6 {
				t.Errorf("%s came as number %d", name, at)
			}
		}
	})
}

// TestSpread: the last quarter of a window is spread over the rest of it.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{limit: 40, latency: 2 * time.Millisecond}
		c := newClient(t, w)
		var wg sync.WaitGroup
		run(t, &wg, c, "x", 40)
		wg.Wait()
		if early := w.at[30].Sub(w.at[0]); early > time.Second {
			t.Errorf("the first thirty took %v", early)
		}
		for i := 34; i < 40; i++ {
			if gap := w.at[i].Sub(w.at[i-1]); gap < 500*time.Millisecond {
				t.Errorf("request %d went out %v after the one before", i, gap)
			}
		}
		if w.refused > 0 || w.at[39].Sub(w.at[0]) > 11*time.Second {
			t.Errorf("%d refused, %v in all", w.refused, w.at[39].Sub(w.at[0]))
		}
	})
}

// TestRoutes: a route that is used up holds up its own requests alone, those of the same caller too.
func TestRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{route: 5, latency: 20 * time.Millisecond}
		c := newClient(t, w)
		var wg sync.WaitGroup
		run(t, &wg, c, "x", 1)
		wg.Wait()
		run(t, &wg, c, "x", 12)
		synctest.Wait()
		start := time.Now()
		if _, err := c.Members.Get(ldclient.WithCaller(t.Context(), "x"), "m"); err != nil || time.Since(start) > 200*time.Millisecond {
			t.Errorf("another route took %v: %v", time.Since(start), err)
		}
		wg.Wait()
		if w.refused > 0 {
			t.Errorf("%d requests were refused", w.refused)
		}
		if took := time.Since(start); took > 25*time.Second {
			t.Errorf("13 requests at five a window took %v", took)
		}
	})
}

// TestWaitingEnds: who is cancelled while waiting leaves no trace, and the place goes to the next.
func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{limit: 3, latency: 10 * time.Millisecond}
		c := newClient(t, w)
		var wg sync.WaitGroup
		run(t, &wg, c, "x", 3)
		wg.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for i := range 30 {
			wg.Go(func() {
				start := time.Now()
				var err error
				if i%2 == 0 {
					_, err = c.Flags.Get(ctx, "p", "e", fmt.Sprint("gone", i))
				} else {
					_, err = c.Flags.Patch(ctx, "p", "e", fmt.Sprint("gone", i), ldclient.Patch{})
				}
				var lost *ldclient.TransportError
				if err == nil || time.Since(start) != 2*time.Second || errors.As(err, &lost) && lost.Unsure {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			})
		}
		wg.Wait()
		if len(w.seen) != 3 {
			t.Errorf("%d requests went out", len(w.seen))
		}
		run(t, &wg, c, "y", 3)
		wg.Wait()
		if len(w.seen) != 6 || w.refused > 0 {
			t.Errorf("%d requests went out, %d refused", len(w.seen), w.refused)
		}
	})
}

// TestPause: a 429 that does not say which limit was met holds up everything.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []func(*http.Request) (*http.Response, error){answer(429, `{}`, "Retry-After", "4"), answer(200, flagBody), answer(200, flagBody)}}
		c := newClient(t, w)
		var wg sync.WaitGroup
		run(t, &wg, c, "a", 1)
		synctest.Wait()
		run(t, &wg, c, "b", 1)
		wg.Wait()
		for i := range 2 {
			if early := 4*time.Second - w.at[i+1].Sub(w.at[0]); early > 0 {
				t.Errorf("request %d went out %v early", i+1, early)
			}
		}
	})
}

// TestUnsure: a write counts as perhaps made once it was sent, and not any more when LaunchDarkly refused it for its rate.
func TestUnsure(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		unsure bool
	}{
		"connection lost": {broken, true},
		"cut short":       {answer(200, `{"key":"f"`), true},
		"refused":         {answer(429, `{}`, "Retry-After", "9"), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(5*time.Second, cancel)
				err := patchFlag(ctx, newClient(t, &wire{answers: []func(*http.Request) (*http.Response, error){test.answer}}))
				var lost *ldclient.TransportError
				if !errors.As(err, &lost) || lost.Unsure != test.unsure {
					t.Errorf("%+v", err)
				}
			})
		})
	}
}

// TestOddHeaders: whatever the headers say, each request ends, and no more than six are under way.
func TestOddHeaders(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			inFlight, most := 0, 0
			value := func() string {
				switch r.IntN(7) {
				case 0:
					return fmt.Sprint(-r.IntN(100))
				case 1:
					return "x"
				case 2:
					return fmt.Sprint(time.Now().Add(time.Duration(r.IntN(40)-20) * time.Second).UnixMilli())
				}
				return fmt.Sprint(r.IntN(8))
			}
			instant := func() string {
				if r.IntN(5) == 0 {
					return value()
				}
				return fmt.Sprint(time.Now().Add(time.Duration(r.IntN(24)-8) * time.Second).UnixMilli())
			}
			c := newClient(t, roundTrip(func(req *http.Request) (*http.Response, error) {
				mu.Lock()
				inFlight++
				most = max(most, inFlight)
				var headers []string
				for _, name := range []string{"Global", "Route", "Auth-Token"} {
					for _, what := range []string{"Limit", "Remaining"} {
						if r.IntN(4) > 0 {
							headers = append(headers, "X-Ratelimit-"+name+"-"+what, value())
						}
					}
				}
				for _, name := range []string{"X-Ratelimit-Reset", "X-Ratelimit-Auth-Token-Reset"} {
					if r.IntN(4) > 0 {
						headers = append(headers, name, instant())
					}
				}
				if r.IntN(3) == 0 {
					headers = append(headers, "Date", time.Now().Add(time.Duration(r.IntN(60)-30)*time.Second).UTC().Format(http.TimeFormat))
				}
				if r.IntN(6) == 0 {
					headers = append(headers, "Retry-After", value())
				}
				status := []int{200, 200, 200, 404, 429, 503}[r.IntN(6)]
				lost, latency := r.IntN(8) == 0, time.Duration(r.IntN(400))*time.Millisecond
				mu.Unlock()
				time.Sleep(latency)
				mu.Lock()
				inFlight--
				mu.Unlock()
				if lost {
					return nil, io.ErrUnexpectedEOF
				}
				return answer(status, flagBody, headers...)(req)
			}))
			var wg sync.WaitGroup
			start, own := time.Now(), rand.New(rand.NewPCG(seed, 2))
			for i := range 60 {
				ctx := ldclient.WithCaller(t.Context(), fmt.Sprint(i%5))
				late := time.Duration(own.IntN(3000)) * time.Millisecond
				writes := own.IntN(4) == 0
				wg.Go(func() {
					time.Sleep(late)
					ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
					defer cancel()
					if writes {
						_, _ = c.Flags.Patch(ctx, "p", "e", fmt.Sprint("f", i%3), ldclient.Patch{})
					} else {
						_, _ = c.Flags.Get(ctx, "p", "e", fmt.Sprint("f", i%20))
					}
				})
			}
			wg.Wait()
			if most > 6 {
				t.Errorf("seed %d: %d requests at once", seed, most)
			}
			if time.Since(start) > 95*time.Second {
				t.Errorf("seed %d: took %v", seed, time.Since(start))
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
