package ldclient

// IntegrationsService reads integrations.
type IntegrationsService service
