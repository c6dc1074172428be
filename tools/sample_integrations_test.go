package tools_test

import (
	"context"
	"sync"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
)

// connected are the ids of what connects the sandbox with other services.
type connected struct{ webhook, subscription, destination, relay string }

var connectedTo = sync.OnceValue(func() connected {
	ctx := context.Background()
	account := sandbox.New(sandbox.Options{Now: func() time.Time { return noon }})
	ld, err := ldclient.New(ldclient.Config{Token: ldclient.StaticToken(sandbox.WriterToken), Transport: account})
	if err != nil {
		panic(err)
	}
	webhooks, err := ld.Webhooks.List(ctx)
	if err != nil {
		panic(err)
	}
	subscriptions, err := ld.Integrations.Subscriptions(ctx, "slack")
	if err != nil {
		panic(err)
	}
	destinations, err := ld.Destinations.List(ctx)
	if err != nil {
		panic(err)
	}
	relays, err := ld.Relay.List(ctx)
	if err != nil {
		panic(err)
	}
	return connected{webhooks[0].ID, subscriptions[0].ID, destinations[0].ID, relays[0].ID}
})

var _ = addSamples(map[string]func(environment string) map[string]any{
	"get-webhook": func(string) map[string]any { return map[string]any{"id": connectedTo().webhook} },
	"get-integration": func(string) map[string]any {
		return map[string]any{"integrationKey": "slack", "id": connectedTo().subscription}
	},
	"get-destination": func(string) map[string]any {
		return map[string]any{"environmentKey": "production", "id": connectedTo().destination}
	},
	"get-relay-config":  func(string) map[string]any { return map[string]any{"id": connectedTo().relay} },
	"get-account-usage": func(string) map[string]any { return map[string]any{"kind": "total-contexts"} },
	"get-insights":      func(string) map[string]any { return map[string]any{"chart": "lead-time"} },
	"list-insights":     func(string) map[string]any { return map[string]any{"list": "deployments"} },
})
