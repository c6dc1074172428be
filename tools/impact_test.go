package tools_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// searches counts how often the contexts seen lately were asked for.
func (r *rig) searches() int {
	n := 0
	for _, q := range r.Requests() {
		if strings.HasSuffix(q.Path, "/contexts/search") {
			n++
		}
	}
	return n
}

// TestQuestionsSayWhomTheyConcern: who is asked to confirm reads how many contexts would get something else.
func TestQuestionsSayWhomTheyConcern(t *testing.T) {
	const rollout = `{"projectKey":"shop","flagKey":"new-checkout","env":"production","comment":"c","weights":[{"variation":"true","percent":60},{"variation":"false","percent":40}]}`
	fails := func(part string, status int) func(*rig) {
		return func(r *rig) {
			r.Next(sandbox.Fault{Status: status, Body: `{"code":"x","message":"it broke"}`, Match: func(q *http.Request) bool { return strings.Contains(q.URL.String(), part) }})
		}
	}
	for name, test := range map[string]struct {
		tool, args string
		before     func(*rig)
		want       string // "" for no word on contexts
	}{
		"flag":            {"toggle-flag", off, nil, "Of 40 contexts seen lately in production, 29 would get false instead of true."},
		"nobody":          {"update-off-variation", `{"projectKey":"shop","flagKey":"new-checkout","env":"production","comment":"c","variation":"true"}`, nil, "Of 40 contexts seen lately in production, none would get anything else."},
		"dependent flags": {"toggle-flag", strings.Replace(off, "new-checkout", "payments-v2", 1), nil, "Of 40 contexts seen lately in production, 40 would get false instead of true. Flag new-checkout would change for 29 of them."},
		"unjudged": {"update-targeting-rules", `{"projectKey":"shop","flagKey":"live-chat","env":"production","comment":"c","instructions":[{"kind":"addRule","clauses":[{"op":"segmentMatch","values":["vip"]}],"variation":"true"}]}`, nil,
			"none would get anything else; 20 could not be judged."},
		"segment": {"update-segment-targets", `{"projectKey":"shop","env":"production","segmentKey":"beta-testers","comment":"c","instructions":[{"kind":"removeIncludedTargets","values":["user-1002"]}]}`, nil,
			"Of 40 contexts seen lately in production, 1 would leave the segment."},
		"every environment": {"update-flag-variations", `{"projectKey":"shop","flagKey":"rate-limit-per-minute","comment":"c","instructions":[{"kind":"updateVariation","variation":"300","value":400}]}`, nil,
			"Of 40 contexts seen lately in production, 40 would get 400 instead of 300."},
		"archived":          {"archive-flag", `{"projectKey":"shop","flagKey":"wishlist","comment":"c"}`, nil, "would get the fallback in code instead of"},
		"worked out here":   {"update-rollout", rollout, fails("dryRun=true", 403), "Of 40 contexts seen lately in production, 5 would get true instead of false."},
		"contexts unread":   {"update-rollout", rollout, fails("/contexts/search", 403), "Contexts seen lately could not be read (it broke"},
		"not worked out":    {"update-rollout", rollout, fails("dryRun=true", 500), "What it would change for contexts in production could not be worked out: it broke."},
		"nothing is served": {"update-track-events", `{"projectKey":"shop","flagKey":"new-checkout","env":"production","comment":"c","trackEvents":true}`, nil, ""},
		"not by a patch":    {"manage-expiring-targets", `{"projectKey":"shop","flagKey":"live-chat","env":"production","comment":"c","action":"add","context":"user-1001","expiresAt":"2099-01-01T00:00:00Z"}`, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := &person{action: "accept"}
			r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
			if test.before != nil {
				test.before(r)
			}
			if got := r.call(test.tool, test.args); !strings.Contains(got, `"changed":true`) {
				t.Fatal(got)
			}
			if !strings.Contains(p.question, test.want) || test.want == "" && strings.Contains(p.question, "contexts") {
				t.Errorf("asked %q, want %q in it", p.question, test.want)
			}
			if len(p.question) > 700 || strings.ContainsAny(p.question, "{}\n") {
				t.Errorf("not a short paragraph: %q", p.question)
			}
			if n := r.searches(); n > 1 && (n > 3 || strings.Contains(test.args, "env")) {
				t.Errorf("contexts were read %d times", n)
			}
		})
	}
}

// TestAnsweredIsNotWorkedOut: a change that was confirmed already is made without another look at contexts.
func TestAnsweredIsNotWorkedOut(t *testing.T) {
	r := start(t)
	r.call("toggle-flag", strings.Replace(off, `}`, `,"confirm":"production"}`, 1))
	if len(r.Writes()) != 1 || r.searches() != 0 {
		t.Errorf("%d writes, %d searches", len(r.Writes()), r.searches())
	}
	r = start(t)
	if got := r.call("toggle-flag", off); !strings.Contains(got, "29 would get false instead of true. Nothing was changed yet.") {
		t.Error(got)
	}
}

// unanswering answers no search for contexts.
type unanswering struct{ *sandbox.Account }

func (s unanswering) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/contexts/search") {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.Account.RoundTrip(r)
}

// TestQuestionsDoNotWait: a slow answer holds no question up for long.
func TestQuestionsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(s *setup) { s.client.Transport = unanswering{s.client.Transport.(*sandbox.Account)} })
		got := r.call("toggle-flag", off)
		if !strings.Contains(got, "Contexts seen lately could not be read") || !strings.Contains(got, `call toggle-flag again with the same arguments and confirm: "production"`) {
			t.Error(got)
		}
	})
}

// TestPreviewsHoldTheRules: another tool's plan is held to scope and selection, goes on where nothing may be written, and is recorded as what it is about.
func TestPreviewsHoldTheRules(t *testing.T) {
	const toggle = `{"tool":"toggle-flag","arguments":{"project":"shop","flag":"new-checkout","env":"production","enabled":"false"}}`
	for name, test := range map[string]struct {
		change func(*setup)
		args   string
		want   string
	}{
		"read-only":                {func(s *setup) { s.ReadOnly = true }, toggle, `"changing":29`},
		"client refuses writes":    {func(s *setup) { s.client.ReadOnly = true }, toggle, `"changing":29`},
		"reader token":             {func(s *setup) { s.client.Token = ldclient.StaticToken(sandbox.ReaderToken) }, toggle, `"changing":29`},
		"project out of scope":     {func(s *setup) { s.client.Scope.Projects = []string{"mobile"} }, toggle, "outside this server's scope"},
		"environment out of scope": {func(s *setup) { s.client.Scope.Environments = []string{"test"} }, toggle, "outside this server's scope"},
		"instructions out of scope": {func(s *setup) { s.client.Scope.Environments = []string{"test"} },
			`{"projectKey":"shop","flagKey":"new-checkout","instructions":[{"kind":"turnFlagOff"}]}`, "outside this server's scope"},
		"tool left out": {func(s *setup) { s.ExcludeTools = []string{"toggle-flag"} }, toggle, "toggle-flag is not available"},
		"configured": {func(s *setup) { s.Project, s.Environment = "shop", "production" },
			`{"tool":"toggle-flag","flagKey":"new-checkout","arguments":{"on":false}}`, `"changing":29`},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r := start(t, test.change, func(s *setup) { s.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			got := r.call("preview-change", test.args)
			if !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if n := len(r.Writes()); n > 0 {
				t.Errorf("%d writes", n)
			}
			if !strings.Contains(log.String(), "resource=proj/shop:env/production:flag/new-checkout") && !strings.Contains(test.want, "not available") {
				t.Errorf("recorded as %s", log.String())
			}
		})
	}
}
