package ldclient

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// ApprovalsService reads, makes and applies approval requests.
type ApprovalsService service

// ApprovalRequest is a change that people review before it is applied.
type ApprovalRequest struct {
	ID            string           `json:"_id"`
	Version       int              `json:"_version"`
	Created       Millis           `json:"creationDate"`
	ServiceKind   string           `json:"serviceKind"` // launchdarkly, or the service where it is reviewed
	ResourceID    string           `json:"resourceId"`  // resource specifier; "" in a flag's own list
	RequestorID   string           `json:"requestorId"` // member, "" for a service token
	Description   string           `json:"description"`
	Status        string           `json:"status"`       // pending, scheduled, completed or failed
	ReviewStatus  string           `json:"reviewStatus"` // pending, approved or declined
	Reviews       []ApprovalReview `json:"allReviews"`
	Notify        []string         `json:"notifyMemberIds"`
	AppliedDate   Millis           `json:"appliedDate"`
	Instructions  []Instruction    `json:"instructions"`
	Conflicts     []Conflict       `json:"conflicts"`
	ExecutionDate Millis           `json:"executionDate"`
	OperatingOnID string           `json:"operatingOnId"` // scheduled change that the instructions are for
	Settings      Approval         `json:"approvalSettings"`
	Integration   *struct {
		URL string `json:"externalUrl"`
	} `json:"integrationMetadata"`
	Source *struct {
		Key string `json:"key"` // environment that is to be copied
	} `json:"source"`
}

func (r *ApprovalRequest) missing() string {
	if r.ID == "" {
		return "approval request"
	}
	return ""
}

// At returns what the request would change, the zero Target where that cannot be told.
func (r *ApprovalRequest) At() Target {
	var t Target
	for part := range strings.SplitSeq(r.ResourceID, ":") {
		kind, name, _ := strings.Cut(part, "/")
		name, _, _ = strings.Cut(name, ";")
		switch {
		case kind == "proj":
			t.Project = name
		case kind == "env" && name != "*":
			t.Environment = name
		case kind != "env":
			t.Kind, t.Key = kind, name
		}
	}
	if t.Project == "" || t.Key == "" {
		return Target{}
	}
	return t
}

// ApprovalReview is what one person said to an approval request.
type ApprovalReview struct {
	Kind     string `json:"kind"` // approve, decline or comment
	Date     Millis `json:"creationDate"`
	Comment  string `json:"comment"`
	MemberID string `json:"memberId"` // "" for a service token
}

// Conflict is an instruction that no longer fits what it would change.
type Conflict struct {
	Instruction Instruction `json:"instruction"`
	Reason      string      `json:"reason"`
}

// ListApprovals are the filters of a list of approval requests.
type ListApprovals struct {
	Paging
	Project      string
	Resource     Target // one flag, segment or AI config in one environment
	Status       string
	ReviewStatus string
}

// List returns one page of the account's approval requests.
func (s *ApprovalsService) List(ctx context.Context, o ListApprovals) (*Page[ApprovalRequest], error) {
	q := o.Paging.query()
	var filter []string
	add := func(text, value string) {
		if value != "" {
			filter = append(filter, fmt.Sprintf(text, value))
		}
	}
	add("projectKey equals %s", o.Project)
	add("status anyOf [%q]", o.Status)
	add("reviewStatus anyOf [%q]", o.ReviewStatus)
	at := Target{Project: o.Project}
	if o.Resource.Key != "" {
		at = o.Resource
		add("resourceId equals %s", at.String())
	}
	q.Set("filter", strings.Join(filter, ","))
	return get[Page[ApprovalRequest]](ctx, s.c, at, path("approval-requests"), q)
}

// ListForFlag returns all approval requests of one flag in one environment.
func (s *ApprovalsService) ListForFlag(ctx context.Context, project, environment, flag string) ([]ApprovalRequest, error) {
	at := flagAt(project, environment, flag)
	got, err := get[Page[ApprovalRequest]](ctx, s.c, at, flagIn(at, "approval-requests"), nil)
	if err != nil {
		return nil, err
	}
	for i := range got.Items { // the list is of one resource and does not name it
		got.Items[i].ResourceID = at.String()
	}
	return got.Items, nil
}

// Get returns one approval request.
func (s *ApprovalsService) Get(ctx context.Context, project, id string) (*ApprovalRequest, error) {
	return get[ApprovalRequest](ctx, s.c, Target{Project: project}, path("approval-requests", id), nil)
}

// NewApproval is an approval request that is yet to be made.
type NewApproval struct {
	Description   string        `json:"description"`
	Comment       string        `json:"comment,omitempty"`
	Instructions  []Instruction `json:"instructions,omitempty"`
	NotifyMembers []string      `json:"notifyMemberIds,omitempty"`
	NotifyTeams   []string      `json:"notifyTeamKeys,omitempty"`
	ExecutionDate Millis        `json:"executionDate,omitempty"`
	CopyFrom      *CopySource   `json:"source,omitempty"`     // instead of instructions
	ResourceID    string        `json:"resourceId,omitempty"` // set by Create where the route needs it
}

// CopySource is where a flag's settings are to be copied from.
type CopySource struct {
	Key string `json:"key"` // environment
}

// variationKinds are the instructions on a flag that take the general route.
var variationKinds = []string{"addVariation", "removeVariation", "updateVariation", "updateDefaultVariation"}

// Create makes an approval request for a change to a flag, segment or AI config in an environment.
func (s *ApprovalsService) Create(ctx context.Context, at Target, n NewApproval) (*ApprovalRequest, error) {
	p := flagIn(at, "approval-requests")
	switch {
	case at.Kind != "flag" || slices.ContainsFunc(n.Instructions, func(i Instruction) bool { return slices.Contains(variationKinds, i.Kind()) }):
		p, n.ResourceID = path("approval-requests"), at.String()
	case n.CopyFrom != nil:
		if err := s.c.cfg.Scope.Check(flagAt(at.Project, n.CopyFrom.Key, at.Key), false); err != nil {
			return nil, err
		}
		p = flagIn(at, "approval-requests-flag-copy")
	}
	return s.post(ctx, at, p, n)
}

// Apply makes the change of a request that was approved.
func (s *ApprovalsService) Apply(ctx context.Context, at Target, id, comment string) (*ApprovalRequest, error) {
	return s.post(ctx, at, path("approval-requests", id, "apply"), struct {
		Comment string `json:"comment,omitempty"`
	}{comment})
}

// Review approves or declines a request, or comments on it.
func (s *ApprovalsService) Review(ctx context.Context, at Target, id, kind, comment string) (*ApprovalRequest, error) {
	return s.post(ctx, at, path("approval-requests", id, "reviews"), struct {
		Kind    string `json:"kind"`
		Comment string `json:"comment,omitempty"`
	}{kind, comment})
}

func (s *ApprovalsService) post(ctx context.Context, at Target, p apiPath, body any) (*ApprovalRequest, error) {
	got, err := do[ApprovalRequest](ctx, s.c, call{method: http.MethodPost, at: at, path: p, body: body, contentType: jsonType, writes: true})
	if err == nil && got.ResourceID == "" {
		got.ResourceID = at.String()
	}
	return got, err
}

// flagIn is the path of something that belongs to a flag in one environment.
func flagIn(at Target, rest ...any) apiPath {
	return path(append([]any{"projects", at.Project, "flags", at.Key, "environments", at.Environment}, rest...)...)
}
