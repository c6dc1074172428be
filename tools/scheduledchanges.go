package tools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var scheduledChanges = Toolset{
	Name: "scheduled-changes", Doc: "Have LaunchDarkly change a flag's targeting at a set time.",
	Tools: []Tool{listScheduledChanges, createScheduledChange, updateScheduledChange, deleteScheduledChange},
}

// scheduleView is one scheduled change.
type scheduleView struct {
	ID               string   `json:"_id,omitempty"`
	ExecutionDate    string   `json:"executionDate"`
	Would            []string `json:"would" doc:"what is to be done, in words; the first ten"`
	InstructionCount int      `json:"instructionCount"`
	Conflicts        any      `json:"conflicts,omitempty" doc:"why it could not be carried out"`
	Maintainer       string   `json:"maintainerId,omitempty"`
	Version          int      `json:"version,omitempty"`
}

func (c changing) scheduled(ctx context.Context, s ldclient.ScheduledChange) scheduleView {
	v := scheduleView{ID: s.ID, ExecutionDate: s.ExecutionDate.String(), Would: ten(c.says(ctx, s.Instructions), 0), InstructionCount: len(s.Instructions),
		Maintainer: s.MaintainerID, Version: s.Version}
	switch conflicts := decoded(s.Conflicts).(type) {
	case nil:
	case []any:
		if len(conflicts) > 0 {
			v.Conflicts = briefly(conflicts)
		}
	default:
		v.Conflicts = briefly(conflicts)
	}
	return v
}

var listScheduledChanges = read(Spec{
	Name: "list-scheduled-changes", Title: "List scheduled changes",
	Doc: "List what is scheduled to change a flag, the next first, with conflicts.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inFlagEnvironment
	paged
}) (page[scheduleView], error) {
	on, _, err := changingAt(ctx, ld, in.target())
	if err != nil {
		return page[scheduleView]{}, err
	}
	all, err := ld.Scheduled.List(ctx, in.target())
	if err != nil {
		return page[scheduleView]{}, err
	}
	slices.SortStableFunc(all, func(a, b ldclient.ScheduledChange) int { return int(a.ExecutionDate - b.ExecutionDate) })
	return pageWithin(all, in.paged, func(s ldclient.ScheduledChange) scheduleView { return on.scheduled(ctx, s) }), nil
})

// pageWithin shows one page of a list that LaunchDarkly gives as a whole.
func pageWithin[A, B any](all []A, p paged, view func(A) B) page[B] {
	out := page[B]{Items: []B{}, TotalCount: len(all)}
	for i := min(p.Offset, len(all)); i < min(p.Offset+p.Limit, len(all)); i++ {
		out.add(view(all[i]), i)
	}
	if p.Offset+p.Limit < len(all) {
		out.NextOffset = p.Offset + p.Limit
	}
	return out
}

// later reads a time in the future: RFC 3339, ms since the epoch, or "in 2h" counted from a time. The zero time is none.
func later(name, said string, from time.Time) (ldclient.Millis, error) {
	said = strings.TrimSpace(said)
	if said == "" {
		return 0, nil
	}
	at, ok := time.Time{}, false
	if ms, err := strconv.ParseInt(said, 10, 64); err == nil {
		if ms < 1e12 || ms > 1e14 {
			return 0, badf("%s: %s is not a time in milliseconds since 1970, which has 13 digits (seconds have 10); or write it like 2026-03-01T12:00:00Z or in 2h", name, said)
		}
		at, ok = time.UnixMilli(ms), true
	} else if t, err := time.Parse(time.RFC3339, said); err == nil {
		at, ok = t, true
	} else {
		span := strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(strings.ToLower(said), "in ")), " ", "")
		if days, found := strings.CutSuffix(span, "d"); found {
			if n, err := strconv.ParseFloat(days, 64); err == nil && n > 0 && n < 10_000 {
				span = number(n*24) + "h"
			}
		}
		if d, err := time.ParseDuration(span); err == nil {
			at, ok = from.Add(d), true
		}
	}
	if !ok {
		return 0, badf("%s: must be a time such as 2026-03-01T12:00:00Z (with its zone), milliseconds since 1970, or like in 2h or in 3d, got %q", name, short(said, 60))
	}
	if now := time.Now(); !at.After(now) {
		return 0, badf("%s: %s is past; now is %s", name, at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return ldclient.Millis(at.UnixMilli()), nil
}

// soonest reads when a change is to be carried out: not so soon that nobody could look at it.
func soonest(said, confirm string, from time.Time) (at ldclient.Millis, instead string, err error) {
	at, err = later("executionDate", said, from)
	switch {
	case err != nil || at == 0:
		return 0, "", err
	case at.Time().Before(time.Now().Add(time.Minute)):
		return 0, "", badf("executionDate: %s is less than a minute from now; give a later time, or make the change at once", at)
	}
	return still("executionDate", said, confirm, at)
}

var createScheduledChange = create(Spec{
	Name: "create-scheduled-change", Title: "Schedule a change", Action: "updateScheduledChanges",
	Doc: `Schedule a change of a flag's targeting. Example: instructions [{"kind":"turnFlagOn"}], executionDate "in 2h".`,
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atFlagEnvironment
	ExecutionDate   string           `json:"executionDate" told:"true" doc:"When: RFC 3339, ms, or like in 2h"`
	Instructions    []rawInstruction `json:"instructions" jsonschema:"minItems=1" doc:"Semantic patch; variationId may be a name, rolloutWeights percentages"`
	IgnoreConflicts bool             `json:"ignoreConflicts,omitempty" doc:"Only when the user says so"`
	because
}) (*plan[scheduleView], error) {
	at, instead, err := soonest(in.ExecutionDate, in.Confirm, countFrom(ctx))
	if err != nil {
		return nil, err
	}
	if at == 0 {
		return nil, badf("missing executionDate")
	}
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	on := changingFlag(ld, in.target(), f, c, targetingKinds)
	do, would, err := on.settle(ctx, in.Instructions)
	if err != nil {
		return nil, err
	}
	p := &plan[scheduleView]{intent: intent{
		Version: fmt.Sprintf("environment %d %s at %d", c.Version, digest(f.Variations), at), Instructions: do, Reviewed: true, Instead: instead,
		Needs:   []need{{"updateScheduledChanges", in.target()}},
		AskWith: map[string]any{"executionDate": at.String()}, Tags: f.Tags, Says: fmt.Sprintf("change flag %s in %s of project %s at %s: %s", in.Flag, in.Environment, in.Project, at, together(do, would)),
	}}
	all, err := ld.Scheduled.List(ctx, in.target())
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.ExecutionDate == at && digest(s.Instructions) == digest(do) {
			p.Nothing = fmt.Sprintf("scheduled change %s does the same at %s already", s.ID, at)
		}
	}
	p.Apply = func(ctx context.Context, how manner) (*scheduleView, error) {
		got := &ldclient.ScheduledChange{ExecutionDate: at, Instructions: do}
		if !how.DryRun {
			if got, err = ld.Scheduled.Create(ctx, in.target(), ldclient.Schedule{Comment: how.Comment, ExecutionDate: at, Instructions: do, IgnoreConflicts: in.IgnoreConflicts}); err != nil {
				return nil, err
			}
		}
		after := on.scheduled(ctx, *got)
		return &after, nil
	}
	return p, nil
})

type atScheduledChange struct {
	atFlagEnvironment
	ID string `json:"id" alias:"scheduledChangeId,changeId,_id"`
}

// scheduledIn reads a scheduled change and the flag that it is about.
func scheduledIn(ctx context.Context, ld *ldclient.Client, in atScheduledChange) (changing, *ldclient.ScheduledChange, error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return changing{}, nil, err
	}
	s, err := ld.Scheduled.Get(ctx, in.target(), in.ID)
	if ldclient.IsNotFound(err) {
		err = absent("scheduled change", in.ID, nil)
	}
	return changingFlag(ld, in.target(), f, c, targetingKinds), s, err
}

var updateScheduledChange = update(Spec{
	Name: "update-scheduled-change", Title: "Change a scheduled change", Action: "updateScheduledChanges",
	Doc: "Change when a scheduled change of a flag is carried out, or what it does.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atScheduledChange
	ExecutionDate   string           `json:"executionDate,omitempty" told:"true" doc:"New time: RFC 3339, ms, or like in 2h"`
	Instructions    []rawInstruction `json:"instructions,omitempty" doc:"Instead of all present ones"`
	IgnoreConflicts bool             `json:"ignoreConflicts,omitempty" doc:"Only when the user says so"`
	because
}) (*plan[scheduleView], error) {
	at, instead, err := soonest(in.ExecutionDate, in.Confirm, countFrom(ctx))
	if err != nil {
		return nil, err
	}
	if at == 0 && len(in.Instructions) == 0 {
		return nil, badf("give executionDate or instructions: what is to be different")
	}
	on, s, err := scheduledIn(ctx, ld, in.atScheduledChange)
	if err != nil {
		return nil, err
	}
	do, would, err := on.settle(ctx, in.Instructions)
	if err != nil {
		return nil, err
	}
	was, next := on.scheduled(ctx, *s), *s
	var says []string
	if at > 0 && at != s.ExecutionDate {
		next.ExecutionDate = at
		says = append(says, fmt.Sprintf("at %s instead of %s", at, s.ExecutionDate))
	}
	if len(do) > 0 && digest(do) != digest(s.Instructions) {
		next.Instructions = do
		says = append(says, fmt.Sprintf("to %s instead of %s", together(do, would), together(s.Instructions, on.says(ctx, s.Instructions))))
	}
	p := &plan[scheduleView]{Before: &was, intent: intent{
		Version: fmt.Sprintf("scheduled change %d at %d", s.Version, at), Reviewed: true, Tags: on.flag.Tags, Instead: instead,
		Says: fmt.Sprintf("have the scheduled change %s of flag %s in %s of project %s carried out %s", s.ID, in.Flag, in.Environment, in.Project, strings.Join(says, " and ")),
	}}
	if len(says) == 0 {
		p.Nothing = "it is scheduled like this already"
	}
	p.Apply = func(ctx context.Context, how manner) (*scheduleView, error) {
		got := &next
		if !how.DryRun {
			change := ldclient.Schedule{Comment: how.Comment, Instructions: do, IgnoreConflicts: in.IgnoreConflicts}
			if at != s.ExecutionDate {
				change.ExecutionDate = at
			}
			if got, err = ld.Scheduled.Update(ctx, in.target(), s.ID, change); err != nil {
				return nil, err
			}
		}
		after := on.scheduled(ctx, *got)
		return &after, nil
	}
	return p, nil
})

var deleteScheduledChange = remove(Spec{
	Name: "delete-scheduled-change", Title: "Cancel a scheduled change", Action: "updateScheduledChanges",
	Doc: "Cancel a scheduled change of a flag for good.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atScheduledChange
	because
}) (*plan[scheduleView], error) {
	on, s, err := scheduledIn(ctx, ld, in.atScheduledChange)
	if err != nil {
		return nil, err
	}
	was := on.scheduled(ctx, *s)
	return &plan[scheduleView]{Before: &was, intent: intent{
		Version: fmt.Sprintf("scheduled change %d", s.Version), Reviewed: true, Tags: on.flag.Tags,
		Says: fmt.Sprintf("cancel the scheduled change %s of flag %s in %s of project %s, which would %s at %s",
			s.ID, in.Flag, in.Environment, in.Project, together(s.Instructions, on.says(ctx, s.Instructions)), s.ExecutionDate),
	}, Apply: func(ctx context.Context, how manner) (*scheduleView, error) {
		if how.DryRun {
			return nil, nil
		}
		return nil, ld.Scheduled.Delete(ctx, in.target(), s.ID)
	}}, nil
})
