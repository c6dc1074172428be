package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/internal/choice"
)

// FuzzDecide evaluates any policy, read from JSON and mixed with drawn statements, for any action on any resource.
func FuzzDecide(f *testing.F) {
	for i, text := range []string{
		`[{"effect":"allow","actions":["*"],"resources":["*"]}]`,
		`[{"effect":"deny","actions":["updateOn"],"resources":["proj/*:env/production:flag/*"]},{"effect":"allow","notActions":["deleteFlag"],"notResources":["proj/a:env/*:flag/b"]}]`,
		`[{"effect":"allow","actions":["update*"],"resources":["proj/*;a,b:env/*;{critical:false}:flag/*;view:v"]}]`,
		`[{"effect":"allow","actions":["viewProject"],"resources":["proj/${roleAttribute/p}"]},{"effect":"deny","actions":[],"resources":[]}]`,
		`[{"effect":"maybe","actions":["*"],"resources":["acct"]},{"effect":"deny","actions":null,"notActions":["*"],"resources":["member/*:token/*","ip-allowlist"]}]`,
		`[{"effect":"allow","actions":["*"],"resources":["code-reference-repository/a/b:c","proj/**a**:env/b","proj/:env/","{:}",""]}]`,
		`null`, `[null,{}]`,
	} {
		f.Add(text, "updateOn", "proj/a:env/b:flag/ab", choice.Seeds(8)[i])
	}
	f.Add(`[]`, "", "*", []byte{})
	for _, data := range choice.Seeds(2000) {
		f.Add(`[]`, "updateOn", "", data)
	}
	f.Fuzz(func(t *testing.T, text, action, resource string, data []byte) {
		var p []Statement
		if json.Unmarshal([]byte(text), &p) != nil {
			p = nil
		}
		m := maker{choice.New(data)}
		p = append(p, m.policy()...)
		res, err := ParseResource(resource)
		if err != nil || !placed(res) || m.IntN(4) == 0 {
			res = m.resource(t, m.IntN(2) == 0)
		}
		if m.IntN(3) == 0 {
			action = m.action()
		}
		checkDecision(t, p, action, res, m)
		attrs := Attributes{"p": {"a", "b;c", "${roleAttribute/p}"}, "e": {}}
		if m.IntN(2) == 0 {
			attrs = nil
		}
		roles := Roles{NewRole("read", m.IntN(2) == 0, p, attrs), m.role()}
		checkRoles(t, roles, action, res)
	})
}

// placed tells whether each part of a resource belongs to the one before it, as a resource's own specifier has it.
func placed(r Resource) bool {
	before := ""
	for _, p := range r.parts {
		if kinds()[p.kind] != before {
			return false
		}
		before = p.kind
	}
	return true
}

// checkDecision holds what must be so for one policy.
func checkDecision(t *testing.T, p []Statement, action string, res Resource, m maker) {
	t.Helper()
	v, at := Decide(p, action, res)
	if v != No && (at < 0 || at >= len(p)) {
		t.Fatalf("%s by statement %d of %d", v, at, len(p))
	}
	if again, _ := Decide(p, action, res); again != v {
		t.Fatalf("%s, then %s", v, again)
	}
	if v == Yes && !CouldEver(p, action, res.Kind()) && res.Kind() != "" {
		t.Fatalf("%v allows %s on %v, which could never be", p, action, res)
	}
	all := func(effect string) Statement {
		return Statement{Effect: effect, Actions: []string{"*"}, Resources: []string{"*"}}
	}
	without := append(slices.Clone(p), all("deny"))
	if got, by := Decide(without, action, res); got != No || by < 0 || without[by].Effect != "deny" {
		t.Fatalf("%v: with everything denied %s by %d", p, got, by)
	}
	denied := slices.ContainsFunc(readAll(p, Attributes{}), func(r rule) bool { return r.Effect == "deny" && r.match(action, res) != No })
	if got, _ := Decide(append(slices.Clone(p), all("allow")), action, res); got != Yes && !denied {
		t.Fatalf("%v: with everything allowed, and nothing denied, %s", p, got)
	}
	if more, _ := Decide(append(slices.Clone(p), m.statement("deny")), action, res); more > v {
		t.Fatalf("a deny added: %v on %v: %s was %s", p, res, more, v)
	}
	if more, _ := Decide(append(slices.Clone(p), m.statement("allow")), action, res); more < v {
		t.Fatalf("an allow took away: %v on %v: %s was %s", p, res, more, v)
	}
	order := slices.Clone(p)
	slices.Reverse(order)
	if got, _ := Decide(order, action, res); got != v {
		t.Fatalf("%v on %v: %s, and %s the other way around", p, res, v, got)
	}
	// Of what is known less, nothing else is said for certain.
	if bare, _ := Decide(p, action, Resource{Specifier: res.Specifier}); bare != Unknown && v != bare {
		t.Fatalf("%v on %v: %s, and %s once more is known", p, res, bare, v)
	}
}

// checkRoles holds what must be so for roles together.
func checkRoles(t *testing.T, roles Roles, action string, res Resource) {
	t.Helper()
	both, why := roles.Can(action, res)
	for i := range roles {
		if one, _ := roles[i:i+1].Can(action, res); one > both {
			t.Fatalf("role %d alone: %s, with another one %s", i, one, both)
		}
	}
	if why.Role < 0 || why.Role >= len(roles) {
		t.Fatalf("decided by role %d of %d", why.Role, len(roles))
	}
	if could, _ := roles.CouldEver(action, res.Kind()); both == Yes && !could && res.Kind() != "" {
		t.Fatalf("%v allow %s on %v, which could never be", roles, action, res)
	}
	changing := action != AnyChange && !strings.HasPrefix(action, "view")
	if could, _ := roles.CouldEver(AnyChange, res.Kind()); both == Yes && changing && !could && res.Kind() != "" {
		t.Fatalf("%v allow %s on %v, and no change could ever be", roles, action, res)
	}
	token := Principal{Token: roles[:1], Owner: roles[1:]}
	got, because := token.Can(action, res)
	first, _ := roles[:1].Can(action, res)
	second, _ := roles[1:].Can(action, res)
	if got != min(first, second) {
		t.Fatalf("the token %s and its owner %s make %s", first, second, got)
	}
	token.Deciding(because)
	if worst, _, at := token.CanAll([]Need{{"viewProject", res}, {action, res}}); worst > got || at < 0 {
		t.Fatalf("all of two things: %s by %d, one of them %s", worst, at, got)
	}
}
