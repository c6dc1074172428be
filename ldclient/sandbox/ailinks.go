package sandbox

// What AI configs, tools, models and agent graphs have to do with each other.

// checkAIResources refuses a version that names what the project does not have.
func (p *project) checkAIResources(f aiVersionFields) *apiError {
	return nil
}

// aiDependencies lists the agent graphs that an AI config is part of.
func (p *project) aiDependencies(config string) []aiDependency {
	return nil
}
