package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

type auditListing struct {
	Items []auditRep
	Links map[string]link `json:"_links"`
}

func auditList(t *testing.T, a *Account, query string) auditListing {
	t.Helper()
	return into[auditListing](t, ask(t, a, "GET", "/auditlog?"+query, nil), 200)
}

// small is an account whose log holds only three changes, 2 seconds apart.
func small(t *testing.T) (*Account, []int64) {
	t.Helper()
	a, clock := newTestAccount(Options{})
	a.audit = nil
	var dates []int64
	for _, step := range []struct{ method, path, body string }{
		{"PATCH", "/projects/shop", `[{"op":"replace","path":"/name","value":"Store"}]`},
		{"PATCH", "/projects/shop/environments/test", `[{"op":"replace","path":"/color","value":"aaaaaa"}]`},
		{"DELETE", "/projects/mobile", `null`},
	} {
		clock.Time = clock.Add(2 * time.Second)
		if got := ask(t, a, step.method, step.path, json.RawMessage(step.body)); got.status >= 300 {
			t.Fatalf("%s %s: %d %s", step.method, step.path, got.status, got.body)
		}
		dates = append(dates, a.audit[len(a.audit)-1].Date)
	}
	return a, dates
}

func TestAuditWindow(t *testing.T) {
	t.Parallel()
	a, dates := small(t)
	tests := []struct {
		query string
		want  []string // names, newest first
	}{
		{"", []string{"Mobile app", "Test", "Store"}},
		{fmt.Sprintf("before=%d", dates[1]), []string{"Store"}},
		{fmt.Sprintf("before=%d", dates[1]+1), []string{"Test", "Store"}},
		{fmt.Sprintf("after=%d", dates[1]), []string{"Mobile app"}},
		{fmt.Sprintf("after=%d&before=%d", dates[0], dates[2]), []string{"Test"}},
		{"q=te", []string{"Test"}},
		{"q=STORE", []string{"Store"}},
		{"limit=2", []string{"Mobile app", "Test"}},
		{"spec=proj/shop", []string{"Store"}},
		{"spec=proj/*", []string{"Mobile app", "Store"}},
		{"spec=proj/m*", []string{"Mobile app"}},
		{"spec=proj/shop:env/*", []string{"Test"}},
		{"spec=" + url.QueryEscape("proj/*;web:env/t*"), []string{"Test"}},
		{"spec=" + url.QueryEscape("proj/*;mobile:env/t*"), nil},
		{"spec=" + url.QueryEscape("proj/*:env/*;{critical:true}"), nil},
		{"spec=*", []string{"Mobile app", "Test", "Store"}},
		{"spec=proj/*:env/*:flag/*", nil},
	}
	for _, test := range tests {
		var got []string
		for _, e := range auditList(t, a, test.query).Items {
			got = append(got, e.Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.query, diff)
		}
	}
	for _, bad := range []string{"limit=0", "limit=21", "limit=x", "before=yesterday", "after=-1", "spec=flag", "spec=proj/"} {
		into[failure](t, ask(t, a, "GET", "/auditlog?"+bad, nil), 400)
	}
}

func TestAuditPages(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	if got := auditList(t, a, ""); len(got.Items) != defaultAuditLimit || got.Links["next"].Href == "" {
		t.Errorf("first page: %d items, links %v", len(got.Items), got.Links)
	}
	// One more millisecond than the last date, without what was seen, loses no entry.
	seen, query, last := map[string]bool{}, "limit=20", int64(0)
	for {
		got := auditList(t, a, query)
		fresh := 0
		for _, e := range got.Items {
			if last != 0 && e.Date > last {
				t.Fatalf("entry of %d after one of %d", e.Date, last)
			}
			if !seen[e.ID] {
				fresh++
			}
			seen[e.ID], last = true, e.Date
		}
		if fresh == 0 {
			break
		}
		query = "limit=20&before=" + strconv.FormatInt(last+1, 10)
	}
	if len(seen) != len(a.audit) {
		t.Errorf("paging found %d of %d entries", len(seen), len(a.audit))
	}
	// The API's own next link cuts between entries of one millisecond.
	next := "/auditlog?limit=7&q=e"
	for n := 0; next != ""; n++ {
		got := into[auditListing](t, ask(t, a, "GET", next, nil), 200)
		next = strings.TrimPrefix(got.Links["next"].Href, "/api/v2")
		if next != "" && (!strings.Contains(next, "q=e") || !strings.Contains(next, "before=")) {
			t.Fatalf("next is %s", next)
		}
		if n > 100 {
			t.Fatal("next has no end")
		}
	}
}

func TestAuditEntry(t *testing.T) {
	t.Parallel()
	a, dates := small(t)
	list := auditList(t, a, "spec=proj/shop")
	if list.Items[0].PreviousVersion != nil || list.Items[0].CurrentVersion != nil {
		t.Error("the list shows versions")
	}
	e := into[auditRep](t, ask(t, a, "GET", "/auditlog/"+list.Items[0].ID, nil), 200)
	if e.Date != dates[0] || e.Kind != "project" || e.TitleVerb != "updated the project" || e.AccountID != accountID ||
		!slices.Equal(e.Accesses, []access{{"updateProjectName", "proj/shop"}}) || !slices.Equal(e.Target.Resources, []string{"proj/shop"}) {
		t.Errorf("entry %+v", e)
	}
	if e.Member == nil || e.Member.Email != "ada@example.com" || e.Token == nil || e.Token.Ending != "dbox" || e.Token.ServiceToken {
		t.Errorf("made by %+v with %+v", e.Member, e.Token)
	}
	var before, after struct{ Name string }
	if json.Unmarshal(e.PreviousVersion, &before) != nil || json.Unmarshal(e.CurrentVersion, &after) != nil || before.Name != "Shop" || after.Name != "Store" {
		t.Errorf("versions %s and %s", e.PreviousVersion, e.CurrentVersion)
	}
	into[failure](t, ask(t, a, "GET", "/auditlog/000000000000000000000000", nil), 404)
}

func TestAuditSearch(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	type list = []map[string]any
	allow := func(resources, actions string) map[string]any {
		return map[string]any{"effect": "allow", "resources": strings.Split(resources, " "), "actions": strings.Split(actions, " ")}
	}
	matches := func(body any) []*auditEntry {
		t.Helper()
		var out []*auditEntry
		before := ""
		for {
			got := into[auditListing](t, ask(t, a, "POST", "/auditlog?limit=20"+before, body), 200)
			for _, e := range got.Items {
				i := slices.IndexFunc(a.audit, func(x *auditEntry) bool { return x.ID == e.ID })
				if !slices.Contains(out, a.audit[i]) {
					out = append(out, a.audit[i])
				}
			}
			if got.Links["next"].Href == "" {
				return out
			}
			before = "&before=" + strconv.FormatInt(got.Items[len(got.Items)-1].Date+1, 10)
		}
	}
	count := func(want func(*auditEntry) bool) int {
		n := 0
		for _, e := range a.audit {
			if want(e) {
				n++
			}
		}
		return n
	}
	inProduction := func(e *auditEntry) bool { return strings.HasPrefix(e.Resource, "proj/shop:env/production:flag/") }
	tests := []struct {
		name string
		body any
		want func(*auditEntry) bool
	}{
		{"nothing is everything", list{}, func(*auditEntry) bool { return true }},
		{"flags by action", list{allow("proj/shop:env/*:flag/*", "updateOn")}, func(e *auditEntry) bool {
			return strings.HasPrefix(e.Resource, "proj/shop:") && e.Kind == "flag" && slices.Contains(e.Actions, "updateOn")
		}},
		{"one environment", list{allow("proj/shop:env/production:flag/*", "*")}, func(e *auditEntry) bool {
			return inProduction(e) || strings.HasPrefix(e.Resource, "proj/shop:env/*:flag/")
		}},
		{"deny wins", list{allow("*", "*"), {"effect": "deny", "resources": []string{"proj/*:env/*:flag/*"}, "actions": []string{"*"}}},
			func(e *auditEntry) bool { return e.Kind != "flag" }},
		{"other actions", list{{"effect": "allow", "resources": []string{"proj/*:env/*:flag/*"}, "notActions": []string{"update*"}}},
			func(e *auditEntry) bool { return e.Kind == "flag" && slices.Contains(e.Actions, "createFlag") }},
		{"other resources of the kind", list{{"effect": "allow", "notResources": []string{"proj/*:env/*:segment/v*"}, "actions": []string{"*"}}},
			func(e *auditEntry) bool { return e.Kind == "segment" && !strings.HasSuffix(e.Resource, "/vip") }},
	}
	for _, test := range tests {
		want := count(test.want)
		if want == 0 {
			t.Fatalf("%s: the seed has no such entry", test.name)
		}
		got := matches(test.body)
		if len(got) != want || slices.ContainsFunc(got, func(e *auditEntry) bool { return !test.want(e) }) {
			t.Errorf("%s: %d entries, want %d", test.name, len(got), want)
		}
	}
	for _, bad := range []any{
		map[string]any{}, list{{"effect": "allow"}}, list{{"effect": "x", "resources": []string{"*"}, "actions": []string{"*"}}},
		list{allow("proj/a proj/a:env/b", "*")}, list{{"effect": "allow", "resources": []string{"*"}, "notResources": []string{"*"}, "actions": []string{"*"}}},
	} {
		if got := ask(t, a, "POST", "/auditlog", bad); got.status != 400 {
			t.Errorf("%v: status %d", bad, got.status)
		}
	}
}

func TestAuditCounts(t *testing.T) {
	t.Parallel()
	a, dates := small(t)
	type counts struct {
		Buckets []struct {
			Timestamp int64
			Count     int
		}
		TotalCount       int
		BucketIntervalMs int64
	}
	got := into[counts](t, ask(t, a, "POST", fmt.Sprintf("/auditlog/counts?after=%d&before=%d&buckets=2", dates[0]-1, dates[2]+1), nil), 200)
	if got.TotalCount != 3 || len(got.Buckets) != 2 || got.Buckets[0].Count != 2 || got.Buckets[1].Count != 1 || got.BucketIntervalMs != 2001 {
		t.Errorf("counts %+v", got)
	}
	for _, bad := range []string{"", "after=1&buckets=501", "after=1&buckets=0", "after=9&before=8"} {
		into[failure](t, ask(t, a, "POST", "/auditlog/counts?"+bad, nil), 400)
	}
}

func TestSpecifiers(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	tests := []struct {
		pattern, resource string
		want              bool
	}{
		{"*", "proj/shop", true},
		{"proj/shop", "proj/shop", true},
		{"proj/shop", "proj/shop:env/test", false},
		{"proj/*:env/*:flag/*", "proj/shop:env/test:flag/x", true},
		{"proj/*:env/*:flag/*", "proj/shop:env/test:segment/x", false},
		{"proj/shop:env/prod*:flag/new-*", "proj/shop:env/production:flag/new-checkout", true},
		{"proj/shop:env/prod*:flag/*-checkout", "proj/shop:env/production:flag/new-checkout", true},
		{"proj/shop:env/prod*:flag/*a*b*", "proj/shop:env/production:flag/xaxxb", true},
		{"proj/shop:env/prod*:flag/*a*b*", "proj/shop:env/production:flag/xbxxa", false},
		{"proj/shop:env/test:flag/x", "proj/shop:env/*:flag/x", true},
		{"proj/*:env/*;{critical:true}:flag/*", "proj/shop:env/production:flag/x", true},
		{"proj/*:env/*;{critical:true}:flag/*", "proj/shop:env/test:flag/x", false},
		{"proj/*:env/*;li*,{critical:true}:flag/*", "proj/shop:env/production:flag/x", true},
		{"proj/*:env/*;nope,{critical:true}:flag/*", "proj/shop:env/production:flag/x", false},
		{"proj/*:env/*:flag/*;checkout", "proj/shop:env/test:flag/new-checkout", true},
		{"proj/*:env/*:flag/*;checkout", "proj/shop:env/test:flag/dark-mode", false},
		{"proj/*:env/*:segment/*;crm", "proj/shop:env/test:segment/vip", true},
		{"acct", "acct", true},
	}
	for _, test := range tests {
		p, err := policy.ParseSpecifier(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.names(p, test.resource); got != test.want {
			t.Errorf("%s matches %s: %v", test.pattern, test.resource, got)
		}
	}
	for _, bad := range []string{"", "flag", "proj/", "proj/x:", "proj/KEY:*", "acct/x"} {
		if _, err := policy.ParseSpecifier(bad); err == nil {
			t.Errorf("%q is taken for a specifier", bad)
		}
	}
}
