package sandbox

import (
	"fmt"
	"testing"
	"time"
)

// TestSegmentExpiringTargets: contexts leave a segment's lists when their time has come, whatever kind they are.
func TestSegmentExpiringTargets(t *testing.T) {
	t.Parallel()
	now := labTime
	a := New(Options{Now: func() time.Time { return now }})
	const path, patch = "/segments/shop/%s/expiring-targets/test", "/segments/shop/test/"
	do := func(segment string, in instruction) answer {
		t.Helper()
		return checked(t, a, "PATCH", fmt.Sprintf(path, segment), map[string]any{"comment": "for a while", "instructions": []instruction{in}}, "Content-Type", semantic)
	}
	at := func(hours int) int64 { return labTime.Add(time.Duration(hours) * time.Hour).UnixMilli() }
	checked(t, a, "PATCH", patch+"beta-testers", semanticBody("test", instruction{"kind": "addIncludedTargets", "contextKind": "device", "values": []string{"kiosk"}}), "Content-Type", semantic)
	for _, tc := range []struct {
		segment, kind, context, key, side string
		hours, failed                     int
	}{
		{"beta-testers", "addExpiringTarget", "user", "user-1002", "included", 1, 0},
		{"beta-testers", "addExpiringTarget", "user", "user-1002", "included", 2, 1},
		{"beta-testers", "addExpiringTarget", "user", "user-1002", "excluded", 2, 1},
		{"beta-testers", "addExpiringTarget", "user", "user-1002", "", 2, 1},
		{"beta-testers", "addExpiringTarget", "user", "user-1005", "included", -1, 1},
		{"beta-testers", "addExpiringTarget", "user", "user-1013", "excluded", 1, 0},
		{"beta-testers", "addExpiringTarget", "device", "kiosk", "included", 1, 0},
		{"beta-testers", "addExpiringTarget", "user", "user-1011", "included", 1, 0},
		{"beta-testers", "removeExpiringTarget", "user", "user-1011", "included", 0, 0},
		{"beta-testers", "updateExpiringTarget", "user", "user-1011", "included", 1, 1},
		{"vip", "addExpiringTarget", "user", "user-1000", "included", 1, 0},
		{"vip", "addExpiringTarget", "device", "user-1000", "included", 1, 1},
	} {
		got := do(tc.segment, instruction{"kind": tc.kind, "contextKind": tc.context, "contextKey": tc.key, "targetType": tc.side, "value": at(tc.hours)})
		if tc.side == "" { // the document does not allow it; the account answers as for any other failure
			continue
		}
		body := decoded(got.body).(map[string]any)
		if got.status != 200 || body["failedInstructions"] != float64(tc.failed) {
			t.Errorf("%v: status %d: %s", tc, got.status, got.body)
		}
	}
	if got := checked(t, a, "GET", fmt.Sprintf(path, "beta-testers"), nil); len(decoded(got.body).(map[string]any)["items"].([]any)) != 3 {
		t.Errorf("%s", got.body)
	}
	s, big := a.findProject("shop").env("test").segment("beta-testers"), a.findProject("shop").env("test").segment("vip")
	entries := len(a.audit)
	now = now.Add(2 * time.Hour)
	if got := checked(t, a, "GET", fmt.Sprintf(path, "beta-testers"), nil); len(decoded(got.body).(map[string]any)["items"].([]any)) != 0 {
		t.Errorf("%s", got.body)
	}
	if fmt.Sprint(s.Included, s.Excluded, s.IncludedContexts) != "[user-1005 user-1011] [] []" || big.BigIncluded["user-1000"] || len(big.BigIncluded) != 11 {
		t.Errorf("left are %v, %v, %v, %v", s.Included, s.Excluded, s.IncludedContexts, big.BigIncluded)
	}
	if n := len(a.audit) - entries; n != 4 {
		t.Errorf("%d audit entries, want one for each context that left", n)
	}
}
