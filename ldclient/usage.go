package ldclient

// UsageService reads what the account uses.
type UsageService service
