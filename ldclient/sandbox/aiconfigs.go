package sandbox

import "time"

// aiConfigState is what a project has of them.
type aiConfigState struct{}

func (a *Account) aiConfigRoutes() {}

func (a *Account) seedAIConfigs(shop *project, ago func(time.Duration) int64) {}
