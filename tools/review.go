package tools

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
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
	kind        string // flag, segment or aiconfig
	settings    ldclient.Approval
	bypass      policy.Verdict // whether the token may do without
}

func (r *review) Error() string { return r.says() }

func (r *review) says() string {
	return fmt.Sprintf("environment %s asks for an approval of %s changes", r.environment, kindName(r.kind))
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

// passing tells the person who confirms that a change leads past approvals.
func (r *review) passing() string {
	return upper(r.says()) + ", which what this makes would not need."
}

// reviewed are the kinds of instructions that approvals are for. What a flag or
// segment is called and for whom it is kept needs none, and neither does archiving.
var reviewed = map[string][]string{
	"flag":    slices.Concat(targetingKinds, releaseKinds),
	"segment": append(slices.Clone(segmentKinds), "processBigSegmentImport"),

	ldclient.AIConfigKind: aiTargetingKinds,
}

// kindName is what people call a kind of resource.
func kindName(kind string) string {
	if kind == ldclient.AIConfigKind {
		return "AI config"
	}
	return kind
}

// reviewFor is the approval that an environment asks for before a planned change, nil where it asks for none.
func (g *guard) reviewFor(ctx context.Context, at ldclient.Target, e ldclient.Environment, p intent) *review {
	r := &review{environment: e.Key, kind: at.Kind}
	switch at.Kind {
	case "flag":
		r.settings = e.ApprovalSettings
	case "experiment": // it changes what flags serve
		r.settings, r.kind = e.ApprovalSettings, "flag"
	case "segment":
		r.settings = e.ResourceApprovals.Segment
	case ldclient.AIConfigKind:
		r.settings = e.ResourceApprovals.AIConfig
	}
	tagged := func(tag string) bool { return slices.Contains(p.Tags, tag) }
	covered := func(i ldclient.Instruction) bool { return slices.Contains(reviewed[at.Kind], i.Kind()) }
	at.Environment = cmp.Or(at.Environment, p.Within)
	if at.Environment == "" && p.Reviewed { // it reaches contexts in all of them
		at.Environment = e.Key
	}
	if at.Environment != e.Key || !r.settings.Required && !slices.ContainsFunc(r.settings.RequiredApprovalTags, tagged) ||
		!p.Reviewed && !p.PastReview && !slices.ContainsFunc(p.Instructions, covered) {
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

// requestFor prepares the approval request of a planned change, nil where no tool that is served makes one;
// why says so where the reason is the change.
func (c *call) requestFor(p intent) (request *readyRequest, why string) {
	const tool = "create-approval-request"
	takes := reviewed[c.target.Kind]
	if c.target.Kind == "segment" {
		takes = segmentKinds
	}
	if p.Unasked != "" {
		return nil, p.Unasked
	}
	if !c.srv.serves(tool) || c.target.Environment == "" || len(takes) == 0 || len(p.Instructions) == 0 && p.CopyFrom == "" ||
		slices.ContainsFunc(p.Instructions, func(i ldclient.Instruction) bool { return !slices.Contains(takes, i.Kind()) }) {
		return nil, ""
	}
	description := clean(c.given.Comment)
	if description == "" {
		description = upper(clean(p.Says))
	}
	named := c.target.Kind + "Key"
	if c.target.Kind == ldclient.AIConfigKind {
		named = "configKey"
	}
	args := map[string]any{
		"projectKey": c.target.Project, "environmentKey": c.target.Environment, named: c.target.Key,
		"description": short(description, 1000),
	}
	if p.CopyFrom != "" {
		args["sourceEnvironmentKey"] = p.CopyFrom
	} else {
		args["instructions"] = p.Instructions
	}
	maps.Copy(args, p.AskWith)
	if !shownWhole(args) {
		return nil, notWhole
	}
	return &readyRequest{tool, args}, ""
}

const notWhole = "it holds characters or secrets that are not shown here"

// shownWhole tells whether a reply that holds v shows all of it, so that what is read from the reply is what was meant.
func shownWhole(v any) bool {
	shown, err := marshal(v)
	var whole bytes.Buffer
	e := json.NewEncoder(&whole)
	e.SetEscapeHTML(false)
	return err == nil && e.Encode(v) == nil && shown == strings.TrimSuffix(whole.String(), "\n")
}

// approvalReply tells a change that the environment wants approved: it is no failure, but nothing was written.
func approvalReply(c *call, reply change[any], p *plan[any], refused error) change[any] {
	says := refused.Error()
	if e, ok := errors.AsType[*ldclient.Error](refused); ok {
		says = e.Message
	}
	reply.RequiresApproval, reply.URL = true, pageURL(c.ld, c.target)
	file := "a person can request it on the page at url"
	request, why := c.requestFor(p.intent)
	switch reply.Request = request; {
	case request != nil:
		file = "call create-approval-request with the arguments of request once the user agrees"
	case why == "" && !shownWhole(p.Instructions):
		why = notWhole
	case why == "":
		reply.Instructions = p.Instructions
	}
	if why != "" {
		file += ", because " + why
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
