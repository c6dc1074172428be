package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/server"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// asServer as the first argument makes the test binary an MCP server on the account at the second.
const asServer = "serve"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		var err error
		switch os.Args[1] {
		case asUpstream:
			err = serveUpstream(context.Background(), os.Stdout)
		case asServer:
			err = serve(os.Args[2], os.Args[3:])
		default:
			os.Exit(m.Run())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func serve(upstream string, toolsets []string) error {
	client, err := ldclient.New(ldclient.Config{BaseURL: upstream, Token: ldclient.StaticToken(sandbox.WriterToken)})
	if err != nil {
		return err
	}
	s, err := tools.New(tools.Options{Client: client, Toolsets: toolsets})
	if err != nil {
		return err
	}
	return server.NewStdioServer(s.MCP()).Listen(context.Background(), os.Stdin, os.Stdout)
}

// TestMeasure measures a server against itself: as the other server it goes by
// the names and arguments of that one, which it takes too.
func TestMeasure(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := func(upstream string) []string { return []string{self, asServer, upstream} }
	files := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(files, make([]byte, 5e6), 0o600); err != nil {
		t.Fatal(err)
	}
	ours, theirs := newOurs(""), newPeer("")
	ours.command, theirs.command, ours.files, theirs.files, ours.all = command, command, []string{files}, []string{filepath.Dir(files)}, []string{"all"}
	up, err := startUpstream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer up.stop()
	b := &bench{both: [2]*contender{ours, theirs}, up: up, say: func(string) {}, times: times{starts: 2, memory: 1, warm: 1, gets: 4, pages: 2, crowds: 1}}
	rows := map[string]row{}
	for _, phase := range []func(context.Context) ([]row, error){b.starts, b.memory, b.replies, b.latency, b.crowds} {
		got, err := phase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			if _, ok := rows[r.ID]; ok {
				t.Errorf("%s is there twice", r.ID)
			}
			rows[r.ID] = r
			t.Logf("%s: %s, %s", r.ID, r.amount(r.Ours, r.OursBytes), r.amount(r.Theirs, r.TheirsBytes))
		}
	}
	for id, r := range rows {
		lost := strings.HasSuffix(id, "-failed")
		if lost && (r.Ours != 0 || r.Theirs != 0) || !lost && !strings.HasSuffix(id, "-added") && (r.Ours <= 0 || r.Theirs <= 0) {
			t.Errorf("%s: %v and %v", id, r.Ours, r.Theirs)
		}
	}
	for _, id := range []string{"tools", "tools-list", "get", "audit", "list-20-state"} { // the server is the same
		if r := rows[id]; r.Ours != r.Theirs || r.OursBytes != r.TheirsBytes {
			t.Errorf("%s differs: %+v", id, r)
		}
	}
	if rows["tools-all"].Ours <= rows["tools-all"].Theirs {
		t.Errorf("all tools are no more than the default ones: %+v", rows["tools-all"])
	}
	if rows["list-200"].Ours < 4*rows["list-20"].Ours {
		t.Errorf("200 flags are hardly more than 20: %+v, %+v", rows["list-200"], rows["list-20"])
	}
	if rows["memory-lists"].Ours < rows["memory-fresh"].Ours || rows["memory-fresh"].Ours < 5 {
		t.Errorf("memory %+v, %+v", rows["memory-fresh"], rows["memory-lists"])
	}
	if _, err := lookUp("node"); err != nil {
		t.Skip("without Node.js its size is not known")
	}
	sizes, err := b.sizes(t.Context())
	if err != nil || sizes[0].Ours != 5 || sizes[0].Theirs != 5 || sizes[1].Theirs <= sizes[1].Ours {
		t.Errorf("%+v, %v", sizes, err)
	}
}

// TestSameRequests: a server that asks LaunchDarkly for something else than the other is found out.
func TestSameRequests(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	up, err := startUpstream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer up.stop()
	ours := newOurs("")
	ours.command, ours.all = func(upstream string) []string { return []string{self, asServer, upstream} }, []string{"all"}
	twice := *ours
	twice.get = func(flag string) question {
		return question{"get-flag", args{"projectKey": project, "flagKey": flag, "environmentKey": "production"}}
	}
	b := &bench{both: [2]*contender{ours, &twice}, up: up, say: func(string) {}, times: times{gets: 1}}
	if _, err := b.replies(t.Context()); err == nil || !strings.Contains(err.Error(), "?env=production") {
		t.Errorf("%v", err)
	}
}

// TestPeerIsLocked: what is installed is the version that the table names.
func TestPeerIsLocked(t *testing.T) {
	text, err := peerFiles.ReadFile("peer/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Resolved, Integrity string }
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	if got := lock.Packages["node_modules/"+peerPackage].Version; got != peerVersion {
		t.Errorf("the lock file has %q of %s", got, peerPackage)
	}
	for name, p := range lock.Packages {
		if p.Resolved != "" || name != "" && p.Integrity == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if installed(t.TempDir()) {
		t.Error("an empty folder counts as an installation")
	}
}
