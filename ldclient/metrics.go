package ldclient

// MetricsService reads and changes metrics and metric groups.
type MetricsService service
