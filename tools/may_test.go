package tools

import (
	"slices"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// serverFor returns a server whose token has a policy, on an account whose
// environment test wants approvals.
func serverFor(t *testing.T, statements ...policy.Statement) (*Server, *sandbox.Account) {
	t.Helper()
	account := sandbox.New(sandbox.Options{})
	if err := account.RequireApproval("shop", "test"); err != nil {
		t.Fatal(err)
	}
	token := account.AddToken(sandbox.TokenOptions{InlineRole: statements})
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(ldclient.Token(token)), Transport: account})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Client: ld, Toolsets: []string{"all"}})
	if err != nil {
		t.Fatal(err)
	}
	return s, account
}

func TestMayBypassApproval(t *testing.T) {
	const flags = "proj/shop:env/*:flag/*"
	allow := func(resource string, actions ...string) policy.Statement {
		return policy.Statement{Effect: "allow", Actions: actions, Resources: []string{resource}}
	}
	flag := ldclient.Target{Project: "shop", Environment: "test", Kind: "flag", Key: "dark-mode"}
	production, segment := flag, ldclient.Target{Project: "shop", Environment: "test", Kind: "segment", Key: "vip"}
	production.Environment = "production"
	for name, test := range map[string]struct {
		policy []policy.Statement
		target ldclient.Target
		want   policy.Verdict
	}{
		"allowed":            {[]policy.Statement{allow(flags, "updateOn", "bypassRequiredApproval")}, flag, policy.Yes},
		"not allowed":        {[]policy.Statement{allow(flags, "updateOn")}, flag, policy.No},
		"critical alone":     {[]policy.Statement{allow("proj/*:env/*;{critical:true}:flag/*", "*")}, flag, policy.No},
		"in a critical one":  {[]policy.Statement{allow("proj/*:env/*;{critical:true}:flag/*", "*")}, production, policy.Yes},
		"of another kind":    {[]policy.Statement{allow(flags, "bypassRequiredApproval")}, segment, policy.No},
		"segment":            {[]policy.Statement{allow("proj/*:env/*:segment/*", "bypassRequired*")}, segment, policy.Yes},
		"tag of the flag":    {[]policy.Statement{allow("proj/*:env/*:flag/*;frontend", "*")}, flag, policy.No},
		"by a view":          {[]policy.Statement{allow("proj/*:env/*:flag/*;view:squad", "*")}, flag, policy.Unknown},
		"no environment":     {[]policy.Statement{allow("*", "*")}, ldclient.Target{Project: "shop", Kind: "flag", Key: "dark-mode"}, policy.Unknown},
		"another kind of it": {[]policy.Statement{allow("*", "*")}, ldclient.Target{Project: "shop", Environment: "test"}, policy.Unknown},
	} {
		s, account := serverFor(t, test.policy...)
		if got := s.mayBypassApproval(t.Context(), test.target); got != policy.Unknown {
			t.Errorf("%s: %s before anything was read", name, got)
		}
		s.learnOnce(t.Context())
		if got := s.mayBypassApproval(t.Context(), test.target); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
		if n := len(account.Writes()); n > 0 {
			t.Errorf("%s: %d writes", name, n)
		}
	}
}

// TestHidingIsOnDocumentedActions: what a writer's declaration names is an
// action of that kind of resource, else nothing is hidden but for whoever may change nothing of the kind.
func TestHidingIsOnDocumentedActions(t *testing.T) {
	undocumented := []string{"updateDeprecated", "updateReleasePhaseStatus", "createReleasePolicy", "updateReleasePolicy", "deleteReleasePolicy",
		"updateReleasePolicyRank", "manageFlagFollowers", "createFlagLink", "updateFlagLink", "deleteFlagLink"}
	undocumented = append(undocumented, "createView", "updateView", "deleteView", "linkFlagToView", "linkSegmentToView", "unlinkFlagFromView", "unlinkSegmentFromView")
	for _, set := range Catalog() {
		for _, x := range set.Tools {
			if x.Effect == Read {
				continue
			}
			for _, action := range splitActions(x) {
				on := func(kind string) bool { return slices.Contains(actions[kind], action) }
				if kinds := kindsOf(x); len(kinds) > 0 && !slices.ContainsFunc(kinds, on) && !slices.Contains(undocumented, action) {
					t.Errorf("%s: %s is no action on %s", x.Name, action, kinds)
				}
			}
		}
	}
}

// TestInstructionsNeedKnownActions: the map from instructions names actions of the same kind.
func TestInstructionsNeedKnownActions(t *testing.T) {
	for kind, instructions := range instructionActions {
		for instruction, action := range instructions {
			if !slices.Contains(actions[kind], action) {
				t.Errorf("%s on a %s needs %s, which is no action on it", instruction, kind, action)
			}
		}
	}
}

// TestAddressesAreHidden: an entry of the audit log does not tell where a webhook sends, which is as good as a key.
func TestAddressesAreHidden(t *testing.T) {
	const address = "https://hooks.example.com/services/T012AB/B345CD/xyzzyplugh42"
	for kind, hidden := range map[string]bool{"webhook": true, "integration": true, "metric": false} {
		version := map[string]any{"url": address}
		hideAddress(kind, version)
		if got := version["url"]; (got != address) != hidden || hidden && strings.Contains(got.(string), "xyzzy") {
			t.Errorf("%s: %v", kind, got)
		}
	}
	hideAddress("webhook", nil)
}
