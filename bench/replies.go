package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tiktoken-go/tokenizer"
)

// weighed is how much of a model's context some texts take.
type weighed struct {
	codec         tokenizer.Codec
	tokens, bytes samples
}

func (w *weighed) add(side int, text string) error {
	n, err := w.codec.Count(text)
	if err != nil {
		return err
	}
	w.tokens.add(side, float64(n))
	w.bytes.add(side, float64(len(text)))
	return nil
}

func (w *weighed) row(id, name string) row {
	r := newRow(id, name, tokens, &w.tokens)
	r.OursBytes, r.TheirsBytes = w.bytes.medians()
	return r
}

// replies measures what a model has to read, and counts the requests behind it.
func (b *bench) replies(ctx context.Context) ([]row, error) {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		return nil, err
	}
	weigh := func() *weighed { return &weighed{codec: codec} }
	out, err := b.catalogues(ctx, weigh)
	if err != nil {
		return nil, err
	}
	w, err := b.up.watch()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var sides [2]*process
	for side, c := range b.both {
		p, err := c.open(ctx, w.URL)
		if err != nil {
			return nil, err
		}
		defer p.stop()
		// Whatever a server asks for at its start is over when it has answered twice.
		for range 2 {
			if _, _, err := p.call(c.audit(1)); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
		}
		sides[side] = p
	}
	// task measures what n questions give each side; plain are the requests that they stand for.
	task := func(id, name string, n int, ask func(c *contender, i int) []question, plain func(i int) []string) (row, samples, error) {
		all := weigh()
		var requests samples
		err := b.turns(n, name, func(side int, c *contender) error {
			i := len(all.tokens[side])
			w.take()
			reply, _, err := sides[side].callAll(ask(c, i))
			if err != nil {
				return err
			}
			seen := w.take()
			slices.Sort(seen) // pages may be read at the same time
			if plain != nil && !slices.Equal(seen, slices.Sorted(slices.Values(withMethod(plain(i))))) {
				return fmt.Errorf("it made the requests\n%s\nand the plain ones are\n%s", strings.Join(seen, "\n"), strings.Join(plain(i), "\n"))
			}
			requests.add(side, float64(len(seen)))
			return all.add(side, reply)
		})
		return all.row(id, name), requests, err
	}
	few := min(20, b.times.gets)
	for _, want := range []struct {
		n     int
		share float64
	}{{20, 1.0 / 9}, {listed, 1.0 / 12}} {
		id, name := fmt.Sprintf("list-%d", want.n), fmt.Sprintf("list of %d flags", want.n)
		same, _, err := task(id+"-state", name+" with their state", 1,
			func(c *contender, _ int) []question { return c.list(0, want.n) }, func(int) []string { return plainList(0, want.n) })
		if err != nil {
			return nil, err
		}
		less, _, err := task(id, name+", theirs without state", 1, func(c *contender, _ int) []question {
			if c.bare != nil {
				return c.bare(0, want.n)
			}
			return c.list(0, want.n)
		}, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, same, less.atMost(want.share))
	}
	got, _, err := task("get", "one flag", few,
		func(c *contender, i int) []question { return []question{c.get(b.up.flags[i])} }, func(i int) []string { return plainGet(b.up.flags[i]) })
	if err != nil {
		return nil, err
	}
	audit, _, err := task("audit", "audit log, 10 entries", 1, func(c *contender, _ int) []question { return []question{c.audit(10)} }, nil)
	if err != nil {
		return nil, err
	}
	flag := b.up.flags[1]
	on, err := b.up.isOn(ctx, flag)
	if err != nil {
		return nil, err
	}
	toggled, requests, err := task("toggle", "one flag turned on or off", 4, func(c *contender, _ int) []question {
		on = !on // the two turn it in turns, and leave it as it was
		return []question{c.toggle(flag, on)}
	}, nil)
	if err != nil {
		return nil, err
	}
	return append(out, got.atMost(1), toggled.atMost(1.0/10), audit.atMost(1.0/3),
		newRow("toggle-requests", "requests to LaunchDarkly for that turning on or off", count, &requests)), nil
}

func withMethod(targets []string) []string {
	var out []string
	for _, target := range targets {
		out = append(out, "GET "+target)
	}
	return out
}

// catalogues measures what a model reads before its first turn.
func (b *bench) catalogues(ctx context.Context, weigh func() *weighed) ([]row, error) {
	usual, whole, each := weigh(), weigh(), weigh()
	var offered, most samples
	for side, c := range b.both {
		for _, more := range [][]string{nil, c.all} {
			p, err := c.open(ctx, b.up.url, more...)
			if err != nil {
				return nil, err
			}
			result, _, err := p.ask("tools/list", nil)
			p.stop()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			var list struct{ Tools []json.RawMessage }
			if err := json.Unmarshal(result, &list); err != nil {
				return nil, err
			}
			into, n := usual, &offered
			if len(more) > 0 || c.all == nil && len(usual.tokens[side]) > 0 {
				into, n = whole, &most
			}
			n.add(side, float64(len(list.Tools)))
			if err := into.add(side, string(result)); err != nil {
				return nil, err
			}
		}
		each.tokens.add(side, whole.tokens[side][0]/most[side][0])
		each.bytes.add(side, whole.bytes[side][0]/most[side][0])
	}
	return []row{
		newRow("tools", "tools offered", count, &offered),
		usual.row("tools-list", "`tools/list`"),
		newRow("tools-all", "tools offered, all enabled", count, &most),
		whole.row("tools-list-all", "`tools/list`, all enabled"),
		each.row("tool", "a tool on average, all enabled").most(150),
	}, nil
}
