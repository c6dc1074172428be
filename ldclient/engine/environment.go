// Package engine tells what flags give contexts, from flags and segments as the
// REST API shows them, without asking LaunchDarkly. The evaluation itself is
// LaunchDarkly's own; what cannot be known from the REST API is followed both ways.
package engine

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// Environment is the flags and segments of one environment, as far as they were
// read. What a flag names and was not added counts as not known. It is not safe
// for concurrent use.
type Environment struct {
	key      string
	flags    map[string]*ldclient.Flag
	segments map[string]*ldclient.Segment
	lost     map[string]string // flags that are not known, and why
	models   [2]*model         // for contexts that show all attributes, and for the others
}

// New returns an environment of which nothing is known yet.
func New(key string) *Environment {
	return &Environment{key: key, flags: map[string]*ldclient.Flag{}, segments: map[string]*ldclient.Segment{}}
}

// AddFlag adds a flag with its targeting in the environment; nil says that there is none of that key.
func (e *Environment) AddFlag(key string, f *ldclient.Flag) {
	e.flags[key], e.models = f, [2]*model{}
}

// LoseFlag says why it cannot be known what a flag is. It counts as not added, and as another unknown than one without a reason.
func (e *Environment) LoseFlag(key, why string) {
	delete(e.flags, key)
	if e.lost == nil {
		e.lost = map[string]string{}
	}
	e.lost[key], e.models = why, [2]*model{}
}

// AddSegment adds a segment of the environment; nil says that there is none of that key.
func (e *Environment) AddSegment(key string, s *ldclient.Segment) {
	e.segments[key], e.models = s, [2]*model{}
}

// Clone returns a copy to which other flags and segments can be added.
func (e *Environment) Clone() *Environment {
	return &Environment{key: e.key, flags: maps.Clone(e.flags), segments: maps.Clone(e.segments), lost: maps.Clone(e.lost)}
}

// Added reports whether a flag was added, be it that there is none of that key.
func (e *Environment) Added(key string) bool { _, ok := e.flags[key]; return ok }

// Lost is why it cannot be known what a flag is, "" where nothing was said of that.
func (e *Environment) Lost(key string) string { return e.lost[key] }

// Flag is the flag of that key, nil where there is none or it was not added.
func (e *Environment) Flag(key string) *ldclient.Flag { return e.flags[key] }

// Segment is the segment of that key, nil where there is none; added is false where that is not known.
func (e *Environment) Segment(key string) (s *ldclient.Segment, added bool) {
	s, added = e.segments[key]
	return s, added
}

// Wants lists what the flags and segments name that an evaluation may come to
// and that was not added, in order.
func (e *Environment) Wants() (flags, segments []string) {
	for _, f := range e.flags {
		c, ok := e.delivered(f)
		if !ok || !c.On {
			continue
		}
		for _, p := range c.Prerequisites {
			if _, added := e.flags[p.Key]; !added {
				flags = append(flags, p.Key)
			}
		}
		for _, r := range c.Rules {
			if !r.Disabled {
				segments = e.missing(segments, r.Clauses)
			}
		}
	}
	for _, s := range e.segments {
		if s == nil || s.Unbounded {
			continue
		}
		for _, r := range s.Rules {
			segments = e.missing(segments, r.Clauses)
		}
	}
	slices.Sort(flags)
	slices.Sort(segments)
	return slices.Compact(flags), slices.Compact(segments)
}

func (e *Environment) missing(segments []string, clauses []ldclient.Clause) []string {
	for _, c := range clauses {
		if c.Op != segmentMatch {
			continue
		}
		for _, v := range c.Values {
			if key, ok := v.(string); ok {
				if _, added := e.segments[key]; !added {
					segments = append(segments, key)
				}
			}
		}
	}
	return segments
}

// Kinds lists the context kinds that the flags and segments look at.
func (e *Environment) Kinds() []string {
	var out []string
	look := func(kind string) { out = append(out, cmp.Or(kind, "user")) }
	clauses := func(list []ldclient.Clause) {
		for _, c := range list {
			if c.Op != segmentMatch && c.Attribute != "kind" {
				look(c.ContextKind)
			}
		}
	}
	divides := func(s ldclient.RuleServe) {
		if s.Rollout != nil {
			look(s.Rollout.ContextKind)
		}
	}
	for _, f := range e.flags {
		c, _ := e.delivered(f)
		for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
			if len(t.Values) > 0 {
				look(t.ContextKind)
			}
		}
		for _, r := range c.Rules {
			clauses(r.Clauses)
			divides(r.RuleServe)
		}
		divides(c.Fallthrough)
	}
	for _, s := range e.segments {
		if s == nil {
			continue
		}
		if len(s.Included)+len(s.Excluded) > 0 {
			look("user")
		}
		if s.Unbounded {
			look(s.UnboundedContextKind)
		}
		for _, t := range slices.Concat(s.IncludedContexts, s.ExcludedContexts) {
			look(t.ContextKind)
		}
		for _, r := range s.Rules {
			clauses(r.Clauses)
			if r.Weight != nil {
				look(r.RolloutContextKind)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// delivered is a flag's targeting as SDKs get it. They get no archived flags.
func (e *Environment) delivered(f *ldclient.Flag) (ldclient.FlagConfig, bool) {
	if f == nil || f.Archived {
		return ldclient.FlagConfig{}, false
	}
	c, ok := f.Environments[e.key]
	return c, ok
}

const segmentMatch = "segmentMatch"
