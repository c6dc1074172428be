package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// setBack is what a setting shall be again, nil where it stays as it is.
func setBack[T any](u *undoing, part string, was, is, now T) *T {
	if u.takes(part, was, is, now) {
		return &was
	}
	return nil
}

// tagsBack is what all tags shall be again, nil where they stay as they are.
func (u *undoing) tagsBack(was, is, now []string) *[]string {
	more, fewer := u.tags(was, is, now)
	if len(more)+len(fewer) == 0 {
		return nil
	}
	then := slices.DeleteFunc(slices.Clone(now), func(tag string) bool {
		return slices.ContainsFunc(fewer, func(f string) bool { return strings.EqualFold(f, tag) })
	})
	then = append(then, more...)
	return &then
}

func undoEnvironment(ctx context.Context, ld *ldclient.Client, at ldclient.Target, e *ldclient.AuditEntry, why because) (*plan[undoneView], error) {
	var u undoing
	key := at.Key
	at = ldclient.Target{Project: at.Project, Environment: key}
	was, err := versionOf[ldclient.Environment](e, e.Previous)
	if err != nil {
		return nil, err
	}
	is, err := versionOf[ldclient.Environment](e, e.Current)
	if err != nil {
		return nil, err
	}
	if was.Key != key || is.Key != key {
		return nil, cannot("what entry %s holds is not environment %s; undo it in LaunchDarkly itself", e.ID, key)
	}
	if err := ld.Scope().Check(at, true); err != nil {
		return nil, err
	}
	now, err := ld.Environments.Get(ctx, at.Project, key)
	if err != nil {
		return nil, err
	}
	if now.ID != is.ID {
		return nil, cannot("environment %s was deleted after entry %s and made anew, or has another client-side ID", key, e.ID)
	}
	u.secrets(e)
	u.leaves(fieldsAt(decoded(e.Previous)), fieldsAt(decoded(e.Current)), "name", "color", "tags", "critical", "requireComments", "confirmChanges",
		"secureMode", "defaultTrackEvents", "defaultTtl", "apiKey", "mobileKey")
	edit := u.environment(was, is, now)
	err = u.later(ctx, ld, e, at.String(), func(l *ldclient.AuditEntry, raw json.RawMessage) ([]string, error) {
		var past undoing
		then, err := versionOf[ldclient.Environment](l, raw)
		if err == nil {
			past.environment(was, is, then)
		}
		return past.taken, err
	})
	if err != nil {
		return nil, err
	}
	if err := u.whyNot(e); err != nil {
		return nil, err
	}
	p, err := environmentPlan(ld, at, now, edit, why)
	return undoneSettings(&u, e, at, p, err)
}

// environment takes back the settings of an environment.
func (u *undoing) environment(was, is, now *ldclient.Environment) environmentEdit {
	a, b, c := environmentStateOf(was), environmentStateOf(is), environmentStateOf(now)
	return environmentEdit{
		Name: setBack(u, "the name", a.Name, b.Name, c.Name), Color: setBack(u, "the color", a.Color, b.Color, c.Color), Tags: u.tagsBack(a.Tags, b.Tags, c.Tags),
		Critical:        setBack(u, "critical", a.Critical, b.Critical, c.Critical),
		RequireComments: setBack(u, "requireComments", a.RequireComments, b.RequireComments, c.RequireComments),
		ConfirmChanges:  setBack(u, "confirmChanges", a.ConfirmChanges, b.ConfirmChanges, c.ConfirmChanges),
		environmentExtras: environmentExtras{
			SecureMode:  setBack(u, "secureMode", a.SecureMode, b.SecureMode, c.SecureMode),
			TrackEvents: setBack(u, "defaultTrackEvents", a.TrackEvents, b.TrackEvents, c.TrackEvents),
			DefaultTTL:  setBack(u, "defaultTtl", a.DefaultTTL, b.DefaultTTL, c.DefaultTTL),
		},
	}
}

func undoProject(ctx context.Context, ld *ldclient.Client, at ldclient.Target, e *ldclient.AuditEntry, why because) (*plan[undoneView], error) {
	var u undoing
	was, err := versionOf[ldclient.Project](e, e.Previous)
	if err != nil {
		return nil, err
	}
	is, err := versionOf[ldclient.Project](e, e.Current)
	if err != nil {
		return nil, err
	}
	if was.Key != at.Project || is.Key != at.Project {
		return nil, cannot("what entry %s holds is not project %s; undo it in LaunchDarkly itself", e.ID, at.Project)
	}
	if err := ld.Scope().Check(at, true); err != nil {
		return nil, err
	}
	now, err := ld.Projects.Get(ctx, at.Project)
	if err != nil {
		return nil, err
	}
	u.leaves(fieldsAt(decoded(e.Previous)), fieldsAt(decoded(e.Current)), "name", "tags", "defaultClientSideAvailability", "includeInSnippetByDefault", "environments")
	edit := u.project(was, is, now)
	err = u.later(ctx, ld, e, at.String(), func(l *ldclient.AuditEntry, raw json.RawMessage) ([]string, error) {
		var past undoing
		then, err := versionOf[ldclient.Project](l, raw)
		if err == nil {
			past.project(was, is, then)
		}
		return past.taken, err
	})
	if err != nil {
		return nil, err
	}
	if err := u.whyNot(e); err != nil {
		return nil, err
	}
	p, err := projectPlan(ld, at, now, edit, why)
	return undoneSettings(&u, e, at, p, err)
}

// project takes back the settings of a project.
func (u *undoing) project(was, is, now *ldclient.Project) projectEdit {
	edit := projectEdit{Name: setBack(u, "the name", was.Name, is.Name, now.Name), Tags: u.tagsBack(was.Tags, is.Tags, now.Tags)}
	side := clientSideEdit{
		EnvironmentID: setBack(u, "whether SDKs with a client-side ID see new flags", was.ClientSide.UsingEnvironmentID, is.ClientSide.UsingEnvironmentID, now.ClientSide.UsingEnvironmentID),
		MobileKey:     setBack(u, "whether SDKs with a mobile key see new flags", was.ClientSide.UsingMobileKey, is.ClientSide.UsingMobileKey, now.ClientSide.UsingMobileKey),
	}
	if side != (clientSideEdit{}) {
		edit.ClientSide = &side
	}
	return edit
}

// secrets refuses to undo that a key was replaced. Which keys they were is not looked at beyond that.
func (u *undoing) secrets(e *ldclient.AuditEntry) {
	was, is := fieldsAt(decoded(e.Previous)), fieldsAt(decoded(e.Current))
	for field, name := range map[string]string{"apiKey": "the SDK key", "mobileKey": "the mobile key"} {
		if digest(was[field]) != digest(is[field]) {
			u.block("%s was replaced, and an old key cannot be turned back on", name)
		}
	}
}

// undoneSettings is a change of settings as the plan of an undo.
func undoneSettings[View any](u *undoing, e *ldclient.AuditEntry, at ldclient.Target, p *plan[View], err error) (*plan[undoneView], error) {
	if err != nil {
		return nil, err
	}
	out := &plan[undoneView]{intent: p.intent}
	out.Target, out.Notes = at, nil
	u.finish(e, out, []string{p.Says})
	out.Says, out.Notes = p.Says, append(out.Notes, p.Notes...)
	if p.Nothing != "" {
		u.finish(e, out, nil)
		return out, nil
	}
	before := settingsInWords(p.Before)
	out.Before = &undoneView{State: before.State}
	out.Differ = undoneApart
	out.Apply = func(ctx context.Context, how manner) (*undoneView, error) {
		got, err := p.Apply(ctx, how)
		if err != nil {
			return nil, err
		}
		return settingsInWords(got), nil
	}
	return out, nil
}

// settingsInWords is a view of settings, field by field.
func settingsInWords(view any) *undoneView {
	v := &undoneView{State: map[string]string{}}
	for field, value := range fieldsAt(decoded(mustJSON(view))) {
		words := fmt.Sprint(value)
		if list, ok := value.([]any); ok {
			words = orNone(slices.Sorted(slices.Values(strings.Fields(strings.Trim(fmt.Sprint(list), "[]")))))
		}
		v.State[field] = short(clean(words), 300)
	}
	return v
}
