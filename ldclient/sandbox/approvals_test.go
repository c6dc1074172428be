package sandbox

import (
	"net/url"
	"testing"
	"time"
)

type requestAnswer struct {
	ID           string `json:"_id"`
	Version      int    `json:"_version"`
	Status       string
	ReviewStatus string
	Description  string
	Conflicts    []struct{ Reason string }
	Notify       []string `json:"notifyMemberIds"`
}

const flagRequests = "/projects/shop/flags/banner-config/environments/regulated/approval-requests"

var (
	on       = map[string]any{"description": "on", "instructions": []any{map[string]any{"kind": "turnFlagOn"}}}
	approve  = map[string]any{"kind": "approve"}
	reviewer = []string{"Authorization", ReviewerToken}
)

// TestApprovalCircle requests, reviews and applies, by the flag's own routes and by the general ones.
func TestApprovalCircle(t *testing.T) {
	t.Parallel()
	for _, at := range []string{flagRequests, "/approval-requests"} {
		a, _ := newTestAccount(Options{})
		e := a.findProject("shop").env("regulated")
		f := a.findProject("shop").flag("banner-config")
		f.Environments["regulated"].On = false
		q := into[requestAnswer](t, checked(t, a, "POST", flagRequests, on), 201)
		if q.Status != "pending" || q.ReviewStatus != "pending" {
			t.Fatalf("%+v", q)
		}
		own := at + "/" + q.ID
		for name, got := range map[string]answer{
			"applied too soon": checked(t, a, "POST", own+"/apply", map[string]any{}),
			"own review":       checked(t, a, "POST", own+"/reviews", approve),
		} {
			if got.status < 400 {
				t.Errorf("%s: %s", name, got.body)
			}
		}
		if q = into[requestAnswer](t, checked(t, a, "POST", own+"/reviews", approve, reviewer...), 200); q.ReviewStatus != "pending" {
			t.Errorf("one approval of two: %+v", q)
		}
		e.FlagApprovals.MinNumApprovals = 1
		if q = into[requestAnswer](t, checked(t, a, "POST", own+"/reviews", map[string]any{"kind": "decline", "comment": "no"}, reviewer...), 200); q.ReviewStatus != "declined" {
			t.Errorf("%+v", q)
		}
		if got := checked(t, a, "POST", own+"/apply", map[string]any{}); got.status < 400 || f.Environments["regulated"].On {
			t.Errorf("a declined request was applied: %s", got.body)
		}
		checked(t, a, "POST", own+"/reviews", approve, reviewer...)
		if q = into[requestAnswer](t, checked(t, a, "POST", own+"/apply", map[string]any{"comment": "go"}), 200); q.Status != "completed" || !f.Environments["regulated"].On {
			t.Errorf("%+v", q)
		}
		if got := checked(t, a, "POST", own+"/apply", map[string]any{}); got.status != 409 {
			t.Errorf("applied twice: %s", got.body)
		}
		if got := checked(t, a, "DELETE", own, nil); got.status != 204 || checked(t, a, "GET", own, nil).status != 404 {
			t.Error("not deleted")
		}
	}
}

// TestApprovalSettings: own reviews, and declined requests, where the environment allows them.
func TestApprovalSettings(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	s := &a.findProject("shop").env("regulated").FlagApprovals
	s.CanReviewOwnRequest, s.MinNumApprovals, s.CanApplyDeclinedChanges = true, 1, true
	q := into[requestAnswer](t, checked(t, a, "POST", flagRequests, on), 201)
	own := flagRequests + "/" + q.ID
	if q = into[requestAnswer](t, checked(t, a, "POST", own+"/reviews", approve), 200); q.ReviewStatus != "approved" {
		t.Errorf("%+v", q)
	}
	checked(t, a, "POST", own+"/reviews", map[string]any{"kind": "decline"}, reviewer...)
	if q = into[requestAnswer](t, checked(t, a, "POST", own+"/apply", map[string]any{}), 200); q.Status != "completed" {
		t.Errorf("%+v", q)
	}
	s.AutoApplyApproved = true
	q = into[requestAnswer](t, checked(t, a, "POST", flagRequests, map[string]any{"description": "off", "instructions": []any{map[string]any{"kind": "turnFlagOff"}}}), 201)
	if q = into[requestAnswer](t, checked(t, a, "POST", flagRequests+"/"+q.ID+"/reviews", approve), 200); q.Status != "completed" {
		t.Errorf("not applied by itself: %+v", q)
	}
}

// TestApprovalConflicts: a request that no longer fits its flag says so and cannot be applied.
func TestApprovalConflicts(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	p := a.findProject("shop")
	p.env("regulated").FlagApprovals.MinNumApprovals = 1
	f := p.flag("banner-config")
	f.Environments["regulated"].Rules = append(f.Environments["regulated"].Rules, &flagRule{ID: "r1", Clauses: []clause{inSegment("vip")}, serve: serve{Variation: new(0)}})
	q := into[requestAnswer](t, checked(t, a, "POST", flagRequests, map[string]any{"description": "d", "instructions": []any{
		map[string]any{"kind": "updateRuleDescription", "ruleId": "r1", "description": "x"}}}), 201)
	f.Environments["regulated"].Rules = nil
	q = into[requestAnswer](t, checked(t, a, "POST", flagRequests+"/"+q.ID+"/reviews", approve, reviewer...), 200)
	if len(q.Conflicts) != 1 || q.Conflicts[0].Reason == "" {
		t.Errorf("%+v", q)
	}
	if got := checked(t, a, "POST", flagRequests+"/"+q.ID+"/apply", map[string]any{}); got.status != 409 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestApprovalRefusals(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	with := func(more map[string]any) map[string]any {
		out := map[string]any{"description": "d", "instructions": on["instructions"]}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	segment := map[string]any{"resourceId": "proj/shop:env/regulated:segment/none"}
	for name, test := range map[string]struct {
		path string
		body any
	}{
		"no description":      {flagRequests, with(map[string]any{"description": ""})},
		"no instructions":     {flagRequests, with(map[string]any{"instructions": []any{}})},
		"unknown kind":        {flagRequests, with(map[string]any{"instructions": []any{map[string]any{"kind": "x"}}})},
		"unknown member":      {flagRequests, with(map[string]any{"notifyMemberIds": []any{"nobody"}})},
		"unknown team":        {flagRequests, with(map[string]any{"notifyTeamKeys": []any{"nobody"}})},
		"past":                {flagRequests, with(map[string]any{"executionDate": 1700000000000})},
		"unknown segment":     {"/approval-requests", with(segment)},
		"flag the wrong way":  {"/approval-requests", with(map[string]any{"resourceId": "proj/shop:env/regulated:flag/banner-config"})},
		"no such environment": {"/approval-requests", with(map[string]any{"resourceId": "proj/shop:env/none:segment/vip"})},
		"copy onto itself?":   {flagRequests + "-flag-copy", map[string]any{"description": "d", "source": map[string]any{"key": "none"}}},
	} {
		if got := ask(t, a, "POST", test.path, test.body); got.status != 400 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if got := ask(t, a, "POST", flagRequests, on, "Authorization", ReaderToken); got.status != 403 {
		t.Errorf("%d", got.status)
	}
}

// TestApprovalLists filters, and patches in beta only.
func TestApprovalLists(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	q := into[requestAnswer](t, checked(t, a, "POST", "/approval-requests", map[string]any{"resourceId": "proj/shop:env/regulated:segment/beta-testers", "description": "d",
		"instructions": []any{map[string]any{"kind": "addIncludedTargets", "contextKind": "user", "values": []any{"zoe"}}}}), 201)
	for filter, want := range map[string]int{
		"resourceId equals proj/shop:env/regulated:segment/beta-testers": 1,
		"resourceKind equals segment":                                    1,
		`projectKey equals shop,status anyOf ["pending"]`:                5,
		`reviewStatus anyOf ["approved"]`:                                2,
		"requestorId equals " + a.members[1].ID:                          1,
		`notifyMemberIds anyOf ["` + a.members[3].ID + `"]`:              2,
	} {
		got := into[struct{ TotalCount int }](t, checked(t, a, "GET", "/approval-requests?filter="+url.QueryEscape(filter), nil), 200)
		if got.TotalCount != want {
			t.Errorf("%s: %d, want %d", filter, got.TotalCount, want)
		}
	}
	patch := map[string]any{"instructions": []any{map[string]any{"kind": "addReviewers", "notifyTeamKeys": []any{"growth"}}, map[string]any{"kind": "updateDescription", "value": "why"}}}
	if got := ask(t, a, "PATCH", "/approval-requests/"+q.ID, patch, "Content-Type", semantic); got.status != 403 {
		t.Errorf("without beta: %d", got.status)
	}
	q = into[requestAnswer](t, checked(t, a, "PATCH", "/approval-requests/"+q.ID, patch, "Content-Type", semantic, "LD-API-Version", "beta"), 200)
	if q.Description != "why" || len(q.Notify) != 3 || q.Version != 2 {
		t.Errorf("%+v", q)
	}
}

// TestScheduled: a change is made at the first request after its time, in order, and in its maker's name.
func TestScheduled(t *testing.T) {
	t.Parallel()
	a, clock := newTestAccount(Options{})
	const at = "/projects/shop/flags/banner-config/environments/test/scheduled-changes"
	c := a.findProject("shop").flag("banner-config").Environments["test"]
	was := c.On
	kind := map[bool]string{true: "turnFlagOff", false: "turnFlagOn"}[was]
	in := func(d time.Duration) int64 { return clock.now().Add(d).UnixMilli() }
	first := into[requestAnswer](t, checked(t, a, "POST", at, map[string]any{"executionDate": in(time.Hour), "instructions": []any{map[string]any{"kind": kind}}, "comment": "c"}), 201)
	if got := checked(t, a, "POST", at, map[string]any{"executionDate": in(-time.Hour), "instructions": []any{map[string]any{"kind": kind}}}); got.status != 400 {
		t.Errorf("past: %d", got.status)
	}
	gated := "/projects/shop/flags/banner-config/environments/regulated/scheduled-changes"
	if got := checked(t, a, "POST", gated, map[string]any{"executionDate": in(time.Hour), "instructions": []any{map[string]any{"kind": "turnFlagOn"}}}); got.status != 405 {
		t.Errorf("regulated: %d", got.status)
	}
	patched := into[requestAnswer](t, checked(t, a, "PATCH", at+"/"+first.ID, map[string]any{"instructions": []any{
		map[string]any{"kind": "updateScheduledChangesExecutionDate", "value": in(2 * time.Hour)}}}, "Content-Type", semantic), 200)
	if patched.Version != 2 {
		t.Errorf("%+v", patched)
	}
	clock.Time = clock.Time.Add(90 * time.Minute)
	ask(t, a, "GET", at, nil)
	if a.findProject("shop").flag("banner-config").Environments["test"].On != was {
		t.Error("too soon")
	}
	clock.Time = clock.Time.Add(time.Hour)
	if got := ask(t, a, "GET", at+"/"+first.ID, nil); got.status != 404 {
		t.Errorf("still there: %d", got.status)
	}
	if a.findProject("shop").flag("banner-config").Environments["test"].On == was {
		t.Error("not made")
	}
	last := a.audit[len(a.audit)-1]
	if last.Member != a.members[1] || last.Comment != "c" {
		t.Errorf("%+v", last)
	}
}

// TestScheduledConflicts: what would make another scheduled change fail is refused, unless conflicts are ignored.
func TestScheduledConflicts(t *testing.T) {
	t.Parallel()
	a, clock := newTestAccount(Options{})
	const at = "/projects/shop/flags/banner-config/environments/test/scheduled-changes"
	c := a.findProject("shop").flag("banner-config").Environments["test"]
	c.Rules = append(c.Rules, &flagRule{ID: "r1", Clauses: []clause{inSegment("vip")}, serve: serve{Variation: new(0)}})
	in := func(h int) int64 { return clock.now().Add(time.Duration(h) * time.Hour).UnixMilli() }
	post := func(query string, h int, do map[string]any) answer {
		return checked(t, a, "POST", at+query, map[string]any{"executionDate": in(h), "instructions": []any{do}})
	}
	later := into[requestAnswer](t, post("", 2, map[string]any{"kind": "updateRuleDescription", "ruleId": "r1", "description": "x"}), 201)
	drop := map[string]any{"kind": "removeRule", "ruleId": "r1"}
	if got := post("", 1, drop); got.status != 409 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := post("?ignoreConflicts=true", 1, drop); got.status != 201 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if q := into[requestAnswer](t, checked(t, a, "GET", at+"/"+later.ID, nil), 200); len(q.Conflicts) != 1 {
		t.Errorf("%+v", q)
	}
}

// TestTriggers: the URL is whole only when it is new.
func TestTriggers(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	const at = "/flags/shop/banner-config/triggers/test"
	type answered struct {
		ID           string `json:"_id"`
		URL          string `json:"triggerURL"`
		Enabled      bool
		Instructions []struct{ Kind string }
	}
	made := into[answered](t, checked(t, a, "POST", at, map[string]any{"integrationKey": "datadog", "instructions": []any{map[string]any{"kind": "turnFlagOff"}}}), 201)
	read := into[answered](t, checked(t, a, "GET", at+"/"+made.ID, nil), 200)
	if len(made.URL) < 80 || len(read.URL) >= len(made.URL) || !made.Enabled {
		t.Errorf("%+v, then %+v", made, read)
	}
	patch := func(do ...any) answered {
		return into[answered](t, checked(t, a, "PATCH", at+"/"+made.ID, map[string]any{"instructions": do}, "Content-Type", semantic), 200)
	}
	got := patch(map[string]any{"kind": "disableTrigger"}, map[string]any{"kind": "replaceTriggerActionInstructions", "value": []any{map[string]any{"kind": "turnFlagOn"}}})
	if got.Enabled || got.Instructions[0].Kind != "turnFlagOn" || got.URL != read.URL {
		t.Errorf("%+v", got)
	}
	if got := patch(map[string]any{"kind": "cycleTriggerUrl"}); len(got.URL) != len(made.URL) || got.URL == made.URL {
		t.Errorf("%+v", got)
	}
	for _, body := range []any{
		map[string]any{"integrationKey": "pager", "instructions": []any{map[string]any{"kind": "turnFlagOn"}}},
		map[string]any{"integrationKey": "datadog", "instructions": []any{map[string]any{"kind": "removeRule", "ruleId": "r"}}},
	} {
		if got := checked(t, a, "POST", at, body); got.status != 400 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if got := checked(t, a, "DELETE", at+"/"+made.ID, nil); got.status != 204 {
		t.Errorf("%d", got.status)
	}
}
