package ldclient

import "encoding/json"

// ArchiveFlag takes a flag out of use in every environment.
func ArchiveFlag() Instruction { return Instruction{"kind": "archiveFlag"} }

// RestoreFlag brings an archived flag back as it was.
func RestoreFlag() Instruction { return Instruction{"kind": "restoreFlag"} }

// DeprecateFlag marks a flag as one that new code should not use.
func DeprecateFlag() Instruction { return Instruction{"kind": "deprecateFlag"} }

// RestoreDeprecatedFlag takes the mark off that DeprecateFlag put on.
func RestoreDeprecatedFlag() Instruction { return Instruction{"kind": "restoreDeprecatedFlag"} }

// UpdateFlagName sets a flag's name.
func UpdateFlagName(name string) Instruction {
	return Instruction{"kind": "updateName", "value": name}
}

// UpdateFlagDescription sets a flag's description.
func UpdateFlagDescription(text string) Instruction {
	return Instruction{"kind": "updateDescription", "value": text}
}

// AddFlagTags adds tags to a flag.
func AddFlagTags(tags []string) Instruction {
	return Instruction{"kind": "addTags", "values": tags}
}

// RemoveFlagTags removes tags from a flag.
func RemoveFlagTags(tags []string) Instruction {
	return Instruction{"kind": "removeTags", "values": tags}
}

// MakeFlagTemporary marks a flag as temporary or permanent.
func MakeFlagTemporary(temporary bool) Instruction {
	if temporary {
		return Instruction{"kind": "makeFlagTemporary"}
	}
	return Instruction{"kind": "makeFlagPermanent"}
}

// UpdateMaintainerMember makes a member the maintainer of a flag, in place of any member or team.
func UpdateMaintainerMember(id string) Instruction {
	return Instruction{"kind": "updateMaintainerMember", "value": id}
}

// UpdateMaintainerTeam makes a team the maintainer of a flag, in place of any member or team.
func UpdateMaintainerTeam(key string) Instruction {
	return Instruction{"kind": "updateMaintainerTeam", "value": key}
}

// RemoveMaintainer leaves a flag without a maintainer.
func RemoveMaintainer() Instruction { return Instruction{"kind": "removeMaintainer"} }

// SetClientSideAvailability shows a flag to client-side SDKs or hides it from
// them; sdk is usingMobileKey or usingEnvironmentId.
func SetClientSideAvailability(sdk string, on bool) Instruction {
	if on {
		return Instruction{"kind": "turnOnClientSideAvailability", "value": sdk}
	}
	return Instruction{"kind": "turnOffClientSideAvailability", "value": sdk}
}

// AddCustomProperties adds values to one custom property of a flag, which is made where there is none.
func AddCustomProperties(key, name string, values []string) Instruction {
	return Instruction{"kind": "addCustomProperties", "key": key, "name": name, "values": values}
}

// ReplaceCustomProperties sets the values of one custom property of a flag.
func ReplaceCustomProperties(key, name string, values []string) Instruction {
	return Instruction{"kind": "replaceCustomProperties", "key": key, "name": name, "values": values}
}

// RemoveCustomProperties removes values from one custom property of a flag, which goes with its last value.
func RemoveCustomProperties(key string, values []string) Instruction {
	return Instruction{"kind": "removeCustomProperties", "key": key, "values": values}
}

// AddVariation adds a variation to a flag.
func AddVariation(v NewVariation) Instruction {
	i := Instruction{"kind": "addVariation", "value": v.Value}
	if v.Name != "" {
		i["name"] = v.Name
	}
	if v.Description != "" {
		i["description"] = v.Description
	}
	return i
}

// UpdateVariation changes what is given of a variation. A nil leaves that part as it is.
func UpdateVariation(id string, value json.RawMessage, name, description *string) Instruction {
	i := Instruction{"kind": "updateVariation", "variationId": id}
	if value != nil {
		i["value"] = value
	}
	if name != nil {
		i["name"] = *name
	}
	if description != nil {
		i["description"] = *description
	}
	return i
}

// RemoveVariation removes a variation that nothing uses.
func RemoveVariation(id string) Instruction {
	return Instruction{"kind": "removeVariation", "variationId": id}
}

// UpdateDefaultVariation sets what a flag starts with in new environments, by
// the variations' values. A nil leaves that one as it is.
func UpdateDefaultVariation(on, off json.RawMessage) Instruction {
	i := Instruction{"kind": "updateDefaultVariation"}
	if on != nil {
		i["onVariationValue"] = on
	}
	if off != nil {
		i["offVariationValue"] = off
	}
	return i
}
