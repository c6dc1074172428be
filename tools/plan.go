package tools

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// plan is a change that is ready to be made: what is there, what would be done,
// and the code that does it. Planning never writes.
type plan[View any] struct {
	intent
	Before *View
	// Differ, if set, takes out of both views what is the same in them.
	Differ func(before, after *View)
	// Apply makes the change and returns what is there afterwards; nil when it is gone.
	Apply func(context.Context, manner) (*View, error)
}

// untyped is the plan for the code that carries out those of all tools; its views are pointers to p's.
func (p *plan[View]) untyped() *plan[any] {
	out := &plan[any]{intent: p.intent, Before: view(p.Before)}
	if p.Differ != nil {
		out.Differ = func(before, after *any) { p.Differ(viewed[View](before), viewed[View](after)) }
	}
	out.Apply = func(ctx context.Context, how manner) (*any, error) {
		after, err := p.Apply(ctx, how)
		out.intent = p.intent // Noticed is told while the change is made
		return view(after), err
	}
	return out
}

func view[View any](v *View) *any {
	if v == nil {
		return nil
	}
	out := any(v)
	return &out
}

func viewed[View any](v *any) *View {
	if v == nil {
		return nil
	}
	return (*v).(*View)
}

// intent is the part of a plan that the guard and the reply need.
type intent struct {
	Says         string                 // what would be done, to go on after "This would "
	Version      string                 // of what the plan was made on; a confirmation holds for it alone
	Nothing      string                 // why there is nothing to do, "" when there is
	Instructions []ldclient.Instruction // the semantic patch, for an approval request
	Notes        []string               // what the caller should know besides
	Target       ldclient.Target        // what would change, where the arguments do not tell
	Wide         bool                   // what would change is the account itself, or nobody can tell what
	Always       bool                   // it is put to a person wherever it is
	Within       string                 // the environment of the patch, where the change reaches all environments as well
	Again        bool                   // a change without instructions that may be planned anew after a lost race
	AskWith      map[string]any         // what an approval request takes besides the instructions
	CopyFrom     string                 // environment whose settings an approval request copies, instead of the instructions
	Tags         []string               // of the flag or segment; some environments want approvals by tag
	Reviewed     bool                   // approvals are for it, though not all of it is in instructions
	PastReview   bool                   // it needs no approval, but leads past those that are asked for
	Unasked      string                 // why no approval request says all of it, "" when one does
	Needs        []need                 // what the token must be allowed, where the instructions do not tell
	Instead      string                 // argument that takes the place of one that moves on with time
	About        string                 // what LaunchDarkly's audit log is told before the caller's comment
	Noticed      []string               // what the caller should know of how it went
	Harmless     string                 // why this change is not put to a person first although others of the tool are, "" where it is
}

// need is an action that LaunchDarkly must allow on something.
type need struct {
	action string
	at     ldclient.Target
}

// manner is how a plan is carried out.
type manner struct {
	Comment string // for LaunchDarkly's audit log
	DryRun  bool   // LaunchDarkly validates and answers, and nothing is written
}

// change is the reply of every tool that writes.
type change[View any] struct {
	Changed          bool                   `json:"changed"`
	Resource         string                 `json:"resource" doc:"LaunchDarkly resource specifier"`
	DryRun           bool                   `json:"dryRun,omitempty" doc:"true: nothing was written, after is what would be"`
	Before           *View                  `json:"before,omitempty"`
	After            *View                  `json:"after,omitempty"`
	Notes            []string               `json:"notes,omitempty"`
	RequiresApproval bool                   `json:"requiresApproval,omitempty" doc:"true: nothing was written, the environment wants an approval first"`
	Message          string                 `json:"message,omitempty"`
	Request          *readyRequest          `json:"request,omitempty" doc:"the call that asks for the approval, to be made once the user agrees"`
	Instructions     []ldclient.Instruction `json:"instructions,omitempty" doc:"what was attempted, where no tool makes a request of it"`
	URL              string                 `json:"url,omitempty" doc:"LaunchDarkly's own page"`
}

// carryOut makes a plan, takes it through the guard and makes the change. A
// change that lost a race is planned anew and made once more, where that ends
// in the same state; not if it was confirmed, for what was confirmed is gone.
func carryOut(ctx context.Context, c *call, makePlan func() (*plan[any], error)) (any, error) {
	for again := false; ; again = true {
		p, err := makePlan()
		if err != nil {
			return nil, err
		}
		reply := change[any]{Resource: c.target.String(), Before: p.Before, Notes: p.Notes, DryRun: c.given.DryRun}
		if p.Nothing != "" {
			reply.Notes = append(reply.Notes, p.Nothing+"; nothing was changed")
			return reply, nil
		}
		how := manner{Comment: attribution(ctx, p.About+c.given.Comment), DryRun: c.given.DryRun}
		apply := ctx
		if how.DryRun {
			apply = ldclient.WithoutWrites(ctx)
		} else if err := c.srv.guard.check(ctx, c, p.intent); err != nil {
			if needs, ok := errors.AsType[*review](err); ok {
				return approvalReply(c, reply, p, needs), nil
			}
			return nil, err
		}
		if !how.DryRun {
			if err := c.srv.record.attempt(ctx, c); err != nil {
				return nil, err
			}
			c.wrote, c.sentAs, c.sentAt, c.sentBy = true, how.Comment, time.Now(), c.ld.Fingerprint()
		}
		var sent atomic.Bool
		after, err := p.Apply(ldclient.NotingWrites(apply, &sent), how)
		if err != nil && !sent.Load() { // what was read once more just before it failed
			c.wrote = false
		}
		switch {
		case ldclient.IsLock(err):
			c.wrote = false
			if !again && !c.confirmed && (p.Again || len(p.Instructions) > 0 && ldclient.Repeatable(p.Instructions)) {
				continue
			}
			return nil, err
		case ldclient.IsApprovalRequired(err):
			c.wrote = false
			return approvalReply(c, reply, p, err), nil
		case err != nil:
			return nil, err
		}
		if p.Differ != nil {
			p.Differ(reply.Before, after)
		}
		reply.After, reply.Changed = after, !how.DryRun
		reply.Notes = append(reply.Notes, p.Noticed...)
		if after != nil && reflect.DeepEqual(reply.Before, after) {
			reply.Changed = false
			reply.Notes = append(reply.Notes, "LaunchDarkly found nothing to change")
		}
		if reply.Changed && c.review != nil {
			reply.Notes = append(reply.Notes, c.review.says()+", and this token did without")
		}
		return reply, nil
	}
}

// lighten leaves the views out of a reply that is too large; that the change was made must get through.
func (r change[View]) lighten() (any, bool) {
	r.Before, r.After = nil, nil
	r.Notes = append(slices.Clone(r.Notes[:min(5, len(r.Notes))]), "what it was before and is now does not fit; read it")
	return r, true
}

// segmentPlan plans a semantic patch of one segment.
func segmentPlan[View any](ld *ldclient.Client, at ldclient.Target, s *ldclient.Segment, view func(*ldclient.Segment) View, says string, do ...ldclient.Instruction) *plan[View] {
	before := view(s)
	return &plan[View]{
		intent: intent{Says: says, Version: fmt.Sprintf("segment %d", s.Version), Instructions: do, Tags: s.Tags},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*View, error) {
			got, err := ld.Segments.Patch(ctx, at.Project, at.Environment, at.Key, ldclient.Patch{Comment: how.Comment, Instructions: do, DryRun: how.DryRun})
			if err != nil {
				return nil, err
			}
			after := view(got)
			return &after, nil
		},
	}
}

// flagPlan plans a semantic patch of one flag as it stands in one environment.
func flagPlan[View any](ld *ldclient.Client, at ldclient.Target, f *ldclient.Flag, view func(*ldclient.Flag) View, says string, do ...ldclient.Instruction) *plan[View] {
	before := view(f)
	version := fmt.Sprintf("flag %d", f.Version)
	if at.Environment != "" { // changes of other environments do not matter, those of the variations do
		version = fmt.Sprintf("environment %d %s", f.Environments[at.Environment].Version, digest(f.Variations))
	}
	return &plan[View]{
		intent: intent{Says: says, Version: version, Instructions: do, Tags: f.Tags},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*View, error) {
			got, err := ld.Flags.Patch(ctx, at.Project, at.Environment, at.Key, ldclient.Patch{Comment: how.Comment, Instructions: do, DryRun: how.DryRun})
			if err != nil {
				return nil, err
			}
			after := view(got)
			return &after, nil
		},
	}
}

// laterKnown marks the input of a writer whose arguments do not tell what it changes; its plan does.
type laterKnown struct{}

func (laterKnown) knownLater() {}

// aimed takes over the target that a plan found, and refuses one out of scope.
func (c *call) aimed(p intent) error {
	if p.Target.Project == "" && !p.Wide {
		return cannot("it could not be found out what this would change; use LaunchDarkly's own page")
	}
	c.target = p.Target
	return c.ld.Scope().Check(c.target, true)
}

// changedMeanwhile is a change by somebody else that was found before anything was written.
func changedMeanwhile(what string) error {
	return &ldclient.Error{Status: 409, Code: "optimistic_locking_error", Message: what + " was changed meanwhile, so nothing was written"}
}

// taken refuses a key that a project has already; err is what reading what has it brought.
func taken(err error, project, what, key, change string) error {
	if err == nil {
		return badf("project %s has %s %q already; change it with %s, or choose another key", project, what, key, change)
	}
	if ldclient.IsNotFound(err) {
		return nil
	}
	return err
}

// shows gives what LaunchDarkly answered as a plan's view.
func shows[A, View any](view func(A) View) func(*A, error) (*View, error) {
	return func(got *A, err error) (*View, error) {
		if err != nil {
			return nil, err
		}
		v := view(*got)
		return &v, nil
	}
}
