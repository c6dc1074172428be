package hosted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Kind says how a call went wrong.
type Kind int

// The ways in which a call goes wrong.
const (
	Unreached Kind = iota // no connection, or none that lasted
	Silent                // no answer in time
	Cancelled             // nobody waits for it any more
	Status                // HTTP said no
	Lost                  // the session ended
	Protocol              // a JSON-RPC error
	Foreign               // an answer that is not MCP's
	TooLong               // an answer that is not read to its end
	Asks                  // the tool wants an answer from its caller
)

// Error is a call that brought no answer of a tool.
type Error struct {
	Host       string
	Kind       Kind
	Status     int           // of HTTP, 0 where there is none
	Code       int           // of JSON-RPC, 0 where there is none
	Message    string        // the server's words, or what happened
	RetryAfter time.Duration // 0 where the server named none
	Sent       bool          // the server may have the request
	Err        error
}

func (e *Error) Error() string { return e.Host + ": " + e.Message }
func (e *Error) Unwrap() error { return e.Err }

// refusals are the codes of JSON-RPC for requests that are not carried out.
var refusals = []int{-32700, -32600, -32601, -32602}

// NotDone reports whether the call was certainly not carried out.
func (e *Error) NotDone() bool {
	return !e.Sent || e.Kind == Lost || e.Status >= 300 && e.Status < 500 && e.Status != http.StatusRequestTimeout || slices.Contains(refusals, e.Code)
}

func lost(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == Lost
}

// failed is failure within a session, which is given up if the server does not know it any more.
func (s *Server) failed(ctx context.Context, t *trip, err error, at *session) error {
	err = s.failure(ctx, t, err)
	if lost(err) {
		s.forget(at)
	}
	return err
}

// failure makes an *Error of whatever went wrong.
func (s *Server) failure(ctx context.Context, t *trip, err error) error {
	e, ok := errors.AsType[*Error](err)
	if ok {
		e.Host, e.Sent = s.host, t.sent.Load()
		return e
	}
	e = &Error{Host: s.host, Sent: t.sent.Load(), Err: err}
	if b := t.failed.Load(); b != nil && ctx.Err() == nil {
		err = b.error
	}
	var u *url.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Kind, e.Message = Cancelled, "the call was cancelled"
	case ctx.Err() != nil:
		e.Kind, e.Message = Silent, "it did not answer in time"
	case errors.Is(err, errTooLong):
		e.Kind, e.Message = TooLong, errTooLong.Error()
	case errors.Is(err, errOther):
		e.Kind, e.Message = Foreign, errOther.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Message = "its reply was cut short"
	case errors.As(err, &u) && e.Sent:
		e.Message = fmt.Sprintf("the connection was lost: %v", u.Err)
	case errors.As(err, &u):
		e.Message = fmt.Sprintf("it could not be reached: %v", u.Err)
	case t.failed.Load() != nil:
		e.Message = fmt.Sprintf("its reply was cut short: %v", err)
	default:
		e.Kind, e.Message = Foreign, fmt.Sprintf("it does not answer as an MCP server does (%v)", err)
	}
	return e
}
