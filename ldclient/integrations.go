package ldclient

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

// IntegrationsService reads integrations.
type IntegrationsService service

// FieldNames are the names of an object's fields in order. What the fields hold is not decoded.
type FieldNames []string

// UnmarshalJSON takes what is no object for one without fields.
func (n *FieldNames) UnmarshalJSON(b []byte) error {
	var fields map[string]skipped
	if json.Unmarshal(b, &fields) == nil {
		*n = slices.Sorted(maps.Keys(fields))
	}
	return nil
}

// Subscription sends the audit log to another service. Its keys and URLs are not decoded.
type Subscription struct {
	ID         string      `json:"_id"`
	Kind       string      `json:"kind"` // the integration's key
	Name       string      `json:"name"`
	Config     FieldNames  `json:"config"`
	Statements []Statement `json:"statements"` // which changes; none is all
	On         bool        `json:"on"`
	Tags       []string    `json:"tags"`
	Status     struct {
		Successes   int    `json:"successCount"`
		Errors      int    `json:"errorCount"`
		LastSuccess Millis `json:"lastSuccess"`
		LastError   Millis `json:"lastError"`
		Latest      []struct {
			Code int    `json:"statusCode"`
			At   Millis `json:"timestamp"`
		} `json:"errors"` // what was answered may hold anything and is not decoded
	} `json:"_status"`
}

func (s *Subscription) missing() string {
	if s.ID == "" {
		return "audit log subscription"
	}
	return ""
}

// IntegrationConfiguration is the set-up of an integration that does more than follow the audit log.
type IntegrationConfiguration struct {
	ID         string     `json:"_id"`
	Kind       string     `json:"_integrationKey"`
	Name       string     `json:"name"`
	Created    Millis     `json:"_createdAt"`
	Enabled    bool       `json:"enabled"`
	Tags       []string   `json:"tags"`
	Config     FieldNames `json:"configValues"`
	Capability struct {
		AuditLog *struct {
			Statements []Statement `json:"statements"`
		} `json:"auditLogEventsHook"`
	} `json:"capabilityConfig"`
}

func (c *IntegrationConfiguration) missing() string {
	if c.ID == "" {
		return "integration configuration"
	}
	return ""
}

// Subscriptions returns the audit log subscriptions of one integration, such as datadog.
func (s *IntegrationsService) Subscriptions(ctx context.Context, integration string) ([]Subscription, error) {
	return everyItem[Subscription](ctx, s.c, Target{}, path("integrations", integration))
}

// Subscription returns one audit log subscription.
func (s *IntegrationsService) Subscription(ctx context.Context, integration, id string) (*Subscription, error) {
	return get[Subscription](ctx, s.c, Target{Kind: "integration", Key: id}, path("integrations", integration, id), nil)
}

// Configurations returns the configurations of one integration, such as servicenow.
func (s *IntegrationsService) Configurations(ctx context.Context, integration string) ([]IntegrationConfiguration, error) {
	got, err := do[Page[IntegrationConfiguration]](ctx, s.c, call{method: http.MethodGet, path: path("integration-configurations", "keys", integration), beta: true})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}

// Configuration returns one integration configuration.
func (s *IntegrationsService) Configuration(ctx context.Context, id string) (*IntegrationConfiguration, error) {
	return do[IntegrationConfiguration](ctx, s.c, call{method: http.MethodGet, at: Target{Kind: "integration", Key: id},
		path: path("integration-configurations", id), beta: true})
}

// StoreIntegration keeps flags or big segments of one environment in a store of the account's own.
type StoreIntegration struct {
	ID          string     `json:"_id"`
	Kind        string     `json:"integrationKey"`
	Name        string     `json:"name"`
	Project     string     `json:"projectKey"`
	Environment string     `json:"environmentKey"`
	On          bool       `json:"on"`
	Tags        []string   `json:"tags"`
	Config      FieldNames `json:"config"`
	Status      struct {   // of a store of big segments
		Available *bool  `json:"available"`
		Stale     bool   `json:"potentiallyStale"`
		LastSync  Millis `json:"lastSync"`
		LastError Millis `json:"lastError"`
	} `json:"_status"`
}

// Deliveries returns what delivers flags to stores, in all environments.
func (s *IntegrationsService) Deliveries(ctx context.Context) ([]StoreIntegration, error) {
	return s.stores(ctx, path("integration-capabilities", "featureStore"))
}

// BigSegmentStores returns the stores of big segments, in all environments.
func (s *IntegrationsService) BigSegmentStores(ctx context.Context) ([]StoreIntegration, error) {
	return s.stores(ctx, path("integration-capabilities", "big-segment-store"))
}

func (s *IntegrationsService) stores(ctx context.Context, p apiPath) ([]StoreIntegration, error) {
	got, err := do[Page[StoreIntegration]](ctx, s.c, call{method: http.MethodGet, path: p, beta: true})
	if err != nil {
		return nil, err
	}
	return got.Items, nil
}
