package ldclient

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

// Error is LaunchDarkly's error reply, or what stood in its place.
type Error struct {
	Method, Path string
	Status       int           // HTTP status
	Code         string        // LaunchDarkly's code, "" where the reply had none
	Message      string        // LaunchDarkly's own words, or a sentence on what came instead
	ID           string        // LaunchDarkly's correlation id, often ""
	RetryAfter   time.Duration // on 429, how long LaunchDarkly wants the caller to wait
	Emails       []string      // addresses that cannot be invited
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s (HTTP %d", e.Message, e.Status)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.ID != "" {
		s += ", id " + e.ID
	}
	return s + ")"
}

// InvalidError is a call that was refused before any request because an argument cannot be right.
type InvalidError struct{ Message string }

func (e *InvalidError) Error() string { return e.Message }

// ErrReadOnly is returned for a write where writes are not allowed. No request was made.
var ErrReadOnly = errors.New("this client is read-only")

// TransportError is a request that got no usable reply: the connection failed,
// the reply was cut short, or it was not LaunchDarkly's.
type TransportError struct {
	Method, Path string
	Message      string
	Unsure       bool // the request was a write and may have been carried out
	Err          error
}

func (e *TransportError) Error() string { return e.Message }
func (e *TransportError) Unwrap() error { return e.Err }

// Status returns the HTTP status of a LaunchDarkly error in err's chain, 0 if there is none.
func Status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// IsNotFound reports whether LaunchDarkly answered 404.
func IsNotFound(err error) bool { return Status(err) == http.StatusNotFound }

var approval = pattern.Of(`(?i)approval`)

// IsApprovalRequired reports whether a change was refused because it needs an
// approval: 405 for flags, 403 for segments, with the word in the message.
func IsApprovalRequired(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusForbidden) && approval().MatchString(e.Message)
}

// IsLock reports whether a change lost a race with another one, so that it was not carried out.
func IsLock(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusConflict && e.Code == "optimistic_locking_error"
}
