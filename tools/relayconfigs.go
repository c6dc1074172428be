package tools

import (
	"context"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// relayRow is a Relay Proxy configuration: which environments the proxies with its key serve.
type relayRow struct {
	ID       string          `json:"_id"`
	Name     string          `json:"name"`
	Ending   ldclient.Ending `json:"ending,omitempty" doc:"of the key"`
	By       string          `json:"by,omitempty" doc:"who made it"`
	Created  string          `json:"created,omitempty"`
	Modified string          `json:"modified,omitempty"`
	followed
}

func relayRowIn(scope ldclient.Scope, most int) func(ldclient.RelayConfig) relayRow {
	return func(r ldclient.RelayConfig) relayRow {
		return relayRow{r.ID, short(r.Name, 120), r.Ending, r.Creator.String(), r.Created.String(), r.Modified.String(), followedIn(scope, r.Policy, most)}
	}
}

var listRelayConfigs = read(Spec{
	Name: "list-relay-configs", Title: "List Relay Proxy configurations",
	Doc: "List Relay Proxy configurations: which environments the proxies that use each may serve.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ paged }) (page[relayRow], error) {
	all, err := ld.Relay.List(ctx)
	if err != nil {
		return page[relayRow]{}, err
	}
	out := pageWithin(all, in.paged, relayRowIn(ld.Scope(), fewStatements))
	out.keep("Relay Proxy configuration", func(r relayRow) bool { return !r.outside })
	return out, nil
})

// inRelay names one Relay Proxy configuration.
type inRelay struct {
	ID string `json:"id" alias:"relayConfigId,configId,_id"`
}

func (a inRelay) target() ldclient.Target {
	return ldclient.Target{Kind: "relay-proxy-config", Key: a.ID}
}

var getRelayConfig = read(Spec{
	Name: "get-relay-config", Title: "Get a Relay Proxy configuration",
	Doc: "Read one Relay Proxy configuration with its policy. The key is never shown.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ inRelay }) (relayRow, error) {
	r, err := ld.Relay.Get(ctx, in.ID)
	if err != nil {
		return relayRow{}, err
	}
	row := relayRowIn(ld.Scope(), firstOf)(*r)
	return row, row.inScope("Relay Proxy configuration")
})
