package tools_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// rewritten changes the text of the replies about targeting.
type rewritten struct {
	*sandbox.Account
	change func(string) string
}

func (r rewritten) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := r.Account.RoundTrip(q)
	if err != nil || !strings.HasSuffix(q.URL.Path, "/targeting") {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	text := r.change(string(b))
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return resp, err
}

// rewriting starts a rig in which the replies about targeting are changed.
func rewriting(t *testing.T, change func(string) string) *rig {
	t.Helper()
	var account *sandbox.Account
	r := start(t, never, func(s *setup) {
		account = s.client.Transport.(*sandbox.Account)
		s.client.Transport = rewritten{account, change}
	})
	r.Account = account
	return r
}

// valueless takes the values out of a targeting, which may tell keys and what is disabled.
func valueless(text string) string {
	var t map[string]any
	if json.Unmarshal([]byte(text), &t) != nil {
		return text
	}
	list, _ := t["variations"].([]any)
	for _, v := range list {
		v.(map[string]any)["value"] = map[string]any{}
	}
	b, _ := json.Marshal(t)
	return string(b)
}

// TestAIVariationsByName: where targeting tells no keys, a name that is one's only stands for it, and one that is not is refused.
func TestAIVariationsByName(t *testing.T) {
	t.Parallel()
	r := rewriting(t, valueless)
	got := r.call("update-ai-config-rollout", `{"projectKey":"shop","configKey":"product-summary","env":"test","variationKey":"detailed"}`)
	if !strings.Contains(got, `"after":{"fallthrough":"Detailed"`) {
		t.Error(got)
	}
	if got := r.call("toggle-ai-config", `{"projectKey":"shop","configKey":"product-summary","env":"test","on":false}`); !strings.Contains(got, `"serves":"disabled"`) {
		t.Error(got)
	}
	if got := r.call("update-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short","parameters":{"temperature":1},"comment":"c"}`); !strings.Contains(got, "LIVE AT ONCE in production, regulated") {
		t.Error(got)
	}
	// Now two have one name.
	if got := r.call("clone-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","sourceVariationKey":"short","key":"short-two","name":"Short"}`); !strings.Contains(got, `"changed":true`) {
		t.Fatal(got)
	}
	writes := len(r.Writes())
	for call, want := range map[string]string{
		`update-ai-config-rollout {"projectKey":"shop","configKey":"product-summary","env":"test","variationKey":"short"}`:                         `means several variations of product-summary: Short (key unknown, _id `,
		`update-ai-config-rollout {"projectKey":"shop","configKey":"product-summary","env":"test","variationKey":"short-two"}`:                     `has no variation "short-two"; it has disabled (key unknown`,
		`update-ai-config-rollout {"projectKey":"shop","configKey":"product-summary","env":"test","variationKey":"1"}`:                             `has no variation "1"`,
		`update-ai-config-rollout {"projectKey":"shop","configKey":"product-summary","env":"test","weights":[{"variationIndex":1,"percent":100}]}`: `n index may mean two variations`,
		`delete-ai-config-variation {"projectKey":"shop","configKey":"product-summary","variationKey":"short-two","comment":"c"}`:                  `could not be told which of the variations that targeting serves is Short (short-two)`,
		`update-ai-config-variation {"projectKey":"shop","configKey":"product-summary","variationKey":"Short","name":"x","comment":"c"}`:           `"Short" means several variations of product-summary: short, Short (short-two); give the key`,
		`update-ai-config-variation {"projectKey":"shop","configKey":"product-summary","variationKey":"1","name":"x","comment":"c"}`:               `has no variation "1"; it has short, detailed, Short (short-two)`,
	} {
		name, args, _ := strings.Cut(call, " ")
		if got := r.call(name, args); !strings.Contains(got, want) || !strings.HasPrefix(got, "!") {
			t.Errorf("%s: got %s, want %s", call, got, want)
		}
	}
	if n := len(r.Writes()); n != writes {
		t.Errorf("%d writes", n-writes)
	}
	if got := r.call("update-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short-two","name":"Other","comment":"c","dryRun":true}`); !strings.Contains(got, "wherever the variation is served, which could not be told") {
		t.Error(got)
	}
}

// TestToggleNeedsTheDisabledVariation: what serves nothing is never guessed.
func TestToggleNeedsTheDisabledVariation(t *testing.T) {
	t.Parallel()
	const off = `{"projectKey":"shop","configKey":"product-summary","env":"staging","on":false}`
	for name, change := range map[string]func(string) string{
		"no name for it": func(s string) string {
			return strings.Replace(valueless(s), `"name":"disabled"`, `"name":"nothing"`, 1)
		},
		"two of the name": func(s string) string {
			return strings.Replace(valueless(s), `"name":"Detailed"`, `"name":"Disabled"`, 1)
		},
		"two that say so": func(s string) string {
			return strings.ReplaceAll(s, `"enabled":true,"variationKey":"detailed"`, `"enabled":false,"other":"x"`)
		},
		"somebody's own": func(s string) string { return strings.Replace(valueless(s), `"name":"disabled"`, `"name":"Short"`, 1) },
		"says it is served": func(s string) string {
			return strings.Replace(s, `{"_ldMeta":{"enabled":false}}`, `{"_ldMeta":{"enabled":true}}`, 1)
		},
	} {
		r := rewriting(t, change)
		got := r.call("toggle-ai-config", off)
		if name == "two that say so" { // one that the AI config has is not the generated one, whatever it says
			if !strings.Contains(got, `"serves":"disabled"`) {
				t.Errorf("%s: %s", name, got)
			}
			continue
		}
		if !strings.Contains(got, "could not be told for certain") || len(r.Writes()) > 0 {
			t.Errorf("%s: %d writes: %s", name, len(r.Writes()), got)
		}
	}
	// Where targeting is off, the default rule does not matter.
	r := rewriting(t, func(s string) string {
		return strings.ReplaceAll(s, `"enabled":true,"_version"`, `"enabled":false,"_version"`)
	})
	if got := r.call("toggle-ai-config", strings.Replace(off, "false", "true", 1)); !strings.Contains(got, "cannot turn it on") || len(r.Writes()) > 0 {
		t.Error(got)
	}
	if got := r.call("toggle-ai-config", off); !strings.Contains(got, "is off already") || len(r.Writes()) > 0 {
		t.Error(got)
	}
}

// TestToggleTellsWhatStays: rules and targets are not switched off, and what is served again is what was served before.
func TestToggleTellsWhatStays(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	const at = `{"projectKey":"shop","configKey":"product-summary","env":"production","comment":"c","on":`
	if got := r.call("toggle-ai-config", at+`false}`); !strings.Contains(got, "1 rule and 1 individual target, which serve Detailed") {
		t.Error(got)
	}
	if got := r.call("update-ai-config-individual-targets", `{"projectKey":"shop","configKey":"product-summary","env":"production","comment":"c","instructions":[{"kind":"clearTargets","variation":"detailed"}]}`); !strings.Contains(got, `"changed":true`) {
		t.Fatal(got)
	}
	if got := r.call("toggle-ai-config", at+`true}`); !strings.Contains(got, `"serves":"Short"`) {
		t.Errorf("what was served before is not found past another change: %s", got)
	}
	// A rollout is no one variation to go back to.
	for _, step := range []string{
		`update-ai-config-rollout {"projectKey":"shop","configKey":"product-summary","env":"production","comment":"c","weights":[{"short":50,"detailed":50}]}`,
		`toggle-ai-config ` + at + `false}`,
	} {
		name, args, _ := strings.Cut(step, " ")
		if got := r.call(name, args); !strings.Contains(got, `"changed":true`) {
			t.Fatal(got)
		}
	}
	if got := r.call("toggle-ai-config", at+`true}`); !strings.Contains(got, "missing variationKey") && !strings.Contains(got, "Missing variationKey") {
		t.Error(got)
	}
	if got := r.call("toggle-ai-config", at+`true,"variationKey":"disabled"}`); !strings.Contains(got, "serves nothing") {
		t.Error(got)
	}
}

// TestSetupHalfDone: where the second step fails, the reply says what the first one made.
func TestSetupHalfDone(t *testing.T) {
	t.Parallel()
	args := samples["setup-ai-config"]("test")
	args["projectKey"] = "shop"
	second := func(q *http.Request) bool { return strings.HasSuffix(q.URL.Path, "/variations") }
	for want, fault := range map[string]sandbox.Fault{
		"was created, but its variation first was not: ":                     {Status: 403, Body: `{"code":"forbidden","message":"You may not"}`, Match: second},
		"was created, but it is not known whether its variation first was: ": {Status: 500, Body: `{"message":"it broke"}`, Match: second, After: true},
	} {
		r := start(t)
		r.Next(fault)
		got := r.callWith("setup-ai-config", args)
		if !strings.Contains(got, want) || !strings.Contains(got, "Do not set it up again") || strings.Contains(got, "Nothing was changed") || len(r.Writes()) != 2 {
			t.Errorf("%d writes: %s", len(r.Writes()), got)
		}
		if got := r.callWith("setup-ai-config", args); !strings.Contains(got, "has an AI config new-config already") || len(r.Writes()) != 2 {
			t.Errorf("set up twice: %s", got)
		}
	}
}

// TestAIVariationOnlyWhatIsGiven: an update sends what was given and keeps the rest of the model.
func TestAIVariationOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	for _, test := range []struct{ args, sends string }{
		{`"parameters":{"temperature":1}`, `"model":{"modelName":"gpt-4o","parameters":{"temperature":1}}`},
		{`"modelName":"gpt-4o-2024"`, `"model":{"modelName":"gpt-4o-2024","parameters":{"temperature":1}}`},
		{`"modelConfigKey":"Anthropic.claude-sonnet-4"`, `"model":{"modelName":"claude-sonnet-4","parameters":{"temperature":1}},"modelConfigKey":"Anthropic.claude-sonnet-4"`},
		{`"judgeConfiguration":{"judges":[]}`, `"judgeConfiguration":{"judges":[]}`},
		{`"tools":[{"key":"search-orders","version":1}]`, `"tools":[{"key":"search-orders","version":1}]`},
		{`"tools":[]`, `"tools":[]`},
	} {
		got := r.call("update-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short","comment":"c",`+test.args+`}`)
		if !strings.Contains(got, `"changed":true`) {
			t.Fatalf("%s: %s", test.args, got)
		}
		all := r.Writes()
		body := string(bytes.TrimSpace(all[len(all)-1].Body))
		if want := `{"comment":"c [via ld-mcp (test)]",` + test.sends + `}`; body != want {
			t.Errorf("%s: sent %s, want %s", test.args, body, want)
		}
	}
}

// TestAIVariationChangedMeanwhile: what somebody else changed while a person was asked is not written over.
func TestAIVariationChangedMeanwhile(t *testing.T) {
	t.Parallel()
	p := &person{action: "accept"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	other := start(t, never, func(s *setup) { s.client.Transport = r.Account })
	p.before = func() {
		p.before = nil
		other.call("update-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short","parameters":{"temperature":0},"comment":"c"}`)
	}
	got := r.call("update-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short","modelName":"gpt-5","comment":"c"}`)
	if !strings.Contains(got, "The confirmation does not hold") || len(r.Writes()) != 1 {
		t.Errorf("%d writes: %s", len(r.Writes()), got)
	}
}

// TestAIConfigApprovals: a change of targeting that needs an approval is requested, reviewed and applied.
func TestAIConfigApprovals(t *testing.T) {
	t.Parallel()
	r := start(t)
	if err := r.RequireApproval("shop", "test", "aiconfig"); err != nil {
		t.Fatal(err)
	}
	got := r.call("update-ai-config-rollout", `{"projectKey":"shop","configKey":"product-summary","env":"test","variationKey":"detailed","comment":"try it","confirm":"test"}`)
	blocked := reply[struct {
		RequiresApproval bool
		Request          struct {
			Tool      string
			Arguments map[string]any
		}
	}](t, got)
	if !blocked.RequiresApproval || blocked.Request.Tool != "create-approval-request" || blocked.Request.Arguments["configKey"] != "product-summary" {
		t.Fatal(got)
	}
	got = r.callWith(blocked.Request.Tool, blocked.Request.Arguments)
	id := reply[struct {
		After struct {
			ID string `json:"_id"`
		}
	}](t, got).After.ID
	if id == "" || !strings.Contains(got, "serve Detailed by default") {
		t.Fatal(got)
	}
	reviewer := start(t, func(s *setup) {
		s.client.Transport, s.client.Token = r.Account, ldclient.StaticToken(sandbox.ReviewerToken)
	})
	if got := reviewer.call("review-approval-request", `{"projectKey":"shop","id":"`+id+`","kind":"approve","confirm":"test"}`); !strings.Contains(got, `"reviewStatus":"approved"`) {
		t.Fatal(got)
	}
	const apply = `{"projectKey":"shop","id":"`
	got = r.call("apply-approval-request", apply+id+`"}`)
	if word := wantsWord.FindStringSubmatch(got); word != nil {
		got = r.call("apply-approval-request", apply+id+`","confirm":"`+word[1]+`"}`)
	}
	if !strings.Contains(got, `"status":"completed"`) {
		t.Fatal(got)
	}
	if got := r.call("get-ai-config-targeting", `{"projectKey":"shop","configKey":"product-summary","env":"test"}`); !strings.Contains(got, `"serves":"Detailed"`) {
		t.Error(got)
	}
	if got := r.call("list-approval-requests", `{"projectKey":"shop"}`); !strings.Contains(got, "AI config product-summary") {
		t.Error(got)
	}
	// A request takes no kinds that the endpoint does not.
	if got := r.call("create-approval-request", `{"projectKey":"shop","env":"test","configKey":"product-summary","description":"d","instructions":[{"kind":"turnFlagOff"}]}`); !strings.Contains(got, "are not sent from here") {
		t.Error(got)
	}
}

// TestAIConfigPermissions: a permission on either name of an AI config is enough, and without any the reason is said.
func TestAIConfigPermissions(t *testing.T) {
	t.Parallel()
	all := []string{"*"}
	view := policy.Statement{Effect: "allow", Actions: []string{"viewProject"}, Resources: []string{"proj/*"}}
	for resource, may := range map[string]bool{"proj/shop:aiconfig/*": true, "proj/shop:env/*:aiconfig/*": true, "proj/shop:env/*:flag/*": false} {
		var account *sandbox.Account
		r := start(t, func(s *setup) {
			account = s.client.Transport.(*sandbox.Account)
			s.client.Token = ldclient.StaticToken(ldclient.Token(account.AddToken(sandbox.TokenOptions{Name: "ai",
				InlineRole: []policy.Statement{view, {Effect: "allow", Actions: all, Resources: []string{resource}}}})))
			s.Confirm = tools.ConfirmNever
		})
		got := r.call("update-ai-config", `{"projectKey":"shop","configKey":"returns-helper","name":"Returns","comment":"c"}`)
		if strings.Contains(got, `"changed":true`) != may {
			t.Errorf("%s: %s", resource, got)
		}
		if !may && !strings.Contains(got, "Nothing was changed") {
			t.Errorf("%s: %s", resource, got)
		}
	}
}

// TestOlderWrappers: bodies as LaunchDarkly's older local server took them are unwrapped.
func TestOlderWrappers(t *testing.T) {
	t.Parallel()
	r := start(t)
	if got := r.call("create-ai-config", `{"request":{"projectKey":"shop","AIConfigPost":{"key":"older","name":"Older","mode":"completion","description":""}}}`); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
	if got := r.call("create-ai-config-variation", `{"request":{"projectKey":"shop","configKey":"older","AIConfigVariationPost":{"key":"first","name":"First","modelConfigKey":"OpenAI.gpt-4o","model":{"modelName":"gpt-4o","parameters":{"temperature":0.2}},"messages":[{"role":"system","content":"Hi."}]}}}`); !strings.Contains(got, `"temperature":0.2`) {
		t.Error(got)
	}
	if got := r.call("get-ai-config-variation", `{"request":{"projectKey":"shop","configKey":"older","variationKey":"first"}}`); !strings.Contains(got, `"content":"Hi."`) {
		t.Error(got)
	}
	if got := r.call("create-ai-config", `{"projectKey":"shop","key":"a","AIConfigPost":{"key":"b","name":"B","mode":"agent"}}`); !strings.HasPrefix(got, "!") {
		t.Errorf("two keys: %s", got)
	}
}

// TestAIConfigsLate: a change that LaunchDarkly does not show in time is a change, and the reply says so.
func TestAIConfigsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, never)
		r.LagAIConfigs(1000)
		got := r.call("update-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short","parameters":{"temperature":1},"comment":"c"}`)
		if !strings.Contains(got, `"changed":true`) || !strings.Contains(got, "the change was made, but LaunchDarkly's reads do not show the latest change yet: version 3 of variation short was written") {
			t.Error(got)
		}
		if got := r.call("get-ai-config", `{"projectKey":"shop","configKey":"product-summary"}`); !strings.Contains(got, `"note":"LaunchDarkly does not show the latest change yet`) {
			t.Error(got)
		}
		// Nothing is written on what is known to be out of date.
		n := len(r.Writes())
		got = r.call("update-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short","modelName":"gpt-5","comment":"c"}`)
		if len(r.Writes()) != n || !strings.HasPrefix(got, "!") {
			t.Error(got)
		}
		r.client.Close()
	})
}

// TestAIConfigsInUse: what is part of something is not deleted.
func TestAIConfigsInUse(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	if got := r.call("delete-ai-config", `{"projectKey":"shop","configKey":"triage-agent","comment":"c"}`); !strings.Contains(got, "is part of the agent graph") || len(r.Writes()) > 0 {
		t.Error(got)
	}
	r.Next(sandbox.Fault{Status: 400, Body: `{"code":"invalid_request","message":"Could not clone"}`, Match: mayWrite})
	if got := r.call("delete-ai-config", `{"projectKey":"shop","configKey":"returns-helper","comment":"c"}`); !strings.Contains(got, "Could not clone") || !strings.Contains(got, "Nothing was changed.") {
		t.Error(got)
	}
}

// TestAIConfigPages: the address of an AI config's page stands for its keys.
func TestAIConfigPages(t *testing.T) {
	t.Parallel()
	r := start(t)
	got := r.call("get-ai-config-targeting", `{"url":"https://app.launchdarkly.com/projects/shop/ai-configs/product-summary/targeting?env=staging&selected-env=staging"}`)
	if !strings.Contains(got, `"environment":"staging"`) || !strings.Contains(got, `"serves":"Detailed"`) {
		t.Error(got)
	}
	if got := r.call("get-ai-config", `{"configKey":"https://app.launchdarkly.com/projects/shop/flags/dark-mode/targeting"}`); !strings.HasPrefix(got, "!") {
		t.Error(got)
	}
}

// TestLongPrompts: a prompt that the caller has just sent is not sent back whole, and one that is replaced is.
func TestLongPrompts(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	const at = `{"projectKey":"shop","configKey":"shopping-agent","variationKey":"assistant","comment":"c","instructions":"`
	first, second := strings.Repeat("first ", 400), strings.Repeat("second ", 400)
	got := r.call("update-ai-config-variation", at+first+`"}`)
	if strings.Count(got, "first") > 200 || !strings.Contains(got, `"isCut":true`) {
		t.Error(got)
	}
	got = r.call("update-ai-config-variation", at+second+`"}`)
	if strings.Count(got, "first") < 400 || strings.Count(got, "second") > 200 {
		t.Error(got)
	}
	if got := r.call("get-ai-config", `{"projectKey":"shop","configKey":"shopping-agent"}`); strings.Count(got, "second") != 400 {
		t.Error(got)
	}
}

// TestMaskedPrompts: a secret in a prompt is not shown, so the prompt that was shown is not written back.
func TestMaskedPrompts(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	const secret = "sdk-12345678-1234-1234-1234-123456789012"
	const at = `{"projectKey":"shop","configKey":"shopping-agent","variationKey":"assistant","comment":"c","instructions":"`
	r.call("update-ai-config-variation", at+"Use "+secret+`"}`)
	shown := r.call("get-ai-config", `{"projectKey":"shop","configKey":"shopping-agent","variationKey":"assistant"}`)
	if strings.Contains(shown, secret) || !strings.Contains(shown, "-****") {
		t.Fatal(shown)
	}
	prompt := reply[struct {
		Variations []struct{ Instructions string }
	}](t, shown).Variations[0].Instructions
	n := len(r.Writes())
	if got := r.call("update-ai-config-variation", at+prompt+` Be brief."}`); !strings.HasPrefix(got, "!") || len(r.Writes()) != n {
		t.Error(got)
	}
	// A copy is made of what is there, not of what is shown.
	r.call("clone-ai-config-variation", `{"projectKey":"shop","configKey":"shopping-agent","sourceVariationKey":"assistant","key":"copy","name":"Copy"}`)
	all := r.Writes()
	if body := string(all[len(all)-1].Body); !strings.Contains(body, secret) {
		t.Error(body)
	}
}

// TestAIVariationServedMeanwhile: a variation that came into service while a person was asked is not deleted.
func TestAIVariationServedMeanwhile(t *testing.T) {
	t.Parallel()
	p := &person{action: "accept"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	other := start(t, never, func(s *setup) { s.client.Transport = r.Account })
	p.before = func() {
		p.before = nil
		other.call("update-ai-config-rollout", `{"projectKey":"shop","configKey":"shopping-agent","env":"test","variationKey":"concise"}`)
	}
	got := r.call("delete-ai-config-variation", `{"projectKey":"shop","configKey":"shopping-agent","variationKey":"concise","comment":"c"}`)
	if !strings.Contains(got, "is served or targeted in test") || len(r.Writes()) != 1 || !strings.Contains(p.question, "concise") {
		t.Errorf("%d writes, asked %q: %s", len(r.Writes()), p.question, got)
	}
}

// hooked runs something after a reply about targeting.
type hooked struct {
	*sandbox.Account
	then func()
}

func (h *hooked) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := h.Account.RoundTrip(q)
	if then := h.then; then != nil && strings.HasSuffix(q.URL.Path, "/targeting") {
		h.then = nil
		then()
	}
	return resp, err
}

// TestAIVariationChangedAtOnce: what somebody else changes between reading and writing is not written over either.
func TestAIVariationChangedAtOnce(t *testing.T) {
	t.Parallel()
	h := &hooked{Account: sandbox.New(sandbox.Options{})}
	other := start(t, never, func(s *setup) { s.client.Transport = h.Account })
	h.then = func() {
		other.call("update-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short","parameters":{"temperature":0},"comment":"c"}`)
	}
	r := start(t, never, func(s *setup) { s.client.Transport = h })
	got := r.call("update-ai-config-variation", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short","modelName":"gpt-5","comment":"c"}`)
	if !strings.Contains(got, "was changed meanwhile, so nothing was written") || !strings.Contains(got, "Nothing was changed.") || len(h.Writes()) != 1 {
		t.Errorf("%d writes: %s", len(h.Writes()), got)
	}
}
