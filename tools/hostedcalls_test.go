package tools_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
)

const hostedLimit = 2000

// reading starts a server that passes one tool through, which reads and answers with result.
func reading(t *testing.T, result string, change ...func(*setup)) *rig {
	t.Helper()
	f := newFake(t, def("query-logs", readsOnly))
	f.answer = func(string, map[string]any) string { return result }
	return startHosted(t, f, []string{"query-logs"}, append(change, func(s *setup) { s.MaxReplyBytes = hostedLimit })...)
}

// TestHostedReply: an answer is passed on as it is, without secrets and what nobody sees, and never cut in silence.
func TestHostedReply(t *testing.T) {
	t.Parallel()
	const uuid = "0b6b4b52-6b0e-4c7e-8a53-0f2f7d3f9c11"
	picture := base64.StdEncoding.EncodeToString(make([]byte, 3000))
	for name, test := range map[string]struct{ result, want string }{
		"text":              {textResult("a line\n\tand another"), "a line\n\tand another"},
		"several texts":     {`{"content":[{"type":"text","text":"one"},{"type":"text","text":""},{"type":"text","text":"two"}]}`, "one\ntwo"},
		"JSON as it is":     {textResult(`{ "b": 1.50,  "a": [12345678901234567890] }`), `{ "b": 1.50,  "a": [12345678901234567890] }`},
		"text wins":         {`{"content":[{"type":"text","text":"one"}],"structuredContent":{"a":1}}`, "one"},
		"structure alone":   {`{"content":[],"structuredContent":{"b": 12345678901234567890, "a": [1]}}`, `{"b":12345678901234567890,"a":[1]}`},
		"nothing":           {`{"content":[]}`, "LaunchDarkly's hosted tool answered without a word."},
		"less than nothing": {`{}`, "LaunchDarkly's hosted tool answered without a word."},
		"nulls":             {`{"content":null,"structuredContent":null}`, "LaunchDarkly's hosted tool answered without a word."},
		"unseen":            {textResult("a\u200bb\u202ec\U000E0041d\x00e\u00adf"), "abcdef"},
		"picture":           {`{"content":[{"type":"image","data":"` + picture + `","mimeType":"image/png"}]}`, "[Not passed on: image of 3000 bytes (image/png)]"},
		"sound and text":    {`{"content":[{"type":"text","text":"hear"},{"type":"audio","data":"AAAA","mimeType":"audio/wav\nx"}]}`, "hear\n[Not passed on: audio of 3 bytes (audio/wav x)]"},
		"resource":          {`{"content":[{"type":"resource","resource":{"uri":"ld://x","mimeType":"text/plain","text":"12345"}}]}`, "[Not passed on: resource of 5 bytes (text/plain) ld://x]"},
		"link":              {`{"content":[{"type":"resource_link","uri":"https://example.com/?k=api-` + uuid + `","name":"n"}]}`, "[Not passed on: resource link https://example.com/?k=api-****]"},
		"of another kind":   {`{"content":[{"type":"hologram\nobey"},7]}`, "[Not passed on: part of an unknown kind ]\n[Not passed on: part of an unknown kind ]"},
		"shape of a secret": {textResult("key sdk-" + uuid + ", mob-" + uuid), "key sdk-****, mob-****"},
		"own token":         {textResult("you sent Bearer " + hostedToken), "you sent Bearer ****ests"},
		"secret fields":     {textResult(`{"apiKey":"abc","api_key": "d\"ef","secret":"s","clientSecret":"x","token":"t","name":"kept","nextPageToken":"kept","totalTokens":7}`), `{"apiKey":"****","api_key": "****","secret":"****","clientSecret":"****","token":"****","name":"kept","nextPageToken":"kept","totalTokens":7}`},
		"fields in strings": {textResult(`{"log":"{\"password\":\"hunter2\",\"user\":\"ada\"}"}`), `{"log":"{\"password\":\"****\",\"user\":\"ada\"}"}`},
		"twice in strings":  {textResult(`{"log":"\"{\\\"mobileKey\\\":\\\"hunter2\\\",\\\"user\\\":\\\"ada\\\"}\""}`), `{"log":"\"{\\\"mobileKey\\\":\\\"****\\\",\\\"user\\\":\\\"ada\\\"}\""}`},
		"lines":             {textResult("Authorization: Bearer abcdefghijkl\nPASSWORD=correcthorse next_page_token=abcdefghijkl"), "Authorization: Bearer ****\nPASSWORD=**** next_page_token=abcdefghijkl"},
		"structured secret": {`{"content":[],"structuredContent":{"webhookSecret":"abc","n":1}}`, `{"webhookSecret":"****","n":1}`},
		"broken UTF-8":      {`{"content":[{"type":"text","text":"a` + "\xff" + `b"}]}`, "a\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := reading(t, test.result, ofToken).call("query-logs", `{}`); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	for name, result := range map[string]string{
		"long":              textResult(strings.Repeat("line\n", 10_000)),
		"a little too long": textResult(strings.Repeat("x", hostedLimit+1)),
		"wide":              textResult(strings.Repeat("🎏ß€", 10_000)),
		"very long":         textResult(strings.Repeat("ß", 1_000_000)),
		"many parts":        `{"content":[` + strings.TrimSuffix(strings.Repeat(`{"type":"text","text":"part"},`, 5000), ",") + `]}`,
		"structure":         `{"content":[],"structuredContent":{"a":"` + strings.Repeat("y", 50_000) + `"}}`,
		"all of it secret":  textResult(strings.Repeat(`"password":"`+strings.Repeat("p", 90_000)+`"`, 3)),
		"long and pictures": `{"content":[{"type":"text","text":"` + strings.Repeat("z", 5000) + `"},` + strings.TrimSuffix(strings.Repeat(`{"type":"image","data":"AAAA"},`, 50), ",") + `]}`,
	} {
		got := reading(t, result).call("query-logs", `{}`)
		if len(got) > hostedLimit || !utf8.ValidString(got) || !strings.Contains(got, "[Cut: the answer has ") || strings.Contains(got, "ppp") {
			t.Errorf("%s: %d bytes: …%s", name, len(got), got[max(0, len(got)-300):])
		}
	}
	parts := `{"content":[` + strings.TrimSuffix(strings.Repeat(`{"type":"resource_link","uri":"ld://`+strings.Repeat("u", 190)+`"},`, 50), ",") + `]}`
	if got := reading(t, parts).call("query-logs", `{}`); len(got) > hostedLimit || !strings.Contains(got, "Not passed on: several parts") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	got := reading(t, textResult(strings.Repeat("x", hostedLimit))).call("query-logs", `{}`)
	if got != strings.Repeat("x", hostedLimit) {
		t.Errorf("what fits is cut: %d bytes", len(got))
	}
}

// TestHostedFailure: whatever goes wrong is said in a sentence with the next step; a change is sent once at most, and said
// to be undone only where that is certain.
func TestHostedFailure(t *testing.T) {
	t.Parallel()
	status := func(code int, body string, headers ...string) func(*fakeHosted) {
		return func(f *fakeHosted) {
			f.around = func(w http.ResponseWriter, _ *http.Request, method string) bool {
				if method != "tools/call" {
					return false
				}
				for i := 0; i < len(headers); i += 2 {
					w.Header().Set(headers[i], headers[i+1])
				}
				w.WriteHeader(code)
				io.WriteString(w, body)
				return true
			}
		}
	}
	answers := func(result string) func(*fakeHosted) {
		return func(f *fakeHosted) { f.answer = func(string, map[string]any) string { return result } }
	}
	const certain, unknown = "Nothing was changed.", "It is not known whether anything was changed"
	for name, test := range map[string]struct {
		fail        func(*fakeHosted)
		says, after string // after a change
	}{
		"its own error":       {answers(`{"isError":true,"content":[{"type":"text","text":"no such\n dashboard."}]}`), "answered with an error: no such dashboard. ", unknown},
		"its own long error":  {answers(`{"isError":true,"content":[{"type":"text","text":"` + strings.Repeat("e", 9000) + `"}]}`), "eee", unknown},
		"an error of nothing": {answers(`{"isError":true,"content":[]}`), "it gave no reason. ", unknown},
		"invalid params":      {answers(`{"error":{"code":-32602,"message":"limit must be a number"}}`), "limit must be a number. ", certain},
		"no such method":      {answers(`{"error":{"code":-32601,"message":"unknown"}}`), "unknown. ", certain},
		"internal":            {answers(`{"error":{"code":-32603,"message":"it broke api-0b6b4b52-6b0e-4c7e-8a53-0f2f7d3f9c11"}}`), "it broke api-****. ", unknown},
		"asks back":           {answers(`{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"Your password?","requestedSchema":{"type":"object","properties":{}}}}},"requestState":"s"}`), "asks its caller something", unknown},
		"not a result":        {answers(`"text"`), "does not answer as an MCP server does", unknown},
		"401":                 {status(401, `{"error":"invalid_token","error_description":"The token is unknown"}`), "The token is unknown (HTTP 401). LaunchDarkly documents OAuth", certain},
		"403":                 {status(403, `{"code":"forbidden","message":"Access to query-logs is denied"}`), "Access to query-logs is denied (HTTP 403). The token's role", certain},
		"429":                 {status(429, `{"message":"Too many requests"}`, "Retry-After", "7"), "wait 7 s", certain},
		"429 without a time":  {status(429, ``), "wait 10 s", certain},
		"500":                 {status(500, `<html><head><style>x{}</style></head><body><h1>Oops</h1></body></html>`), "Oops (HTTP 500). ", unknown},
		"502 of a proxy":      {status(502, ``), "Bad Gateway (HTTP 502). ", unknown},
		"408":                 {status(408, ``), "Request Timeout (HTTP 408). ", unknown},
		"redirect":            {status(307, ``, "Location", "https://example.com/mcp"), "redirects elsewhere, which is not followed", certain},
		"a page":              {status(200, `<html>log in</html>`, "Content-Type", "text/html"), "does not answer as an MCP server does", unknown},
		"no JSON":             {status(200, `{"jsonrpc":"2.0","id":`, "Content-Type", "application/json"), "cut short", unknown},
		"too long":            {status(200, `{"jsonrpc":"2.0","id":1,"result":{"x":"`+strings.Repeat("x", 9<<20)+`"}}`, "Content-Type", "application/json"), "larger than 8 MB", unknown},
		"too long a stream":   {status(200, "data: "+strings.Repeat("x", 9<<20)+"\n\n", "Content-Type", "text/event-stream"), "larger than 8 MB", unknown},
		"another's answer":    {status(200, `{"jsonrpc":"2.0","id":9999,"result":{"content":[{"type":"text","text":"for your eyes only"}]}}`, "Content-Type", "application/json"), "its answer is to another request", unknown},
		"another's error":     {status(200, `{"jsonrpc":"2.0","id":9999,"error":{"code":-32602,"message":"for your eyes only"}}`, "Content-Type", "application/json"), "its answer is to another request", unknown},
		"another's event":     {status(200, `data: {"jsonrpc":"2.0","id":9999,"result":{"content":[{"type":"text","text":"for your eyes only"}]}}`+"\n\n", "Content-Type", "text/event-stream"), "its answer is to another request", unknown},
		"an empty stream":     {status(200, "", "Content-Type", "text/event-stream"), "does not answer as an MCP server does", unknown},
		"cut short":           {status(200, `{"jsonrpc":"2.0"`, "Content-Type", "application/json", "Content-Length", "500"), "cut short", unknown},
		"hangs up": {func(f *fakeHosted) {
			f.around = func(w http.ResponseWriter, _ *http.Request, method string) bool {
				if method == "tools/call" {
					panic(http.ErrAbortHandler)
				}
				return false
			}
		}, "cut short", unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, def("query-logs", readsOnly), def("create-graph", adds, "projectKey", "env"))
			r := startHosted(t, f, []string{"query-logs", "create-graph"})
			r.hostedRead(t)
			f.change(test.fail)
			read := r.call("query-logs", `{}`)
			if !strings.HasPrefix(read, "! LaunchDarkly's hosted ") || !strings.Contains(read, test.says) || strings.Contains(read, "changed") || len(read) > 2200 {
				t.Errorf("read: %s", read)
			}
			if !strings.HasSuffix(read, ".") {
				t.Errorf("read: no whole sentence: %s", read)
			}
			if strings.Contains(read, "larger than") && !strings.Contains(read, "Ask for less") || strings.Contains(read, "eyes only") {
				t.Errorf("read: %s", read)
			}
			write := r.call("create-graph", `{"projectKey":"shop","env":"test"}`)
			if !strings.HasPrefix(write, "! LaunchDarkly's hosted ") || !strings.Contains(write, test.says) || !strings.Contains(write, test.after) {
				t.Errorf("write: %s", write)
			}
			if strings.Contains(write, certain) == strings.Contains(write, unknown) {
				t.Errorf("write: both or neither: %s", write)
			}
			if got := f.seen(); len(got) != 2 {
				t.Errorf("sent %v", got)
			}
			if got := r.call("list-projects", `{}`); strings.HasPrefix(got, "!") {
				t.Errorf("ours: %s", got)
			}
		})
	}
}

// TestHostedDown: a server that is not there, or goes in the middle, costs nobody else anything, and is found again.
func TestHostedDown(t *testing.T) {
	t.Parallel()
	f := newFake(t, def("query-logs", readsOnly), def("create-graph", adds, "projectKey", "env"))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	r := startHosted(t, &fakeHosted{URL: "http://" + address + "/mcp"}, []string{"query-logs", "create-graph"})
	for _, call := range []string{"query-logs", "create-graph"} {
		got := r.call(call, `{"projectKey":"shop","env":"test"}`)
		if !strings.Contains(got, "could not be reached") || !strings.Contains(got, "other tools of this server do not need it") {
			t.Error(got)
		}
	}
	if got := r.call("list-projects", `{}`); strings.HasPrefix(got, "!") {
		t.Errorf("ours: %s", got)
	}
	if ln, err = net.Listen("tcp", address); err != nil {
		t.Skip(err) // somebody took the port
	}
	srv := &httptest.Server{Listener: ln, Config: &http.Server{Handler: f}}
	srv.Start()
	if got := r.call("query-logs", `{}`); got != "done" {
		t.Errorf("once it is back: %s", got)
	}
	srv.CloseClientConnections()
	srv.Close()
	if got := r.call("create-graph", `{"projectKey":"shop","env":"test"}`); !strings.Contains(got, "do not need it") || !strings.Contains(got, "Nothing was changed.") {
		t.Errorf("once it is gone: %s", got)
	}
}

// TestHostedSilence: nobody waits longer than a call may take, and a change without an answer is not called undone.
func TestHostedSilence(t *testing.T) {
	t.Parallel()
	f := newFake(t, def("query-logs", readsOnly), def("create-graph", adds, "projectKey", "env"))
	r := startHosted(t, f, []string{"query-logs", "create-graph"}, func(s *setup) { s.Timeout = 300 * time.Millisecond })
	r.hostedRead(t)
	f.change(func(f *fakeHosted) {
		f.around = func(_ http.ResponseWriter, r *http.Request, method string) bool {
			if method == "tools/call" {
				f.mu.Unlock()
				<-r.Context().Done()
				f.mu.Lock()
			}
			return method == "tools/call"
		}
	})
	if got := r.call("query-logs", `{}`); !strings.Contains(got, "did not answer in time. Ask for less") {
		t.Error(got)
	}
	if got := r.call("create-graph", `{"projectKey":"shop","env":"test"}`); !strings.Contains(got, "did not answer in time. It is not known whether") || strings.Contains(got, "Nothing was changed") {
		t.Error(got)
	}
	for end := time.Now().Add(10 * time.Second); f.count("notifications/cancelled") < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server is told of %d calls that nobody waits for", f.count("notifications/cancelled"))
		}
	}
}

// TestHostedSession: a session that the server forgot is begun anew; a read goes out again then, a change never does.
func TestHostedSession(t *testing.T) {
	t.Parallel()
	for name, forgotten := range map[string]func(http.ResponseWriter){
		"404": func(w http.ResponseWriter) { http.Error(w, "Session not found", http.StatusNotFound) },
		"400": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, def("query-logs", readsOnly), def("create-graph", adds, "projectKey", "env"))
			r := startHosted(t, f, []string{"query-logs", "create-graph"})
			r.hostedRead(t)
			lose := func(on string) {
				f.change(func(f *fakeHosted) {
					f.around = func(w http.ResponseWriter, _ *http.Request, method string) bool {
						if method != on {
							return false
						}
						f.around = nil
						forgotten(w)
						return true
					}
				})
			}
			lose("tools/call")
			if got := r.call("query-logs", `{}`); got != "done" || f.count("initialize") != 2 || len(f.seen()) != 2 {
				t.Errorf("%d sessions, sent %v: %s", f.count("initialize"), f.seen(), got)
			}
			lose("tools/list")
			if got := r.call("create-graph", `{"projectKey":"shop","env":"test"}`); got != "done" || f.count("initialize") != 3 || len(f.seen()) != 3 {
				t.Errorf("%d sessions, sent %v: %s", f.count("initialize"), f.seen(), got)
			}
			lose("tools/call")
			got := r.call("create-graph", `{"projectKey":"shop","env":"test"}`)
			if !strings.Contains(got, "the session ended") || !strings.Contains(got, "Nothing was changed") || len(f.seen()) != 4 {
				t.Errorf("sent %v: %s", f.seen(), got)
			}
			if got := r.call("create-graph", `{"projectKey":"shop","env":"test"}`); got != "done" || len(f.seen()) != 5 {
				t.Errorf("sent %v: %s", f.seen(), got)
			}
			f.change(func(f *fakeHosted) { // for ever
				f.around = func(w http.ResponseWriter, _ *http.Request, method string) bool {
					if method == "tools/call" {
						forgotten(w)
					}
					return method == "tools/call"
				}
			})
			if got := r.call("query-logs", `{}`); !strings.Contains(got, "the session ended") || len(f.seen()) != 7 {
				t.Errorf("sent %v: %s", f.seen(), got)
			}
		})
	}
}

// TestHostedToken: each request carries the token of that moment as a bearer's, and no other host gets it.
func TestHostedToken(t *testing.T) {
	t.Parallel()
	other := newFake(t)
	f := newFake(t, def("query-logs", readsOnly))
	r := startHosted(t, f, []string{"query-logs"}, ofToken)
	r.call("query-logs", `{}`)
	r.server.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := slices.Compact(slices.Sorted(slices.Values(f.tokens))); !slices.Equal(got, []string{"Bearer " + hostedToken}) {
		t.Errorf("sent %v", got)
	}
	if !slices.Contains(f.methods, "DELETE") {
		t.Errorf("the session is not ended: %v", f.methods)
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		f := newFake(t, def("query-logs", readsOnly))
		f.around = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(code)
			return true
		}
		r := startHosted(t, f, []string{"query-logs"})
		if got := r.call("query-logs", `{}`); !strings.Contains(got, "redirects elsewhere") {
			t.Error(got)
		}
	}
	if len(other.methods) > 0 {
		t.Errorf("a redirect was followed: %v", other.methods)
	}
	f = newFake(t, `{"name":"query-logs","title":"With `+hostedToken+`","description":"For `+hostedToken+`","inputSchema":{"type":"object","properties":{"a":{"type":"string","description":"as `+hostedToken+`","default":"`+hostedToken+`"}}}}`)
	r = startHosted(t, f, []string{"query-logs"}, ofToken)
	r.hostedRead(t)
	if got := wireJSON(t, listed(t, r)["query-logs"]); strings.Contains(got, hostedToken) || !strings.Contains(got, "****") {
		t.Error(got)
	}
	f = newFake(t, def("query-logs", readsOnly)) // which repeats what it gets in its error
	f.around = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		http.Error(w, "bad header "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		return true
	}
	if got := startHosted(t, f, []string{"query-logs"}, ofToken).call("query-logs", `{}`); strings.Contains(got, hostedToken) || !strings.Contains(got, "****") {
		t.Error(got)
	}
}

// TestHostedSeveral: of two servers, one that is down does not take the other's tools along, and the first to have a tool has it.
func TestHostedSeveral(t *testing.T) {
	t.Parallel()
	a, b := newFake(t, def("query-logs", readsOnly), def("get-keys", readsOnly)), newFake(t, def("get-keys", readsOnly), def("query-traces", readsOnly))
	for f, says := range map[*fakeHosted]string{a: "a", b: "b"} {
		f.answer = func(string, map[string]any) string { return textResult(says) }
	}
	r := startHosted(t, a, []string{"*"}, func(s *setup) { s.Hosted.URLs = []string{a.URL, b.URL} })
	r.hostedRead(t)
	for name, want := range map[string]string{"query-logs": "a", "get-keys": "a", "query-traces": "b"} {
		if got := r.call(name, `{}`); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	a.change(func(f *fakeHosted) {
		f.around = func(w http.ResponseWriter, _ *http.Request, _ string) bool { w.WriteHeader(503); return true }
	})
	if _, err := r.server.ReadHosted(t.Context()); err == nil {
		t.Error("nobody hears that one of two is down")
	}
	r.server.HoldHosted(0)
	if got := r.call("query-traces", `{}`); got != "b" {
		t.Error(got)
	}
	if got := r.call("query-logs", `{}`); !strings.Contains(got, "HTTP 503") {
		t.Error(got)
	}
	if got := hostedOf(listed(t, r)); len(got) != 3 {
		t.Errorf("%d tools are listed", len(got))
	}
}

// TestHostedProgress: a client that asks is told how far a hosted tool is; what a stranger says is cleaned.
func TestHostedProgress(t *testing.T) {
	t.Parallel()
	f := newFake(t, def("query-logs", readsOnly))
	heard := make(chan string, 10)
	f.around = func(w http.ResponseWriter, _ *http.Request, method string) bool {
		if method != "tools/call" {
			return false
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for _, p := range []string{
			`"progressToken":1,"progress":1,"total":4,"message":"one\u200b\nof four"`, `"progressToken":1,"progress":0.5,"message":"less"`,
			`"progressToken":99,"progress":3`, `"progressToken":"1","progress":3`,
		} {
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{%s}}\n\n", p)
		}
		w.(http.Flusher).Flush()
		if got := <-heard; got != `{"message":"one of four","progress":101,"progressToken":"p","total":104}` {
			t.Errorf("told %s", got)
		}
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":4}}\n\n")
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}\n\n", f.requests, textResult("done"))
		return true
	}
	r := startHosted(t, f, []string{"query-logs"})
	r.hostedRead(t)
	r.client.OnNotification(func(n mcp.JSONRPCNotification) {
		if n.Method == string(mcp.MethodNotificationProgress) {
			heard <- string(must(json.Marshal(n.Params.AdditionalFields)))
		}
	})
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Meta = "query-logs", &mcp.Meta{ProgressToken: "p"}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	res, err := r.client.CallTool(ctx, req)
	if err != nil || res.IsError {
		t.Fatal(res, err)
	}
	if got := res.Content[0].(mcp.TextContent).Text; got != "done" {
		t.Error(got)
	}
	if len(heard) > 0 {
		t.Errorf("told too much: %s", <-heard)
	}
}
