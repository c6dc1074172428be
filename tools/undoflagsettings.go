package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// settings takes back what a flag is in all environments, apart from its variations.
func (u *flagUndo) settings(ctx context.Context) error {
	was, is, now := u.was, u.is, u.now
	set := func(do ldclient.Instruction, format string, args ...any) {
		u.add(changingSettings, do, fmt.Sprintf(format, args...))
	}
	if u.takes("the name", was.Name, is.Name, now.Name) {
		set(ldclient.UpdateFlagName(was.Name), "rename it from %s to %s", quoted(now.Name), quoted(was.Name))
	}
	if u.takes("the description", was.Description, is.Description, now.Description) {
		set(ldclient.UpdateFlagDescription(was.Description), "describe it as %s instead of %s", quoted(was.Description), quoted(now.Description))
	}
	more, fewer := u.tags(was.Tags, is.Tags, now.Tags)
	if len(fewer) > 0 {
		set(ldclient.RemoveFlagTags(fewer), "take off the tags %s", keyList(fewer))
	}
	if len(more) > 0 {
		set(ldclient.AddFlagTags(more), "add the tags %s", keyList(more))
	}
	if u.takes("whether it is temporary", was.Temporary, is.Temporary, now.Temporary) {
		set(ldclient.MakeFlagTemporary(was.Temporary), "make it %s", map[bool]string{true: "temporary", false: "permanent"}[was.Temporary])
	}
	maintains := func(f *ldclient.Flag) []string { return []string{f.MaintainerID, f.MaintainerTeamKey} }
	if u.takes("the maintainer", maintains(was), maintains(is), maintains(now)) {
		switch {
		case was.MaintainerTeamKey != "":
			set(ldclient.UpdateMaintainerTeam(was.MaintainerTeamKey), "make team %s the maintainer instead of %s", word(was.MaintainerTeamKey), whoOr(now))
		case was.MaintainerID != "":
			set(ldclient.UpdateMaintainerMember(was.MaintainerID), "make %s the maintainer instead of %s", whoOr(was), whoOr(now))
		default:
			set(ldclient.RemoveMaintainer(), "leave it without a maintainer, instead of %s", whoOr(now))
		}
	}
	a, b, c := was.ClientSideAvailability, is.ClientSideAvailability, now.ClientSideAvailability
	for _, sdk := range []struct {
		name, words  string
		was, is, now bool
	}{{"usingEnvironmentId", "a client-side ID", a.UsingEnvironmentID, b.UsingEnvironmentID, c.UsingEnvironmentID},
		{"usingMobileKey", "a mobile key", a.UsingMobileKey, b.UsingMobileKey, c.UsingMobileKey}} {
		if u.takes("whether SDKs with "+sdk.words+" see it", sdk.was, sdk.is, sdk.now) {
			set(ldclient.SetClientSideAvailability(sdk.name, sdk.was), "%s SDKs with %s", map[bool]string{true: "show it to", false: "hide it from"}[sdk.was], sdk.words)
		}
	}
	for _, key := range keysOfBoth(was.CustomProperties, is.CustomProperties) {
		p, had := was.CustomProperties[key]
		if !u.takes("the custom property "+word(key), propertyOf(was, key), propertyOf(is, key), propertyOf(now, key)) {
			continue
		}
		if had {
			set(ldclient.ReplaceCustomProperties(key, p.Name, p.Value), "set the custom property %s to %s", word(key), orNone(p.Value))
		} else {
			set(ldclient.RemoveCustomProperties(key, now.CustomProperties[key].Value), "remove the custom property %s", word(key))
		}
	}
	u.defaults()
	return u.lifecycle(ctx)
}

// propertyOf is a custom property as it is compared, nil where there is none.
func propertyOf(f *ldclient.Flag, key string) any {
	p, ok := f.CustomProperties[key]
	if !ok {
		return nil
	}
	return []any{p.Name, slices.Sorted(slices.Values(p.Value))}
}

func whoOr(f *ldclient.Flag) string {
	if who := maintainer(f); who != "" {
		return short(clean(who), 60)
	}
	if f.MaintainerID != "" {
		return "member " + word(f.MaintainerID)
	}
	return "nobody"
}

// tags finds the tags that are to come back and to go, each by itself. LaunchDarkly does not tell upper from lower case in them.
func (u *undoing) tags(was, is, now []string) (more, fewer []string) {
	has := func(list []string, tag string) bool {
		return slices.ContainsFunc(list, func(t string) bool { return strings.EqualFold(t, tag) })
	}
	for _, tag := range slices.Concat(was, is) {
		if has(more, tag) || has(fewer, tag) || !u.takes("tag "+word(tag), has(was, tag), has(is, tag), has(now, tag)) {
			continue
		}
		if has(was, tag) {
			more = append(more, tag)
		} else {
			fewer = append(fewer, tag)
		}
	}
	return more, fewer
}

// defaults takes back what new environments start with.
func (u *flagUndo) defaults() {
	if u.was.Defaults == nil || u.is.Defaults == nil || u.now.Defaults == nil {
		return
	}
	var do [2]string
	ids := func(f *ldclient.Flag) [2]string {
		return [2]string{u.today(idOf(f, f.Defaults.OnVariation)), u.today(idOf(f, f.Defaults.OffVariation))}
	}
	was, is, now := ids(u.was), ids(u.is), ids(u.now)
	var words []string
	for n, side := range []string{"on", "off"} {
		if !u.takes("what new environments start with while "+side, was[n], is[n], now[n]) {
			continue
		}
		old := []int{u.was.Defaults.OnVariation, u.was.Defaults.OffVariation}[n]
		if !u.back[was[n]] && variationAt(u.now, was[n]) < 0 {
			u.block("new environments started with variation %s, which is not there any more", label(u.was, old))
			continue
		}
		if !u.sameValue("new environments started with", was[n]) {
			continue
		}
		do[n] = was[n]
		words = append(words, fmt.Sprintf("%s while %s", label(u.was, old), side))
	}
	if len(words) == 0 {
		return
	}
	value := func(id string) []byte { // by then values are as they were
		if id == "" {
			return nil
		}
		if i := variationAt(u.now, id); i >= 0 {
			if j := variationAt(u.is, id); j >= 0 && !sameJSON(u.now.Variations[i].Value, u.is.Variations[j].Value) {
				return u.now.Variations[i].Value
			}
		}
		for _, v := range u.was.Variations {
			if u.today(v.ID) == id {
				return v.Value
			}
		}
		return nil
	}
	u.add(changingDefaults, ldclient.UpdateDefaultVariation(value(do[0]), value(do[1])), "let new environments start with "+strings.Join(words, " and "))
}

// lifecycle takes back archiving and deprecating.
func (u *flagUndo) lifecycle(ctx context.Context) error {
	if u.takes("whether it is deprecated", u.was.Deprecated, u.is.Deprecated, u.now.Deprecated) {
		if u.was.Deprecated {
			u.add(changingSettings, ldclient.DeprecateFlag(), "deprecate it again")
		} else {
			u.add(changingSettings, ldclient.RestoreDeprecatedFlag(), "take the mark of a deprecated flag off")
		}
	}
	switch {
	case !u.takes("whether it is archived", u.was.Archived, u.is.Archived, u.now.Archived):
	case u.ld == nil:
	case u.now.Archived:
		u.add(unarchiving, ldclient.RestoreFlag(), "restore it from the archive")
	default:
		rows, note, err := dependentsOf(ctx, u.ld, ldclient.Target{Project: u.at.Project, Kind: "flag", Key: u.at.Key})
		if err != nil {
			return err
		}
		for _, r := range rows {
			u.block("it cannot be archived again: flag %s has it as a prerequisite in %s", r.Key, keyList(r.Environments))
		}
		if note != "" {
			u.notes = append(u.notes, note)
		}
		u.add(archiving, ldclient.ArchiveFlag(), "archive it again, in every environment")
	}
	return nil
}

// flagInWords says part by part what a flag is, and how it is targeted in one environment if one is given.
func flagInWords(f *ldclient.Flag, environment string) *undoneView {
	v := &undoneView{Version: f.Version, State: map[string]string{}}
	say := func(part, words string) { v.State[part] = short(clean(words), 300) }
	say("name", f.Name)
	say("description", f.Description)
	say("tags", orNone(slices.Sorted(slices.Values(f.Tags))))
	say("temporary", fmt.Sprint(f.Temporary))
	say("maintainer", whoOr(f))
	say("clientSide", orNone(clientSideOf(f.ClientSideAvailability)))
	say("archived", fmt.Sprint(f.Archived))
	say("deprecated", fmt.Sprint(f.Deprecated))
	for _, key := range slices.Sorted(maps.Keys(f.CustomProperties)) {
		say("customProperty "+word(key), orNone(f.CustomProperties[key].Value))
	}
	for _, x := range f.Variations {
		say("variation "+x.ID, told(x)+" "+x.Description)
	}
	if d := f.Defaults; d != nil {
		say("defaultOnVariation", label(f, d.OnVariation))
		say("defaultOffVariation", label(f, d.OffVariation))
	}
	c, ok := f.Environments[environment]
	if !ok {
		return v
	}
	v.Version = c.Version
	say("on", fmt.Sprint(c.On))
	say("fallthrough", serves(f, c.Fallthrough))
	if c.OffVariation != nil {
		say("offVariation", label(f, *c.OffVariation))
	}
	say("trackEvents", fmt.Sprint(c.TrackEvents))
	say("trackEventsFallthrough", fmt.Sprint(c.TrackEventsFallthrough))
	var order []string
	for _, r := range c.Rules {
		order = append(order, r.ID)
		words := fmt.Sprintf("if %s serve %s", inWords(r.Clauses), serves(f, r.RuleServe))
		if r.Description != "" {
			words += fmt.Sprintf(" (%s)", short(r.Description, 100))
		}
		if r.TrackEvents {
			words += ", with event tracking"
		}
		say("rule "+r.ID, words)
	}
	if len(order) > 1 {
		say("ruleOrder", strings.Join(order, ", "))
	}
	for _, p := range c.Prerequisites {
		say("prerequisite "+p.Key, fmt.Sprintf("variation %d", p.Variation))
	}
	for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
		for _, key := range t.Values {
			say(fmt.Sprintf("target %s %s", kindOr(t.ContextKind), word(key)), label(f, t.Variation))
		}
	}
	return v
}
