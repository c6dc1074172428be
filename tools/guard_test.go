package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// known are arguments that exist in the sandbox, by name.
func known(environment string) map[string]any {
	return map[string]any{
		"projectKey": "shop", "environmentKey": environment, "flagKey": "dark-mode", "segmentKey": "beta-testers",
		"comment": "because", "on": environment == "production",
	}
}

// samples are a tool's own arguments, for those that its schema and known do
// not tell. Each noun adds its tools' in its own file.
var samples = map[string]func(environment string) map[string]any{
	"update-targeting-rules": func(string) map[string]any {
		return map[string]any{"instructions": []any{map[string]any{"kind": "addRule", "variation": "true",
			"clauses": []any{map[string]any{"attribute": "email", "op": "endsWith", "values": []any{"@example.com"}}}}}}
	},
}

// addSamples adds a noun's samples.
func addSamples(more map[string]func(environment string) map[string]any) bool {
	maps.Copy(samples, more)
	return true
}

// sample makes arguments of a tool that a call would succeed with in an environment.
func sample(t *testing.T, tool tools.Tool, environment string) map[string]any {
	t.Helper()
	s := struct {
		Properties map[string]struct {
			Type string
			Enum []any
		}
		Required []string
	}{}
	if err := json.Unmarshal(inputSchema(t, tool.Name), &s); err != nil {
		t.Fatal(err)
	}
	args, values := map[string]any{}, known(environment)
	if own := samples[tool.Name]; own != nil {
		maps.Copy(args, own(environment))
	}
	for _, name := range append(s.Required, "comment", "projectKey", "environmentKey") {
		p, ok := s.Properties[name]
		if _, given := args[name]; given || !ok {
			continue
		}
		v, ok := values[name]
		switch {
		case ok:
		case len(p.Enum) > 0:
			v = p.Enum[0]
		default:
			v = map[string]any{"string": "x", "boolean": true, "integer": 1, "number": 1, "array": []any{}, "object": map[string]any{}}[p.Type]
		}
		args[name] = v
	}
	return args
}

var schemas = sync.OnceValue(tools.Accepted)

func inputSchema(t *testing.T, name string) json.RawMessage {
	t.Helper()
	s, ok := schemas()[name]
	if !ok {
		t.Fatalf("%s is not in the catalogue", name)
	}
	return s
}

func fitsSchema(t *testing.T, name string, schema, value any) {
	t.Helper()
	c := validator.NewCompiler()
	if err := c.AddResource("mem:out", schema); err != nil {
		t.Fatal(err)
	}
	if err := c.MustCompile("mem:out").Validate(value); err != nil {
		t.Errorf("%s: the reply does not fit its schema: %v", name, err)
	}
}

// unconfirmed are the modes of TestGuardsHold that come down to a missing yes.
var unconfirmed = map[string]bool{"unconfirmed": true, "nobody can be asked": true, "nobody can be asked, legacy": true, "declined": true,
	"cancelled": true, "declined, legacy": true, "cancelled, legacy": true, "environments unknown": true}

// accountWide are the writers that change the account itself, which are confirmed whatever the environments are.
var accountWide = map[string]bool{}

// stepsOf counts the requests of the writers whose samples take more than one.
var stepsOf = map[string]int{}

// allSent tells whether all of a writer's requests were sent, and none twice.
func allSent(name string, writes int) bool { return writes == max(1, stepsOf[name]) }

// needsNoYes: what is added to a project as a whole, and what a tool's declaration says why.
func needsNoYes(t *testing.T, tool tools.Tool) bool {
	_, inEnvironment := sample(t, tool, "production")["environmentKey"]
	return tool.Unconfirmed != "" || tool.Effect == tools.Create && !inEnvironment && !accountWide[tool.Name]
}

// TestGuardsHold calls every writer in each mode that must stop it, and checks
// that no write reaches LaunchDarkly.
func TestGuardsHold(t *testing.T) {
	ask := func(action mcp.ElicitationResponseAction, opts ...client.ClientOption) func(*setup) {
		return func(s *setup) {
			s.mcp = append(opts, client.WithElicitationHandler(&person{action: action}))
		}
	}
	legacy := client.WithProtocolVersion("2025-06-18")
	for name, change := range map[string]func(*setup){
		"read-only":                   func(s *setup) { s.ReadOnly = true },
		"client refuses writes":       func(s *setup) { s.client.ReadOnly = true; s.Confirm = tools.ConfirmNever },
		"project out of scope":        func(s *setup) { s.client.Scope.Projects = []string{"mobile"} },
		"environment out of scope":    func(s *setup) { s.client.Scope.Environments = []string{"test", "stag*"} },
		"unconfirmed":                 func(*setup) {},
		"nobody can be asked":         func(s *setup) { s.Confirm = tools.ConfirmAsk },
		"nobody can be asked, legacy": func(s *setup) { s.Confirm = tools.ConfirmAsk; s.mcp = []client.ClientOption{legacy} },
		"declined":                    ask(mcp.ElicitationResponseActionDecline),
		"cancelled":                   ask(mcp.ElicitationResponseActionCancel),
		"declined, legacy":            ask(mcp.ElicitationResponseActionDecline, legacy),
		"cancelled, legacy":           ask(mcp.ElicitationResponseActionCancel, legacy),
		"reader token": func(s *setup) {
			s.client.Token = ldclient.StaticToken(sandbox.ReaderToken)
			s.Confirm = tools.ConfirmNever
		},
		"environments unknown": func(s *setup) {
			account := s.client.Transport.(*sandbox.Account)
			s.client.Transport = failing{account, "/environments"}
			s.Confirm = tools.ConfirmNever
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tool := range everyTool() {
				if tool.Effect == tools.Read || unconfirmed[name] && needsNoYes(t, tool) || name == "environments unknown" && accountWide[tool.Name] {
					continue
				}
				var account *sandbox.Account
				r := start(t, func(s *setup) { account = s.client.Transport.(*sandbox.Account) }, change)
				got := r.callWith(tool.Name, sample(t, tool, "production"))
				if !strings.HasPrefix(got, "! ") || len(got) < 20 {
					t.Errorf("%s: the call was not refused: %s", tool.Name, got)
				}
				for _, w := range account.Writes() {
					if name != "reader token" || w.Status != 403 {
						t.Errorf("%s: LaunchDarkly saw %s %s", tool.Name, w.Method, w.Path)
					}
				}
			}
		})
	}
}

var wantsWord = regexp.MustCompile(`and confirm: "([^"]*)"`)

// TestGuardsLetThrough is the other half: what the guard must not stop.
func TestGuardsLetThrough(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"in scope": func(s *setup) {
			s.client.Scope = ldclient.Scope{Projects: []string{"sh*"}, Environments: []string{"production"}}
		},
		"accepted": func(s *setup) {
			s.mcp = []client.ClientOption{client.WithElicitationHandler(&person{action: "accept"})}
		},
		"accepted, legacy": func(s *setup) {
			s.mcp = []client.ClientOption{client.WithElicitationHandler(&person{action: "accept"}), client.WithProtocolVersion("2025-06-18")}
		},
		"never asks":          func(s *setup) { s.Confirm = tools.ConfirmNever },
		"confirmed by a word": func(*setup) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tool := range everyTool() {
				if tool.Effect == tools.Read {
					continue
				}
				if _, inEnvironment := sample(t, tool, "production")["environmentKey"]; name == "in scope" && !inEnvironment {
					continue // it reaches every environment, and one is in scope
				}
				r := start(t, change)
				args := sample(t, tool, "production")
				got := r.callWith(tool.Name, args)
				if word := wantsWord.FindStringSubmatch(got); word != nil {
					args["confirm"] = word[1]
					got = r.callWith(tool.Name, args)
				}
				if strings.HasPrefix(got, "!") || !strings.Contains(got, `"changed":true`) {
					t.Errorf("%s: %s", tool.Name, got)
				}
				if len(r.Writes()) == 0 {
					t.Errorf("%s: LaunchDarkly saw no write", tool.Name)
				}
			}
		})
	}
}

// TestReadsDoNotWrite calls every reader, and every writer as a dry run.
func TestReadsDoNotWrite(t *testing.T) {
	for _, tool := range everyTool() {
		r := start(t)
		args := sample(t, tool, "production")
		if tool.Effect != tools.Read {
			args["dryRun"] = true
		}
		if tool.Name == "get-audit-log-entry" {
			args["id"] = firstEntry(t, r)
		}
		if got := r.callWith(tool.Name, args); strings.HasPrefix(got, "!") {
			t.Errorf("%s: %s", tool.Name, got)
		}
		if w := r.Writes(); len(w) > 0 {
			t.Errorf("%s: LaunchDarkly saw %s %s", tool.Name, w[0].Method, w[0].Path)
		}
	}
}

func firstEntry(t *testing.T, r *rig) string {
	t.Helper()
	var page struct {
		Items []struct {
			ID string `json:"_id"`
		}
	}
	if err := json.Unmarshal([]byte(r.call("query-audit-log", `{"limit":1}`)), &page); err != nil || len(page.Items) == 0 {
		t.Fatal("no audit entries", err)
	}
	return page.Items[0].ID
}

const off = `{"projectKey":"shop","flagKey":"new-checkout","env":"production","on":false,"comment":"incident"}`

// TestConfirmationIsAsked: the person reads in words what would change, in both protocol eras.
func TestConfirmationIsAsked(t *testing.T) {
	for _, opts := range [][]client.ClientOption{nil, {client.WithProtocolVersion("2025-06-18")}} {
		p := &person{action: "accept"}
		r := start(t, func(s *setup) { s.mcp = append(opts, client.WithElicitationHandler(p)) })
		if got := r.call("toggle-flag", off); !strings.Contains(got, `"changed":true`) {
			t.Error(got)
		}
		want := "This would turn flag new-checkout off in production of project shop: everyone would get false, whatever targets and rules say. Protected: production (critical). Of 40 contexts seen lately in production, 29 would get false instead of true. Go ahead?"
		if p.question != want {
			t.Errorf("asked %q, want %q", p.question, want)
		}
	}
}

// TestConfirmationIsBound: a yes holds for the state that was shown, not for a flag that changed meanwhile.
func TestConfirmationIsBound(t *testing.T) {
	for _, opts := range [][]client.ClientOption{nil, {client.WithProtocolVersion("2025-06-18")}} {
		p := &person{action: "accept"}
		r := start(t, func(s *setup) { s.mcp = append(opts, client.WithElicitationHandler(p)) })
		other, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: r.Account})
		if err != nil {
			t.Fatal(err)
		}
		p.before = func() {
			if _, err := other.Flags.Patch(t.Context(), "shop", "production", "new-checkout", ldclient.Patch{
				Instructions: []ldclient.Instruction{{"kind": "updateOffVariation", "variationId": variationID(t, other, true)}}}); err != nil {
				t.Error(err)
			}
		}
		got := r.call("toggle-flag", off)
		if !strings.Contains(got, "the resource has changed since") || len(r.Writes()) != 1 {
			t.Errorf("%s; %d writes, want the other's alone", got, len(r.Writes()))
		}
	}
}

func variationID(t *testing.T, ld *ldclient.Client, value bool) string {
	t.Helper()
	f, err := ld.Flags.Get(t.Context(), "shop", "production", "new-checkout")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range f.Variations {
		if string(v.Value) == fmt.Sprint(value) {
			return v.ID
		}
	}
	t.Fatal("no such variation")
	return ""
}

// TestConfirmationIsSpent replays an accepted confirmation, and moves it to another call.
func TestConfirmationIsSpent(t *testing.T) {
	r := start(t, func(s *setup) {
		s.mcp = []client.ClientOption{client.WithElicitationHandler(&person{action: "accept"})}
	})
	raw := func(args, state string, accept bool) map[string]any {
		answer := "decline"
		if accept {
			answer = "accept"
		}
		params := fmt.Sprintf(`{"name":"toggle-flag","arguments":%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`, args)
		if state != "" {
			params += fmt.Sprintf(`,"requestState":%q,"inputResponses":{"confirm":{"action":%q,"content":{}}}`, state, answer)
		}
		reply := r.server.MCP().HandleMessage(t.Context(), json.RawMessage(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%s}}`, params)))
		b, _ := json.Marshal(reply)
		var m struct{ Result map[string]any }
		if err := json.Unmarshal(b, &m); err != nil || m.Result == nil {
			t.Fatalf("%s %v", b, err)
		}
		return m.Result
	}
	text := func(m map[string]any) string {
		return fmt.Sprint(m["content"])
	}
	asked := raw(off, "", false)
	state, _ := asked["requestState"].(string)
	if state == "" || asked["resultType"] != "input_required" {
		t.Fatalf("no question: %v", asked)
	}
	other := strings.Replace(off, "new-checkout", "payments-v2", 1)
	for name, test := range map[string]struct {
		args, state string
		want        string
	}{
		"another flag":    {other, state, "it was given for another call"},
		"other arguments": {strings.Replace(off, "incident", "fun", 1), state, "it was given for another call"},
		"tampered":        {off, state[:len(state)-2] + "AA", "it was not issued by this server"},
		"made up":         {off, "x.y", "it was not issued by this server"},
		"empty":           {off, "", ""},
	} {
		got := raw(test.args, test.state, true)
		if test.want != "" && !strings.Contains(text(got), test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if n := len(r.Writes()); n != 0 {
		t.Fatalf("%d writes before any confirmation", n)
	}
	if got := raw(off, state, true); !strings.Contains(text(got), `"changed":true`) {
		t.Errorf("accepted: %v", got)
	}
	if got := r.call("toggle-flag", strings.Replace(off, "false", "true", 1)); !strings.Contains(got, `"changed":true`) {
		t.Fatal(got)
	}
	if got := raw(off, state, true); !strings.Contains(text(got), "the resource has changed since") {
		t.Errorf("replayed: %v", got)
	}
	if n := len(r.Writes()); n != 2 {
		t.Errorf("%d writes, want 2", n)
	}
}

// TestProtect: --protect adds to what LaunchDarkly marks.
func TestProtect(t *testing.T) {
	r := start(t, func(s *setup) { s.Protect = []string{"te*"} })
	got := r.call("toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","on":false}`)
	if !strings.Contains(got, "Protected: test (protected by this server)") || len(r.Writes()) > 0 {
		t.Error(got)
	}
}

// TestAuditFile: one line for each write and each refusal, none for reads.
func TestAuditFile(t *testing.T) {
	var file, log bytes.Buffer
	r := start(t, func(s *setup) {
		s.client.Transport, s.Audit = sandbox.New(sandbox.Options{}), &file
		s.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	r.call("list-flags", `{"projectKey":"shop"}`)
	r.call("toggle-flag", off)
	r.call("toggle-flag", strings.Replace(off, `}`, `,"confirm":"production"}`, 1))
	r.server.Close()
	var got []string
	for line := range strings.Lines(file.String()) {
		var l struct{ Client, Tool, Resource, Outcome, Comment string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(l))
	}
	want := []string{
		"{test toggle-flag proj/shop:env/production:flag/new-checkout refused incident}",
		"{test toggle-flag proj/shop:env/production:flag/new-checkout ok incident}",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := strings.Count(log.String(), "msg=call"); n != 3 {
		t.Errorf("%d log lines, want one a call:\n%s", n, log.String())
	}
}
