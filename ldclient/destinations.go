package ldclient

// DestinationsService reads Data Export destinations.
type DestinationsService service
