package contract_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox/contract"
)

var load = sync.OnceValues(func() (*contract.Checker, error) {
	return contract.Load("../../../../shared/reference/launchdarkly-openapi.json")
})

func checker(t *testing.T) *contract.Checker {
	t.Helper()
	c, err := load()
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	plain    = "application/json"
	semantic = "application/json; domain-model=launchdarkly.semanticpatch"
)

func request(t *testing.T, line, contentType, body string) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, "https://sandbox.test/api/v2"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", sandbox.WriterToken)
	r.Header.Set("LD-API-Version", "20240415")
	return r
}

func TestRequest(t *testing.T) {
	t.Parallel()
	c := checker(t)
	const flag, segment = "PATCH /flags/shop/dark-mode", "PATCH /segments/shop/production/vip"
	tests := []struct {
		line, contentType, body string
		want                    string // part of the violation, "" for none
	}{
		{"GET /projects", "", "", ""},
		{"GET /projects?limit=5&expand=environments", "", "", ""},
		{"GET /projects?limit=five", "", "", "limit"},
		{"GET /projects?page=2", "", "", "no query parameter page"},
		{"GET /projects?limit=1&limit=2", "", "", "sent 2 times"},
		{"GET /flags/shop?env=production&env=test&summary=0", "", "", ""},
		{"GET /flags/shop?env=production&tag=a&tag=b", "", "", "sent 2 times"},
		{"GET /nothing", "", "", "no such operation"},
		{"PUT /projects/shop", plain, "{}", "no such operation"},
		{"GET /projects/%2e%2e", "", "", "dotted"},
		{"GET /projects//shop", "", "", "empty"},
		{"GET /members/me", "", "", ""},
		{"GET /projects/shop", plain, "{}", "takes no body"},
		{"GET /projects/shop/views", "", "", "LD-API-Version: beta"},
		{"GET /flags/shop/dark-mode/dependent-flags", "", "", "LD-API-Version: beta"},
		{"POST /auditlog/counts", plain, "[]", "after is missing"},
		{"POST /auditlog", plain, `[{"effect":"allow","resources":["*"],"actions":["*"]}]`, ""},
		{"POST /auditlog", plain, `[{"effect":"maybe"}]`, "body"},

		{"POST /projects", plain, `{"key":"a","name":"A"}`, ""},
		{"POST /projects", "", `{"key":"a","name":"A"}`, "Content-Type"},
		{"POST /projects", "text/plain", `{"key":"a","name":"A"}`, "takes no text/plain"},
		{"POST /projects", semantic, `{"key":"a","name":"A"}`, "no semantic patch"},
		{"POST /projects", plain, `{"key":"a"}`, `"name" is missing`},
		{"POST /projects", plain, `{"key":"a","name":1}`, "string"},
		{"POST /projects", plain, `{"key":"a","name":"A","colour":"red"}`, "no field colour"},
		{"POST /projects", plain, `{"key":"a","name":"A","environments":[{"key":"b","name":"B","color":"aaaaaa","kind":"x"}]}`, "no field environments.[].kind"},
		{"POST /flags/shop", plain, `{"key":"a","name":"A","viewKeys":["x"]}`, ""},
		{"PATCH /projects/shop", plain, `[{"op":"replace","path":"/name","value":"Shop"}]`, ""},
		{"PATCH /projects/shop", plain, `{"name":"Shop"}`, "array"},

		{flag, semantic, `{"environmentKey":"test","comment":"x","instructions":[{"kind":"turnFlagOn"}]}`, ""},
		{flag, semantic, `{"instructions":[{"kind":"updateName","value":"x"}]}`, ""},
		{flag, semantic, `{"environmentKey":"test","instructions":[{"kind":"startAutomatedRelease"}]}`, ""},
		{flag, semantic, `{"instructions":[{"kind":"turnFlagOn"}]}`, "needs environmentKey"},
		{flag, plain, `{"environmentKey":"test","instructions":[{"kind":"turnFlagOn"}]}`, "media type"},
		{flag, semantic, `{"environmentKey":"test","instructions":[{"kind":"addIncludedTargets"}]}`, "no kind addIncludedTargets"},
		{flag, semantic, `{"environmentKey":"test","instructions":[{}]}`, "has no kind"},
		{flag, semantic, `{"environmentKey":"test","instructions":[]}`, "at least one"},
		{flag, semantic, `{"env":"test","instructions":[{"kind":"updateName"}]}`, "no field env"},
		{flag, semantic, `{"comment":"x"}`, "this body has none"},
		{flag, plain, `{"comment":"x","patch":[{"op":"test","path":"/version","value":1}]}`, ""},
		{flag, plain, `[{"op":"replace","path":"/name","value":"x"}]`, ""},
		{flag, plain, `[{"path":"/name"}]`, "op"},
		{flag, plain, `{"name":"x"}`, ""},
		{flag, plain, `"x"`, "neither"},
		{flag + "?ignoreConflicts=true&dryRun=true", plain, `{"name":"x"}`, ""},
		{segment, semantic, `{"instructions":[{"kind":"updateName","value":"x"}]}`, "needs environmentKey"},
		{segment, semantic, `{"environmentKey":"test","instructions":[{"kind":"updateName","value":"x"}]}`, ""},
		{segment, semantic, `{"environmentKey":"test","instructions":[{"kind":"updateDescription","value":"x"}]}`, "no kind updateDescription"},
		{"PATCH /flags/shop/f/expiring-targets/test", semantic, `{"instructions":[{"kind":"addExpiringTarget"}]}`, ""},
		{"PATCH /flags/shop/f/expiring-targets/test", semantic, `{"instructions":[{"kind":"turnFlagOn"}]}`, "no kind turnFlagOn"},
		{"PATCH /flags/shop/f/expiring-targets/test", plain, `[{"op":"remove","path":"/x"}]`, "media type"},
		{"PATCH /teams/growth", semantic, `{"instructions":[{"kind":"addMembers","values":["x"]}]}`, ""},
		{"PATCH /projects/shop/environments/test/experiments/x", semantic, `{"instructions":[{"kind":"anything"}]}`, "LD-API-Version: beta"},
		{"PATCH /projects/shop/ai-configs/x/targeting", semantic, `{"environmentKey":"test","instructions":[{"kind":"anything"}]}`, ""},
		{"DELETE /flags/shop/f", "", "", ""},
	}
	for _, test := range tests {
		t.Run(test.line+" "+test.body, func(t *testing.T) {
			err := c.Request(request(t, test.line, test.contentType, test.body), []byte(test.body))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("violation %v, want %q", err, test.want)
			}
		})
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	c := checker(t)
	r := request(t, "GET /projects", "", "")
	r.Header.Add("LD-API-Version", "beta")
	if err := c.Request(r, nil); err == nil {
		t.Error("two version headers are let through")
	}
	r = request(t, "GET /projects", "", "")
	r.Header.Set("Authorization", "Bearer x")
	if err := c.Request(r, nil); err == nil {
		t.Error("a bearer token is let through")
	}
	r = request(t, "GET /projects/shop/views", "", "")
	r.Header.Set("LD-API-Version", "beta")
	if err := c.Request(r, nil); err != nil {
		t.Error(err)
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	c := checker(t)
	const status = "GET /flag-statuses/shop/test/dark-mode"
	tests := []struct {
		line      string
		status    int
		mediaType string
		body      string
		want      string
	}{
		{"GET /versions", 200, plain, `{"validVersions":[1],"latestVersion":1,"currentVersion":1}`, ""},
		{"GET /versions", 200, plain, `{"validVersions":["1"],"latestVersion":1,"currentVersion":1}`, "integer"},
		{"GET /versions", 200, plain, `{"validVersions":[1],"latestVersion":1}`, `"currentVersion" is missing`},
		{"GET /versions", 200, "text/html", `{"validVersions":[1],"latestVersion":1,"currentVersion":1}`, "Content-Type"},
		{"GET /versions", 200, plain, `{`, "JSON"},
		{"GET /versions", 201, plain, `{}`, "does not declare"},
		{"GET /versions", 404, plain, `{"code":"not_found","message":"x"}`, ""},
		{"GET /versions", 404, plain, `{"message":"x"}`, "no code"},
		{"GET /nothing", 404, plain, `{"code":"not_found","message":"x"}`, ""},
		{"GET /nothing", 200, plain, `{}`, "no such operation"},
		{status, 200, plain, `{"name":"new","lastRequested":null,"_links":{}}`, ""},
		{status, 200, plain, `{"name":null,"lastRequested":null,"_links":{}}`, "name"},
		{"DELETE /flags/shop/f", 204, "", "", ""},
		{"DELETE /flags/shop/f", 204, plain, "{}", "body"},
	}
	for _, test := range tests {
		t.Run(test.line+" "+test.body, func(t *testing.T) {
			h := http.Header{"Content-Type": {test.mediaType}}
			err := c.Response(request(t, test.line, "", ""), test.status, h, []byte(test.body))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("violation %v, want %q", err, test.want)
			}
		})
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	c := checker(t)
	var found []error
	h := c.Handler(sandbox.New(sandbox.Options{}), func(err error) { found = append(found, err) })
	get := func(line, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(t, line, plain, body))
		return w
	}
	if w := get("GET /projects/shop", ""); w.Code != 200 || !bytes.Contains(w.Body.Bytes(), []byte(`"shop"`)) || len(found) != 0 {
		t.Errorf("status %d, %v: %s", w.Code, found, w.Body)
	}
	if w := get("POST /projects", `{"key":"new","name":"New"}`); w.Code != 201 || len(found) != 0 {
		t.Errorf("status %d, %v: %s", w.Code, found, w.Body)
	}
	if w := get("GET /projects/shop?nope=1", ""); w.Code != 200 || len(found) != 1 {
		t.Errorf("status %d, %v", w.Code, found)
	}
}
