package tools

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// review is the approval that an environment asks for before a change.
type review struct {
	environment string
	kind        string // flag or segment
	settings    ldclient.Approval
	bypass      policy.Verdict // whether the token may do without
}

func (r *review) Error() string { return r.says() }

func (r *review) says() string {
	return fmt.Sprintf("environment %s asks for an approval of %s changes", r.environment, r.kind)
}

// elsewhere names the service in which requests are reviewed, "" for LaunchDarkly itself.
func (r *review) elsewhere() string {
	switch kind := strings.ToLower(r.settings.ServiceKind); {
	case kind == "" || kind == "launchdarkly":
		return ""
	case strings.HasPrefix(kind, "servicenow"):
		return "ServiceNow"
	case kind == "jira":
		return "Jira"
	}
	return short(clean(r.settings.ServiceKind), 60)
}

// warning tells the person who confirms what the approval settings mean for the change.
func (r *review) warning() string {
	s := upper(r.says())
	if to := r.elsewhere(); to != "" {
		s += ", which is given in " + to
	}
	if r.bypass == policy.Yes {
		return s + "; this token may make them without, so nobody else would look at this one."
	}
	return s + "; this one goes through at once only if the token may do without."
}

// reviewed are the kinds of instructions that approvals are for. What a flag or
// segment is called and for whom it is kept needs none, and neither does archiving.
var reviewed = map[string][]string{
	"flag":    slices.Concat(targetingKinds, releaseKinds),
	"segment": append(slices.Clone(segmentKinds), "processBigSegmentImport"),
}

// reviewFor is the approval that an environment asks for before a planned change, nil where it asks for none.
func (g *guard) reviewFor(ctx context.Context, at ldclient.Target, e ldclient.Environment, p intent) *review {
	r := &review{environment: e.Key, kind: at.Kind}
	switch at.Kind {
	case "flag":
		r.settings = e.ApprovalSettings
	case "segment":
		r.settings = e.ResourceApprovals.Segment
	}
	tagged := func(tag string) bool { return slices.Contains(p.Tags, tag) }
	covered := func(i ldclient.Instruction) bool { return slices.Contains(reviewed[at.Kind], i.Kind()) }
	if at.Environment == "" || !r.settings.Required && !slices.ContainsFunc(r.settings.RequiredApprovalTags, tagged) ||
		!slices.ContainsFunc(p.Instructions, covered) {
		return nil
	}
	r.bypass = g.bypass(ctx, at)
	return r
}

// readyRequest is a call that has a blocked change reviewed.
type readyRequest struct {
	Tool      string         `json:"tool"`
	Arguments map[string]any `json:"arguments"`
}

// requestFor prepares the approval request of a planned change, nil where no tool that is served makes one.
func (c *call) requestFor(p intent) *readyRequest {
	const tool = "create-approval-request"
	takes := reviewed[c.target.Kind]
	if c.target.Kind == "segment" {
		takes = segmentKinds
	}
	if !c.srv.serves(tool) || c.target.Environment == "" || len(takes) == 0 || len(p.Instructions) == 0 && p.CopyFrom == "" ||
		slices.ContainsFunc(p.Instructions, func(i ldclient.Instruction) bool { return !slices.Contains(takes, i.Kind()) }) {
		return nil
	}
	why := clean(c.given.Comment)
	if why == "" {
		why = upper(clean(p.Says))
	}
	args := map[string]any{
		"projectKey": c.target.Project, "environmentKey": c.target.Environment, c.target.Kind + "Key": c.target.Key,
		"description": short(why, 1000),
	}
	if p.CopyFrom != "" {
		args["sourceEnvironmentKey"] = p.CopyFrom
	} else {
		args["instructions"] = p.Instructions
	}
	maps.Copy(args, p.AskWith)
	return &readyRequest{tool, args}
}

// approvalReply tells a change that the environment wants approved: it is no failure, but nothing was written.
func approvalReply[View any](c *call, reply change[View], p *plan[View], refused error) change[View] {
	says := refused.Error()
	if e, ok := errors.AsType[*ldclient.Error](refused); ok {
		says = e.Message
	}
	reply.RequiresApproval, reply.URL = true, pageURL(c.ld, c.target)
	file := "a person can request it on the page at url"
	if reply.Request = c.requestFor(p.intent); reply.Request != nil {
		file = "call create-approval-request with the arguments of request once the user agrees"
	} else {
		reply.Instructions = p.Instructions
	}
	if c.review != nil {
		if n := c.review.settings.MinNumApprovals; n > 1 {
			file += fmt.Sprintf("; it needs %d approvals", n)
		}
		if to := c.review.elsewhere(); to != "" {
			file += "; the request is reviewed in " + to
		}
	}
	reply.Message = fmt.Sprintf("%s. Nothing was changed. To have it reviewed, %s.", strings.TrimSuffix(upper(clean(says)), "."), file)
	return reply
}
