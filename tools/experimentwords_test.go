package tools_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// retold changes the text of the replies whose path holds a part.
type retold struct {
	*sandbox.Account
	part   string
	change func(string) string
}

func (r retold) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := r.Account.RoundTrip(q)
	if err != nil || !strings.Contains(q.URL.Path, r.part) {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	text := r.change(string(b))
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return resp, err
}

func retelling(part, from, to string) func(*setup) {
	return func(s *setup) {
		s.client.Transport = retold{s.client.Transport.(*sandbox.Account), part, func(text string) string { return strings.ReplaceAll(text, from, to) }}
	}
}

// TestNoNameIsNoWinner: a winner that is not named is none, though a treatment has no name either.
func TestNoNameIsNoWinner(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"", " ", "\u200b"} {
		r := start(t, never, retelling("/experiments/", `"name":"As always"`, `"name":""`))
		got := r.callWith("stop-experiment-iteration", object{"projectKey": "shop", "env": "test", "experimentKey": "same-day", "winningTreatmentId": said, "winningReason": "r"})
		if !strings.Contains(got, "there is no treatment without a name; the winner is one of Same day") || len(r.Writes()) > 0 {
			t.Errorf("%q: %s", said, got)
		}
	}
}

// TestStopWithoutItsRule: where somebody has removed the rule of an experiment, nobody is told that it would serve the winner.
func TestStopWithoutItsRule(t *testing.T) {
	t.Parallel()
	r := start(t, never, retelling("/experiments/", `"targetingRule":"fallthrough"`, `"targetingRule":"removed"`))
	got := r.call("stop-experiment-iteration", inTest+`"same-day","winningTreatmentId":"Same day","winningReason":"r","dryRun":true}`)
	if !strings.Contains(got, "ran on rule removed, which is gone from flag express-shipping, so nothing serves the winner there") || strings.Contains(got, `"serves":"true"`) {
		t.Error(got)
	}
}

// TestDraftSettingsAreChanges: what a reply shows only the beginning of, or shows seldom, is a change of a draft like any other.
func TestDraftSettingsAreChanges(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Because of that. ", 40)
	r := start(t, never)
	for _, test := range []struct{ with, sends string }{
		{`"canReshuffleTraffic":true`, `"canReshuffleTraffic":true`},
		{`"covariateId":"file-1"`, `"covariateId":"file-1"`},
		{`"hypothesis":"` + long + `one"`, `one"`},
		{`"hypothesis":"` + long + `two"`, `two"`},
	} {
		n := len(r.Writes())
		got := r.call("update-experiment", inTest+`"homepage-grid",`+test.with+`}`)
		all := r.Writes()
		if !strings.Contains(got, `"changed":true`) || len(all) != n+1 || !strings.Contains(string(all[n].Body), test.sends) {
			t.Fatalf("%s: %d writes: %s", test.with, len(all)-n, got)
		}
		if got := r.call("update-experiment", inTest+`"homepage-grid",`+test.with+`}`); !strings.Contains(got, "is so already") || len(r.Writes()) != n+1 {
			t.Errorf("%s again: %s", test.with, got)
		}
	}
	if got := r.call("start-experiment-iteration", inTest+`"homepage-grid","dryRun":true}`); !strings.Contains(got, `"canReshuffleTraffic":true`) || !strings.Contains(got, `"covariateId":"file-1"`) {
		t.Error(got)
	}
}

// TestThirdsAreAll: parts that LaunchDarkly cannot write out leave nobody outside.
func TestThirdsAreAll(t *testing.T) {
	t.Parallel()
	p := &person{action: "decline"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	args := samples["create-experiment"]("production")
	for k, v := range (object{"projectKey": "shop", "environmentKey": "production", "comment": "c"}) {
		args[k] = v
	}
	args["iteration"].(object)["treatments"] = arms(arm("Control", true, 33.3333), arm("Semantic", false, 33.3333), arm("Hybrid", false, 33.3334))["treatments"]
	if r.callWith("create-experiment", args); !strings.Contains(p.question, "33.3334 % get Hybrid; measured by") {
		t.Error(p.question)
	}
}

// TestPartOfAnAddress: a member whose address only holds the one that is named is somebody else.
func TestPartOfAnAddress(t *testing.T) {
	t.Parallel()
	r := start(t, never, retelling("/members", `"email":"grace@example.com"`, `"email":"notgrace@example.com"`))
	got := r.call("add-flag-follower", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","memberId":"grace@example.com"}`)
	if !strings.Contains(got, `no member "grace@example.com"`) || len(r.Writes()) > 0 {
		t.Error(got)
	}
}
