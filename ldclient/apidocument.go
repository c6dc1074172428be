package ldclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
)

// APIService calls any operation of the account's own OpenAPI document.
type APIService service

const (
	documentPath = "/openapi.json"
	documentAge  = time.Hour   // after which it is asked whether the document is still so
	documentRest = time.Minute // before that is asked again after it failed
)

// apiDocument keeps the index of the OpenAPI document of an account.
type apiDocument struct {
	turn    chan struct{} // held by the one who reads it or looks it up
	doc     *openapi.Document
	etag    string
	checked time.Time
}

func newAPIDocument() apiDocument { return apiDocument{turn: make(chan struct{}, 1)} }

// Document returns what the account's REST API offers. It is read once and
// looked after once an hour; while that fails, what was read before is used.
func (s *APIService) Document(ctx context.Context) (*openapi.Document, error) {
	a := s.c.account
	select {
	case a.spec.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, s.c.noReply(call{method: http.MethodGet, path: path("openapi.json")}, ctx.Err(), false)
	}
	defer func() { <-a.spec.turn }()
	if a.spec.doc != nil && time.Since(a.spec.checked) < documentAge {
		return a.spec.doc, nil
	}
	doc, etag, err := s.read(ctx, a.spec.etag)
	switch {
	case err != nil && a.spec.doc != nil:
		a.spec.checked = time.Now().Add(documentRest - documentAge)
	case err != nil:
		return nil, err
	case doc == nil:
		a.spec.checked = time.Now()
	default:
		a.spec.doc, a.spec.etag, a.spec.checked = doc, etag, time.Now()
	}
	return a.spec.doc, nil
}

// read asks for the document; it returns nil where it is still the one with this ETag.
func (s *APIService) read(ctx context.Context, etag string) (*openapi.Document, string, error) {
	k := call{method: http.MethodGet, path: path("openapi.json"), etag: etag}
	if err := s.c.allowed(ctx, k); err != nil {
		return nil, "", err
	}
	resp, _, err := s.c.reply(ctx, k)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && etag != "" {
		return nil, "", nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", s.c.failure(k, resp)
	}
	var read documentReader
	if err := s.c.decode(k, resp, &read); err != nil {
		return nil, "", err
	}
	return read.doc, resp.Header.Get("ETag"), nil
}

// documentReader reads the document as it comes in.
type documentReader struct{ doc *openapi.Document }

func (r *documentReader) stream(d *json.Decoder) (err error) {
	if r.doc, err = openapi.Read(d, SecretName); errors.Is(err, openapi.ErrNoOperations) {
		return nil // missing tells of it
	}
	return err
}

func (r *documentReader) missing() string {
	if r.doc == nil {
		return "operations"
	}
	return ""
}
