package tools

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// A time such as "in 2h" moves on while a person decides. It is counted from
// when they were asked, so that what they confirm is what they were told.

type askedKey struct{}

// askedAt is when the person was asked whose answer a call brings, or else now.
func (g *guard) askedAt(c *call) time.Time {
	if server.ElicitationResponse(c.req.Params.InputResponses, "confirm") != nil {
		if at, ok := g.seal.asked(c.req.Params.RequestState); ok {
			return at
		}
	}
	return time.Now().Truncate(time.Millisecond)
}

// countFrom is what times in the arguments of a writer are counted from.
func countFrom(ctx context.Context) time.Time {
	if at, ok := ctx.Value(askedKey{}).(time.Time); ok {
		return at
	}
	return time.Now()
}

// still makes of a time what a later call can repeat: whole seconds, as they
// are shown. It refuses a time counted from now in a call that confirms one
// that was shown before. instead is the argument to give then.
func still(name, said, confirm string, at ldclient.Millis) (fixed ldclient.Millis, instead string, err error) {
	if at == 0 || !countedFromNow(said) {
		return at, "", nil
	}
	at -= at % 1000
	instead = name + " " + strconv.Quote(at.String())
	if confirm != "" {
		return 0, "", badf("%s: a time counted from now moves on while a person decides; give %s", name, instead)
	}
	return at, instead, nil
}

// countedFromNow reports whether a time is one counted from now: neither a number nor a date.
func countedFromNow(said string) bool {
	said = strings.TrimSpace(said)
	if said == "" || len(said) > 4 && said[4] == '-' && strings.Trim(said[:4], "0123456789") == "" {
		return false
	}
	_, noNumber := strconv.ParseInt(said, 10, 64)
	return noNumber != nil
}
