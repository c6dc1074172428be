package tools_test

import (
	"context"
	"sync"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

var _ = addSamples(map[string]func(environment string) map[string]any{
	"create-project":     func(string) map[string]any { return map[string]any{"key": "kiosk", "name": "Kiosk"} },
	"update-project":     func(env string) map[string]any { return confirmed(env, "shop", map[string]any{"name": "Renamed"}) },
	"delete-project":     func(env string) map[string]any { return confirmed(env, "shop", map[string]any{}) },
	"create-environment": func(string) map[string]any { return map[string]any{"key": "qa", "name": "QA"} },
	"update-environment": func(string) map[string]any { return map[string]any{"name": "Renamed", "critical": true} },
	"get-member":         func(string) map[string]any { return map[string]any{"id": memberID("Grace")} },
	"get-team":           func(string) map[string]any { return map[string]any{"teamKey": "platform"} },
	"get-role":           func(string) map[string]any { return map[string]any{"roleKey": "mobile-developer"} },
})

func init() {
	for _, name := range []string{"create-project", "update-project", "delete-project", "create-environment", "update-environment"} {
		noApproval[name] = "LaunchDarkly has approvals for flags, segments and AI configs, not for projects and environments"
	}
}

// confirmed adds a yes to a change of a whole project, which is protected in every environment, where a test means an unprotected one.
func confirmed(environment, word string, args map[string]any) map[string]any {
	if environment == "test" {
		args["confirm"] = word
	}
	return args
}

// memberID is the id of one of the sandbox's people, which is the same in every account.
func memberID(first string) string {
	return memberIDs()[first]
}

var memberIDs = sync.OnceValue(func() map[string]string {
	account := sandbox.New(sandbox.Options{Now: func() time.Time { return noon }})
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account})
	if err != nil {
		panic(err)
	}
	got, err := ld.Members.List(context.Background(), ldclient.ListMembers{})
	if err != nil {
		panic(err)
	}
	out := map[string]string{}
	for _, m := range got.Items {
		out[m.FirstName] = m.ID
	}
	return out
})
