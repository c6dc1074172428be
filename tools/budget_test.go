package tools_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tiktoken-go/tokenizer"
)

var budget = flag.Bool("budget", false, "write testdata/budget anew: what every tool and reply may weigh")

// weight is what a text costs: bytes, and tokens of o200k_base.
type weight struct{ bytes, tokens int }

func (w weight) over(allowed weight) bool {
	return w.bytes*20 > allowed.bytes*21 || w.tokens*20 > allowed.tokens*21
}

// TestBudget fails where the definition of a tool, or its replies in the
// transcripts, grew by more than a twentieth. What is worth its weight is
// allowed with -budget, which -update leaves alone.
func TestBudget(t *testing.T) {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	weigh := func(text string) weight {
		n, err := codec.Count(text)
		if err != nil {
			t.Fatal(err)
		}
		return weight{len(text), n}
	}
	const file = "testdata/budget"
	weights := map[string]weight{}
	for name, toolsets := range map[string][]string{"default": nil, "all": {"all"}, "dynamic": {"dynamic"}} {
		got, err := start(t, func(s *setup) { s.Toolsets = toolsets }).client.ListTools(t.Context(), mcp.ListToolsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		list := weigh(wireJSON(t, got.Tools))
		weights["list "+name] = list
		t.Logf("%s: %d tools, %d tokens, %d bytes", name, len(got.Tools), list.tokens, list.bytes)
		if name == "default" && (len(got.Tools) > 30 || list.tokens > 8000) {
			t.Errorf("%d default tools in %d tokens, want at most 30 in 8,000", len(got.Tools), list.tokens)
		}
		if name == "all" {
			if list.tokens > 150*len(got.Tools) {
				t.Errorf("%d tools in %d tokens, want at most 150 each on average", len(got.Tools), list.tokens)
			}
			for _, tool := range got.Tools {
				weights["tool "+tool.Name] = weigh(wireJSON(t, tool))
			}
		}
	}
	for name, replies := range transcribed(t) {
		weights["reply "+name] = weigh(replies)
	}
	if *budget {
		var out strings.Builder
		for _, name := range slices.Sorted(maps.Keys(weights)) {
			fmt.Fprintf(&out, "%s %d bytes %d tokens\n", name, weights[name].bytes, weights[name].tokens)
		}
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	allowed := map[string]weight{}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var what, name string
		var w weight
		if _, err := fmt.Sscanf(line, "%s %s %d bytes %d tokens", &what, &name, &w.bytes, &w.tokens); err != nil {
			t.Fatalf("%s: %q: %v", file, line, err)
		}
		allowed[what+" "+name] = w
	}
	for name, w := range weights {
		switch a, ok := allowed[name]; {
		case !ok:
			t.Errorf("%s has no budget; run go test ./tools -run TestBudget -budget", name)
		case w.over(a):
			t.Errorf("%s: %d bytes and %d tokens, allowed are %d and %d and a twentieth more; make it smaller, or allow it with -run TestBudget -budget", name, w.bytes, w.tokens, a.bytes, a.tokens)
		}
	}
}

// transcribed returns the replies of the transcripts by tool, as they were sent.
func transcribed(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, reply := "", ""
		end := func() {
			var sent bytes.Buffer
			if json.Compact(&sent, []byte(reply)) != nil {
				sent.Reset()
				sent.WriteString(reply) // an error is a sentence
			}
			if name != "" {
				out[name] += sent.String()
			}
			reply = ""
		}
		for line := range strings.Lines(string(text)) {
			call, ok := strings.CutPrefix(line, "> ")
			if !ok {
				reply += line
				continue
			}
			end()
			name, _, _ = strings.Cut(strings.TrimSpace(call), " ")
		}
		end()
	}
	return out
}

func wireJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
