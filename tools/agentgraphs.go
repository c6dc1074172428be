package tools

var agentGraphTools = Toolset{
	Name: "agent-graphs", Doc: "Graphs of agents that hand over to each other.",
}
