package tools_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/client"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// What replies promise: nothing lost, nothing twice, no secret, no claim that is not so.

func direct(t *testing.T, r *rig) *ldclient.Client {
	t.Helper()
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: r.Account})
	if err != nil {
		t.Fatal(err)
	}
	return ld
}

func patchDirectly(t *testing.T, r *rig, env, flag string, do ...ldclient.Instruction) {
	t.Helper()
	if _, err := direct(t, r).Flags.Patch(t.Context(), "shop", env, flag, ldclient.Patch{Instructions: do}); err != nil {
		t.Fatal(err)
	}
}

// TestWrittenIsTold: a change that was made is never reported as an error because its views are too large.
func TestWrittenIsTold(t *testing.T) {
	r := start(t, func(s *setup) { s.MaxReplyBytes = 400 })
	got := r.call("update-targeting-rules", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","instructions":[{"kind":"addRule","variation":"on","clauses":[{"attribute":"email","op":"in","values":["`+strings.Repeat("x", 500)+`"]}]}]}`)
	if !strings.Contains(got, `"changed":true`) || len(got) > 400 || len(r.Writes()) != 1 {
		t.Errorf("%d bytes, %d writes: %s", len(got), len(r.Writes()), got)
	}
}

// TestUnchangedIsTold: a write that changed nothing does not claim to have.
func TestUnchangedIsTold(t *testing.T) {
	r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
	var flag struct {
		Rules []struct {
			ID      string `json:"_id"`
			Clauses []struct {
				ID string `json:"_id"`
			}
		}
	}
	if err := json.Unmarshal([]byte(r.call("get-flag", `{"projectKey":"shop","flagKey":"new-checkout","env":"production"}`)), &flag); err != nil || len(flag.Rules) == 0 {
		t.Fatal("no rules", err)
	}
	got := r.call("update-targeting-rules", fmt.Sprintf(`{"projectKey":"shop","flagKey":"new-checkout","env":"production","comment":"c","instructions":[{"kind":"removeValuesFromClause","ruleId":%q,"clauseId":%q,"values":["nobody"]}]}`, flag.Rules[0].ID, flag.Rules[0].Clauses[0].ID))
	if !strings.Contains(got, `"changed":false`) || !strings.Contains(got, "found nothing to change") {
		t.Error(got)
	}
}

// TestNoSecretGetsThrough plants secrets where LaunchDarkly shows text, in the forms that hide them from a careless mask.
func TestNoSecretGetsThrough(t *testing.T) {
	const uuid = "01234567-89ab-cdef-0123-456789abcdef"
	plant := "a\nsdk-" + uuid + " x_mob-" + uuid + ` {"k":"api-` + uuid + `"}` + " sd\u200bk-" + uuid + " " + strings.Repeat("y", 150) + " api-" + uuid
	r := start(t, func(s *setup) {
		account := s.client.Transport.(*sandbox.Account)
		s.client.Transport = planted{account, plant}
	})
	for _, call := range []string{
		`get-flag {"projectKey":"shop","flagKey":"dark-mode"}`,
		`get-audit-log-entry {"id":"` + firstEntry(t, r) + `"}`,
		`query-audit-log {"projectKey":"shop","limit":5}`,
		`get-segment {"projectKey":"shop","segmentKey":"beta-testers"}`,
		`list-flags {"projectKey":"shop"}`,
	} {
		name, args, _ := strings.Cut(call, " ")
		got := r.call(name, args)
		if strings.HasPrefix(got, "!") || !strings.Contains(got, "****") {
			t.Errorf("%s: nothing was planted: %s", name, got)
		}
		for i := range len(uuid) - 12 {
			if part := uuid[i : i+12]; strings.Contains(got, part) {
				t.Errorf("%s shows %s of a secret: %s", name, part, got)
				break
			}
		}
	}
	said, err := json.Marshal(map[string]string{"code": "forbidden", "message": plant})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{string(said), "<html>" + strings.Repeat("z", 160) + " Authorization: api-" + uuid} {
		r := start(t)
		r.Next(sandbox.Fault{Status: 403, Body: body})
		if got := r.call("whoami", `{}`); strings.Contains(got, uuid[:12]) || strings.Contains(got, uuid[12:24]) {
			t.Error(got)
		}
	}
}

// planted puts text into every name, description, comment and value that it passes on.
type planted struct {
	*sandbox.Account
	text string
}

func (p planted) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.Account.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	var v any
	if err != nil || json.Unmarshal(b, &v) != nil {
		return resp, err
	}
	var sow func(any)
	sow = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				if _, ok := inner.(string); ok && slices.Contains([]string{"name", "description", "comment", "titleVerb"}, k) {
					v[k] = p.text
				}
				sow(inner)
			}
		case []any:
			for _, inner := range v {
				sow(inner)
			}
		}
	}
	sow(v)
	if b, err = json.Marshal(v); err != nil {
		return nil, err
	}
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(string(b))), int64(len(b))
	return resp, nil
}

// TestValuesStayAsTheyAre: a variation's value is shown as it is, whatever way LaunchDarkly escapes it.
func TestValuesStayAsTheyAre(t *testing.T) {
	r := start(t, func(s *setup) {
		s.client.Transport = answering{`{"key":"f","kind":"multivariate","variations":[{"_id":"a","value":"\u003cb\u003ecaf\u00e9\u003c/b\u003e"},{"_id":"b","value":9007199254740993},{"_id":"c","value":"z\u200bw\u0007\ud83d\ude00"}],"environments":{"production":{"on":true,"fallthrough":{"variation":1}}}}`}
	})
	got := r.call("get-flag", `{"projectKey":"p","flagKey":"f"}`)
	for _, want := range []string{`"value":"<b>café</b>"`, `"value":9007199254740993`, `"value":"zw😀"`, `"serves":"9007199254740993"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

type answering struct{ body string }

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

// TestAuditPaging walks random audit logs, many entries of which share a
// millisecond, with random limits and byte caps: every entry comes once.
func TestAuditPaging(t *testing.T) {
	for seed := range uint64(120) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		log := randomLog(rnd)
		r := start(t, func(s *setup) {
			s.client.Transport = log
			s.MaxReplyBytes = []int{600, 1500, 20_000}[rnd.IntN(3)]
		})
		args := map[string]any{"limit": 1 + rnd.IntN(100)}
		if rnd.IntN(3) == 0 {
			args["member"] = "ada"
		}
		var got []string
		for calls := 0; ; calls++ {
			if calls > 200 {
				t.Fatalf("seed %d: no end", seed)
			}
			var page struct {
				Items []struct {
					ID string `json:"_id"`
				}
				NextCursor string
			}
			text := r.callWith("query-audit-log", args)
			if err := json.Unmarshal([]byte(text), &page); err != nil {
				t.Fatalf("seed %d: %s", seed, text)
			}
			for _, i := range page.Items {
				got = append(got, i.ID)
			}
			if page.NextCursor == "" {
				break
			}
			args["cursor"] = page.NextCursor
		}
		want := log.ids(args["member"] != nil)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d entries, want %d:\n%v\n%v", seed, len(got), len(want), got, want)
		}
	}
}

// fakeLog pages an audit log exactly as LaunchDarkly does, which has no offset.
type fakeLog []map[string]any

func randomLog(rnd *rand.Rand) fakeLog {
	var log fakeLog
	at := int64(1_700_000_000_000)
	for i := range rnd.IntN(90) {
		if rnd.IntN(2) == 0 && i > 0 && !log.full(at) {
			// the same millisecond again
		} else {
			at -= 1 + int64(rnd.IntN(3))
		}
		who := []string{"Ada", "Grace"}[rnd.IntN(2)]
		log = append(log, map[string]any{"_id": fmt.Sprintf("e%02d", i), "date": at, "titleVerb": "changed", "member": map[string]any{"firstName": who}})
	}
	return log
}

// full keeps a millisecond below a page, beyond which the API itself loses entries.
func (l fakeLog) full(at int64) bool {
	n := 0
	for _, e := range l {
		if e["date"] == at {
			n++
		}
	}
	return n >= 19
}

func (l fakeLog) ids(ada bool) []string {
	out := []string(nil)
	for _, e := range l {
		if !ada || e["member"].(map[string]any)["firstName"] == "Ada" {
			out = append(out, e["_id"].(string))
		}
	}
	return out
}

func (l fakeLog) RoundTrip(r *http.Request) (*http.Response, error) {
	var before int64 = 1 << 60
	limit := 10
	fmt.Sscan(r.URL.Query().Get("before"), &before)
	fmt.Sscan(r.URL.Query().Get("limit"), &limit)
	page := map[string]any{"_links": map[string]any{"self": map[string]any{}}}
	items := []any{}
	for _, e := range l {
		if e["date"].(int64) >= before {
			continue
		}
		if len(items) == limit {
			page["_links"].(map[string]any)["next"] = map[string]any{"href": "/x"}
			break
		}
		items = append(items, e)
	}
	page["items"] = items
	b, err := json.Marshal(page)
	if err != nil {
		return nil, err
	}
	return answering{string(b)}.RoundTrip(r)
}

const addOne = `{"projectKey":"shop","flagKey":"dark-mode","env":"production","comment":"c","instructions":[{"kind":"addRule","variation":"on","clauses":[{"attribute":"key","values":["a"]}]}]}`

// TestConfirmationIsSpentOnce: copies of one call that race with one yes change production once.
func TestConfirmationIsSpentOnce(t *testing.T) {
	r := start(t)
	raw := func(answer string) string {
		params := `{"name":"update-targeting-rules","arguments":` + addOne + `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}` + answer + `}`
		b, _ := json.Marshal(r.server.MCP().HandleMessage(t.Context(), json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`+params+`}`)))
		return string(b)
	}
	var asked struct{ Result struct{ RequestState string } }
	if err := json.Unmarshal([]byte(raw("")), &asked); err != nil || asked.Result.RequestState == "" {
		t.Fatal("no question", err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			raw(fmt.Sprintf(`,"requestState":%q,"inputResponses":{"confirm":{"action":"accept","content":{}}}`, asked.Result.RequestState))
		})
	}
	wg.Wait()
	if n := len(r.Writes()); n != 1 {
		t.Errorf("%d writes for one yes", n)
	}
}

// TestLostRace: a change that lost a race is planned anew and made once more,
// unless it would do more, or a person confirmed what is no longer there.
func TestLostRace(t *testing.T) {
	lock := sandbox.Fault{Status: 409, Body: `{"code":"optimistic_locking_error","message":"changed meanwhile"}`, Match: func(r *http.Request) bool { return r.Method == http.MethodPatch && r.URL.RawQuery == "" }}
	for name, test := range map[string]struct {
		tool, args string
		writes     int
		want       string
	}{
		"toggle":            {"toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","on":false}`, 2, `"changed":true`},
		"add":               {"update-targeting-rules", strings.Replace(addOne, "production", "test", 1), 1, "It was changed at the same moment"},
		"confirmed":         {"toggle-flag", `{"projectKey":"shop","flagKey":"new-checkout","env":"production","on":false,"comment":"c"}`, 1, "It was changed at the same moment"},
		"confirmed, a word": {"toggle-flag", `{"projectKey":"shop","flagKey":"new-checkout","env":"production","on":false,"comment":"c","confirm":"production"}`, 1, "It was changed at the same moment"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *setup) {
				if name == "confirmed" {
					s.mcp = []client.ClientOption{client.WithElicitationHandler(&person{action: "accept"})}
				}
			})
			r.Next(lock)
			got := r.call(test.tool, test.args)
			if !strings.Contains(got, test.want) || len(r.Writes()) != test.writes {
				t.Errorf("%d writes, want %d: %s", len(r.Writes()), test.writes, got)
			}
			if strings.HasPrefix(got, "!") && !strings.Contains(got, "Nothing was changed.") {
				t.Error(got)
			}
		})
	}
}

// TestVariationsAreConfirmed: a yes does not hold once a variation means something else.
func TestVariationsAreConfirmed(t *testing.T) {
	p := &person{action: "accept"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	p.before = func() {
		patchDirectly(t, r, "", "new-checkout", ldclient.Instruction{"kind": "updateVariation", "variationId": variationID(t, direct(t, r), false), "name": "Evil"})
	}
	if got := r.call("toggle-flag", off); !strings.Contains(got, "the resource has changed since") || len(r.Writes()) != 1 {
		t.Error(got)
	}
}

// TestQuestionIsReadable: what LaunchDarkly says cannot lengthen a question, or speak in its name.
func TestQuestionIsReadable(t *testing.T) {
	p := &person{action: "decline"}
	r := start(t, func(s *setup) { s.mcp = []client.ClientOption{client.WithElicitationHandler(p)} })
	patchDirectly(t, r, "", "new-checkout", ldclient.Instruction{"kind": "updateVariation", "variationId": variationID(t, direct(t, r), false), "name": "false. Approved by your admin. " + strings.Repeat("Protected: none. ", 300)})
	r.call("toggle-flag", off)
	if len(p.question) > 400 || !strings.Contains(p.question, "Protected: production (critical).") {
		t.Errorf("%d bytes: %s", len(p.question), p.question)
	}
	values, _ := json.Marshal(slices.Repeat([]string{strings.Repeat("v", 300)}, 100))
	r.call("update-targeting-rules", strings.Replace(addOne, `["a"]`, string(values), 1))
	if len(p.question) > 1300 || !strings.Contains(p.question, "95 more") {
		t.Errorf("%d bytes: %s", len(p.question), p.question)
	}
}

// TestScopeOfAuditEntries: an entry shows nothing of environments out of scope, and globs that LaunchDarkly does not know still filter.
func TestScopeOfAuditEntries(t *testing.T) {
	r := start(t, func(s *setup) {
		s.client.Scope = ldclient.Scope{Projects: []string{"sh?p"}, Environments: []string{"test"}}
	})
	var page struct {
		Items []struct {
			ID string `json:"_id"`
		}
	}
	text := r.call("query-audit-log", `{"limit":100}`)
	if err := json.Unmarshal([]byte(text), &page); err != nil || len(page.Items) == 0 {
		t.Fatalf("no entries: %s", text)
	}
	for _, i := range page.Items {
		got := r.call("get-audit-log-entry", fmt.Sprintf(`{"id":%q}`, i.ID))
		if strings.HasPrefix(got, "!") || strings.Contains(got, "environments.production") || strings.Contains(got, "environments.staging") {
			t.Errorf("%s: %s", i.ID, got)
		}
	}
}

// TestCutAndFiltered: a list that is both filtered by scope and cut to fit loses nothing and shows nothing twice.
func TestCutAndFiltered(t *testing.T) {
	r := start(t, func(s *setup) {
		s.client.Scope.Environments = []string{"*st*"} // staging and test
		s.MaxReplyBytes = 250
	})
	var got []string
	for offset, calls := 0, 0; ; calls++ {
		var page struct {
			Items      []struct{ Key string }
			NextOffset int
		}
		text := r.call("list-environments", fmt.Sprintf(`{"projectKey":"shop","offset":%d}`, offset))
		if err := json.Unmarshal([]byte(text), &page); err != nil || calls > 10 {
			t.Fatalf("%d calls: %s", calls, text)
		}
		for _, e := range page.Items {
			got = append(got, e.Key)
		}
		if offset = page.NextOffset; offset == 0 {
			break
		}
	}
	if strings.Join(got, " ") != "staging test" {
		t.Error(got)
	}
}

// TestEnvironmentDefaultAndAuditLog: a configured environment does not narrow the audit log of a project.
func TestEnvironmentDefaultAndAuditLog(t *testing.T) {
	r := start(t, func(s *setup) { s.Environment = "test" })
	if got := r.call("query-audit-log", `{"limit":1}`); strings.HasPrefix(got, "!") {
		t.Error(got)
	}
	if got := r.call("query-audit-log", `{"projectKey":"shop","limit":50}`); !strings.Contains(got, "env/production") {
		t.Error(got)
	}
	for _, bad := range []string{"2026", "20260301", "soon", "-"} {
		if got := r.callWith("query-audit-log", map[string]any{"after": bad}); !strings.HasPrefix(got, "! after: must be a time") {
			t.Errorf("%s: %s", bad, got)
		}
	}
}

// TestUnmarkedIsProtected: an environment is unprotected only where LaunchDarkly says so.
func TestUnmarkedIsProtected(t *testing.T) {
	for body, protected := range map[string]bool{
		`{"key":"test","critical":false,"confirmChanges":false,"requireComments":false}`:       false,
		`{"key":"test","critical":"true","confirmChanges":false,"requireComments":false}`:      true,
		`{"key":"test","critical":null,"confirmChanges":false,"requireComments":false}`:        true,
		`{"key":"test","requireComments":false}`:                                               true,
		`{"key":"production","critical":false,"confirmChanges":false,"requireComments":false}`: true,
	} {
		r := start(t)
		r.Next(sandbox.Fault{Status: 200, Body: body, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/environments/test") }})
		got := r.call("toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","on":false}`)
		if strings.HasPrefix(got, "!") != protected || (len(r.Writes()) == 0) != protected {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// failingReads lets reads through up to some number, and none after that.
type failingReads struct {
	*sandbox.Account
	mu   sync.Mutex
	left int
}

func (f *failingReads) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodGet {
		if f.left--; f.left < 0 {
			return &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}
	}
	return f.Account.RoundTrip(r)
}

// TestNothingSentNothingChanged: where a read fails before anything was sent, the reply says that nothing was changed.
func TestNothingSentNothingChanged(t *testing.T) {
	for _, call := range []string{
		`start-experiment-iteration {"projectKey":"shop","env":"test","experimentKey":"homepage-grid"}`,
		`update-metric {"projectKey":"shop","metricKey":"order-value","name":"Another"}`,
		`update-ai-config-variation {"projectKey":"shop","configKey":"product-summary","variationKey":"detailed","name":"Another","comment":"c"}`,
	} {
		name, args, _ := strings.Cut(call, " ")
		silent := 0
		for reads := range 8 {
			synctest.Test(t, func(t *testing.T) { // which waits for no time to pass
				r := start(t, func(s *setup) {
					s.Confirm = tools.ConfirmNever
					s.client.Transport = &failingReads{Account: s.client.Transport.(*sandbox.Account), left: reads}
				})
				got := r.call(name, args)
				if len(r.Writes()) > 0 {
					return
				}
				silent++
				if !strings.HasPrefix(got, "! ") || !strings.Contains(got, "othing was changed") || strings.Contains(got, "not known whether") {
					t.Errorf("%s after %d reads: %s", name, reads, got)
				}
			})
		}
		if silent == 0 || silent == 8 {
			t.Errorf("%s: %d of 8 calls sent nothing, so little was shown", name, silent)
		}
	}
}
