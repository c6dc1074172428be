package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// Confirm says how a change of something protected is confirmed.
type Confirm string

// The ways to confirm.
const (
	// ConfirmAuto asks the person where the client can, and else wants the call
	// again with a word. The word is a speed bump: it shows that the reply was
	// read, not that a person agreed. Who needs that for certain uses ConfirmAsk.
	ConfirmAuto  Confirm = "auto"
	ConfirmAsk   Confirm = "ask"   // ask the person, and refuse where the client cannot
	ConfirmNever Confirm = "never" // do not ask
)

// refusal is a call that the guard stopped. Nothing was changed.
type refusal struct{ why string }

func (r refusal) Error() string { return r.why }

func refuse(format string, args ...any) error { return refusal{fmt.Sprintf(format, args...)} }

// protectionUnknown is why it could not be found out whether something is protected; it is not changed then.
type protectionUnknown struct{ error }

// maxSays bounds what a person is asked to read, in characters.
const maxSays = 2000

// question is returned in place of a result when a person has to answer first.
type question struct{ text, state string }

func (question) Error() string { return "a person has to confirm this" }

// guard decides whether a call that writes may go on. It is the only place
// where the operator's policy is read.
type guard struct {
	opts  *Options
	seal  sealer
	spent spent
	// bypass tells whether the token may change something without the approval that is asked for.
	bypass func(context.Context, ldclient.Target) policy.Verdict
}

// mayWrite refuses whatever no argument could make right.
func (g *guard) mayWrite(c *call) error {
	if g.opts.ReadOnly {
		return refuse("This server is read-only, so %s is not available.", c.tool.Name)
	}
	return nil
}

// check refuses a planned change, or returns a question, unless it may be made
// now. The scope was checked before planning; what is left is protection,
// comment and confirmation.
func (g *guard) check(ctx context.Context, c *call, p intent) error {
	// What is added to a project as a whole is new, so nothing in production uses it yet.
	account := c.target.Project == "" // all projects are at stake, and nothing tells which of it matters
	if c.tool.Unconfirmed != "" || c.tool.Effect == Create && c.target.Environment == "" && !account {
		return nil
	}
	if p.Harmless != "" {
		return nil
	}
	envs, err := touched(ctx, c.ld, c.target)
	if err != nil {
		return protectionUnknown{err}
	}
	var protected []string
	c.review = nil
	for _, e := range envs {
		if e.RequireComments.On() && clean(c.given.Comment) == "" {
			return refuse("Environment %s requires a comment with every change. Call %s again with comment saying why.", e.Key, c.again())
		}
		why := g.protects(e)
		if r := g.reviewFor(ctx, c.target, e, p); r != nil {
			warning := r.passing()
			if !p.PastReview {
				c.review, warning = r, r.warning()
			}
			if c.review != nil && r.bypass == policy.No {
				c.srv.may.again() // the role may have been changed since it was read
				return r
			}
			p.Notes = append(slices.Clip(p.Notes), warning)
			why = cmp.Or(why, "asks for approvals")
		}
		if why != "" {
			protected = append(protected, e.Key+" ("+why+")")
		}
	}
	if g.opts.Confirm == ConfirmNever || len(protected) == 0 && c.tool.Effect != Delete && !account && !p.Always {
		return nil
	}
	c.confirmed = true
	return g.confirm(ctx, c, p, protected)
}

// protects says what makes an environment protected, "" if nothing does.
func (g *guard) protects(e ldclient.Environment) string {
	switch {
	case e.Critical.On():
		return "critical"
	case e.ConfirmChanges.On():
		return "wants changes confirmed"
	case len(g.opts.Protect) > 0 && ldclient.MatchAny(g.opts.Protect, e.Key):
		return "protected by this server"
	}
	return ""
}

// confirm asks the person through the client, or, where the client cannot,
// wants the call again with the key of what would change.
func (g *guard) confirm(ctx context.Context, c *call, p intent, protected []string) error {
	seen := sealed{Tool: c.tool.Name, Arguments: digest(c.args), Resource: c.target.String(), Version: p.Version, Caller: digest([]string{ldclient.CallerOf(ctx), caller(ctx)}),
		Does: digest([]any{p.Instructions, p.Says}), Asked: c.as.UnixMilli()}
	if answer := server.ElicitationResponse(c.req.Params.InputResponses, "confirm"); answer != nil {
		if answer.Action != mcp.ElicitationResponseActionAccept {
			return refuse("The person did not confirm (%s). Do not try again unless they ask for it.", answer.Action)
		}
		if err := g.seal.open(c.req.Params.RequestState, seen); err != nil {
			return refuse("The confirmation does not hold: %v. Call %s again without it.", err, c.again())
		}
		if !g.spent.use(c.req.Params.RequestState, g.seal.now()) {
			return refuse("The confirmation was used already. Call %s again without it.", c.again())
		}
		return nil
	}
	says := fmt.Sprintf("This would %s.", strings.TrimSuffix(clean(p.Says), "."))
	if n := len([]rune(says)); n > maxSays {
		return refuse("This is too much for one confirmation: %d characters to read, at most %d. Make it in several calls.", n, maxSays)
	}
	if len(protected) > 0 {
		says += fmt.Sprintf(" Protected: %s.", strings.Join(protected, ", "))
	}
	for _, note := range p.Notes {
		says += " " + upper(strings.TrimSuffix(note, ".")) + "."
	}
	word := cmp.Or(c.target.Environment, p.Within)
	if c.tool.Effect == Delete || p.Always || word == "" {
		word = c.target.Key
	}
	word = cmp.Or(word, c.target.Environment, c.target.Project, "account")
	elicits := canElicit(ctx)
	if !elicits && g.opts.Confirm != ConfirmAsk && c.given.Confirm == word {
		return nil
	}
	if words := impactWords(ctx, c, p, protected); words != "" {
		says += " " + words
	}
	if elicits {
		return question{clean(says) + " Go ahead?", g.seal.close(seen)}
	}
	if g.opts.Confirm == ConfirmAsk {
		return refuse("%s A person has to confirm it, and this client cannot ask one. Make the change in LaunchDarkly, or use a client that supports elicitation.", says)
	}
	but := ""
	if p.Instead != "" {
		but = ", but with " + p.Instead + ","
	}
	return refuse("%s Nothing was changed yet. Show this to the user; once they agree, call %s again with the same arguments%s and confirm: %q.", says, c.again(), but, word)
}

// canElicit reports whether the client said that it can put a question to a
// person: in each request since protocol 2026-07-28, once a session before.
func canElicit(ctx context.Context) bool {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		return info.ClientCapabilities != nil && info.ClientCapabilities.Elicitation != nil
	}
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	if !ok || session.GetClientCapabilities().Elicitation == nil {
		return false
	}
	_, ok = session.(server.SessionWithElicitation)
	return ok
}

// ask renders a question for the client, which sends the call again with the answer.
func (q question) ask() *mcp.CallToolResult {
	return server.NewInputRequestBuilder(q.state).Elicit("confirm", mcp.ElicitationParams{
		Message:         q.text,
		RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}},
	}).ToolResult()
}

// touched reads the environments that a write at t touches, one or all of the
// project, anew each time: what was read earlier may have been protected since.
func touched(ctx context.Context, ld *ldclient.Client, t ldclient.Target) ([]ldclient.Environment, error) {
	ctx = ldclient.Fresh(ldclient.WithoutWrites(ctx))
	switch {
	case t.Project == "":
		return nil, nil
	case t.Environment != "":
		e, err := ld.Environments.Get(ctx, t.Project, t.Environment)
		if err != nil {
			return nil, err
		}
		if e.Key != t.Environment {
			return nil, fmt.Errorf("asked for environment %q, LaunchDarkly answered %q; check the key with list-environments", t.Environment, e.Key)
		}
		return []ldclient.Environment{*e}, nil
	}
	envs, err := ld.Environments.All(ctx, t.Project)
	if err == nil && len(envs) == 0 {
		err = errors.New("the project shows no environments; the token's role must allow viewing them")
	}
	return envs, err
}

// spent remembers the confirmations that were used here, until they would have
// expired anyway, so that two copies of one call cannot share a yes.
type spent struct {
	mu   sync.Mutex
	till map[string]time.Time
}

// use reports whether state is used for the first time.
func (s *spent) use(state string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.till == nil {
		s.till = map[string]time.Time{}
	}
	for old, till := range s.till {
		if now.After(till) {
			delete(s.till, old)
		}
	}
	if _, used := s.till[state]; used {
		return false
	}
	s.till[state] = now.Add(confirmWithin + time.Minute)
	return true
}
