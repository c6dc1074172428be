package ldclient

import (
	"strings"
	"sync"
)

// words are the parts of paths that name a route. All other parts are keys and ids.
var words = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for w := range strings.FieldsSeq(`approval-requests approval-requests-flag-copy apply auditlog automated-releases caller-identity
		code-refs context-attributes context-kinds contexts copy dependent-flags environments evaluate expiring-targets extinctions
		metrics metric-groups experiments iterations experimentation-settings holdouts layers
		ai-configs variations targeting metrics-by-variation model-configs prompt-snippets ai-tools versions agent-graphs
		references
		views link linked view-associations flag-links followers applications
		webhooks integrations integration-configurations keys integration-capabilities destinations account relay-auto-configs
		usage engineering-insights charts insights scores groups deployments openapi.json
		total-contexts clientside-contexts serverside-contexts total-mau clientside-mau mau bycategory data-export-events experimentation-events
		experimentation-keys service-connections evaluations events received published streams client server bysdkversion
		observability errors logs sessions traces vega-ai featureStore big-segment-store lead-time stale status releases frequency flag-events pull-requests
		flag-defaults flag-status flag-statuses flags imports me members order phases projects release release-pipelines
		release-policies repositories reviews roles scheduled-changes search segments statistics teams tokens triggers`) {
		all[w] = true
	}
	return all
})

// routeOf appends the route of a request to b: LaunchDarkly limits each by
// itself. A key that reads like a word makes a route of its own, which does no harm.
func routeOf(b []byte, method, path string) []byte {
	b = append(b, method...)
	for rest, more := strings.TrimPrefix(path, "/"), true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		b = append(b, '/')
		if words()[part] {
			b = append(b, part...)
		}
	}
	return b
}
