package tools

var integrationTools = Toolset{
	Name: "integrations", Doc: "Webhooks, integrations, Data Export destinations and Relay Proxy configurations.",
}
