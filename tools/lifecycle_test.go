package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// reply decodes a success.
func reply[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

// crowded is a rig on an account with this many generated flags.
func crowded(t *testing.T, flags int) (*rig, *sandbox.Account) {
	account := sandbox.New(sandbox.Options{Flags: flags, Now: func() time.Time { return noon }})
	r := start(t, func(s *setup) { s.client.Transport = documented{account, t} })
	r.Account = account
	return r, account
}

type stalePage struct {
	Counts struct {
		Checked  int `json:"flagsChecked"`
		Never    int `json:"never_requested"`
		Inactive int `json:"inactive_30d"`
		Launched int `json:"launched_no_changes"`
	}
	Items []struct {
		Key, Category string
		StaleDays     int
		Permanent     bool
	}
	TotalCount, NextOffset int
}

// TestStaleAmongMany: 2,000 flags take few requests and small replies, and paging shows each candidate once, the stalest first.
func TestStaleAmongMany(t *testing.T) {
	t.Parallel()
	r, account := crowded(t, 2000)
	var keys []string
	days := 1 << 30
	for offset, pages := 0, 0; ; pages++ {
		before := len(account.Requests())
		text := r.call("find-stale-flags", fmt.Sprintf(`{"projectKey":"shop","includeOnly":"all","limit":200,"offset":%d}`, offset))
		if n := len(account.Requests()) - before; n > 25 {
			t.Fatalf("%d requests, want at most 25", n)
		}
		if len(text) > 20_000 {
			t.Fatalf("%d bytes, want at most 20,000", len(text))
		}
		got := reply[stalePage](t, text)
		if c := got.Counts; c.Never+c.Inactive+c.Launched != got.TotalCount || got.TotalCount < 300 || c.Checked < 1800 || c.Never*c.Inactive*c.Launched == 0 {
			t.Fatalf("counts %+v do not fit %d in all", c, got.TotalCount)
		}
		for _, i := range got.Items {
			if i.StaleDays > days || i.StaleDays < 30 {
				t.Fatalf("%s: %d days after %d", i.Key, i.StaleDays, days)
			}
			keys, days = append(keys, i.Key), i.StaleDays
		}
		if offset = got.NextOffset; offset == 0 {
			if len(keys) != got.TotalCount {
				t.Errorf("%d shown of %d", len(keys), got.TotalCount)
			}
			break
		}
		if pages > 30 {
			t.Fatal("paging does not end")
		}
	}
	slices.Sort(keys)
	if n := len(slices.Compact(slices.Clone(keys))); n != len(keys) {
		t.Errorf("%d of %d shown twice", len(keys)-n, len(keys))
	}
	got := reply[stalePage](t, r.call("find-stale-flags", `{"projectKey":"shop","limit":200}`))
	for _, i := range got.Items {
		if i.Permanent {
			t.Errorf("%s is permanent", i.Key)
		}
	}
	if got.TotalCount == 0 || got.TotalCount >= len(keys) {
		t.Errorf("%d temporary of %d", got.TotalCount, len(keys))
	}
}

// TestStaleCategories: which flags are stale, and in which way, by their use in one environment.
func TestStaleCategories(t *testing.T) {
	r := start(t)
	for _, test := range []struct{ args, in, out string }{
		{`"env":"production"`, "old-search=inactive_30d holiday-theme=never_requested guest-checkout=launched_no_changes", "new-checkout checkout-kill-switch mobile-banner old-checkout"},
		{`"env":"test"`, "old-search=inactive_30d partner-feed=never_requested", "gift-cards-x mobile-banner"},
		{`"env":"production","inactiveDays":45`, "holiday-theme=never_requested", "old-search legacy-invoices"},
		{`"env":"production","includeOnly":"all"`, "search-kill-switch=launched_no_changes", "maintenance-mode"},
	} {
		got := map[string]string{}
		for _, i := range reply[stalePage](t, r.call("find-stale-flags", `{"projectKey":"shop","limit":200,`+test.args+`}`)).Items {
			got[i.Key] = i.Category
		}
		for _, want := range strings.Fields(test.in) {
			if key, category, _ := strings.Cut(want, "="); got[key] != category {
				t.Errorf("%s: %s is %q, want %s", test.args, key, got[key], category)
			}
		}
		for _, key := range strings.Fields(test.out) {
			if got[key] != "" {
				t.Errorf("%s: %s is %s, want it left out", test.args, key, got[key])
			}
		}
	}
}

type verdict struct {
	Verdict            string
	ForwardValue       *struct{ Value any }
	Blockers, Warnings []struct{ Kind, Says string }
}

func (v verdict) String() string {
	var kinds []string
	for _, f := range v.Blockers {
		kinds = append(kinds, f.Kind)
	}
	for _, f := range v.Warnings {
		kinds = append(kinds, f.Kind)
	}
	value := "none"
	if v.ForwardValue != nil {
		value = fmt.Sprint(v.ForwardValue.Value)
	}
	return fmt.Sprintf("%s %s %v", v.Verdict, value, kinds)
}

// TestRemovalReadiness goes through the rules of the verdict, one thing at a time.
func TestRemovalReadiness(t *testing.T) {
	const mobile, shop = `{"projectKey":"mobile","flagKey":"crash-reporting"}`, `{"projectKey":"shop","flagKey":"holiday-theme"}`
	id := func(t *testing.T, ld *ldclient.Client, project, flag string, i int) string {
		f, err := ld.Flags.Get(t.Context(), project, "production", flag)
		if err != nil {
			t.Fatal(err)
		}
		return f.Variations[i].ID
	}
	patch := func(project, env, flag string, do func(id func(int) string) []ldclient.Instruction) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			ld := direct(t, r)
			if _, err := ld.Flags.Patch(t.Context(), project, env, flag, ldclient.Patch{
				Instructions: do(func(i int) string { return id(t, ld, project, flag, i) })}); err != nil {
				t.Fatal(err)
			}
		}
	}
	on := func(func(int) string) []ldclient.Instruction { return []ldclient.Instruction{ldclient.TurnFlagOn()} }
	for name, test := range map[string]struct {
		change func(*testing.T, *rig)
		args   string
		want   string
	}{
		"off everywhere":       {nil, shop, "safe false []"},
		"off in the only one":  {nil, mobile, "safe false []"},
		"on everywhere":        {patch("mobile", "production", "crash-reporting", on), mobile, "safe true []"},
		"launched":             {nil, `{"projectKey":"mobile","flagKey":"offline-mode"}`, "safe true []"},
		"they do not agree":    {nil, `{"projectKey":"shop","flagKey":"order-tracking"}`, "blocked none [active_traffic environments_differ]"},
		"in use":               {nil, `{"projectKey":"shop","flagKey":"dark-mode"}`, "blocked false [active_traffic other_environments code_references]"},
		"permanent":            {nil, `{"projectKey":"mobile","flagKey":"min-app-version"}`, "caution 4.6.0 [permanent]"},
		"new":                  {nil, `{"projectKey":"shop","flagKey":"mobile-banner"}`, "caution false [new]"},
		"one more environment": {nil, `{"projectKey":"shop","flagKey":"partner-feed","env":"test"}`, "caution none [no_forward_value]"},
		"code elsewhere":       {nil, `{"projectKey":"shop","flagKey":"legacy-invoices"}`, "caution none [no_forward_value code_references]"},
		"code here":            {nil, `{"projectKey":"shop","flagKey":"legacy-invoices","repository":"shop/backend"}`, "caution none [no_forward_value]"},
		"dependents":           {nil, `{"projectKey":"shop","flagKey":"payments-v2","repository":"shop/backend"}`, "blocked true [dependent_flags]"},
		"several results":      {nil, `{"projectKey":"shop","flagKey":"wishlist"}`, "blocked none [active_traffic several_results]"},
		"a rollout nobody asks": {patch("mobile", "production", "crash-reporting", func(id func(int) string) []ldclient.Instruction {
			return []ldclient.Instruction{ldclient.TurnFlagOn(), {"kind": "updateFallthroughVariationOrRollout", "rolloutWeights": map[string]int{id(0): 50_000, id(1): 50_000}}}
		}), mobile, "blocked none [several_results]"},
		"expiring targets": {func(t *testing.T, r *rig) {
			patch("mobile", "production", "crash-reporting", func(id func(int) string) []ldclient.Instruction {
				return []ldclient.Instruction{{"kind": "addTargets", "variationId": id(0), "contextKind": "user", "values": []string{"ann"}}}
			})(t, r)
			ld := direct(t, r)
			if _, err := ld.Flags.PatchExpiringTargets(t.Context(), "mobile", "production", "crash-reporting", "", ldclient.AddExpiringTarget(ldclient.ExpiringTarget{
				ContextKey: "ann", ContextKind: "user", VariationID: id(t, ld, "mobile", "crash-reporting", 0), Expires: ldclient.Millis(noon.AddDate(0, 1, 0).UnixMilli())})); err != nil {
				t.Fatal(err)
			}
		}, mobile, "caution false [expiring_targets]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			if test.change != nil {
				test.change(t, r)
			}
			if got := reply[verdict](t, r.call("check-removal-readiness", test.args)).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestReadinessWithGaps: what cannot be read is said and never taken for nothing.
func TestReadinessWithGaps(t *testing.T) {
	broken := func(part string, status int) sandbox.Fault {
		return sandbox.Fault{Status: status, Body: `{"code":"x","message":"it broke"}`, Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, part) }}
	}
	for name, test := range map[string]struct {
		fault sandbox.Fault
		flag  string
		want  string
	}{
		"dependents":                {broken("/dependent-flags", 500), "holiday-theme", "caution false [not_checked]"},
		"dependents not in plan":    {broken("/dependent-flags", 403), "holiday-theme", "safe false []"},
		"dependents, the other way": {broken("/dependent-flags", 404), "payments-v2", "blocked true [dependent_flags code_references]"},
		"expiring targets":          {broken("/expiring-targets/regulated", 500), "holiday-theme", "caution false [not_checked]"},
		"code references":           {broken("/code-refs/", 403), "holiday-theme", "caution false [not_checked]"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			r.Next(test.fault)
			if got := reply[verdict](t, r.call("check-removal-readiness", `{"projectKey":"shop","flagKey":"`+test.flag+`"}`)).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	for _, part := range []string{"/flags/shop/holiday-theme", "/flag-status/"} {
		r := start(t)
		f := broken(part, 500)
		f.Match = func(r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, "/api/v2"+part) && !strings.Contains(r.URL.Path, "dependent") && !strings.Contains(r.URL.Path, "expiring")
		}
		r.Next(f)
		if got := r.call("check-removal-readiness", `{"projectKey":"shop","flagKey":"holiday-theme"}`); !strings.HasPrefix(got, "! It broke (HTTP 500") {
			t.Errorf("%s: %s", part, got)
		}
	}
	r := start(t, func(s *setup) { s.client.Scope.Environments = []string{"production", "test"} })
	if got := reply[verdict](t, r.call("check-removal-readiness", `{"projectKey":"shop","flagKey":"holiday-theme"}`)).String(); got != "caution false [not_checked]" {
		t.Errorf("half out of scope: got %s", got)
	}
	for _, tool := range []string{"check-removal-readiness", "get-flag-status-across-envs", "list-dependent-flags"} {
		if got := r.call(tool, `{"projectKey":"shop","flagKey":"payments-v2"}`); strings.Contains(got, "regulated") || strings.Contains(got, "staging") {
			t.Errorf("%s shows what is out of scope: %s", tool, got)
		}
	}
	for _, args := range []string{`"fromEnv":"staging","toEnv":"test"`, `"fromEnv":"test","toEnv":"staging","flagKey":"dark-mode"`} {
		if got := r.call("compare-flag-environments", `{"projectKey":"shop",`+args+`}`); !strings.Contains(got, `"staging" is outside this server's scope`) {
			t.Errorf("compare: %s", got)
		}
	}
}

type compared struct {
	Compared int `json:"flagsCompared"`
	Items    []struct {
		Key     string
		Differs []string
		Details []struct{ What, From, To string }
	}
	TotalCount, NextOffset int
}

// TestCompareFlag: each aspect that differs is named, and nothing that is the same in other clothes.
func TestCompareFlag(t *testing.T) {
	const args = `{"projectKey":"shop","flagKey":"gift-cards","fromEnv":"production","toEnv":"staging"}`
	rule := func(value string) ldclient.Instruction {
		return ldclient.Instruction{"kind": "addRule", "clauses": []ldclient.Clause{{Attribute: "country", Op: "in", Values: []any{value, "z"}}}}
	}
	for name, test := range map[string]struct {
		from, to []ldclient.Instruction // variationId is filled in
		want     string
	}{
		"nothing":           {nil, nil, "[]"},
		"on":                {[]ldclient.Instruction{ldclient.TurnFlagOn()}, nil, "[targeting]"},
		"the same rule":     {[]ldclient.Instruction{rule("a")}, []ldclient.Instruction{rule("a")}, "[]"},
		"another rule":      {[]ldclient.Instruction{rule("a")}, []ldclient.Instruction{rule("b")}, "[rules]"},
		"order of rules":    {[]ldclient.Instruction{rule("a"), rule("b")}, []ldclient.Instruction{rule("b"), rule("a")}, "[rules]"},
		"one rule twice":    {[]ldclient.Instruction{rule("a")}, []ldclient.Instruction{rule("a"), rule("a")}, "[rules]"},
		"order of targets":  {[]ldclient.Instruction{{"kind": "addTargets", "contextKind": "user", "values": []string{"a", "b"}}}, []ldclient.Instruction{{"kind": "addTargets", "contextKind": "user", "values": []string{"b", "a"}}}, "[]"},
		"targets of a kind": {[]ldclient.Instruction{{"kind": "addTargets", "contextKind": "device", "values": []string{"a"}}}, []ldclient.Instruction{{"kind": "addTargets", "contextKind": "user", "values": []string{"a"}}}, "[targets]"},
		"default rule":      {[]ldclient.Instruction{{"kind": "updateFallthroughVariationOrRollout"}}, []ldclient.Instruction{{"kind": "updateFallthroughVariationOrRollout", "off": true}}, "[default rule]"},
		"off variation":     {[]ldclient.Instruction{{"kind": "updateOffVariation"}}, nil, "[off variation]"},
		"prerequisites":     {[]ldclient.Instruction{{"kind": "addPrerequisite", "key": "payments-v2"}}, nil, "[prerequisites]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			ld := direct(t, r)
			for env, list := range map[string][]ldclient.Instruction{"production": test.from, "staging": test.to} {
				for _, i := range list {
					flag := "gift-cards"
					if key, ok := i["key"].(string); ok {
						flag = key
					}
					f, err := ld.Flags.Get(t.Context(), "shop", env, flag)
					if err != nil {
						t.Fatal(err)
					}
					do := ldclient.Instruction{"variationId": f.Variations[0].ID}
					for k, v := range i {
						do[k] = v
					}
					if do["off"] != nil {
						do["variationId"] = f.Variations[1].ID
					}
					delete(do, "off")
					if strings.HasPrefix(i.Kind(), "turn") {
						delete(do, "variationId")
					}
					patchDirectly(t, r, env, "gift-cards", do)
				}
			}
			got := reply[compared](t, r.call("compare-flag-environments", args))
			differs := []string{}
			for _, i := range got.Items {
				differs = append(differs, i.Differs...)
				if len(i.Details) != len(i.Differs) {
					t.Errorf("%d details of %v", len(i.Details), i.Differs)
				}
			}
			if fmt.Sprint(differs) != test.want {
				t.Errorf("got %v, want %s", differs, test.want)
			}
		})
	}
}

// TestCompareProject: paging shows every flag that differs once, whatever the size of a page.
func TestCompareProject(t *testing.T) {
	t.Parallel()
	r, account := crowded(t, 700)
	collect := func(limit int) (keys []string, looked int) {
		for offset := 0; ; {
			text := r.call("compare-flag-environments", fmt.Sprintf(`{"projectKey":"shop","fromEnv":"production","toEnv":"test","limit":%d,"offset":%d}`, limit, offset))
			got := reply[compared](t, text)
			if len(text) > 20_000 || len(got.Items) > limit {
				t.Fatalf("%d bytes, %d items", len(text), len(got.Items))
			}
			for _, i := range got.Items {
				keys = append(keys, i.Key)
			}
			looked += got.Compared
			if offset = got.NextOffset; offset == 0 {
				return keys, looked
			}
		}
	}
	few, _ := collect(37)
	many, looked := collect(200)
	if d := cmp.Diff(few, many); d != "" || len(many) < 100 || looked < 600 {
		t.Errorf("%d flags, %d looked at; small pages differ from large ones: %s", len(many), looked, d)
	}
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for f, err := range ldclient.All(func(offset int) (*ldclient.Page[ldclient.Flag], error) {
		return ld.Flags.ListIn(t.Context(), "shop", ldclient.ListFlags{Sort: "key", Paging: ldclient.Paging{Limit: 100, Offset: offset}}, true, "production", "test")
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Environments["production"].On != f.Environments["test"].On { // generated flags differ in nothing else
			want = append(want, f.Key)
		}
	}
	if d := cmp.Diff(want, many); d != "" {
		t.Error(d)
	}
}

// TestDependencies follows a chain both ways, with LaunchDarkly's list of dependent flags and without.
func TestDependencies(t *testing.T) {
	for name, status := range map[string]int{"listed": 0, "not in the plan": 403, "not there": 404} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *setup) {
				if status > 0 {
					s.client.Transport = refusing{s.client.Transport.(*sandbox.Account), "/dependent-flags", status}
				}
			})
			ld := direct(t, r)
			on, err := ld.Flags.Get(t.Context(), "shop", "production", "new-checkout")
			if err != nil {
				t.Fatal(err)
			}
			patchDirectly(t, r, "production", "cart-upsell", ldclient.Instruction{"kind": "addPrerequisite", "key": "new-checkout", "variationId": on.Variations[0].ID})
			type edge struct {
				Flag, Needs, Variation, Met string
				Depth                       int
			}
			type tree struct {
				Prerequisites, Dependents []struct {
					FlagKey, Needs, Variation, Met string
					Depth                          int
				}
				Notes []string
			}
			edges := func(key string) (up, down string, notes []string) {
				got := reply[tree](t, r.call("get-flag-dependencies", `{"projectKey":"shop","flagKey":"`+key+`"}`))
				for _, e := range got.Prerequisites {
					up += fmt.Sprintln(edge{e.FlagKey, e.Needs, e.Variation, e.Met, e.Depth})
				}
				for _, e := range got.Dependents {
					down += fmt.Sprintln(edge{e.FlagKey, e.Needs, e.Variation, e.Met, e.Depth})
				}
				return up, down, got.Notes
			}
			up, _, _ := edges("cart-upsell")
			if want := "{cart-upsell new-checkout true sometimes 1}\n{new-checkout payments-v2 true always 2}\n"; up != want {
				t.Errorf("up: got %s, want %s", up, want)
			}
			_, down, notes := edges("payments-v2")
			if want := "{new-checkout payments-v2 true always 1}\n{cart-upsell new-checkout true sometimes 2}\n"; down != want {
				t.Errorf("down: got %s, want %s", down, want)
			}
			if (len(notes) > 0) != (status > 0) {
				t.Errorf("notes: %v", notes)
			}
			got := r.call("list-dependent-flags", `{"projectKey":"shop","flagKey":"new-checkout"}`)
			if !strings.Contains(got, `{"key":"cart-upsell","environments":["production"]}`) || strings.Contains(got, `"note"`) != (status > 0) {
				t.Error(got)
			}
			if got := r.call("list-dependent-flags", `{"projectKey":"shop","flagKey":"new-chekout"}`); !strings.Contains(got, "did you mean new-checkout?") {
				t.Error(got)
			}
		})
	}
}

// refusing answers every request whose path ends in part with an error status.
type refusing struct {
	*sandbox.Account
	part   string
	status int
}

func (f refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, f.part) {
		f.Next(sandbox.Fault{Status: f.status, Body: `{"code":"forbidden","message":"Not in your plan"}`, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, f.part) }})
	}
	return f.Account.RoundTrip(r)
}
