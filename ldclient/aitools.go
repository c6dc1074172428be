package ldclient

// AIToolsService reads and changes the tools that AI configs offer to models.
type AIToolsService service
