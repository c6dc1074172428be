package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ld-mcp/ld-mcp/internal/choice"
	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// A bench is a sandbox account with a flag of which much is configured in
// environment test, and two flags that may be its prerequisites.
type bench struct {
	account *sandbox.Account
	flag    *ldclient.Flag
	env     *engine.Environment
	ids     map[string][]string // what is there, by the field that names it
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{account: sandbox.New(sandbox.Options{}), env: engine.New("test")}
	for _, text := range []string{
		`{"key":"gate","name":"Gate"}`, `{"key":"door","name":"Door"}`,
		`{"key":"main","name":"Main","variations":[{"value":"red"},{"value":"green"},{"value":"blue"}]}`,
	} {
		if status, body := b.send(t, "POST", "flags/shop", "application/json", text); status != http.StatusCreated {
			t.Fatalf("%d: %s", status, body)
		}
	}
	gate, _ := b.read(t, "gate")
	b.flag, _ = b.read(t, "main")
	v := b.flag.Variations
	do := []ldclient.Instruction{
		ldclient.TurnFlagOn(),
		ldclient.AddRule(ldclient.NewRule{Clauses: []ldclient.Clause{{Attribute: "plan", Op: "in", Values: []any{"pro", "team"}}, {ContextKind: "device", Attribute: "age", Op: "lessThan", Values: []any{7}}},
			Serve: ldclient.Serve{VariationID: v[1].ID}}, ""),
		ldclient.AddRule(ldclient.NewRule{Clauses: []ldclient.Clause{{Op: "segmentMatch", Values: []any{"beta-testers"}}}, Description: "Beta",
			Serve: ldclient.Serve{Weights: map[string]int{v[0].ID: 40_000, v[2].ID: 60_000}, BucketBy: "plan"}}, ""),
		{"kind": "addTargets", "variationId": v[0].ID, "values": []string{"ann", "bob"}},
		{"kind": "addTargets", "variationId": v[1].ID, "contextKind": "device", "values": []string{"phone"}},
		{"kind": "addPrerequisite", "key": "gate", "variationId": gate.Variations[0].ID},
	}
	if status, body := b.patch(t, "", do); status != http.StatusOK {
		t.Fatalf("%d: %s", status, body)
	}
	b.flag, _ = b.read(t, "main")
	b.ids = map[string][]string{"key": {"gate", "door", "main", "absent"}}
	for _, key := range []string{"gate", "door", "main"} {
		f, _ := b.read(t, key)
		b.env.AddFlag(key, f)
		for _, v := range f.Variations {
			b.ids["variationId"] = append(b.ids["variationId"], v.ID)
		}
	}
	for _, r := range b.flag.Environments["test"].Rules {
		b.ids["ruleId"] = append(b.ids["ruleId"], r.ID)
		for _, c := range r.Clauses {
			b.ids["clauseId"] = append(b.ids["clauseId"], c.ID)
		}
	}
	return b
}

func (b *bench) send(t testing.TB, method, path, content, body string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://sandbox/api/v2/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", sandbox.WriterToken)
	r.Header.Set("Content-Type", content)
	resp, err := b.account.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text
}

func (b *bench) read(t testing.TB, key string) (*ldclient.Flag, []byte) {
	t.Helper()
	status, text := b.send(t, "GET", "flags/shop/"+key, "", "")
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, text)
	}
	return decodeFlag(t, text), text
}

func decodeFlag(t testing.TB, text []byte) *ldclient.Flag {
	t.Helper()
	var f ldclient.Flag
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return &f
}

func (b *bench) patch(t testing.TB, query string, do any) (int, []byte) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"environmentKey": "test", "instructions": do})
	if err != nil {
		t.Fatal(err)
	}
	return b.send(t, "PATCH", "flags/shop/main"+query, "application/json; domain-model=launchdarkly.semanticpatch", string(body))
}

// A drawer draws instructions, fit or not, with odd in places where anything might stand.
type drawer struct {
	*rand.Rand
	*bench
	odd any
}

// The kinds that Apply knows, and three that it does not.
var drawnKinds = strings.Fields(`turnFlagOn turnFlagOff updateFallthroughVariationOrRollout updateOffVariation
	addRule removeRule replaceRules reorderRules updateRuleVariationOrRollout updateRuleDescription updateRuleTrackEvents
	addClauses removeClauses updateClause addValuesToClause removeValuesFromClause
	addTargets removeTargets replaceTargets clearTargets addUserTargets removeUserTargets replaceUserTargets clearUserTargets
	addPrerequisite updatePrerequisite removePrerequisite replacePrerequisites updateTrackEvents updateTrackEventsFallthrough
	addTags removeVariation archiveFlag`)

// drawnFields are the fields of a kind; serve stands for those of a variation or rollout.
func drawnFields(kind string) []string {
	switch kind {
	case "updateFallthroughVariationOrRollout":
		return []string{"serve"}
	case "updateOffVariation", "clearTargets", "clearUserTargets", "removeVariation":
		return []string{"variationId"}
	case "addRule":
		return []string{"serve", "clauses", "description?", "trackEvents?", "beforeRuleId?", "ref?"}
	case "removeRule":
		return []string{"ruleId"}
	case "replaceRules":
		return []string{"rules"}
	case "reorderRules":
		return []string{"ruleIds"}
	case "updateRuleVariationOrRollout":
		return []string{"ruleId", "serve"}
	case "updateRuleDescription":
		return []string{"ruleId", "description"}
	case "updateRuleTrackEvents":
		return []string{"ruleId", "trackEvents"}
	case "addClauses":
		return []string{"ruleId", "clauses"}
	case "removeClauses":
		return []string{"ruleId", "clauseIds"}
	case "updateClause":
		return []string{"ruleId", "clauseId", "clause"}
	case "addValuesToClause", "removeValuesFromClause":
		return []string{"ruleId", "clauseId", "values"}
	case "addTargets", "removeTargets", "addUserTargets", "removeUserTargets":
		return []string{"variationId", "keys", "contextKind?"}
	case "replaceTargets", "replaceUserTargets":
		return []string{"targets"}
	case "addPrerequisite", "updatePrerequisite":
		return []string{"key", "variationId"}
	case "removePrerequisite":
		return []string{"key"}
	case "replacePrerequisites":
		return []string{"prerequisites"}
	case "updateTrackEvents", "updateTrackEventsFallthrough":
		return []string{"trackEvents"}
	}
	return []string{"keys"}
}

func (d *drawer) instruction() map[string]any {
	kind := choice.Of(d.Rand, drawnKinds...)
	out := d.fields(drawnFields(kind)...)
	if choice.Chance(d.Rand, 3) { // a field that is of no use to the kind
		for name, v := range d.fields(choice.Of(d.Rand, "serve", "clauses", "ruleId", "targets", "values", "contextKind")) {
			out[name] = v
		}
	}
	out["kind"] = kind
	return out
}

func (d *drawer) fields(names ...string) map[string]any {
	out := map[string]any{}
	for _, name := range names {
		name, maybe := strings.CutSuffix(name, "?")
		switch {
		case maybe && d.IntN(2) == 0, choice.Chance(d.Rand, 2):
			continue
		case name == "serve":
			d.serve(out)
			continue
		case name == "keys":
			out["values"] = d.some(func() any { return choice.Of(d.Rand, "ann", "bob", "cy", "phone") })
		case choice.Chance(d.Rand, 1):
			out[name] = d.odd
		default:
			out[name] = d.field(name)
		}
		if choice.Chance(d.Rand, 1) {
			out[strings.ToUpper(name)] = d.odd // which encoding/json takes for the same
		}
	}
	return out
}

func (d *drawer) some(of func() any) []any {
	out := []any{}
	for range choice.Of(d.Rand, 0, 1, 1, 1, 1, 2, 3, 3) {
		out = append(out, of())
	}
	return out
}

func (d *drawer) serve(into map[string]any) {
	if d.IntN(2) == 0 {
		into["variationId"] = d.field("variationId")
		return
	}
	weights, left := map[string]any{}, 100_000
	for _, v := range d.flag.Variations {
		w := choice.Of(d.Rand, 0, 20_000, 50_000, left)
		if choice.Chance(d.Rand, 80) {
			w = min(w, left)
		}
		left -= w
		if weights[v.ID] = w; d.IntN(4) == 0 && w == 0 {
			delete(weights, v.ID)
		}
	}
	if last := d.flag.Variations[2].ID; left > 0 {
		weights[last] = left
	}
	into["rolloutWeights"] = weights
	for _, name := range []string{"rolloutBucketBy", "rolloutContextKind"} {
		if d.IntN(3) == 0 {
			into[name] = choice.Of[any](d.Rand, "plan", "device", "", "user", nil)
		}
	}
}

func (d *drawer) field(name string) any {
	switch name {
	case "variationId":
		return choice.Of(d.Rand, append(slices.Clone(d.ids[name]), d.ids[name][4], d.ids[name][5], d.ids[name][6], d.ids[name][0], "absent")...)
	case "ruleId", "clauseId": // the first ones belong together
		first := d.ids[name][0]
		return choice.Of(d.Rand, append(slices.Clone(d.ids[name]), first, first, first, first, "absent")...)
	case "beforeRuleId":
		return d.field("ruleId")
	case "key":
		return choice.Of(d.Rand, d.ids[name]...)
	case "ruleIds", "clauseIds":
		if d.IntN(2) == 0 {
			out := slices.Clone(d.ids[name[:len(name)-1]])
			d.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
			return out
		}
		return d.some(func() any { return d.field(name[:len(name)-1]) })
	case "contextKind":
		return choice.Of[any](d.Rand, "user", "device", "", "kind", "a b", nil)
	case "trackEvents":
		return choice.Of[any](d.Rand, true, false, nil)
	case "description", "ref":
		return choice.Of[any](d.Rand, "", "text", nil)
	case "values":
		return d.some(d.value)
	case "clause":
		return d.clause()
	case "clauses":
		return d.some(d.clause)
	case "rules":
		return d.some(func() any { return d.fields("serve", "clauses", "description?", "trackEvents?", "ref?") })
	case "targets":
		if d.IntN(2) == 0 {
			return d.some(func() any { return d.fields("variationId", "keys", "contextKind?") })
		}
		out := []any{}
		for _, v := range d.flag.Variations {
			t := d.fields("keys", "contextKind?")
			t["variationId"] = v.ID
			out = append(out, t)
		}
		return out
	case "prerequisites":
		return d.some(func() any { return d.fields("key", "variationId") })
	}
	return d.odd
}

func (d *drawer) value() any {
	return choice.Of[any](d.Rand, "pro", "pro", "team", "team", "x", "7", 7, 7, 8, json.Number("7.0"), json.Number("7e0"), json.Number("9007199254740993"), json.Number("9007199254740992"), true, "", "(", nil, []any{}, d.odd)
}

func (d *drawer) clause() any {
	out := d.fields("contextKind?")
	out["op"] = choice.Of[any](d.Rand, "in", "in", "matches", "lessThan", "segmentMatch", "startsWith", "before", "semVerEqual", "no-op")
	out["attribute"] = choice.Of[any](d.Rand, "plan", "plan", "/a/b", "kind", "")
	out["values"] = append(d.some(d.value), choice.Of[any](d.Rand, "x", 1))
	if d.IntN(3) == 0 {
		out["negate"] = choice.Of[any](d.Rand, true, false, nil)
	}
	if d.IntN(5) == 0 {
		out["_id"] = choice.Of(d.Rand, d.ids["clauseId"]...)
	}
	return out
}

// FuzzApply: whatever instructions the sandbox carries out, Apply does the same
// or says that it does not know; and nothing that is tried out, refused or not, changes the flag.
func FuzzApply(f *testing.F) {
	for i, text := range []string{
		`"x"`, `7`, `null`, `{}`, `[]`, `{"kind":"addRule"}`, `true`, `1e400`,
		`[{"kind":"turnFlagOff"}]`, `[{"kind":"replaceTargets","targets":[{}]}]`, `[null]`, `[{"KIND":"turnFlagOn"},{"kind":7}]`,
		`[{"DESCRIPTION":"x","TRACKEVENTS":true,"kind":"addRule","variationId":"$0","clauses":[{"op":"in","attribute":"a","values":[1]}],"description":null,"trackEvents":null}]`,
		`[{"kind":"updateClause","clause":null}]`, `[{"kind":"reorderRules","ruleIds":["a","a"]}]`, `[{"kind":"addRule","rolloutWeights":{"":1}}]`, `-0`,
	} {
		f.Add(choice.Seeds(32)[i], text)
	}
	for _, data := range choice.Seeds(800) {
		f.Add(data, `"x"`)
	}
	b := newBench(f)
	was, text := b.read(f, "main")
	f.Fuzz(func(t *testing.T, data []byte, odd string) {
		d := &drawer{choice.New(data), b, nil}
		if json.Unmarshal([]byte(strings.ReplaceAll(odd, "$0", b.flag.Variations[0].ID)), &d.odd) != nil {
			d.odd = odd
		}
		do := []any{}
		for range 1 + d.IntN(4) {
			do = append(do, d.instruction())
		}
		if whole, ok := d.odd.([]any); ok && len(whole) > 0 {
			do = whole
		}
		if d.IntN(16) == 0 {
			do = append(do, d.odd)
		}
		status, reply := b.patch(t, "?dryRun=true", do)
		if _, now := b.read(t, "main"); !bytes.Equal(now, text) {
			t.Fatalf("%s: %d, and the flag is now %s", asJSON(do), status, now)
		}
		var typed []ldclient.Instruction
		numbers := json.NewDecoder(bytes.NewReader(asJSON(do)))
		numbers.UseNumber()
		if err := numbers.Decode(&typed); err != nil {
			if status == http.StatusOK {
				t.Fatalf("%s was taken, which no list of instructions can be: %v", asJSON(do), err)
			}
			return
		}
		engine.Prerequisites(typed)
		got, err := b.env.Apply("main", typed)
		if d := cmp.Diff(was, b.flag); d != "" {
			t.Fatalf("%s changed what it was applied to:\n%s", asJSON(do), d)
		}
		var unknown engine.Unknown
		if status != http.StatusOK || errors.As(err, &unknown) {
			return
		}
		if err != nil {
			t.Fatalf("%s is carried out by the sandbox, and refused here: %v", asJSON(do), err)
		}
		want := decodeFlag(t, reply)
		if d := cmp.Diff(told(string(text), want.Environments["test"]), told(string(text), got.Environments["test"]), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%s differs:\n%s", asJSON(do), d)
		}
	})
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// told is a configuration without what a change gives anew: versions, and the ids of new rules and clauses.
func told(known string, c ldclient.FlagConfig) ldclient.FlagConfig {
	id := func(s string) string {
		if s != "" && strings.Contains(known, s) {
			return s
		}
		return "new"
	}
	c.Version, c.LastModified, c.Summary = 0, 0, ldclient.FlagSummary{}
	c.Rules = slices.Clone(c.Rules)
	for i := range c.Rules {
		r := &c.Rules[i]
		r.ID, r.Clauses = id(r.ID), slices.Clone(r.Clauses)
		for j := range r.Clauses {
			r.Clauses[j].ID = id(r.Clauses[j].ID)
			r.Clauses[j].Values = slices.Clone(r.Clauses[j].Values)
			for k, v := range r.Clauses[j].Values {
				r.Clauses[j].Values[k] = fmt.Sprint(v)
			}
		}
	}
	return c
}
