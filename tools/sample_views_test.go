package tools_test

import (
	"context"
	"sync"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

var _ = addSamples(map[string]func(environment string) map[string]any{
	"get-view":    func(string) map[string]any { return map[string]any{"viewKey": "checkout"} },
	"create-view": func(string) map[string]any { return map[string]any{"key": "new-view", "name": "New view"} },
	"update-view": func(env string) map[string]any {
		return agreed(env, "checkout", map[string]any{"viewKey": "checkout", "name": "Till", "maintainerId": "grace@example.com"})
	},
	"delete-view": func(env string) map[string]any {
		return agreed(env, "search", map[string]any{"viewKey": "search"})
	},
	// In the environment of its segments, since flags are linked in all environments.
	"link-to-view": func(string) map[string]any {
		return map[string]any{"viewKey": "search", "segmentKeys": []any{"employees"}}
	},
	"unlink-from-view": func(string) map[string]any {
		return map[string]any{"viewKey": "checkout", "segmentKeys": []any{"beta-testers"}}
	},
	"list-view-links": func(string) map[string]any { return map[string]any{"viewKey": "checkout"} },
	"get-flag-views":  func(string) map[string]any { return map[string]any{"flagKey": "new-checkout"} },
	"create-flag-link": func(string) map[string]any {
		return map[string]any{"deepLink": "https://wiki.example.com/dark", "title": "Dark mode"}
	},
	"update-flag-link": func(string) map[string]any {
		return map[string]any{"flagKey": "search-ranking", "id": linkID("search-ranking"), "title": "Dashboard"}
	},
	"delete-flag-link": func(env string) map[string]any {
		return agreed(env, "search-ranking", map[string]any{"flagKey": "search-ranking", "id": linkID("search-ranking")})
	},
	"add-flag-follower": func(string) map[string]any { return map[string]any{"memberId": "grace@example.com"} },
	"remove-flag-follower": func(string) map[string]any {
		return map[string]any{"flagKey": "search-ranking", "memberId": memberID("Grace")}
	},
	"get-application": func(string) map[string]any { return map[string]any{"applicationKey": "com.example.shop"} },
	"invite-members": func(env string) map[string]any {
		return agreed(env, "account", map[string]any{"members": []any{
			map[string]any{"email": "dorothy@example.com", "role": "reader", "firstName": "Dorothy", "teamKeys": []any{"platform"}}}})
	},
})

func init() {
	for _, name := range []string{"create-view", "update-view", "delete-view", "link-to-view", "unlink-from-view", "create-flag-link", "update-flag-link",
		"delete-flag-link", "add-flag-follower", "remove-flag-follower", "invite-members"} {
		noApproval[name] = "approvals are for what flags, segments and AI configs serve"
	}
	accountWide["invite-members"] = true
}

// linkID is the id of a flag's first link in the sandbox, which is the same in every account.
func linkID(flag string) string { return linkIDs()[flag] }

var linkIDs = sync.OnceValue(func() map[string]string {
	account := sandbox.New(sandbox.Options{Now: func() time.Time { return noon }})
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account})
	if err != nil {
		panic(err)
	}
	out := map[string]string{}
	for _, flag := range []string{"search-ranking", "new-checkout"} {
		got, err := ld.FlagLinks.List(context.Background(), "shop", flag)
		if err != nil {
			panic(err)
		}
		out[flag] = got[0].ID
	}
	return out
})
