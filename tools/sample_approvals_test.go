package tools_test

import (
	"context"
	"sync"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// waiting are the ids of what comes with the sandbox's flag dark-mode, by environment.
type waiting struct{ approved, open, scheduled, trigger string }

var waitingIn = sync.OnceValue(func() map[string]waiting {
	ctx := context.Background()
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: sandbox.New(sandbox.Options{})})
	if err != nil {
		panic(err)
	}
	out := map[string]waiting{}
	for _, env := range []string{"production", "test"} {
		at := ldclient.Target{Project: "shop", Environment: env, Kind: "flag", Key: "dark-mode"}
		requests, err := ld.Approvals.ListForFlag(ctx, "shop", env, "dark-mode")
		if err != nil {
			panic(err)
		}
		scheduled, err := ld.Scheduled.List(ctx, at)
		if err != nil {
			panic(err)
		}
		triggers, err := ld.Triggers.List(ctx, at)
		if err != nil {
			panic(err)
		}
		out[env] = waiting{approved: requests[1].ID, open: requests[0].ID, scheduled: scheduled[0].ID, trigger: triggers[0].ID}
	}
	return out
})

var turnOn = []any{map[string]any{"kind": "turnFlagOn"}}

var _ = addSamples(map[string]func(environment string) map[string]any{
	"create-approval-request": func(string) map[string]any {
		return map[string]any{"flagKey": "dark-mode", "instructions": turnOn, "description": "why"}
	},
	"list-approval-requests": func(string) map[string]any { return map[string]any{"flagKey": "dark-mode"} },
	"get-approval-request":   func(env string) map[string]any { return map[string]any{"id": waitingIn()[env].open} },
	"apply-approval-request": func(env string) map[string]any { return map[string]any{"id": waitingIn()[env].approved} },
	"review-approval-request": func(env string) map[string]any {
		return map[string]any{"id": waitingIn()[env].open, "kind": "approve"}
	},
	"create-scheduled-change": func(string) map[string]any {
		return map[string]any{"executionDate": "2099-01-01T00:00:00Z", "instructions": turnOn}
	},
	"update-scheduled-change": func(env string) map[string]any {
		return map[string]any{"id": waitingIn()[env].scheduled, "executionDate": "2099-01-01T00:00:00Z"}
	},
	"delete-scheduled-change": func(env string) map[string]any { return map[string]any{"id": waitingIn()[env].scheduled} },
	"create-flag-trigger":     func(string) map[string]any { return map[string]any{"action": "turnFlagOff"} },
	"update-flag-trigger": func(env string) map[string]any {
		return map[string]any{"id": waitingIn()[env].trigger, "enabled": false}
	},
	"delete-flag-trigger": func(env string) map[string]any { return map[string]any{"id": waitingIn()[env].trigger} },
})

func init() {
	for name, why := range map[string]string{
		"create-approval-request": "it is the request",
		"apply-approval-request":  "it was approved",
		"review-approval-request": "it changes no flag",
		"update-scheduled-change": "its instructions are not a flag's",
		"delete-scheduled-change": "it takes no instructions",
		"create-flag-trigger":     "a trigger takes no approvals",
		"update-flag-trigger":     "a trigger takes no approvals",
		"delete-flag-trigger":     "a trigger takes no approvals",
	} {
		noApproval[name] = why
	}
}
