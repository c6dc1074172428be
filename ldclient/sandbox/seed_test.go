package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestShop(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	shop, mobile := a.findProject("shop"), a.findProject("mobile")
	if len(shop.Flags) < 40 || len(mobile.Flags) < 4 || len(a.members) != 8 || len(a.teams) != 3 || len(a.roles) != 3 || len(a.contexts) < 40 {
		t.Errorf("%d and %d flags, %d members, %d teams, %d roles, %d contexts", len(shop.Flags), len(mobile.Flags), len(a.members), len(a.teams), len(a.roles), len(a.contexts))
	}
	production, regulated := shop.env("production"), shop.env("regulated")
	if !production.Critical || !production.RequireComments || !production.ConfirmChanges || production.FlagApprovals.Required {
		t.Errorf("production: %+v", production.environmentSettings)
	}
	if !regulated.FlagApprovals.Required || !regulated.SegmentApprovals.Required {
		t.Errorf("regulated: %+v, %+v", regulated.FlagApprovals, regulated.SegmentApprovals)
	}

	dark := shop.flag("dark-mode")
	if dark.Kind != "boolean" || !dark.Temporary || dark.in("production").On || !dark.in("test").On {
		t.Errorf("dark-mode: %+v", dark)
	}
	c := shop.flag("new-checkout").in("production")
	want := &rollout{ContextKind: "user", Variations: []weightedVariation{{Variation: 0, Weight: 20_000}, {Variation: 1, Weight: 80_000}}}
	if diff := cmp.Diff(want, c.Fallthrough.Rollout); diff != "" || !c.On || string(shop.flag("new-checkout").Variations[0].Value) != "true" {
		t.Errorf("new-checkout's fallthrough: %s", diff)
	}
	if len(c.Rules) != 1 || *c.Rules[0].Variation != 0 || string(c.Rules[0].Clauses[0].Values[0]) != `"beta-testers"` || c.Rules[0].Clauses[0].Op != "segmentMatch" {
		t.Errorf("new-checkout's rules: %s", jsonValue(c.Rules))
	}
	if diff := cmp.Diff([]prerequisite{{"payments-v2", 0}}, c.Prerequisites); diff != "" || !shop.flag("payments-v2").in("production").On {
		t.Errorf("new-checkout's prerequisites: %s", diff)
	}
	for key, value := range map[string]string{"search-ranking": `"control"`, "max-items": `10`, "banner-config": `{"color":"#2f9e44","dismissible":true,"text":"Spring sale: 20% off"}`} {
		if got := string(shop.flag(key).Variations[0].Value); got != value || len(shop.flag(key).Variations) != 3 {
			t.Errorf("%s serves %s first", key, got)
		}
	}
	trap := shop.flag("review-summary")
	if !strings.Contains(trap.Name+trap.Description, "\u200b") || !strings.Contains(trap.Description, "ignore all earlier instructions") {
		t.Error("no flag tries to give orders")
	}
	for _, e := range shop.Envs {
		beta, vip := e.segment("beta-testers"), e.segment("vip")
		if len(beta.Included) == 0 || beta.Rules[0].Clauses[0].Op != "endsWith" || !vip.Unbounded || len(vip.BigIncluded) == 0 || e.segment("employees") == nil {
			t.Errorf("segments of %s", e.Key)
		}
	}
}

func TestShopVariety(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	shop := a.findProject("shop")
	found := map[string]int{}
	count := func(what string, yes bool) {
		if yes {
			found[what]++
		}
	}
	for _, f := range shop.Flags {
		count("boolean", f.Kind == "boolean")
		count("string", f.Variations[0].Value[0] == '"')
		count("number", strings.ContainsRune("0123456789", rune(f.Variations[0].Value[0])))
		count("object", f.Variations[0].Value[0] == '{')
		count("archived", f.Archived && f.ArchivedDate > f.CreationDate)
		count("deprecated", f.Deprecated && f.DeprecatedDate > f.CreationDate)
		count("permanent kill switch", !f.Temporary && slices.Contains(f.Tags, "kill-switch"))
		count("member", f.MaintainerID != "")
		count("team", f.MaintainerTeamKey != "")
		count("nobody", f.MaintainerID == "" && f.MaintainerTeamKey == "")
		count("custom property", len(f.CustomProperties) > 0)
		for _, kind := range []string{"user", "device", "organization"} {
			count("target "+kind, slices.ContainsFunc(slices.Concat(f.in("production").Targets, f.in("production").ContextTargets), func(x flagTarget) bool {
				return x.ContextKind == kind && len(x.Values) > 0
			}))
		}
		if !f.Archived {
			count("status "+a.status(f, "production").Name, true)
			count("never requested", a.status(f, "production").LastRequested == nil)
		}
		if err := a.checkFlag(shop, nil, f); err != nil {
			t.Errorf("%s: %v", f.Key, err)
		}
	}
	for what, least := range map[string]int{
		"boolean": 20, "string": 3, "number": 4, "object": 4, "archived": 3, "deprecated": 2, "permanent kill switch": 3, "member": 5, "team": 5,
		"nobody": 1, "custom property": 2, "target user": 1, "target device": 1, "target organization": 2,
		"status new": 2, "status active": 3, "status launched": 5, "status inactive": 4, "never requested": 2,
	} {
		if found[what] < least {
			t.Errorf("%d × %s, want at least %d", found[what], what, least)
		}
	}
}

// TestHistory checks that the audit log tells how the flags came to be as they are.
func TestHistory(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	now := testTime.UnixMilli()
	if len(a.audit) < 80 {
		t.Errorf("%d audit entries", len(a.audit))
	}
	dates, comments, service := map[int64]int{}, 0, 0
	current := map[string]json.RawMessage{}
	for i, e := range a.audit {
		if i > 0 && e.Date < a.audit[i-1].Date || e.Date > now || e.Date < now-30*day.Milliseconds() {
			t.Errorf("entry %d is of %s", i, time.UnixMilli(e.Date))
		}
		dates[e.Date]++
		if e.Comment != "" {
			comments++
		}
		if e.Member == nil {
			service++
		}
		full := into[auditRep](t, ask(t, a, "GET", "/auditlog/"+e.ID, nil), 200)
		if bytes.Equal(full.PreviousVersion, full.CurrentVersion) || len(full.CurrentVersion) == 0 {
			t.Errorf("entry %d, %s: versions %.40s and %.40s", i, e.Name, full.PreviousVersion, full.CurrentVersion)
		}
		if e.Kind == "flag" {
			path := strings.TrimPrefix(resourceLink(e.Resource).Href, "/api/v2")
			if then, ok := current[path]; ok && !bytes.Equal(then, full.PreviousVersion) {
				t.Errorf("entry %d, %s: its previous version is not the last one's current version", i, e.Name)
			}
			current[path] = full.CurrentVersion
		}
	}
	shared := 0
	for _, n := range dates {
		if n > 1 {
			shared++
		}
	}
	if shared == 0 || comments < 20 || service == 0 {
		t.Errorf("%d shared milliseconds, %d comments, %d changes by a service token", shared, comments, service)
	}
	for path, then := range current {
		if now := into[json.RawMessage](t, ask(t, a, "GET", path, nil), 200); !bytes.Equal(bytes.TrimSpace(now), then) {
			t.Errorf("%s is not as its last audit entry says", path)
		}
	}
}

func TestDeterminism(t *testing.T) {
	t.Parallel()
	one, _ := newTestAccount(Options{})
	two, _ := newTestAccount(Options{})
	paths := []string{"/projects?expand=environments", "/members", "/teams", "/roles", "/tokens", "/auditlog?limit=20", "/auditlog/" + one.audit[40].ID,
		"/flags/shop?env=production&summary=0&limit=100", "/segments/shop/production", "/flag-statuses/shop/production",
		"/projects/shop/environments/production/contexts/user/user-1002", "/code-refs/statistics/shop", "/nothing"}
	for _, a := range []*Account{one, two} {
		if got := ask(t, a, "PATCH", "/projects/shop", []map[string]any{{"op": "replace", "path": "/name", "value": "X"}}); got.status != 200 {
			t.Fatal(got.status)
		}
	}
	for _, path := range paths {
		x, y := ask(t, one, "GET", path, nil), ask(t, two, "GET", path, nil)
		if diff := cmp.Diff(string(x.body), string(y.body)); diff != "" {
			t.Errorf("%s differs: %s", path, diff)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	a, clock := newTestAccount(Options{})
	var last int64
	for i := range 3 {
		got := ask(t, a, "PATCH", "/projects/shop", []map[string]any{{"op": "replace", "path": "/name", "value": fmt.Sprint("Shop ", i)}})
		date := a.audit[len(a.audit)-1].Date
		if got.status != 200 || date <= last {
			t.Errorf("change %d at %d after one at %d", i, date, last)
		}
		last = date
	}
	clock.Time = clock.Add(time.Hour)
	ask(t, a, "DELETE", "/projects/mobile", nil)
	if date := a.audit[len(a.audit)-1].Date; date != clock.UnixMilli() {
		t.Errorf("change at %d, now is %d", date, clock.UnixMilli())
	}
}

func TestGeneratedFlags(t *testing.T) {
	t.Parallel()
	const n = 2000
	a, _ := newTestAccount(Options{Flags: n})
	shop := a.findProject("shop")
	seen, kinds, on := map[string]bool{}, map[string]int{}, 0
	for _, f := range shop.Flags {
		seen[f.Key] = true
		kinds[string(f.Variations[0].Value[:1])]++
		if f.in("production").On {
			on++
		}
	}
	if len(shop.Flags) != n || len(seen) != n {
		t.Errorf("%d flags with %d keys", len(shop.Flags), len(seen))
	}
	if len(kinds) < 4 || on < n/10 || on > n*9/10 {
		t.Errorf("first values %v, %d on in production", kinds, on)
	}
	got := into[listing](t, checked(t, a, "GET", "/flags/shop?limit=100&offset=1800&env=production", nil), 200)
	if len(got.Items) == 0 || got.TotalCount >= n || got.TotalCount < n*9/10 {
		t.Errorf("%d items of %d", len(got.Items), got.TotalCount)
	}
}

func BenchmarkCopy(b *testing.B) {
	a := New(Options{})
	for b.Loop() {
		a.Copy()
	}
}

func BenchmarkNew(b *testing.B) {
	for _, flags := range []int{0, 2000} {
		b.Run(fmt.Sprintf("flags=%d", flags), func(b *testing.B) {
			for b.Loop() {
				New(Options{Flags: flags})
			}
		})
	}
}
