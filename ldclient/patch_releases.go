package ldclient

// ReleaseStage gives a variation to a part of the contexts for some time.
type ReleaseStage struct {
	Allocation int   `json:"allocation"`     // thousandths of a percent
	Duration   int64 `json:"durationMillis"` // milliseconds
}

// ReleaseMetric is a metric, or a group of them, that guards a rollout.
type ReleaseMetric struct {
	Key     string `json:"key"`
	IsGroup bool   `json:"isGroup,omitempty"`
}

// NewRelease is a guarded or progressive rollout that is yet to be started.
type NewRelease struct {
	Kind              string // guarded or progressive
	RuleID            string // "" for the default rule
	OriginalID        string // variation that is replaced
	TargetID          string // variation that is rolled out
	RandomizationUnit string // context kind
	Stages            []ReleaseStage
	Metrics           []ReleaseMetric // guarded only
	Rollback          map[string]bool // by metric key: whether a regression reverts the rollout; it pauses otherwise
}

// StartRelease starts a rollout. The flag must be on, and no rollout may run on it.
func StartRelease(r NewRelease) Instruction {
	i := Instruction{"kind": "startAutomatedRelease", "releaseKind": r.Kind, "originalVariationId": r.OriginalID, "targetVariationId": r.TargetID,
		"randomizationUnit": r.RandomizationUnit, "stages": r.Stages}
	if r.RuleID != "" {
		i["ruleId"] = r.RuleID
	}
	if len(r.Metrics) > 0 {
		preferences := map[string]any{}
		for _, m := range r.Metrics {
			preferences[m.Key] = map[string]bool{"autoRollback": r.Rollback[m.Key]}
		}
		i["metrics"], i["metricMonitoringPreferences"] = r.Metrics, preferences
	}
	return i
}

// StopRelease ends the rollout on a rule, or on the default rule when ruleID is "", and gives everyone one of its two variations.
func StopRelease(ruleID, finalVariationID string) Instruction {
	i := Instruction{"kind": "stopAutomatedRelease", "finalVariationId": finalVariationID}
	if ruleID != "" {
		i["ruleId"] = ruleID
	}
	return i
}

// HoldRelease ends the rollout like StopRelease, and lets the rule give s instead of that one variation.
func HoldRelease(ruleID, finalVariationID string, s Serve) []Instruction {
	hold := Instruction{"kind": "updateFallthroughVariationOrRollout"}
	if ruleID != "" {
		hold = Instruction{"kind": "updateRuleVariationOrRollout", "ruleId": ruleID}
	}
	return []Instruction{StopRelease(ruleID, finalVariationID), s.into(hold)}
}
