package sandbox

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// releasesOf reads a flag's releases the way that LaunchDarkly's own pages do.
func releasesOf(t *testing.T, a *Account, flag, query, version string) answer {
	t.Helper()
	r := newRequest(t, "GET", "", nil, "LD-API-Version", version)
	r.URL.Path, r.URL.RawQuery = "/internal/projects/shop/flags/"+flag+"/automated-releases", query
	res, err := a.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

// TestReleaseGoesOn: a release moves to its next stages as their time passes, then ends with its target.
func TestReleaseGoesOn(t *testing.T) {
	t.Parallel()
	a, clock := newTestAccount(Options{})
	f := a.findProject("shop").flag("dark-mode")
	start := func(do ...instruction) answer {
		return ask(t, a, "PATCH", "/flags/shop/dark-mode", map[string]any{"environmentKey": "test", "instructions": do}, "Content-Type", semantic)
	}
	got := start(instruction{"kind": "startAutomatedRelease", "releaseKind": "progressive", "randomizationUnit": "user",
		"originalVariationId": f.Variations[1].ID, "targetVariationId": f.Variations[0].ID,
		"stages": []releaseStage{{10_000, time.Hour.Milliseconds()}, {40_000, 2 * time.Hour.Milliseconds()}}})
	if got.status != 200 {
		t.Fatalf("%s", got.body)
	}
	began := time.UnixMilli(f.Releases[0].Created)
	type page struct{ Items []releaseRep }
	for _, at := range []struct {
		after   time.Duration
		stage   int
		weight  int // 0 where the target alone is served
		status  string
		version int
	}{{0, 0, 10_000, releaseInProgress, 3}, {59 * time.Minute, 0, 10_000, releaseInProgress, 3}, {time.Hour, 1, 40_000, releaseInProgress, 4},
		{2 * time.Hour, 1, 40_000, releaseInProgress, 4}, {3 * time.Hour, 1, 0, "completed", 5}, {90 * time.Hour, 1, 0, "completed", 5}} {
		clock.Time = began.Add(at.after)
		shown := into[page](t, releasesOf(t, a, "dark-mode", "filter=environmentKey:test&limit=20", "beta"), 200).Items
		c := f.in("test")
		if len(shown) != 1 || shown[0].Status != at.status || shown[0].LatestStage != at.stage || c.Version != at.version {
			t.Errorf("after %s: version %d, %+v", at.after, c.Version, shown)
		}
		if at.weight > 0 && (c.Fallthrough.Rollout == nil || c.Fallthrough.Rollout.Variations[0].Weight != at.weight) || at.weight == 0 && c.Fallthrough.Variation == nil {
			t.Errorf("after %s: %s", at.after, jsonValue(c.Fallthrough))
		}
	}
	if r := f.Releases[0]; r.Ended != began.Add(3*time.Hour).UnixMilli() {
		t.Errorf("ended at %d", r.Ended)
	}
	if got := start(instruction{"kind": "stopAutomatedRelease", "finalVariationId": f.Variations[0].ID}); got.status != 400 {
		t.Errorf("what has ended was stopped: %s", got.body)
	}
	if got := releasesOf(t, a, "dark-mode", "", "20240415"); got.status != 403 {
		t.Errorf("without the beta header: status %d", got.status)
	}
}

// TestPolicyRoutes creates, changes, orders and deletes policies, and refuses what cannot be.
func TestPolicyRoutes(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	const list = "/projects/shop/release-policies"
	beta := []string{"LD-API-Version", "beta"}
	stage := []releaseStage{{60_000, 60_000}}
	for _, test := range []struct {
		method, path string
		body         any
		status       int
		want         string
	}{
		{"POST", list, object{"key": "p", "name": "P", "releaseMethod": "progressive-release", "progressiveReleaseConfig": object{"stages": stage}}, 201, `"rank":3`},
		{"POST", list, object{"key": "p", "name": "P", "releaseMethod": "progressive-release"}, 409, "already exists"},
		{"POST", list, object{"key": "q", "name": "Q", "releaseMethod": "guarded-release", "guardedReleaseConfig": object{"stages": stage}}, 400, "stage allocation"},
		{"POST", list, object{"key": "q", "name": "Q", "releaseMethod": "guarded-release", "progressiveReleaseConfig": object{"stages": stage}}, 400, "does not match"},
		{"POST", list, object{"key": "q", "name": "Q", "releaseMethod": "progressive-release", "scope": object{"environmentKeys": []string{"nowhere"}}}, 400, "nowhere"},
		{"PUT", list + "/p", object{"name": "P2", "releaseMethod": "progressive-release"}, 200, `"name":"P2"`},
		{"GET", list + "/p", nil, 200, `"name":"P2"`},
		{"POST", list + "/order", []string{"p", "web-progressive", "checkout-guarded"}, 200, `"rank":1`},
		{"POST", list + "/order", []string{"p", "p", "web-progressive"}, 400, "every release policy"},
		{"DELETE", list + "/p", nil, 204, ""},
		{"GET", list + "/p", nil, 404, "Unknown release policy"},
		{"GET", list, nil, 200, `"totalCount":2`},
	} {
		got := checked(t, a, test.method, test.path, test.body, beta...)
		if got.status != test.status || !strings.Contains(string(got.body), test.want) {
			t.Errorf("%s %s: status %d: %s", test.method, test.path, got.status, got.body)
		}
	}
	var actions []string
	for _, e := range a.audit[len(a.audit)-4:] {
		actions = append(actions, e.Actions...)
	}
	if want := []string{"createReleasePolicy", "updateReleasePolicy", "updateReleasePolicyRank", "deleteReleasePolicy"}; !slices.Equal(actions, want) {
		t.Errorf("the audit log says %v", actions)
	}
}

// TestPhases: phases start in order, and starting one releases the variation.
func TestPhases(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	shop := a.findProject("shop")
	f := shop.flag("gift-cards")
	way := shop.Progress[f]
	put := func(i int, status string) answer {
		return checked(t, a, "PUT", "/projects/shop/flags/gift-cards/release/phases/"+way.Phases[i].ID, object{"status": status}, "LD-API-Version", "beta")
	}
	f.in("staging").On = false
	for _, test := range []struct {
		phase  int
		status string
		code   int
	}{{2, "Started", 400}, {1, "Complete", 400}, {1, "Started", 200}, {1, "Started", 400}, {1, "Complete", 200}, {2, "Started", 200}} {
		if got := put(test.phase, test.status); got.status != test.code {
			t.Errorf("phase %d %s: status %d: %s", test.phase, test.status, got.status, got.body)
		}
	}
	if c := f.in("staging"); !c.On || *c.Fallthrough.Variation != 0 {
		t.Errorf("staging: %+v", c)
	}
	if f.in("production").On {
		t.Error("a guarded phase turned production on")
	}
	if got := ask(t, a, "GET", "/flags/shop/dark-mode/release", nil, "LD-API-Version", "beta"); got.status != http.StatusNotFound {
		t.Errorf("status %d", got.status)
	}
}
