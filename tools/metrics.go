package tools

var metricTools = Toolset{
	Name: "metrics", Doc: "Metrics and metric groups: what experiments and guarded rollouts measure.",
}
