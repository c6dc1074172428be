package tools

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
)

// apiReply is what an operation answered.
type apiReply struct {
	Operation  string         `json:"operation"`
	Data       any            `json:"data"`
	NextOffset int            `json:"nextOffset,omitempty" doc:"Set when there is more"`
	Cut        map[string]int `json:"cut,omitempty" doc:"by JSON Pointer: how many there are where fewer are shown"`
	Notes      []string       `json:"notes,omitempty"`
}

type readInput struct {
	operationInput
	Pointer string   `json:"pointer,omitempty" doc:"JSON Pointer into the reply"`
	Fields  []string `json:"fields,omitempty" doc:"Members to keep"`
	paged
}

const (
	noteMasked = "secrets are masked, here and always; read them in LaunchDarkly"
	noteScope  = "what lies outside this server's scope is left out"
	noteFit    = "shortened to fit: pick a part with pointer, or members with fields"
)

var readAPI = readCall(Spec{
	Name: "read-api", Title: "Call a reading operation",
	Doc: "Call an operation that search-api found and that reads. Secrets are masked; lists inside show ten.",
}, func(ctx context.Context, c *call, in readInput) (*apiReply, error) {
	doc, k, err := in.prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	if c.ld.API.Writes(k.Op) {
		return nil, cannot("%s changes something; %s", k.Op, c.instead(k.Op, "write-api"))
	}
	if err := in.check(c, doc, &k); err != nil {
		return nil, err
	}
	if c.target, _, err = c.ld.API.Targets(k); err != nil {
		return nil, err
	}
	pages := in.pages(&k)
	got, err := c.ld.API.Call(ctx, k)
	if err != nil {
		return nil, err
	}
	part, err := pick(got.Value, in.Pointer)
	if err != nil {
		return nil, err
	}
	goesOn := in.Pointer == "" && more(got.Value, pages.offset, len(itemsOf(part)))
	if pages.by == "" || in.Pointer != "" { // all of the list is here
		pages = paging{offset: in.Offset}
		goesOn = in.Offset+in.Limit < len(itemsOf(part))
		part = withItems(part, section(itemsOf(part), in.Limit, in.Offset))
	}
	out := apiReply{Operation: k.Op.ID}
	part = onlyFields(part, in.Fields)
	if got.Masked && strings.Contains(string(mustJSON(part)), ldclient.Masked) {
		out.Notes = append(out.Notes, noteMasked)
	}
	if got.Cut {
		out.Notes = append(out.Notes, noteScope)
	}
	if pages.by == "cursor" && goesOn {
		out.Notes = append(out.Notes, "there is more: go on with the operation's own query parameters")
		goesOn = false
	}
	out.fit(part, in.Pointer, pages, goesOn, c.srv.opts.MaxReplyBytes)
	return &out, nil
})

// paging is how LaunchDarkly divides a list: by offset, by a cursor, or "" for not at all.
type paging struct {
	by     string
	offset int
}

// pages asks LaunchDarkly for one page where it has pages.
func (in readInput) pages(k *ldclient.APICall) paging {
	has := func(name string) bool {
		return slices.ContainsFunc(k.Op.Parameters, func(p openapi.Parameter) bool { return p.In == "query" && p.Name == name })
	}
	if !has("limit") {
		return paging{}
	}
	if k.Query.Get("limit") == "" && in.Pointer == "" {
		k.Query.Set("limit", strconv.Itoa(in.Limit))
	}
	if !has("offset") {
		return paging{by: "cursor"}
	}
	if k.Query.Get("offset") == "" && in.Offset > 0 && in.Pointer == "" {
		k.Query.Set("offset", strconv.Itoa(in.Offset))
	}
	offset, _ := strconv.Atoi(k.Query.Get("offset"))
	return paging{"offset", offset}
}

// itemsOf is the list that a reply is, or that it is a page of.
func itemsOf(v any) []any {
	if m, ok := v.(map[string]any); ok {
		v = m["items"]
	}
	list, _ := v.([]any)
	return list
}

// withItems puts another list in the place of the one that itemsOf finds.
func withItems(v, items any) any {
	switch was := v.(type) {
	case []any:
		return items
	case map[string]any:
		if _, ok := was["items"].([]any); ok {
			was["items"] = items
		}
	}
	return v
}

// fit shows as much of a value as there is room for.
func (r *apiReply) fit(v any, at string, pages paging, goesOn bool, limit int) {
	notes := r.Notes
	for i, m := range measures {
		p := prune(v, at, m)
		r.Data, r.Cut, r.Notes, r.NextOffset = p.data, p.cut, notes, 0
		if i > 0 {
			r.Notes = slices.Concat(notes, []string{noteFit})
		}
		if pages.by != "cursor" && (p.shown < p.whole || goesOn) {
			r.NextOffset = pages.offset + p.shown
		}
		if text, err := marshal(r); err != nil || len(text) <= limit {
			return
		}
	}
}
