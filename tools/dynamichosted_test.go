package tools_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/tools"
)

// TestDynamicHosted: hosted tools are called through those that stand for tools as by themselves, whatever form their answers have.
func TestDynamicHosted(t *testing.T) {
	t.Parallel()
	for _, schemas := range []bool{false, true} {
		f := newFake(t, def("query-logs", readsOnly, "projectKey"), def("create-graph", adds, "projectKey"))
		r := startHosted(t, f, []string{"query-logs", "create-graph"}, dynamically, func(s *setup) { s.OutputSchemas, s.Confirm = schemas, tools.ConfirmNever })
		if got := r.call("call-read-tool", `{"name":"query-logs","arguments":{"projectKey":"shop"}}`); got != "done" {
			t.Errorf("schemas %v, before the list is read: %s", schemas, got)
		}
		r.hostedRead(t)
		for _, text := range []string{"done", `["a"]`, `{"a":`, "7"} {
			f.change(func(f *fakeHosted) { f.answer = func(string, map[string]any) string { return textResult(text) } })
			for name, args := range map[string]string{"query-logs": `{}`, "create-graph": `{"projectKey":"shop","comment":"c"}`} {
				call := map[string]string{"query-logs": "call-read-tool", "create-graph": "call-write-tool"}[name]
				args = `{"name":"` + name + `","arguments":` + args + `}`
				if got := r.call(call, args); got != text {
					t.Errorf("schemas %v, %s: %s, want %s", schemas, name, got, text)
				}
			}
		}
		if got := r.call("call-read-tool", `{"name":"create-graph","arguments":{"projectKey":"shop"}}`); !strings.Contains(got, "call it with call-write-tool") {
			t.Error(got)
		}
		sent := len(f.seen())
		r.server.HoldHosted(0)
		f.change(func(f *fakeHosted) { f.tools[0] = def("query-logs", adds, "projectKey") })
		if got := r.call("call-read-tool", `{"name":"query-logs","arguments":{"projectKey":"shop"}}`); !strings.Contains(got, "call it with call-write-tool") || len(f.seen()) != sent {
			t.Errorf("a reader that became a writer: %s", got)
		}
	}
}

// TestDynamicHostedReadOnly: a hosted tool of which nothing is known yet may turn out to read.
func TestDynamicHostedReadOnly(t *testing.T) {
	t.Parallel()
	f := newFake(t, def("query-logs", readsOnly), def("get-odd", ""))
	r := startHosted(t, f, []string{"query-logs", "get-odd"}, dynamically, func(s *setup) { s.ReadOnly = true })
	if got := r.call("call-read-tool", `{"name":"get-odd"}`); !strings.Contains(got, "read-only") {
		t.Error(got)
	}
	if got := r.call("call-read-tool", `{"name":"query-logs"}`); got != "done" {
		t.Error(got)
	}
	if got := f.seen(); !slices.Equal(got, []string{"query-logs {}"}) {
		t.Errorf("sent %v", got)
	}
}

// TestDynamicConfirmed: what is called through call-write-tool is put to the person in each protocol, by its own name, and made once after a yes.
func TestDynamicConfirmed(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols {
		if !protocol.asks {
			continue
		}
		t.Run(protocol.version, func(t *testing.T) {
			t.Parallel()
			for name, args := range map[string]string{
				"toggle-flag":  `{"projectKey":"shop","flagKey":"dark-mode","env":"production","on":true,"comment":"c"}`,
				"create-graph": `{"projectKey":"shop","environmentKey":"production","comment":"c"}`,
				"write-api":    `{"operation":"updateBigSegmentContextTargets","path":{"projectKey":"shop","environmentKey":"production","segmentKey":"vip"},"body":{"included":{"add":["user-1002"]}},"comment":"c"}`,
			} {
				for _, action := range []mcp.ElicitationResponseAction{"accept", "decline"} {
					var audit bytes.Buffer
					f := newFake(t, def("create-graph", adds, "projectKey", "environmentKey"))
					p := &person{action: action}
					r := startHosted(t, f, []string{"create-graph"}, dynamically, func(s *setup) {
						s.Audit = &audit
						s.mcp = []client.ClientOption{client.WithProtocolVersion(protocol.version), client.WithElicitationHandler(p)}
					})
					got := r.callWith("call-write-tool", map[string]any{"name": name, "arguments": json.RawMessage(args)})
					made := len(f.seen()) + len(r.Writes())
					if p.question == "" || strings.HasPrefix(got, "!") != (action == "decline") || (made == 1) != (action == "accept") {
						t.Errorf("%s, %s: asked %q, made %d: %s", name, action, p.question, made, got)
					}
					r.server.Close()
					if !strings.Contains(audit.String(), `"tool":"`+name+`"`) || strings.Contains(audit.String(), "call-write-tool\"") {
						t.Error(audit.String())
					}
				}
			}
		})
	}
}

// TestDynamicOutputs: what stands for tools promises no form, and still gives what has one.
func TestDynamicOutputs(t *testing.T) {
	r := start(t, dynamically, func(s *setup) { s.OutputSchemas = true })
	if got := listed(t, r)["call-read-tool"]["outputSchema"]; got != nil {
		t.Errorf("call-read-tool promises %v, which hosted tools do not keep", got)
	}
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = "call-read-tool", map[string]any{"name": "list-projects"}
	got, err := r.client.CallTool(t.Context(), req)
	if err != nil || got.IsError || got.StructuredContent == nil {
		t.Fatal(got, err)
	}
	if b, err := json.Marshal(got.StructuredContent); err != nil || !strings.Contains(string(b), `"shop"`) {
		t.Errorf("%s %v", b, err)
	}
}

// TestPreviewOfWhatHasNoPlan: tools that cannot say what they would do are no reason to fail.
func TestPreviewOfWhatHasNoPlan(t *testing.T) {
	t.Parallel()
	f := newFake(t, def("create-graph", adds, "projectKey"))
	r := startHosted(t, f, []string{"create-graph"}, func(s *setup) { s.Toolsets = []string{"default", "dynamic"} })
	for name, want := range map[string]string{"create-graph": "dryRun", "call-write-tool": "the tool that is meant"} {
		got := r.callWith("preview-change", map[string]any{"tool": name, "arguments": map[string]any{"projectKey": "shop"}})
		if !strings.HasPrefix(got, "! ") || !strings.Contains(got, want) || strings.Contains(got, "internal") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if len(f.seen()) > 0 {
		t.Errorf("sent %v", f.seen())
	}
}
