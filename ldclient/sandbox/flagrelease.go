package sandbox

import (
	"net/http"
	"slices"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

// releaseParams are the parameters of the two instructions for automated releases.
type releaseParams struct {
	ReleaseKind                 string                       `json:"releaseKind"`
	OriginalVariationID         string                       `json:"originalVariationId"`
	TargetVariationID           string                       `json:"targetVariationId"`
	FinalVariationID            string                       `json:"finalVariationId"`
	RandomizationUnit           string                       `json:"randomizationUnit"`
	Stages                      []releaseStage               `json:"stages"`
	Metrics                     []releaseMetric              `json:"metrics"`
	MetricMonitoringPreferences map[string]metricPreferences `json:"metricMonitoringPreferences"`
	ExtensionDurationMillis     *int64                       `json:"extensionDurationMillis"`
}

type releaseStage struct {
	Allocation     int   `json:"allocation"`
	DurationMillis int64 `json:"durationMillis"`
}

type releaseMetric struct {
	Key     string `json:"key"`
	IsGroup bool   `json:"isGroup"`
}

type metricPreferences struct {
	AutoRollback bool `json:"autoRollback"`
}

// release is a guarded or progressive rollout on one rule of a flag. It moves on by the clock, and no metric ever regresses.
type release struct {
	ID                  string
	Kind                string // guarded or progressive
	Environment         string // key
	Rule                string // rule ID, or fallthroughRule
	Status              string // in_progress, completed, manually_completed or manually_reverted
	OriginalVariationID string
	TargetVariationID   string
	RandomizationUnit   string
	Stages              []releaseStage
	Metrics             []releaseMetric
	AutoRollback        map[string]bool // by metric key
	Created, Ended      int64
	Stage               int   // index of the present or last one
	StageStarted        int64 // when it began
}

const (
	fallthroughRule   = "fallthrough"
	releaseInProgress = "in_progress"
)

// running is the index of the release under way in the environment, or -1.
func (f *flag) running(env string) int {
	return slices.IndexFunc(f.Releases, func(r release) bool { return r.Environment == env && r.Status == releaseInProgress })
}

// notReleasing refuses an edit of a rule that a release has in its hands.
func (e *flagEdit) notReleasing(rule string) *apiError {
	if i := e.f.running(e.env.Key); i >= 0 && e.f.Releases[i].Rule == rule {
		return invalid("Flag must not have ongoing %s rollout", e.f.Releases[i].Kind)
	}
	return nil
}

func releaseAction(in params) string {
	onRule := in.RuleID != "" || in.Ref != "" || len(in.Clauses) > 0
	switch {
	case in.Kind == "startAutomatedRelease" && onRule:
		return "updateRulesWithMeasuredRollout"
	case in.Kind == "startAutomatedRelease":
		return "updateFallthroughWithMeasuredRollout"
	case onRule:
		return "stopMeasuredRolloutOnFlagRule"
	}
	return "stopMeasuredRolloutOnFlagFallthrough"
}

var uuidPattern = pattern.Of(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// releaseVariation finds one of a release's variations. LaunchDarkly answers 500
// for an ID that is well-formed but not the flag's.
func (e *flagEdit) releaseVariation(name, id string) (int, *apiError) {
	if !uuidPattern().MatchString(id) {
		return 0, invalid("%s must be a valid variation id", name)
	}
	i := e.f.variationIndex(id)
	if i < 0 {
		return 0, &apiError{http.StatusInternalServerError, "internal_service_error", "Internal server error"}
	}
	return i, nil
}

func (in params) checkRelease() *apiError {
	switch in.ReleaseKind {
	case "guarded":
		if len(in.Metrics) == 0 {
			return invalid("metrics are required for a guarded release")
		}
		if slices.ContainsFunc(in.Metrics, func(m releaseMetric) bool { return m.Key == "" }) {
			return invalid("every metric of a release must have a key")
		}
	case "progressive":
		if len(in.Metrics) > 0 || in.ExtensionDurationMillis != nil {
			return invalid("metrics and extensionDurationMillis are for guarded releases only")
		}
	default:
		return invalid("releaseKind must be guarded or progressive, not '%s'", in.ReleaseKind)
	}
	if in.OriginalVariationID == in.TargetVariationID {
		return invalid("instruction targetVariationId and originalVariationId must be different")
	}
	if in.RandomizationUnit == "" {
		return in.missing("randomizationUnit")
	}
	if err := checkContextKind(in.RandomizationUnit); err != nil {
		return err
	}
	if len(in.Stages) == 0 {
		return invalid("a release must have at least one stage")
	}
	for _, s := range in.Stages {
		switch {
		case s.Allocation <= 0:
			return invalid("stage allocation must be greater than 0")
		case in.ReleaseKind == "guarded" && s.Allocation > fullWeight/2:
			return invalid("stage allocation must not exceed 50%%")
		case s.Allocation > fullWeight:
			return invalid("stage allocation must not exceed 100%%")
		case s.DurationMillis <= 0:
			return invalid("stage durationMillis must be greater than 0")
		}
	}
	return nil
}

func (e *flagEdit) startRelease(in params) *apiError {
	if !e.c.On {
		return invalid("flag %s is off", e.f.Key)
	}
	if i := e.f.running(e.env.Key); i >= 0 {
		return invalid("Flag must not have ongoing %s rollout", e.f.Releases[i].Kind)
	}
	if err := in.checkRelease(); err != nil {
		return err
	}
	original, err := e.releaseVariation("originalVariationId", in.OriginalVariationID)
	if err != nil {
		return err
	}
	target, err := e.releaseVariation("targetVariationId", in.TargetVariationID)
	if err != nil {
		return err
	}
	rule, served, err := e.releaseRule(in)
	if err != nil {
		return err
	}
	auto := map[string]bool{}
	for _, m := range in.Metrics {
		auto[m.Key] = in.MetricMonitoringPreferences[m.Key].AutoRollback
	}
	now := e.a.tick()
	r := release{
		ID: e.a.uuid(), Kind: in.ReleaseKind, Environment: e.env.Key, Rule: rule, Status: releaseInProgress,
		OriginalVariationID: in.OriginalVariationID, TargetVariationID: in.TargetVariationID,
		RandomizationUnit: in.RandomizationUnit, Stages: in.Stages, Metrics: in.Metrics, AutoRollback: auto, Created: now, StageStarted: now,
	}
	*served = r.serves(target, original)
	e.f.Releases = append(e.f.Releases, r)
	return nil
}

// releaseRule is what a release starts on: an existing rule, a new one made of
// the instruction's clauses, or the default rule.
func (e *flagEdit) releaseRule(in params) (id string, served *serve, err *apiError) {
	if in.RuleID == "" && in.Ref == "" && len(in.Clauses) == 0 {
		return fallthroughRule, &e.c.Fallthrough, nil
	}
	if len(in.Clauses) > 0 {
		in.VariationID = in.OriginalVariationID
		r, err := e.newRule(in)
		if err != nil {
			return "", nil, err
		}
		return r.ID, &r.serve, e.insertRule(in, r)
	}
	r, err := e.ruleByIDOrRef(in)
	if err != nil {
		return "", nil, err
	}
	return r.ID, &r.serve, nil
}

func (e *flagEdit) ruleByIDOrRef(in params) (*flagRule, *apiError) {
	if in.RuleID != "" {
		return findRule(e.c.Rules, in)
	}
	i := slices.IndexFunc(e.c.Rules, func(r *flagRule) bool { return r.Ref == in.Ref })
	if i < 0 {
		return nil, invalid("instruction kind '%s': unknown ref '%s'", in.Kind, in.Ref)
	}
	return e.c.Rules[i], nil
}

func (e *flagEdit) stopRelease(in params) *apiError {
	rule, served := fallthroughRule, &e.c.Fallthrough
	if in.RuleID != "" || in.Ref != "" {
		r, err := e.ruleByIDOrRef(in)
		if err != nil {
			return err
		}
		rule, served = r.ID, &r.serve
	}
	i := e.f.running(e.env.Key)
	if i < 0 || e.f.Releases[i].Rule != rule {
		return invalid("no active automated release found on this target")
	}
	final, err := e.releaseVariation("finalVariationId", in.FinalVariationID)
	if err != nil {
		return err
	}
	r := &e.f.Releases[i]
	switch in.FinalVariationID {
	case r.TargetVariationID:
		r.Status = "manually_completed"
	case r.OriginalVariationID:
		r.Status = "manually_reverted"
	default:
		return invalid("finalVariationId must be the release's original or target variation")
	}
	r.Ended = e.a.tick()
	*served = serve{Variation: &final}
	return nil
}
