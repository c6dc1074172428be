package sandbox

import "time"

// integrationState is what the account has of them.
type integrationState struct{}

func (a *Account) integrationRoutes() {}

func (a *Account) seedIntegrations(shop *project, ago func(time.Duration) int64) {}
