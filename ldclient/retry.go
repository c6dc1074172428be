package ldclient

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxInFlight = 6                // requests at once; LaunchDarkly's route limits can be as low as 5 in 10 s
	maxRetries  = 4                // requests after the first
	maxWait     = 12 * time.Second // longest single wait; LaunchDarkly's windows are 10 s
	minWait     = 200 * time.Millisecond
)

type writing struct{}

// newRetrier retries 429 always, since such a request was not carried out, and
// lost connections, 502, 503 and 504 for reads only: a write may have happened.
func newRetrier(c *Client) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     observed{c},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: maxRetries,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			write, _ := ctx.Value(writing{}).(bool)
			if err != nil {
				return !write, nil //nolint:nilerr // a lost connection is what is retried
			}
			switch resp.StatusCode {
			case http.StatusTooManyRequests:
				wait := waitFor(resp, time.Now())
				deadline, bounded := ctx.Deadline()
				return wait <= maxWait && (!bounded || time.Until(deadline) > wait), nil
			case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
				return !write, nil
			}
			return false, nil
		},
		Backoff: func(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
			wait := min(minWait<<attempt, 4*time.Second)
			if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
				wait = max(waitFor(resp, time.Now()), minWait)
			}
			return wait + rand.N(wait/4+time.Millisecond)
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// waitFor returns how long a reply asks the caller to wait, 0 if it does not
// say. Reset headers are epoch ms and may lie in the past when clocks differ.
func waitFor(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	var wait time.Duration
	if s, err := strconv.ParseFloat(resp.Header.Get("Retry-After"), 64); err == nil && s > 0 && s < 1e6 {
		wait = time.Duration(s * float64(time.Second))
	}
	for _, name := range []string{"X-Ratelimit-Reset", "X-Ratelimit-Auth-Token-Reset"} {
		if ms, err := strconv.ParseInt(resp.Header.Get(name), 10, 64); err == nil {
			wait = max(wait, time.UnixMilli(ms).Sub(now))
		}
	}
	return wait
}

// RateLimit is what LaunchDarkly's latest reply said of its limits. A limit that it did not name is -1.
type RateLimit struct {
	GlobalLimit, GlobalRemaining int // per 10 s, whole account
	RouteLimit, RouteRemaining   int // per 10 s, the latest reply's route
	Reset                        time.Time
	ServerTime                   time.Time // the reply's Date header
}

// gate bounds requests in flight and holds them back once the account's window is used up.
type gate struct {
	slots chan struct{}
	mu    *sync.Mutex
	rate  *RateLimit
	clock *clock
}

// clock is how far LaunchDarkly's clock is ahead of this machine's, at least
// and at most: a Date header has whole seconds, and it is not known when
// between the request and the reply it was written.
type clock struct{ least, most time.Duration }

const (
	unknownClock = 5 * time.Second        // before any reply told LaunchDarkly's time
	clockJitter  = 250 * time.Millisecond // between LaunchDarkly's own machines
)

func (g gate) serverTime(at time.Time) (earliest, latest time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return at.Add(g.clock.least), at.Add(g.clock.most)
}

func newGate() gate {
	return gate{slots: make(chan struct{}, maxInFlight), mu: new(sync.Mutex), clock: &clock{-unknownClock, unknownClock},
		rate: &RateLimit{GlobalLimit: -1, GlobalRemaining: -1, RouteLimit: -1, RouteRemaining: -1}}
}

func (g gate) last() RateLimit {
	g.mu.Lock()
	defer g.mu.Unlock()
	return *g.rate
}

// enter waits for a free slot and, when the last reply left nothing of the global limit, for its reset.
func (g gate) enter(ctx context.Context) (release func(), err error) {
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release = func() { <-g.slots }
	rate := g.last()
	wait := time.Until(rate.Reset)
	if rate.GlobalRemaining != 0 || wait <= 0 || wait > maxWait {
		return release, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return release, nil
	case <-ctx.Done():
		release()
		return nil, ctx.Err()
	}
}

// observe notes what a reply says of the limits and of the time, sent and got when this machine's clock says.
func (g gate) observe(resp *http.Response, sent, got time.Time) {
	number := func(name string) int {
		n, err := strconv.Atoi(resp.Header.Get(name))
		if err != nil {
			return -1
		}
		return n
	}
	rate := RateLimit{
		GlobalLimit: number("X-Ratelimit-Global-Limit"), GlobalRemaining: number("X-Ratelimit-Global-Remaining"),
		RouteLimit: number("X-Ratelimit-Route-Limit"), RouteRemaining: number("X-Ratelimit-Route-Remaining"),
	}
	if ms, err := strconv.ParseInt(resp.Header.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
		rate.Reset = time.UnixMilli(ms)
	}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		rate.ServerTime = t
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	*g.rate = rate
	if t := rate.ServerTime; !t.IsZero() {
		*g.clock = clock{t.Sub(got) - clockJitter, t.Add(time.Second).Sub(sent) + clockJitter}
	}
}

// observed is the client's transport; it notes the rate limit of every reply, retried ones too.
type observed struct{ c *Client }

func (o observed) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	resp, err := o.c.cfg.Transport.RoundTrip(r)
	if err == nil {
		o.c.gate.observe(resp, sent, time.Now())
	}
	return resp, err
}
