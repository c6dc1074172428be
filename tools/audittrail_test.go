package tools_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// trailLine is a line of the audit file as others read it.
type trailLine struct {
	Time                                                                          time.Time
	Call, Client, Person, Token, Tool, Resource, Outcome, Comment, Message, Entry string
	Ms                                                                            int64
}

// lines reads an audit file once it is complete.
func lines(t *testing.T, r *rig, file fmt.Stringer) []trailLine {
	t.Helper()
	r.server.Close()
	var out []trailLine
	for text := range strings.Lines(file.String()) {
		var l trailLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Errorf("%v: %s", err, text)
		}
		out = append(out, l)
	}
	return out
}

// audited starts a rig with an audit file on an account whose clock is the machine's.
func audited(t *testing.T, file io.Writer, change ...func(*setup)) (*rig, *sandbox.Account) {
	t.Helper()
	account := sandbox.New(sandbox.Options{})
	return start(t, append([]func(*setup){func(s *setup) {
		s.client.Transport, s.Audit, s.Confirm = account, file, tools.ConfirmNever
	}}, change...)...), account
}

// TestAuditDoesNotDelay: neither a slow audit log nor a slow identity holds a reply up, and Close waits for no longer than a look-up takes.
func TestAuditDoesNotDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		r := start(t, func(s *setup) {
			account := s.client.Transport.(*sandbox.Account)
			s.client.Transport, s.Audit = hanging{account}, &file
		})
		began := time.Now()
		for i := range 20 {
			if got := r.call("toggle-flag", fmt.Sprintf(flip, i%2 == 1)); !strings.Contains(got, `"changed":true`) {
				t.Fatal(got)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the calls took %s", took)
		}
		got := lines(t, r, &file)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("closing took %s", took)
		}
		if len(got) != 20 || got[19].Entry != "" || got[19].Person != "" || got[19].Outcome != "ok" {
			t.Errorf("%d lines: %+v", len(got), got)
		}
	})
}

// hanging never answers what the audit file alone wants to know.
type hanging struct{ *sandbox.Account }

func (h hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/auditlog") || strings.HasSuffix(r.URL.Path, "/members/me") {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return h.Account.RoundTrip(r)
}

// TestAuditLateEntry: an entry that LaunchDarkly writes a little later is found at the second look.
func TestAuditLateEntry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for faults, found := range map[int]bool{1: true, 2: false} {
			var file bytes.Buffer
			r, account := audited(t, &file)
			for range faults {
				account.Next(sandbox.Fault{Status: 200, Body: `{"items":[],"_links":{}}`, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/auditlog") }})
			}
			r.call("toggle-flag", fmt.Sprintf(flip, false))
			if got := lines(t, r, &file); len(got) != 1 || (got[0].Entry != "") != found {
				t.Errorf("%d empty answers: %+v", faults, got)
			}
		}
	})
}

// TestAuditPerson: who is behind a call, as far as it is known.
func TestAuditPerson(t *testing.T) {
	t.Parallel()
	path := func(end string) func(*http.Request) bool {
		return func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, end) }
	}
	noMember := sandbox.Fault{Status: 404, Body: `{"code":"not_found","message":"Unknown member"}`, Match: path("/members/me")}
	for name, test := range map[string]struct {
		faults        []sandbox.Fault
		person, token string
	}{
		"a member":        {nil, "Ada Lovelace", ""},
		"a service token": {[]sandbox.Fault{noMember, {Status: 200, Body: `{"tokenName":"deploy api-0123456789abcdef01234567","serviceToken":true}`, Match: path("/caller-identity")}}, "", "deploy api-****"},
		"unknown":         {[]sandbox.Fault{noMember, {Status: 403, Match: path("/caller-identity")}}, "", ""},
	} {
		var file bytes.Buffer
		r, account := audited(t, &file)
		for _, f := range test.faults {
			account.Next(f)
		}
		r.call("toggle-flag", fmt.Sprintf(flip, false))
		r.call("toggle-flag", fmt.Sprintf(flip, true))
		for _, l := range lines(t, r, &file) {
			if l.Person != test.person || l.Token != test.token || l.Outcome != "ok" {
				t.Errorf("%s: %+v", name, l)
			}
		}
	}
	var file bytes.Buffer
	r, _ := audited(t, &file)
	ctx := tools.WithPerson(t.Context(), "Zoe\u200b Ex")
	r.server.MCP().HandleMessage(ctx, json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"toggle-flag","arguments":`+fmt.Sprintf(flip, false)+`}}`))
	if got := lines(t, r, &file); len(got) != 1 || got[0].Person != "Zoe Ex" {
		t.Errorf("%+v", got)
	}
}

// TestAuditLinesAreWhole: calls at the same time give one line each, which nothing interrupts.
func TestAuditLinesAreWhole(t *testing.T) {
	t.Parallel()
	file := &bytewise{}
	r, _ := audited(t, file)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for j := range 4 {
				args := strings.Replace(fmt.Sprintf(flip, j%2 == 0), "same", fmt.Sprintf("%d-%d", i, j), 1)
				if j == 3 {
					args = strings.Replace(args, "shop", "none", 1)
				}
				r.call("toggle-flag", args)
			}
			r.call("toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"regulated","on":true}`) // without a comment it is refused
		})
	}
	wg.Wait()
	got, refused := lines(t, r, file), 0
	seen := map[string]bool{}
	for _, l := range got {
		if l.Outcome == "refused" {
			refused++
		}
		if l.Entry != "" && seen[l.Entry] {
			t.Errorf("entry %s stands twice", l.Entry)
		}
		seen[l.Entry] = true
	}
	if refused != 12 {
		t.Errorf("%d refusals, want 12: %v", refused, got)
	}
}

// bytewise is a file that takes its time for each byte, so that lines that are not kept apart mix.
type bytewise struct{ bytes.Buffer }

func (b *bytewise) Write(p []byte) (int, error) {
	for i := range p {
		b.Buffer.WriteByte(p[i])
		if i%16 == 0 {
			runtime.Gosched()
		}
	}
	return len(p), nil
}

// fullDisk takes the first bytes of a line and then no more, while it is full.
type fullDisk struct {
	bytes.Buffer
	full  bool
	takes int
	quiet bool // reports a short write as none does that follows io.Writer
}

func (d *fullDisk) Write(p []byte) (int, error) {
	if !d.full {
		return d.Buffer.Write(p)
	}
	n, _ := d.Buffer.Write(p[:min(d.takes, len(p))])
	if d.quiet {
		return n, nil
	}
	return n, errors.New("no space left on device")
}

// TestAuditFullDisk: calls go on, one warning is logged for each time that the disk is full, and no line is spoilt by another.
func TestAuditFullDisk(t *testing.T) {
	t.Parallel()
	for _, disk := range []*fullDisk{{}, {takes: 20}, {takes: 20, quiet: true}, {takes: 1}} {
		var log bytes.Buffer
		r, _ := audited(t, disk, func(s *setup) { s.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		for i := range 9 {
			disk.full = i%4 > 1 // 2, 3, 6 and 7
			if got := r.call("toggle-flag", fmt.Sprintf(flip, i%2 == 1)); !strings.Contains(got, `"changed":true`) {
				t.Error(got)
			}
			r.server.Close()
		}
		whole := 0
		for text := range strings.Lines(disk.String()) {
			var l trailLine
			if json.Unmarshal([]byte(text), &l) == nil {
				whole++
			} else if len(text) > disk.takes+1 {
				t.Errorf("a line is spoilt: %s", text)
			}
		}
		if warned, over := strings.Count(log.String(), "cannot be written"), strings.Count(log.String(), "written again"); whole != 5 || warned != 2 || over != 2 {
			t.Errorf("takes %d: %d whole lines, want 5; %d warnings, want 2; %d ends, want 2:\n%s", disk.takes, whole, warned, over, log.String())
		}
	}
}

// TestAuditRequired: no change is sent that the audit file takes no line of, and each that is sent has two.
func TestAuditRequired(t *testing.T) {
	t.Parallel()
	if _, err := tools.New(tools.Options{AuditRequired: true}); err == nil {
		t.Error("it starts without an audit file")
	}
	for _, tool := range everyTool() {
		if tool.Effect == tools.Read {
			continue
		}
		disk := &fullDisk{full: true, takes: 10}
		r, account := audited(t, disk, func(s *setup) { s.AuditRequired = true })
		got := r.callWith(tool.Name, sample(t, tool, "test"))
		if !strings.HasPrefix(got, "! The audit file of this server cannot be written") || !strings.Contains(got, "Nothing was changed.") || len(account.Writes()) > 0 {
			t.Errorf("%s: %d writes: %s", tool.Name, len(account.Writes()), got)
		}
	}
	var file bytes.Buffer
	r, account := audited(t, &file, func(s *setup) { s.AuditRequired = true })
	r.call("toggle-flag", fmt.Sprintf(flip, true)) // is on already
	r.call("toggle-flag", strings.Replace(fmt.Sprintf(flip, false), `"on"`, `"dryRun":true,"on"`, 1))
	r.call("toggle-flag", fmt.Sprintf(flip, false))
	account.Next(sandbox.Fault{Status: 409, Body: `{"code":"optimistic_locking_error","message":"changed meanwhile"}`, Match: func(r *http.Request) bool { return r.Method == http.MethodPatch }})
	r.call("toggle-flag", fmt.Sprintf(flip, true)) // is made a second time
	got := lines(t, r, &file)
	var outcomes []string
	calls := map[string]int{}
	for _, l := range got {
		outcomes = append(outcomes, l.Outcome)
		calls[l.Call]++
	}
	if fmt.Sprint(outcomes) != "[attempt ok attempt ok]" && fmt.Sprint(outcomes) != "[attempt attempt ok ok]" || len(calls) != 2 || calls[""] > 0 {
		t.Errorf("%v, %v", outcomes, calls)
	}
}

// TestAttemptsEnd: what was attempted has an end in the file, also when planning it anew found something else.
func TestAttemptsEnd(t *testing.T) {
	t.Parallel()
	lock := sandbox.Fault{Status: 409, Body: `{"code":"optimistic_locking_error","message":"changed meanwhile"}`, Match: func(r *http.Request) bool { return r.Method == http.MethodPatch }}
	done := lock
	done.After = true // somebody else did the same
	var locked atomic.Bool
	gone := sandbox.Fault{Status: 404, Body: `{"code":"not_found","message":"Unknown flag key dark-mode"}`, Match: func(r *http.Request) bool { return r.Method == http.MethodGet && locked.Load() }}
	first := lock
	first.Match = func(r *http.Request) bool {
		locked.Store(r.Method == http.MethodPatch)
		return r.Method == http.MethodPatch
	}
	for name, test := range map[string]struct {
		faults  []sandbox.Fault
		outcome string
	}{"locked twice": {[]sandbox.Fault{lock, lock}, "error"}, "gone": {[]sandbox.Fault{gone, first}, "error"}, "done already": {[]sandbox.Fault{done}, "ok"}} {
		var file bytes.Buffer
		r, account := audited(t, &file, func(s *setup) { s.AuditRequired = true })
		for _, f := range test.faults {
			account.Next(f)
		}
		said := r.call("toggle-flag", fmt.Sprintf(flip, false))
		got := lines(t, r, &file)
		if len(got) != 2 || got[0].Outcome != "attempt" || got[1].Outcome != test.outcome || got[1].Call != got[0].Call || got[1].Entry != "" || (got[1].Message == "nothing was changed") != (test.outcome == "ok") {
			t.Errorf("%s: %s: %+v", name, said, got)
		}
	}
}

// TestAuditOnDevFull writes to the device that is always full, where there is one.
func TestAuditOnDevFull(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	defer full.Close()
	for _, required := range []bool{false, true} {
		r, account := audited(t, full, func(s *setup) { s.AuditRequired = required })
		got := r.call("toggle-flag", fmt.Sprintf(flip, false))
		r.server.Close()
		if strings.Contains(got, `"changed":true`) == required || (len(account.Writes()) == 0) != required {
			t.Errorf("required %v: %s", required, got)
		}
	}
}

// TestAuditHoldsNoSecret hides secrets wherever a line takes text from outside, split by what nobody sees.
func TestAuditHoldsNoSecret(t *testing.T) {
	t.Parallel()
	unseen := []string{"", "", "\u200b", "\ufeff", "\u2060", "\u00ad", "\x01", "\U000e0041", "\u202e"}
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		var hidden []string
		plant := func() string {
			var uuid strings.Builder
			for i, n := range []int{8, 4, 4, 4, 12} {
				if i > 0 {
					uuid.WriteByte('-')
				}
				for range n {
					uuid.WriteByte("0123456789abcdef"[rnd.IntN(16)])
				}
			}
			hidden = append(hidden, uuid.String())
			var out strings.Builder
			for _, c := range []string{"sdk-", "mob-", "api-", "rel-"}[rnd.IntN(4)] + uuid.String() {
				out.WriteRune(c)
				out.WriteString(unseen[rnd.IntN(len(unseen))])
			}
			return []string{"", "x ", `"`, "<b>"}[rnd.IntN(4)] + out.String()
		}
		var file bytes.Buffer
		r, account := audited(t, &file, func(s *setup) { s.Confirm = tools.ConfirmAuto })
		said, _ := json.Marshal(map[string]string{"code": "invalid_request", "message": plant()})
		raw := func(args map[string]any) {
			params := map[string]any{"name": "toggle-flag", "arguments": args, "_meta": map[string]any{
				"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": map[string]any{"name": plant(), "version": "1"},
				"io.modelcontextprotocol/clientCapabilities": map[string]any{"elicitation": map[string]any{}}}}
			message, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
			r.server.MCP().HandleMessage(tools.WithPerson(t.Context(), plant()), message)
		}
		raw(map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test", "on": false, "comment": plant()})
		raw(map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "production", "on": true, "comment": plant()}) // asks
		account.Next(sandbox.Fault{Status: 400, Body: string(said), Match: func(r *http.Request) bool { return r.Method == http.MethodPatch }})
		raw(map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test", "on": true, "comment": plant()})
		account.Next(sandbox.Fault{Status: 403, Body: string(said), Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/environments/test") }})
		raw(map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test", "on": true, "comment": plant()})
		raw(map[string]any{"projectKey": plant(), "flagKey": plant(), "environmentKey": plant(), "on": true, "comment": plant(), "confirm": plant()})
		got := lines(t, r, &file)
		if len(got) < 4 || !strings.Contains(file.String(), "****") {
			t.Fatalf("seed %d: the test shows little: %s", seed, file.String())
		}
		for _, secret := range hidden {
			for i := range len(secret) - 8 {
				if strings.Contains(file.String(), secret[i:i+9]) {
					t.Fatalf("seed %d: %s is shown: %s", seed, secret, file.String())
				}
			}
		}
		for _, c := range unseen[2:] {
			if strings.Contains(file.String(), c) {
				t.Errorf("seed %d: %+q is in the file", seed, c)
			}
		}
	}
}
