package tools

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

// published.txt holds a line for each tool, its name and the schema of its
// arguments as clients see it, so that a first list reflects nothing. It is
// written by go test -update; a test compares it with the code.
//
//go:embed published.txt
var publishedText string

var publishedSchemas = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(publishedText) {
		name, schema, _ := strings.Cut(strings.TrimSpace(line), " ")
		out[name] = schema
	}
	return out
})

// published is a tool's input schema as clients of this server see it: what is
// configured may be left out.
func (s *Server) published(t *served) json.RawMessage {
	if k, ok := t.code.(*hostedCode); ok {
		return k.schema
	}
	schema := publishedSchemas()[t.Name]
	at := strings.LastIndex(schema, requiredKey)
	if at < 0 || s.opts.Project == "" && s.opts.Environment == "" {
		return json.RawMessage(schema)
	}
	var required []string
	if json.Unmarshal([]byte(schema[at+len(requiredKey):len(schema)-1]), &required) != nil {
		return json.RawMessage(schema) // of a part; what the whole requires comes last
	}
	var standIns []string
	for _, f := range t.fields() {
		if s.configured(f) != "" {
			standIns = append(standIns, f.name)
		}
	}
	schema = schema[:at]
	if required = without(required, standIns); len(required) > 0 {
		schema += requiredKey + string(mustJSON(required))
	}
	return json.RawMessage(schema + "}")
}

const requiredKey = `,"required":`

// publishedOf makes a tool's line of published.txt from its code.
func publishedOf(t Tool) string {
	return t.Name + " " + string(mustJSON(publish(schemaOf(t.in()), t.fields())))
}
