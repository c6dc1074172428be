package openapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// FuzzDocument: whatever is served as a document is read or refused, and what
// is read can be searched, described and checked against.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(lies), "tree", []byte(`{"name":"x","children":[{}]}`))
	f.Add([]byte(`{"paths":{"/api/v2/a/{b}":{"patch":{"operationId":"p","description":"semantic patch","parameters":[{"name":"b","in":"path"},{"name":"q","in":"query","schema":{"type":"array","items":{"enum":[1,"x"]}},"explode":false}],"requestBody":{"content":{"application/json":{"schema":{"oneOf":[{"type":"string"},{"minimum":1e400}]}}}}}}}}`), "p", []byte(`{"instructions":[{"kind":"a"},7]}`))
	f.Add([]byte(`{"paths":{"/api/v2":{"put":{"requestBody":{"$ref":"#/components/requestBodies/r"}}}},"components":{"requestBodies":{"r":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/s~1t"}}}}},"schemas":{"s/t":{"type":["object","null"],"additionalProperties":{"$ref":"#/components/schemas/s~1t"}}}}}`), "PUT /", []byte(`{"a":{"b":{}}}`))
	f.Fuzz(func(t *testing.T, document []byte, name string, body []byte) {
		begun := time.Now()
		d, err := Read(json.NewDecoder(bytes.NewReader(document)), func(name string) bool { return name == "secret" })
		if err != nil {
			return
		}
		v := value(body)
		d.Search(name, 5)
		if _, err := d.Find(name); err != nil && len(err.Error()) > 4000 {
			t.Errorf("%d bytes of error", len(err.Error()))
		}
		fields, _ := v.(map[string]any)
		for _, op := range d.Operations()[:min(len(d.Operations()), 20)] {
			if _, ok := segments(Root + strings.TrimSuffix(op.Path, "/")); !ok {
				t.Errorf("%q is no path", op.Path)
			}
			if _, err := json.Marshal(d.Describe(op)); err != nil {
				t.Error(err)
			}
			_ = d.CheckPath(op, fields)
			if q, err := d.CheckQuery(op, fields); err == nil {
				_ = q.Encode()
			}
			_, _ = d.CheckBody(op, v)
			d.SendsComment(op, v)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

const checkedSchemas = `{
	"Thing": {"type": "object", "required": ["key", "kind"], "additionalProperties": false, "properties": {
		"key": {"type": "string", "maxLength": 5}, "kind": {"type": "string", "enum": ["one", "two"]}, "count": {"type": "integer", "minimum": 1, "maximum": 9},
		"share": {"type": "number"}, "on": {"type": "boolean"}, "tags": {"type": "array", "items": {"type": "string"}},
		"more": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Thing"}},
		"either": {"oneOf": [{"type": "string"}, {"type": "object", "required": ["a"], "additionalProperties": false, "properties": {"a": {"type": "integer"}}}]},
		"both": {"allOf": [{"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}}, {"type": "object", "required": ["y"], "properties": {"y": {"type": "number"}}}]}
	}}
}`

// FuzzCheck: a body that passes is what its schema says, by an independent reading of it.
func FuzzCheck(f *testing.F) {
	for _, body := range []string{
		`{"key":"a","kind":"one"}`, `{"key":"abcdef","kind":"three","count":0}`, `{"key":"a","kind":"two","count":2.0,"share":-1e3,"on":true,"tags":["x"]}`,
		`{"key":"a","kind":"one","more":{"b":{"key":"b","kind":"two"}}}`, `{"key":"a","kind":"one","either":"s","both":{"x":"1","y":2}}`,
		`{"key":"a","kind":"one","either":{"a":1},"both":{"x":"1"}}`, `{"key":"a","kind":"one","Key":"b"}`, `{"key":1,"kind":[]}`, `[]`, `7`, `"x"`, `{"key":"a","kind":"one","count":1e400}`,
	} {
		f.Add([]byte(body))
	}
	doc := read(f, `{"paths":{"/api/v2/things":{"post":{"operationId":"make","requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}}}}},"components":{"schemas":`+checkedSchemas+`}}`)
	op := doc.Operations()[0]
	whole, err := validator.UnmarshalJSON(strings.NewReader(`{"$ref":"#/components/schemas/Thing","components":{"schemas":` + checkedSchemas + `}}`))
	if err != nil {
		f.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("mem:thing", whole); err != nil {
		f.Fatal(err)
	}
	oracle := c.MustCompile("mem:thing")
	f.Fuzz(func(t *testing.T, body []byte) {
		v := value(body)
		if v == nil || bytes.Contains(body, []byte("null")) { // what is optional may be null here
			return
		}
		_, err := doc.CheckBody(op, v)
		other := oracle.Validate(v)
		if err == nil && other != nil {
			t.Errorf("%s passes, and does not fit: %v", body, other)
		}
		if err != nil && other == nil && !strings.Contains(err.Error(), "is written") && !strings.Contains(err.Error(), "nested too deep") && !bytes.ContainsAny(body, "eE") {
			t.Errorf("%s fits, and is refused: %v", body, err)
		}
	})
}
