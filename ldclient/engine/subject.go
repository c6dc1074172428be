package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// Subject is a context that flags are evaluated for.
type Subject struct {
	context ldcontext.Context
	hidden  []hidden
}

// hidden is an attribute whose value was redacted.
type hidden struct {
	kind  string
	steps []string
}

// String names the context by its kinds and keys.
func (s *Subject) String() string {
	var names []string
	for _, c := range s.context.GetAllIndividualContexts(nil) {
		names = append(names, string(c.Kind())+" "+c.Key())
	}
	return strings.Join(names, " and ")
}

// Keys are the keys of the context by kind, of which there is one unless it is of kind multi.
func (s *Subject) Keys() map[string]string {
	out := map[string]string{}
	for _, c := range s.context.GetAllIndividualContexts(nil) {
		out[string(c.Kind())] = c.Key()
	}
	return out
}

// Redacted reports whether the values of some of the context's attributes are not known.
func (s *Subject) Redacted() bool { return len(s.hidden) > 0 }

// Seen is the subject of a context that LaunchDarkly has seen.
func Seen(c ldclient.ReportedContext) (*Subject, error) {
	about := map[string]any{"kind": c.Kind, "key": c.Key}
	maps.Copy(about, c.Attributes)
	if c.Kind == "multi" {
		delete(about, "key")
	}
	s, err := Given(about)
	if err != nil {
		return nil, err
	}
	s.hide(c.Kind, c.Redacted)
	return s, nil
}

// Given is the subject of a context in the SDKs' JSON form.
func Given(about map[string]any) (*Subject, error) {
	kind, _ := about["kind"].(string)
	s := &Subject{}
	if kind != "multi" {
		c, redacted := single(about, kind)
		s.context = c
		s.hide(kind, redacted)
		return s, invalid(c)
	}
	b := ldcontext.NewMultiBuilder()
	for _, kind := range slices.Sorted(maps.Keys(about)) {
		inner, ok := about[kind].(map[string]any)
		if !ok {
			continue
		}
		c, redacted := single(inner, kind)
		b.Add(c)
		s.hide(kind, redacted)
	}
	s.context = b.Build()
	return s, invalid(s.context)
}

func invalid(c ldcontext.Context) error {
	if c.Err() != nil {
		return fmt.Errorf("it is no valid context (%w)", c.Err())
	}
	return nil
}

func single(about map[string]any, kind string) (ldcontext.Context, []string) {
	key, _ := about["key"].(string)
	b := ldcontext.NewBuilder(key).Kind(ldcontext.Kind(kind))
	for name, v := range about {
		if name != "kind" && name != "key" && name != "_meta" {
			b.SetValue(name, plain(v))
		}
	}
	var redacted []string
	meta, _ := about["_meta"].(map[string]any)
	names, _ := meta["redactedAttributes"].([]any)
	for _, name := range names {
		if text, ok := name.(string); ok {
			redacted = append(redacted, text)
		}
	}
	return b.Build(), redacted
}

func (s *Subject) hide(kind string, redacted []string) {
	for _, reference := range redacted {
		s.hidden = append(s.hidden, hidden{kind, ldclient.AttributeSteps(reference)})
	}
}

// hides reports whether an attribute, or a part of it, is not known.
func (s *Subject) hides(a hidden) bool {
	return slices.ContainsFunc(s.hidden, func(h hidden) bool {
		common := min(len(h.steps), len(a.steps)) // a part is redacted with the whole, and the whole shows its parts
		return h.kind == a.kind && slices.Equal(h.steps[:common], a.steps[:common])
	})
}

// plain turns decoded JSON into the SDK's value.
func plain(v any) ldvalue.Value {
	switch v := v.(type) {
	case string:
		return ldvalue.String(v)
	case bool:
		return ldvalue.Bool(v)
	case float64:
		return ldvalue.Float64(v)
	case json.Number:
		n, _ := v.Float64()
		return ldvalue.Float64(n)
	case []any:
		b := ldvalue.ArrayBuildWithCapacity(len(v))
		for _, item := range v {
			b.Add(plain(item))
		}
		return b.Build()
	case map[string]any:
		b := ldvalue.ObjectBuildWithCapacity(len(v))
		for name, item := range v {
			b.Set(name, plain(item))
		}
		return b.Build()
	}
	return ldvalue.CopyArbitraryValue(v)
}
