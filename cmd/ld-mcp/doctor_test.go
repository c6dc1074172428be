package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	at := func(off time.Duration) *sandbox.Account {
		return sandbox.New(sandbox.Options{Now: func() time.Time { return time.Now().Add(off) }})
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>Please log in")) })
	moved := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example", http.StatusFound)
	})
	down := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	tight := sandbox.New(sandbox.Options{RateLimit: 4}) // the doctor's fourth request takes the last
	for _, c := range []struct {
		name   string
		host   http.Handler
		token  string
		args   []string
		check  string
		status string
		says   string
	}{
		{"all is well", at(0), sandbox.WriterToken, nil, "clock", fine, "in step"},
		{"tail of the token", at(0), realToken, nil, "token", fine, "****0a1e, from LD_ACCESS_TOKEN"},
		{"token of another shape", at(0), "opaque-thing-1234", nil, "token", warning, "does not look like"},
		{"unknown token", at(0), realToken, nil, "identity", broken, "--region"},
		{"reader", at(0), sandbox.ReaderToken, nil, "role", warning, "refuse every change"},
		{"reader that only reads", at(0), sandbox.ReaderToken, []string{"--read-only"}, "role", fine, "reader"},
		{"useless tools", at(0), sandbox.ReaderToken, nil, "permissions", fine, "can never use "},
		{"no useless tools", at(0), sandbox.WriterToken, nil, "permissions", fine, "no tool is known"},
		{"roles that cannot be read", unreadable{at(0), "/tokens/"}, sandbox.ReaderToken, nil, "permissions", warning, "not read, so LaunchDarkly decides: the token's role"},
		{"useless tools that are not served", at(0), sandbox.ReaderToken, []string{"--read-only"}, "permissions", fine, "no tool is known"},
		{"clock behind", at(5 * time.Minute), sandbox.WriterToken, nil, "clock", warning, "behind"},
		{"clock ahead", at(-day), sandbox.WriterToken, nil, "clock", warning, "ahead of"},
		{"log-in page", page, sandbox.WriterToken, nil, "host", broken, "--base-url"},
		{"redirect", moved, sandbox.WriterToken, nil, "host", broken, "redirects"},
		{"down", down, sandbox.WriterToken, nil, "host", broken, "HTTP 503"},
		{"rate limit", tight, sandbox.WriterToken, nil, "rate limit", warning, "used up"},
		{"no such project", at(0), sandbox.WriterToken, []string{"--project", "shoop"}, "project", broken, "shoop cannot be used"},
		{"project out of scope", at(0), sandbox.WriterToken, []string{"--project", "shop", "--allow-projects", "mobile"}, "project", broken, "scope"},
		{"environment alone", at(0), sandbox.WriterToken, []string{"--environment", "test"}, "environment", warning, "without --project"},
		{"nothing to serve", at(0), sandbox.WriterToken, []string{"--exclude-tools", "*"}, "tools", broken, "0 served"},
		{"audit file", at(0), sandbox.WriterToken, []string{"--audit-file", "/"}, "tools", broken, "audit file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(c.host)
			defer srv.Close()
			got := invoke(t, []string{"LD_ACCESS_TOKEN=" + c.token}, "", append([]string{"doctor", "--json", "--base-url", srv.URL}, c.args...)...)
			var report struct {
				OK     bool
				Checks []finding
			}
			if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
				t.Fatal(err)
			}
			if bad := strings.Contains(got.stdout, `"fail"`); report.OK == bad || (got.code() == 0) == bad {
				t.Errorf("exit status %d, ok %t", got.code(), report.OK)
			}
			for _, f := range report.Checks {
				if f.Check == c.check {
					if f.Status != c.status || !strings.Contains(f.Says, c.says) {
						t.Errorf("%+v", f)
					}
					return
				}
			}
			t.Errorf("no check of the %s: %+v", c.check, report.Checks)
		})
	}
}

// unreadable is an account that does not show a part of it.
type unreadable struct {
	*sandbox.Account
	part string
}

func (u unreadable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, u.part) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	u.Account.ServeHTTP(w, r)
}
