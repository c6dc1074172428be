package tools_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

func (r *rig) read(uri string) string {
	r.t.Helper()
	var req mcp.ReadResourceRequest
	req.Params.URI = uri
	res, err := r.client.ReadResource(r.t.Context(), req)
	if err != nil {
		return "! " + err.Error()
	}
	return res.Contents[0].(mcp.TextResourceContents).Text
}

// TestResources: an address answers as the tool does that reads it, with its limits.
func TestResources(t *testing.T) {
	r := start(t)
	for uri, call := range map[string]string{
		"launchdarkly:///projects":                                       `list-projects {}`,
		"launchdarkly://shop":                                            `get-project {"projectKey":"shop"}`,
		"launchdarkly://shop/flags":                                      `list-flags {"projectKey":"shop"}`,
		"launchdarkly://shop/flags/dark-mode":                            `get-flag {"projectKey":"shop","flagKey":"dark-mode"}`,
		"launchdarkly://shop/environments/test":                          `get-environment {"projectKey":"shop","env":"test"}`,
		"launchdarkly://shop/environments/test/flags":                    `list-flags {"projectKey":"shop","env":"test"}`,
		"launchdarkly://shop/environments/test/flags/dark-mode":          `get-flag {"projectKey":"shop","flagKey":"dark-mode","env":"test"}`,
		"launchdarkly://shop/environments/test/segments":                 `list-segments {"projectKey":"shop","env":"test"}`,
		"launchdarkly://shop/environments/production/segments/employees": `get-segment {"projectKey":"shop","segmentKey":"employees"}`,
	} {
		name, args, _ := strings.Cut(call, " ")
		if got, want := r.read(uri), r.call(name, args); got != want || strings.HasPrefix(got, "!") {
			t.Errorf("%s: got %s, want %s", uri, got, want)
		}
	}
	n := len(r.Requests())
	for _, uri := range []string{"launchdarkly://shop/flags/..", "launchdarkly://shop/flags/%2e%2e", "launchdarkly://shop/flags/a%2Fb", "launchdarkly://shop/flags/a%3Fb", "launchdarkly://../flags/x"} {
		if got := r.read(uri); !strings.HasPrefix(got, "! ") {
			t.Errorf("%s: %s", uri, got)
		}
	}
	if more := r.Requests()[n:]; len(more) > 0 {
		t.Errorf("LaunchDarkly saw %s %s", more[0].Method, more[0].Path)
	}
	outside := start(t, func(s *setup) { s.client.Scope = ldclient.Scope{Projects: []string{"mobile"}} })
	if got := outside.read("launchdarkly://shop/flags/dark-mode"); !strings.Contains(got, "outside this server's scope") {
		t.Error(got)
	}
}

// TestCompletions offers keys by what was typed and what was given before.
func TestCompletions(t *testing.T) {
	r := start(t, func(s *setup) { s.client.Scope = ldclient.Scope{Projects: []string{"shop"}} })
	for _, test := range []struct {
		argument, typed string
		given           map[string]string
		want            string // the first, "" for none
	}{
		{"projectKey", "sh", nil, "shop"},
		{"projectKey", "mob", nil, ""}, // out of scope
		{"environmentKey", "st", map[string]string{"projectKey": "shop"}, "staging"},
		{"flagKey", "dark", map[string]string{"projectKey": "shop"}, "dark-mode"},
		{"flagKey", "DARK", map[string]string{"projectKey": "shop"}, "dark-mode"},
		{"segmentKey", "emp", map[string]string{"projectKey": "shop", "environmentKey": "test"}, "employees"},
		{"flagKey", "dark", nil, ""},
		{"flagKey", "dark", map[string]string{"projectKey": ".."}, ""},
		{"symptom", "x", nil, ""},
	} {
		for _, ref := range []any{
			mcp.PromptReference{Type: "ref/prompt", Name: "clean-up-flag"},
			mcp.ResourceReference{Type: "ref/resource", URI: "launchdarkly://{projectKey}/flags/{flagKey}"},
		} {
			var req mcp.CompleteRequest
			req.Params.Ref = ref
			req.Params.Argument = mcp.CompleteArgument{Name: test.argument, Value: test.typed}
			req.Params.Context = mcp.CompleteContext{Arguments: test.given}
			got, err := r.client.Complete(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" && len(got.Completion.Values) > 0 || test.want != "" && !slices.Equal(got.Completion.Values[:min(1, len(got.Completion.Values))], []string{test.want}) {
				t.Errorf("%s %q: got %v, want %q", test.argument, test.typed, got.Completion.Values, test.want)
			}
		}
	}
}
