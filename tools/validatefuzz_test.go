package tools

import (
	"hash/fnv"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// wholeServer is one server with all tools, which no test changes.
var wholeServer = sync.OnceValues(func() (*Server, error) {
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken("api-00000000-0000-0000-0000-000000000000")})
	if err != nil {
		return nil, err
	}
	return New(Options{Client: ld, Toolsets: []string{"all"}, AllowReview: true})
})

// callOf is a call of a tool, or, where none is called so, of one that the name picks.
func callOf(t testing.TB, name string, raw []byte) *call {
	t.Helper()
	s, err := wholeServer()
	if err != nil {
		t.Fatal(err)
	}
	tool := s.find(name)
	if tool == nil {
		h := fnv.New32()
		h.Write([]byte(name))
		tool = s.tools[int(h.Sum32()%uint32(len(s.tools)))]
	}
	c := &call{srv: s, tool: tool, ld: s.opts.Client}
	c.req.Params.Name, c.req.Params.RawArguments = name, raw
	return c
}

// FuzzArguments: whatever is sent as arguments is either what the tool's schema
// says, by an independent reading of it, or refused in a sentence.
func FuzzArguments(f *testing.F) {
	for _, args := range []string{
		`{"projectKey":"shop","limit":"5"}`, `{"projectKey":"shop","limit":5.0,"tags":"[\"ui\"]"}`, `{"request":{"project":"shop","env":"test"}}`,
		`{"project_key":"shop","flag-key":"dark-mode","environmentKey":null,"on":"true"}`, `{"projectKey":"https://app.launchdarkly.com/projects/shop/flags/f"}`,
		`{"projectKey":"shop","flagKey":"dark-mode","env":"test","instructions":"[{\"kind\":\"addRule\",\"variationId\":true,\"clauses\":{\"attribute\":\"key\",\"values\":\"a\"}}]"}`,
		`{"projectKey":"shop","project":"mobile","flagKey":"dark-mode"}`, `{"projectKey":{},"flagKey":[1e400]}`, `[1]`, `null`, ``, `{"a":`, `{"limit":1e1000001}`, `{"\u0000\u202e":"\ud800"}`,
	} {
		f.Add("list-flags", []byte(args))
		f.Add("update-targeting-rules", []byte(args))
		f.Add("undo-change", []byte(args))
	}
	for tool := range catalogue() {
		f.Add(tool.Name, []byte(`{"projectKey":"shop","environmentKey":"test","flagKey":"f","segmentKey":"s","instructions":[{"kind":"x"}],"limit":-1}`))
	}
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		begun := time.Now()
		c := callOf(t, name, raw)
		in := c.tool.code.in()
		err := c.bind(in)
		if err != nil {
			isSentence(t, c, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		args, unsettled := callOf(t, name, raw).settled()
		if unsettled != nil {
			if err == nil {
				t.Errorf("bound what cannot be settled: %v", unsettled)
			}
			return
		}
		s := c.tool.accepted()
		found := wrong(s, args)
		if found != nil && err == nil {
			t.Errorf("bound in spite of: %v", found)
		}
		if mild(args) {
			if says := against(t, s).Validate(any(args)); (says == nil) != (found == nil) {
				t.Errorf("%s: got %v, the oracle says %v", mustJSON(args), found, says)
			}
		}
		if err == nil && !reflect.DeepEqual(slices.Sorted(maps.Keys(c.args)), slices.Sorted(maps.Keys(args))) {
			t.Errorf("bound %v, want %v", c.args, args)
		}
	})
}
