// Package sandbox is an in-memory LaunchDarkly account with the REST API's own
// semantics: instructions, versions, audit log, approvals, paging, error
// shapes, rate-limit headers. It is an http.Handler, and an http.RoundTripper
// that opens no socket.
package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The tokens that the account accepts; any other answers 401.
const (
	WriterToken = "api-sandbox"
	ReaderToken = "api-sandbox-reader"
	// ReviewerToken is of another member who may write, to review what WriterToken requests.
	ReviewerToken = "api-sandbox-reviewer"
)

// Options shape a new account.
type Options struct {
	// Flags, when above zero, replaces the shop's flags with this many generated ones.
	Flags int
	// Now is the account's clock; nil means time.Now. The shop's history ends at the first reading.
	Now func() time.Time
	// RateLimit is the number of requests that one window of ten seconds allows; 0 is more than anyone needs.
	RateLimit int
}

// Account is one account's whole state. It is safe for concurrent use.
type Account struct {
	mu     sync.Mutex
	now    func() time.Time
	past   int64  // above zero while history is written: the time that changes get
	actor  *token // who makes the changes that come from no request
	routed []*route
	state

	faults []Fault
	log    []Request
	count  uint64 // requests ever seen
	rate   rateWindow
}

// state is what requests change.
type state struct {
	last     int64 // the latest change's time in epoch ms, so that no two changes share one
	ids      uint64
	projects []*project
	members  []*member
	teams    []*team
	roles    []*role
	tokens   []*token
	repos    []*repository
	contexts []*seenContext
	audit    []*auditEntry // oldest first
	pending
	expiring []*expiringTarget
	integrationState
	applications []*application
	aiLag        int // reads of an AI config that a change of it shows late in
}

// Request is one request that the account has seen.
type Request struct {
	Method, Path, Query string
	Header              http.Header
	Body                []byte
	Status              int
	Writes              bool // it would change the account, whether or not it succeeded
}

// Fault replaces the account's answer to a coming request.
type Fault struct {
	Status int                      // status to answer; 0 closes the connection without an answer
	Body   string                   // body to answer, as it is
	Header map[string]string        // headers to answer
	Match  func(*http.Request) bool // nil matches every request
	After  bool                     // the request is carried out first, then the answer is replaced
}

// New returns an account that holds the sandbox's shop.
func New(o Options) *Account {
	a := &Account{now: o.Now, rate: newRateWindow(o.RateLimit)}
	if a.now == nil {
		a.now = time.Now
	}
	a.routes()
	a.seed(o)
	return a
}

// Copy returns an account that holds what a holds, for the price of a tenth of a
// new one. Nobody may change a afterwards, for the two share its audit log.
func (a *Account) Copy() *Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := &Account{now: a.now, rate: newRateWindow(a.rate.limit), state: copied(a.state)}
	b.routes()
	return b
}

// Next orders a fault for the next matching request; several are served in order.
func (a *Account) Next(f Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, f)
}

// Requests returns the requests seen so far, oldest first; a long-lived account forgets the oldest.
func (a *Account) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.log)
}

// Writes returns the requests seen so far that change the account.
func (a *Account) Writes() []Request {
	return slices.DeleteFunc(a.Requests(), func(r Request) bool { return !r.Writes })
}

// RequireApproval makes an environment refuse direct changes to the given
// kinds, "flag", "segment" and "aiconfig"; no kind means all.
func (a *Account) RequireApproval(projectKey, environmentKey string, kinds ...string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var e *environment
	if p := a.findProject(projectKey); p != nil {
		e = p.env(environmentKey)
	}
	if e == nil {
		return fmt.Errorf("the sandbox has no environment %s/%s: name one of its own", projectKey, environmentKey)
	}
	if len(kinds) == 0 {
		kinds = []string{"flag", "segment", "aiconfig"}
	}
	for _, kind := range kinds {
		switch kind {
		case "flag":
			e.FlagApprovals.Required = true
		case "segment":
			e.SegmentApprovals.Required = true
		case "aiconfig":
			e.AIConfigApprovals.Required = true
		default:
			return fmt.Errorf("approvals exist for flag, segment and aiconfig, not %q: use one of these", kind)
		}
	}
	return nil
}

// RoundTrip answers r from memory.
func (a *Account) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w, err := a.serve(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: w.code, Status: fmt.Sprintf("%d %s", w.code, http.StatusText(w.code)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.head, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// ServeHTTP answers r over a real connection.
func (a *Account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := a.serve(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), answer.head)
	w.WriteHeader(answer.code)
	w.Write(answer.body.Bytes())
}

type reply struct {
	code int
	head http.Header
	body bytes.Buffer
	id   string // identifies the answer in an error's body
}

func (w *reply) Header() http.Header         { return w.head }
func (w *reply) WriteHeader(code int)        { w.code = code }
func (w *reply) Write(b []byte) (int, error) { return w.body.Write(b) }
