package ldclient_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// TestBearer: a hosted server gets the token of the moment, and no other address does.
func TestBearer(t *testing.T) {
	t.Parallel()
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization")+" "+r.UserAgent())
	}))
	defer srv.Close()
	token := ldclient.Token("api-first")
	c, err := ldclient.New(ldclient.Config{Token: func() (ldclient.Token, error) { return token, nil }, UserAgent: "ld-mcp/1"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Bearer(srv.URL + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	send := func(address string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		if req.Header.Get("Authorization") != "" {
			t.Error("the token is written into the caller's request")
		}
		return err
	}
	for _, next := range []ldclient.Token{"api-first", "api-second"} {
		token = next
		if err := send(srv.URL + "/mcp"); err != nil {
			t.Error(err)
		}
	}
	port := srv.URL[strings.LastIndex(srv.URL, ":"):]
	for _, address := range []string{"http://localhost" + port + "/mcp", strings.Replace(srv.URL, "http:", "https:", 1), "http://127.0.0.1:1/mcp", "https://example.com/"} {
		if err := send(address); err == nil || !strings.Contains(err.Error(), "the access token is for 127.0.0.1") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if want := []string{"Bearer api-first ld-mcp/1", "Bearer api-second ld-mcp/1"}; !slices.Equal(got, want) {
		t.Errorf("sent %v", got)
	}
}

// TestCheckHosted: the token goes to where it is encrypted on its way, or to this machine.
func TestCheckHosted(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]struct{ ok, here bool }{
		"https://mcp.launchdarkly.com/mcp/launchdarkly": {true, false}, "https://10.0.0.1:8443/mcp": {true, false},
		"http://127.0.0.1:3001/mcp": {true, true}, "http://[::1]:3001/mcp": {true, true}, "http://localhost/mcp": {true, true}, "https://localhost/mcp": {true, true},
		"http://mcp.launchdarkly.com/mcp": {}, "http://localhost.example.com/": {}, "http://127.0.0.1.example.com/": {}, "http://0.0.0.0/": {},
		"https://user@mcp.launchdarkly.com/": {}, "https://localhost:x@example.com/": {}, "https://mcp.launchdarkly.com/mcp?a=b": {}, "https://mcp.launchdarkly.com/#x": {},
		"": {}, "mcp.launchdarkly.com": {}, "//mcp.launchdarkly.com": {}, "file:///etc/passwd": {}, "https://": {}, "https://:443/": {}, "ht tp://x": {}, "https://%zz/": {},
	} {
		if err := ldclient.CheckHosted(address); (err == nil) != want.ok {
			t.Errorf("%s: %v", address, err)
		}
		if here := ldclient.HostedHere(address); here != want.here {
			t.Errorf("%s: on this machine %t", address, here)
		}
	}
}
