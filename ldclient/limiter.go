package ldclient

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	maxInFlight = 6 // requests at once; LaunchDarkly's route limits can be as low as 5 in 10 s
	maxRoutes   = 256
	apart       = 100 * time.Millisecond // between requests of a window of which nothing is known yet
	untilReply  = time.Duration(math.MaxInt64)
)

type callerKey struct{}

// WithCaller returns a context whose requests are made for the caller of this
// id. Callers that wait for the rate limit take turns, however much each asks for.
func WithCaller(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, callerKey{}, id)
}

// CallerOf returns the id that WithCaller gave, "" where none did.
func CallerOf(ctx context.Context) string {
	id, _ := ctx.Value(callerKey{}).(string)
	return id
}

// limiter lets requests out: a few at once, no more than LaunchDarkly's windows
// hold, the last of a window spread over the time that is left of it, and one
// for each waiting caller in turn.
type limiter struct {
	mu            sync.Mutex
	inFlight      int
	global, token window
	paused        time.Time // no request before
	routes        map[string]*window
	turns         []*queue // callers that wait, the next one first
	timer         *time.Timer
	rate          RateLimit
	clock         clock
}

// clock is how far LaunchDarkly's clock is ahead of this machine's, at least
// and at most: a Date header has whole seconds, and it is not known when
// between the request and the reply it was written.
type clock struct{ least, most time.Duration }

const (
	unknownClock = 5 * time.Second        // before any reply told LaunchDarkly's time
	clockJitter  = 250 * time.Millisecond // between LaunchDarkly's own machines
)

func (l *limiter) serverTime(at time.Time) (earliest, latest time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return at.Add(l.clock.least), at.Add(l.clock.most)
}

// queue is what waits for one caller, the longest first.
type queue struct {
	caller  string
	waiting []*waiter
}

type waiter struct {
	trip  *trip
	route *window
	ready chan struct{}
}

func newLimiter() *limiter {
	return &limiter{global: unknown, token: unknown, clock: clock{-unknownClock, unknownClock}, routes: map[string]*window{},
		rate: RateLimit{GlobalLimit: -1, GlobalRemaining: -1, RouteLimit: -1, RouteRemaining: -1}}
}

func (l *limiter) last() RateLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}

// enter waits until a request may go out. leave must follow it.
func (l *limiter) enter(ctx context.Context, t *trip) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var room [128]byte
	name := routeOf(room[:0], t.method, t.path)
	l.mu.Lock()
	now := time.Now()
	route := l.route(name, now)
	if len(l.turns) == 0 && l.inFlight < maxInFlight && max(l.delay(now), route.delay(now)) == 0 {
		l.admit(t, route, now)
		l.mu.Unlock()
		return nil
	}
	caller, _ := ctx.Value(callerKey{}).(string)
	w := &waiter{t, route, make(chan struct{})}
	l.line(caller, w)
	l.dispatch(now)
	l.mu.Unlock()
	select {
	case <-w.ready:
		if ctx.Err() == nil {
			return nil
		}
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.drop(caller, w) { // it was let out at the same moment
		l.release(t)
	}
	l.dispatch(time.Now())
	return ctx.Err()
}

// line puts w at the end of its caller's queue, or at its head when its request was sent before.
func (l *limiter) line(caller string, w *waiter) {
	w.route.waiting++
	i := slices.IndexFunc(l.turns, func(q *queue) bool { return q.caller == caller })
	if i < 0 {
		l.turns = append(l.turns, &queue{caller, []*waiter{w}})
		return
	}
	q := l.turns[i]
	if w.trip.tries > 0 {
		q.waiting = slices.Insert(q.waiting, 0, w)
	} else {
		q.waiting = append(q.waiting, w)
	}
}

// drop takes w out of its queue and reports whether it was there.
func (l *limiter) drop(caller string, w *waiter) bool {
	i := slices.IndexFunc(l.turns, func(q *queue) bool { return q.caller == caller })
	if i < 0 {
		return false
	}
	j := slices.Index(l.turns[i].waiting, w)
	if j < 0 {
		return false
	}
	l.take(i, j)
	if len(l.turns[i].waiting) == 0 {
		l.turns = slices.Delete(l.turns, i, i+1)
	}
	return true
}

func (l *limiter) take(i, j int) {
	q := l.turns[i]
	q.waiting[j].route.waiting--
	q.waiting = slices.Delete(q.waiting, j, j+1)
}

func (l *limiter) admit(t *trip, route *window, now time.Time) {
	l.inFlight++
	t.held, t.asking, t.route = true, true, route
	t.tries++
	for _, w := range [...]*window{&l.global, &l.token, route} {
		w.use(now)
	}
}

// dispatch lets out all that may go now, and comes back when more may.
func (l *limiter) dispatch(now time.Time) {
	wait := untilReply
	for l.inFlight < maxInFlight && len(l.turns) > 0 {
		var w *waiter
		if w, wait = l.next(now); w == nil {
			break
		}
		wait = untilReply
		l.admit(w.trip, w.route, now)
		close(w.ready)
	}
	switch {
	case wait == untilReply:
		if l.timer != nil {
			l.timer.Stop()
		}
	case l.timer == nil:
		l.timer = time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.dispatch(time.Now())
		})
	default:
		l.timer.Reset(wait)
	}
}

// next takes the request whose turn it is out of its queue, or says how long none may go.
func (l *limiter) next(now time.Time) (*waiter, time.Duration) {
	if wait := l.delay(now); wait > 0 {
		return nil, wait
	}
	wait := untilReply
	for i, q := range l.turns {
		for j, w := range q.waiting {
			if d := w.route.delay(now); d > 0 { // others need not wait for a full route
				wait = min(wait, d)
				continue
			}
			l.take(i, j)
			l.turns = slices.Delete(l.turns, i, i+1)
			if len(q.waiting) > 0 {
				l.turns = append(l.turns, q)
			}
			return w, 0
		}
	}
	return nil, wait
}

// delay returns how long no request at all may go.
func (l *limiter) delay(now time.Time) time.Duration {
	return max(l.paused.Sub(now), l.global.delay(now), l.token.delay(now), 0)
}

// leave gives the place of a request back. Only the first call for a request counts.
func (l *limiter) leave(t *trip) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.held {
		l.release(t)
		l.dispatch(time.Now())
	}
}

func (l *limiter) release(t *trip) {
	l.answered(t)
	t.held = false
	l.inFlight--
}

func (l *limiter) answered(t *trip) {
	if t.asking {
		t.asking = false
		l.global.asked--
		l.token.asked--
		t.route.asked--
	}
}

// observe notes what a reply to a request that was sent at a time says of the limits and of the time, and lets out what may go now.
func (l *limiter) observe(t *trip, resp *http.Response, sent time.Time) {
	now := time.Now()
	server := serverTime(resp, now)
	rate := RateLimit{
		GlobalLimit: number(resp, "X-Ratelimit-Global-Limit"), GlobalRemaining: number(resp, "X-Ratelimit-Global-Remaining"),
		RouteLimit: number(resp, "X-Ratelimit-Route-Limit"), RouteRemaining: number(resp, "X-Ratelimit-Route-Remaining"),
	}
	reset, token := instant(resp, "X-Ratelimit-Reset"), instant(resp, "X-Ratelimit-Auth-Token-Reset")
	rate.Reset, rate.ServerTime = reset, dateOf(resp)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = rate
	if at := rate.ServerTime; !at.IsZero() {
		l.clock = clock{at.Sub(now) - clockJitter, at.Add(time.Second).Sub(sent) + clockJitter}
	}
	l.answered(t)
	l.global.told(rate.GlobalLimit, rate.GlobalRemaining, reset, server, now)
	l.token.told(number(resp, "X-Ratelimit-Auth-Token-Limit"), number(resp, "X-Ratelimit-Auth-Token-Remaining"), token, server, now)
	t.route.told(rate.RouteLimit, rate.RouteRemaining, reset, server, now)
	if resp.StatusCode == http.StatusTooManyRequests && !l.global.closed(now) && !l.token.closed(now) && !t.route.closed(now) {
		if wait := waitFor(resp, now); wait <= maxWait { // it does not say which limit was met
			l.paused = now.Add(max(wait, minWait))
		}
	}
	l.dispatch(now)
}

// route returns the window of a route. Those of which nothing is known and nothing is asked are forgotten now and then.
func (l *limiter) route(name []byte, now time.Time) *window {
	if w, ok := l.routes[string(name)]; ok {
		return w
	}
	if len(l.routes) >= maxRoutes {
		for k, w := range l.routes {
			if w.asked == 0 && w.waiting == 0 && !now.Before(w.reset) {
				delete(l.routes, k)
			}
		}
	}
	w := new(window)
	*w = unknown
	l.routes[string(name)] = w
	return w
}

// window is what is known of one of LaunchDarkly's limits.
type window struct {
	limit, left int       // left in this window by the latest reply; -1 for not known
	reset       time.Time // when it ends, by this machine's clock; zero for not known
	name        time.Time // when it ends in LaunchDarkly's words, which tells windows apart
	asked       int       // requests that have no reply yet
	waiting     int       // requests in a queue
	last        time.Time // when a request went out
	careful     bool      // the last window was used up, and no reply has told of this one
}

var unknown = window{limit: -1, left: -1}

// delay returns how long no request may go, 0 if one may now and untilReply if replies have to come first.
func (w *window) delay(now time.Time) time.Duration {
	if !w.reset.IsZero() && !now.Before(w.reset) {
		w.careful = w.careful || w.left == 0
		w.left, w.reset = w.limit, time.Time{}
	}
	next, free := time.Time{}, w.left-w.asked
	switch {
	case w.left < 0:
	case w.left == 0 && !w.reset.IsZero():
		return w.reset.Sub(now)
	case free <= 0 && w.asked > 0: // those that are under way may use up the rest
		if !w.reset.IsZero() {
			return w.reset.Sub(now)
		}
		return untilReply
	case free < w.few() && !w.reset.IsZero():
		next = w.last.Add(w.reset.Sub(w.last) / time.Duration(max(free, 0)+1))
	}
	if w.careful {
		next = w.last.Add(apart)
	}
	return max(next.Sub(now), 0)
}

// few is where the last quarter of a window begins, which is spread over the time that is left of it.
func (w *window) few() int {
	if w.limit < 0 {
		return maxInFlight
	}
	return w.limit / 4
}

// use counts a request.
func (w *window) use(now time.Time) {
	w.asked++
	w.last = now
}

// told takes in what a reply says; server is LaunchDarkly's clock at now.
func (w *window) told(limit, left int, reset, server, now time.Time) {
	if left < 0 { // the limit does not apply
		w.left, w.reset, w.careful = -1, time.Time{}, false
		return
	}
	if limit >= 0 {
		w.limit = limit
	}
	ends := reset.Sub(server)
	switch {
	case reset.IsZero() && left > 0, ends > maxWait: // windows last ten seconds
		w.left, w.reset, w.careful = -1, time.Time{}, false
	case reset.IsZero():
		w.left, w.reset = 0, now.Add(minWait)
	case ends <= 0: // late news of a window that is over
	case !w.reset.IsZero() && reset.Before(w.name):
	case !w.reset.IsZero() && reset.Equal(w.name):
		w.left = min(w.left, left)
	default:
		w.name, w.left, w.careful = reset, left, false
		w.reset = now.Add(ends + rand.N(minWait)) // programs with the same account do not all begin at once
	}
}

func (w *window) closed(now time.Time) bool { return w.left == 0 && now.Before(w.reset) }
