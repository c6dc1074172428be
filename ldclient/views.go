package ldclient

// ViewsService reads views and what is linked to them.
type ViewsService service
