package ldclient

// ModelConfigsService reads the models that AI configs may use.
type ModelConfigsService service
