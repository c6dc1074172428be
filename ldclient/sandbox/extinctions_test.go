package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestExtinctions(t *testing.T) {
	t.Parallel()
	a, clock := newTestAccount(Options{})
	from := clock.AddDate(0, 0, -60).UnixMilli()
	for query, want := range map[string]string{
		"":                                      "button-color holiday-theme old-checkout old-payment-provider",
		"projKey=mobile":                        "",
		"flagKey=old-checkout":                  "old-checkout",
		"repoName=shop/backend":                 "old-checkout old-payment-provider",
		"branchName=main":                       "button-color holiday-theme old-checkout",
		"branchName=trunk&flagKey=button-color": "",
		"from=" + string(jsonValue(from)) + "&to=" + string(jsonValue(clock.UnixMilli())): "holiday-theme",
	} {
		got := checked(t, a, "GET", "/code-refs/extinctions?"+strings.ReplaceAll(query, "shop/backend", "shop%2Fbackend"), nil)
		var body struct{ Items map[string][]extinction }
		if err := json.Unmarshal(got.body, &body); err != nil || got.status != 200 {
			t.Fatalf("%s: status %d: %s", query, got.status, got.body)
		}
		if keys := strings.Join(slices.Sorted(maps.Keys(body.Items)), " "); keys != want {
			t.Errorf("%s: got %q, want %q", query, keys, want)
		}
		if both := body.Items["old-checkout"]; query == "" && (len(both) != 2 || both[0].Time <= both[1].Time) {
			t.Errorf("old-checkout: %+v, want two, the newest first", both)
		}
	}
	for _, bad := range []string{"from=1700000000000", "to=1700000000000", "from=yesterday&to=1"} {
		if got := ask(t, a, "GET", "/code-refs/extinctions?"+bad, nil); got.status != 400 {
			t.Errorf("%s: status %d, want 400", bad, got.status)
		}
	}
}
