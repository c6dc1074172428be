package sandbox

// checkAIResources refuses a version that names models and tools that the project does not have.
func (p *project) checkAIResources(f aiVersionFields) *apiError {
	if f.ModelConfigKey != "" && p.modelConfig(f.ModelConfigKey) == nil {
		return invalid("Unknown model config key %s", f.ModelConfigKey)
	}
	for _, use := range f.Tools {
		if t := p.aiTool(use.Key); t == nil || use.Version < 1 {
			return invalid("Unknown version %d of AI tool %s", use.Version, use.Key)
		}
	}
	return nil
}

// aiDependencies lists the agent graphs that an AI config is part of.
func (p *project) aiDependencies(config string) []aiDependency {
	var out []aiDependency
	for _, key := range p.graphsWith(config) {
		out = append(out, aiDependency{"agent-graph", key})
	}
	return out
}
