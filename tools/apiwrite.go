package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
)

type writeInput struct {
	operationInput
	laterKnown
	because
}

// target is not known before the operation is read; the plan has it.
func (writeInput) target() ldclient.Target { return ldclient.Target{} }

// apiChange is one side of a change by an operation that no tool knows.
type apiChange struct {
	Request string         `json:"request,omitempty"`
	Body    any            `json:"body,omitempty" doc:"as it is sent, secrets masked"`
	Data    any            `json:"data,omitempty"`
	Cut     map[string]int `json:"cut,omitempty" doc:"by JSON Pointer: how many there are where fewer are shown"`
}

// anyAction is LaunchDarkly's wildcard: what an operation needs is not known here.
const anyAction = "*"

var writeAPI = updateCall(Spec{
	Name: "write-api", Title: "Call a changing operation", Action: anyAction, Additive: true,
	Doc: "Call an operation that search-api found and that changes something. Prefer another tool where there is one.",
}, planWrite)

func planWrite(ctx context.Context, c *call, in writeInput) (*plan[apiChange], error) {
	doc, k, err := in.prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	if !c.ld.API.Writes(k.Op) {
		return nil, cannot("%s changes nothing; call it with read-api", k.Op)
	}
	if r := c.srv.refuses(doc, k.Op, c.srv.opts.AllowOperations); r.why != "" {
		return nil, r.says(k.Op)
	}
	if _, given := in.Query["dryRun"]; given {
		return nil, badf("query: give dryRun beside operation")
	}
	if k.Op.Body != nil && k.Op.Body.Required && len(k.Op.Body.Types) > 0 && !strings.Contains(strings.Join(k.Op.Body.Types, " "), "json") {
		return nil, cannot("%s takes a file, which is not sent from here; use LaunchDarkly's own page", k.Op)
	}
	if err := in.check(c, doc, &k); err != nil {
		return nil, err
	}
	if r := c.srv.refusesCall(doc, k, c.srv.opts.AllowOperations); r.why != "" {
		return nil, r.says(k.Op)
	}
	at, _, err := c.ld.API.Targets(k)
	if err != nil {
		return nil, err
	}
	before, err := stateBefore(ctx, c, doc, k)
	if err != nil {
		return nil, err
	}
	reviewed := reachesContexts(k.Op, at)
	var tags []string
	if reviewed {
		if tags, err = tagsAt(ctx, c.ld, at); err != nil {
			return nil, err
		}
	}
	limit := c.srv.opts.MaxReplyBytes
	return &plan[apiChange]{
		intent: intent{
			Says: saysOf(k), Version: "operation " + digest([]any{k.Op.String(), before}), Target: at, Wide: at.Project == "",
			Always: c.srv.onlyListed(doc, k), Reviewed: reviewed, Tags: tags, About: commentIn(k.Body), Notes: uncommentedCall(doc, k, in.because),
			Unasked: "raw operations are not put into approval requests",
		},
		Before: sideOf(before, limit),
		Differ: onlyDifferent,
		Apply: func(ctx context.Context, how manner) (*apiChange, error) {
			send := k
			send.Body = withComment(doc, k, how.Comment)
			out := &apiChange{Request: requestText(send)}
			if send.Body != nil {
				out.Body, _ = ldclient.MaskSecrets(anew(send.Body), ldclient.HoldsThirdParty(k.Op))
			}
			if how.DryRun {
				if !c.ld.API.CanDryRun(k.Op) {
					return out, nil
				}
				send.DryRun = true
			}
			got, err := c.ld.API.Call(ctx, send)
			if err != nil {
				return nil, err
			}
			side := sideOf(got.Value, limit)
			if side == nil {
				side = &apiChange{}
			}
			side.Request, side.Body = out.Request, out.Body
			return side, nil
		},
	}, nil
}

// reachesContexts reports whether an operation may change what contexts get, which is what approvals are for.
func reachesContexts(op *openapi.Operation, at ldclient.Target) bool {
	if at.Kind == ldclient.AIConfigKind {
		return lastLiteral(op) == "targeting"
	}
	return (at.Kind == "flag" || at.Kind == "segment") && !slices.ContainsFunc(op.Segments(), func(seg string) bool {
		return slices.Contains([]string{"followers", "flag-links", "approval-requests", "exports"}, seg)
	})
}

// tagsAt are the tags by which environments ask for approvals, none for what is not there.
func tagsAt(ctx context.Context, ld *ldclient.Client, at ldclient.Target) ([]string, error) {
	switch {
	case at.Kind == "flag":
		f, err := ld.Flags.Get(ctx, at.Project, "", at.Key)
		if err == nil {
			return f.Tags, nil
		}
		return nil, unlessGone(err)
	case at.Kind == "segment" && at.Environment != "":
		s, err := ld.Segments.Get(ctx, at.Project, at.Environment, at.Key)
		if err == nil {
			return s.Tags, nil
		}
		return nil, unlessGone(err)
	}
	return nil, nil
}

// unlessGone is an error unless it tells that something is not there, which LaunchDarkly says of the change too.
func unlessGone(err error) error {
	if ldclient.Status(err) == 404 {
		return nil
	}
	return err
}

// stateBefore is what the operation's path shows before a change, nil where it shows nothing.
func stateBefore(ctx context.Context, c *call, doc *openapi.Document, k ldclient.APICall) (any, error) {
	if k.Op.Is("POST") { // what is there is a list, or nothing
		return nil, nil
	}
	op, err := doc.Find("GET " + k.Op.Path)
	if err != nil {
		return nil, nil //nolint:nilerr // many have none
	}
	read := ldclient.APICall{Op: op, Path: map[string]string{}, Query: url.Values{}}
	names := map[string]any{}
	for i, seg := range op.Segments() { // of which parameters may have other names
		theirs, _ := op.Parameter(seg)
		ours, isName := k.Op.Parameter(k.Op.Segments()[i])
		if isName {
			read.Path[theirs], names[theirs] = k.Path[ours], k.Path[ours]
		}
	}
	if _, err := doc.CheckQuery(op, nil); err != nil || doc.CheckPath(op, names) != nil {
		return nil, nil //nolint:nilerr // it wants to be told more
	}
	got, err := c.ld.API.Call(ctx, read)
	switch status := ldclient.Status(err); {
	case err == nil:
		return got.Value, nil
	case status == 400 || status == 403 || status == 404 || status == 405:
		return nil, nil // LaunchDarkly says of the change itself what stands in its way
	}
	return nil, err
}

func sideOf(v any, limit int) *apiChange {
	if v == nil {
		return nil
	}
	for _, m := range measures {
		p := prune(v, "", m)
		if text, err := marshal(p.data); err != nil || len(text) <= limit*2/5 {
			return &apiChange{Data: p.data, Cut: p.cut}
		}
	}
	return &apiChange{Data: "more than fits; read it with read-api"}
}

// onlyDifferent leaves of two objects what differs.
func onlyDifferent(before, after *apiChange) {
	if before == nil || after == nil {
		return
	}
	was, ok := before.Data.(map[string]any)
	is, also := after.Data.(map[string]any)
	if !ok || !also {
		return
	}
	for name := range maps.Clone(was) {
		if v, have := is[name]; have && reflect.DeepEqual(v, was[name]) {
			delete(was, name)
			if !slices.Contains([]string{"_id", "key"}, name) {
				delete(is, name)
			}
		}
	}
	before.Cut, after.Cut = nil, nil
}

// saysOf is a change in words for the person who confirms: all of the request, so that nothing is hidden from them.
func saysOf(k ldclient.APICall) string {
	says := fmt.Sprintf("call %s (%s)", requestText(k), clean(k.Op.ID))
	if k.Body == nil {
		return says
	}
	body, masked := ldclient.MaskSecrets(anew(k.Body), ldclient.HoldsThirdParty(k.Op))
	says += " with " + string(mustJSON(body))
	if masked {
		says += ", in which secrets are not shown"
	}
	return says
}

// requestText is the request line as it would be sent.
func requestText(k ldclient.APICall) string {
	var b strings.Builder
	for _, seg := range k.Op.Segments() {
		if name, isName := k.Op.Parameter(seg); isName {
			seg = url.PathEscape(k.Path[name])
		}
		b.WriteString("/" + seg)
	}
	text := k.Op.Method + " " + b.String()
	if len(k.Query) > 0 {
		text += "?" + k.Query.Encode()
	}
	return text
}

func anew(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&out) != nil {
		return nil
	}
	return out
}

// commentIn is the comment that a body brings along.
func commentIn(body any) string {
	fields, _ := body.(map[string]any)
	text, _ := fields["comment"].(string)
	if text = strings.TrimSpace(text); text != "" {
		text += " "
	}
	return text
}

// withComment is a body with the comment for LaunchDarkly's audit log, where there is a place for it.
func withComment(doc *openapi.Document, k ldclient.APICall, comment string) any {
	fields, ok := k.Body.(map[string]any)
	if !ok || !doc.SendsComment(k.Op, k.Body) {
		return k.Body
	}
	out := maps.Clone(fields)
	out["comment"] = comment
	return out
}

func uncommentedCall(doc *openapi.Document, k ldclient.APICall, why because) []string {
	if doc.SendsComment(k.Op, k.Body) {
		return nil
	}
	return uncommented(why)
}
