package tools

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/internal/pattern"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// settingInstruction is one instruction on what a flag is everywhere.
type settingInstruction struct {
	Kind   string   `json:"kind" jsonschema:"enum=updateName,enum=updateDescription,enum=addTags,enum=removeTags,enum=markTemporary,enum=markPermanent,enum=makeFlagTemporary,enum=makeFlagPermanent,enum=updateMaintainerMember,enum=updateMaintainerTeam,enum=removeMaintainer,enum=turnOnClientSideAvailability,enum=turnOffClientSideAvailability,enum=addCustomProperties,enum=replaceCustomProperties,enum=removeCustomProperties" brief:"true"`
	Value  *string  `json:"value,omitempty" doc:"Text; a member's id, email or name; a team's key; usingMobileKey or usingEnvironmentId"`
	Values []string `json:"values,omitempty" jsonschema:"minItems=1" alias:"tags"`
	Key    string   `json:"key,omitempty"`
	Name   string   `json:"name,omitempty"`
}

// settingNeeds lists, by kind, the fields that must be there, then those that may.
var settingNeeds = map[string][2][]string{
	"updateName":                    {{"value"}, nil},
	"updateDescription":             {{"value"}, nil},
	"addTags":                       {{"values"}, nil},
	"removeTags":                    {{"values"}, nil},
	"markTemporary":                 {},
	"markPermanent":                 {},
	"makeFlagTemporary":             {},
	"makeFlagPermanent":             {},
	"updateMaintainerMember":        {{"value"}, nil},
	"updateMaintainerTeam":          {{"value"}, nil},
	"removeMaintainer":              {},
	"turnOnClientSideAvailability":  {{"value"}, nil},
	"turnOffClientSideAvailability": {{"value"}, nil},
	"addCustomProperties":           {{"key", "values"}, {"name"}},
	"replaceCustomProperties":       {{"key", "values"}, {"name"}},
	"removeCustomProperties":        {{"key", "values"}, nil},
}

// settingsState is what a flag is everywhere. What is the same before and after is left out.
type settingsState struct {
	Version          int                 `json:"version,omitempty" doc:"of the flag"`
	Name             *string             `json:"name,omitempty"`
	Description      *string             `json:"description,omitempty"`
	Tags             *[]string           `json:"tags,omitempty"`
	Temporary        *bool               `json:"temporary,omitempty"`
	Maintainer       *string             `json:"maintainer,omitempty"`
	ClientSide       *[]string           `json:"clientSide,omitempty" doc:"client-side SDKs that see the flag"`
	CustomProperties map[string][]string `json:"customProperties,omitempty"`
}

func settingsOf(f *ldclient.Flag) settingsState {
	tags, sdks, who := append([]string{}, f.Tags...), append([]string{}, clientSideOf(f.ClientSideAvailability)...), maintainer(f)
	return settingsState{f.Version, &f.Name, &f.Description, &tags, &f.Temporary, &who, &sdks, customProperties(f)}
}

func customProperties(f *ldclient.Flag) map[string][]string {
	out := map[string][]string{}
	for key, p := range f.CustomProperties {
		out[key] = p.Value
	}
	return out
}

// leaveOutSame clears the fields of two structs that are equal in both, but for versions.
func leaveOutSame[T any](before, after *T) {
	if before == nil || after == nil {
		return
	}
	b, a := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := range b.NumField() {
		if b.Type().Field(i).Name != "Version" && reflect.DeepEqual(b.Field(i).Interface(), a.Field(i).Interface()) {
			b.Field(i).SetZero()
			a.Field(i).SetZero()
		}
	}
}

var updateFlagSettings = update(Spec{
	Name: "update-flag-settings", Title: "Change a flag's settings",
	Action: "updateName, updateDescription, updateTags, updateTemporary, updateMaintainer, updateClientSideFlagAvailability, updateFlagCustomProperties",
	Or:     "updateIncludeInSnippet",
	Doc:    "Change a flag in all environments: name, description, tags, temporary or permanent, maintainer, client-side availability, custom properties.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlag
	Instructions []settingInstruction `json:"instructions" jsonschema:"minItems=1" doc:"In order. updateName, updateDescription {value}, addTags, removeTags {values}, markTemporary, markPermanent, updateMaintainerMember, updateMaintainerTeam {value}, removeMaintainer, turnOnClientSideAvailability, turnOffClientSideAvailability {value}, addCustomProperties, replaceCustomProperties, removeCustomProperties {key, name, values}"`
	because
}) (*plan[settingsState], error) {
	f, err := ld.Flags.Get(ctx, in.Project, "", in.Flag)
	if err != nil {
		return nil, err
	}
	b := settingBuilder{ld: ld, flag: *f}
	for n, i := range in.Instructions {
		if err := b.add(ctx, i); err != nil {
			return nil, atInstruction(n, i.Kind, err)
		}
	}
	says := fmt.Sprintf("change the settings of flag %s of project %s: %s", in.Flag, in.Project, strings.Join(b.says, "; "))
	p := flagPlan(ld, in.target(), f, settingsOf, says, b.do...)
	p.Differ, p.Notes = leaveOutSame, b.notes
	if len(b.do) == 0 {
		p.Nothing = in.Flag + " is like this already"
	}
	return p, nil
})

// settingBuilder turns instructions as callers write them into LaunchDarkly's, and words for the person who confirms.
type settingBuilder struct {
	ld    *ldclient.Client
	flag  ldclient.Flag // as the instructions so far leave it
	do    []ldclient.Instruction
	says  []string
	notes []string
}

func (b *settingBuilder) step(do ldclient.Instruction, format string, args ...any) {
	b.do, b.says = append(b.do, do), append(b.says, fmt.Sprintf(format, args...))
}

// quoted is text from LaunchDarkly or the caller as a question shows it.
func quoted(s string) string { return fmt.Sprintf("%q", short(clean(s), 100)) }

// add appends one instruction, unless it changes nothing.
func (b *settingBuilder) add(ctx context.Context, i settingInstruction) error {
	if err := fit(i.Kind, i, settingNeeds); err != nil {
		return err
	}
	f, value := &b.flag, ""
	if i.Value != nil {
		value = *i.Value
	}
	switch i.Kind {
	case "updateName":
		if strings.TrimSpace(value) == "" {
			return fmt.Errorf("a name cannot be empty")
		}
		if f.Name != value {
			b.step(ldclient.UpdateFlagName(value), "rename it from %s to %s", quoted(f.Name), quoted(value))
			f.Name = value
		}
	case "updateDescription":
		if f.Description != value {
			b.step(ldclient.UpdateFlagDescription(value), "describe it as %s instead of %s", quoted(value), quoted(f.Description))
			f.Description = value
		}
	case "addTags", "removeTags":
		return b.tags(i.Kind == "addTags", i.Values)
	case "markTemporary", "makeFlagTemporary", "markPermanent", "makeFlagPermanent":
		if temporary := strings.HasSuffix(i.Kind, "Temporary"); f.Temporary != temporary {
			b.step(ldclient.MakeFlagTemporary(temporary), "mark it as %s", map[bool]string{true: "temporary", false: "permanent"}[temporary])
			f.Temporary = temporary
		}
	case "updateMaintainerMember", "updateMaintainerTeam", "removeMaintainer":
		return b.maintainer(ctx, i.Kind, value)
	case "turnOnClientSideAvailability", "turnOffClientSideAvailability":
		return b.clientSide(value, i.Kind == "turnOnClientSideAvailability")
	case "addCustomProperties", "replaceCustomProperties", "removeCustomProperties":
		return b.property(i)
	}
	return nil
}

func (b *settingBuilder) tags(add bool, values []string) error {
	if err := checkTags(values); err != nil && add {
		return err
	}
	has := func(tag string) bool {
		return slices.ContainsFunc(b.flag.Tags, func(t string) bool { return strings.EqualFold(t, tag) })
	}
	values = slices.DeleteFunc(slices.Clone(values), func(t string) bool { return has(t) == add })
	switch {
	case len(values) == 0:
	case add:
		b.step(ldclient.AddFlagTags(values), "add the tags %s", short(keyList(values), 200))
		b.flag.Tags = append(slices.Clone(b.flag.Tags), values...)
	default:
		b.step(ldclient.RemoveFlagTags(values), "remove the tags %s", short(keyList(values), 200))
		b.flag.Tags = slices.DeleteFunc(slices.Clone(b.flag.Tags), func(t string) bool {
			return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(t, v) })
		})
	}
	return nil
}

func (b *settingBuilder) maintainer(ctx context.Context, kind, value string) error {
	f := &b.flag
	was := maintainer(f)
	if was == "" {
		was = "nobody"
	}
	switch kind {
	case "updateMaintainerMember":
		m, err := memberMeant(ctx, b.ld, value)
		if err != nil {
			return err
		}
		if f.MaintainerID == m.ID && f.MaintainerTeamKey == "" {
			return nil
		}
		b.step(ldclient.UpdateMaintainerMember(m.ID), "make %s the maintainer instead of %s", short(clean(m.String()), 60), short(clean(was), 60))
		f.MaintainerID, f.MaintainerTeamKey, f.Maintainer = m.ID, "", m
	case "updateMaintainerTeam":
		if err := ldclient.CheckKey(value); err != nil {
			return err
		}
		if f.MaintainerTeamKey == value {
			return nil
		}
		switch _, err := b.ld.Teams.Get(ctx, value); {
		case ldclient.IsNotFound(err):
			return fmt.Errorf("there is no team %q", value)
		case ldclient.Status(err) == 403: // LaunchDarkly will say whether there is such a team
			b.notes = append(b.notes, "the token may not read teams, so the team was not checked")
		case err != nil:
			return err
		}
		b.step(ldclient.UpdateMaintainerTeam(value), "make team %s the maintainer instead of %s", value, short(clean(was), 60))
		f.MaintainerID, f.MaintainerTeamKey, f.Maintainer = "", value, nil
	case "removeMaintainer":
		if was == "nobody" {
			return nil
		}
		b.step(ldclient.RemoveMaintainer(), "leave it without a maintainer, which is %s", short(clean(was), 60))
		f.MaintainerID, f.MaintainerTeamKey, f.Maintainer = "", "", nil
	}
	return nil
}

func (b *settingBuilder) clientSide(sdk string, on bool) error {
	c := &b.flag.ClientSideAvailability
	state, people := &c.UsingMobileKey, "SDKs with a mobile key"
	switch sdk {
	case "usingMobileKey":
	case "usingEnvironmentId":
		state, people = &c.UsingEnvironmentID, "SDKs with a client-side ID"
	default:
		return fmt.Errorf("value must be usingMobileKey or usingEnvironmentId, got %q", short(sdk, 60))
	}
	if *state == on {
		return nil
	}
	words := "hide it from %s, which then get the fallback in code"
	if on {
		words = "show it to %s"
	}
	b.step(ldclient.SetClientSideAvailability(sdk, on), words, people)
	*state = on
	return nil
}

func (b *settingBuilder) property(i settingInstruction) error {
	had := b.flag.CustomProperties[i.Key]
	name := i.Name
	if name == "" {
		name = had.Name
	}
	if name == "" {
		name = i.Key
	}
	next := ldclient.CustomProperty{Name: name}
	switch i.Kind {
	case "removeCustomProperties":
		next.Value = slices.DeleteFunc(slices.Clone(had.Value), func(v string) bool { return slices.Contains(i.Values, v) })
	case "addCustomProperties":
		next.Value = slices.Clone(had.Value)
	}
	if i.Kind != "removeCustomProperties" {
		for _, v := range i.Values {
			if !slices.Contains(next.Value, v) {
				next.Value = append(next.Value, v)
			}
		}
	}
	if slices.Equal(had.Value, next.Value) && (had.Name == name || len(had.Value) == 0) {
		return nil
	}
	do := ldclient.ReplaceCustomProperties(i.Key, name, i.Values)
	switch i.Kind {
	case "addCustomProperties":
		do = ldclient.AddCustomProperties(i.Key, name, i.Values)
	case "removeCustomProperties":
		do = ldclient.RemoveCustomProperties(i.Key, i.Values)
	}
	b.step(do, "set custom property %s to %s instead of %s", quoted(i.Key), quoted(keyList(next.Value)), quoted(keyList(had.Value)))
	all := map[string]ldclient.CustomProperty{i.Key: next}
	for key, p := range b.flag.CustomProperties {
		if key != i.Key {
			all[key] = p
		}
	}
	b.flag.CustomProperties = all
	return nil
}

var memberID = pattern.Of(`^[0-9a-f]{24}$`)

// memberMeant finds the one member that said means, by id, email or name.
func memberMeant(ctx context.Context, ld *ldclient.Client, said string) (*ldclient.Person, error) {
	said = strings.TrimSpace(said)
	if memberID().MatchString(said) {
		m, err := ld.Members.Get(ctx, said)
		switch {
		case ldclient.IsNotFound(err):
			return nil, badf("there is no member with the id %s", said)
		case ldclient.Status(err) == 403: // LaunchDarkly will say whether there is such a member
			return &ldclient.Person{ID: said, FirstName: "member", LastName: said}, nil
		case err != nil:
			return nil, err
		}
		return &m.Person, nil
	}
	if said == "" {
		return nil, badf("give a member's id, email or name")
	}
	got, err := ld.Members.List(ctx, ldclient.ListMembers{Query: said, Paging: ldclient.Paging{Limit: upstreamPage}})
	if err != nil {
		return nil, err
	}
	found := got.Items
	if exact := slices.DeleteFunc(slices.Clone(found), func(m ldclient.Member) bool {
		return !strings.EqualFold(m.Email, said) && !strings.EqualFold(m.String(), said)
	}); len(exact) > 0 {
		found = exact
	}
	switch len(found) {
	case 0:
		return nil, badf("no member is called %s; give an id, an email or a name", quoted(said))
	case 1:
		m := found[0]
		if !strings.EqualFold(m.Email, said) && !strings.EqualFold(m.String(), said) {
			return nil, badf("no member is called just %s; if %s is meant, give %s", quoted(said), m.String(), m.Email)
		}
		return &m.Person, nil
	}
	return nil, badf("%s means several members: %s; give one's email or id", quoted(said), keyList(keysOf(found, func(m ldclient.Member) string { return m.Email })))
}
