package tools_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// TestSettingsAreChecked: what cannot be right is refused before anybody is asked and before any write.
func TestSettingsAreChecked(t *testing.T) {
	for _, test := range []struct{ name, tool, args, want string }{
		{"taken", "create-project", `{"key":"shop","name":"Shop"}`, "there is a project shop already (Shop); choose another key, or change that one with update-project"},
		{"bad key", "create-project", `{"key":"-x","name":"X"}`, `key: must begin with a letter or digit`},
		{"long key", "create-project", `{"key":"` + strings.Repeat("x", 101) + `","name":"X"}`, `at most 100 letters`},
		{"climbing key", "create-project", `{"key":"../flags","name":"X"}`, `key: must begin with a letter or digit`},
		{"no name", "create-project", `{"key":"x","name":" "}`, "Name: must not be empty"},
		{"bad tag", "create-project", `{"key":"x","name":"X","tags":["two words"]}`, `Tags: "two words" must be 1 to 64 letters`},
		{"nothing", "update-project", `{"projectKey":"mobile","comment":"c"}`, "Nothing to change: give name, tags or defaultClientSideAvailability"},
		{"empty name", "update-project", `{"projectKey":"mobile","name":""}`, "Name: must not be empty"},
		{"unknown project", "update-project", `{"projectKey":"mobil","name":"M"}`, `There is no project "mobil" (did you mean mobile?)`},
		{"environment taken", "create-environment", `{"projectKey":"shop","key":"test","name":"T"}`, "there is an environment test in shop already; choose another key"},
		{"unknown source", "create-environment", `{"projectKey":"shop","key":"qa","name":"QA","source":"stagin"}`, `There is no environment "stagin" (did you mean staging?)`},
		{"bad color", "create-environment", `{"projectKey":"shop","key":"qa","name":"QA","color":"green"}`, `Color: must be six hexadecimal digits such as 417505, got "green"`},
		{"short color", "update-environment", `{"projectKey":"shop","env":"test","color":"#fff"}`, `Color: must be six hexadecimal digits such as 417505, got "#fff"`},
		{"long ttl", "update-environment", `{"projectKey":"shop","env":"test","defaultTtl":61}`, "defaultTtl: must be at most 60, got 61"},
		{"nothing in an environment", "update-environment", `{"projectKey":"shop","env":"test"}`, "Nothing to change: give name, color, tags"},
		{"empty tag", "update-environment", `{"projectKey":"shop","env":"test","tags":[""]}`, `Tags: "" must be 1 to 64 letters`},
	} {
		p := &person{action: "accept"}
		r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
		got := r.call(test.tool, test.args)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(test.want)) || !strings.HasSuffix(got, "Nothing was changed.") {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
		if p.question != "" || len(r.Writes()) > 0 {
			t.Errorf("%s: asked %q, %d writes", test.name, p.question, len(r.Writes()))
		}
	}
}

// TestKeyTakenUnseen: the key of a project that the token may not see is taken all the same.
func TestKeyTakenUnseen(t *testing.T) {
	r := start(t)
	r.Next(sandbox.Fault{Status: 404, Body: `{"code":"not_found","message":"Unknown project key shop"}`})
	got := r.call("create-project", `{"key":"shop","name":"Shop"}`)
	if want := "! Project key already exists (HTTP 409 conflict"; !strings.HasPrefix(got, want) || !strings.Contains(got, "The key is taken") {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestProtectionOff: who switches a protection off is asked first where the environment is protected, and told what it means.
func TestProtectionOff(t *testing.T) {
	for _, test := range []struct {
		args string
		asks string
	}{
		{`"env":"production","critical":false`, "This would change environment production of project shop: turn the protection critical OFF, so that changes there would no longer be confirmed as in a critical environment. Protected: production (critical)."},
		{`"env":"production","requireComments":false,"confirmChanges":false`, "turn the protection requireComments OFF, so that changes there would no longer need a comment; turn the protection confirmChanges OFF,"},
		{`"env":"regulated","name":"Free","requireComments":false`, "OFF, so that changes there would no longer need a comment; rename it from Regulated to Free. Protected: regulated (critical)."},
		{`"env":"production","secureMode":true`, "turn secureMode on. Protected"},
		{`"env":"test","critical":true`, ""},
	} {
		for _, action := range []mcp.ElicitationResponseAction{"accept", "decline"} {
			p := &person{action: action}
			r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
			if test.asks == "" && action == "decline" {
				continue
			}
			got := r.call("update-environment", `{"projectKey":"shop","comment":"c",`+test.args+`}`)
			if !strings.Contains(p.question, test.asks) || (p.question == "") != (test.asks == "") {
				t.Errorf("%s: asked %q, want %q", test.args, p.question, test.asks)
			}
			if made := strings.Contains(got, `"changed":true`); made != (action == "accept") || made != (len(r.Writes()) == 1) {
				t.Errorf("%s, %s: %d writes: %s", test.args, action, len(r.Writes()), got)
			}
		}
	}
	r := start(t)
	if got := r.call("update-environment", `{"projectKey":"shop","env":"production","requireComments":false}`); !strings.Contains(got, "requires a comment") || len(r.Writes()) > 0 {
		t.Errorf("without a comment: %s", got)
	}
}

// TestDeleteProject: by its own key alone, telling what goes with it, and never the last one.
func TestDeleteProject(t *testing.T) {
	r := start(t)
	for _, confirm := range []string{"", "true", "production", "shop"} {
		got := r.call("delete-project", fmt.Sprintf(`{"projectKey":"mobile","confirm":%q}`, confirm))
		if want := "delete project mobile (Mobile app) for good, with its 2 environments (production, test), 6 flags and 0 archived flags"; !strings.Contains(got, want) || len(r.Writes()) > 0 {
			t.Errorf("%q: got %s, want %s", confirm, got, want)
		}
	}
	if got := r.call("delete-project", `{"projectKey":"mobile","confirm":"mobile"}`); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
	got := r.call("delete-project", `{"projectKey":"shop","comment":"c","confirm":"shop"}`)
	if !strings.Contains(got, "! Project shop is the only one that the token sees") || len(r.Writes()) != 1 {
		t.Error(got)
	}
}

// TestNewThingsInScope: what is created must lie in the scope too.
func TestNewThingsInScope(t *testing.T) {
	for _, test := range []struct {
		scope      ldclient.Scope
		tool, args string
		want       string
	}{
		{ldclient.Scope{Projects: []string{"team-*"}}, "create-project", `{"key":"team-a","name":"A"}`, `"changed":true`},
		{ldclient.Scope{Projects: []string{"team-*"}}, "create-project", `{"key":"other","name":"O"}`, `! Project "other" is outside this server's scope, which is team-*.`},
		{ldclient.Scope{Environments: []string{"qa*"}}, "create-project", `{"key":"team-a","name":"A"}`, "! This would change every environment of project"},
		{ldclient.Scope{Environments: []string{"qa*"}}, "create-environment", `{"projectKey":"shop","key":"qa-1","name":"QA"}`, `"changed":true`},
		{ldclient.Scope{Environments: []string{"qa*"}}, "create-environment", `{"projectKey":"shop","key":"prod-2","name":"P"}`, `! Environment "prod-2" is outside this server's scope, which is qa*.`},
		{ldclient.Scope{Environments: []string{"qa*"}}, "create-environment", `{"projectKey":"shop","key":"qa-1","name":"QA","source":"production"}`, `! There is no environment "production"`},
		{ldclient.Scope{Environments: []string{"test"}}, "update-project", `{"projectKey":"mobile","name":"M"}`, "! This would change every environment of project"},
	} {
		r := start(t, func(s *setup) { s.client.Scope = test.scope })
		got := r.call(test.tool, test.args)
		if !strings.Contains(got, test.want) || (len(r.Writes()) == 1) == strings.HasPrefix(got, "!") {
			t.Errorf("%v %s %s: got %s, want %s", test.scope, test.tool, test.args, got, test.want)
		}
	}
}

// TestConfiguredProjectIsNoNewKey: the project that stands in where a call names none is not the key of a new one.
func TestConfiguredProjectIsNoNewKey(t *testing.T) {
	r := start(t, func(s *setup) { s.Project, s.Environment = "shop", "test" })
	if got := r.call("create-project", `{"name":"X"}`); !strings.Contains(got, "Missing key") {
		t.Error(got)
	}
	if got := r.call("create-environment", `{"name":"X"}`); !strings.Contains(got, "Missing key") {
		t.Error(got)
	}
}

// TestTagsAreNotLost: replacing tags that somebody changed meanwhile begins anew from what is there.
func TestTagsAreNotLost(t *testing.T) {
	r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
	changed := false
	r.Next(sandbox.Fault{Status: 409, Body: `{"code":"optimistic_locking_error","message":"a test failed"}`, Match: func(q *http.Request) bool {
		again := changed
		changed = changed || q.Method == http.MethodPatch
		return q.Method == http.MethodPatch && !again
	}})
	got := r.call("update-project", `{"projectKey":"mobile","tags":["a"]}`)
	if !strings.Contains(got, `"changed":true`) || len(r.Writes()) != 2 {
		t.Errorf("%d writes: %s", len(r.Writes()), got)
	}
	if body := string(r.Writes()[1].Body); !strings.Contains(body, `{"op":"test","path":"/tags","value":["ios","android"]}`) {
		t.Errorf("the patch does not expect the old tags: %s", body)
	}
}

// TestNoKeysInReplies: environments come with SDK keys, which no reply shows even in part.
func TestNoKeysInReplies(t *testing.T) {
	r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
	for _, call := range []string{
		`create-project {"key":"kiosk","name":"Kiosk"}`, `get-project {"projectKey":"kiosk"}`, `update-project {"projectKey":"kiosk","name":"K"}`,
		`create-environment {"projectKey":"kiosk","key":"qa","name":"QA","source":"test"}`, `update-environment {"projectKey":"kiosk","env":"qa","color":"aabbcc"}`,
		`get-environment {"projectKey":"kiosk","env":"qa"}`, `list-environments {"projectKey":"kiosk"}`, `what-changed {"projectKey":"kiosk","env":"qa","after":"2026-01-01"}`,
		`delete-project {"projectKey":"kiosk"}`,
	} {
		name, args, _ := strings.Cut(call, " ")
		if got := r.call(name, args); strings.HasPrefix(got, "!") || strings.Contains(got, "sdk-") || strings.Contains(got, "mob-") {
			t.Errorf("%s: %s", call, got)
		}
	}
}

// TestMembers: the ways to say who is meant.
func TestMembers(t *testing.T) {
	r := start(t)
	names := func(args string) string {
		var got struct{ Items []struct{ Name string } }
		text := r.call("list-members", args)
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			return text
		}
		var out []string
		for _, m := range got.Items {
			first, _, _ := strings.Cut(m.Name, " ")
			out = append(out, first)
		}
		return strings.Join(out, " ")
	}
	for args, want := range map[string]string{
		`{"query":"hopp"}`:                                       "Grace",
		`{"email":"ada@example.com"}`:                            "Ada",
		`{"team":"Platform"}`:                                    "Margaret Katherine Edsger",
		`{"role":"admin"}`:                                       "Margaret Katherine",
		`{"role":"production-approver"}`:                         "Edsger",
		`{"team":"growth","role":"reader"}`:                      "Grace Mary",
		`{"team":"growth","query":"turing"}`:                     "Alan",
		`{"limit":2,"offset":6}`:                                 "Radia Mary",
		`{"query":"nobody"}`:                                     "",
		`{"query":"a,role:admin"}`:                               "! A filter may not hold any of , : and |.",
		`{"query":"ada","email":"x@y","team":"growth|platform"}`: "! A filter may not hold any of , : and |.",
	} {
		if got := names(args); got != want {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
	for id, want := range map[string]string{"": "Ada", "me": "Ada", memberID("Mary"): "Mary", "alan@example.com": "Alan"} {
		if got := r.callWith("get-member", map[string]any{"id": id}); !strings.Contains(got, `"name":"`+want) {
			t.Errorf("%q: got %s, want %s", id, got, want)
		}
	}
	if got := r.call("get-member", `{"id":"edsger@example.com"}`); !strings.Contains(got, `"teamRoles":["production-approver"]`) {
		t.Error(got)
	}
}

// TestRoleInWords: statements that name what they leave out, and those of a preset, are not lost.
func TestRoleInWords(t *testing.T) {
	r := start(t, func(s *setup) {
		s.client.Transport = answering{`{"_id":"1","key":"r","name":"R","policy":[` +
			`{"effect":"allow","notActions":["delete*"],"notResources":["proj/*:env/production:flag/*"]},` + strings.Repeat(`{"effect":"deny","actions":["x"],"resources":["proj/a"]},`, 2) +
			`{"effect":"allow","actions":["*"],"resources":["proj/${roleAttribute/p}"]}],"_presetStatements":[{"effect":"deny","actions":["x"],"resources":["proj/a"]},{"effect":"allow","actions":["y"],"resources":["member/*"]}]}`}
	})
	got := r.call("get-role", `{"roleKey":"r"}`)
	want := `"policy":["allow all but delete* on all but proj/*:env/production:flag/*","deny x on proj/a","allow * on proj/${roleAttribute/p}","allow y on member/*"]`
	if !strings.Contains(got, want) || !strings.Contains(got, `"statementsCount":4`) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := r.call("get-role", `{"roleKey":"r","statementsOffset":3}`); !strings.Contains(got, `"policy":["allow y on member/*"]`) {
		t.Error(got)
	}
}

type ids struct {
	Items []struct {
		ID string `json:"_id"`
	}
	NextCursor string
}

// TestFlagHistoryPages walks random histories with random limits and byte caps: every change comes once.
func TestFlagHistoryPages(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		log := randomLog(rnd)
		r := start(t, func(s *setup) {
			s.client.Transport = log
			s.MaxReplyBytes = []int{600, 1500, 20_000}[rnd.IntN(3)]
		})
		args := map[string]any{"projectKey": "p", "flagKey": "f", "limit": 1 + rnd.IntN(100)}
		var got []string
		for calls := 0; len(log) > 0; calls++ {
			var page ids
			text := r.callWith("get-flag-history", args)
			if err := json.Unmarshal([]byte(text), &page); err != nil || calls > 200 {
				t.Fatalf("seed %d, %d calls: %s", seed, calls, text)
			}
			for _, i := range page.Items {
				got = append(got, i.ID)
			}
			if page.NextCursor == "" {
				break
			}
			args["cursor"] = page.NextCursor
		}
		if want := log.ids(false); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d changes, want %d:\n%v\n%v", seed, len(got), len(want), got, want)
		}
	}
}

// TestLastTouched: who touched an environment last is found although the page ends before.
func TestLastTouched(t *testing.T) {
	var got struct {
		LastTouched []struct{ Environment, By, Time string }
		Untouched   []string
		Items       []struct{ Environment string }
		Notes       []string
	}
	args := `{"projectKey":"shop","flagKey":"dark-mode","limit":1}`
	if err := json.Unmarshal([]byte(start(t).call("get-flag-history", args)), &got); err != nil {
		t.Fatal(err)
	}
	var envs []string
	for _, e := range got.LastTouched {
		envs = append(envs, e.Environment)
	}
	if d := cmp.Diff([]string{"staging", "test"}, envs); d != "" || len(got.Items) != 1 {
		t.Errorf("%d items: %s", len(got.Items), d)
	}
	if d := cmp.Diff([]string{"production", "regulated"}, got.Untouched); d != "" || len(got.Notes) > 0 {
		t.Error(d, got.Notes)
	}
	scoped := start(t, func(s *setup) { s.client.Scope.Environments = []string{"test"} })
	if text := scoped.call("get-flag-history", strings.Replace(args, "1}", "100}", 1)); strings.HasPrefix(text, "!") || strings.Contains(text, "staging") || strings.Contains(text, "production") {
		t.Errorf("out of scope: %s", text)
	}
	// A failure behind the first page is told, and does not cost the reply.
	failed := start(t, func(s *setup) { s.client.Transport = failing{s.client.Transport.(*sandbox.Account), "/environments"} })
	if text := failed.call("get-flag-history", args); strings.HasPrefix(text, "!") || !strings.Contains(text, "environments could not be read") {
		t.Error(text)
	}
}

// TestWhatChangedLately: without a window it is the last 24 hours.
func TestWhatChangedLately(t *testing.T) {
	r := start(t, func(s *setup) { s.client.Transport = sandbox.New(sandbox.Options{}) })
	got := r.call("what-changed", `{"projectKey":"shop","env":"staging"}`)
	for _, want := range []string{`"kind":"flag","key":"new-checkout","reach":"everyone","changesCount":2`, `"did":"Turned the flag on","comment":"Wrong tab"`, `"key":"live-chat","reach":"nobody"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, "store-pickup") { // 1.8 days ago
		t.Errorf("older than a day: %s", got)
	}
	if got := r.call("what-changed", `{"projectKey":"shop","env":"staging","before":"36h"}`); strings.Contains(got, "new-checkout") || !strings.Contains(got, "store-pickup") {
		t.Errorf("the day before: %s", got)
	}
	for args, want := range map[string]string{
		`{"projectKey":"shop","after":"1h","before":"2h"}`: "must be earlier than before",
		`{"projectKey":"shop","before":"later"}`:           "before: must be a time",
		`{"projectKey":"shop","env":"stagin"}`:             "did you mean staging?",
		`{"projectKey":"shp"}`:                             "did you mean shop?",
	} {
		if got := r.call("what-changed", args); !strings.HasPrefix(got, "!") || !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
}

// TestSegmentsThatChanged: a segment is shown with the flags that it reaches, and without them where they cannot be read.
func TestSegmentsThatChanged(t *testing.T) {
	account := sandbox.New(sandbox.Options{})
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ld.Segments.Patch(t.Context(), "shop", "production", "beta-testers", ldclient.Patch{
		Instructions: []ldclient.Instruction{{"kind": "addIncludedTargets", "contextKind": "user", "values": []string{"x"}}}}); err != nil {
		t.Fatal(err)
	}
	r := start(t, func(s *setup) { s.client.Transport = account })
	got := r.call("what-changed", `{"projectKey":"shop","after":"1h"}`)
	if !strings.Contains(got, `"kind":"segment","key":"beta-testers","reach":"some"`) || !strings.Contains(got, `"flags":["new-checkout"`) {
		t.Error(got)
	}
	r = start(t, func(s *setup) { s.client.Transport = failing{account, "/segments/"} })
	if got := r.call("what-changed", `{"projectKey":"shop","after":"1h"}`); !strings.Contains(got, `"key":"beta-testers"`) || !strings.Contains(got, "the flags that target segment beta-testers could not be read") {
		t.Error(got)
	}
}

// changesOf is a log of n changes, newest first, to flags f0, f1, ... in turn.
func changesOf(n, flags int) fakeLog {
	var log fakeLog
	for i := range n {
		r := fmt.Sprintf("proj/p:env/production:flag/f%d", i%flags)
		log = append(log, map[string]any{"_id": fmt.Sprintf("e%03d", i), "date": int64(1_700_000_000_000 - i*1000), "titleVerb": "changed",
			"target": map[string]any{"resources": []string{r}}, "accesses": []any{map[string]any{"action": "updateRules", "resource": r}}})
	}
	return log
}

// TestWhatChangedIsHonest: a window that holds more than is looked at says so and where to go on.
func TestWhatChangedIsHonest(t *testing.T) {
	type reply struct {
		ChangesCount, TotalCount, NextOffset int
		Items                                []struct {
			Key          string
			ChangesCount int
			Changes      []any
		}
		Notes []string
	}
	ask := func(log fakeLog, args string) (out reply) {
		t.Helper()
		r := start(t, func(s *setup) { s.client.Transport = log })
		if err := json.Unmarshal([]byte(r.call("what-changed", args)), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := ask(changesOf(320, 30), `{"projectKey":"p","after":"2020-01-01"}`)
	if got.ChangesCount != 280 || got.TotalCount != 30 || got.NextOffset != 20 || len(got.Items) != 20 || got.Items[0].Key != "f0" || got.Items[0].ChangesCount != 10 || len(got.Items[0].Changes) != 5 {
		t.Errorf("%+v", got)
	}
	if want := `These are the newest 280 changes, back to 2023-11-14T22:08:41Z; there may be more. For older ones call again with before: "1699999721001".`; len(got.Notes) != 1 || !strings.Contains(got.Notes[0], want) {
		t.Errorf("got %q, want %s", got.Notes, want)
	}
	if got := ask(changesOf(320, 30), `{"projectKey":"p","after":"2020-01-01","before":"1699999721001"}`); got.ChangesCount != 41 || len(got.Notes) > 0 { // the last one seen comes again
		t.Errorf("%+v", got)
	}
	if got := ask(changesOf(250, 30), `{"projectKey":"p","after":"2020-01-01","offset":20}`); got.ChangesCount != 250 || len(got.Items) != 10 || got.NextOffset != 0 || len(got.Notes) > 0 {
		t.Errorf("%+v", got)
	}
	// A reply that is cut to fit goes on where it was cut.
	r := start(t, func(s *setup) { s.client.Transport, s.MaxReplyBytes = changesOf(60, 30), 2000 })
	var keys []string
	for offset, calls := 0, 0; ; calls++ {
		var page reply
		text := r.call("what-changed", fmt.Sprintf(`{"projectKey":"p","after":"2020-01-01","offset":%d}`, offset))
		if err := json.Unmarshal([]byte(text), &page); err != nil || calls > 30 || len(text) > 2000 {
			t.Fatal(text)
		}
		for _, i := range page.Items {
			keys = append(keys, i.Key)
		}
		if offset = page.NextOffset; offset == 0 {
			break
		}
	}
	if slices.Sort(keys); len(slices.Compact(keys)) != 30 {
		t.Errorf("%d things, want 30: %v", len(keys), keys)
	}
}
