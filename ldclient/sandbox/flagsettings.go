package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
)

func (e *flagEdit) addVariation(in params) *apiError {
	if in.Value == nil {
		return in.missing("value")
	}
	v := variation{ID: e.a.uuid(), Value: in.Value}
	if in.Name != nil {
		v.Name = *in.Name
	}
	if in.Description != nil {
		v.Description = *in.Description
	}
	e.f.Variations = append(e.f.Variations, v)
	return checkVariations(e.f)
}

func (e *flagEdit) updateVariation(in params) *apiError {
	i, err := e.variation(in, in.VariationID)
	if err != nil {
		return err
	}
	v := &e.f.Variations[i]
	if in.Value != nil && !sameJSON(v.Value, in.Value) {
		v.Value = in.Value
	}
	if in.Name != nil {
		v.Name = *in.Name
	}
	if in.Description != nil {
		v.Description = *in.Description
	}
	return checkVariations(e.f)
}

func (e *flagEdit) removeVariation(in params) *apiError {
	i, err := e.variation(in, in.VariationID)
	if err != nil {
		return err
	}
	if i == e.f.Defaults.OnVariation || i == e.f.Defaults.OffVariation {
		return invalid("variation '%s' is in use: it is a default variation of the flag", in.VariationID)
	}
	for _, key := range slices.Sorted(maps.Keys(e.f.Environments)) {
		if e.f.Environments[key].used(i) {
			return invalid("variation '%s' is in use in environment '%s'", in.VariationID, key)
		}
	}
	if user := variationUser(e.p, e.f.Key, i); user != "" {
		return invalid("variation '%s' is in use: it is a prerequisite of flag '%s'", in.VariationID, user)
	}
	e.f.Variations = slices.Delete(e.f.Variations, i, i+1)
	for _, c := range e.f.Environments {
		c.forget(i)
	}
	for _, index := range []*int{&e.f.Defaults.OnVariation, &e.f.Defaults.OffVariation} {
		if *index > i {
			*index--
		}
	}
	return checkVariations(e.f)
}

// variationUser is the key of a flag that needs the flag to serve this variation, or "".
func variationUser(p *project, key string, variation int) string {
	for _, f := range p.Flags {
		for _, c := range f.Environments {
			if slices.Contains(c.Prerequisites, prerequisite{Key: key, Variation: variation}) {
				return f.Key
			}
		}
	}
	return ""
}

// checkVariations checks what the variations of one flag must fulfil together.
func checkVariations(f *flag) *apiError {
	if len(f.Variations) < 2 {
		return invalid("a flag must have at least two variations")
	}
	if f.Kind == "boolean" && (len(f.Variations) != 2 || !areBooleans(f.Variations)) {
		return invalid("the variations of a boolean flag must be true and false")
	}
	for i, v := range f.Variations {
		for _, other := range f.Variations[:i] {
			if sameJSON(v.Value, other.Value) {
				return invalid("two variations have the same value %s", v.Value)
			}
		}
	}
	return nil
}

func areBooleans(variations []variation) bool {
	return !slices.ContainsFunc(variations, func(v variation) bool {
		return string(v.Value) != "true" && string(v.Value) != "false"
	})
}

func (e *flagEdit) updateDefaults(in params) *apiError {
	if in.OnVariationValue == nil && in.OffVariationValue == nil {
		return in.missing("onVariationValue or offVariationValue")
	}
	for _, d := range []struct {
		value json.RawMessage
		index *int
	}{{in.OnVariationValue, &e.f.Defaults.OnVariation}, {in.OffVariationValue, &e.f.Defaults.OffVariation}} {
		if d.value == nil {
			continue
		}
		i := slices.IndexFunc(e.f.Variations, func(v variation) bool { return sameJSON(v.Value, d.value) })
		if i < 0 {
			return invalid("instruction kind 'updateDefaultVariation': no variation has the value %s", d.value)
		}
		*d.index = i
	}
	return nil
}

func (e *flagEdit) updateName(in params) *apiError {
	name, err := in.text()
	if err != nil {
		return err
	}
	e.f.Name = name
	return checkFlagName(name)
}

func checkFlagName(name string) *apiError {
	if err := checkName(name); err != nil {
		return invalid("%v", err)
	}
	return nil
}

func (e *flagEdit) updateDescription(in params) *apiError {
	s, err := in.text()
	e.f.Description = s
	return err
}

func (e *flagEdit) updateTags(in params) *apiError { return editTags(&e.f.Tags, in) }

// editTags adds or removes tags; they are the same whatever their case.
func editTags(tags *[]string, in params) *apiError {
	values, err := in.texts()
	if err != nil {
		return err
	}
	for _, tag := range values {
		same := func(t string) bool { return strings.EqualFold(t, tag) }
		switch {
		case in.Kind == "removeTags":
			*tags = slices.DeleteFunc(*tags, same)
		case !slices.ContainsFunc(*tags, same):
			*tags = append(*tags, tag)
		}
	}
	return checkTags(*tags)
}

var tagPattern = pattern.Of(`^[a-zA-Z0-9_.-]{1,64}$`)

func checkTags(tags []string) *apiError {
	for _, t := range tags {
		if !tagPattern().MatchString(t) {
			return invalid("'%s' is not a valid tag: a tag has 1 to 64 letters, digits, '.', '_' or '-'", t)
		}
	}
	return nil
}

func (e *flagEdit) updateClientSide(in params) *apiError {
	side, err := in.text()
	if err != nil {
		return err
	}
	on := in.Kind == "turnOnClientSideAvailability"
	switch side {
	case "usingMobileKey":
		e.f.ClientSideAvailability.UsingMobileKey = on
	case "usingEnvironmentId":
		e.f.ClientSideAvailability.UsingEnvironmentID = on
		e.f.IncludeInSnippet = on
	default:
		return invalid("instruction kind '%s': value must be usingMobileKey or usingEnvironmentId, not '%s'", in.Kind, side)
	}
	return nil
}

func (e *flagEdit) updateCustomProperties(in params) *apiError {
	if in.Key == "" {
		return in.missing("key")
	}
	values, err := in.texts()
	if err != nil {
		return err
	}
	prop, had := e.f.CustomProperties[in.Key]
	if in.Kind == "removeCustomProperties" {
		if !had {
			return nil
		}
		prop.Value = slices.DeleteFunc(prop.Value, func(v string) bool { return slices.Contains(values, v) })
		if len(prop.Value) == 0 {
			delete(e.f.CustomProperties, in.Key)
			return nil
		}
		e.f.CustomProperties[in.Key] = prop
		return nil
	}
	if in.Name != nil {
		prop.Name = *in.Name
	}
	if prop.Name == "" {
		return in.missing("name")
	}
	if in.Kind == "replaceCustomProperties" {
		prop.Value = nil
	}
	for _, v := range values {
		if !slices.Contains(prop.Value, v) {
			prop.Value = append(prop.Value, v)
		}
	}
	e.f.CustomProperties[in.Key] = prop
	return nil
}

func (e *flagEdit) updateMaintainer(in params) *apiError {
	if in.Kind == "removeMaintainer" {
		e.f.MaintainerID, e.f.MaintainerTeamKey = "", ""
		return nil
	}
	who, err := in.text()
	if err != nil {
		return err
	}
	e.f.MaintainerID, e.f.MaintainerTeamKey = "", ""
	if in.Kind == "updateMaintainerMember" {
		e.f.MaintainerID = who
	} else {
		e.f.MaintainerTeamKey = who
	}
	if who == "" {
		return in.missing("value")
	}
	return e.a.checkMaintainer(e.f)
}

func (a *Account) checkMaintainer(f *flag) *apiError {
	if f.MaintainerID != "" && a.maintainer(f.MaintainerID) == nil {
		return invalid("unknown maintainerId '%s'", f.MaintainerID)
	}
	if f.MaintainerTeamKey != "" && a.maintainerTeam(f.MaintainerTeamKey) == nil {
		return invalid("unknown maintainerTeamKey '%s'", f.MaintainerTeamKey)
	}
	if f.MaintainerID != "" && f.MaintainerTeamKey != "" {
		return invalid("a flag has either a maintainerId or a maintainerTeamKey, not both")
	}
	return nil
}

func (a *Account) maintainer(id string) *member {
	if i := slices.IndexFunc(a.members, func(m *member) bool { return m.ID == id }); i >= 0 {
		return a.members[i]
	}
	return nil
}

func (a *Account) maintainerTeam(key string) *team {
	if i := slices.IndexFunc(a.teams, func(t *team) bool { return t.Key == key }); i >= 0 {
		return a.teams[i]
	}
	return nil
}

func (e *flagEdit) archive(in params) *apiError {
	archived := in.Kind == "archiveFlag"
	if e.f.Archived == archived {
		return nil
	}
	e.f.Archived = archived
	return e.a.completeArchive(e.p, e.f)
}

// completeArchive carries f.Archived through to what depends on it.
func (a *Account) completeArchive(p *project, f *flag) *apiError {
	f.ArchivedDate = 0
	if f.Archived {
		if user := dependentFlag(p, f.Key); user != "" {
			return invalid("cannot archive flag '%s': it is a prerequisite of flag '%s'", f.Key, user)
		}
		f.ArchivedDate = a.tick()
	}
	for _, c := range f.Environments {
		c.Archived = f.Archived
	}
	return nil
}

// dependentFlag is the key of a flag that has the flag key as a prerequisite, or "".
func dependentFlag(p *project, key string) string {
	for _, f := range p.Flags {
		for _, c := range f.Environments {
			if slices.ContainsFunc(c.Prerequisites, func(q prerequisite) bool { return q.Key == key }) {
				return f.Key
			}
		}
	}
	return ""
}

func (e *flagEdit) deprecate(in params) *apiError {
	deprecated := in.Kind == "deprecateFlag"
	if e.f.Deprecated == deprecated {
		return nil
	}
	e.f.Deprecated, e.f.DeprecatedDate = deprecated, 0
	if deprecated {
		e.f.DeprecatedDate = e.a.tick()
	}
	return nil
}

func (e *flagEdit) deletable(params) *apiError {
	if user := dependentFlag(e.p, e.f.Key); user != "" {
		return conflict("cannot delete flag '%s': it is a prerequisite of flag '%s'", e.f.Key, user)
	}
	if x := e.p.runningOn(e.f.Key); x != nil {
		return conflict("cannot delete flag '%s': experiment '%s' runs on it", e.f.Key, x.Key)
	}
	return nil
}
