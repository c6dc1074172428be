package tools_test

var _ = addSamples(map[string]func(environment string) map[string]any{
	"get-metric": func(string) map[string]any { return map[string]any{"metricKey": "error-rate"} },
	"create-metric": func(string) map[string]any {
		return map[string]any{"key": "new-metric", "name": "New metric", "kind": "custom", "measureType": "value", "eventKey": "paid", "unit": "EUR"}
	},
	"update-metric": func(env string) map[string]any {
		return confirmed(env, "order-value", map[string]any{"metricKey": "order-value", "unit": "EUR"})
	},
	"delete-metric": func(env string) map[string]any {
		return confirmed(env, "buy-clicks", map[string]any{"metricKey": "buy-clicks"})
	},
	"get-metric-group": func(string) map[string]any { return map[string]any{"metricGroupKey": "checkout-funnel"} },
	"create-metric-group": func(string) map[string]any {
		return map[string]any{"key": "new-group", "name": "New group", "kind": "funnel",
			"metrics": []any{map[string]any{"key": "product-views"}, map[string]any{"key": "checkout-conversion"}}}
	},
	"update-metric-group": func(env string) map[string]any {
		return confirmed(env, "checkout-funnel", map[string]any{"metricGroupKey": "checkout-funnel",
			"metrics": []any{map[string]any{"key": "product-views"}, map[string]any{"key": "checkout-conversion"}}})
	},
	"delete-metric-group": func(env string) map[string]any {
		return confirmed(env, "shop-health", map[string]any{"metricGroupKey": "shop-health"})
	},
})

func init() {
	for _, name := range []string{"create-metric", "update-metric", "delete-metric", "create-metric-group", "update-metric-group", "delete-metric-group"} {
		noApproval[name] = "approvals are for flags, segments and AI configs"
	}
}
