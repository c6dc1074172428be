package policy

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCases asks the questions in testdata/cases.txt.
func TestCases(t *testing.T) {
	text, err := os.ReadFile("testdata/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	sections := strings.Split(string(text), "\n== ")
	for _, section := range sections[1:] {
		name, body, _ := strings.Cut(section, "\n")
		t.Run(name, func(t *testing.T) {
			var p Principal
			var flush func()
			roles := &p.Token
			for line := range strings.SplitSeq(strings.TrimSpace(body), "\n") {
				word, rest, _ := strings.Cut(line, " ")
				switch word {
				case "allow", "deny":
					(*roles)[len(*roles)-1].Policy = append((*roles)[len(*roles)-1].Policy, statementIn(t, word, rest))
					continue
				}
				if flush != nil {
					flush()
					flush = nil
				}
				switch word {
				case "owner":
					roles = &p.Owner
				case "builtin":
					*roles = append(*roles, BuiltIn(rest))
				case "unread":
					*roles = append(*roles, Unread("role"))
				case "role":
					*roles = append(*roles, Role{})
					r := &(*roles)[len(*roles)-1]
					attrs, reader := attributesIn(rest)
					flush = func() { *r = NewRole("role", reader, r.Policy, attrs) }
				case "yes", "no", "unknown":
					n++
					action, on, _ := strings.Cut(rest, " ")
					if v, why := p.Can(action, resourceIn(t, on)); v.String() != word {
						t.Errorf("%s: %s by %s", line, v, by(p, v, why))
					}
				case "ever", "never":
					n++
					action, kind, _ := strings.Cut(rest, " ")
					if could, _ := p.CouldEver(action, kind); could != (word == "ever") {
						t.Errorf("%s: %t", line, could)
					}
				default:
					t.Errorf("cannot read %q", line)
				}
			}
		})
	}
	if n < 130 {
		t.Errorf("%d questions, want at least 130", n)
	}
}

func statementIn(t *testing.T, effect, text string) Statement {
	t.Helper()
	actions, resources, ok := strings.Cut(text, " on ")
	if !ok {
		t.Fatalf("cannot read %q", text)
	}
	s := Statement{Effect: effect}
	if rest, not := strings.CutPrefix(actions, "!"); not {
		s.NotActions = strings.Split(rest, ",")
	} else {
		s.Actions = strings.Split(actions, ",")
	}
	if rest, not := strings.CutPrefix(resources, "!"); not {
		s.NotResources = []string{rest}
	} else {
		s.Resources = []string{resources}
	}
	return s
}

// attributesIn reads the words behind role.
func attributesIn(text string) (attrs Attributes, reader bool) {
	attrs = Attributes{}
	for word := range strings.FieldsSeq(text) {
		switch key, values, ok := strings.Cut(word, "="); {
		case ok:
			attrs[key] = strings.Split(values, ",")
		case word == "unknown":
			return nil, reader
		case word == "reader":
			reader = true
		}
	}
	return attrs, reader
}

// resourceIn reads a resource and what is known of it, such as env.critical=yes.
func resourceIn(t *testing.T, text string) Resource {
	t.Helper()
	words := strings.Fields(text)
	r, err := ParseResource(words[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range words[1:] {
		what, value, _ := strings.Cut(word, "=")
		kind, property, _ := strings.Cut(what, ".")
		f := r.facts[kind]
		list := []string{}
		if value != "" {
			list = strings.Split(value, ",")
		}
		switch property {
		case "tags":
			f.Tags = list
		case "views":
			f.Views = list
		case "critical":
			f.Critical = Known(value == "yes")
		default:
			t.Fatalf("no property %q", property)
		}
		r = r.With(kind, f)
	}
	return r
}

// TestLargePolicies: a policy that is too large to be compared is answered fast, by what hides nothing.
func TestLargePolicies(t *testing.T) {
	of := func(n int) []Statement {
		var allowed, denied []string
		for i := range n {
			allowed, denied = append(allowed, fmt.Sprintf("proj/a%d:env/*:flag/*", i)), append(denied, fmt.Sprintf("proj/b%d:env/*:flag/*", i))
		}
		return []Statement{{Effect: "allow", Actions: []string{"*"}, Resources: allowed},
			{Effect: "deny", Actions: []string{"*"}, Resources: append(denied, "proj/a*:env/*:flag/*")}}
	}
	for n, want := range map[int]bool{20: false, 2000: true} {
		r := NewRole("large", false, of(n), nil)
		for range 2 { // the second answer is remembered
			if got := r.couldEver("deleteFlag", "flag"); got != want {
				t.Errorf("%d specifiers: %t, want %t", n, got, want)
			}
		}
		if got, _ := r.decide("deleteFlag", resourceIn(t, "proj/a1:env/e:flag/f")); got != No {
			t.Errorf("%d specifiers: one resource: %s", n, got)
		}
	}
}

// TestExpandStops: values that multiply are not all written down before they are cut.
func TestExpandStops(t *testing.T) {
	var values []string
	for i := range 900 {
		values = append(values, fmt.Sprintf("value-%d", i))
	}
	attrs := Attributes{"p": values, "e": values}
	var got []string
	allocated := testing.AllocsPerRun(1, func() {
		got, _ = expand("proj/${roleAttribute/p}:env/${roleAttribute/e}:flag/*", attrs)
	})
	if len(got) != maxValues || allocated > 5*maxValues {
		t.Errorf("%d specifiers in %.0f allocations", len(got), allocated)
	}
}

// TestAgainst: a deny is named only where it takes away what is allowed otherwise.
func TestAgainst(t *testing.T) {
	deny := statementIn(t, "deny", "updateGlobalArchived on proj/*:env/production:flag/*")
	allow := func(text string) Statement { return statementIn(t, "allow", text) }
	for name, test := range map[string]struct {
		policy []Statement
		reader bool
		action string
		want   int
	}{
		"nothing allows it":  {[]Statement{allow("updateOn on proj/*:env/*:flag/*"), deny}, true, "updateGlobalArchived", -1},
		"it is taken away":   {[]Statement{deny, statementIn(t, "deny", "update* on proj/shop:env/*:flag/*"), allow("updateGlobalArchived on proj/shop:env/*:flag/*")}, false, "updateGlobalArchived", 1},
		"the base allows it": {[]Statement{allow("updateOn on proj/*:env/*:flag/*"), statementIn(t, "deny", "viewProject on proj/*")}, true, "viewProject", 1},
	} {
		kind := map[bool]string{true: "proj", false: "flag"}[test.action == "viewProject"]
		got, why := Roles{NewRole("r", test.reader, test.policy, nil)}.CouldEver(test.action, kind)
		if got || why.Statement != test.want {
			t.Errorf("%s: %t, statement %d, want %d", name, got, why.Statement, test.want)
		}
	}
}
