package sandbox

import "time"

// seedMetrics gives the shop the metrics that its policies and rollouts watch, some of each kind, and a group of each kind.
func (a *Account) seedMetrics(shop *project, ago func(time.Duration) int64) {
	const higher, lower = "HigherThanBaseline", "LowerThanBaseline"
	ada, alan := a.memberNamed("Ada").ID, a.memberNamed("Alan").ID
	for _, m := range []struct {
		key, by string
		days    int           // since it was created
		seen    time.Duration // since an event came in; 0 is never
		metricSettings
	}{
		{"error-rate", ada, 320, 20 * time.Minute, metricSettings{Name: "Error rate", Description: "Requests that end in an error", Kind: "custom",
			EventKey: "request-error", Success: lower, Tags: []string{"reliability"}}},
		{"checkout-conversion", ada, 300, time.Hour, metricSettings{Name: "Checkout conversion", Description: "Customers who pay for what is in their cart", Kind: "custom",
			EventKey: "checkout-completed", Success: higher, Tags: []string{"checkout"}}},
		{"reviews-written", alan, 90, 3 * time.Hour, metricSettings{Name: "Reviews written", Kind: "custom",
			EventKey: "review-written", Success: higher, Aggregation: "sum", Tags: []string{"web"}}},
		{"search-latency", alan, 210, 10 * time.Minute, metricSettings{Name: "Search latency", Description: "From the query to the first result", Kind: "custom",
			EventKey: "search-finished", Numeric: true, Unit: "ms", Success: lower, Analysis: "percentile", Percentile: new(95), Tags: []string{"reliability", "search"}}},
		{"order-value", ada, 300, time.Hour, metricSettings{Name: "Order value", Kind: "custom",
			EventKey: "checkout-completed", Numeric: true, Unit: "USD", Success: higher, Aggregation: "sum", Tags: []string{"checkout"}}},
		{"cart-added", ada, 250, 30 * time.Minute, metricSettings{Name: "Added to cart", Kind: "custom",
			EventKey: "cart-added", Success: higher, Tags: []string{"checkout"}}},
		{"product-views", alan, 250, 5 * time.Minute, metricSettings{Name: "Product views", Kind: "pageview", Success: higher,
			URLs: []metricURL{{Kind: "substring", Substring: "/products/"}}, Tags: []string{"web"}}},
		{"buy-clicks", alan, 120, 40 * time.Minute, metricSettings{Name: "Clicks on buy", Kind: "click", Success: higher, Aggregation: "sum",
			Selector: "#buy, .buy-now", URLs: []metricURL{{Kind: "exact", URL: "https://shop.example.com/cart"}, {Kind: "regex", Pattern: `^https://shop\.example\.com/products/\d+$`}}}},
		{"newsletter-signups", alan, 390, 0, metricSettings{Name: "Newsletter sign-ups", Kind: "custom", EventKey: "newsletter", Success: higher, Archived: true}},
	} {
		m.MaintainerID = m.by
		m.complete(m.key)
		if err := m.check(); err != nil {
			panic(err) // the seed is wrong
		}
		next := &metric{ID: a.objectID(), VersionID: a.uuid(), Version: 1, Key: m.key, Created: ago(time.Duration(m.days) * day), metricSettings: m.metricSettings}
		if m.seen > 0 {
			next.LastSeen = ago(m.seen)
		}
		shop.Metrics = append(shop.Metrics, next)
	}
	for _, g := range []struct {
		key, kind string
		metricGroupSettings
	}{
		{"checkout-funnel", "funnel", metricGroupSettings{Name: "Checkout funnel", Description: "From looking to paying", Tags: []string{"checkout"}, MaintainerID: ada,
			Metrics: []metricInGroup{{"product-views", "Looked at a product"}, {"cart-added", "Put it in the cart"}, {"checkout-conversion", "Paid"}}}},
		{"shop-health", "standard", metricGroupSettings{Name: "Shop health", Tags: []string{"reliability"}, MaintainerID: alan,
			Metrics: []metricInGroup{{"error-rate", "Error rate"}, {"search-latency", "Search latency"}}}},
	} {
		if err := a.checkMetricGroup(shop, g.metricGroupSettings); err != nil {
			panic(err) // the seed is wrong
		}
		at := ago(80 * day)
		shop.MetricGroups = append(shop.MetricGroups, &metricGroup{ID: a.uuid(), Key: g.key, Kind: g.kind, Version: 1, Created: at, Modified: at, metricGroupSettings: g.metricGroupSettings})
	}
}
