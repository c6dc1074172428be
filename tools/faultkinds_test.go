package tools_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// A faultKind is one way in which an upstream fails its caller.
type faultKind struct {
	name  string
	times int // how often, 0 for always
	// answer answers a request; real is LaunchDarkly's own answer, nil where the request is not carried out.
	answer func(x exchange)
	noDial bool // no connection comes about

	lost    bool // it may hit the answer to a write that was carried out
	alters  bool // it needs LaunchDarkly's own answer
	fine    bool // a reply comes of it all the same
	deletes bool // one comes of it for a deletion, the answer to which need not say anything
}

// exchange is a request that is answered; real is LaunchDarkly's own answer, nil where the request is not carried out.
type exchange struct {
	http.ResponseWriter
	u    *upstream
	r    *http.Request
	real *httptest.ResponseRecorder
}

type answerer func(exchange)

const signIn = "<html><head><title>Sign in</title><script>x</script></head><body>Corporate proxy</body></html>"

// says answers with a status and a body, and headers in pairs.
func says(status int, body string, headers ...string) answerer {
	return func(x exchange) {
		x.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			x.Header().Set(headers[i], headers[i+1])
		}
		x.WriteHeader(status)
		io.WriteString(x, body)
	}
}

// slowDown answers 429 with headers that depend on the time.
func slowDown(header, value func(now time.Time) string, more ...string) answerer {
	return func(x exchange) {
		headers := more
		if header != nil {
			headers = append(slices.Clone(more), header(time.Now()), value(time.Now()))
		}
		says(429, `{"code":"rate_limited","message":"You've exceeded the API rate limit. Try again later."}`, headers...)(x)
	}
}

func named(name string) func(time.Time) string { return func(time.Time) string { return name } }

// millisIn is a reset header's value some time from now.
func millisIn(d time.Duration) func(time.Time) string {
	return func(now time.Time) string { return fmt.Sprint(now.Add(d).UnixMilli()) }
}

// skewed is a 429 of a LaunchDarkly whose clock is ahead by some time, and which means two seconds.
func skewed(ahead time.Duration) answerer {
	return func(x exchange) {
		now := time.Now().Add(ahead)
		slowDown(named("X-Ratelimit-Reset"), named(fmt.Sprint(now.Add(2*time.Second).UnixMilli())), "Date", now.UTC().Format(http.TimeFormat))(x)
	}
}

// altered answers what LaunchDarkly would, with each object in it changed.
func altered(change func(map[string]any)) answerer {
	return func(x exchange) {
		var v any
		if d := json.NewDecoder(bytes.NewReader(x.real.Body.Bytes())); x.real.Body.Len() > 0 {
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				panic(err)
			}
			walk(v, change)
			x.real.Body.Reset()
			if err := json.NewEncoder(x.real.Body).Encode(v); err != nil {
				panic(err)
			}
		}
		x.real.Header().Del("Content-Length")
		pass(x, x.real)
	}
}

func walk(v any, change func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			walk(inner, change)
		}
		change(v)
	case []any:
		for _, inner := range v {
			walk(inner, change)
		}
	}
}

// telling are fields that say what a resource is, without which no reply can be made of it.
var telling = []string{"key", "_id", "items", "environments", "_links", "self", "href", "totalCount", "variations", "variation", "value", "on", "fallthrough", "offVariation"}

// drip sends a byte a second for ever.
func drip(x exchange) {
	x.Header().Set("Content-Type", "application/json")
	for {
		if _, err := io.WriteString(x, " "); err != nil || http.NewResponseController(x.ResponseWriter).Flush() != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// large sends a JSON text of 200 MB, as far as the other side reads.
func large(status int, length bool) answerer {
	return func(x exchange) {
		const size = 200 << 20
		x.Header().Set("Content-Type", "application/json")
		if length {
			x.Header().Set("Content-Length", fmt.Sprint(size))
		}
		x.WriteHeader(status)
		io.WriteString(x, `{"message":"`)
		for range size / len(filler) {
			if _, err := io.WriteString(x, filler); err != nil {
				return
			}
		}
	}
}

var filler = strings.Repeat("x", 64<<10)

// bomb is 200 MB in some 200 KB.
var bomb = sync.OnceValue(func() []byte {
	squeeze := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, text)
		z.Close()
		return b.Bytes()
	}
	return slices.Concat(squeeze(`{"message":"`), bytes.Repeat(squeeze(strings.Repeat(filler, 16)), 200))
})

// cut ends the connection after part of a body.
func cut(reset bool, length int, body string) answerer {
	return func(x exchange) {
		x.u.mu.Lock()
		x.u.reset = reset
		x.u.mu.Unlock()
		if body != "" {
			x.Header().Set("Content-Type", "application/json")
			if length > 0 {
				x.Header().Set("Content-Length", fmt.Sprint(length))
			}
			io.WriteString(x, body)
			http.NewResponseController(x.ResponseWriter).Flush()
		}
		panic(http.ErrAbortHandler)
	}
}

const half = `{"key":"dark-mode","items":[{"key":"da`

// faultKinds are the rows of the matrix.
var faultKinds = []faultKind{
	{name: "401", answer: says(401, `{"code":"unauthorized","message":"Invalid access token"}`)},
	{name: "403", answer: says(403, `{"code":"forbidden","message":"Access to the requested resource was denied"}`)},
	{name: "403 of a proxy, HTML", answer: says(403, signIn, "Content-Type", "text/html")},
	{name: "404", answer: says(404, `{"code":"not_found","message":"Unknown resource"}`)},
	{name: "405 approval required", answer: says(405, `{"code":"method_not_allowed","message":"Flag configuration updates require approval: action 'updateOn' not allowed"}`)},
	{name: "409 lock", answer: says(409, `{"code":"optimistic_locking_error","message":"Conflict"}`)},
	{name: "409 duplicate", answer: says(409, `{"code":"conflict","message":"A resource with this key exists already"}`)},

	{name: "429 once, Retry-After in seconds", times: 1, fine: true, answer: slowDown(named("Retry-After"), named("2"))},
	{name: "429 once, Retry-After is a date", times: 1, fine: true, answer: slowDown(named("Retry-After"), func(now time.Time) string {
		return now.Add(3 * time.Second).UTC().Format(http.TimeFormat)
	})},
	{name: "429 once, X-Ratelimit-Reset in ms", times: 1, fine: true, answer: slowDown(named("X-Ratelimit-Reset"), millisIn(2*time.Second))},
	{name: "429 once, no header", times: 1, fine: true, answer: slowDown(nil, nil)},
	{name: "429 once, reset in the past", times: 1, fine: true, answer: slowDown(named("X-Ratelimit-Reset"), millisIn(-time.Hour))},
	{name: "429 once, negative reset", times: 1, fine: true, answer: slowDown(named("X-Ratelimit-Reset"), named("-5000"))},
	{name: "429 once, negative Retry-After", times: 1, fine: true, answer: slowDown(named("Retry-After"), named("-3"))},
	{name: "429 once, Retry-After is a date in the past", times: 1, fine: true, answer: slowDown(named("Retry-After"), func(now time.Time) string {
		return now.Add(-time.Hour).UTC().Format(http.TimeFormat)
	})},
	{name: "429 once, Retry-After is NaN", times: 1, fine: true, answer: slowDown(named("Retry-After"), named("NaN"))},
	{name: "429 once, its clock 3 h ahead", times: 1, fine: true, answer: skewed(3 * time.Hour)},
	{name: "429 once, its clock 3 h behind", times: 1, fine: true, answer: skewed(-3 * time.Hour)},
	{name: "429 always, Retry-After in seconds", answer: slowDown(named("Retry-After"), named("2"))},
	{name: "429 always, no header", answer: slowDown(nil, nil)},
	{name: "429, Retry-After of 10^9 s", answer: slowDown(named("Retry-After"), named("1000000000"))},
	{name: "429, Retry-After of 10^30 s", answer: slowDown(named("Retry-After"), named("1e30"))},
	{name: "429, Retry-After is a date in 100 years", answer: slowDown(named("Retry-After"), func(now time.Time) string {
		return now.AddDate(100, 0, 0).UTC().Format(http.TimeFormat)
	})},
	{name: "429, X-Ratelimit-Reset in 100 years", answer: slowDown(named("X-Ratelimit-Reset"), func(now time.Time) string {
		return fmt.Sprint(now.AddDate(100, 0, 0).UnixMilli())
	})},
	{name: "429, X-Ratelimit-Reset at the end of time", answer: slowDown(named("X-Ratelimit-Reset"), named("9223372036854775807"))},

	{name: "500", lost: true, answer: says(500, `{"code":"internal_service_error","message":"it broke"}`)},
	{name: "502, HTML", lost: true, answer: says(502, signIn, "Content-Type", "text/html")},
	{name: "503", lost: true, answer: says(503, `{"message":"Service unavailable"}`, "Retry-After", "1000000000")},
	{name: "504, empty", lost: true, answer: says(504, "")},
	{name: "500 with 200 MB", lost: true, answer: large(500, false)},

	{name: "connection refused", noDial: true},
	{name: "connection lost without an answer", lost: true, answer: cut(false, 0, "")},
	{name: "connection reset without an answer", lost: true, answer: cut(true, 0, "")},
	{name: "connection reset in the body", lost: true, answer: cut(true, 0, half)},
	{name: "Content-Length of more than is sent", lost: true, answer: cut(false, 100_000, half)},
	{name: "no HTTP", lost: true, answer: func(x exchange) {
		conn, out, err := x.ResponseWriter.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		out.WriteString("SSH-2.0-OpenSSH_9.7\r\n")
		out.Flush()
		conn.Close()
	}},
	{name: "hang", lost: true, answer: func(x exchange) {
		<-x.r.Context().Done()
	}},
	{name: "a byte a second", lost: true, answer: drip},

	{name: "truncated JSON", lost: true, answer: says(200, half)},
	{name: "200 without a body", lost: true, answer: says(200, "")},
	{name: "204", lost: true, deletes: true, answer: says(204, "")},
	{name: "HTML", lost: true, answer: says(200, signIn, "Content-Type", "text/html")},
	{name: "HTML that is said to be JSON", lost: true, answer: says(200, signIn)},
	{name: "JSON that is said to be text", alters: true, fine: true, answer: func(x exchange) {
		x.real.Header().Set("Content-Type", "text/plain")
		pass(x, x.real)
	}},
	{name: "redirect to another host", lost: true, answer: says(302, "", "Location", "http://elsewhere.example/api/v2/flags")},
	{name: "redirect (307) to another host", lost: true, answer: says(307, "", "Location", "http://elsewhere.example/api/v2/flags")},
	{name: "gzip bomb", lost: true, answer: func(x exchange) {
		x.Header().Set("Content-Type", "application/json")
		x.Header().Set("Content-Encoding", "gzip")
		x.Write(bomb())
	}},
	{name: "200 MB", lost: true, answer: large(200, true)},
	{name: "200 MB of unknown length", lost: true, answer: large(200, false)},

	{name: "null", lost: true, deletes: true, answer: says(200, "null")},
	{name: "empty object", lost: true, deletes: true, answer: says(200, "{}")},
	{name: "array instead of an object", lost: true, answer: says(200, `[{"key":"dark-mode"}]`)},
	{name: "object instead of an array", lost: true, deletes: true, answer: says(200, `{"items":{"key":"x"},"environments":[],"_links":{"self":{}}}`)},
	{name: "unknown enum values", alters: true, fine: true, answer: altered(func(o map[string]any) {
		for _, name := range []string{"kind", "status", "op", "role"} {
			if _, ok := o[name].(string); ok {
				o[name] = "quantum"
			}
		}
	})},
	{name: "unknown fields", alters: true, fine: true, answer: altered(func(o map[string]any) { o["novelty"] = []any{map[string]any{"x": nil}} })},
	{name: "missing fields", alters: true, fine: true, answer: altered(func(o map[string]any) {
		for name := range o {
			if _, inner := o[name].(map[string]any); !inner && !slices.Contains(telling, name) {
				delete(o, name)
			}
		}
	})},
	{name: "null fields", alters: true, fine: true, answer: altered(func(o map[string]any) {
		for name, v := range o {
			if _, inner := v.(map[string]any); !inner && !slices.Contains(telling, name) {
				o[name] = nil
			}
		}
	})},
	{name: "Date 3 h ahead", alters: true, fine: true, answer: func(x exchange) {
		x.real.Header().Set("Date", time.Now().Add(3*time.Hour).UTC().Format(http.TimeFormat))
		pass(x, x.real)
	}},
}
