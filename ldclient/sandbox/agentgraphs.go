package sandbox

import "time"

// agentGraphState is what a project has of them.
type agentGraphState struct{}

func (a *Account) agentGraphRoutes() {}

func (a *Account) seedAgentGraphs(shop *project, ago func(time.Duration) int64) {}
