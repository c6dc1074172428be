package sandbox

import (
	"net/http"
	"slices"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient/policy"
)

// integrationState is what the account has of them.
type integrationState struct {
	webhooks       []*webhook
	subscriptions  []*subscription
	configurations []*integrationConfiguration
	stores         []*storeIntegration
	destinations   []*destination
	relays         []*relayConfig
	insights       insightState
}

type webhook struct {
	ID         string             `json:"_id"`
	Links      links              `json:"_links"`
	Name       string             `json:"name,omitempty"`
	URL        string             `json:"url"`
	Secret     string             `json:"secret,omitempty"`
	Statements []policy.Statement `json:"statements,omitempty"`
	On         bool               `json:"on"`
	Tags       []string           `json:"tags"`
}

// subscription sends the audit log to a service.
type subscription struct {
	ID         string             `json:"_id"`
	Links      links              `json:"_links"`
	Kind       string             `json:"kind"`
	Name       string             `json:"name"`
	Config     map[string]any     `json:"config"`
	Statements []policy.Statement `json:"statements"`
	On         bool               `json:"on"`
	Tags       []string           `json:"tags"`
	Status     subscriptionStatus `json:"_status"`
	URL        string             `json:"url,omitempty"` // of old Slack subscriptions
}

type subscriptionStatus struct {
	Successes   int                 `json:"successCount"`
	LastSuccess int64               `json:"lastSuccess,omitempty"`
	LastError   int64               `json:"lastError,omitempty"`
	Errors      int                 `json:"errorCount"`
	Latest      []subscriptionError `json:"errors,omitempty"`
}

type subscriptionError struct {
	Code int    `json:"statusCode"`
	Body string `json:"responseBody"`
	At   int64  `json:"timestamp"`
}

type integrationConfiguration struct {
	ID           string         `json:"_id"`
	Links        links          `json:"_links"`
	Kind         string         `json:"_integrationKey"`
	Name         string         `json:"name"`
	Created      int64          `json:"_createdAt"`
	Enabled      bool           `json:"enabled"`
	Tags         []string       `json:"tags"`
	Values       map[string]any `json:"configValues"`
	Capabilities map[string]any `json:"capabilityConfig,omitempty"`
}

// storeIntegration delivers flags or big segments to a store of the account's own.
type storeIntegration struct {
	Capability  string         `json:"-"` // featureStore or big-segment-store
	ID          string         `json:"_id"`
	Links       links          `json:"_links"`
	Kind        string         `json:"integrationKey"`
	Name        string         `json:"name"`
	Project     string         `json:"projectKey"`
	Environment string         `json:"environmentKey"`
	On          bool           `json:"on"`
	Tags        []string       `json:"tags"`
	Config      map[string]any `json:"config"`
	Version     int            `json:"version"`
	Status      map[string]any `json:"_status,omitempty"`
}

type destination struct {
	ID          string         `json:"_id"`
	Links       links          `json:"_links"`
	Project     string         `json:"-"`
	Environment string         `json:"-"`
	Name        string         `json:"name"`
	Kind        string         `json:"kind"`
	Version     int            `json:"version"`
	Config      map[string]any `json:"config"`
	On          bool           `json:"on"`
}

type relayConfig struct {
	ID         string             `json:"_id"`
	Name       string             `json:"name"`
	Creator    memberSummary      `json:"_creator"`
	Policy     []policy.Statement `json:"policy"`
	DisplayKey string             `json:"displayKey"`
	Created    int64              `json:"creationDate"`
	Modified   int64              `json:"lastModified"`
}

// integrationKeys are those that can follow the audit log; LaunchDarkly knows no others.
var integrationKeys = []string{"appdynamics", "chronosphere", "cloudtrail", "datadog", "dynatrace", "elastic", "grafana", "honeycomb", "kosli", "last9",
	"logdna", "msteams", "new-relic-apm", "signalfx", "slack", "splunk"}

func (a *Account) integrationRoutes() {
	a.route("GET /webhooks", func(w http.ResponseWriter, r *http.Request) { sendAll(w, r, a.webhooks) })
	a.route("GET /webhooks/{webhook}", func(w http.ResponseWriter, r *http.Request) {
		sendOne(w, a.webhooks, "webhook", func(x *webhook) bool { return x.ID == r.PathValue("webhook") })
	})
	a.route("GET /integrations/{integration}", a.listSubscriptions)
	a.route("GET /integrations/{integration}/{subscription}", func(w http.ResponseWriter, r *http.Request) {
		sendOne(w, a.subscriptions, "audit log subscription", func(x *subscription) bool {
			return x.Kind == r.PathValue("integration") && x.ID == r.PathValue("subscription")
		})
	})
	a.route("GET /integration-configurations/keys/{integration}", func(w http.ResponseWriter, r *http.Request) {
		sendAll(w, r, having(a.configurations, func(x *integrationConfiguration) bool { return x.Kind == r.PathValue("integration") }))
	})
	a.route("GET /integration-configurations/{configuration}", func(w http.ResponseWriter, r *http.Request) {
		sendOne(w, a.configurations, "integration configuration", func(x *integrationConfiguration) bool { return x.ID == r.PathValue("configuration") })
	})
	for _, capability := range []string{"featureStore", "big-segment-store"} {
		a.route("GET /integration-capabilities/"+capability, func(w http.ResponseWriter, r *http.Request) {
			sendAll(w, r, having(a.stores, func(x *storeIntegration) bool { return x.Capability == capability && a.findProject(x.Project) != nil }))
		})
	}
	a.route("GET /destinations", func(w http.ResponseWriter, r *http.Request) {
		sendAll(w, r, having(a.destinations, func(x *destination) bool { return a.findProject(x.Project) != nil }))
	})
	a.route("GET /destinations/{project}/{environment}/{destination}", a.getDestination)
	a.route("GET /account/relay-auto-configs", func(w http.ResponseWriter, r *http.Request) { sendAll(w, r, a.relays) })
	a.route("GET /account/relay-auto-configs/{relay}", func(w http.ResponseWriter, r *http.Request) {
		sendOne(w, a.relays, "relay proxy configuration", func(x *relayConfig) bool { return x.ID == r.PathValue("relay") })
	})
}

func having[T any](all []T, want func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(all), func(x T) bool { return !want(x) })
}

// sendAll answers with a list that is not paged.
func sendAll[T any](w http.ResponseWriter, r *http.Request, items []T) {
	send(w, http.StatusOK, map[string]any{"items": filled(items), "_links": links{"self": requestLink(r, nil)}})
}

func sendOne[T any](w http.ResponseWriter, all []T, what string, is func(T) bool) {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown "+what)
		return
	}
	send(w, http.StatusOK, all[i])
}

func (a *Account) listSubscriptions(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("integration")
	if !slices.Contains(integrationKeys, key) {
		fail(w, http.StatusNotFound, "not_found", "Unknown integration key "+key)
		return
	}
	items := having(a.subscriptions, func(x *subscription) bool { return x.Kind == key })
	send(w, http.StatusOK, map[string]any{"items": filled(items), "key": key, "_links": links{"self": requestLink(r, nil)}})
}

func (a *Account) getDestination(w http.ResponseWriter, r *http.Request) {
	p := a.project(w, r)
	if p == nil || a.environment(w, p, r.PathValue("environment")) == nil {
		return
	}
	sendOne(w, a.destinations, "destination", func(x *destination) bool {
		return x.Project == p.Key && x.Environment == r.PathValue("environment") && x.ID == r.PathValue("destination")
	})
}

// The secrets of the seed have the shape of those of the services they are for, and open nothing.
const (
	slackPath   = "services/T0SANDBOX/B0SANDBOX/xSlackSecretOfTheSandbox"
	hookSecret  = "sandbox-hook-signing-secret"
	exportToken = "sandbox-export-secret-3f9d1c7be2"
)

func (a *Account) seedIntegrations(shop *project, ago func(time.Duration) int64) {
	every := func(resource string) []policy.Statement {
		return []policy.Statement{{Effect: "allow", Resources: []string{resource}, Actions: []string{"*"}}}
	}
	addWebhook := func(x webhook) {
		x.ID, x.Tags = a.objectID(), filled(x.Tags)
		x.Links = links{"self": linkTo("webhooks", x.ID)}
		a.webhooks = append(a.webhooks, &x)
	}
	addWebhook(webhook{Name: "Deploy watcher", URL: "https://deploys.example.com/hooks/launchdarkly?token=" + hookSecret, Secret: hookSecret, On: true, Tags: []string{"deploys"},
		Statements: every("proj/shop:env/production:flag/*")})
	addWebhook(webhook{Name: "Mobile channel", URL: "https://hooks.slack.com/" + slackPath, On: true,
		Statements: every("proj/mobile:env/*:flag/*")})
	addWebhook(webhook{Name: "Archive", URL: "https://archive:" + hookSecret + "@audit.example.com:8443/ingest", Secret: hookSecret})

	addSubscription := func(x subscription) {
		x.ID, x.Tags = a.objectID(), filled(x.Tags)
		x.Links = links{"self": linkTo("integrations", x.Kind, x.ID), "parent": linkTo("integrations", x.Kind)}
		a.subscriptions = append(a.subscriptions, &x)
	}
	addSubscription(subscription{Kind: "slack", Name: "#releases", Config: map[string]any{"url": "https://hooks.slack.com/" + slackPath}, URL: "https://hooks.slack.com/" + slackPath,
		Statements: []policy.Statement{{Effect: "allow", Resources: []string{"proj/shop:env/production:flag/*", "proj/mobile:env/production:flag/*"}, Actions: []string{"updateOn", "updateFallthrough"}}},
		On:         true, Tags: []string{"releases"}, Status: subscriptionStatus{Successes: 41, LastSuccess: ago(3 * time.Hour)}})
	addSubscription(subscription{Kind: "datadog", Name: "Events", Config: map[string]any{"apiKey": hookSecret, "hostURL": "https://api.datadoghq.eu"},
		Statements: every("proj/*:env/production:flag/*"), On: true, Status: subscriptionStatus{Successes: 102, LastSuccess: ago(50 * time.Hour), LastError: ago(2 * time.Hour), Errors: 7,
			Latest: []subscriptionError{{Code: 403, Body: "key " + hookSecret + " was refused", At: ago(2 * time.Hour)}}}})

	service := &integrationConfiguration{ID: a.objectID(), Kind: "servicenow", Name: "Change requests", Created: ago(150 * day), Enabled: true, Tags: []string{},
		Values: map[string]any{"domainName": "example", "password": hookSecret, "username": "launchdarkly"}}
	service.Links = links{"self": linkTo("integration-configurations", service.ID)}
	a.configurations = []*integrationConfiguration{service}

	addStore := func(x storeIntegration) {
		x.ID, x.Tags, x.Version = a.objectID(), []string{}, 1
		at := []string{"integration-capabilities", x.Capability, x.Project, x.Environment, x.Kind}
		x.Links = links{"self": linkTo(append(at, x.ID)...), "parent": linkTo(at...), "project": linkTo("projects", x.Project),
			"environment": linkTo("projects", x.Project, "environments", x.Environment)}
		a.stores = append(a.stores, &x)
	}
	addStore(storeIntegration{Capability: "featureStore", Kind: "fastly", Name: "Edge store", Project: shop.Key, Environment: "production", On: true,
		Config: map[string]any{"storeId": "sandbox-store", "apiToken": hookSecret}})
	addStore(storeIntegration{Capability: "big-segment-store", Kind: "redis", Name: "Big segments", Project: shop.Key, Environment: "production", On: true,
		Config: map[string]any{"host": "redis.example.com", "password": hookSecret, "tls": true},
		Status: map[string]any{"available": true, "potentiallyStale": false, "lastSync": ago(time.Minute)}})

	addDestination := func(x destination) {
		x.ID, x.Version = a.objectID(), 1
		x.Links = links{"self": linkTo("destinations", x.Project, x.Environment, x.ID), "parent": linkTo("destinations")}
		a.destinations = append(a.destinations, &x)
	}
	addDestination(destination{Project: shop.Key, Environment: "production", Name: "Event stream", Kind: "kinesis", On: true,
		Config: map[string]any{"region": "eu-west-1", "roleArn": "arn:aws:iam::123456789012:role/export", "streamName": "launchdarkly"}})
	addDestination(destination{Project: "mobile", Environment: "production", Name: "Customer data", Kind: "segment",
		Config: map[string]any{"writeKey": exportToken}})

	katherine := a.members[3].summary()
	a.relays = []*relayConfig{
		{ID: a.objectID(), Name: "Shop relay", Creator: katherine, DisplayKey: "7f30", Created: ago(190 * day), Modified: ago(20 * day),
			Policy: []policy.Statement{{Effect: "allow", Resources: []string{"proj/shop:env/*"}, Actions: []string{"*"}}, {Effect: "deny", Resources: []string{"proj/shop:env/test"}, Actions: []string{"*"}}}},
		{ID: a.objectID(), Name: "Mobile relay", Creator: katherine, DisplayKey: "02ab", Created: ago(90 * day), Modified: ago(90 * day), Policy: every("proj/mobile:env/production")},
	}
	a.seedInsights(shop, ago)
}
