package ldclient

import "context"

// RelayService reads Relay Proxy configurations.
type RelayService service

// RelayConfig says which environments Relay Proxies that hold its key serve. The key is not decoded.
type RelayConfig struct {
	ID       string      `json:"_id"`
	Name     string      `json:"name"`
	Creator  *Person     `json:"_creator"`
	Policy   []Statement `json:"policy"`
	Ending   Ending      `json:"displayKey"`
	Created  Millis      `json:"creationDate"`
	Modified Millis      `json:"lastModified"`
}

func (r *RelayConfig) missing() string {
	if r.ID == "" {
		return "Relay Proxy configuration"
	}
	return ""
}

// List returns all Relay Proxy configurations of the account.
func (s *RelayService) List(ctx context.Context) ([]RelayConfig, error) {
	return everyItem[RelayConfig](ctx, s.c, Target{}, path("account", "relay-auto-configs"))
}

// Get returns one Relay Proxy configuration.
func (s *RelayService) Get(ctx context.Context, id string) (*RelayConfig, error) {
	return get[RelayConfig](ctx, s.c, Target{Kind: "relay-proxy-config", Key: id}, path("account", "relay-auto-configs", id), nil)
}
