package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ld-mcp/ld-mcp/internal/written"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// tally is what the clients saw.
type tally struct {
	mu        sync.Mutex
	workers   int
	calls     int
	failed    int // calls that a tool refused, or that LaunchDarkly did not answer
	cancelled int
	lost      int // calls without an answer
	begun     int // sessions
	passed    int // processes that were left in the middle of calls
	writes    written.Ledger
	abandoned []*session
	wrong     []error
}

func newTally() *tally { return &tally{writes: written.NewLedger()} }

func (t *tally) locked(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

func (t *tally) complain(format string, args ...any) {
	t.locked(func() { t.wrong = append(t.wrong, fmt.Errorf(format, args...)) })
}

func (t *tally) abandon(s *session) { t.locked(func() { t.abandoned = append(t.abandoned, s) }) }

// found takes up one of a process' abandoned sessions.
func (t *tally) found(p *process) (out *session) {
	t.locked(func() {
		if i := slices.IndexFunc(t.abandoned, func(s *session) bool { return s.p == p }); i >= 0 {
			out = t.abandoned[i]
			t.abandoned = slices.Delete(t.abandoned, i, i+1)
		}
	})
	return out
}

// sessions compares what the processes count with the sessions that were abandoned.
func (t *tally) sessions(processes []*process) error {
	var errs []error
	for _, p := range processes {
		want := 0
		for _, s := range t.abandoned {
			if s.p == p {
				want++
			}
		}
		var got sample
		for range 40 {
			if got = p.settled(); int(got.sessions) == want {
				break
			}
			time.Sleep(250 * time.Millisecond)
		}
		if p.http != nil && int(got.sessions) != want {
			errs = append(errs, fmt.Errorf("%s counts %.0f sessions, and %d were abandoned", p.name, got.sessions, want))
		}
	}
	return errors.Join(errs...)
}

// leave ends all abandoned sessions.
func (t *tally) leave() {
	for _, s := range t.abandoned {
		s.leave(true)
	}
	t.abandoned = nil
}

// conversation is one client's way to call tools.
type conversation interface {
	call(ctx context.Context, tool string, args map[string]any) (text string, failed bool, err error)
	leave(goodbye bool)
}

// worker is a client that comes and goes, with a flag of its own.
type worker struct {
	t    *tally
	p    *process
	name string
	n    int
	on   bool
}

func (t *tally) worker(p *process) *worker {
	w := &worker{t: t, p: p}
	t.locked(func() { t.workers++; w.name = "soak-" + strconv.Itoa(t.workers) })
	return w
}

func (w *worker) work(ctx context.Context) {
	if _, err := ask(w.p.upstream, "POST", "flags/shop", fmt.Sprintf(`{"key":%q,"name":%q}`, w.name, w.name)); err != nil {
		w.t.complain("%w", err)
	}
	for ctx.Err() == nil {
		c, err := w.open(ctx)
		if err != nil {
			w.t.complain("%s: %w", w.p.name, err)
			pause(ctx, time.Second)
			continue
		}
		for range 3 + rand.IntN(12) {
			if ctx.Err() != nil {
				break
			}
			w.act(ctx, c)
			pause(ctx, rand.N(100*time.Millisecond))
		}
		goodbye := rand.IntN(5) > 0
		if w.p.stdio == nil && rand.IntN(4) == 0 { // who leaves in the middle of a call
			var calling sync.WaitGroup
			calling.Go(func() { w.act(ctx, hurried{c}) })
			pause(ctx, rand.N(30*time.Millisecond))
			c.leave(goodbye)
			calling.Wait()
			continue
		}
		c.leave(goodbye)
	}
}

// hurried is a conversation that is left in the middle of a call.
type hurried struct{ conversation }

func (w *worker) open(ctx context.Context) (conversation, error) {
	if w.p.stdio != nil {
		return w.p.stdio, nil
	}
	w.t.locked(func() { w.t.begun++ })
	key := w.p.keys[rand.IntN(len(w.p.keys))]
	switch rand.IntN(5) {
	case 0, 1:
		return openStream(ctx, w.p, key)
	case 2:
		return openModern(ctx, w.p, key)
	case 3:
		if s := w.t.found(w.p); s != nil { // somebody who comes back
			return s, nil
		}
	}
	s, err := openSession(ctx, w.p, w.t, key)
	for range rand.IntN(3) {
		if err == nil {
			err = s.listen(ctx)
		}
	}
	return s, err
}

// What is read: single things, lists, and what is composed of several requests.
var reads = []struct {
	tool string
	args map[string]any
}{
	{"get-flag", map[string]any{"projectKey": "shop", "flagKey": "dark-mode"}},
	{"list-flags", map[string]any{"projectKey": "shop"}},
	{"list-segments", map[string]any{"projectKey": "shop", "environmentKey": "test"}},
	{"query-audit-log", map[string]any{"projectKey": "shop", "limit": 40}},
	{"what-changed", map[string]any{"projectKey": "shop", "environmentKey": "test"}},
	{"get-flag-history", map[string]any{"projectKey": "shop", "flagKey": "dark-mode"}},
	{"list-environments", map[string]any{"projectKey": "shop"}},
	{"get-flag", map[string]any{"projectKey": "shop", "flagKey": "no-such-flag"}},
}

func (w *worker) act(ctx context.Context, c conversation) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_, hasty := c.(hurried) // who does not wait for the answer
	hasty = hasty || rand.IntN(8) == 0
	if hasty {
		cancel()
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), rand.N(60*time.Millisecond))
		defer cancel()
	}
	if rand.IntN(4) > 0 {
		r := reads[rand.IntN(len(reads))]
		w.call(ctx, c, hasty, r.tool, r.args)
		return
	}
	w.n++
	comment := fmt.Sprintf("%s change %d", w.name, w.n)
	if hasty { // nobody knows when it arrives, so it must not meet what is waited for
		w.write(ctx, c, hasty, "update-flag-settings", comment, map[string]any{"projectKey": "shop", "flagKey": w.name,
			"instructions": []any{map[string]any{"kind": "updateDescription", "value": comment}}})
		return
	}
	if w.write(ctx, c, hasty, "toggle-flag", comment, map[string]any{"projectKey": "shop", "flagKey": w.name, "environmentKey": "test", "on": !w.on}) {
		w.on = !w.on
	}
	if rand.IntN(3) == 0 {
		w.undo(ctx, c, comment)
	}
}

// undo takes the latest change back, if it is this one.
func (w *worker) undo(ctx context.Context, c conversation, comment string) {
	text := w.call(ctx, c, false, "query-audit-log", map[string]any{"projectKey": "shop", "flagKey": w.name, "limit": 1})
	var got struct {
		Items []struct {
			ID      string `json:"_id"`
			Comment string
		}
	}
	if json.Unmarshal([]byte(text), &got) != nil || len(got.Items) == 0 || !strings.HasPrefix(got.Items[0].Comment, comment+" [") {
		return
	}
	if w.write(ctx, c, false, "undo-change", comment+" undone", map[string]any{"projectKey": "shop", "id": got.Items[0].ID}) {
		w.on = !w.on
	}
}

// write makes a change with a comment of its own, and tells whether it was acknowledged.
func (w *worker) write(ctx context.Context, c conversation, hasty bool, tool, comment string, args map[string]any) bool {
	args["comment"] = comment
	w.t.locked(func() { w.t.writes.Tried[comment] = true })
	text := w.call(ctx, c, hasty, tool, args)
	if tool == "toggle-flag" && strings.Contains(text, `"changed":false`) { // an earlier one without an answer did it
		w.on = !w.on
	}
	if !strings.Contains(text, `"changed":true`) {
		return false
	}
	w.t.locked(func() { w.t.writes.Done[comment] = true })
	return true
}

func (w *worker) call(ctx context.Context, c conversation, hasty bool, tool string, args map[string]any) string {
	text, failed, err := c.call(ctx, tool, args)
	w.t.locked(func() {
		w.t.calls++
		switch {
		case err == nil && failed:
			w.t.failed++
		case err != nil && hasty:
			w.t.cancelled++
		case err != nil:
			w.t.lost++
			w.t.wrong = append(w.t.wrong, fmt.Errorf("%s %s: %w", w.p.name, tool, err))
		}
	})
	if err != nil || failed {
		return ""
	}
	return text
}

// judge compares what the clients were told with the account's audit log.
func (t *tally) judge(out io.Writer, account *sandbox.Account) error {
	log, err := written.Comments(func(path string) ([]byte, error) { return ask(account, "GET", path, "") })
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	unknown, wrong := t.writes.Judge(log)
	t.wrong = append(t.wrong, wrong...)
	fmt.Fprintf(out, "clients: %d sessions, %d processes left, %d calls, %d of them refused or failed with a sentence, %d cancelled, %d lost\n", t.begun, t.passed, t.calls, t.failed, t.cancelled, t.lost)
	fmt.Fprintf(out, "writes: %d tried, %d acknowledged and each in the audit log once, %d in it without an acknowledgement\n", len(t.writes.Tried), len(t.writes.Done), unknown)
	if len(t.writes.Done) < 50 {
		t.wrong = append(t.wrong, fmt.Errorf("only %d writes were made, so little was shown", len(t.writes.Done)))
	}
	return errors.Join(t.wrong[:min(10, len(t.wrong))]...)
}
