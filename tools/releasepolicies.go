package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// policyView is a release policy. Environments and tags that are not given mean all.
type policyView struct {
	Key          string   `json:"key"`
	Name         string   `json:"name,omitempty"`
	Rank         int      `json:"rank,omitempty" doc:"the lowest one that applies wins"`
	Method       string   `json:"releaseMethod"`
	Environments []string `json:"environmentKeys,omitempty" doc:"all if not given"`
	FlagTags     []string `json:"flagTags,omitempty" doc:"flags with any of them; all flags if not given"`
	Unit         string   `json:"randomizationUnit,omitempty"`
	Stages       []string `json:"stages,omitempty" doc:"the first ten"`
	Metrics      []string `json:"metricKeys,omitempty"`
	MetricGroups []string `json:"metricGroupKeys,omitempty"`
	Rollback     *bool    `json:"rollbackOnRegression,omitempty"`
	MinSample    int      `json:"minSampleSize,omitempty"`
}

func policyOf(p ldclient.ReleasePolicy) policyView {
	v := policyView{Key: p.Key, Name: nameBeside(p.Key, p.Name), Rank: p.Rank, Method: p.Method}
	if p.Scope != nil {
		v.Environments, v.FlagTags = p.Scope.Environments, p.Scope.FlagTags
	}
	staged := p.Progressive
	if g := p.Guarded; g != nil && p.Method == guardedMethod {
		staged = &g.ProgressiveRelease
		v.Metrics, v.MetricGroups, v.Rollback, v.MinSample = g.Metrics, g.MetricGroups, &g.Rollback, g.MinSampleSize
	}
	if staged != nil {
		v.Unit = staged.ContextKind
		for _, s := range ten(staged.Stages, 0) {
			v.Stages = append(v.Stages, stageText(s))
		}
	}
	return v
}

// policyIn shows a policy without the environments outside the scope.
func policyIn(scope ldclient.Scope) func(ldclient.ReleasePolicy) policyView {
	return func(p ldclient.ReleasePolicy) policyView {
		v := policyOf(p)
		v.Environments = slices.DeleteFunc(slices.Clone(v.Environments), func(key string) bool { return !scope.AllowsEnvironment(key) })
		return v
	}
}

const (
	guardedMethod     = "guarded-release"
	progressiveMethod = "progressive-release"
)

// incomplete says what a policy lacks to release by it, "" if nothing.
func (v policyView) incomplete() string {
	var lacks []string
	if len(v.Stages) == 0 {
		lacks = append(lacks, "stages")
	}
	if v.Method == guardedMethod && len(v.Metrics)+len(v.MetricGroups) == 0 {
		lacks = append(lacks, "metrics")
	}
	return strings.Join(lacks, " and ")
}

var listReleasePolicies = read(Spec{
	Name: "list-release-policies", Title: "List release policies",
	Doc: "List a project's release policies by rank.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	ExcludeDefault bool `json:"excludeDefault,omitempty" doc:"true leaves the default policy out"`
	paged
}) (page[policyView], error) {
	all, err := ranked(ctx, ld, in.Project, in.ExcludeDefault)
	if err != nil {
		return page[policyView]{}, err
	}
	from := min(in.Offset, len(all))
	got := &ldclient.Page[ldclient.ReleasePolicy]{Items: all[from:min(from+in.Limit, len(all))], Total: len(all)}
	return pageOf(got, in.Offset, policyIn(ld.Scope())), nil
})

func ranked(ctx context.Context, ld *ldclient.Client, project string, excludeDefault bool) ([]ldclient.ReleasePolicy, error) {
	all, err := ld.Releases.Policies(ctx, project, excludeDefault)
	slices.SortStableFunc(all, func(a, b ldclient.ReleasePolicy) int { return cmp.Compare(a.Rank, b.Rank) })
	return all, err
}

// policyMatch is which policy governs a flag in an environment.
type policyMatch struct {
	Criteria     matchCriteria   `json:"criteria"`
	Matching     []policyRef     `json:"matchingPolicies" doc:"by rank, the first ten"`
	Winning      *policyView     `json:"winningPolicy,omitempty"`
	Method       string          `json:"winningReleaseMethod,omitempty"`
	Metrics      []string        `json:"autoAttachedMetricKeys,omitempty"`
	MetricGroups []string        `json:"autoAttachedMetricGroupKeys,omitempty"`
	Warnings     []policyWarning `json:"warnings,omitempty"`
}

type matchCriteria struct {
	Environment string   `json:"environmentKey"`
	Flag        string   `json:"flagKey,omitempty"`
	Tags        []string `json:"flagTags,omitempty"`
}

type policyRef struct {
	Key    string `json:"key"`
	Rank   int    `json:"rank"`
	Method string `json:"releaseMethod"`
}

type policyWarning struct {
	Code    string `json:"code" doc:"missing_policy or incomplete_policy"`
	Message string `json:"message"`
}

type matchInput struct {
	atEnvironment
	Flag string   `json:"flagKey,omitempty" alias:"flag,featureFlagKey" doc:"Flag whose tags are matched"`
	Tags []string `json:"flagTags,omitempty" alias:"flagTagKeys,tags" doc:"Instead of flagKey: tags that a flag would have, [] for none"`
}

func (in matchInput) target() ldclient.Target {
	at := in.atEnvironment.target()
	if in.Flag != "" {
		at.Kind, at.Key = "flag", in.Flag
	}
	return at
}

var matchReleasePolicies = read(Spec{
	Name: "match-release-policies", Title: "Match release policies",
	Doc: "Tell which release policy governs a flag, or a flag with given tags, and what it attaches.",
}, func(ctx context.Context, ld *ldclient.Client, in matchInput) (policyMatch, error) {
	tags := in.Tags
	switch {
	case in.Flag != "" && in.Tags != nil:
		return policyMatch{}, badf("give flagKey or flagTags, not both")
	case in.Flag == "" && in.Tags == nil:
		return policyMatch{}, badf("missing flagKey (or flagTags: the tags that a flag would have)")
	case in.Flag != "":
		f, _, err := flagIn(ctx, ld, in.target())
		if err != nil {
			return policyMatch{}, err
		}
		tags = f.Tags
	default:
		if _, err := ld.Environments.Get(ctx, in.Project, in.Environment); err != nil {
			return policyMatch{}, err
		}
	}
	all, err := ranked(ctx, ld, in.Project, false)
	if err != nil {
		return policyMatch{}, err
	}
	out := policyMatch{Criteria: matchCriteria{in.Environment, in.Flag, tags}, Matching: []policyRef{}}
	for _, p := range all {
		if !applies(p.Scope, in.Environment, tags) {
			continue
		}
		if out.Winning == nil {
			v := policyOf(p)
			out.Winning = &v
		}
		out.Matching = append(out.Matching, policyRef{p.Key, p.Rank, p.Method})
	}
	w := out.Winning
	if w == nil {
		out.Warnings = []policyWarning{{"missing_policy", fmt.Sprintf("none of the %d release policies of project %s applies; create-release-policy adds one", len(all), in.Project)}}
		return out, nil
	}
	out.Method, out.Metrics, out.MetricGroups = w.Method, w.Metrics, w.MetricGroups
	if lacks := w.incomplete(); lacks != "" {
		out.Warnings = []policyWarning{{"incomplete_policy", fmt.Sprintf("release policy %s has no %s; update-release-policy adds them", w.Key, lacks)}}
	}
	out.Matching = ten(out.Matching, 0)
	return out, nil
})

// applies reports whether a policy with this scope governs a flag with these tags in an environment.
func applies(s *ldclient.ReleaseScope, environment string, tags []string) bool {
	if s == nil {
		return true
	}
	tagged := len(s.FlagTags) == 0 || slices.ContainsFunc(s.FlagTags, func(t string) bool { return slices.Contains(tags, t) })
	return tagged && (len(s.Environments) == 0 || slices.Contains(s.Environments, environment))
}

type atReleasePolicy struct {
	Project string `json:"projectKey" alias:"project"`
	Policy  string `json:"policyKey" alias:"key,policy,releasePolicyKey"`
}

func (a atReleasePolicy) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "release-policy", Key: a.Policy}
}

var getReleasePolicy = read(Spec{
	Name: "get-release-policy", Title: "Get a release policy",
	Doc: "Read one release policy of a project.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atReleasePolicy
}) (policyView, error) {
	p, err := policyNamed(ctx, ld, in.atReleasePolicy)
	if err != nil {
		return policyView{}, err
	}
	return policyIn(ld.Scope())(*p), nil
})

// policyNamed reads a policy; where there is none, it says which ones there are.
func policyNamed(ctx context.Context, ld *ldclient.Client, at atReleasePolicy) (*ldclient.ReleasePolicy, error) {
	p, err := ld.Releases.Policy(ctx, at.Project, at.Policy)
	return p, orOthers(err, "release policy", at.Policy, func() ([]string, error) {
		all, err := ranked(ctx, ld, at.Project, false)
		return keysOf(all, func(p ldclient.ReleasePolicy) string { return p.Key }), err
	})
}

// policySettings are what a policy can say besides its name and method.
type policySettings struct {
	Environments *[]string     `json:"environmentKeys,omitempty" doc:"[] for everywhere"`
	FlagTags     *[]string     `json:"flagTags,omitempty" alias:"flagTagKeys" doc:"Any of these; [] for all"`
	Unit         string        `json:"randomizationUnit,omitempty" alias:"rolloutContextKindKey"`
	Stages       *[]stageInput `json:"stages,omitempty" brief:"true" doc:"{\"percent\":10,\"hours\":24}"`
	Metrics      *[]string     `json:"metricKeys,omitempty" doc:"Guarded only, as the rest"`
	MetricGroups *[]string     `json:"metricGroupKeys,omitempty"`
	Rollback     *bool         `json:"rollbackOnRegression,omitempty"`
	MinSample    *int          `json:"minSampleSize,omitempty" jsonschema:"minimum=0"`
}

// into changes fields by what was given.
func (s policySettings) into(ctx context.Context, ld *ldclient.Client, project string, f *ldclient.ReleasePolicyFields) error {
	scope := ldclient.ReleaseScope{}
	if f.Scope != nil {
		scope = *f.Scope
	}
	set(&scope.Environments, s.Environments)
	set(&scope.FlagTags, s.FlagTags)
	f.Scope = &scope
	g := ldclient.GuardedRelease{}
	if f.Guarded != nil {
		g = *f.Guarded
	}
	if f.Progressive != nil {
		g.ProgressiveRelease = *f.Progressive
	}
	if s.Unit != "" {
		g.ContextKind = s.Unit
	}
	set(&g.Metrics, s.Metrics)
	set(&g.MetricGroups, s.MetricGroups)
	set(&g.Rollback, s.Rollback)
	set(&g.MinSampleSize, s.MinSample)
	kind := strings.TrimSuffix(f.Method, "-release")
	if s.Stages != nil {
		stages, _, err := stagesOf(kind, *s.Stages)
		if err != nil {
			return err
		}
		g.Stages = stages
	} else if i := slices.IndexFunc(g.Stages, func(st ldclient.ReleaseStage) bool { return kind == guarded && st.Allocation > maxGuard }); i >= 0 {
		return badf("its stage %d gives %s, and a guarded release holds at most 50 %%; give new stages", i+1, percent(g.Stages[i].Allocation))
	}
	f.Guarded, f.Progressive = nil, nil
	if f.Method == guardedMethod {
		f.Guarded = &g
	} else {
		if f.Progressive = &g.ProgressiveRelease; s.Rollback != nil || s.MinSample != nil || s.Metrics != nil || s.MetricGroups != nil {
			return badf("metrics, rollbackOnRegression and minSampleSize are for releaseMethod %s", guardedMethod)
		}
	}
	if s.Environments == nil || len(*s.Environments) == 0 {
		return nil
	}
	envs, err := ld.Environments.All(ctx, project)
	if err != nil {
		return err
	}
	have := keysOf(envs, func(e ldclient.Environment) string { return e.Key })
	for _, key := range *s.Environments {
		if !slices.Contains(have, key) {
			return absent("environment", key, have)
		}
	}
	return nil
}

// set puts a value that was given in place of the old one.
func set[T any](old *T, given *T) {
	if given != nil {
		*old = *given
	}
}

// policyAfter is a policy as it would be with these fields.
func policyAfter(key string, rank int, f ldclient.ReleasePolicyFields) policyView {
	return policyOf(ldclient.ReleasePolicy{Key: key, Rank: rank, Name: f.Name, Method: f.Method, Scope: f.Scope, Guarded: f.Guarded, Progressive: f.Progressive})
}

// inWords says what a policy does, for the person who confirms.
func (v policyView) inWords() string {
	where, which := "every environment", "all flags"
	if len(v.Environments) > 0 {
		where = strings.Join(ten(v.Environments, 0), ", ")
	}
	if len(v.FlagTags) > 0 {
		which = "flags tagged " + strings.Join(ten(v.FlagTags, 0), " or ")
	}
	out := fmt.Sprintf("%s of %s in %s by %s", v.Method, which, where, cmp.Or(v.Unit, "the default context kind"))
	if len(v.Stages) > 0 {
		out += ", " + strings.Join(v.Stages, ", ")
	}
	if all := slices.Concat(v.Metrics, v.MetricGroups); len(all) > 0 {
		out += ", watched by " + strings.Join(ten(all, 0), ", ")
	}
	if v.Rollback != nil && *v.Rollback {
		out += ", rolled back on regression"
	}
	return short(clean(out), 400)
}

func policyNotes(v policyView) []string {
	if lacks := v.incomplete(); lacks != "" {
		return []string{fmt.Sprintf("the policy has no %s yet, so it is incomplete", lacks)}
	}
	return nil
}

var createReleasePolicy = create(Spec{
	Name: "create-release-policy", Title: "Create a release policy", Action: "createReleasePolicy",
	Doc: "Add a release policy: how flags with certain tags are released in certain environments. It ranks last.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atReleasePolicy
	Name   string `json:"name"`
	Method string `json:"releaseMethod" jsonschema:"enum=guarded-release,enum=progressive-release"`
	policySettings
	because
}) (*plan[policyView], error) {
	f := ldclient.ReleasePolicyFields{Key: in.Policy, Name: in.Name, Method: in.Method}
	if in.Method == guardedMethod {
		f.Guarded = &ldclient.GuardedRelease{Rollback: true}
	}
	_, err := ld.Releases.Policy(ctx, in.Project, in.Policy)
	if err := taken(err, in.Project, "a release policy", in.Policy, "update-release-policy"); err != nil {
		return nil, err
	}
	if err := in.into(ctx, ld, in.Project, &f); err != nil {
		return nil, err
	}
	after := policyAfter(in.Policy, 0, f)
	return &plan[policyView]{
		intent: intent{Says: fmt.Sprintf("create release policy %s in project %s: %s", in.Policy, in.Project, after.inWords()), Notes: policyNotes(after)},
		Apply: func(ctx context.Context, how manner) (*policyView, error) {
			if how.DryRun { // a new one comes last
				all, err := ld.Releases.Policies(ctx, in.Project, true)
				after.Rank = len(all) + 1
				return &after, err
			}
			return shows(policyOf)(ld.Releases.CreatePolicy(ctx, in.Project, f))
		},
	}, nil
})

var updateReleasePolicy = update(Spec{
	Name: "update-release-policy", Title: "Change a release policy", Action: "updateReleasePolicy",
	Doc: "Change a release policy. Releases that run already are not touched.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atReleasePolicy
	Name   string `json:"name,omitempty"`
	Method string `json:"releaseMethod,omitempty" jsonschema:"enum=guarded-release,enum=progressive-release" doc:"progressive-release drops the metrics"`
	policySettings
	because
}) (*plan[policyView], error) {
	p, err := policyNamed(ctx, ld, in.atReleasePolicy)
	if err != nil {
		return nil, err
	}
	f := ldclient.ReleasePolicyFields{Name: cmp.Or(in.Name, p.Name), Method: cmp.Or(in.Method, p.Method), Scope: p.Scope, Guarded: p.Guarded, Progressive: p.Progressive}
	if err := in.into(ctx, ld, in.Project, &f); err != nil {
		return nil, err
	}
	before, after := policyOf(*p), policyAfter(in.Policy, p.Rank, f)
	out := &plan[policyView]{
		intent: intent{Says: fmt.Sprintf("change release policy %s of project %s from %q, %s, to %q, %s", in.Policy, in.Project, short(clean(p.Name), 60), before.inWords(), short(clean(f.Name), 60), after.inWords()),
			Version: "policy " + digest(p), Notes: policyNotes(after)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*policyView, error) {
			if how.DryRun {
				return &after, nil
			}
			return shows(policyOf)(ld.Releases.UpdatePolicy(ctx, in.Project, in.Policy, f))
		},
	}
	if digest(before) == digest(after) {
		out.Nothing = fmt.Sprintf("release policy %s is so already", in.Policy)
	}
	return out, nil
})

var deleteReleasePolicy = remove(Spec{
	Name: "delete-release-policy", Title: "Delete a release policy", Action: "deleteReleasePolicy",
	Doc: "Delete a release policy for good. Flags that it governed fall to the next policy that applies.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atReleasePolicy
	because
}) (*plan[policyView], error) {
	p, err := policyNamed(ctx, ld, in.atReleasePolicy)
	if err != nil {
		return nil, err
	}
	before := policyOf(*p)
	return &plan[policyView]{
		intent: intent{Says: fmt.Sprintf("delete release policy %s of project %s for good: %s", in.Policy, in.Project, before.inWords()), Version: "policy " + digest(p)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*policyView, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.Releases.DeletePolicy(ctx, in.Project, in.Policy)
		},
	}, nil
})

// policyOrder is the ranks of a project's policies.
type policyOrder struct {
	Keys []string `json:"policyKeys" doc:"first wins"`
}

var orderReleasePolicies = update(Spec{
	Name: "order-release-policies", Title: "Order release policies", Action: "updateReleasePolicyRank",
	On:  "release-policy",
	Doc: "Set the order of a project's release policies; the first one that applies to a flag wins.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	Keys []string `json:"policyKeys" jsonschema:"minItems=1" doc:"First, in order; others follow as they are"`
	because
}) (*plan[policyOrder], error) {
	all, err := ranked(ctx, ld, in.Project, true)
	if err != nil {
		return nil, err
	}
	have := keysOf(all, func(p ldclient.ReleasePolicy) string { return p.Key })
	var next []string
	for _, key := range in.Keys {
		if !slices.Contains(have, key) {
			return nil, absent("release policy", key, have)
		}
		if slices.Contains(next, key) {
			return nil, badf("policyKeys names %s twice", key)
		}
		next = append(next, key)
	}
	for _, key := range have {
		if !slices.Contains(next, key) {
			next = append(next, key)
		}
	}
	p := &plan[policyOrder]{
		intent: intent{Says: fmt.Sprintf("order the release policies of project %s as %s instead of %s; the first that applies to a flag wins", in.Project,
			strings.Join(next, ", "), strings.Join(have, ", ")), Version: "policies " + digest(have)},
		Before: &policyOrder{have},
		Apply: func(ctx context.Context, how manner) (*policyOrder, error) {
			if how.DryRun {
				return &policyOrder{next}, nil
			}
			got, err := ld.Releases.OrderPolicies(ctx, in.Project, next)
			if err != nil {
				return nil, err
			}
			slices.SortStableFunc(got, func(a, b ldclient.ReleasePolicy) int { return cmp.Compare(a.Rank, b.Rank) })
			return &policyOrder{keysOf(got, func(p ldclient.ReleasePolicy) string { return p.Key })}, nil
		},
	}
	if slices.Equal(have, next) {
		p.Nothing = "the release policies are in this order already"
	}
	return p, nil
})
