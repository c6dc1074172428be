package tools_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// previewed is the part of a preview that can be held against what happens.
type previewed struct {
	Impact *struct {
		Contexts, Changing, NotJudged int
		Examples                      []struct{ Context, From, To string }
		Unknown                       []string
	}
	Notes []string
}

// TestPreviewsComeTrue previews random instructions on random flags for random
// contexts, makes the change, and asks what the contexts get then.
func TestPreviewsComeTrue(t *testing.T) {
	t.Parallel()
	asked, changed, unknown, refused := 0, 0, 0, 0
	for seed := range uint64(6) {
		r := start(t)
		l := draw(t, r.Account, seed)
		for range 35 {
			f := l.flag()
			do := l.instructions(f, slices.Concat(configurationKinds, releasing, []string{"updateVariation", "removeVariation"})...)
			if len(do) == 0 {
				continue
			}
			contexts := l.distinct(5)
			got := r.preview(f.Key, do, contexts...)
			if got.Impact == nil { // the tool's own checks are stricter than LaunchDarkly's
				refused++
				continue
			}
			if l.chance(30) {
				r.withoutDryRun(f.Key, do, got, contexts)
			}
			said := map[string][2]string{}
			for _, c := range contexts {
				one := got
				if got.Impact.NotJudged > 0 {
					one = r.preview(f.Key, do, c)
				}
				name := nameOf(c)
				switch i := slices.IndexFunc(one.Impact.Examples, func(e struct{ Context, From, To string }) bool { return e.Context == name }); {
				case i >= 0:
					said[name] = [2]string{one.Impact.Examples[i].From, one.Impact.Examples[i].To}
				case one.Impact.NotJudged == 0:
					said[name] = [2]string{}
				}
			}
			before := map[string]string{}
			for _, c := range contexts {
				before[nameOf(c)] = l.obtains(f, c)
			}
			after := l.apply(f, do...)
			for _, c := range contexts {
				asked++
				name := nameOf(c)
				was, is := before[name], l.obtains(after, c)
				want := [2]string{}
				if valueIn(was) != valueIn(is) {
					want = names(was, is)
				}
				told, known := said[name]
				if !known {
					unknown++
					continue
				}
				if want != [2]string{} {
					changed++
				}
				if told != want {
					t.Fatalf("seed %d, flag %s: %s\ninstructions %s\npreview said %q, and it was %q", seed, f.Key, c.JSONString(), mustText(do), told, want)
				}
			}
		}
	}
	t.Logf("%d contexts: %d changed, %d unknown; %d lists refused", asked, changed, unknown, refused)
	if asked < 600 || changed < asked/10 || unknown == 0 || unknown > asked/10 {
		t.Errorf("%d contexts were asked about, of which %d changed and %d were unknown: too few or too many to tell", asked, changed, unknown)
	}
}

// withoutDryRun previews once more where LaunchDarkly tries nothing out: the result is the same, or said not to be known.
func (r *rig) withoutDryRun(flag string, do []ldclient.Instruction, want previewed, contexts []ldcontext.Context) {
	r.t.Helper()
	r.Next(sandbox.Fault{Status: 405, Body: `{"code":"method_not_allowed","message":"Flag configuration updates require approval"}`,
		Match: func(r *http.Request) bool { return r.Method == http.MethodPatch }})
	got := r.preview(flag, do, contexts...)
	notes := strings.Join(got.Notes, " ")
	if !strings.Contains(notes, "LaunchDarkly does not try it out") {
		r.t.Fatalf("no word on what was worked out here: %v", got)
	}
	if got.Impact == nil {
		known := !slices.ContainsFunc(do, func(i ldclient.Instruction) bool { return !slices.Contains(configurationKinds, i.Kind()) })
		if known || !strings.Contains(notes, "is known to LaunchDarkly alone") {
			r.t.Fatalf("%s: %s", mustText(do), notes)
		}
		return
	}
	if d := cmp.Diff(want.Impact, got.Impact); d != "" {
		r.t.Fatalf("%s: worked out here and by LaunchDarkly differ:\n%s", mustText(do), d)
	}
}

func mustText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// distinct draws contexts that no two of have the same kinds and keys.
func (l *lottery) distinct(n int) []ldcontext.Context {
	var out []ldcontext.Context
	for len(out) < n {
		c := l.context()
		if !slices.ContainsFunc(out, func(o ldcontext.Context) bool { return nameOf(o) == nameOf(c) }) {
			out = append(out, c)
		}
	}
	return out
}

func nameOf(c ldcontext.Context) string {
	var names []string
	for _, one := range c.GetAllIndividualContexts(nil) {
		names = append(names, string(one.Kind())+" "+one.Key())
	}
	return strings.Join(names, " and ")
}

func (r *rig) preview(flag string, do []ldclient.Instruction, contexts ...ldcontext.Context) previewed {
	r.t.Helper()
	about := []any{}
	for _, c := range contexts {
		var m map[string]any
		if err := json.Unmarshal([]byte(c.JSONString()), &m); err != nil {
			r.t.Fatal(err)
		}
		about = append(about, m)
	}
	var instructions []any
	if err := json.Unmarshal([]byte(mustText(do)), &instructions); err != nil {
		r.t.Fatal(err)
	}
	text := r.callWith("preview-change", map[string]any{"projectKey": "shop", "environmentKey": "test", "flagKey": flag, "instructions": instructions, "contexts": about})
	var out previewed
	if strings.HasPrefix(text, "! ") {
		return out
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		r.t.Fatalf("%s: %v", text, err)
	}
	return out
}

// obtains is what a flag gives a context: the variation's name and value, or what stands for none.
func (l *lottery) obtains(f *ldclient.Flag, c ldcontext.Context) string {
	d, err := l.Evaluate(l.project, l.env, f.Key, c)
	if err != nil {
		l.t.Fatal(err)
	}
	if !d.VariationIndex.IsDefined() {
		if d.Reason.GetKind() == ldreason.EvalReasonError {
			l.t.Fatalf("flag %s is malformed: %s", f.Key, d.Reason)
		}
		return "the fallback in code\n"
	}
	v := f.Variations[d.VariationIndex.IntValue()]
	name := v.Name
	if name == "" {
		name = d.Value.JSONString()
		if d.Value.IsString() {
			name = d.Value.StringValue()
		}
	}
	return name + "\n" + d.Value.JSONString()
}

func valueIn(s string) string {
	_, value, _ := strings.Cut(s, "\n")
	return value
}

// names are two things that a context gets, by their values where their names are the same.
func names(was, is string) [2]string {
	from, fromValue, _ := strings.Cut(was, "\n")
	to, toValue, _ := strings.Cut(is, "\n")
	if from == to {
		return [2]string{fromValue, toValue}
	}
	return [2]string{from, to}
}

// TestWorkedOutAsTriedOut: what instructions of each targeting kind do is the same here as in LaunchDarkly's dry run.
func TestWorkedOutAsTriedOut(t *testing.T) {
	t.Parallel()
	met := map[string]int{}
	for seed := range uint64(5) {
		l := draw(t, sandbox.New(sandbox.Options{}), seed)
		for range 40 {
			f := l.flag()
			do := l.instructions(f, configurationKinds...)
			if len(do) == 0 {
				continue
			}
			want, err := l.ld.Flags.Patch(t.Context(), l.project, l.env, f.Key, ldclient.Patch{Instructions: do, DryRun: true})
			if err != nil {
				t.Fatal(err)
			}
			e := engine.New(l.env)
			e.AddFlag(f.Key, f)
			for _, p := range l.needed {
				e.AddFlag(p.Key, p)
			}
			got, err := e.Apply(f.Key, do)
			if err != nil {
				t.Fatalf("%s: %v", mustText(do), err)
			}
			if d := cmp.Diff(comparable(f, want.Environments[l.env]), comparable(f, got.Environments[l.env]), cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("seed %d: %s differs:\n%s", seed, mustText(do), d)
			}
			for _, i := range do {
				met[i.Kind()]++
			}
			e = engine.New(l.env)
			e.AddFlag(f.Key, f)
			var unknown engine.Unknown
			if _, err := e.Apply(f.Key, []ldclient.Instruction{{"kind": "archiveFlag"}}); !errors.As(err, &unknown) {
				t.Fatalf("archiveFlag is known: %v", err)
			}
		}
	}
	for _, kind := range configurationKinds {
		if met[kind] == 0 {
			t.Errorf("%s was not met", kind)
		}
	}
}

// comparable is a configuration without what a change gives anew: versions, and the ids of new rules and clauses.
func comparable(was *ldclient.Flag, c ldclient.FlagConfig) ldclient.FlagConfig {
	known := mustText(was)
	id := func(s string) string {
		if s != "" && strings.Contains(known, s) {
			return s
		}
		return "new"
	}
	c.Version, c.LastModified, c.Summary = 0, 0, ldclient.FlagSummary{}
	c.Rules = slices.Clone(c.Rules)
	for i := range c.Rules {
		r := &c.Rules[i]
		r.ID, r.Clauses = id(r.ID), slices.Clone(r.Clauses)
		for j := range r.Clauses {
			r.Clauses[j].ID = id(r.Clauses[j].ID)
			for k, v := range r.Clauses[j].Values {
				r.Clauses[j].Values = slices.Clone(r.Clauses[j].Values)
				r.Clauses[j].Values[k] = fmt.Sprint(v)
			}
		}
	}
	return c
}
