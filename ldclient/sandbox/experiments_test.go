package sandbox

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
)

func init() {
	moreSamples = append(moreSamples, func(a *Account) map[string][]string {
		return map[string][]string{"experiment": {"same-day", "homepage-grid", "button-colour"}, "holdout": {"checkout-holdout"},
			"holdoutId": {a.findProject("shop").Holdouts[0].ID}}
	})
	const in = "/projects/{project}/environments/{environment}"
	queries[in+"/experiments"] = []string{"expand=draftIteration,treatments", "filter=flagKey:express-shipping,status:running&limit=1", "lifecycleState=archived"}
	queries["/projects/{project}/experiments"] = []string{"limit=2&offset=1", "filter=metricKey:cart-added"}
	queries[in+"/experiments/{experiment}"] = []string{"expand=draftIteration,previousIterations,treatments,secondaryMetrics,analysisConfig"}
	queries[in+"/holdouts/{holdout}"] = []string{"expand=treatments,rel-treatments,secondaryMetrics"}
	queries["/projects/{project}/layers"] = []string{"filter=reservations.experimentKey+contains+same-day"}
}

// TestExperimentLife walks experiments through all that changes them; each request and answer is held against the document.
func TestExperimentLife(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	shop := a.findProject("shop")
	const list = "/projects/shop/environments/test/experiments"
	one := list + "/order"
	f := shop.flag("search-ranking")
	member := a.memberNamed("Grace").ID
	type object = map[string]any
	arm := func(i int, baseline bool, percent string) object {
		return object{"name": f.Variations[i].Name, "baseline": baseline, "allocationPercent": percent, "parameters": []any{object{"flagKey": f.Key, "variationId": f.Variations[i].ID}}}
	}
	draft := func(with object) object {
		out := object{"hypothesis": "h", "primarySingleMetricKey": "cart-added", "metrics": []any{object{"key": "cart-added"}}, "randomizationUnit": "user",
			"treatments": []any{arm(0, true, "20"), arm(1, false, "20.5")},
			"flags":      object{f.Key: object{"ruleId": "fallthrough", "flagConfigVersion": f.in("test").Version, "notInExperimentVariationId": f.Variations[2].ID}}}
		for k, v := range with {
			out[k] = v
		}
		return out
	}
	post := func(with object) object {
		return object{"key": "order", "name": "Order", "maintainerId": member, "iteration": draft(with)}
	}
	do := func(kind string, with object) object {
		step := object{"kind": kind}
		for k, v := range with {
			step[k] = v
		}
		return object{"comment": "c", "instructions": []any{step}}
	}
	rule := func() string { return string(jsonValue(f.in("test").Fallthrough)) }
	before := f.in("test").Version
	for _, step := range []struct {
		method, path string
		body         any
		status       int
		want         string
	}{
		{"POST", list, post(object{"hypothesis": ""}), 400, "hypothesis is required"},
		{"POST", list, post(object{"primarySingleMetricKey": "nope"}), 400, "unknown metric"},
		{"POST", list, post(object{"primaryFunnelKey": "checkout-funnel"}), 400, "exactly one of"},
		{"POST", list, post(object{"treatments": []any{arm(0, true, "50")}}), 400, "at least two treatments"},
		{"POST", list, post(object{"treatments": []any{arm(0, true, "50"), arm(1, true, "50")}}), 400, "exactly one treatment must be the baseline"},
		{"POST", list, post(object{"treatments": []any{arm(0, true, "50"), arm(0, false, "50")}}), 400, "the same parameters"},
		{"POST", list, post(object{"treatments": []any{arm(0, true, "50"), arm(1, false, "51")}}), 400, "at most 100"},
		{"POST", list, post(object{"flags": object{f.Key: object{"ruleId": "nope", "flagConfigVersion": before}}}), 400, "has no rule"},
		{"POST", list, post(object{"flags": object{f.Key: object{"ruleId": "fallthrough", "flagConfigVersion": before + 1}}}), 400, "is not its current version"},
		{"POST", list, object{"key": "order", "name": "Order", "iteration": draft(nil)}, 400, "maintainerId"},
		{"POST", list, post(nil), 201, `"status":"not_started"`},
		{"POST", list, post(nil), 409, "already exists"},
		{"PATCH", one, do("stopIteration", object{"winningTreatmentId": f.Variations[0].ID}), 400, "is not running"},
		{"PATCH", one, do("archiveExperiment", nil), 200, `"archivedDate"`},
		{"PATCH", one, do("startIteration", nil), 400, "is archived"},
		{"POST", one + "/iterations", draft(nil), 400, "is archived"},
		{"PATCH", one, do("restoreExperiment", nil), 200, `"status":"not_started"`},
		{"PATCH", one, do("updateName", object{"value": ""}), 400, "name must have"},
		{"PATCH", one, do("updateDescription", object{"value": "d"}), 200, `"description":"d"`},
		{"PATCH", one, do("fly", nil), 400, "unknown instruction kind"},
		{"POST", one + "/iterations", draft(object{"hypothesis": "better"}), 200, `"hypothesis":"better"`},
		{"PATCH", one, do("startIteration", nil), 200, `"status":"running"`},
		{"PATCH", one, do("startIteration", object{"changeJustification": "again"}), 400, "no iteration that could be started"},
		{"PATCH", one, do("archiveExperiment", nil), 400, "stop it first"},
	} {
		got := checked(t, a, step.method, step.path, step.body, "LD-API-Version", "beta", "Content-Type", contentOf(step.method))
		if got.status != step.status || !strings.Contains(string(got.body), step.want) {
			t.Fatalf("%s %s %s: %d %s, want %d %s", step.method, step.path, jsonValue(step.body), got.status, got.body, step.status, step.want)
		}
	}
	if got, want := rule(), `"experimentAllocation":{"defaultVariation":2,"canReshuffle":false}`; !strings.Contains(got, want) ||
		!strings.Contains(got, `{"variation":1,"weight":20500},{"variation":2,"weight":59500,"_untracked":true}`) || f.in("test").Version != before+1 {
		t.Errorf("a running experiment serves %s in version %d", got, f.in("test").Version)
	}
	seen := map[bool]int{}
	for i := range 40 {
		detail, err := a.Evaluate("shop", "test", f.Key, ldcontext.New(strings.Repeat("x", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		seen[detail.Reason.IsInExperiment()]++
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("%d of 40 are in the experiment", seen[true])
	}
	for _, kind := range []instruction{{"kind": "updateFallthroughVariationOrRollout", "variationId": f.Variations[0].ID}, {"kind": "archiveFlag"}, {"kind": "deleteFlag"}} {
		if got := ask(t, a, "PATCH", "/flags/shop/search-ranking", map[string]any{"environmentKey": "test", "instructions": []any{kind}}, "Content-Type", semantic); got.status/100 != 4 {
			t.Errorf("%v under an experiment: %d", kind, got.status)
		}
	}
	if got := ask(t, a, "PATCH", "/flags/shop/search-ranking", []any{map[string]any{"op": "replace", "path": "/environments/test/fallthrough", "value": map[string]any{"variation": 0}}}); got.status != 400 {
		t.Errorf("a JSON patch under an experiment: %d %s", got.status, got.body)
	}
	entries := len(a.audit)
	for _, step := range []struct {
		body   any
		status int
		want   string
	}{
		{do("stopIteration", object{"winningTreatmentId": f.Variations[2].ID}), 400, "one of the iteration's treatments"},
		{do("stopIteration", object{"winningTreatmentId": f.Variations[1].ID, "winningReason": "r"}), 200, `"winningReason":"r"`},
	} {
		if got := checked(t, a, "PATCH", one, step.body, "LD-API-Version", "beta", "Content-Type", semantic); got.status != step.status || !strings.Contains(string(got.body), step.want) {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if got := rule(); got != `{"variation":1}` || f.in("test").Version != before+2 {
		t.Errorf("after the stop the rule serves %s", got)
	}
	if n := len(a.audit) - entries; n != 2 || a.audit[entries].Kind != "experiment" || a.audit[entries+1].Kind != "flag" || a.audit[entries].Comment != "c" {
		t.Errorf("%d audit entries for a stop", n)
	}
}

func contentOf(method string) string {
	if method == "PATCH" {
		return semantic
	}
	return "application/json"
}

// TestRestart: starting a draft ends what runs, which needs a reason, and a flag must be on.
func TestRestart(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	f := a.findProject("shop").flag("express-shipping")
	x := a.findProject("shop").experiment("test", "same-day")
	const one = "/projects/shop/environments/test/experiments/same-day"
	fields := x.of(iterationRunning).iterationFields
	fields.Flags = map[string]iterationFlag{f.Key: {fallthroughRule, f.in("test").Version, ""}}
	beta := []string{"LD-API-Version", "beta"}
	if got := ask(t, a, "POST", one+"/iterations", fields, beta...); got.status != 200 {
		t.Fatal(string(got.body))
	}
	start := func(why string) answer {
		return ask(t, a, "PATCH", one, map[string]any{"instructions": []any{map[string]any{"kind": "startIteration", "changeJustification": why}}}, append(beta, "Content-Type", semantic)...)
	}
	if got := start(""); got.status != 400 || !strings.Contains(string(got.body), "changeJustification") {
		t.Errorf("%d %s", got.status, got.body)
	}
	f.in("test").On = false
	if got := start("slow"); got.status != 400 || !strings.Contains(string(got.body), "is off") || x.of(iterationRunning) != x.Iterations[0] {
		t.Errorf("%d %s", got.status, got.body)
	}
	f.in("test").On = true
	if got := start("slow"); got.status != 200 || x.of(iterationDraft) != nil || x.Iterations[0].Status != iterationStopped || x.current() != x.Iterations[1] {
		t.Errorf("%d %s", got.status, got.body)
	}
	full := into[map[string]json.RawMessage](t, ask(t, a, "GET", one+"?expand=previousIterations", nil, beta...), 200)
	if !strings.Contains(string(full["previousIterations"]), x.Iterations[0].ID) || strings.Contains(string(full["currentIteration"]), `"treatments"`) {
		t.Errorf("%s", full)
	}
}

// TestHoldoutsAndLayers walks both through what changes them.
func TestHoldoutsAndLayers(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	type object = map[string]any
	do := func(steps ...any) object { return object{"environmentKey": "production", "instructions": steps} }
	const holdouts, layers, units = "/projects/shop/environments/production/holdouts", "/projects/shop/layers", "/projects/shop/experimentation-settings"
	for _, step := range []struct {
		method, path string
		body         any
		status       int
		want         string
	}{
		{"POST", holdouts, object{"key": "h", "name": "H", "holdoutamount": "0", "primarymetrickey": "cart-added"}, 400, "holdoutamount"},
		{"POST", holdouts, object{"key": "h", "name": "H", "holdoutamount": "5", "primarymetrickey": "nope"}, 400, "unknown metric"},
		{"POST", holdouts, object{"key": "h", "name": "H", "holdoutamount": "5", "primarymetrickey": "cart-added", "randomizationunit": "user"}, 201, `"holdoutAmount":"5"`},
		{"PATCH", holdouts + "/checkout-holdout", object{"instructions": []any{object{"kind": "removeExperiment", "value": "button-colour"}}}, 400, "is not in the holdout"},
		{"PATCH", holdouts + "/checkout-holdout", object{"instructions": []any{object{"kind": "removeExperiment", "value": "same-day"}, object{"kind": "updateName", "value": "N"}}}, 200, `"name":"N"`},
		{"PATCH", holdouts + "/checkout-holdout", object{"instructions": []any{object{"kind": "endHoldout"}}}, 200, `"status":"ended"`},
		{"POST", layers, object{"key": "l", "name": "L", "description": ""}, 201, `"key":"l"`},
		{"POST", layers, object{"key": "l", "name": "L", "description": ""}, 400, "key of its own"},
		{"PATCH", layers + "/checkout-flow", do(object{"kind": "updateName", "value": "N"}), 400, "lacks a parameter"},
		{"PATCH", layers + "/checkout-flow", do(object{"kind": "updateName", "name": "N"}), 200, `"name":"N"`},
		{"PATCH", layers + "/checkout-flow", do(object{"kind": "updateExperimentReservation", "experimentKey": "homepage-grid", "reservationPercent": 61}), 400, "has left, 60"},
		{"PATCH", layers + "/checkout-flow", do(object{"kind": "updateExperimentReservation", "experimentKey": "homepage-grid", "reservationPercent": 60}), 200, `"reservationPercent":60`},
		{"PATCH", layers + "/checkout-flow", do(object{"kind": "removeExperiment", "experimentKey": "same-day"}), 200, `"flagKey":"homepage-layout"`},
		{"PATCH", layers + "/checkout-flow", do(object{"kind": "removeExperiment", "experimentKey": "nope"}), 400, "unknown experimentKey"},
		{"GET", layers + "?filter=reservations.experimentKey+contains+same-day", nil, 200, `"items":[]`},
		{"GET", layers + "?filter=name", nil, 400, "invalid filter"},
		{"PUT", units, object{"randomizationUnits": []any{}}, 400, "name one at least"},
		{"PUT", units, object{"randomizationUnits": []any{object{"randomizationUnit": "device", "default": true}}}, 200, `"randomizationUnit":"device"`},
	} {
		got := checked(t, a, step.method, step.path, step.body, "LD-API-Version", "beta", "Content-Type", contentOf(step.method))
		if got.status != step.status || !strings.Contains(string(got.body), step.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", step.method, step.path, jsonValue(step.body), got.status, got.body, step.status, step.want)
		}
	}
	if x := a.findProject("shop").experiment("production", "same-day"); x.HoldoutID != "" {
		t.Error("the experiment is still in the holdout")
	}
}
