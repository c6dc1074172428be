package sandbox

import (
	"cmp"
	"net/http"
	"slices"
)

// requestPost is the body of every POST that makes an approval request.
type requestPost struct {
	ResourceID      string        `json:"resourceId"`
	Description     string        `json:"description"`
	Comment         string        `json:"comment"`
	Instructions    []instruction `json:"instructions"`
	NotifyMemberIDs []string      `json:"notifyMemberIds"`
	NotifyTeamKeys  []string      `json:"notifyTeamKeys"`
	ExecutionDate   int64         `json:"executionDate"`
	OperatingOnID   string        `json:"operatingOnId"`
	Source          *struct {
		Key     string `json:"key"`
		Version *int   `json:"version"`
	} `json:"source"`
	IncludedActions []string `json:"includedActions"`
	ExcludedActions []string `json:"excludedActions"`
}

// variationKinds are the only instructions on flags that the general route takes.
var variationKinds = []string{"addVariation", "removeVariation", "updateVariation", "updateDefaultVariation"}

func (a *Account) createRequest(w http.ResponseWriter, r *http.Request) {
	var in requestPost
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	t, err := a.reviewable(in.ResourceID)
	if err == nil && t.f != nil && slices.ContainsFunc(in.Instructions, func(i instruction) bool {
		p, _ := i.params()
		return !slices.Contains(variationKinds, p.Kind)
	}) {
		err = invalid("this route takes only changes of variations for a flag; use the approval requests of the flag in the environment")
	}
	if err != nil {
		refuse(w, err)
		return
	}
	a.addRequest(w, r, t, in)
}

// flagRequestPost reads a new request about one flag in one environment; it has answered where that fails.
func (a *Account) flagRequestPost(w http.ResponseWriter, r *http.Request) (t reviewable, in requestPost, ok bool) {
	if t, ok = a.flagAndEnvironment(w, r); !ok {
		return t, in, false
	}
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return t, in, false
	}
	return t, in, true
}

func (a *Account) createFlagRequest(w http.ResponseWriter, r *http.Request) {
	t, in, ok := a.flagRequestPost(w, r)
	if !ok {
		return
	}
	in.Source = nil
	a.addRequest(w, r, t, in)
}

func (a *Account) createCopyRequest(w http.ResponseWriter, r *http.Request) {
	t, in, ok := a.flagRequestPost(w, r)
	if !ok {
		return
	}
	if in.Source == nil || in.Source.Key == "" {
		refuse(w, invalid("source.key is required"))
		return
	}
	in.Instructions, in.ExecutionDate, in.OperatingOnID = nil, 0, ""
	a.addRequest(w, r, t, in)
}

func (a *Account) addRequest(w http.ResponseWriter, r *http.Request, t reviewable, in requestPost) {
	q := &approvalRequest{
		Version: 1, Resource: t.spec(), Requestor: a.caller(r), Description: in.Description, Comment: in.Comment, Status: "pending",
		Instructions: in.Instructions, Execution: in.ExecutionDate, OperatingOn: in.OperatingOnID,
	}
	err := checkDescription(in.Description)
	if err == nil {
		q.Notify, err = a.reviewers(in.NotifyMemberIDs, in.NotifyTeamKeys)
	}
	if err == nil && in.ExecutionDate != 0 && in.ExecutionDate <= a.now().UnixMilli() {
		err = invalid("executionDate must be in the future")
	}
	if in.Source != nil {
		q.Copy = &copyPost{IncludedActions: in.IncludedActions, ExcludedActions: in.ExcludedActions, Comment: in.Comment}
		q.Copy.Source.Key, q.Copy.Source.CurrentVersion, q.Copy.Target.Key = in.Source.Key, in.Source.Version, t.e.Key
	} else if err == nil && len(in.Instructions) == 0 {
		err = invalid("instructions must contain at least one instruction")
	}
	if err == nil {
		a.pretend(func() { _, err = a.requestOutcome(t, q, "") })
	}
	if err != nil {
		refuse(w, err)
		return
	}
	q.ID, q.Created = a.objectID(), a.tick()
	a.requests = append(a.requests, q)
	a.record(r, a.requestChange(q, "createApprovalRequest", "requested approval for a change to", in.Comment))
	send(w, http.StatusCreated, a.requestRep(q))
}

// requestOutcome prepares what applying a request would do.
func (a *Account) requestOutcome(t reviewable, q *approvalRequest, comment string) (func(*http.Request), *apiError) {
	switch {
	case q.Copy != nil:
		g, err := a.copyConfig(t.p, t.f, *q.Copy, true)
		if err != nil {
			return nil, err
		}
		return func(r *http.Request) {
			if g.Version == t.f.Version {
				return
			}
			c := a.flagChange(t.p, t.f, g, []string{"copyFlagConfigFrom", "copyFlagConfigTo"}, comment)
			c.Resource = t.spec()
			a.commitFlag(t.p, t.f, g, nil)
			a.record(r, c)
		}, nil
	case q.OperatingOn != "":
		i := slices.IndexFunc(a.scheduled, func(s *scheduledChange) bool { return s.ID == q.OperatingOn && s.Resource == t.spec() })
		if i < 0 {
			return nil, invalid("unknown scheduled change '%s'", q.OperatingOn)
		}
		next, gone, err := a.editScheduled(t, a.scheduled[i], q.Instructions)
		return func(r *http.Request) { a.putScheduled(r, a.scheduled[i], next, gone, comment) }, err
	}
	return a.outcome(t, q.Instructions, comment)
}

func checkDescription(s string) *apiError {
	if s == "" || len(s) > 5000 {
		return invalid("description must have between 1 and 5000 characters")
	}
	return nil
}

// reviewers are the members that are named, themselves or by their team.
func (a *Account) reviewers(memberIDs, teamKeys []string) ([]string, *apiError) {
	if len(memberIDs)+len(teamKeys) > maxReviewers {
		return nil, invalid("at most %d reviewers can be notified", maxReviewers)
	}
	var out []string
	for _, id := range memberIDs {
		if !slices.ContainsFunc(a.members, func(m *member) bool { return m.ID == id }) {
			return nil, invalid("unknown member '%s'", id)
		}
		out = append(out, id)
	}
	for _, key := range teamKeys {
		if a.team(key) == nil {
			return nil, invalid("unknown team '%s'", key)
		}
		for _, m := range a.teamMembers(key) {
			if !slices.Contains(out, m.ID) {
				out = append(out, m.ID)
			}
		}
	}
	return out, nil
}

func (a *Account) reviewRequest(w http.ResponseWriter, r *http.Request, q *approvalRequest) {
	var in struct{ Kind, Comment string }
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	t, err := a.reviewable(q.Resource)
	who := a.caller(r)
	verb := map[string]string{"approve": "approved", "decline": "declined", "comment": "commented on"}[in.Kind]
	switch {
	case err != nil:
	case verb == "":
		err = invalid("kind must be approve, decline or comment")
	case q.Status != "pending":
		err = conflict("the approval request is %s already", q.Status)
	case in.Kind != "comment" && !t.settings().CanReviewOwnRequest && sameActor(who, q.Requestor):
		err = &apiError{http.StatusForbidden, "forbidden", "You cannot review your own request"}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	v := review{ID: a.objectID(), Kind: in.Kind, Comment: in.Comment, CreationDate: a.tick()}
	if who.Member != nil {
		v.MemberID = who.Member.ID
	} else {
		v.ServiceTokenID = who.ID
	}
	q.Reviews = append(slices.Clone(q.Reviews), v)
	q.Version++
	a.record(r, a.requestChange(q, "reviewApprovalRequest", verb+" an approval request for", in.Comment))
	if verdict, _ := q.verdict(t.settings()); verdict == "approved" && t.settings().AutoApplyApproved {
		if err := a.carryOutRequest(r, t, q, in.Comment); err != nil {
			q.Status = "failed"
		}
	}
	send(w, http.StatusOK, a.requestRep(q))
}

func sameActor(a, b *token) bool {
	return a == b || a.Member != nil && b.Member != nil && a.Member == b.Member
}

func (a *Account) applyRequest(w http.ResponseWriter, r *http.Request, q *approvalRequest) {
	var in struct{ Comment string }
	if err := decodeBody(r, &in); err != nil {
		badRequest(w, err)
		return
	}
	t, err := a.reviewable(q.Resource)
	if err == nil {
		verdict, approvals := q.verdict(t.settings())
		overruled := verdict == "declined" && approvals >= t.settings().MinNumApprovals && t.settings().CanApplyDeclinedChanges
		switch {
		case q.Status != "pending":
			err = conflict("the approval request is %s already", q.Status)
		case verdict != "approved" && !overruled:
			err = invalid("the approval request is not approved: its review is %s", verdict)
		default:
			err = a.carryOutRequest(r, t, q, cmp.Or(in.Comment, q.Comment))
		}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	send(w, http.StatusOK, a.requestRep(q))
}

// carryOutRequest makes a request's change, or puts it off to the date that the request names.
func (a *Account) carryOutRequest(r *http.Request, t reviewable, q *approvalRequest, comment string) *apiError {
	put, err := a.requestOutcome(t, q, comment)
	if err != nil {
		return conflict("the change cannot be applied: %s", err.message)
	}
	q.Applied, q.AppliedBy, q.Comment = a.tick(), a.caller(r), comment
	q.Version++
	a.record(r, a.requestChange(q, "applyApprovalRequest", "applied an approval request for", comment))
	if q.Execution > a.now().UnixMilli() {
		q.Status = "scheduled"
		return nil
	}
	put(r)
	q.Status = "completed"
	return nil
}
