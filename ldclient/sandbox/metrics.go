package sandbox

import "time"

// metricState is what a project has of them.
type metricState struct{}

func (a *Account) metricRoutes() {}

func (a *Account) seedMetrics(shop *project, ago func(time.Duration) int64) {}
