package sandbox

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// openapifacts.json.gz holds what LaunchDarkly's OpenAPI document says of the
// operations that the sandbox has: names, types and what is required, without
// prose. It is written by go test -update.
//
//go:embed openapifacts.json.gz
var packedFacts []byte

type operationFacts struct {
	ID         string          `json:"operationId"`
	Tags       []string        `json:"tags,omitempty"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Body       json.RawMessage `json:"requestBody,omitempty"`
	Deprecated bool            `json:"deprecated,omitempty"`
	Semantic   bool            `json:"semantic,omitempty"` // takes a semantic patch
	Path       string          `json:"path"`
	Status     string          `json:"status"` // of a good answer
}

type apiFacts struct {
	Operations []operationFacts           `json:"operations"` // each with its method in front of its path
	Schemas    map[string]json.RawMessage `json:"schemas"`
}

func readFacts() (*apiFacts, error) {
	r, err := gzip.NewReader(bytes.NewReader(packedFacts))
	if err != nil {
		return nil, err
	}
	facts := new(apiFacts)
	return facts, json.NewDecoder(r).Decode(facts)
}

func (a *Account) openAPIRoutes() {
	document := sync.OnceValues(func() ([]byte, string) {
		facts, err := readFacts()
		if err != nil {
			panic(err) // it is part of the program
		}
		b, err := json.Marshal(a.describe(facts))
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(b)
		return b, `"` + hex.EncodeToString(sum[:8]) + `"`
	})
	a.route("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		b, etag := document()
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(b)
	}).public = true
}

// describe makes an OpenAPI document of the routes.
func (a *Account) describe(facts *apiFacts) map[string]any {
	known := map[string]operationFacts{}
	for _, f := range facts.Operations {
		method, path, _ := strings.Cut(f.Path, " ")
		known[method+" "+anonymous(strings.Split(strings.TrimPrefix(path, "/"), "/"))] = f
	}
	paths := map[string]map[string]any{}
	for _, rt := range a.routed {
		if len(rt.segs) > 0 && rt.segs[0] == internalSegment[1:] {
			continue
		}
		f, ok := known[rt.method+" "+anonymous(rt.segs)]
		if !ok {
			f = factsOf(rt)
		}
		_, path, _ := strings.Cut(f.Path, " ")
		path = "/api/v2" + strings.TrimSuffix(path, "/")
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(rt.method)] = f.operation()
	}
	return map[string]any{
		"openapi": "3.0.3", "info": map[string]any{"title": "Sandbox", "version": "2.0"},
		"paths": paths, "components": map[string]any{"schemas": facts.Schemas},
	}
}

// anonymous is a path with nothing in its braces.
func anonymous(segs []string) string {
	var b strings.Builder
	for _, s := range segs {
		if _, free := wildcard(s); free {
			s = "{}"
		}
		if s != "" {
			b.WriteString("/" + s)
		}
	}
	return b.String()
}

func (f operationFacts) operation() map[string]any {
	op := map[string]any{"operationId": f.ID, "summary": inWords(f.ID), "responses": map[string]any{f.Status: map[string]any{"description": "Done"}}}
	if len(f.Tags) > 0 {
		op["tags"] = f.Tags
	}
	if f.Semantic {
		op["description"] = "Takes a semantic patch."
	}
	for name, raw := range map[string]json.RawMessage{"parameters": f.Parameters, "requestBody": f.Body} {
		if raw != nil {
			op[name] = raw
		}
	}
	if f.Deprecated {
		op["deprecated"] = true
	}
	return op
}

// factsOf is all that can be told of a route that the document does not have.
func factsOf(rt *route) operationFacts {
	path, id := "", strings.ToLower(rt.method)
	for _, s := range rt.segs {
		name, free := wildcard(s)
		if free {
			s = "{" + parameterName(name) + "}"
		} else {
			for word := range strings.SplitSeq(s, "-") {
				id += strings.ToUpper(word[:1]) + word[1:]
			}
		}
		path += "/" + s
	}
	if n := len(rt.segs); n > 0 {
		if name, free := wildcard(rt.segs[n-1]); free {
			id += "By" + strings.ToUpper(name[:1]) + name[1:]
		}
	}
	f := operationFacts{ID: id, Path: rt.method + " " + path, Status: "200"}
	if rt.beta {
		f.Tags = []string{"Sandbox (beta)"}
	}
	if slices.Contains([]string{"POST", "PUT", "PATCH"}, rt.method) {
		f.Body = json.RawMessage(`{"content":{"application/json":{"schema":{}}}}`)
	}
	return f
}

// parameterName is what LaunchDarkly would call a name of a route.
func parameterName(name string) string {
	if len(name) > 2 && name != "key" && !strings.HasSuffix(name, "Key") {
		return name + "Key"
	}
	return name
}

// inWords makes words of an operationId.
func inWords(id string) string {
	var b strings.Builder
	runes := []rune(id)
	for i, c := range runes {
		if unicode.IsUpper(c) && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte(' ')
			if i+1 == len(runes) || unicode.IsLower(runes[i+1]) {
				c = unicode.ToLower(c)
			}
		}
		b.WriteRune(c)
	}
	words := b.String()
	return strings.ToUpper(words[:1]) + words[1:]
}
