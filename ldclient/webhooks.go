package ldclient

// WebhooksService reads webhooks.
type WebhooksService service
