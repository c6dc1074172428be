package ldclient

// InsightsService reads engineering insights.
type InsightsService service
