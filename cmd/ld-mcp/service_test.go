package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ld-mcp/ld-mcp/cmd/ld-mcp/gateway"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// upstream is LaunchDarkly for a server in a process of its own.
type upstream struct {
	*sandbox.Account
	url string

	mu   sync.Mutex
	seen []*http.Request
}

// newUpstream serves a sandbox; before may answer a request in its place.
func newUpstream(t *testing.T, before func(http.ResponseWriter, *http.Request) (answered bool)) *upstream {
	t.Helper()
	u := &upstream{Account: sandbox.New(sandbox.Options{})}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.seen = append(u.seen, r.Clone(t.Context()))
		u.mu.Unlock()
		if before == nil || !before(w, r) {
			u.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	u.url = srv.URL
	return u
}

// requests counts those with a token, "" for any, whose path ends so.
func (u *upstream) requests(token, end string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, r := range u.seen {
		if (token == "" || r.Header.Get("Authorization") == token) && strings.HasSuffix(r.URL.Path, end) {
			n++
		}
	}
	return n
}

func has(t *testing.T, what string, got reply, status int, wants ...string) {
	t.Helper()
	if got.status != status {
		t.Errorf("%s: %d, want %d: %.300s", what, got.status, status, got.text)
	}
	for _, want := range wants {
		if hidden, ok := strings.CutPrefix(want, "!"); ok == strings.Contains(got.text, strings.TrimPrefix(want, "!")) && (ok || hidden != "") {
			t.Errorf("%s: %q in %.400s", what, want, got.text)
		}
	}
}

const (
	getFlag    = `{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"test"}`
	getMobile  = `{"projectKey":"mobile","limit":1}`
	turnOn     = `{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"test","on":true,"comment":"because"}`
	turnOff    = `{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"test","on":false,"comment":"because"}`
	production = `{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"production","on":true,"comment":"launch"}`
)

// With keys each call has a name, and what one caller was asked another cannot answer.
func TestServiceWithKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ann, line1 := gateway.NewKey("ann")
	bob, line2 := gateway.NewKey("bob")
	file, audit := filepath.Join(dir, "keys"), filepath.Join(dir, "audit")
	if err := os.WriteFile(file, []byte(line1+"\n"+line2+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	limited := make(chan struct{}, 1)
	limited <- struct{}{}
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/dark-mode") {
			return false
		}
		select {
		case <-limited:
			w.Header().Set("Retry-After", "0")
			w.Header().Set("X-Ratelimit-Reset", fmt.Sprint(time.Now().UnixMilli()))
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		default:
			return false
		}
	})
	p := startServer(t, []string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken}, "--base-url", u.url, "--auth", "bearer", "--auth-keys-file", file, "--audit-file", audit)
	has(t, "no key", p.request("POST", p.base+"/mcp", "", listTheTools), 401)
	has(t, "a key in the query", p.request("POST", p.base+"/mcp?access_token="+ann, "", listTheTools), 401)
	has(t, "another key", p.request("POST", p.base+"/mcp", "Bearer ldm-nobody", listTheTools), 401)
	has(t, "metrics without a key", p.request("GET", p.base+"/metrics", "", ""), 401)
	has(t, "ann reads", p.call("Bearer "+ann, "get-flag", getFlag, ""), 200, "dark-mode", `!isError":true`)
	has(t, "bob changes", p.call("Bearer "+bob, "toggle-flag", turnOff, ""), 200, `\"changed\":true`)
	has(t, "no such tool", p.call("Bearer "+bob, "unheard-of-tool", `{}`, ""), 200, "error")

	// A client of the newest protocol carries the question and its answer itself.
	modern := func(who, more string) reply {
		req, err := http.NewRequestWithContext(t.Context(), "POST", p.base+"/mcp", strings.NewReader(toolCall("1", "toggle-flag", production,
			`,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`+more)))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Authorization": "Bearer " + who, "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
			"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "toggle-flag"} {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return reply{status: resp.StatusCode, text: string(text)}
	}
	asked := modern(ann, "")
	state := regexp.MustCompile(`"requestState":"([^"]+)"`).FindStringSubmatch(asked.text)
	if state == nil {
		t.Fatalf("not asked: %d %s", asked.status, asked.text)
	}
	yes := fmt.Sprintf(`,"requestState":%q,"inputResponses":{"confirm":{"action":"accept","content":{}}}`, state[1])
	has(t, "bob answers for ann", modern(bob, yes), 200, "does not hold", `!\"changed\":true`)
	has(t, "ann answers", modern(ann, yes), 200, `\"changed\":true`)

	metrics := p.request("GET", p.metrics+"/metrics", "", "")
	has(t, "metrics", metrics, 200, `ld_mcp_calls_total{outcome="ok",tool="get-flag"} 1`, `ld_mcp_calls_total{outcome="asked",tool="toggle-flag"} 1`,
		`ld_mcp_calls_total{outcome="refused",tool="toggle-flag"} 1`, `ld_mcp_calls_total{outcome="ok",tool="toggle-flag"} 2`,
		`ld_mcp_call_duration_seconds_bucket{tool="get-flag",le="10"} 1`, `ld_mcp_upstream_requests_total{method="GET",status="200"}`,
		`ld_mcp_upstream_requests_total{method="GET",status="429"} 1`, "ld_mcp_upstream_retries_total 1", "ld_mcp_rate_limit_remaining",
		"ld_mcp_sessions 0", "ld_mcp_calls_in_progress 0", `ld_mcp_denied_total{status="401"} 4`,
		"!unheard-of", "!ann", "!bob", "!"+ann, "!dark-mode", "!"+sandbox.WriterToken, "!rate_limit_remaining -1")

	changes := 0
	for _, r := range u.seen {
		if r.Method == http.MethodPatch && r.URL.Query().Get("dryRun") == "" {
			changes++
		}
	}
	if changes != 2 {
		t.Errorf("%d changes were sent", changes)
	}

	p.Process.Signal(syscall.SIGTERM)
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	for where, got := range map[string]string{"audit": string(text), "log": p.log()} {
		for _, secret := range []string{ann, bob, sandbox.WriterToken + `"`} {
			if strings.Contains(got, secret) {
				t.Errorf("the %s holds %s", where, secret)
			}
		}
	}
	if !strings.Contains(string(text), `"person":"bob"`) {
		t.Errorf("the audit file names no caller: %s", text)
	}
	lines := 0
	for line := range strings.Lines(p.log()) {
		if strings.Contains(line, `"msg":"call"`) {
			lines++
			if !regexp.MustCompile(`"tool":"[\w-]+","resource":"[^"]+","outcome":"\w+".*"client":"\w*","caller":"(ann|bob)"`).MatchString(line) {
				t.Errorf("a call's line: %s", line)
			}
		}
	}
	if lines != 5 {
		t.Errorf("%d lines of calls", lines)
	}
}

// With their own tokens callers do what their tokens may, and get no reply of each other's.
func TestServiceWithPassthrough(t *testing.T) {
	t.Parallel()
	const silent = "api-of-the-silent"
	u := newUpstream(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == silent {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	p := startServer(t, nil, "--base-url", u.url, "--auth", "passthrough")
	has(t, "no token", p.request("POST", p.base+"/mcp", "", listTheTools), 401)
	has(t, "a token in the query", p.request("POST", p.base+"/mcp?access_token="+sandbox.WriterToken, "", listTheTools), 401)
	has(t, "a token in the arguments", p.call("", "whoami", `{"token":"`+sandbox.WriterToken+`"}`, ""), 401)
	has(t, "an SDK key", p.request("POST", p.base+"/mcp", "Bearer sdk-12345678-90ab-cdef", listTheTools), 401)
	if u.requests("", "") != 0 {
		t.Errorf("LaunchDarkly was asked %d times", u.requests("", ""))
	}
	const unknown = "api-of-nobody"
	for range 5 {
		got := p.request("POST", p.base+"/mcp", "Bearer "+unknown, listTheTools)
		if has(t, "an unknown token", got, 401, "!"+unknown); !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("no challenge: %v", got.header)
		}
	}
	if n := u.requests(unknown, ""); n != 1 {
		t.Errorf("LaunchDarkly was asked %d times about an unknown token", n)
	}
	start := time.Now()
	got := p.request("POST", p.base+"/mcp", "Bearer "+silent, listTheTools)
	if has(t, "LaunchDarkly is away", got, 502, "!"+silent); got.header.Get("WWW-Authenticate") != "" || time.Since(start) > 15*time.Second {
		t.Errorf("after %s: %v", time.Since(start), got.header)
	}
	writer, reader := "Bearer "+sandbox.WriterToken, "Bearer "+sandbox.ReaderToken
	for range 3 {
		has(t, "the writer reads", p.call(writer, "get-flag", getFlag, ""), 200, "dark-mode")
		has(t, "the reader reads", p.call(reader, "get-flag", getFlag, ""), 200, "dark-mode")
	}
	for _, token := range []string{sandbox.WriterToken, sandbox.ReaderToken} {
		if n := u.requests(token, "/flags/shop/dark-mode"); n == 0 {
			t.Errorf("nothing was read as %s: the reply was another's", token)
		}
	}
	has(t, "the reader changes", p.call(reader, "toggle-flag", turnOff, ""), 200, `"isError":true`)
	has(t, "the writer changes", p.call(writer, "toggle-flag", turnOff, ""), 200, `\"changed\":true`)
	has(t, "the writer, sent as LaunchDarkly wants it", p.call(sandbox.WriterToken, "toggle-flag", turnOn, ""), 200, `\"changed\":true`)
	for _, r := range u.seen {
		if strings.Contains(r.URL.String(), "api-") {
			t.Errorf("a token in an address: %s", r.URL)
		}
	}
	p.Process.Signal(syscall.SIGTERM)
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	callers := map[string]bool{} // by LaunchDarkly's ids of them
	for _, found := range regexp.MustCompile(`"caller":"([0-9a-f]{24})"`).FindAllStringSubmatch(p.log(), -1) {
		callers[found[1]] = true
	}
	if len(callers) != 2 {
		t.Errorf("the log names %v", callers)
	}
	for _, secret := range []string{silent, unknown, sandbox.ReaderToken} {
		if strings.Contains(p.log(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

// With an identity provider a caller's groups decide on the tools and the projects.
func TestServiceWithOIDC(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "k", Algorithm: "ES256", Use: "sig"}
	var issuer *httptest.Server
	issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/keys") {
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}})
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%[1]q,"token_endpoint":%[1]q,"jwks_uri":"%[1]s/keys","id_token_signing_alg_values_supported":["ES256"]}`, issuer.URL)
	}))
	defer issuer.Close()
	token := func(name string, groups ...string) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jwk}, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{"iss": issuer.URL, "aud": "ld-mcp", "sub": name, "email": name + "@example.com", "groups": groups, "exp": time.Now().Add(time.Hour).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.Sign(body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + text
	}
	u := newUpstream(t, nil)
	p := startServer(t, []string{"LD_ACCESS_TOKEN=" + sandbox.WriterToken}, "--base-url", u.url, "--auth", "oidc", "--oidc-issuer", issuer.URL, "--oidc-audience", "ld-mcp",
		"--public-url", "http://localhost:1", "--oidc-readers", "everyone", "--oidc-writers", "shop-team=shop")
	at := p.expect("address")
	p.base = "http://" + at
	reader, writer := token("rita", "everyone"), token("will", "shop-team")
	has(t, "no group", p.request("POST", p.base+"/mcp", token("eve", "strangers"), listTheTools), 403)
	if got := p.request("POST", p.base+"/mcp", "", listTheTools); got.status != 401 || !strings.Contains(got.header.Get("WWW-Authenticate"), "resource_metadata=") {
		t.Errorf("nobody: %d %v", got.status, got.header)
	}
	has(t, "metadata", p.request("GET", p.base+"/.well-known/oauth-protected-resource/mcp", "", ""), 200, issuer.URL)
	has(t, "the reader's tools", p.request("POST", p.base+"/mcp", reader, listTheTools), 200, `"get-flag"`, `!"toggle-flag"`)
	has(t, "the writer's tools", p.request("POST", p.base+"/mcp", writer, listTheTools), 200, `"get-flag"`, `"toggle-flag"`)
	for range 2 { // the second time what LaunchDarkly said is still known
		has(t, "the reader reads elsewhere", p.call(reader, "list-flags", getMobile, ""), 200, "totalCount")
		has(t, "the writer reads elsewhere", p.call(writer, "list-flags", getMobile, ""), 200, `"isError":true`, "!totalCount")
		has(t, "the writer's projects", p.call(writer, "list-projects", `{}`, ""), 200, "shop", `!\"mobile\"`)
		has(t, "the reader's projects", p.call(reader, "list-projects", `{}`, ""), 200, "shop", `\"mobile\"`)
	}
	if n := u.requests("", "/flags/mobile"); n != 1 {
		t.Errorf("mobile was read %d times: replies are not shared, or a scope was passed by", n)
	}
	has(t, "the reader changes", p.call(reader, "toggle-flag", turnOff, ""), 200, `"isError":true`)
	has(t, "the writer changes", p.call(writer, "toggle-flag", turnOff, ""), 200, `\"changed\":true`)
	has(t, "the reader sees it", p.call(reader, "get-flag", getFlag, ""), 200, `\"on\":false`)
	session := p.request("POST", p.base+"/mcp", reader, initialize).header.Get("Mcp-Session-Id")
	for who, want := range map[string]int{reader: 200, writer: 404, token("rita2", "everyone"): 404} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", p.base+"/mcp", strings.NewReader(listTheTools))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Authorization": who, "Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Session-Id": session} {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("rita's session: %d, want %d", resp.StatusCode, want)
		}
	}
	p.Process.Signal(syscall.SIGTERM)
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"rita", "will"} {
		if !regexp.MustCompile(`"caller":"[^"]*` + name).MatchString(p.log()) {
			t.Errorf("the log does not name %s", name)
		}
	}
}
