package tools

var experimentTools = Toolset{
	Name: "experiments", Doc: "Experiments and their iterations, holdouts and layers.",
}
