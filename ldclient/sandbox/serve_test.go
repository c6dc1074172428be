package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testTime = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

// testClock is a clock that tests set.
type testClock struct{ time.Time }

func (c *testClock) now() time.Time { return c.Time }

func newTestAccount(o Options) (*Account, *testClock) {
	c := &testClock{testTime}
	o.Now = c.now
	return New(o), c
}

// answer is what the account said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request with the writer's token; header holds name, value pairs, and an empty value takes a header away.
func ask(t *testing.T, a *Account, method, path string, body any, header ...string) answer {
	t.Helper()
	res, err := a.RoundTrip(newRequest(t, method, path, body, header...))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

func newRequest(t *testing.T, method, path string, body any, header ...string) *http.Request {
	t.Helper()
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(jsonValue(body))
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "https://sandbox.test/api/v2"+path, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", WriterToken)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
		if pair[1] == "" {
			r.Header.Del(pair[0])
		}
	}
	return r
}

// into decodes an answer that must have a status.
func into[T any](t *testing.T, got answer, status int) T {
	t.Helper()
	var v T
	if got.status != status {
		t.Fatalf("status %d, want %d: %s", got.status, status, got.body)
	}
	if err := json.Unmarshal(got.body, &v); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	return v
}

type failure struct{ Code, Message, ID string }

func TestTokens(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	tests := []struct {
		name, token, method, path string
		status                    int
		code                      string
	}{
		{"writer", WriterToken, "GET", "/projects/shop", 200, ""},
		{"writer writes", WriterToken, "DELETE", "/projects/mobile", 204, ""},
		{"reader", ReaderToken, "GET", "/projects/shop", 200, ""},
		{"reader writes", ReaderToken, "DELETE", "/projects/shop", 403, "forbidden"},
		{"reader searches", ReaderToken, "POST", "/auditlog", 200, ""},
		{"none", "", "GET", "/projects/shop", 401, "unauthorized"},
		{"bearer", "Bearer " + WriterToken, "GET", "/projects/shop", 401, "unauthorized"},
		{"unknown", "api-other", "GET", "/projects/shop", 401, "unauthorized"},
		{"unknown token and path", "api-other", "GET", "/nothing", 401, "unauthorized"},
		{"SDK key", a.projects[0].Envs[0].APIKey, "GET", "/projects/shop", 401, "unauthorized"},
		{"public", "", "GET", "/versions", 200, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, a, test.method, test.path, nil, "Authorization", test.token)
			if got.status != test.status {
				t.Fatalf("status %d, want %d: %s", got.status, test.status, got.body)
			}
			if test.code == "" {
				return
			}
			if f := into[failure](t, got, test.status); f.Code != test.code || f.Message == "" || f.ID == "" {
				t.Errorf("error body %+v", f)
			}
		})
	}
}

func TestVersionHeader(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	a.route("GET /projects/{project}/views", func(w http.ResponseWriter, r *http.Request) { send(w, 200, map[string]any{}) })
	tests := []struct {
		path, version string
		status        int
	}{
		{"/projects/shop", "", 200},
		{"/projects/shop", "20240415", 200},
		{"/projects/shop", "beta", 200},
		{"/projects/shop", "20990101", 400},
		{"/projects/shop/views", "beta", 200},
		{"/projects/shop/views", "20240415", 403},
		{"/projects/shop/views", "", 403},
		{"/flags/shop/payments-v2/dependent-flags", "20240415", 403},
		{"/flags/shop/payments-v2/dependent-flags", "beta", 200},
	}
	for _, test := range tests {
		got := ask(t, a, "GET", test.path, nil, "LD-API-Version", test.version)
		if got.status != test.status {
			t.Errorf("%s with %q: status %d, want %d", test.path, test.version, got.status, test.status)
		}
		if got.status == 403 && !strings.Contains(into[failure](t, got, 403).Message, "LD-API-Version") {
			t.Errorf("%s: the refusal does not name the header: %s", test.path, got.body)
		}
	}
	two := newRequest(t, "GET", "/projects/shop/views", nil, "LD-API-Version", "20240415")
	two.Header.Add("LD-API-Version", "beta")
	if res, err := a.RoundTrip(two); err != nil || res.StatusCode != 403 {
		t.Errorf("two version headers: %v, %v; the first one counts", res.StatusCode, err)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	tests := []struct {
		method, path string
		status       int
	}{
		{"GET", "/nothing", 404},
		{"GET", "/projects/shop/", 404},
		{"GET", "//projects/shop", 404},
		{"GET", "/projects//shop", 404},
		{"GET", "/projects/../projects/shop", 404},
		{"GET", "/projects/./shop", 404},
		{"GET", "/projects/x/%2e%2e/shop", 404},
		{"GET", "/projects/%2E%2E", 404},
		{"GET", "/projects/shop%2Fenvironments", 404},
		{"DELETE", "/projects/shop/environments/%2e%2e", 404},
		{"PUT", "/projects/shop", 405},
		{"DELETE", "/auditlog", 405},
		{"HEAD", "/projects/shop", 200},
	}
	for _, test := range tests {
		got := ask(t, a, test.method, test.path, nil)
		if got.status != test.status {
			t.Errorf("%s %s: status %d, want %d: %s", test.method, test.path, got.status, test.status, got.body)
		}
		if got.status == 200 && len(got.body) != 0 {
			t.Errorf("%s %s answers with a body: %s", test.method, test.path, got.body)
		}
		if got.status >= 400 && into[failure](t, got, got.status).Code == "" {
			t.Errorf("%s %s: no code: %s", test.method, test.path, got.body)
		}
		seen := a.Requests()
		if last := seen[len(seen)-1]; last.Path != "/api/v2"+test.path || last.Status != test.status {
			t.Errorf("logged as %s, %d; want the path as it was sent: %s", last.Path, last.Status, test.path)
		}
	}
	if a.findProject("shop") == nil {
		t.Error("a dotted path has deleted the project")
	}
}

func TestEscapedSegments(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	key := url.PathEscape("a/b c:d")
	got := into[struct{ Items []contextRecord }](t, ask(t, a, "GET", "/projects/shop/environments/production/contexts/user/"+key, nil), 200)
	if len(got.Items) != 1 || got.Items[0].Context["key"] != "a/b c:d" {
		t.Errorf("context with a slash in its key: %+v", got.Items)
	}
	into[repositoryRep](t, ask(t, a, "GET", "/code-refs/repositories/shop%2Fbackend", nil), 200)
	into[failure](t, ask(t, a, "GET", "/code-refs/repositories/shop/backend", nil), 404)
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	reads := []string{"POST /auditlog", "POST /auditlog/counts", "POST /projects/shop/environments/test/contexts/search",
		"POST /projects/shop/environments/test/context-instances/search", "POST /projects/shop/environments/test/flags/evaluate",
		"POST /projects/shop/environments/test/segments/evaluate", "POST /projects/shop/flags/x/environments/test/migration-safety-issues",
		"GET /projects/shop", "HEAD /projects", "PATCH /flags/shop/dark-mode?dryRun=true"}
	writes := []string{"POST /projects", "PATCH /flags/shop/dark-mode", "DELETE /nothing", "PUT /auditlog", "POST /segments/segments/evaluate/contexts"}
	for _, s := range append(reads, writes...) {
		method, path, _ := strings.Cut(s, " ")
		ask(t, a, method, path, map[string]any{"x": 1})
	}
	var got []string
	for _, r := range a.Writes() {
		got = append(got, r.Method+" "+strings.TrimPrefix(r.Path, "/api/v2"))
		if string(r.Body) != `{"x":1}` || r.Header.Get("Authorization") != WriterToken {
			t.Errorf("%s %s: body %s, header %v", r.Method, r.Path, r.Body, r.Header)
		}
	}
	if diff := cmp.Diff(writes, got); diff != "" {
		t.Error(diff)
	}
	if n := len(a.Requests()); n != len(reads)+len(writes) {
		t.Errorf("%d requests logged", n)
	}
}

func TestMethodOverride(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	got := ask(t, a, "POST", "/projects/mobile", nil, "X-HTTP-Method-Override", "DELETE")
	if got.status != 204 || a.findProject("mobile") != nil {
		t.Errorf("status %d, project %v", got.status, a.findProject("mobile"))
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	a.Next(Fault{Status: 503, Body: "<html>down</html>", Header: map[string]string{"Retry-After": "3"}})
	a.Next(Fault{Status: 500, Body: `{"code":"x"}`, Match: func(r *http.Request) bool {
		b, err := io.ReadAll(r.Body)
		return err == nil && r.Method == "POST" && strings.Contains(string(b), "lost")
	}})
	if got := ask(t, a, "GET", "/projects", nil); got.status != 503 || string(got.body) != "<html>down</html>" || got.header.Get("Retry-After") != "3" ||
		!strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Errorf("first fault: %+v", got)
	}
	if got := ask(t, a, "GET", "/projects", nil); got.status != 200 {
		t.Errorf("the second fault took a request that it does not match: %d", got.status)
	}
	if got := ask(t, a, "POST", "/projects", map[string]any{"key": "lost", "name": "Lost"}); got.status != 500 {
		t.Errorf("second fault: %d", got.status)
	}
	if a.findProject("lost") != nil {
		t.Error("a fault before the answer has carried the request out")
	}
	for _, fault := range []Fault{{Status: 504, After: true}, {After: true}} {
		a.Next(fault)
		key := "late" + strconv.Itoa(fault.Status)
		res, err := a.RoundTrip(newRequest(t, "POST", "/projects", map[string]any{"key": key, "name": "Late"}))
		if fault.Status == 0 && err == nil || fault.Status != 0 && (err != nil || res.StatusCode != 504) {
			t.Errorf("fault %+v: %v, %v", fault, res, err)
		}
		if a.findProject(key) == nil {
			t.Errorf("fault %+v: the request was not carried out", fault)
		}
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	server := httptest.NewServer(a)
	defer server.Close()
	get := func() (*http.Response, error) {
		r := newRequest(t, "GET", "/projects/shop", nil)
		r.URL, _ = url.Parse(server.URL + "/api/v2/projects/shop")
		r.Host = ""
		return server.Client().Do(r)
	}
	res, err := get()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || !json.Valid(b) {
		t.Errorf("status %d, %v: %s", res.StatusCode, err, b)
	}
	if got := res.Header.Get("Date"); got != testTime.Format(http.TimeFormat) {
		t.Errorf("Date %s is not the account's", got)
	}
	a.Next(Fault{})
	a.Next(Fault{}) // a client may try a dropped connection once more
	if res, err := get(); err == nil {
		res.Body.Close()
		t.Errorf("status %d on a connection that should have dropped", res.StatusCode)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	a, clock := newTestAccount(Options{RateLimit: 3})
	remaining := func() string {
		return ask(t, a, "GET", "/projects", nil).header.Get("X-Ratelimit-Global-Remaining")
	}
	if got := []string{remaining(), remaining(), remaining()}; !slices.Equal(got, []string{"2", "1", "0"}) {
		t.Errorf("remaining: %v", got)
	}
	clock.Time = clock.Add(4 * time.Second)
	got := ask(t, a, "DELETE", "/projects/mobile", nil)
	if f := into[failure](t, got, 429); f.Code != "rate_limited" {
		t.Errorf("error %+v", f)
	}
	if a.findProject("mobile") == nil {
		t.Error("a request over the limit was carried out")
	}
	want := strconv.FormatInt(testTime.Add(windowLength).UnixMilli(), 10)
	if reset := got.header.Get("X-Ratelimit-Reset"); reset != want {
		t.Errorf("reset %s, want %s", reset, want)
	}
	clock.Time = clock.Add(6 * time.Second)
	got = ask(t, a, "GET", "/members", nil)
	if got.status != 200 || got.header.Get("X-Ratelimit-Route-Remaining") != "2" || got.header.Get("X-Ratelimit-Route-Limit") != "3" {
		t.Errorf("in the next window: status %d, %v", got.status, got.header)
	}
}

type listing struct {
	Items      []map[string]any
	TotalCount int
	Links      map[string]link `json:"_links"`
}

func TestPaging(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	path := "/members?limit=3&filter=query:example.com&sort=-displayName"
	var names []string
	for path != "" {
		got := into[listing](t, ask(t, a, "GET", path, nil), 200)
		for _, m := range got.Items {
			names = append(names, m["firstName"].(string))
		}
		if got.TotalCount != 8 {
			t.Fatalf("totalCount %d", got.TotalCount)
		}
		first, prev := got.Links["first"], got.Links["prev"]
		if atStart := len(names) <= 3; atStart != (first.Href == "") || atStart != (prev.Href == "") {
			t.Errorf("after %d names: first %q, prev %q", len(names), first.Href, prev.Href)
		}
		next := got.Links["next"].Href
		if (next == "") != (got.Links["last"].Href == "") {
			t.Errorf("after %d names: next %q, last %q", len(names), next, got.Links["last"].Href)
		}
		if next != "" && !strings.HasPrefix(next, "/api/v2/members?") {
			t.Errorf("next is %q", next)
		}
		path = strings.TrimPrefix(next, "/api/v2")
	}
	want := []string{"Radia", "Mary", "Margaret", "Katherine", "Grace", "Edsger", "Alan", "Ada"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	got := into[listing](t, ask(t, a, "GET", "/members?limit=3&offset=3", nil), 200)
	for name, want := range map[string]string{
		"first": "limit=3&offset=0", "prev": "limit=3&offset=0", "next": "limit=3&offset=6", "last": "limit=3&offset=6", "self": "limit=3&offset=3",
	} {
		if href := got.Links[name].Href; href != "/api/v2/members?"+want {
			t.Errorf("%s is %q, want %q", name, href, want)
		}
	}
	if got := into[listing](t, ask(t, a, "GET", "/members?offset=100", nil), 200); got.Items == nil || len(got.Items) != 0 {
		t.Errorf("beyond the end: %v", got.Items)
	}
	for _, bad := range []string{"limit=x", "limit=-1", "offset=-1", "limit=1001", "filter=nonsense", "filter=nope:1", "sort=nope"} {
		if got := ask(t, a, "GET", "/members?"+bad, nil); got.status != 400 {
			t.Errorf("%s: status %d", bad, got.status)
		}
	}
}
