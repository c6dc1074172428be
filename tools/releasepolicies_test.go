package tools_test

import (
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/tools"
)

// TestReleasePolicies: policies are checked before they are written, and what is not given stays.
func TestReleasePolicies(t *testing.T) {
	r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
	for _, test := range []struct{ tool, args, want string }{
		{"create-release-policy", `"key":"everywhere","name":"Everywhere","releaseMethod":"progressive-release","stages":[{"percent":80,"hours":1}]`, `"stages":["80 % for 1 h"]`},
		{"match-release-policies", `"environmentKey":"test","flagTags":[]`, `"winningReleaseMethod":"progressive-release"`},
		{"match-release-policies", `"environmentKey":"production","flagTags":["web","checkout"]`, `"matchingPolicies":[{"key":"checkout-guarded","rank":1,`},
		{"match-release-policies", `"environmentKey":"production","flagTags":["web"],"flagKey":"dark-mode"`, "not both"},
		{"match-release-policies", `"environmentKey":"prod","flagTags":["web"]`, "did you mean production?"},
		{"match-release-policies", `"environmentKey":"production","flagKey":"dark-mood"`, "did you mean dark-mode?"},
		{"update-release-policy", `"key":"everywhere","releaseMethod":"guarded-release"`, "a guarded release holds at most 50 %"},
		{"update-release-policy", `"key":"everywhere","releaseMethod":"guarded-release","stages":[{"percent":60,"hours":1}]`, "holds at most 50 %, got 60 %"},
		{"update-release-policy", `"key":"everywhere","releaseMethod":"guarded-release","stages":[{"percent":20,"hours":1}],"metricKeys":["errors"]`, `"metricKeys":["errors"]`},
		{"update-release-policy", `"key":"everywhere","rollbackOnRegression":true,"dryRun":true`, `"changed":false`},
		{"update-release-policy", `"key":"everywhere","name":"Everywhere"`, "is so already; nothing was changed"},
		{"update-release-policy", `"key":"everywhere","flagTags":["ops"]`, `"metricKeys":["errors"]`},
		{"update-release-policy", `"key":"everywhere","releaseMethod":"progressive-release"`, `"releaseMethod":"progressive-release","flagTags":["ops"],"stages":["20 % for 1 h"]`},
		{"update-release-policy", `"key":"nowhere"`, `There is no release policy "nowhere"`},
		{"order-release-policies", `"policyKeys":["everywhere","everywhere"]`, "names everywhere twice"},
		{"order-release-policies", `"policyKeys":["checkout-guarded"]`, "in this order already"},
		{"order-release-policies", `"policyKeys":["nowhere"]`, `There is no release policy "nowhere"`},
		{"delete-release-policy", `"key":"everywhere","dryRun":true`, `"changed":false`},
		{"delete-release-policy", `"key":"everywhere"`, `"changed":true`},
		{"delete-release-policy", `"key":"everywhere"`, `There is no release policy "everywhere"`},
	} {
		got := r.call(test.tool, `{"projectKey":"shop",`+comment(test.tool)+test.args+`}`)
		if !strings.Contains(got, test.want) {
			t.Errorf("%s %s: got %s, want %s", test.tool, test.args, got, test.want)
		}
	}
}

func comment(tool string) string {
	if strings.HasPrefix(tool, "match") {
		return ""
	}
	return `"comment":"c",`
}

// TestReleasePhases: phases are found by id, by name or by being next, and start once.
func TestReleasePhases(t *testing.T) {
	r := start(t, func(s *setup) { s.Confirm = tools.ConfirmNever })
	for _, test := range []struct{ tool, args, want string }{
		{"start-release-phase", `"phase":"Nowhere"`, `no phase "Nowhere"; it has Testing (`},
		{"start-release-phase", `"phase":"testing"`, "phase Testing is complete already"},
		{"start-release-phase", `"phase":"Customers"`, "Staging before it is not complete"},
		{"start-release-phase", `"dryRun":true`, `"status":"Started"`},
		{"start-release-phase", `"phase":"staging"`, `"changed":true`},
		{"start-release-phase", ``, "No phase is ready to start"},
	} {
		args := strings.TrimSuffix(`{"projectKey":"shop","flagKey":"gift-cards","comment":"c",`+test.args, ",") + "}"
		if got := r.call(test.tool, args); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %s, want %s", args, got, test.want)
		}
	}
	if got := r.call("get-flag", `{"projectKey":"shop","flagKey":"gift-cards","env":"staging"}`); !strings.Contains(got, `"on":true`) || !strings.Contains(got, `"serves":"true"`) {
		t.Error(got)
	}
}
