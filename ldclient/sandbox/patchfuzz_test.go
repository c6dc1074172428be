package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
)

// The resources and formats that FuzzPatch sends its bodies to.
var patched = []struct{ path, content string }{
	{"/flags/lab/color", semantic}, {"/segments/lab/test/beta", semantic}, {"/segments/lab/test/crowd", semantic},
	{"/flags/lab/color", "application/json"}, {"/segments/lab/test/beta", "application/json"}, {"/projects/lab", "application/json"}, {"/projects/lab/environments/test", "application/json"},
}

// FuzzPatch: no body whatsoever makes the account panic; a refused patch changes
// nothing, nor does a dry run, which answers what the patch itself would; one that is
// carried out is in the audit log once if it changed anything, and leaves a flag that can be evaluated.
func FuzzPatch(f *testing.F) {
	for _, text := range []string{
		`[{"kind":"turnFlagOff"},{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"$v0":50000,"$v1":50000}}]`,
		`[{"kind":"addRule","variationId":"$v1","clauses":[{"attribute":"plan","op":"in","values":["pro"]}],"beforeRuleId":"$rule0"}]`,
		`[{"kind":"updateClause","ruleId":"$rule0","clauseId":"$clause0","clause":{"op":"matches","attribute":"a","values":["^x"]}},{"kind":"removeRule","ruleId":"$rule0"}]`,
		`[{"kind":"replaceRules","rules":[{"variationId":"$v0","clauses":[{"op":"segmentMatch","values":["beta"]}]},null]}]`,
		`[{"kind":"replaceTargets","targets":[{"variationId":"$v0","contextKind":"org","values":["acme"]},null]},{"kind":"clearTargets","variationId":"$v0"}]`,
		`[{"kind":"removeVariation","variationId":"$v1"},{"kind":"updateVariation","variationId":"$v0","value":{"a":1}},{"kind":"addVariation","value":"x"}]`,
		`[{"kind":"startAutomatedRelease","releaseKind":"progressive","originalVariationId":"$v0","targetVariationId":"$v1","randomizationUnit":"user","stages":[{"allocation":1000,"durationMillis":1}]}]`,
		`[{"kind":"addCustomProperties","key":"k","name":"K","values":["a"]},{"kind":"updateMaintainerTeam","value":"x"},{"kind":"archiveFlag"},{"kind":"deleteFlag"}]`,
		`[{"kind":"addIncludedTargets","contextKind":"org","values":["acme"]},{"kind":"addRule","weight":50000,"clauses":[{"attribute":"a","op":"in","values":[1]}]}]`,
		`[{"kind":"addBigSegmentIncludedTargets","values":["a"]},{"kind":"updateName","value":"N"}]`,
		`[{"op":"replace","path":"/environments/test/fallthrough","value":{"rollout":{"variations":[{"variation":0,"weight":100000}]}}},{"op":"test","path":"/name","value":"Color"}]`,
		`[{"op":"replace","path":"/variations","value":[null]},{"op":"add","path":"/environments/test/rules/-","value":null}]`,
		`[{"op":"move","from":"/tags","path":"/name"},{"op":"copy","from":"","path":"/environments/test/rules/0"}]`,
		`[{"op":"replace","path":"/environments/test/offVariation","value":9},{"op":"remove","path":"/environments/test/targets"}]`,
		`{"environments":{"test":null},"variations":null,"defaults":{"onVariation":7}}`, `{"rules":[{"clauses":[null]}],"includedContexts":null}`,
		`{"patch":[],"comment":"c"}`, `{"merge":{"name":null}}`, `{"environmentKey":"test","instructions":null}`, `[null]`, `[]`, `{}`, `null`, ``,
		`{"environmentKey":"guarded","instructions":[{"kind":"turnFlagOn"}]}`, `[{"kind":"addTags","values":[{}]}]`, `[{"op":"replace","path":"/color","value":"x"}]`,
	} {
		for to := range patched {
			f.Add(byte(to), text)
		}
	}
	var l *lab
	var kept state
	var names *strings.Replacer
	f.Fuzz(func(t *testing.T, to byte, text string) {
		if l == nil {
			l = newLab(t)
			l.patch("color", "test", instruction{"kind": "addRule", "variationId": "$v1", "clauses": clauses(clauseOn("plan", "in", "pro"))})
			kept, names = l.a.state, l.replacer("color")
			kept.projects, kept.contexts = []*project{l.p}, nil // what is copied each time
		}
		l.T, l.a.log = t, nil
		where := patched[int(to)%len(patched)]
		body := names.Replace(text)
		if list := strings.TrimSpace(body); where.content == semantic && strings.HasPrefix(list, "[") {
			body = `{"environmentKey":"test","instructions":` + list + `}`
		}
		start := func() {
			l.a.state = copied(kept)
			l.p = l.a.findProject("lab")
		}
		start()
		dryCode, dry := l.raw(t, "PATCH", where.path+"?dryRun=true", where.content, body)
		semantics := where.content == semantic
		if semantics {
			if now := all(l.a.state); now != all(kept) {
				t.Fatalf("a dry run of %s changed the account", body)
			}
		}
		start()
		code, reply := l.raw(t, "PATCH", where.path, where.content, body)
		switch {
		case code >= 500 || code < 200 || len(reply) > 0 && !json.Valid(reply):
			t.Fatalf("%s: %d %s", body, code, reply)
		case code >= 300:
			if now := all(l.a.state); now != all(kept) {
				t.Fatalf("%s was refused (%d %s) and changed the account", body, code, reply)
			}
			if semantics && dryCode < 300 {
				t.Fatalf("%s was tried out with success, and refused: %s", body, reply)
			}
			return
		case semantics && (dryCode != code || !bytes.Equal(dry, reply)):
			t.Fatalf("%s:\ntried out %d %s\ncarried out %d %s", body, dryCode, dry, code, reply)
		}
		made := len(l.a.audit) - len(kept.audit)
		if changed := all(l.a.state) != all(kept); made > 1 || changed && made == 0 || made > 0 && !changed && !strings.HasPrefix(where.path, "/projects") {
			t.Fatalf("%s: %d audit entries, and the account changed: %t", body, made, changed)
		}
		if l.p.flag("color") == nil || strings.HasPrefix(where.path, "/projects") { // a project is shown in two ways
			return
		}
		if status, got := l.raw(t, "GET", where.path, "", ""); status != 200 || !bytes.Equal(bytes.Replace(got, []byte(`"_flags":[],`), nil, 1), reply) {
			t.Fatalf("%s:\nanswered %s\nand then %d %s", body, reply, status, got)
		}
		for _, c := range []ldcontext.Context{ldcontext.New("ann"), ldcontext.NewWithKind("org", "acme")} {
			d, err := l.a.Evaluate("lab", "test", "color", c)
			if err != nil || d.Reason.GetErrorKind() == ldreason.EvalErrorMalformedFlag {
				t.Fatalf("%s: for %s %v, %v", body, c, d.Reason, err)
			}
		}
	})
}

// raw carries out a request with any body.
func (l *lab) raw(t *testing.T, method, path, content, body string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://sandbox/api/v2"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", WriterToken)
	r.Header.Set("Content-Type", content)
	answer, err := l.a.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, b
}

// all is what there is to see of an account's lab.
func all(s state) string {
	for _, p := range s.projects {
		if p.Key != "lab" {
			continue
		}
		b := bytes.NewBuffer(jsonValue(p.projectSettings))
		b.Write(jsonValue(p.Flags))
		for _, e := range p.Envs {
			b.Write(jsonValue(e))
			for _, g := range e.Segments {
				b.Write(segmentState(g))
			}
		}
		return b.String()
	}
	return ""
}
