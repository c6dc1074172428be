package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
)

// upAfter is a context whose time is up after it was asked a number of times.
type upAfter struct {
	context.Context
	left *int
}

func (c upAfter) Err() error {
	if *c.left--; *c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestJudgingTakesItsTime: contexts that there was no time for are neither changing nor unchanged.
func TestJudgingTakesItsTime(t *testing.T) {
	t.Parallel()
	j := newJudging(nil, ldclient.Target{Environment: "test", Key: "f"})
	for n, env := range []*engine.Environment{j.before, j.after} {
		var f ldclient.Flag
		text := fmt.Sprintf(`{"key":"f","variations":[{"_id":"a","value":1},{"_id":"b","value":2}],"environments":{"test":{"on":true,"fallthrough":{"variation":%d}}}}`, n)
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		env.AddFlag("f", &f)
	}
	for n := range 10 {
		s, err := engine.Given(map[string]any{"kind": "user", "key": fmt.Sprint(n)})
		if err != nil {
			t.Fatal(err)
		}
		j.subjects = append(j.subjects, s)
	}
	j.sample = "10 given contexts"
	left := 4
	i := j.report(j.judge(upAfter{t.Context(), &left}, j.ofFlag("f")), nil)
	if i.Changing != 4 || i.NotJudged != 6 || !strings.Contains(strings.Join(i.Unknown, "; "), "Time was up, which matters for 6 of the contexts") {
		t.Errorf("%+v", i)
	}
	if got, want := i.sentence(), "Of 10 given contexts, 4 would get 2 instead of 1; 6 could not be judged. Time was up before all of it was looked at."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestShifted: a prerequisite follows its variation, and is not known where that is gone.
func TestShifted(t *testing.T) {
	t.Parallel()
	of := func(ids ...string) *ldclient.Flag {
		f := &ldclient.Flag{Key: "gate"}
		for _, id := range ids {
			f.Variations = append(f.Variations, ldclient.Variation{ID: id})
		}
		return f
	}
	j := newJudging(nil, ldclient.Target{Environment: "test", Key: "gate"})
	for _, test := range []struct {
		was, is  *ldclient.Flag
		at, then int
		whole    bool
	}{
		{of("a", "b", "c"), of("b", "c"), 2, 1, true},
		{of("a", "b"), of("a", "b"), 1, 1, true},
		{of("a", "b", "c"), of("b", "c"), 0, 0, false},
		{of("", ""), of("", ""), 1, 1, true},
		{of("", "", ""), of("", ""), 1, 1, false},
	} {
		j.was, j.is = test.was, test.is
		f := &ldclient.Flag{Key: "f", Environments: map[string]ldclient.FlagConfig{"test": {Prerequisites: []ldclient.Prerequisite{{Key: "other", Variation: 5}, {Key: "gate", Variation: test.at}}}}}
		g, whole := j.shifted(f)
		if got := g.Environments["test"].Prerequisites; whole != test.whole || got[0].Variation != 5 || got[1].Variation != test.then || f.Environments["test"].Prerequisites[1].Variation != test.at {
			t.Errorf("%+v: %v, whole %t", test, got, whole)
		}
	}
}
