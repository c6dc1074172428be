package tools

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
)

var apiTools = Toolset{
	Name: "api", Doc: "Every other operation of LaunchDarkly's REST API.",
	Tools: []Tool{searchAPI, readAPI, writeAPI},
}

// operationRow is an operation in a list.
type operationRow struct {
	Operation  string   `json:"operation" doc:"operationId"`
	Request    string   `json:"request"`
	Summary    string   `json:"summary,omitempty"`
	Writes     bool     `json:"writes,omitempty" doc:"true: for write-api, else for read-api"`
	Deprecated bool     `json:"deprecated,omitempty"`
	Tools      []string `json:"tools,omitempty" doc:"do the same, and are the better choice"`
	Refused    string   `json:"refused,omitempty" doc:"why write-api does not call it"`
}

type operationSearch struct {
	Items     []operationRow       `json:"items,omitempty"`
	Operation *operationRow        `json:"operation,omitempty"`
	Takes     *openapi.Description `json:"takes,omitempty" doc:"what it takes; * marks what is required"`
	Note      string               `json:"note,omitempty"`
}

func (c *call) rowOf(doc *openapi.Document, op *openapi.Operation) operationRow {
	row := operationRow{Operation: short(clean(op.ID), 100), Request: op.String(), Summary: short(clean(op.Summary), 100), Deprecated: op.Deprecated, Writes: c.ld.API.Writes(op)}
	if strings.EqualFold(row.Summary, row.Operation) {
		row.Summary = ""
	}
	if names, served := c.srv.toolsFor(op); served {
		row.Tools = names[:min(len(names), 5)]
	}
	if row.Writes {
		row.Refused = c.srv.refuses(doc, op, c.srv.opts.AllowOperations).why
		if len(row.Tools) > 0 && row.Refused != "" {
			row.Refused = "use one of tools"
		}
	}
	return row
}

var searchAPI = readCall(Spec{
	Name: "search-api", Title: "Search the REST API",
	Doc: "Find operations of the REST API by words, for what no other tool does. With operation: what it takes.",
}, func(ctx context.Context, c *call, in struct {
	Query     string `json:"query,omitempty" doc:"A few words"`
	Operation string `json:"operation,omitempty" alias:"operationId" doc:"operationId, or method and path"`
	Limit     int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=50" default:"10" told:"true"`
}) (operationSearch, error) {
	if (in.Query == "") == (in.Operation == "") {
		return operationSearch{}, badf("give query to search, or operation to see what one takes")
	}
	doc, err := c.ld.API.Document(ctx)
	if err != nil {
		return operationSearch{}, err
	}
	if in.Operation != "" {
		op, err := doc.Find(in.Operation)
		if err != nil {
			return operationSearch{}, badf("operation: %v", err)
		}
		row, takes := c.rowOf(doc, op), doc.Describe(op)
		return operationSearch{Operation: &row, Takes: &takes}, nil
	}
	out := operationSearch{}
	for _, found := range doc.Search(in.Query, in.Limit) {
		out.Items = append(out.Items, c.rowOf(doc, found.Operation))
	}
	if len(out.Items) == 0 {
		out.Note = "No operation is about that; try other words."
	} else if words := doc.Unsaid(in.Query); len(words) > 0 {
		out.Note = "No operation has the word " + clean(strings.Join(words, ", ")) + "; these fit the others."
	}
	return out, nil
})

// operationInput is what names an operation and its parameters. The values are checked against the document.
type operationInput struct {
	Operation string              `json:"operation" alias:"operationId" doc:"operationId, or method and path"`
	Path      map[string]anyValue `json:"path,omitempty" alias:"pathParameters" brief:"true" doc:"Parameters by name"`
	Query     map[string]anyValue `json:"query,omitempty" alias:"queryParameters" brief:"true" doc:"Parameters by name"`
	Body      anyValue            `json:"body,omitempty" doc:"JSON"`
}

// prepare finds the operation that is meant and checks what it is given, before a byte leaves.
func (in operationInput) prepare(ctx context.Context, c *call) (*openapi.Document, ldclient.APICall, error) {
	var k ldclient.APICall
	doc, err := c.ld.API.Document(ctx)
	if err != nil {
		return nil, k, err
	}
	if k.Op, err = doc.Find(in.Operation); err != nil {
		return nil, k, badf("operation: %v", err)
	}
	return doc, k, nil
}

// check holds the parameters and the body against the document.
func (in operationInput) check(c *call, doc *openapi.Document, k *ldclient.APICall) error {
	path, query := plainValues(in.Path), plainValues(in.Query)
	underOwnNames(k.Op, path)
	for _, p := range k.Op.Parameters { // what the operator configured stands in, as it does for other tools
		_, has := path[p.Name]
		if p.In == "path" && !has && c.srv.opts.Project != "" && sameName(p.Name, "projectKey") {
			path[p.Name] = c.srv.opts.Project
		}
		if p.In == "path" && !has && c.srv.opts.Environment != "" && sameName(p.Name, "environmentKey") {
			path[p.Name] = c.srv.opts.Environment
		}
	}
	if err := doc.CheckPath(k.Op, path); err != nil {
		return badf("%v", err)
	}
	k.Path = map[string]string{}
	for name, v := range path {
		k.Path[name] = openapi.PathValue(v)
	}
	var err error
	if k.Query, err = doc.CheckQuery(k.Op, query); err != nil {
		return badf("%v", err)
	}
	k.Body = bodyOf(in.Body)
	if k.Semantic, err = doc.CheckBody(k.Op, k.Body); err != nil {
		return badf("%v", err)
	}
	return nil
}

// underOwnNames renames parameters of the path that are given by another name of the same thing.
func underOwnNames(op *openapi.Operation, path map[string]any) {
	thing := func(name string) string {
		name = strings.TrimSuffix(strings.TrimPrefix(fold(name), "feature"), "key")
		switch name {
		case "proj":
			return "project"
		case "env":
			return "environment"
		}
		return name
	}
	for _, given := range slices.Sorted(maps.Keys(path)) {
		var meant []string
		for _, p := range op.Parameters {
			if p.In == "path" && thing(p.Name) == thing(given) {
				meant = append(meant, p.Name)
			}
		}
		if len(meant) != 1 {
			continue
		}
		if _, both := path[meant[0]]; !both {
			path[meant[0]] = path[given]
			delete(path, given)
		}
	}
}

func plainValues(in map[string]anyValue) map[string]any {
	out := map[string]any{}
	for name, raw := range in {
		var v any
		if decode(raw, &v) && v != nil {
			out[name] = v
		}
	}
	return out
}

// bodyOf decodes a body, which models may have quoted.
func bodyOf(raw anyValue) any {
	var v any
	if len(raw) == 0 || !decode(raw, &v) {
		return nil
	}
	if text, ok := v.(string); ok {
		var inner any
		if decode([]byte(text), &inner) {
			switch inner.(type) {
			case map[string]any, []any:
				return inner
			}
		}
	}
	return v
}
