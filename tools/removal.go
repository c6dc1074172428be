package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// readiness is the verdict on whether a flag can be removed.
type readiness struct {
	Key             string           `json:"key"`
	Verdict         string           `json:"verdict" doc:"blocked if there is a blocker, else caution if there is a warning, else safe"`
	Next            string           `json:"next" doc:"what to do now"`
	ForwardValue    *forwardValue    `json:"forwardValue,omitempty" doc:"what stands in for the flag in code; not given if the environments do not agree"`
	Blockers        []finding        `json:"blockers"`
	Warnings        []finding        `json:"warnings"`
	Environments    []readinessIn    `json:"environments" doc:"those that decide: the critical ones and the one given, or all if none is critical; the first ten"`
	MoreEnvs        int              `json:"moreEnvironments,omitempty"`
	Dependents      []string         `json:"dependentFlags,omitempty" doc:"the first ten"`
	CodeReferences  []repositoryUses `json:"codeReferences,omitempty" doc:"the first ten repositories"`
	ExpiringTargets int              `json:"expiringTargets,omitempty"`
	Temporary       bool             `json:"temporary"`
	Archived        bool             `json:"archived,omitempty"`
	AgeDays         int              `json:"ageDays"`
	URL             string           `json:"url,omitempty"`
}

// finding is one reason for a verdict.
type finding struct {
	Kind string `json:"kind"`
	Says string `json:"says"`
}

type forwardValue struct {
	ID    string `json:"_id"`
	Name  string `json:"name,omitempty"`
	Value any    `json:"value"`
}

type readinessIn struct {
	Environment   string   `json:"environmentKey"`
	Critical      bool     `json:"critical,omitempty"`
	Status        string   `json:"status,omitempty"`
	LastRequested string   `json:"lastRequested,omitempty" doc:"not given if never"`
	On            bool     `json:"on"`
	Results       []string `json:"results" doc:"what contexts can get"`
}

type repositoryUses struct {
	Repository string `json:"repository"`
	Files      int    `json:"files"`
	References int    `json:"references"`
}

var checkRemovalReadiness = read(Spec{
	Name: "check-removal-readiness", Title: "Check whether a flag can be removed",
	Doc: "Judge whether a flag can be removed from code: safe, caution or blocked, with reasons and the value that stands in for it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"-" doc:"Besides the critical ones"`
	Repository  string `json:"repository,omitempty" alias:"repo,repoName" doc:"Being cleaned up: its references are no warning"`
}) (readiness, error) {
	for _, key := range []string{in.Flag, in.Environment} {
		if err := ldclient.CheckKey(key); key != "" && err != nil {
			return readiness{}, badf("%v", err)
		}
	}
	if err := ld.Scope().Check(ldclient.Target{Project: in.Project, Environment: in.Environment}, false); err != nil {
		return readiness{}, err
	}
	envs, err := ld.Environments.All(ctx, in.Project)
	if err != nil {
		return readiness{}, err
	}
	r := removal{ld: ld, at: in.target(), repository: in.Repository, critical: map[string]bool{}}
	if err := r.choose(envs, in.Environment); err != nil {
		return readiness{}, err
	}
	if err := r.read(ctx); err != nil {
		return readiness{}, err
	}
	return r.judge(), nil
})

// removal gathers what is known of a flag that is to go.
type removal struct {
	ld         *ldclient.Client
	at         ldclient.Target
	repository string

	deciding []string // environments that decide
	critical map[string]bool
	unseen   int // critical environments out of scope

	flag       *ldclient.Flag
	status     map[string]ldclient.FlagStatus
	dependents []dependentRow
	expiring   map[string]int // by environment
	uses       []ldclient.Usage
	unread     []string // what could not be read

	blockers, warnings []finding
}

// choose picks the environments that decide: the critical ones and the one asked for, all where none is critical.
func (r *removal) choose(envs []ldclient.Environment, asked string) error {
	var seen []string
	for _, e := range envs {
		allowed := r.ld.Scope().AllowsEnvironment(e.Key)
		r.critical[e.Key] = e.Critical.On()
		switch {
		case allowed && (e.Critical.On() || e.Key == asked):
			r.deciding = append(r.deciding, e.Key)
		case !allowed && e.Critical.On():
			r.unseen++
		}
		if allowed {
			seen = append(seen, e.Key)
		}
	}
	if asked != "" && !slices.Contains(r.deciding, asked) {
		return absent("environment", asked, seen)
	}
	if !slices.ContainsFunc(envs, func(e ldclient.Environment) bool { return e.Critical.On() }) {
		r.deciding = seen
	}
	if len(r.deciding) == 0 {
		return badf("no critical environment is in this server's scope; name one that is with environmentKey: %s", strings.Join(seen, ", "))
	}
	return nil
}

func (r *removal) read(ctx context.Context) error {
	g := gather(ctx)
	g.need(func(ctx context.Context) (err error) {
		r.flag, err = r.ld.Flags.GetIn(ctx, r.at.Project, r.at.Key, r.deciding...)
		return err
	})
	g.need(func(ctx context.Context) (err error) {
		r.status, err = r.ld.Flags.StatusAcross(ctx, r.at.Project, r.at.Key)
		return err
	})
	g.want("dependent flags", func(ctx context.Context) (err error) {
		r.dependents, _, err = dependentsOf(ctx, r.ld, r.at)
		return err
	})
	g.want("code references", func(ctx context.Context) (err error) {
		r.uses, err = r.ld.CodeRefs.Usages(ctx, r.at.Project, r.at.Key)
		return err
	})
	var mu sync.Mutex
	r.expiring = map[string]int{}
	for _, env := range r.deciding {
		g.want("expiring targets in "+env, func(ctx context.Context) error {
			got, err := r.ld.Flags.ExpiringTargets(ctx, r.at.Project, env, r.at.Key)
			mu.Lock()
			defer mu.Unlock()
			r.expiring[env] = len(got)
			return err
		})
	}
	var err error
	r.unread, err = g.wait()
	slices.Sort(r.unread)
	return err
}

func (r *removal) block(kind, format string, args ...any) {
	r.blockers = append(r.blockers, finding{kind, fmt.Sprintf(format, args...)})
}

func (r *removal) warn(kind, format string, args ...any) {
	r.warnings = append(r.warnings, finding{kind, fmt.Sprintf(format, args...)})
}

// judge weighs what was read.
func (r *removal) judge() readiness {
	f, now := r.flag, present(r.ld)
	out := readiness{Key: f.Key, Temporary: f.Temporary, Archived: f.Archived, AgeDays: wholeDays(f.CreationDate.Time(), now), URL: pageURL(r.ld, r.at)}
	requested := r.judgeUse(&out)
	r.judgeValue(&out, requested)
	if n := len(r.dependents); n > 0 {
		out.Dependents = ten(keysOf(r.dependents, func(d dependentRow) string { return d.Key }), 0)
		r.block("dependent_flags", "it is a prerequisite of %s", listed(out.Dependents, n))
	}
	r.judgeTraces(&out)
	if !f.Temporary {
		r.warn("permanent", "it is marked permanent, so it may be meant to stay")
	}
	for _, what := range r.unread {
		r.warn("not_checked", "%s", what)
	}
	if r.unseen > 0 {
		r.warn("not_checked", "%s outside this server's scope not looked at", several(r.unseen, "critical environment was", "critical environments were"))
	}
	out.Blockers, out.Warnings = append([]finding{}, r.blockers...), append([]finding{}, r.warnings...)
	switch {
	case len(out.Blockers) > 0:
		out.Verdict, out.Next = "blocked", "Resolve the blockers, then check again. Do not remove the flag."
	case len(out.Warnings) > 0:
		out.Verdict, out.Next = "caution", "Show the warnings to the user and let them decide. "+r.steps(out.ForwardValue, requested)
	default:
		out.Verdict, out.Next = "safe", r.steps(out.ForwardValue, requested)
	}
	return out
}

// judgeUse looks at who asks for the flag; it tells whether anyone does in an environment that decides.
func (r *removal) judgeUse(out *readiness) (requested bool) {
	var others, active, fresh []string
	for _, env := range r.deciding {
		c, s := r.flag.Environments[env], r.status[env]
		row := readinessIn{Environment: env, Critical: r.critical[env], Status: s.Name, LastRequested: s.LastRequested.String(), On: c.On}
		for _, v := range results(c) {
			row.Results = append(row.Results, resultLabel(r.flag, v))
		}
		out.Environments = append(out.Environments, row)
		switch s.Name {
		case "active":
			active = append(active, env)
		case "launched":
			requested = true
		case "new":
			fresh = append(fresh, env)
		case "":
			r.warn("not_checked", "LaunchDarkly gave no status in %s", env)
		}
	}
	out.MoreEnvs = max(0, len(out.Environments)-firstOf)
	out.Environments = ten(out.Environments, 0)
	for env, s := range r.status {
		if s.Name == "active" && !slices.Contains(r.deciding, env) {
			others = append(others, env)
		}
	}
	slices.Sort(others)
	if len(active) > 0 {
		r.block("active_traffic", "it is in use in %s: requested lately, and not settled on one variation for 7 days", listed(ten(active, 0), len(active)))
	}
	if len(fresh) > 0 {
		r.warn("new", "it is new in %s: younger than 7 days and never requested, so its code may be on the way", listed(ten(fresh, 0), len(fresh)))
	}
	if len(others) > 0 {
		r.warn("other_environments", "it is in use in %s, which do not count as critical", listed(ten(others, 0), len(others)))
	}
	return requested || len(active) > 0
}

// judgeValue finds the one variation that everyone gets, or what keeps it from being one.
func (r *removal) judgeValue(out *readiness, requested bool) {
	f, one := r.flag, -1
	var mixed, on, off []string
	gives := map[int][]string{}
	for _, env := range r.deciding {
		c := f.Environments[env]
		got := results(c)
		if len(got) > 1 {
			mixed = append(mixed, env)
			continue
		}
		gives[got[0]], one = append(gives[got[0]], env), got[0]
		if c.On {
			on = append(on, env)
		} else {
			off = append(off, env)
		}
	}
	if len(mixed) > 0 {
		r.block("several_results", "targeting is on with several possible results in %s", listed(ten(mixed, 0), len(mixed)))
		return
	}
	var says string
	switch {
	case len(gives) > 1:
		var parts []string
		for v := -1; v < len(f.Variations); v++ {
			if len(gives[v]) > 0 {
				parts = append(parts, fmt.Sprintf("%s in %s", resultLabel(f, v), listed(ten(gives[v], 0), len(gives[v]))))
			}
		}
		says = "environments do not agree: " + strings.Join(parts, ", ")
	case len(on) > 0 && len(off) > 0:
		says = fmt.Sprintf("it is on in %s and off in %s, though all get %s", listed(ten(on, 0), len(on)), listed(ten(off, 0), len(off)), resultLabel(f, one))
	case one < 0 || one >= len(f.Variations):
		says = "it has no off variation, so everyone gets the fallback in code"
	default:
		v := f.Variations[one]
		out.ForwardValue = &forwardValue{v.ID, v.Name, decoded(v.Value)}
		return
	}
	if requested && len(gives) > 1 {
		r.block("environments_differ", "%s", says)
		return
	}
	r.warn("no_forward_value", "%s", says)
}

// judgeTraces looks at what is left of the flag elsewhere.
func (r *removal) judgeTraces(out *readiness) {
	var others []string
	for _, u := range r.uses {
		if u.Hunks == 0 && u.Files == 0 {
			continue
		}
		out.CodeReferences = append(out.CodeReferences, repositoryUses{u.Name, u.Files, u.Hunks})
		if u.Name != r.repository {
			others = append(others, u.Name)
		}
	}
	out.CodeReferences = ten(out.CodeReferences, 0)
	if len(others) > 0 {
		r.warn("code_references", "code in %s refers to it; clean up there too", listed(ten(others, 0), len(others)))
	}
	for _, n := range r.expiring {
		out.ExpiringTargets += n
	}
	if out.ExpiringTargets > 0 {
		r.warn("expiring_targets", "%s set to expire, so someone planned further with it", several(out.ExpiringTargets, "individual target is", "individual targets are"))
	}
}

// steps is how to remove a flag that nothing blocks.
func (r *removal) steps(forward *forwardValue, requested bool) string {
	switch {
	case r.flag.Archived:
		return "It is archived already; remove what is left of it in code."
	case forward == nil:
		return "There is no one value to put in its place: make sure that no code asks for it, then archive it; archiving can be undone, deleting cannot."
	case requested:
		return "Put the forward value in its place in code and deploy that first; archive the flag once nothing requests it any more. Archiving can be undone, deleting cannot."
	}
	return "Put the forward value in its place wherever code still asks for it, then archive the flag; archiving can be undone, deleting cannot."
}

// results are the variations that a configuration can give, -1 for the fallback in code.
func results(c ldclient.FlagConfig) []int {
	seen := map[int]bool{}
	off := func() {
		if c.OffVariation == nil {
			seen[-1] = true
		} else {
			seen[*c.OffVariation] = true
		}
	}
	serve := func(s ldclient.RuleServe) {
		switch {
		case s.Variation != nil:
			seen[*s.Variation] = true
		case s.Rollout != nil:
			for _, w := range s.Rollout.Variations {
				if w.Weight > 0 {
					seen[w.Variation] = true
				}
			}
		default:
			seen[-1] = true
		}
	}
	if !c.On {
		off()
		return sortedKeys(seen)
	}
	serve(c.Fallthrough)
	for _, r := range c.Rules {
		if !r.Disabled {
			serve(r.RuleServe)
		}
	}
	for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
		if len(t.Values) > 0 {
			seen[t.Variation] = true
		}
	}
	if len(c.Prerequisites) > 0 { // one that is not met leads to the off variation
		off()
	}
	return sortedKeys(seen)
}

func sortedKeys(m map[int]bool) []int {
	var out []int
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	if len(out) == 0 { // a rollout without weights
		out = []int{-1}
	}
	return out
}

func resultLabel(f *ldclient.Flag, v int) string {
	if v < 0 {
		return "the fallback in code"
	}
	return label(f, v)
}

// listed names some of n things.
func listed(some []string, n int) string {
	out := strings.Join(some, ", ")
	if n > len(some) {
		out += fmt.Sprintf(" and %d more", n-len(some))
	}
	return out
}
