package sandbox

import (
	"encoding/json"
	"testing"
)

// TestFlagDefaultsFollowTheProject: what is proposed for new flags goes with the project's settings.
func TestFlagDefaultsFollowTheProject(t *testing.T) {
	t.Parallel()
	a, _ := newTestAccount(Options{})
	a.findProject("shop").DefaultClientSideAvailability.UsingEnvironmentID = true
	var got struct {
		Temporary bool       `json:"temporary"`
		Side      clientSide `json:"defaultClientSideAvailability"`
	}
	answer := checked(t, a, "GET", "/projects/shop/flag-defaults", nil)
	if err := json.Unmarshal(answer.body, &got); err != nil || !got.Temporary || !got.Side.UsingEnvironmentID || !got.Side.UsingMobileKey {
		t.Errorf("%s %v", answer.body, err)
	}
	if answer := ask(t, a, "GET", "/projects/nowhere/flag-defaults", nil); answer.status != 404 {
		t.Errorf("status %d", answer.status)
	}
}
