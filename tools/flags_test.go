package tools_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/sandbox"
	"github.com/ld-mcp/ld-mcp/tools"
)

// never lets changes through unasked; what asks is tested elsewhere.
func never(s *setup) { s.Confirm = tools.ConfirmNever }

// TestFlagWriters calls tools that change a flag as a whole, with what is right and what is not.
func TestFlagWriters(t *testing.T) {
	at := func(flag, rest string) string {
		return fmt.Sprintf(`{"projectKey":"shop","flagKey":%q,"comment":"c",%s}`, flag, rest)
	}
	do := func(flag, instruction string) string { return at(flag, `"instructions":[`+instruction+`]`) }
	body := func(rest string) string {
		return `{"projectKey":"shop","key":"brand-new","name":"New",` + rest + `}`
	}
	patch := func(flag, steps string) string { return at(flag, `"PatchWithComment":{"patch":[`+steps+`]}`) }
	for name, test := range map[string]struct {
		tool, args string
		want       string // in the reply
		sent       string // in what LaunchDarkly saw, "" where nothing was written
	}{
		"quoted booleans":          {"create-flag", body(`"kind":"boolean","variations":[{"value":"true","name":"Yes"},{"value":"false"}]`), `"kind":"boolean"`, `{"value":true,"name":"Yes"}`},
		"quoted objects":           {"create-flag", body(`"variations":[{"value":"{\"a\":1}"},{"value":{}}]`), `"value":{"a":1}`, `{"value":{"a":1}}`},
		"quoted numbers":           {"create-flag", body(`"variations":[{"value":"10"},{"value":"20"}]`), "the values were taken as strings", `{"value":"10"}`},
		"plain numbers":            {"create-flag", body(`"variations":[{"value":10},{"value":0.25}]`), `"value":0.25`, `{"value":0.25}`},
		"default by name":          {"create-flag", body(`"variations":[{"value":"a","name":"A"},{"value":"b"},{"value":"c"}],"onVariation":"c","offVariation":"A"`), `"onVariation":"c"`, `"defaults":{"onVariation":2,"offVariation":0}`},
		"permanent":                {"create-flag", body(`"temporary":false`), `"temporary":false`, `"temporary":false`},
		"the project's SDKs":       {"create-flag", body(`"tags":[]`), `"clientSide":["mobile key"]`, `"clientSideAvailability":{"usingMobileKey":true,"usingEnvironmentId":false}`},
		"no SDKs":                  {"create-flag", body(`"clientSideAvailability":{}`), `"changed":true`, `"clientSideAvailability":{"usingMobileKey":false,"usingEnvironmentId":false}`},
		"similar key":              {"create-flag", strings.Replace(body(`"tags":[]`), "brand-new", "darkmode", 1), "similar flags exist already: dark-mode", `"key":"darkmode"`},
		"equal values":             {"create-flag", body(`"variations":[{"value":{"a":1,"b":2}},{"value":{"b":2,"a":1}}]`), "the same value", ""},
		"one value":                {"create-flag", body(`"variations":[{"value":1}]`), "at least two", ""},
		"no values":                {"create-flag", body(`"kind":"multivariate"`), "Missing variations", ""},
		"boolean of strings":       {"create-flag", body(`"kind":"boolean","variations":[{"value":"a"},{"value":"b"}]`), "kind boolean does not go with these values", ""},
		"multivariate of booleans": {"create-flag", body(`"kind":"multivariate","variations":[{"value":true},{"value":false}]`), "kind multivariate does not go with these values", ""},
		"null value":               {"create-flag", body(`"variations":[{"value":null},{"value":1}]`), "missing value", ""},
		"unknown default":          {"create-flag", body(`"offVariation":"maybe"`), `has no variation "maybe"`, ""},
		"bad tag":                  {"create-flag", body(`"tags":["two words"]`), `"two words" is not a tag`, ""},
		"unknown maintainer":       {"create-flag", body(`"maintainer":"Nobody"`), `No member is called "Nobody"`, ""},
		"default out of range":     {"create-feature-flag", `{"projectKey":"shop","FeatureFlagBody":{"key":"brand-new","name":"N","defaults":{"onVariation":0,"offVariation":2}}}`, "the indexes 0 to 1", ""},
		"the older body":           {"create-feature-flag", `{"projectKey":"shop","FeatureFlagBody":{"key":"brand-new","name":"N"}}`, `"temporary":true`, `"temporary":true`},

		"mobile off":        {"update-flag-settings", do("dark-mode", `{"kind":"turnOffClientSideAvailability","value":"usingMobileKey"}`), `"clientSide":["mobile key"]`, `"value":"usingMobileKey"`},
		"unknown SDK":       {"update-flag-settings", do("dark-mode", `{"kind":"turnOnClientSideAvailability","value":"ios"}`), "usingMobileKey or usingEnvironmentId", ""},
		"property's name":   {"update-flag-settings", do("dark-mode", `{"kind":"addCustomProperties","key":"jira.issues","values":["SHOP-1"]}`), `"jira.issues":["SHOP-412","SHOP-1"]`, `"name":"Jira issues"`},
		"property is there": {"update-flag-settings", do("dark-mode", `{"kind":"addCustomProperties","key":"jira.issues","values":["SHOP-412"]}`), "is like this already", ""},
		"property goes":     {"update-flag-settings", do("dark-mode", `{"kind":"removeCustomProperties","key":"jira.issues","values":["SHOP-412"]}`), `"changed":true`, `"kind":"removeCustomProperties"`},
		"LaunchDarkly's":    {"update-flag-settings", do("dark-mode", `{"kind":"makeFlagPermanent"}`), `"temporary":false`, `"kind":"makeFlagPermanent"`},
		"team":              {"update-flag-settings", do("dark-mode", `{"kind":"updateMaintainerTeam","value":"growth"}`), `"maintainer":"team growth"`, `"value":"growth"`},
		"unknown team":      {"update-flag-settings", do("dark-mode", `{"kind":"updateMaintainerTeam","value":"growht"}`), `there is no team "growht"`, ""},
		"unknown member id": {"update-flag-settings", do("dark-mode", `{"kind":"updateMaintainerMember","value":"0123456789abcdef01234567"}`), "there is no member with the id", ""},
		"nobody":            {"update-flag-settings", do("dark-mode", `{"kind":"removeMaintainer"}`), `"maintainer":"Ada Lovelace"`, `"kind":"removeMaintainer"`},
		"no description":    {"update-flag-settings", do("dark-mode", `{"kind":"updateDescription","value":""}`), `"changed":true`, `"value":""`},
		"empty name":        {"update-flag-settings", do("dark-mode", `{"kind":"updateName","value":" "}`), "a name cannot be empty", ""},
		"targeting":         {"update-flag-settings", do("dark-mode", `{"kind":"turnFlagOn"}`), "must be one of updateName", ""},
		"another's field":   {"update-flag-settings", do("dark-mode", `{"kind":"markPermanent","value":"x"}`), "takes no value", ""},

		"quoted number of a flag": {"update-flag-variations", do("max-items", `{"kind":"addVariation","value":"75"}`), `"value":75`, `"value":75`},
		"another type":            {"update-flag-variations", do("max-items", `{"kind":"addVariation","value":"many"}`), "of type number, and many is of type string", ""},
		"a value twice":           {"update-flag-variations", do("max-items", `{"kind":"addVariation","value":25}`), "two variations would have the value 25", ""},
		"new default goes":        {"update-flag-variations", do("max-items", `{"kind":"updateDefaultVariation","off":"Default"},{"kind":"removeVariation","variation":"Large"}`), "variation Large is in use: production: ", ""},
		"default is not used":     {"update-flag-variations", do("holiday-theme", `{"kind":"updateDefaultVariation","on":"true"}`), "are like this already", ""},
		"default just added":      {"update-flag-variations", do("max-items", `{"kind":"addVariation","value":75},{"kind":"updateDefaultVariation","off":"75"}`), `"offVariation":"75"`, `"offVariationValue":75`},
		"too few":                 {"update-flag-variations", do("banner-config", `{"kind":"updateVariation","variation":"1"}`), "missing value, name or description", ""},
		"unknown variation":       {"update-flag-variations", do("banner-config", `{"kind":"removeVariation","variation":"Nope"}`), `has no variation "Nope"`, ""},
		"nothing to default":      {"update-flag-variations", do("banner-config", `{"kind":"updateDefaultVariation"}`), "missing onVariation or offVariation", ""},

		"patch a rollout":      {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/environments/test/fallthrough","value":{"rollout":{"variations":[{"variation":0,"weight":25000},{"variation":1,"weight":75000}]}}}`), `"fallthrough":"25 % true, 75 % false"`, `"rolloutWeights":{`},
		"patch to a variation": {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/environments/test/fallthrough/variation","value":1}`), `"fallthrough":"false"`, `"environmentKey":"test"`},
		"patch bad weights":    {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/environments/test/fallthrough","value":{"rollout":{"variations":[{"variation":0,"weight":25},{"variation":1,"weight":75}]}}}`), "must add up to 100000, got 100", ""},
		"patch archived":       {"update-feature-flag", patch("payments-v2", `{"op":"replace","path":"/archived","value":true}`), "is a prerequisite of new-checkout", ""},
		"patch tags":           {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/tags","value":["ui","dark"]},{"op":"remove","path":"/tags/0"}`), `"tags":["dark"]`, `"kind":"removeTags"`},
		"patch an SDK":         {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/clientSideAvailability/usingEnvironmentId","value":true}`), `"client-side ID"`, `turnOnClientSideAvailability`},
		"patch variations":     {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/variations/0/name","value":"x"}`), "use update-flag-variations", ""},
		"patch the key":        {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/key","value":"x"}`), "no tool here changes this", ""},
		"patch nowhere":        {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/environments/prod/on","value":true}`), `There is no environment "prod"`, ""},
		"patch a wrong type":   {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/environments/test/on","value":"yes"}`), "value must be true or false", ""},
		"patch all":            {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/environments/test","value":{}}`), "name one field of one environment", ""},
		"patch climbs":         {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"/environments/..~1x/on","value":true}`), "is not a key", ""},
		"patch without slash":  {"update-feature-flag", patch("dark-mode", `{"op":"replace","path":"name","value":"x"}`), "a path begins with /", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, never)
			got := r.call(test.tool, test.args)
			if !strings.Contains(got, test.want) || strings.HasPrefix(got, "!") && test.sent != "" {
				t.Errorf("got %s, want %s", got, test.want)
			}
			var sent []string
			for _, w := range r.Writes() {
				sent = append(sent, string(w.Body))
			}
			if (len(sent) == 0) != (test.sent == "") || !strings.Contains(strings.Join(sent, "\n"), test.sent) {
				t.Errorf("LaunchDarkly saw %q, want %s; the reply was %s", sent, test.sent, got)
			}
		})
	}
}

// TestRetiredFlags: a deleted flag is gone, a restored one is as it was, and a
// part of the API that an account does not have stops neither.
func TestRetiredFlags(t *testing.T) {
	beta := sandbox.Fault{Status: http.StatusForbidden, Body: `{"code":"forbidden","message":"This is in beta"}`,
		Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/dependent-flags") }}
	r := start(t, never)
	r.Next(beta)
	got := r.call("archive-flag", `{"projectKey":"shop","flagKey":"wishlist","comment":"c"}`)
	if !strings.Contains(got, `"changed":true`) || !strings.Contains(got, "flags that depend on it could not be read") {
		t.Error(got)
	}
	if got := r.call("restore-flag", `{"projectKey":"shop","flagKey":"wishlist","comment":"c"}`); !strings.Contains(got, `"archived":false`) {
		t.Error(got)
	}
	r.Next(beta) // LaunchDarkly refuses by itself
	if got := r.call("delete-flag", `{"projectKey":"shop","flagKey":"payments-v2","comment":"c"}`); !strings.Contains(got, "prerequisite of flag 'new-checkout'") {
		t.Error(got)
	}
	if got := r.call("delete-flag", `{"projectKey":"shop","flagKey":"wishlist","comment":"c"}`); !strings.Contains(got, `"changed":true`) {
		t.Error(got)
	}
	if _, err := direct(t, r).Flags.Get(t.Context(), "shop", "", "wishlist"); !ldclient.IsNotFound(err) {
		t.Errorf("the flag is still there: %v", err)
	}
}

// TestPatchedEnvironments: a JSON Patch is guarded as what it changes, whatever else it names.
func TestPatchedEnvironments(t *testing.T) {
	for steps, want := range map[string]string{
		`{"op":"replace","path":"/environments/test/on","value":false}`:                                                    `"changed":true`,
		`{"op":"replace","path":"/environments/production/on","value":true}`:                                               "Protected: production (critical)",
		`{"op":"replace","path":"/environments/test/on","value":false},{"op":"replace","path":"/description","value":"x"}`: "Protected: production (critical), regulated (critical)",
	} {
		r := start(t)
		got := r.call("update-feature-flag", `{"request":{"projectKey":"shop","featureFlagKey":"dark-mode","PatchWithComment":{"comment":"c","patch":[`+steps+`]}}}`)
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", steps, got)
		}
	}
	r := start(t, func(s *setup) { s.client.Scope.Environments = []string{"test"} })
	for _, path := range []string{"/environments/production/on", "/archived"} {
		got := r.call("update-feature-flag", `{"projectKey":"shop","flagKey":"dark-mode","PatchWithComment":{"patch":[{"op":"replace","path":"`+path+`","value":true}]}}`)
		if !strings.HasPrefix(got, "! ") || !strings.Contains(got, "scope") || len(r.Requests()) > 0 {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// TestNamingConvention: a project's convention holds for new keys, with an offer that follows it.
func TestNamingConvention(t *testing.T) {
	for convention, keys := range map[string][2]string{ // refused, offered
		`{"case":"kebabCase"}`:                  {"newLooks", "new-looks"},
		`{"case":"camelCase"}`:                  {"New-look_s", "newLookS"},
		`{"case":"upperCamelCase"}`:             {"brand-new", "BrandNew"},
		`{"case":"snakeCase","prefix":"web."}`:  {"web.brandNew", "web.brand_new"},
		`{"case":"constantCase","prefix":"X_"}`: {"brand-new", "X_BRAND_NEW"},
		`{"case":"none","prefix":"web-"}`:       {"brand-new", "web-brand-new"},
	} {
		r := start(t)
		project := sandbox.Fault{Status: 200, Body: `{"key":"shop","namingConvention":` + convention + `}`,
			Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/projects/shop") }}
		r.Next(project)
		if got := r.callWith("create-flag", map[string]any{"projectKey": "shop", "key": keys[0], "name": "x"}); !strings.Contains(got, fmt.Sprintf("%q would", keys[1])) {
			t.Errorf("%s: %s", convention, got)
		}
		r.Next(project)
		if got := r.callWith("create-flag", map[string]any{"projectKey": "shop", "key": keys[1], "name": "x"}); strings.HasPrefix(got, "!") {
			t.Errorf("%s: %s", convention, got)
		}
	}
}
