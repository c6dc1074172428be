package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// TestAuditEntries: the line of each writer's change names the entry that LaunchDarkly's own audit log has of it.
func TestAuditEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testAuditEntries)
}

func testAuditEntries(t *testing.T) {
	for _, tool := range everyTool() {
		if tool.Effect == tools.Read {
			continue
		}
		var file bytes.Buffer
		r, account := audited(t, &file)
		before := entries(t, account)
		if got := r.callWith(tool.Name, sample(t, tool, "test")); !strings.Contains(got, `"changed":true`) {
			t.Errorf("%s: %s", tool.Name, got)
		}
		got := lines(t, r, &file)
		if len(got) != 1 || got[0].Outcome != "ok" || got[0].Person != "Ada Lovelace" || got[0].Client != "test" || got[0].Tool != tool.Name || got[0].Resource == "" {
			t.Errorf("%s: %+v", tool.Name, got)
			continue
		}
		made := slices.DeleteFunc(entries(t, account), func(id string) bool { return slices.Contains(before, id) })
		if tool.Name == "order-release-policies" { // its entries are the policies'
			continue
		}
		if !slices.Contains(made, got[0].Entry) {
			t.Errorf("%s: the line names entry %q of %v on %s", tool.Name, got[0].Entry, made, got[0].Resource)
		}
	}
}

// entries are the ids of an account's latest entries.
func entries(t *testing.T, account *sandbox.Account) []string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://sandbox.test/api/v2/auditlog?limit=20", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", sandbox.WriterToken)
	resp, err := account.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct {
		Items []struct {
			ID string `json:"_id"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range page.Items {
		out = append(out, i.ID)
	}
	return out
}

const flip = `{"projectKey":"shop","flagKey":"dark-mode","env":"test","on":%t,"comment":"same"}`

// TestAuditEntriesAreTold: changes with one comment get an entry each, those of others get no line, in the order of the calls.
func TestAuditEntriesAreTold(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	r, account := audited(t, &file)
	for i := range 6 {
		r.call("toggle-flag", fmt.Sprintf(flip, i%2 == 1))
		patchDirectly(t, &rig{Account: account, t: t}, "test", "dark-mode", map[string]any{"kind": "updateTrackEvents", "trackEvents": i%2 == 0})
		r.server.Close()
	}
	var got []string
	for _, l := range lines(t, r, &file) {
		got = append(got, l.Entry)
	}
	all := entries(t, account)
	slices.Reverse(all)
	var want []string
	for _, id := range all {
		if strings.Contains(r.call("get-audit-log-entry", fmt.Sprintf(`{"id":%q}`, id)), "same [via ld-mcp (test)]") {
			want = append(want, id)
		}
	}
	if !slices.Equal(got, want) || len(got) != 6 {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestAuditEntriesAreCertain: a line names no entry of another member, of another process, or of one of two changes that cannot be told apart.
func TestAuditEntriesAreCertain(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	r, account := audited(t, &file)
	uncommented := strings.Replace(fmt.Sprintf(flip, false), `,"comment":"same"`, "", 1)
	other, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.ReviewerToken), Transport: account})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Flags.Patch(t.Context(), "shop", "test", "dark-mode", ldclient.Patch{Comment: "via ld-mcp (test)", Instructions: []ldclient.Instruction{{"kind": "updateTrackEvents", "trackEvents": true}}}); err != nil {
		t.Fatal(err)
	}
	r.call("toggle-flag", uncommented)
	if got, mine := lines(t, r, &file), entries(t, account)[0]; len(got) != 1 || got[0].Entry != mine {
		t.Errorf("%+v, want entry %s", got, mine)
	}

	account = sandbox.New(sandbox.Options{})
	seen := map[string]bool{}
	for i := range 3 { // three processes, one after the other
		var file bytes.Buffer
		r := start(t, func(s *setup) { s.client.Transport, s.Audit, s.Confirm = account, &file, tools.ConfirmNever })
		before := entries(t, account)
		r.call("toggle-flag", fmt.Sprintf(flip, i%2 == 1))
		entry := lines(t, r, &file)[0].Entry
		if entry != "" && (slices.Contains(before, entry) || seen[entry]) || i == 0 && entry == "" {
			t.Errorf("process %d: entry %q, which was there before", i, entry)
		}
		seen[entry] = true
	}

	file.Reset()
	r, account = audited(t, &file)
	for i := range 4 { // at once, so that their entries cannot be told apart
		r.call("toggle-flag", fmt.Sprintf(flip, i%2 == 1))
	}
	all := entries(t, account)[:4]
	slices.Reverse(all)
	for i, l := range lines(t, r, &file) {
		if l.Entry != "" && l.Entry != all[i] {
			t.Errorf("line %d names %s, want %s or none", i, l.Entry, all[i])
		}
	}
}

// TestAuditClock: the entry is found whatever this machine's clock says.
func TestAuditClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-3 * time.Hour, -20 * time.Second, 20 * time.Second, 3 * time.Hour} {
		var file bytes.Buffer
		account := sandbox.New(sandbox.Options{Now: func() time.Time { return time.Now().Add(off) }})
		r := start(t, func(s *setup) { s.client.Transport, s.Audit, s.Confirm = account, &file, tools.ConfirmNever })
		r.call("toggle-flag", fmt.Sprintf(flip, false))
		if got := lines(t, r, &file); len(got) != 1 || got[0].Entry != entries(t, account)[0] {
			t.Errorf("%s: %+v", off, got)
		}
	}
}

// TestAuditTokenChanges: after the token was changed, lines name its owner and not the one before.
func TestAuditTokenChanges(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	var token atomic.Value
	token.Store(ldclient.Token(sandbox.WriterToken))
	r, _ := audited(t, &file, func(s *setup) {
		s.client.Token = func() (ldclient.Token, error) { return token.Load().(ldclient.Token), nil }
	})
	r.call("toggle-flag", fmt.Sprintf(flip, false))
	r.server.Close()
	token.Store(ldclient.Token(sandbox.ReviewerToken))
	r.call("toggle-flag", fmt.Sprintf(flip, true))
	got := lines(t, r, &file)
	if len(got) != 2 || got[0].Person != "Ada Lovelace" || got[1].Person == "" || got[1].Person == got[0].Person || got[1].Entry == "" {
		t.Errorf("%+v", got)
	}
}
