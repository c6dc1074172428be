package ldclient

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestContextFilter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		query ContextQuery
		want  string
	}{
		{ContextQuery{}, ""},
		{ContextQuery{Kind: "user", Key: `a"b,c|d`, Text: "x y"}, `kind equals "user",key equals "a\"b,c|d",q equals "x y"`},
		{ContextQuery{Where: []AttributeCondition{{"plan", "equals", "pro"}}}, `*.plan equals "pro"`},
		{ContextQuery{Kind: "org", Where: []AttributeCondition{{"/a/b~1c", "exists", true}, {"plan", "equals", ""}}}, `kind equals "org",org./a/b~1c exists true,org.plan equals ""`},
		{ContextQuery{Where: []AttributeCondition{{"job title", "startsWith", "5"}}}, `"*.job title" startsWith "5"`},
		{ContextQuery{Where: []AttributeCondition{{`x equals "y",key`, "exists", true}}}, `"*.x equals \"y\",key" exists true`},
		{ContextQuery{Where: []AttributeCondition{{"n", "equals", "5"}}}, `(*.n equals "5"|*.n equals 5)`},
		{ContextQuery{Where: []AttributeCondition{{"n", "equals", json.Number("5")}, {"zip", "equals", "007"}}}, `*.n equals 5,*.zip equals "007"`},
		{ContextQuery{Where: []AttributeCondition{{"on", "notEquals", "true"}}}, `*.on notEquals "true",*.on notEquals true`},
	} {
		if got := test.query.filter(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// TestRedacted: what a context keeps to itself is dropped, even where a reply should hold it.
func TestRedacted(t *testing.T) {
	t.Parallel()
	const reply = `{"kind":"user","key":"k","email":"secret","a/b":"secret","a~b":"secret","ssn":"secret","plan":"pro",
		"address":{"city":"Lyon","street":{"name":"secret"}},"_meta":{"redactedAttributes":["email","/a~1b","/a~0b","/address/street","/plan/x","gone",5],"privateAttributes":["ssn"]}}`
	var got ReportedContext
	if err := json.Unmarshal([]byte(reply), &got); err != nil {
		t.Fatal(err)
	}
	want := ReportedContext{Kind: "user", Key: "k", Attributes: map[string]any{"plan": "pro", "address": map[string]any{"city": "Lyon"}},
		Redacted: []string{"email", "/a~1b", "/a~0b", "/address/street", "/plan/x", "gone", "ssn"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, odd := range []string{`null`, `[]`, `"x"`, `{"kind":5,"_meta":[]}`} {
		if err := json.Unmarshal([]byte(odd), new(ReportedContext)); err != nil {
			t.Errorf("%s: %v", odd, err)
		}
	}
}
