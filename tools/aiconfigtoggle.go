package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// aiToggled is what toggling an AI config changes.
type aiToggled struct {
	On      bool   `json:"on" doc:"whether the default rule serves more than the disabled variation"`
	Serves  string `json:"serves"`
	Version int    `json:"version"`
}

func (s *aiServed) toggledIn(environment string) func(*ldclient.Flag) aiToggled {
	return func(f *ldclient.Flag) aiToggled {
		c := f.Environments[environment]
		return aiToggled{s.servesReal(c), serving(f, c), c.Version}
	}
}

// servesReal reports whether the default rule, or the off variation while targeting is off, leads to more than the generated variation.
func (s *aiServed) servesReal(c ldclient.FlagConfig) bool {
	c.Rules, c.Targets, c.ContextTargets = nil, nil, nil
	return slices.ContainsFunc(inUse(c), func(i int) bool { return i != s.disabled })
}

var toggleAIConfig = update(Spec{
	Name: "toggle-ai-config", Title: "Turn an AI config on or off", Action: "updateAIConfigTargeting", Aliases: []string{"toggle-agentcontrol-config"},
	Doc: "Turn an AI config on or off by its default rule; off serves the disabled variation. Rules and targets stay.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atAITargeting
	On        bool   `json:"on" alias:"enabled"`
	Variation string `json:"variationKey,omitempty" alias:"variation,variationId,variationName"`
	because
}) (*plan[aiToggled], error) {
	at := in.target()
	s, c, err := aiToChange(ctx, ld, at)
	if err != nil {
		return nil, err
	}
	switch {
	case s.disabled < 0:
		return nil, cannot("which variation of %s serves nothing could not be told for certain; choose what to serve with update-ai-config-rollout: %s", in.Config, everyVariation(s.Flag))
	case !in.On && in.Variation != "":
		return nil, badf("variationKey goes with on true; off serves %s", label(s.Flag, s.disabled))
	case c.Fallthrough.InExperiment():
		return nil, badf("an experiment runs on the default rule of %s in %s; stop the experiment first", in.Config, in.Environment)
	case !c.On && in.On:
		return nil, cannot("targeting of %s is off in %s, and LaunchDarkly's API cannot turn it on; do it on its page (%s)", in.Config, in.Environment, pageURL(ld, at))
	}
	to, why := s.disabled, ""
	if in.On {
		if to, why, err = s.turnedOn(ctx, ld, at, c, in.Variation); err != nil {
			return nil, err
		}
	}
	word, nothing := "off", fmt.Sprintf("%s is off already in %s", in.Config, in.Environment)
	do := ldclient.UpdateFallthrough(ldclient.Serve{VariationID: s.Variations[to].ID})
	already := !s.servesReal(c)
	if !c.On { // rules do not matter
		do = ldclient.UpdateOffVariation(s.Variations[to].ID)
	}
	if in.On {
		word, nothing = "on", fmt.Sprintf("%s is on already in %s, where its default rule serves %s", in.Config, in.Environment, serving(s.Flag, c))
		already = s.servesReal(c) && in.Variation == "" || sameServe(ldclient.RuleServe{Variation: &to}, c.Fallthrough)
	}
	what := "its default rule would serve"
	if !c.On {
		what = "its off variation, which everyone gets while targeting is off there, would be"
	}
	says := fmt.Sprintf("turn AI config %s %s in %s of project %s: %s %s instead of %s%s", in.Config, word, in.Environment, in.Project, what,
		label(s.Flag, to), serving(s.Flag, c), why)
	p := aiPlan(ld, at, s, s.toggledIn(in.Environment), says, do)
	if already {
		p.Nothing = nothing
	}
	if rest := besides(c); rest != "" && c.On {
		p.Notes = append(p.Notes, "not switched by this are its rules and targets"+rest+s.realOf(c)+"; update-ai-config-targeting-rules and update-ai-config-individual-targets change them")
	}
	return p, nil
})

// realOf names what rules and targets serve besides the generated variation.
func (s *aiServed) realOf(c ldclient.FlagConfig) string {
	c.Fallthrough = ldclient.RuleServe{}
	var names []string
	for _, i := range inUse(c) {
		if name := label(s.Flag, i); i != s.disabled && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ", which serve nothing"
	}
	return ", which serve " + keyList(names)
}

// turnedOn chooses what an AI config serves when it is turned on: what the caller
// says, what it serves already, the only variation there is, or what it served last.
func (s *aiServed) turnedOn(ctx context.Context, ld *ldclient.Client, at ldclient.Target, c ldclient.FlagConfig, said string) (to int, why string, err error) {
	if said != "" {
		to, err := variation(s.Flag, said)
		if err == nil && to == s.disabled {
			err = badf("variationKey: %s serves nothing; give one of the others: %s", said, s.listReal())
		}
		return to, "", err
	}
	var real []int
	for i := range s.Variations {
		if i != s.disabled {
			real = append(real, i)
		}
	}
	switch {
	case len(real) == 0:
		return 0, "", cannot("%s has no variation to serve; create-ai-config-variation adds one", at.Key)
	case s.servesReal(c):
		return gives(c.Fallthrough)[0], "", nil
	case len(real) == 1:
		return real[0], ", its only variation", nil
	}
	if id := s.servedLast(ctx, ld, at); id != "" {
		if i := slices.IndexFunc(s.Variations, func(v ldclient.Variation) bool { return v.ID == id }); i >= 0 && i != s.disabled {
			return i, ", as before it was turned off", nil
		}
	}
	return 0, "", badf("missing variationKey: %s has several variations, and what it served before could not be told; give one: %s", at.Key, s.listReal())
}

func (s *aiServed) listReal() string {
	var real []int
	for i := range s.Variations {
		if i != s.disabled {
			real = append(real, i)
		}
	}
	return listVariations(s.Flag, real)
}

// servedLast reads from the audit log the id of the one variation that the default
// rule served before the change that disabled it, "" where that cannot be told.
func (s *aiServed) servedLast(ctx context.Context, ld *ldclient.Client, at ldclient.Target) string {
	got, err := ld.AuditLog.Search(ctx, ldclient.AuditQuery{Limit: ldclient.MaxAuditLimit,
		Statements: []ldclient.Statement{{Effect: "allow", Actions: []string{"updateAIConfigTargeting"}, Resources: []string{at.String()}}}})
	if err != nil {
		return ""
	}
	for _, row := range got.Items[:min(3, len(got.Items))] { // newest first; what was done before that is another story
		e, err := ld.AuditLog.Get(ctx, row.ID)
		if err != nil {
			return ""
		}
		before, ok := servedIn(e.Previous, at)
		after, known := servedIn(e.Current, at)
		switch {
		case !ok || !known || after != s.Variations[s.disabled].ID:
			return ""
		case before != after:
			return before
		}
	}
	return ""
}

// servedIn is the id of the one variation that the default rule serves in a version of a targeting.
func servedIn(version json.RawMessage, at ldclient.Target) (id string, ok bool) {
	var t ldclient.AITargeting
	if json.Unmarshal(version, &t) != nil {
		return "", false
	}
	c, ok := t.Environments[at.Environment]
	if v := c.Fallthrough.Variation; ok && v != nil && *v >= 0 && *v < len(t.Variations) {
		return t.Variations[*v].ID, true
	}
	return "", false
}
