package tools

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// replace changes one text, and fails where somebody else changed it meanwhile.
func (e *edits) replace(path, name, was, is string) bool {
	if was == is {
		return false
	}
	if was != "" { // a field without a value may not be there at all
		e.steps = append(e.steps, ldclient.Expect(path, was))
	}
	e.set(path, is, "change its %s from %s to %s", name, quotedOrNone(was), quotedOrNone(is))
	return true
}

func quotedOrNone(s string) string {
	if s == "" {
		return "none"
	}
	return fmt.Sprintf("%q", short(clean(s), 100))
}

// describe sets what nothing measures by: name, description, tags and maintainer.
func (e *edits) describe(ctx context.Context, ld *ldclient.Client, d description, name, text *string, tags *[]string, maintainerID string, maintainer *string) error {
	if err := e.nameAndTags(name, d.Name, tags, d.Tags); err != nil {
		return err
	}
	if d.Description != nil {
		e.replace("/description", "description", *text, *d.Description)
		*text = *d.Description
	}
	if d.Maintainer == nil {
		return nil
	}
	who, err := maintaining(ctx, ld, *d.Maintainer)
	if err == nil && who.ID != maintainerID {
		*maintainer = who.String()
		e.set("/maintainerId", who.ID, "make %s its maintainer", short(clean(*maintainer), 100))
	}
	return err
}

// description is what a metric or a metric group says of itself.
type description struct {
	Name        *string   `json:"name,omitempty"`
	Description *string   `json:"description,omitempty"`
	Tags        *[]string `json:"tags,omitempty" doc:"All; [] for none"`
	Maintainer  *string   `json:"maintainerId,omitempty" alias:"maintainer" quiet:"true"`
}

// maintaining finds a member by id or email.
func maintaining(ctx context.Context, ld *ldclient.Client, said string) (*ldclient.Member, error) {
	m, err := memberBy(ctx, ld, said)
	switch {
	case ldclient.IsNotFound(err):
		return nil, noMaintainer(said)
	case ldclient.Status(err) == 403 && said == "me":
		return nil, noMaintainer(said)
	case ldclient.Status(err) == 403 && !strings.Contains(said, "@"): // who may not see members may know an id
		return &ldclient.Member{Person: ldclient.Person{ID: said, Email: said}}, nil
	}
	return m, err
}

func noMaintainer(said string) error {
	if said == "me" {
		return badf("missing maintainerId: the token belongs to no member, as service tokens do, or may not see it; give a member's id or email, which find-members shows")
	}
	return badf("maintainerId: there is no member %s; find-members shows them", short(clean(said), 100))
}

// measures sets what a metric measures, and returns the names of what changes.
func (e *edits) measures(was, is ldclient.NewMetric) []string {
	var out []string
	if before, after := measuredAs(was), measuredAs(is); before != after {
		out = append(out, "measureType")
		e.says = append(e.says, fmt.Sprintf("measure %s instead of %s", after, before))
		// Both fields make the measure, so both are expected and set.
		if was.Numeric { // false may not be there at all
			e.steps = append(e.steps, ldclient.Expect("/isNumeric", true))
		}
		if was.Aggregation != "" {
			e.steps = append(e.steps, ldclient.Expect("/unitAggregationType", was.Aggregation))
		}
		e.steps = append(e.steps, ldclient.Replace("/isNumeric", is.Numeric), ldclient.Replace("/unitAggregationType", is.Aggregation))
	}
	for _, f := range []struct{ path, name, was, is string }{
		{"/eventKey", "eventKey", was.EventKey, is.EventKey}, {"/selector", "selector", was.Selector, is.Selector},
		{"/unit", "unit", was.Unit, is.Unit}, {"/successCriteria", "successCriteria", was.Success, is.Success},
	} {
		if e.replace(f.path, f.name, f.was, f.is) {
			out = append(out, f.name)
		}
	}
	if !slices.Equal(was.Units, is.Units) {
		out = append(out, "randomizationUnits")
		if len(was.Units) > 0 {
			e.steps = append(e.steps, ldclient.Expect("/randomizationUnits", was.Units))
		}
		e.set("/randomizationUnits", is.Units, "change its randomizationUnits from %s to %s", orNone(was.Units), orNone(is.Units))
	}
	if !slices.Equal(was.URLs, is.URLs) {
		out = append(out, "urls")
		e.set("/urls", is.URLs, "count on %s instead of %s", pagesInWords(is.URLs), pagesInWords(was.URLs))
	}
	return out
}

func measuredAs(f ldclient.NewMetric) string {
	if measure := measureOf(f.Numeric, f.Aggregation); measure != measureValue {
		return measure
	}
	return measureValue + " (" + f.Aggregation + ")"
}

func pagesInWords(list []ldclient.MetricURL) string {
	return orNone(keysOf(list, func(u ldclient.MetricURL) string {
		return u.Kind + " " + short(clean(u.URL+u.Substring+u.Pattern), 200)
	}))
}

var updateMetric = update(Spec{
	Name: "update-metric", Title: "Update a metric", Action: "updateName",
	Or: "updateDescription, updateTags, updateMaintainer, updateArchived, updateEventKey, updateUrls, updateSelector, updateNumeric, " +
		"updateUnitAggregationType, updateNumericUnit, updateNumericSuccess, updateRandomizationUnits",
	Doc: "Change or archive a metric. Takes all of create-metric's arguments but kind; what it measures only while nothing running uses it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atMetric
	description
	Archived *bool `json:"archived,omitempty" doc:"false restores"`
	metricChanges
	because
}) (*plan[metricState], error) {
	m, err := metricNamed(ctx, ld, in.atMetric)
	if err != nil {
		return nil, err
	}
	if in.description == (description{}) && in.metricChanges == (metricChanges{}) && in.Archived == nil {
		return nil, badf("nothing to change: give name, description, tags, maintainerId, archived, or what it measures by")
	}
	var e edits
	was, is := metricFields(m), metricFields(m)
	before := metricStateOf(m)
	maintainer := before.Maintainer
	if err := e.describe(ctx, ld, in.description, &is.Name, &is.Description, &is.Tags, m.MaintainerID, &maintainer); err != nil {
		return nil, err
	}
	harmless := len(e.steps)
	var defines []string
	if in.metricChanges != (metricChanges{}) {
		if err := metricSettings(in.metricChanges).into(&is); err != nil {
			return nil, err
		}
		if err := kindTakes(&is); err != nil && kindTakes(&was) == nil { // some are made of what only LaunchDarkly's pages can set
			return nil, err
		}
		defines = e.measures(was, is)
	}
	what, uses := fmt.Sprintf("metric %s of project %s", in.Metric, in.Project), usesOfMetric(ld, m)
	var notes []string
	archives := orElse(in.Archived, m.Archived) != m.Archived
	if archives {
		e.set("/archived", *in.Archived, "%s it", map[bool]string{true: "archive", false: "restore"}[*in.Archived])
		if *in.Archived {
			defines = append(defines, "archived")
			policies, unread := policiesWith(ctx, ld, in.Project, attachedMetrics, in.Metric)
			notes = append(connected(uses.groups, policies), unread...)
		}
	}
	if now := uses.now(); now != "" && len(defines) > 0 {
		return nil, cannot("%s is measured by %s, so its %s cannot change without spoiling their results; stop them first, or make another metric with create-metric",
			what, now, strings.Join(defines, ", "))
	}
	if len(defines) > 0 {
		notes = append(notes, uses.doubts()...)
		if n := uses.count(); n > 0 {
			notes = append(notes, fmt.Sprintf("%s used it%s; what is measured from now on does not compare with that", numberOf(n, "experiment"), ofThese(uses.experiments)))
		}
	}
	after := viewOfFields(is)
	after.Archived, after.Maintainer = orElse(in.Archived, m.Archived), maintainer
	p := &plan[metricState]{intent: e.intent(what, []any{before, uses.total, uses.active, uses.activeRollout}, in.because), Before: &before, Differ: onlyChanged[metricState]}
	p.Notes = append(p.Notes, notes...)
	if len(e.steps) == harmless {
		p.Harmless = "nothing measures by a metric's name, description, tags and maintainer"
	}
	p.Apply = func(ctx context.Context, how manner) (*metricState, error) {
		if how.DryRun {
			return &after, nil
		}
		if slices.Contains(defines, "urls") { // a patch can hardly test for them, since LaunchDarkly may show more of each than is read
			if now, err := ld.Metrics.Get(ctx, in.Project, in.Metric); err != nil {
				return nil, err
			} else if !slices.Equal(now.URLs, m.URLs) {
				return nil, changedSince(in.target())
			}
		}
		got, err := ld.Metrics.Update(ctx, in.Project, in.Metric, e.steps)
		if err != nil {
			return nil, err
		}
		after := metricStateOf(got)
		return &after, nil
	}
	return p, nil
})

// onlyChanged leaves in two views only what differs between them, and the field that names them.
func onlyChanged[View any](before, after *View) {
	if before == nil || after == nil {
		return
	}
	b, a := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := 1; i < b.NumField(); i++ { // the first is the key
		if reflect.DeepEqual(b.Field(i).Interface(), a.Field(i).Interface()) {
			b.Field(i).SetZero()
			a.Field(i).SetZero()
		}
	}
}

// connected notes what goes on naming a metric that is archived.
func connected(groups, policies []string) []string {
	var out []string
	if len(groups) > 0 {
		out = append(out, "these metric groups go on naming it: "+keyList(groups))
	}
	if len(policies) > 0 {
		out = append(out, "these release policies go on attaching it to guarded rollouts: "+keyList(policies))
	}
	return out
}

// changedSince is how a change ends that somebody else overtook.
func changedSince(at ldclient.Target) error {
	return &ldclient.Error{Status: 409, Code: "optimistic_locking_error", Message: fmt.Sprintf("%s %s was changed at the same moment", at.Kind, at.Key)}
}

var deleteMetric = remove(Spec{
	Name: "delete-metric", Title: "Delete a metric", Action: "deleteMetric",
	Doc: "Delete a metric for good, unless something measures by it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atMetric
	because
}) (*plan[metricState], error) {
	m, err := metricNamed(ctx, ld, in.atMetric)
	if err != nil {
		return nil, err
	}
	policies, unread := policiesWith(ctx, ld, in.Project, attachedMetrics, in.Metric)
	what, uses := fmt.Sprintf("metric %s of project %s", in.Metric, in.Project), usesOfMetric(ld, m)
	notes, err := uses.deletable(what, policies)
	if err != nil {
		return nil, err
	}
	before := metricStateOf(m)
	return &plan[metricState]{
		intent: intent{Says: fmt.Sprintf("delete %s (%s, %s of %s events) for good", what, short(clean(m.Name), 100), before.Measure, m.Kind),
			Version: "metric " + digest([]any{before, notes}), Notes: slices.Concat(uncommented(in.because), notes, unread)},
		Before: &before,
		Apply: func(ctx context.Context, how manner) (*metricState, error) {
			if how.DryRun {
				return nil, nil
			}
			return nil, ld.Metrics.Delete(ctx, in.Project, in.Metric)
		},
	}, nil
})
