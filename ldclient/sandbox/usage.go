package sandbox

func (a *Account) usageRoutes() {}
