package tools

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var approvals = Toolset{
	Name: "approvals", Doc: "Have changes reviewed by people, and apply what they approved.",
	Default: []string{"create-approval-request", "list-approval-requests", "apply-approval-request"},
	Tools:   []Tool{createApprovalRequest, listApprovalRequests, getApprovalRequest, applyApprovalRequest, reviewApprovalRequest},
}

// approvalRow is an approval request in a list.
type approvalRow struct {
	ID               string       `json:"_id"`
	Resource         string       `json:"resource" doc:"such as flag dark-mode"`
	Environment      string       `json:"environment,omitempty"`
	Status           string       `json:"status" doc:"pending, scheduled, completed or failed"`
	ReviewStatus     string       `json:"reviewStatus" doc:"pending, approved or declined"`
	Description      string       `json:"description,omitempty"`
	InstructionCount int          `json:"instructionCount"`
	CopyFrom         string       `json:"copyFrom,omitempty" doc:"environment whose settings are to be copied"`
	Reviews          []reviewView `json:"reviews,omitempty" doc:"the latest ten"`
	Requestor        string       `json:"requestorId,omitempty"`
	Created          string       `json:"created,omitempty"`
	ExecutionDate    string       `json:"executionDate,omitempty" doc:"when it is to be carried out, once applied"`
	Conflicts        int          `json:"conflictCount,omitempty" doc:"instructions that no longer fit the flag or segment"`
}

type reviewView struct {
	Kind     string `json:"kind"`
	MemberID string `json:"memberId,omitempty"`
	Time     string `json:"time,omitempty"`
	Comment  string `json:"comment,omitempty"`
}

func approvalRowOf(r ldclient.ApprovalRequest) approvalRow {
	at := r.At()
	row := approvalRow{ID: r.ID, Resource: kindName(at.Kind) + " " + at.Key, Environment: at.Environment, Status: r.Status, ReviewStatus: r.ReviewStatus,
		Description: short(r.Description, 300), InstructionCount: len(r.Instructions), Requestor: r.RequestorID, Created: r.Created.String(),
		ExecutionDate: r.ExecutionDate.String(), Conflicts: len(r.Conflicts)}
	if r.Source != nil {
		row.CopyFrom = r.Source.Key
	}
	for _, v := range r.Reviews[max(0, len(r.Reviews)-firstOf):] {
		row.Reviews = append(row.Reviews, reviewView{v.Kind, v.MemberID, v.Date.String(), short(v.Comment, 200)})
	}
	return row
}

type approvalListInput struct {
	Project      string `json:"projectKey" alias:"project"`
	Environment  string `json:"environmentKey,omitempty" alias:"env,environment" default:"-" doc:"Goes with flagKey and segmentKey"`
	Flag         string `json:"flagKey,omitempty" alias:"flag,featureFlagKey"`
	Segment      string `json:"segmentKey,omitempty" alias:"segment"`
	Status       string `json:"status,omitempty" jsonschema:"enum=pending,enum=scheduled,enum=completed,enum=failed"`
	ReviewStatus string `json:"reviewStatus,omitempty" jsonschema:"enum=pending,enum=approved,enum=declined"`
	paged
}

func (in approvalListInput) target() ldclient.Target {
	t := ldclient.Target{Project: in.Project, Environment: in.Environment}
	switch {
	case in.Flag != "":
		t.Kind, t.Key = "flag", in.Flag
	case in.Segment != "":
		t.Kind, t.Key = "segment", in.Segment
	}
	return t
}

var listApprovalRequests = read(Spec{
	Name: "list-approval-requests", Title: "List approval requests",
	Doc: "List the approval requests of a flag, a segment or a whole project, newest first.",
}, func(ctx context.Context, ld *ldclient.Client, in approvalListInput) (page[approvalRow], error) {
	at := in.target()
	switch {
	case in.Flag != "" && in.Segment != "":
		return page[approvalRow]{}, badf("give flagKey or segmentKey, not both")
	case at.Key != "" && in.Environment == "":
		return page[approvalRow]{}, badf("missing environmentKey, which goes with flagKey and segmentKey")
	}
	out := page[approvalRow]{Items: []approvalRow{}}
	seen, left := 0, 0
	for r, err := range approvalsOf(ctx, ld, in) {
		if err != nil {
			return out, err
		}
		is := r.At()
		switch {
		case in.Status != "" && r.Status != in.Status, in.ReviewStatus != "" && r.ReviewStatus != in.ReviewStatus,
			in.Environment != "" && is.Environment != in.Environment, is.Project != in.Project:
			continue
		case is.Environment != "" && !ld.Scope().AllowsEnvironment(is.Environment):
			left++
			continue
		}
		if seen++; seen <= in.Offset {
			continue
		}
		if len(out.Items) == in.Limit {
			out.NextOffset = in.Offset + in.Limit
			return out, nil
		}
		out.add(approvalRowOf(r), seen-1)
	}
	out.TotalCount = seen
	if left > 0 {
		out.TotalCount, out.Note = 0, fmt.Sprintf("%d requests outside this server's scope are left out.", left)
	}
	return out, nil
})

func approvalsOf(ctx context.Context, ld *ldclient.Client, in approvalListInput) iter.Seq2[ldclient.ApprovalRequest, error] {
	if in.Flag != "" {
		return func(yield func(ldclient.ApprovalRequest, error) bool) {
			all, err := ld.Approvals.ListForFlag(ctx, in.Project, in.Environment, in.Flag)
			if err != nil {
				yield(ldclient.ApprovalRequest{}, err)
				return
			}
			for _, r := range all {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
	o := ldclient.ListApprovals{Project: in.Project, Status: in.Status, ReviewStatus: in.ReviewStatus}
	if in.Segment != "" {
		o.Resource = in.target()
	}
	return ldclient.All(func(offset int) (*ldclient.Page[ldclient.ApprovalRequest], error) {
		o.Paging = ldclient.Paging{Limit: upstreamPage, Offset: offset}
		return ld.Approvals.List(ctx, o)
	})
}

type atApproval struct {
	Project string `json:"projectKey" alias:"project"`
	ID      string `json:"id" alias:"approvalRequestId,requestId,_id"`
}

func (a atApproval) target() ldclient.Target { return ldclient.Target{Project: a.Project} }

// approvalDetail is one approval request.
type approvalDetail struct {
	approvalRow
	Would        []string               `json:"would,omitempty" doc:"what would be done, in words; the first ten"`
	Instructions []ldclient.Instruction `json:"instructions,omitempty" doc:"the first ten"`
	Conflicting  []string               `json:"conflicts,omitempty" doc:"why an instruction no longer fits"`
	Needed       int                    `json:"approvalsNeeded,omitempty"`
	Notified     []string               `json:"notifyMemberIds,omitempty"`
	Applied      string                 `json:"applied,omitempty"`
	ReviewedAt   string                 `json:"reviewedAt,omitempty" doc:"where it is reviewed, if not in LaunchDarkly"`
	Missing      []string               `json:"missing,omitempty"`
	URL          string                 `json:"url,omitempty"`
}

// lighten leaves out the instructions as LaunchDarkly has them, which are in words besides.
func (d approvalDetail) lighten() (any, bool) {
	d.Instructions = nil
	return d, true
}

var getApprovalRequest = read(Spec{
	Name: "get-approval-request", Title: "Get an approval request",
	On:  "acct", // what is not part of the project itself may be shown without it
	Doc: "Read one approval request: what it would change, its reviews, approvals needed and conflicts.",
}, func(ctx context.Context, ld *ldclient.Client, in atApproval) (approvalDetail, error) {
	r, at, err := approvalIn(ctx, ld, in)
	if err != nil {
		return approvalDetail{}, err
	}
	d := approvalDetail{approvalRow: approvalRowOf(*r), Instructions: ten(r.Instructions, 0), Needed: r.Settings.MinNumApprovals,
		Notified: ten(r.Notify, 0), Applied: r.AppliedDate.String(), URL: pageURL(ld, at)}
	d.Description = short(r.Description, 2000)
	for _, c := range ten(r.Conflicts, 0) {
		d.Conflicting = append(d.Conflicting, fmt.Sprintf("%s: %s", c.Instruction.Kind(), short(clean(c.Reason), 200)))
	}
	if r.Integration != nil {
		d.ReviewedAt = r.Integration.URL
	}
	g := gather(ctx)
	g.want("what it is about", func(ctx context.Context) error {
		on, _, err := changingAt(ctx, ld, at)
		if err == nil {
			d.Would = ten(on.says(ctx, r.Instructions), 0)
		}
		return err
	})
	d.Missing, err = g.wait()
	return d, err
})

// approvalIn reads a request of a project, and what it is about, as far as this server may see it.
func approvalIn(ctx context.Context, ld *ldclient.Client, in atApproval) (*ldclient.ApprovalRequest, ldclient.Target, error) {
	r, err := ld.Approvals.Get(ctx, in.Project, in.ID)
	if err != nil {
		return nil, ldclient.Target{}, err
	}
	at := r.At()
	if r.ID != in.ID || at.Project != in.Project {
		return nil, at, absent("approval request of project "+in.Project, in.ID, nil)
	}
	return r, at, ld.Scope().Check(at, false)
}

// changingAt reads the flag or segment that raw instructions are about, and its version.
func changingAt(ctx context.Context, ld *ldclient.Client, at ldclient.Target) (changing, string, error) {
	switch {
	case at.Kind == "flag" && at.Environment != "":
		f, c, err := flagIn(ctx, ld, at)
		if err != nil {
			return changing{}, "", err
		}
		return changingFlag(ld, at, f, c, targetingKinds, releaseKinds, variationKinds), fmt.Sprintf("environment %d %s", c.Version, digest(f.Variations)), nil
	case at.Kind == "segment" && at.Environment != "":
		s, err := ld.Segments.Get(ctx, at.Project, at.Environment, at.Key)
		if err != nil {
			return changing{}, "", err
		}
		return changingSegment(ld, at, s), fmt.Sprintf("segment %d", s.Version), nil
	}
	if at.Kind == ldclient.AIConfigKind && at.Environment != "" {
		f, c, err := aiTargetingIn(ctx, ld, at)
		if err != nil {
			return changing{}, "", err
		}
		return changingFlag(ld, at, f, c, aiTargetingKinds), aiVersion(f, at.Environment), nil
	}
	return changing{}, "", cannot("requests about %s are handled on LaunchDarkly's own page", at)
}

// approvalState is what making, applying or reviewing a request changes.
type approvalState struct {
	ID            string   `json:"_id,omitempty"`
	Status        string   `json:"status"`
	ReviewStatus  string   `json:"reviewStatus"`
	Would         []string `json:"would,omitempty" doc:"what is to be done, in words; the first ten"`
	Approvals     int      `json:"approvals,omitempty"`
	Reviews       int      `json:"reviewCount,omitempty"`
	ExecutionDate string   `json:"executionDate,omitempty"`
	Applied       string   `json:"applied,omitempty"`
}

func approvalStateOf(r *ldclient.ApprovalRequest, would []string) approvalState {
	s := approvalState{ID: r.ID, Status: r.Status, ReviewStatus: r.ReviewStatus, Would: ten(would, 0), Reviews: len(r.Reviews),
		ExecutionDate: r.ExecutionDate.String(), Applied: r.AppliedDate.String()}
	for _, v := range r.Reviews {
		if v.Kind == "approve" {
			s.Approvals++
		}
	}
	return s
}

type approvalInput struct {
	Project       string           `json:"projectKey" alias:"project"`
	Environment   string           `json:"environmentKey" alias:"env,environment"`
	Flag          string           `json:"flagKey,omitempty" alias:"flag,featureFlagKey,key"`
	Segment       string           `json:"segmentKey,omitempty" alias:"segment" doc:"Instead of flagKey"`
	Config        string           `json:"configKey,omitempty" alias:"aiConfigKey" quiet:"true" doc:"Or an AI config"`
	Instructions  []rawInstruction `json:"instructions,omitempty" doc:"Of the blocked call's reply"`
	Source        string           `json:"sourceEnvironmentKey,omitempty" alias:"sourceEnv,sourceEnvironment" doc:"Instead of instructions: copy the flag's settings from here"`
	Description   string           `json:"description" doc:"For reviewers"`
	NotifyMembers []string         `json:"notifyMemberIds,omitempty" jsonschema:"maxItems=10"`
	NotifyTeams   []string         `json:"notifyTeamKeys,omitempty" jsonschema:"maxItems=10"`
	ExecutionDate string           `json:"executionDate,omitempty" doc:"Applied then"`
	because
}

func (in approvalInput) target() ldclient.Target {
	t := ldclient.Target{Project: in.Project, Environment: in.Environment, Kind: "flag", Key: in.Flag}
	if in.Segment != "" {
		t.Kind, t.Key = "segment", in.Segment
	}
	if in.Config != "" {
		t.Kind, t.Key = ldclient.AIConfigKind, in.Config
	}
	return t
}

// check refuses what does not go together.
func (in approvalInput) check() error {
	given := 0
	for _, key := range []string{in.Flag, in.Segment, in.Config} {
		if key != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return badf("give either flagKey or segmentKey (or the configKey of an AI config): what is to be changed")
	case (len(in.Instructions) == 0) == (in.Source == ""):
		return badf("give either instructions or sourceEnvironmentKey: what is to be done")
	case in.Source != "" && in.Flag == "":
		return badf("sourceEnvironmentKey copies a flag's settings; a segment or AI config takes instructions")
	case in.Source == in.Environment:
		return badf("sourceEnvironmentKey and environmentKey are both %s; give the environment to copy from", in.Source)
	case in.ExecutionDate != "" && (in.Source != "" || in.Flag == ""):
		return badf("executionDate goes with instructions on a flag alone; leave it out")
	case strings.TrimSpace(in.Description) == "" || len([]rune(in.Description)) > 5000:
		return badf("description: must have 1 to 5000 characters, for the people who review")
	case len(in.NotifyMembers)+len(in.NotifyTeams) > 10:
		return badf("notifyMemberIds and notifyTeamKeys may name ten reviewers together, got %d", len(in.NotifyMembers)+len(in.NotifyTeams))
	}
	return nil
}

var createApprovalRequest = create(Spec{
	Name: "create-approval-request", Title: "Request an approval", Action: "createApprovalRequest",
	On: "flag, segment, aiconfig",
	Doc: "File a change of a flag or segment for review by people. " +
		"Nothing changes until it is approved and applied.",
	Unconfirmed: "it changes nothing by itself: people review it first",
}, func(ctx context.Context, ld *ldclient.Client, in approvalInput) (*plan[approvalState], error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	at := in.target()
	n := ldclient.NewApproval{Description: in.Description, NotifyMembers: in.NotifyMembers, NotifyTeams: in.NotifyTeams}
	var err error
	if n.ExecutionDate, err = later("executionDate", in.ExecutionDate, time.Now()); err != nil {
		return nil, err
	}
	on, version, err := changingAt(ctx, ld, at)
	if err != nil {
		return nil, err
	}
	var would []string
	if in.Source != "" {
		n.CopyFrom = &ldclient.CopySource{Key: in.Source}
		words, from, err := copyWords(ctx, ld, at, in.Source)
		if err != nil {
			return nil, err
		}
		would, version = []string{words}, version+", "+from
	} else if n.Instructions, would, err = on.settle(ctx, in.Instructions); err != nil {
		return nil, err
	}
	ofVariations := func(i ldclient.Instruction) bool { return slices.Contains(variationKinds, i.Kind()) }
	if some := slices.ContainsFunc(n.Instructions, ofVariations); some && n.ExecutionDate > 0 ||
		some && slices.ContainsFunc(n.Instructions, func(i ldclient.Instruction) bool { return !ofVariations(i) }) {
		return nil, badf("changes of a flag's variations go into a request of their own, without executionDate")
	}
	p := &plan[approvalState]{intent: intent{Version: version,
		Says: fmt.Sprintf("ask for approval to change %s %s in %s of project %s: %s", kindName(at.Kind), at.Key, in.Environment, in.Project, together(n.Instructions, would))}}
	if len(in.NotifyMembers)+len(in.NotifyTeams) == 0 {
		p.Notes = append(p.Notes, "nobody is notified; tell a reviewer, or name some in notifyMemberIds or notifyTeamKeys")
	}
	p.Apply = func(ctx context.Context, how manner) (*approvalState, error) {
		if how.DryRun {
			return &approvalState{Status: "pending", ReviewStatus: "pending", Would: ten(would, 0), ExecutionDate: n.ExecutionDate.String()}, nil
		}
		n.Comment = how.Comment
		got, err := ld.Approvals.Create(ctx, at, n)
		if err != nil {
			return nil, err
		}
		after := approvalStateOf(got, would)
		return &after, nil
	}
	return p, nil
})

var applyApprovalRequest = update(Spec{
	Name: "apply-approval-request", Title: "Apply an approved request", Action: "applyApprovalRequest",
	On:  "flag, segment, aiconfig",
	Doc: "Carry out the change of an approval request that people have approved.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atApproval
	laterKnown
	because
}) (*plan[approvalState], error) {
	r, at, err := approvalIn(ctx, ld, in.atApproval)
	if err != nil {
		return nil, err
	}
	p := &plan[approvalState]{intent: intent{Target: at}}
	before := approvalStateOf(r, nil)
	p.Before = &before
	switch {
	case r.Status == "completed" || r.Status == "scheduled":
		p.Nothing = fmt.Sprintf("request %s is %s already", r.ID, r.Status)
		return p, nil
	case r.Status != "pending":
		return nil, cannot("request %s is %s; make a new one with create-approval-request", r.ID, short(clean(r.Status), 60))
	case r.ReviewStatus == "declined":
		return nil, cannot("request %s was declined; read the reviews with get-approval-request, and make another request that answers them", r.ID)
	case r.ReviewStatus != "approved":
		return nil, cannot("request %s is not approved yet (%d of %d approvals); people review it on LaunchDarkly's page (%s)",
			r.ID, before.Approvals, r.Settings.MinNumApprovals, pageURL(ld, at))
	case len(r.Conflicts) > 0:
		return nil, cannot("%s has changed since: %s; make a new request", at, short(clean(r.Conflicts[0].Reason), 200))
	case r.OperatingOnID != "" || r.Source == nil && len(r.Instructions) == 0:
		return nil, cannot("request %s changes something else than the %s itself; apply it on LaunchDarkly's page (%s)", r.ID, kindName(at.Kind), pageURL(ld, at))
	}
	on, version, err := changingAt(ctx, ld, at)
	if err != nil {
		return nil, err
	}
	would, version, err := requested(ctx, ld, r, on, version)
	if err != nil {
		return nil, err
	}
	p.Version = fmt.Sprintf("request %d, %s", r.Version, version)
	when := ""
	if r.ExecutionDate > 0 {
		when = " at " + r.ExecutionDate.String()
	}
	p.Says = fmt.Sprintf("apply request %s (%s), which would change %s %s in %s of project %s%s: %s",
		r.ID, short(clean(r.Description), 100), kindName(at.Kind), at.Key, at.Environment, at.Project, when, together(r.Instructions, would))
	p.Apply = func(ctx context.Context, how manner) (*approvalState, error) {
		if how.DryRun {
			after := approvalStateOf(r, would)
			if after.Status = "completed"; r.ExecutionDate > 0 {
				after.Status = "scheduled"
			}
			return &after, nil
		}
		got, err := ld.Approvals.Apply(ctx, at, r.ID, how.Comment)
		if err != nil {
			return nil, err
		}
		after := approvalStateOf(got, would)
		return &after, nil
	}
	return p, nil
})

var reviewApprovalRequest = update(Spec{
	Name: "review-approval-request", Title: "Review an approval request", Action: "reviewApprovalRequest",
	On: "flag, segment, aiconfig", Additive: true, ForPeople: true,
	Doc: "Approve or decline an approval request, or comment on it, in the name of the token's owner. Only when the user says so after reading what would change.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atApproval
	laterKnown
	Kind string `json:"kind" alias:"verdict,review" jsonschema:"enum=approve,enum=decline,enum=comment"`
	because
}) (*plan[approvalState], error) {
	r, at, err := approvalIn(ctx, ld, in.atApproval)
	if err != nil {
		return nil, err
	}
	if r.Status != "pending" {
		return nil, cannot("request %s is %s, so there is nothing to review", r.ID, short(clean(r.Status), 60))
	}
	if in.Kind == "comment" && strings.TrimSpace(in.Comment) == "" {
		return nil, badf("missing comment: what to say")
	}
	on, version, err := changingAt(ctx, ld, at)
	if err != nil {
		return nil, err
	}
	would := on.says(ctx, r.Instructions)
	if r.Source != nil {
		words, from, err := copyWords(ctx, ld, at, r.Source.Key)
		if bad, ok := errors.AsType[badArguments](err); ok { // one that cannot be carried out can still be declined
			words = fmt.Sprintf("copy the settings of %s to %s (%v)", word(r.Source.Key), at.Environment, bad)
		} else if err != nil {
			return nil, err
		}
		would, version = append(would, words), version+", "+from
	}
	before := approvalStateOf(r, nil)
	p := &plan[approvalState]{Before: &before, intent: intent{Target: at, Version: fmt.Sprintf("request %d, %s", r.Version, version),
		Says: fmt.Sprintf("%s request %s (%s) to change %s %s in %s of project %s: %s", map[string]string{"approve": "approve", "decline": "decline", "comment": "comment on"}[in.Kind],
			r.ID, short(clean(r.Description), 100), kindName(at.Kind), at.Key, at.Environment, at.Project, together(r.Instructions, would))}}
	p.Apply = func(ctx context.Context, how manner) (*approvalState, error) {
		if how.DryRun {
			said := *r
			said.Reviews = append(slices.Clone(r.Reviews), ldclient.ApprovalReview{Kind: in.Kind})
			after := approvalStateOf(&said, nil)
			switch {
			case in.Kind == "decline":
				after.ReviewStatus = "declined"
			case in.Kind == "approve" && after.ReviewStatus == "pending" && after.Approvals >= max(1, r.Settings.MinNumApprovals):
				after.ReviewStatus = "approved"
			}
			return &after, nil
		}
		got, err := ld.Approvals.Review(ctx, at, r.ID, in.Kind, how.Comment)
		if err != nil {
			return nil, err
		}
		after := approvalStateOf(got, nil)
		return &after, nil
	}
	return p, nil
})

// cannot refuses what the state of things does not allow, so that other arguments would not help.
func cannot(format string, args ...any) error {
	return &ldclient.InvalidError{Message: fmt.Sprintf(format, args...)}
}
