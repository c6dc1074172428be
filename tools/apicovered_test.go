package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// sandboxDocument is the document that the sandbox serves.
func sandboxDocument(t *testing.T) *openapi.Document {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ldclient.Regions["us"]+"/api/v2/openapi.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := sandbox.New(sandbox.Options{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi.Read(json.NewDecoder(bytes.NewReader(b)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// operationOf finds the operation of a request in a document, the most literal one where several fit.
func operationOf(doc *openapi.Document, method, path string) *openapi.Operation {
	segs := strings.Split(strings.Trim(strings.TrimPrefix(path, openapi.Root), "/"), "/")
	if segs[0] == "" {
		segs = nil
	}
	var best *openapi.Operation
	literal := func(op *openapi.Operation) string {
		var b strings.Builder
		for _, s := range op.Segments() {
			if _, free := op.Parameter(s); free {
				b.WriteByte('b')
			} else {
				b.WriteByte('a')
			}
		}
		return b.String()
	}
	for _, op := range doc.Operations() {
		if op.Method != method || !slices.EqualFunc(op.Segments(), segs, func(have, is string) bool {
			_, free := op.Parameter(have)
			return free || have == is
		}) {
			continue
		}
		if best == nil || literal(op) < literal(best) {
			best = op
		}
	}
	return best
}

func anonymousPath(op *openapi.Operation) string {
	var b strings.Builder
	for _, s := range op.Segments() {
		if _, free := op.Parameter(s); free {
			s = "{}"
		}
		b.WriteString("/" + s)
	}
	return op.Method + " " + b.String()
}

// TestCoveredOperations: apicovered.txt says which operations our tools make, by the requests that they send.
func TestCoveredOperations(t *testing.T) {
	doc := sandboxDocument(t)
	by := map[string][]string{}
	for _, tool := range everyTool() {
		if strings.HasSuffix(tool.Name, "-api") || tool.Name == "undo-change" {
			continue
		}
		r := start(t)
		args := sample(t, tool, "test")
		if tool.Name == "get-audit-log-entry" {
			args["id"] = firstEntry(t, r)
		}
		before := len(r.Requests())
		if word := wantsWord.FindStringSubmatch(r.callWith(tool.Name, args)); word != nil {
			args["confirm"] = word[1]
			before = len(r.Requests())
			r.callWith(tool.Name, args)
		}
		reads, writes := map[string]bool{}, map[string]bool{}
		for _, req := range r.Requests()[before:] {
			if op := operationOf(doc, req.Method, req.Path); op != nil {
				if req.Writes {
					writes[anonymousPath(op)] = true
				} else {
					reads[anonymousPath(op)] = true
				}
			}
		}
		does := writes
		if tool.Effect == tools.Read {
			if does = reads; len(reads) > 1 {
				continue // it puts several together
			}
		}
		for name := range does {
			by[name] = append(by[name], tool.Name)
		}
	}
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(by)) {
		fmt.Fprintln(&got, name, strings.Join(by[name], " "))
	}
	golden(t, "apicovered.txt", got.String())
}
