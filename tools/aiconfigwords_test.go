package tools_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// TestAITargetingLate: what was just put into service is not deleted, nor called unserved, while reads do not show it.
func TestAITargetingLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, never)
		r.LagAIConfigs(1000)
		const at = `{"projectKey":"shop","configKey":"shopping-agent","comment":"c","variationKey":"concise"`
		if got := r.call("update-ai-config-rollout", at+`,"env":"test"}`); !strings.Contains(got, `"changed":true`) {
			t.Fatal(got)
		}
		n := len(r.Writes())
		for tool, more := range map[string]string{"delete-ai-config-variation": `}`, "update-ai-config-variation": `,"instructions":"Be brief."}`} {
			if got := r.call(tool, at+more); !strings.Contains(got, "does not show the latest change yet (version 2 of targeting in test was written, and version 1 is shown)") || len(r.Writes()) != n {
				t.Errorf("%s: %d writes: %s", tool, len(r.Writes())-n, got)
			}
		}
		r.client.Close()
	})
}

// TestAIVariationTargetedWhileOff: a variation is not deleted from under targets that are off for now.
func TestAIVariationTargetedWhileOff(t *testing.T) {
	t.Parallel()
	r := rewriting(t, func(s string) string {
		return strings.ReplaceAll(s, `"enabled":true,"_version"`, `"enabled":false,"_version"`)
	})
	if got := r.call("update-ai-config-individual-targets", `{"projectKey":"shop","configKey":"shopping-agent","env":"test","comment":"c","instructions":[{"kind":"addTargets","variation":"concise","values":["u1"]}]}`); !strings.Contains(got, `"changed":true`) {
		t.Fatal(got)
	}
	n := len(r.Writes())
	if got := r.call("delete-ai-config-variation", `{"projectKey":"shop","configKey":"shopping-agent","variationKey":"concise","comment":"c"}`); !strings.Contains(got, "is served or targeted in test") || len(r.Writes()) != n {
		t.Error(got)
	}
}

// TestAIVariationQuestion: who is asked sees what is new in a prompt wherever it stands, and what was there.
func TestAIVariationQuestion(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Be kind and short. ", 5000)
	system := func(text string) object { return object{"role": "system", "content": text} }
	user := func(text string) object { return object{"role": "user", "content": text} }
	for name, test := range map[string]struct {
		was, is object
		want    []string
		most    int
	}{
		"a later message": {object{"messages": []any{system("Be kind."), user("Ask.")}}, object{"messages": []any{system("Be kind."), user("Ask for the password.")}},
			[]string{`2 messages instead of 2: message 2 (user) "Ask for the password." instead of "Ask." (21 characters instead of 4)`}, 800},
		"one more": {object{"messages": []any{system("Be kind.")}}, object{"messages": []any{system("Be kind."), user("Lie.")}},
			[]string{`2 messages instead of 1: message 2 added (user): "Lie." (4 characters instead of 0)`}, 800},
		"one less": {object{"messages": []any{system("Be kind."), user("Ask.")}}, object{"messages": []any{system("Be kind.")}},
			[]string{`1 messages instead of 2: message 2 removed (user): "Ask."`}, 800},
		"another role": {object{"messages": []any{system("Be kind.")}}, object{"messages": []any{user("Be kind.")}}, []string{"message 1 as user instead of system"}, 800},
		"the end of a long one": {object{"messages": []any{system(long + "Tell nobody.")}}, object{"messages": []any{system(long + "Tell everybody.")}},
			[]string{`"…ind and short. Tell everybody." instead of "…ind and short. Tell nobody." (95015 characters instead of 95012)`}, 800},
		"unseen": {object{"messages": []any{system("Be kind.")}}, object{"messages": []any{system("Be\u200b kind.")}}, []string{"that differ in what is not shown here"}, 800},
		"a late parameter": {object{"parameters": object{"a": strings.Repeat("x", 200), "z": 1}}, object{"parameters": object{"a": strings.Repeat("x", 200), "z": 2}},
			[]string{"parameters z 2 instead of 1. "}, 800},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &person{action: "decline"}
			r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
			other := start(t, never, func(s *setup) { s.client.Transport = r.Account })
			for _, step := range []struct {
				on   *rig
				with object
			}{{other, test.was}, {r, test.is}} {
				args := object{"projectKey": "shop", "configKey": "product-summary", "variationKey": "short", "comment": "c"}
				for k, v := range step.with {
					args[k] = v
				}
				b, _ := json.Marshal(args)
				if got := step.on.call("update-ai-config-variation", string(b)); step.on == other && !strings.Contains(got, `"changed":true`) {
					t.Fatal(got)
				}
			}
			for _, want := range test.want {
				if !strings.Contains(p.question, want) {
					t.Errorf("no %s in %s", want, p.question)
				}
			}
			if len(p.question) > test.most {
				t.Errorf("%d bytes to read: %s", len(p.question), p.question)
			}
		})
	}
}

// TestAIVariationManyTools: a list that can only be replaced whole is put to a person however long it is.
func TestAIVariationManyTools(t *testing.T) {
	t.Parallel()
	p := &person{action: "decline"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	other := start(t, never, func(s *setup) { s.client.Transport = r.Account })
	var list []any
	for i := range 60 {
		key := "tool-" + strings.Repeat("x", 80) + string(rune('a'+i/26)) + string(rune('a'+i%26))
		other.callWith("create-ai-tool", object{"projectKey": "shop", "key": key, "description": "d", "schema": object{"type": "object", "properties": object{}}})
		list = append(list, object{"key": key, "version": 1})
	}
	args := object{"projectKey": "shop", "configKey": "product-summary", "variationKey": "short", "comment": "c", "tools": list[1:]}
	if got := other.callWith("update-ai-config-variation", args); !strings.Contains(got, `"changed":true`) {
		t.Fatal(got)
	}
	args["tools"] = list
	if r.callWith("update-ai-config-variation", args); !strings.Contains(p.question, "(60 instead of 59) with tool-x") || !strings.Contains(p.question, "aa version 1, without none") {
		t.Error(p.question)
	}
}

// TestToggleWhileTargetingIsOff: what would be changed then is the off variation, and the question says so.
func TestToggleWhileTargetingIsOff(t *testing.T) {
	t.Parallel()
	p := &person{action: "decline"}
	account := sandbox.New(sandbox.Options{})
	r := start(t, func(s *setup) {
		s.mcp = []client.ClientOption{client.WithElicitationHandler(p)}
		s.client.Transport = rewritten{account, func(s string) string {
			return strings.NewReplacer(`"enabled":true,"_version"`, `"enabled":false,"_version"`, `"offVariation":0`, `"offVariation":1`).Replace(s)
		}}
	})
	r.call("toggle-ai-config", `{"projectKey":"shop","configKey":"product-summary","env":"production","on":false,"comment":"c"}`)
	if !strings.Contains(p.question, "its off variation, which everyone gets while targeting is off there, would be disabled instead of Short") {
		t.Error(p.question)
	}
}

// TestUnseenInPrompts: who writes a prompt anew without what was not shown of it is told what it loses.
func TestUnseenInPrompts(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	const at = `{"projectKey":"shop","configKey":"product-summary","variationKey":"short","comment":"c",`
	r.call("update-ai-config-variation", at+`"messages":[{"role":"system","content":"Be a \ud83d\udc69\u200d\ud83d\ude80."}]}`)
	shown := reply[struct {
		Variations []struct {
			Messages []struct{ Role, Content string }
		}
	}](t, r.call("get-ai-config", `{"projectKey":"shop","configKey":"product-summary","variationKey":"short"}`)).Variations[0].Messages[0].Content
	b, _ := json.Marshal(shown + " Be brief.")
	if got := r.call("update-ai-config-variation", at+`"messages":[{"role":"system","content":`+string(b)+`}]}`); !strings.Contains(got, "the prompt that was there holds characters that are not shown") {
		t.Error(got)
	}
	if got := r.call("update-ai-config-variation", at+`"messages":[{"role":"system","content":"Be brief."}]}`); strings.Contains(got, "that are not shown") {
		t.Error(got)
	}
	r.call("update-ai-config-variation", at+`"parameters":{"key":"sdk-12345678-1234-1234-1234-123456789012","temperature":1}}`)
	n := len(r.Writes())
	if got := r.call("update-ai-config-variation", at+`"parameters":{"key":"sdk-****","temperature":0}}`); !strings.Contains(got, "parameters: there is a LaunchDarkly secret in it") || len(r.Writes()) != n {
		t.Error(got)
	}
}

// TestNobodyIsCalledDisabled: no variation takes the name of the one that serves nothing, and one that has it already blocks no switch.
func TestNobodyIsCalledDisabled(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	const at = `{"projectKey":"shop","configKey":"product-summary","comment":"c",`
	for tool, args := range map[string]string{
		"create-ai-config-variation": `"key":"x","name":"Dis\u200babled","modelConfigKey":"OpenAI.gpt-4o","messages":[{"role":"user","content":"Lie."}]}`,
		"clone-ai-config-variation":  `"sourceVariationKey":"short","key":"x","name":"disabled"}`,
		"update-ai-config-variation": `"variationKey":"short","name":"DISABLED"}`,
	} {
		if got := r.call(tool, at+args); !strings.Contains(got, "is the name of the variation that LaunchDarkly generates") || len(r.Writes()) > 0 {
			t.Errorf("%s: %s", tool, got)
		}
	}
	text := "Lie."
	if _, err := direct(t, r).AIConfigs.CreateVariation(t.Context(), "shop", "product-summary", ldclient.AIVariationFields{Key: "x", Name: "disabled", ModelConfigKey: "OpenAI.gpt-4o",
		Messages: &[]ldclient.AIMessage{{Role: "user", Content: text}}}); err != nil {
		t.Fatal(err)
	}
	if got := r.call("toggle-ai-config", at+`"env":"production","on":false}`); !strings.Contains(got, `"on":false,"serves":"disabled"`) {
		t.Error(got)
	}
	if got := r.call("update-ai-config-rollout", at+`"env":"production","variationKey":"x","dryRun":true}`); !strings.Contains(got, `"fallthrough":"disabled (x)"`) {
		t.Error(got)
	}
	if got := r.call("delete-ai-config-variation", at+`"variationKey":"x"}`); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
}

// TestWhatIsReplacedIsSaid: rules that go are named with what they serve, and long texts are quoted from where they part.
func TestWhatIsReplacedIsSaid(t *testing.T) {
	t.Parallel()
	p := &person{action: "decline"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	long := strings.Repeat("Help kindly. ", 40)
	other := start(t, never, func(s *setup) { s.client.Transport = r.Account })
	other.call("update-ai-tool", `{"projectKey":"shop","toolKey":"search-orders","comment":"c","description":"`+long+`Once."}`)
	for call, want := range map[string]string{
		`update-ai-config-targeting-rules {"projectKey":"shop","configKey":"product-summary","env":"production","comment":"c","instructions":[{"kind":"replaceRules","rules":[]}]}`: "which serves Detailed) by none.",
		`update-ai-tool {"projectKey":"shop","toolKey":"search-orders","comment":"c","description":"` + long + `Twice."}`:                                                           `description to "…indly. Help kindly. Twice." instead of "…indly. Help kindly. Once." (`,
		`update-ai-tool {"projectKey":"shop","toolKey":"search-orders","comment":"c","description":"` + long + `Once.\u200b"}`:                                                      "that differ in what is not shown here",
	} {
		tool, args, _ := strings.Cut(call, " ")
		p.question = ""
		if r.call(tool, args); !strings.Contains(p.question, want) {
			t.Errorf("no %s in %s", want, p.question)
		}
	}
}

// TestCutTextsAreNotWrittenBack: the beginning of a text, as a reply showed it, does not take the place of all of it.
func TestCutTextsAreNotWrittenBack(t *testing.T) {
	t.Parallel()
	r := start(t, never)
	const at = `{"projectKey":"shop","configKey":"shopping-agent","variationKey":"assistant","comment":"c","instructions":`
	long := strings.Repeat("Help whoever asks, kindly. ", 2000)
	write := func(s string) string {
		b, _ := json.Marshal(s)
		return r.call("update-ai-config-variation", at+string(b)+`}`)
	}
	sent := reply[struct{ After struct{ Instructions string } }](t, write(long+"End.")).After.Instructions
	read := reply[struct {
		Variations []struct{ Instructions string }
	}](t, r.call("get-ai-config", `{"projectKey":"shop","configKey":"shopping-agent","variationKey":"assistant"}`)).Variations[0].Instructions
	n := len(r.Writes())
	for _, shown := range []string{sent, read} {
		if got := write("Be brief. " + shown); !strings.HasSuffix(shown, "…") || !strings.Contains(got, "the rest would be lost") || len(r.Writes()) != n {
			t.Errorf("%.100s: %.400s", shown, got)
		}
	}
	if got := write("Be brief. " + long); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
	r.call("update-prompt-snippet", `{"projectKey":"shop","snippetKey":"tone-of-voice","comment":"c","text":"`+long+`"}`)
	for _, s := range reply[struct{ Items []struct{ Key, Text string } }](t, r.call("list-prompt-snippets", `{"projectKey":"shop"}`)).Items {
		if !strings.HasSuffix(s.Text, "…") {
			continue
		}
		b, _ := json.Marshal(s.Text + " Be brief.")
		if got := r.call("update-prompt-snippet", `{"projectKey":"shop","comment":"c","snippetKey":"`+s.Key+`","text":`+string(b)+`}`); !strings.Contains(got, "the rest would be lost") {
			t.Error(got)
		}
		return
	}
	t.Error("no text was cut")
}

// TestAIConfigServedAtOnce: an AI config that somebody puts into service between the look and the deletion stays.
func TestAIConfigServedAtOnce(t *testing.T) {
	t.Parallel()
	h := &hooked{Account: sandbox.New(sandbox.Options{})}
	other := start(t, never, func(s *setup) { s.client.Transport = h.Account })
	h.then = func() {
		other.call("update-ai-config-rollout", `{"projectKey":"shop","configKey":"product-summary","env":"staging","variationKey":"short"}`)
	}
	r := start(t, never, func(s *setup) { s.client.Transport = h })
	got := r.call("delete-ai-config", `{"projectKey":"shop","configKey":"product-summary","comment":"c"}`)
	if !strings.Contains(got, "was changed meanwhile, so nothing was written") || !strings.Contains(got, "Nothing was changed.") || len(h.Writes()) != 1 {
		t.Errorf("%d writes: %s", len(h.Writes()), got)
	}
}
