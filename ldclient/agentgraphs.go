package ldclient

// AgentGraphsService reads and changes agent graphs.
type AgentGraphsService service
