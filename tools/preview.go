package tools

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
)

var safety = Toolset{
	Name: "safety", Doc: "See what a change would do before it is made, and take one back afterwards.",
	Default: []string{"preview-change", "undo-change"},
	Tools:   []Tool{previewChange, undoChange},
}

type previewInput struct {
	Project      string           `json:"projectKey,omitempty" alias:"project"`
	Flag         string           `json:"flagKey,omitempty" alias:"flag,featureFlagKey"`
	Segment      string           `json:"segmentKey,omitempty" alias:"segment" doc:"Instead of flagKey"`
	Environment  string           `json:"environmentKey,omitempty" alias:"env,environment" told:"true" doc:"production if not given"`
	Instructions []rawInstruction `json:"instructions,omitempty" doc:"Semantic patch, such as {\"kind\":\"turnFlagOn\"}"`
	Tool         string           `json:"tool,omitempty" alias:"toolName" doc:"Instead of instructions: tool that would make the change"`
	Arguments    object           `json:"arguments,omitempty"`
	Contexts     []object         `json:"contexts,omitempty" alias:"context" doc:"Instead of those seen lately"`
	Sample       int              `json:"sample,omitempty" jsonschema:"minimum=1,maximum=1000" default:"100" doc:"Contexts to look at, default 100"`
}

func (in previewInput) target() ldclient.Target {
	t := ldclient.Target{Project: in.Project, Environment: in.Environment, Kind: "flag", Key: in.Flag}
	switch {
	case in.Segment != "":
		t.Kind, t.Key = "segment", in.Segment
	case in.Flag == "":
		t.Kind = ""
	}
	if t.Environment == "" && t.Key != "" {
		t.Environment = "production"
	}
	return t
}

// preview is a change that was not made.
type preview struct {
	Resource string      `json:"resource"`
	Would    string      `json:"would,omitempty" doc:"what would be done"`
	Changes  []fieldDiff `json:"changes,omitempty" doc:"parts before and after, the first twenty"`
	More     int         `json:"moreChanges,omitempty"`
	Impact   *impact     `json:"impact,omitempty"`
	Notes    []string    `json:"notes,omitempty"`

	everywhere bool // it is a change of all environments
}

var previewChange = readCall(Spec{
	Name: "preview-change", Title: "Preview a change",
	Doc: "Tell what a change of a flag or segment would do, writing nothing: configuration before and after, which contexts would get another variation and why.",
}, func(ctx context.Context, c *call, in previewInput) (preview, error) {
	from, err := in.sampled()
	if err != nil {
		return preview{}, err
	}
	p, at, err := in.planned(ctx, c)
	if err != nil {
		return preview{}, err
	}
	c.target = at
	out := preview{Resource: at.String(), Would: p.Says, Notes: p.Notes}
	if p.Nothing != "" {
		out.Notes = append(out.Notes, p.Nothing+"; nothing would change")
		return out, nil
	}
	if !tryable(at, p.Instructions) {
		return preview{}, badf("this change of %s is not made by instructions on a flag or segment itself, so it cannot be previewed; call %s with dryRun true to see before and after", at, in.Tool)
	}
	out.everywhere = at.Environment == ""
	if at.Environment == "" && p.Within != "" { // of the patch, which changes more than it
		at.Environment = p.Within
		out.Notes = append(out.Notes, fmt.Sprintf("it changes what is the same in every environment too; contexts were looked at in %s", p.Within))
	}
	where := at
	if where.Environment == "" {
		where.Environment = in.Environment
		if where.Environment == "" {
			where.Environment = "production"
		}
		out.Notes = append(out.Notes, fmt.Sprintf("it concerns every environment; contexts were looked at in %s", where.Environment))
	}
	return out, out.fill(ctx, c.ld, at, where, p.Instructions, from)
})

// sampled are the contexts to look at.
func (in previewInput) sampled() (sampled, error) {
	from := sampled{seen: in.Sample}
	for n, one := range in.Contexts {
		about, err := evaluateInput{Context: one}.about()
		if err != nil {
			return from, badf("contexts[%d]: %v", n, err)
		}
		s, err := engine.Given(about)
		if err != nil {
			return from, badf("contexts[%d]: %v", n, err)
		}
		from.given = append(from.given, s)
	}
	return from, nil
}

// planned is what would be done, and to what.
func (in previewInput) planned(ctx context.Context, c *call) (intent, ldclient.Target, error) {
	switch {
	case in.Tool != "" && len(in.Instructions) > 0:
		return intent{}, c.target, badf("give instructions, or tool and arguments, not both")
	case in.Tool != "":
		return in.plannedBy(ctx, c)
	case len(in.Instructions) == 0:
		return intent{}, c.target, badf("missing instructions (or tool with arguments): what to look at")
	case in.Project == "":
		return intent{}, c.target, badf("missing projectKey")
	case (in.Flag == "") == (in.Segment == ""):
		return intent{}, c.target, badf("give flagKey or segmentKey: what the instructions are for")
	}
	at := in.target()
	on, _, err := changingAt(ctx, c.ld, at)
	if err != nil {
		return intent{}, at, err
	}
	do, says, err := on.settle(ctx, in.Instructions)
	return intent{Says: fmt.Sprintf("change %s %s in %s of project %s: %s", at.Kind, at.Key, at.Environment, at.Project, together(do, says)), Instructions: do}, at, err
}

// plannedBy lets a writing tool plan what it would do with arguments. Its target is held to the scope there.
func (in previewInput) plannedBy(ctx context.Context, c *call) (intent, ldclient.Target, error) {
	t := c.srv.find(in.Tool)
	switch {
	case t == nil:
		return intent{}, c.target, badf("there is no tool %q%s", short(in.Tool, 60), didYouMean(in.Tool, c.srv.writers()))
	case t.Effect == Read:
		return intent{}, c.target, badf("%s changes nothing, so there is nothing to preview; call it", t.Name)
	case t.hidden != "" && t.hidden != becauseReadOnly:
		return intent{}, c.target, refuse("%s is not available: %s.", t.Name, t.hidden)
	}
	if t.isHosted() {
		return intent{}, c.target, badf("nobody here knows what %s would do, which LaunchDarkly's hosted server carries out; call it with dryRun true to see what would be sent", t.Name)
	}
	if _, stands := t.code.(relay); stands {
		return intent{}, c.target, badf("give the name of the tool that is meant, and its arguments, rather than %s", t.Name)
	}
	args := maps.Clone(map[string]any(in.Arguments))
	if args == nil {
		args = map[string]any{}
	}
	if err := rename(t.fields(), args); err != nil {
		return intent{}, c.target, badf("arguments: %v", err)
	}
	for name, value := range map[string]string{"projectKey": in.Project, "environmentKey": in.Environment, "flagKey": in.Flag, "segmentKey": in.Segment} {
		said, given := args[name]
		switch {
		case value == "":
		case given && fmt.Sprint(said) != value:
			return intent{}, c.target, badf("%s differs from the one in arguments; give it once", name)
		case !given && slices.ContainsFunc(t.fields(), func(f field) bool { return f.name == name }):
			args[name] = value
		}
	}
	inner := &call{srv: c.srv, tool: t, ld: c.ld}
	inner.req.Params = mcp.CallToolParams{Name: in.Tool, Arguments: args}
	p, err := t.plan(ctx, inner)
	if inner.target.Project != "" {
		c.target = inner.target
	}
	if bad, ok := errors.AsType[badArguments](err); ok {
		err = badf("%s: %v", t.Name, bad)
	}
	return p, inner.target, err
}

// fill works out what the instructions would do to at, and to contexts where.
func (p *preview) fill(ctx context.Context, ld *ldclient.Client, at, where ldclient.Target, do []ldclient.Instruction, from sampled) error {
	err := p.fillIn(ctx, ld, at, where, do, from)
	if unknown, ok := errors.AsType[notTried](err); ok {
		p.Notes = append(p.Notes, fmt.Sprintf("what it would do to contexts is not known: %s", unknown.why))
		return nil
	}
	return err
}

func (p *preview) fillIn(ctx context.Context, ld *ldclient.Client, at, where ldclient.Target, do []ldclient.Instruction, from sampled) error {
	if at.Kind == "segment" {
		was, err := ld.Segments.Get(ctx, at.Project, at.Environment, at.Key)
		if err != nil {
			return err
		}
		is, err := trySegment(ctx, ld, at, do)
		if err != nil {
			return err
		}
		if p.Impact, err = segmentImpactOf(ctx, ld, at, was, is, from); err != nil {
			return err
		}
		p.differ(segmentInWords(was), segmentInWords(is), segmentWhole(was), segmentWhole(is))
		p.settle(digest(bareSegment(was)) == digest(bareSegment(is)), nil)
		return nil
	}
	was, _, err := flagIn(ctx, ld, where)
	if err != nil {
		return err
	}
	is, note, err := tryFlag(ctx, ld, at, was, do)
	if err != nil {
		return err
	}
	if note != "" {
		p.Notes = append(p.Notes, note)
	}
	if p.Impact, err = flagImpactOf(ctx, ld, where, was, is, from); err != nil {
		return err
	}
	p.differ(flagInWords(was, where.Environment), flagInWords(is, where.Environment), flagWhole(was, where.Environment), flagWhole(is, where.Environment))
	if p.everywhere { // so the other environments matter too
		all, err := ld.Flags.Get(ctx, at.Project, "", at.Key)
		if err != nil {
			return err
		}
		was = all
	}
	was, is = sameEnvironments(was, is)
	p.settle(otherwise(was, is, where.Environment))
	return nil
}

// find is the tool of a name, or of another one that it has; nil where there is none.
func (s *Server) find(name string) *served {
	for _, t := range s.all() {
		if t.Name == name || slices.Contains(t.Aliases, name) {
			return t
		}
	}
	return nil
}

// writers names the tools that change something.
func (s *Server) writers() []string {
	var out []string
	for _, t := range s.tools {
		if t.Effect != Read && !t.unlisted {
			out = append(out, t.Name)
		}
	}
	return out
}

// lighten leaves the examples and the parts out of a preview that is too large.
func (p preview) lighten() (any, bool) {
	if p.Impact != nil {
		i := *p.Impact
		i.Examples = nil
		p.Impact = &i
	}
	p.Changes, p.More = nil, len(p.Changes)+p.More
	p.Notes = append(slices.Clone(p.Notes), "the parts that change and the examples do not fit; look at one change at a time")
	p.Would = short(strings.TrimSpace(p.Would), 2000)
	return p, true
}
