package tools_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// A faultPoint is a request of a call at which a fault is injected: a column of the matrix.
type faultPoint struct {
	class, tool string
	where       string // "" for the first request
	args        map[string]any
	before      [3]string                // request that makes the account what it was before an earlier call: method, path and body
	on          func(*http.Request) bool // nil for the first request
	write       bool                     // the request that changes something
	spare       bool                     // a request that the reply can do without
}

// at matches requests by method and the end of their path.
func at(method, end string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, end) }
}

var (
	inFlag   = map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test"}
	oldFlag  = map[string]any{"projectKey": "shop", "flagKey": "spring-sale", "comment": "because"}
	inShop   = map[string]any{"projectKey": "shop", "environmentKey": "test"}
	switched = map[string]any{"projectKey": "shop", "flagKey": "dark-mode", "environmentKey": "test", "on": false, "comment": "because"}
	newFlag  = map[string]any{"projectKey": "shop", "key": "spring-sale", "name": "Spring sale", "comment": "because"}

	switchOn = [3]string{"PATCH", "/api/v2/flags/shop/dark-mode", `{"environmentKey":"test","instructions":[{"kind":"turnFlagOn"}]}`}
	noFlag   = [3]string{"DELETE", "/api/v2/flags/shop/spring-sale"}
	aFlag    = [3]string{"POST", "/api/v2/flags/shop", `{"key":"spring-sale","name":"Spring sale"}`}
)

// faultTables are the columns, in the tables that they stand in.
var faultTables = []struct {
	title  string
	points []faultPoint
}{
	{"The first request of a call meets the fault", []faultPoint{
		{class: "read", tool: "get-flag", args: inFlag},
		{class: "list", tool: "list-flags", args: inShop},
		{class: "composed", tool: "check-removal-readiness", args: inFlag},
		{class: "write", tool: "toggle-flag", args: switched, before: switchOn},
		{class: "create", tool: "create-flag", args: newFlag, before: noFlag},
		{class: "delete", tool: "delete-flag", args: oldFlag, before: aFlag},
	}},
	{"A later request meets the fault", []faultPoint{
		{class: "composed", tool: "check-removal-readiness", where: "a part that it needs", args: inFlag, on: at("GET", "/flags/shop/dark-mode")},
		{class: "composed", tool: "check-removal-readiness", where: "a part that it can do without", args: inFlag, on: at("GET", "/code-refs/statistics/shop"), spare: true},
		{class: "write", tool: "toggle-flag", where: "the look at what is protected", args: switched, before: switchOn, on: at("GET", "/environments/test")},
		{class: "write", tool: "toggle-flag", where: "the change itself", args: switched, before: switchOn, on: writes, write: true},
		{class: "create", tool: "create-flag", where: "the change itself", args: newFlag, before: noFlag, on: writes, write: true},
		{class: "delete", tool: "delete-flag", where: "the change itself", args: oldFlag, before: aFlag, on: writes, write: true},
	}},
}

const (
	faultTimeout = 30 * time.Second // of a call
	lastLooks    = 5 * time.Second  // for what an error message looks up
	faultBody    = 1 << 20          // bytes of a reply at most
)

// causes are what a message can say went wrong, and the table's word for it.
var causes = []struct{ text, word string }{
	{"The access token is not valid here", "token"},
	{"instead of LaunchDarkly's JSON", "not LaunchDarkly's"},
	{"redirects elsewhere", "redirect"},
	{"The rate limit of the account is used up", "rate limit"},
	{"(HTTP 403", "role"},
	{"(HTTP 404", "key"},
	{"(HTTP 405", "not allowed"},
	{"HTTP 409 optimistic_locking_error", "changed meanwhile"},
	{"(HTTP 409", "in the way"},
	{"(HTTP 5", "its fault"},
	{"could not be reached", "not reached"},
	{"did not answer in time", "too slow"},
	{"was cut short", "cut short"},
	{"is larger than", "too large"},
	{"is not LaunchDarkly's", "not LaunchDarkly's"},
	{"holds no ", "not LaunchDarkly's"},
}

// steps are what a message can tell the caller to do, one of which each has.
var steps = []string{"check that it is an access token", "Check --region and --base-url", "Use another token", "token's role needs", "token's role must allow", "list-flags", "list-projects",
	"Check the key", "read it again and decide anew", "choose another key", "read the resource", "wait 2 s, then", "wait 10 s, then", "wait a minute, then", "try again later",
	"set --base-url", "check --base-url", "ask for less", "Try again; if it stays so"}

// unknownEnd is what a reply says that does not know whether a change was made, and how to find out.
const unknownEnd = "It is not known whether the change was made: read the resource before trying again."

// bubbles is the time at which each bubble begins.
var bubbles = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// prepare undoes what an earlier call did.
func (p faultPoint) prepare(account *sandbox.Account) {
	if p.before == [3]string{} {
		return
	}
	r := httptest.NewRequest(p.before[0], p.before[1], strings.NewReader(p.before[2]))
	r.Header.Set("Authorization", sandbox.WriterToken)
	r.Header.Set("Content-Type", "application/json; domain-model=launchdarkly.semanticpatch")
	account.ServeHTTP(httptest.NewRecorder(), r)
}

// met is what came of a call that met a fault.
type met struct {
	u       *upstream
	outcome string
	text    string
	took    time.Duration
	fault   faultKind
	point   faultPoint
}

// meet calls a tool whose request meets a fault; carriedOut says whether LaunchDarkly has done its work by then.
func meet(t *testing.T, account *sandbox.Account, f faultKind, p faultPoint, carriedOut bool) met {
	p.prepare(account)
	u := newUpstream(t, account)
	hits := 0
	var mu sync.Mutex
	hit := func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		u.mu.Lock()
		first := u.reads+u.writes <= 1
		u.mu.Unlock()
		if p.on == nil && first { // it is met at each try
			path, method := r.URL.Path, r.Method
			p.on = func(r *http.Request) bool { return r.URL.Path == path && r.Method == method }
		}
		if p.on == nil || !p.on(r) || f.times > 0 && hits == f.times {
			return false
		}
		hits++
		return true
	}
	if f.noDial {
		u.refuse = hit
	} else {
		u.before = func(w http.ResponseWriter, r *http.Request) bool {
			if !hit(r) {
				return false
			}
			time.Sleep(latency * 3 / 2) // so that it never ties with an answer
			x := exchange{ResponseWriter: w, u: u, r: r}
			if f.alters || carriedOut {
				x.real = u.carryOut(r)
			}
			f.answer(x)
			return true
		}
	}
	m := met{u: u, fault: f, point: p}
	r := u.open(t, func(s *setup) {
		s.client.MaxBody, s.Timeout, s.Around = faultBody, faultTimeout, noteOutcome(&m.outcome)
		s.Toolsets, s.Tools = nil, []string{p.tool}
	})
	began := time.Now()
	m.text = r.callWith(p.tool, p.args)
	m.took = time.Since(began)
	synctest.Wait() // for what the upstream still does
	if hits == 0 {
		t.Errorf("the fault was not met: %s", m.text)
	}
	return m
}

// TestFaultMatrix meets every kind of tool with every fault, at each request
// where that makes a difference. The table of what comes of it is docs/faults.md.
func TestFaultMatrix(t *testing.T) {
	cells := map[string]string{}
	var mu sync.Mutex
	name := func(f faultKind, p faultPoint) string { return f.name + " | " + p.class + " | " + p.where }
	t.Run("cell", func(t *testing.T) {
		for _, f := range faultKinds {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				account := sandbox.New(sandbox.Options{Now: func() time.Time { return bubbles }})
				for _, table := range faultTables {
					for _, p := range table.points {
						var got []string
						for _, carriedOut := range []bool{false, true} {
							// A deletion that is said to have succeeded was carried out.
							if carriedOut && !(p.write && f.lost) || !carriedOut && p.write && f.deletes && effectOf(p.tool) == tools.Delete {
								continue
							}
							synctest.Test(t, func(t *testing.T) {
								m := meet(t, account, f, p, carriedOut)
								for _, wrong := range m.wrong() {
									t.Errorf("%s %s, carried out %t: %s: %s", p.tool, p.where, carriedOut, wrong, m.text)
								}
								got = append(got, m.cell())
							})
						}
						if len(got) == 2 && got[0] != got[1] {
							t.Errorf("%s %s: the caller is told %q when it was not carried out and %q when it was", p.tool, p.where, got[0], got[1])
						}
						mu.Lock()
						cells[name(f, p)] = got[0]
						mu.Unlock()
					}
				}
			})
		}
	})
	var b strings.Builder
	b.WriteString(faultLegend)
	for _, table := range faultTables {
		fmt.Fprintf(&b, "\n## %s\n\n| Fault |", table.title)
		for _, p := range table.points {
			fmt.Fprintf(&b, " %s<br>`%s`", p.class, p.tool)
			if p.where != "" {
				fmt.Fprintf(&b, "<br>%s", p.where)
			}
			b.WriteString(" |")
		}
		b.WriteString("\n|---" + strings.Repeat("|---", len(table.points)) + "|\n")
		for _, f := range faultKinds {
			fmt.Fprintf(&b, "| %s |", f.name)
			for _, p := range table.points {
				cell := cells[name(f, p)]
				if cell == "" {
					t.Errorf("no cell: %s", name(f, p))
				}
				fmt.Fprintf(&b, " %s |", cell)
			}
			b.WriteString("\n")
		}
	}
	const file = "../docs/faults.md"
	if *rewrite {
		if err := os.MkdirAll("../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); d != "" {
		t.Errorf("docs/faults.md says otherwise; if this is right, run go test ./tools -run TestFaultMatrix -update: %s", d)
	}
}

const faultLegend = `# What comes of faults

This table is made by ` + "`go test ./tools -run TestFaultMatrix -update`" + `, which makes every call that is counted here.
A cell says how the call ended, with the cause that its message names, and how many requests were made: reads, and writes where there were any.
"Not changed" and "perhaps changed" are what the caller of a tool that writes is told; no change was ever carried out twice, and what was carried out was never denied. Calls are given 30 seconds here and replies 1 MB; a cell names the time where it was used up.
`

// failed reports whether a call ended in an error.
func (m met) failed() bool { return strings.HasPrefix(m.text, "!") }

func (m met) unchanged() bool { return strings.Contains(m.text, "Nothing was changed") }

// wrong lists the rules that a call broke.
func (m met) wrong() []string {
	var out []string
	rule := func(ok bool, format string, args ...any) {
		if !ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	u, f, p, text := m.u, m.fault, m.point, strings.TrimPrefix(m.text, "! ")
	effect := effectOf(p.tool)
	rule(u.applied <= 1, "%d writes were carried out", u.applied)
	rule(len(u.elsewhere) == 0, "%v was asked", u.elsewhere)
	rule(u.longest <= faultBody+4<<10, "%d bytes of a body were read", u.longest)
	rule(m.took <= faultTimeout+lastLooks, "it took %s", m.took)
	rule(!strings.Contains(m.text, sandbox.WriterToken), "the token shows")
	rule(p.write || f.fine || u.writes == 0, "%d writes", u.writes)
	fine := f.fine || p.spare || f.deletes && p.write && effect == tools.Delete
	rule(fine != m.failed() || m.outcome == "approval", "it ended as %s", m.outcome)
	if !m.failed() {
		rule(m.outcome == "approval" || effect == tools.Read || u.applied == 1 && strings.Contains(text, `"changed":true`), "it does not tell of the change")
		rule(m.outcome != "approval" || u.applied == 0 && m.unchanged(), "it does not tell that nothing was changed")
		rule(!p.spare || strings.Contains(text, "could not be read") == !f.fine, "what is missing is not said")
		return out
	}
	rule(len(text) <= 500 && !strings.ContainsAny(text, "<>\n"), "not one plain message")
	rule(strings.HasSuffix(text, "."), "not a sentence")
	rule(m.cause() != "", "no cause is named")
	var told bool
	for _, step := range steps {
		told = told || strings.Contains(text, step)
	}
	rule(told, "no next step")
	if effect != tools.Read {
		unknown := strings.Contains(text, unknownEnd)
		rule(unknown != m.unchanged(), "it is not clear whether something was changed")
		rule(u.applied == 0 || unknown, "what was done is denied")
		rule(unknown == (p.write && f.lost), "whether it may have been changed is wrong")
	}
	return out
}

func (m met) cause() string {
	for _, c := range causes {
		if strings.Contains(m.text, c.text) {
			return c.word
		}
	}
	return ""
}

// cell says in short what came of a call.
func (m met) cell() string {
	var b strings.Builder
	switch {
	case m.failed():
		fmt.Fprintf(&b, "%s: %s", m.outcome, m.cause())
	case m.outcome == "ok":
		b.WriteString("reply")
		if strings.Contains(m.text, "could not be read") {
			b.WriteString(", a part missing")
		}
	default:
		b.WriteString(m.outcome)
	}
	counted := func(n int, what string) {
		if n == 1 {
			fmt.Fprintf(&b, "1 %s", what)
		} else {
			fmt.Fprintf(&b, "%d %ss", n, what)
		}
	}
	b.WriteString("; ")
	counted(m.u.reads, "read")
	if m.u.writes > 0 {
		b.WriteString(", ")
		counted(m.u.writes, "write")
	}
	switch {
	case effectOf(m.point.tool) == tools.Read:
	case m.unchanged():
		b.WriteString("; not changed")
	case m.failed():
		b.WriteString("; perhaps changed")
	}
	if m.took >= faultTimeout {
		fmt.Fprintf(&b, "; %.0f s", m.took.Seconds())
	}
	return b.String()
}

func effectOf(name string) tools.Effect {
	for _, tool := range everyTool() {
		if tool.Name == name {
			return tool.Effect
		}
	}
	panic("there is no tool " + name)
}
