package ldclient_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

func cached(cfg *ldclient.Config) { cfg.Cache = 3 * time.Second }

// TestCache: what is kept, for how long, and what ends it.
func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			asked++
			return answer(200, `{"key":"f","_id":"m","id":"a","name":"x","items":[],"environments":{"e":{"on":true}}}`)(r)
		}), cached)
		narrow := c.Narrow(true, ldclient.Scope{Environments: []string{"e"}})
		get := func() error { return getFlag(t.Context(), c) }
		for i, step := range []struct {
			name string
			do   func() error
			want int // requests
		}{
			{"first", get, 1},
			{"again", get, 0},
			{"a narrower client", func() error { return getFlag(t.Context(), narrow) }, 0},
			{"fresh", func() error { return getFlag(ldclient.Fresh(t.Context()), c) }, 1},
			{"after a fresh one", get, 1},
			{"again", get, 0},
			{"after three seconds", func() error { time.Sleep(3 * time.Second); return get() }, 1},
			{"write", func() error { return patchFlag(t.Context(), c) }, 1},
			{"after a write", get, 1},
			{"dry run", func() error {
				_, err := c.Flags.Patch(t.Context(), "p", "e", "f", ldclient.Patch{DryRun: true})
				return err
			}, 1},
			{"after a dry run", get, 0},
			{"environments", func() error { _, err := c.Environments.List(t.Context(), "p", ldclient.Paging{}); return err }, 1},
			{"environments again", func() error { _, err := c.Environments.List(t.Context(), "p", ldclient.Paging{}); return err }, 0},
			{"environments, fresh", func() error {
				_, err := narrow.Environments.List(ldclient.Fresh(t.Context()), "p", ldclient.Paging{})
				return err
			}, 1},
			{"another page", func() error {
				_, err := c.Environments.List(t.Context(), "p", ldclient.Paging{Offset: 1})
				return err
			}, 1},
			{"another project's write", func() error { return c.Projects.Delete(t.Context(), "q") }, 1},
			{"after that", get, 1},
			{"status", func() error { _, err := c.Flags.Status(t.Context(), "p", "e", "f"); return err }, 1},
			{"status again", func() error { _, err := c.Flags.Status(t.Context(), "p", "e", "f"); return err }, 1},
			{"expiring targets", func() error { _, err := c.Flags.ExpiringTargets(t.Context(), "p", "e", "f"); return err }, 1},
			{"expiring targets again", func() error { _, err := c.Flags.ExpiringTargets(t.Context(), "p", "e", "f"); return err }, 1},
			{"approval", func() error { _, err := c.Approvals.Get(t.Context(), "p", "a"); return err }, 1},
			{"approval again", func() error { _, err := c.Approvals.Get(t.Context(), "p", "a"); return err }, 1},
			{"who am I", func() error { _, err := c.Identity.Me(t.Context()); return err }, 1},
			{"who am I again", func() error { _, err := c.Identity.Me(t.Context()); return err }, 1},
			{"member", func() error { _, err := c.Members.Get(t.Context(), "m"); return err }, 1},
			{"member again", func() error { _, err := c.Members.Get(t.Context(), "m"); return err }, 0},
		} {
			before := asked
			if err := step.do(); err != nil {
				t.Errorf("%d, %s: %v", i, step.name, err)
			}
			if got := asked - before; got != step.want {
				t.Errorf("%d, %s: %d requests, want %d", i, step.name, got, step.want)
			}
		}
		before := asked
		var scope *ldclient.ScopeError
		if err := getFlag(t.Context(), c.Narrow(false, ldclient.Scope{Environments: []string{"x"}})); !errors.As(err, &scope) || asked != before {
			t.Errorf("a kept reply reached beyond the scope: %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := getFlag(gone, c); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled call was answered: %v", err)
		}
	})
}

// TestOvertaken: a read joins no request that may have been answered before a
// fresh read or during a write that came in between.
func TestOvertaken(t *testing.T) {
	for name, between := range map[string]func(context.Context, *ldclient.Client) error{
		"fresh read": func(ctx context.Context, c *ldclient.Client) error { return getFlag(ldclient.Fresh(ctx), c) },
		"write":      patchFlag,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
					time.Sleep(10 * time.Second / time.Duration(asked.Add(1)*asked.Load()))
					return answer(200, flagBody)(r)
				}), cached)
				var wg sync.WaitGroup
				read := func() {
					if err := getFlag(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
				wg.Go(read)
				synctest.Wait()
				if err := between(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				read()
				wg.Wait()
				if asked.Load() != 3 {
					t.Errorf("%d requests, want 3", asked.Load())
				}
			})
		})
	}
}

// TestDuringWrite: what was kept before a write is not shown once it is under way.
func TestDuringWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodGet {
				time.Sleep(time.Second)
			} else {
				reads++
			}
			return answer(200, flagBody)(r)
		}), cached)
		var wg sync.WaitGroup
		for i := range 3 {
			if i == 1 {
				wg.Go(func() {
					if err := patchFlag(t.Context(), c.Narrow(false, ldclient.Scope{})); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			} else if i == 2 {
				wg.Wait()
			}
			if err := getFlag(t.Context(), c); err != nil || reads != i+1 {
				t.Errorf("%d reads were made, want %d: %v", reads, i+1, err)
			}
		}
	})
}

// TestTokenRotates: what one token was shown is not shown to the next.
func TestTokenRotates(t *testing.T) {
	asked := 0
	now := ldclient.Token("api-first-first")
	c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		asked++
		return answer(200, flagBody)(r)
	}), cached, func(cfg *ldclient.Config) { cfg.Token = func() (ldclient.Token, error) { return now, nil } })
	for i, want := range []int{1, 1, 2, 2} {
		if i == 2 {
			now = "api-second-second"
		}
		if err := getFlag(t.Context(), c); err != nil || asked != want {
			t.Errorf("%d requests, want %d: %v", asked, want, err)
		}
	}
}

// model is an account with two flags, whose versions change some time after a
// write was asked for and some time before it is answered.
type model struct {
	mu      sync.Mutex
	rand    *rand.Rand
	version map[string]int
	born    map[string][]time.Time // by version
}

func (m *model) nap() {
	m.mu.Lock()
	d := time.Duration(m.rand.IntN(300)) * time.Millisecond
	m.mu.Unlock()
	time.Sleep(d)
}

func (m *model) bump(flag string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version[flag]++
	m.born[flag] = append(m.born[flag], time.Now())
	return m.version[flag]
}

func (m *model) now(flag string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.version[flag]
}

func (m *model) RoundTrip(r *http.Request) (*http.Response, error) {
	flag := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	m.nap()
	var v int
	if r.Method == http.MethodGet {
		v = m.now(flag)
	} else {
		v = m.bump(flag)
	}
	m.nap()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return answer(200, fmt.Sprintf(`{"key":%q,"_version":%d,"environments":{"e":{"on":true}}}`, flag, v))(r)
}

// TestCacheIsTrue lets many callers read and write at random, some through a
// narrower client, while others change the account behind the client's back.
func TestCacheIsTrue(t *testing.T) {
	const ttl = 500 * time.Millisecond
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			m := &model{rand: rand.New(rand.NewPCG(seed, 2)), version: map[string]int{}, born: map[string][]time.Time{}}
			c := newClient(t, m, func(cfg *ldclient.Config) { cfg.Cache = ttl })
			narrow := c.Narrow(false, ldclient.Scope{Projects: []string{"p*"}})
			var mu sync.Mutex
			written := map[string]int{} // the version that a write through the client has answered
			var wg sync.WaitGroup
			for i := range 12 {
				r := rand.New(rand.NewPCG(seed, uint64(100+i)))
				wg.Go(func() {
					for range 25 {
						time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
						flag := fmt.Sprint("f", r.IntN(2))
						client := c
						if r.IntN(2) == 0 {
							client = narrow
						}
						switch n := r.IntN(20); {
						case n == 0:
							m.bump(flag)
						case n < 3:
							f, err := client.Flags.Patch(t.Context(), "p", "e", flag, ldclient.Patch{})
							if err != nil {
								t.Error(err)
								return
							}
							mu.Lock()
							written[flag] = max(written[flag], f.Version)
							mu.Unlock()
						case n < 5:
							at := m.now(flag)
							if f, err := client.Flags.Get(ldclient.Fresh(t.Context()), "p", "e", flag); err != nil || f.Version < at {
								t.Errorf("seed %d: a fresh read gave version %v, older than %d: %v", seed, f, at, err)
							}
						case n < 7:
							ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(300))*time.Millisecond)
							_, _ = client.Flags.Get(ctx, "p", "e", flag)
							cancel()
						default:
							mu.Lock()
							least, start := written[flag], time.Now()
							mu.Unlock()
							f, err := client.Flags.Get(t.Context(), "p", "e", flag)
							if err != nil {
								t.Error(err)
								return
							}
							if f.Version < least {
								t.Errorf("seed %d: read version %d after a write had answered %d", seed, f.Version, least)
							}
							m.mu.Lock()
							born := m.born[flag]
							m.mu.Unlock()
							if f.Version < len(born) && start.Sub(born[f.Version]) > ttl+time.Second { // what replaced it is that old
								t.Errorf("seed %d: a reply %v old", seed, start.Sub(born[f.Version]))
							}
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
