package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// Contexts of TestSegmentKinds.
const (
	ann   = `{"kind":"user","key":"ann","plan":"pro","age":50}`
	bob   = `{"kind":"user","key":"bob","plan":"free","age":20}`
	acme  = `{"kind":"organization","key":"acme","plan":"pro"}`
	rules = "update-segment-rules "
	keys  = "update-segment-targets "
	props = "update-segment-settings "

	proRule  = rules + `{"kind":"addRule","clauses":[{"attribute":"plan","values":["pro"]}]}`
	oldRule  = rules + `{"kind":"addRule","clauses":[{"attribute":"age","op":"greaterThan","values":[30]}]}`
	bothRule = rules + `{"kind":"addRule","clauses":[{"attribute":"age","op":"greaterThan","values":[30]},{"attribute":"plan","values":["free"]}]}`
)

// segmentKindCases say of each instruction kind what a tool does with it: who of
// ann, bob and acme is in the segment before and after. Segment s is an ordinary one, b a big one.
var segmentKindCases = []struct {
	kind, segment string
	given         []string // calls before
	do            string
	before, after []string
	shows         string // in the reply
}{
	{"updateName", "s", []string{proRule}, props + `{"kind":"updateName","value":"Renamed"}`, []string{ann}, []string{ann}, `"name":"Renamed"`},
	{"addTags", "s", []string{proRule}, props + `{"kind":"addTags","values":["one","two"]}`, []string{ann}, []string{ann}, `"tags":["one","two"]`},
	{"removeTags", "s", []string{proRule, props + `{"kind":"addTags","values":["one","two"]}`}, props + `{"kind":"removeTags","values":["one"]}`, []string{ann}, []string{ann}, `"tags":["two"]`},

	{"addIncludedTargets", "s", nil, keys + `{"kind":"addIncludedTargets","contextKind":"organization","values":["acme"]}`, nil, []string{acme}, `"includedCount":1`},
	{"removeIncludedTargets", "s", []string{keys + `{"kind":"addIncludedTargets","values":["ann","bob"]}`}, keys + `{"kind":"removeIncludedTargets","values":["ann"]}`, []string{ann, bob}, []string{bob}, `"includedCount":1`},
	{"addExcludedTargets", "s", []string{proRule}, keys + `{"kind":"addExcludedTargets","contextKind":"user","values":["ann"]}`, []string{ann}, nil, `"excludedCount":1`},
	{"removeExcludedTargets", "s", []string{proRule, keys + `{"kind":"addExcludedTargets","values":["ann"]}`}, keys + `{"kind":"removeExcludedTargets","values":["ann"]}`, nil, []string{ann}, `"excludedCount":0`},
	{"addIncludedUsers", "s", nil, keys + `{"kind":"addIncludedUsers","values":["bob"]}`, nil, []string{bob}, `"includedCount":1`},
	{"removeIncludedUsers", "s", []string{keys + `{"kind":"addIncludedUsers","values":["bob"]}`}, keys + `{"kind":"removeIncludedUsers","values":["bob"]}`, []string{bob}, nil, `"includedCount":0`},
	{"addExcludedUsers", "s", []string{proRule}, keys + `{"kind":"addExcludedUsers","values":["ann"]}`, []string{ann}, nil, `"excludedCount":1`},
	{"removeExcludedUsers", "s", []string{proRule, keys + `{"kind":"addExcludedUsers","values":["ann"]}`}, keys + `{"kind":"removeExcludedUsers","values":["ann"]}`, nil, []string{ann}, `"excludedCount":0`},

	{"addRule", "s", nil, proRule, nil, []string{ann}, `"rulesCount":1`},
	{"addRule", "s", nil, rules + `{"kind":"addRule","clauses":[{"attribute":"plan","values":["pro"]}],"percent":0}`, nil, nil, `"percent":"0 %"`},
	{"addRule", "s", nil, rules + `{"kind":"addRule","clauses":[{"attribute":"plan","values":["pro"],"negate":true}],"percent":100}`, nil, []string{bob}, `"negate":true`},
	{"removeRule", "s", []string{proRule}, rules + `{"kind":"removeRule","ruleId":"$rule0"}`, []string{ann}, nil, `"rulesCount":0`},
	{"reorderRules", "s", []string{proRule, oldRule}, rules + `{"kind":"reorderRules","ruleIds":["$rule1","$rule0"]}`, []string{ann}, []string{ann}, `"order":["$rule1","$rule0"]`},
	{"addClauses", "s", []string{proRule}, rules + `{"kind":"addClauses","ruleId":"$rule0","clauses":[{"attribute":"age","op":"lessThan","values":["30"]}]}`, []string{ann}, nil, `"op":"lessThan"`},
	{"removeClauses", "s", []string{bothRule}, rules + `{"kind":"removeClauses","ruleId":"$rule0","clauseIds":["$clause1"]}`, nil, []string{ann}, `"rulesCount":1`},
	{"updateClause", "s", []string{proRule}, rules + `{"kind":"updateClause","ruleId":"$rule0","clauseId":"$clause0","clause":{"attribute":"age","op":"lessThan","values":[30]}}`, []string{ann}, []string{bob}, `"values":[30]`},
	{"addValuesToClause", "s", []string{proRule}, rules + `{"kind":"addValuesToClause","ruleId":"$rule0","clauseId":"$clause0","values":["free"]}`, []string{ann}, []string{ann, bob}, `"values":["pro","free"]`},
	{"removeValuesFromClause", "s", []string{rules + `{"kind":"addRule","clauses":[{"attribute":"plan","values":["pro","free"]}]}`},
		rules + `{"kind":"removeValuesFromClause","ruleId":"$rule0","clauseId":"$clause0","values":["pro"]}`, []string{ann, bob}, []string{bob}, `"values":["free"]`},
	{"updateRuleDescription", "s", []string{proRule}, rules + `{"kind":"updateRuleDescription","ruleId":"$rule0","description":"Pros"}`, []string{ann}, []string{ann}, `"description":"Pros"`},
	{"updateRuleRolloutAndContextKind", "s", []string{proRule}, rules + `{"kind":"updateRuleRolloutAndContextKind","ruleId":"$rule0","percent":0}`, []string{ann}, nil, `"percent":"0 %"`},
	{"updateRuleRolloutAndContextKind", "s", []string{rules + `{"kind":"addRule","clauses":[{"contextKind":"organization","attribute":"plan","values":["pro"]}],"percent":0,"contextKind":"organization"}`},
		rules + `{"kind":"updateRuleRolloutAndContextKind","ruleId":"$rule0","percent":100,"contextKind":"organization"}`, nil, []string{acme}, `"rulesCount":1`},

	{"addBigSegmentIncludedTargets", "b", nil, keys + `{"kind":"addIncludedTargets","values":["ann"]}`, nil, []string{ann}, `"includedCount":1`},
	{"removeBigSegmentIncludedTargets", "b", []string{keys + `{"kind":"addIncludedUsers","values":["ann","bob"]}`}, keys + `{"kind":"removeIncludedTargets","contextKind":"user","values":["ann"]}`, []string{ann, bob}, []string{bob}, `"includedCount":1`},
	{"addBigSegmentExcludedTargets", "b", []string{proRule}, keys + `{"kind":"addExcludedTargets","values":["ann"]}`, []string{ann}, nil, `"excludedCount":1`},
	{"removeBigSegmentExcludedTargets", "b", []string{proRule, keys + `{"kind":"addExcludedTargets","values":["ann"]}`}, keys + `{"kind":"removeExcludedUsers","values":["ann"]}`, nil, []string{ann}, `"excludedCount":0`},
}

// segmentKinds are all instruction kinds of segments.
var segmentKinds = strings.Fields(`updateName addTags removeTags
	addIncludedTargets removeIncludedTargets addExcludedTargets removeExcludedTargets
	addIncludedUsers removeIncludedUsers addExcludedUsers removeExcludedUsers
	addRule removeRule reorderRules addClauses removeClauses updateClause addValuesToClause removeValuesFromClause
	updateRuleDescription updateRuleRolloutAndContextKind
	addBigSegmentIncludedTargets removeBigSegmentIncludedTargets addBigSegmentExcludedTargets removeBigSegmentExcludedTargets
	processBigSegmentImport`)

func TestSegmentKinds(t *testing.T) {
	covered := map[string]bool{"processBigSegmentImport": true} // TestBigSegmentImport
	for _, test := range segmentKindCases {
		covered[test.kind] = true
		t.Run(test.kind, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			r.mustCall("create-segment", `{"projectKey":"shop","env":"test","key":"s","name":"S"}`)
			r.mustCall("create-segment", `{"projectKey":"shop","env":"test","key":"b","name":"B","unbounded":true}`)
			serveMembers(t, r, test.segment)
			for _, call := range test.given {
				r.instruct(test.segment, call)
			}
			r.holds(test.before)
			sent := len(r.Requests())
			ids := r.segmentIDs(test.segment)
			got := r.instruct(test.segment, test.do)
			if want := ids.Replace(test.shows); !strings.Contains(got, want) || !strings.Contains(got, `"changed":true`) {
				t.Errorf("no %s in %s", want, got)
			}
			if kinds := sentKinds(t, r, sent); !slices.Equal(kinds, []string{test.kind}) {
				t.Errorf("LaunchDarkly was sent %v", kinds)
			}
			r.holds(test.after)
		})
	}
	for _, kind := range segmentKinds {
		if !covered[kind] {
			t.Errorf("%s: wants a case", kind)
		}
	}
	if len(segmentKinds) != 26 {
		t.Errorf("%d kinds", len(segmentKinds))
	}
}

func (r *rig) mustCall(name, args string) string {
	r.t.Helper()
	got := r.call(name, args)
	if strings.HasPrefix(got, "!") {
		r.t.Fatalf("%s %s: %s", name, args, got)
	}
	return got
}

// instruct makes a call "tool {instruction}" on a segment in test.
func (r *rig) instruct(segment, call string) string {
	r.t.Helper()
	name, instruction, _ := strings.Cut(r.segmentIDs(segment).Replace(call), " ")
	return r.mustCall(name, fmt.Sprintf(`{"projectKey":"shop","env":"test","segmentKey":%q,"instructions":[%s]}`, segment, instruction))
}

// segmentIDs fills in $rule0, and $clause0 of the first rule.
func (r *rig) segmentIDs(segment string) *strings.Replacer {
	r.t.Helper()
	s, err := direct(r.t, r).Segments.Get(r.t.Context(), "shop", "test", segment)
	if err != nil {
		r.t.Fatal(err)
	}
	var pairs []string
	for i, rule := range s.Rules {
		pairs = append(pairs, fmt.Sprint("$rule", i), rule.ID)
		for j, c := range rule.Clauses {
			if i == 0 {
				pairs = append(pairs, fmt.Sprint("$clause", j), c.ID)
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// serveMembers makes dark-mode in test serve true to who is in the segment, and to nobody else.
func serveMembers(t *testing.T, r *rig, segment string) {
	t.Helper()
	f, err := direct(t, r).Flags.Get(t.Context(), "shop", "test", "dark-mode")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, v := range f.Variations {
		ids[string(v.Value)] = v.ID
	}
	patchDirectly(t, r, "test", "dark-mode", ldclient.TurnFlagOn(),
		ldclient.Instruction{"kind": "updateFallthroughVariationOrRollout", "variationId": ids["false"]},
		ldclient.ReplaceRules([]ldclient.NewRule{{Serve: ldclient.Serve{VariationID: ids["true"]},
			Clauses: []ldclient.Clause{{Attribute: "segmentMatch", Op: "segmentMatch", Values: []any{segment}}}}}))
}

// holds checks who of ann, bob and acme is in the segment that dark-mode serves.
func (r *rig) holds(want []string) {
	r.t.Helper()
	for _, who := range []string{ann, bob, acme} {
		var c ldcontext.Context
		if err := json.Unmarshal([]byte(who), &c); err != nil {
			r.t.Fatal(err)
		}
		got, err := r.Evaluate("shop", "test", "dark-mode", c)
		if err != nil {
			r.t.Fatal(err)
		}
		if in := got.Value.BoolValue(); in != slices.Contains(want, who) {
			r.t.Errorf("%s is in the segment: %t", who, in)
		}
	}
}

// sentKinds are the instruction kinds of the patches sent since a request.
func sentKinds(t *testing.T, r *rig, since int) []string {
	t.Helper()
	var out []string
	for _, q := range r.Requests()[since:] {
		var body struct{ Instructions []struct{ Kind string } }
		if q.Method != "PATCH" {
			continue
		}
		if err := json.Unmarshal(q.Body, &body); err != nil {
			t.Fatal(err)
		}
		for _, i := range body.Instructions {
			out = append(out, i.Kind)
		}
	}
	return out
}

// TestBigSegmentImport: an upload that waits is carried out by its instruction, once, and contexts get what it says.
func TestBigSegmentImport(t *testing.T) {
	r := start(t)
	r.mustCall("create-segment", `{"projectKey":"shop","env":"test","key":"b","name":"B","unbounded":true}`)
	serveMembers(t, r, "b")
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	form.WriteField("mode", "merge")
	form.WriteField("waitOnApprovals", "true")
	file, err := form.CreateFormFile("file", "keys.csv")
	if err != nil {
		t.Fatal(err)
	}
	file.Write([]byte("ann\n"))
	form.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sandbox/api/v2/segments/shop/test/b/imports", &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", sandbox.WriterToken)
	req.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := r.RoundTrip(req)
	if err != nil || answer.StatusCode != http.StatusNoContent {
		t.Fatal(answer, err)
	}
	id := path.Base(answer.Header.Get("Location"))
	r.holds(nil)
	const at = `{"projectKey":"shop","env":"test","segmentKey":"b","instructions":[`
	for _, test := range []struct{ instructions, want string }{
		{`{"kind":"processBigSegmentImport"}]}`, "missing importId"},
		{`{"kind":"processBigSegmentImport","importId":"` + id + `"},{"kind":"addIncludedTargets","values":["bob"]}]}`, "stands alone"},
		{`{"kind":"processBigSegmentImport","importId":"nope"}]}`, "Nothing was changed"},
		{`{"kind":"processBigSegmentImport","importId":".."}]}`, "only dots"},
	} {
		if got := r.call("update-segment-targets", at+test.instructions); !strings.HasPrefix(got, "! ") || !strings.Contains(got, test.want) {
			t.Error(got)
		}
	}
	r.holds(nil)
	if got := r.mustCall("update-segment-targets", at+`{"kind":"processBigSegmentImport","importId":"`+id+`"}]}`); !strings.Contains(got, `"includedCount":1`) {
		t.Error(got)
	}
	r.holds([]string{ann})
	if got := r.call("update-segment-targets", at+`{"kind":"processBigSegmentImport","importId":"`+id+`"}]}`); !strings.Contains(got, "is complete") {
		t.Error(got)
	}
}
