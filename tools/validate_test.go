package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/invopop/jsonschema"
	oracle "github.com/santhosh-tekuri/jsonschema/v6"
)

func catalogue() iter.Seq[Tool] {
	return func(yield func(Tool) bool) {
		for _, set := range Catalog() {
			for _, t := range set.Tools {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// within yields a schema and all that stand in it.
func within(at string, s *jsonschema.Schema) iter.Seq2[string, *jsonschema.Schema] {
	return func(yield func(string, *jsonschema.Schema) bool) {
		var walk func(string, *jsonschema.Schema) bool
		walk = func(at string, s *jsonschema.Schema) bool {
			if s == nil || s == jsonschema.FalseSchema {
				return true
			}
			if !yield(at, s) || !walk(at+"[]", s.Items) || !walk(at+".*", s.AdditionalProperties) {
				return false
			}
			for name, p := range s.Properties.FromOldest() {
				if !walk(at+"."+name, p) {
					return false
				}
			}
			return true
		}
		walk(at, s)
	}
}

// TestSchemaKeywords fails where a schema says something that the check does not
// look at or that its text leaves out, so that no limit is there for show alone.
func TestSchemaKeywords(t *testing.T) {
	types := []string{"string", "number", "integer", "boolean", "array", "object", ""}
	for tool := range catalogue() {
		for at, s := range within(tool.Name, tool.accepted()) {
			rest := *s
			rest.Description = ""
			rest.Type, rest.AnyOf, rest.Enum, rest.MinLength, rest.Minimum, rest.Maximum = "", nil, nil, nil, "", ""
			rest.MinItems, rest.MaxItems, rest.Items, rest.Properties, rest.Required, rest.AdditionalProperties = nil, nil, nil, nil, nil, nil
			if !reflect.DeepEqual(rest, jsonschema.Schema{}) {
				t.Errorf("%s: the check does not know a keyword of %s", at, mustJSON(&rest))
			}
			if !slices.Contains(types, s.Type) {
				t.Errorf("%s: type %q", at, s.Type)
			}
			if slices.ContainsFunc(s.Enum, func(v any) bool { _, text := v.(string); return !text }) || s.Enum != nil && s.Type != "string" {
				t.Errorf("%s: the check knows enums of strings alone", at)
			}
			for _, choice := range s.AnyOf {
				if !reflect.DeepEqual(*choice, jsonschema.Schema{Type: choice.Type}) || choice.Type == "" || s.Type != "" || len(s.AnyOf) < 2 {
					t.Errorf("%s: the check knows choices of types alone, without a type beside them", at)
				}
			}
			if (s.Items == nil) == (s.Type == "array") {
				t.Errorf("%s: an array says what it holds, and nothing else does", at)
			}
		}
	}
}

// limited has every keyword that the check knows.
type limited struct {
	Name    string             `json:"name" jsonschema:"minLength=2"`
	Title   string             `json:"title,omitempty" jsonschema:"minLength=1"`
	State   string             `json:"state,omitempty" jsonschema:"enum=live,enum=archived"`
	Count   int                `json:"count,omitempty" jsonschema:"minimum=-1,maximum=20"`
	Share   float64            `json:"share,omitempty" jsonschema:"minimum=0.5,maximum=1"`
	On      bool               `json:"on,omitempty"`
	Tags    []string           `json:"tags,omitempty" jsonschema:"minItems=1,maxItems=2"`
	Weights map[string]float64 `json:"weights,omitempty"`
	Value   scalar             `json:"value,omitempty"`
	Any     anyValue           `json:"any,omitempty"`
	Free    map[string]any     `json:"free,omitempty"`
	Parts   []struct {
		Kind string   `json:"kind"`
		Each []scalar `json:"each,omitempty"`
	} `json:"parts,omitempty"`
}

// TestWrong: each limit, what is just inside and just outside, and how it is said.
func TestWrong(t *testing.T) {
	s := strict(reflect.TypeFor[limited]())
	for _, test := range []struct{ args, want string }{
		{`{"name":"ab"}`, ""},
		{`{"name":"é"}`, "name: must be at least 2 characters long, got 1"},
		{`{"name":"éé"}`, ""},
		{`{}`, "missing name"},
		{`{"name":null}`, "name: must be a string, got null"},
		{`{"name":7}`, "name: must be a string, got a number"},
		{`{"name":"ab","title":""}`, "title: must not be empty"},
		{`{"name":"ab","state":"live"}`, ""},
		{`{"name":"ab","state":"life"}`, "state: must be one of live, archived (did you mean live?)"},
		{`{"name":"ab","state":"\u0000\u0000\u0000\u0000"}`, "state: must be one of live, archived"},
		{`{"name":"ab","count":-1}`, ""},
		{`{"name":"ab","count":20.0}`, ""},
		{`{"name":"ab","count":2e1}`, ""},
		{`{"name":"ab","count":-2}`, "count: must be at least -1, got -2"},
		{`{"name":"ab","count":21}`, "count: must be at most 20, got 21"},
		{`{"name":"ab","count":2.5}`, "count: must be a whole number, got 2.5"},
		{`{"name":"ab","count":1e-1}`, "count: must be a whole number, got 1e-1"},
		{`{"name":"ab","count":"x"}`, "count: must be a whole number, got a string"},
		{`{"name":"ab","count":1e999999999999}`, "count: must be at most 20, got 1e999999999999"},
		{`{"name":"ab","count":20.000000000000000000000000000001}`, "count: must be a whole number, got 20.000000000000000000000000000001"},
		{`{"name":"ab","share":1.0000000000000000000000001}`, "share: must be at most 1, got 1.0000000000000000000000001"},
		{`{"name":"ab","share":0.49999999999999999999999}`, "share: must be at least 0.5, got 0.49999999999999999999999"},
		{`{"name":"ab","share":0.5}`, ""},
		{`{"name":"ab","on":"yes"}`, "on: must be true or false, got a string"},
		{`{"name":"ab","tags":[]}`, "tags: must hold at least 1, got 0"},
		{`{"name":"ab","tags":["a","b","c"]}`, "tags: must hold at most 2, got 3"},
		{`{"name":"ab","tags":{}}`, "tags: must be an array, got an object"},
		{`{"name":"ab","weights":{"1":1,"b":true,"a.b":"x","":[]}}`, "weights.: must be a number, got an array; weights.a.b: must be a number, got a string; weights.b: must be a number, got true or false"},
		{`{"name":"ab","value":[]}`, "value: must be a string, a number or true or false"},
		{`{"name":"ab","value":0}`, ""},
		{`{"name":"ab","any":{"deep":[null]},"free":{"a":[{}]}}`, ""},
		{`{"name":"ab","parts":[{"kind":"a","each":["x",{}]},{},{"kind":1,"sort":2}]}`, "parts[0].each[1]: must be a string, a number or true or false; parts[1]: missing kind; parts[2].kind: must be a string, got a number; parts[2]: no argument sort; there are kind, each"},
		{`{"nam":1,"zz":1}`, "missing name; no argument nam (did you mean name?), zz; there are name, title, state, count, share, on, tags, weights, value, any, free, parts"},
	} {
		var args map[string]any
		if !decode([]byte(test.args), &args) {
			t.Fatal(test.args)
		}
		got := ""
		if err := wrong(s, args); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s:\n%q, want\n%q", test.args, got, test.want)
		}
		if says := against(t, s).Validate(any(args)); mild(args) && (says == nil) != (got == "") {
			t.Errorf("%s: got %q, the oracle says %v", test.args, got, says)
		}
	}
}

// TestSameName: names are the same whatever their case, underscores and hyphens.
func TestSameName(t *testing.T) {
	names := []string{"", "_", "projectKey", "project_key", "PROJECT-KEY", "projectKey_", "__project__key", "projectKeys", "project key", "pröjectKey", "env", "e-n-v", "ENV", "k"}
	for _, a := range names {
		for _, b := range names {
			if got, want := sameName(a, b), fold(a) == fold(b); got != want {
				t.Errorf("%q and %q: %v, want %v", a, b, got, want)
			}
		}
	}
}

// TestDecimal compares numbers as math/big does, and keeps to what a text can say.
func TestDecimal(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	number := func() json.Number {
		text := []string{"", "-"}[r.IntN(2)] + []string{"0", "1", "9", "10", "20", "100", "123", "9007199254740993", "9223372036854775807", "9223372036854775808"}[r.IntN(10)]
		if r.IntN(2) == 0 {
			text += "." + []string{"0", "5", "00", "50", "05", "000000000000000000001"}[r.IntN(6)]
		}
		if r.IntN(2) == 0 {
			text += []string{"e", "E", "e+", "e-"}[r.IntN(4)] + []string{"0", "1", "2", "18", "19", "021"}[r.IntN(6)]
		}
		return json.Number(text)
	}
	for range 20_000 {
		a, b := number(), number()
		x, _ := new(big.Rat).SetString(a.String())
		y, _ := new(big.Rat).SetString(b.String())
		if got, want := decimalOf(a).compare(decimalOf(b)), x.Cmp(y); got != want {
			t.Fatalf("%s to %s: %d, want %d", a, b, got, want)
		}
		if got := decimalOf(a).whole(); got != x.IsInt() {
			t.Fatalf("%s whole: %v", a, got)
		}
		got, ok := decimalOf(a).int64()
		if want := x.IsInt() && x.Num().IsInt64(); ok != want || ok && got != x.Num().Int64() {
			t.Fatalf("%s as an int64: %d %v", a, got, ok)
		}
	}
	huge := json.Number("1e" + strings.Repeat("9", 1_000_000))
	if decimalOf(huge).compare(decimalOf("1e30")) != 1 || !decimalOf(huge).whole() || decimalOf("-1e-999999999999999999999").sign() != -1 {
		t.Error("an exponent beyond int64 is not far away")
	}
}

var (
	oracles  sync.Map
	oneByOne sync.Mutex
)

// against is a schema as an independent implementation of JSON Schema reads it.
func against(t testing.TB, s *jsonschema.Schema) *oracle.Schema {
	t.Helper()
	oneByOne.Lock()
	defer oneByOne.Unlock()
	if c, ok := oracles.Load(s); ok {
		return c.(*oracle.Schema)
	}
	doc, err := oracle.UnmarshalJSON(bytes.NewReader(mustJSON(s)))
	if err != nil {
		t.Fatal(err)
	}
	c := oracle.NewCompiler()
	if err := c.AddResource("mem:arguments", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("mem:arguments")
	if err != nil {
		t.Fatal(err)
	}
	oracles.Store(s, compiled)
	return compiled
}

// mild reports whether v holds no exponent of more than four digits; math/big,
// on which the oracle stands, reads none that are much longer.
func mild(v any) bool {
	switch v := v.(type) {
	case json.Number:
		i := strings.IndexAny(v.String(), "eE")
		return i < 0 || len(strings.Trim(v.String()[i+1:], "+-")) <= 4
	case []any:
		return !slices.ContainsFunc(v, func(v any) bool { return !mild(v) })
	case map[string]any:
		for _, inner := range v {
			if !mild(inner) {
				return false
			}
		}
	}
	return true
}

// drawing draws values that fit a schema, and spoils one in a while.
type drawing struct {
	*rand.Rand
	spoil float64 // how often
}

func (d drawing) of(s *jsonschema.Schema) any {
	if d.Float64() < d.spoil {
		return d.junk(2)
	}
	if len(s.AnyOf) > 0 {
		return d.of(s.AnyOf[d.IntN(len(s.AnyOf))])
	}
	switch s.Type {
	case "string":
		if len(s.Enum) > 0 {
			return s.Enum[d.IntN(len(s.Enum))]
		}
		return strings.Repeat("k", d.IntN(2)+max(1, int(deref(s.MinLength)))-d.outside())
	case "boolean":
		return d.IntN(2) == 0
	case "integer", "number":
		n := json.Number(fmt.Sprint(d.IntN(30)))
		switch {
		case d.IntN(3) == 0 && s.Maximum != "":
			n = beside(s.Maximum, d.outside())
		case s.Minimum != "":
			n = beside(s.Minimum, -d.outside())
		}
		if s.Type == "integer" {
			n += json.Number([]string{"", "", ".0", "e0", ".00E+00"}[d.IntN(5)])
		}
		return n
	case "array":
		n := int(deref(s.MinItems)) + d.IntN(3)
		if s.MaxItems != nil && d.IntN(2) == 0 {
			n = int(*s.MaxItems) + d.outside()
		}
		if s.MinItems != nil && d.outside() == 1 {
			n = int(*s.MinItems) - 1
		}
		list := []any{}
		for range n {
			list = append(list, d.of(s.Items))
		}
		return list
	case "object":
		m := map[string]any{}
		for name, p := range s.Properties.FromOldest() {
			if slices.Contains(s.Required, name) && d.outside() == 0 || d.IntN(3) == 0 {
				m[name] = d.of(p)
			}
		}
		if s.AdditionalProperties != jsonschema.FalseSchema {
			m["x"] = d.junk(1)
			if s.AdditionalProperties != nil {
				m["x"] = d.of(s.AdditionalProperties)
			}
		} else if d.outside() == 1 {
			m["colour"] = d.junk(1)
		}
		return m
	}
	return d.junk(2)
}

// outside is 1 where a limit is to be missed by one, else 0.
func (d drawing) outside() int {
	if d.Float64() < d.spoil {
		return 1
	}
	return 0
}

func deref(n *uint64) uint64 {
	if n == nil {
		return 0
	}
	return *n
}

func beside(n json.Number, by int) json.Number {
	r, _ := new(big.Rat).SetString(n.String())
	return json.Number(strings.TrimSuffix(strings.TrimRight(r.Add(r, big.NewRat(int64(by), 1)).FloatString(3), "0"), "."))
}

func (d drawing) junk(depth int) any {
	plain := []any{nil, true, "", "x", "true", "17", json.Number("0"), json.Number("-1"), json.Number("1.5"), json.Number("1e2"),
		json.Number("1e30"), json.Number("9007199254740993"), []any{}, map[string]any{}}
	if n := d.IntN(len(plain) + 2); n < len(plain) {
		return plain[n]
	} else if depth > 0 && n == len(plain) {
		return []any{d.junk(depth - 1), d.junk(depth - 1)}
	}
	return map[string]any{"kind": "x", "values": []any{json.Number("1")}}
}

// TestCheckAgreesWithOracle draws arguments for every tool, good and spoilt, and
// compares verdicts with those of an independent implementation.
func TestCheckAgreesWithOracle(t *testing.T) {
	for tool := range catalogue() {
		t.Run(tool.Name, func(t *testing.T) {
			t.Parallel()
			s := tool.accepted()
			independent := against(t, s)
			r := rand.New(rand.NewPCG(6, uint64(len(tool.Name))))
			good, bad := 0, 0
			for n := range 200 {
				d := drawing{r, []float64{0, 0.02, 0.2}[n%3]}
				args, ok := d.of(s).(map[string]any)
				if !ok {
					continue
				}
				says := independent.Validate(any(args))
				err := wrong(s, args)
				if (says == nil) != (err == nil) {
					t.Fatalf("%s: got %v, the oracle says %v", mustJSON(args), err, says)
				}
				if err != nil && d.spoil == 0 {
					t.Fatalf("%s was drawn to fit: %v", mustJSON(args), err)
				}
				if err == nil {
					good++
				} else {
					bad++
				}
			}
			if good < 60 || bad == 0 {
				t.Errorf("%d good and %d bad arguments were tried", good, bad)
			}
		})
	}
}

// TestHostileArguments: what is sent to be slow or long is answered at once and in short.
func TestHostileArguments(t *testing.T) {
	deep := strings.Repeat(`[`, 9_000) + strings.Repeat(`]`, 9_000)
	var names, faulty strings.Builder
	for n := range 10_000 {
		fmt.Fprintf(&names, `,"x%d":1`, n)
		faulty.WriteString(`,{"kind":7,"clauses":[{"values":[{}]}],"percent":1e1000000}`)
	}
	const flag = `{"projectKey":"shop","flagKey":"f","environmentKey":"test"`
	for name, raw := range map[string]string{
		"exponents":       flag + `,"instructions":[{"kind":"addRule","percent":1e1000000},{"kind":"addRule","percent":1e999999999999}]}`,
		"digits":          flag + `,"instructions":[{"kind":"addRule","percent":` + strings.Repeat("9", 1_000_000) + `}]}`,
		"unknown names":   flag + names.String() + `}`,
		"mistakes":        flag + `,"instructions":[{}` + faulty.String() + `]}`,
		"depth":           flag + `,"instructions":` + deep + `}`,
		"quoted depth":    flag + `,"instructions":"` + deep + `"}`,
		"too much depth":  flag + `,"instructions":` + strings.Repeat(`[`, 100_000) + `}`,
		"a long name":     flag + `,"` + strings.Repeat("n", 1_000_000) + `":1}`,
		"a long spelling": flag + `,"project` + strings.Repeat("_", 1_000_000) + `Key":1}`,
		"not an object":   `[` + flag + `}]`,
		"more than one":   flag + `} {}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := callOf(t, "update-targeting-rules", []byte(raw))
			begun := time.Now()
			err := c.bind(c.tool.code.in())
			if err == nil {
				t.Fatal("accepted")
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if len(err.Error()) > 5_000 {
				t.Errorf("answered in %d bytes", len(err.Error()))
			}
			isSentence(t, c, err)
		})
	}
}

// isSentence holds an error to what a model is to read: a sentence of printable characters.
func isSentence(t *testing.T, c *call, err error) {
	t.Helper()
	if _, ok := errors.AsType[badArguments](err); !ok {
		t.Errorf("%T, want a mistake in the arguments: %v", err, err)
	}
	text := explain(t.Context(), c, err)
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || !strings.HasSuffix(text, ".") || len([]rune(text)) > 1_000 {
		t.Errorf("not a sentence: %q", text)
	}
	var sent any
	json.Unmarshal(c.req.Params.RawArguments, &sent)
	own := string(c.req.Params.RawArguments) + string(mustJSON(sent))
	for mark, begin := range map[string]string{"&{": "&", "map[": "map", "%!": "%", "json:": "json"} {
		// A name that the caller made up is shown, without what cannot be.
		if strings.Contains(text, mark) && !strings.Contains(own, begin) && !strings.Contains(own, `\u00`) {
			t.Errorf("a Go value shows in %q", text)
		}
	}
}
