package ldclient

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestOrder: writes to one resource go one by one and in order, those to others
// at once; who is cancelled is passed over; nothing is left behind.
func TestOrder(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			o := newOrder()
			var mu sync.Mutex
			busy, came, went, done := map[string]bool{}, map[string][]int{}, map[string][]int{}, 0
			var wg sync.WaitGroup
			for i := range 80 {
				at := Target{Project: "p", Environment: fmt.Sprint("e", r.IntN(3)), Kind: "flag", Key: fmt.Sprint("f", r.IntN(3))}
				name := at.Key
				patience := time.Hour
				if r.IntN(4) > 0 {
					patience = time.Duration(1+r.IntN(12)) * 100 * time.Millisecond
				}
				length := time.Duration(r.IntN(3)) * 100 * time.Millisecond // often the moment when somebody's patience ends
				came[name] = append(came[name], i)
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					if err := o.enter(ctx, at); err != nil {
						return
					}
					mu.Lock()
					if busy[name] {
						t.Errorf("seed %d: two writes to %s at once", seed, name)
					}
					busy[name] = true
					went[name] = append(went[name], i)
					mu.Unlock()
					time.Sleep(length)
					mu.Lock()
					busy[name] = false
					done++
					mu.Unlock()
					o.leave(at)
				})
				synctest.Wait()
			}
			wg.Wait()
			for name, order := range went {
				if !slices.IsSorted(order) {
					t.Errorf("seed %d: %s went %v", seed, name, order)
				}
			}
			if done < 20 || len(o.busy) > 0 {
				t.Errorf("seed %d: %d went, %d resources are left", seed, done, len(o.busy))
			}
		})
	}
}

// TestResourceOf: what takes turns with what.
func TestResourceOf(t *testing.T) {
	flag := Target{Project: "p", Environment: "e", Kind: "flag", Key: "f"}
	for _, test := range []struct {
		a, b Target
		same bool
	}{
		{flag, Target{Project: "p", Environment: "x", Kind: "flag", Key: "f"}, true},
		{flag, Target{Project: "p", Kind: "flag", Key: "f"}, true},
		{flag, Target{Project: "q", Environment: "e", Kind: "flag", Key: "f"}, false},
		{flag, Target{Project: "p", Environment: "e", Kind: "segment", Key: "f"}, false},
		{flag, Target{Project: "p", Environment: "e", Kind: "flag", Key: "g"}, false},
		{Target{Project: "p"}, Target{Project: "p", Environment: "e"}, true},
		{Target{Project: "p"}, Target{Project: "p", Kind: "env", Key: "e"}, true},
		{Target{Project: "p"}, Target{Project: "q"}, false},
		{Target{Kind: "team", Key: "a"}, Target{Kind: "role", Key: "a"}, false},
	} {
		if got := resourceOf(test.a) == resourceOf(test.b); got != test.same {
			t.Errorf("%v and %v: %t", test.a, test.b, got)
		}
	}
}

// TestCacheBounds: neither the number nor the size of what is kept grows without end, and an idle cache is empty.
func TestCacheBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReads(3*time.Second, maxBody)
		for i := range 2000 {
			size := 10
			if i < 1000 && i%2 == 0 {
				size = maxPage
			}
			f := &flight{key: readKey{path: fmt.Sprint(i % 700)}, resp: page{status: 200}.response(), body: make([]byte, size, maxPage*2), small: true, sent: time.Now()}
			r.keep(f)
			r.mu.Lock()
			held := 0
			for _, p := range r.cache.pages {
				held += cap(p.body)
			}
			if len(r.cache.pages) < min(i, 20) || len(r.cache.pages) > maxPages || held > maxPageBytes+maxPages*64 || len(r.cache.oldest) != len(r.cache.pages) {
				t.Fatalf("%d pages of %d bytes, %d in line", len(r.cache.pages), held, len(r.cache.oldest))
			}
			r.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		time.Sleep(7 * time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.cache.pages)+len(r.cache.oldest)+r.cache.size > 0 {
			t.Errorf("%d pages of %d bytes are left", len(r.cache.pages), r.cache.size)
		}
	})
}

// TestPlaces: whoever leaves the limiter's queues, and when, takes nothing along.
func TestPlaces(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 4))
			l := newLimiter()
			var wg sync.WaitGroup
			for i := range 60 {
				patience, length := time.Duration(1+r.IntN(8))*100*time.Millisecond, time.Duration(1+r.IntN(4))*100*time.Millisecond
				trip := &trip{account: &account{limiter: l}, method: "GET", path: fmt.Sprintf("/flags/p/f%s", []string{"", "/copy"}[r.IntN(2)])}
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(WithCaller(t.Context(), fmt.Sprint(i%4)), patience)
					defer cancel()
					if l.enter(ctx, trip) == nil {
						time.Sleep(length)
						l.leave(trip)
						l.leave(trip)
					}
				})
			}
			wg.Wait()
			for name, w := range l.routes {
				if w.asked != 0 || w.waiting != 0 {
					t.Errorf("seed %d: %s: %+v", seed, name, *w)
				}
			}
			if l.inFlight != 0 || l.global.asked != 0 || l.token.asked != 0 || len(l.turns) != 0 {
				t.Errorf("seed %d: %d in flight, %d and %d asked, %d in line", seed, l.inFlight, l.global.asked, l.token.asked, len(l.turns))
			}
		})
	}
}

// TestWindow: what a window makes of replies that come late, twice or with odd numbers.
func TestWindow(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	type reply struct {
		limit, left int
		reset       time.Duration // from now, 0 for none
	}
	for name, test := range map[string]struct {
		replies []reply
		closed  bool
		left    int
	}{
		"nothing":                    {nil, false, -1},
		"some left":                  {[]reply{{10, 4, 5 * time.Second}}, false, 4},
		"none left":                  {[]reply{{10, 0, 5 * time.Second}}, true, 0},
		"replies that overtook":      {[]reply{{10, 2, 5 * time.Second}, {10, 4, 5 * time.Second}}, false, 2},
		"a later window":             {[]reply{{10, 0, time.Second}, {10, 9, 9 * time.Second}}, false, 9},
		"a late reply":               {[]reply{{10, 9, 9 * time.Second}, {10, 0, time.Second}}, false, 9},
		"of a window that is over":   {[]reply{{10, 3, 5 * time.Second}, {10, 0, -time.Second}}, false, 3},
		"first of one that is over":  {[]reply{{10, 0, -time.Second}}, false, -1},
		"too far off to be believed": {[]reply{{10, 0, time.Minute}}, false, -1},
		"no reset":                   {[]reply{{10, 0, 0}}, true, 0},
		"no reset, some left":        {[]reply{{10, 3, 0}}, false, -1},
		"no limit any more":          {[]reply{{10, 0, 5 * time.Second}, {-1, -1, 5 * time.Second}}, false, -1},
	} {
		w := unknown
		for _, r := range test.replies {
			reset := now.Add(r.reset)
			if r.reset == 0 {
				reset = time.Time{}
			}
			w.told(r.limit, r.left, reset, now, now)
		}
		if w.closed(now) != test.closed || w.left != test.left || (w.delay(now) > 0) != test.closed {
			t.Errorf("%s: %+v", name, w)
		}
		if later := now.Add(maxWait); w.delay(later) != 0 || w.left == 0 {
			t.Errorf("%s: still closed after %v: %+v", name, maxWait, w)
		}
	}
}

// TestRoutesAreBounded: keys that are made up do not pile up in the limiter.
func TestRoutesAreBounded(t *testing.T) {
	for path, want := range map[string]string{
		"/flags/shop/dark-mode":       "GET/flags//",
		"/flags/shop":                 "GET/flags/",
		"/flags/shop/dark-mode/copy":  "GET/flags///copy",
		"/projects/a/environments/b":  "GET/projects//environments/",
		"/members":                    "GET/members",
		"/code-refs/statistics/%2Fab": "GET/code-refs/statistics/",
	} {
		if got := string(routeOf(nil, "GET", path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	l := newLimiter()
	for i := range 5000 {
		l.route(fmt.Append(nil, i), time.Now())
	}
	if len(l.routes) > maxRoutes+1 {
		t.Errorf("%d routes", len(l.routes))
	}
}

// TestWordsOfRoutes: each part of a path that is no key is a word.
func TestWordsOfRoutes(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls, text := regexp.MustCompile(`(?:\bpath|\BPath|flagIn|triggersOf)\((.*)|\[\]any\{(.*)\}`), regexp.MustCompile(`"([^"]*)"`)
	found := map[string]bool{}
	for _, name := range files {
		if matched, _ := filepath.Match("*_test.go", name); matched {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(src) {
			for _, call := range calls.FindAllSubmatch(line, -1) {
				args := append(call[1], call[2]...)
				args, _, _ = bytes.Cut(args, []byte(")"))
				for _, w := range text.FindAllSubmatch(args, -1) {
					found[string(w[1])] = true
					if !words()[string(w[1])] {
						t.Errorf("%s: %q is part of a path and not among the words", name, w[1])
					}
				}
			}
		}
	}
	for w := range words() {
		if !found[w] {
			t.Errorf("%q is part of no path", w)
		}
	}
}
