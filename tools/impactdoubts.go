package tools

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
)

// weight orders the doubts that a person is told of, the weightiest first.
type weight int

const (
	nobodySeen weight = iota
	tooSlow
	othersMeant
	namedUnseen
	dependentsUnread
	readsCut
	experimentRuns
)

// weighed is a doubt that makes a difference to who has to decide.
type weighed struct {
	weight weight
	says   string
}

// doubt notes what could not be known.
func (j *judging) doubt(format string, args ...any) {
	if says := fmt.Sprintf(format, args...); !slices.Contains(j.unknown, says) {
		j.unknown = append(j.unknown, says)
	}
}

// matters notes what could not be known and has to be told to who decides.
func (j *judging) matters(w weight, format string, args ...any) {
	j.doubt(format, args...)
	if d := (weighed{w, fmt.Sprintf(format, args...)}); !slices.Contains(j.weighed, d) {
		j.weighed = append(j.weighed, d)
	}
}

func (j *judging) weighty() []string {
	slices.SortStableFunc(j.weighed, func(a, b weighed) int { return cmp.Compare(a.weight, b.weight) })
	return keysOf(j.weighed, func(d weighed) string { return d.says })
}

// doubtKinds says what follows from looking at contexts one kind at a time, as LaunchDarkly lists them.
func (j *judging) doubtKinds() {
	kinds := append(j.before.Kinds(), j.after.Kinds()...)
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	other := 0
	for _, s := range j.subjects {
		if !slices.ContainsFunc(kinds, func(kind string) bool { return s.Keys()[kind] != "" }) {
			other++
		}
	}
	switch {
	case len(kinds) == 0:
	case other > 0:
		j.doubt("%d of the contexts are of kinds that are not looked at (%s is); they count as if code evaluated them alone", other, strings.Join(kinds, " and "))
	case len(kinds) > 1:
		j.doubt("Contexts of kinds %s are looked at, each by itself; code may evaluate several together", strings.Join(kinds, ", "))
	}
}

// doubtExperiment says that an experiment cannot be told for certain.
func (j *judging) doubtExperiment(flags ...*ldclient.Flag) {
	for _, f := range flags {
		c := f.Environments[j.at.Environment]
		if slices.ContainsFunc(append([]ldclient.RuleServe{c.Fallthrough}, rulesServe(c.Rules)...), ldclient.RuleServe.InExperiment) {
			j.matters(experimentRuns, "An experiment runs on the flag; who is in it was worked out from its allocation alone")
		}
	}
}

// doubtSample says what the contexts that were looked at cannot tell: where none
// is of a kind that the change is about, or it names others by key.
func (j *judging) doubtSample(about meant, changing int) {
	if len(j.subjects) == 0 {
		return
	}
	kinds := slices.Sorted(maps.Keys(about.kinds))
	missing := slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool {
		return slices.ContainsFunc(j.subjects, func(s *engine.Subject) bool { return s.Keys()[kind] != "" })
	})
	none := fmt.Sprintf("is of kind %s, which the change looks at", strings.Join(missing, " or "))
	switch {
	case len(missing) == 0:
	case len(missing) == len(kinds) && !about.anyone && changing == 0:
		j.unseen = "none " + none + ", so it is not known whom this concerns"
		j.doubt("None of the contexts %s", none)
	default:
		j.matters(othersMeant, "None of them %s", none)
	}
	seen := map[contextKey]bool{}
	for _, s := range j.subjects {
		for kind, key := range s.Keys() {
			if k := (contextKey{kind, key}); about.keys[k] {
				seen[k] = true
			}
		}
	}
	switch n := len(about.keys); {
	case n == len(seen):
	case n == 1:
		j.matters(namedUnseen, "The one key that the change names is not among these contexts")
	default:
		j.matters(namedUnseen, "The change names %d keys, %d of them among these contexts", n, len(seen))
	}
}

// meant is which contexts a change is about: those of some kinds, or anyone; and those that it names by key.
type meant struct {
	anyone bool
	kinds  map[string]bool
	keys   map[contextKey]bool
	env    []*engine.Environment // where segments are found
	known  map[string]bool       // segments that were looked at
}

func (j *judging) meaning() *meant {
	return &meant{kinds: map[string]bool{}, keys: map[contextKey]bool{}, env: []*engine.Environment{j.before, j.after}, known: map[string]bool{}}
}

// ofFlags finds out what a change of a flag in one environment is about.
func (m *meant) ofFlags(was, is *ldclient.Flag, environment string) {
	a, b := was.Environments[environment], is.Environments[environment]
	if !a.On && !b.On {
		m.anyone = true
		return
	}
	values := func(f *ldclient.Flag) []string {
		return keysOf(f.Variations, func(v ldclient.Variation) string { return v.ID + compact(v.Value) })
	}
	off := func(f *ldclient.Flag, c ldclient.FlagConfig) string {
		return given(f, ldclient.RuleServe{Variation: c.OffVariation})
	}
	m.anyone = was.Archived != is.Archived || a.On != b.On || off(was, a) != off(is, b) || digest(a.Prerequisites) != digest(b.Prerequisites) || !slices.Equal(values(was), values(is))
	before, after := namedByKey(was, a), namedByKey(is, b)
	named := maps.Clone(before)
	maps.Copy(named, after)
	for k := range named {
		if before[k] != after[k] {
			m.keys[k], m.kinds[k.kind] = true, true
		}
	}
	if given(was, a.Fallthrough) != given(is, b.Fallthrough) {
		m.served(a.Fallthrough, b.Fallthrough)
		m.anyone = m.anyone || a.Fallthrough.Rollout == nil && b.Fallthrough.Rollout == nil
	}
	rules := func(f *ldclient.Flag, c ldclient.FlagConfig) []part {
		var out []part
		for _, r := range c.Rules {
			if !r.Disabled {
				out = append(out, part{r.ID, digest([]any{withoutIDs(r.Clauses), given(f, r.RuleServe)}), r.Clauses, r.RuleServe})
			}
		}
		return out
	}
	m.parts(rules(was, a), rules(is, b))
}

// given identifies what a rule gives, whatever the places of the variations are.
func given(f *ldclient.Flag, s ldclient.RuleServe) string {
	out := []any{}
	if s.Variation != nil {
		out = append(out, idOf(f, *s.Variation))
	}
	if r := s.Rollout; r != nil {
		out = append(out, r.BucketBy, kindOr(r.ContextKind), r.Seed, r.ExperimentAllocation)
		for _, w := range r.Variations {
			if w.Weight > 0 {
				out = append(out, idOf(f, w.Variation), w.Weight)
			}
		}
	}
	return digest(out)
}

// namedByKey gives the variations of contexts that are targeted by key.
func namedByKey(f *ldclient.Flag, c ldclient.FlagConfig) map[contextKey]string {
	out := map[contextKey]string{}
	for _, t := range slices.Concat(c.Targets, c.ContextTargets) {
		for _, key := range t.Values {
			out[contextKey{kindOr(t.ContextKind), key}] = idOf(f, t.Variation)
		}
	}
	return out
}

// ofSegments finds out what a change of a segment is about.
func (m *meant) ofSegments(was, is *ldclient.Segment) {
	for _, lists := range [2][2]map[contextKey]bool{
		{membersOf(was.Included, was.IncludedContexts), membersOf(is.Included, is.IncludedContexts)},
		{membersOf(was.Excluded, was.ExcludedContexts), membersOf(is.Excluded, is.ExcludedContexts)},
	} {
		for k := range both(lists[0], lists[1]) {
			if lists[0][k] != lists[1][k] {
				m.keys[k], m.kinds[k.kind] = true, true
			}
		}
	}
	rules := func(s *ldclient.Segment) []part {
		var out []part
		for _, r := range s.Rules {
			out = append(out, part{r.ID, digest([]any{withoutIDs(r.Clauses), r.Weight, r.RolloutContextKind, r.BucketBy}), r.Clauses, shareOf(r)})
		}
		return out
	}
	m.parts(rules(was), rules(is))
}

// shareOf is what a rule of a segment divides contexts by.
func shareOf(r ldclient.SegmentRule) ldclient.RuleServe {
	if r.Weight == nil {
		return ldclient.RuleServe{}
	}
	return ldclient.RuleServe{Rollout: &ldclient.Rollout{ContextKind: r.RolloutContextKind}}
}

// part is a rule that may have changed.
type part struct {
	id, digest string
	clauses    []ldclient.Clause
	serve      ldclient.RuleServe
}

// parts takes in the rules that differ, all of them where their order does.
func (m *meant) parts(before, after []part) {
	ids := func(list, others []part) (out []string) {
		for _, p := range list {
			if slices.ContainsFunc(others, func(o part) bool { return o.id == p.id }) {
				out = append(out, p.id)
			}
		}
		return out
	}
	moved := !slices.Equal(ids(before, after), ids(after, before))
	index := func(list []part) map[string]string {
		out := map[string]string{}
		for _, p := range list {
			out[p.id] = p.digest
		}
		return out
	}
	was, is := index(before), index(after)
	for _, p := range slices.Concat(before, after) {
		if moved || was[p.id] != is[p.id] {
			m.clauses(p.clauses)
			m.served(p.serve)
			m.anyone = m.anyone || len(p.clauses) == 0
		}
	}
}

func (m *meant) served(list ...ldclient.RuleServe) {
	for _, s := range list {
		if s.Rollout != nil {
			m.kinds[kindOr(s.Rollout.ContextKind)] = true
		}
	}
}

func (m *meant) clauses(list []ldclient.Clause) {
	for _, c := range list {
		switch {
		case c.Op == "segmentMatch":
			m.anyone = m.anyone || c.Negate
			for _, v := range c.Values {
				m.segment(fmt.Sprint(v))
			}
		case c.Attribute != "kind":
			m.kinds[kindOr(c.ContextKind)] = true
		case c.Negate || c.Op != "in":
			m.anyone = true
		default:
			for _, v := range c.Values {
				m.kinds[fmt.Sprint(v)] = true
			}
		}
	}
}

// segment takes in whom a segment is about.
func (m *meant) segment(key string) {
	if m.known[key] {
		return
	}
	m.known[key] = true
	for _, env := range m.env {
		s, added := env.Segment(key)
		switch {
		case !added:
			m.anyone = true
			continue
		case s == nil:
			continue
		case s.Unbounded:
			m.kinds[kindOr(s.UnboundedContextKind)] = true
		}
		for k := range membersOf(s.Included, s.IncludedContexts) {
			m.kinds[k.kind] = true
		}
		for _, r := range s.Rules {
			m.clauses(r.Clauses)
			m.served(shareOf(r))
		}
	}
}

func withoutIDs(list []ldclient.Clause) []ldclient.Clause {
	out := slices.Clone(list)
	for n := range out {
		out[n].ID = ""
	}
	return out
}
