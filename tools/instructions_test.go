package tools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/internal/choice"
	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// tryingOut lets nothing be written: a patch is tried out instead, and kept.
type tryingOut struct {
	*sandbox.Account
	log    bytes.Buffer
	sent   []byte // the latest patch, nil if none was sent
	status int
	reply  []byte
}

func (o *tryingOut) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPatch {
		return o.Account.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.URL.RawQuery = io.NopCloser(bytes.NewReader(body)), "dryRun=true"
	resp, err := o.Account.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if o.reply, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	o.sent, o.status = body, resp.StatusCode
	resp.Body = io.NopCloser(bytes.NewReader(o.reply))
	return resp, nil
}

// A builder calls the writers of targeting with drawn arguments.
type builder struct {
	*rand.Rand
	*tryingOut
	mcp      *client.Client
	flag     *ldclient.Flag
	pair     *ldclient.Flag // of two variations, so that percent is enough
	segment  *ldclient.Segment
	odd      any
	number   float64
	variants []string // ways to name the flag's variations
}

const (
	drawnFlag    = `{"key":"drawn","name":"Drawn","variations":[{"value":"red","name":"Red"},{"value":7},{"value":{"a":1},"name":"red"},{"value":1,"name":"%"}]}`
	drawnSegment = `{"key":"drawn","name":"Drawn"}`
)

func newBuilder(f testing.TB) *builder {
	f.Helper()
	b := &builder{tryingOut: &tryingOut{Account: sandbox.New(sandbox.Options{Now: func() time.Time { return noon }})}}
	direct, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: b.Account})
	if err != nil {
		f.Fatal(err)
	}
	ctx := context.Background() // the server outlives the test of each input
	var n ldclient.NewFlag
	if err := json.Unmarshal([]byte(drawnFlag), &n); err != nil {
		f.Fatal(err)
	}
	if b.flag, err = direct.Flags.Create(ctx, "shop", n); err != nil {
		f.Fatal(err)
	}
	if b.pair, err = direct.Flags.Create(ctx, "shop", ldclient.NewFlag{Key: "pair", Name: "Pair"}); err != nil {
		f.Fatal(err)
	}
	v := b.flag.Variations
	clauses := []ldclient.Clause{{Attribute: "plan", Op: "in", Values: []any{"pro"}}, {Attribute: "age", Op: "lessThan", Values: []any{7}}}
	if b.flag, err = direct.Flags.Patch(ctx, "shop", "test", "drawn", ldclient.Patch{Instructions: []ldclient.Instruction{
		ldclient.AddRule(ldclient.NewRule{Clauses: clauses, Serve: ldclient.Serve{VariationID: v[0].ID}}, ""),
		ldclient.AddRule(ldclient.NewRule{Clauses: clauses[:1], Serve: ldclient.Serve{VariationID: v[1].ID}}, ""),
		{"kind": "addTargets", "variationId": v[0].ID, "values": []string{"ann", "bob"}},
		{"kind": "addTargets", "variationId": v[1].ID, "contextKind": "device", "values": []string{"phone"}},
	}}); err != nil {
		f.Fatal(err)
	}
	if _, err = direct.Segments.Create(ctx, "shop", "test", ldclient.NewSegment{Key: "drawn", Name: "Drawn"}); err != nil {
		f.Fatal(err)
	}
	if b.segment, err = direct.Segments.Patch(ctx, "shop", "test", "drawn", ldclient.Patch{Instructions: []ldclient.Instruction{
		ldclient.SegmentTargets("addIncludedTargets", "device", []string{"phone"}), ldclient.SegmentTargets("addExcludedTargets", "user", []string{"ann"}),
		ldclient.AddSegmentRule(ldclient.NewSegmentRule{Clauses: clauses}),
	}}); err != nil {
		f.Fatal(err)
	}
	for _, one := range v {
		b.variants = append(b.variants, one.ID, one.ID, one.Name, string(one.Value))
	}
	b.variants = append(b.variants, "0", "2", "red", "RED", "seven", "1", "", " Red ")
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: b.tryingOut})
	if err != nil {
		f.Fatal(err)
	}
	srv, err := tools.New(tools.Options{Client: ld, Version: "test", Toolsets: []string{"targeting", "segments"}, Log: slog.New(slog.NewTextHandler(&b.log, nil))})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { srv.Close() })
	if b.mcp, err = client.NewInProcessClientWithOptions(srv.MCP()); err != nil {
		f.Fatal(err)
	}
	if err := b.mcp.Start(ctx); err != nil {
		f.Fatal(err)
	}
	if _, err := b.mcp.Initialize(ctx, mcp.InitializeRequest{}); err != nil {
		f.Fatal(err)
	}
	return b
}

func (b *builder) some(of func() any) []any {
	out := []any{}
	for range choice.Of(b.Rand, 0, 1, 1, 1, 2, 3) {
		out = append(out, of())
	}
	return out
}

func (b *builder) variant() any { return choice.Of(b.Rand, b.variants...) }

// parts are percentages, which mostly add up to 100, or to 100,000.
func (b *builder) parts(n int) []float64 {
	out, left := make([]float64, n), 100.0
	for i := range out {
		out[i] = choice.Of(b.Rand, 0, 10, 20.5, 100.0/3, 0.0004, 1e-7, b.number, left)
		if b.IntN(8) > 0 {
			out[i] = max(0, min(out[i], left))
		}
		if i == n-1 && b.IntN(8) > 0 {
			out[i] = left
		}
		left -= out[i]
	}
	if b.IntN(6) == 0 {
		for i := range out {
			out[i] *= 1000
		}
	}
	return out
}

func (b *builder) byVariation() map[string]any {
	out := map[string]any{}
	names := slices.Clone(b.flag.Variations)
	for i, part := range b.parts(len(names)) {
		name := choice.Of(b.Rand, names[i].ID, names[i].ID, names[i].Name, string(names[i].Value))
		if part != 0 || b.IntN(2) == 0 {
			out[name] = part
		}
	}
	return out
}

func (b *builder) serve(into map[string]any) {
	switch b.IntN(4) {
	case 0, 1:
		into["variation"] = b.variant()
	case 2:
		into["rolloutWeights"] = b.byVariation()
	case 3:
		into["variation"], into["percent"] = b.variant(), choice.Of(b.Rand, 50, b.number)
	}
	if b.IntN(5) == 0 {
		into["rolloutBucketBy"] = choice.Of(b.Rand, "plan", "", "key")
	}
	if b.IntN(5) == 0 {
		into["rolloutContextKind"] = choice.Of(b.Rand, "device", "", "user")
	}
}

func (b *builder) clause() any {
	out := map[string]any{"values": append(b.some(b.value), choice.Of[any](b.Rand, "x", 1))}
	if b.IntN(4) > 0 {
		out["op"] = choice.Of(b.Rand, "in", "startsWith", "lessThan", "segmentMatch", "before", "matches", "semVerEqual")
	}
	if out["op"] != "segmentMatch" || b.IntN(4) == 0 {
		out["attribute"] = choice.Of(b.Rand, "plan", "/a/b", "", "key")
	}
	for _, name := range []string{"contextKind", "negate"} {
		if b.IntN(4) == 0 {
			out[name] = map[string]any{"contextKind": choice.Of(b.Rand, "device", "", "a b"), "negate": b.IntN(2) == 0}[name]
		}
	}
	return out
}

func (b *builder) value() any {
	return choice.Of[any](b.Rand, "pro", "7", "7.50", "beta-testers", 7, 1e18, true, nil, "null", "", b.odd, b.number)
}

func (b *builder) keys() any {
	return b.some(func() any { return choice.Of[any](b.Rand, "ann", "bob", "phone", "cy", "", b.odd) })
}

func (b *builder) ruleID() string {
	id := b.flag.Environments["test"].Rules[b.IntN(2)].ID
	return choice.Of(b.Rand, id, id, id, b.segment.Rules[0].ID, "absent")
}

func (b *builder) clauseID() string {
	return choice.Of(b.Rand, b.flag.Environments["test"].Rules[0].Clauses[b.IntN(2)].ID, b.flag.Environments["test"].Rules[1].Clauses[0].ID, b.segment.Rules[0].Clauses[b.IntN(2)].ID)
}

// fields draws what instructions are made of, mostly what the kind has a use for.
func (b *builder) fields(kind string) map[string]any {
	out := map[string]any{"kind": kind}
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(kind, w) }) != (b.IntN(40) == 0)
	}
	if has("removeRule", "updateRule", "Clause") {
		out["ruleId"] = b.ruleID()
	}
	if has("addRule", "addClauses") {
		out["clauses"] = b.some(b.clause)
	}
	if has("addRule", "VariationOrRollout") {
		b.serve(out)
	}
	if has("updateClause", "ValuesToClause", "ValuesFromClause") {
		out["clauseId"] = b.clauseID()
	}
	if has("updateClause") {
		out["clause"] = b.clause()
	}
	if has("ValuesToClause", "ValuesFromClause") {
		out["values"] = b.some(b.value)
	}
	if has("removeClauses") {
		out["clauseIds"] = b.some(func() any { return b.clauseID() })
	}
	if has("reorder") {
		out["ruleIds"] = b.some(func() any { return b.ruleID() })
	}
	if has("Description") {
		out["description"] = choice.Of[any](b.Rand, "", "text", b.odd)
	}
	if has("TrackEvents") {
		out["trackEvents"] = b.IntN(2) == 0
	}
	if has("replaceRules") {
		out["rules"] = b.some(func() any {
			r := map[string]any{"clauses": b.some(b.clause)}
			b.serve(r)
			return r
		})
	}
	if strings.Contains(kind, "Targets") || strings.Contains(kind, "Users") {
		out["values"], out["variation"] = b.keys(), b.variant()
		if b.IntN(3) == 0 {
			out["contextKind"] = choice.Of(b.Rand, "device", "user", "", "a b")
		}
		if has("replaceTargets", "replaceUserTargets") {
			delete(out, "values")
			delete(out, "variation")
			out["targets"] = b.some(func() any {
				return map[string]any{"variation": b.variant(), "values": b.keys(), "contextKind": choice.Of(b.Rand, "", "device")}
			})
		}
		if has("clear") {
			delete(out, "values")
		}
		if has("Included", "Excluded") {
			delete(out, "variation")
		}
	}
	if has("updateRuleRollout") {
		out["percent"] = choice.Of(b.Rand, 10, b.number)
	}
	return out
}

var drawnTools = map[string][]string{
	"update-targeting-rules": {"addRule", "addRule", "removeRule", "updateRuleVariationOrRollout", "updateRuleDescription", "updateRuleTrackEvents", "addClauses", "removeClauses",
		"updateClause", "addValuesToClause", "removeValuesFromClause", "reorderRules", "replaceRules"},
	"update-individual-targets": {"addTargets", "removeTargets", "replaceTargets", "clearTargets", "addUserTargets", "removeUserTargets", "replaceUserTargets", "clearUserTargets", "addContextTargets"},
	"update-segment-rules": {"addRule", "removeRule", "addClauses", "removeClauses", "updateClause", "addValuesToClause", "removeValuesFromClause", "reorderRules", "updateRuleDescription",
		"updateRuleRolloutAndContextKind"},
	"update-segment-targets": {"addIncludedTargets", "removeIncludedTargets", "addExcludedTargets", "removeExcludedTargets", "addIncludedUsers", "removeExcludedUsers"},
}

// call draws a tool and its arguments.
func (b *builder) call() (string, map[string]any) {
	tool := choice.Of(b.Rand, "update-rollout", "update-rollout", "update-targeting-rules", "update-targeting-rules", "update-individual-targets", "update-off-variation", "update-segment-rules", "update-segment-targets")
	args := map[string]any{"projectKey": "shop", "environmentKey": "test", "flagKey": "drawn"}
	if strings.Contains(tool, "segment") {
		delete(args, "flagKey")
		args["segmentKey"] = "drawn"
	}
	switch tool {
	case "update-off-variation":
		args["variation"] = b.variant()
	case "update-rollout":
		switch b.IntN(4) {
		case 3:
			args["flagKey"], args["variation"] = "pair", choice.Of(b.Rand, "true", "false", "on", "off", b.pair.Variations[0].ID, b.pair.Variations[1].ID)
			args["percent"] = choice.Of(b.Rand, 0, 100, 33.3333, 99.9995, b.number)
		case 0:
			b.serve(args)
			delete(args, "rolloutWeights")
		case 1:
			args["weights"] = []any{b.byVariation()}
			if b.IntN(2) == 0 {
				list := []any{}
				for name, part := range b.byVariation() {
					list = append(list, map[string]any{"variation": name, "percent": part})
				}
				args["weights"] = list
			}
		case 2:
			args["rolloutWeights"] = b.parts(choice.Of(b.Rand, 4, 4, 4, 3))
		}
	default:
		args["instructions"] = b.some(func() any { return b.fields(choice.Of(b.Rand, drawnTools[tool]...)) })
	}
	return tool, args
}

// FuzzInstructions: whatever the writers of targeting are asked for, what leaves holds no null, names variations
// by id and shares in whole thousandths that add up to all, is what was asked for, and is carried out by
// the sandbox; what cannot be is refused with a sentence before anything leaves.
func FuzzInstructions(f *testing.F) {
	for i, odd := range []string{`"x"`, `7`, `null`, `{}`, `["a"]`, `true`, `" "`, `"\u0000"`} {
		for j, number := range []float64{50, 33.3333333, 0.0005, 99.9995} {
			f.Add(choice.Seeds(32)[4*i+j], odd, number)
		}
	}
	for _, data := range choice.Seeds(200) {
		f.Add(data, `"x"`, 12.5)
	}
	b := newBuilder(f)
	f.Fuzz(func(t *testing.T, data []byte, odd string, number float64) {
		b.Rand, b.odd, b.number, b.sent = choice.New(data), nil, number, nil
		if json.Unmarshal([]byte(odd), &b.odd) != nil {
			b.odd = odd
		}
		if math.IsNaN(number) || math.IsInf(number, 0) {
			b.number = 1
		}
		b.log.Reset()
		var req mcp.CallToolRequest
		req.Params.Name, req.Params.Arguments = b.call()
		res, err := b.mcp.CallTool(t.Context(), req)
		if err != nil {
			t.Fatalf("%s: %v", mustText(req.Params), err)
		}
		text := res.Content[0].(mcp.TextContent).Text
		if strings.Contains(b.log.String(), "panicked") || strings.Contains(text, "internal error") {
			t.Fatalf("%s: %s", mustText(req.Params), b.log.String())
		}
		switch {
		case res.IsError && text == "":
			t.Fatalf("%s is refused without a word", mustText(req.Params))
		case res.IsError && b.sent != nil && !lateRefusal(b.reply) && !several(req):
			t.Fatalf("%s left as %s, which LaunchDarkly refuses: %s", mustText(req.Params), b.sent, b.reply)
		case b.sent == nil:
			return
		}
		b.checkSent(t, req)
	})
}

// TestInstructionsThatFuzzingFound: lists that are empty or name something twice, and clauses that would lose everything.
func TestInstructionsThatFuzzingFound(t *testing.T) {
	b := newBuilder(t)
	rules := b.flag.Environments["test"].Rules
	for _, test := range []struct {
		tool, about string
		instruction map[string]any
		want        string // of the refusal; what is carried out is tried out with success
	}{
		{"update-targeting-rules", "flagKey", map[string]any{"kind": "removeClauses", "ruleId": rules[0].ID, "clauseIds": []any{}}, "missing clauseIds"},
		{"update-targeting-rules", "flagKey", map[string]any{"kind": "removeValuesFromClause", "ruleId": rules[0].ID, "clauseId": rules[0].Clauses[0].ID, "values": []any{"pro", "x"}}, "without a value"},
		{"update-targeting-rules", "flagKey", map[string]any{"kind": "removeValuesFromClause", "ruleId": rules[0].ID, "clauseId": rules[0].Clauses[1].ID, "values": []any{"7.0"}}, "without a value"},
		{"update-targeting-rules", "flagKey", map[string]any{"kind": "removeClauses", "ruleId": rules[0].ID, "clauseIds": []any{rules[0].Clauses[0].ID, rules[0].Clauses[0].ID}}, ""},
		{"update-segment-rules", "segmentKey", map[string]any{"kind": "removeClauses", "ruleId": b.segment.Rules[0].ID, "clauseIds": []any{b.segment.Rules[0].Clauses[0].ID, b.segment.Rules[0].Clauses[0].ID}}, ""},
	} {
		b.sent = nil
		var req mcp.CallToolRequest
		req.Params.Name = test.tool
		req.Params.Arguments = map[string]any{"projectKey": "shop", "environmentKey": "test", test.about: "drawn", "instructions": []any{test.instruction}}
		res, err := b.mcp.CallTool(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		text := res.Content[0].(mcp.TextContent).Text
		switch {
		case test.want != "" && (!res.IsError || b.sent != nil || !strings.Contains(text, test.want)):
			t.Errorf("%s: %s, and %s left", mustText(test.instruction), text, b.sent)
		case test.want == "" && (res.IsError || b.sent == nil || b.status != http.StatusOK):
			t.Errorf("%s: %s %s", mustText(test.instruction), text, b.reply)
		}
	}
}

// several tells whether a call has several instructions: one may take away what the next one is about.
func several(req mcp.CallToolRequest) bool {
	list, _ := req.Params.Arguments.(map[string]any)["instructions"].([]any)
	return len(list) > 1
}

// lateRefusal tells whether only LaunchDarkly can know better: what contexts and attributes may be called, and what a regular expression is.
func lateRefusal(reply []byte) bool {
	for _, s := range []string{"not a valid context kind", "invalid regular expression", "takes strings, not", "clause values must be strings, numbers or booleans"} {
		if bytes.Contains(reply, []byte(s)) {
			return true
		}
	}
	return false
}

// checkSent holds what must be so for what left.
func (b *builder) checkSent(t *testing.T, req mcp.CallToolRequest) {
	t.Helper()
	var body struct{ Instructions []map[string]any }
	if err := json.Unmarshal(b.sent, &body); err != nil || len(body.Instructions) == 0 {
		t.Fatalf("%s: %v", b.sent, err)
	}
	for _, i := range body.Instructions {
		b.checkPart(t, i)
	}
	if b.status != http.StatusOK || req.Params.Name != "update-rollout" {
		return
	}
	args := req.Params.Arguments.(map[string]any)
	var after ldclient.Flag
	if err := json.Unmarshal(b.reply, &after); err != nil {
		t.Fatal(err)
	}
	asked, ok := args["rolloutWeights"].([]float64)
	if percent, given := args["percent"].(float64); given && args["flagKey"] == "pair" {
		n := map[any]int{"true": 0, "on": 0, b.pair.Variations[0].ID: 0, "false": 1, "off": 1, b.pair.Variations[1].ID: 1}[args["variation"]]
		asked, ok = []float64{100 - percent, 100 - percent}, true
		asked[n] = percent
	}
	if !ok {
		return
	}
	sum := 0.0
	for _, part := range asked {
		sum += part
	}
	r := after.Environments["test"].Fallthrough.Rollout
	for i, part := range asked {
		got := 0
		for _, w := range r.Variations {
			if w.Variation == i {
				got = w.Weight
			}
		}
		if want := part / sum * 100_000; math.Abs(float64(got)-want) > 1.01 {
			t.Fatalf("%v became %v", asked, r.Variations)
		}
	}
}

// checkPart looks at an instruction, and at all that is in it.
func (b *builder) checkPart(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Fatalf("%s holds a null", b.sent)
	case []any:
		for _, one := range v {
			b.checkPart(t, one)
		}
	case map[string]any:
		for name, one := range v {
			switch name {
			case "variationId":
				if !slices.ContainsFunc(slices.Concat(b.flag.Variations, b.pair.Variations), func(v ldclient.Variation) bool { return v.ID == one }) {
					t.Fatalf("%s names a variation by %v", b.sent, one)
				}
			case "rolloutWeights":
				sum := 0.0
				for id, weight := range one.(map[string]any) {
					b.checkPart(t, map[string]any{"variationId": id})
					w := weight.(float64)
					if w < 0 || w != math.Trunc(w) {
						t.Fatalf("%s gives %s a share of %v", b.sent, id, w)
					}
					sum += w
				}
				if sum != 100_000 {
					t.Fatalf("%s gives away %v of 100,000", b.sent, sum)
				}
			}
			b.checkPart(t, one)
		}
	}
}
