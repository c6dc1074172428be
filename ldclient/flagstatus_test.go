package ldclient

import (
	"encoding/json"
	"testing"
)

// TestLastRequested: LaunchDarkly's ways to say when, and what must not fail a whole list.
func TestLastRequested(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"name":"active","lastRequested":"2026-03-02T13:58:30.123+02:00"}`: "2026-03-02T11:58:30Z",
		`{"name":"active","lastRequested":1772452710000}`:                   "2026-03-02T11:58:30Z",
		`{"name":"inactive","lastRequested":null}`:                          "",
		`{"name":"inactive"}`:                                               "",
		`{"name":"inactive","lastRequested":"0001-01-01T00:00:00Z"}`:        "",
		`{"name":"active","lastRequested":"yesterday"}`:                     "",
		`{"name":"active","lastRequested":{"at":1}}`:                        "",
	} {
		var s FlagStatus
		if err := json.Unmarshal([]byte(raw), &s); err != nil || s.LastRequested.String() != want || s.Name == "" {
			t.Errorf("%s: got %q, %v, want %q", raw, s.LastRequested, err, want)
		}
	}
}
