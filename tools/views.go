package tools

var viewTools = Toolset{
	Name: "views", Doc: "Views, links and followers of flags, applications.",
}
