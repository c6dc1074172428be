package tools_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tiktoken-go/tokenizer"

	"github.com/ld-mcp/ld-mcp/tools"
)

func dynamically(s *setup) { s.Toolsets = []string{"dynamic"} }

// TestDynamicIsLight: four tools stand for all in under 1,500 tokens.
func TestDynamicIsLight(t *testing.T) {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	got, err := start(t, dynamically).client.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := codec.Count(wireJSON(t, got.Tools))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d tokens", n)
	if len(got.Tools) != 4 || n >= 1500 {
		t.Errorf("%d tools in %d tokens, want 4 in less than 1,500", len(got.Tools), n)
	}
	wire := map[string]mcp.ToolAnnotation{}
	for _, tool := range got.Tools {
		wire[tool.Name] = tool.Annotations
	}
	if h := wire["call-read-tool"]; h.ReadOnlyHint == nil || !*h.ReadOnlyHint {
		t.Error("call-read-tool is not said to be read-only")
	}
	if h := wire["call-write-tool"]; h.ReadOnlyHint != nil || h.DestructiveHint != nil || h.IdempotentHint != nil {
		t.Error("call-write-tool must be taken for destructive and not idempotent, which is what no hint means")
	}
}

// TestDynamicReachesAll: each tool is found by its own title, described and, with a sample of its arguments, called.
func TestDynamicReachesAll(t *testing.T) {
	for _, tool := range everyTool() {
		r := start(t, dynamically, func(s *setup) { s.Confirm = tools.ConfirmNever })
		if got := r.callWith("search-tools", map[string]any{"query": tool.Title}); !strings.Contains(got, `"name":"`+tool.Name+`"`) {
			t.Errorf("%s is not found by %q: %s", tool.Name, tool.Title, got)
		}
		if got := r.callWith("describe-tools", map[string]any{"names": []string{tool.Name}}); !strings.Contains(got, `"properties"`) && !strings.Contains(got, `"type":"object"`) {
			t.Errorf("%s is not described: %s", tool.Name, got)
		}
		right, wrong := "call-write-tool", "call-read-tool"
		if tool.Effect == tools.Read {
			right, wrong = wrong, right
		}
		args := sample(t, tool, "test")
		if tool.Name == "get-audit-log-entry" {
			args["id"] = firstEntry(t, start(t))
		}
		call := map[string]any{"name": tool.Name, "arguments": args}
		if got := r.callWith(wrong, call); !strings.HasPrefix(got, "! ") || !strings.Contains(got, right) || len(r.Writes()) > 0 {
			t.Errorf("%s by %s: %s", tool.Name, wrong, got)
		}
		want := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever }).callWith(tool.Name, args)
		if got := r.callWith(right, call); got != want {
			t.Errorf("%s by %s: got %s\nwant %s", tool.Name, right, got, want)
		}
	}
}

// TestDynamicGuard: what stands for a tool is held to what the tool itself is.
func TestDynamicGuard(t *testing.T) {
	toggle := map[string]any{"name": "toggle-flag", "arguments": map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "env": "production", "on": true, "comment": "agreed"}}
	for name, test := range map[string]struct {
		change func(*setup)
		want   string
	}{
		"a word":       {func(*setup) {}, `call call-write-tool with name toggle-flag again with the same arguments and confirm: "production"`},
		"read-only":    {func(s *setup) { s.ReadOnly = true }, "read-only"},
		"out of scope": {func(s *setup) { s.client.Scope.Environments = []string{"test"} }, "scope"},
		"excluded":     {func(s *setup) { s.ExcludeTools = []string{"toggle-*"} }, "not among the tools"},
		"declined": {func(s *setup) {
			s.mcp = []client.ClientOption{client.WithElicitationHandler(&person{action: "decline"})}
		}, "did not confirm"},
		"not for the model": {func(s *setup) { s.Confirm = tools.ConfirmAsk }, "A person has to confirm"},
	} {
		r := start(t, dynamically, test.change)
		if got := r.callWith("call-write-tool", toggle); !strings.HasPrefix(got, "! ") || !strings.Contains(got, test.want) || len(r.Writes()) > 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
	r := start(t, dynamically)
	args, _ := toggle["arguments"].(map[string]any)
	args["confirm"] = "production"
	if got := r.callWith("call-write-tool", toggle); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
	accepted := start(t, dynamically, func(s *setup) {
		s.mcp = []client.ClientOption{client.WithElicitationHandler(&person{action: "accept"})}
	})
	delete(args, "confirm")
	if got := accepted.callWith("call-write-tool", toggle); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
}

// TestDynamicMistakes: a call that names no tool, itself, or one for people changes nothing and says what to do.
func TestDynamicMistakes(t *testing.T) {
	r := start(t, dynamically, func(s *setup) { s.AllowReview = false })
	for call, want := range map[string]string{
		`call-read-tool {"name":"list-flgs"}`:                                 "did you mean list-flags",
		`call-write-tool {"name":"call-write-tool","arguments":{}}`:           "there is no tool",
		`call-read-tool {"arguments":{}}`:                                     "name",
		`call-read-tool {"name":"list-flags","arguments":{"limt":3}}`:         "limt",
		`call-read-tool {"name":"list-flags","arguments":"nothing"}`:          "arguments",
		`call-write-tool {"name":"review-approval-request","arguments":{}}`:   "for people",
		`describe-tools {"names":["no-such-tool"]}`:                           "there is no tool",
		`call-write-tool {"name":"toggle-flag","confirm":"x","arguments":{}}`: "confirm",
	} {
		name, args, _ := strings.Cut(call, " ")
		if got := r.call(name, args); !strings.HasPrefix(got, "! ") || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
	if len(r.Writes()) > 0 {
		t.Error("something was written")
	}
	for _, name := range []string{"review-approval-request"} {
		if got := r.callWith("search-tools", map[string]any{"query": name}); strings.Contains(got, `"name":"`+name) {
			t.Errorf("%s is found although it is not served", name)
		}
	}
}

// TestDynamicBesideOthers: toolsets that are named with it are listed by themselves.
func TestDynamicBesideOthers(t *testing.T) {
	r := start(t, func(s *setup) { s.Toolsets = []string{"dynamic", "code-references"} })
	var names []string
	for name := range listed(t, r) {
		names = append(names, name)
	}
	slices.Sort(names)
	const want = "call-read-tool call-write-tool describe-tools get-code-references get-flag-extinctions list-code-repositories search-tools"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("listed are %s, want %s", got, want)
	}
	var all map[string][]string
	if err := json.Unmarshal([]byte(r.call("search-tools", `{}`)), &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, names := range all {
		n += len(names)
	}
	if want := len(everyTool()); n != want {
		t.Errorf("search-tools names %d tools, want all %d", n, want)
	}
}
