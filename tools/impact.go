package tools

import (
	"cmp"
	"context"
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

	doubts []string // those of Unknown that make a difference to who has to decide, the weightiest first
	unseen string   // why it says nothing that no context changes, "" where it does
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

// maxDoubts is how many doubts a person is told in one question.
const maxDoubts = 2

// sentence is the impact for a person who is asked to confirm the change.
func (i *impact) sentence() string {
	doubts := ""
	for _, d := range i.doubts[:min(maxDoubts, len(i.doubts))] {
		doubts += " " + d + "."
	}
	if i.Contexts == 0 {
		return strings.TrimSpace(doubts)
	}
	unjudged := ""
	if i.NotJudged > 0 {
		unjudged = fmt.Sprintf("; %d could not be judged", i.NotJudged)
	}
	says := fmt.Sprintf("Of %s, none would get anything else%s.", i.Sample, unjudged)
	switch {
	case i.Changing > 0:
		says = fmt.Sprintf("Of %s, %s%s.", i.Sample, i.moves(), unjudged)
	case i.unseen != "":
		says = fmt.Sprintf("Of %s, %s%s.", i.Sample, i.unseen, unjudged)
	}
	return says + i.others() + doubts
}

// moves says what the contexts that change would get.
func (i *impact) moves() string {
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
	if len(i.Moves) > len(parts) {
		parts = append(parts, fmt.Sprintf("%d more would change otherwise", i.Changing-sumOf(i.Moves[:len(parts)])))
	}
	return strings.Join(parts, ", ")
}

// others says what becomes of other flags, three of them.
func (i *impact) others() string {
	says, met := "", 0
	for _, f := range i.Flags {
		if f.Changing+f.NotJudged == 0 {
			continue
		}
		met++
		switch {
		case met > 3:
		case f.Changing == 0:
			says += fmt.Sprintf(" Flag %s could not be judged for %d of them.", f.Key, f.NotJudged)
		case f.NotJudged == 0:
			says += fmt.Sprintf(" Flag %s would change for %d of them.", f.Key, f.Changing)
		default:
			says += fmt.Sprintf(" Flag %s would change for %d of them and could not be judged for %d.", f.Key, f.Changing, f.NotJudged)
		}
	}
	if met > 3 {
		says += fmt.Sprintf(" So it is with %d more flags.", met-3)
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
	compare func(*engine.Subject, func(engine.Pair) bool) engine.Outcome
	gives   func(after bool, r engine.Result) (value, name string)
	id      func(after bool, r engine.Result) string // tells what is given whatever it is called or has for a value
	why     func(after bool, s *engine.Subject, r engine.Result) string
}

// timeUp is why contexts were left out when a call took too long.
const timeUp = "time was up"

// judge looks at every context, as long as there is time. One that may or may
// not change is not counted as either.
func (j *judging) judge(ctx context.Context, of judged) tally {
	v := tally{same: true, moves: map[[2]string]int{}, causes: map[string]int{}}
	for n, s := range j.subjects {
		if ctx.Err() != nil {
			left := len(j.subjects) - n
			v.notJudged, v.same, v.causes[timeUp] = v.notJudged+left, false, left
			j.matters(tooSlow, "Time was up before all of it was looked at")
			break
		}
		var from, fromName, to, toName string
		met, changes, certain := false, false, true
		out := of.compare(s, func(p engine.Pair) bool {
			b, bName := of.gives(false, p.Before)
			a, aName := of.gives(true, p.After)
			v.same = v.same && b == a && of.id(false, p.Before) == of.id(true, p.After)
			if !met {
				met, changes = true, b != a
				from, fromName, to, toName = b, bName, a, aName
			}
			// Where nothing changes whatever is not known, it does not matter that it is not.
			certain = (b == a) == !changes && (!changes || b == from && a == to)
			return !certain
		})
		certain = certain && !out.Cut
		first := out.Pairs[0]
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
		compare: func(s *engine.Subject, enough func(engine.Pair) bool) engine.Outcome {
			return engine.Compare(j.before, j.after, key, s, enough)
		},
		id: func(after bool, r engine.Result) string {
			if f := flags[side(after)]; f != nil {
				return idOf(f, r.Variation)
			}
			return ""
		},
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
		compare: func(s *engine.Subject, enough func(engine.Pair) bool) engine.Outcome {
			return engine.Members(j.before, j.after, key, s, enough)
		},
		id: func(_ bool, r engine.Result) string { return fmt.Sprint(r.Variation) },
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
	slices.SortFunc(others, func(a, b flagImpact) int {
		return cmp.Or(cmp.Compare(b.Changing, a.Changing), cmp.Compare(b.NotJudged, a.NotJudged), cmp.Compare(a.Key, b.Key))
	})
	out := &impact{Sample: j.sample, Contexts: len(j.subjects), Flags: others, doubts: j.weighty(), unseen: j.unseen}
	v.into(out)
	out.Unknown = append(out.Unknown, j.unknown...)
	return out
}
