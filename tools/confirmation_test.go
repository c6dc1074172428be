package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// protocols are the versions that clients speak. In the oldest nobody can be asked.
var protocols = []struct {
	version string
	asks    bool
}{
	{"2024-11-05", false}, {"2025-06-18", false}, {"2025-06-18", true}, {"2025-11-25", false}, {"2025-11-25", true}, {"2026-07-28", false}, {"2026-07-28", true},
}

// confirmedWriters are the writers that a person's yes is needed for, with arguments for production.
func confirmedWriters(t *testing.T) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, tool := range everyTool() {
		if tool.Effect != tools.Read && !needsNoYes(t, tool) {
			out[tool.Name] = sample(t, tool, "production")
		}
	}
	if len(out) < 30 {
		t.Fatalf("only %d writers", len(out))
	}
	return out
}

// silent is a person who does not answer.
type silent struct{}

func (silent) Elicit(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	return nil, errors.New("nobody is there")
}

// TestEveryWriteIsConfirmed: in each protocol, with clients that can ask and
// others, no writer changes production without a yes, and with one it does so once.
func TestEveryWriteIsConfirmed(t *testing.T) {
	writers := confirmedWriters(t)
	for _, protocol := range protocols {
		t.Run(fmt.Sprintf("%s, asks %v", protocol.version, protocol.asks), func(t *testing.T) {
			t.Parallel()
			with := func(answer client.ElicitationHandler, confirm tools.Confirm) *rig {
				return start(t, func(s *setup) {
					s.Confirm = confirm
					s.mcp = []client.ClientOption{client.WithProtocolVersion(protocol.version)}
					if protocol.asks && answer != nil {
						s.mcp = append(s.mcp, client.WithElicitationHandler(answer))
					}
				})
			}
			var stopped []*rig
			if protocol.asks {
				stopped = []*rig{with(&person{action: "decline"}, ""), with(&person{action: "cancel"}, ""), with(&person{action: "maybe"}, ""), with(silent{}, ""), with(silent{}, tools.ConfirmAsk)}
			} else {
				stopped = []*rig{with(nil, ""), with(nil, tools.ConfirmAsk)}
			}
			words := []string{"", "staging"}
			if protocol.version == "2026-07-28" {
				words = append(words, "yes", "true", "Production", "*")
			}
			for name, args := range writers {
				word := ""
				for i, r := range stopped {
					for _, confirm := range words {
						got := r.callWith(name, withWord(args, confirm))
						if !strings.HasPrefix(got, "!") || len(r.Writes()) > 0 {
							t.Fatalf("%s, rig %d, confirm %q: %d writes: %s", name, i, confirm, len(r.Writes()), got)
						}
						if asked := wantsWord.FindStringSubmatch(got); asked != nil && !protocol.asks {
							word = asked[1]
						}
						if protocol.asks || i > 0 {
							break // the word does not count
						}
					}
				}
				accepting := with(&person{action: "accept"}, "")
				if !protocol.asks {
					if got := stopped[1].callWith(name, withWord(args, word)); word == "" || !strings.Contains(got, "this client cannot ask one") || len(stopped[1].Writes()) > 0 {
						t.Fatalf("%s: --confirm=ask takes the word %q: %s", name, word, got)
					}
				}
				if got := accepting.callWith(name, withWord(args, word)); !strings.Contains(got, `"changed":true`) || !allSent(name, len(accepting.Writes())) {
					t.Errorf("%s, confirm %q: %d writes: %s", name, word, len(accepting.Writes()), got)
				}
			}
		})
	}
}

func withWord(args map[string]any, confirm string) map[string]any {
	out := maps.Clone(args)
	if confirm != "" {
		out["confirm"] = confirm
	}
	return out
}

// TestWordIsNoYes: where the client can ask, the word does not stand in for the
// person. Where it cannot, the word is a speed bump: a caller that knows it may
// give it at once, which --confirm=ask is for.
func TestWordIsNoYes(t *testing.T) {
	t.Parallel()
	args := strings.Replace(off, "}", `,"confirm":"production"}`, 1)
	p := &person{action: "decline"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	if got := r.call("toggle-flag", args); p.question == "" || !strings.HasPrefix(got, "!") || len(r.Writes()) > 0 {
		t.Errorf("asked %q: %s", p.question, got)
	}
	r = start(t)
	if got := r.call("toggle-flag", args); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
}

// answer is what a client of protocol 2026-07-28 sends when it calls a tool again.
type answer struct {
	state, action, from string // from is the client's name
	by                  string // who calls
	legacy              bool   // the call names no protocol
}

// rawCall calls a tool as a client may that keeps to no rules; state is what the server asks to be sent along.
func rawCall(t *testing.T, r *rig, tool string, args map[string]any, a answer) (text, state string) {
	t.Helper()
	params := map[string]any{"name": tool, "arguments": args}
	if !a.legacy {
		params["_meta"] = map[string]any{"io.modelcontextprotocol/protocolVersion": "2026-07-28",
			"io.modelcontextprotocol/clientInfo":         map[string]any{"name": "client" + a.from, "version": "1"},
			"io.modelcontextprotocol/clientCapabilities": map[string]any{"elicitation": map[string]any{}}}
	}
	if a.state != "" {
		params["requestState"] = a.state
	}
	if a.action != "" {
		params["inputResponses"] = map[string]any{"confirm": map[string]any{"action": a.action, "content": map[string]any{}}}
	}
	message, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(r.server.MCP().HandleMessage(ldclient.WithCaller(t.Context(), a.by), message))
	var reply struct {
		Result struct {
			RequestState string
			Content      []struct{ Text string }
		}
	}
	if err := json.Unmarshal(b, &reply); err != nil {
		t.Fatal(err)
	}
	if c := reply.Result.Content; len(c) > 0 {
		text = c[0].Text
	}
	return text, reply.Result.RequestState
}

// TestSealsHold tries to make each writer's change with a confirmation that was
// given for something else, or to somebody else, or not at all. The one that
// was given for it makes it once.
func TestSealsHold(t *testing.T) {
	writers := confirmedWriters(t)
	elsewhere := start(t)
	for name, args := range writers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			_, state := rawCall(t, r, name, args, answer{})
			_, foreign := rawCall(t, elsewhere, name, args, answer{})
			otherTool, otherArgs := "toggle-flag", map[string]any{"projectKey": "shop", "flagKey": "live-chat", "environmentKey": "production", "on": false, "comment": "because"}
			_, otherState := rawCall(t, r, otherTool, otherArgs, answer{})
			if state == "" || foreign == "" || otherState == "" {
				t.Fatalf("not asked: %q, %q, %q", state, foreign, otherState)
			}
			changed := func(key string, value any) map[string]any {
				out := maps.Clone(args)
				out[key] = value
				return out
			}
			payload, mac, _ := strings.Cut(state, ".")
			type attack struct {
				tool  string
				args  map[string]any
				a     answer
				clock time.Duration
			}
			yes := func(state string) answer { return answer{state: state, action: "accept"} }
			attacks := map[string]attack{
				"no state":           {name, args, yes(""), 0},
				"no answer":          {name, args, answer{state: state}, 0},
				"declined":           {name, args, answer{state: state, action: "decline"}, 0},
				"cancelled":          {name, args, answer{state: state, action: "cancel"}, 0},
				"another word":       {name, args, answer{state: state, action: "ACCEPT"}, 0},
				"made up":            {name, args, yes("e30.e30"), 0},
				"no signature":       {name, args, yes(payload), 0},
				"empty signature":    {name, args, yes(payload + "."), 0},
				"another signature":  {name, args, yes(payload + "." + flipped(mac)), 0},
				"tampered":           {name, args, yes(flipped(payload) + "." + mac), 0},
				"another server's":   {name, args, yes(foreign), 0},
				"another tool's":     {name, args, yes(otherState), 0},
				"for another tool":   {otherTool, otherArgs, yes(state), 0},
				"another comment":    {name, changed("comment", "for fun"), yes(state), 0},
				"another project":    {name, changed("projectKey", "mobile"), yes(state), 0},
				"with a word":        {name, changed("confirm", "production"), yes(state), 0},
				"another client":     {name, args, answer{state: state, action: "accept", from: "2"}, 0},
				"another caller":     {name, args, answer{state: state, action: "accept", by: "bob"}, 0},
				"a legacy caller":    {name, args, answer{state: state, action: "accept", legacy: true}, 0},
				"legacy, no state":   {name, args, answer{action: "accept", legacy: true}, 0},
				"expired":            {name, args, yes(state), tools.ConfirmWithin + 2*time.Second},
				"expired long since": {name, args, yes(state), 1000 * time.Hour},
			}
			if args["environmentKey"] != nil {
				attacks["another environment"] = attack{name, changed("environmentKey", "regulated"), yes(state), 0}
			}
			if flag := args["flagKey"]; flag != nil {
				other := map[bool]string{true: "product-reviews", false: "one-click-buy"}[flag == "one-click-buy"]
				attacks["another flag"] = attack{name, changed("flagKey", other), yes(state), 0}
			}
			for what, a := range attacks {
				r.server.SetClock(func() time.Time { return time.Now().Add(a.clock) })
				if got, _ := rawCall(t, r, a.tool, a.args, a.a); len(r.Writes()) > 0 {
					t.Fatalf("%s: %s", what, got)
				}
			}
			r.server.SetClock(time.Now)
			if got, _ := rawCall(t, r, name, args, yes(state)); !strings.Contains(got, `"changed":true`) || !allSent(name, len(r.Writes())) {
				t.Fatalf("given for it: %d writes: %s", len(r.Writes()), got)
			}
			if got, _ := rawCall(t, r, name, args, yes(state)); !allSent(name, len(r.Writes())) || strings.Contains(got, `"changed":true`) {
				t.Errorf("replayed: %s", got)
			}
		})
	}
}

// flipped changes one letter in the middle.
func flipped(s string) string {
	b := []byte(s)
	if b[len(b)/2]++; b[len(b)/2] > 'y' {
		b[len(b)/2] = 'A'
	}
	return string(b)
}

// TestSealsHoldForAState: what is confirmed is a change of what was shown, so
// that a change by somebody else meanwhile takes the yes with it.
func TestSealsHoldForAState(t *testing.T) {
	tried := 0
	for name, args := range confirmedWriters(t) {
		disturb := disturbance(args, name)
		if disturb == nil {
			continue
		}
		tried++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			_, state := rawCall(t, r, name, args, answer{})
			disturb(t, r)
			if got, _ := rawCall(t, r, name, args, answer{state: state, action: "accept"}); len(r.Writes()) != 1 || !strings.Contains(got, "Nothing was changed") {
				t.Errorf("%d writes: %s", len(r.Writes()), got)
			}
		})
	}
	if tried < 20 {
		t.Errorf("only %d writers were tried", tried)
	}
}

// disturbance is a change by somebody else of what a call would change, nil where none is made here.
func disturbance(args map[string]any, tool string) func(*testing.T, *rig) {
	flag, _ := args["flagKey"].(string)
	segment, _ := args["segmentKey"].(string)
	environment, _ := args["environmentKey"].(string)
	switch {
	case strings.Contains(tool, "scheduled-change") && tool != "create-scheduled-change", strings.Contains(tool, "trigger"), tool == "start-release-phase":
		return nil // they are about something beside the flag
	case strings.Contains(tool, "flag-link"), strings.Contains(tool, "flag-follower"):
		return nil // so are these
	case args["toEnv"] != nil:
		environment = args["toEnv"].(string)
	}
	switch {
	case flag != "" && environment != "":
		return func(t *testing.T, r *rig) {
			patchDirectly(t, r, environment, flag, ldclient.Instruction{"kind": "updateTrackEventsFallthrough", "trackEvents": true})
		}
	case flag != "":
		return func(t *testing.T, r *rig) {
			patchDirectly(t, r, "", flag, ldclient.Instruction{"kind": "addTags", "values": []string{"by-another"}})
		}
	case segment != "":
		return func(t *testing.T, r *rig) {
			send(t, r, http.MethodPatch, "/segments/shop/"+environment+"/"+segment, `[{"op":"replace","path":"/name","value":"By another"}]`)
		}
	case environment != "" && tool == "update-environment":
		return func(t *testing.T, r *rig) {
			send(t, r, http.MethodPatch, "/projects/shop/environments/"+environment, `[{"op":"replace","path":"/color","value":"000000"}]`)
		}
	case tool == "update-project":
		return func(t *testing.T, r *rig) {
			send(t, r, http.MethodPatch, "/projects/shop", `[{"op":"replace","path":"/name","value":"By another"}]`)
		}
	}
	return nil
}

// send makes a request of somebody else.
func send(t *testing.T, r *rig, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://sandbox.test/api/v2"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", sandbox.WriterToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.RoundTrip(req)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatal(err, resp)
	}
}
