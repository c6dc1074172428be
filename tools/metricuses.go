package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// metricUses is what measures by a metric or a metric group. Counts are nil where LaunchDarkly did not tell.
type metricUses struct {
	experiments                  []string // in scope, in words
	total, active, activeRollout *int
	lastRollout                  string   // in words, "" where it is not known
	groups                       []string // keys
	moreGroups                   *int     // how many there are besides, nil where LaunchDarkly did not tell
}

func usesOfMetric(ld *ldclient.Client, m *ldclient.Metric) metricUses {
	u := metricUses{experiments: experimentsInWords(ld, m.Experiments), total: m.ExperimentCount, active: m.ActiveExperiments, activeRollout: m.ActiveRollouts,
		groups: keysOf(m.Groups, func(g ldclient.MetricGroupRef) string { return g.Key })}
	if m.GroupCount != nil || len(m.Groups) > 0 {
		more := max(0, orElse(m.GroupCount, 0)-len(m.Groups))
		u.moreGroups = &more
	}
	if r := m.LastRollout; r != nil && ld.Scope().AllowsEnvironment(r.Environment) {
		u.lastRollout = fmt.Sprintf("flag %s in %s (%s)", r.Flag, r.Environment, r.Status)
	}
	return u
}

func usesOfGroup(ld *ldclient.Client, g *ldclient.MetricGroup) metricUses {
	none := 0 // a group is in no other
	return metricUses{experiments: experimentsInWords(ld, g.Experiments), total: g.ExperimentCount, active: g.ActiveExperiments, activeRollout: g.ActiveRollouts, moreGroups: &none}
}

func experimentsInWords(ld *ldclient.Client, list []ldclient.MetricExperiment) []string {
	var out []string
	for _, x := range list {
		if ld.Scope().AllowsEnvironment(x.Environment) {
			out = append(out, fmt.Sprintf("%s in %s%s", x.Key, x.Environment, archivedNote(x.Archived != 0)))
		}
	}
	return out
}

// count is how many experiments have used it, as far as that is known.
func (u metricUses) count() int    { return max(orElse(u.total, 0), len(u.experiments), u.running()) }
func (u metricUses) running() int  { return orElse(u.active, 0) }
func (u metricUses) rollouts() int { return orElse(u.activeRollout, 0) }

// now says what measures by it at the moment, "" where nothing is known to.
func (u metricUses) now() string {
	var out []string
	if n := u.running(); n > 0 {
		out = append(out, numberOf(n, "running experiment")+ofThese(u.experiments))
	}
	if n := u.rollouts(); n > 0 {
		words := numberOf(n, "guarded rollout") + " under way"
		if u.lastRollout != "" {
			words += " (the latest: " + u.lastRollout + ")"
		}
		out = append(out, words)
	}
	return strings.Join(out, " and ")
}

// doubts says what may use it that LaunchDarkly did not tell of.
func (u metricUses) doubts() []string {
	var out []string
	if u.active == nil && (u.total == nil || u.count() > 0) {
		out = append(out, "LaunchDarkly did not tell whether a running experiment uses it"+ofThese(u.experiments)+"; look before you agree")
	}
	if u.activeRollout == nil {
		out = append(out, "LaunchDarkly did not tell whether a guarded rollout under way uses it; look before you agree")
	}
	return out
}

func numberOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// ofThese names the experiments among which the running ones are.
func ofThese(experiments []string) string {
	if len(experiments) == 0 {
		return ""
	}
	return " (experiments with it: " + keyList(experiments) + ")"
}

// policiesWith lists the release policies that attach a metric or a group. It
// returns no error where an account has no policies, or does not show them.
func policiesWith(ctx context.Context, ld *ldclient.Client, project string, attaches func(*ldclient.GuardedRelease) []string, key string) (keys, notes []string) {
	all, err := ld.Releases.Policies(ctx, project, false)
	switch {
	case ldclient.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, []string{fmt.Sprintf("release policies could not be read (%s), and one of them may attach it", short(clean(err.Error()), 200))}
	}
	for _, p := range all {
		if p.Guarded != nil && slices.Contains(attaches(p.Guarded), key) {
			keys = append(keys, p.Key)
		}
	}
	return keys, nil
}

func attachedMetrics(g *ldclient.GuardedRelease) []string { return g.Metrics }
func attachedGroups(g *ldclient.GuardedRelease) []string  { return g.MetricGroups }

// deletable refuses to delete what something measures by, and notes what a person should know who does so.
func (u metricUses) deletable(what string, policies []string) (notes []string, err error) {
	switch {
	case u.now() != "":
		return nil, cannot("%s is measured by %s; stop them first", what, u.now())
	case len(u.groups) > 0:
		return nil, cannot("%s is in metric groups (%s); take it out of them with update-metric-group first", what, keyList(u.groups))
	case orElse(u.moreGroups, 0) > 0:
		return nil, cannot("%s is in %s; take it out of them with update-metric-group first", what, numberOf(*u.moreGroups, "metric group"))
	case len(policies) > 0:
		return nil, cannot("%s is attached to guarded rollouts by release policies (%s); take it out of them with update-release-policy first", what, keyList(policies))
	}
	notes = u.doubts()
	if u.moreGroups == nil {
		notes = append(notes, "LaunchDarkly did not tell whether metric groups hold it; look with list-metric-groups before you agree")
	}
	if n := u.count(); n > 0 && len(notes) == 0 {
		notes = append(notes, fmt.Sprintf("measured by it so far, and left without: %s%s", numberOf(n, "experiment"), ofThese(u.experiments)))
	}
	return notes, nil
}
