package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// hostedServer stands in for the MCP server that LaunchDarkly hosts; it lets in whoever has token.
func hostedServer(t *testing.T, token string) string {
	t.Helper()
	theirs := server.NewMCPServer("theirs", "1", server.WithToolCapabilities(true))
	theirs.AddTool(mcp.NewTool("query-logs", mcp.WithReadOnlyHintAnnotation(true), mcp.WithString("projectKey")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("two lines"), nil
	})
	theirs.AddTool(mcp.NewTool("create-graph", mcp.WithDestructiveHintAnnotation(false)), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("a graph"), nil
	})
	inner := server.NewStreamableHTTPServer(theirs)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, `{"error":"invalid_token","error_description":"who is `+r.Header.Get("Authorization")+`?"}`, http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/mcp"
}

// Where the access token would go elsewhere than was meant, the program does not start.
func TestHostedOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, says string }{
		{"tools --hosted-tools query-logs --region eu", "LaunchDarkly hosts no MCP server for --region eu"},
		{"tools --hosted-tools query-logs --region federal", "LaunchDarkly hosts no MCP server for --region federal"},
		{"tools --hosted-tools query-logs --base-url https://proxy.example", "name it with --hosted-url"},
		{"tools --hosted-tools query-logs --sandbox", "the sandbox has no hosted server"},
		{"tools --hosted-tools query-logs --sandbox --hosted-url https://mcp.launchdarkly.com/mcp/launchdarkly", "only a server on this machine"},
		{"tools --hosted-tools query-logs --hosted-url http://mcp.example.com/mcp", "unencrypted"},
		{"tools --hosted-tools query-logs --hosted-url https://u:p@mcp.example.com/mcp", "no user"},
		{"tools --hosted-tools query-logs --hosted-url mcp.example.com", "must begin with https://"},
		{"tools --hosted-tools [", "not a glob"},
		{"tools --hosted-tools=,", "holds no name"},
		{"tools --hosted-tools list-flags --sandbox --hosted-url http://127.0.0.1:1/mcp", "its own list-flags"},
	} {
		got := invoke(t, nil, "", strings.Fields(c.line)...)
		if got.code() != 2 || !strings.Contains(got.err.Error(), c.says) || strings.Contains(got.err.Error(), "u:p") {
			t.Errorf("%s: %d: %v", c.line, got.code(), got.err)
		}
	}
	for line, want := range map[string]string{
		"version --hosted-tools query-logs":                                                  "https://mcp.launchdarkly.com/mcp/launchdarkly",
		"version --hosted-tools query-logs --base-url https://app.launchdarkly.com/":         "https://mcp.launchdarkly.com/mcp/launchdarkly",
		"version --hosted-tools query-logs --region eu --hosted-url https://mcp.example/mcp": "https://mcp.example/mcp",
		"version --hosted-url https://mcp.example/mcp --region eu":                           "https://mcp.example/mcp",
		"version": "",
	} {
		a, _, err := parsed(t, nil, strings.Fields(line)...)
		if got := strings.Join(a.HostedURL, " "); err != nil || got != want {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

// The commands know hosted tools as the server does.
func TestHostedCommands(t *testing.T) {
	t.Parallel()
	url := hostedServer(t, "api-sandbox")
	with := func(names, line string) outcome {
		return invoke(t, nil, "", append(strings.Fields(line), "--sandbox", "--hosted-url", url, "--hosted-tools", names)...)
	}
	if got := with("query-*,create-graph,nothing", "tools --toolsets account --all"); got.err != nil || !strings.Contains(got.stdout, "hosted ") ||
		!strings.Contains(got.stdout, "query-logs ") || !strings.Contains(got.stdout, "no: LaunchDarkly's hosted server has no tool of this name") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	if got := with("*", "call query-logs projectKey=shop"); got.err != nil || got.stdout != "two lines\n" {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	if got := with("*", "call create-graph"); got.err == nil || !strings.Contains(got.err.Error(), `confirm: "create-graph"`) {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	if got := with("*", "call query-log"); got.err == nil || !strings.Contains(got.err.Error(), "did you mean query-logs") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	if got := with("*", "doctor"); got.err != nil || !strings.Contains(got.stdout, "ok    hosted       2 of 2 tools are passed through") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	if got := with("query-logs,nothing", "doctor"); got.err != nil || !strings.Contains(got.stdout, "warn  hosted       1 of 2 tools are passed through; not there: nothing; left out: none") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	refuses := hostedServer(t, "another")
	got := invoke(t, nil, "", "doctor", "--sandbox", "--hosted-url", refuses, "--hosted-tools", "*")
	if got.err != nil || !strings.Contains(got.stdout, "warn  hosted ") || !strings.Contains(got.stdout, "(HTTP 401)") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	got = invoke(t, nil, "", "tools", "--toolsets", "account", "--sandbox", "--hosted-url", refuses, "--hosted-tools", "query-logs")
	if got.err != nil || !strings.Contains(got.stdout, "query-logs") || !strings.Contains(got.stderr, "hosted tools are shown as they are named") {
		t.Errorf("%v\n%s%s", got.err, got.stdout, got.stderr)
	}
}

// Nobody hears of the token, whatever a hosted server does with it.
func TestHostedKeepsTheToken(t *testing.T) {
	t.Parallel()
	base := proxy(t, func(*recorded) {})
	var mu sync.Mutex
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte(`{"message":"not with ` + r.Header.Get("Authorization") + `"}`))
	}))
	t.Cleanup(srv.Close)
	for _, line := range []string{"call query-logs", "tools", "doctor --json", "call query-logs --log-level debug"} {
		got := invoke(t, []string{"LD_ACCESS_TOKEN=" + realToken}, "", append(strings.Fields(line), "--base-url", base, "--hosted-url", srv.URL, "--hosted-tools", "query-logs")...)
		all := got.stdout + got.stderr
		if got.err != nil {
			all += got.err.Error()
		}
		if strings.Contains(all, realToken) || !strings.Contains(all, "not with Bearer") {
			t.Errorf("%s: %s", line, all)
		}
	}
	if asked == 0 {
		t.Error("the hosted server was never asked")
	}
}

// Over HTTP each caller's hosted tools are called with the caller's own token.
func TestHostedTokensOfCallers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	tokens := map[string]bool{}
	theirs := server.NewMCPServer("theirs", "1", server.WithToolCapabilities(true))
	theirs.AddTool(mcp.NewTool("query-logs", mcp.WithReadOnlyHintAnnotation(true)), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("for " + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer api-sandbox")), nil
	})
	inner := server.NewStreamableHTTPServer(theirs)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		tokens[r.Header.Get("Authorization")] = true
		mu.Unlock()
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	u := newUpstream(t, nil)
	p := startServer(t, nil, "--base-url", u.url, "--auth", "passthrough", "--hosted-url", srv.URL, "--hosted-tools", "query-logs")
	has(t, "the writer", p.call("Bearer "+sandbox.WriterToken, "query-logs", `{}`, ""), 200, `"for "`)
	has(t, "the reader", p.call("Bearer "+sandbox.ReaderToken, "query-logs", `{}`, ""), 200, `"for -reader"`)
	has(t, "the writer again", p.call("Bearer "+sandbox.WriterToken, "query-logs", `{}`, ""), 200, `"for "`)
	mu.Lock()
	defer mu.Unlock()
	if len(tokens) != 2 {
		t.Errorf("the hosted server got %v", tokens)
	}
}
