package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// times is how often each thing is measured. warm is how many calls come before
// those that are timed, for the sake of Node.js, which compiles what runs often.
type times struct{ starts, memory, warm, gets, pages, crowds int }

var (
	long  = times{starts: 20, memory: 3, warm: 100, gets: 400, pages: 100, crowds: 5}
	short = times{starts: 5, memory: 1, warm: 50, gets: 80, pages: 20, crowds: 1}
)

// lists is after how many lists of listed flags memory is read again.
const (
	lists  = 50
	listed = 200
)

// bench measures both servers in turns.
type bench struct {
	both [2]*contender // ours, theirs
	up   *upstream
	times
	say func(string)
}

// turns calls do for both servers n times, each first in every other round.
func (b *bench) turns(n int, what string, do func(side int, c *contender) error) error {
	for i := range n {
		b.say(fmt.Sprintf("%s: round %d of %d", what, i+1, n))
		for k := range b.both {
			side := (i + k) % len(b.both)
			if err := do(side, b.both[side]); err != nil {
				return fmt.Errorf("%s: %s: %w", what, b.both[side].name, err)
			}
		}
	}
	return nil
}

// samples are what was measured of ours and of theirs.
type samples [2][]float64

func (s *samples) add(side int, v float64) { s[side] = append(s[side], v) }

func (s *samples) medians() (ours, theirs float64) { return median(s[0]), median(s[1]) }

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	half := len(list) / 2
	if len(list)%2 == 1 {
		return list[half]
	}
	return (list[half-1] + list[half]) / 2
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// starts measures fresh processes, as they are started by default and with every tool enabled.
func (b *bench) starts(ctx context.Context) ([]row, error) {
	var rows []row
	for _, every := range []bool{false, true} {
		more, err := b.startsWith(ctx, every)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (b *bench) startsWith(ctx context.Context, every bool) ([]row, error) {
	id, with := "", ""
	if every {
		id, with = "-all", ", every tool enabled"
	}
	var begun, listed, fresh samples
	err := b.turns(b.times.starts, "start"+with, func(side int, c *contender) error {
		var options []string
		if every {
			options = c.all
		}
		p, err := c.start(ctx, b.up.url, options...)
		if err != nil {
			return err
		}
		defer p.stop()
		at, err := p.initialize()
		if err != nil {
			return err
		}
		begun.add(side, ms(at.Sub(p.started)))
		if _, at, err = p.ask("tools/list", nil); err != nil {
			return err
		}
		listed.add(side, ms(at.Sub(p.started)))
		peak, err := p.peak()
		fresh.add(side, peak)
		return err
	})
	if err != nil {
		return nil, err
	}
	memory := newRow("memory-fresh"+id, "peak memory, tools listed"+with, mebibytes, &fresh)
	if !every {
		memory = memory.atMost(1.0 / 6)
	}
	return []row{
		newRow("start"+id, "spawn to `initialize` answered"+with, milliseconds, &begun).atMost(1.0 / 20),
		newRow("start-list"+id, "spawn to `tools/list` answered"+with, milliseconds, &listed).atMost(1.0 / 20),
		memory,
	}, nil
}

// memory measures processes that have worked.
func (b *bench) memory(ctx context.Context) ([]row, error) {
	var used samples
	err := b.turns(b.times.memory, "memory", func(side int, c *contender) error {
		p, err := c.open(ctx, b.up.url)
		if err != nil {
			return err
		}
		defer p.stop()
		for i := range lists {
			if _, _, err := p.callAll(c.list(i*listed%pageSpan, listed)); err != nil {
				return err
			}
		}
		peak, err := p.peak()
		used.add(side, peak)
		return err
	})
	if err != nil {
		return nil, err
	}
	return []row{newRow("memory-lists", fmt.Sprintf("peak memory, %d lists of %d flags", lists, listed), mebibytes, &used).atMost(1.0 / 6)}, nil
}

// crowds measures many calls at once in one session.
func (b *bench) crowds(ctx context.Context) ([]row, error) {
	var out []row
	for _, n := range []int{100, 1000} {
		var took, failed samples
		err := b.turns(b.times.crowds, fmt.Sprintf("%d calls at once", n), func(side int, c *contender) error {
			p, err := c.open(ctx, b.up.url)
			if err != nil {
				return err
			}
			defer p.stop()
			var calls []question
			for i := range n {
				calls = append(calls, c.get(b.up.flags[i%pageSpan]))
			}
			bad, d, err := p.callAtOnce(calls, func(i int, reply string) bool { return isFlag(reply, b.up.flags[i%pageSpan]) })
			failed.add(side, float64(bad))
			took.add(side, ms(d))
			return err
		})
		if err != nil {
			return nil, err
		}
		id, name := fmt.Sprintf("at-once-%d", n), fmt.Sprintf("%d calls at once", n)
		lost := newRow(id+"-failed", name+", not or wrongly answered", count, &failed)
		lost.Ours, lost.Theirs = slices.Max(failed[0]), slices.Max(failed[1])
		out = append(out, newRow(id, name+", until the last answer", milliseconds, &took), lost.most(0))
	}
	return out, nil
}

// sizes measures what is installed.
func (b *bench) sizes(context.Context) ([]row, error) {
	var installed samples
	for side, c := range b.both {
		var total int64
		for _, file := range c.files {
			err := filepath.WalkDir(file, func(_ string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				info, err := d.Info()
				if err == nil {
					total += info.Size()
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		installed.add(side, float64(total))
	}
	runtime := newRow("size-runtime", "installed, with the runtime", megabytes, &installed)
	node, err := nodeSize()
	if err != nil {
		return nil, err
	}
	runtime.Theirs += node
	return []row{newRow("size", "installed", megabytes, &installed), runtime}, nil
}

// nodeSize is the size of Node.js's own program, in MB.
func nodeSize() (float64, error) {
	file, err := lookUp("node")
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}
