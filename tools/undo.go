package tools

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// undoneView is what an undo changes, in words, by the part that it belongs to.
type undoneView struct {
	Version int               `json:"version,omitempty"`
	State   map[string]string `json:"state" doc:"parts that the undo changes, the first twenty; one that is not given is not there"`
	More    int               `json:"more,omitempty" doc:"parts left out here"`
}

// shownParts is how many parts of an undo are shown.
const shownParts = 20

// undoneApart keeps in two views only what differs between them.
func undoneApart(before, after *undoneView) {
	if before == nil || after == nil {
		return
	}
	keys := keysOfBoth(before.State, after.State)
	keys = slices.DeleteFunc(keys, func(k string) bool {
		b, had := before.State[k]
		a, has := after.State[k]
		return had == has && a == b
	})
	for _, v := range []*undoneView{before, after} {
		was := v.State
		v.State, v.More = map[string]string{}, max(0, len(keys)-shownParts)
		for _, k := range keys[:min(shownParts, len(keys))] {
			if words, ok := was[k]; ok {
				v.State[k] = words
			}
		}
	}
}

type undoInput struct {
	Project string `json:"projectKey" alias:"project"`
	ID      string `json:"auditLogEntryId" alias:"auditLogId,entryId,id,_id"`
	laterKnown
	because
}

func (in undoInput) target() ldclient.Target { return ldclient.Target{Project: in.Project} }

var undoChange = update(Spec{
	Name: "undo-change", Title: "Undo a change",
	Action: "updateOn", On: "flag, segment, env, proj",
	Or: "updateRules, updateFlagRuleDescription, updateFallthrough, updateOffVariation, updateTargets, updatePrerequisites, updateTrackEvents, updateFlagFallthroughTrackEvents, " +
		"updateFlagVariations, updateFlagDefaultVariations, updateName, updateDescription, updateTags, updateTemporary, updateMaintainer, updateFlagCustomProperties, " +
		"updateClientSideFlagAvailability, updateIncludeInSnippet, updateGlobalArchived, updateDeprecated, updateIncluded, updateExcluded, " +
		"updateColor, updateTtl, updateSecureMode, updateDefaultTrackEvents, updateRequireComments, updateConfirmChanges, updateCritical, " +
		"updateProjectName, updateDefaultClientSideAvailability",
	Doc: "Take back what one audit log entry changed of a flag, segment, environment or project, and nothing else. " +
		"Refused where it would overwrite later changes. Use dryRun first.",
}, func(ctx context.Context, ld *ldclient.Client, in undoInput) (*plan[undoneView], error) {
	e, err := ld.AuditLog.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := entryInScope(ld.Scope(), e); err != nil {
		return nil, err
	}
	at, err := undoable(e)
	if err != nil {
		return nil, err
	}
	if e.ID != in.ID || at.Project != in.Project {
		return nil, absent("audit log entry of project "+in.Project, in.ID, nil)
	}
	var p *plan[undoneView]
	switch at.Kind {
	case "flag":
		p, err = undoFlag(ctx, ld, at, e)
	case "segment":
		p, err = undoSegment(ctx, ld, at, e)
	case "env":
		p, err = undoEnvironment(ctx, ld, at, e, in.because)
	default:
		p, err = undoProject(ctx, ld, at, e, in.because)
	}
	if err != nil {
		return nil, err
	}
	place := placeOf(p.Target)
	says := strings.TrimPrefix(p.Says, "change "+place+": ")
	if p.Within != "" {
		place = fmt.Sprintf("%s %s of project %s", p.Target.Kind, p.Target.Key, p.Target.Project)
	}
	p.Says = fmt.Sprintf("change %s: %s. That would undo entry %s %s, which says of itself: %s", place, says, e.ID, madeBy(e), said(changeRowOf(*e).Did, 100))
	p.About = fmt.Sprintf("Undo of %s. ", e.ID)
	return p, nil
})

// placeOf says in words what a target is.
func placeOf(t ldclient.Target) string {
	switch {
	case t.Kind == "" && t.Environment == "":
		return "project " + t.Project
	case t.Kind == "":
		return fmt.Sprintf("environment %s of project %s", t.Environment, t.Project)
	case t.Environment == "":
		return fmt.Sprintf("%s %s in all environments of project %s", t.Kind, t.Key, t.Project)
	}
	return fmt.Sprintf("%s %s in %s of project %s", t.Kind, t.Key, t.Environment, t.Project)
}

// byHand says of role actions that leave nothing to undo here what to do instead.
var byHand = map[string]string{
	"createFlag": "it created the flag; take the flag out of use with archive-flag, or delete it with delete-flag", "cloneFlag": "it created the flag; take the flag out of use with archive-flag, or delete it with delete-flag",
	"deleteFlag":        "it deleted the flag, and a deleted flag does not come back; create one with the same key with create-flag, which begins without targeting",
	"createSegment":     "it created the segment; remove that with delete-segment",
	"deleteSegment":     "it deleted the segment, and a deleted segment does not come back; create one with the same key with create-segment",
	"createEnvironment": "it created the environment; people delete environments in LaunchDarkly itself",
	"deleteEnvironment": "it deleted the environment, and a deleted environment does not come back",
	"createProject":     "it created the project; remove that with delete-project",
	"deleteProject":     "it deleted the project, and a deleted project does not come back",
	"updateApiKey":      "it replaced an SDK key, and the old key cannot be turned back on; give the new one to the SDKs",
	"updateMobileKey":   "it replaced a mobile key, and the old key cannot be turned back on; give the new one to the apps",

	"updateExpiringTargets":  "it changed when targets expire; set that with manage-expiring-targets (manage-segment-expiring-targets for a segment)",
	"updateScheduledChanges": "it changed what is scheduled; list that with list-scheduled-changes, and change it with update-scheduled-change or delete-scheduled-change",
	"createTriggers":         "it made a trigger; remove that with delete-flag-trigger", "updateTriggers": "it changed a trigger; change that with update-flag-trigger",
	"deleteTriggers":        "it deleted a trigger, whose URL does not come back; make another one with create-flag-trigger",
	"createApprovalRequest": requestOnly, "updateApprovalRequest": requestOnly, "reviewApprovalRequest": requestOnly, "deleteApprovalRequest": requestOnly,
	"applyApprovalRequest": requestOnly,
}

const requestOnly = "it is about an approval request alone; what that changed, once applied, has an entry of its own"

// undoable is what an entry changed, of the kinds that can be changed back, with both of its versions there.
func undoable(e *ldclient.AuditEntry) (ldclient.Target, error) {
	var at ldclient.Target
	for n, r := range resourcesOf(*e) {
		var t ldclient.Target
		for part := range strings.SplitSeq(r, ":") {
			kind, key, _ := strings.Cut(part, "/")
			key, _, _ = strings.Cut(key, ";")
			switch {
			case kind == "proj":
				t.Project = key
			case kind == "env":
				if t.Environment = key; key == "*" {
					t.Environment = ""
				}
			default:
				t.Kind, t.Key = kind, key
			}
		}
		if t.Project != "" && t.Kind == "" && strings.Contains(r, ":env/") {
			t.Kind, t.Key = "env", t.Environment
		}
		if n == 0 {
			at = t
		} else if t.Project != at.Project || t.Kind != at.Kind || t.Key != at.Key {
			return at, cannot("entry %s is about several things (%s and %s); undo it in LaunchDarkly itself", e.ID, word(resourcesOf(*e)[0]), word(r))
		}
	}
	if at.Project == "" || !slices.Contains([]string{"", "env", "flag", "segment"}, at.Kind) {
		return at, cannot("entry %s is about a %s; undo-change takes back changes of flags, segments, environments and projects, so undo this one in LaunchDarkly itself",
			e.ID, word(cmp.Or(e.Kind, at.Kind, "part of the account")))
	}
	for _, key := range []string{at.Project, at.Key} {
		if err := ldclient.CheckKey(key); key != "" && err != nil {
			return at, cannot("entry %s names something that cannot be a key (%v); undo it in LaunchDarkly itself", e.ID, err)
		}
	}
	for _, a := range e.Accesses {
		if why := byHand[a.Action]; why != "" {
			return at, cannot("entry %s cannot be undone: %s", e.ID, why)
		}
	}
	is := func(raw json.RawMessage) bool { m, ok := decoded(raw).(map[string]any); return ok && len(m) > 0 }
	was, now := is(e.Previous), is(e.Current)
	what := map[string]string{"": "project", "env": "environment"}[at.Kind] + strings.TrimPrefix(at.Kind, "env")
	switch {
	case was && now:
		return at, nil
	case now:
		return at, cannot("entry %s created the %s; to take that back, archive or delete it", e.ID, what)
	case was:
		return at, cannot("entry %s deleted the %s, which does not come back; create one with the same key anew", e.ID, what)
	}
	return at, cannot("LaunchDarkly's log does not hold what the %s was before and after entry %s; read it with get-audit-log-entry and undo it by hand", what, e.ID)
}

// versionOf decodes a resource as an entry holds it.
func versionOf[T any](e *ldclient.AuditEntry, raw json.RawMessage) (*T, error) {
	out := new(T)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(out); err != nil {
		return nil, cannot("what entry %s holds could not be read (%s); read it with get-audit-log-entry and undo it by hand", e.ID, short(clean(err.Error()), 100))
	}
	return out, nil
}

// undoing compares a resource before an entry, after it and now, part by part, and collects what takes the entry back.
type undoing struct {
	steps [archiving + 1][]undoStep
	// Why the undo cannot be: parts that changed since, and what else is in the way.
	collisions, blocked []string
	same                []string // parts that are as they were before the entry already
	taken               []string // parts that are taken back
	notes               []string
}

// undoStep is one instruction, with words where rawwords.go has none.
type undoStep struct {
	do    ldclient.Instruction
	words string
	where string // to go on after the words
}

// phase orders the instructions of an undo, so that each is valid after those before it.
type phase int

const (
	unarchiving phase = iota
	takingAway
	putInOrder
	changingRules
	addingRules
	changingTargets
	addingTargets
	changingServes
	updatingVariations
	removingFirst // variations whose value another one gets
	addingVariations
	changingDefaults
	removingVariations
	changingSettings
	archiving
)

// takes reports whether a part is to be taken back: the entry changed it from p to n, and it is n still.
func (u *undoing) takes(part string, p, n, now any) bool {
	was, is, c := digest(p), digest(n), digest(now)
	switch {
	case was == is:
		return false
	case c == was:
		u.same = append(u.same, part)
		return false
	case c == is:
		u.taken = append(u.taken, part)
		return true
	}
	u.collides(part)
	return false
}

func (u *undoing) collides(part string) {
	u.collisions = append(u.collisions, part+" was changed again later")
}

func (u *undoing) block(format string, args ...any) {
	u.blocked = append(u.blocked, fmt.Sprintf(format, args...))
}

func (u *undoing) add(at phase, do ldclient.Instruction, words string) {
	u.steps[at] = append(u.steps[at], undoStep{do: do, words: words})
}

func (u *undoing) all() []undoStep { return slices.Concat(u.steps[:]...) }

func (u *undoing) instructions() []ldclient.Instruction {
	var out []ldclient.Instruction
	for _, s := range u.all() {
		out = append(out, s.do)
	}
	return out
}

// words says all steps; those without words of their own through on.
func (u *undoing) words(ctx context.Context, on changing) ([]string, error) {
	var out []string
	b := on.requirements()
	for _, s := range u.all() {
		if s.words != "" {
			out = append(out, s.words)
			continue
		}
		_, words, err := on.settleOne(ctx, s.do, b)
		if failed, ok := errors.AsType[unread](err); ok {
			return nil, failed.error
		} else if err != nil {
			u.block("%s", strings.TrimSuffix(err.Error(), "."))
			continue
		}
		if s.do.Kind() == "removeRule" {
			on.rules = slices.DeleteFunc(slices.Clone(on.rules), func(r ldclient.Rule) bool { return r.ID == s.do["ruleId"] })
		}
		out = append(out, words+s.where)
	}
	if b == nil {
		return out, nil
	}
	err := b.others.noCircle(ctx, on.at.Key, on.prerequisites, b.list)
	if bad, ok := errors.AsType[badArguments](err); ok {
		u.block("%s", strings.TrimSuffix(bad.Error(), "."))
		return out, nil
	}
	return out, err
}

// whyNot refuses an undo that cannot be made as a whole, with all that is in the way.
func (u *undoing) whyNot(e *ldclient.AuditEntry) error {
	list := slices.Concat(u.collisions, u.blocked)
	if len(list) == 0 {
		return nil
	}
	more := ""
	if n := len(list) - shownParts; n > 0 {
		list, more = list[:shownParts], fmt.Sprintf("; and %d more", n)
	}
	for n := range list {
		list[n] = short(list[n], 300)
	}
	return cannot("entry %s cannot be undone as a whole, so nothing of it was: %s%s. Look at what is there now, and change by hand what should be different", e.ID, strings.Join(list, "; "), more)
}

// finish fills in what every plan of an undo tells.
func (u *undoing) finish(e *ldclient.AuditEntry, p *plan[undoneView], says []string) {
	p.Says = together(p.Instructions, says)
	if p.Within != "" {
		p.Says = inBoth(p.Within, p.Instructions, says)
	}
	p.Notes = u.notes
	switch {
	case len(says) > 0 && len(u.same) > 0:
		p.Notes = append(p.Notes, "as it was before already: "+keyList(u.same))
	case len(says) > 0:
	case len(u.same) > 0:
		p.Nothing = fmt.Sprintf("what entry %s changed is as it was before it already: %s", e.ID, keyList(u.same))
	default:
		p.Nothing = fmt.Sprintf("entry %s changed nothing that could be undone", e.ID)
	}
}

// noise are fields that change with every edit or follow from others.
var noise = []string{"_links", "_access", "_site", "_summary", "_environmentName", "_version", "version", "lastModified", "lastModifiedDate", "sel",
	"generation", "experiments", "goalIds", "evaluation", "_maintainer", "_maintainerTeam", "archivedDate", "deprecatedDate", "includeInSnippet",
	"_flags", "_unboundedMetadata", "_workspaceMetadata"}

// leftOver names the fields in which two versions differ besides those that an undo knows. It never tells values.
func leftOver(was, is map[string]any, known ...string) []string {
	var out []string
	for _, k := range keysOfBoth(was, is) {
		if !slices.Contains(noise, k) && !slices.Contains(known, k) && digest(was[k]) != digest(is[k]) {
			out = append(out, k)
		}
	}
	return out
}

// leaves refuses to undo an entry that changed fields which no call turns back.
func (u *undoing) leaves(was, is map[string]any, known ...string) {
	for _, k := range leftOver(was, is, known...) {
		u.block("%s was changed too, and cannot be turned back from here", short(clean(k), 60))
	}
}

func fieldsAt(v any, path ...string) map[string]any {
	for _, step := range path {
		m, _ := v.(map[string]any)
		v = m[step]
	}
	m, _ := v.(map[string]any)
	return m
}
