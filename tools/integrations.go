package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

var integrationTools = Toolset{
	Name: "integrations", Doc: "Webhooks, integrations, Data Export destinations and Relay Proxy configurations.",
	Tools: []Tool{listWebhooks, getWebhook, listIntegrations, getIntegration, listDestinations, getDestination, listRelayConfigs, getRelayConfig},
}

// integrationRow is something that connects LaunchDarkly with another service.
type integrationRow struct {
	Integration string   `json:"integrationKey"`
	ID          string   `json:"_id"`
	Kind        string   `json:"kind" doc:"audit-log sends changes; configuration, delivery, big-segment-store"`
	Name        string   `json:"name,omitempty"`
	Project     string   `json:"projectKey,omitempty"`
	Environment string   `json:"environmentKey,omitempty"`
	On          bool     `json:"on"`
	Tags        []string `json:"tags,omitempty"`
	LastSuccess string   `json:"lastSuccess,omitempty"`
	LastError   string   `json:"lastError,omitempty"`
	Errors      int      `json:"errorsCount,omitempty"`
	followed
}

type integrationDetail struct {
	integrationRow
	Fields    []string `json:"configFields,omitempty" doc:"names of what is configured; the values are never shown"`
	Created   string   `json:"created,omitempty"`
	Successes int      `json:"successesCount,omitempty"`
	Latest    []string `json:"latestErrors,omitempty"`
	Available *bool    `json:"available,omitempty" doc:"of a store of big segments"`
	Stale     bool     `json:"potentiallyStale,omitempty"`
	LastSync  string   `json:"lastSync,omitempty"`
}

func subscriptionOf(scope ldclient.Scope, key string, s ldclient.Subscription, most int) integrationDetail {
	d := integrationDetail{integrationRow: integrationRow{Integration: key, ID: s.ID, Kind: "audit-log", Name: short(s.Name, 120), On: s.On, Tags: ten(s.Tags, 0),
		LastSuccess: s.Status.LastSuccess.String(), LastError: s.Status.LastError.String(), Errors: s.Status.Errors, followed: followedIn(scope, s.Statements, most)},
		Fields: fieldNames(s.Config), Successes: s.Status.Successes}
	for _, e := range ten(s.Status.Latest, 0) {
		d.Latest = append(d.Latest, fmt.Sprintf("%s HTTP %d", e.At, e.Code))
	}
	return d
}

func configurationOf(scope ldclient.Scope, c ldclient.IntegrationConfiguration, most int) integrationDetail {
	d := integrationDetail{integrationRow: integrationRow{Integration: c.Kind, ID: c.ID, Kind: "configuration", Name: short(c.Name, 120), On: c.Enabled, Tags: ten(c.Tags, 0)},
		Fields: fieldNames(c.Config), Created: c.Created.String()}
	if hook := c.Capability.AuditLog; hook != nil {
		d.followed = followedIn(scope, hook.Statements, most)
	}
	return d
}

func storeOf(scope ldclient.Scope, kind string, s ldclient.StoreIntegration) integrationDetail {
	d := integrationDetail{integrationRow: integrationRow{Integration: s.Kind, ID: s.ID, Kind: kind, Name: short(s.Name, 120), Project: s.Project, Environment: s.Environment,
		On: s.On, Tags: ten(s.Tags, 0), LastError: s.Status.LastError.String()},
		Fields: fieldNames(s.Config), Available: s.Status.Available, Stale: s.Status.Stale, LastSync: s.Status.LastSync.String()}
	d.outside = !allowsPlace(scope, s.Project, s.Environment)
	return d
}

// allowsPlace reports whether an environment of a project is in scope. One that is not known is only in a scope without limits.
func allowsPlace(scope ldclient.Scope, project, environment string) bool {
	if len(scope.Projects)+len(scope.Environments) == 0 {
		return true
	}
	return project != "" && environment != "" && scope.AllowsProject(project) && scope.AllowsEnvironment(environment)
}

func fieldNames(names ldclient.FieldNames) []string {
	var out []string
	for _, n := range names[:min(30, len(names))] {
		out = append(out, short(clean(n), 60))
	}
	return out
}

// The integrations that are looked for where none is named: LaunchDarkly has no list of all.
var (
	subscribing = []string{"datadog", "slack", "appdynamics", "chronosphere", "cloudtrail", "dynatrace", "elastic", "grafana", "honeycomb", "kosli", "last9",
		"logdna", "msteams", "new-relic-apm", "signalfx", "splunk"}
	configured = []string{"servicenow", "jira", "slack", "datadog", "github", "custom-approvals", "snowflake-experimentation", "databricks-experimentation"}
)

// integrationsFound collects what several requests find, in the order in which they were planned.
type integrationsFound struct {
	ld     *ldclient.Client
	mu     sync.Mutex
	found  map[int][]integrationDetail
	failed []string
	why    error
}

// add runs a request; what is not there is nothing, and what fails is told of together.
func (f *integrationsFound) add(place int, what string, read func() ([]integrationDetail, error)) error {
	got, err := read()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case noIntegration(err):
		return err
	case err != nil:
		f.failed, f.why = append(f.failed, what), err
		return err
	}
	f.found[place] = got
	return nil
}

// noIntegration reports whether LaunchDarkly knows no such integration, or none that does what was asked about.
func noIntegration(err error) bool { return ldclient.IsNotFound(err) || ldclient.Status(err) == 400 }

func (f *integrationsFound) subscriptions(ctx context.Context, place int, key string) error {
	return f.add(place, key, func() ([]integrationDetail, error) {
		got, err := f.ld.Integrations.Subscriptions(ctx, key)
		return each(got, func(s ldclient.Subscription) integrationDetail {
			return subscriptionOf(f.ld.Scope(), key, s, fewStatements)
		}), err
	})
}

func (f *integrationsFound) configurations(ctx context.Context, place int, key string) error {
	return f.add(place, "configurations of "+key, func() ([]integrationDetail, error) {
		got, err := f.ld.Integrations.Configurations(ctx, key)
		return each(got, func(c ldclient.IntegrationConfiguration) integrationDetail {
			return configurationOf(f.ld.Scope(), c, fewStatements)
		}), err
	})
}

// stores reads the stores of one integration, of all where the key is empty.
func (f *integrationsFound) stores(ctx context.Context, place int, kind, key string) error {
	return f.add(place, kind, func() ([]integrationDetail, error) {
		list := f.ld.Integrations.Deliveries
		if kind == bigSegmentStore {
			list = f.ld.Integrations.BigSegmentStores
		}
		got, err := list(ctx)
		got = slices.DeleteFunc(got, func(s ldclient.StoreIntegration) bool { return key != "" && s.Kind != key })
		return each(got, func(s ldclient.StoreIntegration) integrationDetail { return storeOf(f.ld.Scope(), kind, s) }), err
	})
}

const (
	delivery        = "delivery"
	bigSegmentStore = "big-segment-store"
)

func each[A, B any](list []A, view func(A) B) []B {
	var out []B
	for _, a := range list {
		out = append(out, view(a))
	}
	return out
}

// all is everything that was found.
func (f *integrationsFound) all(places int) []integrationDetail {
	var out []integrationDetail
	for i := range places {
		out = append(out, f.found[i]...)
	}
	return out
}

// note says what could not be read.
func (f *integrationsFound) note() string {
	if len(f.failed) == 0 {
		return ""
	}
	slices.Sort(f.failed)
	return fmt.Sprintf("Could not be read: %s (%s).", listed(ten(f.failed, 0), len(f.failed)), short(clean(f.why.Error()), 200))
}

// findIntegrations reads what there is of one integration, or of all that are looked for.
func findIntegrations(ctx context.Context, ld *ldclient.Client, key string) (*integrationsFound, int, error) {
	f := &integrationsFound{ld: ld, found: map[int][]integrationDetail{}}
	subs, confs := subscribing, configured
	if key != "" {
		subs, confs = []string{key}, []string{key}
	}
	// The first request goes by itself: where the token may not read integrations, the others need not be sent.
	unknown := f.subscriptions(ctx, 0, subs[0])
	if unknown != nil && !noIntegration(unknown) {
		return nil, 0, unknown
	}
	atConfs := len(subs)
	atStores := atConfs + len(confs)
	places := atStores + 2
	g := gather(ctx)
	try := func(read func(context.Context) error) { g.want("", read) } // what fails is told of together
	for i, k := range subs[1:] {
		try(func(ctx context.Context) error { return f.subscriptions(ctx, i+1, k) })
	}
	try(func(ctx context.Context) error { // they are in beta and not in every plan: the first refusal holds for all
		for i, k := range confs {
			if err := f.configurations(ctx, atConfs+i, k); err != nil && !noIntegration(err) {
				return err
			}
		}
		return nil
	})
	for i, kind := range []string{delivery, bigSegmentStore} {
		try(func(ctx context.Context) error { return f.stores(ctx, atStores+i, kind, key) })
	}
	if _, err := g.wait(); err != nil {
		return nil, 0, err
	}
	if errors.Is(ctx.Err(), context.Canceled) { // where time ran out, what was read until then is worth something
		return nil, 0, ctx.Err()
	}
	if key != "" && unknown != nil && len(f.failed) == 0 && len(f.all(places)) == 0 {
		return nil, 0, absent("integration", short(clean(key), 100), subscribing)
	}
	return f, places, nil
}

var listIntegrations = read(Spec{
	Name: "list-integrations", Title: "List integrations",
	Doc: "List integrations: audit log subscriptions, configurations, deliveries and big segment stores, of one integration such as slack or of all well-known ones.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	Integration string `json:"integrationKey,omitempty" alias:"integration,key"`
	paged
}) (page[integrationRow], error) {
	found, places, err := findIntegrations(ctx, ld, in.Integration)
	if err != nil {
		return page[integrationRow]{}, err
	}
	out := pageWithin(found.all(places), in.paged, func(d integrationDetail) integrationRow { return d.integrationRow })
	out.keep("integration", func(r integrationRow) bool { return !r.outside })
	out.Note = strings.TrimSpace(out.Note + " " + found.note())
	if in.Integration == "" && out.NextOffset == 0 {
		out.Note = strings.TrimSpace(out.Note + " Less common ones are listed by their integrationKey.")
	}
	return out, nil
})

// inIntegration names one part of an integration.
type inIntegration struct {
	Integration string `json:"integrationKey" alias:"integration"`
	ID          string `json:"id" alias:"_id,integrationId,subscriptionId"`
}

func (a inIntegration) target() ldclient.Target {
	return ldclient.Target{Kind: "integration", Key: a.ID}
}

var getIntegration = read(Spec{
	Name: "get-integration", Title: "Get an integration",
	Doc: "Read one audit log subscription, configuration, delivery or big segment store of an integration, by an id of list-integrations.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ inIntegration }) (integrationDetail, error) {
	scope := ld.Scope()
	inScope := func(d integrationDetail) (integrationDetail, error) {
		if err := d.inScope("integration"); err != nil {
			return integrationDetail{}, err
		}
		return d, nil
	}
	s, err := ld.Integrations.Subscription(ctx, in.Integration, in.ID)
	if err == nil {
		return inScope(subscriptionOf(scope, in.Integration, *s, firstOf))
	}
	if !noIntegration(err) {
		return integrationDetail{}, err
	}
	if c, other := ld.Integrations.Configuration(ctx, in.ID); other == nil && c.Kind == in.Integration {
		return inScope(configurationOf(scope, *c, firstOf))
	}
	for _, kind := range []string{delivery, bigSegmentStore} {
		f := &integrationsFound{ld: ld, found: map[int][]integrationDetail{}}
		if f.stores(ctx, 0, kind, in.Integration) != nil {
			continue // perhaps the other one has it
		}
		for _, d := range f.found[0] {
			if d.ID == in.ID {
				return inScope(d)
			}
		}
	}
	return integrationDetail{}, absent(short(clean(in.Integration), 100)+" integration", in.ID, nil)
})
