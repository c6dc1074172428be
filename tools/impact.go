package tools

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ld-mcp/ld-mcp/ldclient"
	"github.com/ld-mcp/ld-mcp/ldclient/engine"
)

// impact is what a change would do to contexts.
type impact struct {
	Sample    string       `json:"sample" doc:"which contexts were looked at"`
	Contexts  int          `json:"contexts" doc:"how many of them"`
	Changing  int          `json:"changing" doc:"would get something else"`
	NotJudged int          `json:"notJudged,omitempty" doc:"could not be judged; neither changing nor unchanged"`
	Moves     []move       `json:"moves,omitempty" doc:"from what to what, the most contexts first"`
	Examples  []example    `json:"examples,omitempty"`
	Flags     []flagImpact `json:"otherFlags,omitempty" doc:"flags that depend on the flag or target the segment"`
	Unknown   []string     `json:"unknown,omitempty" doc:"what could not be known"`
}

// move counts the contexts that would get one thing instead of another.
type move struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Contexts int    `json:"contexts"`
}

// example is one context that a change concerns.
type example struct {
	Context string `json:"context"`
	From    string `json:"from"`
	To      string `json:"to"`
	Before  string `json:"whyBefore,omitempty"`
	After   string `json:"whyAfter,omitempty"`
}

// flagImpact is what a change does to another flag.
type flagImpact struct {
	Key       string `json:"flagKey"`
	Changing  int    `json:"changing"`
	NotJudged int    `json:"notJudged,omitempty"`
}

const maxExamples = 5

// sentence is the impact for a person who is asked to confirm the change.
func (i *impact) sentence() string {
	if i.Contexts == 0 {
		return strings.Join(i.Unknown, ". ") + "."
	}
	unjudged := ""
	if i.NotJudged > 0 {
		unjudged = fmt.Sprintf("; %d could not be judged", i.NotJudged)
	}
	says := fmt.Sprintf("Of %s, none would get anything else%s.", i.Sample, unjudged)
	if i.Changing > 0 {
		var parts []string
		for n, m := range i.Moves[:min(3, len(i.Moves))] {
			switch m.To {
			case inside:
				parts = append(parts, fmt.Sprintf("%d would enter the segment", m.Contexts))
			case outside:
				parts = append(parts, fmt.Sprintf("%d would leave the segment", m.Contexts))
			default:
				parts = append(parts, fmt.Sprintf("%d %s%s instead of %s", m.Contexts, []string{"would get ", ""}[min(n, 1)], m.To, m.From))
			}
		}
		if rest := len(i.Moves) - len(parts); rest > 0 {
			parts = append(parts, fmt.Sprintf("%d more would change otherwise", i.Changing-sumOf(i.Moves[:3])))
		}
		says = fmt.Sprintf("Of %s, %s%s.", i.Sample, strings.Join(parts, ", "), unjudged)
	}
	for _, f := range i.Flags[:min(3, len(i.Flags))] {
		if f.Changing > 0 {
			says += fmt.Sprintf(" Flag %s would change for %d of them.", f.Key, f.Changing)
		}
	}
	return says
}

func sumOf(moves []move) int {
	n := 0
	for _, m := range moves {
		n += m.Contexts
	}
	return n
}

// tally is what a change does to the contexts that were looked at, by one flag or segment.
type tally struct {
	changing, notJudged int
	same                bool // nothing that the flag gives differs, not even for what needs it as a prerequisite
	moves               map[[2]string]int
	examples            []example
	causes              map[string]int
}

// judged is what one flag or segment is before and after.
type judged struct {
	compare func(*engine.Subject) engine.Outcome
	gives   func(after bool, r engine.Result) (value, name string)
	why     func(after bool, s *engine.Subject, r engine.Result) string
}

// judge looks at every context. One that may or may not change is not counted as either.
func (j *judging) judge(of judged) tally {
	v := tally{same: true, moves: map[[2]string]int{}, causes: map[string]int{}}
	for _, s := range j.subjects {
		out := of.compare(s)
		first := out.Pairs[0]
		from, fromName := of.gives(false, first.Before)
		to, toName := of.gives(true, first.After)
		changes, certain := from != to, !out.Cut
		for _, p := range out.Pairs {
			b, _ := of.gives(false, p.Before)
			a, _ := of.gives(true, p.After)
			// Where nothing changes whatever is not known, it does not matter that it is not.
			certain = certain && (b == a) == !changes && (!changes || b == from && a == to)
			v.same = v.same && b == a && p.Before.Variation == p.After.Variation
		}
		switch {
		case !certain:
			v.notJudged, v.same = v.notJudged+1, false
			for _, cause := range out.Causes {
				v.causes[cause]++
			}
		case changes:
			if fromName == toName {
				fromName, toName = short(clean(from), 60), short(clean(to), 60)
			}
			v.changing++
			v.moves[[2]string{fromName, toName}]++
			if len(v.examples) < maxExamples {
				e := example{Context: short(clean(s.String()), 120), From: fromName, To: toName}
				if of.why != nil {
					e.Before, e.After = of.why(false, s, first.Before), of.why(true, s, first.After)
				}
				v.examples = append(v.examples, e)
			}
		}
	}
	return v
}

// ofFlag compares a flag before and after.
func (j *judging) ofFlag(key string) judged {
	flags := [2]*ldclient.Flag{j.before.Flag(key), j.after.Flag(key)}
	var values [2][]string
	for n, f := range flags {
		for i := 0; f != nil && i < len(f.Variations); i++ {
			values[n] = append(values[n], string(mustJSON(decoded(f.Variations[i].Value))))
		}
	}
	side := func(after bool) int {
		if after {
			return 1
		}
		return 0
	}
	return judged{
		compare: func(s *engine.Subject) engine.Outcome { return engine.Compare(j.before, j.after, key, s) },
		gives: func(after bool, r engine.Result) (string, string) {
			n := side(after)
			if r.Variation < 0 || r.Variation >= len(values[n]) {
				return "", "the fallback in code"
			}
			return values[n][r.Variation], label(flags[n], r.Variation)
		},
		why: func(after bool, s *engine.Subject, r engine.Result) string {
			f := flags[side(after)]
			x := ldclient.Evaluation{Key: key, Reason: r.Reason, Value: mustJSON(nil)}
			if r.Reason.ErrorKind == "FLAG_NOT_FOUND" {
				x.Value = nil
			}
			about := map[string]any{"kind": "multi"}
			for kind, key := range s.Keys() {
				about[kind] = map[string]any{"key": key}
			}
			e := evaluation{at: inEnvironment{j.at.Project, j.at.Environment}, about: about, flags: map[string]*ldclient.Flag{}}
			if f != nil {
				e.flags[key] = f
			}
			return short(e.why(x), 300)
		},
	}
}

// What a segment is to a context.
const (
	inside  = "in the segment"
	outside = "not in the segment"
)

// ofSegment compares who is in a segment before and after.
func (j *judging) ofSegment(key string) judged {
	return judged{
		compare: func(s *engine.Subject) engine.Outcome { return engine.Members(j.before, j.after, key, s) },
		gives: func(_ bool, r engine.Result) (string, string) {
			if r.Variation == 1 {
				return inside, inside
			}
			return outside, outside
		},
	}
}

// into puts a tally of what was changed into the impact.
func (v tally) into(i *impact) {
	i.Changing, i.NotJudged, i.Examples = v.changing, v.notJudged, v.examples
	for pair, n := range v.moves {
		i.Moves = append(i.Moves, move{pair[0], pair[1], n})
	}
	slices.SortFunc(i.Moves, func(a, b move) int {
		return cmp.Or(cmp.Compare(b.Contexts, a.Contexts), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	for cause, n := range v.causes {
		i.Unknown = append(i.Unknown, fmt.Sprintf("%s, which matters for %d of the contexts", upper(cause), n))
	}
	slices.Sort(i.Unknown)
}

// report puts all of it together.
func (j *judging) report(v tally, others []flagImpact) *impact {
	out := &impact{Sample: j.sample, Contexts: len(j.subjects), Flags: others}
	v.into(out)
	out.Unknown = append(out.Unknown, j.unknown...)
	return out
}
