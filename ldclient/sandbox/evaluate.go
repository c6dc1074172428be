package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// Evaluate asks LaunchDarkly's own engine what a flag serves a context. A flag
// that is missing or archived gives the error FLAG_NOT_FOUND, as in an SDK.
func (a *Account) Evaluate(projectKey, environmentKey, flagKey string, c ldcontext.Context) (ldreason.EvaluationDetail, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expire()
	a.advance()
	p := a.findProject(projectKey)
	if p == nil || p.env(environmentKey) == nil {
		return ldreason.EvaluationDetail{}, fmt.Errorf("the sandbox has no environment %s/%s: name one of its own", projectKey, environmentKey)
	}
	return newEvaluator(p, p.env(environmentKey)).evaluate(flagKey, c), nil
}

// evaluator is one environment as an SDK sees it.
type evaluator struct {
	p        *project
	e        *environment
	engine   evaluation.Evaluator
	flags    map[string]*ldmodel.FeatureFlag
	segments map[string]*ldmodel.Segment
}

func newEvaluator(p *project, e *environment) *evaluator {
	ev := &evaluator{p: p, e: e, flags: map[string]*ldmodel.FeatureFlag{}, segments: map[string]*ldmodel.Segment{}}
	ev.engine = evaluation.NewEvaluatorWithOptions(ev, evaluation.EvaluatorOptionBigSegmentProvider(ev))
	return ev
}

func (ev *evaluator) evaluate(flagKey string, c ldcontext.Context) ldreason.EvaluationDetail {
	f := ev.GetFeatureFlag(flagKey)
	if f == nil {
		return ldreason.NewEvaluationDetailForError(ldreason.EvalErrorFlagNotFound, ldvalue.Null())
	}
	return ev.engine.Evaluate(f, c, nil).Detail
}

// GetFeatureFlag serves the engine. SDKs never receive archived flags.
func (ev *evaluator) GetFeatureFlag(key string) *ldmodel.FeatureFlag {
	if f, ok := ev.flags[key]; ok {
		return f
	}
	f := ev.p.flag(key)
	if c := ev.p.aiConfig(key); f == nil && c != nil {
		f = c.Flag
	}
	if f == nil || f.Archived || f.Environments[ev.e.Key] == nil {
		return nil
	}
	out, err := ldmodel.NewJSONDataModelSerialization().UnmarshalFeatureFlag(jsonValue(sdkFlag(f, f.Environments[ev.e.Key])))
	if err != nil {
		panic(err) // flags are checked before they are stored
	}
	ev.flags[key] = &out
	return &out
}

// GetSegment serves the engine.
func (ev *evaluator) GetSegment(key string) *ldmodel.Segment {
	if s, ok := ev.segments[key]; ok {
		return s
	}
	s := ev.e.segment(key)
	if s == nil {
		return nil
	}
	out, err := ldmodel.NewJSONDataModelSerialization().UnmarshalSegment(jsonValue(sdkSegment(s)))
	if err != nil {
		panic(err)
	}
	ev.segments[key] = &out
	return &out
}

// GetMembership serves the engine with the big segments of one context key.
func (ev *evaluator) GetMembership(key string) (evaluation.BigSegmentMembership, ldreason.BigSegmentsStatus) {
	m := membership{}
	for _, s := range ev.e.Segments {
		if s.BigIncluded[key] {
			m[s.reference()] = true
		} else if s.BigExcluded[key] {
			m[s.reference()] = false
		}
	}
	return m, ldreason.BigSegmentsHealthy
}

// reference is the engine's name for a big segment.
func (s *segment) reference() string { return fmt.Sprintf("%s.g%d", s.Key, s.Generation) }

type membership map[string]bool

// CheckMembership serves the engine.
func (m membership) CheckMembership(reference string) ldvalue.OptionalBool {
	if in, ok := m[reference]; ok {
		return ldvalue.NewOptionalBool(in)
	}
	return ldvalue.OptionalBool{}
}

type sdkRule struct {
	ID      string   `json:"id"`
	Clauses []clause `json:"clauses"`
	sdkServe
	Weight             *int   `json:"weight,omitempty"`
	BucketBy           string `json:"bucketBy,omitempty"`
	RolloutContextKind string `json:"rolloutContextKind,omitempty"`
}

// sdkFlag is the flag in the form that SDKs receive.
func sdkFlag(f *flag, c *flagConfig) map[string]any {
	values := make([]json.RawMessage, len(f.Variations))
	for i, v := range f.Variations {
		values[i] = v.Value
	}
	rules := make([]sdkRule, len(c.Rules))
	for i, r := range c.Rules {
		rules[i] = sdkRule{ID: r.ID, Clauses: r.Clauses, sdkServe: sdkServeOf(r.serve)}
	}
	return map[string]any{
		"key": f.Key, "version": c.Version, "on": c.On, "salt": c.Salt, "variations": values,
		"targets": c.Targets, "contextTargets": c.shownContextTargets(), "rules": rules,
		"fallthrough": sdkServeOf(c.Fallthrough), "offVariation": c.OffVariation, "prerequisites": c.Prerequisites,
	}
}

func sdkSegment(s *segment) map[string]any {
	rules := make([]sdkRule, len(s.Rules))
	for i, r := range s.Rules {
		rules[i] = sdkRule{
			ID: r.ID, Clauses: r.Clauses, Weight: r.Weight, BucketBy: r.BucketBy, RolloutContextKind: r.RolloutContextKind,
		}
	}
	return map[string]any{
		"key": s.Key, "version": s.Version, "salt": s.Salt, "rules": rules, "included": s.Included, "excluded": s.Excluded,
		"includedContexts": s.IncludedContexts, "excludedContexts": s.ExcludedContexts,
		"unbounded": s.Unbounded, "unboundedContextKind": s.UnboundedContextKind, "generation": s.Generation,
	}
}

// inSegment asks the engine by means of a flag with one rule.
func (ev *evaluator) inSegment(s *segment, c ldcontext.Context) bool {
	zero, one := 0, 1
	f := &flag{Key: "member", Variations: []variation{{Value: jsonValue(false)}, {Value: jsonValue(true)}}}
	rule := &flagRule{serve: serve{Variation: &one}, Clauses: []clause{{
		Op: "segmentMatch", Attribute: "segmentMatch", ContextKind: "user", Values: []json.RawMessage{jsonValue(s.Key)},
	}}}
	config := &flagConfig{On: true, Rules: []*flagRule{rule}, Fallthrough: serve{Variation: &zero}}
	asked, err := ldmodel.NewJSONDataModelSerialization().UnmarshalFeatureFlag(jsonValue(sdkFlag(f, config)))
	if err != nil {
		panic(err)
	}
	return ev.engine.Evaluate(&asked, c, nil).Detail.Value.BoolValue()
}

type evaluationRep struct {
	Key    string        `json:"key"`
	Name   string        `json:"name"`
	Value  ldvalue.Value `json:"_value"`
	Reason reasonRep     `json:"reason"`
	Links  links         `json:"_links"`
}

type reasonRep struct {
	Kind            string `json:"kind"`
	RuleIndex       *int   `json:"ruleIndex,omitempty"`
	RuleID          string `json:"ruleID,omitempty"`
	PrerequisiteKey string `json:"prerequisiteKey,omitempty"`
	InExperiment    bool   `json:"inExperiment,omitempty"`
	ErrorKind       string `json:"errorKind,omitempty"`
}

func newReason(r ldreason.EvaluationReason) reasonRep {
	rep := reasonRep{
		Kind: string(r.GetKind()), RuleID: r.GetRuleID(), PrerequisiteKey: r.GetPrerequisiteKey(),
		InExperiment: r.IsInExperiment(), ErrorKind: string(r.GetErrorKind()),
	}
	if r.GetKind() == ldreason.EvalReasonRuleMatch {
		i := r.GetRuleIndex()
		rep.RuleIndex = &i
	}
	return rep
}

// evaluable reads what both evaluate routes have in common; when something is wrong, it has answered and e is nil.
func (a *Account) evaluable(w http.ResponseWriter, r *http.Request) (p *project, e *environment, c ldcontext.Context) {
	if p = a.project(w, r); p == nil {
		return
	}
	if e = a.environment(w, p, r.PathValue("environment")); e == nil {
		return
	}
	if err := decodeBody(r, &c); err != nil {
		badRequest(w, err)
		e = nil
	}
	return
}

func (a *Account) evaluateFlags(w http.ResponseWriter, r *http.Request) {
	p, e, c := a.evaluable(w, r)
	if e == nil {
		return
	}
	filter, err := parseExpression(r.URL.Query().Get("filter"))
	if err != nil {
		badRequest(w, err)
		return
	}
	limit, offset, err := evaluationPage(r, len(p.Flags))
	if err != nil {
		badRequest(w, err)
		return
	}
	sorted, err := evaluationOrder(r, p.Flags)
	if err != nil {
		badRequest(w, err)
		return
	}
	ev := newEvaluator(p, e)
	items := []evaluationRep{}
	for _, f := range sorted {
		ok, err := filter.match(func(c condition) (bool, error) { return f.evaluationMatch(c) })
		if err != nil {
			badRequest(w, err)
			return
		}
		if f.Archived || !ok {
			continue
		}
		detail := ev.evaluate(f.Key, c)
		items = append(items, evaluationRep{
			Key: f.Key, Name: f.Name, Value: detail.Value, Reason: newReason(detail.Reason),
			Links: links{"site": flagSite(p, e.Key, f.Key)},
		})
	}
	send(w, http.StatusOK, page(r, items, limit, offset))
}

// evaluationPage is the page to show; without a limit, or with -1, it is everything.
func evaluationPage(r *http.Request, all int) (limit, offset int, err error) {
	q := r.URL.Query()
	if q.Get("limit") == "-1" || q.Get("limit") == "" {
		offset, err = countParam(r, "offset")
		return max(all, 1), offset, err
	}
	return pageParams(r)
}

func evaluationOrder(r *http.Request, flags []*flag) ([]*flag, error) {
	out := slices.Clone(flags)
	sorts, err := flagSorts(r, []string{r.PathValue("environment")})
	if err != nil {
		return nil, err
	}
	return out, sortItems(out, r.URL.Query().Get("sort"), sorts)
}

func (f *flag) evaluationMatch(c condition) (bool, error) {
	switch c.field + " " + c.op {
	case "query equals":
		return slices.ContainsFunc(c.values, func(v string) bool { return containsFold(f.Key, v) || containsFold(f.Name, v) }), nil
	case "tags contains":
		return hasTags(f.Tags, strings.Join(c.values, "+")), nil
	}
	return false, fmt.Errorf("invalid filter %s %s: the fields are query equals and tags contains", c.field, c.op)
}
