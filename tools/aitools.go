package tools

var aiToolTools = Toolset{
	Name: "ai-tools", Doc: "Tools, prompt snippets and models that AI configs use.",
}
