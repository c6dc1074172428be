package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
)

// lab is an account with one project of its own: environments test, other and
// guarded (which requires approvals), a flag color, a boolean flag gate and a segment beta.
type lab struct {
	*testing.T
	a *Account
	p *project
}

const semantic = "application/json; domain-model=launchdarkly.semanticpatch"

var labTime = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func newLab(t *testing.T) *lab {
	t.Helper()
	now := labTime
	a := New(Options{Now: func() time.Time { return now }})
	l := &lab{T: t, a: a, p: a.newProject("lab", projectSettings{Name: "Lab"})}
	for _, key := range []string{"test", "other", "guarded"} {
		e, _, err := a.newEnvironment(l.p, environmentPost{Key: key, Name: strings.ToUpper(key[:1]) + key[1:], Color: "417505"})
		if err != nil {
			t.Fatal(err)
		}
		l.p.Envs = append(l.p.Envs, e)
	}
	l.p.env("guarded").FlagApprovals.Required = true
	l.p.env("guarded").SegmentApprovals.Required = true
	value := func(s string) variation { return variation{Value: jsonValue(s), Name: s} }
	a.addFlag(l.p, multiFlag("color", "Color", value("red"), value("green"), value("blue")))
	a.addFlag(l.p, boolFlag("gate", "Gate"))
	for _, e := range l.p.Envs {
		a.addSegment(e, &segment{Key: "beta", Name: "Beta", Included: []string{"ann"}})
		a.addSegment(e, &segment{Key: "crowd", Name: "Crowd", Unbounded: true})
	}
	l.patch("color", "test", instruction{"kind": "turnFlagOn"})
	l.patch("gate", "test", instruction{"kind": "turnFlagOn"})
	return l
}

// send carries out a request and returns its status and body.
func (l *lab) send(method, path, contentType string, body any) (int, []byte) {
	l.Helper()
	r, err := http.NewRequestWithContext(l.Context(), method, "http://sandbox/api/v2"+path, bytes.NewReader(jsonValue(body)))
	if err != nil {
		l.Fatal(err)
	}
	r.Header.Set("Authorization", WriterToken)
	r.Header.Set("LD-API-Version", "20240415")
	if strings.Contains(path, "dependent-flags") {
		r.Header.Set("LD-API-Version", "beta")
	}
	r.Header.Set("Content-Type", contentType)
	answer, err := l.a.RoundTrip(r)
	if err != nil {
		l.Fatal(err)
	}
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		l.Fatal(err)
	}
	if _, err := os.Stat(documentPath); err == nil || os.Getenv("CI") != "" {
		if err := document(l.T).Response(r, answer.StatusCode, answer.Header, b); err != nil {
			l.Error(err)
		}
	}
	return answer.StatusCode, b
}

// ask is send for an answer that must have this status; it returns the decoded body.
func (l *lab) ask(status int, method, path, contentType string, body any) any {
	l.Helper()
	got, b := l.send(method, path, contentType, body)
	if got != status {
		l.Fatalf("%s %s: status %d, want %d: %s", method, path, got, status, b)
	}
	return decoded(b)
}

func decoded(b []byte) any {
	var v any
	json.Unmarshal(b, &v)
	return v
}

func (l *lab) get(path string) any { l.Helper(); return l.ask(200, "GET", path, "", nil) }

func (l *lab) flag(key string) *flag { return l.p.flag(key) }

func semanticBody(env string, instructions ...instruction) map[string]any {
	body := map[string]any{"instructions": instructions, "comment": "in the lab"}
	if env != "" {
		body["environmentKey"] = env
	}
	return body
}

// patch applies instructions to a flag, with names such as $v1 and $rule0 resolved.
func (l *lab) patch(key, env string, instructions ...instruction) any {
	l.Helper()
	return l.ask(200, "PATCH", "/flags/lab/"+key, semantic, l.named(key, semanticBody(env, instructions...)))
}

// named replaces strings in v: $v1 is the ID of color's second variation,
// $gate0 of gate's first, $rule0 of the flag's first rule in test, and
// $clause0 of the first clause of its first rule.
func (l *lab) named(key string, v any) any {
	l.Helper()
	return decoded([]byte(l.replacer(key).Replace(string(jsonValue(v)))))
}

func (l *lab) replacer(key string) *strings.Replacer {
	pairs := []string{}
	for _, f := range []*flag{l.flag("color"), l.flag("gate")} {
		name := map[string]string{"color": "$v", "gate": "$gate"}[f.Key]
		for i, v := range f.Variations {
			pairs = append(pairs, name+strconv.Itoa(i), v.ID)
		}
	}
	for i, r := range l.flag(key).Environments["test"].Rules {
		pairs = append(pairs, "$rule"+strconv.Itoa(i), r.ID)
		for j, c := range r.Clauses {
			if i == 0 {
				pairs = append(pairs, "$clause"+strconv.Itoa(j), c.ID)
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// at is the part of a decoded document under a path such as environments.test.on.
func at(doc any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch d := doc.(type) {
		case map[string]any:
			doc = d[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(d) {
				return nil
			}
			doc = d[i]
		default:
			return nil
		}
	}
	return doc
}

// expect compares parts of a document with JSON texts; an empty text means absent.
func (l *lab) expect(doc any, want map[string]string) {
	l.Helper()
	for path, text := range want {
		var v any
		if text != "" {
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				l.Fatalf("%s: %v", text, err)
			}
		}
		if diff := cmp.Diff(v, at(doc, path)); diff != "" {
			l.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// Contexts to evaluate.
const (
	ann  = `{"kind":"user","key":"ann","plan":"pro","age":40}`
	bob  = `{"kind":"user","key":"bob","plan":"free","age":20}`
	acme = `{"kind":"org","key":"acme"}`
)

func (l *lab) context(text string) ldcontext.Context {
	l.Helper()
	var c ldcontext.Context
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		l.Fatal(err)
	}
	return c
}

// serves checks what the flag serves contexts in test: a map from context to value, both as JSON.
func (l *lab) serves(key string, want map[string]string) {
	l.Helper()
	for c, value := range want {
		got, err := l.a.Evaluate("lab", "test", key, l.context(c))
		if err != nil {
			l.Fatal(err)
		}
		if got.Value.JSONString() != value {
			l.Errorf("%s serves %s the value %s, want %s (%s)", key, c, got.Value.JSONString(), value, got.Reason)
		}
	}
}

// unchanged runs do and checks that flags, segments and audit log stayed as they were.
func (l *lab) unchanged(do func()) {
	l.Helper()
	state := func() string {
		s := string(jsonValue(l.p.Flags)) + fmt.Sprint(len(l.a.audit))
		for _, e := range l.p.Envs {
			for _, g := range e.Segments {
				s += string(segmentState(g))
			}
		}
		return s
	}
	before := state()
	do()
	if diff := cmp.Diff(before, state()); diff != "" {
		l.Errorf("the account changed:\n%s", diff)
	}
}

func clauseOn(attribute, op string, values ...any) map[string]any {
	return map[string]any{"attribute": attribute, "op": op, "values": values, "contextKind": "user", "negate": false}
}

func clauses(list ...any) []any { return list }
