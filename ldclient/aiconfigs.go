package ldclient

// AIConfigsService reads and changes AI configs, their variations and their targeting.
type AIConfigsService service
