package tools

var aiConfigTools = Toolset{
	Name: "ai-configs", Doc: "AI configs, their variations and their targeting.",
}
