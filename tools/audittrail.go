package tools

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// auditLine is one line of the audit file.
type auditLine struct {
	Time     time.Time `json:"time"`
	Call     string    `json:"call,omitempty"` // joins an attempt with its end
	Client   string    `json:"client,omitempty"`
	Person   string    `json:"person,omitempty"`
	Token    string    `json:"token,omitempty"` // name of a service token, which belongs to nobody
	Tool     string    `json:"tool"`
	Raw      string    `json:"operation,omitempty"` // of the REST API, where the tool calls any
	Resource string    `json:"resource,omitempty"`
	Outcome  outcome   `json:"outcome"`
	Comment  string    `json:"comment,omitempty"`
	Message  string    `json:"message,omitempty"`
	Entry    string    `json:"entry,omitempty"` // _id in LaunchDarkly's audit log
	Millis   int64     `json:"ms"`
}

// sentChange is a change as LaunchDarkly's audit log should know it.
type sentChange struct {
	at            ldclient.Target
	actions       []string // role actions, any of which it may be
	comment       string
	after, before time.Time // by this machine's clock
}

const (
	lookUpTime  = 3 * time.Second  // to find out more for one line
	lookUpPause = time.Second      // before the audit log is read a second time
	ownerHolds  = 10 * time.Minute // how long a token's owner is believed
	maxLookUps  = 32               // lines that may wait for one; the rest go without
)

// auditTrail writes the lines of the audit file, each in one piece and in the
// order of the calls' ends. What a line needs to know from LaunchDarkly is read
// after the reply was sent, and left out where it cannot be had.
type auditTrail struct {
	to       io.Writer
	required bool
	log      *slog.Logger

	mu      sync.Mutex
	waiting []waitingLine
	idle    chan struct{} // closed when no line waits, nil while none did
	hurry   context.Context
	stop    context.CancelFunc // ends all look-ups

	file struct {
		sync.Mutex
		torn bool // the last line was written in part
		lost int  // lines since writing began to fail
	}

	// Of the goroutine that looks up alone.
	owners  map[string]owner // by the token's fingerprint
	claimed []string         // entries that lines have
}

// owner is for whom a token acts, as far as it is known.
type owner struct {
	person, token string
	until         time.Time
}

func (o owner) known() bool { return o.person+o.token != "" }

// noToken is the fingerprint of no token.
const noToken = "-"

type waitingLine struct {
	ld   *ldclient.Client
	line auditLine
	by   string // fingerprint of the token
	sent *sentChange
}

func newAuditTrail(to io.Writer, required bool, log *slog.Logger) *auditTrail {
	t := &auditTrail{to: to, required: required, log: log, owners: map[string]owner{}}
	t.hurry, t.stop = context.WithCancel(context.Background())
	return t
}

// nextID names one call in the file.
func (t *auditTrail) nextID() string { return rand.Text()[:12] }

// add has a line written, at once or as soon as those before it are. by is the fingerprint of the call's token.
func (t *auditTrail) add(ld *ldclient.Client, line auditLine, by string, sent *sentChange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, waitingLine{ld, line, by, sent})
	if t.idle == nil {
		t.idle = make(chan struct{})
		go t.work(t.idle)
	}
}

// work writes lines until none waits.
func (t *auditTrail) work(idle chan struct{}) {
	defer close(idle)
	for {
		t.mu.Lock()
		if len(t.waiting) == 0 {
			t.idle = nil
			t.mu.Unlock()
			return
		}
		next, behind := t.waiting[0], len(t.waiting)-1
		t.waiting = t.waiting[1:]
		t.mu.Unlock()
		if behind < maxLookUps {
			t.complete(&next)
		}
		t.write(next.line) //nolint:errcheck // write has warned
	}
}

// close waits until every line is written, look-ups not for longer than one takes.
func (t *auditTrail) close() {
	t.mu.Lock()
	idle := t.idle
	t.mu.Unlock()
	if idle == nil {
		return
	}
	timer := time.AfterFunc(lookUpTime, t.stop)
	defer timer.Stop()
	select {
	case <-idle:
	case <-time.After(lookUpTime + time.Second):
		t.log.Warn("the audit file takes no lines, so the last ones are lost")
	}
}

// write appends one line. It warns when lines begin to be lost, and says how many were when that is over.
func (t *auditTrail) write(line auditLine) error {
	text, err := marshal(line)
	if err != nil {
		return err
	}
	t.file.Lock()
	defer t.file.Unlock()
	b := []byte(text + "\n")
	if t.file.torn {
		b = slices.Insert(b, 0, '\n')
	}
	n, err := t.to.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		if t.file.lost++; t.file.lost == 1 {
			t.log.Warn("the audit file cannot be written; lines are lost until it can", "error", ldclient.Mask(err.Error()))
		}
		if n > 0 {
			t.file.torn = b[n-1] != '\n'
		}
		return err
	}
	if t.file.lost > 0 {
		t.log.Warn("the audit file is written again", "lost", t.file.lost)
	}
	t.file.torn, t.file.lost = false, 0
	return nil
}

// complete reads what LaunchDarkly knows of a line: for whom the token acts, and the entry in its own audit log.
func (t *auditTrail) complete(w *waitingLine) {
	ctx, cancel := context.WithTimeout(ldclient.WithoutWrites(t.hurry), lookUpTime)
	defer cancel()
	by := t.ownerOf(ctx, w.ld, w.by)
	if w.line.Person == "" {
		w.line.Person, w.line.Token = by.person, by.token
	}
	if w.sent == nil {
		return
	}
	for again := false; ; again = true {
		id, err := t.entry(ctx, w.ld, w.sent, by)
		if id != "" {
			w.line.Entry, t.claimed = id, append(t.claimed[max(0, len(t.claimed)-100):], id)
		}
		if id != "" || err != nil || again {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookUpPause):
		}
	}
}

// ownerOf finds the member whom a token belongs to, or the name of a service
// token; nobody where the client has another token by now.
func (t *auditTrail) ownerOf(ctx context.Context, ld *ldclient.Client, by string) owner {
	now := time.Now()
	if o, ok := t.owners[by]; ok && (now.Before(o.until) || ld.Fingerprint() != by) {
		return o
	}
	if by == "" || ld.Fingerprint() != by {
		return owner{}
	}
	o := owner{until: now.Add(time.Minute)}
	if me, err := ld.Identity.Me(ctx); err == nil {
		o.person = clean(me.String())
	} else if token, err := ld.Identity.Caller(ctx); err == nil && token.ServiceToken {
		o.token = clean(token.TokenName)
	}
	if ld.Fingerprint() != by { // it was changed while this was read
		return owner{}
	}
	if o.known() {
		o.until = now.Add(ownerHolds)
	}
	t.owners[by] = o
	return o
}

// entry finds a change in LaunchDarkly's audit log: the only entry of its
// resource, time and owner that carries its comment, or, since some changes
// take none, the only one without any that was made by the same action. ""
// where that is not certain.
func (t *auditTrail) entry(ctx context.Context, ld *ldclient.Client, sent *sentChange, by owner) (string, error) {
	after, _ := ld.ServerTime(sent.after)
	_, before := ld.ServerTime(sent.before)
	got, err := ld.AuditLog.Search(ctx, ldclient.AuditQuery{
		After: ldclient.Millis(after.UnixMilli()), Before: ldclient.Millis(before.UnixMilli()), Limit: ldclient.MaxAuditLimit,
		Statements: []ldclient.Statement{{Effect: "allow", Resources: []string{sent.at.String()}, Actions: []string{"*"}}},
	})
	if err != nil {
		return "", err
	}
	var told, acted, bare []string
	for _, e := range got.Items {
		acts := slices.ContainsFunc(e.Accesses, func(a ldclient.Access) bool {
			return slices.Contains(sent.actions, a.Action) || slices.Contains(sent.actions, anyAction)
		})
		switch {
		case slices.Contains(t.claimed, e.ID):
		case e.Comment == sent.comment && (!by.known() || by.made(e)):
			told = append(told, e.ID)
			if acts {
				acted = append(acted, e.ID)
			}
		case e.Comment == "" && by.made(e) && acts:
			bare = append(bare, e.ID)
		}
	}
	switch {
	case len(told) == 0:
		told = bare
	case len(told) > 1: // one change may have several entries, of which one tells its action
		told = acted
	}
	if len(told) != 1 || len(got.Items) == ldclient.MaxAuditLimit { // there may be more
		return "", nil
	}
	return told[0], nil
}

// made reports whether the token's owner made a change.
func (o owner) made(e ldclient.AuditEntry) bool {
	if e.Member != nil {
		return o.person != "" && clean(e.Member.String()) == o.person
	}
	return e.Token != nil && o.token != "" && clean(e.Token.Name) == o.token
}
