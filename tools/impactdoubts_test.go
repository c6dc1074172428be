package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// changedAnswers changes answers on their way.
type changedAnswers struct {
	http.RoundTripper
	change func(*http.Request, []byte) (int, []byte)
}

func (s changedAnswers) RoundTrip(q *http.Request) (*http.Response, error) {
	res, err := s.RoundTripper.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if status, body := s.change(q, b); status != 0 {
		res.StatusCode, b = status, body
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	res.Header.Del("Content-Length")
	return res, nil
}

func through(change func(*http.Request, []byte) (int, []byte)) func(*setup) {
	return func(s *setup) { s.client.Transport = changedAnswers{s.client.Transport, change} }
}

// asks starts a rig with a person who declines.
func asks(t *testing.T, change ...func(*setup)) (*rig, *person) {
	p := &person{action: "decline"}
	return start(t, append(change, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })...), p
}

func onlyIf(kind, attribute string, values ...any) []ldclient.Clause {
	return []ldclient.Clause{{ContextKind: kind, Attribute: attribute, Op: "in", Values: values}}
}

// TestQuestionsSayWhatIsNotKnown: "none" is said only where it is known, and doubts that matter reach the person.
func TestQuestionsSayWhatIsNotKnown(t *testing.T) {
	var keys []any
	for n := range 5000 {
		keys = append(keys, fmt.Sprintf("person-%d", n))
	}
	breaks := func(part string) func(*http.Request, []byte) (int, []byte) {
		return func(q *http.Request, _ []byte) (int, []byte) {
			if strings.Contains(q.URL.Path, part) {
				return 500, []byte(`{"code":"x","message":"it broke"}`)
			}
			return 0, nil
		}
	}
	experiment := func(_ *http.Request, b []byte) (int, []byte) {
		return 200, bytes.ReplaceAll(b, []byte(`"rollout":{`), []byte(`"rollout":{"experimentAllocation":{"type":"variation"},`))
	}
	off := map[string]any{"on": false}
	for name, test := range map[string]struct {
		tap        func(*http.Request, []byte) (int, []byte)
		tool, flag string
		args       func(*rig) map[string]any
		want, not  string
	}{
		"a kind that was not seen": {nil, "update-targeting-rules", "search-ranking", func(r *rig) map[string]any {
			v := r.ranking().Variations
			patchDirectly(t, r, "production", "search-ranking", ldclient.AddRule(ldclient.NewRule{Clauses: onlyIf("tenant", "key", "big"), Serve: ldclient.Serve{VariationID: v[0].ID}}, ""))
			return map[string]any{"instructions": []any{map[string]any{"kind": "updateRuleVariationOrRollout", "ruleId": r.ranking().Environments["production"].Rules[0].ID, "variation": "Hybrid"}}}
		}, "none is of kind tenant, which the change looks at, so it is not known whom this concerns.", "none would get"},
		"a kind that was seen": {nil, "update-targeting-rules", "search-ranking", func(r *rig) map[string]any {
			return map[string]any{"instructions": []any{map[string]any{"kind": "addRule", "variation": "Hybrid", "clauses": []any{map[string]any{"contextKind": "organization", "attribute": "key", "op": "in", "values": []any{"nobody"}}}}}}
		}, "none would get anything else. Nothing", "of kind"},
		"a kind in a segment": {nil, "update-targeting-rules", "search-ranking", func(r *rig) map[string]any {
			d := direct(t, r)
			if _, err := d.Segments.Create(t.Context(), "shop", "production", ldclient.NewSegment{Key: "tenants", Name: "Tenants"}); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Segments.Patch(t.Context(), "shop", "production", "tenants", ldclient.Patch{Instructions: []ldclient.Instruction{ldclient.SegmentTargets("addIncludedTargets", "tenant", []string{"big"})}}); err != nil {
				t.Fatal(err)
			}
			return map[string]any{"instructions": []any{map[string]any{"kind": "addRule", "variation": "Hybrid", "clauses": []any{map[string]any{"op": "segmentMatch", "values": []any{"tenants"}}}}}}
		}, "none is of kind tenant, which the change looks at", "none would get"},
		"divided by a kind that was not seen": {nil, "update-rollout", "search-ranking", func(*rig) map[string]any {
			return map[string]any{"contextKind": "tenant", "weights": []any{map[string]any{"variation": "Semantic", "percent": 1}, map[string]any{"variation": "Control", "percent": 99}}}
		}, "is of kind tenant, which the change looks at", "none would get"},
		"named keys": {nil, "update-individual-targets", "search-ranking", func(*rig) map[string]any {
			return map[string]any{"instructions": []any{map[string]any{"kind": "addTargets", "variation": "Hybrid", "values": keys}}}
		}, "none would get anything else. The change names 5000 keys, 0 of them among these contexts.", ""},
		"dependents unread":  {breaks("dependent"), "toggle-flag", "payments-v2", func(*rig) map[string]any { return off }, "Flags that depend on payments-v2 could not be read (it broke", ""},
		"experiment":         {experiment, "toggle-flag", "new-checkout", func(*rig) map[string]any { return off }, "An experiment runs on the flag", ""},
		"a dependent unread": {breaks("/flags/shop/new-checkout"), "toggle-flag", "payments-v2", func(*rig) map[string]any { return off }, "Flag new-checkout could not be judged for 40 of them.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var changes []func(*setup)
			if test.tap != nil {
				changes = append(changes, through(test.tap))
			}
			r, p := asks(t, changes...)
			args := map[string]any{"projectKey": "shop", "flagKey": test.flag, "env": "production", "comment": "c"}
			for k, v := range test.args(r) {
				args[k] = v
			}
			if test.flag == "search-ranking" {
				patchDirectly(t, r, "production", "search-ranking", ldclient.TurnFlagOn())
			}
			got := r.callWith(test.tool, args)
			asked := p.question + " Nothing"
			asked = strings.Replace(asked, " Go ahead?", "", 1)
			if !strings.Contains(asked, test.want) || test.not != "" && strings.Contains(asked, test.not) {
				t.Errorf("asked %q (%s), want %q and not %q", asked, got, test.want, test.not)
			}
		})
	}
}

// dependOnRanking makes flags need what search-ranking gives everyone; those in on are on.
func dependOnRanking(t *testing.T, r *rig, on ...string) {
	v := r.ranking().Variations
	patchDirectly(t, r, "production", "search-ranking", ldclient.TurnFlagOn(), ldclient.UpdateFallthrough(ldclient.Serve{VariationID: v[0].ID}), ldclient.UpdateOffVariation(v[1].ID))
	for _, key := range []string{"gift-cards", "image-quality", "loyalty-points", "review-summary", "wishlist"} {
		do := []ldclient.Instruction{ldclient.AddPrerequisite(ldclient.NewPrerequisite{Key: "search-ranking", VariationID: v[0].ID}), ldclient.TurnFlagOff()}
		for _, k := range on {
			if k == key {
				do[1] = ldclient.TurnFlagOn()
			}
		}
		patchDirectly(t, r, "production", key, do...)
	}
}

// TestQuestionsNameDependents: the flags that change are told, whatever their place in the list.
func TestQuestionsNameDependents(t *testing.T) {
	args := map[string]any{"projectKey": "shop", "flagKey": "search-ranking", "env": "production", "comment": "c", "on": false}
	for last, want := range map[string]string{"loyalty-points": "Flag loyalty-points would change for", "wishlist": "Flag wishlist would change for"} {
		r, p := asks(t)
		dependOnRanking(t, r, last)
		if r.callWith("toggle-flag", args); !strings.Contains(p.question, want) || strings.Contains(p.question, "more flags") {
			t.Errorf("asked %q, want %q", p.question, want)
		}
	}
	r, p := asks(t)
	dependOnRanking(t, r, "gift-cards", "image-quality", "loyalty-points", "review-summary", "wishlist")
	if r.callWith("toggle-flag", args); strings.Count(p.question, "would change for") != 3 || !strings.Contains(p.question, "more flag") {
		t.Errorf("asked %q", p.question)
	}
}

// TestPreviewsShiftVariations: what needs a variation needs it still where its place in the list is another one.
func TestPreviewsShiftVariations(t *testing.T) {
	r := start(t)
	for _, value := range []string{`"x1"`, `"x2"`} {
		patchDirectly(t, r, "", "search-ranking", ldclient.AddVariation(ldclient.NewVariation{Value: []byte(value)}))
	}
	v := r.ranking().Variations
	patchDirectly(t, r, "production", "search-ranking", ldclient.TurnFlagOn(), ldclient.UpdateFallthrough(ldclient.Serve{VariationID: v[4].ID}))
	patchDirectly(t, r, "production", "dark-mode", ldclient.TurnFlagOn(), ldclient.AddPrerequisite(ldclient.NewPrerequisite{Key: "search-ranking", VariationID: v[4].ID}))
	got := r.callWith("preview-change", map[string]any{"projectKey": "shop", "flagKey": "search-ranking", "environmentKey": "production",
		"contexts":     []any{map[string]any{"key": "ann"}, map[string]any{"key": "ben"}},
		"instructions": []any{map[string]any{"kind": "removeVariation", "variationId": v[3].ID}, map[string]any{"kind": "addTargets", "variationId": v[0].ID, "values": []any{"ann"}}}})
	if !strings.Contains(got, `"otherFlags":[{"flagKey":"dark-mode","changing":1}]`) {
		t.Error(got)
	}
}

// TestQuestionsForManyEnvironments: critical environments come first, and those that are left out are counted.
func TestQuestionsForManyEnvironments(t *testing.T) {
	r, p := asks(t, func(s *setup) { s.Protect = []string{"*"} })
	r.call("update-flag-variations", `{"projectKey":"shop","flagKey":"rate-limit-per-minute","comment":"c","instructions":[{"kind":"updateVariation","variation":"300","value":400}]}`)
	production, regulated, more := strings.Index(p.question, "seen lately in production"), strings.Index(p.question, "seen lately in regulated"), strings.Index(p.question, "1 more protected environment was not looked at.")
	staging := max(strings.Index(p.question, "seen lately in staging"), strings.Index(p.question, "seen lately in test"))
	if production < 0 || regulated < 0 || more < 0 || staging < max(production, regulated) {
		t.Errorf("asked %q", p.question)
	}
}

// TestPreviewsSayThatContextsWereCut: a page of contexts that fails is not passed over.
func TestPreviewsSayThatContextsWereCut(t *testing.T) {
	pages := 0
	r := start(t, through(func(q *http.Request, b []byte) (int, []byte) {
		if !strings.HasSuffix(q.URL.Path, "/contexts/search") {
			return 0, nil
		}
		if pages++; pages == 1 { // as if there were more
			return 200, bytes.Replace(b, []byte(`"items"`), []byte(`"continuationToken":"more","items"`), 1)
		}
		return 403, []byte(`{"code":"x","message":"it broke"}`)
	}))
	got := r.call("preview-change", `{"projectKey":"shop","flagKey":"new-checkout","instructions":[{"kind":"turnFlagOff"}]}`)
	if !strings.Contains(got, "Of the contexts seen lately more than these could not be read (it broke") || pages < 2 {
		t.Errorf("%d pages: %s", pages, got)
	}
}

// TestPreviewsShowAllThatDiffers: what lies beyond the words that are shown differs all the same.
func TestPreviewsShowAllThatDiffers(t *testing.T) {
	r := start(t)
	v := r.ranking().Variations
	long := strings.Repeat("x", 500)
	patchDirectly(t, r, "production", "search-ranking", ldclient.TurnFlagOn(), ldclient.AddRule(ldclient.NewRule{Clauses: onlyIf("user", "plan", "a", "b", "c", "d", "e", "f", "g"), Serve: ldclient.Serve{VariationID: v[0].ID}}, ""))
	patchDirectly(t, r, "", "search-ranking", ldclient.UpdateVariation(v[1].ID, []byte(`"`+long+`1"`), nil, nil))
	rule := r.ranking().Environments["production"].Rules[0]
	id := map[string]any{"ruleId": rule.ID, "clauseId": rule.Clauses[0].ID}
	with := func(kind string, more map[string]any) map[string]any {
		out := map[string]any{"kind": kind}
		for _, m := range []map[string]any{id, more} {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	preview := func(do ...any) (out struct {
		Changes []struct{ Field, Before, After string }
		Notes   []string
	}) {
		text := r.callWith("preview-change", map[string]any{"projectKey": "shop", "flagKey": "search-ranking", "environmentKey": "production", "contexts": []any{map[string]any{"key": "u"}}, "instructions": do})
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatal(text)
		}
		return out
	}
	got := preview(with("removeValuesFromClause", map[string]any{"values": []any{"g"}}), with("addValuesToClause", map[string]any{"values": []any{"zz"}}))
	if len(got.Notes) > 0 || len(got.Changes) != 1 || got.Changes[0].Before != "with plan in g" || got.Changes[0].After != "with plan in zz" {
		t.Errorf("values: %+v", got)
	}
	got = preview(map[string]any{"kind": "updateVariation", "variationId": v[1].ID, "value": long + "2"})
	if len(got.Notes) > 0 || len(got.Changes) != 1 || !strings.Contains(got.Changes[0].Before, "x1 ") || !strings.Contains(got.Changes[0].After, "x2 ") {
		t.Errorf("value: %+v", got)
	}
	got = preview(map[string]any{"kind": "turnFlagOn"})
	if len(got.Changes) > 0 || fmt.Sprint(got.Notes) != "[everything is so already; nothing would change]" {
		t.Errorf("nothing: %+v", got)
	}
	var all struct{ Notes []string }
	text := r.callWith("preview-change", map[string]any{"tool": "archive-flag", "environmentKey": "production", "arguments": map[string]any{"projectKey": "shop", "flagKey": "wishlist"}})
	if err := json.Unmarshal([]byte(text), &all); err != nil || strings.Contains(text, "nothing would change") {
		t.Error(text)
	}
}

// TestPreviewsOfHiddenTools: a server that only reads plans with tools that are hidden for that alone.
func TestPreviewsOfHiddenTools(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"excluded":   func(s *setup) { s.ExcludeTools = []string{"toggle-flag"} },
		"for people": func(s *setup) { s.AllowReview = false },
	} {
		r := start(t, func(s *setup) { s.ReadOnly = true }, change)
		tool, args := "toggle-flag", map[string]any{"projectKey": "shop", "flagKey": "new-checkout", "environmentKey": "production", "on": false}
		if name == "for people" {
			tool, args = "review-approval-request", map[string]any{}
		}
		if got := r.callWith("preview-change", map[string]any{"tool": tool, "arguments": args}); !strings.Contains(got, tool+" is not available") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestQuestionsForOneEnvironmentAndAll: where a change reaches one environment and what all share, contexts of that one are looked at.
func TestQuestionsForOneEnvironmentAndAll(t *testing.T) {
	const args = `{"projectKey":"shop","flagKey":"search-ranking","PatchWithComment":{"comment":"c","patch":[{"op":"replace","path":"/description","value":"Other"},{"op":"replace","path":"/environments/production/offVariation","value":1},{"op":"replace","path":"/environments/production/on","value":%t}]}}`
	r, p := asks(t)
	on := !r.ranking().Environments["production"].On
	text := fmt.Sprintf(args, on)
	got := r.call("update-feature-flag", text)
	if !strings.Contains(p.question, "seen lately in production") || strings.Contains(p.question, "seen lately in regulated") || strings.Contains(p.question, "could not be worked out") {
		t.Errorf("asked %q (%s)", p.question, got)
	}
	got = r.call("preview-change", `{"environmentKey":"production","tool":"update-feature-flag","arguments":`+text+`}`)
	if !strings.Contains(got, `seen lately in production`) || !strings.Contains(got, `"field":"on"`) || !strings.Contains(got, `"field":"description"`) {
		t.Error(got)
	}
}
