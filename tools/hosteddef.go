package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/internal/hosted"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// What a hosted server says of its tools is other people's text: it is bounded
// here, and believed only where that makes a call more careful.
const (
	maxHostedDoc    = 800     // characters of a description
	maxHostedSchema = 16_000  // bytes of one schema
	maxHostedAll    = 200_000 // bytes of all of them
	maxHostedDepth  = 12
)

// hostedCode is the code of a tool that a hosted server carries out.
type hostedCode struct {
	from    *hosted.Server // nil as long as it is not known, and when there is none
	schema  json.RawMessage
	hints   mcp.ToolAnnotation
	takes   map[string]string // its own arguments and their types, as far as it says
	always  bool              // a call is confirmed wherever it is
	closed  bool              // it takes no others
	version string            // digest of what decides how a call is treated
}

func (*hostedCode) in() any           { return new(struct{}) }
func (*hostedCode) out() reflect.Type { return reflect.TypeFor[struct{}]() }

// isHosted reports whether a tool is a hosted server's.
func (t Tool) isHosted() bool {
	_, ok := t.code.(*hostedCode)
	return ok
}

// unread reports whether a tool is a hosted server's of which nothing is known.
func (t *served) unread() bool {
	k, ok := t.code.(*hostedCode)
	return ok && k.from == nil && t.hidden == ""
}

const ofHosted = "A tool of LaunchDarkly's hosted MCP server"

// unread is a tool that was named, as long as nothing is known of it.
func (h *passThrough) unread(name string) *served {
	t := &served{set: hostedSet, Tool: Tool{
		Spec:   Spec{Name: name, Title: name, Doc: ofHosted + "; what it takes is not read yet."},
		Effect: Update, code: &hostedCode{schema: anyObject, always: true},
	}}
	h.hide(t)
	if neverReads(name) || t.hidden != becauseReadOnly {
		return t
	}
	t.hidden = "" // it may turn out to change nothing
	return t
}

// absent is a tool that the servers do not have.
func (h *passThrough) absent(name string, offered []string) *served {
	why := "LaunchDarkly's hosted server has no tool of this name" + nearest(name, offered)
	return &served{set: hostedSet, hidden: why, Tool: Tool{Spec: Spec{Name: name, Title: name, Doc: ofHosted + "."}, Effect: Update, code: &hostedCode{schema: anyObject}}}
}

// serve makes a tool of what a server says of it; size is how much was published before.
func (h *passThrough) serve(from *hosted.Server, def hosted.Tool, size int) *served {
	mask := h.srv.opts.Client.Mask
	k := &hostedCode{from: from, takes: map[string]string{}}
	t := &served{set: hostedSet, Tool: Tool{Spec: Spec{Name: def.Name, Title: short(clean(mask(def.Title)), 80)}, Effect: Update, code: k}}
	if t.Title == "" {
		t.Title = def.Name
	}
	k.always = def.Destructive == nil || *def.Destructive || removes(def.Name)
	if def.ReadOnly != nil && *def.ReadOnly && !neverReads(def.Name) {
		t.Effect, k.always = Read, false
	}
	schema, ok := checkedSchema(json.RawMessage(mask(string(def.InputSchema))))
	if !ok || size+len(def.InputSchema) > maxHostedAll {
		schema = map[string]any{"type": "object"}
	}
	_, others := schema["additionalProperties"].(map[string]any)
	k.closed = schema["properties"] != nil && !others && schema["additionalProperties"] != true
	for name, p := range properties(schema) {
		of, _ := p.(map[string]any)
		k.takes[name], _ = of["type"].(string)
	}
	k.schema = h.published(schema, k.takes, t.Effect != Read)
	t.Doc = ofHosted + "."
	if says := clean(mask(def.Description)); says != "" {
		t.Doc = "Of LaunchDarkly's hosted MCP server: " + short(says, maxHostedDoc)
	}
	k.hints = mcp.ToolAnnotation{OpenWorldHint: def.OpenWorld}
	switch {
	case t.Effect == Read:
		k.hints.ReadOnlyHint = mcp.ToBoolPtr(true)
	case !k.always:
		k.hints.DestructiveHint = mcp.ToBoolPtr(false)
	}
	if t.Effect != Read && def.Idempotent != nil && *def.Idempotent {
		k.hints.IdempotentHint = def.Idempotent
	}
	k.version = digest([]any{from.Host(), t.Effect, k.always, def.Description, string(def.InputSchema)})
	h.hide(t)
	return t
}

// hide does for a hosted tool what the operator decided for all tools.
func (h *passThrough) hide(t *served) {
	o := h.srv.opts
	switch {
	case slices.ContainsFunc(o.ExcludeTools, func(glob string) bool { return ldclient.MatchAny([]string{glob}, t.Name) }):
		t.hidden = "it is not among the tools that this server was told to serve"
	case o.ReadOnly && t.Effect != Read:
		t.hidden = becauseReadOnly
	}
}

// nameWords are the words of a tool's name, in small letters.
func nameWords(name string) []string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.FieldsFunc(b.String(), func(r rune) bool { return r == ' ' || r == '-' || r == '_' })
}

// hostedChanges are verbs of tools that change something, whatever a server says of them.
const hostedChanges = ` add apply approve archive assign attach cancel clear clone copy create delete deploy destroy disable drop edit enable
 execute import insert invite link manage merge move patch post promote publish purge put register remove rename reorder replace reset
 restart restore review revoke rollback rotate run save schedule send set setup start stop submit toggle trigger undo unlink update
 upload upsert write `

// neverReads reports whether the name of a tool says that it changes something.
func neverReads(name string) bool {
	words := nameWords(name)
	return len(words) > 0 && slices.Contains(strings.Fields(hostedChanges), words[0]) || removes(name)
}

// removes reports whether the name of a tool says that something is gone afterwards.
func removes(name string) bool {
	return slices.ContainsFunc(nameWords(name), func(w string) bool {
		return slices.Contains([]string{"delete", "remove", "destroy", "purge", "drop", "revoke"}, w)
	})
}

func properties(schema map[string]any) map[string]any {
	p, _ := schema["properties"].(map[string]any)
	return p
}

// checkedSchema reads the schema of an object and cleans the texts in it. It
// refuses one that is too large or too deep, that points elsewhere, or that
// hides characters where they would have to be repeated exactly.
func checkedSchema(raw json.RawMessage) (map[string]any, bool) {
	if len(raw) > 4*maxHostedSchema {
		return nil, false
	}
	var schema map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&schema) != nil || schema["type"] != "object" {
		return nil, false
	}
	if p, ok := schema["properties"]; ok {
		named, ok := p.(map[string]any)
		for _, of := range named {
			if _, plain := of.(map[string]any); !plain {
				ok = false
			}
		}
		if !ok {
			return nil, false
		}
	}
	delete(schema, "$schema")
	out, ok := cleanSchema(schema, 0)
	if !ok || len(mustJSON(out)) > maxHostedSchema {
		return nil, false
	}
	return out.(map[string]any), true
}

func cleanSchema(v any, depth int) (any, bool) {
	if depth > maxHostedDepth {
		return nil, false
	}
	switch v := v.(type) {
	case string:
		return v, visible(v) == v
	case []any:
		for i := range v {
			var ok bool
			if v[i], ok = cleanSchema(v[i], depth+1); !ok {
				return nil, false
			}
		}
	case map[string]any:
		for name, inner := range v {
			text, plain := inner.(string)
			switch {
			case visible(name) != name:
				return nil, false
			case plain && (name == "description" || name == "title" || name == "$comment"):
				v[name] = short(clean(text), 300)
				continue
			case plain && name == "$ref" && !strings.HasPrefix(text, "#"):
				return nil, false
			case plain && strings.HasPrefix(name, "x-"): // such as what clients would put into headers
				delete(v, name)
				continue
			}
			var ok bool
			if v[name], ok = cleanSchema(inner, depth+1); !ok {
				return nil, false
			}
		}
	}
	return v, true
}

// published is a hosted tool's schema as clients see it: with what every writer
// takes here, and without what is configured.
func (h *passThrough) published(schema map[string]any, takes map[string]string, writes bool) json.RawMessage {
	var given []string
	for name := range takes {
		if h.standIn(name) != "" {
			given = append(given, name)
		}
	}
	if writes {
		own := maps.Clone(properties(schema))
		if own == nil {
			own = map[string]any{}
		}
		for _, name := range []string{"comment", "confirm", "dryRun"} {
			kind := "string"
			if name == "dryRun" {
				kind = "boolean"
			}
			if _, theirs := own[name]; !theirs || name != "comment" {
				own[name] = map[string]any{"type": kind}
				given = append(given, name)
			}
		}
		schema["properties"] = own
	}
	if required, ok := schema["required"].([]any); ok {
		required = slices.DeleteFunc(required, func(name any) bool { return slices.Contains(given, fmt.Sprint(name)) })
		if schema["required"] = required; len(required) == 0 {
			delete(schema, "required")
		}
	}
	return mustJSON(schema)
}

// standIn is the operator's value for an argument of a hosted tool, "" where there is none.
func (h *passThrough) standIn(name string) string {
	switch fold(name) {
	case "projectkey", "project":
		return h.srv.opts.Project
	case "environmentkey", "environment", "envkey", "env":
		return h.srv.opts.Environment
	}
	return ""
}
