package sandbox

import "time"

// aiToolState is what a project has of them.
type aiToolState struct{}

func (a *Account) aiToolRoutes() {}

func (a *Account) seedAITools(shop *project, ago func(time.Duration) int64) {}
