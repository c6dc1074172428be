package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// Confirmations hold for this long.
const ConfirmWithin = confirmWithin

// SetClock sets the clock by which confirmations expire.
func (s *Server) SetClock(now func() time.Time) { s.guard.seal.now = now }

// SetBypass says for every target whether the token may do without an approval.
func (s *Server) SetBypass(v policy.Verdict) {
	s.guard.bypass = func(context.Context, ldclient.Target) policy.Verdict { return v }
}

// LearnNow reads what the token may do.
func (s *Server) LearnNow(ctx context.Context) { s.learnOnce(ctx) }

// Words lists what the arguments of each listed tool may be, where that is one of several words.
func (s *Server) Words() map[string][]string {
	out := map[string][]string{}
	var walk func(tool string, schema *jsonschema.Schema)
	walk = func(tool string, schema *jsonschema.Schema) {
		for _, word := range schema.Enum {
			out[tool] = append(out[tool], fmt.Sprint(word))
		}
		if schema.Items != nil {
			walk(tool, schema.Items)
		}
		for p := schema.Properties.Oldest(); p != nil; p = p.Next() {
			walk(tool, p.Value)
		}
	}
	for _, t := range s.tools {
		if !t.unlisted {
			walk(t.Name, t.accepted())
		}
	}
	return out
}

// Accepted gives the schema of what each tool takes, which says more than clients are told.
func Accepted() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, set := range Catalog() {
		for _, t := range set.Tools {
			out[t.Name] = mustJSON(t.accepted())
		}
	}
	return out
}

// A Parameter is what a tool takes under a name, in whatever way a caller may say it.
type Parameter struct {
	Names    []string // its own, then its other spellings
	Required bool
	Words    []any // what it may be, if that is one of several words
	Any      bool  // an object or a list of objects of which no schema tells what is in it
	Inner    []Parameter
}

// Parameters lists what each tool takes, that of objects and of lists of objects included.
func Parameters() map[string][]Parameter {
	var walk func(fields []field, s *jsonschema.Schema) []Parameter
	walk = func(fields []field, s *jsonschema.Schema) (out []Parameter) {
		for p := s.Properties.Oldest(); p != nil; p = p.Next() {
			x := Parameter{Names: []string{p.Key}, Required: slices.Contains(s.Required, p.Key)}
			var inner []field
			if i := slices.IndexFunc(fields, func(f field) bool { return f.name == p.Key }); i >= 0 {
				x.Names, inner = append(x.Names, fields[i].aliases...), fields[i].inner
			}
			of := p.Value
			for of.Items != nil || of.AdditionalProperties != nil && of.AdditionalProperties.Type != "" {
				if of.Items != nil {
					of = of.Items
				} else {
					of = of.AdditionalProperties
				}
			}
			x.Words = of.Enum
			if x.Any = of.Properties.Len() == 0 && (of.Type == "object" || of.Type == ""); !x.Any {
				x.Inner = walk(inner, of)
			}
			out = append(out, x)
		}
		return out
	}
	out := map[string][]Parameter{}
	for _, set := range Catalog() {
		for _, t := range set.Tools {
			for _, name := range append(t.Aliases, t.Name) {
				out[name] = walk(t.fields(), t.accepted())
			}
		}
	}
	return out
}

// Published makes published.txt from the code.
func Published() string {
	var out strings.Builder
	for _, set := range Catalog() {
		for _, t := range set.Tools {
			if len(t.StandsFor) == 0 {
				out.WriteString(publishedOf(t) + "\n")
			}
		}
	}
	return out.String()
}

// PublishedWith is the schema of a tool's arguments where these stand in for what a caller leaves out, made from the code.
func PublishedWith(t Tool, standIns ...string) json.RawMessage {
	s := schemaOf(t.in())
	s.Required = without(s.Required, standIns)
	return mustJSON(publish(s, t.fields()))
}

// HoldHosted says for how long a hosted tool that only reads is taken for what it was.
func (s *Server) HoldHosted(d time.Duration) { s.hosted.holds = d }
