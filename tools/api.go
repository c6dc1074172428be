package tools

var apiTools = Toolset{
	Name: "api", Doc: "Every other operation of LaunchDarkly's REST API.",
}
