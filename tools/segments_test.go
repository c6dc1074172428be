package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// keysCall targets count users, by name and number.
func keysCall(kind, name string, count int) string {
	values := make([]string, count)
	for i := range values {
		values[i] = fmt.Sprint(name, i)
	}
	b, _ := json.Marshal(map[string]any{"kind": kind, "values": values})
	return string(b)
}

func targetsCall(segment string, more string, instructions ...string) string {
	return fmt.Sprintf(`{"projectKey":"shop","env":"test","segmentKey":%q,"instructions":[%s]%s}`, segment, strings.Join(instructions, ","), more)
}

// TestManyTargets: what is more than LaunchDarkly takes goes in several requests, in the order of the call.
func TestManyTargets(t *testing.T) {
	for _, segment := range []string{"beta-testers", "vip"} {
		r := start(t)
		before := direct(t, r)
		was, err := before.Segments.Get(t.Context(), "shop", "test", segment)
		if err != nil {
			t.Fatal(err)
		}
		count := func(s *ldclient.Segment) int {
			if s.UnboundedMetadata != nil {
				return s.UnboundedMetadata.IncludedCount
			}
			return len(s.Included)
		}
		call := targetsCall(segment, "", keysCall("addIncludedTargets", "a", 2000), keysCall("addExcludedTargets", "b", 1200))
		dry := r.call("update-segment-targets", strings.Replace(call, `"env"`, `"dryRun":true,"env"`, 1))
		want := fmt.Sprintf(`"includedCount":%d`, count(was)+2000)
		if len(r.Writes()) > 0 || !strings.Contains(dry, want) {
			t.Errorf("%s: %d writes, no %s in %s", segment, len(r.Writes()), want, dry)
		}
		got := r.call("update-segment-targets", call)
		if n := len(r.Writes()); n != 3 || !strings.Contains(got, want) || len(got) > 2000 {
			t.Errorf("%s: %d requests, %d bytes, no %s in %s", segment, n, len(got), want, got)
		}
	}
}

// TestTargetsInPart: when a later request fails, the reply says what was carried out, and what was not.
func TestTargetsInPart(t *testing.T) {
	call := targetsCall("beta-testers", "", keysCall("addIncludedTargets", "a", 2000), keysCall("addExcludedTargets", "b", 1200))
	for name, test := range map[string]struct {
		fault sandbox.Fault
		want  string
	}{
		"refused":  {sandbox.Fault{Status: 400, Body: `{"code":"invalid_request","message":"No"}`}, `Request 2 of 3 was refused, so these are not done: include user keys (500), from "a1500" to "a1999"; exclude user keys (1000), from "b0" to "b999"`},
		"approval": {sandbox.Fault{Status: 403, Body: `{"code":"forbidden","message":"approval is required"}`}, "Request 2 of 3 was refused"},
		"lock":     {sandbox.Fault{Status: 409, Body: `{"code":"optimistic_locking_error","message":"locked"}`}, "Request 2 of 3 was refused"},
		"lost":     {sandbox.Fault{After: true}, "Request 2 of 3 may or may not have been carried out, so read the segment before sending these again"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			seen := 0
			test.fault.Match = func(q *http.Request) bool {
				if q.Method == http.MethodPatch {
					seen++
				}
				return seen == 2
			}
			r.Next(test.fault)
			got := r.call("update-segment-targets", call)
			for _, want := range []string{
				`! Only a part was carried out, which stays: include user keys (1500), from "a0" to "a1499".`, test.want,
				`not tried were: exclude user keys (200), from "b1000" to "b1199". Call update-segment-targets again with what is missing.`} {
				if !strings.Contains(got, want) {
					t.Errorf("no %s in %s", want, got)
				}
			}
			if strings.Contains(strings.ToLower(got), "nothing was changed") {
				t.Error(got)
			}
		})
	}
}

// TestSegmentRefusals: what cannot be right is refused before anything is sent.
func TestSegmentRefusals(t *testing.T) {
	r := start(t)
	ids := r.segmentIDs("employees")
	for _, test := range []struct{ tool, segment, instruction, want string }{
		{"update-segment-rules", "employees", `{"kind":"addRule"}`, "missing clauses; it needs clauses"},
		{"update-segment-rules", "employees", `{"kind":"addRule","clauses":[{"values":["x"]}]}`, "clauses[0]: missing attribute"},
		{"update-segment-rules", "employees", `{"kind":"addRule","clauses":[{"attribute":"a","values":["x"]}],"contextKind":"device"}`, "contextKind and bucketBy go with percent"},
		{"update-segment-rules", "employees", `{"kind":"addRule","clauses":[{"attribute":"a","values":["x"]}],"percent":50000}`, "must be at most 100, got 50000"},
		{"update-segment-rules", "employees", `{"kind":"addRule","clauses":[{"op":"segmentMatch","values":["employees"]}]}`, "A rule on segment employees would make it depend on itself"},
		{"update-segment-rules", "employees", `{"kind":"removeRule","ruleId":"$rule0","values":["x"]}`, "takes no values"},
		{"update-segment-rules", "employees", `{"kind":"removeClauses","ruleId":"$rule0","clauseIds":["x"]}`, `has no clause "x"; its clauses are $clause0`},
		{"update-segment-rules", "employees", `{"kind":"removeClauses","ruleId":"$rule0","clauseIds":["$clause0","$clause0"]}`, "without a clause; use removeRule"},
		{"update-segment-rules", "employees", `{"kind":"removeValuesFromClause","ruleId":"$rule0","clauseId":"$clause0","values":["@shop.example.com"]}`, "would leave the clause without a value"},
		{"update-segment-rules", "employees", `{"kind":"reorderRules","ruleIds":["$rule0","$rule0"]}`, "ruleIds must name each present rule once; $rule0 is rule 1"},
		{"update-segment-targets", "beta-testers", `{"kind":"addIncludedTargets","values":["user-1013"]}`, `the user "user-1013" would be both included and excluded; put removeExcludedTargets with it before`},
		{"update-segment-targets", "vip", `{"kind":"addIncludedTargets","values":["x"]},{"kind":"addExcludedTargets","values":["x"]}`, `the user "x" would be both`},
		{"update-segment-targets", "vip", `{"kind":"addIncludedTargets","contextKind":"device","values":["x"]}`, "holds contexts of kind user alone, not device"},
		{"update-segment-targets", "beta-testers", `{"kind":"addIncludedUsers","contextKind":"device","values":["x"]}`, "takes no contextKind"},
		{"update-segment-targets", "beta-testers", `{"kind":"addIncludedTargets","values":[" "]}`, "a context key must not be empty"},
		{"update-segment-settings", "vip", `{"kind":"updateName","value":" "}`, "a name must not be empty"},
		{"update-segment-settings", "vip", `{"kind":"addTags","values":["a b"]}`, `"a b" is not a tag`},
	} {
		got := r.call(test.tool, ids.Replace(targetsCall(test.segment, "", test.instruction)))
		if want := ids.Replace(test.want); !strings.HasPrefix(got, "! ") || !strings.Contains(got, want) || !strings.HasSuffix(got, "Nothing was changed.") {
			t.Errorf("%s %s: no %s in %s", test.tool, test.instruction, want, got)
		}
	}
	if n := len(r.Writes()); n > 0 {
		t.Errorf("%d writes", n)
	}
}

// TestSegmentCircle: a circle through other segments is found as well.
func TestSegmentCircle(t *testing.T) {
	r := start(t)
	match := func(on, other string) string {
		return r.call("update-segment-rules", targetsCall(on, "", fmt.Sprintf(`{"kind":"addRule","clauses":[{"op":"segmentMatch","values":[%q]}]}`, other)))
	}
	for _, pair := range [][2]string{{"beta-testers", "employees"}, {"employees", "vip"}} {
		if got := match(pair[0], pair[1]); strings.HasPrefix(got, "!") {
			t.Fatal(got)
		}
	}
	if got := match("vip", "beta-testers"); !strings.Contains(got, "A rule on segment vip would make it depend on itself") {
		t.Error(got)
	}
}

// TestSegmentDescription: the description is changed on the version that was read, with the rest in one request.
func TestSegmentDescription(t *testing.T) {
	call := targetsCall("vip", "", `{"kind":"updateDescription","value":"Ours"},{"kind":"removeTags","values":["crm"]}`)
	r := start(t)
	if got := r.call("update-segment-settings", call); !strings.Contains(got, `"after":{"key":"vip","name":"VIP customers","description":"Ours","big":true`) || len(r.Writes()) != 1 {
		t.Errorf("%d writes: %s", len(r.Writes()), got)
	}
	if got := r.call("update-segment-settings", targetsCall("vip", "", `{"kind":"updateDescription","value":""}`)); !strings.Contains(got, `"after":{"key":"vip","name":"VIP customers","big":true`) {
		t.Error(got)
	}
	p := &person{action: "accept"}
	r = start(t, func(s *setup) {
		s.Protect = []string{"test"}
		s.mcp = []client.ClientOption{client.WithElicitationHandler(p)}
	})
	// Somebody else changes it between the question and the answer.
	r.Next(sandbox.Fault{Status: 409, Body: `{"code":"optimistic_locking_error","message":"a test failed"}`, Match: func(q *http.Request) bool { return q.Method == http.MethodPatch }})
	if got := r.call("update-segment-settings", call); !strings.Contains(got, "It was changed at the same moment") || !strings.HasSuffix(got, "Nothing was changed.") {
		t.Error(got)
	}
}

// TestSegmentExpiry: a context leaves its list when the time has come, and by nothing else.
func TestSegmentExpiry(t *testing.T) {
	now := time.Now()
	account := sandbox.New(sandbox.Options{Now: func() time.Time { return now }})
	r := start(t, func(s *setup) { s.client.Transport = documented{account, t} })
	r.Account = account
	call := func(action, more string) string {
		return r.call("manage-segment-expiring-targets", fmt.Sprintf(`{"projectKey":"shop","env":"test","segmentKey":"beta-testers","action":%q%s}`, action, more))
	}
	for _, test := range []struct{ action, more, want string }{
		{"add", `,"contextKey":"user-1002"`, "Missing expiresAt"},
		{"add", `,"expiresAt":"7d"`, "contextKey: add needs it"},
		{"add", `,"contextKey":"user-1002","expiresAt":"2001-01-01"`, "is past"},
		{"add", `,"contextKey":"user-1002","targetType":"excluded","expiresAt":"7d"`, `the user "user-1002" is not on the segment's excluded list`},
		{"update", `,"contextKey":"user-1002","expiresAt":"7d"`, "has no time to leave; use add"},
		{"remove", `,"contextKey":"user-1002","expiresAt":"7d"`, "remove takes none"},
		{"remove", `,"contextKey":"user-1002"`, "does not expire; nothing was changed"},
		{"add", `,"contextKey":"user-1013","expiresAt":"7d"`, `"targetType":"excluded"`},
		{"add", `,"contextKey":"user-1002","expiresAt":"7d","dryRun":true`, `"dryRun":true`},
		{"list", "", `"count":1`},
		{"add", `,"contextKey":"user-1002","expiresAt":"7d"`, `"changed":true`},
		{"add", `,"contextKey":"user-1002","expiresAt":"8d"`, "leaves at"},
		{"update", `,"contextKey":"user-1002","expiresAt":"2d"`, `"changed":true`},
		{"add", `,"contextKey":"user-1005","expiresAt":"1d"`, `"changed":true`},
		{"remove", `,"contextKey":"user-1005"`, `"after":{"count":0`},
		{"list", "", `"count":2`},
		{"list", `,"targetType":"excluded"`, `"count":1`},
	} {
		if got := call(test.action, test.more); !strings.Contains(got, test.want) {
			t.Errorf("%s%s: no %s in %s", test.action, test.more, test.want, got)
		}
	}
	member := func(key string) string {
		return r.call("get-segment-membership", fmt.Sprintf(`{"projectKey":"shop","env":"test","segmentKey":"beta-testers","contextKey":%q}`, key))
	}
	if got := member("user-1002"); !strings.Contains(got, `"member":true`) {
		t.Error(got)
	}
	now = now.Add(72 * time.Hour)
	for key, want := range map[string]string{"user-1002": `"by":"nothing matches"`, "user-1005": `"by":"included by key"`, "user-1013": `"by":"excluded by key"`} {
		if got := member(key); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", key, want, got)
		}
	}
}

// TestMembership: who is in which segments, by what.
func TestMembership(t *testing.T) {
	r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
	r.mustCall("update-segment-targets", targetsCall("vip", "", `{"kind":"addExcludedTargets","values":["mallory"]}`))
	for args, want := range map[string]string{
		`"env":"production","contextKey":"user-1003","stored":true`:                                                `{"items":[{"key":"beta-testers","member":true,"by":"a rule"},{"key":"vip","name":"VIP customers","member":true,"by":"included by key","big":true}]`,
		`"env":"production","contextKey":"user-1003"`:                                                              `{"items":[{"key":"vip"`,
		`"env":"test","contextKey":"mallory","segmentKey":"vip"`:                                                   `"member":false,"by":"excluded by key","big":true`,
		`"env":"test","contextKey":"a/b c","segmentKey":"vip"`:                                                     `"member":false,"by":"nothing matches","big":true`,
		`"env":"test","context":{"kind":"multi","user":{"key":"u"},"device":{"key":"d","managed":true}}`:           `{"items":[{"key":"employees","member":true,"by":"a rule"}],"totalCount":1}`,
		`"env":"test","context":{"kind":"multi","user":{"key":"mallory"},"device":{"key":"d"}},"segmentKey":"vip"`: `"by":"excluded by key"`,
		`"env":"test","contextKind":"device","contextKey":"mallory","segmentKey":"vip"`:                            `"by":"nothing matches"`,
		`"env":"test","contextKey":"u","segmentKey":"beta"`:                                                        `There is no segment "beta" in environment test (did you mean beta-testers?)`,
		`"env":"test","contextKey":"u","context":{"kind":"user","key":"u"}`:                                        "not both",
		`"env":"test","context":{"kind":"user"}`:                                                                   "key",
	} {
		if got := r.call("get-segment-membership", `{"projectKey":"shop",`+args+`}`); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", args, want, got)
		}
	}
}
