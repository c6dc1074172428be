package ldclient_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// globsOf makes up to three globs over a small alphabet, often ones that meet.
func globsOf(r *rand.Rand) []string {
	var out []string
	for range r.IntN(4) {
		g := ""
		for range 1 + r.IntN(3) {
			g += []string{"a", "b", "c", "*", "?", "[ab]", "[^a]"}[r.IntN(7)]
		}
		out = append(out, g)
	}
	return out
}

func keyOf(r *rand.Rand) string {
	key := ""
	for range 1 + r.IntN(3) {
		key += []string{"a", "b", "c"}[r.IntN(3)]
	}
	return key
}

// TestNarrow: through however many narrowings, a client reaches what all of them allow and nothing else.
func TestNarrow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	reached, kept := 0, 0
	for range 3000 {
		asked := 0
		scopes := []ldclient.Scope{{Projects: globsOf(r), Environments: globsOf(r)}}
		readOnly := r.IntN(4) == 0
		c := newClient(t, roundTrip(func(req *http.Request) (*http.Response, error) {
			asked++
			return answer(200, `{"key":"f","environments":{"a":{"name":"new"},"ab":{"name":"new"},"b":{"name":"new"},"cab":{"name":"new"}}}`)(req)
		}), func(cfg *ldclient.Config) {
			cfg.Scope, cfg.ReadOnly = scopes[0], readOnly
			if r.IntN(2) == 0 {
				cached(cfg)
			}
		})
		base := c
		for range 1 + r.IntN(3) {
			s := ldclient.Scope{Projects: globsOf(r), Environments: globsOf(r)}
			less := r.IntN(4) == 0
			scopes, readOnly = append(scopes, s), readOnly || less
			c = c.Narrow(less, s)
		}
		allows := func(at ldclient.Target, writes bool) bool {
			for _, s := range scopes {
				if s.Check(at, writes) != nil {
					return false
				}
			}
			return !writes || !readOnly
		}
		for range 4 {
			p, e, flag := keyOf(r), keyOf(r), keyOf(r)
			if r.IntN(3) == 0 {
				e = ""
			}
			at := ldclient.Target{Project: p, Environment: e, Kind: "flag", Key: flag}
			for _, writes := range []bool{false, true} {
				_, _ = base.Flags.Get(context.Background(), p, e, flag) // so that there is a reply to be had
				before, want := asked, allows(at, writes)
				var err error
				if writes {
					_, err = c.Flags.Patch(t.Context(), p, e, flag, ldclient.Patch{})
				} else {
					_, err = c.Flags.Get(ldclient.Fresh(t.Context()), p, e, flag)
				}
				var scope *ldclient.ScopeError
				if (err == nil) != want || (asked > before) != want || err != nil && !errors.Is(err, ldclient.ErrReadOnly) && !errors.As(err, &scope) {
					t.Fatalf("%v, read-only %t, %s, write %t: %d requests, %v", scopes, readOnly, at, writes, asked-before, err)
				}
				if _, err := c.Flags.Get(t.Context(), p, e, flag); (err == nil) != allows(at, false) {
					t.Fatalf("%v on %s: %v", scopes, at, err)
				}
				if want {
					reached++
				}
			}
			if got := c.Scope(); got.AllowsEnvironment(e) != allEnvironments(scopes, e) || got.AllowsProject(p) != allows(ldclient.Target{Project: p}, false) ||
				got.Check(at, true) == nil && !allows(at, true) && !readOnly {
				t.Fatalf("%v: %s, %v", scopes, at, got)
			}
			if statuses, err := c.Flags.StatusAcross(t.Context(), p, flag); err == nil {
				for env := range statuses {
					kept++
					if !allEnvironments(scopes, env) {
						t.Fatalf("%v: the status in %s was shown", scopes, env)
					}
				}
			}
		}
		limits := func(list func(ldclient.Scope) []string) bool {
			for _, s := range scopes {
				if len(list(s)) > 0 {
					return true
				}
			}
			return false
		}
		if s := c.Scope(); (len(s.Projects) > 0) != limits(func(s ldclient.Scope) []string { return s.Projects }) ||
			(len(s.Environments) > 0) != limits(func(s ldclient.Scope) []string { return s.Environments }) {
			t.Fatalf("%v became %v, whose lists tell of other limits", scopes, s)
		}
	}
	if reached < 500 || kept < 500 {
		t.Errorf("only %d calls and %d environments were allowed", reached, kept)
	}
}

func allEnvironments(scopes []ldclient.Scope, e string) bool {
	for _, s := range scopes {
		if !s.AllowsEnvironment(e) {
			return false
		}
	}
	return true
}

// TestNarrowSays: a refusal names the limit that was met.
func TestNarrowSays(t *testing.T) {
	c := newClient(t, &wire{}, func(cfg *ldclient.Config) { cfg.Scope.Projects = []string{"shop", "web*"} }).
		Narrow(true, ldclient.Scope{Projects: []string{"*-team"}, Environments: []string{"test"}})
	for p, want := range map[string]string{
		"other-team": `project "other-team" is outside this server's scope, which is shop, web*`,
		"web":        `project "web" is outside this server's scope, which is *-team`,
		"web-team":   `environment "e" is outside this server's scope, which is test`,
	} {
		if _, err := c.Flags.Get(t.Context(), p, "e", "f"); fmt.Sprint(err) != want {
			t.Errorf("%s: %v", p, err)
		}
	}
	if c.Narrow(false, ldclient.Scope{Projects: []string{"[a"}}).Scope().AllowsProject("a") {
		t.Error("a glob that cannot be read allows something")
	}
}

// TestNarrowShares: a narrowed client is one with its origin towards LaunchDarkly.
func TestNarrowShares(t *testing.T) {
	c := newClient(t, &wire{answers: []func(*http.Request) (*http.Response, error){answer(200, flagBody, "X-Ratelimit-Global-Remaining", "7")}})
	if err := getFlag(t.Context(), c.Narrow(true, ldclient.Scope{})); err != nil {
		t.Fatal(err)
	}
	if got := c.RateLimit().GlobalRemaining; got != 7 {
		t.Errorf("%d requests left", got)
	}
}
