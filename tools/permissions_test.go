package tools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/policy"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

func statements(t *testing.T, text string) []policy.Statement {
	t.Helper()
	var out []policy.Statement
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const onlyShop = `{"effect":"allow","actions":["viewProject"],"resources":["proj/shop"]},
	{"effect":"deny","actions":["viewProject"],"notResources":["proj/shop"]},
	{"effect":"deny","actions":["viewSdkKey"],"resources":["proj/*:env/*"]}`

// recipes are policies that people give to a token for an assistant.
var recipes = map[string]string{
	"reads one project": `[` + onlyShop + `]`,
	"writes outside production": `[` + onlyShop + `,
		{"effect":"allow","actions":["updateOn","updateFallthrough","updateRules","updateTargets","updateOffVariation"],"resources":["proj/shop:env/*;{critical:false}:flag/*"]},
		{"effect":"allow","actions":["createFlag","updateName","updateDescription"],"resources":["proj/shop:env/*:flag/*"]},
		{"effect":"allow","actions":["createSegment","updateIncluded","updateRules"],"resources":["proj/shop:env/*;{critical:false}:segment/*"]},
		{"effect":"deny","actions":["updateOn","updateFallthrough","updateRules","updateTargets","updateOffVariation","bypassRequiredApproval"],
			"resources":["proj/shop:env/*;{critical:true}:flag/*","proj/shop:env/production:flag/*"]}]`,
	"kill switch":             `[` + onlyShop + `,{"effect":"allow","actions":["updateOn"],"resources":["proj/shop:env/production:flag/*"]}]`,
	"views shop, toggles all": `[` + onlyShop + `,{"effect":"allow","actions":["updateOn"],"resources":["proj/*:env/*:flag/*"]}]`,
	"all but deletions":       `[{"effect":"allow","actions":["*"],"resources":["*"]},{"effect":"deny","actions":["delete*"],"resources":["proj/*:env/*:flag/*"]}]`,
	"segments alone":          `[{"effect":"allow","actions":["*"],"resources":["proj/*:env/*:segment/*"]}]`,
	"copies to staging": `[` + onlyShop + `,{"effect":"allow","actions":["copyFlagConfigTo"],"resources":["proj/shop:env/staging:flag/*"]},
		{"effect":"allow","actions":["copyFlagConfigFrom"],"resources":["proj/shop:env/*:flag/*"]}]`,
	"copies from staging": `[` + onlyShop + `,{"effect":"allow","actions":["copyFlagConfigTo"],"resources":["proj/shop:env/*:flag/*"]},
		{"effect":"allow","actions":["copyFlagConfigFrom"],"resources":["proj/shop:env/staging:flag/*"]}]`,
	"schedules in staging": `[` + onlyShop + `,{"effect":"allow","actions":["updateScheduledChanges"],"resources":["proj/shop:env/staging:flag/*"]},
		{"effect":"allow","actions":["updateOn"],"resources":["proj/shop:env/*:flag/*"]}]`,
	"colors staging":  `[` + onlyShop + `,{"effect":"allow","actions":["updateName","updateColor"],"resources":["proj/shop:env/staging"]}]`,
	"names test":      `[` + onlyShop + `,{"effect":"allow","actions":["updateName"],"resources":["proj/shop:env/test"]}]`,
	"tags in staging": `[` + onlyShop + `,{"effect":"allow","actions":["updateTags"],"resources":["proj/shop:env/staging:flag/*"]}]`,
	"archives nothing": `[` + onlyShop + `,{"effect":"allow","actions":["updateOn"],"resources":["proj/shop:env/*:flag/*"]},
		{"effect":"deny","actions":["updateGlobalArchived"],"resources":["proj/shop:env/production:flag/*"]}]`,
	"nothing": `[{"effect":"deny","actions":["*"],"resources":["*"]}]`,
}

// tokenOptions are all the tokens that these tests use.
func tokenOptions(t *testing.T) map[string]sandbox.TokenOptions {
	out := map[string]sandbox.TokenOptions{
		"built-in reader":    {Role: "reader"},
		"built-in writer":    {Role: "writer"},
		"writer of a reader": {Role: "writer", Owner: &sandbox.OwnerOptions{Role: "reader"}},
		"custom roles": {Roles: []sandbox.RoleOptions{
			{Key: "viewer", Policy: statements(t, `[{"effect":"allow","actions":["viewProject"],"resources":["proj/shop"]}]`)},
			{Key: "toggler", Policy: statements(t, `[{"effect":"allow","actions":["updateOn"],"resources":["proj/shop:env/*:flag/*"]}]`)}}},
		"role without viewing": {Roles: []sandbox.RoleOptions{
			{Key: "blind", Policy: statements(t, `[{"effect":"allow","actions":["*"],"resources":["proj/*:env/*:flag/*"]}]`)}}},
		"of a team": {Role: "admin", Owner: &sandbox.OwnerOptions{Role: "no_access", TeamRoles: []sandbox.RoleOptions{{Key: "team-devs", Base: "reader",
			Policy: statements(t, `[{"effect":"allow","actions":["updateOn","updateRules"],"resources":["proj/${roleAttribute/project}:env/test:flag/*"]}]`)}},
			TeamAttributes: policy.Attributes{"project": {"shop"}}}},
		"no access": {Role: "admin", Owner: &sandbox.OwnerOptions{Role: "no_access"}},
		"admin with a custom role": {Role: "admin", Owner: &sandbox.OwnerOptions{Role: "admin", Roles: []sandbox.RoleOptions{{Key: "see-shop",
			Policy: statements(t, `[{"effect":"allow","actions":["viewProject"],"resources":["proj/shop"]}]`)}}}},
	}
	for name, text := range recipes {
		out[name] = sandbox.TokenOptions{InlineRole: statements(t, text)}
	}
	return out
}

// withToken gives a rig another token.
func withToken(o sandbox.TokenOptions) func(*setup) {
	return func(s *setup) {
		s.client.Token = ldclient.StaticToken(ldclient.Token(s.client.Transport.(*sandbox.Account).AddToken(o)))
		s.Confirm = tools.ConfirmNever
	}
}

// learned starts a rig that knows what its token may do. It runs in a synctest bubble.
func learned(t *testing.T, change ...func(*setup)) *rig {
	t.Helper()
	r := start(t, change...)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r.server.Learn(ctx)
	listed(t, r)
	time.Sleep(time.Second)
	synctest.Wait()
	return r
}

func hiddenTools(r *rig) []string {
	var out []string
	for _, tool := range r.server.Tools() {
		if tool.Hidden != "" && tool.Toolset != "dynamic" {
			out = append(out, tool.Name)
		}
	}
	return out
}

// TestHiddenForTheToken: what is not listed would have failed, and what is listed says so when it fails.
func TestHiddenForTheToken(t *testing.T) {
	for name, options := range tokenOptions(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, unaware := learned(t, withToken(options)), start(t, withToken(options))
				hidden := hiddenTools(r)
				wire := listed(t, r)
				for _, tool := range everyTool() {
					_, isListed := wire[tool.Name]
					if isListed == slices.Contains(hidden, tool.Name) {
						t.Errorf("%s: hidden %t, listed %t", tool.Name, !isListed, isListed)
					}
					if isListed {
						continue
					}
					said := r.callWith(tool.Name, sample(t, tool, "test"))
					if !strings.Contains(said, "the token can never use it, for ") || !strings.Contains(said, "role") && !strings.Contains(said, "policy") {
						t.Errorf("%s: %s", tool.Name, said)
					}
					for _, environment := range []string{"test", "production"} {
						args := sample(t, tool, environment)
						if got := unaware.callWith(tool.Name, args); !strings.HasPrefix(got, "!") {
							t.Errorf("%s is hidden, but it works: %s", tool.Name, got)
						}
					}
				}
			})
		})
	}
}

// TestShownWorks: a token that may do something finds the tool for it.
func TestShownWorks(t *testing.T) {
	for name, want := range map[string]struct{ shown, hidden string }{
		"reads one project":         {"get-flag list-projects whoami", "toggle-flag create-flag update-targeting-rules delete-project create-segment update-environment create-release-policy"},
		"writes outside production": {"toggle-flag create-flag update-targeting-rules create-segment update-segment-targets update-flag-settings", "archive-flag delete-flag update-prerequisites delete-segment create-project update-environment copy-flag-config"},
		"kill switch":               {"toggle-flag get-flag", "update-targeting-rules create-flag archive-flag update-segment-rules apply-approval-request"},
		"all but deletions":         {"archive-flag toggle-flag delete-segment delete-project", "delete-flag"},
		"nothing":                   {"whoami list-projects find-members", "get-flag list-environments toggle-flag list-segments"},
		"no access":                 {"whoami", "get-flag toggle-flag create-project"},
		"built-in reader":           {"get-flag create-approval-request", "toggle-flag create-release-policy create-project"},
		"built-in writer":           {"toggle-flag delete-project create-release-policy", ""},
		"writer of a reader":        {"get-flag", "toggle-flag"},
		"custom roles":              {"toggle-flag get-flag", "update-rollout create-segment"},
		"role without viewing":      {"whoami", "toggle-flag get-flag"},
		"of a team":                 {"toggle-flag update-targeting-rules get-flag", "update-rollout create-segment"},
		"admin with a custom role":  {"get-flag", "toggle-flag create-project"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hidden := hiddenTools(learned(t, withToken(tokenOptions(t)[name])))
				for tool := range strings.FieldsSeq(want.shown) {
					if slices.Contains(hidden, tool) {
						t.Errorf("%s is hidden", tool)
					}
				}
				for tool := range strings.FieldsSeq(want.hidden) {
					if !slices.Contains(hidden, tool) {
						t.Errorf("%s is not hidden", tool)
					}
				}
			})
		})
	}
}

// TestRefusalsAreExplained: a 403 names the statement or role where that is certain, and nothing where it is not.
func TestRefusalsAreExplained(t *testing.T) {
	toggle := func(env string) (string, string) {
		return "toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","comment":"c","env":"` + env + `","on":` + map[bool]string{true: "true", false: "false"}[env == "production"] + `}`
	}
	for _, test := range []struct{ token, tool, env, args, want string }{
		{token: "kill switch", env: "production", want: `"changed":true`},
		{token: "kill switch", env: "test", want: "No statement of the token's own policy allows updateOn on proj/shop:env/test:flag/dark-mode. Use another token, or have the role changed. Nothing was changed."},
		{token: "writes outside production", env: "test", want: `"changed":true`},
		{token: "writes outside production", env: "production", want: "The token's own policy denies updateOn on proj/shop:env/*;{critical:true}:flag/*, proj/shop:env/production:flag/* (statement 7)."},
		{token: "custom roles", env: "test", want: `"changed":true`},
		{token: "views shop, toggles all", tool: "toggle-flag", args: `{"projectKey":"mobile","flagKey":"face-unlock","env":"test","on":true}`,
			want: "The token's own policy denies viewProject on all but proj/shop (statement 2), and what may not be viewed may not be changed."},
		{token: "custom roles", tool: "toggle-flag", args: `{"projectKey":"mobile","flagKey":"face-unlock","env":"test","on":true}`, want: "None of role viewer, role toggler allows updateOn on proj/mobile:env/test:flag/face-unlock."},
		{token: "of a team", env: "test", want: `"changed":true`},
		{token: "of a team", env: "production", want: "Of the token's owner, none of the built-in role no_access, role team-devs allows updateOn on proj/shop:env/production:flag/dark-mode."},
		{token: "writes outside production", tool: "create-flag", args: `{"projectKey":"shop","key":"new","name":"New"}`, want: `"changed":true`},
		{token: "writes outside production", tool: "update-flag-settings", args: `{"projectKey":"shop","comment":"c","flagKey":"dark-mode","instructions":[{"kind":"addTags","values":["x"]}]}`,
			want: "No statement of the token's own policy allows updateTags on proj/shop:env/production:flag/dark-mode."},
		{token: "copies to staging", tool: "copy-flag-config", args: `{"projectKey":"shop","flagKey":"dark-mode","fromEnv":"production","toEnv":"test","comment":"c"}`,
			want: "No statement of the token's own policy allows copyFlagConfigTo on proj/shop:env/test:flag/dark-mode."},
		{token: "copies from staging", tool: "copy-flag-config", args: `{"projectKey":"shop","flagKey":"dark-mode","fromEnv":"production","toEnv":"test","comment":"c"}`,
			want: "No statement of the token's own policy allows copyFlagConfigFrom on proj/shop:env/production:flag/dark-mode."},
		{token: "schedules in staging", tool: "create-scheduled-change", args: `{"projectKey":"shop","flagKey":"dark-mode","env":"test","comment":"c","executionDate":"2099-01-01T00:00:00Z","instructions":[{"kind":"turnFlagOff"}]}`,
			want: "No statement of the token's own policy allows updateScheduledChanges on proj/shop:env/test:flag/dark-mode."},
		{token: "colors staging", tool: "update-environment", args: `{"projectKey":"shop","environmentKey":"test","color":"123456"}`,
			want: "The token may do none of updateName, updateColor, "},
		{token: "names test", tool: "update-environment", args: `{"projectKey":"shop","environmentKey":"test","color":"123456"}`,
			want: "The token's role needs at least one of the actions updateName, updateColor, "},
		{token: "tags in staging", tool: "update-flag-settings", args: `{"projectKey":"shop","comment":"c","flagKey":"dark-mode","instructions":[{"kind":"turnOnClientSideAvailability","value":"usingEnvironmentId"}]}`,
			want: "The token's role needs at least one of the actions updateName, "},
		{token: "archives nothing", tool: "archive-flag", args: `{"projectKey":"shop","flagKey":"dark-mode","comment":"c"}`,
			want: "for no statement of the token's own policy allows updateGlobalArchived."},
		{token: "colors staging", tool: "update-segment-settings", args: `{"projectKey":"shop","environmentKey":"test","segmentKey":"beta-testers","comment":"c"}`,
			want: "the token can never use it, for its roles allow none of updateName, updateDescription, updateTags (token: inline policy)"},
	} {
		t.Run(test.token+" "+test.env+test.tool, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := learned(t, withToken(tokenOptions(t)[test.token]))
				tool, args := test.tool, test.args
				if tool == "" {
					tool, args = toggle(test.env)
				}
				if got := r.call(tool, args); !strings.Contains(got, test.want) {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}

// TestUnknownIsShown: where the roles cannot be read nothing is hidden and nothing is claimed.
func TestUnknownIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := learned(t, withToken(tokenOptions(t)["custom roles"]), func(s *setup) {
			s.client.Transport = failing{s.client.Transport.(*sandbox.Account), "/roles/"}
		})
		if hidden := hiddenTools(r); len(hidden) > 0 {
			t.Errorf("hidden: %v", hidden)
		}
		got := r.call("update-rollout", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","variation":"false"}`)
		if !strings.Contains(got, `needs the action "updateFallthrough"`) {
			t.Error(got)
		}
		if got := r.call("whoami", `{}`); !strings.Contains(got, `"unknown":["role `) {
			t.Error(got)
		}
	})
}

// TestLearning: nothing is read before a client uses the server, clients hear of it, and it goes on until it is ended.
func TestLearning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, withToken(tokenOptions(t)["kill switch"]))
		if n := len(r.Requests()); n > 0 {
			t.Errorf("%d requests before anything was asked", n)
		}
		var told atomic.Int32
		r.client.OnNotification(func(n mcp.JSONRPCNotification) {
			if n.Method == mcp.MethodNotificationToolsListChanged {
				told.Add(1)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		r.server.Learn(ctx)
		time.Sleep(time.Hour)
		if n := len(r.Requests()); n > 0 {
			t.Errorf("%d requests before a client used the server", n)
		}
		listed(t, r)
		time.Sleep(time.Second)
		synctest.Wait()
		first := len(r.Requests())
		if first == 0 || first > 4 {
			t.Errorf("%d requests to learn", first)
		}
		if told.Load() != 1 {
			t.Errorf("clients were told %d times", told.Load())
		}
		r.call("create-flag", `{"projectKey":"shop","key":"x"}`) // hidden: the role may have changed since
		time.Sleep(30 * time.Second)
		synctest.Wait()
		second := len(r.Requests())
		if second != 2*first {
			t.Errorf("%d requests after a refusal, want %d", second, 2*first)
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if n := len(r.Requests()); n < 4*first {
			t.Errorf("%d requests after some minutes, want %d", n, 4*first)
		}
		cancel()
		synctest.Wait()
		before := len(r.Requests())
		time.Sleep(time.Hour)
		if n := len(r.Requests()); n != before {
			t.Errorf("%d requests after the end", n-before)
		}
		if told.Load() != 1 {
			t.Errorf("clients were told %d times of one change", told.Load())
		}
	})
}

// TestWhoamiTellsPermissions: roles and what they allow, in few bytes.
func TestWhoamiTellsPermissions(t *testing.T) {
	for name, want := range map[string][]string{
		"kill switch":     {`"mayWrite":["flag: updateOn"]`},
		"nothing":         {`"mayWrite":[]`},
		"built-in writer": {`"roles":["token: writer"]`, `"proj: everything","env: everything","flag: everything","segment: everything"`},
		"of a team":       {`"owner: no_access","owner: team-devs"`, `"mayWrite":["flag: updateOn, updateRules"]`},
		"custom roles":    {`"roles":["token: viewer","token: toggler"]`},
	} {
		got := start(t, withToken(tokenOptions(t)[name])).call("whoami", `{}`)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %s in %s", name, w, got)
			}
		}
		if len(got) > 1500 {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
}

// TestSpecsNameActions: every writer names actions that are known, or ones of a kind on which nothing is hidden lightly.
func TestSpecsNameActions(t *testing.T) {
	r := start(t)
	shown := slices.Sorted(maps.Keys(listed(t, r)))
	for _, tool := range everyTool() {
		if !slices.Contains(shown, tool.Name) {
			t.Errorf("%s is hidden before anything is known", tool.Name)
		}
	}
}

// TestTokenIsChanged: what was known of another token is not believed any more, and its own is read.
func TestTokenIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var token atomic.Value
		r := learned(t, withToken(tokenOptions(t)["reads one project"]), func(s *setup) {
			token.Store(s.client.Token)
			s.client.Token = func() (ldclient.Token, error) { return token.Load().(ldclient.TokenSource)() }
		})
		if got := hiddenTools(r); !slices.Contains(got, "toggle-flag") {
			t.Fatalf("hidden: %v", got)
		}
		token.Store(ldclient.StaticToken(ldclient.Token(r.AddToken(tokenOptions(t)["kill switch"]))))
		if got := r.call("toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"production","on":true,"comment":"c"}`); !strings.Contains(got, `"changed":true`) {
			t.Error(got)
		}
		if got := hiddenTools(r); len(got) > 0 {
			t.Errorf("hidden before anything is known: %v", got)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := hiddenTools(r); slices.Contains(got, "toggle-flag") || !slices.Contains(got, "create-flag") {
			t.Errorf("hidden: %v", got)
		}
	})
}

// TestCertaintyIsAskedAgain: a change that is not even sent, because its approval cannot be bypassed, has the role read anew.
func TestCertaintyIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := learned(t, withToken(tokenOptions(t)["kill switch"]))
		if err := r.RequireApproval("shop", "production"); err != nil {
			t.Fatal(err)
		}
		if got := r.call("toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"production","on":true,"comment":"c"}`); !strings.Contains(got, `"requiresApproval":true`) || len(r.Writes()) > 0 {
			t.Fatal(got)
		}
		n := len(r.Requests())
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if len(r.Requests()) == n {
			t.Error("the role was not read again")
		}
	})
}

// unmarked leaves critical out of what LaunchDarkly says of an environment.
type unmarked struct{ *sandbox.Account }

func (u unmarked) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := u.Account.RoundTrip(q)
	if err != nil || q.Method != http.MethodGet || !strings.Contains(q.URL.Path, "/environments/") {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	b = bytes.Replace(b, []byte(`"critical":false,`), nil, 1)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	return resp, err
}

// TestAbsentIsUnknown: what LaunchDarkly did not say of an environment decides nothing.
func TestAbsentIsUnknown(t *testing.T) {
	for _, absent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var account *sandbox.Account
			critical := `[` + onlyShop + `,{"effect":"allow","actions":["*"],"resources":["proj/shop:env/*;{critical:false}:flag/*"]}]`
			r := learned(t, withToken(sandbox.TokenOptions{InlineRole: statements(t, critical)}), func(s *setup) {
				account = s.client.Transport.(*sandbox.Account)
				if absent {
					s.client.Transport = unmarked{account}
				}
			})
			if err := account.RequireApproval("shop", "test"); err != nil {
				t.Fatal(err)
			}
			got := r.call("toggle-flag", `{"projectKey":"shop","flagKey":"dark-mode","env":"test","on":false,"comment":"c"}`)
			if !strings.Contains(got, `"changed":true`) || len(account.Writes()) != 1 {
				t.Errorf("absent %t: %s", absent, got)
			}
		})
	}
}
