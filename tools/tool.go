// Package tools turns LaunchDarkly resources into MCP tools. Each tool is one
// declaration in the file of its noun; the rest of the package is the frame
// that they stand on: what must hold for all of them is written there once.
package tools

import (
	"context"
	"reflect"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// Effect says what a tool does to the account. The MCP hints, the read-only
// filter and the guard all follow from it.
type Effect string

// The four effects.
const (
	Read   Effect = "read"   // changes nothing
	Create Effect = "create" // adds something new
	Update Effect = "update" // changes something that exists
	Delete Effect = "delete" // removes something for good
)

// Spec is everything about a tool but its arguments and its code.
type Spec struct {
	Name   string // LaunchDarkly's own name for it, in kebab-case
	Title  string // shown to people
	Doc    string // shown to models
	Action string // LaunchDarkly role action that it needs, one of several at least; "" when any reader may use it
	// Or names more actions, each of which is enough for part of what it does.
	Or string
	// On names the kinds of resources that its actions are on, where its arguments do not tell.
	On string
	// Aliases are names that older servers gave this tool. They can be called but are not listed.
	Aliases []string
	// StandsFor names the tools that do what this one does. It is not listed and
	// serves prompts written for older servers, as long as none of them is left out.
	StandsFor []string
	// ForPeople tools do what is people's to decide: they are served only with Options.AllowReview.
	ForPeople bool
	// Unconfirmed says why a change by this tool is not put to a person first, "" where it is.
	Unconfirmed string
	// Additive tools do more when they are called twice, although they change what exists.
	Additive bool
}

// Tool is a Spec bound to typed code.
type Tool struct {
	Spec
	Effect  Effect
	in, out reflect.Type
	run     func(context.Context, *call) (any, error)
	plan    func(context.Context, *call) (intent, error) // what run would do, nothing of it done; nil for a reader
}

// A reader is the code of a tool that changes nothing. It sees typed arguments and returns a typed reply.
type reader[In, Out any] func(context.Context, *ldclient.Client, In) (Out, error)

// A writer is the code of a tool that changes something. It reads what it needs
// and returns a plan; the frame shows it, has it confirmed and carries it out.
type writer[In, View any] func(context.Context, *ldclient.Client, In) (*plan[View], error)

// targeted is what the arguments of every writer must be, so that the guard
// knows what a call would touch and why. The at groups and because provide it.
type targeted interface {
	target() ldclient.Target
	given() because
}

// The four ways to make a tool. The word chosen is the tool's Effect.

func read[In, Out any](s Spec, h reader[In, Out]) Tool {
	return readCall(s, func(ctx context.Context, c *call, in In) (Out, error) { return h(ctx, c.ld, in) })
}

// readCall is read for a tool that works with other tools of its server.
func readCall[In, Out any](s Spec, h func(context.Context, *call, In) (Out, error)) Tool {
	return Tool{Spec: s, Effect: Read, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		run: func(ctx context.Context, c *call) (any, error) {
			var in In
			if err := c.bind(&in); err != nil {
				return nil, err
			}
			if t, ok := any(in).(interface{ target() ldclient.Target }); ok {
				c.target = t.target()
			}
			return h(ldclient.WithoutWrites(ctx), c, in)
		}}
}

func create[In targeted, View any](s Spec, h writer[In, View]) Tool { return write(Create, s, h) }
func update[In targeted, View any](s Spec, h writer[In, View]) Tool { return write(Update, s, h) }
func remove[In targeted, View any](s Spec, h writer[In, View]) Tool { return write(Delete, s, h) }

func write[In targeted, View any](e Effect, s Spec, h writer[In, View]) Tool {
	// begin reads the arguments and returns what makes the plan.
	begin := func(ctx context.Context, c *call) (func() (*plan[View], error), error) {
		var in In
		if err := c.bind(&in); err != nil {
			return nil, err
		}
		c.target, c.given = in.target(), in.given()
		c.as = c.srv.guard.askedAt(c)
		ctx = context.WithValue(ctx, askedKey{}, c.as)
		_, later := any(in).(interface{ knownLater() })
		if err := c.ld.Scope().Check(c.target, !later); err != nil {
			return nil, err
		}
		return func() (*plan[View], error) {
			p, err := h(ldclient.WithoutWrites(ctx), c.ld, in)
			if err == nil {
				c.does, c.needs = p.Instructions, p.Needs
			}
			if err == nil && later {
				err = c.aimed(p.intent)
			}
			return p, err
		}, nil
	}
	return Tool{Spec: s, Effect: e, in: reflect.TypeFor[In](), out: reflect.TypeFor[change[View]](),
		run: func(ctx context.Context, c *call) (any, error) {
			if err := c.srv.guard.mayWrite(c); err != nil {
				return nil, err
			}
			ctx = ldclient.Fresh(ctx) // nothing that decides about a write is read from what others read
			makePlan, err := begin(ctx, c)
			if err != nil {
				return nil, err
			}
			return carryOut(ctx, c, makePlan)
		},
		plan: func(ctx context.Context, c *call) (intent, error) {
			makePlan, err := begin(ctx, c)
			if err != nil {
				return intent{}, err
			}
			p, err := makePlan()
			if err != nil {
				return intent{}, err
			}
			return p.intent, nil
		}}
}

// call is one call of a tool on its way through the frame.
type call struct {
	srv    *Server
	tool   *served
	ld     *ldclient.Client
	req    mcp.CallToolRequest
	args   map[string]any // as validated
	target ldclient.Target
	given  because
	does   []ldclient.Instruction // as planned
	needs  []need                 // as planned
	as     time.Time              // what times in the arguments are counted from

	confirmed bool // the change had to be confirmed, and was
	wrote     bool // the request that changes something was sent

	id     string    // of its lines in the audit file, where it has two
	sentAt time.Time // when the request that changes something was about to be sent
	sentAs string    // its comment for LaunchDarkly's audit log
	sentBy string    // fingerprint of the token then
	review *review   // the approval that the change needs, nil where none is known of
}

// hints are the four MCP annotations, each always set: assistants that run
// unattended judge by them.
func (t Tool) hints() mcp.ToolAnnotation {
	return mcp.ToolAnnotation{
		ReadOnlyHint:    mcp.ToBoolPtr(t.Effect == Read),
		DestructiveHint: mcp.ToBoolPtr(t.Effect == Update || t.Effect == Delete),
		IdempotentHint:  mcp.ToBoolPtr(t.Effect != Create && !t.Additive),
		OpenWorldHint:   mcp.ToBoolPtr(false),
	}
}
