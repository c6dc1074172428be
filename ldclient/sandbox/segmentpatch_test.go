package sandbox

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// segment applies instructions to a segment in test, with $rule0 and $clause0 resolved.
func (l *lab) segment(key string, instructions ...instruction) any {
	l.Helper()
	return l.ask(200, "PATCH", "/segments/lab/test/"+key, semantic, l.segmentNamed(key, semanticBody("test", instructions...)))
}

func (l *lab) segmentNamed(key string, v any) any {
	pairs := []string{}
	s := l.p.env("test").segment(key)
	for i, r := range s.Rules {
		pairs = append(pairs, fmt.Sprint("$rule", i), r.ID)
		for j, c := range r.Clauses {
			if i == 0 {
				pairs = append(pairs, fmt.Sprint("$clause", j), c.ID)
			}
		}
	}
	for _, up := range s.Imports {
		pairs = append(pairs, "$import", up.ID)
	}
	return decoded([]byte(strings.NewReplacer(pairs...).Replace(string(jsonValue(v)))))
}

// members checks which contexts are in the segment in test, by way of a flag that asks for it.
func (l *lab) members(key string, want map[string]bool) {
	l.Helper()
	l.patch("color", "test", instruction{"kind": "replaceRules", "rules": []any{
		map[string]any{"variationId": "$v1", "clauses": clauses(clauseOn("segmentMatch", "segmentMatch", key))}}})
	for context, in := range want {
		l.serves("color", map[string]string{context: map[bool]string{true: `"green"`, false: `"red"`}[in]})
	}
}

// upload sends a file of keys to the big segment crowd in test and returns the answer.
func (l *lab) upload(mode, wait string, keys ...string) *http.Response {
	l.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	form.WriteField("mode", mode)
	form.WriteField("waitOnApprovals", wait)
	file, _ := form.CreateFormFile("file", "keys.csv")
	file.Write([]byte(strings.Join(keys, "\n")))
	form.Close()
	r, err := http.NewRequestWithContext(l.Context(), "POST", "http://sandbox/api/v2/segments/lab/test/crowd/imports", &body)
	if err != nil {
		l.Fatal(err)
	}
	r.Header.Set("Authorization", WriterToken)
	r.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := l.a.RoundTrip(r)
	if err != nil {
		l.Fatal(err)
	}
	return answer
}

var (
	freeIn  = instruction{"kind": "addRule", "description": "Free", "clauses": clauses(clauseOn("plan", "in", "free"))}
	oldIn   = instruction{"kind": "addRule", "clauses": clauses(clauseOn("age", "greaterThan", 30))}
	annOut  = instruction{"kind": "addExcludedTargets", "contextKind": "user", "values": []string{"ann"}}
	annGone = instruction{"kind": "removeIncludedTargets", "contextKind": "user", "values": []string{"ann"}}
	bigAnn  = instruction{"kind": "addBigSegmentIncludedTargets", "values": []string{"ann"}}
)

// The segment beta starts with ann as its only member, the big segment crowd with none.
var segmentCases = []struct {
	kind, segment string
	given         []instruction
	do            instruction
	want          map[string]string
	members       map[string]bool
	action        string
}{
	{"updateName", "beta", nil, instruction{"kind": "updateName", "value": "Testers"}, map[string]string{"name": `"Testers"`, "version": "2"}, nil, "updateName"},
	{"addTags", "beta", nil, instruction{"kind": "addTags", "values": []string{"ui"}}, map[string]string{"tags": `["ui"]`}, nil, "updateTags"},
	{"removeTags", "beta", []instruction{{"kind": "addTags", "values": []string{"ui", "web"}}}, instruction{"kind": "removeTags", "values": []string{"UI"}}, map[string]string{"tags": `["web"]`}, nil, "updateTags"},

	{"addIncludedTargets", "beta", nil, instruction{"kind": "addIncludedTargets", "contextKind": "org", "values": []string{"acme"}},
		map[string]string{"includedContexts": `[{"contextKind":"org","values":["acme"]}]`, "included": `["ann"]`}, map[string]bool{acme: true, ann: true, bob: false}, "updateIncluded"},
	{"addIncludedTargets", "beta", nil, instruction{"kind": "addIncludedTargets", "contextKind": "user", "values": []string{"bob", "ann"}},
		map[string]string{"included": `["ann","bob"]`}, map[string]bool{bob: true}, "updateIncluded"},
	{"removeIncludedTargets", "beta", nil, annGone, map[string]string{"included": "[]"}, map[string]bool{ann: false}, "updateIncluded"},
	{"addExcludedTargets", "beta", []instruction{annGone, oldIn}, annOut, map[string]string{"excluded": `["ann"]`}, map[string]bool{ann: false, `{"kind":"user","key":"eve","age":50}`: true}, "updateExcluded"},
	{"removeExcludedTargets", "beta", []instruction{annGone, oldIn, annOut}, instruction{"kind": "removeExcludedTargets", "contextKind": "user", "values": []string{"ann"}},
		map[string]string{"excluded": "[]"}, map[string]bool{ann: true}, "updateExcluded"},
	{"addIncludedUsers", "beta", nil, instruction{"kind": "addIncludedUsers", "values": []string{"bob"}}, map[string]string{"included": `["ann","bob"]`}, map[string]bool{bob: true}, "updateIncluded"},
	{"removeIncludedUsers", "beta", nil, instruction{"kind": "removeIncludedUsers", "values": []string{"ann", "none"}}, map[string]string{"included": "[]"}, map[string]bool{ann: false}, "updateIncluded"},
	{"addExcludedUsers", "beta", []instruction{freeIn}, instruction{"kind": "addExcludedUsers", "values": []string{"bob"}}, map[string]string{"excluded": `["bob"]`}, map[string]bool{bob: false}, "updateExcluded"},
	{"removeExcludedUsers", "beta", []instruction{freeIn, {"kind": "addExcludedUsers", "values": []string{"bob"}}}, instruction{"kind": "removeExcludedUsers", "values": []string{"bob"}},
		map[string]string{"excluded": "[]"}, map[string]bool{bob: true}, "updateExcluded"},

	{"addRule", "beta", nil, freeIn, map[string]string{"rules.0.description": `"Free"`, "rules.0.clauses.0.values": `["free"]`}, map[string]bool{bob: true, acme: false}, "updateRules"},
	{"addRule", "beta", nil, instruction{"kind": "addRule", "weight": 0, "clauses": clauses(clauseOn("plan", "in", "free"))},
		map[string]string{"rules.0.weight": "0", "rules.0.rolloutContextKind": `"user"`}, map[string]bool{bob: false}, "updateRules"},
	{"removeRule", "beta", []instruction{freeIn, oldIn}, instruction{"kind": "removeRule", "ruleId": "$rule0"}, map[string]string{"rules.0.clauses.0.attribute": `"age"`, "rules.1": ""}, map[string]bool{bob: false}, "updateRules"},
	{"reorderRules", "beta", []instruction{freeIn, oldIn}, instruction{"kind": "reorderRules", "ruleIds": []string{"$rule1", "$rule0"}}, map[string]string{"rules.0.clauses.0.attribute": `"age"`}, map[string]bool{bob: true}, "updateRules"},
	{"updateRuleDescription", "beta", []instruction{freeIn}, instruction{"kind": "updateRuleDescription", "ruleId": "$rule0", "description": "Paying nothing"}, map[string]string{"rules.0.description": `"Paying nothing"`}, nil, "updateRules"},
	{"updateRuleRolloutAndContextKind", "beta", []instruction{freeIn}, instruction{"kind": "updateRuleRolloutAndContextKind", "ruleId": "$rule0", "weight": 0, "contextKind": "org"},
		map[string]string{"rules.0.weight": "0", "rules.0.rolloutContextKind": `"org"`}, map[string]bool{bob: false}, "updateRules"},
	{"addClauses", "beta", []instruction{freeIn}, instruction{"kind": "addClauses", "ruleId": "$rule0", "clauses": clauses(clauseOn("age", "greaterThan", 30))}, map[string]string{"rules.0.clauses.1.values": "[30]"}, map[string]bool{bob: false}, "updateRules"},
	{"removeClauses", "beta", []instruction{{"kind": "addRule", "clauses": clauses(clauseOn("age", "greaterThan", 30), clauseOn("plan", "in", "free"))}},
		instruction{"kind": "removeClauses", "ruleId": "$rule0", "clauseIds": []string{"$clause0"}}, map[string]string{"rules.0.clauses.1": ""}, map[string]bool{bob: true}, "updateRules"},
	{"updateClause", "beta", []instruction{freeIn}, instruction{"kind": "updateClause", "ruleId": "$rule0", "clauseId": "$clause0", "clause": clauseOn("plan", "in", "none")}, map[string]string{"rules.0.clauses.0.values": `["none"]`}, map[string]bool{bob: false}, "updateRules"},
	{"addValuesToClause", "beta", []instruction{{"kind": "addRule", "clauses": clauses(clauseOn("plan", "in", "none"))}},
		instruction{"kind": "addValuesToClause", "ruleId": "$rule0", "clauseId": "$clause0", "values": []string{"free"}}, map[string]string{"rules.0.clauses.0.values": `["none","free"]`}, map[string]bool{bob: true}, "updateRules"},
	{"removeValuesFromClause", "beta", []instruction{{"kind": "addRule", "clauses": clauses(clauseOn("plan", "in", "none", "free"))}},
		instruction{"kind": "removeValuesFromClause", "ruleId": "$rule0", "clauseId": "$clause0", "values": []string{"free"}}, map[string]string{"rules.0.clauses.0.values": `["none"]`}, map[string]bool{bob: false}, "updateRules"},

	{"addBigSegmentIncludedTargets", "crowd", nil, bigAnn, map[string]string{"_unboundedMetadata.includedCount": "1", "included": "", "_unboundedMetadata.version": "2"}, map[string]bool{ann: true, bob: false}, "updateIncluded"},
	{"removeBigSegmentIncludedTargets", "crowd", []instruction{bigAnn}, instruction{"kind": "removeBigSegmentIncludedTargets", "values": []string{"ann"}}, map[string]string{"_unboundedMetadata.includedCount": "0"}, map[string]bool{ann: false}, "updateIncluded"},
	{"addBigSegmentExcludedTargets", "crowd", []instruction{freeIn}, instruction{"kind": "addBigSegmentExcludedTargets", "values": []string{"bob"}}, map[string]string{"_unboundedMetadata.excludedCount": "1", "excluded": ""}, map[string]bool{bob: false}, "updateExcluded"},
	{"removeBigSegmentExcludedTargets", "crowd", []instruction{freeIn, {"kind": "addBigSegmentExcludedTargets", "values": []string{"bob"}}}, instruction{"kind": "removeBigSegmentExcludedTargets", "values": []string{"bob"}},
		map[string]string{"_unboundedMetadata.excludedCount": "0"}, map[string]bool{bob: true}, "updateExcluded"},
	{"processBigSegmentImport", "crowd", nil, instruction{"kind": "processBigSegmentImport", "importId": "$import"}, map[string]string{"_unboundedMetadata.includedCount": "2"}, map[string]bool{ann: true, bob: true, acme: false}, "updateIncluded"},
}

func TestSegmentInstructions(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, tc := range segmentCases {
		covered[tc.kind] = true
		t.Run(tc.kind, func(t *testing.T) {
			l := newLab(t)
			if tc.kind == "processBigSegmentImport" {
				if answer := l.upload("merge", "true", "ann", "bob"); answer.StatusCode != 204 {
					t.Fatalf("the upload answers %d", answer.StatusCode)
				}
			}
			for _, in := range tc.given {
				l.segment(tc.segment, in)
			}
			s := l.p.env("test").segment(tc.segment)
			version, entries := s.Version, len(l.a.audit)
			body := l.segmentNamed(tc.segment, semanticBody("test", tc.do))
			l.unchanged(func() {
				l.expect(l.ask(200, "PATCH", "/segments/lab/test/"+tc.segment+"?dryRun=true", semantic, body), tc.want)
			})
			l.expect(l.segment(tc.segment, tc.do), tc.want)
			l.expect(l.get("/segments/lab/test/"+tc.segment), tc.want)
			if len(l.a.audit) != entries+1 || l.a.audit[entries].Resource != "proj/lab:env/test:segment/"+tc.segment || l.a.audit[entries].Actions[0] != tc.action {
				t.Errorf("the audit log gets %d entries", len(l.a.audit)-entries)
			}
			if s.Version != version+1 {
				t.Errorf("the version went from %d to %d", version, s.Version)
			}
			l.unchanged(func() { // the other environment's segment of the same key
				l.expect(l.get("/segments/lab/other/"+tc.segment), map[string]string{"version": "1"})
			})
			l.members(tc.segment, tc.members)
		})
	}
	for kind := range segmentKinds() {
		if !covered[kind] {
			t.Errorf("no case for instruction kind %s", kind)
		}
	}
}

func TestSegmentInstructionErrors(t *testing.T) {
	t.Parallel()
	const none = "4f1c1b1e-0000-4000-8000-000000000000"
	many := make([]string, 800)
	for i := range many {
		many[i] = fmt.Sprint("user-", i)
	}
	more := instruction{"kind": "addIncludedUsers", "values": many}
	for _, tc := range []struct {
		name, segment string
		given         []instruction
		do            []instruction
		message       string
	}{
		{"unknown kind", "beta", nil, []instruction{{"kind": "updateDescription", "value": "x"}}, "unknown instruction kind"},
		{"no kind", "beta", nil, []instruction{{}}, "has no kind"},
		{"excluded too", "beta", nil, []instruction{annOut}, "both included and excluded"},
		{"included too", "beta", []instruction{{"kind": "addExcludedUsers", "values": []string{"bob"}}}, []instruction{{"kind": "addIncludedTargets", "values": []string{"bob"}}}, "both included and excluded"},
		{"big and excluded too", "crowd", []instruction{bigAnn}, []instruction{{"kind": "addBigSegmentExcludedTargets", "values": []string{"ann"}}}, "both included and excluded"},
		{"too many targets", "beta", nil, []instruction{more, {"kind": "removeIncludedUsers", "values": many}}, "batch limit of 1,500"},
		{"big kind", "beta", nil, []instruction{bigAnn}, "for big segments only"},
		{"ordinary kind", "crowd", nil, []instruction{annOut}, "not for big segments"},
		{"no values", "beta", nil, []instruction{{"kind": "addIncludedUsers"}}, "requires the parameter values"},
		{"context kind", "beta", nil, []instruction{{"kind": "addIncludedTargets", "contextKind": "a b", "values": []string{"x"}}}, "not a valid context kind"},
		{"unknown rule", "beta", nil, []instruction{{"kind": "addClauses", "ruleId": none, "clauses": clauses(clauseOn("plan", "in", "x"))}}, "unknown ruleId"},
		{"unknown clause", "beta", []instruction{freeIn}, []instruction{{"kind": "removeClauses", "ruleId": "$rule0", "clauseIds": []string{none}}}, "unknown clauseId"},
		{"order", "beta", []instruction{freeIn, oldIn}, []instruction{{"kind": "reorderRules", "ruleIds": []string{"$rule0"}}}, "exactly the IDs"},
		{"rule without clauses", "beta", nil, []instruction{{"kind": "addRule"}}, "requires the parameter clauses"},
		{"op", "beta", nil, []instruction{{"kind": "addRule", "clauses": clauses(clauseOn("plan", "is", "x"))}}, "invalid op"},
		{"weight", "beta", []instruction{freeIn}, []instruction{{"kind": "updateRuleRolloutAndContextKind", "ruleId": "$rule0", "weight": 100001, "contextKind": "user"}}, "not between"},
		{"weight as text", "beta", []instruction{freeIn}, []instruction{{"kind": "updateRuleRolloutAndContextKind", "ruleId": "$rule0", "weight": "20000", "contextKind": "user"}}, "weight must not be a string"},
		{"no weight", "beta", []instruction{freeIn}, []instruction{{"kind": "updateRuleRolloutAndContextKind", "ruleId": "$rule0", "contextKind": "user"}}, "requires the parameter weight"},
		{"name", "beta", nil, []instruction{{"kind": "updateName", "value": ""}}, "must not be empty"},
		{"import", "crowd", nil, []instruction{{"kind": "processBigSegmentImport", "importId": none}}, "unknown importId"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			for _, in := range tc.given {
				l.segment(tc.segment, in)
			}
			l.unchanged(func() {
				// The first instruction is fine and must be undone with the bad one.
				all := append([]instruction{{"kind": "addTags", "values": []string{"half"}}}, tc.do...)
				got := l.ask(400, "PATCH", "/segments/lab/test/"+tc.segment, semantic, l.segmentNamed(tc.segment, semanticBody("test", all...)))
				if message := at(got, "message").(string); !strings.Contains(message, tc.message) {
					t.Errorf("got %q, want a message with %q", message, tc.message)
				}
			})
		})
	}
	l := newLab(t)
	l.unchanged(func() {
		for _, env := range []string{"", "other", "nowhere"} {
			l.ask(400, "PATCH", "/segments/lab/test/beta", semantic, semanticBody(env, freeIn))
		}
		l.ask(404, "PATCH", "/segments/lab/test/nothing", semantic, semanticBody("test", freeIn))
		l.segment("beta", instruction{"kind": "addIncludedUsers", "values": []string{"ann"}})
		l.segment("beta", instruction{"kind": "removeRule", "ruleId": none})
	})
	l.segment("beta", more, instruction{"kind": "removeIncludedUsers", "values": many[:700]})
}

func TestSegmentJSONPatch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		body    any
		want    map[string]string
		members map[string]bool
	}{
		{"description", object{"patch": []any{op("add", "/description", "Testers")}}, map[string]string{"description": `"Testers"`, "version": "2"}, nil},
		{"tags", []any{op("test", "/version", 1), op("add", "/tags/-", "ui"), op("remove", "/tags", nil)}, map[string]string{"tags": "[]"}, nil},
		{"included", []any{op("add", "/included/-", "bob")}, map[string]string{"included": `["ann","bob"]`}, map[string]bool{bob: true}},
		{"contexts", []any{op("add", "/includedContexts/-", object{"contextKind": "org", "values": []string{"acme"}})}, nil, map[string]bool{acme: true}},
		{"excluded", []any{op("replace", "/included", []string{}), op("replace", "/excluded", []string{"ann"})}, map[string]string{"excluded": `["ann"]`}, map[string]bool{ann: false}},
		{"rule", []any{op("add", "/rules/0", object{"clauses": clauses(map[string]any{"attribute": "plan", "op": "in", "values": []string{"free"}})})},
			map[string]string{"rules.0.clauses.0.contextKind": `"user"`}, map[string]bool{bob: true}},
		{"merge", object{"name": "Testers", "included": []string{"bob"}}, map[string]string{"name": `"Testers"`}, map[string]bool{ann: false, bob: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			l.unchanged(func() { l.ask(200, "PATCH", "/segments/lab/test/beta?dryRun=true", plain, tc.body) })
			if tc.name == "tags" {
				l.segment("beta", instruction{"kind": "addTags", "values": []string{"web"}})
				l.ask(409, "PATCH", "/segments/lab/test/beta", plain, tc.body)
				l.p.env("test").segment("beta").Version = 1
			}
			l.expect(l.ask(200, "PATCH", "/segments/lab/test/beta", plain, tc.body), tc.want)
			l.members("beta", tc.members)
		})
	}
	l := newLab(t)
	l.unchanged(func() {
		for _, body := range []any{
			[]any{op("remove", "/description", nil)}, []any{op("replace", "/key", "x")}, []any{op("add", "/rules/5", object{})},
			[]any{op("add", "/rules/-", object{"clauses": clauses()})}, []any{op("add", "/excluded/-", "ann")}, []any{op("replace", "/version", 7)}, []any{op("add", "/rules/-", nil)}, nil,
			object{"instructions": []any{freeIn}},
		} {
			l.ask(400, "PATCH", "/segments/lab/test/beta", plain, body)
		}
		l.ask(400, "PATCH", "/segments/lab/test/crowd", plain, []any{op("add", "/included", []string{"ann"})})
	})
}

func TestSegmentApproval(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const path = "/segments/lab/guarded/beta"
	denied := map[string]string{"code": `"forbidden"`, "message": `"approval is required"`}
	l.unchanged(func() {
		l.expect(l.ask(403, "PATCH", path, semantic, semanticBody("guarded", freeIn)), denied)
		l.expect(l.ask(403, "PATCH", path, semantic, semanticBody("guarded", instruction{"kind": "addIncludedUsers", "values": []string{"ann"}})), denied)
		l.expect(l.ask(403, "PATCH", path, plain, []any{op("replace", "/excluded", []string{})}), denied)
		l.ask(403, "POST", "/segments/lab/guarded/crowd/contexts", plain, object{"included": object{"add": []string{"ann"}}})
	})
	l.ask(200, "PATCH", path, semantic, semanticBody("guarded", instruction{"kind": "updateName", "value": "Testers"}))
	l.expect(l.ask(200, "PATCH", path, plain, []any{op("add", "/description", "d"), op("add", "/tags/-", "t")}), map[string]string{"tags": `["t"]`, "name": `"Testers"`})
}

func TestSegments(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	got := l.ask(201, "POST", "/segments/lab/test", plain, object{"key": "vip", "name": "Alpha", "description": "Very important", "tags": []string{"sales", "ui"}})
	l.expect(got, map[string]string{"included": "[]", "rules": "[]", "version": "1", "generation": "1", "deleted": "false", "unbounded": "false", "_unboundedMetadata": ""})
	l.ask(201, "POST", "/segments/lab/test", plain, object{"key": "big", "name": "Big", "unbounded": true, "unboundedContextKind": "org"})
	l.expect(l.get("/segments/lab/test/big"), map[string]string{"unbounded": "true", "unboundedContextKind": `"org"`, "included": "", "_unboundedMetadata.includedCount": "0", "_flags": "[]"})
	l.ask(409, "POST", "/segments/lab/test", plain, object{"key": "vip", "name": "Again"})
	l.ask(201, "POST", "/segments/lab/other", plain, object{"key": "vip", "name": "Elsewhere"})
	for _, body := range []object{{"key": "a b", "name": "N"}, {"key": "x"}, {"key": "x", "name": "N", "tags": []string{"a b"}}, {"key": "x", "name": 7}} {
		l.ask(400, "POST", "/segments/lab/test", plain, body)
	}
	l.segment("vip", instruction{"kind": "addIncludedTargets", "contextKind": "org", "values": []string{"acme"}}, instruction{"kind": "addExcludedUsers", "values": []string{"bob"}})

	for _, tc := range []struct {
		query url.Values
		want  []string
	}{
		{url.Values{}, []string{"beta", "crowd", "vip", "big"}},
		{url.Values{"sort": {"name"}}, []string{"vip", "beta", "big", "crowd"}},
		{url.Values{"sort": {"-lastModified"}, "limit": {"1"}}, []string{"vip"}},
		{url.Values{"sort": {"-creationDate"}, "limit": {"2"}, "offset": {"1"}}, []string{"vip", "crowd"}},
		{url.Values{"filter": {`query equals "very IMPORTANT"`}}, []string{"vip"}},
		{url.Values{"filter": {`tags anyOf ["sales","none"]`}}, []string{"vip"}},
		{url.Values{"filter": {"unbounded equals true"}}, []string{"crowd", "big"}},
		{url.Values{"filter": {"unbounded equals false,query equals a"}}, []string{"beta", "vip"}},
		{url.Values{"filter": {`includedKeys anyOf ["acme"]`}}, []string{"vip"}},
		{url.Values{"filter": {`includedKeys anyOf ["ann","acme"]`}}, []string{"beta", "vip"}},
		{url.Values{"filter": {`excludedKeys anyOf ["bob"]`}}, []string{"vip"}},
		{url.Values{"filter": {`(query equals beta|tags anyOf ["ui"]),unbounded equals false`}}, []string{"beta", "vip"}},
	} {
		if diff := cmp.Diff(tc.want, keys(l.get("/segments/lab/test?"+tc.query.Encode()))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tc.query, diff)
		}
	}
	for _, query := range []string{"filter=tags:ui", "filter=colour+equals+red", "filter=tags+equals+ui", "sort=key", "limit=-1"} {
		l.ask(400, "GET", "/segments/lab/test?"+query, "", nil)
	}

	l.patch("color", "test", instruction{"kind": "addRule", "variationId": "$v1", "clauses": clauses(clauseOn("segmentMatch", "segmentMatch", "vip"))})
	l.expect(l.get("/segments/lab/test/vip"), map[string]string{"_flags.0.key": `"color"`, "_flags.0.name": `"Color"`, "_flags.1": ""})
	l.expect(l.get("/segments/lab/other/vip"), map[string]string{"_flags": "[]"})
	l.expect(l.get("/segments/lab/test"), map[string]string{"items.2._flags": ""})

	l.ask(204, "DELETE", "/segments/lab/test/vip", "", nil)
	if entry := l.a.audit[len(l.a.audit)-1]; entry.Verb != "deleted the segment" || entry.Kind != "segment" || entry.Name != "Alpha" {
		t.Errorf("the audit entry is %+v", entry.change)
	}
	l.ask(404, "GET", "/segments/lab/test/vip", "", nil)
	l.ask(200, "GET", "/segments/lab/other/vip", "", nil)
}

func TestBigSegment(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const path = "/segments/lab/test/crowd"
	l.ask(204, "POST", path+"/contexts", plain, object{"included": object{"add": []string{"ann", "bob"}}, "excluded": object{"add": []string{"eve"}}})
	l.ask(204, "POST", path+"/contexts", plain, object{"included": object{"remove": []string{"bob"}}})
	l.expect(l.get(path), map[string]string{"_unboundedMetadata.includedCount": "1", "_unboundedMetadata.excludedCount": "1", "version": "3"})
	l.expect(l.get(path+"/contexts/ann"), map[string]string{"userKey": `"ann"`, "included": "true", "excluded": "false"})
	l.expect(l.get(path+"/contexts/eve"), map[string]string{"included": "false", "excluded": "true"})
	l.unchanged(func() {
		l.ask(400, "POST", path+"/contexts", plain, object{"excluded": object{"add": []string{"ann"}}})
		l.ask(400, "POST", "/segments/lab/test/beta/contexts", plain, object{"included": object{"add": []string{"bob"}}})
		l.ask(204, "POST", path+"/contexts", plain, object{"included": object{"add": []string{"ann"}}})
	})
	answer := l.upload("replace", "false", `"mia"`, "", "tom")
	if answer.StatusCode != 204 {
		t.Fatalf("the upload answers %d", answer.StatusCode)
	}
	l.expect(l.get(strings.TrimPrefix(answer.Header.Get("Location"), "/api/v2")), map[string]string{"status": `"complete"`, "mode": `"replace"`, "files.0.filename": `"keys.csv"`})
	l.members("crowd", map[string]bool{ann: false, `{"kind":"user","key":"mia"}`: true, `{"kind":"user","key":"tom"}`: true})
	l.unchanged(func() {
		if answer := l.upload("overwrite", "false", "x"); answer.StatusCode != 400 {
			t.Errorf("an upload with an unknown mode answers %d", answer.StatusCode)
		}
	})
}
