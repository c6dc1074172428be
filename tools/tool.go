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
	Effect Effect
	code   code
}

// code is what a tool does, whatever its types.
type code interface {
	in() any           // a pointer to arguments, to be filled in
	out() reflect.Type // of the reply
}

type readerCode interface {
	code
	read(ctx context.Context, c *call, in any) (any, error)
}

type writerCode interface {
	code
	makePlan(ctx context.Context, c *call, in any) (*plan[any], error)
}

// A reader is the code of a tool that changes nothing. It sees typed arguments and returns a typed reply.
type reader[In, Out any] func(context.Context, *ldclient.Client, In) (Out, error)

func (h reader[In, Out]) in() any           { return new(In) }
func (h reader[In, Out]) out() reflect.Type { return reflect.TypeFor[Out]() }
func (h reader[In, Out]) read(ctx context.Context, c *call, in any) (any, error) {
	return h(ctx, c.ld, *in.(*In))
}

// A callReader is a reader that works with other tools of its server.
type callReader[In, Out any] func(context.Context, *call, In) (Out, error)

func (h callReader[In, Out]) in() any           { return new(In) }
func (h callReader[In, Out]) out() reflect.Type { return reflect.TypeFor[Out]() }
func (h callReader[In, Out]) read(ctx context.Context, c *call, in any) (any, error) {
	return h(ctx, c, *in.(*In))
}

// A writer is the code of a tool that changes something. It reads what it needs
// and returns a plan; the frame shows it, has it confirmed and carries it out.
type writer[In targeted, View any] func(context.Context, *ldclient.Client, In) (*plan[View], error)

func (h writer[In, View]) in() any           { return new(In) }
func (h writer[In, View]) out() reflect.Type { return reflect.TypeFor[change[View]]() }
func (h writer[In, View]) makePlan(ctx context.Context, c *call, in any) (*plan[any], error) {
	p, err := h(ctx, c.ld, *in.(*In))
	if err != nil {
		return nil, err
	}
	return p.untyped(), nil
}

// A callWriter is a writer that works with other tools of its server.
type callWriter[In targeted, View any] func(context.Context, *call, In) (*plan[View], error)

func (h callWriter[In, View]) in() any           { return new(In) }
func (h callWriter[In, View]) out() reflect.Type { return reflect.TypeFor[change[View]]() }
func (h callWriter[In, View]) makePlan(ctx context.Context, c *call, in any) (*plan[any], error) {
	p, err := h(ctx, c, *in.(*In))
	if err != nil {
		return nil, err
	}
	return p.untyped(), nil
}

// targeted is what the arguments of every writer must be, so that the guard
// knows what a call would touch and why. The at groups and because provide it.
type targeted interface {
	target() ldclient.Target
	given() because
}

// The four ways to make a tool. The word chosen is the tool's Effect.

func read[In, Out any](s Spec, h reader[In, Out]) Tool         { return Tool{s, Read, h} }
func readCall[In, Out any](s Spec, h callReader[In, Out]) Tool { return Tool{s, Read, h} }

func create[In targeted, View any](s Spec, h writer[In, View]) Tool { return Tool{s, Create, h} }
func update[In targeted, View any](s Spec, h writer[In, View]) Tool { return Tool{s, Update, h} }
func updateCall[In targeted, View any](s Spec, h callWriter[In, View]) Tool {
	return Tool{s, Update, h}
}
func remove[In targeted, View any](s Spec, h writer[In, View]) Tool { return Tool{s, Delete, h} }

func (t Tool) in() reflect.Type { return reflect.TypeOf(t.code.in()).Elem() }

// run answers a call.
func (t Tool) run(ctx context.Context, c *call) (any, error) {
	if k, ok := t.code.(*hostedCode); ok {
		return k.run(ctx, c)
	}
	if r, ok := t.code.(readerCode); ok {
		in := r.in()
		if err := c.bind(in); err != nil {
			return nil, err
		}
		if at, ok := in.(interface{ target() ldclient.Target }); ok {
			c.target = at.target()
		}
		return r.read(ldclient.WithoutWrites(ctx), c, in)
	}
	if err := c.srv.guard.mayWrite(c); err != nil {
		return nil, err
	}
	ctx = ldclient.Fresh(ctx) // nothing that decides about a write is read from what others read
	makePlan, err := t.begin(ctx, c)
	if err != nil {
		return nil, err
	}
	return carryOut(ctx, c, makePlan)
}

// begin reads a writer's arguments and returns what makes the plan.
func (t Tool) begin(ctx context.Context, c *call) (func() (*plan[any], error), error) {
	w, _ := t.code.(writerCode)
	in := w.in()
	if err := c.bind(in); err != nil {
		return nil, err
	}
	about, _ := in.(targeted)
	c.target, c.given = about.target(), about.given()
	c.as = c.srv.guard.askedAt(c)
	ctx = context.WithValue(ctx, askedKey{}, c.as)
	_, later := in.(interface{ knownLater() })
	if err := c.ld.Scope().Check(c.target, !later); err != nil {
		return nil, err
	}
	return func() (*plan[any], error) {
		p, err := w.makePlan(ldclient.WithoutWrites(ctx), c, in)
		if err != nil {
			return nil, err
		}
		c.does, c.needs = p.Instructions, p.Needs
		if later {
			err = c.aimed(p.intent)
		}
		return p, err
	}, nil
}

// plan is what a writer would do; nothing of it is done.
func (t Tool) plan(ctx context.Context, c *call) (intent, error) {
	makePlan, err := t.begin(ctx, c)
	if err != nil {
		return intent{}, err
	}
	p, err := makePlan()
	if err != nil {
		return intent{}, err
	}
	return p.intent, nil
}

// call is one call of a tool on its way through the frame.
type call struct {
	srv    *Server
	tool   *served
	by     string // the tool that stands for it in this call, if any
	ld     *ldclient.Client
	req    mcp.CallToolRequest
	args   map[string]any // as validated
	target ldclient.Target
	given  because
	raw    string                 // operation of the REST API that was asked for by name
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

// hints are the MCP annotations that tell more than what the protocol takes for
// granted (a change, destructive, not idempotent, open to the world): assistants
// that run unattended call what is read-only, or neither destructive nor open.
func (t Tool) hints() mcp.ToolAnnotation {
	if k, ok := t.code.(*hostedCode); ok {
		return k.hints
	}
	if t.Effect == Read {
		return mcp.ToolAnnotation{ReadOnlyHint: mcp.ToBoolPtr(true)} // the others are for what is not
	}
	h := mcp.ToolAnnotation{OpenWorldHint: mcp.ToBoolPtr(false)}
	switch {
	case t.Effect == Create:
		h.DestructiveHint = mcp.ToBoolPtr(false)
	case !t.Additive:
		h.IdempotentHint = mcp.ToBoolPtr(true)
	}
	return h
}
