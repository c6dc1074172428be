package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	request = `{"jsonrpc":"2.0","id":1,"method":"tools/call"}` + "\n"
	answer  = `{"jsonrpc":"2.0","id":1,"result":{}}` + "\n"
)

// readAll reads c to its end in the background; the channel gets the text and is closed then.
func readAll(c *conversation) chan string {
	done := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(c)
		done <- string(text)
		close(done)
	}()
	return done
}

func ended(done chan string) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestEndOfInputWaitsForAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    string
		close string // what closes the last open request, "" if nothing has to
	}{
		"answered":      {request, answer},
		"no line break": {strings.TrimSpace(request), answer},
		"string id":     {`{"id":"a","method":"ping"}` + "\n", `{"id":"a","result":{}}` + "\n"},
		"error answer":  {request, `{"id":1,"error":{"code":-1,"message":""}}` + "\n"},
		"notification":  {`{"method":"notifications/initialized"}` + "\n", ""},
		"cancelled":     {request + `{"method":"notifications/cancelled","params":{"requestId":1}}` + "\n", ""},
		"listening":     {`{"id":7,"method":"subscriptions/listen"}` + "\n", ""},
		"client answer": {`{"id":3,"result":{}}` + "\n", ""},
		"rubbish":       {"{nonsense\n", ""},
		"nothing":       {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				conv := converse(t.Context(), strings.NewReader(c.in), &out, time.Minute)
				done := readAll(conv)
				if early := ended(done); early != (c.close == "") {
					t.Errorf("ended before the answer: %t", early)
				}
				if c.close == "" {
					return
				}
				io.WriteString(conv, `{"id":99,"method":"elicitation/create"}`+"\n")
				if ended(done) {
					t.Error("a question to the client counted as an answer")
				}
				io.WriteString(conv, c.close)
				if !ended(done) {
					t.Error("did not end after the answer")
				}
				if !strings.HasSuffix(out.String(), c.close) {
					t.Errorf("wrote %q", out.String())
				}
			})
		})
	}
}

func TestEndOfInputWaitsNotForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		done := readAll(converse(t.Context(), strings.NewReader(request), io.Discard, time.Minute))
		start := time.Now()
		if got := <-done; got != request {
			t.Errorf("read %q", got)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("waited %s", took)
		}
	})
}

func TestSignalEndsInput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		in, client := io.Pipe()
		done := readAll(converse(ctx, in, io.Discard, time.Minute))
		io.WriteString(client, request)
		if ended(done) {
			t.Fatal("ended while the client is there")
		}
		start := time.Now()
		cancel()
		<-done
		if took := time.Since(start); took != lastWords {
			t.Errorf("a call in progress was given %s", took)
		}
		client.Close()
	})
}

// A server that gets no answer from LaunchDarkly answers clients at once: what
// the token may do is read in the background, and ends with the server.
func TestServeNeedsNoNetworkToStart(t *testing.T) {
	t.Parallel()
	in := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
`
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	got := invoke(t, []string{"LD_ACCESS_TOKEN=" + realToken}, in, "--base-url", silent.URL)
	if got.err != nil {
		t.Fatal(got.err)
	}
	if !strings.Contains(got.stdout, `"serverInfo"`) || !strings.Contains(got.stdout, `"list-flags"`) {
		t.Errorf("got %s", got.stdout)
	}
}
