package tools

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/ld-mcp/ld-mcp/ldclient"
)

// dependency is one prerequisite: a flag, the flag that it needs, and what that must give.
type dependency struct {
	Flag      string `json:"flagKey"`
	Needs     string `json:"needs"`
	Variation string `json:"variation" doc:"what the needed flag must give"`
	Depth     int    `json:"depth" doc:"1 is next to the flag asked for"`
	Met       string `json:"met,omitempty" doc:"always, never or sometimes, by the needed flag's configuration; not given if it could not be read"`
}

type dependencies struct {
	Key               string       `json:"key"`
	Environment       string       `json:"environment"`
	Prerequisites     []dependency `json:"prerequisites" doc:"what the flag needs, and what that needs"`
	Dependents        []dependency `json:"dependents" doc:"what needs the flag, and what needs that"`
	MorePrerequisites int          `json:"morePrerequisites,omitempty"`
	MoreDependents    int          `json:"moreDependents,omitempty"`
	DependentsNotRead bool         `json:"dependentsNotRead,omitempty"`
	Notes             []string     `json:"notes,omitempty"`
}

var getFlagDependencies = read(Spec{
	Name: "get-flag-dependencies", Title: "Get a flag's prerequisite tree",
	Doc: "Read a flag's prerequisites, met or not, and the flags that depend on it, through all levels.",
}, func(ctx context.Context, ld *ldclient.Client, in struct{ inFlagEnvironment }) (dependencies, error) {
	f, _, err := flagIn(ctx, ld, in.target())
	if err != nil {
		return dependencies{}, err
	}
	w := &dependencyWalk{ld: ld, at: in.target(), flags: map[string]*ldclient.Flag{f.Key: f}}
	out := dependencies{Key: f.Key, Environment: in.Environment}
	up := w.up(ctx)
	down, err := w.down(ctx)
	if err != nil {
		out.DependentsNotRead = true
		w.note("dependent flags could not be read (%s)", short(clean(err.Error()), 200))
	}
	for i := range up {
		w.fill(&up[i])
	}
	for i := range down {
		w.fill(&down[i])
	}
	out.Prerequisites, out.MorePrerequisites = w.first(up)
	out.Dependents, out.MoreDependents = w.first(down)
	slices.Sort(w.notes)
	out.Notes = w.notes
	return out, nil
})

const (
	maxTreeFlags = 40 // flags that one call reads
	maxTreeEdges = 50 // prerequisites that one reply shows in each direction
)

// dependencyWalk follows prerequisites from one flag, each flag being read once.
type dependencyWalk struct {
	ld    *ldclient.Client
	at    ldclient.Target
	mu    sync.Mutex
	flags map[string]*ldclient.Flag // nil where a flag could not be read
	notes []string
	cut   bool
}

func (w *dependencyWalk) note(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

func (w *dependencyWalk) first(edges []dependency) ([]dependency, int) {
	n := min(maxTreeEdges, len(edges))
	return append([]dependency{}, edges[:n]...), len(edges) - n
}

// load reads the flags that were not read yet, side by side.
func (w *dependencyWalk) load(ctx context.Context, keys []string) {
	g := gather(ctx)
	for _, key := range keys {
		w.mu.Lock()
		_, known := w.flags[key]
		full := len(w.flags) >= maxTreeFlags
		if !known && !full {
			w.flags[key] = nil
		}
		w.mu.Unlock()
		switch {
		case known:
		case full && !w.cut:
			w.cut = true
			w.note("only %d flags are followed; ask for one further out to go on", maxTreeFlags)
		case !full:
			g.want("flag "+key, func(ctx context.Context) error {
				f, err := w.ld.Flags.Get(ctx, w.at.Project, w.at.Environment, key)
				w.mu.Lock()
				defer w.mu.Unlock()
				w.flags[key] = f
				return err
			})
		}
	}
	missing, _ := g.wait() // nothing was needed
	w.notes = append(w.notes, missing...)
}

func (w *dependencyWalk) prerequisites(key string) []ldclient.Prerequisite {
	if f := w.flags[key]; f != nil {
		return f.Environments[w.at.Environment].Prerequisites
	}
	return nil
}

// up follows prerequisites level by level.
func (w *dependencyWalk) up(ctx context.Context) []dependency {
	var out []dependency
	seen := map[string]bool{}
	for depth, level := 1, []string{w.at.Key}; len(level) > 0; depth++ {
		var next []string
		for _, key := range level {
			if seen[key] {
				continue
			}
			seen[key] = true
			for _, p := range w.prerequisites(key) {
				out = append(out, dependency{Flag: key, Needs: p.Key, Depth: depth})
				next = append(next, p.Key)
			}
		}
		w.load(ctx, next)
		level = next
	}
	return out
}

// down follows dependent flags level by level.
func (w *dependencyWalk) down(ctx context.Context) ([]dependency, error) {
	var out []dependency
	seen := map[string]bool{}
	for depth, level := 1, []string{w.at.Key}; len(level) > 0; depth++ {
		found := make([][]dependentRow, len(level))
		g := gather(ctx)
		for i, key := range level {
			seen[key] = true
			g.need(func(ctx context.Context) error {
				at := w.at
				at.Key = key
				rows, note, err := dependentsOf(ctx, w.ld, at)
				w.mu.Lock()
				defer w.mu.Unlock()
				if found[i] = rows; note != "" && !slices.Contains(w.notes, note) {
					w.notes = append(w.notes, note)
				}
				return err
			})
		}
		if _, err := g.wait(); err != nil {
			return out, err
		}
		var next []string
		for i, key := range level {
			for _, row := range found[i] {
				out = append(out, dependency{Flag: row.Key, Needs: key, Depth: depth})
				if !seen[row.Key] && !slices.Contains(next, row.Key) {
					next = append(next, row.Key)
				}
			}
		}
		w.load(ctx, next)
		level = slices.DeleteFunc(next, func(key string) bool { return w.flags[key] == nil })
	}
	return out, nil
}

// fill adds what the needed flag must give, and whether it does.
func (w *dependencyWalk) fill(d *dependency) {
	prerequisites := w.prerequisites(d.Flag)
	i := slices.IndexFunc(prerequisites, func(p ldclient.Prerequisite) bool { return p.Key == d.Needs })
	if i < 0 {
		return
	}
	want := prerequisites[i].Variation
	needed := w.flags[d.Needs]
	if needed == nil {
		d.Variation = fmt.Sprintf("variation %d", want)
		return
	}
	d.Variation = label(needed, want)
	c := needed.Environments[w.at.Environment]
	gives := results(c)
	switch {
	case !c.On || !slices.Contains(gives, want): // one that is off is never met
		d.Met = "never"
	case len(gives) == 1:
		d.Met = "always"
	default:
		d.Met = "sometimes"
	}
}
