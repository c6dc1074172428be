package tools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox/contract"
	"github.com/ld-mcp/ld-mcp/tools"
)

var rewrite = flag.Bool("update", false, "rewrite testdata")

// noon is when the sandbox's history ends in these tests.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// A rig is a sandbox account, a server on it and an MCP client of that server.
type rig struct {
	*sandbox.Account
	t      *testing.T
	server *tools.Server
	client *client.Client

	instructions string // what the server tells clients of itself
}

// setup is what a test may change before a rig starts.
type setup struct {
	tools.Options
	client ldclient.Config
	mcp    []client.ClientOption
}

// shop is an account that nobody changes.
var shop = sync.OnceValue(func() *sandbox.Account { return sandbox.New(sandbox.Options{Now: func() time.Time { return noon }}) })

func start(t *testing.T, change ...func(*setup)) *rig {
	t.Helper()
	account := shop().Copy()
	s := setup{
		Options: tools.Options{Version: "test", Toolsets: []string{"all"}, AllowReview: true, MaxReplyBytes: 20_000},
		client:  ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account},
	}
	for _, c := range change {
		c(&s)
	}
	if s.client.Transport == account {
		s.client.Transport = documented{account, t}
	}
	return connect(t, account, s)
}

// connect starts a server and a client of it.
func connect(t *testing.T, account *sandbox.Account, s setup) *rig {
	t.Helper()
	ld, err := ldclient.New(s.client)
	if err != nil {
		t.Fatal(err)
	}
	s.Options.Client = ld
	srv, err := tools.New(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewInProcessClientWithOptions(srv.MCP(), s.mcp...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var hello mcp.InitializeRequest
	hello.Params.ClientInfo = mcp.Implementation{Name: "test", Version: "1"}
	welcome, err := c.Initialize(t.Context(), hello)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{account, t, srv, c, welcome.Instructions}
}

// documented lets through what LaunchDarkly's OpenAPI document allows, and fails the test on anything else.
type documented struct {
	*sandbox.Account
	t *testing.T
}

// document is where the OpenAPI document lies beside a checkout.
const document = "../../shared/reference/launchdarkly-openapi.json"

var load = sync.OnceValues(func() (*contract.Checker, error) { return contract.Load(document) })

func (d documented) RoundTrip(r *http.Request) (*http.Response, error) {
	checker, err := load()
	switch {
	case strings.HasPrefix(r.URL.Path, "/internal/"): // not in the document, and never needed
	case err == nil:
		var body []byte
		if r.Body != nil {
			if body, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		if err := checker.Request(r, body); err != nil {
			d.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
	case os.Getenv("CI") != "":
		d.t.Errorf("the OpenAPI document cannot be read: %v", err)
	}
	return d.Account.RoundTrip(r)
}

// TestDocumentIsRead tells when requests are not checked.
func TestDocumentIsRead(t *testing.T) {
	if _, err := load(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// call calls a tool with JSON arguments and returns its text, "! " in front if it failed.
func (r *rig) call(name, args string) string {
	r.t.Helper()
	var a any
	if err := json.Unmarshal([]byte(args), &a); err != nil {
		r.t.Fatalf("%s %s: %v", name, args, err)
	}
	return r.callWith(name, a)
}

func (r *rig) callWith(name string, args any) string {
	r.t.Helper()
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = name, args
	res, err := r.client.CallTool(r.t.Context(), req)
	if err != nil {
		return "!! " + err.Error()
	}
	if len(res.Content) != 1 {
		r.t.Fatalf("%s: %d content blocks, want 1", name, len(res.Content))
	}
	text := res.Content[0].(mcp.TextContent).Text
	if res.IsError {
		return "! " + text
	}
	return text
}

func indented(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

// person answers elicitations.
type person struct {
	action   mcp.ElicitationResponseAction
	question string
	before   func() // runs while the question is open
}

func (p *person) Elicit(_ context.Context, r mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.question = r.Params.Message
	if p.before != nil {
		p.before()
	}
	out := mcp.ElicitationResponse{Action: p.action}
	if p.action == mcp.ElicitationResponseActionAccept {
		out.Content = map[string]any{}
	}
	return &mcp.ElicitationResult{ElicitationResponse: out}, nil
}

// meddling lets somebody else act before the nth request of a method whose path holds a part.
type meddling struct {
	*sandbox.Account
	method, part string
	nth          int
	do           func(*sandbox.Account)
	mu           sync.Mutex
	sent         []string // bodies of requests that write
}

func (m *meddling) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	now := false
	if r.Method == m.method && strings.Contains(r.URL.Path, m.part) {
		m.nth--
		now = m.nth == 0
	}
	if r.Method != http.MethodGet && r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			b, _ := io.ReadAll(body)
			m.sent = append(m.sent, string(b))
		}
	}
	m.mu.Unlock()
	if now {
		m.do(m.Account)
	}
	return m.Account.RoundTrip(r)
}

func meddle(m *meddling) func(*setup) {
	return func(s *setup) {
		m.Account = s.client.Transport.(*sandbox.Account)
		s.client.Transport = m
	}
}
