package tools_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// entryOf is the newest audit log entry on a resource.
func (r *rig) entryOf(resource string) ldclient.AuditEntry {
	r.t.Helper()
	got, err := direct(r.t, r).AuditLog.Search(r.t.Context(), ldclient.AuditQuery{Limit: 1, Statements: []ldclient.Statement{{Effect: "allow", Resources: []string{resource}, Actions: []string{"*"}}}})
	if err != nil || len(got.Items) == 0 {
		r.t.Fatal("no entry of ", resource, err)
	}
	return got.Items[0]
}

// undo calls undo-change in project shop and confirms where that is asked for.
func (r *rig) undo(id string, more map[string]any) string {
	r.t.Helper()
	args := map[string]any{"projectKey": "shop", "auditLogEntryId": id, "comment": "because"}
	for k, v := range more {
		args[k] = v
	}
	got := r.callWith("undo-change", args)
	if word := wantsWord.FindStringSubmatch(got); word != nil && args["confirm"] == nil {
		args["confirm"] = word[1]
		got = r.callWith("undo-change", args)
	}
	return got
}

// history makes changes on flag search-ranking in test through LaunchDarkly's own door and returns the entries.
func (r *rig) history(environment string, steps ...[]ldclient.Instruction) []string {
	r.t.Helper()
	var out []string
	for _, do := range steps {
		patchDirectly(r.t, r, environment, "search-ranking", do...)
		out = append(out, r.entryOf("proj/shop:env/*:flag/search-ranking").ID)
	}
	return out
}

// ranking is flag search-ranking with all environments.
func (r *rig) ranking() *ldclient.Flag {
	r.t.Helper()
	f, err := direct(r.t, r).Flags.Get(r.t.Context(), "shop", "", "search-ranking")
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

// TestUndoRefuses: whatever stands in the way of an undo is said, all of it, and nothing is written.
func TestUndoRefuses(t *testing.T) {
	type do = []ldclient.Instruction
	flag := func(r *rig) (ids []string, f *ldclient.Flag) {
		f = r.ranking()
		for _, v := range f.Variations {
			ids = append(ids, v.ID)
		}
		return ids, f
	}
	clause := func(values ...any) []ldclient.Clause {
		return []ldclient.Clause{{Attribute: "plan", Op: "in", Values: values}}
	}
	inSegment := []ldclient.Clause{{Attribute: "segmentMatch", Op: "segmentMatch", Values: []any{"passing"}}}
	for name, test := range map[string]struct {
		entry func(r *rig) string
		want  []string
	}{
		"a rule that was changed again, and a target": {func(r *rig) string {
			v, _ := flag(r)
			first := r.history("test", do{ldclient.AddRule(ldclient.NewRule{Clauses: clause("pro"), Serve: ldclient.Serve{VariationID: v[1]}}, ""),
				ldclient.AddTargets(ldclient.NewTarget{VariationID: v[1], Values: []string{"ann", "bob"}})})
			rule := r.ranking().Environments["test"].Rules[0].ID
			r.history("test", do{ldclient.UpdateRuleDescription(rule, "Pros"), ldclient.RemoveTargets(ldclient.NewTarget{VariationID: v[1], Values: []string{"ann"}}),
				ldclient.AddTargets(ldclient.NewTarget{VariationID: v[2], Values: []string{"ann"}})})
			return first[0]
		}, []string{`the rule "if plan in pro" was changed again later`, "the target user ann was changed again later", "nothing of it was"}},
		"a variation that is served elsewhere": {func(r *rig) string {
			first := r.history("", do{ldclient.AddVariation(ldclient.NewVariation{Value: []byte(`"vector"`), Name: "Vector"})})
			v, _ := flag(r)
			r.history("staging", do{ldclient.UpdateOffVariation(v[3])})
			return first[0]
		}, []string{"variation Vector cannot go: it is in use in staging: off variation"}},
		"a variation that another flag requires": {func(r *rig) string {
			first := r.history("", do{ldclient.AddVariation(ldclient.NewVariation{Value: []byte(`"vector"`), Name: "Vector"})})
			v, _ := flag(r)
			patchDirectly(r.t, r, "test", "dark-mode", ldclient.AddPrerequisite(ldclient.NewPrerequisite{Key: "search-ranking", VariationID: v[3]}))
			return first[0]
		}, []string{"variation Vector cannot go: it is a prerequisite of dark-mode in test"}},
		"a rule whose variation is gone": {func(r *rig) string {
			r.history("", do{ldclient.AddVariation(ldclient.NewVariation{Value: []byte(`"vector"`), Name: "Vector"})})
			v, _ := flag(r)
			r.history("test", do{ldclient.AddRule(ldclient.NewRule{Clauses: clause("pro"), Serve: ldclient.Serve{VariationID: v[3]}}, "")})
			gone := r.history("test", do{ldclient.RemoveRule(r.ranking().Environments["test"].Rules[0].ID)})
			r.history("", do{ldclient.RemoveVariation(v[3])})
			return gone[0]
		}, []string{`the rule "if plan in pro" served variation Vector, which is not there any more`}},
		"a rule and its variation, both removed at once": {func(r *rig) string {
			r.history("", do{ldclient.AddVariation(ldclient.NewVariation{Value: []byte(`"vector"`), Name: "Vector"})})
			v, _ := flag(r)
			r.history("test", do{ldclient.AddRule(ldclient.NewRule{Clauses: clause("pro"), Serve: ldclient.Serve{VariationID: v[3]}}, "")})
			return r.history("test", do{ldclient.RemoveRule(r.ranking().Environments["test"].Rules[0].ID), ldclient.RemoveVariation(v[3])})[0]
		}, []string{"served variation Vector, which has to be there first; add it with update-flag-variations"}},
		"a rule whose segment is gone": {func(r *rig) string {
			v, _ := flag(r)
			r.mustCall("create-segment", `{"projectKey":"shop","env":"test","key":"passing","name":"Passing"}`)
			r.history("test", do{ldclient.AddRule(ldclient.NewRule{Clauses: inSegment, Serve: ldclient.Serve{VariationID: v[1]}}, "")})
			gone := r.history("test", do{ldclient.RemoveRule(r.ranking().Environments["test"].Rules[0].ID)})
			if err := direct(r.t, r).Segments.Delete(r.t.Context(), "shop", "test", "passing"); err != nil {
				r.t.Fatal(err)
			}
			return gone[0]
		}, []string{"a rule named segment passing, which is not there any more"}},
		"a prerequisite that is archived": {func(r *rig) string {
			r.require("gift-cards")
			gone := r.history("test", do{ldclient.RemovePrerequisite("gift-cards")})
			patchDirectly(r.t, r, "", "gift-cards", ldclient.ArchiveFlag())
			return gone[0]
		}, []string{"flag gift-cards, which was required, is archived now; restore it with restore-flag first"}},
		"a prerequisite that would make a circle": {func(r *rig) string {
			r.require("gift-cards")
			gone := r.history("test", do{ldclient.RemovePrerequisite("gift-cards")})
			v, _ := flag(r)
			patchDirectly(r.t, r, "test", "gift-cards", ldclient.AddPrerequisite(ldclient.NewPrerequisite{Key: "search-ranking", VariationID: v[0]}))
			return gone[0]
		}, []string{"circle"}},
		"archiving again what others require": {func(r *rig) string {
			restored := r.history("", do{ldclient.ArchiveFlag()}, do{ldclient.RestoreFlag()})
			v, _ := flag(r)
			patchDirectly(r.t, r, "test", "dark-mode", ldclient.AddPrerequisite(ldclient.NewPrerequisite{Key: "search-ranking", VariationID: v[0]}))
			return restored[1]
		}, []string{"it cannot be archived again: flag dark-mode has it as a prerequisite in test"}},
		"a rollout that runs": {func(r *rig) string {
			v, _ := flag(r)
			return r.history("test", do{ldclient.UpdateFallthrough(ldclient.Serve{VariationID: v[0]})}, do{ldclient.StartRelease(ldclient.NewRelease{Kind: "progressive", OriginalID: v[0], TargetID: v[1], RandomizationUnit: "user",
				Stages: []ldclient.ReleaseStage{{Allocation: 10_000, Duration: 3_600_000}}})})[1]
		}, []string{"a progressive rollout of", "on the default rule runs now; stop it with stop-progressive-rollout"}},
		"a flag that was made anew": {func(r *rig) string {
			first := r.history("test", do{ldclient.TurnFlagOff()})
			if err := direct(r.t, r).Flags.Delete(r.t.Context(), "shop", "search-ranking"); err != nil {
				r.t.Fatal(err)
			}
			r.mustCall("create-flag", `{"projectKey":"shop","key":"search-ranking","name":"Again"}`)
			return first[0]
		}, []string{"was deleted after entry", "made anew"}},
		"an expiring target": {func(r *rig) string {
			r.mustCall("update-individual-targets", `{"projectKey":"shop","env":"test","flagKey":"dark-mode","instructions":[{"kind":"addTargets","variation":"true","values":["ann"]}]}`)
			r.mustCall("manage-expiring-targets", `{"projectKey":"shop","env":"test","flagKey":"dark-mode","action":"add","contextKey":"ann","variation":"true","expiresAt":"2099-01-01T00:00:00Z"}`)
			return r.entryOf("proj/shop:env/test:flag/dark-mode").ID
		}, []string{"it changed when targets expire; set that with manage-expiring-targets"}},
		"a trigger": {func(r *rig) string {
			r.mustCall("create-flag-trigger", `{"projectKey":"shop","env":"test","flagKey":"dark-mode","action":"turnFlagOff"}`)
			return r.entryOf("proj/shop:env/test:flag/dark-mode").ID
		}, []string{"it made a trigger; remove that with delete-flag-trigger"}},
		"a flag that was deleted": {func(r *rig) string {
			if err := direct(r.t, r).Flags.Delete(r.t.Context(), "shop", "search-ranking"); err != nil {
				r.t.Fatal(err)
			}
			return r.entryOf("proj/shop:env/*:flag/search-ranking").ID
		}, []string{"a deleted flag does not come back"}},
		"an SDK key": {func(r *rig) string {
			req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://sandbox/api/v2/projects/shop/environments/test/apiKey", nil)
			if err != nil {
				r.t.Fatal(err)
			}
			req.Header.Set("Authorization", sandbox.WriterToken)
			if res, err := r.RoundTrip(req); err != nil || res.StatusCode != http.StatusOK {
				r.t.Fatal(res, err)
			}
			return r.entryOf("proj/shop:env/test").ID
		}, []string{"it replaced an SDK key, and the old key cannot be turned back on"}},
		"keys of a big segment": {func(r *rig) string {
			r.mustCall("create-segment", `{"projectKey":"shop","env":"test","key":"b","name":"B","unbounded":true}`)
			r.mustCall("update-segment-targets", `{"projectKey":"shop","env":"test","segmentKey":"b","instructions":[{"kind":"addIncludedTargets","values":["ann"]}]}`)
			return r.entryOf("proj/shop:env/test:segment/b").ID
		}, []string{"who is in the big segment b", "does not tell which keys"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
			id := test.entry(r)
			writes := len(r.Writes())
			for _, dry := range []bool{true, false} {
				got := r.undo(id, map[string]any{"dryRun": dry})
				for _, want := range append(test.want, "Nothing was changed.") {
					if !strings.HasPrefix(got, "! ") || !strings.Contains(got, want) {
						t.Errorf("no %q in %s", want, got)
					}
				}
			}
			if n := len(r.Writes()) - writes; n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// require makes a flag a prerequisite of search-ranking in test.
func (r *rig) require(key string) {
	r.t.Helper()
	f, err := direct(r.t, r).Flags.Get(r.t.Context(), "shop", "test", key)
	if err != nil {
		r.t.Fatal(err)
	}
	r.history("test", []ldclient.Instruction{ldclient.AddPrerequisite(ldclient.NewPrerequisite{Key: key, VariationID: f.Variations[0].ID})})
}

// TestUndoPutsInPlace: a rule comes back where it was, and rules are ordered as they were.
func TestUndoPutsInPlace(t *testing.T) {
	r := start(t)
	v := r.ranking().Variations
	add := func(plan string) ldclient.Instruction {
		return ldclient.AddRule(ldclient.NewRule{Clauses: []ldclient.Clause{{Attribute: "plan", Op: "in", Values: []any{plan}}}, Description: plan, TrackEvents: true, Serve: ldclient.Serve{VariationID: v[1].ID}}, "")
	}
	order := func() string {
		var out []string
		for _, rule := range r.ranking().Environments["test"].Rules {
			if !rule.TrackEvents {
				t.Errorf("%s does not track events", rule.Description)
			}
			out = append(out, rule.Description)
		}
		return strings.Join(out, " ")
	}
	r.history("test", []ldclient.Instruction{add("a"), add("b"), add("c"), add("d")})
	rules := r.ranking().Environments["test"].Rules
	entries := r.history("test", []ldclient.Instruction{ldclient.RemoveRule(rules[1].ID), ldclient.RemoveRule(rules[3].ID)},
		[]ldclient.Instruction{ldclient.ReorderRules([]string{rules[2].ID, rules[0].ID})}, []ldclient.Instruction{add("later")})
	for _, step := range []struct{ entry, want string }{{entries[1], "a c later"}, {entries[0], "a b c d later"}} {
		if got := r.undo(step.entry, nil); !strings.Contains(got, `"changed":true`) || order() != step.want {
			t.Errorf("%s: the order is %q, want %q", got, order(), step.want)
		}
	}
}

// TestUndoIsBound: a yes to an undo does not hold for a flag that changed meanwhile.
func TestUndoIsBound(t *testing.T) {
	p := &person{action: "accept"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	entry := r.history("production", []ldclient.Instruction{ldclient.UpdateTrackEvents(true)})[0]
	p.before = func() { patchDirectly(t, r, "production", "search-ranking", ldclient.TurnFlagOff()) }
	writes := len(r.Writes())
	got := r.undo(entry, nil)
	if !strings.Contains(got, "the resource has changed since") || len(r.Writes()) != writes+1 {
		t.Errorf("%s; %d writes, want the other's alone", got, len(r.Writes())-writes)
	}
	if !strings.Contains(p.question, "would undo entry") || !strings.Contains(p.question, entry) || !strings.Contains(p.question, "Protected: production") {
		t.Errorf("asked %q", p.question)
	}
}

// TestUndoWritesOnce: a dry run writes nothing, an undo one patch, and a second one nothing.
func TestUndoWritesOnce(t *testing.T) {
	r := start(t)
	entry := r.history("test", []ldclient.Instruction{ldclient.TurnFlagOff(), ldclient.UpdateTrackEvents(true)})[0]
	for _, step := range []struct {
		args   map[string]any
		writes int
		want   string
	}{{map[string]any{"dryRun": true}, 0, `"dryRun":true`}, {nil, 1, `"changed":true`}, {nil, 0, "as it was before it already"}} {
		writes := len(r.Writes())
		got := r.undo(entry, step.args)
		if len(r.Writes())-writes != step.writes || !strings.Contains(got, step.want) {
			t.Errorf("%s; %d writes, want %d", got, len(r.Writes())-writes, step.writes)
		}
	}
}

// TestUndoInScope: what an entry changed is judged, not what its caller says of it.
func TestUndoInScope(t *testing.T) {
	for name, test := range map[string]struct {
		scope       ldclient.Scope
		project     string
		environment string
		want        string
	}{
		"another project than given":     {ldclient.Scope{}, "mobile", "test", "no audit log entry of project mobile"},
		"an environment out of scope":    {ldclient.Scope{Environments: []string{"test"}}, "shop", "staging", "outside this server's scope"},
		"all environments, one in scope": {ldclient.Scope{Environments: []string{"test"}}, "shop", "", "would change every environment"},
		"the project out of scope":       {ldclient.Scope{Projects: []string{"mobile"}}, "mobile", "test", "outside this server's scope"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *setup) { s.client.Scope = test.scope; s.Confirm = tools.ConfirmNever })
			do := ldclient.UpdateTrackEvents(true)
			if test.environment == "" {
				do = ldclient.AddFlagTags([]string{"passing"})
			}
			entry := r.history(test.environment, []ldclient.Instruction{do})[0]
			writes := len(r.Writes())
			got := r.undo(entry, map[string]any{"projectKey": test.project})
			if !strings.HasPrefix(got, "! ") || !strings.Contains(got, test.want) || len(r.Writes()) != writes {
				t.Error(got)
			}
		})
	}
}

// forged answers a read of one audit log entry with something else.
type forged struct {
	http.RoundTripper
	change func(entry map[string]any)
}

func (f forged) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := f.RoundTripper.RoundTrip(req)
	if err != nil || !strings.Contains(req.URL.Path, "/auditlog/") {
		return res, err
	}
	var entry map[string]any
	if err := json.NewDecoder(res.Body).Decode(&entry); err != nil {
		return nil, err
	}
	res.Body.Close()
	f.change(entry)
	b, err := json.Marshal(entry)
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	return res, err
}

// TestUndoDistrusts: an entry that was made up cannot aim an undo elsewhere, hide what it does, or get a secret shown.
func TestUndoDistrusts(t *testing.T) {
	secret := "sdk-01234567-89ab-cdef-0123-456789abcdef"
	resource := func(to string) func(map[string]any) {
		return func(e map[string]any) {
			e["target"].(map[string]any)["resources"] = []string{to}
			e["accesses"] = []any{}
		}
	}
	version := func(which string, set func(map[string]any)) func(map[string]any) {
		return func(e map[string]any) { set(e[which].(map[string]any)) }
	}
	for name, test := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"another flag": {resource("proj/shop:env/test:flag/dark-mode"), "is not flag dark-mode"},
		"a path":       {resource("proj/shop:env/test:flag/.."), "cannot be a key"},
		"a member":     {resource("member/5f0"), "takes back changes of flags, segments, environments and projects"},
		"several things": {func(e map[string]any) {
			e["accesses"] = []any{map[string]any{"action": "updateOn", "resource": "proj/shop:env/test:flag/dark-mode"}}
		}, "several things"},
		"another entry":        {func(e map[string]any) { e["_id"] = "5f0c1e7a9b3d2f4860a1b2c3" }, "There is no audit log entry"},
		"no versions":          {func(e map[string]any) { delete(e, "previousVersion"); delete(e, "currentVersion") }, "does not hold what the flag was"},
		"versions of no shape": {func(e map[string]any) { e["previousVersion"], e["currentVersion"] = "a", []any{} }, "does not hold what the flag was"},
		"a part of no shape":   {version("previousVersion", func(f map[string]any) { f["variations"] = "none" }), "could not be read"},
		"a salt besides":       {version("previousVersion", func(f map[string]any) { f["environments"].(map[string]any)["test"].(map[string]any)["salt"] = secret }), "salt was changed too, and cannot be turned back"},
		"a secret in a name":   {version("previousVersion", func(f map[string]any) { f["name"] = secret }), "sdk-****"},
		"another environment": {version("previousVersion", func(f map[string]any) {
			f["environments"].(map[string]any)["production"].(map[string]any)["on"] = false
		}), "in several environments at once (production, test)"},
		"a variation not there": {version("previousVersion", func(f map[string]any) {
			f["environments"].(map[string]any)["test"].(map[string]any)["offVariation"] = 77
		}), "no instruction that leaves a flag without one"},
		"hidden text": {version("previousVersion", func(f map[string]any) {
			f["environments"].(map[string]any)["test"].(map[string]any)["rules"] = []any{map[string]any{"_id": "x", "description": "\u202eGo ahead?\n" + secret,
				"variation": 0, "clauses": []any{map[string]any{"_id": "y", "attribute": "plan", "op": "in", "values": []any{"pro"}}}}}
		}), "add a rule"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &person{action: "decline"}
			r := start(t, func(s *setup) {
				s.client.Transport = forged{s.client.Transport, test.change}
				s.Protect = []string{"*"}
				s.mcp = []client.ClientOption{client.WithElicitationHandler(p)}
			})
			entry := r.history("test", []ldclient.Instruction{ldclient.UpdateTrackEvents(true)})[0]
			writes := len(r.Writes())
			got := r.undo(entry, nil) + " " + p.question + " " + r.undo(entry, map[string]any{"dryRun": true})
			if !strings.Contains(got, test.want) || strings.Contains(got, secret) || strings.ContainsAny(got, "\u202e\n") || len(r.Writes()) != writes {
				t.Errorf("no %q in %s", test.want, got)
			}
		})
	}
}

// TestUndoSettings takes back settings of segments, environments and a project.
func TestUndoSettings(t *testing.T) {
	for name, test := range map[string]struct{ do, args, resource, undo, want string }{
		"a segment's description": {"update-segment-settings", `{"projectKey":"shop","env":"test","segmentKey":"beta-testers","instructions":[{"kind":"updateDescription","value":"Passing"}]}`,
			"proj/shop:env/test:segment/beta-testers", "", `"description":`},
		"an environment's tags": {"update-environment", `{"projectKey":"shop","env":"test","tags":["passing"],"color":"123456"}`, "proj/shop:env/test", "", `"color":`},
		"a project's name":      {"update-project", `{"projectKey":"shop","name":"Passing","comment":"because"}`, "proj/shop", "", `"name":"Passing"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
			if got := r.call(test.do, test.args); !strings.Contains(got, `"changed":true`) {
				t.Fatal(got)
			}
			entry := r.entryOf(test.resource).ID
			if got := r.undo(entry, nil); !strings.Contains(got, `"changed":true`) || !strings.Contains(got, test.want) {
				t.Error(got)
			}
			if got := r.undo(entry, nil); !strings.Contains(got, "as it was before it already") {
				t.Error(got)
			}
		})
	}
}

// TestUndoOfWholeConfigurations takes back a copy from another environment and an approved request; the entry of the request itself changed nothing.
func TestUndoOfWholeConfigurations(t *testing.T) {
	for name, test := range map[string]struct {
		do, args, flag string
		entry          int // from the newest on
	}{
		"a copy":     {"copy-flag-config", `{"projectKey":"shop","flagKey":"search-ranking","sourceEnvironmentKey":"production","targetEnvironmentKey":"test"}`, "search-ranking", 0},
		"a request":  {"apply-approval-request", `{"projectKey":"shop","id":"` + waitingIn()["test"].approved + `"}`, "dark-mode", 0},
		"its entry":  {"apply-approval-request", `{"projectKey":"shop","id":"` + waitingIn()["test"].approved + `"}`, "dark-mode", 1},
		"a schedule": {"create-scheduled-change", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","executionDate":"2099-01-01T00:00:00Z","instructions":[{"kind":"turnFlagOff"}]}`, "dark-mode", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
			config := func() map[string]any {
				f, err := direct(t, r).Flags.Get(t.Context(), "shop", "", test.flag)
				if err != nil {
					t.Fatal(err)
				}
				return plainFlag(f)
			}
			before := config()
			r.mustCall(test.do, test.args)
			changed := !cmp.Equal(before, config())
			got, err := direct(t, r).AuditLog.Search(t.Context(), ldclient.AuditQuery{Limit: 3})
			if err != nil {
				t.Fatal(err)
			}
			reply := r.undo(got.Items[test.entry].ID, nil)
			if name == "its entry" || name == "a schedule" {
				if !strings.HasPrefix(reply, "! ") || !strings.Contains(reply, "cannot be undone: it") {
					t.Error(reply)
				}
				return
			}
			if d := cmp.Diff(before, config()); d != "" || !changed || !strings.Contains(reply, `"changed":true`) {
				t.Errorf("%s\n%s", reply, d)
			}
		})
	}
}
