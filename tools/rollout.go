package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// chosen is how a caller names one variation of the flag.
type chosen struct {
	Variation string `json:"variation,omitempty" alias:"variationId,variationKey,variationName,variationValue" told:"true" doc:"A variation's _id, name, value or index"`
	Index     *int   `json:"variationIndex,omitempty" jsonschema:"minimum=0" quiet:"true" doc:"Or its index"`
}

// of resolves what was chosen.
func (c chosen) of(f *ldclient.Flag) (int, error) {
	switch {
	case c.Index == nil && c.Variation == "":
		return 0, badf("missing variation (or variationIndex); %s %s has %s", nounOf(f), f.Key, everyVariation(f))
	case c.Index != nil && f.Kind == ldclient.AIConfigKind:
		return 0, badf("an index may mean two variations of %s; give the key: %s", f.Key, everyVariation(f))
	case c.Index != nil && *c.Index >= len(f.Variations):
		return 0, badf("flag %s has no variation with index %d; it has %s", f.Key, *c.Index, everyVariation(f))
	case c.Index == nil:
		return variation(f, c.Variation)
	}
	if c.Variation != "" {
		if i, err := variation(f, c.Variation); err != nil || i != *c.Index {
			return 0, badf("variation %q is not the one with index %d, which is %s; give one of them", c.Variation, *c.Index, label(f, *c.Index))
		}
	}
	return *c.Index, nil
}

func everyVariation(f *ldclient.Flag) string {
	all := make([]int, len(f.Variations))
	for i := range all {
		all[i] = i
	}
	return listVariations(f, all)
}

// rolloutState is what changing the default rule changes.
type rolloutState struct {
	Fallthrough string `json:"fallthrough" doc:"what the default rule serves"`
	On          bool   `json:"on"`
	Version     int    `json:"version" doc:"of the flag in this environment"`
}

func rolloutStateIn(environment string) func(*ldclient.Flag) rolloutState {
	return func(f *ldclient.Flag) rolloutState {
		c := f.Environments[environment]
		return rolloutState{serves(f, c.Fallthrough), c.On, c.Version}
	}
}

type rolloutInput struct {
	atFlagEnvironment
	Type string `json:"rolloutType,omitempty" jsonschema:"enum=percentage,enum=variation" quiet:"true" doc:"Follows from the rest if not given"`
	chosen
	Percent     *float64            `json:"percent,omitempty" jsonschema:"minimum=0,maximum=100" doc:"Of variation; a second one gets the rest"`
	Weights     []map[string]scalar `json:"weights,omitempty" brief:"true" doc:"[{\"variation\":\"on\",\"percent\":20},{\"variation\":\"off\",\"percent\":80}]"`
	Ordered     []float64           `json:"rolloutWeights,omitempty" quiet:"true" doc:"Or the percentages alone, one a variation, in the flag's order"`
	BucketBy    string              `json:"rolloutBucketBy,omitempty" alias:"bucketBy" told:"true" doc:"Attribute to divide by; as before, or key, if not given"`
	ContextKind string              `json:"rolloutContextKind,omitempty" alias:"contextKind" told:"true" doc:"Context kind to divide; as before, or user, if not given"`
	because
}

var updateRollout = update(Spec{
	Name: "update-rollout", Title: "Change the default rule", Action: "updateFallthrough",
	Doc: "Set what a flag's default rule serves: one variation, or a percentage rollout. It applies to contexts that match no target and no rule.",
}, func(ctx context.Context, ld *ldclient.Client, in rolloutInput) (*plan[rolloutState], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	if c.Fallthrough.InExperiment() {
		return nil, badf("an experiment runs on the default rule of %s in %s; stop the experiment before changing the rollout", in.Flag, in.Environment)
	}
	rule, err := in.rule(f, c)
	if err != nil {
		return nil, err
	}
	b := ruleBuilder{flag: f}
	serve, _, err := b.serve(rule)
	if err != nil {
		return nil, badf("%v", err)
	}
	then := ruleServe(f, serve)
	says := fmt.Sprintf("serve %s by the default rule of flag %s in %s of project %s instead of %s",
		serves(f, then), in.Flag, in.Environment, in.Project, serves(f, c.Fallthrough))
	p := flagPlan(ld, in.target(), f, rolloutStateIn(in.Environment), says, ldclient.UpdateFallthrough(serve))
	if sameServe(then, c.Fallthrough) {
		p.Nothing = fmt.Sprintf("the default rule of %s serves %s already in %s", in.Flag, serves(f, then), in.Environment)
	}
	if !c.On {
		p.Notes = append(p.Notes, fmt.Sprintf("targeting of %s is off in %s, so everyone gets %s until it is turned on", in.Flag, in.Environment, serving(f, c)))
	}
	return p, nil
})

// rule turns the ways to say what to serve into that of a rule.
func (in rolloutInput) rule(f *ldclient.Flag, c ldclient.FlagConfig) (newRule, error) {
	out := newRule{Percent: in.Percent, RolloutBucketBy: in.BucketBy, RolloutContextKind: in.ContextKind}
	named := in.Variation != "" || in.Index != nil
	divided := in.Percent != nil || len(in.Weights)+len(in.Ordered) > 0
	switch {
	case in.Type == "variation" && divided:
		return out, badf("rolloutType variation takes variation (or variationIndex) alone; for percentages use rolloutType percentage")
	case in.Type == "percentage" && !divided:
		return out, badf("rolloutType percentage needs weights, 100 in all, or percent beside variation")
	case len(in.Weights) > 0 && len(in.Ordered) > 0:
		return out, badf("give weights or rolloutWeights, not both")
	case named && len(in.Weights)+len(in.Ordered) > 0:
		return out, badf("give variation or weights, not both")
	}
	if len(in.Ordered) > 0 && len(in.Ordered) != len(f.Variations) {
		return out, badf("rolloutWeights has %d percentages and the %s %d variations; give one for each, in this order: %s", len(in.Ordered), nounOf(f), len(f.Variations), everyVariation(f))
	}
	var err error
	switch {
	case len(in.Weights) > 0:
		out.RolloutWeights, err = parts(f, in.Weights)
	case len(in.Ordered) > 0:
		out.RolloutWeights = map[string]float64{}
		for i, w := range in.Ordered {
			out.RolloutWeights[f.Variations[i].ID] = w
		}
	default:
		var i int
		if i, err = in.of(f); err == nil {
			out.Variation = f.Variations[i].ID
		}
		if err == nil && in.Percent != nil && len(f.Variations) > 2 {
			return out, badf("the %s has %d variations, so give weights instead of percent%s", nounOf(f), len(f.Variations), restTo(f, c, i, *in.Percent))
		}
	}
	if r := c.Fallthrough.Rollout; r != nil && divided { // another kind or attribute would deal everyone anew
		if out.RolloutContextKind == "" {
			out.RolloutContextKind = r.ContextKind
		}
		if out.RolloutBucketBy == "" {
			out.RolloutBucketBy = r.BucketBy
		}
	}
	return out, err
}

// restTo shows the weights that give a variation a percentage and leave the rest with what is served now.
func restTo(f *ldclient.Flag, c ldclient.FlagConfig, i int, percent float64) string {
	rest := c.Fallthrough.Variation
	if rest == nil || *rest == i {
		return ": " + everyVariation(f)
	}
	name := func(i int) string {
		for _, said := range []string{f.Variations[i].Key, label(f, i)} {
			if n, err := variation(f, said); said != "" && err == nil && n == i {
				return said
			}
		}
		return f.Variations[i].ID
	}
	return fmt.Sprintf(`, such as [{"variation":%q,"percent":%s},{"variation":%q,"percent":%s}] where the rest keeps what it gets now`,
		name(i), number(percent), name(*rest), number(math.Round((100-percent)*1000)/1000))
}

// parts reads weights given as objects with variation and percent, or as percentages by variation.
func parts(f *ldclient.Flag, list []map[string]scalar) (map[string]float64, error) {
	out := map[string]float64{}
	add := func(i int, percent scalar) error {
		text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(fmt.Sprint(percent.any)), "%"))
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return badf("weights: %s must have a percentage, got %q", label(f, i), short(text, 60))
		}
		if _, twice := out[f.Variations[i].ID]; twice {
			return badf("weights: variation %s is named twice", label(f, i))
		}
		out[f.Variations[i].ID] = n
		return nil
	}
	for n, part := range list {
		percent, by := part["percent"], chosen{}
		if percent.any == nil {
			percent = part["weight"]
		}
		for _, name := range slices.Sorted(maps.Keys(part)) {
			switch fold(name) {
			case "variationindex":
				i, err := strconv.Atoi(fmt.Sprint(part[name].any))
				if err != nil || i < 0 {
					return nil, badf("weights[%d]: variationIndex must be the index of a variation", n)
				}
				by.Index = &i
			case "variation", "variationid", "variationkey", "variationname":
				by.Variation = fmt.Sprint(part[name].any)
			}
		}
		switch {
		case by == (chosen{}) && len(list) == 1: // one object: percentages by variation
			for _, said := range slices.Sorted(maps.Keys(part)) {
				i, err := variation(f, said)
				if err != nil {
					return nil, err
				}
				if err := add(i, part[said]); err != nil {
					return nil, err
				}
			}
			continue
		case len(part) != 2 || percent.any == nil:
			return nil, badf(`weights[%d]: takes variation (or variationIndex) and percent, such as {"variation":%s,"percent":20}`, n, string(mustJSON(label(f, 0))))
		}
		i, err := by.of(f)
		if err != nil {
			return nil, err
		}
		if err := add(i, percent); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ruleServe is s as LaunchDarkly shows it once it is set.
func ruleServe(f *ldclient.Flag, s ldclient.Serve) ldclient.RuleServe {
	out := ldclient.RuleServe{}
	if s.VariationID == "" {
		out.Rollout = &ldclient.Rollout{BucketBy: s.BucketBy, ContextKind: s.ContextKind}
	}
	for i, v := range f.Variations {
		if v.ID == s.VariationID {
			out.Variation = &i
		} else if w, ok := s.Weights[v.ID]; ok {
			out.Rollout.Variations = append(out.Rollout.Variations, ldclient.WeightedVariation{Variation: i, Weight: w})
		}
	}
	return out
}

// sameServe reports whether two rules serve the same, whatever is left to defaults in them.
func sameServe(a, b ldclient.RuleServe) bool {
	plain := func(s ldclient.RuleServe) ldclient.RuleServe {
		if s.Rollout == nil {
			return s
		}
		r := *s.Rollout
		if r.BucketBy == "key" {
			r.BucketBy = ""
		}
		if r.ContextKind == "user" {
			r.ContextKind = ""
		}
		r.ExperimentAllocation = json.RawMessage(nil)
		r.Variations = slices.DeleteFunc(slices.Clone(r.Variations), func(w ldclient.WeightedVariation) bool { return w.Weight == 0 })
		return ldclient.RuleServe{Rollout: &r}
	}
	return reflect.DeepEqual(plain(a), plain(b))
}

// offState is what changing the off variation changes.
type offState struct {
	OffVariation string `json:"offVariation" doc:"served while targeting is off"`
	On           bool   `json:"on"`
	Version      int    `json:"version" doc:"of the flag in this environment"`
}

func offStateIn(environment string) func(*ldclient.Flag) offState {
	return func(f *ldclient.Flag) offState {
		c := f.Environments[environment]
		return offState{offServes(f, c), c.On, c.Version}
	}
}

func offServes(f *ldclient.Flag, c ldclient.FlagConfig) string {
	c.On = false
	return serving(f, c)
}

var updateOffVariation = update(Spec{
	Name: "update-off-variation", Title: "Change the off variation", Action: "updateOffVariation",
	Doc: "Set which variation a flag serves while its targeting is off or a prerequisite is not met.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagEnvironment
	chosen
	because
}) (*plan[offState], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	i, err := in.of(f)
	if err != nil {
		return nil, err
	}
	effect := "targeting is on there, so it takes effect when that is turned off or a prerequisite is not met"
	if !c.On {
		effect = "targeting is off there, so everyone would get it at once"
	}
	says := fmt.Sprintf("make %s the off variation of flag %s in %s of project %s instead of %s: %s", label(f, i), in.Flag, in.Environment, in.Project, offServes(f, c), effect)
	p := flagPlan(ld, in.target(), f, offStateIn(in.Environment), says, ldclient.UpdateOffVariation(f.Variations[i].ID))
	if c.OffVariation != nil && *c.OffVariation == i {
		p.Nothing = fmt.Sprintf("%s is the off variation of %s already in %s", label(f, i), in.Flag, in.Environment)
	}
	return p, nil
})

// eventsState is what changing event tracking changes.
type eventsState struct {
	TrackEvents            bool `json:"trackEvents"`
	TrackEventsFallthrough bool `json:"trackEventsFallthrough"`
	Version                int  `json:"version" doc:"of the flag in this environment"`
}

func eventsStateIn(environment string) func(*ldclient.Flag) eventsState {
	return func(f *ldclient.Flag) eventsState {
		c := f.Environments[environment]
		return eventsState{c.TrackEvents, c.TrackEventsFallthrough, c.Version}
	}
}

var updateTrackEvents = update(Spec{
	Name: "update-track-events", Title: "Change event tracking", Action: "updateTrackEvents",
	Or:  "updateFlagFallthroughTrackEvents, updateRules",
	Doc: "Set whether SDKs send a full event for each evaluation of a flag, always or where the default rule served.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagEnvironment
	Track       *bool `json:"trackEvents,omitempty"`
	Fallthrough *bool `json:"trackEventsFallthrough,omitempty"`
	because
}) (*plan[eventsState], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	if in.Track == nil && in.Fallthrough == nil {
		return nil, badf("missing trackEvents or trackEventsFallthrough: say what to set")
	}
	var do []ldclient.Instruction
	var says []string
	set := func(want *bool, have bool, what string, instruction func(bool) ldclient.Instruction) {
		if want != nil && *want != have {
			do, says = append(do, instruction(*want)), append(says, fmt.Sprintf("set event tracking %s to %t", what, *want))
		}
	}
	set(in.Track, c.TrackEvents, "of every evaluation", ldclient.UpdateTrackEvents)
	set(in.Fallthrough, c.TrackEventsFallthrough, "of the default rule", ldclient.UpdateTrackEventsFallthrough)
	p := flagPlan(ld, in.target(), f, eventsStateIn(in.Environment),
		fmt.Sprintf("%s for flag %s in %s of project %s", strings.Join(says, " and "), in.Flag, in.Environment, in.Project), do...)
	if len(do) == 0 {
		p.Nothing = "event tracking is set so already"
	}
	return p, nil
})
