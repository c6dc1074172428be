package tools

var usageTools = Toolset{
	Name: "usage", Doc: "What the account uses, and engineering insights.",
}
