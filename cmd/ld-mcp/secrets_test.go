package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// recorded is one reply of the sandbox on its way to the client.
type recorded struct {
	request *http.Request
	*httptest.ResponseRecorder
}

// proxy serves a sandbox over HTTP which takes realToken for its own; see may look at each reply and change it.
func proxy(t *testing.T, see func(*recorded)) (base string) {
	t.Helper()
	account := sandbox.New(sandbox.Options{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == realToken {
			r.Header.Set("Authorization", sandbox.WriterToken)
		}
		got := &recorded{r, httptest.NewRecorder()}
		account.ServeHTTP(got, r)
		see(got)
		for name, values := range got.Header() {
			w.Header()[name] = values
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(got.Code)
		w.Write(got.Body.Bytes())
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

var keys = regexp.MustCompile(`(sdk|mob)-[0-9a-f]{8}-[0-9a-f-]{27}`)

// TestSecretsAreNeverShown looks for the token, and for the SDK and mobile keys
// that LaunchDarkly sent, in all that a session at debug level prints.
func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	sent := map[string]bool{realToken: true}
	base := proxy(t, func(got *recorded) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(got.request.URL.Path, "no-such-flag") { // an error that repeats what it was sent
			got.Body.Reset()
			fmt.Fprintf(got.Body, `{"code":"bad","message":"token %s and key %s are not welcome"}`, realToken, sdkKey)
			got.Code = http.StatusBadRequest
			sent[sdkKey] = true
		}
		for _, key := range keys.FindAllString(got.Body.String(), -1) {
			sent[key] = true
		}
	})
	calls := []string{
		`list-environments {"projectKey":"shop"}`, `get-environment {"projectKey":"shop","environmentKey":"test"}`,
		`get-project {"projectKey":"shop"}`, `list-projects {}`, `list-flags {"projectKey":"shop"}`, `whoami {}`,
		`get-flag {"projectKey":"shop","flagKey":"dark-mode"}`, `get-flag {"projectKey":"shop","flagKey":"no-such-flag"}`,
		`query-audit-log {"projectKey":"shop"}`, `list-segments {"projectKey":"shop","environmentKey":"test"}`,
		fmt.Sprintf(`get-flag {"projectKey":"shop","flagKey":"%s"}`, realToken), fmt.Sprintf(`get-flag {"projectKey":"%s"}`, realToken),
		`toggle-flag {"projectKey":"shop","flagKey":"dark-mode","environmentKey":"test","on":false}`,
		`toggle-flag {"projectKey":"shop","flagKey":"dark-mode","environmentKey":"production","on":true,"comment":"x"}`,
	}
	var in bytes.Buffer
	for i, c := range calls {
		name, arguments, _ := strings.Cut(c, " ")
		fmt.Fprintf(&in, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`+"\n", i+1, name, arguments)
	}
	audit := filepath.Join(t.TempDir(), "audit")
	environment := []string{"LD_ACCESS_TOKEN=" + realToken, "LD_MCP_LOG_LEVEL=debug", "LD_MCP_AUDIT_FILE=" + audit}
	got := invoke(t, environment, in.String(), "--base-url", base, "--toolsets", "all")
	if got.err != nil {
		t.Fatal(got.err)
	}
	doctor := invoke(t, environment, "", "doctor", "--base-url", base)
	if doctor.err != nil {
		t.Errorf("%v\n%s", doctor.err, doctor.stdout)
	}
	if answers := strings.Count(got.stdout, `"id":`); answers != len(calls) {
		t.Errorf("%d answers to %d calls", answers, len(calls))
	}
	mu.Lock()
	defer mu.Unlock()
	if len(sent) < 4 {
		t.Fatalf("LaunchDarkly sent only %d secrets, so the test shows nothing", len(sent))
	}
	trail, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	for secret := range sent {
		for place, text := range map[string]string{"replies": got.stdout, "log": got.stderr, "doctor": doctor.stdout, "doctor's log": doctor.stderr, "audit file": string(trail)} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s show %s: …%s…", place, secret, text[max(0, at-300):min(len(text), at+60)])
			}
		}
	}
	if !strings.Contains(got.stderr, `"level":"DEBUG"`) {
		t.Error("the log was not at debug level")
	}
}
