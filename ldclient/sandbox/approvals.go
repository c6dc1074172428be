package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// pending is what waits for a person, a time or a call from outside.
type pending struct {
	requests  []*approvalRequest
	scheduled []*scheduledChange
	triggers  []*trigger

	bypassing []string // tokens that need no approvals
	bypasses  bool     // whether the request that is being answered carries one
}

// BypassApprovals lets a token change what takes an approval without one.
func (a *Account) BypassApprovals(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bypassing = append(a.bypassing, token)
}

// approvalRequest is a change that people review before somebody applies it.
type approvalRequest struct {
	ID           string
	Version      int
	Created      int64
	Resource     string // resource specifier
	Requestor    *token
	Description  string
	Comment      string
	Status       string // pending, scheduled, completed or failed
	Reviews      []review
	Notify       []string // member ids
	Applied      int64
	AppliedBy    *token
	Instructions []instruction
	Execution    int64  // epoch ms, 0 for as soon as it is applied
	OperatingOn  string // id of the scheduled change that the instructions are for
	Copy         *copyPost
}

type review struct {
	ID             string `json:"_id"`
	Kind           string `json:"kind"` // approve, decline or comment
	CreationDate   int64  `json:"creationDate"`
	Comment        string `json:"comment,omitempty"`
	MemberID       string `json:"memberId,omitempty"`
	ServiceTokenID string `json:"serviceTokenId,omitempty"`
}

const maxReviewers = 10

func (a *Account) approvalRoutes() {
	const generic, ofFlag = "/approval-requests", "/projects/{project}/flags/{flag}/environments/{environment}/approval-requests"
	a.route("GET "+generic, a.listRequests)
	a.route("POST "+generic, a.createRequest)
	a.route("GET "+ofFlag, a.listFlagRequests)
	a.route("POST "+ofFlag, a.createFlagRequest)
	a.route("POST "+ofFlag+"-flag-copy", a.createCopyRequest)
	for _, at := range []string{generic, ofFlag} {
		a.route("GET "+at+"/{request}", a.onRequest(func(w http.ResponseWriter, r *http.Request, q *approvalRequest) {
			send(w, http.StatusOK, a.requestRep(q))
		}))
		a.route("PATCH "+at+"/{request}", a.onRequest(a.patchRequest))
		a.route("DELETE "+at+"/{request}", a.onRequest(a.deleteRequest))
		a.route("POST "+at+"/{request}/reviews", a.onRequest(a.reviewRequest))
		a.route("POST "+at+"/{request}/apply", a.onRequest(a.applyRequest))
	}
}

// reviewable is the flag, segment or AI config that a request would change.
type reviewable struct {
	p *project
	e *environment
	f *flag
	s *segment
	c *aiConfig
}

func (t reviewable) spec() string {
	switch {
	case t.s != nil:
		return t.e.spec(t.p) + ":segment/" + t.s.Key
	case t.c != nil:
		return t.e.spec(t.p) + ":aiconfig/" + t.c.Key
	}
	return t.e.spec(t.p) + ":flag/" + t.f.Key
}

func (t reviewable) settings() approvalSettings {
	switch {
	case t.s != nil:
		return t.e.SegmentApprovals
	case t.c != nil:
		return t.e.AIConfigApprovals
	}
	return t.e.FlagApprovals
}

// reviewable finds what a resource specifier names.
func (a *Account) reviewable(spec string) (reviewable, *apiError) {
	var t reviewable
	resource, err := policy.ParseResource(spec)
	if err != nil {
		return t, invalid("invalid resourceId '%s'", spec)
	}
	kind := resource.Kind()
	if !slices.Contains([]string{"flag", "segment", "aiconfig"}, kind) || resource.Name("env") == "" {
		return t, invalid("invalid resourceId '%s': expected a flag, a segment or an AI config in an environment", spec)
	}
	if t.p = a.findProject(resource.Name("proj")); t.p == nil {
		return t, invalid("unknown project in resourceId '%s'", spec)
	}
	if t.e = t.p.env(resource.Name("env")); t.e == nil {
		return t, invalid("unknown environment in resourceId '%s'", spec)
	}
	key := resource.Name(kind)
	switch kind {
	case "flag":
		t.f = t.p.flag(key)
	case "segment":
		t.s = t.e.segment(key)
	default:
		t.c = t.p.aiConfig(key)
	}
	if t.f == nil && t.s == nil && t.c == nil {
		return t, invalid("unknown resource in resourceId '%s'", spec)
	}
	return t, nil
}

// outcome prepares what instructions would do; put makes it so.
func (a *Account) outcome(t reviewable, instructions []instruction, comment string) (put func(*http.Request), _ *apiError) {
	if t.s != nil {
		next, actions, _, err := a.applyToSegment(t.s, instructions)
		if err != nil {
			return nil, err
		}
		return func(r *http.Request) {
			if next.Version != t.s.Version {
				c := segmentChange(t.p, t.e, t.s, next, actions, comment)
				*t.s = *next
				a.record(r, c)
			}
		}, nil
	}
	if t.c != nil {
		next, changed, err := a.applyToAIConfig(t.p, t.c, t.e, instructions)
		if err != nil {
			return nil, err
		}
		return func(r *http.Request) {
			if changed {
				a.putAITargeting(r, t.p, t.c, t.e, next, comment)
			}
		}, nil
	}
	g, actions, err := a.applyToFlag(t.p, t.f, t.e.Key, instructions)
	if err != nil {
		return nil, err
	}
	return func(r *http.Request) {
		if len(actions) > 0 {
			c := a.flagChange(t.p, t.f, g, actions, comment)
			a.commitFlag(t.p, t.f, g, actions)
			a.record(r, c)
		}
	}, nil
}

// pretend runs do without its leaving a trace in the account's clock and ids.
func (a *Account) pretend(do func()) {
	ids, last := a.ids, a.last
	defer func() { a.ids, a.last = ids, last }()
	do()
}

type conflictRep struct {
	Instruction instruction `json:"instruction"`
	Reason      string      `json:"reason"`
}

// requestConflicts are the instructions of a request that no longer fit what they would change.
func (a *Account) requestConflicts(q *approvalRequest) []conflictRep {
	out := []conflictRep{}
	t, err := a.reviewable(q.Resource)
	if err != nil || q.Copy != nil || q.OperatingOn != "" || q.Status != "pending" && q.Status != "scheduled" {
		return out
	}
	a.pretend(func() {
		for i, in := range q.Instructions {
			if _, err := a.outcome(t, q.Instructions[:i+1], ""); err != nil {
				out = append(out, conflictRep{in, err.message})
				return
			}
		}
	})
	return out
}

// verdict is what the reviews come to: each reviewer's latest word counts.
func (q *approvalRequest) verdict(s approvalSettings) (status string, approvals int) {
	latest := map[string]string{}
	for _, v := range q.Reviews {
		if v.Kind != "comment" {
			latest[cmp.Or(v.MemberID, v.ServiceTokenID)] = v.Kind
		}
	}
	status = "pending"
	for _, kind := range latest {
		if kind == "approve" {
			approvals++
		}
	}
	if approvals >= s.MinNumApprovals {
		status = "approved"
	}
	for _, kind := range latest {
		if kind == "decline" {
			status = "declined"
		}
	}
	return status, approvals
}

func (a *Account) requestRep(q *approvalRequest) map[string]any {
	settings := defaultApprovals()
	if t, err := a.reviewable(q.Resource); err == nil {
		settings = t.settings()
	}
	verdict, _ := q.verdict(settings)
	rep := map[string]any{
		"_id": q.ID, "_version": q.Version, "creationDate": q.Created, "serviceKind": "launchdarkly", "description": q.Description,
		"reviewStatus": verdict, "allReviews": filled(q.Reviews), "notifyMemberIds": filled(q.Notify), "status": q.Status,
		"instructions": filled(q.Instructions), "conflicts": a.requestConflicts(q), "resourceId": q.Resource, "approvalSettings": settings,
		"_links": links{"self": linkTo("approval-requests", q.ID), "apply": linkTo("approval-requests", q.ID, "apply"), "review": linkTo("approval-requests", q.ID, "reviews")},
	}
	if q.Requestor != nil && q.Requestor.Member != nil {
		rep["requestorId"] = q.Requestor.Member.ID
	}
	if q.Execution > 0 {
		rep["executionDate"] = q.Execution
	}
	if q.OperatingOn != "" {
		rep["operatingOnId"] = q.OperatingOn
	}
	if q.Copy != nil {
		source := map[string]any{"key": q.Copy.Source.Key}
		if v := q.Copy.Source.CurrentVersion; v != nil {
			source["version"] = *v
		}
		rep["source"] = source
	}
	if q.Applied > 0 {
		rep["appliedDate"] = q.Applied
		if m := q.AppliedBy.Member; m != nil {
			rep["appliedByMemberId"] = m.ID
		} else {
			rep["appliedByServiceTokenId"] = q.AppliedBy.ID
		}
	}
	return rep
}

// flagAndEnvironment are the ones in the path; when one is missing, it answers 404 and ok is false.
func (a *Account) flagAndEnvironment(w http.ResponseWriter, r *http.Request) (t reviewable, ok bool) {
	if t.p, t.f = a.flag(w, r); t.f == nil {
		return t, false
	}
	t.e = a.environment(w, t.p, r.PathValue("environment"))
	return t, t.e != nil
}

// onRequest finds the request in the path, which must be of the flag in the path if there is one.
func (a *Account) onRequest(do func(http.ResponseWriter, *http.Request, *approvalRequest)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		spec := ""
		if r.PathValue("flag") != "" {
			t, ok := a.flagAndEnvironment(w, r)
			if !ok {
				return
			}
			spec = t.spec()
		}
		i := slices.IndexFunc(a.requests, func(q *approvalRequest) bool {
			return q.ID == r.PathValue("request") && (spec == "" || q.Resource == spec)
		})
		if i < 0 {
			fail(w, http.StatusNotFound, "not_found", "Unknown approval request")
			return
		}
		do(w, r, a.requests[i])
	}
}

func (a *Account) listFlagRequests(w http.ResponseWriter, r *http.Request) {
	t, ok := a.flagAndEnvironment(w, r)
	if !ok {
		return
	}
	items := []any{}
	for _, q := range slices.Backward(a.requests) {
		if q.Resource == t.spec() {
			items = append(items, a.requestRep(q))
		}
	}
	send(w, http.StatusOK, map[string]any{"items": items, "_links": links{"self": requestLink(r, nil)}})
}

func (a *Account) listRequests(w http.ResponseWriter, r *http.Request) {
	filter, err := parseExpression(r.URL.Query().Get("filter"))
	var found []*approvalRequest
	for _, q := range slices.Backward(a.requests) {
		ok := false
		if err == nil {
			ok, err = filter.match(func(c condition) (bool, error) { return a.requestMatches(q, c) })
		}
		if ok {
			found = append(found, q)
		}
	}
	if err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, found, 200, a.requestRep)
}

func (a *Account) requestMatches(q *approvalRequest, c condition) (bool, error) {
	parts := strings.Split(q.Resource, ":")
	switch c.field {
	case "notifyMemberIds":
		return slices.ContainsFunc(q.Notify, func(id string) bool { return slices.Contains(c.values, id) }), nil
	case "requestorId":
		return q.Requestor.Member != nil && slices.Contains(c.values, q.Requestor.Member.ID), nil
	case "resourceId":
		return c.compare(q.Resource)
	case "resourceKind":
		kind, _, _ := strings.Cut(parts[2], "/")
		return c.compare(kind)
	case "projectKey":
		return c.compare(strings.TrimPrefix(parts[0], "proj/"))
	case "status":
		return c.compare(q.Status)
	case "reviewStatus":
		status, _ := a.requestRep(q)["reviewStatus"].(string)
		return c.compare(status)
	}
	_, err := condition{field: c.field, op: "?"}.compare("")
	return false, err
}

// requestChange is the audit log's view of what happens to a request.
func (a *Account) requestChange(q *approvalRequest, action, verb, comment string) change {
	c := change{Kind: "flag", Name: q.Resource, Resource: q.Resource, Actions: []string{action}, Verb: verb, Text: q.Description, Comment: comment}
	if t, err := a.reviewable(q.Resource); err == nil {
		c.ParentName, c.Parent = t.p.Name, t.p.spec()
		switch {
		case t.s != nil:
			c.Kind, c.Name = "segment", t.s.Name
		case t.c != nil:
			c.Kind, c.Name = "aiconfig", t.c.Name
		default:
			c.Name = t.f.Name
		}
	}
	return c
}

func (a *Account) deleteRequest(w http.ResponseWriter, r *http.Request, q *approvalRequest) {
	a.requests = slices.DeleteFunc(a.requests, func(other *approvalRequest) bool { return other == q })
	a.tick()
	a.record(r, a.requestChange(q, "deleteApprovalRequest", "deleted an approval request for", ""))
	send(w, http.StatusNoContent, nil)
}

// patchRequest takes addReviewers and updateDescription.
func (a *Account) patchRequest(w http.ResponseWriter, r *http.Request, q *approvalRequest) {
	body, err := readPatch(r)
	if err == nil && !body.Semantic {
		err = invalid("an approval request takes a semantic patch")
	}
	next := *q
	for _, in := range body.Instructions {
		if err != nil {
			break
		}
		var fields struct {
			Kind            string
			Value           string
			NotifyMemberIDs []string `json:"notifyMemberIds"`
			NotifyTeamKeys  []string `json:"notifyTeamKeys"`
		}
		if e := json.Unmarshal(jsonValue(in), &fields); e != nil {
			err = invalid("invalid instruction: %v", e)
			break
		}
		switch fields.Kind {
		case "addReviewers":
			if len(fields.NotifyMemberIDs)+len(fields.NotifyTeamKeys) == 0 {
				err = invalid("addReviewers requires notifyMemberIds or notifyTeamKeys")
				break
			}
			var more []string
			if more, err = a.reviewers(fields.NotifyMemberIDs, fields.NotifyTeamKeys); err == nil {
				next.Notify = slices.Clone(next.Notify)
				for _, id := range more {
					if !slices.Contains(next.Notify, id) {
						next.Notify = append(next.Notify, id)
					}
				}
			}
		case "updateDescription":
			next.Description = fields.Value
			err = checkDescription(fields.Value)
		default:
			err = invalid("unknown instruction kind '%s'", fields.Kind)
		}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	*q = next
	q.Version++
	a.tick()
	a.record(r, a.requestChange(q, "updateApprovalRequest", "updated an approval request for", body.Comment))
	send(w, http.StatusOK, a.requestRep(q))
}
