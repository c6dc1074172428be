package ldclient_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

const pageBody = `{"totalCount":7,"items":[
	{"key":"a","name":"A","tags":["x","y"],"variations":[{"_id":"v","value":{"deep":[1,2]}}],"unheard":{"of":[{}]},
		"environments":{"test":{"on":true,"_summary":{"variations":{"0":{"rules":1},"1":{"isOff":true}}}}}},
	{"key":"b","archived":true,"_maintainer":{"firstName":"Ann"},"environments":{"test":{"rules":[{"_id":"r","clauses":[{"values":[1,"a"]}]}]}}},
	{"key":"c"}
],"unheard":["of"],"_links":{"self":{"href":"/"},"next":{"href":"/api/v2/flags/shop?offset=3"}}}`

func listFlags(t *testing.T, body string) (*ldclient.Page[ldclient.Flag], error) {
	t.Helper()
	c := newClient(t, &wire{answers: []func(*http.Request) (*http.Response, error){answer(200, body), answer(200, body)}})
	return c.Flags.List(ldclient.Fresh(t.Context()), "shop", ldclient.ListFlags{})
}

// TestPageOddities: a page that holds something unexpected anywhere reads as
// encoding/json reads it: what is not of its type is left out, and what is no page fails.
func TestPageOddities(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	read, failed := 0, 0
	for range 3000 {
		var body any
		listed := true
		if err := json.Unmarshal([]byte(pageBody), &body); err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(2) {
			body = oddly(r, body)
		}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		var want ldclient.Page[ldclient.Flag]
		err = d.Decode(&want)
		mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err)
		if m, ok := body.(map[string]any); ok && m["items"] != nil {
			_, ok = m["items"].([]any)
			listed = ok
		}
		good := listed && (err == nil || ok && mistyped.Field != "" && mistyped.Field != "items") && (want.Items != nil || want.Links.Self != nil || want.Total > 0)
		got, err := listFlags(t, string(text))
		if (err == nil) != good {
			t.Fatalf("%s: %v, want it read: %t", text, err, good)
		}
		if err != nil {
			failed++
			continue
		}
		read++
		if d := cmp.Diff(&want, got); d != "" {
			t.Fatalf("%s:\n%s", text, d)
		}
	}
	if read < 500 || failed < 100 {
		t.Errorf("%d were read and %d failed", read, failed)
	}
}

// oddly puts something else in the place of one value of a tree.
func oddly(r *rand.Rand, v any) any {
	if r.IntN(4) > 0 {
		switch v := v.(type) {
		case map[string]any:
			if len(v) > 0 {
				name := slices.Sorted(maps.Keys(v))[r.IntN(len(v))]
				v[name] = oddly(r, v[name])
				return v
			}
		case []any:
			if len(v) > 0 {
				i := r.IntN(len(v))
				v[i] = oddly(r, v[i])
				return v
			}
		}
	}
	return []any{nil, 3.5, 12, "text", true, map[string]any{}, map[string]any{"key": 1}, []any{}, []any{1}, []any{map[string]any{"key": "d"}}}[r.IntN(10)]
}

// TestPageCutShort: wherever a page ends too early, it is not taken for a shorter one.
func TestPageCutShort(t *testing.T) {
	if page, err := listFlags(t, pageBody); err != nil || len(page.Items) != 3 || page.Total != 7 || !page.More(0) {
		t.Fatalf("%+v, %v", page, err)
	}
	for n := range len(pageBody) {
		_, err := listFlags(t, pageBody[:n])
		if _, ok := errors.AsType[*ldclient.TransportError](err); !ok {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}
