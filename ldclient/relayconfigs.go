package ldclient

// RelayService reads Relay Proxy configurations.
type RelayService service
