package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody = 10 << 20
	maxLog  = 20_000
)

var errDropped = errors.New("the sandbox closed the connection without an answer")

// serve answers one request and logs it; an error stands for a dropped connection.
func (a *Account) serve(r *http.Request) (*reply, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
			return nil, err
		}
	}
	path := r.URL.EscapedPath()
	segs, clean := segments(path)
	method := verb(r)
	in := r.Clone(r.Context()) // a RoundTripper must leave the request as it was
	in.Method, in.ContentLength = method, int64(len(body))
	rewind := func() { in.Body = io.NopCloser(bytes.NewReader(body)) }

	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	a.runDue()
	w := a.newReply()
	rewind()
	fault, faulty := a.takeFault(in)
	rewind()
	if !faulty || fault.After {
		a.answer(w, in, segs, clean)
	}
	var err error
	if faulty {
		w = a.newReply()
		err = fault.write(w)
	}
	if r.Method == http.MethodHead {
		w.body.Reset()
	}
	if len(a.log) >= maxLog {
		a.log = slices.Delete(a.log, 0, maxLog/2)
	}
	a.log = append(a.log, Request{
		Method: r.Method, Path: path, Query: r.URL.RawQuery, Header: r.Header.Clone(),
		Body: body, Status: w.code, Writes: changes(method, segs, r.URL.Query().Get("dryRun")),
	})
	return w, err
}

func (a *Account) newReply() *reply {
	w := &reply{code: http.StatusOK, head: http.Header{}, id: uuidFrom(errorIDs + a.count)}
	w.head.Set("Date", a.now().UTC().Format(http.TimeFormat))
	return w
}

// verb is the request's method, or the one that a POST carries in a header.
func verb(r *http.Request) string {
	if r.Method == http.MethodPost {
		switch m := r.Header.Get("X-HTTP-Method-Override"); m {
		case http.MethodPatch, http.MethodPut, http.MethodDelete:
			return m
		}
	}
	return r.Method
}

func (a *Account) takeFault(r *http.Request) (Fault, bool) {
	i := slices.IndexFunc(a.faults, func(f Fault) bool { return f.Match == nil || f.Match(r) })
	if i < 0 {
		return Fault{}, false
	}
	f := a.faults[i]
	a.faults = slices.Delete(a.faults, i, i+1)
	return f, true
}

func (f Fault) write(w *reply) error {
	if f.Status == 0 {
		w.code = 0
		return errDropped
	}
	if json.Valid([]byte(f.Body)) {
		w.head.Set("Content-Type", "application/json")
	} else if f.Body != "" {
		w.head.Set("Content-Type", http.DetectContentType([]byte(f.Body)))
	}
	for k, v := range f.Header {
		w.head.Set(k, v)
	}
	w.WriteHeader(f.Status)
	io.WriteString(w, f.Body)
	return nil
}

// answer does what every route has in common and then runs the route's handler.
func (a *Account) answer(w *reply, r *http.Request, segs []string, clean bool) {
	a.expire()
	rt, known := a.find(r.Method, segs)
	if !clean {
		rt, known = nil, false
	}
	if !a.rate.allow(w.head, rt, a.now()) {
		fail(w, http.StatusTooManyRequests, "rate_limited", "You have exceeded the API rate limit. Try again later.")
		return
	}
	if rt == nil || !rt.public {
		tok := a.caller(r)
		if tok == nil {
			fail(w, http.StatusUnauthorized, "unauthorized", "Invalid access token")
			return
		}
		if rt != nil && !a.allowed(w, r, rt, tok) {
			return
		}
		a.bypasses = slices.Contains(a.bypassing, tok.Value)
	}
	switch {
	case rt != nil:
		for i, s := range rt.segs {
			if name, ok := wildcard(s); ok {
				r.SetPathValue(name, segs[i])
			}
		}
		a.advance()
		if tok := a.caller(r); tok != nil && tok.Enforced && !rt.public {
			a.enforced(w, r, rt, tok)
			return
		}
		rt.handle(w, r)
	case known:
		fail(w, http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed")
	default:
		fail(w, http.StatusNotFound, "not_found", "Unknown resource")
	}
}

// allowed checks the version header and the token's role.
func (a *Account) allowed(w http.ResponseWriter, r *http.Request, rt *route, tok *token) bool {
	version := r.Header.Get("LD-API-Version")
	if version != "" && version != "beta" && !slices.Contains(apiVersions, version) {
		fail(w, http.StatusBadRequest, "invalid_request", "LD-API-Version "+strconv.Quote(version)+" is not a valid version")
		return false
	}
	if rt.beta && version != "beta" {
		fail(w, http.StatusForbidden, "forbidden", "This resource is in beta. To use it, set the LD-API-Version header to beta")
		return false
	}
	if tok.Role == "reader" && !tok.Enforced && changes(r.Method, rt.segs, "") {
		fail(w, http.StatusForbidden, "forbidden", noPermission)
		return false
	}
	return true
}

var apiVersions = []string{"20160426", "20191212", "20210729", "20220603", "20240415"}

// caller is the token that a request carries, or nil.
func (a *Account) caller(r *http.Request) *token {
	value := r.Header.Get("Authorization")
	i := slices.IndexFunc(a.tokens, func(t *token) bool { return t.Value != "" && t.Value == value })
	if i < 0 {
		return nil
	}
	return a.tokens[i]
}

// Posts that only read.
var readingPosts = [][]string{
	{"auditlog"},
	{"auditlog", "counts"},
	{"projects", "{}", "environments", "{}", "contexts", "search"},
	{"projects", "{}", "environments", "{}", "context-instances", "search"},
	{"projects", "{}", "environments", "{}", "flags", "evaluate"},
	{"projects", "{}", "environments", "{}", "segments", "evaluate"},
	{"projects", "{}", "flags", "{}", "environments", "{}", "migration-safety-issues"},
}

func changes(method string, segs []string, dryRun string) bool {
	switch method {
	case http.MethodGet, http.MethodHead:
		return false
	case http.MethodPost:
		return dryRun != "true" && !slices.ContainsFunc(readingPosts, func(p []string) bool { return matches(p, segs) })
	}
	return dryRun != "true"
}

// rateWindow counts the requests of ten seconds.
type rateWindow struct {
	limit  int
	reset  time.Time
	total  int
	routes map[*route]int
}

const (
	windowLength = 10 * time.Second
	plenty       = 1_000_000
)

func newRateWindow(limit int) rateWindow {
	if limit <= 0 {
		limit = plenty
	}
	return rateWindow{limit: limit, routes: map[*route]int{}}
}

func (l *rateWindow) allow(head http.Header, rt *route, now time.Time) bool {
	if !now.Before(l.reset) {
		l.reset, l.total = now.Add(windowLength), 0
		clear(l.routes)
	}
	l.total++
	l.routes[rt]++
	for name, used := range map[string]int{"Global": l.total, "Route": l.routes[rt]} {
		head.Set("X-Ratelimit-"+name+"-Limit", strconv.Itoa(l.limit))
		head.Set("X-Ratelimit-"+name+"-Remaining", strconv.Itoa(max(l.limit-used, 0)))
	}
	head.Set("X-Ratelimit-Reset", strconv.FormatInt(l.reset.UnixMilli(), 10))
	return l.limit == plenty || l.total <= l.limit
}

// tick is the time of a change in epoch ms: later than that of any change before it.
func (a *Account) tick() int64 {
	if a.past != 0 {
		return a.past
	}
	a.last = max(a.now().UnixMilli(), a.last+1)
	return a.last
}

// Ids come from a counter, so that two accounts with the same history have the same ones.
const errorIDs = 1 << 60

func (a *Account) uuid() string {
	a.ids++
	return uuidFrom(a.ids)
}

func (a *Account) objectID() string {
	a.ids++
	x := mix(a.ids)
	return fmt.Sprintf("%08x%016x", uint32(mix(x)), x)
}

func uuidFrom(n uint64) string {
	hi := mix(n)
	lo := mix(hi)
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xffff, lo>>48, lo&0xffffffffffff)
}

// mix is the finishing step of the SplitMix64 generator: it maps numbers one to one.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func matches(pattern, segs []string) bool {
	if len(pattern) != len(segs) {
		return false
	}
	for i, p := range pattern {
		if _, free := wildcard(p); !free && p != segs[i] {
			return false
		}
	}
	return true
}

func wildcard(s string) (name string, ok bool) {
	if strings.HasPrefix(s, "{") {
		return strings.Trim(s, "{}"), true
	}
	return "", false
}
