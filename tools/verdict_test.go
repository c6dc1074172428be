package tools

import (
	"fmt"
	"testing"
	"time"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	ago := func(days float64) time.Time { return now.Add(-time.Duration(days * 24 * float64(time.Hour))) }
	asked := func(name string, days float64) ldclient.FlagStatus {
		return ldclient.FlagStatus{Name: name, LastRequested: ldclient.Request{Time: ago(days)}}
	}
	never := ldclient.FlagStatus{Name: "inactive"}
	for _, test := range []struct {
		status ldclient.FlagStatus
		age    float64
		want   string
	}{
		{ldclient.FlagStatus{Name: "new"}, 2, "new"},
		{never, 7, "new"},
		{never, 7.1, "likely_abandoned"},
		{asked("active", 0.1), 100, "healthy"},
		{asked("inactive", 6.9), 100, "healthy"},
		{asked("inactive", 7), 100, "maybe_stale"},
		{asked("inactive", 29.9), 100, "maybe_stale"},
		{asked("inactive", 30), 100, "likely_stale"},
		{ldclient.FlagStatus{Name: "active"}, 100, "healthy"}, // the time was not understood
	} {
		if got, because := health(test.status, ago(test.age), now); got != test.want || because == "" {
			t.Errorf("%+v, %v days old: got %s (%s), want %s", test.status, test.age, got, because, test.want)
		}
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	at := func(i int) *int { return &i }
	always := func(i int) ldclient.RuleServe { return ldclient.RuleServe{Variation: at(i)} }
	split := ldclient.RuleServe{Rollout: &ldclient.Rollout{Variations: []ldclient.WeightedVariation{{Variation: 0, Weight: 100_000}, {Variation: 2}}}}
	needs := []ldclient.Prerequisite{{Key: "gate"}}
	for name, test := range map[string]struct {
		config ldclient.FlagConfig
		want   string
	}{
		"off":                       {ldclient.FlagConfig{OffVariation: at(1), Fallthrough: always(0)}, "[1]"},
		"off without off variation": {ldclient.FlagConfig{Fallthrough: always(0)}, "[-1]"},
		"on":                        {ldclient.FlagConfig{On: true, OffVariation: at(1), Fallthrough: always(0)}, "[0]"},
		"a rollout to one":          {ldclient.FlagConfig{On: true, Fallthrough: split}, "[0]"},
		"a rule":                    {ldclient.FlagConfig{On: true, Fallthrough: always(0), Rules: []ldclient.Rule{{RuleServe: always(2)}}}, "[0 2]"},
		"a rule to the same":        {ldclient.FlagConfig{On: true, Fallthrough: always(0), Rules: []ldclient.Rule{{RuleServe: always(0)}}}, "[0]"},
		"a disabled rule":           {ldclient.FlagConfig{On: true, Fallthrough: always(0), Rules: []ldclient.Rule{{RuleServe: always(2), Disabled: true}}}, "[0]"},
		"targets":                   {ldclient.FlagConfig{On: true, Fallthrough: always(0), Targets: []ldclient.FlagTarget{{Variation: 1, Values: []string{"a"}}}}, "[0 1]"},
		"a placeholder":             {ldclient.FlagConfig{On: true, Fallthrough: always(0), ContextTargets: []ldclient.FlagTarget{{Variation: 1}}}, "[0]"},
		"prerequisites":             {ldclient.FlagConfig{On: true, OffVariation: at(1), Fallthrough: always(0), Prerequisites: needs}, "[0 1]"},
		"nothing served":            {ldclient.FlagConfig{On: true, Fallthrough: ldclient.RuleServe{Rollout: &ldclient.Rollout{}}}, "[-1]"},
	} {
		if got := fmt.Sprint(results(test.config)); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}
