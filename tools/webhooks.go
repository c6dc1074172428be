package tools

import (
	"context"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// webhookRow is a webhook. Without statements it is sent every change.
type webhookRow struct {
	ID   string           `json:"_id"`
	Name string           `json:"name,omitempty"`
	URL  ldclient.Address `json:"url" doc:"… stands for what may be secret"`
	On   bool             `json:"on"`
	Tags []string         `json:"tags,omitempty"`
	followed
}

func webhookRowIn(scope ldclient.Scope, most int) func(ldclient.Webhook) webhookRow {
	return func(w ldclient.Webhook) webhookRow {
		return webhookRow{w.ID, short(w.Name, 120), w.URL, w.On, ten(w.Tags, 0), followedIn(scope, w.Statements, most)}
	}
}

// fewStatements is how many statements a row of a list shows.
const fewStatements = 3

var listWebhooks = read(Spec{
	Name: "list-webhooks", Title: "List webhooks",
	Doc: "List the account's webhooks: where each sends, which changes (all if it has no statements), whether it is on.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ paged }) (page[webhookRow], error) {
	all, err := ld.Webhooks.List(ctx)
	if err != nil {
		return page[webhookRow]{}, err
	}
	out := pageWithin(all, in.paged, webhookRowIn(ld.Scope(), fewStatements))
	out.keep("webhook", func(w webhookRow) bool { return !w.outside })
	return out, nil
})

// inWebhook names one webhook.
type inWebhook struct {
	ID string `json:"id" alias:"webhookId,webhook,_id"`
}

func (a inWebhook) target() ldclient.Target { return ldclient.Target{Kind: "webhook", Key: a.ID} }

var getWebhook = read(Spec{
	Name: "get-webhook", Title: "Get a webhook",
	Doc: "Read one webhook. Its secret, and what of its URL may be secret, are never shown.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ inWebhook }) (webhookRow, error) {
	w, err := ld.Webhooks.Get(ctx, in.ID)
	if err != nil {
		return webhookRow{}, err
	}
	row := webhookRowIn(ld.Scope(), firstOf)(*w)
	return row, row.inScope("webhook")
})

// inScope refuses what has nothing to do with the projects of the server's scope.
func (f followed) inScope(what string) error {
	if f.outside {
		return &ldclient.ScopeError{Reason: "this " + what + " covers nothing within this server's scope"}
	}
	return nil
}
