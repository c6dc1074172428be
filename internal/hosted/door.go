package hosted

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

type tripKey struct{}

// trip is one call on its way.
type trip struct {
	sent   atomic.Bool                // a connection came about, so the server may have the request
	failed atomic.Pointer[brokenBody] // why reading the reply failed
	result json.RawMessage            // what the server answered, as it is
}

type brokenBody struct{ error }

// tap takes lists and answers out of replies before they are decoded: one tool
// that does not decode must not hide the others.
type tap struct{ *transport.StreamableHTTP }

// SendRequest implements transport.Interface.
func (t *tap) SendRequest(ctx context.Context, req transport.JSONRPCRequest) (*transport.JSONRPCResponse, error) {
	got, err := t.StreamableHTTP.SendRequest(ctx, req)
	trip, _ := ctx.Value(tripKey{}).(*trip)
	if err != nil {
		if ctx.Err() != nil && req.Method == string(mcp.MethodToolsCall) && trip != nil && trip.sent.Load() {
			go t.cancel(context.WithoutCancel(ctx), req.ID)
		}
		return nil, err
	}
	if trip == nil || req.Method != string(mcp.MethodToolsList) && req.Method != string(mcp.MethodToolsCall) {
		return got, nil
	}
	if got.ID.String() != req.ID.String() && (got.Error == nil || !got.ID.IsNil()) { // an error without one is of a request that was not understood
		return nil, errOther
	}
	if got.Error != nil {
		return nil, &Error{Kind: Protocol, Code: got.Error.Code, Message: got.Error.Message}
	}
	trip.result = got.Result
	got.Result = json.RawMessage(`{"content":[]}`)
	if req.Method == string(mcp.MethodToolsList) {
		got.Result = decodable(trip.result)
	}
	return got, nil
}

var errOther = errors.New("its answer is to another request")

// decodable is a list of those tools that mcp-go understands; it wants to know
// which arguments go into headers too.
func decodable(list json.RawMessage) json.RawMessage {
	var page struct {
		Tools []json.RawMessage `json:"tools"`
	}
	kept := []json.RawMessage{}
	if json.Unmarshal(list, &page) == nil {
		for _, raw := range page.Tools {
			if json.Unmarshal(raw, new(mcp.Tool)) == nil {
				kept = append(kept, raw)
			}
		}
	}
	page.Tools = kept
	b, err := json.Marshal(page)
	if err != nil {
		return json.RawMessage(`{"tools":[]}`)
	}
	return b
}

// cancel tells a server with sessions that nobody waits for a call; others see it by the connection.
func (t *tap) cancel(ctx context.Context, id mcp.RequestId) {
	if t.GetSessionId() == "" {
		return
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	var n mcp.JSONRPCNotification
	n.JSONRPC, n.Method = mcp.JSONRPC_VERSION, string(mcp.MethodNotificationCancelled)
	n.Params.AdditionalFields = map[string]any{"requestId": id, "reason": "nobody waits for it"}
	_ = t.SendNotification(ctx, n) // the call has ended in any case
}

// door is the way to the server and back: what does not look like success
// becomes an *Error, and no reply is longer than maxBody.
type door struct {
	host string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (d *door) RoundTrip(r *http.Request) (*http.Response, error) {
	t, _ := r.Context().Value(tripKey{}).(*trip)
	if t != nil {
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { t.sent.Store(true) }}))
	}
	resp, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		resp.Body = &bounded{resp.Body, maxBody, t}
		return resp, nil
	}
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	resp.Body.Close()
	session := r.Header.Get(transport.HeaderKeySessionID) != ""
	if said := inProtocol(data); resp.StatusCode == http.StatusBadRequest && said && !session {
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data)) // versions are negotiated so
		return resp, nil
	}
	e := &Error{Host: d.host, Kind: Status, Status: resp.StatusCode, Message: words(resp, data)}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(min(s, 24*3600)) * time.Second
	}
	if session && (e.Status == http.StatusNotFound || e.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(e.Message), "session")) {
		e.Kind, e.Message = Lost, "the session ended"
	}
	return nil, e
}

func inProtocol(data []byte) bool {
	var m struct {
		JSONRPC string
		Error   *struct{ Code int }
	}
	return json.Unmarshal(data, &m) == nil && m.JSONRPC != "" && m.Error != nil
}

var htmlTag = pattern.Of(`(?s)<(script|style)[^>]*>.*?</(script|style)>|<[^>]*>`)

// words are what the server says of a failure, in whatever form.
func words(resp *http.Response, data []byte) string {
	if resp.StatusCode < 400 {
		return "it redirects elsewhere, which is not followed because the access token would leave with it"
	}
	var m struct {
		Message     string
		Description string `json:"error_description"`
		Error       json.RawMessage
	}
	if json.Unmarshal(data, &m) == nil {
		var inner struct{ Message string }
		var plain string
		_ = json.Unmarshal(m.Error, &inner) // the one or the other
		_ = json.Unmarshal(m.Error, &plain)
		for _, text := range []string{inner.Message, m.Message, m.Description, plain} {
			if text != "" {
				return text
			}
		}
	}
	if text := strings.Join(strings.Fields(htmlTag().ReplaceAllString(string(data), " ")), " "); text != "" {
		return text
	}
	return http.StatusText(resp.StatusCode)
}

// bounded is the body of a reply.
type bounded struct {
	io.ReadCloser
	left int64
	trip *trip
}

var errTooLong = fmt.Errorf("its reply is larger than %d MB", maxBody>>20)

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		n, err = 0, errTooLong
	}
	if err != nil && !errors.Is(err, io.EOF) && b.trip != nil {
		b.trip.failed.CompareAndSwap(nil, &brokenBody{err})
	}
	return n, err
}
