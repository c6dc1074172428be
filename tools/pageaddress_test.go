package tools

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

func TestPageTarget(t *testing.T) {
	t.Parallel()
	const us = "https://app.launchdarkly.com"
	type keys = map[string]string
	flag := keys{"projectKey": "p", "environmentKey": "e", "flagKey": "f"}
	for _, test := range []struct {
		raw  string
		want keys // nil where it is no such page
	}{
		{us + "/projects/p/flags/f/targeting?env=e&selected-env=e", flag},
		{us + "/projects/p/flags/f/targeting?env=a&env=b&selected-env=e", flag},
		{us + "/projects/p/flags/f?env=e", flag},
		{us + "/projects/p/flags/f?env=e#variations", flag},
		{"  app.launchdarkly.com/projects/p/flags/f?env=e\n", flag},
		{"HTTPS://App.LaunchDarkly.com/projects/p/flags/f/?env=e", flag},
		{"https://app.eu.launchdarkly.com/projects/p/flags/f?env=e", flag},
		{"https://app.launchdarkly.us/projects/p/flags/f?env=e", flag},
		{"http://127.0.0.1:8080/ld/projects/p/flags/f?env=e", flag},
		{us + "/projects/p/flags/f/targeting?env=a&env=b", keys{"projectKey": "p", "flagKey": "f"}},
		{us + "/projects/p/flags/a.b_C-1/history", keys{"projectKey": "p", "flagKey": "a.b_C-1"}},
		{us + "/projects/p/flags?env=e", keys{"projectKey": "p", "environmentKey": "e"}},
		{us + "/projects/p/segments/s/targeting?selected-env=e", keys{"projectKey": "p", "environmentKey": "e", "segmentKey": "s"}},
		{us + "/projects/p/contexts/user/x?selected-env=e", keys{"projectKey": "p", "environmentKey": "e"}},
		{us + "/projects/p", keys{"projectKey": "p"}},
		{us + "/p/e/features/f", flag},
		{us + "/p/e/features/f/targeting", flag},
		{us + "/p/e/features/f/targeting?env=e&selected-env=e", flag},
		{us + "/p/e/features/f?selected-env=other", keys{"projectKey": "p", "flagKey": "f"}},
		{us + "/p/e/features", keys{"projectKey": "p", "environmentKey": "e"}},
		{us + "/p/e/segments/s", keys{"projectKey": "p", "environmentKey": "e", "segmentKey": "s"}},

		{us, nil},
		{us + "/", nil},
		{us + "/projects", nil},
		{us + "/settings/members", nil},
		{us + "/api/v2/flags/p/f", nil},
		{"https://evil.example/projects/p/flags/f", nil},
		{"https://app.launchdarkly.com.evil.example/projects/p/flags/f", nil},
		{"https://evil.example/app.launchdarkly.com/projects/p/flags/f", nil},
		{"https://app.launchdarkly.com@evil.example/projects/p/flags/f", nil},
		{"https://user:secret@app.launchdarkly.com/projects/p/flags/f", nil},
		{"https://@app.launchdarkly.com/projects/p/flags/f", nil},
		{`https://app.launchdarkly.com\@evil.example/projects/p/flags/f`, nil},
		{"https://app.launchdarkly.com:8443/projects/p/flags/f", nil},
		{"http://app.launchdarkly.com/projects/p/flags/f", nil},
		{"ftp://app.launchdarkly.com/projects/p/flags/f", nil},
		{"//app.launchdarkly.com/projects/p/flags/f", nil},
		{"javascript:alert(1)", nil},
		{"javascript://app.launchdarkly.com/projects/p/flags/f", nil},
		{"data:text/html,https://app.launchdarkly.com/projects/p/flags/f", nil},
		{us + "/projects/p/flags/%2e%2e", nil},
		{us + "/projects/p/flags/..", nil},
		{us + "/projects/p/flags/x/../f", nil},
		{us + "/projects/%2e%2e/flags/f", nil},
		{us + "/projects/p/flags/a%2fb", nil},
		{us + "/projects/p/flags/a%5cb", nil},
		{us + "/projects/p/flags/a%00b", nil},
		{us + "/projects/p/flags/%252e%252e", nil},
		{us + "/projects/p//flags/f", nil},
		{us + "/projects/p/flags/f%zz", nil},
		{us + "/projects/p/flags/*", nil},
		{us + "/projects/p/flags/f?env=../x", nil},
		{us + "/projects/p/flags/f?env=%zz", nil},
		{"http://127.0.0.1:8080/projects/p/flags/f", nil},
		{"http://127.0.0.1:8080/ldx/projects/p/flags/f", nil},
		{us + "/projects/p/flags/" + strings.Repeat("f", 5000), nil},
		{"", nil},
	} {
		got, ok := pageTarget(test.raw, "http://127.0.0.1:8080/ld")
		if ok != (test.want != nil) || ok && cmp.Diff(test.want, got) != "" {
			t.Errorf("%.120q: got %v, want %v", test.raw, got, test.want)
		}
	}
}

// TestPastedAddress: an address stands for the keys that it shows, and never wins over a key that was given.
func TestPastedAddress(t *testing.T) {
	t.Parallel()
	const us = "https://app.launchdarkly.com"
	page := us + "/projects/shop/flags/dark-mode/targeting?env=test&selected-env=test"
	const reached = "proj/shop:env/test:flag/dark-mode"
	reader := read(Spec{Name: "look"}, func(_ context.Context, _ *ldclient.Client, in inFlagEnvironment) (struct{ Target string }, error) {
		return struct{ Target string }{in.target().String()}, nil
	})
	withURL := read(Spec{Name: "hook"}, func(_ context.Context, _ *ldclient.Client, in struct {
		atProject
		URL string `json:"url"`
	}) (struct{ Target string }, error) {
		return struct{ Target string }{in.Project + " " + in.URL}, nil
	})
	whole := read(Spec{Name: "none"}, func(_ context.Context, _ *ldclient.Client, in struct {
		Key string `json:"contextKey,omitempty"`
	}) (struct{ Target string }, error) {
		return struct{ Target string }{in.Key}, nil
	})
	for _, test := range []struct {
		name string
		tool Tool
		opts Options
		args map[string]any
		want string
	}{
		{"as the flag", reader, Options{}, map[string]any{"flagKey": page}, reached},
		{"by another spelling", reader, Options{}, map[string]any{"flag": page}, reached},
		{"as every key", reader, Options{}, map[string]any{"project": page, "env": page, "flag_key": page}, reached},
		{"beside the keys", reader, Options{}, map[string]any{"url": page, "projectKey": "shop"}, reached},
		{"as a link", reader, Options{}, map[string]any{"Link": page}, reached},
		{"instead of the configured project", reader, Options{Project: "mobile", Environment: "production"}, map[string]any{"address": page}, reached},
		{"no environment, so the default", reader, Options{}, map[string]any{"flagKey": us + "/projects/shop/flags/dark-mode"}, "proj/shop:env/production:flag/dark-mode"},
		{"two that agree", reader, Options{}, map[string]any{"projectKey": us + "/projects/shop", "flagKey": page}, reached},
		{"not an argument of the tool", withURL, Options{}, map[string]any{"projectKey": "shop", "url": "https://hooks.example/x"}, "shop https://hooks.example/x"},
		{"a context's key", whole, Options{}, map[string]any{"contextKey": page}, page},

		{"another environment was given", reader, Options{}, map[string]any{"flagKey": page, "env": "production"}, "EnvironmentKey differs from the address, which shows test; give one of them"},
		{"another flag was given", reader, Options{}, map[string]any{"flagKey": "new-checkout", "url": page}, "FlagKey differs from the address, which shows dark-mode"},
		{"two that differ", reader, Options{}, map[string]any{"flagKey": page, "projectKey": us + "/projects/mobile"}, "two addresses differ in projectKey: "},
		{"no flag on it", reader, Options{}, map[string]any{"flagKey": us + "/projects/shop/segments/vip"}, "flagKey: the page at this address shows no one flag; give its key"},
		{"another host", reader, Options{}, map[string]any{"flagKey": "https://evil.example/projects/shop/flags/dark-mode"}, "flagKey is not the address of a page on https://app.launchdarkly.com"},
		{"another host, beside", reader, Options{}, map[string]any{"flagKey": "dark-mode", "url": "https://evil.example/projects/shop"}, "Url is not the address of a page on https://app.launchdarkly.com"},
		{"another instance", reader, Options{}, map[string]any{"flagKey": strings.Replace(page, "app.", "app.eu.", 1)}, "is not the address of a page on https://app.launchdarkly.com"},
		{"no address", reader, Options{}, map[string]any{"url": "dark-mode"}, "Url is not the address"},
		{"a script", reader, Options{}, map[string]any{"flagKey": "javascript:alert(1)"}, "is not the address"},
		{"a user in it", reader, Options{}, map[string]any{"flagKey": "https://u:p@app.launchdarkly.com/projects/shop/flags/dark-mode"}, "is not the address"},
		{"climbing", reader, Options{}, map[string]any{"flagKey": us + "/projects/shop/flags/%2e%2e"}, "is not the address"},
		{"to a tool without such keys", whole, Options{}, map[string]any{"url": page}, "no argument url"},
	} {
		got, account := run(t, test.tool, test.opts, test.args)
		if !strings.Contains(strings.ToLower(got), strings.ToLower(test.want)) {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
		if strings.Contains(got, "evil") || strings.Contains(got, "u:p@") || strings.Contains(got, "alert") {
			t.Errorf("%s: the address is repeated: %s", test.name, got)
		}
		if n := len(account.Requests()); n > 0 {
			t.Errorf("%s: %d requests", test.name, n)
		}
	}
}
