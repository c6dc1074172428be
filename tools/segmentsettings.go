package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// segmentSettings is what a segment is apart from who is in it.
type segmentSettings struct {
	Key         string   `json:"key"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	Big         bool     `json:"big,omitempty" doc:"a big segment, whose members cannot be listed"`
	BigKind     string   `json:"bigContextKind,omitempty"`
	Version     int      `json:"version,omitempty"`
}

func segmentSettingsOf(s *ldclient.Segment) segmentSettings {
	return segmentSettings{s.Key, s.Name, s.Description, s.Tags, s.Unbounded, s.UnboundedContextKind, s.Version}
}

type newSegmentArgs struct {
	atEnvironment
	Key         string   `json:"key" alias:"segmentKey,segment" doc:"For good"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty" alias:"tag"`
	Unbounded   bool     `json:"unbounded,omitempty" alias:"big" doc:"Big segment, for more than 15,000 targeted keys"`
	BigKind     string   `json:"unboundedContextKind,omitempty"`
	because
}

func (a newSegmentArgs) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment, Kind: "segment", Key: a.Key}
}

var createSegment = create(Spec{
	Name: "create-segment", Title: "Create a segment", Action: "createSegment",
	Doc: "Create an empty segment. Then add rules with update-segment-rules or keys with update-segment-targets.",
}, func(ctx context.Context, ld *ldclient.Client, in newSegmentArgs) (*plan[segmentSettings], error) {
	n := ldclient.NewSegment{Key: in.Key, Name: strings.TrimSpace(in.Name), Description: in.Description, Tags: in.Tags,
		Unbounded: in.Unbounded, UnboundedContextKind: in.BigKind}
	if err := checkNewKey(in.Key); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, badf("tags: %v", err)
	}
	switch {
	case n.Name == "":
		return nil, badf("name: must not be empty")
	case in.BigKind != "" && !in.Unbounded:
		return nil, badf("unboundedContextKind is for big segments; give unbounded: true too, or leave it out")
	}
	if in.Unbounded && in.BigKind == "" {
		n.UnboundedContextKind = "user"
	}
	was, err := ld.Segments.Get(ctx, in.Project, in.Environment, in.Key)
	if err == nil {
		return nil, badf("key: environment %s has a segment %q already (%s); choose another key, or change that one", in.Environment, was.Key, short(clean(was.Name), 60))
	}
	if !ldclient.IsNotFound(err) {
		return nil, err
	}
	if _, err := ld.Environments.Get(ctx, in.Project, in.Environment); err != nil {
		return nil, err
	}
	what := "an empty segment"
	if in.Unbounded {
		what = "an empty big segment for contexts of kind " + clean(n.UnboundedContextKind)
	}
	p := &plan[segmentSettings]{intent: intent{Version: "none",
		Says: fmt.Sprintf("create %s %s (%s) in %s of project %s", what, in.Key, short(clean(n.Name), 60), in.Environment, in.Project)}}
	p.Apply = func(ctx context.Context, how manner) (*segmentSettings, error) {
		after := segmentSettings{n.Key, n.Name, n.Description, n.Tags, n.Unbounded, n.UnboundedContextKind, 0}
		if how.DryRun { // LaunchDarkly has no dry run of a creation
			return &after, nil
		}
		made, err := ld.Segments.Create(ctx, in.Project, in.Environment, n)
		if err != nil {
			return nil, err
		}
		after = segmentSettingsOf(made)
		return &after, nil
	}
	return p, nil
})

// segmentSetting is one change of a segment's settings.
type segmentSetting struct {
	Kind   string   `json:"kind" jsonschema:"enum=updateName,enum=updateDescription,enum=addTags,enum=removeTags"`
	Value  *string  `json:"value,omitempty" doc:"New text"`
	Values []string `json:"values,omitempty"`
}

var segmentSettingNeeds = map[string][2][]string{
	"updateName":        {{"value"}, nil},
	"updateDescription": {{"value"}, nil},
	"addTags":           {{"values"}, nil},
	"removeTags":        {{"values"}, nil},
}

// segmentSettingsEdit is a segment's settings in the making.
type segmentSettingsEdit struct {
	name, description string
	tags              []string
	do                []ldclient.Instruction
	says              []string
}

func (e *segmentSettingsEdit) add(i segmentSetting) error {
	if err := fit(i.Kind, i, segmentSettingNeeds); err != nil {
		return err
	}
	hasTag := func(list []string, tag string) bool {
		return slices.ContainsFunc(list, func(have string) bool { return strings.EqualFold(have, tag) })
	}
	switch i.Kind {
	case "updateName":
		name := strings.TrimSpace(*i.Value)
		if name == "" {
			return fmt.Errorf("value: a name must not be empty")
		}
		if name != e.name {
			e.says = append(e.says, fmt.Sprintf("rename it from %q to %q", short(clean(e.name), 60), short(clean(name), 60)))
			e.name, e.do = name, append(e.do, ldclient.UpdateSegmentName(name))
		}
	case "updateDescription":
		if *i.Value != e.description {
			e.says = append(e.says, fmt.Sprintf("describe it as %q instead of %q", short(clean(*i.Value), 120), short(clean(e.description), 120)))
			e.description = *i.Value
		}
	case "addTags":
		if err := checkTags(i.Values); err != nil {
			return err
		}
		var more []string
		for _, tag := range i.Values {
			if !hasTag(e.tags, tag) && !hasTag(more, tag) {
				more = append(more, tag)
			}
		}
		if len(more) > 0 {
			e.says = append(e.says, "add the tags "+short(strings.Join(more, ", "), 200))
			e.tags, e.do = slices.Concat(e.tags, more), append(e.do, ldclient.AddSegmentTags(more))
		}
	case "removeTags":
		var gone []string
		e.tags = slices.DeleteFunc(slices.Clone(e.tags), func(tag string) bool {
			if !hasTag(i.Values, tag) {
				return false
			}
			gone = append(gone, tag)
			return true
		})
		if len(gone) > 0 {
			e.says = append(e.says, "take off the tags "+short(clean(strings.Join(gone, ", ")), 200))
			e.do = append(e.do, ldclient.RemoveSegmentTags(gone))
		}
	}
	return nil
}

var updateSegmentSettings = update(Spec{
	Name: "update-segment-settings", Title: "Change a segment's settings", Action: "updateName",
	Or:  "updateDescription, updateTags",
	Doc: "Change a segment's name, description or tags.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atSegment
	Instructions []segmentSetting `json:"instructions" jsonschema:"minItems=1" doc:"In order"`
	because
}) (*plan[segmentSettings], error) {
	s, err := ld.Segments.Get(ctx, in.Project, in.Environment, in.Segment)
	if err != nil {
		return nil, err
	}
	e := segmentSettingsEdit{name: s.Name, description: s.Description, tags: s.Tags}
	for n, i := range in.Instructions {
		if err := e.add(i); err != nil {
			return nil, badf("instructions[%d] (%s): %v", n, i.Kind, err)
		}
	}
	says := fmt.Sprintf("change segment %s in %s of project %s: %s", in.Segment, in.Environment, in.Project, strings.Join(e.says, "; "))
	if e.description == s.Description {
		p := segmentPlan(ld, in.target(), s, segmentSettingsOf, says, e.do...)
		if len(e.do) == 0 {
			p.Nothing = fmt.Sprintf("segment %s is like this already", in.Segment)
		}
		return p, nil
	}
	var set ldclient.SegmentSettings
	set.Description = &e.description
	if e.name != s.Name {
		set.Name = &e.name
	}
	if !slices.Equal(e.tags, s.Tags) {
		set.Tags = &e.tags
	}
	p := segmentPlan(ld, in.target(), s, segmentSettingsOf, says)
	p.Apply = func(ctx context.Context, how manner) (*segmentSettings, error) {
		got, err := ld.Segments.SetSettings(ctx, in.Project, in.Environment, in.Segment, s.Version, set, how.Comment, how.DryRun)
		if err != nil {
			return nil, err
		}
		after := segmentSettingsOf(got)
		return &after, nil
	}
	return p, nil
})

var deleteSegment = remove(Spec{
	Name: "delete-segment", Title: "Delete a segment", Action: "deleteSegment",
	Doc: "Delete a segment of one environment for good; refused while flags or segments there target it.",
}, func(ctx context.Context, ld *ldclient.Client, in struct {
	atSegment
	because
}) (*plan[segmentSettings], error) {
	s, err := ld.Segments.Get(ctx, in.Project, in.Environment, in.Segment)
	if err != nil {
		return nil, err
	}
	users := keysOf(s.Flags, func(f ldclient.SegmentFlag) string { return "flag " + f.Key })
	for other, err := range ldclient.All(func(offset int) (*ldclient.Page[ldclient.Segment], error) {
		return ld.Segments.List(ctx, in.Project, in.Environment, ldclient.ListSegments{Paging: ldclient.Paging{Limit: upstreamPage, Offset: offset}})
	}) {
		if err != nil {
			return nil, err
		}
		if other.Key != s.Key && slices.Contains(segmentsIn(&other), s.Key) {
			users = append(users, "segment "+other.Key)
		}
	}
	if len(users) > 0 {
		more := ""
		if n := len(users) - firstOf; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return nil, blocked(fmt.Sprintf("Segment %s cannot be deleted: it is targeted in %s by %s%s, whose rules would then match differently. "+
			"Take it out of them with update-targeting-rules or update-segment-rules, then call delete-segment again.",
			in.Segment, in.Environment, strings.Join(ten(users, 0), ", "), more))
	}
	included, excluded := members(s)
	before := segmentSettingsOf(s)
	p := &plan[segmentSettings]{Before: &before, intent: intent{Version: fmt.Sprintf("segment %d", s.Version),
		Says: fmt.Sprintf("delete segment %s (%s) from %s of project %s for good, with its %d rules, %d included and %d excluded keys; no flag there targets it",
			in.Segment, short(clean(s.Name), 60), in.Environment, in.Project, len(s.Rules), included, excluded)}}
	p.Apply = func(ctx context.Context, how manner) (*segmentSettings, error) {
		if how.DryRun { // LaunchDarkly has no dry run of a deletion
			return nil, nil
		}
		return nil, ld.Segments.Delete(ctx, in.Project, in.Environment, in.Segment)
	}
	return p, nil
})

// blocked is a change that something else stands in the way of; it says what to do about that.
type blocked string

func (e blocked) Error() string { return string(e) }

// segmentsIn lists the segments that a segment's rules name.
func segmentsIn(s *ldclient.Segment) []string {
	b := clauseBuilder{}
	for _, r := range s.Rules {
		for _, c := range r.Clauses {
			b.noteSegments(c.Op, c.Values)
		}
	}
	return b.segments
}
