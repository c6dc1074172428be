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

// expiringView is a context that leaves its individual target at a set time.
type expiringView struct {
	ContextKey  string `json:"contextKey"`
	ContextKind string `json:"contextKind,omitempty" told:"true" doc:"user if not given"`
	Variation   string `json:"variation"`
	ExpiresAt   string `json:"expiresAt"`
}

// expiringState is what changing expiring targets changes.
type expiringState struct {
	Count   int            `json:"totalCount" doc:"of those that expire"`
	Targets []expiringView `json:"targets" doc:"those that the call concerns, the next to expire first, at most 50"`
}

const mostExpiring = 50

func expiringStateOf(f *ldclient.Flag, list []ldclient.ExpiringTarget, concerns func(ldclient.ExpiringTarget) bool) expiringState {
	out := expiringState{Count: len(list), Targets: []expiringView{}}
	list = slices.SortedFunc(slices.Values(list), func(a, b ldclient.ExpiringTarget) int { return cmp.Compare(a.Expires, b.Expires) })
	for _, t := range list {
		if len(out.Targets) == mostExpiring || !concerns(t) {
			continue
		}
		kind := t.ContextKind
		if kind == "user" {
			kind = ""
		}
		i := slices.IndexFunc(f.Variations, func(v ldclient.Variation) bool { return v.ID == t.VariationID })
		out.Targets = append(out.Targets, expiringView{t.ContextKey, kind, label(f, i), t.Expires.String()})
	}
	return out
}

type expiringInput struct {
	atFlagEnvironment
	Do          string `json:"action" jsonschema:"enum=list,enum=add,enum=remove,enum=update"`
	ContextKey  string `json:"contextKey,omitempty" alias:"context" doc:"Needed but to list"`
	ContextKind string `json:"contextKind,omitempty" told:"true" doc:"user if not given"`
	Variation   string `json:"variation,omitempty" alias:"variationId,variationKey,variationName,variationIndex" doc:"Found if not given"`
	ExpiresAt   string `json:"expiresAt,omitempty" alias:"expirationDate,value,expires" doc:"To add or update"`
	because
}

var manageExpiringTargets = update(Spec{
	Name: "manage-expiring-targets", Title: "Manage expiring targets", Action: "updateExpiringTargets",
	Doc: "List, add, change or remove the times at which individually targeted contexts leave their target.",
}, func(ctx context.Context, ld *ldclient.Client, in expiringInput) (*plan[expiringState], error) {
	f, c, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return nil, err
	}
	list, err := ld.Flags.ExpiringTargets(ctx, in.Project, in.Environment, in.Flag)
	if err != nil {
		return nil, err
	}
	e := expiringEdit{flag: f, config: c, list: list, action: in.Do, at: in.Environment}
	if in.Do == "list" {
		return e.plan(func(t ldclient.ExpiringTarget) bool {
			return (in.ContextKey == "" || t.ContextKey == in.ContextKey) && (in.ContextKind == "" || t.ContextKind == in.ContextKind)
		}), nil
	}
	e.t = ldclient.ExpiringTarget{ContextKind: kindOr(in.ContextKind), ContextKey: in.ContextKey}
	instead, err := e.decide(in, countFrom(ctx))
	if err != nil {
		return nil, err
	}
	p := e.plan(e.same)
	p.Instead, p.Needs = instead, []need{{"updateExpiringTargets", in.target()}}
	p.Says = fmt.Sprintf("%s of flag %s in %s of project %s", p.Says, in.Flag, in.Environment, in.Project)
	p.Apply = func(ctx context.Context, how manner) (*expiringState, error) {
		then := e.then()
		if !how.DryRun { // LaunchDarkly has no dry run of these
			if _, err := ld.Flags.PatchExpiringTargets(ctx, in.Project, in.Environment, in.Flag, how.Comment, p.Instructions...); err != nil {
				return nil, err
			}
		}
		after := expiringStateOf(f, then, e.same)
		return &after, nil
	}
	return p, nil
})

// expiringEdit is a change of when one context leaves its target.
type expiringEdit struct {
	flag       *ldclient.Flag
	config     ldclient.FlagConfig
	list       []ldclient.ExpiringTarget
	action, at string
	t          ldclient.ExpiringTarget // as it shall be
	was        *ldclient.ExpiringTarget
	variation  int
}

func (e *expiringEdit) same(t ldclient.ExpiringTarget) bool {
	return t.ContextKey == e.t.ContextKey && kindOr(t.ContextKind) == e.t.ContextKind
}

// decide checks what was asked for against what is there.
func (e *expiringEdit) decide(in expiringInput, from time.Time) (instead string, err error) {
	said, expires := in.Variation, in.ExpiresAt
	if strings.TrimSpace(e.t.ContextKey) == "" {
		return "", badf("missing contextKey: the context whose target should expire")
	}
	who := whichContexts(e.t.ContextKind, []string{e.t.ContextKey})
	targeted, ok := newTargetBuilder(e.flag, e.config).has[contextID{e.t.ContextKind, e.t.ContextKey}]
	if !ok {
		return "", badf("%s is not individually targeted by %s in %s, and only such a target can expire; target it with update-individual-targets first, or give its contextKind", who, e.flag.Key, e.at)
	}
	if said != "" {
		i, err := variation(e.flag, said)
		if err != nil {
			return "", err
		}
		if i != targeted {
			return "", badf("%s is targeted with %s, not with %s; leave variation out, or move it with update-individual-targets first", who, label(e.flag, targeted), label(e.flag, i))
		}
	}
	e.variation, e.t.VariationID = targeted, idOf(e.flag, targeted)
	if n := slices.IndexFunc(e.list, e.same); n >= 0 {
		e.was = &e.list[n]
	}
	switch {
	case e.action == "remove" && expires != "":
		return "", badf("action remove takes no expiresAt; use action update to set another time")
	case e.action == "remove":
		return instead, nil
	case e.action == "update" && e.was == nil:
		return "", badf("%s has no expiry to update; use action add", who)
	}
	if e.t.Expires, instead, err = expiry(expires, in.Confirm, from); err != nil {
		return "", err
	}
	if e.action == "add" && e.was != nil && e.was.Expires != e.t.Expires {
		return "", badf("%s expires already, at %s; use action update to set another time", who, e.was.Expires)
	}
	return instead, nil
}

func (e *expiringEdit) plan(concerns func(ldclient.ExpiringTarget) bool) *plan[expiringState] {
	before := expiringStateOf(e.flag, e.list, concerns)
	p := &plan[expiringState]{Before: &before}
	p.Version = fmt.Sprintf("environment %d %s at %d", e.config.Version, digest(e.list), e.t.Expires)
	who := whichContexts(e.t.ContextKind, []string{e.t.ContextKey})
	switch {
	case e.action == "list":
		p.Nothing = fmt.Sprintf("targets of %s that expire in %s: %d", e.flag.Key, e.at, len(e.list))
	case e.action == "remove" && e.was == nil:
		p.Nothing = who + " has no expiry"
	case e.action == "remove":
		p.Says = fmt.Sprintf("let %s, which would have left the target on %s, stay targeted with %s", who, e.was.Expires, label(e.flag, e.variation))
		p.Instructions = []ldclient.Instruction{ldclient.RemoveExpiringTarget(*e.was)}
	case e.was != nil && e.was.Expires == e.t.Expires:
		p.Nothing = fmt.Sprintf("%s expires at %s already", who, e.was.Expires)
	case e.action == "add":
		p.Says = fmt.Sprintf("let %s leave the individual target with %s on %s", who, label(e.flag, e.variation), e.t.Expires)
		p.Instructions = []ldclient.Instruction{ldclient.AddExpiringTarget(e.t)}
	default:
		e.t.Version = e.was.Version
		p.Says = fmt.Sprintf("let %s leave the individual target with %s on %s instead of %s", who, label(e.flag, e.variation), e.t.Expires, e.was.Expires)
		p.Instructions = []ldclient.Instruction{ldclient.UpdateExpiringTarget(e.t)}
	}
	return p
}

// then is the list as it would be afterwards.
func (e *expiringEdit) then() []ldclient.ExpiringTarget {
	out := slices.DeleteFunc(slices.Clone(e.list), e.same)
	if e.action != "remove" {
		out = append(out, e.t)
	}
	return out
}

// expiry reads a time to come: RFC 3339, ms since the epoch, or a time such as 7d, which is counted from a time.
func expiry(said, confirm string, from time.Time) (at ldclient.Millis, instead string, err error) {
	if at, err = timeToCome(said, from); err != nil {
		return 0, "", err
	}
	return still("expiresAt", said, confirm, at)
}

func timeToCome(s string, from time.Time) (ldclient.Millis, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, badf("missing expiresAt: when the context should leave its target, such as 2027-03-01T12:00:00Z or 7d")
	}
	at, ok := time.Time{}, false
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if len(strings.TrimLeft(s, "+-")) <= 10 {
			return 0, badf("expiresAt: %s looks like seconds, or a number without a unit; give milliseconds since the epoch (13 digits), RFC 3339 such as 2027-03-01T12:00:00Z, or a time from now such as 7d", s)
		}
		at, ok = time.UnixMilli(n), true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil && !ok {
			at, ok = t, true
		}
	}
	if d, err := fromNow(s); err == nil && !ok {
		at, ok = from.Add(d), true
	}
	switch {
	case !ok:
		return 0, badf("expiresAt: must be a time such as 2027-03-01T12:00:00Z, milliseconds since the epoch, or a time from now such as 36h, 7d or 2w, got %q", short(s, 60))
	case !at.After(time.Now()):
		return 0, badf("expiresAt: %s is past; give a time to come", at.UTC().Format(time.RFC3339))
	case at.Sub(from) > 100*365*24*time.Hour:
		return 0, badf("expiresAt: that is more than a hundred years from now; give milliseconds since the epoch, RFC 3339, or a time from now such as 7d")
	}
	return ldclient.Millis(at.UnixMilli()), nil
}

// fromNow reads 36h, 7d, 2w and such, also with "in" or "+" before it.
func fromNow(s string) (time.Duration, error) {
	s = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(s, "in "), "+"))
	for unit, hours := range map[string]float64{"d": 24, "w": 7 * 24} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			x, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
			if err != nil || x <= 0 || x*hours > 1e6 {
				return 0, fmt.Errorf("not a time from now")
			}
			return time.Duration(x * hours * float64(time.Hour)), nil
		}
	}
	return time.ParseDuration(s)
}
