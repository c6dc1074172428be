package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// metricGroupRow is a metric group in a list.
type metricGroupRow struct {
	Key     string   `json:"key"`
	Name    string   `json:"name,omitempty" doc:"only where it says more than the key"`
	Kind    string   `json:"kind"`
	Metrics []string `json:"metrics" doc:"keys, the first ten; of a funnel in order"`
	Tags    []string `json:"tags,omitempty"`
}

func metricGroupRowOf(g ldclient.MetricGroup) metricGroupRow {
	return metricGroupRow{g.Key, nameBeside(g.Key, g.Name), g.Kind, ten(keysOf(g.Metrics, groupedKey), 0), ten(g.Tags, 0)}
}

func groupedKey(m ldclient.GroupedMetric) string { return m.Key }

var listMetricGroups = read(Spec{
	Name: "list-metric-groups", Title: "List metric groups",
	Doc: "List or search a project's metric groups.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atProject
	Query string `json:"query,omitempty" alias:"search" told:"true" doc:"Part of a key or name"`
	Kind  string `json:"kind,omitempty" quiet:"true"`
	paged
}) (page[metricGroupRow], error) {
	if in.Kind != "" && in.Kind != funnelKind && in.Kind != "standard" {
		return page[metricGroupRow]{}, badf("kind: must be funnel or standard, got %q", short(in.Kind, 40))
	}
	got, err := manyPages(ctx, in.paged, inHalves(func(ctx context.Context, p ldclient.Paging) (*ldclient.Page[ldclient.MetricGroup], error) {
		return ld.Metrics.ListGroups(ctx, in.Project, ldclient.ListMetricGroups{Paging: p, Query: in.Query, Kind: in.Kind})
	}))
	if err != nil {
		return page[metricGroupRow]{}, err
	}
	return pageOf(got, in.Offset, metricGroupRowOf), nil
})

// atMetricGroup names one metric group.
type atMetricGroup struct {
	Project string `json:"projectKey" alias:"project"`
	Group   string `json:"metricGroupKey" alias:"metricGroup,group,key"`
}

func (a atMetricGroup) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "metric-group", Key: a.Group}
}

// stepView is a metric of a group.
type stepView struct {
	Key     string `json:"key"`
	Name    string `json:"nameInGroup,omitempty"`
	Measure string `json:"measureType"`
}

// metricGroupView is what creating or changing a metric group shows.
type metricGroupView struct {
	Key         string     `json:"key"`
	Name        string     `json:"name,omitempty"`
	Description string     `json:"description,omitempty"`
	Kind        string     `json:"kind,omitempty"`
	Metrics     []stepView `json:"metrics,omitempty" doc:"of a funnel in order"`
	Tags        []string   `json:"tags,omitempty"`
	Maintainer  string     `json:"maintainer,omitempty"`
}

func metricGroupViewOf(g *ldclient.MetricGroup) metricGroupView {
	v := metricGroupView{Key: g.Key, Name: g.Name, Description: g.Description, Kind: g.Kind, Metrics: []stepView{}, Tags: g.Tags, Maintainer: maintainerWords(g.Maintainer)}
	for _, m := range g.Metrics {
		v.Metrics = append(v.Metrics, stepView{m.Key, m.NameInGroup, measureOf(m.Numeric, m.Aggregation)})
	}
	return v
}

func maintainerWords(m ldclient.GroupMaintainer) string {
	switch {
	case m.Person != nil:
		return m.Person.String()
	case m.Member != nil:
		return m.Member.String()
	case m.Team != nil:
		return "team " + m.Team.Key
	case m.Kind == "team":
		return "team " + m.Key
	}
	return m.Key
}

func maintainerIDOf(m ldclient.GroupMaintainer) string {
	switch {
	case m.Member != nil:
		return m.Member.ID
	case m.Team != nil, m.Kind == "team":
		return ""
	}
	return m.Key
}

type metricGroupDetail struct {
	metricGroupView
	Experiments []string `json:"experiments,omitempty" doc:"that use it, the first ten"`
	Count       int      `json:"experimentCount,omitempty"`
	Running     int      `json:"activeExperimentCount,omitempty"`
	Rollouts    int      `json:"activeGuardedRolloutCount,omitempty"`
}

var getMetricGroup = read(Spec{
	Name: "get-metric-group", Title: "Get a metric group",
	Doc: "Read one metric group and what uses it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ atMetricGroup }) (metricGroupDetail, error) {
	g, err := metricGroupNamed(ctx, ld, in.atMetricGroup)
	if err != nil {
		return metricGroupDetail{}, err
	}
	u := usesOfGroup(ld, g)
	return metricGroupDetail{metricGroupViewOf(g), ten(u.experiments, 0), u.count(), u.running(), u.rollouts()}, nil
})

// metricGroupNamed reads a metric group; where there is none, it offers the ones with keys like it.
func metricGroupNamed(ctx context.Context, ld *ldclient.Client, at atMetricGroup) (*ldclient.MetricGroup, error) {
	g, err := ld.Metrics.Group(ctx, at.Project, at.Group)
	if !ldclient.IsNotFound(err) {
		return g, err
	}
	near := keysLike(at.Group, func(query string) ([]string, error) {
		got, err := ld.Metrics.ListGroups(ctx, at.Project, ldclient.ListMetricGroups{Query: query, Paging: ldclient.Paging{Limit: ldclient.MaxMetricLimit}})
		if err != nil {
			return nil, err
		}
		return keysOf(got.Items, func(g ldclient.MetricGroup) string { return g.Key }), nil
	})
	if len(near) == 0 {
		return nil, err
	}
	return nil, absent("metric group", at.Group, near)
}

// stepInput is a metric of a group as callers give it.
type stepInput struct {
	Key  string `json:"key" alias:"metricKey"`
	Name string `json:"nameInGroup,omitempty" alias:"name"`
}

// steps reads the metrics that a group shall have. They are there, they fit its
// kind, and notes say what a person should know of them.
func steps(ctx context.Context, ld *ldclient.Client, project, kind string, in []stepInput) (out []ldclient.GroupedMetric, notes []string, err error) {
	const most = 50
	switch n := len(in); {
	case n < 2:
		return nil, nil, badf("metrics: a group has two metrics at least")
	case n > most:
		return nil, nil, badf("metrics: %d are too many for one call, which takes %d", n, most)
	}
	metrics := make([]*ldclient.Metric, len(in))
	g := gather(ctx)
	for i, s := range in {
		if j := slices.IndexFunc(in, func(other stepInput) bool { return other.Key == s.Key }); j < i {
			return nil, nil, badf("metrics names %s twice", short(clean(s.Key), 100))
		}
		g.need(func(ctx context.Context) (err error) {
			metrics[i], err = metricNamed(ctx, ld, atMetric{project, s.Key})
			return err
		})
	}
	if _, err := g.wait(); err != nil {
		return nil, nil, err
	}
	shared := slices.Clone(metrics[0].Units)
	for i, m := range metrics {
		measure := measureOf(m.Numeric, m.Aggregation)
		switch {
		case kind == funnelKind && measure == measureValue:
			return nil, nil, badf("metrics: %s measures values, and a funnel counts who gets through its steps; take occurrence metrics, or kind standard", m.Key)
		case kind == funnelKind && measure == measureCount:
			notes = append(notes, fmt.Sprintf("%s counts events, and a funnel asks whether there was one", m.Key))
		}
		if m.Archived {
			notes = append(notes, m.Key+" is archived")
		}
		shared = slices.DeleteFunc(shared, func(unit string) bool { return !slices.Contains(m.Units, unit) })
		name := in[i].Name
		if clean(name) == "" {
			name = m.Name
		}
		out = append(out, ldclient.GroupedMetric{Key: m.Key, Name: m.Name, NameInGroup: name, Kind: m.Kind, EventKey: m.EventKey, Numeric: m.Numeric, Aggregation: m.Aggregation, Units: m.Units})
	}
	if len(shared) == 0 && len(metrics[0].Units) > 0 {
		notes = append(notes, "the metrics share no randomization unit, so no experiment can use all of them")
	}
	return out, notes, nil
}

const funnelKind = "funnel"

func written(list []ldclient.GroupedMetric) []ldclient.MetricStep {
	var out []ldclient.MetricStep
	for _, m := range list {
		out = append(out, ldclient.MetricStep{Key: m.Key, NameInGroup: m.NameInGroup})
	}
	return out
}

// newMetricGroup names a metric group that is yet to be created.
type newMetricGroup struct {
	Project string `json:"projectKey" alias:"project"`
	Key     string `json:"key" alias:"metricGroupKey"`
}

func (a newMetricGroup) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "metric-group", Key: a.Key}
}

var createMetricGroup = create(Spec{
	Name: "create-metric-group", Title: "Create a metric group", Action: "createMetricGroup",
	Doc: "Create a group of metrics; a funnel's are in order.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	newMetricGroup
	Name        string      `json:"name"`
	Kind        string      `json:"kind" jsonschema:"enum=funnel,enum=standard"`
	Metrics     []stepInput `json:"metrics" brief:"true" doc:"{\"key\":\"m\",\"nameInGroup\":\"Paid\"}"`
	Maintainer  string      `json:"maintainerId,omitempty" alias:"maintainer" default:"me" quiet:"true" doc:"Id or email"`
	Description string      `json:"description,omitempty"`
	Tags        []string    `json:"tags,omitempty"`
	because
}) (*plan[metricGroupView], error) {
	tags, err := checkedSettings(in.Key, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	switch _, err := ld.Metrics.Group(ctx, in.Project, in.Key); {
	case err == nil:
		return nil, badf("project %s has a metric group %s already; choose another key, or change that one with update-metric-group", in.Project, in.Key)
	case !ldclient.IsNotFound(err):
		return nil, err
	}
	metrics, notes, err := steps(ctx, ld, in.Project, in.Kind, in.Metrics)
	if err != nil {
		return nil, err
	}
	who, err := maintaining(ctx, ld, in.Maintainer)
	if err != nil {
		return nil, err
	}
	post := ldclient.NewMetricGroup{Key: in.Key, Name: in.Name, Kind: in.Kind, Description: in.Description, Tags: tags, MaintainerID: who.ID, Metrics: written(metrics)}
	return &plan[metricGroupView]{
		intent: intent{Says: fmt.Sprintf("create %s metric group %s (%s) of %s in project %s", in.Kind, in.Key, short(clean(in.Name), 100), metricsInWords(metrics), in.Project),
			Notes: append(uncommented(in.because), notes...)},
		Apply: func(ctx context.Context, how manner) (*metricGroupView, error) {
			got := &ldclient.MetricGroup{Key: in.Key, Name: in.Name, Kind: in.Kind, Description: in.Description, Tags: tags, Metrics: metrics,
				Maintainer: ldclient.GroupMaintainer{Person: &who.Person}}
			if !how.DryRun {
				var err error
				if got, err = ld.Metrics.CreateGroup(ctx, in.Project, post); err != nil {
					return nil, err
				}
			}
			after := metricGroupViewOf(got)
			return &after, nil
		},
	}, nil
})

func metricsInWords(list []ldclient.GroupedMetric) string {
	return strings.Join(keysOf(list, groupedKey), ", ")
}

var updateMetricGroup = update(Spec{
	Name: "update-metric-group", Title: "Update a metric group", Action: "updateMetricGroupName",
	Or:  "updateMetricGroupDescription, updateMetricGroupTags, updateMetricGroupMaintainer, updateMetricGroupMetrics",
	Doc: "Change a metric group; its metrics only while nothing running uses it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atMetricGroup
	description
	Metrics *[]stepInput `json:"metrics,omitempty" brief:"true" doc:"All: {\"key\":\"m\",\"nameInGroup\":\"Paid\"}"`
	because
}) (*plan[metricGroupView], error) {
	g, err := metricGroupNamed(ctx, ld, in.atMetricGroup)
	if err != nil {
		return nil, err
	}
	if in.description == (description{}) && in.Metrics == nil {
		return nil, badf("nothing to change: give name, description, tags, maintainerId or metrics")
	}
	var e edits
	before := metricGroupViewOf(g)
	is, maintainer := *g, before.Maintainer
	if err := e.describe(ctx, ld, in.description, &is.Name, &is.Description, &is.Tags, maintainerIDOf(g.Maintainer), &maintainer); err != nil {
		return nil, err
	}
	harmless := len(e.steps)
	what, uses := fmt.Sprintf("metric group %s of project %s", in.Group, in.Project), usesOfGroup(ld, g)
	var notes []string
	if in.Metrics != nil {
		list, about, err := steps(ctx, ld, in.Project, g.Kind, keepNames(*in.Metrics, g.Metrics))
		if err != nil {
			return nil, err
		}
		if is.Metrics = list; !slices.Equal(written(g.Metrics), written(list)) {
			e.set("/metrics", written(list), "change its metrics from %s to %s", stepsInWords(g.Metrics), stepsInWords(list))
			notes = append(about, uses.doubts()...)
		} else {
			is.Metrics = g.Metrics
		}
	}
	changes := len(e.steps) > harmless
	if now := uses.now(); now != "" && changes {
		return nil, cannot("%s is measured by %s, so its metrics cannot change without spoiling their results; stop them first, or make another group with create-metric-group", what, now)
	}
	after := metricGroupViewOf(&is)
	after.Maintainer = maintainer
	p := &plan[metricGroupView]{intent: e.intent(what, []any{before, uses.total, uses.active, uses.activeRollout}, in.because), Before: &before, Differ: onlyChanged[metricGroupView]}
	p.Notes = append(p.Notes, notes...)
	if !changes {
		p.Harmless = "nothing measures by a group's name, description, tags and maintainer"
	}
	p.Apply = func(ctx context.Context, how manner) (*metricGroupView, error) {
		if how.DryRun {
			return &after, nil
		}
		if changes { // a patch can hardly test for them, since LaunchDarkly shows more of each than is written
			if now, err := ld.Metrics.Group(ctx, in.Project, in.Group); err != nil {
				return nil, err
			} else if !slices.Equal(written(now.Metrics), written(g.Metrics)) {
				return nil, changedSince(in.target())
			}
		}
		got, err := ld.Metrics.UpdateGroup(ctx, in.Project, in.Group, e.steps)
		if err != nil {
			return nil, err
		}
		after := metricGroupViewOf(got)
		return &after, nil
	}
	return p, nil
})

// keepNames leaves metrics that are in the group already the names that they have in it.
func keepNames(in []stepInput, have []ldclient.GroupedMetric) []stepInput {
	out := slices.Clone(in)
	for i := range out {
		if j := slices.IndexFunc(have, func(m ldclient.GroupedMetric) bool { return m.Key == out[i].Key }); j >= 0 && clean(out[i].Name) == "" {
			out[i].Name = have[j].NameInGroup
		}
	}
	return out
}

func stepsInWords(list []ldclient.GroupedMetric) string {
	return orNone(keysOf(list, func(m ldclient.GroupedMetric) string {
		if nameBeside(m.Key, m.NameInGroup) == "" {
			return m.Key
		}
		return fmt.Sprintf("%s (%s)", m.Key, short(clean(m.NameInGroup), 60))
	}))
}

var deleteMetricGroup = remove(Spec{
	Name: "delete-metric-group", Title: "Delete a metric group", Action: "deleteMetricGroup",
	Doc: "Delete a metric group for good, unless something measures by it; its metrics stay.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atMetricGroup
	because
}) (*plan[metricGroupView], error) {
	g, err := metricGroupNamed(ctx, ld, in.atMetricGroup)
	if err != nil {
		return nil, err
	}
	policies, unread := policiesWith(ctx, ld, in.Project, attachedGroups, in.Group)
	what := fmt.Sprintf("metric group %s of project %s", in.Group, in.Project)
	notes, err := usesOfGroup(ld, g).deletable(what, policies)
	if err != nil {
		return nil, err
	}
	before := metricGroupViewOf(g)
	return &plan[metricGroupView]{
		intent: intent{Says: fmt.Sprintf("delete %s (%s) for good; its metrics %s stay", what, short(clean(g.Name), 100), metricsInWords(g.Metrics)),
			Version: "metric group " + digest([]any{before, notes}), Notes: slices.Concat(uncommented(in.because), notes, unread)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*metricGroupView, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.Metrics.DeleteGroup(ctx, in.Project, in.Group)
		},
	}, nil
})
