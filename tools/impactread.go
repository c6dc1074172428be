package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
)

// judging is a look at what a change does to contexts in one environment.
type judging struct {
	ld            *ldclient.Client
	at            ldclient.Target // what changes, with an environment
	was, is       *ldclient.Flag  // of a flag that changes
	before, after *engine.Environment
	subjects      []*engine.Subject
	sample        string
	unknown       []string
	weighed       []weighed
	unseen        string
	tried         map[string]bool // flags and segments that were asked for
}

func newJudging(ld *ldclient.Client, at ldclient.Target) *judging {
	return &judging{ld: ld, at: at, before: engine.New(at.Environment), after: engine.New(at.Environment), tried: map[string]bool{}}
}

const (
	maxImpactReads   = 40  // flags and segments that are read for one impact
	maxImpactFlags   = 10  // other flags that one impact looks at
	ordinarySample   = 100 // contexts
	maxSampleRepeats = 3   // pages that may bring nothing new
)

// sampled are the contexts that are looked at: those that are given or, without any, a number of those seen lately.
type sampled struct {
	given []*engine.Subject
	seen  int
}

// flagImpactOf tells what becomes of contexts when a flag in one environment becomes another.
func flagImpactOf(ctx context.Context, ld *ldclient.Client, at ldclient.Target, was, is *ldclient.Flag, from sampled) (*impact, error) {
	j := newJudging(ld, at)
	j.was, j.is = was, is
	j.before.AddFlag(at.Key, was)
	j.after.AddFlag(at.Key, is)
	if err := j.read(ctx, from); err != nil {
		return nil, err
	}
	v := j.judge(ctx, j.ofFlag(at.Key))
	about := j.meaning()
	about.ofFlags(was, is, at.Environment)
	j.doubtSample(*about, v.changing)
	j.doubtExperiment(was, is)
	if len(j.subjects) == 0 || v.same && was.Archived == is.Archived && was.Environments[at.Environment].On == is.Environments[at.Environment].On {
		return j.report(v, nil), nil
	}
	others, err := j.flags(ctx, j.dependents(ctx))
	return j.report(v, others), err
}

// segmentImpactOf tells which contexts enter or leave when a segment becomes another, and what flags that target it then give.
func segmentImpactOf(ctx context.Context, ld *ldclient.Client, at ldclient.Target, was, is *ldclient.Segment, from sampled) (*impact, error) {
	j := newJudging(ld, at)
	j.before.AddSegment(at.Key, was)
	j.after.AddSegment(at.Key, is)
	if err := j.read(ctx, from); err != nil {
		return nil, err
	}
	v := j.judge(ctx, j.ofSegment(at.Key))
	about := j.meaning()
	about.ofSegments(was, is)
	j.doubtSample(*about, v.changing)
	if len(j.subjects) == 0 || v.changing+v.notJudged == 0 {
		return j.report(v, nil), nil
	}
	keys := keysOf(was.Flags, func(f ldclient.SegmentFlag) string { return f.Key })
	if len(keys) > maxImpactFlags {
		j.matters(dependentsUnread, "%d flags target the segment, of which only the first %d were looked at", len(keys), maxImpactFlags)
		keys = keys[:maxImpactFlags]
	}
	others, err := j.flags(ctx, keys)
	j.doubt("Segments whose rules name this one, and flags that depend on others, were not looked at")
	return j.report(v, others), err
}

// read reads what the change may concern and the contexts to look at.
func (j *judging) read(ctx context.Context, from sampled) error {
	if len(from.given) > 0 {
		j.subjects, j.sample = from.given, fmt.Sprintf("%d given contexts", len(from.given))
		if len(from.given) == 1 {
			j.sample = "1 given context"
		}
		return j.load(ctx)
	}
	g := gather(ctx)
	g.need(j.load)
	var seen seenContexts
	g.want("contexts seen lately", func(ctx context.Context) (err error) {
		seen, err = seenLately(ctx, j.ld, j.at, from.seen)
		return err
	})
	missing, err := g.wait()
	if err != nil {
		return err
	}
	j.subjects, j.sample = seen.subjects, fmt.Sprintf("%d contexts seen lately in %s", len(seen.subjects), j.at.Environment)
	switch {
	case len(missing) > 0:
		j.matters(nobodySeen, "%s, so it is not known whom this concerns", upper(missing[0]))
	case len(j.subjects) == 0:
		j.matters(nobodySeen, "No contexts were seen lately in %s, so it is not known whom this concerns", j.at.Environment)
	default:
		j.doubt("Contexts that were not among those seen lately may change too")
		j.doubtKinds()
	}
	if seen.odd > 0 {
		j.doubt("%d contexts seen lately could not be understood", seen.odd)
	}
	if seen.cut != nil {
		j.matters(readsCut, "Of the contexts seen lately more than these could not be read (%s)", strings.TrimSuffix(short(clean(lastWords(seen.cut)), 100), "."))
	}
	return nil
}

// seenContexts are contexts that were seen lately, how many more were of no
// form that is understood, and why there are no more where reading them failed.
type seenContexts struct {
	subjects []*engine.Subject
	odd      int
	cut      error
}

// seenLately reads the contexts seen last in an environment, each once however many applications reported it.
func seenLately(ctx context.Context, ld *ldclient.Client, at ldclient.Target, limit int) (out seenContexts, err error) {
	known := map[string]bool{}
	q := ldclient.ContextQuery{Limit: min(limit, ldclient.MaxContextLimit)}
	for idle := 0; len(out.subjects) < limit && idle < maxSampleRepeats; {
		got, err := ld.Contexts.Search(ctx, at.Project, at.Environment, q)
		if err != nil {
			if len(out.subjects) > 0 && ctx.Err() == nil {
				out.cut = err
				return out, nil
			}
			return seenContexts{}, err
		}
		had := len(known)
		for _, c := range got.Items {
			s, err := engine.Seen(c.Context)
			if err != nil {
				out.odd++
				continue
			}
			if name := s.String(); !known[name] && len(out.subjects) < limit {
				known[name] = true
				out.subjects = append(out.subjects, s)
			}
		}
		if len(known) == had {
			idle++
		}
		if q.Cursor = got.Next; q.Cursor == "" || len(got.Items) == 0 {
			break
		}
	}
	return out, nil
}

// load reads the prerequisites and segments that the flags and segments name,
// level by level. What cannot be read stays unknown.
func (j *judging) load(ctx context.Context) error {
	for {
		flags, segments := j.before.Wants()
		moreFlags, moreSegments := j.after.Wants()
		flags = j.untried("flag", append(flags, moreFlags...))
		segments = j.untried("segment", append(segments, moreSegments...))
		if len(flags)+len(segments) == 0 {
			return ctx.Err()
		}
		if err := j.readFlags(ctx, flags); err != nil {
			return err
		}
		g := gather(ctx)
		var mu sync.Mutex
		got := map[string]*ldclient.Segment{}
		for _, key := range segments {
			g.want("segment "+key, func(ctx context.Context) error {
				s, err := j.ld.Segments.Get(ctx, j.at.Project, j.at.Environment, key)
				mu.Lock()
				defer mu.Unlock()
				if err == nil || ldclient.IsNotFound(err) {
					got[key] = s
				}
				return err
			})
		}
		if _, err := g.wait(); err != nil {
			return err
		}
		for key, s := range got {
			j.before.AddSegment(key, s)
			j.after.AddSegment(key, s)
		}
	}
}

// readFlags reads other flags into both environments.
func (j *judging) readFlags(ctx context.Context, keys []string) error {
	g := gather(ctx)
	var mu sync.Mutex
	got := map[string]*ldclient.Flag{}
	for _, key := range keys {
		g.want("flag "+key, func(ctx context.Context) error {
			f, err := j.ld.Flags.Get(ctx, j.at.Project, j.at.Environment, key)
			mu.Lock()
			defer mu.Unlock()
			if err == nil || ldclient.IsNotFound(err) {
				got[key] = f
			}
			return err
		})
	}
	if _, err := g.wait(); err != nil {
		return err
	}
	for key, f := range got {
		j.before.AddFlag(key, f)
		if g, whole := j.shifted(f); whole {
			j.after.AddFlag(key, g)
		} else {
			j.after.LoseFlag(key, fmt.Sprintf("flag %s requires a variation of %s that would be gone", key, j.at.Key))
		}
	}
	return ctx.Err()
}

// shifted is a flag as it is after the change: what it requires of the changed
// flag are places in a list of variations that may be another one then. It is
// not whole where it requires a variation that is gone.
func (j *judging) shifted(f *ldclient.Flag) (_ *ldclient.Flag, whole bool) {
	if f == nil || j.was == nil {
		return f, true
	}
	c := f.Environments[j.at.Environment]
	n := slices.IndexFunc(c.Prerequisites, func(p ldclient.Prerequisite) bool { return p.Key == j.at.Key })
	if n < 0 {
		return f, true
	}
	id := idOf(j.was, c.Prerequisites[n].Variation)
	to := variationAt(j.is, id)
	if id == "" || to < 0 { // without ids, places tell nothing once the list is another
		return f, id == "" && slices.EqualFunc(j.was.Variations, j.is.Variations, func(a, b ldclient.Variation) bool { return a.ID == b.ID })
	}
	g := *f
	g.Environments = maps.Clone(f.Environments)
	c.Prerequisites = slices.Clone(c.Prerequisites)
	c.Prerequisites[n].Variation = to
	g.Environments[j.at.Environment] = c
	return &g, true
}

// untried are the keys that were not asked for yet, as long as there is room for them.
func (j *judging) untried(what string, keys []string) []string {
	slices.Sort(keys)
	var out []string
	for _, key := range slices.Compact(keys) {
		switch {
		case j.tried[what+" "+key]:
		case len(j.tried) >= maxImpactReads:
			j.matters(readsCut, "Only %d prerequisites and segments were read", maxImpactReads)
		default:
			j.tried[what+" "+key] = true
			out = append(out, key)
		}
	}
	return out
}

// dependents are the flags that need the changed one as a prerequisite, and those that need these, up to maxImpactFlags.
func (j *judging) dependents(ctx context.Context) []string {
	var out []string
	for level := []string{j.at.Key}; len(level) > 0; {
		found := make([][]dependentRow, len(level))
		notes := make([]string, len(level))
		g := gather(ctx)
		for n, key := range level {
			g.want("flags that depend on "+key, func(ctx context.Context) (err error) {
				at := j.at
				at.Key = key
				found[n], notes[n], err = dependentsOf(ctx, j.ld, at)
				return err
			})
		}
		missing, _ := g.wait() // nothing was needed
		for _, m := range missing {
			j.matters(dependentsUnread, "%s", upper(m))
		}
		for _, note := range notes {
			if note != "" {
				j.doubt("%s", strings.TrimSuffix(note, "."))
			}
		}
		level = nil
		for _, row := range slices.Concat(found...) {
			switch {
			case row.Key == j.at.Key || slices.Contains(out, row.Key):
			case len(out) >= maxImpactFlags:
				j.matters(dependentsUnread, "More than %d flags depend on it; only those were looked at", maxImpactFlags)
			default:
				out, level = append(out, row.Key), append(level, row.Key)
			}
		}
	}
	return out
}

// flags judges other flags that the change may reach.
func (j *judging) flags(ctx context.Context, keys []string) ([]flagImpact, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var unread []string
	for _, key := range keys {
		if !j.tried["flag "+key] {
			j.tried["flag "+key] = true
			unread = append(unread, key)
		}
	}
	err := j.readFlags(ctx, unread)
	if err == nil {
		err = j.load(ctx)
	}
	if ctx.Err() != nil {
		j.matters(dependentsUnread, "Time was up before flags %s were looked at", keyList(keys))
		keys, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if !j.before.Added(key) {
			j.after.LoseFlag(key, fmt.Sprintf("flag %s could not be read", key))
		}
	}
	var out []flagImpact
	for _, key := range keys {
		f := flagImpact{Key: key, NotJudged: len(j.subjects)}
		if why := j.after.Lost(key); why != "" {
			j.doubt("%s", upper(why))
		} else {
			v := j.judge(ctx, j.ofFlag(key))
			f.Changing, f.NotJudged = v.changing, v.notJudged
			for cause := range v.causes {
				j.doubt("%s, which matters for flag %s", upper(cause), key)
			}
		}
		out = append(out, f)
	}
	slices.Sort(j.unknown)
	return out, nil
}
