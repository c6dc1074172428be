package sandbox

func (a *Account) openAPIRoutes() {}
