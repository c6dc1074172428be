package tools_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/openapi"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox/contract"
)

// wholeAPI is a server made from LaunchDarkly's document: it takes what the
// document allows and answers what the schemas say, with nothing behind it.
type wholeAPI struct {
	t       *testing.T
	checker *contract.Checker
	*whole

	mu     sync.Mutex
	seen   []string
	writes []string
	tried  int // dry runs
}

// whole is LaunchDarkly's document: as it is written, as plain data, and as an index.
type whole struct {
	data  []byte
	plain map[string]any
	doc   *openapi.Document
}

var loadWhole = sync.OnceValues(func() (*whole, error) {
	data, err := os.ReadFile(document)
	if err != nil {
		return nil, err
	}
	w := &whole{data: data}
	if err := json.Unmarshal(data, &w.plain); err != nil {
		return nil, err
	}
	w.doc, err = openapi.Read(json.NewDecoder(bytes.NewReader(data)), ldclient.SecretName)
	return w, err
})

func newWholeAPI(t *testing.T) *wholeAPI {
	t.Helper()
	parsed, err := loadWhole()
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &wholeAPI{t: t, whole: parsed}
	if w.checker, err = load(); err != nil {
		t.Fatal(err)
	}
	return w
}

var readingPost = regexp.MustCompile(`^POST /api/v2/(auditlog(/counts)?|projects/[^/]+/(environments/[^/]+/(contexts/search|context-instances/search|flags/evaluate|segments/evaluate)|flags/[^/]+/environments/[^/]+/migration-safety-issues))$`)

func (w *wholeAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	if err := w.checker.Request(r, body); err != nil {
		w.t.Errorf("%s %s %s: %v", r.Method, r.URL, body, err)
	}
	line := r.Method + " " + r.URL.EscapedPath()
	w.mu.Lock()
	w.seen = append(w.seen, line)
	if r.URL.Query().Get("dryRun") == "true" {
		w.tried++
	}
	if r.Method != "GET" && !readingPost.MatchString(line) && r.URL.Query().Get("dryRun") != "true" {
		w.writes = append(w.writes, line)
	}
	w.mu.Unlock()
	status, answer := 200, w.answer(r)
	if raw, ok := answer.([]byte); ok {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Etag": {`"1"`}}, Body: io.NopCloser(bytes.NewReader(raw)), Request: r}, nil
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(b)), Request: r}, nil
}

func (w *wholeAPI) answer(r *http.Request) any {
	op := operationOf(w.doc, r.Method, r.URL.Path)
	if op == nil {
		return map[string]any{"code": "not_found", "message": "nothing there"}
	}
	environment := func(key string) map[string]any {
		return map[string]any{"_id": "1", "key": key, "name": key, "critical": key == "production", "requireComments": false, "confirmChanges": false, "apiKey": "sdk-00000000-0000-4000-8000-000000000000"}
	}
	switch op.ID {
	case "getOpenapiSpec":
		return w.data
	case "getEnvironment":
		return environment(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
	case "getEnvironmentsByProject":
		return map[string]any{"items": []any{environment("production"), environment("test")}, "totalCount": 2}
	}
	item := w.plain["paths"].(map[string]any)[strings.TrimSuffix(openapi.Root+op.Path, "/")].(map[string]any)[strings.ToLower(op.Method)].(map[string]any)
	for status, answer := range item["responses"].(map[string]any) {
		if content, ok := answer.(map[string]any)["content"].(map[string]any); ok && strings.HasPrefix(status, "2") {
			if media, ok := content["application/json"].(map[string]any); ok {
				return w.made(media["schema"], 0, true)
			}
		}
	}
	return map[string]any{}
}

// made is a value that fits a schema of the document: with all members, or with those that are required.
func (w *wholeAPI) made(schema any, depth int, all bool) any {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		return w.made(w.plain["components"].(map[string]any)["schemas"].(map[string]any)[strings.TrimPrefix(ref, "#/components/schemas/")], depth+1, all)
	}
	if list, ok := s["enum"].([]any); ok {
		return list[0]
	}
	for _, key := range []string{"oneOf", "anyOf", "allOf"} {
		if list, ok := s[key].([]any); ok {
			return w.made(list[0], depth+1, all)
		}
	}
	switch s["type"] {
	case "integer", "number":
		return 7
	case "boolean":
		return true
	case "array":
		if depth > 5 {
			return []any{}
		}
		return []any{w.made(s["items"], depth+1, all)}
	case "object":
		out := map[string]any{}
		properties, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		for name, p := range properties {
			if all && depth < 4 || slices.Contains(required, any(name)) {
				out[name] = w.made(p, depth+1, all)
			}
			switch _, has := out[name]; {
			case has && name == "projectKey":
				out[name] = "shop"
			case has && name == "environmentKey":
				out[name] = "production"
			}
		}
		if more, ok := s["additionalProperties"].(map[string]any); ok && all && depth < 4 {
			out["one"] = w.made(more, depth+1, all)
		}
		return out
	case "string":
		if s["format"] == "date-time" {
			return "2026-03-02T12:00:00Z"
		}
		return "made-up"
	}
	return nil
}

// kindOf is an instruction for each operation that takes certain ones.
var kindOf = map[string]string{
	"patchExpiringTargets": "addExpiringTarget", "patchExpiringTargetsForSegment": "addExpiringTarget",
	"patchExpiringUserTargets": "addExpireUserTargetDate", "patchExpiringUserTargetsForSegment": "addExpireUserTargetDate", "patchExpiringFlagsForUser": "addExpireUserTargetDate",
	"patchApprovalRequest": "updateDescription", "patchFlagConfigApprovalRequest": "updateDescription", "patchTriggerWorkflow": "enableTrigger",
	"patchFlagConfigScheduledChange": "updateScheduledChangesExecutionDate", "patchMembers": "replaceMembersRoles", "patchTeam": "updateName", "patchTeams": "addMembersToTeams",
	"patchExperiment": "updateName", "patchHoldout": "updateName", "updateLayer": "updateName", "patchAIConfigTargeting": "addTargets",
}

// arguments are what an operation takes, made from the document.
func (w *wholeAPI) arguments(op *openapi.Operation) map[string]any {
	item := w.plain["paths"].(map[string]any)[strings.TrimSuffix(openapi.Root+op.Path, "/")].(map[string]any)[strings.ToLower(op.Method)].(map[string]any)
	path, query := map[string]any{}, map[string]any{}
	parameters, _ := item["parameters"].([]any)
	for _, p := range parameters {
		p := p.(map[string]any)
		name, _ := p["name"].(string)
		v := w.made(p["schema"], 0, false)
		switch name {
		case "projectKey", "projKey":
			v = "shop"
		case "environmentKey", "envKey":
			v = "production"
		}
		switch {
		case p["in"] == "path":
			path[name] = v
		case p["in"] == "query" && p["required"] == true:
			query[name] = v
		}
	}
	args := map[string]any{"operation": op.ID, "path": path, "query": query}
	body, _ := item["requestBody"].(map[string]any)
	if ref, ok := body["$ref"].(string); ok {
		body = w.plain["components"].(map[string]any)["requestBodies"].(map[string]any)[strings.TrimPrefix(ref, "#/components/requestBodies/")].(map[string]any)
	}
	content, _ := body["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	switch {
	case kindOf[op.ID] != "":
		b, _ := w.made(media["schema"], 0, false).(map[string]any)
		if b == nil {
			b = map[string]any{}
		}
		list, _ := b["instructions"].([]any)
		one := map[string]any{}
		if len(list) > 0 && list[0] != nil {
			one, _ = list[0].(map[string]any)
		}
		one["kind"] = kindOf[op.ID]
		b["instructions"] = []any{one}
		args["body"] = b
	case media != nil:
		args["body"] = w.made(media["schema"], 0, false)
	}
	return args
}

// rigOf starts a server on w.
func (w *wholeAPI) rigOf(t *testing.T, change ...func(*setup)) *rig {
	t.Helper()
	return start(t, append([]func(*setup){func(s *setup) { s.client.Transport = w }}, change...)...)
}

// TestReadAPIReachesEverything calls every operation of LaunchDarkly's document that only reads.
func TestReadAPIReachesEverything(t *testing.T) {
	w := newWholeAPI(t)
	r := w.rigOf(t)
	gets, posts := 0, 0
	for _, op := range w.doc.Operations() {
		if op.Method != "GET" && !readingPost.MatchString("POST /api/v2"+op.Path) {
			continue
		}
		w.seen = nil
		got := r.callWith("read-api", w.arguments(op))
		if op.ID == "getOpenapiSpec" && len(w.seen) == 0 {
			t.Errorf("%s was not asked for", op)
		}
		if strings.HasPrefix(got, "!") || !slices.ContainsFunc(w.seen, func(line string) bool {
			return operationOf(w.doc, op.Method, strings.TrimPrefix(line, op.Method+" ")) == op
		}) {
			t.Errorf("%s (%s): saw %v, got %s", op.ID, op, w.seen, got)
		}
		if len(got) > 20_000 || strings.Contains(got, `"_links"`) || strings.Contains(got, "sdk-0000") {
			t.Errorf("%s: %d bytes: %.300s", op.ID, len(got), got)
		}
		if op.Method == "GET" {
			gets++
		} else {
			posts++
		}
	}
	if gets != 169 || posts != 7 || len(w.writes) > 0 {
		t.Errorf("%d GETs, %d reading POSTs, writes %v", gets, posts, w.writes)
	}
}

// TestWriteAPIIsGuarded calls every other operation in modes that must stop it, and then with all allowed.
func TestWriteAPIIsGuarded(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"read-only":             func(s *setup) { s.ReadOnly, s.AllowOperations = true, []string{"*"} },
		"client refuses writes": func(s *setup) { s.client.ReadOnly, s.AllowOperations, s.Confirm = true, []string{"*"}, "never" },
		"project out of scope": func(s *setup) {
			s.client.Scope.Projects, s.AllowOperations, s.Confirm = []string{"mobile"}, []string{"*"}, "never"
		},
		"environment out of scope": func(s *setup) {
			s.client.Scope.Environments, s.AllowOperations, s.Confirm = []string{"test"}, []string{"*"}, "never"
		},
		"unconfirmed":          func(*setup) {},
		"unconfirmed, allowed": func(s *setup) { s.AllowOperations = []string{"*"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWholeAPI(t)
			r := w.rigOf(t, change)
			n := 0
			for _, op := range w.doc.Operations() {
				if op.Method == "GET" {
					continue
				}
				n++
				args := w.arguments(op)
				args["comment"] = "because"
				if got := r.callWith("write-api", args); !strings.HasPrefix(got, "! ") || !strings.Contains(got, "othing was changed") {
					t.Errorf("%s: %s", op.ID, got)
				}
			}
			if n != 182 || len(w.writes) > 0 {
				t.Errorf("%d operations, writes %v", n, w.writes)
			}
		})
	}
}

// TestWriteAPIWrites: with all allowed and confirmed, each call is one write, the one that was meant, and fits the document.
func TestWriteAPIWrites(t *testing.T) {
	w := newWholeAPI(t)
	r := w.rigOf(t, func(s *setup) { s.AllowOperations = []string{"*"} })
	once := 0
	for _, op := range w.doc.Operations() {
		if op.Method == "GET" {
			continue
		}
		args := w.arguments(op)
		args["comment"] = "because"
		got := r.callWith("write-api", args)
		switch {
		case readingPost.MatchString("POST /api/v2" + op.Path):
			if !strings.Contains(got, "read-api") {
				t.Errorf("%s: %s", op.ID, got)
			}
			continue
		case strings.Contains(got, "takes a file"):
			if op.ID != "createBigSegmentImport" && op.ID != "postTeamMembers" {
				t.Errorf("%s: %s", op.ID, got)
			}
			continue
		}
		word := wantsWord.FindStringSubmatch(got)
		if word == nil || len(w.writes) != 0 {
			t.Errorf("%s is not put to anybody: %v %s", op.ID, w.writes, got)
			w.writes = nil
			continue
		}
		args["dryRun"] = true
		if dry := r.callWith("write-api", args); strings.HasPrefix(dry, "!") || !strings.Contains(dry, `"request":"`+op.Method) || len(w.writes) != 0 {
			t.Errorf("%s: dry run: %v %s", op.ID, w.writes, dry)
		}
		if own := slices.ContainsFunc(op.Parameters, func(p openapi.Parameter) bool { return p.Name == "dryRun" }); own != (w.tried == 1) {
			t.Errorf("%s: LaunchDarkly tried it out %d times", op.ID, w.tried)
		}
		w.tried = 0
		delete(args, "dryRun")
		args["confirm"] = word[1]
		got = r.callWith("write-api", args)
		if strings.HasPrefix(got, "!") || len(w.writes) != 1 || operationOf(w.doc, op.Method, strings.TrimPrefix(w.writes[0], op.Method+" ")) != op {
			t.Errorf("%s: writes %v: %s", op.ID, w.writes, got)
		}
		if strings.Contains(got, "sdk-0000") {
			t.Errorf("%s shows a secret: %s", op.ID, got)
		}
		w.writes = nil
		once++
	}
	if once != 182-7-2 {
		t.Errorf("%d operations were called", once)
	}
}

// TestWriteAPIRefuses tells which operations are refused unless the operator lists them, and why.
func TestWriteAPIRefuses(t *testing.T) {
	w := newWholeAPI(t)
	r := w.rigOf(t, func(s *setup) { s.AllowReview = false })
	var got strings.Builder
	for _, op := range w.doc.Operations() {
		if op.Method == "GET" || readingPost.MatchString("POST /api/v2"+op.Path) {
			continue
		}
		said := r.callWith("write-api", w.arguments(op))
		why, _, refused := strings.Cut(strings.TrimPrefix(said, fmt.Sprintf("! write-api does not call %s: ", op)), ". ")
		switch {
		case strings.Contains(said, "takes a file"):
			why = "takes a file"
		case wantsWord.MatchString(said):
			why = "guarded: " + wantsWord.FindStringSubmatch(said)[1]
		case !refused || !strings.HasPrefix(said, "! write-api does not call"):
			why = said
		}
		fmt.Fprintf(&got, "%s %s: %s\n", op.Method, op.Path, why)
	}
	golden(t, "testdata/apirefused.golden", got.String())
}
