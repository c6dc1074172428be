package tools_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// failing answers 500 to every request whose path holds part.
type failing struct {
	*sandbox.Account
	part string
}

func (f failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, f.part) {
		return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"code":"internal_service_error","message":"it broke"}`))}, nil
	}
	return f.Account.RoundTrip(r)
}

// TestFaults answers the first request of every tool with something else than
// the truth: one clear message comes of it, and nothing is written.
func TestFaults(t *testing.T) {
	const page = "<html><head><title>Sign in</title></head><body>Corporate proxy</body></html>"
	html := map[string]string{"Content-Type": "text/html"}
	for name, test := range map[string]struct {
		fault sandbox.Fault
		times int
		want  string
	}{
		"no token":           {sandbox.Fault{Status: 401, Body: `{"code":"unauthorized","message":"Invalid access token"}`}, 1, "The access token is not valid here"},
		"forbidden":          {sandbox.Fault{Status: 403, Body: `{"code":"forbidden","message":"You may not"}`}, 1, "The token's role"},
		"not LaunchDarkly's": {sandbox.Fault{Status: 200, Body: page, Header: html}, 1, "is not LaunchDarkly's"},
		"sign-in page":       {sandbox.Fault{Status: 403, Body: page, Header: html}, 1, `answered "Sign in Corporate proxy" instead of LaunchDarkly's JSON`},
		"redirect":           {sandbox.Fault{Status: 302, Header: map[string]string{"Location": "https://evil.example"}}, 1, "redirects elsewhere"},
		"cut short":          {sandbox.Fault{Status: 200, Body: `{"items":[{"key":"a"`}, 1, "was cut short"},
		"null":               {sandbox.Fault{Status: 200, Body: `null`}, 1, "holds no "},
		"rate limit":         {sandbox.Fault{Status: 429, Body: `{"code":"rate_limited","message":"Slow down"}`, Header: map[string]string{"Retry-After": "40"}}, 1, "wait 40 s, then try again"},
		"fault":              {sandbox.Fault{Status: 500, Body: `{"message":"it broke"}`}, 1, "It broke (HTTP 500)"},
		"bad gateway":        {sandbox.Fault{Status: 502, Body: page, Header: html}, 5, "LaunchDarkly has a fault at the moment"},
		"no connection":      {sandbox.Fault{}, 5, "could not be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, tool := range everyTool() {
					r := start(t)
					for range test.times {
						r.Next(test.fault)
					}
					got := r.callWith(tool.Name, sample(t, tool, "test"))
					if !strings.HasPrefix(got, "! ") || !strings.Contains(got, test.want) {
						t.Errorf("%s: got %s, want %s", tool.Name, got, test.want)
					}
					if len(got) > 500 || strings.ContainsAny(got, "<>\n") {
						t.Errorf("%s: not one plain message: %s", tool.Name, got)
					}
					if tool.Effect != tools.Read && !strings.Contains(got, "Nothing was changed.") {
						t.Errorf("%s: does not say that nothing was changed: %s", tool.Name, got)
					}
					if n := len(r.Writes()); n > 0 {
						t.Errorf("%s: %d writes", tool.Name, n)
					}
				}
			})
		})
	}
}

// mayWrite tells requests that write, or try to, from those that only search.
func mayWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/auditlog")
}

// TestLostWrites: when the answer to a write is lost, nothing is sent twice and the reply says that it is not known.
func TestLostWrites(t *testing.T) {
	write := func(r *http.Request) bool { return mayWrite(r) && !r.URL.Query().Has("dryRun") }
	for name, fault := range map[string]sandbox.Fault{
		"connection lost after":  {After: true, Match: write},
		"connection lost before": {Match: write},
		"bad gateway after":      {Status: 502, After: true, Match: write},
		"cut short":              {Status: 200, Body: `{"key":"x`, After: true, Match: write},
	} {
		for _, tool := range everyTool() {
			if tool.Effect == tools.Read {
				continue
			}
			r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
			r.Next(fault)
			got := r.callWith(tool.Name, sample(t, tool, "test"))
			if !strings.Contains(got, "It is not known whether the change was made: read the resource before trying again.") || strings.Contains(got, "Nothing was changed") {
				t.Errorf("%s, %s: %s", tool.Name, name, got)
			}
			if n := len(r.Writes()); n != 1 {
				t.Errorf("%s, %s: %d writes were sent, want 1", tool.Name, name, n)
			}
		}
	}
}

// noApproval are writers of which no semantic patch can be made a request, and why.
var noApproval = map[string]string{}

// TestApproval: a change that needs an approval is no failure, and both kinds of LaunchDarkly's refusal are known.
func TestApproval(t *testing.T) {
	for _, fault := range []sandbox.Fault{
		{Status: 405, Body: `{"code":"method_not_allowed","message":"Flag configuration updates require approval: action 'updateOn' not allowed"}`},
		{Status: 403, Body: `{"code":"forbidden","message":"approval is required"}`},
	} {
		for _, tool := range everyTool() {
			if tool.Effect == tools.Read || noApproval[tool.Name] != "" {
				continue
			}
			r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
			fault.Match = mayWrite
			r.Next(fault)
			got := r.callWith(tool.Name, sample(t, tool, "test"))
			instructions := `"instructions":[{`
			if tool.Name == "copy-flag-config" { // of a whole copy a request is made without them
				instructions = `"sourceEnvironmentKey":"production"`
			}
			for _, want := range []string{`"requiresApproval":true`, `"changed":false`, instructions, `"url":"https://`, "Nothing was changed."} {
				if !strings.Contains(got, want) {
					t.Errorf("%s: no %s in %s", tool.Name, want, got)
				}
			}
		}
	}
}
