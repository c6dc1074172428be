package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// recording answers as the sandbox did when it was asked the same for the first
// time, so that a benchmark does not measure the sandbox.
type recording struct {
	*sandbox.Account
	mu       sync.Mutex
	answers  map[string]recorded
	requests int
}

type recorded struct {
	header http.Header
	status int
	body   []byte
}

func (r *recording) RoundTrip(req *http.Request) (*http.Response, error) {
	what := req.Method + " " + req.URL.String()
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		what += " " + string(body)
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	a, ok := r.answers[what]
	if !ok {
		resp, err := r.Account.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		a = recorded{header: resp.Header, status: resp.StatusCode}
		if a.body, err = io.ReadAll(resp.Body); err != nil {
			return nil, err
		}
		r.answers[what] = a
	}
	return &http.Response{StatusCode: a.status, Header: a.header, ContentLength: int64(len(a.body)), Body: io.NopCloser(bytes.NewReader(a.body)), Request: req}, nil
}

// BenchmarkCall is all that a call costs between the transport and LaunchDarkly.
func BenchmarkCall(b *testing.B) {
	const production = `{"projectKey":"shop","flagKey":"new-checkout","environmentKey":"production"`
	for _, of := range []struct {
		name, tool, args, holds string
		flags                   int
	}{
		{"one flag", "get-flag", production + `}`, `"key":"new-checkout"`, 0},
		{"list of 20", "list-flags", `{"projectKey":"shop"}`, `"nextOffset":20`, 500},
		{"list of 200", "list-flags", `{"projectKey":"shop","limit":200}`, `"nextOffset":200`, 500},
		{"refused by the guard", "toggle-flag", production + `,"on":false,"comment":"why"}`, `"isError":true`, 0},
		{"preview on 40 contexts", "preview-change", `{"projectKey":"shop","flagKey":"new-checkout","instructions":[{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"true":60,"false":40}}]}`, `"changing":5`, 0},
		{"audit log, 20 entries", "query-audit-log", `{"projectKey":"shop"}`, `"nextCursor"`, 0},
	} {
		b.Run(of.name, func(b *testing.B) {
			account := &recording{Account: sandbox.New(sandbox.Options{Flags: of.flags}), answers: map[string]recorded{}}
			ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account})
			if err != nil {
				b.Fatal(err)
			}
			s, err := tools.New(tools.Options{Client: ld, Confirm: tools.ConfirmAsk, MaxReplyBytes: 20_000})
			if err != nil {
				b.Fatal(err)
			}
			message := json.RawMessage(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, of.tool, of.args))
			call := func() []byte {
				reply, err := json.Marshal(s.MCP().HandleMessage(b.Context(), message))
				if err != nil {
					b.Fatal(err)
				}
				return reply
			}
			if reply := call(); !strings.Contains(strings.ReplaceAll(string(reply), `\"`, `"`), of.holds) {
				b.Fatalf("%s is missing in %s", of.holds, reply)
			}
			for _, r := range account.Requests() {
				if r.Writes {
					b.Fatalf("%s %s was sent", r.Method, r.Path)
				}
			}
			account.requests = 0
			b.ReportAllocs()
			size, calls := 0, 0
			for b.Loop() {
				size += len(call())
				calls++
			}
			b.ReportMetric(float64(size)/float64(calls), "reply-B/op")
			b.ReportMetric(float64(account.requests)/float64(calls), "requests/op")
		})
	}
}
