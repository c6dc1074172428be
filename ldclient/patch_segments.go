package ldclient

// MaxSegmentTargets is how many target operations LaunchDarkly takes in one patch of a segment.
const MaxSegmentTargets = 1500

// UpdateSegmentName renames a segment.
func UpdateSegmentName(name string) Instruction {
	return Instruction{"kind": "updateName", "value": name}
}

// AddSegmentTags adds tags to a segment.
func AddSegmentTags(tags []string) Instruction {
	return Instruction{"kind": "addTags", "values": tags}
}

// RemoveSegmentTags takes tags off a segment.
func RemoveSegmentTags(tags []string) Instruction {
	return Instruction{"kind": "removeTags", "values": tags}
}

// SegmentTargets adds context keys to one of a segment's lists or takes them
// off. Kind says which, such as addIncludedTargets; contextKind is "" for the
// kinds for users and for big segments, which take none.
func SegmentTargets(kind, contextKind string, values []string) Instruction {
	i := Instruction{"kind": kind, "values": values}
	if contextKind != "" {
		i["contextKind"] = contextKind
	}
	return i
}

// NewSegmentRule is a segment rule that is yet to be added.
type NewSegmentRule struct {
	Clauses     []Clause
	Description string
	Weight      *int   // share of the matching contexts in thousandths of a percent; nil is all
	ContextKind string // context kind to divide by Weight
	BucketBy    string // attribute to divide by
}

// AddSegmentRule adds a rule after all others.
func AddSegmentRule(r NewSegmentRule) Instruction {
	i := Instruction{"kind": "addRule", "clauses": r.Clauses}
	if r.Description != "" {
		i["description"] = r.Description
	}
	if r.Weight != nil {
		i["weight"] = *r.Weight
		if r.ContextKind != "" {
			i["rolloutContextKind"] = r.ContextKind
		}
		if r.BucketBy != "" {
			i["bucketBy"] = r.BucketBy
		}
	}
	return i
}

// UpdateSegmentRuleRollout sets what share of the matching contexts a rule takes, in thousandths of a percent.
func UpdateSegmentRuleRollout(ruleID string, weight int, contextKind string) Instruction {
	return Instruction{"kind": "updateRuleRolloutAndContextKind", "ruleId": ruleID, "weight": weight, "contextKind": contextKind}
}

// ProcessBigSegmentImport carries out an uploaded import of a big segment that waits for approval.
func ProcessBigSegmentImport(importID string) Instruction {
	return Instruction{"kind": "processBigSegmentImport", "importId": importID}
}
