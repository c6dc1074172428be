package sandbox

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// aiTargetingKinds are the instructions that the targeting of an AI config takes: those of a
// flag but for turning it on and off, user targets, prerequisites and its settings.
var aiTargetingKinds = []string{
	"addClauses", "addRule", "addTargets", "addValuesToClause", "clearTargets", "removeClauses", "removeRule", "removeTargets",
	"removeValuesFromClause", "reorderRules", "replaceRules", "replaceTargets", "updateClause", "updateDefaultVariation",
	"updateFallthroughVariationOrRollout", "updateOffVariation", "updateRuleDescription", "updateRuleTrackEvents",
	"updateRuleVariationOrRollout", "updateTrackEvents", "updateTrackEventsFallthrough",
}

type aiTargetingRep struct {
	Key          string                       `json:"key"`
	Name         string                       `json:"name"`
	Tags         []string                     `json:"tags"`
	CreatedAt    int64                        `json:"createdAt"`
	Version      int                          `json:"_version"`
	Defaults     flagDefaults                 `json:"defaults"`
	Variations   []aiTargetVariation          `json:"variations"`
	Environments map[string]aiTargetingEnvRep `json:"environments"`
	Experiments  experimentsRep               `json:"experiments"`
}

// aiTargetVariation is a variation as targeting names it: by an id of its own, without the key.
type aiTargetVariation struct {
	variation
	Description string `json:"description"`
}

type aiTargetingEnvRep struct {
	Enabled                bool         `json:"enabled"`
	Version                int          `json:"_version"`
	LastModified           int64        `json:"lastModified"`
	EnvironmentName        string       `json:"_environmentName"`
	Targets                []flagTarget `json:"targets"`
	ContextTargets         []flagTarget `json:"contextTargets"`
	Rules                  []aiRuleRep  `json:"rules"`
	Fallthrough            serve        `json:"fallthrough"`
	OffVariation           *int         `json:"offVariation,omitempty"`
	TrackEvents            bool         `json:"trackEvents"`
	TrackEventsFallthrough bool         `json:"trackEventsFallthrough"`
}

type aiRuleRep struct {
	*flagRule
	Clauses []aiClauseRep `json:"clauses"`
}

// aiClauseRep is a clause with its id under the name that the targeting of AI configs has for it.
type aiClauseRep struct {
	clause
	ID   string `json:"id"`
	NoID string `json:"_id,omitempty"`
}

func (a *Account) aiTargetingView(p *project, c *aiConfig) aiTargetingRep {
	f := c.Flag
	rep := aiTargetingRep{Key: c.Key, Name: c.Name, Tags: c.Tags, CreatedAt: c.Created, Version: f.Version, Defaults: f.Defaults,
		Environments: map[string]aiTargetingEnvRep{}, Experiments: experimentsRep{Items: []any{}}}
	for _, v := range f.Variations {
		rep.Variations = append(rep.Variations, aiTargetVariation{v, v.Description})
	}
	for _, e := range p.Envs {
		k := f.Environments[e.Key]
		if k == nil { // the environment came later
			k = a.newAITargeting(f, e)
			f.Environments[e.Key] = k
		}
		env := aiTargetingEnvRep{Enabled: k.On, Version: k.Version, LastModified: k.LastModified, EnvironmentName: e.Name, Targets: k.Targets,
			ContextTargets: k.shownContextTargets(), Rules: []aiRuleRep{}, Fallthrough: k.Fallthrough, OffVariation: k.OffVariation,
			TrackEvents: k.TrackEvents, TrackEventsFallthrough: k.TrackEventsFallthrough}
		for _, r := range k.Rules {
			rule := aiRuleRep{flagRule: r}
			for _, cl := range r.Clauses {
				rule.Clauses = append(rule.Clauses, aiClauseRep{clause: cl, ID: cl.ID})
			}
			env.Rules = append(env.Rules, rule)
		}
		rep.Environments[e.Key] = env
	}
	return rep
}

// newAITargeting is how an AI config begins in an environment.
func (a *Account) newAITargeting(f *flag, e *environment) *flagConfig {
	c := a.newFlagConfig(f, e)
	c.On = true
	return c
}

func (a *Account) getAITargeting(w http.ResponseWriter, r *http.Request) {
	if p, c := a.aiConfigShown(w, r); c != nil {
		send(w, http.StatusOK, a.aiTargetingView(p, c))
	}
}

// applyToAIConfig returns the flag of c as the instructions would leave it, and whether that is a change.
func (a *Account) applyToAIConfig(p *project, c *aiConfig, e *environment, instructions []instruction) (*flag, bool, *apiError) {
	edit := &flagEdit{a: a, p: p, f: c.Flag.clone(), env: e}
	if edit.f.Environments[e.Key] == nil {
		edit.f.Environments[e.Key] = a.newAITargeting(edit.f, e)
	}
	edit.c = edit.f.Environments[e.Key]
	for i, raw := range instructions {
		in, err := raw.params()
		switch {
		case err != nil:
		case in.Kind == "":
			err = invalid("instruction %d has no kind", i)
		case !slices.Contains(aiTargetingKinds, in.Kind):
			err = invalid("unknown instruction kind '%s'", in.Kind)
		default:
			err = flagKinds()[in.Kind].apply(edit, in)
		}
		if err != nil {
			return nil, false, err
		}
	}
	if err := edit.f.checkConfig(edit.c); err != nil {
		return nil, false, err
	}
	if bytes.Equal(jsonValue(c.Flag), jsonValue(edit.f)) {
		return edit.f, false, nil
	}
	edit.f.Version++
	edit.c.Version++
	edit.c.LastModified = a.tick()
	return edit.f, true, nil
}

// putAITargeting puts what applyToAIConfig returned in place.
func (a *Account) putAITargeting(r *http.Request, p *project, c *aiConfig, e *environment, next *flag, comment string) {
	a.changing(c)
	before := jsonValue(a.aiTargetingView(p, c))
	c.Flag = next
	a.record(r, change{Kind: "aiconfig", Name: c.Name, Resource: e.spec(p) + ":aiconfig/" + c.Key, Actions: []string{"updateAIConfigTargeting"},
		Verb: "updated the targeting of the AI config", Comment: comment, Before: before, After: jsonValue(a.aiTargetingView(p, c)), ParentName: p.Name, Parent: p.spec()})
}

func (a *Account) patchAITargeting(w http.ResponseWriter, r *http.Request) {
	p, c := a.aiConfigNamed(w, r)
	if c == nil {
		return
	}
	body, err := readPatch(r)
	if err == nil && !body.Semantic {
		err = invalid("the targeting of an AI Config takes a semantic patch")
	}
	e := p.env(body.EnvironmentKey)
	if err == nil && e == nil {
		err = invalid("unknown environmentKey '%s'", body.EnvironmentKey)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	next, changed, err := a.applyToAIConfig(p, c, e, body.Instructions)
	if err == nil && changed && !a.bypasses && e.AIConfigApprovals.needed(c.Tags) {
		err = &apiError{http.StatusForbidden, "forbidden", "approval is required"}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	if changed {
		a.putAITargeting(r, p, c, e, next, body.Comment)
	}
	send(w, http.StatusOK, a.aiTargetingView(p, c))
}

// aiUsage is what an AI config was used for in the time that is asked about.
type aiUsage struct {
	InputTokens    int     `json:"inputTokens"`
	OutputTokens   int     `json:"outputTokens"`
	TotalTokens    int     `json:"totalTokens"`
	Generations    int     `json:"generationCount"`
	Successes      int     `json:"generationSuccessCount"`
	Errors         int     `json:"generationErrorCount"`
	ThumbsUp       int     `json:"thumbsUp"`
	ThumbsDown     int     `json:"thumbsDown"`
	DurationMillis int     `json:"durationMs"`
	FirstToken     int     `json:"timeToFirstTokenMs"`
	Satisfaction   float64 `json:"satisfactionRating"`
	InputCost      float64 `json:"inputCost"`
	OutputCost     float64 `json:"outputCost"`
}

func (u *aiUsage) add(v aiUsage) {
	u.InputTokens += v.InputTokens
	u.OutputTokens += v.OutputTokens
	u.TotalTokens += v.TotalTokens
	u.Generations += v.Generations
	u.Successes += v.Successes
	u.Errors += v.Errors
	u.ThumbsUp += v.ThumbsUp
	u.ThumbsDown += v.ThumbsDown
	u.DurationMillis += v.DurationMillis
	u.FirstToken += v.FirstToken
	u.InputCost += v.InputCost
	u.OutputCost += v.OutputCost
	if n := u.ThumbsUp + u.ThumbsDown; n > 0 {
		u.Satisfaction = float64(u.ThumbsUp) / float64(n)
	}
}

// aiUsed reads a question about metrics; it has answered where c is nil. What was used counts
// as used an hour ago.
func (a *Account) aiUsed(w http.ResponseWriter, r *http.Request) (c *aiConfig, used map[string]aiUsage) {
	p, c := a.aiConfigNamed(w, r)
	if c == nil {
		return nil, nil
	}
	q := r.URL.Query()
	from, err1 := strconv.ParseInt(q.Get("from"), 10, 64)
	to, err2 := strconv.ParseInt(q.Get("to"), 10, 64)
	var err *apiError
	switch hundred := (100 * day).Milliseconds(); {
	case err1 != nil || err2 != nil || from >= to:
		err = invalid("from and to must be times in milliseconds, from before to")
	case to-from > hundred:
		err = invalid("from and to must be at most 100 days apart")
	case p.env(q.Get("env")) == nil:
		err = invalid("Unknown environment key %s", q.Get("env"))
	}
	if err != nil {
		refuse(w, err)
		return nil, nil
	}
	if at := a.now().Add(-time.Hour).UnixMilli(); from <= at && at < to {
		used = c.Usage[q.Get("env")]
	}
	return c, used
}

func (a *Account) aiMetrics(w http.ResponseWriter, r *http.Request) {
	if c, used := a.aiUsed(w, r); c != nil {
		var all aiUsage
		for _, v := range c.Variations {
			all.add(used[v.Key])
		}
		send(w, http.StatusOK, all)
	}
}

func (a *Account) aiMetricsByVariation(w http.ResponseWriter, r *http.Request) {
	if c, used := a.aiUsed(w, r); c != nil {
		out := []any{}
		for _, v := range c.Variations {
			if u, ok := used[v.Key]; ok {
				out = append(out, map[string]any{"variationKey": v.Key, "metrics": u})
			}
		}
		send(w, http.StatusOK, out)
	}
}
