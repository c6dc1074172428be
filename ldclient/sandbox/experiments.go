package sandbox

import "time"

// experimentState is what a project has of them.
type experimentState struct{}

func (a *Account) experimentRoutes() {}

func (a *Account) seedExperiments(shop *project, ago func(time.Duration) int64) {}
