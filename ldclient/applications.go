package ldclient

// ApplicationsService reads applications and their versions.
type ApplicationsService service
