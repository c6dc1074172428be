package ldclient

import (
	"context"
	"net/http"
)

// WebhooksService reads webhooks.
type WebhooksService service

// Webhook is where LaunchDarkly sends changes. Its secret is not decoded.
type Webhook struct {
	ID         string      `json:"_id"`
	Name       string      `json:"name"`
	URL        Address     `json:"url"`
	On         bool        `json:"on"`
	Statements []Statement `json:"statements"` // which changes; none is all
	Tags       []string    `json:"tags"`
}

func (w *Webhook) missing() string {
	if w.ID == "" {
		return "webhook"
	}
	return ""
}

// List returns all webhooks of the account.
func (s *WebhooksService) List(ctx context.Context) ([]Webhook, error) {
	return everyItem[Webhook](ctx, s.c, Target{}, path("webhooks"))
}

// Get returns one webhook.
func (s *WebhooksService) Get(ctx context.Context, id string) (*Webhook, error) {
	return get[Webhook](ctx, s.c, Target{Kind: "webhook", Key: id}, path("webhooks", id), nil)
}

// everyItem returns a list that LaunchDarkly does not page.
func everyItem[T any](ctx context.Context, c *Client, at Target, p apiPath) ([]T, error) {
	got, err := do[Page[T]](ctx, c, call{method: http.MethodGet, at: at, path: p})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}
