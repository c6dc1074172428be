package tools_test

import (
	"context"
	"sync"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// undoableIn are ids of entries of the sandbox's history that can be undone, by environment.
var undoableIn = sync.OnceValue(func() map[string]string {
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: sandbox.New(sandbox.Options{})})
	if err != nil {
		panic(err)
	}
	out := map[string]string{}
	for env, flag := range map[string]string{"production": "homepage-layout", "test": "dark-mode"} {
		got, err := ld.AuditLog.Search(context.Background(), ldclient.AuditQuery{Limit: 1, Statements: []ldclient.Statement{{Effect: "allow",
			Resources: []string{"proj/shop:env/" + env + ":flag/" + flag}, Actions: []string{"updateOn", "updateFallthrough"}}}})
		if err != nil || len(got.Items) == 0 {
			panic(err)
		}
		out[env] = got.Items[0].ID
	}
	return out
})

var _ = addSamples(map[string]func(environment string) map[string]any{
	"undo-change": func(env string) map[string]any { return map[string]any{"auditLogEntryId": undoableIn()[env]} },
})
