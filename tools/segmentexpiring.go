package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// segmentExpiry is a context that leaves one of a segment's lists at a set time.
type segmentExpiry struct {
	ContextKind string `json:"contextKind"`
	ContextKey  string `json:"contextKey"`
	TargetType  string `json:"targetType" doc:"the list that it leaves"`
	ExpiresAt   string `json:"expiresAt"`
}

// segmentExpiries is what of a segment's targets expires.
type segmentExpiries struct {
	Count   int             `json:"count"`
	Targets []segmentExpiry `json:"targets" doc:"the next fifty to expire"`
}

func segmentExpiriesOf(list []ldclient.ExpiringTarget) *segmentExpiries {
	list = slices.SortedStableFunc(slices.Values(list), func(a, b ldclient.ExpiringTarget) int { return cmp.Compare(a.Expires, b.Expires) })
	out := segmentExpiries{Count: len(list), Targets: []segmentExpiry{}}
	for _, t := range list[:min(50, len(list))] {
		out.Targets = append(out.Targets, segmentExpiry{t.ContextKind, t.ContextKey, t.TargetType, t.Expires.String()})
	}
	return &out
}

type segmentExpiringArgs struct {
	atSegment
	Action     string `json:"action" jsonschema:"enum=list,enum=add,enum=remove,enum=update" doc:"list changes nothing; remove lets the context stay"`
	TargetType string `json:"targetType,omitempty" jsonschema:"enum=included,enum=excluded" doc:"Found if not given"`
	Key        string `json:"contextKey,omitempty" alias:"userKey,context"`
	Kind       string `json:"contextKind,omitempty" told:"true" doc:"user, or the big segment's own kind, if not given"`
	ExpiresAt  string `json:"expiresAt,omitempty" alias:"expirationDate,value,expires" doc:"To add or update"`
	because
}

// chosen reports whether an expiring target is one that the call asks about.
func (a segmentExpiringArgs) chosen(t ldclient.ExpiringTarget) bool {
	return (a.Key == "" || t.ContextKey == a.Key) && (a.Kind == "" || t.ContextKind == a.Kind) && (a.TargetType == "" || t.TargetType == a.TargetType)
}

var manageSegmentExpiringTargets = update(Spec{
	Name: "manage-segment-expiring-targets", Title: "Manage a segment's expiring targets", Action: "updateExpiringTargets",
	Doc: "List, add, change or remove the times at which included or excluded contexts leave a segment.",
}, func(ctx context.Context, ld *ldclient.Client, in segmentExpiringArgs) (*plan[segmentExpiries], error) {
	s, err := ld.Segments.Get(ctx, in.Project, in.Environment, in.Segment)
	if err != nil {
		return nil, err
	}
	now, err := ld.Segments.ExpiringTargets(ctx, in.Project, in.Environment, in.Segment)
	if err != nil {
		return nil, err
	}
	if in.Action == "list" {
		if in.ExpiresAt != "" {
			return nil, badf("expiresAt: list takes none; to set a time use add or update")
		}
		found := slices.DeleteFunc(now, func(t ldclient.ExpiringTarget) bool { return !in.chosen(t) })
		return &plan[segmentExpiries]{Before: segmentExpiriesOf(found), intent: intent{Nothing: "this is the list"}}, nil
	}
	t, had, instead, err := in.find(s, now, countFrom(ctx))
	if err != nil {
		return nil, err
	}
	whom := fmt.Sprintf("%s %q on the %s list of segment %s in %s of project %s", clean(t.ContextKind), short(clean(t.ContextKey), 80), t.TargetType, in.Segment, in.Environment, in.Project)
	p := &plan[segmentExpiries]{Before: segmentExpiriesOf(nil), intent: intent{Version: fmt.Sprintf("segment %d none at %d", s.Version, t.Expires),
		Instead: instead, Needs: []need{{"updateExpiringTargets", in.target()}}}}
	if had != nil {
		p.Before, p.Version = segmentExpiriesOf([]ldclient.ExpiringTarget{*had}), fmt.Sprintf("segment %d %s %d %d at %d", s.Version, had.ID, had.Version, had.Expires, t.Expires)
	}
	after := []ldclient.ExpiringTarget{t}
	switch {
	case in.Action == "remove" && had == nil:
		p.Nothing = whom + " does not expire"
		return p, nil
	case in.Action == "remove":
		after = nil
		p.Says = fmt.Sprintf("let %s stay, which would leave at %s", whom, had.Expires)
		p.Instructions = []ldclient.Instruction{ldclient.RemoveExpiringTarget(t)}
	case in.Action == "add" && had != nil && had.Expires != t.Expires:
		return nil, badf("action: %s leaves at %s already; use update to set another time", whom, had.Expires)
	case in.Action == "update" && had == nil:
		return nil, badf("action: %s has no time to leave; use add", whom)
	case had != nil && had.Expires == t.Expires:
		p.Nothing = fmt.Sprintf("%s leaves at %s already", whom, had.Expires)
		return p, nil
	case in.Action == "add":
		p.Says = fmt.Sprintf("take %s off at %s", whom, t.Expires)
		p.Instructions = []ldclient.Instruction{ldclient.AddExpiringTarget(t)}
	default:
		p.Says = fmt.Sprintf("take %s off at %s instead of %s", whom, t.Expires, had.Expires)
		p.Instructions = []ldclient.Instruction{ldclient.UpdateExpiringTarget(t)}
	}
	p.Apply = func(ctx context.Context, how manner) (*segmentExpiries, error) {
		if !how.DryRun { // LaunchDarkly has no dry run of these
			if _, err := ld.Segments.PatchExpiringTargets(ctx, in.Project, in.Environment, in.Segment, how.Comment, p.Instructions...); err != nil {
				return nil, err
			}
		}
		return segmentExpiriesOf(after), nil
	}
	return p, nil
})

// find is the target that the call means as it shall be, and as it is if it expires already.
func (a segmentExpiringArgs) find(s *ldclient.Segment, now []ldclient.ExpiringTarget, from time.Time) (t ldclient.ExpiringTarget, had *ldclient.ExpiringTarget, instead string, err error) {
	t = ldclient.ExpiringTarget{ContextKey: a.Key, ContextKind: a.Kind, TargetType: a.TargetType}
	switch {
	case strings.TrimSpace(a.Key) == "":
		return t, nil, "", badf("contextKey: %s needs it", a.Action)
	case a.Action == "remove" && a.ExpiresAt != "":
		return t, nil, "", badf("expiresAt: remove takes none")
	case a.Action != "remove":
		if t.Expires, instead, err = expiry(a.ExpiresAt, a.Confirm, from); err != nil {
			return t, nil, "", err
		}
	}
	if t.ContextKind == "" {
		t.ContextKind = "user"
		if s.Unbounded && s.UnboundedContextKind != "" {
			t.ContextKind = s.UnboundedContextKind
		}
	}
	a.Kind = t.ContextKind
	lists := newTargetsEdit(s)
	w := who{t.ContextKind, t.ContextKey}
	if t.TargetType == "" {
		n := slices.IndexFunc(now, a.chosen)
		switch {
		case lists.included[w]:
			t.TargetType = "included"
		case lists.excluded[w]:
			t.TargetType = "excluded"
		case n >= 0:
			t.TargetType = now[n].TargetType
		case s.Unbounded:
			return t, nil, "", badf("targetType: say included or excluded; the lists of a big segment cannot be read")
		}
	}
	a.TargetType = t.TargetType
	on := map[string]map[who]bool{"included": lists.included, "excluded": lists.excluded}[t.TargetType][w]
	if !on && !s.Unbounded && a.Action != "remove" {
		list := strings.TrimSpace(t.TargetType + " list")
		return t, nil, "", badf("contextKey: the %s %q is not on the segment's %s; put it there first with update-segment-targets", clean(t.ContextKind), short(t.ContextKey, 80), list)
	}
	if n := slices.IndexFunc(now, a.chosen); n >= 0 {
		t.ID, t.Version, had = now[n].ID, now[n].Version, &now[n]
		t.TargetType = had.TargetType
	}
	return t, had, instead, nil
}
