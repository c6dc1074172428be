package tools

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// betweenEnvironments is where a copy comes from and goes to, which is what it changes.
type betweenEnvironments struct {
	Project string `json:"projectKey" alias:"project"`
	Flag    string `json:"flagKey" alias:"flag,featureFlagKey,key"`
	From    string `json:"fromEnv" alias:"source,sourceEnv,from,fromEnvironmentKey,sourceEnvironmentKey"`
	To      string `json:"toEnv" alias:"target,targetEnv,to,toEnvironmentKey,targetEnvironmentKey"`
}

func (a betweenEnvironments) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.To, Kind: "flag", Key: a.Flag}
}

// copyActions are the parts of a flag's targeting that can be copied by themselves.
var copyActions = []string{"updateOn", "updateRules", "updateFallthrough", "updateOffVariation", "updatePrerequisites", "updateTargets", "updateFlagConfigMigrationSettings"}

// copyState is what copying targeting changes.
type copyState struct {
	On            bool               `json:"on"`
	Fallthrough   string             `json:"fallthrough" doc:"what the default rule serves"`
	OffVariation  string             `json:"offVariation"`
	Rules         []string           `json:"rules" doc:"the first ten in words"`
	RulesCount    int                `json:"rulesCount"`
	Targets       []targetView       `json:"targets,omitempty"`
	Prerequisites []prerequisiteView `json:"prerequisites,omitempty"`
	Version       int                `json:"version" doc:"of the flag in the environment"`
}

func copyStateOf(f *ldclient.Flag, c ldclient.FlagConfig) copyState {
	out := copyState{On: c.On, Fallthrough: serves(f, c.Fallthrough), OffVariation: offServes(f, c), Rules: []string{},
		RulesCount: len(c.Rules), Targets: targetViews(f, c, 0), Version: c.Version}
	for _, r := range ten(c.Rules, 0) {
		out.Rules = append(out.Rules, short(fmt.Sprintf("if %s serve %s", inWords(r.Clauses), serves(f, r.RuleServe)), 200))
	}
	for _, p := range ten(c.Prerequisites, 0) {
		out.Prerequisites = append(out.Prerequisites, prerequisiteView{p.Key, p.Variation})
	}
	return out
}

var copyFlagConfig = update(Spec{
	Name: "copy-flag-config", Title: "Copy targeting between environments", Action: "copyFlagConfigTo",
	Doc: "Copy a flag's targeting to another environment: all of it, or the parts that are included or not excluded. What is there is replaced.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	betweenEnvironments
	Included []string `json:"includedActions,omitempty" jsonschema:"enum=updateOn,enum=updateRules,enum=updateFallthrough,enum=updateOffVariation,enum=updatePrerequisites,enum=updateTargets,enum=updateFlagConfigMigrationSettings"`
	Excluded []string `json:"excludedActions,omitempty"`
	because
}) (*plan[copyState], error) {
	actions, err := copied(in.Included, in.Excluded)
	if err != nil {
		return nil, err
	}
	switch {
	case in.From == "" || in.To == "":
		return nil, badf("missing fromEnv or toEnv: give the keys of two environments")
	case in.From == in.To:
		return nil, badf("fromEnv and toEnv are both %s; a copy needs two environments", in.From)
	}
	source := in.target()
	source.Environment = in.From
	_, from, err := flagIn(ctx, ld, source)
	if err != nil {
		return nil, err
	}
	f, to, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	c := copying{f: f, from: from, to: to, then: to, at: in.target()}
	for _, action := range actions {
		if err := c.part(ctx, ld, action); err != nil {
			return nil, err
		}
	}
	switch part := "updateFlagConfigMigrationSettings"; { // they are not read here, so they may differ
	case f.Migration != nil && slices.Contains(actions, part):
		c.beside("set the migration settings", "the migration settings")
	case slices.Contains(in.Included, part):
		c.beside("set the migration settings, if it is a migration flag", "the migration settings")
	}
	before, then := copyStateOf(f, to), copyStateOf(f, c.then)
	then.Version++
	p := &plan[copyState]{
		intent: intent{
			Says:         fmt.Sprintf("copy from %s to %s the targeting of flag %s of project %s: %s", in.From, in.To, in.Flag, in.Project, strings.Join(c.says, "; ")),
			Version:      fmt.Sprintf("environments %d %d %s", from.Version, to.Version, digest(f.Variations)),
			Instructions: c.do, Tags: f.Tags, Reviewed: true,
			Needs: []need{{"copyFlagConfigTo", in.target()}, {"copyFlagConfigFrom", source}},
		},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*copyState, error) {
			if how.DryRun { // LaunchDarkly has no dry run of a copy
				return &then, nil
			}
			got, err := ld.Flags.Copy(ctx, in.Project, in.Flag, ldclient.FlagCopy{From: in.From, To: in.To,
				FromVersion: from.Version, ToVersion: to.Version, Included: in.Included, Excluded: in.Excluded, Comment: how.Comment})
			if err != nil {
				return nil, err
			}
			after := copyStateOf(got, got.Environments[in.To])
			return &after, nil
		},
	}
	if len(in.Included)+len(in.Excluded) == 0 {
		p.CopyFrom = in.From
	} else if len(c.left) > 0 {
		p.Unasked = "no instruction sets " + strings.Join(c.left, " or ")
	}
	if len(c.says) == 0 {
		p.Nothing = fmt.Sprintf("%s has in %s what it has in %s already", in.Flag, in.To, in.From)
	}
	return p, nil
})

// copied are the parts to copy.
func copied(included, excluded []string) ([]string, error) {
	if len(included) > 0 && len(excluded) > 0 {
		return nil, badf("give includedActions or excludedActions, not both")
	}
	for _, action := range append(slices.Clone(included), excluded...) {
		if !slices.Contains(copyActions, action) {
			return nil, badf("there is no part %q to copy; there are %s", short(action, 60), strings.Join(copyActions, ", "))
		}
	}
	if len(included) > 0 {
		return included, nil
	}
	return slices.DeleteFunc(slices.Clone(copyActions), func(a string) bool { return slices.Contains(excluded, a) }), nil
}

// copying collects what a copy would change, in words and as the instructions
// that would do the same, of which an approval request can be made.
type copying struct {
	f              *ldclient.Flag
	from, to, then ldclient.FlagConfig
	at             ldclient.Target
	do             []ldclient.Instruction
	says           []string
	left           []string // what no instruction does
}

// beside notes a part of the copy that no instruction makes.
func (c *copying) beside(says, what string) {
	c.says, c.left = append(c.says, says), append(c.left, what)
}

func (c *copying) add(do ldclient.Instruction, format string, args ...any) {
	c.do, c.says = append(c.do, do), append(c.says, fmt.Sprintf(format, args...))
}

func (c *copying) part(ctx context.Context, ld *ldclient.Client, action string) error {
	switch action {
	case "updateOn":
		if c.then.On = c.from.On; c.from.On == c.to.On {
			return nil
		}
		if c.from.On {
			c.add(ldclient.TurnFlagOn(), "turn it on")
		} else {
			c.add(ldclient.TurnFlagOff(), "turn it off")
		}
	case "updateFallthrough":
		if c.then.Fallthrough = c.from.Fallthrough; sameServe(c.from.Fallthrough, c.to.Fallthrough) {
			return nil
		}
		if c.to.Fallthrough.InExperiment() {
			return c.experiment("its default rule", action)
		}
		c.add(ldclient.UpdateFallthrough(c.serve(c.from.Fallthrough)), "serve %s by default instead of %s", serves(c.f, c.from.Fallthrough), serves(c.f, c.to.Fallthrough))
	case "updateOffVariation":
		c.then.OffVariation = c.from.OffVariation
		switch {
		case reflect.DeepEqual(c.from.OffVariation, c.to.OffVariation):
		case c.from.OffVariation == nil:
			c.beside("set no off variation instead of "+offServes(c.f, c.to), "no off variation")
		default:
			c.add(ldclient.UpdateOffVariation(idOf(c.f, *c.from.OffVariation)), "make %s the off variation instead of %s", offServes(c.f, c.from), offServes(c.f, c.to))
		}
	case "updateRules":
		return c.rules(ctx, ld)
	case "updateTargets":
		c.then.Targets, c.then.ContextTargets = c.from.Targets, c.from.ContextTargets
		was, is := newTargetBuilder(c.f, c.to).has, newTargetBuilder(c.f, c.from).has
		if maps.Equal(was, is) {
			return nil
		}
		out := []ldclient.NewTarget{}
		for _, t := range append(slices.Clone(c.from.Targets), c.from.ContextTargets...) {
			if len(t.Values) > 0 {
				out = append(out, ldclient.NewTarget{ContextKind: kindOr(t.ContextKind), VariationID: idOf(c.f, t.Variation), Values: t.Values})
			}
		}
		added, dropped, moved := 0, 0, 0
		for id, v := range is {
			if had, ok := was[id]; !ok {
				added++
			} else if had != v {
				moved++
			}
		}
		for id := range was {
			if _, ok := is[id]; !ok {
				dropped++
			}
		}
		c.add(ldclient.ReplaceTargets(out), "replace its %d individual targets by %d (%d added, %d dropped, %d with another variation)", len(was), len(is), added, dropped, moved)
	case "updatePrerequisites":
		return c.prerequisites(ctx, ld)
	}
	return nil
}

func (c *copying) experiment(what, action string) error {
	return badf("an experiment runs on %s in %s; stop it, or leave %s out of the copy", what, c.at.Environment, action)
}

// idOf is the id of a variation, "" where there is none of this index.
func idOf(f *ldclient.Flag, index int) string {
	if index < 0 || index >= len(f.Variations) {
		return ""
	}
	return f.Variations[index].ID
}

// serve is what a rule gives as an instruction says it.
func (c *copying) serve(s ldclient.RuleServe) ldclient.Serve {
	out := ldclient.Serve{}
	if s.Variation != nil {
		out.VariationID = idOf(c.f, *s.Variation)
	}
	if s.Rollout != nil {
		out.Weights, out.BucketBy, out.ContextKind = map[string]int{}, s.Rollout.BucketBy, s.Rollout.ContextKind
		for _, w := range s.Rollout.Variations {
			out.Weights[idOf(c.f, w.Variation)] += w.Weight // an experiment names a variation once for those outside of it
		}
	}
	return out
}

func (c *copying) rules(ctx context.Context, ld *ldclient.Client) error {
	c.then.Rules = c.from.Rules
	plain := func(rules []ldclient.Rule) (out []ldclient.NewRule) {
		for _, r := range rules {
			clauses := slices.Clone(r.Clauses)
			for i := range clauses {
				clauses[i].ID = ""
			}
			out = append(out, ldclient.NewRule{Clauses: clauses, Description: r.Description, TrackEvents: r.TrackEvents, Serve: c.serve(r.RuleServe)})
		}
		return out
	}
	is, was := plain(c.from.Rules), plain(c.to.Rules)
	if reflect.DeepEqual(is, was) {
		return nil
	}
	for _, r := range c.to.Rules {
		if r.InExperiment() {
			return c.experiment("one of its rules", "updateRules")
		}
	}
	var segments []string
	for _, r := range c.from.Rules {
		for _, clause := range r.Clauses {
			for _, v := range clause.Values {
				if key, ok := v.(string); ok && clause.Op == "segmentMatch" && !slices.Contains(segments, key) {
					segments = append(segments, key)
				}
			}
		}
	}
	for _, key := range segments { // segments belong to one environment each
		if _, err := ld.Segments.Get(ctx, c.at.Project, c.at.Environment, key); ldclient.IsNotFound(err) {
			return badf("a rule is about segment %s, which %s does not have; create it there first, or leave updateRules out of the copy", key, c.at.Environment)
		} else if err != nil {
			return err
		}
	}
	if is == nil {
		is = []ldclient.NewRule{}
	}
	words := []string{"none"}
	for i, r := range c.from.Rules[:min(3, len(c.from.Rules))] {
		words = append(words[:i], fmt.Sprintf("if %s serve %s", short(inWords(r.Clauses), 120), serves(c.f, r.RuleServe)))
	}
	if n := len(c.from.Rules) - len(words); n > 0 {
		words = append(words, fmt.Sprintf("%d more", n))
	}
	c.add(ldclient.ReplaceRules(is), "replace its %d rules by %d: %s", len(was), len(is), strings.Join(words, ", "))
	return nil
}

func (c *copying) prerequisites(ctx context.Context, ld *ldclient.Client) error {
	c.then.Prerequisites = c.from.Prerequisites
	if slices.Equal(c.from.Prerequisites, c.to.Prerequisites) {
		return nil
	}
	reader := flagReader{ld, c.at, map[string]*ldclient.Flag{}}
	if err := reader.noCircle(ctx, c.f.Key, c.to.Prerequisites, c.from.Prerequisites); err != nil {
		return err
	}
	out, names := []ldclient.NewPrerequisite{}, []string{"none"}
	for i, p := range c.from.Prerequisites {
		other, err := reader.flag(ctx, p.Key)
		if err != nil {
			return err
		}
		if p.Variation >= len(other.Variations) {
			return badf("flag %s has no variation with index %d any more; leave updatePrerequisites out of the copy", p.Key, p.Variation)
		}
		out = append(out, ldclient.NewPrerequisite{Key: p.Key, VariationID: other.Variations[p.Variation].ID})
		names = append(names[:i], fmt.Sprintf("flag %s to serve %s", p.Key, label(other, p.Variation)))
	}
	c.add(ldclient.ReplacePrerequisites(out), "require %s instead of its %d prerequisites", strings.Join(names, ", "), len(c.to.Prerequisites))
	return nil
}
