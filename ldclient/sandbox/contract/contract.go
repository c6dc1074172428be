// Package contract checks requests and answers against LaunchDarkly's OpenAPI
// document, with the document's known mistakes set right.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Checker knows what the document allows. It is safe for concurrent use.
type Checker struct {
	operations map[string][]*operation // by method and number of path segments
	schemas    openapi3.Schemas
}

type operation struct {
	*openapi3.Operation
	segs []string
	beta bool
}

// Load reads the OpenAPI document in a file.
func Load(path string) (*Checker, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document %s: %w", path, err)
	}
	if err := correct(doc); err != nil {
		return nil, fmt.Errorf("%w: the document has changed, so change the corrections too", err)
	}
	c := &Checker{operations: map[string][]*operation{}, schemas: doc.Components.Schemas}
	if err := c.addNewer(); err != nil {
		return nil, err
	}
	missing := maps.Clone(patchKinds)
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			delete(missing, op.OperationID)
		}
	}
	c.add(doc)
	for id := range missing {
		return nil, fmt.Errorf("the document has no operation %s: change the list of semantic patches", id)
	}
	return c, nil
}

// needsBeta tells whether an operation wants the beta header: the document
// declares it for some, and marks the others by their tag alone.
func needsBeta(op *openapi3.Operation) bool {
	return slices.ContainsFunc(op.Tags, func(t string) bool { return strings.HasSuffix(t, "(beta)") || t == "Experiments" }) ||
		slices.ContainsFunc(op.Parameters, func(p *openapi3.ParameterRef) bool { return p.Value.In == "header" && p.Value.Required })
}

// find returns the operation for a request, the most literal one where several fit.
func (c *Checker) find(r *http.Request) (*operation, error) {
	var segs []string
	for s := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/") {
		decoded, err := url.PathUnescape(s)
		if err != nil || decoded == "" || decoded == "." || decoded == ".." {
			return nil, fmt.Errorf("%s %s: the path has an empty, dotted or badly escaped segment", r.Method, r.URL.EscapedPath())
		}
		segs = append(segs, decoded)
	}
	var best *operation
	for _, op := range c.operations[r.Method+strconv.Itoa(len(segs))] {
		if op.fits(segs) && (best == nil || op.moreLiteral(best)) {
			best = op
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%s %s: the document has no such operation", r.Method, r.URL.EscapedPath())
	}
	return best, nil
}

func free(seg string) bool { return strings.HasPrefix(seg, "{") }

func (op *operation) fits(segs []string) bool {
	for i, s := range op.segs {
		if !free(s) && s != segs[i] {
			return false
		}
	}
	return true
}

func (op *operation) moreLiteral(than *operation) bool {
	for i := range op.segs {
		if free(op.segs[i]) != free(than.segs[i]) {
			return !free(op.segs[i])
		}
	}
	return false
}

// Request says what the document does not allow about a request.
func (c *Checker) Request(r *http.Request, body []byte) error {
	op, err := c.find(r)
	if err != nil {
		return err
	}
	for _, check := range []func(*http.Request, *operation) error{checkHeaders, checkQuery} {
		if err := check(r, op); err != nil {
			return fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
		}
	}
	if err := c.checkRequestBody(r, op, body); err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	return nil
}

func checkHeaders(r *http.Request, op *operation) error {
	versions := r.Header.Values("LD-API-Version")
	if len(versions) > 1 {
		return fmt.Errorf("LD-API-Version is sent %d times", len(versions))
	}
	if op.beta && (len(versions) == 0 || versions[0] != "beta") {
		return fmt.Errorf("operation %s needs LD-API-Version: beta", op.OperationID)
	}
	if token := r.Header.Get("Authorization"); strings.Contains(token, " ") {
		return errors.New("the Authorization header holds more than the bare token")
	}
	return nil
}

func checkQuery(r *http.Request, op *operation) error {
	in, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	for name, values := range in {
		p := op.Parameters.GetByInAndName("query", name)
		if p == nil {
			return fmt.Errorf("operation %s has no query parameter %s", op.OperationID, name)
		}
		schema := p.Schema.Value
		if len(values) > 1 && !schema.Type.Is("array") && !repeatable[op.OperationID+" "+name] {
			return fmt.Errorf("query parameter %s is sent %d times", name, len(values))
		}
		for _, v := range values {
			if err := checkScalar(schema, v); err != nil {
				return fmt.Errorf("query parameter %s: %w", name, err)
			}
		}
	}
	for _, p := range op.Parameters {
		if p.Value.In == "query" && p.Value.Required && !in.Has(p.Value.Name) {
			return fmt.Errorf("query parameter %s is missing", p.Value.Name)
		}
	}
	return nil
}

func checkScalar(schema *openapi3.Schema, v string) error {
	var err error
	switch {
	case schema.Type.Is("integer"):
		_, err = strconv.ParseInt(v, 10, 64)
	case schema.Type.Is("number"):
		_, err = strconv.ParseFloat(v, 64)
	case schema.Type.Is("boolean"):
		_, err = strconv.ParseBool(v)
	case len(schema.Enum) > 0:
		err = schema.VisitJSON(v)
	}
	return err
}

func (c *Checker) checkRequestBody(r *http.Request, op *operation, body []byte) error {
	if len(body) == 0 {
		if op.RequestBody != nil && op.RequestBody.Value.Required {
			return fmt.Errorf("operation %s needs a body", op.OperationID)
		}
		return nil
	}
	kinds, patches := patchKinds[op.OperationID]
	if op.RequestBody == nil && !patches {
		return fmt.Errorf("operation %s takes no body", op.OperationID)
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the Content-Type %q: %w", r.Header.Get("Content-Type"), err)
	}
	var content *openapi3.MediaType
	if op.RequestBody != nil {
		content = op.RequestBody.Value.Content[media]
	}
	if content == nil && !(patches && media == "application/json") {
		return fmt.Errorf("operation %s takes no %s", op.OperationID, media)
	}
	if media != "application/json" {
		return nil
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	semantic := params["domain-model"] == "launchdarkly.semanticpatch"
	switch {
	case !patches && semantic:
		return fmt.Errorf("operation %s takes no semantic patch", op.OperationID)
	case !patches:
		return checkValue(content.Schema, v)
	case semantic || hasInstructions(v) || !plainPatches[op.OperationID]:
		return checkSemanticPatch(kinds, semantic, v)
	}
	return c.checkPlainPatch(v)
}

// checkValue checks a value against a schema, and that it has no field that the schema does not know.
func checkValue(schema *openapi3.SchemaRef, v any) error {
	if schema == nil || schema.Value == nil {
		return nil
	}
	if err := visit(schema.Value, v); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if path, ok := unknownField(schema.Value, v); ok {
		return fmt.Errorf("body: the document has no field %s", path)
	}
	return nil
}

func visit(schema *openapi3.Schema, v any) error {
	return schema.VisitJSON(v, openapi3.DisableSchemaErrorDetails())
}

func unknownField(schema *openapi3.Schema, v any) (string, bool) {
	switch v := v.(type) {
	case []any:
		if schema.Items == nil || schema.Items.Value == nil {
			return "", false
		}
		for _, item := range v {
			if path, ok := unknownField(schema.Items.Value, item); ok {
				return "[]." + path, true
			}
		}
	case map[string]any:
		if len(schema.Properties) == 0 || len(schema.AllOf)+len(schema.AnyOf)+len(schema.OneOf) > 0 ||
			schema.AdditionalProperties.Schema != nil || schema.AdditionalProperties.Has != nil {
			return "", false
		}
		for name, field := range v {
			p := schema.Properties[name]
			if p == nil {
				return name, true
			}
			if p.Value == nil {
				continue
			}
			if path, ok := unknownField(p.Value, field); ok {
				return name + "." + path, true
			}
		}
	}
	return "", false
}

// Response says what the document does not allow about the answer to a request.
func (c *Checker) Response(r *http.Request, status int, header http.Header, body []byte) error {
	op, err := c.find(r)
	if err != nil {
		if status >= 400 {
			return checkError(status, header, body)
		}
		return err
	}
	if err := c.checkResponse(op, status, header, body); err != nil {
		return fmt.Errorf("%s %s answers %d: %w", r.Method, r.URL.Path, status, err)
	}
	return nil
}

func (c *Checker) checkResponse(op *operation, status int, header http.Header, body []byte) error {
	if status >= 400 {
		return checkError(status, header, body) // undeclared statuses happen
	}
	declared := op.Responses.Status(status)
	if declared == nil {
		return fmt.Errorf("operation %s does not declare this status", op.OperationID)
	}
	content := declared.Value.Content.Get("application/json")
	if content == nil || content.Schema == nil {
		if status == http.StatusNoContent && len(body) > 0 {
			return errors.New("there is a body where the document has none")
		}
		return nil
	}
	v, err := decode(header, body)
	if err != nil {
		return err
	}
	return visit(content.Schema.Value, v)
}

func decode(header http.Header, body []byte) (any, error) {
	if media, _, _ := mime.ParseMediaType(header.Get("Content-Type")); media != "application/json" {
		return nil, fmt.Errorf("the Content-Type is %q", header.Get("Content-Type"))
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, err
	}
	return v, nil
}

func checkError(status int, header http.Header, body []byte) error {
	v, err := decode(header, body)
	if err != nil {
		return fmt.Errorf("error %d: %w", status, err)
	}
	fields, _ := v.(map[string]any)
	for _, name := range []string{"code", "message"} {
		if s, _ := fields[name].(string); s == "" {
			return fmt.Errorf("error %d has no %s: %s", status, name, body)
		}
	}
	return nil
}

// Handler passes requests on to next and reports what the document does not
// allow about a request, or else about the answer to it.
func (c *Checker) Handler(next http.Handler, onViolation func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := &recorder{code: http.StatusOK, head: http.Header{}}
		next.ServeHTTP(answer, r)
		if err := c.Request(r, body); err != nil {
			onViolation(err)
		} else if err := c.Response(r, answer.code, answer.head, answer.body.Bytes()); err != nil {
			onViolation(err)
		}
		for name, values := range answer.head {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.code)
		w.Write(answer.body.Bytes())
	})
}

// recorder keeps an answer.
type recorder struct {
	code int
	head http.Header
	body bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.head }
func (w *recorder) WriteHeader(code int)        { w.code = code }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
