package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// How many contexts may get something else because of a change, widest first.
var reaches = []string{"everyone", "some", "nobody"}

// reachOf is the reach of a role action; one that is not known may reach some.
var reachOf = func() map[string]int {
	out := map[string]int{}
	for reach, actions := range []string{
		`updateOn updateFallthrough updateOffVariation updatePrerequisites updateFlagVariations updateGlobalArchived deleteFlag copyFlagConfigTo
		updateFallthroughWithMeasuredRollout stopMeasuredRolloutOnFlagFallthrough updateMeasuredRolloutConfiguration updateFlagSalt
		updateClientSideFlagAvailability updateIncludeInSnippet updateApiKey updateMobileKey updateSecureMode deleteEnvironment`,
		``,
		`updateName updateDescription updateTags updateTemporary updateMaintainer updateFlagCustomProperties updateDeprecated updateFlagDefaultVariations
		createFlag cloneFlag createSegment createEnvironment createExperiment copyFlagConfigFrom updateTrackEvents updateFlagFallthroughTrackEvents
		updateFlagRuleDescription createFlagLink updateFlagLink deleteFlagLink manageFlagFollowers createApprovalRequest updateApprovalRequest
		reviewApprovalRequest deleteApprovalRequest updateScheduledChanges createTriggers updateTriggers deleteTriggers updateColor updateRequireComments
		updateConfirmChanges updateCritical updateApprovalSettings updateDefaultTrackEvents`,
	} {
		for action := range strings.FieldsSeq(actions) {
			out[action] = reach
		}
	}
	return out
}()

// widest is the reach of what an entry did to an environment.
func widest(e ldclient.AuditEntry, environment string) int {
	reach := len(reaches)
	for _, a := range e.Accesses {
		if r := a.Resource + ":"; strings.Contains(r, ":env/") && !strings.Contains(r, ":env/*:") && !strings.Contains(r, ":env/"+environment+":") {
			continue
		}
		of, known := reachOf[a.Action]
		if !known {
			of = 1
		}
		reach = min(reach, of)
	}
	if reach == len(reaches) {
		return 1
	}
	return reach
}

// changedThing is a flag, a segment or something else that changed, with its changes.
type changedThing struct {
	Kind       string      `json:"kind"`
	Key        string      `json:"key"`
	Name       string      `json:"name,omitempty" doc:"only where it says more than the key"`
	Reach      string      `json:"reach" doc:"who may get something else by the widest change: everyone, some or nobody"`
	Count      int         `json:"changesCount"`
	Changes    []changeRow `json:"changes" doc:"the newest five; all with query-audit-log"`
	Flags      []string    `json:"flags,omitempty" doc:"of a segment: flags that target it, the first ten"`
	FlagsCount int         `json:"flagsCount,omitempty"`
	widest     int
	newest     ldclient.Millis
}

// changesReply tells what changed in a window of time.
type changesReply struct {
	Environment string         `json:"environment"`
	After       string         `json:"after"`
	Before      string         `json:"before,omitempty"`
	Changes     int            `json:"changesCount"`
	Items       []changedThing `json:"items" doc:"widest first, of equal ones the newest"`
	TotalCount  int            `json:"totalCount"`
	NextOffset  int            `json:"nextOffset,omitempty" doc:"Set when there is more"`
	Notes       []string       `json:"notes,omitempty"`
	offset      int
}

// shorten keeps the first items.
func (r changesReply) shorten(items int) (any, int) {
	had := len(r.Items)
	if items < had {
		r.Items, r.NextOffset = r.Items[:items], r.offset+items
		r.Notes = append(slices.Clone(r.Notes), fmt.Sprintf("Cut from %d items to fit; go on at offset %d.", had, r.NextOffset))
	}
	return r, had
}

// shownChanges is how many changes of one thing are shown.
const shownChanges = 5

// maxChanges bounds how many entries one call looks at, 20 a request.
const maxChanges = 280

// maxSegments bounds how many segments are asked which flags target them.
const maxSegments = 5

var whatChanged = read(Spec{
	Name: "what-changed", Title: "What changed",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "Tell everything that changed in an environment in the last 24 hours or another window, widest reach first. Ask it first in an incident.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	inEnvironment
	After  string `json:"after,omitempty" alias:"since,from,startDate" doc:"Default 24h"`
	Before string `json:"before,omitempty" alias:"until,to,endDate" told:"true" doc:"As after; now if not given"`
	paged
}) (changesReply, error) {
	if before, err := instant("before", in.Before); err == nil && in.After == "" {
		end := time.Now()
		if before > 0 {
			end = before.Time()
		}
		in.After = strconv.FormatInt(end.Add(-24*time.Hour).UnixMilli(), 10)
	}
	w, err := auditWalkOf(ld, in.Project, in.Environment, "", in.After, in.Before)
	if err != nil {
		return changesReply{}, err
	}
	var things []*changedThing
	inThis := false // something is about this environment alone, so there is one
	out := changesReply{Environment: in.Environment, After: w.query.After.String(), Before: w.query.Before.String(), Items: []changedThing{}, offset: in.Offset}
	w.limit, w.each = maxChanges, func(e ldclient.AuditEntry) {
		out.Changes++
		kind, key, everywhere := thingIn(e, in.Environment)
		inThis = inThis || !everywhere
		i := slices.IndexFunc(things, func(t *changedThing) bool { return t.Kind == kind && t.Key == key })
		if i < 0 {
			i = len(things)
			things = append(things, &changedThing{Kind: kind, Key: key, Name: short(nameBeside(key, e.Target.Name), 100), widest: len(reaches), newest: e.Date})
		}
		t := things[i]
		t.Count++
		t.widest = min(t.widest, widest(e, in.Environment))
		if len(t.Changes) < shownChanges {
			row := changeRowOf(e)
			if everywhere {
				row.Envs = "all"
			}
			t.Changes = append(t.Changes, row)
		}
	}
	got, err := w.collect(ctx)
	if err != nil {
		return changesReply{}, err
	}
	if !inThis {
		if _, err := ld.Environments.Get(ctx, in.Project, in.Environment); err != nil {
			return changesReply{}, err
		}
	}
	if len(things) == 0 {
		out.Notes = append(out.Notes, "Nothing changed in this window.")
	}
	if got.Next != "" {
		at, _ := parseCursor(got.Next)
		out.Notes = append(out.Notes, fmt.Sprintf("These are the newest %d changes, back to %s; there may be more. For older ones call again with before: %q.",
			out.Changes, at.at, strconv.FormatInt(int64(at.at)+1, 10)))
	} else if got.Note != "" {
		out.Notes = append(out.Notes, got.Note)
	}
	slices.SortStableFunc(things, func(a, b *changedThing) int {
		return cmp.Or(cmp.Compare(a.widest, b.widest), cmp.Compare(b.newest, a.newest))
	})
	out.TotalCount = len(things)
	things = things[min(in.Offset, len(things)):]
	if len(things) > in.Limit {
		things, out.NextOffset = things[:in.Limit], in.Offset+in.Limit
	}
	out.Notes = append(out.Notes, whoTargets(ctx, ld, in.target(), things)...)
	for _, t := range things {
		t.Reach = reaches[t.widest]
		out.Items = append(out.Items, *t)
	}
	return out, nil
})

// thingIn names what an entry changed in an environment, and whether it changed it in all of them.
func thingIn(e ldclient.AuditEntry, environment string) (kind, key string, everywhere bool) {
	resources := resourcesOf(e)
	if len(resources) == 0 {
		return e.Kind, e.Name, false
	}
	r := resources[0]
	for _, other := range resources {
		if strings.Contains(other+":", ":env/"+environment+":") {
			r = other
			break
		}
	}
	kind, key, _ = strings.Cut(r[strings.LastIndex(r, ":")+1:], "/")
	if kind == "env" {
		kind = "environment"
	}
	return kind, key, strings.Contains(r, ":env/*:")
}

// whoTargets adds to segments the flags that target them, and says where that failed.
func whoTargets(ctx context.Context, ld *ldclient.Client, at ldclient.Target, things []*changedThing) []string {
	g := gather(ctx)
	asked := 0
	for _, t := range things {
		if t.Kind != "segment" || asked == maxSegments {
			continue
		}
		asked++
		g.want("the flags that target segment "+t.Key, func(ctx context.Context) error {
			s, err := ld.Segments.Get(ctx, at.Project, at.Environment, t.Key)
			if err != nil {
				return err
			}
			t.FlagsCount = len(s.Flags)
			for _, f := range ten(s.Flags, 0) {
				t.Flags = append(t.Flags, f.Key)
			}
			return nil
		})
	}
	missing, _ := g.wait() // nothing here is needed
	return missing
}
