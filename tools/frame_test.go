package tools

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

type atTestFlag struct {
	atFlagEnvironment
	because
}

// run sends one call of a tool that is not in the catalogue through the whole frame.
func run(t *testing.T, tool Tool, o Options, args map[string]any) (text string, account *sandbox.Account) {
	t.Helper()
	account = sandbox.New(sandbox.Options{})
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account})
	if err != nil {
		t.Fatal(err)
	}
	o.Client = ld
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.add("test", tool, true)
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool.Name, args
	res, err := s.handler(s.tools[len(s.tools)-1])(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	text = res.Content[0].(mcp.TextContent).Text
	if res.IsError {
		text = "! " + text
	}
	return text, account
}

var inTest = map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test"}

// TestPlanningCannotWrite: whatever a writer's code does before it returns its plan, no write leaves.
func TestPlanningCannotWrite(t *testing.T) {
	rogue := func(ctx context.Context, ld *ldclient.Client, in atTestFlag) (*plan[struct{}], error) {
		_, err := ld.Flags.Patch(ctx, in.Project, in.Environment, in.Flag, ldclient.Patch{Instructions: []ldclient.Instruction{ldclient.TurnFlagOff()}})
		return &plan[struct{}]{}, err
	}
	spec := Spec{Name: "rogue", Action: "updateOn", Doc: "x"}
	for _, tool := range []Tool{create(spec, rogue), update(spec, rogue), remove(spec, rogue),
		read(spec, func(ctx context.Context, ld *ldclient.Client, in atTestFlag) (struct{}, error) {
			_, err := rogue(ctx, ld, in)
			return struct{}{}, err
		})} {
		text, account := run(t, tool, Options{Confirm: ConfirmNever}, inTest)
		if !strings.HasPrefix(text, "! This server is read-only") || len(account.Writes()) > 0 {
			t.Errorf("%s: %s, %d writes", tool.Effect, text, len(account.Writes()))
		}
	}
}

// TestDeletesAreConfirmed: anywhere, by the key of what would be gone.
func TestDeletesAreConfirmed(t *testing.T) {
	applied := 0
	tool := remove(Spec{Name: "delete-it", Action: "deleteFlag", Doc: "x"}, func(_ context.Context, _ *ldclient.Client, in atTestFlag) (*plan[struct{}], error) {
		return &plan[struct{}]{intent: intent{Says: "delete " + in.Flag}, Apply: func(context.Context, manner) (*struct{}, error) {
			applied++
			return nil, nil
		}}, nil
	})
	for confirm, want := range map[string]int{"": 0, "true": 0, "test": 0, "dark-mode": 1} {
		applied = 0
		text, _ := run(t, tool, Options{}, map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test", "confirm": confirm})
		if applied != want {
			t.Errorf("confirm %q: applied %d times, want %d: %s", confirm, applied, want, text)
		}
	}
}

// TestBadTools: a tool that panics, hangs or answers too much ends as one clear sentence.
func TestBadTools(t *testing.T) {
	spec := Spec{Name: "bad", Doc: "x"}
	for name, test := range map[string]struct {
		tool Tool
		want string
	}{
		"panic": {read(spec, func(context.Context, *ldclient.Client, struct{}) (struct{}, error) { panic("oops") }),
			"! an internal error stopped the call; please report it with the server's log"},
		"hang": {read(spec, func(ctx context.Context, _ *ldclient.Client, _ struct{}) (struct{}, error) {
			<-ctx.Done()
			return struct{}{}, ctx.Err()
		}), "! The call took too long. Ask for less, or try again."},
		"too much": {read(spec, func(context.Context, *ldclient.Client, struct{}) (any, error) { return strings.Repeat("x", 2000), nil }),
			"! The reply would be 2002 bytes, and this server sends at most 1000. Ask for less: a smaller limit, a filter, or one thing at a time; or read it in LaunchDarkly."},
		"cannot be encoded": {read(spec, func(context.Context, *ldclient.Client, struct{}) (any, error) { return make(chan int), nil }),
			"! json: unsupported type: chan int"},
	} {
		text, _ := run(t, test.tool, Options{Timeout: 10 * time.Millisecond, MaxReplyBytes: 1000}, nil)
		if !strings.EqualFold(text, test.want) {
			t.Errorf("%s: got %q, want %q", name, text, test.want)
		}
	}
}

// TestPagesAreCutToFit: a list over the cap is a shorter page that says where to go on.
func TestPagesAreCutToFit(t *testing.T) {
	p := page[string]{TotalCount: 80, NextOffset: 60}
	for i := range 50 {
		p.add(strings.Repeat("x", 30), 10+i)
	}
	text, err := encode(p, 1000)
	var got page[string]
	if err != nil || json.Unmarshal([]byte(text), &got) != nil {
		t.Fatal(text, err)
	}
	if len(text) > 1000 || len(got.Items) < 20 || got.NextOffset != 10+len(got.Items) || !strings.Contains(got.Note, "Cut from 50") {
		t.Errorf("%d bytes, %d items, next %d, %q", len(text), len(got.Items), got.NextOffset, got.Note)
	}
	var large tooLarge
	var one page[string]
	one.add(strings.Repeat("x", 2000), 0)
	if _, err := encode(one, 1000); !errors.As(err, &large) {
		t.Errorf("one item that does not fit: %v", err)
	}
}

// TestClean: what a person cannot see is not sent, and what is visible stays as it is.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                      `"plain"`,
		"tab\tline\n":                `"tab\tline\n"`,
		"zero\u200bwidth\ufeff":      `"zerowidth"`,
		"right\u202eleft\u2066":      `"rightleft"`,
		"tag\U000e0041\U000e007f":    `"tag"`,
		"bell\x07esc\x1b[31m":        `"bellesc[31m"`,
		"del\x7f c1\u0085":           `"del c1"`,
		"line\u2028sep":              `"linesep"`,
		`back\slash "quoted" \u0007`: `"back\\slash \"quoted\" \\u0007"`,
		"<b>&":                       `"<b>&"`,
		"日本語 émoji 🎉":                `"日本語 émoji 🎉"`,
		"sdk-01234567-89ab-cdef-0123-456789abcdef": `"sdk-****"`,
	} {
		if got, err := marshal(in); err != nil || got != want {
			t.Errorf("%q: got %s, want %s (%v)", in, got, want, err)
		}
	}
}

// TestSeal: a confirmation expires, and another server's key does not open it.
func TestSeal(t *testing.T) {
	now := time.Now()
	s := sealer{key: []byte("k"), now: func() time.Time { return now }}
	v := sealed{Tool: "t", Arguments: "a", Resource: "r", Version: "1", Caller: "c", Does: "d"}
	state := s.close(v)
	if err := s.open(state, v); err != nil {
		t.Error(err)
	}
	if err := (sealer{key: []byte("other"), now: s.now}).open(state, v); err == nil {
		t.Error("another key opened it")
	}
	for name, other := range map[string]sealed{
		"tool": {"x", "a", "r", "1", "c", "d", 0, 0}, "arguments": {"t", "x", "r", "1", "c", "d", 0, 0}, "resource": {"t", "a", "x", "1", "c", "d", 0, 0},
		"version": {"t", "a", "r", "2", "c", "d", 0, 0}, "caller": {"t", "a", "r", "1", "x", "d", 0, 0}, "deed": {"t", "a", "r", "1", "c", "x", 0, 0},
	} {
		if s.open(state, other) == nil {
			t.Errorf("it opened for another %s", name)
		}
	}
	now = now.Add(confirmWithin + 2*time.Second)
	if err := s.open(state, v); err == nil {
		t.Error("it opened after it had expired")
	}
}

func TestWeights(t *testing.T) {
	f := &ldclient.Flag{Key: "f", Variations: []ldclient.Variation{{ID: "A", Value: json.RawMessage(`"a"`)}, {ID: "B", Value: json.RawMessage(`"b"`)}, {ID: "C", Value: json.RawMessage(`"c"`)}}}
	for _, test := range []struct {
		parts map[string]float64
		want  string
	}{
		{map[string]float64{"a": 20, "b": 80}, `{"A":20000,"B":80000}`},
		{map[string]float64{"A": 20000, "B": 80000}, `{"A":20000,"B":80000}`},
		{map[string]float64{"a": 33.3333, "b": 33.3333, "c": 33.3334}, `{"A":33333,"B":33333,"C":33334}`},
		{map[string]float64{"a": 0, "2": 100}, `{"A":0,"C":100000}`},
		{map[string]float64{"a": 50, "b": 49}, "the parts of a rollout must add up to 100 percent (or 100000 thousandths), got 99; say which variations the other 1 percent get"},
		{map[string]float64{"a": -10, "b": 110}, "a: a part of a rollout cannot be negative"},
		{map[string]float64{"a": 50, "A": 50}, "variation a is named twice in the rollout"},
		{map[string]float64{"a": 50, "x": 50}, `flag f has no variation "x"; it has a (index 0, _id A), b (index 1, _id B), c (index 2, _id C)`},
	} {
		got, err := weights(f, test.parts)
		b, _ := json.Marshal(got)
		if err != nil {
			b = []byte(err.Error())
		}
		if string(b) != test.want {
			t.Errorf("%v: got %s, want %s", test.parts, b, test.want)
		}
	}
}
