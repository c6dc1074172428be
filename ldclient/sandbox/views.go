package sandbox

import "time"

// viewState is what a project has of them.
type viewState struct{}

func (a *Account) viewRoutes() {}

func (a *Account) seedViews(shop *project, ago func(time.Duration) int64) {}
