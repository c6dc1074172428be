package tools_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

type object = map[string]any

// arm is a treatment of an experiment on search-ranking.
func arm(variation any, baseline bool, percent any) object {
	return object{"baseline": baseline, "allocationPercent": percent, "parameters": []any{object{"flagKey": "search-ranking", "variationId": variation}}}
}

func arms(list ...object) object {
	out := []any{}
	for _, a := range list {
		out = append(out, a)
	}
	return object{"treatments": out}
}

// TestExperimentArguments: what cannot be right is refused with the way to repair it, before any write.
func TestExperimentArguments(t *testing.T) {
	on := func(flag string, at object) object {
		one := func(v string, base bool) object {
			return object{"baseline": base, "percent": 50, "variation": v}
		}
		out := arms(one("0", true), one("1", false))
		out["flags"] = object{flag: at}
		return out
	}
	for name, test := range map[string]struct {
		with object
		want string
	}{
		"less than 100":        {arms(arm("Control", true, 50), arm("Semantic", false, "40")), "adds up to 90; make it 100, or say in flags.search-ranking.notInExperimentVariationId what the other 10 % get"},
		"more than 100":        {arms(arm("Control", true, 50), arm("Semantic", false, 50.5)), "adds up to 100.5, more than 100"},
		"thousandths":          {arms(arm("Control", true, 50000), arm("Semantic", false, 50000)), "treatments[0]: allocationPercent is 0 to 100"},
		"negative":             {arms(arm("Control", true, 150), arm("Semantic", false, -50)), "allocationPercent is 0 to 100"},
		"no number":            {arms(arm("Control", true, "NaN"), arm("Semantic", false, "half")), "allocationPercent is 0 to 100"},
		"nobody":               {arms(arm("Control", true, 0), arm("Semantic", false, 0)), "one at least must have an allocationPercent above 0"},
		"no baseline":          {arms(arm("Control", false, 50), arm("Semantic", false, 50)), "exactly one is the baseline, got 0"},
		"two baselines":        {arms(arm("Control", true, 50), arm("Semantic", true, 50)), "exactly one is the baseline, got 2"},
		"one treatment":        {arms(arm("Control", true, 100)), "compares two treatments at least"},
		"one variation twice":  {arms(arm("Control", true, 50), arm("control", false, 50)), "another treatment gives Control too"},
		"unknown variation":    {arms(arm("Control", true, 50), arm("Magic", false, 50)), `has no variation "Magic"`},
		"no flag":              {arms(object{"baseline": true, "percent": 50, "variation": "on"}, object{"percent": 50, "variation": "off"}), "name the flag and the rule"},
		"unknown flag":         {on("serch-ranking", object{}), "did you mean search-ranking?"},
		"unknown rule":         {on("search-ranking", object{"ruleId": "nope"}), `no rule "nope" here`},
		"archived flag":        {on("button-color", object{}), "is archived; restore it first"},
		"a rollout runs":       {on("product-reviews", object{}), "stop it with stop-guarded-rollout first"},
		"an experiment runs":   {on("express-shipping", object{}), "another experiment runs on the default rule"},
		"unknown metric":       {object{"primarySingleMetricKey": "cart-addd"}, `there is no metric "cart-addd" (did you mean cart-added?)`},
		"archived metric":      {object{"metrics": []any{object{"key": "newsletter-signups"}}}, "is archived"},
		"unknown group":        {object{"metrics": []any{object{"key": "checkout", "isGroup": true}}}, "did you mean checkout-funnel?"},
		"two primary metrics":  {object{"primaryFunnelKey": "checkout-funnel"}, "exactly one of primarySingleMetricKey and primaryFunnelKey"},
		"no primary metric":    {object{"primarySingleMetricKey": ""}, "exactly one of primarySingleMetricKey and primaryFunnelKey"},
		"unknown unit":         {object{"randomizationUnit": "session"}, "experiments of project shop divide by user, organization, not by session"},
		"no hypothesis":        {object{"hypothesis": ""}, "say what is expected"},
		"parameter of another": {object{"flags": object{"dark-mode": object{}}}, "must name a variation of each of the flags once"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			args := samples["create-experiment"]("test")
			maps.Copy(args, object{"projectKey": "shop", "environmentKey": "test"})
			maps.Copy(args["iteration"].(object), test.with)
			got := r.callWith("create-experiment", args)
			if !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(test.want)) || !strings.Contains(got, "Nothing was changed.") {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if n := len(r.Writes()); n > 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

const inTest = `{"projectKey":"shop","env":"test","experimentKey":`

// TestDraftIsMadeOnTheLatestVersion: a flag that is edited after it was looked at does not make a draft stale.
func TestDraftIsMadeOnTheLatestVersion(t *testing.T) {
	m := &meddling{method: "GET", part: "/flags/shop/search-ranking", nth: 2}
	r := start(t, meddle(m))
	m.do = func(*sandbox.Account) {
		patchDirectly(t, r, "test", "search-ranking", ldclient.Instruction{"kind": "updateTrackEvents", "trackEvents": true})
	}
	args := samples["create-experiment"]("test")
	maps.Copy(args, object{"projectKey": "shop", "environmentKey": "test"})
	args["iteration"].(object)["flags"] = object{"search-ranking": object{"flagConfigVersion": 1}}
	got := r.callWith("create-experiment", args)
	if !strings.Contains(got, `"flagConfigVersion":2`) || !strings.Contains(got, "flagConfigVersion 1 was given, and flag search-ranking has version 2 in test, which was used") {
		t.Error(got)
	}
	if len(m.sent) != 1 || !strings.Contains(m.sent[0], `"allocationPercent":"50"`) || !strings.Contains(m.sent[0], `"flagConfigVersion":2`) || !strings.Contains(m.sent[0], `"maintainerId":"`+memberID("Ada")) {
		t.Error(m.sent)
	}
}

// TestChangedMeanwhile: what was changed between the look and the request is not written over.
func TestChangedMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		tool, args, method, part string
		nth                      int
		rule                     bool // the flag is edited, not the experiment
	}{
		"experiment before a start": {"start-experiment-iteration", `"homepage-grid"}`, "GET", "/experiments/homepage-grid", 2, false},
		"flag before a start":       {"start-experiment-iteration", `"homepage-grid"}`, "GET", "/flags/shop/homepage-layout", 2, true},
		"experiment before a stop":  {"stop-experiment-iteration", `"same-day","winner":"Same day","winningReason":"r"}`, "GET", "/experiments/same-day", 2, false},
		"experiment before another": {"save-and-start-experiment-iteration", `"same-day","changeJustification":"j"}`, "GET", "/experiments/same-day", 2, false},
	} {
		m := &meddling{method: test.method, part: test.part, nth: test.nth}
		r := start(t, meddle(m))
		key, _, _ := strings.Cut(strings.TrimPrefix(test.args, `"`), `"`)
		m.do = func(*sandbox.Account) {
			if test.rule {
				patchDirectly(t, r, "test", "homepage-layout", ldclient.Instruction{"kind": "updateFallthroughVariationOrRollout", "variationId": variationOf(t, r, "homepage-layout", 2)})
				return
			}
			if _, err := direct(t, r).Experiments.Patch(t.Context(), "shop", "test", key, "", ldclient.UpdateExperimentName("Another")); err != nil {
				t.Error(err)
			}
		}
		got := r.call(test.tool, inTest+test.args)
		if !strings.Contains(got, "was changed meanwhile") || !strings.Contains(got, "Nothing was changed.") || len(r.Writes()) != 1 {
			t.Errorf("%s: %s; %d writes, want the other's alone", name, got, len(r.Writes()))
		}
	}
}

// TestStartIsRefused: an iteration that would measure nobody, or take a rule from somebody, is not sent.
func TestStartIsRefused(t *testing.T) {
	flag := func(do ...ldclient.Instruction) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) { patchDirectly(t, r, "test", "homepage-layout", do...) }
	}
	for name, test := range map[string]struct {
		before func(*testing.T, *rig)
		args   string
		want   string
	}{
		"off": {flag(ldclient.Instruction{"kind": "turnFlagOff"}), `"homepage-grid"}`, "is off in test, so nobody would get into the experiment; turn it on with toggle-flag"},
		"archived flag": {func(t *testing.T, r *rig) {
			patchDirectly(t, r, "", "homepage-layout", ldclient.Instruction{"kind": "archiveFlag"})
		}, `"homepage-grid"}`, "is archived; restore it first"},
		"archived": {func(t *testing.T, r *rig) {
			r.call("update-experiment", inTest+`"homepage-grid","archived":true}`)
		}, `"homepage-grid"}`, "restore it with update-experiment first"},
		"a rollout": {func(t *testing.T, r *rig) {
			flag(ldclient.StartRelease(ldclient.NewRelease{Kind: "progressive", RandomizationUnit: "user", Stages: []ldclient.ReleaseStage{{Allocation: 10_000, Duration: 3_600_000}},
				OriginalID: variationOf(t, r, "homepage-layout", 0), TargetID: variationOf(t, r, "homepage-layout", 1)}))(t, r)
		}, `"homepage-grid"}`, "stop it with stop-progressive-rollout first"},
		"another experiment": {func(t *testing.T, r *rig) {
			args := samples["create-experiment"]("test")
			maps.Copy(args, object{"projectKey": "shop", "environmentKey": "test"})
			maps.Copy(args["iteration"].(object), object{"treatments": []any{
				object{"baseline": true, "percent": 50, "variation": "grid"}, object{"percent": 50, "variation": "list"}}, "flags": object{"homepage-layout": object{}}})
			r.callWith("create-experiment", args)
			r.call("start-experiment-iteration", inTest+`"search-order"}`)
		}, `"homepage-grid"}`, "another experiment runs on the default rule of flag homepage-layout"},
		"no draft":    {nil, `"button-colour"}`, "has no draft to start, its status is stopped"},
		"no reason":   {restarted, `"same-day"}`, "give changeJustification"},
		"only spaces": {restarted, `"same-day","changeJustification":" \u200b "}`, "give changeJustification"},
		"unknown":     {nil, `"homepage"}`, "did you mean homepage-grid?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			if test.before != nil {
				test.before(t, r)
			}
			n := len(r.Writes())
			if got := r.call("start-experiment-iteration", inTest+test.args); !strings.HasPrefix(got, "! ") || !strings.Contains(strings.ToLower(got), strings.ToLower(test.want)) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if len(r.Writes()) != n {
				t.Error("something was written")
			}
		})
	}
}

// restarted gives the experiment that runs a draft beside it.
func restarted(t *testing.T, r *rig) {
	t.Helper()
	f, err := direct(t, r).Flags.Get(t.Context(), "shop", "test", "express-shipping")
	if err != nil {
		t.Fatal(err)
	}
	arm := func(i int, name string) ldclient.NewTreatment {
		return ldclient.NewTreatment{Name: name, Baseline: i == 0, Percent: "50", Parameters: []ldclient.Parameter{{Flag: f.Key, VariationID: f.Variations[i].ID}}}
	}
	if _, err := direct(t, r).Experiments.Draft(t.Context(), "shop", "test", "same-day", ldclient.NewIteration{Hypothesis: "h", PrimarySingle: "cart-added",
		Metrics: []ldclient.NewIterationMetric{{Key: "cart-added"}}, RandomizationUnit: "user", Treatments: []ldclient.NewTreatment{arm(0, "Fast"), arm(1, "Slow")},
		Flags: map[string]ldclient.NewIterationFlag{f.Key: {Rule: "fallthrough", ConfigVersion: f.Environments["test"].Version}}}); err != nil {
		t.Fatal(err)
	}
}

// TestDraftBesideWhatRuns: a draft is edited and started while another iteration runs, which ends by that.
func TestDraftBesideWhatRuns(t *testing.T) {
	r := start(t)
	restarted(t, r)
	if got := r.call("update-rollout", `{"projectKey":"shop","env":"test","flagKey":"express-shipping","variation":"true"}`); !strings.Contains(got, "stop the experiment before changing the rollout") {
		t.Error(got)
	}
	got := r.call("update-experiment", inTest+`"same-day","hypothesis":"Faster is better","methodology":"frequentist"}`)
	if !strings.Contains(got, `"changed":true`) || !strings.Contains(got, `"hypothesis":"Faster is better"`) || !strings.Contains(got, `"field":"methodology","currentStatus":"running"`) {
		t.Error(got)
	}
	if got := r.call("get-experiment", inTest+`"same-day"}`); !strings.Contains(got, `"status":"running"`) || !strings.Contains(got, `"draftIteration":{`) {
		t.Error(got)
	}
	got = r.call("start-experiment-iteration", inTest+`"same-day","changeJustification":"Slow was too slow"}`)
	if !strings.Contains(got, `"changed":true`) || !strings.Contains(got, `"name":"Fast"`) {
		t.Error(got)
	}
	if got := r.call("get-experiment", inTest+`"same-day"}`); !strings.Contains(got, `"previousIterationsCount":1`) || strings.Contains(got, "draftIteration") {
		t.Error(got)
	}
}

// TestRestartFailsHalfway: the reply says what was done, and what runs; nothing is sent twice.
func TestRestartFailsHalfway(t *testing.T) {
	start2 := func(r *http.Request) bool { return r.Method == http.MethodPatch }
	for name, test := range map[string]struct {
		fault sandbox.Fault
		want  []string
	}{
		"refused":   {sandbox.Fault{Status: 400, Body: `{"code":"invalid_request","message":"The iteration cannot start"}`}, []string{"So the iteration that ran before still runs.", "The iteration cannot start"}},
		"conflict":  {sandbox.Fault{Status: 409, Body: `{"code":"optimistic_locking_error","message":"conflict"}`}, []string{"So the iteration that ran before still runs."}},
		"forbidden": {sandbox.Fault{Status: 403, Body: `{"code":"forbidden","message":"approval is required"}`}, []string{"So the iteration that ran before still runs."}},
		"fault":     {sandbox.Fault{Status: 502, Body: `bad gateway`}, []string{"It is not known whether that was carried out all the same"}},
		"lost":      {sandbox.Fault{After: true}, []string{"It is not known whether that was carried out all the same"}},
	} {
		r := start(t, never)
		test.fault.Match = start2
		r.Next(test.fault)
		got := r.call("save-and-start-experiment-iteration", inTest+`"same-day","changeJustification":"j","metrics":[{"key":"order-value"}]}`)
		for _, want := range append(test.want, "! Only part of it was done: the new iteration was drafted (", "Then starting it failed", "call start-experiment-iteration with changeJustification") {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in %s", name, want, got)
			}
		}
		if strings.Contains(got, "Nothing was changed") || strings.Contains(got, "requiresApproval") {
			t.Errorf("%s: %s", name, got)
		}
		if n := len(r.Writes()); n != 2 {
			t.Errorf("%s: %d writes, want 2", name, n)
		}
		if name == "refused" { // and so it can be gone on with
			if got := r.call("start-experiment-iteration", inTest+`"same-day","changeJustification":"j"}`); !strings.Contains(got, `"order-value"`) || !strings.Contains(got, `"changed":true`) {
				t.Error(got)
			}
		}
	}
}

// TestSkipped: what cannot be changed now is named, and the rest is done.
func TestSkipped(t *testing.T) {
	r := start(t)
	got := r.call("update-experiment", inTest+`"same-day","name":"Today","treatments":[{"percent":100,"variation":"true"}],"holdoutId":"x"}`)
	for _, want := range []string{`"changed":true`, `"name":"Today"`, `"field":"treatments","currentStatus":"running","allowedFields":["name","description","archived"]`, `"field":"holdoutId"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if w := r.Writes(); len(w) != 1 || strings.Contains(string(w[0].Body), "iteration") {
		t.Errorf("%d writes", len(w))
	}
	got = r.call("update-experiment", inTest+`"same-day","archived":true}`)
	if !strings.Contains(got, "stop it with stop-experiment-iteration first") {
		t.Error(got)
	}
	if got := r.call("update-experiment", inTest+`"homepage-grid","archived":true,"hypothesis":"h"}`); !strings.Contains(got, `"field":"hypothesis"`) || !strings.Contains(got, `"archived":true`) {
		t.Error(got)
	}
	if got := r.call("update-experiment", inTest+`"homepage-grid","archived":false,"hypothesis":"h"}`); strings.Contains(got, `"skipped"`) || !strings.Contains(got, `"hypothesis":"h"`) {
		t.Error(got)
	}
	n := len(r.Writes())
	if got := r.call("update-experiment", inTest+`"homepage-grid","hypothesis":"h"}`); !strings.Contains(got, "is so already") || len(r.Writes()) != n {
		t.Error(got)
	}
	if got := r.call("update-experiment", inTest+`"homepage-grid"}`); !strings.Contains(got, "nothing to change") && !strings.Contains(got, "Nothing to change") {
		t.Error(got)
	}
}

// TestStoppedCanGoOn: an experiment that is over gets a new draft of its last iteration.
func TestStoppedCanGoOn(t *testing.T) {
	r := start(t)
	got := r.call("save-and-start-experiment-iteration", inTest+`"button-colour","changeJustification":"j"}`)
	if !strings.Contains(got, "is archived; restore it first") || len(r.Writes()) > 0 {
		t.Error(got)
	}
	r.call("stop-experiment-iteration", inTest+`"same-day","winningTreatmentId":"as always","winningReason":"r"}`)
	got = r.call("save-and-start-experiment-iteration", inTest+`"same-day","changeJustification":"j","name":"Again"}`)
	if !strings.Contains(got, `"status":"running"`) || !strings.Contains(got, `"serves":"50 % true, 50 % false"`) || !strings.Contains(got, `"name":"Again"`) {
		t.Error(got)
	}
}

// TestWinner: a winner is one of the running treatments, by id, name or what it gives.
func TestWinner(t *testing.T) {
	id := ""
	{
		var x struct {
			CurrentIteration struct {
				Treatments []struct {
					ID string `json:"_id"`
				}
			}
		}
		if err := json.Unmarshal([]byte(start(t).call("get-experiment", inTest+`"same-day"}`)), &x); err != nil {
			t.Fatal(err)
		}
		id = x.CurrentIteration.Treatments[1].ID
	}
	for said, want := range map[string]string{"As always": `"serves":"false"`, "as ALWAYS": `"serves":"false"`, "false": `"serves":"false"`, id: `"serves":"false"`,
		"": "there is no treatment", "Hybrid": "the winner is one of Same day: true (_id "} {
		r := start(t)
		got := r.callWith("stop-experiment-iteration", object{"projectKey": "shop", "env": "test", "experimentKey": "same-day", "winningTreatmentId": said, "winningReason": "r"})
		if !strings.Contains(got, want) || strings.HasPrefix(got, "!") != (len(r.Writes()) == 0) {
			t.Errorf("%q: %s", said, got)
		}
	}
}

// TestStartIsConfirmed: a person reads who would get what, and that approvals are passed by; other environments do not ask.
func TestStartIsConfirmed(t *testing.T) {
	p := &person{action: "decline"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	ld := direct(t, r)
	f, err := ld.Flags.Get(t.Context(), "shop", "regulated", "payments-v2")
	if err != nil {
		t.Fatal(err)
	}
	arm := func(i int, percent string) ldclient.NewTreatment {
		return ldclient.NewTreatment{Name: []string{"New", "Old"}[i], Baseline: i == 1, Percent: percent, Parameters: []ldclient.Parameter{{Flag: f.Key, VariationID: f.Variations[i].ID}}}
	}
	if _, err := ld.Experiments.Create(t.Context(), "shop", "regulated", ldclient.NewExperiment{Key: "pay", Name: "Pay\u200b anew", MaintainerID: memberID("Ada"), Iteration: ldclient.NewIteration{
		Hypothesis: "h", PrimaryFunnel: "checkout-funnel", Metrics: []ldclient.NewIterationMetric{{Key: "checkout-funnel", IsGroup: true}}, RandomizationUnit: "user",
		Treatments: []ldclient.NewTreatment{arm(0, "10"), arm(1, "10")},
		Flags:      map[string]ldclient.NewIterationFlag{f.Key: {Rule: "fallthrough", ConfigVersion: f.Environments["regulated"].Version, NotIncludedVar: f.Variations[1].ID}}}}); err != nil {
		t.Fatal(err)
	}
	got := r.call("start-experiment-iteration", `{"projectKey":"shop","env":"regulated","experimentKey":"pay","comment":"c"}`)
	want := "This would start experiment pay (Pay anew) in regulated of project shop: on the default rule of flag payments-v2, which serves true now; of the contexts of kind user that reach it, 10 % get New: true, 10 % get Old: false (baseline), the other 80 % are not in it and get false; measured by checkout-funnel. Protected: regulated (critical). Environment regulated asks for an approval of flag changes, which what this makes would not need. Go ahead?"
	if p.question != want {
		t.Errorf("asked %q, want %q", p.question, want)
	}
	if !strings.Contains(got, "did not confirm") || len(r.Writes()) != 1 {
		t.Error(got)
	}
}

// late shows an experiment, once it was written to, as it was before, or not at all.
type late struct {
	*sandbox.Account
	lost  bool
	mu    sync.Mutex
	first []byte
	wrote bool
}

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	reads := r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/experiments/")
	if l.wrote = l.wrote || r.Method == http.MethodPost || r.Method == http.MethodPatch; reads && l.wrote && l.lost {
		return nil, io.ErrUnexpectedEOF
	}
	resp, err := l.Account.RoundTrip(r)
	if !reads || err != nil {
		return resp, err
	}
	if !l.wrote {
		l.first, _ = io.ReadAll(resp.Body)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(l.first)), int64(len(l.first))
	return resp, nil
}

// TestWrittenIsNotDenied: a change that was made is told as made, though the read after it shows nothing of it.
func TestWrittenIsNotDenied(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for _, test := range []struct{ tool, args, want string }{
			{"update-experiment", `"homepage-grid","hypothesis":"Another"}`, `"hypothesis":"Another"`},
			{"start-experiment-iteration", `"homepage-grid"}`, `"status":"running"`},
			{"save-and-start-experiment-iteration", `"same-day","changeJustification":"j","metrics":[{"key":"order-value"}]}`, `"order-value"`},
			{"stop-experiment-iteration", `"same-day","winningTreatmentId":"Same day","winningReason":"r"}`, `"winningTreatment":"Same day"`},
		} {
			synctest.Test(t, func(t *testing.T) { // which waits for no time to pass
				r := start(t, func(s *setup) { s.client.Transport = &late{Account: s.client.Transport.(*sandbox.Account), lost: lost} })
				got := r.call(test.tool, inTest+test.args)
				_, after, _ := strings.Cut(got, `"after":`)
				if !strings.Contains(got, `"changed":true`) || !strings.Contains(after, test.want) || !strings.Contains(got, "the change was made") {
					t.Errorf("%s, lost %t: %s", test.tool, lost, got)
				}
			})
		}
	}
}

// TestServiceTokenHasNoMember: an experiment belongs to somebody, and a service token is nobody.
func TestServiceTokenHasNoMember(t *testing.T) {
	account := sandbox.New(sandbox.Options{Now: func() time.Time { return noon }})
	token := account.AddToken(sandbox.TokenOptions{Name: "pipeline", Role: "writer"})
	r := start(t, func(s *setup) {
		s.client.Transport, s.client.Token = account, ldclient.StaticToken(ldclient.Token(token))
	})
	args := samples["create-experiment"]("test")
	maps.Copy(args, object{"projectKey": "shop", "environmentKey": "test"})
	if got := r.callWith("create-experiment", args); !strings.Contains(got, "give the id of a member, as find-members shows them") {
		t.Error(got)
	}
	args["maintainerId"] = memberID("Grace")
	if got := r.callWith("create-experiment", args); !strings.Contains(got, `"maintainerId":"`+memberID("Grace")) {
		t.Error(got)
	}
}

// TestLayersStayInScope: reservations of other environments are not shown.
func TestLayersStayInScope(t *testing.T) {
	for env, want := range map[string]bool{"production": true, "test": false} {
		r := start(t, func(s *setup) { s.client.Scope.Environments = []string{env} })
		if got := r.call("list-layers", `{"projectKey":"shop","experimentKey":"same-day"}`); strings.Contains(got, "reservationPercent") != want {
			t.Errorf("%s: %s", env, got)
		}
	}
}

// TestCopyOutOfExperiment: where one variation has a part inside and one outside of an experiment, a copy gets both.
func TestCopyOutOfExperiment(t *testing.T) {
	r := start(t)
	args := samples["create-experiment"]("test")
	maps.Copy(args, object{"projectKey": "shop", "environmentKey": "test"})
	maps.Copy(args["iteration"].(object), arms(arm("Control", true, 20), arm("Semantic", false, 20)))
	args["iteration"].(object)["flags"] = object{"search-ranking": object{"notInExperimentVariationId": "Control"}}
	r.callWith("create-experiment", args)
	if got := r.call("start-experiment-iteration", inTest+`"search-order"}`); !strings.Contains(got, `"serves":"20 % Control, 20 % Semantic, 60 % Control"`) {
		t.Fatal(got)
	}
	const move = `{"projectKey":"shop","flagKey":"search-ranking","fromEnv":"test","toEnv":"staging","includedActions":["updateFallthrough"]`
	if got := r.call("copy-flag-config", move+`}`); !strings.Contains(got, `"changed":true`) || strings.Contains(r.call("get-flag", `{"projectKey":"shop","flagKey":"search-ranking","env":"staging"}`), `"experiment":true`) {
		t.Error(got)
	}
	if err := r.RequireApproval("shop", "staging"); err != nil {
		t.Fatal(err)
	}
	r.call("stop-experiment-iteration", inTest+`"search-order","winningTreatmentId":"Semantic","winningReason":"r"}`)
	r.call("save-and-start-experiment-iteration", inTest+`"search-order","changeJustification":"j","treatments":[{"baseline":true,"percent":10,"variation":"Control"},{"percent":10,"variation":"Semantic"}]}`)
	if got := r.call("copy-flag-config", move+`,"confirm":"staging"}`); !strings.Contains(got, `"requiresApproval":true`) || !strings.Contains(got, ":90000") {
		t.Error(got)
	}
}
