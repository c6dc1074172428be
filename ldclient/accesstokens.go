package ldclient

// TokensService reads what access tokens there are.
type TokensService service
