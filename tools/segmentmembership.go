package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

type membershipArgs struct {
	inEnvironment
	Segment    string `json:"segmentKey,omitempty" alias:"segment"`
	Context    object `json:"context,omitempty" doc:"As for evaluate-flags"`
	Kind       string `json:"contextKind,omitempty"`
	Key        string `json:"contextKey,omitempty" alias:"userKey" doc:"Instead of context"`
	Attributes object `json:"attributes,omitempty" doc:"With contextKey: {\"plan\":\"pro\"}"`
	Stored     bool   `json:"stored,omitempty" doc:"Add attributes last seen"`
	paged
}

func (a membershipArgs) target() ldclient.Target {
	t := a.inEnvironment.target()
	if a.Segment != "" {
		t.Kind, t.Key = "segment", a.Segment
	}
	return t
}

// about is the context as LaunchDarkly takes it, with notes on its attributes.
func (a membershipArgs) about(ctx context.Context, ld *ldclient.Client) (map[string]any, []string, error) {
	about, err := evaluateInput{Context: a.Context, Kind: a.Kind, Key: a.Key, Attributes: a.Attributes}.about()
	if err != nil {
		return nil, nil, err
	}
	if a.Stored {
		notes, err := addStored(ctx, ld, a.inEnvironment, about)
		return about, notes, err
	}
	for _, c := range contextsIn(about) {
		if len(attributeNames(c)) > 0 {
			return about, nil, nil
		}
	}
	return about, []string{"Only a key was given, so no rule on another attribute can match; stored true adds the attributes last seen."}, nil
}

type membershipRow struct {
	Key    string `json:"key"`
	Name   string `json:"name,omitempty" doc:"only where it says more than the key"`
	Member bool   `json:"member"`
	By     string `json:"by" doc:"what decides: included by key, excluded by key, a rule, or nothing matches"`
	Big    bool   `json:"big,omitempty" doc:"a big segment"`
}

func membershipOf(m ldclient.SegmentMembership) membershipRow {
	row := membershipRow{m.Key, nameBeside(m.Key, m.Name), m.IsMember, "nothing matches", m.Unbounded}
	switch {
	case m.IsMember && m.IsTargeted:
		row.By = "included by key"
	case m.IsMember:
		row.By = "a rule"
	}
	return row
}

var getSegmentMembership = read(Spec{
	Name: "get-segment-membership", Title: "Get segment membership",
	Doc: "Say which segments a context is in, by its key or by a rule; or ask about one. Only the attributes given count, unless stored is true.",
}, func(ctx context.Context, ld *ldclient.Client, in membershipArgs) (page[membershipRow], error) {
	var none page[membershipRow]
	if in.Segment != "" {
		if err := ldclient.CheckKey(in.Segment); err != nil {
			return none, badArguments(err.Error())
		}
	}
	about, notes, err := in.about(ctx, ld)
	if err != nil {
		return none, err
	}
	all, err := ld.Segments.Evaluate(ctx, in.Project, in.Environment, about)
	if err != nil {
		return none, err
	}
	var out page[membershipRow]
	if in.Segment == "" {
		all = slices.DeleteFunc(all, func(m ldclient.SegmentMembership) bool { return !m.IsMember })
		out = pageHere(all, in.paged, membershipOf)
	} else if row, err := membershipIn(ctx, ld, in.target(), all, about); err != nil {
		return none, err
	} else {
		out = page[membershipRow]{Items: []membershipRow{row}, TotalCount: 1, at: []int{0}}
	}
	out.Note = strings.Join(notes, " ")
	return out, nil
})

// membershipIn is a context's membership in the one segment that is asked about.
func membershipIn(ctx context.Context, ld *ldclient.Client, at ldclient.Target, all []ldclient.SegmentMembership, about map[string]any) (membershipRow, error) {
	s, err := ld.Segments.Get(ctx, at.Project, at.Environment, at.Key)
	if err != nil {
		return membershipRow{}, err
	}
	n := slices.IndexFunc(all, func(m ldclient.SegmentMembership) bool { return m.Key == s.Key })
	if n < 0 {
		return membershipRow{}, fmt.Errorf("LaunchDarkly did not say whether the context is in segment %s; read the segment with get-segment", s.Key)
	}
	row := membershipOf(all[n])
	if row.Member {
		return row, nil
	}
	excluded, err := excludedByKey(ctx, ld, at, s, about)
	if excluded {
		row.By = "excluded by key"
	}
	return row, err
}

// excludedByKey tells whether a segment excludes one of a context's keys.
func excludedByKey(ctx context.Context, ld *ldclient.Client, at ldclient.Target, s *ldclient.Segment, about map[string]any) (bool, error) {
	keyOf := func(kind string) string {
		key, _ := contextsIn(about)[kind]["key"].(string)
		return key
	}
	if !s.Unbounded {
		lists := newTargetsEdit(s)
		for _, kind := range slices.Sorted(maps.Keys(contextsIn(about))) {
			if lists.excluded[who{kind, keyOf(kind)}] {
				return true, nil
			}
		}
		return false, nil
	}
	key := keyOf(s.UnboundedContextKind)
	if key == "" {
		return false, nil
	}
	m, err := ld.Segments.BigMember(ctx, at.Project, at.Environment, s.Key, key)
	if ldclient.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return m.Excluded, nil
}
