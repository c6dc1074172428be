package tools

import (
	"encoding/json"
	"strings"
	"testing"
)

// forget makes the next server the first one of its program.
func forget() {
	argumentsOf.known.Clear()
	schemas.known.Clear()
	outputs.known.Clear()
}

// BenchmarkNew is what every start pays, with all tools and with the usual ones,
// and what it and its first list of the tools cost together.
func BenchmarkNew(b *testing.B) {
	for name, o := range map[string]Options{"all": {Toolsets: []string{"all"}}, "default": {}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				forget()
				if _, err := New(o); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+" and list", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				forget()
				s, err := New(o)
				if err != nil {
					b.Fatal(err)
				}
				list(b, s)
			}
		})
		b.Run(name+" once more and list", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := New(o)
				if err != nil {
					b.Fatal(err)
				}
				list(b, s)
			}
		})
	}
}

func list(b *testing.B, s *Server) {
	b.Helper()
	got := s.MCP().HandleMessage(b.Context(), json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	if text, err := json.Marshal(got); err != nil || len(text) < 10_000 {
		b.Fatal(len(text), err)
	}
}

// BenchmarkArguments is what a call's arguments cost before anything is asked of
// LaunchDarkly: the check alone, and all from the bytes to the typed arguments.
func BenchmarkArguments(b *testing.B) {
	const flag = `{"projectKey":"shop","flagKey":"dark-mode","environmentKey":"test"`
	rule := `{"kind":"addRule","variation":"on","clauses":[{"attribute":"country","op":"in","values":["de","fr","it"]}]}`
	for _, of := range []struct{ name, tool, args string }{
		{"toggle", "toggle-flag", flag + `,"on":true,"comment":"why"}`},
		{"list", "list-flags", `{"projectKey":"shop","tags":["ui"],"limit":50}`},
		{"100 rules", "update-targeting-rules", flag + `,"instructions":[` + strings.Repeat(rule+",", 99) + rule + `]}`},
		{"100 mistakes", "update-targeting-rules", flag + `,"instructions":[` + strings.Repeat(`{"kind":"add"},`, 99) + rule + `]}`},
	} {
		c := callOf(b, of.tool, []byte(of.args))
		args, err := c.settled()
		if err != nil {
			b.Fatal(err)
		}
		s, fits := c.tool.accepted(), wrong(c.tool.accepted(), args) == nil
		independent := against(b, s)
		b.Run(of.name+"/check", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if (wrong(s, args) == nil) != fits {
					b.Fatal("the verdict changed")
				}
			}
		})
		b.Run(of.name+"/oracle", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if (independent.Validate(any(args)) == nil) != fits {
					b.Fatal("the verdicts differ")
				}
			}
		})
		b.Run(of.name+"/bind", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if (callOf(b, of.tool, []byte(of.args)).bind(c.tool.code.in()) == nil) != fits {
					b.Fatal("the verdict changed")
				}
			}
		})
	}
}
