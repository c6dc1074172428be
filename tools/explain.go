package tools

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// explain says what went wrong, LaunchDarkly's own words first, and what to do next.
func explain(ctx context.Context, c *call, err error) string {
	if !errors.Is(ctx.Err(), context.Canceled) { // nobody waits for a call that was cancelled
		// The call's own time may be used up; a look for near keys gets a little of its own.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
	}
	says := sentence(ctx, c, err)
	if c.tool.Effect != Read && (!c.wrote || notCarriedOut(err)) && !strings.Contains(strings.ToLower(says), "nothing was changed") {
		says += " Nothing was changed."
	}
	return clean(says)
}

// notCarriedOut reports whether a request that would have changed something certainly did not.
func notCarriedOut(err error) bool {
	if transport, ok := errors.AsType[*ldclient.TransportError](err); ok {
		return !transport.Unsure
	}
	_, invalid := errors.AsType[*ldclient.InvalidError](err)
	_, scope := errors.AsType[*ldclient.ScopeError](err)
	if invalid || scope || errors.Is(err, ldclient.ErrReadOnly) {
		return true
	}
	status := ldclient.Status(err)
	return status >= 400 && status < 500
}

// maxWords bounds what of somebody else's message is passed on, in characters.
const maxWords = 400

func sentence(ctx context.Context, c *call, err error) string {
	var bad badArguments
	var invalid *ldclient.InvalidError
	var scope *ldclient.ScopeError
	var api *ldclient.Error
	var transport *ldclient.TransportError
	var protection protectionUnknown
	switch {
	case errors.As(err, &protection):
		return fmt.Sprintf("It could not be found out whether %s is protected, so the change was not made: %s.", c.target, strings.TrimSuffix(sentence(ctx, c, protection.error), "."))
	case errors.As(err, &bad):
		return fmt.Sprintf("%s. Correct the arguments and call %s again.", short(upper(string(bad)), 2*maxWords), c.tool.Name)
	case errors.As(err, &invalid):
		return upper(invalid.Message) + "."
	case errors.As(err, &scope):
		return upper(scope.Reason) + ". Whoever runs this server sets its scope."
	case errors.Is(err, ldclient.ErrReadOnly):
		return "This server is read-only."
	case errors.As(err, &api):
		return fmt.Sprintf("%s. %s", short(strings.TrimRight(upper(api.Error()), "."), maxWords), c.next(ctx, api))
	case errors.As(err, &transport):
		return fmt.Sprintf("%s. %s", short(upper(transport.Message), maxWords), c.afterSilence(transport))
	case errors.Is(err, context.DeadlineExceeded):
		return "The call took too long. Ask for less, or try again."
	case errors.Is(err, context.Canceled):
		return "The call was cancelled."
	}
	return short(upper(err.Error()), 4*maxWords)
}

// next is the one sentence on what to do about LaunchDarkly's answer.
func (c *call) next(ctx context.Context, e *ldclient.Error) string {
	writes := c.tool.Effect != Read
	switch e.Status {
	case 400:
		if step := rolloutStep(e.Message); step != "" {
			return step
		}
		if ldclient.IsNotDeletableYet(e) {
			return "LaunchDarkly deletes no AI config that something depends on, and none within about 30 s of a change of its variations: wait, then try again."
		}
		if strings.HasPrefix(e.Message, "Unknown") {
			return c.near(ctx, e)
		}
		if strings.Contains(e.Message, "conflict") || strings.Contains(e.Message, "pending") {
			return "A scheduled change or an approval request that waits would break; look at it in LaunchDarkly first."
		}
		return "Read the resource again and correct the arguments."
	case 401:
		return "The access token is not valid here: check that it is an access token (api-…), not an SDK key, that it belongs to this instance (" + c.ld.BaseURL() + ") and that it was not deleted. `ld-mcp doctor` tells more."
	case 403:
		if strings.Contains(strings.ToLower(e.Message), "beta") {
			return "This part of the API is in beta or not in the account's plan."
		}
		if why := c.refusedFor(ctx); why != "" {
			return upper(why) + ". Use another token, or have the role changed."
		}
		if c.tool.Action != "" {
			return fmt.Sprintf("The token's role needs %s.", c.allowances())
		}
		return fmt.Sprintf("The token's role must allow viewing %s.", c.target)
	case 404:
		return c.near(ctx, e)
	case 405:
		return "LaunchDarkly does not allow this here: check --base-url with `ld-mcp doctor`, or use LaunchDarkly's own page."
	case 409:
		switch {
		case e.Code == "optimistic_locking_error":
			return "It was changed at the same moment: read it again and decide anew."
		case c.tool.Effect == Create:
			return "The key is taken, perhaps by something archived, which keeps its key: read it, or choose another key."
		}
		return "Something else stands in the way: read the resource again."
	case 413:
		return "This is more than LaunchDarkly takes: make it smaller."
	case 422:
		return "LaunchDarkly did not understand the change: read the resource again and correct the arguments."
	case 429:
		const used = "The rate limit of the account is used up"
		switch wait := e.RetryAfter; {
		case wait > time.Hour: // LaunchDarkly's windows last ten seconds
			return used + ", and the time it names is too far off to be meant: wait a minute, then try again."
		case wait <= 0:
			return used + ": wait 10 s, then try again."
		default:
			return fmt.Sprintf("%s: wait %.0f s, then try again.", used, math.Ceil(wait.Seconds()))
		}
	}
	if writes && c.wrote && (e.Status >= 500 || e.Status < 400) {
		return "It is not known whether the change was made: read the resource before trying again."
	}
	if e.Status >= 500 {
		return "LaunchDarkly has a fault at the moment: try again later."
	}
	return "`ld-mcp doctor` tells whether the server is set up well."
}

// afterSilence is what to do when no usable answer came.
func (c *call) afterSilence(e *ldclient.TransportError) string {
	var dns *net.DNSError
	switch {
	case e.Unsure:
		return "It is not known whether the change was made: read the resource before trying again."
	case errors.Is(e.Err, context.Canceled):
		return "No answer was waited for."
	case errors.As(e.Err, &dns):
		return "Check --region and --base-url, and that this machine may reach LaunchDarkly."
	}
	return "Try again; if it stays so, run `ld-mcp doctor`."
}

// upper makes text begin like a sentence, unless it begins with a name or a key.
func upper(s string) string {
	if i := strings.IndexAny(s, " .:"); i > 0 && strings.ToLower(s[:i]) == s[:i] && strings.IndexFunc(s[:i], func(r rune) bool { return r < 'a' || r > 'z' }) < 0 && s[i] == ' ' {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}
