package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// referenceFile holds cases of LaunchDarkly's policy language, beside a checkout.
const referenceFile = "../../../shared/reference/policies.md"

// A policyCase is one question and its answer.
type policyCase struct {
	ID       int
	Fn       string
	Note     string
	Policy   []Statement
	Who      *caseWho
	Action   string
	Kind     string
	Resource string
	Needs    [][2]string
	Facts    map[string]caseFacts
	Envs     ordered
	Expect   any
	By       string
}

type caseWho struct {
	Roles  []caseRole
	Member *struct {
		Role        string
		CustomRoles []caseRole
		Teams       []struct {
			Roles []caseRole
			Attrs Attributes
		}
		Grants []struct {
			Actions  []string
			Resource string
		}
		Attrs Attributes
	}
	Token *struct {
		Role        string
		CustomRoles []caseRole
		InlineRole  []Statement
	}
}

type caseRole struct {
	Policy []Statement
	Base   string
	Attrs  Attributes
}

func (r caseRole) role(attrs Attributes) Role {
	if r.Attrs != nil {
		attrs = r.Attrs
	}
	if attrs == nil {
		attrs = Attributes{}
	}
	return NewRole("role", r.Base == "reader", r.Policy, attrs)
}

// caseFacts is what a case tells of one resource; what is missing is not known.
type caseFacts struct {
	Tags, Views []string
	Critical    *bool
}

func (f caseFacts) facts() Facts {
	out := Facts{Tags: f.Tags, Views: f.Views}
	if f.Critical != nil {
		out.Critical = Known(*f.Critical)
	}
	return out
}

// ordered are the environments of a project in the order in which they are written.
type ordered []struct {
	key   string
	facts caseFacts
}

func (o *ordered) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		*o = append(*o, struct {
			key   string
			facts caseFacts
		}{key: key.(string)})
		if err := d.Decode(&(*o)[len(*o)-1].facts); err != nil {
			return err
		}
	}
	return nil
}

// resource reads a specifier; a kind of which the case tells nothing has nothing.
func (c policyCase) resource(t *testing.T, s string) Resource {
	t.Helper()
	r, err := ParseResource(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.parts {
		f, told := c.Facts[p.kind]
		if told {
			r = r.With(p.kind, f.facts())
		} else {
			r = r.With(p.kind, Plain)
		}
	}
	return r
}

func (w caseWho) principal() Principal {
	var p Principal
	for _, r := range w.Roles {
		p.Token = append(p.Token, r.role(nil))
	}
	var member Roles
	if m := w.Member; m != nil {
		for _, r := range m.CustomRoles {
			member = append(member, r.role(m.Attrs))
		}
		if len(member) == 0 {
			member = Roles{BuiltIn(m.Role)}
		}
		for _, team := range m.Teams {
			for _, r := range team.Roles {
				member = append(member, r.role(team.Attrs))
			}
		}
		for _, g := range m.Grants {
			member = append(member, NewRole("grant", false, []Statement{{Effect: "allow", Actions: g.Actions, Resources: []string{g.Resource}}}, nil))
		}
	}
	if w.Token == nil {
		p.Token = append(p.Token, member...)
		return p
	}
	p.Owner = member
	switch tok := w.Token; {
	case tok.InlineRole != nil:
		p.Token = Roles{NewRole("inline", true, tok.InlineRole, nil)}
	case len(tok.CustomRoles) > 0:
		for _, r := range tok.CustomRoles {
			p.Token = append(p.Token, r.role(nil))
		}
	default:
		p.Token = Roles{BuiltIn(tok.Role)}
	}
	return p
}

// by says in a word what decided.
func by(p Principal, v Verdict, why Reason) string {
	roles, out := p.Token, ""
	if v != Yes && p.Owner != nil {
		out = "token/"
		if why.Owner {
			out, roles = "owner/", p.Owner
		}
	}
	if why.Gate {
		out += "gate:"
	}
	switch {
	case why.Base && roles[why.Role].BuiltIn != "":
		return out + "base:" + roles[why.Role].BuiltIn
	case why.Statement >= 0:
		return out + fmt.Sprintf("r%d#%d", why.Role, why.Statement)
	case why.Base:
		return out + fmt.Sprintf("r%d:base", why.Role)
	}
	return out + fmt.Sprintf("r%d:default", why.Role)
}

var verdictWords = map[Verdict]string{Yes: "allowed", No: "denied", Unknown: "unknown"}

// check asks a case's question and compares the answer, and what decided where the case tells it.
func (c policyCase) check(t *testing.T) {
	t.Helper()
	var got any
	decided := ""
	single := Principal{Token: Roles{NewRole("role", false, c.Policy, Attributes{})}}
	switch c.Fn {
	case "decide":
		v, at := Decide(c.Policy, c.Action, c.resource(t, c.Resource))
		got, decided = verdictWords[v], fmt.Sprintf("#%d", at)
		if at < 0 {
			decided = "default"
		}
	case "can":
		p := c.Who.principal()
		v, why := p.Can(c.Action, c.resource(t, c.Resource))
		got, decided = verdictWords[v], by(p, v, why)
	case "allEnvs":
		var needs []Need
		for _, e := range c.Envs {
			needs = append(needs, Need{c.Action, c.resource(t, strings.Replace(c.Resource, "env/*", "env/"+e.key, 1)).With("env", e.facts.facts())})
		}
		v, why, at := single.CanAll(needs)
		got, decided = verdictWords[v], by(single, v, why)
		if v != Yes {
			decided += "@" + c.Envs[at].key
		}
	case "needs":
		var needs []Need
		for _, n := range c.Needs {
			needs = append(needs, Need{n[0], c.resource(t, n[1])})
		}
		v, _, _ := single.CanAll(needs)
		got = verdictWords[v]
	case "couldEver":
		got = CouldEver(c.Policy, c.Action, c.Kind)
	default:
		t.Fatalf("case %d: no function %q", c.ID, c.Fn)
	}
	if got != c.Expect {
		t.Errorf("case %d (%s): got %v by %s, want %v by %s", c.ID, c.Note, got, decided, c.Expect, c.By)
	} else if c.By != "" && c.By != decided {
		t.Errorf("case %d (%s): %v is decided by %s, want %s", c.ID, c.Note, got, decided, c.By)
	}
}

func readCases(t *testing.T, text []byte) []policyCase {
	t.Helper()
	var out []policyCase
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if !bytes.HasPrefix(lines.Bytes(), []byte(`{"id":`)) {
			continue
		}
		var c policyCase
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		if err := d.Decode(&c); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		out = append(out, c)
	}
	return out
}

// TestReferenceCases asks what LaunchDarkly documents.
func TestReferenceCases(t *testing.T) {
	text, err := os.ReadFile(referenceFile)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cases := readCases(t, text)
	if len(cases) < 130 {
		t.Errorf("%d cases, want at least 130", len(cases))
	}
	for _, c := range cases {
		c.check(t)
	}
}

// TestParse reads specifiers and writes them again.
func TestParse(t *testing.T) {
	type parts [][]string // kind, name, filters
	for in, want := range map[string]parts{
		"*":                             {},
		"acct":                          {{"acct", ""}},
		"acct/*":                        {{"acct", ""}},
		"member/*:token/*":              {{"member", "*"}, {"token", "*"}},
		"code-reference-repository/a/b": {{"code-reference-repository", "a/b"}},
		"proj/*:env/*;{critical:true}:flag/*;view:squad-a":    {{"proj", "*"}, {"env", "*", "{critical:true}"}, {"flag", "*", "view:squad-a"}},
		"proj/x:env/*;qa_*,{critical:false}:flag/ops_*;t1,t2": {{"proj", "x"}, {"env", "*", "qa_*", "{critical:false}"}, {"flag", "ops_*", "t1", "t2"}},
		"proj/x:env/*;qa:/flag/*":                             {{"proj", "x"}, {"env", "*", "qa"}, {"flag", "*"}},
		"proj/x:goal/m":                                       {{"proj", "x"}, {"metric", "m"}},
		"proj/x;view:env:env/e":                               {{"proj", "x", "view:env"}, {"env", "e"}},
		"proj/p:view/V:flag/x":                                {{"proj", "p"}, {"view", "V"}, {"flag", "x"}},
		"ip-allowlist":                                        {{"ip-allowlist", ""}},
	} {
		got, err := ParseSpecifier(in)
		if err != nil {
			t.Error(err)
			continue
		}
		have := parts{}
		for _, p := range got.parts {
			have = append(have, append([]string{p.kind, p.name}, p.filters...))
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("%s: %s", in, d)
		}
		again, err := ParseSpecifier(got.String())
		if err != nil || again.String() != got.String() {
			t.Errorf("%s is written %s, which reads as %s, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "proj/k:*", "flag", "proj/", "proj", "proj/a:foo/b", "foo/b", "proj/a;", "proj/a;b,", "proj/a;{critical}",
		"proj/a;{critical:true", "proj/a:env/", "acct/x", "proj/a:", ":proj/a", "flag:proj/a", "proj/a;view:"} {
		if got, err := ParseSpecifier(in); err == nil {
			t.Errorf("%q reads as %s, want an error", in, got)
		}
	}
}
