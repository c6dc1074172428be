package ldclient

// UpdateFallthrough sets what the default rule gives.
func UpdateFallthrough(s Serve) Instruction {
	return s.into(Instruction{"kind": "updateFallthroughVariationOrRollout"})
}

// UpdateOffVariation sets what a flag gives while targeting is off.
func UpdateOffVariation(variationID string) Instruction {
	return Instruction{"kind": "updateOffVariation", "variationId": variationID}
}

// NewTarget is the contexts of one kind that shall be individually targeted with one variation.
type NewTarget struct {
	ContextKind string   `json:"contextKind,omitempty"` // user if ""
	VariationID string   `json:"variationId"`
	Values      []string `json:"values"`
}

func (t NewTarget) into(kind string) Instruction {
	i := Instruction{"kind": kind, "variationId": t.VariationID, "values": t.Values}
	if t.ContextKind != "" {
		i["contextKind"] = t.ContextKind
	}
	return i
}

// AddTargets targets contexts with a variation. It fails for one that another variation targets.
func AddTargets(t NewTarget) Instruction { return t.into("addTargets") }

// RemoveTargets ends the targeting of contexts with a variation; others are left so.
func RemoveTargets(t NewTarget) Instruction { return t.into("removeTargets") }

// AddUserTargets is AddTargets for contexts of kind user.
func AddUserTargets(variationID string, keys []string) Instruction {
	return NewTarget{VariationID: variationID, Values: keys}.into("addUserTargets")
}

// RemoveUserTargets is RemoveTargets for contexts of kind user.
func RemoveUserTargets(variationID string, keys []string) Instruction {
	return NewTarget{VariationID: variationID, Values: keys}.into("removeUserTargets")
}

// ReplaceTargets replaces the individual targets of all context kinds.
func ReplaceTargets(targets []NewTarget) Instruction {
	return Instruction{"kind": "replaceTargets", "targets": targets}
}

// ReplaceUserTargets replaces the individual targets of kind user. targets must name every variation once.
func ReplaceUserTargets(targets []NewTarget) Instruction {
	return Instruction{"kind": "replaceUserTargets", "targets": targets}
}

// ClearTargets removes a variation's individual targets of all context kinds.
func ClearTargets(variationID string) Instruction {
	return Instruction{"kind": "clearTargets", "variationId": variationID}
}

// ClearUserTargets removes a variation's individual targets of kind user.
func ClearUserTargets(variationID string) Instruction {
	return Instruction{"kind": "clearUserTargets", "variationId": variationID}
}

// NewPrerequisite is a flag that shall have to give a certain variation first.
type NewPrerequisite struct {
	Key         string `json:"key"`
	VariationID string `json:"variationId"` // one of that flag's
}

// AddPrerequisite adds a prerequisite.
func AddPrerequisite(p NewPrerequisite) Instruction {
	return Instruction{"kind": "addPrerequisite", "key": p.Key, "variationId": p.VariationID}
}

// UpdatePrerequisite sets the variation that a present prerequisite must give.
func UpdatePrerequisite(p NewPrerequisite) Instruction {
	return Instruction{"kind": "updatePrerequisite", "key": p.Key, "variationId": p.VariationID}
}

// RemovePrerequisite removes a prerequisite.
func RemovePrerequisite(key string) Instruction {
	return Instruction{"kind": "removePrerequisite", "key": key}
}

// ReplacePrerequisites replaces all prerequisites.
func ReplacePrerequisites(list []NewPrerequisite) Instruction {
	return Instruction{"kind": "replacePrerequisites", "prerequisites": list}
}

// UpdateTrackEvents sets whether every evaluation of a flag sends a full event.
func UpdateTrackEvents(track bool) Instruction {
	return Instruction{"kind": "updateTrackEvents", "trackEvents": track}
}

// UpdateTrackEventsFallthrough sets whether evaluations by the default rule send full events.
func UpdateTrackEventsFallthrough(track bool) Instruction {
	return Instruction{"kind": "updateTrackEventsFallthrough", "trackEvents": track}
}
