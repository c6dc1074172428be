package policy

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A maker makes random policies out of few words, so that they often meet.
type maker struct{ *rand.Rand }

func (m maker) one(of ...string) string { return of[m.IntN(len(of))] }

func (m maker) filter() string {
	switch m.IntN(6) {
	case 0:
		return ";" + m.one("a", "b", "a*", "a,b")
	case 1:
		return ";{critical:" + m.one("true", "false") + "}"
	}
	return ""
}

func (m maker) specifier() string {
	name := func() string { return m.one("a", "b", "ab", "*", "a*", "*b") + m.filter() }
	switch m.IntN(8) {
	case 0:
		return "*"
	case 1:
		return "proj/" + name()
	case 2:
		return "proj/" + name() + ":env/" + name()
	case 3:
		return "proj/" + name() + ":env/" + name() + ":segment/" + name()
	}
	return "proj/" + name() + ":env/" + name() + ":flag/" + name()
}

func (m maker) statement(effect string) Statement {
	s := Statement{Effect: effect}
	actions := []string{m.one("*", "updateOn", "updateRules", "update*", "viewProject", "createFlag")}
	if m.IntN(6) == 0 {
		s.NotActions = actions
	} else {
		s.Actions = actions
	}
	resources := []string{m.specifier()}
	if m.IntN(6) == 0 {
		s.NotResources = resources
	} else {
		s.Resources = resources
	}
	return s
}

func (m maker) policy() []Statement {
	var out []Statement
	for range m.IntN(5) {
		out = append(out, m.statement(m.one("allow", "allow", "deny")))
	}
	return out
}

func (m maker) role() Role {
	if m.IntN(8) == 0 {
		return BuiltIn(m.one("reader", "writer", "admin", "no_access"))
	}
	return NewRole("role", m.IntN(2) == 0, m.policy(), Attributes{})
}

func (m maker) action() string { return m.one("updateOn", "updateRules", "viewProject", "createFlag") }

// resource makes one of which everything is known, or only something.
func (m maker) resource(t *testing.T, allKnown bool) Resource {
	t.Helper()
	key := func() string { return m.one("a", "b", "ab", "ba", "c") }
	text := "proj/" + key()
	if m.IntN(5) > 0 {
		text += ":env/" + key()
		if m.IntN(4) > 0 {
			text += ":" + m.one("flag", "flag", "segment") + "/" + key()
		}
	}
	r, err := ParseResource(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"proj", "env", "flag", "segment"} {
		if allKnown || m.IntN(2) == 0 {
			r = r.With(kind, Facts{Tags: [][]string{{}, {"a"}, {"a", "b"}, {"c"}}[m.IntN(4)], Views: []string{}, Critical: Known(m.IntN(2) == 0)})
		}
	}
	return r
}

// TestProperties holds what must be so for every policy.
func TestProperties(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(1, 2))}
	seen := map[Verdict]int{}
	for range 50_000 {
		p, action, res := m.policy(), m.action(), m.resource(t, m.IntN(2) == 0)
		v, _ := Decide(p, action, res)
		seen[v]++
		if more, _ := Decide(append(p[:len(p):len(p)], m.statement("deny")), action, res); more > v {
			t.Fatalf("a deny added: %v on %v: %s was %s", p, res, more, v)
		}
		if more, _ := Decide(append(p[:len(p):len(p)], m.statement("allow")), action, res); more < v {
			t.Fatalf("an allow took away: %v on %v: %s was %s", p, res, more, v)
		}
		if v == Yes && !CouldEver(p, action, res.Kind()) {
			t.Fatalf("%v allows %s on %v, which could never be", p, action, res)
		}
		roles := Roles{m.role(), m.role()}
		fewer, _ := roles[:1].Can(action, res)
		both, why := roles.Can(action, res)
		if both < fewer {
			t.Fatalf("a role took away: %v on %v: %s was %s", roles, res, both, fewer)
		}
		if could, _ := roles.CouldEver(action, res.Kind()); both == Yes && !could {
			t.Fatalf("%v allow %s on %v, which could never be", roles, action, res)
		}
		if r, s := (Principal{Token: roles}).Deciding(why); s != nil && !readAll([]Statement{*s}, nil)[0].matchAction(decided(action, why)) {
			t.Fatalf("%s is said to be decided by %v of %v", action, s, r)
		}
		token := Principal{Token: roles[:1], Owner: roles[1:]}
		if got, _ := token.Can(action, res); got > fewer {
			t.Fatalf("the owner added: %v on %v: %s was %s", roles, res, got, fewer)
		}
	}
	for _, v := range []Verdict{Yes, No, Unknown} {
		if seen[v] < 50 {
			t.Errorf("%s came only %d times", v, seen[v])
		}
	}
}

func decided(action string, why Reason) string {
	if why.Gate {
		return "viewProject"
	}
	return action
}

// TestKnowingMoreKeepsVerdicts: what was certain stays so once everything is known.
func TestKnowingMoreKeepsVerdicts(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(3, 4))}
	for range 20_000 {
		roles, action, full := Roles{m.role(), m.role()}, m.action(), m.resource(t, true)
		bare := Resource{Specifier: full.Specifier}
		knows, _ := roles.Can(action, full)
		guess, _ := roles.Can(action, bare)
		if guess != Unknown && guess != knows {
			t.Fatalf("%v on %v: %s, and %s once it is known", roles, full, guess, knows)
		}
		if knows == Unknown {
			t.Fatalf("%v on %v is unknown although everything is known", roles, full)
		}
	}
}

// simple matches a pattern one character at a time.
func simple(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return simple(pattern[1:], s) || s != "" && simple(pattern, s[1:])
	}
	return s != "" && pattern[0] == s[0] && simple(pattern[1:], s[1:])
}

func TestGlob(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(5, 6))}
	word := func(letters string) string {
		var b strings.Builder
		for range m.IntN(8) {
			b.WriteByte(letters[m.IntN(len(letters))])
		}
		return b.String()
	}
	matched := 0
	for range 50_000 {
		pattern, s := word("ab*"), word("ab")
		got := Glob(pattern, s)
		if got != simple(pattern, s) {
			t.Fatalf("%q matches %q: %t", pattern, s, got)
		}
		if got {
			matched++
		}
		if d := word("ab*"); got && coversName(d, pattern) && !Glob(d, s) {
			t.Fatalf("%q is said to cover %q, but not %q", d, pattern, s)
		}
	}
	if matched < 1000 {
		t.Errorf("only %d matched", matched)
	}
}

func FuzzParseSpecifier(f *testing.F) {
	for _, s := range []string{"*", "acct", "proj/shop", "proj/*:env/*;{critical:true}:flag/*;view:squad", "proj/x:env/*;qa_*,live:/flag/ops_*",
		"proj/${roleAttribute/p}:env/${roleAttribute/e}:flag/*", "code-reference-repository/a/b:c", "member/*:token/*", "proj/a:b", "proj/;:{}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		spec, err := ParseSpecifier(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(s, "\x00$") { // the value of an attribute is not written again
			return
		}
		again, err := ParseSpecifier(spec.String())
		if err != nil || again.String() != spec.String() {
			t.Fatalf("%q is written %q, which reads as %q, %v", s, spec, again, err)
		}
		r := Resource{Specifier: spec}
		for _, p := range spec.parts {
			r = r.With(p.kind, Facts{Tags: p.filters, Views: []string{}})
		}
		if spec.Match(r) == No && !strings.ContainsAny(s, ";") {
			t.Fatalf("%q does not match itself", s)
		}
	})
}
