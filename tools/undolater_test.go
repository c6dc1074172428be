package tools_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// TestUndoOfBoth: an entry that changed one environment and the whole flag is undone as both, and shown as both.
func TestUndoOfBoth(t *testing.T) {
	p := &person{action: "accept"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	v := r.ranking().Variations
	r.history("staging", []ldclient.Instruction{ldclient.UpdateFallthrough(ldclient.Serve{VariationID: v[1].ID})})
	entry := r.history("staging", []ldclient.Instruction{ldclient.UpdateFallthrough(ldclient.Serve{VariationID: v[0].ID}), ldclient.AddFlagTags([]string{"passing"})})[0]
	if got := r.undo(entry, nil); !strings.Contains(got, `"changed":true`) || !strings.Contains(got, `"fallthrough":"Semantic"`) {
		t.Error(got)
	}
	if want := "change flag search-ranking of project shop: in staging: serve Semantic by default; in all environments: take off the tags passing. "; !strings.Contains(p.question, want) {
		t.Errorf("asked %q", p.question)
	}
}

// TestBothAreReviewed: what a patch changes in one environment wants that environment's approval, and its key
// to confirm it, also where the patch changes the whole flag too.
func TestBothAreReviewed(t *testing.T) {
	for name, call := range map[string]func(*rig) (string, map[string]any){
		"undo": func(r *rig) (string, map[string]any) {
			patch := `[{"op":"replace","path":"/environments/regulated/on","value":true},{"op":"replace","path":"/name","value":"Passing"}]`
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://sandbox/api/v2/flags/shop/search-ranking", strings.NewReader(patch))
			if err != nil {
				t.Fatal(err)
			}
			everything := ldclient.Statement{Effect: "allow", Resources: []string{"proj/*:env/*:flag/*"}, Actions: []string{"*"}}
			req.Header.Set("Authorization", r.AddToken(sandbox.TokenOptions{Name: "bypasses", InlineRole: []ldclient.Statement{everything}}))
			req.Header.Set("Content-Type", "application/json")
			if res, err := r.RoundTrip(req); err != nil || res.StatusCode != http.StatusOK {
				t.Fatal(res, err)
			}
			return "undo-change", map[string]any{"projectKey": "shop", "auditLogEntryId": r.entryOf("proj/shop:env/*:flag/search-ranking").ID, "comment": "because"}
		},
		"JSON Patch": func(*rig) (string, map[string]any) {
			return "update-feature-flag", map[string]any{"projectKey": "shop", "featureFlagKey": "search-ranking", "comment": "because", "PatchWithComment": map[string]any{"patch": []any{
				map[string]any{"op": "replace", "path": "/environments/regulated/on", "value": true}, map[string]any{"op": "replace", "path": "/name", "value": "Passing"}}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			got := r.callWith(call(r))
			if !strings.Contains(got, "nvironment regulated asks for an approval of flag changes") {
				t.Error(got)
			}
		})
	}
}

// TestUndoSeesLaterChanges: what somebody made on purpose what it is now is not taken back, and neither is what means something else by now.
func TestUndoSeesLaterChanges(t *testing.T) {
	type do = []ldclient.Instruction
	plan := func(values ...any) []ldclient.Clause {
		return []ldclient.Clause{{Attribute: "plan", Op: "in", Values: values}}
	}
	rule := func(r *rig, description string, values ...any) ldclient.Instruction {
		return ldclient.AddRule(ldclient.NewRule{Clauses: plan(values...), Description: description, Serve: ldclient.Serve{VariationID: r.ranking().Variations[1].ID}}, "")
	}
	rules := func(r *rig) []ldclient.Rule { return r.ranking().Environments["test"].Rules }
	segment := func(r *rig, kind string, keys ...string) string {
		if _, err := direct(r.t, r).Segments.Patch(r.t.Context(), "shop", "test", "beta-testers", ldclient.Patch{Instructions: do{ldclient.SegmentTargets(kind, "user", keys)}}); err != nil {
			r.t.Fatal(err)
		}
		return r.entryOf("proj/shop:env/*:segment/beta-testers").ID
	}
	color := func(r *rig, to string) string {
		r.mustCall("update-environment", `{"projectKey":"shop","env":"test","color":"`+to+`"}`)
		return r.entryOf("proj/shop:env/test").ID
	}
	for name, test := range map[string]struct {
		entry func(r *rig) (entry string, others []string)
		want  string // in a refusal if it begins with "! ", $0 and so on are other entries
	}{
		"off, on and off": {func(r *rig) (string, []string) {
			ids := r.history("test", do{ldclient.TurnFlagOff()}, do{ldclient.TurnFlagOn()}, do{ldclient.UpdateTrackEvents(true)}, do{ldclient.TurnFlagOff()})
			return ids[0], []string{ids[1], ids[3]}
		}, `! whether targeting is on was changed again later and then back, by entry $0 of 2026-03-02T12:00:00Z by "Ada Lovelace" and entry $1 of`},
		"off in another environment": {func(r *rig) (string, []string) {
			id := r.history("test", do{ldclient.TurnFlagOff()})[0]
			r.history("staging", do{ldclient.TurnFlagOff()}, do{ldclient.TurnFlagOn()}, do{ldclient.TurnFlagOff()})
			return id, nil
		}, `"changed":true`},
		"many changes, one of them the same": {func(r *rig) (string, []string) {
			ids := r.history("test", do{ldclient.TurnFlagOff()}, do{ldclient.TurnFlagOn()}, do{ldclient.TurnFlagOff()})
			for n := range 21 {
				r.history("test", do{ldclient.UpdateTrackEvents(n%2 == 0)})
			}
			return ids[0], ids[1:]
		}, `! whether targeting is on was changed again later and then back, by entry $0`},
		"too many of the same kind": {func(r *rig) (string, []string) {
			id := r.history("test", do{rule(r, "A", "a")})[0]
			for n := range 11 {
				r.history("test", do{rule(r, fmt.Sprint(n), n)})
			}
			return id, nil
		}, "! 11 later entries are about the same kinds of things"},
		"another rule": {func(r *rig) (string, []string) {
			id := r.history("test", do{rule(r, "A", "a")})[0]
			r.history("test", do{rule(r, "B", "b")})
			r.history("test", do{ldclient.RemoveRule(rules(r)[1].ID)})
			return id, nil
		}, `later changes that stay: 2, the last of 2026-03-02T12:00:00Z by \"Ada Lovelace\": \"Changed the targeting rules\"`},
		"the rule, described otherwise for a while": {func(r *rig) (string, []string) {
			id := r.history("test", do{rule(r, "A", "a")})[0]
			at := rules(r)[0].ID
			return id, r.history("test", do{ldclient.UpdateRuleServe(at, ldclient.Serve{VariationID: r.ranking().Variations[0].ID})}, do{ldclient.UpdateRuleServe(at, ldclient.Serve{VariationID: r.ranking().Variations[1].ID})})
		}, `! the rule "A" was changed again later and then back, by entry $0`},
		"a rule, added again and removed again": {func(r *rig) (string, []string) {
			r.history("test", do{rule(r, "A", "a")})
			id := r.history("test", do{ldclient.RemoveRule(rules(r)[0].ID)})[0]
			ids := r.history("test", do{rule(r, "A", "a")})
			return id, append(ids, r.history("test", do{ldclient.RemoveRule(rules(r)[0].ID)})...)
		}, `! the rule "A" was changed again later and then back, by entry $0`},
		"a copy from another environment": {func(r *rig) (string, []string) {
			id := r.history("test", do{ldclient.TurnFlagOff()})[0]
			r.mustCall("copy-flag-config", `{"projectKey":"shop","flagKey":"search-ranking","sourceEnvironmentKey":"production","targetEnvironmentKey":"test"}`)
			copied := r.entryOf("proj/shop:env/test:flag/search-ranking").ID
			return id, append([]string{copied}, r.history("test", do{ldclient.TurnFlagOff()})...)
		}, `! was changed again later and then back, by entry $0`},
		"a member of a segment": {func(r *rig) (string, []string) {
			return segment(r, "addIncludedTargets", "ann"), []string{segment(r, "removeIncludedTargets", "ann"), segment(r, "addIncludedTargets", "ann")}
		}, `! user ann in the included contexts was changed again later and then back, by entry $0`},
		"other members of a segment": {func(r *rig) (string, []string) {
			return segment(r, "addIncludedTargets", "ann"), []string{segment(r, "addIncludedTargets", "bob")}
		}, `later changes that stay: 1`},
		"both lists of a segment": {func(r *rig) (string, []string) {
			segment(r, "addIncludedTargets", "ann")
			return segment(r, "removeIncludedTargets", "ann"), []string{segment(r, "addExcludedTargets", "ann")}
		}, "! user ann was put on the other list later"},
		"a color": {func(r *rig) (string, []string) {
			return color(r, "111111"), []string{color(r, "222222"), color(r, "111111")}
		}, "! the color was changed again later and then back, by entry $0"},
		"the value of the variation": {func(r *rig) (string, []string) {
			v := r.ranking().Variations
			ids := r.history("test", do{ldclient.UpdateFallthrough(ldclient.Serve{VariationID: v[1].ID})}, do{ldclient.UpdateFallthrough(ldclient.Serve{VariationID: v[0].ID})})
			r.history("", do{ldclient.UpdateVariation(v[1].ID, []byte(`"other"`), nil, nil)})
			return ids[1], nil
		}, `! the default rule served variation Semantic, which had the value "semantic" then, and has "other" now`},
		"a rule without a place": {func(r *rig) (string, []string) {
			r.history("test", do{rule(r, "A", "a")})
			id := r.history("test", do{ldclient.RemoveRule(rules(r)[0].ID)})[0]
			return id, r.history("test", do{rule(r, "B", "a", "b")})
		}, `as rule 2 of 2, for none of the rules that stood next to it is there any more, right below the rule \"B\", which was added since`},
		"a rule below a newer one": {func(r *rig) (string, []string) {
			r.history("test", do{rule(r, "A", "a")}, do{rule(r, "B", "b")})
			id := r.history("test", do{ldclient.RemoveRule(rules(r)[0].ID)})[0]
			newer := rule(r, "N", "n")
			newer["beforeRuleId"] = rules(r)[0].ID
			return id, r.history("test", do{newer})
		}, `before rule 2 (B) (A): if plan in a serve Semantic, as rule 2 of 3, right below the rule \"N\", which was added since`},
		"the other conditions of a rule": {func(r *rig) (string, []string) {
			r.history("test", do{rule(r, "A", "a")})
			at := rules(r)[0]
			id := r.history("test", do{ldclient.AddClauses(at.ID, plan("b"))})[0]
			return id, r.history("test", do{ldclient.RemoveClauses(at.ID, []string{at.Clauses[0].ID})})
		}, `! the rule "A" would be left without a condition`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &person{action: "accept"}
			r := start(t, func(s *setup) {
				s.Protect = []string{"test"}
				s.mcp = []client.ClientOption{client.WithElicitationHandler(p)}
			})
			id, others := test.entry(r)
			writes, refused := len(r.Writes()), strings.HasPrefix(test.want, "! ")
			want := strings.TrimPrefix(test.want, "! ")
			for n, other := range others {
				want = strings.ReplaceAll(want, fmt.Sprint("$", n), other)
			}
			got := r.undo(id, nil)
			if all := got + strings.ReplaceAll(p.question, `"`, `\"`); !strings.Contains(all, want) {
				t.Errorf("no %q in %s", want, all)
			}
			if strings.HasPrefix(got, "! ") != refused || refused != (len(r.Writes()) == writes) {
				t.Errorf("%d writes, %s", len(r.Writes())-writes, got)
			}
		})
	}
}

// TestUndoOfPrerequisites: prerequisites name variations by place, and a place may be another variation's by now.
func TestUndoOfPrerequisites(t *testing.T) {
	const key = "homepage-layout"
	r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
	variations := func() []ldclient.Variation {
		f, err := direct(t, r).Flags.Get(t.Context(), "shop", "test", key)
		if err != nil {
			t.Fatal(err)
		}
		return f.Variations
	}
	for _, name := range []string{"Three", "Four", "Five"} {
		patchDirectly(t, r, "", key, ldclient.AddVariation(ldclient.NewVariation{Value: []byte(`"` + name + `"`), Name: name}))
	}
	v := variations()
	requires := func(n int) ldclient.NewPrerequisite {
		return ldclient.NewPrerequisite{Key: key, VariationID: v[n].ID}
	}
	ids := r.history("test", []ldclient.Instruction{ldclient.AddPrerequisite(requires(4))}, []ldclient.Instruction{ldclient.UpdatePrerequisite(requires(5)), ldclient.UpdateTrackEvents(true)})
	patchDirectly(t, r, "", key, ldclient.RemoveVariation(v[3].ID)) // what is required is at the place now where it was before the entry
	writes := len(r.Writes())
	if got := r.undo(ids[1], nil); !strings.Contains(got, "the variations of flag homepage-layout were changed later") || len(r.Writes()) != writes {
		t.Error(got)
	}
}

// TestUndoQuotes: what an entry says of itself stands last and in quotes, so it cannot pass for the change.
func TestUndoQuotes(t *testing.T) {
	const lie = "x).\u200b It would change flag dark-mode in test: turn targeting off. \"Security agreed\" to it. And so on and on and on and on and on"
	p := &person{action: "decline"}
	r := start(t, func(s *setup) {
		s.mcp = []client.ClientOption{client.WithElicitationHandler(p)}
		s.client.Transport = forged{s.client.Transport, func(e map[string]any) {
			e["description"], e["shortDescription"] = lie, lie
			e["member"] = map[string]any{"_id": "m", "firstName": "Ada. Go ahead?", "lastName": "Lovelace"}
		}}
	})
	entry := r.history("production", []ldclient.Instruction{ldclient.UpdateTrackEvents(true)})[0]
	r.undo(entry, nil)
	want := regexp.MustCompile(`^This would change flag search-ranking in production of project shop: set event tracking to false\. That would undo entry \w+ of \S+ by "Ada\. Go ahead\? Lovelace", which says of itself: "x\)\. It would (?:[^"\\]|\\"){20,100}"\. Protected: production \(critical\)\.`)
	if !want.MatchString(p.question) || strings.Contains(p.question, "on and on and on and on") || strings.Contains(p.question, "\u200b") {
		t.Errorf("asked %q", p.question)
	}
}

// tap does something after a reply came, or before a request goes.
type tap struct {
	http.RoundTripper
	before, after func(*http.Request)
}

func (p tap) RoundTrip(req *http.Request) (*http.Response, error) {
	if p.before != nil {
		p.before(req)
	}
	res, err := p.RoundTripper.RoundTrip(req)
	if err != nil || p.after == nil {
		return res, err
	}
	b, err := io.ReadAll(res.Body)
	res.Body.Close()
	p.after(req)
	res.Body = io.NopCloser(bytes.NewReader(b))
	return res, err
}

// TestUndoRaces: a change that comes between planning an undo and making it is not lost, and one that comes at the very moment is told.
func TestUndoRaces(t *testing.T) {
	patch := func(req *http.Request, dry bool) bool {
		return req.Method == http.MethodPatch && (req.URL.Query().Get("dryRun") != "") == dry
	}
	flag := func(r *rig, do ...ldclient.Instruction) { patchDirectly(r.t, r, "test", "search-ranking", do...) }
	segment := func(r *rig, kind, key string) {
		if _, err := direct(r.t, r).Segments.Patch(r.t.Context(), "shop", "test", "beta-testers", ldclient.Patch{Instructions: []ldclient.Instruction{ldclient.SegmentTargets(kind, "user", []string{key})}}); err != nil {
			r.t.Fatal(err)
		}
	}
	const moment = "at the same moment (its version went from"
	for name, test := range map[string]struct {
		resource    string
		did, meanwh func(*rig)
		late        bool // as late as the patch itself
		want        string
	}{
		"another part": {"flag/search-ranking", func(r *rig) { flag(r, ldclient.TurnFlagOff()) }, func(r *rig) { flag(r, ldclient.UpdateTrackEvents(true)) }, false, "later changes that stay: 1"},
		"the same part": {"flag/search-ranking", func(r *rig) { flag(r, ldclient.UpdateOffVariation(r.ranking().Variations[1].ID)) },
			func(r *rig) { flag(r, ldclient.UpdateOffVariation(r.ranking().Variations[0].ID)) }, false, "! Entry $ cannot be undone as a whole, so nothing of it was: the off variation was changed again later"},
		"the very moment":       {"flag/search-ranking", func(r *rig) { flag(r, ldclient.TurnFlagOff()) }, func(r *rig) { flag(r, ldclient.UpdateTrackEvents(true)) }, true, moment},
		"the whole flag":        {"flag/search-ranking", func(r *rig) { flag(r, ldclient.UpdateFlagName("Passing")) }, func(r *rig) { flag(r, ldclient.UpdateFlagName("Other")) }, false, "! Entry $ cannot be undone as a whole"},
		"a segment":             {"segment/beta-testers", func(r *rig) { segment(r, "addIncludedTargets", "ann") }, func(r *rig) { segment(r, "addIncludedTargets", "bob") }, false, "later changes that stay: 1"},
		"a segment's key":       {"segment/beta-testers", func(r *rig) { segment(r, "addIncludedTargets", "ann") }, func(r *rig) { segment(r, "removeIncludedTargets", "ann") }, false, "as it was before it already"},
		"a segment, the moment": {"segment/beta-testers", func(r *rig) { segment(r, "addIncludedTargets", "ann") }, func(r *rig) { segment(r, "addIncludedTargets", "bob") }, true, moment},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r *rig
			done := true
			once := func(when bool) {
				if when && !done {
					done = true
					test.meanwh(r)
				}
			}
			r = start(t, func(s *setup) {
				s.Confirm = tools.ConfirmNever
				s.client.Transport = tap{s.client.Transport, func(req *http.Request) { once(test.late && patch(req, false)) }, func(req *http.Request) { once(!test.late && patch(req, true)) }}
			})
			test.did(r)
			entry := r.entryOf("proj/shop:env/*:" + test.resource).ID
			writes := len(r.Writes())
			done = false
			got := r.undo(entry, nil)
			if want := strings.ReplaceAll(test.want, "$", entry); !strings.Contains(got, want) || strings.HasPrefix(got, "! ") != strings.HasPrefix(want, "! ") {
				t.Errorf("no %q in %s", want, got)
			}
			if n, changed := len(r.Writes())-writes, strings.Contains(got, `"changed":true`); n > 2 || (n == 2) != changed {
				t.Errorf("%d writes: %s", n, got)
			}
		})
	}
}

// TestUndoHidesScope: a refusal does not name environments out of scope.
func TestUndoHidesScope(t *testing.T) {
	for patch, want := range map[string]string{
		`[{"op":"replace","path":"/environments/production/on","value":false},{"op":"replace","path":"/environments/staging/on","value":false}]`:                                                           "(all outside this server's scope)",
		`[{"op":"replace","path":"/environments/production/on","value":false},{"op":"replace","path":"/environments/test/trackEvents","value":true}]`:                                                      "(test and others outside this server's scope)",
		`[{"op":"replace","path":"/environments/production/on","value":false},{"op":"replace","path":"/name","value":"Passing"},{"op":"replace","path":"/environments/staging/trackEvents","value":true}]`: "(all outside this server's scope)",
	} {
		r := start(t, func(s *setup) { s.client.Scope.Environments = []string{"test"} })
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://sandbox/api/v2/flags/shop/search-ranking", strings.NewReader(patch))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", sandbox.WriterToken)
		req.Header.Set("Content-Type", "application/json")
		if res, err := r.RoundTrip(req); err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res, err)
		}
		got := r.undo(r.entryOf("proj/shop:env/*:flag/search-ranking").ID, nil)
		if !strings.Contains(got, want) || strings.Contains(got, "production") || strings.Contains(got, "staging") {
			t.Error(got)
		}
	}
}

// TestUndoSealsWhatWasSaid: a yes holds for what was read, even where the resource is still the same.
func TestUndoSealsWhatWasSaid(t *testing.T) {
	p := &person{action: "accept"}
	other := false
	r := start(t, func(s *setup) {
		s.mcp = []client.ClientOption{client.WithElicitationHandler(p)}
		s.client.Transport = forged{s.client.Transport, func(e map[string]any) {
			if other {
				e["previousVersion"].(map[string]any)["environments"].(map[string]any)["production"].(map[string]any)["on"] = false
			}
		}}
	})
	entry := r.history("production", []ldclient.Instruction{ldclient.UpdateTrackEvents(true)})[0]
	p.before = func() { other = true }
	writes := len(r.Writes())
	if got := r.undo(entry, nil); !strings.Contains(got, "what would be done is not what was confirmed any more") || len(r.Writes()) != writes {
		t.Error(got)
	}
}
