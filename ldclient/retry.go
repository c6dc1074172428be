package ldclient

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxRetries = 4                // requests after the first
	maxWait    = 12 * time.Second // longest single wait; LaunchDarkly's windows are 10 s
	minWait    = 200 * time.Millisecond
)

type tripKey struct{}

// trip is one call on its way to LaunchDarkly, with all its tries. It stands in
// for the body of each reply, so that closing that gives the place back.
type trip struct {
	io.ReadCloser
	account      *account
	flight       *flight // who wait for it, nil if that is its own context alone
	method, path string
	writes       bool

	route        *window
	held, asking bool
	tries        int
	sent         time.Time // when the last try went out
	unsure       bool      // LaunchDarkly may have carried it out
}

// Close closes the body of a reply and lets the next request out.
func (t *trip) Close() error {
	err := t.ReadCloser.Close()
	t.account.limiter.leave(t)
	return err
}

// newRetrier retries 429 always, since such a request was not carried out, and
// lost connections, 502, 503 and 504 for reads only: a write may have happened,
// unless no connection came about.
func newRetrier(transport http.RoundTripper) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     limited{transport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: maxRetries,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			t := ctx.Value(tripKey{}).(*trip)
			if err != nil {
				return !t.unsure, nil //nolint:nilerr // a lost connection is what is retried
			}
			switch resp.StatusCode {
			case http.StatusTooManyRequests:
				wait := waitFor(resp, time.Now())
				deadline, bounded := ctx.Deadline()
				if t.flight != nil {
					deadline, bounded = t.account.reads.deadline(t.flight)
				}
				return wait <= maxWait && (!bounded || time.Until(deadline) > wait), nil
			case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
				return !t.writes, nil
			}
			return false, nil
		},
		Backoff: func(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
			wait := min(minWait<<attempt, 4*time.Second)
			if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
				wait = max(waitFor(resp, time.Now()), wait)
			}
			return wait + rand.N(wait/4+time.Millisecond)
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// limited is the client's transport: each try of a request goes through the limiter.
type limited struct{ transport http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	t := r.Context().Value(tripKey{}).(*trip)
	if err := t.account.limiter.enter(r.Context(), t); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	replied := false
	defer func() {
		if !replied {
			t.account.limiter.leave(t)
		}
	}()
	t.sent, t.unsure = time.Now(), t.writes
	resp, err := l.transport.RoundTrip(r)
	if err != nil {
		t.unsure = t.writes && !unsent(err)
		return nil, err
	}
	t.account.limiter.observe(t, resp, t.sent)
	t.unsure = t.writes && resp.StatusCode != http.StatusTooManyRequests
	if t.ReadCloser = resp.Body; resp.Body == nil {
		t.ReadCloser = http.NoBody
	}
	resp.Body, replied = t, true
	return resp, nil
}

// unsent reports whether an error means that no connection was made to send a request on.
func unsent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	_, bad := errors.AsType[*tls.CertificateVerificationError](err)
	return bad
}

// waitFor returns how long a reply asks the caller to wait, 0 if it does not
// say. Reset headers are instants, and may lie in the past.
func waitFor(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	var wait time.Duration
	server, after := serverTime(resp, now), resp.Header.Get("Retry-After")
	if s, err := strconv.ParseFloat(after, 64); err == nil && s > 0 {
		wait = time.Duration(min(s, 1e9) * float64(time.Second))
	} else if at, err := http.ParseTime(after); err == nil {
		wait = max(at.Sub(server), 0)
	}
	for _, name := range []string{"X-Ratelimit-Reset", "X-Ratelimit-Auth-Token-Reset"} {
		if reset := instant(resp, name); !reset.IsZero() {
			wait = max(wait, reset.Sub(server))
		}
	}
	return wait
}

// serverTime returns what LaunchDarkly's clock showed when it answered: now,
// unless the reply's date, which is in whole seconds, tells that the clocks differ.
func serverTime(resp *http.Response, now time.Time) time.Time {
	date := dateOf(resp)
	if date.IsZero() || !now.Before(date) && now.Sub(date) <= time.Second {
		return now
	}
	return date
}

// dateOf reads the Date header, the zero time where there is none.
func dateOf(resp *http.Response) time.Time {
	if v := resp.Header.Get("Date"); v != "" {
		if t, err := http.ParseTime(v); err == nil {
			return t
		}
	}
	return time.Time{}
}

// number reads a header, -1 where it is not a number.
func number(resp *http.Response, name string) int {
	if v := resp.Header.Get(name); v != "" {
		if n, err := strconv.Atoi(v); err == nil && n >= 0 {
			return n
		}
	}
	return -1
}

// instant reads a header in ms since the epoch, the zero time where it is not.
func instant(resp *http.Response, name string) time.Time {
	if v := resp.Header.Get(name); v != "" {
		if ms, err := strconv.ParseInt(v, 10, 64); err == nil && ms > 0 {
			return time.UnixMilli(ms)
		}
	}
	return time.Time{}
}

// RateLimit is what LaunchDarkly's latest reply said of its limits. A limit that it did not name is -1.
type RateLimit struct {
	GlobalLimit, GlobalRemaining int // per 10 s, whole account
	RouteLimit, RouteRemaining   int // per 10 s, the latest reply's route
	Reset                        time.Time
	ServerTime                   time.Time // the reply's Date header
}
