package tools

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/internal/hosted"
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// run calls a hosted tool, as it is described at this moment.
func (k *hostedCode) run(ctx context.Context, c *call) (any, error) {
	h := c.srv.hosted
	given, err := hostedArguments(c)
	if err != nil {
		return nil, err
	}
	if neverReads(c.tool.Name) {
		if err := c.srv.guard.mayWrite(c); err != nil {
			return nil, err
		}
	}
	is, err := h.asOf(ctx, c.tool)
	if err != nil {
		return nil, err
	}
	c.tool = is
	if why := c.srv.whyHidden(is); why == becauseReadOnly {
		return nil, c.srv.guard.mayWrite(c)
	} else if why != "" {
		return nil, refuse("%s is not available: %s.", is.Name, why)
	}
	if err := c.fits(); err != nil {
		return nil, err
	}
	k = is.code.(*hostedCode)
	for name := range k.takes {
		if _, there := given[name]; !there && h.standIn(name) != "" {
			given[name] = h.standIn(name)
		}
	}
	send, err := k.split(c, given)
	if err != nil {
		return nil, err
	}
	at := placesIn(send, k.takes)
	c.target = at.target(is.Name)
	if err := at.within(c.ld.Scope()); err != nil {
		return nil, err
	}
	if is.Effect == Read {
		return k.answer(ctx, c, send)
	}
	if err := c.srv.guard.mayWrite(c); err != nil {
		return nil, err
	}
	return k.write(ctx, c, send)
}

// hostedArguments decodes what the client sent, as it is.
func hostedArguments(c *call) (map[string]any, error) {
	raw := c.req.Params.RawArguments
	if len(raw) == 0 {
		raw = mustJSON(c.req.Params.Arguments)
	}
	var args map[string]any
	if !decode(raw, &args) {
		return nil, badf(`the arguments must be a JSON object, such as {"projectKey": "…"}`)
	}
	if args == nil {
		args = map[string]any{}
	}
	return args, nil
}

// split takes out of a writer's arguments what is for this server, and returns what the hosted tool gets.
func (k *hostedCode) split(c *call, given map[string]any) (map[string]any, error) {
	send := map[string]any{}
	for name, v := range given {
		if c.tool.Effect == Read {
			send[name] = v
			continue
		}
		text, isText := v.(string)
		_, theirs := k.takes[name]
		switch {
		case name == "dryRun":
			dry, is := v.(bool)
			if text == "true" || text == "false" {
				dry, is = text == "true", true
			}
			if !is && v != nil {
				return nil, badf("dryRun: must be true or false")
			}
			c.given.DryRun = dry
		case name == "comment" && (isText || !theirs):
			if !isText && v != nil {
				return nil, badf("comment: must be a string")
			}
			c.given.Comment = text
			if theirs {
				send[name] = v
			}
		case name == "confirm" && isText:
			c.given.Confirm = text
			if theirs && k.takes[name] != "boolean" {
				send[name] = v
			}
		case name == "confirm" && !theirs: // a mere true confirms nothing here
		default:
			send[name] = v
		}
	}
	c.args = send
	// A hosted server may pass over what it does not know, and a call must not be judged by that.
	for _, name := range slices.Sorted(maps.Keys(send)) {
		if _, known := k.takes[name]; k.closed && !known {
			return nil, badf("%s: there is no such argument%s", short(name, maxNamed), didYouMean(name, slices.Sorted(maps.Keys(k.takes))))
		}
	}
	return send, nil
}

// write takes a change through the guard and makes it.
func (k *hostedCode) write(ctx context.Context, c *call, send map[string]any) (any, error) {
	h, name := c.srv.hosted, c.tool.Name
	if c.given.DryRun {
		return hostedDry{DryRun: true, Resource: c.target.String(), Tool: name, Arguments: send,
			Notes: []string{"LaunchDarkly's hosted tools cannot be tried out: these arguments would be sent, and nothing was"}}, nil
	}
	p := intent{Says: fmt.Sprintf("call LaunchDarkly's hosted tool %s with %s", name, mustJSON(send)), Version: k.version, Always: k.always, Notes: uncommented(c.given)}
	if was, asked := h.asked.Load(name); asked && was != k.version { // what was agreed to is not what would be done
		c.given.Confirm = ""
		p.Notes = append(p.Notes, "LaunchDarkly describes the tool otherwise than when this was asked last")
	}
	if err := c.srv.guard.check(ldclient.Fresh(ctx), c, p); err != nil {
		h.asked.Store(name, k.version)
		return nil, err
	}
	if k.takes["confirm"] == "boolean" && (c.confirmed || c.given.Confirm != "") {
		send["confirm"] = true
	}
	if err := c.srv.record.attempt(ctx, c); err != nil {
		return nil, err
	}
	c.wrote, c.sentAt = true, time.Now()
	return k.answer(ctx, c, send)
}

// answer calls the hosted tool and returns its answer.
func (k *hostedCode) answer(ctx context.Context, c *call, send map[string]any) (any, error) {
	writes := c.tool.Effect != Read
	got, err := k.from.Call(ctx, c.tool.Name, send, writes, hostedProgress(ctx, c))
	if err != nil {
		return nil, err
	}
	reply := hostedReply{c: c, got: got, changed: writes}
	if got.IsError {
		return nil, hostedSaid{short(clean(reply.text(4*maxWords)), 4*maxWords)}
	}
	return reply, nil
}

// hostedProgress passes on how far a hosted tool is, nil where nobody asked.
func hostedProgress(ctx context.Context, c *call) hosted.Progress {
	srv := server.ServerFromContext(ctx)
	if srv == nil || c.req.Params.Meta == nil || c.req.Params.Meta.ProgressToken == nil {
		return nil
	}
	return func(done, total float64, message string) {
		const before = 100 // requests of our own may have been told of
		params := map[string]any{"progressToken": c.req.Params.Meta.ProgressToken, "progress": before + done}
		if total > 0 {
			params["total"] = before + total
		}
		if message != "" {
			params["message"] = short(clean(c.ld.Mask(message)), 200)
		}
		_ = srv.SendNotificationToClient(ctx, string(mcp.MethodNotificationProgress), params) // a client that reads too slowly misses one
	}
}

// hostedSaid is the answer of a hosted tool that failed.
type hostedSaid struct{ text string }

func (e hostedSaid) Error() string { return e.text }

// hostedFailure is what to tell of a hosted tool that did not do what it should, "" for other errors.
func hostedFailure(c *call, err error) string {
	const unknown = "It is not known whether anything was changed: look before trying again."
	if said, ok := errors.AsType[hostedSaid](err); ok {
		text := strings.TrimRight(said.text, ".")
		if text == "" {
			text = "it gave no reason"
		}
		if c.wrote {
			return fmt.Sprintf("LaunchDarkly's hosted %s answered with an error: %s. %s", c.tool.Name, text, unknown)
		}
		return fmt.Sprintf("LaunchDarkly's hosted %s answered with an error: %s. Correct the arguments and call it again.", c.tool.Name, text)
	}
	e, ok := errors.AsType[*hosted.Error](err)
	if !ok {
		return ""
	}
	next := hostedNext(e)
	if c.wrote && !e.NotDone() {
		next = unknown
	}
	return hostedTrouble(c.ld, err) + ". " + next
}

// hostedNext is the one sentence on what to do.
func hostedNext(e *hosted.Error) string {
	const others = " The other tools of this server do not need it."
	switch {
	case e.Kind == hosted.Asks:
		return "Use a client that is connected to LaunchDarkly's hosted server itself."
	case e.Kind == hosted.Cancelled:
		return "No answer was waited for."
	case e.Kind == hosted.Silent:
		return "Ask for less, or try again." + others
	case e.Kind == hosted.TooLong:
		return "Ask for less: a smaller limit, a filter, a shorter time." + others
	case e.Kind == hosted.Lost:
		return "Call it again."
	case e.Kind == hosted.Protocol:
		return "Correct the arguments and call it again."
	case e.Kind == hosted.Foreign:
		return "Check --hosted-url with `ld-mcp doctor`." + others
	case e.Status == 401:
		return "LaunchDarkly documents OAuth for its hosted server, which may not take this access token: `ld-mcp doctor` tells." + others
	case e.Status == 403:
		return "The token's role does not allow it, or the account has no part in it: hosted tools are for commercial accounts." + others
	case e.Status == 404, e.Status == 405, e.Status >= 300 && e.Status < 400:
		return "Check --hosted-url with `ld-mcp doctor`." + others
	case e.Status == 429 && e.RetryAfter > 0:
		return fmt.Sprintf("Its rate limit is used up: wait %.0f s, then try again.", math.Ceil(e.RetryAfter.Seconds()))
	case e.Status == 429:
		return "Its rate limit is used up: wait 10 s, then try again."
	case e.Status >= 400 && e.Status < 500:
		return "Correct the arguments and call it again."
	}
	return "Try again later." + others
}
