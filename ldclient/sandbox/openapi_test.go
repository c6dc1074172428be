package sandbox

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	command "flag"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
)

var rewriteFacts = command.Bool("update", false, "rewrite openapifacts.json.gz from LaunchDarkly's OpenAPI document")

// prose are keywords that say nothing of what is sent.
var prose = []string{"description", "example", "examples", "title", "externalDocs", "x-enumNames", "x-go-type", "x-go-type-import", "format"}

// bare takes the prose out of a schema, a parameter or a body. Members of properties are names, not keywords.
func bare(v any, names bool) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, bare(item, false))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			if !names && slices.Contains(prose, name) {
				continue
			}
			out[name] = bare(inner, !names && name == "properties")
		}
		return out
	}
	return v
}

// references collects the schemas that a value names, and those that they name.
func references(v any, schemas map[string]any, into map[string]any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			references(item, schemas, into)
		}
	case map[string]any:
		for name, inner := range v {
			if ref, ok := inner.(string); ok && name == "$ref" {
				ref = strings.TrimPrefix(ref, "#/components/schemas/")
				if _, seen := into[ref]; !seen {
					into[ref] = bare(schemas[ref], false)
					references(into[ref], schemas, into)
				}
				continue
			}
			references(inner, schemas, into)
		}
	}
}

// reference reads LaunchDarkly's document as plain data.
func reference(t *testing.T) (paths, schemas map[string]any) {
	t.Helper()
	data, err := os.ReadFile(documentPath)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]any
		Components struct{ Schemas map[string]any }
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc.Paths, doc.Components.Schemas
}

// factsFor makes the facts of the account's routes from LaunchDarkly's document.
func factsFor(t *testing.T, a *Account) []byte {
	t.Helper()
	paths, schemas := reference(t)
	routed := map[string]bool{}
	for _, rt := range a.routed {
		routed[rt.method+" "+anonymous(rt.segs)] = true
	}
	type operation struct {
		ID         string `json:"operationId"`
		Tags       any    `json:"tags,omitempty"`
		Parameters any    `json:"parameters,omitempty"`
		Body       any    `json:"requestBody,omitempty"`
		Deprecated bool   `json:"deprecated,omitempty"`
		Semantic   bool   `json:"semantic,omitempty"`
		Path       string `json:"path"`
		Status     string `json:"status"`
	}
	var out struct {
		Operations []operation    `json:"operations"`
		Schemas    map[string]any `json:"schemas"`
	}
	out.Schemas = map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[path].(map[string]any)
		below := strings.TrimPrefix(path, "/api/v2")
		for _, method := range slices.Sorted(maps.Keys(item)) {
			op, _ := item[method].(map[string]any)
			verb := strings.ToUpper(method)
			if !routed[verb+" "+anonymous(strings.Split(strings.TrimPrefix(below, "/"), "/"))] {
				continue
			}
			x := operation{ID: op["operationId"].(string), Tags: op["tags"], Path: verb + " " + below, Deprecated: op["deprecated"] == true}
			if p, ok := op["parameters"]; ok {
				x.Parameters = bare(p, false)
			}
			if b, ok := op["requestBody"]; ok {
				x.Body = bare(b, false)
			}
			text, _ := op["description"].(string)
			x.Semantic = verb == "PATCH" && strings.Contains(strings.ToLower(text), "semantic patch")
			for _, status := range slices.Sorted(maps.Keys(op["responses"].(map[string]any))) {
				if x.Status == "" {
					x.Status = status
				}
			}
			references([]any{x.Parameters, x.Body}, schemas, out.Schemas)
			out.Operations = append(out.Operations, x)
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFactsFollowTheDocument: what the sandbox tells of its routes is what LaunchDarkly's document says of them.
func TestFactsFollowTheDocument(t *testing.T) {
	a, _ := newTestAccount(Options{})
	want := factsFor(t, a)
	if *rewriteFacts {
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		w.Write(want)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("openapifacts.json.gz", packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		packedFacts = packed.Bytes()
	}
	facts, err := readFacts()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(plainJSON(t, want), plainJSON(t, got)); d != "" {
		t.Errorf("openapifacts.json.gz differs (run go test ./ldclient/sandbox -run TestFacts -update):\n%s", d[:min(len(d), 4000)])
	}
}

func plainJSON(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestDescribesItself: the document that the sandbox serves has each of its
// routes, says of them what LaunchDarkly's says, and is not sent twice.
func TestDescribesItself(t *testing.T) {
	a, _ := newTestAccount(Options{})
	got := ask(t, a, "GET", "/openapi.json", nil)
	if got.status != 200 {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	doc, err := openapi.Read(json.NewDecoder(bytes.NewReader(got.body)), nil)
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]*openapi.Operation{}
	for _, op := range doc.Operations() {
		described[op.Method+" "+anonymous(op.Segments())] = op
	}
	for _, rt := range a.routed {
		name := rt.method + " " + anonymous(rt.segs)
		op := described[name]
		if len(rt.segs) > 0 && rt.segs[0] == internalSegment[1:] {
			if op != nil {
				t.Errorf("%s is told of, and is none of the public ones", name)
			}
			continue
		}
		if op == nil {
			t.Errorf("%s is not in the document", name)
			continue
		}
		if op.Beta != rt.beta {
			t.Errorf("%s: beta is %v, want %v", name, op.Beta, rt.beta)
		}
		if op.Summary == "" || !doc.Unique(op) {
			t.Errorf("%s: the operation is called %q and says %q", name, op.ID, op.Summary)
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("%s is in the document and no route", name)
	}
	etag := got.header.Get("ETag")
	if again := ask(t, a, "GET", "/openapi.json", nil, "If-None-Match", etag); again.status != 304 || len(again.body) > 0 || etag == "" {
		t.Errorf("asked for what it has (%s), it answers %d with %d bytes", etag, again.status, len(again.body))
	}
	data, err := os.ReadFile(documentPath)
	if err != nil {
		return // the other test skips or fails
	}
	theirs, err := openapi.Read(json.NewDecoder(bytes.NewReader(data)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range doc.Operations() {
		other, err := theirs.Find(op.String())
		if err != nil {
			continue // newer than the document
		}
		if op.ID != other.ID || op.Semantic != other.Semantic || op.Deprecated != other.Deprecated || len(op.Parameters) != len(other.Parameters) || (op.Body == nil) != (other.Body == nil) {
			t.Errorf("%s: the sandbox says %+v, LaunchDarkly %+v", op, op, other)
		}
	}
}
